"""What a process counts of its work, for `/metrics`: by route and status, never by who."""

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

KEPT: Final = "kept"
# A request that takes longer than this is logged, by its route, as one that fails is.
SLOW_SECONDS: Final = 2.0
_TAKE_TIME: Final = frozenset({"/v1/stream", "/v1/events", "/v1/imports", "/v1/exports/log"})
# Bounds of the histograms: seconds, and requests in one commit.
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500)

Send = Callable[[Any], Any]


logger = logging.getLogger(__name__)


class Metrics:
    """What one process counts. Safe to use from several threads."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "caseflow_requests", "Answers", ["method", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "caseflow_request_seconds",
            "Until an answer was whole",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._batches = Histogram(
            "caseflow_batch_requests", "Requests in a commit", buckets=_SIZES, registry=registry
        )
        self._commits = Histogram(
            "caseflow_batch_seconds", "Until it was whole", buckets=_SECONDS, registry=registry
        )
        self.renders = Counter("caseflow_feed_renders", "Feed documents made", registry=registry)
        self.page_renders = Counter("caseflow_page_renders", "Pages made", registry=registry)
        self.objections = Counter("caseflow_objections", "Objections recorded", registry=registry)
        self._kept = self._requests.labels("GET", KEPT, "200")
        self._unchanged = self._requests.labels("GET", KEPT, "304")
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        ProcessCollector(registry=self.registry)

    def note_batch(self, requests: int, seconds: float) -> None:
        """Note a commit, of so many requests."""
        self._batches.observe(requests)
        self._commits.observe(seconds)

    def note_kept(self, status: int) -> None:
        """Note an answer that was given as it was kept."""
        (self._kept if status == 200 else self._unchanged).inc()

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note an answer; one that failed or was slow is logged."""
        count, duration = self._find_series(method, route, status)
        count.inc()
        duration.observe(seconds)
        if status >= 500 or (seconds > SLOW_SECONDS and route not in _TAKE_TIME):
            told = {"method": method, "route": route, "status": status}
            logger.warning("request", extra={**told, "seconds": round(seconds, 3)})

    def _find_series(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        # The library looks for them under a lock, which takes as long as to count.
        key = method, route, status
        found = self._series.get(key)
        if found is None:
            series = self._requests.labels(method, route, status), self._seconds.labels(route)
            found = self._series[key] = series
        return found

    def noting(self, scope: Any, send: Send) -> Send:
        """Return a `send` that counts the answer by its route, never by its address."""
        begun = time.perf_counter()
        status = 0

        async def sending(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                route = scope.get("path_template") or "none"
                self.note(scope["method"], route, status, time.perf_counter() - begun)

        return sending
