"""Answers: what reads, lists and writes have in common on the way out.

What is restricted in them is logged first: an answer that cannot be logged is not given.
"""

from typing import Any
from urllib.parse import urlencode

from anyio.to_thread import run_sync
from litestar import Response

from caseflow.eventstore.application import Answer
from caseflow.eventstore.partners import Caller

from .conditional import PRIVATE, PUBLIC, etag_of, respond
from .parameters import encode_cursor
from .rendering import encode
from .restricted import find_reads, log_reads
from .services import AnyRequest, services_of

JSON = "application/json"
JSON_FEED = "application/feed+json"
ATOM = "application/atom+xml"
# One address, two views: a cache must not give a partner's to the public.
BY_KEY = ("Authorization",)


def answer_read(
    request: AnyRequest,
    caller: Caller | None,
    rendered: dict[str, Any],
    *,
    language: str | None = None,
    version: int | None = None,
    feed: str | None = None,
) -> Response[bytes]:
    """Return a read as JSON, with validators for the public and no storing for a key. Blocks.

    version: of a case; a partner may send the ETag back in `If-Match`. feed: what the public would
    follow of it, a path without its ending.
    Raises UnavailableError where it cannot be logged.
    """
    log_reads(services_of(request), caller, rendered)
    vary = BY_KEY if language is None else (*BY_KEY, "Accept-Language")
    body = encode(rendered)
    return respond(
        request,
        body,
        media_type=JSON,
        cache_control=PUBLIC if caller is None else PRIVATE,
        vary=vary,
        language=language,
        etag=etag_of(body, version) if caller is not None else None,
        headers={"Link": ", ".join(link_feeds(feed))} if feed else None,
    )


def link_feeds(feed: str) -> list[str]:
    """Return the links to a feed in its forms, as a `Link` header has them (RFC 8288).

    feed: a path without its ending.
    """
    return [
        f'<{feed}.{ending}>; rel="alternate"; type="{media_type}"'
        for ending, media_type in (("atom", ATOM), ("json", JSON_FEED))
    ]


def answer_elsewhere(request: AnyRequest, path: str) -> Response[bytes]:
    """Return that the same is found under another path now; not for good, so nothing keeps it."""
    services = services_of(request)
    query = request.url.query
    headers = {
        "Location": f"{services.base_url}{path}" + (f"?{query}" if query else ""),
        "Cache-Control": PRIVATE,
        "Vary": ", ".join(BY_KEY),
    }
    return Response(b"", status_code=307, headers=headers)


def answer_list(
    request: AnyRequest,
    caller: Caller | None,
    items: list[dict[str, Any]],
    cursor: Any,
    *,
    language: str | None = None,
    more: dict[str, Any] | None = None,
    cache_control: str | None = None,
    feed: str | None = None,
) -> Response[bytes]:
    """Return one page of a list; cursor: where the next one begins, None on the last. Blocks.

    cache_control: by default, what suits a public read and one with a key. feed: as `answer_read`
    takes it.
    Raises UnavailableError where it cannot be logged.
    """
    log_reads(services_of(request), caller, [items, more])
    encoded = encode_cursor(cursor) if cursor is not None else None
    body = {"items": items, "next_cursor": encoded, **(more or {})}
    links = link_feeds(feed) if feed else []
    if encoded is not None:
        query = [(k, v) for k, v in request.query_params.multi_items() if k != "cursor"]
        address = f"{request.url.path}?{urlencode([*query, ('cursor', encoded)])}"
        links.insert(0, f'<{address}>; rel="next"')
    return respond(
        request,
        encode(body),
        media_type=JSON,
        cache_control=cache_control or (PUBLIC if caller is None else PRIVATE),
        vary=BY_KEY if language is None else (*BY_KEY, "Accept-Language"),
        language=language,
        headers={"Link": ", ".join(links)} if links else None,
    )


async def answer_write(
    request: AnyRequest,
    caller: Caller,
    rendered: dict[str, Any],
    answer: Answer,
    *,
    version: int,
    location: str,
    language: str,
) -> Response[bytes]:
    """Return what was recorded: 201 the first time, 200 where it had been recorded before.

    A request that came again with its idempotency key gets the status of the first time.
    Raises UnavailableError where it cannot be logged; what was recorded stays so.
    """
    # A thread only where something has to be written: what partners post is mostly not restricted.
    if reads := find_reads(rendered, caller.partner_id):
        await run_sync(services_of(request).read_log.record, caller, reads)
    headers = {
        "Location": location,
        "ETag": f'"{version}"',
        "Cache-Control": PRIVATE,
        "Content-Language": language,
    }
    if answer.replayed:
        headers["Idempotency-Replayed"] = "true"
    status = 201 if answer.created else 200
    return Response(encode(rendered), status_code=status, media_type=JSON, headers=headers)
