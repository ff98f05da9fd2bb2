"""Cases: what partners can ask of the log, one method per command.

Every method returns a future of its answer, resolved after the commit; views are read elsewhere.
"""

import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Annotated, Any, Final, NamedTuple, Protocol
from uuid import UUID, uuid4

import msgspec
from msgspec import Meta, Struct

from caseflow.domain.case import Case
from caseflow.domain.checks import check_claim, check_opening
from caseflow.domain.commands import OpenCase, RecordClaim, ReleasePublication
from caseflow.domain.errors import (
    ConflictError,
    ExternalIdTakenError,
    IdempotencyKeyReusedError,
    InvalidInputError,
    NotFoundError,
    WithdrawnError,
)
from caseflow.domain.events import Consent, Subject
from caseflow.domain.vocabulary import Claim, Country, ExternalId
from caseflow.formats.record import canonical_json

from .attempts import Attempt, Done
from .names import Named
from .partners import Caller
from .wrapping import KeyedHash
from .writer import Job, Session

EXTERNAL: Final = "ext:"
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
    """The case after a command, the event's id, its position (None if recorded before)."""

    case: Case
    event_id: UUID
    position: int | None


Render = Callable[[Case, UUID, int | None], Any]
"""Makes the answer: the case after it, the event's id, its position (None if recorded before)."""


class Submits(Protocol):
    """What runs jobs: the writer, or a rehearsal."""

    def submit(self, job: Job, *, opens: UUID | None = None) -> "Future[Any]":
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
            code="",
            **{field: getattr(opening, field) for field in Opening.__struct_fields__},
        )
        check_opening(command)
        content = self._digest_content(opening)

        def job(session: Session) -> Recorded:
            digest = self.digest_external_id(caller, opening.external_id)
            known = _find_named(session, digest, content)
            if known is not None:
                return _recorded_before(session, known)
            code = self._unused_code(session, command.host_state)
            event, case, position = session.execute(msgspec.structs.replace(command, code=code))
            session.name_case(code, case.id)
            if digest is not None:
                session.name(digest, Named(case.id, event.id, content))
            return Recorded(case, event.id, position)

        return self._submit(job, render, attempt, opens=command.case_id)

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
        event_id = self._new_id()

        def job(session: Session) -> Recorded:
            case_id = self._resolve_case(session, caller, case_name)
            resolved = self._resolve_references(session, caller, claim)
            content = self._digest_content(resolved, str(case_id))
            digest = self.digest_external_id(caller, claim.external_id)
            known = _find_named(session, digest, content)
            if known is not None:
                return _recorded_before(session, known)
            command = RecordClaim(
                case_id=case_id,
                event_id=event_id,
                partner_id=caller.partner_id,
                author=caller.author,
                claim=resolved,
                may_publish="events:publish" in caller.scopes,
                two_person=self._two_person,
                reads_restricted=caller.reads_restricted,
                expected_version=expected_version,
            )
            event, case, position = session.execute(command)
            if digest is not None:
                session.name(digest, Named(case.id, event.id, content))
            return Recorded(case, event.id, position)

        return self._submit(job, render, attempt)

    def release_publication(self, case_id: UUID, claim_id: UUID) -> "Future[int]":
        """End the embargo of a claim; the future gives the position of the event.

        The release is told in the name of the claim's own partner: it chose the time.
        """
        event_id = self._new_id()

        def job(session: Session) -> int:
            case = session.find_case(case_id)
            if case is None:
                raise NotFoundError("there is no such case")
            command = ReleasePublication(
                case_id=case_id,
                event_id=event_id,
                partner_id=case.get_claim(claim_id).partner_id,
                claim_id=claim_id,
            )
            _, _, position = session.execute(command)
            return position

        return self._writer.submit(job)

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
        *,
        opens: UUID | None = None,
    ) -> "Future[Answer]":
        """Submit what records an event; with an attempt, only the first time that it comes."""

        def job(session: Session) -> Answer:
            done = session.find_attempt(attempt.digest) if attempt else None
            if attempt is not None and done is not None:
                return _replay(session, attempt, done, render)
            case, event_id, position = act(session)
            if attempt is not None:
                found = Done(attempt.request, case.id, event_id, case.version, position)
                session.note_attempt(attempt.digest, found)
            return Answer(render(case, event_id, position), created=position is not None)

        if attempt is None:
            return self._writer.submit(job, opens=opens)
        with self._running(attempt):
            future = self._writer.submit(job, opens=opens)
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
        if external_id is None:
            return None
        return self._keyed_hash.digest("external-id", str(caller.partner_id), external_id)

    def _digest_content(self, content: Struct, *more: str) -> bytes:
        # Defaults are left out already; an empty object says no more than one that is not there.
        told = {name: value for name, value in msgspec.to_builtins(content).items() if value != {}}
        return self._keyed_hash.digest("content", canonical_json(told).decode(), *more)

    def _resolve_case(self, session: Session, caller: Caller, name: str) -> UUID:
        if not name.startswith(EXTERNAL):
            return _uuid(name)
        digest = self.digest_external_id(caller, name.removeprefix(EXTERNAL))
        named = session.find_external_id(digest) if digest else None
        if named is None:
            raise NotFoundError("there is no such case")
        return named.case_id

    def _resolve_references(self, session: Session, caller: Caller, claim: Claim) -> Claim:
        resolved: dict[str, str] = {}
        errors = []
        for field in ("against", "after"):
            text = getattr(claim, field, None)
            if text is None:
                continue
            found = self._resolve_event(session, caller, text)
            if found is None:
                errors.append((f"/{field}", "names no event of this case"))
            else:
                resolved[field] = str(found)
        if errors:
            raise InvalidInputError("the claim names events that it cannot name", errors)
        return msgspec.structs.replace(claim, **resolved) if resolved else claim

    def _resolve_event(self, session: Session, caller: Caller, name: str) -> UUID | None:
        if name.startswith(EXTERNAL):
            digest = self.digest_external_id(caller, name.removeprefix(EXTERNAL))
            named = session.find_external_id(digest) if digest else None
            return named.event_id if named else None
        try:
            return UUID(name)
        except ValueError:
            return None

    def _unused_code(self, session: Session, host_state: str) -> str:
        code = self._random_code(host_state)
        while session.has_code(code):
            code = self._random_code(host_state)
        return code


def make_code(host_state: str) -> str:
    """Return a random code for a case: its host state and forty random bits."""
    letters = [secrets.choice(_CODE_LETTERS) for _ in range(8)]
    return f"{host_state}-{''.join(letters[:4])}-{''.join(letters[4:])}"


def _uuid(name: str) -> UUID:
    try:
        return UUID(name)
    except ValueError:
        raise NotFoundError("there is no such case") from None


def _find_named(session: Session, digest: bytes | None, content: bytes) -> Named | None:
    named = session.find_external_id(digest) if digest else None
    if named is not None and named.content != content:
        raise ExternalIdTakenError("this external_id names something else already")
    return named


def _recorded_before(session: Session, named: Named) -> Recorded:
    """Return what is stored, as it is now. Raises WithdrawnError where it was erased."""
    case = session.find_case(named.case_id)
    if case is None:
        raise WithdrawnError("this was erased")
    return Recorded(case, named.event_id, None)


def _replay(session: Session, attempt: Attempt, done: Done, render: Render) -> Answer:
    """Answer as the first time. Raises WithdrawnError where what it was about was erased."""
    if done.request != attempt.request:
        raise IdempotencyKeyReusedError(
            "this idempotency key was used for another request",
            [("/headers/Idempotency-Key", "was used for another request")],
        )
    case = session.find_case_at(done.case_id, done.version)
    if case is None:
        raise WithdrawnError("this was erased")
    rendered = render(case, done.event_id, done.position)
    return Answer(rendered, created=done.position is not None, replayed=True)
