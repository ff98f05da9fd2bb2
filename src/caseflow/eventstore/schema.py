"""Creating and checking the tables: Alembic, driven from code, one run at a time.

The revisions are in `migrations/main` and `migrations/keys`; each run is one transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from caseflow.database import begin_read, begin_write, make_engine, wrapped_errors
from caseflow.domain.errors import CaseflowError

from .files import create_database_file, find_database_file

# Any number, but the same in every process: holds off a second migration on PostgreSQL.
_LOCK = 0x6361_7365


class SchemaOutdatedError(CaseflowError):
    """The database lacks a migration; `caseflow migrate` brings it up to date."""

    def __init__(self, current: str | None, expected: str) -> None:
        super().__init__(
            f"the database is at schema {current or 'nothing'}, this version needs {expected}: "
            "run `caseflow migrate`"
        )
        self.current = current
        self.expected = expected


def migrate(url: str) -> None:
    """Bring the main database to this version's schema; a second process waits for the first."""
    _upgrade(url, "main")


def migrate_keys(url: str) -> None:
    """Bring the key store to this version's schema; a second process waits for the first."""
    _upgrade(url, "keys")


def current_revision(url: str) -> str | None:
    """Return the revision of the schema at `url`, None for an empty database or a missing file."""
    file = find_database_file(url)
    if file is not None and not file.exists():
        return None  # connecting would make it
    with _engine(url) as engine, wrapped_errors(), begin_read(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def check_schema(url: str, store: str = "main") -> None:
    """Return if a database can be used by this version; store: `main` or `keys`.

    A revision unknown here is a newer one, and the previous release works on that.
    Raises SchemaOutdatedError when a migration is missing.
    """
    script = ScriptDirectory.from_config(_config(store))
    expected = script.get_current_head() or ""
    current = current_revision(url)
    known = {revision.revision for revision in script.walk_revisions()}
    if current is None or (current in known and current != expected):
        raise SchemaOutdatedError(current, expected)


def migrations_path() -> Path:
    """Return the directory with `main` and `keys`: in the wheel, else beside `src`."""
    package = Path(str(files("caseflow")))
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parents[1] / "migrations"


@contextmanager
def _engine(url: str) -> Iterator[Engine]:
    engine = make_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _config(store: str) -> Config:
    config = Config()
    # Percent signs are interpolation to Alembic's parser.
    location = str(migrations_path() / store).replace("%", "%%")
    config.set_main_option("script_location", location)
    config.set_main_option("path_separator", "os")
    return config


def _upgrade(url: str, store: str) -> None:
    config = _config(store)
    create_database_file(url)
    with _engine(url) as engine, wrapped_errors(), begin_write(engine) as connection:
        _hold_off_others(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _hold_off_others(connection: Connection) -> None:
    # SQLite: the writing transaction is the lock.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
