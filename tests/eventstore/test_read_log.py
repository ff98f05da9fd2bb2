"""The log of restricted reads: complete, in order, final, and nothing is read without it."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from caseflow.database import begin_read, begin_write, make_engine
from caseflow.domain.errors import UnavailableError
from caseflow.eventstore.partners import Caller
from caseflow.eventstore.read_log import LoggedRead, Read, ReadFilter, ReadLog, list_reads
from caseflow.eventstore.schema import migrate

PARTNER, KEY, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)
CASE, EVENT = UUID(int=4), UUID(int=5)
CALLER = Caller(PARTNER, None, frozenset(), KEY)
SUBJECT, NOTE = Read("subject", CASE, None), Read("private_note", CASE, EVENT)

ALL = ReadFilter(limit=1_000)


def ticking() -> Iterator[int]:
    """Yield times, a microsecond apart."""
    yield from count(1_000)


@pytest.fixture
def log(engine: Engine) -> ReadLog:
    """A log on an empty database, by a clock that never stands still."""
    return ReadLog(engine, ticking().__next__)


def rename(engine: Engine, old: str, new: str) -> None:
    """Take the table away, or bring it back."""
    with begin_write(engine) as connection:
        connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


def test_an_entry_says_who_read_what_and_when(log: ReadLog) -> None:
    log.record(CALLER, [SUBJECT, NOTE])
    whose = {"partner_id": PARTNER, "key_id": KEY, "read_at": 1_000, "case_id": CASE}
    assert log.list_reads(ALL) == [
        LoggedRead(position=1, event_id=None, kind="subject", **whose),
        LoggedRead(position=2, event_id=EVENT, kind="private_note", **whose),
    ]


def test_without_reads_nothing_is_written(log: ReadLog) -> None:
    log.record(CALLER, [])
    log.record(CALLER, [SUBJECT])
    assert [entry.read_at for entry in log.list_reads(ALL)] == [1_000]


def test_entries_are_found_by_case_partner_time_and_position(log: ReadLog) -> None:
    log.record(CALLER, [SUBJECT])
    log.record(Caller(OTHER, None, frozenset(), KEY), [SUBJECT, Read("external_id", OTHER, EVENT)])
    log.record(CALLER, [NOTE])

    def found(**wanted: object) -> list[int]:
        return [entry.position for entry in log.list_reads(ReadFilter(**wanted))]  # type: ignore[arg-type]

    assert found() == [1, 2, 3, 4]
    assert found(case_id=CASE) == [1, 2, 4]
    assert found(partner_id=OTHER) == [2, 3]
    assert found(since=1_001) == [2, 3, 4]
    assert found(after=1, limit=2) == [2, 3]
    assert found(after=1, case_id=CASE, partner_id=PARTNER, since=1_002) == [4]


def test_nobody_is_told_that_a_read_was_logged_before_it_was(log: ReadLog, engine: Engine) -> None:
    rename(engine, "restricted_reads", "away")
    with pytest.raises(UnavailableError):
        log.record(CALLER, [SUBJECT])
    rename(engine, "away", "restricted_reads")
    assert log.list_reads(ALL) == []
    log.record(CALLER, [NOTE])
    assert [entry.kind for entry in log.list_reads(ALL)] == ["private_note"]


def test_many_who_read_at_once_are_all_logged_in_order(engine: Engine) -> None:
    """From two processes, as it were: the database keeps them apart, not a lock of ours."""
    logs = [ReadLog(engine, ticking().__next__) for _ in range(2)]
    callers = [Caller(UUID(int=100 + n), None, frozenset(), KEY) for n in range(8)]

    def read_and_look(n: int) -> bool:
        log = logs[n % 2]
        for _ in range(5):
            log.record(callers[n], [SUBJECT, NOTE])
        # What is told to be logged is there for anyone.
        with begin_read(engine) as connection:
            own = ReadFilter(partner_id=callers[n].partner_id, limit=100)
            return len(list_reads(connection, own)) == 10

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read_and_look, range(8)))
    entries = logs[0].list_reads(ALL)
    assert [entry.position for entry in entries] == list(range(1, 81))
    # The two reads of one answer stand beside each other.
    assert [entry.kind for entry in entries] == ["subject", "private_note"] * 40


def record_at_once(engine: Engine) -> tuple[ReadLog, list[BaseException | None]]:
    """Have one read logged, and six that come meanwhile; return how each of them ended."""
    times = ticking()

    def clock() -> int:
        now = next(times)
        # The first one is kept until all others wait for it.
        while now == 1_000 and len(log._waiting) < 6:
            time.sleep(0.001)
        return now

    log = ReadLog(engine, clock)
    with ThreadPoolExecutor(7) as pool:
        futures = [pool.submit(log.record, CALLER, [SUBJECT]) for _ in range(7)]
        return log, [future.exception() for future in futures]


def test_those_who_come_meanwhile_share_a_transaction(engine: Engine) -> None:
    log, ended = record_at_once(engine)
    assert ended == [None] * 7
    assert [entry.read_at for entry in log.list_reads(ALL)] == [1_000, *[1_001] * 6]


def test_those_who_share_a_transaction_that_fails_are_all_told(engine: Engine) -> None:
    rename(engine, "restricted_reads", "away")
    log, ended = record_at_once(engine)
    assert [type(error) for error in ended] == [UnavailableError] * 7
    rename(engine, "away", "restricted_reads")
    log.record(CALLER, [NOTE])
    assert [entry.kind for entry in log.list_reads(ALL)] == ["private_note"]


# -- what was logged is final ---------------------------------------------------------------------

_COLUMNS = "(position, read_at, partner_id, key_id, kind)"
CHANGES = {
    "any": [
        "UPDATE restricted_reads SET kind = 'changed'",
        "UPDATE restricted_reads SET position = 9 WHERE position = 1",
        "DELETE FROM restricted_reads",
        "DELETE FROM restricted_reads WHERE position = 2",
    ],
    "sqlite": [
        f"REPLACE INTO restricted_reads {_COLUMNS} VALUES (1, 1, x'00', x'00', 'changed')",
        f"INSERT OR REPLACE INTO restricted_reads {_COLUMNS} VALUES (2, 1, x'00', x'00', 'x')",
        f"INSERT INTO restricted_reads {_COLUMNS} VALUES (9, 1, x'00', x'00', 'with a hole')",
    ],
    "postgresql": [
        "TRUNCATE restricted_reads",
        "SET LOCAL session_replication_role = replica; DELETE FROM restricted_reads",
        "SET LOCAL session_replication_role = replica; TRUNCATE restricted_reads",
    ],
}


def test_the_database_refuses_to_change_what_was_logged(log: ReadLog, engine: Engine) -> None:
    log.record(CALLER, [SUBJECT, NOTE])
    before = log.list_reads(ALL)
    for statement in CHANGES["any"] + CHANGES[engine.dialect.name]:
        with pytest.raises(DBAPIError), engine.begin() as connection:
            connection.exec_driver_sql(statement)
        assert log.list_reads(ALL) == before, statement


@pytest.mark.postgresql
def test_the_owner_keeps_only_harmless_privileges(postgresql_url: str) -> None:

    migrate(postgresql_url)
    engine = make_engine(postgresql_url)
    query = "SELECT privilege_type FROM pg_class, aclexplode(relacl) WHERE relname = :name"
    with engine.connect() as connection:
        granted = set(connection.scalars(text(query), {"name": "restricted_reads"}))
    engine.dispose()
    assert {"SELECT", "INSERT"} <= granted
    assert not granted & {"UPDATE", "DELETE", "TRUNCATE"}
