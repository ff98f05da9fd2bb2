"""One request over the network, to an address that was checked, bounded in time and size."""

import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import httpcore
import httpx

from .addresses import Network, RefusedError, Resolve, Target, find_address

CONNECT_SECONDS: Final = 5.0
WHOLE_SECONDS: Final = 15.0

Monotonic = Callable[[], float]


class Reach(NamedTuple):
    """What may be reached, and how.

    allowed: networks that may be reached although they are not public. resolve: of names, as the
    system does where it is None. tls: which certificates are believed; None: those that browsers
    believe. whole_seconds: for how long all of a request and its answer may take.
    """

    allowed: Sequence[Network] = ()
    resolve: Resolve | None = None
    tls: ssl.SSLContext | None = None
    whole_seconds: float = WHOLE_SECONDS


class FailedError(Exception):
    """No answer came; the message is one word for a log: `timeout`, `tls`, `refused` and so on."""


def post(
    target: Target,
    body: bytes,
    headers: Mapping[str, str],
    reach: Reach,
    monotonic: Monotonic = time.monotonic,
) -> int:
    """Send a request and return the status of the answer, of which nothing else is read.

    Redirects are answers like others; no proxy is used. Raises FailedError.
    """
    seconds = reach.whole_seconds
    deadline = monotonic() + seconds
    timeouts = {"connect": CONNECT_SECONDS, "read": seconds, "write": seconds, "pool": seconds}
    try:
        address = find_address(target, reach.allowed, resolve=reach.resolve)
        backend = _Pinned(address, deadline, monotonic)
        with (
            httpcore.ConnectionPool(
                ssl_context=reach.tls or _find_tls(),
                network_backend=backend,
                max_connections=1,
            ) as pool,
            pool.stream(
                "POST",
                target.url,
                headers=list(headers.items()),
                content=body,
                extensions={"timeout": timeouts},
            ) as answer,
        ):
            return int(answer.status)
    except RefusedError as error:
        raise FailedError("address") from error
    except httpcore.TimeoutException as error:
        raise FailedError("timeout") from error
    except httpcore.ConnectError as error:
        raise FailedError("tls" if _is_about_tls(error) else "connect") from error
    except (httpcore.ProtocolError, httpcore.NetworkError, OSError, ValueError) as error:
        raise FailedError("protocol") from error


def _is_about_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


@cache
def _find_tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


class _Pinned(httpcore.NetworkBackend):
    """Connects to one address, whatever name is asked for, and not beyond a deadline."""

    def __init__(self, address: str, deadline: float, monotonic: Monotonic) -> None:
        self._address = address
        self._deadline = deadline
        self._monotonic = monotonic
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(self._deadline, self._monotonic, timeout)
        stream = self._inner.connect_tcp(self._address, port, left, local_address, socket_options)
        return _Bounded(stream, self._deadline, self._monotonic)


class _Bounded(httpcore.NetworkStream):
    """A connection that ends with its deadline, however slowly something comes."""

    def __init__(
        self, inner: httpcore.NetworkStream, deadline: float, monotonic: Monotonic
    ) -> None:
        self._inner = inner
        self._deadline = deadline
        self._monotonic = monotonic

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(self._deadline, self._monotonic, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(self._deadline, self._monotonic, timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(self._deadline, self._monotonic, timeout)
        stream = self._inner.start_tls(ssl_context, server_hostname, left)
        return _Bounded(stream, self._deadline, self._monotonic)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(deadline: float, monotonic: Monotonic, timeout: float | None) -> float:
    left = deadline - monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the whole took too long")
    return left if timeout is None else min(left, timeout)
