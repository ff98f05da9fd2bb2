"""Webhooks: who wants to be told, of what, and what became of each message.

No payload is stored: a message is made from the public view each time that it is sent. Where to,
and the secrets that sign it, are sealed: both are the partner's alone.
"""

import base64
import hmac
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal
from uuid import UUID, uuid4, uuid5

import msgspec
from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    Select,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)

from caseflow.database import Uuid16
from caseflow.domain.errors import ConflictError, NotFoundError
from caseflow.eventstore.tables import metadata
from caseflow.formats.record import SEED_BYTES
from caseflow.formats.seal import NONCE_BYTES, seal, unseal
from caseflow.projections.public.history import Published

from .retrying import find_next_attempt

State = Literal["active", "paused"]
Outcome = Literal["waiting", "delivered", "given_up"]

ACTIVE: Final = "active"
PAUSED: Final = "paused"
WAITING: Final = "waiting"
DELIVERED: Final = "delivered"
GIVEN_UP: Final = "given_up"

# Why an endpoint is paused.
ASKED: Final = "asked"
GONE: Final = "gone"
FAILING: Final = "failing"

MOST_WEBHOOKS: Final = 20
MOST_REPLAYED: Final = 10_000
SECRET_BYTES: Final = 32
SECRET_PREFIX: Final = "whsec_"
OLD_SECRET_HOURS: Final = 24
KEPT_DAYS: Final = 30
HOUR: Final = 3_600_000_000
DAY: Final = 24 * HOUR
# Longer than an attempt may take: what a process that died had begun is begun again after it.
CLAIM_MICROSECONDS: Final = 60_000_000
_PURPOSE: Final = b"caseflow/webhook/v1"

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Uuid16, primary_key=True),
    Column("partner_id", Uuid16, nullable=False),
    # Times are microseconds since the Unix epoch (UTC).
    Column("created_at", BigInteger, nullable=False),
    Column("state", String(8), nullable=False),
    Column("paused_at", BigInteger, nullable=True),
    Column("reason", String(8), nullable=True),
    # Since when nothing has arrived; null where the last message did.
    Column("failing_since", BigInteger, nullable=True),
    # The last public change for which there is a delivery, or has to be none.
    Column("sequence", BigInteger, nullable=False),
    # Address, description, filters and secrets.
    Column("sealed", LargeBinary, nullable=False),
    Index("webhooks_partner_idx", "partner_id"),
)

deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("webhook_id", Uuid16, primary_key=True),
    # The public change that the message is about, and the entry that tells of it: numbers come
    # again where a backup was restored, and then tell of something else.
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("entry_id", Uuid16, nullable=False),
    Column("outcome", String(10), nullable=False),
    # When it was to be sent first, and when it is to be sent next, by nobody else before then.
    Column("begun_at", BigInteger, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    # JSON: of each attempt its time and the status, or a word for what failed.
    Column("attempts", LargeBinary, nullable=False),
    Index("webhook_deliveries_due_idx", "outcome", "next_at"),
)


class Filters(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which public changes are wanted: those that every one of these feeds has."""

    case: UUID | None = None
    headline: str | None = None
    type: str | None = None
    host_state: str | None = None
    recalls: bool = False


class Secret(Struct, frozen=True):
    """A signing secret; until: when it ends to sign, None for the present one."""

    value: str
    until: int | None = None


class Config(Struct, frozen=True):
    """What is sealed of a webhook."""

    url: str
    description: str
    filters: Filters
    secrets: tuple[Secret, ...]
    # Of the request that the present secret was made by, where that may come again.
    rotated_by: str | None = None

    @property
    def asked_for(self) -> tuple[str, str, Filters]:
        """What the partner said."""
        return self.url, self.description, self.filters


class Webhook(Struct, frozen=True):
    """An endpoint of a partner."""

    id: UUID
    partner_id: UUID
    created_at: int
    state: State
    paused_at: int | None
    reason: str | None
    failing_since: int | None
    sequence: int
    config: Config

    def list_secrets(self, now: int) -> list[str]:
        """Return the secrets that sign at a moment, the present one first."""
        return [s.value for s in self.config.secrets if s.until is None or now < s.until]


class Attempt(Struct, frozen=True, array_like=True):
    """One attempt. status: of the answer; failure: one word where there was none."""

    at: int
    status: int | None = None
    failure: str | None = None

    @property
    def has_arrived(self) -> bool:
        """Whether the endpoint took the message."""
        return self.status is not None and 200 <= self.status < 300


class Delivery(Struct, frozen=True):
    """What became of the message about one public change."""

    webhook_id: UUID
    sequence: int
    entry_id: UUID
    outcome: Outcome
    begun_at: int
    next_at: int
    failures: int
    attempts: tuple[Attempt, ...]

    @property
    def message_id(self) -> str:
        """The id of the message, the same at each attempt."""
        return f"msg_{uuid5(self.webhook_id, str(self.entry_id)).hex}"


def make_secret(random_bytes: Callable[[int], bytes] = os.urandom) -> str:
    """Return a new signing secret as Standard Webhooks writes it."""
    return SECRET_PREFIX + base64.b64encode(random_bytes(SECRET_BYTES)).decode("ascii")


class Webhooks:
    """Keeps webhooks and their deliveries; each call is within a transaction of the caller's."""

    def __init__(self, read_secret: Callable[[str], bytes]) -> None:
        """read_secret: returns a 32-byte secret of the deployment by its name."""
        self._read_secret = read_secret

    @property
    def _key(self) -> bytes:
        return hmac.digest(self._read_secret("webhooks"), _PURPOSE, "sha256")

    # -- endpoints --------------------------------------------------------------------------------

    def add(
        self,
        connection: Connection,
        partner_id: UUID,
        config: Config,
        *,
        sequence: int,
        at: int,
        webhook_id: UUID | None = None,
    ) -> Webhook:
        """Add an endpoint, which is told of what comes after a public change.

        Raises ConflictError where the partner has as many as it may.
        """
        own = webhooks.c.partner_id == partner_id
        count = connection.scalar(select(func.count()).select_from(webhooks).where(own)) or 0
        if count >= MOST_WEBHOOKS:
            raise ConflictError(f"a partner has {MOST_WEBHOOKS} webhooks at most")
        added = Webhook(
            webhook_id or uuid4(), partner_id, at, ACTIVE, None, None, None, sequence, config
        )
        row = {**msgspec.structs.asdict(added), "sealed": self._seal(added.id, config)}
        del row["config"]
        connection.execute(insert(webhooks).values(row))
        return added

    def list_of(self, connection: Connection, partner_id: UUID) -> list[Webhook]:
        """Return the endpoints of a partner, oldest first."""
        query = select(webhooks).where(webhooks.c.partner_id == partner_id)
        rows = connection.execute(query.order_by(webhooks.c.created_at, webhooks.c.id))
        return [self._open(row) for row in rows]

    def get(self, connection: Connection, partner_id: UUID, webhook_id: UUID) -> Webhook:
        """Return an endpoint of a partner. Raises NotFoundError for one of others, too."""
        found = self.find(connection, partner_id, webhook_id)
        if found is None:
            raise NotFoundError("there is no such webhook")
        return found

    def find(self, connection: Connection, partner_id: UUID, webhook_id: UUID) -> Webhook | None:
        """Return an endpoint of a partner, or None."""
        query = select(webhooks).where(
            webhooks.c.id == webhook_id, webhooks.c.partner_id == partner_id
        )
        row = connection.execute(query).one_or_none()
        return None if row is None else self._open(row)

    def list_active(self, connection: Connection) -> list[Webhook]:
        """Return all endpoints that are told of something."""
        rows = connection.execute(select(webhooks).where(webhooks.c.state == ACTIVE))
        return [self._open(row) for row in rows]

    def delete(self, connection: Connection, webhook: Webhook) -> None:
        """Forget an endpoint, and all that was sent to it."""
        connection.execute(delete(deliveries).where(deliveries.c.webhook_id == webhook.id))
        connection.execute(delete(webhooks).where(webhooks.c.id == webhook.id))

    def pause(self, connection: Connection, webhook_id: UUID, reason: str, at: int) -> None:
        """Send nothing to an endpoint until it is resumed; what waits goes on waiting."""
        this = (webhooks.c.id == webhook_id, webhooks.c.state == ACTIVE)
        values = {"state": PAUSED, "paused_at": at, "reason": reason}
        connection.execute(update(webhooks).where(*this).values(values))

    def resume(
        self, connection: Connection, webhook: Webhook, at: int, *, skip_to: int | None = None
    ) -> None:
        """Go on with an endpoint, from where it stood, or with what comes after a public change."""
        values: dict[str, Any] = {
            "state": ACTIVE, "paused_at": None, "reason": None, "failing_since": None,
        }  # fmt: skip
        waiting = (deliveries.c.webhook_id == webhook.id, deliveries.c.outcome == WAITING)
        if skip_to is None:
            # The two days begin anew.
            begun = {"begun_at": at, "next_at": at, "failures": 0}
            connection.execute(update(deliveries).where(*waiting).values(begun))
        else:
            values["sequence"] = skip_to
            connection.execute(update(deliveries).where(*waiting).values(outcome=GIVEN_UP))
        connection.execute(update(webhooks).where(webhooks.c.id == webhook.id).values(values))

    def rotate(
        self, connection: Connection, webhook: Webhook, at: int, mark: str | None = None
    ) -> str:
        """Give an endpoint a new secret and return it; the one before signs for a day more.

        mark: of a request that may come again: it is answered with what it made.
        """
        if mark is not None and webhook.config.rotated_by == mark:
            return webhook.config.secrets[0].value
        secret = make_secret()
        before = webhook.list_secrets(at)[0]
        secrets = (Secret(secret), Secret(before, at + OLD_SECRET_HOURS * HOUR))
        config = msgspec.structs.replace(webhook.config, secrets=secrets, rotated_by=mark)
        sealed = self._seal(webhook.id, config)
        connection.execute(
            update(webhooks).where(webhooks.c.id == webhook.id).values(sealed=sealed)
        )
        return secret

    # -- deliveries -------------------------------------------------------------------------------

    def fan_out(
        self,
        connection: Connection,
        webhook: Webhook,
        changes: Sequence[Published],
        *,
        up_to: int,
        at: int,
    ) -> bool:
        """Note that an endpoint is to be told of these changes, and of no others up to one.

        Returns whether that was for this process to do: another may have done it.
        """
        moved = connection.execute(
            update(webhooks)
            .where(
                webhooks.c.id == webhook.id,
                webhooks.c.sequence == webhook.sequence,
                webhooks.c.state == ACTIVE,
            )
            .values(sequence=up_to)
        )
        if moved.rowcount != 1:
            return False
        self._enqueue(connection, webhook.id, changes, at)
        return True

    def replay(
        self, connection: Connection, webhook: Webhook, changes: Sequence[Published], at: int
    ) -> None:
        """Send the messages about these changes again, under the ids that they had."""
        self._enqueue(connection, webhook.id, changes, at)

    def _enqueue(
        self, connection: Connection, webhook_id: UUID, changes: Sequence[Published], at: int
    ) -> None:
        # A replay may have been ahead of the endpoint's own position.
        these = deliveries.c.sequence.in_([change.sequence for change in changes])
        connection.execute(delete(deliveries).where(deliveries.c.webhook_id == webhook_id, these))
        rows = [
            {
                "webhook_id": webhook_id,
                "sequence": change.sequence,
                "entry_id": change.entry_id,
                "outcome": WAITING,
                "begun_at": at,
                "next_at": at,
                "failures": 0,
                "attempts": b"[]",
            }
            for change in changes
        ]
        if rows:
            connection.execute(insert(deliveries), rows)

    def list_deliveries(
        self, connection: Connection, webhook: Webhook, *, before: int | None, limit: int
    ) -> list[Delivery]:
        """Return what became of messages, the newest first, from before a public change on."""
        query = select(deliveries).where(deliveries.c.webhook_id == webhook.id)
        if before is not None:
            query = query.where(deliveries.c.sequence < before)
        rows = connection.execute(query.order_by(deliveries.c.sequence.desc()).limit(limit))
        return [_read_delivery(row) for row in rows]

    def find_next_at(self, connection: Connection) -> int | None:
        """Return when a message is to be sent next; None where nothing waits."""
        found: int | None = connection.scalar(_select_waiting(func.min(deliveries.c.next_at)))
        return found

    def claim(
        self, connection: Connection, now: int, *, limit: int, besides: Iterable[UUID] = ()
    ) -> list[tuple[Webhook, Delivery]]:
        """Take messages that are to be sent now, one for each endpoint, for this process alone.

        besides: endpoints that are being sent something. A claim ends by itself after a minute.
        """
        first = (
            select(deliveries.c.webhook_id, func.min(deliveries.c.sequence).label("sequence"))
            .join(webhooks, webhooks.c.id == deliveries.c.webhook_id)
            .where(
                deliveries.c.outcome == WAITING,
                deliveries.c.next_at <= now,
                webhooks.c.state == ACTIVE,
                webhooks.c.id.not_in(list(besides)),
            )
            .group_by(deliveries.c.webhook_id)
            .limit(limit)
        )
        claimed = []
        for row in connection.execute(first).all():
            this = (
                deliveries.c.webhook_id == row.webhook_id,
                deliveries.c.sequence == row.sequence,
                deliveries.c.outcome == WAITING,
                deliveries.c.next_at <= now,
            )
            # Of two processes one finds it as it was: the row is locked until the commit.
            taken = connection.execute(
                update(deliveries).where(*this).values(next_at=now + CLAIM_MICROSECONDS)
            )
            if taken.rowcount == 1:
                claimed.append((row.webhook_id, row.sequence))
        return [self._read_claimed(connection, *one) for one in claimed]

    def _read_claimed(
        self, connection: Connection, webhook_id: UUID, sequence: int
    ) -> tuple[Webhook, Delivery]:
        webhook = connection.execute(select(webhooks).where(webhooks.c.id == webhook_id)).one()
        query = select(deliveries).where(
            deliveries.c.webhook_id == webhook_id, deliveries.c.sequence == sequence
        )
        return self._open(webhook), _read_delivery(connection.execute(query).one())

    def note(
        self,
        connection: Connection,
        webhook: Webhook,
        delivery: Delivery,
        attempt: Attempt,
        chance: float,
    ) -> str | None:
        """Note what came of an attempt; return why the endpoint is paused by it, or None."""
        attempts = (*delivery.attempts, attempt)
        failures = delivery.failures + (not attempt.has_arrived)
        next_at = None
        if not attempt.has_arrived:
            next_at = find_next_attempt(delivery.begun_at, failures, attempt.at, chance)
        outcome = WAITING if next_at else DELIVERED if attempt.has_arrived else GIVEN_UP
        # Where it was replayed or forgotten meanwhile, the claim is not this one any more.
        this = (
            deliveries.c.webhook_id == delivery.webhook_id,
            deliveries.c.sequence == delivery.sequence,
            deliveries.c.next_at == delivery.next_at,
        )
        values = {
            "outcome": outcome, "failures": failures, "next_at": next_at or attempt.at,
            "attempts": msgspec.json.encode(attempts),
        }  # fmt: skip
        connection.execute(update(deliveries).where(*this).values(values))
        return self._note_health(connection, webhook.id, attempt, outcome)

    def _note_health(
        self, connection: Connection, webhook_id: UUID, attempt: Attempt, outcome: str
    ) -> str | None:
        this = webhooks.c.id == webhook_id
        if attempt.has_arrived:
            well = update(webhooks).where(this, webhooks.c.failing_since.is_not(None))
            connection.execute(well.values(failing_since=None))
            return None
        began = update(webhooks).where(this, webhooks.c.failing_since.is_(None))
        connection.execute(began.values(failing_since=attempt.at))
        reason = None
        if attempt.status == 410:
            reason = GONE
        elif outcome == GIVEN_UP:
            # Nothing has arrived for as long as this was tried: nothing else will.
            since = connection.scalar(select(webhooks.c.failing_since).where(this))
            reason = FAILING if since is not None and since <= attempt.at - DAY else None
        if reason is not None:
            self.pause(connection, webhook_id, reason, attempt.at)
        return reason

    def forget_old(self, connection: Connection, now: int) -> None:
        """Forget deliveries that ended long ago."""
        connection.execute(
            delete(deliveries).where(
                deliveries.c.outcome != WAITING, deliveries.c.next_at < now - KEPT_DAYS * DAY
            )
        )

    # -- sealing ----------------------------------------------------------------------------------

    def _seal(self, webhook_id: UUID, config: Config) -> bytes:
        fields = {"config": msgspec.to_builtins(config)}
        return seal(self._key, webhook_id, os.urandom(NONCE_BYTES), os.urandom(SEED_BYTES), fields)

    def _open(self, row: Row[Any]) -> Webhook:
        _, fields = unseal(self._key, row.id, bytes(row.sealed))
        config = msgspec.convert(fields["config"], Config)
        return Webhook(
            row.id,
            row.partner_id,
            row.created_at,
            row.state,
            row.paused_at,
            row.reason,
            row.failing_since,
            row.sequence,
            config,
        )


def count_waiting(connection: Connection) -> int:
    """Return how many messages wait to be sent, to whichever webhook that is not paused."""
    return connection.scalar(_select_waiting(func.count(deliveries.c.sequence))) or 0


def _select_waiting(what: ColumnElement[int]) -> Select[int]:
    """Return the query for something about the messages that wait to be sent."""
    query = select(what).join(webhooks, webhooks.c.id == deliveries.c.webhook_id)
    return query.where(deliveries.c.outcome == WAITING, webhooks.c.state == ACTIVE)


def _read_delivery(row: Row[Any]) -> Delivery:
    attempts = msgspec.json.decode(bytes(row.attempts), type=tuple[Attempt, ...])
    return Delivery(
        row.webhook_id,
        row.sequence,
        row.entry_id,
        row.outcome,
        row.begun_at,
        row.next_at,
        row.failures,
        attempts,
    )
