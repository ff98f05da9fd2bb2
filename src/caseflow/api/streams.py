"""Those who follow the public log as a stream, in one process, and what they share.

A subscriber costs a place in memory and a timer: neither a thread nor a connection to the database.
What is new is read once for all who follow the same, and each holds no more than the number of the
last change that it was sent.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from caseflow.domain.errors import UnavailableError
from caseflow.eventstore.reading import LogReader, Snapshot
from caseflow.eventstore.subscription import LogWatcher
from caseflow.projections.public.followed import list_followed
from caseflow.projections.public.history import Published
from caseflow.projections.public.windows import Feed

RETRY_MILLISECONDS: Final = 3_000
HEARTBEAT_SECONDS: Final = 15.0
AGAIN_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 0.05
# Rounds of one heartbeat: it comes early by one of them at most, and never late.
BEATS: Final = 8
PAGE: Final = 100
# So many look at the database at once, however many follow: others who ask need threads as well.
READERS: Final = 4
# One address may take this part of the places: else one would keep all others away.
ADDRESS_SHARE: Final = 10
# For how long a page serves all who ask for the same: they are woken together.
SHARED_SECONDS: Final = 0.25

Feeds: TypeAlias = tuple[Feed, ...]
Render: TypeAlias = Callable[[Snapshot, Sequence[Published]], Sequence[bytes]]


logger = logging.getLogger(__name__)


class Page(NamedTuple):
    """Some events as they are sent. last: the number of the last one, None where there is none.

    position, is_last: as of what was read; head: the end of the log then.
    """

    events: bytes
    last: int | None
    position: int
    is_last: bool
    head: int


class _Group:
    """Those who wait for news of the same feeds.

    seen: the number up to which was looked for all of them; last: of the last that was found.
    """

    def __init__(self, seen: int) -> None:
        self.seen = seen
        self.last = seen
        self.waiting = 0
        self.news = asyncio.Event()

    def wake(self) -> None:
        """Wake all who wait."""
        news, self.news = self.news, asyncio.Event()
        news.set()


class Streams:
    """All who follow in this process, and what they share. For one event loop."""

    def __init__(
        self,
        reader: LogReader,
        watcher: LogWatcher,
        render: Render,
        *,
        is_running: Callable[[], bool],
        most: int,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        """render: each change as JSON. is_running: whether the service goes on. most: followers."""
        self._reader = reader
        self._watcher = watcher
        self._is_serving = is_running
        self._is_stopped = False
        self._render = render
        self._most = most
        self._heartbeat_seconds = heartbeat_seconds
        self._readers: CapacityLimiter | None = None
        self._pages: dict[tuple[int, Feeds], tuple[float, asyncio.Task[Page]]] = {}
        self._groups: dict[Feeds, _Group] = {}
        self._looking: asyncio.Task[None] | None = None
        self._addresses: Counter[bytes | None] = Counter()
        self.subscribers = 0
        """How many follow now."""

    @property
    def is_running(self) -> bool:
        """Whether those who wait may go on waiting."""
        return not self._is_stopped and self._is_serving()

    def stop(self) -> None:
        """Have all streams end within a moment; from any thread, or a signal's handler."""
        self._is_stopped = True

    def require_place(self, address: bytes | None) -> None:
        """Raise UnavailableError where as many follow as may, of all or from one address."""
        is_full = self.subscribers >= self._most
        most_here = max(self._most // ADDRESS_SHARE, 1)
        if is_full or (address is not None and self._addresses[address] >= most_here):
            raise UnavailableError("as many follow the stream as may; ask again later")

    async def follow(
        self, after: int, feeds: Feeds, address: bytes | None = None
    ) -> AsyncIterator[bytes]:
        """Yield what is sent to one subscriber, from after a sequence number, without end.

        address: that it is counted with; None where it is this machine's.
        """
        self.subscribers += 1
        self._addresses[address] += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            yield b"retry: %d\nid: %d\n\n" % (RETRY_MILLISECONDS, after)
            async for chunk in self._send(after, feeds):
                yield chunk
        finally:
            self.subscribers -= 1
            self._addresses[address] -= 1
            self._addresses += Counter()
            if not self.subscribers and self._looking is not None:
                self._looking.cancel()
                self._looking = None
                self._pages.clear()

    async def _send(self, after: int, feeds: Feeds) -> AsyncIterator[bytes]:
        told = after
        beat_at = time.monotonic() + self._heartbeat_seconds
        while self.is_running:
            page = await self._share(after, feeds)
            after = page.position
            if page.last is not None:
                yield page.events
                told, beat_at = page.last, time.monotonic() + self._heartbeat_seconds
            if page.is_last and not await self._wait(page, feeds, beat_at):
                # Of what is filtered out nobody has to look at anything again.
                yield b"id: %d\n\n" % after if after > told else b":\n\n"
                told, beat_at = after, time.monotonic() + self._heartbeat_seconds

    async def _wait(self, page: Page, feeds: Feeds, deadline: float) -> bool:
        """Return whether there may be something after a page; false when it is time to say so."""
        if self._watcher.head > page.head:
            # What came since may have been looked for already, before this one waited.
            return True
        after, group = page.position, self._groups.get(feeds)
        if group is None:
            group = self._groups[feeds] = _Group(after)
        group.waiting += 1
        try:
            while group.last <= after and self.is_running:
                # The next round would be too late.
                if time.monotonic() + self._beat_seconds > deadline:
                    return False
                await group.news.wait()
        finally:
            group.waiting -= 1
            if not group.waiting and self._groups.get(feeds) is group:
                del self._groups[feeds]
        return True

    @property
    def _beat_seconds(self) -> float:
        """How often all are woken, whether there is news or not."""
        return self._heartbeat_seconds / BEATS

    async def _look(self) -> None:
        """Wake those who wait for what has come, and all when it is time, or the service stops."""
        head, beat_at = self._watcher.head, time.monotonic()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._forget_pages()
            if self._watcher.head > head:
                grown = self._watcher.head
                self._pages.clear()
                looks = [self._look_for(feeds, group) for feeds, group in self._groups.items()]
                if all(await asyncio.gather(*looks)):
                    head = grown
                else:
                    # All look again, and not twenty times a second while the database is away.
                    await asyncio.sleep(AGAIN_SECONDS)
            if time.monotonic() >= beat_at or not self.is_running:
                beat_at = time.monotonic() + self._beat_seconds
                for group in self._groups.values():
                    group.wake()

    async def _look_for(self, feeds: Feeds, group: "_Group") -> bool:
        """Look once for all who follow the same: where nothing came for them, none of them does.

        Returns whether it could be looked.
        """
        try:
            page = await self._share(group.seen, feeds)
        except Exception as error:
            logger.warning("a stream not looked after: %s", type(error).__name__)
            return False
        group.seen = page.position
        if page.last is not None or not page.is_last:
            group.last = page.position
            group.wake()
        return True

    def _forget_pages(self) -> None:
        """Forget what serves nobody any more: whoever catches up asks for each page once."""
        now = time.monotonic()
        old = [key for key, (at, _) in self._pages.items() if now - at > SHARED_SECONDS]
        for key in old:
            del self._pages[key]

    async def _share(self, after: int, feeds: Feeds) -> Page:
        """Return the page after a number, which is read once for all who ask at one time."""
        key, now = (after, feeds), time.monotonic()
        found = self._pages.get(key)
        if found is None or now - found[0] > SHARED_SECONDS:
            found = self._pages[key] = now, asyncio.create_task(self._read(after, feeds))
        # One who leaves does not end what others wait for.
        return found[1].result() if found[1].done() else await asyncio.shield(found[1])

    async def _read(self, after: int, feeds: Feeds) -> Page:
        self._readers = self._readers or CapacityLimiter(READERS)
        return await run_sync(self._read_page, after, feeds, limiter=self._readers)

    def _read_page(self, after: int, feeds: Feeds) -> Page:
        with self._reader.snapshot() as snapshot:
            where = snapshot.connection, snapshot.view_set
            found = list_followed(*where, feeds, after=after, limit=PAGE)
            items = self._render(snapshot, found.changes)
        events = b"".join(
            b"id: %d\nevent: %s\ndata: %s\n\n" % (change.sequence, change.kind.encode(), item)
            for change, item in zip(found.changes, items, strict=True)
        )
        last = found.changes[-1].sequence if found.changes else None
        return Page(events, last, found.position, found.is_last, snapshot.head.position)
