"""Answers that are kept: they are what would be made anew, and never outlive what they tell of."""

import asyncio
import time
from typing import Any
from uuid import UUID

import httpx
import pytest

from caseflow.eventstore.changes import CaseChanges
from caseflow.settings import Settings

from .conftest import AUTHOR, Json, Partner, Service, serve, steady

KEPT = ("/v1/cases/{id}", "/v1/cases/{code}", "/feeds/all.atom", "/feeds/cases/{code}.json")


@pytest.fixture
def author(service: Service) -> Partner:
    return service.partner(*AUTHOR)


def count_kept(service: Service) -> int:
    return len(service.client.app.state.services.kept)


def forget(service: Service) -> None:
    service.client.app.state.services.kept.clear()


def told(answer: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    return answer.status_code, steady(answer.headers), answer.content


def test_a_kept_answer_is_the_one_that_would_be_made(service: Service, author: Partner) -> None:
    case = author.open()
    author.tell(case, "wanted.removed", summary={"en": "x" * 1200})
    for path in (path.format(**case) for path in KEPT):
        for query in ("", "?lang=ru"):
            for headers in (
                {"Accept-Encoding": "identity"},
                {"Accept-Encoding": "gzip", "Accept-Language": "kk"},
                {"Accept-Encoding": "br;q=1, gzip;q=0.5", "Accept-Language": "de, ru;q=0.5"},
            ):
                forget(service)
                made = told(service.get(path + query, headers))
                assert made[0] == 200
                assert count_kept(service) == 1
                assert told(service.get(path + query, headers)) == made
                # What asks for more goes the long way, and here comes to the same.
                more = f"{path}{query}{'&' if query else '?'}min_position=0"
                assert told(service.get(more, headers)) == made
                known = {**headers, "If-None-Match": made[1]["etag"]}
                kept = told(service.get(path + query, known))
                assert kept[0] == 304
                forget(service)
                assert told(service.get(path + query, known)) == kept
                several = {**headers, "If-None-Match": f'"other", W/{made[1]["etag"]}'}
                assert service.get(path + query, several).status_code == 304


def test_whoever_has_it_already_keeps_it_alive(service: Service, author: Partner) -> None:
    case = author.open()
    author.tell(case, "wanted.removed")
    path = f"/v1/cases/{case['id']}"
    known = {"If-None-Match": service.get(path).headers["etag"]}
    author.tell(author.open(), "wanted.removed")
    services = service.client.app.state.services
    (before,) = services.kept._answers.values()
    services.kept._clock = lambda: time.monotonic() + 60
    assert service.get(path, known).status_code == 304
    (after,) = services.kept._answers.values()
    assert after.made_at > before.made_at + 50


def test_what_is_posted_is_there_for_the_next_reader(service: Service, author: Partner) -> None:
    case, other = author.open(), author.open()
    states = ("asylum.claim_made", "asylum.registered", "extradition.granted", "wanted.removed")
    for number, type_ in enumerate(states, start=1):
        author.tell(case, type_, f"2025-05-0{number}")
        author.tell(other, type_, f"2025-05-0{number}")
        for path in (path.format(**case) for path in KEPT):
            for _ in range(2):
                answer = service.get(path)
                if path.startswith("/v1"):
                    assert answer.json()["version"] == number
                    assert answer.json()["position"] == 2 * number - 1
                else:
                    is_atom = path.endswith("atom")
                    entries = (
                        answer.text.count("<entry") if is_atom else len(answer.json()["items"])
                    )
                    assert entries == (2 * number if "all" in path else number)


def test_what_is_withdrawn_is_gone_at_once(service: Service, author: Partner) -> None:
    case = author.open()
    event = author.tell(case, "wanted.removed")
    paths = [path.format(**case) for path in KEPT]
    before = [service.get(path).content for path in paths]
    assert count_kept(service) == len(paths)
    answer = author.post(f"/v1/events/{event['id']}/retractions", {"reason": "false"})
    assert answer.status_code == 201, answer.text
    after = [service.get(path) for path in paths]
    assert [answer.status_code for answer in after] == [410, 410, 200, 200]
    assert all(kept not in answer.content for kept, answer in zip(before, after, strict=True))


def test_a_merge_changes_what_is_told_of_both(service: Service, author: Partner) -> None:
    author = service.partner(*AUTHOR)
    case, into = author.open(), author.open()
    for one in (case, into):
        author.tell(one, "wanted.removed")
    ids = [one["id"] for one in (case, into)]
    assert [service.get(f"/v1/cases/{i}").json()["version"] for i in ids] == [1, 1]
    merged = author.post(
        f"/v1/cases/{case['id']}/merges", {"into": into["id"]}, **{"If-Match": "*"}
    )
    assert merged.status_code == 201, merged.text
    assert service.client.get(f"/v1/cases/{ids[0]}", follow_redirects=False).status_code == 307
    assert service.get(f"/v1/cases/{ids[1]}").json()["version"] > 1


def test_other_cases_and_keys_leave_it_alone(service: Service, author: Partner) -> None:
    case = author.open()
    author.tell(case, "wanted.removed")
    path = f"/v1/cases/{case['id']}"
    service.get(path)
    (kept,) = service.client.app.state.services.kept._answers.values()
    author.tell(author.open(), "wanted.removed")
    assert service.get(path).content == kept.whole.body["body"]
    assert next(iter(service.client.app.state.services.kept._answers.values())) is kept
    for headers in (author.headers, {"Authorization": "Bearer nonsense"}):
        assert service.get(path, headers).content != kept.whole.body["body"]
    for query in ("?known_at=2020-01-01T00:00:00Z", "?min_position=1", "?lang=de", "?lang=ru&x=1"):
        service.get(path + query)
    assert count_kept(service) == 1


def test_another_process_is_heard_of_within_moments(house_settings: Settings) -> None:
    with serve(house_settings) as one, serve(house_settings) as other:
        # Nothing is made anew because of its age.
        other.client.app.state.services.kept._clock = lambda: 0.0
        author = one.partner(*AUTHOR)
        case = author.open()
        author.tell(case, "asylum.claim_made")
        paths = [path.format(**case) for path in KEPT]
        deadline = time.monotonic() + 10
        while other.get(paths[0]).status_code != 200:
            assert time.monotonic() < deadline
        for number in range(2, 5):
            before = [other.get(path).content for path in paths]
            event = author.tell(case, "asylum.registered", f"2025-06-0{number}")
            for path, content in zip(paths, before, strict=True):
                while other.get(path).content == content:
                    assert time.monotonic() < deadline
            # Whoever knows the position never gets what was before.
            answer = other.get(paths[0], min_position=event["position"] - 1)
            assert answer.json()["version"] == number


def test_kept_answers_are_counted(request: pytest.FixtureRequest, house_settings: Settings) -> None:
    with serve(house_settings) as service:
        author = service.partner(*AUTHOR)
        case = author.open()
        author.tell(case, "wanted.removed")
        counted = list[Any]()
        limits = service.client.app.state.services.rate_limits
        limits.count_address = counted.append
        for _ in range(3):
            service.get(f"/v1/cases/{case['id']}")
        assert len(counted) == 3


ONE, TWO, THREE = (UUID(int=n) for n in range(1, 4))


class TestChanges:
    def test_a_case_is_current_until_it_changes(self) -> None:
        changes = CaseChanges()
        changes.note(0, 3, [ONE])
        assert changes.is_current(3, ONE)
        assert changes.is_current(0, TWO)
        assert not changes.is_current(2, ONE)
        changes.note(3, 5, [TWO])
        assert changes.is_current(3, ONE)
        assert not changes.is_current(4, TWO)
        assert not changes.is_current(3, None)
        assert changes.is_current(5, None)

    def test_what_was_missed_makes_all_of_before_stale(self) -> None:
        changes = CaseChanges()
        changes.note(0, 3, [ONE])
        changes.note(7, 9, [TWO])
        assert not changes.is_current(6, ONE)
        assert changes.is_current(7, ONE)

    def test_what_may_concern_all_makes_all_stale(self) -> None:
        changes = CaseChanges()
        changes.note(0, 3, None)
        assert not changes.is_current(2, ONE)
        assert changes.is_current(3, ONE)

    def test_it_remembers_so_many_and_is_right_about_the_others(self) -> None:
        changes = CaseChanges(size=2)
        for position, case_id in enumerate((ONE, TWO, THREE), start=1):
            changes.note(position - 1, position, [case_id])
        assert not changes.is_current(0, ONE)
        assert changes.is_current(1, ONE)
        assert not changes.is_current(1, TWO)
        assert changes.is_current(2, TWO)

    def test_what_is_known_is_never_taken_back(self) -> None:
        changes = CaseChanges()
        changes.note(0, 5, [ONE])
        changes.note(0, 3, [ONE])
        assert not changes.is_current(4, ONE)
        assert changes.head == 5


def test_nothing_is_kept_beyond_so_many_bytes(service: Service, author: Partner) -> None:
    kept = service.client.app.state.services.kept
    kept._max_bytes = 10_000
    cases: list[Json] = [author.open() for _ in range(20)]
    for case in cases:
        author.tell(case, "wanted.removed")
    for case in cases:
        service.get(f"/v1/cases/{case['id']}")
    assert 1 < len(kept) < 10
    assert kept._bytes == sum(len(answer) for answer in kept._answers.values()) <= 10_000


def test_many_who_ask_at_once_are_answered_from_one_query(service: Service) -> None:
    author = service.partner(*AUTHOR)
    cases = [author.open() for _ in range(30)]
    for case in cases:
        author.tell(case, "wanted.removed")
    reads = service.client.app.state.services.case_reads
    batches = list[int]()
    read = reads._read

    def reading(batch: Any) -> Any:
        batches.append(len(batch))
        if len(batches) == 1:
            # While the first is read, the others come.
            time.sleep(0.5)
        return read(batch)

    reads._read = reading
    names = [case["code"] if n % 2 else case["id"] for n, case in enumerate(cases)]
    wanted = [*names, "ZZ-0000-0000", str(UUID(int=7))]

    async def ask() -> list[Any]:
        return await asyncio.gather(*(reads.find(name, "ru", takes_gzip=False) for name in wanted))

    with service.client.portal() as portal:
        found = portal.call(ask)
    assert [one and str(one.case_id) for one in found] == [
        *(case["id"] for case in cases),
        None,
        None,
    ]
    assert len(batches) <= 3
    assert sum(batches) == len(wanted)


def test_where_cases_cannot_be_read_the_reader_is_told_the_usual_way(
    light: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    author = light.partner(*AUTHOR)
    case = author.open()
    author.tell(case, "wanted.removed")

    def fail(batch: Any) -> Any:
        raise OSError("the disk is gone")

    monkeypatch.setattr(light.client.app.state.services.case_reads, "_read", fail)
    assert light.get(f"/v1/cases/{case['id']}").json()["version"] == 1


def test_what_is_out_of_date_when_it_comes_is_not_kept(service: Service, author: Partner) -> None:
    case = author.open()
    author.tell(case, "wanted.removed")
    path = f"/v1/cases/{case['id']}"
    services = service.client.app.state.services
    service.get(path)
    ((key, old),) = services.kept._answers.items()
    author.tell(case, "asylum.claim_made")
    assert services.kept.keep(key, old.whole, old.position, old.case_id).whole is old.whole
    assert count_kept(service) == 0
    assert services.kept._bytes == 0
    assert service.get(path).json()["version"] == 2
