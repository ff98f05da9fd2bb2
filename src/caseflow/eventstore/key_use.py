"""When keys were last used: remembered at once, written now and then, apart from any request."""

import threading
from collections.abc import Callable
from typing import Final
from uuid import UUID

from sqlalchemy import Engine, bindparam, or_, update

from caseflow.database import begin_write, wrapped_errors

from .partners import api_keys

WRITE_MICROSECONDS: Final = 60_000_000


class KeyUses:
    """Remembers when this process last saw each key. Safe to use from several threads.

    What was not written yet is lost where the process is killed: a minute at most.
    """

    def __init__(self, engine: Engine, clock: Callable[[], int]) -> None:
        """clock: microseconds since the Unix epoch."""
        self._engine = engine
        self._clock = clock
        self._lock = threading.Lock()
        self._noted: dict[UUID, int] = {}
        self._written: dict[UUID, int] = {}

    def note(self, key_id: UUID, at: int) -> None:
        """Remember that a key was used. Never blocks for longer than a few assignments take."""
        with self._lock:
            self._noted[key_id] = at

    def write_due(self) -> None:
        """Write the uses of the keys for which none was written within a minute. Blocks."""
        now = self._clock()
        with self._lock:
            due = {
                key_id: at
                for key_id, at in self._noted.items()
                if now - self._written.get(key_id, 0) >= WRITE_MICROSECONDS
            }
        self._write(due, now)

    def write_all(self) -> None:
        """Write what was not written yet. Blocks."""
        with self._lock:
            due = dict(self._noted)
        self._write(due, self._clock())

    def _write(self, due: dict[UUID, int], now: int) -> None:
        if not due:
            return
        # In one order, so that two processes never wait for each other.
        rows = [{"key": key_id, "at": due[key_id]} for key_id in sorted(due)]
        with wrapped_errors(), begin_write(self._engine) as connection:
            connection.execute(_UPDATE, rows)
        with self._lock:
            for key_id, at in due.items():
                self._written[key_id] = now
                # It may have been used again meanwhile.
                if self._noted[key_id] == at:
                    del self._noted[key_id]


# Another process may have written a later use.
_UPDATE: Final = (
    update(api_keys)
    .where(
        api_keys.c.id == bindparam("key"),
        or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < bindparam("at")),
    )
    .values(last_used_at=bindparam("at"))
)
