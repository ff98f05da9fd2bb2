"""`caseflow replay`: the history of a case step by step, with its status after each."""

from typing import TYPE_CHECKING

import click

from .house import opened_house
from .moments import parse_as_of, parse_moment
from .terminal import escape_lines, output

if TYPE_CHECKING:
    from uuid import UUID

    from caseflow.bootstrap import House
    from caseflow.domain.events import Event
    from caseflow.eventstore.reading import Snapshot


@click.command()
@click.argument("case")
@click.option(
    "--as-of",
    callback=parse_as_of,
    metavar="D",
    help="The status on that day, YYYY-MM-DD: what happened later does not count.",
)
@click.option(
    "--known-at",
    callback=parse_moment,
    metavar="T",
    help="Only what was recorded by then, such as 2026-02-10T09:30:00Z.",
)
@click.option(
    "--against",
    callback=parse_moment,
    metavar="T",
    help="Compare with what was known at that time: what differs, and which events did it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def replay(
    case: str, as_of: str | None, known_at: int | None, against: int | None, as_json: bool
) -> None:
    """Draw the timeline of CASE and tell it step by step, restricted events included.

    CASE is the id of a case, its code, or ext: and a partner's own name for it.
    With --against, print what differs between two times, each of which may be the earlier; without
    --known-at the one is now.
    """
    from .timeline import make_timeline, print_timeline, render_timeline

    # What was recorded after the later of the two has no part in a comparison.
    later = known_at if known_at is None or against is None else max(known_at, against)
    events, partners = _read_case(case, later)
    if against is not None:
        _compare(events, partners, (as_of, known_at, against), as_json=as_json)
        return
    timeline = make_timeline(events, partners, as_of=as_of, known_at=known_at)
    if as_json:
        click.echo(escape_lines(render_timeline(timeline)))
    else:
        print_timeline(output(), timeline)


def _read_case(case: str, known_at: int | None) -> "tuple[list[Event], dict[UUID, str]]":
    """Return what had been recorded of a case by a time, and what each partner is called."""
    from caseflow.eventstore.partners import list_partners

    with opened_house() as house, house.reader.snapshot() as snapshot:
        case_id = find_case_id(house, snapshot, case)
        events = house.reader.list_events(snapshot, case_id, known_at=known_at)
        partners = {found: name for found, name, _ in list_partners(snapshot.connection)}
    if not events:
        raise click.ClickException("nothing of this case had been recorded by then")
    return events, partners


def _compare(
    events: "list[Event]",
    partners: "dict[UUID, str]",
    moments: tuple[str | None, int | None, int],
    *,
    as_json: bool,
) -> None:
    from .comparison import make_comparison, print_comparison, render_comparison

    as_of, known_at, against = moments
    comparison, timeline = make_comparison(
        events, partners, as_of=as_of, known_at=known_at, against=against
    )
    if as_json:
        click.echo(escape_lines(render_comparison(comparison)))
    else:
        print_comparison(output(), comparison, timeline)


def find_case_id(house: "House", snapshot: "Snapshot", name: str) -> "UUID":
    """Return the case that an id, a code or `ext:` and any partner's own name stands for.

    Raises NotFoundError, and click.ClickException where partners use one name for several cases.
    """
    from caseflow.domain.errors import NotFoundError
    from caseflow.eventstore.names import find_case_by_code
    from caseflow.eventstore.recorder import list_events

    found = _find_by_external_id(house, snapshot, name) or _parse_id(name)
    if found is None:
        found = find_case_by_code(snapshot.connection, name.upper())
    if found is None or not list_events(snapshot.connection, found, lte=1):
        raise NotFoundError("there is no such case")
    return found


def _parse_id(name: str) -> "UUID | None":
    from uuid import UUID

    try:
        return UUID(name)
    except ValueError:
        return None


def _find_by_external_id(house: "House", snapshot: "Snapshot", name: str) -> "UUID | None":
    from caseflow.eventstore.names import find_external_ids
    from caseflow.eventstore.own_names import EXTERNAL
    from caseflow.eventstore.partners import NO_KEY, Caller, list_partners

    if not name.startswith(EXTERNAL):
        return None
    partners = list_partners(snapshot.connection)
    callers = [Caller(partner_id, None, frozenset(), NO_KEY) for partner_id, *_ in partners]
    external_id = name.removeprefix(EXTERNAL)
    digests = [house.cases.digest_external_id(caller, external_id) for caller in callers]
    named = find_external_ids(snapshot.connection, (d for d in digests if d is not None))
    cases = sorted({n.case_id for n in named.values()})
    if len(cases) > 1:
        listed = ", ".join(map(str, cases))
        raise click.ClickException(f"several partners use this name; choose by id: {listed}")
    return cases[0] if cases else None
