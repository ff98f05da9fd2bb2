"""Where each public case stands. A case is public from its first public claim."""

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from eventsourcing.persistence import Tracking
from eventsourcing.projection import Projection
from sqlalchemy import (
    BigInteger,
    BindParameter,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    Select,
    String,
    Text,
    bindparam,
    func,
    select,
)

from caseflow.database import Uuid16
from caseflow.domain.dossier import Dossier
from caseflow.domain.events import CaseErased, CaseOpened
from caseflow.domain.names import fold
from caseflow.domain.status import Status
from caseflow.domain.vocabulary import Claim

from ..listing import (
    CaseFilter,
    filter_by_frame,
    filter_by_status,
    page,
    track_columns,
    track_values,
)
from ..view import Change, View, ViewTable, in_parts
from .history import public_events
from .values import public_labels, public_status

public_cases = (
    ViewTable(
        "public_cases",
        lambda: [
            Column("case_id", Uuid16, primary_key=True),
            Column("code", String(16), nullable=False),
            Column("host_state", String(2), nullable=False),
            Column("origin_state", String(2), nullable=False),
            Column("persons", Integer, nullable=False),
            # Public changes of the case so far.
            Column("version", Integer, nullable=False),
            # Of its last public change.
            Column("updated_at", BigInteger, nullable=False),
            # With the id, the order of lists: stable under inserts.
            Column("published_at", BigInteger, nullable=False),
            # JSON: labels by language; the public status.
            Column("labels", LargeBinary, nullable=False),
            Column("status", LargeBinary, nullable=False),
            # The labels in one plain spelling, for search in any script.
            Column("search", Text, nullable=False),
            Column("headline", String(32), nullable=False),
            Column("at_risk", Boolean, nullable=False),
            *track_columns(),
        ],
    )
    .index("code", "code", unique=True)
    .index("order", "published_at", "case_id")
    # Pages list the host states that there are.
    .index("host", "host_state")
)


class PublicCase(NamedTuple):
    """A public case."""

    case_id: UUID
    code: str
    host_state: str
    origin_state: str
    persons: int
    version: int
    updated_at: int
    published_at: int
    labels: bytes
    status: bytes
    sequence: int

    def decode_labels(self) -> dict[str, str]:
        """Return the public label in each language."""
        return msgspec.json.decode(self.labels, type=dict[str, str])

    def decode_status(self) -> Status:
        """Return the public status."""
        return msgspec.json.decode(self.status, type=Status)


class Counts(NamedTuple):
    """How many public changes a case has had, and when the first and last were, microseconds."""

    version: int
    published_at: int
    updated_at: int


class PublicStatus(Projection[View]):
    """Keeps `public_cases`. A case is folded once for a batch, however many of its events are."""

    name = "public_status"

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._changed: dict[UUID, Dossier] = {}

    def process_event(self, domain_event: Change, tracking: Tracking) -> None:
        """Note a case of which what anyone may read may have changed."""
        event, case, dossiers, _ = domain_event
        if isinstance(event.body, CaseErased):
            self._changed.pop(event.originator_id, None)
            self.view.remove(public_cases, case_id=event.originator_id)
        # A case is public from its first public claim.
        if case is None or isinstance(event.body, CaseOpened):
            return
        if isinstance(event.body, Claim):
            (dossier,) = dossiers
            if dossier.publication_of(case, case.claims[event.id]).state != "published":
                return
        for dossier in dossiers:
            self._changed[dossier.main.id] = dossier

    def process_batch(self) -> None:
        """Put the row of each case that has changed, as it is now; none where it is not public."""
        # What the history has put is counted below.
        self.view.flush()
        counted = self._count_changes()
        for dossier in self._changed.values():
            self._put(dossier, counted)
        self._changed.clear()

    def _put(self, dossier: Dossier, counted: Mapping[UUID, Counts]) -> None:
        main = dossier.main
        stays = main.merged_into is None
        if stays and any(True for _ in dossier.list_shown()):
            self.view.put(public_cases, {**_row(dossier), **counted[main.id]._asdict()})
        elif stays:
            self.view.remove(public_cases, case_id=main.id)
        for merged in dossier.merged:
            self.view.remove(public_cases, case_id=merged.id)

    def _count_changes(self) -> dict[UUID, Counts]:
        """Return how many public changes each case has had, and when the first and last were."""
        query = _select_counts(self.view.view_set)
        return {
            case_id: Counts(*row)
            for some in in_parts(self._changed)
            for case_id, *row in self.view.connection.execute(query, {"case_ids": some})
        }


@cache
def _select_counts(view_set: str) -> Select[UUID, int, int, int]:
    table = public_events[view_set]
    at, dossier_id = table.c.published_at, table.c.dossier_id
    query = select(dossier_id, func.count(), func.min(at), func.max(at))
    wanted: BindParameter[UUID] = bindparam("case_ids", expanding=True)
    return query.where(dossier_id.in_(wanted)).group_by(dossier_id)


def _row(dossier: Dossier) -> dict[str, Any]:
    case = dossier.main
    status, labels = public_status(dossier), public_labels(case)
    return {
        "case_id": case.id,
        "code": case.code,
        "host_state": case.host_state,
        "origin_state": case.origin_state,
        "persons": case.persons,
        "labels": msgspec.json.encode(labels),
        "status": msgspec.json.encode(status),
        "search": _searchable([*labels.values(), case.code]),
        "headline": status.headline,
        "at_risk": status.at_risk,
        **track_values(status),
    }


def _searchable(labels: Iterable[str]) -> str:
    # Most are called by their code in every language.
    words = {word for label in set(labels) for word in fold(label)}
    return " ".join(["", *sorted(words), ""])


def find_case(connection: Connection, view_set: str, name: UUID | str) -> PublicCase | None:
    """Return a public case by its id or code, or None where it is not public."""
    return next(iter(find_cases(connection, view_set, [name])), None)


def find_cases(
    connection: Connection, view_set: str, names: Collection[UUID | str]
) -> list[PublicCase]:
    """Return the public cases that have these ids or codes, in no order."""
    by_id, by_code = _select_named(view_set)
    ids = [name for name in names if isinstance(name, UUID)]
    codes = [name for name in names if isinstance(name, str)]
    found = connection.execute(by_id, {"names": ids}).all() if ids else []
    if codes:
        found = [*found, *connection.execute(by_code, {"names": codes})]
    return [PublicCase(*row) for row in found]


@cache
def _select_named(view_set: str) -> tuple[Select[Any], Select[Any]]:
    table = public_cases[view_set]
    names: BindParameter[Any] = bindparam("names", expanding=True)
    query = _select(view_set)
    return query.where(table.c.case_id.in_(names)), query.where(table.c.code.in_(names))


def list_cases(
    connection: Connection, view_set: str, wanted: CaseFilter, *, replayed: bool = False
) -> list[PublicCase]:
    """Return public cases by first publication.

    replayed: the statuses will be folded anew, so they filter nothing here, and nothing limits.
    """
    table = public_cases[view_set]
    query = page(filter_by_frame(_select(view_set), table, wanted), table, "published_at", wanted)
    if not replayed:
        query = filter_by_status(query, table, wanted).limit(wanted.limit)
    return [PublicCase(*row) for row in connection.execute(query)]


def _select(view_set: str) -> Select[Any]:
    cases, events = public_cases[view_set], public_events[view_set]
    last = (
        select(func.max(events.c.sequence)).where(events.c.dossier_id == cases.c.case_id)
    ).scalar_subquery()
    names = PublicCase._fields[:-1]
    return select(*(cases.c[name] for name in names), last)


def list_states(connection: Connection, view_set: str) -> list[str]:
    """Return the host states of which there are public cases, by code."""
    table = public_cases[view_set]
    query = select(table.c.host_state).distinct().order_by(table.c.host_state)
    return list(connection.scalars(query))
