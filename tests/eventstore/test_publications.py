"""Public changes as they were made: recorded once, sealed for their case, and final."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, text
from sqlalchemy.exc import DBAPIError

from caseflow.bootstrap import House
from caseflow.database import begin_read, begin_write
from caseflow.domain.commands import ChangeConsent, RetractClaim
from caseflow.domain.events import Consent
from caseflow.eventstore.mapper import read_record
from caseflow.eventstore.publications import (
    Publications,
    StoredPublication,
    find_last_sequence,
    list_publications,
    list_publications_at,
    publications,
    unseal_publication,
)
from caseflow.eventstore.recorder import LogGapError, list_events
from caseflow.formats.record import commit_fields
from caseflow.formats.seal import UnsealError, unseal
from tests.checks import check_house
from tests.houses import Desk, list_log, new_partner, new_settings, run_house


@pytest.fixture
def house(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> Iterator[House]:
    """A running house without cases."""
    with new_settings(database_kind, request, tmp_path) as settings, run_house(settings) as house:
        yield house


@pytest.fixture
def desk(house: House) -> Desk:
    """A partner with a public name."""
    return new_partner(house, public_name="Press")


def stored(house: House) -> list[StoredPublication]:
    with begin_read(house.engine) as connection:
        return list_publications(connection, 0, 1_000)


def test_each_public_change_is_recorded_with_the_event_that_made_it(
    house: House, desk: Desk
) -> None:
    case = desk.open("anonymous")
    claim = desk.tell(case, visibility="public")
    desk.tell(case, visibility="partners")
    taken_back = desk.act(RetractClaim, case, claim_id=claim, reason="false")
    found = stored(house)
    told = [(one.record.sequence, one.position, one.record.kind) for one in found]
    assert told == [(1, 2, "published"), (2, 4, "withdrawn")]
    assert [one.record.entry_id for one in found] == [claim, taken_back]
    assert {one.record.event_id for one in found} == {claim}
    times = {position: event.recorded_at for position, event in list_log(house)}
    assert [one.record.published_at for one in found] == [times[2], times[4]]
    with begin_read(house.engine) as connection:
        assert find_last_sequence(connection) == 2
        assert list_publications_at(connection, [2]) == found[1:]
        assert list_publications(connection, 1, 10) == found[1:]
    check_house(house)


def test_the_record_commits_to_what_is_sealed(house: House, desk: Desk) -> None:
    case = desk.open("anonymous")
    desk.tell(case, visibility="public", place="Almaty")
    (one,) = stored(house)
    ((of, seed, fields),) = unseal_publication(one, house.keys.get_keys([case]))
    assert of == case
    assert commit_fields(seed, fields) == one.record.commitments
    assert fields["public"]["claim"]["place"] == "Almaty"
    assert (fields["public"]["case"], fields["public"]["partner"]) == (str(case), "Press")


def test_what_is_not_public_is_not_in_the_public_part(house: House, desk: Desk) -> None:
    case = desk.open("anonymous", subject={"birth_year": 1990})
    desk.tell(case, visibility="public", private_note="secret", external_id="own")
    (one,) = stored(house)
    ((_, _, fields),) = unseal_publication(one, house.keys.get_keys([case]))
    public = fields["public"]
    assert set(public) == {
        "case", "code", "version", "labels", "host_state", "partner", "takes_back", "claim",
        "headline",
    }  # fmt: skip
    assert set(public["claim"]) == {"type", "occurred", "jurisdiction"}


def test_neither_sealed_part_opens_in_the_place_of_the_other(house: House, desk: Desk) -> None:
    """A claim and its entry have one id, which is the additional data of both."""
    case = desk.open("anonymous")
    claim = desk.tell(case, visibility="public")
    (one,) = stored(house)
    key = house.keys.get_keys([case])[case] or b""
    with begin_read(house.engine) as connection:
        _, sealed = read_record(list_events(connection, case)[1])
    (part,) = one.sealed
    with pytest.raises(UnsealError):
        unseal(key, claim, part.data)
    with pytest.raises(UnsealError):
        unseal_publication(one._replace(sealed=(part._replace(data=sealed),)), {case: key})


def test_one_event_may_make_several_changes(house: House, desk: Desk) -> None:
    case = desk.open("none")
    for day in ("2025-05-01", "2025-05-02"):
        desk.tell(case, "asylum.claim_made", day, visibility="public")
    assert stored(house) == []
    desk.act(ChangeConsent, case, consent=Consent(publish="anonymous", basis="own"))
    assert [(one.record.sequence, one.position) for one in stored(house)] == [(1, 4), (2, 4)]
    with begin_read(house.engine) as connection:
        read = Publications(house.keys).read(connection, 4, 4)
        assert [change.sequence for change in read] == [1, 2]
        assert Publications(house.keys).read(connection, 1, 3) == []
        assert Publications(house.keys).find_last_position(connection) == 4
    check_house(house)


def test_a_log_from_before_gets_its_publications_when_the_views_are_made_anew(
    house: House, desk: Desk
) -> None:
    case = desk.open("anonymous")
    claim = desk.tell(case, visibility="public")
    desk.act(RetractClaim, case, claim_id=claim, reason="false")
    before = stored(house)
    with begin_write(house.engine) as connection:
        forget_all(connection)
    house.rebuild(is_new=True)
    after = stored(house)
    assert [(p.record.entry_id, p.record.kind, p.position) for p in after] == [
        (p.record.entry_id, p.record.kind, p.position) for p in before
    ]
    # Once they are there, they are repeated.
    house.rebuild(is_new=True)
    assert stored(house) == after
    check_house(house)


def forget_all(connection: Connection) -> None:
    """Leave the table as the migration made it."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("ALTER TABLE publications DISABLE TRIGGER USER"))
        connection.execute(text("TRUNCATE publications"))
        for trigger in ("publications_change", "publications_truncate"):
            connection.execute(text(f"ALTER TABLE publications ENABLE ALWAYS TRIGGER {trigger}"))
    else:
        connection.execute(text("DROP TRIGGER publications_delete"))
        connection.execute(text("DELETE FROM publications"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE publications SET published_at = 0",
        "DELETE FROM publications",
        "TRUNCATE publications",
        "INSERT OR REPLACE INTO publications SELECT * FROM publications",
        "INSERT INTO publications SELECT sequence, 9, case_id, 9, state FROM publications"
        " WHERE true ON CONFLICT (sequence) DO UPDATE SET position = 9",
    ],
    ids=["update", "delete", "truncate", "replace", "upsert"],
)
def test_a_publication_is_never_changed(house: House, desk: Desk, statement: str) -> None:
    desk.tell(desk.open("anonymous"), visibility="public")
    before = stored(house)
    with pytest.raises(DBAPIError), begin_write(house.engine) as connection:
        connection.execute(text(statement))
    assert stored(house) == before


def test_a_hole_is_noticed(house: House, desk: Desk) -> None:
    case = desk.open("anonymous")
    desk.tell(case, visibility="public")
    with begin_write(house.engine) as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text("DROP TRIGGER publications_insert"))
        row = connection.execute(publications.select()).one()._asdict()
        connection.execute(insert(publications).values({**row, "sequence": 3}))
    with pytest.raises(LogGapError):
        stored(house)
