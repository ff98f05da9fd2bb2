"""The key store: one key for each case, and the few secrets of the deployment.

It is a database apart from the log and out of its backup, so that destroying a key here makes
every copy of what was sealed under it unreadable. All it holds is wrapped by the master key, a
file of the deployment. How events are sealed is the matter of `formats/seal.py`.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final, TypeAlias, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from caseflow.database import Uuid16, begin_write, wrapped_errors
from caseflow.domain.errors import CaseflowError, WithdrawnError

from .files import SameFile
from .key_cache import KeyCache
from .wrapping import KEY_BYTES, Wrapper, WrongMasterKeyError, name_case, name_secret

metadata: Final = sa.MetaData()

# The key of each case. A destroyed one keeps its row, so that it is never made again.
case_keys: Final = sa.Table(
    "case_keys",
    metadata,
    sa.Column("case_id", Uuid16, primary_key=True),
    # A nonce and the AES-256-GCM of the key; null once destroyed.
    sa.Column("wrapped", sa.LargeBinary),
    # Microseconds since 1970, as is the next.
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("destroyed_at", sa.BigInteger),
)

# Secrets of the deployment, made on first use and wrapped like the keys.
secrets_table: Final = sa.Table(
    "secrets",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
)

_PROOF: Final = "master-key-proof"  # a secret for nothing but to show that the master key opens it
_BATCH: Final = 1_000  # identifiers in one statement: both databases take 30,000 and more

_Row: TypeAlias = dict[str, object]
_Result = TypeVar("_Result")


class KeyDestroyedError(WithdrawnError):
    """A key was asked for cases whose key was destroyed; none is made for them again."""

    def __init__(self, case_ids: Sequence[UUID]) -> None:
        super().__init__("the case was erased")
        self.case_ids = tuple(case_ids)


class MissingKeyStoreError(CaseflowError):
    """The key store lacks keys of the log: it is another one, a new one, or an old copy."""

    def __init__(self, engine: sa.Engine, problem: str) -> None:
        super().__init__(
            f"the key store {engine.url.database} (CASEFLOW_KEYS_URL) {problem}: put the right one "
            "back or restore it from its newest backup; without it the log cannot be read"
        )


class KeyStore:
    """Case keys and secrets, wrapped by the master key; safe to use from several threads.

    Durability: what a method returned is committed. A key is thus on disk before any event is
    sealed under it, provided that the engine commits durably (SQLite: synchronous FULL).
    Caching: a key read here may be used for `ttl_seconds` more after another process destroyed
    it, never longer. `destroy_key` and `forget` act in this process at once.
    Waiting: reads wait for no write, neither of this process nor of another.
    Errors of the database come as the event-sourcing library's, as from the recorder; so does an
    SQLite file that was moved or replaced since it was first used: it is not used until it is back.
    Rotation: a process that still has the old master key can neither read nor add keys. It looks
    for the new one where that is kept, and gets WrongMasterKeyError where it finds none; it never
    stores a key that the new master key does not open.
    """

    def __init__(
        self,
        engine: sa.Engine,
        master_key: bytes,
        *,
        find_master_keys: Callable[[], Iterable[bytes]] = tuple,
        ttl_seconds: float = 1.0,
        cache_size: int = 10_000,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep the engine and the key; no statement runs before the first call.

        find_master_keys: gives those that may be the store's by now, where ours is not any more.
        clock: microseconds since 1970, for `created_at`. monotonic: seconds, for the cache.
        Raises ValueError when the master key is not 32 bytes.
        """
        self._engine = engine
        self._wrapper = Wrapper(master_key)
        self._find_master_keys = find_master_keys
        self._cache = KeyCache(cache_size, ttl_seconds, monotonic)
        self._secrets: dict[str, bytes] = {}
        self._clock = clock
        self._checked = False
        self._file = SameFile(engine.url)
        # One thread at a time writes; whoever only reads does not ask for it.
        self._writing = threading.RLock()

    def check(self) -> None:
        """Make sure that the master key is the one of this store; to be called at start.

        An empty store is bound to the master key from here on.
        Raises WrongMasterKeyError.
        """
        self._with_current_key(self._check)

    def _check(self) -> None:
        with self._write() as connection:
            if _find_secret(connection, _PROOF) is None:
                self._bind(connection)
            self._prove(connection)
            self._checked = True

    def is_opened_by(self, master_key: bytes) -> bool:
        """Return whether a master key is the one of this store, as it is now."""
        with self._read() as connection:
            wrapped = _find_secret(connection, _PROOF)
        return wrapped is not None and Wrapper(master_key).opens(name_secret(_PROOF), wrapped)

    def create_keys(self, case_ids: Iterable[UUID]) -> dict[UUID, bytes]:
        """Return the key of each case, 32 bytes, made and committed where there was none.

        Raises KeyDestroyedError where a key was destroyed, after the others were made;
        WrongMasterKeyError and MissingKeyStoreError when nothing was.
        """
        wanted = list(dict.fromkeys(case_ids))
        self._check_once()
        self._with_current_key(lambda: self._create_keys(wanted))
        keys = self.get_keys(wanted)
        destroyed = [case_id for case_id in wanted if keys[case_id] is None]
        if destroyed:
            raise KeyDestroyedError(destroyed)
        return {case_id: key for case_id, key in keys.items() if key is not None}

    def _create_keys(self, case_ids: Sequence[UUID]) -> None:
        with self._write() as connection:
            self._insert_keys(connection, case_ids)
            self._prove(connection)

    def get_keys(self, case_ids: Iterable[UUID]) -> dict[UUID, bytes | None]:
        """Return the key of each case: None where destroyed, no item where there never was one.

        Raises WrongMasterKeyError when a key does not open.
        """
        wanted = list(dict.fromkeys(case_ids))
        found = self._cache.find(wanted)
        missing = [case_id for case_id in wanted if case_id not in found]
        if missing:
            found |= self._read_keys(missing)
        return found

    def find_missing(self, case_ids: Iterable[UUID]) -> list[UUID]:
        """Return the cases that never had a key here, ascending; destroyed ones had one."""
        return find_missing_keys(self._engine, case_ids)

    def destroy_key(self, case_id: UUID, at: int) -> bool:
        """Destroy the key of a case for good; return whether there was one to destroy.

        at: microseconds since 1970. Doing it again keeps the first time.
        The bytes leave the database file of SQLite here. PostgreSQL keeps old rows until they
        are vacuumed, and copies of the store may exist anywhere: an erasure is complete only
        after `rotate_master_key` and the end of the old master key.
        """
        condition = sa.and_(case_keys.c.case_id == case_id, case_keys.c.wrapped.is_not(None))
        statement = sa.update(case_keys).where(condition).values(wrapped=None, destroyed_at=at)
        with self._writing:
            try:
                with self._write() as connection:
                    destroyed = connection.execute(statement).rowcount == 1
            finally:
                # After the commit, whether that was acknowledged or not.
                self._cache.forget(case_id)
            _empty_journal(self._engine)
        return destroyed

    def forget_all(self) -> None:
        """Keep no key in memory that was read until now."""
        self._cache.clear()

    def forget(self, case_id: UUID) -> None:
        """Drop the key of a case from memory, on hearing that another process destroyed it."""
        self._cache.forget(case_id)

    def list_case_ids(self) -> list[UUID]:
        """Return every case that has or had a key here, ascending by identifier."""
        query = sa.select(case_keys.c.case_id).order_by(case_keys.c.case_id)
        with self._read() as connection:
            return list(connection.scalars(query))

    def get_secret(self, name: str) -> bytes:
        """Return a 32-byte secret of the deployment, made and committed on first use.

        name: 1 to 64 characters. The secret outlives every rotation of the master key.
        Raises WrongMasterKeyError, and ValueError for other names.
        """
        if not 1 <= len(name) <= 64 or name == _PROOF:
            raise ValueError("the name of a secret has 1 to 64 characters and is not reserved")
        if name not in self._secrets:
            self._secrets[name] = self._read_or_create_secret(name)
        return self._secrets[name]

    def rotate_master_key(self, new_master_key: bytes) -> None:
        """Wrap everything again under a new master key, in one transaction.

        The new key must be on disk before the call and must stay the only one after it: until
        the commit the store opens with the old key alone, after it with the new one alone.
        Raises WrongMasterKeyError, and ValueError when the new key is not 32 bytes.
        """
        new = Wrapper(new_master_key)
        with self._writing:
            self._with_current_key(lambda: self._rewrap(new))
            self._wrapper = new
            _empty_journal(self._engine)

    def _rewrap(self, new: Wrapper) -> None:
        with self._write() as connection:
            # The proof's row first: whoever adds a key meanwhile holds or awaits its lock.
            _rewrap_secrets(connection, self._wrapper, new)
            _rewrap_keys(connection, self._wrapper, new)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Yield a connection to the store for tables that are not the keys'; one query a time."""
        with self._read() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Yield a writing transaction for such tables, committed on leaving."""
        with self._write() as connection:
            yield connection

    @contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        # Before a connection is asked for: a new one would be to another file, and make it.
        self._file.check()
        with wrapped_errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        """Yield a writing transaction, committed on leaving, that overwrites what it deletes."""
        self._file.check()
        with self._writing, wrapped_errors(), begin_write(self._engine) as connection:
            self._file.check()  # again: the wait for the transaction may have been long
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            yield connection

    def _check_once(self) -> None:
        if not self._checked:
            self.check()

    def _bind(self, connection: sa.Connection) -> None:
        """Store the proof of the master key in a store that holds nothing yet."""
        if connection.scalar(sa.select(sa.exists(sa.select(case_keys.c.case_id)))):
            raise WrongMasterKeyError("the key store holds keys, but no proof of their master key")
        self._insert_secret(connection, _PROOF)

    def _prove(self, connection: sa.Connection) -> None:
        """Make sure, until the end of the transaction, that our master key is the store's.

        The lock on the row holds a rotation off; SQLite has one writer at a time anyway.
        """
        query = _select_secret(_PROOF).with_for_update(read=True)
        wrapped = connection.execute(query).scalar_one_or_none()
        if wrapped is None:
            raise MissingKeyStoreError(self._engine, "was emptied")
        self._wrapper.unwrap(name_secret(_PROOF), wrapped)

    def _insert_keys(self, connection: sa.Connection, case_ids: Sequence[UUID]) -> None:
        at = self._clock()
        rows: list[_Row] = [
            {"case_id": case_id, "wrapped": self._wrap_new(name_case(case_id)), "created_at": at}
            # In one order everywhere, lest two processes wait for each other's rows.
            for case_id in sorted(case_ids)
        ]
        if rows:
            connection.execute(_insert_missing(connection, case_keys), rows)

    def _read_keys(self, case_ids: Sequence[UUID]) -> dict[UUID, bytes | None]:
        wrapper = self._wrapper
        try:
            return self._read_keys_with(wrapper, case_ids)
        except WrongMasterKeyError:
            # A rotation here commits a moment before it sets the new wrapper: wait for its end.
            with self._writing:
                current = self._wrapper
            if current is wrapper:
                return self._with_current_key(lambda: self._read_keys_with(self._wrapper, case_ids))
            return self._read_keys_with(current, case_ids)

    def _with_current_key(self, work: Callable[[], _Result]) -> _Result:
        """Do something; once more where another process has rotated the master key meanwhile."""
        try:
            return work()
        except WrongMasterKeyError:
            if not self._take_current_key():
                raise
            return work()

    def _take_current_key(self) -> bool:
        """Take the master key that is the store's now; return whether there is another one."""
        for master_key in self._find_master_keys():
            if self.is_opened_by(master_key):
                with self._writing:
                    self._wrapper = Wrapper(master_key)
                return True
        return False

    def _read_keys_with(
        self, wrapper: "Wrapper", case_ids: Sequence[UUID]
    ) -> dict[UUID, bytes | None]:
        moment = self._cache.begin_read()
        keys: dict[UUID, bytes | None] = {}
        with self._read() as connection:
            for batch in _batches(case_ids):
                query = sa.select(case_keys.c.case_id, case_keys.c.wrapped)
                for row in connection.execute(query.where(case_keys.c.case_id.in_(batch))):
                    keys[row.case_id] = wrapper.unwrap_key(row.case_id, row.wrapped)
        self._cache.keep(keys, moment)
        return keys

    def _read_or_create_secret(self, name: str) -> bytes:
        self._check_once()
        return self._with_current_key(lambda: self._find_or_create_secret(name))

    def _find_or_create_secret(self, name: str) -> bytes:
        with self._write() as connection:
            wrapped = _find_secret(connection, name)
            if wrapped is None:
                self._insert_secret(connection, name)
                self._prove(connection)
                # Another process may have been first: what is stored counts.
                wrapped = connection.execute(_select_secret(name)).scalar_one()
            return self._wrapper.unwrap(name_secret(name), wrapped)

    def _insert_secret(self, connection: sa.Connection, name: str) -> None:
        row = {"name": name, "wrapped": self._wrap_new(name_secret(name))}
        connection.execute(_insert_missing(connection, secrets_table), [row])

    def _wrap_new(self, name: bytes) -> bytes:
        return self._wrapper.wrap(name, secrets.token_bytes(KEY_BYTES))


def is_store_empty(engine: sa.Engine) -> bool:
    """Return whether the key store holds nothing at all, no destroyed key either."""
    tables = (case_keys.c.case_id, secrets_table.c.name)
    with wrapped_errors(), engine.connect() as connection:
        return not any(connection.scalar(sa.select(sa.exists(sa.select(c)))) for c in tables)


def list_destroyed_keys(engine: sa.Engine) -> list[UUID]:
    """Return the cases that were erased, as this key store has it."""
    query = sa.select(case_keys.c.case_id).where(case_keys.c.destroyed_at.is_not(None))
    with wrapped_errors(), engine.connect() as connection:
        return list(connection.scalars(query.order_by(case_keys.c.case_id)))


def check_keys_for_log(engine: sa.Engine, case_ids: Iterable[UUID]) -> None:
    """Make sure that a key store is that of the log; to be called at start, before it is written.

    case_ids: cases that have events, the newest ones; read before this call. A case has its key
    before its first event, and keeps the row when the key is destroyed.
    Raises MissingKeyStoreError where the log has events and the store is empty or lacks keys.
    """
    wanted = set(case_ids)
    if wanted and is_store_empty(engine):
        raise MissingKeyStoreError(engine, "is empty, but the log holds events")
    missing = find_missing_keys(engine, wanted)
    if missing:
        raise MissingKeyStoreError(
            engine, f"has no key for {len(missing)} of the {len(wanted)} newest cases of the log"
        )


def _rewrap_secrets(connection: sa.Connection, old: Wrapper, new: Wrapper) -> None:
    _lock_proof(connection)
    update = _update_wrapped(secrets_table, secrets_table.c.name)
    for row in connection.execute(sa.select(secrets_table)).all():
        name = name_secret(row.name)
        rewrapped = new.wrap(name, old.unwrap(name, row.wrapped))
        connection.execute(update, {"key": row.name, "rewrapped": rewrapped})


def _lock_proof(connection: sa.Connection) -> None:
    query = _select_secret(_PROOF).with_for_update()
    connection.execute(query).scalar_one_or_none()


def _rewrap_keys(connection: sa.Connection, old: Wrapper, new: Wrapper) -> None:
    update = _update_wrapped(case_keys, case_keys.c.case_id)
    for batch in _list_held_keys(connection):
        rows: list[_Row] = []
        for case_id, wrapped in batch:
            name = name_case(case_id)
            key = old.unwrap(name, wrapped)
            rows.append({"key": case_id, "rewrapped": new.wrap(name, key)})
        connection.execute(update, rows)


def _list_held_keys(connection: sa.Connection) -> Iterator[Sequence[sa.Row[UUID, bytes]]]:
    """Return the keys not destroyed, ascending by case, batch by batch."""
    column = case_keys.c.case_id
    query = sa.select(column, case_keys.c.wrapped).where(case_keys.c.wrapped.is_not(None))
    query = query.order_by(column).limit(_BATCH)
    batch = connection.execute(query).all()
    while batch:
        yield batch
        batch = connection.execute(query.where(column > batch[-1].case_id)).all()


def find_missing_keys(engine: sa.Engine, case_ids: Iterable[UUID]) -> list[UUID]:
    """Return the cases that never had a key, ascending; needs no master key."""
    wanted, found = sorted(set(case_ids)), set[UUID]()
    with wrapped_errors(), engine.connect() as connection:
        for batch in _batches(wanted):
            query = sa.select(case_keys.c.case_id).where(case_keys.c.case_id.in_(batch))
            found.update(connection.scalars(query))
    return [case_id for case_id in wanted if case_id not in found]


def _update_wrapped(table: sa.Table, primary_key: sa.ColumnElement[object]) -> sa.Update:
    # Only where there is still something: a key destroyed since it was read stays destroyed.
    condition = sa.and_(primary_key == sa.bindparam("key"), table.c.wrapped.is_not(None))
    return sa.update(table).where(condition).values(wrapped=sa.bindparam("rewrapped"))


def _select_secret(name: str) -> sa.Select[bytes]:
    return sa.select(secrets_table.c.wrapped).where(secrets_table.c.name == name)


def _find_secret(connection: sa.Connection, name: str) -> bytes | None:
    return connection.execute(_select_secret(name)).scalar_one_or_none()


def _insert_missing(connection: sa.Connection, table: sa.Table) -> sa.Insert:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def _empty_journal(engine: sa.Engine) -> None:
    """Have SQLite bring its write-ahead log home and cut it: it holds what rows were before.

    A reader in the middle of a transaction can keep it from doing so; the next one does it.
    """
    if engine.dialect.name == "sqlite":
        # Past SQLAlchemy, which would begin a transaction: a checkpoint cannot be in one.
        with wrapped_errors(), closing(engine.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _batches(items: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]
