"""The database itself refuses to change the log, whoever asks."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.persistence import StoredEvent
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from caseflow.database import make_engine
from caseflow.eventstore.recorder import SqlApplicationRecorder
from caseflow.eventstore.schema import migrate
from tests.databases import create_postgresql, sqlite_url

CASE = UUID("00000000-0000-4000-8000-000000000001")
OTHER = UUID("00000000-0000-4000-8000-000000000002")

# The columns and, per dialect, two literals: the case in the log and another one.
COLUMNS = "(position, originator_id, originator_version, topic, recorded_at, state)"
LITERALS = {
    "sqlite": {"case": f"x'{CASE.hex}'", "other": f"x'{OTHER.hex}'", "state": "x'00'"},
    "postgresql": {"case": f"'{CASE}'", "other": f"'{OTHER}'", "state": r"'\x00'"},
}

# Positions 1 and 2 are versions 1 and 2 of the case: each statement would change what is there.
CHANGES = [
    "UPDATE events SET topic = 'changed'",
    "UPDATE events SET state = state WHERE position = 1",
    "UPDATE events SET position = 3 WHERE position = 2",
    "DELETE FROM events",
    "DELETE FROM events WHERE position = 2",
    "INSERT INTO events {columns} VALUES (1, {other}, 1, 'changed', 9, {state})",
    "INSERT INTO events {columns} VALUES (3, {case}, 1, 'changed', 9, {state})",
    "INSERT INTO events {columns} VALUES (1, {other}, 1, 'changed', 9, {state})"
    " ON CONFLICT (position) DO UPDATE SET topic = 'changed'",
    "INSERT INTO events {columns} VALUES (3, {case}, 1, 'changed', 9, {state})"
    " ON CONFLICT (originator_id, originator_version) DO UPDATE SET topic = 'changed'",
]
SQLITE_CHANGES = [
    "REPLACE INTO events {columns} VALUES (1, {case}, 1, 'changed', 9, {state})",
    "INSERT OR REPLACE INTO events {columns} VALUES (2, {other}, 1, 'changed', 9, {state})",
    "INSERT OR REPLACE INTO events {columns} VALUES (3, {case}, 2, 'changed', 9, {state})",
    "INSERT OR IGNORE INTO events {columns} VALUES (3, {case}, 2, 'changed', 9, {state})",
    "INSERT INTO events {columns} VALUES (4, {other}, 1, 'hole', 9, {state})",
    "INSERT INTO events {columns} VALUES (NULL, {other}, 1, 'no position', 9, {state})",
    "UPDATE OR REPLACE events SET originator_version = 1 WHERE position = 2",
    "WITH old AS (SELECT * FROM events) REPLACE INTO events SELECT * FROM old",
]
POSTGRESQL_CHANGES = [
    "TRUNCATE events",
    "TRUNCATE events CASCADE",
    "MERGE INTO events USING (VALUES (2)) AS v(p) ON position = v.p WHEN MATCHED THEN DELETE",
    "SET LOCAL session_replication_role = replica; DELETE FROM events",
    "SET LOCAL session_replication_role = replica; TRUNCATE events",
]


def recorded(url: str) -> Iterator[Engine]:
    migrate(url)
    engine = make_engine(url)
    events = [StoredEvent(CASE, version, "sealed", b"state") for version in (1, 2)]
    SqlApplicationRecorder(engine).insert_events(events)
    yield engine
    engine.dispose()


# One database for all statements: none may change it.
@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    yield from recorded(sqlite_url(tmp_path_factory.mktemp("immutable") / "caseflow.db"))


@pytest.fixture(scope="module")
def postgresql(postgresql_server_url: str) -> Iterator[Engine]:
    with create_postgresql(postgresql_server_url) as url:
        yield from recorded(url)


def read_log(connection: Connection) -> list[Any]:
    return list(connection.execute(text("SELECT * FROM events ORDER BY position")))


def check_refused(engine: Engine, statement: str) -> None:
    filled = statement.format(columns=COLUMNS, **LITERALS[engine.dialect.name])
    with engine.connect() as connection:
        before = read_log(connection)
    with pytest.raises(DBAPIError), engine.begin() as connection:
        connection.exec_driver_sql(filled)
    with engine.connect() as connection:
        assert read_log(connection) == before


@pytest.mark.parametrize("statement", CHANGES + SQLITE_CHANGES)
def test_sqlite_refuses(sqlite: Engine, statement: str) -> None:
    check_refused(sqlite, statement)


@pytest.mark.parametrize("statement", CHANGES + POSTGRESQL_CHANGES)
def test_postgresql_refuses(postgresql: Engine, statement: str) -> None:
    check_refused(postgresql, statement)


def test_sqlite_does_so_with_recursive_triggers_off(sqlite: Engine) -> None:
    """Off is the default, and what lets REPLACE delete without a DELETE trigger."""
    with sqlite.connect() as connection:
        assert connection.scalar(text("PRAGMA recursive_triggers")) == 0


def test_postgresql_leaves_the_owner_only_harmless_privileges(postgresql: Engine) -> None:
    query = (
        "SELECT privilege_type"
        " FROM pg_class, aclexplode(relacl) WHERE pg_class.oid = 'events'::regclass"
    )
    with postgresql.connect() as connection:
        granted = set(connection.scalars(text(query)))
    assert {"SELECT", "INSERT"} <= granted
    assert not granted & {"UPDATE", "DELETE", "TRUNCATE"}


def test_the_log_still_grows(engine: Engine) -> None:
    recorder = SqlApplicationRecorder(engine)
    for position in (1, 2, 3):
        event = StoredEvent(OTHER, position, "sealed", b"state")
        assert recorder.insert_events([event]) == [position]
