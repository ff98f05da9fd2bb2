"""All that is measured, each with its limit in the same run: `make bench`, or `python -m bench`.

Prints a table, and writes the figures as JSON. A ratio of 1.0 is the speed of the limit.
"""

import argparse
import json
import platform
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from caseflow.bootstrap import House
from tests.databases import create_postgresql, run_postgresql

from .http import make_jobs, measure
from .service import deployed, limits, new_settings
from .work import make_work, measure_work

LIBRARIES = ("litestar", "granian", "msgspec", "sqlalchemy", "eventsourcing", "psycopg")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[20_000])
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lines", type=int, default=10_000, help="to import, in each round")
    parser.add_argument("--only", nargs="*", help="the jobs whose names begin so")
    parser.add_argument("--output", type=Path, default=Path("bench.json"))
    asked = parser.parse_args()
    runs = [
        run
        for database in asked.databases
        for events in asked.events
        for run in [measure_one(database, events, asked)]
    ]
    found = {
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "runs": runs,
    }
    asked.output.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


def measure_one(database: str, events: int, asked: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of a service on a database that holds so many claims."""
    with tempfile.TemporaryDirectory() as folder, _open(database) as url:
        place = Path(folder)
        settings = new_settings(place, url)
        with deployed(settings, place) as deployment, limits(place) as limit_url:
            cases = deployment.fill(events)
            deployment.settle()
            print(f"\n{database}, {events:,} events", flush=True)
            print(f"{'job':32}{'ratio':>8}{'rate/s':>11}{'limit/s':>11}{'p50 ms':>9}{'p99 ms':>9}")
            jobs = [j for j in make_jobs(deployment, cases, limit_url) if _is_asked(j.name, asked)]
            figures: list[dict[str, Any]] = []
            for figure in measure(jobs, asked.rounds) if jobs else []:
                figures.append(figure._asdict())
                _show(figures[-1])
            memory = deployment.memory()
            house = House(settings)
            try:
                for work in make_work(deployment, house, place, asked.lines):
                    if _is_asked(work.name, asked):
                        # What the job before has left to be signed would be measured with it.
                        deployment.settle()
                        pairs = measure_work(work, max(asked.rounds // 2, 1))
                        figures.append(_sum_up(work.name, pairs))
                        _show(figures[-1])
            finally:
                house.let_go()
            print(f"memory: {memory >> 20} MB", flush=True)
    return {"database": database, "events": events, "memory_mb": memory >> 20, "jobs": figures}


@contextmanager
def _open(database: str) -> Iterator[str | None]:
    if database == "sqlite":
        yield None
        return
    # Durable, unlike the server of the tests.
    with (
        run_postgresql(fsync="on", full_page_writes="on") as server,
        create_postgresql(server) as url,
    ):
        yield url


def _is_asked(name: str, asked: argparse.Namespace) -> bool:
    return asked.only is None or any(name.startswith(one) for one in asked.only)


def _sum_up(name: str, pairs: Sequence[tuple[float, float]]) -> dict[str, Any]:
    return {
        "job": name,
        "ratio": round(statistics.median(ours / limit for ours, limit in pairs), 3),
        "rate": round(statistics.median(ours for ours, _ in pairs), 1),
        "limit": round(statistics.median(limit for _, limit in pairs), 1),
    }


def _show(figure: dict[str, Any]) -> None:
    line = (
        f"{figure['job']:32}{figure['ratio']:8.3f}{figure['rate']:11,.1f}{figure['limit']:11,.1f}"
    )
    if "p50_ms" in figure:
        line += f"{figure['p50_ms']:9.2f}{figure['p99_ms']:9.2f}"
    if figure.get("errors"):
        line += f"  {figure['errors']} errors"
    print(line, flush=True)


if __name__ == "__main__":
    main()
