"""What was signed and is missing, or is not what it was, is found after a restore and named."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from caseflow.bootstrap import House
from caseflow.database import begin_write, make_engine
from caseflow.eventstore.backup import Exchange, copy_database
from caseflow.eventstore.files import find_database_file
from caseflow.eventstore.tables import events, log_head
from caseflow.inspection import CHECKS, inspect
from caseflow.settings import Settings
from tests.houses import new_partner, new_settings, run_house

LOGS = "signed checkpoints"


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Settings of an embedded house without cases."""
    with new_settings("sqlite", request, tmp_path) as settings:
        yield settings


def tell(settings: Settings, times: int) -> None:
    """Open a case and tell something public of it, so often, and have it signed."""
    with run_house(settings) as house:
        desk = new_partner(house)
        for _ in range(times):
            desk.tell(desk.open("anonymous"), "wanted.removed", visibility="public")
        house.publish()


def look(settings: Settings) -> dict[str, list[str]]:
    """Return the problems of each check that fails, but of those that were not carried out."""
    found = list(inspect(settings))
    assert [finding.check for finding in found] == list(CHECKS)
    return {
        finding.check.name: list(finding.outcome.problems)
        for finding in found
        if not finding.holds and finding.outcome.is_seen
    }


def main_file(settings: Settings) -> Path:
    file = find_database_file(settings.database_url)
    assert file is not None
    return file


def test_the_newest_copy_holds_all_that_was_signed(settings: Settings, tmp_path: Path) -> None:
    tell(settings, 3)
    copy_database(main_file(settings), tmp_path / "copy.db")
    Exchange(tmp_path / "copy.db", main_file(settings)).carry_out(0)
    assert look(settings) == {}
    tell(settings, 1)
    assert look(settings) == {}


def test_yesterdays_copy_after_more_was_signed_is_a_fork(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is done on top of it, and with other events in their place it is one as well."""
    tell(settings, 3)
    copy_database(main_file(settings), tmp_path / "copy.db")
    tell(settings, 2)
    Exchange(tmp_path / "copy.db", main_file(settings)).carry_out(0)
    with monkeypatch.context() as patch:
        patch.setattr(House, "apply_ledger", lambda _: pytest.fail("it was applied"))
        found = look(settings)
    assert list(found) == [LOGS]
    full, public = found[LOGS]
    assert "the full log" in full
    assert "6 records, and 10 were signed" in full
    assert "the public log" in public
    assert "3 records, and 5 were signed" in public
    # Whoever goes on all the same.
    tell(settings, 3)
    full, public = look(settings)[LOGS]
    assert "the full log: the 10 records that were signed are not what is stored now" in full
    assert "the public log: the 5 records that were signed are not what is stored now" in public


def test_under_another_name_the_log_begins_anew(settings: Settings, tmp_path: Path) -> None:
    tell(settings, 2)
    copy_database(main_file(settings), tmp_path / "copy.db")
    tell(settings, 1)
    Exchange(tmp_path / "copy.db", main_file(settings)).carry_out(0)
    assert list(look(settings)) == [LOGS]
    anew = replace(settings, log_origin="cases.example.org/v1/log/2")
    assert look(anew) == {}
    tell(anew, 1)
    assert look(anew) == {}


def test_an_event_that_was_rewritten_as_a_whole_is_found(settings: Settings) -> None:
    """Its author, which nothing else vouches for."""
    tell(settings, 3)
    engine = make_engine(settings.database_url)
    with begin_write(engine) as connection:
        connection.exec_driver_sql("DROP TRIGGER events_update")
        where = events.c.position == 3
        state = bytearray(connection.execute(select(events.c.state).where(where)).scalar_one())
        state[40] ^= 1
        connection.execute(update(events).where(where).values(state=state))
    engine.dispose()
    (problem,) = look(settings)[LOGS]
    assert "the full log" in problem


def test_an_end_that_was_cut_off_is_found(settings: Settings) -> None:
    """With all that tells of it in the main database."""
    tell(settings, 3)
    engine = make_engine(settings.database_url)
    with begin_write(engine) as connection:
        connection.exec_driver_sql("DROP TRIGGER events_delete")
        connection.execute(delete(events).where(events.c.position > 5))
        at = connection.scalar(select(events.c.recorded_at).where(events.c.position == 5))
        connection.execute(update(log_head).values(position=5, recorded_at=at))
    engine.dispose()
    assert "5 records, and 6 were signed" in look(settings)[LOGS][0]
