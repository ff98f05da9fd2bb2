"""Webhooks: a partner says where to send what is made public, and sees what became of it."""

from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import unquote
from uuid import UUID, uuid4, uuid5

import msgspec
from anyio.to_thread import run_sync
from litestar import Response, delete, post
from litestar.params import FromPath
from msgspec import Meta, Struct
from sqlalchemy import Connection

from caseflow.domain.countries import is_country
from caseflow.domain.errors import (
    IdempotencyKeyReusedError,
    InvalidInputError,
    NotFoundError,
)
from caseflow.domain.status import HEADLINE_CODES
from caseflow.domain.times import format_time
from caseflow.domain.vocabulary import TYPES
from caseflow.eventstore.partners import Caller
from caseflow.eventstore.reading import Snapshot
from caseflow.formats.json_input import decode_body
from caseflow.projections.public.followed import list_followed
from caseflow.projections.public.history import get_sequence
from caseflow.push.addresses import InvalidTargetError, parse_target
from caseflow.push.delivering import list_feeds
from caseflow.push.webhooks import (
    ASKED,
    MOST_REPLAYED,
    Config,
    Delivery,
    Filters,
    Secret,
    Webhook,
    make_secret,
)

from .answers import JSON, answer_list, answer_read
from .asked import Asked
from .conditional import PRIVATE
from .followed import find_followed_case
from .parameters import MAX_POSITION, Position, parse_idempotency_key
from .rendering import encode
from .routes import read
from .services import AnyRequest, Services, services_of

NO_WEBHOOK: Final = "there is no such webhook"
T = TypeVar("T")


class WebhookFilters(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which public changes are wanted, as a partner says it."""

    case: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    headline: str | None = None
    type: str | None = None
    host_state: str | None = None
    recalls: bool = False


class NewWebhook(Struct, frozen=True, forbid_unknown_fields=True):
    """A webhook that is asked for."""

    url: Annotated[str, Meta(min_length=1, max_length=2_000)]
    description: Annotated[str, Meta(max_length=500)] = ""
    filters: WebhookFilters = WebhookFilters()


class Replay(
    Struct, frozen=True, forbid_unknown_fields=True, rename={"first": "from", "last": "to"}
):
    """Which messages are to be sent again, by the public positions of the changes."""

    first: Annotated[int, Meta(ge=1, le=MAX_POSITION)]
    last: Annotated[int, Meta(ge=1, le=MAX_POSITION)]


class Resumption(Struct, frozen=True, forbid_unknown_fields=True):
    """How to go on. skip: with what comes from now on, and nothing of what has waited."""

    skip: bool = False


_WANTED: Final = msgspec.json.Decoder(NewWebhook)
_REPLAY: Final = msgspec.json.Decoder(Replay)
_RESUMPTION: Final = msgspec.json.Decoder(Resumption)


@post("/v1/webhooks", status_code=201)
async def add_webhook(request: AnyRequest) -> Response[bytes]:
    """Have each public change from now on sent to an address, signed as in Standard Webhooks.

    The answer tells the secret that signs, this once. Any key of the partner sees and changes its
    webhooks.
    """
    services = services_of(request)
    caller = await services.require(request)
    wanted = decode_body(_WANTED, await services.read_json(request))
    key = parse_idempotency_key(request)
    _check_target(services, wanted.url)
    webhook, is_new = await run_sync(_add, services, caller, wanted, key)
    headers = {"Location": f"{services.base_url}/v1/webhooks/{webhook.id}"}
    if not is_new:
        headers["Idempotency-Replayed"] = "true"
    secret = webhook.config.secrets[0].value
    return _answer({**_render(webhook), "secret": secret}, status=201, headers=headers)


def _add(
    services: Services, caller: Caller, wanted: NewWebhook, key: str | None
) -> tuple[Webhook, bool]:
    """Add a webhook, or return the one that was added with the same idempotency key."""
    # A request that comes again has to find what it made: the id follows from its key.
    webhook_id = uuid5(caller.partner_id, key) if key else uuid4()
    with services.reader.snapshot() as snapshot:
        filters = _read_filters(services, snapshot, wanted.filters)
        end = get_sequence(snapshot.connection, snapshot.view_set)
    config = Config(wanted.url, wanted.description, filters, (Secret(make_secret()),))
    with services.write() as connection:
        known = services.webhooks.find(connection, caller.partner_id, webhook_id)
        if known is not None:
            if known.config.asked_for != config.asked_for:
                raise IdempotencyKeyReusedError("the key was used for another webhook")
            return known, False
        added = services.webhooks.add(
            connection,
            caller.partner_id,
            config,
            sequence=end,
            at=services.clock(),
            webhook_id=webhook_id,
        )
    return added, True


@read("/v1/webhooks")
def list_webhooks(request: AnyRequest) -> Response[bytes]:
    """Return the partner's webhooks, oldest first."""
    services = services_of(request)
    Asked(request, "lang")
    caller = services.require_key(request)
    with services.read() as connection:
        found = services.webhooks.list_of(connection, caller.partner_id)
    return answer_read(request, caller, {"items": [_render(webhook) for webhook in found]})


@read("/v1/webhooks/{webhook:str}")
def read_webhook(request: AnyRequest, webhook: FromPath[str]) -> Response[bytes]:
    """Return one of the partner's webhooks: paused or not, and why."""
    services = services_of(request)
    Asked(request, "lang")
    caller = services.require_key(request)
    with services.read() as connection:
        found = _find(services, connection, caller, webhook)
    return answer_read(request, caller, _render(found))


@delete("/v1/webhooks/{webhook:str}", status_code=204)
async def delete_webhook(request: AnyRequest, webhook: FromPath[str]) -> Response[None]:
    """Send nothing more to a webhook, and forget it with its log."""

    def work(services: Services, connection: Connection, found: Webhook) -> None:
        services.webhooks.delete(connection, found)

    await _change(request, webhook, work)
    return Response(None, status_code=204, headers={"Cache-Control": PRIVATE})


@post("/v1/webhooks/{webhook:str}/pause", status_code=200)
async def pause_webhook(request: AnyRequest, webhook: FromPath[str]) -> Response[bytes]:
    """Send nothing to a webhook until it is resumed; nothing is lost."""
    return await _act(
        request,
        webhook,
        lambda services, connection, found: services.webhooks.pause(
            connection, found.id, ASKED, services.clock()
        ),
    )


@post("/v1/webhooks/{webhook:str}/resume", status_code=200)
async def resume_webhook(request: AnyRequest, webhook: FromPath[str]) -> Response[bytes]:
    """Go on with a webhook where it stood, with two days more for what waits; or skip that."""
    services = services_of(request)
    await services.require(request)
    asked = decode_body(_RESUMPTION, await services.read_json(request, empty=b"{}"))

    def work(services: Services, connection: Connection, found: Webhook) -> None:
        with services.reader.snapshot() as snapshot:
            end = get_sequence(snapshot.connection, snapshot.view_set)
        services.webhooks.resume(
            connection, found, services.clock(), skip_to=end if asked.skip else None
        )

    return await _act(request, webhook, work)


@post("/v1/webhooks/{webhook:str}/secret", status_code=200)
async def rotate_secret(request: AnyRequest, webhook: FromPath[str]) -> Response[bytes]:
    """Sign with a new secret, told this once; for a day the one before signs as well."""
    key = parse_idempotency_key(request)
    mark = sha256(key.encode()).hexdigest() if key else None

    def work(services: Services, connection: Connection, found: Webhook) -> str:
        return services.webhooks.rotate(connection, found, services.clock(), mark)

    secret = await _change(request, webhook, work)
    return _answer({"secret": secret})


@post("/v1/webhooks/{webhook:str}/replays", status_code=202)
async def replay_deliveries(request: AnyRequest, webhook: FromPath[str]) -> Response[bytes]:
    """Send the messages about a range of public changes again, under the ids that they had."""
    services = services_of(request)
    await services.require(request)
    asked = decode_body(_REPLAY, await services.read_json(request))
    if asked.last < asked.first:
        raise InvalidInputError("the range ends before it begins", [("/to", "is before /from")])

    def work(services: Services, connection: Connection, found: Webhook) -> int:
        feeds = list_feeds(found.config.filters)
        with services.reader.snapshot() as snapshot:
            where = snapshot.connection, snapshot.view_set
            end = get_sequence(*where)
            if asked.last > end:
                reason = f"is beyond the end of the log, {end}"
                raise InvalidInputError("the range is not of this log", [("/to", reason)])
            told = list_followed(*where, feeds, after=asked.first - 1, limit=MOST_REPLAYED + 1)
        wanted = [change for change in told.changes if change.sequence <= asked.last]
        if len(wanted) > MOST_REPLAYED:
            reason = f"holds more than {MOST_REPLAYED:,} changes"
            raise InvalidInputError("the range is too long", [("/to", reason)])
        services.webhooks.replay(connection, found, wanted, services.clock())
        return len(wanted)

    count = await _change(request, webhook, work)
    return _answer({"messages": count}, status=202)


@read("/v1/webhooks/{webhook:str}/deliveries")
def list_deliveries(request: AnyRequest, webhook: FromPath[str]) -> Response[bytes]:
    """Return what became of the messages to a webhook, the newest first; kept for thirty days."""
    services = services_of(request)
    asked = Asked(request, "limit", "cursor", "lang")
    before, limit = asked.cursor(Position), asked.limit
    caller = services.require_key(request)
    with services.read() as connection:
        found = _find(services, connection, caller, webhook)
        listed = services.webhooks.list_deliveries(
            connection, found, before=before, limit=limit + 1
        )
    page = listed[:limit]
    following = page[-1].sequence if len(listed) > limit else None
    return answer_list(request, caller, [_render_delivery(one) for one in page], following)


# -- what the handlers share ----------------------------------------------------------------------

_Work = Callable[[Services, Connection, Webhook], T]


async def _change(request: AnyRequest, name: str, work: _Work[T]) -> T:
    """Do something to one of the partner's webhooks, in one transaction."""
    services = services_of(request)
    caller = await services.require(request)

    def change() -> T:
        with services.write() as connection:
            done = work(services, connection, _find(services, connection, caller, name))
        services.wake_deliverer()
        return done

    return await run_sync(change)


async def _act(request: AnyRequest, name: str, work: _Work[None]) -> Response[bytes]:
    """Do something to a webhook, and answer as it is then."""
    await _change(request, name, work)
    services = services_of(request)
    caller = await services.require(request)

    def look() -> Webhook:
        with services.read() as connection:
            return _find(services, connection, caller, name)

    return _answer(_render(await run_sync(look)))


def _find(services: Services, connection: Connection, caller: Caller, name: str) -> Webhook:
    try:
        webhook_id = UUID(unquote(name))
    except ValueError:
        raise NotFoundError(NO_WEBHOOK) from None
    return services.webhooks.get(connection, caller.partner_id, webhook_id)


def _check_target(services: Services, url: str) -> None:
    try:
        parse_target(url, services.webhook_networks)
    except InvalidTargetError as error:
        reason = str(error)
        raise InvalidInputError(f"the address {reason}", [("/url", reason)]) from error


def _read_filters(services: Services, snapshot: Snapshot, wanted: WebhookFilters) -> Filters:
    errors = [
        (f"/filters/{name}", reason)
        for name, is_right, reason in (
            ("headline", wanted.headline in (None, *HEADLINE_CODES), "must be a headline"),
            ("type", wanted.type in (None, *TYPES), "must be the type of an event"),
            (
                "host_state",
                wanted.host_state is None or is_country(wanted.host_state),
                "must be the code of a state (ISO 3166-1 alpha-2)",
            ),
        )
        if not is_right
    ]
    case = None
    if wanted.case is not None:
        case = find_followed_case(services, snapshot, wanted.case)
        if case is None:
            errors.append(("/filters/case", "must be the code or id of a public case"))
    if errors:
        raise InvalidInputError("these are not filters of public changes", errors)
    return Filters(case, wanted.headline, wanted.type, wanted.host_state, wanted.recalls)


def _render(webhook: Webhook) -> dict[str, Any]:
    def time(at: int | None) -> str | None:
        return None if at is None else format_time(at)

    return {
        "id": str(webhook.id),
        "url": webhook.config.url,
        "description": webhook.config.description,
        "filters": msgspec.to_builtins(webhook.config.filters),
        "state": webhook.state,
        "reason": webhook.reason,
        "created_at": format_time(webhook.created_at),
        "paused_at": time(webhook.paused_at),
        "failing_since": time(webhook.failing_since),
        "position": webhook.sequence,
    }


def _render_delivery(delivery: Delivery) -> dict[str, Any]:
    waits = delivery.outcome == "waiting"
    return {
        "message": delivery.message_id,
        "position": delivery.sequence,
        "outcome": delivery.outcome,
        "next_attempt_at": format_time(delivery.next_at) if waits else None,
        "attempts": [
            {"at": format_time(one.at), "status": one.status, "failure": one.failure}
            for one in delivery.attempts
        ],
    }


def _answer(
    rendered: dict[str, Any], *, status: int = 200, headers: dict[str, str] | None = None
) -> Response[bytes]:
    return Response(
        encode(rendered),
        status_code=status,
        media_type=JSON,
        headers={"Cache-Control": PRIVATE, **(headers or {})},
    )
