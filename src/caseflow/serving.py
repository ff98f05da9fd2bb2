"""The application of a house: what its handlers work with, and when it opens and closes.

Apart from the house, which most commands open without the framework: that takes most of a second
to load.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from litestar import Litestar

from caseflow.api.app import create_app
from caseflow.api.auth import Authenticator
from caseflow.api.caches import Cache
from caseflow.api.case_reads import CaseReads
from caseflow.api.cases import make_answer
from caseflow.api.conditional import Document
from caseflow.api.counting import Metrics
from caseflow.api.events import encode_published
from caseflow.api.kept import KeptAnswers
from caseflow.api.rate_limits import RateLimits
from caseflow.api.running import Running
from caseflow.api.services import CalendarDocument, Services
from caseflow.api.streams import Streams
from caseflow.bootstrap import House, open_house
from caseflow.domain.breakdown import BreakdownTally
from caseflow.domain.statistics import Tally
from caseflow.eventstore.disclosing import Discloser
from caseflow.eventstore.reading import Snapshot
from caseflow.projections.public.history import Published
from caseflow.settings import Settings, read_settings
from caseflow.timers import Timer
from caseflow.web.site import PAGES

NUMBERS_SECONDS: Final = 5.0
CACHED_DOCUMENTS: Final = 2_000
CACHED_ENTRIES: Final = 20_000
CACHED_NUMBERS: Final = 200
CACHED_CALENDARS: Final = 50


def make_services(house: House) -> Services:
    """Return what the handlers of the API work with."""
    settings = house.settings
    authenticator = Authenticator(house.read, house.clock, house.key_uses.note)
    documents: Cache[Document] = Cache(CACHED_DOCUMENTS)
    entries: Cache[bytes] = Cache(CACHED_ENTRIES)
    numbers: Cache[bytes] = Cache(CACHED_NUMBERS)
    calendars: Cache[CalendarDocument] = Cache(CACHED_CALENDARS)
    kept = KeptAnswers(house.changes, lambda: house.watcher.head)
    running_statistics = Running(house.changes, partial(Tally, as_of=None))
    running_breakdown = Running(house.changes, partial(BreakdownTally, as_of=None))
    running = (running_statistics, running_breakdown)
    for cache in (documents, entries, numbers, *running, calendars, kept):
        house.eraser.on_erased(cache.clear)
    metrics = Metrics()
    house.writer.note_batch = metrics.note_batch
    house.cases.note_objection = metrics.objections.inc
    return Services(
        base_url=settings.base_url,
        name=settings.name,
        contact=settings.contact,
        max_body_bytes=settings.max_body_bytes,
        cases=house.cases,
        figures=house.figures,
        clock=house.clock,
        reader=house.reader,
        writer=house.writer,
        watcher=house.watcher,
        authenticator=authenticator,
        rate_limits=RateLimits(
            authenticator,
            per_partner=settings.rate_per_partner,
            per_address=settings.rate_per_address,
            proxies=settings.proxies,
        ),
        read_log=house.read_log,
        erasures=house.erasures,
        finish_erasures=house.try_to_finish_erasures,
        changes=house.changes,
        kept=kept,
        metrics=metrics,
        case_reads=CaseReads(house.reader, house.changes, make_answer),
        documents=documents,
        entries=entries,
        numbers=numbers,
        running_statistics=running_statistics,
        running_breakdown=running_breakdown,
        calendars=calendars,
        discloser=Discloser(house.keys),
        logs=house.served_logs,
        publisher=house.publisher if house.is_publishing else None,
        streams=Streams(
            house.reader,
            house.watcher,
            partial(encode_published, name=settings.name),
            is_running=lambda: house.writer.is_running,
            most=settings.stream_subscribers,
        ),
        webhooks=house.webhooks,
        webhook_networks=settings.webhook_networks,
        websub_hub=settings.websub_hub,
        wake_deliverer=house.wake_deliverer,
        read_secret=house.keys.get_secret,
        read=house.read,
        write=house.write,
    )


def _encode_published(name: str, snapshot: Snapshot, change: Published) -> bytes:
    (data,) = encode_published(snapshot, [change], name)
    return data


def count_now(services: Services) -> None:
    """Count everyone for the public numbers of now, where that has to be done.

    When a process begins, and on the first change of a day; of many cases it takes some seconds.
    """
    with services.reader.snapshot() as snapshot:
        for running in (services.running_statistics, services.running_breakdown):
            running.prepare(snapshot)


def make_application(settings: Settings | None = None, *, signs: bool = True) -> Litestar:
    """Return the application of a house that opens when it starts and closes when it ends.

    signs: whether it signs the logs; false where a process beside it does.
    """
    found = settings or read_settings(os.environ)

    @asynccontextmanager
    async def live(app: Litestar) -> AsyncIterator[None]:
        with open_house(found) as house:
            # Nothing is served that a restored database has forgotten to hide.
            house.apply_ledger()
            house.start_publishing(signs=signs)
            house.start_delivering(partial(_encode_published, found.name))
            app.state.services = services = make_services(house)
            counting = Timer("numbers", NUMBERS_SECONDS, partial(count_now, services))
            counting.start()
            try:
                yield
            finally:
                services.case_reads.stop()
                counting.stop()

    return create_app(None, [live], PAGES)
