"""Exports of the log: the same as paging it, in any pieces, in constant memory."""

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import httpx
import pytest
from sqlalchemy import text

from caseflow.api import exports
from caseflow.api.exports import Export
from caseflow.bootstrap import House
from caseflow.domain.errors import UnauthenticatedError, UnavailableError
from caseflow.eventstore.partners import Caller
from caseflow.serving import make_services
from caseflow.settings import Settings
from tests.houses import GIVE_UP_SECONDS, new_partner, run_house

from .conftest import AUTHOR, Json, Partner, Seeded, Service, items, pointers, problem
from .scenes import act, change

PATH: Final = "/v1/exports/log"


def read_lines(answer: httpx.Response) -> list[Json]:
    """Return the lines of an export, which must have come whole."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["vary"] == "Authorization, Accept-Encoding"
    assert not answer.text or answer.text.endswith("\n")
    return [json.loads(line) for line in answer.text.splitlines()]


def page_log(asker: Partner | Service) -> list[Json]:
    """Return the log as `GET /v1/events` gives it."""
    return items(asker.get("/v1/events", limit=500))


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are read seven at a time."""
    monkeypatch.setattr(exports, "BATCH_LINES", 7)


@pytest.mark.usefixtures("small_batches")
class TestLines:
    @pytest.mark.parametrize("view", ["public", "author", "partner", "reader"])
    def test_they_are_what_paging_gives(self, seeded: Seeded, view: str) -> None:
        asker = seeded.views[view]
        found = read_lines(asker.get(PATH))
        assert found == page_log(asker)
        assert len(found) > 60

    @pytest.mark.parametrize("view", ["public", "partner"])
    def test_an_export_goes_on_from_any_position(self, seeded: Seeded, view: str) -> None:
        asker = seeded.views[view]
        everything = read_lines(asker.get(PATH))
        for seen in (0, 1, 6, 7, 30, len(everything) - 1, len(everything)):
            after = everything[seen - 1]["position"] if seen else 0
            assert read_lines(asker.get(PATH, after=after)) == everything[seen:]
        assert read_lines(asker.get(PATH, after=10**9)) == []

    @pytest.mark.parametrize("limit", [1, 7, 8, 500])
    def test_a_limit_is_kept(self, seeded: Seeded, limit: int) -> None:
        everything = read_lines(seeded.press.get(PATH))
        assert read_lines(seeded.press.get(PATH, after=3, limit=limit)) == everything[3 : 3 + limit]

    def test_events_about_the_record_are_lines_too(self, service: Service) -> None:
        author, other = service.partner(*AUTHOR), service.partner("events:write")
        case = author.open()
        claims = [author.tell(case, "wanted.removed", place=f"place {n}") for n in range(9)]
        act(author, claims[0], "retractions", {"reason": "false"})
        act(other, claims[1], "disputes", {"reason": "it was not so"})
        act(author, claims[2], "visibility", {"visibility": "restricted"})
        change(author, case, "consent", {"publish": "anonymous", "basis": "representative"})
        for asker in (service, author, other):
            assert read_lines(asker.get(PATH)) == page_log(asker)
        types = {line["type"] for line in read_lines(author.get(PATH))}
        assert {"claim.retracted", "claim.disputed", "consent.changed"} <= types
        public = read_lines(service.get(PATH))
        assert "place 0" not in json.dumps(public)
        assert [line["position"] for line in public] == list(range(1, len(public) + 1))

    def test_nothing_yet_is_nothing(self, service: Service) -> None:
        assert read_lines(service.get(PATH)) == []


class TestAnswer:
    def test_a_head_is_the_head_of_a_get(self, seeded: Seeded) -> None:
        for headers in ({}, seeded.press.headers):
            read = seeded.service.client.get(PATH, headers=headers)
            head = seeded.service.client.head(PATH, headers=headers)
            assert (head.status_code, head.content) == (200, b"")
            assert set(head.headers) == set(read.headers)

    def test_it_is_compressed_on_request(self, seeded: Seeded) -> None:
        plain = seeded.service.get(PATH, {"Accept-Encoding": "identity"})
        with seeded.service.client.stream(
            "GET", PATH, headers={"Accept-Encoding": "gzip"}
        ) as answer:
            assert answer.headers["content-encoding"] == "gzip"
            packed = b"".join(answer.iter_raw())
        assert "content-encoding" not in plain.headers
        assert gzip.decompress(packed) == plain.content
        assert len(packed) < len(plain.content) / 3

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ({"after": "-1"}, "/query/after"), ({"after": "x"}, "/query/after"),
            ({"limit": "0"}, "/query/limit"), ({"limit": "1.5"}, "/query/limit"),
            ({"cursor": "abc"}, "/query/cursor"), ({"wait": "1"}, "/query/wait"),
        ],
    )  # fmt: skip
    def test_bad_input_is_a_problem(self, light: Service, query: Json, pointer: str) -> None:
        answer = light.get(PATH, **query)
        problem(answer, 422, "invalid-input")
        assert pointers(answer) == [pointer]

    def test_a_bad_key_is_never_taken_for_none(self, light: Service) -> None:
        problem(light.get(PATH, {"Authorization": "Bearer cfk_no"}), 401, "unauthenticated")

    def test_what_fails_before_the_first_line_is_a_problem(self, light: Service) -> None:
        author = light.partner(*AUTHOR)
        author.tell(author.open(), "wanted.removed", visibility="restricted")
        with light.engine.begin() as connection:
            connection.execute(text("ALTER TABLE restricted_reads RENAME TO gone"))
        problem(author.get(PATH), 503, "unavailable")


@pytest.mark.usefixtures("small_batches")
class TestReads:
    def test_every_restricted_line_stands_in_the_log_of_reads(self, service: Service) -> None:
        author, reader = service.partner(*AUTHOR), service.partner("restricted:read")
        watcher = service.partner("audit:read")
        case = author.open()
        told = [
            author.tell(case, "wanted.removed", visibility="restricted" if n % 2 else "partners")
            for n in range(20)
        ]
        read_lines(reader.get(PATH, after=1))
        logged = items(watcher.get("/v1/audit/reads", limit=500, partner=str(reader.id)))
        assert [(e["event"], e["kind"], e["partner"]) for e in logged] == [
            (e["id"], "restricted", str(reader.id)) for e in told[1::2]
        ]
        # Batch by batch, each before it leaves.
        assert len({entry["read_at"] for entry in logged}) == 3

    def test_a_head_reads_nothing(self, service: Service) -> None:
        author, watcher = service.partner(*AUTHOR), service.partner("audit:read")
        author.tell(author.open(), "wanted.removed", visibility="restricted")
        before = items(watcher.get("/v1/audit/reads"))
        service.client.head(PATH, headers=author.headers)
        assert items(watcher.get("/v1/audit/reads")) == before


# -- beside the edge ------------------------------------------------------------------------------


class Stock:
    """A house with many lines, and what an export needs."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.desk = new_partner(house)
        self.services = make_services(house)

    def fill(self, cases: int, claims: int) -> None:
        """Record cases with so many claims each."""
        opened = [self.desk.submit_case("anonymous") for _ in range(cases)]
        told = [
            self.desk.submit_claim(
                case.result(GIVE_UP_SECONDS).rendered.case_id,
                "wanted.removed",
                visibility="public",
                summary={"en": "What was told of it. " * 10},
            )
            for case in opened
            for _ in range(claims)
        ]
        for claim in told:
            claim.result(GIVE_UP_SECONDS)

    def export(self, caller: Caller | None = None, **asked: Any) -> Export:
        return Export(self.services, caller, **{"after": 0, **asked})


@pytest.fixture
def stock(house_settings: Settings) -> Iterator[Stock]:
    with run_house(house_settings) as house:
        yield Stock(house)


def drain(export: Export) -> tuple[int, int]:
    """Return how many lines an export has, and the most memory that was held meanwhile."""
    count = 0
    tracemalloc.start()
    try:
        while lines := export.read_lines():
            count += lines.count(b"\n")
        return count, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("lines", [1_000, pytest.param(10_000, marks=pytest.mark.soak)])
def test_many_lines_take_no_more_memory_than_few(stock: Stock, lines: int) -> None:
    stock.fill(cases=lines // 20, claims=20)
    for caller in (None, stock.desk.caller):
        # What a process keeps of cases is kept whoever asks.
        assert sum(1 for _ in iterate(stock.export(caller))) >= lines
        # Other threads allocate as well: the lesser of two looks is nearer to what was needed.
        few, little = min(drain(stock.export(caller, limit=200)) for _ in range(2))
        many, much = min(drain(stock.export(caller)) for _ in range(2))
        assert (few, many >= lines) == (200, True)
        # Held as a whole, they would take as many times more as there are more of them.
        assert much < 2 * little


@pytest.mark.usefixtures("small_batches")
def test_appends_do_not_tear_an_export(stock: Stock) -> None:
    """What comes after the export began is left to the next one; nothing is missed or repeated."""
    stock.fill(cases=2, claims=10)
    export = stock.export(stock.desk.caller)
    end = export.end
    with ThreadPoolExecutor(1) as threads:
        appending = threads.submit(stock.fill, 5, 10)
        found = [json.loads(line) for line in iterate(export)]
        appending.result(GIVE_UP_SECONDS)
    assert [line["position"] for line in found] == list(range(1, end + 1))
    rest = [json.loads(line) for line in iterate(stock.export(stock.desk.caller, after=end))]
    assert [line["position"] for line in rest] == list(range(end + 1, end + 56))


def iterate(export: Export) -> Iterator[bytes]:
    """Yield the lines of an export."""
    while lines := export.read_lines():
        yield from lines.splitlines()


@pytest.mark.usefixtures("small_batches")
def test_a_key_that_is_revoked_meanwhile_gets_no_more(stock: Stock) -> None:
    stock.fill(cases=1, claims=20)
    export = stock.export(stock.desk.caller)
    revoked: list[bool] = []

    def check_key() -> None:
        if revoked:
            raise UnauthenticatedError("the key is revoked")

    async def follow() -> None:
        chunks = exports._stream(export, export.read_lines(), check_key)
        for expected in (7, 7):
            assert (await anext(chunks)).count(b"\n") == expected
        revoked.append(True)
        with pytest.raises(UnauthenticatedError):
            await anext(chunks)

    asyncio.run(follow())


@pytest.mark.usefixtures("small_batches")
def test_what_cannot_be_logged_does_not_leave(stock: Stock) -> None:
    """An export breaks off where its reads can be logged no longer."""
    case = stock.desk.open("anonymous")
    for _ in range(20):
        stock.desk.tell(case, "wanted.removed", visibility="restricted")
    export = stock.export(stock.desk.caller)
    assert export.read_lines().count(b"\n") == 7
    with stock.house.write() as connection:
        connection.execute(text("ALTER TABLE restricted_reads RENAME TO gone"))
    with pytest.raises(UnavailableError):
        export.read_lines()
