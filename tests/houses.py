"""Houses for the tests: migrated databases in no time, a clock to set, partners at work.

A house here is the real one, on real databases. The schema is made once per kind of database and
test run, and copied: an SQLite file as a file, a PostgreSQL database as a template.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from importlib.resources import files
from pathlib import Path
from threading import Event as Signal
from typing import Any, Final, NamedTuple, cast
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy import Connection, make_url
from sqlalchemy import exc as sa_exc

from caseflow import bootstrap
from caseflow.bootstrap import House, open_house
from caseflow.domain.commands import Act
from caseflow.domain.events import Event
from caseflow.domain.times import parse_time
from caseflow.domain.vocabulary import AnyClaim
from caseflow.eventstore.application import Cases, Opening, Recorded
from caseflow.eventstore.attempts import Attempt
from caseflow.eventstore.partners import Caller, add_partner, digest_key, find_caller, issue_key
from caseflow.eventstore.schema import migrate, migrate_keys
from caseflow.eventstore.session import MakeProjector
from caseflow.eventstore.wrapping import KeyedHash
from caseflow.eventstore.writer import Writer
from caseflow.projections.projector import HouseProjector
from caseflow.projections.public.history import list_published
from caseflow.settings import Settings, read_settings
from tests.databases import create_postgresql, sqlite_url

NOON: Final = "2026-02-10T12:00:00Z"
GIVE_UP_SECONDS: Final = 60
AUTHOR: Final = ("events:write", "events:publish")


class Clock:
    """A clock that stands still until it is set; microseconds since the Unix epoch."""

    def __init__(self, at: str = NOON) -> None:
        self._at = parse_time(at)

    def __call__(self) -> int:
        return self._at

    def set(self, at: str) -> None:
        """Make it this time, RFC 3339."""
        self._at = parse_time(at)


# -- databases ------------------------------------------------------------------------------------


class _Templates(NamedTuple):
    """Migrated, empty databases: files, or names of databases on a server."""

    records: str
    keys: str


_templates: Final = pytest.StashKey[dict[str, _Templates]]()


@contextmanager
def new_settings(
    kind: str,
    request: pytest.FixtureRequest,
    folder: Path,
    *,
    keys: str = "sqlite",
    **environ: str,
) -> Iterator[Settings]:
    """Yield settings of a house whose databases are migrated and empty.

    kind: `sqlite` or `postgresql`, as the fixture `database_kind` says. keys: the kind of the key
    store, a file unless a test is about it. environ: more settings.
    """
    with ExitStack() as stack:
        records = _get_templates(kind, request).records
        secrets = _get_templates(keys, request).keys
        yield settings_for(
            stack.enter_context(_copy(kind, request, records, folder / "caseflow.db")),
            stack.enter_context(_copy(keys, request, secrets, folder / "keys.db")),
            folder,
            **environ,
        )


@contextmanager
def _copy(kind: str, request: pytest.FixtureRequest, template: str, file: Path) -> Iterator[str]:
    if kind == "sqlite":
        shutil.copyfile(template, file)
        yield sqlite_url(file)
    else:
        server = request.getfixturevalue("postgresql_server_url")
        with create_postgresql(server, template=template) as url:
            yield url


def settings_for(database_url: str, keys_url: str, folder: Path, **environ: str) -> Settings:
    """Return settings for these databases, with the files beside them in the folder."""
    return read_settings(
        {
            "CASEFLOW_DATABASE_URL": database_url,
            "CASEFLOW_KEYS_URL": keys_url,
            "CASEFLOW_MASTER_KEY_FILE": str(folder / "master.key"),
            "CASEFLOW_SIGNING_KEY_FILE": str(folder / "signing.key"),
            "CASEFLOW_LEDGER_FILE": str(folder / "ledger.ndjson"),
            **environ,
        }
    )


def _get_templates(kind: str, request: pytest.FixtureRequest) -> _Templates:
    found = request.session.stash.setdefault(_templates, {})
    if kind not in found:
        found[kind] = _make_templates(kind, request)
    return found[kind]


def _make_templates(kind: str, request: pytest.FixtureRequest) -> _Templates:
    if kind == "sqlite":
        folder = request.getfixturevalue("tmp_path_factory").mktemp("templates")
        migrate(sqlite_url(folder / "records.db"))
        migrate_keys(sqlite_url(folder / "keys.db"))
        return _Templates(str(folder / "records.db"), str(folder / "keys.db"))
    stack = ExitStack()
    server = request.getfixturevalue("postgresql_server_url")
    records, keys = (stack.enter_context(create_postgresql(server)) for _ in range(2))
    migrate(records)
    migrate_keys(keys)
    # After the last test, but before the server that they are on is stopped.
    request.session.addfinalizer(stack.close)
    return _Templates(*(cast("str", make_url(url).database) for url in (records, keys)))


# -- houses ---------------------------------------------------------------------------------------


@contextmanager
def run_house(settings: Settings, clock: Callable[[], int] | None = None) -> Iterator[House]:
    """Yield a running house that ends embargoes and looks after erasures only when asked to.

    clock: of the house; a new one that stands at NOON unless it is given.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "EMBARGO_SECONDS", 1e6)
        patch.setattr(bootstrap, "ERASURE_SECONDS", 1e6)
        with open_house(settings, clock=clock or Clock()) as house:
            yield house


class SecondWriter(NamedTuple):
    """A writer beside the house's own, as if of another process."""

    writer: Writer
    cases: Cases


@contextmanager
def second_writer(
    house: House, make_projector: MakeProjector = HouseProjector
) -> Iterator[SecondWriter]:
    """Yield a second writer on the house's databases."""
    writer = Writer(house.recorder, house.mapper, house.keys, make_projector, house.ledger)
    writer.start()
    try:
        yield SecondWriter(writer, Cases(writer, KeyedHash(house.keys.get_secret("lookup"))))
    finally:
        writer.stop()


@contextmanager
def one_batch(writer: Writer) -> Iterator[None]:
    """Keep a writer at a request of its own, so that all that is asked meanwhile is one batch."""
    entered, released = Signal(), Signal()

    def wait(_session: object) -> None:
        entered.set()
        released.wait(GIVE_UP_SECONDS)

    waiting = writer.submit(wait)
    assert entered.wait(GIVE_UP_SECONDS)
    try:
        yield
    finally:
        released.set()
        waiting.result(GIVE_UP_SECONDS)


def lose_the_commit(house: House, patch: pytest.MonkeyPatch, *, stored: bool) -> "Future[Any]":
    """Have the commit of this request's batch reported as lost; stored: it happened all the same.

    The future gets the error, as those of all in the batch.
    """
    commit = Connection.commit

    def commit_once(connection: Connection) -> None:
        patch.undo()
        if stored:
            commit(connection)
        raise sa_exc.OperationalError("COMMIT", {}, Exception("the connection was lost"))

    return house.writer.submit(lambda _: patch.setattr(Connection, "commit", commit_once))


class Told(NamedTuple):
    """What an answer says: `position` is None where it was recorded before."""

    case_id: UUID
    event_id: UUID
    version: int
    position: int | None
    created: bool


def render(found: Recorded) -> Told:
    """Return the answer's values, as they are while its batch is written."""
    case, position = found.case, found.position
    return Told(case.id, found.event_id, case.version, position, created=position is not None)


class Desk:
    """A partner at work: opens cases and tells what happened, in futures or one by one.

    key: that it shows to the API.
    """

    def __init__(self, cases: Cases, caller: Caller, key: str = "") -> None:
        self.cases = cases
        self.caller = caller
        self.key = key

    def at(self, cases: Cases) -> "Desk":
        """Return the same partner before another writer."""
        return Desk(cases, self.caller, self.key)

    def submit_case(
        self, publish: str = "none", *, attempt: Attempt | None = None, **fields: Any
    ) -> "Future[Any]":
        """Ask to open a case; `consent` is to `publish` unless it is given."""
        told = {"host_state": "KZ", "origin_state": "RU", **fields}
        told.setdefault("consent", {"publish": publish, "basis": "own"})
        return self.cases.open_case(
            self.caller, msgspec.convert(told, Opening), render, attempt=attempt
        )

    def submit_claim(
        self,
        case: UUID | str,
        type: str = "asylum.claim_made",
        occurred: str = "2025-05-01",
        *,
        expected_version: int | None = None,
        **fields: Any,
    ) -> "Future[Any]":
        """Ask to record a claim."""
        claim = msgspec.convert({"type": type, "occurred": occurred, **fields}, AnyClaim)
        return self.cases.record_claim(
            self.caller, str(case), claim, render, expected_version=expected_version
        )

    def submit_act(self, command: type[Act], case: UUID, **asked: Any) -> "Future[Any]":
        """Ask for any other command to a case; asked: the fields that are its own."""
        return self.cases.act(self.caller, command, case, asked, render)

    def open(self, publish: str = "none", **fields: Any) -> UUID:
        """Open a case and return its id."""
        return answer_of(self.submit_case(publish, **fields)).case_id

    def tell(self, case: UUID | str, *claim: str, **fields: Any) -> UUID:
        """Record a claim and return its id."""
        return answer_of(self.submit_claim(case, *claim, **fields)).event_id

    def act(self, command: type[Act], case: UUID, **asked: Any) -> UUID:
        """Carry out any other command to a case and return the event."""
        return answer_of(self.submit_act(command, case, **asked)).event_id


def answer_of(future: "Future[Any]") -> Told:
    """Return the answer of a future, which must come."""
    answer = future.result(GIVE_UP_SECONDS)
    assert answer.rendered.created == answer.created
    return cast("Told", answer.rendered)


def refusal_of(future: "Future[Any]") -> BaseException | None:
    """Return why a request was refused or broke, None where it was not."""
    return future.exception(GIVE_UP_SECONDS)


def new_partner(
    house: House, *scopes: str, name: str | None = None, public_name: str | None = None
) -> Desk:
    """Return a new partner of the house, found by its key; it may publish unless told otherwise."""
    partner_id = uuid4()
    with house.write() as connection:
        add_partner(
            connection,
            partner_id=partner_id,
            name=name or partner_id.hex,
            public_name=public_name,
            at=house.clock(),
        )
        key = issue_key(
            connection,
            key_id=uuid4(),
            partner_id=partner_id,
            scopes=scopes or AUTHOR,
            at=house.clock(),
        )
        caller = find_caller(connection, digest_key(key), house.clock())
    assert caller is not None
    return Desk(house.cases, caller, key)


def submit_demo_cases(desk: Desk, prefix: str = "") -> "list[Future[Any]]":
    """Ask to record all demo cases, in the order of the file; prefix: of every external id."""
    lines = (files("caseflow.demo") / "kazakhstan.ndjson").read_text("utf-8").splitlines()
    return [_submit_line(desk, json.loads(line), prefix) for line in lines]


def _submit_line(desk: Desk, line: dict[str, Any], prefix: str) -> "Future[Any]":
    told = line.get("case") or line["event"]
    told["external_id"] = prefix + told["external_id"]
    for name in {"case", "against", "after"} & told.keys():
        told[name] = told[name].replace("ext:", f"ext:{prefix}")
    if "case" in line:
        return desk.submit_case(**told)
    return desk.submit_claim(told.pop("case"), **told)


# -- reading beside the house ---------------------------------------------------------------------


def list_log(house: House) -> list[tuple[int, Event]]:
    """Return all events with their positions."""
    with house.reader.snapshot() as snapshot:
        return house.reader.read_log(snapshot.connection, 0, 1_000_000)


def list_shown(house: House) -> list[UUID]:
    """Return the claims of which anyone can read the words, in the order of publication."""
    with house.reader.snapshot() as snapshot:
        found = list_published(snapshot.connection, snapshot.view_set)
    return [change.event_id for change in found if not change.is_withdrawn]


def list_events_of(house: House, case_id: UUID) -> list[Event]:
    """Return the events of a case."""
    with house.reader.snapshot() as snapshot:
        return house.reader.list_events(snapshot, case_id)
