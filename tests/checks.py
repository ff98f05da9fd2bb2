"""A whole house verified at once; scenarios end by calling `check_house`.

Nothing is left behind: the views are made again in the set that is not live, inside a transaction
that is undone.
"""

import base64
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, inspect, select

from caseflow.bootstrap import House
from caseflow.database import begin_read, connect_for_writing
from caseflow.domain.events import HOUSE_ID
from caseflow.domain.public_changes import PublicChange
from caseflow.eventstore.mapper import ERASURE_TOPIC, TIME_BYTES, TOPIC, key_owner_of, read_record
from caseflow.eventstore.names import case_codes, external_ids
from caseflow.eventstore.publications import Publications, list_publications
from caseflow.eventstore.recorder import list_events, lock_head, read_head
from caseflow.eventstore.records import EventRecords, PublicationRecords
from caseflow.eventstore.tables import events
from caseflow.formats.public_record import parse_public_record, render_public_record
from caseflow.formats.record import commit_fields, parse_record, render_record
from caseflow.formats.seal import unseal
from caseflow.projections.partner.figures import partner_figures
from caseflow.projections.projector import HouseProjector
from caseflow.projections.rebuild import (
    Replay,
    digest,
    empty,
    list_rows,
    other_set,
    read_told,
)
from caseflow.projections.view import registered

# Not the size of a rebuild's batches: how events are gathered must not show in the rows.
FOLDED_TOGETHER: Final = 7


def check_house(house: House, *canaries: str) -> None:
    """Assert all that must hold of a house whenever nobody is writing.

    Positions are without a hole and times never run backwards; each case has the versions 1 to n;
    each case has a key, and each record commits to exactly what is sealed beside it; own ids and
    codes name what is there; the views are equal to those made again from the first event; no
    public table holds any of the canaries, in any spelling that a search can find.
    """
    with begin_read(house.engine) as connection:
        check_order(connection)
        check_names(connection)
        check_records(house, connection)
        check_logs(house, connection)
        check_public_tables(connection, *canaries)
    check_views(house)


def check_order(connection: Connection) -> None:
    """Assert that positions, times and versions are as the log promises."""
    head, last, versions = read_head(connection), 0, defaultdict[UUID, int](int)
    query = select(events).order_by(events.c.position)
    for expected, row in enumerate(connection.execute(query), start=1):
        assert row.position == expected, f"position {row.position} where {expected} should be"
        assert row.recorded_at >= last, f"time runs backwards at position {expected}"
        assert row.topic in (TOPIC, ERASURE_TOPIC)
        assert int.from_bytes(row.state[:TIME_BYTES], "big") == row.recorded_at
        versions[row.originator_id] += 1
        assert row.originator_version == versions[row.originator_id], f"at position {expected}"
        last = row.recorded_at
    assert (head.position, head.recorded_at) == (sum(versions.values()), last)


def check_records(house: House, connection: Connection) -> None:
    """Assert that each case has a key and that each record is of what is sealed beside it."""
    case_ids = set(connection.scalars(select(events.c.originator_id)))
    keys = house.keys.get_keys({*case_ids, HOUSE_ID})
    assert keys.keys() - {HOUSE_ID} == case_ids - {HOUSE_ID}, "a case never had a key"
    for case_id in case_ids:
        for stored in list_events(connection, case_id):
            record, sealed = read_record(stored)
            key = keys[key_owner_of(stored)]
            assert parse_record(render_record(record)) == record
            if key is not None:
                seed, fields = unseal(key, record.event_id, sealed)
                assert commit_fields(seed, fields) == record.commitments, record.event_id


def check_logs(house: House, connection: Connection) -> None:
    """Assert that every record of both logs agrees with what is stored beside it, erased or not."""
    for source in (EventRecords(house.keys), PublicationRecords(house.keys)):
        size = source.get_size(connection)
        assert len(source.read(connection, 0, size + 1)) == size


def check_names(connection: Connection) -> None:
    """Assert that own ids and codes name what is in the log, and each case has one code."""
    recorded: dict[UUID, set[UUID]] = defaultdict(set)
    for case_id in set(connection.scalars(select(events.c.originator_id))):
        recorded[case_id] = {read_record(s)[0].event_id for s in list_events(connection, case_id)}
    for row in connection.execute(select(external_ids)):
        assert row.event_id in recorded[row.case_id]
    coded = list(connection.scalars(select(case_codes.c.case_id)))
    # Figures, and what halts publication, are of no case.
    figures = partner_figures[read_head(connection).view_set]
    others = {HOUSE_ID, *connection.scalars(select(figures.c.figure_id))}
    assert sorted(coded) == sorted(c for c, found in recorded.items() if found and c not in others)


# -- views ----------------------------------------------------------------------------------------


def check_views(house: House) -> None:
    """Assert that the live views are equal, row for row, to views made again from the log.

    Once with the public changes as they were made, and once as if all events were new: then the
    same changes must be made again.
    """
    publications = Publications(house.keys)
    with connect_for_writing(house.engine) as connection:
        head = lock_head(connection)
        told = publications.read(connection, 0, head.position)
        check_publications(connection)
        for log in (publications, None):
            changes = fold_log(house, connection, other_set(head.view_set), log)
            assert not changes or changes == told
            for table in registered:
                live = list(list_rows(connection, table, head.view_set))
                again = list(list_rows(connection, table, other_set(head.view_set)))
                assert live == again, table.name
            if any(change.is_erased for change in told):
                # What was erased cannot be found out again.
                break
        assert digest(connection, head.view_set) == digest(connection, other_set(head.view_set))
        connection.rollback()


def check_publications(connection: Connection) -> None:
    """Assert that public changes are numbered without a hole, each with its record."""
    found = list_publications(connection, 0, 1_000_000)
    assert [stored.record.sequence for stored in found] == list(range(1, len(found) + 1))
    assert len({stored.record.entry_id for stored in found}) == len(found)
    positions = [stored.position for stored in found]
    assert positions == sorted(positions)
    for stored in found:
        assert parse_public_record(render_public_record(stored.record)) == stored.record


def fold_log(
    house: House, connection: Connection, view_set: str, public_log: Publications | None
) -> list[PublicChange]:
    """Write the views of all events into a set; return the public changes that are new.

    public_log: the changes that were made; None to find out anew which those are.
    """
    empty(connection, view_set)
    replay, position, changes = Replay(), 0, []
    while batch := house.reader.read_log(connection, position, FOLDED_TOGETHER):
        told = read_told(connection, public_log, batch) if public_log else None
        projector = HouseProjector(connection, view_set, told)
        for position, event in batch:
            replay.take_in(projector, position, event)
        projector.flush()
        changes += projector.changes
    return changes


# -- what may not be found ------------------------------------------------------------------------


def check_public_tables(connection: Connection, *canaries: str) -> None:
    """Assert that no public table, live or not, holds a canary."""
    names = [name for name in list_tables(connection) if name.startswith("public_")]
    assert len(names) >= 2 * sum(t.name.startswith("public_") for t in registered)
    for name in names:
        check_absent(dump_table(connection, name), canaries, name)


def check_absent(data: bytes, canaries: Sequence[str], where: str) -> None:
    """Assert that bytes hold no canary in any spelling."""
    found = find_canaries(data, canaries)
    assert not found, f"{where} holds {found}"


def find_canaries(data: bytes, canaries: Sequence[str]) -> list[tuple[str, str]]:
    """Return each canary that bytes hold, and in which spelling."""
    lower = data.lower()
    return [
        (canary, spelling)
        for canary in canaries
        for spelling, needle in spellings_of(canary)
        # Hexadecimal digits and escapes come in both cases; base64 does not.
        if (needle in data if spelling.startswith("base64") else needle.lower() in lower)
    ]


def spellings_of(text: str) -> Iterator[tuple[str, bytes]]:
    """Yield the bytes that a text may be found as, each with the name of the spelling.

    In base64, whatever stands before the text shifts it: of each shift the part that is the
    text's alone. UTF-16 is searched in either order of bytes.
    """
    plain = text.encode()
    assert len(plain) >= 6, "what is shorter is found in random bytes by chance"
    yield "utf-8", plain
    yield "utf-16-le", text.encode("utf-16-le")
    yield "utf-16-be", text.encode("utf-16-be")
    yield "escaped", json.dumps(text)[1:-1].encode()
    yield "hex", plain.hex().encode()
    for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            encoded = alphabet(b"\0" * shift + plain)
            # The first characters mix with what is before, the last two with what follows.
            yield f"base64+{shift}", encoded.rstrip(b"=")[(0, 2, 3)[shift] : -2]


def dump_tables(connection: Connection) -> bytes:
    """Return every value of every table of a database, as bytes."""
    return b"\n".join(dump_table(connection, name) for name in list_tables(connection))


def list_tables(connection: Connection) -> list[str]:
    """Return the names of all tables, whoever made them."""
    return inspect(connection).get_table_names()


def dump_table(connection: Connection, name: str) -> bytes:
    """Return every value of a table, texts in UTF-8 and bytes as they are."""
    rows = connection.exec_driver_sql(f'SELECT * FROM "{name}"')
    return b"\n".join(_as_bytes(value) for row in rows for value in row)


def _as_bytes(value: Any) -> bytes:
    if isinstance(value, bytes | memoryview):
        return bytes(value)
    return value.bytes if isinstance(value, UUID) else str(value).encode()
