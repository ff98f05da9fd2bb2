"""Events: record a claim, read one, follow the log from a position."""

import asyncio
import time
from collections.abc import Sequence
from functools import cache, partial
from typing import Any, Final, NamedTuple
from urllib.parse import unquote
from uuid import UUID

import msgspec
from anyio.to_thread import run_sync
from litestar import Response, post, route
from litestar.params import FromPath

from caseflow.domain.dossier import Dossier
from caseflow.domain.errors import NotFoundError
from caseflow.domain.vocabulary import AnyClaim
from caseflow.eventstore.application import Answer, Recorded
from caseflow.eventstore.partners import Caller
from caseflow.eventstore.reading import Snapshot
from caseflow.formats.json_input import decode_body
from caseflow.projections.partner.history import ERASED, ERASURE, Placed, list_placed
from caseflow.projections.public.feed import Site
from caseflow.projections.public.history import Published, find_change, list_published

from .answers import answer_list, answer_read, answer_write
from .asked import Asked
from .conditional import REVALIDATED
from .parameters import parse_if_match
from .preview import render_preview
from .reading import (
    find_event_id,
    get_dossier,
    get_placed,
    read_public_event,
    render_change,
)
from .rendering import (
    encode,
    render_claim,
    render_erased,
    render_erasure,
    render_record_event,
    render_status,
)
from .reported import read_event_of_no_case
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

    def render(found: Recorded) -> tuple[Json, int]:
        return render_recorded(found, caller, language), found.case.version

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
    return await answer_recorded(request, caller, answer, language)


def render_recorded(found: Recorded, caller: Caller, language: str) -> Json:
    """Return an event that was recorded, and where the case stands now."""
    recorded = found.case.claims.get(found.event_id)
    if recorded is not None:
        rendered = render_claim(found.dossier, recorded, caller, found.position)
    else:
        rendered = render_record_event(found.case, found.find_event(), caller, found.position)
    status = found.dossier.status_for(audience_of(caller), caller.partner_id)
    return {**rendered, "status": render_status(status, language)}


async def answer_recorded(
    request: AnyRequest, caller: Caller, answer: Answer, language: str
) -> Response[bytes]:
    """Return the answer to what recorded an event; rendered: the event and the case's version."""
    services = services_of(request)
    rendered, version = answer.rendered
    if rendered["position"] is None:
        rendered["position"] = await services.find_position(None, UUID(rendered["id"]))
    return await answer_write(
        request,
        caller,
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
            rendered = read_public_event(snapshot, event_id, services.name)
        else:
            rendered = _read(services, snapshot, caller, event_id)
    return answer_read(request, caller, rendered)


@read("/v1/events/{event:str}/preview")
def preview_event(request: AnyRequest, event: FromPath[str]) -> Response[bytes]:
    """Return what the public sees of a claim, or would see once nothing holds it back any more.

    Of a claim that is withheld it would see nothing; the reason is told.
    """
    services = services_of(request)
    asked = Asked(request, "min_position", "lang")
    caller = services.require_key(request)
    with services.snapshot(caller, asked.min_position) as snapshot:
        event_id = find_event_id(services, snapshot, caller, unquote(event))
        placed = get_placed(snapshot, caller, event_id)
        dossier = get_dossier(services, snapshot, placed.case_id)
    case = dossier.find_case_of(event_id)
    if case is None:
        raise NotFoundError("the event is no claim: the public sees what it does to claims")
    site = Site(services.base_url, services.name)
    rendered = render_preview(dossier, case, case.claims[event_id], site, asked.language)
    return answer_read(request, caller, rendered, language=asked.language)


def _read(services: Services, snapshot: Snapshot, caller: Caller, event_id: UUID) -> Json:
    placed = get_placed(snapshot, caller, event_id)
    dossier = services.reader.find_dossier(snapshot, placed.case_id)
    return _render(services, snapshot, caller, placed, dossier=dossier)


def _render(
    services: Services,
    snapshot: Snapshot,
    caller: Caller,
    placed: Placed,
    *,
    dossier: Dossier | None,
) -> Json:
    """Return an event as JSON; dossier: the cases about its person, None for one of no case."""
    if placed.type == ERASED:
        return render_erased(placed)
    if placed.type == ERASURE:
        event = services.reader.get_event(snapshot, placed.case_id, placed.version)
        return render_erased(placed) | render_erasure(event, caller)
    if dossier is None:
        return read_event_of_no_case(services.reader, snapshot, caller, placed)
    case = dossier.find_case_of(placed.event_id)
    if case is not None:
        recorded = case.claims[placed.event_id]
        return render_claim(dossier, recorded, caller, placed.position)
    event = services.reader.get_event(snapshot, placed.case_id, placed.version)
    case = next((c for c in dossier.cases if c.id == placed.case_id), None)
    return render_record_event(case, event, caller, placed.position)


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
    answer = partial(
        answer_list,
        more={"position": max(position, after)},
        # What is next at this address is not what was there before: a cache has to ask.
        cache_control=REVALIDATED if caller is None else None,
    )
    return await run_sync(answer, request, caller, seen.items, None)


async def _grows(services: Services, head: int, deadline: float) -> bool:
    """Return whether the log grows beyond a position before the deadline.

    Holds no thread meanwhile: those who wait would leave none for those who ask.
    """
    while services.watcher.head <= head:
        if time.monotonic() >= deadline or not services.streams.is_running:
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
        items = list_after(services, snapshot, caller, after, limit)
        return Seen(items, position_of(snapshot, caller), snapshot.head.position)


def render_published(snapshot: Snapshot, changes: Sequence[Published], name: str) -> list[Json]:
    """Return public changes as JSON; name: of the deployment."""
    where = snapshot.connection, snapshot.view_set
    named = {s for c in changes for s in (c.takes_back, c.taken_back_by) if s is not None}
    found = [find_change(*where, sequence) for sequence in sorted(named)]
    return [render_change(change, [f for f in found if f], name) for change in changes]


def encode_published(snapshot: Snapshot, changes: Sequence[Published], name: str) -> list[bytes]:
    """Return public changes as bytes of JSON; name: of the deployment."""
    return [encode(item) for item in render_published(snapshot, changes, name)]


def list_after(
    services: Services, snapshot: Snapshot, caller: Caller | None, after: int, limit: int
) -> list[Json]:
    """Return the events after a position that a caller may read, in order, as JSON."""
    connection, view_set = snapshot.connection, snapshot.view_set
    if caller is None:
        changes = list_published(connection, view_set, after=after, limit=limit)
        return render_published(snapshot, changes, services.name)
    placed = list_placed(
        connection,
        view_set,
        after=after,
        limit=limit,
        audience=audience_of(caller),
        own=caller.partner_id,
    )
    # Of one case there are mostly several, and each takes some queries.
    find_dossier = cache(partial(services.reader.find_dossier, snapshot))
    return [_render(services, snapshot, caller, p, dossier=find_dossier(p.case_id)) for p in placed]
