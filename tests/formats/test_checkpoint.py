"""Checkpoints and cosignatures: one spelling, signed by the log and by each witness once."""

import base64

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from tlog_scales import signing, tlog

from caseflow.formats.checkpoint import (
    MAX_TIMESTAMP,
    Checkpoint,
    Cosignature,
    cosign_checkpoint,
    open_checkpoint,
    parse_checkpoint,
    render_checkpoint,
    sign_checkpoint,
    verify_cosignatures,
)
from caseflow.formats.merkle import EMPTY_ROOT, hash_leaf
from caseflow.formats.note import (
    COSIGNATURE_V1,
    InvalidNoteError,
    Note,
    Signature,
    VerifierKey,
    get_verifier_key,
    parse_note,
    render_note,
    render_verifier_key,
    sign_text,
)
from tests.formats.changes import flip_each_bit

# C2SP tlog-cosignature; the first signature is that of C2SP tlog-checkpoint. Keys unpublished.
EXAMPLE = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""  # noqa: E501
EXAMPLE_TIME = 1_679_315_147  # the section "Ed25519 signed message" tells it

ORIGIN, NAME, TIME = "example.com/log", "witness.example.com/w1", 1_700_000_000
LOG = Ed25519PrivateKey.from_private_bytes(bytes([1] * 32))
WITNESS = Ed25519PrivateKey.from_private_bytes(bytes([2] * 32))
LOG_KEY = get_verifier_key(ORIGIN, LOG)
WITNESS_KEY = get_verifier_key(NAME, WITNESS, COSIGNATURE_V1)
CHECKPOINT = Checkpoint(ORIGIN, 1, hash_leaf(b""))
ROOT = base64.b64encode(CHECKPOINT.root).decode()
TEXT = f"{ORIGIN}\n1\n{ROOT}\n"

lines = st.text(
    st.characters(exclude_categories=["Cs"], min_codepoint=0x20), min_size=1, max_size=20
)
checkpoints = st.builds(
    Checkpoint,
    lines,
    st.integers(1, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
    st.lists(lines, max_size=3).map(tuple),
)


def cosign(checkpoint=CHECKPOINT, name=NAME, private_key=WITNESS, timestamp=TIME):
    return cosign_checkpoint(checkpoint, name=name, private_key=private_key, timestamp=timestamp)


def add(note, *signatures):
    return Note(note.text, note.signatures + signatures)


# -- others' checkpoints --------------------------------------------------------------------------


def test_the_example_of_the_specification_is_read_and_written():
    note = parse_note(EXAMPLE.encode())
    checkpoint = parse_checkpoint(note.text)
    assert checkpoint.origin == "example.com/behind-the-sofa"
    assert checkpoint.size == 20_852_163
    assert base64.b64encode(checkpoint.root) == b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    assert checkpoint.extensions == ()
    assert render_checkpoint(checkpoint) == note.text
    log, witness = note.signatures
    assert len(log.value) == 64
    assert len(witness.value) == 72
    assert int.from_bytes(witness.value[:8], "big") == EXAMPLE_TIME
    assert render_note(note).decode() == EXAMPLE


def test_a_tree_note_of_go_is_a_checkpoint():
    """From the tests of Go's tlog package."""
    text = "go.sum database tree\n123456789012\nTszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBb0=\n"
    head = Checkpoint("go.sum database tree", 123_456_789_012, hash_leaf(b"hello world"))
    assert parse_checkpoint(text) == head
    assert render_checkpoint(head) == text


def test_the_message_of_a_cosignature_is_that_of_the_specification():
    """The lines of C2SP tlog-cosignature, section "Ed25519 signed message", put together here."""
    checkpoint = parse_checkpoint(parse_note(EXAMPLE.encode()).text)
    signature = cosign(checkpoint, timestamp=EXAMPLE_TIME)
    message = (
        "cosignature/v1\n"
        "time 1679315147\n"
        "example.com/behind-the-sofa\n"
        "20852163\n"
        "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )
    assert signature.value == b"\0\0\0\0\x64\x18\x50\xcb" + WITNESS.sign(message.encode())


def test_another_implementation_verifies_what_we_sign_and_signs_alike():
    note = add(sign_checkpoint(CHECKPOINT, LOG), cosign())
    other = tlog.Checkpoint.from_text(render_note(note).decode())
    assert (other.origin, other.size, other.root_hash) == (ORIGIN, 1, CHECKPOINT.root)
    for key in (LOG_KEY, WITNESS_KEY):
        other.verify(signing.Vkey.from_string(render_verifier_key(key)))
    changed = tlog.Checkpoint(ORIGIN, 2, CHECKPOINT.root, other.signatures)
    for key in (LOG_KEY, WITNESS_KEY):
        with pytest.raises(InvalidSignature):
            changed.verify(signing.Vkey.from_string(render_verifier_key(key)))
    signer = signing.PlainEd25519Signer(ORIGIN, bytes([1] * 32))
    made = tlog.Checkpoint.make_signed(ORIGIN, 1, CHECKPOINT.root, [signer]).serialize()
    assert made.encode() == render_note(sign_checkpoint(CHECKPOINT, LOG))


# -- opening --------------------------------------------------------------------------------------


def test_a_signed_checkpoint_opens_with_the_witnesses_that_are_known():
    note = add(sign_checkpoint(CHECKPOINT, LOG), cosign())
    opened = open_checkpoint(render_note(note), log_key=LOG_KEY, witness_keys=[WITNESS_KEY])
    assert opened.checkpoint == CHECKPOINT
    assert opened.note == note
    assert opened.cosignatures == (Cosignature(WITNESS_KEY, TIME),)
    assert open_checkpoint(render_note(note), log_key=LOG_KEY).cosignatures == ()


def test_a_witness_does_not_stand_in_for_the_log():
    note = Note(TEXT, (cosign(),))
    with pytest.raises(InvalidNoteError, match="no known key"):
        open_checkpoint(render_note(note), log_key=LOG_KEY, witness_keys=[WITNESS_KEY])
    with pytest.raises(InvalidNoteError, match="type"):
        open_checkpoint(render_note(note), log_key=WITNESS_KEY)


def test_the_log_does_not_stand_in_for_a_witness():
    """Its signature is over other bytes, and its key of another type."""
    note = sign_checkpoint(CHECKPOINT, LOG)
    as_witness = VerifierKey(ORIGIN, LOG_KEY.public_key, COSIGNATURE_V1)
    assert verify_cosignatures(note, [as_witness]) == ()
    with pytest.raises(InvalidNoteError, match="type"):
        verify_cosignatures(note, [LOG_KEY])
    forged = Signature(ORIGIN, as_witness.key_id, bytes(8) + note.signatures[0].value)
    with pytest.raises(InvalidNoteError, match="does not verify"):
        verify_cosignatures(add(note, forged), [as_witness])


def test_a_checkpoint_of_another_log_does_not_open():
    text = TEXT.replace(ORIGIN, "example.com/other")
    note = Note(text, (sign_text(text, ORIGIN, LOG),))
    with pytest.raises(InvalidNoteError, match="another log"):
        open_checkpoint(render_note(note), log_key=LOG_KEY)


def test_a_signed_text_that_is_no_checkpoint_does_not_open():
    for text in ("Text.\n", TEXT + "\n", TEXT.replace("\n1\n", "\n01\n")):
        note = Note(text, (sign_text(text, ORIGIN, LOG),))
        with pytest.raises(InvalidNoteError):
            open_checkpoint(render_note(note), log_key=LOG_KEY)
        with pytest.raises(InvalidNoteError):
            verify_cosignatures(note, [WITNESS_KEY])


def test_no_checkpoint_with_a_flipped_bit_opens():
    for changed in flip_each_bit(render_note(sign_checkpoint(CHECKPOINT, LOG))):
        with pytest.raises(InvalidNoteError):
            open_checkpoint(changed, log_key=LOG_KEY)


def test_no_cosignature_with_a_flipped_bit_counts():
    """A flipped name or key id is that of an unknown witness; all else is refused whole."""
    log_line = sign_checkpoint(CHECKPOINT, LOG)
    data = render_note(add(log_line, cosign()))
    ignored = 0
    for changed in flip_each_bit(data):
        try:
            opened = open_checkpoint(changed, log_key=LOG_KEY, witness_keys=[WITNESS_KEY])
        except InvalidNoteError:
            continue
        assert opened.checkpoint == CHECKPOINT
        assert opened.cosignatures == ()
        ignored += 1
    assert 0 < ignored < 8 * (len(NAME) + 6)


def test_each_witness_counts_once_with_its_latest_time():
    note = add(
        sign_checkpoint(CHECKPOINT, LOG),
        cosign(timestamp=TIME + 5),
        cosign(),
        cosign(name="w2", private_key=LOG, timestamp=0),
    )
    second = get_verifier_key("w2", LOG, COSIGNATURE_V1)
    third = get_verifier_key("w3", Ed25519PrivateKey.generate(), COSIGNATURE_V1)
    found = verify_cosignatures(note, [second, third, WITNESS_KEY, second])
    assert found == (Cosignature(second, 0), Cosignature(WITNESS_KEY, TIME + 5))


def test_one_public_key_is_not_two_witnesses():
    other = VerifierKey("w2", WITNESS_KEY.public_key, COSIGNATURE_V1)
    note = add(sign_checkpoint(CHECKPOINT, LOG), cosign(), cosign(name="w2"))
    with pytest.raises(InvalidNoteError, match="one public key"):
        verify_cosignatures(note, [WITNESS_KEY, other])


def test_one_bad_cosignature_of_a_known_witness_spoils_the_note():
    bad = Signature(NAME, WITNESS_KEY.key_id, cosign(timestamp=TIME + 1).value[:8] + bytes(64))
    late = Signature(NAME, WITNESS_KEY.key_id, b"\x80" + cosign().value[1:])
    short = Signature(NAME, WITNESS_KEY.key_id, b"\x00")
    for line in (bad, late, short):
        note = add(sign_checkpoint(CHECKPOINT, LOG), cosign(), line)
        with pytest.raises(InvalidNoteError):
            verify_cosignatures(note, [WITNESS_KEY])


def test_a_time_past_the_bound_is_refused_though_it_is_signed():
    signed = WITNESS.sign(f"cosignature/v1\ntime {2**63}\n{TEXT}".encode())
    line = Signature(NAME, WITNESS_KEY.key_id, (2**63).to_bytes(8, "big") + signed)
    with pytest.raises(InvalidNoteError, match="time"):
        verify_cosignatures(Note(TEXT, (line,)), [WITNESS_KEY])


def test_a_cosignature_is_of_one_checkpoint_with_all_its_lines():
    head = Checkpoint(ORIGIN, 1, CHECKPOINT.root, ("extension",))
    line = cosign(head)
    assert verify_cosignatures(Note(render_checkpoint(head), (line,)), [WITNESS_KEY])
    for other in (CHECKPOINT, Checkpoint(ORIGIN, 2, CHECKPOINT.root, ("extension",))):
        with pytest.raises(InvalidNoteError, match="does not verify"):
            verify_cosignatures(Note(render_checkpoint(other), (line,)), [WITNESS_KEY])


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "\n\n\n",
        TEXT[:-1],
        TEXT + "\n",
        TEXT + "\n\n",
        TEXT + "extension",
        TEXT + "\nextension\n",
        TEXT + "tab\t\n",
        "\n" + TEXT,
        TEXT.replace("\n", "\r\n"),
        TEXT.replace(ORIGIN, ""),
        TEXT.replace(ORIGIN, "\x00"),
        TEXT.replace(ORIGIN, "\ud800"),
        TEXT.replace("\n1\n", "\n"),
        TEXT.replace("\n1\n", "\n\n"),
        TEXT.replace("\n1\n", "\n01\n"),
        TEXT.replace("\n1\n", "\n00\n"),
        TEXT.replace("\n1\n", "\n+1\n"),
        TEXT.replace("\n1\n", "\n-1\n"),
        TEXT.replace("\n1\n", "\n-0\n"),
        TEXT.replace("\n1\n", "\n 1\n"),
        TEXT.replace("\n1\n", "\n1 \n"),
        TEXT.replace("\n1\n", "\n1_0\n"),
        TEXT.replace("\n1\n", "\n0x1\n"),
        TEXT.replace("\n1\n", "\n1.0\n"),
        TEXT.replace("\n1\n", "\n١\n"),
        TEXT.replace("\n1\n", "\n9223372036854775808\n"),
        TEXT.replace("\n1\n", "\n" + "9" * 5000 + "\n"),
        TEXT.replace("\n1\n", "\n0\n"),  # of no leaves, with the root of one
        TEXT.replace(ROOT, ROOT[:-1]),
        TEXT.replace(ROOT, ROOT + "="),
        TEXT.replace(ROOT, ROOT[:-2] + chr(ord(ROOT[-2]) + 1) + "="),
        TEXT.replace(ROOT, base64.b64encode(bytes(31)).decode()),
        TEXT.replace(ROOT, base64.b64encode(bytes(33)).decode()),
        TEXT.replace(ROOT, CHECKPOINT.root.hex()),
    ],
)
def test_what_is_no_checkpoint_is_refused(text):
    with pytest.raises(InvalidNoteError):
        parse_checkpoint(text)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Checkpoint("", 1, bytes(32)),
        lambda: Checkpoint("a\nb", 1, bytes(32)),
        lambda: Checkpoint("a", -1, bytes(32)),
        lambda: Checkpoint("a", 2**63, bytes(32)),
        lambda: Checkpoint("a", 1, b""),
        lambda: Checkpoint("a", 0, bytes(32)),
        lambda: Checkpoint("a", 1, bytes(32), ("",)),
        lambda: Checkpoint("a", 1, bytes(32), ("b\nc",)),
        lambda: sign_checkpoint(Checkpoint("two words", 1, bytes(32)), LOG),
        lambda: cosign(timestamp=-1),
        lambda: cosign(timestamp=MAX_TIMESTAMP + 1),
        lambda: cosign(name="two words"),
    ],
)
def test_values_that_no_checkpoint_has_are_refused(make):
    with pytest.raises(InvalidNoteError):
        make()


def test_a_log_begins_empty():
    head = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert render_checkpoint(head) == f"{ORIGIN}\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    assert parse_checkpoint(render_checkpoint(head)) == head


# -- any checkpoint -------------------------------------------------------------------------------


@given(checkpoints)
def test_a_checkpoint_is_what_its_text_says(checkpoint):
    assert parse_checkpoint(render_checkpoint(checkpoint)) == checkpoint


@given(st.text(max_size=20) | st.text("1\nA=", max_size=20))
def test_texts_are_a_checkpoint_in_its_one_spelling_or_refused(text):
    for whole in (text, TEXT + text, f"{text}\n1\n{ROOT}\n", f"{ORIGIN}\n{text}\n{ROOT}\n"):
        try:
            checkpoint = parse_checkpoint(whole)
        except InvalidNoteError:
            continue
        assert render_checkpoint(checkpoint) == whole


@given(checkpoints, st.integers(0, MAX_TIMESTAMP))
def test_what_is_cosigned_verifies(checkpoint, timestamp):
    line = cosign(checkpoint, timestamp=timestamp)
    note = parse_note(render_note(Note(render_checkpoint(checkpoint), (line,))))
    assert verify_cosignatures(note, [WITNESS_KEY]) == (Cosignature(WITNESS_KEY, timestamp),)
