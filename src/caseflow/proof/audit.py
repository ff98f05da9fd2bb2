"""A pass over a log: all that was signed, computed again from what is stored now."""

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from sqlalchemy import Engine

from caseflow.domain.errors import AlteredError
from caseflow.formats.merkle import CompactRange, hash_leaf
from caseflow.formats.tiles import TILE_WIDTH, Tile, extend_tiles

from .checkpoints import Last
from .source import Log
from .tile_store import Hashes, TileStore

# A pass of t seconds is followed by twenty times as many without one: it costs 5 % at most.
REST: Final = 20
# Where nothing new is signed, a pass is not begun more often than this; but always within an hour.
IDLE_SECONDS: Final = 60.0
LONGEST_REST_SECONDS: Final = 3_600.0

Monotonic = Callable[[], float]


class Audit:
    """One pass, in small steps: records and what is sealed, the root, and the tiles."""

    def __init__(self, log: Log, engine: Engine, tiles: TileStore, signed: Last) -> None:
        """signed: the checkpoint that the records must give again."""
        self._log = log
        self._engine = engine
        self._tiles = tiles
        self._signed = signed
        self._edge = CompactRange()
        self._computed = extend_tiles(0, self._hash_leaves(), lambda tile: ())
        # Index of the first leaf that is not the one in its tile.
        self._differs: int | None = None
        self.has_wrong_tiles = False
        """Whether tiles differ from what the records give; told for good when the pass is over."""

    def advance(self) -> bool:
        """Take in the next tile, 256 records; return whether there may be more.

        Raises AlteredError where a record does not agree with what is stored beside it, and at the
        end where the records do not give the root that was signed.
        """
        computed = next(self._computed, None)
        if computed is None:
            self._compare_root()
            return False
        self._compare_tile(*computed)
        return True

    def _hash_leaves(self) -> Iterator[bytes]:
        entries = self._log.read_entries(self._engine, 0, self._signed.size)
        leaves = map(hash_leaf, entries)
        while together := tuple(islice(leaves, TILE_WIDTH)):
            self._edge = self._edge.extended_by(together)
            yield from together

    def _compare_tile(self, tile: Tile, hashes: Hashes) -> None:
        stored = self._tiles.read_tile(tile)[: tile.width]
        if stored == hashes:
            return
        self.has_wrong_tiles = True
        if tile.level == 0 and self._differs is None and len(stored) == len(hashes):
            pairs = zip(stored, hashes, strict=True)
            first = next(place for place, (one, other) in enumerate(pairs) if one != other)
            self._differs = tile.index * TILE_WIDTH + first

    def _compare_root(self) -> None:
        if self._edge.root == self._signed.root:
            return
        where = None if self._differs is None else self._differs + 1
        told = "" if where is None else f"; the first that differs is at {where}"
        raise AlteredError(
            f"the {self._signed.size} records that were signed are not what is stored now{told}",
            where,
        )


class Schedule:
    """When the passes over one log begin: before the first signature, and then again and again."""

    def __init__(self, monotonic: Monotonic = time.monotonic) -> None:
        """monotonic: seconds, never set back."""
        self._monotonic = monotonic
        self._ended: float | None = None
        self._took = 0.0
        self.is_trusted = False
        """Whether the last pass ended well and nothing was found since: else nothing is signed."""

    def is_due(self, *, is_idle: bool) -> bool:
        """Return whether a pass may begin; is_idle: there is nothing new to sign."""
        if self._ended is None:
            return True
        rest = min(REST * self._took, LONGEST_REST_SECONDS)
        if is_idle and self.is_trusted:
            rest = max(rest, IDLE_SECONDS)
        return self._monotonic() - self._ended >= rest

    def note(self, took_seconds: float, *, passed: bool) -> None:
        """Take note that a pass has ended, after so many seconds of work."""
        self._ended, self._took = self._monotonic(), took_seconds
        self.is_trusted = passed

    def distrust(self) -> None:
        """Have nothing signed before another pass."""
        self.is_trusted = False
