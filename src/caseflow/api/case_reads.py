"""Where public cases stand, read for many who ask at once: in one query, on one thread.

A thread and a transaction for each reader would take several times as long as what they read.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from caseflow.domain.identifiers import as_uuid
from caseflow.eventstore.changes import CaseChanges
from caseflow.eventstore.reading import LogReader, Snapshot
from caseflow.projections.public.status import PublicCase, find_cases

from .kept import Messages
from .parameters import CODE

MAX_BATCH: Final = 200

Make: TypeAlias = Callable[[PublicCase, str, bool], Messages]

logger = logging.getLogger(__name__)


class FoundCase(NamedTuple):
    """The answer about a public case, and the position of the log at which it was read."""

    case_id: UUID
    answer: Messages
    position: int


class _Request(NamedTuple):
    name: UUID | str
    language: str
    takes_gzip: bool
    found: "asyncio.Future[FoundCase | None]"


class CaseReads:
    """Reads public cases in batches, for one event loop. The thread begins with the first."""

    def __init__(self, reader: LogReader, changes: CaseChanges, make: Make) -> None:
        """make: the answer about a case as it is now, in a language, compressed or not."""
        self._reader = reader
        self._make = make
        self._changes = changes
        self._queue: SimpleQueue[_Request | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    async def find(self, name: str, language: str, *, takes_gzip: bool) -> FoundCase | None:
        """Return the answer about a public case by its id or code, as it is now.

        None where there is none that is public under this name, whatever the reason.
        And where the database cannot be used: whoever reads it the usual way is told so.
        """
        wanted = name if CODE.fullmatch(name) else as_uuid(name)
        if wanted is None:
            return None
        future: asyncio.Future[FoundCase | None] = asyncio.get_running_loop().create_future()
        self._queue.put(_Request(wanted, language, takes_gzip, future))
        self._ensure_thread()
        return await future

    def _ensure_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="case-reads", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Let the thread end, when nobody asks any more."""
        self._queue.put(None)

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            while len(batch) < MAX_BATCH and not self._queue.empty():
                if (another := self._queue.get()) is None:
                    # Kept for the next round: these are still answered.
                    self._queue.put(None)
                    break
                batch.append(another)
            try:
                found = self._read(batch)
            except Exception as error:
                logger.warning("cases not read: %s", type(error).__name__)
                found = [None] * len(batch)
            # A loop that is closed has nobody left who waits.
            with suppress(RuntimeError):
                first.found.get_loop().call_soon_threadsafe(_settle, batch, found)

    def _read(self, batch: Sequence[_Request]) -> list[FoundCase | None]:
        with self._reader.snapshot() as snapshot:
            position = snapshot.head.position
            self._changes.catch_up(snapshot.connection, position)
            cases = _find(snapshot, {request.name for request in batch})
            return [
                FoundCase(case.case_id, self._make(case, r.language, r.takes_gzip), position)
                if (case := cases.get(r.name))
                else None
                for r in batch
            ]


def _find(snapshot: Snapshot, names: set[UUID | str]) -> dict[UUID | str, PublicCase]:
    found = find_cases(snapshot.connection, snapshot.view_set, names)
    return {case.case_id: case for case in found} | {case.code: case for case in found}


def _settle(batch: Sequence[_Request], found: Sequence[FoundCase | None]) -> None:
    for request, case in zip(batch, found, strict=True):
        # Whoever went away meanwhile has cancelled it.
        if not request.found.done():
            request.found.set_result(case)
