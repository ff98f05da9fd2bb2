"""`caseflow key quarantine`: what it prints, and that a running service obeys."""

from uuid import UUID, uuid4

import pytest

from .conftest import Run
from .serving import Service

LONG_AGO = "2020-01-01T00:00:00Z"


def test_the_key_is_revoked_and_what_it_posted_is_hidden(
    run_on_both: Run, service: Service
) -> None:
    claims = [service.tell()["id"] for _ in range(2)]
    result = run_on_both("key", "quarantine", str(service.key_id), "--since", LONG_AGO)
    assert result.exit_code == 0
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert [line[0] for line in lines] == [*claims, service.case]
    assert all(UUID(event) for _, event in lines)
    assert f"key {service.key_id} is revoked" in result.stderr
    assert "2  claim hidden" in result.stderr
    assert "1  consent narrowed" in result.stderr
    assert "case.opened" in result.stderr
    shown = service.client.get("/v1/events").json()["items"]
    assert {event["state"] for event in shown} == {"withdrawn"}
    assert service.client.get("/v1/cases", headers=service.headers).status_code == 401


def test_running_it_again_says_that_nothing_is_left(run_on_both: Run, service: Service) -> None:
    service.tell()
    command = ("key", "quarantine", str(service.key_id), "--since", LONG_AGO)
    assert run_on_both(*command).stdout
    again = run_on_both(*command)
    assert (again.exit_code, again.stdout) == (0, "")
    assert f"key {service.key_id} was revoked at 20" in again.stderr
    assert "nothing to hide" in again.stderr


def test_the_key_may_be_kept(run_on_both: Run, service: Service) -> None:
    claim = service.tell()["id"]
    result = run_on_both(
        "key", "quarantine", str(service.key_id), "--since", LONG_AGO, "--keep-key"
    )
    assert result.stdout.startswith(claim)
    assert "is kept" in result.stderr
    assert service.tell()["publication"] == "published"


@pytest.mark.parametrize("since", ["yesterday", "2026-02-10", "2026-02-10T09:30:00"])
def test_the_moment_is_a_time_with_an_offset(run: Run, since: str) -> None:
    result = run("key", "quarantine", str(uuid4()), "--since", since)
    assert (result.exit_code, result.stdout) == (2, "")


def test_an_unknown_key_is_refused_and_the_moment_is_asked_for(run: Run) -> None:
    run("partner", "add", "first")
    refused = run("key", "quarantine", str(uuid4()), "--since", LONG_AGO)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "no such key" in refused.stderr
    assert run("key", "quarantine", str(uuid4())).exit_code == 2
