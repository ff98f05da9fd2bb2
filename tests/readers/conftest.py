"""Feed readers that are not ours, each in a folder of its own, behind a door that counts."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final, NamedTuple, Protocol

import feedparser
import httpx
import pytest

from tests.houses import GIVE_UP_SECONDS

_KEPT: Final = ("accept", "accept-encoding", "accept-language", "if-none-match", "user-agent")
_TOLD: Final = (
    "content-type", "content-encoding", "etag", "cache-control", "vary", "last-modified", "link",
)  # fmt: skip
# What the reader of e-mail is told to send with: it keeps each letter in a file.
_SENDMAIL: Final = """#!{python}
import pathlib, sys, tempfile
file = tempfile.NamedTemporaryFile(dir={folder!r}, suffix=".eml", delete=False)
file.write(sys.stdin.buffer.read())
file.close()
"""


class Asked(NamedTuple):
    """One request of a reader: whether it was conditional, and what it was answered."""

    is_conditional: bool
    status: int


class Door:
    """Hands requests on to a service, and notes them."""

    def __init__(self, url: str) -> None:
        self.asked: list[Asked] = []
        door, client = self, httpx.Client(base_url=url, timeout=GIVE_UP_SECONDS)
        self._client = client

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                headers = {name: self.headers[name] for name in _KEPT if name in self.headers}
                request = client.build_request("GET", self.path, headers=headers)
                with closing(client.send(request, stream=True)) as answer:
                    # As it was sent, compressed or not.
                    body = b"".join(answer.iter_raw())
                door.asked.append(Asked("if-none-match" in headers, answer.status_code))
                self.send_response(answer.status_code)
                for name in _TOLD:
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing: what was asked is in a list."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever)

    def __enter__(self) -> "Door":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._client.close()


class Item(NamedTuple):
    """What a reader has of an entry. id: where the reader keeps it."""

    id: str | None
    title: str
    text: str


class Reader(Protocol):
    """A program that follows one feed."""

    def poll(self) -> None:
        """Look for news."""

    def list_items(self) -> list[Item]:
        """Return all that it has shown, in no order."""


class Newsboat:
    """A reader for the terminal, which keeps what it saw in a database."""

    def __init__(self, folder: Path, address: str) -> None:
        self._folder = folder
        (folder / "urls").write_text(f"{address}\n")
        (folder / "config").write_text("download-retries 1\nshow-read-feeds yes\n")

    def poll(self) -> None:
        files = [f"{option}{self._folder / name}" for option, name in _NEWSBOAT_FILES]
        _run(["newsboat", *files, "-x", "reload"], self._folder)

    def list_items(self) -> list[Item]:
        with closing(sqlite3.connect(self._folder / "cache")) as cache:
            rows = cache.execute("SELECT guid, title, content FROM rss_item WHERE deleted = 0")
            return [Item(*row) for row in rows]


_NEWSBOAT_FILES: Final = (("-u", "urls"), ("-C", "config"), ("-c", "cache"))


class Rss2Email:
    """A reader that sends each entry as a letter, and knows by its id what it has sent."""

    def __init__(self, folder: Path, address: str) -> None:
        self._folder = folder
        self._letters = folder / "letters"
        self._letters.mkdir()
        send = folder / "sendmail"
        send.write_text(_SENDMAIL.format(python=sys.executable, folder=str(self._letters)))
        send.chmod(0o755)
        (folder / "config").write_text(
            "[DEFAULT]\nto = reader@example.org\nfrom = feed@example.org\nverbose = warning\n"
            f"email-protocol = sendmail\nsendmail = {send}\nhtml-mail = True\nuse-8bit = True\n"
        )
        self._call("add", "caseflow", address)

    def poll(self) -> None:
        self._call("run")

    def list_items(self) -> list[Item]:
        letters = [
            message_from_bytes(file.read_bytes(), policy=policy.default)
            for file in self._letters.glob("*.eml")
        ]
        return [self._read(letter) for letter in letters]

    @staticmethod
    def _read(letter: EmailMessage) -> Item:
        body = letter.get_body()
        assert body is not None
        return Item(None, str(letter["subject"]), str(body.get_content()))

    def _call(self, *command: str) -> None:
        files = ["-c", str(self._folder / "config"), "-d", str(self._folder / "data")]
        _run(["r2e", *files, *command], self._folder)


class Feedparser:
    """The library that many readers are made of, used as its documentation says."""

    def __init__(self, folder: Path, address: str) -> None:
        self._address = address
        self._etag: str | None = None
        self._items: dict[str, Item] = {}

    def poll(self) -> None:
        found = feedparser.parse(self._address, etag=self._etag)
        assert found.status in (200, 304)
        assert not found.bozo, found.get("bozo_exception")
        self._etag = found.get("etag", self._etag)
        for entry in found.entries:
            item = Item(entry.id, entry.title, entry.content[0].value)
            assert self._items.setdefault(entry.id, item) == item

    def list_items(self) -> list[Item]:
        return list(self._items.values())


Make = Callable[[Path, str], Reader]
READERS: Final[dict[str, tuple[Make, str | None]]] = {
    "newsboat": (Newsboat, "newsboat"),
    "rss2email": (Rss2Email, "r2e"),
    "feedparser": (Feedparser, None),
}


@pytest.fixture(params=READERS)
def make_reader(request: pytest.FixtureRequest) -> Make:
    """What makes each reader; one that cannot be had here is skipped."""
    make, program = READERS[request.param]
    if program is not None and shutil.which(program) is None:
        pytest.skip(f"{program} is not installed; on Debian: apt install {request.param}")
    return make


def _run(command: list[str], folder: Path) -> None:
    """Run a reader, which finds nothing of this machine's user."""
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], **home},
        capture_output=True,
        check=False,
        timeout=GIVE_UP_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, json.dumps([done.stdout.decode(), done.stderr.decode()])
