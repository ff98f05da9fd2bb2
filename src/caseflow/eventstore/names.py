"""What things are called: partners' own ids, found by a keyed hash, and the codes of cases.

Partners' ids may hold names of persons: they stand nowhere in the clear, and nothing here can be
turned back into them. Rows stay after an erasure, so that an old import brings nobody back.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Column, Connection, LargeBinary, String, Table, bindparam, select

from caseflow.database import Uuid16, insert_into, write_rows

from .tables import metadata

external_ids = Table(
    "external_ids",
    metadata,
    # Keyed hash of the partner and its own id: one space for cases and events alike.
    Column("digest", LargeBinary(32), primary_key=True),
    Column("case_id", Uuid16, nullable=False),
    # The event it names; for a case, the one that opened it.
    Column("event_id", Uuid16, nullable=False),
    # Keyed hash of what was posted under it, to tell a repetition from a contradiction.
    Column("content", LargeBinary(32), nullable=False),
)

case_codes = Table(
    "case_codes",
    metadata,
    # Random; the public name of a case, such as KZ-7Q3K-9F2M.
    Column("code", String(16), primary_key=True),
    Column("case_id", Uuid16, nullable=False),
)


class Named(NamedTuple):
    """What an external id names, and the keyed hash of what was posted under it."""

    case_id: UUID
    event_id: UUID
    content: bytes


def find_external_ids(connection: Connection, digests: Iterable[bytes]) -> dict[bytes, Named]:
    """Return what each digest names; no item where it names nothing."""
    wanted = list(set(digests))
    if not wanted:
        return {}
    rows = connection.execute(_NAMED, {"digests": wanted})
    return {bytes(row.digest): Named(row.case_id, row.event_id, bytes(row.content)) for row in rows}


_NAMED = select(
    external_ids.c.digest, external_ids.c.case_id, external_ids.c.event_id, external_ids.c.content
).where(external_ids.c.digest.in_(bindparam("digests", expanding=True)))


def record_external_ids(connection: Connection, named: dict[bytes, Named]) -> None:
    """Record what digests name, in the transaction of the events."""
    if named:
        rows = [{"digest": digest, **name._asdict()} for digest, name in named.items()]
        write_rows(connection, insert_into(external_ids), rows)


def find_case_by_code(connection: Connection, code: str) -> UUID | None:
    """Return the case that a code names, or None."""
    found: UUID | None = connection.scalar(
        select(case_codes.c.case_id).where(case_codes.c.code == code)
    )
    return found


def find_codes(connection: Connection, codes: Collection[str]) -> list[str]:
    """Return those of some codes that cases have."""
    if not codes:
        return []
    return list(connection.scalars(_TAKEN, {"codes": list(codes)}))


_TAKEN = select(case_codes.c.code).where(case_codes.c.code.in_(bindparam("codes", expanding=True)))


def find_code(connection: Connection, case_id: UUID) -> str | None:
    """Return the code of a case, or None; looks through all of them."""
    found: str | None = connection.scalar(
        select(case_codes.c.code).where(case_codes.c.case_id == case_id)
    )
    return found


def record_case_codes(connection: Connection, codes: dict[str, UUID]) -> None:
    """Record the codes of new cases."""
    if codes:
        rows = [{"code": code, "case_id": case_id} for code, case_id in codes.items()]
        write_rows(connection, insert_into(case_codes), rows)
