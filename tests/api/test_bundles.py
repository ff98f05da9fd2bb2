"""Bundles over HTTP: what each caller gets of a case, and that both verifiers take it for true."""

import json
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from sqlalchemy import text

from caseflow.database import begin_write
from caseflow.formats.bundle import parse_bundle, parse_statement
from caseflow.formats.note import parse_verifier_key
from caseflow.formats.verify import verify_bundle
from caseflow.proof.publisher import Publisher
from tests.api.test_erasure import erase
from tests.formats.bundles import SCRIPT
from tests.proof.scenes import behind_the_back

from .conftest import AUTHOR, Partner, Service, pointers, problem
from .scenes import change

Json = dict[str, Any]

CANARY: Final = "Kanareykin"
NAMES: Final = [{"text": CANARY, "language": "en", "kind": "primary"}]
NOTE: Final = f"a note on {CANARY}"


class Room:
    """A service with a case of which something is public, and those who ask for its bundle."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.author = service.partner(*AUTHOR, public_name="Press desk")
        self.auditor = service.partner("audit:read")
        self.overseer = service.partner("audit:read", "restricted:read")
        self.case = self.author.open(subject={"names": NAMES}, external_id="own-name")
        tell = self.author.tell
        self.told = tell(self.case, "person.entered")
        self.noted = tell(self.case, "asylum.claim_made", private_note=NOTE)
        self.hidden = tell(self.case, "expulsion.ordered", visibility="restricted")

    def key(self, log: str) -> str:
        path = "/v1/log/key" if log == "public" else "/v1/log/full/key"
        return self.auditor.get(path).text.strip()

    def verify(self, answer: httpx.Response, log: str, older: bytes | None = None) -> Json:
        """What both verifiers say of an answer, by the key of a log."""
        assert answer.status_code == 200, answer.text
        key = self.key(log)
        found = verify_bundle(answer.content, log_key=parse_verifier_key(key), older=older)
        told: Json = json.loads(msgspec.json.encode(found))
        own = SCRIPT.read_key(key, 1)
        before = None if older is None else SCRIPT.open_older(older, own)
        assert told == SCRIPT.verify(answer.content, own, older=before)
        return told

    def bundle(
        self, of: Partner | Service, case: Json | None = None, **query: Any
    ) -> httpx.Response:
        return of.get(f"/v1/cases/{(case or self.case)['id']}/bundle", **query)

    def proof(self, of: Partner | Service, event: Json, **query: Any) -> httpx.Response:
        return of.get(f"/v1/events/{event['id']}/proof", **query)


@pytest.fixture
def room(service: Service) -> Room:
    return Room(service)


def by_id(answer: httpx.Response) -> dict[str, Json]:
    """The disclosed fields of each event of a bundle."""
    return {
        event["record"]["event"]: {one["path"][0]: one["value"] for one in event["fields"]}
        for event in answer.json()["events"]
    }


def statuses(found: Json) -> list[str]:
    return [one["status"] for one in found["events"]]


# -- the full log ---------------------------------------------------------------------------------


def test_who_may_read_everything_gets_everything(room: Room) -> None:
    """Right after the post: it is waited for until it is signed."""
    answer = room.bundle(room.overseer)
    found = room.verify(answer, "full")
    assert found["status"] == "VERIFIED"
    assert found["origin"] == "cases.example/v1/log/full"
    assert [one["type"] for one in found["events"]] == [
        "case.opened/1", "person.entered/1", "asylum.claim_made/1", "expulsion.ordered/1",
    ]  # fmt: skip
    fields = by_id(answer)
    assert fields[room.noted["id"]]["private_note"] == NOTE
    assert "key" not in fields[room.noted["id"]]
    (opening,) = [f for f in fields.values() if f["type"] == "case.opened/1"]
    assert opening["subject"]["names"] == NAMES
    assert opening["external_id"] == "own-name"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-disposition"] == (
        f'attachment; filename="{room.case["id"]}.json"'
    )


def test_an_auditor_sees_what_it_may_read_and_that_there_is_more(room: Room) -> None:
    answer = room.bundle(room.auditor)
    found = room.verify(answer, "full")
    assert (found["status"], statuses(found)) == (
        "INCOMPLETE", ["VERIFIED", "VERIFIED", "VERIFIED", "INCOMPLETE"],
    )  # fmt: skip
    assert CANARY not in answer.text
    fields = by_id(answer)
    assert fields[room.hidden["id"]] == {}
    assert "private_note" not in fields[room.noted["id"]]


def test_the_author_sees_its_own_where_it_may_audit(room: Room) -> None:
    own = room.service.partner("audit:read", of=room.author)
    answer = room.bundle(own)
    assert room.verify(answer, "full")["status"] == "VERIFIED"
    assert by_id(answer)[room.noted["id"]]["private_note"] == NOTE
    assert by_id(room.proof(own, room.hidden))[room.hidden["id"]]["type"] == "expulsion.ordered/1"


def test_a_correction_is_shown_whole_or_not_at_all(room: Room) -> None:
    replacement = {"type": "asylum.claim_made", "occurred": "2025-05-02", "private_note": NOTE}
    path = f"/v1/events/{room.noted['id']}/corrections"
    answer = room.author.post(path, {**replacement, "visibility": "public", "reason": "typo"})
    assert answer.status_code == 201, answer.text
    made = answer.json()["id"]
    shown = by_id(room.bundle(room.overseer))[made]
    assert shown["replacement"]["private_note"] == NOTE
    assert "replacement" not in by_id(room.bundle(room.auditor))[made]
    assert NOTE not in room.bundle(room.auditor).text


def test_restricted_fields_in_a_bundle_are_logged_reads(room: Room) -> None:
    def reads() -> set[tuple[str, str | None]]:
        told = room.auditor.get("/v1/audit/reads", limit=500, partner=str(room.overseer.id))
        return {(one["kind"], one["event"]) for one in told.json()["items"]}

    assert reads() == set()
    room.bundle(room.overseer)
    found = reads()
    assert ("private_note", room.noted["id"]) in found
    assert ("restricted", room.hidden["id"]) in found
    assert {kind for kind, _ in found} == {"private_note", "restricted", "subject", "external_id"}


def test_what_cannot_be_logged_is_not_told(room: Room) -> None:
    with begin_write(room.service.engine) as connection:
        connection.execute(text("ALTER TABLE restricted_reads RENAME TO away"))
    for answer in (room.bundle(room.overseer), room.proof(room.overseer, room.noted)):
        problem(answer, 503, "unavailable")
        assert CANARY not in answer.text


def test_one_event_of_the_full_log(room: Room) -> None:
    answer = room.proof(room.overseer, room.hidden)
    found = room.verify(answer, "full")
    assert (found["event"], statuses(found)) == (room.hidden["id"], ["VERIFIED"])
    withheld = room.verify(room.proof(room.auditor, room.hidden), "full")
    assert statuses(withheld) == ["INCOMPLETE"]


def test_what_is_not_there_is_not_found(room: Room) -> None:
    for of in (room.service, room.author, room.auditor):
        problem(of.get(f"/v1/cases/{uuid4()}/bundle"), 404, "not-found")
        problem(of.get(f"/v1/events/{uuid4()}/proof"), 404, "not-found")
        problem(of.get("/v1/cases/nothing/bundle"), 404, "not-found")
    problem(room.proof(room.service, room.hidden), 404, "not-found")
    problem(room.proof(room.author, room.hidden), 404, "not-found")


def test_cases_have_several_names(room: Room) -> None:
    own = room.service.partner("audit:read", of=room.author)
    named = own.get("/v1/cases/ext:own-name/bundle")
    assert named.json()["statement"] == room.bundle(own).json()["statement"]
    coded = room.service.get(f"/v1/cases/{room.case['code']}/bundle")
    assert coded.content == room.bundle(room.service).content


# -- the public log -------------------------------------------------------------------------------


def test_the_public_gets_what_is_public_of_a_case(room: Room) -> None:
    answer = room.bundle(room.service)
    found = room.verify(answer, "public")
    assert (found["status"], found["origin"]) == ("VERIFIED", "cases.example/v1/log")
    assert [one["id"] for one in found["events"]] == [room.told["id"], room.noted["id"]]
    assert [one["type"] for one in found["events"]] == ["person.entered", "asylum.claim_made"]
    for event in answer.json()["events"]:
        ((path, public),) = [(one["path"], one["value"]) for one in event["fields"]]
        assert path == ["public"]
        assert public["case"] == room.case["id"]
        assert public["partner"] == "Press desk"
    assert CANARY not in answer.text
    assert room.hidden["id"] not in answer.text
    assert "max-age=60" in answer.headers["cache-control"]
    assert "Authorization" in answer.headers["vary"]


def test_whoever_may_not_audit_gets_the_public_bundle(room: Room) -> None:
    room.service.settle()
    keyed = room.bundle(room.author)
    assert keyed.content == room.bundle(room.service).content
    assert keyed.headers["cache-control"] == "no-store"


def test_the_same_bundle_is_the_same_bytes(room: Room) -> None:
    room.service.settle()
    answer = room.bundle(room.service)
    assert room.bundle(room.service).content == answer.content
    known = {"If-None-Match": answer.headers["etag"]}
    again = room.service.get(f"/v1/cases/{room.case['id']}/bundle", known)
    assert again.status_code == 304
    head = room.service.client.head(f"/v1/cases/{room.case['id']}/bundle")
    assert (head.status_code, head.content) == (200, b"")


def test_a_case_that_is_not_public_has_no_public_bundle(room: Room) -> None:
    case = room.author.open()
    room.author.tell(case, "person.entered", visibility="partners")
    problem(room.bundle(room.service, case), 404, "not-found")
    assert room.verify(room.bundle(room.overseer, case), "full")["status"] == "VERIFIED"


def test_withdrawn_words_are_not_in_it_and_are_explained(room: Room) -> None:
    answer = room.author.post(
        f"/v1/events/{room.told['id']}/retractions", {"reason": "wrong_person"}
    )
    assert answer.status_code == 201, answer.text
    answer = room.bundle(room.service)
    found = room.verify(answer, "public")
    assert (found["status"], len(found["events"])) == ("VERIFIED", 3)
    assert found["events"][0]["reason"].startswith("in the log; withdrawn with")
    assert answer.json()["events"][0]["fields"] == []
    assert answer.json()["events"][2]["record"]["kind"] == "withdrawn"
    problem(room.proof(room.service, room.told), 410, "withdrawn")


def test_corrected_words_stay_where_they_are_still_public(room: Room) -> None:
    body = {"type": "person.entered", "occurred": "2025-04-30", "visibility": "public"}
    path = f"/v1/events/{room.told['id']}/corrections"
    answer = room.author.post(path, {**body, "reason": "typo"})
    found = room.verify(room.bundle(room.service), "public")
    assert statuses(found) == ["VERIFIED"] * 3
    one = room.verify(room.proof(room.service, answer.json()), "public")
    assert [event["id"] for event in one["events"]] == [answer.json()["id"]]


def test_a_case_that_is_withdrawn_is_gone(room: Room) -> None:
    for event in (room.told, room.noted):
        room.author.post(f"/v1/events/{event['id']}/retractions", {"reason": "unsafe"})
    problem(room.bundle(room.service), 410, "withdrawn")


def test_the_public_bundle_tells_nothing_of_what_is_not_public(light: Service) -> None:
    """Two cases with equal public histories, one of which has more that is not public."""
    author = light.partner(*AUTHOR)

    def fill(case: Json, *, hidden: bool) -> None:
        for type in ("person.entered", "asylum.claim_made", "asylum.refused"):
            more = {"stage": "first_instance"} if type == "asylum.refused" else {}
            author.tell(case, type, **more)
            if hidden:
                author.tell(case, "expulsion.ordered", visibility="restricted")
                author.tell(case, "detention.apprehended", basis="border", visibility="partners")

    plain, crowded = author.open(), author.open()
    # The same places in the public log but for the case that comes first.
    fill(plain, hidden=False)
    fill(crowded, hidden=True)
    light.settle()
    answers = [light.get(f"/v1/cases/{case['id']}/bundle") for case in (plain, crowded)]
    shapes = [shape_of(answer.json()) for answer in answers]
    assert shapes[0] == shapes[1]
    bundles = [parse_bundle(answer.content) for answer in answers]
    lines = [[line.index for line in parse_statement(one.statement.text).lines] for one in bundles]
    assert lines == [[0, 1, 2], [3, 4, 5]]
    assert len({parse_statement(one.statement.text).head for one in bundles}) == 1


def test_nothing_that_is_not_public_moves_the_public_bundle(room: Room) -> None:
    """Not a byte of it: not the size of the log, not a signature."""
    room.service.settle()
    before = [room.bundle(room.service), room.proof(room.service, room.told)]
    room.author.tell(room.case, "expulsion.stayed", visibility="restricted")
    room.author.tell(room.author.open(publish="none"), "person.entered")
    room.author.post(f"/v1/events/{room.hidden['id']}/retractions", {"reason": "false"})
    assert len(room.bundle(room.overseer).json()["events"]) == 6
    room.service.settle()
    after = [room.bundle(room.service), room.proof(room.service, room.told)]
    assert [one.content for one in after] == [one.content for one in before]


def shape_of(value: Any) -> Any:
    """What is left of JSON without what is drawn by lot, a time or a place in the log."""
    if isinstance(value, dict):
        return {name: shape_of(inner) for name, inner in value.items() if name != "proof"}
    if isinstance(value, list):
        return [shape_of(inner) for inner in value]
    return len(value) if isinstance(value, str) else type(value).__name__


def test_cases_of_one_person_keep_bundles_of_their_own(room: Room) -> None:
    """What was told of a case is told of it; what was told under the other, of that one too."""
    other = room.author.open(subject={"names": NAMES})
    before = room.author.tell(other, "asylum.registered")
    change(room.author, other, "merges", {"into": room.case["id"]})
    room.author.tell(room.case, "asylum.refused", stage="first_instance")
    found = room.verify(room.bundle(room.service, other), "public")
    assert [one["id"] for one in found["events"]] == [before["id"]] * 2
    # The third is what the merge told anew.
    found = room.verify(room.bundle(room.service), "public")
    assert (found["status"], len(found["events"])) == ("VERIFIED", 4)
    assert before["id"] in [one["id"] for one in found["events"]]
    one = room.verify(room.proof(room.service, before), "public")
    assert (one["status"], one["case"]) == ("VERIFIED", room.case["id"])
    for case in (room.case, other):
        assert room.verify(room.bundle(room.overseer, case), "full")["status"] == "VERIFIED"


def test_what_was_told_under_another_case_is_proved_when_it_stands_by_itself(
    room: Room,
) -> None:
    other = room.author.open(subject={"names": NAMES})
    room.author.tell(other, "person.entered")
    change(room.author, other, "merges", {"into": room.case["id"]})
    told = room.author.tell(other, "asylum.refused", stage="first_instance")
    # While they are one, the bundle of the one that stays has it, and says what it was called.
    shown = by_id(room.bundle(room.service))[told["id"]]
    assert (shown["called"]["case"], shown["public"]["case"]) == (room.case["id"], other["id"])
    assert shown["called"]["labels"]["en"] == room.case["code"]
    change(room.author, other, "unmerges", {})
    answer = room.bundle(room.service, other)
    found = room.verify(answer, "public")
    assert found["status"] == "VERIFIED"
    assert told["id"] in [one["id"] for one in found["events"]]
    # Neither is told of in the bundle of the other.
    assert room.case["code"] not in answer.text
    assert room.case["id"] not in answer.text
    assert other["code"] not in room.bundle(room.service).text
    one = room.verify(room.proof(room.service, told), "public")
    assert (one["status"], one["case"]) == ("VERIFIED", other["id"])


# -- growth ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("log", ["full", "public"])
def test_growth_from_an_older_bundle_is_proved(room: Room, log: str) -> None:
    of: Partner | Service = room.overseer if log == "full" else room.service
    older = room.bundle(of)
    size = room.verify(older, log)["size"]
    room.author.tell(room.case, "asylum.registered")
    newer = room.bundle(of, since=size)
    found = room.verify(newer, log, older.content)
    assert found["status"] == "VERIFIED"
    assert found["remarks"] == [f"the log grew from the size {size}"]
    unproved = room.verify(room.bundle(of), log, older.content)
    assert unproved["status"] == "INCOMPLETE"


def test_sizes_that_the_log_never_had_are_refused(room: Room) -> None:
    for since in ("x", "-1", "100000", "9223372036854775808"):
        answer = room.bundle(room.service, since=since)
        problem(answer, 422, "invalid-input")
        assert pointers(answer) == ["/query/since"]
    problem(room.bundle(room.service, until=1), 422, "invalid-input")


# -- erased ---------------------------------------------------------------------------------------


def test_after_an_erasure_the_same_positions_are_erased(room: Room) -> None:
    other = room.author.open()
    room.author.tell(other, "person.entered")
    before = room.verify(room.bundle(room.overseer), "full")
    older = room.bundle(room.overseer).content
    assert set(statuses(before)) == {"VERIFIED"}
    erase(room.service, room.case)
    size = before["size"]
    answer = room.bundle(room.auditor, since=size)
    found = room.verify(answer, "full", older)
    assert found["status"] == "VERIFIED"
    gone = [one["index"] for one in found["events"] if one["status"] == "ERASED"]
    assert gone == [one["index"] for one in before["events"]]
    (last,) = [one for one in found["events"] if one["status"] == "VERIFIED"]
    assert last["type"] == "case.erased/1"
    shown = by_id(answer)[last["id"]]
    assert set(shown) == {"type", "code", "reason", "legal_basis", "requested_by"}
    assert room.verify(room.bundle(room.overseer, other), "full")["status"] == "VERIFIED"
    one = room.verify(room.proof(room.auditor, room.told), "full")
    assert statuses(one) == ["ERASED", "VERIFIED"]
    # An older bundle, which somebody kept, holds as it did.
    assert UUID(before["case"]) == UUID(room.case["id"])
    problem(room.bundle(room.service), 410, "withdrawn")
    problem(room.proof(room.service, room.told), 410, "withdrawn")


def test_what_is_not_signed_in_time_is_asked_for_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.service.settle()
    monkeypatch.setattr(Publisher, "publish", lambda self: True)
    monkeypatch.setattr("caseflow.api.bundles.WAIT_SECONDS", 0.2)
    room.author.tell(room.case, "asylum.registered")
    answer = room.bundle(room.service)
    problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1


# -- behind the back ------------------------------------------------------------------------------


def alter(room: Room, event: Json, change: Any) -> None:
    """Change what is stored of an event, as whoever owns the database can."""
    placed = event["position"]
    with behind_the_back(room.service.engine) as connection:
        told = {"at": placed}
        state = connection.scalar(text("SELECT state FROM events WHERE position = :at"), told)
        connection.execute(
            text("UPDATE events SET state = :state WHERE position = :at"),
            {"state": change(bytes(state)), **told},
        )


@pytest.mark.parametrize("place", [60, -1], ids=["commitment", "sealed part"])
def test_what_was_altered_is_not_signed_for(room: Room, place: int) -> None:
    def change(state: bytes) -> bytes:
        altered = bytearray(state)
        altered[place] ^= 1
        return bytes(altered)

    room.service.settle()
    assert room.bundle(room.overseer).status_code == 200
    alter(room, room.told, change)
    problem(room.bundle(room.overseer), 503, "unavailable")
