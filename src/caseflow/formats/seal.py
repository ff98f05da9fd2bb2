"""The sealed part of an event: its seed and values, readable with the key of its case alone.

`docs/record.md` describes the bytes. Keys, nonces and seeds come in as arguments; where keys are
kept is the matter of `eventstore/keys.py`.
"""

import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from caseflow.domain.errors import CaseflowError
from caseflow.formats.record import (
    SEED_BYTES,
    JsonValue,
    Record,
    encode_values,
    join_values,
    unpack_record,
)

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16

_FORMAT: Final = b"\x01"
# What a window of 4 KiB sees whole.
_SMALL: Final = 4_096
_RAW_DEFLATE: Final = -15  # RFC 1951 alone: the tag of GCM makes the checksum of RFC 1950 idle

_NO_FIELDS: Final = "the sealed part holds no fields"

_Fields = TypeVar("_Fields")
_FIELDS: Final = msgspec.json.Decoder(dict[str, Any])
_VALUES: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class UnsealError(CaseflowError):
    """The key is not the one, or the sealed bytes or the event id were altered."""


def seal(
    case_key: bytes, event_id: UUID, nonce: bytes, seed: bytes, fields: Mapping[str, JsonValue]
) -> bytes:
    """Return a format byte, the nonce and the AES-256-GCM of the seed and the fields.

    case_key: 32 bytes. nonce: 12 random bytes, never used twice under one key. seed: 32 bytes,
    the one that the commitments were made with.
    The event id is the additional data: the sealed part of one event opens for no other.
    Source: NIST SP 800-38D; RFC 1951; RFC 8785.
    Raises ValueError for other lengths and for fields without a canonical form.
    """
    return seal_values(case_key, event_id, nonce, seed, encode_values(fields))


def seal_values(
    case_key: bytes, event_id: UUID, nonce: bytes, seed: bytes, values: Mapping[str, bytes]
) -> bytes:
    """Return what `seal` does, of values that are encoded already: see `encode_values`."""
    _require_length("a case key", case_key, KEY_BYTES)
    _require_length("a nonce", nonce, NONCE_BYTES)
    _require_length("a seed", seed, SEED_BYTES)
    plain = seed + _deflate(join_values(values))
    return _FORMAT + nonce + AESGCM(case_key).encrypt(nonce, plain, event_id.bytes)


def unseal(case_key: bytes, event_id: UUID, data: bytes) -> tuple[bytes, dict[str, JsonValue]]:
    """Return the seed and the fields that `seal` was given.

    Raises UnsealError for another key, another event or altered bytes, without saying which:
    the cipher cannot tell. Raises ValueError for a key that is not 32 bytes.
    """
    seed, text = _open(case_key, event_id, data)
    return seed, _decode(text, _FIELDS)


def unseal_values(case_key: bytes, event_id: UUID, data: bytes) -> tuple[bytes, dict[str, bytes]]:
    """Return the seed and the JSON of each value, byte for byte as it was sealed.

    Raises UnsealError and ValueError as `unseal` does.
    """
    seed, text = _open(case_key, event_id, data)
    return seed, {name: bytes(value) for name, value in _decode(text, _VALUES).items()}


def _open(case_key: bytes, event_id: UUID, data: bytes) -> tuple[bytes, bytes]:
    """Return the seed and the JSON of the fields."""
    _require_length("a case key", case_key, KEY_BYTES)
    if data[:1] != _FORMAT or len(data) < 1 + NONCE_BYTES + TAG_BYTES + SEED_BYTES:
        raise UnsealError("the sealed part is not of a known format")
    nonce, sealed = data[1 : 1 + NONCE_BYTES], data[1 + NONCE_BYTES :]
    try:
        plain = AESGCM(case_key).decrypt(nonce, sealed, event_id.bytes)
    except InvalidTag:
        raise UnsealError(f"the sealed part of event {event_id} does not open") from None
    return plain[:SEED_BYTES], _inflate(plain[SEED_BYTES:])


def draw_seeds(random_bytes: Callable[[int], bytes], number: int) -> list[tuple[bytes, bytes]]:
    """Return so many seeds, each with a nonce, out of one draw.

    random_bytes: gives so many of them. Each draw lets other threads run, and beside a busy one
    waits for its turn as long as everything else takes that is done for an event.
    """
    size = SEED_BYTES + NONCE_BYTES
    drawn = random_bytes(size * number)
    return [
        (drawn[start : start + SEED_BYTES], drawn[start + SEED_BYTES : start + size])
        for start in range(0, len(drawn), size)
    ]


def pack_state(packed_record: bytes, sealed: bytes) -> bytes:
    """Return what the events table stores of one event: its packed record, then its sealed part.

    Neither needs the time of recording, so a state can be made before the log is locked.
    """
    return packed_record + sealed


def unpack_state(
    state: bytes, *, case_id: UUID, version: int, recorded_at: int
) -> tuple[Record, bytes]:
    """Return the record and the sealed part of a stored event, given the columns of its row.

    Raises InvalidRecordError as `unpack_record` does; what is sealed is not looked at.
    """
    record, end = unpack_record(state, case_id=case_id, version=version, recorded_at=recorded_at)
    return record, state[end:]


def _deflate(data: bytes) -> bytes:
    # A third of the JSON of an event is saved. What one partner wrote in one event is all that
    # shares a window, so a length tells nobody how near his text is to another's.
    # To set up the tables of a large window takes ten times as long as to compress an event, and
    # a longer search finds nothing more in a text of its size.
    level, window, memory = (1, -12, 5) if len(data) <= _SMALL else (6, _RAW_DEFLATE, 8)
    compressor = zlib.compressobj(level, wbits=window, memLevel=memory)
    return compressor.compress(data) + compressor.flush()


def _inflate(data: bytes) -> bytes:
    try:
        return zlib.decompress(data, wbits=_RAW_DEFLATE)
    except zlib.error:
        # Authentic, yet not ours: whoever has the key wrote something else under it.
        raise UnsealError(_NO_FIELDS) from None


def _decode(text: bytes, decoder: "msgspec.json.Decoder[_Fields]") -> _Fields:
    try:
        return decoder.decode(text)
    except msgspec.MsgspecError:
        raise UnsealError(_NO_FIELDS) from None


def _require_length(what: str, data: bytes, length: int) -> None:
    if len(data) != length:
        raise ValueError(f"{what} has {length} bytes")
