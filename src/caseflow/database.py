"""Connections to SQLite and PostgreSQL: how they are set up, begun and how their errors are named.

No tables and no queries live here. Whoever writes begins with `begin_write`, whoever reads several
things that belong together begins with `begin_read`; both databases then behave alike.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from eventsourcing import persistence
from sqlalchemy import (
    Connection,
    Dialect,
    Engine,
    Insert,
    LargeBinary,
    Table,
    TypeDecorator,
    Uuid,
    create_engine,
    event,
    insert,
    make_url,
)
from sqlalchemy import exc as sa_exc
from sqlalchemy.types import TypeEngine

BUSY_TIMEOUT_SECONDS = 10

# busy_timeout comes first: the change to WAL may itself have to wait for another process.
_SQLITE_PRAGMAS = (
    f"busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}",
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
)


class Uuid16(TypeDecorator[UUID]):
    """A UUID in 16 bytes: `uuid` on PostgreSQL, a BLOB on SQLite (which has no such type)."""

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        native = dialect.name == "postgresql"
        return dialect.type_descriptor(Uuid() if native else LargeBinary(16))

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> Any:
        return value if value is None or dialect.name == "postgresql" else value.bytes

    def process_result_value(self, value: Any, dialect: Dialect) -> UUID | None:
        return value if value is None or dialect.name == "postgresql" else UUID(bytes=value)


def make_engine(url: str) -> Engine:
    """Return an engine for `url` that any number of threads may share.

    url: `sqlite:///file.db` or `postgresql+psycopg://…`.
    Raises ValueError for another database, and for SQLite in memory, where every thread
    would see a database of its own.
    """
    parsed = make_url(url)
    match parsed.get_backend_name():
        case "sqlite" if parsed.database not in (None, "", ":memory:"):
            return _make_sqlite_engine(url)
        case "postgresql":
            return _make_postgresql_engine(url)
    raise ValueError(f"not a SQLite file or a PostgreSQL database: {parsed!r}")


def _make_sqlite_engine(url: str) -> Engine:
    engine = create_engine(
        url,
        pool_size=10,
        max_overflow=20,
        hide_parameters=True,
        execution_options={"caseflow_turns": _Turns()},
    )
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(dbapi_connection: Any, _record: object) -> None:
    # The driver would begin transactions late and only before writes: leave that to _begin_sqlite.
    dbapi_connection.isolation_level = None
    for pragma in _SQLITE_PRAGMAS:
        dbapi_connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the write lock at once. One that read first could not upgrade its snapshot
    # after another commit: SQLite refuses that without waiting for the busy timeout.
    writes = connection.get_execution_options().get("caseflow_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN DEFERRED")


class _Turns:
    """Lets the threads of a process write one after another, in the order in which they came.

    SQLite alone lets those who wait look again from time to time: beside a thread that writes all
    the time, they mostly find the lock taken, until their patience ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Whoever writes comes first; the others wait.
        self._queue: deque[threading.Event] = deque()

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for a turn and keep it; a timeout of SQLAlchemy's after the usual time."""
        mine = threading.Event()
        with self._lock:
            self._queue.append(mine)
            self._queue[0].set()
        try:
            if not mine.wait(BUSY_TIMEOUT_SECONDS):
                raise sa_exc.TimeoutError("other threads write for too long")
            yield
        finally:
            with self._lock:
                self._queue.remove(mine)
                if self._queue:
                    self._queue[0].set()


def _make_postgresql_engine(url: str) -> Engine:
    return create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        pool_size=10,
        max_overflow=10,
        pool_timeout=BUSY_TIMEOUT_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"application_name": "caseflow"},
    )


@contextmanager
def connect_for_writing(engine: Engine) -> Iterator[Connection]:
    """Yield a connection whose transactions hold SQLite's write lock.

    For callers that commit themselves, what is not is undone; `begin_write` commits on leaving.
    """
    turns: _Turns | None = engine.get_execution_options().get("caseflow_turns")
    with turns.take() if turns else nullcontext(), engine.connect() as connection:
        yield connection.execution_options(caseflow_writes=True)


@contextmanager
def begin_write(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in a writing transaction: committed on leaving, undone by an exception."""
    with connect_for_writing(engine) as connection, connection.begin():
        yield connection


@contextmanager
def begin_read(engine: Engine) -> Iterator[Connection]:
    """Yield a connection that sees the database as at its first query, however many follow."""
    on_postgresql = engine.dialect.name == "postgresql"
    # SQLite's transactions are snapshots as they are.
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect() as connection:
        yield connection.execution_options(**options if on_postgresql else {})


def open_direct(engine: Engine) -> Any:
    """Return a driver's connection set up like the engine's own, but taken out of its pool.

    For what belongs to one connection as long as it lives: notifications, locks. To be closed.
    """
    fairy = engine.raw_connection()
    fairy.detach()
    return fairy.dbapi_connection


@contextmanager
def wrapped_errors() -> Iterator[None]:
    """Raise database errors as the event-sourcing library's errors of the same name.

    The message names the driver's error and nothing else: the driver's own text may quote values.
    """
    try:
        yield
    except sa_exc.DBAPIError as error:
        # SQLAlchemy and the library both take their names from PEP 249.
        wrapper = getattr(persistence, type(error).__name__, persistence.DatabaseError)
        raise wrapper(type(error.orig).__name__) from error
    except sa_exc.TimeoutError as error:
        raise persistence.OperationalError("no free database connection") from error


Row: TypeAlias = Mapping[str, Any]


class _Compiled(NamedTuple):
    """A statement in a driver's own words.

    pick: takes the values of a row, in its order. uuids: which of them are to be turned into bytes.
    """

    text: str
    pick: Callable[[Row], tuple[Any, ...]]
    uuids: tuple[int, ...]


_compiled: Final[dict[tuple[Insert, str, tuple[str, ...]], _Compiled]] = {}


def write_rows(connection: Connection, statement: Insert, rows: Sequence[Row]) -> None:
    """Carry out one INSERT for each of some rows, which all have the same columns.

    As SQLAlchemy does, but that it looks at each value of each row, which takes as long as to
    write it: here a statement is compiled once, and the driver gets the values as they are. They
    are of the types that both drivers know, UUIDs and bytes among them.
    statement: always the same object for the same statement.
    """
    if not rows:
        return
    key = statement, connection.dialect.name, tuple(rows[0])
    compiled = _compiled.get(key)
    if compiled is None:
        compiled = _compiled[key] = _compile(connection.dialect, statement, tuple(rows[0]))
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(compiled.text, list(rows))
        return
    values = [_with_bytes(compiled.pick(row), compiled.uuids) for row in rows]
    connection.exec_driver_sql(compiled.text, values)


def _with_bytes(values: tuple[Any, ...], uuids: tuple[int, ...]) -> tuple[Any, ...]:
    changed = list(values)
    for place in uuids:
        value: UUID | None = changed[place]
        changed[place] = value and value.bytes
    return tuple(changed)


def _compile(dialect: Dialect, statement: Insert, columns: tuple[str, ...]) -> _Compiled:
    compiled = statement.compile(dialect=dialect, column_keys=list(columns))
    types = {column.name: column.type for column in statement.table.c}
    names = tuple(getattr(compiled, "positiontup", None) or columns)
    return _Compiled(
        text=str(compiled),
        pick=itemgetter(*names),
        uuids=tuple(n for n, name in enumerate(names) if isinstance(types[name], Uuid16)),
    )


@cache
def insert_into(table: Table) -> Insert:
    """Return the statement that inserts rows into a table, for `write_rows`."""
    return insert(table)
