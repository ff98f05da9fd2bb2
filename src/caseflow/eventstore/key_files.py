"""Key files: the master key and the signing key of a deployment; never in a database."""

import base64
import binascii
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from caseflow.domain.errors import CaseflowError

from .wrapping import KEY_BYTES

_NOTHING_OPENS: Final = "a new key would open nothing that is stored"


class MissingKeyError(CaseflowError):
    """A key file is missing where one must have been: a new key would open nothing."""


class KeyFileError(CaseflowError):
    """A key file that others can read, or that does not hold a key."""


def read_or_create_master_key(path: Path, store_is_empty: bool) -> bytes:
    """Return the master key, 32 bytes, as `read_or_create_key_file` does.

    store_is_empty: as `is_store_empty` says; only then may a missing file be made.
    """
    return read_or_create_key_file(path, may_create=store_is_empty, what="master key")


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
    with open(descriptor, "wb") as file:
        file.write(base64.b64encode(key) + b"\n")
        file.flush()
        os.fsync(descriptor)
    _sync_directory(path.parent)
    return key


def _sync_directory(path: Path) -> None:
    # The name of a new file is the directory's data: without this it may not survive a crash.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
