"""The hash trees of the logs in the main database, cut into tiles as they are served.

They follow from the records and can be made anew; nothing is trusted for standing here. What
vouches for them is the root that was signed (`checkpoints.py`).
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from caseflow.database import begin_read, begin_write, wrapped_errors
from caseflow.formats.merkle import HASH_BYTES, CompactRange, read_range
from caseflow.formats.tiles import Tile, nodes_in_tiles, parse_tile, render_tile

metadata: Final = MetaData()

# A tile is as wide as the tree that was written last made it, and only ever gets wider.
log_tiles: Final = Table(
    "log_tiles",
    metadata,
    # Which of the house's two logs: full or public.
    Column("log", String(8), primary_key=True),
    # Its place, as in its path.
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    # 1 to 256 hashes of 32 bytes.
    Column("hashes", LargeBinary, nullable=False),
)

# Of how many leaves the tiles are; written with them.
log_trees: Final = Table(
    "log_trees",
    metadata,
    Column("log", String(8), primary_key=True),
    Column("size", BigInteger, nullable=False),
)

# Whoever signs may go over a large log for minutes before; others see here that somebody does.
log_passes: Final = Table(
    "log_passes",
    metadata,
    Column("log", String(8), primary_key=True),
    # Microseconds since the Unix epoch (UTC).
    Column("worked_at", BigInteger, nullable=False),
)

Hashes = tuple[bytes, ...]


class TileStore:
    """The tiles of one log. Safe to use from several threads and processes.

    Several may write: a narrower tile never takes the place of a wider one, and equal records give
    equal tiles. Errors of the database come as the event-sourcing library's.
    """

    def __init__(self, engine: Engine, log: str) -> None:
        self._engine = engine
        self._log = log

    def get_size(self) -> int:
        """Return of how many leaves there are tiles."""
        query = select(log_trees.c.size).where(log_trees.c.log == self._log)
        with wrapped_errors(), begin_read(self._engine) as connection:
            return connection.scalar(query) or 0

    def read_tile(self, tile: Tile) -> Hashes:
        """Return the hashes at the place of a tile, of which there may be more or fewer."""
        told = log_tiles.c
        at = (told.log == self._log) & (told.level == tile.level) & (told.index == tile.index)
        with wrapped_errors(), begin_read(self._engine) as connection:
            found = connection.scalar(select(told.hashes).where(at))
        if not found:
            return ()
        return parse_tile(found, len(found) // HASH_BYTES)

    def read_range(self, size: int) -> CompactRange:
        """Return the right edge of the tree over the first leaves, as the tiles have it.

        Raises InvalidTileError where they are too few.
        """
        return read_range(size, nodes_in_tiles(size, self.read_tile))

    def write(self, size: int, tiles: Iterable[tuple[Tile, Hashes]]) -> None:
        """Store tiles of the tree of `size` leaves, in one transaction with its size."""
        rows = [
            {"log": self._log, "level": t.level, "index": t.index, "hashes": render_tile(hashes)}
            for t, hashes in tiles
        ]
        with wrapped_errors(), begin_write(self._engine) as connection:
            if rows:
                _put_tiles(connection, rows)
            _grow(connection, self._log, size)

    def note_work(self, at: int) -> None:
        """Note that a pass over the log was going on at a time, in microseconds."""
        with wrapped_errors(), begin_write(self._engine) as connection:
            connection.execute(delete(log_passes).where(log_passes.c.log == self._log))
            connection.execute(insert(log_passes).values(log=self._log, worked_at=at))

    def find_work(self) -> int:
        """Return when a pass over the log was last seen to be going on, 0 for never."""
        query = select(log_passes.c.worked_at).where(log_passes.c.log == self._log)
        with wrapped_errors(), begin_read(self._engine) as connection:
            return connection.scalar(query) or 0

    def clear(self) -> None:
        """Forget all tiles, for they are wrong."""
        with wrapped_errors(), begin_write(self._engine) as connection:
            for table in (log_tiles, log_trees):
                connection.execute(delete(table).where(table.c.log == self._log))


def _put_tiles(connection: Connection, rows: list[dict[str, object]]) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(log_tiles)
    new = statement.excluded.hashes
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["log", "level", "index"],
            set_={"hashes": new},
            where=func.length(log_tiles.c.hashes) <= func.length(new),
        ),
        rows,
    )


def _grow(connection: Connection, log: str, size: int) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    first = dialect.insert(log_trees).values(log=log, size=size).on_conflict_do_nothing()
    connection.execute(first)
    is_smaller = (log_trees.c.log == log) & (log_trees.c.size < size)
    connection.execute(update(log_trees).where(is_smaller).values(size=size))
