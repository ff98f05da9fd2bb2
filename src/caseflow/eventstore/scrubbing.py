"""Making sure that what was deleted from a database is gone from its files too.

A database leaves old rows where they were until it needs the room. After an erasure they are
written over: tables are written anew, and the journal is brought home and cut.
"""

from collections.abc import Iterable
from contextlib import closing, suppress
from typing import Final

from eventsourcing.persistence import PersistenceError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from caseflow.database import wrapped_errors

# Whoever reads meanwhile must not wait for long behind us: we come again.
LOCK_TIMEOUT_SECONDS: Final = 5


def scrub(engine: Engine, tables: Iterable[str]) -> None:
    """Write tables anew, so that no file of the database holds deleted rows; may be repeated.

    tables: those that may have held something; on SQLite all are. Readers wait meanwhile on
    PostgreSQL, writers on both. What the operating system, replicas and archives keep of the old
    files is not reached.
    Raises the library's OperationalError where somebody else was at work for too long.
    """
    if engine.dialect.name == "sqlite":
        _scrub_sqlite(engine)
    else:
        _scrub_postgresql(engine, tables)


def _scrub_sqlite(engine: Engine) -> None:
    # Past SQLAlchemy, which would begin a transaction: neither can be in one.
    with wrapped_errors(), closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        try:
            cursor.execute("VACUUM")
            busy, *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except engine.dialect.loaded_dbapi.Error as error:
            raise PersistenceError(type(error).__name__) from error
    if busy:
        raise PersistenceError("somebody reads from before the erasure")


def _scrub_postgresql(engine: Engine, tables: Iterable[str]) -> None:
    with wrapped_errors(), engine.connect() as pooled:
        connection = pooled.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")
        try:
            for table in tables:
                connection.exec_driver_sql(f'VACUUM (FULL) "{table}"')
        finally:
            connection.exec_driver_sql("RESET lock_timeout")
        # Old files are removed at a checkpoint; without the right to ask for one, at the next.
        with suppress(DBAPIError):
            connection.exec_driver_sql("CHECKPOINT")
