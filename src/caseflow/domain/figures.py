"""Figures: numbers that others publish, each an aggregate of its own; nothing computed reads them.

`decide_figure(figure, command, at)` returns the event that a command leads to, or refuses;
`evolve_figure(figure, event)` applies what happened. What cannot stand in any figure is refused
before, in `checks.py`.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from .dates import parse_when
from .decisions import FROZEN
from .errors import ConflictError, ForbiddenError, NotFoundError, VersionConflictError
from .events import (
    Body,
    CorrectionReason,
    Event,
    FigureCorrected,
    FigureHidden,
    FigureReported,
    FigureRetracted,
    Hold,
    PublicationApproved,
    PublicationDeclined,
    RetractionReason,
)
from .publication import Publication

NO_FIGURE: Final = "there is no such figure"

# -- what may be asked ----------------------------------------------------------------------------


class OnFigure(Struct, frozen=True, kw_only=True):
    """What every command to a figure says: which one, who asks, and what they may.

    The fields are those of a command to a case (`commands.Act`), where they mean the same.
    """

    figure_id: UUID
    event_id: UUID
    partner_id: UUID
    author: str | None = None
    key_id: UUID | None = None
    may_publish: bool = False
    two_person: bool = False
    may_review: bool = False
    expected_version: int | None = None
    external_id: str | None = None


class ReportFigure(OnFigure, frozen=True, kw_only=True):
    """Tell a number that somebody publishes."""

    told: FigureReported


class CorrectFigure(OnFigure, frozen=True, kw_only=True):
    """Put another figure in the place of one that was wrong. target: any version of it."""

    target: UUID
    reason: CorrectionReason
    replacement: FigureReported


class RetractFigure(OnFigure, frozen=True, kw_only=True):
    """Take a figure back."""

    target: UUID
    reason: RetractionReason
    note: str | None = None


class ReviewFigure(OnFigure, frozen=True, kw_only=True):
    """Approve or decline a figure that waits for a second partner's eyes."""

    target: UUID
    decision: Literal["approve", "decline"]
    note: str | None = None


class HideFigure(OnFigure, frozen=True, kw_only=True):
    """Have a figure wait for a review again, whoever told it."""

    target: UUID


FigureCommand = ReportFigure | CorrectFigure | RetractFigure | ReviewFigure | HideFigure


# -- the aggregate --------------------------------------------------------------------------------


class FigureVersion(Struct, kw_only=True):
    """A figure as it was told at one time. `recorded_at` in microseconds, UTC.

    version: of the aggregate, with the event that tells it. posted_by: who posted this version.
    hidden_by: the event since which it waits for a review again.
    """

    event_id: UUID
    version: int
    posted_by: UUID
    recorded_at: int
    told: FigureReported
    hold: Hold | None
    declined: bool = False
    hidden_by: UUID | None = None
    corrects: UUID | None = None
    reason: CorrectionReason | None = None
    replaced_by: UUID | None = None

    @property
    def earliest(self) -> str:
        """Return the first day that it may be of; empty where that is open."""
        return parse_when(self.told.as_of).earliest or ""


class Figure:
    """A figure as its events up to `version` made it. partner_id, author: whose account it is."""

    def __init__(self, event: Event, told: FigureReported) -> None:
        self.id = event.originator_id
        self.version = event.originator_version
        self.partner_id = event.partner_id
        self.author = event.author
        self.versions: dict[UUID, FigureVersion] = {}
        self.retracted_by: UUID | None = None
        self.retraction_reason: RetractionReason | None = None
        self.latest = self._tell(event, told)

    @classmethod
    def from_events(cls, events: Iterable[Event]) -> "Figure | None":
        """Return the figure that its events, oldest first, make; None where they are not of one."""
        figure: Figure | None = None
        for event in events:
            figure = evolve_figure(figure, event)
        return figure

    @property
    def publication(self) -> Publication:
        """Return what the public gets of the figure as it was told last."""
        return self.publication_of(self.latest)

    def publication_of(self, version: FigureVersion) -> Publication:
        """Return what the public gets of a version of the figure."""
        causes = (
            ("corrected", version is not self.latest),
            ("retracted", self.retracted_by is not None),
            ("declined", version.declined),
        )
        for reason, holds in causes:
            if holds:
                return Publication("withheld", reason)
        if version.hold is not None:
            return Publication("awaiting_review", "review")
        return Publication("published")

    def find_reviewed(self, event_id: UUID) -> FigureVersion | None:
        """Return the version that a review is about: it names the one that tells or hides it."""
        if self.latest.hidden_by == event_id:
            return self.latest
        return self.versions.get(event_id)

    def evolve(self, event: Event) -> None:
        """Apply the next event of this figure."""
        self.version = event.originator_version
        apply = _EFFECTS.get(type(event.body))
        if apply is not None:
            apply(self, event, event.body)

    def _tell(self, event: Event, told: FigureReported) -> FigureVersion:
        version = FigureVersion(
            event_id=event.id,
            version=event.originator_version,
            posted_by=event.partner_id,
            recorded_at=event.recorded_at,
            told=told,
            hold=event.hold,
        )
        self.versions[event.id] = version
        return version

    def _correct(self, event: Event, body: FigureCorrected) -> None:
        before, self.latest = self.latest, self._tell(event, body.replacement)
        before.replaced_by = event.id
        self.latest.corrects, self.latest.reason = before.event_id, body.reason

    def _retract(self, event: Event, body: FigureRetracted) -> None:
        self.retracted_by, self.retraction_reason = event.id, body.reason

    def _approve(self, _event: Event, _body: PublicationApproved) -> None:
        self.latest.hold, self.latest.declined, self.latest.hidden_by = None, False, None

    def _decline(self, _event: Event, _body: PublicationDeclined) -> None:
        self.latest.declined = True

    def _hide(self, event: Event, _body: FigureHidden) -> None:
        self.latest.hold, self.latest.hidden_by = "review", event.id


_EFFECTS: Final[dict[type, Callable[[Figure, Event, Any], None]]] = {
    FigureCorrected: Figure._correct,
    FigureRetracted: Figure._retract,
    FigureHidden: Figure._hide,
    PublicationApproved: Figure._approve,
    PublicationDeclined: Figure._decline,
}


def evolve_figure(figure: Figure | None, event: Event) -> Figure | None:
    """Return the figure after an event; the same object, changed, but for the first event.

    None where there is no figure and the event reports none.
    """
    if figure is None:
        return Figure(event, event.body) if isinstance(event.body, FigureReported) else None
    figure.evolve(event)
    return figure


# -- what is decided ------------------------------------------------------------------------------

Decision = Callable[[Figure, Any, bool], tuple[Body, Hold | None]]


def decide_figure(
    figure: Figure | None, command: FigureCommand, at: int, *, frozen: bool = False
) -> Event:
    """Return the event that a command leads to, recorded at a moment in microseconds.

    frozen: publication is halted; what would be public waits for a review.
    Raises a CaseflowError where the command is refused; nothing has changed then.
    """
    body, hold = _decide(figure, command, frozen)
    return Event(
        originator_id=command.figure_id,
        originator_version=figure.version + 1 if figure else 1,
        id=command.event_id,
        partner_id=command.partner_id,
        recorded_at=at,
        author=command.author,
        key_id=command.key_id,
        body=body,
        hold=hold,
    )


def _decide(
    figure: Figure | None, command: FigureCommand, frozen: bool
) -> tuple[Body, Hold | None]:
    if isinstance(command, ReportFigure):
        if figure is not None:
            raise ConflictError("the figure is told already")
        return command.told, _hold(command, frozen)
    if figure is None:
        raise NotFoundError(NO_FIGURE)
    if command.expected_version not in (None, figure.version):
        raise VersionConflictError("the figure has changed since", figure.version)
    return _DECISIONS[type(command)](figure, command, frozen)


def _hold(command: OnFigure, frozen: bool) -> Hold | None:
    """Return why a figure has to wait, or None."""
    if not command.may_publish or frozen:
        return "review"
    return "two_person" if command.two_person else None


def _correct(figure: Figure, command: CorrectFigure, frozen: bool) -> tuple[Body, Hold | None]:
    before = _get_own(figure, command)
    body = FigureCorrected(
        figure=str(before.event_id),
        reason=command.reason,
        replacement=command.replacement,
        external_id=command.external_id,
    )
    return body, _hold(command, frozen)


def _retract(figure: Figure, command: RetractFigure, _frozen: bool) -> tuple[Body, Hold | None]:
    before = _get_own(figure, command)
    # Taking back is never held: it can only hide.
    body = FigureRetracted(
        figure=str(before.event_id),
        reason=command.reason,
        note=command.note,
        external_id=command.external_id,
    )
    return body, None


def _hide(figure: Figure, command: HideFigure, _frozen: bool) -> tuple[Body, Hold | None]:
    before = _get_latest(figure, command.target)
    if figure.publication.state != "published":
        raise ConflictError("the figure is not public")
    return FigureHidden(figure=str(before.event_id), external_id=command.external_id), None


def _review(figure: Figure, command: ReviewFigure, frozen: bool) -> tuple[Body, Hold | None]:
    version = figure.find_reviewed(command.target)
    if version is None:
        raise NotFoundError(NO_FIGURE)
    if not _waits(figure, version, command):
        raise ConflictError("the event is not waiting for a review")
    if version.posted_by == command.partner_id:
        raise ConflictError("nobody reviews what their own partner has posted")
    if command.decision == "approve" and frozen:
        raise ConflictError(FROZEN)
    decided = PublicationApproved if command.decision == "approve" else PublicationDeclined
    body = decided(event=str(command.target), note=command.note, external_id=command.external_id)
    return body, None


def _waits(figure: Figure, version: FigureVersion, command: ReviewFigure) -> bool:
    """Return whether a version waits for this decision; one that was declined may be approved."""
    if version is not figure.latest or figure.retracted_by is not None or version.hold is None:
        return False
    return not (version.declined and command.decision == "decline")


def _get_latest(figure: Figure, target: UUID) -> FigureVersion:
    """Return what stands in the place of the version that a command names."""
    if target not in figure.versions:
        raise NotFoundError(NO_FIGURE)
    if figure.retracted_by is not None:
        raise ConflictError("the figure was retracted")
    return figure.latest


def _get_own(figure: Figure, command: CorrectFigure | RetractFigure) -> FigureVersion:
    """Return the figure as it is, which must be the partner's own unless it reviews."""
    found = _get_latest(figure, command.target)
    if figure.partner_id != command.partner_id and not command.may_review:
        raise ForbiddenError("for what others have told the key needs the scope review")
    return found


_DECISIONS: Final[dict[type, Decision]] = {
    CorrectFigure: _correct,
    RetractFigure: _retract,
    HideFigure: _hide,
    ReviewFigure: _review,
}


def public_fields(told: FigureReported) -> dict[str, Any]:
    """Return the fields of a figure that anyone may read once it is public: all but the own name.

    All are there, null where nothing was said.
    """
    return {
        name: msgspec.to_builtins(value)
        for name, value in structs.asdict(told).items()
        if name != "external_id"
    }
