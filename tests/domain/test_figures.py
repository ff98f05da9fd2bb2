"""Reported figures: given events, when a command, then an event or a refusal."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caseflow.domain.checks import check_figure
from caseflow.domain.errors import (
    CaseflowError,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    VersionConflictError,
)
from caseflow.domain.events import Event, FigureReported
from caseflow.domain.figures import (
    CorrectFigure,
    Figure,
    FigureCommand,
    HideFigure,
    ReportFigure,
    RetractFigure,
    ReviewFigure,
    decide_figure,
    evolve_figure,
    public_fields,
)
from tests.strategies import numbered

FIGURE, PARTNER, OTHER, THIRD = (numbered(n) for n in (1, 2, 3, 4))
STAYED = {
    "measure": "persons_staying",
    "low": 50_000,
    "high": 80_000,
    "as_of": "2026-01",
    "host_state": "KZ",
    "origin_state": "RU",
    "source": {"title": "Estimate of the bureau", "published": "2026-01-29"},
    "summary": {"ru": "Осталось от 50 до 80 тысяч."},
}


def told(**fields: Any) -> FigureReported:
    return msgspec.convert({**STAYED, **fields}, FigureReported)


def by(number: int, **more: Any) -> dict[str, Any]:
    """Return what a command says of who asks: the author, who may publish."""
    asks = {"figure_id": FIGURE, "event_id": numbered(number), "partner_id": PARTNER}
    return {**asks, "author": "Bureau", "may_publish": True, **more}


def reporting(number: int = 100, **more: Any) -> ReportFigure:
    return ReportFigure(**by(number, **more), told=told())


def correcting(number: int, target: int = 100, low: int = 60_000, **more: Any) -> CorrectFigure:
    return CorrectFigure(
        **by(number, **more), target=numbered(target), reason="typo", replacement=told(low=low)
    )


def retracting(number: int, target: int = 100, **more: Any) -> RetractFigure:
    return RetractFigure(**by(number, **more), target=numbered(target), reason="false")


def reviewing(number: int, target: int = 100, decision: Any = "approve", **more: Any) -> Any:
    asks = {"partner_id": OTHER, "may_review": True, **more}
    return ReviewFigure(**by(number, **asks), target=numbered(target), decision=decision)


def hiding(number: int, target: int = 100) -> HideFigure:
    return HideFigure(**by(number, partner_id=THIRD), target=numbered(target))


def decide_all(*commands: FigureCommand, frozen: bool = False) -> list[Event]:
    """Return the events of commands; frozen: publication is halted at the first of them."""
    figure: Figure | None = None
    events = []
    for at, command in enumerate(commands):
        events.append(decide_figure(figure, command, at, frozen=frozen and at == 0))
        figure = evolve_figure(figure, events[-1])
    return events


def given_figure(*commands: FigureCommand, frozen: bool = False) -> Figure:
    figure = Figure.from_events(decide_all(*commands, frozen=frozen))
    assert figure is not None
    return figure


def refuse(figure: Figure | None, command: FigureCommand, why: type[CaseflowError]) -> None:
    with pytest.raises(why):
        decide_figure(figure, command, 9)


# -- publication ----------------------------------------------------------------------------------


def test_a_figure_is_public_at_once_for_a_key_that_may_publish() -> None:
    figure = given_figure(reporting())
    assert figure.publication.state == "published"
    assert (figure.partner_id, figure.author, figure.version) == (PARTNER, "Bureau", 1)


@pytest.mark.parametrize(
    ("asked", "frozen"),
    [({"may_publish": False}, False), ({"two_person": True}, False), ({}, True)],
    ids=["no scope", "two persons", "frozen"],
)
def test_otherwise_it_waits_for_a_review(asked: dict[str, Any], frozen: bool) -> None:
    figure = given_figure(reporting(**asked), frozen=frozen)
    assert figure.publication == ("awaiting_review", "review", False)
    approved = given_figure(reporting(**asked), reviewing(101), frozen=frozen)
    assert approved.publication.state == "published"


def test_a_correction_that_waits_takes_the_old_figure_out_at_once() -> None:
    figure = given_figure(reporting(), correcting(101, may_publish=False))
    assert figure.latest.event_id == numbered(101)
    assert figure.publication.state == "awaiting_review"
    before = figure.versions[numbered(100)]
    assert figure.publication_of(before) == ("withheld", "corrected", False)
    assert before.replaced_by == numbered(101)


def test_a_retraction_is_never_held() -> None:
    figure = given_figure(reporting(), retracting(101, may_publish=False, two_person=True))
    assert figure.publication == ("withheld", "retracted", False)
    assert (figure.retracted_by, figure.retraction_reason) == (numbered(101), "false")


def test_what_was_declined_may_be_approved_later_but_not_declined_again() -> None:
    waiting = reporting(may_publish=False)
    declined = given_figure(waiting, reviewing(101, decision="decline"))
    assert declined.publication == ("withheld", "declined", False)
    refuse(declined, reviewing(102, decision="decline"), ConflictError)
    both = given_figure(waiting, reviewing(101, decision="decline"), reviewing(102))
    assert both.publication.state == "published"


def test_what_is_hidden_waits_until_somebody_else_approves_it() -> None:
    figure = given_figure(reporting(), hiding(101))
    assert figure.publication.state == "awaiting_review"
    refuse(figure, reviewing(102, partner_id=PARTNER), ConflictError)
    refuse(figure, hiding(102), ConflictError)
    # A review names what was hidden, or the event that hid it.
    for target in (100, 101):
        approved = given_figure(reporting(), hiding(101), reviewing(102, target))
        assert approved.publication.state == "published"
        refuse(approved, reviewing(103, target), ConflictError if target == 100 else NotFoundError)


# -- refusals -------------------------------------------------------------------------------------


def test_nobody_reviews_what_their_own_partner_has_posted() -> None:
    figure = given_figure(reporting(may_publish=False))
    refuse(figure, reviewing(101, partner_id=PARTNER), ConflictError)
    corrected = given_figure(
        reporting(), correcting(101, partner_id=OTHER, may_review=True, may_publish=False)
    )
    refuse(corrected, reviewing(102, 101), ConflictError)
    decide_figure(corrected, reviewing(102, 101, partner_id=THIRD), 9)


def test_nothing_is_approved_while_publication_is_halted() -> None:
    figure = given_figure(reporting(may_publish=False))
    with pytest.raises(ConflictError):
        decide_figure(figure, reviewing(101), 9, frozen=True)
    decide_figure(figure, reviewing(101, decision="decline"), 9, frozen=True)


def test_only_what_waits_is_reviewed() -> None:
    refuse(given_figure(reporting()), reviewing(101), ConflictError)
    waiting, held = reporting(may_publish=False), correcting(101, may_publish=False)
    refuse(given_figure(waiting, held), reviewing(102, 100), ConflictError)
    refuse(given_figure(waiting, retracting(101)), reviewing(102), ConflictError)
    refuse(given_figure(waiting), reviewing(102, 999), NotFoundError)


@pytest.mark.parametrize("make", [correcting, retracting])
def test_only_the_author_or_a_reviewer_corrects_and_retracts(make: Any) -> None:
    figure = given_figure(reporting())
    refuse(figure, make(101, partner_id=OTHER), ForbiddenError)
    changed = given_figure(reporting(), make(101, partner_id=OTHER, may_review=True))
    # It stays the account of the partner that told it.
    assert (changed.partner_id, changed.author) == (PARTNER, "Bureau")


@pytest.mark.parametrize("make", [correcting, retracting])
def test_what_was_retracted_or_is_unknown_is_not_changed(make: Any) -> None:
    refuse(given_figure(reporting(), retracting(101)), make(102), ConflictError)
    refuse(given_figure(reporting()), make(102, 999), NotFoundError)
    refuse(None, make(102), NotFoundError)


def test_any_version_names_what_stands_there_now() -> None:
    figure = given_figure(reporting(), correcting(101), correcting(102, 100, low=70_000))
    assert figure.latest.told.low == 70_000
    assert figure.latest.corrects == numbered(101)


def test_a_figure_that_has_changed_since_is_not_overwritten() -> None:
    figure = given_figure(reporting(), correcting(101))
    with pytest.raises(VersionConflictError) as refused:
        decide_figure(figure, correcting(102, expected_version=1), 9)
    assert refused.value.version == 2
    decide_figure(figure, correcting(102, expected_version=2), 9)


def test_a_figure_is_told_once() -> None:
    refuse(given_figure(reporting()), reporting(101), ConflictError)


# -- what is told ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "pointers"),
    [
        ({"low": 80_001}, ["/high"]),
        ({"host_state": "XX"}, ["/host_state"]),
        ({"origin_state": "XX"}, ["/origin_state"]),
        ({"origin_state": "KZ"}, ["/origin_state"]),
        ({"as_of": "29.01.2026"}, ["/as_of"]),
        ({"source": {"publisher": "Press"}}, ["/source"]),
        ({"source": {"title": "T", "published": "2026-13"}}, ["/source/published"]),
        ({"source": {"title": "a\x01b"}}, ["/source/title"]),
        ({"summary": {}}, ["/summary"]),
        ({"summary": {"kk": "\ufffe"}}, ["/summary/kk"]),
        ({"as_of": "no", "low": 90_000, "source": {}}, ["/high", "/as_of", "/source"]),
    ],
)
def test_what_cannot_stand_is_refused_with_a_pointer(
    wrong: dict[str, Any], pointers: list[str]
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        check_figure(told(**wrong))
    assert [pointer for pointer, _ in refused.value.errors] == pointers


@pytest.mark.parametrize(
    "as_of", ["2026", "2026-01", "2025~", "[2025..2026]", "../2026", "2026-21"]
)
def test_a_day_is_as_vague_as_it_is_told(as_of: str) -> None:
    check_figure(told(as_of=as_of))


def test_a_number_alone_is_a_range_of_one() -> None:
    check_figure(told(low=22, high=22))


def test_the_own_name_is_not_public() -> None:
    fields = public_fields(told(external_id="mine"))
    assert set(fields) == {*STAYED}
    assert "mine" not in str(fields)


# -- any walk -------------------------------------------------------------------------------------

STEPS = st.sampled_from(
    [
        correcting,
        lambda n, t: correcting(n, t, may_publish=False),
        lambda n, t: correcting(n, t, partner_id=OTHER),
        lambda n, t: correcting(n, t, partner_id=OTHER, may_review=True, two_person=True),
        retracting,
        reviewing,
        lambda n, t: reviewing(n, t, "decline"),
        lambda n, t: reviewing(n, t, partner_id=THIRD),
        hiding,
    ]
)


@given(
    st.booleans(),
    st.lists(st.tuples(STEPS, st.integers(100, 112), st.booleans()), max_size=12),
)
def test_replay_gives_the_same_figure_and_nothing_is_public_that_was_not_let(
    may_publish: bool, steps: list[Any]
) -> None:
    events = decide_all(reporting(may_publish=may_publish))
    figure = Figure.from_events(events)
    assert figure is not None
    # The model: which version is told, and whether the public may read it.
    shown = may_publish
    for number, (make, target, frozen) in enumerate(steps, start=101):
        command = make(number, target)
        try:
            event = decide_figure(figure, command, number, frozen=frozen)
        except CaseflowError:
            continue
        events.append(event)
        figure.evolve(event)
        if isinstance(command, CorrectFigure):
            shown = command.may_publish and not command.two_person and not frozen
        elif isinstance(command, ReviewFigure):
            assert not (frozen and command.decision == "approve")
            shown = command.decision == "approve"
        else:
            shown = False
        assert (figure.publication.state == "published") is shown
        assert [e.originator_version for e in events] == list(range(1, len(events) + 1))
    again = Figure.from_events(events)
    assert again is not None
    assert again.versions == figure.versions
    assert (again.publication, again.version) == (figure.publication, figure.version)
