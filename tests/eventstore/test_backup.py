"""A copy of an SQLite database is whole, of one moment, and its owner's alone; nothing is lost."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from caseflow.domain.times import parse_time
from caseflow.eventstore import backup
from caseflow.eventstore.backup import (
    DAY_MICROSECONDS,
    BackupError,
    Exchange,
    check_file,
    copy_database,
    count_rows,
    held_alone,
    name_key_copy,
    remove_old_key_copies,
)
from tests.houses import NOON

AT = parse_time(NOON)
SECRET = b"a word that was deleted"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A database in WAL mode with a thousand rows, of which some were deleted."""
    path = tmp_path / "source.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (x INTEGER PRIMARY KEY, y TEXT)")
        connection.execute("CREATE INDEX t_y ON t (y)")
        rows = [(n, f"{SECRET.decode()} {n}" * 20) for n in range(2_000)]
        connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
        connection.execute("DELETE FROM t WHERE x >= 1000")
        connection.execute("UPDATE t SET y = 'kept'")
    assert SECRET in path.read_bytes()
    return path


def count(path: Path) -> int:
    found = count_rows(path, "t")
    assert found is not None
    return found


def beside(path: Path) -> set[str]:
    """Return the names of the files whose names begin with that of a file."""
    return {found.name for found in path.parent.iterdir() if found.name.startswith(path.name)}


# -- copies ---------------------------------------------------------------------------------------


def test_a_copy_holds_everything_in_one_file_of_its_owner(source: Path, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        copied = copy_database(source, tmp_path / "copy.db")
    finally:
        os.umask(before)
    assert count(copied.path) == 1_000
    assert beside(copied.path) == {"copy.db"}
    assert copied.size_bytes == copied.path.stat().st_size
    assert stat.S_IMODE(copied.path.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copied.path)) as connection:
        assert connection.execute("SELECT count(*) FROM t WHERE y = 'kept'").fetchone() == (1_000,)


def test_what_was_deleted_is_not_in_a_copy(source: Path, tmp_path: Path) -> None:
    assert SECRET not in copy_database(source, tmp_path / "copy.db").path.read_bytes()


def test_what_is_in_the_journal_alone_is_in_a_copy(source: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(source, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("INSERT INTO t VALUES (5000, 'late')")
        assert b"late" not in source.read_bytes()
        assert count(copy_database(source, tmp_path / "copy.db").path) == 1_001


def test_a_copy_is_of_one_moment_while_others_write(source: Path, tmp_path: Path) -> None:
    """Two rows a transaction: no copy has one without the other, none lacks what came before."""
    stop, committed = threading.Event(), [1_000]

    def write() -> None:
        with closing(sqlite3.connect(source, timeout=60, isolation_level=None)) as connection:
            while not stop.is_set():
                number = committed[0]
                connection.execute("BEGIN IMMEDIATE")
                rows = [(10_000 + number, "a"), (10_001 + number, "b")]
                connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
                connection.execute("COMMIT")
                committed[0] += 2

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(20):
            before = committed[0]
            found = count(copy_database(source, tmp_path / f"{number}.db").path)
            assert found % 2 == 0
            assert found >= before
    finally:
        stop.set()
        writer.join()
    assert committed[0] > 1_040


def test_nothing_is_overwritten(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_bytes(b"precious")
    with pytest.raises(BackupError, match="is there already"):
        copy_database(source, target)
    assert target.read_bytes() == b"precious"
    assert beside(target) == {"copy.db"}


def test_the_remains_of_another_copy_are_told_and_left(source: Path, tmp_path: Path) -> None:
    part = tmp_path / "copy.db.part"
    part.write_bytes(b"half of it")
    with pytest.raises(BackupError, match=r"copy\.db\.part is there"):
        copy_database(source, tmp_path / "copy.db")
    assert part.read_bytes() == b"half of it"


def test_a_source_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="cannot be used"):
        copy_database(tmp_path / "none.db", tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_fails_leaves_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found damaged by SQLite itself, or by the look at the copy."""
    target = tmp_path / "copy.db"
    with monkeypatch.context() as patch:
        patch.setattr(backup, "check_file", lambda _: ["row 7 missing from index t_y"])
        with pytest.raises(BackupError, match="row 7 missing"):
            copy_database(source, target)
    source.write_bytes(b"no database at all" * 1_000)
    with pytest.raises(BackupError, match="not a database"):
        copy_database(source, target)
    assert beside(target) == set()


def test_a_copy_gets_its_name_once_it_is_on_the_disk(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    fsync, target = os.fsync, tmp_path / "copies" / "copy.db"
    target.parent.mkdir()

    def note(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        seen.append(f"{'folder' if is_folder else 'file'} {sorted(beside(target))}")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    copy_database(source, target)
    assert seen == ["file ['copy.db.part']", "folder ['copy.db']"]


def test_a_damaged_file_is_found(source: Path) -> None:
    data = bytearray(source.read_bytes())
    for at in range(3 * 4096, len(data), 4096):
        data[at : at + 40] = bytes(40)
    source.write_bytes(data)
    assert check_file(source) != []


# -- copies of the key store ----------------------------------------------------------------------


def test_old_copies_of_the_key_store_go_and_nothing_else(tmp_path: Path) -> None:
    old = [name_key_copy(AT - days * DAY_MICROSECONDS) for days in (9, 8)]
    kept = [name_key_copy(AT - days * DAY_MICROSECONDS) for days in (7, 6, 0)]
    others = ["caseflow-keys.db", "caseflow-2026-01-01.db", f"my-{old[0]}", f"{old[0]}.gz"]
    interrupted = f"{old[0]}.part"
    for name in (*old, *kept, *others, interrupted):
        (tmp_path / name).touch()
    removed = remove_old_key_copies(tmp_path, AT - 7 * DAY_MICROSECONDS)
    assert [path.name for path in removed] == [old[0], interrupted, old[1]]
    assert {path.name for path in tmp_path.iterdir()} == {*kept, *others}
    assert remove_old_key_copies(tmp_path, AT - 7 * DAY_MICROSECONDS) == []


def test_the_name_of_a_copy_tells_its_time() -> None:
    assert name_key_copy(AT) == "caseflow-keys-20260210T120000Z.db"


# -- putting a copy back --------------------------------------------------------------------------


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    """A database that is to be replaced, with rows that stand in its journal alone."""
    path = tmp_path / "house" / "target.db"
    path.parent.mkdir()
    script = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('PRAGMA journal_mode = WAL'); c.execute('CREATE TABLE t (x)')\n"
        "c.execute('INSERT INTO t VALUES (1)'); os._exit(0)"
    )
    # Killed, it leaves its journal behind.
    subprocess.run([sys.executable, "-c", script, path], check=True)
    assert beside(path) == {"target.db", "target.db-wal", "target.db-shm"}
    return path


def test_what_was_there_is_moved_aside_and_whole(source: Path, target: Path) -> None:
    exchange = Exchange(source, target)
    aside = exchange.carry_out(AT)
    exchange.give_up()
    assert aside is not None
    assert aside.name == "target.db.before-20260210T120000Z"
    assert {found.name for found in target.parent.iterdir()} == {"target.db", aside.name}
    assert (count(target), count(aside)) == (1_000, 1)
    assert count(source) == 1_000


def test_nothing_changes_until_it_is_carried_out(source: Path, target: Path) -> None:
    before = target.read_bytes()
    Exchange(source, target).give_up()
    assert target.read_bytes() == before
    assert beside(target) == {"target.db", "target.db-wal", "target.db-shm"}


def test_where_nothing_was_there_nothing_is_moved(source: Path, tmp_path: Path) -> None:
    assert Exchange(source, tmp_path / "new.db").carry_out(AT) is None
    assert beside(tmp_path / "new.db") == {"new.db"}


def test_a_database_in_use_is_not_replaced(source: Path, target: Path) -> None:
    """Open in another process, which does nothing with it at the moment."""
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('PRAGMA journal_mode = WAL').fetchone()\n"
        "c.execute('SELECT * FROM t').fetchall()\n"
        "print(flush=True); sys.stdin.read()"
    )
    user = subprocess.Popen(
        [sys.executable, "-c", script, target], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert user.stdout is not None
    user.stdout.readline()
    exchange = Exchange(source, target)
    try:
        with pytest.raises(BackupError, match="in use"):
            exchange.carry_out(AT)
        assert target.exists()
    finally:
        user.communicate()
    assert count(target) == 1
    exchange.carry_out(AT)
    assert count(target) == 1_000


def test_nobody_comes_to_a_database_while_it_is_replaced(target: Path) -> None:
    with held_alone(target):
        other = sqlite3.connect(target, timeout=0)
        with closing(other), pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("SELECT * FROM t")
    assert count(target) == 1


def test_no_journal_of_a_damaged_database_is_taken_for_that_of_the_copy(
    source: Path, target: Path
) -> None:
    for name in beside(target):
        (target.parent / name).write_bytes(b"rubbish" * 1_000)
    (target.parent / "target.db-journal").write_bytes(b"rubbish" * 1_000)
    aside = Exchange(source, target).carry_out(AT)
    assert aside is not None
    assert beside(target) - beside(aside) == {"target.db"}
    assert aside.read_bytes() == b"rubbish" * 1_000
    assert count(target) == 1_000


def test_a_damaged_copy_is_not_put_back(source: Path, target: Path) -> None:
    data = bytearray(source.read_bytes())
    for at in range(3 * 4096, len(data), 4096):
        data[at : at + 40] = bytes(40)
    source.write_bytes(data)
    with pytest.raises(BackupError, match=r"source\.db is damaged"):
        Exchange(source, target)
    assert count(target) == 1
