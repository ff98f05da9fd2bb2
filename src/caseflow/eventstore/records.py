"""The records of the log as others hash them, checked against all that is stored beside them.

For whoever proves the log: a record is rendered from its row anew each time, never kept. What a
record does not hold, and yet decides what is read (the time that is searched by, the sealed part),
is compared with it, so that nobody can change one of them and leave the other.
"""

from collections.abc import Mapping
from itertools import count
from typing import Final, TypeAlias
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from sqlalchemy import Connection, Row, func, select

from caseflow.domain.errors import AlteredError
from caseflow.domain.events import HOUSE_ID
from caseflow.formats.record import InvalidRecordError, Record, commit_fields, render_record
from caseflow.formats.seal import UnsealError, unseal

from .keys import KeyStore
from .mapper import TOPIC, read_record
from .recorder import read_head
from .tables import events

ERASURE_TOPIC: Final = "erased/1"

# Position, case, version, name, time, state.
_Row: TypeAlias = Row[int, UUID, int, str, int, bytes]

_ROWS: Final = select(
    events.c.position,
    events.c.originator_id,
    events.c.originator_version,
    events.c.topic,
    events.c.recorded_at,
    events.c.state,
)


class EventRecords:
    """The records of all events, by position. Safe to use from several threads."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def get_size(self, connection: Connection) -> int:
        """Return how many records there are. Raises AlteredError where their number is not sure."""
        told = read_head(connection).position
        last = connection.scalar(select(func.max(events.c.position))) or 0
        if told != last:
            raise AlteredError(f"the log should end at position {told}, and ends at {last}")
        return told

    def read(
        self, connection: Connection, after: int, limit: int, *, check: bool = True
    ) -> list[bytes]:
        """Return records, canonical bytes, in the order of the log from after a position.

        check: whether each is compared with what is stored beside it; where the key of its case
        was destroyed, the record alone is left. Raises AlteredError: a position is missing, or what
        is stored at one does not agree.
        """
        query = _ROWS.where(events.c.position > after, events.c.position <= after + limit)
        rows = connection.execute(query.order_by(events.c.position)).all()
        records = [_read(row, expected) for row, expected in zip(rows, count(after + 1))]
        if check:
            # After the events: each key was there before the first of them.
            keys = self._keys.get_keys({_find_owner(row) for row in rows})
            for row, (record, sealed) in zip(rows, records, strict=True):
                _check(row, record, sealed, keys)
        return [render_record(record) for record, _ in records]


def _read(row: _Row, expected: int) -> tuple[Record, bytes]:
    if row.position != expected:
        raise AlteredError(f"position {expected} is missing", expected)
    stored = StoredEvent(row.originator_id, row.originator_version, row.topic, row.state)
    try:
        return read_record(stored)
    except InvalidRecordError as error:
        raise AlteredError(f"there is no record at position {expected}", expected) from error


def _find_owner(row: _Row) -> UUID:
    """Return whose key seals an event: its case's, and the house's where that was destroyed."""
    owner: UUID = HOUSE_ID if row.topic == ERASURE_TOPIC else row.originator_id
    return owner


def _check(row: _Row, record: Record, sealed: bytes, keys: Mapping[UUID, bytes | None]) -> None:
    position, owner = row.position, _find_owner(row)
    if row.topic not in (TOPIC, ERASURE_TOPIC):
        raise AlteredError(f"the event at position {position} has no name of ours", position)
    if row.recorded_at != record.recorded_at:
        raise AlteredError(f"position {position} has another time than its record", position)
    if owner not in keys:
        raise AlteredError(f"the key of the event at position {position} is lost", position)
    key = keys[owner]
    if key is not None and not _is_committed(record, sealed, key):
        raise AlteredError(
            f"what is sealed at position {position} is not what its record commits to", position
        )


def _is_committed(record: Record, sealed: bytes, key: bytes) -> bool:
    try:
        seed, fields = unseal(key, record.event_id, sealed)
        return commit_fields(seed, fields) == record.commitments
    except (UnsealError, ValueError):
        return False
