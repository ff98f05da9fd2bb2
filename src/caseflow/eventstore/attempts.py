"""Requests that may come again: what an idempotency key was used for, so that it is done once.

A key may hold names: it stands nowhere in the clear, nor does the request; both are keyed hashes.
Answers are not kept: they are rendered anew from the case as it was then. Rows stay for good, after
an erasure too, so that a request from before it brings nobody back.
"""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, Column, Connection, Integer, LargeBinary, Table, insert, select

from caseflow.database import Uuid16

from .tables import metadata

attempts = Table(
    "attempts",
    metadata,
    # Keyed hash of the partner and the key.
    Column("digest", LargeBinary(32), primary_key=True),
    # Keyed hash of the request, to tell a repetition from another request.
    Column("request", LargeBinary(32), nullable=False),
    Column("case_id", Uuid16, nullable=False),
    # The event that was answered with, and the version of the case in that answer.
    Column("event_id", Uuid16, nullable=False),
    Column("version", Integer, nullable=False),
    # Of the event; null where it had been recorded before, under the same external id.
    Column("position", BigInteger, nullable=True),
)


class Attempt(NamedTuple):
    """A request that carries an idempotency key, by keyed hashes."""

    digest: bytes
    request: bytes


class Done(NamedTuple):
    """What a request led to."""

    request: bytes
    case_id: UUID
    event_id: UUID
    version: int
    position: int | None


def find_attempt(connection: Connection, digest: bytes) -> Done | None:
    """Return what the request with this key led to, or None."""
    columns = attempts.c
    row = connection.execute(
        select(
            columns.request, columns.case_id, columns.event_id, columns.version, columns.position
        ).where(columns.digest == digest)
    ).one_or_none()
    if row is None:
        return None
    return Done(bytes(row.request), row.case_id, row.event_id, row.version, row.position)


def record_attempts(connection: Connection, done: dict[bytes, Done]) -> None:
    """Record what requests led to, in the transaction of their events."""
    if done:
        rows = [{"digest": digest, **found._asdict()} for digest, found in done.items()]
        connection.execute(insert(attempts), rows)
