"""What the log holds: the envelope of every event, and the record events (about the record itself).

The claims, which speak of the world, are in `vocabulary.py`. An event carries `originator_id` and
`originator_version`, all that the event-sourcing library asks of one.
"""

from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from .vocabulary import AnyClaim, Claim, Country, ExternalId, Line

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


class PublicationReleased(
    Struct, frozen=True, kw_only=True, tag_field="type", tag="publication.released"
):
    """The embargo of a claim is over."""

    claim: str


class Erased(Struct, frozen=True, tag_field="type", tag="erased"):
    """Stands in for a body whose case key was destroyed; never stored."""


RecordBody = CaseOpened | PublicationReleased
Body = AnyClaim | RecordBody

# Why a claim that could be public has to wait for somebody else's eyes.
Hold = Literal["review", "two_person"]


class Event(Struct, frozen=True, kw_only=True):
    """A recorded fact. `recorded_at` in microseconds since the Unix epoch, UTC.

    author: the partner's public name at that time, None where it had none.
    embargoed: the claim was to wait when it was posted. Decided by the clock as it stood then, and
    kept: `recorded_at` never runs backwards, so a clock that was once ahead would void embargoes.
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

    @property
    def claim(self) -> Claim | None:
        """Return the body where it is a claim."""
        return self.body if isinstance(self.body, Claim) else None

    @property
    def type(self) -> str:
        """Return the type code of the body, such as `case.opened`."""
        return str(self.body.__struct_config__.tag)
