"""Speak ASGI to an application without a client in between, which would mend what it is sent."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from litestar import Litestar
from litestar.testing import TestClient


class Sent(NamedTuple):
    """What an application sent, as it sent it."""

    status: int
    headers: dict[str, str]
    body: bytes


def exchange(
    client: TestClient[Litestar],
    method: str,
    path: str,
    *,
    headers: Iterable[tuple[str, str]] = (),
    peer: str | None = None,
    messages: list[dict[str, Any]] | None = None,
) -> Sent:
    """Return the answer to one request.

    peer: the address that the request comes from; None where the server tells none.
    messages: what the server hands on of the body; those that were not asked for stay in the list.
    """
    left = [{"type": "http.request", "body": b""}] if messages is None else messages
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        "client": (peer, 50_000) if peer else None,
    }
    client.blocking_portal.call(client.app, scope, receive, send)
    start, *parts = sent
    found = {name.decode(): value.decode() for name, value in start["headers"]}
    return Sent(start["status"], found, b"".join(part.get("body", b"") for part in parts))
