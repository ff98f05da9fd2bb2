"""Days in custody: what is certain of them, from dates that are not."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from .dates import days_between
from .facts import ClaimFacts
from .resolution import CUSTODY, certain_order

Told = tuple[ClaimFacts, dict[str, str]]
"""A claim and what it moves."""


def custody_days(
    told: Sequence[Told], *, until: str, bases: Collection[str] | None = None
) -> int | None:
    """Return the days for which a person was certainly held, or None where none is certain.

    until: the day to which custody that has not ended is measured. bases: custody on these alone.

    Each stretch runs from the latest possible day of its first detention to the earliest possible
    day of what ended it, or to `until`; where these cross, nothing of it is certain.
    """
    starts = [
        c for c, e in told if e.get("liberty") in CUSTODY and (bases is None or c.basis in bases)
    ]
    ends = [c for c, e in told if _ends_custody(c, e)]
    found = list(_stretches(starts, ends, certain_order(c for c, _ in told), until))
    return sum(found) if found else None


def _ends_custody(claim: ClaimFacts, effects: Mapping[str, str]) -> bool:
    if claim.type in ("extradition.refused", "extradition.lapsed"):
        return bool(effects)
    return effects.get("liberty") in ("released", "left_host_state", "at_liberty") or (
        effects.get("life") == "died"
    )


def _stretches(
    starts: Sequence[ClaimFacts],
    ends: Sequence[ClaimFacts],
    is_after: Callable[[ClaimFacts, ClaimFacts], bool],
    until: str,
) -> Iterable[int]:
    """Yield the length of each stretch that is certain, by its latest possible start."""
    ended: ClaimFacts | None = None
    for start in sorted(starts, key=lambda c: (c.latest, c.id)):
        if start.latest > until:
            return
        if ended is not None and not is_after(start, ended):
            continue
        possible = [e for e in ends if _can_end(start, e) and not is_after(start, e)]
        if not possible:
            yield days_between(start.latest, until)
            return
        end = min(e.earliest or "" for e in possible)
        if end >= start.latest:
            ended = min(possible, key=lambda e: (e.latest, e.id))
            yield days_between(start.latest, min(end, until))


def _can_end(start: ClaimFacts, end: ClaimFacts) -> bool:
    """Return whether this ends that custody: a refused extradition ends no other kind."""
    if end.type in ("extradition.refused", "extradition.lapsed"):
        return start.basis in ("wanted", "extradition")
    return True
