"""A reader of the stream as the HTML Standard has it, section 9.2.6, and nothing more."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx

from tests.houses import GIVE_UP_SECONDS


class Sent(NamedTuple):
    """An event. id: the last one that was told, also by a block without data."""

    id: str
    event: str
    data: Any


class Source:
    """Reads a stream, and knows with which id it goes on."""

    def __init__(self, url: str, path: str = "/v1/stream", last_id: str | None = None) -> None:
        self.url = url
        self.path = path
        self.last_id = last_id
        self.retry: int | None = None
        self.comments = 0

    @contextmanager
    def connect(self) -> Iterator[Iterator[Sent]]:
        """Yield the events that come, until the service breaks off."""
        headers = {} if self.last_id is None else {"Last-Event-ID": self.last_id}
        with httpx.stream(
            "GET", self.url + self.path, headers=headers, timeout=GIVE_UP_SECONDS
        ) as answer:
            if answer.status_code != 200:
                answer.read()
            assert answer.status_code == 200, answer.text
            assert answer.headers["content-type"].partition(";")[0] == "text/event-stream"
            assert answer.headers["cache-control"] == "no-store"
            assert "content-encoding" not in answer.headers
            yield self.read(answer.iter_lines())

    def take(self, number: int) -> list[Sent]:
        """Return so many events."""
        with self.connect() as events:
            return [next(events) for _ in range(number)]

    def read(self, lines: Iterator[str]) -> Iterator[Sent]:
        """Yield the events that lines tell of."""
        last_id, event, data = self.last_id, "", list[str]()
        for line in lines:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            match field:
                case "" if not line:
                    self.last_id = last_id
                    if data:
                        assert last_id is not None
                        yield Sent(last_id, event or "message", json.loads("\n".join(data)))
                    event, data = "", []
                case "":
                    self.comments += 1
                case "id":
                    last_id = value
                case "event":
                    event = value
                case "data":
                    data.append(value)
                case "retry":
                    self.retry = int(value)
                case _:
                    raise AssertionError(line)
