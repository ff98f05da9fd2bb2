"""Idempotency keys: a request that comes again is answered as the first time, and done once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import sleep
from typing import Any

import pytest

from tests.api.conftest import Json, Partner, Service, pointers, problem

CLAIM: Json = {"type": "extradition.granted", "occurred": "2026-01-29", "visibility": "public"}
OPENING: Json = {
    "host_state": "KZ",
    "origin_state": "RU",
    "consent": {"publish": "anonymous", "basis": "own"},
}


def key(text: str) -> dict[str, Any]:
    # httpx takes header values beyond ASCII as bytes only.
    return {"Idempotency-Key": text.encode()}


@pytest.fixture
def partner(service: Service) -> Partner:
    return service.partner("events:write", "events:publish")


@pytest.fixture
def path(partner: Partner) -> str:
    return f"/v1/cases/{partner.open()['id']}/events"


def test_the_same_request_is_answered_the_same_and_recorded_once(
    service: Service, partner: Partner, path: str
) -> None:
    first = partner.post(path, CLAIM, **key("Мовлаев/granted/1"))
    head = service.head
    again = partner.post(path, CLAIM, **key("Мовлаев/granted/1"))
    assert (first.status_code, again.status_code) == (201, 201)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.content == first.content
    assert (again.headers["ETag"], again.headers["Location"]) == (
        first.headers["ETag"],
        first.headers["Location"],
    )
    assert service.head == head


def test_the_answer_is_that_of_the_first_time_though_the_case_went_on(
    partner: Partner, path: str
) -> None:
    first = partner.post(path, CLAIM, **key("k"))
    moved = {"type": "extradition.surrendered", "occurred": "2026-02-01"}
    assert partner.post(path, moved).json()["status"]["headline"] == "extradited"
    again = partner.post(path, CLAIM, **key("k"))
    assert again.content == first.content
    assert again.json()["status"]["headline"] == "extradition_granted"


def test_a_case_is_opened_once(service: Service, partner: Partner) -> None:
    first = partner.post("/v1/cases", OPENING, **key("open"))
    again = partner.post("/v1/cases", OPENING, **key("open"))
    assert (again.status_code, again.content) == (201, first.content)
    assert service.head == 1
    assert partner.post("/v1/cases", OPENING).json()["id"] != first.json()["id"]


def test_a_repetition_under_an_external_id_is_remembered_too(partner: Partner, path: str) -> None:
    claim = {**CLAIM, "external_id": "granted"}
    assert partner.post(path, claim).status_code == 201
    first = partner.post(path, claim, **key("k"))
    again = partner.post(path, claim, **key("k"))
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("other", ["body", "address", "language"])
def test_another_request_under_the_same_key_is_refused(
    service: Service, partner: Partner, path: str, other: str
) -> None:
    partner.post(path, CLAIM, **key("k"))
    head = service.head
    if other == "body":
        answer = partner.post(path, {**CLAIM, "occurred": "2026-01-30"}, **key("k"))
    elif other == "address":
        answer = partner.post(f"/v1/cases/{partner.open()['id']}/events", CLAIM, **key("k"))
        head += 1
    else:
        answer = partner.post(f"{path}?lang=ru", CLAIM, **key("k"))
    problem(answer, 422, "idempotency-key-reused")
    assert pointers(answer) == ["/headers/Idempotency-Key"]
    assert service.head == head


def test_a_key_belongs_to_its_partner(service: Service, partner: Partner, path: str) -> None:
    first = partner.post(path, CLAIM, **key("k"))
    other = service.partner("events:write").post(path, CLAIM, **key("k"))
    assert other.status_code == 201
    assert other.json()["id"] != first.json()["id"]


def test_a_refused_request_does_not_use_its_key_up(partner: Partner, path: str) -> None:
    refused = partner.post(path, {**CLAIM, "occurred": "2026-02-30"}, **key("k"))
    problem(refused, 422, "invalid-input")
    stale = partner.post(path, CLAIM, **key("k"), **{"If-Match": '"7"'})
    problem(stale, 412, "version-mismatch")
    assert partner.post(path, CLAIM, **key("k")).status_code == 201


def test_while_the_first_is_under_way_the_second_is_refused(
    service: Service, partner: Partner, path: str
) -> None:
    gate = Event()
    cases = service.client.app.state.services.cases
    # Nothing is written until the gate opens.
    service.client.app.state.services.writer.submit(lambda _: gate.wait())
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(partner.post, path, CLAIM, **key("k"))
        while not cases.under_way:
            sleep(0.01)
        try:
            problem(partner.post(path, CLAIM, **key("k")), 409, "conflict")
        finally:
            gate.set()
        assert first.result().status_code == 201
    assert partner.post(path, CLAIM, **key("k")).headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("text", ["", "x" * 256])
def test_a_key_has_a_length(service: Service, partner: Partner, path: str, text: str) -> None:
    head = service.head
    answer = partner.post(path, CLAIM, **key(text))
    problem(answer, 422, "invalid-input")
    assert pointers(answer) == ["/headers/Idempotency-Key"]
    assert service.head == head
