"""The publications: every public change as it was made, in order, each with its record.

Written in the transaction of the event that made the change; never changed or removed after that.
What they say is sealed under a key that follows from the case's, so that it goes with that key;
the record stays, and every proof about it.
"""

import hmac
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Table,
    func,
    insert,
    select,
)

from caseflow.database import Uuid16
from caseflow.domain.public_changes import PublicChange
from caseflow.formats.public_record import (
    INNER,
    PUBLIC,
    PublicRecord,
    pack_public_record,
    unpack_public_record,
)
from caseflow.formats.record import SEED_BYTES, commit_fields
from caseflow.formats.seal import NONCE_BYTES, seal, unseal

from .keys import KeyDestroyedError, KeyStore
from .recorder import LogGapError
from .tables import metadata

_PURPOSE: Final = b"caseflow/publication/v1"

publications = Table(
    "publications",
    metadata,
    # 1, 2, 3 … without a hole, in the order of publication.
    Column(
        "sequence",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    # Of the event that made the change; one may make several.
    Column("position", BigInteger, nullable=False),
    # The case under whose key it is sealed.
    Column("case_id", Uuid16, nullable=False),
    # Microseconds since the Unix epoch (UTC).
    Column("published_at", BigInteger, nullable=False),
    # The packed record, then the sealed part.
    Column("state", LargeBinary, nullable=False),
    Index("publications_position_idx", "position"),
)


class StoredPublication(NamedTuple):
    """A publication as it is stored: its record, and what is sealed beside it."""

    record: PublicRecord
    position: int
    case_id: UUID
    sealed: bytes


class Publications:
    """Records public changes and reads them back. The keys of their cases exist before them."""

    def __init__(
        self, keys: KeyStore, *, random_bytes: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._keys = keys
        self._random_bytes = random_bytes

    def record(self, connection: Connection, changes: Sequence[PublicChange]) -> None:
        """Record changes, in order, in the transaction of their events.

        Raises KeyDestroyedError where there is something to seal and the case was erased.
        """
        if not changes:
            return
        keys = self._keys.get_keys({c.case_id for c in changes if not c.is_erased})
        destroyed = [case_id for case_id, key in keys.items() if key is None]
        if destroyed:
            raise KeyDestroyedError(destroyed)
        rows = [self._make_row(change, keys.get(change.case_id)) for change in changes]
        connection.execute(insert(publications), rows)

    def _make_row(self, change: PublicChange, case_key: bytes | None) -> dict[str, Any]:
        # An erasure withdraws with changes that say nothing, and seals nothing.
        fields = {} if change.is_erased else {PUBLIC: change.public, INNER: change.inner}
        seed = self._random_bytes(SEED_BYTES)
        record = PublicRecord(
            sequence=change.sequence,
            entry_id=change.entry_id,
            event_id=change.event_id,
            kind=change.kind,
            published_at=change.published_at,
            commitments=commit_fields(seed, fields),
        )
        sealed = self._seal(case_key, change, seed, fields) if case_key and fields else b""
        return {
            "sequence": change.sequence,
            "position": change.position,
            "case_id": change.case_id,
            "published_at": change.published_at,
            "state": pack_public_record(record) + sealed,
        }

    def _seal(
        self, case_key: bytes, change: PublicChange, seed: bytes, fields: dict[str, Any]
    ) -> bytes:
        nonce = self._random_bytes(NONCE_BYTES)
        return seal(derive_key(case_key), change.entry_id, nonce, seed, fields)

    def read(self, connection: Connection, first: int, last: int) -> list[PublicChange]:
        """Return the changes that events from one position to another made, in order."""
        columns = publications.c
        found = _select(
            connection, columns.position.between(first, last), order_by=columns.sequence
        )
        keys = self._keys.get_keys({stored.case_id for stored in found})
        return [self._open(stored, keys[stored.case_id]) for stored in found]

    def find_last_position(self, connection: Connection) -> int:
        """Return the position of the last event that made a change; 0 where none did."""
        return connection.scalar(select(func.max(publications.c.position))) or 0

    def _open(self, stored: StoredPublication, case_key: bytes | None) -> PublicChange:
        record = stored.record
        fields: dict[str, Any] = {}
        if case_key is not None and stored.sealed:
            _, fields = unseal_publication(stored, case_key)
        return PublicChange(
            sequence=record.sequence,
            position=stored.position,
            case_id=stored.case_id,
            entry_id=record.entry_id,
            event_id=record.event_id,
            kind=record.kind,
            published_at=record.published_at,
            public=fields.get(PUBLIC),
            inner=fields.get(INNER),
        )


def derive_key(case_key: bytes) -> bytes:
    """Return the key that seals a case's publications, 32 bytes.

    Apart from the case's own key: an entry has the id of its claim, and neither sealed part may
    open in the place of the other.
    """
    return hmac.digest(case_key, _PURPOSE, "sha256")


def unseal_publication(stored: StoredPublication, case_key: bytes) -> tuple[bytes, dict[str, Any]]:
    """Return the seed and the fields of a publication. Raises UnsealError for another key."""
    return unseal(derive_key(case_key), stored.record.entry_id, stored.sealed)


def list_publications(connection: Connection, after: int, limit: int) -> list[StoredPublication]:
    """Return publications in order, from after a sequence number.

    Raises LogGapError at a hole.
    """
    columns = publications.c
    found = _select(connection, columns.sequence > after, order_by=columns.sequence, limit=limit)
    for expected, stored in enumerate(found, start=after + 1):
        if stored.record.sequence != expected:
            raise LogGapError(expected, stored.record.sequence)
    return found


def list_publications_at(
    connection: Connection, sequences: Iterable[int]
) -> list[StoredPublication]:
    """Return the publications with these sequence numbers, in order."""
    columns = publications.c
    return _select(connection, columns.sequence.in_(list(sequences)), order_by=columns.sequence)


def find_last_sequence(connection: Connection) -> int:
    """Return the last public sequence number, 0 before the first."""
    return connection.scalar(select(func.max(publications.c.sequence))) or 0


def _select(
    connection: Connection, condition: Any, *, order_by: Any, limit: int | None = None
) -> list[StoredPublication]:
    columns = publications.c
    query = select(
        columns.sequence, columns.position, columns.case_id, columns.published_at, columns.state
    )
    rows = connection.execute(query.where(condition).order_by(order_by).limit(limit))
    found = []
    for row in rows:
        record, sealed = unpack_public_record(
            bytes(row.state), sequence=row.sequence, published_at=row.published_at
        )
        found.append(StoredPublication(record, row.position, row.case_id, sealed))
    return found
