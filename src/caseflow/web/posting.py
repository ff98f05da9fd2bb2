"""The form with which partners post what happened: a key, a claim, a look at it, a receipt.

Each step is a page of its own, so that it works without a script and over a bad line: nothing is
recorded before the last, and the last may be sent again and again.
"""

from typing import Any, Final
from uuid import UUID

import msgspec
from anyio.to_thread import run_sync
from litestar import Response, post

from caseflow.api.asked import Asked
from caseflow.api.events import render_recorded
from caseflow.api.preview import render_preview
from caseflow.api.reading import MergedError, find_case_id, get_case
from caseflow.api.rendering import label_for, list_readable, render_status
from caseflow.api.routes import read_at_once
from caseflow.api.services import AnyRequest, Services, audience_of, services_of
from caseflow.domain.errors import (
    CaseflowError,
    ConflictError,
    ForbiddenError,
    IdempotencyKeyReusedError,
    InvalidInputError,
    NotFoundError,
    UnauthenticatedError,
)
from caseflow.domain.labels import label
from caseflow.domain.vocabulary import TYPES, AnyClaim, type_of
from caseflow.eventstore.application import Recorded
from caseflow.eventstore.partners import Caller, digest_key
from caseflow.eventstore.rehearsal import Rehearsal
from caseflow.formats.json_input import decode_body
from caseflow.projections.public.feed import Site

from .claim_form import (
    DATE_KINDS,
    LANGUAGES_OF_TEXTS,
    SOURCES,
    list_countries,
    list_filled,
    list_inputs,
    list_types,
    make_claim,
    name_pointer,
)
from .forms import (
    Fields,
    ForgedFormError,
    LateFormError,
    Token,
    digest_fields,
    new_token,
    open_token,
    read_form,
    seal_token,
)
from .languages import say
from .pages import Page, answer_page, answer_privately, page_of
from .verify import make_receipt

Json = dict[str, Any]

_CLAIM: Final = msgspec.json.Decoder(AnyClaim)
_SCOPE: Final = "events:write"
_VERIFICATIONS: Final = ("confirmed", "likely", "possible", "unlikely")
_VISIBILITIES: Final = ("public", "partners", "restricted")


class _Problem(msgspec.Struct):
    """What is told of something that was not done. faults: name of a field, and why."""

    words: str
    faults: list[tuple[str, str]] = []
    status: int = 422


# -- who, which case, what -------------------------------------------------------------------------


@read_at_once("/post")
def read_start(request: AnyRequest) -> Response[bytes]:
    """Return the first page: the key, the case, and what happened to the person."""
    page = page_of(request, "post_start.html", Asked(request, "lang"))
    values: Json = {"types": list_types(page.language), "told": {}, "problem": None}
    return answer_page(request, page, None, lambda: values)


@post("/post", status_code=200)
async def start(request: AnyRequest) -> Response[bytes]:
    """Answer with the form for a claim of the type, where the key may post to the case."""
    services = services_of(request)
    page = page_of(request, "post_start.html", Asked(request, "lang"))
    told = await read_form(request, services)
    return await run_sync(_start, request, services, page, told)


def _start(request: AnyRequest, services: Services, page: Page, told: Fields) -> Response[bytes]:
    try:
        digest = digest_key(told.get("key", ""))
        caller = _find_caller(services, digest)
        if told.get("type") not in TYPES:
            raise InvalidInputError("it is not chosen what happened", [("/type", "is needed")])
        _find_case(services, caller, told)
    except CaseflowError as error:
        problem = _explain(error, page.language)
        kept = {name: told[name] for name in ("case", "type") if name in told}
        values = {"types": list_types(page.language), "told": kept, "problem": problem}
        return answer_privately(request, page, values, status=problem.status)
    token = new_token("claim", key=digest.hex())
    asked = {"case": told["case"], "type": told["type"]}
    return _answer_form(request, services, caller, page, token, asked)


def _find_caller(services: Services, digest: bytes) -> Caller:
    """Return whose key it is, as one who reads nothing that is restricted to others.

    So no step tells of such a thing, and none has to be logged as a read of it.
    """
    caller = services.authenticator.identify(digest)
    if _SCOPE not in caller.scopes:
        raise ForbiddenError(f"the key lacks the scope {_SCOPE}")
    return msgspec.structs.replace(caller, scopes=caller.scopes - {"restricted:read"})


def _find_case(services: Services, caller: Caller, told: Fields) -> Any:
    with services.snapshot(caller, None) as snapshot:
        name = told.get("case", "")
        # A code is written as it is spoken; a partner's own name as it is.
        name = name if name.startswith("ext:") else name.upper() if len(name) == 12 else name
        case_id = find_case_id(services, snapshot, caller, name)
        try:
            return get_case(services, snapshot, case_id).dossier
        except MergedError as error:
            # Told of under the one that stays, as it is read.
            return get_case(services, snapshot, error.case_id).dossier


# -- the claim -------------------------------------------------------------------------------------


def _answer_form(
    request: AnyRequest,
    services: Services,
    caller: Caller,
    page: Page,
    token: Token,
    told: Fields,
    problem: _Problem | None = None,
) -> Response[bytes]:
    """Return the page with the fields of a claim, filled in as far as they are told."""
    language, dossier = page.language, _find_case(services, caller, told)
    readable = list_readable(dossier.main, caller)
    values = {
        "token": seal_token(services, token),
        "told": dict(told),
        "problem": problem,
        "type": told["type"],
        "code": dossier.main.code,
        "label_of_case": label_for(dossier.main, caller, language),
        "inputs": list_inputs(told["type"], language),
        "date_kinds": [(code, say(name, language)) for code, name in DATE_KINDS],
        "countries": list_countries(language),
        "languages_of_texts": LANGUAGES_OF_TEXTS,
        "sources": range(SOURCES),
        "verification_choices": [
            (code, label("values", code, language, of="verification")) for code in _VERIFICATIONS
        ],
        "visibilities": _VISIBILITIES,
        "events": [
            (str(c.event_id), type_of(c.claim), c.claim.occurred)
            for c in dossier.main.claims.values()
            if c.event_id in readable and c.in_force
        ],
    }
    form = page._replace(template="post_claim.html", path="/post")
    return answer_privately(request, form, values, status=problem.status if problem else 200)


@post("/post/preview", status_code=200)
async def preview(request: AnyRequest) -> Response[bytes]:
    """Answer with what the public would see; nothing is recorded."""
    services = services_of(request)
    page = page_of(request, "post_preview.html", Asked(request, "lang"))._replace(path="/post")
    told = await read_form(request, services)
    return await run_sync(_preview, request, services, page, told)


def _preview(request: AnyRequest, services: Services, page: Page, told: Fields) -> Response[bytes]:
    try:
        token = open_token(services, told.get("token", ""), "claim")
        caller = _find_caller(services, bytes.fromhex(token.key or ""))
    except CaseflowError as error:
        return _answer_start_again(request, page, error)
    fields = dict(list_filled(told))
    if fields.get("type") not in TYPES:
        raise ForgedFormError("the form names no type")
    if "edit" in fields:
        del fields["edit"]
        return _answer_form(request, services, caller, page, token, fields)
    try:
        found = _rehearse(services, caller, fields)
    except CaseflowError as error:
        problem = _explain(error, page.language)
        return _answer_form(request, services, caller, page, token, fields, problem)
    seen = Token(purpose="preview", nonce=token.nonce, key=token.key, fields=digest_fields(fields))
    values = {
        "token": seal_token(services, seen),
        "back": seal_token(services, token),
        "fields": fields,
        **_tell_preview(services, found, caller, page.language),
    }
    return answer_privately(request, page, values)


def _rehearse(services: Services, caller: Caller, fields: Fields) -> Recorded:
    """Return what recording a claim would lead to."""
    cases = services.cases.rehearsing(Rehearsal(services.reader, services.clock))
    future = cases.record_claim(
        caller, _name_case(services, caller, fields), _decode(fields), _same
    )
    found: Recorded = future.result().rendered
    return found


def _same(found: Recorded) -> Recorded:
    return found


def _decode(fields: Fields) -> Any:
    return decode_body(_CLAIM, msgspec.json.encode(make_claim(fields["type"], fields)))


def _name_case(services: Services, caller: Caller, fields: Fields) -> str:
    return str(_find_case(services, caller, fields).main.id)


def _tell_preview(services: Services, found: Recorded, caller: Caller, language: str) -> Json:
    case = found.dossier.find_case_of(found.event_id)
    assert case is not None, "a claim was rehearsed"
    recorded = case.claims[found.event_id]
    site = Site(services.base_url, services.name)
    status = found.dossier.status_for(audience_of(caller), caller.partner_id)
    return {
        "public": render_preview(found.dossier, case, recorded, site, language),
        "code": case.code,
        "status": render_status(status, language),
        # A claim that was posted before under the same name: it is answered with that.
        "is_there": found.position is None,
    }


# -- recorded --------------------------------------------------------------------------------------


@post("/post/done", status_code=200)
async def finish(request: AnyRequest) -> Response[bytes]:
    """Record the claim that was looked at, once, and answer with its receipt."""
    services = services_of(request)
    page = page_of(request, "post_done.html", Asked(request, "lang"))._replace(path="/post")
    told = await read_form(request, services)
    fields = dict(list_filled(told))
    try:
        token = await run_sync(open_token, services, told.get("token", ""), "preview")
        if token.fields != digest_fields(fields):
            raise ForgedFormError("what was sent is not what was seen")
        caller = await run_sync(_find_caller, services, bytes.fromhex(token.key or ""))
    except CaseflowError as error:
        return await run_sync(_answer_start_again, request, page, error)
    try:
        answer = await _record(services, caller, token, fields, page.language)
    except CaseflowError as error:
        again = Token(purpose="claim", nonce=token.nonce, key=token.key)
        problem = _explain(error, page.language)
        return await run_sync(_answer_form, request, services, caller, page, again, fields, problem)
    rendered, _ = answer.rendered
    event_id = UUID(rendered["id"])
    if rendered["position"] is None:
        rendered["position"] = await services.find_position(None, event_id)
    receipt = await run_sync(make_receipt, services, event_id, rendered["position"])
    values = {
        "event": rendered,
        "receipt": receipt,
        "is_new": answer.created and not answer.replayed,
    }
    return answer_privately(request, page, values)


async def _record(
    services: Services, caller: Caller, token: Token, fields: Fields, language: str
) -> Any:
    case_name = await run_sync(_name_case, services, caller, fields)
    attempt = services.cases.attempt(
        caller, f"form:{token.nonce}", "POST", "/post", token.fields or ""
    )

    def render(found: Recorded) -> tuple[Json, int]:
        return render_recorded(found, caller, language), found.case.version

    return await services.wait(
        services.cases.record_claim(caller, case_name, _decode(fields), render, attempt=attempt)
    )


# -- what goes wrong -------------------------------------------------------------------------------


def _answer_start_again(request: AnyRequest, page: Page, error: CaseflowError) -> Response[bytes]:
    """Return the first page, with why the form is not taken; other errors go their way."""
    if not isinstance(
        error, ForgedFormError | LateFormError | UnauthenticatedError | ForbiddenError
    ):
        raise error
    problem = _explain(error, page.language)
    values = {"types": list_types(page.language), "told": {}, "problem": problem}
    start_page = page._replace(template="post_start.html", path="/post")
    return answer_privately(request, start_page, values, status=problem.status)


def _explain(error: CaseflowError, language: str) -> _Problem:  # noqa: PLR0911 - a table
    """Return what a partner is told; errors that no partner can help go their way."""
    match error:
        case LateFormError():
            return _Problem(
                say("The page was open for too long. Nothing was stored; begin again.", language)
            )
        case ForgedFormError():
            return _Problem(
                say("This form does not come from here as it is. Nothing was stored.", language),
                status=403,
            )
        case UnauthenticatedError():
            return _Problem(
                say(
                    "The key is not known, has run out or was revoked. Nothing was stored.",
                    language,
                ),
                status=401,
            )
        case ForbiddenError():
            return _Problem(say("This key may not post. Nothing was stored.", language), status=403)
        case NotFoundError():
            return _Problem(
                say("There is no such case that this key may read. Nothing was stored.", language)
            )
        case ConflictError():
            return _Problem(
                say("This contradicts what is recorded. Nothing was stored.", language),
                [("", error.detail)],
                status=409,
            )
        case IdempotencyKeyReusedError():
            return _Problem(
                say(
                    "This form was stored before, with other words. Nothing more was stored; "
                    "begin a new one.",
                    language,
                )
            )
        case InvalidInputError():
            return _Problem(
                say("Something cannot be taken as it is written. Nothing was stored.", language),
                [(name_pointer(pointer, language), why) for pointer, why in error.errors],
            )
    raise error
