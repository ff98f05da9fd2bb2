"""Requests that may come again: what an idempotency key was used for, so that it is done once.

A key may hold names: it stands nowhere in the clear, nor does the request; both are keyed hashes.
Answers are not kept: they are rendered anew from the case as it was then. Rows stay for good, after
an erasure too, so that a request from before it brings nobody back.
"""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    Table,
    bindparam,
    select,
)

from caseflow.database import Uuid16, insert_into, write_rows

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


def find_attempts(connection: Connection, digests: Collection[bytes]) -> dict[bytes, Done]:
    """Return what the requests with these keys led to, by key; nothing of those that are new."""
    if not digests:
        return {}
    rows = connection.execute(_DONE, {"digests": list(digests)})
    return {bytes(digest): Done(bytes(request), *rest) for digest, request, *rest in rows}


_DONE = select(
    attempts.c.digest,
    attempts.c.request,
    attempts.c.case_id,
    attempts.c.event_id,
    attempts.c.version,
    attempts.c.position,
).where(attempts.c.digest.in_(bindparam("digests", expanding=True)))


def record_attempts(connection: Connection, done: dict[bytes, Done]) -> None:
    """Record what requests led to, in the transaction of their events."""
    if done:
        rows = [{"digest": digest, **found._asdict()} for digest, found in done.items()]
        write_rows(connection, insert_into(attempts), rows)
