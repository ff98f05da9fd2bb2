"""Figures: numbers that others publish. Reported here; shown in statistics beside the computed."""

from typing import Any, Final

import msgspec
from litestar import Response, post
from msgspec import Struct

from caseflow.domain.events import CorrectionReason, Count, FigureFields, FigureReported
from caseflow.domain.figures import OnFigure
from caseflow.eventstore.application import Answer
from caseflow.eventstore.figures import FigureRecorded, RenderFigure
from caseflow.formats.json_input import convert_json, decode_body, parse_json

from .acting import Asking, Target, ask
from .events import answer_recorded
from .reported import render_figure_event
from .services import AnyRequest

Json = dict[str, Any]


class FigureReport(FigureFields, frozen=True, kw_only=True):
    """A number that somebody publishes; without `high` it is exactly `low`."""

    high: Count | None = None

    @property
    def told(self) -> FigureReported:
        """Return the figure as it is recorded."""
        fields = msgspec.structs.asdict(self)
        return FigureReported(**fields | {"high": self.low if self.high is None else self.high})


class FigureCorrection(Struct, frozen=True, forbid_unknown_fields=True):
    """A figure in full, to stand in the place of one that was wrong."""

    reason: CorrectionReason
    figure: FigureReport


_REPORT: Final = msgspec.json.Decoder(FigureReport)


@post("/v1/figures", status_code=201)
async def report_figure(request: AnyRequest) -> Response[bytes]:
    """Report a number that an organisation or the press publishes.

    It is shown in statistics under `reported`, beside what is computed and never mixed into it.
    The same again, under the same external_id, answers 200. It is corrected and retracted as
    claims are, under `/v1/events/{event}`.
    """
    asking = await ask(request, "events:write")
    told = decode_body(_REPORT, asking.body).told
    future = asking.services.figures.report(
        asking.caller, told, _renderer(asking), attempt=asking.attempt
    )
    return await _answer(request, asking, await asking.services.wait(future))


async def correct_figure(request: AnyRequest, asking: Asking, target: Target) -> Response[bytes]:
    """Put a figure in the place of one that was wrong; the event is the figure from now on."""
    correction = _read_correction(asking.body)
    future = asking.services.figures.correct(
        asking.caller,
        target.case_id,
        target.event_id,
        correction.figure.told,
        correction.reason,
        _renderer(asking),
        expected_version=asking.expected_version,
        attempt=asking.attempt,
    )
    return await _answer(request, asking, await asking.services.wait(future))


def _read_correction(body: bytes) -> FigureCorrection:
    """Return a correction: the figure beside its reason, or with the reason among its fields."""
    value = parse_json(body)
    if isinstance(value, dict) and "figure" not in value:
        reason = {"reason": value.pop("reason")} if "reason" in value else {}
        figure: FigureReport = convert_json(value, FigureReport)
        stated: _Reason = convert_json(reason, _Reason)
        return FigureCorrection(stated.reason, figure)
    correction: FigureCorrection = convert_json(value, FigureCorrection)
    return correction


class _Reason(Struct):
    reason: CorrectionReason


async def act_on_figure(
    request: AnyRequest, asking: Asking, command: type[OnFigure], target: Target, asked: Json
) -> Response[bytes]:
    """Carry out a command to a figure and answer with the event; asked: the fields of its own."""
    future = asking.services.figures.act(
        asking.caller,
        command,
        target.case_id,
        {"target": target.event_id, **asked},
        _renderer(asking),
        expected_version=asking.expected_version,
        attempt=asking.attempt,
    )
    return await _answer(request, asking, await asking.services.wait(future))


def _renderer(asking: Asking) -> RenderFigure:
    def render(found: FigureRecorded) -> tuple[Json, int]:
        figure, event, position = found
        return render_figure_event(figure, event, asking.caller, position), figure.version

    return render


async def _answer(request: AnyRequest, asking: Asking, answer: Answer) -> Response[bytes]:
    return await answer_recorded(request, asking.caller, answer, asking.language)
