"""`caseflow witness`: vouches for the log of another deployment, and asks for no house of its own.

Over the network with the standard library alone. A redirect is refused: it would take the key for
the full log to whoever is named in it.
"""

import fcntl
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from .terminal import escape, escape_lines

if TYPE_CHECKING:
    from caseflow.formats.note import VerifierKey
    from caseflow.proof.witness import Witness

TIMEOUT_SECONDS: Final = 30
MAX_BYTES: Final = 1_000_000

_FILE = click.Path(dir_okay=False, path_type=Path)
_LOGS: Final = ("/v1/log", "/v1/log/full")


@click.command()
@click.argument("url", required=False)
@click.option("--log-key", metavar="VKEY", help="The log's verifier key, known from elsewhere.")
@click.option("--key-file", type=_FILE, required=True, help="The witness's own key; made if new.")
@click.option("--name", required=True, help="The witness's name, such as witness.example/w1.")
@click.option("--state", type=_FILE, help="Where the last checkpoint that was seen is kept.")
@click.option("--once", is_flag=True, help="Look once: the default.")
@click.option(
    "--every", type=click.IntRange(1), metavar="SECONDS", help="Look again and again, until a fork."
)
@click.option("--api-key-file", type=_FILE, help="A key with audit:read, for a full log.")
@click.option("--print-key", is_flag=True, help="Print the witness's verifier key, and stop.")
def witness(  # noqa: PLR0913, PLR0917 - an argument for each option
    url: str | None,
    log_key: str | None,
    key_file: Path,
    name: str,
    state: Path | None,
    once: bool,
    every: int | None,
    api_key_file: Path | None,
    print_key: bool,
) -> None:
    """Cosign the newest checkpoint of the log at URL, if it grew from the last one that was seen.

    URL is the address of the log, such as https://cases.example/v1/log, or that of the service. A
    log that does not follow from what was seen is not cosigned: both checkpoints are printed, and
    the exit code is 1.
    """
    if print_key:
        with _locked_key(key_file, may_create=True) as seed:
            click.echo(_render_key(name, seed))
        return
    if url is None or log_key is None or state is None:
        raise click.UsageError("URL, --log-key and --state are needed")
    if once and every:
        raise click.UsageError("--once and --every exclude each other")
    remote = HttpLog(url, _read_api_key(api_key_file))
    while True:
        _look(remote, log_key, key_file, name, state, goes_on=bool(every))
        if not every:
            return
        time.sleep(every)


def _look(
    remote: "HttpLog", log_key: str, key_file: Path, name: str, state: Path, *, goes_on: bool
) -> None:
    from caseflow.formats.note import parse_verifier_key
    from caseflow.proof.witness import ForkError, LogError

    key = parse_verifier_key(log_key)
    # Held while it looks: two at once could vouch for two histories.
    with _locked_key(key_file, may_create=not state.exists()) as seed:
        try:
            seen = _make_witness(name, seed, key).look(remote, StateFile(state))
        except ForkError as fork:
            for what, note in (("seen before", fork.seen), ("shown now", fork.shown)):
                click.echo(f"# {what}\n{escape_lines(note.decode(errors='replace'))}")
            raise
        except LogError as error:
            if not goes_on:
                raise
            click.echo(f"not cosigned: {escape(error.detail)}", err=True)
        else:
            click.echo(f"cosigned {escape(seen.origin)} at size {seen.size}", err=True)


def _make_witness(name: str, seed: bytes, log_key: "VerifierKey") -> "Witness":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from caseflow.proof.witness import Witness

    key = Ed25519PrivateKey.from_private_bytes(seed)
    return Witness(name, key, log_key, lambda: int(time.time()))


def _render_key(name: str, seed: bytes) -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from caseflow.formats.note import COSIGNATURE_V1, get_verifier_key, render_verifier_key

    key = Ed25519PrivateKey.from_private_bytes(seed)
    return render_verifier_key(get_verifier_key(name, key, COSIGNATURE_V1))


@contextmanager
def _locked_key(path: Path, *, may_create: bool) -> Iterator[bytes]:
    """Yield the witness's key, alone: another process with the same file waits."""
    from caseflow.eventstore.key_files import read_or_create_key_file

    # With a memory and without a key, it is another witness that would be vouching.
    seed = read_or_create_key_file(
        path, may_create=may_create, what="witness key", loss="nobody would know a new one"
    )
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield seed


def _read_api_key(path: Path | None) -> str | None:
    return None if path is None else path.read_text("ascii").strip()


class StateFile:
    """The last checkpoint that was seen, in a file; replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes | None:
        """Return it, None before the first."""
        with suppress(FileNotFoundError):
            return self._path.read_bytes()
        return None

    def write(self, note: bytes) -> None:
        """Put it on disk; it is there when this returns."""
        from caseflow.eventstore.files import sync_directory

        new = self._path.with_name(f"{self._path.name}.new")
        with new.open("wb") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
        sync_directory(self._path.parent)


class HttpLog:
    """A log at an address."""

    def __init__(self, url: str, api_key: str | None) -> None:
        """url: of the log, `…/v1/log` or `…/v1/log/full`, or of the service, for its public log.

        Raises click.UsageError.
        """
        if not url.startswith(("https://", "http://")):
            raise click.UsageError("URL is an http or https address")
        # The service's own address will do: its public log is at one place.
        url = url.rstrip("/")
        self._url = url if url.endswith(_LOGS) else f"{url}{_LOGS[0]}"
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._opener = urllib.request.build_opener(_NoRedirects)

    def get(self, path: str) -> bytes:
        """Return what is at a path. Raises LogError, NoAnswerError."""
        return self._send(path, None)

    def post(self, path: str, body: bytes) -> None:
        """Send a note. Raises LogError, NoAnswerError."""
        self._send(path, body)

    def _send(self, path: str, body: bytes | None) -> bytes:
        from caseflow.proof.witness import LogError, NoAnswerError

        headers = {**self._headers, "Content-Type": "text/plain; charset=utf-8"}
        request = urllib.request.Request(f"{self._url}/{path}", body, headers)
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return bytes(answer.read(MAX_BYTES))
        except urllib.error.HTTPError as error:
            with error:
                told = f"{path.partition('?')[0]}: {error.code} {_read_detail(error)}"
            kind = NoAnswerError if error.code in (404, 409, 422) else LogError
            raise kind(told) from error
        except (OSError, http.client.HTTPException) as error:
            raise LogError(f"the log cannot be reached: {type(error).__name__}") from error


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow nothing: the answer becomes an error."""


def _read_detail(error: urllib.error.HTTPError) -> str:
    """Return what a problem says (RFC 9457), or the status alone."""
    try:
        return str(json.loads(error.read(MAX_BYTES))["detail"])
    except (ValueError, KeyError, TypeError, OSError):
        return str(error.reason)
