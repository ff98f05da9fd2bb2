"""Limits: who is counted together, what is told of it, and what a refused request leaves behind."""

import json
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from ipaddress import ip_network
from typing import Any

import msgspec
import pytest
from eventsourcing.persistence import OperationalError
from sqlalchemy import Connection

from caseflow.api.auth import Authenticator
from caseflow.api.openapi import make_openapi
from caseflow.api.rate_limits import RateLimits, Standing, WindowCounter, find_reader
from caseflow.database import begin_read
from caseflow.eventstore.recorder import now_microseconds

from .asgi import Sent, exchange
from .conftest import Partner, Service, copy_settings, serve

READER, OTHER = "198.51.100.7", "203.0.113.9"
PUBLIC, PRIVATE = "/v1/vocabulary", "/readyz"
BODY = json.dumps(
    {"host_state": "KZ", "origin_state": "RU", "consent": {"publish": "anonymous", "basis": "own"}}
)


class Town:
    """A service with limits of three requests for a partner and two for an address, and a clock."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.now = 1_000.0
        self.looks = 0
        self.is_away = False
        self.limit(
            Authenticator(self.read, now_microseconds), per_partner=3, per_address=2, proxies=()
        )

    def limit(self, authenticator: Authenticator, **limits: Any) -> None:
        """Put other limits in force, with this clock."""
        state = self.service.client.app.state
        state.services = msgspec.structs.replace(
            state.services,
            authenticator=authenticator,
            rate_limits=RateLimits(authenticator, **limits, clock=lambda: self.now),
        )

    def read(self) -> AbstractContextManager[Connection]:
        """Return a connection for looking at keys, and count it."""
        self.looks += 1
        if self.is_away:
            raise OperationalError("the database is away")
        return begin_read(self.service.engine)

    def ask(
        self,
        path: str = PUBLIC,
        *,
        key: Partner | str | None = None,
        peer: str = READER,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: list[dict[str, Any]] | None = None,
    ) -> Sent:
        """Ask from an address, with a key or without."""
        shown = key.headers if isinstance(key, Partner) else {"Authorization": f"Bearer {key}"}
        told = {**(shown if key else {}), **(headers or {})}
        return exchange(
            self.service.client,
            method,
            path,
            headers=[(name.lower(), value) for name, value in told.items()],
            peer=peer,
            messages=body,
        )

    def statuses(self, count: int, *path: str, **how: Any) -> list[int]:
        """Return how a request is answered, several times in a row."""
        return [self.ask(*path, **how).status for _ in range(count)]


@pytest.fixture
def town(light: Service) -> Town:
    """A town without requests so far."""
    return Town(light)


def told(answer: Sent) -> dict[str, str]:
    """Return the headers of an answer that are about limits."""
    names = ("ratelimit-policy", "ratelimit", "retry-after")
    return {name: answer.headers[name] for name in names if name in answer.headers}


def problem_of(answer: Sent) -> tuple[int, str, str]:
    """Return status, type and cacheability of a problem."""
    return answer.status, json.loads(answer.body)["type"], answer.headers["cache-control"]


# -- who is counted together ----------------------------------------------------------------------


def test_an_address_may_ask_so_often_in_a_minute_and_then_again(town: Town) -> None:
    assert town.statuses(2) == [200, 200]
    town.now += 42.5
    refused = town.ask()
    assert problem_of(refused) == (429, "/problems/too-many-requests", "no-store")
    assert told(refused) == {
        "ratelimit-policy": '"address";q=2;w=60',
        "ratelimit": '"address";r=0;t=18',
        "retry-after": "18",
    }
    assert READER.encode() not in refused.body
    assert town.ask(peer=OTHER).status == 200
    town.now += 17.4
    assert town.ask().status == 429
    town.now += 0.1
    assert town.statuses(3) == [200, 200, 429]


def test_addresses_that_do_not_exist_here_count_too(town: Town) -> None:
    assert town.statuses(3, "/no/such/address") == [404, 404, 429]


def test_the_keys_of_a_partner_count_together_and_not_against_the_address(town: Town) -> None:
    partner = town.service.partner()
    second = town.service.partner(of=partner)
    assert town.statuses(2, key=partner) == [200, 200]
    assert town.statuses(2, key=second, peer=OTHER) == [200, 429]
    assert told(town.ask(key=partner)) == {
        "ratelimit-policy": '"partner";q=3;w=60',
        "ratelimit": '"partner";r=0;t=60',
        "retry-after": "60",
    }
    assert town.ask(key=town.service.partner()).status == 200
    assert town.statuses(3) == [200, 200, 429]


def test_a_bad_key_counts_against_the_address(town: Town) -> None:
    assert town.statuses(3, PRIVATE, key="unknown") == [401, 401, 429]
    assert town.ask().status == 429


def test_a_bad_key_is_no_way_around_the_limit_where_no_key_is_asked_for(town: Town) -> None:
    assert town.statuses(3, key="unknown") == [200, 200, 429]
    assert town.statuses(3, key="two words", peer=OTHER) == [200, 200, 429]


def test_keys_are_not_looked_up_for_an_address_that_has_asked_enough(town: Town) -> None:
    town.statuses(2, PRIVATE, key="unknown")
    looks = town.looks
    fresh = town.service.partner()
    assert town.statuses(2, PRIVATE, key="unknown") == [429, 429]
    assert town.ask(PRIVATE, key=fresh).status == 429
    assert town.looks == looks
    assert town.ask(PRIVATE, key=fresh, peer=OTHER).status == 200


def test_a_partner_at_work_is_not_kept_out_by_others_at_its_address(town: Town) -> None:
    partner = town.service.partner()
    assert town.ask(PRIVATE, key=partner).status == 200
    assert town.statuses(3, PRIVATE, key="unknown") == [401, 401, 429]
    assert town.ask(PRIVATE, key=partner).status == 200


def test_a_key_that_was_revoked_counts_as_a_bad_one(town: Town) -> None:
    partner = town.service.partner()
    town.limit(
        Authenticator(town.read, lambda: int(town.now * 1_000_000)),
        per_partner=3,
        per_address=2,
        proxies=(),
    )
    assert town.ask(PRIVATE, key=partner).status == 200
    town.service.revoke(partner)
    town.now += 2
    assert town.statuses(3, PRIVATE, key=partner) == [401, 401, 429]


def test_while_keys_cannot_be_looked_up_addresses_count(town: Town) -> None:
    partner = town.service.partner()
    town.is_away = True
    assert town.statuses(3, PRIVATE, key=partner) == [503, 503, 429]


def test_whether_the_process_lives_is_told_to_everyone(town: Town) -> None:
    assert town.statuses(3) == [200, 200, 429]
    assert town.statuses(3, "/healthz") == [200, 200, 200]


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", ""])
def test_this_machine_is_not_limited_by_address(town: Town, peer: str) -> None:
    assert town.statuses(4, peer=peer, headers={"X-Forwarded-For": READER}) == [200] * 4
    assert town.statuses(4, PRIVATE, peer=peer, key="unknown") == [401] * 4
    assert town.statuses(4, peer=peer, key=town.service.partner()) == [200, 200, 200, 429]


def test_no_limit_is_no_limit(town: Town) -> None:
    authenticator = Authenticator(town.read, now_microseconds)
    town.limit(authenticator, per_partner=0, per_address=0, proxies=())
    assert town.statuses(4) == [200] * 4
    partner = town.service.partner()
    assert town.statuses(4, PRIVATE, key=partner) == [200] * 4
    assert told(town.ask(PRIVATE, key=partner)) == {}


# -- behind proxies -------------------------------------------------------------------------------

NETWORKS = [ip_network(text) for text in ("10.0.0.0/8", "192.0.2.1", "::1", "2001:db8:ff::/48")]


def reader_of(peer: str, *forwarded: str) -> str:
    """Return who is counted, as hexadecimal digits."""
    lines = [(b"X-Forwarded-For", line.encode()) for line in forwarded]
    found = find_reader({"client": (peer, 1), "headers": lines}, NETWORKS)
    return found.hex() if found else ""


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", [], "cb007109"),
        ("203.0.113.9", ["198.51.100.7"], "cb007109"),
        ("10.0.0.1", [], "0a000001"),
        ("10.0.0.1", ["198.51.100.7"], "c6336407"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.7"], "c6336407"),
        ("10.0.0.1", ["198.51.100.7,10.1.1.1, 192.0.2.1"], "c6336407"),
        ("10.0.0.1", ["198.51.100.7", "192.0.2.1"], "c6336407"),
        ("10.0.0.1", ["203.0.113.9", "198.51.100.7"], "c6336407"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "0a000003"),
        ("10.0.0.1", ["198.51.100.7, no address"], "0a000001"),
        ("10.0.0.1", ["198.51.100.7,"], "0a000001"),
        ("10.0.0.1", ["198.51.100.7, \u00e9, 10.0.0.2"], "0a000002"),
        ("10.0.0.1", ["127.0.0.1"], "7f000001"),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.7"], "c6336407"),
        ("::1", ["2001:db8:1:2:3:4:5:6"], "20010db800010002"),
        ("2001:db8:ff::1", ["2001:db8:1:2::"], "20010db800010002"),
        ("2001:db8:1:2:ffff::1", [], "20010db800010002"),
        ("127.0.0.1", ["198.51.100.7"], ""),
    ],
)
def test_behind_proxies_the_last_that_is_none_of_them_is_counted(
    peer: str, forwarded: list[str], expected: str
) -> None:
    assert reader_of(peer, *forwarded) == expected


def test_without_proxies_nobody_is_believed(town: Town) -> None:
    made_up = [town.ask(headers={"X-Forwarded-For": f"192.0.2.{n}"}).status for n in range(3)]
    assert made_up == [200, 200, 429]


def test_an_ipv6_network_counts_as_one(town: Town) -> None:
    peers = [f"2001:db8:1:2:{n}::{n}" for n in range(1, 4)]
    assert [town.ask(peer=peer).status for peer in peers] == [200, 200, 429]
    assert town.ask(peer="2001:db8:1:3::1").status == 200


# -- what is told ---------------------------------------------------------------------------------


def test_a_partner_is_told_where_it_stands(town: Town) -> None:
    partner = town.service.partner()
    answers = [town.ask(PRIVATE, key=partner) for _ in range(3)]
    assert [told(answer)["ratelimit"] for answer in answers] == [
        f'"partner";r={left};t=60' for left in (2, 1, 0)
    ]
    assert {told(answer)["ratelimit-policy"] for answer in answers} == {'"partner";q=3;w=60'}


def test_a_partner_is_told_with_errors_and_304_and_head_as_well(town: Town) -> None:
    partner = town.service.partner()
    assert told(town.ask("/v1/cases/none", key=partner))["ratelimit"] == '"partner";r=2;t=60'
    head = town.ask("/v1/cases", key=partner, method="HEAD")
    assert told(head)["ratelimit"] == '"partner";r=1;t=60'
    again = town.ask("/v1/cases", key=partner, headers={"If-None-Match": head.headers["etag"]})
    assert (again.status, told(again)["ratelimit"]) == (304, '"partner";r=0;t=60')
    assert again.headers["etag"] == head.headers["etag"]


@pytest.mark.parametrize("path", [PUBLIC, "/v1/cases", PRIVATE, "/no/such/address"])
def test_what_is_left_to_an_address_is_told_to_nobody(town: Town, path: str) -> None:
    """Others may be there, whom the numbers would give away."""
    assert [told(town.ask(path)) for _ in range(2)] == [{}, {}]


def test_a_key_that_is_refused_tells_nothing_either(town: Town) -> None:
    assert told(town.ask(PRIVATE, key="unknown")) == {}


@pytest.mark.parametrize("path", [PUBLIC, "/feeds/all.atom", "/"])
def test_an_answer_that_caches_keep_says_nothing_of_who_asked(town: Town, path: str) -> None:
    partner = town.service.partner()
    keyed, plain = town.ask(path, key=partner), town.ask(path)
    assert keyed.headers["cache-control"].startswith("public")
    assert keyed == plain
    again = town.ask(path, key=partner, headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status, told(again)) == (304, {})


def test_a_refused_head_has_the_headers_of_a_get_and_no_body(town: Town) -> None:
    town.statuses(2)
    head, get = town.ask(method="HEAD"), town.ask()
    assert (head.status, head.headers, head.body) == (429, get.headers, b"")
    assert int(get.headers["content-length"]) == len(get.body)


@pytest.mark.parametrize(
    ("asked", "seconds", "left"),
    [(1, 60, 599), (1, 6, 60), (590, 6, 10), (600, 6, 0), (700, 6, 0), (1, 1, 10)],
)
def test_what_is_left_is_never_more_than_its_share_of_the_time(
    asked: int, seconds: int, left: int
) -> None:
    standing = Standing("partner", 600, asked, seconds)
    assert standing.headers["ratelimit"] == f'"partner";r={left};t={seconds}'


def test_every_operation_but_one_promises_the_refusal(town: Town) -> None:
    document = make_openapi()
    without = [
        path
        for path, methods in document["paths"].items()
        for operation in methods.values()
        if "429" not in operation["responses"]
    ]
    assert without == ["/healthz"]
    promised = document["components"]["responses"]["TooManyRequests"]["headers"]
    town.statuses(2)
    assert {name.lower() for name in promised} <= town.ask().headers.keys()


# -- what is left behind --------------------------------------------------------------------------


def test_a_refused_request_is_not_read_and_stores_nothing(town: Town) -> None:
    partner = town.service.partner("events:write", "events:publish")
    how: dict[str, Any] = {"key": partner, "method": "POST"}
    how["headers"] = {"Content-Type": "application/json"}
    bodies = [[{"type": "http.request", "body": BODY.encode()}] for _ in range(4)]
    answers = [town.ask("/v1/cases", body=body, **how).status for body in bodies]
    assert answers == [201, 201, 201, 429]
    assert [len(body) for body in bodies] == [0, 0, 0, 1]
    assert town.service.head == 3


def test_no_address_is_logged(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    town.statuses(3)
    town.statuses(3, PRIVATE, key="unknown", peer=OTHER)
    assert READER not in caplog.text
    assert OTHER not in caplog.text


def test_many_addresses_take_bounded_memory(town: Town) -> None:
    counter = WindowCounter("address", 2, lambda: town.now, size=10)
    for number in range(1_000):
        town.now += 0.01
        counter.count(b"%d" % number)
        assert len(counter) <= 10
    # The latest are still counted.
    assert counter.count(b"999") == Standing("address", 2, 2, 60)
    assert counter.count(b"0") == Standing("address", 2, 1, 60)


def test_addresses_are_forgotten_after_a_minute(town: Town) -> None:
    counter = WindowCounter("address", 2, lambda: town.now)
    for number in range(150):
        counter.count(b"%d" % number)
    town.now += 59
    counter.count(b"late")
    assert len(counter) == 151
    town.now += 1
    counter.count(b"later")
    assert len(counter) == 52
    counter.count(b"later")
    assert len(counter) == 2


def test_an_address_that_is_not_forgotten_yet_begins_anew_after_a_minute(town: Town) -> None:
    counter = WindowCounter("address", 1, lambda: town.now)
    for number in range(150):
        counter.count(b"%d" % number)
    town.now += 60
    assert counter.find_spent(b"120") is None
    assert counter.count(b"120") == Standing("address", 1, 1, 60)
    town.now += 59
    for _ in range(2):
        counter.count(b"other")
    assert counter.find_spent(b"120") == Standing("address", 1, 2, 1)
    assert len(counter) == 2


# -- as it is built -------------------------------------------------------------------------------


@pytest.fixture
def built(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Service]:
    """A service with limits from the settings alone."""
    environ = {
        "CASEFLOW_RATE_PER_PARTNER": "1",
        "CASEFLOW_RATE_PER_ADDRESS": "2",
        "CASEFLOW_PROXIES": "127.0.0.1",
    }
    with ExitStack() as stack:
        settings = copy_settings(request, "sqlite", tmp_path, stack, **environ)
        yield stack.enter_context(serve(settings))


def test_the_settings_are_in_force(built: Service) -> None:
    def ask(address: str, **shown: str) -> int:
        headers = [("x-forwarded-for", address), *shown.items()]
        return exchange(built.client, "GET", PUBLIC, headers=headers, peer="127.0.0.1").status

    assert [ask(READER) for _ in range(3)] == [200, 200, 429]
    assert ask(OTHER) == 200
    key = built.partner().headers["Authorization"]
    assert [ask(OTHER, authorization=key) for _ in range(2)] == [200, 429]
