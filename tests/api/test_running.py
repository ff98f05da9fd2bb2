"""The public numbers of now: what is kept and mended is what counting anew gives."""

import time
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from caseflow import serving
from caseflow.domain.breakdown import break_down
from caseflow.domain.statistics import tally
from caseflow.domain.times import day_of
from caseflow.eventstore.changes import CaseChanges
from caseflow.projections.public import statistics as public_statistics
from caseflow.settings import Settings

from .conftest import AUTHOR, Json, Partner, Service, serve


def count_anew(service: Service, count: Any) -> Json:
    """Return the numbers of everything that the public tables hold."""
    reader = service.client.app.state.services.reader
    with reader.snapshot() as snapshot:
        where = snapshot.connection, snapshot.view_set
        until = day_of(public_statistics.find_last(*where, None))
        found = count(public_statistics.list_case_facts(*where), as_of=None, until=until)
    return dict(msgspec.to_builtins(found))


def check(service: Service) -> Json:
    """Assert that what is answered is what counting anew gives, and return it."""
    for path, count in (("/breakdown", break_down), ("", tally)):
        told = service.get(f"/v1/statistics{path}").json()
        anew = count_anew(service, count)
        assert {name: told[name] for name in anew} == anew
    return anew


class Counting:
    """Counts how often everything is read: by the statistics, and by their breakdown."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        read = public_statistics.list_all_facts

        def counted(*where: Any) -> Any:
            self.times += 1
            return read(*where)

        monkeypatch.setattr(public_statistics, "list_all_facts", counted)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    return Counting(monkeypatch)


def change(author: Partner, case: Json, what: str, body: Json) -> None:
    answer = author.post(f"/v1/cases/{case['id']}/{what}", body, **{"If-Match": "*"})
    assert answer.status_code == 201, answer.text


def test_what_changed_is_counted_and_nothing_else(service: Service, counting: Counting) -> None:
    author = service.partner(*AUTHOR)
    cases = [author.open(persons=n) for n in (1, 2, 4)]
    for case in cases:
        author.tell(case, "detention.apprehended", "2025-03", basis="wanted")
    assert check(service)["persons"] == 7
    assert counting.times == 2
    told = author.tell(cases[0], "extradition.granted", "2025-04-05")
    assert check(service)["tracks"]["extradition"]["granted"] == 1
    body = {"reason": "typo", "claim": {"type": "extradition.refused", "occurred": "2025-04-05",
            "visibility": "public"}}  # fmt: skip
    answer = author.post(f"/v1/events/{told['id']}/corrections", body)
    assert check(service)["tracks"]["extradition"]["granted"] == 0
    author.post(f"/v1/events/{answer.json()['id']}/retractions", {"reason": "unsafe"})
    assert check(service)["tracks"]["extradition"]["refused"] == 0
    for publish, persons in (("none", 6), ("count", 7), ("anonymous", 7)):
        change(author, cases[0], "consent", {"consent": {"publish": publish, "basis": "own"}})
        assert check(service)["persons"] == persons
    change(author, cases[1], "merges", {"into": cases[2]["id"]})
    assert (check(service)["cases"], check(service)["persons"]) == (2, 5)
    change(author, cases[1], "unmerges", {})
    assert check(service)["persons"] == 7
    author.tell(author.open(), "person.died", "2025-05-05")
    assert check(service)["headline"]["died"] == 1
    assert counting.times == 2


def test_what_another_process_did_is_counted_too(service: Service, counting: Counting) -> None:
    author = service.partner(*AUTHOR)
    case = author.open()
    author.tell(case, "wanted.removed")
    check(service)
    with serve(service.settings) as other:
        elsewhere = Partner(other, author.id, author.headers["Authorization"][7:], author.key_id)
        elsewhere.tell(case, "expulsion.executed", "2025-06-01")
        elsewhere.tell(elsewhere.open(), "person.died")
        assert check(other)["persons"] == 2
        service.hear()
        assert check(service)["returned"]["deported"] == 1
        # Each process counts for itself, once.
        assert counting.times == 4


def test_nobody_has_to_ask_before_everyone_is_counted(
    house_settings: Settings, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(house_settings) as service:
        author = service.partner(*AUTHOR)
        author.tell(author.open(), "wanted.removed")
    counting.times = 0
    monkeypatch.setattr(serving, "NUMBERS_SECONDS", 0.01)
    with serve(house_settings) as again:
        give_up_at = time.monotonic() + 30
        while counting.times < 2:
            assert time.monotonic() < give_up_at
            time.sleep(0.01)
        assert check(again)["persons"] == 1
        assert counting.times == 2, "what is asked for had been counted"


def test_an_erased_case_is_gone_from_the_numbers(service: Service) -> None:
    admins = [service.partner("admin"), service.partner("admin")]
    author = service.partner(*AUTHOR)
    case = author.open()
    author.tell(case, "wanted.removed")
    assert check(service)["persons"] == 1
    reason = {"reason": "request", "legal_basis": "consent withdrawn"}
    for admin in admins:
        answer = admin.post(f"/v1/cases/{case['id']}/erasure", reason)
        assert answer.is_success, answer.text
    assert check(service)["persons"] == 0


def test_on_another_day_everyone_is_counted_anew(
    light: Service, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Custody that has not ended is measured to the day of the last change."""
    author = light.partner(*AUTHOR)
    case, other = author.open(), author.open()
    author.tell(case, "detention.apprehended", "2025-03-01", basis="wanted")
    before = check(light)["custody_days"]["median"]
    tomorrow = (date.today() + timedelta(days=1)).isoformat()  # noqa: DTZ011 - any later day
    monkeypatch.setattr("caseflow.api.running.day_of", lambda at: tomorrow)
    author.tell(other, "wanted.removed")
    assert light.get("/v1/statistics").json()["custody_days"]["median"] >= before
    assert counting.times == 3


def test_what_is_not_known_to_have_changed_may_be_any_case() -> None:
    changes = CaseChanges(size=2)
    one, two, three = (UUID(int=n) for n in (1, 2, 3))
    changes.note(0, 1, {one})
    changes.note(1, 3, {two})
    assert changes.list_changed(0) == {one, two}
    assert changes.list_changed(1) == {two}
    assert changes.list_changed(3) == set()
    # No more are remembered: of what is longer ago, each may have changed.
    changes.note(3, 4, {three})
    assert changes.list_changed(0) is None
    assert changes.list_changed(1) == {two, three}
    changes.note(4, 5, None)
    assert changes.list_changed(4) is None
    assert changes.list_changed(5) == set()
    # Between 5 and 7 something was not heard of.
    changes.note(7, 8, {one})
    assert changes.list_changed(5) is None


def test_a_snapshot_from_before_is_counted_by_itself(light: Service) -> None:
    author = light.partner(*AUTHOR)
    author.tell(author.open(), "wanted.removed")
    services = light.client.app.state.services
    with services.reader.snapshot() as earlier:
        author.tell(author.open(), "wanted.removed")
        assert check(light)["persons"] == 2
        assert services.running_statistics.find(earlier) is None
