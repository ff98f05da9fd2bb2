"""The statistics: figures, charts with their tables, and the way to any other day."""

from typing import Any, Final, NamedTuple

import msgspec
from litestar import Response

from caseflow.api.routes import read
from caseflow.api.services import AnyRequest, Services, services_of
from caseflow.api.statistics import Wanted, ask_for_numbers, get_breakdown, get_statistics
from caseflow.domain.dates import last_day_of, month_of
from caseflow.domain.times import day_of
from caseflow.eventstore.reading import Snapshot
from caseflow.projections.public.statistics import find_last
from caseflow.projections.public.status import list_states

from .pages import Page, answer_page, page_of
from .tables import tabulate_custody, tabulate_flows, tabulate_months, tabulate_returns
from .wording import say_month, tell_source

Json = dict[str, Any]

MOST_YEARS: Final = 30


class Stop(NamedTuple):
    """A day that the numbers can be seen on."""

    label: str
    day: str
    is_here: bool


@read("/statistics")
def read_statistics_page(request: AnyRequest) -> Response[bytes]:
    """Return the statistics that anyone may know, on a day, as known at a time."""
    services = services_of(request)
    asked, wanted = ask_for_numbers(request)
    page = page_of(request, "statistics.html", asked)
    with services.snapshot(None, asked.min_position) as snapshot:

        def make() -> Json:
            return _tell(services, snapshot, wanted, page)

        answer = answer_page(request, page, snapshot.head.position, make, snapshot)
        if asked.is_plain:
            services.keep(request, snapshot)
    return answer


def read_numbers(services: Services, snapshot: Snapshot, wanted: Wanted, language: str) -> Json:
    """Return the statistics as anyone gets them from the API."""
    found: Json = msgspec.json.decode(get_statistics(services, snapshot, None, wanted, language))
    return found


def read_breakdown(services: Services, snapshot: Snapshot, wanted: Wanted, language: str) -> Json:
    """Return what the statistics are made of, as anyone gets it from the API."""
    found: Json = msgspec.json.decode(get_breakdown(services, snapshot, None, wanted, language))
    return found


def _tell(services: Services, snapshot: Snapshot, wanted: Wanted, page: Page) -> Json:
    language = page.language
    numbers = read_numbers(services, snapshot, wanted, language)
    breakdown = read_breakdown(services, snapshot, wanted, language)
    reported = [{**f, "source": tell_source(f["source"])} for f in numbers["reported"]]
    return {
        "numbers": numbers,
        "reported": reported,
        "charts": {
            "returns": tabulate_returns(breakdown, language),
            "outcomes": tabulate_flows(breakdown, language),
            "custody": tabulate_custody(breakdown, language),
        },
        "months": tabulate_months(numbers, language),
        **_list_stops(services, snapshot, wanted, language),
        "host_states": list_states(snapshot.connection, snapshot.view_set),
        "query": dict(page.query),
    }


def _list_stops(services: Services, snapshot: Snapshot, wanted: Wanted, language: str) -> Json:
    """Return the days that the page links to: the ends of years, and of the months of one year."""
    # What is told of any day: the way leads to later ones too.
    every = wanted._replace(moment=wanted.moment._replace(as_of=None))
    told = read_numbers(services, snapshot, every, language)["series"]
    # Of the public numbers: when anything else was recorded is nobody's business here.
    changed_at = find_last(snapshot.connection, snapshot.view_set, wanted.moment.known_at)
    last = day_of(changed_at) if changed_at else None
    here = wanted.moment.as_of or last
    if here is None:
        return {"years": [], "stops": []}
    months = [month_of(last or here), month_of(here), *(m["month"] for m in told)]
    first, final = min(months)[:4], max(months)[:4]
    years = [f"{year:04}" for year in range(int(first), int(final) + 1)][-MOST_YEARS:]
    return {
        "years": [Stop(year, f"{year}-12-31", year == here[:4]) for year in years],
        "stops": [
            Stop(say_month(month, language), last_day_of(month), month == month_of(here))
            for month in (f"{here[:4]}-{number:02}" for number in range(1, 13))
        ],
    }
