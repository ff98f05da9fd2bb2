"""Signed notes and verifier keys: the specification's, Go's, and nothing that is almost one."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from tlog_scales.signing import Vkey

from caseflow.formats.note import (
    COSIGNATURE_V1,
    ED25519,
    InvalidNoteError,
    Note,
    Signature,
    VerifierKey,
    get_verifier_key,
    parse_base64,
    parse_note,
    parse_verifier_key,
    render_base64,
    render_note,
    render_verifier_key,
    sign_text,
    verify_note,
)
from tests.formats.changes import flip_each_bit

SUMDB = json.loads((Path(__file__).parent / "data" / "sumdb.json").read_text("utf-8"))

# C2SP signed-note, section "Verifier keys".
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE = """\
This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
""".encode()  # noqa: E501

# The head of C2SP signed-note; its key is not published.
POEM = """\
Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
""".encode()  # noqa: E501

# The tests of Go's note package: its text, its keys, its lines.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_PRIVATE = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"  # 0x01 and the 32 bytes
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
GO_TEXT = """\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.
"""
PETER_LINE = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"  # noqa: E501
ENOCH_LINE = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"  # noqa: E501

names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=12).map(
    lambda name: name.replace("+", "-")
)
texts = st.text(
    st.characters(exclude_categories=["Cs"], min_codepoint=0x20) | st.just("\n"), max_size=40
).map(lambda text: text + "\n")
signatures = st.builds(
    Signature, names, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=100)
)
notes = st.builds(Note, texts, st.lists(signatures, min_size=1, max_size=4).map(tuple))
keys = st.builds(
    VerifierKey,
    names,
    st.binary(min_size=32, max_size=32),
    st.sampled_from([ED25519, COSIGNATURE_V1]),
)


def make_key(seed):
    return Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)


# -- others' notes --------------------------------------------------------------------------------


def test_the_example_of_the_specification_verifies():
    key = parse_verifier_key(EXAMPLE_KEY)
    note = parse_note(EXAMPLE)
    assert note.text == "This is an example message.\n"
    assert verify_note(note, [key]) == (key,)
    assert render_note(note) == EXAMPLE
    assert render_verifier_key(key) == EXAMPLE_KEY


def test_the_poem_of_the_specification_is_parted_at_its_last_empty_line():
    note = parse_note(POEM)
    assert note.text.endswith("sole:\n\ned è subito sera.\n")
    (signature,) = note.signatures
    assert signature.name == "quasimodo.example/salvatore"
    assert (len(signature.key_id), len(signature.value)) == (4, 64)
    assert render_note(note) == POEM


def test_the_notes_of_the_tests_of_go_are_signed_and_verified_alike():
    peter, enoch = parse_verifier_key(PETER), parse_verifier_key(ENOCH)
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(PETER_PRIVATE)[1:])
    signed = Note(GO_TEXT, (sign_text(GO_TEXT, "PeterNeumann", private),))
    assert render_note(signed).decode() == GO_TEXT + "\n" + PETER_LINE
    assert get_verifier_key("PeterNeumann", private) == peter
    both = parse_note(f"{GO_TEXT}\n{PETER_LINE}{ENOCH_LINE}".encode())
    assert verify_note(both, [peter]) == (peter,)
    assert verify_note(both, [enoch]) == (enoch,)
    assert verify_note(both, [peter, enoch]) == (peter, enoch)
    assert verify_note(both, [enoch, peter, peter]) == (enoch, peter)


@pytest.mark.parametrize("case", SUMDB["notes"], ids=range(len(SUMDB["notes"])))
def test_notes_and_keys_are_those_of_go_to_the_byte(case):
    private = make_key(case["Seed"])
    note = Note(case["Text"], (sign_text(case["Text"], case["Name"], private),))
    assert render_note(note).decode() == case["Note"]
    assert parse_note(case["Note"].encode()) == note
    key = get_verifier_key(case["Name"], private)
    assert render_verifier_key(key) == case["Key"]
    assert verify_note(note, [key]) == (key,)


@pytest.mark.parametrize("case", SUMDB["verdicts"], ids=range(len(SUMDB["verdicts"])))
def test_a_note_is_taken_where_go_takes_it(case):
    key = parse_verifier_key(SUMDB["verdict_key"])
    data = base64.b64decode(case["Note"])
    if case["Open"]:
        note = parse_note(data)
        assert verify_note(note, [key]) == (key,)
        assert render_note(note) == data
    else:
        with pytest.raises(InvalidNoteError):
            verify_note(parse_note(data), [key])


# Of a key that is not ours, from the tests of transparency-dev: type 0x04.
REMORA = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"


@pytest.mark.parametrize("text", [EXAMPLE_KEY, PETER, ENOCH, REMORA])
def test_published_keys_are_read_as_another_implementation_reads_them(text):
    key, other = parse_verifier_key(text), Vkey.from_string(text)
    assert (key.name, key.signature_type, key.public_key) == (
        other.name,
        other.sig_type,
        other.pubkey,
    )
    # Computed anew by the other side, not read.
    computed = Vkey(key.name, None, key.signature_type, key.public_key)
    assert int.from_bytes(key.key_id, "big") == other.key_id == computed.key_id


# -- what does not verify -------------------------------------------------------------------------


def test_no_note_with_a_flipped_bit_verifies():
    key = parse_verifier_key(EXAMPLE_KEY)
    for changed in flip_each_bit(EXAMPLE):
        with pytest.raises(InvalidNoteError):
            verify_note(parse_note(changed), [key])


def test_no_key_with_a_flipped_bit_is_a_key():
    for changed in flip_each_bit(EXAMPLE_KEY.encode()):
        with pytest.raises(InvalidNoteError):
            parse_verifier_key(changed.decode("utf-8", "surrogateescape"))


def test_a_note_that_is_cut_anywhere_does_not_verify():
    key = parse_verifier_key(EXAMPLE_KEY)
    for end in range(len(EXAMPLE)):
        with pytest.raises(InvalidNoteError):
            verify_note(parse_note(EXAMPLE[:end]), [key])


def test_one_bad_signature_of_a_known_key_spoils_the_note():
    text = "Text.\n"
    good, bad = sign_text(text, "a", make_key(1)), sign_text("Other.\n", "b", make_key(2))
    known = [get_verifier_key("a", make_key(1)), get_verifier_key("b", make_key(2))]
    note = Note(text, (good, bad))
    assert verify_note(note, known[:1]) == (known[0],)
    with pytest.raises(InvalidNoteError, match="does not verify"):
        verify_note(note, known)
    with pytest.raises(InvalidNoteError, match="does not verify"):
        verify_note(Note(text, (good, Signature(good.name, good.key_id, b"short"))), known)


def test_unknown_keys_are_ignored_even_where_they_share_a_name_or_an_id():
    text = "Text.\n"
    key, line = get_verifier_key("a", make_key(1)), sign_text(text, "a", make_key(1))
    same_name = Signature("a", b"\x00\x00\x00\x00", b"other")
    same_id = Signature("b", key.key_id, b"other")
    assert verify_note(Note(text, (same_name, same_id, line)), [key]) == (key,)
    with pytest.raises(InvalidNoteError, match="no known key"):
        verify_note(Note(text, (same_name, same_id)), [key])
    with pytest.raises(InvalidNoteError, match="no known key"):
        verify_note(Note(text, (line,)), [])


def test_a_key_of_another_type_does_not_verify_notes():
    text = "Text.\n"
    key = get_verifier_key("a", make_key(1), COSIGNATURE_V1)
    assert key.key_id != get_verifier_key("a", make_key(1)).key_id
    note = Note(text, (sign_text(text, "a", make_key(1)),))
    with pytest.raises(InvalidNoteError, match="type"):
        verify_note(note, [key])


def test_keys_that_cannot_be_told_apart_are_refused():
    """Two keys of one name and one id: found by trying, as ids have 32 bits alone."""

    class Colliding(VerifierKey, frozen=True):
        key_id = b"same"

    note = Note("Text.\n", (Signature("a", b"same", b"value"),))
    with pytest.raises(InvalidNoteError, match="one id"):
        verify_note(note, [Colliding("a", bytes(32)), Colliding("a", bytes([1] * 32))])


# -- what is refused ------------------------------------------------------------------------------

LINE = "— a AAAAAAA=\n"


@pytest.mark.parametrize(
    "data",
    [
        b"\x1f" + EXAMPLE,
        EXAMPLE.replace(b" message", b"\tmessage"),
        EXAMPLE.replace(b"\n", b"\r\n"),
        EXAMPLE + b"\n",
        EXAMPLE + b"x",
        b"Text.\n" + LINE.encode(),
        b"Text.\n\n" + LINE.replace("AAAAAAA=", "AAAAAAB=").encode(),
        b"Text.\n\n" + LINE.replace("AAAAAAA=", "AAAA").encode(),
        b"Text.\n\n" + LINE.replace("AAAAAAA=", "AAAAAAA= ").encode(),
        b"Text.\n\n" + LINE.replace("AAAAAAA=", "AAAA AAA=").encode(),
        b"Text.\n\n" + LINE.replace("AAAAAAA=", "AAAA-AA=").encode(),
        b"Text.\n\n" + LINE.replace(" a ", "  ").encode(),
        b"Text.\n\n" + LINE.replace(" a ", " a\u2003b ").encode(),
        b"Text.\n\n" + LINE.replace("—", "–").encode(),
        b"Text.\n\n" + LINE.replace("— ", "").encode(),
        b"Text.\n\n" + LINE.encode() * 101,
        b"x" * 1_000_000 + b"\n\n" + LINE.encode(),
    ],
)
def test_what_is_no_note_is_refused(data):
    with pytest.raises(InvalidNoteError):
        parse_note(data)


def test_a_note_has_100_signatures_at_most():
    note = parse_note(b"Text.\n\n" + LINE.encode() * 100)
    assert len(note.signatures) == 100
    with pytest.raises(InvalidNoteError):
        Note(note.text, note.signatures + note.signatures[:1])


@pytest.mark.parametrize("text", ["", "no newline", "a\x00\n", "a\r\n", "a\t\n", "\ud800\n"])
def test_texts_that_no_note_has_are_refused(text):
    with pytest.raises(InvalidNoteError):
        sign_text(text, "a", make_key(1))
    with pytest.raises(InvalidNoteError):
        Note(text, (Signature("a", bytes(4), b"value"),))


@pytest.mark.parametrize(
    "name", ["", "a b", "a\u00a0b", "a+b", "a\nb", "a\x00", "\udfff", "a\u2028"]
)
def test_names_that_no_key_has_are_refused(name):
    with pytest.raises(InvalidNoteError):
        sign_text("Text.\n", name, make_key(1))
    with pytest.raises(InvalidNoteError):
        Signature(name, bytes(4), b"value")


@pytest.mark.parametrize(
    "make",
    [
        lambda: VerifierKey("a", bytes(31)),
        lambda: VerifierKey("a", bytes(33)),
        lambda: VerifierKey("a", bytes(32), 0x02),
        lambda: VerifierKey("a", bytes(32), 0x101),
        lambda: Signature("a", bytes(3), b"value"),
        lambda: Signature("a", bytes(5), b"value"),
        lambda: Signature("a", bytes(4), b""),
        lambda: Note("Text.\n", ()),
    ],
)
def test_keys_and_signatures_of_other_shapes_are_refused(make):
    with pytest.raises(InvalidNoteError):
        make()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a+",
        "a+b",
        "a+b+c",
        "++",
        EXAMPLE_KEY + "+",
        EXAMPLE_KEY + "=",
        EXAMPLE_KEY + "\n",
        EXAMPLE_KEY.upper(),
        EXAMPLE_KEY.replace("530d903a", "530D903A"),
        EXAMPLE_KEY.replace("530d903a", "00000000"),
        EXAMPLE_KEY.replace("530d903a", "530d903"),
        EXAMPLE_KEY.replace("+530d903a", ""),
        # From the tests of Go: a key of another length, and a type that nobody knows, with ids.
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "\ud800+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "bananas.sigstore.dev+12344556",
        "rekor.sigstore.dev+12345678+THIS_IS_NOT_BASE64!",
        "rekor.sigstore.dev+12345678+AwEB",
    ],
)
def test_what_is_no_key_is_refused(text):
    with pytest.raises(InvalidNoteError):
        parse_verifier_key(text)


def test_every_part_of_a_key_is_refused():
    for start in range(len(PETER)):
        for end in range(start + 1, len(PETER) + 1):
            if (start, end) != (0, len(PETER)):
                with pytest.raises(InvalidNoteError):
                    parse_verifier_key(PETER[start:end])


# -- any note -------------------------------------------------------------------------------------


@given(notes)
def test_a_note_is_what_its_bytes_say(note):
    assert parse_note(render_note(note)) == note


@given(keys)
def test_a_key_is_what_its_text_says(key):
    text = render_verifier_key(key)
    assert parse_verifier_key(text) == key
    assert Vkey(key.name, None, key.signature_type, key.public_key).serialize() == text


@given(texts, names, st.binary(min_size=32, max_size=32))
def test_what_is_signed_verifies(text, name, seed):
    private = Ed25519PrivateKey.from_private_bytes(seed)
    note = parse_note(render_note(Note(text, (sign_text(text, name, private),))))
    key = get_verifier_key(name, private)
    assert verify_note(note, [key]) == (key,)


@given(
    st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode(errors="replace"))
)
def test_bytes_are_a_note_in_its_one_spelling_or_refused(data):
    for whole in (data, b"Text.\n\n" + data, data + b"\n\n" + LINE.encode()):
        try:
            note = parse_note(whole)
        except InvalidNoteError:
            continue
        assert render_note(note) == whole


@given(st.text(max_size=40) | st.text("+=aA0 \n", max_size=40))
def test_texts_are_keys_and_base64_in_their_one_spelling_or_refused(text):
    try:
        assert render_base64(parse_base64(text)) == text
        assert render_verifier_key(parse_verifier_key(text)) == text
    except InvalidNoteError:
        return
