"""Pages of words: how it works, privacy, feeds, and what partners find here."""

from typing import Any

from litestar import Response

from caseflow.api.asked import Asked
from caseflow.api.routes import read, read_at_once
from caseflow.api.services import AnyRequest, services_of
from caseflow.domain.status import HEADLINE_CODES
from caseflow.domain.vocabulary import TYPES
from caseflow.projections.public.status import list_states

from .pages import answer_page, page_of


@read_at_once("/how")
def read_how(request: AnyRequest) -> Response[bytes]:
    """Return how the record works, and how anyone can check it."""
    return _answer(request, "how.html")


@read_at_once("/privacy")
def read_privacy(request: AnyRequest) -> Response[bytes]:
    """Return what is shown of whom, what is kept of readers, and how to object."""
    return _answer(request, "privacy.html")


@read_at_once("/partners")
def read_partners(request: AnyRequest) -> Response[bytes]:
    """Return what partner organisations can do here."""
    return _answer(request, "partners.html")


def _answer(request: AnyRequest, template: str) -> Response[bytes]:
    services = services_of(request)
    page = page_of(request, template, Asked(request, "lang"))
    return answer_page(request, page, None, lambda: {"contact": services.contact})


@read("/feeds")
def read_feeds_page(request: AnyRequest) -> Response[bytes]:
    """Return which feeds there are, and how to follow them."""
    services = services_of(request)
    asked = Asked(request, "lang", "min_position")
    page = page_of(request, "feeds.html", asked)
    with services.snapshot(None, asked.min_position) as snapshot:

        def make() -> dict[str, Any]:
            return {
                "headlines": HEADLINE_CODES,
                "types": [code for code, rule in TYPES.items() if rule.ceiling == "public"],
                "host_states": list_states(snapshot.connection, snapshot.view_set),
            }

        answer = answer_page(request, page, snapshot.head.position, make, snapshot)
        if asked.is_plain:
            services.keep(request, snapshot)
    return answer
