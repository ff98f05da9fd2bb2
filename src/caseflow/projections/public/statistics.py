"""The public numbers: a fold over what may be counted, whether or not it is shown.

A person who agreed to be counted and no more is in these rows and in no other public table.
"""

from collections.abc import Iterator

import msgspec
from eventsourcing.persistence import Tracking
from eventsourcing.projection import Projection
from sqlalchemy import BigInteger, Column, Connection, Integer, LargeBinary, String, func, select

from caseflow.database import Uuid16
from caseflow.domain.case import Case, RecordedClaim
from caseflow.domain.statistics import CaseFacts

from ..facts import group_facts
from ..view import Change, View, ViewTable
from .values import public_facts, published_by, references

public_counts = ViewTable(
    "public_counts",
    lambda: [
        Column("event_id", Uuid16, primary_key=True),
        Column("case_id", Uuid16, nullable=False),
        Column("host_state", String(2), nullable=False),
        Column("origin_state", String(2), nullable=False),
        Column("persons", Integer, nullable=False),
        Column("published_at", BigInteger, nullable=False),
        # What the fold reads of the claim (JSON: codes and days).
        Column("facts", LargeBinary, nullable=False),
    ],
).index("case", "case_id")


class PublicStatistics(Projection[View]):
    """Keeps `public_counts`."""

    name = "public_statistics"

    def process_event(self, domain_event: Change, tracking: Tracking) -> None:
        """Put the rows of a claim that may be counted from now on, and of those that name it."""
        event, case = domain_event
        recorded = published_by(event, case)
        if recorded is not None:
            for claim in (recorded, *references(case, recorded.event_id)):
                self.view.put(public_counts, _row(case, claim))


def _row(case: Case, claim: RecordedClaim) -> dict[str, object]:
    return {
        "event_id": claim.event_id,
        "case_id": case.id,
        "host_state": case.host_state,
        "origin_state": case.origin_state,
        "persons": case.persons,
        "published_at": claim.published_at,
        "facts": msgspec.json.encode(public_facts(case, claim)),
    }


def list_case_facts(
    connection: Connection,
    view_set: str,
    *,
    known_at: int | None = None,
    host_state: str | None = None,
    origin_state: str | None = None,
) -> Iterator[CaseFacts]:
    """Yield what statistics read of each case that the public may count.

    known_at: microseconds; what was published later is left out.
    """
    table = public_counts[view_set]
    query = select(
        table.c.case_id, table.c.host_state, table.c.origin_state, table.c.persons, table.c.facts
    ).order_by(table.c.case_id, table.c.event_id)
    if known_at is not None:
        query = query.where(table.c.published_at <= known_at)
    if host_state is not None:
        query = query.where(table.c.host_state == host_state)
    if origin_state is not None:
        query = query.where(table.c.origin_state == origin_state)
    return group_facts(connection.execute(query))


def find_last(connection: Connection, view_set: str, known_at: int | None) -> int:
    """Return when the public last learned of something to count, in microseconds; 0 for never."""
    table = public_counts[view_set]
    query = select(func.max(table.c.published_at))
    if known_at is not None:
        query = query.where(table.c.published_at <= known_at)
    return connection.scalar(query) or 0
