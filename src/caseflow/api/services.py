"""What the handlers work with: one value, made by the bootstrap and handed to `create_app`."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from hashlib import sha256
from threading import BoundedSemaphore
from typing import Any, Final
from uuid import UUID

import msgspec
from anyio import to_thread
from litestar import Request
from litestar.datastructures import State
from msgspec import Struct
from sqlalchemy import Connection

from caseflow.domain.breakdown import Breakdown, Piece
from caseflow.domain.case import Case
from caseflow.domain.errors import UnavailableError
from caseflow.domain.statistics import Share, Statistics
from caseflow.domain.vocabulary import Visibility
from caseflow.eventstore.application import Answer, Cases
from caseflow.eventstore.attempts import Attempt
from caseflow.eventstore.changes import CaseChanges
from caseflow.eventstore.disclosing import Discloser
from caseflow.eventstore.erasure import Erasures
from caseflow.eventstore.figures import Figures
from caseflow.eventstore.partners import Caller
from caseflow.eventstore.read_log import ReadLog
from caseflow.eventstore.reading import LogReader, Snapshot
from caseflow.eventstore.recorder import find_position_at
from caseflow.eventstore.subscription import LogWatcher
from caseflow.eventstore.writer import Writer
from caseflow.projections.partner.history import find_event, get_position, list_positions
from caseflow.projections.partner.status import find_version
from caseflow.projections.public.history import get_sequence
from caseflow.proof.publisher import Publisher
from caseflow.proof.served import ServedLog
from caseflow.proof.source import LogName
from caseflow.push.addresses import Network
from caseflow.push.webhooks import Webhooks

from .auth import Authenticator
from .bodies import read_body, require_json
from .caches import Cache
from .case_reads import CaseReads
from .conditional import Document
from .counting import Metrics
from .kept import KeptAnswers, may_keep
from .negotiation import choose_language
from .parameters import parse_idempotency_key
from .rate_limits import RateLimits
from .running import Running
from .settled import Settled
from .streams import Streams

MIN_POSITION_SECONDS: Final = 2.0
MAX_WAITING: Final = 8
MAX_AHEAD: Final = 1_000_000

AnyRequest = Request[object, object, State]


class CalendarDocument(Struct, frozen=True):
    """A calendar, and the claims that it tells of, in the shape in which reads are found."""

    document: Document
    reads: tuple[dict[str, Any], ...]


class Services(Struct, frozen=True, kw_only=True):
    """The rooms that a request may enter."""

    base_url: str
    name: str
    # Where people can write to; None where nobody said so.
    contact: str | None
    max_body_bytes: int
    cases: Cases
    figures: Figures
    clock: Callable[[], int]
    reader: LogReader
    writer: Writer
    watcher: LogWatcher
    authenticator: Authenticator
    rate_limits: RateLimits
    read_log: ReadLog
    erasures: Erasures
    # Does what is left to do of erasures; returns whether nothing is.
    finish_erasures: Callable[[], bool]
    changes: CaseChanges
    kept: KeptAnswers
    case_reads: CaseReads
    documents: Cache[Document]
    entries: Cache[bytes]
    numbers: Cache[bytes]
    # Of everyone whom the public may count, now.
    running_statistics: Running[Share, Statistics]
    running_breakdown: Running[Piece, Breakdown]
    calendars: Cache[CalendarDocument]
    discloser: Discloser
    logs: Mapping[LogName, ServedLog]
    # None where this process does not follow the logs.
    publisher: Publisher | None
    streams: Streams
    webhooks: Webhooks
    webhook_networks: Sequence[Network]
    # Where subscribers of feeds subscribe to news; None where there is no hub.
    websub_hub: str | None
    # Has what is to be delivered looked at; never blocks.
    wake_deliverer: Callable[[], None]
    # A secret of the deployment, by its name.
    read_secret: Callable[[str], bytes]
    # Connections for what is not in the log: short transactions.
    read: Callable[[], AbstractContextManager[Connection]]
    write: Callable[[], AbstractContextManager[Connection]]
    settled: Settled = msgspec.field(default_factory=Settled)
    metrics: Metrics = msgspec.field(default_factory=Metrics)
    # For those who wait for a position.
    places: BoundedSemaphore = msgspec.field(default_factory=lambda: BoundedSemaphore(MAX_WAITING))

    @contextmanager
    def snapshot(self, caller: Caller | None, min_position: int | None) -> Iterator[Snapshot]:
        """Yield a snapshot that has seen a position: of the log; without a key, of the public log.

        Raises UnavailableError when it has not come within two seconds; at once when it is far
        off, or when as many requests as may wait are waiting.
        """
        if min_position is not None:
            self._await_position(caller, min_position)
        with self.reader.snapshot() as snapshot:
            yield snapshot

    def _await_position(self, caller: Caller | None, min_position: int) -> None:
        head, seen = self._look(caller)
        if seen >= min_position:
            return
        if min_position - seen > MAX_AHEAD:
            raise UnavailableError("this position is far from being reached")
        # Whoever waits keeps a thread, and those who only ask need one as well.
        if not self.places.acquire(blocking=False):
            raise UnavailableError("too many requests are waiting for a position")
        try:
            self._wait_for_position(caller, min_position, head)
        finally:
            self.places.release()

    def _wait_for_position(self, caller: Caller | None, min_position: int, head: int) -> None:
        deadline = time.monotonic() + MIN_POSITION_SECONDS
        while (remaining := deadline - time.monotonic()) > 0:
            self.watcher.wait(head + 1, remaining)
            head, seen = self._look(caller)
            if seen >= min_position:
                return
        raise UnavailableError("this position has not been reached yet")

    def _look(self, caller: Caller | None) -> tuple[int, int]:
        """Return the end of the log, and the position that a caller sees."""
        with self.reader.snapshot() as snapshot:
            return snapshot.head.position, position_of(snapshot, caller)

    def keep(self, request: AnyRequest, snapshot: Snapshot, case_id: UUID | None = None) -> None:
        """Have the answer kept that is made of a snapshot, and of what the request asks for.

        case_id: the case that it tells of; None where it tells of more than one. Blocks.
        """
        self.changes.catch_up(snapshot.connection, snapshot.head.position)
        may_keep(request.scope, snapshot.head.position, case_id)

    def find_caller(self, request: AnyRequest) -> Caller | None:
        """Return who asks, None without a key. Raises UnauthenticatedError for a bad one."""
        return self.authenticator.find_caller(request)

    def require_key(self, request: AnyRequest, *scopes: str) -> Caller:
        """Return who asks, with these scopes. Blocks. Raises UnauthenticatedError without a key."""
        return self.authenticator.require(request, *scopes)

    async def require(self, request: AnyRequest, *scopes: str) -> Caller:
        """Return who asks, with these scopes; what blocks runs on a thread."""
        return await self.authenticator.require_async(request, *scopes)

    async def read_json(self, request: AnyRequest, *, empty: bytes | None = None) -> bytes:
        """Return the body of a request that says it is JSON, up to the limit.

        empty: what no body at all stands for; None where there must be one.
        """
        if empty is None or "content-type" in request.headers:
            require_json(request)
        body = await read_body(request, self.max_body_bytes)
        if not body and empty is not None:
            return empty
        require_json(request)
        return body

    def find_attempt(self, request: AnyRequest, caller: Caller, body: bytes) -> Attempt | None:
        """Return what marks a request that may come again, None without an idempotency key."""
        key = parse_idempotency_key(request)
        if key is None:
            return None
        # The language is part of the answer, and so of the request. The framework's URL would be
        # taken apart whole for two of its parts.
        path, query = request.scope["path"], request.scope["query_string"].decode()
        parts = (request.method, path, query, choose_language(request))
        return self.cases.attempt(caller, key, *parts, sha256(body).hexdigest())

    async def wait(self, future: "Future[Answer]") -> Answer:
        """Return the answer to a command. A client that goes away does not undo it."""
        return await self.settled.wait(future)

    async def find_position(self, case_id: UUID | None, event_id: UUID | None) -> int:
        """Return the position of an event, or of the last event of a case."""
        return await to_thread.run_sync(self._find_position, case_id, event_id)

    def _find_position(self, case_id: UUID | None, event_id: UUID | None) -> int:
        with self.reader.snapshot() as snapshot:
            where = snapshot.connection, snapshot.view_set
            placed = find_event(*where, event_id) if event_id else None
            case = find_version(*where, case_id) if case_id else None
        found = placed or case
        return found.position if found else 0

    def positions(self, snapshot: Snapshot, case_id: UUID) -> dict[UUID, int]:
        """Return the position of each event of a case."""
        return list_positions(snapshot.connection, snapshot.view_set, case_id)

    def position_of_version(self, snapshot: Snapshot, case: Case) -> int:
        """Return the position of a case's last event."""
        return get_position(snapshot.connection, snapshot.view_set, case.id, case.version)


def position_of(snapshot: Snapshot, caller: Caller | None, known_at: int | None = None) -> int:
    """Return the position that a caller sees, or saw: that of publication for the public."""
    if caller is None:
        return get_sequence(snapshot.connection, snapshot.view_set, known_at)
    if known_at is not None:
        return find_position_at(snapshot.connection, known_at)
    return snapshot.head.position


def audience_of(caller: Caller) -> Visibility:
    """Return what a caller may read beside its own."""
    return "restricted" if caller.reads_restricted else "partners"


def services_of(request: AnyRequest) -> Services:
    """Return the services that the application was made with."""
    services: Services = request.app.state.services
    return services
