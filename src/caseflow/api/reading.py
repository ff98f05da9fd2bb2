"""Finding what a request names, for whoever asks: by id, by code, by a partner's own name."""

import re
from typing import Any, NamedTuple
from uuid import UUID

from caseflow.domain.case import Case
from caseflow.domain.errors import NotFoundError
from caseflow.domain.facts import ClaimFacts, Frame
from caseflow.domain.status import Status, resolve
from caseflow.eventstore.application import EXTERNAL
from caseflow.eventstore.names import Named, find_case_by_code, find_external_ids
from caseflow.eventstore.partners import Caller
from caseflow.eventstore.reading import Snapshot
from caseflow.projections.partner import status as partner_status
from caseflow.projections.public import history as public_history
from caseflow.projections.public import status as public_status
from caseflow.projections.public.history import Published
from caseflow.projections.public.status import PublicCase

from .asked import NOW, Moment
from .rendering import render_case, render_public_case
from .services import Services

CODE = re.compile(r"[A-Z]{2}(-[0-9A-Z]{4}){2}")
NO_CASE = "there is no such case"
NO_EVENT = "there is no such event"


class FoundCase(NamedTuple):
    """A case as it was known at a moment, and the position of its last event then."""

    case: Case
    position: int


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


def as_uuid(text: str) -> UUID | None:
    """Return the id that a text spells, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None


# -- for partners ---------------------------------------------------------------------------------


def get_case(
    services: Services, snapshot: Snapshot, case_id: UUID, moment: Moment = NOW
) -> FoundCase:
    """Return a case as it was known at a moment. Raises NotFoundError where it was not yet."""
    listed = partner_status.find_version(snapshot.connection, snapshot.view_set, case_id)
    if listed is None:
        raise NotFoundError(NO_CASE)
    if moment.known_at is None:
        case = services.reader.find_case(snapshot, case_id, listed.version)
        position = listed.position
    else:
        events = services.reader.list_events(snapshot, case_id, known_at=moment.known_at)
        case = Case.from_events(events)
        position = services.position_of_version(snapshot, case) if case else 0
    if case is None:
        raise NotFoundError(NO_CASE)
    return FoundCase(case, position)


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
        found.case,
        caller,
        language,
        position=found.position,
        as_of=moment.as_of,
        known_at=moment.known_at_text,
    )


# -- for the public -------------------------------------------------------------------------------


def get_public_case(snapshot: Snapshot, name: UUID | str) -> PublicCase:
    """Return a public case by its id or code. Raises NotFoundError."""
    found = public_status.find_case(snapshot.connection, snapshot.view_set, name)
    if found is None:
        raise NotFoundError(NO_CASE)
    return found


def list_changes(snapshot: Snapshot, case_id: UUID, moment: Moment) -> list[Published]:
    """Return what was public of a case at a moment, in order of publication."""
    return public_history.list_published(
        snapshot.connection,
        snapshot.view_set,
        case_id=case_id,
        known_at=moment.known_at,
    )


def read_public_case(
    snapshot: Snapshot, found: PublicCase, language: str, moment: Moment
) -> dict[str, Any]:
    """Return a case as JSON for anyone. Raises NotFoundError where it was not public yet."""
    if moment == NOW:
        status, version, position = found.decode_status(), found.version, found.sequence
    else:
        changes = list_changes(snapshot, found.case_id, moment)
        if not changes:
            raise NotFoundError(NO_CASE)
        status = fold_changes(found, changes, moment.as_of)
        version, position = changes[-1].version, changes[-1].sequence
        found = found._replace(updated_at=changes[-1].published_at)
    return render_public_case(
        found,
        status,
        language,
        version=version,
        position=position,
        as_of=moment.as_of,
        known_at=moment.known_at_text,
    )


def fold_changes(found: PublicCase, changes: list[Published], as_of: str | None) -> Status:
    """Return the public status that these changes give."""
    facts: list[ClaimFacts] = [change.decode_facts() for change in changes]
    return resolve(Frame(found.host_state, found.origin_state), facts, as_of=as_of)
