"""Views: tables that are pure functions of the log, and how their rows are written.

Every table exists twice: one set is live, the other is what a rebuild fills; one row of the log's
head says which is which. A projection takes events in and puts rows into a `View`, which writes
them all at once, in the transaction of the events.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeVar

from eventsourcing.persistence import IntegrityError, Tracking, TrackingRecorder
from sqlalchemy import (
    Column,
    Connection,
    Executable,
    Index,
    Insert,
    MetaData,
    Row,
    Select,
    Table,
    delete,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import SchemaItem

from caseflow.database import write_rows
from caseflow.domain.case import Case
from caseflow.domain.dossier import Dossier
from caseflow.domain.events import Event
from caseflow.domain.figures import Figure
from caseflow.domain.public_changes import PublicChange

Value = TypeVar("Value")

VIEW_SETS: Final = ("a", "b")
metadata = MetaData()


# Values in one statement: both databases take 30,000 and more.
_TOGETHER: Final = 5_000


def in_parts(values: Collection[Value]) -> Iterator[list[Value]]:
    """Yield values in lists that fit into one statement."""
    found = list(values)
    for start in range(0, len(found), _TOGETHER):
        yield found[start : start + _TOGETHER]


class Change(NamedTuple):
    """An event and what it changed, as that is after it.

    case: None where the event is of no case. dossiers: those that the event changed. figure: None
    where the event is of none.
    """

    event: Event
    case: Case | None
    dossiers: Sequence[Dossier]
    figure: Figure | None = None


class ViewTable:
    """A table of a view, once in each set."""

    def __init__(self, name: str, build: Callable[[], Sequence[Column[Any]]]) -> None:
        self.name = name
        self._tables = {s: Table(f"{name}_{s}", metadata, *build()) for s in VIEW_SETS}
        self.key_of: Callable[[Mapping[str, Any]], Any] = itemgetter(
            *(column.name for column in self._tables[VIEW_SETS[0]].primary_key)
        )
        """Given a row, its primary key: a value, or a tuple where that has several columns."""
        registered.append(self)

    def __getitem__(self, view_set: str) -> Table:
        return self._tables[view_set]

    def index(self, suffix: str, *columns: str, unique: bool = False) -> "ViewTable":
        """Add an index over columns to the table of each set."""
        for view_set, table in self._tables.items():
            name = f"{self.name}_{view_set}_{suffix}"
            items: list[SchemaItem] = [table.c[c] for c in columns]
            Index(name, *items, unique=unique)  # type: ignore[arg-type]
        return self


registered: list[ViewTable] = []


Told = Mapping[int, Sequence[PublicChange]]
"""The public changes that were made before, by the position of the event that made them."""


class View(TrackingRecorder):
    """The rows of one transaction, gathered in log order and written together.

    For one key the last row wins. Tracking is the position of the last event taken in.
    """

    def __init__(self, connection: Connection, view_set: str, told: Told | None = None) -> None:
        """told: what events that were taken in before made public; None for new events."""
        self.connection = connection
        self.view_set = view_set
        self.told = told
        self.changes: list[PublicChange] = []
        """The public changes that new events made, in order; complete once a batch is processed."""
        self._rows = defaultdict[ViewTable, dict[Any, dict[str, Any]]](dict)
        self._gone: list[tuple[ViewTable, dict[str, Any]]] = []
        self._positions: dict[str, int] = {}

    def insert_tracking(self, tracking: Tracking) -> None:
        """Note that an event was taken in. Raises IntegrityError when it was before."""
        last = self._positions.get(tracking.application_name, 0)
        if tracking.notification_id <= last:
            raise IntegrityError(f"position {tracking.notification_id} was processed already")
        self._positions[tracking.application_name] = tracking.notification_id

    def max_tracking_id(self, application_name: str) -> int | None:
        """Return the last position that was taken in here."""
        return self._positions.get(application_name)

    def put(self, table: ViewTable, row: dict[str, Any]) -> None:
        """Write a row at the end of the batch, instead of any with the same primary key."""
        self._rows[table][table.key_of(row)] = row

    def remove(self, table: ViewTable, **key: Any) -> None:
        """Remove the rows with these values, those of this batch included."""
        rows = self._rows.get(table, {})
        for found in [k for k, r in rows.items() if all(r[n] == v for n, v in key.items())]:
            del rows[found]
        self._gone.append((table, key))

    def write(self, statement: Executable) -> None:
        """Carry out a statement on the live tables, after the rows that were put before it."""
        self.flush()
        self.connection.execute(statement)

    def read(self, query: Select[Any]) -> Sequence[Row[Any]]:
        """Return what a query finds, the rows that were put before it included."""
        self.flush()
        return self.connection.execute(query).all()

    def flush(self) -> None:
        """Write the rows."""
        for table, key in self._gone:
            target = table[self.view_set]
            self.connection.execute(
                delete(target).where(*(target.c[n] == v for n, v in key.items()))
            )
        for table, rows in self._rows.items():
            if rows:
                upsert(self.connection, table[self.view_set], list(rows.values()))
        self._gone.clear()
        self._rows.clear()


def upsert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Write rows, each instead of the one with the same primary key."""
    write_rows(connection, _make_upsert(table, connection.dialect.name), rows)


# Made for each batch anew, the statements took two fifths of a post.
@cache
def _make_upsert(table: Table, dialect_name: str) -> Insert:
    dialect = postgresql if dialect_name == "postgresql" else sqlite
    statement: sqlite.Insert | postgresql.Insert = dialect.insert(table)
    keys = [c.name for c in table.primary_key]
    rest = {c.name: statement.excluded[c.name] for c in table.c if not c.primary_key}
    if not rest:
        return statement.on_conflict_do_nothing(index_elements=keys)
    return statement.on_conflict_do_update(index_elements=keys, set_=rest)
