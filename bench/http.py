"""Requests, against what the framework alone answers.

Each job and its limit run in turn, several rounds of each; what is printed is the median of the
rounds' ratios. A ratio of 1.0 is the speed of the limit.
"""

import json
import random
import statistics
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Final, NamedTuple
from uuid import uuid4

import httpx

from .load import Outcome, make_request, run_load, subscribed
from .service import Deployment

CONNECTIONS: Final = 32
POSTS: Final = 3_000
READS: Final = 6_000
SUBSCRIBERS: Final = 1_000
POSTING_SECONDS: Final = 6

Side = Callable[[], Outcome]


class Job(NamedTuple):
    """What is measured, and the limit that it is measured against."""

    name: str
    run: Side
    limit: Side


class Figure(NamedTuple):
    """What came of a job. ratio: of the answers a second; p99: of the seconds, job to limit."""

    job: str
    ratio: float
    p50_ms: float
    p99_ms: float
    p99_ratio: float
    rate: float
    limit: float
    errors: int


def make_jobs(deployment: Deployment, cases: Sequence[str], limit_url: str) -> list[Job]:
    """Return the jobs over a service that holds these cases."""
    chance = random.Random(1)
    claim = {
        "type": "asylum.registered", "occurred": "2025-05-01", "place": "Алматы",
        "summary": {"ru": "Сообщили родственники и адвокат."}, "visibility": "public",
    }  # fmt: skip

    def load(url: str, requests: list[bytes], expected: int = 200) -> Outcome:
        return run_load(url, requests, connections=CONNECTIONS, expected=expected)

    def list_posts() -> list[tuple[str, bytes]]:
        return [
            (
                f"/v1/cases/{chance.choice(cases)}/events",
                json.dumps({**claim, "external_id": str(uuid4())}).encode(),
            )
            for _ in range(POSTS)
        ]

    def make_posts() -> list[bytes]:
        return [
            make_request(
                "POST",
                path,
                body=body,
                headers={**deployment.headers, "Idempotency-Key": str(uuid4())},
            )
            for path, body in list_posts()
        ]

    def post() -> Outcome:
        return load(deployment.url, make_posts(), 201)

    def post_followed() -> Outcome:
        # They follow a state from which nothing comes.
        with subscribed(deployment.url, "/v1/stream?host_state=UZ", SUBSCRIBERS):
            return post()

    def read_while_posting() -> Outcome:
        """Read while others post, at half the rate at which they can."""
        half = post().rate / 2
        # For longer than the reads will take.
        interval, posts = CONNECTIONS / half, make_posts()[: int(half * POSTING_SECONDS)]
        posting = Thread(
            target=lambda: run_load(
                deployment.url, posts, connections=CONNECTIONS, expected=201, interval=interval
            )
        )
        posting.start()
        found = read(chosen)()
        assert posting.is_alive(), "the posts ended before the reads did"
        posting.join()
        return found

    def echo() -> Outcome:
        requests = [make_request("POST", "/echo", body=body) for _, body in list_posts()]
        return load(limit_url, requests, 201)

    def read(
        paths: Sequence[str], headers: dict[str, str] | None = None, expected: int = 200
    ) -> Side:
        requests = [
            make_request("GET", paths[n % len(paths)], headers=headers) for n in range(READS)
        ]
        return lambda: load(deployment.url, requests, expected)

    def read_bytes(size: int) -> Side:
        return lambda: load(limit_url, [make_request("GET", f"/bytes/{size}")] * READS)

    def read_again() -> Outcome:
        # What was posted meanwhile has changed it.
        got = httpx.get(deployment.url + feeds[0], headers={"Accept-Encoding": "identity"})
        return read(feeds, {"If-None-Match": got.headers["etag"]}, 304)()

    chosen = [f"/v1/cases/{case}" for case in chance.choices(cases, k=READS)]
    status_size = len(httpx.get(deployment.url + chosen[0]).content)
    feeds = ["/feeds/all.atom?lang=en"]
    plain = httpx.get(deployment.url + feeds[0], headers={"Accept-Encoding": "identity"})
    home = httpx.get(deployment.url + "/?lang=en", headers={"Accept-Encoding": "identity"})

    def read_home_again() -> Outcome:
        got = httpx.get(deployment.url + "/?lang=en", headers={"Accept-Encoding": "identity"})
        return read(["/?lang=en"], {"If-None-Match": got.headers["etag"]}, 304)()

    return [
        Job("post", post, echo),
        Job("status", read(chosen), read_bytes(status_size)),
        Job("feed", read(feeds), read_bytes(len(plain.content))),
        Job("feed, conditional", read_again, read_bytes(1)),
        Job("first page", read(["/?lang=en"]), read_bytes(len(home.content))),
        Job("first page, conditional", read_home_again, read_bytes(1)),
        Job("status while posting, to alone", read_while_posting, read(chosen)),
        Job(f"post to {SUBSCRIBERS:,} idle, to none", post_followed, post),
    ]


def measure(jobs: Sequence[Job], rounds: int) -> list[Figure]:
    """Return the median figures of rounds, each job and its limit in turn."""
    taken: dict[str, list[tuple[Outcome, Outcome]]] = {job.name: [] for job in jobs}
    for _ in range(rounds):
        # What posts changed is not there for the reads that follow but once.
        for job in sorted(jobs, key=lambda one: "post" in one.name):
            taken[job.name].append((job.run(), job.limit()))
    return [_sum_up(name, pairs) for name, pairs in taken.items()]


def _sum_up(name: str, pairs: Sequence[tuple[Outcome, Outcome]]) -> Figure:
    def median(of: Callable[[Outcome, Outcome], float]) -> float:
        return statistics.median(of(ours, limit) for ours, limit in pairs)

    return Figure(
        job=name,
        ratio=round(median(lambda ours, limit: ours.rate / limit.rate), 3),
        p50_ms=round(median(lambda ours, _: ours.p50) * 1_000, 2),
        p99_ms=round(median(lambda ours, _: ours.p99) * 1_000, 2),
        p99_ratio=round(median(lambda ours, limit: ours.p99 / limit.p99), 2),
        rate=round(median(lambda ours, _: ours.rate)),
        limit=round(median(lambda _, limit: limit.rate)),
        errors=sum(ours.errors + limit.errors for ours, limit in pairs),
    )
