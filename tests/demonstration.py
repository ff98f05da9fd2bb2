"""The demonstration, served in a folder of its own: for what looks at pages."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import httpx

GIVE_UP_SECONDS: Final = 120
_COMMAND: Final = "from caseflow.cli.main import main; main(prog_name='caseflow')"


class Demonstration(NamedTuple):
    """Where it answers, the key of its partner, and the code of a case with much to see."""

    url: str
    key: str
    code: str


@contextmanager
def demonstration(folder: Path) -> Iterator[Demonstration]:
    """Yield a running demonstration; folder: where its files go, empty at first."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = int(found.getsockname()[1])
    environ = {"CASEFLOW_PORT": str(port), "PYTHONPATH": os.pathsep.join(sys.path)}
    said = folder / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, "demo"],
            cwd=folder,
            env=os.environ | environ,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield _wait_for(f"http://127.0.0.1:{port}", process, said)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _wait_for(url: str, process: "subprocess.Popen[bytes]", said: Path) -> Demonstration:
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    while True:
        told = said.read_text("utf-8")
        key, code = re.search(r"KEY=(\S+)", told), re.search(r"CODE=(\S+)", told)
        if key and code and _answers(url):
            return Demonstration(url, key[1], code[1])
        assert process.poll() is None, told
        assert time.monotonic() < give_up_at, told
        time.sleep(0.1)


def _answers(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    return False
