"""What a person adds to the numbers, and how movements add up."""

from hypothesis import given
from hypothesis import strategies as st

from caseflow.domain.movements import difference, flatten, numbers_of, total
from caseflow.domain.statistics import CaseFacts, tally
from tests.strategies import FRAME, random_claims, tell


def test_the_numbers_of_a_person_have_paths() -> None:
    case = CaseFacts(FRAME, 3, [tell(1, "extradition.surrendered", "2026-01-10")])
    assert numbers_of(case) == {
        "/cases": 1,
        "/persons": 3,
        "/headline/extradited": 3,
        "/tracks/movement/extradited": 3,
        "/tracks/extradition/surrendered": 3,
        "/tracks/liberty/left_host_state": 3,
        "/returned/total": 3,
        "/returned/forced": 3,
        "/returned/extradited": 3,
        "/series/2026-01/removed": 3,
    }
    assert numbers_of(None) == {}


def test_only_what_moved_is_told() -> None:
    assert difference({"/a": 1, "/b": 2}, {"/b": 2, "/c": 3}) == {"/a": -1, "/c": 3}
    assert total({"/a": 1, "/b": 1}, {"/a": -1, "/b": 1}) == {"/b": 2}
    assert total() == {}


@given(st.lists(random_claims(), max_size=4))
def test_the_numbers_are_sums_over_persons(persons: list[list]) -> None:  # type: ignore[type-arg]
    cases = [CaseFacts(FRAME, n + 1, claims) for n, claims in enumerate(persons)]
    whole = tally(cases, as_of=None, until="2026-02-10")
    assert flatten(whole) == total(*map(numbers_of, cases))
