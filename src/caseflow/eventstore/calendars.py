"""Calendars: secret addresses at which a partner's programs read legal clocks.

A calendar acts with the rights that its key has when it is read, and ends with the key. Of the
secret only its digest is kept.
"""

import hashlib
import secrets
from typing import Final
from uuid import UUID, uuid4

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)

from caseflow.database import Uuid16
from caseflow.domain.errors import ConflictError, NotFoundError

from .partners import Caller, api_keys, partners
from .tables import metadata

MOST_CALENDARS: Final = 50
SECRET_BYTES: Final = 32
NO_CALENDAR: Final = "there is no such calendar"
# How far behind the time of the last reading may be.
READ_EVERY: Final = 60_000_000

calendars = Table(
    "calendars",
    metadata,
    Column("id", Uuid16, primary_key=True),
    Column("partner_id", Uuid16, nullable=False),
    # With whose rights it is read.
    Column("key_id", Uuid16, nullable=False),
    # SHA-256 of the secret.
    Column("digest", LargeBinary(32), nullable=False),
    # Cases of this state alone; null for all.
    Column("host_state", String(2), nullable=True),
    # Microseconds since the Unix epoch (UTC).
    Column("created_at", BigInteger, nullable=False),
    Column("last_read_at", BigInteger, nullable=True),
    Index("calendars_digest_idx", "digest", unique=True),
)


class KeptCalendar(Struct, frozen=True):
    """A calendar of a partner, without its secret. last_read_at may be a minute behind."""

    id: UUID
    partner_id: UUID
    key_id: UUID
    host_state: str | None
    created_at: int
    last_read_at: int | None


def add_calendar(
    connection: Connection,
    caller: Caller,
    *,
    host_state: str | None,
    at: int,
    secret: str | None = None,
) -> tuple[KeptCalendar, str, bool]:
    """Add a calendar with the rights of a key; return it, its secret, and whether it is new.

    secret: of a request that may come again, which has to find what it made.
    Raises ConflictError where the partner has as many as it may.
    """
    if secret is not None and (known := _find(connection, _digest(secret))) is not None:
        return known, secret, False
    own = calendars.c.partner_id == caller.partner_id
    if (connection.scalar(select(func.count()).where(own)) or 0) >= MOST_CALENDARS:
        raise ConflictError(f"a partner has {MOST_CALENDARS} calendars at most")
    secret = secret or secrets.token_urlsafe(SECRET_BYTES)
    added = KeptCalendar(uuid4(), caller.partner_id, caller.key_id, host_state, at, None)
    connection.execute(
        insert(calendars).values(
            id=added.id,
            partner_id=added.partner_id,
            key_id=added.key_id,
            digest=_digest(secret),
            host_state=host_state,
            created_at=at,
        )
    )
    return added, secret, True


def _find(connection: Connection, digest: bytes) -> KeptCalendar | None:
    columns = (calendars.c[name] for name in KeptCalendar.__struct_fields__)
    row = connection.execute(select(*columns).where(calendars.c.digest == digest)).one_or_none()
    return None if row is None else KeptCalendar(*row)


def list_calendars(connection: Connection, partner_id: UUID) -> list[KeptCalendar]:
    """Return the calendars of a partner, oldest first."""
    columns = (calendars.c[name] for name in KeptCalendar.__struct_fields__)
    query = select(*columns).where(calendars.c.partner_id == partner_id)
    rows = connection.execute(query.order_by(calendars.c.created_at, calendars.c.id))
    return [KeptCalendar(*row) for row in rows]


def delete_calendar(connection: Connection, partner_id: UUID, calendar_id: UUID) -> None:
    """Have the address of a calendar lead nowhere. Raises NotFoundError for one of others, too."""
    own = (calendars.c.id == calendar_id, calendars.c.partner_id == partner_id)
    if connection.execute(delete(calendars).where(*own)).rowcount != 1:
        raise NotFoundError(NO_CALENDAR)


def find_calendar(
    connection: Connection, secret: str, at: int
) -> tuple[KeptCalendar, Caller] | None:
    """Return the calendar at a secret address, and with whose rights it is read.

    None where there is none, or its key works no more or may not read what is restricted.
    """
    columns = (calendars.c[name] for name in KeptCalendar.__struct_fields__)
    query = (
        select(*columns, api_keys.c.scopes, api_keys.c.expires_at, api_keys.c.revoked_at,
               partners.c.public_name)
        .join(api_keys, api_keys.c.id == calendars.c.key_id)
        .join(partners, partners.c.id == calendars.c.partner_id)
        .where(calendars.c.digest == _digest(secret))
    )  # fmt: skip
    row = connection.execute(query).one_or_none()
    if row is None or row.revoked_at is not None:
        return None
    if row.expires_at is not None and at >= row.expires_at:
        return None
    caller = Caller(row.partner_id, row.public_name, frozenset(row.scopes.split()), row.key_id)
    found = KeptCalendar(*row[: len(KeptCalendar.__struct_fields__)])
    return (found, caller) if caller.reads_restricted else None


def note_read(connection: Connection, calendar: KeptCalendar, at: int) -> None:
    """Note that a calendar was read, to the minute."""
    this = calendars.c.id == calendar.id
    connection.execute(update(calendars).where(this).values(last_read_at=at))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
