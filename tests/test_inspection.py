"""A sound house passes every check and is left as it was; each damage is found and named."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pytest
from sqlalchemy import Connection, delete, select, text, update

from caseflow import inspection
from caseflow.bootstrap import House
from caseflow.database import begin_read, begin_write, make_engine
from caseflow.domain.commands import ChangeConsent
from caseflow.domain.events import CaseErased, Consent, Erased, Event
from caseflow.eventstore import integrity
from caseflow.eventstore.backup import Exchange, copy_database
from caseflow.eventstore.erasure import Grounds
from caseflow.eventstore.files import find_database_file
from caseflow.eventstore.keys import case_keys
from caseflow.eventstore.ledger import Ledger, LedgerError, LedgerLine
from caseflow.eventstore.publications import publications
from caseflow.eventstore.tables import events, log_head
from caseflow.inspection import CHECKS, Finding, inspect
from caseflow.projections.partner.status import partner_status
from caseflow.projections.public.history import public_events
from caseflow.settings import Settings
from tests.checks import check_house, dump_tables
from tests.houses import (
    GIVE_UP_SECONDS,
    list_log,
    list_shown,
    new_partner,
    new_settings,
    run_house,
)

GROUNDS = Grounds(reason="The person asked for it.", legal_basis="Withdrawal of consent")
NAMES = [check.name for check in CHECKS]
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
POSTGRESQL = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
# What migrations made since 0008.


class Deployment(NamedTuple):
    """A house that was left: its settings, and its cases."""

    settings: Settings
    cases: list[UUID]

    def change(self, *statements: object) -> None:
        """Do something to the main database that caseflow never would."""
        engine = make_engine(self.settings.database_url)
        with begin_write(engine) as connection:
            _drop_triggers(connection)
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]
        engine.dispose()

    def change_keys(self, *statements: object) -> None:
        engine = make_engine(self.settings.keys_url)
        with begin_write(engine) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]
        engine.dispose()

    def find_state(self, position: int) -> bytes:
        engine = make_engine(self.settings.database_url)
        with begin_read(engine) as connection:
            found = connection.scalar(select(events.c.state).where(events.c.position == position))
        engine.dispose()
        assert found is not None
        return found

    def dump(self) -> tuple[bytes, bytes]:
        """Return every value of both databases."""
        dumps = []
        for url in (self.settings.database_url, self.settings.keys_url):
            engine = make_engine(url)
            with begin_read(engine) as connection:
                dumps.append(dump_tables(connection))
            engine.dispose()
        return dumps[0], dumps[1]


def _drop_triggers(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        for table in ("events", "publications"):
            for name in ("insert", "update", "delete"):
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_{name}")
    else:
        for table in ("events", "publications"):
            connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")


@pytest.fixture
def deployment(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Deployment]:
    """Three cases and nine events, some of them public, on either database."""
    with new_settings(database_kind, request, tmp_path) as settings:
        yield Deployment(settings, fill(settings))


def fill(settings: Settings) -> list[UUID]:
    with run_house(settings) as house:
        desk = new_partner(house)
        cases = [desk.open("anonymous") for _ in range(3)]
        for case in cases:
            desk.tell(case, "wanted.removed", visibility="public")
        # Now each set has rows, and soon those of the one that is not live are old.
        house.rebuild()
        for case in cases:
            desk.tell(case, "person.entered", visibility="partners")
        return cases


def look(deployment: Deployment) -> dict[str, Finding]:
    found = list(inspect(deployment.settings))
    assert [finding.check for finding in found] == list(CHECKS)
    return {finding.check.name: finding for finding in found}


def failed(found: dict[str, Finding]) -> dict[str, str]:
    """Return the first problem of each check that fails, but of those that were not carried out."""
    return {
        name: finding.outcome.problems[0]
        for name, finding in found.items()
        if not finding.holds and finding.outcome.is_seen
    }


# -- sound houses ---------------------------------------------------------------------------------


def test_a_sound_house_passes_and_is_left_as_it_was(deployment: Deployment) -> None:
    before = deployment.dump()
    found = look(deployment)
    assert failed(found) == {}
    assert all(finding.holds for finding in found.values())
    assert found["order of the log"].outcome.note == "9 events"
    assert deployment.dump() == before


def test_a_log_is_looked_at_to_its_end(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integrity, "_BATCH", 2)
    assert failed(look(deployment)) == {}
    _flip(deployment, 8, -60)
    _flip(deployment, 9, -60)
    problems = look(deployment)["records"].outcome.problems
    assert problems == [f"the event at position {at} was altered" for at in (8, 9)]
    deployment.change_keys(update(case_keys).values(wrapped=bytes(60)))
    assert len(look(deployment)["key files"].outcome.problems) == 3


def test_an_empty_house_passes(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with new_settings(database_kind, request, tmp_path) as settings:
        found = look(Deployment(settings, []))
        assert all(finding.holds for finding in found.values()), failed(found)


def test_nobody_writes_and_nothing_is_served_while_it_is_checked(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(House, "start", lambda _: pytest.fail("the house was started"))
    assert failed(look(deployment)) == {}


# -- the log --------------------------------------------------------------------------------------


def test_a_missing_event_is_named(deployment: Deployment) -> None:
    deployment.change(delete(events).where(events.c.position == 5))
    found = failed(look(deployment))
    assert list(found) == ["order of the log"]
    assert found["order of the log"] == "position 5 is missing: position 6 follows 4"


def test_a_missing_end_shows_in_the_head(deployment: Deployment) -> None:
    deployment.change(delete(events).where(events.c.position == 9))
    found = failed(look(deployment))
    assert found == {"order of the log": "the head of the log is at 9, the last event at 8"}


def test_an_end_cut_off_with_its_head_shows_in_the_views(deployment: Deployment) -> None:
    last = select(events.c.recorded_at).where(events.c.position == 8).scalar_subquery()
    deployment.change(
        delete(events).where(events.c.position == 9),
        update(log_head).values(position=8, recorded_at=last),
    )
    assert list(failed(look(deployment))) == ["views"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"recorded_at": 7}, "position 5 was recorded before the position before it"),
        ({"originator_version": 9}, "version 9 where 2 should be"),
        ({"position": 50}, "position 5 is missing: position 6 follows 4"),
    ],
)
def test_what_is_out_of_order_is_named(
    deployment: Deployment, change: dict[str, int], problem: str
) -> None:
    deployment.change(update(events).where(events.c.position == 5).values(change))
    found = failed(look(deployment))
    assert list(found) == ["order of the log"]
    assert problem in found["order of the log"]


@pytest.mark.parametrize("byte", [0, 7])
def test_another_time_in_the_record_is_found(deployment: Deployment, byte: int) -> None:
    _flip(deployment, 5, byte)
    found = failed(look(deployment))
    assert found["order of the log"] == "position 5 has another time in its record"


@pytest.mark.parametrize("place", [8, 100, -60])
def test_a_flipped_bit_of_an_event_is_named(deployment: Deployment, place: int) -> None:
    """In the record, in what it commits to, and in what is sealed."""
    _flip(deployment, 5, place)
    found = failed(look(deployment))
    assert found == {"records": "the event at position 5 was altered"}


def test_another_author_of_an_event_shows_in_the_views(deployment: Deployment) -> None:
    """Nothing that is sealed says who told it; the tree of the log does."""
    _flip(deployment, 5, 40)
    assert "views" in failed(look(deployment))


def _flip(deployment: Deployment, position: int, byte: int) -> None:
    state = bytearray(deployment.find_state(position))
    state[byte] ^= 1
    deployment.change(update(events).where(events.c.position == position).values(state=state))


def test_a_missing_public_change_is_named(deployment: Deployment) -> None:
    columns = publications.c
    deployment.change(delete(publications).where(columns.sequence == 2))
    found = failed(look(deployment))
    assert found == {"records": "public change 2 is missing: 3 comes next"}


@pytest.mark.parametrize("place", [40, -1])
def test_an_altered_public_change_is_named(deployment: Deployment, place: int) -> None:
    engine = make_engine(deployment.settings.database_url)
    columns = publications.c
    with begin_read(engine) as connection:
        found = connection.scalar(select(columns.state).where(columns.sequence == 2))
    engine.dispose()
    assert found is not None
    state = bytearray(found)
    state[place] ^= 1
    deployment.change(update(publications).where(columns.sequence == 2).values(state=state))
    assert failed(look(deployment)) == {"records": "public change 2 was altered"}


def test_many_problems_are_counted(deployment: Deployment) -> None:
    deployment.change(update(events).values(recorded_at=8 - events.c.position))
    problems = look(deployment)["order of the log"].outcome.problems
    assert len(problems) == 6
    assert problems[-1].startswith("and ")


# -- the keys -------------------------------------------------------------------------------------


def test_a_missing_key_is_named(deployment: Deployment) -> None:
    lost = deployment.cases[1]
    deployment.change_keys(delete(case_keys).where(case_keys.c.case_id == lost))
    found = failed(look(deployment))
    assert found == {"keys of the cases": f"1 of 3 cases have no key here, the first {lost}"}


def test_an_altered_key_is_named(deployment: Deployment) -> None:
    altered = deployment.cases[1]
    deployment.change_keys(
        update(case_keys).where(case_keys.c.case_id == altered).values(wrapped=bytes(60))
    )
    found = failed(look(deployment))
    assert found == {"key files": f"the key of case {altered} does not open"}


def test_the_key_store_of_another_house_is_found(
    deployment: Deployment, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """With its own master key as well."""
    folder = tmp_path / "other"
    folder.mkdir()
    with new_settings("sqlite", request, folder) as other:
        fill(other)
        mine = deployment.settings
        with_its_keys = replace(mine, keys_url=other.keys_url)
        found = failed(look(Deployment(with_its_keys, [])))
        assert list(found) == ["keys of the cases"]
        assert found["keys of the cases"].startswith("3 of 3 cases have no key here")
        with_both = replace(with_its_keys, master_key_file=other.master_key_file)
        assert failed(look(Deployment(with_both, []))) == found


@SQLITE
def test_an_empty_key_store_is_found_and_not_given_a_key(
    deployment: Deployment, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    with new_settings("sqlite", request, folder) as other:
        with_empty = replace(
            deployment.settings, keys_url=other.keys_url, master_key_file=other.master_key_file
        )
        before = Deployment(with_empty, []).dump()
        found = failed(look(Deployment(with_empty, [])))
        assert found == {"keys of the cases": "the key store is empty, and the log holds events"}
        assert Deployment(with_empty, []).dump() == before
        assert not other.master_key_file.exists()


def test_another_master_key_is_found(deployment: Deployment) -> None:
    file = deployment.settings.master_key_file
    file.write_text("A" * 43 + "=\n")
    assert list(failed(look(deployment))) == ["key files"]
    file.unlink()
    found = failed(look(deployment))
    assert list(found) == ["key files"]
    assert "is missing" in found["key files"]
    assert not file.exists()


# -- files and schemas ----------------------------------------------------------------------------


@SQLITE
@pytest.mark.parametrize("store", ["main database", "key store"])
def test_a_database_that_is_not_there_is_told_and_not_made(
    deployment: Deployment, store: str
) -> None:
    settings = deployment.settings
    file = find_database_file(
        settings.database_url if store == "main database" else settings.keys_url
    )
    assert file is not None
    file.unlink()
    assert failed(look(deployment)) == {store: "there is none, or it is empty"}
    assert not file.exists()


@SQLITE
@pytest.mark.parametrize("store", ["main database", "key store"])
def test_a_damaged_file_is_found(deployment: Deployment, store: str) -> None:
    settings = deployment.settings
    file = find_database_file(
        settings.database_url if store == "main database" else settings.keys_url
    )
    assert file is not None
    whole = file.read_bytes()
    data = bytearray(whole)
    for page in range(4096, len(data), 4096):
        data[page : page + 100] = bytes(100)
    file.write_bytes(data)
    assert list(failed(look(deployment))) == [store]
    file.write_bytes(b"no database" * 1_000)
    assert list(failed(look(deployment))) == [store]


@POSTGRESQL
def test_on_a_server_an_older_schema_is_told(deployment: Deployment) -> None:
    deployment.change(text("UPDATE alembic_version SET version_num = '0001_events'"))
    found = failed(look(deployment))
    assert list(found) == ["schema"]
    assert "run `caseflow migrate`" in found["schema"]


@SQLITE
def test_an_embedded_database_of_an_older_release_is_migrated_first(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a migration leaves it: the views are to be made anew, and the public log with them."""
    done: list[str] = []

    def migrate_main(url: str) -> None:
        done.append(url)
        deployment.change(delete(publications), update(log_head).values(view_set="none"))

    monkeypatch.setattr(inspection, "migrate", migrate_main)
    monkeypatch.setattr(inspection, "migrate_keys", done.append)
    assert failed(look(deployment)) == {}
    assert done == [deployment.settings.database_url, deployment.settings.keys_url]


# -- what was signed, and the ledger --------------------------------------------------------------


def test_what_differs_from_what_was_signed_is_told_and_nothing_is_done_on_top(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    Ledger(deployment.settings.ledger_file).append([erasure(deployment.cases[0])])
    monkeypatch.setattr(House, "check_logs", lambda _: ["3 events that were signed are missing"])
    monkeypatch.setattr(House, "apply_ledger", lambda _: pytest.fail("it was applied"))
    found = look(deployment)
    assert failed(found) == {"signed checkpoints": "3 events that were signed are missing"}
    assert "fork" in found["signed checkpoints"].check.meaning
    assert not found["ledger"].holds


def erasure(case_id: UUID) -> LedgerLine:
    return LedgerLine(at=0, kind="erasure", case_id=case_id, event_id=None)


def test_the_ledger_is_applied_before_the_views_are_compared(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    Ledger(deployment.settings.ledger_file).append([erasure(deployment.cases[0])])

    def apply(house: House) -> int:
        with house.write() as connection:
            connection.execute(delete(partner_status["b"]))
        return 1

    monkeypatch.setattr(House, "apply_ledger", apply)
    found = look(deployment)
    assert found["ledger"].outcome.note == "1 withdrawals and erasures were repeated"
    assert list(failed(found)) == ["views"]


@SQLITE
def test_what_was_taken_back_since_the_copy_is_taken_back_again(
    deployment: Deployment, tmp_path: Path
) -> None:
    """An erasure, and a claim that is no longer public; then nothing is left to be done."""
    settings = deployment.settings
    erased, changed, kept = deployment.cases
    file = find_database_file(settings.database_url)
    assert file is not None
    copy_database(file, tmp_path / "copy.db")
    with run_house(settings) as house:
        desk, admins = (
            new_partner(house, "events:write", "review"),
            [new_partner(house, "admin") for _ in range(2)],
        )
        for admin in admins:
            asked = house.erasures.request(admin.caller, erased, GROUNDS)
            asked.result(GIVE_UP_SECONDS)
        house.finish_erasures()
        consent = Consent(publish="none", basis="own")
        desk.act(ChangeConsent, changed, consent=consent)
        shown = list_shown(house)
    Exchange(tmp_path / "copy.db", file).carry_out(0)
    found = look(deployment)
    assert failed(found) == {}
    assert found["ledger"].outcome.note == "2 withdrawals and erasures were repeated"
    with run_house(settings) as house:
        assert list_shown(house) == shown
        assert {event.originator_id for _, event in list_log(house) if is_readable(event)} == {
            changed,
            kept,
        }
        check_house(house)
    assert look(deployment)["ledger"].outcome.note == "0 withdrawals and erasures were repeated"


def is_readable(event: Event) -> bool:
    return not isinstance(event.body, Erased | CaseErased)


def test_a_ledger_that_cannot_be_applied_is_told(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    Ledger(deployment.settings.ledger_file).append([erasure(deployment.cases[0])])

    def apply(house: House) -> int:
        raise LedgerError("line 7 of the ledger is damaged")

    monkeypatch.setattr(House, "apply_ledger", apply)
    assert failed(look(deployment)) == {"ledger": "line 7 of the ledger is damaged"}


def test_a_ledger_that_is_missing_is_told(deployment: Deployment) -> None:
    """Until it is put back, or an empty one says that it is lost."""
    deployment.settings.ledger_file.unlink()
    for _ in range(2):
        found = failed(look(deployment))
        assert list(found) == ["ledger"]
        assert "ledger.ndjson is not there" in found["ledger"]
    deployment.settings.ledger_file.touch()
    assert failed(look(deployment)) == {}


# -- the views ------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", [public_events, partner_status], ids=lambda t: t.name)
def test_an_altered_view_is_named(deployment: Deployment, table: object) -> None:
    live = partner_status["b"] if table is partner_status else public_events["b"]
    deployment.change(delete(live).where(live.c[0] == select(live.c[0]).limit(1).scalar_subquery()))
    before = deployment.dump()
    found = look(deployment)
    name = live.name.removesuffix("_b")
    assert found["views"].outcome.problems == [f"{name} differs from what the log makes"]
    assert "caseflow rebuild" in found["views"].check.advice
    assert list(failed(found)) == ["views"]
    assert deployment.dump() == before
    with run_house(deployment.settings) as house:
        house.rebuild()
    assert failed(look(deployment)) == {}


def test_all_that_depends_on_a_failed_check_fails(deployment: Deployment) -> None:
    """What could not be looked at is never taken for sound."""
    deployment.settings.master_key_file.unlink()
    found = look(deployment)
    assert [name for name, finding in found.items() if not finding.holds] == NAMES[5:]
