"""The numbers as tables: what a chart draws, and what stands beside it for whoever cannot see it.

A chart is drawn from its table and from nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from caseflow.domain.breakdown import HELD_FOR, OUTCOMES
from caseflow.domain.labels import label
from caseflow.domain.statistics import RETURNED, SERIES

from .languages import say
from .wording import say_month

# More bars than this are years, and more years than this are those in which something changed: one
# removal that is dated to the year 1125 would be nine hundred bars.
MOST_MONTHS: Final = 24
MOST_YEARS: Final = 40


class Column(NamedTuple):
    """One kind of what is counted. is_possible: not certain yet, drawn lighter."""

    label: str
    is_possible: bool = False


class Row(NamedTuple):
    """One bar: its name, and a number for each column."""

    label: str
    numbers: tuple[int, ...]


class Table(NamedTuple):
    """Counts of persons. first: what the rows are; is_lying: its bars lie, for long names."""

    title: str
    first: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    is_lying: bool = False

    @property
    def height(self) -> int:
        """Return how high the picture is that has room for it, where it is 860 wide."""
        return max(380, 60 * len(self.rows) + 160) if self.is_lying else 460

    @property
    def is_empty(self) -> bool:
        """Return whether nobody is counted."""
        return not any(any(row.numbers) for row in self.rows)


Json = Mapping[str, Any]


def tabulate_returns(breakdown: Json, language: str) -> Table:
    """Return who has been returned by the end of each month, or year: certainly, and perhaps."""
    months: Sequence[Json] = breakdown["returns"]
    kinds = [kind for kind in RETURNED if any(m["possible"][kind] for m in months)]
    columns = [Column(label("outcomes", kind, language)) for kind in kinds]
    possible = Column(say("possible, not certain", language), is_possible=True)
    return Table(
        title=say("Persons returned so far", language),
        first=say("Until the end of", language),
        columns=(*columns, possible),
        rows=tuple(
            Row(say_month(period, language), (*(at["certain"][k] for k in kinds), _count_more(at)))
            for period, at in _list_periods(months)
        ),
    )


def _count_more(at: Json) -> int:
    """Return how many more have been returned than is certain."""
    return int(sum(at["possible"].values()) - sum(at["certain"].values()))


def _list_periods(months: Sequence[Json]) -> Iterator[tuple[str, Json]]:
    """Yield every month from the first to the last, or every year, with what held at its end.

    Of more years than there is room for, those that changed something.
    """
    if not months:
        return
    if (_number_of(months[-1]["month"]) - _number_of(months[0]["month"])) > MOST_YEARS * 12:
        yield from {m["month"][:4]: m for m in months}.items()
        return
    every = list(_list_months(months[0]["month"], months[-1]["month"]))
    is_yearly = len(every) > MOST_MONTHS
    held = {m["month"]: m for m in months}
    at = months[0]
    for month, following in pairwise([*every, ""]):
        at = held.get(month, at)
        if not is_yearly:
            yield month, at
        elif month[:4] != following[:4]:
            yield month[:4], at


def _list_months(first: str, last: str) -> Iterator[str]:
    number = _number_of(first)
    while number <= _number_of(last):
        yield f"{number // 12:04}-{number % 12 + 1:02}"
        number += 1


def _number_of(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:7]) - 1


def tabulate_flows(breakdown: Json, language: str) -> Table:
    """Return what became of persons, by what they were held for."""
    flows = {(f["held_for"], f["outcome"]): f["persons"] for f in breakdown["flows"]}
    reasons = [reason for reason in HELD_FOR if any(r == reason for r, _ in flows)]
    outcomes = [outcome for outcome in OUTCOMES if any(o == outcome for _, o in flows)]
    return Table(
        title=say("What became of persons, by what they were held for", language),
        first=say("Held for", language),
        columns=tuple(Column(label("outcomes", outcome, language)) for outcome in outcomes),
        rows=tuple(
            Row(
                label("held_for", reason, language),
                tuple(flows.get((reason, outcome), 0) for outcome in outcomes),
            )
            for reason in reasons
        ),
        is_lying=True,
    )


def tabulate_custody(breakdown: Json, language: str) -> Table:
    """Return persons by the days for which they were certainly held."""
    return Table(
        title=say("Days in custody", language),
        first=say("Days", language),
        columns=(Column(say("persons", language)),),
        rows=tuple(
            Row(_name_band(band, language), (band["persons"],))
            for band in breakdown["custody_days"]
        ),
    )


def _name_band(band: Json, language: str) -> str:
    if band["longest"] is None:
        return say("%(days)s and more", language, days=band["shortest"])
    return f"{band['shortest']}–{band['longest']}"


def tabulate_months(statistics: Json, language: str) -> Table:
    """Return how many persons what happened to in each month, of what is dated to one month."""
    names = [n for n in SERIES if any(m[n] for m in statistics["series"])]
    return Table(
        title=say("What happened in which month", language),
        first=say("Month", language),
        columns=tuple(Column(_name_series(name, language)) for name in names),
        rows=tuple(
            Row(say_month(m["month"], language), tuple(m[n] for n in names))
            for m in reversed(statistics["series"])
        ),
    )


def _name_series(name: str, language: str) -> str:
    names = {
        "removed": say("removed by force", language),
        "returned": say("returned by themselves", language),
        "departed": say("left for another state", language),
        "detained": say("detained", language),
        "in_custody": say("taken into custody", language),
        "released": say("released", language),
        "extradition_granted": say("extradition granted", language),
        "extradition_refused": say("extradition refused", language),
        "asylum_refused": say("asylum refused", language),
        "asylum_recognised": say("recognised as refugees", language),
    }
    return names[name]
