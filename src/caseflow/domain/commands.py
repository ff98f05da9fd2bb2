"""What may be asked of a case. A command may be refused; `decisions.decide` says so."""

from typing import Literal
from uuid import UUID

from msgspec import Struct

from .events import Consent, CorrectionReason, Objector, RetractionReason, Subject
from .vocabulary import Claim, Visibility


class OpenCase(Struct, frozen=True, kw_only=True):
    """Begin to follow a case. `code`: its random public name, such as KZ-7Q3K-9F2M."""

    case_id: UUID
    event_id: UUID
    partner_id: UUID
    author: str | None = None
    key_id: UUID | None = None
    code: str
    host_state: str
    origin_state: str
    persons: int
    subject: Subject
    consent: Consent
    external_id: str | None = None


class Act(Struct, frozen=True, kw_only=True):
    """What every command to a case that is open says: which case, who asks, and what they may.

    may_publish: the partner may publish at once; two_person: nobody publishes alone.
    may_review: the partner acts on what others have told, as on its own.
    reads_restricted: the partner may read what is restricted, and so refer to it.
    expected_version: refuse where the case has moved on since; None takes any.
    external_id: the partner's own name for the event.
    """

    case_id: UUID
    event_id: UUID
    partner_id: UUID
    author: str | None = None
    key_id: UUID | None = None
    may_publish: bool = False
    two_person: bool = False
    may_review: bool = False
    reads_restricted: bool = False
    expected_version: int | None = None
    external_id: str | None = None


class RecordClaim(Act, frozen=True, kw_only=True):
    """Record what a partner says happened."""

    claim: Claim


class CorrectClaim(Act, frozen=True, kw_only=True):
    """Put another claim in the place of one that was wrong. claim_id: of any version of it."""

    claim_id: UUID
    reason: CorrectionReason
    replacement: Claim


class RetractClaim(Act, frozen=True, kw_only=True):
    """Take a claim back."""

    claim_id: UUID
    reason: RetractionReason
    note: str | None = None


class CorroborateClaim(Act, frozen=True, kw_only=True):
    """Stand by another partner's claim."""

    claim_id: UUID
    note: str | None = None


class DisputeClaim(Act, frozen=True, kw_only=True):
    """Doubt another partner's claim. rank_against: hold it to be wrong."""

    claim_id: UUID
    reason: str
    rank_against: bool = False


class ChangeVisibility(Act, frozen=True, kw_only=True):
    """Let others read a claim than before.

    until_review: until somebody approves that the audience of before returns.
    """

    claim_id: UUID
    visibility: Visibility
    until_review: bool = False


class ChangeConsent(Act, frozen=True, kw_only=True):
    """Tell what the person agrees to now."""

    consent: Consent


class AmendSubject(Act, frozen=True, kw_only=True):
    """Tell anew who the case is about."""

    subject: Subject


class MergeCase(Act, frozen=True, kw_only=True):
    """Say that this case and another are about one person; `into`: the case that stays."""

    into: UUID


class UnmergeCase(Act, frozen=True, kw_only=True):
    """Say that this case and another are not about one person.

    apart_from: None means the case that this one was merged into.
    """

    apart_from: UUID | None = None


class MakeObjection(Act, frozen=True, kw_only=True):
    """Object to what the public is shown of the case."""

    by: Objector
    text: str | None = None
    contact: str | None = None


class Review(Act, frozen=True, kw_only=True):
    """Approve or decline what waits for a second partner's eyes."""

    target: UUID
    decision: Literal["approve", "decline"]
    note: str | None = None


class ReleasePublication(Struct, frozen=True, kw_only=True):
    """End the embargo of a claim, when its time has come."""

    case_id: UUID
    event_id: UUID
    partner_id: UUID
    claim_id: UUID


Command = (
    OpenCase
    | RecordClaim
    | CorrectClaim
    | RetractClaim
    | CorroborateClaim
    | DisputeClaim
    | ChangeVisibility
    | ChangeConsent
    | AmendSubject
    | MergeCase
    | UnmergeCase
    | MakeObjection
    | Review
    | ReleasePublication
)
