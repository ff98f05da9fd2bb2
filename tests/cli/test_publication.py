"""`caseflow freeze` and `unfreeze`, beside a service that runs on the same databases."""

from uuid import UUID

from .conftest import Run
from .serving import Service


def test_a_running_service_obeys_at_once(run_on_both: Run, service: Service) -> None:
    before = service.tell()["id"]
    halted = run_on_both("freeze")
    assert (halted.exit_code, halted.stdout) == (0, "3\n")
    assert "publication is halted" in halted.stderr
    waiting = service.tell()
    assert (waiting["publication"], waiting["publication_reason"]) == ("embargoed", "frozen")
    resumed = run_on_both("unfreeze")
    assert (resumed.exit_code, resumed.stdout) == (0, "5\n")
    # The service's own timer releases it.
    assert service.list_public(after=1, wait=30) == [waiting["id"]]
    assert service.list_public() == [before, waiting["id"]]


def test_both_commands_may_be_repeated(run_on_both: Run, service: Service) -> None:
    told = [run_on_both(command) for command in ("unfreeze", "freeze", "freeze", "unfreeze")]
    assert [result.exit_code for result in told] == [0, 0, 0, 0]
    assert [result.stdout for result in told] == ["", "2\n", "", "3\n"]
    assert "was not halted" in told[0].stderr
    assert "already" in told[2].stderr


def test_readiness_tells_keys_whether_publication_is_halted(
    run_on_both: Run, service: Service
) -> None:
    assert service.readiness(keyed=True) == "running"
    run_on_both("freeze")
    assert service.readiness(keyed=True) == "halted"
    # Nothing that is not public moves what the public sees.
    assert service.readiness(keyed=False) is None
    run_on_both("unfreeze")
    assert service.readiness(keyed=True) == "running"


def test_what_is_public_says_nothing_of_a_halt(run_on_both: Run, service: Service) -> None:
    service.tell()
    paths = ("/v1/events", "/v1/cases", "/v1/statistics", "/feeds/all.atom", "/readyz")
    service.settle()
    before = [service.client.get(path) for path in paths]
    run_on_both("freeze")
    service.tell()
    for path, was in zip(paths, before, strict=True):
        now = service.client.get(path)
        assert now.content == was.content, path
        assert now.headers.get("etag") == was.headers.get("etag"), path


def test_a_halt_is_an_event_of_no_case(run_on_both: Run, service: Service) -> None:
    run_on_both("freeze")
    log = service.client.get("/v1/events?after=1", headers=service.headers).json()["items"]
    assert [(event["type"], event["case"]) for event in log] == [("publication.frozen", None)]
    assert UUID(log[0]["partner"]) == UUID(int=0)
