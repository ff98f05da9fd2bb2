"""What becomes of a claim: corrections, retractions, what others think of it, who may read it."""

from typing import Final, Literal, NamedTuple

import msgspec
from litestar import Response, post
from litestar.params import FromPath
from msgspec import Struct

from caseflow.domain.checks import check_words
from caseflow.domain.commands import (
    ChangeVisibility,
    CorroborateClaim,
    DisputeClaim,
    RetractClaim,
    Review,
)
from caseflow.domain.errors import InvalidInputError
from caseflow.domain.events import CorrectionReason, RetractionReason
from caseflow.domain.figures import RetractFigure, ReviewFigure
from caseflow.domain.vocabulary import TYPES, AnyClaim, Claim, ExternalId, Text, Visibility
from caseflow.formats.json_input import REFUSED, convert_json, decode_body, parse_json

from .acting import act, ask, fields_of, find_target, pointing_into
from .events import answer_recorded
from .figures import act_on_figure, correct_figure
from .reported import is_figure
from .services import AnyRequest


class Correction(Struct, frozen=True, forbid_unknown_fields=True):
    """A claim in full, to stand in the place of one that was wrong."""

    reason: CorrectionReason
    claim: AnyClaim


class Retraction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a claim is taken back. `note` is never public."""

    reason: RetractionReason
    note: Text | None = None
    external_id: ExternalId | None = None


class Corroboration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That another partner stands by a claim. `note` is never public."""

    note: Text | None = None
    external_id: ExternalId | None = None


class Dispute(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why another partner doubts a claim, in words that are never public.

    rank_against: it holds the claim to be wrong.
    """

    reason: Text
    rank_against: bool = False
    external_id: ExternalId | None = None


class VisibilityChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may read a claim from now on."""

    visibility: Visibility
    external_id: ExternalId | None = None


class ReviewDecision(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a second partner says of an event that waits. `note` is never public."""

    decision: Literal["approve", "decline"]
    note: Text | None = None
    external_id: ExternalId | None = None


_RETRACTION: Final = msgspec.json.Decoder(Retraction)
_CORROBORATION: Final = msgspec.json.Decoder(Corroboration)
_DISPUTE: Final = msgspec.json.Decoder(Dispute)
_VISIBILITY: Final = msgspec.json.Decoder(VisibilityChange)
_REVIEW: Final = msgspec.json.Decoder(ReviewDecision)
HAVE_REASONS: Final = frozenset(
    code for code, rule in TYPES.items() if "reason" in rule.struct.__struct_fields__
)
"""Types whose claims have a reason of their own, beside which a correction's cannot stand."""


@post("/v1/events/{event:str}/corrections", status_code=201)
async def correct_claim(request: AnyRequest, event: FromPath[str]) -> Response[bytes]:
    """Put another claim in the place of one that was wrong; the event is the claim from now on.

    The body is the claim in full with the `reason` of the correction beside its fields, or, always
    possible, `{"reason": …, "claim": {…}}`. A figure is corrected in the same way, with `figure` in
    the place of `claim`.
    """
    asking = await ask(request, "events:write")
    target = await find_target(asking, event)
    if is_figure(target.type):
        return await correct_figure(request, asking, target)
    correction, part = _read_correction(asking.body)
    with pointing_into(part):
        future = asking.services.cases.correct_claim(
            asking.caller,
            target.case_id,
            target.event_id,
            correction.claim,
            correction.reason,
            asking.render,
            expected_version=asking.expected_version,
            attempt=asking.attempt,
        )
        answer = await asking.services.wait(future)
    return await answer_recorded(request, asking.caller, answer, asking.language)


class _Read(NamedTuple):
    """A correction, and the pointer of the part of the body that is the claim."""

    correction: Correction
    part: str


def _read_correction(body: bytes) -> _Read:
    value = parse_json(body)
    if not isinstance(value, dict) or "claim" in value:
        return _Read(convert_json(value, Correction), "/claim")
    if isinstance(code := value.get("type"), str) and code in HAVE_REASONS:
        told = 'a claim of this type has a reason of its own: send {"reason": …, "claim": {…}}'
        raise InvalidInputError(REFUSED, [("/reason", told)])
    reason = {"reason": value.pop("reason")} if "reason" in value else {}
    claim: Claim = convert_json(value, AnyClaim)
    stated: _Reason = convert_json(reason, _Reason)
    found = Correction(stated.reason, claim)  # type: ignore[arg-type]  # of the union, as decoded
    return _Read(found, "")


class _Reason(Struct):
    reason: CorrectionReason


@post("/v1/events/{event:str}/retractions", status_code=201)
async def retract_claim(request: AnyRequest, event: FromPath[str]) -> Response[bytes]:
    """Take a claim back: it counts no more, and what was public of it is withdrawn.

    So is a figure.
    """
    asking = await ask(request, "events:write")
    asked = decode_body(_RETRACTION, asking.body)
    check_words(asked)
    target = await find_target(asking, event)
    if is_figure(target.type):
        return await act_on_figure(request, asking, RetractFigure, target, fields_of(asked))
    told = {"claim_id": target.event_id, **fields_of(asked)}
    return await act(request, asking, RetractClaim, target.case_id, told)


@post("/v1/events/{event:str}/corroborations", status_code=201)
async def corroborate_claim(request: AnyRequest, event: FromPath[str]) -> Response[bytes]:
    """Stand by a claim that another partner made."""
    asking = await ask(request, "events:write", empty=b"{}")
    asked = decode_body(_CORROBORATION, asking.body)
    check_words(asked)
    target = await find_target(asking, event)
    told = {"claim_id": target.event_id, **fields_of(asked)}
    return await act(request, asking, CorroborateClaim, target.case_id, told)


@post("/v1/events/{event:str}/disputes", status_code=201)
async def dispute_claim(request: AnyRequest, event: FromPath[str]) -> Response[bytes]:
    """Doubt a claim that another partner made.

    With `rank_against` it counts no more where more partners hold it to be wrong than stand by it.
    """
    asking = await ask(request, "events:write")
    asked = decode_body(_DISPUTE, asking.body)
    check_words(asked)
    target = await find_target(asking, event)
    told = {"claim_id": target.event_id, **fields_of(asked)}
    return await act(request, asking, DisputeClaim, target.case_id, told)


@post("/v1/events/{event:str}/visibility", status_code=201)
async def change_visibility(request: AnyRequest, event: FromPath[str]) -> Response[bytes]:
    """Say who may read a claim; what is narrowed is hidden at once, what is widened may wait."""
    asking = await ask(request, "events:write")
    asked = decode_body(_VISIBILITY, asking.body)
    check_words(asked)
    target = await find_target(asking, event)
    told = {"claim_id": target.event_id, **fields_of(asked)}
    return await act(request, asking, ChangeVisibility, target.case_id, told)


@post("/v1/reviews/{event:str}", status_code=201)
async def review_event(request: AnyRequest, event: FromPath[str]) -> Response[bytes]:
    """Approve or decline what waits for a second partner's eyes."""
    asking = await ask(request, "review")
    asked = decode_body(_REVIEW, asking.body)
    check_words(asked)
    target = await find_target(asking, event)
    if is_figure(target.type):
        return await act_on_figure(request, asking, ReviewFigure, target, fields_of(asked))
    told = {"target": target.event_id, **fields_of(asked)}
    return await act(request, asking, Review, target.case_id, told)
