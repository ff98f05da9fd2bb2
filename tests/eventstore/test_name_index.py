"""The index of names: keyed hashes that lead to near names, for those who may see them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, select

from caseflow.bootstrap import House
from caseflow.database import begin_read, begin_write
from caseflow.domain.case import Case
from caseflow.eventstore.name_index import (
    DIGEST_BYTES,
    delete_names,
    digest_names,
    digest_wanted_names,
    find_near_names,
    name_index,
    record_names,
)
from caseflow.eventstore.partners import Caller
from caseflow.eventstore.rehearsal import Rehearsal
from caseflow.eventstore.wrapping import KeyedHash
from tests.houses import Desk, answer_of, list_events_of, new_partner, new_settings, run_house

ONE, OTHER, THIRD = UUID(int=1), UUID(int=2), UUID(int=3)
SHARED = {"publish": "none", "basis": "own", "share": True}


@pytest.fixture
def house(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """A running house without cases."""
    with new_settings(database_kind, request, tmp_path) as settings, run_house(settings) as house:
        yield house


@pytest.fixture
def connection(house: House) -> Iterator[Connection]:
    """A connection in a transaction."""
    with begin_write(house.engine) as connection:
        yield connection


def digests(*numbers: int) -> set[bytes]:
    return {bytes([number]) * DIGEST_BYTES for number in numbers}


def subject(*names: str) -> dict[str, Any]:
    told = [{"text": name, "language": "ru", "kind": "primary"} for name in names]
    return {"subject": {"names": told}}


def look_up(house: House, caller: Caller, *names: str) -> set[UUID]:
    """Return the cases that a caller's search for names meets."""
    wanted = house.cases.digest_wanted_names(caller, names)
    with begin_read(house.engine) as connection:
        return set(find_near_names(connection, wanted, limit=100))


def list_rows(house: House) -> set[tuple[bytes, UUID]]:
    with begin_read(house.engine) as connection:
        return {(bytes(row.digest), row.case_id) for row in connection.execute(select(name_index))}


def get_case(house: House, case_id: UUID) -> Case:
    case = Case.from_events(list_events_of(house, case_id))
    assert case is not None
    return case


# -- the table ------------------------------------------------------------------------------------


def test_cases_that_share_most_come_first(connection: Connection) -> None:
    record_names(connection, {ONE: digests(1, 2), OTHER: digests(1, 2, 3), THIRD: digests(4)})
    assert find_near_names(connection, digests(1, 2, 3), limit=9) == [OTHER, ONE]
    assert find_near_names(connection, digests(1, 2, 3), limit=1) == [OTHER]
    assert find_near_names(connection, digests(1, 4), limit=9) == [ONE, OTHER, THIRD]


def test_what_is_excluded_takes_nobodys_place(connection: Connection) -> None:
    record_names(connection, {ONE: digests(1), OTHER: digests(1, 2)})
    excluded = frozenset([OTHER])
    assert find_near_names(connection, digests(1, 2), excluded=excluded, limit=1) == [ONE]


def test_new_digests_take_the_place_of_a_cases_old_ones(connection: Connection) -> None:
    record_names(connection, {ONE: digests(1, 2), OTHER: digests(1)})
    record_names(connection, {ONE: digests(2, 3)})
    assert find_near_names(connection, digests(1), limit=9) == [OTHER]
    assert find_near_names(connection, digests(3), limit=9) == [ONE]
    record_names(connection, {ONE: digests()})
    assert find_near_names(connection, digests(1, 2, 3), limit=9) == [OTHER]


def test_a_cases_rows_can_be_deleted(connection: Connection) -> None:
    record_names(connection, {ONE: digests(1, 2), OTHER: digests(1)})
    delete_names(connection, [ONE])
    assert connection.scalars(select(name_index.c.case_id)).all() == [OTHER]
    delete_names(connection, [])
    assert find_near_names(connection, digests(), limit=9) == []


# -- what is recorded -----------------------------------------------------------------------------


def test_a_case_is_found_from_its_opening_on(house: House) -> None:
    desk = new_partner(house)
    case = desk.open(**subject("Семён Бажуков"))
    other = desk.open(**subject("Пётр Коробов", "Pyotr Korobov"))
    desk.open()
    assert look_up(house, desk.caller, "Bazukov Semyon") == {case}
    assert look_up(house, desk.caller, "Петро Коробов") == {other}
    assert look_up(house, desk.caller, "Семён Коробов") == set()
    # Posted again: nothing is added.
    rows = list_rows(house)
    told = {**subject("Ян Цой"), "external_id": "again"}
    assert answer_of(desk.submit_case(**told)).created
    more = list_rows(house)
    assert rows < more
    assert not answer_of(desk.submit_case(**told)).created
    assert list_rows(house) == more


def test_what_is_not_shared_is_met_by_its_partner_and_restricted_readers_alone(
    house: House,
) -> None:
    desk, other = new_partner(house), new_partner(house)
    reader = new_partner(house, "events:write", "restricted:read")
    case = desk.open(**subject("Семён Бажуков"))

    def met() -> list[set[UUID]]:
        return [look_up(house, who.caller, "Semen Bazukov") for who in (desk, other, reader)]

    assert met() == [{case}, set(), {case}]
    shared = desk.open(consent=SHARED, **subject("Семён Бажуков"))
    named = desk.open("name", **subject("Семён Бажуков"))
    assert met() == [{case, shared, named}, {shared, named}, {case, shared, named}]


def test_an_amended_case_is_found_as_it_is_now(house: House) -> None:
    desk = new_partner(house)
    case_id = desk.open(**subject("Семён Бажуков"))
    keyed_hash = KeyedHash(house.keys.get_secret("lookup"))
    amended = get_case(house, case_id)
    amended.subject = get_case(house, desk.open(**subject("Пётр Коробов"))).subject
    found = digest_names(keyed_hash, amended)
    house.writer.submit(lambda session: session.index_names(case_id, found)).result(60)
    assert look_up(house, desk.caller, "Семён Бажуков") == set()
    assert case_id in look_up(house, desk.caller, "Пётр Коробов")


def test_a_rehearsal_records_no_names(house: House) -> None:
    desk = new_partner(house)
    rehearsed = Desk(house.cases.rehearsing(Rehearsal(house.reader, house.clock)), desk.caller)
    rehearsed.open(**subject("Семён Бажуков"))
    assert list_rows(house) == set()


def test_rows_tell_nothing_without_the_secret(house: House) -> None:
    """Another deployment's hashes of the same names for the same partner are all different."""
    desk = new_partner(house)
    case = get_case(house, desk.open(**subject("Семён Бажуков")))
    rows = {digest for digest, _ in list_rows(house)}
    lookup = KeyedHash(house.keys.get_secret("lookup"))
    assert rows == digest_names(lookup, case)
    assert {len(digest) for digest in rows} == {DIGEST_BYTES}
    elsewhere = KeyedHash(bytes(32))
    assert rows.isdisjoint(digest_names(elsewhere, case))
    assert rows.isdisjoint(digest_wanted_names(elsewhere, desk.caller, ["Семён Бажуков"]))


def test_equal_names_of_two_partners_have_unequal_rows_but_for_restricted_readers(
    house: House,
) -> None:
    keyed_hash = KeyedHash(house.keys.get_secret("lookup"))
    first, second = (
        digest_names(keyed_hash, get_case(house, new_partner(house).open(**subject("Ян Цой"))))
        for _ in "12"
    )
    assert len(first - second) == len(second - first) == len(first & second) > 0
    other = new_partner(house).caller
    assert digest_wanted_names(keyed_hash, other, ["Ян Цой"]).isdisjoint(first | second)
