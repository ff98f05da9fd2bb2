"""When a message that did not arrive is sent again."""

from caseflow.push.retrying import GIVE_UP_SECONDS, find_next_attempt

SECOND = 1_000_000


def waits(chance: float) -> list[float]:
    """The seconds between attempts of a message that never arrives and is tried at once."""
    now, found = 0, []
    for failures in range(1, 1_000):
        at = find_next_attempt(0, failures, now, chance)
        if at is None:
            return found
        found.append((at - now) / SECOND)
        now = at
    raise AssertionError("it is never given up")


def test_waits_grow_from_seconds_to_hours_for_two_days() -> None:
    longest, shortest = waits(1.0), waits(0.0)
    assert longest[:5] == [5, 15, 45, 135, 405]
    assert max(longest) == 4 * 3_600
    assert shortest == [one / 2 for one in [*longest, *[4 * 3_600] * 100]][: len(shortest)]
    for found in (longest, shortest):
        assert GIVE_UP_SECONDS - 4 * 3_600 <= sum(found) <= GIVE_UP_SECONDS
        assert found == sorted(found)


def test_a_clock_that_jumped_gives_up_rather_than_waits_for_ever() -> None:
    assert find_next_attempt(0, 1, 3 * GIVE_UP_SECONDS * SECOND, 0.5) is None
