"""Partners and their keys: who may write, and with which scopes.

A key is shown once; only its SHA-256 is kept (256 random bits need no slow hash). Nothing here is
about the persons whom cases are about.
"""

import hashlib
import secrets
from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    Row,
    String,
    Table,
    UniqueConstraint,
    insert,
    select,
    update,
)

from caseflow.database import Uuid16
from caseflow.domain.errors import ConflictError, InvalidInputError, NotFoundError

from .tables import metadata

SCOPES: Final = (
    "events:write",
    "events:publish",
    "review",
    "restricted:read",
    "audit:read",
    "admin",
)
KEY_PREFIX: Final = "cfk_"
# In the place of a key's id: whoever works at the command line shows none.
NO_KEY: Final = UUID(int=0)

partners = Table(
    "partners",
    metadata,
    Column("id", Uuid16, primary_key=True),
    # What the operator calls it; unique.
    Column("name", String(200), nullable=False),
    # What the public reads as author; without one, entries name the deployment alone.
    Column("public_name", String(200), nullable=True),
    # Microseconds since the Unix epoch, as everywhere below.
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("name", name="partners_name_key"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Uuid16, primary_key=True),
    Column("partner_id", Uuid16, nullable=False),
    # SHA-256 of the key.
    Column("digest", LargeBinary(32), nullable=False),
    # Scopes, separated by spaces.
    Column("scopes", String(200), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=True),
    Column("revoked_at", BigInteger, nullable=True),
    # May be a minute behind.
    Column("last_used_at", BigInteger, nullable=True),
    UniqueConstraint("digest", name="api_keys_digest_key"),
)


class Caller(Struct, frozen=True):
    """Who asks: a partner with the scopes of the key it showed."""

    partner_id: UUID
    author: str | None
    scopes: frozenset[str]
    key_id: UUID

    @property
    def reads_restricted(self) -> bool:
        """Return whether the caller reads what is restricted to others' authors."""
        return "restricted:read" in self.scopes


class ApiKey(Struct, frozen=True):
    """A key as it is listed: never the key itself. Times in microseconds since the Unix epoch."""

    id: UUID
    partner_id: UUID
    scopes: tuple[str, ...]
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    # May be a minute behind; None where it was never used.
    last_used_at: int | None

    def is_in_force(self, at: int) -> bool:
        """Return whether the key works at a time, in microseconds since the Unix epoch."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


class Rotated(NamedTuple):
    """A new key, which is shown this once, and when it and the one before it end."""

    key: str
    old_ends_at: int
    expires_at: int | None


def add_partner(
    connection: Connection, *, partner_id: UUID, name: str, public_name: str | None, at: int
) -> None:
    """Add a partner. Raises ConflictError where the name is taken."""
    if connection.scalar(select(partners.c.id).where(partners.c.name == name)) is not None:
        raise ConflictError(f"there is a partner named {name} already")
    connection.execute(
        insert(partners).values(id=partner_id, name=name, public_name=public_name, created_at=at)
    )


def get_partner_id(connection: Connection, name: str) -> UUID:
    """Return the id of the partner of that name. Raises NotFoundError."""
    found: UUID | None = connection.scalar(select(partners.c.id).where(partners.c.name == name))
    if found is None:
        raise NotFoundError(f"there is no partner named {name}")
    return found


def list_partners(connection: Connection) -> list[tuple[UUID, str, str | None]]:
    """Return id, name and public name of each partner, by name."""
    columns = (partners.c.id, partners.c.name, partners.c.public_name)
    rows = connection.execute(select(*columns).order_by(partners.c.name))
    return [(row.id, row.name, row.public_name) for row in rows]


def issue_key(
    connection: Connection,
    *,
    key_id: UUID,
    partner_id: UUID,
    scopes: Sequence[str],
    at: int,
    expires_at: int | None = None,
) -> str:
    """Return a new key, which is shown this once. Raises InvalidInputError for unknown scopes."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise InvalidInputError(f"scopes are some of {', '.join(SCOPES)}")
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    connection.execute(
        insert(api_keys).values(
            id=key_id,
            partner_id=partner_id,
            digest=digest_key(key),
            scopes=" ".join(sorted(set(scopes))),
            created_at=at,
            expires_at=expires_at,
        )
    )
    return key


def rotate_key(
    connection: Connection, key_id: UUID, *, new_key_id: UUID, at: int, grace: int
) -> Rotated:
    """Return a new key in the place of an old one.

    It has the partner, the scopes and the expiry of the old one, which goes on working
    for a time of grace (microseconds, 0 for none), unless it expires before that anyway.
    Raises NotFoundError where the old one is not in force.
    """
    old = _get_key_in_force(connection, key_id, at)
    key = issue_key(
        connection,
        key_id=new_key_id,
        partner_id=old.partner_id,
        scopes=old.scopes,
        at=at,
        expires_at=old.expires_at,
    )
    ends_at = at + grace if old.expires_at is None else min(at + grace, old.expires_at)
    connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(expires_at=ends_at))
    return Rotated(key, ends_at, old.expires_at)


def _get_key_in_force(connection: Connection, key_id: UUID, at: int) -> ApiKey:
    # Locked, so that of two who rotate a key at once the second sees what the first did.
    row = connection.execute(
        select(api_keys).where(api_keys.c.id == key_id).with_for_update()
    ).one_or_none()
    if row is None or not _key_of(row).is_in_force(at):
        raise NotFoundError("there is no such key in force")
    return _key_of(row)


def get_key(connection: Connection, key_id: UUID) -> ApiKey:
    """Return a key, in force or not. Raises NotFoundError."""
    row = connection.execute(select(api_keys).where(api_keys.c.id == key_id)).one_or_none()
    if row is None:
        raise NotFoundError("there is no such key")
    return _key_of(row)


def revoke_key(connection: Connection, key_id: UUID, at: int) -> None:
    """Revoke a key from now on. Raises NotFoundError."""
    done = connection.execute(
        update(api_keys)
        .where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=at)
    )
    if done.rowcount != 1:
        raise NotFoundError("there is no such key in force")


def list_keys(connection: Connection, partner_id: UUID) -> list[ApiKey]:
    """Return the keys of a partner, oldest first."""
    rows = connection.execute(
        select(api_keys).where(api_keys.c.partner_id == partner_id).order_by(api_keys.c.created_at)
    )
    return [_key_of(row) for row in rows]


def _key_of(row: Row[Any]) -> ApiKey:
    return ApiKey(
        row.id,
        row.partner_id,
        tuple(row.scopes.split()),
        row.created_at,
        row.expires_at,
        row.revoked_at,
        row.last_used_at,
    )


def find_caller(connection: Connection, digest: bytes, at: int) -> Caller | None:
    """Return whom a key's digest belongs to; None where it is unknown, revoked or expired."""
    row = connection.execute(
        select(api_keys, partners.c.public_name)
        .join(partners, partners.c.id == api_keys.c.partner_id)
        .where(api_keys.c.digest == digest)
    ).one_or_none()
    if row is None or not _key_of(row).is_in_force(at):
        return None
    return Caller(row.partner_id, row.public_name, frozenset(row.scopes.split()), row.id)


def digest_key(key: str) -> bytes:
    """Return the SHA-256 of a key."""
    return hashlib.sha256(key.encode()).digest()
