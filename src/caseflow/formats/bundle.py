"""The bundle: what a log has of one case or one event, in one file that proves it.

`docs/bundle.md` describes the bytes. Here they are made and read; whether what a bundle says holds
is for `verify.py` to find out. No clock and no randomness; nodes of trees are read by a function.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, Literal, TypeAlias, get_args
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from caseflow.domain.errors import CaseflowError
from caseflow.formats.checkpoint import SignedCheckpoint
from caseflow.formats.merkle import (
    HASH_BYTES,
    MAX_SIZE,
    ReadNode,
    prove_consistency,
    prove_inclusion,
    read_range,
)
from caseflow.formats.note import (
    COSIGNATURE_V1,
    ED25519,
    Note,
    Signature,
    VerifierKey,
    parse_base64,
    parse_note,
    parse_verifier_key,
    render_base64,
    render_note,
    render_verifier_key,
    require_text,
    sign_text,
)
from caseflow.formats.public_record import (
    CALLED,
    PUBLIC,
    PublicRecord,
    parse_public_record,
    render_public_record,
)
from caseflow.formats.record import (
    MAX_INTEGER,
    SALT_BYTES,
    JsonValue,
    Record,
    canonical_json,
    parse_record,
    render_record,
    salt_of,
)
from caseflow.formats.tiles import FULL_LOG_TAG, PUBLIC_LOG_TAG

LogName = Literal["full", "public"]
Gone = Literal["withdrawn", "erased"]
AnyRecord: TypeAlias = Record | PublicRecord

FORMAT: Final = "caseflow/bundle/v1"
MAX_BUNDLE_BYTES: Final = 64 * 2**20
MAX_RECORDS: Final = 10_000  # a note has at most 1,000,000 bytes, and a line of it up to 96
TAGS: Final[Mapping[LogName, str]] = {"full": FULL_LOG_TAG, "public": PUBLIC_LOG_TAG}

_UUID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NUMBER: Final = r"0|[1-9][0-9]{0,18}"
_HEAD: Final = re.compile(
    rf"{re.escape(FORMAT)}\n(?P<origin>[^\n]+)\n(?P<size>{_NUMBER})\n(?P<root>[^\n]+)\n"
    rf"case (?P<case>{_UUID})\n(?:event (?P<event>{_UUID})\n)?"
    rf"(?:since (?P<since>{_NUMBER}) (?P<since_root>[^\n ]+)\n)?"
)
_LINE: Final = re.compile(
    rf"(?P<index>{_NUMBER}) (?P<hash>[^ ]+)"
    rf"(?: (?P<gone>withdrawn|erased) (?P<gone_with>{_NUMBER}))?"
)

# As in record.py: of the values that occur here, the bytes are those of RFC 8785.
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


class InvalidBundleError(CaseflowError, ValueError):
    """Bytes or values that are not a bundle, or a statement, in its one form."""


class TreeHead(msgspec.Struct, frozen=True):
    """The size of a log, 0 to 2^63 - 1, and its root at that size, 32 bytes.

    Raises InvalidBundleError for anything else.
    """

    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_SIZE or len(self.root) != HASH_BYTES:
            raise InvalidBundleError("a tree has 0 to 2^63 - 1 leaves and a root of 32 bytes")


class Line(msgspec.Struct, frozen=True):
    """What a statement says of one record: where it is, its SHA-256, where its words went.

    gone: `withdrawn` or `erased` where they can no longer be shown, else None; gone_with: the
    index, not smaller, of the record with which they went.
    """

    index: int
    record_hash: bytes
    gone: Gone | None = None
    gone_with: int | None = None


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What the log says of a case, or of one event of it: which records it has, at which size.

    lines: ascending by index, 1 to 10,000. since: an older head, where growth from it is proved.
    Raises InvalidBundleError for anything else.
    Source: docs/bundle.md, section "The statement".
    """

    origin: str
    head: TreeHead
    case_id: UUID
    event_id: UUID | None = None
    since: TreeHead | None = None
    lines: tuple[Line, ...]

    def __post_init__(self) -> None:
        if self.since is not None and self.since.size > self.head.size:
            raise InvalidBundleError("a log grows: what it grew from is not greater")
        _require_lines(self.lines, self.head.size)


class Disclosed(msgspec.Struct, frozen=True):
    """One field as it is shown: with its salt, 32 bytes, it can be found in the record."""

    path: tuple[str, ...]
    value: JsonValue
    salt: bytes


class BundleEvent(msgspec.Struct, frozen=True):
    """A record with its index, its inclusion proof, and what is disclosed of it by path."""

    index: int
    record: AnyRecord
    proof: tuple[bytes, ...]
    fields: tuple[Disclosed, ...]


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle as it is in the file; nothing of it is verified.

    key: type 0x01; witnesses: type 0x04, no public key twice. events: ascending by index, at most
    10,000, each with a record of the log named. Raises InvalidBundleError for anything else.
    Source: docs/bundle.md, section "The file".
    """

    log: LogName
    key: VerifierKey
    witnesses: tuple[VerifierKey, ...]
    checkpoint: Note
    statement: Note
    consistency: tuple[bytes, ...]
    events: tuple[BundleEvent, ...]

    def __post_init__(self) -> None:
        if len(self.events) > MAX_RECORDS:
            raise InvalidBundleError("a bundle has at most 10,000 events")
        if any(one.index >= other.index for one, other in pairwise(self.events)):
            raise InvalidBundleError("the events of a bundle are ascending by index")
        _require_keys(self.key, self.witnesses)
        _require_hashes(self.consistency)
        for event in self.events:
            _require_event(self.log, event)


class Subject(msgspec.Struct, frozen=True):
    """What a bundle is of: a case, or one event of it."""

    case_id: UUID
    event_id: UUID | None = None


SignStatement: TypeAlias = Callable[[Statement], Note]


# -- making ---------------------------------------------------------------------------------------


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What goes into a bundle of one record. gone, gone_with: as in Line."""

    index: int
    record: AnyRecord
    fields: tuple[Disclosed, ...] = ()
    gone: Gone | None = None
    gone_with: int | None = None


def disclose(
    seed: bytes, fields: Mapping[str, JsonValue], names: Iterable[str]
) -> tuple[Disclosed, ...]:
    """Return the named fields of an event with their salts, in the order a bundle has them in.

    seed, fields: all of what was sealed; the others stay unknown to whoever gets these.
    Raises ValueError for a name that is not among the fields.
    """
    paths = [(name,) for name in fields]
    shown = sorted({(name,) for name in names}, key=_path_bytes)
    salts = [salt_of(seed, paths, path) for path in shown]
    return tuple(
        Disclosed(path, fields[path[0]], salt) for path, salt in zip(shown, salts, strict=True)
    )


def make_bundle(
    entries: Sequence[Entry],
    *,
    log: LogName,
    checkpoint: SignedCheckpoint,
    subject: Subject,
    since: int | None = None,
    read_node: ReadNode,
    key: VerifierKey,
    sign: SignStatement,
) -> Bundle:
    """Return the bundle of what a log has of a case, or of one event, signed by the log.

    entries: all of the records there are at the checkpoint's size, ascending by index.
    checkpoint: with the cosignatures to be shown; lines of others are left out.
    read_node: of the tree; read below the checkpoint's size alone. key, sign: the log's.
    since: an older size, from which growth is to be proved.
    Raises InvalidBundleError where there is nothing, or too much, or a record is not in the tree;
    InvalidTreeError for a size that is greater than the checkpoint's.
    """
    head = TreeHead(checkpoint.checkpoint.size, checkpoint.checkpoint.root)
    older = None if since is None else TreeHead(since, read_range(since, read_node).root)
    statement = Statement(
        origin=checkpoint.checkpoint.origin,
        head=head,
        case_id=subject.case_id,
        event_id=subject.event_id,
        since=older,
        lines=tuple(_make_line(entry) for entry in entries),
    )
    own = _find_signature(checkpoint, key)
    return Bundle(
        log=log,
        key=key,
        witnesses=tuple(one.key for one in checkpoint.cosignatures),
        checkpoint=Note(checkpoint.note.text, (own, *_list_cosignatures(checkpoint))),
        statement=sign(statement),
        consistency=_prove_growth(since, head.size, read_node),
        events=tuple(_make_event(entry, head.size, read_node) for entry in entries),
    )


def sign_statement(statement: Statement, private_key: Ed25519PrivateKey) -> Note:
    """Return a statement as a note signed by the log, whose key has the origin as its name."""
    text = render_statement(statement)
    return Note(text, (sign_text(text, statement.origin, private_key),))


def hash_record(record: AnyRecord) -> bytes:
    """Return the SHA-256 of a record in its canonical form, 32 bytes."""
    return hashlib.sha256(render_any_record(record)).digest()


def render_any_record(record: AnyRecord) -> bytes:
    """Return the canonical JSON of a record of either log."""
    return render_record(record) if isinstance(record, Record) else render_public_record(record)


def _make_line(entry: Entry) -> Line:
    return Line(entry.index, hash_record(entry.record), entry.gone, entry.gone_with)


def _make_event(entry: Entry, size: int, read_node: ReadNode) -> BundleEvent:
    proof = tuple(prove_inclusion(entry.index, size, read_node))
    return BundleEvent(entry.index, entry.record, proof, entry.fields)


def _prove_growth(since: int | None, size: int, read_node: ReadNode) -> tuple[bytes, ...]:
    return () if since is None else tuple(prove_consistency(since, size, read_node))


def _find_signature(checkpoint: SignedCheckpoint, key: VerifierKey) -> Signature:
    for one in checkpoint.note.signatures:
        if (one.name, one.key_id) == (key.name, key.key_id):
            return one
    raise InvalidBundleError("the log did not sign its checkpoint")


def _list_cosignatures(checkpoint: SignedCheckpoint) -> Iterable[Signature]:
    """Yield the line of each known witness, the latest where it has several."""
    for cosignature in checkpoint.cosignatures:
        key, time = cosignature.key, cosignature.timestamp.to_bytes(8, "big")
        for line in checkpoint.note.signatures:
            if (line.name, line.key_id, line.value[:8]) == (key.name, key.key_id, time):
                yield line
                break


# -- the statement --------------------------------------------------------------------------------


def render_statement(statement: Statement) -> str:
    """Return the text that is signed. Source: docs/bundle.md, section "The statement"."""
    head, since = statement.head, statement.since
    lines = [FORMAT, statement.origin, str(head.size), render_base64(head.root)]
    lines.append(f"case {statement.case_id}")
    if statement.event_id is not None:
        lines.append(f"event {statement.event_id}")
    if since is not None:
        lines.append(f"since {since.size} {render_base64(since.root)}")
    lines.extend(_render_line(line) for line in statement.lines)
    text = "".join(f"{line}\n" for line in lines)
    require_text(text)
    return text


def parse_statement(text: str) -> Statement:
    """Return the statement of a note's text.

    Raises InvalidBundleError for every other text, a checkpoint's among them, and for every other
    spelling.
    """
    found = _HEAD.match(text)
    if found is None or not text.endswith("\n"):
        raise InvalidBundleError("this is not a statement")
    rest = text[found.end() : -1].split("\n", MAX_RECORDS)
    try:
        statement = Statement(
            origin=found["origin"],
            head=TreeHead(int(found["size"]), parse_base64(found["root"])),
            case_id=UUID(found["case"]),
            event_id=UUID(found["event"]) if found["event"] else None,
            since=_parse_since(found),
            lines=tuple(_parse_line(line) for line in rest),
        )
    except ValueError as error:
        raise InvalidBundleError("this is not a statement") from error
    return statement


def _render_line(line: Line) -> str:
    gone = f" {line.gone} {line.gone_with}" if line.gone else ""
    return f"{line.index} {render_base64(line.record_hash)}{gone}"


def _parse_line(text: str) -> Line:
    found = _LINE.fullmatch(text)
    if found is None:
        raise InvalidBundleError("a line of a statement is an index, a hash and what is gone")
    gone: Gone | None = found["gone"]  # type: ignore[assignment]  # the pattern says so
    gone_with = int(found["gone_with"]) if gone else None
    return Line(int(found["index"]), parse_base64(found["hash"]), gone, gone_with)


def _parse_since(found: re.Match[str]) -> TreeHead | None:
    if found["since"] is None:
        return None
    return TreeHead(int(found["since"]), parse_base64(found["since_root"]))


def _require_lines(lines: Sequence[Line], size: int) -> None:
    if not 1 <= len(lines) <= MAX_RECORDS:
        raise InvalidBundleError("a statement names 1 to 10,000 records")
    if any(one.index >= other.index for one, other in pairwise(lines)):
        raise InvalidBundleError("the lines of a statement are ascending by index")
    if not 0 <= lines[0].index <= lines[-1].index < size:
        raise InvalidBundleError("a statement names records that are in the log")
    _require_hashes(line.record_hash for line in lines)
    named = {line.index for line in lines}
    for line in lines:
        _require_gone(line, named)


def _require_gone(line: Line, named: set[int]) -> None:
    if line.gone is None and line.gone_with is None:
        return
    if line.gone not in get_args(Gone) or line.gone_with is None:
        raise InvalidBundleError("words are gone with a record, withdrawn or erased")
    if line.gone_with not in named or line.gone_with < line.index:
        raise InvalidBundleError("words go with a record that is named, and not before it")


# -- the file -------------------------------------------------------------------------------------


class _Field(msgspec.Struct, forbid_unknown_fields=True):
    path: list[str]
    value: msgspec.Raw
    salt: str


class _Event(msgspec.Struct, forbid_unknown_fields=True):
    index: int
    record: msgspec.Raw
    proof: list[str]
    fields: list[_Field]


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    """The JSON object of a bundle, before its texts are read."""

    format: Literal["caseflow/bundle/v1"]
    log: LogName
    key: str
    witnesses: list[str]
    checkpoint: str
    statement: str
    consistency: list[str]
    events: list[_Event]


_DECODER: Final = msgspec.json.Decoder(_Document)


def render_bundle(bundle: Bundle) -> bytes:
    """Return the file: RFC 8785, UTF-8. Raises ValueError for values without a canonical form."""
    return _ENCODER.encode(
        {
            "format": FORMAT,
            "log": bundle.log,
            "key": render_verifier_key(bundle.key),
            "witnesses": [render_verifier_key(key) for key in bundle.witnesses],
            "checkpoint": render_note(bundle.checkpoint).decode(),
            "statement": render_note(bundle.statement).decode(),
            "consistency": [render_base64(one) for one in bundle.consistency],
            "events": [_render_event(event) for event in bundle.events],
        }
    )


def parse_bundle(data: bytes) -> Bundle:
    """Return the bundle of a file; nothing of it is verified.

    Raises InvalidBundleError for whatever is not one, and for every other spelling of one: a file
    that differs in one byte from its own rendering has bits that nothing vouches for.
    """
    if len(data) > MAX_BUNDLE_BYTES:
        raise InvalidBundleError("a bundle has at most 64 MiB")
    try:
        bundle = _read_document(_DECODER.decode(data))
        rendered = render_bundle(bundle)
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise InvalidBundleError("these bytes are not a bundle") from error
    if rendered != data:
        raise InvalidBundleError("these bytes are not the canonical form of a bundle")
    return bundle


def _render_event(event: BundleEvent) -> dict[str, Any]:
    return {
        "index": event.index,
        "record": msgspec.Raw(render_any_record(event.record)),
        "proof": [render_base64(one) for one in event.proof],
        "fields": [_render_field(one) for one in event.fields],
    }


def _render_field(one: Disclosed) -> dict[str, Any]:
    # The value by itself: how deep it may go is counted from there, as in its commitment.
    value = msgspec.Raw(canonical_json(one.value))
    return {"path": one.path, "value": value, "salt": render_base64(one.salt)}


def _read_document(document: _Document) -> Bundle:
    return Bundle(
        log=document.log,
        key=parse_verifier_key(document.key),
        witnesses=tuple(parse_verifier_key(key) for key in document.witnesses),
        checkpoint=parse_note(document.checkpoint.encode()),
        statement=parse_note(document.statement.encode()),
        consistency=tuple(parse_base64(one) for one in document.consistency),
        events=tuple(_read_event(document.log, event) for event in document.events),
    )


def _read_event(log: LogName, event: _Event) -> BundleEvent:
    read = parse_record if log == "full" else parse_public_record
    return BundleEvent(
        event.index,
        read(bytes(event.record)),
        tuple(parse_base64(one) for one in event.proof),
        tuple(_read_field(one) for one in event.fields),
    )


def _read_field(one: _Field) -> Disclosed:
    value: JsonValue = msgspec.json.decode(one.value)
    return Disclosed(tuple(one.path), value, parse_base64(one.salt))


def _require_keys(key: VerifierKey, witnesses: Sequence[VerifierKey]) -> None:
    if key.signature_type != ED25519:
        raise InvalidBundleError("the key of a log is of type 0x01")
    if any(one.signature_type != COSIGNATURE_V1 for one in witnesses):
        raise InvalidBundleError("the key of a witness is of type 0x04")
    if len({one.public_key for one in witnesses}) != len(witnesses):
        raise InvalidBundleError("a public key is one witness")


def _require_event(log: LogName, event: BundleEvent) -> None:
    if not 0 <= event.index <= MAX_INTEGER:
        raise InvalidBundleError("an index is 0 to 2^53 - 1")
    if not isinstance(event.record, Record if log == "full" else PublicRecord):
        raise InvalidBundleError("a record is of the log that the bundle names")
    _require_hashes(event.proof)
    paths = [_path_bytes(one.path) for one in event.fields]
    if any(one >= other for one, other in pairwise(paths)):
        raise InvalidBundleError("the fields of an event are ascending by path")
    for one in event.fields:
        _require_field(log, one)


def _require_field(log: LogName, one: Disclosed) -> None:
    if len(one.path) != 1 or len(one.salt) != SALT_BYTES:
        raise InvalidBundleError("a field has a path of one name and a salt of 32 bytes")
    shown = ((CALLED,), (PUBLIC,))
    if log == "public" and not (one.path in shown and isinstance(one.value, dict)):
        raise InvalidBundleError("of a public change two objects are shown at most")


def _path_bytes(path: tuple[str, ...]) -> bytes:
    return canonical_json(list(path))


def _require_hashes(values: Iterable[bytes]) -> None:
    if any(len(value) != HASH_BYTES for value in values):
        raise InvalidBundleError("a hash has 32 bytes")
