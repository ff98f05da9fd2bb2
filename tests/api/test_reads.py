"""Restricted reads: each is logged before its answer leaves, and the log is for those who watch."""

import json
from collections import defaultdict
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from caseflow.api.openapi_operations import OPERATIONS
from caseflow.api.restricted import find_reads
from caseflow.database import begin_write
from caseflow.eventstore.partners import SCOPES
from caseflow.eventstore.read_log import Read

from .conftest import AUTHOR, Service, items, problem

Json = dict[str, Any]

CANARY: Final = "Kanareykin"
NAMES: Final = [{"text": CANARY, "language": "en", "kind": "primary"}]
NOTE: Final = f"a note on {CANARY}"


class Watched:
    """A case with everything that is restricted, and somebody who watches the log of reads."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.watcher = service.partner("audit:read")
        self.author = service.partner(*AUTHOR)
        self.case = self.author.open(subject={"names": NAMES}, external_id="own-name")
        tell = self.author.tell
        self.open_event = tell(self.case, "asylum.claim_made", external_id="own-event")
        self.noted = tell(self.case, "person.entered", visibility="partners", private_note=NOTE)
        self.hidden = tell(self.case, "expulsion.ordered", visibility="restricted")
        self.seen = self.entries()[-1]["position"]

    def entries(self, **query: Any) -> list[Json]:
        """Return all entries, or those of a query."""
        return items(self.watcher.get("/v1/audit/reads", limit=500, **query))

    def since(self) -> list[tuple[str, str, str | None]]:
        """Return kind, case and event of what was logged since this was asked."""
        found = self.entries(after=self.seen)
        self.seen = found[-1]["position"] if found else self.seen
        return [(entry["kind"], entry["case"], entry["event"]) for entry in found]

    def of(self, kind: str, event: Json | None = None) -> tuple[str, str, str | None]:
        """Return what an entry about the case, or an event of it, must say."""
        return kind, self.case["id"], event["id"] if event else None


@pytest.fixture
def watched(service: Service) -> Watched:
    """The case, on either database."""
    return Watched(service)


@pytest.fixture
def light_watched(light: Service) -> Watched:
    """The case, on SQLite: for what no database can change."""
    return Watched(light)


# -- what is logged -------------------------------------------------------------------------------


def test_an_entry_says_who_read_what_with_which_key_and_when(watched: Watched) -> None:
    first = watched.service.partner("restricted:read")
    second = watched.service.partner("restricted:read", of=first)
    for reader in (first, second):
        before = watched.author.get("/v1/cases", limit=1)
        assert before.status_code == 200
        reader.get(f"/v1/cases/{watched.case['id']}")
    found = watched.entries(partner=str(first.id))
    assert [entry.pop("key") for entry in found] == [str(first.key_id), str(second.key_id)]
    for entry in found:
        assert entry.pop("read_at").startswith("20")
        assert entry.pop("position") > 0
        assert entry == {
            "partner": str(first.id), "case": watched.case["id"], "event": None, "kind": "subject",
        }  # fmt: skip


def test_every_read_of_what_is_restricted_is_logged(watched: Watched) -> None:
    reader, auditor = watched.service.partner("restricted:read"), watched.watcher
    case, event = f"/v1/cases/{watched.case['id']}", "/v1/events"
    subject = watched.of("subject")
    note, hidden = (
        watched.of("private_note", watched.noted),
        watched.of("restricted", watched.hidden),
    )
    for who, path, logged in (
        (reader, "/v1/cases", [subject]),
        (reader, case, [subject]),
        (reader, f"{case}?as_of=2026-01-01&known_at=2099-01-01T00:00:00Z", [subject]),
        (reader, f"{case}/events", [note, hidden]),
        (reader, f"{event}/{watched.noted['id']}", [note]),
        (reader, f"{event}/{watched.hidden['id']}", [hidden]),
        (reader, event, [note, hidden]),
        # Who reads matters inside an organisation too.
        (watched.author, case, [subject]),
        (watched.author, f"{case}/events", [note, hidden]),
        # Own names are for their partner; others who see them are logged.
        (auditor, case, [watched.of("external_id")]),
        (auditor, f"{event}/{watched.open_event['id']}",
         [watched.of("external_id", watched.open_event)]),
    ):  # fmt: skip
        watched.since()
        assert who.get(path).status_code == 200
        assert sorted(watched.since()) == sorted(logged), path


def test_what_is_written_and_comes_back_is_logged(watched: Watched) -> None:
    watched.since()
    told = {"names": [{**NAMES[0], "text": "Zhuravlev"}]}
    case = watched.author.open(subject=told, external_id="another")
    assert watched.since() == [("subject", case["id"], None)]
    consent = {"publish": "anonymous", "basis": "own"}
    again = {"host_state": "KZ", "origin_state": "RU", "consent": consent, "subject": told}
    answer = watched.author.post("/v1/cases", {**again, "external_id": "another"})
    assert answer.status_code == 200
    assert watched.since() == [("subject", case["id"], None)]
    event = watched.author.tell(
        case, "expulsion.ordered", visibility="restricted", private_note=NOTE
    )
    assert sorted(watched.since()) == [
        ("private_note", case["id"], event["id"]),
        ("restricted", case["id"], event["id"]),
    ]


def test_whoever_opens_a_case_and_learns_of_one_like_it_is_logged(watched: Watched) -> None:
    watched.since()
    case = watched.author.open(subject={"names": NAMES})
    assert [found["id"] for found in case["possible_duplicates"]] == [watched.case["id"]]
    assert sorted(watched.since()) == sorted(
        [("subject", case["id"], None), watched.of("possible_duplicates")]
    )


def test_a_page_is_logged_and_what_stands_on_others_is_not(watched: Watched) -> None:
    cases = [watched.author.open(subject={"names": NAMES}) for _ in range(3)]
    watched.since()
    page = watched.author.get("/v1/cases", limit=2)
    assert len(items(page)) == 2
    assert watched.since() == [watched.of("subject"), ("subject", cases[0]["id"], None)]


def test_what_is_not_restricted_is_not_logged(watched: Watched) -> None:
    other, reader = watched.service.partner(), watched.service.partner("restricted:read")
    case, event = watched.case["id"], watched.open_event["id"]
    for path in ("/v1/cases", f"/v1/cases/{case}", f"/v1/cases/{case}/events", "/v1/events",
                 f"/v1/events/{event}", "/v1/statistics"):  # fmt: skip
        assert watched.service.get(path).status_code == 200
        assert other.get(path).status_code == 200
    assert reader.get("/v1/statistics").status_code == 200
    assert reader.get(f"/v1/cases/{uuid4()}").status_code == 404
    assert other.get(f"/v1/events/{watched.hidden['id']}").status_code == 404
    assert watched.since() == []


def test_no_address_tells_what_is_restricted_without_logging_it(light_watched: Watched) -> None:
    """Every read there is, found in the table of operations, for a key that may do everything."""
    watched = light_watched
    reader = watched.service.partner(*SCOPES)
    values = defaultdict(lambda: "other", case=watched.case["id"], event=watched.noted["id"])
    told = 0
    for operation in OPERATIONS:
        if "GET" not in operation.handler.http_methods or not (operation.keyed or operation.scope):
            continue
        for path in operation.handler.paths:
            address = path.replace(":str}", "}").replace(":path}", "}")
            answer = reader.get(address.format_map(values))
            if CANARY in answer.text:
                told += 1
                assert watched.since() != [], path
    assert told >= 5


# -- without the log, nothing ---------------------------------------------------------------------


def test_what_cannot_be_logged_is_not_told(watched: Watched) -> None:
    with begin_write(watched.service.engine) as connection:
        connection.execute(text("ALTER TABLE restricted_reads RENAME TO away"))
    reader, case = watched.service.partner("restricted:read"), watched.case["id"]
    event = watched.noted["id"]
    for who in (reader, watched.author):
        for path in ("/v1/cases", f"/v1/cases/{case}", f"/v1/cases/{case}/events", "/v1/events",
                     f"/v1/events/{event}"):  # fmt: skip
            answer = who.get(path)
            assert problem(answer, 503, "unavailable")
            assert answer.headers["retry-after"]
            assert CANARY not in answer.text
    # What is not restricted is told as ever.
    assert watched.service.partner().get(f"/v1/cases/{case}").status_code == 200


def test_a_write_that_cannot_be_logged_is_found_done_when_it_comes_again(watched: Watched) -> None:
    claim = {
        "type": "expulsion.ordered", "occurred": "2025", "private_note": NOTE, "external_id": "n",
    }  # fmt: skip
    address = f"/v1/cases/{watched.case['id']}/events"
    for old, new in (("restricted_reads", "away"), ("away", "restricted_reads")):
        with begin_write(watched.service.engine) as connection:
            connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
        answer = watched.author.post(address, claim)
        if new == "away":
            problem(answer, 503, "unavailable")
    assert answer.status_code == 200
    assert answer.json()["private_note"] == NOTE


# -- reading the log ------------------------------------------------------------------------------


def test_the_log_is_for_audit_read_alone(watched: Watched) -> None:
    path = "/v1/audit/reads"
    problem(watched.service.get(path), 401, "unauthenticated")
    problem(watched.service.get(path, {"Authorization": "Bearer unknown"}), 401, "unauthenticated")
    poor = watched.service.partner(*(scope for scope in SCOPES if scope != "audit:read"))
    for query in ({}, {"case": watched.case["id"]}, {"no_such": "1"}, {"cursor": "!"}):
        problem(poor.get(path, **query), 403, "forbidden")
    answer = watched.watcher.get(path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"


def test_reading_the_log_is_not_logged(watched: Watched) -> None:
    before = watched.entries()
    assert before
    assert watched.entries() == before


def test_the_log_comes_in_pages_oldest_first(watched: Watched) -> None:
    for _ in range(3):
        watched.author.get("/v1/events")
    whole = watched.entries()
    assert [entry["position"] for entry in whole] == list(range(1, len(whole) + 1))
    seen: list[Json] = []
    query: dict[str, Any] = {"limit": "2"}
    while query and len(seen) <= len(whole):
        page = watched.watcher.get("/v1/audit/reads", **query)
        seen += items(page)
        # What comes in between is at the end, and shifts nothing.
        following = page.links.get("next", {}).get("url", "")
        assert bool(following) == (page.json()["next_cursor"] is not None)
        query = dict(parse_qsl(urlsplit(following).query))
    assert seen == whole
    assert watched.entries(after=whole[-2]["position"]) == whole[-1:]
    assert watched.entries(after=whole[-1]["position"]) == []


def test_the_log_is_filtered_by_case_partner_and_time(watched: Watched) -> None:
    other = watched.author.open(subject={"names": NAMES})
    reader = watched.service.partner("restricted:read")
    reader.get("/v1/cases")
    whole = watched.entries()
    for query, matches in (
        ({"case": other["id"]}, lambda entry: entry["case"] == other["id"]),
        ({"partner": str(reader.id)}, lambda entry: entry["partner"] == str(reader.id)),
        ({"since": whole[-2]["read_at"]}, lambda entry: entry["read_at"] >= whole[-2]["read_at"]),
        (
            {"case": other["id"], "partner": str(reader.id)},
            lambda entry: (entry["case"], entry["partner"]) == (other["id"], str(reader.id)),
        ),
    ):
        expected = [entry for entry in whole if matches(entry)]
        assert expected
        assert expected != whole
        assert watched.entries(**query) == expected
    assert watched.entries(case=str(uuid4())) == []


@pytest.mark.parametrize(
    "query", ["case=KZ-7Q3K-9F2M", "partner=1", "since=yesterday", "after=-1", "kind=subject"]
)
def test_a_filter_that_cannot_be_read_is_refused(light: Service, query: str) -> None:
    problem(light.partner("audit:read").get(f"/v1/audit/reads?{query}"), 422, "invalid-input")


def test_the_log_holds_ids_and_nothing_of_what_was_read(light_watched: Watched) -> None:
    light_watched.author.get("/v1/events")
    light_watched.watcher.get("/v1/cases")
    told = json.dumps(light_watched.entries())
    for secret in (CANARY, "own-name", "own-event", light_watched.case["code"]):
        assert secret not in told


# -- finding what is restricted in any answer -----------------------------------------------------

OWN, FOREIGN = str(UUID(int=1)), str(UUID(int=2))
CASE, EVENT, LIKE = (str(UUID(int=n)) for n in (3, 4, 5))
A_CASE: Final[Json] = {"id": CASE, "code": "KZ-0000-0000", "partner": FOREIGN}
AN_EVENT: Final[Json] = {"id": EVENT, "case": CASE, "partner": FOREIGN}


@pytest.mark.parametrize(
    ("rendered", "expected"),
    [
        ({**A_CASE, "subject": {}}, [("subject", CASE, None)]),
        ([[{**A_CASE, "subject": {"birth_year": 1990}}], None], [("subject", CASE, None)]),
        ({**AN_EVENT, "visibility": "restricted"}, [("restricted", CASE, EVENT)]),
        ({**AN_EVENT, "visibility": "partners", "private_note": None}, []),
        ({**AN_EVENT, "private_note": "n"}, [("private_note", CASE, EVENT)]),
        ({**AN_EVENT, "external_id": "e"}, [("external_id", CASE, EVENT)]),
        ({**AN_EVENT, "external_id": "e", "partner": OWN}, []),
        ({"id": EVENT, "partner": FOREIGN, "external_id": "e"}, [("external_id", None, EVENT)]),
        # What an event was before stands inside it.
        ({**AN_EVENT, "before": [{"private_note": "n", "external_id": "e"}]},
         [("private_note", CASE, EVENT), ("external_id", CASE, EVENT)]),
        ({**AN_EVENT, "partner": OWN, "before": {"external_id": "e"}}, []),
        ({**A_CASE, "events": [{**AN_EVENT, "private_note": "n"}]},
         [("private_note", CASE, EVENT)]),
        ({**A_CASE, "sources": [{"id": "7", "private_note": "n"}]}, [("private_note", CASE, None)]),
        # Twice is once.
        ([{**A_CASE, "subject": {}}, {**A_CASE, "subject": {}}], [("subject", CASE, None)]),
        ({**A_CASE, "possible_duplicates": []}, []),
        ({**A_CASE, "possible_duplicates": [LIKE]}, [("possible_duplicates", LIKE, None)]),
        ({**A_CASE, "possible_duplicates": [{"case": LIKE, "label": "…"}]},
         [("possible_duplicates", LIKE, None)]),
        ({**A_CASE, "possible_duplicates": [{"id": LIKE, "code": "…", "subject": {}}]},
         [("possible_duplicates", LIKE, None), ("subject", LIKE, None)]),
    ],
)  # fmt: skip
def test_what_is_restricted_is_found_wherever_it_stands(
    rendered: Any, expected: list[tuple[Any, str | None, str | None]]
) -> None:
    assert find_reads(rendered, UUID(OWN)) == [
        Read(kind, *(UUID(name) if name else None for name in names)) for kind, *names in expected
    ]


def test_what_belongs_to_nothing_is_not_told_at_all() -> None:
    with pytest.raises(LookupError):
        find_reads({"subject": {}}, UUID(OWN))
