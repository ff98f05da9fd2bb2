"""The figures that anyone may read: each as it was published, and from when until when."""

from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from eventsourcing.persistence import Tracking
from eventsourcing.projection import Projection
from sqlalchemy import BigInteger, Column, Connection, LargeBinary, String, delete, select

from caseflow.database import Uuid16
from caseflow.domain.figures import Figure, public_fields

from ..figures import FigureFilter, filter_figures, replace_row
from ..view import Change, View, ViewTable
from .values import KEPT

public_figures = ViewTable(
    "public_figures",
    lambda: [
        # The event that tells the figure as it is here: a correction has another than what it
        # corrects.
        Column("event_id", Uuid16, primary_key=True),
        # From when and until when it was public, microseconds; null while it is.
        Column("since", BigInteger, primary_key=True, autoincrement=False),
        Column("until", BigInteger, nullable=True),
        Column("figure_id", Uuid16, nullable=False),
        Column("host_state", String(2), nullable=False),
        Column("origin_state", String(2), nullable=True),
        # The first day that it may be of; empty where that is open.
        Column("earliest", String(10), nullable=False),
        # The partner's public name; empty where the deployment speaks for it.
        Column("author", String(200), nullable=False),
        # JSON: the figure in full, with its source and summary.
        Column("told", LargeBinary, nullable=False),
    ],
).index("figure", "figure_id")


class PublicFigure(NamedTuple):
    """A figure as anyone may read it, or could. since: when it came to be public."""

    event_id: UUID
    since: int
    author: str
    told: bytes

    def decode_fields(self) -> dict[str, Any]:
        """Return what is told, all fields there, null where nothing was said."""
        return dict(msgspec.json.decode(self.told, type=dict[str, Any]))


class PublicFigures(Projection[View]):
    """Keeps `public_figures`."""

    name = "public_figures"

    def process_event(self, domain_event: Change, tracking: Tracking) -> None:
        """Put the row of a figure that came to be public, and end that of one that no longer is."""
        event, figure = domain_event.event, domain_event.figure
        if figure is None:
            return
        published = figure.publication.state == "published"
        wanted = _row(figure, event.recorded_at) if published else None
        replace_row(
            self.view,
            public_figures,
            figure.id,
            wanted,
            at=event.recorded_at,
            told_by=("event_id",),
        )
        self._forget(figure)

    def _forget(self, figure: Figure) -> None:
        """Leave nothing, in replays neither, of what should never have been told."""
        table = public_figures[self.view.view_set]
        forgotten = delete(table).where(table.c.figure_id == figure.id)
        if figure.retraction_reason is not None and figure.retraction_reason not in KEPT:
            self.view.write(forgotten)
        elif figure.latest.reason == "wrong_person":
            self.view.write(forgotten.where(table.c.event_id != figure.latest.event_id))


def _row(figure: Figure, at: int) -> dict[str, Any]:
    latest = figure.latest
    return {
        "event_id": latest.event_id,
        "since": at,
        "until": None,
        "figure_id": figure.id,
        "host_state": latest.told.host_state,
        "origin_state": latest.told.origin_state,
        "earliest": latest.earliest,
        "author": figure.author or "",
        "told": msgspec.json.encode(public_fields(latest.told)),
    }


def list_figures(
    connection: Connection, view_set: str, wanted: FigureFilter
) -> Iterator[PublicFigure]:
    """Yield the figures that were public at a time, in no order."""
    table = public_figures[view_set]
    query = filter_figures(select(*(table.c[n] for n in PublicFigure._fields)), table, wanted)
    for row in connection.execute(query):
        yield PublicFigure._make(row)
