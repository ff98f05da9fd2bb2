"""Cases in memory, for the one writer of a process, which decides on them without reading them."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, select

from caseflow.domain.case import Case
from caseflow.domain.dossier import Identities

from .merges import load_merges
from .tables import events as events_table

# Some 60 MB of cases, whatever their number.
CACHED_EVENTS: Final = 40_000


class CaseCache:
    """Cases by id, the most recently used; valid up to the position that it was `caught_up` to.

    size: the events of all cases together, between two batches. Within a batch nothing is pushed
    out: what it did to a case is in no table yet.
    """

    def __init__(self, size: int = CACHED_EVENTS) -> None:
        self._size = size
        # Cases change in place: each with the events that are counted for it.
        self._cases: OrderedDict[UUID, tuple[Case, int]] = OrderedDict()
        self._events = 0
        self._position = 0
        self.identities = Identities()

    def get(self, case_id: UUID) -> Case | None:
        """Return a case, or None where it has to be read."""
        if case_id not in self._cases:
            return None
        self._cases.move_to_end(case_id)
        return self._cases[case_id][0]

    def put(self, case: Case) -> None:
        """Keep a case."""
        self.drop([case.id])
        self._cases[case.id] = case, case.version
        self._events += case.version

    def drop(self, case_ids: Iterable[UUID]) -> None:
        """Forget cases that may not be what the log says."""
        for case_id in case_ids:
            _, events = self._cases.pop(case_id, (None, 0))
            self._events -= events

    def forget(self, case_ids: Iterable[UUID]) -> None:
        """Forget what a batch that failed made of cases; all else is read again."""
        self.drop(case_ids)
        self._position = -1

    def catch_up(self, connection: Connection, head: int) -> None:
        """Forget the cases that others have changed since; head: the end of the log."""
        if self._position != head:
            changed = select(events_table.c.originator_id).where(
                events_table.c.position > self._position
            )
            if self._cases:
                self.drop(connection.scalars(changed))
            self.identities = Identities(load_merges(connection))
            self._position = head

    def advance(self, head: int) -> None:
        """Note that this process wrote up to `head`, and nobody else in between."""
        self._position = head
        while self._events > self._size and len(self._cases) > 1:
            self.drop([next(iter(self._cases))])
