"""Which cases are about one person: who was merged into whom, now and at any time before.

Follows from the events of the cases, and is written in their transaction: a case is loaded with
those that were merged into it, and its own events do not name them.
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Table,
    and_,
    insert,
    or_,
    select,
    update,
)

from caseflow.database import Uuid16

from .tables import metadata

merges = Table(
    "merges",
    metadata,
    # The case that went, and the position of the event that says so.
    Column("case_id", Uuid16, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("into_id", Uuid16, nullable=False),
    # From and until when it held, microseconds; null while it does.
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=True),
    Index("merges_into_idx", "into_id"),
)


def list_merged(connection: Connection, case_id: UUID, known_at: int | None = None) -> list[UUID]:
    """Return the cases merged into one, directly or through another, in the order of merging.

    known_at: microseconds; as it was then.
    """
    found: list[UUID] = []
    latest = [case_id]
    while latest:
        query = select(merges.c.case_id).where(merges.c.into_id.in_(latest), _holds(known_at))
        latest = list(connection.scalars(query.order_by(merges.c.position)))
        found += latest
    return found


def find_root(connection: Connection, case_id: UUID, known_at: int | None = None) -> UUID:
    """Return the case that stays of all those about one person; the same where none went."""
    while True:
        query = select(merges.c.into_id).where(merges.c.case_id == case_id, _holds(known_at))
        into: UUID | None = connection.scalar(query)
        if into is None:
            return case_id
        case_id = into


def list_entangled(connection: Connection, case_ids: Collection[UUID]) -> list[UUID]:
    """Return the other cases that were ever held to be of the same person as one of these."""
    pairs = [(merges.c.case_id, merges.c.into_id), (merges.c.into_id, merges.c.case_id)]
    found: set[UUID] = set()
    for this, other in pairs:
        query = select(other).where(this.in_(case_ids), other.not_in(case_ids))
        found.update(connection.scalars(query))
    return sorted(found)


def _holds(known_at: int | None) -> ColumnElement[bool]:
    if known_at is None:
        return merges.c.until.is_(None)
    ended_later = or_(merges.c.until.is_(None), merges.c.until > known_at)
    return and_(merges.c.since <= known_at, ended_later)


def record_merge(
    connection: Connection, case_id: UUID, into_id: UUID, *, position: int, at: int
) -> None:
    """Record that a case went."""
    row = {"case_id": case_id, "into_id": into_id, "position": position, "since": at}
    connection.execute(insert(merges).values(row))


def end_merge(connection: Connection, case_id: UUID, at: int) -> None:
    """Record that a case stands by itself again."""
    connection.execute(
        update(merges).where(merges.c.case_id == case_id, merges.c.until.is_(None)).values(until=at)
    )


def load_merges(connection: Connection) -> dict[UUID, UUID]:
    """Return which case went into which, as things are now, in the order of merging."""
    columns = (merges.c.case_id, merges.c.into_id)
    query = select(*columns).where(merges.c.until.is_(None)).order_by(merges.c.position)
    return {row.case_id: row.into_id for row in connection.execute(query)}
