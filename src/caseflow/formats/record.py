"""The canonical record of an event and its commitments: what the log proves without telling it.

`docs/record.md` describes the bytes for other implementations. Encryption lives in `seal.py`;
no clock and no randomness here, seeds and times come in as arguments.
"""

import base64
import hashlib
import hmac
import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal, Protocol, TypeAlias
from uuid import UUID

import msgspec

from caseflow.domain.errors import CaseflowError

JsonValue: TypeAlias = (
    "str | int | bool | list[JsonValue] | tuple[JsonValue, ...] | dict[str, JsonValue] | None"
)
Path: TypeAlias = list[str] | tuple[str, ...]

COMMITMENT_BYTES: Final = 32
SALT_BYTES: Final = 32
SEED_BYTES: Final = 32
MAX_INTEGER: Final = 2**53 - 1  # beyond it, RFC 8785 numbers (IEEE 754 doubles) lose digits
MAX_DEPTH: Final = 64  # containers within containers; a bound of ours, the RFC has none

_FORMAT: Final = 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RECORDED_AT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_END_OF_TIME: Final = 253_402_300_800_000_000  # year 10000, which RFC 3339 cannot write
_HEAD: Final = struct.Struct(">B16s16sH")  # format, event id, partner id, number of commitments

# Dicts with ASCII names, text and bounded integers are all we encode; for these the
# encoder's bytes are those of RFC 8785 (the tests compare with an independent encoder).
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


class InvalidRecordError(CaseflowError, ValueError):
    """Bytes that are not a record in its one canonical form."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What the log holds of one event, for everyone who may audit it: identifiers and commitments.

    version: the place of the event in its case, from 1.
    recorded_at: microseconds since 1970-01-01T00:00:00Z, years 1970 to 9999.
    commitments: 32 bytes each, strictly ascending, so that their order tells nothing.
    Raises ValueError for anything else.
    """

    event_id: UUID
    case_id: UUID
    version: int
    recorded_at: int
    partner_id: UUID
    commitments: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.version <= MAX_INTEGER:
            raise ValueError("the version of a record is 1 to 2^53 - 1")
        require_time(self.recorded_at)
        require_commitments(self.commitments)


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    """The JSON object of a record, before its texts are read."""

    format: Literal[1]
    event: UUID
    case: UUID
    version: int
    recorded_at: str
    partner: UUID
    commitments: list[str]


def canonical_json(value: JsonValue) -> bytes:
    """Return the RFC 8785 bytes of a value; tuples are arrays.

    Raises ValueError for floats, integers beyond ±(2^53 - 1), names that are not ASCII, lone
    surrogates, more than 64 levels and types that JSON does not have. The message never holds
    the value, which may be personal.
    """
    kind = type(value)
    # Most values: what has no parts needs no walk.
    if kind is not str and kind is not bool and value is not None:
        _require_encodable(value, MAX_DEPTH)
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        # Without its cause: the exception carries the whole text.
        raise ValueError("a text holds a lone surrogate") from None


def render_record(record: Record) -> bytes:
    """Return the canonical JSON of a record: RFC 8785, UTF-8, times as in RFC 3339."""
    return _ENCODER.encode(
        {
            "format": _FORMAT,
            "event": str(record.event_id),
            "case": str(record.case_id),
            "version": record.version,
            "recorded_at": render_time(record.recorded_at),
            "partner": str(record.partner_id),
            "commitments": [render_commitment(one) for one in record.commitments],
        }
    )


def parse_record(data: bytes) -> Record:
    """Return the record of canonical JSON bytes.

    Raises InvalidRecordError for every other spelling, be it one space more: a record has one
    form, and its hash is taken over that form.
    """
    try:
        record = _read_document(msgspec.json.decode(data, type=_Document))
    except (ValueError, msgspec.MsgspecError) as error:
        raise InvalidRecordError("these bytes are not a record") from error
    if render_record(record) != data:
        raise InvalidRecordError("these bytes are not the canonical form of a record")
    return record


def pack_record(record: Record) -> bytes:
    """Return the compact form of a record, without what the events table has in its columns."""
    return pack_body(record.event_id, record.partner_id, record.commitments)


def pack_body(event_id: UUID, partner_id: UUID, commitments: tuple[bytes, ...]) -> bytes:
    """Return the compact form before the version and the time of recording are known.

    35 bytes and 32 for each commitment. Raises ValueError when the commitments are not 32 bytes
    each and strictly ascending, or more than 65,535.
    """
    require_commitments(commitments)
    head = _HEAD.pack(_FORMAT, event_id.bytes, partner_id.bytes, len(commitments))
    return head + b"".join(commitments)


def unpack_record(
    data: bytes, *, case_id: UUID, version: int, recorded_at: int
) -> tuple[Record, int]:
    """Return the record at the start of `data` and the number of bytes it took.

    case_id, version, recorded_at: the columns of the event's row.
    Raises InvalidRecordError when the bytes end early or are of another format.
    """
    try:
        format_, event, partner, count = _HEAD.unpack_from(data)
    except struct.error as error:
        raise InvalidRecordError("a packed record ends early") from error
    if format_ != _FORMAT:
        raise InvalidRecordError(f"format {format_} of a packed record is not known")
    end = _HEAD.size + count * COMMITMENT_BYTES
    if len(data) < end:
        raise InvalidRecordError("a packed record ends early")
    starts = range(_HEAD.size, end, COMMITMENT_BYTES)
    try:
        record = Record(
            event_id=UUID(bytes=event),
            case_id=case_id,
            version=version,
            recorded_at=recorded_at,
            partner_id=UUID(bytes=partner),
            commitments=tuple(data[start : start + COMMITMENT_BYTES] for start in starts),
        )
    except ValueError as error:
        raise InvalidRecordError(str(error)) from error
    return record, end


def commit_fields(seed: bytes, fields: Mapping[str, JsonValue]) -> tuple[bytes, ...]:
    """Return one commitment for each field, in ascending order of their bytes.

    seed: 32 random bytes of this event alone; from it come the salts.
    Raises ValueError as `canonical_json` does, or for a seed of another length.
    """
    return commit_values(seed, encode_values(fields))


def encode_values(fields: Mapping[str, JsonValue]) -> dict[str, bytes]:
    """Return the canonical JSON of each value, by name: what is both committed to and sealed.

    Raises ValueError as `canonical_json` does.
    """
    _require_names(fields)
    return {name: canonical_json(value) for name, value in fields.items()}


def commit_values(seed: bytes, values: Mapping[str, bytes]) -> tuple[bytes, ...]:
    """Return one commitment for each field, as `commit_fields` does; values: canonical JSON."""
    paths = {_path_of(name): value for name, value in values.items()}
    salts = _derive_salts(seed, paths)
    return tuple(sorted(_commit(salts[path], path, value) for path, value in paths.items()))


def join_values(values: Mapping[str, bytes]) -> bytes:
    """Return the canonical JSON of the object that has these values, in canonical JSON each."""
    members = (b"%b:%b" % (_path_of(name)[1:-1], values[name]) for name in sorted(values))
    return b"{%b}" % b",".join(members)


# The names of fields are those of the vocabulary.
@lru_cache(maxsize=1_000)
def _path_of(name: str) -> bytes:
    return canonical_json([name])


def commit_field(salt: bytes, path: Path, value: JsonValue) -> bytes:
    """Return HMAC-SHA-256 under `salt` of the canonical JSON of [path, value].

    Source: RFC 2104, FIPS 180-4, RFC 8785. Raises ValueError as `canonical_json` does, or for a
    salt that is not 32 bytes: HMAC takes keys that differ in trailing zeros as one.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError("a salt has 32 bytes")
    return _commit(salt, canonical_json([*path]), canonical_json(value))


def salt_of(seed: bytes, paths: Iterable[Path], path: Path) -> bytes:
    """Return the 32-byte salt of one path: disclosing it opens that field and no other.

    paths: all paths of the event, in any order, `path` among them.
    Raises ValueError when it is not.
    """
    salts = _derive_salts(seed, (canonical_json([*one]) for one in paths))
    salt = salts.get(canonical_json([*path]))
    if salt is None:
        raise ValueError("the event has no field at this path")
    return salt


class Committed(Protocol):
    """A record, of an event or of a public change, by what it commits to."""

    @property
    def commitments(self) -> tuple[bytes, ...]:
        """32 bytes each."""


def verify_field(record: Committed, path: Path, value: JsonValue, salt: bytes) -> bool:
    """Return whether the record commits to this value at this path; compared in constant time.

    What could never be committed to (a float, a short salt) is false, not an error.
    """
    try:
        wanted = commit_field(salt, path, value)
    except ValueError:
        return False
    found = False
    for commitment in record.commitments:  # all of them: the time must not tell which
        found |= hmac.compare_digest(commitment, wanted)
    return found


def _derive_salts(seed: bytes, paths: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return the salt of each path, given as canonical JSON: the blocks of SHAKE-256(seed)."""
    if len(seed) != SEED_BYTES:
        raise ValueError("a seed has 32 bytes")
    order = sorted(set(paths))
    stream = hashlib.shake_256(seed).digest(SALT_BYTES * len(order))
    return {path: stream[i * SALT_BYTES : (i + 1) * SALT_BYTES] for i, path in enumerate(order)}


def _commit(salt: bytes, path: bytes, value: bytes) -> bytes:
    # The canonical JSON of [path, value] out of that of its two items. Not `hmac.digest`: it lets
    # other threads run, and beside a busy one each call waits milliseconds for its turn.
    message = b"[%b,%b]" % (path, value)
    return hmac.new(salt, message, "sha256").digest()


def _require_encodable(value: object, depth: int) -> None:
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return
    if isinstance(value, int) and kind is int:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise ValueError("an integer is beyond ±(2^53 - 1)")
    elif depth == 0:
        raise ValueError("a value is nested too deeply")
    elif isinstance(value, list | tuple):
        for item in value:
            _require_encodable(item, depth - 1)
    elif isinstance(value, dict):
        _require_names(value)
        for item in value.values():
            if type(item) is not str:
                _require_encodable(item, depth - 1)
    else:
        raise ValueError(f"a value of type {kind.__name__} has no canonical form")


def _require_names(names: Iterable[object]) -> None:
    # Beyond ASCII the encoder's order (code points) and the RFC's (UTF-16 units) part.
    for name in names:
        if type(name) is not str or not name.isascii():
            raise ValueError("the names of an object are ASCII text")


def require_time(microseconds: int) -> None:
    """Raise ValueError for a time that a record cannot have."""
    if not 0 <= microseconds < _END_OF_TIME:
        raise ValueError("a record is made in the years 1970 to 9999")


def require_commitments(commitments: Sequence[bytes]) -> None:
    """Raise ValueError unless these are commitments in the order that records have them in."""
    if len(commitments) > 0xFFFF:
        raise ValueError("a record has at most 65,535 commitments")
    if any(len(one) != COMMITMENT_BYTES for one in commitments):
        raise ValueError("a commitment has 32 bytes")
    if any(one >= other for one, other in pairwise(commitments)):
        raise ValueError("commitments are strictly ascending")


def _read_document(document: _Document) -> Record:
    return Record(
        event_id=document.event,
        case_id=document.case,
        version=document.version,
        recorded_at=parse_time(document.recorded_at),
        partner_id=document.partner,
        commitments=tuple(parse_commitment(text) for text in document.commitments),
    )


def render_time(microseconds: int) -> str:
    """Return a time as records have it: RFC 3339 in UTC with six digits.

    microseconds: since 1970-01-01T00:00:00Z, years 1970 to 9999.
    """
    at = _EPOCH + timedelta(microseconds=microseconds)
    # The offset is cut before the Z: isoformat, unlike strftime, pads years everywhere.
    return at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_time(text: str) -> int:
    """Return the microseconds of a time as `render_time` gives it. Raises ValueError."""
    at = datetime.strptime(text, _RECORDED_AT).replace(tzinfo=UTC)
    return (at - _EPOCH) // timedelta(microseconds=1)


def render_commitment(commitment: bytes) -> str:
    """Return a commitment in base64url without padding (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(commitment).rstrip(b"=").decode("ascii")


def parse_commitment(text: str) -> bytes:
    """Return the bytes of a commitment; whether this is their one spelling is not checked."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
