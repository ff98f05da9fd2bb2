"""An endpoint that takes messages, checks who signed them, and answers as it is told."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from standardwebhooks import Webhook

from tests.houses import GIVE_UP_SECONDS

Answer = Callable[[BaseHTTPRequestHandler], None]


class Message(NamedTuple):
    """One message as it came."""

    id: str
    type: str
    data: dict[str, Any]
    signatures: int
    path: str


def say(status: int, **headers: str) -> Answer:
    """Answer with a status and nothing else."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


class Receiver:
    """A server on this machine. answer: how it answers from now on."""

    def __init__(self, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.secrets: list[str] = []
        self.messages: list[Message] = []
        self.answer: Answer = say(204)
        self.faults: list[str] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.take(body, dict(self.headers), self.path)
                receiver.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A sender that has had enough is none."""

        self._server = Server(("127.0.0.1", port), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, body: bytes, headers: dict[str, str], path: str) -> None:
        told = json.loads(body)
        for secret in self.secrets:
            try:
                Webhook(secret).verify(body, headers)
            except Exception as error:
                self.faults.append(str(error))
        named = {name.lower(): value for name, value in headers.items()}
        signatures = len(named["webhook-signature"].split())
        self.messages.append(
            Message(named["webhook-id"], told["type"], told["data"], signatures, path)
        )

    def wait_for(self, number: int) -> Sequence[Message]:
        """Return the messages once there are so many."""
        wait_until(lambda: len(self.messages) >= number, lambda: self.messages)
        return self.messages


def wait_until(holds: Callable[[], bool], told: Callable[[], object] = lambda: None) -> None:
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while not holds():
        assert time.monotonic() < deadline, told()
        time.sleep(0.02)
