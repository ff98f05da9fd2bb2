"""What anyone may see: what was published and nothing else, down to the last byte and number."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from litestar.routes import HTTPRoute
from sqlalchemy import select

from caseflow.projections.view import VIEW_SETS, registered

from .conftest import (
    AUTHOR,
    Json,
    Partner,
    Service,
    copy_settings,
    items,
    path_name,
    pointers,
    problem,
    serve,
    steady,
)
from .test_stream import collect

SOON = "2999-01-01T00:00:00Z"
NAME = {"text": "Аскар Канарейкин", "language": "ru", "kind": "primary"}
LETTERS = str.maketrans("0123456789abcdef", "bcdfghklmnprstvz")
# Headers by which one answer may be told from another.
TELLING = (
    "etag", "last-modified", "cache-control", "vary", "content-type", "content-length",
    "content-language", "content-encoding", "link",
)  # fmt: skip


class World:
    """A service with something public, and all that is not: each text there holds a canary."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.author = service.partner(*AUTHOR, public_name="Open desk")
        self.other = service.partner("events:write", public_name="Other desk")
        self.reader = service.partner("restricted:read")
        self.canaries: list[str] = []
        self.hidden_cases: list[Json] = []
        self.hidden_events: list[Json] = []
        self.case = self.author.open(subject={"names": [NAME]}, external_id=self.canary())
        self.event = self.author.tell(
            self.case,
            "extradition.granted",
            "2025-05-01",
            summary={"en": "granted"},
            private_note=self.canary(),
            external_id=self.canary(),
            sources=[self.source()],
        )
        self.counted = self.author.open("count", external_id=self.canary())
        self.author.tell(self.counted, "expulsion.ordered", "2025-06-01", **self.texts())

    def canary(self) -> str:
        """Return a word that is nowhere else; of letters alone, as names are."""
        self.canaries.append("canary" + uuid4().hex.translate(LETTERS))
        return self.canaries[-1]

    def source(self) -> Json:
        return {
            "title": self.canary(),
            "publisher": self.canary(),
            "url": f"https://example.org/{self.canary()}",
            "archived": f"https://example.org/{self.canary()}",
        }

    def texts(self) -> Json:
        """Return a canary for every text field that any claim may have."""
        return {
            "place": self.canary(),
            "authority": self.canary(),
            "summary": {language: self.canary() for language in ("ru", "kk", "en")},
            "private_note": self.canary(),
            "external_id": self.canary(),
            "sources": [self.source()],
        }

    def hide(
        self, by: Partner, case: Json, type: str, occurred: str = "2026-01", **fields: Any
    ) -> None:
        """Record what the public must not notice."""
        told = by.tell(case, type, occurred, **{**self.texts(), **fields})
        assert told["publication"] != "published"
        self.hidden_events.append(told)

    def post_everything_hidden(self) -> None:
        """Record unpublished things of every kind, and have some refused."""
        author, other, case = self.author, self.other, self.case
        against = self.event["id"]
        for visibility in ("partners", "restricted"):
            for by in (author, other):
                self.hide(by, case, "return.abducted", visibility=visibility, destination="RU")
                self.hide(by, case, "person.died", visibility=visibility)
            self.hide(
                author,
                case,
                "appeal.filed",
                visibility=visibility,
                against=against,
                forum=self.canary(),
            )
            self.hide(
                author, case, "extradition.refused", visibility=visibility, ground=self.canary()
            )
            self.hide(
                author, case, "prosecution.charged", visibility=visibility, accusation=self.canary()
            )
        for ceiling in (
            "detention.ill_treatment_reported",
            "asylum.unhcr_recorded",
            "interim.requested",
        ):
            self.hide(author, case, ceiling)
        self.hide(author, case, "detention.released", condition="none", publish_after=SOON)
        self.hide(author, case, "appeal.filed", against=against, publish_after=SOON)
        self.hide(other, case, "extradition.surrendered", destination="BY")
        self.hide(other, self.counted, "expulsion.executed", destination="RU")
        self.hide(author, self.counted, "person.died", visibility="partners")
        self.hide(author, self.counted, "person.died", publish_after=SOON)
        self.hide_cases()
        self.be_refused()

    def hide_cases(self) -> None:
        for publish in ("none", "count", "anonymous", "pseudonym", "initials", "name"):
            consent = {"publish": publish, "basis": "own", "pseudonym": self.canary()}
            names = [{"text": self.canary(), "language": "en", "kind": "primary"}]
            opened = self.author.open(
                consent=consent, subject={"names": names}, external_id=self.canary(), persons=500
            )
            self.hidden_cases.append(opened)
            self.hide(self.other, opened, "expulsion.executed", "2025-07", destination="RU")
            self.hide(
                self.author, opened, "departure.left", visibility="partners", destination="DE"
            )
        self.hide(self.author, self.hidden_cases[0], "expulsion.executed", "2025-07")
        consent = {"publish": "anonymous", "basis": "representative"}
        asking = self.author.open(consent=consent)
        self.hidden_cases.append(asking)
        self.hide(self.author, asking, "asylum.claim_made")
        self.hide(self.author, asking, "appeal.filed", against=self.hidden_events[-1]["id"])

    def be_refused(self) -> None:
        for body in (
            {"type": "wanted.removed"},
            {"type": "wanted.removed", "occurred": self.canary()},
        ):
            answer = self.author.post(f"/v1/cases/{self.case['id']}/events", body)
            assert answer.status_code == 422

    def addresses(self) -> list[str]:
        """Return public addresses of all that is here, hidden or not, in all their forms."""
        cases = [self.case, self.counted, *self.hidden_cases]
        events = [self.event, *self.hidden_events]
        found = ["/v1", "/healthz", "/readyz", "/metrics", "/v1/vocabulary"]
        found += ["/", "/cases", "/cases?at_risk=true", "/feeds", "/nothing"]
        found += ["/statistics", "/statistics?as_of=2026-02-01&host_state=KZ", "/how", "/post"]
        found += [f"/charts/{chart}.svg" for chart in ("returns", "outcomes", "custody")]
        found += ["/charts/outcomes.svg?as_of=2025-06-15&lang=ru"]
        found += ["/schema/openapi.json"]
        found += ["/problems/not-found", "/problems/nothing", "/feeds/all.atom"]
        found += [f"/v1/log/{path}" for path in ("checkpoint", "checkpoint?witnesses=1", "key",
                  "tile/0/000.p/1", "tile/entries/000.p/1", "consistency?from=0")]  # fmt: skip
        found += [f"/v1/log/full/{path}" for path in ("checkpoint", "key", "tile/0/000.p/1")]
        found += ["/feeds/all.json", "/feeds/all.json?as_of=2026-01-01"]
        found += ["/v1/statistics/changes", "/v1/statistics/changes?since=1&host_state=KZ"]
        found += [f"/feeds/all.atom?lang={language}" for language in ("ru", "kk", "en")]
        for feed in ("recalls", "states/KZ", "states/RU", "types/extradition.granted",
                     "types/interim.requested", "headlines/monitored", "headlines/detained",
                     "headlines/extradition_granted"):  # fmt: skip
            found += [f"/feeds/{feed}.atom", f"/feeds/{feed}.json"]
            found += [f"/feeds/{feed}/archive/1.atom", f"/feeds/{feed}/archive/1.json"]
        found += ["/feeds/all/archive/1.atom", "/feeds/all/archive/2.json"]
        for case in cases:
            found += [f"/cases/{case['code']}{more}" for more in ("", "?as_of=2026-02-01",
                      "?known_at=2998-01-01T00:00:00Z&lang=ru")]  # fmt: skip
            found.append(f"/feeds/cases/{case['code']}.atom")
            found.append(f"/feeds/cases/{case['code']}/archive/1.atom")
            for name in (
                case["id"],
                case["code"],
                path_name("ext:" + case.get("external_id", "x")),
            ):
                found.append(f"/feeds/cases/{name}/archive/1.atom")
                found += [f"/v1/cases/{name}{more}" for more in ("", "/events", "/bundle",
                          "?as_of=2026-02-01",
                          "?known_at=2998-01-01T00:00:00Z", "/events?limit=1")]  # fmt: skip
        for event in events:
            found += [
                f"/v1/events/{event['id']}",
                f"/v1/events/{path_name('ext:' + event['external_id'])}",
                f"/v1/events/{event['id']}/proof",
            ]
        for query in (
            "", "limit=1", "headline=deported", "headline=extradition_granted", "at_risk=true",
            "track=movement:deported", "track=extradition:granted", "host_state=KZ", "q=Канарейкин",
            f"q={self.canaries[0]}", "q=canary", "updated_since=2026-01-01T00:00:00Z",
            "as_of=2026-02-01", "as_of=2025-05-15", "known_at=2998-01-01T00:00:00Z", "lang=kk",
        ):  # fmt: skip
            found.append(f"/v1/cases?{query}")
        for query in (
            "", "as_of=2026-02-01", "as_of=2025-05-15", "host_state=KZ", "origin_state=RU",
            "known_at=2998-01-01T00:00:00Z", "as_of=2025-06-15&known_at=2998-01-01T00:00:00Z",
        ):  # fmt: skip
            found.append(f"/v1/statistics?{query}")
            found.append(f"/v1/statistics/breakdown?{query}")
        return [
            *found,
            "/v1/events",
            "/v1/events?after=1",
            "/v1/exports/log",
            "/v1/exports/log?after=1&limit=2",
            "/v1/events?limit=1",
            "/v1/events?after=0",
        ]


def look(service: Service, addresses: list[str]) -> dict[tuple[str, str], Any]:
    """Return every byte that anyone can get there, and the headers that tell answers apart."""
    seen = {}
    for address in addresses:
        for encoding in ("identity", "gzip"):
            answer = service.get(address, headers={"Accept-Encoding": encoding})
            headers = {name: answer.headers.get(name) for name in TELLING}
            seen[address, encoding] = (answer.status_code, headers, answer.content)
    # It has no end: what is sent until there is nothing for a moment.
    for query in ("", "recalls=true", "host_state=KZ"):
        sent = json.dumps(collect(service, query), ensure_ascii=False).encode()
        seen[f"/v1/stream?{query}", ""] = (200, {}, sent)
    return seen


@pytest.fixture
def world(service: Service) -> World:
    """A world on either database; nothing is hidden in it yet but private words."""
    return World(service)


def test_every_route_that_answers_get_is_looked_at(world: World) -> None:
    """A new route has to be added to the addresses here."""
    templates = {
        route.path_format
        for route in world.service.client.app.routes
        if isinstance(route, HTTPRoute) and "GET" in route.methods
    }
    assert templates == {
        "/v1", "/healthz", "/readyz", "/metrics",
        # For people. The form of objections has another token each time.
        "/", "/cases", "/cases/{case}", "/statistics", "/charts/{chart}", "/feeds", "/how",
        "/verify", "/privacy", "/partners", "/objection", "/post", "/static/{asset}",
        "/robots.txt", "/.well-known/security.txt",
        "/v1/cases", "/v1/cases/{case}", "/v1/cases/{case}/events",
        "/v1/events", "/v1/events/{event}", "/v1/events/{event}/preview", "/v1/statistics",
        "/v1/statistics/breakdown",
        "/v1/audit/reads", "/v1/exports/log", "/schema", "/schema/{asset}", "/v1/vocabulary",
        "/feeds/all.atom", "/feeds/cases/{file}", "/problems/{slug}", "/schema/openapi.json",
        *(f"/v1/log/{which}{path}" for which in ("", "full/")
          for path in ("checkpoint", "key", "tile/{tile}", "consistency")),
        "/feeds/recalls.atom", "/feeds/recalls.json", "/feeds/all/archive/{archive}",
        "/feeds/recalls/archive/{archive}", "/feeds/cases/{code}/archive/{archive}",
        *(f"/feeds/{feeds}s/{{{feeds}_{rest}" for feeds in ("headline", "type", "state")
          for rest in ("file}", "code}/archive/{archive}")),
        "/feeds/all.json", "/v1/statistics/changes", "/v1/cases/{case}/bundle",
        "/v1/events/{event}/proof", "/v1/stream",
        # With a key alone, or with a secret.
        "/v1/webhooks", "/v1/webhooks/{webhook}", "/v1/webhooks/{webhook}/deliveries",
        "/v1/calendars", "/v1/calendars/{calendar}", "/v1/objections",
    }  # fmt: skip


def test_nothing_unpublished_moves_a_public_byte(world: World) -> None:
    addresses = world.addresses()
    world.service.settle()
    before = look(world.service, addresses)
    assert before["/v1/statistics?", "identity"][0] == 200
    world.post_everything_hidden()
    after = look(world.service, addresses)
    for key, found in before.items():
        assert after[key] == found, key
    with serve(world.service.settings) as elsewhere:
        assert look(elsewhere, addresses) == before


def test_nothing_unpublished_moves_what_is_published_next(world: World) -> None:
    world.post_everything_hidden()
    case = world.case["id"]
    assert world.service.get("/readyz").json()["position"] == 1
    told = world.author.tell(world.case, "extradition.requested", "2025-04")
    shown = world.service.get(f"/v1/events/{told['id']}").json()
    assert (shown["position"], shown["version"]) == (2, 2)
    read = world.service.get(f"/v1/cases/{case}").json()
    assert (read["position"], read["version"]) == (2, 2)
    assert read["updated_at"] == shown["recorded_at"]
    assert world.service.get("/v1/statistics").json()["position"] == 2
    assert world.service.get("/v1/events?after=1").json()["position"] == 2


def test_no_canary_is_anywhere_in_public(world: World) -> None:
    world.post_everything_hidden()
    assert len(world.canaries) > 200
    everything = [content for _, _, content in look(world.service, world.addresses()).values()]
    # What the reader typed is in no answer either.
    said = b"\n".join(everything).decode(errors="replace")  # tiles are bytes
    found = [canary for canary in world.canaries if canary in said]
    assert found == []
    assert "Канарейкин" not in said
    assert "Kanareykin" not in said


def test_no_canary_is_in_a_public_table(world: World) -> None:
    world.post_everything_hidden()
    with world.service.engine.connect() as connection:
        for table in registered:
            if table.name.startswith("public_"):
                for view_set in VIEW_SETS:
                    rows = repr([tuple(row) for row in connection.execute(select(table[view_set]))])
                    assert [canary for canary in world.canaries if canary in rows] == []


def test_what_is_not_public_is_answered_exactly_as_what_is_not_there(world: World) -> None:
    world.post_everything_hidden()

    def told(path: str) -> tuple[int, dict[str, str], bytes]:
        answer = world.service.get(path)
        return answer.status_code, dict(answer.headers), answer.content

    for case in (world.counted, *world.hidden_cases):
        for name, absent in ((case["id"], str(uuid4())), (case["code"], "KZ-0000-0000")):
            for more in ("", "/events", "?as_of=2026-01-01", "/events?limit=5"):
                shown = told(f"/v1/cases/{name}{more}")
                assert shown == told(f"/v1/cases/{absent}{more}")
                assert shown[0] == 404
        for inside in (".atom", "/archive/1.atom"):
            absent_feed = told(f"/feeds/cases/KZ-0000-0000{inside}")
            assert told(f"/feeds/cases/{case['code']}{inside}") == absent_feed
    for event in world.hidden_events:
        shown = told(f"/v1/events/{event['id']}")
        assert shown == told(f"/v1/events/{uuid4()}")
        assert shown[0] == 404
    opening = world.author.get(f"/v1/cases/{world.case['id']}/events").json()["items"][0]
    assert opening["type"] == "case.opened"
    assert told(f"/v1/events/{opening['id']}") == told(f"/v1/events/{uuid4()}")


def test_a_partner_who_may_not_read_it_is_told_the_same(world: World) -> None:
    world.post_everything_hidden()
    restricted = [e for e in world.hidden_events if e["visibility"] == "restricted"]
    assert restricted
    for event in restricted:
        by = world.author if event["partner"] == str(world.author.id) else world.other
        stranger = world.other if by is world.author else world.author
        assert by.get(f"/v1/events/{event['id']}").status_code == 200
        assert world.reader.get(f"/v1/events/{event['id']}").status_code == 200
        refused = stranger.get(f"/v1/events/{event['id']}")
        absent = stranger.get(f"/v1/events/{uuid4()}")
        assert refused.status_code == 404
        assert refused.content == absent.content
        assert steady(refused.headers) == steady(absent.headers)
        history = items(stranger.get(f"/v1/cases/{event['case']}/events", limit=500))
        assert event["id"] not in {e["id"] for e in history}
        log = items(stranger.get("/v1/events", limit=500))
        assert event["id"] not in {e["id"] for e in log}
        assert event["id"] not in stranger.get(f"/v1/cases/{event['case']}").text


# -- who sees which words -------------------------------------------------------------------------


class TestWords:
    def test_private_notes_are_for_their_author_and_readers_of_the_restricted(
        self, light: Service
    ) -> None:
        author, other = light.partner(*AUTHOR), light.partner()
        reader, auditor = light.partner("restricted:read"), light.partner("audit:read")
        case = author.open()
        event = author.tell(case, "wanted.removed", private_note="noted")
        asked = {
            who: who.get(f"/v1/events/{event['id']}").json()
            for who in (author, other, reader, auditor)
        }
        assert {who for who, found in asked.items() if "private_note" in found} == {author, reader}
        for who in (other, auditor):
            for path in (f"/v1/cases/{case['id']}/events", "/v1/events"):
                assert "noted" not in who.get(path).text

    def test_own_names_are_for_their_partner_and_auditors(self, light: Service) -> None:
        author, other = light.partner(*AUTHOR), light.partner("restricted:read")
        auditor = light.partner("audit:read")
        case = author.open(external_id="own-name")
        event = author.tell(case, "wanted.removed", external_id="own-name/1")
        for who, sees in ((author, True), (auditor, True), (other, False)):
            for path in (
                f"/v1/cases/{case['id']}", "/v1/cases", f"/v1/cases/{case['id']}/events",
                f"/v1/events/{event['id']}", "/v1/events",
            ):  # fmt: skip
                assert ("own-name" in who.get(path).text) == sees, path

    @pytest.mark.parametrize(
        ("publish", "share", "sees"),
        [
            ("none", False, False), ("count", False, False), ("anonymous", False, False),
            ("anonymous", True, True), ("pseudonym", False, False), ("initials", False, False),
            ("none", True, True), ("name", False, True),
        ],
    )  # fmt: skip
    def test_the_subject_is_for_its_author_and_by_consent(
        self, light: Service, publish: str, share: bool, sees: bool
    ) -> None:
        author, other = light.partner(*AUTHOR), light.partner("audit:read")
        reader, colleague = light.partner("restricted:read"), light.partner(of=author)
        consent = {"publish": publish, "basis": "own", "share": share, "pseudonym": "Сокол"}
        case = author.open(consent=consent, subject={"names": [NAME], "birth_year": 1991})
        for who, may in ((author, True), (colleague, True), (reader, True), (other, sees)):
            for found in (
                who.get(f"/v1/cases/{case['id']}").json(),
                items(who.get("/v1/cases"))[0],
            ):
                assert ("subject" in found) == may
                assert (found["label"] == NAME["text"]) == may
                assert ("pseudonym" in found["consent"]) == may
            assert len(items(who.get("/v1/cases", q="Kanareykin"))) == may
            assert ("1991" in who.get("/v1/cases").text) == may

    @pytest.mark.parametrize(
        ("publish", "label"),
        [
            ("anonymous", None), ("pseudonym", "Сокол"), ("initials", "А. К."),
            ("name", "Аскар Канарейкин"),
        ],
    )  # fmt: skip
    def test_the_public_label_is_what_the_person_agreed_to(
        self, light: Service, publish: str, label: str | None
    ) -> None:
        author = light.partner(*AUTHOR)
        consent = {"publish": publish, "basis": "own", "pseudonym": "Сокол"}
        names = [NAME, {"text": "Тайный Псевдоним", "language": "ru", "kind": "passport"}]
        case = author.open(consent=consent, subject={"names": names, "birth_year": 1991})
        event = author.tell(case, "wanted.removed", summary={"ru": "снят"})
        wanted = label or case["code"]
        shown = light.get(f"/v1/cases/{case['id']}", lang="ru").json()
        assert shown["label"] == wanted
        everything = "".join(
            light.get(path).text
            for path in (
                f"/v1/cases/{case['id']}", f"/v1/cases/{case['id']}/events", "/v1/cases",
                f"/v1/events/{event['id']}", "/v1/events", "/feeds/all.atom?lang=ru",
                f"/feeds/cases/{case['code']}.atom?lang=ru", "/v1/statistics",
            )
        )  # fmt: skip
        assert wanted in everything
        assert ("Канарейкин" in everything) == (publish == "name")
        assert ("Сокол" in everything) == (publish == "pseudonym")
        assert "Тайный" not in everything
        assert "1991" not in everything
        assert len(items(light.get("/v1/cases", q="Канарейкин"))) == (publish == "name")

    @pytest.mark.parametrize("publish", ["anonymous", "pseudonym", "initials"])
    @pytest.mark.parametrize(
        ("fields", "where"),
        [
            ({"summary": {"ru": "Канарейкина задержали"}}, "/summary/ru"),
            ({"summary": {"en": "Mr Kanareikin was held"}}, "/summary/en"),
            ({"place": "дом Канарейкиных"}, "/place"),
            ({"authority": "KANAREYKIN"}, "/authority"),
        ],
    )
    def test_a_public_text_that_names_the_person_is_refused(
        self, light: Service, publish: str, fields: Json, where: str
    ) -> None:
        author = light.partner(*AUTHOR)
        consent = {"publish": publish, "basis": "own", "pseudonym": "Сокол"}
        case = author.open(consent=consent, subject={"names": [NAME]})
        body = {"type": "wanted.removed", "occurred": "2025", "visibility": "public", **fields}
        answer = author.post(f"/v1/cases/{case['id']}/events", body)
        problem(answer, 422, "text-names-person")
        assert pointers(answer) == [where]
        assert "анаре" not in answer.text
        for visibility in ("partners", "restricted"):
            told = author.post(f"/v1/cases/{case['id']}/events", {**body, "visibility": visibility})
            assert told.status_code == 201

    def test_with_consent_to_the_name_a_text_may_name_the_person(self, light: Service) -> None:
        author = light.partner(*AUTHOR)
        case = author.open("name", subject={"names": [NAME]})
        told = author.tell(case, "wanted.removed", summary={"ru": "Канарейкин снят"})
        assert "Канарейкин снят" in light.get(f"/v1/events/{told['id']}").text

    @pytest.mark.parametrize(
        ("publish", "basis", "shown"),
        [
            ("anonymous", "own", False), ("initials", "representative", False),
            ("name", "own", True), ("anonymous", "already_public", True),
        ],
    )  # fmt: skip
    def test_sources_are_shown_by_consent(
        self, light: Service, publish: str, basis: str, shown: bool
    ) -> None:
        author = light.partner(*AUTHOR)
        case = author.open(consent={"publish": publish, "basis": basis}, subject={"names": [NAME]})
        told = author.tell(
            case, "wanted.removed", sources=[{"title": "The source", "url": "https://e.org/s"}]
        )
        for path in (f"/v1/events/{told['id']}", "/feeds/all.atom", "/v1/events"):
            assert ("https://e.org/s" in light.get(path).text) == shown

    def test_where_somebody_found_refuge_is_never_public(self, light: Service) -> None:
        author = light.partner(*AUTHOR)
        fields = {
            "destination": "DE",
            "place": "Tegel",
            "authority": "BAMF-DE",
            "jurisdiction": "DE",
        }
        for type in ("departure.left", "departure.protected"):
            case = author.open("name", subject={"names": [NAME]})
            event = author.tell(case, type, "2025-07", form="asylum", **fields)
            author.tell(case, "asylum.recognised", "2025-08", jurisdiction="DE", place="Tegel")
            assert event["destination"] == "DE"
            for path in (
                f"/v1/events/{event['id']}", "/v1/events", f"/v1/cases/{case['id']}", "/v1/cases",
                f"/v1/cases/{case['id']}/events", "/feeds/all.atom?lang=en",
                f"/feeds/cases/{case['code']}.atom?lang=en",
            ):  # fmt: skip
                said = light.get(path).text
                for word in ('"DE"', "Tegel", "BAMF", "German", "destination"):
                    assert word not in said, (path, word)
            shown = light.get(f"/v1/events/{event['id']}").json()
            assert shown["jurisdiction"] is None
            status = light.get(f"/v1/cases/{case['id']}").json()["status"]
            assert status["tracks"]["movement"]["state"] in (
                "left_for_third_country", "protected_abroad",
            )  # fmt: skip


# -- what waits -----------------------------------------------------------------------------------


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


class TestPublication:
    @pytest.mark.parametrize(
        ("fields", "state", "reason"),
        [
            ({}, "published", None),
            ({"visibility": "partners"}, "withheld", "visibility"),
            ({"visibility": "restricted"}, "withheld", "visibility"),
            ({"publish_after": SOON}, "embargoed", "embargo"),
            ({"publish_after": "2020-01-01T00:00:00Z"}, "published", None),
            ({"type": "interim.requested"}, "withheld", "type_ceiling"),
        ],
    )
    def test_the_author_is_told_what_becomes_of_a_claim(
        self, light: Service, fields: Json, state: str, reason: str | None
    ) -> None:
        author = light.partner(*AUTHOR)
        told = author.tell(author.open(), **{"type": "wanted.removed", **fields})
        assert (told["publication"], told["publication_reason"]) == (state, reason)
        public = light.get(f"/v1/events/{told['id']}")
        assert public.status_code == (200 if state == "published" else 404)

    def test_a_key_that_may_not_publish_is_held_for_a_review(self, light: Service) -> None:
        author = light.partner(*AUTHOR)
        plain = light.partner("events:write", of=author)
        told = plain.tell(author.open(), "wanted.removed")
        assert (told["publication"], told["publication_reason"]) == ("awaiting_review", "review")
        problem(light.get(f"/v1/events/{told['id']}"), 404, "not-found")
        assert light.get("/v1/statistics").json()["cases"] == 0

    def test_the_default_visibility_is_that_of_partners(self, light: Service) -> None:
        author = light.partner(*AUTHOR)
        case = author.open()
        told = author.post(
            f"/v1/cases/{case['id']}/events", {"type": "wanted.removed", "occurred": "2025"}
        ).json()
        assert (told["visibility"], told["verification"]) == ("partners", "likely")
        assert told["jurisdiction"] == "KZ"
        problem(light.get(f"/v1/cases/{case['id']}"), 404, "not-found")

    def test_a_case_is_public_from_its_first_public_claim(self, service: Service) -> None:
        author = service.partner(*AUTHOR)
        case = author.open()
        author.tell(case, "detention.whereabouts_unknown", visibility="partners")
        problem(service.get(f"/v1/cases/{case['id']}"), 404, "not-found")
        author.tell(case, "wanted.removed")
        shown = service.get(f"/v1/cases/{case['id']}").json()
        assert (shown["version"], shown["status"]["at_risk"]) == (1, False)
        known = author.get(f"/v1/cases/{case['id']}").json()
        assert (known["version"], known["status"]["at_risk"]) == (3, True)

    def test_a_case_that_may_be_counted_is_counted_and_never_shown(self, service: Service) -> None:
        author = service.partner(*AUTHOR)
        case = author.open("count", persons=7)
        told = author.tell(case, "expulsion.executed", destination="RU")
        assert (told["publication"], told["publication_reason"]) == ("withheld", "consent_count")
        for view in (service, author):
            found = view.get("/v1/statistics").json()
            assert (found["cases"], found["persons"], found["headline"]["deported"]) == (1, 7, 7)
        assert service.get("/v1/statistics").json()["position"] == 0
        assert items(service.get("/v1/cases")) == items(service.get("/v1/events")) == []
        problem(service.get(f"/v1/cases/{case['id']}"), 404, "not-found")
        problem(service.get(f"/v1/events/{told['id']}"), 404, "not-found")
        problem(service.get(f"/feeds/cases/{case['code']}.atom"), 404, "not-found")
        assert case["code"] not in service.get("/feeds/all.atom").text

    def test_who_agreed_to_nothing_is_not_even_counted(self, light: Service) -> None:
        author = light.partner(*AUTHOR)
        author.tell(author.open("none"), "expulsion.executed")
        for view in (light, author, light.partner("restricted:read")):
            assert view.get("/v1/statistics").json()["cases"] == 0

    def test_an_embargo_ends_by_an_event_of_its_own(self, service: Service) -> None:
        author = service.partner(*AUTHOR)
        case = author.open()
        told = author.tell(case, "wanted.removed", publish_after=in_seconds(1.5))
        assert told["publication"] == "embargoed"
        problem(service.get(f"/v1/events/{told['id']}"), 404, "not-found")
        (shown,) = items(service.get("/v1/events?after=0&wait=30"))
        released = items(author.get("/v1/events", after=told["position"]))[0]
        assert (shown["id"], shown["position"], shown["version"]) == (told["id"], 1, 1)
        assert released["type"] == "publication.released"
        # To the public it was recorded when it was published.
        assert shown["recorded_at"] == released["recorded_at"] > told["recorded_at"]
        before = service.get(f"/v1/cases/{case['id']}", known_at=told["recorded_at"])
        problem(before, 404, "not-found")
        assert author.get(f"/v1/events/{told['id']}").json()["publication"] == "published"
        # The first entry about a claim has its id, whatever made it public.
        assert f"urn:uuid:{told['id']}" in service.get("/feeds/all.atom").text

    def test_what_names_something_hidden_never_shows_it_and_moves_once_it_is_public(
        self, service: Service
    ) -> None:
        author = service.partner(*AUTHOR)
        case = author.open()
        granted = author.tell(case, "extradition.granted", publish_after=in_seconds(1.5))
        filed = author.tell(case, "appeal.filed", "2025-05-02", against=granted["id"])
        shown = service.get(f"/v1/events/{filed['id']}").json()
        assert "against" not in shown
        assert granted["id"] not in service.get(f"/v1/cases/{case['id']}").text
        status = service.get(f"/v1/cases/{case['id']}").json()["status"]
        assert "extradition" not in status["tracks"]
        entry = feed_entry(service.get("/feeds/all.atom"), filed["id"])
        assert len(items(service.get("/v1/events?after=1&wait=30"))) == 1
        # A public event is never edited: what was said of it stays as it was said.
        assert service.get(f"/v1/events/{filed['id']}").json() == shown
        status = service.get(f"/v1/cases/{case['id']}").json()["status"]
        assert status["headline"] == "extradition_appealed"
        # What was said in the feed stays as it was said, also where it is rendered anew.
        assert feed_entry(service.get("/feeds/all.atom"), filed["id"]) == entry
        with serve(service.settings) as elsewhere:
            assert feed_entry(elsewhere.get("/feeds/all.atom"), filed["id"]) == entry
            assert elsewhere.get("/feeds/all.atom").text == service.get("/feeds/all.atom").text


def test_a_restricted_claim_does_not_move_what_other_partners_see_of_time(
    service: Service,
) -> None:
    author, other = service.partner(*AUTHOR), service.partner()
    case = author.open()
    before = other.get(f"/v1/cases/{case['id']}").json()
    told = author.tell(case, "detention.contact_denied", visibility="restricted")
    after = other.get(f"/v1/cases/{case['id']}").json()
    assert after["updated_at"] == before["updated_at"] < told["recorded_at"]
    since = {"updated_since": told["recorded_at"]}
    assert items(other.get("/v1/cases", **since)) == []
    assert len(items(author.get("/v1/cases", **since))) == 1


def feed_entry(document: httpx.Response, event_id: str) -> str:
    """Return the text of one entry."""
    (entry,) = (e for e in document.text.split("<entry") if f"urn:uuid:{event_id}" in e)
    return entry.partition("</entry>")[0]


@pytest.fixture
def two_person(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    """A service where nobody publishes alone."""
    with ExitStack() as stack:
        settings = copy_settings(request, "sqlite", tmp_path, stack, CASEFLOW_REVIEW="two_person")
        yield stack.enter_context(serve(settings))


def test_where_two_must_agree_the_first_publication_waits(two_person: Service) -> None:
    author = two_person.partner(*AUTHOR)
    for publish in ("anonymous", "count", "name"):
        case = author.open(publish, subject={"names": [NAME]})
        for _ in range(2):
            told = author.tell(case, "expulsion.executed")
            assert told["publication"] == "awaiting_review"
            problem(two_person.get(f"/v1/events/{told['id']}"), 404, "not-found")
    assert two_person.get("/v1/statistics").json()["cases"] == 0
    assert items(two_person.get("/v1/cases")) == []
