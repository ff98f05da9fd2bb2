"""What the tests of the API share: a service that answers, partners with keys, the demo cases."""

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from caseflow.database import begin_read, begin_write, make_engine
from caseflow.domain.facts import ClaimFacts, facts_of
from caseflow.domain.vocabulary import AnyClaim
from caseflow.eventstore.partners import add_partner, issue_key, revoke_key
from caseflow.eventstore.recorder import now_microseconds, read_head
from caseflow.serving import make_application
from caseflow.settings import Settings
from tests.houses import new_settings

# Comparisons in there are shown as those in the tests themselves.
pytest.register_assert_rewrite("tests.api.watch", "tests.api.machine")

Json = dict[str, Any]

AUTHOR: Final = ("events:write", "events:publish")
EXPECTED: Final[Json] = json.loads(
    (Path(__file__).parents[1] / "data" / "kazakhstan.expected.json").read_text("utf-8")
)
SEED: Final[Sequence[Json]] = [
    json.loads(line)
    for line in (files("caseflow.demo") / "kazakhstan.ndjson").read_text("utf-8").splitlines()
]


ABSENT: Final = "6f0c1a52-3a0e-4c8b-9d7e-0b6f2a91c3d4"
"""The id of nothing that is there; the same in every run, as what tests are called has to be."""


class Partner:
    """A partner organisation and one of its keys, speaking HTTP."""

    def __init__(self, service: "Service", partner_id: UUID, key: str, key_id: UUID) -> None:
        self.service = service
        self.id = partner_id
        self.key_id = key_id
        self.headers = {"Authorization": f"Bearer {key}"}

    def get(self, path: str, headers: Json | None = None, **query: Any) -> httpx.Response:
        """Ask with the key."""
        return self.service.get(path, {**self.headers, **(headers or {})}, **query)

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """Post JSON with the key."""
        return self.service.client.post(path, json=body, headers=self.headers | headers)

    def open(self, publish: str = "anonymous", **fields: Any) -> Json:
        """Open a case and return it; `consent` is to `publish` unless it is given."""
        consent = {"publish": publish, "basis": "own"}
        told = {"host_state": "KZ", "origin_state": "RU", "consent": consent, **fields}
        answer = self.post("/v1/cases", told)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def tell(self, case: Json, type: str, occurred: str = "2025-05-01", **fields: Any) -> Json:
        """Record a claim, public unless it says otherwise, and return it."""
        told = {"type": type, "occurred": occurred, "visibility": "public", **fields}
        answer = self.post(f"/v1/cases/{case['id']}/events", told)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())


class Service:
    """A running service and its database; asks without a key."""

    def __init__(self, settings: Settings, client: TestClient[Litestar]) -> None:
        self.settings = settings
        self.client = client
        self.engine = make_engine(settings.database_url)

    def get(self, path: str, headers: Json | None = None, **query: Any) -> httpx.Response:
        """Ask as anyone may."""
        # Parameters, even none, would take the place of those that the path brings along.
        return self.client.get(path, params=query or None, headers=headers)

    def partner(
        self,
        *scopes: str,
        public_name: str | None = None,
        of: Partner | None = None,
        expires_at: int | None = None,
    ) -> Partner:
        """Return a new partner with a key; of: another key of a partner that is there."""
        partner_id, key_id = of.id if of else uuid4(), uuid4()
        with begin_write(self.engine) as connection:
            at = now_microseconds()
            if of is None:
                add_partner(
                    connection,
                    partner_id=partner_id,
                    name=partner_id.hex,
                    public_name=public_name,
                    at=at,
                )
            key = issue_key(
                connection,
                key_id=key_id,
                partner_id=partner_id,
                scopes=scopes or ("events:write",),
                at=at,
                expires_at=expires_at,
            )
        return Partner(self, partner_id, key, key_id)

    def settle(self, partner: Partner | None = None) -> None:
        """Wait until all is signed that is public, or that the partner's key reads of."""
        name, asker = ("full_log", partner) if partner else ("log", self)
        deadline = time.monotonic() + 10
        ready = asker.get("/readyz").json()
        while ready[name]["signed_at"] is None or ready[name]["size"] < ready["position"]:
            assert time.monotonic() < deadline, ready
            time.sleep(0.02)
            ready = asker.get("/readyz").json()

    def hear(self) -> None:
        """Wait until the service has heard of what another process did: one wake-up."""
        head, watcher = self.head, self.client.app.state.services.watcher
        assert watcher.wait(head, 10) >= head

    def revoke(self, partner: Partner) -> None:
        """Revoke the key of a partner."""
        with begin_write(self.engine) as connection:
            revoke_key(connection, partner.key_id, now_microseconds())

    @property
    def head(self) -> int:
        """The end of the log, read beside the service."""
        with begin_read(self.engine) as connection:
            return read_head(connection).position


@contextmanager
def serve(settings: Settings) -> Iterator[Service]:
    """Yield a service on databases that have been migrated."""
    with TestClient(make_application(settings), raise_server_exceptions=False) as client:
        client.event_hooks = {"response": [check_answer]}
        service = Service(settings, client)
        try:
            yield service
        finally:
            service.engine.dispose()


def check_answer(answer: httpx.Response) -> None:
    """Assert what holds for each and every answer."""
    assert answer.status_code in (503, *range(200, 500)), answer.request.url
    assert "set-cookie" not in answer.headers
    if answer.status_code >= 400:
        # Pages are for people; what programs ask is answered for programs, whoever asks.
        is_page = answer.headers["content-type"] == "text/html; charset=utf-8"
        is_for_programs = answer.request.url.path.startswith(("/v1", "/schema", "/problems/"))
        assert is_page or answer.headers["content-type"] == "application/problem+json"
        assert not (is_page and is_for_programs)
        assert answer.headers["cache-control"] == "no-store"


def copy_settings(
    request: pytest.FixtureRequest, kind: str, folder: Path, stack: ExitStack, **more: str
) -> Settings:
    """Return settings of an empty house on a kind of database, which lasts as long as the stack."""
    environ = {"CASEFLOW_BASE_URL": "https://cases.example", "CASEFLOW_NAME": "Test record", **more}
    return stack.enter_context(new_settings(kind, request, folder, **environ))


@pytest.fixture
def house_settings(
    request: pytest.FixtureRequest, database_kind: str, tmp_path: Path
) -> Iterator[Settings]:
    """Settings of an empty house, once on each kind of database."""
    with ExitStack() as stack:
        yield copy_settings(request, database_kind, tmp_path, stack)


@pytest.fixture
def service(house_settings: Settings) -> Iterator[Service]:
    """A service without cases, once on each kind of database."""
    with serve(house_settings) as found:
        yield found


@pytest.fixture
def light(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    """A service without cases, on SQLite: for what no database can change."""
    with ExitStack() as stack:
        settings = copy_settings(request, "sqlite", tmp_path, stack)
        yield stack.enter_context(serve(settings))


KINDS: Final = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.fixture(scope="module", params=KINDS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service for all tests of a file, once on each kind of database."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("shared")
        yield stack.enter_context(serve(copy_settings(request, request.param, folder, stack)))


@pytest.fixture(autouse=True)
def logged_as_before() -> Iterator[None]:
    """The framework's own set-up, which some tests bring about, logs everything from then on."""
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


# -- the demo cases, posted once and only read ----------------------------------------------------


class Seeded:
    """The demo cases as they were answered when they were posted, by external id."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.press = service.partner(*AUTHOR, public_name="Press desk")
        self.other = service.partner("events:write")
        self.reader = service.partner("restricted:read")
        self.cases: dict[str, Json] = {}
        self.events: dict[str, Json] = {}
        for line in SEED:
            self._post(line)

    def _post(self, line: Json) -> None:
        if "case" in line:
            answer = self.press.post("/v1/cases", line["case"])
            self.cases[line["case"]["external_id"]] = answer.json()
        else:
            told = {**line["event"]}
            answer = self.press.post(f"/v1/cases/{path_name(told.pop('case'))}/events", told)
            self.events[told["external_id"]] = answer.json()
        assert answer.status_code == 201, answer.text

    def name_of(self, case_id: str) -> str:
        """Return the external id of a case."""
        return next(name for name, case in self.cases.items() if case["id"] == case_id)

    @property
    def views(self) -> dict[str, Any]:
        """Return whoever may ask, by what they may see."""
        return {
            "public": self.service,
            "author": self.press,
            "partner": self.other,
            "reader": self.reader,
        }


@pytest.fixture(scope="module", params=KINDS)
def seeded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Seeded]:
    """The demo cases on either database, posted through HTTP; for tests that only read."""
    with ExitStack() as stack:
        settings = copy_settings(request, request.param, tmp_path_factory.mktemp("seeded"), stack)
        yield Seeded(stack.enter_context(serve(settings)))


def path_name(name: str) -> str:
    """Return a name as one segment of a path."""
    return quote(name, safe="")


def problem(answer: httpx.Response, status: int, slug: str) -> Json:
    """Return a problem, which must be of this kind."""
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}"), answer.text
    return dict(answer.json())


def steady(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of an answer but for `RateLimit`, which counts down."""
    return {name: value for name, value in headers.items() if name != "ratelimit"}


def pointers(answer: httpx.Response) -> list[str]:
    """Return where a problem points."""
    return [fault["pointer"] for fault in answer.json().get("errors", ())]


def items(answer: httpx.Response) -> list[Json]:
    """Return the items of a list."""
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


# -- a naive replay -------------------------------------------------------------------------------


class Fact(NamedTuple):
    """A claim as it was posted, and when whom knew of it. Times as they were answered."""

    case: Json
    event: Json
    recorded_at: str
    published_at: str | None

    def known(self, view: str, known_at: str | None) -> bool:
        """Return whether a view had it at a time."""
        at = self.published_at if view == "public" else self.recorded_at
        return at is not None and (known_at is None or at <= known_at)


class Replay:
    """Cases of several partners, with late, contradictory, hidden and embargoed claims; and what
    a reader with all of it on paper would say of any day as known at any time.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.author = service.partner(*AUTHOR, public_name="One")
        self.other = service.partner(*AUTHOR)
        self.cases: list[Json] = []
        told: list[tuple[Json, Json]] = []

        def case(publish: str = "anonymous", **fields: Any) -> Json:
            self.cases.append(self.author.open(publish, **fields))
            return self.cases[-1]

        def tell(by: Partner, about: Json, type: str, occurred: str, **fields: Any) -> Json:
            told.append((about, by.tell(about, type, occurred, **fields)))
            return told[-1][1]

        first, second, third = case(), case(persons=3), case("count", persons=5)
        hidden = case()
        tell(self.author, first, "detention.apprehended", "2025-05", basis="wanted")
        tell(self.other, second, "expulsion.executed", "2026-01-29", destination="RU")
        granted = tell(self.author, first, "extradition.granted", "2025-06-10")
        tell(self.author, third, "expulsion.ordered", "2025-05-20")
        tell(self.author, first, "appeal.filed", "2025-06-12", against=granted["id"])
        soon = (datetime.now(UTC) + timedelta(seconds=1.2)).isoformat().replace("+00:00", "Z")
        waiting = tell(
            self.author, first, "appeal.decided", "2025-07-01",
            against=granted["id"], outcome="quashed", publish_after=soon,
        )  # fmt: skip
        tell(self.author, second, "detention.apprehended", "2025-02", basis="border")
        tell(self.author, second, "extradition.surrendered", "2026-02-02", destination="RU")
        tell(self.author, first, "person.entered", "2024-03")
        tell(
            self.author, hidden, "asylum.refused", "2025-04", stage="repeat", visibility="partners"
        )
        tell(
            self.author,
            third,
            "departure.left",
            "2025-12~",
            destination="GE",
            visibility="partners",
        )
        tell(self.other, third, "expulsion.executed", "2025-11", destination="RU")
        tell(self.author, hidden, "expulsion.ordered", "2025-09", jurisdiction="KG")
        tell(
            self.author,
            first,
            "return.voluntary",
            "2025-08",
            pressure="unknown",
            visibility="partners",
        )
        released = service.get("/v1/events", after=self._shown(told), wait=30).json()["items"]
        assert [event["id"] for event in released] == [waiting["id"]]
        tell(self.author, first, "detention.released", "2025-07-02", condition="none")
        self.facts = [Fact(c, e, e["recorded_at"], self._published_at(c, e)) for c, e in told]

    def _shown(self, told: list[tuple[Json, Json]]) -> int:
        return sum(e["publication"] == "published" for _, e in told)

    def _published_at(self, case: Json, event: Json) -> str | None:
        if event["publication_reason"] == "consent_count":
            return str(event["recorded_at"])
        shown = self.service.get(f"/v1/events/{event['id']}")
        return str(shown.json()["recorded_at"]) if shown.status_code == 200 else None

    @property
    def moments(self) -> list[tuple[str | None, str | None]]:
        """Return pairs of as_of and known_at: days around the facts, times of changes."""
        known = {f.recorded_at for f in self.facts} | {f.published_at for f in self.facts}
        times = [None, "2020-01-01T00:00:00Z", *sorted(at for at in known if at)[::2]]
        days = (None, "2024-06-01", "2025-06-30", "2026-01-30")
        return [(day, at) for day in days for at in times]

    def facts_of(self, case: Json, view: str, known_at: str | None) -> list[ClaimFacts]:
        """Return what a view knew of a case at a time."""
        return [
            facts_of(
                msgspec.convert(claim_in(fact.event), type=AnyClaim),
                event_id=UUID(fact.event["id"]),
                partner=fact.event["partner"],
                host_state=case["host_state"],
            )
            for fact in self.facts
            if fact.case is case and fact.known(view, known_at)
        ]


ANSWERED: Final = {
    "id", "case", "version", "position", "recorded_at", "partner", "publication",
    "publication_reason", "status", "state", "corroborated", "disputed",
}  # fmt: skip


def claim_in(event: Json) -> Json:
    """Return the claim that an answer holds."""
    return {name: value for name, value in event.items() if name not in ANSWERED}


@pytest.fixture(scope="module", params=KINDS)
def replay(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replay]:
    """A history to replay on either database; for tests that only read."""
    with ExitStack() as stack:
        settings = copy_settings(request, request.param, tmp_path_factory.mktemp("replay"), stack)
        yield Replay(stack.enter_context(serve(settings)))
