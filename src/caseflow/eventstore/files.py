"""The file of an SQLite database: made for its owner alone, and one and the same while in use."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from eventsourcing.persistence import OperationalError
from sqlalchemy import URL, make_url

OWNER_ONLY: Final = 0o600


def find_database_file(url: str | URL) -> Path | None:
    """Return the absolute path of the SQLite file at `url`, None for a server or an SQLite URI."""
    parsed = make_url(url)
    name = parsed.database or ""
    if parsed.get_backend_name() != "sqlite" or not name or name.startswith("file:"):
        return None
    return Path(name).absolute()


def create_database_file(url: str) -> None:
    """Make an empty SQLite file, mode 0600, where there is none; one that is there stays as it is.

    SQLite would go by the umask, which lets others read; the files beside the database get its
    mode. Raises OSError.
    """
    path = find_database_file(url)
    if path is not None:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, OWNER_ONLY))


def sync_directory(path: Path) -> None:
    """Have the names in a directory survive a crash: that of a new file is the directory's data."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class SameFile:
    """Tells whether a database is still the file that it was when it was first used.

    An SQLite connection goes on with its file when that is moved, replaced or removed, and what is
    written then is seen by nobody else, or lost. Of a server's database nothing is checked.
    """

    def __init__(self, url: URL) -> None:
        """Keep the address; the file that the first `check` finds is the right one."""
        self._path = find_database_file(url)
        self._first: tuple[int, int] | None = None

    def check(self) -> None:
        """Return if it is. Raises OperationalError, until the file is put back."""
        if self._path is None:
            return
        found = _identify(self._path)
        if found is None or found != (self._first or found):
            raise OperationalError(f"{self._path.name} was moved, replaced or removed while in use")
        self._first = found


def _identify(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
