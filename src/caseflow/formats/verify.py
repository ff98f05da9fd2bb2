"""Whether a bundle holds: what may be concluded of each event in it, offline.

`docs/bundle.md`, section "Verification", is what this follows; `tools/verify_bundle.py` follows it
a second time, without this code. Nothing in the file is believed that a key or a proof does not
vouch for, and the keys are the reader's.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

import msgspec

from caseflow.formats.bundle import (
    TAGS,
    Bundle,
    BundleEvent,
    InvalidBundleError,
    Line,
    LogName,
    Statement,
    TreeHead,
    hash_record,
    parse_bundle,
    parse_statement,
    render_any_record,
)
from caseflow.formats.checkpoint import (
    Checkpoint,
    Cosignature,
    open_checkpoint,
    parse_checkpoint,
    verify_cosignatures,
)
from caseflow.formats.merkle import hash_leaf, verify_consistency, verify_inclusion
from caseflow.formats.note import (
    COSIGNATURE_V1,
    ED25519,
    InvalidNoteError,
    Note,
    VerifierKey,
    index_keys,
    verify_note,
)
from caseflow.formats.public_record import CALLED, PUBLIC
from caseflow.formats.record import Record, verify_field
from caseflow.formats.tiles import leaf_data

Status = Literal["VERIFIED", "ERASED", "INCOMPLETE", "FAILED"]

VERIFIED: Final = "VERIFIED"
ERASED: Final = "ERASED"
INCOMPLETE: Final = "INCOMPLETE"
FAILED: Final = "FAILED"
EXIT_CODES: Final[Mapping[Status, int]] = {VERIFIED: 0, FAILED: 1, INCOMPLETE: 3}
ERASURE_TYPE: Final = "case.erased/1"

_TYPE: Final = ("type",)


class Finding(msgspec.Struct, frozen=True):
    """What was found of one record. id: of its event; type: as disclosed; None where not known."""

    index: int
    id: str | None
    type: str | None
    status: Status
    reason: str


class Witness(msgspec.Struct, frozen=True):
    """Who cosigned the checkpoint, when (seconds since 1970), and whether the reader trusts it."""

    name: str
    time: int
    trusted: bool


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of a bundle. remarks: on the file as a whole.

    Of a file that FAILED as a whole nothing else is told: nothing vouches for it.
    """

    status: Status
    remarks: tuple[str, ...]
    log: str | None = None
    origin: str | None = None
    size: int | None = None
    root: str | None = None
    case: str | None = None
    event: str | None = None
    witnesses: tuple[Witness, ...] = ()
    events: tuple[Finding, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 VERIFIED, 1 FAILED, 3 INCOMPLETE."""
        return EXIT_CODES[self.status]


class _Refuted(Exception):  # noqa: N818 - no error: an answer
    """The file as a whole fails, and why."""


class _Remark(NamedTuple):
    status: Status
    text: str


class _Checked(NamedTuple):
    """A bundle whose file-wide claims hold."""

    bundle: Bundle
    checkpoint: Checkpoint
    statement: Statement
    cosignatures: tuple[Cosignature, ...]


def verify_bundle(
    data: bytes,
    *,
    log_key: VerifierKey,
    witness_keys: Sequence[VerifierKey] = (),
    min_witnesses: int = 0,
    older: bytes | None = None,
) -> Report:
    """Return what may be concluded of a bundle, whatever the bytes are.

    log_key: of the log, from elsewhere; its name is the origin. witness_keys: those trusted;
    min_witnesses: how many of them must have cosigned, else INCOMPLETE. older: a bundle or a
    checkpoint of the same log that was kept, from which the log must have grown.
    Raises InvalidBundleError where the older file cannot be used, and InvalidNoteError for keys
    of other types.
    Source: docs/bundle.md, section "Verification".
    """
    # Keys of other types are refused, once and here.
    index_keys([log_key], ED25519)
    index_keys(witness_keys, COSIGNATURE_V1)
    before = None if older is None else _open_older(older, log_key)
    try:
        checked = _check_file(data, log_key)
    except _Refuted as refuted:
        return Report(status=FAILED, remarks=(str(refuted),))
    findings = _check_events(checked)
    trusted = set(witness_keys)
    remarks = [
        *_check_versions(checked),
        *_check_witnesses(checked, trusted, min_witnesses),
        *(() if before is None else _check_older(checked, before)),
    ]
    return _make_report(checked, findings, remarks, trusted)


# -- the file as a whole --------------------------------------------------------------------------


def _check_file(data: bytes, log_key: VerifierKey) -> _Checked:
    try:
        bundle = parse_bundle(data)
        checkpoint = parse_checkpoint(bundle.checkpoint.text)
        statement = parse_statement(bundle.statement.text)
    except (InvalidBundleError, InvalidNoteError):
        raise _Refuted("this is not a bundle in its one form") from None
    if bundle.key != log_key:
        raise _Refuted("the key of the log is not the one given")
    _check_signers(bundle.checkpoint, log_key, bundle.witnesses)
    if checkpoint.origin != log_key.name:
        raise _Refuted("the checkpoint is of another log")
    cosignatures = _check_cosignatures(bundle)
    _check_statement(bundle.statement, statement, checkpoint, log_key)
    _check_growth(bundle.consistency, statement)
    return _Checked(bundle, checkpoint, statement, cosignatures)


def _check_signers(note: Note, log_key: VerifierKey, witnesses: Sequence[VerifierKey]) -> None:
    signers = [(key.name, key.key_id) for key in (log_key, *witnesses)]
    if [(one.name, one.key_id) for one in note.signatures] != signers:
        raise _Refuted("the checkpoint is not signed by the log and the witnesses named, alone")
    try:
        verify_note(note, [log_key])
    except InvalidNoteError:
        raise _Refuted("the log did not sign the checkpoint") from None


def _check_cosignatures(bundle: Bundle) -> tuple[Cosignature, ...]:
    try:
        return verify_cosignatures(bundle.checkpoint, bundle.witnesses)
    except InvalidNoteError:
        raise _Refuted("a witness did not cosign the checkpoint") from None


def _check_statement(
    note: Note, statement: Statement, checkpoint: Checkpoint, log_key: VerifierKey
) -> None:
    try:
        if len(note.signatures) != 1 or verify_note(note, [log_key]) != (log_key,):
            raise _Refuted("the log did not sign the statement")
    except InvalidNoteError:
        raise _Refuted("the log did not sign the statement") from None
    if statement.origin != checkpoint.origin or statement.head != _head_of(checkpoint):
        raise _Refuted("the statement is not of this checkpoint")


def _check_growth(proof: Sequence[bytes], statement: Statement) -> None:
    since, head = statement.since, statement.head
    if since is None:
        holds = not proof
    else:
        holds = verify_consistency(
            proof,
            old_size=since.size,
            old_root=since.root,
            new_size=head.size,
            new_root=head.root,
        )
    if not holds:
        raise _Refuted("the proof of growth does not hold")


def _head_of(checkpoint: Checkpoint) -> TreeHead:
    return TreeHead(checkpoint.size, checkpoint.root)


# -- each event -----------------------------------------------------------------------------------


def _check_events(checked: _Checked) -> list[Finding]:
    """Return a finding for each line of the statement, and for what is in the file beside."""
    lines = {line.index: line for line in checked.statement.lines}
    events = {event.index: event for event in checked.bundle.events}
    faults = _find_faults(checked, lines, events)
    findings = {}
    # From the end: words go with a later record, which is found by then.
    for index in sorted(lines.keys() | events.keys(), reverse=True):
        line, event = lines.get(index), events.get(index)
        if event is None:
            reason = "the log says that it is of this case, and it is not in the file"
            if checked.statement.event_id is not None:
                reason = "the log says that it is of this event, and it is not in the file"
            findings[index] = Finding(index, None, None, INCOMPLETE, reason)
        elif line is None or index in faults:
            findings[index] = _found(event, FAILED, faults[index])
        else:
            findings[index] = _judge(checked.bundle.log, line, events, findings)
    return [findings[index] for index in sorted(findings)]


def _find_faults(
    checked: _Checked, lines: Mapping[int, Line], events: Mapping[int, BundleEvent]
) -> dict[int, str]:
    """Return what contradicts, by index: the first thing of each event."""
    faults: dict[int, str] = {}
    order = _Order(checked.statement)
    for index in sorted(lines.keys() | events.keys()):
        event = events.get(index)
        if event is None:
            order.skip()
            continue
        fault = _find_fault(checked, lines.get(index), event) or order.find_fault(event)
        if fault is not None:
            faults[index] = fault
    return faults


def _find_fault(checked: _Checked, line: Line | None, event: BundleEvent) -> str | None:
    """Return what is wrong with an event by itself."""
    if line is None:
        return "the log's statement does not name it"
    return _find_fault_of_record(checked, line, event) or _find_fault_of_fields(
        checked.statement, line, event
    )


def _find_fault_of_record(checked: _Checked, line: Line, event: BundleEvent) -> str | None:
    statement = checked.statement
    if hash_record(event.record) != line.record_hash:
        return "its record is not the one that the log's statement names"
    if not _is_placed(event, statement.case_id):
        return "its record is of another case or place"
    if not _is_about(event, statement):
        return "its record is of another event"
    if not _is_in_log(checked.bundle.log, event, statement.head):
        return "its proof does not lead to the root of the checkpoint"
    return None


def _find_fault_of_fields(statement: Statement, line: Line, event: BundleEvent) -> str | None:
    for one in event.fields:
        if not verify_field(event.record, one.path, one.value, one.salt):
            return f"the field {one.path[0]} is not what the log holds"
    if not _tells_of(event, str(statement.case_id)):
        return "what is disclosed of it is of another case"
    if event.fields and line.gone is not None:
        return f"it has fields, and the log says that they were {line.gone}"
    return None


def _is_placed(event: BundleEvent, case_id: UUID) -> bool:
    if isinstance(event.record, Record):
        return event.record.case_id == case_id
    return event.record.sequence == event.index + 1


def _is_about(event: BundleEvent, statement: Statement) -> bool:
    """Return whether a record has its place here: it is of the event asked for, or of its end."""
    if statement.event_id in (None, event.record.event_id):
        return True
    return any(
        line.gone_with == event.index and line.index != event.index for line in statement.lines
    )


def _is_in_log(log: LogName, event: BundleEvent, head: TreeHead) -> bool:
    leaf = hash_leaf(leaf_data(TAGS[log], render_any_record(event.record)))
    return verify_inclusion(
        event.proof, leaf_hash=leaf, index=event.index, size=head.size, root=head.root
    )


def _tells_of(event: BundleEvent, case_id: str) -> bool:
    """Return whether a public change says that it was told under a case, or nothing at all.

    What the case was called says nothing without the rest.
    """
    if isinstance(event.record, Record) or not event.fields:
        return True
    said = {one.path[0]: one.value for one in event.fields}
    told: object = _get_said(event, CALLED if CALLED in said else PUBLIC).get("case")
    return PUBLIC in said and told == case_id


def _get_said(event: BundleEvent, name: str) -> Mapping[str, Any]:
    value = next((one.value for one in event.fields if one.path == (name,)), None)
    return value if isinstance(value, dict) else {}


class _Order:
    """What must go on from record to record: versions of one case, and identifiers used once."""

    def __init__(self, statement: Statement) -> None:
        self._least = 1
        self._seen: set[UUID] = set()

    def skip(self) -> None:
        """Pass over a record that is not in the file: it has a version too."""
        self._least += 1

    def find_fault(self, event: BundleEvent) -> str | None:
        """Return what is wrong with an event after those before it."""
        record = event.record
        own_id = record.event_id if isinstance(record, Record) else record.entry_id
        if own_id in self._seen:
            return "it is there a second time"
        self._seen.add(own_id)
        if isinstance(record, Record):
            if record.version < self._least:
                return "its version does not come after that of the one before"
            self._least = record.version + 1
        return None


def _judge(
    log: LogName,
    line: Line,
    events: Mapping[int, BundleEvent],
    findings: Mapping[int, Finding],
) -> Finding:
    """Return what may be concluded of an event of which nothing contradicts."""
    event = events[line.index]
    count, total = len(event.fields), len(event.record.commitments)
    if count:
        return _found(event, VERIFIED, f"in the log; {count} of {total} fields disclosed")
    if line.gone is None or line.gone_with is None:
        return _found(event, INCOMPLETE, f"in the log; none of its {total} fields is disclosed")
    end = line.gone_with
    status = _judge_end(log, line, events, findings)
    if status == FAILED:
        return _found(event, FAILED, f"{end} is not what its words can have gone with")
    if status == INCOMPLETE:
        return _found(event, INCOMPLETE, f"{line.gone} with {end}, which this file does not prove")
    return _found(event, status, f"in the log; {line.gone} with {end}")


def _judge_end(
    log: LogName,
    line: Line,
    events: Mapping[int, BundleEvent],
    findings: Mapping[int, Finding],
) -> Status:
    """Return what an event is of which the log says that its words went with another record."""
    end = events.get(line.gone_with or 0)
    if log == "full":
        return _judge_erasure(line, end, findings)
    if end is None or (end.index != line.index and findings[end.index].status == FAILED):
        return INCOMPLETE
    if line.gone == "withdrawn":
        return VERIFIED if end.index > line.index else FAILED
    is_withdrawal = not isinstance(end.record, Record) and end.record.kind == "withdrawn"
    return ERASED if is_withdrawal else FAILED


def _judge_erasure(line: Line, end: BundleEvent | None, findings: Mapping[int, Finding]) -> Status:
    if line.gone != "erased" or line.gone_with == line.index:
        return FAILED
    if end is None or findings[end.index].status != VERIFIED:
        return INCOMPLETE
    found = _get_type(end)
    if found is None:
        return INCOMPLETE
    return ERASED if found == ERASURE_TYPE else FAILED


def _found(event: BundleEvent, status: Status, reason: str) -> Finding:
    # Of what fails nothing is repeated but which it is.
    told = None if status == FAILED else _get_type(event)
    return Finding(event.index, str(event.record.event_id), told, status, reason)


def _get_type(event: BundleEvent) -> str | None:
    """Return the type that is disclosed."""
    if isinstance(event.record, Record):
        value = next((one.value for one in event.fields if one.path == _TYPE), None)
    else:
        claim = _get_said(event, PUBLIC).get("claim")
        value = claim.get("type") if isinstance(claim, dict) else None
    return value if isinstance(value, str) else None


# -- beside the events ----------------------------------------------------------------------------


def _check_versions(checked: _Checked) -> Iterable[_Remark]:
    """Yield the hole in the versions of a case, where there is one that no line stands for."""
    bundle, statement = checked.bundle, checked.statement
    if bundle.log != "full" or statement.event_id is not None:
        return
    records = {event.index: event.record for event in bundle.events}
    for rank, line in enumerate(statement.lines, start=1):
        record = records.get(line.index)
        if isinstance(record, Record) and record.version > rank:
            text = f"the case has a version {rank} or later that is not named before {line.index}"
            yield _Remark(INCOMPLETE, text)
            return


def _check_witnesses(
    checked: _Checked, trusted: set[VerifierKey], wanted: int
) -> Iterable[_Remark]:
    count = sum(one.key in trusted for one in checked.cosignatures)
    if count < wanted:
        yield _Remark(INCOMPLETE, f"{count} of the {wanted} witnesses asked for cosigned")


class _Older(NamedTuple):
    """What an older file says that holds: a head, and where it is a bundle, the statement."""

    head: TreeHead
    statement: Statement | None


def _open_older(data: bytes, log_key: VerifierKey) -> _Older:
    if not data.startswith(b"{"):
        try:
            opened = open_checkpoint(data, log_key=log_key)
        except InvalidNoteError as error:
            raise InvalidBundleError("the older file is no checkpoint of this log") from error
        return _Older(_head_of(opened.checkpoint), None)
    try:
        checked = _check_file(data, log_key)
    except _Refuted as error:
        raise InvalidBundleError(f"the older file does not verify: {error}") from error
    if any(one.status == FAILED for one in _check_events(checked)):
        raise InvalidBundleError("the older file does not verify")
    return _Older(checked.statement.head, checked.statement)


def _check_older(checked: _Checked, older: _Older) -> Iterable[_Remark]:
    statement = checked.statement
    head, since = statement.head, statement.since
    if older.statement is not None:
        yield from _compare(checked.bundle.log, older.statement, statement)
    if older.head.size > head.size:
        yield _Remark(INCOMPLETE, f"the older file is of a greater size, {older.head.size}")
    elif older.head.size == head.size:
        if older.head.root != head.root:
            yield _Remark(FAILED, f"the log signed two roots for the size {head.size}")
    elif since is None or since.size != older.head.size:
        yield _Remark(INCOMPLETE, f"growth from the size {older.head.size} is not proved")
    elif since.root != older.head.root:
        yield _Remark(FAILED, f"the log signed two roots for the size {since.size}")
    else:
        yield _Remark(VERIFIED, f"the log grew from the size {since.size}")


def _compare(log: LogName, older: Statement, newer: Statement) -> Iterable[_Remark]:
    """Yield where two statements of one log contradict each other."""
    lines = {line.index: line for line in newer.lines}
    is_same = older.case_id == newer.case_id and older.event_id is newer.event_id is None
    for before in older.lines:
        now = lines.get(before.index)
        if now is None:
            if is_same and before.index < newer.head.size:
                # What the public was told of one case may be told of another by now.
                status: Status = FAILED if log == "full" else INCOMPLETE
                yield _Remark(status, f"{before.index} was of the case and is left out")
        elif now.record_hash != before.record_hash:
            yield _Remark(FAILED, f"{before.index} was another record")
        elif before.gone == "erased" and now.gone != "erased":
            yield _Remark(FAILED, f"{before.index} was erased and is not any more")


def _make_report(
    checked: _Checked,
    findings: Sequence[Finding],
    remarks: Sequence[_Remark],
    trusted: set[VerifierKey],
) -> Report:
    statement, root = checked.statement, checked.bundle.checkpoint.text.split("\n")[2]
    found = {finding.status for finding in findings} | {remark.status for remark in remarks}
    return Report(
        status=next((one for one in (FAILED, INCOMPLETE) if one in found), VERIFIED),
        remarks=tuple(remark.text for remark in remarks),
        log=checked.bundle.log,
        origin=statement.origin,
        size=statement.head.size,
        root=root,
        case=str(statement.case_id),
        event=None if statement.event_id is None else str(statement.event_id),
        witnesses=tuple(
            Witness(one.key.name, one.timestamp, one.key in trusted) for one in checked.cosignatures
        ),
        events=tuple(findings),
    )
