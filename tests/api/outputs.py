"""Everything that a caller can get of a service, byte for byte, and the search through it."""

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from litestar.testing import TestClient

from .model_known import WORD

_WORDS: Final = re.compile(WORD.encode())
_IDS: Final = re.compile(rb"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_BARE_IDS: Final = re.compile(rb"(?i)(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_CODES: Final = re.compile(rb"[A-Z]{2}(?:-[0-9A-Z]{4}){2}")
# Tells one answer from another by a digest, which may look like an id.
_DIGESTS: Final = frozenset({"etag"})


class Sent(NamedTuple):
    """An answer as it was sent."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)

    @property
    def said(self) -> bytes:
        """Return the body and the headers, but for digests."""
        told = [f"{name}: {v}" for name, v in self.headers if name not in _DIGESTS]
        return self.body + "\n".join(told).encode()


class Asker:
    """Asks an application, many questions in one go; no client in between mends anything."""

    def __init__(self, client: TestClient[Any]) -> None:
        self._client = client

    def ask(
        self,
        method: str,
        address: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Sent:
        """Return the answer to one request."""
        call = self._client.blocking_portal.call
        told = dict(headers or {})
        found: Sent = call(_answer, self._client.app, method, address, body, told)
        return found

    def look(self, addresses: Iterable[str], secret: str | None = None) -> dict[str, Sent]:
        """Return what is at some addresses, for anyone or for a key."""
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        call = self._client.blocking_portal.call
        return call(_answer_all, self._client.app, list(addresses), headers)


async def _answer_all(app: Any, addresses: list[str], headers: dict[str, str]) -> dict[str, Sent]:
    return {address: await _answer(app, "GET", address, b"", headers) for address in addresses}


async def _answer(
    app: Any, method: str, address: str, body: bytes, headers: dict[str, str]
) -> Sent:
    path, _, query = address.partition("?")
    messages = [{"type": "http.request", "body": body}]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    pairs = {**headers, "content-length": str(len(body))} if body else headers
    scope = {
        "type": "http",
        "http_version": "1.1",
        "scheme": "https",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in pairs.items()],
        "client": None,
        "server": ("cases.example", 443),
    }
    await app(scope, receive, send)
    start, *parts = sent
    found = tuple((name.decode(), value.decode()) for name, value in start["headers"])
    return Sent(start["status"], found, b"".join(part.get("body", b"") for part in parts))


# -- searching ------------------------------------------------------------------------------------


def words_in(values: Iterable[Any]) -> set[str]:
    """Return the marked words in values that hold texts."""
    return find_words(repr(list(values)).encode())


def find_words(said: bytes) -> set[str]:
    """Return the marked words in bytes, in small letters."""
    return {found.decode().lower() for found in _WORDS.findall(said)}


def find_ids(said: bytes) -> set[str]:
    """Return the ids in bytes, with or without their hyphens."""
    bare = {re.sub(b"-", b"", found).lower() for found in _IDS.findall(said)}
    return {found.decode() for found in bare | {f.lower() for f in _BARE_IDS.findall(said)}}


def find_codes(said: bytes) -> set[str]:
    """Return the codes of cases in bytes."""
    return {found.decode() for found in _CODES.findall(said)}


def bare(ids: Iterable[str]) -> set[str]:
    """Return ids as `find_ids` does."""
    return {found.replace("-", "") for found in ids}


class Allowed(NamedTuple):
    """What may stand in the outputs for somebody. `ids` None: any."""

    words: set[str]
    ids: set[str] | None
    codes: set[str] | None

    def check(self, seen: Mapping[str, Sent], of: str) -> None:
        """Assert that nothing else stands in answers."""
        for address, sent in seen.items():
            said = sent.said
            assert not (found := find_words(said) - self.words), (of, address, found, said)
            if self.ids is not None:
                assert not (found := find_ids(said) - self.ids), (of, address, found, said)
            if self.codes is not None:
                assert not (found := find_codes(said) - self.codes), (of, address, found, said)


# -- logs -----------------------------------------------------------------------------------------


class LogKeeper(logging.Handler):
    """Keeps all that is logged, as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    @property
    def said(self) -> bytes:
        return "\n".join(self.lines).encode()


@contextmanager
def all_logged() -> Iterator[LogKeeper]:
    """Yield what is logged meanwhile, down to the smallest thing.

    Of the database library only warnings: it would write out every row.
    """
    root, library, keeper = logging.getLogger(), logging.getLogger("sqlalchemy"), LogKeeper()
    levels = root.level, library.level
    root.addHandler(keeper)
    root.setLevel(logging.DEBUG)
    library.setLevel(logging.WARNING)
    try:
        yield keeper
    finally:
        root.removeHandler(keeper)
        root.setLevel(levels[0])
        library.setLevel(levels[1])


def differences(before: Mapping[str, Sent], after: Mapping[str, Sent]) -> Iterator[str]:
    """Yield what differs at addresses that were asked both times."""
    for address in before.keys() & after.keys():
        if before[address] != after[address]:
            yield f"{address}: {before[address]} became {after[address]}"
