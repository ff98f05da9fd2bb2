"""Objections: recorded for somebody without a key, at once, and once."""

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from caseflow.bootstrap import House
from caseflow.domain.case import Case
from caseflow.domain.commands import ChangeConsent, MergeCase, UnmergeCase
from caseflow.domain.errors import ConflictError, InvalidInputError, NotFoundError
from caseflow.domain.events import OPERATOR_ID, Consent, ObjectionMade
from caseflow.domain.objections import MOST_OPEN
from caseflow.eventstore.quarantine import Suspect
from tests.checks import check_house
from tests.houses import (
    GIVE_UP_SECONDS,
    Desk,
    list_events_of,
    list_log,
    list_shown,
    new_partner,
    new_settings,
    one_batch,
    refusal_of,
    run_house,
    second_writer,
)

WIDE: Final = ("events:write", "events:publish", "review", "restricted:read")
AGREED: Final = Consent(publish="anonymous", basis="own")
# Told in no other way than in an objection.
TEXT, CONTACT = "Capercaillie asks for it", "capercaillie@example.org"


@pytest.fixture
def house(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """A house of which all must hold at the end of each test too, and nothing is in the clear."""
    with new_settings(database_kind, request, tmp_path) as settings, run_house(settings) as h:
        yield h
        check_house(h, "capercaillie")


@pytest.fixture
def desk(house: House) -> Desk:
    return new_partner(house, *WIDE, public_name="Author")


def submit(house: House, case: UUID, **said: Any) -> "Future[int | None]":
    told = {"by": "person", "text": TEXT, "contact": CONTACT} | said
    return house.cases.record_objection(case, **told)


def object_to(house: House, case: UUID, **said: Any) -> int | None:
    """Object to a case; return the position of the event."""
    return submit(house, case, **said).result(GIVE_UP_SECONDS)


def shown_case(desk: Desk, publish: str = "anonymous", **claim: Any) -> tuple[UUID, UUID]:
    """Return a case that is public, and its claim."""
    case = desk.open(publish, subject={"names": [NAME]})
    return case, desk.tell(case, visibility="public", **claim)


NAME: Final = {"text": "Пётр Петров", "language": "ru", "kind": "primary"}


def find_case(house: House, case_id: UUID) -> Case:
    with house.reader.snapshot() as snapshot:
        dossier = house.reader.find_dossier(snapshot, case_id)
    assert dossier is not None
    return next(case for case in dossier.cases if case.id == case_id)


def list_objections(house: House, case_id: UUID) -> list[ObjectionMade]:
    bodies = (event.body for event in list_events_of(house, case_id))
    return [body for body in bodies if isinstance(body, ObjectionMade)]


def test_it_hides_the_case_until_consent_is_told_anew(house: House, desk: Desk) -> None:
    case, claim = shown_case(desk)
    assert list_shown(house) == [claim]
    position = object_to(house, case)
    (*_, (last, event)) = list_log(house)
    assert (last, event.partner_id, event.key_id) == (position, OPERATOR_ID, None)
    assert event.body == ObjectionMade(by="person", text=TEXT, contact=CONTACT, hides=True)
    assert list_shown(house) == []
    desk.act(ChangeConsent, case, consent=AGREED)
    assert list_shown(house) == [claim]
    assert object_to(house, case) is not None
    assert [said.hides for said in list_objections(house, case)] == [True, False]
    assert list_shown(house) == [claim]


@pytest.mark.parametrize("level", ["count", "none"])
def test_a_case_that_is_not_shown_is_as_if_absent(house: House, desk: Desk, level: str) -> None:
    counted, _ = shown_case(desk, level)
    waiting, empty = desk.open("anonymous"), desk.open("anonymous")
    desk.tell(waiting, visibility="partners")
    for case in (counted, waiting, empty, uuid4()):
        error = refusal_of(submit(house, case))
        assert isinstance(error, NotFoundError)
        assert error.detail == "there is no such case"


def test_the_same_again_is_recorded_once(house: House, desk: Desk) -> None:
    """While it is open: the case is hidden by then, and another objection would be to nothing."""
    case, _ = shown_case(desk)
    assert object_to(house, case) is not None
    assert object_to(house, case) is None
    assert isinstance(refusal_of(submit(house, case, text="other words")), NotFoundError)
    assert len(list_objections(house, case)) == 1
    desk.act(ChangeConsent, case, consent=AGREED)
    assert object_to(house, case) is not None
    assert object_to(house, case) is None
    assert len(list_objections(house, case)) == 2


def test_the_same_at_once_is_recorded_once(house: House, desk: Desk) -> None:
    """In one batch, and by another process that has not seen it yet."""
    case, _ = shown_case(desk)
    with one_batch(house.writer):
        asked = [submit(house, case) for _ in range(3)]
    assert [future.result(GIVE_UP_SECONDS) is None for future in asked] == [False, True, True]
    with second_writer(house) as second:
        again = second.cases.record_objection(case, by="person", text=TEXT, contact=CONTACT)
        assert again.result(GIVE_UP_SECONDS) is None
        desk.act(ChangeConsent, case, consent=AGREED)
        elsewhere = second.cases.record_objection(case, by="person", text=TEXT, contact=CONTACT)
        assert elsewhere.result(GIVE_UP_SECONDS) is not None
        assert object_to(house, case) is None
        both = [
            cases.record_objection(case, by="other", text="at the same moment")
            for cases in (house.cases, second.cases)
        ]
        assert sorted(future.result(GIVE_UP_SECONDS) is None for future in both) == [False, True]
    assert len(list_objections(house, case)) == 3


def test_so_many_are_open_at_once(house: House, desk: Desk) -> None:
    case, claim = shown_case(desk)
    object_to(house, case)
    desk.act(ChangeConsent, case, consent=AGREED)
    for number in range(MOST_OPEN):
        assert object_to(house, case, text=f"{number}") is not None
    assert isinstance(refusal_of(submit(house, case, text="one more")), ConflictError)
    assert object_to(house, case, text="7") is None
    assert list_shown(house) == [claim]


def test_text_that_xml_cannot_carry_is_refused(house: House, desk: Desk) -> None:
    case, _ = shown_case(desk)
    with pytest.raises(InvalidInputError) as refused:
        submit(house, case, text="\x00", contact="\ufffe")
    assert [pointer for pointer, _ in refused.value.errors] == ["/text", "/contact"]


# -- cases of one person --------------------------------------------------------------------------


@pytest.mark.parametrize("name_main", [True, False])
def test_all_cases_of_the_person_are_hidden(house: House, desk: Desk, name_main: bool) -> None:
    other = new_partner(house, *WIDE)
    main, first = shown_case(desk)
    gone, second = shown_case(other)
    other.act(MergeCase, gone, into=main)
    assert set(list_shown(house)) == {first, second}
    object_to(house, main if name_main else gone)
    assert list_shown(house) == []
    # Asked again under the other name it is the same objection.
    assert object_to(house, gone if name_main else main) is None
    for case in (main, gone):
        assert [said.hides for said in list_objections(house, case)] == [True]
    # Parted, it would be out again were it not hidden itself.
    other.act(UnmergeCase, gone)
    assert list_shown(house) == []
    desk.act(ChangeConsent, main, consent=AGREED)
    assert list_shown(house) == [first]
    other.act(ChangeConsent, gone, consent=AGREED)
    assert set(list_shown(house)) == {first, second}


def test_a_case_that_is_shown_under_no_name_is_hidden_too(house: House, desk: Desk) -> None:
    """Less is agreed to in it than in the one that stays; parted from that it would be shown."""
    main, first = shown_case(desk)
    gone, _ = shown_case(desk, "initials")
    desk.act(MergeCase, gone, into=main)
    assert list_shown(house) == [first]
    object_to(house, main)
    desk.act(UnmergeCase, gone)
    assert list_shown(house) == []


def test_a_case_of_which_nothing_was_shown_gets_none(house: House, desk: Desk) -> None:
    """There is nothing for its partner to check."""
    main, _ = shown_case(desk)
    silent, _ = shown_case(desk, "none")
    desk.act(MergeCase, silent, into=main)
    object_to(house, main)
    assert (len(list_objections(house, main)), list_objections(house, silent)) == (1, [])


def test_one_that_hides_nothing_is_made_to_the_case_that_stays(house: House, desk: Desk) -> None:
    main, first = shown_case(desk)
    object_to(house, main)
    desk.act(ChangeConsent, main, consent=AGREED)
    gone, second = shown_case(desk)
    desk.act(MergeCase, gone, into=main)
    object_to(house, main)
    assert set(list_shown(house)) == {first, second}
    assert (len(list_objections(house, main)), len(list_objections(house, gone))) == (2, 0)


# -- what a stolen key does about it --------------------------------------------------------------


def test_consent_that_a_stolen_key_told_anew_is_taken_back(house: House, desk: Desk) -> None:
    case, _ = shown_case(desk)
    thief = new_partner(house, *WIDE)
    object_to(house, case)
    thief.act(ChangeConsent, case, consent=Consent(publish="name", basis="own"))
    assert find_case(house, case).consent.publish == "name"
    house.quarantine(Suspect(thief.caller.key_id, 0))
    assert find_case(house, case).consent.publish == "none"


def test_an_objection_leaves_what_a_stolen_key_did_to_be_undone(house: House, desk: Desk) -> None:
    """Consent to the name let other partners see the person: the objection does not end that."""
    case, _ = shown_case(desk)
    thief = new_partner(house, *WIDE)
    thief.act(ChangeConsent, case, consent=Consent(publish="name", basis="own"))
    object_to(house, case)
    assert find_case(house, case).consent.share
    (step,) = house.quarantine(Suspect(thief.caller.key_id, 0)).steps
    assert step.kind == "consent narrowed"
    assert find_case(house, case).consent == Consent(publish="none", basis="own")
    assert find_case(house, case).find_open_objection() is not None
