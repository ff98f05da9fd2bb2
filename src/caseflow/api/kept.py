"""Public answers, kept as they went out and given again until something changes that they tell of.

They are found before the framework sees the request: what it does for each takes longer than all of
this. Of one case an answer lasts while others change; of more than one, while the log stands still.
"""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import cached_property, lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from caseflow.domain.labels import LANGUAGES
from caseflow.eventstore.changes import CaseChanges

from .conditional import OF_A_BODY, Whole
from .negotiation import prefers_gzip, prefers_language

MAX_BYTES: Final = 16_000_000
# Views that are made anew may tell something else without an event that says so.
KEPT_SECONDS: Final = 30.0
_MARK: Final = "caseflow.kept"
# With one of these a request may be answered otherwise, or has to be looked at.
_OTHERS: Final = frozenset(
    {b"authorization", b"if-match", b"if-modified-since", b"if-unmodified-since", b"range"}
)
_LANGUAGES: Final = frozenset(f"lang={language}".encode() for language in LANGUAGES)
_PLAIN: Final = _LANGUAGES | {b""}
# No name has other letters, but for a partner's own.
_CASE: Final = re.compile(rb"/v1/cases/([0-9A-Za-z-]+)")
_OF_A_BODY: Final = frozenset(name.encode() for name in OF_A_BODY)

Scope = Any
Message = Any
Send = Callable[[Message], Awaitable[None]]
Key = tuple[bytes, bytes, bool, str]


class AskedPublicly(NamedTuple):
    """What of a request decides the answer. known: the ETag that the reader has, as sent."""

    key: Key
    known: bytes | None

    @property
    def takes_gzip(self) -> bool:
        """Return whether the answer may be compressed."""
        return self.key[2]

    @property
    def language(self) -> str:
        """Return the language of the answer."""
        query = self.key[1]
        return query[5:].decode() if query in _LANGUAGES else self.key[3]

    @property
    def case_name(self) -> str | None:
        """Return the name of the case whose status now is asked for, and nothing else; or None."""
        found = _CASE.fullmatch(self.key[0].partition(b"?")[0])
        return found[1].decode() if found and self.key[1] in _PLAIN else None


class Messages(NamedTuple):
    """An answer as ASGI sends it."""

    start: Message
    body: Message

    async def send(self, send: Send) -> int:
        """Send it, and return its status."""
        await send(self.start)
        await send(self.body)
        return int(self.start["status"])


def make_messages(whole: Whole, media_type: str) -> Messages:
    """Return an answer as the framework would send it."""
    headers = {**whole.headers, "content-type": media_type}
    told = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Messages(
        {"type": "http.response.start", "status": 200, "headers": told},
        {"type": "http.response.body", "body": whole.body, "more_body": False},
    )


class Answer:
    """An answer as it went out, and as it goes to readers who have it already.

    position: of the log, at which it was made. case_id: the only case it tells of; None for all.
    """

    def __init__(
        self, whole: Messages, position: int, case_id: UUID | None, made_at: float
    ) -> None:
        self.whole = whole
        self.position = position
        self.case_id = case_id
        self.made_at = made_at

    # Of most answers nobody asks whether they have changed: these are made for whoever does.
    @cached_property
    def etag(self) -> bytes:
        """Return the ETag, as it is sent."""
        return bytes(dict(self.whole.start["headers"])[b"etag"])

    @cached_property
    def unchanged(self) -> Messages:
        """Return what goes to a reader who has the answer."""
        start = self.whole.start
        headers = [(name, value) for name, value in start["headers"] if name not in _OF_A_BODY]
        return Messages(
            {**start, "status": 304, "headers": headers}, {**self.whole.body, "body": b""}
        )

    def choose(self, known: bytes | None) -> Messages | None:
        """Return what goes to a reader; known: the ETag that it has, as sent.

        None for any other tag, or for several: the framework's handler finds what they mean.
        """
        if known is None:
            return self.whole
        return self.unchanged if known == self.etag else None

    def __len__(self) -> int:
        return len(self.whole.body["body"]) + 1_000


class KeptAnswers:
    """The answers of a process; those kept first are dropped first. For one event loop."""

    def __init__(
        self,
        changes: CaseChanges,
        find_head: Callable[[], int],
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """find_head: the end of the log as far as it is known; beyond `changes`, all is stale."""
        self._changes = changes
        self._find_head = find_head
        self._max_bytes = max_bytes
        self._clock = clock
        self._answers: OrderedDict[Key, Answer] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return how many answers are kept."""
        return len(self._answers)

    def find(self, asked: AskedPublicly) -> Messages | None:
        """Return the answer to a request where it is still true, else None."""
        answer = self._answers.get(asked.key)
        if answer is None or not self._is_current(answer):
            return None
        return answer.choose(asked.known)

    def _is_current(self, answer: Answer) -> bool:
        return (
            self._find_head() <= self._changes.head
            and self._changes.is_current(answer.position, answer.case_id)
            and self._clock() - answer.made_at < KEPT_SECONDS
        )

    def keeping(self, asked: AskedPublicly, scope: Scope, send: Send) -> Send:
        """Return a `send` that keeps the answer where its handler has allowed it, `may_keep`."""
        started: Message = None

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = message
            elif _MARK in scope and started is not None:
                if started["status"] == 200:
                    self.keep(asked.key, Messages(started, message), *scope[_MARK])
                elif started["status"] == 304:
                    self._renew(asked.key, scope[_MARK], started)
            await send(message)

        return sending

    def keep(self, key: Key, whole: Messages, position: int, case_id: UUID | None) -> Answer:
        """Keep an answer that was made of the log as it was at a position, and return it.

        case_id: the case that it tells of; None where it tells of more than one. What is out of
        date by now is not kept: it may tell of what was withdrawn since.
        """
        answer = Answer(whole, position, case_id, self._clock())
        with self._lock:
            self._drop(key)
            if not self._changes.is_current(position, case_id):
                return answer
            self._answers[key] = answer
            self._bytes += len(answer)
            while self._bytes > self._max_bytes:
                self._drop(next(iter(self._answers)))
        return answer

    def _renew(self, key: Key, mark: tuple[int, UUID | None], start: Message) -> None:
        """Go on giving an answer that was found to be what it was: readers may all have it."""
        before = self._answers.get(key)
        if before is not None and before.etag == dict(start["headers"])[b"etag"]:
            self.keep(key, before.whole, *mark)

    def _drop(self, key: Key) -> None:
        before = self._answers.pop(key, None)
        if before is not None:
            self._bytes -= len(before)

    def clear(self) -> None:
        """Forget everything. From any thread."""
        with self._lock:
            self._answers = OrderedDict()
            self._bytes = 0


def may_keep(scope: Scope, position: int, case_id: UUID | None) -> None:
    """Allow that the answer is kept, which was made of the log as it was at a position.

    case_id: the case that it tells of; None where it tells of more than one.
    """
    scope[_MARK] = position, case_id


def read_request(scope: Scope) -> AskedPublicly | None:
    """Return what a request asks for, None where no kept answer may be given."""
    if scope["method"] != "GET":
        return None
    encoding, language, known = b"", b"", None
    for name, value in scope["headers"]:
        if name == b"accept-encoding":
            encoding = encoding + b"," + value if encoding else value
        elif name == b"accept-language":
            language = language + b"," + value if language else value
        elif name == b"if-none-match":
            if known is not None:
                return None
            known = value
        elif name in _OTHERS:
            return None
    path = scope.get("raw_path") or scope["path"].encode()
    key = path, scope["query_string"], _takes_gzip(encoding), _find_language(language)
    return AskedPublicly(key, known)


@lru_cache(maxsize=256)
def _takes_gzip(encoding: bytes) -> bool:
    return prefers_gzip([encoding.decode("latin-1")])


@lru_cache(maxsize=256)
def _find_language(language: bytes) -> str:
    return prefers_language([language.decode("latin-1")])
