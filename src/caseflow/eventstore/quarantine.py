"""Hiding what a stolen key has posted since a moment: by events, each until somebody reviews it.

One case at a time, in one transaction, decided on the case as it is under the lock: to run it
again, or on after a crash, hides nothing twice, and nothing that was reviewed since.

- A claim that the key told, corrected, showed to more people or approved is restricted, with all
  that was told before it, until another partner's reviewer approves the event that hides it.
- Consent that the key raised falls back to what both it and the consent before allow. Of a case
  that the key opened nothing is known to be agreed to: it shows no name and no source, and where
  others have made it public, nothing. Whoever knows the person tells consent anew.
- A name that the key changed, where it is shown, is shown no more: consent falls to `anonymous`.
- Cases that the key merged are parted, and a figure that it told waits for a review.
- What took something away can hide nothing more. It is listed, for a human to look at.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID, uuid4

from msgspec import structs

from caseflow.domain.case import Case, RecordedClaim, evolve
from caseflow.domain.commands import Act, ChangeConsent, ChangeVisibility, UnmergeCase
from caseflow.domain.errors import CaseflowError
from caseflow.domain.events import (
    OPERATOR_ID,
    CaseMerged,
    CaseOpened,
    CaseUnmerged,
    ClaimCorroborated,
    ClaimDisputed,
    ClaimRetracted,
    Consent,
    ConsentChanged,
    Event,
    FigureCorrected,
    FigureHidden,
    FigureReported,
    PublicationApproved,
    PublicationDeclined,
    SubjectAmended,
    VisibilityChanged,
)
from caseflow.domain.figures import Figure, HideFigure, decide_figure, evolve_figure
from caseflow.domain.publication import narrower_of
from caseflow.domain.vocabulary import VISIBILITY_RANK

from .application import Submits
from .name_index import digest_names
from .session import Session
from .wrapping import KeyedHash

Kind = Literal["claim hidden", "consent narrowed", "cases parted", "figure hidden"]


class Suspect(NamedTuple):
    """A key that is not to be trusted since a moment, in microseconds since the Unix epoch."""

    key_id: UUID
    since: int

    def posted(self, event: Event) -> bool:
        """Return whether an event was posted with the key, and not before."""
        return event.key_id == self.key_id and event.recorded_at >= self.since


class Step(NamedTuple):
    """Something that was done. target: the claim, figure or case that it was done to.

    event_id: of the event that did it, which a review names.
    """

    kind: Kind
    case_id: UUID
    target: UUID
    event_id: UUID


class Left(NamedTuple):
    """An event of the key, or something to be done about one, that is left for a human."""

    case_id: UUID
    event_id: UUID
    type: str
    why: str


class Quarantined(NamedTuple):
    """What was done, and what is left. `case_id` stands for the id of a figure too."""

    steps: Sequence[Step] = ()
    left: Sequence[Left] = ()


class Quarantine:
    """Hides, as the operator, what a suspect has posted."""

    def __init__(
        self, writer: Submits, keyed_hash: KeyedHash, *, new_id: Callable[[], UUID] = uuid4
    ) -> None:
        self._writer = writer
        self._keyed_hash = keyed_hash
        self._new_id = new_id

    def hide(self, suspect: Suspect, originator_id: UUID) -> "Future[Quarantined]":
        """Hide what a suspect has posted to a case, or to a figure; return what came of it."""

        def job(session: Session) -> Quarantined:
            events = session.list_events(originator_id)
            if events and isinstance(events[0].body, FigureReported):
                return self._hide_figure(session, _FigureTrace(suspect, events))
            return self._hide_case(session, _CaseTrace(suspect, events))

        return self._writer.submit(job)

    def _hide_case(self, session: Session, trace: "_CaseTrace") -> Quarantined:
        steps: list[Step] = []
        left = [*trace.list_left()]
        for kind, target, command, asked in trace.plan():
            case_id = trace.get_case().id
            act = command(case_id=case_id, **self._as_operator(), **asked)
            try:
                event, case, _ = session.execute(act)  # type: ignore[arg-type]  # every act is a command
            except CaseflowError as error:
                # Nothing of it has happened; the rest goes on.
                left.append(Left(case_id, target, f"not done: {kind}", error.detail))
                continue
            if command is ChangeConsent:
                session.index_names(case_id, digest_names(self._keyed_hash, case))
            steps.append(Step(kind, case_id, target, event.id))
        return Quarantined(steps, left)

    def _as_operator(self) -> dict[str, Any]:
        return {
            "event_id": self._new_id(),
            "partner_id": OPERATOR_ID,
            "may_review": True,
            "reads_restricted": True,
        }

    def _hide_figure(self, session: Session, trace: "_FigureTrace") -> Quarantined:
        figure = trace.figure
        if figure is None or not trace.shows:
            return Quarantined(left=trace.left)
        target = figure.latest.event_id
        command = HideFigure(
            figure_id=figure.id, event_id=self._new_id(), partner_id=OPERATOR_ID, target=target
        )
        event = decide_figure(figure, command, session.at)
        session.take_in(event, None, (), evolve_figure(figure, event))
        return Quarantined([Step("figure hidden", figure.id, target, event.id)], trace.left)


# -- what a key did to a case ---------------------------------------------------------------------

_WHY_LEFT: Final[dict[type, str]] = {
    CaseOpened: "what the case says of the person is the key's word",
    SubjectAmended: "says anew who the person is",
    ClaimRetracted: "took a claim back: tell it again if it was right",
    ClaimCorroborated: "stands by a claim, until the partner says otherwise",
    ClaimDisputed: "doubts a claim, until the partner says otherwise",
    PublicationDeclined: "kept something from the public: it can be approved",
    CaseUnmerged: "parted two cases: they can be merged again",
}
_NARROWED: Final = "took something from the public: it can be told again"
_WAITS: Final = "waits for a review: decline it"

_SHOWS_NAME: Final = ("initials", "name")

# What may be believed of the consent in a case that an untrusted key has opened.
_UNSURE: Final = Consent(publish="anonymous", basis="representative")
_NONE: Final = Consent(publish="none", basis="representative")

_Planned = tuple[Kind, UUID, type[Act], dict[str, Any]]
"""What a step is, what it is done to, and the command with the fields that are its own."""


class _CaseTrace:
    """What a suspect did to a case, and what of it still stands.

    Each of its own events counts, and so does the approval of one: an untrusted key stands behind
    what it did to the case.
    """

    def __init__(self, suspect: Suspect, events: Iterable[Event]) -> None:
        self._suspect = suspect
        self._case: Case | None = None
        self._posted: dict[UUID, Event] = {}
        # Of the claims by their first event: with which version of the case the suspect last
        # touched them, and with which the operator last hid them.
        self._touched: dict[UUID, int] = {}
        self._hidden: dict[UUID, int] = {}
        # What was agreed to before the suspect changed it, unless somebody has told it since.
        self._before: Consent | None = None
        self._renamed = False
        self._merged = False
        # Events of the suspect that showed somebody more.
        self._widening: set[UUID] = set()
        for event in events:
            self._take_in(event)

    def get_case(self) -> Case:
        """Return the case as it is now, which must be there."""
        assert self._case is not None, "what is planned is planned for a case"
        return self._case

    # -- going through the events ------------------------------------------------------------------

    def _take_in(self, event: Event) -> None:
        is_own, approved = self._suspect.posted(event), self._find_approved(event)
        by_suspect = is_own or approved is not None
        if is_own:
            self._posted[event.id] = event
        case = self._case
        before = _Look.at(case, with_claims=by_suspect) if case else None
        about = case.find_claim_of(event.body) if case and is_own else None
        case = self._case = evolve(case, event)
        if case is None:
            return
        if before is None:
            self._before = _UNSURE if is_own else None
            return
        if is_own:
            self._note_claim(event, about)
        self._note_changes(event, before, by_suspect=by_suspect)
        if by_suspect and before.shows_less_than(case):
            self._widening.add(approved or event.id)
        if event.partner_id == OPERATOR_ID:
            self._note_operator(event)

    def _find_approved(self, event: Event) -> UUID | None:
        """Return which event of the suspect has its effect with this one, if one has."""
        if not isinstance(event.body, PublicationApproved):
            return None
        approved = UUID(event.body.event)
        return approved if approved in self._posted else None

    def _note_claim(self, event: Event, about: RecordedClaim | None) -> None:
        """Note the claim that the suspect told or approved. about: what the event is about."""
        if event.claim is not None:
            self._touch(event.id)
        elif about is not None and isinstance(event.body, PublicationApproved):
            self._touch(about.event_id)

    def _touch(self, claim_id: UUID) -> None:
        case = self.get_case()
        self._touched[case.claims[claim_id].root] = case.version

    def _note_changes(self, event: Event, before: "_Look", *, by_suspect: bool) -> None:
        """Note what an event changed, and whether the suspect stands behind it."""
        case = self.get_case()
        if case.consent != before.consent:
            if by_suspect:
                self._before = self._before or before.consent
            elif event.partner_id != OPERATOR_ID:
                # Told anew by somebody else.
                self._before = None
        elif by_suspect:
            for claim_id in before.list_shown_more(case):
                self._touch(claim_id)
        if case.subject != before.subject:
            self._renamed = by_suspect
        if case.merged_into != before.merged_into:
            self._merged = by_suspect

    def _note_operator(self, event: Event) -> None:
        """Note what was done before against a stolen key, this one or another."""
        if isinstance(event.body, VisibilityChanged) and event.body.until_review:
            case = self.get_case()
            self._hidden[case.claims[UUID(event.body.claim)].root] = case.version
        if isinstance(event.body, ConsentChanged):
            self._renamed &= self.get_case().consent.publish in _SHOWS_NAME

    # -- what is to be done ------------------------------------------------------------------------

    def plan(self) -> Iterator[_Planned]:
        """Yield what hides all that the suspect did, the claims first."""
        if self._case is None:
            return
        for claim in self._list_shown():
            asked = {"claim_id": claim.event_id, "visibility": "restricted", "until_review": True}
            yield "claim hidden", claim.event_id, ChangeVisibility, asked
        wanted = self._find_consent()
        if not _is_same(wanted, self._case.consent):
            yield "consent narrowed", self._case.id, ChangeConsent, {"consent": wanted}
        if self._merged and self._case.merged_into is not None:
            # Last: it shows the case by itself again, and by then it has nothing of the suspect's.
            yield "cases parted", self._case.id, UnmergeCase, {}

    def _list_shown(self) -> list[RecordedClaim]:
        """Return what stands in the place of each claim that is to be hidden."""
        case = self.get_case()
        touched = {r: v for r, v in self._touched.items() if v > self._hidden.get(r, 0)}
        latest = (case.get_latest(root) for root in touched)
        return [c for c in latest if c.in_force and c.standing.visibility != "restricted"]

    def _find_consent(self) -> Consent:
        """Return what the case is to be published under."""
        case = self.get_case()
        wanted = case.consent
        if self._before is not None:
            of_others = self._before is _UNSURE and self._shows_others()
            wanted = narrower_of(wanted, _NONE if of_others else self._before)
        if self._renamed and wanted.publish in _SHOWS_NAME:
            wanted = structs.replace(wanted, publish="anonymous", share=wanted.shares_subject)
        return wanted

    def _shows_others(self) -> bool:
        """Return whether the public gets something of the case that the suspect did not touch."""
        claims = self.get_case().claims.values()
        return any(c.publication.counted and c.root not in self._touched for c in claims)

    def list_left(self) -> Iterator[Left]:
        """Yield the suspect's events about which nothing is done."""
        for event in self._posted.values():
            why = self._why_left(event)
            if why is not None:
                yield Left(event.originator_id, event.id, event.type, why)

    def _why_left(self, event: Event) -> str | None:
        if self._case is not None and event.id in self._case.pending:
            return _WAITS
        if type(event.body) in _WHY_LEFT:
            return _WHY_LEFT[type(event.body)]
        if isinstance(event.body, VisibilityChanged | ConsentChanged | CaseMerged):
            return None if event.id in self._widening else _NARROWED
        return None


class _Look(NamedTuple):
    """A case as it was before an event."""

    consent: Consent
    subject: object
    merged_into: UUID | None
    # Of each claim: how many may read it, and whether its texts name the person.
    claims: dict[UUID, tuple[int, bool]]

    @classmethod
    def at(cls, case: Case, *, with_claims: bool) -> "_Look":
        """Return how a case is now."""
        claims = {c.event_id: _shown(c) for c in case.claims.values()} if with_claims else {}
        return cls(case.consent, case.subject, case.merged_into, claims)

    def list_shown_more(self, case: Case) -> list[UUID]:
        """Return the claims that more people may read since."""
        return [
            claim_id
            for claim_id, (rank, names) in self.claims.items()
            if _shown(case.claims[claim_id])[0] > rank
            or (names and not _shown(case.claims[claim_id])[1])
        ]

    def shows_less_than(self, case: Case) -> bool:
        """Return whether somebody has got to see more since, or otherwise."""
        return (
            bool(self.list_shown_more(case))
            or not _is_same(narrower_of(case.consent, self.consent), case.consent)
            or (case.merged_into is not None and case.merged_into != self.merged_into)
        )


def _shown(claim: RecordedClaim) -> tuple[int, bool]:
    return VISIBILITY_RANK[claim.standing.visibility], claim.standing.names_person


def _is_same(one: Consent, other: Consent) -> bool:
    """Return whether two consents allow the same, however they say it."""
    return _meaning(one) == _meaning(other)


def _meaning(consent: Consent) -> tuple[object, ...]:
    if consent.publish == "none":
        return "none", consent.share
    return consent.publish, consent.basis, consent.shares_subject, consent.pseudonym


# -- what a key did to a figure -------------------------------------------------------------------


class _FigureTrace:
    """What a suspect did to a figure. shows: whether the public still gets it."""

    def __init__(self, suspect: Suspect, events: Iterable[Event]) -> None:
        self.figure: Figure | None = None
        self.left: list[Left] = []
        touched = hidden = 0
        for event in events:
            self.figure = evolve_figure(self.figure, event)
            told = isinstance(event.body, FigureReported | FigureCorrected | PublicationApproved)
            if suspect.posted(event) and told:
                touched = event.originator_version
            elif suspect.posted(event):
                why = _WHY_LEFT.get(type(event.body), _NARROWED)
                self.left.append(Left(event.originator_id, event.id, event.type, why))
            if event.partner_id == OPERATOR_ID and isinstance(event.body, FigureHidden):
                hidden = event.originator_version
        is_public = self.figure is not None and self.figure.publication.state == "published"
        self.shows = is_public and touched > hidden
