"""A load of HTTP requests over kept connections, from a process that does nothing else.

It reads no more of an answer than it needs to know where the next one begins, so that on a machine
of two cores the server is what is measured.
"""

import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

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
    url: str, requests: Sequence[bytes], *, connections: int, expected: int = 200
) -> Outcome:
    """Send requests, each once and in order, over so many connections at a time; blocks."""
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    arguments = (url, list(requests), connections, expected, writer)
    process = context.Process(target=_work, args=arguments)
    process.start()
    found: Outcome = reader.recv()
    process.join()
    return found


def make_request(
    method: str, path: str, *, body: bytes = b"", headers: dict[str, str] | None = None
) -> bytes:
    """Return a request as it is sent (RFC 9112)."""
    told = {"Host": "bench", **(headers or {})}
    if body:
        told |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _work(url: str, requests: Sequence[bytes], connections: int, expected: int, told: Any) -> None:
    told.send(asyncio.run(_drive(url, requests, connections, expected)))


async def _drive(url: str, requests: Sequence[bytes], connections: int, expected: int) -> Outcome:
    loop = asyncio.get_running_loop()
    address = urlsplit(url)
    todo, taken = iter(requests), list[float]()
    made = [_Connection(todo, taken, expected, loop.create_future()) for _ in range(connections)]
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
        self, todo: Any, taken: list[float], expected: int, done: "asyncio.Future[None]"
    ) -> None:
        self.done = done
        self.errors = 0
        self._todo = todo
        self._taken = taken
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
