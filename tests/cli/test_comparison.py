"""Two moments compared: what differs and which events did it; what became of a claim later."""

from typing import Any, Final

from caseflow.cli.comparison import Comparison, make_comparison
from caseflow.cli.timeline import Step, make_timeline
from caseflow.domain.case import evolve
from caseflow.domain.commands import Command
from caseflow.domain.decisions import decide
from caseflow.domain.events import Event
from tests.commands import NOW, correcting, disputing, opening, recording, retracting

PARTNERS: Final[dict[Any, str]] = {}


def told(*commands: Command) -> list[Event]:
    """Return the events that commands to one case lead to; number n is recorded at NOW + n."""
    case, events = None, []
    for at, command in enumerate((opening(), *commands)):
        event = decide(case, command, NOW + at)
        case = evolve(case, event)
        events.append(event)
    return events


STORY: Final = told(
    recording(1, "detention.apprehended", "2025-05-01"),
    recording(2, "extradition.surrendered", "2026-02-01"),
    correcting(3, 2, "extradition.granted", "2026-02-01"),
    disputing(4, 2),
    retracting(5, 2),
)


def compared(known_at: int | None, against: int, as_of: str | None = None) -> Comparison:
    """Return the comparison of two moments, in microseconds after NOW."""
    moments = [None if m is None else NOW + m for m in (known_at, against)]
    newer = None if moments[0] is None else max(m for m in moments if m is not None)
    known = [e for e in STORY if newer is None or e.recorded_at <= newer]
    found, _ = make_comparison(
        known, PARTNERS, as_of=as_of, known_at=moments[0], against=NOW + against
    )
    return found


def headlines(found: Comparison) -> list[Any]:
    return [m.status.headline if m.status else None for m in (found.older, found.newer)]


def test_what_differs_is_told_from_the_older_to_the_newer() -> None:
    found = compared(3, 2)
    assert headlines(found) == ["extradited", "extradition_granted"]
    assert [(d.before, d.after) for d in found.changed if d.path == "/headline"] == [
        ("extradited", "extradition_granted")
    ]
    assert [m.step.kind for m in found.events] == ["correction"]
    assert found.events[0].changed == found.changed


def test_whichever_is_named_first_the_older_is_told_first() -> None:
    one, other = compared(3, 2), compared(2, 3)
    assert (one.older_is, other.older_is) == ("against", "known_at")
    assert (one.older, one.newer, one.changed) == (other.older, other.newer, other.changed)


def test_each_event_in_between_says_what_it_changed() -> None:
    found = compared(None, 0)
    changed = {m.step.kind: {d.path for d in m.changed} for m in found.events}
    assert list(changed) == ["late_report", "new_claim", "correction", "dispute", "retraction"]
    assert "/headline" in changed["late_report"]
    # Outvoted by nobody: one says so, one disputes.
    assert changed["dispute"] == {"/disputed/extradition"}
    assert "/tracks/extradition/state" in changed["retraction"]


def test_before_the_case_there_was_nothing() -> None:
    found = compared(1, -1)
    assert headlines(found) == [None, "detained"]
    assert (found.older.version, [m.step.version for m in found.events]) == (0, [1, 2])


def test_as_of_a_day_what_happened_later_changes_nothing() -> None:
    found = compared(3, 1, as_of="2026-01-01")
    assert found.changed == []
    assert [m.step.counted for m in found.events] == [False, False]


def fates(known: int) -> list[tuple[int | None, int | None, list[int]]]:
    steps: list[Step] = make_timeline(STORY[:known], PARTNERS).steps
    return [(s.corrected_by, s.retracted_by, s.disputed_by) for s in steps]


def test_a_step_says_what_became_of_its_claim_as_far_as_is_known() -> None:
    nothing = (None, None, list[int]())
    assert fates(3) == [nothing] * 3
    assert fates(4) == [nothing, nothing, (4, None, []), nothing]
    assert fates(6) == [
        *[nothing] * 2,
        (4, None, []),
        (None, 6, [5]),
        *[nothing] * 2,
    ]
