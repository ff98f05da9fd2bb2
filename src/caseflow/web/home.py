"""The first page: the figures at a glance, who is at risk now, and what changed last."""

from typing import Any, Final

from litestar import Response

from caseflow.api.asked import NOW, Asked
from caseflow.api.listing import PublicLister, list_page
from caseflow.api.routes import read
from caseflow.api.services import AnyRequest, Services, services_of
from caseflow.api.statistics import Wanted
from caseflow.eventstore.reading import Snapshot
from caseflow.projections.listing import CaseFilter

from .news import list_news
from .numbers import read_numbers
from .pages import answer_page, page_of

AT_RISK: Final = 12
NEWS: Final = 10


@read("/")
def read_home(request: AnyRequest) -> Response[bytes]:
    """Return the first page."""
    services = services_of(request)
    asked = Asked(request, "lang", "min_position")
    page = page_of(request, "home.html", asked, unlisted=True)
    with services.snapshot(None, asked.min_position) as snapshot:

        def make() -> dict[str, Any]:
            return _tell(services, snapshot, asked.language)

        answer = answer_page(request, page, snapshot.head.position, make, snapshot)
        if asked.is_plain:
            services.keep(request, snapshot)
    return answer


def _tell(services: Services, snapshot: Snapshot, language: str) -> dict[str, Any]:
    at_risk = CaseFilter(at_risk=True, limit=AT_RISK)
    cases, _ = list_page(PublicLister(snapshot), at_risk, NOW, language)
    return {
        "numbers": read_numbers(services, snapshot, Wanted(), language),
        "at_risk": cases,
        "news": list_news(snapshot, language, services.name, NEWS),
    }
