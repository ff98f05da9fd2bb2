"""Records with what is sealed beside them: for whoever shows fields of an event with their salts.

The seed of an event opens all of its fields: it stays with whoever decides which are shown.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from msgspec import Struct
from sqlalchemy import Connection, select

from caseflow.domain.errors import AlteredError
from caseflow.formats.public_record import PublicRecord
from caseflow.formats.record import Record
from caseflow.formats.seal import UnsealError, unseal

from .keys import KeyStore
from .mapper import key_owner_of, read_record
from .publications import (
    OpenedPart,
    StoredPublication,
    list_cases,
    list_publications_at,
    unseal_publication,
)
from .tables import events


class OpenedEvent(Struct, frozen=True):
    """An event: its index in the full log, its record, the seed and the fields.

    seed: None where the key was destroyed; then there are no fields.
    """

    index: int
    record: Record
    seed: bytes | None
    fields: Mapping[str, Any]


class OpenedChange(Struct, frozen=True):
    """A public change: its record, the case that it is of, and what it says of which case.

    parts: none of a case whose key was destroyed.
    """

    record: PublicRecord
    case_id: UUID
    parts: Sequence[OpenedPart]

    @property
    def index(self) -> int:
        """Return its index in the public log."""
        return self.record.sequence - 1

    def find_part(self, name: str) -> OpenedPart | None:
        """Return what holds a field of this name; None where the change has none, or no longer."""
        return next((part for part in self.parts if name in part.fields), None)


class Discloser:
    """Opens what is sealed. Safe to use from several threads.

    Raises AlteredError where what is stored cannot be opened with the key that is there.
    """

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def list_events(self, connection: Connection, case_id: UUID) -> list[OpenedEvent]:
        """Return the events of a case, in order; none where there is no such case."""
        found = _list_stored(connection, case_id)
        keys = self._keys.get_keys({key_owner_of(stored) for _, stored in found})
        return [_open_event(index, stored, keys) for index, stored in found]

    def list_changes(self, connection: Connection, sequences: Iterable[int]) -> list[OpenedChange]:
        """Return the public changes with these sequence numbers, in order."""
        found = list_publications_at(connection, sequences)
        keys = self._keys.get_keys(list_cases(found))
        return [_open_change(stored, keys) for stored in found]


def _list_stored(connection: Connection, case_id: UUID) -> Sequence[tuple[int, StoredEvent]]:
    told = events.c
    query = select(told.position, told.originator_version, told.topic, told.state)
    rows = connection.execute(
        query.where(told.originator_id == case_id).order_by(told.originator_version)
    )
    return [
        (row.position - 1, StoredEvent(case_id, row.originator_version, row.topic, row.state))
        for row in rows
    ]


def _open_event(index: int, stored: StoredEvent, keys: Mapping[UUID, bytes | None]) -> OpenedEvent:
    record, sealed = read_record(stored)
    key = keys.get(key_owner_of(stored))
    if key is None:
        return OpenedEvent(index, record, None, {})
    try:
        return OpenedEvent(index, record, *unseal(key, record.event_id, sealed))
    except UnsealError as error:
        raise AlteredError(f"position {index + 1} cannot be opened", index + 1) from error


def _open_change(stored: StoredPublication, keys: Mapping[UUID, bytes | None]) -> OpenedChange:
    try:
        return OpenedChange(stored.record, stored.case_id, unseal_publication(stored, keys))
    except UnsealError as error:
        place = stored.record.sequence
        raise AlteredError(f"public change {place} cannot be opened", place) from error
