"""Inspection: whether a house is sound, above all after a restore, before anything is served.

Every check that can be carried out is, one after another, and tells what holds, or what is wrong,
what that means and what to do. Nothing is changed but by the ledger, which is applied again once
all that it builds on holds.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from sqlalchemy import Connection, Engine

from caseflow.bootstrap import House, open_keys, rebuild_stale_views
from caseflow.database import begin_read, connect_for_writing, make_engine, wrapped_errors
from caseflow.domain.errors import CaseflowError
from caseflow.eventstore.integrity import (
    check_case_keys,
    check_database,
    check_order,
    check_publications,
    check_records,
    check_wrapping,
)
from caseflow.eventstore.publications import Publications
from caseflow.eventstore.recorder import read_head
from caseflow.eventstore.schema import check_schema, current_revision, migrate, migrate_keys
from caseflow.projections.rebuild import list_differing
from caseflow.settings import Settings


class Check(NamedTuple):
    """Something that must hold: what it means where it does not, and what to do then."""

    name: str
    meaning: str
    advice: str


class Outcome(NamedTuple):
    """What a check has seen; problems: none where all is well.

    is_seen: False where it was not carried out, since another that it needs has failed.
    """

    problems: Sequence[str]
    note: str = ""
    is_seen: bool = True


class Finding(NamedTuple):
    """What came of a check."""

    check: Check
    outcome: Outcome

    @property
    def holds(self) -> bool:
        """Return whether all is well."""
        return not self.outcome.problems


_OLDER: Final = "Restore another copy, or recover to an earlier time."
_NEWER_KEYS: Final = (
    "Put back the key store of this log, or its newest copy: it must not be older than the records."
)

DATABASE: Final = Check("main database", "Nothing that is stored can be relied on.", _OLDER)
KEY_STORE: Final = Check("key store", "Nothing that is sealed can be read.", _NEWER_KEYS)
SCHEMA: Final = Check(
    "schema", "This release cannot work on these databases as they are.", "Run `caseflow migrate`."
)
ORDER: Final = Check(
    "order of the log", "Events are missing, or caseflow did not write what is here.", _OLDER
)
CASE_KEYS: Final = Check(
    "keys of the cases",
    "The key store is another one, or older than the records: these cases cannot be read.",
    _NEWER_KEYS,
)
KEY_FILES: Final = Check(
    "key files",
    "They are not those of this key store, or keys in it were altered: what is sealed cannot be "
    "read, or nothing can be signed.",
    "Put back the files that this key store was used with last, or another copy of the key store.",
)
RECORDS: Final = Check(
    "records", "Events were changed behind the service's back, or by the disk.", _OLDER
)
LOGS: Final = Check(
    "signed checkpoints",
    "What was signed, and shown to others, is not what is here: going on would be a fork, which "
    "every witness sees and everybody who holds an older proof.",
    "Restore a newer copy, or recover to a later time, until all that was signed is there. Where "
    "it is lost for good, say so in public, begin a new log (CASEFLOW_LOG_ORIGIN) and check again.",
)
LEDGER: Final = Check(
    "ledger",
    "What was withdrawn or erased since the copy was made may be public again.",
    "Put the ledger in its place (CASEFLOW_LEDGER_FILE), see to what failed above, and check "
    "again. If it is lost for good, an empty file in its place says so: look for yourself at what "
    "is public then.",
)
VIEWS: Final = Check(
    "views",
    "What is answered is not what the log says.",
    "Run `caseflow rebuild`, which makes the views anew from the log, and check again.",
)
CHECKS: Final = (
    DATABASE, KEY_STORE, SCHEMA, ORDER, CASE_KEYS, KEY_FILES, RECORDS, LOGS, LEDGER, VIEWS,
)  # fmt: skip
"""All checks, in the order in which they are carried out."""


def inspect(settings: Settings) -> Iterator[Finding]:
    """Yield what comes of each check.

    Embedded databases are migrated, as whenever they are opened; a database that is not there is
    not made. What others write meanwhile may be taken for damage.
    """
    engine, keys_engine = make_engine(settings.database_url), make_engine(settings.keys_url)
    try:
        yield from _Inspection(settings, engine, keys_engine).carry_out()
    finally:
        engine.dispose()
        keys_engine.dispose()


class _Inspection:
    def __init__(self, settings: Settings, engine: Engine, keys_engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self._keys_engine = keys_engine
        self._failed: list[Check] = []

    def carry_out(self) -> Iterator[Finding]:
        yield self._try(DATABASE, self._check_database)
        yield self._try(KEY_STORE, self._check_key_store)
        yield self._try(SCHEMA, self._check_schema, DATABASE, KEY_STORE)
        yield self._try(ORDER, self._check_order, SCHEMA)
        yield self._try(CASE_KEYS, self._check_case_keys, SCHEMA)
        # Only now: an empty key store would be bound to whatever master key there is.
        yield self._try(KEY_FILES, self._check_key_files, CASE_KEYS)
        yield self._try(RECORDS, self._check_records, CASE_KEYS, KEY_FILES)
        yield self._try(LOGS, self._check_logs, ORDER, CASE_KEYS, KEY_FILES)
        yield self._try(LEDGER, self._apply_ledger, ORDER, CASE_KEYS, KEY_FILES, RECORDS, LOGS)
        yield self._try(VIEWS, self._check_views, ORDER, CASE_KEYS, KEY_FILES, RECORDS)

    def _try(self, check: Check, look: Callable[[], Outcome], *needed: Check) -> Finding:
        """Carry out a check, unless one that it needs has failed."""
        lacking = [other.name for other in needed if other in self._failed]
        outcome = _not_seen(lacking[0]) if lacking else _do(look)
        if outcome.problems:
            self._failed.append(check)
        return Finding(check, outcome)

    def _check_database(self) -> Outcome:
        return _check_store(self._engine, self._settings.database_url)

    def _check_key_store(self) -> Outcome:
        return _check_store(self._keys_engine, self._settings.keys_url)

    def _check_schema(self) -> Outcome:
        settings = self._settings
        if settings.embedded:
            migrate(settings.database_url)
            migrate_keys(settings.keys_url)
        check_schema(settings.database_url)
        check_schema(settings.keys_url, "keys")
        return Outcome([], f"{current_revision(settings.database_url)}")

    def _check_order(self) -> Outcome:
        with self._read() as connection:
            return Outcome(check_order(connection), f"{read_head(connection).position} events")

    def _check_case_keys(self) -> Outcome:
        with self._read() as connection:
            return Outcome(check_case_keys(connection, self._keys_engine))

    def _check_key_files(self) -> Outcome:
        return Outcome(check_wrapping(open_keys(self._settings, self._keys_engine)))

    def _check_records(self) -> Outcome:
        keys = open_keys(self._settings, self._keys_engine)
        with self._read() as connection:
            found = check_records(connection, keys) + check_publications(connection, keys)
            return Outcome(found)

    def _check_logs(self) -> Outcome:
        # Of an older release, the public log may have to be made first, and the views with it.
        rebuild_stale_views(self._settings)
        with self._house() as house:
            return Outcome(house.check_logs())

    def _apply_ledger(self) -> Outcome:
        path = self._settings.ledger_file
        if not path.exists():
            # Applied, it would be there again, and lack what it told.
            return Outcome([f"{path} is not there; it is made with the key store: put it back"])
        with self._house() as house:
            # Nothing else of it: no embargo ends, nothing is signed, nobody is answered.
            house.writer.start()
            try:
                done = house.apply_ledger()
            finally:
                house.writer.stop()
        return Outcome([], f"{done} withdrawals and erasures were repeated")

    def _check_views(self) -> Outcome:
        with self._house() as house, _undone(self._engine) as connection:
            live = read_head(connection).view_set
            told = Publications(house.keys)
            differing = list_differing(connection, live, house.reader.read_log, told)
        return Outcome([f"{name} differs from what the log makes" for name in differing])

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with wrapped_errors(), begin_read(self._engine) as connection:
            yield connection

    @contextmanager
    def _house(self) -> Iterator[House]:
        """Yield a house that was not started."""
        house = House(self._settings)
        try:
            yield house
        finally:
            house.let_go()


def _check_store(engine: Engine, url: str) -> Outcome:
    # Asked first, since connecting would make a file.
    if current_revision(url) is None:
        return Outcome(["there is none, or it is empty"])
    by_hand = "of its files pg_amcheck can tell more" if engine.dialect.name != "sqlite" else ""
    return Outcome(check_database(engine), by_hand)


@contextmanager
def _undone(engine: Engine) -> Iterator[Connection]:
    """Yield a connection of which nothing stays, and which sees the database at one moment."""
    with wrapped_errors(), connect_for_writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection
        connection.rollback()


def _not_seen(lacking: str) -> Outcome:
    return Outcome([f"not looked at: first see to: {lacking}"], is_seen=False)


def _do(look: Callable[[], Outcome]) -> Outcome:
    try:
        return look()
    except CaseflowError as error:
        return Outcome([error.detail])
    except Exception as error:
        # Who looks at what is damaged has to be ready for anything. The name of the error alone:
        # its text may quote what is stored.
        return Outcome([f"it cannot be read: {type(error).__name__}"])
