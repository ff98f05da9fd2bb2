"""Charts of the statistics as images, each drawn from the table that stands beside it."""

from collections.abc import Mapping
from typing import Final

from litestar import Response
from litestar.params import FromPath

from caseflow.api.conditional import PUBLIC, make_document, respond_document
from caseflow.api.routes import read
from caseflow.api.services import AnyRequest, services_of
from caseflow.api.statistics import ask_for_numbers
from caseflow.domain.errors import NotFoundError

from .drawing import draw
from .numbers import read_breakdown
from .tables import tabulate_custody, tabulate_flows, tabulate_returns

SVG: Final = "image/svg+xml"
TABLES: Final = {
    "returns": tabulate_returns,
    "outcomes": tabulate_flows,
    "custody": tabulate_custody,
}
"""The charts there are, each with what makes its table."""

# An image has its own policy: its style may stand in it, and nothing else.
_SAFETY: Final[Mapping[str, str]] = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
}


@read("/charts/{chart:str}")
def read_chart(request: AnyRequest, chart: FromPath[str]) -> Response[bytes]:
    """Return a chart of the statistics, `{name}.svg`."""
    services = services_of(request)
    name, _, ending = chart.partition(".")
    if name not in TABLES or ending != "svg":
        raise NotFoundError("there is no such chart")
    asked, wanted = ask_for_numbers(request)
    language = asked.language
    with services.snapshot(None, asked.min_position) as snapshot:
        breakdown = read_breakdown(services, snapshot, wanted, language)
        table = TABLES[name](breakdown, language)
        document = services.documents.get(
            ("chart", table, language),
            lambda: make_document(draw(table, language), media_type=SVG),
        )
        if asked.is_plain:
            services.keep(request, snapshot)
    return respond_document(
        request,
        document,
        cache_control=PUBLIC,
        vary=("Accept-Language",),
        language=language,
        headers=_SAFETY,
    )
