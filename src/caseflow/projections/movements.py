"""Why the numbers moved: what each change did to them, from the intervals that folds read.

Nothing is stored for it. What a person may no longer be counted for leaves no interval, and so has
no part in any movement of the past either: these are the differences between what statistics say
of one time and the next.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select

from caseflow.domain.movements import Numbers, difference, numbers_of, total

from .facts import decode_told, group_facts


class Change(NamedTuple):
    """A change that may have moved numbers, in the order of positions.

    at: microseconds. case_id: whose it is; shown_as: the case under which the reader knows it.
    kind: what the change is called where it is kept: a type of event, or what the public saw.
    """

    position: int
    at: int
    event_id: UUID
    case_id: UUID
    shown_as: UUID
    kind: str
    visibility: str = "public"


class Explained(NamedTuple):
    """A change and what it moved.

    latest: the last day on which the claim can have happened, YYYY-MM-DD; None where that is not
    known. beside: what moved since the change before without one that the reader may see.
    """

    change: Change
    latest: str | None
    moved: Numbers
    beside: Numbers


class Explanation(NamedTuple):
    """A page of changes; beside: what moved after the last of all, nothing but on the last page."""

    changes: list[Explained]
    beside: Numbers
    is_last: bool


States = tuple[str | None, str | None]
"""Host and origin state of the persons that are asked about; None for all."""


class Source(Protocol):
    """What one reader may know of: changes, and the facts that they moved."""

    connection: Connection

    def list_changes(self, after: int, limit: int) -> list[Change]:
        """Return the changes after a position, in order, at most so many."""

    def list_changes_at(self, times: Sequence[int]) -> list[Change]:
        """Return all changes of these times, in order."""

    def find_time(self, position: int) -> int:
        """Return when the last change up to a position was made; -1 for before the first."""

    def select_facts(self) -> Select[Any]:
        """Return the query for all intervals that the reader may count, as `FactRow` has them."""


class FactRow(NamedTuple):
    """An interval of what folds read: see `facts_table`."""

    dossier_id: UUID
    host_state: str
    origin_state: str
    persons: int
    told: bytes
    event_id: UUID
    case_id: UUID
    since: int
    until: int | None


def explain(source: Source, *, after: int, limit: int) -> Explanation:
    """Return the changes after a position, at most so many, and what each moved."""
    found = source.list_changes(after, limit + 1)
    page = _Page(source, found[:limit], after, is_last=len(found) <= limit)
    rows = _list_rows(source, page)
    moved = defaultdict[int | None, list[Numbers]](list)
    beside = defaultdict[int | None, list[Numbers]](list)
    for movement in _list_movements(rows, page):
        maker = page.find_maker(movement)
        if maker is not None:
            moved[maker].append(movement.numbers)
        else:
            beside[page.find_next(movement.at)].append(movement.numbers)
    days = _find_days(source, page)
    changes = [
        Explained(c, days.get(c.event_id), total(*moved[c.position]), total(*beside[c.position]))
        for c in page.changes
    ]
    return Explanation(changes, total(*beside[None]), is_last=page.is_last)


def _find_days(source: Source, page: "_Page") -> dict[UUID, str]:
    """Return the last day on which each claim of a page can have happened."""
    query = source.select_facts()
    event_id = query.selected_columns.event_id
    query = query.where(event_id.in_([change.event_id for change in page.changes]))
    rows = (FactRow(*row) for row in source.connection.execute(query))
    return {row.event_id: decode_told(row.told).facts.latest for row in rows}


class _Page:
    """The changes of a page, and which times belong to it.

    Several changes may be of one time. What moved then without one of them goes with the first of
    that time; what more than one did to a person goes with the last.
    """

    def __init__(self, source: Source, changes: list[Change], after: int, *, is_last: bool) -> None:
        self.changes = changes
        self.is_last = is_last
        before = source.find_time(after)
        self.start = before + 1
        self.end = None if is_last else changes[-1].at
        edges: list[Change] = []
        if changes:
            edges = source.list_changes_at(sorted({changes[0].at, changes[-1].at}))
            # What its first change moved, of a time that another page begun.
            self.start = min(self.start, changes[0].at)
        self._known = sorted({*edges, *changes})

    def has(self, at: int) -> bool:
        """Return whether what moved at a time may belong to a change of the page."""
        return self.start <= at and (self.end is None or at <= self.end)

    def find_maker(self, movement: "_Movement") -> int | None:
        """Return the position of what moved something, else of the last change to its cases."""
        if movement.by is not None:
            return self.find_position(movement.at, movement.by)
        made = (c for c in self._known if c.at == movement.at and c.case_id in movement.cases)
        return max((c.position for c in made), default=None)

    def find_position(self, at: int, event_id: UUID) -> int | None:
        """Return the position of the change of a time that is about a claim, or None."""
        made = (c.position for c in self._known if c.at == at and c.event_id == event_id)
        return max(made, default=None)

    def find_next(self, at: int) -> int | None:
        """Return the position of the first change at a time or after it, or None."""
        return next((c.position for c in self._known if c.at >= at), None)


def _list_rows(source: Source, page: _Page) -> list[FactRow]:
    """Return all intervals of the persons whose facts changed in the times of a page."""
    query = source.select_facts()
    columns = query.selected_columns
    changed = [_within(columns[name], page) for name in ("since", "until")]
    persons = select(query.where(or_(*changed)).subquery().c.dossier_id)
    # Whoever left a person's dossier stands in another now.
    found = source.connection.execute(query.where(columns.dossier_id.in_(persons)))
    return [FactRow(*row) for row in found]


def _within(column: ColumnElement[Any], page: _Page) -> ColumnElement[bool]:
    from_start = column >= page.start
    return from_start if page.end is None else and_(from_start, column <= page.end)


class _Movement(NamedTuple):
    """What moved at a time, and the cases that it is about. by: the claim that did it, if known."""

    at: int
    cases: frozenset[UUID]
    numbers: Numbers
    by: UUID | None = None


def _list_movements(rows: Sequence[FactRow], page: _Page) -> Iterator[_Movement]:
    """Yield what moved, by time; what has to do with each other and with no one claim is one."""
    by_person = sorted(rows, key=lambda row: row.dossier_id)
    parts = defaultdict[int, list[_Movement]](list)
    for _, group in groupby(by_person, key=lambda row: row.dossier_id):
        for movement in _list_own_movements(list(group), page):
            if movement.by is not None:
                yield movement
            else:
                parts[movement.at].append(movement)
    for found in parts.values():
        yield from _join(found)


def _list_own_movements(rows: Sequence[FactRow], page: _Page) -> Iterator[_Movement]:
    """Yield what moved of one person, in order."""
    ends = (at for row in rows for at in (row.since, row.until) if at is not None)
    times = sorted({at for at in ends if page.has(at)})
    before = _numbers_at(rows, times[0] - 1) if times else {}
    for at in times:
        for known, by in _list_stages(rows, at, page):
            after = _numbers_at(known, at)
            cases = frozenset(row.case_id for row in rows if at in (row.since, row.until))
            yield _Movement(at, cases, difference(before, after), by)
            before = after


def _list_stages(
    rows: Sequence[FactRow], at: int, page: _Page
) -> Iterator[tuple[Sequence[FactRow], UUID | None]]:
    """Yield what was known at a time, claim by claim where all that came were claims.

    Many are of one time when they are imported. What an event about the record did is not told by
    its rows, so that all goes together then.
    """
    started = [row for row in rows if row.since == at]
    order = [page.find_position(at, row.event_id) for row in started]
    if any(row.until == at for row in rows) or None in order:
        yield rows, None
        return
    known = [row for row in rows if row.since != at]
    for _, row in sorted(zip(order, started, strict=True), key=lambda pair: pair[0] or 0):
        known.append(row)
        yield known, row.event_id


def _numbers_at(rows: Sequence[FactRow], at: int) -> Numbers:
    held = [row for row in rows if row.since <= at and (row.until is None or at < row.until)]
    return numbers_of(next(group_facts(row[:5] for row in held), None))


def _join(found: Sequence[_Movement]) -> list[_Movement]:
    """Return movements of one time, as one those that share a case: a merge moves two persons."""
    joined: list[_Movement] = []
    for movement in found:
        near = [other for other in joined if other.cases & movement.cases]
        joined = [other for other in joined if not other.cases & movement.cases]
        cases = movement.cases.union(*(other.cases for other in near))
        numbers = total(movement.numbers, *(other.numbers for other in near))
        joined.append(_Movement(movement.at, cases, numbers))
    return joined
