"""What a publication costs when much was published before: `python -m bench.feeds`.

Two services in one process, one with few public entries and one with many. In turn, each records
one public claim and hands out the documents that have it. The median of the many divided by that
of the few is what is printed; 1.0 says that a publication costs the same.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from litestar.testing import TestClient

from caseflow.bootstrap import open_house
from caseflow.eventstore.partners import add_partner, issue_key
from caseflow.eventstore.schema import migrate, migrate_keys
from caseflow.serving import make_application
from caseflow.settings import read_settings

FEW: Final = 1_000
MANY: Final = 100_000
ROUNDS: Final = 200
CLAIMS_PER_CASE: Final = 10
TYPES: Final = ("wanted.removed", "asylum.claim_made", "extradition.granted", "person.died")


class Publisher:
    """A service that has published so many entries, and one who publishes another."""

    def __init__(self, client: TestClient[Any], headers: dict[str, str], number: int) -> None:
        self._client = client
        self._headers = headers
        self._import(number)
        self._case = self._post(
            "/v1/cases",
            {
                "host_state": "KZ",
                "origin_state": "RU",
                "consent": {"publish": "anonymous", "basis": "own"},
            },
        )

    def publish(self, day: int) -> tuple[float, float]:
        """Publish one claim and read all documents that have it; return the seconds of both."""
        begun = time.perf_counter()
        told = {"type": "wanted.removed", "occurred": f"{1000 + day}", "visibility": "public"}
        self._post(f"/v1/cases/{self._case['id']}/events", told)
        posted = time.perf_counter()
        for name in (
            "all", "states/KZ", "types/wanted.removed", "headlines/monitored",
            f"cases/{self._case['code']}", "recalls",
        ):  # fmt: skip
            for form in ("atom", "json"):
                answer = self._client.get(f"/feeds/{name}.{form}?lang=ru")
                assert answer.status_code == 200, answer.text
        return posted - begun, time.perf_counter() - posted

    def _import(self, number: int) -> None:
        headers = {**self._headers, "Content-Type": "application/x-ndjson"}
        body = b"".join(json.dumps(line).encode() + b"\n" for line in _list_lines(number))
        answer = self._client.post("/v1/imports", content=body, headers=headers, timeout=3_600)
        created = answer.text.count('"created"')
        assert created >= number, answer.text[:1_000]

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._client.post(path, json=body, headers=self._headers)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())


def _list_lines(number: int) -> Iterator[dict[str, Any]]:
    for n in range(number):
        case = n // CLAIMS_PER_CASE
        if n % CLAIMS_PER_CASE == 0:
            consent = {"publish": "anonymous", "basis": "own"}
            opening = {"host_state": "KZ", "origin_state": "RU", "consent": consent}
            yield {"case": {**opening, "external_id": f"case-{case}"}}
        yield {
            "event": {
                "case": f"ext:case-{case}",
                "type": TYPES[n % len(TYPES)],
                "occurred": f"20{10 + n % 15}-0{1 + n % 9}",
                "visibility": "public",
                "external_id": f"claim-{n}",
            }
        }


@contextmanager
def _serve(folder: Path, number: int) -> Iterator[Publisher]:
    settings = read_settings(
        {
            "CASEFLOW_DATABASE_URL": f"sqlite:///{folder / 'main.db'}",
            "CASEFLOW_KEYS_URL": f"sqlite:///{folder / 'keys.db'}",
            "CASEFLOW_MASTER_KEY_FILE": str(folder / "master.key"),
            "CASEFLOW_SIGNING_KEY_FILE": str(folder / "signing.key"),
            "CASEFLOW_LEDGER_FILE": str(folder / "ledger"),
            "CASEFLOW_RATE_PER_PARTNER": "0",
            "CASEFLOW_RATE_PER_ADDRESS": "0",
        }
    )
    migrate(settings.database_url)
    migrate_keys(settings.keys_url)
    partner_id, scopes = uuid4(), ("events:write", "events:publish")
    with open_house(settings) as house, house.write() as connection:
        add_partner(connection, partner_id=partner_id, name="bench", public_name="Bench", at=0)
        key = issue_key(connection, key_id=uuid4(), partner_id=partner_id, scopes=scopes, at=0)
    with TestClient(make_application(settings)) as client:
        yield Publisher(client, {"Authorization": f"Bearer {key}"}, number)


def measure(few: int = FEW, many: int = MANY, rounds: int = ROUNDS) -> dict[str, float]:
    """Return the ratios of the medians: of recording a claim, and of reading what has it."""
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        both = [
            stack.enter_context(_serve(folder, number))
            for folder, number in zip(folders, (few, many), strict=True)
        ]
        found: list[list[tuple[float, float]]] = [[], []]
        for day in range(rounds):
            for taken, publisher in zip(found, both, strict=True):
                taken.append(publisher.publish(day))
    posts, reads = ([statistics.median(one[i] for one in taken) for taken in found] for i in (0, 1))
    return {
        "few": few,
        "many": many,
        "rounds": rounds,
        "post_ratio": round(posts[1] / posts[0], 3),
        "read_ratio": round(reads[1] / reads[0], 3),
    }


if __name__ == "__main__":
    json.dump(measure(*map(int, sys.argv[1:])), sys.stdout, indent=2)
    print()
