"""The breakdown adds up to the statistics, and its months are the statistics of their last days."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caseflow.domain.breakdown import (
    BANDS,
    HELD_FOR,
    NOT_HELD,
    OUTCOMES,
    Breakdown,
    BreakdownTally,
    Month,
    break_down,
)
from caseflow.domain.dates import last_day_of
from caseflow.domain.statistics import DEPARTED, RETURNED, CaseFacts, Statistics, tally
from tests.strategies import FRAME, demo_facts, random_claims, tell

UNTIL = "2026-11-01"
DAYS = ("2022-09-15", "2024-12-31", "2026-01-29", "2026-02-10")
NONE = dict.fromkeys(RETURNED, 0)


def of(*cases: CaseFacts, as_of: str | None = None) -> Breakdown:
    return break_down(cases, as_of=as_of, until=as_of or UNTIL)


def case(*claims: object, persons: int = 1) -> CaseFacts:
    return CaseFacts(FRAME, persons, claims)  # type: ignore[arg-type]


def check_sums(found: Breakdown, numbers: Statistics) -> None:
    """Every total of the breakdown is one of the statistics."""
    assert found.persons == sum(flow.persons for flow in found.flows) == numbers.persons
    assert sum(band.persons for band in found.custody_days) == numbers.custody_days.persons
    by_outcome = dict.fromkeys(OUTCOMES, 0)
    for flow in found.flows:
        by_outcome[flow.outcome] += flow.persons
    assert {kind: by_outcome[kind] for kind in RETURNED} == {
        kind: numbers.returned[kind] for kind in RETURNED
    }
    assert by_outcome["departed"] == sum(numbers.departed[kind] for kind in DEPARTED)
    last = found.returns[-1].possible if found.returns else NONE
    assert last == {kind: numbers.returned[kind] for kind in RETURNED}


def check_months(found: Breakdown, cases: list[CaseFacts]) -> None:
    """Each month has the numbers of its last day, those that are certain and those that may be."""
    assert [month.month for month in found.returns] == sorted({m.month for m in found.returns})
    for month in found.returns:
        day = last_day_of(month.month)
        numbers = tally(cases, as_of=day, until=day)
        assert month.possible == {kind: numbers.returned[kind] for kind in RETURNED}


def test_the_breakdown_of_the_demo_cases_adds_up_on_every_day() -> None:
    cases = list(demo_facts().values())
    for day in (None, *DAYS):
        found = of(*cases, as_of=day)
        check_sums(found, tally(cases, as_of=day, until=day or UNTIL))
    check_months(of(*cases), cases)


@given(st.lists(random_claims(at_most=5), min_size=1, max_size=3), st.sampled_from((None, *DAYS)))
def test_the_breakdown_of_any_cases_adds_up(histories: list[object], day: str | None) -> None:
    cases = [case(*claims, persons=n) for n, claims in enumerate(histories, 1)]  # type: ignore[misc]
    found = of(*cases, as_of=day)
    check_sums(found, tally(cases, as_of=day, until=day or UNTIL))
    if day is None:
        check_months(found, cases)


def test_an_uncertain_date_is_a_band_from_what_may_be_to_what_is_certain() -> None:
    told = case(tell(1, "return.abducted", "2024-02/2024-05"), persons=3)
    assert of(told).returns == [
        Month("2024-02", NONE, NONE | {"abducted": 3}),
        Month("2024-05", NONE | {"abducted": 3}, NONE | {"abducted": 3}),
    ]
    assert of(told, as_of="2024-03-10").returns == [Month("2024-02", NONE, NONE | {"abducted": 3})]


def test_what_has_an_open_start_is_possible_from_the_first_month_that_is_told() -> None:
    told = case(tell(2, "return.abducted", "../2024-05"))
    assert [m.month for m in of(told).returns] == ["2024-05"]
    assert of(told, as_of="2023-07-01").returns == [Month("2023-07", NONE, NONE | {"abducted": 1})]


def test_whoever_was_returned_in_another_way_than_thought_moves_from_kind_to_kind() -> None:
    told = case(
        tell(3, "return.voluntary", "2024-02-03", pressure="none"),
        tell(4, "expulsion.executed", "2024-06-01"),
    )
    assert [
        (m.month, m.possible["returned"], m.possible["deported"]) for m in of(told).returns
    ] == [
        ("2024-02", 1, 0),
        ("2024-06", 0, 1),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("administrative", "extradition"), ("extradition", "criminal"), ("other", "criminal"),
        ("criminal", "administrative"), ("other", "administrative"), ("extradition", "other"),
    ],
)  # fmt: skip
def test_of_several_reasons_for_custody_a_person_is_counted_under_one(one: str, other: str) -> None:
    held = case(
        tell(1, "detention.custody_ordered", "2024-01-01", basis=one),
        tell(2, "detention.custody_ordered", "2024-01-03", basis=other),
        persons=4,
    )
    free = case(tell(3, "asylum.recognised", "2024-01-01"))
    flows = {f.held_for: f.persons for f in of(held, free).flows}
    assert flows == {min((one, other), key=HELD_FOR.index): 4, NOT_HELD: 1}


def test_what_moved_a_person_goes_before_what_else_is_known() -> None:
    told = (
        tell(1, "asylum.recognised", "2024-01-01"),
        tell(2, "person.died", "2024-05-01"),
        tell(3, "expulsion.executed", "2024-04-01"),
    )
    outcomes = [of(case(*told[:n])).flows[0].outcome for n in (1, 2, 3)]
    assert outcomes == ["recognised", "died", "deported"]


def test_every_number_of_days_is_in_one_band() -> None:
    bands = of(case(tell(8, "detention.apprehended", "2024-01-01"))).custody_days
    assert [band.shortest for band in bands] == list(BANDS)
    assert [band.longest for band in bands] == [first - 1 for first in BANDS[1:]] + [None]
    assert [band.persons for band in bands] == [0, 0, 0, 0, 1]


@given(
    st.lists(random_claims(at_most=4), min_size=2, max_size=4),
    st.integers(0, 3),
    st.sampled_from((None, *DAYS)),
)
def test_what_a_case_added_can_be_taken_back(
    histories: list[object], left_out: int, as_of: str | None
) -> None:
    cases = [case(*claims, persons=n) for n, claims in enumerate(histories, 1)]  # type: ignore[misc]
    counting = BreakdownTally(as_of=as_of, until=as_of or UNTIL)
    pieces = [counting.add(one) for one in cases]
    gone = left_out % len(cases)
    if (piece := pieces[gone]) is not None:
        counting.count(piece, -1)
    assert counting.result() == of(*cases[:gone], *cases[gone + 1 :], as_of=as_of)
