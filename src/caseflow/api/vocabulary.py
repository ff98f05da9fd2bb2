"""The vocabulary: every type, field, state and label, in three languages, with its version."""

from functools import cache
from typing import Any

import msgspec
from litestar import Response

from caseflow.domain.breakdown import HELD_FOR, OUTCOMES
from caseflow.domain.labels import LANGUAGES, label
from caseflow.domain.status import HEADLINE_CODES
from caseflow.domain.vocabulary import (
    ORDERS,
    TYPES,
    VOCABULARY_VERSION,
    Claim,
    Rule,
    values_of,
)

from .conditional import PUBLIC, respond
from .rendering import encode
from .reported import MEASURES
from .routes import read_at_once
from .services import AnyRequest

_COMMON = frozenset(Claim.__struct_fields__)


@read_at_once("/v1/vocabulary")
def get_vocabulary(request: AnyRequest) -> Response[bytes]:
    """Return every event type with its fields, values and effects, and every state, with labels."""
    return respond(request, _rendered(), media_type="application/json", cache_control=PUBLIC)


@cache
def _rendered() -> bytes:
    return encode(make_vocabulary())


def make_vocabulary() -> dict[str, Any]:
    """Return the vocabulary; labels are objects with `ru`, `kk` and `en`."""
    return {
        "version": VOCABULARY_VERSION,
        "languages": list(LANGUAGES),
        "types": [_type(code, rule) for code, rule in TYPES.items()],
        "fields": [_field(Claim, name) for name in Claim.__struct_fields__],
        "tracks": [_track(track) for track in ORDERS],
        "headlines": [{"code": c, "label": _labels("headlines", c)} for c in HEADLINE_CODES],
        "measures": [{"code": c, "label": _labels("measures", c)} for c in MEASURES],
        # What the breakdown of the statistics counts by.
        "held_for": [{"code": c, "label": _labels("held_for", c)} for c in HELD_FOR],
        "outcomes": [{"code": c, "label": _labels("outcomes", c)} for c in OUTCOMES],
    }


def _type(code: str, rule: Rule) -> dict[str, Any]:
    own = [name for name in rule.struct.__struct_fields__ if name not in _COMMON]
    return {
        "code": code,
        "label": _labels("types", code),
        "effects": rule.effects,
        "ceiling": rule.ceiling,
        "fields": [_field(rule.struct, name) for name in own],
    }


def _field(struct: type[Claim], name: str) -> dict[str, Any]:
    required = {f.name for f in msgspec.structs.fields(struct) if f.required}
    values = values_of(struct, name)
    found: dict[str, Any] = {
        "name": name,
        "label": _labels("fields", name),
        "required": name in required,
    }
    if values:
        found["values"] = [{"code": v, "label": _labels("values", v, of=name)} for v in values]
    return found


def _track(track: str) -> dict[str, Any]:
    states = [{"code": s, "label": _labels("states", s, of=track)} for s in ORDERS[track]]
    return {"code": track, "label": _labels("tracks", track), "states": states}


def _labels(kind: str, code: str, *, of: str | None = None) -> dict[str, str]:
    return {language: label(kind, code, language, of=of) for language in LANGUAGES}
