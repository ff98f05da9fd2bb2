"""Calendars of legal clocks, at secret addresses: calendar programs cannot show a key."""

import base64
import hmac
from collections.abc import Iterator
from functools import partial
from typing import Any, Final
from urllib.parse import unquote
from uuid import UUID

import msgspec
from anyio.to_thread import run_sync
from litestar import Response, delete, post
from litestar.params import FromPath
from msgspec import Struct

from caseflow.domain.case import Case, RecordedClaim
from caseflow.domain.clocks import STARTS, ToldClaim, find_clocks
from caseflow.domain.countries import is_country
from caseflow.domain.dossier import Dossier
from caseflow.domain.errors import InvalidInputError, NotFoundError
from caseflow.domain.facts import is_outvoted
from caseflow.domain.rules import find_rule_pack
from caseflow.domain.times import format_time
from caseflow.eventstore.calendars import (
    NO_CALENDAR,
    READ_EVERY,
    KeptCalendar,
    add_calendar,
    delete_calendar,
    find_calendar,
    list_calendars,
    note_read,
)
from caseflow.eventstore.partners import Caller
from caseflow.eventstore.reading import Snapshot
from caseflow.formats.icalendar_feed import MEDIA_TYPE, Entry, render_calendar
from caseflow.formats.json_input import decode_body
from caseflow.projections.partner.history import list_cases_with

from .answers import JSON, answer_read
from .asked import Asked
from .conditional import PRIVATE, make_document, respond_document
from .parameters import parse_idempotency_key
from .rendering import encode
from .restricted import log_reads
from .routes import read
from .services import AnyRequest, CalendarDocument, Services, audience_of, services_of

SCOPE: Final = "restricted:read"
ENDING: Final = ".ics"


class NewCalendar(Struct, frozen=True, forbid_unknown_fields=True):
    """A calendar that is asked for. host_state: of its cases; None for all."""

    host_state: str | None = None


_WANTED: Final = msgspec.json.Decoder(NewCalendar)


@post("/v1/calendars", status_code=201)
async def make_calendar(request: AnyRequest) -> Response[bytes]:
    """Make a secret address at which legal clocks are read as iCalendar, with this key's rights.

    The address is told this once. It ends with the key, and when it is deleted.
    """
    services = services_of(request)
    caller = await services.require(request, SCOPE)
    wanted = decode_body(_WANTED, await services.read_json(request, empty=b"{}"))
    if wanted.host_state is not None and not is_country(wanted.host_state):
        reason = "must be the code of a state (ISO 3166-1 alpha-2)"
        raise InvalidInputError("this is no state", [("/host_state", reason)])

    secret = _derive_secret(services, caller, parse_idempotency_key(request), wanted)

    def add() -> tuple[KeptCalendar, str, bool]:
        with services.write() as connection:
            return add_calendar(
                connection,
                caller,
                host_state=wanted.host_state,
                at=services.clock(),
                secret=secret,
            )

    added, found, is_new = await run_sync(add)
    headers = {"Cache-Control": PRIVATE}
    if not is_new:
        headers["Idempotency-Replayed"] = "true"
    address = f"{services.base_url}/v1/calendars/{found}{ENDING}"
    rendered = {**_render(added), "address": address}
    return Response(encode(rendered), status_code=201, media_type=JSON, headers=headers)


def _derive_secret(
    services: Services, caller: Caller, key: str | None, wanted: NewCalendar
) -> str | None:
    """Return the secret that follows from an idempotency key, which the same request has again."""
    if key is None:
        return None
    told = "\0".join((str(caller.key_id), wanted.host_state or "", key))
    digest = hmac.digest(services.read_secret("calendars"), told.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


@read("/v1/calendars")
def list_all_calendars(request: AnyRequest) -> Response[bytes]:
    """Return the partner's calendars, oldest first; never their addresses."""
    services = services_of(request)
    Asked(request, "lang")
    caller = services.require_key(request, SCOPE)
    with services.read() as connection:
        found = list_calendars(connection, caller.partner_id)
    return answer_read(request, caller, {"items": [_render(one) for one in found]})


@delete("/v1/calendars/{calendar:str}", status_code=204)
async def revoke_calendar(request: AnyRequest, calendar: FromPath[str]) -> Response[None]:
    """Have a calendar's address lead nowhere, at once."""
    services = services_of(request)
    caller = await services.require(request, SCOPE)
    try:
        calendar_id = UUID(unquote(calendar))
    except ValueError:
        raise NotFoundError(NO_CALENDAR) from None

    def revoke() -> None:
        with services.write() as connection:
            delete_calendar(connection, caller.partner_id, calendar_id)

    await run_sync(revoke)
    return Response(None, status_code=204, headers={"Cache-Control": PRIVATE})


@read("/v1/calendars/{calendar:str}")
def read_calendar(request: AnyRequest, calendar: FromPath[str]) -> Response[bytes]:
    """Return the legal clocks that run, as iCalendar: `{secret}.ics`; no key is shown.

    Cases are called by their codes alone. What is read of restricted claims is logged.
    """
    services = services_of(request)
    asked = Asked(request, "lang")
    secret = unquote(calendar)
    now = services.clock()
    with services.read() as connection:
        # Whatever it is, it is looked up by its digest: nothing tells how near a guess was.
        found = find_calendar(connection, secret.removesuffix(ENDING), now)
    if found is None or not secret.endswith(ENDING):
        raise NotFoundError(NO_CALENDAR)
    kept, caller = found
    with services.reader.snapshot() as snapshot:
        make = partial(_make, services, snapshot, caller, kept.host_state, asked.language)
        rights = (caller.partner_id, audience_of(caller), kept.host_state, asked.language)
        key = (*rights, snapshot.head.position, snapshot.view_set)
        made = services.calendars.get(key, make)
    log_reads(services, caller, list(made.reads))
    if kept.last_read_at is None or now - kept.last_read_at >= READ_EVERY:
        with services.write() as connection:
            note_read(connection, kept, now)
    return respond_document(
        request,
        made.document,
        cache_control="private, no-cache",
        vary=("Accept-Language",),
        language=asked.language,
        headers={"Referrer-Policy": "no-referrer"},
    )


def _make(
    services: Services, snapshot: Snapshot, caller: Caller, host_state: str | None, language: str
) -> CalendarDocument:
    entries: list[Entry] = []
    reads: list[dict[str, Any]] = []
    seen: set[UUID] = set()
    for case_id in list_cases_with(snapshot.connection, snapshot.view_set, STARTS):
        dossier = services.reader.find_dossier(snapshot, case_id)
        if dossier is None or dossier.main.id in seen:
            continue
        seen.add(dossier.main.id)
        if host_state in (None, dossier.main.host_state):
            found = list(_list_entries(dossier, caller, services.base_url))
            entries += [entry for entry, _ in found]
            reads += [told for _, told in found]
    body = render_calendar(entries, name=services.name, language=language)
    return CalendarDocument(make_document(body, media_type=MEDIA_TYPE), tuple(reads))


def _list_entries(
    dossier: Dossier, caller: Caller, base_url: str
) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """Yield the clocks that run for a person, each with the claim that tells of it."""
    readable = dossier.claims_for(audience_of(caller), caller.partner_id)
    counted = {
        recorded.event_id: (case, recorded)
        for case, recorded in readable
        if not is_outvoted(case.facts_for(recorded), list(case.stances_on(recorded)))
    }
    told = [ToldClaim(c.facts_for(recorded), recorded.claim) for c, recorded in counted.values()]
    main = dossier.main
    pack = find_rule_pack(main.host_state)
    for clock in find_clocks(told, pack):
        case, recorded = counted[clock.claim]
        entry = Entry(
            kind=clock.kind,
            claim=clock.claim,
            code=main.code,
            url=f"{base_url}/v1/cases/{main.id}",
            earliest=clock.due.earliest,
            latest=clock.due.latest,
            says=clock.term.says if clock.term else None,
            source=clock.term.source if clock.term else None,
            is_reviewed=pack is not None and pack.reviewed_by_lawyer,
            is_received=clock.is_received,
            changed_at=recorded.changed_at,
            version=case.version,
        )
        yield entry, _tell_read(case, recorded)


def _tell_read(case: Case, recorded: RecordedClaim) -> dict[str, Any]:
    return {
        "id": str(recorded.event_id),
        "case": str(case.id),
        "partner": str(recorded.partner_id),
        "visibility": recorded.visibility,
    }


def _render(calendar: KeptCalendar) -> dict[str, Any]:
    read_at = calendar.last_read_at
    return {
        "id": str(calendar.id),
        "host_state": calendar.host_state,
        "created_at": format_time(calendar.created_at),
        "last_read_at": None if read_at is None else format_time(read_at),
    }
