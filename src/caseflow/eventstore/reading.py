"""Reading the log: a consistent view of the database, cases folded from their events."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Engine

from caseflow.database import begin_read, wrapped_errors
from caseflow.domain.case import Case
from caseflow.domain.dossier import Dossier
from caseflow.domain.events import Event

from .mapper import SealedMapper
from .merges import find_root, list_merged
from .recorder import Head, find_last_version, list_events, list_notifications, read_head

CACHED_CASES: Final = 20_000


class Snapshot(NamedTuple):
    """A read transaction: the database as it was at one position of the log."""

    connection: Connection
    head: Head

    @property
    def view_set(self) -> str:
        """Return the set of view tables that is live."""
        return self.head.view_set


class LogReader:
    """Reads events and folds cases; safe to use from several threads.

    A case that is returned is shared: whoever gets one must not change it.
    """

    def __init__(self, engine: Engine, mapper: SealedMapper, size: int = CACHED_CASES) -> None:
        self._engine = engine
        self._mapper = mapper
        self._size = size
        self._cases: OrderedDict[UUID, Case] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Yield a snapshot; everything that is read through it is of one moment."""
        with wrapped_errors(), begin_read(self._engine) as connection:
            yield Snapshot(connection, read_head(connection))

    def find_case(self, snapshot: Snapshot, case_id: UUID, version: int) -> Case | None:
        """Return a case at a version, or None where its opening cannot be read."""
        with self._lock:
            case = self._cases.get(case_id)
            if case is not None and case.version == version:
                self._cases.move_to_end(case_id)
                return case
        case = Case.from_events(self.list_events(snapshot, case_id, lte=version))
        if case is not None:
            with self._lock:
                self._cases[case_id] = case
                if len(self._cases) > self._size:
                    self._cases.popitem(last=False)
        return case

    def find_dossier(
        self, snapshot: Snapshot, case_id: UUID, known_at: int | None = None
    ) -> Dossier | None:
        """Return all cases of the person whom a case is about, or None where it is not there.

        known_at: microseconds; as all was known then, and no more of it than may be read now.
        """
        connection = snapshot.connection
        root = find_root(connection, case_id, known_at)
        main = self._find(snapshot, root, known_at)
        if main is None and root != case_id:
            # It was erased: of another person, for whom this one was taken then.
            root, main = case_id, self._find(snapshot, case_id, known_at)
        if main is None:
            return None
        merged = (
            self._find(snapshot, other, known_at)
            for other in list_merged(connection, root, known_at)
        )
        return Dossier(main, tuple(case for case in merged if case is not None))

    def _find(self, snapshot: Snapshot, case_id: UUID, known_at: int | None) -> Case | None:
        version = find_last_version(snapshot.connection, case_id)
        now = self.find_case(snapshot, case_id, version) if version else None
        if known_at is None or now is None:
            return now
        then = Case.from_events(self.list_events(snapshot, case_id, known_at=known_at))
        if then is not None:
            then.limit_to(now)
        return then

    def forget(self, case_id: UUID) -> None:
        """Drop a case from memory."""
        with self._lock:
            self._cases.pop(case_id, None)

    def list_events(
        self,
        snapshot: Snapshot,
        case_id: UUID,
        *,
        lte: int | None = None,
        known_at: int | None = None,
    ) -> list[Event]:
        """Return the events of a case, oldest first; known_at: recorded then or before."""
        stored = list_events(snapshot.connection, case_id, lte=lte)
        events = self._mapper.to_domain_events(stored)
        return [e for e in events if known_at is None or e.recorded_at <= known_at]

    def read_log(self, connection: Connection, after: int, limit: int) -> list[tuple[int, Event]]:
        """Return events with their positions, in log order, from after a position.

        For any transaction. Raises LogGapError at a hole.
        """
        found = list_notifications(connection, after + 1, limit)
        return list(zip((n.id for n in found), self._mapper.to_domain_events(found), strict=True))

    def get_event(self, snapshot: Snapshot, case_id: UUID, version: int) -> Event:
        """Return one event of a case, which must be there."""
        stored = list_events(snapshot.connection, case_id, gt=version - 1, lte=version)
        return self._mapper.to_domain_events(stored)[0]
