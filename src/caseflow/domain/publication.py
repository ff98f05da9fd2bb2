"""What the public may see, decided once and in this place only.

The minimum of the person's consent, the type's ceiling, the partner's choice, review and embargo.
Nothing here reads a clock: an embargo ends by an event.
"""

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

import msgspec

from .events import Consent, Hold, Name, Subject
from .times import parse_time
from .vocabulary import TYPES, VISIBILITY_RANK, Claim, Visibility, type_of

PublicationState = Literal["published", "awaiting_review", "embargoed", "withheld"]

# Never public, whoever asks: private words, a partner's own names, how the record came about.
NEVER_PUBLIC: Final = frozenset({"private_note", "external_id", "visibility", "publish_after"})
# What would tell the public where a person has found refuge.
WHEREABOUTS: Final = frozenset({"destination", "jurisdiction", "place", "authority"})
ELSEWHERE: Final = ""
"""Stands for the jurisdiction of a state that the public is not told."""


class Publication(NamedTuple):
    """What became of a claim. `counted`: it moves public numbers, even where it is not shown."""

    state: PublicationState
    reason: str | None = None
    counted: bool = False


def ceiling_of(claim: Claim, consent: Consent, *, about_asylum: bool) -> tuple[Visibility, str]:
    """Return the widest audience of a claim, and the reason where that is not the public.

    about_asylum: the claim tells of an asylum claim, itself or by what it appeals against.
    """
    ceiling = TYPES[type_of(claim)].ceiling
    if ceiling != "public":
        return ceiling, "type_ceiling"
    if about_asylum and consent.basis == "representative":
        return "partners", "asylum_consent"
    return "public", ""


def visibility_of(claim: Claim, consent: Consent, *, about_asylum: bool) -> Visibility:
    """Return the audience of a claim: the partner's choice, cut at the ceiling."""
    ceiling, _ = ceiling_of(claim, consent, about_asylum=about_asylum)
    return min(claim.visibility, ceiling, key=VISIBILITY_RANK.__getitem__)


def publication_of(
    claim: Claim,
    consent: Consent,
    *,
    about_asylum: bool,
    hold: Hold | None,
    embargoed: bool,
) -> Publication:
    """Return what the public gets of a claim. embargoed: its embargo has not been ended."""
    withheld = _why_withheld(claim, consent, about_asylum=about_asylum)
    if withheld is not None:
        return Publication("withheld", withheld)
    if hold is not None:
        return Publication("awaiting_review", "review")
    if embargoed:
        return Publication("embargoed", "embargo")
    if consent.publish == "count":
        return Publication("withheld", "consent_count", counted=True)
    return Publication("published", counted=True)


def _why_withheld(claim: Claim, consent: Consent, *, about_asylum: bool) -> str | None:
    """Return why a claim can never move a public number as things stand, or None."""
    ceiling, reason = ceiling_of(claim, consent, about_asylum=about_asylum)
    if consent.publish == "none":
        return "consent_none"
    if claim.visibility != "public":
        return "visibility"
    return reason if ceiling != "public" else None


def is_embargoed(claim: Claim, at: int) -> bool:
    """Return whether a claim's embargo lasts beyond a moment, in microseconds."""
    return claim.publish_after is not None and parse_time(claim.publish_after) > at


def hides_whereabouts(claim: Claim, host_state: str, *, about_asylum: bool) -> bool:
    """Return whether a claim tells where the person went: a departure, or asylum asked abroad."""
    abroad = claim.jurisdiction not in (None, host_state)
    return type_of(claim).startswith("departure.") or (about_asylum and abroad)


def public_fields(
    claim: Claim,
    consent: Consent,
    *,
    host_state: str,
    tells_refuge: bool,
    is_public: Callable[[str], bool],
) -> dict[str, Any]:
    """Return the fields of a published claim that anyone may read.

    `jurisdiction` is always told, as null where it would tell where the person went.
    is_public: tells of an event id whether it is public; references to others are left out, for
    their existence is not to be known.
    """
    fields: dict[str, Any] = msgspec.to_builtins(claim)
    fields.setdefault("jurisdiction", host_state)
    for name in NEVER_PUBLIC | (WHEREABOUTS if tells_refuge else frozenset()):
        fields.pop(name, None)
    if consent.basis == "representative":
        # That somebody was given asylum is only told with the person's own consent.
        fields.pop("form", None)
    if tells_refuge:
        fields["jurisdiction"] = None
    for name in ("against", "after"):
        if name in fields and not is_public(fields[name]):
            del fields[name]
    if not shows_sources(consent):
        fields.pop("sources", None)
    return fields


def shows_sources(consent: Consent) -> bool:
    """Return whether sources are public: a source names the person more often than not."""
    return consent.publish == "name" or consent.basis == "already_public"


# -- labels ---------------------------------------------------------------------------------------

_PREFERENCE: Final = {"ru": ("ru",), "kk": ("kk", "ru"), "en": ("en",)}


def public_label(subject: Subject, consent: Consent, code: str, language: str) -> str:
    """Return how the public names a case in a language; its code where it may not be named."""
    if consent.publish == "pseudonym" and consent.pseudonym:
        return consent.pseudonym
    if consent.publish in ("name", "initials"):
        name = preferred_name(subject, language)
        if name and consent.publish == "name":
            return name
        if name:
            return initials(name) or code
    return code


def preferred_name(subject: Subject, language: str) -> str | None:
    """Return the name to show in a language; the primary one where none is in it."""
    shown = [n for n in subject.names if n.kind in ("primary", "transliteration", "variant")]
    for wanted in _PREFERENCE[language]:
        for kind in ("primary", "transliteration", "variant"):
            for name in shown:
                if name.kind == kind and name.language == wanted:
                    return name.text
    return _primary(subject.names)


def _primary(names: list[Name]) -> str | None:
    """Return the first name to show; a passport or former name alone is shown to nobody."""
    for kind in ("primary", "variant", "transliteration"):
        for name in names:
            if name.kind == kind:
                return name.text
    return None


def initials(name: str) -> str:
    """Return the initials of a name: `М. Ж.` for Михаил Жилин.

    Empty where the script has no initials: one character of 李明 is half of the name.
    """
    parts = [part for part in name.split() if part[0].isalpha()]
    if any(part[0].lower() == part[0].upper() for part in parts):
        return ""
    return " ".join(f"{part[0].upper()}." for part in parts)
