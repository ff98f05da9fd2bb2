"""Every event of the log by its id and position: what it is, and for whom; never what it says.

The words of an event are read from the log, under its case's key.
"""

from collections.abc import Collection
from typing import Final, NamedTuple
from uuid import UUID

from eventsourcing.persistence import Tracking
from eventsourcing.projection import Projection
from sqlalchemy import BigInteger, Column, Connection, Integer, String, or_, select, update

from caseflow.database import Uuid16
from caseflow.domain.case import Case, RecordedClaim
from caseflow.domain.events import CaseErased, CaseOpened, Erased, Event
from caseflow.domain.times import parse_time
from caseflow.domain.vocabulary import VISIBILITY_RANK, Claim, Visibility

from ..view import Change, View, ViewTable

# Stands for the type of an event that was erased; no type of the vocabulary is called so.
ERASED: Final = "erased"
# The last event of a case that was erased, which is not.
ERASURE: Final = "case.erased"
# What partners see of the record itself: it is not about the person.
RECORD_VISIBILITY: Final[Visibility] = "partners"

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
            # Whose account it is: of a claim, and of what was recorded about one.
            Column("partner_id", Uuid16, nullable=False),
            # Who may read it, after consent and ceilings.
            Column("visibility", String(10), nullable=False),
            Column("recorded_at", BigInteger, nullable=False),
            # The claim that a record event is about, as it was then; null for other events.
            Column("about", Uuid16, nullable=True),
            # Of the key that it was posted with.
            Column("key_id", Uuid16, nullable=True),
        ],
    )
    .index("event", "event_id", unique=True)
    .index("case", "case_id", "version")
    .index("key", "key_id", "recorded_at")
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
    """Keeps `partner_events` and `embargoes`."""

    name = "partner_history"

    def process_event(self, domain_event: Change, tracking: Tracking) -> None:
        """Put the event's row, and what it does to other events and to embargoes."""
        event, case = domain_event.event, domain_event.case
        recorded = case.claims.get(event.id) if case else None
        about = None if recorded or not case else case.find_claim_of(event.body)
        owner = recorded or about
        self.view.put(
            partner_events,
            {
                "position": tracking.notification_id,
                "event_id": event.id,
                "case_id": event.originator_id,
                "version": event.originator_version,
                "type": event.type,
                "partner_id": owner.partner_id if owner else event.partner_id,
                "visibility": owner.visibility if owner else _visibility_of(event),
                "recorded_at": event.recorded_at,
                "about": about.event_id if about else None,
                "key_id": event.key_id,
            },
        )
        if isinstance(event.body, CaseErased):
            self._erase(event.originator_id, event.body)
        if case is None:
            return
        if isinstance(event.body, Claim):
            self._note_embargo(case, case.claims[event.id])
        elif not isinstance(event.body, CaseOpened):
            self._look_again(case)

    def _erase(self, case_id: UUID, body: CaseErased) -> None:
        """Leave of the events of a case that they were there, and who could read them."""
        table = partner_events[self.view.view_set]
        left = {"type": ERASED, "about": None, "key_id": None}
        for erased in body.events:
            this = update(table).where(table.c.event_id == UUID(erased.id))
            readers = {"partner_id": UUID(erased.partner), "visibility": erased.visibility}
            self.view.write(this.values(left | readers))
        self.view.remove(embargoes, case_id=case_id)

    def _look_again(self, case: Case) -> None:
        """Bring what is known of each claim of a case in step with how things stand now."""
        table = partner_events[self.view.view_set]
        columns = (table.c.event_id, table.c.about, table.c.visibility)
        for row in self.view.read(select(*columns).where(table.c.case_id == case.id)):
            recorded = case.claims.get(row.about or row.event_id)
            if recorded is not None and recorded.visibility != row.visibility:
                change = update(table).where(table.c.event_id == row.event_id)
                self.view.write(change.values(visibility=recorded.visibility))
        self.view.remove(embargoes, case_id=case.id)
        for recorded in case.claims.values():
            self._note_embargo(case, recorded)

    def _note_embargo(self, case: Case, recorded: RecordedClaim) -> None:
        if recorded.publication.state != "embargoed":
            return
        # One without a time of its own came while publication was halted.
        until = recorded.claim.publish_after
        self.view.put(
            embargoes,
            {
                "event_id": recorded.event_id,
                "case_id": case.id,
                "until": parse_time(until) if until else 0,
            },
        )


def _visibility_of(event: Event) -> Visibility:
    """Return who may read an event that is about no claim.

    Of one that was erased the event that erased it says so, later; until then nobody new is told.
    """
    return "restricted" if isinstance(event.body, Erased) else RECORD_VISIBILITY


_COLUMNS: Final = Placed._fields


def list_cases_with(connection: Connection, view_set: str, types: Collection[str]) -> list[UUID]:
    """Return the cases that have an event of one of these types, whoever may read it."""
    table = partner_events[view_set]
    query = select(table.c.case_id).where(table.c.type.in_(sorted(types))).distinct()
    return list(connection.scalars(query.order_by(table.c.case_id)))


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


def list_readers(connection: Connection, view_set: str, case_id: UUID) -> list[Placed]:
    """Return the events of a case, in order."""
    table = partner_events[view_set]
    query = select(*(table.c[n] for n in _COLUMNS)).where(table.c.case_id == case_id)
    return [Placed(*row) for row in connection.execute(query.order_by(table.c.position))]


def list_due(connection: Connection, view_set: str, at: int) -> list[tuple[UUID, UUID]]:
    """Return case and claim of each embargo that is over at a moment, in microseconds."""
    table = embargoes[view_set]
    query = select(table.c.case_id, table.c.event_id).where(table.c.until <= at)
    return [(row.case_id, row.event_id) for row in connection.execute(query)]


def list_by_key(connection: Connection, view_set: str, key_id: UUID, since: int) -> list[Placed]:
    """Return what was posted with a key since a moment, in microseconds, in log order."""
    table = partner_events[view_set]
    query = (
        select(*(table.c[n] for n in _COLUMNS))
        .where(table.c.key_id == key_id, table.c.recorded_at >= since)
        .order_by(table.c.position)
    )
    return [Placed(*row) for row in connection.execute(query)]
