"""A service that is killed again and again, under clients that ask until they are answered.

Each request carries an idempotency key, an external id, or both. Clients ask again with the same
after a broken connection, a server that is gone and an answer that says to come back; some hang up
on purpose, with all of a request sent or a part of it. Whatever happened between, every request is
recorded once, where its answer says, and nothing else is in the log.
"""

import json
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Event as Signal
from typing import Any, Final, NamedTuple
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest

from caseflow.eventstore.recorder import now_microseconds
from tests.api.conftest import AUTHOR, Json, Service
from tests.checks import check_house
from tests.houses import GIVE_UP_SECONDS, list_log, run_house
from tests.served import ServedHouse, served_house

CLIENTS: Final = 32
KILLS: Final = 2
LONG_KILLS: Final = 40
# Of a client's attempts, so many hang up before the answer; of the kills, so many hit a start.
CUT: Final = 0.1
EARLY: Final = 0.2
START_SECONDS: Final = 1.5
LONGEST_SECONDS: Final = 0.05
PAUSE_SECONDS: Final = 0.2
MOST_ANSWERS: Final = 120

OPENING: Final[Json] = {
    "host_state": "KZ",
    "origin_state": "RU",
    "consent": {"publish": "anonymous", "basis": "own"},
}
CLAIMS: Final[list[Json]] = [
    {"type": "detention.apprehended", "occurred": "2025-05-01", "basis": "wanted"},
    {"type": "asylum.claim_made", "occurred": "2025-05", "visibility": "public"},
    {"type": "extradition.granted", "occurred": "2025-06-10", "visibility": "public"},
    {"type": "detention.released", "occurred": "2025-07-02~", "condition": "bail"},
]


class Wish(NamedTuple):
    """A request as it is sent, however often."""

    path: str
    body: bytes
    key: str | None

    @property
    def headers(self) -> dict[str, str]:
        """The headers that make it this request."""
        key = {} if self.key is None else {"Idempotency-Key": self.key}
        return {"Content-Type": "application/json", **key}


class Acknowledged(NamedTuple):
    """A request and the answer that came for it, at last."""

    wish: Wish
    answer: httpx.Response

    @property
    def position(self) -> int:
        """Where the answer says that the event is."""
        return int(self.answer.json()["position"])


class Client:
    """One who posts cases and claims, and asks for each until it is answered."""

    def __init__(self, number: int, url: str, headers: dict[str, str], seed: int) -> None:
        self.acknowledged: list[Acknowledged] = []
        self.counts = Counter[str]()
        self._number = number
        self._address = httpx.URL(url)
        self._http = httpx.Client(base_url=url, headers=headers, timeout=GIVE_UP_SECONDS)
        self._chance = random.Random(seed * 1_000 + number)

    def post_until(self, stopped: Signal) -> None:
        """Open cases and tell about them until it is enough; what was begun is answered."""
        for turn in count():
            if stopped.is_set():
                return
            name = f"{self._number}/{turn}"
            opened = self._ask(self._wish("/v1/cases", OPENING, name)).json()
            case = self._chance.choice([opened["id"], *self._own_name(opened)])
            for n in range(self._chance.randrange(4)):
                told = self._chance.choice(CLAIMS)
                path = f"/v1/cases/{quote(case, safe='')}/events"
                self._ask(self._wish(path, told, f"{name}/{n}"))

    def ask_again(self) -> None:
        """Ask for everything once more and check that it is known, and told as it was."""
        for wish, before in self.acknowledged:
            again = self._answer_for(wish)
            self.counts["asked again"] += 1
            assert again.json()["id"] == before.json()["id"]
            if wish.key is None:
                assert again.status_code == 200
            else:
                assert again.headers.get("Idempotency-Replayed") == "true"
                assert (again.status_code, again.content) == (before.status_code, before.content)

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def _own_name(self, opened: Json) -> list[str]:
        return [f"ext:{opened['external_id']}"] if "external_id" in opened else []

    def _wish(self, path: str, body: Json, name: str) -> Wish:
        """Return a request that can be told again by its key, by its external id, or by both."""
        marks = self._chance.choice(("key", "name", "both"))
        external_id = {} if marks == "key" else {"external_id": f"own/{name}"}
        key = None if marks == "name" else f"key/{name}"
        return Wish(path, json.dumps(body | external_id).encode(), key)

    def _ask(self, wish: Wish) -> httpx.Response:
        answer = self._answer_for(wish)
        self.counts["acknowledged"] += 1
        # Recorded by an attempt whose answer was lost, and not again.
        self.counts["replays"] += "Idempotency-Replayed" in answer.headers
        self.counts["known by their name"] += answer.status_code == 200
        self.acknowledged.append(Acknowledged(wish, answer))
        return answer

    def _answer_for(self, wish: Wish) -> httpx.Response:
        give_up_at = time.monotonic() + GIVE_UP_SECONDS
        while True:
            answer = self._try(wish)
            if answer is not None:
                assert answer.status_code in (200, 201), answer.text
                return answer
            assert time.monotonic() < give_up_at, f"nobody answers any more: {self.counts}"
            self.counts["retries"] += 1
            time.sleep(self._chance.uniform(0, PAUSE_SECONDS))

    def _try(self, wish: Wish) -> httpx.Response | None:
        """Ask once; None where there is no answer, or one that says to come back."""
        self.counts["requests"] += 1
        if self._chance.random() < CUT:
            self._hang_up(wish)
            return None
        try:
            answer = self._http.post(wish.path, content=wish.body, headers=wish.headers)
        except httpx.ConnectError:
            self.counts["refused connections"] += 1
            return None
        except httpx.TransportError:
            self.counts["lost connections"] += 1
            return None
        if says_to_come_back(answer):
            self.counts[f"answers {answer.status_code}"] += 1
            return None
        return answer

    def _hang_up(self, wish: Wish) -> None:
        """Send a request, or the beginning of one, and be gone before the answer."""
        request = self._http.build_request(
            "POST", wish.path, content=wish.body, headers=wish.headers
        )
        head = f"POST {request.url.raw_path.decode()} HTTP/1.1\r\n".encode()
        lines = [name + b": " + value + b"\r\n" for name, value in request.headers.raw]
        data = b"".join([head, *lines, b"\r\n", wish.body])
        if self._chance.random() < 0.25:
            data = data[: self._chance.randrange(len(data))]
        where = (self._address.host, self._address.port or 80)
        with suppress(OSError), socket.create_connection(where) as connection:
            connection.sendall(data)
            self.counts["hung up"] += 1


def says_to_come_back(answer: httpx.Response) -> bool:
    """Return whether the same request is to be sent again, a little later."""
    if answer.status_code == 409:
        return bool(answer.json()["type"] == "/problems/conflict")
    # A 500 is a fault of ours, dead or alive.
    return answer.status_code in (429, 503)


class Crowd:
    """All clients at once, each on a thread of its own."""

    def __init__(self, clients: list[Client]) -> None:
        self.clients = clients
        self._pool = ThreadPoolExecutor(len(clients))
        self._stopped = Signal()
        self._running: list[Future[None]] = []

    def start(self) -> None:
        """Begin to post."""
        post = [client.post_until for client in self.clients]
        self._running = [self._pool.submit(each, self._stopped) for each in post]

    def wait_for_answers(self, wanted: int) -> None:
        """Wait until so many more requests were answered, or a client has failed."""
        enough = self._answers + wanted
        while self._answers < enough and not any(f.done() for f in self._running):
            time.sleep(0.005)

    def finish(self) -> None:
        """Have each client end what it has begun. Raises what a client failed with."""
        self._stopped.set()
        for running in self._running:
            running.result()

    def each(self, act: Callable[[Client], None]) -> None:
        """Do something for each client. Raises what it failed with."""
        list(self._pool.map(act, self.clients))

    def close(self) -> None:
        """Stop, whatever became of it."""
        self._stopped.set()
        self._pool.shutdown()
        for client in self.clients:
            client.close()

    @property
    def _answers(self) -> int:
        return sum(len(client.acknowledged) for client in self.clients)

    @property
    def acknowledged(self) -> list[Acknowledged]:
        """All that was answered."""
        return [found for client in self.clients for found in client.acknowledged]

    @property
    def counts(self) -> Counter[str]:
        """What all of them have counted."""
        return sum((client.counts for client in self.clients), Counter[str]())


def kill_again_and_again(
    house: ServedHouse, crowd: Crowd, kills: int, chance: random.Random
) -> None:
    """Kill a service at any moment, its starts included, and leave it running in the end."""
    for _ in range(kills):
        house.start()
        if chance.random() < EARLY:
            time.sleep(chance.uniform(0, START_SECONDS))
        else:
            house.wait_until_ready()
            # Some answers first, so that a busy machine gets somewhere.
            crowd.wait_for_answers(chance.randrange(MOST_ANSWERS))
            time.sleep(chance.uniform(0, LONGEST_SECONDS))
        house.kill()
    house.start()
    house.wait_until_ready()
    crowd.wait_for_answers(MOST_ANSWERS)


def check_log(house: ServedHouse, acknowledged: list[Acknowledged]) -> None:
    """Assert that each request is in the log once, where its answer says, and nothing else is."""
    told = sorted(found.position for found in acknowledged)
    assert told == list(range(1, len(acknowledged) + 1))
    with run_house(house.settings, clock=now_microseconds) as opened:
        log = dict(list_log(opened))
        assert log.keys() == set(told)
        assert len({event.id for event in log.values()}) == len(log)
        for found in acknowledged:
            event, answer = log[found.position], found.answer.json()
            is_case = found.wish.path == "/v1/cases"
            assert UUID(answer["id"]) == (event.originator_id if is_case else event.id)
            assert getattr(event.body, "external_id", None) == answer.get("external_id")
        check_house(opened)


def survive(house: ServedHouse, kills: int, seed: int) -> Counter[str]:
    """Kill a service under its clients, check what is left, and return the figures."""
    with httpx.Client() as outside:
        service = Service(house.settings, outside)  # type: ignore[arg-type]
        headers = service.partner(*AUTHOR).headers
        service.engine.dispose()
    crowd = Crowd([Client(n, house.url, headers, seed) for n in range(CLIENTS)])
    try:
        crowd.start()
        kill_again_and_again(house, crowd, kills, random.Random(seed))
        crowd.finish()
        crowd.each(Client.ask_again)
    finally:
        crowd.close()
        house.kill()
    check_log(house, crowd.acknowledged)
    return crowd.counts + Counter(kills=kills)


@pytest.fixture
def house(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[ServedHouse]:
    """A service on either kind of database, not started yet."""
    with served_house(database_kind, request, tmp_path) as house:
        yield house


def test_clients_that_do_not_give_up_record_everything_once(house: ServedHouse) -> None:
    counts = survive(house, KILLS, seed=1)
    assert counts["replays"], "no answer was lost: nothing was tried"


@pytest.mark.soak
def test_clients_that_do_not_give_up_for_long_record_everything_once(
    house: ServedHouse, database_kind: str, capsys: pytest.CaptureFixture[Any]
) -> None:
    counts = survive(house, LONG_KILLS, seed=2)
    with capsys.disabled():
        print(f"\n{database_kind}:", ", ".join(f"{n} {name}" for name, n in counts.items()))
