"""What may be concluded of a bundle; each answer is asked of two verifiers, which must agree."""

import json
import random
from functools import lru_cache

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import structs

from caseflow.formats import bundle as bundle_module
from caseflow.formats import checkpoint as checkpoint_module
from caseflow.formats import note as note_module
from caseflow.formats import verify as verify_module
from caseflow.formats.bundle import (
    InvalidBundleError,
    Line,
    Statement,
    TreeHead,
    parse_statement,
    render_bundle,
    render_statement,
    sign_statement,
)
from caseflow.formats.checkpoint import cosign_checkpoint, render_checkpoint
from caseflow.formats.note import (
    InvalidNoteError,
    Note,
    parse_note,
    render_verifier_key,
    sign_text,
)
from caseflow.formats.verify import verify_bundle
from tests.formats.bundles import (
    CASE,
    LOG_KEY,
    ORIGINS,
    OTHER_CASE,
    SCRIPT,
    TIME,
    WITNESS,
    WITNESS_KEY,
    Log,
    digest,
    erased,
    id_of,
    key_of,
    twenty_events,
    verify_apart,
    verify_twice,
    witness_key,
)

LOGS = ("full", "public")
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes([7] * 32))


def statuses(found):
    return [one["status"] for one in found["events"]]


def edit(data, change):
    """Return the file of a bundle's document after `change` of it."""
    document = json.loads(data)
    change(document)
    return rfc8785.dumps(document)


@pytest.fixture(params=LOGS)
def log(request):
    return twenty_events(request.param)


# -- what holds -----------------------------------------------------------------------------------


def test_every_event_of_a_bundle_is_verified(log):
    found = verify_twice(log.file(), log=log.log)
    assert found["status"] == "VERIFIED"
    assert [one["index"] for one in found["events"]] == log.indexes_of()
    assert statuses(found) == ["VERIFIED"] * 20
    assert found["case"] == str(CASE)
    assert found["origin"] == ORIGINS[log.log]
    assert found["size"] == 24
    assert all(one["type"].startswith("person.entered") for one in found["events"])


@pytest.mark.parametrize("size", range(1, 25))
def test_bundles_of_every_size_of_the_log_hold(log, size):
    """Each with its growth from every size before."""
    for since in range(size + 1):
        found = verify_twice(log.file(size=size, since=since), log=log.log)
        assert found["status"] == "VERIFIED"


def test_it_says_how_many_fields_are_disclosed():
    log = Log()
    log.add({"place": "Алматы", "type": "detention.apprehended/1", "basis": "border"})
    (event,) = verify_twice(log.file([log.entry(0, names=["type"])]))["events"]
    assert event["reason"] == "in the log; 1 of 3 fields disclosed"


def test_of_the_public_log_what_only_views_need_stays_hidden():
    log = twenty_events("public")
    (event, *_) = verify_twice(log.file(), log="public")["events"]
    assert event["reason"] == "in the log; 1 of 2 fields disclosed"
    assert b"inner" not in log.file()


def test_nothing_disclosed_is_incomplete(log):
    entries = [log.entry(index, names=() if index == 3 else None) for index in log.indexes_of()]
    found = verify_twice(log.file(entries), log=log.log)
    assert found["status"] == "INCOMPLETE"
    assert [e["index"] for e in found["events"] if e["status"] == "INCOMPLETE"] == [3]


@pytest.mark.parametrize("name", LOGS)
def test_a_bundle_of_one_event_is_complete_by_itself(name):
    log = twenty_events(name)
    data = log.file([log.entry(3)], event_id=id_of("event", 3))
    found = verify_twice(data, log=name)
    assert (found["status"], found["event"]) == ("VERIFIED", str(id_of("event", 3)))
    emptied = edit(data, lambda document: document["events"].clear())
    found = verify_twice(emptied, log=name)
    assert found["status"] == "INCOMPLETE"
    assert "of this event" in found["events"][0]["reason"]


def test_a_bundle_of_one_event_has_no_other(log):
    data = log.file([log.entry(3), log.entry(4)], event_id=id_of("event", 3))
    found = verify_twice(data, log=log.log)
    assert statuses(found) == ["VERIFIED", "FAILED"]
    assert found["events"][1]["reason"] == "its record is of another event"


# -- every bit ------------------------------------------------------------------------------------


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.fixture
def remembering(monkeypatch):
    """Lets what depends on its arguments alone be computed once: a bit changes one of them."""
    for module, names in (
        (bundle_module, ("parse_record", "parse_public_record", "parse_note", "render_note")),
        (bundle_module, ("render_any_record", "parse_base64", "render_base64")),
        (verify_module, ("hash_record", "render_any_record", "parse_statement")),
        (note_module, ("require_signature",)),
        (checkpoint_module, ("require_signature",)),
        (SCRIPT, ("is_signed", "node", "unbase64")),
    ):
        for name in names:
            remembered = lru_cache(maxsize=4096)(getattr(module, name))
            monkeypatch.setattr(module, name, remembered)


def test_every_changed_bit_of_a_bundle_of_the_full_log_fails(remembering):
    log = twenty_events()
    data, key = log.file(since=10), key_of("full")
    assert verify_bundle(data, log_key=key).status == "VERIFIED"
    for bit in range(len(data) * 8):
        found = verify_bundle(flipped(data, bit), log_key=key)
        assert found.status == "FAILED", bit


@pytest.mark.parametrize("name", LOGS)
def test_changed_bits_fail_for_both_verifiers(name, remembering):
    """A third of the bytes of what is there once and of the first event; of the others a sample."""
    log = twenty_events(name)
    data = log.file(since=10)
    first = data.index(b'{"fields"')
    second = data.index(b'{"fields"', first + 1)
    rest = data.index(b'],"format"')
    once = [*range(second), *range(rest, len(data))]
    chance = random.Random(name)
    bits = [byte * 8 + bit for byte in once[::3] for bit in range(8)]
    bits += chance.sample(range(second * 8, rest * 8), 1000)
    for bit in bits:
        changed = flipped(data, bit)
        assert verify_twice(changed, log=name)["status"] == "FAILED", bit


@pytest.mark.soak
@pytest.mark.parametrize("name", LOGS)
def test_every_changed_bit_fails_for_both_verifiers(name):
    log = twenty_events(name)
    for data in (log.file(since=10), log.file(erased(log))):
        for bit in range(len(data) * 8):
            assert verify_twice(flipped(data, bit), log=name)["status"] == "FAILED", bit


# -- what was left out or changed -----------------------------------------------------------------


def test_an_event_that_is_cut_out_is_missed(log):
    data = log.file()
    for place, index in enumerate(log.indexes_of()):
        found = verify_twice(edit(data, lambda d, at=place: d["events"].pop(at)), log=log.log)
        assert found["status"] == "INCOMPLETE"
        missed = [one for one in found["events"] if one["status"] != "VERIFIED"]
        assert [(one["index"], one["id"]) for one in missed] == [(index, None)]
        assert len(found["events"]) == 20


def test_no_events_at_all_are_incomplete(log):
    found = verify_twice(edit(log.file(), lambda d: d["events"].clear()), log=log.log)
    assert found["status"] == "INCOMPLETE"
    assert statuses(found) == ["INCOMPLETE"] * 20


def test_an_event_that_the_statement_does_not_name_fails(log):
    short = json.loads(log.file([log.entry(i) for i in log.indexes_of()[:-1]]))
    whole = json.loads(log.file())
    short["events"] = whole["events"]
    found = verify_twice(rfc8785.dumps(short), log=log.log)
    assert statuses(found) == ["VERIFIED"] * 19 + ["FAILED"]


@pytest.mark.parametrize("member", ["record", "proof", "fields"])
def test_what_is_swapped_between_two_events_fails(log, member):
    def swap(document):
        one, other = document["events"][2], document["events"][5]
        one[member], other[member] = other[member], one[member]

    found = verify_twice(edit(log.file(), swap), log=log.log)
    expected = ["VERIFIED"] * 20
    expected[2] = expected[5] = "FAILED"
    assert statuses(found) == expected


def test_swapped_salts_and_values_fail():
    log = Log()
    log.add({"place": "a", "authority": "b", "type": "x/1"})
    for member in ("salt", "value", "path"):

        def swap(document, member=member):
            one, other, _ = document["events"][0]["fields"]
            one[member], other[member] = other[member], one[member]
            document["events"][0]["fields"].sort(key=lambda field: field["path"])

        assert verify_twice(edit(log.file(), swap))["status"] == "FAILED"


def test_a_field_that_was_never_there_fails(log):
    other = twenty_events(log.log)
    said = {"type": "person.died/1"}
    other.fields[0] = said if log.log == "full" else {"public": {"case": str(CASE)} | said}
    entries = [other.entry(index) for index in other.indexes_of()]
    found = verify_twice(other.file(entries), log=log.log)
    assert statuses(found) == ["FAILED"] + ["VERIFIED"] * 19
    # Of what fails nothing is repeated.
    assert found["events"][0]["type"] is None


def test_a_second_event_at_one_index_is_no_bundle(log):
    def double(document):
        document["events"].insert(1, document["events"][0])

    assert verify_twice(edit(log.file(), double), log=log.log)["events"] == []


def test_an_event_that_is_in_the_log_twice_fails():
    for name, again in (
        ("full", {"event_id": id_of("event", 0)}),
        ("public", {"entry_id": id_of("entry", 0)}),
    ):
        log = Log(name)
        log.add()
        log.add(**again)
        found = verify_twice(log.file(), log=name)
        assert statuses(found) == ["VERIFIED", "FAILED"]
        assert found["events"][1]["reason"] == "it is there a second time"


def test_a_proof_of_another_size_fails(log):
    older = json.loads(log.file(size=20))
    data = edit(log.file(), lambda d: d["events"][0].update(proof=older["events"][0]["proof"]))
    assert statuses(verify_twice(data, log=log.log)) == ["FAILED"] + ["VERIFIED"] * 19


@pytest.mark.parametrize("name", LOGS)
def test_an_entry_of_the_other_log_is_none_of_this(name, monkeypatch):
    """The same records under the tag of the other log."""
    log = twenty_events(name)
    other = "public" if name == "full" else "full"
    monkeypatch.setitem(bundle_module.TAGS, name, f"caseflow/{other}/v1")
    data = log.file()
    monkeypatch.undo()
    assert statuses(verify_twice(data, log=name)) == ["FAILED"] * 20


def test_a_record_of_another_case_fails(log):
    entries = [log.entry(index) for index in (0, 1, 2)]
    found = verify_twice(log.file(entries), log=log.log)
    assert statuses(found) == ["VERIFIED", "FAILED", "VERIFIED"]


def test_versions_that_do_not_rise_fail():
    log = Log()
    for version in (1, 2, 2, 3):
        log.add(version=version)
    found = verify_twice(log.file())
    assert statuses(found) == ["VERIFIED", "VERIFIED", "FAILED", "VERIFIED"]


def test_a_version_that_the_statement_leaves_out_is_missed():
    """The service signed a lie; the records tell."""
    log = twenty_events()
    for left in log.indexes_of()[:-1]:
        entries = [log.entry(index) for index in log.indexes_of() if index != left]
        found = verify_twice(log.file(entries))
        assert found["status"] == "INCOMPLETE"
        assert statuses(found) == ["VERIFIED"] * 19
        assert "version" in found["remarks"][0]


@pytest.mark.parametrize("told", [None, 5, [], str(OTHER_CASE), str(CASE).upper()], ids=str)
def test_a_public_change_that_does_not_say_that_it_is_of_the_case_fails(told):
    log = Log("public")
    log.add({"case": told})
    assert statuses(verify_twice(log.file([log.entry(0)]), log="public")) == ["FAILED"]


def test_a_public_change_is_of_its_own_case_and_of_the_one_it_was_told_under():
    log = Log("public")
    log.add(own=OTHER_CASE)
    whole = verify_twice(log.file([log.entry(0)]), log="public")
    assert (statuses(whole), whole["events"][0]["reason"]) == (
        ["VERIFIED"],
        "in the log; 2 of 3 fields disclosed",
    )
    of_its_own = log.file([log.entry(0, names=["public"])], case=OTHER_CASE)
    assert statuses(verify_twice(of_its_own, log="public")) == ["VERIFIED"]
    for names in (["public"], ["called"]):
        found = verify_twice(log.file([log.entry(0, names=names)]), log="public")
        assert statuses(found) == ["FAILED"]
    of_neither = log.file([log.entry(0)], case=id_of("case", 3))
    assert statuses(verify_twice(of_neither, log="public")) == ["FAILED"]


def test_a_public_change_of_another_place_fails():
    log = Log("public")
    log.add(sequence=2)
    assert statuses(verify_twice(log.file(), log="public")) == ["FAILED"]


# -- keys, witnesses, statement -------------------------------------------------------------------


def test_another_key_fails_whatever_the_file_says(log):
    other = twenty_events(log.log)
    other.private_key = OTHER_KEY
    for found in (
        verify_twice(other.file(), log=log.log),
        verify_twice(
            edit(other.file(), lambda d: d.update(key=render_verifier_key(key_of(log.log)))),
            log=log.log,
        ),
    ):
        assert (found["status"], found["events"]) == ("FAILED", [])


def test_the_other_logs_key_fails():
    assert verify_twice(twenty_events("full").file(), log="public")["status"] == "FAILED"


def add_line(data, line):
    """Return the file with one more signature line at its checkpoint."""

    def change(document):
        note = parse_note(document["checkpoint"].encode())
        more = Note(note.text, (*note.signatures, line))
        document["checkpoint"] = bundle_module.render_note(more).decode()

    return edit(data, change)


def test_a_signature_by_nobody_named_fails(log):
    line = cosign_checkpoint(log.head(), name="b.example", private_key=OTHER_KEY, timestamp=TIME)
    found = verify_twice(add_line(log.file(), line), log=log.log)
    assert found["status"] == "FAILED"
    assert "alone" in found["remarks"][0]


def test_a_witness_named_that_did_not_sign_fails(log):
    data = edit(
        log.file(witnesses=False),
        lambda d: d["witnesses"].append(render_verifier_key(witness_key())),
    )
    assert verify_twice(data, log=log.log)["status"] == "FAILED"


def test_a_cosignature_of_an_older_head_fails(log):
    old = log.head(20)
    line = cosign_checkpoint(old, name=WITNESS, private_key=WITNESS_KEY, timestamp=TIME)
    data = add_line(log.file(witnesses=False), line)
    data = edit(data, lambda d: d["witnesses"].append(render_verifier_key(witness_key())))
    found = verify_twice(data, log=log.log)
    assert found["remarks"] == ["a witness did not cosign the checkpoint"]


def test_witnesses_count_where_the_reader_trusts_them(log):
    other = witness_key(OTHER_KEY, "other.example")
    for trusted, wanted, status in (
        ([], 0, "VERIFIED"),
        ([witness_key()], 1, "VERIFIED"),
        ([], 1, "INCOMPLETE"),
        ([other], 1, "INCOMPLETE"),
        ([witness_key(), other], 2, "INCOMPLETE"),
        ([witness_key(), other], 1, "VERIFIED"),
    ):
        found = verify_twice(log.file(), log=log.log, witness_keys=trusted, min_witnesses=wanted)
        assert found["status"] == status
        (witness,) = found["witnesses"]
        assert witness == {"name": WITNESS, "time": TIME, "trusted": witness_key() in trusted}


def with_statement(data, log, **more):
    """Return the file with a statement that says something else, signed by the log."""

    def change(document):
        old = parse_statement(parse_note(document["statement"].encode()).text)
        values = {name: getattr(old, name) for name in old.__struct_fields__}
        note = sign_statement(Statement(**values | more), LOG_KEY)
        document["statement"] = bundle_module.render_note(note).decode()

    return edit(data, change)


def test_a_statement_of_another_checkpoint_fails(log):
    older = parse_statement(log.bundle(size=23).statement.text)
    for more in (
        {"head": older.head},
        {"head": TreeHead(24, older.head.root)},
        {"origin": "elsewhere.example"},
    ):
        lines = parse_statement(log.bundle().statement.text).lines[:5]
        data = with_statement(log.file(), log, lines=lines, **more)
        found = verify_twice(data, log=log.log)
        assert (found["status"], found["events"]) == ("FAILED", [])


def test_a_checkpoint_of_another_origin_fails(log):
    """The log's key signed it, under its own name, with another name in the text."""
    head = structs.replace(log.head(), origin="elsewhere.example")
    old = parse_statement(log.bundle().statement.text)
    texts = {
        "checkpoint": render_checkpoint(head),
        "statement": render_statement(structs.replace(old, origin=head.origin)),
    }

    def change(document):
        for member, text in texts.items():
            note = Note(text, (sign_text(text, ORIGINS[log.log], LOG_KEY),))
            document[member] = bundle_module.render_note(note).decode()

    found = verify_twice(edit(log.file(witnesses=False), change), log=log.log)
    assert found["remarks"] == ["the checkpoint is of another log"]


def test_a_checkpoint_in_the_place_of_the_statement_fails(log):
    data = edit(log.file(), lambda d: d.update(statement=d["checkpoint"]))
    assert verify_twice(data, log=log.log)["remarks"] == ["this is not a bundle in its one form"]
    data = edit(log.file(), lambda d: d.update(checkpoint=d["statement"]))
    assert verify_twice(data, log=log.log)["remarks"] == ["this is not a bundle in its one form"]


def test_a_statement_of_another_case_fails(log):
    data = with_statement(log.file(), log, case_id=OTHER_CASE)
    assert set(statuses(verify_twice(data, log=log.log))) == {"FAILED"}


def test_another_record_in_the_statement_fails(log):
    lines = parse_statement(log.bundle().statement.text).lines
    lines = (Line(0, digest("other", 0)), *lines[1:])
    data = with_statement(log.file(), log, lines=lines)
    assert statuses(verify_twice(data, log=log.log)) == ["FAILED"] + ["VERIFIED"] * 19


def test_growth_that_is_not_proved_fails(log):
    since = TreeHead(10, log.head(10).root)
    for data in (
        edit(log.file(since=10), lambda d: d["consistency"].clear()),
        edit(log.file(), lambda d: d["consistency"].append("A" * 43 + "=")),
        with_statement(log.file(), log, since=since),
        with_statement(log.file(since=10), log, since=TreeHead(10, bytes(32))),
        with_statement(log.file(since=10), log, since=TreeHead(9, since.root)),
        with_statement(log.file(since=10), log, since=TreeHead(0, since.root)),
        with_statement(log.file(since=10), log, since=TreeHead(24, since.root)),
    ):
        found = verify_twice(data, log=log.log)
        assert found["remarks"] == ["the proof of growth does not hold"]


def test_keys_of_other_types_are_no_keys_of_logs():
    with pytest.raises(InvalidNoteError):
        verify_bundle(b"", log_key=witness_key())
    with pytest.raises(InvalidNoteError):
        verify_bundle(b"", log_key=key_of("full"), witness_keys=[key_of("full")])


# -- erased and withdrawn -------------------------------------------------------------------------


def test_after_an_erasure_the_same_positions_are_erased():
    log = twenty_events()
    before = log.indexes_of()
    found = verify_twice(log.file(erased(log)))
    assert found["status"] == "VERIFIED"
    assert [e["index"] for e in found["events"] if e["status"] == "ERASED"] == before
    assert [e["index"] for e in found["events"] if e["status"] == "VERIFIED"] == [24]
    # Another case of the log is what it was.
    assert set(statuses(verify_twice(log.file(case=OTHER_CASE)))) == {"VERIFIED"}


def test_after_an_erasure_the_public_positions_are_erased():
    log = twenty_events("public")
    before = log.indexes_of()
    found = verify_twice(log.file(erased(log)), log="public")
    assert found["status"] == "VERIFIED"
    assert [e["index"] for e in found["events"] if e["status"] == "ERASED"] == [*before, 24]


def test_without_the_erasure_itself_nothing_is_erased():
    log = twenty_events()
    entries = erased(log)
    for data in (
        edit(log.file(entries), lambda d: d["events"].pop()),
        edit(log.file(entries), lambda d: d["events"][-1]["fields"].clear()),
        edit(log.file(entries), lambda d: d["events"][-1]["fields"].pop()),
    ):
        found = verify_twice(data)
        assert found["status"] == "INCOMPLETE"
        assert set(statuses(found)) <= {"INCOMPLETE", "VERIFIED"}
        assert statuses(found)[:20] == ["INCOMPLETE"] * 20


@pytest.mark.parametrize("kind", ["withdrawn", "erased"])
def test_words_of_the_full_log_go_with_an_erasure_alone(kind):
    log = twenty_events()
    entries = [log.entry(index) for index in log.indexes_of()]
    entries[0] = log.entry(0, gone=kind, gone_with=23)
    assert statuses(verify_twice(log.file(entries)))[0] == "FAILED"
    entries[0] = log.entry(0, gone=kind, gone_with=0)
    assert statuses(verify_twice(log.file(entries)))[0] == "FAILED"


def test_fields_of_what_the_log_says_is_gone_fail(log):
    entries = erased(log)
    shown = structs.replace(entries[0], fields=log.disclose(entries[0].index))
    found = verify_twice(log.file([shown, *entries[1:]]), log=log.log)
    assert statuses(found)[0] == "FAILED"


def withdrawn_change():
    log = Log("public")
    log.add()
    log.add()
    log.add({"takes_back": 1}, kind="withdrawn", event_id=id_of("event", 0))
    return log, [log.entry(0, gone="withdrawn", gone_with=2), log.entry(1), log.entry(2)]


def test_withdrawn_words_are_explained_by_what_they_went_with():
    log, entries = withdrawn_change()
    found = verify_twice(log.file(entries), log="public")
    assert statuses(found) == ["VERIFIED"] * 3
    assert found["events"][0]["reason"] == "in the log; withdrawn with 2"
    missing = edit(log.file(entries), lambda d: d["events"].pop())
    assert statuses(verify_twice(missing, log="public")) == ["INCOMPLETE", "VERIFIED", "INCOMPLETE"]

    def spoil(document):
        document["events"][2]["proof"].clear()

    spoiled = edit(log.file(entries), spoil)
    assert statuses(verify_twice(spoiled, log="public")) == ["INCOMPLETE", "VERIFIED", "FAILED"]


def test_withdrawn_words_do_not_go_with_themselves():
    log, entries = withdrawn_change()
    entries[2] = log.entry(2, gone="withdrawn", gone_with=2)
    assert statuses(verify_twice(log.file(entries), log="public"))[2] == "FAILED"


def test_public_words_are_not_erased_without_a_withdrawal():
    log, entries = withdrawn_change()
    entries[0] = log.entry(0, gone="erased", gone_with=1)
    assert statuses(verify_twice(log.file(entries), log="public"))[0] == "FAILED"
    entries[0] = log.entry(0, gone="erased", gone_with=0)
    assert statuses(verify_twice(log.file(entries), log="public"))[0] == "FAILED"


def test_an_erased_event_is_shown_with_what_erased_it():
    log = twenty_events()
    entries = [one for one in erased(log) if one.index in (3, 24)]
    found = verify_twice(log.file(entries, event_id=id_of("event", 3)))
    assert statuses(found) == ["ERASED", "VERIFIED"]


# -- an older file --------------------------------------------------------------------------------


def test_a_log_grows_from_what_was_kept(log):
    for older in (log.checkpoint(12), log.file(size=12)):
        found = verify_twice(log.file(since=12), log=log.log, older=older)
        assert (found["status"], found["remarks"]) == (
            "VERIFIED",
            ["the log grew from the size 12"],
        )
        for newer in (log.file(), log.file(since=11), log.file(size=5)):
            assert verify_twice(newer, log=log.log, older=older)["status"] == "INCOMPLETE"
    assert verify_twice(log.file(), log=log.log, older=log.file())["status"] == "VERIFIED"


def rewritten(name):
    """The log as above, but for one record that was written anew behind the service's back."""
    log = twenty_events(name)
    log.records[4] = structs.replace(log.records[4], commitments=(digest("new", 4),))
    return log


@pytest.mark.parametrize("name", LOGS)
def test_a_record_that_was_rewritten_is_noticed(name):
    log, new = twenty_events(name), rewritten(name)
    entries = [new.entry(index, names=() if index == 4 else None) for index in new.indexes_of()]
    found = verify_twice(new.file(entries, since=12), log=name, older=log.file(size=12))
    assert found["status"] == "FAILED"
    assert found["remarks"] == ["4 was another record", "the log signed two roots for the size 12"]
    found = verify_twice(new.file(entries), log=name, older=log.file())
    assert "the log signed two roots for the size 24" in found["remarks"]
    # A bundle of the same log which says nothing of growth, of a record that both name.
    found = verify_twice(new.file(entries), log=name, older=log.file(size=12))
    assert (found["status"], found["remarks"][0]) == ("FAILED", "4 was another record")
    assert verify_twice(new.file(entries, since=12), log=name, older=log.checkpoint(12))[
        "remarks"
    ] == ["the log signed two roots for the size 12"]


def test_a_tail_that_was_rewritten_is_noticed(log):
    """Yesterday's backup, and on from there."""
    restored = twenty_events(log.log)
    del restored.records[20:], restored.fields[20:]
    for _ in range(8):
        restored.add({"type": "person.died/1"})
    found = verify_twice(restored.file(since=24), log=log.log, older=log.file())
    assert found["status"] == "FAILED"
    assert "the log signed two roots for the size 24" in found["remarks"]


def test_a_proof_of_growth_across_a_fork_does_not_exist(log):
    """The service says the old root, and cannot prove it."""
    new = rewritten(log.log)
    entries = [new.entry(index, names=() if index == 4 else None) for index in new.indexes_of()]
    lie = TreeHead(12, log.head(12).root)
    data = with_statement(new.file(entries, since=12), new, since=lie)
    found = verify_twice(data, log=log.log, older=log.file(size=12))
    assert found["remarks"] == ["the proof of growth does not hold"]


def test_what_a_newer_statement_leaves_out_is_noticed(log):
    entries = [log.entry(index) for index in log.indexes_of()[:-1]]
    found = verify_twice(log.file(entries), log=log.log, older=log.file())
    assert found["remarks"] == ["23 was of the case and is left out"]
    assert found["status"] == ("FAILED" if log.log == "full" else "INCOMPLETE")


def test_what_was_erased_stays_erased(log):
    older = log.file(erased(log))
    found = verify_twice(log.file(), log=log.log, older=older)
    assert found["status"] == "FAILED"
    assert "0 was erased and is not any more" in found["remarks"]


def test_bundles_of_a_case_and_of_an_event_are_compared_where_both_speak(log):
    one = log.file([log.entry(3)], event_id=id_of("event", 3))
    assert verify_twice(one, log=log.log, older=log.file())["status"] == "VERIFIED"
    assert verify_twice(log.file(), log=log.log, older=one)["status"] == "VERIFIED"
    other = log.file(case=OTHER_CASE)
    assert verify_twice(log.file(), log=log.log, older=other)["status"] == "VERIFIED"


@pytest.mark.parametrize("older", [b"", b"{}", b"nothing", "twenty", "forged"], ids=str)
def test_an_older_file_that_does_not_verify_is_not_used(log, older):
    data = log.file()
    if older == "twenty":
        older = twenty_events("public" if log.log == "full" else "full").checkpoint()
    if older == "forged":
        older = edit(data, lambda d: d["events"][3]["proof"].clear())
    with pytest.raises(InvalidBundleError):
        verify_bundle(data, log_key=key_of(log.log), older=older)
    with pytest.raises((SCRIPT.UnfitError, SCRIPT.RefutedError)):
        verify_apart(data, log_key=key_of(log.log), older=older)


# -- random corruption ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOGS)
def test_random_corruption_is_never_taken_for_truth(name):
    """Both say the same of it, whatever it is."""
    log = twenty_events(name)
    files = [json.loads(log.file(since=10)), json.loads(log.file(erased(log)))]
    chance = random.Random(f"corrupt {name}")
    for _ in range(300):
        document = json.loads(json.dumps(chance.choice(files)))
        before = rfc8785.dumps(document)
        for _ in range(chance.randint(1, 3)):
            corrupt(document, chance, files)
        data = rfc8785.dumps(document)
        found = verify_twice(data, log=name)
        if data != before:
            assert found["status"] != "VERIFIED" or is_harmless(document, files)


def corrupt(document, chance, files):
    """Drop, double, exchange or move some part of a document."""
    events = document["events"]
    other = chance.choice(chance.choice(files)["events"])
    way = chance.randrange(6)
    if way == 0 and events:
        events.pop(chance.randrange(len(events)))
    elif way == 1:
        events.insert(chance.randint(0, len(events)), json.loads(json.dumps(other)))
        events.sort(key=lambda event: event["index"])
    elif way == 2 and events:
        member = chance.choice(["record", "proof", "fields", "index"])
        chance.choice(events)[member] = json.loads(json.dumps(other[member]))
    elif way == 3 and events:
        some = chance.choice(events)
        some["fields"] = []
    elif way == 4:
        member = chance.choice(["checkpoint", "statement", "consistency", "witnesses", "key"])
        document[member] = chance.choice(files)[member]
    elif events:
        proof = chance.choice(events)["proof"]
        chance.shuffle(proof)


def is_harmless(document, files):
    """Nothing was changed in the end: the parts are those of one file."""
    return document in files


def test_the_report_is_made_of_what_was_signed(log):
    report = verify_bundle(log.file(), log_key=key_of(log.log))
    assert report.root == log.bundle().checkpoint.text.split("\n")[2]
    assert report.exit_code == 0
    assert render_bundle(log.bundle()) == log.file()
