"""The bundle's bytes: one form, read back, and refused in every other."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st
from tlog_scales import signing, tlog

from caseflow.formats.bundle import (
    MAX_BUNDLE_BYTES,
    MAX_RECORDS,
    InvalidBundleError,
    Line,
    Statement,
    TreeHead,
    disclose,
    parse_bundle,
    parse_statement,
    render_bundle,
    render_statement,
    sign_statement,
)
from caseflow.formats.checkpoint import parse_checkpoint
from caseflow.formats.merkle import MAX_SIZE, InvalidTreeError
from caseflow.formats.note import (
    MAX_NOTE_BYTES,
    InvalidNoteError,
    get_verifier_key,
    render_note,
    render_verifier_key,
)
from caseflow.formats.record import commit_field
from tests.formats.bundles import (
    CASE,
    LOG_KEY,
    OTHER_CASE,
    WITNESS,
    Log,
    id_of,
    key_of,
    verify_twice,
    witness_key,
)

DATA = Path(__file__).parent / "data"
PAGE = Path(__file__).parents[2] / "docs" / "bundle.md"


def golden_full():
    """A case of three events among six, one of them shown in part, grown from four."""
    log = Log("full")
    for number in range(6):
        log.add(
            {"occurred": "2025-05", "place": "Алматы", "term_days": 40, "type": f"t.{number}/1"},
            case=CASE if number % 2 else OTHER_CASE,
        )
    entries = [log.entry(1), log.entry(3, names=["type", "occurred"]), log.entry(5)]
    return log.bundle(entries, since=4)


def golden_public():
    """A case of which one change was withdrawn."""
    log = Log("public")
    for number in range(4):
        log.add({"labels": {"ru": "М. М."}, "claim": {"type": f"t.{number}"}})
    log.add(
        {"labels": {"ru": "KZ-7Q3K-9F2M"}, "takes_back": 2},
        kind="withdrawn",
        event_id=id_of("event", 1),
    )
    entries = [log.entry(i) for i in range(5)]
    entries[1] = log.entry(1, gone="withdrawn", gone_with=4)
    return log.bundle(entries)


GOLDEN = {"full": golden_full, "public": golden_public}


@pytest.mark.parametrize("log", GOLDEN)
def test_the_golden_bundle_is_what_its_values_give(log):
    data = (DATA / f"bundle-{log}.json").read_bytes()
    bundle = GOLDEN[log]()
    assert render_bundle(bundle) == data
    assert parse_bundle(data) == bundle
    found = verify_twice(data, log=log, witness_keys=[witness_key()], min_witnesses=1)
    assert found["status"] == "VERIFIED"
    assert {one["status"] for one in found["events"]} == {"VERIFIED"}


@pytest.mark.parametrize("log", GOLDEN)
def test_the_file_is_canonical_json(log):
    data = render_bundle(GOLDEN[log]())
    assert rfc8785.dumps(json.loads(data)) == data


def test_only_the_fields_named_are_in_it():
    document = json.loads(render_bundle(golden_full()))
    assert [[one["path"] for one in event["fields"]] for event in document["events"]] == [
        [["occurred"], ["place"], ["term_days"], ["type"]],
        [["occurred"], ["type"]],
        [["occurred"], ["place"], ["term_days"], ["type"]],
    ]


def test_a_disclosed_field_opens_its_commitment():
    fields = {"a": 1, "a!": None, "b": [True]}
    shown = disclose(bytes(32), fields, ["b", "a", "a!", "b"])
    assert [one.path for one in shown] == [("a!",), ("a",), ("b",)]
    for one in shown:
        assert len(commit_field(one.salt, one.path, one.value)) == 32
    with pytest.raises(ValueError, match="no field"):
        disclose(bytes(32), fields, ["c"])


def test_cosignatures_of_witnesses_that_are_not_to_be_shown_are_left_out():
    bundle = golden_full()
    assert [one.name for one in bundle.checkpoint.signatures] == [key_of("full").name, WITNESS]
    log = Log()
    log.add()
    assert len(log.bundle(witnesses=False).checkpoint.signatures) == 1


def test_nothing_is_made_of_no_record_or_of_one_that_is_not_in_the_tree():
    log = Log()
    log.add()
    log.add()
    with pytest.raises(InvalidBundleError):
        log.bundle([])
    with pytest.raises(InvalidBundleError):
        log.bundle([log.entry(1)], size=1)
    with pytest.raises(InvalidTreeError):
        log.bundle(since=3)


# -- what is refused ------------------------------------------------------------------------------


def change(document, path, value):
    """Return a document with one value put in another's place; None takes it away."""
    document = json.loads(json.dumps(document))
    *way, last = path
    place = document
    for step in way:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return document


DOCUMENT = json.loads(render_bundle(golden_full()))
FIELD = DOCUMENT["events"][0]["fields"][0]
CHANGES = [
    (["format"], "caseflow/bundle/v2"),
    (["log"], "public"),
    (["log"], "other"),
    (["log"], ...),
    (["more"], 1),
    (["key"], DOCUMENT["witnesses"][0]),
    (["key"], DOCUMENT["key"].replace("+", "+0", 1)),
    (["key"], 1),
    (["witnesses"], [DOCUMENT["key"]]),
    (["witnesses"], DOCUMENT["witnesses"] * 2),
    (["checkpoint"], DOCUMENT["checkpoint"] + "\n"),
    (["checkpoint"], DOCUMENT["checkpoint"].replace("\n\n", "\n")),
    (["checkpoint"], "\ud800"),
    (["statement"], ""),
    (["consistency", 0], DOCUMENT["consistency"][0][:-4]),
    (["consistency", 0], 1),
    (["events"], {}),
    (["events", 0, "index"], 3),
    (["events", 0, "index"], -1),
    (["events", 0, "index"], 2**53),
    (["events", 0, "index"], 2**64),
    (["events", 0, "index"], 1.5),
    (["events", 0, "index"], True),
    (["events", 0, "record", "version"], 0),
    (["events", 0, "record", "version"], True),
    (["events", 0, "record", "recorded_at"], "2026-02-30T00:00:00.000000Z"),
    (["events", 0, "record", "recorded_at"], "1969-02-20T00:00:00.000000Z"),
    (["events", 0, "record", "recorded_at"], "2026-02-20T00:00:60.000000Z"),
    (["events", 0, "record", "case"], str(CASE).upper()),
    (["events", 0, "record", "commitments"], []),
    (["events", 0, "record", "commitments", 0], "_" * 43),
    (["events", 0, "record", "more"], 1),
    (["events", 0, "record"], None),
    (["events", 0, "proof", 0], DOCUMENT["events"][0]["proof"][0].replace("=", "")),
    (["events", 0, "proof"], None),
    (["events", 0, "state"], "erased"),
    (["events", 0, "fields"], [FIELD, FIELD]),
    (["events", 0, "fields"], DOCUMENT["events"][0]["fields"][::-1]),
    (["events", 0, "fields", 0, "path"], []),
    (["events", 0, "fields", 0, "path"], ["occurred", "year"]),
    (["events", 0, "fields", 0, "path"], "occurred"),
    (["events", 0, "fields", 0, "value"], 1.5),
    (["events", 0, "fields", 0, "value"], 2**53),
    (["events", 0, "fields", 0, "value"], 10**400),
    (["events", 0, "fields", 0, "value"], {"é": 1}),
    (["events", 0, "fields", 0, "value"], json.loads("[" * 65 + "]" * 65)),
    (["events", 0, "fields", 0, "salt"], ""),
    (["events", 0, "fields", 0, "salt"], 1),
]


@pytest.mark.parametrize(("path", "value"), CHANGES, ids=lambda one: str(one)[:40])
def test_what_is_no_bundle_is_refused(path, value):
    try:
        data = rfc8785.dumps(change(DOCUMENT, path, value))
    except Exception:  # what that encoder cannot write at all
        changed = change(DOCUMENT, path, value)
        data = json.dumps(changed, sort_keys=True, separators=(",", ":")).encode()
    if path == ["events", 0, "record", "commitments"]:
        # A record without commitments is one; it is another record.
        assert parse_bundle(data)
    else:
        with pytest.raises(InvalidBundleError):
            parse_bundle(data)
    assert verify_twice(data)["status"] == "FAILED"


@pytest.mark.parametrize(
    "spell",
    [
        lambda data: data + b"\n",
        lambda data: b" " + data,
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b":", b": ", 1),
        lambda data: json.dumps(json.loads(data), separators=(",", ":"), sort_keys=True).encode(),
        lambda data: data.replace(b'"index":1,', b'"index":1.0,'),
        lambda data: data.replace(b'"index":1,', b'"index":1e0,'),
        lambda data: data.replace(b'"index":1,', b'"index":1,"index":1,'),
        lambda data: data.replace(b'"value":40', b'"value":-0'),
        lambda data: data.decode().encode("utf-16"),
    ],
)
def test_there_is_one_spelling(spell):
    data = render_bundle(golden_full())
    assert spell(data) != data
    with pytest.raises(InvalidBundleError):
        parse_bundle(spell(data))
    assert verify_twice(spell(data))["status"] == "FAILED"


def test_values_may_be_as_deep_as_in_a_commitment():
    log = Log()
    log.add({"type": json.loads("[" * 64 + "]" * 64)})
    assert verify_twice(log.file())["status"] == "VERIFIED"


@given(st.binary(max_size=300))
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b'{"events":[{"fields":[{"value":' + b"[" * 100_000)
@example(b'"' + b"\xff" * 10)
@example(b"1" * 10_000)
def test_whatever_the_bytes_are_they_are_refused_in_one_way(data):
    with pytest.raises(InvalidBundleError):
        parse_bundle(data)
    assert verify_twice(data)["status"] == "FAILED"


@given(st.data())
def test_pieces_of_bundles_fail_and_raise_nothing_else(data):
    whole = render_bundle(golden_full())
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    put = data.draw(st.sampled_from([b"", b"[" * 2000, b"0", b'"', b"\x00", whole[:start]]))
    changed = whole[:start] + put + whole[end:]
    if changed != whole:
        with suppress(InvalidBundleError):
            parse_bundle(changed)
        assert verify_twice(changed)["status"] == "FAILED"


def test_a_file_that_is_too_large_is_not_read():
    with pytest.raises(InvalidBundleError, match="64 MiB"):
        parse_bundle(b" " * (MAX_BUNDLE_BYTES + 1))
    assert f"{MAX_BUNDLE_BYTES:,}" in PAGE.read_text("utf-8")


# -- the statement --------------------------------------------------------------------------------

hashes = st.binary(min_size=32, max_size=32)
origins = st.from_regex(r"[a-z0-9./-]{1,30}", fullmatch=True)


@st.composite
def statements(draw):
    size = draw(st.integers(1, MAX_SIZE))
    indexes = sorted(draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=6)))
    lines = []
    for index in indexes:
        gone = draw(st.sampled_from([None, "withdrawn", "erased"]))
        later = st.sampled_from([one for one in indexes if one >= index])
        lines.append(Line(index, draw(hashes), gone, draw(later) if gone else None))
    older = st.builds(TreeHead, st.integers(0, size), hashes)
    return Statement(
        origin=draw(origins),
        head=TreeHead(size, draw(hashes)),
        case_id=draw(st.uuids()),
        event_id=draw(st.none() | st.uuids()),
        since=draw(st.none() | older),
        lines=tuple(lines),
    )


@given(statements())
def test_a_statement_is_read_back_and_is_no_checkpoint(statement):
    text = render_statement(statement)
    assert parse_statement(text) == statement
    with pytest.raises(InvalidNoteError):
        parse_checkpoint(text)


@pytest.mark.parametrize("origin", ["caseflow/bundle/v1", "5", "caseflow.example/v1/log"])
@given(statement=statements())
def test_no_other_reader_takes_a_statement_for_a_checkpoint(statement, origin):
    """Whatever the log is called: a key of this name signs both."""
    values = {name: getattr(statement, name) for name in statement.__struct_fields__}
    note = sign_statement(Statement(**values | {"origin": origin}), LOG_KEY)
    vkey = render_verifier_key(get_verifier_key(origin, LOG_KEY))
    with pytest.raises(Exception):  # noqa: B017, PT011 - that reader's own, of several kinds
        tlog.Checkpoint.from_text(render_note(note).decode()).verify(signing.Vkey.from_string(vkey))


@pytest.mark.parametrize("origin", ["caseflow/bundle/v1", "5"])
def test_a_checkpoint_is_no_statement(origin):
    root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    text = f"{origin}\n5\n{root}\ncase {CASE}\n0 {root}\n"
    assert parse_checkpoint(text).extensions
    with pytest.raises(InvalidBundleError):
        parse_statement(text)


STATEMENT = render_statement(parse_statement(golden_full().statement.text))
HASH = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n6\n", "\n06\n"),
        ("\n6\n", "\n9223372036854775808\n"),
        ("\n6\n", "\n5\n"),
        ("\n6\n", "\n3\n"),
        ("case ", "event "),
        ("since 4", "since 7"),
        ("since 4", "since  4"),
        ("\n1 ", "\n01 "),
        ("\n1 ", "\n3 "),
        ("\n1 ", "\n٣ "),
        ("\n5 ", "\n5 =" + HASH),
        ("=\n5", "= erased 4\n5"),
        ("=\n5", "= erased 1\n5"),
        ("=\n5", "= hidden 5\n5"),
        ("=\n5", "= withdrawn\n5"),
        ("=\n5", "=\n\n5"),
        ("caseflow/", "Caseflow/"),
    ],
)
def test_what_is_no_statement_is_refused(old, new):
    changed = STATEMENT.replace(old, new, 1)
    assert changed != STATEMENT
    with pytest.raises(InvalidBundleError):
        parse_statement(changed)


def test_the_largest_statement_is_a_note():
    lines = tuple(
        Line(MAX_SIZE - 1 - number, bytes(32), "withdrawn", MAX_SIZE - 1)
        for number in reversed(range(MAX_RECORDS))
    )
    head = TreeHead(MAX_SIZE, bytes(32))
    statement = Statement(origin="a" * 255, head=head, case_id=CASE, lines=lines)
    note = sign_statement(statement, LOG_KEY)
    assert len(render_note(note)) < MAX_NOTE_BYTES
    assert parse_statement(note.text) == statement
    with pytest.raises(InvalidBundleError):
        Statement(
            origin="a",
            head=head,
            case_id=CASE,
            lines=(Line(0, bytes(32)), *lines),
        )
    longer = note.text.replace("\n9", f"\n0 {HASH}\n9", 2)
    with pytest.raises(InvalidBundleError):
        parse_statement(longer)


def test_values_of_other_shapes_are_no_bundle():
    bundle = golden_full()
    event = bundle.events[0]
    for wrong in (
        {"events": (event, event)},
        {"key": witness_key()},
        {"witnesses": (key_of("full"),)},
        {"log": "public"},
        {"consistency": (b"short",)},
    ):
        with pytest.raises(InvalidBundleError):
            type(bundle)(**{n: getattr(bundle, n) for n in bundle.__struct_fields__} | wrong)
