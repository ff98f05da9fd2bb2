"""What each log last signed, and who vouched for it: tables of the key store.

They are kept there, and not beside the log, so that no restore of the main database takes a
signature back: a log that contradicts what is stored here is not signed any more.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

import msgspec
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Engine,
    Insert,
    LargeBinary,
    MetaData,
    Select,
    SmallInteger,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from caseflow.database import wrapped_errors

Open = Callable[[], AbstractContextManager[Connection]]
"""Opens a transaction of the key store: to read, or to write and commit on leaving."""

KEPT_NOTES: Final = 16

metadata: Final = MetaData()

# The last checkpoint of each log. It is only ever replaced by one that follows from it.
log_checkpoints: Final = Table(
    "log_checkpoints",
    metadata,
    # The log's name to the world; another origin is another log.
    Column("origin", String, primary_key=True),
    # Which of the house's two logs: full or public.
    Column("log", String(8), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    # As it was signed, without cosignatures.
    Column("note", LargeBinary, nullable=False),
    # Microseconds since 1970, as is the next: when it was signed, and the first under this origin.
    Column("signed_at", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    # Why nothing more is signed, in words; null while all is well.
    Column("halted", Text),
)

# Checkpoints with the lines of witnesses: the newest, and for any number of witnesses the newest
# that has so many.
log_cosigned: Final = Table(
    "log_cosigned",
    metadata,
    Column("origin", String, primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
)

# One row: the public key that signs here, for good. The private one is a file of the deployment.
signing_key: Final = Table(
    "signing_key",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("public_key", LargeBinary, nullable=False),
    CheckConstraint("id = 1", name="signing_key_one_row"),
)


class Last(msgspec.Struct, frozen=True, kw_only=True):
    """The last checkpoint that a log signed.

    root: 32 bytes. note: its bytes. signed_at: microseconds since the Unix epoch.
    halted: why nothing more is signed; None while all is well.
    """

    origin: str
    size: int
    root: bytes
    note: bytes
    signed_at: int
    halted: str | None = None


class Checkpoints:
    """The checkpoints of the house's logs. Safe to use from several threads and processes.

    Durability: what a method returned is committed, in a database that no restore of the log
    touches. Concurrency: `advance` compares and swaps, so that of two publishers one is refused.
    Errors of the database come as the event-sourcing library's.
    """

    def __init__(self, read: Open, write: Open) -> None:
        self._read = read
        self._write = write

    def find(self, origin: str) -> Last | None:
        """Return the last checkpoint under an origin, None before the first."""
        return self._find(_LAST.where(log_checkpoints.c.origin == origin))

    def find_newest(self, log: str) -> Last | None:
        """Return the last checkpoint of a log under the origin that it took last."""
        query = _LAST.where(log_checkpoints.c.log == log)
        return self._find(query.order_by(log_checkpoints.c.started_at.desc()).limit(1))

    def _find(self, query: Select[*tuple[object, ...]]) -> Last | None:
        with self._read() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return Last(**row) if row else None

    def begin(self, log: str, first: Last) -> bool:
        """Store the first checkpoint of a log; return False where another process was faster."""
        row = {**msgspec.structs.asdict(first), "log": log, "started_at": first.signed_at}
        with self._write() as connection:
            statement = _insert_missing(connection, log_checkpoints).values(row)
            stored = statement.returning(log_checkpoints.c.size)
            return connection.scalar(stored) is not None

    def advance(self, seen: Last, new: Last) -> bool:
        """Put a checkpoint in the place of the one that it follows from; return whether it is.

        False where the last one is not `seen` any more: look again. The log goes on from there.
        Raises ValueError for one that does not follow: of another log, or no larger.
        """
        if new.origin != seen.origin or new.size <= seen.size:
            raise ValueError("a checkpoint follows from a smaller one of the same log")
        told = log_checkpoints.c
        is_seen = (told.origin == seen.origin) & (told.size == seen.size) & (told.root == seen.root)
        values = {"size": new.size, "root": new.root, "note": new.note, "signed_at": new.signed_at}
        with self._write() as connection:
            swapped = update(log_checkpoints).where(is_seen).values(**values)
            return connection.execute(swapped).rowcount == 1

    def halt(self, origin: str, reason: str | None) -> None:
        """Note why nothing more is signed, for every process; None: signing goes on."""
        where = log_checkpoints.c.origin == origin
        with self._write() as connection:
            connection.execute(update(log_checkpoints).where(where).values(halted=reason))

    def list_cosigned(self, origin: str) -> list[tuple[int, bytes]]:
        """Return the notes that have lines of witnesses with their sizes, the largest first."""
        with self._read() as connection:
            return [(size, note) for size, note in connection.execute(_select_cosigned(origin))]

    def add_cosigned(
        self, origin: str, size: int, merge: Callable[[bytes | None], bytes], count: "Count"
    ) -> bytes:
        """Store a note with lines of witnesses and return it; old ones that say less are removed.

        merge: given what is stored for this size, None where nothing is, what is to be stored.
        count: how many witnesses a note has.
        """
        key = (log_cosigned.c.origin == origin) & (log_cosigned.c.size == size)
        with self._write() as connection:
            # Two at once would each lose the other's line: one waits.
            lock = select(log_checkpoints.c.size).where(log_checkpoints.c.origin == origin)
            connection.execute(lock.with_for_update()).all()
            stored = connection.scalar(select(log_cosigned.c.note).where(key))
            note = merge(stored)
            if note == stored:
                return note
            connection.execute(delete(log_cosigned).where(key))
            row = {"origin": origin, "size": size, "note": note}
            connection.execute(insert(log_cosigned).values(row))
            _prune(connection, origin, count)
        return note


Count = Callable[[bytes], int]
"""How many witnesses a note has."""


def find_pinned_key(engine: Engine) -> bytes | None:
    """Return the public key that signs here, 32 bytes; None in a store that knows of none yet."""
    with wrapped_errors(), engine.connect() as connection:
        return connection.scalar(select(signing_key.c.public_key))


def pin_key(write: Open, public_key: bytes) -> bytes:
    """Return the public key that signs here: this one from now on, unless there is one."""
    with write() as connection:
        row = {"id": 1, "public_key": public_key}
        connection.execute(_insert_missing(connection, signing_key).values(row))
        pinned: bytes = connection.execute(select(signing_key.c.public_key)).scalar_one()
        return pinned


_LAST: Final = select(*(log_checkpoints.c[name] for name in Last.__struct_fields__))


def _select_cosigned(origin: str) -> Select[int, bytes]:
    told = log_cosigned.c
    query = select(told.size, told.note).where(told.origin == origin)
    return query.order_by(told.size.desc())


def _prune(connection: Connection, origin: str, count: Count) -> None:
    """Remove the notes that are neither among the newest nor have more witnesses than those."""
    most, old = 0, list[int]()
    for place, (size, note) in enumerate(connection.execute(_select_cosigned(origin)).all()):
        if place >= KEPT_NOTES and count(note) <= most:
            old.append(size)
        most = max(most, count(note))
    _remove(connection, origin, old)


def _remove(connection: Connection, origin: str, sizes: Sequence[int]) -> None:
    told = log_cosigned.c
    if sizes:
        where = (told.origin == origin) & told.size.in_(sizes)
        connection.execute(delete(log_cosigned).where(where))


def _insert_missing(connection: Connection, table: Table) -> Insert:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()
