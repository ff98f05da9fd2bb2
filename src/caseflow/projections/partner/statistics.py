"""The numbers as partners may know them: a fold over what `partner_events` keeps of each claim."""

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from caseflow.domain.statistics import CaseFacts
from caseflow.domain.vocabulary import VISIBILITY_RANK

from ..facts import group_facts
from .history import partner_events
from .status import RESTRICTED, partner_status


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
    """Yield what statistics read of each case whose person agreed at least to be counted.

    audience: `partners` or `restricted`; own: the partner that also counts its own claims.
    known_at: microseconds; claims recorded later are left out.
    """
    events, cases = partner_events[view_set], partner_status[view_set]
    wide = [v for v, rank in VISIBILITY_RANK.items() if rank >= VISIBILITY_RANK[audience]]
    conditions: list[ColumnElement[bool]] = [
        events.c.facts.is_not(None),
        or_(events.c.visibility.in_(wide), events.c.partner_id == own),
        cases.c.counted,
    ]
    if known_at is not None:
        conditions.append(events.c.recorded_at <= known_at)
    if host_state is not None:
        conditions.append(cases.c.host_state == host_state)
    if origin_state is not None:
        conditions.append(cases.c.origin_state == origin_state)
    query = (
        select(
            events.c.case_id,
            cases.c.host_state,
            cases.c.origin_state,
            cases.c.persons,
            events.c.facts,
        )
        .join(cases, and_(cases.c.case_id == events.c.case_id, cases.c.audience == RESTRICTED))
        .where(*conditions)
        .order_by(events.c.case_id, events.c.version)
    )
    return group_facts(connection.execute(query))
