"""How often one may ask: a partner with all its keys together, everyone else by address.

Requests are counted before they are routed, so that no handler can forget it. A count lives in the
memory of this process and nowhere else: no address is logged or stored.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from math import ceil
from typing import Any, Final, NamedTuple

from litestar import Request

from .auth import Authenticator
from .problems import TooManyRequestsError, problem_response

WINDOW_SECONDS: Final = 60
# Some 20 MB, were they all IPv6. The one whose window began first makes room for a new one.
MAX_COUNTED: Final = 100_000
# Many that came at once would hold up the request after whose coming they are forgotten.
FORGOTTEN_AT_ONCE: Final = 100
# A process that cannot be seen to be alive is started anew, which slows nobody down.
UNLIMITED: Final = frozenset({"/healthz"})

PARTNER: Final = "partner"
ADDRESS: Final = "address"
_DETAILS: Final = {
    PARTNER: "the keys of a partner may ask {} times a minute, all together",
    ADDRESS: "an address may ask {} times a minute without a valid key",
}

Address = IPv4Address | IPv6Address
# Behind a proxy on this machine, the peer of every request.
_THIS_MACHINE: Final[dict[str, Address]] = {text: ip_address(text) for text in ("127.0.0.1", "::1")}
Network = IPv4Network | IPv6Network


class Standing(NamedTuple):
    """Where somebody stands after a request. seconds: until the window ends, at least 1."""

    policy: str
    quota: int
    asked: int
    seconds: int

    @property
    def is_over(self) -> bool:
        """Return whether the request is one too many."""
        return self.asked > self.quota

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that tell it.

        Source: draft-ietf-httpapi-ratelimit-headers-11, sections 3.1 and 4.1; and section 6, by
        which what is left is never told as more than its share of the time that is left.
        """
        share = ceil(self.quota * self.seconds / WINDOW_SECONDS)
        left = max(0, min(self.quota - self.asked, share))
        return {
            "ratelimit-policy": f'"{self.policy}";q={self.quota};w={WINDOW_SECONDS}',
            "ratelimit": f'"{self.policy}";r={left};t={self.seconds}',
        }


class WindowCounter:
    """Counts requests by key, in windows of a minute that begin with a key's first request.

    At most `size` keys; one is forgotten with the requests of anybody after its minute, a hundred
    with each. Safe to use from several threads.
    """

    # No library: `limits`, the one that is kept well, holds any number of keys, walks through all
    # of them up to a hundred times a second on threads of its own, and reads the wall clock.

    def __init__(
        self, policy: str, quota: int, clock: Callable[[], float], size: int = MAX_COUNTED
    ) -> None:
        """quota: requests a minute; 0 counts nothing. clock: seconds, never set back."""
        self._policy = policy
        self._quota = quota
        self._clock = clock
        self._size = size
        self._lock = threading.Lock()
        # When the window began, and how many came in it. Windows are equally long, so the first
        # to begin is the first to end.
        self._windows: OrderedDict[bytes, tuple[float, int]] = OrderedDict()

    def __len__(self) -> int:
        """Return how many keys are counted."""
        return len(self._windows)

    def count(self, key: bytes | None) -> Standing | None:
        """Count a request; return where its key stands, None where no limit applies."""
        if key is None or not self._quota:
            return None
        with self._lock:
            now = self._clock()
            self._forget(now)
            began, asked = self._look(key, now)
            if not asked:
                # A window that is over gives its place up to one at the end.
                self._windows.pop(key, None)
            self._windows[key] = began, asked + 1
            if len(self._windows) > self._size:
                self._windows.popitem(last=False)
        return self._standing(began, asked + 1, now)

    def find_spent(self, key: bytes | None) -> Standing | None:
        """Return where a key stands that may not ask now, without counting; None if it may."""
        with self._lock:
            now = self._clock()
            began, asked = self._look(key or b"", now)
        return self._standing(began, asked + 1, now) if 0 < self._quota <= asked else None

    def _look(self, key: bytes, now: float) -> tuple[float, int]:
        began, asked = self._windows.get(key, (now, 0))
        return (began, asked) if now - began < WINDOW_SECONDS else (now, 0)

    def _forget(self, now: float) -> None:
        for _ in range(FORGOTTEN_AT_ONCE):
            began, _asked = next(iter(self._windows.values()), (now, 0))
            if now - began < WINDOW_SECONDS:
                return
            self._windows.popitem(last=False)

    def _standing(self, began: float, asked: int, now: float) -> Standing:
        return Standing(self._policy, self._quota, asked, ceil(began + WINDOW_SECONDS - now))


class RateLimits:
    """The limits of a service. One for a process, which counts for itself."""

    def __init__(
        self,
        authenticator: Authenticator,
        *,
        per_partner: int,
        per_address: int,
        proxies: Sequence[Network],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """per_partner, per_address: requests a minute, 0 for no limit.

        proxies: the peers whose `X-Forwarded-For` is believed.
        """
        self._authenticator = authenticator
        self._partners = WindowCounter(PARTNER, per_partner, clock)
        self._addresses = WindowCounter(ADDRESS, per_address, clock)
        self._proxies = tuple(proxies)

    async def answer(self, application: Any, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request as the ASGI application does; 429 where it is one too many."""
        request: Request[Any, Any, Any] = Request(scope)
        standing = await self._count(request)
        if standing is None or not standing.is_over:
            await application(scope, receive, _telling(send, standing))
            return
        await refuse(standing, scope, receive, send)

    def count_address(self, scope: Any) -> Standing | None:
        """Count a request without a key; return where its address stands, None without limit."""
        return self._addresses.count(find_reader(scope, self._proxies))

    def find_address(self, scope: Any) -> bytes | None:
        """Return what stands for the address of whoever asks, None for this machine."""
        return find_reader(scope, self._proxies)

    async def _count(self, request: Request[Any, Any, Any]) -> Standing | None:
        address = find_reader(request.scope, self._proxies)
        if "authorization" not in request.headers:
            return self._addresses.count(address)
        # A key to guess costs a look into the database. A partner who is at work is not kept from
        # it by what others do at the same address.
        spent = self._addresses.find_spent(address)
        if spent and not self._authenticator.has_seen(request):
            return spent
        try:
            caller = await self._authenticator.find_caller_async(request)
        except Exception:
            # A bad key, or the database is away; the handler that wants the key tells which.
            caller = None
        if caller is None:
            return self._addresses.count(address)
        return self._partners.count(caller.partner_id.bytes)


async def refuse(standing: Standing, scope: Any, receive: Any, send: Any) -> None:
    """Answer a request that is one too many with 429."""
    request: Request[Any, Any, Any] = Request(scope)
    error = TooManyRequestsError(_DETAILS[standing.policy].format(standing.quota), standing.seconds)
    refusal = problem_response(request, error)
    refusal.headers.update(standing.headers)
    await refusal.to_asgi_response(app=None, request=request)(scope, receive, send)


def _telling(send: Any, standing: Standing | None) -> Any:
    """Return a `send` that tells a partner where it stands, on answers that no cache keeps.

    A cache would tell the next reader what is left to the last one. And an address may be shared
    by people who do not know of each other: what is left of its quota would tell one what the
    others do, so nobody hears of it before it is spent.
    """
    if standing is None or standing.policy != PARTNER:
        return send
    told = [(name.encode(), value.encode()) for name, value in standing.headers.items()]

    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start" and _is_private(message["headers"]):
            message = {**message, "headers": [*message["headers"], *told]}
        await send(message)

    return sending


def _is_private(headers: Any) -> bool:
    return any(name.lower() == b"cache-control" and b"no-store" in value for name, value in headers)


# -- addresses ------------------------------------------------------------------------------------


def find_reader(scope: Any, proxies: Sequence[Network]) -> bytes | None:
    """Return what stands for the address of whoever asks: an IPv4 address, an IPv6 network (/64).

    It is the peer's, or, behind proxies, the last in `X-Forwarded-For` that is none of them: what
    stands before that may be anybody's invention. None where the peer is this machine and no
    declared proxy: behind an undeclared one all readers would be one address.
    """
    peer = _parse((scope.get("client") or [""])[0])
    if peer is None or (peer.is_loopback and not _is_among(peer, proxies)):
        return None
    return _find_first_stranger(peer, _list_forwarded(scope), proxies).packed[:8]


def _find_first_stranger(
    nearest: Address, forwarded: Sequence[str], proxies: Sequence[Network]
) -> Address:
    """Return who is no proxy, seen from here; the farthest that is known where all are."""
    for text in forwarded:
        before = _parse(text) if _is_among(nearest, proxies) else None
        if before is None:
            break
        nearest = before
    return nearest


def _list_forwarded(scope: Any) -> list[str]:
    """Return what `X-Forwarded-For` lists, the nearest first."""
    lines = [value for name, value in scope["headers"] if name.lower() == b"x-forwarded-for"]
    return b",".join(lines).decode("latin-1").split(",")[::-1]


def _parse(text: str) -> Address | None:
    """Return the address that a text spells; an IPv4 address that is written as IPv6, as IPv4."""
    if text in _THIS_MACHINE:
        return _THIS_MACHINE[text]
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_among(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
