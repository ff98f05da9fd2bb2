"""The objections to cases: which there are, whose they are to check, and which are settled.

Holds ids and times, no words: this view travels in the main backup. What somebody objected is read
from the log, under the key of its case.
"""

from typing import Final, NamedTuple
from uuid import UUID

from eventsourcing.persistence import Tracking
from eventsourcing.projection import Projection
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    String,
    select,
    update,
)

from caseflow.database import Uuid16
from caseflow.domain.case import Case
from caseflow.domain.events import CaseErased, Event, ObjectionMade

from ..view import Change, View, ViewTable

partner_objections = (
    ViewTable(
        "partner_objections",
        lambda: [
            # Of the event: the order in which they were made.
            Column(
                "position",
                BigInteger().with_variant(Integer, "sqlite"),
                primary_key=True,
                autoincrement=False,
            ),
            Column("event_id", Uuid16, nullable=False),
            Column("case_id", Uuid16, nullable=False),
            Column("version", Integer, nullable=False),
            Column("code", String(16), nullable=False),
            # Who opened the case, and so checks what is objected.
            Column("partner_id", Uuid16, nullable=False),
            Column("hides", Boolean, nullable=False),
            Column("recorded_at", BigInteger, nullable=False),
            # The event with which a partner told consent anew; null while it is open.
            Column("settled_by", Uuid16, nullable=True),
        ],
    )
    .index("partner", "partner_id", "position")
    .index("case", "case_id")
)


class PlacedObjection(NamedTuple):
    """Where an objection stands in the log and in its case, and what became of it."""

    position: int
    event_id: UUID
    case_id: UUID
    version: int
    code: str
    hides: bool
    recorded_at: int
    settled_by: UUID | None


class PartnerObjections(Projection[View]):
    """Keeps `partner_objections`. Of a case that was erased nothing is left there."""

    name = "partner_objections"

    def process_event(self, domain_event: Change, tracking: Tracking) -> None:
        """Put the row of an objection, or note what settles those of its case."""
        event, case = domain_event.event, domain_event.case
        if isinstance(event.body, CaseErased):
            self.view.remove(partner_objections, case_id=event.originator_id)
        elif case is None:
            return
        elif isinstance(event.body, ObjectionMade):
            self._put(case, event, event.body, tracking.notification_id)
        elif any(objection.settled_by == event.id for objection in case.objections):
            table = partner_objections[self.view.view_set]
            still_open = update(table).where(
                table.c.case_id == case.id, table.c.settled_by.is_(None)
            )
            self.view.write(still_open.values(settled_by=event.id))

    def _put(self, case: Case, event: Event, said: ObjectionMade, position: int) -> None:
        self.view.put(
            partner_objections,
            {
                "position": position,
                "event_id": event.id,
                "case_id": case.id,
                "version": event.originator_version,
                "code": case.code,
                "partner_id": case.partner_id,
                "hides": said.hides,
                "recorded_at": event.recorded_at,
                "settled_by": None,
            },
        )


_COLUMNS: Final = PlacedObjection._fields


def list_objections(
    connection: Connection, view_set: str, *, own: UUID | None, after: int, limit: int
) -> list[PlacedObjection]:
    """Return objections from after a position, in the order in which they were made.

    own: to cases of this partner alone; None for those to all.
    """
    table = partner_objections[view_set]
    query = select(*(table.c[name] for name in _COLUMNS)).where(table.c.position > after)
    if own is not None:
        query = query.where(table.c.partner_id == own)
    rows = connection.execute(query.order_by(table.c.position).limit(limit))
    return [PlacedObjection(*row) for row in rows]
