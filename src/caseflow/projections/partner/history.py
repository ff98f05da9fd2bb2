"""Every event of the log by its id and position: what it is, and for whom; never what it says.

The words of an event are read from the log, under its case's key.
"""

from typing import Final, NamedTuple
from uuid import UUID

import msgspec
from eventsourcing.persistence import Tracking
from eventsourcing.projection import Projection
from sqlalchemy import BigInteger, Column, Connection, Integer, LargeBinary, String, or_, select

from caseflow.database import Uuid16
from caseflow.domain.events import PublicationReleased
from caseflow.domain.times import parse_time
from caseflow.domain.vocabulary import VISIBILITY_RANK

from ..view import Change, View, ViewTable

# What partners see of the record itself: it is not about the person.
RECORD_VISIBILITY: Final = "partners"

partner_events = (
    ViewTable(
        "partner_events",
        lambda: [
            Column(
                "position",
                BigInteger().with_variant(Integer, "sqlite"),
                primary_key=True,
                autoincrement=False,
            ),
            Column("event_id", Uuid16, nullable=False),
            Column("case_id", Uuid16, nullable=False),
            Column("version", Integer, nullable=False),
            Column("type", String(40), nullable=False),
            Column("partner_id", Uuid16, nullable=False),
            # Who may read it, after consent and ceilings.
            Column("visibility", String(10), nullable=False),
            Column("recorded_at", BigInteger, nullable=False),
            # What statistics read of a claim (JSON: codes and days); null for a record event.
            Column("facts", LargeBinary, nullable=True),
        ],
    )
    .index("event", "event_id", unique=True)
    .index("case", "case_id", "version")
)

# Claims that wait for their hour. A release, which is an event, takes a row away.
embargoes = ViewTable(
    "embargoes",
    lambda: [
        Column("event_id", Uuid16, primary_key=True),
        Column("case_id", Uuid16, nullable=False),
        Column("until", BigInteger, nullable=False),
    ],
).index("until", "until")


class Placed(NamedTuple):
    """Where an event stands in the log and in its case."""

    position: int
    event_id: UUID
    case_id: UUID
    version: int
    type: str
    partner_id: UUID
    visibility: str
    recorded_at: int


class PartnerHistory(Projection[View]):
    """Keeps `partner_events`."""

    name = "partner_history"

    def process_event(self, domain_event: Change, tracking: Tracking) -> None:
        """Put the event's row, and what it does to embargoes."""
        event, case = domain_event
        recorded = case.claims.get(event.id)
        if isinstance(event.body, PublicationReleased):
            self.view.remove(embargoes, event_id=UUID(event.body.claim))
        elif recorded is not None and recorded.publication.state == "embargoed":
            until = parse_time(recorded.claim.publish_after or "")
            row = {"event_id": event.id, "case_id": case.id, "until": until}
            self.view.put(embargoes, row)
        self.view.put(
            partner_events,
            {
                "position": tracking.notification_id,
                "event_id": event.id,
                "case_id": case.id,
                "version": event.originator_version,
                "type": event.type,
                "partner_id": event.partner_id,
                "visibility": recorded.visibility if recorded else RECORD_VISIBILITY,
                "recorded_at": event.recorded_at,
                "facts": msgspec.json.encode(recorded.facts) if recorded else None,
            },
        )


_COLUMNS: Final = Placed._fields


def find_event(connection: Connection, view_set: str, event_id: UUID) -> Placed | None:
    """Return where an event stands, or None."""
    table = partner_events[view_set]
    query = select(*(table.c[n] for n in _COLUMNS)).where(table.c.event_id == event_id)
    row = connection.execute(query).one_or_none()
    return Placed(*row) if row else None


def list_placed(
    connection: Connection,
    view_set: str,
    *,
    after: int,
    limit: int,
    audience: str,
    own: UUID | None,
) -> list[Placed]:
    """Return the events that an audience may read, in log order, from after a position."""
    table = partner_events[view_set]
    wide = [v for v, rank in VISIBILITY_RANK.items() if rank >= VISIBILITY_RANK[audience]]
    query = (
        select(*(table.c[n] for n in _COLUMNS))
        .where(table.c.position > after)
        .where(or_(table.c.visibility.in_(wide), table.c.partner_id == own))
        .order_by(table.c.position)
        .limit(limit)
    )
    return [Placed(*row) for row in connection.execute(query)]


def get_position(connection: Connection, view_set: str, case_id: UUID, version: int) -> int:
    """Return the position of a case's event of a version; 0 where there is none."""
    table = partner_events[view_set]
    query = select(table.c.position).where(table.c.case_id == case_id, table.c.version == version)
    return connection.scalar(query) or 0


def list_positions(connection: Connection, view_set: str, case_id: UUID) -> dict[UUID, int]:
    """Return the position of each event of a case."""
    table = partner_events[view_set]
    query = select(table.c.event_id, table.c.position).where(table.c.case_id == case_id)
    return {row.event_id: row.position for row in connection.execute(query)}


def list_due(connection: Connection, view_set: str, at: int) -> list[tuple[UUID, UUID]]:
    """Return case and claim of each embargo that is over at a moment, in microseconds."""
    table = embargoes[view_set]
    query = select(table.c.case_id, table.c.event_id).where(table.c.until <= at)
    return [(row.case_id, row.event_id) for row in connection.execute(query)]
