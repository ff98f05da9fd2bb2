"""How handlers are made: reads answer GET and HEAD, and run on a thread, since databases block.

The framework has a way to run a function on a thread, which wraps a handler once more each time
its path is registered and then answers with a coroutine; `read` makes a coroutine function once.
"""

import inspect
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from anyio.to_thread import run_sync
from litestar import Response, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler

GET_AND_HEAD = [HttpMethod.GET, HttpMethod.HEAD]
Read = Callable[..., Response[bytes]]


def read(path: str) -> Callable[[Read], HTTPRouteHandler]:
    """Make a handler of GET and HEAD from a function that may block."""

    def make(function: Read) -> HTTPRouteHandler:
        @wraps(function)
        async def handler(*args: Any, **kwargs: Any) -> Response[bytes]:
            return await run_sync(partial(function, *args, **kwargs))

        handler.__signature__ = inspect.signature(function, eval_str=True)  # type: ignore[attr-defined]
        return route(path, http_method=GET_AND_HEAD)(handler)

    return make


def read_at_once(path: str) -> Callable[[Read], HTTPRouteHandler]:
    """Make a handler of GET and HEAD from a function that never blocks."""
    return route(path, http_method=GET_AND_HEAD, sync_to_thread=False)
