"""Rebuild: all views again from the first event, beside the live ones, then a switch by one row.

Readers and writers go on meanwhile; only the last batch holds the end of the log.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol
from uuid import UUID

from eventsourcing.persistence import Tracking
from sqlalchemy import Connection, Engine, delete, select

from caseflow.database import begin_write, wrapped_errors
from caseflow.domain.case import Case, evolve
from caseflow.domain.dossier import Dossier, Identities
from caseflow.domain.events import CaseErased, Erased, Event
from caseflow.domain.figures import Figure, evolve_figure
from caseflow.domain.public_changes import PublicChange

from .projector import HouseProjector
from .view import VIEW_SETS, Told, ViewTable, registered

BATCH: Final = 2_000

ReadLog = Callable[[Connection, int, int], Sequence[tuple[int, Event]]]
"""Given a connection, a position and a limit: the events after it, with their positions."""


class PublicLog(Protocol):
    """The public changes as they were made: what a rebuild repeats, for it makes none again."""

    def read(self, connection: Connection, first: int, last: int) -> Sequence[PublicChange]:
        """Return the changes that events from one position to another made, in order."""

    def record(self, connection: Connection, changes: Sequence[PublicChange]) -> None:
        """Record changes that were made before there was a public log."""

    def find_last_position(self, connection: Connection) -> int:
        """Return the position of the last event that made a change; 0 where none did."""


class Lease(Protocol):
    """The right to fill the set that is not live."""

    def take(self, connection: Connection) -> None:
        """Take the lease from whoever has it."""

    def check(self, connection: Connection) -> None:
        """Raise ConflictError where somebody else has taken it since."""


class LogEnd(Protocol):
    """The end of the log, held: nobody appends meanwhile."""

    connection: Connection
    view_set: str


def rebuild(
    engine: Engine,
    read_log: ReadLog,
    hold_log: Callable[[], AbstractContextManager[LogEnd]],
    lease: Lease,
    switch: Callable[[Connection, str], None],
    public_log: PublicLog,
    *,
    is_new: bool = False,
    on_progress: Callable[[int], None] = lambda position: None,
) -> int:
    """Fill the set of view tables that is not live and make it so; return the last position.

    hold_log: keeps others from appending until it is left, and commits. switch: makes a set live.
    lease: of two rebuilds that overlap, the later goes on and the earlier gives up, so that none
    switches to a set that the other has emptied.
    is_new: the public log is younger than this log, and is made together with the views; nobody
    may write meanwhile.
    """
    with hold_log() as end:
        lease.take(end.connection)
        target = other_set(end.view_set)
        empty(end.connection, target)
    folding = _Folding(target, lease, public_log, is_new=is_new)
    while folding.follow(engine, read_log):
        on_progress(folding.position)
    with hold_log() as end:
        while folding.take(end.connection, read_log):
            on_progress(folding.position)
        switch(end.connection, target)
    return folding.position


def empty_other_set(hold_log: Callable[[], AbstractContextManager[LogEnd]], lease: Lease) -> None:
    """Remove what the set that is not live still holds of older times.

    A rebuild that is going on gives up: it may have read what is no longer to be found.
    """
    with hold_log() as end:
        lease.take(end.connection)
        empty(end.connection, other_set(end.view_set))


def other_set(view_set: str) -> str:
    """Return the set of view tables that is not this one."""
    return next(s for s in VIEW_SETS if s != view_set)


def empty(connection: Connection, view_set: str) -> None:
    """Remove all rows of a set."""
    for table in registered:
        connection.execute(delete(table[view_set]))


class _Folding:
    """How far a rebuild has come, and the cases as they are there."""

    def __init__(self, view_set: str, lease: Lease, public_log: PublicLog, *, is_new: bool) -> None:
        self.position = 0
        self._lease = lease
        self._view_set = view_set
        self._public_log = public_log
        self._is_new = is_new
        self._replay = Replay()

    def follow(self, engine: Engine, read_log: ReadLog) -> bool:
        """Take in a batch in a transaction of its own; return whether there was one."""
        with wrapped_errors(), begin_write(engine) as connection:
            return self.take(connection, read_log)

    def take(self, connection: Connection, read_log: ReadLog) -> bool:
        self._lease.check(connection)
        batch = read_log(connection, self.position, BATCH)
        if not batch:
            return False
        told = self._find_told(connection, batch)
        changes = self._replay.take_in_all(connection, self._view_set, told, batch)
        self._public_log.record(connection, changes)
        self.position = batch[-1][0]
        return True

    def _find_told(self, connection: Connection, batch: Sequence[tuple[int, Event]]) -> Told | None:
        """Return what the events made public; None where that is to be found out now."""
        if self._is_new and self._public_log.find_last_position(connection) < batch[0][0]:
            return None
        return read_told(connection, self._public_log, batch)


def read_told(
    connection: Connection, public_log: PublicLog, batch: Sequence[tuple[int, Event]]
) -> Told:
    """Return the public changes that the events of a batch made, by position."""
    told: dict[int, list[PublicChange]] = {}
    for change in public_log.read(connection, batch[0][0], batch[-1][0]):
        told.setdefault(change.position, []).append(change)
    return told


class Replay:
    """The cases as they are at some place of the log, and who belongs with whom."""

    def __init__(self) -> None:
        self._cases: dict[UUID, Case] = {}
        self._figures: dict[UUID, Figure] = {}
        self._identities = Identities()

    def take_in_all(
        self,
        connection: Connection,
        view_set: str,
        told: Told | None,
        batch: Sequence[tuple[int, Event]],
    ) -> Sequence[PublicChange]:
        """Apply the next events, and write what the projections make of them into a set.

        told: what the events made public; None where that is to be found out, and returned.
        """
        projector = HouseProjector(connection, view_set, told)
        for position, event in batch:
            self.take_in(projector, position, event)
        projector.flush()
        return projector.changes

    def take_in(self, projector: HouseProjector, position: int, event: Event) -> None:
        """Apply the next event and give it to the projections, with what it changed."""
        tracking = Tracking("caseflow", position)
        if isinstance(event.body, Erased | CaseErased):
            # Still readable for a moment, where the key has not been destroyed yet.
            self._cases.pop(event.originator_id, None)
            projector.process_event(event, None, (), tracking)
            return
        before = self._cases.get(event.originator_id)
        merged_into = before.merged_into if before else None
        case = evolve(before, event)
        dossiers = self._follow(case, merged_into) if case else []
        figure = self._follow_figure(event) if case is None else None
        projector.process_event(event, case, dossiers, tracking, figure)

    def _follow_figure(self, event: Event) -> Figure | None:
        figure = evolve_figure(self._figures.get(event.originator_id), event)
        if figure is not None:
            self._figures[figure.id] = figure
        return figure

    def _follow(self, case: Case, merged_into: UUID | None) -> list[Dossier]:
        """Keep a case and who it belongs with; return the dossiers that its event changed."""
        self._cases[case.id] = case
        stood = self._identities.find_root(case.id)
        if case.merged_into != merged_into:
            self._identities.note(case.id, case.merged_into)
        roots = {self._identities.find_root(c) for c in (stood, case.id)}
        return [dossier for root in sorted(roots) for dossier in self._list_dossiers(root)]

    def _list_dossiers(self, case_id: UUID) -> list[Dossier]:
        """Return the dossier of a case that stays.

        Where it was erased, each case that was once merged into it and is still there has one.
        """
        merged = self._identities.list_merged(case_id)
        found = [self._cases[other] for other in merged if other in self._cases]
        if case_id in self._cases:
            return [Dossier(self._cases[case_id], tuple(found))]
        return [Dossier(case) for case in found]


def list_differing(
    connection: Connection, view_set: str, read_log: ReadLog, public_log: PublicLog
) -> list[str]:
    """Return the view tables of a set that are not what the log makes, by name.

    What the log makes is written into the other set: the caller undoes the transaction, which has
    to see the database as it is at one moment.
    """
    again, replay, position = other_set(view_set), Replay(), 0
    empty(connection, again)
    while batch := read_log(connection, position, BATCH):
        replay.take_in_all(connection, again, read_told(connection, public_log, batch), batch)
        position = batch[-1][0]
    return [
        table.name
        for table in sorted(registered, key=lambda t: t.name)
        if _digest_rows(connection, table, view_set) != _digest_rows(connection, table, again)
    ]


def _digest_rows(connection: Connection, table: ViewTable, view_set: str) -> bytes:
    found = hashlib.sha256()
    for row in list_rows(connection, table, view_set):
        found.update(repr(row).encode())
    return found.digest()


def digest(connection: Connection, view_set: str) -> str:
    """Return the SHA-256 of all rows of a set, hex: equal sets of views have equal digests."""
    found = hashlib.sha256()
    for table in sorted(registered, key=lambda t: t.name):
        found.update(table.name.encode())
        for row in list_rows(connection, table, view_set):
            found.update(repr(row).encode())
    return found.hexdigest()


def list_rows(
    connection: Connection, table: ViewTable, view_set: str
) -> Iterator[tuple[object, ...]]:
    """Yield the rows of a view's table, by primary key."""
    target = table[view_set]
    for row in connection.execute(select(target).order_by(*target.primary_key)):
        yield tuple(row)
