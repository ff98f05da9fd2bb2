"""Who read what is restricted: a log that is only added to, written before the answer leaves.

It holds ids, times and kinds, and nothing of what was read.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final, Literal, NamedTuple
from uuid import UUID

from eventsourcing.persistence import PersistenceError
from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    String,
    Table,
    func,
    insert,
    select,
)

from caseflow.database import Uuid16, begin_read, begin_write, wrapped_errors
from caseflow.domain.errors import UnavailableError

from .partners import Caller
from .tables import metadata

Kind = Literal[
    "subject", "restricted", "private_note", "external_id", "possible_duplicates", "objection"
]
"""What was read: who the person is, an event for its author and a few, a note for the same, another
partner's own id, that a case resembles another, what somebody without a key objected to a case."""

# Any number, but the same in every process: holds off whoever else adds rows on PostgreSQL.
_LOCK: Final = 0x7265_6164

# Rows are never changed or removed: the database refuses it.
restricted_reads = Table(
    "restricted_reads",
    metadata,
    # 1, 2, 3 … without a hole, in commit order, so that who reads on from one misses none.
    Column(
        "position",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    # Microseconds since the Unix epoch.
    Column("read_at", BigInteger, nullable=False),
    # Who read, and with which key.
    Column("partner_id", Uuid16, nullable=False),
    Column("key_id", Uuid16, nullable=False),
    # What was read: of a case, of one event, or of an event that belongs to no case.
    Column("case_id", Uuid16, nullable=True),
    Column("event_id", Uuid16, nullable=True),
    Column("kind", String(24), nullable=False),
    Index("restricted_reads_case_idx", "case_id", "position"),
    Index("restricted_reads_partner_idx", "partner_id", "position"),
    Index("restricted_reads_read_at_idx", "read_at"),
)


class Read(NamedTuple):
    """Something restricted that an answer holds."""

    kind: Kind
    case_id: UUID | None
    event_id: UUID | None


class LoggedRead(Struct, frozen=True, kw_only=True):
    """An entry of the log. read_at: microseconds since the Unix epoch."""

    position: int
    read_at: int
    partner_id: UUID
    key_id: UUID
    case_id: UUID | None
    event_id: UUID | None
    kind: str


class ReadFilter(Struct, frozen=True, kw_only=True):
    """Which entries a list is about: those after a position, and of these those that match.

    since: microseconds since the Unix epoch, included.
    """

    after: int = 0
    limit: int = 50
    case_id: UUID | None = None
    partner_id: UUID | None = None
    since: int | None = None


class _Waiting(NamedTuple):
    caller: Caller
    reads: Sequence[Read]
    # Told that its reads are written, or that it is to write for all who wait.
    told: Future[Literal["written", "write"]]


class ReadLog:
    """Writes the log and reads it. Safe to use from several threads.

    Those who write at the same time share one transaction: on SQLite each would otherwise compete
    with all others, and with the writer of events, for the one lock there is.
    """

    def __init__(self, engine: Engine, clock: Callable[[], int]) -> None:
        """clock: microseconds since the Unix epoch."""
        self._engine = engine
        self._clock = clock
        self._waiting: list[_Waiting] = []
        self._lock = threading.Lock()
        self._is_writing = False

    def record(self, caller: Caller, reads: Sequence[Read]) -> None:
        """Return when the log holds these reads for good. Blocks.

        Raises UnavailableError where that could not be done: nothing may be disclosed then.
        """
        if not reads:
            return
        mine = _Waiting(caller, reads, Future())
        with self._lock:
            self._waiting.append(mine)
            if not self._is_writing:
                self._is_writing = True
                mine.told.set_result("write")
        try:
            if mine.told.result() == "write":
                self._write_waiting(mine)
        except PersistenceError as error:
            raise UnavailableError("what is read cannot be logged now") from error

    def _write_waiting(self, mine: _Waiting) -> None:
        """Write for all who wait; of those who came meanwhile, have the first do the same."""
        with self._lock:
            batch, self._waiting = self._waiting, []
        others = [waiting for waiting in batch if waiting is not mine]
        try:
            with wrapped_errors(), begin_write(self._engine) as connection:
                _append(connection, batch, self._clock())
        except BaseException as error:
            for waiting in others:
                waiting.told.set_exception(error)
            raise
        else:
            for waiting in others:
                waiting.told.set_result("written")
        finally:
            with self._lock:
                self._is_writing = bool(self._waiting)
                if self._waiting:
                    self._waiting[0].told.set_result("write")

    def list_reads(self, wanted: ReadFilter) -> list[LoggedRead]:
        """Return entries, oldest first."""
        with wrapped_errors(), begin_read(self._engine) as connection:
            return list_reads(connection, wanted)


def list_reads(connection: Connection, wanted: ReadFilter) -> list[LoggedRead]:
    """Return entries, oldest first."""
    columns = restricted_reads.c
    query = select(restricted_reads).where(columns.position > wanted.after)
    if wanted.case_id is not None:
        query = query.where(columns.case_id == wanted.case_id)
    if wanted.partner_id is not None:
        query = query.where(columns.partner_id == wanted.partner_id)
    if wanted.since is not None:
        query = query.where(columns.read_at >= wanted.since)
    rows = connection.execute(query.order_by(columns.position).limit(wanted.limit))
    return [LoggedRead(**row) for row in rows.mappings()]


def _append(connection: Connection, batch: Sequence[_Waiting], at: int) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    last = connection.scalar(select(func.coalesce(func.max(restricted_reads.c.position), 0)))
    told = ((waiting.caller, read) for waiting in batch for read in waiting.reads)
    rows = [
        {
            "position": position,
            "read_at": at,
            "partner_id": caller.partner_id,
            "key_id": caller.key_id,
            **read._asdict(),
        }
        for position, (caller, read) in enumerate(told, (last or 0) + 1)
    ]
    connection.execute(insert(restricted_reads), rows)
