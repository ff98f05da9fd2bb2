"""The records of both logs as others hash them, checked against all that is stored beside them.

For whoever proves a log: a record is rendered from its row anew each time, never kept. What a
record does not hold, and yet decides what is read (the time that is searched by, the sealed part),
is compared with it, so that nobody can change one of them and leave the other.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from sqlalchemy import Connection, func, select

from caseflow.domain.errors import AlteredError, CaseflowError
from caseflow.formats.public_record import PUBLIC, render_public_record
from caseflow.formats.record import InvalidRecordError, Record, commit_values, render_record
from caseflow.formats.seal import unseal_values

from .keys import KeyStore
from .mapper import ERASURE_TOPIC, TOPIC, key_owner_of, read_record
from .publications import (
    StoredPublication,
    find_last_sequence,
    list_cases,
    list_publications,
    list_publications_at,
    open_values,
)
from .recorder import LogGapError, read_head
from .tables import events


class EventRecords:
    """The records of all events, by position. Safe to use from several threads."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def get_size(self, connection: Connection) -> int:
        """Return how many records there are. Raises AlteredError where that is not sure."""
        told = read_head(connection).position
        last = connection.scalar(select(func.max(events.c.position))) or 0
        if told != last:
            raise AlteredError(f"it should end at position {told}, and ends at {last}")
        return told

    def read(
        self, connection: Connection, after: int, limit: int, *, check: bool = True
    ) -> list[bytes]:
        """Return records, canonical bytes, in the order of the log from after a position.

        check: whether each is compared with what is stored beside it; where the key of its case
        was destroyed, the record alone is left. Raises AlteredError: a position is missing, or what
        is stored at one does not agree.
        """
        found = [_read(row, after + n) for n, row in enumerate(_list(connection, after, limit), 1)]
        if check:
            # After the events: each key was there before the first of them.
            keys = self._keys.get_keys({key_owner_of(one.stored) for one in found})
            for one in found:
                _check(one, keys)
        return [render_record(one.record) for one in found]


class _Found(NamedTuple):
    position: int
    stored: StoredEvent
    recorded_at: int
    record: Record
    sealed: bytes


class _Row(NamedTuple):
    position: int
    originator_id: UUID
    originator_version: int
    topic: str
    recorded_at: int
    state: bytes


def _list(connection: Connection, after: int, limit: int) -> Iterable[_Row]:
    columns = (events.c[name] for name in _Row._fields)
    position = events.c.position
    query = select(*columns).where(position > after, position <= after + limit).order_by(position)
    return (_Row(*row) for row in connection.execute(query))


def _read(row: _Row, expected: int) -> _Found:
    if row.position != expected:
        raise AlteredError(f"position {expected} is missing", expected)
    stored = StoredEvent(row.originator_id, row.originator_version, row.topic, row.state)
    try:
        record, sealed = read_record(stored)
    except (InvalidRecordError, TypeError) as error:
        raise AlteredError(f"there is no record at position {expected}", expected) from error
    return _Found(row.position, stored, row.recorded_at, record, sealed)


def _check(one: _Found, keys: dict[UUID, bytes | None]) -> None:
    position, owner = one.position, key_owner_of(one.stored)
    if one.stored.topic not in (TOPIC, ERASURE_TOPIC):
        raise AlteredError(f"the event at position {position} has no name of ours", position)
    if one.recorded_at != one.record.recorded_at:
        raise AlteredError(f"position {position} has another time than its record", position)
    if owner not in keys:
        raise AlteredError(f"the key of the event at position {position} is lost", position)
    key = keys[owner]
    if not agrees(one.record, one.sealed, key):
        raise AlteredError(
            f"what is sealed at position {position} is not what its record commits to", position
        )


def agrees(record: Record, sealed: bytes, key: bytes | None) -> bool:
    """Return whether what is sealed is what its record commits to; key: None once destroyed.

    Then the record alone is left, and there is nothing to compare it with.
    """
    if key is None:
        return True
    try:
        return commit_values(*unseal_values(key, record.event_id, sealed)) == record.commitments
    except (CaseflowError, ValueError):
        return False


class PublicationRecords:
    """The records of all public changes, by sequence. Safe to use from several threads."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def get_size(self, connection: Connection) -> int:
        """Return how many records there are."""
        return find_last_sequence(connection)

    def read(
        self, connection: Connection, after: int, limit: int, *, check: bool = True
    ) -> list[bytes]:
        """Return records, canonical bytes, in the order of publication from after a sequence.

        check: as in `EventRecords.read`. Raises AlteredError: a sequence number is missing, or what
        is stored at one does not agree.
        """
        found = _list_publications(connection, after, limit)
        if check:
            keys = self._keys.get_keys(list_cases(found))
            for one in found:
                _check_publication(one, keys)
        return [render_public_record(one.record) for one in found]


def _list_publications(
    connection: Connection, after: int, limit: int
) -> Sequence[StoredPublication]:
    try:
        return list_publications(connection, after, limit)
    except LogGapError as error:
        raise AlteredError(f"number {error.expected} is missing", error.expected) from error
    except InvalidRecordError as error:
        place = next(n for n in range(after + 1, after + limit + 1) if _is_broken(connection, n))
        raise AlteredError(f"there is no record at number {place}", place) from error


def _is_broken(connection: Connection, sequence: int) -> bool:
    try:
        list_publications_at(connection, [sequence])
    except InvalidRecordError:
        return True
    return False


def _check_publication(one: StoredPublication, keys: dict[UUID, bytes | None]) -> None:
    sequence = one.record.sequence
    if not list_cases([one]) <= keys.keys():
        raise AlteredError(f"the key of the change at number {sequence} is lost", sequence)
    if not agrees_publicly(one, keys):
        raise AlteredError(
            f"what is sealed at number {sequence} is not what its record commits to", sequence
        )


def agrees_publicly(one: StoredPublication, keys: Mapping[UUID, bytes | None]) -> bool:
    """Return whether what is sealed of a public change is what its record commits to.

    keys: of `list_cases`, None for those destroyed.
    """
    if not list_cases([one]) <= keys.keys():
        return False
    try:
        opened = open_values(one, keys)
        found = [c for _, seed, values in opened for c in commit_values(seed, values)]
    except (CaseflowError, ValueError):
        return False
    if any((PUBLIC in values) != (case_id == one.case_id) for case_id, _, values in opened):
        return False
    if any(keys[case_id] is None for case_id in list_cases([one])):
        return set(found) <= set(one.record.commitments)
    # An erasure withdraws with changes that commit to nothing and seal nothing.
    return tuple(sorted(found)) == one.record.commitments
