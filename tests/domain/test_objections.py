"""Objections: given what happened to a case, what one does to it, and until when it is open."""

from typing import Any

import pytest

from caseflow.domain.case import Case
from caseflow.domain.decisions import Scene
from caseflow.domain.dossier import Dossier
from caseflow.domain.errors import ConflictError
from caseflow.domain.events import OPERATOR_ID, Consent, Event, ObjectionMade
from caseflow.domain.objections import MOST_OPEN, can_hide, hidden
from tests.commands import (
    FROZEN,
    NOW,
    OTHER,
    THIRD,
    after,
    consenting,
    decided,
    given_case,
    merging,
    objecting,
    other_case,
    public_numbers,
    recording,
    refused,
    reviewing,
)
from tests.strategies import numbered

PUBLIC: dict[str, Any] = {"visibility": "public"}
AGREED = Consent(publish="anonymous", basis="own")


def said_in(event: Event) -> ObjectionMade:
    """Return what an objection says."""
    assert isinstance(event.body, ObjectionMade)
    return event.body


def hides(case: Case, number: int = 90) -> bool:
    """Return whether an objection would hide the case now."""
    return said_in(decided(case, objecting(number))).hides


def settled_by(case: Case) -> list[int | None]:
    """Return which events settled the objections, as tests number them."""
    return [o.settled_by.int if o.settled_by else None for o in case.objections]


# -- what it does to the case ---------------------------------------------------------------------


def test_it_is_recorded_as_the_operator_with_what_was_said() -> None:
    case = given_case(recording(11, **PUBLIC))
    event = decided(case, objecting(20, "lawyer", "this is my client", contact="+7 700 000 00 00"))
    assert (event.partner_id, event.author, event.key_id) == (OPERATOR_ID, None, None)
    assert (event.hold, event.embargoed) == (None, False)
    assert event.body == ObjectionMade(
        by="lawyer", text="this is my client", contact="+7 700 000 00 00", hides=True
    )


@pytest.mark.parametrize("level", ["count", "anonymous", "pseudonym", "initials", "name"])
@pytest.mark.parametrize("basis", ["own", "representative", "already_public"])
@pytest.mark.parametrize("share", [True, False])
def test_the_first_hides_every_claim_and_leaves_the_rest_of_the_consent(
    level: Any, basis: Any, share: bool
) -> None:
    case = given_case(
        recording(11, **PUBLIC),
        recording(12, "detention.released"),
        publish=level,
        basis=basis,
        share=share,
        pseudonym="Swallow",
    )
    shared = case.consent.shares_subject
    after(case, objecting(20))
    assert case.consent == Consent(publish="none", basis=basis, share=shared)
    assert {c.publication.reason for c in case.claims.values()} == {"consent_none"}
    assert not any(c.publication.counted for c in case.claims.values())


def test_it_hides_while_publication_is_halted_too() -> None:
    case = given_case(recording(11, **PUBLIC))
    after(case, objecting(20), scene=FROZEN)
    assert public_numbers(case) == []


def test_nothing_is_hidden_where_nothing_is_agreed_to() -> None:
    case = given_case(recording(11, **PUBLIC), publish="none")
    assert not hides(case)
    after(case, objecting(20))
    assert (case.consent.publish, len(case.objections)) == ("none", 1)
    after(case, consenting(21, "anonymous"))
    assert hides(case)  # None has hidden it so far.


def test_what_it_hid_is_shown_once_consent_is_told_anew() -> None:
    case = given_case(recording(11, **PUBLIC))
    after(case, objecting(20))
    assert public_numbers(case) == []
    after(case, consenting(21, "initials"))
    assert public_numbers(case) == [11]


def test_no_later_one_hides_again() -> None:
    """Not while the first is open, nor once it is settled, nor once consent has fallen again."""
    case = given_case(recording(11, **PUBLIC))
    after(case, objecting(20))
    assert not hides(case)
    after(case, consenting(21, "name"))
    for number in (22, 23):
        assert not hides(case)
        after(case, objecting(number))
        assert (case.consent.publish, public_numbers(case)) == ("name", [11])
    after(case, consenting(24, "none"), consenting(25, "anonymous"))
    assert not hides(case)


def test_a_raise_that_waits_for_a_review_is_forgotten() -> None:
    """Whoever asked for it did not know of the objection."""
    case = given_case(recording(11, **PUBLIC))
    after(case, consenting(12, "name", may_publish=False), objecting(20))
    assert not case.pending
    refused(case, reviewing(21, 12), ConflictError)
    assert public_numbers(case) == []


def test_a_raise_that_waits_stays_where_nothing_was_hidden() -> None:
    case = given_case(recording(11, **PUBLIC), publish="none")
    after(case, consenting(12, "name", may_publish=False), objecting(20), reviewing(21, 12))
    assert public_numbers(case) == [11]


def test_so_many_are_open_at_once_and_no_more() -> None:
    case = given_case(recording(11, **PUBLIC))
    after(case, *(objecting(100 + n) for n in range(MOST_OPEN)))
    refused(case, objecting(200), ConflictError)
    after(case, consenting(201, "anonymous"), objecting(202))
    assert len(case.objections) == MOST_OPEN + 1


# -- until when it is open ------------------------------------------------------------------------


def test_consent_that_is_told_anew_settles_all_that_are_open() -> None:
    case = given_case(recording(11, **PUBLIC))
    after(case, objecting(20), objecting(21, text="it is me"))
    first = case.find_open_objection()
    assert first is not None
    assert (first.event_id, first.recorded_at) == (numbered(20), NOW)
    after(case, consenting(22, "anonymous"), objecting(23))
    assert settled_by(case) == [22, 22, None]
    after(case, consenting(24, "none"))
    assert settled_by(case) == [22, 22, 24]
    assert case.find_open_objection() is None


def test_consent_that_waits_settles_when_it_is_approved() -> None:
    case = given_case(recording(11, **PUBLIC))
    after(case, objecting(20), consenting(21, "anonymous", may_publish=False))
    assert settled_by(case) == [None]
    declined = after(case, reviewing(22, 21, "decline"))
    assert settled_by(declined) == [None]
    after(case, consenting(23, "anonymous", may_publish=False), reviewing(24, 23))
    assert settled_by(case) == [24]


def test_consent_that_the_operator_narrows_settles_nothing() -> None:
    case = given_case(recording(11, **PUBLIC))
    after(case, objecting(20), consenting(21, "name"), objecting(22))
    after(case, consenting(23, "anonymous", partner_id=OPERATOR_ID, may_review=True))
    assert settled_by(case) == [21, None]


def test_claims_and_reviews_settle_nothing() -> None:
    case = given_case(recording(11, visibility="public", may_publish=False))
    after(case, objecting(20), reviewing(21, 11), recording(22, "detention.released"))
    assert settled_by(case) == [None]


def test_who_says_the_same_again_is_known() -> None:
    case = given_case(recording(11, **PUBLIC))
    after(case, objecting(20, "relative", "my brother", contact="me@example.org"))
    (made,) = case.objections
    again = {"by": "relative", "text": "my brother", "contact": "me@example.org", "hides": False}
    assert made.says_the_same(ObjectionMade(**again))
    for other in ({"by": "person"}, {"text": "my son"}, {"text": None}, {"contact": None}):
        assert not made.says_the_same(ObjectionMade(**again | other))


def test_earlier_states_of_the_case_tell_what_was_open_then() -> None:
    case = given_case(recording(11, **PUBLIC))
    then = after(given_case(recording(11, **PUBLIC)), objecting(20))
    after(case, objecting(20), consenting(21, "anonymous"))
    then.limit_to(case)
    assert then.find_open_objection() is not None


# -- cases of one person --------------------------------------------------------------------------


def test_cases_that_went_are_hidden_with_the_one_that_stays() -> None:
    main = given_case(recording(11, **PUBLIC))
    gone = other_case(200, recording(31, case_id=numbered(200), partner_id=OTHER, **PUBLIC))
    merged = merging(32, main.id, case_id=gone.id, partner_id=THIRD, may_review=True)
    after(gone, merged, scene=Scene(now=NOW, into=main))
    dossier = Dossier(main, (gone,))
    assert [c.event_id.int for _, c in dossier.list_shown()] == [11, 31]
    after(main, objecting(20))
    assert list(dossier.list_counted()) == []
    # By itself it would be out again: it has its own objection.
    assert public_numbers(gone) == [31]
    after(gone, objecting(33, case_id=gone.id))
    assert public_numbers(gone) == []


# -- the rule alone -------------------------------------------------------------------------------


def test_what_is_hidden_cannot_be_hidden() -> None:
    assert can_hide(AGREED, ())
    assert not can_hide(hidden(AGREED), ())
    assert hidden(hidden(AGREED)) == hidden(AGREED)
