"""Events: record a claim, read one, follow the log from a position."""

import asyncio
import time
from functools import partial
from typing import Any, Final, NamedTuple
from urllib.parse import unquote
from uuid import UUID

import msgspec
from anyio.to_thread import run_sync
from litestar import Response, post, route
from litestar.params import FromPath

from caseflow.domain.case import Case
from caseflow.domain.errors import NotFoundError
from caseflow.domain.vocabulary import VISIBILITY_RANK, AnyClaim
from caseflow.eventstore.partners import Caller
from caseflow.eventstore.reading import Snapshot
from caseflow.formats.json_input import decode_body
from caseflow.projections.partner.history import Placed, find_event, list_placed
from caseflow.projections.public.history import find_published, list_published

from .answers import answer_list, answer_read, answer_write
from .asked import Asked
from .conditional import REVALIDATED
from .parameters import parse_if_match
from .reading import NO_EVENT, find_event_id, get_case
from .rendering import (
    render_claim,
    render_public_event,
    render_record_event,
    render_status,
)
from .routes import GET_AND_HEAD, read
from .services import AnyRequest, Services, audience_of, position_of, services_of

_CLAIM = msgspec.json.Decoder(AnyClaim)
MAX_WAIT_SECONDS: Final = 60
LOOK_SECONDS: Final = 0.05
Json = dict[str, Any]


@post("/v1/cases/{case:str}/events", status_code=201)
async def record_claim(request: AnyRequest, case: FromPath[str]) -> Response[bytes]:
    """Record what happened; the same again, under the same external_id, answers 200."""
    services = services_of(request)
    caller = await services.require(request, "events:write")
    language = Asked(request, "lang").language
    body = await services.read_json(request)
    claim, attempt = decode_body(_CLAIM, body), services.find_attempt(request, caller, body)

    def render(found: Case, event_id: UUID, position: int | None) -> tuple[Json, int]:
        recorded = found.claims[event_id]
        status = found.status_for(audience_of(caller), caller.partner_id)
        rendered = render_claim(found, recorded, caller, position)
        return {**rendered, "status": render_status(status, language)}, found.version

    answer = await services.wait(
        services.cases.record_claim(
            caller,
            unquote(case),
            claim,
            render,
            expected_version=parse_if_match(request),
            attempt=attempt,
        )
    )
    rendered, version = answer.rendered
    if rendered["position"] is None:
        rendered["position"] = await services.find_position(None, UUID(rendered["id"]))
    return answer_write(
        rendered,
        answer,
        version=version,
        location=f"{services.base_url}/v1/events/{rendered['id']}",
        language=language,
    )


@read("/v1/events/{event:str}")
def read_event(request: AnyRequest, event: FromPath[str]) -> Response[bytes]:
    """Return one event."""
    services = services_of(request)
    asked = Asked(request, "min_position", "lang")
    caller = services.find_caller(request)
    with services.snapshot(caller, asked.min_position) as snapshot:
        event_id = find_event_id(services, snapshot, caller, unquote(event))
        if caller is None:
            rendered = _read_public(services, snapshot, event_id)
        else:
            rendered = _read(services, snapshot, caller, event_id)
    return answer_read(request, caller, rendered)


def _read_public(services: Services, snapshot: Snapshot, event_id: UUID) -> Json:
    found = find_published(snapshot.connection, snapshot.view_set, event_id)
    if found is None:
        raise NotFoundError(NO_EVENT)
    return render_public_event(found, services.name)


def _read(services: Services, snapshot: Snapshot, caller: Caller, event_id: UUID) -> Json:
    placed = find_event(snapshot.connection, snapshot.view_set, event_id)
    if placed is None or not _may_read(placed, caller):
        raise NotFoundError(NO_EVENT)
    return _render_placed(services, snapshot, caller, placed)


def _may_read(placed: Placed, caller: Caller) -> bool:
    floor = VISIBILITY_RANK[audience_of(caller)]
    return placed.partner_id == caller.partner_id or VISIBILITY_RANK[placed.visibility] >= floor


def _render_placed(services: Services, snapshot: Snapshot, caller: Caller, placed: Placed) -> Json:
    case = get_case(services, snapshot, placed.case_id).case
    recorded = case.claims.get(placed.event_id)
    if recorded is not None:
        return render_claim(case, recorded, caller, placed.position)
    event = services.reader.get_event(snapshot, placed.case_id, placed.version)
    return render_record_event(event, caller, placed.position)


# -- the log from a position ----------------------------------------------------------------------


@route("/v1/events", http_method=GET_AND_HEAD)
async def follow_log(request: AnyRequest) -> Response[bytes]:
    """Return the events after a position, waiting for one if asked to (long poll).

    `position` in the answer is where to go on: everything up to it has been looked at.
    """
    services = services_of(request)
    asked = Asked(request, "after", "wait", "limit", "min_position", "lang")
    after, limit = asked.after, asked.limit
    deadline = time.monotonic() + asked.wait_seconds(MAX_WAIT_SECONDS)
    caller = await services.authenticator.find_caller_async(request)
    look = partial(_look, services, caller, asked.min_position, after, limit)
    seen = await run_sync(look)
    while not seen.items and await _grows(services, seen.head, deadline):
        seen = await run_sync(look)
    position = seen.items[-1]["position"] if len(seen.items) == limit else seen.position
    return answer_list(
        request,
        caller,
        seen.items,
        None,
        more={"position": max(position, after)},
        # What is next at this address is not what was there before: a cache has to ask.
        cache_control=REVALIDATED if caller is None else None,
    )


async def _grows(services: Services, head: int, deadline: float) -> bool:
    """Return whether the log grows beyond a position before the deadline.

    Holds no thread meanwhile: those who wait would leave none for those who ask.
    """
    while services.watcher.head <= head:
        if time.monotonic() >= deadline or not services.writer.is_running:
            return False
        await asyncio.sleep(LOOK_SECONDS)
    return True


class Seen(NamedTuple):
    """A look at the log: the events found, the position seen by the caller, and the log's end."""

    items: list[Json]
    position: int
    head: int


def _look(
    services: Services, caller: Caller | None, min_position: int | None, after: int, limit: int
) -> Seen:
    with services.snapshot(caller, min_position) as snapshot:
        items = _list_after(services, snapshot, caller, after, limit)
        return Seen(items, position_of(snapshot, caller), snapshot.head.position)


def _list_after(
    services: Services, snapshot: Snapshot, caller: Caller | None, after: int, limit: int
) -> list[Json]:
    connection, view_set = snapshot.connection, snapshot.view_set
    if caller is None:
        changes = list_published(connection, view_set, after=after, limit=limit)
        return [render_public_event(change, services.name) for change in changes]
    placed = list_placed(
        connection,
        view_set,
        after=after,
        limit=limit,
        audience=audience_of(caller),
        own=caller.partner_id,
    )
    return [_render_placed(services, snapshot, caller, p) for p in placed]
