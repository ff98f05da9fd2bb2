"""Where the records of a log come from: the bootstrap tells, as no other room is known here."""

from collections.abc import Iterator, Sequence
from typing import Final, Literal, Protocol

from msgspec import Struct
from sqlalchemy import Connection, Engine

from caseflow.database import begin_read, wrapped_errors
from caseflow.domain.errors import AlteredError
from caseflow.formats.tiles import leaf_data

LogName = Literal["full", "public"]

# Records that are read together; the database is let go between two lots.
BATCH: Final = 1_024


class Source(Protocol):
    """The records of one log, in its order; read in any transaction."""

    def get_size(self, connection: Connection) -> int:
        """Return how many records there are. Raises AlteredError where that is not sure."""

    def read(
        self, connection: Connection, after: int, limit: int, *, check: bool = True
    ) -> Sequence[bytes]:
        """Return records, canonical bytes, from after a place in the log; places count from 1.

        check: whether each is compared with all that is stored beside it.
        Raises AlteredError where one is missing or does not agree with what is stored beside it.
        """


class Log(Struct, frozen=True):
    """One of the house's logs: its name, the tag of its entries, its records."""

    name: LogName
    tag: str
    source: Source

    def get_size(self, engine: Engine) -> int:
        """Return how many records there are. Raises AlteredError where that is not sure."""
        with wrapped_errors(), begin_read(engine) as connection:
            return self.source.get_size(connection)

    def find_record(self, engine: Engine, place: int) -> bytes | None:
        """Return the record at a place, from 1, or None. Raises AlteredError as the source does."""
        with wrapped_errors(), begin_read(engine) as connection:
            if not 0 < place <= self.source.get_size(connection):
                return None
            return self.source.read(connection, place - 1, 1)[0]

    def read_entries(
        self, engine: Engine, start: int, end: int, *, check: bool = True
    ) -> Iterator[bytes]:
        """Yield the leaf data of the records from index `start` up to `end`, in short reads.

        Raises AlteredError as the source does, and where the log ends early.
        """
        while start < end:
            limit = min(BATCH, end - start)
            with wrapped_errors(), begin_read(engine) as connection:
                records = self.source.read(connection, start, limit, check=check)
            if len(records) != limit:
                missing = start + len(records) + 1
                raise AlteredError(f"its record {missing} is missing", missing)
            yield from (leaf_data(self.tag, record) for record in records)
            start += limit
