"""What all pages share: the frame around them, their headers, keeping them until they change."""

from collections.abc import Callable, Hashable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from litestar import Response
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.template import TemplateConfig

from caseflow.api.asked import Asked
from caseflow.api.conditional import (
    PRIVATE,
    REVALIDATED,
    Document,
    make_document,
    respond_document,
)
from caseflow.api.services import AnyRequest, services_of
from caseflow.eventstore.reading import Snapshot

from .environment import make_environment
from .languages import LANGUAGE_NAMES, mark, say
from .static import address_of

HTML: Final = "text/html"

# Source: Content Security Policy Level 3, section 6. Nothing runs, nothing comes from elsewhere.
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
SAFETY: Final[Mapping[str, str]] = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
# Pages with names may be read by search engines, and must not be found by them.
UNLISTED: Final[Mapping[str, str]] = {"x-robots-tag": "noindex, noarchive"}

MENU: Final = (
    ("/", mark("Overview")),
    ("/cases", mark("Cases")),
    ("/statistics", mark("Statistics")),
    ("/feeds", mark("Feeds")),
    ("/how", mark("How it works")),
    ("/verify", mark("Verify")),
    ("/partners", mark("For partners")),
)


class Page(NamedTuple):
    """What a template is told beside its own values.

    path, query: of the page itself, without its language and `min_position`. unlisted: it may
    carry somebody's name. feed: what its reader would follow, a path without its ending.
    """

    template: str
    language: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    unlisted: bool = False
    feed: str = "/feeds/all"

    def link(self, path: str, **query: object) -> str:
        """Return the address of another page in the language of this one."""
        return link(path, self.language, **query)

    def link_in(self, language: str) -> str:
        """Return the address of this page in a language."""
        return link(self.path, language, **dict(self.query))

    def link_with(self, **changed: object) -> str:
        """Return the address of this page with other parameters; None takes one away."""
        return self.link(self.path, **{**dict(self.query), **changed})


def link(path: str, language: str, **query: object) -> str:
    """Return an address on this site; parameters that are None or empty are left out."""
    told = {name: value for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode({**told, 'lang': language})}"


def page_of(request: AnyRequest, template: str, asked: Asked, **more: Any) -> Page:
    """Return the page that a request asks for; its language is chosen, its parameters known."""
    query = tuple(
        (name, value)
        for name, value in request.query_params.multi_items()
        # Whoever has waited for a position has waited; a link need not.
        if name not in ("lang", "min_position") and value
    )
    return Page(template, asked.language, request.url.path, query, **more)


@cache
def make_engine() -> JinjaTemplateEngine:
    """Return the framework's engine, with the templates and messages of the pages."""
    return JinjaTemplateEngine.from_environment(make_environment())


def make_template_config() -> TemplateConfig[JinjaTemplateEngine]:
    """Return what the application has to know of templates."""
    return TemplateConfig(instance=make_engine())


def render(request: AnyRequest, page: Page, values: Mapping[str, Any]) -> bytes:
    """Return a page as bytes."""
    services = services_of(request)
    template = make_engine().get_template(page.template)
    text: str = template.render(
        page=page,
        language=page.language,
        languages=LANGUAGE_NAMES,
        site=services.name,
        base_url=services.base_url,
        asset=address_of,
        menu=[(path, say(name, page.language)) for path, name in MENU],
        **values,
    )
    return text.encode()


def answer_page(
    request: AnyRequest,
    page: Page,
    mark: Hashable,
    make: Callable[[], Mapping[str, Any]],
    snapshot: Snapshot | None = None,
) -> Response[bytes]:
    """Return a page, which is rendered only where something has changed that it tells of.

    mark: differs whenever the page does, beside its address and language. make: reads what the
    template is told. snapshot: that it is read from; a page without one never changes.
    """
    services = services_of(request)

    def render_document() -> Document:
        services.metrics.page_renders.inc()
        return make_document(render(request, page, make()), media_type=HTML)

    view_set = snapshot.view_set if snapshot else None
    document = services.documents.get((page, view_set, mark), render_document)
    return respond_document(
        request,
        document,
        # What is hidden is gone when it is asked for again, from browsers' caches too.
        cache_control=REVALIDATED,
        vary=("Accept-Language",),
        language=page.language,
        headers={**SAFETY, **(UNLISTED if page.unlisted else {}), **_link_feeds(page)},
    )


def answer_privately(
    request: AnyRequest, page: Page, values: Mapping[str, Any], *, status: int = 200
) -> Response[bytes]:
    """Return a page for one reader: what was asked for in a form, or why it was not done."""
    body = render(request, page, values)
    headers = {
        **SAFETY,
        **UNLISTED,
        "cache-control": PRIVATE,
        "content-language": page.language,
        "content-length": str(len(body)),
    }
    content = b"" if request.method == "HEAD" else body
    return Response(content, status_code=status, headers=headers, media_type=HTML)


def _link_feeds(page: Page) -> dict[str, str]:
    address = link(f"{page.feed}.atom", page.language)
    return {"link": f'<{address}>; rel="alternate"; type="application/atom+xml"'}
