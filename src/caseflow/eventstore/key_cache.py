"""Keys in memory: for a short time, and never after they were destroyed here."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import NamedTuple
from uuid import UUID


class ReadMoment(NamedTuple):
    """When a read began: by the clock, and after how many keys were forgotten."""

    at: float
    forgotten: int


class KeyCache:
    """Keys by case, the least recently used dropped first; each for a short time only.

    Its lock is never held while something else is waited for.
    """

    def __init__(self, size: int, ttl_seconds: float, now: Callable[[], float]) -> None:
        self._size = size
        self._ttl_seconds = ttl_seconds
        self._now = now
        self._entries: OrderedDict[UUID, tuple[float, bytes | None]] = OrderedDict()
        self._forgotten = 0
        self._lock = threading.Lock()

    def find(self, case_ids: Iterable[UUID]) -> dict[UUID, bytes | None]:
        oldest = self._now() - self._ttl_seconds
        found: dict[UUID, bytes | None] = {}
        with self._lock:
            for case_id in case_ids:
                entry = self._entries.get(case_id)
                if entry is not None and entry[0] > oldest:
                    self._entries.move_to_end(case_id)
                    found[case_id] = entry[1]
        return found

    def begin_read(self) -> ReadMoment:
        with self._lock:
            return ReadMoment(self._now(), self._forgotten)

    def keep(self, keys: dict[UUID, bytes | None], begun: ReadMoment) -> None:
        with self._lock:
            # What was read may be older than a destruction since: it must not come back.
            if begun.forgotten != self._forgotten:
                return
            for case_id, key in keys.items():
                self._put(case_id, key, begun.at)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def _put(self, case_id: UUID, key: bytes | None, at: float) -> None:
        # The age counts from before the read: what was destroyed since cannot look younger. Of two
        # reads that overlapped, the one that began later knows more.
        entry = self._entries.get(case_id)
        if entry is None or entry[0] <= at:
            self._entries[case_id] = (at, key)
        self._entries.move_to_end(case_id)

    def forget(self, case_id: UUID) -> None:
        with self._lock:
            self._forgotten += 1
            self._entries.pop(case_id, None)

    def clear(self) -> None:
        with self._lock:
            self._forgotten += 1
            self._entries.clear()
