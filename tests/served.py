"""The real service in a process of its own: started, killed and started again at one address."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import httpx
import pytest

from caseflow.settings import Settings
from tests.houses import GIVE_UP_SECONDS, new_settings

_COMMAND: Final = "from caseflow.cli.main import main; main(prog_name='caseflow')"
_STEP_SECONDS: Final = 0.02
# Below what systems give to outgoing connections: one to a port where nobody listens could
# otherwise be given that very port, answer itself, and keep the service from its address.
_PORTS: Final = range(20_000, 30_000)


class ServedHouse:
    """`caseflow serve` with these settings; what it says goes to a file in the folder."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.url = f"http://127.0.0.1:{settings.port}"
        self.log = folder / "served.log"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the service, without waiting for it."""
        settings = self.settings
        environ = {
            "CASEFLOW_DATABASE_URL": settings.database_url,
            "CASEFLOW_KEYS_URL": settings.keys_url,
            "CASEFLOW_MASTER_KEY_FILE": str(settings.master_key_file),
            "CASEFLOW_SIGNING_KEY_FILE": str(settings.signing_key_file),
            "CASEFLOW_PORT": str(settings.port),
            "CASEFLOW_WITNESSES": ",".join(settings.witnesses) or "none",
            "CASEFLOW_RATE_PER_PARTNER": str(settings.rate_per_partner),
            "CASEFLOW_RATE_PER_ADDRESS": str(settings.rate_per_address),
            "CASEFLOW_STREAM_SUBSCRIBERS": str(settings.stream_subscribers),
            "CASEFLOW_WEBHOOK_NETWORKS": ",".join(map(str, settings.webhook_networks)) or "none",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _COMMAND, "serve"],
                cwd=self._folder,
                env=os.environ | environ,
                stdout=log,
                stderr=log,
                # A group of its own, so that all of it can be killed at once.
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Wait until it answers; fail where it ended, or takes too long."""
        give_up_at = time.monotonic() + GIVE_UP_SECONDS
        while not self._is_ready():
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text("utf-8")
            assert time.monotonic() < give_up_at, self.log.read_text("utf-8")
            time.sleep(_STEP_SECONDS)

    def _is_ready(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/readyz", timeout=GIVE_UP_SECONDS).status_code == 200
        return False

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(GIVE_UP_SECONDS)

    def kill(self) -> None:
        """Kill every process of it with SIGKILL."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    @property
    def worker_id(self) -> int:
        """The id of the process that does the work."""
        assert self._process is not None
        parent = self._process.pid
        (worker,) = Path(f"/proc/{parent}/task/{parent}/children").read_text("ascii").split()
        return int(worker)


@contextmanager
def served_house(
    kind: str, request: pytest.FixtureRequest, folder: Path, **environ: str
) -> Iterator[ServedHouse]:
    """Yield a service that has not been started, on empty databases of a kind; kill it at last.

    environ: more settings, of those that `start` hands on.
    """
    more = {"CASEFLOW_PORT": str(find_free_port())} | environ
    with new_settings(kind, request, folder, keys=kind, **more) as settings:
        house = ServedHouse(settings, folder)
        try:
            yield house
        finally:
            house.kill()


def find_free_port() -> int:
    """Return a port of this machine that nobody listens on, and no outgoing connection gets."""
    while True:
        port = random.choice(_PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
