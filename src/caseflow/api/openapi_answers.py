"""What the API document says of answers. A promise: fields are added, never taken away.

Every schema is open, so that a client passes over what it does not know. A test compares each with
what the application really answers.
"""

from typing import Any, Final

from caseflow.domain.labels import LANGUAGES
from caseflow.domain.status import HEADLINE_CODES
from caseflow.domain.vocabulary import ORDERS, TYPES, Claim, values_of

from .openapi_requests import Schema, Schemas, name_of, refer

_TEXT: Final[Schema] = {"type": "string"}
_FLAG: Final[Schema] = {"type": "boolean"}
_ID: Final[Schema] = {"type": "string", "format": "uuid"}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_ADDRESS: Final[Schema] = {"type": "string", "format": "uri"}
_STATE: Final[Schema] = {"type": "string", "pattern": "^[A-Z]{2}$"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_COUNTS: Final[Schema] = {"type": "object", "additionalProperties": _COUNT}
# Not `format: date`: years run from 0000, which some readers of dates do not know.
_DAY: Final[Schema] = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}

# The types of event that are about the record itself.
_RECORD_FIELDS: Final[Schemas] = {
    "code": _TEXT,
    "host_state": _STATE,
    "origin_state": _STATE,
    "persons": {"type": "integer", "minimum": 1},
}


def make_answer_schemas() -> Schemas:
    """Return the schemas of all answers, by name."""
    return {**_cases(), **_events(), **_statistics(), **_vocabulary(), **_service(), **_problem()}


def _object(description: str, always: Schemas, sometimes: Schemas | None = None) -> Schema:
    """Return the schema of an object; `always`: fields that are never missing."""
    return {
        "type": "object",
        "description": description,
        "properties": {**always, **(sometimes or {})},
        "required": list(always),
    }


def _list_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _or_null(schema: Schema) -> Schema:
    return schema | {"type": [schema["type"], "null"]}


def _described(description: str, schema: Schema) -> Schema:
    return {"description": description, **schema}


def _one_of(codes: Any) -> Schema:
    return {"type": "string", "enum": list(codes)}


def _page(description: str, item: str, more: Schemas | None = None) -> Schema:
    cursor = _described("What to send as `cursor` for the next page; null on the last.", _TEXT)
    fields = {"items": _list_of(refer(item)), "next_cursor": _or_null(cursor), **(more or {})}
    return _object(description, fields)


# -- cases ----------------------------------------------------------------------------------------


def _cases() -> Schemas:
    return {
        "Case": _object(
            "A case and where it stands. Without a key, `version` and `position` count what is "
            "public.",
            {
                "id": _ID,
                "code": _described("Its random public name, such as KZ-7Q3K-9F2M.", _TEXT),
                "label": _described("What the caller may call it, in the language asked.", _TEXT),
                "host_state": _STATE,
                "origin_state": _STATE,
                "persons": {"type": "integer", "minimum": 1},
                "version": _COUNT,
                "position": _COUNT,
                "status": refer("Status"),
                "as_of": _or_null(_DAY),
                "known_at": _or_null(_TIME),
                "updated_at": _TIME,
            },
            {
                "partner": _described("Who opened it; told to partners.", _ID),
                "opened_at": _TIME,
                "consent": _described("Told to partners.", refer("Consent")),
                "subject": _described("Told to those who may see it.", refer("Subject")),
                "external_id": _described("Told to its own partner.", _TEXT),
            },
        ),
        "OpenedCase": {
            "allOf": [
                refer("Case"),
                _object(
                    "The case that was opened.",
                    {
                        "possible_duplicates": _described(
                            "Cases whose names are near, for the partner to judge.",
                            _list_of({"type": "object"}),
                        )
                    },
                ),
            ]
        },
        "CasePage": _page("Cases, a page of them.", "Case"),
        **_status(),
    }


def _status() -> Schemas:
    tracks = {track: refer("Track") for track in ORDERS}
    return {
        "Status": _object(
            "Where a case stands: what its claims give, taken together.",
            {
                "headline": _one_of(HEADLINE_CODES),
                "label": _TEXT,
                "since": refer("Since"),
                "at_risk": _FLAG,
                "tracks": {"type": "object", "properties": tracks},
                "disputed": _list_of(refer("Disagreement")),
                "flags": _list_of(refer("Flag")),
            },
        ),
        "Track": _object(
            "The state of one track; `GET /v1/vocabulary` lists the states of each.",
            {
                "state": _TEXT,
                "label": _TEXT,
                "since": refer("Since"),
                "events": _described("The claims that tell it.", _list_of(_ID)),
                "ambiguous": _described("Whether other claims left tell another state.", _FLAG),
                "final": _FLAG,
            },
        ),
        "Since": _object(
            "From when it holds: between two days, each included; null where unknown.",
            {"earliest": _or_null(_DAY), "latest": _or_null(_DAY)},
        ),
        "Disagreement": _object(
            "Accounts that contradict each other, or a claim that is disputed.",
            {
                "track": _or_null(_TEXT),
                "events": _list_of(_ID),
                "partners": _list_of(_TEXT),
                "states": _list_of(_TEXT),
                "dates": _list_of(refer("Since")),
            },
        ),
        "Flag": _object(
            "An allegation that follows from a rule and the events named.",
            {"code": _TEXT, "rule": _TEXT, "events": _list_of(_ID)},
        ),
    }


# -- events ---------------------------------------------------------------------------------------


def _events() -> Schemas:
    position = _described("Everything up to it has been looked at: the next `after`.", _COUNT)
    return {
        "Event": _event(),
        "RecordedEvent": {
            "allOf": [
                refer("Event"),
                _object(
                    "The event that was recorded, and where the case stands now.",
                    {"publication": _TEXT, "status": refer("Status")},
                ),
            ]
        },
        "EventPage": _page("Events, a page of them, oldest first.", "Event"),
        "LogPage": _page("Events after a position, in order.", "Event", {"position": position}),
    }


def _event() -> Schema:
    partner = "Who says so: to partners an id, to the public a name."
    common = {n: refer(name_of(n)) for n in Claim.__struct_fields__}
    return _object(
        "A claim with the fields of its type, or an event about the record itself. A field that "
        "was not told, or that the caller may not see, is missing.",
        {
            "id": _ID,
            "case": _ID,
            "version": _COUNT,
            "position": _COUNT,
            "recorded_at": _TIME,
            "partner": _described(partner, _TEXT),
            "type": _described("As in `Claim`, or `case.opened` and its like.", _TEXT),
        },
        {
            **common,
            **_own_fields(),
            **_RECORD_FIELDS,
            "publication": _one_of(("published", "awaiting_review", "embargoed", "withheld")),
            "publication_reason": _described("Why it is not public.", _or_null(_TEXT)),
        },
    )


def _own_fields() -> Schemas:
    """Return the fields that only some types have; one with several meanings has all values."""
    values: dict[str, list[str]] = {}
    for rule in TYPES.values():
        for name in rule.struct.__struct_fields__:
            if name not in Claim.__struct_fields__:
                values.setdefault(name, []).extend(values_of(rule.struct, name))
    return {name: _own_field(name, found) for name, found in values.items()}


def _own_field(name: str, values: list[str]) -> Schema:
    if values:
        return _one_of(dict.fromkeys(values))
    if name.endswith(("_days", "_months")):
        return _COUNT
    return _FLAG if name == "suspended" else _TEXT


# -- statistics -----------------------------------------------------------------------------------


def _statistics() -> Schemas:
    months = {"type": "object", "properties": {"month": _TEXT}, "required": ["month"]}
    custody = {"median": {"type": ["number", "null"]}, "persons": _COUNT}
    return {
        "Statistics": _object(
            "Counts of persons, but for `cases`.",
            {
                "as_of": _or_null(_DAY),
                "known_at": _or_null(_TIME),
                "position": _COUNT,
                "cases": _COUNT,
                "persons": _COUNT,
                "uncertain": _COUNT,
                "at_risk": _COUNT,
                "headline": _COUNTS,
                "tracks": {"type": "object", "additionalProperties": _COUNTS},
                "returned": _COUNTS,
                "departed": _COUNTS,
                "custody_days": _object("Certain days in custody of a person.", custody),
                "series": _list_of(months | {"additionalProperties": _COUNT}),
                "series_undated": _COUNTS,
                "reported": _described(
                    "What others report, beside what is computed.", _list_of({"type": "object"})
                ),
            },
        )
    }


# -- the vocabulary -------------------------------------------------------------------------------


def _vocabulary() -> Schemas:
    coded: Schemas = {"code": _TEXT, "label": refer("Labels")}
    effects = {"type": "object", "additionalProperties": _TEXT}
    return {
        "Vocabulary": _object(
            "Every type, field, state and label.",
            {
                "version": {"type": "integer", "minimum": 1},
                "languages": _list_of(_TEXT),
                "types": _list_of(refer("VocabularyType")),
                "fields": _list_of(refer("VocabularyField")),
                "tracks": _list_of(refer("VocabularyTrack")),
                "headlines": _list_of(refer("VocabularyCode")),
            },
        ),
        "VocabularyType": _object(
            "A type of event. `effects`: track to state; `ceiling`: the widest audience.",
            {
                **coded,
                "effects": effects,
                "ceiling": _TEXT,
                "fields": _list_of(refer("VocabularyField")),
            },
        ),
        "VocabularyField": _object(
            "A field, and the values it may have where they are listed.",
            {"name": _TEXT, "label": refer("Labels"), "required": _FLAG},
            {"values": _list_of(refer("VocabularyCode"))},
        ),
        "VocabularyTrack": _object(
            "A track and its states, lowest first.",
            {**coded, "states": _list_of(refer("VocabularyCode"))},
        ),
        "VocabularyCode": _object("A code and what it is called.", coded),
        "Labels": _object("One text in each language.", dict.fromkeys(LANGUAGES, _TEXT)),
    }


# -- the service itself ---------------------------------------------------------------------------


def _service() -> Schemas:
    places = ("cases", "events", "statistics", "vocabulary", "feed", "openapi")
    return {
        "Index": _object("Where to begin.", {"name": _TEXT, **dict.fromkeys(places, _ADDRESS)}),
        "Health": _object("The process is alive.", {"status": {"const": "alive"}}),
        "Readiness": _object(
            "The service can answer and record.",
            {
                "status": {"const": "ready"},
                "database": _TEXT,
                "writer": _TEXT,
                "position": _COUNT,
            },
        ),
    }


def _problem() -> Schemas:
    fault = _object(
        "One fault. `pointer`: a JSON pointer into the body, `/query/…` or `/headers/…`.",
        {"pointer": _TEXT, "detail": _TEXT},
    )
    return {
        "LineResult": _object(
            "What became of one line of an import; a problem where it was rejected.",
            {
                "line": {"type": "integer", "minimum": 1},
                "result": {"type": "string", "enum": ["created", "unchanged", "rejected"]},
            },
            {"id": _ID, "problem": refer("Problem")},
        ),
        "Problem": _object(
            "A problem (RFC 9457). Nothing was stored.",
            {
                "type": _described(
                    "`/problems/<slug>`, where it is explained.",
                    {"type": "string", "format": "uri-reference"},
                ),
                "title": _TEXT,
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "detail": _TEXT,
            },
            {"errors": _list_of(fault)},
        ),
    }
