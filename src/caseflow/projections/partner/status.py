"""Where each case stands, as partners may know it: one row for each audience that differs.

Holds codes and counts, no names and no words: this view travels in the main backup. What a case is
called is read from the log.
"""

from typing import Any, Final, NamedTuple
from uuid import UUID

from eventsourcing.persistence import Tracking
from eventsourcing.projection import Projection
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    Select,
    String,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
)

from caseflow.database import Uuid16
from caseflow.domain.dossier import Dossier
from caseflow.domain.events import CaseErased, CaseOpened
from caseflow.domain.vocabulary import Claim, Visibility

from ..listing import (
    CaseFilter,
    filter_by_frame,
    filter_by_status,
    page,
    track_columns,
    track_values,
)
from ..view import Change, View, ViewTable
from .history import partner_events

PARTNERS: Final = "partners"
RESTRICTED: Final = "restricted"


partner_status = ViewTable(
    "partner_status",
    lambda: [
        Column("case_id", Uuid16, primary_key=True),
        # `partners`, `restricted`, or the id of a partner that reads restricted claims of its own.
        Column("audience", String(36), primary_key=True),
        Column("partner_id", Uuid16, nullable=False),
        Column("code", String(16), nullable=False),
        Column("host_state", String(2), nullable=False),
        Column("origin_state", String(2), nullable=False),
        Column("persons", Integer, nullable=False),
        Column("version", Integer, nullable=False),
        # Of the case's last event.
        Column("position", BigInteger, nullable=False),
        # Of the last event that the audience may read.
        Column("updated_at", BigInteger, nullable=False),
        # With the id, the order of lists: stable under inserts.
        Column("opened_at", BigInteger, nullable=False),
        Column("headline", String(32), nullable=False),
        Column("at_risk", Boolean, nullable=False),
        *track_columns(),
    ],
).index("order", "audience", "opened_at", "case_id")


class Audience(NamedTuple):
    """Who reads a row: claims of this visibility and wider, and those of a partner of its own."""

    name: str
    visibility: Visibility
    own: UUID | None = None


def list_audiences(dossier: Dossier) -> list[Audience]:
    """Return each audience that sees a status of its own."""
    claims = (c for case in dossier.cases for c in case.claims.values())
    authors = {c.partner_id for c in claims if c.visibility == "restricted"}
    return [
        Audience(PARTNERS, "partners"),
        Audience(RESTRICTED, "restricted"),
        *(Audience(str(author), "partners", author) for author in sorted(authors)),
    ]


class PartnerStatus(Projection[View]):
    """Keeps `partner_status`. A case is folded once for a batch, however many events it has."""

    name = "partner_status"

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._positions: dict[UUID, int] = {}
        self._changed: dict[UUID, Dossier] = {}
        # Cases of which an audience may have gone.
        self._recast: set[UUID] = set()

    def process_event(self, domain_event: Change, tracking: Tracking) -> None:
        """Note that a person's cases have changed."""
        event, case, dossiers, _ = domain_event
        if isinstance(event.body, CaseErased):
            self._changed.pop(event.originator_id, None)
            self.view.remove(partner_status, case_id=event.originator_id)
        if case is not None:
            self._positions[case.id] = tracking.notification_id
        for dossier in dossiers:
            self._changed[dossier.main.id] = dossier
            if not isinstance(event.body, Claim | CaseOpened):
                self._recast.add(dossier.main.id)

    def process_batch(self) -> None:
        """Put the rows of each case that has changed, as it is now; one that went has none."""
        table = partner_status[self.view.view_set]
        for dossier in self._changed.values():
            main = dossier.main
            # A case may stay for a while and go in the same batch.
            if main.merged_into is None:
                position = self._positions.get(main.id) or self._position_of(main.id)
                if main.id in self._recast:
                    self.view.remove(partner_status, case_id=main.id)
                for audience in list_audiences(dossier):
                    self.view.put(partner_status, _row(dossier, position, audience))
            for merged in dossier.merged:
                self.view.write(delete(table).where(table.c.case_id == merged.id))
        self._changed.clear()
        self._recast.clear()
        self._positions.clear()

    def _position_of(self, case_id: UUID) -> int:
        """Return the position of the last event of a case that did not change by itself."""
        table = partner_events[self.view.view_set]
        query = select(func.max(table.c.position)).where(table.c.case_id == case_id)
        return int(self.view.read(query)[0][0] or 0)


def _row(dossier: Dossier, position: int, audience: Audience) -> dict[str, Any]:
    status = dossier.status_for(audience.visibility, audience.own)
    case = dossier.main
    return {
        "case_id": case.id,
        "audience": audience.name,
        "partner_id": case.partner_id,
        "code": case.code,
        "host_state": case.host_state,
        "origin_state": case.origin_state,
        "persons": case.persons,
        "version": case.version,
        "position": position,
        "updated_at": dossier.find_last_change(audience.visibility, audience.own),
        "opened_at": case.opened_at,
        "headline": status.headline,
        "at_risk": status.at_risk,
        **track_values(status),
    }


class ListedCase(NamedTuple):
    """A case in a list: enough to read it from the log."""

    case_id: UUID
    version: int
    position: int
    opened_at: int


def find_version(connection: Connection, view_set: str, case_id: UUID) -> ListedCase | None:
    """Return how far a case has come, or None where there is none."""
    query = _select(view_set).where(
        partner_status[view_set].c.case_id == case_id,
        partner_status[view_set].c.audience == PARTNERS,
    )
    row = connection.execute(query).one_or_none()
    return ListedCase(*row) if row else None


def list_cases(
    connection: Connection,
    view_set: str,
    wanted: CaseFilter,
    *,
    reads_restricted: bool,
    own: UUID,
    replayed: bool = False,
) -> list[ListedCase]:
    """Return the cases that a partner may read, by opening, where they stand as it may know.

    replayed: the statuses will be folded anew, so they filter nothing here, and nothing limits.
    """
    table = partner_status[view_set]
    query = _select(view_set).where(_audience(view_set, reads_restricted, own))
    query = page(filter_by_frame(query, table, wanted), table, "opened_at", wanted)
    if not replayed:
        query = filter_by_status(query, table, wanted).limit(wanted.limit)
    return [ListedCase(*row) for row in connection.execute(query)]


def _select(view_set: str) -> Select[Any]:
    table = partner_status[view_set]
    return select(*(table.c[name] for name in ListedCase._fields))


def _audience(view_set: str, reads_restricted: bool, own: UUID) -> Any:
    """Return the condition for what a partner may know: its own rows, else those for all."""
    table = partner_status[view_set]
    if reads_restricted:
        return table.c.audience == RESTRICTED
    mine = table.alias()
    has_own = exists().where(mine.c.case_id == table.c.case_id, mine.c.audience == str(own))
    return or_(table.c.audience == str(own), and_(table.c.audience == PARTNERS, ~has_own))
