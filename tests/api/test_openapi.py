"""The API document: it is the committed one, it is valid, and the application does as it says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from jsonschema import Draft202012Validator
from litestar import Litestar
from litestar.testing import TestClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from caseflow.api.app import create_app
from caseflow.api.calendars import NewCalendar
from caseflow.api.figures import FigureCorrection
from caseflow.api.imports import NDJSON
from caseflow.api.openapi import make_openapi, render_openapi
from caseflow.api.openapi_requests import (
    EXAMPLE_FIGURE,
    EXAMPLE_OPENING,
    EXAMPLES_OF_RECORD_EVENTS,
    make_example,
)
from caseflow.api.reference import ASSETS
from caseflow.api.webhooks import NewWebhook, Replay, Resumption
from caseflow.bootstrap import open_house
from caseflow.domain.checks import check_claim
from caseflow.domain.vocabulary import TYPES, AnyClaim, Claim
from caseflow.eventstore.partners import add_partner, issue_key
from caseflow.projections.public.windows import WINDOW
from caseflow.serving import make_services
from caseflow.settings import read_settings
from tests.databases import sqlite_url

COMMITTED = Path(__file__).parents[2] / "openapi" / "caseflow.yaml"
DOCUMENT = make_openapi()
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
JSON = {"Content-Type": "application/json"}

OPERATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def resolve(part: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference of the document leads to, or the part itself."""
    if "$ref" not in part:
        return part
    found: Any = DOCUMENT
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def list_faults(schema: dict[str, Any], value: Any) -> list[str]:
    """Return what is wrong with a value by a schema of the document, formats included."""
    whole = {**schema, "components": DOCUMENT["components"]}
    validator = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def check_answer(operation_id: str, answer: Any) -> None:
    """Fail unless an answer is one that the document promises: status, headers, type and body."""
    promised = OPERATIONS[operation_id][2]["responses"]
    assert str(answer.status_code) in promised, (operation_id, answer.status_code, answer.text)
    response = resolve(promised[str(answer.status_code)])
    for name, header in response.get("headers", {}).items():
        assert name in answer.headers or not resolve(header)["required"], (operation_id, name)
    if "content" not in response:
        assert answer.content == b""
        return
    media_type = answer.headers["content-type"].partition(";")[0]
    content = response["content"]
    # A type itself, or the range that it is in.
    schema = content.get(media_type, content.get(f"{media_type.partition('/')[0]}/*"))["schema"]
    for body in read_bodies(media_type, answer):
        assert list_faults(schema, body) == [], operation_id


def read_bodies(media_type: str, answer: Any) -> list[Any]:
    """Return the values of an answer: of lines each, of anything else the one."""
    if media_type == NDJSON:
        return [json.loads(line) for line in answer.text.splitlines()]
    return [answer.json() if media_type.endswith("json") else answer.text]


# -- the document ---------------------------------------------------------------------------------


def test_the_committed_document_is_what_the_code_makes() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == render_openapi(), "run `caseflow openapi`"


def test_the_document_is_valid_openapi() -> None:
    errors = [str(error) for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()]
    assert errors == []


def test_every_route_has_an_operation_and_every_operation_a_route() -> None:
    routed = {
        (method, route.path_format)
        for route in create_app(None).routes
        for method in route.methods - {"HEAD", "OPTIONS"}
    }
    assert {(method, path) for method, path, _ in OPERATIONS.values()} == routed


def test_every_operation_has_its_own_id_and_a_summary() -> None:
    count = sum(len(methods) for methods in DOCUMENT["paths"].values())
    assert len(OPERATIONS) == count
    assert all(operation["summary"] for _, _, operation in OPERATIONS.values())


def test_nothing_in_the_components_is_left_over() -> None:
    text = json.dumps(DOCUMENT)
    for kind in ("schemas", "parameters", "headers", "responses"):
        for name in DOCUMENT["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in text, (kind, name)


def test_the_document_names_no_host() -> None:
    assert DOCUMENT["servers"] == [{"url": "/"}]


# -- requests -------------------------------------------------------------------------------------


def test_every_event_type_has_a_schema_that_is_told_by_its_type() -> None:
    mapping = SCHEMAS["Claim"]["discriminator"]["mapping"]
    assert set(mapping) == set(TYPES)
    for code, reference in mapping.items():
        schema = resolve({"$ref": reference})
        assert schema["properties"]["type"]["enum"] == [code]
        assert {"$ref": reference} in SCHEMAS["Claim"]["oneOf"]


def test_a_type_has_the_fields_of_its_struct() -> None:
    for code, rule in TYPES.items():
        schema = resolve({"$ref": SCHEMAS["Claim"]["discriminator"]["mapping"][code]})
        fields = msgspec.structs.fields(rule.struct)
        assert set(schema["properties"]) == {"type", *(f.name for f in fields)}
        assert set(schema["required"]) == {"type", *(f.name for f in fields if f.required)}


def test_requests_refuse_unknown_fields() -> None:
    requests = ["Opening", "Consent", "Subject", "Name", "Source", "Texts"]
    requests += [struct.__name__ for struct in EXAMPLES_OF_RECORD_EVENTS]
    types = [r.rpartition("/")[2] for r in SCHEMAS["Claim"]["discriminator"]["mapping"].values()]
    assert [n for n in requests + types if SCHEMAS[n]["additionalProperties"] is not False] == []


@pytest.mark.parametrize("code", TYPES)
def test_the_example_of_a_type_is_valid_and_accepted(code: str) -> None:
    example = make_example(code)
    assert list_faults({"$ref": "#/components/schemas/Claim"}, example) == []
    claim = msgspec.json.decode(msgspec.json.encode(example), type=AnyClaim)
    check_claim(claim)
    own = set(TYPES[code].struct.__struct_fields__) - set(Claim.__struct_fields__)
    assert own <= set(example)


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "extradition.granted"},
        {"type": "no.such", "occurred": "2026"},
        {"type": "person.died", "occurred": "2026", "unknown": 1},
        {"type": "person.died", "occurred": "2026", "sources": [{"publisher": "without a title"}]},
        {"type": "person.died", "occurred": "2026", "summary": {}},
        {"type": "detention.released", "occurred": "2026", "condition": "no such condition"},
    ],
)
def test_what_is_refused_is_not_valid_either(wrong: dict[str, Any]) -> None:
    assert list_faults({"$ref": "#/components/schemas/Claim"}, wrong) != []


# -- the running application ----------------------------------------------------------------------


class Caller:
    """A client of the running application, with a key of a partner."""

    def __init__(self, client: TestClient[Litestar], keys: dict[str, str]) -> None:
        self.client = client
        self.keyed = {"Authorization": f"Bearer {keys['all']}"}
        self.poor = {"Authorization": f"Bearer {keys['poor']}"}
        self.other = {"Authorization": f"Bearer {keys['other']}"}
        self.case: dict[str, Any] = {}
        self.event: dict[str, Any] = {}
        self.webhook: dict[str, Any] = {}
        self.calendar: dict[str, Any] = {}

    def post(self, path: str, body: Any, **headers: str) -> Any:
        content = msgspec.json.encode(body)
        return self.client.post(path, content=content, headers={**self.keyed, **JSON, **headers})


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """The application with a case that has every type of event, public where it can be."""
    folder = tmp_path_factory.mktemp("house")
    settings = read_settings(
        {
            "CASEFLOW_DATABASE_URL": sqlite_url(folder / "caseflow.db"),
            "CASEFLOW_KEYS_URL": sqlite_url(folder / "keys.db"),
            "CASEFLOW_MASTER_KEY_FILE": str(folder / "master.key"),
            "CASEFLOW_SIGNING_KEY_FILE": str(folder / "signing.key"),
        }
    )
    every = ["events:write", "events:publish", "audit:read", "restricted:read"]
    scopes = {"all": every, "poor": ["review"]}
    with open_house(settings) as house:
        partner_id = uuid4()
        with house.write() as connection:
            at = house.clock()
            add_partner(connection, partner_id=partner_id, name="a", public_name="A", at=at)
            other_id = uuid4()
            add_partner(connection, partner_id=other_id, name="b", public_name=None, at=at)
            scopes["other"] = ["events:write"]
            keys = {
                name: issue_key(
                    connection,
                    key_id=uuid4(),
                    partner_id=other_id if name == "other" else partner_id,
                    scopes=found,
                    at=at,
                )
                for name, found in scopes.items()
            }
        with TestClient(create_app(make_services(house))) as client:
            caller = Caller(client, keys)
            _fill(caller)
            house.publish()
            yield caller


def _fill(caller: Caller) -> None:
    opened = caller.post("/v1/cases", EXAMPLE_OPENING)
    check_answer("open_case", opened)
    assert opened.status_code == 201
    address = f"/v1/cases/{opened.json()['id']}/events"
    # First the decision that the examples of appeals name.
    for code in sorted(TYPES, key=lambda code: code != "extradition.granted"):
        for visibility in ("public", "partners"):
            example = make_example(code) | {"visibility": visibility}
            if visibility == "partners":
                example.pop("external_id", None)
            recorded = caller.post(address, example)
            check_answer("record_event", recorded)
            assert recorded.status_code == 201, (code, recorded.text)
            if code == "extradition.granted" and visibility == "public":
                caller.event = recorded.json()
    # Archives begin with as many changes as one holds.
    for n in range(WINDOW):
        claim = {"type": "wanted.removed", "occurred": f"{1900 + n}", "visibility": "public"}
        assert caller.post(address, claim).status_code == 201
    caller.case = opened.json()
    made = caller.post("/v1/webhooks", EXAMPLES_OF_RECORD_EVENTS[NewWebhook])
    check_answer("add_webhook", made)
    assert made.status_code == 201
    caller.webhook = made.json()
    made = caller.post("/v1/calendars", EXAMPLES_OF_RECORD_EVENTS[NewCalendar])
    check_answer("make_calendar", made)
    assert made.status_code == 201
    caller.calendar = made.json()


def addresses(caller: Caller) -> dict[str, list[str]]:
    """Return addresses of each read."""
    case, event = caller.case["id"], caller.event["id"]
    replay = "as_of=2026-02-10&known_at=2099-01-01T00:00:00Z"
    return {
        "list_cases": [
            "/v1/cases",
            "/v1/cases?host_state=KZ&origin_state=RU&limit=500&q=KZ&lang=kk",
            "/v1/cases?track=life:died&headline=died&updated_since=2020-01-01T00:00:00Z",
            f"/v1/cases?at_risk=false&{replay}",
        ],
        "get_case": [
            f"/v1/cases/{case}",
            f"/v1/cases/{caller.case['code']}?lang=ru&min_position=1",
            f"/v1/cases/{case}?{replay}",
        ],
        "list_case_events": [
            f"/v1/cases/{case}/events?limit=500",
            f"/v1/cases/{case}/events?limit=1&{replay}",
        ],
        "export_log": ["/v1/exports/log", "/v1/exports/log?after=2&limit=3"],
        "follow_log": ["/v1/events?limit=500", "/v1/events?after=1&wait=0&limit=2"],
        "get_event": [f"/v1/events/{event}"],
        "preview_event": [f"/v1/events/{event}/preview?lang=ru&min_position=1"],
        "list_restricted_reads": [
            "/v1/audit/reads?limit=500",
            f"/v1/audit/reads?after=1&limit=2&case={case}&since=2020-01-01T00:00:00Z",
        ],
        "get_case_bundle": [f"/v1/cases/{case}/bundle", f"/v1/cases/{case}/bundle?since=1"],
        "get_event_proof": [f"/v1/events/{event}/proof", f"/v1/events/{event}/proof?since=1"],
        "get_checkpoint": ["/v1/log/checkpoint", "/v1/log/checkpoint?witnesses=0"],
        "get_full_checkpoint": ["/v1/log/full/checkpoint"],
        "get_log_key": ["/v1/log/key"],
        "get_full_log_key": ["/v1/log/full/key"],
        "get_tile": ["/v1/log/tile/0/000.p/2", "/v1/log/tile/entries/000.p/2"],
        "get_full_tile": ["/v1/log/full/tile/0/000.p/2", "/v1/log/full/tile/entries/000.p/2"],
        "get_consistency": ["/v1/log/consistency?from=1&to=3", "/v1/log/consistency?from=0"],
        "get_full_consistency": ["/v1/log/full/consistency?from=1&to=3"],
        "get_statistics": ["/v1/statistics", f"/v1/statistics?host_state=KZ&{replay}"],
        "get_breakdown": [
            "/v1/statistics/breakdown",
            f"/v1/statistics/breakdown?host_state=KZ&{replay}",
        ],
        "list_number_changes": [
            "/v1/statistics/changes",
            "/v1/statistics/changes?since=1&limit=2&host_state=KZ&min_position=1&lang=ru",
        ],
        "read_feed": ["/feeds/all.atom", "/feeds/all.atom?lang=ru"],
        "read_json_feed": ["/feeds/all.json", f"/feeds/all.json?lang=kk&{replay}"],
        "read_case_feed": [
            f"/feeds/cases/{caller.case['code']}.json?{replay}",
            f"/feeds/cases/{caller.case['code']}.atom",
        ],
        "read_archive": ["/feeds/all/archive/1.atom", "/feeds/all/archive/1.json?lang=ru"],
        "read_recalls": ["/feeds/recalls.atom"],
        "read_json_recalls": ["/feeds/recalls.json"],
        "read_recall_archive": ["/feeds/recalls/archive/1.json"],
        "read_case_archive": [f"/feeds/cases/{caller.case['code']}/archive/1.json"],
        "read_headline_feed": ["/feeds/headlines/died.atom", "/feeds/headlines/died.json"],
        "read_headline_archive": ["/feeds/headlines/died/archive/1.json"],
        "read_type_feed": ["/feeds/types/person.died.atom", "/feeds/types/person.died.json"],
        "read_type_archive": ["/feeds/types/person.died/archive/1.json"],
        "read_state_feed": ["/feeds/states/KZ.atom", "/feeds/states/KZ.json"],
        "read_state_archive": ["/feeds/states/KZ/archive/1.atom"],
        "list_objections": ["/v1/objections", "/v1/objections?limit=1&min_position=1&lang=ru"],
        "list_calendars": ["/v1/calendars"],
        "read_calendar": [f"/v1/calendars/{caller.calendar['address'].rpartition('/')[2]}"],
        "list_webhooks": ["/v1/webhooks"],
        "get_webhook": [f"/v1/webhooks/{caller.webhook['id']}"],
        "list_deliveries": [f"/v1/webhooks/{caller.webhook['id']}/deliveries?limit=2"],
        "get_vocabulary": ["/v1/vocabulary"],
        "get_index": ["/v1"],
        "get_health": ["/healthz"],
        "get_readiness": ["/readyz"],
        "get_metrics": ["/metrics"],
        "explain_problem": ["/problems/not-found"],
        "get_openapi": ["/schema/openapi.json"],
        "get_reference": ["/schema"],
        "get_reference_asset": [f"/schema/{name}" for name in ASSETS],
    }


# What has no end is read in `test_stream.py`.
READS = [
    name
    for name, (method, _, _) in OPERATIONS.items()
    if method == "GET" and name != "follow_stream"
]
# A stream is not known before it has been sent.
WITH_VALIDATOR = [name for name in READS if name != "export_log"]
FOR_ANYONE = [name for name in READS if not any(OPERATIONS[name][2]["security"][:1])]


@pytest.mark.parametrize("operation_id", READS)
@pytest.mark.parametrize("keyed", [False, True], ids=["public", "partner"])
def test_reads_answer_as_the_document_says(caller: Caller, operation_id: str, keyed: bool) -> None:
    for address in addresses(caller)[operation_id]:
        answer = caller.client.get(address, headers=caller.keyed if keyed else {})
        expected = 200 if keyed or operation_id in FOR_ANYONE else 401
        assert answer.status_code == expected, answer.text
        check_answer(operation_id, answer)


@pytest.mark.parametrize("operation_id", WITH_VALIDATOR)
def test_reads_answer_head_and_304_as_the_document_says(caller: Caller, operation_id: str) -> None:
    address = addresses(caller)[operation_id][0]
    shown = {} if operation_id in FOR_ANYONE else caller.keyed
    read = caller.client.get(address, headers=shown)
    head = caller.client.head(address, headers=shown)
    assert (head.status_code, dict(head.headers)) == (200, dict(read.headers))
    again = caller.client.get(address, headers={**shown, "If-None-Match": read.headers["etag"]})
    assert again.status_code == 304
    check_answer(operation_id, again)


@pytest.mark.parametrize("operation_id", READS)
def test_the_query_parameters_told_are_those_that_are_known(
    caller: Caller, operation_id: str
) -> None:
    told = [resolve(parameter) for parameter in OPERATIONS[operation_id][2]["parameters"]]
    names = {parameter["name"] for parameter in told if parameter["in"] == "query"}
    shown = {} if operation_id in FOR_ANYONE else caller.keyed
    (address, *_), unknown = addresses(caller)[operation_id], {"no_such": "1"}
    answer = caller.client.get(address, params=unknown, headers=shown)
    if not names:
        assert answer.status_code == 200
        return
    check_answer(operation_id, answer)
    (error,) = answer.json()["errors"]
    assert set(error["detail"].rpartition("known here: ")[2].split(", ")) == names


def test_a_page_that_is_not_the_last_links_to_the_next(caller: Caller) -> None:
    answer = caller.client.get(f"/v1/cases/{caller.case['id']}/events?limit=1")
    check_answer("list_case_events", answer)
    assert answer.links["next"]["url"].startswith(f"/v1/cases/{caller.case['id']}/events?")


def test_figures_are_answered_as_the_document_says(caller: Caller) -> None:
    """The examples are valid, accepted, and shown in statistics and in the log as promised."""
    told = caller.post("/v1/figures", EXAMPLE_FIGURE)
    corrections = f"/v1/events/{told.json()['id']}/corrections"
    examples = EXAMPLES_OF_RECORD_EVENTS
    beside = EXAMPLE_FIGURE | {"low": 23, "reason": "typo"}
    answers = [
        ("report_figure", EXAMPLE_FIGURE, told),
        ("correct_event", examples[FigureCorrection], None),
        ("correct_event", beside, None),
    ]
    for operation_id, example, posted in answers:
        schema = OPERATIONS[operation_id][2]["requestBody"]["content"]["application/json"]
        assert list_faults(schema["schema"], example) == [], operation_id
        answer = posted or caller.post(corrections, example)
        assert answer.status_code == 201, answer.text
        check_answer(operation_id, answer)
    for headers in ({}, caller.keyed):
        read = caller.client.get("/v1/statistics", headers=headers)
        assert [figure["low"] for figure in read.json()["reported"]] == [23]
        check_answer("get_statistics", read)
    check_answer(
        "get_event", caller.client.get(f"/v1/events/{told.json()['id']}", headers=caller.keyed)
    )
    retracted = caller.post(corrections.replace("corrections", "retractions"), {"reason": "false"})
    check_answer("retract_event", retracted)


def test_what_is_recorded_about_the_record_is_answered_as_the_document_says(
    caller: Caller,
) -> None:
    """Each example of a request about the record is valid, accepted and answered as promised."""
    opening = EXAMPLE_OPENING | {"external_id": "case-2"}
    case = caller.post("/v1/cases", opening).json()
    event = caller.post(f"/v1/cases/{case['id']}/events", make_example("person.entered")).json()
    examples = {struct.__name__: body for struct, body in EXAMPLES_OF_RECORD_EVENTS.items()}
    into = {"into": caller.case["id"]}
    for operation_id, address, body, other in (
        ("corroborate_event", f"/v1/events/{event['id']}/corroborations", "Corroboration", True),
        ("dispute_event", f"/v1/events/{event['id']}/disputes", "Dispute", True),
        ("correct_event", f"/v1/events/{event['id']}/corrections", "Correction", False),
        ("change_visibility", f"/v1/events/{event['id']}/visibility", "VisibilityChange", False),
        ("retract_event", f"/v1/events/{event['id']}/retractions", "Retraction", False),
        ("change_consent", f"/v1/cases/{case['id']}/consent", "ConsentChange", False),
        ("amend_subject", f"/v1/cases/{case['id']}/subject", "SubjectChange", False),
        ("merge_case", f"/v1/cases/{case['id']}/merges", "Merge", False),
        ("unmerge_case", f"/v1/cases/{case['id']}/unmerges", "Unmerge", False),
    ):
        example = into if body == "Merge" else examples[body]
        if body == "Correction":
            example = example | {"claim": make_example("person.entered")}
        schema = OPERATIONS[operation_id][2]["requestBody"]["content"]["application/json"]
        assert list_faults(schema["schema"], example) == [], operation_id
        shown = caller.other if other else caller.keyed
        answer = caller.post(address, example, **{"If-Match": "*", **shown})
        assert answer.status_code == 201, (operation_id, answer.text)
        check_answer(operation_id, answer)
        if operation_id == "merge_case":
            moved = caller.client.get(
                f"/v1/cases/{case['id']}", headers=caller.keyed, follow_redirects=False
            )
            assert moved.status_code == 307
            check_answer("get_case", moved)


def test_changes_of_webhooks_are_answered_as_the_document_says(caller: Caller) -> None:
    made = caller.post("/v1/webhooks", EXAMPLES_OF_RECORD_EVENTS[NewWebhook]).json()
    address = f"/v1/webhooks/{made['id']}"
    for operation_id, path, struct, status in (
        ("pause_webhook", "pause", None, 200),
        ("resume_webhook", "resume", Resumption, 200),
        ("rotate_webhook_secret", "secret", None, 200),
        ("replay_deliveries", "replays", Replay, 202),
    ):
        body = EXAMPLES_OF_RECORD_EVENTS[struct] if struct else {}
        if struct:
            schema = OPERATIONS[operation_id][2]["requestBody"]["content"]["application/json"]
            assert list_faults(schema["schema"], body) == [], operation_id
        answer = caller.post(f"{address}/{path}", body)
        assert answer.status_code == status, (operation_id, answer.text)
        check_answer(operation_id, answer)
    check_answer("delete_webhook", caller.client.delete(address, headers=caller.keyed))


def test_a_calendar_is_revoked_as_the_document_says(caller: Caller) -> None:
    made = caller.post("/v1/calendars", {}).json()
    answer = caller.client.delete(f"/v1/calendars/{made['id']}", headers=caller.keyed)
    check_answer("revoke_calendar", answer)


def test_the_same_case_again_answers_200_as_the_document_says(caller: Caller) -> None:
    answer = caller.post("/v1/cases", EXAMPLE_OPENING)
    assert answer.status_code == 200
    check_answer("open_case", answer)


def _refusals(caller: Caller) -> Iterator[tuple[str, int, Any]]:
    """Yield operation, status and answer of requests that are refused."""
    client, claim = caller.client, make_example("person.died")
    case, cases = f"/v1/cases/{caller.case['id']}/events", "/v1/cases"
    for name, path, body in (
        ("open_case", cases, EXAMPLE_OPENING | {"external_id": "n"}),
        ("record_event", case, claim),
    ):
        yield name, 400, client.post(path, content=b"{", headers={**caller.keyed, **JSON})
        yield name, 401, client.post(path, json=body)
        yield name, 403, client.post(path, json=body, headers=caller.poor)
        yield name, 413, caller.post(path, {"private_note": "x" * 1_000_001})
        yield name, 415, client.post(path, content=b"{}", headers=caller.keyed)
        yield name, 422, caller.post(path, {})
    yield "open_case", 409, caller.post(cases, EXAMPLE_OPENING | {"persons": 2})
    yield "record_event", 404, caller.post(f"/v1/cases/{uuid4()}/events", claim)
    yield "record_event", 412, caller.post(case, claim, **{"If-Match": '"1"'})
    granted = make_example("extradition.granted")
    yield "record_event", 409, caller.post(case, granted | {"occurred": "2020"})
    named = claim | {"visibility": "public", "summary": {"en": "Obrazets Obraztsov died."}}
    yield "record_event", 422, caller.post(case, named)
    yield "list_cases", 401, client.get(cases, headers={"Authorization": "Bearer unknown"})
    yield "list_cases", 422, client.get(f"{cases}?cursor=!")
    yield "get_case", 404, client.get(f"{cases}/{uuid4()}")
    reads = "/v1/audit/reads"
    yield "list_restricted_reads", 401, client.get(reads)
    yield "list_restricted_reads", 403, client.get(reads, headers=caller.poor)
    yield "list_restricted_reads", 422, client.get(f"{reads}?case=KZ", headers=caller.keyed)
    yield "get_event", 404, client.get(f"/v1/events/{uuid4()}")
    yield "read_case_feed", 404, client.get("/feeds/cases/KZ-0000-0000.atom")
    yield "explain_problem", 404, client.get("/problems/no-such")


def test_refusals_are_those_that_the_document_promises(caller: Caller) -> None:
    for operation_id, status, answer in _refusals(caller):
        assert answer.status_code == status, (operation_id, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        check_answer(operation_id, answer)


def test_the_document_is_served_as_it_was_made(caller: Caller) -> None:
    assert caller.client.get("/schema/openapi.json").json() == DOCUMENT


def test_the_framework_serves_no_pages_of_its_own(caller: Caller) -> None:
    for path in ("/schema/swagger", "/schema/redoc", "/schema/elements"):
        assert caller.client.get(path).status_code == 404
