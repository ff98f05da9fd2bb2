"""What the API document says of request bodies: schemas drawn from the structs that decode them.

Whatever a struct takes, its schema takes: fields are never written down here a second time. Beside
the schema stand the words that explain a field, and one example for each.
"""

import re
from typing import Any, Final, get_args

import msgspec

from caseflow.domain.events import CorrectionReason
from caseflow.domain.labels import LANGUAGES, label
from caseflow.domain.vocabulary import TYPES, AnyClaim, Claim, Rule, values_of
from caseflow.eventstore.application import Opening
from caseflow.eventstore.erasure import Grounds

from .calendars import NewCalendar
from .figures import FigureCorrection, FigureReport
from .judgements import (
    HAVE_REASONS,
    Correction,
    Corroboration,
    Dispute,
    Retraction,
    ReviewDecision,
    VisibilityChange,
)
from .objections import NewObjection
from .persons import ConsentChange, Merge, SubjectChange, Unmerge
from .webhooks import NewWebhook, Replay, Resumption

Schema = dict[str, Any]
Schemas = dict[str, Schema]

REFERENCE: Final = "#/components/schemas/{name}"

_DATE: Final = (
    "a date as in EDTF level 0 or 1, or one of a span, `[a..b]`: 2026-01-29, 2026-01, 2025~"
)
_EVENT: Final = "an event of the same case: its id, or `ext:` and your own name for it"

# Fields by name, or by struct and name where one name has two meanings.
_EXPLAINED: Final = {
    "occurred": f"When it happened: {_DATE}. It is kept as it is written.",
    "notified": f"When the person was told: {_DATE}.",
    "until": f"Until when: {_DATE}.",
    "on": f"The day of the hearing: {_DATE}.",
    "published": f"When the source was published: {_DATE}.",
    "after": f"What this follows where the dates leave the order open: {_EVENT}.",
    "against": f"The decision that this is about: {_EVENT}.",
    "jurisdiction": "Whose authorities acted (ISO 3166-1 alpha-2); by default the host state.",
    "destination": "Where the person was taken or went (ISO 3166-1 alpha-2).",
    "place": "Where it happened.",
    "authority": "Which authority acted.",
    "summary": "What happened, in up to three languages; public where the claim is.",
    "private_note": "For your own organisation and readers of restricted claims, never for others.",
    "sources": "Where this is known from; each has a title or a url.",
    "verification": "How certain the partner is.",
    "visibility": "Who may read the claim, where its type and the consent allow as much.",
    "publish_after": "Nothing of this is public before that moment.",
    "external_id": "Your own name for it, unique among yours: the same again is not stored twice.",
    "url": "Where the source is.",
    "archived": "Where a copy of the source is kept.",
    "sha256": "The digest of the file, 64 hexadecimal digits.",
    "connection": "What ties the source to the person.",
    "host_state": "Where the person is (ISO 3166-1 alpha-2).",
    "origin_state": "Where the person could be returned to (ISO 3166-1 alpha-2).",
    "persons": "How many persons a group has.",
    "publish": "What may be public: nothing, a number, a case without a name, or how it is named.",
    "share": "Whether other partners may see the subject; consent to `name` implies it.",
    "basis": "Why the person is held.",
    "Consent.basis": "On whose word the consent rests.",
    "term_days": "The term in days.",
    "term_months": "The sentence in months.",
    "entry_ban_months": "The ban on entry in months.",
    "list": "Which list the person is on.",
    "ground": "What the refusal rests on.",
    "forum": "Before whom the appeal is.",
    "accusation": "What the person is accused of.",
    "profile": "Why the person is at risk: your own codes.",
    "reason": "Why it ended.",
    "Correction.reason": "What was wrong.",
    "Correction.claim": "The claim in full, as it stands from now on.",
    "Retraction.reason": "Why it is taken back.",
    "Dispute.reason": "Why the claim is doubted; never public.",
    "measure": "What is counted.",
    "low": "The number, or the lowest that it may be.",
    "high": "The highest that it may be; `low` where it is not told.",
    "as_of": f"The day that the number is of: {_DATE}. It is kept as it is written.",
    "FigureReport.host_state": "Where the persons are (ISO 3166-1 alpha-2).",
    "FigureReport.origin_state": "Where they came from (ISO 3166-1 alpha-2).",
    "FigureReport.source": "Who publishes the number, and where.",
    "FigureReport.summary": "What the number means, in up to three languages.",
    "FigureCorrection.reason": "What was wrong.",
    "FigureCorrection.figure": "The figure in full, as it stands from now on.",
    "rank_against": "Whether it is held to be wrong, and not only doubted.",
    "note": "For partners and reviewers; never public.",
    "decision": "Whether it may have its effect on the public.",
    "NewWebhook.url": "Where to: https, and an address of the public internet.",
    "NewWebhook.description": "For yourselves.",
    "NewWebhook.filters": "Which public changes are wanted; by default all.",
    "WebhookFilters.case": "Of this case, by its code or id.",
    "WebhookFilters.headline": "Of cases that had this headline before or after the change.",
    "WebhookFilters.type": "About events of this type.",
    "WebhookFilters.host_state": "Of cases in this host state (ISO 3166-1 alpha-2).",
    "WebhookFilters.recalls": "Corrections and withdrawals alone.",
    "Replay.from": "The first public position.",
    "Replay.to": "The last one.",
    "NewCalendar.host_state": "Cases in this host state alone (ISO 3166-1 alpha-2).",
    "NewObjection.case": "The public case: its code or its id.",
    "NewObjection.by": "Who objects: the person, or on whose behalf.",
    "NewObjection.text": "What is wrong, in your own words; never public.",
    "NewObjection.contact": "How to ask you back, if you wish to be asked; never public.",
    "skip": "Go on with what comes from now on, and give up what has waited.",
    "into": "The case that stays: its id, or `ext:` and your own name for it.",
    "from": "The case that this one is not of the same person as; by default that it went into.",
}


def _telling(name: str) -> Schema:
    """Return the schema of an object in which a text is not null."""
    return {"required": [name], "properties": {name: {"type": "string"}}}


# What the decoder does not check and the domain does, as far as a schema can say it.
_ALSO_TRUE: Final[Schemas] = {
    "Source": {"anyOf": [_telling("title"), _telling("url")]},
    "Texts": {"anyOf": [_telling(language) for language in LANGUAGES]},
}
_DATED: Final = ("occurred", "notified", "until", "on", "published", "as_of")
_FORMATS: Final = {
    "publish_after": "date-time",
    "url": "uri",
    "archived": "uri",
    # Not registered anywhere; tells dates from other texts.
    **dict.fromkeys(_DATED, "edtf"),
}


_LINE: Final[Schema] = {
    "type": "object",
    "description": (
        "One line: a case, or an event of one. Each has an `external_id`; of an event, `case` is "
        "its case: an id, or `ext:` and your own name for it. Any number of lines, of one megabyte "
        "at most."
    ),
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
    "properties": {
        "case": {"$ref": "#/components/schemas/Opening"},
        "event": {"type": "object", "required": ["case", "external_id", "type", "occurred"]},
    },
}


def make_request_schemas() -> Schemas:
    """Return the schemas of all request bodies and of what they are made of, by name.

    `Claim` is one of the types of event, told apart by `type`; each has a schema of its own, and
    what every claim may say stands once, in schemas named after the fields.
    """
    _, found = msgspec.json.schema_components(
        [AnyClaim, Opening, *EXAMPLES_OF_RECORD_EVENTS], ref_template=REFERENCE
    )
    components = {name: _reworded(schema) for name, schema in found.items()}
    by_struct = {rule.struct.__name__: code for code, rule in TYPES.items()}
    shared = components[next(iter(by_struct))]["properties"]
    parts = {n: s | _ALSO_TRUE.get(n, {}) for n, s in components.items() if n not in by_struct}
    parts["Correction"]["properties"]["claim"] = refer("Claim")
    for struct, example in EXAMPLES_OF_RECORD_EVENTS.items():
        parts[struct.__name__] |= {"examples": [example]}
    return {
        "Opening": parts.pop("Opening") | {"examples": [EXAMPLE_OPENING]},
        "AnyCorrection": _any_correction(components),
        "AnyConsentChange": _either("Consent", "ConsentChange"),
        "AnySubjectChange": _either("Subject", "SubjectChange"),
        "Claim": _any_claim(),
        "Line": _LINE,
        "SignedNote": {
            "type": "string",
            "description": "A checkpoint with signature lines, as in C2SP signed-note.",
        },
        **{name_of(c): _claim(c, r, components[r.struct.__name__]) for c, r in TYPES.items()},
        **{name_of(field): shared[field] for field in Claim.__struct_fields__},
        **parts,
    }


def name_of(code: str) -> str:
    """Return the schema's name: `ExtraditionGranted` for extradition.granted."""
    return "".join(word.capitalize() for word in re.split(r"[._]", code))


def refer(name: str) -> Schema:
    """Return a reference to a schema."""
    return {"$ref": REFERENCE.format(name=name)}


def _any_claim() -> Schema:
    mapping = {code: REFERENCE.format(name=name_of(code)) for code in TYPES}
    return {
        "title": "Claim",
        "description": "What one partner says happened; `type` says which fields it has.",
        "oneOf": [refer(name_of(code)) for code in TYPES],
        "discriminator": {"propertyName": "type", "mapping": mapping},
    }


def _any_correction(components: Schemas) -> Schema:
    """Return the schema of a correction: what is right beside its reason, or the reason in it."""
    claim = EXAMPLE_DECISION | {"occurred": "2026-01-28"}
    figure = components["FigureReport"]
    forms = [
        _with_reason("The claim in full", _any_fields(components), ["type", "occurred"], claim),
        _with_reason(
            "A figure in full",
            figure["properties"],
            figure["required"],
            EXAMPLE_FIGURE | {"low": 23},
        ),
    ]
    return {"anyOf": [refer("Correction"), forms[0], refer("FigureCorrection"), forms[1]]}


def _with_reason(what: str, fields: Schemas, required: list[str], example: Schema) -> Schema:
    reason = {"type": "string", "enum": list(get_args(CorrectionReason))}
    return {
        "type": "object",
        "description": f"{what}, with the reason of the correction among its fields.",
        "required": [*required, "reason"],
        "properties": {**fields, "reason": reason},
        "additionalProperties": False,
        "examples": [example | {"reason": "typo"}],
    }


def _any_fields(components: Schemas) -> Schemas:
    """Return the fields of all types that have no reason of their own; `Claim` says whose."""
    own: dict[str, list[Schema]] = {}
    told = {code: rule.struct for code, rule in TYPES.items() if code not in HAVE_REASONS}
    for struct in told.values():
        for name, schema in components[struct.__name__]["properties"].items():
            if name not in ("type", *Claim.__struct_fields__) and schema not in own.get(name, ()):
                own.setdefault(name, []).append(schema)
    return {
        "type": {"type": "string", "enum": list(told)},
        **{name: refer(name_of(name)) for name in Claim.__struct_fields__},
        **{name: found[0] if len(found) == 1 else {"anyOf": found} for name, found in own.items()},
    }


def _either(*names: str) -> Schema:
    return {"anyOf": [refer(name) for name in names]}


def _claim(code: str, rule: Rule, schema: Schema) -> Schema:
    """Return the schema of one type of event; what all have in common is referred to."""
    fields = {
        name: refer(name_of(name)) if name in Claim.__struct_fields__ else field
        for name, field in schema["properties"].items()
    }
    moves = ", ".join(f"{track} to {_state(state)}" for track, state in rule.effects.items())
    described = label("types", code, "en").capitalize()
    return {
        "title": name_of(code),
        "description": f"{described}. Moves {moves}." if moves else f"{described}.",
        **{k: v for k, v in schema.items() if k not in ("title", "description")},
        "properties": fields,
        "examples": [make_example(code)],
    }


def _state(state: str) -> str:
    return f"the {state.strip('{}')}" if state.startswith("{") else state


def _reworded(schema: Schema) -> Schema:
    """Return an object's schema with words for its fields and without what says nothing."""
    fields = schema["properties"].items()
    reworded = schema | {"properties": {n: _field(schema["title"], n, s) for n, s in fields}}
    if not schema["required"]:
        del reworded["required"]
    return reworded


def _field(struct: str, name: str, schema: Schema) -> Schema:
    text = _EXPLAINED.get(f"{struct}.{name}") or _EXPLAINED.get(name)
    described = {"description": text} if text else {}
    formatted = {"format": _FORMATS[name]} if name in _FORMATS else {}
    return described | _plain(schema) | formatted


def _plain(schema: Schema) -> Schema:
    """Return the same schema in fewer words: a value or null, a text of an enumeration."""
    if "default" in schema and schema["default"] is None:
        schema = {name: value for name, value in schema.items() if name != "default"}
    match schema.get("anyOf"):
        case [{"enum": values}, {"type": "null"}]:
            return {"type": ["string", "null"], "enum": [*values, None]}
        case [{"type": kind} as one, {"type": "null"}]:
            return {**one, "type": [kind, "null"]}
    return {"type": "string", **schema} if "enum" in schema else schema


# -- examples -------------------------------------------------------------------------------------

EXAMPLE_OPENING: Final = {
    "external_id": "case-1",
    "host_state": "KZ",
    "origin_state": "RU",
    "persons": 1,
    "subject": {
        "names": [
            {"text": "Образец Образцов", "language": "ru", "kind": "primary"},
            {"text": "Obrazets Obraztsov", "language": "en", "kind": "transliteration"},
        ],
        "birth_year": 1990,
        "nationalities": ["RU"],
        "profile": ["activist"],
    },
    "consent": {"publish": "anonymous", "basis": "own", "share": False},
}
"""A case that can be opened; the examples of claims can be recorded about it."""

EXAMPLE_DECISION: Final = {
    "external_id": "case-1/granted",
    "type": "extradition.granted",
    "occurred": "2026-01-29",
    "notified": "2026-02-05",
    "authority": "Prosecutor General",
    "summary": {"en": "Extradition was granted.", "ru": "Выдача разрешена."},
    "sources": [{"title": "Copy of the decision", "language": "ru", "connection": "lawyer"}],
    "verification": "confirmed",
    "visibility": "public",
}
"""The claim that the examples of appeals are against."""

EXAMPLE_FIGURE: Final = {
    "external_id": "figure-1",
    "measure": "persons_staying",
    "low": 50_000,
    "high": 80_000,
    "as_of": "2026-01-29",
    "host_state": "KZ",
    "origin_state": "RU",
    "source": {"title": "Estimate of a bureau", "url": "https://bureau.example/2026"},
    "summary": {"en": "Between 50,000 and 80,000 stayed."},
}
"""A figure that can be reported."""

_CORRECTED: Final = EXAMPLE_DECISION | {"occurred": "2026-01-28"}
EXAMPLES_OF_RECORD_EVENTS: Final[dict[type[msgspec.Struct], dict[str, Any]]] = {
    Correction: {"reason": "typo", "claim": _CORRECTED},
    FigureReport: EXAMPLE_FIGURE,
    FigureCorrection: {"reason": "typo", "figure": EXAMPLE_FIGURE | {"low": 60_000}},
    Retraction: {"reason": "source_withdrew"},
    Corroboration: {"note": "We were at the hearing."},
    Dispute: {"reason": "The court's registry knows of no such decision.", "rank_against": True},
    VisibilityChange: {"visibility": "partners"},
    ReviewDecision: {"decision": "approve"},
    ConsentChange: {"consent": {"publish": "count", "basis": "own"}},
    SubjectChange: {"subject": EXAMPLE_OPENING["subject"]},
    Merge: {"into": "ext:case-2"},
    NewObjection: {"case": "KZ-7Q3K-9F2M", "by": "lawyer", "text": "My client did not agree."},
    Grounds: {"reason": "The person asked for it.", "legal_basis": "Withdrawal of consent"},
    NewWebhook: {"url": "https://newsroom.example/caseflow", "filters": {"host_state": "KZ"}},
    Replay: {"from": 1, "to": 50},
    Resumption: {"skip": True},
    NewCalendar: {"host_state": "KZ"},
    Unmerge: {},
}
"""A body of each request about the record."""

_VALUES: Final[dict[str, Any]] = {
    "against": "ext:case-1/granted",
    "accusation": "evasion of military service",
    "destination": "RU",
    "entry_ban_months": 60,
    "forum": "Supreme Court",
    "ground": "risk of torture",
    "on": "2026-02-20",
    "suspended": False,
    "term_days": 40,
    "term_months": 78,
    "until": "2026-03-10",
}
_VALUES_OF_TYPE: Final[dict[str, dict[str, Any]]] = {
    "departure.left": {"destination": "GE"},
    "departure.protected": {"destination": "DE"},
}


def make_example(code: str) -> dict[str, Any]:
    """Return a claim of a type that is accepted, with every field of the type's own."""
    if code == EXAMPLE_DECISION["type"]:
        return dict(EXAMPLE_DECISION)
    struct = TYPES[code].struct
    own = [n for n in struct.__struct_fields__ if n not in Claim.__struct_fields__]
    values = {name: _example_value(struct, name) for name in own}
    return {"type": code, "occurred": "2026-02-10", **values, **_VALUES_OF_TYPE.get(code, {})}


def _example_value(struct: type[Claim], name: str) -> Any:
    choices = values_of(struct, name)
    return choices[0] if choices else _VALUES[name]
