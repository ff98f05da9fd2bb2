"""The public numbers: a fold over what may be counted, whether or not it is shown.

A person who agreed to be counted and no more is in these rows and in no other public table.
"""

from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

from eventsourcing.persistence import Tracking
from eventsourcing.projection import Projection
from sqlalchemy import Connection, select

from caseflow.domain.case import Case, RecordedClaim
from caseflow.domain.dossier import Dossier
from caseflow.domain.events import CaseErased, CaseOpened
from caseflow.domain.statistics import CaseFacts
from caseflow.domain.vocabulary import Claim

from .. import facts
from ..facts import (
    facts_row,
    facts_table,
    group_by_dossier,
    group_facts,
    replace_facts,
    select_facts,
)
from ..view import Change, View, in_parts
from .history import public_events
from .values import is_forgotten, names_case, public_told

public_counts = facts_table("public_counts")


class PublicStatistics(Projection[View]):
    """Keeps `public_counts`."""

    name = "public_statistics"

    def process_event(self, domain_event: Change, tracking: Tracking) -> None:
        """Put the row of a claim; after an event about the record, those of all it may change."""
        event, case, dossiers, _ = domain_event
        if isinstance(event.body, CaseErased):
            self.view.remove(public_counts, case_id=event.originator_id)
        if case is None or isinstance(event.body, CaseOpened):
            return
        if not isinstance(event.body, Claim):
            self._replace(dossiers, event.recorded_at)
            return
        (dossier,) = dossiers
        recorded = case.claims[event.id]
        if not dossier.publication_of(case, recorded).counted:
            return
        if names_case(dossier, case, event.id):
            self._replace(dossiers, event.recorded_at)
        else:
            self.view.put(public_counts, _row(dossier, case, recorded, event.recorded_at))

    def _replace(self, dossiers: Sequence[Dossier], at: int) -> None:
        rows = {
            claim.event_id: _row(dossier, case, claim, at)
            for dossier in dossiers
            for case, claim in dossier.list_counted()
        }
        forgotten = [
            claim.event_id
            for dossier in dossiers
            for case in dossier.cases
            for claim in case.claims.values()
            if is_forgotten(dossier, case, claim)
        ]
        case_ids = [case.id for dossier in dossiers for case in dossier.cases]
        replace_facts(self.view, public_counts, rows, case_ids, at=at, forgotten=forgotten)


def _row(dossier: Dossier, case: Case, claim: RecordedClaim, at: int) -> dict[str, object]:
    return facts_row(dossier.main, case, public_told(dossier, case, claim), at)


def list_case_facts(
    connection: Connection,
    view_set: str,
    *,
    known_at: int | None = None,
    host_state: str | None = None,
    origin_state: str | None = None,
) -> Iterator[CaseFacts]:
    """Yield what statistics read of each person whom the public may count.

    known_at: microseconds; as it was known to the public then.
    """
    query = select_facts(
        public_counts[view_set],
        known_at=known_at,
        host_state=host_state,
        origin_state=origin_state,
    )
    return group_facts(connection.execute(query))


def list_facts_of(
    connection: Connection, view_set: str, dossier_ids: Collection[UUID]
) -> Iterator[tuple[UUID, CaseFacts]]:
    """Yield what statistics read now of some persons, with the case that stays of each.

    Of those who may not be counted, and of cases that do not stay, there is nothing.
    """
    table = public_counts[view_set]
    for some in in_parts(sorted(dossier_ids)):
        query = select_facts(table).where(table.c.dossier_id.in_(some))
        yield from group_by_dossier(connection.execute(query))


def list_all_facts(connection: Connection, view_set: str) -> Iterator[tuple[UUID, CaseFacts]]:
    """Yield what statistics read now of everyone who may be counted, likewise."""
    return group_by_dossier(connection.execute(select_facts(public_counts[view_set])))


def find_last(connection: Connection, view_set: str, known_at: int | None) -> int:
    """Return when the public numbers last changed, in microseconds; 0 for never."""
    return facts.find_last_change(connection, public_counts[view_set], known_at)


def list_known(
    connection: Connection, view_set: str, case_id: UUID, known_at: int | None
) -> facts.Known:
    """Return what the public knows, or knew, of the cases that are shown under one now.

    Whatever they were then: the history of a time is shown under that one too.
    """
    table, events = public_counts[view_set], public_events[view_set]
    shown = select(events.c.case_id).where(events.c.dossier_id == case_id)
    return facts.list_known(connection, table, table.c.case_id.in_(shown), known_at)
