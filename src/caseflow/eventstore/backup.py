"""Copies of SQLite databases: made while writers go on, and put in the place of what was there.

The copy of the key store is a matter of days: a key that an erasure destroys lives on in it, under
the master key of its time. Here is no master key: it is copied by hand, once.
"""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from caseflow.domain.errors import CaseflowError
from caseflow.domain.times import as_datetime

from .files import OWNER_ONLY, sync_directory

DAY_MICROSECONDS: Final = 86_400_000_000

_PART: Final = ".part"
_KEY_COPY: Final = re.compile(r"caseflow-keys-(\d{8}T\d{6}Z)\.db(?:\.part)?")
# What SQLite keeps beside a database, and looks for by its name.
_BESIDE: Final = ("", "-wal", "-shm", "-journal")


class BackupError(CaseflowError):
    """A copy that was not made, or not put back; what was there is as it was."""


class Copied(NamedTuple):
    """A copy that is whole and on the disk."""

    path: Path
    size_bytes: int


def copy_database(source: Path, target: Path) -> Copied:
    """Copy an SQLite database while others write to it: all that was committed before the call.

    The copy is a file of its own, mode 0600, checked by SQLite, and gets its name once it is on the
    disk. It holds no free pages, hence nothing that was deleted before.
    Raises BackupError, also where there is something of the name, and OSError.
    """
    if target.exists():
        raise BackupError(f"{target} is there already, and nothing is overwritten")
    part = target.with_name(target.name + _PART)
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY))
    except FileExistsError:
        problem = "is there: another backup is being made, or was interrupted; then remove it"
        raise BackupError(f"{part} {problem}") from None
    try:
        _copy(source, part)
        _sync(part)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
    sync_directory(target.parent)
    return Copied(target, target.stat().st_size)


def _copy(source: Path, target: Path) -> None:
    with _opened(source, "rw") as connection:
        # One read transaction, for which no writer waits.
        connection.execute("VACUUM INTO ?", (str(target),))
    problems = check_file(target)
    if problems:
        raise BackupError(f"the copy of {source} is damaged: {problems[0]}")


def check_file(path: Path) -> list[str]:
    """Return what SQLite finds wrong in a file; nothing where it is whole.

    Raises BackupError where it is no database.
    """
    with _opened(path, "ro") as connection:
        found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
    return [] if found == ["ok"] else found


def count_rows(path: Path, table: str) -> int | None:
    """Return how many rows a table has, None where the file or the table is not there.

    Raises BackupError where the file is no database, or is damaged.
    """
    if not path.exists():
        return None
    with _opened(path, "rw") as connection:
        known = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
        if not connection.execute(known, (table,)).fetchone()[0]:
            return None
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def read_position(path: Path) -> int:
    """Return the last position of the log in a copy of the main database.

    Raises BackupError where it is none.
    """
    with _opened(path, "ro") as connection:
        return int(connection.execute("SELECT position FROM log_head").fetchone()[0])


@contextmanager
def _opened(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    """Yield a connection outside of any transaction; what SQLite says comes as BackupError."""
    address = f"file:{quote(str(path))}?mode={mode}"
    try:
        with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
            yield connection
    except sqlite3.Error as error:
        # Of the driver's texts these alone are about files, not about what is stored in them.
        raise BackupError(f"{path} cannot be used: {error}") from error


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


# -- copies of the key store ----------------------------------------------------------------------


def name_key_copy(at: int) -> str:
    """Return the name of a copy of the key store; at: microseconds since 1970."""
    return f"caseflow-keys-{_stamp(at)}.db"


def remove_old_key_copies(folder: Path, before: int) -> list[Path]:
    """Remove the copies of the key store that were made before a time; return them, oldest first.

    before: microseconds since 1970. The name tells when a copy was made, and files of other names
    are left alone; remains of interrupted copies hold keys as well and go with them.
    """
    found = ((_KEY_COPY.fullmatch(path.name), path) for path in sorted(folder.iterdir()))
    old = [path for match, path in found if match and match[1] < _stamp(before)]
    for path in old:
        path.unlink()
    if old:
        sync_directory(folder)
    return old


def _stamp(at: int) -> str:
    return f"{as_datetime(at):%Y%m%dT%H%M%SZ}"


# -- putting a copy back --------------------------------------------------------------------------


class Exchange:
    """A database that takes the place of another; both are whole files until `carry_out`."""

    def __init__(self, source: Path, target: Path) -> None:
        """Make a checked copy of `source` beside `target`. Raises what `copy_database` does."""
        problems = check_file(source)
        if problems:
            raise BackupError(f"{source} is damaged: {problems[0]}")
        self._target = target
        self._new = copy_database(source, target.with_name(target.name + ".restored")).path

    def carry_out(self, at: int) -> Path | None:
        """Move what is there aside and put the copy in its place; return where the old one is.

        at: microseconds since 1970, for the name of what is moved; None where nothing was there.
        Raises BackupError where somebody has the old one open.
        """
        aside = self._target.with_name(f"{self._target.name}.before-{_stamp(at)}")
        if aside.exists():
            raise BackupError(f"{aside} is there already, and nothing is overwritten")
        with held_alone(self._target):
            # A journal that stayed behind would be taken for that of the new file.
            moved = [ending for ending in _BESIDE if _move(self._target, aside, ending)]
            self._new.rename(self._target)
        sync_directory(self._target.parent)
        return aside if moved else None

    def give_up(self) -> None:
        """Remove the copy, unless it has taken its place."""
        self._new.unlink(missing_ok=True)


def _move(source: Path, target: Path, ending: str) -> bool:
    old = source.with_name(source.name + ending)
    if not old.exists():
        return False
    old.rename(target.with_name(target.name + ending))
    return True


@contextmanager
def held_alone(path: Path) -> Iterator[None]:
    """Keep everybody else from a database while in here; its journal was brought home.

    Raises BackupError where another connection is open. Of a file that is damaged or no database
    nothing can be told, and nobody is kept from it.
    """
    if not path.exists():
        yield
        return
    address = f"file:{quote(str(path))}?mode=rw"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=0)
    with closing(connection):
        try:
            # Refused while another connection is open, even one that does nothing.
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            # The code has more than the kind of the error in it.
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                problem = "is in use: stop the service, and whatever else has it open"
                raise BackupError(f"{path} {problem}") from error
        yield
