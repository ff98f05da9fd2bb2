"""The statistics: a fold over the statuses of all cases. Counts are persons, not cases.

Pure: what is known and what a caller may see is chosen before, by whoever passes the cases in.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

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


class Share(NamedTuple):
    """What one case adds to the statistics of a day.

    states: a state for each track that is moved. days: certain days in custody, None where none is
    certain. months: what is counted by month, with None for what is not dated to one.
    """

    persons: int
    uncertain: bool
    at_risk: bool
    headline: str
    states: tuple[tuple[str, str], ...]
    days: int | None
    months: tuple[tuple[str, str | None], ...]


def share_of(case: CaseFacts, *, as_of: str | None, until: str) -> Share | None:
    """Return what a case adds, None where none of its claims counts on the day.

    as_of, until: as `Tally` takes them.
    """
    claims = list_counted(case, as_of)
    if not claims:
        return None
    status = resolve(case.frame, case.claims, stances=case.stances, as_of=as_of)
    told = list_told(case, claims)
    return Share(
        persons=case.persons,
        uncertain=_is_uncertain(case, status, as_of),
        at_risk=status.at_risk,
        headline=status.headline,
        states=tuple((track, found.state) for track, found in status.tracks.items()),
        days=custody_days(told, until=as_of or until),
        months=tuple(_list_months(told)),
    )


def _list_months(told: "Sequence[Told]") -> Iterator[tuple[str, str | None]]:
    for name, (track, states) in SERIES.items():
        spans = [(c.earliest, c.latest) for c, e in told if e.get(track) in states]
        if spans:
            yield name, _one_month(spans)


class Tally:
    """Counts cases one by one; `result()` gives the statistics so far.

    as_of: a day, YYYY-MM-DD, or None for everything that is known.
    until: the day on which custody that has not ended is measured.
    """

    def __init__(self, *, as_of: str | None, until: str) -> None:
        self._as_of = as_of
        self._until = until
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

    def add(self, case: CaseFacts) -> Share | None:
        """Count one case, if any of its claims counts on the day; return what it added."""
        share = share_of(case, as_of=self._as_of, until=self._until)
        if share is not None:
            self.count(share)
        return share

    def count(self, share: Share, times: int = 1) -> None:
        """Count what a case adds; with -1, take back what it had added."""
        persons = share.persons * times
        self._cases += times
        self._persons += persons
        self._uncertain += persons if share.uncertain else 0
        self._at_risk += persons if share.at_risk else 0
        self._headline[share.headline] += persons
        for track, state in share.states:
            self._tracks[track][state] += persons
        if share.days is not None:
            self._custody[share.days] += persons
        for name, month in share.months:
            self._count_month(name, month, persons)

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
            headline=dict(self._headline),
            tracks={track: dict(states) for track, states in self._tracks.items()},
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
            # A month that nothing is left of is not told.
            series=[
                {"month": month, **counts}
                for month, counts in sorted(self._months.items())
                if any(counts.values())
            ],
            series_undated=dict(self._undated),
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
