"""A case told step by step for whoever runs the house: nothing is left out but what was erased."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct, structs
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from caseflow.domain.case import Case, evolve
from caseflow.domain.change_kinds import LATE_REPORT, kind_of
from caseflow.domain.dates import When, parse_when
from caseflow.domain.events import (
    Body,
    CaseOpened,
    ClaimCorrected,
    ClaimDisputed,
    ConsentChanged,
    Erased,
    Event,
)
from caseflow.domain.facts import counts_on
from caseflow.domain.labels import label
from caseflow.domain.publication import preferred_name
from caseflow.domain.status import Status
from caseflow.domain.times import format_time
from caseflow.domain.vocabulary import Claim
from caseflow.formats.date_phrases import name_when
from caseflow.formats.texts import country_name

from .axis import Axis
from .terminal import escape

LANGUAGE: Final = "en"
_INDENT: Final = 5
# Columns of the drawing: where nobody says how wide, between its parts, and of its axis.
_PIPE_WIDTH: Final = 80
_GAP: Final = 2
_NARROWEST: Final = 24
_WIDEST: Final = 120
_LEGEND: Final = "* that day, = one of these days, < or earlier"
# What a line of its own tells, or nobody needs to read.
_TOLD_APART: Final = frozenset(
    {"type", "occurred", "notified", "summary", "private_note", "sources", "external_id"}
    | {"verification", "visibility", "against", "after"}
)
# What events about the record say, in this order.
_SAID: Final = (
    "reason",
    "legal_basis",
    "rank_against",
    "visibility",
    "until_review",
    "by",
    "hides",
    "contact",
    "text",
    "into",
    "apart_from",
    "note",
)
_DATES: Final = frozenset({"until", "on"})
_STATES: Final = frozenset({"jurisdiction", "destination"})


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event and how the case stood after it.

    kind: what it is in one word, of `EVENT_KINDS`.
    counted: whether a claim had happened on the day that is asked about; None where it is no claim.
    corrected_by, retracted_by, disputed_by: the versions of the later events that did so to a
    claim, among those that are told.
    status: None where the opening of the case was erased.
    """

    version: int
    id: UUID
    recorded_at: str
    partner: str
    kind: str
    event: Body | Erased
    corrected_by: int | None = None
    retracted_by: int | None = None
    disputed_by: list[int] = []
    publication: str | None = None
    publication_reason: str | None = None
    counted: bool | None = None
    status: Status | None


class Timeline(Struct, frozen=True, kw_only=True):
    """A case and its steps, oldest first. as_of: a day; known_at: RFC 3339."""

    case: UUID
    code: str | None
    as_of: str | None
    known_at: str | None
    steps: list[Step]


def make_timeline(
    events: Sequence[Event],
    partners: Mapping[UUID, str],
    *,
    as_of: str | None = None,
    known_at: int | None = None,
) -> Timeline:
    """Return the timeline of a case from its events, oldest first; there is at least one.

    partners: what each partner is called. as_of: a day, YYYY-MM-DD; known_at: in microseconds.
    """
    case: Case | None = None
    steps, disputes = [], defaultdict[UUID, list[int]](list)
    for event in events:
        if not isinstance(event.body, Erased):
            case = evolve(case, event)
        if case and isinstance(event.body, ClaimDisputed):
            disputed = case.get_latest(UUID(event.body.claim))
            disputes[disputed.event_id].append(event.originator_version)
        steps.append(_make_step(event, case, partners, as_of))
    versions = {step.id: step.version for step in steps}
    return Timeline(
        case=events[0].originator_id,
        code=case.code if case else None,
        as_of=as_of,
        known_at=None if known_at is None else format_time(known_at),
        steps=[_tell_fate(step, case, versions, disputes[step.id]) for step in steps],
    )


def _make_step(
    event: Event, case: Case | None, partners: Mapping[UUID, str], as_of: str | None
) -> Step:
    recorded = case.claims.get(event.id) if case else None
    latest = recorded.facts.latest if recorded else None
    return Step(
        version=event.originator_version,
        id=event.id,
        recorded_at=format_time(event.recorded_at),
        partner=partners.get(event.partner_id, str(event.partner_id)),
        kind=kind_of(event.type, latest, event.recorded_at),
        event=event.body,
        publication=recorded.publication.state if recorded else None,
        publication_reason=recorded.publication.reason if recorded else None,
        counted=counts_on(recorded.facts, as_of) if recorded else None,
        status=case.status_for("restricted", as_of=as_of) if case else None,
    )


def _tell_fate(
    step: Step, case: Case | None, versions: Mapping[UUID, int], disputes: list[int]
) -> Step:
    """Return a step that tells what became of its claim later; disputes: steps that dispute it."""
    claim = case.claims.get(step.id) if case else None
    if claim is None:
        return step
    return structs.replace(
        step,
        corrected_by=versions.get(claim.replaced_by) if claim.replaced_by else None,
        retracted_by=versions.get(claim.retraction.event_id) if claim.retraction else None,
        disputed_by=disputes,
    )


def render_timeline(timeline: Timeline) -> str:
    """Return a timeline as JSON text, indented."""
    return msgspec.json.format(msgspec.json.encode(timeline), indent=2).decode()


# -- in words --------------------------------------------------------------------------------------


def print_timeline(console: Console, timeline: Timeline) -> None:
    """Print a timeline for reading."""
    print_title(console, timeline)
    for text in _clocks(timeline):
        print_line(console, text)
    _print_drawing(console, timeline)
    numbers = {str(step.id): step.version for step in timeline.steps}
    before: Status | None = None
    for step in timeline.steps:
        console.print()
        print_step(console, step, before, numbers)
        before = step.status
    console.print()
    print_line(console, _conclusion(timeline))


def print_title(console: Console, timeline: Timeline) -> None:
    """Print which case it is."""
    for text in _head(timeline):
        print_line(console, text)


def print_line(console: Console, text: Text, indent: int = 0) -> None:
    """Print lines that keep their indent when a terminal is narrow, and never break in a pipe."""
    if console.is_terminal:
        console.print(Padding(text, (0, 0, 0, indent)))
    else:
        console.print(Text(" " * indent) + text, soft_wrap=True)


def _head(timeline: Timeline) -> Iterator[Text]:
    opening = timeline.steps[0].event
    name = preferred_name(opening.subject, LANGUAGE) if isinstance(opening, CaseOpened) else None
    title = "  ".join(escape(part) for part in (name, timeline.code) if part)
    yield Text(title or "a case that was erased", "bold")
    if isinstance(opening, CaseOpened):
        host, origin = (_state(s) for s in (opening.host_state, opening.origin_state))
        persons = "1 person" if opening.persons == 1 else f"{opening.persons} persons"
        yield Text(f"{persons}; in {host}, facing return to {origin}")
    yield Text(f"case {timeline.case}", "dim")


def _clocks(timeline: Timeline) -> Iterator[Text]:
    if timeline.as_of is not None:
        yield Text(f"as of {timeline.as_of}: what happened later does not count")
    if timeline.known_at is not None:
        yield Text(f"as known at {timeline.known_at}: what was recorded later is left out")


def _print_drawing(console: Console, timeline: Timeline) -> None:
    """Print the days of all claims against one axis, a line a step, beside the status after it."""
    claims = {step.version: _claim_of(step.event) for step in timeline.steps}
    dates = {number: parse_when(c.occurred) for number, c in claims.items() if c is not None}
    if not dates:
        return
    console.print()
    for line in _draw(timeline, dates, console.width if console.is_terminal else _PIPE_WIDTH):
        line.rstrip()
        console.print(line, soft_wrap=True)
    print_line(console, Text(_LEGEND, "dim"), _INDENT)


def _draw(timeline: Timeline, dates: Mapping[int, When], width: int) -> Iterator[Text]:
    """Yield the lines of the drawing; dates: by step, at least one."""
    told = [_tell_after(step) for step in timeline.steps]
    room = width - _INDENT - _GAP - max(map(len, told))
    if room < _NARROWEST:
        # The steps below have the status too.
        told, room = [Text()] * len(told), max(_NARROWEST, width - _INDENT)
    room = min(room, _WIDEST)
    axis = Axis(dates.values(), room)
    yield from (Text(" " * _INDENT + line, "dim") for line in axis.draw_scale())
    for step, status in zip(timeline.steps, told, strict=True):
        when = dates.get(step.version)
        drawn = Text(axis.draw_bar(when), "cyan") if when else Text(_title(step)[:room], "dim")
        drawn.pad_right(room + _GAP - len(drawn))
        yield Text(f"{step.version:>{_INDENT - 2}}  ") + drawn + status


def _tell_after(step: Step) -> Text:
    """Return where the case stood after a step, in few words."""
    if step.counted is False:
        return Text("later: does not count", "dim")
    if step.status is None:
        return Text("erased", "dim")
    return _stand(step.status)


def print_step(
    console: Console, step: Step, before: Status | None, numbers: Mapping[str, int]
) -> None:
    """Print a step; before: the status before it; numbers: the step of each event id."""
    counted = step.counted is not False
    title = Text(f"{step.version:>{_INDENT - 2}}  ")
    title.append(_title(step), "bold" if counted else "dim")
    if not counted:
        title.append("  (later: does not count)", "dim")
    print_line(console, title)
    claim = _claim_of(step.event)
    if not isinstance(step.event, Claim | CaseOpened | Erased):
        for line in _about_the_record(step.event, numbers):
            print_line(console, Text(line), _INDENT)
    if claim is not None:
        for line in _details(claim, numbers):
            print_line(console, Text(line), _INDENT)
    print_line(console, Text(_recorded(step), "dim"), _INDENT)
    for line in _fate(step):
        print_line(console, Text(line, "yellow"), _INDENT)
    for text in _changes(before, step.status):
        print_line(console, text, _INDENT)
    if step.status is not None:
        print_line(console, _standing(step.status), _INDENT)


def _fate(step: Step) -> Iterator[str]:
    """Yield what became of a claim later, as far as that was known."""
    if step.corrected_by is not None:
        yield f"corrected later by step {step.corrected_by}"
    if step.retracted_by is not None:
        yield f"retracted later by step {step.retracted_by}"
    if step.disputed_by:
        steps = "step" if len(step.disputed_by) == 1 else "steps"
        yield f"disputed later by {steps} {', '.join(map(str, step.disputed_by))}"


def _title(step: Step) -> str:
    if isinstance(step.event, Erased):
        return "ERASED"
    what = label("types", str(step.event.__struct_config__.tag), LANGUAGE)
    if isinstance(step.event, Claim):
        return f"{name_when(parse_when(step.event.occurred), LANGUAGE)}: {what}"
    if isinstance(step.event, ClaimCorrected):
        claim = step.event.replacement
        now = label("types", str(claim.__struct_config__.tag), LANGUAGE)
        return f"{what}: {name_when(parse_when(claim.occurred), LANGUAGE)}: {now}"
    return what


def _claim_of(body: Body | Erased) -> Claim | None:
    """Return the claim that an event puts forward, told or told anew."""
    if isinstance(body, ClaimCorrected):
        return body.replacement
    return body if isinstance(body, Claim) else None


def _about_the_record(body: Body, numbers: Mapping[str, int]) -> Iterator[str]:
    """Yield what an event says that is about the record itself."""
    fields = msgspec.to_builtins(body)
    told = []
    for name in ("claim", "event"):
        if name in fields:
            told.append(f"step {numbers.get(fields[name], fields[name])}")
    told += [f"{name}: {escape(str(fields[name]))}" for name in _SAID if name in fields]
    if isinstance(body, ConsentChanged):
        told.append(f"consent to {body.consent.publish}, on the word of: {body.consent.basis}")
    if told:
        yield "; ".join(told)


def _details(claim: Claim, numbers: Mapping[str, int]) -> Iterator[str]:
    fields = msgspec.to_builtins(claim)
    told = [
        f"{label('fields', name, LANGUAGE)}: {_value(name, value)}"
        for name, value in fields.items()
        if name not in _TOLD_APART
    ]
    told += [
        f"{label('fields', name, LANGUAGE)}: step {numbers.get(fields[name], fields[name])}"
        for name in ("against", "after")
        if name in fields
    ]
    if told:
        yield "; ".join(told)
    if claim.notified is not None:
        yield f"the person was told: {name_when(parse_when(claim.notified), LANGUAGE)}"
    for language in (LANGUAGE, "ru", "kk"):
        if text := fields.get("summary", {}).get(language):
            yield escape(text)
            break
    if claim.private_note is not None:
        yield f"private note: {escape(claim.private_note)}"


def _value(field: str, value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if field in _DATES:
        return name_when(parse_when(text), LANGUAGE)
    if field in _STATES:
        return _state(text)
    try:
        return label("values", text, LANGUAGE, of=field)
    except KeyError:  # a number or free text, not a code
        return escape(text)


def _state(code: str) -> str:
    try:
        return country_name(code, LANGUAGE)
    except KeyError:
        return escape(code)


def _recorded(step: Step) -> str:
    at = f"{step.recorded_at[:10]} {step.recorded_at[11:19]} UTC"
    late = " (late report)" if step.kind == LATE_REPORT else ""
    parts = [f"recorded {at} by {escape(step.partner)}{late}"]
    claim = _claim_of(step.event)
    if claim is not None:
        parts.append(label("values", claim.verification, LANGUAGE, of="verification"))
        parts.append(_publication(step))
        parts += [f"sources: {len(claim.sources)}"] if claim.sources else []
    return " · ".join(parts)


def _publication(step: Step) -> str:
    state = label("reasons", step.publication or "withheld", LANGUAGE)
    reason = step.publication_reason
    return f"{state} ({label('reasons', reason, LANGUAGE)})" if reason else state


def _changes(before: Status | None, after: Status | None) -> Iterator[Text]:
    """Yield a line for each track whose state is another than before."""
    if after is None:
        return
    for track, found in after.tracks.items():
        was = before.tracks.get(track) if before else None
        if was is not None and (was.state, was.ambiguous) == (found.state, found.ambiguous):
            continue
        line = Text(f"{label('tracks', track, LANGUAGE)}: ")
        if was is not None and was.state != found.state:
            line.append(f"{label('states', was.state, LANGUAGE, of=track)} → ")
        line.append(label("states", found.state, LANGUAGE, of=track), "cyan")
        if found.ambiguous:
            line.append("  (accounts differ)", "yellow")
        elif was is not None and was.ambiguous:
            line.append("  (accounts no longer differ)")
        yield line


def _standing(status: Status) -> Text:
    line = Text("status: ") + _stand(status)
    return line if status.at_risk else line.append(", not at risk")


def _stand(status: Status) -> Text:
    line = Text().append(label("headlines", status.headline, LANGUAGE), "bold")
    return line.append(", at risk", "red") if status.at_risk else line


def _conclusion(timeline: Timeline) -> Text:
    steps = len(timeline.steps)
    line = Text(f"{steps} step{'' if steps == 1 else 's'}; ")
    last = timeline.steps[-1].status
    return line + _standing(last) if last else line.append("erased")
