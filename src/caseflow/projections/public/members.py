"""Which feeds have a public change: those of its state, its type, its headlines, and the recalls.

A feed of a state and the recalls keep a change for good, as the feed of everything does: what is
withdrawn leaves a tombstone there. Feeds of a type or a headline cannot do so. That an entry was in
one of them is what the withdrawal takes back: whoever asked for every such feed would have the
history of a case again, claim by claim. So they keep what can be read, and tell of corrections and
withdrawals as long as these are new (`list_announced`).
"""

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    String,
    delete,
    select,
)

from ..view import View, ViewTable, in_parts
from .history import public_events
from .rows import Row
from .values import PUBLISHED, WITHDRAWN

ANNOUNCED: Final = 50
"""How many public changes have to follow upon a correction or withdrawal before it is not new."""

RECALLS: Final = "recalls"

NONE_NEW: Final = sys.maxsize
_NONE_TOLD: Final[Mapping[UUID, Row]] = {}

public_members = ViewTable(
    "public_members",
    lambda: [
        # `recalls`, or what a feed is of and its code: `type:extradition.granted`.
        Column("feed", String(48), primary_key=True),
        Column(
            "sequence",
            BigInteger().with_variant(Integer, "sqlite"),
            primary_key=True,
            autoincrement=False,
        ),
    ],
).index("sequence", "sequence")


class Told(NamedTuple):
    """What decides which feeds have a change."""

    sequence: int
    kind: str
    type: str
    host_state: str
    headline: str
    headline_before: str | None
    takes_back: int | None
    gone_by: int | None

    @property
    def is_readable(self) -> bool:
        """Return whether it has words, and has them still."""
        return self.kind != WITHDRAWN and self.gone_by is None


class Announced(NamedTuple):
    """What is new in a feed of a type or headline that it does not keep, by sequence number.

    recalls: corrections and withdrawals of what it had. tombstones: what it had, whose words went.
    """

    recalls: frozenset[int] = frozenset()
    tombstones: frozenset[int] = frozenset()


def refresh_members(
    view: View,
    sequences: Collection[int],
    first_new: int = NONE_NEW,
    first_told: Mapping[UUID, Row] = _NONE_TOLD,
) -> None:
    """Write anew which feeds have these changes, and those about the same claims.

    What is written follows from the rows of the public log alone. first_new: no change from this
    number on is in any feed yet. first_told: new rows of claims that were never told before, by
    claim. Where nothing else has touched such a claim, its row says all, and nothing is looked up.
    """
    table, members = public_events[view.view_set], public_members[view.view_set]
    roots: set[Any] = set()
    for some in in_parts(sequences):
        query = select(table.c.root_id).where(table.c.sequence.in_(some))
        roots.update(row.root_id for row in view.read(query))
    for root, row in first_told.items():
        if root not in roots:
            for found in _list_rows([Told._make(row[name] for name in Told._fields)]):
                view.put(public_members, found)
    for some in in_parts(roots):
        view.flush()
        told = _read(view.connection, view.view_set, table.c.root_id.in_(some))
        for numbers in in_parts([t.sequence for t in told if t.sequence < first_new]):
            view.write(delete(members).where(members.c.sequence.in_(numbers)))
        for row in _list_rows(told):
            view.put(public_members, row)
    view.flush()


def _list_rows(told: list[Told]) -> Iterator[dict[str, Any]]:
    kept = _follow(told, keeps=True)
    for change in told:
        for feed in sorted({*_list_steady(change), *kept[change.sequence]}):
            yield {"feed": feed, "sequence": change.sequence}


def _list_steady(change: Told) -> Iterator[str]:
    yield f"state:{change.host_state}"
    if change.kind != PUBLISHED:
        yield RECALLS


def _follow(told: Iterable[Told], *, keeps: bool) -> dict[int, set[str]]:
    """Return which feeds of types and headlines have each change, or had it when it was new.

    told: in order; what a change takes back before it. keeps: of what can be read alone.
    """
    found: dict[int, set[str]] = {}
    for change in told:
        if keeps and not change.is_readable:
            found[change.sequence] = set()
            continue
        # What it takes back was in these, and whoever follows them is to hear of it.
        feeds = set(found.get(change.takes_back, ())) if change.takes_back else set()
        found[change.sequence] = feeds | set(_list_own(change))
    return found


def _list_own(change: Told) -> Iterator[str]:
    # Nothing of both is left of a change whose case was erased.
    if change.type:
        yield f"type:{change.type}"
    for headline in (change.headline, change.headline_before):
        if headline:
            yield f"headline:{headline}"


def list_announced(connection: Connection, view_set: str, feed: str) -> Announced:
    """Return what is new in the feed of a type or headline; feed: as the table names it."""
    table = public_events[view_set]
    first = _find_first_new(connection, view_set)
    is_new = (table.c.sequence >= first) & (table.c.kind != PUBLISHED)
    emptied = select(table.c.root_id).where(table.c.gone_by >= first)
    roots = select(table.c.root_id).where(is_new).union(emptied)
    told = _read(connection, view_set, table.c.root_id.in_(roots))
    had = _follow(told, keeps=False)
    inside = [t for t in told if feed in had[t.sequence]]
    new = (t for t in inside if t.sequence >= first and t.kind != PUBLISHED)
    return Announced(
        recalls=frozenset(t.sequence for t in new if t.gone_by is None),
        tombstones=frozenset(t.sequence for t in inside if (t.gone_by or 0) >= first),
    )


def _find_first_new(connection: Connection, view_set: str) -> int:
    """Return the first sequence number that is new.

    Changes that one event made are new together: of a case with many entries, all are withdrawn at
    once.
    """
    table = public_events[view_set]
    newest = select(table.c.published_at).order_by(table.c.sequence.desc())
    since = connection.scalar(newest.offset(ANNOUNCED - 1).limit(1))
    if since is None:
        return 1
    older = select(table.c.sequence).where(table.c.published_at < since)
    last: int | None = connection.scalar(older.order_by(table.c.sequence.desc()).limit(1))
    return (last or 0) + 1


def _read(connection: Connection, view_set: str, condition: ColumnElement[bool]) -> list[Told]:
    table = public_events[view_set]
    query = select(*(table.c[name] for name in Told._fields)).where(condition)
    return [Told._make(row) for row in connection.execute(query.order_by(table.c.sequence))]
