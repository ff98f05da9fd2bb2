"""The list of cases, found by what they are called and where they stand."""

from typing import Any, Final

from litestar import Response

from caseflow.api.asked import NOW, Asked
from caseflow.api.listing import PublicLister, list_page
from caseflow.api.parameters import encode_cursor
from caseflow.api.routes import read
from caseflow.api.services import AnyRequest, services_of
from caseflow.domain.status import HEADLINE_CODES
from caseflow.eventstore.reading import Snapshot
from caseflow.projections.listing import CaseFilter
from caseflow.projections.public.status import list_states

from .pages import Page, answer_page, page_of

_PARAMETERS: Final = (
    "q", "headline", "track", "host_state", "origin_state", "at_risk", "updated_since",
    "limit", "cursor", "lang", "min_position",
)  # fmt: skip


@read("/cases")
def read_cases(request: AnyRequest) -> Response[bytes]:
    """Return a page of the cases that pass the filters of the API."""
    services = services_of(request)
    asked = Asked(request, *_PARAMETERS)
    wanted = asked.case_filter()
    page = page_of(request, "cases.html", asked, unlisted=True)
    with services.snapshot(None, asked.min_position) as snapshot:

        def make() -> dict[str, Any]:
            return _tell(snapshot, wanted, page)

        answer = answer_page(request, page, snapshot.head.position, make, snapshot)
        services.keep(request, snapshot)
    return answer


def _tell(snapshot: Snapshot, wanted: CaseFilter, page: Page) -> dict[str, Any]:
    cases, end = list_page(PublicLister(snapshot), wanted, NOW, page.language)
    query = dict(page.query)
    return {
        "cases": cases,
        "next": page.link_with(cursor=encode_cursor(end)) if end is not None else None,
        "is_first": "cursor" not in query,
        "query": query,
        "headlines": HEADLINE_CODES,
        "host_states": list_states(snapshot.connection, snapshot.view_set),
    }
