"""Cases, events and statuses as JSON values: the partner's view from the case, the public's from
the public tables. The shapes are the same."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import msgspec

from caseflow.domain.case import Case, RecordedClaim
from caseflow.domain.dossier import Dossier
from caseflow.domain.events import (
    CaseErased,
    CaseOpened,
    Consent,
    ConsentChanged,
    Event,
    ObjectionMade,
    SubjectAmended,
)
from caseflow.domain.labels import label
from caseflow.domain.publication import preferred_name, public_label
from caseflow.domain.status import Disagreement, Since, Status, TrackStatus
from caseflow.domain.times import format_time
from caseflow.eventstore.partners import Caller
from caseflow.projections.partner.history import Placed
from caseflow.projections.public.history import Published
from caseflow.projections.public.status import PublicCase
from caseflow.projections.public.values import NAMELESS

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
        "partners": [p for p in found.partners if not p.startswith(NAMELESS)],
        "states": list(found.states),
        "dates": [_since(since) for since in found.dates],
    }


# -- for partners ---------------------------------------------------------------------------------


def render_case(
    dossier: Dossier,
    caller: Caller,
    language: str,
    *,
    position: int | None,
    as_of: str | None = None,
    known_at: str | None = None,
) -> Json:
    """Return a case as a partner may see it."""
    case, audience = dossier.main, audience_of(caller)
    sees = sees_subject(case, caller)
    status = dossier.status_for(audience, caller.partner_id, as_of=as_of)
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
        "updated_at": format_time(dossier.find_last_change(audience, caller.partner_id)),
        "consent": _consent(case.consent, sees=sees),
        "merged": [{"id": str(c.id), "code": c.code} for c in dossier.merged],
    }
    if sees:
        rendered["subject"] = msgspec.to_builtins(case.subject)
    if case.external_id is not None and sees_own_names(case.partner_id, caller):
        rendered["external_id"] = case.external_id
    if to_check := [c for c in dossier.cases if sees_objections(c, caller)]:
        rendered["objection"] = _open_objection(to_check)
    return rendered


def sees_subject(case: Case, caller: Caller) -> bool:
    """Return whether a caller may see who the person is."""
    return (
        caller.partner_id == case.partner_id
        or caller.reads_restricted
        or case.consent.shares_subject
    )


def sees_objections(case: Case, caller: Caller) -> bool:
    """Return whether a caller may read what somebody without a key has objected to a case."""
    return caller.partner_id == case.partner_id or sees_all_objections(caller)


def sees_all_objections(caller: Caller) -> bool:
    """Return whether a caller may read what was objected to any case."""
    return caller.reads_restricted or "review" in caller.scopes


def _open_objection(cases: Iterable[Case]) -> Json | None:
    """Return the first open objection to one of the cases, the one that stays before others."""
    for case in cases:
        found = case.find_open_objection()
        if found is not None:
            return {"id": str(found.event_id), "recorded_at": format_time(found.recorded_at)}
    return None


def label_for(case: Case, caller: Caller, language: str) -> str:
    """Return what a caller calls the case: by name where it may see it, else as the public does."""
    name = preferred_name(case.subject, language) if sees_subject(case, caller) else None
    return name or public_label(case.subject, case.consent, case.code, language)


def _consent(consent: Consent, *, sees: bool) -> Json:
    told: Json = msgspec.to_builtins(consent)
    told["share"] = consent.shares_subject
    if not sees:
        told.pop("pseudonym", None)
    return told


def sees_own_names(author: UUID, caller: Caller) -> bool:
    """Return whether a caller may see a partner's own names for things."""
    return author == caller.partner_id or "audit:read" in caller.scopes


def render_claim(
    dossier: Dossier, recorded: RecordedClaim, caller: Caller, position: int | None
) -> Json:
    """Return a claim as a partner who may read it sees it, and what became of it."""
    case = dossier.find_case_of(recorded.event_id)
    assert case is not None, "a claim is of one of the cases"
    said: Json = msgspec.to_builtins(recorded.claim)
    said.setdefault("jurisdiction", case.host_state)
    said["visibility"] = recorded.visibility
    said["verification"] = recorded.claim.verification
    # Of whoever wrote it: a reviewer's are not the author's.
    if not sees_own_names(recorded.posted_by, caller):
        said.pop("external_id", None)
    if recorded.posted_by != caller.partner_id and not caller.reads_restricted:
        said.pop("private_note", None)
    readable = list_readable(case, caller)
    for field in ("against", "after"):
        if field in said and UUID(said[field]) not in readable:
            del said[field]
    publication = dossier.publication_of(case, recorded)
    return {
        "id": str(recorded.event_id),
        "case": str(case.id),
        "version": recorded.version,
        "position": position,
        "recorded_at": format_time(recorded.recorded_at),
        "partner": str(recorded.partner_id),
        **said,
        **_fate(recorded, readable),
        "publication": publication.state,
        "publication_reason": publication.reason,
    }


def _fate(recorded: RecordedClaim, readable: set[UUID]) -> Json:
    """Return whether a claim counts, and what took its place or took it back.

    readable: the claims that may be named.
    """
    fate: Json = {"state": "in_force"}
    if recorded.corrects is not None:
        fate["correction_reason"] = recorded.reason
    if recorded.corrects in readable:
        fate["corrects"] = str(recorded.corrects)
    if recorded.posted_by != recorded.partner_id:
        fate["posted_by"] = str(recorded.posted_by)
    if recorded.replaced_by is not None:
        fate["state"] = "corrected"
    if recorded.replaced_by in readable:
        fate["corrected_by"] = str(recorded.replaced_by)
    if recorded.retraction is not None:
        by, reason = recorded.retraction
        fate |= {"state": "retracted", "retracted_by": str(by), "retraction_reason": reason}
    corroborating = sum(1 for j in recorded.judgements.values() if not j.disputes)
    disputing = sum(1 for j in recorded.judgements.values() if j.disputes)
    return fate | {"corroborated": corroborating, "disputed": disputing}


def list_readable(case: Case, caller: Caller) -> set[UUID]:
    """Return the claims of a case that a caller may read."""
    claims = case.readable_claims(audience_of(caller), caller.partner_id)
    return {c.event_id for c in claims}


def render_record_event(
    case: Case | None, event: Event, caller: Caller, position: int | None
) -> Json:
    """Return an event about the record itself, as a partner who may read it sees it.

    case: as it is now; None for an event that is of no case.
    """
    rendered: Json = {
        "id": str(event.id),
        "case": str(event.originator_id) if case else None,
        "version": event.originator_version,
        "position": position,
        "recorded_at": format_time(event.recorded_at),
        "partner": str(event.partner_id),
        "type": event.type,
    }
    if case is not None:
        rendered |= _say(case, event, caller)
    waits = case is not None and _waits(case, event)
    # The public sees what it does to claims, and never the event itself.
    rendered["publication"] = "awaiting_review" if waits else "withheld"
    rendered["publication_reason"] = "review" if waits else "record_event"
    return rendered


def render_erased(placed: Placed) -> Json:
    """Return an event of a case that was erased: that it is there, and nothing it said."""
    return {
        "id": str(placed.event_id),
        "case": str(placed.case_id),
        "version": placed.version,
        "position": placed.position,
        "recorded_at": format_time(placed.recorded_at),
        "partner": str(placed.partner_id),
        "type": placed.type,
        "publication": "withheld",
        "publication_reason": "erased",
    }


def render_erasure(event: Event, caller: Caller) -> Json:
    """Return what the event says that erased a case, to those who watch over the record."""
    if not isinstance(event.body, CaseErased) or not caller.scopes & {"audit:read", "admin"}:
        return {}
    said: Json = msgspec.to_builtins(event.body)
    return {name: said[name] for name in ("reason", "legal_basis", "requested_by")}


def _waits(case: Case, event: Event) -> bool:
    """Return whether what an event is to do to the public waits for a review."""
    recorded = case.find_judged(event.id)
    judgements = recorded.judgements.values() if recorded else ()
    held = (j for j in judgements if j.event_id == event.id and j.hold is not None)
    return event.id in case.pending or any(held)


def _say(case: Case, event: Event, caller: Caller) -> Json:
    """Return what an event about the record says, to those who may know it."""
    body, sees = event.body, sees_subject(case, caller)
    if isinstance(body, CaseOpened):
        names = ("code", "host_state", "origin_state", "persons")
        return {name: getattr(body, name) for name in names}
    if isinstance(body, ObjectionMade) and not sees_objections(case, caller):
        return {}
    said: Json = msgspec.to_builtins(body)
    said.pop("replacement", None)
    if not sees_own_names(event.partner_id, caller):
        said.pop("external_id", None)
    if isinstance(body, ConsentChanged):
        said["consent"] = _consent(body.consent, sees=sees)
    if isinstance(body, SubjectAmended) and not sees:
        del said["subject"]
    return {**said, "type": event.type}


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


def render_public_event(
    found: Published,
    deployment: str,
    *,
    corrects: UUID | None = None,
    corrected_by: UUID | None = None,
) -> Json:
    """Return a claim as anyone may see it; without a public name the deployment is its partner."""
    rendered: Json = {
        **_render_change(found, deployment),
        **found.decode_fields(),
        "state": "in_force",
        "visibility": "public",
        "publication": "published",
        "publication_reason": None,
    }
    if corrects is not None:
        rendered["corrects"] = str(corrects)
    if corrected_by is not None:
        rendered |= {"state": "corrected", "corrected_by": str(corrected_by)}
    return rendered


def render_withdrawn(found: Published, deployment: str) -> Json:
    """Return a claim that is no longer public: that it was, and nothing of what it said."""
    return {
        **_render_change(found, deployment),
        "state": "withdrawn",
        "publication": "withdrawn",
        "publication_reason": None,
    }


def _render_change(found: Published, deployment: str) -> Json:
    return {
        "id": str(found.event_id),
        "case": str(found.dossier_id),
        "code": found.code,
        "version": found.version,
        "position": found.sequence,
        "recorded_at": format_time(found.published_at),
        "partner": found.author or deployment,
        "kind": found.kind,
    }


def encode(value: Mapping[str, Any]) -> bytes:
    """Return JSON bytes, the same for equal values."""
    return msgspec.json.encode(value)
