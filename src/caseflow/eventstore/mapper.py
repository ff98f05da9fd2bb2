"""Event <-> stored event: names, versions, records and sealing.

A stored event's `state` is the time of recording (8 bytes), the packed record and the sealed part;
its `topic` is one name for all, so that the log does not tell what happened, but for erasures: what
is told of one is sealed under the key of the house, as that of the case is destroyed. The event's
own name and version are sealed: files and classes can be renamed, and upcasters bring old versions
up to date.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from eventsourcing.persistence import Mapper, StoredEvent

from caseflow.domain.errors import CaseflowError
from caseflow.domain.events import HOUSE_ID, RECORD_TYPES, Body, CaseErased, Erased, Event
from caseflow.domain.vocabulary import TYPES
from caseflow.formats.converting import convert
from caseflow.formats.record import Record, commit_values, encode_values, pack_body
from caseflow.formats.seal import draw_seeds, pack_state, seal_values, unpack_state, unseal

from .keys import KeyDestroyedError, KeyStore

TOPIC: Final = "sealed/1"
ERASURE_TOPIC: Final = "erased/1"
TIME_BYTES: Final = 8

Fields = dict[str, Any]
Upcaster = Callable[[Fields], Fields]

# The stored names: type code -> current version. Codes are never reused; a version goes up only
# where a stored form can no longer be read as it is, and then an upcaster goes beside it.
VERSIONS: Final[Mapping[str, int]] = dict.fromkeys((*TYPES, *RECORD_TYPES), 1)
# (type code, version) -> what turns the fields of that version into those of the next.
UPCASTERS: Final[Mapping[tuple[str, int], Upcaster]] = {}


class UnknownEventError(CaseflowError):
    """The log holds an event that this release does not know: it was written by a newer one."""


class MissingCaseKeyError(CaseflowError):
    """A case has events but never had a key here: this key store is not the one of this log."""


class SealedMapper(Mapper[UUID]):
    """Turns events into sealed stored events and back. Reads keys; they exist before any event."""

    def __init__(
        self,
        keys: KeyStore,
        *,
        versions: Mapping[str, int] = VERSIONS,
        upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._keys = keys
        self._versions = versions
        self._upcasters = upcasters
        self._random_bytes = random_bytes

    def to_stored_event(self, domain_event: Event) -> StoredEvent:  # type: ignore[override]
        """Return the event with its record and its values sealed under its case's key.

        Raises WithdrawnError where the key was destroyed.
        """
        return self.to_stored_events([domain_event])[0]

    def to_stored_events(self, events: Sequence[Event]) -> list[StoredEvent]:
        """Return the stored forms, in order; the keys are read together."""
        new = {event.originator_id for event in events if event.originator_version == 1}
        keys = self._keys_for({_sealed_for(event) for event in events}, new)
        drawn = draw_seeds(self._random_bytes, len(events))
        return [
            self._store(event, keys[_sealed_for(event)], *one)
            for event, one in zip(events, drawn, strict=True)
        ]

    def _keys_for(self, case_ids: set[UUID], new: set[UUID]) -> dict[UUID, bytes]:
        found = self._keys.get_keys(case_ids)
        destroyed = [case_id for case_id, key in found.items() if key is None]
        if destroyed:
            raise KeyDestroyedError(destroyed)
        missing = case_ids - found.keys()
        if missing - new:
            # A second key for a case would leave what was sealed under the first unreadable.
            raise MissingCaseKeyError(f"{len(missing - new)} cases have lost their key")
        # Durable before the event is: nothing is ever sealed under a key that could be lost.
        made = self._keys.create_keys(missing) if missing else {}
        return {case_id: key for case_id, key in found.items() if key is not None} | made

    def _store(self, event: Event, key: bytes, seed: bytes, nonce: bytes) -> StoredEvent:
        values = encode_values(self._fields(event))
        packed = pack_body(event.id, event.partner_id, commit_values(seed, values))
        sealed = seal_values(key, event.id, nonce, seed, values)
        state = event.recorded_at.to_bytes(TIME_BYTES, "big") + pack_state(packed, sealed)
        topic = ERASURE_TOPIC if isinstance(event.body, CaseErased) else TOPIC
        return StoredEvent(event.originator_id, event.originator_version, topic, state)

    def _fields(self, event: Event) -> Fields:
        fields: Fields = msgspec.to_builtins(event.body)
        fields["type"] = f"{event.type}/{self._versions[event.type]}"
        if event.hold is not None:
            fields["hold"] = event.hold
        if event.author is not None:
            fields["author"] = event.author
        if event.embargoed:
            fields["embargoed"] = True
        if event.key_id is not None:
            fields["key"] = str(event.key_id)
        return fields

    def to_domain_event(self, stored_event: StoredEvent) -> Event:
        """Return the event; its body is `Erased` where the key of its case was destroyed."""
        return self.to_domain_events([stored_event])[0]

    def to_domain_events(self, stored_events: Sequence[StoredEvent]) -> list[Event]:
        """Return the events, in order; the keys are read together.

        Raises MissingCaseKeyError where a case never had a key in this key store.
        """
        case_ids = {key_owner_of(stored) for stored in stored_events}
        keys = self._keys.get_keys(case_ids)
        # A key that was destroyed is known to have been there. Without that knowledge a lost key
        # store would look like an erasure of everything, and a rebuild would make it one.
        if len(keys) != len(case_ids):
            raise MissingCaseKeyError(
                f"{len(case_ids - keys.keys())} cases have no key: is it the right key store?"
            )
        return [self._load(stored, keys[key_owner_of(stored)]) for stored in stored_events]

    def _load(self, stored: StoredEvent, key: bytes | None) -> Event:
        record, sealed = read_record(stored)
        if key is None:
            return _event(record, Erased())
        _, fields = unseal(key, record.event_id, sealed)
        return self._read(record, fields)

    def _read(self, record: Record, fields: Fields) -> Event:
        name, _, version = str(fields.pop("type")).rpartition("/")
        hold, author = fields.pop("hold", None), fields.pop("author", None)
        embargoed, key = fields.pop("embargoed", False), fields.pop("key", None)
        key_id = UUID(key) if key is not None else None
        fields = self._upcast(name, int(version), fields)
        try:
            body = convert({"type": name, **fields}, Body)
        except msgspec.ValidationError:
            # Without its cause, which quotes what was sealed.
            raise UnknownEventError(f"an event named {name}/{version} has other fields") from None
        return _event(record, body, hold=hold, author=author, embargoed=embargoed, key_id=key_id)

    def _upcast(self, name: str, version: int, fields: Fields) -> Fields:
        current = self._versions.get(name)
        if current is None or version > current:
            raise UnknownEventError(f"an event named {name}/{version} is not known here")
        for step in range(version, current):
            fields = self._upcasters[name, step](fields)
        return fields


def _sealed_for(event: Event) -> UUID:
    return HOUSE_ID if isinstance(event.body, CaseErased) else event.originator_id


def key_owner_of(stored: StoredEvent) -> UUID:
    """Return the aggregate under whose key a stored event is sealed."""
    return HOUSE_ID if stored.topic == ERASURE_TOPIC else _case_of(stored)


def _case_of(stored: StoredEvent) -> UUID:
    # The library's type allows text; ours never is.
    found = stored.originator_id
    return found if isinstance(found, UUID) else UUID(found)


def read_record(stored: StoredEvent) -> tuple[Record, bytes]:
    """Return the record of a stored event and its sealed part; needs no key."""
    return unpack_state(
        stored.state[TIME_BYTES:],
        case_id=_case_of(stored),
        version=stored.originator_version,
        recorded_at=int.from_bytes(stored.state[:TIME_BYTES], "big"),
    )


def _event(record: Record, body: Body | Erased, **more: Any) -> Event:
    return Event(
        originator_id=record.case_id,
        originator_version=record.version,
        id=record.event_id,
        partner_id=record.partner_id,
        recorded_at=record.recorded_at,
        body=body,
        **more,
    )
