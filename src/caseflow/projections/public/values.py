"""What a public view may take from a case: public values, and nothing else.

Every public projection builds its rows from here; a restricted value has no way into them.
"""

from uuid import UUID

import msgspec

from caseflow.domain.case import Case, RecordedClaim
from caseflow.domain.events import Event, PublicationReleased
from caseflow.domain.facts import ClaimFacts
from caseflow.domain.labels import LANGUAGES
from caseflow.domain.publication import public_label
from caseflow.domain.status import Status, resolve


def published_by(event: Event, case: Case) -> RecordedClaim | None:
    """Return the claim that an event made countable or readable for the public, or None."""
    body = event.body
    claim_id = UUID(body.claim) if isinstance(body, PublicationReleased) else event.id
    recorded = case.claims.get(claim_id)
    if recorded is None or not recorded.publication.counted:
        return None
    return recorded


def public_facts(case: Case, recorded: RecordedClaim) -> ClaimFacts:
    """Return what a public fold reads of a claim.

    No partner's id, no link to what is not public.
    """
    facts = recorded.facts
    return msgspec.structs.replace(
        facts,
        partner=public_partner(case, recorded),
        against=_if_public(case, facts.against),
        after=_if_public(case, facts.after),
    )


def public_partner(case: Case, recorded: RecordedClaim) -> str:
    """Return the public name of a claim's author; empty for one without."""
    return recorded.author or ""


def _if_public(case: Case, event_id: UUID | None) -> UUID | None:
    if event_id is None or event_id not in case.claims:
        return None
    return event_id if case.claims[event_id].publication.counted else None


def public_status(case: Case, *, without: UUID | None = None) -> Status:
    """Return the status that the public claims give; `without`: as it was before this one."""
    claims = (c for c in case.claims.values() if c.is_public and c.event_id != without)
    return resolve(case.frame, (public_facts(case, c) for c in claims))


def public_labels(case: Case) -> dict[str, str]:
    """Return how the public names the case, by language."""
    return {
        language: public_label(case.subject, case.consent, case.code, language)
        for language in LANGUAGES
    }


def references(case: Case, event_id: UUID) -> list[RecordedClaim]:
    """Return the public claims that name an event: they show it from when it is public itself."""
    return [
        c
        for c in case.claims.values()
        if c.publication.counted and event_id in (c.facts.against, c.facts.after)
    ]
