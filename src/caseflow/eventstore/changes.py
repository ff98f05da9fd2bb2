"""Which cases have changed lately: what tells of one case stays true while others change."""

import threading
from collections import OrderedDict
from collections.abc import Collection
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, select

from .mapper import TOPIC
from .merges import list_entangled
from .tables import events

# Cases that are remembered one by one; of what is longer ago, all count as changed.
REMEMBERED: Final = 20_000
# Events of other processes that are looked at one by one.
FOLLOWED_AT_ONCE: Final = 1_000


class CaseChanges:
    """The last position at which each case changed, as far as this process has heard.

    The writer notes what it commits before it answers; what other processes commit is looked up by
    whoever sees that the log is longer. Safe to use from several threads.
    """

    def __init__(self, size: int = REMEMBERED) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._changed: OrderedDict[UUID, int] = OrderedDict()
        # What was found out at a position before this one may be out of date, of whichever case.
        self._floor = 0
        self._head = 0

    @property
    def head(self) -> int:
        """The position up to which changes are known."""
        return self._head

    def is_current(self, position: int, case_id: UUID | None) -> bool:
        """Return whether nothing has changed since a position: of a case, of all cases for None."""
        if case_id is None:
            return position == self._head
        return position >= self._floor and self._changed.get(case_id, 0) <= position

    def list_changed(self, position: int) -> set[UUID] | None:
        """Return the cases that changed after a position; None where it may be any."""
        with self._lock:
            if position < self._floor:
                return None
            return {case_id for case_id, at in self._changed.items() if at > position}

    def note(self, after: int, head: int, case_ids: Collection[UUID] | None) -> None:
        """Note that the events after a position up to `head` changed these cases; None for any."""
        with self._lock:
            if after > self._head or case_ids is None:
                # What stands between is not known.
                self._floor = max(self._floor, after if case_ids is not None else head)
            for case_id in case_ids or ():
                self._changed[case_id] = max(head, self._changed.get(case_id, 0))
                self._changed.move_to_end(case_id)
            while len(self._changed) > self._size:
                _, position = self._changed.popitem(last=False)
                self._floor = max(self._floor, position)
            self._head = max(self._head, head)

    def catch_up(self, connection: Connection, head: int) -> None:
        """Note what other processes have changed; head: the end of the log as `connection` sees it.

        A case changes with those that were ever held to be of the same person.
        """
        after = self._head
        if head <= after:
            return
        query = select(events.c.originator_id, events.c.topic)
        query = query.where(events.c.position > after, events.c.position <= head)
        found = connection.execute(query.limit(FOLLOWED_AT_ONCE + 1)).all()
        # An erasure changes what is told of others as well.
        if len(found) > FOLLOWED_AT_ONCE or any(row.topic != TOPIC for row in found):
            self.note(after, head, None)
        else:
            self.note(after, head, _close(connection, {row.originator_id for row in found}))


def _close(connection: Connection, case_ids: set[UUID]) -> set[UUID]:
    """Return these cases with all that hang together with them, through however many others."""
    latest = set(case_ids)
    while latest:
        latest = set(list_entangled(connection, sorted(case_ids))) - case_ids
        case_ids |= latest
    return case_ids
