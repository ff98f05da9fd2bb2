"""Answers to GET and HEAD that a cache can hold: ETag, Last-Modified, 304, gzip.

A body goes out plain or compressed, and each has an ETag of its own (RFC 9110, section 8.8.3.3).
Nothing here sets a cookie.
"""

import gzip
import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, Final, NamedTuple

from litestar import Request, Response
from msgspec import Struct

from .negotiation import accepts_gzip

# A withdrawn text may live on in caches for as long as this says, and must not for five minutes.
PUBLIC: Final = "public, max-age=60, must-revalidate"
PRIVATE: Final = "no-store"
# May be kept, and is asked for again each time.
REVALIDATED: Final = "public, no-cache"
# What is at an address for good: hashes, never words, which may have to go.
IMMUTABLE: Final = "public, max-age=31536000, immutable"

MIN_GZIP_BYTES: Final = 1_024
_GZIP_LEVEL: Final = 6
_TAGS: Final = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')


class Document(Struct, frozen=True, kw_only=True):
    """A body made ready once, for many requests. Use `make_document`.

    zipped: None where compressing gains nothing.
    etag: without quotes, that of the plain body; the other's follows from it.
    """

    plain: bytes
    zipped: bytes | None
    media_type: str
    etag: str
    last_modified: datetime | None = None


def make_document(
    body: bytes,
    *,
    media_type: str,
    etag: str | None = None,
    last_modified: datetime | None = None,
    zips: bool = True,
) -> Document:
    """Return a body with its compressed form, if it `zips`, and its ETag.

    etag: without quotes; it must differ whenever the bytes do, also between languages. By default
    it is drawn from the body's SHA-256.
    last_modified: an aware time.
    """
    return Document(
        plain=body,
        zipped=_compress(body) if zips and len(body) > MIN_GZIP_BYTES else None,
        media_type=media_type,
        etag=etag or etag_of(body),
        last_modified=last_modified,
    )


def etag_of(body: bytes, version: int | None = None) -> str:
    """Return an ETag, without quotes, that tells this body from any other.

    version: put before it, so that the tag may be sent back in `If-Match`.
    """
    digest = hashlib.sha256(body).hexdigest()[:32]
    return digest if version is None else f"{version}-{digest}"


def respond(  # noqa: PLR0913 - each is a header of its own, named where it is called
    request: Request[Any, Any, Any],
    body: bytes,
    *,
    media_type: str,
    cache_control: str,
    vary: Sequence[str] = (),
    etag: str | None = None,
    last_modified: datetime | None = None,
    language: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[bytes]:
    """Return what `respond_document` does, for a body that was made for this request.

    etag, last_modified: as in `make_document`.
    """
    document = make_document(
        body,
        media_type=media_type,
        etag=etag,
        last_modified=last_modified,
        zips=accepts_gzip(request),
    )
    return respond_document(
        request,
        document,
        cache_control=cache_control,
        vary=vary,
        language=language,
        headers=headers,
    )


def respond_document(
    request: Request[Any, Any, Any],
    document: Document,
    *,
    cache_control: str = PUBLIC,
    vary: Sequence[str] = (),
    language: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[bytes]:
    """Return the answer to a GET or HEAD: 200 with the body, its head alone, or 304.

    cache_control: PUBLIC, PRIVATE, REVALIDATED or IMMUTABLE.
    vary: header names; Accept-Encoding is added.
    language: what the answer is written in.
    headers: others; those that are made here cannot be overridden.
    Source: RFC 9110, sections 9.3.2, 13.1.2, 13.1.3 and 15.4.5.
    """
    whole = make_whole(
        document,
        takes_gzip=accepts_gzip(request),
        cache_control=cache_control,
        vary=vary,
        language=language,
        headers=headers,
    )
    if _is_known(request, whole.headers["etag"], document.last_modified):
        unchanged = {n: v for n, v in whole.headers.items() if n not in OF_A_BODY}
        return Response(b"", status_code=304, headers=unchanged)
    content = b"" if request.method == "HEAD" else whole.body
    return Response(content, status_code=200, headers=whole.headers, media_type=document.media_type)


class Whole(NamedTuple):
    """An answer with its body. headers: by name, lower case; all but the media type."""

    headers: dict[str, str]
    body: bytes


OF_A_BODY: Final = frozenset({"content-type", "content-length", "content-encoding"})
"""Headers that go out with a body alone."""


def make_whole(
    document: Document,
    *,
    takes_gzip: bool,
    cache_control: str,
    vary: Sequence[str] = (),
    language: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Whole:
    """Return what `respond_document` answers to a reader who has nothing yet."""
    zipped = document.zipped if takes_gzip else None
    sent = {name.lower(): value for name, value in (headers or {}).items()}
    sent |= _validators(document, is_zipped=zipped is not None)
    sent["cache-control"] = cache_control
    sent["vary"] = ", ".join(dict.fromkeys((*vary, "Accept-Encoding")))
    if language is not None:
        sent["content-language"] = language
    if zipped is not None:
        sent["content-encoding"] = "gzip"
    body = document.plain if zipped is None else zipped
    # The framework would count the empty body of a HEAD, so the length is said here.
    sent["content-length"] = str(len(body))
    return Whole(sent, body)


def _compress(body: bytes) -> bytes:
    # No time in the header: the same body must give the same bytes.
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)


def _validators(document: Document, *, is_zipped: bool) -> dict[str, str]:
    found = {"etag": f'"{document.etag}-gzip"' if is_zipped else f'"{document.etag}"'}
    if document.last_modified is not None:
        modified = document.last_modified.astimezone(UTC)
        found["last-modified"] = format_datetime(modified, usegmt=True)
    return found


def _is_known(
    request: Request[Any, Any, Any], quoted_etag: str, last_modified: datetime | None
) -> bool:
    """Return whether the caller has this already; a tag is worth more than a time."""
    tags = request.headers.getall("if-none-match", [])
    if tags:
        listed = ",".join(tags).strip()
        # Weak comparison: a `W/` that something on the way put before the tag does not count.
        return listed == "*" or quoted_etag in _TAGS.findall(listed)
    since = request.headers.get("if-modified-since")
    if since is None or last_modified is None:
        return False
    return _is_unchanged(last_modified, since)


def _is_unchanged(last_modified: datetime, since: str) -> bool:
    try:
        moment = parsedate_to_datetime(since)
        # A date without a zone is one that RFC 9110 has read in UTC.
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return last_modified.replace(microsecond=0) <= moment
    except (ValueError, OverflowError):
        return False
