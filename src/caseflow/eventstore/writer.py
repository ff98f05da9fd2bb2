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
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Final, Protocol
from uuid import UUID

from eventsourcing.persistence import InterfaceError, OperationalError, Tracking
from sqlalchemy import Connection, select

from caseflow.domain.case import Case, decide, evolve
from caseflow.domain.commands import Command
from caseflow.domain.errors import CaseflowError, UnavailableError
from caseflow.domain.events import Event

from .attempts import Done, find_attempt, record_attempts
from .keys import KeyStore
from .mapper import SealedMapper
from .names import (
    Named,
    find_case_by_code,
    find_external_ids,
    record_case_codes,
    record_external_ids,
)
from .recorder import Append, SqlApplicationRecorder, list_events
from .tables import events as events_table

LOG_NAME: Final = "caseflow"
MAX_BATCH: Final = 500
CACHED_CASES: Final = 20_000

logger = logging.getLogger(__name__)


class Projector(Protocol):
    """What follows the log in the same transaction, one per batch."""

    def process_event(self, event: Event, case: Case, tracking: Tracking) -> None:
        """Take in one event and the case as it is after it, in log order; writes nothing yet."""

    def flush(self) -> None:
        """Write everything that was taken in."""


MakeProjector = Callable[[Connection, str], Projector]
"""Given the connection of the transaction and the live set of view tables."""


class Session:
    """What a request sees and does while its batch holds the end of the log."""

    def __init__(
        self, append: Append, mapper: SealedMapper, cases: "CaseCache", projector: Projector
    ) -> None:
        self.connection = append.connection
        self.at = append.recorded_at
        self.now = append.now
        self._append = append
        self._mapper = mapper
        self._cases = cases
        self._projector = projector
        self._events: list[Event] = []
        self._named: dict[bytes, Named] = {}
        self._codes: dict[str, UUID] = {}
        self._attempts: dict[bytes, Done] = {}

    def find_case(self, case_id: UUID) -> Case | None:
        """Return the case as it is now, what this batch did to it included."""
        case = self._cases.get(case_id)
        if case is None:
            stored = list_events(self.connection, case_id)
            case = Case.from_events(self._mapper.to_domain_events(stored))
            if case is not None:
                self._cases.put(case)
        return case

    def find_external_id(self, digest: bytes) -> Named | None:
        """Return what a partner's own id names."""
        named = self._named.get(digest)
        return named or find_external_ids(self.connection, [digest]).get(digest)

    def find_attempt(self, digest: bytes) -> Done | None:
        """Return what the request with an idempotency key led to."""
        return self._attempts.get(digest) or find_attempt(self.connection, digest)

    def find_case_at(self, case_id: UUID, version: int) -> Case | None:
        """Return a case as it was at a version; None where it can no longer be read."""
        case = self.find_case(case_id)
        if case is None or case.version == version:
            return case
        stored = list_events(self.connection, case_id, lte=version)
        earlier = [e for e in self._events if e.originator_id == case_id]
        events = [*self._mapper.to_domain_events(stored), *earlier]
        return Case.from_events(e for e in events if e.originator_version <= version)

    def has_code(self, code: str) -> bool:
        """Return whether a case has this code already."""
        return code in self._codes or find_case_by_code(self.connection, code) is not None

    def execute(self, command: Command) -> tuple[Event, Case, int]:
        """Decide a command; return its event, the case after it, and the event's position.

        Raises a CaseflowError where the command is refused; nothing has happened then.
        """
        case = self.find_case(command.case_id)
        event = decide(case, command, self.at, now=self.now)
        self._events.append(event)
        case = evolve(case, event)
        assert case is not None, "an event that was decided makes or changes a case"
        self._cases.put(case)
        position = self._append.head + len(self._events)
        self._projector.process_event(event, case, Tracking(LOG_NAME, position))
        return event, case, position

    def name(self, digest: bytes, named: Named) -> None:
        """Give what was recorded in this batch a partner's own id."""
        self._named[digest] = named

    def note_attempt(self, digest: bytes, done: Done) -> None:
        """Remember what a request with an idempotency key led to."""
        self._attempts[digest] = done

    def name_case(self, code: str, case_id: UUID) -> None:
        """Give a new case its code."""
        self._codes[code] = case_id

    @property
    def count(self) -> int:
        """Return how many events this batch has so far."""
        return len(self._events)

    @property
    def touched(self) -> set[UUID]:
        """Return the cases that have new events in this batch."""
        return {event.originator_id for event in self._events}

    def flush(self) -> None:
        """Write the events of this batch, what names them, and the views."""
        self._append.insert(self._mapper.to_stored_events(self._events))
        record_external_ids(self.connection, self._named)
        record_case_codes(self.connection, self._codes)
        record_attempts(self.connection, self._attempts)
        self._projector.flush()


Job = Callable[[Session], Any]


class _Request:
    def __init__(self, job: Job, opens: UUID | None) -> None:
        self.job = job
        self.opens = opens
        self.future: Future[Any] = Future()
        self.outcome: Any = None
        self.refusal: CaseflowError | None = None

    def settle(self) -> None:
        """Answer, once the batch has been committed."""
        if self.refusal is not None:
            self.future.set_exception(self.refusal)
        else:
            self.future.set_result(self.outcome)


class CaseCache:
    """Cases by id, the most recently used; valid up to the position that it was `caught_up` to."""

    def __init__(self, size: int = CACHED_CASES) -> None:
        self._size = size
        self._cases: OrderedDict[UUID, Case] = OrderedDict()
        self._position = 0

    def get(self, case_id: UUID) -> Case | None:
        """Return a case, or None where it has to be read."""
        case = self._cases.get(case_id)
        if case is not None:
            self._cases.move_to_end(case_id)
        return case

    def put(self, case: Case) -> None:
        """Keep a case."""
        self._cases[case.id] = case
        self._cases.move_to_end(case.id)
        if len(self._cases) > self._size:
            self._cases.popitem(last=False)

    def drop(self, case_ids: Iterable[UUID]) -> None:
        """Forget cases that may not be what the log says."""
        for case_id in case_ids:
            self._cases.pop(case_id, None)

    def catch_up(self, connection: Connection, head: int) -> None:
        """Forget the cases that others have changed since; head: the end of the log."""
        if self._position != head:
            changed = select(events_table.c.originator_id).where(
                events_table.c.position > self._position
            )
            if self._cases:
                self.drop(connection.scalars(changed))
            self._position = head

    def advance(self, head: int) -> None:
        """Note that this process wrote up to `head`, and nobody else in between."""
        self._position = head


class Writer:
    """Runs jobs in batches on one thread. `submit` may be called from any thread."""

    def __init__(
        self,
        recorder: SqlApplicationRecorder,
        mapper: SealedMapper,
        keys: KeyStore,
        make_projector: MakeProjector,
    ) -> None:
        self._recorder = recorder
        self._mapper = mapper
        self._keys = keys
        self._make_projector = make_projector
        self._cases = CaseCache()
        self._queue: SimpleQueue[_Request | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._stopped = threading.Event()
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

    def submit(self, job: Job, *, opens: UUID | None = None) -> "Future[Any]":
        """Return the future of what a job returns, resolved after its commit.

        opens: the case that the job is going to open, whose key is made before the log is locked.
        """
        request = _Request(job, opens)
        with self._door:
            if self._stopped.is_set():
                raise UnavailableError("the service is stopping")
            self._queue.put(request)
        return request.future

    def _run(self) -> None:
        while True:
            batch, stopping = self._gather()
            if batch:
                self._write(batch)
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
        opening = {request.opens for request in batch if request.opens is not None}
        if opening:
            self._keys.create_keys(opening)
        session: Session | None = None
        try:
            with self._recorder.append() as append:
                self._cases.catch_up(append.connection, append.head)
                projector = self._make_projector(append.connection, append.view_set)
                session = Session(append, self._mapper, self._cases, projector)
                for request in batch:
                    _run_job(request, session)
                session.flush()
                head = append.position
        except BaseException:
            if session is not None:
                self._cases.drop(session.touched)
            raise
        self._cases.advance(head)


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
