"""What the public may see, decided once and in this place only.

The minimum of the person's consent, the type's ceiling, the partner's choice, review and embargo.
Nothing here reads a clock: an embargo ends by an event.
"""

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, get_args

import msgspec
from msgspec import Struct

from .events import Consent, ConsentLevel, Hold, Name, Subject
from .names import finds_name
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


class Standing(Struct, frozen=True, kw_only=True):
    """How things stand with a claim, beside what it says.

    visibility: the partner's choice as it is now. names_person: a text of it holds a name of the
    person. hold, declined: it waits for a review, or was declined in one. embargoed: its embargo
    has not been ended. replaced, retracted: it is no longer in force. about_asylum: it tells of an
    asylum claim, itself or by what it appeals against.
    """

    visibility: Visibility
    about_asylum: bool = False
    names_person: bool = False
    hold: Hold | None = None
    declined: bool = False
    embargoed: bool = False
    replaced: bool = False
    retracted: bool = False


def visibility_of(claim: Claim, consent: Consent, standing: Standing) -> Visibility:
    """Return the audience of a claim: the partner's choice, cut at the ceiling."""
    ceiling, _ = ceiling_of(claim, consent, about_asylum=standing.about_asylum)
    return min(standing.visibility, ceiling, key=VISIBILITY_RANK.__getitem__)


def publication_of(claim: Claim, consent: Consent, standing: Standing) -> Publication:
    """Return what the public gets of a claim."""
    withheld = _why_withheld(claim, consent, standing)
    if withheld is not None:
        return Publication("withheld", withheld)
    if standing.hold is not None:
        return Publication("awaiting_review", "review")
    if standing.embargoed:
        # Publication was halted when it came, where it has no time of its own.
        return Publication("embargoed", "embargo" if claim.publish_after else "frozen")
    if consent.publish == "count":
        return Publication("withheld", "consent_count", counted=True)
    return Publication("published", counted=True)


def _why_withheld(claim: Claim, consent: Consent, standing: Standing) -> str | None:
    """Return why a claim can never move a public number as things stand, or None."""
    ceiling, reason = ceiling_of(claim, consent, about_asylum=standing.about_asylum)
    causes = (
        ("retracted", standing.retracted),
        ("corrected", standing.replaced),
        ("consent_none", consent.publish == "none"),
        ("visibility", standing.visibility != "public"),
        (reason, ceiling != "public"),
        ("declined", standing.declined),
        ("names_person", standing.names_person and consent.publish != "name"),
    )
    return next((cause for cause, holds in causes if holds), None)


# -- names in texts -------------------------------------------------------------------------------

TEXT_FIELDS: Final = ("place", "authority", "accusation", "forum", "ground")


def find_names(claim: Claim, subject: Subject, consent: Consent) -> list[str]:
    """Return JSON pointers to the texts that would name a person who did not agree to be named."""
    if consent.publish == "name" or not subject.names:
        return []
    names = [name.text for name in subject.names]
    texts = public_texts(claim, with_sources=shows_sources(consent))
    return [pointer for pointer, text in texts if finds_name(names, text)]


def public_texts(claim: Claim, *, with_sources: bool) -> list[tuple[str, str]]:
    """Return JSON pointer and text of everything in a claim that the public could read."""
    found = [(f"/{f}", text) for f in TEXT_FIELDS if (text := getattr(claim, f, None))]
    for language in ("ru", "kk", "en"):
        text = getattr(claim.summary, language, None) if claim.summary else None
        if text:
            found.append((f"/summary/{language}", text))
    for number, source in enumerate(claim.sources if with_sources else ()):
        for field in ("title", "publisher", "url", "archived"):
            if text := getattr(source, field):
                found.append((f"/sources/{number}/{field}", text))
    return found


# -- how far consent goes -------------------------------------------------------------------------


def is_wider(new: Consent, old: Consent) -> bool:
    """Return whether the public could get more under one consent than under another."""
    return (
        _PUBLISH_RANK[new.publish] > _PUBLISH_RANK[old.publish]
        or _BASIS_RANK[new.basis] > _BASIS_RANK[old.basis]
        or (new.publish == "pseudonym" and new.pseudonym != old.pseudonym)
    )


def says_as_much(one: Consent, other: Consent) -> bool:
    """Return whether the public may learn that two cases are of one person.

    Where less was agreed to in one, it would learn under one name what was agreed to under another;
    of two pseudonyms it would learn that they are one.
    """
    if one.publish != other.publish:
        return False
    return one.publish != "pseudonym" or one.pseudonym == other.pseudonym


def narrower_of(new: Consent, old: Consent) -> Consent:
    """Return what both consents agree to."""
    publish = min(new.publish, old.publish, key=_PUBLISH_RANK.__getitem__)
    pseudonym = new.pseudonym if new.pseudonym == old.pseudonym else None
    return Consent(
        # Without its pseudonym a case has its code alone.
        publish="anonymous" if publish == "pseudonym" and pseudonym is None else publish,
        basis=min(new.basis, old.basis, key=_BASIS_RANK.__getitem__),
        share=new.shares_subject and old.shares_subject,
        pseudonym=pseudonym,
    )


_PUBLISH_RANK: Final = {level: n for n, level in enumerate(get_args(ConsentLevel))}
_BASIS_RANK: Final = {"representative": 0, "own": 1, "already_public": 2}


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
