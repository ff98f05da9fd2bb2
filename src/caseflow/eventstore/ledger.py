"""The ledger: a file outside the databases that tells what was withdrawn or erased.

No backup holds it, so that a restored database can be told again what it has forgotten. It is only
ever added to, never cut: a file that the system makes append-only will do. A line is
{"at":"2026-02-10T12:00:00.000000Z","case":uuid,"event":uuid or null,"kind":"erasure"}.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal
from uuid import UUID

import msgspec

from caseflow.domain.errors import CaseflowError, InvalidDateError
from caseflow.domain.times import format_time, parse_time

from .files import OWNER_ONLY, sync_directory

# Ends a line that a crash has cut off: what is before it counts only if it is whole.
_MARK: Final = b"#torn"


class LedgerError(CaseflowError):
    """A line of the ledger that cannot be read, or one that could not be written whole."""


class LedgerLine(msgspec.Struct, frozen=True, kw_only=True):
    """A withdrawal or an erasure; at: microseconds since the Unix epoch.

    event_id: None where all of the case is meant.
    """

    at: int
    kind: Literal["withdrawal", "erasure"]
    case_id: UUID
    event_id: UUID | None


class _Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line as it stands in the file."""

    at: str
    case: UUID
    event: UUID | None
    kind: Literal["withdrawal", "erasure"]


_decoder: Final = msgspec.json.Decoder(_Written)


class Ledger:
    """A ledger file. Safe to use from several threads and processes, which need no lock.

    Durability: lines are on the disk when `append` returns. A crash may leave a line that tells of
    what was never committed; whoever applies it again hides too much rather than too little.
    """

    def __init__(self, path: Path) -> None:
        """Keep the path; the file is made by `create` or the first `append`, mode 0600."""
        self.path = path
        self._synced = False

    def create(self) -> None:
        """Make the file, empty, where there is none: one that is missing later was lost."""
        os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT, OWNER_ONLY))
        self._sync_directory()

    def append(self, lines: Iterable[LedgerLine]) -> None:
        """Add lines, in one write, and wait until they are on the disk.

        What a crash has left of a line before them is marked `#torn`, and they begin on a new one.
        Raises OSError, and LedgerError where the disk took a part of the lines only: what is told
        must not be committed then.
        """
        data = b"".join(_encode(line) for line in lines)
        if not data:
            return
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        descriptor = os.open(self.path, flags, OWNER_ONLY)
        try:
            if _is_torn(descriptor):
                data = _MARK + b"\n" + data
            if os.write(descriptor, data) != len(data):
                raise LedgerError(f"the ledger {self.path} could not be written whole")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._sync_directory()

    def _sync_directory(self) -> None:
        # Once for each process, whoever made the file: another may have died before it did this.
        if not self._synced:
            sync_directory(self.path.parent)
            self._synced = True

    def read(self) -> list[LedgerLine]:
        """Return the lines in the order of the file, each once; none where there is no file.

        The end of a line that was being written in a crash is left out. Raises OSError, and
        LedgerError for any other line that cannot be read: then nothing may be concluded.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        return list(dict.fromkeys(_list_lines(self.path, data)))


def read_ledgers(paths: Sequence[Path]) -> list[LedgerLine]:
    """Return the lines of several ledgers, one of each machine that serves, each line once.

    Raises what `Ledger.read` does.
    """
    return list(dict.fromkeys(line for path in paths for line in Ledger(path).read()))


def _list_lines(path: Path, data: bytes) -> Iterator[LedgerLine]:
    *texts, rest = data.split(b"\n")
    for number, text in enumerate(texts, start=1):
        try:
            yield _decode(text.removesuffix(_MARK))
        except (msgspec.DecodeError, InvalidDateError):
            if not text.endswith(_MARK):
                raise LedgerError(f"line {number} of the ledger {path} is damaged") from None
    # Behind the last line end there is nothing, or what a crash has left.
    with suppress(msgspec.DecodeError, InvalidDateError):
        yield _decode(rest)


def _is_torn(descriptor: int) -> bool:
    """Return whether a file ends in the middle of a line.

    While another process writes this may be a mistake: a mark alone on its line does no harm.
    """
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


def _encode(line: LedgerLine) -> bytes:
    written = _Written(format_time(line.at), line.case_id, line.event_id, line.kind)
    return msgspec.json.encode(written, order="deterministic") + b"\n"


def _decode(text: bytes) -> LedgerLine:
    found = _decoder.decode(text)
    return LedgerLine(
        at=parse_time(found.at), kind=found.kind, case_id=found.case, event_id=found.event
    )
