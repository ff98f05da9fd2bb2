"""Two moments of a case compared: what differs, and the events recorded in between that did it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.text import Text

from caseflow.domain.differences import Difference, compare_statuses
from caseflow.domain.events import Event
from caseflow.domain.labels import label
from caseflow.domain.status import Disagreement, Since, Status, TrackStatus
from caseflow.domain.times import format_time

from .timeline import LANGUAGE, Step, Timeline, make_timeline, print_line, print_step, print_title


class Standing(Struct, frozen=True, kw_only=True):
    """Where a case stood as it was known at a time.

    known_at: RFC 3339; None is now. version: of its last event then, 0 where there was none yet.
    """

    known_at: str | None
    version: int
    status: Status | None


class Made(Struct, frozen=True, kw_only=True):
    """An event that was recorded in between, and what it changed; often nothing."""

    step: Step
    changed: list[Difference]


class Comparison(Struct, frozen=True, kw_only=True):
    """Two moments of a case, the older first, whichever was named first.

    older_is: which option named the older moment, `known_at` or `against`.
    """

    case: UUID
    code: str | None
    as_of: str | None
    older_is: str
    older: Standing
    newer: Standing
    changed: list[Difference]
    events: list[Made]


def make_comparison(
    events: Sequence[Event],
    partners: Mapping[UUID, str],
    *,
    as_of: str | None,
    known_at: int | None,
    against: int,
) -> tuple[Comparison, Timeline]:
    """Return the comparison of a case at two moments, and its steps up to the newer.

    events: those recorded up to the newer moment, oldest first; there is at least one.
    known_at, against: microseconds; None is now.
    """
    swapped = known_at is not None and known_at < against
    older, newer = (known_at, against) if swapped else (against, known_at)
    timeline = make_timeline(events, partners, as_of=as_of, known_at=newer)
    known = sum(1 for e in events if older is not None and e.recorded_at <= older)
    before, after = timeline.steps[:known], timeline.steps[known:]
    started = _stand(before, older)
    ended = _stand(timeline.steps, newer)
    comparison = Comparison(
        case=timeline.case,
        code=timeline.code,
        as_of=as_of,
        older_is="known_at" if swapped else "against",
        older=started,
        newer=ended,
        changed=compare_statuses(started.status, ended.status),
        events=list(_list_made(started.status, after)),
    )
    return comparison, timeline


def _stand(steps: Sequence[Step], known_at: int | None) -> Standing:
    last = steps[-1] if steps else None
    return Standing(
        known_at=None if known_at is None else format_time(known_at),
        version=last.version if last else 0,
        status=last.status if last else None,
    )


def _list_made(before: Status | None, steps: Sequence[Step]) -> Iterator[Made]:
    for step in steps:
        yield Made(step=step, changed=compare_statuses(before, step.status))
        before = step.status


def render_comparison(comparison: Comparison) -> str:
    """Return a comparison as JSON text, indented."""
    return msgspec.json.format(msgspec.json.encode(comparison), indent=2).decode()


# -- in words --------------------------------------------------------------------------------------


def print_comparison(console: Console, comparison: Comparison, timeline: Timeline) -> None:
    """Print a comparison for reading; timeline: the steps up to the newer moment."""
    print_title(console, timeline)
    print_line(console, Text(_between(comparison)))
    console.print()
    for line in _differences(comparison):
        print_line(console, line)
    console.print()
    numbers = {str(step.id): step.version for step in timeline.steps}
    print_line(console, Text(_count(comparison)))
    before = comparison.older.status
    for made in comparison.events:
        console.print()
        print_step(console, made.step, before, numbers)
        before = made.step.status


def _between(comparison: Comparison) -> str:
    older, newer = comparison.older.known_at, comparison.newer.known_at or "now"
    return f"as known at {older} (older: {_OPTIONS[comparison.older_is]}), and at {newer} (newer)"


_OPTIONS: Final = {"known_at": "--known-at", "against": "--against"}


def _count(comparison: Comparison) -> str:
    count = len(comparison.events)
    if not count:
        return "nothing was recorded in between"
    return f"{count} event{'' if count == 1 else 's'} recorded in between:"


def _differences(comparison: Comparison) -> Iterator[Text]:
    """Yield a line for each part of the status that differs; a track is one."""
    older, newer = comparison.older.status, comparison.newer.status
    if older is None and newer is not None:
        yield Text("the case was not there yet")
    if not comparison.changed:
        yield Text("the status is the same")
    parts = [difference.path[1:].split("/")[:2] for difference in comparison.changed]
    for name, *rest in (part for i, part in enumerate(parts) if part not in parts[:i]):
        if name == "since":  # is that of the headline's track
            continue
        was, now = _say(older, name, rest), _say(newer, name, rest)
        line = Text(f"{_name(name, rest)}: ")
        if was == now:
            yield line.append(f"{now}, told by other claims")
            continue
        yield line.append(was, "dim").append(" → ").append(now, "cyan")


def _name(name: str, rest: list[str]) -> str:
    """Return what a part of a status is called."""
    match name, rest:
        case "tracks", [track]:
            return label("tracks", track, LANGUAGE)
        case "disputed", [track]:
            return f"disputed, {label('tracks', track, LANGUAGE)}"
        case "flags", [code]:
            return label("flags", code, LANGUAGE)
    return name.replace("_", " ")


def _say(status: Status | None, name: str, rest: list[str]) -> str:
    """Return a part of a status in words."""
    if status is None:
        return "nothing"
    match name, rest:
        case "headline", _:
            return label("headlines", status.headline, LANGUAGE)
        case "at_risk", _:
            return "yes" if status.at_risk else "no"
        case "tracks", [track]:
            return _say_track(track, status.tracks.get(track))
        case "flags", [code]:
            return "; ".join(f.rule for f in status.flags if f.code == code) or "no"
    told = [_say_disagreement(d) for d in status.disputed if [d.track or ""] == (rest or [""])]
    return "; ".join(told) or "nothing"


def _say_track(track: str, found: TrackStatus | None) -> str:
    if found is None:
        return "nothing"
    marks = {"accounts differ": found.ambiguous, "final": found.final}
    told = ", ".join(mark for mark, is_so in marks.items() if is_so)
    state = label("states", found.state, LANGUAGE, of=track)
    return f"{state}{f' ({told})' if told else ''}, since {_span(found.since)}"


def _say_disagreement(disagreement: Disagreement) -> str:
    track = disagreement.track
    states = [label("states", s, LANGUAGE, of=track) for s in disagreement.states] if track else []
    return ", ".join((*states, *map(_span, disagreement.dates)))


def _span(since: Since) -> str:
    if since.earliest == since.latest:
        return since.latest or "an unknown day"
    return f"{since.earliest or 'an unknown day'} to {since.latest}"
