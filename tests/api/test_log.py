"""The log from a position: what each view sees of it, and waiting for what is to come."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from .conftest import AUTHOR, Json, Partner, Seeded, Service, items, pointers, problem, serve


def test_the_log_of_a_key_has_every_event_at_its_position(seeded: Seeded) -> None:
    for asker in (seeded.press, seeded.reader):
        events = items(asker.get("/v1/events", limit=500))
        assert [e["position"] for e in events] == list(range(1, 82))
        assert [e["id"] for e in events if e["type"] != "case.opened"] == [
            e["id"] for e in seeded.events.values()
        ]
        assert sum(e["type"] == "case.opened" for e in events) == len(seeded.cases)
        shared = [e for e in events if e.get("visibility") != "restricted"]
        seen = items(seeded.other.get("/v1/events", limit=500))
        assert [e["position"] for e in seen] == [e["position"] for e in shared]
        # One event of the demo is of a type that is always restricted.
        assert len(seen) == 80


def test_the_public_log_has_what_is_public_in_its_own_numbers(seeded: Seeded) -> None:
    events = items(seeded.service.get("/v1/events", limit=500))
    hidden = seeded.cases["two-servicemen-2024"]["id"]
    assert [e["id"] for e in events] == [
        e["id"]
        for e in seeded.events.values()
        if e["case"] != hidden and e["visibility"] != "restricted"
    ]
    assert [e["position"] for e in events] == list(range(1, len(events) + 1))


@pytest.mark.parametrize("view", ["public", "author", "partner", "reader"])
@pytest.mark.parametrize("limit", [1, 7, 80, 81, 500])
def test_following_positions_misses_and_repeats_nothing(
    seeded: Seeded, view: str, limit: int
) -> None:
    asker = seeded.views[view]
    everything = items(asker.get("/v1/events", limit=500))
    found: list[Json] = []
    after = 0
    while True:
        answer = asker.get("/v1/events", after=after, limit=limit)
        found += items(answer)
        if not items(answer):
            assert answer.json()["position"] == after
            break
        assert items(answer)[-1]["position"] <= answer.json()["position"]
        after = answer.json()["position"]
    assert found == everything


def test_what_a_key_may_not_read_is_passed_over(service: Service) -> None:
    author, other = service.partner(*AUTHOR), service.partner()
    case = author.open()
    author.tell(case, "wanted.removed", visibility="restricted")
    author.tell(case, "wanted.removed")
    answer = other.get("/v1/events", after=1)
    assert [e["position"] for e in items(answer)] == [3]
    author.tell(case, "wanted.removed", visibility="restricted")
    answer = other.get("/v1/events", after=3)
    # Everything up to there has been looked at.
    assert (items(answer), answer.json()["position"]) == ([], 4)
    assert service.get("/v1/events", after=1).json()["position"] == 1


def test_a_position_beyond_the_end_stays(service: Service) -> None:
    for asker in (service, service.partner()):
        answer = asker.get("/v1/events", after=1000)
        assert (items(answer), answer.json()["position"]) == ([], 1000)


class TestWaiting:
    def test_an_event_ends_the_wait(self, service: Service) -> None:
        author, other = service.partner(*AUTHOR), service.partner()
        case = author.open()
        with ThreadPoolExecutor(3) as threads:
            waits = [
                threads.submit(asker.get, "/v1/events", after=after, wait=60)
                for asker, after in ((other, 1), (author, 1), (service, 0))
            ]
            hidden = author.tell(case, "wanted.removed", visibility="restricted")
            shown = author.tell(case, "wanted.listed", list="cis")
            answers = [wait.result(timeout=50) for wait in waits]
        assert items(answers[0])[0]["id"] == shown["id"]
        assert items(answers[1])[0]["id"] in (hidden["id"], shown["id"])
        assert [e["id"] for e in items(answers[2])] == [shown["id"]]
        assert answers[2].json()["position"] == 1

    def test_an_event_of_another_process_ends_it_too(self, service: Service) -> None:
        author = service.partner(*AUTHOR)
        case = author.open()
        with serve(service.settings) as elsewhere, ThreadPoolExecutor(1) as threads:
            wait = threads.submit(elsewhere.get, "/v1/events", after=0, wait=60)
            told = author.tell(case, "wanted.removed")
            assert [e["id"] for e in items(wait.result(timeout=50))] == [told["id"]]

    def test_without_news_it_ends_by_itself(self, light: Service) -> None:
        answer = light.get("/v1/events", after=0, wait=1)
        assert (items(answer), answer.json()["position"]) == ([], 0)

    def test_those_who_wait_leave_room_for_those_who_ask(self, light: Service) -> None:
        """More wait than there are threads for reading: were they held, nobody would be answered
        before the waits are over.
        """
        author = light.partner(*AUTHOR)
        case = author.open()
        with ThreadPoolExecutor(60) as threads:
            waits = [threads.submit(light.get, "/v1/events", after=0, wait=30) for _ in range(60)]
            for _ in range(20):
                assert items(light.get("/v1/cases")) == []
            told = author.tell(case, "wanted.removed")
            found = [items(wait.result(timeout=25)) for wait in waits]
        assert [[e["id"] for e in events] for events in found] == [[told["id"]]] * 60

    @pytest.mark.parametrize("wait", ["-1", "61", "x", "1.5"])
    def test_a_wait_has_its_bounds(self, light: Service, wait: str) -> None:
        answer = light.get("/v1/events", wait=wait)
        problem(answer, 422, "invalid-input")
        assert pointers(answer) == ["/query/wait"]


class TestMinPosition:
    """Reading what was written: a read waits until it sees a position."""

    @pytest.fixture
    def author(self, service: Service) -> Partner:
        author = service.partner(*AUTHOR)
        author.tell(author.open(), "wanted.removed")
        return author

    def addresses(self, case: Json) -> list[str]:
        return [
            "/v1/cases", f"/v1/cases/{case['id']}", f"/v1/cases/{case['id']}/events",
            "/v1/events", "/v1/statistics", f"/v1/events/{case['event']}",
        ]  # fmt: skip

    def test_a_position_that_is_reached_is_answered_at_once(
        self, service: Service, author: Partner
    ) -> None:
        (case,) = items(author.get("/v1/cases"))
        case["event"] = items(service.get("/v1/events"))[0]["id"]
        for path in self.addresses(case):
            assert author.get(path, min_position=2).status_code == 200
            assert service.get(path, min_position=1).status_code == 200
        for path in ("/feeds/all.atom", f"/feeds/cases/{case['code']}.atom"):
            assert service.get(path, min_position=1).status_code == 200

    def test_one_that_is_not_reached_is_answered_503(
        self, service: Service, author: Partner
    ) -> None:
        """The public position is that of publication: 2 is reached for a key alone."""
        (case,) = items(author.get("/v1/cases"))
        case["event"] = items(service.get("/v1/events"))[0]["id"]
        asked: list[tuple[Any, str, int]] = []
        for path in self.addresses(case):
            asked += [(author, path, 3), (service, path, 2)]
        asked += [
            (service, "/feeds/all.atom", 2),
            (service, f"/feeds/cases/{case['code']}.atom", 2),
        ]
        with ThreadPoolExecutor(len(asked)) as threads:
            answers: list[httpx.Response] = list(
                threads.map(lambda a: a[0].get(a[1], min_position=a[2]), asked)
            )
        for answer in answers:
            problem(answer, 503, "unavailable")
            assert int(answer.headers["retry-after"]) >= 1

    def test_one_that_comes_meanwhile_is_waited_for(
        self, service: Service, author: Partner
    ) -> None:
        (case,) = items(author.get("/v1/cases"))
        with ThreadPoolExecutor(2) as threads:
            waits = [
                threads.submit(author.get, f"/v1/cases/{case['id']}", min_position=3),
                threads.submit(service.get, f"/v1/cases/{case['id']}", min_position=2),
            ]
            author.tell(case, "person.died")
            for wait in waits:
                assert wait.result(timeout=50).json()["status"]["headline"] == "died"
