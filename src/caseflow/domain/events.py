"""What the log holds: the envelope of every event, and the record events (about the record itself).

The claims, which speak of the world, are in `vocabulary.py`. An event carries `originator_id` and
`originator_version`, all that the event-sourcing library asks of one.
"""

from typing import Annotated, Final, Literal, get_args
from uuid import UUID

from msgspec import Meta, Struct

from .vocabulary import (
    AnyClaim,
    Claim,
    Country,
    DateText,
    ExternalId,
    Line,
    Reference,
    Source,
    Text,
    Texts,
    Visibility,
)

ConsentLevel = Literal["none", "count", "anonymous", "pseudonym", "initials", "name"]


class Name(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One of a person's names, as written in one language."""

    text: Line
    language: Annotated[str, Meta(pattern="^[a-z]{2,3}$(?!\\n)")]
    kind: Literal["primary", "variant", "transliteration", "passport", "former"]


class Subject(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Who a case is about."""

    names: Annotated[list[Name], Meta(max_length=50)] = []
    birth_year: Annotated[int, Meta(ge=1850, le=2100)] | None = None
    nationalities: Annotated[list[Country], Meta(max_length=20)] = []
    profile: Annotated[
        list[Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,49}$(?!\\n)")]], Meta(max_length=20)
    ] = []


class Consent(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What the person agreed to. `share`: may other partners see the subject; `name` implies it."""

    publish: ConsentLevel
    basis: Literal["own", "representative", "already_public"]
    share: bool = False
    pseudonym: Line | None = None

    @property
    def shares_subject(self) -> bool:
        """Return whether other partners may see who the person is."""
        return self.share or self.publish == "name"


class CaseOpened(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="case.opened"
):
    """A case began to be followed. `code` is its random public name."""

    code: str
    host_state: Country
    origin_state: Country
    persons: int = 1
    subject: Subject = Subject()
    consent: Consent
    external_id: ExternalId | None = None


CorrectionReason = Literal["typo", "new_evidence", "wrong_person", "translation"]
RetractionReason = Literal["false", "wrong_person", "unsafe", "source_withdrew", "duplicate"]


class RecordEvent(
    Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="type",
):
    """What every later event about the record itself may say."""

    external_id: ExternalId | None = None


class SubjectAmended(RecordEvent, frozen=True, tag="subject.amended"):
    """Who the case is about was told anew, as a whole."""

    subject: Subject


class ConsentChanged(RecordEvent, frozen=True, tag="consent.changed"):
    """What the person agreed to has changed; it is told as a whole."""

    consent: Consent


class ClaimCorrected(RecordEvent, frozen=True, tag="claim.corrected"):
    """A claim was wrong; `replacement` stands in its place, and this event is the claim now."""

    claim: Reference
    reason: CorrectionReason
    replacement: AnyClaim


class ClaimRetracted(RecordEvent, frozen=True, tag="claim.retracted"):
    """A claim was taken back."""

    claim: Reference
    reason: RetractionReason
    note: Text | None = None


class ClaimCorroborated(RecordEvent, frozen=True, tag="claim.corroborated"):
    """Another partner stands by a claim."""

    claim: Reference
    note: Text | None = None


class ClaimDisputed(RecordEvent, frozen=True, tag="claim.disputed"):
    """Another partner doubts a claim. `rank_against`: it holds the claim to be wrong."""

    claim: Reference
    reason: Text
    rank_against: bool = False


class VisibilityChanged(RecordEvent, frozen=True, tag="visibility.changed"):
    """A claim is for others to read than before.

    until_review: for as long as nobody has approved it, after which the audience of before returns.
    """

    claim: Reference
    visibility: Visibility
    until_review: bool = False


class PublicationApproved(RecordEvent, frozen=True, tag="publication.approved"):
    """A second partner let an event have its effect on the public."""

    event: Reference
    note: Text | None = None


class PublicationDeclined(RecordEvent, frozen=True, tag="publication.declined"):
    """A second partner kept an event from having its effect on the public."""

    event: Reference
    note: Text | None = None


class PublicationReleased(RecordEvent, frozen=True, tag="publication.released"):
    """The embargo of a claim is over."""

    claim: str


class CaseMerged(RecordEvent, frozen=True, tag="identity.merged"):
    """This case and another are about one person: this one goes, the other stays."""

    into: Reference


class CaseUnmerged(RecordEvent, frozen=True, tag="identity.unmerged"):
    """This case and another are not about one person."""

    apart_from: Reference


Objector = Literal["person", "lawyer", "relative", "other"]


class ObjectionMade(RecordEvent, frozen=True, kw_only=True, tag="objection.made"):
    """Somebody objected to what the public is shown of a case; recorded in the operator's name.

    by: who, in their own word. contact: how they can be asked back. hides: the case is hidden by
    it until a partner tells consent anew. Nothing of it is ever public.
    """

    by: Objector
    text: Text | None = None
    contact: Line | None = None
    hides: bool


class ErasedEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event of a case that was erased: who could read it, so that they may be told."""

    id: str
    partner: str
    visibility: Visibility


class CaseErased(Struct, frozen=True, kw_only=True, tag_field="type", tag="case.erased"):
    """A case was erased: the last of its events, and the only one that can be read.

    code: the public name that it had. reason, legal_basis: what the admins gave. requested_by,
    requested_with: the partner and the key of the first, of whom the event's own are the second.
    events: all that came before.
    """

    code: str
    reason: Text
    legal_basis: Line
    requested_by: Reference
    requested_with: Reference
    events: list[ErasedEvent] = []


# Codes of what is counted are never reused, as those of types are not.
Measure = Literal[
    "persons_helped",
    "persons_entered",
    "persons_staying",
    "persons_left",
    "persons_wanted",
    "persons_detained",
    "persons_in_custody",
    "persons_sought_for_extradition",
    "persons_extradited",
    "persons_deported",
    "persons_returned",
    "persons_abducted",
    "persons_refused_entry",
    "persons_asylum_claims",
    "persons_recognised",
    "persons_refused_asylum",
    "persons_convicted",
    "persons_died",
]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class FigureFields(
    Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """A number that others publish: between `low` and `high`, on a day, between two states."""

    measure: Measure
    low: Count
    as_of: DateText
    host_state: Country
    origin_state: Country | None = None
    source: Source
    summary: Texts | None = None
    external_id: ExternalId | None = None


class FigureReported(
    FigureFields, frozen=True, kw_only=True, tag_field="type", tag="figure.reported"
):
    """Somebody published a number. About nobody, and beside what is computed."""

    high: Count


class FigureCorrected(RecordEvent, frozen=True, tag="figure.corrected"):
    """A figure was wrong; `replacement` stands in its place, and this event is the figure now."""

    figure: Reference
    reason: CorrectionReason
    replacement: FigureReported


class FigureRetracted(RecordEvent, frozen=True, tag="figure.retracted"):
    """A figure was taken back."""

    figure: Reference
    reason: RetractionReason
    note: Text | None = None


class FigureHidden(RecordEvent, frozen=True, tag="figure.hidden"):
    """A figure that was public waits for a review again."""

    figure: Reference


class PublicationFrozen(RecordEvent, frozen=True, tag="publication.frozen"):
    """Nothing more is to become public. Of the house, not of a case."""


class PublicationResumed(RecordEvent, frozen=True, tag="publication.resumed"):
    """What comes may be public again, and so may what has come meanwhile."""


class Erased(Struct, frozen=True, tag_field="type", tag="erased"):
    """Stands in for a body whose case key was destroyed; never stored."""


RecordBody = (
    CaseOpened
    | SubjectAmended
    | ConsentChanged
    | ClaimCorrected
    | ClaimRetracted
    | ClaimCorroborated
    | ClaimDisputed
    | VisibilityChanged
    | PublicationApproved
    | PublicationDeclined
    | PublicationReleased
    | CaseMerged
    | CaseUnmerged
    | ObjectionMade
    | CaseErased
)
FigureBody = FigureReported | FigureCorrected | FigureRetracted | FigureHidden
HouseBody = PublicationFrozen | PublicationResumed
Body = AnyClaim | RecordBody | FigureBody | HouseBody

RECORD_TYPES: Final = tuple(
    str(struct.__struct_config__.tag)
    for bodies in (RecordBody, FigureBody, HouseBody)
    for struct in get_args(bodies)
)
"""The codes of all events that are not claims."""

HOUSE_ID: Final = UUID("b2f5b0f4-6a0e-4c0c-9f0e-0c1d3e5a7b91")
"""The aggregate whose events halt publication and let it go on; the same in every house."""
OPERATOR_ID: Final = UUID(int=0)
"""Stands for a partner where the operator acts, or somebody without a key."""

# Why what could move the public has to wait for somebody else's eyes.
Hold = Literal["review", "two_person"]


class Event(Struct, frozen=True, kw_only=True):
    """A recorded fact. `recorded_at` in microseconds since the Unix epoch, UTC.

    author: the partner's public name at that time, None where it had none.
    embargoed: the claim was to wait when it was posted. Decided by the clock as it stood then, and
    kept: `recorded_at` never runs backwards, so a clock that was once ahead would void embargoes.
    key_id: of the key that it was posted with, so that what a stolen one did can be found.
    """

    originator_id: UUID
    originator_version: int
    id: UUID
    partner_id: UUID
    recorded_at: int
    body: Body | Erased
    hold: Hold | None = None
    author: str | None = None
    embargoed: bool = False
    key_id: UUID | None = None

    @property
    def claim(self) -> Claim | None:
        """Return the claim that the event puts forward, where it does: told, or told anew."""
        if isinstance(self.body, ClaimCorrected):
            return self.body.replacement
        return self.body if isinstance(self.body, Claim) else None

    @property
    def type(self) -> str:
        """Return the type code of the body, such as `case.opened`."""
        return str(self.body.__struct_config__.tag)
