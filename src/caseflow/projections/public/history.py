"""The public log: one row for each public change, in the order of publication.

Sequence numbers count public changes only: they tell nothing of what is not public. A row is never
given another meaning; what is withdrawn loses its words. The rows are put by `publishing.py`.
"""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    Connection,
    Integer,
    LargeBinary,
    Select,
    String,
    bindparam,
    func,
    or_,
    select,
)

from caseflow.database import Uuid16
from caseflow.domain.case import Case, RecordedClaim
from caseflow.domain.dates import When, parse_when
from caseflow.domain.dossier import Dossier

from ..view import ViewTable, in_parts
from .rows import encode
from .values import PUBLISHED, WITHDRAWN, public_labels, public_status, said_publicly

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
            # The id of the feed's entry: the claim's own the first time, after that of the event
            # that made the change.
            Column("entry_id", Uuid16, nullable=False),
            # The claim that it is about, and the one that was told first, of which this is a
            # correction or which it is.
            Column("event_id", Uuid16, nullable=False),
            Column("root_id", Uuid16, nullable=False),
            # The case that tells it, and the one under which it is shown.
            Column("case_id", Uuid16, nullable=False),
            Column("dossier_id", Uuid16, nullable=False),
            Column("code", String(16), nullable=False),
            # The how-manieth public change of its case.
            Column("version", Integer, nullable=False),
            # published, corrected, withdrawn.
            Column("kind", String(16), nullable=False),
            Column("type", String(40), nullable=False),
            Column("host_state", String(2), nullable=False),
            Column("published_at", BigInteger, nullable=False),
            # The partner's public name; empty where the deployment speaks for it.
            Column("author", String(200), nullable=False),
            # JSON: the public fields of the claim, and the labels by language.
            Column("fields", LargeBinary, nullable=False),
            Column("labels", LargeBinary, nullable=False),
            # The case's public headlines around the change.
            Column("headline", String(32), nullable=False),
            Column("headline_before", String(32), nullable=True),
            # What was agreed to when it was published (JSON).
            Column("consent", LargeBinary, nullable=False),
            # The change that this one takes back or corrects, and the one that does so to it.
            Column("takes_back", BigInteger, nullable=True),
            Column("taken_back_by", BigInteger, nullable=True),
            # The change with which its words went; a tombstone stands in its place.
            Column("gone_by", BigInteger, nullable=True),
        ],
    )
    .index("event", "event_id")
    .index("case", "case_id", "sequence")
    .index("dossier", "dossier_id", "sequence")
    .index("root", "root_id")
    .index("gone", "gone_by")
)


class Published(NamedTuple):
    """One public change."""

    sequence: int
    entry_id: UUID
    event_id: UUID
    root_id: UUID
    case_id: UUID
    dossier_id: UUID
    code: str
    version: int
    kind: str
    type: str
    host_state: str
    published_at: int
    author: str
    fields: bytes
    labels: bytes
    headline: str
    headline_before: str | None
    takes_back: int | None
    taken_back_by: int | None
    gone_by: int | None

    def decode_fields(self) -> dict[str, Any]:
        """Return the public fields of the claim; none where they were withdrawn."""
        return dict(msgspec.json.decode(self.fields, type=dict[str, Any]))

    def decode_labels(self) -> dict[str, str]:
        """Return the case's public label in each language, as it was then."""
        return msgspec.json.decode(self.labels, type=dict[str, str])

    @property
    def is_withdrawn(self) -> bool:
        """Return whether nothing is left to be read: it withdraws, or was withdrawn."""
        return self.gone_by is not None or self.kind == WITHDRAWN

    @property
    def occurred(self) -> When:
        """Return when it happened, of a change that is not withdrawn."""
        return parse_when(self.decode_fields()["occurred"])


_COLUMNS: Final = Published._fields


def get_sequence(connection: Connection, view_set: str, known_at: int | None = None) -> int:
    """Return the last public sequence number, then or now; 0 before the first."""
    table = public_events[view_set]
    query = select(func.max(table.c.sequence))
    if known_at is not None:
        query = query.where(table.c.published_at <= known_at)
    return connection.scalar(query) or 0


class Ends(NamedTuple):
    """Where the public changes of cases end; a case that has none is not in them.

    versions: by the case that the changes are of. headlines: by the case that they are shown under.
    """

    versions: dict[UUID, int]
    headlines: dict[UUID, str]


def find_ends(connection: Connection, view_set: str, case_ids: Collection[UUID]) -> Ends:
    """Return where the public changes of these cases end, in two queries."""
    versions, headlines = _select_ends(view_set)
    wanted = {"case_ids": list(case_ids)}
    return Ends(
        versions={row[0]: row[1] for row in connection.execute(versions, wanted)},
        headlines={row[0]: row[1] for row in connection.execute(headlines, wanted)},
    )


@cache
def _select_ends(view_set: str) -> tuple[Select[UUID, int], Select[UUID, str]]:
    table = public_events[view_set]
    wanted: BindParameter[UUID] = bindparam("case_ids", expanding=True)
    versions = select(table.c.case_id, func.max(table.c.version)).where(table.c.case_id.in_(wanted))
    last = select(func.max(table.c.sequence)).where(table.c.dossier_id.in_(wanted))
    headlines = select(table.c.dossier_id, table.c.headline).where(
        table.c.sequence.in_(last.group_by(table.c.dossier_id))
    )
    return versions.group_by(table.c.case_id), headlines


def find_published(connection: Connection, view_set: str, event_id: UUID) -> Published | None:
    """Return the last public change about a claim, or None where it never was public."""
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
        query = query.where(table.c.dossier_id == case_id)
    if known_at is not None:
        query = query.where(table.c.published_at <= known_at)
    if limit is not None:
        query = query.limit(limit)
    return [Published(*row) for row in connection.execute(query)]


def list_taken_back(
    connection: Connection, view_set: str, sequences: Collection[int]
) -> list[Published]:
    """Return the changes whose words went with these changes."""
    table = public_events[view_set]
    query = select(*(table.c[n] for n in _COLUMNS)).where(table.c.gone_by.in_(list(sequences)))
    return [Published(*row) for row in connection.execute(query.order_by(table.c.sequence))]


class ShownClaim(NamedTuple):
    """A claim of which anyone can read the words."""

    case_id: UUID
    event_id: UUID


def list_shown_before(
    connection: Connection, view_set: str, moments: Mapping[UUID, int]
) -> list[ShownClaim]:
    """Return the claims that are shown as they were made public before a moment of their own.

    moments: microseconds, by the id under which the claim was told first.
    """
    table = public_events[view_set]
    columns = (table.c.case_id, table.c.event_id, table.c.root_id, table.c.published_at)
    query = select(*columns).where(table.c.kind != WITHDRAWN, table.c.taken_back_by.is_(None))
    return [
        ShownClaim(row.case_id, row.event_id)
        for some in in_parts(sorted(moments))
        for row in connection.execute(query.where(table.c.root_id.in_(some)))
        if row.published_at < moments[row.root_id]
    ]


def list_told_of(connection: Connection, view_set: str, case_id: UUID) -> list[Published]:
    """Return the changes that a case tells or that are shown under it, in order of publication."""
    table = public_events[view_set]
    is_of_it = or_(table.c.case_id == case_id, table.c.dossier_id == case_id)
    query = select(*(table.c[n] for n in _COLUMNS)).where(is_of_it)
    return [Published(*row) for row in connection.execute(query.order_by(table.c.sequence))]


def find_change(connection: Connection, view_set: str, sequence: int) -> Published | None:
    """Return the public change of a sequence number, or None."""
    table = public_events[view_set]
    query = select(*(table.c[n] for n in _COLUMNS)).where(table.c.sequence == sequence)
    row = connection.execute(query).one_or_none()
    return Published(*row) if row else None


def find_shown_under(connection: Connection, view_set: str, case_id: UUID) -> UUID | None:
    """Return the case under which a case's changes are shown; None where it never was public."""
    table = public_events[view_set]
    query = select(table.c.dossier_id).where(table.c.case_id == case_id)
    found: UUID | None = connection.scalar(query.order_by(table.c.sequence.desc()).limit(1))
    return found


def preview(dossier: Dossier, case: Case, recorded: RecordedClaim) -> Published:
    """Return the change that publishing a claim would make, as things are now; it has no place."""
    return Published(
        sequence=0,
        entry_id=recorded.event_id,
        event_id=recorded.event_id,
        root_id=recorded.root,
        case_id=case.id,
        dossier_id=dossier.main.id,
        code=case.code,
        version=0,
        kind=PUBLISHED,
        type=recorded.facts.type,
        host_state=case.host_state,
        published_at=0,
        author=recorded.author or "",
        fields=encode(said_publicly(dossier, case, recorded)),
        labels=encode(public_labels(dossier.main)),
        headline=public_status(dossier, [(case, recorded)]).headline,
        headline_before=None,
        takes_back=None,
        taken_back_by=None,
        gone_by=None,
    )
