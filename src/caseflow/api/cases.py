"""Cases: open one, read one, list them, and the history of one."""

from typing import Any
from urllib.parse import unquote
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.params import FromPath

from caseflow.domain.case import Case
from caseflow.domain.errors import NotFoundError
from caseflow.domain.facts import counts_on
from caseflow.eventstore.application import Answer, Opening
from caseflow.eventstore.partners import Caller
from caseflow.eventstore.reading import Snapshot
from caseflow.formats.json_input import decode_body

from .answers import answer_list, answer_read, answer_write
from .asked import Asked, Moment
from .listing import Lister, PartnerLister, PublicLister, list_page
from .reading import (
    NO_CASE,
    find_case_id,
    get_case,
    get_public_case,
    list_changes,
    read_case,
    read_public_case,
)
from .rendering import (
    render_case,
    render_claim,
    render_public_event,
    render_record_event,
)
from .routes import read
from .services import AnyRequest, Services, audience_of, services_of

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

    def render(case: Case, event_id: UUID, position: int | None) -> Json:
        rendered = render_case(case, caller, language, position=position)
        return {**rendered, "possible_duplicates": []}

    answer = await services.wait(services.cases.open_case(caller, opening, render, attempt=attempt))
    return await _answer(services, answer, language)


async def _answer(services: Services, answer: Answer, language: str) -> Response[bytes]:
    rendered = answer.rendered
    if rendered["position"] is None:
        rendered["position"] = await services.find_position(UUID(rendered["id"]), None)
    return answer_write(
        rendered,
        answer,
        version=rendered["version"],
        location=f"{services.base_url}/v1/cases/{rendered['id']}",
        language=language,
    )


@read("/v1/cases/{case:str}")
def read_one_case(request: AnyRequest, case: FromPath[str]) -> Response[bytes]:
    """Return a case and where it stands: now, on a day, as it was known at a time."""
    services = services_of(request)
    asked = Asked(request, "as_of", "known_at", "lang", "min_position")
    caller, moment = services.find_caller(request), asked.moment
    with services.snapshot(caller, asked.min_position) as snapshot:
        case_id = find_case_id(services, snapshot, caller, unquote(case))
        if caller is None:
            found = get_public_case(snapshot, case_id)
            rendered = read_public_case(snapshot, found, asked.language, moment)
        else:
            rendered = read_case(services, snapshot, caller, case_id, asked.language, moment)
    return answer_read(
        request, caller, rendered, language=asked.language, version=rendered["version"]
    )


@read("/v1/cases/{case:str}/events")
def list_history(request: AnyRequest, case: FromPath[str]) -> Response[bytes]:
    """Return the history of a case, oldest first."""
    services = services_of(request)
    asked = Asked(request, "as_of", "known_at", "lang", "min_position", "limit", "cursor")
    caller, moment = services.find_caller(request), asked.moment
    with services.snapshot(caller, asked.min_position) as snapshot:
        case_id = find_case_id(services, snapshot, caller, unquote(case))
        items = (
            _public_history(services, snapshot, case_id, moment)
            if caller is None
            else _history(services, snapshot, caller, case_id, moment)
        )
    after = asked.cursor(int)
    later = [item for item in items if after is None or item["version"] > after]
    page = later[: asked.limit]
    cursor = page[-1]["version"] if len(later) > len(page) else None
    return answer_list(request, caller, page, cursor, language=asked.language)


def _public_history(
    services: Services, snapshot: Snapshot, case_id: UUID, moment: Moment
) -> list[Json]:
    get_public_case(snapshot, case_id)
    changes = list_changes(snapshot, case_id, moment)
    if not changes:
        raise NotFoundError(NO_CASE)
    return [
        render_public_event(change, services.name)
        for change in changes
        if counts_on(change.decode_facts(), moment.as_of)
    ]


def _history(
    services: Services, snapshot: Snapshot, caller: Caller, case_id: UUID, moment: Moment
) -> list[Json]:
    case = get_case(services, snapshot, case_id, moment).case
    positions = services.positions(snapshot, case_id)
    readable = {c.event_id for c in case.claims_for(audience_of(caller), caller.partner_id)}
    items = []
    for event in services.reader.list_events(snapshot, case_id, lte=case.version):
        position = positions.get(event.id)
        if event.claim is None:
            items.append(render_record_event(event, caller, position))
        elif event.id in readable and counts_on(case.claims[event.id].facts, moment.as_of):
            items.append(render_claim(case, case.claims[event.id], caller, position))
    return items


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
    return answer_list(request, caller, page, cursor, language=asked.language)
