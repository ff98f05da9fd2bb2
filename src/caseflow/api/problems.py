"""The one table from errors to problem details (RFC 9457), for our errors and the framework's.

Of a framework's error nothing but its status and the list of allowed methods goes out: its words
may repeat what the caller sent. An error that is not in the table is 500 and says nothing.
"""

import html
import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

import msgspec
from eventsourcing.persistence import OperationalError
from litestar import Request, Response, route
from litestar.enums import HttpMethod
from litestar.exceptions import HTTPException
from litestar.params import FromPath
from litestar.types import ExceptionHandlersMap
from msgspec import Struct

from caseflow.domain.errors import (
    AlteredError,
    CaseflowError,
    ConflictError,
    ExternalIdTakenError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
    UnreadableError,
    VersionConflictError,
    WithdrawnError,
)
from caseflow.eventstore.keys import MissingKeyStoreError
from caseflow.eventstore.mapper import MissingCaseKeyError

from .bodies import TooLargeError, UnsupportedMediaTypeError
from .conditional import PUBLIC, respond
from .parameters import VersionRequiredError

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 1

logger = logging.getLogger(__name__)


class TooManyRequestsError(CaseflowError):
    """More requests than one caller may make in this time."""

    def __init__(self, detail: str, retry_after_seconds: int) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class Fault(Struct, frozen=True):
    """One thing that is wrong with the request, and where: a JSON pointer (RFC 6901)."""

    pointer: str
    detail: str


class Problem(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A problem as it goes out. Source: RFC 9457, section 3.1.

    id: of what was withdrawn, and the last that is told of it.
    """

    type: str
    title: str
    status: int
    detail: str
    id: UUID | None = None
    errors: tuple[Fault, ...] = ()


class ProblemType(Struct, frozen=True):
    """A kind of problem. Its slug, status and title are a promise; `text` is its documentation."""

    slug: str
    status: int
    title: str
    text: str


PROBLEM_TYPES: Final = {
    kind.slug: kind
    for kind in (
        ProblemType(
            "unreadable",
            400,
            "The request cannot be read",
            "The body is not what it says it is: not JSON, not UTF-8, nested too deeply, ended too "
            "early, or with an object that holds one field twice. The detail says where. Mend the "
            "program that wrote it; sending the same again gives the same answer.",
        ),
        ProblemType(
            "unauthenticated",
            401,
            "A valid key is needed",
            "No key came with a request that needs one, or the key is unknown, expired or revoked. "
            "Send `Authorization: Bearer <key>` with a key that is in force. A request with a bad "
            "key is never answered as if it had none.",
        ),
        ProblemType(
            "forbidden",
            403,
            "The key lacks a scope",
            "The key is valid and does not carry the scope that the detail names. It says nothing "
            "about any one case or event. Ask the operator for a key with that scope.",
        ),
        ProblemType(
            "not-found",
            404,
            "There is nothing here",
            "There is no such thing, or you may not know that there is; the answer is the same for "
            "both. Check the identifier, and whether a key is needed to see it.",
        ),
        ProblemType(
            "method-not-allowed",
            405,
            "The method does not apply here",
            "The address exists and does not take this method. The header `Allow` lists those that "
            "it takes.",
        ),
        ProblemType(
            "conflict",
            409,
            "This is not possible now",
            "The request contradicts what is recorded, or the same request is still being carried "
            "out. The detail says what stands in the way. Nothing was stored.",
        ),
        ProblemType(
            "external-id-taken",
            409,
            "The external id stands for something else",
            "You used this `external_id` before, for a case or event with other content. Sending "
            "the same content again is safe and answers with what is stored; to change what is "
            "stored, post a correction.",
        ),
        ProblemType(
            "withdrawn",
            410,
            "It was withdrawn",
            "What you ask for was there and you could read it; it was withdrawn or erased and will "
            "not come back at this address. Delete your copy of it.",
        ),
        ProblemType(
            "version-mismatch",
            412,
            "The case has moved on",
            "`If-Match` names another version than the case has now; the header `ETag` tells which "
            "one. Read the case again, decide again, and send the request with the new version.",
        ),
        ProblemType(
            "too-large",
            413,
            "The body is too large",
            "The body is longer than is taken here; the detail names the limit. Send less at once.",
        ),
        ProblemType(
            "unsupported-media-type",
            415,
            "The body is in a form that is not taken",
            "Send JSON with `Content-Type: application/json`, not compressed; parameters such as "
            "`charset=utf-8` are allowed.",
        ),
        ProblemType(
            "invalid-input",
            422,
            "The request can be read but not accepted",
            "Each member of `errors` has a `pointer` to what is wrong and a `detail` that says "
            "why. The pointer is a JSON pointer (RFC 6901) into the body, or into the rest of the "
            "request: `/query/as_of` is the query parameter as_of, `/headers/If-Match` a header. "
            "An empty pointer means the whole body. A query parameter that the address does not "
            "know is refused too, since without it the answer would be about something else.",
        ),
        ProblemType(
            "text-names-person",
            422,
            "A public text names a person who did not agree to it",
            "The consent of the case is below `name`, and a text meant for the public holds one "
            "of the person's names, in some spelling or script. Word it differently, or make the "
            "claim visible to `partners` or `restricted` only. `errors` points at the texts.",
        ),
        ProblemType(
            "idempotency-key-reused",
            422,
            "The idempotency key was used for another request",
            "You sent this `Idempotency-Key` before, with another request: another address, body "
            "or language. Nothing was stored now. A key stands for one request for good; take a "
            "new one, random is best, for each thing that you want done.",
        ),
        ProblemType(
            "version-required",
            428,
            "The request must name a version",
            "This change is only made to a case that you have seen as it is. Read the case and "
            'send its version, as in `If-Match: "7"`.',
        ),
        ProblemType(
            "too-many-requests",
            429,
            "Too many requests",
            "You asked more often than is allowed: the keys of a partner count together, requests "
            "without a valid key by the address they come from. Nothing was done; the header "
            "`RateLimit-Policy` tells the limit. Wait the seconds that `Retry-After` names, then "
            "send the request again.",
        ),
        ProblemType(
            "internal-error",
            500,
            "Something went wrong here",
            "The fault is ours and was logged. Nothing is told of it. Whether the request was "
            "carried out is not certain; a request with an `external_id` or an `Idempotency-Key` "
            "may be sent again without harm.",
        ),
        ProblemType(
            "unavailable",
            503,
            "Not available now",
            "The service, or the position that was asked for, is not ready. Wait the seconds that "
            "`Retry-After` names and send the request again; one with an `external_id` or an "
            "`Idempotency-Key` is carried out once, however often it is sent.",
        ),
    )
}

# The nearest class that an error has decides. InvalidInputError tells its slug itself.
_SLUGS: Final[Mapping[type[Exception], str]] = {
    UnreadableError: "unreadable",
    UnauthenticatedError: "unauthenticated",
    ForbiddenError: "forbidden",
    NotFoundError: "not-found",
    ConflictError: "conflict",
    ExternalIdTakenError: "external-id-taken",
    WithdrawnError: "withdrawn",
    VersionConflictError: "version-mismatch",
    TooLargeError: "too-large",
    UnsupportedMediaTypeError: "unsupported-media-type",
    VersionRequiredError: "version-required",
    TooManyRequestsError: "too-many-requests",
    UnavailableError: "unavailable",
    # What was altered the operator has to find out; nobody is answered from it.
    AlteredError: "unavailable",
    # The database is away, or did not say whether it committed.
    OperationalError: "unavailable",
    # The operator has to bring the keys back; until then nothing is written or unsealed.
    MissingKeyStoreError: "unavailable",
    MissingCaseKeyError: "unavailable",
}

_FRAMEWORK_SLUGS: Final[Mapping[int, str]] = {
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media-type",
    422: "invalid-input",
    429: "too-many-requests",
    503: "unavailable",
}


def problem_of(error: Exception) -> Problem:
    """Return how an error is told to the caller; one that is not known, as internal-error."""
    kind = PROBLEM_TYPES[_slug_of(error)]
    detail = f"{kind.title}."
    # A key store that refuses, a gap in the log: words for the operator, not for the caller.
    for_the_operator = kind.status == 500 or isinstance(error, AlteredError)
    if isinstance(error, CaseflowError) and not for_the_operator:
        detail = _encodable(error.detail)
    faults = error.errors if isinstance(error, InvalidInputError) else ()
    return Problem(
        type=f"/problems/{kind.slug}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        id=error.id if isinstance(error, WithdrawnError) else None,
        errors=tuple(Fault(_encodable(pointer), _encodable(why)) for pointer, why in faults),
    )


def problem_response(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Return the answer to a request that ended in an error, with the headers its status asks for.

    Source: RFC 9457; RFC 9110, sections 10.2.1, 10.2.3, 11.6.1; RFC 6750, section 3.
    """
    problem = problem_of(error)
    if problem.status == 500:
        note_failure(request, error)
    body = msgspec.json.encode(problem)
    headers = {
        "cache-control": "no-store",
        "content-length": str(len(body)),
        **problem_headers(error, problem.status),
    }
    content = b"" if request.method == "HEAD" else body
    return Response(content, status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)


# `Exception` covers what is in no table.
EXCEPTION_HANDLERS: Final[ExceptionHandlersMap] = {
    CaseflowError: problem_response,
    HTTPException: problem_response,
    Exception: problem_response,
}


def _slug_of(error: Exception) -> str:
    if isinstance(error, InvalidInputError):
        return error.slug
    if isinstance(error, HTTPException):
        other = "unreadable" if error.status_code < 500 else "internal-error"
        return _FRAMEWORK_SLUGS.get(error.status_code, other)
    known = (_SLUGS[kind] for kind in type(error).__mro__ if kind in _SLUGS)
    return next(known, "internal-error")


def problem_headers(error: Exception, status: int) -> dict[str, str]:
    """Return the headers that the status of a problem asks for."""
    match status:
        case 401:
            return {"www-authenticate": "Bearer"}
        case 405:
            return {"allow": _allowed_methods(error)}
        case 412 if isinstance(error, VersionConflictError):
            return {"etag": f'"{error.version}"'}
        case 429 | 503:
            seconds = getattr(error, "retry_after_seconds", RETRY_AFTER_SECONDS)
            return {"retry-after": str(seconds)}
    return {}


def _allowed_methods(error: Exception) -> str:
    headers = getattr(error, "headers", None) or {}
    return ", ".join(sorted(headers.get("allow", "").replace(" ", "").split(",")))


def _encodable(text: str) -> str:
    # A field name with half a surrogate pair has no UTF-8.
    return text.encode("utf-8", "replace").decode()


def note_failure(request: Request[Any, Any, Any], error: Exception) -> None:
    """Log an error of which whoever asked is told nothing."""
    # The template, never the address: a path or a query may hold somebody's name.
    template = request.scope.get("path_template") or "an address without a route"
    logger.error("%s %s failed", request.method, template, exc_info=error)


@route("/problems/{slug:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD], sync_to_thread=False)
def problem_page(request: Request[Any, Any, Any], slug: FromPath[str]) -> Response[bytes]:
    """Return what a type of problem means, for whoever follows its `type`."""
    kind = PROBLEM_TYPES.get(slug)
    if kind is None:
        raise NotFoundError("there is no problem of this type")
    # The page loads nothing and runs nothing; the browser is told to keep it so.
    safety = {"content-security-policy": "default-src 'none'", "x-content-type-options": "nosniff"}
    page = _render_page(kind).encode()
    return respond(
        request,
        page,
        media_type="text/html",
        cache_control=PUBLIC,
        language="en",
        headers=safety,
    )


def _render_page(kind: ProblemType) -> str:
    title = html.escape(kind.title)
    text = re.sub("`([^`]+)`", r"<code>\1</code>", html.escape(kind.text))
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<h1>{title}</h1>\n<p>{kind.slug}, status {kind.status}</p>\n<p>{text}</p>\n</html>\n"
    )


def render_documentation(kinds: Iterable[ProblemType] = PROBLEM_TYPES.values()) -> str:
    """Return the sections of docs/problems.md, one for each type: Markdown."""
    return "\n".join(
        f"## {kind.slug}\n\n**{kind.status}** {kind.title}\n\n{kind.text}\n" for kind in kinds
    )
