"""What the fold reads of a case: its claims as codes and days, and what partners think of them."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from msgspec import Struct

from .dates import parse_when
from .vocabulary import Claim, type_of


class ClaimFacts(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What the fold reads of a claim: codes and days, never words."""

    id: UUID
    type: str
    partner: str
    jurisdiction: str
    earliest: str | None
    latest: str
    verification: str = "likely"
    basis: str | None = None
    outcome: str | None = None
    destination: str | None = None
    against: UUID | None = None
    after: UUID | None = None
    term_days: int | None = None


class Stance(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A partner's last word on a claim of another: it stands by it, or disputes it."""

    claim: UUID
    partner: str
    disputes: bool
    rank_against: bool = False


class Frame(Struct, frozen=True):
    """The two states between which a case stands."""

    host_state: str
    origin_state: str


def facts_of(claim: Claim, *, event_id: UUID, partner: str, host_state: str) -> ClaimFacts:
    """Return what the fold reads of a claim whose references have been resolved to ids."""
    occurred = parse_when(claim.occurred)
    against = getattr(claim, "against", None)
    return ClaimFacts(
        id=event_id,
        type=type_of(claim),
        partner=partner,
        jurisdiction=claim.jurisdiction or host_state,
        earliest=occurred.earliest,
        latest=occurred.latest,
        verification=claim.verification,
        basis=getattr(claim, "basis", None),
        outcome=getattr(claim, "outcome", None),
        destination=getattr(claim, "destination", None),
        against=UUID(against) if against else None,
        after=UUID(claim.after) if claim.after else None,
        term_days=getattr(claim, "term_days", None),
    )


def counts_on(claim: ClaimFacts, as_of: str | None, *, certain: bool = False) -> bool:
    """Return whether a claim counts on a day: it may have happened by then, or (certain) has."""
    if as_of is None:
        return True
    return claim.latest <= as_of if certain else (claim.earliest or "") <= as_of


def is_outvoted(claim: ClaimFacts, stances: Sequence[Stance]) -> bool:
    """Return whether more partners hold the claim to be wrong than stand by it."""
    if not stances:
        return False
    last = last_words(claim, stances)
    against = sum(1 for s in last.values() if s.disputes and s.rank_against)
    supporters = {p for p, s in last.items() if not s.disputes}
    if claim.partner not in last:
        supporters.add(claim.partner)
    return against > len(supporters)


def last_words(claim: ClaimFacts, stances: Iterable[Stance]) -> dict[str, Stance]:
    """Return what each partner said last of a claim."""
    return {s.partner: s for s in stances if s.claim == claim.id}
