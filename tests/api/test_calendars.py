"""Calendars of legal clocks: at a secret address, with the rights of a key, and without a name."""

from datetime import date, timedelta
from typing import Any, Final

import httpx
import pytest
from icalendar import Calendar
from sqlalchemy import update

from caseflow.database import begin_read, begin_write
from caseflow.eventstore.partners import api_keys
from tests.canaries import PROFILE, Canaries
from tests.checks import check_absent, dump_tables

from .conftest import AUTHOR, Json, Partner, Service, items, pointers, problem
from .scenes import act, change, claim
from .test_erasure import erase

CALENDARS: Final = "/v1/calendars"
LANGUAGES: Final = ("ru", "kk", "en")


class Scene:
    """A partner that may read what is restricted, and its calendar."""

    def __init__(self, service: Service, **wanted: str) -> None:
        self.service = service
        self.author = service.partner(*AUTHOR)
        self.lawyer = service.partner("restricted:read")
        answer = self.lawyer.post(CALENDARS, wanted)
        assert answer.status_code == 201, answer.text
        self.made = answer.json()
        self.path = self.made["address"].removeprefix("https://cases.example")

    def fetch(self, headers: Json | None = None, **query: Any) -> httpx.Response:
        """Ask as a calendar program does: without a key."""
        return self.service.get(self.path, headers, **query)

    def entries(self, **query: Any) -> dict[str, tuple[date, date]]:
        """The title of each event without the code, its first day and its last."""
        return {
            str(event["summary"]).partition(": ")[2]: (
                event.decoded("dtstart"), event.decoded("dtend") - timedelta(days=1)
            )
            for event in read(self.fetch(**query)).walk("VEVENT")
        }  # fmt: skip


def read(answer: httpx.Response) -> Any:
    """Return a calendar, which has to be one (RFC 5545)."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    lines = answer.content.split(b"\r\n")
    assert lines[-1] == b""
    assert all(len(line) <= 75 and b"\n" not in line for line in lines)
    found = Calendar.from_ical(answer.content)
    assert found.errors == []
    uids = [str(event["uid"]) for event in found.walk("VEVENT")]
    assert len(uids) == len(set(uids))
    for event in found.walk("VEVENT"):
        assert {"DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "SEQUENCE"} <= event.keys()
        assert event.decoded("dtend") > event.decoded("dtstart")
    return found


@pytest.fixture
def scene(service: Service) -> Scene:
    return Scene(service)


def test_the_terms_that_run_are_in_it(scene: Scene) -> None:
    author, case = scene.author, scene.author.open()
    author.tell(case, "detention.custody_ordered", "2025-05-01", basis="extradition", term_days=30)
    granted = author.tell(
        case, "extradition.granted", "2025-06-10", notified="2025-06", visibility="restricted"
    )
    expulsion = author.tell(case, "expulsion.ordered", "2025-06-10")
    author.tell(case, "appeal.hearing_set", "2025-06-15", against=expulsion["id"], on="2025-07-01")
    assert scene.entries(lang="en") == {
        "the longest term of extradition arrest ends": (date(2026, 5, 1), date(2026, 5, 1)),
        "the term of arrest before a request for extradition ends": (
            date(2025, 6, 10), date(2025, 6, 10),
        ),
        "the term of custody that was set ends": (date(2025, 5, 31), date(2025, 5, 31)),
        "hearing of an appeal": (date(2025, 7, 1), date(2025, 7, 1)),
        "the term to appeal against the extradition ends": (date(2025, 6, 11), date(2025, 7, 10)),
    }  # fmt: skip
    text = scene.fetch(lang="en").text.replace("\r\n ", "")
    assert "Criminal Procedure Code of 2014" in text
    assert "Not reviewed by a lawyer." in text
    assert "2025-06-11 at the earliest" in text
    author.tell(case, "detention.released", "2025-06-20", condition="bail")
    assert set(scene.entries(lang="en")) == {
        "the term to appeal against the extradition ends", "hearing of an appeal",
    }  # fmt: skip
    # Whoever is heard has appealed.
    author.tell(case, "appeal.hearing_set", "2025-06-21", against=granted["id"], on="2025-07-02")
    assert set(scene.entries(lang="en")) == {"hearing of an appeal"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_valid_in_every_language(scene: Scene, language: str) -> None:
    author, case = scene.author, scene.author.open()
    author.tell(case, "detention.apprehended", "2025-05", basis="wanted")
    author.tell(case, "detention.custody_ordered", "../2025-06", basis="extradition")
    author.tell(case, "extradition.granted", "2025-06-10")
    found = read(scene.fetch(lang=language))
    titles = [str(event["summary"]) for event in found.walk("VEVENT")]
    assert len(set(titles)) == len(titles) == 3
    assert all(title.startswith(f"{case['code']}: ") for title in titles)
    assert all(event["summary"].params["LANGUAGE"] == language for event in found.walk("VEVENT"))
    assert all(len(event.walk("VALARM")) == 1 for event in found.walk("VEVENT"))


def test_the_same_log_is_the_same_bytes(scene: Scene) -> None:
    author, case = scene.author, scene.author.open()
    told = author.tell(case, "detention.apprehended", "2025-05-01", basis="wanted")
    first, again = scene.fetch(), scene.fetch()
    assert first.content == again.content
    assert first.headers["cache-control"] == "private, no-cache"
    assert first.headers["referrer-policy"] == "no-referrer"
    known = {"If-None-Match": first.headers["etag"]}
    assert scene.fetch(known).status_code == 304
    head = scene.service.client.head(scene.path)
    assert (head.status_code, head.content) == (200, b"")
    uid = [str(event["uid"]) for event in read(first).walk("VEVENT")]
    before = read(first).walk("VEVENT")[0]["sequence"]
    more = {"reason": "typo", **claim("detention.apprehended", "2025-05-02", basis="wanted")}
    act(author, told, "corrections", more)
    assert scene.fetch(known).status_code == 200
    (event,) = read(scene.fetch()).walk("VEVENT")
    assert event.decoded("dtstart") == date(2025, 5, 5)
    assert event["sequence"] > before
    assert [str(event["uid"])] != uid


def test_a_state_of_ones_own(service: Service) -> None:
    scene = Scene(service, host_state="KG")
    for state in ("KZ", "KG"):
        case = scene.author.open(host_state=state)
        told = scene.author.tell(case, "extradition.granted", "2025-06-10")
        scene.author.tell(
            case, "appeal.hearing_set", "2025-06-15", against=told["id"], on="2025-07-01"
        )
    (event,) = read(scene.fetch()).walk("VEVENT")
    assert str(event["summary"]).startswith("KG-")
    assert pointers(scene.lawyer.post(CALENDARS, {"host_state": "kz"})) == ["/host_state"]
    assert pointers(scene.lawyer.post(CALENDARS, {"name": "x"})) == ["/name"]


# -- whose it is ----------------------------------------------------------------------------------


def test_it_ends_when_it_is_revoked(scene: Scene) -> None:
    shown = {name: value for name, value in scene.made.items() if name != "address"}
    assert items(scene.lawyer.get(CALENDARS)) == [shown]
    assert scene.fetch().status_code == 200
    (listed,) = items(scene.lawyer.get(CALENDARS))
    assert listed["last_read_at"] is not None
    other = scene.service.partner("restricted:read")
    assert items(other.get(CALENDARS)) == []
    path = f"{CALENDARS}/{shown['id']}"
    for by in (other, scene.lawyer):
        answer = scene.service.client.request("DELETE", path, headers=by.headers)
        if by is other:
            problem(answer, 404, "not-found")
            assert scene.fetch().status_code == 200
    assert answer.status_code == 204
    problem(scene.fetch(), 404, "not-found")


def test_it_ends_with_its_key(scene: Scene) -> None:
    assert scene.fetch().status_code == 200
    with begin_write(scene.service.engine) as connection:
        this = api_keys.c.id == scene.lawyer.key_id
        connection.execute(update(api_keys).where(this).values(expires_at=1))
    problem(scene.fetch(), 404, "not-found")
    with begin_write(scene.service.engine) as connection:
        connection.execute(update(api_keys).where(this).values(expires_at=None))
    assert scene.fetch().status_code == 200
    scene.service.revoke(scene.lawyer)
    problem(scene.fetch(), 404, "not-found")


def test_a_key_that_reads_nothing_restricted_makes_none(light: Service) -> None:
    author = light.partner(*AUTHOR)
    problem(author.post(CALENDARS, {}), 403, "forbidden")
    problem(light.client.post(CALENDARS, json={}), 401, "unauthenticated")


@pytest.mark.parametrize("name", ["x", "x.ics", ".ics", "%2e%2e.ics", f"{'A' * 43}.ics"])
def test_a_guess_finds_nothing(light: Service, name: str) -> None:
    answer = light.get(f"{CALENDARS}/{name}")
    problem(answer, 404, "not-found")
    assert "A" * 43 not in answer.text


def test_the_secret_is_nowhere(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    assert scene.fetch().status_code == 200
    secret = scene.path.rpartition("/")[2].removesuffix(".ics")
    assert len(secret) >= 43
    with begin_read(scene.service.engine) as connection:
        tables = dump_tables(connection)
    assert secret.encode() not in tables
    ours = [one.getMessage() for one in caplog.records if not one.name.startswith("http")]
    assert secret not in "".join(ours)
    wrong = scene.service.get(f"{scene.path}x")
    assert secret not in problem(wrong, 404, "not-found").get("instance", "")


def test_a_request_that_comes_again_makes_one(light: Service) -> None:
    lawyer = light.partner("restricted:read")
    one, again = (lawyer.post(CALENDARS, {}, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert one.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert len(items(lawyer.get(CALENDARS))) == 1


# -- what it tells --------------------------------------------------------------------------------


def fill(scene: Scene, canaries: Canaries) -> Json:
    case = scene.author.open(**canaries.case("name"))
    fields = {name: v for name, v in canaries.claim().items() if name != "external_id"}
    scene.author.tell(case, "extradition.granted", "2025-06-10", visibility="restricted", **fields)
    told = scene.author.tell(case, "expulsion.ordered", "2025-06-10")
    scene.author.tell(
        case,
        "appeal.hearing_set",
        "2025-06-15",
        against=told["id"],
        on="2025-07-01",
        place=canaries("court"),
    )
    return case


def test_no_word_of_a_person_is_in_it(scene: Scene) -> None:
    canaries = Canaries()
    fill(scene, canaries)
    for language in LANGUAGES:
        answer = scene.fetch(lang=language)
        assert len(read(answer).walk("VEVENT")) == 2
        text = answer.text.replace("\r\n ", "").encode()
        check_absent(text, [*canaries.words, PROFILE], "the calendar")


def test_what_is_read_of_restricted_claims_is_logged(scene: Scene) -> None:
    fill(scene, Canaries())
    overseer: Partner = scene.service.partner("audit:read")
    before = len(items(overseer.get("/v1/audit/reads", limit=500)))
    scene.fetch()
    reads = items(overseer.get("/v1/audit/reads", limit=500))[before:]
    assert [one["kind"] for one in reads] == ["restricted"]
    assert reads[0]["partner"] == str(scene.lawyer.id)


def test_what_a_partner_may_not_read_starts_no_clock(scene: Scene) -> None:
    """Held back for a review: its author alone reads it."""
    case = scene.author.open()
    scene.author.tell(case, "extradition.granted", "2025-06-10")
    assert len(scene.entries()) == 1
    told = items(scene.author.get(f"/v1/cases/{case['id']}/events"))[-1]
    act(scene.author, told, "retractions", {"reason": "false"})
    assert scene.entries() == {}


def test_an_erased_case_is_gone_from_it(scene: Scene) -> None:
    canaries = Canaries()
    case = fill(scene, canaries)
    kept = scene.author.open()
    scene.author.tell(kept, "detention.apprehended", "2025-05-01", basis="wanted")
    assert len(scene.entries()) == 3
    erase(scene.service, case)
    answer = scene.fetch()
    assert [str(e["summary"])[:12] for e in read(answer).walk("VEVENT")] == [kept["code"]]
    assert case["code"] not in answer.text


def test_cases_of_one_person_are_one(scene: Scene) -> None:
    first, second = scene.author.open(), scene.author.open()
    for case in (first, second):
        scene.author.tell(
            case, "detention.custody_ordered", "2025-05-01", basis="extradition", term_days=30
        )
    assert len(read(scene.fetch()).walk("VEVENT")) == 6
    change(scene.author, second, "merges", {"into": first["id"]})
    events = read(scene.fetch()).walk("VEVENT")
    assert {str(event["summary"])[:12] for event in events} == {first["code"]}
    assert len(events) == 3
