"""Imports: lines in, one result for each line out, in constant memory whatever their number."""

import asyncio
import io
from collections.abc import AsyncIterator
from functools import partial
from queue import Full, Queue
from tempfile import TemporaryFile
from typing import IO, Any, Final

import msgspec
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from litestar import post
from litestar.exceptions import HTTPException
from litestar.response import Stream

from caseflow.domain.errors import UnreadableError
from caseflow.eventstore.application import Cases
from caseflow.eventstore.importing import LineResult, import_lines, read_lines
from caseflow.eventstore.partners import Caller
from caseflow.eventstore.rehearsal import Rehearsal

from .bodies import require_type
from .conditional import PRIVATE
from .parameters import parse_flag, read_query
from .problems import problem_of
from .services import AnyRequest, services_of

NDJSON: Final = "application/x-ndjson"
# Chunks of a body that wait for the lines before them to be recorded.
WAITING_CHUNKS: Final = 16
CHUNK_BYTES: Final = 65_536
# How long a chunk waits before it is looked again whether there is room. Those that wait are more
# than are recorded meanwhile, and each look takes the interpreter from who records.
STEP_SECONDS: Final = 0.05
# Imports have threads of their own: four of them leave every read its thread.
MAX_IMPORTS: Final = 4


@post("/v1/imports", status_code=200)
async def import_records(request: AnyRequest) -> Stream:
    """Record the lines of a file; answer, once the last is read, what became of each.

    A rejected line stops nothing, and importing the same again changes nothing.
    """
    services = services_of(request)
    caller = await services.require(request, "events:write")
    dry_run = parse_flag(read_query(request, "dry_run"), "dry_run")
    require_type(request, NDJSON)
    cases = services.cases
    if dry_run:
        cases = cases.rehearsing(Rehearsal(services.reader, services.clock))
    # Nothing of it is left on the disk when the answer has gone, which closes it.
    results = TemporaryFile()  # noqa: SIM115
    try:
        await _record(request, cases, caller, results)
    except BaseException:
        results.close()
        raise
    return Stream(_read(results), media_type=NDJSON, headers={"Cache-Control": PRIVATE})


async def _record(request: AnyRequest, cases: Cases, caller: Caller, results: IO[bytes]) -> None:
    """Feed the body to the thread that imports it, no faster than it is recorded."""
    incoming = Incoming()
    recording = asyncio.create_task(
        run_sync(partial(_import, cases, caller, incoming, results), limiter=_limiter())
    )

    async def feed(chunk: bytes) -> None:
        while not recording.done() and not incoming.feed(chunk):
            await asyncio.sleep(STEP_SECONDS)

    try:
        async for chunk in request.stream():
            if chunk:  # an empty one would be the end
                await feed(chunk)
    except HTTPException:
        # The last line may be half a line: what came whole is recorded, the rest is not.
        incoming.broken = True
    await feed(b"")
    await recording


def _import(cases: Cases, caller: Caller, incoming: "Incoming", results: IO[bytes]) -> None:
    for result in import_lines(cases, caller, read_lines(io.BufferedReader(incoming))):
        results.write(msgspec.json.encode(_render(result)) + b"\n")
    results.seek(0)


def _render(result: LineResult) -> dict[str, Any]:
    rendered: dict[str, Any] = {"line": result.line, "result": result.result}
    if result.id is not None:
        rendered["id"] = str(result.id)
    if result.error is not None:
        problem = msgspec.to_builtins(problem_of(result.error))
        rendered["problem"] = {name: value for name, value in problem.items() if value != []}
    return rendered


async def _read(results: IO[bytes]) -> AsyncIterator[bytes]:
    with results:
        while chunk := await run_sync(results.read, CHUNK_BYTES):
            yield chunk


def _limiter() -> CapacityLimiter:
    """Return the limiter of imports of this event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _limiters:
        _limiters.clear()
        _limiters[loop] = CapacityLimiter(MAX_IMPORTS)
    return _limiters[loop]


_limiters: dict[asyncio.AbstractEventLoop, CapacityLimiter] = {}


class Incoming(io.RawIOBase):
    """A body as a file: fed by the connection, read by the thread that imports."""

    def __init__(self) -> None:
        self._chunks: Queue[bytes] = Queue(WAITING_CHUNKS)
        self._rest = b""
        self._ended = False
        self.broken = False
        """Whether the end, when it comes, comes too early."""

    def feed(self, chunk: bytes) -> bool:
        """Add bytes, none for the end; return whether there was room."""
        try:
            self._chunks.put_nowait(chunk)
        except Full:
            return False
        return True

    def readable(self) -> bool:
        """Return true: it is there to be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what has come, waiting for something. Raises UnreadableError at an early end."""
        if not self._rest and not self._ended:
            self._rest = self._chunks.get()
            self._ended = not self._rest
        if self._ended and self.broken:
            raise UnreadableError("the body ended before its end")
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)
