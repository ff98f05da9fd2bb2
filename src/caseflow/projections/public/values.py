"""What a public view may take from a person's cases: public values, and nothing else.

Every public projection builds its rows from here; a restricted value has no way into them.
"""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec

from caseflow.domain.case import Case, RecordedClaim
from caseflow.domain.dossier import Dossier
from caseflow.domain.facts import Stance
from caseflow.domain.labels import LANGUAGES
from caseflow.domain.publication import public_fields, public_label
from caseflow.domain.status import Status, resolve

from ..facts import Told

# The kinds of public changes.
PUBLISHED: Final = "published"
CORRECTED: Final = "corrected"
WITHDRAWN: Final = "withdrawn"

NAMELESS: Final = "#"
"""Begins what stands for a partner without a public name: folds tell it from others, readers see
nothing of it."""


# Of what was taken back for these reasons the codes and days stay: it was public, and replays of
# the time show the numbers of the time. Of anything else that is hidden nothing stays.
KEPT: Final = frozenset({"false", "source_withdrew", "duplicate"})


def public_told(dossier: Dossier, case: Case, recorded: RecordedClaim) -> Told:
    """Return what a public fold reads of a claim.

    No partner's id, no link to what is not public, no judgement that waits for a review.
    """
    facts = case.facts_for(recorded)
    told = msgspec.structs.replace(
        facts,
        partner=_partner_key(case, recorded.partner_id, recorded.author),
        against=_if_public(dossier, case, facts.against),
        after=_if_public(dossier, case, facts.after),
    )
    stances = (
        Stance(
            claim=recorded.event_id,
            partner=_partner_key(case, partner_id, judgement.author),
            disputes=judgement.disputes,
            rank_against=judgement.rank_against,
        )
        for partner_id, judgement in recorded.judgements.items()
        if judgement.hold is None
    )
    return Told(told, tuple(stances))


def _partner_key(case: Case, partner_id: UUID, author: str | None) -> str:
    return author or f"{NAMELESS}{uuid5(case.id, str(partner_id)).hex[:12]}"


def _if_public(dossier: Dossier, case: Case, event_id: UUID | None) -> UUID | None:
    recorded = case.claims.get(event_id) if event_id else None
    if recorded is None or not dossier.publication_of(case, recorded).counted:
        return None
    return event_id


def said_publicly(dossier: Dossier, case: Case, recorded: RecordedClaim) -> dict[str, Any]:
    """Return the fields of a claim that anyone may read."""

    def is_public(event_id: str) -> bool:
        other = case.claims.get(UUID(event_id))
        return other is not None and dossier.publication_of(case, other).state == "published"

    return public_fields(
        recorded.claim,
        case.consent,
        host_state=case.host_state,
        tells_refuge=dossier.tells_refuge(recorded),
        is_public=is_public,
    )


def public_status(dossier: Dossier, also: Iterable[tuple[Case, RecordedClaim]] = ()) -> Status:
    """Return the status that the public claims give. also: claims as if they were public."""
    if dossier.merged or also:
        return _resolve_public(dossier, also)
    return dossier.main.remember(PUBLISHED, lambda: _find_status(dossier))


def _find_status(dossier: Dossier) -> Status:
    """Return the public status of a case that stands alone, often the one that partners have.

    Where the public may read all that is in force and nobody judged any of it, folds of both read
    the same but for what partners are called, and of that only a disagreement tells.
    """
    in_force = [c for c in dossier.main.claims.values() if c.in_force]
    if all(c.is_public and not c.judgements for c in in_force):
        status = dossier.status_for("restricted")
        if not status.disputed:
            return status
    return _resolve_public(dossier)


def _resolve_public(dossier: Dossier, also: Iterable[tuple[Case, RecordedClaim]] = ()) -> Status:
    shown = {claim.event_id: (case, claim) for case, claim in (*dossier.list_shown(), *also)}
    told = [public_told(dossier, case, claim) for case, claim in shown.values()]
    return resolve(
        dossier.main.frame,
        [t.facts for t in told],
        stances=[stance for t in told for stance in t.stances],
    )


def public_labels(case: Case) -> dict[str, str]:
    """Return how the public names the case, by language."""
    return {
        language: public_label(case.subject, case.consent, case.code, language)
        for language in LANGUAGES
    }


def code_labels(code: str) -> dict[str, str]:
    """Return what a case is called that has no other name than its code, by language."""
    return dict.fromkeys(LANGUAGES, code)


def names_case(dossier: Dossier, case: Case, event_id: UUID) -> bool:
    """Return whether a public claim names an event: it shows it from when that is public itself."""
    return any(
        event_id in (c.facts.against, c.facts.after)
        for other, c in dossier.list_counted()
        if other is case
    )


def is_forgotten(dossier: Dossier, case: Case, recorded: RecordedClaim) -> bool:
    """Return whether nothing is to be left of a claim in the public numbers of any time."""
    latest = case.get_latest(recorded.event_id)
    if latest.retraction is not None:
        return latest.retraction.reason not in KEPT or not _could_count(case, latest)
    if latest is not recorded:
        # What was corrected was public in its time, as what stands there now is.
        return latest.reason == "wrong_person" or is_forgotten(dossier, case, latest)
    publication = dossier.publication_of(case, recorded)
    return publication.state == "withheld" and publication.reason not in ("consent_count", "merged")


def _could_count(case: Case, recorded: RecordedClaim) -> bool:
    """Return whether a claim that was taken back would be counted if it had not been."""
    return case.consent.publish != "none" and recorded.standing.visibility == "public"
