"""The aggregate: a case, what it decides, and how its events change it.

`decide(case, command, at)` returns the event or refuses; `Case.evolve(event)` applies what
happened. Both are pure in the sense that matters: time, ids and randomness come in as arguments,
so that every decision can be replayed.
"""

from collections.abc import Iterable
from uuid import UUID

from msgspec import Struct, structs

from .commands import Command, OpenCase, RecordClaim, ReleasePublication
from .dates import is_certainly_after, parse_when
from .effects import HANDED_OVER
from .errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    TextNamesPersonError,
    VersionConflictError,
)
from .events import CaseOpened, Consent, Event, Hold, PublicationReleased, Subject
from .facts import ClaimFacts, Frame, facts_of
from .names import finds_name
from .publication import (
    ELSEWHERE,
    Publication,
    hides_whereabouts,
    is_embargoed,
    publication_of,
    shows_sources,
    visibility_of,
)
from .status import Status, resolve
from .vocabulary import VISIBILITY_RANK, Claim, Visibility, type_of


class RecordedClaim(Struct, kw_only=True):
    """A claim of a case and what became of it. `recorded_at` in microseconds, UTC."""

    event_id: UUID
    version: int
    partner_id: UUID
    recorded_at: int
    claim: Claim
    author: str | None
    facts: ClaimFacts
    about_asylum: bool
    # It would tell the public where the person found refuge.
    tells_refuge: bool
    hold: Hold | None
    visibility: Visibility
    publication: Publication
    # When the public could first read or count it, and which public change of the case it was.
    published_at: int | None = None
    public_version: int | None = None

    @property
    def is_public(self) -> bool:
        """Return whether anyone may read it."""
        return self.publication.state == "published"


class Case:
    """A case as its events up to `version` made it."""

    def __init__(self, event: Event, opened: CaseOpened) -> None:
        self.id = event.originator_id
        self.version = event.originator_version
        self.partner_id = event.partner_id
        self.opened_at = event.recorded_at
        self.updated_at = event.recorded_at
        self.code = opened.code
        self.host_state = opened.host_state
        self.origin_state = opened.origin_state
        self.persons = opened.persons
        self.subject: Subject = opened.subject
        self.consent: Consent = opened.consent
        self.external_id = opened.external_id
        self.claims: dict[UUID, RecordedClaim] = {}
        self.public_version = 0
        self.published_at: int | None = None
        self.public_updated_at: int | None = None

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
        """Return a claim of this case. Raises NotFoundError."""
        try:
            return self.claims[claim_id]
        except KeyError as error:
            raise NotFoundError("there is no such event") from error

    def claims_for(self, audience: Visibility, own: UUID | None = None) -> list[RecordedClaim]:
        """Return the claims an audience may read, oldest first; `own`: and those of this partner.

        The public reads what was published, other audiences what is meant for them or wider.
        """
        if audience == "public":
            return [c for c in self.claims.values() if c.is_public]
        floor = VISIBILITY_RANK[audience]
        return [
            c
            for c in self.claims.values()
            if VISIBILITY_RANK[c.visibility] >= floor or c.partner_id == own
        ]

    def status_for(
        self, audience: Visibility, own: UUID | None = None, *, as_of: str | None = None
    ) -> Status:
        """Return the status that the claims an audience may read give."""
        facts = (c.facts for c in self.claims_for(audience, own))
        return resolve(self.frame, facts, as_of=as_of)

    def evolve(self, event: Event) -> None:
        """Apply the next event of this case."""
        self.version = event.originator_version
        self.updated_at = event.recorded_at
        if isinstance(event.body, Claim):
            self._evolve_claim(event, event.body)
        elif isinstance(event.body, PublicationReleased):
            self._evolve_release(UUID(event.body.claim), event.recorded_at)

    def _evolve_claim(self, event: Event, claim: Claim) -> None:
        about_asylum = self.is_about_asylum(claim)
        facts = facts_of(
            claim, event_id=event.id, partner=str(event.partner_id), host_state=self.host_state
        )
        hidden = self._tells_refuge(claim, about_asylum=about_asylum)
        if hidden:
            # Facts stand in the clear in views, which travel in the main backup. The effects are
            # the same: what moves `movement` does so from anywhere, and asylum abroad moves none.
            facts = structs.replace(facts, jurisdiction=ELSEWHERE, destination=None)
        recorded = RecordedClaim(
            event_id=event.id,
            version=event.originator_version,
            partner_id=event.partner_id,
            recorded_at=event.recorded_at,
            claim=claim,
            author=event.author,
            facts=facts,
            about_asylum=about_asylum,
            tells_refuge=hidden,
            hold=event.hold,
            visibility=visibility_of(claim, self.consent, about_asylum=about_asylum),
            publication=publication_of(
                claim,
                self.consent,
                about_asylum=about_asylum,
                hold=event.hold,
                embargoed=event.embargoed,
            ),
        )
        self.claims[event.id] = recorded
        self._note_publication(recorded, event.recorded_at)

    def _evolve_release(self, claim_id: UUID, at: int) -> None:
        recorded = self.claims[claim_id]
        recorded.publication = publication_of(
            recorded.claim,
            self.consent,
            about_asylum=recorded.about_asylum,
            hold=recorded.hold,
            embargoed=False,
        )
        self._note_publication(recorded, at)

    def _note_publication(self, recorded: RecordedClaim, at: int) -> None:
        if not recorded.publication.counted:
            return
        recorded.published_at = at
        if recorded.is_public:
            self.public_version += 1
            recorded.public_version = self.public_version
            self.published_at = self.published_at or at
            self.public_updated_at = at

    def _tells_refuge(self, claim: Claim, *, about_asylum: bool) -> bool:
        """Return whether a claim tells where the person went.

        A departure does, asylum asked abroad does, and so does whatever happened in a third
        country to somebody who may have left for it by then; but for a removal, which is no refuge.
        """
        if hides_whereabouts(claim, self.host_state, about_asylum=about_asylum):
            return True
        at_home = (None, self.host_state, self.origin_state)
        if claim.jurisdiction in at_home or type_of(claim) in HANDED_OVER:
            return False
        occurred = parse_when(claim.occurred)
        return any(
            not is_certainly_after(parse_when(c.claim.occurred), occurred)
            for c in self.claims.values()
            if c.facts.type.startswith("departure.")
        )

    def is_about_asylum(self, claim: Claim) -> bool:
        """Return whether a claim tells of an asylum claim, itself or by what it appeals against."""
        seen: set[str] = set()
        step: Claim | None = claim
        while step is not None and not type_of(step).startswith("asylum."):
            against = getattr(step, "against", None)
            if against is None or against in seen:
                return False
            seen.add(against)
            found = self.claims.get(UUID(against))
            step = found.claim if found else None
        return step is not None


def evolve(case: Case | None, event: Event) -> Case | None:
    """Return the case after an event; the same object, changed, but for the first event."""
    if case is None:
        return Case(event, event.body) if isinstance(event.body, CaseOpened) else None
    case.evolve(event)
    return case


# -- decisions ------------------------------------------------------------------------------------


def decide(case: Case | None, command: Command, at: int, *, now: int | None = None) -> Event:
    """Return the event that a command leads to, recorded at a moment in microseconds.

    now: what the clock says, where that is not `at`: embargoes go by it.

    Raises a CaseflowError where the command is refused; nothing has changed then.
    """
    if isinstance(command, OpenCase):
        return _decide_opening(case, command, at)
    if case is None:
        raise NotFoundError("there is no such case")
    if isinstance(command, RecordClaim):
        return _decide_claim(case, command, at, at if now is None else now)
    return _decide_release(case, command, at, at if now is None else now)


def _decide_opening(case: Case | None, command: OpenCase, at: int) -> Event:
    if case is not None:
        raise ConflictError("the case is open already")
    names = [n.text for n in command.subject.names]
    pseudonym = command.consent.pseudonym
    if pseudonym and finds_name(names, pseudonym):
        raise TextNamesPersonError(
            "the pseudonym holds a name of the person",
            [("/consent/pseudonym", "holds a name of the person")],
        )
    return Event(
        originator_id=command.case_id,
        originator_version=1,
        id=command.event_id,
        partner_id=command.partner_id,
        recorded_at=at,
        author=command.author,
        body=CaseOpened(
            code=command.code,
            host_state=command.host_state,
            origin_state=command.origin_state,
            persons=command.persons,
            subject=command.subject,
            consent=command.consent,
            external_id=command.external_id,
        ),
    )


def _decide_claim(case: Case, command: RecordClaim, at: int, now: int) -> Event:
    if command.expected_version not in (None, case.version):
        raise VersionConflictError("the case has changed since", case.version)
    _check_references(case, command)
    _check_names(case, command.claim)
    return Event(
        originator_id=case.id,
        originator_version=case.version + 1,
        id=command.event_id,
        partner_id=command.partner_id,
        recorded_at=at,
        author=command.author,
        body=command.claim,  # type: ignore[arg-type]  # every claim that is decoded is of the union
        hold=_hold(case, command),
        embargoed=is_embargoed(command.claim, now),
    )


def _decide_release(case: Case, command: ReleasePublication, at: int, now: int) -> Event:
    recorded = case.get_claim(command.claim_id)
    if recorded.publication.state != "embargoed" or is_embargoed(recorded.claim, now):
        raise ConflictError("the claim is not waiting for the end of an embargo")
    return Event(
        originator_id=case.id,
        originator_version=case.version + 1,
        id=command.event_id,
        partner_id=command.partner_id,
        recorded_at=at,
        body=PublicationReleased(claim=str(command.claim_id)),
    )


def _hold(case: Case, command: RecordClaim) -> Hold | None:
    """Return why a claim that could be public has to wait, or None."""
    publication = publication_of(
        command.claim,
        case.consent,
        about_asylum=case.is_about_asylum(command.claim),
        hold=None,
        embargoed=False,
    )
    if not publication.counted:
        return None
    if not command.may_publish:
        return "review"
    first = not any(c.publication.counted for c in case.claims.values())
    return "two_person" if command.two_person and first else None


def _check_references(case: Case, command: RecordClaim) -> None:
    claim = command.claim
    audience: Visibility = "restricted" if command.reads_restricted else "partners"
    readable = {c.event_id for c in case.claims_for(audience, command.partner_id)}
    errors = []
    for field in ("against", "after"):
        text = getattr(claim, field, None)
        # What the partner may not read is as if it were not there.
        if text is not None and _as_uuid(text) not in readable:
            errors.append((f"/{field}", "names no event of this case"))
    if not errors and claim.after is not None:
        followed = case.claims[UUID(claim.after)].claim
        if is_certainly_after(parse_when(followed.occurred), parse_when(claim.occurred)):
            errors.append(("/after", "the dates say that it happened before that event"))
    if errors:
        raise InvalidInputError("the claim names events that it cannot name", errors)


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _check_names(case: Case, claim: Claim) -> None:
    """Refuse a public text that names a person who did not agree to be named."""
    if claim.visibility != "public" or case.consent.publish == "name":
        return
    names = [n.text for n in case.subject.names]
    with_sources = shows_sources(case.consent)
    errors = [
        (pointer, "holds a name of the person, who did not agree to be named")
        for pointer, text in public_texts(claim, with_sources=with_sources)
        if finds_name(names, text)
    ]
    if errors:
        raise TextNamesPersonError("a public text names the person", errors)


TEXT_FIELDS = ("place", "authority", "accusation", "forum", "ground")


def public_texts(claim: Claim, *, with_sources: bool) -> list[tuple[str, str]]:
    """Return JSON pointer and text of everything in a claim that the public could read."""
    found = [(f"/{f}", text) for f in TEXT_FIELDS if (text := getattr(claim, f, None))]
    for language in ("ru", "kk", "en"):
        text = getattr(claim.summary, language, None) if claim.summary else None
        if text:
            found.append((f"/summary/{language}", text))
    for number, source in enumerate(claim.sources if with_sources else ()):
        for field in ("title", "publisher", "url", "archived"):
            if text := getattr(source, field):
                found.append((f"/sources/{number}/{field}", text))
    return found
