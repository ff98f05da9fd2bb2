"""The public log: one row for each public change, in the order of publication.

Sequence numbers count public changes only: they tell nothing of what is not public.
"""

from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from eventsourcing.persistence import Tracking
from eventsourcing.projection import Projection
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    String,
    func,
    select,
)

from caseflow.database import Uuid16
from caseflow.domain.case import Case, RecordedClaim
from caseflow.domain.facts import ClaimFacts
from caseflow.domain.publication import public_fields
from caseflow.domain.status import Status

from ..view import Change, View, ViewTable
from .values import (
    public_facts,
    public_labels,
    public_partner,
    public_status,
    published_by,
    references,
)

public_events = (
    ViewTable(
        "public_events",
        lambda: [
            Column(
                "sequence",
                BigInteger().with_variant(Integer, "sqlite"),
                primary_key=True,
                autoincrement=False,
            ),
            # The event that made the change public: it is the id of the feed's entry.
            Column("entry_id", Uuid16, nullable=False),
            # The claim it is about; the same, where the claim was public at once.
            Column("event_id", Uuid16, nullable=False),
            Column("case_id", Uuid16, nullable=False),
            Column("code", String(16), nullable=False),
            # The how-manieth public change of its case.
            Column("version", Integer, nullable=False),
            Column("kind", String(16), nullable=False),
            Column("type", String(40), nullable=False),
            Column("host_state", String(2), nullable=False),
            Column("published_at", BigInteger, nullable=False),
            # The partner's public name; empty where the deployment speaks for it.
            Column("author", String(200), nullable=False),
            # JSON: the public fields of the claim; what folds read of it; the labels by language.
            Column("fields", LargeBinary, nullable=False),
            Column("facts", LargeBinary, nullable=False),
            Column("labels", LargeBinary, nullable=False),
            # The case's public status after the change (JSON), and its headlines around it.
            Column("status", LargeBinary, nullable=False),
            Column("headline", String(32), nullable=False),
            Column("headline_before", String(32), nullable=True),
        ],
    )
    .index("event", "event_id")
    .index("case", "case_id", "sequence")
)


class Published(NamedTuple):
    """One public change."""

    sequence: int
    entry_id: UUID
    event_id: UUID
    case_id: UUID
    code: str
    version: int
    kind: str
    type: str
    host_state: str
    published_at: int
    author: str
    fields: bytes
    facts: bytes
    labels: bytes
    status: bytes
    headline: str
    headline_before: str | None

    def decode_fields(self) -> dict[str, Any]:
        """Return the public fields of the claim."""
        return dict(msgspec.json.decode(self.fields, type=dict[str, Any]))

    def decode_facts(self) -> ClaimFacts:
        """Return what a fold reads of the claim."""
        return msgspec.json.decode(self.facts, type=ClaimFacts)

    def decode_labels(self) -> dict[str, str]:
        """Return the case's public label in each language, as it was then."""
        return msgspec.json.decode(self.labels, type=dict[str, str])

    def decode_status(self) -> Status:
        """Return the case's public status after the change."""
        return msgspec.json.decode(self.status, type=Status)


class PublicHistory(Projection[View]):
    """Keeps `public_events`."""

    name = "public_history"

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._sequence: int | None = None
        self._sequences: dict[UUID, int] = {}

    def process_event(self, domain_event: Change, tracking: Tracking) -> None:
        """Give a change that the public may read the next sequence number."""
        event, case = domain_event
        recorded = published_by(event, case)
        if recorded is None or not recorded.is_public:
            return
        self._put(case, recorded, event.id, event.recorded_at, self._next_sequence())
        for other in references(case, recorded.event_id):
            self._fold_reference(case, other)

    def _next_sequence(self) -> int:
        if self._sequence is None:
            self._sequence = get_sequence(self.view.connection, self.view.view_set)
        self._sequence += 1
        return self._sequence

    def _put(
        self, case: Case, recorded: RecordedClaim, entry_id: UUID, at: int, sequence: int
    ) -> None:
        before = case.public_version > 1
        status = public_status(case)
        self.view.put(
            public_events,
            {
                "sequence": sequence,
                "entry_id": entry_id,
                "event_id": recorded.event_id,
                "case_id": case.id,
                "code": case.code,
                "version": recorded.public_version,
                "kind": "published",
                "type": recorded.facts.type,
                "host_state": case.host_state,
                "published_at": at,
                "author": public_partner(case, recorded),
                **_said(case, recorded),
                "labels": msgspec.json.encode(public_labels(case)),
                "status": msgspec.json.encode(status),
                "headline": status.headline,
                "headline_before": (
                    public_status(case, without=recorded.event_id).headline if before else None
                ),
            },
        )

    def _fold_reference(self, case: Case, recorded: RecordedClaim) -> None:
        """Let folds see what a claim names, now that it is public; what was read stays."""
        self.view.flush()
        found = find_published(self.view.connection, self.view.view_set, recorded.event_id)
        if found is not None:
            facts = msgspec.json.encode(public_facts(case, recorded))
            self.view.put(public_events, {**found._asdict(), "facts": facts})


def _said(case: Case, recorded: RecordedClaim) -> dict[str, bytes]:
    def is_public(event_id: str) -> bool:
        other = case.claims.get(UUID(event_id))
        return other is not None and other.is_public

    fields = public_fields(
        recorded.claim,
        case.consent,
        host_state=case.host_state,
        tells_refuge=recorded.tells_refuge,
        is_public=is_public,
    )
    return {
        "fields": msgspec.json.encode(fields),
        "facts": msgspec.json.encode(public_facts(case, recorded)),
    }


_COLUMNS: Final = Published._fields


def get_sequence(connection: Connection, view_set: str, known_at: int | None = None) -> int:
    """Return the last public sequence number, then or now; 0 before the first."""
    table = public_events[view_set]
    query = select(func.max(table.c.sequence))
    if known_at is not None:
        query = query.where(table.c.published_at <= known_at)
    return connection.scalar(query) or 0


def find_published(connection: Connection, view_set: str, event_id: UUID) -> Published | None:
    """Return the last public change about a claim, or None where it is not public."""
    table = public_events[view_set]
    query = (
        select(*(table.c[n] for n in _COLUMNS))
        .where(table.c.event_id == event_id)
        .order_by(table.c.sequence.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return Published(*row) if row else None


def list_published(
    connection: Connection,
    view_set: str,
    *,
    after: int = 0,
    limit: int | None = None,
    case_id: UUID | None = None,
    known_at: int | None = None,
    newest_first: bool = False,
) -> list[Published]:
    """Return public changes in order of publication, or newest first.

    after: exclusive sequence number. known_at: microseconds; later ones are left out.
    """
    table = public_events[view_set]
    order = table.c.sequence.desc() if newest_first else table.c.sequence
    query = select(*(table.c[n] for n in _COLUMNS)).where(table.c.sequence > after).order_by(order)
    if case_id is not None:
        query = query.where(table.c.case_id == case_id)
    if known_at is not None:
        query = query.where(table.c.published_at <= known_at)
    if limit is not None:
        query = query.limit(limit)
    return [Published(*row) for row in connection.execute(query)]
