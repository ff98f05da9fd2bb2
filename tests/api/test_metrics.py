"""What `/metrics` tells, and to whom; a readiness that turns red where something stands still."""

import logging
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from .conftest import AUTHOR, Service, problem

Sample = tuple[str, tuple[tuple[str, str], ...]]


def read(service: Service, headers: dict[str, str] | None = None) -> dict[Sample, float]:
    answer = service.get("/metrics", headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert answer.headers["cache-control"] == "no-store"
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_anyone_reads_public_positions_and_nothing_else(service: Service) -> None:
    author = service.partner(*AUTHOR)
    case = author.open()
    before = read(service)
    author.tell(case, "wanted.removed", visibility="restricted")
    assert read(service) == before
    author.tell(case, "wanted.removed")
    service.settle()
    public = ("caseflow_public_position", ())
    signed = ("caseflow_signed_size", (("log", "public"),))
    assert read(service) == {public: 1.0, signed: 1.0}
    # A key that may only write is no better.
    assert read(service, author.headers) == {public: 1.0, signed: 1.0}


def test_whoever_watches_reads_all_of_it(service: Service) -> None:
    author, watcher = service.partner(*AUTHOR), service.partner("audit:read")
    case = author.open()
    author.tell(case, "wanted.removed")
    path = f"/v1/cases/{case['id']}"
    for _ in range(3):
        service.get(path)
    etag = service.get(path).headers["etag"]
    service.get(path, {"If-None-Match": etag})
    service.get("/feeds/all.atom")
    service.get("/v1/cases/ext:nothing")
    service.get("/nowhere")
    found = read(service, watcher.headers)

    def requests(method: str, route: str, status: str) -> float:
        labels = (("method", method), ("route", route), ("status", status))
        return found["caseflow_requests_total", labels]

    assert requests("POST", "/v1/cases", "201") == 1
    assert requests("POST", "/v1/cases/{case}/events", "201") == 1
    assert requests("GET", "/v1/cases/{case}", "200") == 1
    assert requests("GET", "/v1/cases/{case}", "404") == 1
    assert requests("GET", "kept", "200") == 3
    assert requests("GET", "kept", "304") == 1
    assert requests("GET", "none", "404") == 1
    assert found["caseflow_log_position", ()] == service.head == 2
    assert found["caseflow_heard_position", ()] == 2
    assert found["caseflow_public_position", ()] == 1
    assert found["caseflow_batch_requests_count", ()] == 2
    assert found["caseflow_batch_requests_sum", ()] == 2
    assert found["caseflow_batch_seconds_sum", ()] > 0
    assert found["caseflow_feed_renders_total", ()] == 1
    assert found["caseflow_stream_subscribers", ()] == 0
    assert found["caseflow_webhook_backlog", ()] == 0
    assert found["caseflow_kept_answers", ()] == 2
    assert found["caseflow_publication_halted", ()] == 0
    assert found["caseflow_request_seconds_count", (("route", "/v1/cases"),)] == 1
    # No address, no id: only what routes are called.
    text = service.get("/metrics", watcher.headers).text
    assert case["id"] not in text
    assert "nowhere" not in text


def test_ready_until_something_stands_still(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = service.client.app.state.services
    assert service.get("/readyz").status_code == 200
    monkeypatch.setattr(services.writer, "_busy_since", time.monotonic() - 60)
    told = problem(service.get("/readyz"), 503, "unavailable")
    assert told["detail"] == "the writer stands still"
    monkeypatch.setattr(services.writer, "_busy_since", time.monotonic())
    assert service.get("/readyz").status_code == 200
    services.watcher.stop()
    services.watcher.join()
    monkeypatch.setattr(services.watcher, "_looked_at", time.monotonic() - 60)
    assert (
        problem(service.get("/readyz"), 503, "unavailable")["detail"] == "the log is not followed"
    )


def test_what_fails_is_logged_by_its_route(
    light: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = light.client.app.state.services
    monkeypatch.setattr(services.writer, "_busy_since", time.monotonic() - 60)
    with caplog.at_level(logging.WARNING, logger="caseflow"):
        light.get("/readyz?secret=1")
    (logged,) = [record for record in caplog.records if record.message == "request"]
    assert (logged.method, logged.route, logged.status) == ("GET", "/readyz", 503)
    assert "secret" not in str(vars(logged))
