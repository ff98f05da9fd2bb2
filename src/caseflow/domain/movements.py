"""Which numbers of the statistics a change moved, and by how much. Pure.

Every number is a sum over persons, so a change of one person moves it by the difference between
what that person adds after it and what it added before.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from .dates import LAST_DAY
from .statistics import CaseFacts, Statistics, tally

Numbers = Mapping[str, int]
"""Numbers by their path in the statistics; those that are 0 are left out."""

# A median is no sum, and days in custody grow from day to day without any change.
_NO_SUMS: Final = frozenset({"custody_days", "series"})


def numbers_of(case: CaseFacts | None) -> Numbers:
    """Return what one person adds to the statistics of all that is known; nothing for None."""
    if case is None:
        return {}
    return flatten(tally([case], as_of=None, until=LAST_DAY))


def flatten(found: Statistics) -> Numbers:
    """Return the numbers of statistics by path, but for `custody_days`, which no change explains.

    A path is a JSON pointer into the answer, `/tracks/movement/extradited`; a month of the series
    is called by its name, `/series/2026-01/removed`, for its place in the list may change.
    """
    told: dict[str, Any] = msgspec.to_builtins(found)
    numbers = dict(_walk("", {k: v for k, v in told.items() if k not in _NO_SUMS}))
    for counts in found.series:
        months = {name: n for name, n in counts.items() if name != "month"}
        numbers |= dict(_walk(f"/series/{counts['month']}", months))
    return numbers


def _walk(path: str, value: Any) -> Iterator[tuple[str, int]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _walk(f"{path}/{name}", inner)
    elif value:
        yield path, value


def difference(before: Numbers, after: Numbers) -> Numbers:
    """Return by how much each number moved, of those that did."""
    moved = {path: after.get(path, 0) - before.get(path, 0) for path in {**before, **after}}
    return {path: n for path, n in moved.items() if n}


def total(*moved: Numbers) -> Numbers:
    """Return the sum of several movements, of the numbers that moved."""
    found = Counter[str]()
    for numbers in moved:
        found.update(numbers)
    return {path: n for path, n in found.items() if n}
