"""Why the numbers moved that a partner may know: the events it may read, and what each did."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select

from caseflow.domain.change_kinds import TYPES_OF_CASES
from caseflow.domain.vocabulary import VISIBILITY_RANK

from ..facts import filter_facts
from ..movements import Change, FactRow, States
from .history import partner_events
from .statistics import partner_facts

_TYPES: Final = sorted(TYPES_OF_CASES)


class PartnerChanges:
    """What a partner may know of why numbers moved.

    audience: `partners` or `restricted`; own: the partner, which also reads its own claims.
    """

    def __init__(
        self,
        connection: Connection,
        view_set: str,
        states: States = (None, None),
        *,
        audience: str,
        own: UUID | None,
    ) -> None:
        self.connection = connection
        self._events = partner_events[view_set]
        self._facts = partner_facts[view_set]
        self._audience, self._own = audience, own
        self._states = states

    def _may_read(self) -> ColumnElement[bool]:
        rank = VISIBILITY_RANK
        wide = [v for v in rank if rank[v] >= rank[self._audience]]
        return or_(self._events.c.visibility.in_(wide), self._events.c.partner_id == self._own)

    def _select(self) -> Select[Any]:
        names = ("position", "recorded_at", "event_id", "case_id", "case_id", "type", "visibility")
        query = select(*(self._events.c[name].label(None) for name in names))
        query = query.where(self._events.c.type.in_(_TYPES), self._may_read())
        return query.order_by(self._events.c.position)

    def list_changes(self, after: int, limit: int) -> list[Change]:
        """Return the events after a position that the partner may read, at most so many."""
        return self._list(self._select().where(self._events.c.position > after).limit(limit))

    def list_changes_at(self, times: Sequence[int]) -> list[Change]:
        """Return all events of these times that the partner may read."""
        return self._list(self._select().where(self._events.c.recorded_at.in_(times)))

    def _list(self, query: Select[Any]) -> list[Change]:
        return [Change(*row) for row in self.connection.execute(query)]

    def find_time(self, position: int) -> int:
        """Return when the last such event up to a position was recorded; -1 before the first."""
        at, place = self._events.c.recorded_at, self._events.c.position
        query = select(func.max(at)).where(
            place <= position, self._events.c.type.in_(_TYPES), self._may_read()
        )
        found: int | None = self.connection.scalar(query)
        return -1 if found is None else found

    def select_facts(self) -> Select[Any]:
        """Return the query for all intervals of claims that the partner may read now."""
        query = select(*(self._facts.c[name] for name in FactRow._fields))
        query = query.join(self._events, self._events.c.event_id == self._facts.c.event_id)
        return filter_facts(query.where(self._may_read()), self._facts, *self._states)
