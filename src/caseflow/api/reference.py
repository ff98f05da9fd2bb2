"""The API reference: a page that shows the API document and tries requests, Swagger UI inside.

Everything it needs comes from this service, and the browser is told to fetch, run and show nothing
else: a key that is typed in can be sent nowhere but here.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from litestar import Response
from litestar.params import FromPath

from caseflow.domain.errors import NotFoundError

from .conditional import Document, make_document, respond_document
from .routes import read
from .services import AnyRequest

_HTML: Final = "text/html"
_SCRIPT: Final = "text/javascript"
_STYLE: Final = "text/css"
_TEXT: Final = "text/plain"

_PAGE: Final = "reference.html"

# What the page loads, and the licences of what is not ours; nothing else is served from the folder.
ASSETS: Final[Mapping[str, tuple[str, str]]] = {
    "reference.js": ("reference.js", _SCRIPT),
    "reference.css": ("reference.css", _STYLE),
    "swagger-ui-bundle.js": ("swagger-ui/swagger-ui-bundle.js", _SCRIPT),
    "swagger-ui.css": ("swagger-ui/swagger-ui.css", _STYLE),
    # The bundle names this file in its first line.
    "swagger-ui-bundle.js.LICENSE.txt": ("swagger-ui/swagger-ui-bundle.js.LICENSE.txt", _TEXT),
    "swagger-ui.LICENSE.txt": ("swagger-ui/LICENSE", _TEXT),
    "swagger-ui.NOTICE.txt": ("swagger-ui/NOTICE", _TEXT),
}

# Source: Content Security Policy Level 3, section 6.
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        # Swagger UI's style sheet holds its icons.
        "img-src data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
SAFETY: Final[Mapping[str, str]] = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


@read("/schema")
def read_reference(request: AnyRequest) -> Response[bytes]:
    """Return a page that shows this document and tries requests.

    It loads nothing from other hosts. A key typed in there is forgotten with the page.
    """
    return respond_document(request, _load(_PAGE, _HTML), language="en", headers=SAFETY)


@read("/schema/{asset:str}")
def read_asset(request: AnyRequest, asset: FromPath[str]) -> Response[bytes]:
    """Return a script or style of the reference page, or the licence of one."""
    if asset not in ASSETS:
        raise NotFoundError("there is no file of this name")
    return respond_document(request, _load(*ASSETS[asset]), headers=SAFETY)


# Read and compressed when first asked for, which takes a tenth of a second: hence `read`.
@cache
def _load(path: str, media_type: str) -> Document:
    body = files("caseflow.api").joinpath("assets", path).read_bytes()
    return make_document(body, media_type=media_type)
