"""The canonical record: its bytes, its commitments, and what it refuses."""

import base64
import hashlib
import hmac
import json
import re
from pathlib import Path
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from caseflow.formats.record import (
    MAX_INTEGER,
    InvalidRecordError,
    Record,
    canonical_json,
    commit_field,
    commit_fields,
    pack_body,
    pack_record,
    parse_record,
    render_record,
    salt_of,
    unpack_record,
    verify_field,
)
from caseflow.formats.seal import pack_state, unpack_state, unseal

DOCUMENT = Path(__file__).parents[2] / "docs" / "record.md"
SEED = bytes(range(32))
FIELDS = {
    "type": "detention.apprehended",
    "occurred": "2024-04",
    "place": "Астана",
    "term_days": 40,
    "sources": [{"title": "A report", "language": "ru"}],
    "after": None,
}

names = st.text(st.characters(codec="ascii"), max_size=8)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
integers = st.integers(-MAX_INTEGER, MAX_INTEGER)
values = st.recursive(
    st.none() | st.booleans() | integers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
field_maps = st.dictionaries(names, values, max_size=8)
digests = st.binary(min_size=32, max_size=32)
records = st.builds(
    Record,
    event_id=st.uuids(),
    case_id=st.uuids(),
    version=st.integers(1, MAX_INTEGER),
    recorded_at=st.integers(0, 253_402_300_799_999_999),
    partner_id=st.uuids(),
    commitments=st.sets(digests, max_size=6).map(lambda found: tuple(sorted(found))),
)


def make_record(**changes):
    defaults = {
        "event_id": UUID(int=1),
        "case_id": UUID(int=2),
        "version": 3,
        "recorded_at": 1_770_000_000_000_001,
        "partner_id": UUID(int=4),
        "commitments": commit_fields(SEED, FIELDS),
    }
    return Record(**(defaults | changes))


@given(values)
def test_canonical_json_is_that_of_an_independent_encoder(value):
    assert canonical_json(value) == rfc8785.dumps(value)


@given(records)
def test_a_rendered_record_is_canonical_json_and_parses_back(record):
    rendered = render_record(record)
    assert rendered == rfc8785.dumps(json.loads(rendered))
    assert parse_record(rendered) == record


def test_a_record_has_these_members_and_no_others():
    one = bytes.fromhex("ff" * 32)
    record = make_record(commitments=(one,))
    assert json.loads(render_record(record)) == {
        "format": 1,
        "event": "00000000-0000-0000-0000-000000000001",
        "case": "00000000-0000-0000-0000-000000000002",
        "version": 3,
        "recorded_at": "2026-02-02T02:40:00.000001Z",
        "partner": "00000000-0000-0000-0000-000000000004",
        "commitments": ["_" * 42 + "8"],
    }


@pytest.mark.parametrize("recorded_at", [0, 1, 1_000_000, 253_402_300_799_999_999])
def test_times_have_six_fraction_digits(recorded_at):
    text = json.loads(render_record(make_record(recorded_at=recorded_at)))["recorded_at"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"{", b"{ "),
        (b'"version":3', b'"version":3.0'),
        (b'"version":3', b'"version":0'),
        (b'"version":3', b'"version":9007199254740992'),
        (b'"version":3', b'"version":"3"'),
        (b'"format":1', b'"format":2'),
        (b'"format":1', b'"format":1,"more":1'),
        (b'"format":1,', b""),
        (b'"format":1', b'"format":1,"format":1'),
        (b".000001Z", b".000001+00:00"),
        (b".000001Z", b".00001Z"),
        (b"T02:40", b" 02:40"),
        (b"2026-02-02", b"2026-02-30"),
        (b"0000-000000000001", b"0000000000000001"),
        (b"0000-000000000001", b"0000-00000000000G"),
        (b'commitments":["', b'commitments":["AAAA","'),
        (b'commitments":["', b'commitments":["A","'),
        (b"}", b"}\n"),
        (b"}", b""),
        (b"}", b"\xff}"),
    ],
)
def test_any_other_spelling_of_a_record_is_refused(old, new):
    rendered = render_record(make_record())
    assert rendered.count(old) >= 1
    with pytest.raises(InvalidRecordError):
        parse_record(rendered.replace(old, new, 1))


def test_padding_and_loose_bits_of_a_commitment_are_refused():
    rendered = render_record(make_record(commitments=(bytes(32),)))
    for text in ("A" * 43 + "=", "A" * 42 + "B", "A" * 42 + "/", "A" * 42 + "é"):
        with pytest.raises(InvalidRecordError):
            parse_record(rendered.replace(b"A" * 43, text.encode()))


def test_commitments_out_of_order_are_refused():
    rendered = json.loads(render_record(make_record()))
    rendered["commitments"].reverse()
    with pytest.raises(InvalidRecordError):
        parse_record(rfc8785.dumps(rendered))


def test_commitments_stand_in_the_order_of_their_bytes_not_of_their_text():
    low, high = bytes([0x00]) * 32, bytes([0xFB]) * 32  # "AAA…" and "-_v…": "-" sorts before "A"
    rendered = render_record(make_record(commitments=(low, high)))
    texts = json.loads(rendered)["commitments"]
    assert texts[0].startswith("AAA")
    assert texts != sorted(texts)
    assert parse_record(rendered).commitments == (low, high)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 0},
        {"version": MAX_INTEGER + 1},
        {"recorded_at": -1},
        {"recorded_at": 253_402_300_800_000_000},
        {"commitments": (bytes(31),)},
        {"commitments": (bytes(32), bytes(32))},
        {"commitments": (b"b" * 32, b"a" * 32)},
    ],
)
def test_a_record_that_could_not_be_rendered_is_not_made(changes):
    with pytest.raises(ValueError):  # noqa: PT011 - each of them says which member
        make_record(**changes)


@given(records, st.binary(max_size=8))
def test_the_packed_form_and_the_columns_give_the_same_canonical_bytes(record, rest):
    packed = pack_record(record)
    unpacked, consumed = unpack_record(
        packed + rest,
        case_id=record.case_id,
        version=record.version,
        recorded_at=record.recorded_at,
    )
    assert consumed == len(packed) == 35 + 32 * len(record.commitments)
    assert render_record(unpacked) == render_record(record)


def test_packed_bytes_that_end_early_or_have_another_format_are_refused():
    packed = pack_record(make_record())
    columns = {"case_id": UUID(int=2), "version": 3, "recorded_at": 0}
    for data in (b"", packed[:34], packed[:-1], b"\x02" + packed[1:]):
        with pytest.raises(InvalidRecordError):
            unpack_record(data, **columns)
    disordered = packed[:35] + packed[-32:] + packed[35:-32]
    with pytest.raises(InvalidRecordError):
        unpack_record(disordered, **columns)


def test_a_packed_body_needs_neither_version_nor_time():
    record = make_record()
    assert pack_body(UUID(int=1), UUID(int=4), record.commitments) == pack_record(record)
    with pytest.raises(ValueError, match="ascending"):
        pack_body(UUID(int=1), UUID(int=4), record.commitments[::-1])


@given(field_maps)
def test_commitments_are_what_the_format_says(fields):
    """Computed here anew from the words of docs/record.md, with the oracle's JSON."""
    paths = sorted(rfc8785.dumps([name]) for name in fields)
    stream = hashlib.shake_256(SEED).digest(32 * len(paths))
    expected = []
    for name, value in fields.items():
        place = paths.index(rfc8785.dumps([name]))
        salt = stream[32 * place : 32 * place + 32]
        message = rfc8785.dumps([[name], value])
        expected.append(hmac.new(salt, message, hashlib.sha256).digest())
        assert salt_of(SEED, [[one] for one in fields], [name]) == salt
        assert commit_field(salt, [name], value) == expected[-1]
    assert commit_fields(SEED, fields) == tuple(sorted(expected))


@given(field_maps)
def test_the_order_in_which_fields_are_told_changes_nothing(fields):
    assert commit_fields(SEED, dict(reversed(fields.items()))) == commit_fields(SEED, fields)


def test_salts_follow_the_bytes_of_the_paths_json_not_the_names():
    # '["a!"]' sorts before '["a"]', though the name "a" sorts before "a!".
    paths = [["a"], ["a!"]]
    assert salt_of(SEED, paths, ["a!"]) == hashlib.shake_256(SEED).digest(32)


def test_every_field_has_its_own_salt_and_every_event_other_commitments():
    paths = [[name] for name in FIELDS]
    assert len({salt_of(SEED, paths, path) for path in paths}) == len(FIELDS)
    assert not {*commit_fields(SEED, FIELDS)} & {*commit_fields(SEED[::-1], FIELDS)}


def test_a_disclosed_field_verifies_and_nothing_else_does():
    record = make_record()
    paths = [[name] for name in FIELDS]
    for name, value in FIELDS.items():
        assert verify_field(record, [name], value, salt_of(SEED, paths, [name]))
    salt = salt_of(SEED, paths, ["term_days"])
    assert verify_field(record, ("term_days",), 40, salt)
    for path, value, other in [
        (["term_days"], 41, salt),
        (["term_days"], "40", salt),
        (["term_days"], True, salt),
        (["term_days"], 40.0, salt),
        (["term"], 40, salt),
        (["term_days", "0"], 40, salt),
        (["term_days"], 40, salt_of(SEED, paths, ["place"])),
        (["term_days"], 40, salt[:31]),
        (["term_days"], 40, salt + b"\x00"),
    ]:
        assert not verify_field(record, path, value, other)


def test_a_salt_for_a_path_that_the_event_has_not_is_refused():
    with pytest.raises(ValueError, match="no field"):
        salt_of(SEED, [["a"]], ["b"])


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        MAX_INTEGER + 1,
        -MAX_INTEGER - 1,
        {"ключ": 1},
        {1: 1},
        {"inner": [1.5]},
        b"bytes",
        {1, 2},
        "\ud800",
        {"inner": "\udfff"},
        object(),
    ],
)
def test_values_without_a_canonical_form_are_refused(value):
    with pytest.raises(ValueError):  # noqa: PT011 - the reasons differ
        canonical_json(value)
    with pytest.raises(ValueError):  # noqa: PT011
        commit_fields(SEED, {"field": value})


@pytest.mark.parametrize("name", ["имя", 5])
def test_field_names_are_ascii_text(name):
    with pytest.raises(ValueError, match="ASCII"):
        commit_fields(SEED, {name: 1})


def test_a_refusal_does_not_quote_the_value():
    with pytest.raises(ValueError, match="surrogate") as refusal:
        canonical_json("Жилин \ud800")
    assert "Жилин" not in repr(refusal.value)
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__


def test_depth_has_a_bound_and_no_recursion_error():
    value = 1
    for _ in range(64):
        value = [value]
    assert canonical_json(value).startswith(b"[[")
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ValueError, match="deep"):
        canonical_json(value)


def test_seeds_and_salts_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="seed"):
        commit_fields(SEED[:16], FIELDS)
    with pytest.raises(ValueError, match="salt"):
        commit_field(SEED[:16], ["a"], 1)


def test_the_worked_example_of_the_documentation_holds():
    """Every value of docs/record.md, section "A worked example", follows from those before it."""
    example = dict(re.findall(r"^- (\w+):\n\n?  ```\w*\n  (.+?)\n  ```$", read_example(), re.M))
    fields = json.loads(example["fields"])
    seed, event = bytes.fromhex(example["seed"]), UUID(example["event"])
    paths = [[name] for name in fields]
    salts = {name: salt_of(seed, paths, [name]).hex() for name in fields}
    commitments = commit_fields(seed, fields)
    record = Record(
        event_id=event,
        case_id=UUID(example["case"]),
        version=int(example["version"]),
        recorded_at=int(example["recorded_at"]),
        partner_id=UUID(example["partner"]),
        commitments=commitments,
    )
    columns = {
        "case_id": record.case_id,
        "version": record.version,
        "recorded_at": record.recorded_at,
    }

    assert json.loads(example["salts"]) == salts
    assert canonical_json([["place"], fields["place"]]).decode() == example["message"]
    place = commit_field(bytes.fromhex(salts["place"]), ["place"], fields["place"])
    assert example["commitment"] == place.hex()
    assert place in commitments
    assert render_record(record).decode() == example["record"]
    assert hashlib.sha256(example["record"].encode()).hexdigest() == example["sha256"]
    assert pack_record(record).hex() == example["packed"]
    sealed = bytes.fromhex(example["sealed"])
    assert sealed[1:13].hex() == example["nonce"]
    # Opened, not made: DEFLATE leaves the compressor free, so other bytes may be as right.
    assert unseal(bytes.fromhex(example["key"]), event, sealed) == (seed, fields)
    assert unpack_state(pack_state(pack_record(record), sealed), **columns) == (record, sealed)


def read_example():
    return DOCUMENT.read_text(encoding="utf-8").partition("## A worked example")[2]


def test_commitments_are_base64url_without_padding():
    texts = json.loads(render_record(make_record()))["commitments"]
    assert [base64.urlsafe_b64decode(text + "=") for text in texts] == list(
        make_record().commitments
    )
