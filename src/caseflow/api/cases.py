"""Cases: open one, read one, list them, and the history of one."""

from typing import Any
from urllib.parse import unquote
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.params import FromPath

from caseflow.domain.errors import NotFoundError
from caseflow.domain.facts import counts_on
from caseflow.eventstore.application import Answer, Opening, Recorded
from caseflow.eventstore.partners import Caller
from caseflow.eventstore.reading import Snapshot
from caseflow.formats.json_input import decode_body
from caseflow.projections.public.status import PublicCase
from caseflow.projections.public.values import WITHDRAWN

from .answers import (
    BY_KEY,
    JSON,
    answer_elsewhere,
    answer_list,
    answer_read,
    answer_write,
    link_feeds,
)
from .asked import Asked, Moment
from .conditional import PUBLIC, make_document, make_whole
from .duplicates import add_possible_duplicates
from .kept import Messages, make_messages
from .listing import Lister, PartnerLister, PublicLister, list_page
from .reading import (
    NO_CASE,
    MergedError,
    find_case_id,
    get_case,
    get_public_case,
    is_told,
    list_changes,
    read_case,
    read_public_case,
    render_case_now,
    render_change,
)
from .rendering import encode, list_readable, render_case, render_claim, render_record_event
from .routes import read
from .services import AnyRequest, Services, services_of

_OPENING = msgspec.json.Decoder(Opening)
Json = dict[str, Any]


@post("/v1/cases", status_code=201)
async def open_case(request: AnyRequest) -> Response[bytes]:
    """Open a case; the same again, under the same external_id, answers 200 with what is stored."""
    services = services_of(request)
    caller = await services.require(request, "events:write")
    language = Asked(request, "lang").language
    body = await services.read_json(request)
    opening, attempt = decode_body(_OPENING, body), services.find_attempt(request, caller, body)

    def render(found: Recorded) -> Json:
        return render_case(found.dossier, caller, language, position=found.position)

    answer = await services.wait(services.cases.open_case(caller, opening, render, attempt=attempt))
    await add_possible_duplicates(services, caller, opening.subject, answer.rendered, language)
    return await _answer(request, caller, answer, language)


async def _answer(
    request: AnyRequest, caller: Caller, answer: Answer, language: str
) -> Response[bytes]:
    services = services_of(request)
    rendered = answer.rendered
    if rendered["position"] is None:
        rendered["position"] = await services.find_position(UUID(rendered["id"]), None)
    return await answer_write(
        request,
        caller,
        rendered,
        answer,
        version=rendered["version"],
        location=f"{services.base_url}/v1/cases/{rendered['id']}",
        language=language,
    )


@read("/v1/cases/{case:str}")
def read_one_case(request: AnyRequest, case: FromPath[str]) -> Response[bytes]:
    """Return a case and where it stands: now, on a day, as it was known at a time.

    A case that was merged into another answers 307 with the address of that.
    """
    services = services_of(request)
    asked = Asked(request, "as_of", "known_at", "lang", "min_position")
    caller, moment = services.find_caller(request), asked.moment
    with services.snapshot(caller, asked.min_position) as snapshot:
        case_id = find_case_id(services, snapshot, caller, unquote(case))
        try:
            if caller is None:
                found = get_public_case(snapshot, case_id)
                rendered = read_public_case(snapshot, found, asked.language, moment)
                if asked.is_plain:
                    services.keep(request, snapshot, case_id)
            else:
                rendered = read_case(services, snapshot, caller, case_id, asked.language, moment)
        except MergedError as error:
            return answer_elsewhere(request, f"/v1/cases/{error.case_id}")
    return answer_read(
        request,
        caller,
        rendered,
        language=asked.language,
        version=rendered["version"],
        # To a key the case may be one that is not public, and has no feed.
        feed=_feed_of(rendered) if caller is None else None,
    )


def make_answer(found: PublicCase, language: str, takes_gzip: bool) -> Messages:
    """Return the answer of `read_one_case` to a reader without a key who asks for no moment."""
    rendered = render_case_now(found, language)
    body = encode(rendered)
    whole = make_whole(
        make_document(body, media_type=JSON, zips=takes_gzip),
        takes_gzip=takes_gzip,
        cache_control=PUBLIC,
        vary=(*BY_KEY, "Accept-Language"),
        language=language,
        headers={"Link": ", ".join(link_feeds(_feed_of(rendered)))},
    )
    return make_messages(whole, JSON)


def _feed_of(rendered: Json) -> str:
    return f"/feeds/cases/{rendered['code']}"


@read("/v1/cases/{case:str}/events")
def list_history(request: AnyRequest, case: FromPath[str]) -> Response[bytes]:
    """Return the history of a case, oldest first; what was corrected or taken back says so."""
    services = services_of(request)
    asked = Asked(request, "as_of", "known_at", "lang", "min_position", "limit", "cursor")
    caller, moment = services.find_caller(request), asked.moment
    after, limit = asked.cursor(int), asked.limit
    with services.snapshot(caller, asked.min_position) as snapshot:
        case_id = find_case_id(services, snapshot, caller, unquote(case))
        feed = None
        try:
            if caller is None:
                feed = f"/feeds/cases/{get_public_case(snapshot, case_id).code}"
            items = (
                _public_history(services, snapshot, case_id, moment)
                if caller is None
                else _history(services, snapshot, caller, case_id, moment)
            )
        except MergedError as error:
            return answer_elsewhere(request, f"/v1/cases/{error.case_id}/events")
    later = [item for item in items if after is None or item["position"] > after]
    page = later[:limit]
    cursor = page[-1]["position"] if len(later) > len(page) else None
    return answer_list(request, caller, page, cursor, language=asked.language, feed=feed)


def _public_history(
    services: Services, snapshot: Snapshot, case_id: UUID, moment: Moment
) -> list[Json]:
    get_public_case(snapshot, case_id)
    changes = list_changes(snapshot, case_id, moment)
    if not changes:
        raise NotFoundError(NO_CASE)
    told = [change for change in changes if change.kind != WITHDRAWN]
    return [
        render_change(change, changes, services.name)
        for change in told
        if is_told(change, moment.as_of) or (change.is_withdrawn and moment.as_of is None)
    ]


def _history(
    services: Services, snapshot: Snapshot, caller: Caller, case_id: UUID, moment: Moment
) -> list[Json]:
    dossier = get_case(services, snapshot, case_id, moment).dossier
    items = []
    for case in dossier.cases:
        positions, readable = services.positions(snapshot, case.id), list_readable(case, caller)
        for event in services.reader.list_events(snapshot, case.id, lte=case.version):
            recorded, about = case.claims.get(event.id), case.find_claim_of(event.body)
            position = positions[event.id]
            if recorded is None:
                if about is None or about.event_id in readable:
                    items.append(render_record_event(case, event, caller, position))
            elif event.id in readable and counts_on(recorded.facts, moment.as_of):
                items.append(render_claim(dossier, recorded, caller, position))
    return sorted(items, key=lambda item: item["position"])


@read("/v1/cases")
def list_all_cases(request: AnyRequest) -> Response[bytes]:
    """Return cases, by opening (by first publication without a key), filtered."""
    services = services_of(request)
    asked = Asked(
        request, "headline", "track", "host_state", "origin_state", "at_risk", "updated_since",
        "q", "as_of", "known_at", "lang", "min_position", "limit", "cursor",
    )  # fmt: skip
    caller, moment = services.find_caller(request), asked.moment
    wanted = asked.case_filter()
    with services.snapshot(caller, asked.min_position) as snapshot:
        lister: Lister = (
            PublicLister(snapshot) if caller is None else PartnerLister(services, snapshot, caller)
        )
        page, cursor = list_page(lister, wanted, moment, asked.language)
    # Of one state alone there is a feed, of other choices only that of everything.
    feed = f"/feeds/states/{wanted.host_state}" if wanted.host_state else "/feeds/all"
    return answer_list(request, caller, page, cursor, language=asked.language, feed=feed)
