"""Whether the service is alive and ready, and where a newcomer finds what."""

from litestar import MediaType, Response

from caseflow.domain.errors import UnavailableError

from .answers import BY_KEY
from .conditional import PRIVATE, PUBLIC, respond
from .rendering import encode
from .routes import read, read_at_once
from .services import AnyRequest, position_of, services_of


@read_at_once("/healthz")
def read_health(request: AnyRequest) -> Response[bytes]:
    """Answer as long as the process does."""
    return respond(
        request, encode({"status": "alive"}), media_type=MediaType.JSON, cache_control=PRIVATE
    )


@read("/readyz")
def read_readiness(request: AnyRequest) -> Response[bytes]:
    """Answer 200 where the database can be read and the writer runs, else 503."""
    services = services_of(request)
    if not services.writer.is_running:
        raise UnavailableError("the writer is not running")
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
    return respond(
        request, encode(ready), media_type=MediaType.JSON, cache_control=PRIVATE, vary=BY_KEY
    )


@read_at_once("/")
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
        "openapi": f"{base}/schema/openapi.json",
        "reference": f"{base}/schema",
    }
    return respond(request, encode(index), media_type=MediaType.JSON, cache_control=PUBLIC)
