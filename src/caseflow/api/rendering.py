"""Cases, events and statuses as JSON values: the partner's view from the case, the public's from
the public tables. The shapes are the same."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from caseflow.domain.case import Case, RecordedClaim
from caseflow.domain.events import CaseOpened, Event
from caseflow.domain.labels import label
from caseflow.domain.publication import preferred_name, public_label
from caseflow.domain.status import Disagreement, Since, Status, TrackStatus
from caseflow.domain.times import format_time
from caseflow.eventstore.partners import Caller
from caseflow.projections.partner.status import find_last_change
from caseflow.projections.public.history import Published
from caseflow.projections.public.status import PublicCase

from .services import audience_of

Json = dict[str, Any]


# -- status ---------------------------------------------------------------------------------------


def render_status(status: Status, language: str) -> Json:
    """Return a status with its label in a language."""
    return {
        "headline": status.headline,
        "label": label("headlines", status.headline, language),
        "since": _since(status.since),
        "at_risk": status.at_risk,
        "tracks": {t: _track(t, found, language) for t, found in status.tracks.items()},
        "disputed": [_disagreement(d) for d in status.disputed],
        "flags": [
            {**msgspec.to_builtins(flag), "label": label("flags", flag.code, language)}
            for flag in status.flags
        ],
    }


def _track(track: str, found: TrackStatus, language: str) -> Json:
    return {
        "state": found.state,
        "label": label("states", found.state, language, of=track),
        "since": _since(found.since),
        "events": [str(event) for event in found.events],
        "ambiguous": found.ambiguous,
        "final": found.final,
    }


def _since(since: Since) -> Json:
    return {"earliest": since.earliest, "latest": since.latest}


def _disagreement(found: Disagreement) -> Json:
    return {
        "track": found.track,
        "events": [str(event) for event in found.events],
        "partners": [p for p in found.partners if p],
        "states": list(found.states),
        "dates": [_since(since) for since in found.dates],
    }


# -- for partners ---------------------------------------------------------------------------------


def render_case(
    case: Case,
    caller: Caller,
    language: str,
    *,
    position: int | None,
    as_of: str | None = None,
    known_at: str | None = None,
) -> Json:
    """Return a case as a partner may see it."""
    sees = sees_subject(case, caller)
    status = case.status_for(audience_of(caller), caller.partner_id, as_of=as_of)
    rendered: Json = {
        "id": str(case.id),
        "code": case.code,
        "label": label_for(case, caller, language),
        "host_state": case.host_state,
        "origin_state": case.origin_state,
        "persons": case.persons,
        "version": case.version,
        "position": position,
        "status": render_status(status, language),
        "as_of": as_of,
        "known_at": known_at,
        "partner": str(case.partner_id),
        "opened_at": format_time(case.opened_at),
        "updated_at": format_time(find_last_change(case, audience_of(caller), caller.partner_id)),
        "consent": _consent(case, sees=sees),
    }
    if sees:
        rendered["subject"] = msgspec.to_builtins(case.subject)
    if case.external_id is not None and _sees_own_names(case.partner_id, caller):
        rendered["external_id"] = case.external_id
    return rendered


def sees_subject(case: Case, caller: Caller) -> bool:
    """Return whether a caller may see who the person is."""
    return (
        caller.partner_id == case.partner_id
        or caller.reads_restricted
        or case.consent.shares_subject
    )


def label_for(case: Case, caller: Caller, language: str) -> str:
    """Return what a caller calls the case: by name where it may see it, else as the public does."""
    name = preferred_name(case.subject, language) if sees_subject(case, caller) else None
    return name or public_label(case.subject, case.consent, case.code, language)


def _consent(case: Case, *, sees: bool) -> Json:
    consent: Json = msgspec.to_builtins(case.consent)
    consent["share"] = case.consent.shares_subject
    if not sees:
        consent.pop("pseudonym", None)
    return consent


def _sees_own_names(author: UUID, caller: Caller) -> bool:
    return author == caller.partner_id or "audit:read" in caller.scopes


def render_claim(case: Case, recorded: RecordedClaim, caller: Caller, position: int | None) -> Json:
    """Return an event as a partner who may read it sees it."""
    said: Json = msgspec.to_builtins(recorded.claim)
    said.setdefault("jurisdiction", case.host_state)
    said["visibility"] = recorded.visibility
    said["verification"] = recorded.claim.verification
    if not _sees_own_names(recorded.partner_id, caller):
        said.pop("external_id", None)
    if recorded.partner_id != caller.partner_id and not caller.reads_restricted:
        said.pop("private_note", None)
    for field in ("against", "after"):
        if field in said and not _reads(case, UUID(said[field]), caller):
            del said[field]
    return {
        "id": str(recorded.event_id),
        "case": str(case.id),
        "version": recorded.version,
        "position": position,
        "recorded_at": format_time(recorded.recorded_at),
        "partner": str(recorded.partner_id),
        **said,
        "publication": recorded.publication.state,
        "publication_reason": recorded.publication.reason,
    }


def _reads(case: Case, event_id: UUID, caller: Caller) -> bool:
    audience = audience_of(caller)
    readable = case.claims_for(audience, caller.partner_id)
    return any(c.event_id == event_id for c in readable)


def render_record_event(event: Event, caller: Caller, position: int | None) -> Json:
    """Return an event about the record itself: that it happened, not what it holds."""
    rendered: Json = {
        "id": str(event.id),
        "case": str(event.originator_id),
        "version": event.originator_version,
        "position": position,
        "recorded_at": format_time(event.recorded_at),
        "partner": str(event.partner_id),
        "type": event.type,
    }
    body = event.body
    if isinstance(body, CaseOpened):
        rendered |= {
            "code": body.code,
            "host_state": body.host_state,
            "origin_state": body.origin_state,
            "persons": body.persons,
        }
    return rendered


# -- for the public -------------------------------------------------------------------------------


def render_public_case(
    found: PublicCase,
    status: Status,
    language: str,
    *,
    version: int,
    position: int,
    as_of: str | None = None,
    known_at: str | None = None,
) -> Json:
    """Return a case as anyone may see it."""
    return {
        "id": str(found.case_id),
        "code": found.code,
        "label": found.decode_labels()[language],
        "host_state": found.host_state,
        "origin_state": found.origin_state,
        "persons": found.persons,
        "version": version,
        "position": position,
        "status": render_status(status, language),
        "as_of": as_of,
        "known_at": known_at,
        "updated_at": format_time(found.updated_at),
    }


def render_public_event(found: Published, deployment: str) -> Json:
    """Return an event as anyone may see it; without a public name the deployment is its partner."""
    return {
        "id": str(found.event_id),
        "case": str(found.case_id),
        "code": found.code,
        "version": found.version,
        "position": found.sequence,
        "recorded_at": format_time(found.published_at),
        "partner": found.author or deployment,
        **found.decode_fields(),
        "visibility": "public",
        "publication": "published",
        "publication_reason": None,
    }


def encode(value: Mapping[str, Any]) -> bytes:
    """Return JSON bytes, the same for equal values."""
    return msgspec.json.encode(value)
