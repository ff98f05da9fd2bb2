"""The one writer of a process: requests from many connections, gathered and committed together.

Promises:
- A request is answered only after the commit that holds its events; nothing is acknowledged before.
- One transaction per batch. A request that is refused fails alone; so does one that breaks. Only
  a database that cannot be used fails all of a batch.
- Requests see the log as it is under the counter's lock: what another process has written since is
  read first, and a request that was decided on an older version cannot exist.
- Requests for one case in one batch follow one another.
- The future of a request is never cancelled by the loss of a client.
- A commit that was not acknowledged is reported (`CommitUnknownError`); nothing is repeated.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Final

from eventsourcing.persistence import InterfaceError, OperationalError

from caseflow.domain.errors import CaseflowError, UnavailableError

from .case_cache import CaseCache
from .changes import CaseChanges
from .keys import KeyStore
from .ledger import Ledger
from .mapper import SealedMapper
from .publications import Publications
from .recorder import SqlApplicationRecorder
from .session import NO_HINTS, Hints, Job, MakeProjector, Session

MAX_BATCH: Final = 500

logger = logging.getLogger(__name__)


class _Request:
    def __init__(self, job: Job, hints: Hints) -> None:
        self.job = job
        self.hints = hints
        self.future: Future[Any] = Future()
        self.outcome: Any = None
        self.refusal: CaseflowError | None = None

    def settle(self) -> None:
        """Answer, once the batch has been committed."""
        if self.refusal is not None:
            self.future.set_exception(self.refusal)
        else:
            self.future.set_result(self.outcome)


class Writer:
    """Runs jobs in batches on one thread. `submit` may be called from any thread."""

    def __init__(
        self,
        recorder: SqlApplicationRecorder,
        mapper: SealedMapper,
        keys: KeyStore,
        make_projector: MakeProjector,
        ledger: Ledger,
        changes: CaseChanges | None = None,
    ) -> None:
        """ledger: told of what is hidden, before the commit that hides it.

        changes: told of what has changed, after each commit.
        """
        self._recorder = recorder
        self._mapper = mapper
        self._keys = keys
        self._make_projector = make_projector
        self._publications = Publications(keys)
        self._ledger = ledger
        self._changes = changes or CaseChanges()
        self._cases = CaseCache()
        self._queue: SimpleQueue[_Request | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._stopped = threading.Event()
        self._busy_since: float | None = None
        self.note_batch: Callable[[int, float], None] = lambda requests, seconds: None
        """Told of each batch, after its commit: how many requests, and how long it took."""
        # Nothing may come to stand behind the mark that ends the queue: nobody would answer it.
        self._door = threading.Lock()

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what was submitted and stop."""
        with self._door:
            self._stopped.set()
            self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()

    @property
    def is_running(self) -> bool:
        """Return whether requests are being written."""
        return self._thread.is_alive() and not self._stopped.is_set()

    def submit(self, job: Job, hints: Hints = NO_HINTS) -> "Future[Any]":
        """Return the future of what a job returns, resolved after its commit."""
        request = _Request(job, hints)
        with self._door:
            if self._stopped.is_set():
                raise UnavailableError("the service is stopping")
            self._queue.put(request)
        return request.future

    def _run(self) -> None:
        while True:
            batch, stopping = self._gather()
            if batch:
                self._busy_since = begun = time.monotonic()
                self._write(batch)
                self._busy_since = None
                self.note_batch(len(batch), time.monotonic() - begun)
            if stopping:
                return

    def _gather(self) -> tuple[list[_Request], bool]:
        """Wait for a request; return it with all that are waiting behind it."""
        batch: list[_Request] = []
        item = self._queue.get()
        while item is not None:
            # From here on nobody can cancel it: a client that hangs up undoes nothing.
            if item.future.set_running_or_notify_cancel():
                batch.append(item)
            if self._queue.empty() or len(batch) >= MAX_BATCH:
                return batch, False
            item = self._queue.get()
        return batch, True

    def is_stuck(self, seconds: float) -> bool:
        """Return whether one batch has been under way for so long."""
        since = self._busy_since
        return since is not None and time.monotonic() - since > seconds

    def _write(self, batch: Sequence[_Request]) -> None:
        """Write a batch; where it breaks, its requests one by one, so that one fails alone."""
        try:
            self._commit(batch)
        except Exception as error:
            if len(batch) == 1 or not _is_repeatable(error):
                logger.warning("a batch of %d failed: %s", len(batch), type(error).__name__)
                for request in batch:
                    request.future.set_exception(error)
                return
            for request in batch:
                self._write([request])
            return
        for request in batch:
            request.settle()

    def _commit(self, batch: Sequence[_Request]) -> None:
        opening = {request.hints.opens for request in batch if request.hints.opens is not None}
        if opening:
            self._keys.create_keys(opening)
        session: Session | None = None
        try:
            with self._recorder.append() as append:
                self._cases.catch_up(append.connection, append.head)
                projector = self._make_projector(append.connection, append.view_set)
                session = Session(
                    append,
                    self._mapper,
                    self._cases,
                    projector,
                    self._publications,
                    self._ledger,
                )
                session.prepare([request.hints for request in batch])
                for request in batch:
                    _run_job(request, session)
                session.flush()
                head = append.position
        except BaseException:
            if session is not None:
                self._cases.forget(session.touched)
            raise
        self._cases.advance(head)
        # Before anybody is answered: whoever reads then is to find what was written.
        self._changes.note(append.head, head, session.changed)


def _run_job(request: _Request, session: Session) -> None:
    """Run a job; a refusal is its own answer, anything else breaks the batch."""
    request.refusal = None
    before = session.count
    try:
        request.outcome = request.job(session)
    except CaseflowError as error:
        if session.count != before:
            raise RuntimeError("a request was refused after it had recorded events") from error
        request.refusal = error


def _is_repeatable(error: Exception) -> bool:
    """Return whether a batch that failed left nothing behind, and one of it may be to blame.

    An operational error is the database's own: each request alone would wait as long for the same.
    A commit that was not acknowledged is one too, and that batch may be stored.
    """
    return not isinstance(error, OperationalError | InterfaceError)
