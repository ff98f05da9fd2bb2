"""The limits: what the framework alone does, on the same server, with nothing behind it."""

from typing import Any, Final

import msgspec
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.datastructures import State

from caseflow.domain.vocabulary import AnyClaim

_CLAIM: Final = msgspec.json.Decoder(AnyClaim)
_ENCODE: Final = msgspec.json.Encoder().encode


@post("/echo", status_code=201)
async def echo(request: Request[Any, Any, State]) -> Response[bytes]:
    """Answer with the claim that was sent, decoded and encoded again."""
    claim = _CLAIM.decode(await request.body())
    return Response(_ENCODE(claim), status_code=201, media_type=MediaType.JSON)


_BODIES: Final[dict[int, bytes]] = {}


@get("/bytes/{size:int}")
async def read_bytes(size: int) -> Response[bytes]:
    """Answer with so many bytes, which are there already."""
    body = _BODIES.get(size) or _BODIES.setdefault(size, b"x" * size)
    return Response(body, media_type="application/octet-stream")


def make_app() -> Litestar:
    """Return the application."""
    return Litestar([echo, read_bytes], openapi_config=None)
