"""What must hold of the log and of the key store, looked at row by row; nothing is changed.

Each function returns what is wrong, in words that quote nothing sealed, and nothing where all is
well. After many of a kind the rest is counted.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from sqlalchemy import Connection, Engine, Row, Select, exists, func, select

from caseflow.database import begin_read, wrapped_errors
from caseflow.domain.errors import CaseflowError
from caseflow.domain.events import HOUSE_ID

from .keys import KeyStore, find_missing_keys, is_store_empty
from .mapper import ERASURE_TOPIC, TIME_BYTES, key_owner_of, read_record
from .publications import list_cases, list_publications
from .recorder import LogGapError
from .records import agrees, agrees_publicly
from .tables import events, log_head
from .wrapping import WrongMasterKeyError

SHOWN: Final = 5
_BATCH: Final = 2_000
_ORDER: Final = select(
    events.c.position,
    events.c.originator_id,
    events.c.originator_version,
    events.c.recorded_at,
    func.substr(events.c.state, 1, TIME_BYTES).label("time"),
)
_STORED: Final = select(events)


def check_database(engine: Engine) -> list[str]:
    """Return what SQLite finds wrong in its file. PostgreSQL has programs of its own for that."""
    if engine.dialect.name != "sqlite":
        return []
    with wrapped_errors(), begin_read(engine) as connection:
        found = list(connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars())
    return [] if found == ["ok"] else _shorten(str(problem) for problem in found)


def check_order(connection: Connection) -> list[str]:
    """Return where the log is not as the recorder writes it.

    Positions are 1 to n, and n is the head; times never run backwards; the versions of a case are
    1, 2, 3 … in the order of the log.
    """
    return _shorten(_find_disorder(connection))


def _find_disorder(connection: Connection) -> Iterator[str]:
    position, recorded_at, versions = 0, 0, defaultdict[UUID, int](int)
    for row in _list_rows(connection, _ORDER):
        if row.position != position + 1:
            yield f"position {position + 1} is missing: position {row.position} follows {position}"
        if row.recorded_at < recorded_at:
            yield f"position {row.position} was recorded before the position before it"
        if int.from_bytes(row.time, "big") != row.recorded_at:
            yield f"position {row.position} has another time in its record"
        expected = versions[row.originator_id] + 1
        if row.originator_version != expected:
            told = f"version {row.originator_version} where {expected} should be"
            yield f"position {row.position} is of case {row.originator_id}, {told}"
        position, recorded_at = row.position, row.recorded_at
        versions[row.originator_id] = row.originator_version
    yield from _check_head(connection, position, recorded_at)


def _check_head(connection: Connection, position: int, recorded_at: int) -> Iterator[str]:
    head = connection.execute(select(log_head.c.position, log_head.c.recorded_at)).one_or_none()
    if head is None:
        yield "the log has no head"
    elif head.position != position:
        yield f"the head of the log is at {head.position}, the last event at {position}"
    elif head.recorded_at != recorded_at:
        yield "the head of the log has another time than the last event"


def _list_rows(connection: Connection, query: Select[Any]) -> Iterator[Row[Any]]:
    """Yield rows of events in log order; the query has the position among its columns."""
    column, after = events.c.position, 0
    query = query.order_by(column).limit(_BATCH)
    while batch := connection.execute(query.where(column > after)).all():
        yield from batch
        after = batch[-1].position


def check_case_keys(connection: Connection, keys_engine: Engine) -> list[str]:
    """Return which cases of the log have neither a key nor the place of one that was destroyed.

    A key store that was lost, is another one, or older than the log, shows here.
    """
    found = set(connection.scalars(select(events.c.originator_id).distinct()))
    if connection.scalar(select(exists().where(events.c.topic == ERASURE_TOPIC))):
        # What tells of an erasure is sealed under the key of the house.
        found.add(HOUSE_ID)
    if found and is_store_empty(keys_engine):
        return ["the key store is empty, and the log holds events"]
    missing = find_missing_keys(keys_engine, found)
    if not missing:
        return []
    return [f"{len(missing)} of {len(found)} cases have no key here, the first {missing[0]}"]


def check_wrapping(keys: KeyStore) -> list[str]:
    """Return which keys the master key does not open: altered ones, or those of another store."""
    return _shorten(_find_closed(keys))


def _find_closed(keys: KeyStore) -> Iterator[str]:
    case_ids = keys.list_case_ids()
    for start in range(0, len(case_ids), _BATCH):
        batch = case_ids[start : start + _BATCH]
        if not _opens(keys, batch):
            closed = (case_id for case_id in batch if not _opens(keys, [case_id]))
            yield from (f"the key of case {case_id} does not open" for case_id in closed)


def _opens(keys: KeyStore, case_ids: Sequence[UUID]) -> bool:
    try:
        keys.get_keys(case_ids)
    except WrongMasterKeyError:
        return False
    return True


def check_records(connection: Connection, keys: KeyStore) -> list[str]:
    """Return which events cannot be read, or are not what their record commits to.

    Of an erased case nothing but the record is there to be looked at. Every case has a key, or had
    one.
    """
    return _shorten(_find_unreadable(connection, keys))


def _find_unreadable(connection: Connection, keys: KeyStore) -> Iterator[str]:
    for row in _list_rows(connection, _STORED):
        stored = StoredEvent(row.originator_id, row.originator_version, row.topic, row.state)
        if not _is_sound(stored, _get_key(keys, key_owner_of(stored))):
            yield f"the event at position {row.position} was altered"


def _get_key(keys: KeyStore, case_id: UUID) -> bytes | None:
    """Return a key, None where it was destroyed; the keys were looked at before."""
    return keys.get_keys([case_id])[case_id]


def _is_sound(stored: StoredEvent, key: bytes | None) -> bool:
    try:
        record, sealed = read_record(stored)
    except CaseflowError:
        return False
    return agrees(record, sealed, key)


def check_publications(connection: Connection, keys: KeyStore) -> list[str]:
    """Return where the public changes have a hole, or are not what their records commit to."""
    return _shorten(_find_unreadable_publications(connection, keys))


def _find_unreadable_publications(connection: Connection, keys: KeyStore) -> Iterator[str]:
    after = 0
    try:
        while batch := list_publications(connection, after, _BATCH):
            for stored in batch:
                if not agrees_publicly(stored, keys.get_keys(list_cases([stored]))):
                    yield f"public change {stored.record.sequence} was altered"
            after = batch[-1].record.sequence
    except LogGapError as error:
        yield f"public change {error.expected} is missing: {error.found} comes next"
    except ValueError:
        yield f"one of the public changes after {after} was altered: it is no record"


def _shorten(problems: Iterator[str]) -> list[str]:
    found: Sequence[str] = list(problems)
    more = len(found) - SHOWN
    return [*found[:SHOWN], *([f"and {more} more"] if more > 0 else [])]
