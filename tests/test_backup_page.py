"""What docs/backup.md says to do is done here, on real databases; it brings back what was there."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import make_url

from caseflow.database import begin_write, make_engine
from caseflow.eventstore.files import find_database_file
from caseflow.eventstore.recorder import now_microseconds
from caseflow.inspection import CHECKS, inspect
from caseflow.settings import Settings
from tests.databases import create_postgresql, find_folder, find_programs, recover_postgresql
from tests.databases import run_postgresql as run_server
from tests.houses import Desk, list_log, new_partner, new_settings, run_house

PAGE: Final = (Path(__file__).parents[1] / "docs" / "backup.md").read_text("utf-8")
WAIT_SECONDS: Final = 30


def blocks(heading: str, language: str) -> list[str]:
    """Return the fenced blocks of a section."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert section, heading
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


class Place:
    """Where the commands of the page are run: its /backup is a folder here."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.backup = folder / "backup"
        for name in ("records", "keys"):
            (self.backup / name).mkdir(parents=True)
        self.folder = folder
        self.settings = settings

    def run(self, commands: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run commands as a shell does, with the settings as variables."""
        settings = self.settings
        here = {
            "CASEFLOW_DATABASE_URL": plain(settings.database_url),
            "CASEFLOW_KEYS_URL": plain(settings.keys_url),
            "CASEFLOW_MASTER_KEY_FILE": str(settings.master_key_file),
            "CASEFLOW_SIGNING_KEY_FILE": str(settings.signing_key_file),
            "CASEFLOW_LEDGER_FILE": str(settings.ledger_file),
            "PATH": f"{Path(sys.executable).parent}:{find_programs()}:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        return subprocess.run(
            ["/bin/sh", "-e", "-c", commands.replace("/backup/", f"{self.backup}/")],
            env=os.environ | here | more,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def check(self) -> dict[str, str]:
        """Return what the check of the page says, by name."""
        (command,) = blocks("The check", "sh")
        done = self.run(command)
        found = dict(re.findall(r"^(?:ok|failed)  +([a-z ]+)(.*)$", done.stdout, re.MULTILINE))
        assert list(found) == [check.name for check in CHECKS], done
        failed = re.findall(r"^failed  +([a-z ]+)$", done.stdout, re.MULTILINE)
        assert (done.returncode == 0) == (not failed), done
        return {name: "failed" if name in failed else note for name, note in found.items()}


def plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


def succeed(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 0, done
    return done.stdout


def holds(found: dict[str, str]) -> bool:
    return "failed" not in found.values()


def fill(settings: Settings, cases: int) -> list[UUID]:
    """Open cases and tell something public of each; return what was told, in order."""
    with run_house(settings, now_microseconds) as house:
        desk = new_partner(house)
        return [tell(desk) for _ in range(cases)]


def tell(desk: Desk) -> UUID:
    return desk.tell(desk.open("anonymous"), "wanted.removed", visibility="public")


def list_told(settings: Settings) -> set[UUID]:
    with run_house(settings, now_microseconds) as house:
        return {event.id for _, event in list_log(house)}


# -- SQLite ---------------------------------------------------------------------------------------


def test_an_embedded_house_comes_back(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    save, restore = blocks("SQLite", "sh")
    with new_settings("sqlite", request, tmp_path) as settings:
        place = Place(tmp_path / "place", settings)
        told = fill(settings, 2)
        succeed(place.run(save))
        file = find_database_file(settings.database_url)
        assert file is not None
        file.unlink()
        succeed(place.run(restore))
        assert holds(place.check())
        assert list_told(settings) >= set(told)


# -- PostgreSQL -----------------------------------------------------------------------------------


@pytest.fixture
def server(postgresql_server_url: str) -> str:
    """A server on which databases may be made."""
    return postgresql_server_url


@pytest.fixture
def settings(server: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a house without cases, both databases on a server."""
    with new_settings("postgresql", request, tmp_path, keys="postgresql") as settings:
        yield settings


@contextmanager
def new_databases(server: str, settings: Settings) -> Iterator[Settings]:
    """Yield settings that name two other databases, which are empty."""
    with create_postgresql(server) as records, create_postgresql(server) as keys:
        yield replace(settings, database_url=records, keys_url=keys)


def test_dumps_bring_a_house_back(server: str, settings: Settings, tmp_path: Path) -> None:
    """What is posted between the two dumps is in neither, or has its key in the second."""
    save, restore, restore_keys = blocks("PostgreSQL: dumps", "sh")
    mask, records, keys = save.splitlines()
    place = Place(tmp_path / "place", settings)
    told = fill(settings, 2)
    succeed(place.run(f"{mask}\n{records}"))
    later = fill(settings, 1)
    succeed(place.run(keys))
    with new_databases(server, settings) as place.settings:
        succeed(place.run(restore_keys))
        assert holds_in(succeed(place.run(restore)))
        there_now = list_told(place.settings)
        assert there_now >= set(told)
        assert not there_now & set(later)
        # The database that was restored refuses changes as the old one did.
        engine = make_engine(place.settings.database_url)
        with pytest.raises(Exception, match="never changed"), begin_write(engine) as connection:
            connection.exec_driver_sql("UPDATE events SET topic = 'changed'")
        engine.dispose()
        fill(place.settings, 1)
        assert holds(place.check())


def holds_in(output: str) -> bool:
    return len(re.findall(r"^ok ", output, re.MULTILINE)) == len(CHECKS)


def test_dumps_in_the_other_order_are_found_out(
    server: str, settings: Settings, tmp_path: Path
) -> None:
    save, restore, restore_keys = blocks("PostgreSQL: dumps", "sh")
    *_, records, keys = save.splitlines()
    place = Place(tmp_path / "place", settings)
    fill(settings, 2)
    succeed(place.run(keys))
    fill(settings, 1)
    succeed(place.run(records))
    with new_databases(server, settings) as place.settings:
        succeed(place.run(restore_keys))
        done = place.run(restore)
        assert done.returncode == 1
        assert "1 of 3 cases have no key here" in done.stdout


def read_options(number: int, archive: Path, **more: str) -> dict[str, str]:
    """Return the settings of a server that the page names, with the archive in its place."""
    text = blocks("PostgreSQL: to a point in time", "ini")[number]
    found = dict(re.findall(r"^(\w+) = '?(.*?)'?$", text, re.MULTILINE))
    return {k: v.replace("/backup/archive", str(archive)) for k, v in found.items()} | more


def test_a_server_is_taken_back_to_a_moment(
    server: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Its key store is on another server, and is not taken back."""
    (base,) = blocks("PostgreSQL: to a point in time", "sh")
    with ExitStack() as stack:
        # The server's own folder is one that it may write to; its commands run in the data beside.
        url = stack.enter_context(run_server(**read_options(0, Path("../archive"))))
        archive = find_folder(url) / "archive"
        archive.mkdir()
        archive.chmod(0o777)
        template = stack.enter_context(new_settings("sqlite", request, tmp_path, keys="postgresql"))
        records = stack.enter_context(create_postgresql(url))
        settings = replace(template, database_url=records)
        place = Place(tmp_path / "place", settings)
        succeed(place.run("caseflow migrate"))
        told = fill(settings, 2)
        succeed(place.run(base, SERVER_URL=plain(url)))
        told += fill(settings, 1)
        at = ask(url, "SELECT clock_timestamp()::text")
        later = fill(settings, 1)
        archive_all(url)
        recovered = stack.enter_context(
            recover_postgresql(
                place.backup / "base", **read_options(1, archive, recovery_target_time=at)
            )
        )
        name = make_url(records).database
        there = make_url(recovered).set(database=name).render_as_string(hide_password=False)
        place.settings = replace(settings, database_url=there)
        found = place.check()
        assert holds(found)
        assert found["order of the log"] == ": 6 events"
        there_now = list_told(place.settings)
        assert there_now >= set(told)
        assert not there_now & set(later)
        # What came after that moment was signed: the key store knows, and others do.
        with run_house(settings, now_microseconds) as house:
            house.publish()
        failed = [one.check.name for one in inspect(place.settings) if not one.holds]
        assert failed == ["signed checkpoints", "ledger"]


def ask(url: str, statement: str) -> str:
    with psycopg.connect(plain(url), autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return str(row[0])


def archive_all(url: str) -> None:
    """Return when all that was written so far is in the archive."""
    last = ask(url, "SELECT pg_walfile_name(pg_switch_wal())")
    give_up_at = time.monotonic() + WAIT_SECONDS
    while ask(url, "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver") < last:
        assert time.monotonic() < give_up_at
        time.sleep(0.05)
