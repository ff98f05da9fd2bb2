"""Why each number of the statistics moved: a list that goes on from a position."""

from typing import Any, Final

from litestar import Response

from caseflow.domain.change_kinds import (
    CORRECTION,
    NEW_CASE,
    NEW_CLAIM,
    WITHDRAWAL,
    is_late,
    kind_of,
)
from caseflow.domain.change_kinds import LATE_REPORT as LATE
from caseflow.domain.times import format_time
from caseflow.domain.vocabulary import TYPES
from caseflow.eventstore.partners import Caller
from caseflow.eventstore.reading import Snapshot
from caseflow.projections.movements import Explained, Source, States, explain
from caseflow.projections.partner.changes import PartnerChanges
from caseflow.projections.public.changes import PublicChanges
from caseflow.projections.public.values import CORRECTED, WITHDRAWN

from .answers import answer_list
from .asked import Asked
from .conditional import REVALIDATED
from .parameters import Position
from .routes import read
from .services import AnyRequest, audience_of, position_of, services_of

_TAKEN_BACK: Final = {CORRECTED: CORRECTION, WITHDRAWN: WITHDRAWAL}


@read("/v1/statistics/changes")
def list_number_changes(request: AnyRequest) -> Response[bytes]:
    """Return what each change after a position did to the numbers, oldest first.

    The sum of every `moved` and `beside`, from the first position on, is the statistics now.
    """
    services = services_of(request)
    asked = Asked(
        request, "since", "limit", "cursor", "host_state", "origin_state", "min_position", "lang"
    )
    after = asked.cursor(Position)
    after = asked.since if after is None else after
    states = asked.country("host_state"), asked.country("origin_state")
    caller = services.find_caller(request)
    with services.snapshot(caller, asked.min_position) as snapshot:
        source = _source_for(caller, snapshot, states)
        found = explain(source, after=after, limit=asked.limit)
        seen = position_of(snapshot, caller)
    last = found.changes[-1].change.position if found.changes else after
    position = max(seen, after) if found.is_last else last
    return answer_list(
        request,
        caller,
        [_render(explained, caller) for explained in found.changes],
        None if found.is_last else last,
        more={"position": position, "beside": found.beside},
        # What is next at this address is not what was there before: a cache has to ask.
        cache_control=REVALIDATED if caller is None else None,
    )


def _source_for(caller: Caller | None, snapshot: Snapshot, states: States) -> Source:
    where = snapshot.connection, snapshot.view_set
    if caller is None:
        return PublicChanges(*where, states)
    return PartnerChanges(*where, states, audience=audience_of(caller), own=caller.partner_id)


def _render(explained: Explained, caller: Caller | None) -> dict[str, Any]:
    change = explained.change
    rendered = {
        "position": change.position,
        "recorded_at": format_time(change.at),
        "kind": _kind(explained),
        "case": str(change.shown_as),
        "id": str(change.event_id),
        "moved": explained.moved,
        "beside": explained.beside,
    }
    # Tells whoever logs reads that it is about something restricted.
    return rendered if caller is None else {**rendered, "visibility": change.visibility}


def _kind(explained: Explained) -> str:
    change, latest = explained.change, explained.latest
    if change.kind in _TAKEN_BACK:
        return _TAKEN_BACK[change.kind]
    if change.kind in TYPES or change.kind == "published":
        if explained.moved.get("/cases", 0) > 0:
            return NEW_CASE
        return LATE if latest is not None and is_late(latest, change.at) else NEW_CLAIM
    return kind_of(change.kind, latest, change.at)
