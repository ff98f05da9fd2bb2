"""Files that pages load, under names that change with their content; and what crawlers ask for."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Final

from litestar import Response
from litestar.params import FromPath

from caseflow.api.conditional import IMMUTABLE, PUBLIC, Document, make_document, respond_document
from caseflow.api.routes import read, read_at_once
from caseflow.api.services import AnyRequest, services_of
from caseflow.domain.errors import NotFoundError
from caseflow.domain.labels import LANGUAGES

_TYPES: Final[Mapping[str, str]] = {"style.css": "text/css", "icon.svg": "image/svg+xml"}
_SAFETY: Final = {
    "content-security-policy": "default-src 'none'",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
}
# A statement that nobody renews must not look as if it still held (RFC 9116, section 2.5.5).
_EXPIRES_AFTER: Final = timedelta(days=180)


@cache
def _load(name: str) -> Document:
    body = files("caseflow.web").joinpath("assets", name).read_bytes()
    return make_document(body, media_type=_TYPES[name])


@cache
def address_of(name: str) -> str:
    """Return the address of a file, which is another one when the file is."""
    digest = hashlib.sha256(_load(name).plain).hexdigest()[:12]
    stem, _, ending = name.partition(".")
    return f"/static/{stem}.{digest}.{ending}"


@read("/static/{asset:str}")
def read_asset(request: AnyRequest, asset: FromPath[str]) -> Response[bytes]:
    """Return a file that pages load; it stays as it is for good."""
    name = next((n for n in _TYPES if address_of(n) == f"/static/{asset}"), None)
    if name is None:
        raise NotFoundError("there is no file of this name")
    return respond_document(request, _load(name), cache_control=IMMUTABLE, headers=_SAFETY)


@read_at_once("/robots.txt")
def read_robots(request: AnyRequest) -> Response[bytes]:
    """Let crawlers in: who may not come in does not see which pages are not to be listed."""
    return _answer_text(request, "User-agent: *\nAllow: /\n")


@read_at_once("/.well-known/security.txt")
def read_security(request: AnyRequest) -> Response[bytes]:
    """Tell whom to write about a hole in the service. Source: RFC 9116."""
    services = services_of(request)
    now = datetime.fromtimestamp(services.clock() / 1_000_000, UTC)
    # By the day: the same bytes for all who ask on it.
    expires = (now + _EXPIRES_AFTER).replace(hour=0, minute=0, second=0, microsecond=0)
    lines = (
        f"Contact: {services.contact or f'{services.base_url}/privacy'}",
        f"Expires: {expires.strftime('%Y-%m-%dT%H:%M:%SZ')}",
        f"Preferred-Languages: {', '.join(LANGUAGES)}",
        f"Canonical: {services.base_url}/.well-known/security.txt",
    )
    return _answer_text(request, "\n".join(lines) + "\n")


def _answer_text(request: AnyRequest, text: str) -> Response[bytes]:
    document = make_document(text.encode(), media_type="text/plain")
    return respond_document(request, document, cache_control=PUBLIC, headers=_SAFETY)
