"""Webhooks over HTTP: every public change arrives, signed, once for each endpoint that wants it."""

import dataclasses
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import pytest
from sqlalchemy import select, update

from caseflow.database import begin_read, begin_write
from caseflow.eventstore.schema import migrate, migrate_keys
from caseflow.push.webhooks import DAY, deliveries, webhooks
from tests.canaries import Canaries
from tests.checks import check_absent, dump_tables
from tests.houses import GIVE_UP_SECONDS, new_settings
from tests.push.receivers import Receiver, say, wait_until
from tests.served import ServedHouse, find_free_port, served_house

from .conftest import AUTHOR, KINDS, Json, Partner, Service, items, pointers, problem
from .conftest import serve as serve_here
from .scenes import act, change, claim
from .test_erasure import erase

WEBHOOKS: Final = "/v1/webhooks"
HERE: Final = {"CASEFLOW_WEBHOOK_NETWORKS": "127.0.0.0/8"}


class Scene(NamedTuple):
    """A service in this process, one who tells, and one who is told."""

    service: Service
    author: Partner
    receiver: Receiver

    def add(self, receiver: Receiver | None = None, **wanted: Any) -> Json:
        """Register the endpoint."""
        endpoint = receiver or self.receiver
        answer = self.author.post(WEBHOOKS, {"url": endpoint.url, **wanted})
        assert answer.status_code == 201, answer.text
        endpoint.secrets.append(answer.json()["secret"])
        return dict(answer.json())

    def read(self, webhook: Json) -> Json:
        return dict(self.author.get(f"{WEBHOOKS}/{webhook['id']}").json())

    def deliveries(self, webhook: Json, **query: Any) -> list[Json]:
        return items(self.author.get(f"{WEBHOOKS}/{webhook['id']}/deliveries", **query))

    def do(self, webhook: Json, what: str, body: Any = None) -> Json:
        answer = self.author.post(f"{WEBHOOKS}/{webhook['id']}/{what}", body or {})
        assert answer.status_code in (200, 202), answer.text
        return dict(answer.json())

    def hurry(self) -> None:
        """Have what waits for its next attempt sent now."""
        with begin_write(self.service.engine) as connection:
            due = deliveries.c.outcome == "waiting"
            connection.execute(update(deliveries).where(due).values(next_at=0))
        self.service.client.app.state.services.wake_deliverer()


@contextmanager
def scene_on(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Scene]:
    with (
        new_settings(kind, request, folder, **HERE) as settings,
        serve_here(settings) as service,
        Receiver() as receiver,
    ):
        yield Scene(service, service.partner(*AUTHOR, public_name="Press"), receiver)


@pytest.fixture(params=KINDS)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """On either database."""
    with scene_on(request.param, request, tmp_path) as found:
        yield found


@pytest.fixture
def light_scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """Where the database makes no difference."""
    with scene_on("sqlite", request, tmp_path) as found:
        yield found


# -- what arrives ---------------------------------------------------------------------------------


def test_what_is_made_public_arrives_signed(scene: Scene) -> None:
    author, receiver = scene.author, scene.receiver
    case = author.open()
    author.tell(case, "wanted.removed")
    webhook = scene.add(description="ours")
    told = author.tell(case, "extradition.granted")
    author.tell(case, "asylum.claim_made", visibility="partners")
    act(author, told, "corrections", {"reason": "typo", **claim("person.died")})
    found = receiver.wait_for(2)
    assert receiver.faults == []
    assert [(m.type, m.data["position"]) for m in found] == [
        ("change.published", 2), ("change.corrected", 3),
    ]  # fmt: skip
    by_position = {e["position"]: e for e in items(scene.service.get("/v1/events"))}
    assert found[1].data == by_position[3]
    assert {m.signatures for m in found} == {1}
    wait_until(lambda: scene.deliveries(webhook)[0]["outcome"] == "delivered")
    log = scene.deliveries(webhook)
    assert [one["message"] for one in log] == [m.id for m in reversed(found)]
    assert [[a["status"] for a in one["attempts"]] for one in log] == [[204], [204]]
    assert scene.read(webhook)["position"] == 3


def test_each_endpoint_gets_what_it_wants(scene: Scene) -> None:
    author = scene.author
    first, abroad = author.open(), author.open(host_state="KG")
    author.tell(first, "wanted.removed", "2024-01")
    with Receiver() as other, Receiver() as recalls:
        scene.add(filters={"case": first["code"], "type": "extradition.granted"})
        scene.add(other, filters={"host_state": "KG"})
        scene.add(recalls, filters={"recalls": True})
        granted = author.tell(first, "extradition.granted")
        # What is withdrawn before it was sent is not sent any more.
        scene.receiver.wait_for(1)
        author.tell(abroad, "extradition.granted")
        act(author, granted, "retractions", {"reason": "unsafe"})
        author.tell(abroad, "person.died", "2025-07")
        assert [m.data["position"] for m in other.wait_for(2)] == [3, 5]
        # What is withdrawn is told to whoever had it.
        assert [m.data["position"] for m in scene.receiver.wait_for(2)] == [2, 4]
        assert [m.data["position"] for m in recalls.wait_for(1)] == [4]


def test_what_did_not_arrive_is_sent_again_under_the_same_id(scene: Scene) -> None:
    receiver, author = scene.receiver, scene.author
    receiver.answer = say(503)
    webhook = scene.add()
    case = author.open()
    author.tell(case, "wanted.removed", "1900")
    receiver.wait_for(1)
    author.tell(case, "wanted.removed", "1901")
    # One that does not arrive does not keep others from it.
    receiver.wait_for(2)
    wait_until(lambda: scene.read(webhook)["failing_since"] is not None)
    wait_until(lambda: all(one["attempts"] for one in scene.deliveries(webhook)))
    receiver.answer = say(200)
    scene.hurry()
    wait_until(lambda: all(o["outcome"] == "delivered" for o in scene.deliveries(webhook)))
    ids = [message.id for message in receiver.messages]
    assert len(set(ids)) == 2
    assert {one["attempts"][-1]["status"] for one in scene.deliveries(webhook)} == {200}
    assert {one["attempts"][0]["status"] for one in scene.deliveries(webhook)} == {503}
    assert scene.read(webhook)["failing_since"] is None


def test_an_address_that_is_gone_is_paused_at_once_and_nothing_is_lost(scene: Scene) -> None:
    receiver, author = scene.receiver, scene.author
    receiver.answer = say(410)
    webhook = scene.add()
    case = author.open()
    author.tell(case, "wanted.removed", "1900")
    wait_until(lambda: scene.read(webhook)["state"] == "paused")
    assert scene.read(webhook)["reason"] == "gone"
    author.tell(case, "wanted.removed", "1901")
    receiver.answer = say(204)
    assert scene.do(webhook, "resume")["state"] == "active"
    wait_until(lambda: {m.data["position"] for m in receiver.messages[1:]} == {1, 2})


def test_where_nothing_arrives_for_two_days_it_is_paused_and_told(
    light_scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene = light_scene
    scene.receiver.answer = say(500)
    webhook = scene.add()
    scene.author.tell(scene.author.open(), "wanted.removed")
    wait_until(lambda: scene.read(webhook)["failing_since"] is not None)
    with begin_write(scene.service.engine) as connection:
        began = {"begun_at": deliveries.c.begun_at - 2 * DAY}
        connection.execute(update(deliveries).values(began))
        since = {"failing_since": webhooks.c.failing_since - 2 * DAY}
        connection.execute(update(webhooks).values(since))
    scene.hurry()
    wait_until(lambda: scene.read(webhook)["state"] == "paused")
    assert scene.read(webhook)["reason"] == "failing"
    assert scene.deliveries(webhook)[0]["outcome"] == "given_up"
    assert f"webhook {webhook['id']} is paused: failing" in caplog.text


def test_pausing_and_resuming(light_scene: Scene) -> None:
    scene, case = light_scene, light_scene.author.open()
    webhook = scene.add()
    assert scene.do(webhook, "pause")["reason"] == "asked"
    scene.author.tell(case, "wanted.removed", "1900")
    scene.do(webhook, "resume")
    assert scene.receiver.wait_for(1)[0].data["position"] == 1
    scene.do(webhook, "pause")
    scene.author.tell(case, "wanted.removed", "1901")
    assert scene.do(webhook, "resume", {"skip": True})["position"] == 2
    scene.author.tell(case, "wanted.removed", "1902")
    assert [m.data["position"] for m in scene.receiver.wait_for(2)] == [1, 3]


def test_a_range_is_sent_again_under_the_ids_it_had(light_scene: Scene) -> None:
    scene, case = light_scene, light_scene.author.open()
    scene.author.tell(case, "wanted.removed", "1899")
    webhook = scene.add()
    for year in range(1900, 1904):
        scene.author.tell(case, "wanted.removed", str(year))
    before = {m.data["position"]: m.id for m in scene.receiver.wait_for(4)}
    wait_until(lambda: {o["outcome"] for o in scene.deliveries(webhook)} == {"delivered"})
    # Also what was public before it was there.
    assert scene.do(webhook, "replays", {"from": 1, "to": 3}) == {"messages": 3}
    again = scene.receiver.wait_for(7)[4:]
    assert [m.data["position"] for m in again] == [1, 2, 3]
    assert [m.id for m in again[1:]] == [before[2], before[3]]
    path = f"{WEBHOOKS}/{webhook['id']}/replays"
    for body, pointer in (
        ({"from": 3, "to": 2}, "/to"), ({"from": 1, "to": 99}, "/to"),
        ({"from": 0, "to": 2}, "/from"), ({"from": 1}, "/to"), ({"from": 1, "to": 2, "x": 1}, "/x"),
    ):  # fmt: skip
        assert pointers(scene.author.post(path, body)) == [pointer]


def test_a_replay_may_be_ahead_of_what_was_told(light_scene: Scene) -> None:
    scene, case = light_scene, light_scene.author.open()
    webhook = scene.add()
    scene.do(webhook, "pause")
    for year in (1900, 1901):
        scene.author.tell(case, "wanted.removed", str(year))
    scene.do(webhook, "replays", {"from": 1, "to": 2})
    scene.do(webhook, "resume")
    scene.author.tell(case, "wanted.removed", "1902")
    wait_until(lambda: {m.data["position"] for m in scene.receiver.messages} == {1, 2, 3})
    assert len({m.id for m in scene.receiver.messages}) == 3


def test_for_a_day_two_secrets_sign(light_scene: Scene) -> None:
    scene = light_scene
    webhook = scene.add()
    secret = scene.do(webhook, "secret")["secret"]
    assert secret != scene.receiver.secrets[0]
    scene.receiver.secrets.append(secret)
    scene.author.tell(scene.author.open(), "wanted.removed")
    (message,) = scene.receiver.wait_for(1)
    assert (message.signatures, scene.receiver.faults) == (2, [])


# -- what is asked for ----------------------------------------------------------------------------


def test_the_log_of_deliveries_comes_in_pages(light_scene: Scene) -> None:
    scene = light_scene
    webhook = scene.add()
    case = scene.author.open()
    for year in range(1900, 1907):
        scene.author.tell(case, "wanted.removed", str(year))
    scene.receiver.wait_for(7)
    path, found = f"{WEBHOOKS}/{webhook['id']}/deliveries", []
    page = scene.author.get(path, limit=3).json()
    while True:
        found += [one["position"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        page = scene.author.get(path, limit=3, cursor=page["next_cursor"]).json()
    assert found == [7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"), ({"url": ""}, "/url"), ({"url": "https://10.0.0.1/"}, "/url"),
        ({"url": "https://user@example.org/"}, "/url"), ({"url": "ftp://example.org/"}, "/url"),
        ({"url": "https://example.org/", "filters": {"type": "none"}}, "/filters/type"),
        ({"url": "https://example.org/", "filters": {"headline": "none"}}, "/filters/headline"),
        ({"url": "https://example.org/", "filters": {"host_state": "kz"}}, "/filters/host_state"),
        ({"url": "https://example.org/", "filters": {"case": "KZ-0000-0000"}}, "/filters/case"),
        ({"url": "https://example.org/", "filters": {"x": 1}}, "/filters/x"),
        ({"url": "https://example.org/", "secret": "whsec_x"}, "/secret"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_webhook_is_refused_where_it_is_wrong(
    light: Service, body: Json, pointer: str
) -> None:
    author = light.partner(*AUTHOR)
    assert pointers(author.post(WEBHOOKS, body)) == [pointer]
    assert items(author.get(WEBHOOKS)) == []


def test_a_partner_sees_its_own_alone(light_scene: Scene) -> None:
    scene = light_scene
    webhook, other = scene.add(), scene.service.partner(*AUTHOR)
    again = scene.service.partner("audit:read", of=scene.author)
    shown = {name: value for name, value in webhook.items() if name != "secret"}
    assert items(again.get(WEBHOOKS)) == [shown]
    assert items(other.get(WEBHOOKS)) == []
    path = f"{WEBHOOKS}/{webhook['id']}"
    for method, address in (
        ("GET", path), ("GET", f"{path}/deliveries"), ("POST", f"{path}/pause"),
        ("POST", f"{path}/resume"), ("POST", f"{path}/secret"), ("DELETE", path),
        ("GET", f"{WEBHOOKS}/x"), ("DELETE", f"{WEBHOOKS}/x"),
    ):  # fmt: skip
        answer = scene.service.client.request(method, address, headers=other.headers)
        problem(answer, 404, "not-found")
        problem(scene.service.client.request(method, address), 401, "unauthenticated")
    gone = scene.service.client.request("DELETE", path, headers=again.headers)
    assert (gone.status_code, gone.content) == (204, b"")
    assert items(scene.author.get(WEBHOOKS)) == []
    scene.author.tell(scene.author.open(), "wanted.removed")
    with begin_read(scene.service.engine) as connection:
        assert connection.execute(select(deliveries)).all() == []


def test_a_request_that_comes_again_makes_nothing_twice(light_scene: Scene) -> None:
    author, key = light_scene.author, {"Idempotency-Key": "first"}
    body = {"url": light_scene.receiver.url}
    first, again = (author.post(WEBHOOKS, body, **key) for _ in range(2))
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    problem(
        author.post(WEBHOOKS, {**body, "description": "x"}, **key), 422, "idempotency-key-reused"
    )
    path = f"{WEBHOOKS}/{first.json()['id']}/secret"
    secrets = [author.post(path, {}, **{"Idempotency-Key": "turn"}).json() for _ in range(2)]
    assert secrets[0] == secrets[1]


def test_a_partner_has_twenty_at_most(light: Service) -> None:
    author = light.partner(*AUTHOR)
    for n in range(20):
        assert author.post(WEBHOOKS, {"url": f"https://example.org/{n}"}).status_code == 201
    problem(author.post(WEBHOOKS, {"url": "https://example.org/"}), 409, "conflict")


# -- what may not be told -------------------------------------------------------------------------


def test_nothing_that_is_not_public_is_sent_or_stored(scene: Scene) -> None:
    author, receiver, canaries = scene.author, scene.receiver, Canaries()
    # The second is of letters that an address may have.
    _, token = canaries("unused"), canaries("token")
    receiver.answer = say(503)
    answer = author.post(WEBHOOKS, {"url": f"{receiver.url}?{token}"})
    webhook = answer.json()
    hidden, erased, kept = (author.open(**canaries.case("pseudonym")) for _ in range(3))
    for case in (hidden, erased):
        author.tell(
            case,
            "prosecution.charged",
            accusation=canaries("accused"),
            **{name: value for name, value in canaries.claim().items() if name != "external_id"},
        )
    author.tell(kept, "person.entered", private_note=canaries("secret"))
    taken = author.tell(kept, "wanted.listed", list="cis", place=canaries("taken"))
    wait_until(lambda: sum(bool(o["attempts"]) for o in scene.deliveries(webhook)) == 4)
    # They wait for their next attempt while it is withdrawn that they are about.
    change(author, hidden, "consent", {"publish": "none", "basis": "own"})
    erase(scene.service, erased)
    act(author, taken, "retractions", {"reason": "unsafe"})
    receiver.messages.clear()
    receiver.answer = say(204)
    scene.hurry()
    wait_until(lambda: {o["outcome"] for o in scene.deliveries(webhook)} == {"delivered"})
    sent = repr(receiver.messages).encode()
    words = [w for w, field in canaries.fields.items() if field not in ("pseudonym", "token")]
    check_absent(sent, words, "what was sent")
    with begin_read(scene.service.engine) as connection:
        tables = dump_tables(connection)
    check_absent(tables, [token], "the database")
    assert webhook["secret"].encode() not in tables
    log = scene.author.get(f"{WEBHOOKS}/{webhook['id']}/deliveries").content
    check_absent(log, [*words, token], "the log of deliveries")


# -- restarts, other processes --------------------------------------------------------------------


class Live(NamedTuple):
    """Services in processes of their own, on one database, and one who tells the first."""

    houses: list[ServedHouse]
    author: Partner


@contextmanager
def live_on(
    kind: str, request: pytest.FixtureRequest, folder: Path, number: int = 1
) -> Iterator[Live]:
    limits = {"CASEFLOW_RATE_PER_PARTNER": "0", "CASEFLOW_RATE_PER_ADDRESS": "0", **HERE}
    with served_house(kind, request, folder, **limits) as house, ExitStack() as stack:
        migrate(house.settings.database_url)
        migrate_keys(house.settings.keys_url)
        houses = [house]
        for n in range(1, number):
            place = folder / str(n)
            place.mkdir()
            settings = dataclasses.replace(house.settings, port=find_free_port())
            houses.append(ServedHouse(settings, place))
            stack.callback(houses[-1].kill)
        for one in houses:
            one.start()
            one.wait_until_ready()
        client = stack.enter_context(httpx.Client(base_url=house.url, timeout=GIVE_UP_SECONDS))
        service = Service(house.settings, client)  # type: ignore[arg-type]  # asks alike
        stack.callback(service.engine.dispose)
        yield Live(houses, service.partner(*AUTHOR))


def positions(receiver: Receiver) -> list[int]:
    return [message.data["position"] for message in receiver.messages]


@pytest.mark.postgresql
def test_of_several_processes_one_sends_each_message(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with live_on("postgresql", request, tmp_path, 2) as live, Receiver() as receiver:
        live.author.post(WEBHOOKS, {"url": receiver.url})
        case = live.author.open()
        for n in range(60):
            live.author.tell(case, "wanted.removed", f"{1900 + n}")
        receiver.wait_for(60)
        time.sleep(0.5)
        assert Counter(positions(receiver)) == Counter(range(1, 61))


def kill_again_and_again(
    live: Live, receiver: Receiver, kills: int, seed: int, restart: Callable[[], Receiver]
) -> tuple[int, int]:
    """Kill services and receiver under load; return how many changes, and how many messages."""
    chance, stopped, received = random.Random(seed), threading.Event(), Counter[int]()
    ids: dict[int, set[str]] = {}
    live.author.post(WEBHOOKS, {"url": receiver.url})
    case = live.author.open()

    def gather(one: Receiver) -> None:
        for message in one.messages:
            received[message.data["position"]] += 1
            ids.setdefault(message.data["position"], set()).add(message.id)
        one.messages.clear()

    def tell() -> None:
        n = 0
        while not stopped.is_set():
            n += 1
            with suppress(httpx.TransportError, AssertionError):
                live.author.tell(case, "wanted.removed", f"{1000 + n % 900}", external_id=f"{n}")

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    with ExitStack() as stack:
        stack.enter_context(receiver)
        for _ in range(kills):
            time.sleep(chance.uniform(0.3, 1.2))
            house = chance.choice(live.houses)
            house.kill()
            house.start()
            house.wait_until_ready()
            stack.pop_all().close()
            gather(receiver)
            receiver = stack.enter_context(restart())
        stopped.set()
        teller.join(GIVE_UP_SECONDS)
        end = int(httpx.get(f"{live.houses[0].url}/readyz").json()["position"])

        def has_all() -> bool:
            gather(receiver)
            hurry(live)
            return set(received) >= set(range(1, end + 1))

        wait_until(has_all, lambda: sorted(set(range(1, end + 1)) - set(received)))
    assert set(received) == set(range(1, end + 1))
    assert all(len(found) == 1 for found in ids.values())
    return end, received.total()


def hurry(live: Live) -> None:
    """Have what waits for its next attempt, or for a claim to end, sent soon."""
    with begin_write(live.author.service.engine) as connection:
        waits = deliveries.c.outcome == "waiting"
        connection.execute(update(deliveries).where(waits).values(next_at=0))
    time.sleep(0.3)


@pytest.mark.parametrize("kind", KINDS)
def test_no_kill_loses_a_message(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    number = 2 if kind == "postgresql" else 1
    receiver = Receiver()
    with live_on(kind, request, tmp_path, number) as live:
        kill_again_and_again(live, receiver, 2, 1, lambda: Receiver(port=receiver.port))


@pytest.mark.soak
@pytest.mark.postgresql
def test_no_kill_of_many_loses_a_message(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    receiver = Receiver()
    with live_on("postgresql", request, tmp_path, 2) as live:
        end, sent = kill_again_and_again(
            live, receiver, 30, 2, lambda: Receiver(port=receiver.port)
        )
    print(f"{end} changes, {sent} messages")
