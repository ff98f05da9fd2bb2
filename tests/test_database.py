"""Threads that write to one SQLite file take turns, and none is kept from its turn."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from eventsourcing.persistence import OperationalError
from sqlalchemy import Engine, text

from caseflow import database
from caseflow.database import begin_write, make_engine, wrapped_errors
from tests.databases import sqlite_url


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine on a file with one empty table."""
    engine = make_engine(sqlite_url(tmp_path / "turns.db"))
    with begin_write(engine) as connection:
        connection.execute(text("CREATE TABLE written (who INTEGER)"))
    yield engine
    engine.dispose()


def write(engine: Engine, who: int) -> None:
    """Write one row."""
    with wrapped_errors(), begin_write(engine) as connection:
        connection.execute(text("INSERT INTO written VALUES (:who)"), {"who": who})


def list_written(engine: Engine) -> list[int]:
    """Return who wrote, in order."""
    with engine.connect() as connection:
        return list(connection.scalars(text("SELECT who FROM written ORDER BY rowid")))


def await_waiting(engine: Engine, count: int) -> None:
    """Return when so many threads have a turn or wait for one."""
    turns, until = engine.get_execution_options()["caseflow_turns"], time.monotonic() + 10
    while len(turns._queue) < count:
        assert time.monotonic() < until, "they do not wait for each other"
        time.sleep(0.001)


def test_who_comes_first_writes_first(engine: Engine) -> None:
    with ThreadPoolExecutor(8) as pool:
        with begin_write(engine):
            writing = []
            for who in range(8):
                writing.append(pool.submit(write, engine, who))
                await_waiting(engine, who + 2)
        for done in writing:
            done.result()
    assert list_written(engine) == list(range(8))


def test_a_write_that_fails_ends_its_turn(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError), begin_write(engine):
        raise ZeroDivisionError
    write(engine, 1)
    assert list_written(engine) == [1]


def test_nobody_waits_for_a_turn_for_ever(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 0.01)
    with begin_write(engine), pytest.raises(OperationalError):
        write(engine, 1)
    # Whoever gave up is in nobody's way.
    write(engine, 2)
    assert list_written(engine) == [2]
