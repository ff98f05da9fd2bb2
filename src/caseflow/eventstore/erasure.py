"""Erasure: a person disappears from the record, and every proof about it goes on to hold.

Two admins ask for the same. With the second one's request every case about the person ends with an
event that says so, the views lose what they held of it, and the ledger is told, all before the
commit. Then the keys go: what `finish` does can be done again, and is, until it has been done.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Annotated, Final, NamedTuple
from uuid import UUID, uuid4

from msgspec import Meta, Struct

from caseflow.domain.case import Case, RecordedClaim, evolve
from caseflow.domain.commands import ChangeVisibility
from caseflow.domain.dossier import Dossier
from caseflow.domain.errors import InvalidInputError
from caseflow.domain.events import (
    HOUSE_ID,
    OPERATOR_ID,
    CaseErased,
    ErasedEvent,
    Event,
)
from caseflow.domain.names import finds_name
from caseflow.domain.vocabulary import Line, Visibility
from caseflow.formats.record import canonical_json

from .application import Answer, Submits, check_repeated
from .attempts import Attempt, Done
from .erased import ErasureRequest, list_requests, record_request
from .partners import Caller, get_key
from .session import Hints, Session
from .wrapping import KeyedHash

# What the record itself is visible to, as the views have it.
_RECORD_VISIBILITY: Final[Visibility] = "partners"


class Grounds(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a case is to be erased; kept for good, so it must name nobody."""

    reason: Annotated[str, Meta(min_length=1, max_length=2_000)]
    legal_basis: Line


class Erasure(NamedTuple):
    """How far an erasure has come. position: of its event; None while it waits for an admin.

    differs: whether another admin has asked for it on other grounds, or when other cases were held
    to be of the same person.
    """

    case_id: UUID
    case_ids: Sequence[UUID]
    position: int | None
    requested_at: int
    differs: bool = False

    @property
    def is_carried_out(self) -> bool:
        """Return whether two admins have asked for it."""
        return self.position is not None


class Erasures:
    """What admins ask of a house about erasures, and what a restored database is told again."""

    def __init__(
        self, writer: Submits, keyed_hash: KeyedHash, *, new_id: Callable[[], UUID] = uuid4
    ) -> None:
        self._writer = writer
        self._keyed_hash = keyed_hash
        self._new_id = new_id

    def request(
        self, caller: Caller, case_id: UUID, grounds: Grounds, attempt: Attempt | None = None
    ) -> "Future[Answer]":
        """Ask that a case be erased, or carry out what another admin's key has asked for.

        All cases about the same person are erased together; the request of a key that was revoked
        since counts for nothing. The future's answer is an `Erasure`. It raises WithdrawnError
        where that was done, NotFoundError, and InvalidInputError where the grounds hold a name of
        the person.
        """

        def job(session: Session) -> Answer:
            done = session.find_attempt(attempt.digest) if attempt else None
            if attempt is not None and done is not None:
                return _replay(session, attempt, done, case_id)
            found = self._request(session, caller, case_id, grounds)
            if attempt is not None:
                # No event answers a request; the case's own id stands where one would.
                led_to = Done(attempt.request, case_id, case_id, 0, found.position)
                session.note_attempt(attempt.digest, led_to)
            return Answer(found, created=found.is_carried_out)

        return self._writer.submit(job, Hints(opens=HOUSE_ID))

    def _request(
        self, session: Session, caller: Caller, case_id: UUID, grounds: Grounds
    ) -> Erasure:
        dossier = session.find_dossier_of(session.get_case(case_id))
        for one in dossier.cases:
            _require_nameless(grounds, one)
        content = self._digest(grounds, dossier)
        others = _list_standing_requests(session, dossier.main.id, caller)
        waiting = next((one for one in others if one.content == content), None)
        if waiting is None:
            asked = ErasureRequest(caller.partner_id, caller.key_id, session.at, content)
            record_request(session.connection, dossier.main.id, asked)
            return Erasure(case_id, (), None, session.at, differs=bool(others))
        position = 0
        for one in dossier.cases:
            position = self._erase(session, one.id, _Agreed(caller, waiting, grounds))
        erased = tuple(one.id for one in dossier.cases)
        return Erasure(case_id, erased, position, waiting.requested_at)

    def _digest(self, grounds: Grounds, dossier: Dossier) -> bytes:
        """Return the keyed hash of what two admins have to agree on."""
        told = canonical_json([grounds.reason, grounds.legal_basis]).decode()
        cases = sorted(str(case.id) for case in dossier.cases)
        return self._keyed_hash.digest("erasure", told, *cases)

    def _erase(self, session: Session, case_id: UUID, agreed: "_Agreed") -> int:
        events = session.list_events(case_id)
        code = session.find_code(case_id)
        event = Event(
            originator_id=case_id,
            originator_version=events[-1].originator_version + 1,
            id=self._new_id(),
            partner_id=agreed.caller.partner_id,
            recorded_at=session.at,
            key_id=agreed.caller.key_id,
            body=CaseErased(
                code=code,
                reason=agreed.grounds.reason,
                legal_basis=agreed.grounds.legal_basis,
                requested_by=str(agreed.first.partner_id),
                requested_with=str(agreed.first.key_id),
                events=list(list_readers(events)),
            ),
        )
        session.erase(case_id)
        return session.take_in(event, None, ())

    def erase_again(self, case_id: UUID) -> "Future[bool]":
        """Erase a case that the ledger says was erased; the future tells whether it had to be.

        Its words may be unreadable by now. It may also not be there: then nothing is done.
        """
        grounds = Grounds(
            reason="the ledger tells of this erasure, and the database that was restored did not",
            legal_basis="as recorded when it was carried out",
        )
        agreed = _Agreed(OPERATOR, ErasureRequest(OPERATOR_ID, OPERATOR_ID, 0, b""), grounds)

        def job(session: Session) -> bool:
            if session.is_erased(case_id) or not session.list_events(case_id):
                return False
            self._erase(session, case_id, agreed)
            return True

        return self._writer.submit(job, Hints(opens=HOUSE_ID))

    def hide_again(self, case_id: UUID, claim_id: UUID) -> "Future[None]":
        """Hide a claim from the public until somebody approves that it returns."""

        def job(session: Session) -> None:
            command = ChangeVisibility(
                case_id=case_id,
                event_id=self._new_id(),
                partner_id=OPERATOR_ID,
                may_review=True,
                reads_restricted=True,
                claim_id=claim_id,
                visibility="partners",
                until_review=True,
            )
            session.execute(command)

        return self._writer.submit(job)


class _Agreed(NamedTuple):
    """What two admins agree on."""

    caller: Caller
    first: ErasureRequest
    grounds: Grounds


OPERATOR: Final = Caller(OPERATOR_ID, None, frozenset(), OPERATOR_ID)


def _list_standing_requests(
    session: Session, case_id: UUID, caller: Caller
) -> list[ErasureRequest]:
    """Return what other admins have asked for, whose keys are still good."""
    return [
        one
        for one in list_requests(session.connection, case_id, session.now)
        if one.key_id != caller.key_id
        and get_key(session.connection, one.key_id).is_in_force(session.now)
    ]


def _require_nameless(grounds: Grounds, case: Case) -> None:
    """Raise InvalidInputError where what is kept for good would name the person."""
    names = [name.text for name in case.subject.names]
    said = (("/reason", grounds.reason), ("/legal_basis", grounds.legal_basis))
    found = [(at, "holds a name of the person") for at, text in said if finds_name(names, text)]
    if found:
        raise InvalidInputError("the grounds of an erasure are kept, and name nobody", found)


def _replay(session: Session, attempt: Attempt, done: Done, case_id: UUID) -> Answer:
    """Answer as the first time, with an idempotency key that was used before."""
    check_repeated(attempt, done)
    waiting = list_requests(session.connection, case_id, session.now)
    at = waiting[0].requested_at if waiting else 0
    found = Erasure(case_id, (case_id,) if done.position else (), done.position, at)
    return Answer(found, created=done.position is not None, replayed=True)


def list_readers(events: Iterable[Event]) -> Iterator[ErasedEvent]:
    """Yield of each event of a case who could read it: whose it was, and how widely.

    events: all of them, oldest first. Of one that cannot be read nothing is known but who posted
    it: then it is taken for restricted, so that nobody learns of it who did not know.
    """
    case: Case | None = None
    abouts: list[tuple[Event, UUID | None, bool]] = []
    for event in events:
        about = case.find_claim_of(event.body) if case else None
        case = evolve(case, event)
        abouts.append((event, about.event_id if about else None, case is not None))
    for event, about_id, is_known in abouts:
        claims = case.claims if case else {}
        owner: RecordedClaim | None = claims.get(event.id) or (
            claims.get(about_id) if about_id else None
        )
        visibility = _RECORD_VISIBILITY if is_known else "restricted"
        yield ErasedEvent(
            id=str(event.id),
            partner=str(owner.partner_id if owner else event.partner_id),
            visibility=owner.visibility if owner else visibility,
        )
