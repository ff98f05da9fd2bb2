"""The publications: every public change as it was made, in order, each with its record.

Written in the transaction of the event that made the change; never changed or removed after that.
What they say of a case is sealed under a key that follows from that case's, so that it goes with
that key; the record stays, and every proof about it.
"""

import hmac
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar
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
    select,
)

from caseflow.database import Uuid16, insert_into, write_rows
from caseflow.domain.public_changes import PublicChange
from caseflow.formats.public_record import (
    INNER,
    PUBLIC,
    PublicRecord,
    pack_public_record,
    unpack_public_record,
)
from caseflow.formats.record import InvalidRecordError, commit_values, encode_values
from caseflow.formats.seal import draw_seeds, seal_values, unseal, unseal_values

from .keys import KeyDestroyedError, KeyStore
from .recorder import LogGapError
from .tables import metadata

_PURPOSE: Final = b"caseflow/publication/v1"
_PART: Final = struct.Struct(">16sI")  # case, number of bytes

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
    # The case that it tells of.
    Column("case_id", Uuid16, nullable=False),
    # Microseconds since the Unix epoch (UTC).
    Column("published_at", BigInteger, nullable=False),
    # The packed record, then what is sealed: for each case its id, how many bytes, and these.
    Column("state", LargeBinary, nullable=False),
    Index("publications_position_idx", "position"),
)


Fields: TypeAlias = dict[str, Any]
_Said = TypeVar("_Said")


class SealedPart(NamedTuple):
    """What a publication says of one case, under that case's key."""

    case_id: UUID
    data: bytes


class StoredPublication(NamedTuple):
    """A publication as it is stored: its record, and what is sealed beside it, case by case."""

    record: PublicRecord
    position: int
    case_id: UUID
    sealed: tuple[SealedPart, ...]


class OpenedPart(NamedTuple):
    """What a publication says of one case, and the seed of its commitments."""

    case_id: UUID
    seed: bytes
    fields: Fields


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
        said = [_list_said(change) for change in changes]
        keys = self._keys.get_keys({case_id for by_case in said for case_id in by_case})
        destroyed = [c.case_id for c in changes if not c.is_erased and keys[c.case_id] is None]
        if destroyed:
            raise KeyDestroyedError(destroyed)
        drawn = iter(draw_seeds(self._random_bytes, sum(len(by_case) for by_case in said)))
        rows = [
            self._make_row(change, by_case, keys, drawn)
            for change, by_case in zip(changes, said, strict=True)
        ]
        write_rows(connection, insert_into(publications), rows)

    def _make_row(
        self,
        change: PublicChange,
        said: Mapping[UUID, Fields],
        keys: Mapping[UUID, bytes | None],
        drawn: Iterator[tuple[bytes, bytes]],
    ) -> dict[str, Any]:
        commitments: list[bytes] = []
        sealed = b""
        for case_id, fields in said.items():
            # Of another case that was erased there is nothing left to say.
            if (key := keys[case_id]) is not None:
                seed, nonce = next(drawn)
                values = encode_values(fields)
                commitments.extend(commit_values(seed, values))
                part = seal_values(derive_key(key), change.entry_id, nonce, seed, values)
                sealed += _PART.pack(case_id.bytes, len(part)) + part
        record = PublicRecord(
            sequence=change.sequence,
            entry_id=change.entry_id,
            event_id=change.event_id,
            kind=change.kind,
            published_at=change.published_at,
            commitments=tuple(sorted(commitments)),
        )
        return {
            "sequence": change.sequence,
            "position": change.position,
            "case_id": change.case_id,
            "published_at": change.published_at,
            "state": pack_public_record(record) + sealed,
        }

    def read(self, connection: Connection, first: int, last: int) -> list[PublicChange]:
        """Return the changes that events from one position to another made, in order."""
        columns = publications.c
        found = _select(
            connection, columns.position.between(first, last), order_by=columns.sequence
        )
        keys = self._keys.get_keys(list_cases(found))
        return [_read(stored, keys) for stored in found]

    def find_last_position(self, connection: Connection) -> int:
        """Return the position of the last event that made a change; 0 where none did."""
        return connection.scalar(select(func.max(publications.c.position))) or 0


def _list_said(change: PublicChange) -> dict[UUID, Fields]:
    """Return the fields of a change by the case that they tell of, its own first.

    An erasure withdraws with changes that say nothing of their own case.
    """
    own = {} if change.is_erased else {PUBLIC: change.public, INNER: change.inner}
    return {**({change.case_id: own} if own else {}), **change.beside}


def _read(stored: StoredPublication, keys: Mapping[UUID, bytes | None]) -> PublicChange:
    record = stored.record
    said = {part.case_id: part.fields for part in unseal_publication(stored, keys)}
    own = said.pop(stored.case_id, {})
    return PublicChange(
        sequence=record.sequence,
        position=stored.position,
        case_id=stored.case_id,
        entry_id=record.entry_id,
        event_id=record.event_id,
        kind=record.kind,
        published_at=record.published_at,
        public=own.get(PUBLIC),
        inner=own.get(INNER),
        beside=said,
    )


def derive_key(case_key: bytes) -> bytes:
    """Return the key that seals a case's publications, 32 bytes.

    Apart from the case's own key: an entry has the id of its claim, and neither sealed part may
    open in the place of the other.
    """
    return hmac.new(case_key, _PURPOSE, "sha256").digest()


def list_cases(found: Iterable[StoredPublication]) -> set[UUID]:
    """Return the cases whose keys open what is sealed of publications, their own among them."""
    return {case_id for one in found for case_id in (one.case_id, *(p.case_id for p in one.sealed))}


def unseal_publication(
    stored: StoredPublication, keys: Mapping[UUID, bytes | None]
) -> list[OpenedPart]:
    """Return what a publication says, case by case; nothing of those whose key was destroyed.

    keys: of `list_cases`. Raises UnsealError for another key.
    """
    return [OpenedPart(*part) for part in _open(stored, keys, unseal)]


def open_values(
    stored: StoredPublication, keys: Mapping[UUID, bytes | None]
) -> list[tuple[UUID, bytes, dict[str, bytes]]]:
    """Return what `unseal_publication` does, with the JSON of each value as it was sealed."""
    return list(_open(stored, keys, unseal_values))


def _open(
    stored: StoredPublication,
    keys: Mapping[UUID, bytes | None],
    unseal_part: Callable[[bytes, UUID, bytes], tuple[bytes, _Said]],
) -> Iterator[tuple[UUID, bytes, _Said]]:
    for case_id, data in stored.sealed:
        if (key := keys[case_id]) is not None:
            yield case_id, *unseal_part(derive_key(key), stored.record.entry_id, data)


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
        parts = tuple(_split(sealed))
        found.append(StoredPublication(record, row.position, row.case_id, parts))
    return found


def _split(sealed: bytes) -> Iterator[SealedPart]:
    at = 0
    while at < len(sealed):
        start = at + _PART.size
        if start > len(sealed):
            raise InvalidRecordError("what is sealed of a public change ends early")
        case_id, length = _PART.unpack_from(sealed, at)
        at = start + length
        if at > len(sealed):
            raise InvalidRecordError("what is sealed of a public change ends early")
        yield SealedPart(UUID(bytes=case_id), sealed[start:at])
