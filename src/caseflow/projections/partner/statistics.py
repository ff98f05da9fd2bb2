"""The numbers as partners may know them: a fold over what is kept of each claim."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from eventsourcing.persistence import Tracking
from eventsourcing.projection import Projection
from sqlalchemy import Connection, or_, update

from caseflow.domain.case import Case, RecordedClaim
from caseflow.domain.dossier import Dossier
from caseflow.domain.events import CaseErased, CaseOpened
from caseflow.domain.statistics import CaseFacts
from caseflow.domain.vocabulary import VISIBILITY_RANK, Claim

from ..facts import Told, facts_row, facts_table, group_facts, replace_facts, select_facts
from ..view import Change, View
from .history import partner_events

partner_facts = facts_table("partner_facts")


class PartnerStatistics(Projection[View]):
    """Keeps `partner_facts`."""

    name = "partner_statistics"

    def process_event(self, domain_event: Change, tracking: Tracking) -> None:
        """Put the row of a claim; after an event about the record, those of all it may change."""
        event, case, dossiers, _ = domain_event
        if isinstance(event.body, CaseErased):
            self.view.remove(partner_facts, case_id=event.originator_id)
        if case is None:
            return
        at = event.recorded_at
        if isinstance(event.body, Claim):
            (dossier,) = dossiers
            row = _row(dossier.main, case, case.claims[event.id], at)
            self.view.put(partner_facts, row)
        elif not isinstance(event.body, CaseOpened):
            self._replace(dossiers, at)

    def _replace(self, dossiers: Sequence[Dossier], at: int) -> None:
        rows = {
            claim.event_id: _row(dossier.main, case, claim, at)
            for dossier in dossiers
            for case, claim in dossier.claims_for("restricted")
        }
        cases = [case for dossier in dossiers for case in dossier.cases]
        replace_facts(self.view, partner_facts, rows, [case.id for case in cases], at=at)
        table = partner_facts[self.view.view_set]
        for case in cases:
            # What a person agrees to now holds for what was known before.
            counted = case.consent.publish != "none"
            stale = (table.c.case_id == case.id, table.c.counted != counted)
            self.view.write(update(table).where(*stale).values(counted=counted))


def _row(main: Case, case: Case, recorded: RecordedClaim, at: int) -> dict[str, object]:
    told = Told(case.facts_for(recorded), tuple(case.stances_on(recorded)))
    return facts_row(main, case, told, at, counted=case.consent.publish != "none")


def list_case_facts(
    connection: Connection,
    view_set: str,
    *,
    audience: str,
    own: UUID | None,
    known_at: int | None = None,
    host_state: str | None = None,
    origin_state: str | None = None,
) -> Iterator[CaseFacts]:
    """Yield what statistics read of each person who agreed at least to be counted.

    audience: `partners` or `restricted`; own: the partner that also counts its own claims.
    known_at: microseconds; as it was known then.
    """
    table, events = partner_facts[view_set], partner_events[view_set]
    wide = [v for v, rank in VISIBILITY_RANK.items() if rank >= VISIBILITY_RANK[audience]]
    query = (
        select_facts(table, known_at=known_at, host_state=host_state, origin_state=origin_state)
        # Who may read a claim now decides, whenever it was told.
        .join(events, events.c.event_id == table.c.event_id)
        .where(or_(events.c.visibility.in_(wide), events.c.partner_id == own))
    )
    return group_facts(connection.execute(query))
