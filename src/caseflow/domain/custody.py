"""Days in custody: what is certain of them, from dates that are not."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from .dates import days_between
from .facts import ClaimFacts
from .resolution import CUSTODY, ENDS_CUSTODY, EXTRADITION_BASES, Links, Order

Told = tuple[ClaimFacts, dict[str, str]]
"""A claim and what it moves."""


def custody_days(
    told: Sequence[Told], *, until: str, bases: Collection[str] | None = None
) -> int | None:
    """Return the days for which a person was certainly held, or None where none is certain.

    until: the day to which custody that has not ended is measured. bases: custody on these alone.

    Each stretch runs from the latest possible day of its first detention to the earliest possible
    day of what ended it, or to `until`; where these cross, nothing of it is certain. Custody for
    an extradition and custody on another basis, or on none stated, are stretches of their own: a
    refused extradition ends no other kind. Days on which a person was held for both count once.
    """
    starts = [
        c for c, e in told if e.get("liberty") in CUSTODY and (bases is None or c.basis in bases)
    ]
    if not starts:
        return None
    releases = [c for c, e in told if _is_release(e)]
    refusals = [c for c, e in told if c.type in ENDS_CUSTODY and e]
    links = Links({c.id: c for c, _ in told})
    extradition = [c for c in starts if c.basis in EXTRADITION_BASES]
    other = [c for c in starts if c.basis not in EXTRADITION_BASES]
    found = [
        *_stretches(extradition, _Ends(releases + refusals, links), links, until),
        *_stretches(other, _Ends(releases, links), links, until),
    ]
    return _count_days(found) if found else None


def _is_release(effects: Mapping[str, str]) -> bool:
    return effects.get("liberty") in ("released", "left_host_state", "at_liberty") or (
        effects.get("life") == "died"
    )


class _Stretch(NamedTuple):
    """Custody that is certain, from one day to another."""

    first: str
    last: str


class _Ends:
    """What may end custody of a kind, by its latest possible day."""

    def __init__(self, claims: Iterable[ClaimFacts], links: Links) -> None:
        self._links = links
        self._claims = sorted(claims, key=lambda c: (c.latest, c.id))
        self._days = [c.latest for c in self._claims]
        # For each place, the earliest possible day from there on.
        self._first_days = list(
            accumulate((c.earliest or "" for c in reversed(self._claims)), min)
        )[::-1]

    def find_end(self, start: ClaimFacts) -> tuple[ClaimFacts, str] | None:
        """Return of the ends that a detention is not after the first, and their earliest day."""
        dated = 0 if start.earliest is None else bisect_left(self._days, start.earliest)
        if self._links.reached(start):
            # Only what has a link is compared with the ends one by one.
            possible = [e for e in self._claims[dated:] if not self._links.leads(start, e)]
            if not possible:
                return None
            return possible[0], min(e.earliest or "" for e in possible)
        if dated == len(self._claims):
            return None
        return self._claims[dated], self._first_days[dated]


def _stretches(
    starts: Iterable[ClaimFacts], ends: _Ends, links: Links, until: str
) -> Iterable[_Stretch]:
    """Yield each stretch of one kind that is certain, by its latest possible start."""
    order = Order(links)
    ended: ClaimFacts | None = None
    for start in sorted(starts, key=lambda c: (c.latest, c.id)):
        if start.latest > until:
            return
        if ended is not None and not order.is_after(start, ended):
            continue
        found = ends.find_end(start)
        if found is None:
            yield _Stretch(start.latest, until)
            return
        end, day = found
        if day >= start.latest:
            ended = end
            yield _Stretch(start.latest, min(day, until))


def _count_days(stretches: Iterable[_Stretch]) -> int:
    """Return the days of all stretches, those that are in several counted once."""
    days, reached = 0, ""
    for first, last in sorted(stretches):
        if last > reached:
            days += days_between(max(first, reached), last)
            reached = last
    return days
