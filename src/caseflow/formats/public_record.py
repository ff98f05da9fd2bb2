"""The record of one public change: the leaf of the public log.

As `record.py`, of which it takes the commitments, but with nothing in it that is not public:
neither the place of an event in the full log nor in its case. `docs/record.md` describes the bytes.
"""

import struct
from typing import Final, Literal
from uuid import UUID

import msgspec

from caseflow.formats.record import (
    COMMITMENT_BYTES,
    MAX_INTEGER,
    InvalidRecordError,
    canonical_json,
    parse_commitment,
    parse_time,
    render_commitment,
    render_time,
    require_commitments,
    require_time,
)

Kind = Literal["published", "corrected", "withdrawn"]

PUBLIC: Final = "public"
"""The field with all that anyone may read of a change; it is disclosed whole or not at all."""
CALLED: Final = "called"
"""The field with what the case was called that a change was told under, where that was another."""
INNER: Final = "inner"
"""The field with what the views need beside it; it is never disclosed."""

_FORMAT: Final = 1
_KINDS: Final[tuple[Kind, ...]] = ("published", "corrected", "withdrawn")
_HEAD: Final = struct.Struct(">BB16s16sH")  # format, kind, entry, event, number of commitments


class PublicRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the public log holds of one public change, for everyone.

    sequence: the place of the change among all public ones, from 1.
    entry_id: of the feed's entry; event_id: the claim that the change is about.
    published_at: microseconds since 1970-01-01T00:00:00Z, years 1970 to 9999.
    commitments: 32 bytes each, strictly ascending.
    Raises ValueError for anything else.
    """

    sequence: int
    entry_id: UUID
    event_id: UUID
    kind: Kind
    published_at: int
    commitments: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.sequence <= MAX_INTEGER:
            raise ValueError("the sequence of a record is 1 to 2^53 - 1")
        if self.kind not in _KINDS:
            raise ValueError("a public change publishes, corrects or withdraws")
        require_time(self.published_at)
        require_commitments(self.commitments)


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    """The JSON object of a public record, before its texts are read."""

    format: Literal[1]
    sequence: int
    entry: UUID
    event: UUID
    kind: Kind
    published_at: str
    commitments: list[str]


def render_public_record(record: PublicRecord) -> bytes:
    """Return the canonical JSON of a public record: RFC 8785, UTF-8, times as in RFC 3339."""
    return canonical_json(
        {
            "format": _FORMAT,
            "sequence": record.sequence,
            "entry": str(record.entry_id),
            "event": str(record.event_id),
            "kind": record.kind,
            "published_at": render_time(record.published_at),
            "commitments": [render_commitment(one) for one in record.commitments],
        }
    )


def parse_public_record(data: bytes) -> PublicRecord:
    """Return the public record of canonical JSON bytes.

    Raises InvalidRecordError for every other spelling: its hash is taken over the one form.
    """
    try:
        record = _read_document(msgspec.json.decode(data, type=_Document))
    except (ValueError, msgspec.MsgspecError) as error:
        raise InvalidRecordError("these bytes are not the record of a public change") from error
    if render_public_record(record) != data:
        raise InvalidRecordError("these bytes are not the canonical form of a record")
    return record


def pack_public_record(record: PublicRecord) -> bytes:
    """Return the compact form, without what the table has in its columns: sequence and time.

    36 bytes and 32 for each commitment.
    """
    head = _HEAD.pack(
        _FORMAT,
        _KINDS.index(record.kind),
        record.entry_id.bytes,
        record.event_id.bytes,
        len(record.commitments),
    )
    return head + b"".join(record.commitments)


def unpack_public_record(
    data: bytes, *, sequence: int, published_at: int
) -> tuple[PublicRecord, bytes]:
    """Return the public record at the start of `data`, and what comes behind it.

    Raises InvalidRecordError when the bytes end early or are of another format.
    """
    try:
        format_, kind, entry, event, count = _HEAD.unpack_from(data)
    except struct.error as error:
        raise InvalidRecordError("a packed record ends early") from error
    end = _HEAD.size + count * COMMITMENT_BYTES
    if format_ != _FORMAT or kind >= len(_KINDS) or len(data) < end:
        raise InvalidRecordError("a packed record is of another format, or ends early")
    starts = range(_HEAD.size, end, COMMITMENT_BYTES)
    try:
        record = PublicRecord(
            sequence=sequence,
            entry_id=UUID(bytes=entry),
            event_id=UUID(bytes=event),
            kind=_KINDS[kind],
            published_at=published_at,
            commitments=tuple(data[start : start + COMMITMENT_BYTES] for start in starts),
        )
    except ValueError as error:
        raise InvalidRecordError(str(error)) from error
    return record, data[end:]


def _read_document(document: _Document) -> PublicRecord:
    return PublicRecord(
        sequence=document.sequence,
        entry_id=document.entry,
        event_id=document.event,
        kind=document.kind,
        published_at=parse_time(document.published_at),
        commitments=tuple(parse_commitment(text) for text in document.commitments),
    )
