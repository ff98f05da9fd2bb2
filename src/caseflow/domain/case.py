"""The aggregate: a case, and how its events change it. What it decides is in `decisions.py`.

`evolve(case, event)` applies what happened; it asks nothing and refuses nothing.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Final, NamedTuple
from uuid import UUID

from msgspec import Struct, structs

from .dates import is_certainly_after, parse_when
from .effects import HANDED_OVER
from .errors import NotFoundError
from .events import (
    OPERATOR_ID,
    CaseErased,
    CaseMerged,
    CaseOpened,
    CaseUnmerged,
    ClaimCorrected,
    ClaimCorroborated,
    ClaimDisputed,
    ClaimRetracted,
    Consent,
    ConsentChanged,
    Event,
    Hold,
    ObjectionMade,
    PublicationApproved,
    PublicationDeclined,
    PublicationReleased,
    RecordBody,
    RetractionReason,
    Subject,
    SubjectAmended,
    VisibilityChanged,
)
from .facts import ClaimFacts, Frame, Stance, facts_of
from .objections import Objection, hidden
from .publication import (
    ELSEWHERE,
    Publication,
    Standing,
    find_names,
    hides_whereabouts,
    narrower_of,
    publication_of,
    visibility_of,
)
from .status import Status, resolve
from .vocabulary import VISIBILITY_RANK, Claim, Visibility, type_of

# A correction of the wording leaves what was told; others' judgements of it still hold.
KEEPS_STANCES: Final = frozenset({"typo", "translation"})


class Retraction(NamedTuple):
    """That a claim was taken back."""

    event_id: UUID
    reason: RetractionReason


class Judgement(Struct, kw_only=True):
    """What a partner said last of another's claim. `hold`: the public does not know of it yet."""

    event_id: UUID
    disputes: bool
    rank_against: bool
    author: str | None
    hold: Hold | None


class RecordedClaim(Struct, kw_only=True):
    """A claim of a case and what became of it. `recorded_at` in microseconds, UTC.

    partner_id: whose account it is; posted_by: who posted this version of it.
    root: the event that first told it; its own id unless it is a correction.
    changed_at: when the last event about it was recorded.
    """

    event_id: UUID
    root: UUID
    version: int
    partner_id: UUID
    posted_by: UUID
    recorded_at: int
    changed_at: int
    claim: Claim
    author: str | None
    facts: ClaimFacts
    # It would tell the public where the person found refuge.
    tells_refuge: bool
    standing: Standing
    visibility: Visibility
    publication: Publication
    corrects: UUID | None = None
    reason: str | None = None
    replaced_by: UUID | None = None
    retraction: Retraction | None = None
    judgements: dict[UUID, Judgement] = {}

    @property
    def in_force(self) -> bool:
        """Return whether it counts: neither retracted nor replaced by a correction."""
        return self.replaced_by is None and self.retraction is None

    @property
    def is_public(self) -> bool:
        """Return whether anyone may read it, as far as its own case is concerned."""
        return self.publication.state == "published"


class Pending(NamedTuple):
    """An event that has no effect until somebody approves it. `body`: what it will do then.

    restores: it gives a claim that was hidden until a review the audience of before.
    """

    posted_by: UUID
    body: RecordBody
    restores: bool = False


class Case:
    """A case as its events up to `version` made it."""

    def __init__(self, event: Event, opened: CaseOpened) -> None:
        self.id = event.originator_id
        self.version = event.originator_version
        self.partner_id = event.partner_id
        self.opened_at = event.recorded_at
        # Of the last event about the case itself: its subject, consent or identity.
        self.amended_at = event.recorded_at
        self.code = opened.code
        self.host_state = opened.host_state
        self.origin_state = opened.origin_state
        self.persons = opened.persons
        self.subject: Subject = opened.subject
        self.consent: Consent = opened.consent
        self.external_id = opened.external_id
        self.claims: dict[UUID, RecordedClaim] = {}
        self.pending: dict[UUID, Pending] = {}
        # In the order in which they were made.
        self.objections: tuple[Objection, ...] = ()
        self.merged_into: UUID | None = None
        # Cases that somebody judged to be about another person.
        self.apart_from: frozenset[UUID] = frozenset()
        # Statuses as of now, until the next event: each takes as long to find as a post has.
        self._statuses: dict[Hashable, Status] = {}

    @classmethod
    def from_events(cls, events: Iterable[Event]) -> "Case | None":
        """Return the case that its events, oldest first, make; None without an opening."""
        case: Case | None = None
        for event in events:
            case = evolve(case, event)
        return case

    @property
    def frame(self) -> Frame:
        """Return the two states between which the case stands."""
        return Frame(self.host_state, self.origin_state)

    def get_claim(self, claim_id: UUID) -> RecordedClaim:
        """Return a claim of this case, as it was told then. Raises NotFoundError."""
        try:
            return self.claims[claim_id]
        except KeyError as error:
            raise NotFoundError("there is no such event") from error

    def get_latest(self, claim_id: UUID) -> RecordedClaim:
        """Return what stands in the place of a claim now: its last correction, else itself."""
        found = self.get_claim(claim_id)
        while found.replaced_by is not None:
            found = self.claims[found.replaced_by]
        return found

    def find_open_objection(self) -> Objection | None:
        """Return the first objection that nobody has settled, or None."""
        return next((objection for objection in self.objections if objection.is_open), None)

    def find_claim_of(self, body: object) -> RecordedClaim | None:
        """Return the claim that a record event is about, as it was told then, or None."""
        named = getattr(body, "claim", None) or getattr(body, "event", None)
        if not isinstance(named, str):
            return None
        found = self.claims.get(UUID(named)) or self.find_judged(UUID(named))
        waiting = self.pending.get(UUID(named))
        return found or (self.find_claim_of(waiting.body) if waiting else None)

    def find_judged(self, event_id: UUID) -> RecordedClaim | None:
        """Return the claim that an event corroborated or disputed, unless a later word did too."""
        for recorded in self.claims.values():
            if any(j.event_id == event_id for j in recorded.judgements.values()):
                return recorded
        return None

    def is_hidden_until_review(self, recorded: RecordedClaim) -> bool:
        """Return whether a claim was hidden, and nobody has approved that it returns."""
        return any(
            waiting.restores and self.find_claim_of(waiting.body) is recorded
            for waiting in self.pending.values()
        )

    def readable_claims(self, audience: Visibility, own: UUID | None = None) -> list[RecordedClaim]:
        """Return the claims a partner may read, oldest first, what was corrected or retracted too.

        own: and those of this partner.
        """
        floor = VISIBILITY_RANK[audience]
        return [
            c
            for c in self.claims.values()
            if VISIBILITY_RANK[c.visibility] >= floor or c.partner_id == own
        ]

    def claims_for(self, audience: Visibility, own: UUID | None = None) -> list[RecordedClaim]:
        """Return the claims in force that an audience may read, oldest first.

        The public reads what was published, other audiences what is meant for them or wider.
        """
        if audience == "public":
            return [c for c in self.claims.values() if c.is_public]
        return [c for c in self.readable_claims(audience, own) if c.in_force]

    def facts_for(self, recorded: RecordedClaim) -> ClaimFacts:
        """Return what the fold reads of a claim; what it names is what stands there now."""
        facts = recorded.facts
        if facts.against is None and facts.after is None:
            return facts
        against, after = self._latest_id(facts.against), self._latest_id(facts.after)
        if (against, after) == (facts.against, facts.after):
            return facts
        return structs.replace(facts, against=against, after=after)

    def _latest_id(self, claim_id: UUID | None) -> UUID | None:
        if claim_id is None or claim_id not in self.claims:
            return claim_id
        return self.get_latest(claim_id).event_id

    def stances_on(self, recorded: RecordedClaim) -> Iterator[Stance]:
        """Yield what other partners think of a claim."""
        for partner_id, judgement in recorded.judgements.items():
            yield Stance(
                claim=recorded.event_id,
                partner=str(partner_id),
                disputes=judgement.disputes,
                rank_against=judgement.rank_against,
            )

    def status_for(
        self, audience: Visibility, own: UUID | None = None, *, as_of: str | None = None
    ) -> Status:
        """Return the status that the claims an audience may read give."""
        claims = self.claims_for(audience, own)

        def make() -> Status:
            return resolve(
                self.frame,
                [self.facts_for(c) for c in claims],
                stances=[s for c in claims for s in self.stances_on(c)],
                as_of=as_of,
            )

        # Most audiences may read the same claims, and so find the same.
        return make() if as_of else self.remember(tuple(c.event_id for c in claims), make)

    def remember(self, which: Hashable, make: Callable[[], Status]) -> Status:
        """Return a status of the case as it is, made where it was not since its last event."""
        found = self._statuses.get(which)
        if found is None:
            found = self._statuses[which] = make()
        return found

    def limit_to(self, now: "Case") -> None:
        """Let nobody read more of this case, as it was earlier, than may be read of it now.

        Who may read a claim now decides, as it does in statistics, whenever it was told; who the
        person is, and may be called, is told where that was agreed to then and is agreed to now.
        """
        self._statuses.clear()
        self.consent = narrower_of(now.consent, self.consent)
        for recorded in self.claims.values():
            recorded.visibility = now.claims[recorded.event_id].visibility

    def evolve(self, event: Event) -> None:
        """Apply the next event of this case."""
        self._statuses.clear()
        self.version = event.originator_version
        if isinstance(event.body, Claim):
            self._record(event, event.body)
            return
        about = self.find_claim_of(event.body)
        if about is not None:
            self.get_latest(about.event_id).changed_at = event.recorded_at
        else:
            self.amended_at = event.recorded_at
        if event.hold is not None and not isinstance(event.body, _HELD_INSIDE):
            self._hold(event)
        else:
            self._apply(event, event.body)

    def _apply(self, event: Event, body: object) -> None:
        apply = _EFFECTS.get(type(body))
        if apply is not None:
            apply(self, event, body)

    def _hold(self, event: Event) -> None:
        """Keep an event's effect for a review; what is narrower has its effect at once."""
        body = event.body
        self._supersede(body)
        if isinstance(body, ConsentChanged):
            self._change_consent(narrower_of(body.consent, self.consent))
        self.pending[event.id] = Pending(event.partner_id, body)  # type: ignore[arg-type]  # of a case

    def _supersede(self, body: object) -> None:
        """Forget what waits for a review and would be undone by a later word on the same."""
        claim = getattr(body, "claim", None)
        self.pending = {
            event_id: waiting
            for event_id, waiting in self.pending.items()
            if type(waiting.body) is not type(body) or getattr(waiting.body, "claim", None) != claim
        }

    # -- claims -----------------------------------------------------------------------------------

    def _record(self, event: Event, claim: Claim) -> RecordedClaim:
        about_asylum = self.is_about_asylum(claim)
        facts = facts_of(
            claim, event_id=event.id, partner=str(event.partner_id), host_state=self.host_state
        )
        hidden = tells_refuge(claim, self.claims.values(), self.frame, about_asylum=about_asylum)
        if hidden:
            facts = _without_whereabouts(facts)
        standing = Standing(
            visibility=claim.visibility,
            about_asylum=about_asylum,
            hold=event.hold,
            embargoed=event.embargoed,
        )
        recorded = RecordedClaim(
            event_id=event.id,
            root=event.id,
            version=event.originator_version,
            partner_id=event.partner_id,
            posted_by=event.partner_id,
            recorded_at=event.recorded_at,
            changed_at=event.recorded_at,
            claim=claim,
            author=event.author,
            facts=facts,
            tells_refuge=hidden,
            standing=standing,
            visibility=visibility_of(claim, self.consent, standing),
            publication=publication_of(claim, self.consent, standing),
            judgements={},
        )
        self.claims[event.id] = recorded
        return recorded

    def _correct(self, event: Event, body: ClaimCorrected) -> None:
        before = self.get_latest(UUID(body.claim))
        recorded = self._record(event, body.replacement)
        # Whoever corrects it, it stays the account of the partner that told it.
        recorded.partner_id, recorded.author = before.partner_id, before.author
        recorded.facts = structs.replace(recorded.facts, partner=before.facts.partner)
        recorded.root, recorded.corrects = before.root, before.event_id
        recorded.reason = body.reason
        if body.reason in KEEPS_STANCES:
            recorded.judgements = before.judgements
        before.replaced_by = event.id
        self._stand(before, replaced=True)
        self._narrow_versions(recorded)
        self._forget_audiences(before.root)
        for appeal in self.claims.values():
            if appeal.facts.against is not None:
                self._look_at_appeal(appeal)

    def _look_at_appeal(self, recorded: RecordedClaim) -> None:
        """Ask again what an appeal is about, now that what it contests may be told otherwise."""
        # Once it was, it stays so: what else somebody corrects must not publish it unseen.
        about_asylum = recorded.standing.about_asylum or self.is_about_asylum(recorded.claim)
        if hides_whereabouts(recorded.claim, self.host_state, about_asylum=about_asylum):
            recorded.tells_refuge = True
            recorded.facts = _without_whereabouts(recorded.facts)
        self._stand(recorded, about_asylum=about_asylum)

    def _retract(self, event: Event, body: ClaimRetracted) -> None:
        recorded = self.get_latest(UUID(body.claim))
        recorded.retraction = Retraction(event.id, body.reason)
        self._stand(recorded, retracted=True)

    def _judge(self, event: Event, body: ClaimCorroborated | ClaimDisputed) -> None:
        disputes = isinstance(body, ClaimDisputed)
        recorded = self.get_latest(UUID(body.claim))
        # Moved to the end: the order is that of the last words.
        recorded.judgements.pop(event.partner_id, None)
        recorded.judgements[event.partner_id] = Judgement(
            event_id=event.id,
            disputes=disputes,
            rank_against=isinstance(body, ClaimDisputed) and body.rank_against,
            author=event.author,
            hold=event.hold,
        )

    def _change_visibility(self, event: Event, body: VisibilityChanged) -> None:
        recorded = self.get_latest(UUID(body.claim))
        waiting = self._forget_audiences(recorded.root)
        if body.until_review:
            # Hidden a second time, it comes back as it was before the first.
            first = next((back.visibility for back, restores in waiting if restores), None)
            before = first or recorded.standing.visibility
            back = VisibilityChanged(claim=body.claim, visibility=before)
            # Not by the partner whose key was stolen.
            self.pending[event.id] = Pending(recorded.posted_by, back, restores=True)
        self._stand(recorded, visibility=body.visibility)
        self._narrow_versions(recorded)

    def _narrow_versions(self, recorded: RecordedClaim) -> None:
        """Hide what a claim said before from whom it is hidden now."""
        for earlier in self.claims.values():
            if earlier.root == recorded.root:
                audiences = earlier.standing.visibility, recorded.standing.visibility
                kept = min(audiences, key=VISIBILITY_RANK.__getitem__)
                self._stand(earlier, visibility=kept)

    def _forget_audiences(self, root: UUID) -> list[tuple[VisibilityChanged, bool]]:
        """Forget what waits and would change a claim's audience, in whichever version.

        It was asked of the words of then. Returns each with whether it restores what was before.
        """
        found = {
            event_id: (waiting.body, waiting.restores)
            for event_id, waiting in self.pending.items()
            if isinstance(waiting.body, VisibilityChanged)
            and self.claims[UUID(waiting.body.claim)].root == root
        }
        self.pending = {e: waiting for e, waiting in self.pending.items() if e not in found}
        return list(found.values())

    def _release(self, event: Event, body: PublicationReleased) -> None:
        self._stand(self.claims[UUID(body.claim)], embargoed=False)

    def _stand(self, recorded: RecordedClaim, **changes: Any) -> None:
        """Change how things stand with a claim, and so what the public gets of it."""
        recorded.standing = structs.replace(recorded.standing, **changes)
        recorded.visibility = visibility_of(recorded.claim, self.consent, recorded.standing)
        recorded.publication = publication_of(recorded.claim, self.consent, recorded.standing)

    # -- reviews ----------------------------------------------------------------------------------

    def _approve(self, event: Event, body: PublicationApproved) -> None:
        target = UUID(body.event)
        waiting = self.pending.pop(target, None)
        if waiting is not None:
            self._apply(event, waiting.body)
        elif target in self.claims:
            self._stand(self.claims[target], hold=None, declined=False)
        else:
            for judgement in self._judgements(target):
                judgement.hold = None

    def _decline(self, event: Event, body: PublicationDeclined) -> None:
        target = UUID(body.event)
        if self.pending.pop(target, None) is None and target in self.claims:
            self._stand(self.claims[target], declined=True)

    def _judgements(self, event_id: UUID) -> Iterator[Judgement]:
        """Yield the judgement that an event made, unless a later word has taken its place."""
        for recorded in self.claims.values():
            yield from (j for j in recorded.judgements.values() if j.event_id == event_id)

    # -- the person -------------------------------------------------------------------------------

    def _amend_subject(self, _event: Event, body: SubjectAmended) -> None:
        self._supersede(body)
        self.subject = body.subject
        self._stand_all()

    def _note_consent(self, event: Event, body: ConsentChanged) -> None:
        self._supersede(body)
        self._change_consent(body.consent)
        # The operator narrows it where a key was stolen, and has asked nobody.
        if event.partner_id != OPERATOR_ID:
            self.objections = tuple(
                o._replace(settled_by=event.id) if o.is_open else o for o in self.objections
            )

    def _object(self, event: Event, body: ObjectionMade) -> None:
        self.objections += (Objection(event.id, event.recorded_at, body),)
        if body.hides:
            nothing = hidden(self.consent)
            # Whoever asked for more before did not know of it: to approve that now settles nothing.
            self._supersede(ConsentChanged(consent=nothing))
            self._change_consent(nothing)

    def _change_consent(self, consent: Consent) -> None:
        self.consent = consent
        self._stand_all()

    def _stand_all(self) -> None:
        """Look at every claim again, now that the person is called or agrees to something else."""
        for recorded in self.claims.values():
            names = find_names(recorded.claim, self.subject, self.consent)
            self._stand(recorded, names_person=bool(names))

    def _merge(self, _event: Event, body: CaseMerged) -> None:
        self._supersede(body)
        self.merged_into = UUID(body.into)

    def _unmerge(self, _event: Event, body: CaseUnmerged) -> None:
        self.pending = {
            e: waiting
            for e, waiting in self.pending.items()
            if not isinstance(waiting.body, CaseMerged)
        }
        self.apart_from |= {UUID(body.apart_from)}
        if self.merged_into == UUID(body.apart_from):
            self.merged_into = None

    def is_about_asylum(self, claim: Claim) -> bool:
        """Return whether a claim tells of an asylum claim, itself or by what it appeals against."""
        seen: set[str] = set()
        step: Claim | None = claim
        while step is not None and not type_of(step).startswith("asylum."):
            against = getattr(step, "against", None)
            if against is None or against in seen:
                return False
            seen.add(against)
            found = UUID(against)
            step = self.get_latest(found).claim if found in self.claims else None
        return step is not None


# A judgement counts among partners at once; only the public has to wait. A correction does too.
_HELD_INSIDE: Final = (ClaimCorrected, ClaimCorroborated, ClaimDisputed)

_EFFECTS: Final[dict[type, Callable[[Case, Event, Any], None]]] = {
    SubjectAmended: Case._amend_subject,
    ConsentChanged: Case._note_consent,
    ClaimCorrected: Case._correct,
    ClaimRetracted: Case._retract,
    ClaimCorroborated: Case._judge,
    ClaimDisputed: Case._judge,
    VisibilityChanged: Case._change_visibility,
    PublicationApproved: Case._approve,
    PublicationDeclined: Case._decline,
    PublicationReleased: Case._release,
    CaseMerged: Case._merge,
    CaseUnmerged: Case._unmerge,
    ObjectionMade: Case._object,
}


def _without_whereabouts(facts: ClaimFacts) -> ClaimFacts:
    """Return facts that do not tell where the person went.

    Facts stand in the clear in views, which travel in the main backup. The effects are the same:
    what moves `movement` does so from anywhere, and asylum abroad moves none.
    """
    return structs.replace(facts, jurisdiction=ELSEWHERE, destination=None)


def tells_refuge(
    claim: Claim, others: Iterable[RecordedClaim], frame: Frame, *, about_asylum: bool
) -> bool:
    """Return whether a claim tells where the person went.

    A departure does, asylum asked abroad does, and so does whatever happened in a third country
    to somebody who may have left for it by then; but for a removal, which is no refuge.
    others: the claims that may tell of a departure.
    """
    if hides_whereabouts(claim, frame.host_state, about_asylum=about_asylum):
        return True
    at_home = (None, frame.host_state, frame.origin_state)
    if claim.jurisdiction in at_home or type_of(claim) in HANDED_OVER:
        return False
    occurred = parse_when(claim.occurred)
    return any(
        not is_certainly_after(parse_when(c.claim.occurred), occurred)
        for c in others
        if c.facts.type.startswith("departure.")
    )


def evolve(case: Case | None, event: Event) -> Case | None:
    """Return the case after an event; the same object, changed, but for the first event.

    None before the first, and after the last: where it was erased.
    """
    if case is None:
        return Case(event, event.body) if isinstance(event.body, CaseOpened) else None
    if isinstance(event.body, CaseErased):
        return None
    case.evolve(event)
    return case
