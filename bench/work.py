"""Work that is not one short request, each with a limit: the least that anybody would have to do.

The limits run in this process, the work where it runs in a deployment.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

import httpx
import psycopg
from sqlalchemy import Engine, make_url, select

from caseflow.bootstrap import House
from caseflow.database import begin_read
from caseflow.eventstore.mapper import read_record
from caseflow.eventstore.recorder import list_notifications
from caseflow.formats.note import parse_verifier_key
from caseflow.formats.verify import verify_bundle
from caseflow.projections.partner.statistics import partner_facts

from .service import OPENING, TYPES, Deployment

# A row as the log has one: identifiers, and a state of so many bytes.
STATE_BYTES: Final = 900
BATCH: Final = 500
READ: Final = 2_000
LONG_CASE: Final = 500
REPEATED: Final = 10

Do = Callable[[], int]


class Work(NamedTuple):
    """Something that takes a while. run, limit: each return how many things they did."""

    name: str
    run: Do
    limit: Do


def make_work(deployment: Deployment, house: House, folder: Path, lines: int) -> list[Work]:
    """Return the work over a service that holds cases. house: on the same databases, not started.

    lines: to import.
    """
    case = _tell_long_case(deployment)
    deployment.settle()
    numbers = count(1)
    client, where = deployment.client, f"/v1/cases/{case}"

    def import_lines() -> int:
        # Cases are lines as well.
        return len(deployment.fill(lines, prefix=uuid4().hex)) + lines

    def insert_rows() -> int:
        _insert_rows(house.engine, folder, lines)
        return lines

    def read_log() -> int:
        found = 0
        for stored in _read_log(house.engine):
            read_record(stored)
            found += 1
        return found

    def replay() -> int:
        for _ in range(REPEATED):
            # Now is later than all of it, and has to be looked at all the same.
            at = f"2099-01-01T00:00:00.{next(numbers):06d}Z"
            _require(client.get(where, params={"known_at": at}))
        return REPEATED

    def unseal() -> int:
        for _ in range(REPEATED):
            with house.reader.snapshot() as snapshot:
                assert len(house.reader.list_events(snapshot, UUID(case))) > LONG_CASE
        return REPEATED

    def count_day() -> int:
        # Another day each time, so that nothing of it is kept; after all of it.
        day = f"{2100 + next(numbers) % 7000}-01-01"
        _require(client.get("/v1/statistics", params={"as_of": day}))
        return 1

    def select_facts() -> int:
        with house.reader.snapshot() as snapshot:
            table = partner_facts[snapshot.view_set]
            query = select(table.c.dossier_id, table.c.host_state, table.c.persons, table.c.told)
            found = snapshot.connection.execute(query.order_by(table.c.dossier_id)).all()
        assert found
        return 1

    bundle = _require(client.get(f"{where}/bundle")).content
    key = parse_verifier_key(_require(client.get("/v1/log/full/key")).text.strip())

    def verify() -> int:
        report = verify_bundle(bundle, log_key=key)
        assert report.status == "VERIFIED", report.remarks
        return 1

    def parse() -> int:
        json.loads(bundle)
        return 1

    return [
        Work("import, lines", import_lines, insert_rows),
        Work("rebuild, events", house.rebuild, read_log),
        Work(f"replay of {LONG_CASE} events", replay, unseal),
        Work("statistics of a day", count_day, select_facts),
        Work("verification of a bundle", verify, parse),
    ]


def measure_work(work: Work, rounds: int) -> list[tuple[float, float]]:
    """Return how many things a second were done, and by the limit, of each round."""
    return [(_time(work.run), _time(work.limit)) for _ in range(rounds)]


def _time(do: Do) -> float:
    begun = time.perf_counter()
    done = do()
    return done / (time.perf_counter() - begun)


def _require(answer: httpx.Response) -> httpx.Response:
    assert answer.status_code == 200, answer.text
    return answer


def _tell_long_case(deployment: Deployment) -> str:
    case = deployment.post("/v1/cases", OPENING)
    claims = (
        {
            "event": {
                "case": case["id"],
                "type": TYPES[n % len(TYPES)],
                "occurred": f"2024-{n % 12 + 1:02}-{n % 28 + 1:02}",
                "visibility": "public",
                "external_id": f"long-{case['id']}-{n}",
            }
        }
        for n in range(LONG_CASE)
    )
    deployment.send_lines(claims)
    return str(case["id"])


def _read_log(engine: Engine) -> Iterator[Any]:
    last = 0
    with begin_read(engine) as connection:
        while found := list_notifications(connection, last + 1, READ):
            yield from found
            last = found[-1].id


def _insert_rows(engine: Engine, folder: Path, number: int) -> None:
    """Insert so many rows into a table that has nothing but a primary key, durably."""
    rows = [(n, uuid4().bytes, n, "sealed/1", n, b"x" * STATE_BYTES) for n in range(number)]
    columns = "(position BIGINT PRIMARY KEY, a {0}, v INTEGER, t TEXT, at BIGINT, state {0})"
    if engine.dialect.name == "postgresql":
        url = make_url(engine.url).set(drivername="postgresql")
        with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
            connection.execute(f"CREATE TABLE IF NOT EXISTS limit_ {columns.format('BYTEA')}")
            connection.execute("TRUNCATE limit_")
            for start in range(0, number, BATCH):
                with connection.cursor() as cursor, cursor.copy("COPY limit_ FROM STDIN") as copy:
                    for row in rows[start : start + BATCH]:
                        copy.write_row(row)
                connection.commit()
        return
    (folder / "limit.db").unlink(missing_ok=True)
    file = sqlite3.connect(folder / "limit.db")
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = FULL")
    file.execute(f"CREATE TABLE limit_ {columns.format('BLOB')}")
    for start in range(0, number, BATCH):
        file.executemany("INSERT INTO limit_ VALUES (?,?,?,?,?,?)", rows[start : start + BATCH])
        file.commit()
    file.close()
