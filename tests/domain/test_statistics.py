"""Statistics: counts of persons by status; the demo cases give the expected figures."""

import json
from datetime import date, timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caseflow.domain.custody import custody_days
from caseflow.domain.effects import effects_of
from caseflow.domain.facts import ClaimFacts, Stance
from caseflow.domain.statistics import CaseFacts, Statistics, Tally, tally
from caseflow.domain.status import resolve
from tests.strategies import FRAME, demo_cases, demo_facts, numbered, random_claims, tell

EXPECTED: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "kazakhstan.expected.json").read_text("utf-8")
)


def count(*cases: CaseFacts, as_of: str | None = "2026-02-10") -> Statistics:
    return tally(cases, as_of=as_of, until=as_of or "2026-02-10")


def case(*claims: ClaimFacts, persons: int = 1, stances: tuple[Stance, ...] = ()) -> CaseFacts:
    return CaseFacts(FRAME, persons, claims, stances)


# -- the demo cases -------------------------------------------------------------------------------


def _figures(found: Statistics, expected: dict[str, Any]) -> dict[str, Any]:
    """Return of the figures found those that the file speaks of, zeros of the headline left out."""
    return {
        "cases": found.cases,
        "persons": found.persons,
        "at_risk": found.at_risk,
        "headline": {code: n for code, n in found.headline.items() if n},
        "returned": {k: n for k, n in found.returned.items() if k in expected["returned"]},
        "departed": {"total": found.departed["total"]},
        "asylum_recognised": found.tracks["asylum"]["recognised"],
    }


@pytest.mark.parametrize("day", EXPECTED)
def test_the_demo_cases_give_the_expected_figures(day: str) -> None:
    expected = {k: v for k, v in EXPECTED[day].items() if k not in ("says", "cases_at_risk")}
    assert _figures(count(*demo_facts().values(), as_of=day), expected) == expected


@pytest.mark.parametrize("day", EXPECTED)
def test_the_demo_cases_at_risk(day: str) -> None:
    at_risk = [
        name
        for name, told in demo_facts().items()
        if resolve(told.frame, told.claims, as_of=day).at_risk
    ]
    assert sorted(at_risk) == sorted(EXPECTED[day]["cases_at_risk"])


@pytest.mark.parametrize(("day", "uncertain"), [("2026-01-28", 6), ("2026-02-10", 2)])
def test_the_uncertain_of_the_demo_cases(day: str, uncertain: int) -> None:
    """On 10 February the two servicemen, whose end of extradition is dated up to that month."""
    assert count(*demo_facts().values(), as_of=day).uncertain == uncertain


def _without_events(found: Statistics, told: dict[str, CaseFacts], day: str) -> tuple[Any, ...]:
    statuses = {name: resolve(c.frame, c.claims, as_of=day) for name, c in told.items()}
    return found, {
        name: (
            s.headline,
            s.since,
            s.at_risk,
            {t: (track.state, track.since, track.ambiguous) for t, track in s.tracks.items()},
            [(d.track, d.states, sorted(map(str, d.dates))) for d in s.disputed],
        )
        for name, s in statuses.items()
    }


@settings(max_examples=200)
@given(st.randoms(use_true_random=False))
def test_the_demo_cases_in_any_order_with_any_ids_give_the_same(random: Random) -> None:
    external_ids = [e["external_id"] for c in demo_cases().values() for e in c.events]
    numbers = random.sample(range(1, 1_000), len(external_ids))
    ids = {name: numbered(n) for name, n in zip(external_ids, numbers, strict=True)}
    told = demo_facts(ids)
    shuffled = {
        name: CaseFacts(c.frame, c.persons, random.sample(c.claims, len(c.claims)))
        for name, c in random.sample(list(told.items()), len(told))
    }
    for day in EXPECTED:
        found = _without_events(count(*shuffled.values(), as_of=day), shuffled, day)
        assert found == _demo_answer(day)


def _demo_answer(day: str) -> tuple[Any, ...]:
    if day not in _ANSWERS:
        told = demo_facts()
        _ANSWERS[day] = _without_events(count(*told.values(), as_of=day), told, day)
    return _ANSWERS[day]


_ANSWERS: dict[str, tuple[Any, ...]] = {}


# -- who is counted -------------------------------------------------------------------------------


def test_persons_are_counted_not_cases() -> None:
    found = count(case(tell(1, "asylum.refused"), persons=6), case(tell(1, "departure.left")))
    assert (found.cases, found.persons, found.at_risk) == (2, 7, 6)
    assert found.headline["asylum_refused"] == 6
    assert found.tracks["asylum"]["refused"] == 6
    assert found.departed["total"] == 1


def test_a_case_counts_from_its_first_claim_in_force_on_that_day() -> None:
    told = case(tell(1, "detention.transferred", "2025-05"))
    assert count(told, as_of="2025-04-30").cases == 0
    assert count(told, as_of="2025-05-01").cases == 1
    assert count(case(), as_of=None).cases == 0
    against = tuple(
        Stance(claim=numbered(1), partner=p, disputes=True, rank_against=True) for p in "bc"
    )
    assert count(case(tell(1, "asylum.refused"), stances=against)).cases == 0


def test_every_headline_and_state_has_a_number() -> None:
    found = count(case(tell(1, "asylum.refused")))
    assert sum(found.headline.values()) == 1
    assert found.tracks["movement"]["extradited"] == 0
    assert set(found.returned) == {
        "total", "forced", "extradited", "deported", "abducted", "returned",
    }  # fmt: skip


@pytest.mark.parametrize("later", ["2026-01-29", "2026-02-02"])
def test_two_accounts_of_one_removal_count_one_person(later: str) -> None:
    told = case(
        tell(1, "extradition.surrendered", "2026-01-29", by="a"),
        tell(2, "expulsion.executed", later, by="b"),
    )
    found = count(told)
    assert found.persons == found.returned["total"] == found.returned["forced"] == 1
    assert sum(found.tracks["movement"].values()) == 1
    assert sum(month["removed"] for month in found.series) == 1  # type: ignore[misc]


def test_who_died_after_being_handed_over_was_handed_over() -> None:
    found = count(
        case(tell(1, "extradition.surrendered"), tell(2, "person.died", "2025-09")),
        case(tell(1, "departure.left"), tell(2, "person.died", "2025-09", jurisdiction="FR")),
    )
    assert found.headline["died"] == 2
    assert (found.returned["total"], found.returned["extradited"]) == (1, 1)
    assert found.departed["total"] == 1
    assert found.at_risk == 0


def test_returned_and_departed_by_kind() -> None:
    kinds = [
        "extradition.surrendered", "expulsion.executed", "return.abducted", "return.voluntary",
        "departure.left", "departure.protected",
    ]  # fmt: skip
    found = count(
        *(case(tell(1, kind)) for kind in kinds),
        case(tell(1, "expulsion.executed", destination="TR")),
    )
    assert found.returned == {
        "total": 4, "forced": 3, "extradited": 1, "deported": 1, "abducted": 1, "returned": 1,
    }  # fmt: skip
    assert found.departed["total"] == 2
    assert found.headline["removed_elsewhere"] == 1


# -- uncertain ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "uncertain"),
    [
        ([("asylum.refused", "2025-05")], 0),
        ([("asylum.refused", "2026-02")], 3),  # would not be counted
        ([("detention.transferred", "2026-02")], 3),  # nor here, though the headline is the same
        ([("asylum.claim_made", "2025"), ("asylum.refused", "2026-02")], 3),  # another headline
        ([("asylum.refused", "2025"), ("asylum.refused", "2026-02")], 0),  # the same headline
        ([("asylum.refused", "2025"), ("detention.released", "2026-02")], 0),  # the headline only
        ([("asylum.refused", "2026-03")], 0),  # not counted at all
        ([("asylum.refused", "[..2026-02-10]")], 0),
        ([("asylum.refused", "[..2026-02-11]")], 3),
    ],
)
def test_uncertain(claims: list[tuple[str, str]], uncertain: int) -> None:
    told = [tell(n, *told) for n, told in enumerate(claims, start=1)]
    assert count(case(*told, persons=3)).uncertain == uncertain


def test_nothing_is_uncertain_without_a_day() -> None:
    assert count(case(tell(1, "asylum.refused", "2026")), as_of=None).uncertain == 0


# -- days in custody ------------------------------------------------------------------------------

D = "2026-02-10"
HELD_FOR_IT = "detention.apprehended:wanted"


def days(*claims: ClaimFacts, until: str = D) -> int | None:
    standing = {c.id: c for c in claims}
    return custody_days([(c, effects_of(c, FRAME, standing)) for c in claims], until=until)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        # from the latest possible start to the earliest possible end
        ([("detention.apprehended", "2025-05"), ("detention.released", "2025-09")], 93),
        ([("detention.apprehended", "2025-05-31"), ("detention.released", "2025-09-01")], 93),
        # or to the day asked for
        ([("detention.custody_ordered", "2026-01")], 10),
        # detained first, custody ordered later: one stretch
        (
            [("detention.apprehended", "2026-01-01"), ("detention.custody_ordered", "2026-01-03")],
            40,
        ),
        (
            [
                ("detention.apprehended", "2026-01-01"),
                ("detention.custody_ordered", "2026-01-03"),
                ("detention.custody_extended", "2026-01-09"),
                ("detention.released", "2026-01-11"),
            ],
            10,
        ),
        # what ends it only after the day asked for
        ([("detention.apprehended", "2026-01-01"), ("detention.released", "2026-03-01")], 40),
        # what ends it: release, leaving, coming home, death
        ([("detention.apprehended", "2026-01-01"), ("expulsion.executed", "2026-01-11")], 10),
        ([("detention.apprehended", "2026-01-01"), ("person.entered", "2026-01-11")], 10),
        ([("detention.apprehended", "2026-01-01"), ("person.died", "2026-01-11")], 10),
        # the refusal of an extradition ends custody for it, and no other kind
        ([(HELD_FOR_IT, "2026-01-01"), ("extradition.refused", "2026-01-11")], 10),
        ([("detention.apprehended", "2026-01-01"), ("extradition.lapsed", "2026-01-11")], 40),
        # twice held
        (
            [
                ("detention.apprehended", "2025-01-01"),
                ("detention.released", "2025-01-11"),
                ("detention.apprehended", "2025-06-01"),
                ("detention.released", "2025-06-06"),
            ],
            15,
        ),
        # a day, and less than a day
        ([("detention.apprehended", "2026-02-09")], 1),
        ([("detention.apprehended", "2026-02-01"), ("detention.released", "2026-02-01")], 0),
        # nothing certain: the end may come before the start
        ([("detention.apprehended", "2024-04"), ("return.abducted", "2024-04")], None),
        ([(HELD_FOR_IT, "[2022..2023]"), ("extradition.refused", "[2022..2024]")],
         None),
        # a release within the span of the start is not before it
        (
            [
                ("detention.apprehended", "2025-08-31"),
                ("detention.custody_ordered", "[2025-08-31..2025-10]"),
                ("detention.released", "2025-10-15"),
            ],
            45,
        ),
        # custody on another basis, or on none stated, is not ended, and no day counts twice
        (
            [
                (HELD_FOR_IT, "2026-01-01"),
                ("detention.custody_ordered:criminal", "2026-01-03"),
                ("extradition.refused", "2026-01-21"),
            ],
            40,
        ),
        (
            [
                (HELD_FOR_IT, "2026-01-01"),
                ("detention.custody_extended", "2026-01-09"),
                ("extradition.lapsed", "2026-01-21"),
            ],
            40,
        ),
        (
            [
                (HELD_FOR_IT, "2026-01-01"),
                ("detention.custody_ordered:criminal", "2026-01-03"),
                ("extradition.refused", "2026-01-21"),
                ("detention.released", "2026-01-31"),
            ],
            30,
        ),
        # first on another basis, then for it too
        (
            [
                ("detention.custody_ordered:criminal", "2026-01-01"),
                ("detention.custody_ordered:extradition", "2026-01-11"),
                ("extradition.refused", "2026-01-21"),
                ("detention.released", "2026-01-16"),
            ],
            15,
        ),
        # a gap between the two does not count
        (
            [
                (HELD_FOR_IT, "2026-01-01"),
                ("extradition.refused", "2026-01-11"),
                ("detention.custody_ordered:criminal", "2026-01-31"),
            ],
            20,
        ),
        # never held
        ([("asylum.refused", "2025")], None),
        ([(HELD_FOR_IT, "2026-03")], None),
    ],
)  # fmt: skip
def test_custody_days(claims: list[tuple[str, str]], expected: int | None) -> None:
    told = []
    for number, (code, occurred) in enumerate(claims, start=1):
        type_code, _, basis = code.partition(":")
        told.append(tell(number, type_code, occurred, **({"basis": basis} if basis else {})))
    assert days(*told) == expected
    assert days(*reversed(told)) == expected


def test_who_is_arrested_again_at_the_gate_stays_held() -> None:
    told = [
        tell(1, "detention.custody_ordered", "2026-01-01"),
        tell(2, "detention.released", "2026-01-11"),
        tell(3, "detention.apprehended", "2026-01-11", after=2),
    ]
    assert days(*told) == 40


def test_the_median_is_over_persons_who_were_held() -> None:
    found = count(
        case(tell(1, "detention.apprehended", "2026-02-09"), persons=2),  # 1 day each
        case(tell(1, "detention.apprehended", "2026-01-31")),  # 10
        case(tell(1, "detention.apprehended", "2026-01-01")),  # 40
        case(tell(1, "asylum.refused")),
    )
    assert (found.custody_days.median, found.custody_days.persons) == (5.5, 4)
    assert count(case(tell(1, "asylum.refused"))).custody_days.median is None


def test_custody_on_another_basis_outlasts_a_refused_extradition() -> None:
    told = [
        tell(1, HELD_FOR_IT.partition(":")[0], "2025-01-01", basis="wanted"),
        tell(2, "detention.custody_ordered", "2025-01-03", basis="criminal"),
        tell(3, "extradition.refused", "2025-02-01"),
    ]
    assert days(*told, until="2025-12-31") == 364


def test_who_is_held_again_before_the_end_is_certain_counts_once() -> None:
    told = [
        tell(1, "detention.custody_extended", "2026-01-01"),
        tell(2, "person.died", "2026-03", verification="possible"),
        tell(3, "detention.apprehended", "2026-01-31", after=2),
    ]
    assert days(*told) == 40


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 4)), max_size=6))
def test_the_median_is_that_of_a_list_of_all_persons(held: list[tuple[int, int]]) -> None:
    everybody = [number for number, persons in held for _ in range(persons)]
    day = date(2026, 2, 10)
    found = count(
        *(
            case(
                tell(1, "detention.apprehended", str(day - timedelta(days=number))),
                persons=persons,
            )
            for number, persons in held
        )
    )
    assert found.custody_days.persons == len(everybody)
    assert found.custody_days.median == (median(everybody) if everybody else None)


@pytest.mark.parametrize(("day", "figures"), [("2026-01-28", (150, 5)), ("2026-02-10", (103, 6))])
def test_days_in_custody_of_the_demo_cases(day: str, figures: tuple[float, int]) -> None:
    found = count(*demo_facts().values(), as_of=day).custody_days
    assert (found.median, found.persons) == figures


# -- by month -------------------------------------------------------------------------------------


def test_a_fact_is_counted_in_its_month_or_as_undated() -> None:
    found = count(
        case(tell(1, "extradition.surrendered", "2026-01-29"), persons=2),
        case(tell(1, "return.abducted", "2025")),
        case(tell(1, "return.abducted", "2026-01")),
    )
    assert [(m["month"], m["removed"]) for m in found.series] == [("2026-01", 3)]
    assert found.series_undated["removed"] == 1


# -- properties -----------------------------------------------------------------------------------


@settings(max_examples=100)
@given(st.lists(random_claims(at_most=5), max_size=4), st.randoms(use_true_random=False))
def test_figures_do_not_depend_on_any_order(told: list[list[ClaimFacts]], random: Random) -> None:
    cases = [case(*claims, persons=n) for n, claims in enumerate(told, start=1)]
    shuffled = [case(*random.sample(c.claims, len(c.claims)), persons=c.persons) for c in cases]
    random.shuffle(shuffled)
    found = count(*cases, as_of="2025-06-05")
    assert count(*shuffled, as_of="2025-06-05") == found
    assert sum(found.headline.values()) == found.persons
    assert found.uncertain <= found.persons
    assert all(sum(states.values()) <= found.persons for states in found.tracks.values())


@given(
    st.lists(random_claims(at_most=4), min_size=2, max_size=5),
    st.integers(0, 3),
    st.sampled_from((None, "2025-06-01", "2026-02-10")),
)
def test_what_a_case_added_can_be_taken_back(
    histories: list[list[ClaimFacts]], left_out: int, as_of: str | None
) -> None:
    cases = [case(*claims, persons=number) for number, claims in enumerate(histories, 1)]
    counting = Tally(as_of=as_of, until="2026-02-10")
    shares = [counting.add(one) for one in cases]
    gone = left_out % len(cases)
    if (share := shares[gone]) is not None:
        counting.count(share, -1)
    assert counting.result() == count(*cases[:gone], *cases[gone + 1 :], as_of=as_of)
