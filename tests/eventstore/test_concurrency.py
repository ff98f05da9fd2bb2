"""Several processes append at once: order, completeness and refusals hold."""

import multiprocessing
import os
from collections.abc import Callable
from itertools import pairwise
from multiprocessing.context import SpawnProcess
from threading import Timer
from typing import Any
from uuid import UUID, uuid4

from eventsourcing.persistence import IntegrityError, StoredEvent
from sqlalchemy import Engine, select

from caseflow.database import make_engine
from caseflow.eventstore.recorder import SqlApplicationRecorder, now_microseconds
from caseflow.eventstore.subscription import LogSubscription
from caseflow.eventstore.tables import events

SPAWN = multiprocessing.get_context("spawn")
GIVE_UP_SECONDS = 60
WRITERS = 8
APPENDS = 25
EVENTS_PER_APPEND = 2
ROUNDS = 10


def append_many(url: str, number: int, barrier: Any) -> None:
    """A writer process whose clock is `number` seconds ahead of the others'."""
    recorder = SqlApplicationRecorder(
        make_engine(url), clock=lambda: now_microseconds() + number * 1_000_000
    )
    barrier.wait(GIVE_UP_SECONDS)
    for _ in range(APPENDS):
        case_id = uuid4()
        recorder.insert_events(
            [StoredEvent(case_id, v, "sealed", b"") for v in range(EVENTS_PER_APPEND)]
        )


def append_same_versions(url: str, case_id: UUID, barrier: Any, won: Any) -> None:
    """One of two processes that decide on the same version of a case, round after round."""
    recorder = SqlApplicationRecorder(make_engine(url))
    for version in range(1, ROUNDS + 1):
        barrier.wait(GIVE_UP_SECONDS)
        try:
            recorder.insert_events([StoredEvent(case_id, version, "sealed", b"")])
        except IntegrityError:
            continue
        won.put(version)


def die_before_the_commit(url: str) -> None:
    with SqlApplicationRecorder(make_engine(url)).append() as append:
        append.insert([StoredEvent(uuid4(), 1, "sealed", b"")])
        os._exit(9)


def start(target: Callable[..., None], *arguments: Any) -> SpawnProcess:
    process = SPAWN.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def take(subscription: LogSubscription, count: int) -> list[int]:
    """Return the positions of the next events; fewer if they do not come."""
    timer = Timer(GIVE_UP_SECONDS, subscription.stop)
    timer.start()
    positions = []
    for notification in subscription:
        positions.append(notification.id)
        if len(positions) == count:
            break
    timer.cancel()
    return positions


def test_a_tailing_reader_misses_nothing_of_eight_writer_processes(
    database_url: str, engine: Engine
) -> None:
    total = WRITERS * APPENDS * EVENTS_PER_APPEND
    barrier = SPAWN.Barrier(WRITERS)
    with SqlApplicationRecorder(engine).subscribe() as subscription:
        writers = [start(append_many, database_url, n, barrier) for n in range(WRITERS)]
        assert take(subscription, total) == list(range(1, total + 1))
    for writer in writers:
        writer.join(GIVE_UP_SECONDS)
        assert writer.exitcode == 0
    with engine.connect() as connection:
        query = select(events.c.recorded_at).order_by(events.c.position)
        times = list(connection.scalars(query))
    assert all(earlier <= later for earlier, later in pairwise(times))


def test_of_two_processes_with_one_version_exactly_one_is_refused(
    database_url: str, engine: Engine
) -> None:
    case_id = uuid4()
    barrier = SPAWN.Barrier(2)
    won = SPAWN.Queue()
    writers = [start(append_same_versions, database_url, case_id, barrier, won) for _ in range(2)]
    # Read before the processes are joined: they end only when their queue has been emptied.
    winners = [won.get(timeout=GIVE_UP_SECONDS) for _ in range(ROUNDS)]
    for writer in writers:
        writer.join(GIVE_UP_SECONDS)
        assert writer.exitcode == 0
    assert won.empty()
    versions = [e.originator_version for e in SqlApplicationRecorder(engine).select_events(case_id)]
    assert sorted(winners) == versions == list(range(1, ROUNDS + 1))


def test_a_process_killed_before_its_commit_leaves_no_hole(
    database_url: str, recorder: SqlApplicationRecorder
) -> None:
    victim = start(die_before_the_commit, database_url)
    victim.join(GIVE_UP_SECONDS)
    assert victim.exitcode == 9
    assert recorder.insert_events([StoredEvent(uuid4(), 1, "sealed", b"")]) == [1]
