"""Imports over HTTP: lines in, a result for each, whatever becomes of the connection."""

import json
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.api.asgi import exchange
from tests.api.conftest import AUTHOR, SEED, Json, Partner, Service, pointers, problem

NDJSON = {"Content-Type": "application/x-ndjson"}


def lines_of(*lines: Any) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def post(partner: Partner, body: Any, query: str = "", **headers: str) -> httpx.Response:
    return partner.service.client.post(
        f"/v1/imports{query}", content=body, headers=partner.headers | NDJSON | headers
    )


def results_of(answer: httpx.Response) -> list[Json]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["cache-control"] == "no-store"
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.fixture
def partner(service: Service) -> Partner:
    return service.partner(*AUTHOR)


def test_the_demo_cases_are_created_once(service: Service, partner: Partner) -> None:
    body = lines_of(*SEED)
    first, again = results_of(post(partner, body)), results_of(post(partner, body))
    assert [r["line"] for r in first] == list(range(1, len(SEED) + 1))
    assert {r["result"] for r in first} == {"created"}
    assert {r["result"] for r in again} == {"unchanged"}
    assert [r["id"] for r in first] == [r["id"] for r in again]
    assert service.head == len(SEED)
    assert service.get("/v1/statistics", as_of="2026-02-10").json()["persons"] == 22


def test_a_rejected_line_stops_nothing_and_points_at_its_fault(
    service: Service, partner: Partner
) -> None:
    opening, claim = SEED[0], SEED[1]
    bad_date = {"event": {**claim["event"], "occurred": "2026-02-30", "external_id": "x"}}
    stray = {"event": {**claim["event"], "case": "ext:nobody", "external_id": "y"}}
    nameless = {"event": {k: v for k, v in claim["event"].items() if k != "external_id"}}
    body = lines_of(opening, bad_date, stray, nameless) + b"{\n\n" + lines_of(claim)
    found = results_of(post(partner, body))
    assert [(r["line"], r["result"]) for r in found] == [
        (1, "created"), (2, "rejected"), (3, "rejected"), (4, "rejected"), (5, "rejected"),
        (7, "created"),
    ]  # fmt: skip
    told = {r["line"]: r["problem"] for r in found if "problem" in r}
    assert told[2]["errors"][0]["pointer"] == "/event/occurred"
    assert told[3]["status"] == 404
    assert told[4]["errors"][0]["pointer"] == "/event/external_id"
    assert (told[5]["status"], told[5]["type"]) == (400, "/problems/unreadable")
    assert service.head == 2


def test_a_dry_run_tells_what_would_become_of_it_and_records_nothing(
    service: Service, partner: Partner
) -> None:
    other = {"event": {**SEED[1]["event"], "occurred": "2022-10"}}
    body = lines_of(*SEED, other)
    rehearsed = results_of(post(partner, body, "?dry_run=true"))
    assert service.head == 0
    assert Counter(r["result"] for r in rehearsed) == {"created": len(SEED), "rejected": 1}
    assert rehearsed[-1]["problem"]["type"] == "/problems/external-id-taken"
    done = results_of(post(partner, body))
    assert [(r["line"], r["result"]) for r in done] == [(r["line"], r["result"]) for r in rehearsed]
    again = results_of(post(partner, body, "?dry_run=true"))
    assert Counter(r["result"] for r in again) == {"unchanged": len(SEED), "rejected": 1}
    assert [r["id"] for r in again[:-1]] == [r["id"] for r in done[:-1]]


def test_it_is_answered_as_it_is_sent_in_pieces(service: Service, partner: Partner) -> None:
    body = lines_of(*SEED)
    pieces = (body[at : at + 7] for at in range(0, len(body), 7))
    assert {r["result"] for r in results_of(post(partner, pieces))} == {"created"}


def test_what_came_whole_before_a_cut_is_recorded_and_nothing_else(
    service: Service, partner: Partner
) -> None:
    body = lines_of(*SEED[:4])
    messages = [
        {"type": "http.request", "body": body[:-10], "more_body": True},
        {"type": "http.disconnect"},
    ]
    headers = [*partner.headers.items(), *NDJSON.items()]
    sent = exchange(service.client, "POST", "/v1/imports", headers=headers, messages=messages)
    assert sent.status == 400
    assert service.head == 3
    again = results_of(post(partner, body))
    assert [r["result"] for r in again] == ["unchanged"] * 3 + ["created"]


def test_a_last_line_needs_no_line_feed(partner: Partner) -> None:
    assert len(results_of(post(partner, lines_of(*SEED).rstrip()))) == len(SEED)
    assert results_of(post(partner, b"")) == []


def test_a_line_is_no_longer_than_a_megabyte(service: Service, partner: Partner) -> None:
    body = b'{"case": "' + b"x" * 3_000_000 + b'"}\n' + lines_of(SEED[0])
    first, second = results_of(post(partner, body))
    assert (first["result"], second["result"]) == ("rejected", "created")


def test_who_may_import_and_what(service: Service, partner: Partner) -> None:
    body = lines_of(SEED[0])
    problem(
        service.client.post("/v1/imports", content=body, headers=NDJSON), 401, "unauthenticated"
    )
    problem(post(service.partner("restricted:read"), body), 403, "forbidden")
    answer = post(partner, body, **{"Content-Type": "application/json"})
    problem(answer, 415, "unsupported-media-type")
    answer = post(partner, body, "?dry_run=perhaps")
    assert pointers(answer) == ["/query/dry_run"]
    assert service.head == 0


def test_what_a_key_may_not_publish_waits(service: Service) -> None:
    writer = service.partner("events:write")
    assert {r["result"] for r in results_of(post(writer, lines_of(*SEED[:3])))} == {"created"}
    assert service.get("/v1/statistics").json()["cases"] == 0
