"""Finding what a request names, for whoever asks: by id, by code, by a partner's own name."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from caseflow.domain.dossier import Dossier
from caseflow.domain.errors import CaseflowError, NotFoundError, WithdrawnError
from caseflow.domain.facts import Frame
from caseflow.domain.identifiers import as_uuid
from caseflow.domain.status import Status, resolve
from caseflow.domain.vocabulary import VISIBILITY_RANK
from caseflow.eventstore.erased import is_erased
from caseflow.eventstore.names import Named, find_case_by_code, find_external_ids
from caseflow.eventstore.own_names import EXTERNAL
from caseflow.eventstore.partners import Caller
from caseflow.eventstore.reading import Snapshot
from caseflow.projections.partner.history import ERASED, Placed, find_event
from caseflow.projections.public import history as public_history
from caseflow.projections.public import statistics as public_statistics
from caseflow.projections.public import status as public_status
from caseflow.projections.public.history import Published
from caseflow.projections.public.status import PublicCase

from .asked import NOW, Moment
from .parameters import CODE
from .rendering import (
    render_case,
    render_public_case,
    render_public_event,
    render_withdrawn,
)
from .services import Services, audience_of

NO_CASE = "there is no such case"
NO_EVENT = "there is no such event"


class FoundCase(NamedTuple):
    """All cases of a person as known at a moment, and the position of the last event of the one
    that stays."""

    dossier: Dossier
    position: int


class MergedError(CaseflowError):
    """The case is about the same person as another, which has taken its place."""

    def __init__(self, case_id: UUID) -> None:
        super().__init__("the case is about the same person as another")
        self.case_id = case_id


def find_named(services: Services, snapshot: Snapshot, caller: Caller, name: str) -> Named | None:
    """Return what a partner's own name stands for."""
    digest = services.cases.digest_external_id(caller, name.removeprefix(EXTERNAL))
    return find_external_ids(snapshot.connection, [digest]).get(digest) if digest else None


def find_case_id(services: Services, snapshot: Snapshot, caller: Caller | None, name: str) -> UUID:
    """Return the case that a path names. Raises NotFoundError."""
    if name.startswith(EXTERNAL):
        named = find_named(services, snapshot, caller, name) if caller else None
        found = named.case_id if named else None
    else:
        found = as_uuid(name) or _find_by_code(snapshot, name)
    if found is None:
        raise NotFoundError(NO_CASE)
    return found


def _find_by_code(snapshot: Snapshot, code: str) -> UUID | None:
    return find_case_by_code(snapshot.connection, code) if CODE.fullmatch(code) else None


def find_event_id(services: Services, snapshot: Snapshot, caller: Caller | None, name: str) -> UUID:
    """Return the event that a path names. Raises NotFoundError."""
    if name.startswith(EXTERNAL):
        named = find_named(services, snapshot, caller, name) if caller else None
        found = named.event_id if named else None
    else:
        found = as_uuid(name)
    if found is None:
        raise NotFoundError(NO_EVENT)
    return found


# -- for partners ---------------------------------------------------------------------------------


def get_case(
    services: Services, snapshot: Snapshot, case_id: UUID, moment: Moment = NOW
) -> FoundCase:
    """Return a case as it was known at a moment, with those that were about the same person.

    Raises NotFoundError where it was not there yet, MergedError where another took its place.
    """
    dossier = services.reader.find_dossier(snapshot, case_id, moment.known_at)
    if dossier is None:
        raise _explain_missing(snapshot, case_id)
    if dossier.main.id != case_id:
        raise MergedError(dossier.main.id)
    return FoundCase(dossier, services.position_of_version(snapshot, dossier.main))


def get_dossier(services: Services, snapshot: Snapshot, case_id: UUID) -> Dossier:
    """Return all cases of the person whom a case is about. Raises NotFoundError."""
    dossier = services.reader.find_dossier(snapshot, case_id)
    if dossier is None:
        raise _explain_missing(snapshot, case_id)
    return dossier


def _explain_missing(snapshot: Snapshot, case_id: UUID) -> CaseflowError:
    """Return why there is no such case: that it was erased any partner may know."""
    if is_erased(snapshot.connection, case_id):
        return WithdrawnError("the case was erased", case_id)
    return NotFoundError(NO_CASE)


def get_placed(snapshot: Snapshot, caller: Caller, event_id: UUID) -> Placed:
    """Return where an event stands that the caller may read. Raises NotFoundError."""
    placed = find_event(snapshot.connection, snapshot.view_set, event_id)
    if placed is None:
        raise NotFoundError(NO_EVENT)
    floor = VISIBILITY_RANK[audience_of(caller)]
    if placed.partner_id != caller.partner_id and VISIBILITY_RANK[placed.visibility] < floor:
        raise NotFoundError(NO_EVENT)
    if placed.type == ERASED:
        raise WithdrawnError("the event was erased", event_id)
    return placed


def read_case(
    services: Services,
    snapshot: Snapshot,
    caller: Caller,
    case_id: UUID,
    language: str,
    moment: Moment,
) -> dict[str, Any]:
    """Return a case as JSON for a partner."""
    found = get_case(services, snapshot, case_id, moment)
    return render_case(
        found.dossier,
        caller,
        language,
        position=found.position,
        as_of=moment.as_of,
        known_at=moment.known_at_text,
    )


# -- for the public -------------------------------------------------------------------------------


def get_public_case(snapshot: Snapshot, name: UUID) -> PublicCase:
    """Return a public case by its id.

    Raises NotFoundError where it never was public, WithdrawnError where it no longer is, and
    MergedError where another took its place.
    """
    connection, view_set = snapshot.connection, snapshot.view_set
    found = public_status.find_case(connection, view_set, name)
    if found is not None:
        return found
    shown_under = public_history.find_shown_under(connection, view_set, name)
    if shown_under is None:
        raise NotFoundError(NO_CASE)
    if shown_under != name and public_status.find_case(connection, view_set, shown_under):
        raise MergedError(shown_under)
    raise WithdrawnError("the case is no longer public", name)


def list_changes(snapshot: Snapshot, case_id: UUID, moment: Moment) -> list[Published]:
    """Return what was public of a case at a moment, in order of publication."""
    return public_history.list_published(
        snapshot.connection,
        snapshot.view_set,
        case_id=case_id,
        known_at=moment.known_at,
    )


def render_change(
    change: Published, changes: Sequence[Published], deployment: str
) -> dict[str, Any]:
    """Return a public change as JSON. changes: at least those that it names, or are named by it."""
    if change.is_withdrawn:
        return render_withdrawn(change, deployment)
    by_sequence = {c.sequence: c.event_id for c in changes}
    corrects = by_sequence.get(change.takes_back or 0)
    corrected_by = by_sequence.get(change.taken_back_by or 0)
    return render_public_event(
        change,
        deployment,
        corrects=corrects if corrects != change.event_id else None,
        corrected_by=corrected_by if corrected_by != change.event_id else None,
    )


def read_public_event(snapshot: Snapshot, event_id: UUID, deployment: str) -> dict[str, Any]:
    """Return a public claim as JSON.

    Raises NotFoundError where it never was public, WithdrawnError where it no longer is.
    """
    connection, view_set = snapshot.connection, snapshot.view_set
    found = public_history.find_published(connection, view_set, event_id)
    if found is None:
        raise NotFoundError(NO_EVENT)
    if found.is_withdrawn:
        raise WithdrawnError("the event is no longer public", event_id)
    named = (
        public_history.find_change(connection, view_set, sequence)
        for sequence in (found.takes_back, found.taken_back_by)
        if sequence is not None
    )
    return render_change(found, [change for change in named if change], deployment)


def is_told(change: Published, as_of: str | None) -> bool:
    """Return whether a change tells of something that may have happened by a day."""
    if change.is_withdrawn:
        return False
    return as_of is None or (change.occurred.earliest or "") <= as_of


def read_public_case(
    snapshot: Snapshot, found: PublicCase, language: str, moment: Moment
) -> dict[str, Any]:
    """Return a case as JSON for anyone. Raises NotFoundError where it was not public yet."""
    if moment == NOW:
        return render_case_now(found, language)
    changes = list_changes(snapshot, found.case_id, moment)
    if not changes:
        raise NotFoundError(NO_CASE)
    return render_public_case(
        found._replace(updated_at=changes[-1].published_at),
        fold_changes(snapshot, found, moment),
        language,
        version=len(changes),
        position=changes[-1].sequence,
        as_of=moment.as_of,
        known_at=moment.known_at_text,
    )


def render_case_now(found: PublicCase, language: str) -> dict[str, Any]:
    """Return a public case as it is now as JSON."""
    return render_public_case(
        found, found.decode_status(), language, version=found.version, position=found.sequence
    )


def fold_changes(snapshot: Snapshot, found: PublicCase, moment: Moment) -> Status:
    """Return the public status at a moment."""
    known = public_statistics.list_known(
        snapshot.connection, snapshot.view_set, found.case_id, moment.known_at
    )
    frame = Frame(found.host_state, found.origin_state)
    return resolve(frame, known.claims, stances=known.stances, as_of=moment.as_of)
