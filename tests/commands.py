"""Commands to a case, told in one line, and the case that they lead to."""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any, Final
from uuid import UUID

import pytest

from caseflow.domain.case import Case, evolve
from caseflow.domain.commands import (
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
from caseflow.domain.decisions import Scene, decide
from caseflow.domain.errors import CaseflowError, InvalidInputError
from caseflow.domain.events import OPERATOR_ID, Consent, Event, Name, Objector, Subject
from caseflow.domain.times import parse_time
from tests.strategies import claim, numbered

CASE, PARTNER, OTHER, THIRD = numbered(1), numbered(2), numbered(3), numbered(4)
NOW: Final = parse_time("2026-02-10T09:00:00Z")
LATER: Final = parse_time("2026-02-10T10:00:00Z")
EMBARGO: Final = "2026-02-10T09:30:00Z"
"""After NOW and before LATER."""
FROZEN: Final = Scene(now=NOW, frozen=True)
# Who asks, and what the partner may; what is its own belongs to the claim.
_ACT: Final = frozenset(Act.__struct_fields__) - {"external_id"}


def called(*names: str) -> Subject:
    """Return a subject with names."""
    return Subject(names=[Name(text=text, language="ru", kind="primary") for text in names])


SUBJECT: Final = called("Михаил Жилин")


def opening(**fields: Any) -> OpenCase:
    """Return the opening of a case, by PARTNER."""
    told: dict[str, Any] = {
        "case_id": CASE,
        "event_id": numbered(100),
        "partner_id": PARTNER,
        "author": "Partner",
        "code": "KZ-7Q3K-9F2M",
        "host_state": "KZ",
        "origin_state": "RU",
        "persons": 2,
        "subject": SUBJECT,
        "consent": Consent(publish="anonymous", basis="own"),
        "external_id": "mine",
    }
    return OpenCase(**(told | fields))


def recording(
    number: int, type_code: str = "person.died", occurred: str = "2025-05-01", **fields: Any
) -> RecordClaim:
    """Return that a claim is told; fields: those of the claim, or who tells it and what it may."""
    acting, told = _split(fields)
    return RecordClaim(**_act(number, acting), claim=claim(type_code, occurred, **told))


def correcting(
    number: int,
    of: int,
    type_code: str = "person.died",
    occurred: str = "2025-05-01",
    *,
    reason: Any = "new_evidence",
    **fields: Any,
) -> CorrectClaim:
    """Return that a claim is told anew; fields as of `recording`."""
    acting, told = _split(fields)
    return CorrectClaim(
        **_act(number, acting),
        claim_id=numbered(of),
        reason=reason,
        replacement=claim(type_code, occurred, **told),
    )


def retracting(number: int, of: int, *, reason: Any = "false", **fields: Any) -> RetractClaim:
    """Return that a claim is taken back."""
    return RetractClaim(**_act(number, fields), claim_id=numbered(of), reason=reason)


def corroborating(number: int, of: int, **fields: Any) -> CorroborateClaim:
    """Return that OTHER stands by a claim."""
    return CorroborateClaim(**_act(number, {"partner_id": OTHER} | fields), claim_id=numbered(of))


def disputing(number: int, of: int, *, rank_against: bool = True, **fields: Any) -> DisputeClaim:
    """Return that OTHER holds a claim to be wrong."""
    return DisputeClaim(
        **_act(number, {"partner_id": OTHER} | fields),
        claim_id=numbered(of),
        reason="it was somebody else",
        rank_against=rank_against,
    )


def showing(
    number: int, of: int, visibility: Any, *, until_review: bool = False, **fields: Any
) -> ChangeVisibility:
    """Return that a claim is for others to read than before."""
    return ChangeVisibility(
        **_act(number, fields),
        claim_id=numbered(of),
        visibility=visibility,
        until_review=until_review,
    )


def consenting(
    number: int, publish: Any, basis: Any = "own", *, pseudonym: str | None = None, **fields: Any
) -> ChangeConsent:
    """Return that the person agrees to something else."""
    consent = Consent(publish=publish, basis=basis, pseudonym=pseudonym)
    return ChangeConsent(**_act(number, fields), consent=consent)


def amending(number: int, *names: str, **fields: Any) -> AmendSubject:
    """Return that the person has other names."""
    return AmendSubject(**_act(number, fields), subject=called(*names))


def merging(number: int, into: UUID, **fields: Any) -> MergeCase:
    """Return that the case is about the person of another."""
    return MergeCase(**_act(number, fields), into=into)


def unmerging(number: int, apart_from: UUID | None = None, **fields: Any) -> UnmergeCase:
    """Return that the case is not about the person of another."""
    return UnmergeCase(**_act(number, fields), apart_from=apart_from)


def objecting(
    number: int, by: Objector = "person", text: str | None = None, **fields: Any
) -> MakeObjection:
    """Return that somebody without a key objects to the case."""
    acting = {"partner_id": OPERATOR_ID, "author": None, "may_publish": False} | fields
    contact = acting.pop("contact", None)
    return MakeObjection(**_act(number, acting), by=by, text=text, contact=contact)


def reviewing(number: int, target: int, decision: Any = "approve", **fields: Any) -> Review:
    """Return that THIRD approves an event, or declines it."""
    acting = {"partner_id": THIRD, "may_review": True} | fields
    return Review(**_act(number, acting), target=numbered(target), decision=decision)


def releasing(number: int, of: int) -> ReleasePublication:
    """Return that the embargo of a claim is over."""
    return ReleasePublication(
        case_id=CASE, event_id=numbered(number), partner_id=PARTNER, claim_id=numbered(of)
    )


def _split(fields: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    acting = {name: value for name, value in fields.items() if name in _ACT}
    return acting, {name: value for name, value in fields.items() if name not in _ACT}


def _act(number: int, fields: dict[str, Any]) -> dict[str, Any]:
    """Return who asks: PARTNER, with a key that publishes, where nothing else is told."""
    asking = {"partner_id": PARTNER, "author": "Partner", "may_publish": True, "case_id": CASE}
    return {"event_id": numbered(number)} | asking | fields


# -- cases ----------------------------------------------------------------------------------------


def given_case(*commands: Command, subject: Subject = SUBJECT, **consent: Any) -> Case:
    """Return a case after commands, at NOW; consent: where it is not the person's, anonymously."""
    agreed = Consent(**({"publish": "anonymous", "basis": "own"} | consent))
    case = evolve(None, decide(None, opening(subject=subject, consent=agreed), NOW))
    assert case is not None
    return after(case, *commands)


def other_case(number: int = 200, *commands: Command, by: UUID = PARTNER, **fields: Any) -> Case:
    """Return another case, which its partner opened; fields: of the opening."""
    told = {"case_id": numbered(number), "event_id": numbered(number + 1), "partner_id": by}
    case = evolve(None, decide(None, opening(**told | fields), NOW))
    assert case is not None
    return after(case, *commands)


def after(case: Case, *commands: Command, scene: Scene | None = None, at: int = NOW) -> Case:
    """Return the same case, changed by what the commands lead to."""
    for command in commands:
        case.evolve(decide(case, command, at, scene=scene))
    return case


def decided(case: Case, command: Command, *, scene: Scene | None = None, at: int = NOW) -> Event:
    """Return the event that a command leads to; nothing has changed by deciding."""
    before = snapshot(case)
    event = decide(case, command, at, scene=scene)
    assert snapshot(case) == before
    assert event.originator_version == case.version + 1
    return event


def refused(
    case: Case, command: Command, error: type[CaseflowError], *, scene: Scene | None = None
) -> CaseflowError:
    """Return why a command is refused; nothing has changed then."""
    before = snapshot(case)
    with pytest.raises(error) as found:
        decide(case, command, NOW, scene=scene)
    assert type(found.value) is error
    assert snapshot(case) == before
    return found.value


def refused_fields(case: Case, command: Command, *, scene: Scene | None = None) -> list[str]:
    """Return where a command is wrong, as JSON pointers."""
    before = snapshot(case)
    with pytest.raises(InvalidInputError) as found:
        decide(case, command, NOW, scene=scene)
    assert snapshot(case) == before
    return [pointer for pointer, _ in found.value.errors]


def snapshot(case: Case) -> dict[str, Any]:
    """Return every field of a case, copied."""
    # What was worked out of it on the way is no part of it.
    return deepcopy({name: value for name, value in vars(case).items() if name[0] != "_"})


def public_numbers(case: Case) -> list[int]:
    """Return the claims that anyone may read, as tests number them."""
    return numbers(c.event_id for c in case.claims_for("public"))


def numbers(ids: Iterable[UUID]) -> list[int]:
    """Return ids as tests write them."""
    return [found.int for found in ids]
