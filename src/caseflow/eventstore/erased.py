"""Which cases were erased, and which an admin wants to be; no word of why stands here."""

from collections.abc import Iterable
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    Table,
    delete,
    insert,
    select,
    update,
)

from caseflow.database import Uuid16

from .tables import metadata

# Past it a request is none: whoever asked first may no longer think so.
REQUEST_DAYS: Final = 30
_MICROSECONDS_A_DAY: Final = 86_400_000_000

erasures = Table(
    "erasures",
    metadata,
    Column("case_id", Uuid16, primary_key=True),
    # Microseconds since the Unix epoch: when it was recorded; when no copy of its key opened
    # anything any more; when what had stood in the clear was written over. Null until then.
    Column("erased_at", BigInteger, nullable=False),
    Column("keyless_at", BigInteger, nullable=True),
    Column("finished_at", BigInteger, nullable=True),
)

# What an admin has asked for, and waits for another: one for each key, so that nobody's request
# stands in the way of what two others agree on.
erasure_requests = Table(
    "erasure_requests",
    metadata,
    Column("case_id", Uuid16, primary_key=True),
    Column("key_id", Uuid16, primary_key=True),
    Column("partner_id", Uuid16, nullable=False),
    Column("requested_at", BigInteger, nullable=False),
    # Keyed hash of the grounds: the second admin has to give the same.
    Column("content", LargeBinary(32), nullable=False),
)


class ErasureRequest(NamedTuple):
    """What an admin has asked for."""

    partner_id: UUID
    key_id: UUID
    requested_at: int
    content: bytes


def list_requests(connection: Connection, case_id: UUID, now: int) -> list[ErasureRequest]:
    """Return what admins have asked for, oldest first, unless too long ago; now: microseconds."""
    requested_at = erasure_requests.c.requested_at
    columns = (erasure_requests.c[name] for name in ErasureRequest._fields)
    query = select(*columns).where(
        erasure_requests.c.case_id == case_id,
        requested_at >= now - REQUEST_DAYS * _MICROSECONDS_A_DAY,
    )
    rows = connection.execute(query.order_by(requested_at, erasure_requests.c.key_id))
    return [ErasureRequest(*row) for row in rows]


def record_request(connection: Connection, case_id: UUID, asked: ErasureRequest) -> None:
    """Record what an admin asks for, in place of what the same key asked for before."""
    own = (erasure_requests.c.case_id == case_id, erasure_requests.c.key_id == asked.key_id)
    connection.execute(delete(erasure_requests).where(*own))
    connection.execute(insert(erasure_requests).values(case_id=case_id, **asked._asdict()))


def is_erased(connection: Connection, case_id: UUID) -> bool:
    """Return whether a case was erased."""
    query = select(erasures.c.case_id).where(erasures.c.case_id == case_id)
    return connection.scalar(query) is not None


class Unfinished(NamedTuple):
    """A case of which not all is gone yet; is_keyless: its key is."""

    case_id: UUID
    is_keyless: bool


def list_unfinished(connection: Connection, until: int | None = None) -> list[Unfinished]:
    """Return the cases that were erased and of which not all is gone yet.

    until: microseconds; those alone that were erased at that moment or before.
    """
    columns = erasures.c
    query = select(columns.case_id, columns.keyless_at.is_not(None)).where(
        columns.finished_at.is_(None)
    )
    if until is not None:
        query = query.where(columns.erased_at <= until)
    return [Unfinished(*row) for row in connection.execute(query.order_by(columns.case_id))]


def list_erased_since(connection: Connection, at: int) -> list[tuple[UUID, int]]:
    """Return the cases that were erased after a moment, each with when; microseconds."""
    query = select(erasures.c.case_id, erasures.c.erased_at).where(erasures.c.erased_at > at)
    return [(row.case_id, row.erased_at) for row in connection.execute(query)]


def note_keyless(connection: Connection, case_ids: Iterable[UUID], at: int) -> None:
    """Note that the keys of erased cases are destroyed, in old copies of their store too."""
    these = erasures.c.case_id.in_(list(case_ids))
    connection.execute(update(erasures).where(these).values(keyless_at=at))


def note_finished(connection: Connection, case_ids: Iterable[UUID], at: int) -> None:
    """Note that nothing is left of erased cases."""
    these = erasures.c.case_id.in_(list(case_ids))
    connection.execute(update(erasures).where(these).values(finished_at=at))


def record_erasure(connection: Connection, case_id: UUID, at: int) -> None:
    """Record that a case is erased, in the transaction of the event that says so."""
    connection.execute(delete(erasure_requests).where(erasure_requests.c.case_id == case_id))
    connection.execute(insert(erasures).values(case_id=case_id, erased_at=at))
