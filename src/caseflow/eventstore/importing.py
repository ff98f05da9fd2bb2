"""Importing lines: NDJSON in, one result for each line, whoever reads them and from wherever.

A line is `{"case": {…}}` or `{"event": {"case": "ext:<external_id>", …}}` and has an external id,
so that importing the same lines again changes nothing. A line that is rejected stops nothing.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from typing import IO, Any, Final, Literal, NamedTuple
from uuid import UUID

from caseflow.domain.errors import CaseflowError, InvalidInputError, UnreadableError
from caseflow.domain.vocabulary import AnyClaim
from caseflow.formats.json_input import REFUSED, convert_json, parse_json

from .application import Answer, Cases, Opening, Recorded
from .partners import Caller

MAX_LINE_BYTES: Final = 1_000_000
# Two of the writer's batches: while one is written, the next is gathered.
IN_FLIGHT: Final = 1_000
# Editors on Windows begin files with it; RFC 8259, section 8.1, lets a reader ignore it.
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class LineResult(NamedTuple):
    """What became of a line. line: its number, from 1; id: that of the case or of the event."""

    line: int
    result: Literal["created", "unchanged", "rejected"]
    id: UUID | None = None
    error: CaseflowError | None = None


_Pending = tuple[int, "Future[Answer] | CaseflowError", str]
"""A line's number, its answer to come or why it was refused at once, and its part's pointer."""


def import_lines(cases: Cases, caller: Caller, lines: Iterable[bytes]) -> Iterator[LineResult]:
    """Yield the result of each line, in the order of the lines; empty lines have none.

    A bounded number of lines is in flight, so that any number can pass. They are recorded in their
    order: a line may name what a line before it opens. A line of more than MAX_LINE_BYTES is
    rejected. Pointers of errors begin at the line's own object, `/event/occurred`.
    Raises UnreadableError where the lines end too early, after the results of those that came; and
    what breaks a commit, such as a lost database. Importing again is safe then.
    """
    pending: deque[_Pending] = deque()
    early_end: UnreadableError | None = None
    try:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            pending.append(_submit(cases, caller, number, line))
            while pending and (len(pending) >= IN_FLIGHT or _is_done(pending[0])):
                yield _settle(pending.popleft())
    except UnreadableError as error:
        # What came before is under way, and is waited for.
        early_end = error
    while pending:
        yield _settle(pending.popleft())
    if early_end is not None:
        raise early_end


def read_lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file, of each at most a byte more than an import takes."""
    while line := file.readline(MAX_LINE_BYTES + 1):
        yield line
        while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE_BYTES + 1)


def _submit(cases: Cases, caller: Caller, number: int, line: bytes) -> _Pending:
    kind = ""
    try:
        kind, part = _parse_line(number, line)
        if kind == "case":
            return number, _open_case(cases, caller, part), "/case"
        return number, _record_claim(cases, caller, part), "/event"
    except CaseflowError as error:
        return number, error, f"/{kind}" if kind else ""


def _parse_line(number: int, line: bytes) -> tuple[str, dict[str, Any]]:
    """Return which of the two kinds a line is, and its part. Raises a CaseflowError."""
    if len(line.removesuffix(b"\n")) > MAX_LINE_BYTES:
        raise InvalidInputError(f"a line has at most {MAX_LINE_BYTES} bytes")
    value = parse_json(line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line)
    if not isinstance(value, dict) or len(value) != 1 or not value.keys() <= {"case", "event"}:
        raise InvalidInputError('a line is an object with one member, "case" or "event"')
    ((kind, part),) = value.items()
    if not isinstance(part, dict):
        raise InvalidInputError(REFUSED, [(f"/{kind}", "must be object")])
    return kind, part


def _open_case(cases: Cases, caller: Caller, part: dict[str, Any]) -> "Future[Answer]":
    opening: Opening = convert_json(part, Opening)
    _require_external_id(opening.external_id)
    return cases.open_case(caller, opening, _case_id)


def _record_claim(cases: Cases, caller: Caller, part: dict[str, Any]) -> "Future[Answer]":
    case_name = part.pop("case", None)
    if not isinstance(case_name, str):
        raise InvalidInputError(REFUSED, [("/case", "is required: an id, or ext: and your own")])
    claim: AnyClaim = convert_json(part, AnyClaim)
    _require_external_id(claim.external_id)
    return cases.record_claim(caller, case_name, claim, _event_id)


def _require_external_id(external_id: str | None) -> None:
    if external_id is None:
        reason = "is required: without it, importing again would record this again"
        raise InvalidInputError(REFUSED, [("/external_id", reason)])


def _case_id(found: Recorded) -> UUID:
    return found.case.id


def _event_id(found: Recorded) -> UUID:
    return found.event_id


def _is_done(pending: _Pending) -> bool:
    _, answer, _ = pending
    return isinstance(answer, CaseflowError) or answer.done()


def _settle(pending: _Pending) -> LineResult:
    """Wait for the answer of a line."""
    number, answer, at = pending
    try:
        if isinstance(answer, CaseflowError):
            raise answer
        found = answer.result()
    except CaseflowError as error:
        return LineResult(number, "rejected", error=_at(error, at))
    return LineResult(number, "created" if found.created else "unchanged", found.rendered)


def _at(error: CaseflowError, at: str) -> CaseflowError:
    """Return an error whose pointers begin at the line, not at the part of it they are about."""
    if not isinstance(error, InvalidInputError) or not error.errors:
        return error
    return type(error)(error.detail, [(at + pointer, why) for pointer, why in error.errors])
