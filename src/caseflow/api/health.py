"""Whether the service is alive and ready, and where a newcomer finds what."""

from typing import Final

from litestar import MediaType, Response

from caseflow.domain.errors import UnavailableError
from caseflow.domain.times import format_time
from caseflow.eventstore.partners import Caller
from caseflow.proof.source import LogName

from .answers import BY_KEY
from .conditional import PRIVATE, PUBLIC, respond
from .rendering import encode
from .routes import read, read_at_once
from .services import AnyRequest, Services, position_of, services_of

# How long what is recorded may go unsigned while nothing moves.
UNSIGNED_SECONDS: Final = 30.0
# How long one commit, or one look at the end of the log, may take.
STUCK_SECONDS: Final = 30.0
_FIELDS: Final[dict[LogName, str]] = {"public": "log", "full": "full_log"}


@read_at_once("/healthz")
def read_health(request: AnyRequest) -> Response[bytes]:
    """Answer as long as the process does."""
    return respond(
        request, encode({"status": "alive"}), media_type=MediaType.JSON, cache_control=PRIVATE
    )


@read("/readyz")
def read_readiness(request: AnyRequest) -> Response[bytes]:
    """Answer 200 where the database can be read, the writer runs and the logs are signed, else 503.

    A log that has halted, for what is stored is not what was signed, is told by every process.
    """
    services = services_of(request)
    if not services.writer.is_running:
        raise UnavailableError("the writer is not running")
    if services.writer.is_stuck(STUCK_SECONDS):
        raise UnavailableError("the writer stands still")
    if services.watcher.is_behind(STUCK_SECONDS):
        raise UnavailableError("the log is not followed")
    caller = services.find_caller(request)
    with services.reader.snapshot() as snapshot:
        # Without a key, the position of publication: nothing unpublished moves a public number.
        ready = {
            "status": "ready",
            "database": "readable",
            "writer": "running",
            "position": position_of(snapshot, caller),
        }
        if caller is not None:
            ready["publication"] = "halted" if snapshot.head.frozen else "running"
    ready |= _look_at_logs(services, caller)
    return respond(
        request, encode(ready), media_type=MediaType.JSON, cache_control=PRIVATE, vary=BY_KEY
    )


def _look_at_logs(services: Services, caller: Caller | None) -> dict[str, object]:
    """Return how far the logs are signed, without a key that of the public one alone.

    Raises UnavailableError where one has halted, or stays behind what is recorded.
    """
    found: dict[str, object] = {}
    for name, log in services.logs.items():
        last = log.find_last()
        if last is not None and last.halted is not None:
            # Without a key, neither positions nor which log: one tells of what is not public.
            told = last.halted if caller else "a log is not signed any more"
            raise UnavailableError(told)
        if services.publisher and services.publisher.is_behind(name, UNSIGNED_SECONDS):
            which = f"the {name} log" if caller else "a log"
            raise UnavailableError(f"{which} stays behind what is recorded")
        if name == "public" or caller is not None:
            signed_at = format_time(last.signed_at) if last else None
            found[_FIELDS[name]] = {"size": last.size if last else 0, "signed_at": signed_at}
    return found


@read_at_once("/v1")
def read_index(request: AnyRequest) -> Response[bytes]:
    """Return the addresses to begin with."""
    services = services_of(request)
    base = services.base_url
    index = {
        "name": services.name,
        "cases": f"{base}/v1/cases",
        "events": f"{base}/v1/events",
        "statistics": f"{base}/v1/statistics",
        "vocabulary": f"{base}/v1/vocabulary",
        "feed": f"{base}/feeds/all.atom",
        "log": f"{base}/v1/log/checkpoint",
        "openapi": f"{base}/schema/openapi.json",
        "reference": f"{base}/schema",
    }
    return respond(request, encode(index), media_type=MediaType.JSON, cache_control=PUBLIC)
