"""Statistics: counts of persons on any day, as known at any time."""

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from litestar import Response

from caseflow.domain.breakdown import Breakdown, break_down
from caseflow.domain.statistics import CaseFacts, Statistics, tally
from caseflow.domain.times import day_of
from caseflow.eventstore.partners import Caller
from caseflow.eventstore.reading import Snapshot
from caseflow.projections.figures import FigureFilter
from caseflow.projections.partner import statistics as partner_statistics
from caseflow.projections.public import statistics as public_statistics

from .answers import BY_KEY, JSON
from .asked import NOW, Asked, Moment
from .conditional import PRIVATE, PUBLIC, respond
from .rendering import encode
from .reported import list_reported
from .routes import read
from .running import Running
from .services import AnyRequest, Services, audience_of, position_of, services_of

Result = TypeVar("Result", Statistics, Breakdown)


class Wanted(NamedTuple):
    """Which numbers are asked for. host_state, origin_state: None for all."""

    moment: Moment = NOW
    host_state: str | None = None
    origin_state: str | None = None


ALL_NOW: Final = Wanted()


def ask_for_numbers(request: AnyRequest) -> tuple[Asked, Wanted]:
    """Return what a request asks for, of a resource that is about numbers."""
    asked = Asked(
        request, "as_of", "known_at", "host_state", "origin_state", "min_position", "lang"
    )
    return asked, Wanted(asked.moment, asked.country("host_state"), asked.country("origin_state"))


@read("/v1/statistics")
def read_statistics(request: AnyRequest) -> Response[bytes]:
    """Return the statistics that the caller may know."""
    return _answer(request, get_statistics)


@read("/v1/statistics/breakdown")
def read_breakdown(request: AnyRequest) -> Response[bytes]:
    """Return what the statistics are made of: returns by month, outcomes of custody, its length.

    Every total is one of the statistics of the same moment.
    """
    return _answer(request, get_breakdown)


def _answer(request: AnyRequest, get: Callable[..., bytes]) -> Response[bytes]:
    services = services_of(request)
    asked, wanted = ask_for_numbers(request)
    caller = services.find_caller(request)
    with services.snapshot(caller, asked.min_position) as snapshot:
        body = get(services, snapshot, caller, wanted, asked.language)
    return respond(
        request,
        body,
        media_type=JSON,
        cache_control=PUBLIC if caller is None else PRIVATE,
        vary=(*BY_KEY, "Accept-Language"),
        language=asked.language,
    )


def get_statistics(
    services: Services, snapshot: Snapshot, caller: Caller | None, wanted: Wanted, language: str
) -> bytes:
    """Return what `tell_statistics` does as JSON, kept until something changes."""

    def make() -> bytes:
        return encode(tell_statistics(services, snapshot, caller, wanted, language))

    return _keep(services, snapshot, caller, ("statistics", wanted, language), make)


def tell_statistics(
    services: Services, snapshot: Snapshot, caller: Caller | None, wanted: Wanted, language: str
) -> dict[str, Any]:
    """Return what is computed of the persons, and beside it what others report.

    caller: None is the public. language: of the labels of what is reported.
    """
    moment = wanted.moment
    figures = FigureFilter(moment.as_of, moment.known_at, wanted.host_state, wanted.origin_state)
    reported = list_reported(services, snapshot, caller, figures, language)
    found = _count(snapshot, caller, wanted, services.running_statistics, tally)
    return {**_render(snapshot, caller, wanted, found), "reported": reported}


def get_breakdown(
    services: Services, snapshot: Snapshot, caller: Caller | None, wanted: Wanted, _language: str
) -> bytes:
    """Return what the statistics are made of, as JSON."""

    def make() -> bytes:
        found = _count(snapshot, caller, wanted, services.running_breakdown, break_down)
        return encode(_render(snapshot, caller, wanted, found))

    return _keep(services, snapshot, caller, ("breakdown", wanted), make)


def _keep(
    services: Services,
    snapshot: Snapshot,
    caller: Caller | None,
    what: tuple[object, ...],
    make: Callable[[], bytes],
) -> bytes:
    seen = (snapshot.head.position, snapshot.view_set, _view_of(caller))
    return services.numbers.get((*seen, *what), make)


def _view_of(caller: Caller | None) -> tuple[str, ...]:
    """Return what makes two callers see the same numbers."""
    if caller is None:
        return ("public",)
    return (audience_of(caller), str(caller.partner_id))


def _count(
    snapshot: Snapshot,
    caller: Caller | None,
    wanted: Wanted,
    running: Running[Any, Result],
    count: Callable[..., Result],
) -> Result:
    """Return what is kept of the public numbers of now; anything else is counted."""
    if caller is None and wanted == ALL_NOW and (found := running.find(snapshot)) is not None:
        return found
    cases, until = _list_cases(snapshot, caller, wanted)
    return count(cases, as_of=wanted.moment.as_of, until=until)


def _list_cases(
    snapshot: Snapshot, caller: Caller | None, wanted: Wanted
) -> tuple[Iterable[CaseFacts], str]:
    """Return what the caller may count, and the day to which custody is measured."""
    known_at = wanted.moment.known_at
    where = snapshot.connection, snapshot.view_set
    frame: dict[str, Any] = {
        "known_at": known_at,
        "host_state": wanted.host_state,
        "origin_state": wanted.origin_state,
    }
    if caller is None:
        last = public_statistics.find_last(*where, known_at)
        return public_statistics.list_case_facts(*where, **frame), day_of(last)
    last = min(snapshot.head.recorded_at, known_at or snapshot.head.recorded_at)
    cases = partner_statistics.list_case_facts(
        *where, audience=audience_of(caller), own=caller.partner_id, **frame
    )
    return cases, day_of(last)


def _render(
    snapshot: Snapshot, caller: Caller | None, wanted: Wanted, found: Statistics | Breakdown
) -> dict[str, Any]:
    moment = wanted.moment
    return {
        "as_of": moment.as_of,
        "known_at": moment.known_at_text,
        "position": position_of(snapshot, caller, moment.known_at),
        **msgspec.to_builtins(found),
    }
