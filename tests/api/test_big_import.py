"""Imports of any size: a hundred thousand lines, twice, through a service in its own process.

The second time records nothing, and the memory of the service does not grow with the lines.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from threading import Event as Signal
from threading import Thread
from typing import Any, Final, NamedTuple

import httpx
import pytest

from tests.api.conftest import AUTHOR, Json, Service
from tests.served import ServedHouse, served_house

CASES: Final = 5_000
FIRST_DAY: Final = date(2024, 1, 1)
# Lines that are sent together.
LOT: Final = 100
# Between two looks at the memory.
STEP_SECONDS: Final = 0.25
# Of what the memory grew by in the first half: so much it may still grow.
MOST_GROWTH: Final = 0.25

# What happens in a case: the type, the days since its first, what else is told.
STORY: Final[list[tuple[str, int, Json]]] = [
    ("wanted.listed", 0, {"list": "cis"}),
    ("person.entered", 10, {"visibility": "public"}),
    ("detention.apprehended", 40, {"basis": "wanted", "place": "Almaty", "visibility": "public"}),
    ("detention.custody_ordered", 42, {"basis": "extradition", "term_days": 40}),
    ("asylum.claim_made", 45, {}),
    ("extradition.requested", 50, {"visibility": "public"}),
    ("asylum.registered", 60, {"visibility": "restricted"}),
    ("detention.custody_extended", 80, {"term_days": 60}),
    ("asylum.refused", 120, {"stage": "first_instance"}),
    ("appeal.filed", 125, {"against": 9}),
    ("appeal.hearing_set", 130, {"against": 9, "on": 150}),
    ("appeal.decided", 150, {"against": 9, "outcome": "upheld"}),
    ("extradition.granted", 170, {"visibility": "public", "summary": {"en": "Granted."}}),
    ("appeal.filed", 175, {"against": 13, "visibility": "public"}),
    ("interim.requested", 176, {"private_note": "By the lawyer."}),
    ("interim.decided", 180, {"outcome": "granted"}),
    ("appeal.decided", 210, {"against": 13, "outcome": "quashed", "visibility": "public"}),
    ("detention.released", 212, {"condition": "bail", "visibility": "public"}),
    ("departure.left", 260, {"destination": "GE"}),
]
LINES: Final = CASES * (1 + len(STORY))


def make_lines() -> Iterator[bytes]:
    """Yield the lines of all cases, each case with its whole story."""
    for number in range(CASES):
        yield encode(case=opening_of(number))
        for n, (kind, days, more) in enumerate(STORY, start=1):
            first = FIRST_DAY + timedelta(days=number % 365)
            told = {"case": f"ext:{number}", "external_id": f"{number}/{n}", "type": kind}
            yield encode(event=told | dated(more | {"occurred": days}, first, number))


def opening_of(number: int) -> Json:
    """Return what is told of a person."""
    name = {"text": f"Person {number}", "language": "en", "kind": "primary"}
    consent = {"publish": ("anonymous", "count", "none")[number % 3], "basis": "own"}
    told = {"external_id": f"{number}", "host_state": "KZ", "origin_state": "RU"}
    return told | {"consent": consent, "subject": {"names": [name], "birth_year": 1990}}


def dated(told: Json, first: date, number: int) -> Json:
    """Return a claim with its days as dates and what it is against as a name."""
    told = dict(told)
    for field in {"occurred", "on"} & told.keys():
        told[field] = str(first + timedelta(days=told[field]))
    if "against" in told:
        told["against"] = f"ext:{number}/{told['against']}"
    return told


def encode(**line: Json) -> bytes:
    """Return a line of an import."""
    return json.dumps(line).encode() + b"\n"


class Import(NamedTuple):
    """What came of an import. memory: what the service held, in kilobytes, at even intervals."""

    results: Counter[str]
    memory: list[int]
    seconds: float

    def growth(self, first: float, last: float) -> int:
        """Return by how much the memory grew between two moments, 0 the first and 1 the last."""
        held = [self.memory[round(at * (len(self.memory) - 1))] for at in (first, last)]
        return held[1] - held[0]

    def __str__(self) -> str:
        tenths = [self.memory[0] + self.growth(0, tenth / 10) for tenth in range(11)]
        return (
            f"{dict(self.results)}, {LINES / self.seconds:.0f} lines a second; "
            f"MB at each tenth: {[held // 1024 for held in tenths]}"
        )


def send_lines(house: ServedHouse, headers: dict[str, str]) -> Import:
    """Import all lines, as fast as they are taken, and watch the memory meanwhile."""
    began = time.monotonic()
    with (
        watched(house.worker_id) as memory,
        httpx.stream(
            "POST",
            f"{house.url}/v1/imports",
            content=in_lots(make_lines()),
            headers=headers | {"Content-Type": "application/x-ndjson"},
            timeout=None,
        ) as answer,
    ):
        results = Counter(json.loads(line)["result"] for line in answer.iter_lines())
    return Import(results, memory, time.monotonic() - began)


def in_lots(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield lines as a file is sent, many together."""
    while lot := b"".join(islice(lines, LOT)):
        yield lot


@contextmanager
def watched(process_id: int) -> Iterator[list[int]]:
    """Yield a list that grows with what a process holds, in kilobytes."""
    memory: list[int] = []
    over = Signal()

    def watch() -> None:
        while not over.wait(STEP_SECONDS):
            memory.append(read_memory(process_id))

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield memory
    finally:
        over.set()
        watcher.join()
        memory.append(read_memory(process_id))


def read_memory(process_id: int) -> int:
    """Return what a process holds, in kilobytes, as the kernel tells."""
    status = Path(f"/proc/{process_id}/status").read_text("ascii")
    (held,) = re.findall(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    return int(held)


@pytest.fixture
def house(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[ServedHouse]:
    """A running service on either kind of database."""
    with served_house(database_kind, request, tmp_path) as house:
        house.start()
        house.wait_until_ready()
        yield house


@pytest.mark.soak
def test_a_hundred_thousand_lines_twice(
    house: ServedHouse, database_kind: str, capsys: pytest.CaptureFixture[Any]
) -> None:
    with httpx.Client() as outside:
        service = Service(house.settings, outside)  # type: ignore[arg-type]
    headers = service.partner(*AUTHOR).headers
    first = send_lines(house, headers)
    head = service.head
    again = send_lines(house, headers)
    with capsys.disabled():
        print(f"\n{database_kind}, first: {first}\n{database_kind}, again: {again}")
    assert first.results == {"created": LINES}
    assert again.results == {"unchanged": LINES}
    assert head == service.head == LINES
    service.engine.dispose()
    # What is kept of cases has its full size long before the first half is over.
    filling = first.growth(0, 0.5)
    assert first.growth(0.5, 1) < MOST_GROWTH * filling
    assert again.growth(0, 1) < MOST_GROWTH * filling
