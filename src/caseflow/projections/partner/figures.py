"""The figures as partners may know them: those that are public, and those that wait for a review.

Holds codes and days, no words: this view travels in the main backup. What a figure says is read
from the log, or, once it is public, from the public view.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from uuid import UUID

from eventsourcing.persistence import Tracking
from eventsourcing.projection import Projection
from sqlalchemy import BigInteger, Column, Connection, Integer, String, select

from caseflow.database import Uuid16
from caseflow.domain.figures import Figure

from ..figures import FigureFilter, filter_figures, replace_row
from ..view import Change, View, ViewTable

SHOWN: Final = ("published", "awaiting_review")

partner_figures = ViewTable(
    "partner_figures",
    lambda: [
        # The event that tells the figure as it is here, and its version.
        Column("event_id", Uuid16, primary_key=True),
        # From when and until when it stood so, microseconds; null while it does.
        Column("since", BigInteger, primary_key=True, autoincrement=False),
        Column("until", BigInteger, nullable=True),
        Column("figure_id", Uuid16, nullable=False),
        Column("version", Integer, nullable=False),
        # published or awaiting_review.
        Column("state", String(20), nullable=False),
        Column("partner_id", Uuid16, nullable=False),
        Column("recorded_at", BigInteger, nullable=False),
        Column("host_state", String(2), nullable=False),
        Column("origin_state", String(2), nullable=True),
        # The first day that it may be of; empty where that is open.
        Column("earliest", String(10), nullable=False),
        # The partner's public name; empty where the deployment speaks for it.
        Column("author", String(200), nullable=False),
    ],
).index("figure", "figure_id")


class PartnerFigure(NamedTuple):
    """Where a figure stands, and where its words are."""

    event_id: UUID
    figure_id: UUID
    version: int
    state: str
    partner_id: UUID
    recorded_at: int
    author: str


class PartnerFigures(Projection[View]):
    """Keeps `partner_figures`."""

    name = "partner_figures"

    def process_event(self, domain_event: Change, tracking: Tracking) -> None:
        """Put the row of a figure as it stands now, and end that of how it stood before."""
        event, figure = domain_event.event, domain_event.figure
        if figure is None:
            return
        shown = figure.publication.state in SHOWN
        replace_row(
            self.view,
            partner_figures,
            figure.id,
            _row(figure, event.recorded_at) if shown else None,
            at=event.recorded_at,
            told_by=("event_id", "state"),
        )


def _row(figure: Figure, at: int) -> dict[str, Any]:
    latest = figure.latest
    return {
        "event_id": latest.event_id,
        "since": at,
        "until": None,
        "figure_id": figure.id,
        "version": latest.version,
        "state": figure.publication.state,
        "partner_id": figure.partner_id,
        "recorded_at": latest.recorded_at,
        "host_state": latest.told.host_state,
        "origin_state": latest.told.origin_state,
        "earliest": latest.earliest,
        "author": figure.author or "",
    }


def list_figures(
    connection: Connection, view_set: str, wanted: FigureFilter
) -> Iterator[PartnerFigure]:
    """Yield the figures that partners knew of at a time, in no order."""
    table = partner_figures[view_set]
    columns = (table.c[name] for name in PartnerFigure._fields)
    for row in connection.execute(filter_figures(select(*columns), table, wanted)):
        yield PartnerFigure._make(row)
