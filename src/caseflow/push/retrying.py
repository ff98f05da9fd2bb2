"""When a message is sent again that did not arrive: exponential back-off with jitter, two days."""

from typing import Final

FIRST_SECONDS: Final = 5
FACTOR: Final = 3
LONGEST_SECONDS: Final = 4 * 3_600
GIVE_UP_SECONDS: Final = 2 * 86_400
_MICROSECONDS: Final = 1_000_000


def find_next_attempt(begun_at: int, failures: int, now: int, chance: float) -> int | None:
    """Return when to try again, None where it is given up; times in microseconds since 1970.

    begun_at: when it was to be sent first. failures: how often it did not arrive, from 1.
    chance: 0 to 1, of which half of the wait is made, so that many do not come back together.
    """
    longest = min(FIRST_SECONDS * FACTOR ** min(failures - 1, 20), LONGEST_SECONDS)
    wait = int(longest * (0.5 + chance / 2) * _MICROSECONDS)
    at = now + wait
    return None if at > begun_at + GIVE_UP_SECONDS * _MICROSECONDS else at
