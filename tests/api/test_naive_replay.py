"""Both clocks together agree with a naive replay of the filtered log, on random histories."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from litestar.testing import TestClient

from caseflow.api.app import create_app
from caseflow.api.rendering import render_status
from caseflow.domain.statistics import Statistics
from caseflow.domain.status import Status
from caseflow.domain.times import format_time
from caseflow.serving import make_services
from tests.histories import History, Step, few, new_history, steps
from tests.houses import Desk, list_log
from tests.naive import Naive

Json = dict[str, Any]

DAYS = (None, "2025-05-09", "2025-05-31", "2025-07-01", "2024-01-01")
moments = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(DAYS)), min_size=2, max_size=3, unique=True
)


class Asker:
    """Asks the API of a house about a moment, as one who may or may not have a key."""

    def __init__(self, client: TestClient[Any], desk: Desk | None) -> None:
        self._client = client
        self.desk = desk
        self._headers = {"Authorization": f"Bearer {desk.key}"} if desk else {}

    def get(self, path: str, known_at: int | None, as_of: str | None) -> Any:
        clocks = {"known_at": known_at and format_time(known_at), "as_of": as_of}
        query = {name: text for name, text in clocks.items() if text} | {"lang": "en"}
        return self._client.get(path, params=query, headers=self._headers, follow_redirects=False)


def said(status: Status) -> Json:
    """Return a status as the API says it, without partners: the public knows no ids of them."""
    rendered: Json = msgspec.json.decode(msgspec.json.encode(render_status(status, "en")))
    for disagreement in rendered["disputed"]:
        del disagreement["partners"]
    return rendered


def answered(case: Json) -> Json:
    status: Json = case["status"]
    for disagreement in status["disputed"]:
        del disagreement["partners"]
    return status


def assert_numbers(answer: Any, expected: Statistics) -> None:
    found = answer.json()
    for name, number in msgspec.to_builtins(expected).items():
        # Of custody that goes on, the end is the day of the last change.
        if name != "custody_days":
            assert found[name] == number, name


def check_partner(asker: Asker, naive: Naive, history: History, moment: Any) -> None:
    """Assert that a partner is told of a moment what the naive replay says."""
    assert asker.desk is not None
    caller, as_of = asker.desk.caller, moment[1]
    statuses = naive.list_statuses(caller, as_of)
    listed = asker.get("/v1/cases", *moment).json()["items"]
    assert {UUID(c["id"]): answered(c) for c in listed} == {i: said(s) for i, s in statuses.items()}
    everything = naive.list_statuses(caller, None)
    for case_id in history.cases:
        one = asker.get(f"/v1/cases/{case_id}", *moment)
        history_of = asker.get(f"/v1/cases/{case_id}/events", *moment)
        told = naive.list_history(caller, case_id, as_of)
        assert (one.status_code == 200) == (told is not None) == (case_id in everything)
        assert history_of.status_code == one.status_code
        if told is not None:
            items = history_of.json()["items"]
            assert {UUID(e["id"]) for e in items if "occurred" in e} == told
        if case_id in statuses:
            assert answered(one.json()) == said(statuses[case_id])
    assert_numbers(asker.get("/v1/statistics", *moment), naive.tally(caller, as_of))


def check_public(asker: Asker, naive: Naive, history: History, moment: Any) -> None:
    """Assert that anyone is told of a moment what the naive replay says."""
    as_of = moment[1]
    assert_numbers(asker.get("/v1/statistics", *moment), naive.tally_public(as_of))
    listed = {c["id"]: c for c in asker.get("/v1/cases", *moment).json()["items"]}
    for case_id in history.cases:
        one = asker.get(f"/v1/cases/{case_id}", *moment)
        shown = naive.list_shown(case_id)
        if one.status_code != 200:
            assert str(case_id) not in listed
            assert one.status_code in (307, 410) or not shown
            continue
        assert answered(one.json()) == said(naive.find_public_status(case_id, as_of))
        if str(case_id) in listed:
            assert answered(listed[str(case_id)]) == answered(one.json())
        items = asker.get(f"/v1/cases/{case_id}/events", moment[0], None).json()["items"]
        # Of what was told more widely than may be told now, a tombstone is there.
        assert shown <= {UUID(e["id"]) for e in items}


def list_askers(client: TestClient[Any], history: History) -> Iterator[Asker]:
    for desk in (history.partners[0], history.partners[1], history.reader, history.stranger):
        yield Asker(client, desk)


def check(history: History, asked: list[tuple[int, str | None]]) -> None:
    log = [event for _, event in list_log(history.house)]
    with TestClient(create_app(make_services(history.house))) as client:
        for number, as_of in asked:
            times = [None, *history.times]
            known_at = times[number % len(times)]
            naive = Naive(log, known_at)
            for asker in list_askers(client, history):
                check_partner(asker, naive, history, (known_at, as_of))
            check_public(Asker(client, None), naive, history, (known_at, as_of))


@few(20)
@given(taken=steps(), asked=moments)
def test_both_clocks_agree_with_a_naive_replay(
    request: pytest.FixtureRequest, taken: list[Step], asked: list[tuple[int, str | None]]
) -> None:
    with new_history("sqlite", request, taken) as history:
        check(history, asked)


@pytest.mark.postgresql
@few(2)
@given(taken=steps(), asked=moments)
def test_both_clocks_agree_with_a_naive_replay_on_postgresql(
    request: pytest.FixtureRequest, taken: list[Step], asked: list[tuple[int, str | None]]
) -> None:
    with new_history("postgresql", request, taken) as history:
        check(history, asked)


@pytest.mark.soak
@settings(parent=few(300), derandomize=False)
@given(taken=steps(30), asked=moments)
def test_both_clocks_agree_with_many_naive_replays(
    request: pytest.FixtureRequest, taken: list[Step], asked: list[tuple[int, str | None]]
) -> None:
    """Other histories each time, and long ones."""
    with new_history("sqlite", request, taken) as history:
        check(history, asked)
