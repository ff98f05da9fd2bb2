"""What the API document says of each address: one table, a line or two an operation.

Path and method come from the handler, the words from its docstring. What can be said by a rule is
not in the table: a path parameter brings 404, a key 401, a body the problems of bodies.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from caseflow.domain.labels import LANGUAGES
from caseflow.domain.status import HEADLINE_CODES
from caseflow.domain.vocabulary import ORDERS, TYPES

from . import (
    bundles,
    calendars,
    cases,
    changes,
    erasures,
    events,
    exports,
    feeds,
    figures,
    health,
    imports,
    judgements,
    log,
    metrics,
    objections,
    persons,
    problems,
    reads,
    reference,
    statistics,
    stream,
    vocabulary,
    webhooks,
)
from .parameters import DEFAULT_LIMIT, MAX_LIMIT, MAX_POSITION, MAX_SEARCH_LENGTH
from .rate_limits import UNLIMITED

Json = dict[str, Any]

JSON: Final = "application/json"
ATOM: Final = "application/atom+xml"
JSON_FEED: Final = "application/feed+json"
HTML: Final = "text/html"

CASES: Final = "cases"
EVENTS: Final = "events"
AUDIT: Final = "audit"
STATISTICS: Final = "statistics"
FEEDS: Final = "feeds"
WEBHOOKS: Final = "webhooks"
SERVICE: Final = "service"

TAGS: Final = {
    CASES: "A person, or a group, facing return from one state to another.",
    EVENTS: "What happened, as one partner tells it, and the log of it all.",
    AUDIT: "Who read what, for keys that watch over the others; and logs that anyone can check.",
    STATISTICS: "Counts of persons, on any day, as known at any time.",
    FEEDS: "Atom (RFC 4287) and JSON Feed 1.1: one entry for each public change.",
    WEBHOOKS: "Public changes, sent to an address and signed as in Standard Webhooks 1.0.",
    SERVICE: "The service itself, and the words it uses.",
}


class Operation(Struct, frozen=True, kw_only=True):
    """One operation. `id` is a promise: generated clients name their methods after it.

    parameters: names in `PARAMETERS`. schema: of the answer; None where it is text.
    also: other media types that the answer may be of, each with its schema.
    body: the schema of the request's body; optional: none is taken as one that says nothing.
    lines: the answer, and the body where there is one, are lines of these schemas.
    note: the body and the answer are signed notes.
    scope: what a key must carry; None for a public read,
    which has a second view for keys where `keyed`. needs_key: any key will do.
    outcomes: statuses that tell of success in another way than others do, and in which words.
    elsewhere: a case that was merged into another answers with the address of that.
    problems: slugs that follow from no rule.
    """

    handler: HTTPRouteHandler
    id: str
    tag: str
    schema: str | None
    parameters: tuple[str, ...] = ()
    media_type: str = JSON
    also: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    optional: bool = False
    lines: bool = False
    note: bool = False
    scope: str | None = None
    keyed: bool = False
    needs_key: bool = False
    elsewhere: bool = False
    outcomes: Mapping[str, str] = {}
    problems: tuple[str, ...] = ()


_REPLAY: Final = ("as_of", "known_at")
_LANGUAGE: Final = ("lang", "Accept-Language")
_PAGE: Final = ("limit", "cursor")
_WANTED: Final = (
    "headline", "track", "host_state", "origin_state", "at_risk", "updated_since", "q",
)  # fmt: skip


def _feed(
    handler: HTTPRouteHandler, name: str, *parameters: str, elsewhere: bool = False
) -> Operation:
    """Return the operation of a feed whose address ends with the form that is wanted."""
    return Operation(
        handler=handler,
        id=name,
        tag=FEEDS,
        schema=None,
        media_type=ATOM,
        also=((JSON_FEED, "JsonFeed"),),
        parameters=(*parameters, "min_position", *_LANGUAGE),
        elsewhere=elsewhere,
    )


OPERATIONS: Final = (
    Operation(
        handler=cases.list_all_cases,
        id="list_cases",
        tag=CASES,
        schema="CasePage",
        parameters=(*_WANTED, *_REPLAY, *_PAGE, "min_position", *_LANGUAGE),
        keyed=True,
    ),
    Operation(
        handler=cases.open_case,
        id="open_case",
        tag=CASES,
        schema="OpenedCase",
        parameters=("Idempotency-Key", *_LANGUAGE),
        body="Opening",
        scope="events:write",
        problems=("text-names-person",),
    ),
    Operation(
        handler=cases.read_one_case,
        id="get_case",
        tag=CASES,
        schema="Case",
        parameters=("case", *_REPLAY, "min_position", *_LANGUAGE),
        keyed=True,
        elsewhere=True,
    ),
    Operation(
        handler=cases.list_history,
        id="list_case_events",
        tag=EVENTS,
        schema="EventPage",
        parameters=("case", *_REPLAY, *_PAGE, "min_position", *_LANGUAGE),
        keyed=True,
        elsewhere=True,
    ),
    Operation(
        handler=events.record_claim,
        id="record_event",
        tag=EVENTS,
        schema="RecordedEvent",
        parameters=("case", "If-Match", "Idempotency-Key", *_LANGUAGE),
        body="Claim",
        scope="events:write",
        problems=("text-names-person",),
    ),
    Operation(
        handler=imports.import_records,
        id="import_records",
        tag=EVENTS,
        schema="LineResult",
        parameters=("dry_run",),
        media_type=imports.NDJSON,
        body="Line",
        lines=True,
        scope="events:write",
    ),
    Operation(
        handler=exports.export_log,
        id="export_log",
        tag=EVENTS,
        schema="Event",
        parameters=("after", "limit_lines"),
        media_type=imports.NDJSON,
        lines=True,
        keyed=True,
    ),
    Operation(
        handler=events.follow_log,
        id="follow_log",
        tag=EVENTS,
        schema="LogPage",
        parameters=("after", "wait", "limit", "min_position", "lang"),
        keyed=True,
    ),
    Operation(
        handler=stream.follow_stream,
        id="follow_stream",
        tag=EVENTS,
        schema=None,
        media_type=stream.MEDIA_TYPE,
        parameters=(
            "after",
            "Last-Event-ID",
            "followed_case",
            "followed_headline",
            "followed_type",
            "followed_state",
            "recalls",
            "min_position",
            "lang",
        ),
        problems=("unavailable",),
    ),
    Operation(
        handler=events.read_event,
        id="get_event",
        tag=EVENTS,
        schema="Event",
        parameters=("event", "min_position", "lang"),
        keyed=True,
    ),
    *(
        Operation(
            handler=handler,
            id=name,
            tag=EVENTS,
            schema="RecordedEvent",
            parameters=("event", "If-Match", "Idempotency-Key", *_LANGUAGE),
            body=body,
            optional=name == "corroborate_event",
            scope="review" if name == "review_event" else "events:write",
            problems=("text-names-person",),
        )
        for name, handler, body in (
            ("correct_event", judgements.correct_claim, "AnyCorrection"),
            ("retract_event", judgements.retract_claim, "Retraction"),
            ("corroborate_event", judgements.corroborate_claim, "Corroboration"),
            ("dispute_event", judgements.dispute_claim, "Dispute"),
            ("change_visibility", judgements.change_visibility, "VisibilityChange"),
            ("review_event", judgements.review_event, "ReviewDecision"),
        )
    ),
    *(
        Operation(
            handler=handler,
            id=name,
            tag=CASES,
            schema="RecordedEvent",
            parameters=("case", version, "Idempotency-Key", *_LANGUAGE),
            body=body,
            optional=name == "unmerge_case",
            scope="events:write",
            problems=("text-names-person",),
        )
        for name, handler, body, version in (
            ("change_consent", persons.change_consent, "AnyConsentChange", "version_seen"),
            ("amend_subject", persons.amend_subject, "AnySubjectChange", "version_seen"),
            ("merge_case", persons.merge_case, "Merge", "version_seen"),
            ("unmerge_case", persons.unmerge_case, "Unmerge", "If-Match"),
        )
    ),
    Operation(
        handler=erasures.erase_case,
        id="erase_case",
        tag=CASES,
        schema="Erasure",
        parameters=("case", "Idempotency-Key", *_LANGUAGE),
        body="Grounds",
        scope="admin",
        outcomes={
            "200": "It was erased.",
            "202": "Noted; the same from another admin's key carries it out.",
        },
        problems=("text-names-person",),
    ),
    Operation(
        handler=objections.make_objection,
        id="make_objection",
        tag=CASES,
        schema="Received",
        parameters=("lang",),
        body="NewObjection",
        keyed=True,
        outcomes={"202": "It was received."},
        problems=("not-found", "conflict"),
    ),
    Operation(
        handler=objections.list_all_objections,
        id="list_objections",
        tag=CASES,
        schema="ObjectionPage",
        parameters=(*_PAGE, "min_position", "lang"),
        needs_key=True,
    ),
    Operation(
        handler=events.preview_event,
        id="preview_event",
        tag=EVENTS,
        schema="Preview",
        parameters=("event", "min_position", *_LANGUAGE),
        needs_key=True,
    ),
    Operation(
        handler=reads.list_restricted_reads,
        id="list_restricted_reads",
        tag=AUDIT,
        schema="ReadPage",
        parameters=("case_read", "partner_read", "since_read", "after", *_PAGE),
        scope="audit:read",
    ),
    Operation(
        handler=bundles.read_bundle,
        id="get_case_bundle",
        tag=AUDIT,
        schema="Bundle",
        parameters=("case", "since_size"),
        keyed=True,
        problems=("withdrawn",),
    ),
    Operation(
        handler=bundles.read_proof,
        id="get_event_proof",
        tag=AUDIT,
        schema="Bundle",
        parameters=("event", "since_size"),
        keyed=True,
        problems=("withdrawn",),
    ),
    *(
        Operation(
            handler=handler,
            id=f"get_{which}{what}",
            tag=AUDIT,
            schema="ConsistencyProof" if media_type == JSON else None,
            parameters=parameters,
            media_type=media_type,
            scope=log.AUDIT_SCOPE if which == "full_" else None,
            problems=("not-found", "unavailable"),
        )
        for which, what, handler, media_type, parameters in (
            ("", "checkpoint", log.read_checkpoint, log.TEXT, ("witnesses",)),
            ("full_", "checkpoint", log.read_full_checkpoint, log.TEXT, ("witnesses",)),
            ("", "log_key", log.read_key, log.TEXT, ()),
            ("full_", "log_key", log.read_full_key, log.TEXT, ()),
            ("", "tile", log.read_tile, log.BYTES, ("tile",)),
            ("full_", "tile", log.read_full_tile, log.BYTES, ("tile",)),
            ("", "consistency", log.read_consistency, JSON, ("from", "to")),
            ("full_", "consistency", log.read_full_consistency, JSON, ("from", "to")),
        )
    ),
    *(
        Operation(
            handler=handler,
            id=name,
            tag=AUDIT,
            schema=None,
            media_type=log.TEXT,
            body="SignedNote",
            note=True,
            scope=scope,
        )
        for name, handler, scope in (
            ("add_cosignatures", log.add_cosignatures, None),
            ("add_full_cosignatures", log.add_full_cosignatures, log.AUDIT_SCOPE),
        )
    ),
    Operation(
        handler=figures.report_figure,
        id="report_figure",
        tag=STATISTICS,
        schema="Event",
        parameters=("Idempotency-Key", *_LANGUAGE),
        body="FigureReport",
        scope="events:write",
    ),
    Operation(
        handler=statistics.read_statistics,
        id="get_statistics",
        tag=STATISTICS,
        schema="Statistics",
        parameters=(*_REPLAY, "host_state", "origin_state", "min_position", *_LANGUAGE),
        keyed=True,
    ),
    Operation(
        handler=statistics.read_breakdown,
        id="get_breakdown",
        tag=STATISTICS,
        schema="Breakdown",
        parameters=(*_REPLAY, "host_state", "origin_state", "min_position", *_LANGUAGE),
        keyed=True,
    ),
    Operation(
        handler=changes.list_number_changes,
        id="list_number_changes",
        tag=STATISTICS,
        schema="NumberChangePage",
        parameters=(
            "since_position",
            *_PAGE,
            "host_state",
            "origin_state",
            "min_position",
            "lang",
        ),
        keyed=True,
    ),
    Operation(
        handler=feeds.read_all,
        id="read_feed",
        tag=FEEDS,
        schema=None,
        media_type=ATOM,
        parameters=("min_position", *_LANGUAGE),
    ),
    Operation(
        handler=feeds.read_all_as_json,
        id="read_json_feed",
        tag=FEEDS,
        schema="JsonFeed",
        media_type=JSON_FEED,
        parameters=(*_REPLAY, "min_position", *_LANGUAGE),
    ),
    _feed(feeds.read_archive, "read_archive", "archive"),
    Operation(
        handler=feeds.read_recalls,
        id="read_recalls",
        tag=FEEDS,
        schema=None,
        media_type=ATOM,
        parameters=("min_position", *_LANGUAGE),
    ),
    Operation(
        handler=feeds.read_recalls_as_json,
        id="read_json_recalls",
        tag=FEEDS,
        schema="JsonFeed",
        media_type=JSON_FEED,
        parameters=("min_position", *_LANGUAGE),
    ),
    _feed(feeds.read_recall_archive, "read_recall_archive", "archive"),
    _feed(feeds.read_case_feed, "read_case_feed", "file", *_REPLAY, elsewhere=True),
    _feed(feeds.read_case_archive, "read_case_archive", "code", "archive", elsewhere=True),
    _feed(feeds.read_headline_feed, "read_headline_feed", "headline_file"),
    _feed(feeds.read_headline_archive, "read_headline_archive", "headline_code", "archive"),
    _feed(feeds.read_type_feed, "read_type_feed", "type_file"),
    _feed(feeds.read_type_archive, "read_type_archive", "type_code", "archive"),
    _feed(feeds.read_state_feed, "read_state_feed", "state_file"),
    _feed(feeds.read_state_archive, "read_state_archive", "state_code", "archive"),
    Operation(
        handler=calendars.make_calendar,
        id="make_calendar",
        tag=CASES,
        schema="CreatedCalendar",
        parameters=("Idempotency-Key",),
        body="NewCalendar",
        optional=True,
        scope="restricted:read",
        outcomes={"201": "It was made."},
    ),
    Operation(
        handler=calendars.list_all_calendars,
        id="list_calendars",
        tag=CASES,
        schema="CalendarList",
        parameters=("lang",),
        scope="restricted:read",
    ),
    Operation(
        handler=calendars.revoke_calendar,
        id="revoke_calendar",
        tag=CASES,
        schema=None,
        parameters=("calendar",),
        scope="restricted:read",
        outcomes={"204": "Its address leads nowhere."},
        problems=("unavailable",),
    ),
    Operation(
        handler=calendars.read_calendar,
        id="read_calendar",
        tag=CASES,
        schema=None,
        media_type="text/calendar",
        parameters=("calendar_file", *_LANGUAGE),
    ),
    Operation(
        handler=webhooks.add_webhook,
        id="add_webhook",
        tag=WEBHOOKS,
        schema="CreatedWebhook",
        parameters=("Idempotency-Key",),
        body="NewWebhook",
        needs_key=True,
        outcomes={"201": "It was made."},
    ),
    Operation(
        handler=webhooks.list_webhooks,
        id="list_webhooks",
        tag=WEBHOOKS,
        schema="WebhookList",
        parameters=("lang",),
        needs_key=True,
    ),
    Operation(
        handler=webhooks.read_webhook,
        id="get_webhook",
        tag=WEBHOOKS,
        schema="Webhook",
        parameters=("webhook", "lang"),
        needs_key=True,
    ),
    Operation(
        handler=webhooks.delete_webhook,
        id="delete_webhook",
        tag=WEBHOOKS,
        schema=None,
        parameters=("webhook",),
        needs_key=True,
        outcomes={"204": "It is forgotten."},
        problems=("unavailable",),
    ),
    Operation(
        handler=webhooks.pause_webhook,
        id="pause_webhook",
        tag=WEBHOOKS,
        schema="Webhook",
        parameters=("webhook",),
        needs_key=True,
        outcomes={"200": "It is paused."},
        problems=("unavailable",),
    ),
    Operation(
        handler=webhooks.resume_webhook,
        id="resume_webhook",
        tag=WEBHOOKS,
        schema="Webhook",
        parameters=("webhook",),
        body="Resumption",
        optional=True,
        needs_key=True,
        outcomes={"200": "It goes on."},
    ),
    Operation(
        handler=webhooks.rotate_secret,
        id="rotate_webhook_secret",
        tag=WEBHOOKS,
        schema="WebhookSecret",
        parameters=("webhook", "Idempotency-Key"),
        needs_key=True,
        outcomes={"200": "The new secret."},
        problems=("unavailable",),
    ),
    Operation(
        handler=webhooks.replay_deliveries,
        id="replay_deliveries",
        tag=WEBHOOKS,
        schema="ReplayAnswer",
        parameters=("webhook",),
        body="Replay",
        needs_key=True,
        outcomes={"202": "They are sent again."},
    ),
    Operation(
        handler=webhooks.list_deliveries,
        id="list_deliveries",
        tag=WEBHOOKS,
        schema="DeliveryPage",
        parameters=("webhook", *_PAGE, "lang"),
        needs_key=True,
    ),
    Operation(
        handler=vocabulary.get_vocabulary, id="get_vocabulary", tag=SERVICE, schema="Vocabulary"
    ),
    Operation(handler=health.read_index, id="get_index", tag=SERVICE, schema="Index"),
    Operation(handler=health.read_health, id="get_health", tag=SERVICE, schema="Health"),
    Operation(
        handler=health.read_readiness,
        id="get_readiness",
        tag=SERVICE,
        schema="Readiness",
        keyed=True,
        problems=("withdrawn",),
    ),
    Operation(
        handler=metrics.read_metrics,
        id="get_metrics",
        tag=SERVICE,
        schema=None,
        media_type="text/plain",
        keyed=True,
        problems=("withdrawn",),
    ),
    Operation(
        handler=problems.problem_page,
        id="explain_problem",
        tag=SERVICE,
        schema=None,
        media_type=HTML,
        parameters=("slug",),
    ),
    Operation(
        handler=reference.read_reference,
        id="get_reference",
        tag=SERVICE,
        schema=None,
        media_type=HTML,
    ),
    Operation(
        handler=reference.read_asset,
        id="get_reference_asset",
        tag=SERVICE,
        schema=None,
        # Scripts, styles and licences; a range, as OpenAPI allows.
        media_type="text/*",
        parameters=("asset",),
    ),
)


# -- parameters -----------------------------------------------------------------------------------


def _state(what: str) -> Json:
    return _query(f"Only cases whose {what} this is (ISO 3166-1 alpha-2).", _CODE, example="KZ")


def _query(description: str, schema: Json, **more: Any) -> Json:
    return _parameter("query", description, schema, **more)


def _path(description: str, schema: Json, **more: Any) -> Json:
    return _parameter("path", description, schema, required=True, **more)


def _header(description: str, schema: Json, **more: Any) -> Json:
    return _parameter("header", description, schema, **more)


def _parameter(
    where: Literal["query", "path", "header"], description: str, schema: Json, **more: Any
) -> Json:
    return {"in": where, "description": description, **more, "schema": schema}


def _version(*, required: bool, **more: Any) -> Json:
    return _header(
        "The version of the case that this is decided on, in quotes, or `*`: 412 where the case "
        "has moved on.",
        {
            "type": "string",
            "anyOf": [{"const": "*"}, {"pattern": '^"[0-9]{1,18}(-[A-Za-z0-9_-]*)?"$'}],
        },
        required=required,
        example='"7"',
        **more,
    )


_TEXT: Final = {"type": "string", "minLength": 1}
_CODE: Final = {"type": "string", "pattern": "^[A-Z]{2}$"}
_ID: Final = {"type": "string", "format": "uuid"}
_DAY: Final = {"type": "string", "format": "date"}
_TIME: Final = {"type": "string", "format": "date-time"}
_POSITION: Final = {"type": "integer", "format": "int64", "minimum": 0, "maximum": MAX_POSITION}

PARAMETERS: Final[dict[str, Json]] = {
    "case": _path(
        "The case: its id, or its code, or `ext:` and your own name for it, percent-encoded; in "
        "writes the id or the own name.",
        _TEXT,
    ),
    "event": _path(
        "The event: its id, or `ext:` and your own name for it, percent-encoded.", _TEXT
    ),
    "webhook": _path("The id of a webhook.", _TEXT),
    "calendar": _path("The id of a calendar.", _TEXT),
    "calendar_file": _path(
        "The secret of a calendar and `.ics`.", _TEXT, name="calendar", example="c2VjcmV0.ics"
    ),
    "file": _path("The code of a case and `.atom` or `.json`.", _TEXT, example="KZ-7Q3K-9F2M.atom"),
    "code": _path("The code of a case.", _TEXT, example="KZ-7Q3K-9F2M"),
    "archive": _path(
        "The number of an archive, from 1, the oldest, and `.atom` or `.json`.",
        _TEXT,
        example="1.atom",
    ),
    "headline_file": _path("A headline and `.atom` or `.json`.", _TEXT, example="detained.atom"),
    "headline_code": _path("A headline.", {"type": "string", "enum": [*HEADLINE_CODES]}),
    "type_file": _path(
        "A type of events and `.atom` or `.json`.", _TEXT, example="extradition.granted.atom"
    ),
    "type_code": _path("A type of events.", {"type": "string", "enum": [*TYPES]}),
    "state_file": _path("A host state and `.atom` or `.json`.", _TEXT, example="KZ.atom"),
    "state_code": _path("A host state (ISO 3166-1 alpha-2).", _CODE, example="KZ"),
    "slug": _path(
        "The last part of a problem's `type`.",
        {"type": "string", "enum": [*problems.PROBLEM_TYPES]},
    ),
    "asset": _path(
        "A file of the reference page.", {"type": "string", "enum": [*reference.ASSETS]}
    ),
    "as_of": _query("As it stood on that day.", _DAY, example="2026-02-10"),
    "known_at": _query("As it was known at that moment.", _TIME, example="2026-02-10T09:30:00Z"),
    "min_position": _query(
        "Wait, for two seconds at most, until this position is seen: to read what you wrote.",
        _POSITION,
    ),
    "lang": _query(
        "The language of texts; before `Accept-Language`.",
        {"type": "string", "enum": list(LANGUAGES)},
    ),
    "limit": _query(
        "How many items a page may hold.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    ),
    "limit_lines": _query(
        "How many lines at most; by default all.",
        {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_POSITION},
        name="limit",
    ),
    "cursor": _query(
        "Where the page begins: `next_cursor` of the one before, as it is.",
        {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,512}$"},
    ),
    "followed_case": _query(
        "Only changes of this case, by its code or id.", _TEXT, name="case", example="KZ-7Q3K-9F2M"
    ),
    "followed_headline": _query(
        "Only changes of cases that had this headline before or after the change.",
        {"type": "string", "enum": list(HEADLINE_CODES)},
        name="headline",
    ),
    "followed_type": _query(
        "Only changes about events of this type.",
        {"type": "string", "enum": [*TYPES]},
        name="type",
    ),
    "followed_state": _query(
        "Only changes of cases in this host state (ISO 3166-1 alpha-2).",
        _CODE,
        name="host_state",
        example="KZ",
    ),
    "recalls": _query("Only corrections and withdrawals.", {"type": "boolean"}),
    "Last-Event-ID": _header(
        "The id of the last event that came, from a client that was cut off; before `after`.",
        {"type": "integer", "format": "int64", "minimum": 0},
    ),
    "headline": _query(
        "Only cases with this headline.", {"type": "string", "enum": list(HEADLINE_CODES)}
    ),
    "track": _query(
        "Only cases with this state of a track.",
        {"type": "string", "enum": [f"{t}:{s}" for t, states in ORDERS.items() for s in states]},
    ),
    "host_state": _state("host state"),
    "origin_state": _state("origin state"),
    "dry_run": _query(
        "Tell what would become of the lines, and record nothing.", {"type": "boolean"}
    ),
    "at_risk": _query("Only cases at risk, or only those not at risk.", {"type": "boolean"}),
    "updated_since": _query("Only cases that changed at that moment or later.", _TIME),
    "q": _query(
        "Words of a label, in any spelling or script.",
        {"type": "string", "maxLength": MAX_SEARCH_LENGTH},
    ),
    "after": _query("The position after which to begin; by default 0.", _POSITION),
    # The same names stand for other things elsewhere.
    "case_read": _query("Only reads of the case with this id.", _ID, name="case"),
    "partner_read": _query("Only reads by the partner with this id.", _ID, name="partner"),
    "since_read": _query("Only reads at that moment or later.", _TIME, name="since"),
    "since_position": _query(
        "The position after which to begin, by default 0; `cursor` comes before it.",
        _POSITION,
        name="since",
    ),
    "since_size": _query(
        "The size of an older checkpoint: the bundle then proves that the log grew from it.",
        _POSITION,
        name="since",
    ),
    "witnesses": _query(
        "How many witnesses must have cosigned.",
        {"type": "integer", "minimum": 0, "maximum": log.MAX_WITNESSES, "default": 0},
    ),
    "tile": _path(
        "`<L>/<N>` or `entries/<N>`, with `.p/<W>` after it for a partial one, as in C2SP "
        "tlog-tiles; its slashes stand as they are.",
        _TEXT,
        example="0/000.p/17",
    ),
    "from": _query("The size of the older tree.", _POSITION, required=True),
    "to": _query("The size of the newer tree; by default the one signed last.", _POSITION),
    "wait": _query(
        "For how many seconds to wait where there is nothing yet.",
        {"type": "integer", "minimum": 0, "maximum": events.MAX_WAIT_SECONDS, "default": 0},
    ),
    "Accept-Language": _header(
        "Languages of texts by preference (RFC 9110, section 12.5.4); ru, kk and en are known.",
        {"type": "string"},
    ),
    "If-Match": _version(required=False),
    "version_seen": _version(required=True, name="If-Match"),
    "Idempotency-Key": _header(
        "A text of your own, up to 255 characters, that stands for this request for good: sent "
        "again, it is answered as the first time and carried out no second time.",
        {"type": "string", "minLength": 1, "maxLength": 255},
    ),
    "If-None-Match": _header(
        "The `ETag` of an answer you have: 304 where it still holds.", {"type": "string"}
    ),
}


# -- what follows from an operation ---------------------------------------------------------------


def list_parameters(operation: Operation) -> list[str]:
    """Return the names of an operation's parameters; every read but of lines has a validator."""
    has_validator = not (operation.body or operation.lines)
    return [*operation.parameters, *(("If-None-Match",) if has_validator else ())]


def list_problems(operation: Operation) -> list[str]:
    """Return the slugs of the problems that an operation may answer with, by status."""
    found = {*operation.problems, *_implied_problems(operation)}
    return [slug for slug in problems.PROBLEM_TYPES if slug in found]


def _implied_problems(operation: Operation) -> Iterator[str]:
    yield "internal-error"
    if not operation.handler.paths & UNLIMITED:
        yield "too-many-requests"
    if operation.lines and operation.body:
        yield from ("unreadable", "unsupported-media-type", "unavailable")
    elif operation.note:
        yield from ("unreadable", "too-large", "unsupported-media-type", "invalid-input")
        yield from ("conflict", "unavailable")
    elif operation.body:
        yield from ("unreadable", "too-large", "unsupported-media-type", "invalid-input")
        # A body has an external_id, and is recorded by a writer that may be away.
        yield from ("external-id-taken", "unavailable")
    if operation.scope:
        yield from ("unauthenticated", "forbidden")
    if operation.keyed or operation.needs_key:
        yield "unauthenticated"
    if operation.elsewhere or operation.id == "get_event":
        yield "withdrawn"
    places = {PARAMETERS[name]["in"] for name in operation.parameters}
    if "path" in places:
        yield "not-found"
    if "query" in places:
        # A query is read beside the database.
        yield from ("invalid-input", "unavailable")
    if "Idempotency-Key" in operation.parameters:
        yield from ("idempotency-key-reused", "conflict", "withdrawn")
    if {"If-Match", "version_seen"} & {*operation.parameters}:
        yield "version-mismatch"
    if "version_seen" in operation.parameters:
        yield "version-required"
