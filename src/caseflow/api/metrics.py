"""`/metrics`: what the service does, for Prometheus; without a key, the public positions alone.

How often and when partners write is not public, nor is how much of it is restricted. A scraper
shows a key that may read the audit or administer, as a partner does.
"""

from collections.abc import Iterator
from typing import Final

from litestar import Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from caseflow.projections.public.history import get_sequence
from caseflow.push.webhooks import count_waiting

from .answers import BY_KEY
from .conditional import PRIVATE, respond
from .routes import read
from .services import AnyRequest, Services, services_of

READERS: Final = frozenset({"audit:read", "admin"})


class _Positions(Collector):
    """Where the logs, and what follows them, stand when somebody asks."""

    def __init__(self, services: Services, *, is_public: bool) -> None:
        self._services = services
        self._is_public = is_public

    def collect(self) -> Iterator[Metric]:
        services = self._services
        with services.reader.snapshot() as snapshot:
            public = get_sequence(snapshot.connection, snapshot.view_set)
            head, frozen = snapshot.head.position, snapshot.head.frozen
            waiting = count_waiting(snapshot.connection) if not self._is_public else 0
        yield _gauge("public_position", "Public changes so far", public)
        signed = GaugeMetricFamily("caseflow_signed_size", "Entries signed", labels=["log"])
        for name, log in services.logs.items():
            last = log.find_last()
            if name == "public" or not self._is_public:
                signed.add_metric([name], last.size if last else 0)
        yield signed
        if self._is_public:
            return
        yield _gauge("log_position", "Events so far; views are written with them", head)
        yield _gauge("heard_position", "The end of the log, as heard", services.watcher.head)
        yield _gauge("publication_halted", "1 while publication is halted", int(frozen))
        yield _gauge("stream_subscribers", "Who follows the stream", services.streams.subscribers)
        yield _gauge("webhook_backlog", "Deliveries that wait", waiting)
        yield _gauge("kept_answers", "Public answers that are kept", len(services.kept))


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"caseflow_{name}", text, value=value)


@read("/metrics")
def read_metrics(request: AnyRequest) -> Response[bytes]:
    """Return the metrics of this process as Prometheus reads them (text format 1.0.0)."""
    services = services_of(request)
    caller = services.find_caller(request)
    is_public = caller is None or not caller.scopes & READERS
    positions = CollectorRegistry()
    positions.register(_Positions(services, is_public=is_public))
    body = generate_latest(positions)
    if not is_public:
        body = generate_latest(services.metrics.registry) + body
    return respond(
        request, body, media_type=CONTENT_TYPE_LATEST, cache_control=PRIVATE, vary=BY_KEY
    )
