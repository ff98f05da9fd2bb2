"""Following the log: nothing is missed, by whatever way the news comes or does not come."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from uuid import uuid4

import pytest
from eventsourcing.persistence import StoredEvent
from sqlalchemy import Engine, text

from caseflow.database import begin_write, make_engine
from caseflow.eventstore import subscription
from caseflow.eventstore.recorder import LogGapError, SqlApplicationRecorder, SqlProcessRecorder
from caseflow.eventstore.schema import migrate
from tests.eventstore.test_recorder import remove_triggers

GIVE_UP_SECONDS = 60.0


def record_one(recorder: SqlApplicationRecorder) -> int:
    [position] = recorder.insert_events([StoredEvent(uuid4(), 1, "sealed", b"")])
    return position


@contextmanager
def another_process(database_url: str) -> Iterator[SqlApplicationRecorder]:
    """A recorder that shares nothing but the database with the one under test."""
    engine = make_engine(database_url)
    yield SqlApplicationRecorder(engine)
    engine.dispose()


def test_a_watcher_knows_the_head_it_starts_from(recorder: SqlProcessRecorder) -> None:
    record_one(recorder)
    with recorder.watch() as watcher:
        assert watcher.wait(1, GIVE_UP_SECONDS) == watcher.head == 1


def test_a_wait_that_runs_out_returns_the_head(recorder: SqlProcessRecorder) -> None:
    record_one(recorder)
    with recorder.watch() as watcher:
        watcher.wait(1, GIVE_UP_SECONDS)
        assert watcher.wait(2, timeout=0.01) == 1


def test_news_of_another_process_come_without_the_timer(
    database_url: str, recorder: SqlProcessRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "FALLBACK_SECONDS", 24 * 3600.0)
    with another_process(database_url) as other, recorder.watch() as watcher:
        for _ in range(3):
            position = record_one(other)
            assert watcher.wait(position, GIVE_UP_SECONDS) == position


def test_the_timer_finds_what_nobody_announced(
    engine: Engine, recorder: SqlProcessRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def deaf(_: Engine) -> Iterator[Callable[[Event], bool]]:
        yield lambda stopped: stopped.wait(0.001)

    monkeypatch.setattr(subscription, "_open_changes", deaf)
    with recorder.watch() as watcher, begin_write(engine) as connection:
        connection.execute(text("UPDATE log_head SET position = 7"))
        connection.commit()
        assert watcher.wait(7, GIVE_UP_SECONDS) == 7


def test_news_of_this_process_come_even_if_the_database_cannot_be_watched(
    recorder: SqlProcessRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Engine) -> None:
        raise OSError

    monkeypatch.setattr(subscription, "_open_changes", fail)
    with recorder.watch() as watcher:
        record_one(recorder)
        assert watcher.wait(1, GIVE_UP_SECONDS) == 1


def test_a_watcher_outlives_its_connections(postgresql_url: str) -> None:
    migrate(postgresql_url)
    with (
        another_process(postgresql_url) as recorder,
        another_process(postgresql_url) as other,
        recorder.watch() as watcher,
    ):
        watcher.wait(record_one(other), GIVE_UP_SECONDS)
        with other.engine.begin() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    " AND backend_type = 'client backend'"
                )
            )
        assert watcher.wait(record_one(other), GIVE_UP_SECONDS) == 2


def test_stop_wakes_a_waiting_thread(recorder: SqlProcessRecorder) -> None:
    with recorder.watch() as watcher:
        thread = Thread(target=watcher.wait, args=(1, 24 * 3600.0), daemon=True)
        thread.start()
    thread.join(GIVE_UP_SECONDS)
    assert not thread.is_alive()


def test_stop_ends_a_subscription_that_waits_for_an_event(recorder: SqlProcessRecorder) -> None:
    with recorder.subscribe() as following:
        thread = Thread(target=lambda: list(following), daemon=True)
        thread.start()
        following.stop()
        thread.join(GIVE_UP_SECONDS)
        assert not thread.is_alive()


def test_a_subscription_follows_another_process(
    database_url: str, recorder: SqlProcessRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "FALLBACK_SECONDS", 24 * 3600.0)
    with another_process(database_url) as other, recorder.subscribe(gt=1) as following:
        for _ in range(3):
            record_one(other)
        assert next(following).id == 2
        assert next(following).id == 3
        record_one(other)
        assert next(following).id == 4


def test_a_subscription_stops_at_a_hole(engine: Engine, recorder: SqlProcessRecorder) -> None:
    for _ in range(3):
        record_one(recorder)
    remove_triggers(engine)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM events WHERE position = 2"))
    with recorder.subscribe() as following, pytest.raises(LogGapError):
        next(following)
