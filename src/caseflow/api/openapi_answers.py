"""What the API document says of answers. A promise: fields are added, never taken away.

Every schema is open, so that a client passes over what it does not know. A test compares each with
what the application really answers.
"""

from typing import Any, Final, get_args

from caseflow.domain.breakdown import HELD_FOR, OUTCOMES
from caseflow.domain.change_kinds import CHANGE_KINDS
from caseflow.domain.events import Objector
from caseflow.domain.labels import LANGUAGES
from caseflow.domain.status import HEADLINE_CODES
from caseflow.domain.vocabulary import ORDERS, TYPES, Claim, values_of
from caseflow.eventstore.read_log import Kind

from .openapi_requests import Schema, Schemas, name_of, refer
from .reported import MEASURES

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


def make_answer_schemas() -> Schemas:
    """Return the schemas of all answers, by name."""
    return {
        **_cases(),
        **_events(),
        **_erasures(),
        **_objections(),
        **_reads(),
        **_statistics(),
        **_changes(),
        **_feeds(),
        **_vocabulary(),
        **_calendars(),
        **_webhooks(),
        **_service(),
        **_problem(),
    }


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
                "merged": _described(
                    "Cases about the same person that this one stands for; told to partners.",
                    _list_of({"type": "object"}),
                ),
                "subject": _described("Told to those who may see it.", refer("Subject")),
                "external_id": _described("Told to its own partner.", _TEXT),
                "objection": _described(
                    "The first objection that is open, null where none is; told to the case's "
                    "partner and to those who read all objections.",
                    _or_null(
                        _object("An open objection.", {"id": _ID, "recorded_at": _TIME}),
                    ),
                ),
            },
        ),
        "OpenedCase": {
            "allOf": [
                refer("Case"),
                _object(
                    "The case that was opened.",
                    {
                        "possible_duplicates": _described(
                            "Cases opened before whose names are near, the nearest first, of those "
                            "whose subject the caller may see; for the partner to judge.",
                            _list_of(refer("PossibleDuplicate")),
                        )
                    },
                ),
            ]
        },
        "PossibleDuplicate": _object(
            "A case that may be about the same person.",
            {
                "id": _ID,
                "code": _TEXT,
                "label": _described("What the caller may call it, in the language asked.", _TEXT),
                "likeness": _described(
                    "How near its names are; 1: the same but for the spelling.",
                    {"type": "number", "minimum": 0, "maximum": 1},
                ),
            },
        ),
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
                    "The event that was recorded, and where the case, if any, stands now.",
                    {"publication": _TEXT},
                    {"status": refer("Status")},
                ),
            ]
        },
        "Preview": _preview(),
        "EventPage": _page("Events, a page of them, oldest first.", "Event"),
        "LogPage": _page("Events after a position, in order.", "Event", {"position": position}),
    }


def _calendars() -> Schemas:
    calendar = {
        "id": _ID,
        "host_state": _described("Cases of this state alone.", _or_null(_STATE)),
        "created_at": _TIME,
        "last_read_at": _described("To the minute; null where it never was.", _or_null(_TIME)),
    }
    address = _described("What a calendar program subscribes to; told this once.", _ADDRESS)
    return {
        "Calendar": _object("A secret address at which legal clocks are read.", calendar),
        "CreatedCalendar": _object("A calendar that was made.", {**calendar, "address": address}),
        "CalendarList": _object(
            "The partner's calendars, oldest first.", {"items": _list_of(refer("Calendar"))}
        ),
    }


def _webhooks() -> Schemas:
    secret = _described("What signs, as Standard Webhooks writes it; told this once.", _TEXT)
    webhook = {
        "id": _ID,
        "url": _ADDRESS,
        "description": _TEXT,
        "filters": _described("Which public changes are wanted.", {"type": "object"}),
        "state": _one_of(("active", "paused")),
        "reason": _described(
            "Why it is paused: it was asked for, nothing has arrived for two days, or the address "
            "says that it is gone.",
            {"type": ["string", "null"], "enum": ["asked", "failing", "gone", None]},
        ),
        "created_at": _TIME,
        "paused_at": _or_null(_TIME),
        "failing_since": _described("Since when nothing has arrived.", _or_null(_TIME)),
        "position": _described("Up to which public change its messages are made.", _COUNT),
    }
    attempt = _object(
        "One attempt.",
        {
            "at": _TIME,
            "status": _described("Of the answer; null where there was none.", _or_null(_COUNT)),
            "failure": _described("One word where there was no answer.", _or_null(_TEXT)),
        },
    )
    delivery = {
        "message": _described("The `webhook-id` of each attempt.", _TEXT),
        "position": _described("The public change that it is about.", _COUNT),
        "outcome": _one_of(("waiting", "delivered", "given_up")),
        "next_attempt_at": _or_null(_TIME),
        "attempts": _list_of(attempt),
    }
    return {
        "Webhook": _object("Where a partner has public changes sent.", webhook),
        "CreatedWebhook": _object("A webhook that was made.", {**webhook, "secret": secret}),
        "WebhookList": _object(
            "The partner's webhooks, oldest first.", {"items": _list_of(refer("Webhook"))}
        ),
        "WebhookSecret": _object("A new secret.", {"secret": secret}),
        "Delivery": _object("What became of one message.", delivery),
        "DeliveryPage": _page("Messages to a webhook, the newest first.", "Delivery"),
        "ReplayAnswer": _object("How many messages are sent again.", {"messages": _COUNT}),
    }


def _erasures() -> Schemas:
    return {
        "Erasure": _object(
            "How far the erasure of a case has come.",
            {
                "case": _ID,
                "state": _one_of(("requested", "erased")),
                "requested_at": _described("When the first admin asked for it.", _TIME),
                "erased": _described("All cases that were about the same person.", _list_of(_ID)),
                "position": _described("Of the last event; null while it waits.", _or_null(_COUNT)),
                "differs": _described(
                    "Whether it waits although another admin has asked for it: on other grounds, "
                    "or before other cases were held to be of the same person.",
                    _FLAG,
                ),
                "finished": _described(
                    "Whether every key is destroyed and every table written anew; what is left is "
                    "done within minutes, without being asked again.",
                    _FLAG,
                ),
            },
        )
    }


def _objections() -> Schemas:
    return {
        "Received": _object("It was received.", {"received": {"const": True}}),
        "Objection": _object(
            "What somebody objects to a public case.",
            {
                "id": _described("The event that records it.", _ID),
                "case": _ID,
                "code": _TEXT,
                "by": _one_of(get_args(Objector)),
                "text": _or_null(_TEXT),
                "contact": _or_null(_TEXT),
                "hides": _described("Whether it hid the case.", _FLAG),
                "recorded_at": _TIME,
                "state": _one_of(("open", "settled")),
                "settled_by": _described(
                    "The event with which a partner told consent anew.", _or_null(_ID)
                ),
            },
        ),
        "ObjectionPage": _page("Objections, oldest first.", "Objection"),
    }


def _reads() -> Schemas:
    described = "Something restricted that a partner read. Never what was read, only of what."
    return {
        "Read": _object(
            described,
            {
                "position": _described("Its place in the log of reads: the next `after`.", _COUNT),
                "read_at": _TIME,
                "partner": _described("Who read.", _ID),
                "key": _described("The id of the key that was shown.", _ID),
                "case": _or_null(_ID),
                "event": _described("Null where it is about the case.", _or_null(_ID)),
                "kind": _one_of(get_args(Kind)),
            },
        ),
        "ReadPage": _page("Reads of what is restricted, oldest first.", "Read"),
    }


def _event() -> Schema:
    partner = "Who says so: to partners an id, to the public a name."
    common = {n: refer(name_of(n)) for n in Claim.__struct_fields__}
    return _object(
        "A claim with the fields of its type, or an event about the record itself. A field that "
        "was not told, or that the caller may not see, is missing.",
        {
            "id": _ID,
            "case": _or_null(_ID),
            "version": _COUNT,
            "position": _COUNT,
            "recorded_at": _TIME,
            "partner": _described(partner, _TEXT),
        },
        {
            "type": _described("As in `Claim`, or `case.opened` and its like.", _TEXT),
            **common,
            **_own_fields(),
            **_record_fields(),
            **_fate(),
            "publication": _one_of(
                ("published", "awaiting_review", "embargoed", "withheld", "withdrawn")
            ),
            "publication_reason": _described("Why it is not public.", _or_null(_TEXT)),
        },
    )


def _record_fields() -> Schemas:
    """Return what the events say that are about the record itself."""
    return {
        "code": _TEXT,
        "host_state": _STATE,
        "origin_state": _STATE,
        "persons": {"type": "integer", "minimum": 1},
        "claim": _described("The claim that it is about, as it was then.", _ID),
        "event": _described("The event that was reviewed.", _ID),
        "reason": _TEXT,
        "note": _TEXT,
        "rank_against": _FLAG,
        "until_review": _FLAG,
        "measure": _one_of(MEASURES),
        "low": _COUNT,
        "high": _COUNT,
        "as_of": _described("The day of a figure, as it was written.", _TEXT),
        "source": refer("Source"),
        "figure": _described("The figure that it is about, as it was then.", _ID),
        "into": _described("The case that stays.", _ID),
        "by": _described(
            "Who objects; told to those who may read it.", _one_of(get_args(Objector))
        ),
        "text": _described("What is objected.", _TEXT),
        "contact": _described("How to ask whoever objects.", _TEXT),
        "hides": _described("Whether the objection hid the case.", _FLAG),
        "apart_from": _described("The case that is about another person.", _ID),
        "consent": refer("Consent"),
        "subject": refer("Subject"),
    }


def _fate() -> Schemas:
    """Return what is told of what became of a claim."""
    return {
        "state": _one_of(("in_force", "corrected", "retracted", "withdrawn")),
        "kind": _described("Told without a key.", _one_of(("published", "corrected", "withdrawn"))),
        "corrects": _described("The claim in whose place this one stands.", _ID),
        "correction_reason": _TEXT,
        "posted_by": _described("Who corrected it, where that is not its partner.", _ID),
        "corrected_by": _described("The claim that stands in its place.", _ID),
        "retracted_by": _described("The event that took it back.", _ID),
        "retraction_reason": _TEXT,
        "corroborated": _described("How many other partners stand by it.", _COUNT),
        "disputed": _described("How many other partners doubt it.", _COUNT),
    }


def _preview() -> Schema:
    entry = {"title": _TEXT, "content": _described("HTML.", _TEXT)}
    return _object(
        "What the public would read of a claim; of one that is withheld the reason alone.",
        {
            "id": _ID,
            "case": _ID,
            "publication": _TEXT,
            "publication_reason": _or_null(_TEXT),
        },
        {"label": _TEXT, "entry": _object("The entry in the feeds.", entry)},
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
                    "What others report, beside what is computed and not mixed into it.",
                    _list_of(refer("ReportedFigure")),
                ),
            },
        ),
        "Breakdown": _object(
            "What the statistics of the same moment are made of: counts of persons.",
            {
                "as_of": _or_null(_DAY),
                "known_at": _or_null(_TIME),
                "position": _COUNT,
                "persons": _COUNT,
                "returns": _described(
                    "Who has been returned by the end of a month, for the months in which one of "
                    "the counts changes.",
                    _list_of(refer("ReturnsOfMonth")),
                ),
                "flows": _described(
                    "Why persons were held, and what became of them; each person once.",
                    _list_of(refer("Flow")),
                ),
                "custody_days": _described(
                    "Persons by their certain days in custody.", _list_of(refer("CustodyBand"))
                ),
            },
        ),
        "ReturnsOfMonth": _object(
            "Persons returned by the end of a month (or the day that is asked for), by kind.",
            {
                "month": _TEXT,
                "certain": _described("What has certainly happened by then.", _COUNTS),
                "possible": _described(
                    "What may have happened by then: `returned` as of the last day of the month.",
                    _COUNTS,
                ),
            },
        ),
        "Flow": _object(
            "Persons held for a reason, the first of several, and what became of them.",
            {"held_for": _one_of(HELD_FOR), "outcome": _one_of(OUTCOMES), "persons": _COUNT},
        ),
        "CustodyBand": _object(
            "Persons held for `shortest` to `longest` days; null: there is no longest.",
            {"shortest": _COUNT, "longest": _or_null(_COUNT), "persons": _COUNT},
        ),
        "ReportedFigure": _object(
            "A number that an organisation or the press publishes: from `low` to `high`.",
            {
                "id": _described("The event that tells it.", _ID),
                "measure": _one_of(MEASURES),
                "label": _TEXT,
                "low": _COUNT,
                "high": _COUNT,
                "as_of": _described("The day that it is of, as it was written.", _TEXT),
                "host_state": _STATE,
                "origin_state": _or_null(_STATE),
                "source": refer("Source"),
                "summary": {"anyOf": [refer("Texts"), {"type": "null"}]},
                "reported_by": _described("The partner's public name, or the deployment's.", _TEXT),
                "recorded_at": _TIME,
                "state": _described(
                    "What waits for a review is told to partners alone.",
                    _one_of(("published", "awaiting_review")),
                ),
            },
            {"partner": _described("Who reported it; told to partners.", _ID)},
        ),
    }


def _changes() -> Schemas:
    position = _described("Everything up to it has been looked at: the next `since`.", _COUNT)
    beside = (
        "What moved since the last change of all and will stand beside the next; not to be added "
        "twice. Nothing but on the last page."
    )
    moved = {"type": "object", "additionalProperties": {"type": "integer"}}
    return {
        "NumberChange": _object(
            "A change and what it did to the statistics: by path, such as `/headline/extradited`, "
            "the number of persons that it added or took away.",
            {
                "position": _COUNT,
                "recorded_at": _TIME,
                "kind": _one_of(CHANGE_KINDS),
                "case": _ID,
                "id": _described("The event, as `GET /v1/events` lists it.", _ID),
                "moved": moved,
                "beside": _described(
                    "What moved since the change before without one that the caller may see.",
                    moved,
                ),
            },
            {"visibility": _described("Told to partners.", _TEXT)},
        ),
        "NumberChangePage": _page(
            "Changes after a position, in order, and what each moved.",
            "NumberChange",
            {"position": position, "beside": _described(beside, moved)},
        ),
    }


# -- feeds ----------------------------------------------------------------------------------------


def _feeds() -> Schemas:
    authors = _list_of(_object("Who says so.", {"name": _TEXT}))
    entry = {"type": "string", "pattern": "^urn:uuid:[0-9a-f-]{36}$"}
    return {
        "JsonFeed": _object(
            "A feed (JSON Feed 1.1): the newest public changes, newest first.",
            {
                "version": {"const": "https://jsonfeed.org/version/1.1"},
                "title": _TEXT,
                "home_page_url": _ADDRESS,
                "feed_url": _ADDRESS,
                "language": _TEXT,
                "authors": authors,
                "items": _list_of(refer("JsonFeedItem")),
                "_caseflow": _object(
                    "What JSON Feed has no word for.",
                    {
                        "position": _described("Of the newest change in it.", _COUNT),
                        "as_of": _or_null(_DAY),
                        "known_at": _or_null(_TIME),
                        "updated": _TIME,
                        "withdrawn": _described(
                            "Items that are gone: delete the copies you have.",
                            _list_of(_object("A tombstone.", {"id": entry, "when": _TIME})),
                        ),
                    },
                ),
            },
            {"next_url": _described("The archive before this document.", _ADDRESS)},
        ),
        "JsonFeedItem": _object(
            "One public change; it is never edited.",
            {
                "id": entry,
                "url": _ADDRESS,
                "title": _TEXT,
                "content_html": _TEXT,
                "date_published": _TIME,
                "language": _TEXT,
                "authors": authors,
                "tags": _list_of(_TEXT),
                "_caseflow": _object(
                    "The change for programs.",
                    {
                        "position": _described("Its place in the public log.", _COUNT),
                        "kind": _one_of(("published", "corrected", "withdrawn")),
                        "event": _ID,
                        "case": _ID,
                        "code": _TEXT,
                        "host_state": _STATE,
                    },
                    {
                        "type": _TEXT,
                        "headline": _one_of(HEADLINE_CODES),
                        "corrects": _described("The item that this one corrects.", entry),
                        "withdraws": _described("The item that this one takes back.", entry),
                    },
                ),
            },
        ),
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
                "measures": _list_of(refer("VocabularyCode")),
                "held_for": _list_of(refer("VocabularyCode")),
                "outcomes": _list_of(refer("VocabularyCode")),
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
    places = (
        "cases", "events", "statistics", "vocabulary", "feed", "log", "openapi", "reference",
    )  # fmt: skip
    return {
        "Index": _object("Where to begin.", {"name": _TEXT, **dict.fromkeys(places, _ADDRESS)}),
        "SignedLog": _object(
            "How far a log is signed, and since when; null before the first time.",
            {"size": _COUNT, "signed_at": _or_null(_TIME)},
        ),
        "Bundle": _object(
            "What a log has of a case or an event, to be checked offline (`docs/bundle.md`). "
            "RFC 8785: a byte more or less is refused.",
            {
                "format": {"const": "caseflow/bundle/v1"},
                "log": _one_of(("full", "public")),
                "key": _TEXT,
                "witnesses": _list_of(_TEXT),
                "checkpoint": _TEXT,
                "statement": _TEXT,
                "consistency": _list_of(_TEXT),
                "events": _list_of(refer("BundleEvent")),
            },
        ),
        "BundleEvent": _object(
            "A record with its inclusion proof, and the fields that are shown with their salts.",
            {
                "index": _COUNT,
                "record": {"type": "object"},
                "proof": _list_of(_TEXT),
                "fields": _list_of(refer("DisclosedField")),
            },
        ),
        "DisclosedField": _object(
            "A field as it was committed to.",
            {"path": _list_of(_TEXT), "value": {}, "salt": _TEXT},
        ),
        "ConsistencyProof": _object(
            "That a tree is the start of another (RFC 6962, section 2.1.2); base64.",
            {
                "from": _COUNT,
                "to": _COUNT,
                "from_root": _TEXT,
                "to_root": _TEXT,
                "proof": _list_of(_TEXT),
            },
        ),
        "Health": _object("The process is alive.", {"status": {"const": "alive"}}),
        "Readiness": _object(
            "The service can answer and record.",
            {
                "status": {"const": "ready"},
                "database": _TEXT,
                "writer": _TEXT,
                "position": _COUNT,
                "log": refer("SignedLog"),
            },
            {
                "full_log": _described("Told to partners.", refer("SignedLog")),
                "publication": _described(
                    "Whether anything may become public now; told to partners.",
                    _one_of(("running", "halted")),
                ),
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
            {
                "id": _described("Of what was withdrawn.", _ID),
                "errors": _list_of(fault),
            },
        ),
    }
