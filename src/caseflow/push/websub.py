"""Tells a WebSub hub which documents have news, so that it tells whoever subscribed with it.

W3C WebSub, section 4 and, for how a publisher tells its hub, PubSubHubbub 0.4, section 7: a form
with `hub.mode=publish` and the addresses of the documents. Of several processes one tells it.
"""

import logging
import random
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import ip_network
from itertools import islice
from typing import Final, NamedTuple
from urllib.parse import urlencode

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    Table,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from caseflow.database import begin_read, begin_write
from caseflow.domain.labels import LANGUAGES
from caseflow.eventstore.reading import LogReader
from caseflow.eventstore.subscription import LogWatcher
from caseflow.eventstore.tables import metadata
from caseflow.projections.public import windows
from caseflow.projections.public.feed import FeedName
from caseflow.projections.public.history import (
    Published,
    find_change,
    get_sequence,
    list_published,
)
from caseflow.projections.public.values import PUBLISHED
from caseflow.projections.public.windows import Feed
from caseflow.settings import Settings

from .addresses import parse_target
from .retrying import FACTOR, FIRST_SECONDS, LONGEST_SECONDS
from .sending import FailedError, Reach, post

_logger = logging.getLogger(__name__)

FORMS: Final = ("atom", "json")
TOGETHER: Final = 200
"""Documents in one form."""
BATCH: Final = 50
"""Public changes that are told of together."""
STEP_SECONDS: Final = 0.2
CLAIM_MICROSECONDS: Final = 60_000_000
_MICROSECONDS: Final = 1_000_000
# Whose hub it is decides where it stands.
_EVERYWHERE: Final = (ip_network("0.0.0.0/0"), ip_network("::/0"))

websub = Table(
    "websub",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    # The last public change that the hub was told of.
    Column("sequence", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    # Microseconds since the Unix epoch (UTC): nobody tells it before then.
    Column("next_at", BigInteger, nullable=False),
)


class _Place(NamedTuple):
    sequence: int
    failures: int
    next_at: int


class Announcer:
    """Tells the hub, from `start` to `stop`."""

    def __init__(
        self,
        engine: Engine,
        reader: LogReader,
        watcher: LogWatcher,
        settings: Settings,
        clock: Callable[[], int],
    ) -> None:
        """settings: with a hub. clock: microseconds."""
        assert settings.websub_hub is not None, "there is a hub to tell"
        self._engine = engine
        self._reader = reader
        self._watcher = watcher
        self._base_url = settings.base_url
        self._hub = parse_target(settings.websub_hub, _EVERYWHERE)
        self._clock = clock
        self._chance = random.Random()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="websub", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what was not told is told by whoever comes."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        head = -1
        is_waiting = True
        while not self._stopped.wait(STEP_SECONDS):
            if self._watcher.head == head and not is_waiting:
                continue
            try:
                head = self._watcher.head
                is_waiting = self.announce()
            except Exception as error:
                # The database may be away for a moment; the next round tries again.
                _logger.warning("the hub was not told: %s", type(error).__name__)
                is_waiting = True

    def announce(self) -> bool:
        """Tell the hub what is new, where that is for this process; return whether more waits."""
        now = self._clock()
        place = self._find_place()
        with self._reader.snapshot() as snapshot:
            where = snapshot.connection, snapshot.view_set
            end = get_sequence(*where)
            if place is None or place.sequence >= end:
                self._begin(end, place)
                return False
            if place.next_at > now:
                return True
            changes = list_published(*where, after=place.sequence, limit=BATCH)
            topics = list(self._list_topics(changes, lambda n: find_change(*where, n)))
        if self._claim(place, now):
            self._tell(topics, changes[-1].sequence, place, now)
        return True

    def _tell(self, topics: Sequence[str], up_to: int, place: _Place, now: int) -> None:
        failures = 0
        try:
            for some in _parts(topics):
                told = [("hub.mode", "publish"), *(("hub.url", topic) for topic in some)]
                body = urlencode(told).encode()
                headers = {
                    "content-type": "application/x-www-form-urlencoded",
                    "user-agent": "caseflow",
                }
                status = post(self._hub, body, headers, Reach(_EVERYWHERE))
                if not 200 <= status < 300:
                    raise FailedError(str(status))
        except FailedError as error:
            _logger.warning("the hub did not take what is new: %s", error)
            failures, up_to = place.failures + 1, place.sequence
        wait = min(FIRST_SECONDS * FACTOR ** min(failures - 1, 20), LONGEST_SECONDS)
        wait = wait * (0.5 + self._chance.random() / 2) if failures else 0
        values = {
            "sequence": up_to, "failures": failures, "next_at": now + int(wait * _MICROSECONDS),
        }  # fmt: skip
        with begin_write(self._engine) as connection:
            connection.execute(update(websub).values(values))

    def _list_topics(
        self, changes: Iterable[Published], find: Callable[[int], Published | None]
    ) -> Iterator[str]:
        """Yield the addresses of the documents that changes are in, each once."""
        seen: set[str] = set()
        for change in changes:
            taken = find(change.takes_back) if change.takes_back else None
            feeds = [feed for one in (change, taken) if one for feed in _list_feeds(one)]
            for feed in (*feeds, *(() if change.kind == PUBLISHED else (Feed(windows.RECALLS),))):
                for form in FORMS:
                    path = FeedName(feed, form).path
                    for language in LANGUAGES:
                        topic = f"{self._base_url}{path}?lang={language}"
                        if topic not in seen:
                            seen.add(topic)
                            yield topic

    def _find_place(self) -> _Place | None:
        with begin_read(self._engine) as connection:
            row = connection.execute(
                select(websub.c.sequence, websub.c.failures, websub.c.next_at)
            ).one_or_none()
        return None if row is None else _Place(*row)

    def _begin(self, end: int, place: _Place | None) -> None:
        """Have a hub that is new told of what comes."""
        if place is not None:
            return
        try:
            with begin_write(self._engine) as connection:
                row = {"id": 1, "sequence": end, "failures": 0, "next_at": 0}
                connection.execute(insert(websub).values(row))
        except IntegrityError:
            # Another process was faster.
            return

    def _claim(self, place: _Place, now: int) -> bool:
        with begin_write(self._engine) as connection:
            return _take(connection, place, now)


def _take(connection: Connection, place: _Place, now: int) -> bool:
    this = (websub.c.sequence == place.sequence, websub.c.next_at == place.next_at)
    taken = connection.execute(update(websub).where(*this).values(next_at=now + CLAIM_MICROSECONDS))
    return taken.rowcount == 1


def _list_feeds(change: Published) -> Iterator[Feed]:
    yield Feed(windows.ALL)
    yield Feed(windows.CASES, change.code)
    yield Feed(windows.STATES, change.host_state)
    if change.type:
        yield Feed(windows.TYPES, change.type)
    for headline in (change.headline, change.headline_before):
        if headline:
            yield Feed(windows.HEADLINES, headline)


def _parts(topics: Sequence[str]) -> Iterator[list[str]]:
    left = iter(topics)
    while some := list(islice(left, TOGETHER)):
        yield some
