"""What may be asked of a case. A command may be refused; `case.decide` says so."""

from uuid import UUID

from msgspec import Struct

from .events import Consent, Subject
from .vocabulary import Claim


class OpenCase(Struct, frozen=True, kw_only=True):
    """Begin to follow a case. `code`: its random public name, such as KZ-7Q3K-9F2M."""

    case_id: UUID
    event_id: UUID
    partner_id: UUID
    author: str | None = None
    code: str
    host_state: str
    origin_state: str
    persons: int
    subject: Subject
    consent: Consent
    external_id: str | None = None


class RecordClaim(Struct, frozen=True, kw_only=True):
    """Record what a partner says happened.

    may_publish: the partner may publish at once; two_person: nobody publishes alone.
    reads_restricted: the partner may read what is restricted, and so refer to it.
    expected_version: refuse where the case has moved on since; None takes any.
    """

    case_id: UUID
    event_id: UUID
    partner_id: UUID
    author: str | None = None
    claim: Claim
    may_publish: bool
    two_person: bool = False
    reads_restricted: bool = True
    expected_version: int | None = None


class ReleasePublication(Struct, frozen=True, kw_only=True):
    """End the embargo of a claim, when its time has come."""

    case_id: UUID
    event_id: UUID
    partner_id: UUID
    claim_id: UUID


Command = OpenCase | RecordClaim | ReleasePublication
