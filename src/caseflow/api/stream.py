"""The stream: public changes as Server-Sent Events, as soon as they are made.

HTML Living Standard, section 9.2.
"""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Final

from anyio.to_thread import run_sync
from litestar import route
from litestar.response import Stream

from caseflow.domain.errors import (
    InvalidInputError,
)
from caseflow.domain.vocabulary import TYPES
from caseflow.eventstore.reading import Snapshot
from caseflow.projections.public import windows
from caseflow.projections.public.history import get_sequence
from caseflow.projections.public.windows import Feed

from .followed import find_followed_case
from .parameters import (
    Query,
    invalid_header,
    invalid_parameter,
    parse_country,
    parse_flag,
    parse_headline,
    parse_min_position,
    parse_position,
    read_query,
)
from .routes import GET_AND_HEAD
from .services import AnyRequest, Services, services_of
from .streams import Feeds

MEDIA_TYPE: Final = "text/event-stream"
LAST_EVENT_ID: Final = "Last-Event-ID"
FILTERS: Final = ("case", "headline", "type", "host_state", "recalls")
_POSITION: Final = re.compile("[0-9]{1,15}")


@route("/v1/stream", http_method=GET_AND_HEAD)
async def follow_stream(request: AnyRequest) -> Stream:
    """Send each public change as soon as it is made, as Server-Sent Events, without end.

    The id of an event is its public position: whoever was cut off goes on with it in
    `Last-Event-ID`, or in `after`; the header wins. Without either, what is made from now on is
    sent. `event` is the kind of the change, `data` the item of `GET /v1/events`. The others say
    which feeds must have a change.
    """
    services = services_of(request)
    address = services.rate_limits.find_address(request.scope)
    services.streams.require_place(address)
    after, feeds = await run_sync(_find_start, services, request)
    headers = {
        "Cache-Control": "no-store",
        # nginx would gather what has to leave at once.
        "X-Accel-Buffering": "no",
    }
    following = services.streams.follow(after, feeds, address)
    content = _nothing() if request.method == "HEAD" else following
    return Stream(content, media_type=MEDIA_TYPE, headers=headers)


def _find_start(services: Services, request: AnyRequest) -> tuple[int, Feeds]:
    """Return after which change to begin, and what is followed."""
    query = read_query(request, "after", *FILTERS, "min_position", "lang")
    pointer, after = _parse_start(request, query)
    with services.snapshot(None, parse_min_position(query)) as snapshot:
        end = get_sequence(snapshot.connection, snapshot.view_set)
        if after is not None and after > end:
            # Waiting for it would pass over all that comes until then.
            reason = f"is beyond the end of the log, {end}"
            raise InvalidInputError("the position is not of this log", [(pointer, reason)])
        feeds = tuple(list_feeds(services, snapshot, query))
    return end if after is None else after, feeds


def _parse_start(request: AnyRequest, query: Query) -> tuple[str, int | None]:
    values = request.headers.getall(LAST_EVENT_ID.lower(), [])
    if not values:
        return "/query/after", parse_position(query, "after")
    if len(values) > 1 or not _POSITION.fullmatch(values[0]):
        raise invalid_header(LAST_EVENT_ID, "must be the position of a public change")
    return f"/headers/{LAST_EVENT_ID}", int(values[0])


def list_feeds(services: Services, snapshot: Snapshot, query: Query) -> Iterator[Feed]:
    """Yield the feeds that must have a change."""
    if "case" in query:
        case_id = find_followed_case(services, snapshot, query["case"])
        if case_id is None:
            raise invalid_parameter("case", "must be the code or id of a public case")
        yield Feed(windows.CASES, case_id=case_id)
    if (headline := parse_headline(query)) is not None:
        yield Feed(windows.HEADLINES, headline)
    if (type_ := query.get("type")) is not None:
        if type_ not in TYPES:
            raise invalid_parameter("type", "must be the type of an event")
        yield Feed(windows.TYPES, type_)
    if (host_state := parse_country(query, "host_state")) is not None:
        yield Feed(windows.STATES, host_state)
    if parse_flag(query, "recalls"):
        yield Feed(windows.RECALLS)


async def _nothing() -> AsyncIterator[bytes]:
    """Yield nothing: of a HEAD the headers alone are sent."""
    nothing: tuple[bytes, ...] = ()
    for chunk in nothing:
        yield chunk
