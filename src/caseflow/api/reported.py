"""Reported figures as JSON values: in statistics, and as events of the log."""

from typing import Any, get_args

import msgspec

from caseflow.domain.events import Event, FigureBody, FigureCorrected, FigureReported, Measure
from caseflow.domain.figures import Figure, FigureVersion, public_fields
from caseflow.domain.labels import label
from caseflow.domain.times import format_time
from caseflow.eventstore.partners import Caller
from caseflow.eventstore.reading import LogReader, Snapshot
from caseflow.projections.figures import FigureFilter
from caseflow.projections.partner import figures as partner_figures
from caseflow.projections.partner.figures import PartnerFigure
from caseflow.projections.partner.history import Placed
from caseflow.projections.public import figures as public_figures
from caseflow.projections.public.figures import PublicFigure

from .rendering import render_record_event, sees_own_names
from .services import Services

Json = dict[str, Any]

MEASURES = get_args(Measure)
_RANK = {measure: rank for rank, measure in enumerate(MEASURES)}
_TYPES = frozenset(str(body.__struct_config__.tag) for body in get_args(FigureBody))


def is_figure(type_code: str) -> bool:
    """Return whether a type of event tells of a figure."""
    return type_code in _TYPES


# -- in statistics --------------------------------------------------------------------------------


def list_reported(
    services: Services,
    snapshot: Snapshot,
    caller: Caller | None,
    wanted: FigureFilter,
    language: str,
) -> list[Json]:
    """Return the figures that a caller may know, by what they count, then by day.

    Those that wait for a review are there for partners only, and say so.
    """
    public = public_figures.list_figures(snapshot.connection, snapshot.view_set, wanted)
    if caller is None:
        found = [_render_public(figure, services.name) for figure in public]
    else:
        words = {figure.event_id: figure.decode_fields() for figure in public}
        known = partner_figures.list_figures(snapshot.connection, snapshot.view_set, wanted)
        found = [
            _render_partner(figure, words.get(figure.event_id), services, snapshot)
            for figure in known
        ]
    labelled = ({**item, "label": label("measures", item["measure"], language)} for item in found)
    return sorted(labelled, key=_order)


def _order(item: Json) -> tuple[int, str, str, str]:
    return _RANK[item["measure"]], item["as_of"], item["recorded_at"], item["id"]


def _render_public(figure: PublicFigure, deployment: str) -> Json:
    return {
        "id": str(figure.event_id),
        **figure.decode_fields(),
        "reported_by": figure.author or deployment,
        "recorded_at": format_time(figure.since),
        "state": "published",
    }


def _render_partner(
    figure: PartnerFigure, words: Json | None, services: Services, snapshot: Snapshot
) -> Json:
    return {
        "id": str(figure.event_id),
        **(words or _read_words(services.reader, snapshot, figure)),
        "reported_by": figure.author or services.name,
        "partner": str(figure.partner_id),
        "recorded_at": format_time(figure.recorded_at),
        "state": figure.state,
    }


def _read_words(reader: LogReader, snapshot: Snapshot, figure: PartnerFigure) -> Json:
    """Return what a figure says that is in no public table."""
    body = reader.get_event(snapshot, figure.figure_id, figure.version).body
    told = body.replacement if isinstance(body, FigureCorrected) else body
    assert isinstance(told, FigureReported), "figures are never erased"
    return public_fields(told)


# -- as events ------------------------------------------------------------------------------------


def read_event_of_no_case(
    reader: LogReader, snapshot: Snapshot, caller: Caller, placed: Placed
) -> Json:
    """Return an event that is of no case that can be read: of a figure, or of the house."""
    events = reader.list_events(snapshot, placed.case_id)
    event = next(e for e in events if e.id == placed.event_id)
    figure = Figure.from_events(events)
    if figure is None:
        return render_record_event(None, event, caller, placed.position)
    return render_figure_event(figure, event, caller, placed.position)


def render_figure_event(figure: Figure, event: Event, caller: Caller, position: int | None) -> Json:
    """Return an event of a figure as partners see it; what tells the figure, with its fate."""
    rendered = render_record_event(None, event, caller, position)
    version = figure.versions.get(event.id)
    said: Json = msgspec.to_builtins(event.body if version is None else version.told)
    if not sees_own_names(event.partner_id, caller):
        said.pop("external_id", None)
    if version is None:
        if figure.latest.hidden_by == event.id:
            said |= {"publication": "awaiting_review", "publication_reason": "review"}
        return rendered | said
    publication = figure.publication_of(version)
    return {
        **rendered,
        "partner": str(figure.partner_id),
        **said,
        **_fate(figure, version),
        "publication": publication.state,
        "publication_reason": publication.reason,
    }


def _fate(figure: Figure, version: FigureVersion) -> Json:
    """Return whether a version of a figure counts, and what took its place or took it back."""
    fate: Json = {"state": "in_force"}
    if version.corrects is not None:
        fate |= {"corrects": str(version.corrects), "correction_reason": version.reason}
    if version.posted_by != figure.partner_id:
        fate["posted_by"] = str(version.posted_by)
    if version.replaced_by is not None:
        return fate | {"state": "corrected", "corrected_by": str(version.replaced_by)}
    if figure.retracted_by is not None:
        by, reason = str(figure.retracted_by), figure.retraction_reason
        return fate | {"state": "retracted", "retracted_by": by, "retraction_reason": reason}
    return fate
