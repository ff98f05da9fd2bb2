"""Bundles: what a log has of a case or an event, in one file that is checked offline.

Of the full log for keys with `audit:read`, with the fields that they may read; of the public log
for everyone else.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar
from urllib.parse import unquote
from uuid import UUID

from litestar import Response
from litestar.params import FromPath

from caseflow.domain.errors import (
    AlteredError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from caseflow.eventstore.partners import Caller
from caseflow.eventstore.reading import Snapshot
from caseflow.formats.bundle import (
    MAX_RECORDS,
    Bundle,
    Entry,
    InvalidBundleError,
    Subject,
    render_bundle,
)
from caseflow.formats.record import InvalidRecordError
from caseflow.projections.partner.history import find_event, list_readers
from caseflow.projections.public.history import find_published, list_told_of
from caseflow.proof.source import LogName

from .answers import BY_KEY, JSON
from .conditional import PRIVATE, PUBLIC, respond
from .disclosed import list_entries, list_public_entries, render_reads, select_event
from .log import AUDIT_SCOPE
from .parameters import MAX_POSITION, parse_integer, read_query
from .reading import (
    NO_CASE,
    NO_EVENT,
    MergedError,
    find_case_id,
    find_event_id,
    get_public_case,
    read_public_event,
)
from .restricted import log_reads
from .routes import read
from .services import AnyRequest, Services, services_of

logger = logging.getLogger(__name__)

WAIT_SECONDS: Final = 2.0
LOOK_SECONDS: Final = 0.05


class Told(NamedTuple):
    """What a log has of something, and what of it is restricted and was read."""

    subject: Subject
    entries: Sequence[Entry]
    reads: Sequence[dict[str, object]] = ()


Look = Callable[[Snapshot], Told]


@read("/v1/cases/{case:str}/bundle")
def read_bundle(request: AnyRequest, case: FromPath[str]) -> Response[bytes]:
    """Return what a log has of a case: records, fields, proofs and checkpoint, in one file.

    With `audit:read` all its events, and the fields that the key may read; else what is public of
    it, whoever asks. It is checked offline, by the key of the log. What has just been posted is
    waited for until it is signed, two seconds at most.
    """
    services = services_of(request)
    caller = services.find_caller(request)
    name = unquote(case)
    if _audits(caller):
        assert caller is not None
        auditor = caller

        def look(snapshot: Snapshot) -> Told:
            case_id = find_case_id(services, snapshot, auditor, name)
            return tell_case(services, snapshot, auditor, case_id)

        return _answer(request, auditor, "full", look)

    def look_publicly(snapshot: Snapshot) -> Told:
        case_id = find_case_id(services, snapshot, caller, name)
        require_public(snapshot, case_id)
        return tell_public_case(services, snapshot, case_id)

    return _answer(request, caller, "public", look_publicly)


@read("/v1/events/{event:str}/proof")
def read_proof(request: AnyRequest, event: FromPath[str]) -> Response[bytes]:
    """Return what a log has of one event, in the form of a bundle: of the public log all changes
    that are about it.
    """
    services = services_of(request)
    caller = services.find_caller(request)
    name = unquote(event)
    if _audits(caller):
        assert caller is not None
        auditor = caller

        def look(snapshot: Snapshot) -> Told:
            event_id = find_event_id(services, snapshot, auditor, name)
            return _tell_event(services, snapshot, auditor, event_id)

        return _answer(request, auditor, "full", look)

    def look_publicly(snapshot: Snapshot) -> Told:
        event_id = find_event_id(services, snapshot, caller, name)
        # What is no longer public, or never was, is answered as anywhere.
        read_public_event(snapshot, event_id, services.name)
        return _tell_public_event(services, snapshot, event_id)

    return _answer(request, caller, "public", look_publicly)


def _audits(caller: Caller | None) -> bool:
    return caller is not None and AUDIT_SCOPE in caller.scopes


def require_public(snapshot: Snapshot, case_id: UUID) -> None:
    """Raise NotFoundError or WithdrawnError unless a case is public, if only under another now."""
    try:
        get_public_case(snapshot, case_id)
    except MergedError:
        return


# -- what a log has -------------------------------------------------------------------------------


def tell_case(services: Services, snapshot: Snapshot, caller: Caller, case_id: UUID) -> Told:
    """Return what the full log has of a case, as an auditor may read it. Raises NotFoundError."""
    connection = snapshot.connection
    events = services.discloser.list_events(connection, case_id)
    if not events:
        raise NotFoundError(NO_CASE)
    readers = list_readers(connection, snapshot.view_set, case_id)
    placed = {one.event_id: one for one in readers}
    dossier = services.reader.find_dossier(snapshot, case_id)
    cases = dossier.cases if dossier else ()
    case = next((one for one in cases if one.id == case_id), None)
    entries = list_entries(events, placed, case, caller)
    return Told(Subject(case_id), entries, render_reads(entries, placed))


def _tell_event(services: Services, snapshot: Snapshot, caller: Caller, event_id: UUID) -> Told:
    placed = find_event(snapshot.connection, snapshot.view_set, event_id)
    if placed is None:
        raise NotFoundError(NO_EVENT)
    told = tell_case(services, snapshot, caller, placed.case_id)
    entries = select_event(told.entries, event_id)
    ids = {str(one.record.event_id) for one in entries}
    reads = [one for one in told.reads if one["id"] in ids]
    return Told(Subject(placed.case_id, event_id), entries, reads)


def tell_public_case(services: Services, snapshot: Snapshot, case_id: UUID) -> Told:
    """Return what the public log has of a case. Raises NotFoundError where that is nothing."""
    shown = list_told_of(snapshot.connection, snapshot.view_set, case_id)
    sequences = [row.sequence for row in shown]
    changes = services.discloser.list_changes(snapshot.connection, sequences)
    entries = list_public_entries(case_id, changes, shown)
    if not entries:
        raise NotFoundError(NO_CASE)
    return Told(Subject(case_id), entries)


def _tell_public_event(services: Services, snapshot: Snapshot, event_id: UUID) -> Told:
    found = find_published(snapshot.connection, snapshot.view_set, event_id)
    if found is None:
        raise NotFoundError(NO_EVENT)
    # It was told of its own case, or of the one under which it is shown.
    for case_id in dict.fromkeys((found.dossier_id, found.case_id)):
        shown = list_told_of(snapshot.connection, snapshot.view_set, case_id)
        sequences = [row.sequence for row in shown]
        changes = services.discloser.list_changes(snapshot.connection, sequences)
        entries = select_event(list_public_entries(case_id, changes, shown), event_id)
        if entries:
            return Told(Subject(case_id, event_id), entries)
    raise NotFoundError(NO_EVENT)


# -- signed ---------------------------------------------------------------------------------------


def sign_told(
    services: Services, log: LogName, look: Look, since: int | None
) -> tuple[Bundle, Told]:
    """Return the bundle of what is found; waits until it is signed, two seconds at most. Blocks.

    Raises UnavailableError when it is not by then, or when as many requests as may wait are
    waiting; InvalidInputError where it is too much for one bundle.
    """
    try:
        return _try_to_sign(services, log, look, since)
    except UnavailableError:
        # Whoever waits keeps a thread, and those who only ask need one as well.
        if not services.places.acquire(blocking=False):
            raise
    try:
        return _wait_for(lambda: _try_to_sign(services, log, look, since))
    finally:
        services.places.release()


T = TypeVar("T")


def _wait_for(work: Callable[[], T]) -> T:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        time.sleep(LOOK_SECONDS)
        try:
            return work()
        except UnavailableError:
            if time.monotonic() >= deadline:
                raise


def _try_to_sign(
    services: Services, log: LogName, look: Look, since: int | None
) -> tuple[Bundle, Told]:
    # What was signed before it was looked at has nothing more of it than what is found.
    signed = services.logs[log].list_signed()
    try:
        with services.reader.snapshot() as snapshot:
            told = look(snapshot)
    except (AlteredError, InvalidRecordError) as error:
        logger.error("a bundle cannot be made: %s", error.detail)
        raise UnavailableError("what is stored is not what was recorded") from error
    if len(told.entries) > MAX_RECORDS:
        raise _too_many()
    try:
        bundle = services.logs[log].make_bundle(
            told.entries, told.subject, signed=signed, since=since
        )
    except InvalidBundleError as error:
        raise _too_many() from error
    return bundle, told


def _too_many() -> InvalidInputError:
    return InvalidInputError(f"one bundle holds at most {MAX_RECORDS:,} records")


def _answer(
    request: AnyRequest, caller: Caller | None, log: LogName, look: Look
) -> Response[bytes]:
    services = services_of(request)
    query = read_query(request, "since")
    since = parse_integer(query, "since", lowest=0, highest=MAX_POSITION)
    bundle, told = sign_told(services, log, look, since)
    # Before it leaves.
    log_reads(services, caller, list(told.reads))
    named = told.subject.event_id or told.subject.case_id
    return respond(
        request,
        render_bundle(bundle),
        media_type=JSON,
        cache_control=PUBLIC if caller is None else PRIVATE,
        vary=BY_KEY,
        headers={"Content-Disposition": f'attachment; filename="{named}.json"'},
    )
