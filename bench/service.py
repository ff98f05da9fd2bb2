"""A deployment to measure, and the limit beside it, each in a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx

from caseflow.bootstrap import open_house
from caseflow.eventstore.partners import add_partner, issue_key
from caseflow.eventstore.schema import migrate, migrate_keys
from caseflow.settings import Settings, read_settings

GIVE_UP_SECONDS: Final = 120
CLAIMS_PER_CASE: Final = 10
SCOPES: Final = ("events:write", "events:publish", "restricted:read", "audit:read")
OPENING: Final[dict[str, Any]] = {
    "host_state": "KZ",
    "origin_state": "RU",
    "consent": {"publish": "anonymous", "basis": "own"},
}
TYPES: Final = ("wanted.removed", "asylum.claim_made", "extradition.granted", "asylum.registered")
_SERVE: Final = "from caseflow.cli.main import main; main(prog_name='caseflow')"
_LIMITS: Final = (
    "from granian import Granian; from granian.constants import Interfaces; import sys; "
    "Granian('bench.limits:make_app', factory=True, interface=Interfaces.ASGI, workers=1,"
    " address='127.0.0.1', port=int(sys.argv[1]), websockets=False, log_enabled=False).serve()"
)


class Deployment:
    """A service with one partner. url: where it answers; headers: that show the partner's key."""

    def __init__(self, settings: Settings, url: str, key: str, process_id: int) -> None:
        self.settings = settings
        self.url = url
        self.headers = {"Authorization": f"Bearer {key}"}
        self.process_id = process_id
        self.client = httpx.Client(base_url=url, headers=self.headers, timeout=3_600)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Post JSON that has to be taken."""
        answer = self.client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def fill(self, number: int, prefix: str = "first") -> list[str]:
        """Import so many public claims, ten of each case; return the ids of the cases."""
        found = self.send_lines(list_lines(number, prefix))
        return [one["id"] for one in found[:: CLAIMS_PER_CASE + 1]]

    def send_lines(self, lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Import lines that have to be taken, and return what became of each."""
        content = (json.dumps(line).encode() + b"\n" for line in lines)
        headers = {"Content-Type": "application/x-ndjson"}
        answer = self.client.post("/v1/imports", content=content, headers=headers)
        found = [json.loads(line) for line in answer.text.splitlines()]
        assert all(one["result"] == "created" for one in found), found[:3]
        return found

    def settle(self) -> None:
        """Wait until all that is public is signed."""
        give_up_at = time.monotonic() + GIVE_UP_SECONDS * 10
        while True:
            # Without a key: how far the public log is signed, and how far it goes.
            ready = httpx.get(f"{self.url}/readyz", timeout=GIVE_UP_SECONDS).json()
            if ready.get("log", {}).get("size") == ready.get("position"):
                return
            assert time.monotonic() < give_up_at, ready
            time.sleep(0.2)

    def memory(self) -> int:
        """Return how many bytes of memory the worker has, without what it shares."""
        status = Path(f"/proc/{_worker_of(self.process_id)}/smaps_rollup").read_text("ascii")
        fields = dict(line.split(":", 1) for line in status.splitlines()[1:])
        return (
            int(fields["Private_Clean"].split()[0]) + int(fields["Private_Dirty"].split()[0])
        ) * 1024


def list_lines(number: int, prefix: str) -> Iterator[dict[str, Any]]:
    """Yield lines to import: so many claims, and the cases that they are of."""
    for n in range(number):
        case = f"{prefix}-{n // CLAIMS_PER_CASE}"
        if n % CLAIMS_PER_CASE == 0:
            yield {"case": {**OPENING, "external_id": case}}
        claim = {
            "case": f"ext:{case}",
            "type": TYPES[n % len(TYPES)],
            "occurred": f"20{10 + n % 15}-0{1 + n % 9}-1{n % 10}",
            "place": "Алматы",
            "summary": {"ru": "Сообщили родственники и адвокат.", "en": "As his lawyer said."},
            "sources": [{"title": "A court's page", "url": "https://example.org/decision"}],
            "visibility": "public",
            "external_id": f"{prefix}-claim-{n}",
        }
        yield {"event": claim}


def new_settings(folder: Path, url: str | None = None, keys_url: str | None = None) -> Settings:
    """Return settings of a deployment in a folder, on SQLite unless databases are named."""
    return read_settings(
        {
            "CASEFLOW_DATABASE_URL": url or f"sqlite:///{folder / 'main.db'}",
            "CASEFLOW_KEYS_URL": keys_url or f"sqlite:///{folder / 'keys.db'}",
            "CASEFLOW_MASTER_KEY_FILE": str(folder / "master.key"),
            "CASEFLOW_SIGNING_KEY_FILE": str(folder / "signing.key"),
            "CASEFLOW_LEDGER_FILE": str(folder / "ledger"),
            "CASEFLOW_PORT": str(find_free_port()),
            "CASEFLOW_RATE_PER_PARTNER": "0",
            "CASEFLOW_RATE_PER_ADDRESS": "0",
        }
    )


@contextmanager
def deployed(settings: Settings, folder: Path) -> Iterator[Deployment]:
    """Yield a running service on databases that are made for it."""
    migrate(settings.database_url)
    migrate_keys(settings.keys_url)
    partner_id = uuid4()
    with open_house(settings) as house, house.write() as connection:
        add_partner(connection, partner_id=partner_id, name="bench", public_name="Bench", at=0)
        key = issue_key(connection, key_id=uuid4(), partner_id=partner_id, scopes=SCOPES, at=0)
    environ = {
        "CASEFLOW_DATABASE_URL": settings.database_url,
        "CASEFLOW_KEYS_URL": settings.keys_url,
        "CASEFLOW_MASTER_KEY_FILE": str(settings.master_key_file),
        "CASEFLOW_SIGNING_KEY_FILE": str(settings.signing_key_file),
        "CASEFLOW_LEDGER_FILE": str(settings.ledger_file),
        "CASEFLOW_PORT": str(settings.port),
        "CASEFLOW_RATE_PER_PARTNER": "0",
        "CASEFLOW_RATE_PER_ADDRESS": "0",
    }
    url = f"http://127.0.0.1:{settings.port}"
    with _running([sys.executable, "-c", _SERVE, "serve"], folder, environ) as process:
        _wait_for(f"{url}/readyz", process)
        deployment = Deployment(settings, url, key, process.pid)
        try:
            yield deployment
        finally:
            deployment.client.close()


@contextmanager
def limits(folder: Path) -> Iterator[str]:
    """Yield the address of the limits."""
    port = find_free_port()
    command = [sys.executable, "-c", _LIMITS, str(port)]
    root = str(Path(__file__).parents[1])
    with _running(command, folder, {"PYTHONPATH": os.pathsep.join([root, *sys.path])}) as process:
        _wait_for(f"http://127.0.0.1:{port}/bytes/1", process)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _running(
    command: list[str], folder: Path, environ: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "served.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | environ,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    while True:
        with suppress(httpx.TransportError):
            if httpx.get(url, timeout=5).status_code == 200:
                return
        assert process.poll() is None, "the service ended"
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def _worker_of(process_id: int) -> int:
    children = Path(f"/proc/{process_id}/task/{process_id}/children").read_text("ascii").split()
    return int(children[0]) if children else process_id


def find_free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
