#!/usr/bin/env python3
"""Check a bundle of caseflow offline, with Python 3.11 and the package `cryptography` alone.

    python3 verify_bundle.py bundle.json --key 'example.org/v1/log+12345678+A…'

The key is the verifier key of the log, or a file that holds it; get it from somebody you trust,
not from whoever gave you the bundle. What the words of the answer mean stands in docs/bundle.md.
Exit status: 0 VERIFIED, 1 FAILED, 3 INCOMPLETE, 2 wrong usage.
"""

import argparse
import base64
import hashlib
import hmac
import json
import re
import sys
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

VERIFIED, ERASED, INCOMPLETE, FAILED = "VERIFIED", "ERASED", "INCOMPLETE", "FAILED"
EXIT_CODES = {VERIFIED: 0, FAILED: 1, INCOMPLETE: 3}
FORMAT = "caseflow/bundle/v1"
MAX_BYTES, MAX_RECORDS, MAX_INTEGER, MAX_SIZE = 64 * 2**20, 10_000, 2**53 - 1, 2**63 - 1
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
NUMBER = r"(?:0|[1-9][0-9]{0,18})"
TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
# What a record has, in each log, and how it looks.
RECORDS = {
    "full": {"event": UUID, "case": UUID, "partner": UUID, "version": int, "recorded_at": TIME},
    "public": {"event": UUID, "entry": UUID, "kind": "published|corrected|withdrawn",
               "sequence": int, "published_at": TIME},
}  # fmt: skip


class UnfitError(Exception):
    """The file does not have its one form."""


class RefutedError(Exception):
    """The file as a whole does not hold."""


def require(holds):
    if not holds:
        raise UnfitError


# -- the form: docs/bundle.md, "The file"; docs/record.md; docs/proof.md, "Signed notes" ----------


def canonical(value):
    """RFC 8785, for the values that occur: no fractions, ASCII names."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8")


def refuse(*_):
    raise UnfitError


def read_bundle(data):
    """Return the object of a bundle with all its texts read."""
    try:
        require(len(data) <= MAX_BYTES)
        bundle = json.loads(data.decode("utf-8"), parse_float=refuse, parse_constant=refuse)
        require(canonical(bundle) == data)
        return read_members(bundle)
    except (UnfitError, ValueError, RecursionError):
        raise RefutedError("this is not a bundle in its one form") from None


def members(value, *names):
    require(type(value) is dict and value.keys() == set(names))
    return [value[name] for name in names]


def texts(value):
    require(type(value) is list and all(type(one) is str for one in value))
    return value


def read_members(bundle):
    form, log, key, witnesses, checkpoint, statement, growth, events = members(
        bundle, "format", "log", "key", "witnesses", "checkpoint", "statement", "consistency",
        "events",
    )  # fmt: skip
    require(form == FORMAT and log in ("full", "public"))
    texts([key, checkpoint, statement])
    witnesses = [read_key(one, 4) for one in texts(witnesses)]
    require(len({one["public"] for one in witnesses}) == len(witnesses))
    require(type(events) is list and len(events) <= MAX_RECORDS)
    events = [read_event(log, one) for one in events]
    require(ascending(one["index"] for one in events))
    checkpoint, statement = read_note(checkpoint), read_note(statement)
    return {
        "log": log,
        "key": read_key(key, 1),
        "witnesses": witnesses,
        "checkpoint": checkpoint,
        "head": read_head(checkpoint["text"]),
        "statement": statement,
        "said": read_statement(statement["text"]),
        "consistency": [unbase64(one, 32) for one in texts(growth)],
        "events": {one["index"]: one for one in events},
    }


def ascending(values):
    return all(one < other for one, other in pairwise(values))


def unbase64(text, length=None):
    data = base64.b64decode(text.encode("ascii"), validate=True)
    require(base64.b64encode(data).decode() == text and length in (None, len(data)))
    return data


def read_key(text, kind):
    """A verifier key: name, key id, and base64 of the type and the public key."""
    found = re.fullmatch(r"([^\s+]+)\+([0-9a-f]{8})\+(.+)", text)
    require(found and clean(found[1]))
    material = unbase64(found[3], 33)
    key_id = hashlib.sha256(found[1].encode() + b"\n" + material).digest()[:4]
    require(material[0] == kind and key_id.hex() == found[2])
    return {"text": text, "name": found[1], "id": key_id, "public": material[1:]}


def clean(text):
    return not any(one < " " for one in text)


def read_note(whole):
    """A signed note: its text, and the name, key id and value of each signature line."""
    text, blank, rest = whole.rpartition("\n\n")
    require(len(whole.encode()) <= 1_000_000 and blank and rest.endswith("\n"))
    require(clean(text.replace("\n", "")))
    lines = rest[:-1].split("\n")
    require(len(lines) <= 100)
    found = [re.fullmatch(r"\u2014 ([^\s+]+) ([^ ]+)", line) for line in lines]
    require(all(one and clean(one[1]) for one in found))
    values = [unbase64(one[2]) for one in found]
    require(all(len(value) > 4 for value in values))
    signers = [(one[1], value[:4]) for one, value in zip(found, values, strict=True)]
    return {"text": text + "\n", "signers": signers, "values": [value[4:] for value in values]}


def read_head(text):
    """A checkpoint: origin, size and root; more lines would be allowed."""
    lines = text.split("\n")
    require(len(lines) >= 4 and all(lines[:-1]) and re.fullmatch(NUMBER, lines[1]))
    return {"origin": lines[0], **tree_head(lines[1], lines[2])}


def tree_head(size, root):
    head = {"size": int(size), "root": unbase64(root, 32)}
    require(head["size"] <= MAX_SIZE)
    return head


def read_statement(text):
    """What the log says there is: docs/bundle.md, "The statement"."""
    found = re.fullmatch(
        rf"{re.escape(FORMAT)}\n([^\n]+)\n({NUMBER})\n([^\n]+)\ncase ({UUID})\n"
        rf"(?:event ({UUID})\n)?(?:since ({NUMBER}) ([^\n ]+)\n)?"
        rf"((?:{NUMBER} [^\n]+\n){{1,{MAX_RECORDS}}})",
        text,
    )
    require(found)
    origin, size, root, case, event, since, since_root, rest = found.groups()
    lines = [read_line(line) for line in rest[:-1].split("\n")]
    said = {"origin": origin, "case": case, "event": event, **tree_head(size, root)}
    said["since"] = tree_head(since, since_root) if since else None
    said["lines"] = {line["index"]: line for line in lines}
    require(ascending(line["index"] for line in lines) and lines[-1]["index"] < said["size"])
    require(since is None or said["since"]["size"] <= said["size"])
    require(all(not line["gone"] or line["with"] in said["lines"] for line in lines))
    return said


def read_line(text):
    found = re.fullmatch(rf"({NUMBER}) ([^ ]+)(?: (withdrawn|erased) ({NUMBER}))?", text)
    require(found)
    end = int(found[4]) if found[3] else None
    require(end is None or end >= int(found[1]))
    return {"index": int(found[1]), "hash": unbase64(found[2], 32), "gone": found[3], "with": end}


def read_event(log, event):
    index, record, proof, fields = members(event, "index", "record", "proof", "fields")
    require(type(index) is int and 0 <= index <= MAX_INTEGER and type(fields) is list)
    fields = [read_field(log, one) for one in fields]
    require(ascending(canonical(one["path"]) for one in fields))
    proof = [unbase64(one, 32) for one in texts(proof)]
    return {
        "index": index,
        "record": read_record(log, record),
        "commitments": [unbase64(pad(one), 32) for one in record["commitments"]],
        "proof": proof,
        "fields": fields,
    }


def pad(text):
    """From base64url without padding to base64."""
    require("+" not in text and "/" not in text and "=" not in text)
    return text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)


def read_record(log, record):
    """A record: docs/record.md."""
    shapes = RECORDS[log]
    format_, commitments, *values = members(record, "format", "commitments", *shapes)
    require(type(format_) is int and format_ == 1 and len(texts(commitments)) <= 0xFFFF)
    require(ascending(unbase64(pad(one), 32) for one in commitments))
    for shape, value in zip(shapes.values(), values, strict=True):
        if shape is int:
            require(type(value) is int and 1 <= value <= MAX_INTEGER)
        else:
            require(type(value) is str and re.fullmatch(shape, value))
        if shape is TIME:
            require(datetime.fromisoformat(value).year >= 1970)
    return record


def read_field(log, field):
    path, value, salt = members(field, "path", "value", "salt")
    require(len(texts(path)) == 1 and type(salt) is str)
    require(log == "full" or (path in (["called"], ["public"]) and type(value) is dict))
    require_value(value, 64)
    return {"path": path, "value": value, "salt": unbase64(salt, 32)}


def require_value(value, depth):
    """JSON as in docs/record.md: bounded integers, ASCII names, at most 64 levels."""
    if type(value) is int:
        require(-MAX_INTEGER <= value <= MAX_INTEGER)
    if type(value) in (list, dict):
        require(depth > 0)
        names = value if type(value) is dict else ()
        require(all(name.isascii() for name in names))
        for one in value.values() if type(value) is dict else value:
            require_value(one, depth - 1)


# -- signatures and trees: docs/proof.md; RFC 9162, sections 2.1.3.2 and 2.1.4.2 ------------------


def is_signed(public, signature, message):
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def climb(place, last, proof, old, new):
    """Return the older and the newer root that a proof leads to; None where it does not fit."""
    for sibling in proof:
        if last == 0:
            return None
        if place & 1 or place == last:
            old, new = node(sibling, old), node(sibling, new)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            new = node(new, sibling)
        place, last = place >> 1, last >> 1
    return (old, new) if last == 0 else None


def is_included(log, event, head):
    entry = f"caseflow/{log}/v1\n".encode() + hashlib.sha256(canonical(event["record"])).digest()
    leaf = hashlib.sha256(b"\x00" + entry).digest()
    if event["index"] >= head["size"]:
        return False
    found = climb(event["index"], head["size"] - 1, event["proof"], leaf, leaf)
    return found is not None and found[1] == head["root"]


def has_grown(old, new, proof):
    if old["size"] == new["size"]:
        return not proof and old["root"] == new["root"]
    if old["size"] == 0:
        return not proof and old["root"] == hashlib.sha256().digest()
    if not proof:
        return False
    place, last, path = old["size"] - 1, new["size"] - 1, list(proof)
    if old["size"] & (old["size"] - 1) == 0:
        path.insert(0, old["root"])
    while place & 1:
        place, last = place >> 1, last >> 1
    return climb(place, last, path[1:], path[0], path[0]) == (old["root"], new["root"])


# -- the file as a whole: docs/bundle.md, "Verification" ------------------------------------------


def check_file(data, key):
    bundle = read_bundle(data)
    said, head, witnesses = bundle["said"], bundle["head"], bundle["witnesses"]
    if bundle["key"] != key:
        raise RefutedError("the key of the log is not the one given")
    signers = [(one["name"], one["id"]) for one in (key, *witnesses)]
    if bundle["checkpoint"]["signers"] != signers:
        raise RefutedError("the checkpoint is not signed by the log and the witnesses named, alone")
    text, (by_log, *by_witnesses) = bundle["checkpoint"]["text"], bundle["checkpoint"]["values"]
    if not is_signed(key["public"], by_log, text.encode()):
        raise RefutedError("the log did not sign the checkpoint")
    if head["origin"] != key["name"]:
        raise RefutedError("the checkpoint is of another log")
    bundle["times"] = [
        check_cosignature(witness, value, text)
        for witness, value in zip(witnesses, by_witnesses, strict=True)
    ]
    check_statement(bundle["statement"], key)
    if any(said[name] != head[name] for name in ("origin", "size", "root")):
        raise RefutedError("the statement is not of this checkpoint")
    since, proof = said["since"], bundle["consistency"]
    if not (has_grown(since, head, proof) if since else not proof):
        raise RefutedError("the proof of growth does not hold")
    return bundle


def check_cosignature(witness, value, text):
    time = int.from_bytes(value[:8], "big")
    message = f"cosignature/v1\ntime {time}\n{text}".encode()
    if time > MAX_SIZE or not is_signed(witness["public"], value[8:], message):
        raise RefutedError("a witness did not cosign the checkpoint")
    return time


def check_statement(note, key):
    is_by_log = note["signers"] == [(key["name"], key["id"])]
    if not (is_by_log and is_signed(key["public"], note["values"][0], note["text"].encode())):
        raise RefutedError("the log did not sign the statement")


# -- each event -----------------------------------------------------------------------------------


def check_events(bundle):
    lines, events = bundle["said"]["lines"], bundle["events"]
    faults, findings = find_faults(bundle), {}
    for index in sorted(lines.keys() | events.keys(), reverse=True):
        if index not in events:
            what = "event" if bundle["said"]["event"] else "case"
            reason = f"the log says that it is of this {what}, and it is not in the file"
            findings[index] = {"index": index, "id": None, "type": None, "status": INCOMPLETE,
                               "reason": reason}  # fmt: skip
            continue
        status, reason = FAILED, faults.get(index)
        if reason is None:
            status, reason = judge(bundle, lines[index], findings)
        findings[index] = {
            "index": index,
            "id": events[index]["record"]["event"],
            "type": None if status == FAILED else told_type(bundle["log"], events[index]),
            "status": status,
            "reason": reason,
        }
    return [findings[index] for index in sorted(findings)]


def find_faults(bundle):
    """What contradicts, by index. Versions rise, also over those that are not in the file."""
    lines, events = bundle["said"]["lines"], bundle["events"]
    faults, least, seen = {}, 1, set()
    for index in sorted(lines.keys() | events.keys()):
        if index not in events:
            least += 1
            continue
        record = events[index]["record"]
        fault = find_fault(bundle, lines.get(index), events[index])
        if fault is None and record.get("entry", record["event"]) in seen:
            fault = "it is there a second time"
        if fault is None:
            seen.add(record.get("entry", record["event"]))
            if record.get("version", least) < least:
                fault = "its version does not come after that of the one before"
            least = max(least, record.get("version", 0) + 1)
        if fault is not None:
            faults[index] = fault
    return faults


def find_fault(bundle, line, event):
    if line is None:
        return "the log's statement does not name it"
    return find_fault_of_record(bundle, line, event) or find_fault_of_fields(bundle, line, event)


def find_fault_of_record(bundle, line, event):
    said, record = bundle["said"], event["record"]
    if hashlib.sha256(canonical(record)).digest() != line["hash"]:
        return "its record is not the one that the log's statement names"
    if record.get("case", said["case"]) != said["case"] or (
        record.get("sequence", line["index"] + 1) != line["index"] + 1
    ):
        return "its record is of another case or place"
    others = (one for one in said["lines"].values() if one is not line)
    if said["event"] not in (None, record["event"]) and not any(
        one["with"] == line["index"] for one in others
    ):
        return "its record is of another event"
    if not is_included(bundle["log"], event, said):
        return "its proof does not lead to the root of the checkpoint"
    return None


def find_fault_of_fields(bundle, line, event):
    for field in event["fields"]:
        message = canonical([field["path"], field["value"]])
        if hmac.digest(field["salt"], message, "sha256") not in event["commitments"]:
            return f"the field {field['path'][0]} is not what the log holds"
    if bundle["log"] == "public" and event["fields"]:
        said = {field["path"][0]: field["value"] for field in event["fields"]}
        told = said.get("called", said.get("public", {}))
        # What the case was called says nothing without the rest.
        if "public" not in said or told.get("case") != bundle["said"]["case"]:
            return "what is disclosed of it is of another case"
    if event["fields"] and line["gone"]:
        return f"it has fields, and the log says that they were {line['gone']}"
    return None


def judge(bundle, line, findings):
    """Return the status of an event of which nothing contradicts, and the reason."""
    event = bundle["events"][line["index"]]
    count, total = len(event["fields"]), len(event["commitments"])
    if count:
        return VERIFIED, f"in the log; {count} of {total} fields disclosed"
    if not line["gone"]:
        return INCOMPLETE, f"in the log; none of its {total} fields is disclosed"
    status = judge_end(bundle, line, findings)
    if status == FAILED:
        return FAILED, f"{line['with']} is not what its words can have gone with"
    if status == INCOMPLETE:
        return INCOMPLETE, f"{line['gone']} with {line['with']}, which this file does not prove"
    return status, f"in the log; {line['gone']} with {line['with']}"


def judge_end(bundle, line, findings):
    is_itself = line["with"] == line["index"]
    end = bundle["events"].get(line["with"])
    status = VERIFIED if is_itself else findings[line["with"]]["status"]
    if bundle["log"] == "full":
        if line["gone"] != "erased" or is_itself:
            return FAILED
        told = told_type("full", end) if end else None
        if status != VERIFIED or told is None:
            return INCOMPLETE
        return ERASED if told == "case.erased/1" else FAILED
    if end is None or status == FAILED:
        return INCOMPLETE
    if line["gone"] == "withdrawn":
        return FAILED if is_itself else VERIFIED
    return ERASED if end["record"]["kind"] == "withdrawn" else FAILED


def told_type(log, event):
    fields = {field["path"][0]: field["value"] for field in event["fields"]}
    if log == "public":
        claim = fields.get("public", {}).get("claim")
        fields = claim if type(claim) is dict else {}
    found = fields.get("type")
    return found if type(found) is str else None


# -- beside the events ----------------------------------------------------------------------------


def check_versions(bundle):
    if bundle["log"] != "full" or bundle["said"]["event"]:
        return
    for rank, index in enumerate(bundle["said"]["lines"], start=1):
        event = bundle["events"].get(index)
        if event and event["record"]["version"] > rank:
            yield (
                INCOMPLETE,
                (f"the case has a version {rank} or later that is not named before {index}"),
            )
            return


def check_older(said, older):
    before, since = older.get("said"), said["since"]
    if before:
        yield from compare(older["log"], before, said)
    size = older["head"]["size"]
    if size > said["size"]:
        yield INCOMPLETE, f"the older file is of a greater size, {size}"
    elif size == said["size"]:
        if older["head"]["root"] != said["root"]:
            yield FAILED, f"the log signed two roots for the size {size}"
    elif since is None or since["size"] != size:
        yield INCOMPLETE, f"growth from the size {size} is not proved"
    elif since["root"] != older["head"]["root"]:
        yield FAILED, f"the log signed two roots for the size {size}"
    else:
        yield VERIFIED, f"the log grew from the size {size}"


def compare(log, before, said):
    is_same = before["case"] == said["case"] and before["event"] is said["event"] is None
    for index, old in before["lines"].items():
        new = said["lines"].get(index)
        if new is None:
            if is_same and index < said["size"]:
                # What the public was told of one case may be told of another by now.
                status = FAILED if log == "full" else INCOMPLETE
                yield status, f"{index} was of the case and is left out"
        elif new["hash"] != old["hash"]:
            yield FAILED, f"{index} was another record"
        elif old["gone"] == "erased" and new["gone"] != "erased":
            yield FAILED, f"{index} was erased and is not any more"


def open_older(data, key):
    """Return the head, and of a bundle what it says, of a file that verifies by itself."""
    if data.startswith(b"{"):
        bundle = check_file(data, key)
        if any(one["status"] == FAILED for one in check_events(bundle)):
            raise RefutedError("one of its events fails")
        return bundle
    note = read_note(data.decode("utf-8"))
    head, signer = read_head(note["text"]), (key["name"], key["id"])
    values = [v for s, v in zip(note["signers"], note["values"], strict=True) if s == signer]
    require(values and head["origin"] == key["name"])
    require(all(is_signed(key["public"], value, note["text"].encode()) for value in values))
    return {"head": head}


def verify(data, key, trusted=(), wanted=0, older=None):
    """Return the answer as one JSON object. key, trusted: as `read_key` gives them."""
    try:
        bundle = check_file(data, key)
    except RefutedError as refuted:
        return {"status": FAILED, "remarks": [str(refuted)], "log": None, "origin": None,
                "size": None, "root": None, "case": None, "event": None, "witnesses": [],
                "events": []}  # fmt: skip
    said, events = bundle["said"], check_events(bundle)
    remarks = list(check_versions(bundle))
    cosigned = [witness in trusted for witness in bundle["witnesses"]]
    if sum(cosigned) < wanted:
        text = f"{sum(cosigned)} of the {wanted} witnesses asked for cosigned"
        remarks.append((INCOMPLETE, text))
    if older is not None:
        remarks += check_older(said, older)
    found = {one["status"] for one in events} | {status for status, _ in remarks}
    return {
        "status": FAILED if FAILED in found else INCOMPLETE if INCOMPLETE in found else VERIFIED,
        "remarks": [text for _, text in remarks],
        "log": bundle["log"],
        "origin": said["origin"],
        "size": said["size"],
        "root": base64.b64encode(said["root"]).decode(),
        "case": said["case"],
        "event": said["event"],
        "witnesses": [
            {"name": one["name"], "time": time, "trusted": is_trusted}
            for one, time, is_trusted in zip(
                bundle["witnesses"], bundle["times"], cosigned, strict=True
            )
        ],
        "events": events,
    }


def show(report):
    """Print the answer for people, with nothing in it that could move a cursor."""
    lines = [f"{report['status']}  " + "; ".join(report["remarks"])]
    if report["case"]:
        lines.append(f"case {report['case']}, {report['origin']}, size {report['size']}")
    for one in report["witnesses"]:
        trust = "" if one["trusted"] else ", not one that you named"
        lines.append(f"cosigned by {one['name']} at {one['time']} s after 1970{trust}")
    for one in report["events"]:
        told = f"{one['id'] or '?'}  {one['type'] or ''}".rstrip()
        lines.append(f"{one['index']:>6}  {one['status']:<10}  {told}  ({one['reason']})")
    for line in lines:
        print("".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in line))


def main():
    parser = argparse.ArgumentParser(description="Check a bundle of caseflow offline.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--key", required=True, help="the log's verifier key, or a file with it")
    parser.add_argument("--witness", action="append", default=[], help="the same of a witness")
    parser.add_argument("--min-witnesses", type=int, help="how many are asked for; default all")
    parser.add_argument("--older", type=Path, help="an older bundle or checkpoint of the log")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args()
    try:
        key = read_key(read_text(asked.key), 1)
        trusted = [read_key(read_text(one), 4) for one in asked.witness]
        older = open_older(asked.older.read_bytes(), key) if asked.older else None
        data = asked.file.read_bytes()
    except (UnfitError, RefutedError, ValueError, OSError) as error:
        parser.error(f"a key or a file cannot be used: {error or 'it has another form'}")
    wanted = len(trusted) if asked.min_witnesses is None else asked.min_witnesses
    report = verify(data, key, trusted, wanted, older)
    if asked.json:
        print(json.dumps(report, ensure_ascii=True))
    else:
        show(report)
    return EXIT_CODES[report["status"]]


def read_text(text_or_file):
    """A verifier key as it stands, or out of a file."""
    if "+" in text_or_file:
        return text_or_file
    return Path(text_or_file).read_text("utf-8").strip()


if __name__ == "__main__":
    sys.exit(main())
