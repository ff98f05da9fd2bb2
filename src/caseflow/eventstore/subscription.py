"""Waiting for the log to grow: by notification where there is one, always by a timer as well.

A notification may be lost (a dropped connection, a proxy in between), so nothing depends on it:
it only shortens the wait for the next look at the log.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from threading import Condition, Event, Lock, Thread
from typing import Any, Self

from eventsourcing.persistence import (
    ApplicationRecorder,
    ListenNotifySubscription,
    PersistenceError,
)
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from caseflow.database import open_direct

CHANNEL = "caseflow_log"
FALLBACK_SECONDS = 1.0
# Between two looks for a change or for stop(); on SQLite also the delay between processes.
STEP_SECONDS = 0.05

_logger = logging.getLogger(__name__)

# Waits for one step, less when the event is set, and tells whether the log may have grown.
_Changed = Callable[[Event], bool]


class Announcements:
    """Positions committed by this process, passed to its own watchers at once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._listeners: tuple[Callable[[int], None], ...] = ()

    def announce(self, position: int) -> None:
        """Tell every listener that the log has come to `position`."""
        for listener in self._listeners:
            listener(position)

    def add(self, listener: Callable[[int], None]) -> None:
        """Call `listener` with each position from now on."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

    def remove(self, listener: Callable[[int], None]) -> None:
        """Call `listener` no more; one that is not there is ignored."""
        with self._lock:
            self._listeners = tuple(known for known in self._listeners if known != listener)


class LogWatcher:
    """Knows how far the log has come and wakes the threads that wait for a position.

    One thread and, apart from the pool, one database connection. It follows commits of this and of
    other processes within moments, and outlives a restart of the database. Use it as a context
    manager, or call `start` and `stop`.
    """

    def __init__(
        self,
        engine: Engine,
        read_position: Callable[[], int],
        announcements: Announcements,
        on_advance: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._read_position = read_position
        self._announcements = announcements
        self._on_advance = on_advance
        self._head = 0
        self._looked_at = time.monotonic()
        self._advanced = Condition()
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="caseflow-log-watcher", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.join()

    def start(self) -> None:
        """Begin to follow the log; once only."""
        self._announcements.add(self.advance)
        self._thread.start()

    def stop(self) -> None:
        """Wake everyone who waits and let the thread end; from any thread, and again."""
        self._announcements.remove(self.advance)
        self._stopped.set()
        with self._advanced:
            self._advanced.notify_all()

    def join(self) -> None:
        """Wait until the thread has ended; a moment after `stop`."""
        self._thread.join()

    @property
    def head(self) -> int:
        """The last position known to be recorded, 0 at first."""
        return self._head

    def is_behind(self, seconds: float) -> bool:
        """Return whether nobody has looked how far the log goes for so long."""
        return time.monotonic() - self._looked_at > seconds

    def wait(self, position: int, timeout: float) -> int:
        """Return the head once it is `position` or more, at the latest after `timeout` seconds.

        The caller compares: a smaller head means that time ran out or the watcher was stopped.
        """
        with self._advanced:
            self._advanced.wait_for(
                lambda: self._head >= position or self._stopped.is_set(), timeout
            )
            return self._head

    def advance(self, position: int) -> None:
        """Take note that the log has come to `position`; known or smaller changes nothing."""
        with self._advanced:
            if position <= self._head:
                return
            self._head = position
            self._advanced.notify_all()
        self._on_advance()

    def _run(self) -> None:
        driver_error = self._engine.dialect.loaded_dbapi.Error
        while not self._stopped.is_set():
            try:
                self._follow()
            except (driver_error, SQLAlchemyError, PersistenceError, OSError) as error:
                # The database will come back, and threads will still be waiting.
                _logger.warning("log watcher: %s, trying again", type(error).__name__)
                self._stopped.wait(FALLBACK_SECONDS)

    def _follow(self) -> None:
        with _open_changes(self._engine) as changed:
            while not self._stopped.is_set():
                self.advance(self._read_position())
                self._looked_at = time.monotonic()
                self._sleep_until(changed)

    def _sleep_until(self, changed: _Changed) -> None:
        for _ in range(round(FALLBACK_SECONDS / STEP_SECONDS)):
            if changed(self._stopped) or self._stopped.is_set():
                return


class LogSubscription(ListenNotifySubscription[ApplicationRecorder]):
    """The library's subscription, woken by a watcher of its own; ends soon after `stop`."""

    def __init__(
        self,
        recorder: ApplicationRecorder,
        make_watcher: Callable[[Callable[[], None]], LogWatcher],
        gt: int | None = None,
        topics: Sequence[str] = (),
    ) -> None:
        # Before the library starts its thread, which calls stop() when it fails.
        self._watcher = make_watcher(self._wake)
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        self._watcher.start()

    def __exit__(self, *args: object, **kwargs: Any) -> None:
        try:
            super().__exit__(*args, **kwargs)
        finally:
            self._watcher.join()

    def stop(self) -> None:
        """Stop the iteration, from any thread."""
        self._watcher.stop()
        super().stop()

    def _wake(self) -> None:
        self._has_been_notified.set()


def _open_changes(engine: Engine) -> AbstractContextManager[_Changed]:
    if engine.dialect.name == "postgresql":
        return _open_postgresql_changes(engine)
    return _open_sqlite_changes(engine)


@contextmanager
def _open_postgresql_changes(engine: Engine) -> Iterator[_Changed]:
    with closing(open_direct(engine)) as connection:
        connection.autocommit = True
        connection.execute(f"LISTEN {CHANNEL}")
        yield lambda _stopped: bool(
            list(connection.notifies(timeout=STEP_SECONDS, stop_after=1)),
        )


@contextmanager
def _open_sqlite_changes(engine: Engine) -> Iterator[_Changed]:
    with closing(open_direct(engine)) as connection:
        versions = [_data_version(connection)]

        def changed(stopped: Event) -> bool:
            stopped.wait(STEP_SECONDS)
            versions.append(_data_version(connection))
            return versions.pop(0) != versions[0]

        yield changed


def _data_version(connection: Any) -> int:
    # Differs after a commit by any other connection, of this process or another; costs no query.
    version: int = connection.execute("PRAGMA data_version").fetchone()[0]
    return version
