"""What the views of figures have in common: rows that hold from a time on, until another."""

from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, select, update

from .facts import held_at
from .view import View, ViewTable


class FigureFilter(NamedTuple):
    """Which figures are asked for.

    as_of: those that may be of that day or an earlier one. known_at: microseconds; None for now.
    """

    as_of: str | None = None
    known_at: int | None = None
    host_state: str | None = None
    origin_state: str | None = None


def filter_figures(query: Select[Any], table: Any, wanted: FigureFilter) -> Select[Any]:
    """Return a query narrowed to what is asked for."""
    query = query.where(held_at(table, wanted.known_at))
    if wanted.as_of is not None:
        query = query.where(table.c.earliest <= wanted.as_of)
    if wanted.host_state is not None:
        query = query.where(table.c.host_state == wanted.host_state)
    if wanted.origin_state is not None:
        query = query.where(table.c.origin_state == wanted.origin_state)
    return query


def replace_row(
    view: View,
    table: ViewTable,
    figure_id: UUID,
    wanted: dict[str, Any] | None,
    *,
    at: int,
    told_by: tuple[str, ...],
) -> None:
    """Have one row of a figure hold from a time on, or none.

    told_by: the columns in which a row must differ from the one that holds to take its place.
    """
    target = table[view.view_set]
    held = (target.c.figure_id == figure_id, target.c.until.is_(None))
    for row in view.read(select(*(target.c[name] for name in told_by)).where(*held)):
        if wanted is not None and all(row._mapping[name] == wanted[name] for name in told_by):
            return
        view.write(update(target).where(*held).values(until=at))
    if wanted is not None:
        view.put(table, wanted)
