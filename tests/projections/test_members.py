"""Which feeds have a public change: found by an index, and told by the public log alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, event, insert, text

from caseflow.database import make_engine
from caseflow.projections.public.history import public_events
from caseflow.projections.public.members import (
    ANNOUNCED,
    list_announced,
    public_members,
    refresh_members,
)
from caseflow.projections.public.windows import (
    ALL,
    CASES,
    HEADLINES,
    RECALLS,
    STATES,
    TYPES,
    Feed,
    find_last,
    list_archive,
    list_window,
)
from caseflow.projections.view import View
from tests.houses import new_settings

CASE = UUID(int=7)
FEEDS = [
    Feed(ALL), Feed(RECALLS), Feed(CASES, "KZ-0000-0007", CASE), Feed(HEADLINES, "died"),
    Feed(STATES, "KZ"), Feed(TYPES, "person.died"),
]  # fmt: skip


def row(sequence: int, **fields: Any) -> dict[str, Any]:
    made = UUID(int=sequence)
    return {
        "sequence": sequence, "entry_id": made, "event_id": made, "root_id": made,
        "case_id": CASE, "dossier_id": CASE, "code": "KZ-0000-0007", "version": sequence,
        "kind": "published", "type": "person.died", "host_state": "KZ", "published_at": sequence,
        "author": "", "fields": b"{}", "labels": b"{}", "headline": "died",
        "headline_before": "wanted", "consent": b"{}", "takes_back": None, "taken_back_by": None,
        "gone_by": None, **fields,
    }  # fmt: skip


@pytest.fixture
def connection(
    request: pytest.FixtureRequest, database_kind: str, tmp_path: Path
) -> Iterator[Connection]:
    """An empty database in a transaction that is undone, once on each kind."""
    with new_settings(database_kind, request, tmp_path) as settings:
        engine = make_engine(settings.database_url)
        with engine.begin() as found:
            yield found
            found.rollback()
        engine.dispose()


def tell(connection: Connection, *rows: dict[str, Any]) -> None:
    connection.execute(insert(public_events["a"]), list(rows))
    view = View(connection, "a")
    refresh_members(view, [told["sequence"] for told in rows])


def members(connection: Connection) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for feed, sequence in connection.execute(public_members["a"].select()):
        found.setdefault(sequence, set()).add(feed)
    return found


def test_a_correction_is_where_what_it_corrects_was_as_long_as_that_can_be_read(
    connection: Connection,
) -> None:
    root = UUID(int=1)
    better = row(2, root_id=root, kind="corrected", type="wanted.removed", headline="wanted",
                 headline_before="died", takes_back=1)  # fmt: skip
    tell(connection, row(1), better)
    own = {"state:KZ", "recalls", "type:wanted.removed", "headline:wanted", "headline:died"}
    assert members(connection)[2] == own | {"type:person.died"}
    gone = public_events["a"].update().values(gone_by=2)
    connection.execute(gone.where(public_events["a"].c.sequence == 1))
    refresh_members(View(connection, "a"), [1])
    assert members(connection) == {1: {"state:KZ"}, 2: own}


def test_of_a_withdrawal_and_of_what_was_erased_nothing_tells_the_type(
    connection: Connection,
) -> None:
    nothing = {"type": "", "headline": "", "headline_before": None}
    tell(connection, row(1, gone_by=2), row(2, kind="withdrawn"), row(3, **nothing, gone_by=4))
    steady = {"state:KZ"}
    assert members(connection) == {1: steady, 2: steady | {"recalls"}, 3: steady}


def test_what_one_event_took_back_is_new_together(connection: Connection) -> None:
    root = {n: UUID(int=n) for n in range(1, 5)}
    tell(
        connection,
        *(row(n, gone_by=n + 4) for n in root),
        *(
            row(n + 4, root_id=root[n], kind="withdrawn", takes_back=n, published_at=8)
            for n in root
        ),
    )
    tell(connection, *(row(9 + n, type="wanted.removed") for n in range(ANNOUNCED - 1)))
    new = list_announced(connection, "a", "type:person.died")
    assert (new.recalls, new.tombstones) == ({5, 6, 7, 8}, {1, 2, 3, 4})
    tell(connection, row(100, type="wanted.removed"))
    assert list_announced(connection, "a", "type:person.died") == (frozenset(), frozenset())


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.kind)
def test_every_document_is_found_by_an_index(connection: Connection, feed: Feed) -> None:
    """However many changes there are, as few are read as the document holds."""
    tell(connection, *(row(n) for n in range(1, 121)), row(121, kind="corrected", takes_back=1))
    asked: list[tuple[str, Any]] = []

    @event.listens_for(connection, "before_cursor_execute")
    def note(_: Any, __: Any, statement: str, parameters: Any, *more: Any) -> None:
        asked.append((statement, parameters))

    find_last(connection, "a", feed)
    list_window(connection, "a", feed)
    list_archive(connection, "a", feed, 1)
    event.remove(connection, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
    if connection.dialect.name == "postgresql":
        # Of so few rows it would read all.
        connection.execute(text("SET LOCAL enable_seqscan = off"))
    for statement, parameters in asked:
        found = connection.exec_driver_sql(explain + statement, parameters).all()
        plan = "\n".join(str(line) for line in found)
        assert "Seq Scan" not in plan, statement + plan
        # Read backwards from the end, and no further than is wanted.
        assert "SCAN public_" not in plan or "LIMIT" in statement, statement + plan
