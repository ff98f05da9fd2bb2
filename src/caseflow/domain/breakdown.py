"""What the statistics are made of: returns month by month, what custody led to, how long it lasted.

Pure, and a fold over the same cases: every total here is one of the statistics of the same day.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from msgspec import Struct

from .custody import Told, custody_days
from .dates import last_day_of, month_of
from .resolution import CUSTODY
from .statistics import DEPARTED, RETURNED, CaseFacts, list_counted, list_told
from .status import Status, resolve

UNSTATED: Final = "unstated"
NOT_HELD: Final = "not_held"
HELD_FOR: Final = (
    "extradition", "wanted", "criminal", "administrative", "border", "transit", "other", UNSTATED,
    NOT_HELD,
)  # fmt: skip
"""Why a person was held: of several reasons the first of these."""

OUTCOMES: Final = (
    *RETURNED, "removed_elsewhere", "departed", "died", "recognised", "at_risk", "not_at_risk",
)  # fmt: skip
"""What became of a person, the first that holds; what moved them goes before all else."""

BANDS: Final = (0, 31, 91, 181, 366)
"""The days with which the bands of custody begin; each ends before the next."""

# An open start is before every month.
_BEFORE: Final = ""


class Month(Struct, frozen=True):
    """Persons returned by the end of a month, by kind: certainly, and at most as the dates go."""

    month: str
    certain: dict[str, int]
    possible: dict[str, int]


class Flow(Struct, frozen=True):
    """Persons held for a reason, and what became of them."""

    held_for: str
    outcome: str
    persons: int


class Band(Struct, frozen=True):
    """Persons held for so many certain days. longest: None where the band has no end."""

    shortest: int
    longest: int | None
    persons: int


class Breakdown(Struct, frozen=True):
    """Counts of persons. returns: the months in which one of the counts changes, in order."""

    persons: int
    returns: list[Month]
    flows: list[Flow]
    custody_days: list[Band]


def break_down(cases: Iterable[CaseFacts], *, as_of: str | None, until: str) -> Breakdown:
    """Return the breakdown of all cases on a day; see `BreakdownTally`."""
    counting = BreakdownTally(as_of=as_of, until=until)
    for case in cases:
        counting.add(case)
    return counting.result()


class Piece(NamedTuple):
    """What one case adds to the breakdown.

    moves: for what is certain and what is possible, in which month from which state to which.
    """

    persons: int
    held_for: str
    outcome: str
    days: int | None
    moves: tuple[tuple[bool, str, str, str], ...]


class BreakdownTally:
    """Counts cases one by one; `result()` gives the breakdown so far.

    as_of, until: as `Tally` takes them. Of the month in which `as_of` lies, the returns are those
    until that day.
    """

    def __init__(self, *, as_of: str | None, until: str) -> None:
        self._as_of = as_of
        self._until = until
        self._persons = 0
        self._flows = Counter[tuple[str, str]]()
        self._held = Counter[int]()
        self._returns = _Returns(as_of)

    def add(self, case: CaseFacts) -> Piece | None:
        """Count one case, if any of its claims counts on the day; return what it added."""
        piece = self._find_piece(case)
        if piece is not None:
            self.count(piece)
        return piece

    def _find_piece(self, case: CaseFacts) -> Piece | None:
        counted = list_counted(case, self._as_of)
        if not counted:
            return None
        told = list_told(case, counted)
        status = resolve(case.frame, case.claims, stances=case.stances, as_of=self._as_of)
        return Piece(
            persons=case.persons,
            held_for=_held_for(told),
            outcome=outcome_of(status),
            days=custody_days(told, until=self._as_of or self._until),
            moves=tuple(self._returns.list_moves(case, told)),
        )

    def count(self, piece: Piece, times: int = 1) -> None:
        """Count what a case adds; with -1, take back what it had added."""
        persons = piece.persons * times
        self._persons += persons
        self._flows[piece.held_for, piece.outcome] += persons
        if piece.days is not None:
            self._held[piece.days] += persons
        for move in piece.moves:
            self._returns.count(*move, persons)

    def result(self) -> Breakdown:
        """Return the breakdown of the cases counted so far."""
        return Breakdown(
            persons=self._persons,
            returns=self._returns.result(),
            flows=[
                Flow(reason, outcome, self._flows[reason, outcome])
                for reason in HELD_FOR
                for outcome in OUTCOMES
                if self._flows[reason, outcome]
            ],
            custody_days=_bands(self._held),
        )


def _held_for(told: Sequence[Told]) -> str:
    reasons = {c.basis or UNSTATED for c, effects in told if effects.get("liberty") in CUSTODY}
    return next((reason for reason in HELD_FOR if reason in reasons), NOT_HELD)


def outcome_of(status: Status) -> str:
    """Return which of `OUTCOMES` a status is."""
    tracks = status.tracks
    movement = tracks["movement"].state if "movement" in tracks else ""
    if movement in RETURNED or movement == "removed_elsewhere":
        return movement
    if movement in DEPARTED:
        return "departed"
    if "life" in tracks:
        return "died"
    if "asylum" in tracks and tracks["asylum"].state == "recognised":
        return "recognised"
    return "at_risk" if status.at_risk else "not_at_risk"


def _bands(held: Counter[int]) -> list[Band]:
    ends = [*BANDS[1:], None]
    return [
        Band(
            first,
            None if end is None else end - 1,
            sum(n for days, n in held.items() if first <= days and (end is None or days < end)),
        )
        for first, end in zip(BANDS, ends, strict=True)
    ]


class _Returns:
    """Counts month by month who has been returned, as differences from one month to the next."""

    def __init__(self, as_of: str | None) -> None:
        self._as_of = as_of
        self._moved: dict[bool, dict[str, Counter[str]]] = {True: {}, False: {}}

    def list_moves(
        self, case: CaseFacts, told: Sequence[Told]
    ) -> Iterator[tuple[bool, str, str, str]]:
        """Yield how a case moved, as `count` takes it. told: of its claims those that count."""
        moving = [c for c, effects in told if "movement" in effects]
        if not any(effects.get("movement") in RETURNED for _, effects in told):
            return
        for certain in (True, False):
            days = [c.latest if certain else c.earliest for c in moving]
            before = ""
            for month in sorted({month_of(day) if day else _BEFORE for day in days}):
                state = self._find(case, month, certain=certain)
                if state != before:
                    yield certain, month, before, state
                    before = state

    def count(self, certain: bool, month: str, before: str, after: str, persons: int) -> None:
        """Count that so many moved in a month from one state to another."""
        moved = self._moved[certain].setdefault(month, Counter())
        moved[before] -= persons
        moved[after] += persons

    def _find(self, case: CaseFacts, month: str, *, certain: bool) -> str:
        """Return how a case had moved by the end of a month."""
        day = last_day_of(month) if month else _BEFORE
        if self._as_of is not None:
            day = min(day, self._as_of)
        if not list_counted(case, day, certain=certain):
            return ""
        status = resolve(case.frame, case.claims, stances=case.stances, as_of=day, certain=certain)
        return status.tracks["movement"].state if "movement" in status.tracks else ""

    def result(self) -> list[Month]:
        """Return the counts of each month in which one changes."""
        # What has no known start is told with the first month.
        counts = {c: Counter(moved.get(_BEFORE, {})) for c, moved in self._moved.items()}
        found = [Month(_BEFORE, _of_returns({}), _of_returns({}))]
        for month in self._list_months():
            for certain, count in counts.items():
                count.update(self._moved[certain].get(month, {}))
            found.append(Month(month, _of_returns(counts[True]), _of_returns(counts[False])))
        return [
            after
            for before, after in pairwise(found)
            if (before.certain, before.possible) != (after.certain, after.possible)
        ]

    def _list_months(self) -> list[str]:
        moved = (pair for months in self._moved.values() for pair in months.items())
        # What was taken back may have left a month in which nobody moves.
        months = sorted({month for month, moves in moved if any(moves.values())} - {_BEFORE})
        if self._as_of is None:
            return months
        # What has an open start, and may not be over yet, is told of the last month there is.
        return [m for m in months if m <= month_of(self._as_of)] or [month_of(self._as_of)]


def _of_returns(count: Mapping[str, int]) -> dict[str, int]:
    return {kind: count.get(kind, 0) for kind in RETURNED}
