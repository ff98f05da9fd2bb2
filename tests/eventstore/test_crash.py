"""Processes that die at any moment: nothing acknowledged is lost, no event is without its key."""

import multiprocessing
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.persistence import DatabaseError
from sqlalchemy import event, text

from caseflow.bootstrap import House
from caseflow.database import begin_write
from caseflow.eventstore import recorder as recorder_module
from caseflow.eventstore.partners import Caller
from caseflow.eventstore.recorder import now_microseconds
from caseflow.projections.projector import HouseProjector
from caseflow.settings import Settings
from tests.checks import check_house
from tests.houses import (
    GIVE_UP_SECONDS,
    Desk,
    answer_of,
    list_log,
    new_partner,
    new_settings,
    refusal_of,
    run_house,
)

# New processes are copies of one that has loaded everything and has no threads: quick to start.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.houses", "tests.checks"])
ROUNDS = {"sqlite": 24, "postgresql": 5}
LONG_ROUNDS = {"sqlite": 500, "postgresql": 150}
LONGEST_SECONDS = 0.03


@pytest.fixture
def settings(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Settings]:
    """Settings of a house without cases, on either database."""
    with new_settings(database_kind, request, tmp_path, keys=database_kind) as settings:
        yield settings


def make_partner(settings: Settings) -> Caller:
    """Return a partner of a house that is closed again."""
    with run_house(settings, clock=now_microseconds) as house:
        return new_partner(house).caller


# -- killed from outside --------------------------------------------------------------------------


def write_until_killed(settings: Settings, caller: Caller, number: int, told: Pipe) -> None:
    """Open cases and tell about them, in batches of all sizes, and report every answer."""
    with run_house(settings, clock=now_microseconds) as house:
        desk = Desk(house.cases, caller)
        told.send(None)
        for turn in range(1_000_000):
            futures = []
            for n in range(turn % 5 + 1):
                name = f"{number}/{turn}/{n}"
                futures.append(desk.submit_case("anonymous", external_id=name))
                claim: dict[str, Any] = {"external_id": f"{name}/claim", "visibility": "public"}
                futures.append(desk.submit_claim(f"ext:{name}", **claim))
            for future in futures:
                answer = answer_of(future)
                told.send((answer.event_id, answer.position))


def kill_while_it_writes(
    settings: Settings, caller: Caller, number: int, chance: random.Random
) -> dict[UUID, int]:
    """Return what a process acknowledged before it was killed: event ids and positions."""
    here, there = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=write_until_killed, args=(settings, caller, number, there))
    process.start()
    there.close()
    assert here.poll(GIVE_UP_SECONDS)
    assert here.recv() is None
    # Some answers first, so that a busy machine gets somewhere; then in the middle of anything.
    acknowledged = dict(here.recv() for _ in range(chance.randrange(12)))
    time.sleep(chance.uniform(0, LONGEST_SECONDS))
    process.kill()
    process.join(GIVE_UP_SECONDS)
    acknowledged |= receive_all(here)
    here.close()
    process.close()
    return acknowledged


def receive_all(pipe: Pipe) -> Iterator[Any]:
    """Yield what a process said before it died; its last word may be cut off."""
    try:
        while True:
            yield pipe.recv()
    except (EOFError, OSError):
        return


def check_acknowledged(house: House, acknowledged: dict[UUID, int]) -> None:
    """Assert that all that was acknowledged is in the log, once and where it was said to be."""
    log = list_log(house)
    stored = {event.id: position for position, event in log}
    assert len(stored) == len(log)
    assert {event_id: stored.get(event_id) for event_id in acknowledged} == acknowledged
    names = Counter(getattr(event.body, "external_id", None) or event.id for _, event in log)
    assert set(names.values()) == {1}


def kill_again_and_again(settings: Settings, rounds: int, seed: int) -> None:
    """Kill one process after the other on the same databases; each goes on where one died."""
    chance = random.Random(seed)
    caller = make_partner(settings)
    acknowledged: dict[UUID, int] = {}
    for number in range(rounds):
        acknowledged |= kill_while_it_writes(settings, caller, number, chance)
    with run_house(settings, clock=now_microseconds) as house:
        check_acknowledged(house, acknowledged)
        check_house(house)
        # And it can be written on, also about what a dead process did not hear of.
        answer_of(Desk(house.cases, caller).submit_case("anonymous", external_id="0/0/0"))
        check_house(house)
    assert len(acknowledged) > rounds


def test_a_house_that_is_killed_loses_nothing_it_acknowledged(
    settings: Settings, database_kind: str
) -> None:
    kill_again_and_again(settings, ROUNDS[database_kind], seed=1)


@pytest.mark.soak
def test_a_house_that_is_killed_for_long_loses_nothing_it_acknowledged(
    settings: Settings, database_kind: str
) -> None:
    kill_again_and_again(settings, LONG_ROUNDS[database_kind], seed=2)


# -- killed at a chosen point ---------------------------------------------------------------------


def die(*_: object, **__: object) -> None:
    """End this process at once, as a power cut would."""
    os._exit(9)


def die_after_the_keys(house: House, patch: pytest.MonkeyPatch) -> None:
    create = house.keys.create_keys

    def create_and_die(case_ids: Any) -> Any:
        create(case_ids)
        die()

    patch.setattr(house.keys, "create_keys", create_and_die)


def die_before_the_keys(house: House, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(house.keys, "create_keys", die)


def die_before_the_events(house: House, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(house.mapper, "to_stored_events", die)


def die_before_the_views(house: House, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(HouseProjector, "flush", die)


def die_before_the_commit(house: House, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recorder_module, "_commit", die)


def die_after_the_commit(house: House, patch: pytest.MonkeyPatch) -> None:
    commit = recorder_module._commit

    def commit_and_die(connection: Any) -> None:
        commit(connection)
        die()

    patch.setattr(recorder_module, "_commit", commit_and_die)


Death = Callable[[House, pytest.MonkeyPatch], None]
# Each with whether the key of the case is there afterwards, and whether its event is.
DEATHS: dict[Death, tuple[bool, bool]] = {
    die_before_the_keys: (False, False),
    die_after_the_keys: (True, False),
    die_before_the_events: (True, False),
    die_before_the_views: (True, False),
    die_before_the_commit: (True, False),
    die_after_the_commit: (True, True),
}


def open_and_die(settings: Settings, caller: Caller, death: Death) -> None:
    """Open a case in a house that dies on the way."""
    with (
        run_house(settings, clock=now_microseconds) as house,
        pytest.MonkeyPatch.context() as patch,
    ):
        death(house, patch)
        answer_of(Desk(house.cases, caller).submit_case(external_id="a"))


@pytest.mark.parametrize("death", DEATHS, ids=lambda death: death.__name__)
def test_no_death_between_the_stores_leaves_an_event_without_its_key(
    settings: Settings, death: Death
) -> None:
    has_key, has_event = DEATHS[death]
    caller = make_partner(settings)
    process: BaseProcess = CONTEXT.Process(target=open_and_die, args=(settings, caller, death))
    process.start()
    process.join(GIVE_UP_SECONDS)
    assert process.exitcode == 9
    with run_house(settings, clock=now_microseconds) as house:
        assert len(house.keys.list_case_ids()) == has_key
        assert len(list_log(house)) == has_event
        check_house(house)
        # Whoever heard nothing asks again, and finds one case.
        again = answer_of(Desk(house.cases, caller).submit_case(external_id="a"))
        assert again.created == (not has_event)
        assert len(list_log(house)) == 1
        check_house(house)


# -- a key store that fails -----------------------------------------------------------------------


def rename_keys(house: House, before: str, after: str) -> None:
    """Take the table of the keys away, or bring it back."""
    with begin_write(house.keys_engine) as connection:
        connection.execute(text(f"ALTER TABLE {before} RENAME TO {after}"))


def test_without_the_key_store_no_case_is_opened(settings: Settings) -> None:
    with run_house(settings) as house:
        desk = new_partner(house)
        case = desk.open()
        rename_keys(house, "case_keys", "gone")
        opened, told = desk.submit_case(external_id="a"), desk.submit_claim("ext:a")
        assert isinstance(refusal_of(opened), DatabaseError)
        assert refusal_of(told) is not None
        assert len(list_log(house)) == 1
        rename_keys(house, "gone", "case_keys")
        assert answer_of(desk.submit_case(external_id="a")).created
        desk.tell(case)
        check_house(house)


def test_a_key_that_is_not_durable_is_not_sealed_under(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit of the key store that fails: its transaction is undone, and nothing is recorded."""
    with run_house(settings) as house:
        desk = new_partner(house)
        desk.open()

        def fail(_connection: object) -> None:
            raise DatabaseError("the disk is full")

        event.listen(house.keys_engine, "commit", fail)
        assert isinstance(refusal_of(desk.submit_case()), DatabaseError)
        event.remove(house.keys_engine, "commit", fail)
        assert len(house.keys.list_case_ids()) == len(list_log(house)) == 1
        desk.open()
        check_house(house)
