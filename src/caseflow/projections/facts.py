"""What folds read of the claims, and from when until when: the tables of both audiences.

A row holds for an interval of time: what was known at a time is what held then. A claim that is
corrected, retracted, disputed or moved to another case ends its row; the claim has another from
then on, or none.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    Select,
    String,
    and_,
    delete,
    func,
    or_,
    select,
    update,
)

from caseflow.database import Uuid16
from caseflow.domain.case import Case
from caseflow.domain.facts import ClaimFacts, Frame, Stance
from caseflow.domain.statistics import CaseFacts

from .view import View, ViewTable


class Told(Struct, frozen=True, omit_defaults=True):
    """A claim as folds read it, and what other partners think of it."""

    facts: ClaimFacts
    stances: tuple[Stance, ...] = ()


decode_told = msgspec.json.Decoder(Told).decode


def facts_table(name: str) -> ViewTable:
    """Return a table of facts and their intervals."""
    return (
        ViewTable(
            name,
            lambda: [
                Column("event_id", Uuid16, primary_key=True),
                # From when and until when it holds, microseconds; null while it does.
                Column("since", BigInteger, primary_key=True, autoincrement=False),
                Column("until", BigInteger, nullable=True),
                # The case that tells it, and the one that stays of those about the same person.
                Column("case_id", Uuid16, nullable=False),
                Column("dossier_id", Uuid16, nullable=False),
                Column("host_state", String(2), nullable=False),
                Column("origin_state", String(2), nullable=False),
                Column("persons", Integer, nullable=False),
                # Whether the person agrees, now, at least to be counted.
                Column("counted", Boolean, nullable=False),
                # JSON: codes and days, never words.
                Column("told", LargeBinary, nullable=False),
            ],
        )
        .index("case", "case_id")
        .index("dossier", "dossier_id")
        # When a row last began or ended is looked up with every read of the numbers.
        .index("since", "since")
        .index("until", "until")
    )


def facts_row(
    main: Case, case: Case, told: Told, since: int, *, counted: bool = True
) -> dict[str, Any]:
    """Return the row of a claim that holds from a time on. main: the case that stays."""
    return {
        "event_id": told.facts.id,
        "since": since,
        "until": None,
        "case_id": case.id,
        "dossier_id": main.id,
        "host_state": main.host_state,
        "origin_state": main.origin_state,
        "persons": main.persons,
        "counted": counted,
        "told": msgspec.json.encode(told),
    }


def replace_facts(
    view: View,
    table: ViewTable,
    rows: Mapping[UUID, dict[str, Any]],
    case_ids: Iterable[UUID],
    *,
    at: int,
    forgotten: Iterable[UUID] = (),
) -> None:
    """Have the facts of some cases be these from a time on: row by event id.

    forgotten: claims of which nothing is kept, not even that it held once.
    """
    target = table[view.view_set]
    held = select(target.c.event_id, target.c.dossier_id, target.c.told).where(
        target.c.case_id.in_(list(case_ids)), target.c.until.is_(None)
    )
    same = set()
    for row in view.read(held):
        wanted = rows.get(row.event_id)
        if wanted and (wanted["dossier_id"], wanted["told"]) == (row.dossier_id, bytes(row.told)):
            same.add(row.event_id)
        else:
            end = update(target).where(target.c.event_id == row.event_id, target.c.until.is_(None))
            view.write(end.values(until=at))
    for event_id, wanted in rows.items():
        if event_id not in same:
            view.put(table, wanted)
    gone = list(forgotten)
    if gone:
        view.write(delete(target).where(target.c.event_id.in_(gone)))


def held_at(table: Any, known_at: int | None) -> ColumnElement[bool]:
    """Return the condition for what holds, now or at a time."""
    if known_at is None:
        return table.c.until.is_(None)  # type: ignore[no-any-return]
    ended_later = or_(table.c.until.is_(None), table.c.until > known_at)
    return and_(table.c.since <= known_at, ended_later)


def select_facts(
    table: Any,
    *,
    known_at: int | None = None,
    host_state: str | None = None,
    origin_state: str | None = None,
) -> Select[Any]:
    """Return the query for what statistics read, as `group_facts` takes it."""
    columns = ("dossier_id", "host_state", "origin_state", "persons", "told")
    query = select(*(table.c[name] for name in columns)).where(held_at(table, known_at))
    query = filter_facts(query, table, host_state, origin_state)
    return query.order_by(table.c.dossier_id, table.c.event_id)


def filter_facts(
    query: Select[Any], table: Any, host_state: str | None, origin_state: str | None
) -> Select[Any]:
    """Return a query for facts that may be counted, of persons between these states alone."""
    query = query.where(table.c.counted)
    if host_state is not None:
        query = query.where(table.c.host_state == host_state)
    if origin_state is not None:
        query = query.where(table.c.origin_state == origin_state)
    return query


def group_facts(rows: Iterable[Any]) -> Iterator[CaseFacts]:
    """Yield one CaseFacts per person; rows: as `group_by_dossier` takes them."""
    return (facts for _, facts in group_by_dossier(rows))


def group_by_dossier(rows: Iterable[Any]) -> Iterator[tuple[UUID, CaseFacts]]:
    """Yield one CaseFacts per person, with the case that stays.

    rows: id, host state, origin state, persons, told (JSON); those of one person together.
    """
    for dossier_id, group in groupby(rows, key=lambda row: row[0]):
        found = list(group)
        _, host_state, origin_state, persons, _ = found[0]
        told = [decode_told(row[4]) for row in found]
        yield (
            dossier_id,
            CaseFacts(
                Frame(host_state, origin_state),
                persons,
                [t.facts for t in told],
                [stance for t in told for stance in t.stances],
            ),
        )


class Known(NamedTuple):
    """What folds read of one person's claims."""

    claims: list[ClaimFacts]
    stances: list[Stance]


def list_known(
    connection: Connection, table: Any, which: ColumnElement[bool], known_at: int | None
) -> Known:
    """Return what is told of some cases, as it holds now or held at a time."""
    query = select(table.c.told).where(which, held_at(table, known_at))
    told = [decode_told(bytes(row.told)) for row in connection.execute(query)]
    return Known([t.facts for t in told], [stance for t in told for stance in t.stances])


def find_last_change(connection: Connection, table: Any, known_at: int | None) -> int:
    """Return when a row last began or ended, in microseconds; 0 for never."""
    last = 0
    for column in (table.c.since, table.c.until):
        query = select(func.max(column))
        if known_at is not None:
            query = query.where(column <= known_at)
        last = max(last, connection.scalar(query) or 0)
    return last
