"""What differs between two statuses, by JSON pointers."""

from typing import Any

import msgspec
from hypothesis import given

from caseflow.domain.differences import compare_statuses
from caseflow.domain.facts import Stance
from caseflow.domain.status import Status, resolve
from tests.strategies import FRAME, numbered, random_claims, tell

DETAINED = tell(1, "detention.apprehended", "2025-05-01")
REMOVED = tell(2, "extradition.surrendered", "2025-06-01")
ASKED = tell(3, "asylum.claim_made", "2025-05-02")


def paths(before: Status | None, after: Status | None) -> dict[str, tuple[Any, Any]]:
    return {d.path: (d.before, d.after) for d in compare_statuses(before, after)}


def test_equal_statuses_do_not_differ() -> None:
    assert compare_statuses(None, None) == []
    assert compare_statuses(resolve(FRAME, [DETAINED]), resolve(FRAME, [DETAINED])) == []


def test_each_part_of_a_status_has_its_path() -> None:
    found = paths(resolve(FRAME, [DETAINED, ASKED]), resolve(FRAME, [DETAINED, ASKED, REMOVED]))
    assert found["/headline"] == ("detained", "extradited")
    assert found["/tracks/movement/state"] == (None, "extradited")
    assert found["/tracks/movement/ambiguous"] == (None, False)
    assert found["/tracks/liberty/state"] == ("detained", "left_host_state")
    assert [len(told or ()) for told in found["/flags/removed_while_asylum_pending"]] == [0, 1]
    assert "/tracks/asylum/state" not in found
    assert "/at_risk" not in found


def test_a_case_that_was_not_there_differs_in_all_it_says() -> None:
    found = paths(None, resolve(FRAME, [DETAINED]))
    assert found["/headline"] == (None, "detained")
    assert found["/at_risk"] == (None, False)


def test_what_is_disputed_stands_under_its_track() -> None:
    hearing = tell(4, "prosecution.charged", "2025-05-03")
    odd = tell(5, "detention.contact_denied", "2025-05-03")
    stances = [Stance(claim=numbered(n), partner="b", disputes=True) for n in (4, 5)]
    found = paths(resolve(FRAME, [hearing, odd]), resolve(FRAME, [hearing, odd], stances=stances))
    assert set(found) == {"/disputed/prosecution", "/disputed"}


def value_at(status: Status, path: str) -> Any:
    """Return what a pointer leads to, in plain values."""
    value: Any = msgspec.json.decode(msgspec.json.encode(status))
    name, *rest = path[1:].split("/")
    if name in ("disputed", "flags"):
        by = "track" if name == "disputed" else "code"
        return [v for v in value[name] if v[by] == (rest[0] if rest else None)] or None
    for part in (name, *rest):
        value = value.get(part) if value else None
    return value


@given(random_claims(), random_claims())
def test_the_differences_are_all_there_is(one: Any, other: Any) -> None:
    """What is at no path is equal, and what is at one is what the statuses say there."""
    before, after = resolve(FRAME, one), resolve(FRAME, other)
    found = compare_statuses(before, after)
    assert (found == []) == (before == after)
    for difference in found:
        told = msgspec.json.decode(msgspec.json.encode([difference.before, difference.after]))
        assert told == [value_at(status, difference.path) for status in (before, after)]
