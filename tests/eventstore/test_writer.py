"""Group commit: few transactions, answers after the commit, and nobody pays for another's fault."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Signal
from threading import Thread
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from eventsourcing.persistence import OperationalError
from sqlalchemy import Connection, func, select
from sqlalchemy import event as sqlalchemy_event

from caseflow.bootstrap import House
from caseflow.database import begin_read
from caseflow.domain.case import Case
from caseflow.domain.errors import NotFoundError, UnavailableError, VersionConflictError
from caseflow.domain.events import Event
from caseflow.domain.vocabulary import AnyClaim
from caseflow.eventstore.case_cache import CaseCache
from caseflow.eventstore.partners import Caller
from caseflow.eventstore.recorder import CommitUnknownError, now_microseconds
from caseflow.eventstore.session import Projector
from caseflow.eventstore.tables import events
from caseflow.eventstore.writer import MAX_BATCH
from caseflow.projections.projector import HouseProjector
from caseflow.settings import Settings
from tests.checks import check_house
from tests.houses import (
    GIVE_UP_SECONDS,
    Desk,
    answer_of,
    list_events_of,
    list_log,
    lose_the_commit,
    new_partner,
    new_settings,
    one_batch,
    refusal_of,
    run_house,
    second_writer,
)

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def settings(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Settings]:
    """Settings of a house without cases, on either database."""
    with new_settings(database_kind, request, tmp_path) as settings:
        yield settings


@pytest.fixture
def house(settings: Settings) -> Iterator[House]:
    """A running house without cases."""
    with run_house(settings) as house:
        yield house


@pytest.fixture
def desk(house: House) -> Desk:
    """A partner that may write and publish."""
    return new_partner(house)


@contextmanager
def counted_commits(house: House) -> Iterator[list[None]]:
    """Yield a list that grows with each transaction committed on the house's database."""
    commits: list[None] = []

    def count(_connection: Connection) -> None:
        commits.append(None)

    sqlalchemy_event.listen(house.engine, "commit", count)
    yield commits
    sqlalchemy_event.remove(house.engine, "commit", count)


def count_stored(house: House, case_id: UUID) -> int:
    """Return how many events of a case are committed, on a connection of its own."""
    query = select(func.count()).where(events.c.originator_id == case_id)
    with begin_read(house.engine) as connection:
        return connection.scalar(query) or 0


# -- group commit ---------------------------------------------------------------------------------


def test_what_many_threads_ask_at_once_is_committed_together(house: House, desk: Desk) -> None:
    cases = [desk.open() for _ in range(5)]
    with counted_commits(house) as commits:
        with one_batch(house.writer), ThreadPoolExecutor(16) as threads:
            told = [threads.submit(desk.submit_claim, cases[n % 5]) for n in range(300)]
            futures = [future.result() for future in told]
        answers = [answer_of(future) for future in futures]
    # One for the request that held the writer up, one for all that gathered behind it.
    assert len(commits) == 2
    assert sorted(answer.position or 0 for answer in answers) == list(range(6, 306))
    check_house(house)


def test_a_batch_is_bounded(house: House, desk: Desk) -> None:
    with counted_commits(house) as commits:
        with one_batch(house.writer):
            futures = [desk.submit_case() for _ in range(MAX_BATCH + 1)]
        assert answer_of(futures[-1]).position == MAX_BATCH + 1
    assert len(commits) == 3
    check_house(house)


def test_a_request_is_answered_only_after_its_commit(house: House, desk: Desk) -> None:
    seen: list[tuple[int, int]] = []

    def look(future: "Future[Any]") -> None:
        # Called where and when the future is resolved.
        told = answer_of(future)
        seen.append((told.version, count_stored(house, told.case_id)))

    case = desk.open()
    with one_batch(house.writer):
        futures = [desk.submit_claim(case) for _ in range(20)]
        for future in futures:
            future.add_done_callback(look)
    # The callbacks are the writer's own work: once it has done something else, they are over.
    house.writer.submit(lambda _: None).result(GIVE_UP_SECONDS)
    assert seen == [(version, 21) for version in range(2, 22)]


def test_requests_for_one_case_are_recorded_in_the_order_of_asking(
    house: House, desk: Desk
) -> None:
    case, other = desk.open(), desk.open()
    with one_batch(house.writer):
        futures = [
            desk.submit_claim(case if n % 3 else other, external_id=f"{n}") for n in range(60)
        ]
    [answer_of(future) for future in futures]
    for case_id, wanted in ((case, [n for n in range(60) if n % 3]), (other, range(0, 60, 3))):
        claims = [event.claim for event in list_events_of(house, case_id)[1:]]
        assert [c.external_id for c in claims if c] == [str(n) for n in wanted]
    check_house(house)


def test_a_case_can_be_opened_and_told_about_in_one_batch(house: House, desk: Desk) -> None:
    with one_batch(house.writer):
        opened = desk.submit_case(external_id="a")
        told = desk.submit_claim("ext:a")
    assert answer_of(told).case_id == answer_of(opened).case_id
    assert answer_of(told).version == 2
    check_house(house)


def test_who_hangs_up_undoes_nothing(house: House, desk: Desk) -> None:
    case = desk.open()
    with one_batch(house.writer):
        withdrawn, kept = desk.submit_claim(case), desk.submit_claim(case)
        # Not begun: this one may still be taken back. Its place is nobody's.
        assert withdrawn.cancel()
    assert answer_of(kept).version == 2
    begun = desk.submit_claim(case)
    answer_of(begun)
    assert not begun.cancel()
    check_house(house)


# -- one fails alone ------------------------------------------------------------------------------


def test_a_refused_request_fails_alone(house: House, desk: Desk) -> None:
    case = desk.open()
    with counted_commits(house) as commits:
        with one_batch(house.writer):
            before = desk.submit_claim(case)
            refused = desk.submit_claim(uuid4())
            after = desk.submit_claim(case)
        assert isinstance(refusal_of(refused), NotFoundError)
        assert (answer_of(before).version, answer_of(after).version) == (2, 3)
    assert len(commits) == 2
    check_house(house)


class Faulty(HouseProjector):
    """Breaks at a claim with this place, when it is taken in or when it is written."""

    poison = "poison"

    def __init__(self, connection: Connection, view_set: str, *, late: bool) -> None:
        super().__init__(connection, view_set)
        self._late = late
        self._broken = False

    def process_event(self, event: Event, *change: Any) -> None:
        super().process_event(event, *change)
        if event.claim is not None and event.claim.place == self.poison:
            self._broken = True
            if not self._late:
                raise ZeroDivisionError

    def flush(self) -> None:
        super().flush()
        if self._broken:
            raise ZeroDivisionError


@pytest.mark.parametrize("late", [False, True])
def test_a_request_whose_projection_breaks_fails_alone(
    house: House, desk: Desk, late: bool
) -> None:
    def make_projector(connection: Connection, view_set: str) -> Projector:
        return Faulty(connection, view_set, late=late)

    with second_writer(house, make_projector) as second:
        faulty = desk.at(second.cases)
        case, other = faulty.open(), faulty.open()
        with one_batch(second.writer):
            futures = [
                faulty.submit_claim(case, external_id="1"),
                faulty.submit_claim(case, external_id="2", place=Faulty.poison),
                faulty.submit_claim(other, external_id="3"),
                faulty.submit_claim(case, external_id="4"),
                faulty.submit_case(external_id="5"),
            ]
        assert isinstance(refusal_of(futures.pop(1)), ZeroDivisionError)
        assert [answer_of(future).version for future in futures] == [2, 2, 3, 1]
        assert [answer_of(future).position for future in futures] == [3, 4, 5, 6]
        # Nothing of it is left: neither its own id nor a version of its case.
        assert answer_of(faulty.submit_claim(case, external_id="2")).created
    check_house(house)


def test_a_request_that_breaks_after_it_recorded_leaves_nothing(house: House, desk: Desk) -> None:
    case = desk.open()

    def refuse(*_: object) -> None:
        raise NotFoundError("too late")

    claim = msgspec.convert({"type": "person.died", "occurred": "2025"}, AnyClaim)
    with one_batch(house.writer):
        good = desk.submit_claim(case)
        broken = house.cases.record_claim(desk.caller, str(case), claim, refuse)
        last = desk.submit_claim(case)
    assert isinstance(refusal_of(broken), RuntimeError)
    assert (answer_of(good).version, answer_of(last).version) == (2, 3)
    check_house(house)


def test_a_database_that_is_away_fails_the_batch_at_once(
    house: House, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking again for each request would wait as long for each."""
    case = desk.open()
    asked: list[None] = []

    def away() -> None:
        asked.append(None)
        raise OperationalError("away")

    with one_batch(house.writer):
        futures = [desk.submit_claim(case) for _ in range(10)]
        monkeypatch.setattr(house.recorder, "append", away)
    assert {type(refusal_of(future)) for future in futures} == {OperationalError}
    assert len(asked) == 1
    monkeypatch.undo()
    assert answer_of(desk.submit_claim(case)).version == 2
    check_house(house)


# -- a commit without an answer -------------------------------------------------------------------


@pytest.mark.parametrize("stored", [True, False])
def test_after_a_commit_without_an_answer_a_repetition_records_nothing_twice(
    house: House, desk: Desk, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    def ask() -> "list[Future[Any]]":
        return [
            desk.submit_claim(case, external_id="1"),
            desk.submit_claim(case, external_id="2", occurred="2025-06"),
            desk.submit_case(external_id="3"),
            desk.submit_claim("ext:3", external_id="4"),
        ]

    case = desk.open()
    with one_batch(house.writer):
        lost = [lose_the_commit(house, monkeypatch, stored=stored), *ask()]
    assert {type(refusal_of(future)) for future in lost} == {CommitUnknownError}
    assert len(list_log(house)) == (5 if stored else 1)
    # The writer goes on, and knows what is stored.
    assert [answer_of(future).created for future in ask()] == [not stored] * 4
    assert answer_of(desk.submit_claim(case)).version == 4
    assert len(list_log(house)) == 6
    check_house(house)


def test_a_commit_without_an_answer_is_not_repeated_one_by_one(
    house: House, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = desk.open()
    with one_batch(house.writer):
        lost = lose_the_commit(house, monkeypatch, stored=True)
        nameless = [desk.submit_claim(case) for _ in range(3)]
    assert {type(refusal_of(f)) for f in (lost, *nameless)} == {CommitUnknownError}
    assert count_stored(house, case) == 4
    check_house(house)


# -- optimistic concurrency, and other processes --------------------------------------------------


def test_an_expected_version_that_has_passed_is_refused(house: House, desk: Desk) -> None:
    case = desk.open()
    assert answer_of(desk.submit_claim(case, expected_version=1)).version == 2
    refusal = refusal_of(desk.submit_claim(case, expected_version=1))
    assert isinstance(refusal, VersionConflictError)
    assert refusal.version == 2
    assert isinstance(refusal_of(desk.submit_claim(case, expected_version=3)), VersionConflictError)
    assert answer_of(desk.submit_claim(case, expected_version=2)).version == 3


def test_of_those_that_expect_one_version_in_one_batch_one_is_recorded(
    house: House, desk: Desk
) -> None:
    case = desk.open()
    with one_batch(house.writer):
        futures = [desk.submit_claim(case, expected_version=1) for _ in range(5)]
    refusals = [refusal_of(future) for future in futures]
    assert refusals.pop(0) is None
    assert {type(refusal) for refusal in refusals} == {VersionConflictError}
    check_house(house)


def test_a_writer_sees_what_another_wrote_since(house: House, desk: Desk) -> None:
    with second_writer(house) as second:
        there = desk.at(second.cases)
        case = desk.open()
        desk.tell(case, external_id="here")
        assert answer_of(there.submit_claim(case, expected_version=2)).version == 3
        # Both hold the case in memory now, and each is behind by what the other wrote.
        assert answer_of(desk.submit_claim(case, expected_version=3)).version == 4
        assert answer_of(there.submit_claim(case, "person.died", after="ext:here")).version == 5
        assert isinstance(
            refusal_of(desk.submit_claim(case, expected_version=4)), VersionConflictError
        )
    check_house(house)


POSTS = 40


def post_many(settings: Settings, caller: Caller, case: UUID, barrier: Any, told: Any) -> None:
    """A process that posts to a case, in batches of all sizes, and reports the versions it got."""
    with run_house(settings, clock=now_microseconds) as house:
        desk = Desk(house.cases, caller)
        barrier.wait(GIVE_UP_SECONDS)
        futures: list[Future[Any]] = []
        for n in range(POSTS):
            futures.append(desk.submit_claim(case, occurred=f"2025-05-{n % 28 + 1:02}"))
            if n % 7 == 0:
                answer_of(futures[-1])
        told.put([answer_of(future).version for future in futures])


def test_two_processes_that_post_to_one_case_make_its_versions_without_a_refusal(
    settings: Settings,
) -> None:
    with run_house(settings, clock=now_microseconds) as house:
        desk = new_partner(house)
        case = desk.open("anonymous")
        barrier, told = SPAWN.Barrier(3), SPAWN.Queue()
        processes = [
            SPAWN.Process(target=post_many, args=(settings, desk.caller, case, barrier, told))
            for _ in range(2)
        ]
        for process in processes:
            process.start()
        barrier.wait(GIVE_UP_SECONDS)
        here = [
            answer_of(desk.submit_claim(case, visibility="public")).version for _ in range(POSTS)
        ]
        there = [told.get(timeout=GIVE_UP_SECONDS) for _ in processes]
        for process in processes:
            process.join(GIVE_UP_SECONDS)
            assert process.exitcode == 0
        # Each in the order in which it was asked for, and between them without a hole.
        assert [sorted(versions) for versions in there] == there
        assert sorted([*here, *there[0], *there[1]]) == list(range(2, 2 + 3 * POSTS))
        check_house(house)


# -- the end --------------------------------------------------------------------------------------


def test_what_was_asked_for_is_finished_before_the_end(settings: Settings) -> None:
    with run_house(settings) as house:
        desk = new_partner(house)
        futures = [desk.submit_case() for _ in range(50)]
    assert [answer_of(future).version for future in futures] == [1] * 50
    assert not house.writer.is_running
    with pytest.raises(UnavailableError):
        desk.submit_case()


def test_whoever_asks_during_the_end_is_answered_or_refused(
    house: House, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for an answer that never comes: the end falls just after the look for it."""
    looked, ending = Signal(), Thread(target=house.writer.stop)

    class Mark(Signal):
        def is_set(self) -> bool:
            found = super().is_set()
            if not looked.is_set():
                looked.set()
                ending.start()
                # Either the end goes first, or it waits until the request is in its place.
                ending.join(0.2)
            return found

    monkeypatch.setattr(house.writer, "_stopped", Mark())
    future = desk.submit_case()
    ending.join(GIVE_UP_SECONDS)
    assert future.done()
    assert answer_of(future).version == 1


def test_cases_are_dropped_from_memory_by_their_events(house: House, desk: Desk) -> None:
    cache = CaseCache(size=4)
    opened = [desk.open() for _ in range(3)]
    desk.tell(opened[1])
    kept = [Case.from_events(list_events_of(house, case_id)) for case_id in opened]
    for case in (*kept, *kept):
        assert case is not None
        cache.put(case)
    cache.advance(4)
    assert [cache.get(case.id) is case for case in kept if case] == [True, True, True]
    desk.tell(opened[2])
    longer = Case.from_events(list_events_of(house, opened[2]))
    assert longer is not None
    cache.put(longer)
    # Not before the batch is over: what it did to a case can be read nowhere else.
    assert cache.get(opened[0]) is kept[0]
    cache.get(opened[1])
    cache.advance(5)
    assert [cache.get(case_id) for case_id in opened] == [kept[0], kept[1], None]


def test_cases_that_do_not_fit_are_read_again(
    house: House, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.writer._cases, "_size", 1)
    opened = [desk.open() for _ in range(2)]
    with one_batch(house.writer):
        futures = [desk.submit_claim(case_id) for _ in range(3) for case_id in opened]
    assert [answer_of(future).version for future in futures] == [2, 2, 3, 3, 4, 4]
    assert [answer_of(desk.submit_claim(case_id)).version for case_id in opened] == [5, 5]
    check_house(house)


# -- names ----------------------------------------------------------------------------------------


@contextmanager
def counted_queries(house: House, table: str) -> Iterator[list[str]]:
    """Yield a list that grows with each query of a table."""
    queries: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if f"FROM {table}" in statement:
            queries.append(statement)

    sqlalchemy_event.listen(house.engine, "before_cursor_execute", count)
    yield queries
    sqlalchemy_event.remove(house.engine, "before_cursor_execute", count)


def test_the_names_of_a_batch_are_looked_up_together(house: House, desk: Desk) -> None:
    desk.open(external_id="a")
    told = desk.tell("ext:a", external_id="a/1")
    with counted_queries(house, "external_ids") as queries:
        with one_batch(house.writer):
            known = [desk.submit_claim("ext:a", external_id="a/1") for _ in range(3)]
            new = [desk.submit_claim("ext:a", external_id="a/2", after="ext:a/1") for _ in range(2)]
            opened = desk.submit_case(external_id="b")
            named = desk.submit_claim("ext:b", external_id="b/1")
        assert [answer_of(f).event_id for f in known] == [told] * 3
        assert [answer_of(f).created for f in (*new, opened, named)] == [True, False, True, True]
    assert len(queries) == 1
    check_house(house)


def test_a_batch_takes_no_more_queries_for_many_cases_than_for_few(
    house: House, desk: Desk
) -> None:
    cases = [desk.open("anonymous") for _ in range(12)]
    for case in cases:
        desk.tell(case, "asylum.claim_made", visibility="public")

    def count(told: list[UUID]) -> tuple[int, list[str]]:
        # A writer that has nothing in memory.
        with second_writer(house) as second, counted_statements(house) as statements:
            at = desk.at(second.cases)
            with one_batch(second.writer):
                futures = [
                    at.submit_claim(c, "wanted.removed", "2025-06-01", visibility="public")
                    for c in told
                ]
            assert len({answer_of(future).position for future in futures}) == len(told)
        return len(statements), statements

    few, _ = count(cases[:2])
    many, statements = count(cases[2:])
    # Keys may be in memory still, or not any more.
    assert many <= few + 3, statements
    check_house(house)


@contextmanager
def counted_statements(house: House) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_more: object) -> None:
        statements.append(statement)

    for engine in (house.engine, house.keys_engine):
        sqlalchemy_event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        for engine in (house.engine, house.keys_engine):
            sqlalchemy_event.remove(engine, "before_cursor_execute", note)
