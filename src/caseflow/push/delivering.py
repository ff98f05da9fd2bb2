"""Delivers what webhooks are told of: on threads of its own, in every process of a deployment.

Who delivers what is decided in the database, message by message. A process that dies leaves a claim
that ends, and another sends the message again, under the same id.
"""

import logging
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Engine
from standardwebhooks import Webhook as Signer

from caseflow.database import begin_read, begin_write
from caseflow.domain.times import format_time
from caseflow.eventstore.reading import LogReader, Snapshot
from caseflow.eventstore.subscription import LogWatcher
from caseflow.projections.public import windows
from caseflow.projections.public.followed import list_followed
from caseflow.projections.public.history import Published, find_change
from caseflow.projections.public.windows import Feed

from .addresses import InvalidTargetError, parse_target
from .sending import FailedError, Reach, post
from .webhooks import Attempt, Delivery, Filters, Webhook, Webhooks

_logger = logging.getLogger(__name__)

TOGETHER: Final = 16
BATCH: Final = 200
# Between two looks while nothing is known to be due: other processes may have failed at something.
LOOK_SECONDS: Final = 5.0
FORGET_SECONDS: Final = 3_600
_MICROSECONDS: Final = 1_000_000

Render = Callable[[Snapshot, Published], bytes]


class Deliverer:
    """Sends messages, from `start` to `stop`."""

    def __init__(
        self,
        engine: Engine,
        reader: LogReader,
        watcher: LogWatcher,
        webhooks: Webhooks,
        render: Render,
        clock: Callable[[], int],
        reach: Reach,
    ) -> None:
        """render: a public change as JSON, as anyone may read it now. clock: microseconds."""
        self._engine = engine
        self._reader = reader
        self._watcher = watcher
        self._webhooks = webhooks
        self._render = render
        self._clock = clock
        self._reach = reach
        self._chance = random.Random()
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self._is_changed = False
        self._lock = threading.Lock()
        self._busy: set[UUID] = set()
        self._forgot_at = 0
        self._pool = ThreadPoolExecutor(TOGETHER, "webhook")
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is being sent is finished, or sent again by whoever comes."""
        self._stopped.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def wake(self) -> None:
        """Look at all endpoints anew, for one was changed; never blocks."""
        self._is_changed = True
        self._woken.set()

    def _run(self) -> None:
        head = -1
        while not self._stopped.is_set():
            self._woken.clear()
            wait = LOOK_SECONDS
            try:
                grown, is_changed = self._watcher.head, self._is_changed
                self._is_changed = False
                if grown != head or is_changed:
                    self.fan_out()
                    head = grown
                wait = self.send_due()
                self._forget()
            except Exception as error:
                # The database may be away for a moment; the next round tries again.
                _logger.warning("webhooks not looked after: %s", type(error).__name__)
            self._sleep(head, wait)

    def _sleep(self, head: int, seconds: float) -> None:
        """Wait until the log grows, somebody wakes this, or time is up."""
        step = 0.05
        while seconds > 0 and not self._woken.is_set():
            if self._watcher.head != head:
                return
            self._woken.wait(min(step, seconds))
            seconds -= step

    # -- who is told of what ----------------------------------------------------------------------

    def fan_out(self) -> None:
        """Note for each endpoint of which new changes it is to be told."""
        with self._read() as connection:
            active = self._webhooks.list_active(connection)
        for webhook in active:
            self._catch_up(webhook)

    def _catch_up(self, webhook: Webhook) -> None:
        feeds = list_feeds(webhook.config.filters)
        while not self._stopped.is_set():
            after = webhook.sequence
            with self._reader.snapshot() as snapshot:
                where = snapshot.connection, snapshot.view_set
                found = list_followed(*where, feeds, after=after, limit=BATCH)
            if found.position == after:
                return
            with self._write() as connection:
                noted = self._webhooks.fan_out(
                    connection, webhook, found.changes, up_to=found.position, at=self._clock()
                )
            if not noted:
                # Another process was faster, or somebody has paused it.
                return
            webhook = msgspec.structs.replace(webhook, sequence=found.position)

    # -- sending ----------------------------------------------------------------------------------

    def send_due(self) -> float:
        """Begin to send what is due; return after how many seconds there is more to do."""
        now = self._clock()
        with self._read() as connection:
            next_at = self._webhooks.find_next_at(connection)
        if next_at is None:
            return LOOK_SECONDS
        if next_at > now:
            return min((next_at - now) / _MICROSECONDS, LOOK_SECONDS)
        with self._lock:
            free, busy = TOGETHER - len(self._busy), list(self._busy)
        if free <= 0:
            return LOOK_SECONDS
        with self._write() as connection:
            claimed = self._webhooks.claim(connection, now, limit=free, besides=busy)
        with self._lock:
            self._busy.update(webhook.id for webhook, _ in claimed)
        for webhook, delivery in claimed:
            self._pool.submit(self._deliver, webhook, delivery)
        # What is left is for endpoints that are busy: each end of a delivery wakes this.
        return LOOK_SECONDS

    def _deliver(self, webhook: Webhook, delivery: Delivery) -> None:
        try:
            attempt = self._attempt(webhook, delivery)
            with self._write() as connection:
                reason = self._webhooks.note(
                    connection, webhook, delivery, attempt, self._chance.random()
                )
            if reason is not None:
                _logger.warning("webhook %s is paused: %s", webhook.id, reason)
        except Exception as error:
            # The claim ends, and it is sent again.
            _logger.warning("a message was not delivered: %s", type(error).__name__)
        finally:
            with self._lock:
                self._busy.discard(webhook.id)
            self._woken.set()

    def _attempt(self, webhook: Webhook, delivery: Delivery) -> Attempt:
        body = self._make_body(delivery.sequence)
        now = self._clock()
        try:
            target = parse_target(webhook.config.url, self._reach.allowed)
            headers = sign(webhook, delivery.message_id, body, now)
            status = post(target, body, headers, self._reach)
        except InvalidTargetError:
            return Attempt(now, failure="address")
        except FailedError as error:
            return Attempt(now, failure=str(error))
        return Attempt(now, status=status)

    def _make_body(self, sequence: int) -> bytes:
        """Return the message about a public change, with what may be read of it at this moment."""
        with self._reader.snapshot() as snapshot:
            change = find_change(snapshot.connection, snapshot.view_set, sequence)
            assert change is not None, "a public change stays"
            data = self._render(snapshot, change)
        return msgspec.json.encode(
            {
                "type": f"change.{change.kind}",
                "timestamp": format_time(change.published_at),
                "data": msgspec.Raw(data),
            }
        )

    def _forget(self) -> None:
        now = self._clock()
        if now - self._forgot_at >= FORGET_SECONDS * _MICROSECONDS:
            self._forgot_at = now
            with self._read() as connection:
                has_any = self._webhooks.list_active(connection)
            if has_any:
                with self._write() as connection:
                    self._webhooks.forget_old(connection, now)

    def _read(self) -> AbstractContextManager[Connection]:
        return begin_read(self._engine)

    def _write(self) -> AbstractContextManager[Connection]:
        return begin_write(self._engine)


def sign(webhook: Webhook, message_id: str, body: bytes, now: int) -> dict[str, str]:
    """Return the headers of a message (Standard Webhooks 1.0): one signature for each secret."""
    seconds = now // _MICROSECONDS
    at = datetime.fromtimestamp(seconds, UTC)
    signatures = (
        Signer(secret).sign(message_id, at, body.decode()) for secret in webhook.list_secrets(now)
    )
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(signatures),
        "content-type": "application/json",
        "user-agent": "caseflow",
    }


def list_feeds(filters: Filters) -> list[Feed]:
    """Return the feeds that must have a change."""
    feeds = []
    if filters.case is not None:
        feeds.append(Feed(windows.CASES, case_id=filters.case))
    if filters.headline is not None:
        feeds.append(Feed(windows.HEADLINES, filters.headline))
    if filters.type is not None:
        feeds.append(Feed(windows.TYPES, filters.type))
    if filters.host_state is not None:
        feeds.append(Feed(windows.STATES, filters.host_state))
    if filters.recalls:
        feeds.append(Feed(windows.RECALLS))
    return feeds
