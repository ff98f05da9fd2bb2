"""What a log says of itself, and what witnesses say of it: C2SP tlog-checkpoint, tlog-cosignature.

A checkpoint is the text of a signed note (`note.py`): origin, size, root. No clock here: the
time of a cosignature comes in as an argument, and whether it is too old is the caller's to say.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from caseflow.formats.merkle import EMPTY_ROOT, HASH_BYTES, MAX_SIZE
from caseflow.formats.note import (
    COSIGNATURE_V1,
    InvalidNoteError,
    Note,
    Signature,
    VerifierKey,
    get_verifier_key,
    index_keys,
    parse_base64,
    parse_note,
    render_base64,
    require_signature,
    require_text,
    sign_text,
    verify_note,
)

MAX_TIMESTAMP: Final = 2**63 - 1

_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")  # 2^63 - 1 has 19 digits
_TIMESTAMP_BYTES: Final = 8


class Checkpoint(msgspec.Struct, frozen=True):
    """The head of a log: its tree's size and root.

    origin: the log's name, one line that is not empty. size: leaves, 0 to 2^63 - 1.
    root: 32 bytes; that of no leaves is SHA-256 of nothing. extensions: further lines, none
    empty; ours have none, as what they say cannot be audited.
    Raises InvalidNoteError for anything else.
    Source: C2SP tlog-checkpoint, section "Note text"; RFC 6962, section 2.1.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for line in (self.origin, *self.extensions):
            if not line or "\n" in line:
                raise InvalidNoteError("the lines of a checkpoint are not empty")
            require_text(f"{line}\n")
        if not 0 <= self.size <= MAX_SIZE:
            raise InvalidNoteError("a checkpoint is of 0 to 2^63 - 1 leaves")
        if len(self.root) != HASH_BYTES or (self.size == 0 and self.root != EMPTY_ROOT):
            raise InvalidNoteError("the root of a checkpoint is 32 bytes, those of its size")


class Cosignature(msgspec.Struct, frozen=True):
    """What a witness says: at this time, this was the largest head of the log it had seen.

    timestamp: seconds since 1970-01-01T00:00:00Z, 0 to 2^63 - 1.
    Source: C2SP tlog-cosignature, section "Ed25519 signed message".
    """

    key: VerifierKey
    timestamp: int


class SignedCheckpoint(msgspec.Struct, frozen=True):
    """A checkpoint that its log signed, with those of the known witnesses that cosigned it."""

    checkpoint: Checkpoint
    note: Note
    cosignatures: tuple[Cosignature, ...]


def render_checkpoint(checkpoint: Checkpoint) -> str:
    """Return the text that is signed. Source: C2SP tlog-checkpoint, section "Note text"."""
    root = render_base64(checkpoint.root)
    lines = (checkpoint.origin, str(checkpoint.size), root, *checkpoint.extensions)
    return "".join(f"{line}\n" for line in lines)


def parse_checkpoint(text: str) -> Checkpoint:
    """Return the checkpoint that the text of a note states.

    Raises InvalidNoteError for every other spelling: a zero before the size, an empty line, a
    last line without its newline.
    Source: C2SP tlog-checkpoint, section "Note text".
    """
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop():
        raise InvalidNoteError("a checkpoint has at least three lines, each with its newline")
    origin, size, root, *extensions = lines
    if not _SIZE.fullmatch(size):
        raise InvalidNoteError("the size of a checkpoint is decimal, without zeros before it")
    return Checkpoint(origin, int(size), parse_base64(root), tuple(extensions))


def sign_checkpoint(checkpoint: Checkpoint, private_key: Ed25519PrivateKey) -> Note:
    """Return the checkpoint as a note signed by the log, whose key has the origin as its name.

    Whether it contradicts one that was signed before is for the caller to know.
    Raises InvalidNoteError for an origin that cannot be the name of a key.
    Source: C2SP tlog-checkpoint, section "Signatures".
    """
    text = render_checkpoint(checkpoint)
    return Note(text, (sign_text(text, checkpoint.origin, private_key),))


def cosign_checkpoint(
    checkpoint: Checkpoint, *, name: str, private_key: Ed25519PrivateKey, timestamp: int
) -> Signature:
    """Return a witness's signature line, type 0x04, for a checkpoint.

    The name is not part of what is signed: a key must not be used under two names.
    timestamp: seconds since 1970-01-01T00:00:00Z, 0 to 2^63 - 1; else InvalidNoteError.
    Source: C2SP tlog-cosignature, sections "Format" and "Ed25519 signed message".
    """
    if not 0 <= timestamp <= MAX_TIMESTAMP:
        raise InvalidNoteError("the time of a cosignature is 0 to 2^63 - 1 seconds")
    key = get_verifier_key(name, private_key, COSIGNATURE_V1)
    signed = private_key.sign(_render_cosigned(render_checkpoint(checkpoint), timestamp))
    return Signature(name, key.key_id, timestamp.to_bytes(_TIMESTAMP_BYTES, "big") + signed)


def verify_cosignatures(note: Note, keys: Iterable[VerifierKey]) -> tuple[Cosignature, ...]:
    """Return the cosignatures of these witnesses, in their order, the latest of each; or none.

    keys: all of type 0x04, and no public key twice, as one would then count as two.
    Lines of other keys are ignored. Raises InvalidNoteError where the text is not a checkpoint,
    where a line of a known witness does not verify, and for keys other than those above.
    Source: C2SP tlog-cosignature, sections "Format" and "Ed25519 signed message".
    """
    known = index_keys(keys, COSIGNATURE_V1)
    if len({key.public_key for key in known.values()}) != len(known):
        raise InvalidNoteError("two witnesses have one public key")
    parse_checkpoint(note.text)
    latest: dict[VerifierKey, int] = {}
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is not None:
            timestamp = _verify_cosignature(key, signature.value, note.text)
            latest[key] = max(timestamp, latest.get(key, 0))
    return tuple(Cosignature(key, latest[key]) for key in known.values() if key in latest)


def open_checkpoint(
    data: bytes, *, log_key: VerifierKey, witness_keys: Iterable[VerifierKey] = ()
) -> SignedCheckpoint:
    """Return the checkpoint of a signed note, once its log's signature is verified.

    log_key: type 0x01, its name the origin; witness_keys: as in `verify_cosignatures`.
    How many witnesses are enough is for the caller to say.
    Raises InvalidNoteError where the log did not sign, where the origin is another one, and as
    `parse_note`, `parse_checkpoint`, `verify_note` and `verify_cosignatures` do.
    Source: C2SP tlog-checkpoint, sections "Note text" and "Signatures".
    """
    note = parse_note(data)
    # Witnesses do not stand in for the log: its own signature is asked for alone.
    verify_note(note, [log_key])
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != log_key.name:
        raise InvalidNoteError("the checkpoint is of another log")
    return SignedCheckpoint(checkpoint, note, verify_cosignatures(note, witness_keys))


def _verify_cosignature(key: VerifierKey, value: bytes, text: str) -> int:
    """Return the time of a cosignature that verifies."""
    timestamp = int.from_bytes(value[:_TIMESTAMP_BYTES], "big")
    if timestamp > MAX_TIMESTAMP:
        raise InvalidNoteError("the time of a cosignature is 0 to 2^63 - 1 seconds")
    require_signature(key, value[_TIMESTAMP_BYTES:], _render_cosigned(text, timestamp))
    return timestamp


def _render_cosigned(text: str, timestamp: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()
