"""The log in the database: the event-sourcing library's recorders on SQLAlchemy Core.

Promises, on SQLite and PostgreSQL alike:

- Order: positions are 1, 2, 3 … without a hole and in commit order. They come from the one row of
  `log_head`, locked from the start of an append to its commit; a rollback gives its positions back.
- Time: `recorded_at` is taken under that lock and grows from append to append.
- Durability: an append is on disk when the context manager has been left without an exception.
- Concurrency: any number of threads and processes may append and read; appends wait for each other.
- Retries: none are made here. `CommitUnknownError` says that only a look at the log can tell.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    Notification,
    OperationalError,
    ProcessRecorder,
    StoredEvent,
    Tracking,
    TrackingRecorder,
)
from sqlalchemy import Connection, Engine, bindparam, func, insert, select, update
from sqlalchemy import exc as sa_exc

from caseflow.database import (
    begin_read,
    begin_write,
    connect_for_writing,
    insert_into,
    wrapped_errors,
    write_rows,
)
from caseflow.domain.errors import CaseflowError
from caseflow.eventstore.subscription import CHANNEL, Announcements, LogSubscription, LogWatcher
from caseflow.eventstore.tables import events, log_head, tracking


class LogGapError(CaseflowError):
    """The log has a hole: something removed events or wrote past the recorder. Stop and alarm."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"the log continues at position {found} where {expected} should be")
        self.expected = expected
        self.found = found


class CommitUnknownError(OperationalError):
    """The database did not acknowledge the commit: all of the append is stored, or nothing."""


class Head(NamedTuple):
    """The end of the log: last position and its time (both 0 before any), and the live view set."""

    position: int
    recorded_at: int
    view_set: str
    frozen: bool


def now_microseconds() -> int:
    """Return the system's time in microseconds since the Unix epoch."""
    return time.time_ns() // 1000


class Append:
    """One transaction at the end of the log; nobody else can append until it is over."""

    def __init__(self, connection: Connection, head: Head, now: int) -> None:
        self.connection = connection
        """In the transaction, for what belongs to the same commit; the caller leaves that to us."""
        self.head = head.position
        """The last position before this append."""
        self.position = head.position
        """The last position including what was inserted here."""
        self.now = now
        """What the clock says, in microseconds: it may have been set back since the last append."""
        self.recorded_at = max(now, head.recorded_at + 1)
        """When the events of this append are recorded, in microseconds since the Unix epoch."""
        self.view_set = head.view_set
        """The set of view tables that is live during this append."""
        self.frozen = head.frozen
        """Whether publication is halted."""

    def freeze(self, frozen: bool) -> None:
        """Note with this append that publication is halted, or goes on."""
        self.connection.execute(update(log_head).values(frozen=frozen))

    def insert(self, stored_events: Sequence[StoredEvent]) -> list[int]:
        """Insert the events, in order, and return their positions; more may follow.

        Raises the database's integrity error when a version of an aggregate is taken; the whole
        append is lost then.
        """
        if not stored_events:
            return []
        positions = list(range(self.position + 1, self.position + 1 + len(stored_events)))
        rows = [
            _row(event, position, self.recorded_at)
            for event, position in zip(stored_events, positions, strict=True)
        ]
        write_rows(self.connection, insert_into(events), rows)
        self.position = positions[-1]
        self._move_head()
        return positions

    def _move_head(self) -> None:
        move = update(log_head).values(position=self.position, recorded_at=self.recorded_at)
        if self.connection.dialect.name == "postgresql":
            # Delivered by the commit, never before it; in the same statement to save a round trip.
            move = move.returning(func.pg_notify(CHANNEL, str(self.position)))
        self.connection.execute(move)


def _row(stored_event: StoredEvent, position: int, recorded_at: int) -> dict[str, Any]:
    return {
        "position": position,
        "originator_id": stored_event.originator_id,
        "originator_version": stored_event.originator_version,
        "topic": stored_event.topic,
        "recorded_at": recorded_at,
        "state": stored_event.state,
    }


def read_head(connection: Connection) -> Head:
    """Return the end of the log as this connection's transaction sees it."""
    return Head(*connection.execute(_HEAD).one())


def lock_head(connection: Connection) -> Head:
    """Return the end of the log and keep it from moving until the transaction is over.

    On SQLite the transaction must have begun as a writing one, which is the lock.
    """
    return Head(*connection.execute(_HEAD.with_for_update()).one())


def list_events(
    connection: Connection,
    originator_id: UUID | str,
    *,
    gt: int | None = None,
    lte: int | None = None,
    desc: bool = False,
    limit: int | None = None,
) -> list[StoredEvent]:
    """Return an aggregate's events by version, ascending unless `desc`, also inside an append.

    gt, lte: bounds of the version, the first exclusive, the second inclusive.
    """
    version = events.c.originator_version
    query = _EVENTS.where(events.c.originator_id == originator_id).limit(limit)
    query = query.order_by(version.desc() if desc else version)
    if gt is not None:
        query = query.where(version > gt)
    if lte is not None:
        query = query.where(version <= lte)
    return [StoredEvent(*row) for row in connection.execute(query)]


def list_events_of(connection: Connection, originator_ids: Collection[UUID]) -> list[StoredEvent]:
    """Return all events of some aggregates, those of each together and by version."""
    rows = connection.execute(_EVENTS_OF, {"originator_ids": list(originator_ids)})
    return [StoredEvent(*row) for row in rows]


def find_last_version(connection: Connection, originator_id: UUID) -> int:
    """Return the version of an aggregate's last event, 0 where it has none."""
    version = events.c.originator_version
    query = select(func.max(version)).where(events.c.originator_id == originator_id)
    return connection.scalar(query) or 0


def list_notifications(
    connection: Connection,
    first: int,
    limit: int,
    *,
    stop: int | None = None,
    topics: Sequence[str] = (),
) -> list[Notification]:
    """Return events in log order from position `first` to `stop`, both inclusive, `limit` at most.

    topics: only events of these names; all without.
    Raises LogGapError when, all topics being asked for, a position is missing.
    """
    query = _NOTIFICATIONS.where(events.c.position >= first)
    query = query.order_by(events.c.position).limit(limit)
    if stop is not None:
        query = query.where(events.c.position <= stop)
    if topics:
        query = query.where(events.c.topic.in_(topics))
    notifications = [Notification(*row) for row in connection.execute(query)]
    if not topics:
        _check_contiguous(notifications, max(first, 1))
    return notifications


def _check_contiguous(notifications: Sequence[Notification], first: int) -> None:
    for expected, notification in enumerate(notifications, start=first):
        if notification.id != expected:
            raise LogGapError(expected, notification.id)


def find_position_at(connection: Connection, recorded_at: int) -> int:
    """Return the last position recorded at or before a time, 0 when there is none.

    recorded_at: microseconds since the Unix epoch.
    """
    query = (
        select(events.c.position)
        .where(events.c.recorded_at <= recorded_at)
        .order_by(events.c.recorded_at.desc(), events.c.position.desc())
        .limit(1)
    )
    return connection.scalar(query) or 0


def record_tracking(connection: Connection, position: Tracking) -> None:
    """Record how far a named reader has come, in the caller's transaction.

    Raises the database's integrity error unless it is further than before.
    """
    forward = (
        update(tracking)
        .where(tracking.c.application_name == position.application_name)
        .where(tracking.c.notification_id < position.notification_id)
        .values(notification_id=position.notification_id)
    )
    if connection.execute(forward).rowcount == 0:
        # A new name; for a known one, already as far, the primary key refuses.
        connection.execute(insert(tracking).values(vars(position)))


_HEAD = select(log_head.c.position, log_head.c.recorded_at, log_head.c.view_set, log_head.c.frozen)
# In the order of the fields of StoredEvent and, with the position, of Notification.
_EVENTS = select(
    events.c.originator_id, events.c.originator_version, events.c.topic, events.c.state
)
_EVENTS_OF = _EVENTS.where(
    events.c.originator_id.in_(bindparam("originator_ids", expanding=True))
).order_by(events.c.originator_id, events.c.originator_version)
_NOTIFICATIONS = _EVENTS.add_columns(events.c.position)


class _SqlRecorder:
    def __init__(self, engine: Engine, clock: Callable[[], int] = now_microseconds) -> None:
        """Record in the migrated database of `engine`.

        clock: returns the time in microseconds since the Unix epoch.
        """
        self.engine = engine
        self._clock = clock
        self._announcements = Announcements()

    @contextmanager
    def append(self) -> Iterator[Append]:
        """Yield an append, committed on leaving and undone by an exception.

        Raises the library's persistence errors for those of the database: IntegrityError for a
        version that is taken, OperationalError when the database cannot be used now, and
        CommitUnknownError when the commit was not acknowledged.
        """
        with wrapped_errors(), connect_for_writing(self.engine) as connection:
            head = lock_head(connection)
            append = Append(connection, head, self._clock())
            yield append
            _commit(connection)
        self._announcements.announce(append.position)

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with wrapped_errors(), begin_read(self.engine) as connection:
            yield connection


def _commit(connection: Connection) -> None:
    try:
        connection.commit()
    except sa_exc.DBAPIError as error:
        raise CommitUnknownError(type(error.orig).__name__) from error


class SqlAggregateRecorder(_SqlRecorder, AggregateRecorder):
    """Records and reads the events of aggregates."""

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Record the events in one transaction; return None."""
        with self.append() as append:
            append.insert(stored_events)
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredEvent]:
        """Return an aggregate's events; see `list_events`."""
        with self._read() as connection:
            return list_events(connection, originator_id, gt=gt, lte=lte, desc=desc, limit=limit)


class SqlApplicationRecorder(SqlAggregateRecorder, ApplicationRecorder):
    """Records the events of aggregates and reads them back as one log."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> list[int]:
        """Record the events in one transaction; return their positions."""
        with self.append() as append:
            return append.insert(stored_events)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> list[Notification]:
        """Return events in log order, without `start` from the first; see `list_notifications`."""
        first = (start or 0) + (0 if inclusive_of_start else 1)
        with self._read() as connection:
            return list_notifications(connection, first, limit, stop=stop, topics=topics)

    def max_notification_id(self) -> int | None:
        """Return the last position, or None before the first."""
        with self._read() as connection:
            last: int | None = connection.scalar(select(func.max(events.c.position)))
            return last

    def get_head(self) -> Head:
        """Return the end of the log."""
        with self._read() as connection:
            return read_head(connection)

    def position_at(self, recorded_at: int) -> int:
        """Return the last position at or before a time in microseconds, 0 when there is none."""
        with self._read() as connection:
            return find_position_at(connection, recorded_at)

    def watch(self, on_advance: Callable[[], None] = lambda: None) -> LogWatcher:
        """Return a watcher of this log, to be started by the caller.

        on_advance: called, from one of several threads, after the log has grown; must not raise.
        """
        return LogWatcher(
            self.engine, lambda: self.get_head().position, self._announcements, on_advance
        )

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> LogSubscription:
        """Return an iterator over the events after position `gt`, which waits for new ones.

        It raises LogGapError at a hole, and the library's errors when it cannot read.
        """
        return LogSubscription(self, self.watch, gt=gt, topics=topics)


class SqlTrackingRecorder(_SqlRecorder, TrackingRecorder):
    """Records how far the readers of a log have come."""

    def insert_tracking(self, tracking: Tracking) -> None:
        """Record a position; IntegrityError unless it is further than before."""
        with wrapped_errors(), begin_write(self.engine) as connection:
            record_tracking(connection, tracking)

    def max_tracking_id(self, application_name: str) -> int | None:
        """Return how far a reader has come, None for one that never recorded it."""
        query = select(tracking.c.notification_id)
        with self._read() as connection:
            last: int | None = connection.scalar(
                query.where(tracking.c.application_name == application_name)
            )
            return last


class SqlProcessRecorder(SqlTrackingRecorder, SqlApplicationRecorder, ProcessRecorder):
    """Records events together with the position of the event they follow from."""

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        tracking: Tracking | None = None,
        **kwargs: Any,
    ) -> list[int]:
        """Record events and, in the same transaction, `tracking`; return the events' positions."""
        with self.append() as append:
            if tracking is not None:
                record_tracking(append.connection, tracking)
            return append.insert(stored_events)
