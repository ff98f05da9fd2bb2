"""What the recorder promises beyond the library's own tests."""

from itertools import pairwise
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import (
    IntegrityError,
    OperationalError,
    ProgrammingError,
    StoredEvent,
    Tracking,
)
from sqlalchemy import Engine, text

from caseflow.database import begin_read, begin_write, make_engine
from caseflow.eventstore.recorder import (
    CommitUnknownError,
    Head,
    LogGapError,
    SqlApplicationRecorder,
    SqlProcessRecorder,
    list_events,
    read_head,
)
from caseflow.eventstore.schema import migrate
from tests.databases import sqlite_url


def make_event(version: int = 1, originator_id: UUID | None = None) -> StoredEvent:
    return StoredEvent(originator_id or uuid4(), version, "sealed", b"state")


def remove_triggers(engine: Engine) -> None:
    """What somebody with full rights over the database could do."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE events DISABLE TRIGGER ALL"))
        else:
            for name in ("events_insert", "events_update", "events_delete"):
                connection.execute(text(f"DROP TRIGGER {name}"))


def test_an_append_inserts_several_times_and_moves_the_head_once_it_commits(
    recorder: SqlProcessRecorder,
) -> None:
    recorder.insert_events([make_event(), make_event()])
    with recorder.append() as append:
        assert append.head == 2
        assert append.view_set == "a"
        assert append.insert([]) == []
        assert append.insert([make_event()]) == [3]
        assert append.insert([make_event(), make_event()]) == [4, 5]
        assert append.head == 2
        assert append.position == 5
        assert recorder.get_head().position == 2
    assert recorder.get_head() == Head(5, append.recorded_at, "a", False)


def test_a_halt_stands_at_the_end_of_the_log_until_it_is_ended(
    recorder: SqlProcessRecorder,
) -> None:
    for frozen in (True, True, False):
        with recorder.append() as append:
            append.freeze(frozen)
        assert recorder.get_head().frozen is frozen
        with recorder.append() as append:
            assert append.frozen is frozen


def test_a_halt_that_is_not_committed_is_none(recorder: SqlProcessRecorder) -> None:
    def freeze_and_fail() -> None:
        with recorder.append() as append:
            append.freeze(True)
            raise KeyError

    with pytest.raises(KeyError):
        freeze_and_fail()
    assert not recorder.get_head().frozen


def test_what_shares_the_transaction_shares_its_fate(recorder: SqlProcessRecorder) -> None:
    def record_and_fail() -> None:
        with recorder.append() as append:
            append.insert([make_event()])
            append.connection.execute(text("INSERT INTO tracking VALUES ('reader', 1)"))
            raise KeyError

    with pytest.raises(KeyError):
        record_and_fail()
    assert recorder.max_tracking_id("reader") is None
    assert recorder.insert_events([make_event()]) == [1]  # The rollback left no hole.


def test_an_append_sees_its_own_events(recorder: SqlProcessRecorder) -> None:
    event = make_event()
    with recorder.append() as append:
        append.insert([event])
        assert list_events(append.connection, event.originator_id) == [event]


def test_a_conflict_undoes_the_whole_append(recorder: SqlProcessRecorder) -> None:
    event = make_event()
    recorder.insert_events([event])

    def record_again() -> None:
        with recorder.append() as append:
            append.insert([make_event()])
            append.insert([event])

    with pytest.raises(IntegrityError) as refusal:
        record_again()
    assert refusal.value.__cause__ is not None
    assert str(event.originator_id) not in str(refusal.value)
    assert recorder.max_notification_id() == recorder.get_head().position == 1


def test_time_grows_whatever_the_clock_does(
    engine: Engine,
) -> None:
    ticks = iter([50, 70, 10, 10, 90])
    recorder = SqlApplicationRecorder(engine, clock=lambda: next(ticks))
    stamps = []
    for _ in range(5):
        with recorder.append() as append:
            append.insert([make_event()])
            stamps.append(append.recorded_at)
    assert stamps == [50, 70, 71, 72, 90]


@pytest.mark.parametrize(
    ("recorded_at", "position"),
    [(0, 0), (49, 0), (50, 2), (69, 2), (70, 3), (71, 4), (89, 4), (90, 5), (2**62, 5)],
)
def test_a_time_is_a_prefix_of_the_log(engine: Engine, recorded_at: int, position: int) -> None:
    ticks = iter([50, 70, 60, 90])
    recorder = SqlApplicationRecorder(engine, clock=lambda: next(ticks))
    for count in (2, 1, 1, 1):
        recorder.insert_events([make_event() for _ in range(count)])
    assert recorder.position_at(recorded_at) == position


@pytest.mark.parametrize("start", [None, 1, 2])
def test_a_reader_stops_at_a_hole(
    engine: Engine, recorder: SqlProcessRecorder, start: int | None
) -> None:
    recorder.insert_events([make_event() for _ in range(4)])
    remove_triggers(engine)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM events WHERE position = 2"))
    with pytest.raises(LogGapError) as gap:
        recorder.select_notifications(start, 10)
    assert (gap.value.expected, gap.value.found) == (2, 3)
    assert [n.id for n in recorder.select_notifications(3, 10)] == [3, 4]
    assert [n.id for n in recorder.select_notifications(1, 10, topics=["sealed"])] == [1, 3, 4]


def test_a_reader_stops_at_a_missing_beginning(
    engine: Engine, recorder: SqlProcessRecorder
) -> None:
    recorder.insert_events([make_event(), make_event()])
    remove_triggers(engine)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM events WHERE position = 1"))
    with pytest.raises(LogGapError):
        recorder.select_notifications(None, 10)


def test_a_read_sees_one_moment_however_many_queries_follow(
    engine: Engine, recorder: SqlProcessRecorder
) -> None:
    with begin_read(engine) as connection:
        before = read_head(connection)
        recorder.insert_events([make_event()])
        assert read_head(connection) == before
    assert recorder.get_head().position == 1


def test_a_writer_that_reads_first_is_not_refused(
    engine: Engine, recorder: SqlProcessRecorder
) -> None:
    """SQLite refuses a snapshot that became a writer too late; we lock at the beginning."""
    with begin_write(engine) as connection:
        read_head(connection)
        connection.execute(text("INSERT INTO tracking VALUES ('reader', 1)"))
    assert recorder.max_tracking_id("reader") == 1


def test_events_and_tracking_are_recorded_together_or_not_at_all(
    recorder: SqlProcessRecorder,
) -> None:
    recorder.insert_events([make_event()], tracking=Tracking("upstream", 7))
    with pytest.raises(IntegrityError):
        recorder.insert_events([make_event()], tracking=Tracking("upstream", 7))
    assert recorder.max_notification_id() == 1


def test_a_table_that_is_missing_is_an_error_of_the_library(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE tracking"))
    # The drivers disagree about its name.
    with pytest.raises((OperationalError, ProgrammingError)):
        SqlProcessRecorder(engine).max_tracking_id("reader")


def test_a_commit_without_acknowledgement_is_unknown(postgresql_url: str) -> None:
    migrate(postgresql_url)
    engine = make_engine(postgresql_url)
    recorder = SqlApplicationRecorder(engine)

    def record_while_the_server_ends_the_session() -> None:
        with recorder.append() as append, engine.connect() as other:
            append.insert([make_event()])
            pid = append.connection.scalar(text("SELECT pg_backend_pid()"))
            other.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid})

    with pytest.raises(CommitUnknownError):
        record_while_the_server_ends_the_session()
    assert recorder.insert_events([make_event()]) == [1]
    engine.dispose()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/name"])
def test_a_database_that_cannot_keep_the_log_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not a SQLite file or a PostgreSQL database"):
        make_engine(url)


def test_sqlite_is_set_up_to_lose_nothing(tmp_path: Path) -> None:
    engine = make_engine(sqlite_url(tmp_path / "caseflow.db"))
    pragmas = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
    with engine.connect() as connection:
        found = {name: connection.scalar(text(f"PRAGMA {name}")) for name in pragmas}
    engine.dispose()
    assert found == pragmas


def test_positions_and_versions_agree_with_the_order_of_recording(
    recorder: SqlProcessRecorder,
) -> None:
    case_id = uuid4()
    recorder.insert_events([make_event(version, case_id) for version in (1, 2)])
    recorder.insert_events([make_event(version, case_id) for version in (3, 4)])
    notifications = recorder.select_notifications(None, 10)
    assert all(
        (later.id, later.originator_version) == (earlier.id + 1, earlier.originator_version + 1)
        for earlier, later in pairwise(notifications)
    )
    assert recorder.select_events(case_id, gt=1, lte=3, desc=True, limit=1) == [
        make_event(3, case_id)
    ]
