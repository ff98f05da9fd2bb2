"""Statistics: counts of persons on any day, as known at any time."""

from functools import partial
from typing import Any

import msgspec
from litestar import Response

from caseflow.domain.statistics import Statistics, tally
from caseflow.domain.times import day_of
from caseflow.eventstore.partners import Caller
from caseflow.eventstore.reading import Snapshot
from caseflow.projections.figures import FigureFilter
from caseflow.projections.partner import statistics as partner_statistics
from caseflow.projections.public import statistics as public_statistics

from .answers import BY_KEY, JSON
from .asked import Asked, Moment
from .conditional import PRIVATE, PUBLIC, respond
from .rendering import encode
from .reported import list_reported
from .routes import read
from .services import AnyRequest, Services, audience_of, position_of, services_of


@read("/v1/statistics")
def read_statistics(request: AnyRequest) -> Response[bytes]:
    """Return the statistics that the caller may know."""
    services = services_of(request)
    asked = Asked(
        request, "as_of", "known_at", "host_state", "origin_state", "min_position", "lang"
    )
    caller, moment = services.find_caller(request), asked.moment
    states = (asked.country("host_state"), asked.country("origin_state"))
    with services.snapshot(caller, asked.min_position) as snapshot:
        seen = (snapshot.head.position, snapshot.view_set, _view_of(caller))
        tell = partial(tell_statistics, services, snapshot, caller, asked.language, moment, *states)
        key = (*seen, asked.language, moment, states)
        body = services.numbers.get(key, lambda: encode(tell()))
    return respond(
        request,
        body,
        media_type=JSON,
        cache_control=PUBLIC if caller is None else PRIVATE,
        vary=(*BY_KEY, "Accept-Language"),
        language=asked.language,
    )


def tell_statistics(
    services: Services,
    snapshot: Snapshot,
    caller: Caller | None,
    language: str,
    moment: Moment,
    host_state: str | None,
    origin_state: str | None,
) -> dict[str, Any]:
    """Return what is computed of the persons between two states, and beside it what others report.

    caller: None is the public. language: of the labels of what is reported. States: ISO 3166-1
    alpha-2; None is any.
    """
    wanted = FigureFilter(moment.as_of, moment.known_at, host_state, origin_state)
    reported = list_reported(services, snapshot, caller, wanted, language)
    computed = _read(snapshot, caller, moment, host_state, origin_state)
    return {**computed, "reported": reported}


def _view_of(caller: Caller | None) -> tuple[str, ...]:
    """Return what makes two callers see the same numbers."""
    if caller is None:
        return ("public",)
    return (audience_of(caller), str(caller.partner_id))


def _read(
    snapshot: Snapshot,
    caller: Caller | None,
    moment: Moment,
    host_state: str | None,
    origin_state: str | None,
) -> dict[str, Any]:
    known_at = moment.known_at
    frame = {"known_at": known_at, "host_state": host_state, "origin_state": origin_state}
    connection, view_set = snapshot.connection, snapshot.view_set
    if caller is None:
        cases = public_statistics.list_case_facts(connection, view_set, **frame)  # type: ignore[arg-type]
        last = public_statistics.find_last(connection, view_set, known_at)
    else:
        cases = partner_statistics.list_case_facts(
            connection,
            view_set,
            audience=audience_of(caller),
            own=caller.partner_id,
            **frame,  # type: ignore[arg-type]
        )
        last = min(snapshot.head.recorded_at, known_at or snapshot.head.recorded_at)
    found = tally(cases, as_of=moment.as_of, until=day_of(last))
    return _render(found, moment, position_of(snapshot, caller, moment.known_at))


def _render(found: Statistics, moment: Moment, position: int) -> dict[str, Any]:
    return {
        "as_of": moment.as_of,
        "known_at": moment.known_at_text,
        "position": position,
        **msgspec.to_builtins(found),
    }
