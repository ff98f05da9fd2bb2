"""Who signs, of several processes on one PostgreSQL: whoever has the lock, until it dies."""

from contextlib import suppress
from typing import Any, Final

from sqlalchemy import Engine

from caseflow.database import open_direct, wrapped_errors

# Any number, but the same in every process.
_LOCK: Final = 0x6C_6F67_7369


class Leader:
    """The right to sign, held by a connection of its own: it ends with it, whatever happened.

    On SQLite everyone leads: the processes are of one machine, and checkpoints are compared and
    swapped anyway.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._driver_error: type[Exception] = engine.dialect.loaded_dbapi.Error
        self._held: Any = None

    def leads(self) -> bool:
        """Return whether this process has the right now, taking it where nobody else has it.

        Raises the event-sourcing library's errors where the database cannot be used.
        """
        if self._engine.dialect.name != "postgresql":
            return True
        if self._held is not None and not self._is_alive():
            self.step_down()
        if self._held is None:
            self._try()
        return self._held is not None

    def step_down(self) -> None:
        """Give the right back; without it, that is done already."""
        held, self._held = self._held, None
        if held is not None:
            with suppress(self._driver_error):
                held.close()

    def _is_alive(self) -> bool:
        try:
            self._held.execute("SELECT 1")
        except self._driver_error:
            return False
        return True

    def _try(self) -> None:
        with wrapped_errors():
            connection = open_direct(self._engine)
        connection.autocommit = True
        taken = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()[0]
        if taken:
            self._held = connection
        else:
            connection.close()
