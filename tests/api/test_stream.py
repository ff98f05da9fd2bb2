"""The stream: every public change once, in order, whatever happens to either side."""

import asyncio
import dataclasses
import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import anyio
import httpx
import pytest
from anyio.to_thread import run_sync

from caseflow.api import streams
from caseflow.api.events import encode_published
from caseflow.api.services import Services
from caseflow.api.stream import list_feeds
from caseflow.api.streams import Feeds, Streams
from caseflow.database import begin_read
from caseflow.domain.errors import UnavailableError
from caseflow.eventstore.publications import list_publications
from caseflow.eventstore.schema import migrate, migrate_keys
from caseflow.projections.public import windows
from caseflow.projections.public.windows import Feed
from tests.browser import find_chromium, open_page
from tests.canaries import Canaries
from tests.checks import check_absent
from tests.houses import GIVE_UP_SECONDS
from tests.served import ServedHouse, find_free_port, served_house
from tests.test_docs_examples import ROOT, list_blocks, section

from .conftest import AUTHOR, KINDS, Json, Partner, Service, items, pointers, problem
from .mirrors import walk
from .scenes import act, change, claim
from .streams import Sent, Source
from .test_erasure import erase

STREAM: Final = "/v1/stream"


class Live(NamedTuple):
    """A running service in a process of its own, and one who tells."""

    house: ServedHouse
    service: Service
    author: Partner

    def source(self, path: str = STREAM, last_id: str | None = None) -> Source:
        return Source(self.house.url, path, last_id)

    def events(self) -> list[Json]:
        """All public changes, by asking."""
        return items(self.service.get("/v1/events", limit=500))


@contextmanager
def live_on(
    kind: str, request: pytest.FixtureRequest, folder: Path, **environ: str
) -> Iterator[Live]:
    limits = {"CASEFLOW_RATE_PER_PARTNER": "0", "CASEFLOW_RATE_PER_ADDRESS": "0", **environ}
    with served_house(kind, request, folder, **limits) as house:
        migrate(house.settings.database_url)
        migrate_keys(house.settings.keys_url)
        house.start()
        house.wait_until_ready()
        with httpx.Client(base_url=house.url, timeout=GIVE_UP_SECONDS) as client:
            service = Service(house.settings, client)  # type: ignore[arg-type]  # asks alike
            try:
                yield Live(house, service, service.partner(*AUTHOR, public_name="Press"))
            finally:
                service.engine.dispose()


@pytest.fixture(params=KINDS)
def live(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Live]:
    """A service on either database."""
    with live_on(request.param, request, tmp_path) as found:
        yield found


@pytest.fixture
def embedded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Live]:
    """A service on SQLite, where the database makes no difference."""
    with live_on("sqlite", request, tmp_path) as found:
        yield found


def test_what_is_made_public_is_sent_as_it_is_made(live: Live) -> None:
    author = live.author
    case = author.open()
    before = author.tell(case, "wanted.listed", list="cis")
    source = live.source()
    with source.connect() as events:
        told = author.tell(case, "extradition.granted")
        author.tell(case, "asylum.claim_made", visibility="partners")
        better = act(author, told, "corrections", {"reason": "typo", **claim("person.died")})
        act(author, before, "retractions", {"reason": "false"})
        found = [next(events) for _ in range(3)]
    assert source.retry == 3_000
    assert [(one.id, one.event) for one in found] == [
        ("2", "published"), ("3", "corrected"), ("4", "withdrawn"),
    ]  # fmt: skip
    assert [one.data["id"] for one in found] == [told["id"], better["id"], before["id"]]
    # Each as it is told to whoever asks, from the moment on at which it was sent.
    assert found[2].data == live.events()[3]
    assert source.last_id == "4"


def test_it_goes_on_where_it_was_cut_off(live: Live) -> None:
    case = live.author.open()
    told = [live.author.tell(case, "wanted.removed", f"{1900 + n}")["id"] for n in range(250)]
    source = live.source(f"{STREAM}?after=0")
    found = source.take(120)
    found += source.take(130)
    assert [one.data["id"] for one in found] == told
    assert [int(one.id) for one in found] == list(range(1, 251))
    # The header of a client that comes again goes before the address that it was given at first.
    again = live.source(f"{STREAM}?after=0", "248").take(2)
    assert [one.id for one in again] == ["249", "250"]


def test_who_follows_from_now_on_knows_where_now_is(embedded: Live) -> None:
    case = embedded.author.open()
    embedded.author.tell(case, "wanted.removed")
    source = embedded.source()
    with source.connect() as events:
        # Cut off before anything came, it goes on from there.
        source.comments, source.last_id = 0, None
        thread = threading.Thread(target=lambda: next(events, None), daemon=True)
        thread.start()
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while source.last_id is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert source.last_id == "1"
        embedded.author.tell(case, "person.died")
        thread.join(GIVE_UP_SECONDS)
    assert source.last_id == "2"


@pytest.mark.parametrize(
    ("query", "header", "pointer"),
    [
        ("after=x", None, "/query/after"), ("after=-1", None, "/query/after"),
        ("after=1", None, "/query/after"), ("", "1", "/headers/Last-Event-ID"),
        ("after=0", "x", "/headers/Last-Event-ID"), ("", "-1", "/headers/Last-Event-ID"),
        ("", "9" * 30, "/headers/Last-Event-ID"), ("", "٣", "/headers/Last-Event-ID"),
        ("headline=none", None, "/query/headline"), ("type=none.such", None, "/query/type"),
        ("host_state=kz", None, "/query/host_state"), ("recalls=1", None, "/query/recalls"),
        ("case=KZ-0000-0000", None, "/query/case"), ("case=ext:own", None, "/query/case"),
        ("case=none", None, "/query/case"), ("since=1", None, "/query/since"),
        ("after=0&after=1", None, "/query/after"),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_refused_where_it_is_wrong(
    light: Service, query: str, header: str | None, pointer: str
) -> None:
    headers = {} if header is None else {"Last-Event-ID": header.encode()}
    answer = light.client.get(f"{STREAM}?{query}", headers=headers)
    problem(answer, 422, "invalid-input")
    assert pointers(answer) == [pointer]


def test_a_head_ends(light: Service) -> None:
    answer = light.client.head(STREAM)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    problem(light.client.post(STREAM), 405, "method-not-allowed")


# -- filters --------------------------------------------------------------------------------------


def test_filters_have_what_the_feeds_have(service: Service) -> None:
    author = service.partner(*AUTHOR)
    first, second, abroad = author.open(), author.open(), author.open(host_state="KG")
    granted = author.tell(first, "extradition.granted", "2025-05-01")
    author.tell(second, "asylum.claim_made", "2025-05-02")
    author.tell(abroad, "extradition.granted", "2025-05-03")
    for n in range(60):
        author.tell(abroad, "wanted.removed", f"{1900 + n}")
    asked = author.tell(second, "asylum.claim_made", "2025-05-04")
    change(author, second, "merges", {"into": first["id"]})
    act(author, granted, "corrections", {"reason": "typo", **claim("person.died")})
    act(author, asked, "retractions", {"reason": "unsafe"})
    filters = {
        f"case={first['code']}": f"cases/{first['code']}",
        f"case={second['id']}": f"cases/{first['code']}",
        "headline=extradition_granted": "headlines/extradition_granted",
        "headline=died": "headlines/died",
        "type=extradition.granted": "types/extradition.granted",
        "type=asylum.claim_made": "types/asylum.claim_made",
        "host_state=KG": "states/KG", "recalls=true": "recalls", "": "all",
    }  # fmt: skip
    numbers = list_numbers(service)
    told = {item["position"]: item for item in items(service.get("/v1/events", limit=500))}
    published = {one for one, n in numbers.items() if told[n]["kind"] == "published"}
    for query, feed in filters.items():
        pages = walk(service, f"/feeds/{feed}.atom")
        entries = {entry for page in pages for entry in page.entries}
        if not feed.startswith(("types/", "headlines/")):
            # A feed that remembers is followed with what is gone, without its words.
            gone = {ref for page in pages for ref in page.tombstones}
            entries |= gone - published if feed == "recalls" else gone
        sent = collect(service, query)
        assert [int(one.id) for one in sent] == sorted(numbers[entry] for entry in entries), query
        assert all(one.data == told[int(one.id)] for one in sent)
    both = collect(service, "host_state=KG&type=extradition.granted")
    assert [one.id for one in both] == ["3"]
    everything = collect(service, "")
    assert [one.id for one in everything] == [str(n + 1) for n in range(len(everything))]
    assert collect(service, "type=person.died", after=1)[0].data["type"] == "person.died"


def list_numbers(service: Service) -> dict[str, int]:
    """Return the position of each entry that there ever was, by its id."""
    with begin_read(service.engine) as connection:
        found = list_publications(connection, 0, 1_000_000)
    return {one.record.entry_id.urn: one.record.sequence for one in found}


def collect(service: Service, query: str, after: int = 0) -> list[Sent]:
    """Return all that is sent to a subscriber until there is nothing for a moment."""
    services = service.client.app.state.services
    asked = dict(parse_qsl(query))
    with services.snapshot(None, None) as snapshot:
        feeds = tuple(list_feeds(services, snapshot, asked))
    source = Source("")
    text = anyio.run(gather, services, after, feeds)
    return list(source.read(iter(text.split("\n"))))


async def gather(services: Services, after: int, feeds: Feeds) -> str:
    followed = Streams(
        services.reader,
        services.watcher,
        partial(encode_published, name=services.name),
        is_running=lambda: services.writer.is_running,
        most=1,
        heartbeat_seconds=0.05,
    )
    chunks = followed.follow(after, feeds)
    text = (await anext(chunks)).decode()
    async for chunk in chunks:
        text += chunk.decode()
        if b"data:" not in chunk:
            break
    await chunks.aclose()
    assert followed.subscribers == 0
    return text


# -- what was withdrawn ---------------------------------------------------------------------------


def test_what_was_withdrawn_or_erased_is_never_sent_again(service: Service) -> None:
    author, canaries = service.partner(*AUTHOR), Canaries()
    erased, hidden, kept = (author.open(**canaries.case("pseudonym")) for _ in range(3))
    for case in (erased, hidden):
        author.tell(
            case,
            "prosecution.charged",
            accusation=canaries("accused"),
            **{name: value for name, value in canaries.claim().items() if name != "external_id"},
        )
    taken = author.tell(kept, "wanted.listed", list="cis", place=canaries("place"))
    restricted = canaries("restricted")
    author.tell(kept, "person.entered", place=restricted, visibility="partners")
    before = "".join(str(one.data) for one in collect(service, ""))
    assert canaries.words[3] in before or "prosecution.charged" in before
    erase(service, erased)
    change(author, hidden, "consent", {"publish": "none", "basis": "own"})
    act(author, taken, "retractions", {"reason": "unsafe"})
    for query in ("", "host_state=KZ", "recalls=true", f"case={kept['code']}"):
        sent = collect(service, query)
        assert sent
        said = "".join(str(one.data) for one in sent).encode()
        check_absent(said, [w for w, f in canaries.fields.items() if f != "pseudonym"], query)
        check_absent(said, [restricted], query)


# -- many, restarts, other processes --------------------------------------------------------------


def test_two_processes_send_the_same(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """What one of them records, the other sends, once and in order."""
    with live_on("postgresql", request, tmp_path) as first, ExitStack() as stack:
        folder = tmp_path / "second"
        folder.mkdir()
        settings = dataclasses.replace(first.house.settings, port=find_free_port())
        second = ServedHouse(settings, folder)
        stack.callback(second.kill)
        second.start()
        second.wait_until_ready()
        case = first.author.open()
        sources = [Source(url, f"{STREAM}?after=0") for url in (first.house.url, second.url)]
        client = stack.enter_context(httpx.Client(base_url=second.url, timeout=GIVE_UP_SECONDS))
        elsewhere = Partner(
            Service(settings, client),
            first.author.id,
            "",
            first.author.key_id,  # type: ignore[arg-type]
        )
        elsewhere.headers = first.author.headers
        with ThreadPoolExecutor(2) as pool:
            found = [pool.submit(source.take, 60) for source in sources]
            for n in range(60):
                by = (first.author, elsewhere)[n % 2]
                by.tell(case, "wanted.removed", f"{1900 + n}")
            one, other = (future.result(GIVE_UP_SECONDS) for future in found)
        elsewhere.service.engine.dispose()
        assert one == other
        assert [int(sent.id) for sent in one] == list(range(1, 61))


test_two_processes_send_the_same = pytest.mark.postgresql(test_two_processes_send_the_same)


def kill_again_and_again(live: Live, kills: int, seed: int) -> int:
    """Kill the service while it is told and followed; return how many changes there were."""
    chance = random.Random(seed)
    stopped = threading.Event()
    received: list[int] = []
    case = live.author.open()

    def follow() -> None:
        source = live.source(last_id="0")
        while not stopped.is_set():
            with suppress(httpx.TransportError), source.connect() as events:
                for one in events:
                    received.append(int(one.id))
            time.sleep(0.02)

    def tell() -> None:
        n = 0
        while not stopped.is_set():
            n += 1
            with suppress(httpx.TransportError, AssertionError):
                live.author.tell(case, "wanted.removed", f"{1000 + n % 900}", external_id=f"{n}")

    threads = [threading.Thread(target=work, daemon=True) for work in (follow, tell)]
    for thread in threads:
        thread.start()
    for _ in range(kills):
        time.sleep(chance.uniform(0.2, 1.5))
        live.house.kill()
        live.house.start()
        live.house.wait_until_ready()
    last = live.events()[-1]["position"] if kills < 3 else find_end(live)
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while not received or received[-1] < last:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    stopped.set()
    threads[1].join(GIVE_UP_SECONDS)
    assert received == list(range(1, len(received) + 1))
    return len(received)


def find_end(live: Live) -> int:
    return int(live.service.get("/readyz").json()["position"])


def test_a_kill_loses_and_repeats_nothing(live: Live) -> None:
    assert kill_again_and_again(live, kills=2, seed=1) > 0


@pytest.mark.soak
def test_many_kills_lose_and_repeat_nothing(live: Live) -> None:
    print(kill_again_and_again(live, kills=30, seed=2), "changes")


def test_it_ends_with_the_service(embedded: Live) -> None:
    """A client that is cut off comes again; the service does not wait for it."""
    source = embedded.source()
    with source.connect() as events:
        embedded.house.stop()
        with suppress(httpx.TransportError):
            assert list(events) == []
    # Else the server would have said that it had to kill what would not end.
    assert "Kill" not in embedded.house.log.read_text("utf-8")


def test_no_more_follow_than_may(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    with live_on("sqlite", request, tmp_path, CASEFLOW_STREAM_SUBSCRIBERS="2") as live:
        with ExitStack() as stack:
            for _ in range(2):
                stack.enter_context(live.source().connect())
            answer = live.service.get(STREAM)
            problem(answer, 503, "unavailable")
            assert int(answer.headers["retry-after"]) >= 1
            assert live.service.get("/v1/events").status_code == 200
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while True:
            with suppress(AssertionError), live.source().connect():
                break
            assert time.monotonic() < deadline


def test_no_address_takes_all_places(light: Service) -> None:
    found = light.client.app.state.services.streams
    most = found._most // streams.ADDRESS_SHARE
    found._addresses[b"here"] = most
    with pytest.raises(UnavailableError):
        found.require_place(b"here")
    found.require_place(b"elsewhere")
    found.require_place(None)


def test_a_thousand_wait_without_a_thread_of_their_own(embedded: Live) -> None:
    process = embedded.house.worker_id

    def count(what: str) -> int:
        return len(os.listdir(f"/proc/{process}/{what}"))

    case = embedded.author.open()
    with ExitStack() as stack:
        sources = [embedded.source() for _ in range(1_000)]
        sockets = [stack.enter_context(open_raw(embedded.house.url)) for _ in sources]
        threads = count("task")
        embedded.author.tell(case, "wanted.removed")
        for one in sockets:
            read_until(one, b"data: ")
        # Those that wait for the database are few; connections to it are files as well.
        assert count("task") <= threads + streams.READERS
        assert count("fd") < 1_000 + 200
        assert embedded.service.get("/healthz").status_code == 200


def open_raw(url: str) -> socket.socket:
    """Open the stream on a connection of its own."""
    address = httpx.URL(url)
    found = socket.create_connection((address.host, address.port), timeout=GIVE_UP_SECONDS)
    found.sendall(b"GET /v1/stream HTTP/1.1\r\nHost: caseflow\r\n\r\n")
    read_until(found, b"retry: ")
    return found


def read_until(connection: socket.socket, wanted: bytes) -> None:
    data = b""
    while wanted not in data:
        more = connection.recv(65_536)
        assert more, data
        data += more


# -- in a browser ---------------------------------------------------------------------------------


def test_the_example_for_browsers_gets_every_change(embedded: Live, tmp_path: Path) -> None:
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium is installed")
    page = (ROOT / "docs" / "feed.md").read_text("utf-8")
    (block,) = (b for b in list_blocks(section(page, "The stream")) if b.language == "js")
    script = block.text.replace("http://127.0.0.1:8000", embedded.house.url)
    # What it writes to the console is kept, to be looked at.
    kept = "window.kept = []; console.log = (...told) => window.kept.push(told);"
    case = embedded.author.open()
    with open_page(program, tmp_path, f"{embedded.house.url}/schema") as shown:
        shown.wait_for("document.readyState === 'complete'")
        shown.evaluate(f"{kept}{script}")
        shown.wait_for("source.readyState === EventSource.OPEN")
        told = embedded.author.tell(case, "extradition.granted")
        act(embedded.author, told, "retractions", {"reason": "false"})
        shown.wait_for("window.kept.length === 2")
        # A browser comes again by itself, with the last id.
        embedded.house.kill()
        embedded.house.start()
        embedded.house.wait_until_ready()
        embedded.author.tell(case, "person.died")
        shown.wait_for("window.kept.length === 3")
        found = shown.evaluate("window.kept.map(([id, change]) => [id, change.kind])")
    assert found == [["1", "published"], ["2", "withdrawn"], ["3", "published"]]


def test_who_follows_what_does_not_come_is_left_alone(service: Service) -> None:
    """Many who wait for the same are looked for once, and none of them looks itself."""
    author = service.partner(*AUTHOR)
    case = author.open()
    author.tell(case, "wanted.removed")
    followed = service.client.app.state.services.streams
    looks: list[Feeds] = []
    share = followed._share

    async def sharing(after: int, feeds: Feeds) -> Any:
        looks.append(feeds)
        return await share(after, feeds)

    followed._share = sharing
    idle, busy = (Feed(windows.STATES, "UZ"),), (Feed(windows.STATES, "KZ"),)

    async def follow() -> tuple[list[bytes], list[int]]:
        got: list[bytes] = []
        heard = [0] * 50

        async def keep(number: int, feeds: Feeds) -> None:
            async for chunk in followed.follow(1, feeds):
                heard[number] += 1
                if feeds == busy:
                    got.append(chunk)

        tasks = [asyncio.create_task(keep(n, idle)) for n in range(49)]
        tasks.append(asyncio.create_task(keep(49, busy)))
        await asyncio.sleep(0.5)
        looks.clear()
        for number in range(3):
            await run_sync(author.tell, case, "asylum.claim_made", f"2025-06-0{number + 1}")
            deadline = time.monotonic() + 10
            while b"id: %d\nevent" % (number + 2) not in b"".join(got):
                assert time.monotonic() < deadline
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return got, heard

    with service.client.portal() as portal:
        got, heard = portal.call(follow)
    assert sum(b"event: published" in chunk for chunk in got) == 3
    # The first bytes alone.
    assert heard[:49] == [1] * 49
    assert 1 <= looks.count(idle) <= 6
    assert not followed._groups
