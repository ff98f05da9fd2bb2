"""The statistics: a fold over the statuses of all cases. Counts are persons, not cases.

Pure: what is known and what a caller may see is chosen before, by whoever passes the cases in.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Final

from msgspec import Struct

from .custody import Told, custody_days
from .dates import month_of
from .effects import effects_of
from .facts import ClaimFacts, Frame, Stance, counts_on, is_outvoted
from .status import HEADLINE_CODES, Status, resolve
from .vocabulary import ORDERS

RETURNED: Final = ("extradited", "deported", "abducted", "returned")
FORCED: Final = frozenset({"extradited", "deported", "abducted"})
DEPARTED: Final = frozenset({"left_for_third_country", "protected_abroad"})
REMOVED: Final = FORCED | {"removed_elsewhere"}

# A series counts persons in the month of the fact; one whose span covers several months is undated.
SERIES: Final[dict[str, tuple[str, frozenset[str]]]] = {
    "removed": ("movement", REMOVED),
    "returned": ("movement", frozenset({"returned"})),
    "departed": ("movement", DEPARTED),
    "detained": ("liberty", frozenset({"detained"})),
    "in_custody": ("liberty", frozenset({"in_custody"})),
    "released": ("liberty", frozenset({"released"})),
    "extradition_granted": ("extradition", frozenset({"granted"})),
    "extradition_refused": ("extradition", frozenset({"refused", "lapsed"})),
    "asylum_refused": ("asylum", frozenset({"refused"})),
    "asylum_recognised": ("asylum", frozenset({"recognised"})),
}


class CaseFacts(Struct, frozen=True):
    """A case as statistics read it: `claims` are those in force that the caller may count."""

    frame: Frame
    persons: int
    claims: Sequence[ClaimFacts]
    stances: Sequence[Stance] = ()


class CustodyDays(Struct, frozen=True):
    """Days in custody per person that are certain; the median is None where nobody was held."""

    median: float | int | None
    persons: int


class Statistics(Struct, frozen=True):
    """Persons by headline, track, return, departure and month."""

    cases: int
    persons: int
    uncertain: int
    at_risk: int
    headline: dict[str, int]
    tracks: dict[str, dict[str, int]]
    returned: dict[str, int]
    departed: dict[str, int]
    custody_days: CustodyDays
    series: list[dict[str, int | str]]
    series_undated: dict[str, int]


class Tally:
    """Counts cases one by one; `result()` gives the statistics so far.

    as_of: a day, YYYY-MM-DD, or None for everything that is known.
    until: the day on which custody that has not ended is measured.
    """

    def __init__(self, *, as_of: str | None, until: str) -> None:
        self._as_of = as_of
        self._until = as_of or until
        self._cases = 0
        self._persons = 0
        self._uncertain = 0
        self._at_risk = 0
        self._headline = dict.fromkeys(HEADLINE_CODES, 0)
        self._tracks = {t: dict.fromkeys(states, 0) for t, states in ORDERS.items()}
        # Persons by days held: a case may count a million persons.
        self._custody = Counter[int]()
        self._months: dict[str, dict[str, int]] = {}
        self._undated = dict.fromkeys(SERIES, 0)

    def add(self, case: CaseFacts) -> None:
        """Count one case, if any of its claims counts on the day."""
        claims = list_counted(case, self._as_of)
        if not claims:
            return
        status = resolve(case.frame, case.claims, stances=case.stances, as_of=self._as_of)
        self._cases += 1
        self._persons += case.persons
        self._at_risk += case.persons if status.at_risk else 0
        self._headline[status.headline] += case.persons
        for track, found in status.tracks.items():
            self._tracks[track][found.state] += case.persons
        if _is_uncertain(case, status, self._as_of):
            self._uncertain += case.persons
        told = list_told(case, claims)
        days = custody_days(told, until=self._until)
        if days is not None:
            self._custody[days] += case.persons
        self._add_months(told, case.persons)

    def _add_months(self, told: "Sequence[Told]", persons: int) -> None:
        for name, (track, states) in SERIES.items():
            spans = [(c.earliest, c.latest) for c, e in told if e.get(track) in states]
            if spans:
                self._count_month(name, _one_month(spans), persons)

    def _count_month(self, name: str, month: str | None, persons: int) -> None:
        if month is None:
            self._undated[name] += persons
        else:
            self._months.setdefault(month, dict.fromkeys(SERIES, 0))[name] += persons

    def result(self) -> Statistics:
        """Return the statistics of the cases counted so far."""
        movement = self._tracks["movement"]
        returned = {kind: movement[kind] for kind in RETURNED}
        return Statistics(
            cases=self._cases,
            persons=self._persons,
            uncertain=self._uncertain,
            at_risk=self._at_risk,
            headline=self._headline,
            tracks=self._tracks,
            returned={
                "total": sum(returned.values()),
                "forced": sum(n for kind, n in returned.items() if kind in FORCED),
                **returned,
            },
            departed={
                "total": sum(movement[kind] for kind in DEPARTED),
                **{kind: movement[kind] for kind in sorted(DEPARTED)},
            },
            custody_days=CustodyDays(
                median=_median(self._custody),
                persons=self._custody.total(),
            ),
            series=[{"month": m, **self._months[m]} for m in sorted(self._months)],
            series_undated=self._undated,
        )


def _median(persons: Mapping[int, int]) -> int | float | None:
    """Return the median of the keys, each there as often as it says; None where none is."""
    values = sorted(persons)
    upto = list(accumulate(persons[value] for value in values))
    if not upto or not upto[-1]:
        return None
    low, high = (upto[-1] - 1) // 2, upto[-1] // 2
    return _whole((values[bisect_right(upto, low)] + values[bisect_right(upto, high)]) / 2)


def _whole(number: float) -> int | float:
    return int(number) if number == int(number) else number


def tally(cases: Iterable[CaseFacts], *, as_of: str | None, until: str) -> Statistics:
    """Return the statistics of all cases on a day; see `Tally`."""
    counting = Tally(as_of=as_of, until=until)
    for case in cases:
        counting.add(case)
    return counting.result()


def list_told(case: CaseFacts, counted: Sequence[ClaimFacts]) -> list[Told]:
    """Return the claims that count and what they move; appeals may name one that does not yet."""
    standing = {c.id: c for c in case.claims if not is_outvoted(c, case.stances)}
    return [(c, effects_of(c, case.frame, standing)) for c in counted]


def list_counted(case: CaseFacts, as_of: str | None, *, certain: bool = False) -> list[ClaimFacts]:
    """Return the claims of a case that count on a day: those that may have happened, or have."""
    return [
        c
        for c in case.claims
        if counts_on(c, as_of, certain=certain) and not is_outvoted(c, case.stances)
    ]


def _is_uncertain(case: CaseFacts, status: Status, as_of: str | None) -> bool:
    """Return whether the headline would differ if only what is certain by then were taken."""
    if as_of is None:
        return False
    if not list_counted(case, as_of, certain=True):
        return True
    certain = resolve(case.frame, case.claims, stances=case.stances, as_of=as_of, certain=True)
    return certain.headline != status.headline


def _one_month(spans: Sequence[tuple[str | None, str]]) -> str | None:
    """Return the month of the earliest account that lies within one month, or None."""
    months = [
        month_of(latest)
        for earliest, latest in spans
        if earliest is not None and month_of(earliest) == month_of(latest)
    ]
    return min(months) if months else None
