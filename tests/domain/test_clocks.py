"""Legal clocks: until when terms run, whatever is told in which order and however vaguely."""

import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caseflow.domain.clocks import KINDS, STARTS, Clock, Days, ToldClaim, find_clocks
from caseflow.domain.facts import facts_of
from caseflow.domain.rules import find_rule_pack
from caseflow.domain.vocabulary import TYPES
from tests.strategies import claim, numbered

PACK = find_rule_pack("KZ")


def tell(number: int, type_code: str, occurred: str = "2025-05-01", **fields: Any) -> ToldClaim:
    told = claim(type_code, occurred, **fields)
    facts = facts_of(told, event_id=numbered(number), partner="p", host_state="KZ")
    return ToldClaim(facts, told)


def order(number: int, occurred: str = "2025-05-01", **fields: Any) -> ToldClaim:
    return tell(number, "detention.custody_ordered", occurred, **{"basis": "extradition", **fields})


def clocks(*told: ToldClaim) -> dict[str, Days]:
    found = find_clocks(told, PACK)
    assert len({(one.kind, one.claim) for one in found}) == len(found)
    return {one.kind: one.due for one in found}


def exact(day: str) -> Days:
    return Days(day, day)


APPREHENDED = tell(1, "detention.apprehended", "2025-05-01", basis="wanted")
GRANTED = tell(3, "extradition.granted", "2025-06-10", notified="2025-06-12")


def test_the_pack_carries_its_terms_with_their_sources() -> None:
    assert PACK is not None
    assert {name: term.value for name, term in PACK.terms.items()} == {
        "holding_hours": 72, "arrest_before_request_days": 40, "extradition_arrest_months": 12,
        "extradition_appeal_days": 10,
    }  # fmt: skip
    assert not PACK.reviewed_by_lawyer
    for term in PACK.terms.values():
        assert term.source
        assert term.says
        assert term.starts_with in STARTS <= TYPES.keys()


def test_holding_ends_after_72_hours() -> None:
    assert clocks(APPREHENDED) == {"holding": exact("2025-05-04")}
    for end in (
        order(2, "2025-05-03"),
        tell(2, "detention.released", "2025-05-02", condition="none"),
        tell(2, "person.died", "2025-05"),
    ):
        assert "holding" not in clocks(APPREHENDED, end)
    # What was before it is no end of it.
    before = tell(2, "detention.released", "2025-04-30", condition="none")
    assert "holding" in clocks(APPREHENDED, before)


def test_arrest_for_an_extradition() -> None:
    assert clocks(order(1)) == {
        "arrest_before_request": exact("2025-06-10"), "extradition_arrest": exact("2026-05-01"),
    }  # fmt: skip
    requested = tell(2, "extradition.requested", "2025-05-20")
    assert clocks(order(1), requested) == {"extradition_arrest": exact("2026-05-01")}
    assert clocks(order(1, basis="criminal")) == {}
    # What is ordered later goes on with the same arrest.
    later = tell(2, "detention.custody_ordered", "2025-08-01", basis="extradition")
    assert clocks(order(1), later)["extradition_arrest"] == exact("2026-05-01")
    for end in (
        tell(3, "detention.released", "2025-06-01", condition="bail"),
        tell(3, "extradition.refused", "2025-06-01"),
        tell(3, "extradition.surrendered", "2025-06-01", destination="RU"),
        tell(3, "departure.left", "2025-06-01"),
    ):
        assert clocks(order(1), end) == {}
        # And whoever is arrested again, from then on.
        assert clocks(order(1), end, later)["extradition_arrest"] == exact("2026-08-01")


@pytest.mark.parametrize(
    ("occurred", "due"),
    [
        ("2024-02-29", exact("2025-02-28")), ("2023-12-31", exact("2024-12-31")),
        ("2025-05", Days("2026-05-01", "2026-05-31")), ("2025", Days("2026-01-01", "2026-12-31")),
        ("2025-05-01/2025-05-10", Days("2026-05-01", "2026-05-10")),
        ("[2025-05-01..2025-06-30]", Days("2026-05-01", "2026-06-30")),
        ("../2025-05-10", Days(None, "2026-05-10")), ("9999-12-31", exact("9001-01-01")),
        ("0000-01-01", exact("0002-01-01")),
    ],
)  # fmt: skip
def test_vague_days_give_vague_terms(occurred: str, due: Days) -> None:
    assert clocks(order(1, occurred))["extradition_arrest"] == due


def test_a_term_that_a_decision_has_set() -> None:
    assert clocks(order(1, term_days=30))["custody_order"] == exact("2025-05-31")
    extended = tell(2, "detention.custody_extended", "2025-05-30", until="2025-07")
    found = clocks(order(1, term_days=30), extended)
    assert found["custody_order"] == Days("2025-07-01", "2025-07-31")
    free = tell(3, "detention.released", "2025-06-15", condition="none")
    assert "custody_order" not in clocks(order(1, term_days=30), extended, free)
    assert find_clocks([order(1, basis="criminal", term_days=30)], None) == [
        Clock("custody_order", numbered(1), exact("2025-05-31"))
    ]


def test_ten_days_to_appeal_from_receipt() -> None:
    assert clocks(GRANTED) == {"appeal": exact("2025-06-22")}
    (clock,) = find_clocks([tell(3, "extradition.granted", "2025-06-10")], PACK)
    # Not told when it was received: it cannot have come before it was made.
    assert (clock.due, clock.is_received) == (exact("2025-06-20"), False)
    appeal = tell(4, "appeal.filed", "2025-06-15", against=str(numbered(3)))
    assert clocks(GRANTED, appeal) == {}
    other = tell(4, "appeal.filed", "2025-06-15", against=str(numbered(9)))
    assert "appeal" in clocks(GRANTED, other)
    assert clocks(GRANTED, tell(5, "departure.left", "2025-06-18")) == {}


def test_hearings() -> None:
    def hearing(number: int, on: str, occurred: str = "2025-07-01") -> ToldClaim:
        return tell(number, "appeal.hearing_set", occurred, against=str(numbered(9)), on=on)

    assert clocks(hearing(1, "2025-08-05")) == {"hearing": exact("2025-08-05")}
    anew = hearing(2, "2025-09", "2025-07-20")
    assert clocks(hearing(1, "2025-08-05"), anew) == {"hearing": Days("2025-09-01", "2025-09-30")}
    decided = tell(3, "appeal.decided", "2025-09-03", against=str(numbered(9)), outcome="upheld")
    assert clocks(hearing(1, "2025-08-05"), anew, decided) == {}
    assert [one.kind for one in find_clocks([hearing(1, "2025-08-05")], None)] == ["hearing"]


def test_without_rules_no_term_of_law_is_known() -> None:
    assert find_clocks([APPREHENDED, order(2), GRANTED], None) == []


# -- any order ------------------------------------------------------------------------------------

DAYS = ("2025-05-01", "2025-05-03", "2025-06", "2025", "../2025-07-01", "[2025-05..2025-08]")
FIELDS: dict[str, dict[str, Any]] = {
    "detention.apprehended": {"basis": "wanted"},
    "detention.custody_ordered": {"basis": "extradition", "term_days": 30},
    "detention.custody_extended": {"until": "2025-09-01"},
    "detention.released": {"condition": "none"},
    "extradition.requested": {}, "extradition.granted": {}, "extradition.refused": {},
    "appeal.filed": {"against": str(numbered(0))}, "person.died": {},
    "appeal.hearing_set": {"against": str(numbered(0)), "on": "2025-10-01"},
    "appeal.decided": {"against": str(numbered(0)), "outcome": "upheld"},
}  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from(sorted(FIELDS)), st.sampled_from(DAYS)), max_size=7),
    st.randoms(use_true_random=False),
)
def test_the_order_in_which_it_is_told_makes_no_difference(
    told: Sequence[tuple[str, str]], chance: random.Random
) -> None:
    claims = [tell(n, code, day, **FIELDS[code]) for n, (code, day) in enumerate(told)]
    shuffled = list(claims)
    chance.shuffle(shuffled)
    found = find_clocks(claims, PACK)
    assert found == find_clocks(shuffled, PACK)
    assert {one.kind for one in found} <= set(KINDS)
    for one in found:
        assert one.due.earliest is None or one.due.earliest <= one.due.latest
        assert isinstance(one.claim, UUID)
