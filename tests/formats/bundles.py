"""Logs and bundles made from fixed keys and seeds: equal arguments, equal bytes."""

import hashlib
import importlib.util
import json
from pathlib import Path
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from caseflow.formats.bundle import (
    TAGS,
    Entry,
    Subject,
    disclose,
    make_bundle,
    render_any_record,
    render_bundle,
    sign_statement,
)
from caseflow.formats.checkpoint import (
    Checkpoint,
    cosign_checkpoint,
    open_checkpoint,
    sign_checkpoint,
)
from caseflow.formats.merkle import hash_leaf, nodes_over, read_range
from caseflow.formats.note import (
    COSIGNATURE_V1,
    Note,
    get_verifier_key,
    render_note,
    render_verifier_key,
)
from caseflow.formats.public_record import PublicRecord
from caseflow.formats.record import Record, commit_fields
from caseflow.formats.tiles import leaf_data
from caseflow.formats.verify import verify_bundle

ORIGINS = {"full": "caseflow.example/v1/log/full", "public": "caseflow.example/v1/log"}
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
WITNESS_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
WITNESS = "witness.example/w1"
TIME = 1_770_000_000
ROOT = Path(__file__).parents[2]


def id_of(what, number=0):
    return UUID(bytes=digest(what, number)[:16], version=4)


def digest(what, number):
    return hashlib.sha256(f"{what} {number}".encode()).digest()


CASE = id_of("case")
OTHER_CASE = id_of("case", 1)


def key_of(log, private_key=LOG_KEY):
    return get_verifier_key(ORIGINS[log], private_key)


def witness_key(private_key=WITNESS_KEY, name=WITNESS):
    return get_verifier_key(name, private_key, COSIGNATURE_V1)


class Log:
    """A log that grows by `add`, and gives bundles of what is in it."""

    def __init__(self, log="full", private_key=LOG_KEY):
        self.log = log
        self.private_key = private_key
        self.records = []
        self.fields = []

    def __len__(self):
        return len(self.records)

    def add(self, fields=None, *, case=CASE, own=None, **more):
        """Append the record of an event of a case, or of a public change, and return its index.

        own: the case that a public change is of, told under `case`.
        """
        index = len(self.records)
        if self.log == "full":
            fields = fields or {"type": "person.entered/1"}
        else:
            claim = {} if more.get("kind") == "withdrawn" else {"claim": {"type": "person.entered"}}
            public = {"case": str(own or case), **claim, **(fields or {})}
            called = {"called": {"case": str(case), "labels": {"en": "KZ-1"}}} if own else {}
            fields = {**called, "public": public, "inner": {"root": index}}
        make = self._make_record if self.log == "full" else self._make_public_record
        self.records.append(make(index, case, commit_fields(digest("seed", index), fields), more))
        self.fields.append(fields)
        return index

    def _make_record(self, index, case, commitments, more):
        versions = [r.version for r in self.records if r.case_id == case]
        given = {
            "event_id": id_of("event", index),
            "case_id": case,
            "version": max(versions, default=0) + 1,
            "recorded_at": (TIME + index) * 1_000_000,
            "partner_id": id_of("partner"),
            "commitments": commitments,
        }
        return Record(**given | more)

    def _make_public_record(self, index, case, commitments, more):
        given = {
            "sequence": index + 1,
            "entry_id": id_of("entry", index),
            "event_id": id_of("event", index),
            "kind": "published",
            "published_at": (TIME + index) * 1_000_000,
            "commitments": commitments,
        }
        return PublicRecord(**given | more)

    def read_node(self):
        tag = TAGS[self.log]
        return nodes_over(hash_leaf(leaf_data(tag, render_any_record(r))) for r in self.records)

    def head(self, size=None):
        size = len(self) if size is None else size
        root = read_range(size, self.read_node()).root
        return Checkpoint(ORIGINS[self.log], size, root)

    def checkpoint(self, size=None, *, witnesses=((WITNESS, WITNESS_KEY),)):
        """The signed checkpoint with the cosignatures of these witnesses."""
        head = self.head(size)
        lines = sign_checkpoint(head, self.private_key).signatures
        for name, key in witnesses:
            line = cosign_checkpoint(head, name=name, private_key=key, timestamp=TIME)
            lines = (*lines, line)
        note = sign_checkpoint(head, self.private_key)
        return render_note(Note(note.text, lines))

    def disclose(self, index, *, names=None):
        shown = [name for name in self.fields[index] if name != "inner"]
        shown = shown if names is None else names
        return disclose(digest("seed", index), self.fields[index], shown)

    def entry(self, index, *, names=None, gone=None, gone_with=None):
        fields = () if gone else self.disclose(index, names=names)
        record = self.records[index]
        return Entry(index=index, record=record, fields=fields, gone=gone, gone_with=gone_with)

    def indexes_of(self, case=CASE, size=None):
        """The indexes of the records of a case."""
        return [
            index
            for index in range(len(self) if size is None else size)
            if self.case_of(index) == str(case)
        ]

    def case_of(self, index):
        if self.log == "full":
            return str(self.records[index].case_id)
        fields = self.fields[index]
        return fields.get("called", fields["public"])["case"]

    def bundle(self, entries=None, *, case=CASE, size=None, witnesses=True, event_id=None, **more):
        """The bundle of a case, of all its records where no entries are given."""
        if entries is None:
            entries = [self.entry(index) for index in self.indexes_of(case, size)]
        keys = [witness_key()] if witnesses else []
        checkpoint = open_checkpoint(
            self.checkpoint(size), log_key=key_of(self.log, self.private_key), witness_keys=keys
        )
        return make_bundle(
            entries,
            log=self.log,
            checkpoint=checkpoint,
            subject=Subject(case, event_id),
            read_node=self.read_node(),
            key=key_of(self.log, self.private_key),
            sign=lambda statement: sign_statement(statement, self.private_key),
            **more,
        )

    def file(self, *args, **more):
        return render_bundle(self.bundle(*args, **more))


def twenty_events(log="full"):
    """A log of 24 records, 20 of them of the case, or told under it."""
    made = Log(log)
    for number in range(24):
        own = OTHER_CASE if log == "public" and number == 8 else None
        made.add(case=OTHER_CASE if number % 6 == 1 else CASE, own=own)
    return made


def erased(log):
    """What a bundle of the twenty events holds after the case was erased."""
    last = log.add(
        {"reason": "asked for", "type": "case.erased/1"}
        if log.log == "full"
        else {"takes_back": 23},
        **({} if log.log == "full" else {"kind": "withdrawn", "commitments": ()}),
    )
    indexes = log.indexes_of()
    gone = indexes[:-1] if log.log == "full" else indexes
    rest = [log.entry(index) for index in indexes if index not in gone]
    return [log.entry(index, gone="erased", gone_with=last) for index in gone] + rest


def load_script():
    """The separate verifier, loaded from its file."""
    path = ROOT / "tools" / "verify_bundle.py"
    spec = importlib.util.spec_from_file_location("verify_bundle", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = load_script()


def verify_twice(data, *, log="full", **more):
    """What the two verifiers say of a bundle, which is the same, as a JSON object."""
    found = verify_bundle(data, log_key=key_of(log), **more)
    told = json.loads(msgspec.json.encode(found))
    assert told == verify_apart(data, log_key=key_of(log), **more)
    assert SCRIPT.EXIT_CODES[told["status"]] == found.exit_code
    return told


def verify_apart(data, *, log_key, witness_keys=(), min_witnesses=0, older=None):
    """What the separate verifier says, as `caseflow.formats.verify.verify_bundle` is asked."""
    key = SCRIPT.read_key(render_verifier_key(log_key), 1)
    trusted = [SCRIPT.read_key(render_verifier_key(one), 4) for one in witness_keys]
    before = None if older is None else SCRIPT.open_older(older, key)
    return SCRIPT.verify(data, key, trusted, min_witnesses, before)
