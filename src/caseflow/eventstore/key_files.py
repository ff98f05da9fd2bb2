"""Key files: the master key and the signing key of a deployment; never in a database."""

import base64
import binascii
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from caseflow.domain.errors import CaseflowError

from .files import sync_directory
from .wrapping import KEY_BYTES

_NOTHING_OPENS: Final = "a new key would open nothing that is stored"
_MASTER: Final = "master key"
_NEW: Final = ".new"
# Longer than any rotation takes: a new key that lies there for longer was never used.
_FORGOTTEN_SECONDS: Final = 86_400


class MissingKeyError(CaseflowError):
    """A key file is missing where one must have been: a new key would open nothing."""


class KeyFileError(CaseflowError):
    """A key file that others can read, or that does not hold a key."""


class MasterKeyFile:
    """The file of the master key, and those of master keys that are to take its place.

    A new one lies beside it, under a name of its own, until the key store has been wrapped anew:
    whatever is killed meanwhile, the key that opens the store is in one of the files.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def list_keys(self) -> list[bytes]:
        """Return the master keys that lie here, the current one first; what is unreadable is none.

        One of them opens the key store, be it in the middle of a rotation.
        """
        found = map(_find_key, (self._path, *self._list_new()))
        return [key for key in found if key is not None]

    def _list_new(self) -> list[Path]:
        return sorted(self._path.parent.glob(f"{self._path.name}.*{_NEW}"))

    def rotate(self, rewrap: Callable[[bytes], None], is_current: Callable[[bytes], bool]) -> None:
        """Make a new master key, have the key store wrapped under it, and destroy the old one.

        rewrap: wraps everything under a key and has committed when it returns. is_current: whether
        the store opens with a key. Of several processes that rotate, the last one's key stays.
        Raises OSError where the file or its directory cannot be written.
        """
        key = secrets.token_bytes(KEY_BYTES)
        path = self._path.with_name(f"{self._path.name}.{secrets.token_hex(4)}{_NEW}")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        _write_key(descriptor, key)
        sync_directory(path.parent)
        rewrap(key)
        self.settle(is_current)
        if not is_current(key) and path.exists():
            # A later rotation has taken its place: what copies hold under it is not to be opened.
            _overwrite(path)
            path.unlink()

    def settle(self, is_current: Callable[[bytes], bool]) -> None:
        """Put the key that the store opens with in its place, where a rotation was interrupted.

        Other new ones that have lain here for a while are removed: nothing was wrapped under them.
        """
        # Of processes that rotate at once, none may put its key over a later one's.
        with _locked(self._path.parent):
            for path in self._list_new():
                key = _find_key(path)
                if key is not None and is_current(key):
                    _overwrite(self._path)
                    os.replace(path, self._path)
                    sync_directory(path.parent)
                elif time.time() - path.stat().st_mtime > _FORGOTTEN_SECONDS:
                    path.unlink()


def _find_key(path: Path) -> bytes | None:
    """Return the key of a file; None for one that is being written, or was when its writer died."""
    with suppress(OSError, KeyFileError):
        return _read_key(path.read_bytes(), path, _MASTER)
    return None


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep other processes from changing key files in a directory."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _overwrite(path: Path) -> None:
    """Write another key over one that is to be destroyed, before its file goes."""
    descriptor = os.open(path, os.O_WRONLY)
    _write_key(descriptor, secrets.token_bytes(KEY_BYTES))


def read_or_create_master_key(path: Path, store_is_empty: bool) -> bytes:
    """Return the master key, 32 bytes, as `read_or_create_key_file` does.

    store_is_empty: as `is_store_empty` says; only then may a missing file be made.
    """
    return read_or_create_key_file(path, may_create=store_is_empty, what=_MASTER)


def read_or_create_signing_key(path: Path, may_create: bool) -> bytes:
    """Return the signing key, 32 bytes, as `read_or_create_key_file` does."""
    return read_or_create_key_file(
        path,
        may_create=may_create,
        what="signing key",
        loss="what a new key signs would be taken for a forgery",
    )


def read_or_create_key_file(
    path: Path, *, may_create: bool, what: str, loss: str = _NOTHING_OPENS
) -> bytes:
    """Return the 32 bytes of a key file; make the file, durably, where there is none.

    The file is one line of base64 (RFC 4648, section 4), mode 0600.
    what: the name of the key in messages. loss: why no new one is made in the place of one that
    is gone.
    Raises MissingKeyError when there is no file and none may be made; KeyFileError when group
    or others have any right to it, or when it does not hold a key.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        if not may_create:
            raise MissingKeyError(_explain_missing(path, what, loss)) from None
        return _create_key_file(path, what)
    with open(descriptor, "rb") as file:
        # Of the open file, not of the path, which may be another by now.
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyFileError(f"the {what} file {path} is open to others: run chmod 600 on it")
        return _read_key(file.read(), path, what)


def _create_key_file(path: Path, what: str) -> bytes:
    key = secrets.token_bytes(KEY_BYTES)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another process was faster: its key counts
        return read_or_create_key_file(path, may_create=False, what=what)
    _write_key(descriptor, key)
    sync_directory(path.parent)
    return key


def _write_key(descriptor: int, key: bytes) -> None:
    with open(descriptor, "wb") as file:
        file.write(base64.b64encode(key) + b"\n")
        file.flush()
        os.fsync(descriptor)


def _read_key(text: bytes, path: Path, what: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        # Without the cause: a message must not quote a key.
        raise KeyFileError(f"the {what} file {path} does not hold {KEY_BYTES} bytes in base64")
    return key


def _explain_missing(path: Path, what: str, loss: str) -> str:
    return (
        f"the {what} file {path} is missing, and the key store is not empty: "
        f"put the file back from where it is kept; {loss}"
    )
