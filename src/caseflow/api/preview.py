"""What the public would see of a claim, before it does."""

from typing import Any

from caseflow.domain.case import Case, RecordedClaim
from caseflow.domain.dossier import Dossier
from caseflow.formats.atom import clean_content
from caseflow.projections.public.feed import Site, make_entry
from caseflow.projections.public.history import preview

from .rendering import render_public_event

Json = dict[str, Any]


def render_preview(
    dossier: Dossier, case: Case, recorded: RecordedClaim, site: Site, language: str
) -> Json:
    """Return a claim as anyone would read it, with its entry in the feeds.

    `position` and times are null until it is public. Of what is withheld only the reason is told.
    """
    publication = dossier.publication_of(case, recorded)
    told: Json = {
        "id": str(recorded.event_id),
        "case": str(case.id),
        "publication": publication.state,
        "publication_reason": publication.reason,
    }
    if publication.state == "withheld":
        return told
    change = preview(dossier, case, recorded)
    entry = make_entry(site, change, language)
    return {
        **render_public_event(change, site.name),
        **told,
        "case": str(change.dossier_id),
        "version": None,
        "position": None,
        "recorded_at": None,
        "label": change.decode_labels()[language],
        "entry": {"title": entry.title, "content": clean_content(entry.content_html)},
    }
