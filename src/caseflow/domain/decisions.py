"""What a case decides: `decide(case, command, at)` returns the event, or refuses.

Pure in the sense that matters: time, ids and randomness come in as arguments, so that every
decision can be replayed. A refusal changes nothing.
"""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from .case import Case, RecordedClaim
from .checks import check_consent
from .commands import (
    Act,
    AmendSubject,
    ChangeConsent,
    ChangeVisibility,
    Command,
    CorrectClaim,
    CorroborateClaim,
    DisputeClaim,
    MakeObjection,
    MergeCase,
    OpenCase,
    RecordClaim,
    ReleasePublication,
    RetractClaim,
    Review,
    UnmergeCase,
)
from .dates import is_certainly_after, parse_when
from .errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    TextNamesPersonError,
    VersionConflictError,
)
from .events import (
    Body,
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
    Subject,
    SubjectAmended,
    VisibilityChanged,
)
from .identifiers import as_uuid
from .names import finds_name
from .objections import MOST_OPEN, can_hide
from .publication import (
    Standing,
    find_names,
    is_embargoed,
    is_wider,
    publication_of,
    says_as_much,
)
from .vocabulary import VISIBILITY_RANK, Claim, Visibility

NO_EVENT: Final = "there is no such event"
FROZEN: Final = "publication is halted: nothing can become public now"
INTO_ITSELF: Final = "a case is not merged into itself, nor into what was merged into it"


class Scene(Struct, frozen=True, kw_only=True):
    """What a decision needs to know beside the case.

    now: what the clock says, microseconds; embargoes go by it. frozen: publication is halted.
    into: the other case, of a merge, its undoing or its approval.
    """

    now: int
    frozen: bool = False
    into: Case | None = None


Decision = Callable[[Case, Any, Scene], tuple[Body, Hold | None]]


def decide(case: Case | None, command: Command, at: int, *, scene: Scene | None = None) -> Event:
    """Return the event that a command leads to, recorded at a moment in microseconds.

    scene: without one, the clock says `at` and nothing is frozen.
    Raises a CaseflowError where the command is refused; nothing has changed then.
    """
    scene = scene or Scene(now=at)
    if isinstance(command, OpenCase):
        return _decide_opening(case, command, at)
    if case is None:
        raise NotFoundError("there is no such case")
    if isinstance(command, ReleasePublication):
        return _decide_release(case, command, at, scene)
    if command.expected_version not in (None, case.version):
        raise VersionConflictError("the case has changed since", case.version)
    body, hold = _DECISIONS[type(command)](case, command, scene)
    claim = body if isinstance(body, Claim) else getattr(body, "replacement", None)
    return Event(
        originator_id=case.id,
        originator_version=case.version + 1,
        id=command.event_id,
        partner_id=command.partner_id,
        recorded_at=at,
        author=command.author,
        key_id=command.key_id,
        body=body,
        hold=hold,
        embargoed=claim is not None and (scene.frozen or is_embargoed(claim, scene.now)),
    )


# -- opening --------------------------------------------------------------------------------------


def _decide_opening(case: Case | None, command: OpenCase, at: int) -> Event:
    if case is not None:
        raise ConflictError("the case is open already")
    _check_pseudonym(command.subject, command.consent, "/consent/pseudonym")
    return Event(
        originator_id=command.case_id,
        originator_version=1,
        id=command.event_id,
        partner_id=command.partner_id,
        recorded_at=at,
        author=command.author,
        key_id=command.key_id,
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


def _check_pseudonym(subject: Subject, consent: Consent, pointer: str) -> None:
    names = [name.text for name in subject.names]
    if consent.pseudonym and finds_name(names, consent.pseudonym):
        raise TextNamesPersonError(
            "the pseudonym holds a name of the person", [(pointer, "holds a name of the person")]
        )


# -- claims ---------------------------------------------------------------------------------------


def _record(case: Case, command: RecordClaim, _scene: Scene) -> tuple[Body, Hold | None]:
    _check_references(case, command, command.claim)
    _check_names(case, command.claim)
    return command.claim, _hold_claim(case, command, command.claim)  # type: ignore[return-value]


def _correct(case: Case, command: CorrectClaim, _scene: Scene) -> tuple[Body, Hold | None]:
    before = _get_own(case, command)
    _check_references(case, command, command.replacement, correcting=before)
    _check_names(case, command.replacement)
    hold = _hold_claim(case, command, command.replacement, correcting=before)
    body = ClaimCorrected(
        claim=str(before.event_id),
        reason=command.reason,
        replacement=command.replacement,  # type: ignore[arg-type]  # of the union, as decoded
        external_id=command.external_id,
    )
    return body, hold


def _retract(case: Case, command: RetractClaim, _scene: Scene) -> tuple[Body, Hold | None]:
    before = _get_own(case, command)
    # Taking back is never held: it can only hide.
    body = ClaimRetracted(
        claim=str(before.event_id),
        reason=command.reason,
        note=command.note,
        external_id=command.external_id,
    )
    return body, None


def _corroborate(case: Case, command: CorroborateClaim, scene: Scene) -> tuple[Body, Hold | None]:
    before = _get_others(case, command, "nobody corroborates a claim of their own")
    body = ClaimCorroborated(
        claim=str(before.event_id), note=command.note, external_id=command.external_id
    )
    return body, _hold_judgement(command, scene)


def _dispute(case: Case, command: DisputeClaim, scene: Scene) -> tuple[Body, Hold | None]:
    before = _get_others(case, command, "a claim of your own is corrected or retracted")
    body = ClaimDisputed(
        claim=str(before.event_id),
        reason=command.reason,
        rank_against=command.rank_against,
        external_id=command.external_id,
    )
    return body, _hold_judgement(command, scene)


def _change_visibility(
    case: Case, command: ChangeVisibility, scene: Scene
) -> tuple[Body, Hold | None]:
    before = _get_own(case, command)
    wanted, current = command.visibility, before.standing.visibility
    raised = VISIBILITY_RANK[wanted] > VISIBILITY_RANK[current]
    body = VisibilityChanged(
        claim=str(before.event_id),
        visibility=wanted,
        until_review=command.until_review,
        external_id=command.external_id,
    )
    if not raised:
        return body, None
    if wanted == "public":
        _check_names(case, before.claim, pointer="/visibility")
        _refuse_while_frozen(scene)
    if case.is_hidden_until_review(before):
        return body, "review"
    return body, _hold(command, to_public=wanted == "public")


def _get_readable(case: Case, command: Any) -> RecordedClaim:
    """Return what stands in the place of the claim that a command names."""
    readable = _readable(case, command)
    if command.claim_id not in readable:
        raise NotFoundError(NO_EVENT)
    found = case.get_latest(command.claim_id)
    if found.event_id not in readable:
        raise NotFoundError(NO_EVENT)
    if found.retraction is not None:
        raise ConflictError("the claim was retracted")
    return found


def _get_own(case: Case, command: Any) -> RecordedClaim:
    """Return the claim, which must be the partner's own unless it reviews."""
    found = _get_readable(case, command)
    if found.partner_id != command.partner_id and not command.may_review:
        raise ForbiddenError("for what others have told the key needs the scope review")
    return found


def _get_others(case: Case, command: Any, refusal: str) -> RecordedClaim:
    found = _get_readable(case, command)
    if found.partner_id == command.partner_id:
        raise ConflictError(refusal)
    return found


def _hold_claim(
    case: Case, command: Act, claim: Claim, correcting: RecordedClaim | None = None
) -> Hold | None:
    """Return why a claim that could be public has to wait, or None."""
    standing = Standing(
        visibility=claim.visibility, about_asylum=case.is_about_asylum(claim), embargoed=False
    )
    could = publication_of(claim, case.consent, standing)
    if not could.counted:
        # Consent may come later, and then it must not slip out unseen.
        return None if command.may_publish or claim.visibility != "public" else "review"
    if not command.may_publish or (correcting and case.is_hidden_until_review(correcting)):
        return "review"
    first = not any(c.publication.counted for c in case.claims.values())
    raised = correcting is not None and not correcting.publication.counted
    return "two_person" if command.two_person and (first or raised) else None


def _hold(command: Act, *, to_public: bool) -> Hold | None:
    """Return why a raise of visibility has to wait, or None."""
    if to_public and not command.may_publish:
        return "review"
    return "two_person" if command.two_person else None


def _hold_judgement(command: Act, scene: Scene) -> Hold | None:
    """Return why the public does not hear of a judgement yet, or None."""
    return None if command.may_publish and not scene.frozen else "review"


def _check_references(
    case: Case, command: Act, claim: Claim, correcting: RecordedClaim | None = None
) -> None:
    readable = _readable(case, command)
    errors = []
    for field in ("against", "after"):
        text = getattr(claim, field, None)
        if text is not None and as_uuid(text) not in readable:
            errors.append((f"/{field}", "names no event of this case"))
        elif correcting and text and case.claims[UUID(text)].root == correcting.root:
            errors.append((f"/{field}", "names the claim that is corrected"))
    if not errors and claim.after is not None:
        followed = case.get_latest(UUID(claim.after)).claim
        if is_certainly_after(parse_when(followed.occurred), parse_when(claim.occurred)):
            errors.append(("/after", "the dates say that it happened before that event"))
    if errors:
        raise InvalidInputError("the claim names events that it cannot name", errors)


def _check_names(case: Case, claim: Claim, pointer: str | None = None) -> None:
    """Refuse a public text that names a person who did not agree to be named.

    pointer: where the request asks for it, unless that is where the text stands.
    """
    if pointer is None and claim.visibility != "public":
        return
    reason = "holds a name of the person, who did not agree to be named"
    found = find_names(claim, case.subject, case.consent)
    if found:
        at = [pointer] if pointer else found
        raise TextNamesPersonError("a public text names the person", [(p, reason) for p in at])


# -- the person -----------------------------------------------------------------------------------


def _change_consent(case: Case, command: ChangeConsent, scene: Scene) -> tuple[Body, Hold | None]:
    _require_own_case(case, command)
    check_consent(command.consent, case.subject, within="/consent")
    _check_pseudonym(case.subject, command.consent, "/pseudonym")
    body = ConsentChanged(consent=command.consent, external_id=command.external_id)
    if not is_wider(command.consent, case.consent):
        return body, None
    _refuse_while_frozen(scene)
    return body, _hold(command, to_public=True)


def _amend_subject(case: Case, command: AmendSubject, scene: Scene) -> tuple[Body, Hold | None]:
    _require_own_case(case, command)
    check_consent(case.consent, command.subject, within="/subject")
    _check_pseudonym(command.subject, case.consent, "/names")
    body = SubjectAmended(subject=command.subject, external_id=command.external_id)
    shows_names = case.consent.publish in ("initials", "name")
    renamed = command.subject.names != case.subject.names
    if not (shows_names and renamed) and not _uncovers(case, command.subject):
        return body, None
    _refuse_while_frozen(scene)
    return body, _hold(command, to_public=True)


def _uncovers(case: Case, subject: Subject) -> bool:
    """Return whether a text that was withheld, for it names the person, would name nobody then."""
    return any(
        recorded.standing.names_person and not find_names(recorded.claim, subject, case.consent)
        for recorded in case.claims.values()
    )


def _require_own_case(case: Case, command: Act) -> None:
    if case.partner_id != command.partner_id and not command.may_review:
        raise ForbiddenError("for a case that others opened the key needs the scope review")


def _object(case: Case, command: MakeObjection, _scene: Scene) -> tuple[Body, Hold | None]:
    if sum(objection.is_open for objection in case.objections) >= MOST_OPEN:
        raise ConflictError("as many objections to the case are open as can be checked")
    # It is never held: it can only hide.
    body = ObjectionMade(
        by=command.by,
        text=command.text,
        contact=command.contact,
        hides=can_hide(case.consent, case.objections),
        external_id=command.external_id,
    )
    return body, None


# -- identity -------------------------------------------------------------------------------------


def _merge(case: Case, command: MergeCase, scene: Scene) -> tuple[Body, Hold | None]:
    other = scene.into
    if other is None:
        raise InvalidInputError("the case cannot be merged", [("/into", "names no case")])
    _require_own_case_of_two(case, other, command)
    if case.merged_into is not None:
        raise ConflictError("the case was merged already")
    if other.id == case.id:
        raise ConflictError(INTO_ITSELF)
    if other.frame != case.frame:
        raise ConflictError("cases between different states are not merged")
    # It would tell the public that two cases are of one person.
    _refuse_while_frozen(scene)
    body = CaseMerged(into=str(other.id), external_id=command.external_id)
    contradicts = other.id in case.apart_from or case.id in other.apart_from
    return body, "two_person" if contradicts else None


def _unmerge(case: Case, command: UnmergeCase, scene: Scene) -> tuple[Body, Hold | None]:
    apart_from = command.apart_from or case.merged_into
    if apart_from is None:
        raise ConflictError("the case is merged into no other")
    if scene.into is None or apart_from == case.id:
        raise InvalidInputError("the case cannot be unmerged", [("/from", "names no other case")])
    if case.merged_into not in (None, apart_from):
        raise ConflictError("the case is merged into another")
    _require_own_case_of_two(case, scene.into, command)
    if case.merged_into is not None and not _is_shown_with(case, scene.into):
        # What was withheld for the sake of the other case would be out.
        _refuse_while_frozen(scene)
    return CaseUnmerged(apart_from=str(apart_from), external_id=command.external_id), None


def _is_shown_with(case: Case, other: Case) -> bool:
    """Return whether the public sees a case joined to the one that it went into, which stays."""
    return other.merged_into is None and says_as_much(other.consent, case.consent)


def _require_own_case_of_two(case: Case, other: Case, command: Act) -> None:
    if command.partner_id not in (case.partner_id, other.partner_id) and not command.may_review:
        raise ForbiddenError("for cases that others opened the key needs the scope review")


# -- reviews --------------------------------------------------------------------------------------


def _review(case: Case, command: Review, scene: Scene) -> tuple[Body, Hold | None]:
    poster = _find_poster(case, command)
    if poster is None:
        raise ConflictError("the event is not waiting for a review")
    if poster == command.partner_id:
        raise ConflictError("nobody reviews what their own partner has posted")
    if command.decision == "decline":
        declined = PublicationDeclined(
            event=str(command.target), note=command.note, external_id=command.external_id
        )
        return declined, None
    _refuse_while_frozen(scene)
    waiting = case.pending.get(command.target)
    if scene.into is None and waiting is not None and isinstance(waiting.body, CaseMerged):
        raise ConflictError("the other case is no longer there")
    if scene.into is not None and scene.into.id == case.id:
        # While the merge waited, the case that was to stay went into this one.
        raise ConflictError(INTO_ITSELF)
    _check_waiting(case, command.target)
    approved = PublicationApproved(
        event=str(command.target), note=command.note, external_id=command.external_id
    )
    return approved, None


def _check_waiting(case: Case, target: UUID) -> None:
    """Refuse a pseudonym and a name that have come to be the same while one of them waited."""
    waiting = case.pending.get(target)
    body = waiting.body if waiting else None
    if isinstance(body, ConsentChanged):
        _check_pseudonym(case.subject, body.consent, "/decision")
    if isinstance(body, SubjectAmended):
        _check_pseudonym(body.subject, case.consent, "/decision")


def _find_poster(case: Case, command: Review) -> UUID | None:
    """Return the partner that posted what waits for a review; None where nothing does.

    Raises NotFoundError for an event that the reviewer may not read.
    """
    target = command.target
    waiting, told = case.pending.get(target), case.claims.get(target)
    judged = case.find_judged(target)
    about = told or judged or (case.find_claim_of(waiting.body) if waiting else None)
    if about is not None and about.event_id not in _readable(case, command):
        raise NotFoundError(NO_EVENT)
    if waiting is not None:
        return waiting.posted_by
    if told is not None:
        return told.posted_by if _waits(told, command) else None
    held = judged.judgements.items() if judged else ()
    return next((p for p, j in held if j.event_id == target and j.hold is not None), None)


def _waits(recorded: RecordedClaim, command: Review) -> bool:
    """Return whether a claim waits for this decision; one that was declined may be approved."""
    declined_again = recorded.standing.declined and command.decision == "decline"
    return recorded.in_force and recorded.standing.hold is not None and not declined_again


def _readable(case: Case, command: Act) -> set[UUID]:
    """Return the claims that a partner may read; what it may not is as if it were not there."""
    audience: Visibility = "restricted" if command.reads_restricted else "partners"
    return {c.event_id for c in case.readable_claims(audience, command.partner_id)}


def _refuse_while_frozen(scene: Scene) -> None:
    if scene.frozen:
        raise ConflictError(FROZEN)


def _decide_release(case: Case, command: ReleasePublication, at: int, scene: Scene) -> Event:
    recorded = case.get_claim(command.claim_id)
    _refuse_while_frozen(scene)
    if recorded.publication.state != "embargoed" or is_embargoed(recorded.claim, scene.now):
        raise ConflictError("the claim is not waiting for the end of an embargo")
    return Event(
        originator_id=case.id,
        originator_version=case.version + 1,
        id=command.event_id,
        partner_id=command.partner_id,
        recorded_at=at,
        body=PublicationReleased(claim=str(command.claim_id)),
    )


_DECISIONS: Final[dict[type, Decision]] = {
    RecordClaim: _record,
    CorrectClaim: _correct,
    RetractClaim: _retract,
    CorroborateClaim: _corroborate,
    DisputeClaim: _dispute,
    ChangeVisibility: _change_visibility,
    ChangeConsent: _change_consent,
    AmendSubject: _amend_subject,
    MergeCase: _merge,
    UnmergeCase: _unmerge,
    MakeObjection: _object,
    Review: _review,
}
