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
from caseflow.projections.listing import CaseFilter
from caseflow.projections.partner import status as partner_status
from caseflow.projections.public import status as public_status

from .answers import answer_list, answer_read, answer_write
from .asked import NOW, Asked, Moment
from .reading import (
    NO_CASE,
    find_case_id,
    fold_changes,
    get_case,
    get_public_case,
    list_changes,
    read_case,
    read_public_case,
)
from .rendering import (
    label_for,
    render_case,
    render_claim,
    render_public_case,
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
        lister = _PublicLister(snapshot) if caller is None else _Lister(services, snapshot, caller)
        page, cursor = lister.page(wanted, moment, asked.language)
    return answer_list(request, caller, page, cursor, language=asked.language)


class _PublicLister:
    """Lists what is public."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def page(
        self, wanted: CaseFilter, moment: Moment, language: str
    ) -> tuple[list[Json], tuple[int, str] | None]:
        replayed = moment != NOW
        found = public_status.list_cases(
            self._snapshot.connection,
            self._snapshot.view_set,
            msgspec.structs.replace(wanted, limit=wanted.limit + 1),
            replayed=replayed,
        )
        page: list[Json] = []
        cursor = None
        for case in found:
            rendered = self._render(case, wanted, moment, language)
            if rendered is None:
                continue
            if len(page) == wanted.limit:
                return page, cursor
            page.append(rendered)
            cursor = case.published_at, str(case.case_id)
        return page, None

    def _render(
        self, case: public_status.PublicCase, wanted: CaseFilter, moment: Moment, language: str
    ) -> Json | None:
        if moment == NOW:
            return read_public_case(self._snapshot, case, language, moment)
        changes = list_changes(self._snapshot, case.case_id, moment)
        if not any(counts_on(change.decode_facts(), moment.as_of) for change in changes):
            return None
        status, last = fold_changes(case, changes, moment.as_of), changes[-1]
        if not wanted.matches(status, last.published_at):
            return None
        return render_public_case(
            case._replace(updated_at=last.published_at),
            status,
            language,
            version=last.version,
            position=last.sequence,
            as_of=moment.as_of,
            known_at=moment.known_at_text,
        )


class _Lister:
    """Lists what a partner may read."""

    def __init__(self, services: Services, snapshot: Snapshot, caller: Caller) -> None:
        self._services = services
        self._snapshot = snapshot
        self._caller = caller

    def page(
        self, wanted: CaseFilter, moment: Moment, language: str
    ) -> tuple[list[Json], tuple[int, str] | None]:
        replayed = moment != NOW
        # Labels that only partners see are sealed: words are looked for after unsealing.
        unsealed = replayed or bool(wanted.words)
        found = partner_status.list_cases(
            self._snapshot.connection,
            self._snapshot.view_set,
            msgspec.structs.replace(wanted, words=(), limit=wanted.limit + 1),
            reads_restricted=self._caller.reads_restricted,
            own=self._caller.partner_id,
            replayed=unsealed,
        )
        page: list[Json] = []
        cursor = None
        for listed in found:
            rendered = self._render(listed.case_id, wanted, moment, language)
            if rendered is None:
                continue
            if len(page) == wanted.limit:
                return page, cursor
            page.append(rendered)
            cursor = listed.opened_at, str(listed.case_id)
        return page, None

    def _render(
        self, case_id: UUID, wanted: CaseFilter, moment: Moment, language: str
    ) -> Json | None:
        try:
            found = get_case(self._services, self._snapshot, case_id, moment)
        except NotFoundError:
            return None
        case, caller = found.case, self._caller
        audience = audience_of(caller)
        readable = case.claims_for(audience, caller.partner_id)
        if moment.as_of and not any(counts_on(c.facts, moment.as_of) for c in readable):
            return None
        status = case.status_for(audience, caller.partner_id, as_of=moment.as_of)
        if not (wanted.matches(status, case.updated_at) and wanted.names(self._labels(case))):
            return None
        return render_case(
            case,
            caller,
            language,
            position=found.position,
            as_of=moment.as_of,
            known_at=moment.known_at_text,
        )

    def _labels(self, case: Case) -> list[str]:
        return [case.code, *(label_for(case, self._caller, x) for x in ("ru", "kk", "en"))]
