"""Objections: somebody shown in a public case says so, and partners see what is to be checked."""

from typing import Any, Final
from uuid import UUID

import msgspec
from anyio.to_thread import run_sync
from litestar import Response, post
from msgspec import Struct

from caseflow.domain.checks import check_words
from caseflow.domain.events import ObjectionMade, Objector
from caseflow.domain.times import format_time
from caseflow.domain.vocabulary import Line, Reference, Text
from caseflow.eventstore.reading import Snapshot
from caseflow.formats.json_input import decode_body
from caseflow.projections.partner.objections import PlacedObjection, list_objections

from .answers import JSON, answer_list
from .asked import Asked
from .conditional import PRIVATE
from .parameters import Position
from .reading import find_case_id
from .rendering import encode, sees_all_objections
from .routes import read
from .services import AnyRequest, Services, services_of

Json = dict[str, Any]


class NewObjection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody objects to a public case, in words that are never public."""

    case: Reference
    by: Objector
    text: Text | None = None
    contact: Line | None = None


_OBJECTION: Final = msgspec.json.Decoder(NewObjection)


@post("/v1/objections", status_code=202)
async def make_objection(request: AnyRequest) -> Response[bytes]:
    """Object to a public case, as the person, a lawyer, a relative or somebody else; no key needed.

    The first objection hides the case at once, until a partner has checked it and tells consent
    anew; later ones are there to be read. What is said is for the case's partner and reviewers
    alone. The same again, while it is open, is received and not recorded twice.
    """
    services = services_of(request)
    # Whoever shows a key that does not work is told so, as everywhere.
    await services.authenticator.find_caller_async(request)
    Asked(request, "lang")
    await object_to_case(services, await services.read_json(request))
    return Response(
        encode({"received": True}),
        status_code=202,
        media_type=JSON,
        headers={"Cache-Control": PRIVATE},
    )


async def object_to_case(services: Services, body: bytes) -> None:
    """Record an objection, which is written as this resource takes it.

    Raises InvalidInputError, NotFoundError where the case is not public, and ConflictError where
    as many objections as can be checked are open.
    """
    said = decode_body(_OBJECTION, body)
    check_words(said)
    case_id = await run_sync(_find_case, services, said.case)
    future = services.cases.record_objection(
        case_id, by=said.by, text=said.text, contact=said.contact
    )
    await services.settled.wait(future)


def _find_case(services: Services, name: str) -> UUID:
    """Return the case of an id or a code, public or not. Raises NotFoundError."""
    with services.reader.snapshot() as snapshot:
        return find_case_id(services, snapshot, None, name)


@read("/v1/objections")
def list_all_objections(request: AnyRequest) -> Response[bytes]:
    """Return the objections to one's own cases, oldest first, and whether each is settled.

    With the scope `review` or `restricted:read`, those to all cases. One is settled when a partner
    has told consent anew since; those to a case that was erased are gone with it.
    """
    services = services_of(request)
    caller = services.require_key(request)
    asked = Asked(request, "limit", "cursor", "min_position", "lang")
    after, limit = asked.cursor(Position) or 0, asked.limit
    with services.snapshot(caller, asked.min_position) as snapshot:
        # One more than the page holds tells whether there is another.
        found = list_objections(
            snapshot.connection,
            snapshot.view_set,
            own=None if sees_all_objections(caller) else caller.partner_id,
            after=after,
            limit=limit + 1,
        )
        page = found[:limit]
        items = [item for one in page if (item := _render(services, snapshot, one))]
    cursor = page[-1].position if len(found) > len(page) else None
    return answer_list(request, caller, items, cursor)


def _render(services: Services, snapshot: Snapshot, placed: PlacedObjection) -> Json | None:
    """Return an objection with what was said; None where its case has just been erased."""
    said = services.reader.get_event(snapshot, placed.case_id, placed.version).body
    if not isinstance(said, ObjectionMade):
        return None
    return {
        "id": str(placed.event_id),
        "case": str(placed.case_id),
        "code": placed.code,
        "by": said.by,
        "text": said.text,
        "contact": said.contact,
        "hides": placed.hides,
        "recorded_at": format_time(placed.recorded_at),
        "state": "open" if placed.settled_by is None else "settled",
        "settled_by": str(placed.settled_by) if placed.settled_by else None,
    }
