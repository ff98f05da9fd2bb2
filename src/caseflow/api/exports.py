"""Exports: the whole log that a caller may see, line by line, in constant memory.

Every batch of lines is read at a position of its own: no transaction lasts for as long as a slow
reader takes.
"""

import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, Final

from anyio.to_thread import run_sync
from litestar import route
from litestar.response import Stream

from caseflow.eventstore.partners import Caller

from .answers import BY_KEY
from .asked import Asked
from .conditional import PRIVATE
from .events import list_after
from .imports import NDJSON
from .negotiation import accepts_gzip
from .rendering import encode
from .restricted import log_reads
from .routes import GET_AND_HEAD
from .services import AnyRequest, Services, position_of, services_of

BATCH_LINES: Final = 200
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS


@route("/v1/exports/log", http_method=GET_AND_HEAD)
async def export_log(request: AnyRequest) -> Stream:
    """Return the log from a position, an event a line, up to where it ends when this is asked.

    The lines are the items of `GET /v1/events`, in order. To go on, send the `position` of the last
    line that came whole as `after`. Where something fails on the way, the answer breaks off.
    """
    services = services_of(request)
    asked = Asked(request, "after", "limit")
    caller = await services.authenticator.find_caller_async(request)
    export = Export(services, caller, after=asked.after, limit=asked.lines)
    headers = {"Cache-Control": PRIVATE, "Vary": ", ".join((*BY_KEY, "Accept-Encoding"))}
    if accepts_gzip(request):
        headers["Content-Encoding"] = "gzip"
    # Before the first line a failure is still a problem with a status of its own.
    if request.method == "HEAD":
        await run_sync(export.find_end)
        content = _nothing()
    else:
        first = await run_sync(export.read_lines)
        content = _stream(export, first, partial(services.find_caller, request))
        content = _zip(content) if accepts_gzip(request) else content
    return Stream(content, media_type=NDJSON, headers=headers)


class Export:
    """The lines that a caller gets, batch by batch."""

    def __init__(
        self, services: Services, caller: Caller | None, *, after: int, limit: int | None = None
    ) -> None:
        """limit: how many lines at most; None for all."""
        self._services = services
        self._caller = caller
        self._left = limit
        self._end: int | None = None
        self.position = after
        """Everything up to it has been read."""

    def find_end(self) -> None:
        """Find where the log ends now: what comes later is for another export. Blocks."""
        with self._services.reader.snapshot() as snapshot:
            self._end = position_of(snapshot, self._caller)

    @property
    def end(self) -> int:
        """Return the last position that is exported."""
        if self._end is None:
            self.find_end()
        assert self._end is not None
        return self._end

    def read_items(self) -> list[dict[str, Any]]:
        """Return the next items, none at the end. Blocks."""
        end, services = self.end, self._services
        wanted = BATCH_LINES if self._left is None else min(BATCH_LINES, self._left)
        if not wanted or self.position >= end:
            return []
        with services.reader.snapshot() as snapshot:
            found = list_after(services, snapshot, self._caller, self.position, wanted)
        items = [item for item in found if item["position"] <= end]
        if self._left is not None:
            self._left -= len(items)
        self.position = items[-1]["position"] if items else end
        return items

    def read_lines(self) -> bytes:
        """Return the next lines, none at the end. Blocks.

        What is restricted in them stands in the log of reads by then.
        Raises UnavailableError where it cannot be logged.
        """
        items = self.read_items()
        log_reads(self._services, self._caller, items)
        return b"".join(encode_lines(items))


def encode_lines(items: list[dict[str, Any]]) -> Iterator[bytes]:
    """Yield items as lines of JSON."""
    return (encode(item) + b"\n" for item in items)


async def _stream(
    export: Export, first: bytes, check_key: Callable[[], object]
) -> AsyncIterator[bytes]:
    def read_on() -> bytes:
        # A key that is revoked meanwhile gets no more.
        check_key()
        return export.read_lines()

    chunk = first
    while chunk:
        yield chunk
        chunk = await run_sync(read_on)


async def _zip(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Compress chunks, each so that it can be read when it comes (RFC 1952; no time in it)."""
    packer = zlib.compressobj(wbits=_GZIP_WINDOW)
    async for chunk in chunks:
        yield packer.compress(chunk) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()


async def _nothing() -> AsyncIterator[bytes]:
    """Yield nothing: of a HEAD the headers alone are sent, and a length would be a guess."""
    nothing: tuple[bytes, ...] = ()
    for chunk in nothing:
        yield chunk
