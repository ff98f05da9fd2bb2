"""The aggregate: what became of a case and its claims, given its events."""

from collections.abc import Callable
from typing import Any

import pytest

from caseflow.domain.case import Case, RecordedClaim, evolve
from caseflow.domain.commands import RecordClaim
from caseflow.domain.decisions import Scene, decide
from caseflow.domain.errors import NotFoundError
from caseflow.domain.events import Consent
from tests.commands import (
    CASE,
    LATER,
    NOW,
    OTHER,
    PARTNER,
    THIRD,
    after,
    amending,
    consenting,
    correcting,
    corroborating,
    disputing,
    given_case,
    merging,
    numbers,
    opening,
    other_case,
    public_numbers,
    recording,
    retracting,
    reviewing,
    showing,
    unmerging,
)
from tests.strategies import numbered

PUBLIC: dict[str, Any] = {"visibility": "public"}


def get(case: Case, number: int) -> RecordedClaim:
    """Return a claim by the number that tests give it."""
    return case.get_claim(numbered(number))


def test_an_opening_makes_the_first_version() -> None:
    event = decide(None, opening(), NOW)
    assert (event.originator_version, event.recorded_at, event.type) == (1, NOW, "case.opened")
    case = evolve(None, event)
    assert case is not None
    assert (case.id, case.version, case.persons, case.code) == (CASE, 1, 2, "KZ-7Q3K-9F2M")
    assert (case.host_state, case.origin_state, case.external_id) == ("KZ", "RU", "mine")
    assert (case.opened_at, case.amended_at) == (NOW, NOW)


def test_a_claim_is_the_next_version() -> None:
    case = given_case(recording(11, "asylum.registered"))
    event = decide(case, recording(12, "asylum.refused", "2025-06"), LATER)
    assert (event.originator_id, event.originator_version, event.recorded_at) == (CASE, 3, LATER)
    case.evolve(event)
    assert (case.version, numbers(case.claims)) == (3, [11, 12])
    # The case itself was not told anew, and of the claims the second alone.
    assert [case.amended_at, *(c.changed_at for c in case.claims.values())] == [NOW, NOW, LATER]
    assert case.status_for("restricted").headline == "asylum_refused"


def test_claims_are_recorded_with_what_became_of_them() -> None:
    case = given_case(recording(11, "person.died", visibility="public"))
    found = case.get_claim(numbered(11))
    assert isinstance(found, RecordedClaim)
    assert (found.version, found.recorded_at, found.partner_id) == (2, NOW, PARTNER)
    assert (found.root, found.corrects, found.posted_by) == (numbered(11), None, PARTNER)
    assert (found.author, found.in_force, found.is_public) == ("Partner", True, True)
    with pytest.raises(NotFoundError):
        case.get_claim(numbered(12))


def test_a_replay_of_no_events_is_no_case() -> None:
    assert Case.from_events([]) is None


def test_an_appeal_against_what_cannot_be_appealed_is_kept() -> None:
    case = given_case(
        recording(11, "detention.custody_ordered"), recording(12, "appeal.filed", against=11)
    )
    assert set(case.status_for("restricted").tracks) == {"liberty"}


def test_each_audience_has_the_status_of_what_it_may_read() -> None:
    case = given_case(
        recording(11, "asylum.registered"),
        recording(12, "asylum.refused", "2025-06", visibility="public"),
        recording(13, "extradition.granted"),
    )
    assert (case.version, public_numbers(case)) == (4, [12])
    assert case.status_for("public").headline == "asylum_refused"
    after(case, recording(14, "person.died", visibility="public"))
    assert case.status_for("public").headline == "died"
    assert set(case.status_for("public").tracks) == {"asylum", "life"}
    assert set(case.status_for("partners").tracks) == {"asylum", "extradition", "life"}


def test_audiences() -> None:
    case = given_case(
        recording(11, "asylum.registered", visibility="public"),
        recording(12, "asylum.refused"),
        recording(13, "person.died", visibility="restricted"),
        recording(14, "interim.requested", visibility="public", partner_id=OTHER),
    )

    def read(audience: Any, own: Any = None) -> list[int]:
        return numbers(c.event_id for c in case.claims_for(audience, own))

    assert read("public") == [11]
    assert read("partners") == [11, 12]
    assert read("partners", PARTNER) == [11, 12, 13]
    assert read("partners", OTHER) == [11, 12, 14]
    assert read("restricted") == [11, 12, 13, 14]


# -- what tells too much --------------------------------------------------------------------------


def test_what_happened_abroad_after_a_departure_does_not_tell_where() -> None:
    abroad = {"jurisdiction": "DE", "place": "Berlin", "visibility": "public"}
    case = given_case(
        recording(11, "prosecution.verdict", "2023", outcome="convicted", **abroad),
        recording(12, "departure.left", "2024-05", visibility="public"),
        recording(13, "person.died", "2025-05", **abroad),
        recording(14, "detention.contact_denied", "2024-01", **abroad),
        recording(15, "expulsion.executed", "2025-06", destination="RU", **abroad),
    )
    hidden = {number: case.get_claim(numbered(number)).tells_refuge for number in range(11, 16)}
    assert hidden == {11: False, 12: True, 13: True, 14: False, 15: False}
    assert case.get_claim(numbered(13)).facts.jurisdiction == ""
    assert case.status_for("public").headline == "died"


APPEALING: list[Callable[[], list[RecordClaim]]] = [
    lambda: [recording(12, "appeal.filed", against=11, visibility="public")],
    lambda: [
        recording(12, "appeal.filed", against=11),
        recording(13, "appeal.decided", against=12, outcome="quashed", visibility="public"),
    ],
    lambda: [
        recording(12, "appeal.decided", against=11),
        recording(13, "appeal.filed", against=12),
        recording(14, "appeal.became_final", against=13, visibility="public"),
    ],
]


@pytest.mark.parametrize("appeals", APPEALING)
@pytest.mark.parametrize("basis", ["own", "representative"])
def test_asylum_told_by_a_representative_stays_with_partners_appeals_included(
    appeals: Callable[[], list[RecordClaim]], basis: str
) -> None:
    decision = recording(11, "asylum.refused", visibility="public")
    case = given_case(decision, *appeals(), publish="anonymous", basis=basis)
    last = list(case.claims.values())[-1]
    assert last.standing.about_asylum
    assert last.is_public is (basis == "own")
    if basis == "representative":
        assert (last.visibility, last.publication.reason) == ("partners", "asylum_consent")


def test_an_appeal_against_another_decision_is_not_about_asylum() -> None:
    case = given_case(
        recording(11, "expulsion.ordered"),
        recording(12, "appeal.filed", against=11, visibility="public"),
        publish="anonymous",
        basis="representative",
    )
    assert case.get_claim(numbered(12)).is_public


# -- corrections and retractions ------------------------------------------------------------------


def test_a_correction_takes_the_place_of_what_it_corrects() -> None:
    case = given_case(recording(11, "extradition.granted", **PUBLIC))
    after(
        case, correcting(12, 11, "extradition.refused", reason="new_evidence", **PUBLIC), at=LATER
    )
    before, now = get(case, 11), get(case, 12)
    assert (before.in_force, before.replaced_by) == (False, numbered(12))
    assert before.publication == ("withheld", "corrected", False)
    assert (now.corrects, now.root, now.reason) == (numbered(11), numbered(11), "new_evidence")
    assert (now.is_public, now.version, now.recorded_at) == (True, 3, LATER)
    assert case.status_for("public").headline == "extradition_refused"
    assert case.status_for("restricted").headline == "extradition_refused"
    assert numbers(c.event_id for c in case.readable_claims("partners")) == [11, 12]


def test_whichever_version_is_named_the_last_one_is_meant() -> None:
    case = given_case(
        recording(11, **PUBLIC), correcting(12, 11, **PUBLIC), correcting(13, 11, **PUBLIC)
    )
    for number in (11, 12, 13):
        assert case.get_latest(numbered(number)).event_id == numbered(13)
    assert (get(case, 13).corrects, get(case, 13).root) == (numbered(12), numbered(11))
    after(case, retracting(14, 12, reason="unsafe"))
    assert get(case, 13).retraction == (numbered(14), "unsafe")
    assert (get(case, 11).retraction, public_numbers(case)) == (None, [])


def test_whoever_corrects_a_claim_it_stays_the_account_of_its_author() -> None:
    case = given_case(recording(11))
    after(case, correcting(12, 11, partner_id=OTHER, author="Other", may_review=True))
    now = get(case, 12)
    assert (now.partner_id, now.author, now.facts.partner) == (PARTNER, "Partner", str(PARTNER))
    assert now.posted_by == OTHER
    assert numbers(c.event_id for c in case.readable_claims("public", PARTNER)) == [11, 12]


def test_what_names_a_corrected_claim_is_about_the_correction() -> None:
    case = given_case(
        recording(11, "extradition.granted"),
        recording(12, "appeal.filed", "2025-06", against=11, after=11),
        correcting(13, 11, "expulsion.ordered"),
        correcting(14, 13, "expulsion.ordered", "2025-05-02"),
    )
    facts = case.facts_for(get(case, 12))
    assert (facts.against, facts.after) == (numbered(14), numbered(14))
    assert case.status_for("partners").tracks["expulsion"].state == "appeal_pending"
    assert "extradition" not in case.status_for("partners").tracks


def test_a_correction_that_waits_has_taken_the_old_text_out_of_the_public() -> None:
    case = given_case(recording(11, **PUBLIC), correcting(12, 11, **PUBLIC, may_publish=False))
    assert get(case, 12).publication.state == "awaiting_review"
    assert public_numbers(case) == []
    assert case.status_for("partners").headline == "died"
    after(case, reviewing(13, 12))
    assert public_numbers(case) == [12]


def test_a_retracted_claim_is_in_no_status() -> None:
    case = given_case(recording(11, "asylum.registered", **PUBLIC), recording(12, **PUBLIC))
    after(case, retracting(13, 12, reason="wrong_person"), at=LATER)
    assert case.status_for("public").headline == "asylum_pending"
    assert case.status_for("restricted").headline == "asylum_pending"
    taken_back = get(case, 12)
    assert taken_back.publication == ("withheld", "retracted", False)
    assert (taken_back.changed_at, taken_back.in_force) == (LATER, False)


# -- what others think of a claim -----------------------------------------------------------------


def stances(case: Case, number: int) -> list[tuple[int, bool, bool]]:
    """Return partner, whether it disputes and whether it holds the claim to be wrong."""
    found = get(case, number)
    told = list(case.stances_on(found))
    assert {s.claim for s in told} <= {found.event_id}
    return [(int(s.partner.replace("-", ""), 16), s.disputes, s.rank_against) for s in told]


def test_the_last_word_of_each_partner_counts() -> None:
    case = given_case(
        recording(11),
        disputing(12, 11),
        corroborating(13, 11, partner_id=THIRD),
        corroborating(14, 11),
        disputing(15, 11, rank_against=False),
    )
    assert stances(case, 11) == [(THIRD.int, False, False), (OTHER.int, True, False)]
    last = get(case, 11).judgements[OTHER]
    assert (last.event_id, last.disputes) == (numbered(15), True)
    assert case.find_judged(numbered(14)) is None
    assert case.find_judged(numbered(15)) is get(case, 11)


@pytest.mark.parametrize(
    ("reason", "kept"),
    [("typo", True), ("translation", True), ("new_evidence", False), ("wrong_person", False)],
)
def test_what_others_think_outlives_a_correction_of_the_wording_alone(
    reason: str, kept: bool
) -> None:
    case = given_case(recording(11), disputing(12, 11), correcting(13, 11, reason=reason))
    assert stances(case, 13) == ([(OTHER.int, True, True)] if kept else [])


def test_a_claim_that_more_hold_to_be_wrong_than_stand_by_is_outvoted() -> None:
    case = given_case(recording(11, "asylum.registered"), recording(12), disputing(13, 12))
    assert case.status_for("partners").headline == "died"
    after(case, disputing(14, 12, partner_id=THIRD))
    assert case.status_for("partners").headline == "asylum_pending"
    after(case, correcting(15, 12, reason="typo"))
    assert case.status_for("partners").headline == "asylum_pending"
    after(case, corroborating(16, 12, partner_id=THIRD))
    assert case.status_for("partners").headline == "died"


def test_a_judgement_that_waits_counts_among_partners_at_once() -> None:
    case = given_case(
        recording(11),
        disputing(12, 11, may_publish=False),
        disputing(13, 11, partner_id=THIRD, may_publish=False),
    )
    assert case.status_for("partners").headline != "died"
    assert [j.hold for j in get(case, 11).judgements.values()] == ["review", "review"]
    after(case, reviewing(14, 12))
    assert [j.hold for j in get(case, 11).judgements.values()] == [None, "review"]
    after(case, reviewing(15, 13, "decline", partner_id=PARTNER))
    assert [j.hold for j in get(case, 11).judgements.values()] == [None, "review"]


# -- visibility -----------------------------------------------------------------------------------


def audiences(case: Case) -> dict[int, str]:
    """Return the audience of each claim."""
    return {c.event_id.int: c.visibility for c in case.claims.values()}


def test_what_is_hidden_is_hidden_in_all_its_versions() -> None:
    case = given_case(
        recording(11, **PUBLIC), correcting(12, 11, **PUBLIC), recording(13, **PUBLIC)
    )
    after(case, showing(14, 11, "partners"))
    assert audiences(case) == {11: "partners", 12: "partners", 13: "public"}
    after(case, showing(15, 12, "restricted"))
    assert audiences(case) == {11: "restricted", 12: "restricted", 13: "public"}
    after(case, showing(16, 12, "public"))
    assert audiences(case) == {11: "restricted", 12: "public", 13: "public"}


def test_a_raise_that_waits_has_no_effect_until_it_is_approved() -> None:
    case = given_case(recording(11), showing(12, 11, "public", may_publish=False))
    assert (audiences(case), public_numbers(case)) == ({11: "partners"}, [])
    after(case, reviewing(13, 12), at=LATER)
    assert (audiences(case), public_numbers(case)) == ({11: "public"}, [11])
    assert (get(case, 11).changed_at, case.pending) == (LATER, {})


def test_a_raise_that_is_declined_has_no_effect_at_all() -> None:
    case = given_case(recording(11), showing(12, 11, "public", may_publish=False))
    after(case, reviewing(13, 12, "decline"))
    assert (audiences(case), case.pending) == ({11: "partners"}, {})
    assert not get(case, 11).standing.declined


@pytest.mark.parametrize(
    "later",
    [
        lambda: showing(13, 11, "restricted"),
        lambda: showing(13, 11, "public", may_publish=False),
        lambda: correcting(13, 11, visibility="restricted"),
        lambda: correcting(13, 11, place="дом Жилина"),
    ],
)
def test_a_raise_that_waits_is_forgotten_after_a_later_word(later: Callable[[], Any]) -> None:
    case = given_case(recording(11), showing(12, 11, "public", may_publish=False), later())
    assert numbered(12) not in case.pending


def test_a_raise_of_an_earlier_version_is_forgotten_after_a_later_word_on_a_later_one() -> None:
    case = given_case(
        recording(11),
        correcting(12, 11),
        showing(13, 11, "public", may_publish=False),
        correcting(14, 11),
        showing(15, 14, "restricted"),
    )
    assert (case.pending, set(audiences(case).values())) == ({}, {"restricted"})


def test_what_is_hidden_until_a_review_comes_back_by_one() -> None:
    case = given_case(recording(11, **PUBLIC))
    after(case, showing(12, 11, "restricted", until_review=True, partner_id=THIRD, may_review=True))
    assert (audiences(case), public_numbers(case)) == ({11: "restricted"}, [])
    # Posted by the partner whose key was stolen: it does not bring it back itself.
    assert case.pending[numbered(12)].posted_by == PARTNER
    after(case, reviewing(13, 12, reads_restricted=True))
    assert (public_numbers(case), case.pending) == ([11], {})


def test_what_is_hidden_twice_comes_back_as_it_was_at_first() -> None:
    hide = {"until_review": True, "partner_id": THIRD, "may_review": True}
    case = given_case(
        recording(11, **PUBLIC),
        showing(12, 11, "restricted", **hide),
        showing(13, 11, "restricted", **hide, reads_restricted=True),
    )
    assert list(case.pending) == [numbered(13)]
    after(case, reviewing(14, 13, reads_restricted=True))
    assert public_numbers(case) == [11]


# -- the person -----------------------------------------------------------------------------------


def test_a_narrower_consent_has_its_effect_at_once() -> None:
    case = given_case(recording(11, **PUBLIC))
    after(case, consenting(12, "none", may_publish=False, two_person=True), at=LATER)
    assert (case.consent.publish, case.amended_at, public_numbers(case)) == ("none", LATER, [])
    assert get(case, 11).publication.reason == "consent_none"
    after(case, consenting(13, "anonymous"))
    assert public_numbers(case) == [11]


def test_what_is_wider_in_a_consent_waits_and_what_is_narrower_does_not() -> None:
    sourced = {"sources": [{"title": "T", "url": "https://x.org"}]}
    case = given_case(recording(11, **PUBLIC, **sourced), publish="initials", share=True)
    before = case.consent
    after(case, consenting(12, "anonymous", "already_public", may_publish=False))
    assert case.consent == Consent(publish="anonymous", basis="own")
    assert before.share
    after(case, reviewing(13, 12))
    assert case.consent == Consent(publish="anonymous", basis="already_public")


def test_a_wider_consent_that_is_declined_leaves_what_both_agreed_to() -> None:
    case = given_case(
        recording(11, **PUBLIC),
        consenting(12, "count", "already_public", two_person=True),
        reviewing(13, 12, "decline"),
    )
    assert case.consent == Consent(publish="count", basis="own")
    assert case.pending == {}


@pytest.mark.parametrize(
    "later", [lambda: consenting(13, "none"), lambda: consenting(13, "initials", two_person=True)]
)
def test_a_consent_that_waits_is_forgotten_after_a_later_one(later: Callable[[], Any]) -> None:
    case = given_case(consenting(12, "name", two_person=True), later())
    assert numbered(12) not in case.pending


NAMING = {"place": "дом Петрова"}


@pytest.mark.parametrize("options", [{}, {"two_person": True}])
def test_names_that_wait_are_forgotten_after_later_ones(options: dict[str, Any]) -> None:
    case = given_case(
        amending(12, "Пётр Петров", two_person=True),
        amending(13, "Пётр Сидоров", **options),
        publish="name",
    )
    assert numbered(12) not in case.pending


def test_a_text_that_turns_out_to_name_the_person_is_withheld() -> None:
    case = given_case(recording(11, **PUBLIC, **NAMING), recording(12, **PUBLIC))
    after(case, amending(13, "Михаил Жилин", "Пётр Петров"))
    assert get(case, 11).publication == ("withheld", "names_person", False)
    assert public_numbers(case) == [12]
    after(case, consenting(14, "name"))
    assert public_numbers(case) == [11, 12]
    after(case, consenting(15, "initials"))
    assert public_numbers(case) == [12]
    after(case, amending(16, "Михаил Жилин"))
    assert public_numbers(case) == [11, 12]


def test_a_source_that_names_the_person_is_found_once_sources_are_public() -> None:
    source = {"title": "Жилин", "url": "https://x.org"}
    case = given_case(recording(11, **PUBLIC, sources=[source]))
    assert public_numbers(case) == [11]
    after(case, consenting(12, "anonymous", "already_public"))
    assert get(case, 11).publication.reason == "names_person"


def test_a_text_that_was_for_partners_is_searched_when_its_raise_has_its_effect() -> None:
    """The raise was allowed while the person agreed to be named."""
    case = given_case(
        recording(11, place="дом Жилина"),
        showing(12, 11, "public", two_person=True),
        publish="name",
    )
    after(case, consenting(13, "anonymous"), reviewing(14, 12))
    assert (public_numbers(case), get(case, 11).publication.reason) == ([], "names_person")


# -- identity -------------------------------------------------------------------------------------


def test_a_case_that_stands_by_itself_again_remembers_whom_it_is_not_about() -> None:
    case, other = given_case(), other_case()
    after(case, merging(12, other.id), scene=Scene(now=NOW, into=other), at=LATER)
    assert (case.merged_into, case.apart_from, case.amended_at) == (other.id, frozenset(), LATER)
    after(case, unmerging(13), scene=Scene(now=NOW, into=other))
    assert (case.merged_into, case.apart_from) == (None, {other.id})


def test_a_merge_that_contradicts_waits_and_is_carried_out_by_its_approval() -> None:
    case, other = given_case(), other_case()
    scene = Scene(now=NOW, into=other)
    after(case, unmerging(12, other.id), merging(13, other.id), scene=scene)
    assert (case.merged_into, list(case.pending)) == (None, [numbered(13)])
    after(case, reviewing(14, 13), scene=scene)
    assert (case.merged_into, case.pending) == (other.id, {})


def test_a_merge_that_waits_is_forgotten_after_another() -> None:
    case, other, third = given_case(), other_case(), other_case(300)
    scene = Scene(now=NOW, into=other)
    after(case, unmerging(12, other.id), merging(13, other.id), scene=scene)
    after(case, merging(14, third.id), scene=Scene(now=NOW, into=third))
    assert (case.merged_into, case.pending) == (third.id, {})


def test_a_merge_that_waits_is_forgotten_after_another_word_that_they_are_not_the_same() -> None:
    case, other = given_case(), other_case()
    after(
        case,
        unmerging(12, other.id),
        merging(13, other.id),
        unmerging(14, other.id),
        scene=Scene(now=NOW, into=other),
    )
    assert (case.pending, case.apart_from) == ({}, {other.id})


# -- appeals against what was corrected -----------------------------------------------------------


def test_an_appeal_is_about_asylum_once_what_it_contests_is() -> None:
    case = given_case(
        recording(11, "expulsion.ordered"),
        recording(12, "appeal.filed", against=11, jurisdiction="FR", place="Paris", **PUBLIC),
        recording(13, "appeal.decided", against=12, outcome="upheld", **PUBLIC),
        basis="representative",
    )
    assert public_numbers(case) == [12, 13]
    assert not get(case, 12).tells_refuge
    after(case, correcting(14, 11, "asylum.refused"))
    assert public_numbers(case) == []
    assert {get(case, n).publication.reason for n in (12, 13)} == {"asylum_consent"}
    assert {get(case, n).visibility for n in (12, 13)} == {"partners"}
    found = get(case, 12)
    # Facts travel in the main backup, so they do not tell either.
    assert (found.tells_refuge, found.facts.jurisdiction) == (True, "")


def test_a_correction_of_what_it_contests_publishes_no_appeal() -> None:
    """Nor does it tell where it is heard. Who told the appeal may tell it anew."""
    case = given_case(
        recording(11, "asylum.refused"),
        recording(12, "appeal.filed", against=11, **PUBLIC),
        basis="representative",
    )
    after(case, correcting(13, 11, "expulsion.ordered", may_publish=False))
    assert public_numbers(case) == []
    after(case, correcting(14, 12, "appeal.filed", against=11, **PUBLIC))
    assert public_numbers(case) == [14]
