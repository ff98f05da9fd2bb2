"""A real browser for tests: Chromium without a window, steered through the pipes of its protocol.

No driver is installed for it, and no browser either: where there is none, tests that ask for one
are skipped. It finds no host but this machine.
"""

import base64
import json
import os
import selectors
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

ANSWER_SECONDS: Final = 60

# The browser reads commands from descriptor 3 and writes to 4; what it says otherwise is noise.
LAUNCHER: Final = 'exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1'

OPTIONS: Final = (
    "--headless",
    "--remote-debugging-pipe",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-first-run",
    "--disable-gpu",
    # Shared memory is small in containers.
    "--disable-dev-shm-usage",
    # Root has no other way; it sees our own pages only.
    "--no-sandbox",
)


def find_chromium() -> str | None:
    """Return the program of a Chromium or Chrome, None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


@contextmanager
def open_page(program: str, folder: Path, url: str) -> Iterator["Page"]:
    """Yield a page that begins to load; folder: where the browser may write."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", LAUNCHER, program, *OPTIONS, f"--user-data-dir={folder / 'profile'}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"HOME": str(folder)},
        bufsize=0,
    )
    with process:
        try:
            page = Page(process)
            page.open(url)
            yield page
        finally:
            process.kill()


class Page:
    """One page of a browser, and all that it asked the network for.

    Source: Chrome DevTools Protocol; messages are JSON, each ended by a zero byte.
    """

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._commands, self._answers = process.stdin, process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._answers, selectors.EVENT_READ)
        self._buffer = b""
        self._sent = 0
        self._session: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []

    def open(self, url: str) -> None:
        """Open the page; everything it asks for from then on is noted."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Network", "Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=url)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Carry out a command of the protocol and return its result."""
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": params, **self._session}
        self._commands.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._sent:
                assert "error" not in answer, (method, answer["error"])
                return dict(answer["result"])
            self.events.append(answer)

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page; a promise is awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, (expression, answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> Any:
        """Return the value of an expression, plain data, as soon as it is true."""
        return self.evaluate(
            "new Promise(done => { const look = () => { const found = "
            f"({expression}); found ? done(found) : setTimeout(look, 20); }}; look(); }})"
        )

    def click(self, selector: str) -> None:
        """Click an element as soon as it is there."""
        element = self._find(selector)
        self.evaluate(f"{element}.click()")

    def write(self, selector: str, text: str) -> None:
        """Write into a field as from a keyboard, in place of what it holds."""
        element = self._find(selector)
        self.evaluate(f"{element}.select()")
        self.call("Input.insertText", text=text)

    def read(self, selector: str) -> str:
        """Return the text of an element as soon as there is some."""
        return str(self.wait_for(f"document.querySelector({json.dumps(selector)})?.innerText"))

    @property
    def requests(self) -> list[str]:
        """Return the addresses of everything it asked for, `data:` excepted."""
        sent = self._list_events("Network.requestWillBeSent")
        urls = [str(event["request"]["url"]) for event in sent]
        return [url for url in urls if not url.startswith("data:")]

    @property
    def complaints(self) -> list[str]:
        """Return what the browser refused, could not load, or saw fail."""
        thrown = self._list_events("Runtime.exceptionThrown")
        logged = [event["entry"] for event in self._list_events("Log.entryAdded")]
        return [str(event["exceptionDetails"]) for event in thrown] + [
            f"{entry['text']} {entry.get('url', '')}"
            for entry in logged
            if entry["level"] in ("warning", "error")
        ]

    def save_picture(self, file: Path) -> None:
        """Write what one sees, as PNG."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def _find(self, selector: str) -> str:
        """Return an expression for an element that is there."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.wait_for(f"{element} !== null")
        return element

    def _list_events(self, method: str) -> list[dict[str, Any]]:
        return [event["params"] for event in self.events if event.get("method") == method]

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            assert self._selector.select(ANSWER_SECONDS), "the browser does not answer"
            read = os.read(self._answers.fileno(), 1 << 16)
            assert read, "the browser has ended"
            self._buffer += read
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))
