"""Figures: what partners can ask of the numbers that others publish, one method per command.

As in `application.py`, every method returns a future of its answer, resolved after the commit.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import msgspec

from caseflow.domain.checks import check_figure
from caseflow.domain.errors import WithdrawnError
from caseflow.domain.events import CorrectionReason, Event, FigureReported
from caseflow.domain.figures import (
    CorrectFigure,
    Figure,
    FigureCommand,
    FigureVersion,
    OnFigure,
    ReportFigure,
    decide_figure,
    evolve_figure,
)
from caseflow.formats.record import canonical_json

from .application import Answer, Cases, check_repeated, find_named, key_of
from .attempts import Attempt, Done
from .names import Named
from .partners import Caller
from .session import Hints, Session
from .wrapping import KeyedHash


class FigureRecorded(NamedTuple):
    """What a command led to: the figure after it, and the event.

    position: of the event; None where it had been recorded before.
    """

    figure: Figure
    event: Event
    position: int | None


RenderFigure = Callable[[FigureRecorded], Any]
"""Makes the answer."""


class Figures:
    """The commands to figures. They share the writer, and what came before, with `Cases`."""

    def __init__(
        self,
        cases: Cases,
        keyed_hash: KeyedHash,
        *,
        two_person: bool = False,
        new_id: Callable[[], UUID] = uuid4,
    ) -> None:
        self._cases = cases
        self._keyed_hash = keyed_hash
        self._two_person = two_person
        self._new_id = new_id

    def report(
        self,
        caller: Caller,
        told: FigureReported,
        render: RenderFigure,
        *,
        attempt: Attempt | None = None,
    ) -> "Future[Answer]":
        """Record a figure, or answer with the one recorded before under the same external id.

        attempt: of a request with an idempotency key, which is carried out once.
        Raises InvalidInputError and ConflictError at once; the rest in the future.
        """
        check_figure(told)
        command = ReportFigure(
            **self._common(caller),
            figure_id=self._new_id(),
            told=told,
            external_id=told.external_id,
        )
        content = self._digest_content(told, "figure")

        def job(session: Session) -> FigureRecorded:
            return self._execute_once(session, caller, command, content)

        return self._submit(job, render, attempt, opens=command.figure_id)

    def correct(
        self,
        caller: Caller,
        figure_id: UUID,
        target: UUID,
        replacement: FigureReported,
        reason: CorrectionReason,
        render: RenderFigure,
        *,
        expected_version: int | None = None,
        attempt: Attempt | None = None,
    ) -> "Future[Answer]":
        """Put a figure in the place of one that was wrong. target: any version of it.

        An `external_id` that the figure has already stays its name; another names the correction.
        The same again under an own name answers with the correction that was recorded.
        Raises InvalidInputError and ConflictError at once; the rest in the future.
        """
        check_figure(replacement)
        common = self._common(caller, expected_version)

        def job(session: Session) -> FigureRecorded:
            own = _list_own_versions(session, caller, figure_id)
            known = _find_correction(own, replacement, reason)
            if known is not None:
                return _find(session, figure_id, known.event_id)
            has_name = replacement.external_id in {v.told.external_id for v in own}
            command = CorrectFigure(
                **common,
                figure_id=figure_id,
                target=target,
                reason=reason,
                replacement=replacement,
                external_id=None if has_name else replacement.external_id,
            )
            content = self._digest_content(replacement, "correction", str(figure_id), reason)
            return self._execute_once(session, caller, command, content)

        return self._submit(job, render, attempt)

    def act(
        self,
        caller: Caller,
        command: type[OnFigure],
        figure_id: UUID,
        asked: Mapping[str, Any],
        render: RenderFigure,
        *,
        expected_version: int | None = None,
        attempt: Attempt | None = None,
    ) -> "Future[Answer]":
        """Carry out any other command to a figure; asked: the fields that are its own.

        Under the same `external_id` it is carried out once. Raises ConflictError at once; the rest
        in the future.
        """
        common = self._common(caller, expected_version)
        content = self._digest_content(dict(asked), command.__name__, str(figure_id))

        def job(session: Session) -> FigureRecorded:
            made = command(**common, figure_id=figure_id, **asked)
            return self._execute_once(session, caller, made, content)  # type: ignore[arg-type]  # every kind of it is a command

        return self._submit(job, render, attempt)

    def _common(self, caller: Caller, expected_version: int | None = None) -> dict[str, Any]:
        """Return what every command says of who asks."""
        return {
            "event_id": self._new_id(),
            "partner_id": caller.partner_id,
            "author": caller.author,
            "key_id": key_of(caller),
            "may_publish": "events:publish" in caller.scopes,
            "may_review": "review" in caller.scopes,
            "two_person": self._two_person,
            "expected_version": expected_version,
        }

    def _digest_content(self, content: Any, *more: str) -> bytes:
        told = canonical_json(msgspec.to_builtins(content)).decode()
        return self._keyed_hash.digest("content", told, *more)

    def _execute_once(
        self, session: Session, caller: Caller, command: FigureCommand, content: bytes
    ) -> FigureRecorded:
        """Carry out a command, or return what it led to before, under the same own name."""
        digest = self._cases.digest_external_id(caller, command.external_id)
        known = find_named(session, digest, content)
        if known is not None:
            return _find(session, known.case_id, known.event_id)
        recorded = _execute(session, command)
        if digest is not None:
            named = Named(command.figure_id, recorded.event.id, content)
            session.name(digest, named)
        return recorded

    def _submit(
        self,
        act: Callable[[Session], FigureRecorded],
        render: RenderFigure,
        attempt: Attempt | None,
        *,
        opens: UUID | None = None,
    ) -> "Future[Answer]":
        """Submit what records an event; with an attempt, only the first time that it comes."""

        def job(session: Session) -> Answer:
            done = session.find_attempt(attempt.digest) if attempt else None
            if attempt is not None and done is not None:
                return _replay(session, attempt, done, render)
            found = act(session)
            if attempt is not None:
                figure, position = found.figure, found.position
                led_to = Done(attempt.request, figure.id, found.event.id, figure.version, position)
                session.note_attempt(attempt.digest, led_to)
            return Answer(render(found), created=found.position is not None)

        return self._cases.submit(job, attempt, Hints(opens=opens))


def _execute(session: Session, command: FigureCommand) -> FigureRecorded:
    figure = Figure.from_events(session.list_events(command.figure_id))
    event = decide_figure(figure, command, session.at, frozen=session.frozen)
    figure = evolve_figure(figure, event)
    assert figure is not None, "an event that was decided makes or changes a figure"
    return FigureRecorded(figure, event, session.take_in(event, None, (), figure))


def _replay(session: Session, attempt: Attempt, done: Done, render: RenderFigure) -> Answer:
    """Answer as the first time. Raises WithdrawnError where what it was about was erased."""
    check_repeated(attempt, done)
    found = _find(session, done.case_id, done.event_id, done.version)
    found = found._replace(position=done.position)
    return Answer(render(found), created=done.position is not None, replayed=True)


def _find(
    session: Session, figure_id: UUID, event_id: UUID, version: int | None = None
) -> FigureRecorded:
    """Return a figure, now or at a version, and one of its events."""
    events = session.list_events(figure_id)
    figure = Figure.from_events(
        e for e in events if version is None or e.originator_version <= version
    )
    if figure is None:
        raise WithdrawnError("this was erased")
    return FigureRecorded(figure, next(e for e in events if e.id == event_id), None)


def _list_own_versions(session: Session, caller: Caller, figure_id: UUID) -> list[FigureVersion]:
    """Return what a partner itself has told of a figure, corrections and all."""
    figure = Figure.from_events(session.list_events(figure_id))
    versions = figure.versions.values() if figure else ()
    return [version for version in versions if version.posted_by == caller.partner_id]


def _find_correction(
    own: Iterable[FigureVersion], replacement: FigureReported, reason: CorrectionReason
) -> FigureVersion | None:
    """Return the correction that this one repeats under the same own name, or None."""
    if replacement.external_id is None:
        return None
    same = (v for v in own if v.corrects and v.reason == reason and v.told == replacement)
    return next(same, None)
