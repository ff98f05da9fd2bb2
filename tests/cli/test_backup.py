"""`caseflow backup` and `caseflow restore`: what is saved comes back, and nothing is lost."""

import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
from click.testing import Result

from caseflow.bootstrap import House
from caseflow.cli import backup as command
from caseflow.cli.house import current_settings
from caseflow.domain.times import parse_time
from caseflow.eventstore.backup import DAY_MICROSECONDS, name_key_copy
from caseflow.inspection import CHECKS
from tests.checks import check_house
from tests.houses import NOON, Desk, list_log, new_partner, run_house

from .conftest import Run

LINES = files("caseflow.demo").joinpath("kazakhstan.ndjson").read_bytes().splitlines(keepends=True)
# Lines of the example file that make cases or tell of them, in order.
SOME = 20


@pytest.fixture
def place(run: Run, tmp_path: Path) -> Path:
    """A working directory with a house of twenty events, and folders for copies beside it."""
    assert run("import", "-", stdin=b"".join(LINES[:SOME])).exit_code == 0
    for name in ("records", "keys"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock for the names of files that stands at noon."""
    monkeypatch.setattr(command, "_now", lambda: parse_time(NOON))


def head_of(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        return int(connection.execute("SELECT position FROM log_head").fetchone()[0])


def told(result: Result) -> dict[str, str]:
    """Return what is said of each check."""
    lines = re.findall(r"^(ok|failed)\s+([a-z -]+)", result.stdout, re.MULTILINE)
    return {name.strip(): outcome for outcome, name in lines}


ALL_OK = {check.name: "ok" for check in CHECKS}


# -- backup ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("at_noon")
def test_both_are_saved_and_said_to_be(run: Run, place: Path) -> None:
    result = run("backup", "records/a.db", "--keys", "keys")
    assert result.exit_code == 0
    copies = ["records/a.db", "keys/caseflow-keys-20260210T120000Z.db"]
    assert result.stdout.splitlines() == copies
    assert f"records/a.db: the records, up to position {SOME}, " in result.stderr
    assert "`caseflow restore records/a.db`" in result.stderr
    for copy in copies:
        assert stat.S_IMODE((place / copy).stat().st_mode) == 0o600
        assert f"{(place / copy).stat().st_size:,} bytes" in result.stderr
    assert sorted(os.listdir(place / "keys")) == [Path(copies[1]).name]
    assert os.listdir(place / "records") == ["a.db"]


def test_the_master_key_is_in_no_copy(run: Run, place: Path) -> None:
    run("backup", "records/a.db", "--keys", "keys")
    key = (place / "caseflow-master.key").read_bytes().strip()
    for copy in (*place.glob("records/*"), *place.glob("keys/*")):
        assert key not in copy.read_bytes()


def test_the_key_store_is_copied_after_the_records(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A case that is opened between the two copies has its key in the second."""
    save = command._save_records

    def save_and_go_on(*arguments: object) -> None:
        save(*arguments)  # type: ignore[arg-type]
        run("import", "-", stdin=b"".join(LINES))

    monkeypatch.setattr(command, "_save_records", save_and_go_on)
    assert run("backup", "records/a.db", "--keys", "keys").exit_code == 0
    counts = []
    for file in (place / "caseflow-keys.db", next(place.glob("keys/*"))):
        with closing(sqlite3.connect(file)) as connection:
            counts.append(connection.execute("SELECT count(*) FROM case_keys").fetchone())
    assert counts[0] == counts[1]
    assert head_of(place / "records" / "a.db") == SOME


@pytest.mark.parametrize(
    ("file", "keys"),
    [("keys/a.db", "keys"), ("a.db", "keys"), ("keys/../a.db", "keys"), ("records/a.db", ".")],
)
def test_keys_and_records_are_not_saved_in_one_place(
    run: Run, place: Path, file: str, keys: str
) -> None:
    result = run("backup", file, "--keys", keys)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "undoes an erasure" in result.stderr
    assert not (place / file).exists()
    assert list(place.glob("keys/*")) == []
    assert run("backup", file, "--keys", keys, "--together").exit_code == 0


def test_a_folder_by_another_name_is_the_same_place(run: Run, place: Path) -> None:
    (place / "link").symlink_to("records")
    assert run("backup", "records/a.db", "--keys", "link").exit_code == 1


@pytest.mark.usefixtures("at_noon")
def test_nothing_is_overwritten(run: Run, place: Path) -> None:
    run("backup", "records/a.db")
    before = (place / "records" / "a.db").read_bytes()
    result = run("backup", "records/a.db", "--keys", "keys")
    assert result.exit_code == 1
    assert "is there already" in result.stderr
    assert (place / "records" / "a.db").read_bytes() == before
    assert run("backup", "caseflow.db").exit_code == 1
    run("backup", "--keys", "keys")
    assert run("backup", "--keys", "keys").exit_code == 1


@pytest.mark.usefixtures("at_noon")
def test_old_copies_of_the_key_store_are_removed_once_there_is_a_new_one(
    run: Run, place: Path
) -> None:
    now = parse_time(NOON)
    old, young = (name_key_copy(now - days * DAY_MICROSECONDS) for days in (3, 2))
    for name in (old, young, "mine.db"):
        (place / "keys" / name).touch()
    # Nothing goes before there is something to take its place.
    (place / "keys" / name_key_copy(now)).touch()
    assert run("backup", "--keys", "keys", "--keep-days", "2").exit_code == 1
    assert (place / "keys" / old).exists()
    (place / "keys" / name_key_copy(now)).unlink()
    result = run("backup", "--keys", "keys", "--keep-days", "2")
    assert f"removed, for it is older than 2 days: keys/{old}" in result.stderr
    assert sorted(os.listdir(place / "keys")) == sorted([young, name_key_copy(now), "mine.db"])
    assert run("backup", "--keys", "keys", "--keep-days", "31").exit_code == 2


def test_a_place_has_to_be_named(run: Run, place: Path) -> None:
    assert run("backup").exit_code == 2
    assert run("backup", "none/a.db").exit_code == 1
    assert run("backup", "a.db", "--keys", "none").exit_code == 2


def test_without_a_house_there_is_nothing_to_save(run: Run, tmp_path: Path) -> None:
    result = run("backup", "a.db")
    assert result.exit_code == 1
    assert "caseflow.db cannot be used" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["a.db"], ["--keys", "."]])
def test_on_a_server_the_programs_to_use_are_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """Without the password that the address holds; no connection is made."""
    for variable in ("CASEFLOW_DATABASE_URL", "CASEFLOW_KEYS_URL"):
        monkeypatch.setenv(variable, f"postgresql://u:secret@nowhere.invalid/{variable}")
    result = run("backup", *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "pg_dump" in result.stderr
    assert "secret" not in result.stderr
    Path("copy.db").touch()
    options = ["copy.db"] if arguments == ["a.db"] else ["--keys", "copy.db"]
    result = run("restore", *options)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "pg_restore" in result.stderr
    assert "secret" not in result.stderr


# -- restore --------------------------------------------------------------------------------------


def test_a_house_comes_back_elsewhere(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("backup", "records/a.db", "--keys", "keys")
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    for file in (*place.glob("*.key"), *place.glob("*.ndjson")):
        shutil.copy(file, elsewhere)
    (copy,) = place.glob("keys/*")
    monkeypatch.chdir(elsewhere)
    result = run("restore", str(place / "records" / "a.db"), "--keys", str(copy))
    assert result.exit_code == 0, result.output
    assert told(result) == ALL_OK
    for name in ("caseflow.db", "caseflow-keys.db"):
        assert stat.S_IMODE((elsewhere / name).stat().st_mode) == 0o600
    # All is there, and it goes on.
    assert run("import", "-", stdin=b"".join(LINES)).exit_code == 0
    with run_house(current_settings()) as house:
        check_house(house)
    assert head_of(elsewhere / "caseflow.db") == len(LINES)


@pytest.mark.usefixtures("at_noon")
def test_what_holds_events_is_moved_aside_and_only_when_asked(run: Run, place: Path) -> None:
    run("backup", "records/a.db", "--keys", "keys")
    run("import", "-", stdin=b"".join(LINES))
    result = run("restore", "records/a.db")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"holds {len(LINES)} events" in result.stderr
    assert "--replace" in result.stderr
    assert head_of(place / "caseflow.db") == len(LINES)
    result = run("restore", "records/a.db", "--replace")
    assert result.exit_code == 0
    assert head_of(place / "caseflow.db") == SOME
    aside = place / "caseflow.db.before-20260210T120000Z"
    assert f"what was there is now {aside}; remove it once all checks hold" in result.stderr
    assert head_of(aside) == len(LINES)
    assert not list(place.glob("*.restored*"))


@pytest.mark.usefixtures("at_noon")
def test_a_key_store_is_moved_aside_and_only_when_asked(run: Run, place: Path) -> None:
    run("backup", "--keys", "keys")
    (copy,) = place.glob("keys/*")
    result = run("restore", "--keys", str(copy))
    assert result.exit_code == 1
    assert "keys; --replace" in result.stderr
    result = run("restore", "--keys", str(copy), "--replace")
    assert result.exit_code == 0
    aside = place / "caseflow-keys.db.before-20260210T120000Z"
    assert f"{aside}; remove it once all checks hold" in result.stderr
    assert aside.exists()


def test_nothing_is_moved_where_one_of_the_copies_cannot_be_used(run: Run, place: Path) -> None:
    run("backup", "records/a.db")
    bad = place / "keys" / "bad.db"
    bad.write_bytes(b"no database" * 1_000)
    before = sorted(place.iterdir())
    result = run("restore", "records/a.db", "--keys", "keys/bad.db", "--replace")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "bad.db cannot be used" in result.stderr
    assert sorted(place.iterdir()) == before


def test_a_copy_of_the_one_does_not_take_the_place_of_the_other(run: Run, place: Path) -> None:
    run("backup", "records/a.db", "--keys", "keys")
    (copy,) = map(str, place.glob("keys/*"))
    before = sorted(place.iterdir())
    for arguments in (["records/a.db", "--keys", "records/a.db"], [copy, "--keys", copy]):
        result = run("restore", *arguments, "--replace")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "is a copy of something else" in result.stderr
    assert sorted(place.iterdir()) == before


@contextmanager
def in_use(code: str) -> Iterator[None]:
    """Have another process use something until the end; code: a context manager in Python."""
    script = (
        "from caseflow.cli.house import current_settings, opened_house; import sys\n"
        "from caseflow.database import make_engine\n"
        f"with {code}: print(flush=True); sys.stdin.read()"
    )
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    user = subprocess.Popen(
        [sys.executable, "-c", script], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert user.stdout is not None
    user.stdout.readline()
    try:
        yield
    finally:
        user.communicate()


@pytest.mark.parametrize(
    "code", ["opened_house()", "make_engine(current_settings().keys_url).connect()"]
)
def test_a_house_that_is_in_use_is_not_replaced_not_even_half(
    run: Run, place: Path, code: str
) -> None:
    """Served, or its key store looked at by somebody: then the records are left alone as well."""
    run("backup", "records/a.db", "--keys", "keys")
    (copy,) = map(str, place.glob("keys/*"))
    with in_use(code):
        result = run("restore", "records/a.db", "--keys", copy, "--replace")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is in use: stop the service" in result.stderr
    assert not list(place.glob("*.restored*")) + list(place.glob("*.before-*"))
    assert run("restore", "records/a.db", "--keys", copy, "--replace").exit_code == 0


def test_what_is_to_be_done_has_to_be_clear(run: Run, place: Path) -> None:
    assert run("restore").exit_code == 2
    assert run("restore", "none.db").exit_code == 2
    assert run("restore", "caseflow.db", "--check").exit_code == 2


# -- the check ------------------------------------------------------------------------------------


def test_a_sound_house_passes_the_check_on_either_database(run_on_both: Run) -> None:
    run_on_both("import", "-", stdin=b"".join(LINES[:SOME]))
    result = run_on_both("restore", "--check")
    assert result.exit_code == 0, result.output
    assert told(result) == ALL_OK


def test_what_fails_is_told_with_what_to_do(run: Run, place: Path) -> None:
    with closing(sqlite3.connect("caseflow.db", isolation_level=None)) as connection:
        live = connection.execute("SELECT view_set FROM log_head").fetchone()[0]
        connection.execute(f"DELETE FROM partner_events_{live}")
    result = run("restore", "--check")
    assert result.exit_code == 1
    assert told(result) == ALL_OK | {"views": "failed"}
    assert result.stderr == "Error: not to be served yet; failed: views\n"
    lines = result.stdout.partition("failed  views\n")[2].splitlines()
    assert lines[0].strip() == "partner_events differs from what the log makes"
    assert "caseflow rebuild" in lines[2]
    assert run("rebuild").exit_code == 0
    assert run("restore", "--check").exit_code == 0


def test_what_could_not_be_looked_at_is_said_without_more(run: Run, place: Path) -> None:
    (place / "caseflow-master.key").unlink()
    result = run("restore", "--check")
    assert result.exit_code == 1
    assert (
        "failed  records\n        not looked at: first see to: key files\nfailed" in result.stdout
    )


def test_what_was_signed_and_is_missing_is_told(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = "3 events that were signed are missing"
    monkeypatch.setattr(House, "check_logs", lambda _: [problem])
    result = run("restore", "--check")
    assert result.exit_code == 1
    assert problem in result.stdout
    assert "going on would be a fork" in result.stdout


# -- while others write ---------------------------------------------------------------------------


@contextmanager
def writing(desk: Desk) -> Iterator[list[object]]:
    """Have cases opened and told of, again and again; yield the events that were acknowledged."""
    stop, acknowledged = threading.Event(), list[object]()

    def write() -> None:
        while not stop.is_set():
            case = desk.open("anonymous")
            acknowledged.append(desk.tell(case, "wanted.removed", visibility="public"))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield acknowledged
    finally:
        stop.set()
        writer.join()


def test_every_event_that_was_acknowledged_before_a_backup_is_in_it(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the key of its case; all checks hold of every copy."""
    saved: dict[str, list[object]] = {}
    with run_house(current_settings()) as house, writing(new_partner(house)) as acknowledged:
        for name in ("1", "2", "3"):
            (place / "keys" / name).mkdir()
            while len(acknowledged) < 10 * int(name):
                threading.Event().wait(0.01)
            saved[name] = list(acknowledged)
            result = run("backup", f"records/{name}.db", "--keys", f"keys/{name}")
            assert result.exit_code == 0
    assert len(acknowledged) > len(saved["3"])
    for name, before in saved.items():
        (keys,) = place.glob(f"keys/{name}/*")
        records = place / "records" / f"{name}.db"
        assert run("restore", str(records), "--keys", str(keys), "--replace").exit_code == 0
        with run_house(current_settings()) as house:
            assert {event.id for _, event in list_log(house)} >= set(before)
        for aside in place.glob("*.before-*"):
            aside.unlink()
