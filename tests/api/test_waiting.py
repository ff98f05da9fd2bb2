"""Waiting for a position keeps only a few threads: who only reads is answered meanwhile."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Semaphore
from typing import Any

import msgspec
import pytest

from caseflow.api import services as services_module
from caseflow.api.services import MAX_AHEAD, MAX_WAITING, Services
from caseflow.bootstrap import House
from caseflow.domain.errors import UnavailableError
from caseflow.serving import make_services
from tests.houses import GIVE_UP_SECONDS, Desk, new_partner, new_settings, run_house

from .conftest import Service, items, problem


class Watcher:
    """A watcher that counts who waits, and lets them wait until it is told."""

    def __init__(self) -> None:
        self.waiting = Semaphore(0)
        self.let_go = Event()

    def wait(self, position: int, timeout: float) -> int:
        self.waiting.release()
        assert self.let_go.wait(GIVE_UP_SECONDS)
        return position


@pytest.fixture
def house(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """A running house without cases, on either database."""
    with (
        new_settings(database_kind, request, tmp_path) as settings,
        run_house(settings) as house,
    ):
        yield house


@pytest.fixture
def desk(house: House) -> Desk:
    return new_partner(house)


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
def services(house: House, watcher: Watcher) -> Services:
    """The house's own, except that nobody who waits is woken before the test says so."""
    waiting: Any = watcher
    return msgspec.structs.replace(make_services(house), watcher=waiting)


def see(services: Services, desk: Desk, min_position: int | None) -> int:
    with services.snapshot(desk.caller, min_position) as snapshot:
        return snapshot.head.position


def test_a_few_wait_and_the_others_are_told_at_once(
    services: Services, watcher: Watcher, desk: Desk
) -> None:
    case = desk.open("anonymous")
    with ThreadPoolExecutor(MAX_WAITING) as threads:
        waits = [threads.submit(see, services, desk, 2) for _ in range(MAX_WAITING)]
        for _ in waits:
            assert watcher.waiting.acquire(timeout=GIVE_UP_SECONDS)
        with pytest.raises(UnavailableError, match="too many requests"):
            see(services, desk, 2)
        # Whoever need not wait is answered as ever.
        assert see(services, desk, 1) == see(services, desk, None) == 1
        assert not any(wait.done() for wait in waits)
        desk.tell(case)
        watcher.let_go.set()
        assert [wait.result(GIVE_UP_SECONDS) for wait in waits] == [2] * MAX_WAITING


def test_a_place_is_given_back_however_the_wait_ends(
    services: Services, watcher: Watcher, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services_module, "MIN_POSITION_SECONDS", 0.001)
    watcher.let_go.set()
    for _ in range(MAX_WAITING + 1):
        with pytest.raises(UnavailableError, match="not been reached yet"):
            see(services, desk, 2)
    # Nor is it kept by whoever has got what was waited for.
    case = desk.open()
    desk.tell(case)
    with services.snapshot(desk.caller, 2), services.snapshot(desk.caller, 2):
        assert services.places.acquire(blocking=False)


def test_a_position_far_ahead_is_not_waited_for(
    services: Services, watcher: Watcher, desk: Desk
) -> None:
    desk.open()
    for caller, seen in ((desk.caller, 1), (None, 0)):
        far = seen + MAX_AHEAD + 1
        with pytest.raises(UnavailableError, match="far"), services.snapshot(caller, far):
            pass
    assert not watcher.waiting.acquire(blocking=False)
    watcher.let_go.set()
    with pytest.raises(UnavailableError, match="not been reached yet"):
        see(services, desk, 1 + MAX_AHEAD)


def test_it_is_answered_503(light: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every place taken, and for a position far ahead; also to who follows the log."""
    for path in ("/v1/cases", "/v1/events", "/feeds/all.atom"):
        answer = light.get(path, min_position=999_999_999)
        assert "far" in problem(answer, 503, "unavailable")["detail"]
        assert int(answer.headers["retry-after"]) >= 1
    places = light.client.app.state.services.places
    for _ in range(MAX_WAITING):
        assert places.acquire(blocking=False)
    for path in ("/v1/cases", "/v1/events"):
        answer = light.get(path, min_position=1)
        assert "too many" in problem(answer, 503, "unavailable")["detail"]
        assert items(light.get(path, min_position=0)) == items(light.get(path)) == []
