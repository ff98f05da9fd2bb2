"""A time axis, and the days that dates allow as bars against it.

In ASCII, which every terminal has. What the bars stand for is the caller's.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from caseflow.domain.dates import When, days_between

_YEARS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)
# Months from one tick to the next, the finest first; the last has two in all years there are.
_STEPS: Final = (1, 3, 6, *(12 * years for years in _YEARS))
# Columns between two labels, so that they are not read as one.
_GAP: Final = 2


class _Tick(NamedTuple):
    """Where a month or a year begins, and what it is called."""

    column: int
    label: str


class Axis:
    """Columns for the days from the first to the last that some dates allow."""

    def __init__(self, dates: Iterable[When], width: int) -> None:
        """dates: at least one. width: columns, 22 or more: two days side by side."""
        found = list(dates)
        # Of an open start nobody knows how far back the axis would have to go.
        self._first = min(when.earliest or when.latest for when in found)
        self._last = max(when.latest for when in found)
        self._days = days_between(self._first, self._last)
        self._width = width

    def draw_bar(self, when: When) -> str:
        """Return a date from its earliest to its latest day: `*` is one day, `=` a part of more,
        `<` an open start.
        """
        end = self._find_column(when.latest)
        if when.earliest is None:
            return "<" + "=" * end
        if when.earliest == when.latest:
            return " " * end + "*"
        start = self._find_column(when.earliest)
        return " " * start + "=" * (end - start + 1)

    def draw_scale(self) -> tuple[str, str]:
        """Return labels, and the line below them with a `+` where what is labelled begins.

        Where no two months begin on the axis, its first and its last day are labelled.
        """
        ticks = self._find_ticks()
        if len(ticks) < 2:
            return self._draw_ends()
        labels, line = "", ["-"] * self._width
        for column, label in ticks:
            line[column] = "+"
            # The last may begin too far right for its label.
            start = min(column, self._width - len(label))
            if not labels or start >= len(labels) + _GAP:
                labels = labels.ljust(start) + label
        return labels, "".join(line)

    def _draw_ends(self) -> tuple[str, str]:
        if not self._days:
            return self._first, "+".ljust(self._width, "-")
        labels = self._first + self._last.rjust(self._width - len(self._first))
        return labels, "+" + "+".rjust(self._width - 1, "-")

    def _find_column(self, day: str) -> int:
        if not self._days:
            return 0
        return days_between(self._first, day) * (self._width - 1) // self._days

    def _find_ticks(self) -> list[_Tick]:
        """Return the ticks of the finest step that leaves room for labels."""
        ticks = list[_Tick]()
        for step in _STEPS:
            ticks = list(self._list_ticks(step))
            if all(b.column - a.column >= len(a.label) + _GAP for a, b in pairwise(ticks)):
                break
        return ticks

    def _list_ticks(self, step: int) -> Iterator[_Tick]:
        first, last = (int(day[:4]) * 12 + int(day[5:7]) - 1 for day in (self._first, self._last))
        for month in range(first + -first % step, last + 1, step):
            day = f"{month // 12:04}-{month % 12 + 1:02}-01"
            if day >= self._first:
                yield _Tick(self._find_column(day), day[:4] if step >= 12 else day[:7])
