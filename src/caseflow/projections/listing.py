"""What the views of cases have in common: a column per track, and the filters of lists."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from msgspec import Struct
from sqlalchemy import Column, Select, String, Table, and_, or_

from caseflow.domain.names import fold
from caseflow.domain.status import Status
from caseflow.domain.vocabulary import TRACKS


class CaseFilter(Struct, frozen=True, kw_only=True):
    """Which cases a list is about. `words`: folded words that a label must hold, each one.

    after: the time and id where the last page ended, exclusive.
    """

    headline: str | None = None
    track: str | None = None
    state: str | None = None
    host_state: str | None = None
    origin_state: str | None = None
    at_risk: bool | None = None
    updated_since: int | None = None
    words: tuple[str, ...] = ()
    after: tuple[int, UUID] | None = None
    limit: int = 50

    def matches(self, status: Status, updated_at: int) -> bool:
        """Return whether a case passes whose status was folded anew, with its last change then."""
        track = status.tracks.get(self.track) if self.track else None
        return (
            (self.updated_since is None or updated_at >= self.updated_since)
            and self.headline in (None, status.headline)
            and self.at_risk in (None, status.at_risk)
            and (self.track is None or (track is not None and track.state == self.state))
        )

    def names(self, labels: Iterable[str]) -> bool:
        """Return whether the labels hold every word that is looked for."""
        words = {word for label in labels for word in fold(label)}
        return all(any(wanted in word for word in words) for wanted in self.words)


def track_columns() -> list[Column[Any]]:
    """Return one column per track: its state, null where nothing moved it."""
    return [Column(f"track_{track}", String(32), nullable=True) for track in TRACKS]


def track_values(status: Status) -> dict[str, str | None]:
    """Return the values of the track columns."""
    tracks = status.tracks
    return {f"track_{t}": tracks[t].state if t in tracks else None for t in TRACKS}


def filter_by_frame(query: Select[Any], table: Table, wanted: CaseFilter) -> Select[Any]:
    """Narrow a query by what no replay changes: states, words, the page."""
    for name in ("host_state", "origin_state"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(table.c[name] == value)
    if wanted.updated_since is not None:
        query = query.where(table.c.updated_at >= wanted.updated_since)
    for word in wanted.words:
        query = query.where(table.c.search.contains(word, autoescape=True))
    return query


def filter_by_status(query: Select[Any], table: Table, wanted: CaseFilter) -> Select[Any]:
    """Narrow a query by where cases stand now."""
    if wanted.headline is not None:
        query = query.where(table.c.headline == wanted.headline)
    if wanted.at_risk is not None:
        query = query.where(table.c.at_risk == wanted.at_risk)
    if wanted.track is not None:
        query = query.where(table.c[f"track_{wanted.track}"] == wanted.state)
    return query


def page(query: Select[Any], table: Table, order: str, wanted: CaseFilter) -> Select[Any]:
    """Order a query by a time column and the case's id, from where the last page ended."""
    at = table.c[order]
    if wanted.after is not None:
        then, case_id = wanted.after
        query = query.where(or_(at > then, and_(at == then, table.c.case_id > case_id)))
    return query.order_by(at, table.c.case_id)
