"""A load of HTTP requests over kept connections, from a process that does nothing else.

It reads no more of an answer than it needs to know where the next one begins, so that on a machine
of two cores the server is what is measured.
"""

import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

_CONTEXT: Final = multiprocessing.get_context("spawn")
_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


class Outcome(NamedTuple):
    """What came of a load. rate: answers a second. p50, p99: seconds until an answer was whole.

    errors: answers other than the status expected, and connections that broke.
    """

    rate: float
    p50: float
    p99: float
    errors: int
    count: int


def run_load(
    url: str,
    requests: Sequence[bytes],
    *,
    connections: int,
    expected: int = 200,
    interval: float = 0.0,
) -> Outcome:
    """Send requests, each once and in order, over so many connections at a time; blocks.

    interval: seconds from one request of a connection to its next, if its answer is there by then.
    """
    reader, writer = _CONTEXT.Pipe(duplex=False)
    arguments = (url, list(requests), connections, expected, interval, writer)
    process = _CONTEXT.Process(target=_work, args=arguments)
    process.start()
    found: Outcome = reader.recv()
    process.join()
    return found


@contextmanager
def subscribed(url: str, path: str, number: int) -> Iterator[None]:
    """Keep so many streams open in a process of its own, which reads all and looks at nothing."""
    told, heard = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=_follow, args=(url, path, number, heard))
    process.start()
    assert told.recv() == number
    try:
        yield
    finally:
        told.send(None)
        process.join()


def make_request(
    method: str, path: str, *, body: bytes = b"", headers: dict[str, str] | None = None
) -> bytes:
    """Return a request as it is sent (RFC 9112)."""
    told = {"Host": "bench", **(headers or {})}
    if body:
        told |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _follow(url: str, path: str, number: int, told: Any) -> None:
    asyncio.run(_read_streams(url, make_request("GET", path), number, told))


async def _read_streams(url: str, request: bytes, number: int, told: Any) -> None:
    loop, address = asyncio.get_running_loop(), urlsplit(url)
    made = [_Subscriber(request, loop.create_future()) for _ in range(number)]
    for one in made:
        await loop.create_connection(lambda one=one: one, address.hostname, address.port)  # type: ignore[misc]
        await one.begun
    told.send(number)
    await loop.run_in_executor(None, told.recv)


class _Subscriber(asyncio.Protocol):
    """A stream that is read."""

    def __init__(self, request: bytes, begun: "asyncio.Future[None]") -> None:
        self.begun = begun
        self._request = request

    def connection_made(self, transport: Any) -> None:
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self.begun.done():
            assert data.startswith(b"HTTP/1.1 200"), data
            self.begun.set_result(None)


def _work(
    url: str,
    requests: Sequence[bytes],
    connections: int,
    expected: int,
    interval: float,
    told: Any,
) -> None:
    told.send(asyncio.run(_drive(url, requests, connections, expected, interval)))


async def _drive(
    url: str, requests: Sequence[bytes], connections: int, expected: int, interval: float
) -> Outcome:
    loop = asyncio.get_running_loop()
    address = urlsplit(url)
    todo, taken = iter(requests), list[float]()
    made = [
        _Connection(todo, taken, expected, interval, loop.create_future())
        for _ in range(connections)
    ]
    for connection in made:
        await loop.create_connection(
            lambda one=connection: one,
            address.hostname,
            address.port,  # type: ignore[misc]
        )
    begun = time.perf_counter()
    for connection in made:
        connection.send_next()
    await asyncio.gather(*(connection.done for connection in made))
    seconds = time.perf_counter() - begun
    cuts = statistics.quantiles(taken, n=100)
    errors = sum(connection.errors for connection in made)
    return Outcome(len(taken) / seconds, cuts[49], cuts[98], errors, len(taken))


class _Connection(asyncio.Protocol):
    """One connection: sends the next request when the answer to the last one is whole."""

    def __init__(
        self,
        todo: Any,
        taken: list[float],
        expected: int,
        interval: float,
        done: "asyncio.Future[None]",
    ) -> None:
        self.done = done
        self.errors = 0
        self._todo = todo
        self._taken = taken
        self._interval = interval
        self._begins = f"HTTP/1.1 {expected}".encode()
        self._buffer = b""
        self._needed = 0
        self._sent_at = 0.0
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def send_next(self) -> None:
        request = next(self._todo, None)
        if request is None:
            self._finish()
            return
        self._buffer, self._needed = b"", 0
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._needed and not self._read_head():
            return
        if len(self._buffer) >= self._needed:
            self._taken.append(time.perf_counter() - self._sent_at)
            self.errors += not self._buffer.startswith(self._begins)
            left = self._interval - self._taken[-1]
            if left > 0:
                self.done.get_loop().call_later(left, self.send_next)
            else:
                self.send_next()

    def _read_head(self) -> bool:
        end = self._buffer.find(_END)
        if end < 0:
            return False
        head = self._buffer[:end].lower()
        at = head.find(_LENGTH)
        length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        self._needed = end + len(_END) + length
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.errors += 1
            self._finish()

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)
            self._transport.close()
