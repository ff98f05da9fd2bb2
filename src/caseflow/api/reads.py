"""Who read what is restricted: the log of reads, for those who watch over it."""

from typing import Any

from litestar import Response

from caseflow.domain.times import format_time
from caseflow.eventstore.read_log import LoggedRead, ReadFilter

from .answers import answer_list
from .asked import Asked
from .parameters import Position
from .routes import read
from .services import AnyRequest, services_of


@read("/v1/audit/reads")
def list_restricted_reads(request: AnyRequest) -> Response[bytes]:
    """Return who read what is restricted, oldest first.

    An entry stands in the log before the answer it is about leaves. To ask for what came since,
    send the position of the last entry as `after`.
    """
    services = services_of(request)
    caller = services.authenticator.require(request, "audit:read")
    asked = Asked(request, "case", "partner", "since", "after", "limit", "cursor")
    wanted = ReadFilter(
        after=max(asked.after, asked.cursor(Position) or 0),
        # One more than the page holds tells whether there is another.
        limit=asked.limit + 1,
        case_id=asked.identifier("case"),
        partner_id=asked.identifier("partner"),
        since=asked.time("since"),
    )
    found = services.read_log.list_reads(wanted)
    page = found[: asked.limit]
    cursor = page[-1].position if len(found) > len(page) else None
    return answer_list(request, caller, [_render(entry) for entry in page], cursor)


def _render(entry: LoggedRead) -> dict[str, Any]:
    return {
        "position": entry.position,
        "read_at": format_time(entry.read_at),
        "partner": str(entry.partner_id),
        "key": str(entry.key_id),
        "case": str(entry.case_id) if entry.case_id else None,
        "event": str(entry.event_id) if entry.event_id else None,
        "kind": entry.kind,
    }
