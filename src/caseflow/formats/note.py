"""Text signed by keys that have names: signed notes and verifier keys, as in C2SP signed-note.

Ed25519 alone. What the text says is not known here: `checkpoint.py` reads and cosigns the
statements of logs. Private keys come in as arguments and are not kept.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from caseflow.domain.errors import CaseflowError

ED25519: Final = 0x01  # signs the text of a note
COSIGNATURE_V1: Final = 0x04  # signs the text of a checkpoint and a time: `checkpoint.py`
KEY_ID_BYTES: Final = 4
PUBLIC_KEY_BYTES: Final = 32
# Bounds of ours, those of Go's sumdb; readers must take 16 signatures, the specification says.
MAX_SIGNATURES: Final = 100
MAX_NOTE_BYTES: Final = 1_000_000

_DASH: Final = "\u2014 "  # before each signature: an em dash and a space


class InvalidNoteError(CaseflowError, ValueError):
    """A note, a key or a checkpoint that is malformed, or that no known key vouches for."""


class VerifierKey(msgspec.Struct, frozen=True):
    """A public key, the name it signs under, and what it signs.

    public_key: 32 bytes as in RFC 8032; signature_type: 0x01 for notes, 0x04 for cosignatures.
    Raises InvalidNoteError for anything else, and for a name that is empty or holds a space, a
    plus or a control character.
    Source: C2SP signed-note, sections "Signature types" and "Verifier keys".
    """

    name: str
    public_key: bytes
    signature_type: int = ED25519

    def __post_init__(self) -> None:
        _require_name(self.name)
        if self.signature_type not in (ED25519, COSIGNATURE_V1):
            raise InvalidNoteError("the type of a verifier key is 0x01 or 0x04")
        if len(self.public_key) != PUBLIC_KEY_BYTES:
            raise InvalidNoteError("an Ed25519 key has 32 bytes")

    @property
    def key_id(self) -> bytes:
        """SHA-256(name ‖ newline ‖ type ‖ public key), the first 4 bytes.

        Source: C2SP signed-note, section "Signatures".
        """
        hashed = b"%b\n%b" % (self.name.encode("utf-8"), self.material)
        return hashlib.sha256(hashed).digest()[:KEY_ID_BYTES]

    @property
    def material(self) -> bytes:
        """The type and the public key, 33 bytes. Source: as above, section "Verifier keys"."""
        return bytes([self.signature_type]) + self.public_key


class Signature(msgspec.Struct, frozen=True):
    """A signature line: who says to have signed, and the bytes, not verified yet.

    key_id: 4 bytes; value: at least one byte, of whatever algorithm.
    Raises InvalidNoteError for anything else, and for names as VerifierKey does.
    Source: C2SP signed-note, section "Signatures".
    """

    name: str
    key_id: bytes
    value: bytes

    def __post_init__(self) -> None:
        _require_name(self.name)
        if len(self.key_id) != KEY_ID_BYTES or not self.value:
            raise InvalidNoteError("a signature has 4 bytes of key id, and more")


class Note(msgspec.Struct, frozen=True):
    """A text and its signature lines, which are not verified yet: `verify_note`.

    text: ends in a newline, has no other control character below U+0020 and no lone surrogate.
    signatures: 1 to 100. Rendered, at most 1,000,000 bytes.
    Raises InvalidNoteError for anything else.
    Source: C2SP signed-note, section "Format".
    """

    text: str
    signatures: tuple[Signature, ...]

    def __post_init__(self) -> None:
        require_text(self.text)
        if not 1 <= len(self.signatures) <= MAX_SIGNATURES:
            raise InvalidNoteError("a note has 1 to 100 signatures")
        if len(render_note(self)) > MAX_NOTE_BYTES:
            raise InvalidNoteError("a note has at most 1,000,000 bytes")


def parse_note(data: bytes) -> Note:
    """Return the note of these bytes; its signatures are not verified.

    Raises InvalidNoteError for every other spelling: base64 with loose bits, a line too many.
    Source: C2SP signed-note, section "Format"; base64 as in RFC 4648, section 4.
    """
    if len(data) > MAX_NOTE_BYTES:
        raise InvalidNoteError("a note has at most 1,000,000 bytes")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidNoteError("a note is UTF-8") from error
    # The last empty line parts text and signatures; those before it belong to the text.
    text, blank, lines = whole.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise InvalidNoteError("a note is a text, an empty line and signature lines")
    # Past the bound nothing is read: what is left stays one line, of which there are too many.
    signatures = lines[:-1].split("\n", MAX_SIGNATURES)
    return Note(text + "\n", tuple(_parse_signature(line) for line in signatures))


def render_note(note: Note) -> bytes:
    """Return the bytes of a note, UTF-8. Source: C2SP signed-note, section "Format"."""
    lines = (
        f"{_DASH}{one.name} {render_base64(one.key_id + one.value)}\n" for one in note.signatures
    )
    return f"{note.text}\n{''.join(lines)}".encode()


def parse_verifier_key(text: str) -> VerifierKey:
    """Return the key of `<name>+<key id>+<base64 of type and key>`.

    Raises InvalidNoteError for every other spelling, a key id that is not that of the key, and
    types other than 0x01 and 0x04.
    Source: C2SP signed-note, section "Verifier keys".
    """
    name, _, rest = text.partition("+")
    material = parse_base64(rest.partition("+")[2])
    if not material:
        raise InvalidNoteError("a verifier key has a name, a key id and a key")
    key = VerifierKey(name, material[1:], material[0])
    if render_verifier_key(key) != text:
        raise InvalidNoteError("the key id is not that of this name and key")
    return key


def render_verifier_key(key: VerifierKey) -> str:
    """Return `<name>+<key id>+<base64 of type and key>`, the id as 8 small hexadecimal digits.

    Source: C2SP signed-note, section "Verifier keys".
    """
    return f"{key.name}+{key.key_id.hex()}+{render_base64(key.material)}"


def get_verifier_key(
    name: str, private_key: Ed25519PrivateKey, signature_type: int = ED25519
) -> VerifierKey:
    """Return what others need to verify signatures of this key under this name.

    Raises InvalidNoteError as VerifierKey does.
    Source: C2SP signed-note, section "Verifier keys".
    """
    return VerifierKey(name, private_key.public_key().public_bytes_raw(), signature_type)


def sign_text(text: str, name: str, private_key: Ed25519PrivateKey) -> Signature:
    """Return the signature line of a key, type 0x01, for a text.

    Equal arguments give equal bytes. Raises InvalidNoteError for a text or a name that a note
    cannot have.
    Source: C2SP signed-note, section "Ed25519 signatures"; RFC 8032, section 5.1.6.
    """
    require_text(text)
    key_id = get_verifier_key(name, private_key).key_id
    return Signature(name, key_id, private_key.sign(text.encode("utf-8")))


def verify_note(note: Note, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
    """Return which of these keys, all of type 0x01, signed the note, in their order; one at least.

    Lines of other keys are ignored, even where they share a name or an id with a known one.
    Raises InvalidNoteError where none of the keys signed, where a line of one of them does not
    verify, and for keys of another type or that cannot be told apart.
    Source: C2SP signed-note, section "Signatures"; RFC 8032, section 5.1.7.
    """
    known = index_keys(keys, ED25519)
    signed = []
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is not None:
            require_signature(key, signature.value, note.text.encode("utf-8"))
            signed.append(key)
    if not signed:
        raise InvalidNoteError("no known key signed this note")
    return tuple(key for key in known.values() if key in signed)


def index_keys(
    keys: Iterable[VerifierKey], signature_type: int
) -> Mapping[tuple[str, bytes], VerifierKey]:
    """Return keys by the name and id that their signature lines have, in their order.

    Raises InvalidNoteError for a key of another type, and for two keys with one name and id.
    Source: C2SP signed-note, sections "Signatures" and "Verifier keys".
    """
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if key.signature_type != signature_type:
            raise InvalidNoteError(f"the type of this key is not 0x{signature_type:02x}")
        if known.setdefault((key.name, key.key_id), key) != key:
            raise InvalidNoteError("two keys have one name and one id")
    return known


def require_signature(key: VerifierKey, value: bytes, message: bytes) -> None:
    """Raise InvalidNoteError unless `value` is the key's signature of the message.

    Source: RFC 8032, section 5.1.7.
    """
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(value, message)
    except (InvalidSignature, ValueError) as error:
        raise InvalidNoteError("a signature of a known key does not verify") from error


def require_text(text: str) -> None:
    """Raise InvalidNoteError unless a note can have this text.

    Source: C2SP signed-note, section "Format".
    """
    if not text.endswith("\n"):
        raise InvalidNoteError("the text of a note ends in a newline")
    if not _is_clean(text.replace("\n", "")):
        raise InvalidNoteError("the text of a note is UTF-8 without control characters")


def render_base64(data: bytes) -> str:
    """Return base64 with padding. Source: RFC 4648, section 4."""
    return base64.b64encode(data).decode("ascii")


def parse_base64(text: str) -> bytes:
    """Return the bytes of base64 with padding.

    Raises InvalidNoteError for every other spelling, loose bits included: else a changed
    signature line could verify.
    Source: RFC 4648, sections 3.5 and 4.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError as error:
        raise InvalidNoteError("this is not base64") from error
    if render_base64(data) != text:
        raise InvalidNoteError("this is not the one spelling of its base64")
    return data


def _parse_signature(line: str) -> Signature:
    if not line.startswith(_DASH):
        raise InvalidNoteError("a signature line begins with an em dash and a space")
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    data = parse_base64(encoded)
    return Signature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


def _require_name(name: str) -> None:
    if not name or "+" in name or any(char.isspace() for char in name) or not _is_clean(name):
        raise InvalidNoteError("the name of a key has no spaces, no plus, no control characters")


def _is_clean(text: str) -> bool:
    # Lone surrogates have no UTF-8.
    return not any(char < " " or "\ud800" <= char <= "\udfff" for char in text)
