"""What partners ask for: their own ids, requests that come again, embargoes that end."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from caseflow import bootstrap
from caseflow.bootstrap import House, open_house
from caseflow.domain.errors import (
    ConflictError,
    ExternalIdTakenError,
    IdempotencyKeyReusedError,
    InvalidInputError,
    NotFoundError,
    VersionConflictError,
)
from caseflow.domain.events import PublicationReleased
from caseflow.domain.vocabulary import AnyClaim
from caseflow.eventstore.application import Cases, Opening, make_code
from caseflow.eventstore.recorder import CommitUnknownError
from caseflow.eventstore.wrapping import KeyedHash
from caseflow.projections.partner.history import list_due
from caseflow.projections.public import history, statistics, status
from caseflow.settings import Settings
from tests.checks import check_house
from tests.houses import (
    GIVE_UP_SECONDS,
    NOON,
    Clock,
    Desk,
    answer_of,
    list_events_of,
    list_log,
    lose_the_commit,
    new_partner,
    new_settings,
    one_batch,
    refusal_of,
    render,
    run_house,
    second_writer,
)


@pytest.fixture
def settings(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Settings]:
    """Settings of a house without cases, on either database."""
    with new_settings(database_kind, request, tmp_path) as settings:
        yield settings


@pytest.fixture
def clock() -> Clock:
    """The clock of the house."""
    return Clock()


@pytest.fixture
def house(settings: Settings, clock: Clock) -> Iterator[House]:
    """A running house without cases."""
    with run_house(settings, clock) as house:
        yield house


@pytest.fixture
def desk(house: House) -> Desk:
    """A partner that may write and publish."""
    return new_partner(house)


# -- own ids --------------------------------------------------------------------------------------


def test_the_same_again_is_answered_with_what_is_stored(house: House, desk: Desk) -> None:
    case = answer_of(desk.submit_case(external_id="a"))
    event = answer_of(desk.submit_claim("ext:a", external_id="a/1"))
    desk.tell(case.case_id)
    for again in (desk.submit_case(external_id="a"), desk.submit_claim("ext:a", external_id="a/1")):
        told = answer_of(again)
        assert (told.created, told.position) == (False, None)
        # The case as it is by now.
        assert (told.case_id, told.version) == (case.case_id, 3)
    assert answer_of(desk.submit_case(external_id="a")).event_id == case.event_id
    again = desk.submit_claim(case.case_id, external_id="a/1")
    assert answer_of(again).event_id == event.event_id
    assert len(list_log(house)) == 3
    check_house(house)


def test_content_is_equal_however_it_is_spelled(house: House, desk: Desk) -> None:
    case = desk.open(external_id="a")
    first = desk.tell(case, external_id="a/1", place="Павлодар")
    told = {"external_id": "a/1", "place": "Павлодар", "verification": "likely", "sources": []}
    assert desk.tell("ext:a", visibility="partners", **told) == first
    assert desk.tell(str(case).upper(), **told) == first
    assert desk.open(persons=1, subject={}, external_id="a") == case
    assert len(list_log(house)) == 2


def test_an_id_that_is_taken_names_nothing_else(house: House, desk: Desk) -> None:
    case, other = desk.open(external_id="a"), desk.open(external_id="b")
    desk.tell(case, external_id="a/1")
    taken = [
        desk.submit_case(external_id="a", persons=2),
        desk.submit_claim(case, external_id="a/1", occurred="2025-05-02"),
        desk.submit_claim(case, "person.died", external_id="a/1"),
        # The same words about another case, and either kind under an id of the other.
        desk.submit_claim(other, external_id="a/1"),
        desk.submit_claim(case, external_id="a"),
        desk.submit_case(external_id="a/1"),
    ]
    assert {type(refusal_of(future)) for future in taken} == {ExternalIdTakenError}
    assert len(list_log(house)) == 3
    check_house(house)


def test_own_ids_are_each_partners_own(house: House, desk: Desk) -> None:
    other = new_partner(house)
    case = desk.open(external_id="a")
    assert isinstance(refusal_of(other.submit_claim("ext:a")), NotFoundError)
    assert other.open(external_id="a") != case
    here, there = (d.tell(case, external_id="a/1") for d in (desk, other))
    assert here != there
    assert isinstance(
        refusal_of(other.submit_claim(case, "appeal.filed", against="ext:a/2")), InvalidInputError
    )
    check_house(house)


def test_a_batch_sees_its_own_ids(house: House, desk: Desk) -> None:
    with one_batch(house.writer):
        opened = [desk.submit_case(external_id="a") for _ in range(2)]
        told = [
            desk.submit_claim(
                "ext:a", "asylum.refused", "2025-06", stage="repeat", external_id="a/1"
            )
            for _ in range(2)
        ]
        filed = desk.submit_claim(
            "ext:a", "appeal.filed", "2025-07", against="ext:a/1", after="ext:a/1"
        )
        taken = desk.submit_claim("ext:a", external_id="a/1")
        lost = desk.submit_claim("ext:a", "appeal.filed", against="ext:a/2", after="ext:b")
    assert [answer_of(future).created for future in opened] == [True, False]
    assert [answer_of(future).created for future in told] == [True, False]
    assert isinstance(refusal_of(taken), ExternalIdTakenError)
    refusal = refusal_of(lost)
    assert isinstance(refusal, InvalidInputError)
    assert [pointer for pointer, _ in refusal.errors] == ["/against", "/after"]
    # What is stored names the event itself, not what its partner calls it.
    claim = list_events_of(house, answer_of(filed).case_id)[-1].claim
    refused = str(answer_of(told[0]).event_id)
    assert msgspec.to_builtins(claim)["against"] == refused
    assert msgspec.to_builtins(claim)["after"] == refused
    check_house(house)


def test_a_repetition_is_not_refused_because_the_case_moved_on(house: House, desk: Desk) -> None:
    case = desk.open()
    first = answer_of(desk.submit_claim(case, external_id="1", expected_version=1))
    desk.tell(case)
    again = answer_of(desk.submit_claim(case, external_id="1", expected_version=1))
    assert (again.event_id, again.created) == (first.event_id, False)


def test_one_id_from_two_writers_at_once_is_recorded_once(house: House, desk: Desk) -> None:
    with second_writer(house) as second, ThreadPoolExecutor(8) as threads:
        desks = [desk, desk.at(second.cases)] * 20

        def ask(number: int) -> Any:
            return desks[number].submit_case(external_id=f"{number // 4}")

        answers = [answer_of(future) for future in threads.map(ask, range(40))]
    assert sum(answer.created for answer in answers) == 10
    assert len({answer.case_id for answer in answers}) == 10
    assert len(list_log(house)) == 10
    check_house(house)


# -- codes ----------------------------------------------------------------------------------------


def test_a_code_that_is_taken_is_drawn_again(house: House, desk: Desk) -> None:
    drawn = iter(["KZ-0000-0000"] * 4 + ["KZ-0000-0001"])
    lookup = KeyedHash(house.keys.get_secret("lookup"))
    there = desk.at(Cases(house.writer, lookup, random_code=lambda _: next(drawn)))
    with one_batch(house.writer):
        futures = [there.submit_case(), there.submit_case()]
    cases = [answer_of(future).case_id for future in futures]
    codes = [list_events_of(house, case)[0].body.code for case in cases]  # type: ignore[union-attr]
    assert codes == ["KZ-0000-0000", "KZ-0000-0001"]
    check_house(house)


def test_a_code_tells_the_host_state_and_nothing_else() -> None:
    codes = {make_code("KZ") for _ in range(500)}
    assert len(codes) == 500
    assert all(code.startswith("KZ-") and len(code) == 12 for code in codes)
    assert not set("".join(code[3:] for code in codes)) & set("ILOU")


# -- requests that come again ---------------------------------------------------------------------


def ask_once(desk: Desk, case: UUID, key: str, *, occurred: str = "2025-05-01") -> Any:
    """Ask to record a claim under an idempotency key."""
    claim = msgspec.convert({"type": "asylum.claim_made", "occurred": occurred}, AnyClaim)
    attempt = desk.cases.attempt(desk.caller, key, str(case), occurred)
    return desk.cases.record_claim(desk.caller, str(case), claim, render, attempt=attempt)


def test_a_request_with_a_key_is_carried_out_once(house: House, desk: Desk) -> None:
    case = desk.open()
    first = ask_once(desk, case, "k")
    told = answer_of(first)
    desk.tell(case)
    again = ask_once(desk, case, "k")
    # As it was the first time, though the case has moved on.
    assert answer_of(again) == told
    assert (first.result().replayed, again.result().replayed) == (False, True)
    refusal = refusal_of(ask_once(desk, case, "k", occurred="2025-06"))
    assert isinstance(refusal, IdempotencyKeyReusedError)
    other = new_partner(house)
    assert not ask_once(other, case, "k").result(GIVE_UP_SECONDS).replayed
    assert len(list_log(house)) == 4
    check_house(house)


def test_a_request_that_is_under_way_is_not_begun_again(house: House, desk: Desk) -> None:
    case = desk.open()
    with one_batch(house.writer):
        first = ask_once(desk, case, "k")
        with pytest.raises(ConflictError):
            ask_once(desk, case, "k")
    answer_of(first)
    house.writer.submit(lambda _: None).result(GIVE_UP_SECONDS)
    assert ask_once(desk, case, "k").result(GIVE_UP_SECONDS).replayed


def test_two_writers_carry_a_request_out_once(house: House, desk: Desk) -> None:
    case = desk.open()
    with second_writer(house) as second:
        there = desk.at(second.cases)
        for number in range(20):
            asked = [ask_once(d, case, f"{number}") for d in (desk, there)]
            assert len({answer_of(future) for future in asked}) == 1
            assert sorted(future.result().replayed for future in asked) == [False, True]
    assert len(list_log(house)) == 21
    check_house(house)


def test_a_refused_request_may_be_asked_again_under_its_key(house: House, desk: Desk) -> None:
    case = desk.open()
    key = desk.cases.attempt(desk.caller, "k", "request")
    claim = msgspec.convert({"type": "asylum.claim_made", "occurred": "2025"}, AnyClaim)

    def ask(version: int) -> Any:
        return desk.cases.record_claim(
            desk.caller, str(case), claim, render, expected_version=version, attempt=key
        )

    assert isinstance(refusal_of(ask(2)), VersionConflictError)
    house.writer.submit(lambda _: None).result(GIVE_UP_SECONDS)
    assert not ask(1).result(GIVE_UP_SECONDS).replayed


@pytest.mark.parametrize("stored", [True, False])
def test_after_a_commit_without_an_answer_the_key_still_works(
    house: House, desk: Desk, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    case = desk.open()
    with one_batch(house.writer):
        lose_the_commit(house, monkeypatch, stored=stored)
        lost = ask_once(desk, case, "k")
    assert isinstance(refusal_of(lost), CommitUnknownError)
    house.writer.submit(lambda _: None).result(GIVE_UP_SECONDS)
    again = ask_once(desk, case, "k").result(GIVE_UP_SECONDS)
    assert again.replayed == stored
    assert again.rendered.version == 2
    assert len(list_log(house)) == 2
    check_house(house)


def test_an_opening_that_comes_again_opens_one_case(house: House, desk: Desk) -> None:
    told = {
        "host_state": "KZ",
        "origin_state": "RU",
        "consent": {"publish": "none", "basis": "own"},
    }
    opening = msgspec.convert(told, Opening)
    attempt = desk.cases.attempt(desk.caller, "k", "opening")
    first = answer_of(desk.cases.open_case(desk.caller, opening, render, attempt=attempt))
    house.writer.submit(lambda _: None).result(GIVE_UP_SECONDS)
    again = desk.cases.open_case(desk.caller, opening, render, attempt=attempt)
    assert answer_of(again) == first
    assert len(list_log(house)) == 1


# -- embargoes ------------------------------------------------------------------------------------

BEFORE, UNTIL, LATER = "2026-02-10T13:59:59Z", "2026-02-10T14:00:00Z", "2026-02-11T00:00:00Z"


def read_public(house: House, case: UUID) -> tuple[int, int, bool]:
    """Return how many changes are public, how many claims are counted, whether a case is."""
    with house.reader.snapshot() as snapshot:
        at = (snapshot.connection, snapshot.view_set)
        counted = [claim for facts in statistics.list_case_facts(*at) for claim in facts.claims]
        return (
            len(history.list_published(*at)),
            len(counted),
            status.find_case(*at, case) is not None,
        )


def test_only_the_release_ends_an_embargo(house: House, desk: Desk, clock: Clock) -> None:
    case = desk.open("anonymous")
    claim = desk.tell(case, "person.entered", visibility="public", publish_after=UNTIL)
    assert read_public(house, case) == (0, 0, False)
    clock.set(BEFORE)
    assert house.release_due() == 0
    clock.set(UNTIL)
    # The hour has come, but nothing has happened yet: no read looks at a clock.
    assert read_public(house, case) == (0, 0, False)
    assert house.release_due() == 1
    assert read_public(house, case) == (1, 1, True)
    released = list_events_of(house, case)[-1]
    assert released.body == PublicationReleased(claim=str(claim))
    assert released.partner_id == desk.caller.partner_id
    assert house.release_due() == 0
    assert len(list_log(house)) == 3
    with house.reader.snapshot() as snapshot:
        assert list_due(snapshot.connection, snapshot.view_set, clock()) == []
    with house.reader.snapshot() as snapshot:
        found = history.find_published(snapshot.connection, snapshot.view_set, claim)
    assert found is not None
    # Public since the release; the entry is the claim's own, as the first about it always is.
    assert (found.published_at, found.entry_id) == (released.recorded_at, claim)
    check_house(house)


def test_what_could_not_be_public_is_not_released(house: House, desk: Desk, clock: Clock) -> None:
    held = new_partner(house, "events:write")
    nobody, named = desk.open("none"), desk.open("anonymous")
    told: dict[str, Any] = {"publish_after": UNTIL, "visibility": "public"}
    desk.tell(nobody, **told)
    held.tell(named, **told)
    desk.tell(named, **told | {"visibility": "partners"})
    desk.tell(named, "asylum.unhcr_recorded", **told)
    clock.set(LATER)
    assert house.release_due() == 0
    assert read_public(house, named) == (0, 0, False)
    assert isinstance(refusal_of(house.cases.release_publication(named, uuid4())), NotFoundError)
    assert isinstance(refusal_of(house.cases.release_publication(uuid4(), uuid4())), NotFoundError)
    check_house(house)


def test_a_claim_is_not_released_before_its_time(house: House, desk: Desk) -> None:
    case = desk.open("anonymous")
    claim = desk.tell(case, visibility="public", publish_after=UNTIL)
    assert isinstance(refusal_of(house.cases.release_publication(case, claim)), ConflictError)
    assert len(list_log(house)) == 2


def test_a_time_that_has_passed_is_no_embargo(house: House, desk: Desk) -> None:
    case = desk.open("anonymous")
    desk.tell(case, "person.entered", visibility="public", publish_after=NOON)
    assert read_public(house, case) == (1, 1, True)
    assert house.release_due() == 0


def test_two_houses_release_a_claim_once(house: House, settings: Settings, clock: Clock) -> None:
    desk = new_partner(house)
    case = desk.open("anonymous")
    for _ in range(10):
        desk.tell(case, "person.entered", visibility="public", publish_after=UNTIL)
    clock.set(LATER)
    with run_house(settings, clock) as other, ThreadPoolExecutor(2) as threads:
        released = threads.map(lambda h: h.release_due(), (house, other))
        assert sum(released) == 10
    assert len(list_log(house)) == 21
    assert read_public(house, case) == (10, 10, True)
    check_house(house)


def test_a_running_house_looks_by_itself(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "EMBARGO_SECONDS", 0.01)
    with open_house(settings, clock=clock) as house:
        desk = new_partner(house)
        case = desk.open("anonymous")
        desk.tell(case, "person.entered", visibility="public", publish_after=UNTIL)
        position = house.recorder.get_head().position
        clock.set(LATER)
        with house.recorder.subscribe(gt=position) as subscription:
            assert next(subscription).id == position + 1
        assert read_public(house, case) == (1, 1, True)
