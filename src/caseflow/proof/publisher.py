"""Follows the logs and signs them: reads what is new, computes, compares, and only then signs.

What was signed before is never contradicted. A log that is shorter than it was, or whose records
do not give the root that was signed, is a fork: nothing more is signed and the reason stands in the
key store, for every process to see, until an attempt succeeds again. `docs/adr/0016` says what
is computed anew, and how often.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sqlalchemy import Engine

from caseflow.domain.errors import AlteredError
from caseflow.formats.checkpoint import Checkpoint
from caseflow.formats.merkle import CompactRange, hash_leaf
from caseflow.formats.tiles import InvalidTileError, extend_tiles

from .audit import Audit, Monotonic, Schedule
from .checkpoints import Checkpoints, Last
from .leader import Leader
from .origins import Origins
from .signing import Signer
from .source import Log, LogName
from .tile_store import TileStore

# New entries in one signature: what is held in memory, and written in one transaction.
STEP: Final = 8_192
# How long a pass over a large log may hold up the next signature, each time.
SLICE_SECONDS: Final = 1.0
# How often other processes are told that the first pass is going on.
TELL_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)


class Publisher:
    """Signs the logs of a house. One at a time works: of several processes, who leads.

    Correct without that, too: checkpoints are compared and swapped.
    """

    def __init__(
        self,
        engine: Engine,
        logs: Sequence[Log],
        checkpoints: Checkpoints,
        origins: Origins,
        signer: Signer,
        clock: Callable[[], int],
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        """clock: microseconds since the Unix epoch, for `signed_at`."""
        self._leader = Leader(engine)
        self._working = threading.Lock()
        self._stopped = threading.Event()
        self._followers: Mapping[LogName, LogPublisher] = {
            log.name: LogPublisher(
                engine, log, checkpoints, origins, signer, clock, monotonic, self._stopped.is_set
            )
            for log in logs
        }

    def publish(self) -> bool:
        """Sign what is new in each log; return whether this process may: it leads.

        Raises the event-sourcing library's errors where a database cannot be used.
        """
        with self._working:
            leads = self._leader.leads()
            for follower in self._followers.values():
                if leads:
                    follower.publish()
                follower.look()
            return leads

    def begin(self) -> None:
        """Sign each log that nobody has signed yet as it is without records.

        So that its key and a checkpoint are there at once, whichever process goes on from them.
        """
        with self._working:
            for follower in self._followers.values():
                follower.begin()

    def look(self) -> None:
        """Note how far each log is, and how far it is signed, by whatever process."""
        with self._working:
            for follower in self._followers.values():
                follower.look()

    def find_faults(self) -> list[str]:
        """Return in what the logs differ from what was signed last; nothing is signed or stored."""
        return [fault for one in self._followers.values() for fault in one.find_faults()]

    def is_behind(self, log: LogName, seconds: float) -> bool:
        """Return whether a log has records that are not signed, and got no further for so long."""
        return self._followers[log].is_behind(seconds)

    def forget_passes(self) -> None:
        """Have all that was signed computed again before anything else is signed."""
        with self._working:
            for follower in self._followers.values():
                follower.forget_passes()

    @property
    def is_stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped.is_set()

    def wait(self, seconds: float) -> None:
        """Return after so many seconds, at once when `stop` is called."""
        self._stopped.wait(seconds)

    def stop(self) -> None:
        """Let a pass that is going on end early; from any thread."""
        self._stopped.set()

    def close(self) -> None:
        """Stop, and let another process lead."""
        self.stop()
        with self._working:
            self._leader.step_down()


class LogPublisher:
    """Signs one log. Not to be used by several threads at once."""

    def __init__(
        self,
        engine: Engine,
        log: Log,
        checkpoints: Checkpoints,
        origins: Origins,
        signer: Signer,
        clock: Callable[[], int],
        monotonic: Monotonic,
        is_stopped: Callable[[], bool],
    ) -> None:
        self._engine = engine
        self._log = log
        self._checkpoints = checkpoints
        self._origins = origins
        self._signer = signer
        self._clock = clock
        self._monotonic = monotonic
        self._is_stopped = is_stopped
        self._tiles = TileStore(engine, log.name)
        self._schedule = Schedule(monotonic)
        self._audit: Audit | None = None
        self._worked = 0.0
        self._signed_size = -1
        self._progressed = monotonic()
        # When this process last told that it works, and when any was last seen to.
        self._told = -TELL_SECONDS
        self._seen_work = 0

    def publish(self) -> None:
        """Sign what is new, or note in the key store why it is not."""
        last = self.begin()
        try:
            done = self._follow(last)
        except AlteredError as error:
            self._schedule.distrust()
            self._audit = None
            self._halt(last, error.detail)
        else:
            if done and last.halted is not None:
                self._checkpoints.halt(last.origin, None)
                logger.warning("the %s log is signed again", self._log.name)

    def find_faults(self) -> list[str]:
        """Return what a pass over all that was signed finds; nothing where all is well."""
        last = self._origins.find_last(self._log.name)
        if last is None:
            return []
        try:
            self._require_length(last)
            audit = Audit(self._log, self._engine, self._tiles, last)
            while audit.advance():
                pass
        except AlteredError as error:
            return [f"the {self._log.name} log: {error.detail}"]
        return []

    def forget_passes(self) -> None:
        """Begin as after a start: nothing is signed before a pass."""
        self._schedule, self._audit = Schedule(self._monotonic), None

    def look(self) -> None:
        """Note how far the log is, how far it is signed, and whether somebody is on the way."""
        last = self._origins.find_last(self._log.name)
        signed, worked = last.size if last else 0, self._tiles.find_work()
        if signed >= self._count() or (signed, worked) != (self._signed_size, self._seen_work):
            self._progressed = self._monotonic()
        self._signed_size, self._seen_work = signed, worked

    def _count(self) -> int:
        try:
            return self._log.get_size(self._engine)
        except AlteredError:
            return 0  # why nothing is signed then is told elsewhere

    def is_behind(self, seconds: float) -> bool:
        """Return whether there are records that are not signed, and nothing moved for so long."""
        if self._count() <= self._signed_size:
            return False
        return self._monotonic() - self._progressed > seconds

    def begin(self) -> Last:
        """Return what was signed last; where that is nothing, sign the log without records."""
        last = self._origins.find_last(self._log.name)
        if last is not None:
            return last
        origin = self._origins.make_origin(self._log.name)
        first = self._sign(origin, CompactRange())
        self._checkpoints.begin(self._log.name, first)
        # Another process may have been faster.
        return self._origins.find_last(self._log.name) or first

    def _halt(self, last: Last, why: str) -> None:
        reason = f"the {self._log.name} log is not signed any more: {why}"
        if reason != last.halted:
            self._checkpoints.halt(last.origin, reason)
            logger.error("%s", reason)

    # -- one attempt ------------------------------------------------------------------------------

    def _follow(self, last: Last) -> bool:
        """Sign up to the end of the log as it is now; return whether that is done.

        Raises AlteredError.
        """
        size = self._require_length(last)
        self._look_over(last, is_idle=size == last.size)
        if not self._schedule.is_trusted:
            return False
        edge = self._read_edge(last)
        while last.size < size:
            edge = self._extend(edge, min(size, last.size + STEP))
            new = self._sign(last.origin, edge)
            if self._is_stopped() or not self._checkpoints.advance(last, new):
                return False
            last, self._progressed = new, self._monotonic()
        return True

    def _require_length(self, last: Last) -> int:
        """Return how many records there are, at least those that were signed."""
        size = self._log.get_size(self._engine)
        if size < last.size:
            raise AlteredError(
                f"it has {size} records, and {last.size} were signed: it was cut, or restored from "
                "an older copy"
            )
        return size

    def _extend(self, edge: CompactRange, size: int) -> CompactRange:
        """Read, check and hash the entries up to a size, write the tiles; return the new edge."""
        entries = self._log.read_entries(self._engine, edge.size, size)
        leaves = [hash_leaf(entry) for entry in entries]
        self._tiles.write(size, extend_tiles(edge.size, leaves, self._tiles.read_tile))
        return edge.extended_by(leaves)

    def _sign(self, origin: str, edge: CompactRange) -> Last:
        note = self._signer.sign(Checkpoint(origin, edge.size, edge.root))
        return Last(
            origin=origin, size=edge.size, root=edge.root, note=note, signed_at=self._clock()
        )

    # -- what was signed before -------------------------------------------------------------------

    def _look_over(self, last: Last, *, is_idle: bool) -> None:
        """Go on with a pass, or begin one where it is due.

        Before the first signature it goes to the end; later a long one goes on beside signatures.
        """
        if self._audit is None:
            if not self._schedule.is_due(is_idle=is_idle):
                return
            self._audit, self._worked = Audit(self._log, self._engine, self._tiles, last), 0.0
        began = self._monotonic()
        try:
            is_over = self._advance(self._audit, began)
        except AlteredError:
            self._schedule.note(self._worked + self._monotonic() - began, passed=False)
            raise
        self._worked += self._monotonic() - began
        if is_over:
            self._end_pass(self._audit)

    def _advance(self, audit: Audit, began: float) -> bool:
        """Work at a pass for as long as may be; return whether it is over."""
        while audit.advance():
            now = self._monotonic()
            if not self._schedule.is_trusted:
                # Nobody waits in vain: it goes on, and ends.
                self._progressed = now
                self._tell_work(now)
            elif now - began > SLICE_SECONDS:
                return False
            if self._is_stopped():
                return False
        return True

    def _tell_work(self, now: float) -> None:
        """Tell the processes that do not sign that this one goes on."""
        if now - self._told >= TELL_SECONDS:
            self._tiles.note_work(self._clock())
            self._told = now

    def _end_pass(self, audit: Audit) -> None:
        self._audit = None
        if audit.has_wrong_tiles:
            # The records give the root that was signed, so it is the tiles that are wrong.
            logger.warning("the tiles of the %s log are made anew", self._log.name)
            self._tiles.clear()
        self._schedule.note(self._worked, passed=True)

    def _read_edge(self, last: Last) -> CompactRange:
        """Return the right edge of the tree that was signed last, from tiles that give its root."""
        edge = self._find_edge(last.size)
        if edge is None or edge.root != last.root:
            edge = self._make_tiles(last)
        if edge.root != last.root:
            raise AlteredError(
                f"the {last.size} records that were signed are not what is stored now"
            )
        return edge

    def _find_edge(self, size: int) -> CompactRange | None:
        if size == 0:
            return CompactRange()
        try:
            return self._tiles.read_range(size)
        except InvalidTileError:
            return None

    def _make_tiles(self, last: Last) -> CompactRange:
        """Make the tiles anew from the records, up to what was signed last; return the edge."""
        self._tiles.clear()
        edge = CompactRange()
        while edge.size < last.size:
            edge = self._extend(edge, min(last.size, edge.size + STEP))
        return edge
