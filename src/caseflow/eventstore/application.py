"""Cases: what partners can ask of the log, one method per command.

Every method returns a future of its answer, resolved after the commit; views are read elsewhere.
"""

import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any, Final, NamedTuple, Protocol
from uuid import UUID, uuid4

import msgspec
from msgspec import Meta, Struct

from caseflow.domain.case import Case, RecordedClaim
from caseflow.domain.checks import check_claim, check_opening, check_words
from caseflow.domain.commands import (
    Act,
    AmendSubject,
    ChangeConsent,
    Command,
    CorrectClaim,
    MakeObjection,
    OpenCase,
    RecordClaim,
    ReleasePublication,
    Review,
)
from caseflow.domain.dossier import Dossier
from caseflow.domain.errors import (
    ConflictError,
    ExternalIdTakenError,
    IdempotencyKeyReusedError,
    NotFoundError,
    WithdrawnError,
)
from caseflow.domain.events import (
    HOUSE_ID,
    OPERATOR_ID,
    Consent,
    CorrectionReason,
    Event,
    ObjectionMade,
    Objector,
    PublicationFrozen,
    PublicationResumed,
    Subject,
)
from caseflow.domain.identifiers import as_uuid
from caseflow.domain.objections import can_hide
from caseflow.domain.vocabulary import Claim, Country, ExternalId
from caseflow.formats.record import canonical_json

from .attempts import Attempt, Done
from .name_index import digest_names, digest_wanted_names
from .names import Named
from .own_names import NO_CASE, REFERENCES, OwnNames
from .partners import NO_KEY, Caller
from .session import NO_HINTS, Hints, Job, Session
from .wrapping import KeyedHash

# After these a case may be found under other names, or by others.
_OF_THE_PERSON: Final = frozenset({AmendSubject, ChangeConsent, Review})
# Crockford's base 32: no letter that could be taken for a digit, or spell a word.
_CODE_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Opening(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a partner asks to open. `persons` counts a group."""

    host_state: Country
    origin_state: Country
    consent: Consent
    persons: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    subject: Subject = Subject()
    external_id: ExternalId | None = None


class Answer(NamedTuple):
    """What the edge answers, made in the batch, and whether something new was recorded.

    replayed: the same request came before, with the same idempotency key.
    """

    rendered: Any
    created: bool
    replayed: bool = False


class Recorded(NamedTuple):
    """What a command led to: the case after it, with all cases of its person, and the event.

    position: of the event; None where it had been recorded before. find_event: reads the event.
    """

    dossier: Dossier
    case: Case
    event_id: UUID
    position: int | None
    find_event: Callable[[], Event]


Render = Callable[[Recorded], Any]
"""Makes the answer."""


class Submits(Protocol):
    """What runs jobs: the writer, or a rehearsal."""

    def submit(self, job: Job, hints: Hints = NO_HINTS) -> "Future[Any]":
        """Return the future of what a job returns."""


class Cases:
    """The commands of a house. `random_code` and `new_id` are arguments, so that tests replay."""

    def __init__(
        self,
        writer: Submits,
        keyed_hash: KeyedHash,
        *,
        two_person: bool = False,
        new_id: Callable[[], UUID] = uuid4,
        random_code: Callable[[str], str] | None = None,
    ) -> None:
        self._writer = writer
        self._keyed_hash = keyed_hash
        self._two_person = two_person
        self._new_id = new_id
        self._random_code = random_code or make_code
        self._lock = threading.Lock()
        self._under_way: set[bytes] = set()
        self.note_objection: Callable[[], None] = lambda: None
        """Told of each objection that was recorded, after its commit."""

    def rehearsing(self, rehearsal: Submits) -> "Cases":
        """Return the same commands for a dry run."""
        return Cases(
            rehearsal,
            self._keyed_hash,
            two_person=self._two_person,
            new_id=self._new_id,
            random_code=self._random_code,
        )

    def open_case(
        self,
        caller: Caller,
        opening: Opening,
        render: Render,
        *,
        attempt: Attempt | None = None,
    ) -> "Future[Answer]":
        """Open a case, or answer with the one opened before under the same external id.

        attempt: of a request with an idempotency key, which is carried out once.
        Raises InvalidInputError and ConflictError at once; the rest in the future.
        """
        command = OpenCase(
            case_id=self._new_id(),
            event_id=self._new_id(),
            partner_id=caller.partner_id,
            author=caller.author,
            key_id=key_of(caller),
            code="",
            **{field: getattr(opening, field) for field in Opening.__struct_fields__},
        )
        check_opening(command)
        content = self._digest_content(opening)
        drawn = self._random_code(command.host_state)
        own = OwnNames(self._keyed_hash, caller)
        digest = own.digest(opening.external_id)

        def job(session: Session) -> Recorded:
            known = find_named(session, digest, content)
            if known is not None:
                return _recorded_before(session, known.case_id, known.event_id)
            code = self._unused_code(session, drawn)
            recorded = _execute(session, msgspec.structs.replace(command, code=code))
            session.name_case(code, command.case_id)
            session.index_names(command.case_id, digest_names(self._keyed_hash, recorded.case))
            if digest is not None:
                session.name(digest, Named(command.case_id, recorded.event_id, content))
            return recorded

        names = own.list_digests(opening.external_id)
        hints = Hints(opens=command.case_id, names=names, code=drawn)
        return self._submit(job, render, attempt, hints)

    def record_claim(
        self,
        caller: Caller,
        case_name: str,
        claim: Claim,
        render: Render,
        *,
        expected_version: int | None = None,
        attempt: Attempt | None = None,
    ) -> "Future[Answer]":
        """Record a claim about a case, or answer with the one recorded before.

        case_name: the case's id, or `ext:` and the caller's own name for it; likewise the
        references inside the claim. attempt: as in `open_case`.
        Raises InvalidInputError and ConflictError at once; the rest in the future.
        """
        check_claim(claim)
        own = OwnNames(self._keyed_hash, caller)

        def job(session: Session) -> Recorded:
            case_id = own.resolve_case(session, case_name)
            resolved = own.resolve_references(session, claim)
            content = self._digest_content(resolved, str(case_id))
            command = RecordClaim(**common, case_id=case_id, claim=resolved)
            return _execute_once(session, command, own.digest(claim.external_id), content)

        common = self._common(caller, expected_version)
        references = (getattr(claim, field, None) for field in REFERENCES)
        names = own.list_digests(claim.external_id, case_name, *references)
        hints = Hints(names=names, about=as_uuid(case_name))
        return self._submit(job, render, attempt, hints)

    def correct_claim(
        self,
        caller: Caller,
        case_id: UUID,
        claim_id: UUID,
        replacement: Claim,
        reason: CorrectionReason,
        render: Render,
        *,
        expected_version: int | None = None,
        attempt: Attempt | None = None,
    ) -> "Future[Answer]":
        """Put a claim in the place of one that was wrong.

        An `external_id` that the claim has already stays its name; another names the correction.
        The same again under an own name answers with the correction that was recorded.
        Raises InvalidInputError and ConflictError at once; the rest in the future.
        """
        check_claim(replacement)
        own = OwnNames(self._keyed_hash, caller)

        def job(session: Session) -> Recorded:
            resolved = own.resolve_references(session, replacement)
            versions = _list_own_versions(session, caller, case_id, claim_id)
            known = _find_correction(versions, resolved, reason)
            if known is not None:
                return _recorded_before(session, case_id, known.event_id)
            has_name = replacement.external_id in {c.claim.external_id for c in versions}
            name = None if has_name else replacement.external_id
            command = CorrectClaim(
                **common,
                case_id=case_id,
                claim_id=claim_id,
                reason=reason,
                replacement=resolved,
                external_id=name,
            )
            content = self._digest_content(resolved, str(case_id), str(claim_id), reason)
            return _execute_once(session, command, own.digest(name), content)

        common = self._common(caller, expected_version)
        return self._submit(job, render, attempt)

    def act(
        self,
        caller: Caller,
        command: type[Act],
        case_id: UUID,
        asked: Mapping[str, Any],
        render: Render,
        *,
        expected_version: int | None = None,
        attempt: Attempt | None = None,
    ) -> "Future[Answer]":
        """Carry out any other command to a case; asked: the fields that are its own.

        Under the same `external_id` it is carried out once. Raises ConflictError at once; the rest
        in the future.
        """
        name = asked.get("external_id")
        digest = self.digest_external_id(caller, name)
        told = msgspec.to_builtins(dict(asked))
        content = self._keyed_hash.digest(
            "content", canonical_json(told).decode(), command.__name__, str(case_id)
        )

        def job(session: Session) -> Recorded:
            made = command(**common, case_id=case_id, **asked)
            recorded = _execute_once(session, made, digest, content)
            if command in _OF_THE_PERSON and recorded.position is not None:
                session.index_names(case_id, digest_names(self._keyed_hash, recorded.case))
            return recorded

        common = self._common(caller, expected_version)
        return self._submit(job, render, attempt)

    def _common(self, caller: Caller, expected_version: int | None) -> dict[str, Any]:
        """Return what every command says of who asks."""
        return {
            "event_id": self._new_id(),
            "partner_id": caller.partner_id,
            "author": caller.author,
            "key_id": key_of(caller),
            "may_publish": "events:publish" in caller.scopes,
            "may_review": "review" in caller.scopes,
            "reads_restricted": caller.reads_restricted,
            "two_person": self._two_person,
            "expected_version": expected_version,
        }

    def release_publication(self, case_id: UUID, claim_id: UUID) -> "Future[int]":
        """End the embargo of a claim; the future gives the position of the event.

        The release is told in the name of the claim's own partner: it chose the time.
        """
        event_id = self._new_id()

        def job(session: Session) -> int:
            case = session.find_case(case_id)
            if case is None:
                raise NotFoundError(NO_CASE)
            command = ReleasePublication(
                case_id=case_id,
                event_id=event_id,
                partner_id=case.get_claim(claim_id).partner_id,
                claim_id=claim_id,
            )
            return session.execute(command)[2]

        return self._writer.submit(job)

    def record_objection(
        self,
        case_id: UUID,
        *,
        by: Objector,
        text: str | None = None,
        contact: str | None = None,
    ) -> "Future[int | None]":
        """Record that somebody objects to a public case; the future gives the event's position.

        None where an objection that says the same is open. It is made to the case under which the
        public is shown this one; where it hides that, it hides all cases of the person.
        text: up to 20,000 characters; contact: up to 500.
        Raises InvalidInputError at once; in the future NotFoundError where the case is not public,
        whatever the reason, and ConflictError where as many as can be checked are open.
        """
        said = ObjectionMade(by=by, text=text, contact=contact, hides=False)
        check_words(said)

        def job(session: Session) -> int | None:
            case = session.find_case(case_id)
            if case is None:
                raise NotFoundError(NO_CASE)
            dossier = session.find_dossier_of(case)
            objections = dossier.main.objections
            # Asked first: whoever sends it twice finds the case hidden by then.
            if any(o.is_open and o.says_the_same(said) for o in objections):
                return None
            if next(dossier.list_shown(), None) is None:
                raise NotFoundError(NO_CASE)
            hides = can_hide(dossier.main.consent, objections)
            position = self._object(session, dossier.main.id, said)
            # Each has a consent of its own, and would be out again once it is parted from the one
            # that stays; each partner is to check its own.
            for other in dossier.merged if hides else ():
                if can_hide(other.consent, other.objections):
                    self._object(session, other.id, said)
            return position

        future = self._writer.submit(job, Hints(about=case_id))
        future.add_done_callback(self._count_objection)
        return future

    def _count_objection(self, future: "Future[int | None]") -> None:
        if not future.cancelled() and not future.exception() and future.result() is not None:
            self.note_objection()

    def _object(self, session: Session, case_id: UUID, said: ObjectionMade) -> int:
        command = MakeObjection(
            case_id=case_id,
            event_id=self._new_id(),
            partner_id=OPERATOR_ID,
            by=said.by,
            text=said.text,
            contact=said.contact,
        )
        return session.execute(command)[2]

    def freeze(self, frozen: bool) -> "Future[int | None]":
        """Halt all publication, or let it go on; the future gives the event's position.

        None where it was so already. What is to become public meanwhile waits for the end of it;
        what hides has its effect at once.
        """
        event_id = self._new_id()

        def job(session: Session) -> int | None:
            if session.frozen == frozen:
                return None
            session.freeze(frozen)
            event = Event(
                originator_id=HOUSE_ID,
                originator_version=session.next_version(HOUSE_ID),
                id=event_id,
                partner_id=OPERATOR_ID,
                recorded_at=session.at,
                body=PublicationFrozen() if frozen else PublicationResumed(),
            )
            return session.take_in(event, None, ())

        return self._writer.submit(job, Hints(opens=HOUSE_ID))

    # -- requests that may come again -------------------------------------------------------------

    def attempt(self, caller: Caller, key: str, *request: str) -> Attempt:
        """Return the attempt that an idempotency key marks; request: what makes it this one."""
        partner = str(caller.partner_id)
        return Attempt(
            self._keyed_hash.digest("idempotency-key", partner, key),
            self._keyed_hash.digest("request", *request),
        )

    def _submit(
        self,
        act: Callable[[Session], "Recorded"],
        render: Render,
        attempt: Attempt | None,
        hints: Hints = NO_HINTS,
    ) -> "Future[Answer]":
        """Submit what records an event; with an attempt, only the first time that it comes."""

        def job(session: Session) -> Answer:
            done = session.find_attempt(attempt.digest) if attempt else None
            if attempt is not None and done is not None:
                return _replay(session, attempt, done, render)
            found = act(session)
            if attempt is not None:
                case, position = found.case, found.position
                led_to = Done(attempt.request, case.id, found.event_id, case.version, position)
                session.note_attempt(attempt.digest, led_to)
            return Answer(render(found), created=found.position is not None)

        return self.submit(job, attempt, hints)

    def submit(
        self,
        job: Callable[[Session], Answer],
        attempt: Attempt | None,
        hints: Hints = NO_HINTS,
    ) -> "Future[Answer]":
        """Submit a job. Raises ConflictError while another with the same attempt is under way."""
        if attempt is None:
            return self._writer.submit(job, hints)
        with self._running(attempt):
            future = self._writer.submit(job, hints._replace(attempt=attempt.digest))
        future.add_done_callback(lambda _: self._under_way.discard(attempt.digest))
        return future

    @property
    def under_way(self) -> int:
        """Return how many requests with an idempotency key are waiting for their commit."""
        return len(self._under_way)

    @contextmanager
    def _running(self, attempt: Attempt) -> Iterator[None]:
        """Note that a request is under way. Raises ConflictError where it already is."""
        with self._lock:
            if attempt.digest in self._under_way:
                raise ConflictError("the first request with this idempotency key is under way")
            self._under_way.add(attempt.digest)
        try:
            yield
        except BaseException:
            self._under_way.discard(attempt.digest)
            raise

    # -- names ------------------------------------------------------------------------------------

    def digest_external_id(self, caller: Caller, external_id: str | None) -> bytes | None:
        """Return the keyed hash under which a partner's own id is found."""
        return OwnNames(self._keyed_hash, caller).digest(external_id)

    def digest_wanted_names(self, caller: Caller, names: Iterable[str]) -> frozenset[bytes]:
        """Return the keyed hashes under which cases with near names are found, for a caller."""
        return digest_wanted_names(self._keyed_hash, caller, names)

    def _digest_content(self, content: Struct, *more: str) -> bytes:
        # Defaults are left out already; an empty object says no more than one that is not there.
        told = {name: value for name, value in msgspec.to_builtins(content).items() if value != {}}
        return self._keyed_hash.digest("content", canonical_json(told).decode(), *more)

    def _unused_code(self, session: Session, code: str) -> str:
        """Return a code that was drawn; where a case has it, another of the same state."""
        while session.has_code(code):
            code = self._random_code(code[:2])
        return code


def make_code(host_state: str) -> str:
    """Return a random code for a case: its host state and forty random bits."""
    drawn = secrets.randbits(40)
    letters = "".join(_CODE_LETTERS[drawn >> 5 * n & 31] for n in range(8))
    return f"{host_state}-{letters[:4]}-{letters[4:]}"


def find_named(session: Session, digest: bytes | None, content: bytes) -> Named | None:
    """Return what an own name stands for. Raises ExternalIdTakenError for other content."""
    named = session.find_external_id(digest) if digest else None
    if named is not None and named.content != content:
        if session.is_erased(named.case_id):
            raise WithdrawnError("this was erased")
        raise ExternalIdTakenError("this external_id names something else already")
    return named


def _recorded_before(session: Session, case_id: UUID, event_id: UUID) -> Recorded:
    """Return what is stored, as it is now. Raises WithdrawnError where it was erased."""
    case = session.find_case(case_id)
    if case is None:
        raise WithdrawnError("this was erased")
    return _found(session, case, event_id, None)


def _found(session: Session, case: Case, event_id: UUID, position: int | None) -> Recorded:
    dossier = session.find_dossier_of(case)
    find_event = partial(session.get_event, case.id, event_id)
    return Recorded(dossier, case, event_id, position, find_event)


def _execute(session: Session, command: Command) -> Recorded:
    event, case, position = session.execute(command)
    return Recorded(session.find_dossier_of(case), case, event.id, position, lambda: event)


def _execute_once(session: Session, command: Act, digest: bytes | None, content: bytes) -> Recorded:
    """Carry out a command, or return what it led to before, under the same own name."""
    known = find_named(session, digest, content)
    if known is not None:
        return _recorded_before(session, known.case_id, known.event_id)
    recorded = _execute(session, command)  # type: ignore[arg-type]  # every act is a command
    if digest is not None:
        session.name(digest, Named(command.case_id, recorded.event_id, content))
    return recorded


def _list_own_versions(
    session: Session, caller: Caller, case_id: UUID, claim_id: UUID
) -> list[RecordedClaim]:
    """Return what a partner itself has told of a claim, corrections and all."""
    case = session.find_case(case_id)
    told = case.claims.get(claim_id) if case else None
    if case is None or told is None:
        return []
    versions = (c for c in case.claims.values() if c.root == told.root)
    return [c for c in versions if c.posted_by == caller.partner_id]


def _find_correction(
    own: Iterable[RecordedClaim], replacement: Claim, reason: CorrectionReason
) -> RecordedClaim | None:
    """Return the correction that this one repeats under the same own name, or None."""
    if replacement.external_id is None:
        return None
    same = (c for c in own if c.corrects and c.reason == reason and c.claim == replacement)
    return next(same, None)


def key_of(caller: Caller) -> UUID | None:
    """Return the id of the key that somebody showed; None where there was none."""
    return None if caller.key_id == NO_KEY else caller.key_id


def check_repeated(attempt: Attempt, done: Done) -> None:
    """Raise IdempotencyKeyReusedError where the key was used for another request."""
    if done.request != attempt.request:
        raise IdempotencyKeyReusedError(
            "this idempotency key was used for another request",
            [("/headers/Idempotency-Key", "was used for another request")],
        )


def _replay(session: Session, attempt: Attempt, done: Done, render: Render) -> Answer:
    """Answer as the first time. Raises WithdrawnError where what it was about was erased."""
    check_repeated(attempt, done)
    dossier = session.find_dossier_at(done.case_id, done.version)
    if dossier is None:
        raise WithdrawnError("this was erased")
    case = next(case for case in dossier.cases if case.id == done.case_id)
    find_event = partial(session.get_event, case.id, done.event_id)
    found = Recorded(dossier, case, done.event_id, done.position, find_event)
    return Answer(render(found), created=done.position is not None, replayed=True)
