"""Why the public numbers moved: the public changes, and what each did to them.

A case of which nothing is shown moves numbers too. Such a movement stands beside a public change,
summed with the others that came since the one before, and carries no id and no time of its own.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, func, select

from ..facts import filter_facts
from ..movements import Change, FactRow, States
from .history import public_events
from .statistics import public_counts


class PublicChanges:
    """What anyone may know of why numbers moved, from public tables alone."""

    def __init__(
        self,
        connection: Connection,
        view_set: str,
        states: States = (None, None),
    ) -> None:
        self.connection = connection
        self._view_set = view_set
        self._states = states

    def list_changes(self, after: int, limit: int) -> list[Change]:
        """Return the public changes after a position, at most so many."""
        table = public_events[self._view_set]
        return self._list(_select(table).where(table.c.sequence > after).limit(limit))

    def list_changes_at(self, times: Sequence[int]) -> list[Change]:
        """Return all public changes of these times."""
        table = public_events[self._view_set]
        return self._list(_select(table).where(table.c.published_at.in_(times)))

    def _list(self, query: Select[Any]) -> list[Change]:
        return [Change(*row) for row in self.connection.execute(query)]

    def find_time(self, position: int) -> int:
        """Return when the last public change up to a position was made; -1 before the first."""
        table = public_events[self._view_set]
        query = select(func.max(table.c.published_at)).where(table.c.sequence <= position)
        found: int | None = self.connection.scalar(query)
        return -1 if found is None else found

    def select_facts(self) -> Select[Any]:
        """Return the query for all intervals that anyone may count."""
        table = public_counts[self._view_set]
        query = select(*(table.c[name] for name in FactRow._fields))
        return filter_facts(query, table, *self._states)


def _select(table: Any) -> Select[Any]:
    names = ("sequence", "published_at", "event_id", "case_id", "dossier_id", "kind")
    return select(*(table.c[name] for name in names)).order_by(table.c.sequence)
