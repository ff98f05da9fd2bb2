"""Flags: what a rule finds in a case, with the claims it was drawn from."""

import pytest

from caseflow.domain.facts import ClaimFacts
from caseflow.domain.rules import find_rule_pack
from tests.strategies import demo_facts, numbered, status_of, tell


def codes(*claims: ClaimFacts, **options: object) -> list[str]:
    return [flag.code for flag in status_of(*claims, **options).flags]


def test_a_removal_while_asylum_is_pending_is_flagged_with_both_claims() -> None:
    claims = (
        tell(1, "asylum.registered", "2025-01-10"),
        tell(2, "extradition.surrendered", "2025-03-01"),
    )
    (flag,) = status_of(*claims).flags
    assert flag.code == "removed_while_asylum_pending"
    assert flag.events == (str(numbered(1)), str(numbered(2)))


@pytest.mark.parametrize("before", ["asylum.refused", "asylum.recognised", "asylum.closed"])
def test_nothing_is_flagged_where_asylum_was_decided_before(before: str) -> None:
    claims = (
        tell(1, "asylum.registered", "2025-01-10"),
        tell(2, before, "2025-02-10"),
        tell(3, "expulsion.executed", "2025-03-01"),
    )
    assert codes(*claims) == []


def test_what_was_asked_only_after_the_removal_was_not_pending() -> None:
    claims = (
        tell(1, "expulsion.executed", "2025-03-01"),
        tell(2, "asylum.claim_made", "2025-03-02"),
    )
    assert codes(*claims) == []


def test_a_removal_during_an_appeal_is_flagged() -> None:
    claims = (
        tell(1, "extradition.granted", "2025-01-10"),
        tell(2, "appeal.filed", "2025-01-12", against=1),
        tell(3, "extradition.surrendered", "2025-03-01"),
    )
    assert codes(*claims) == ["removed_while_asylum_pending"]


def test_who_left_by_choice_was_not_removed() -> None:
    claims = (
        tell(1, "asylum.registered", "2025-01-10"),
        tell(2, "departure.left", "2025-03-01"),
    )
    assert codes(*claims) == []


def test_a_removal_against_interim_measures_is_flagged_until_they_are_lifted() -> None:
    granted = tell(1, "interim.decided", "2025-01-10", outcome="granted")
    lifted = tell(2, "interim.decided", "2025-02-10", outcome="lifted")
    removed = tell(3, "expulsion.executed", "2025-03-01")
    assert codes(granted, removed) == ["removed_against_interim_measures"]
    assert codes(granted, lifted, removed) == []


def test_extradition_arrest_beyond_a_year_is_flagged_in_kazakhstan() -> None:
    held = tell(1, "detention.custody_ordered", "2024-01-10", basis="extradition")
    assert codes(held, as_of="2025-01-10") == []
    assert codes(held, as_of="2025-03-01") == ["custody_over_limit"]
    other = tell(1, "detention.custody_ordered", "2024-01-10", basis="criminal")
    assert codes(other, as_of="2025-03-01") == []


def test_without_a_day_custody_is_measured_to_the_last_thing_told() -> None:
    held = tell(1, "detention.custody_ordered", "2024-01-10", basis="extradition")
    later = tell(2, "detention.contact_denied", "2025-06-01")
    assert codes(held) == []
    assert codes(held, later) == ["custody_over_limit"]


def test_the_rule_pack_of_kazakhstan_says_that_no_lawyer_has_read_it() -> None:
    pack = find_rule_pack("KZ")
    assert pack is not None
    assert not pack.reviewed_by_lawyer
    assert {name: term.value for name, term in pack.terms.items()} == {
        "holding_hours": 72,
        "arrest_before_request_days": 40,
        "extradition_arrest_months": 12,
        "extradition_appeal_days": 10,
    }
    assert all(term.source for term in pack.terms.values())
    assert find_rule_pack("FR") is None


def test_of_the_demo_cases_two_were_removed_with_their_claims_open() -> None:
    flagged = {
        name
        for name, case in demo_facts().items()
        if [f.code for f in status_of(*case.claims).flags] == ["removed_while_asylum_pending"]
    }
    assert flagged == {"zhilin", "bazhukov"}
