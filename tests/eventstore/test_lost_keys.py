"""A key store that is lost is noticed, and never taken for a new house or for an erasure."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from eventsourcing.persistence import OperationalError

from caseflow.bootstrap import House, list_newest_cases, migrate_house, open_house
from caseflow.cli.main import main
from caseflow.database import begin_write, make_engine
from caseflow.domain.times import parse_time
from caseflow.eventstore.files import find_database_file
from caseflow.eventstore.keys import (
    KeyStore,
    MissingKeyStoreError,
    case_keys,
    check_keys_for_log,
    secrets_table,
)
from caseflow.eventstore.mapper import MissingCaseKeyError
from caseflow.eventstore.schema import current_revision, migrate, migrate_keys
from caseflow.projections.rebuild import digest
from caseflow.settings import Settings
from tests.checks import check_house
from tests.houses import NOON, list_log, new_partner, new_settings, refusal_of, run_house

AT = parse_time(NOON)
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


@pytest.fixture
def settings(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Settings]:
    """Settings of a house without cases, on either database."""
    with new_settings(database_kind, request, tmp_path) as settings:
        yield settings


def remove_rows(settings: Settings, *statements: sa.Delete) -> None:
    """Make the key store what an older copy of it was."""
    engine = make_engine(settings.keys_url)
    with begin_write(engine) as connection:
        for statement in statements:
            connection.execute(statement)
    engine.dispose()


def remove_key(settings: Settings, case_id: UUID) -> None:
    remove_rows(settings, sa.delete(case_keys).where(case_keys.c.case_id == case_id))


def keys_file(settings: Settings) -> Path:
    path = find_database_file(settings.keys_url)
    assert path is not None
    return path


def public_rows(house: House) -> tuple[str, str]:
    with house.reader.snapshot() as snapshot:
        return snapshot.view_set, digest(snapshot.connection, snapshot.view_set)


# -- while the house runs -------------------------------------------------------------------------


def take_away(path: Path) -> None:
    """Move the file, and what SQLite keeps beside it, into another folder."""
    away = path.parent / "away"
    away.mkdir()
    for file in path.parent.glob(path.name + "*"):
        file.rename(away / file.name)


def put_back(path: Path) -> None:
    for file in path.parent.glob(path.name + "*"):
        file.unlink()
    for file in (path.parent / "away").iterdir():
        file.rename(path.parent / file.name)


def replace_by_another(path: Path) -> None:
    take_away(path)
    migrate_keys(f"sqlite:///{path}")


@SQLITE
@pytest.mark.parametrize("lose", [take_away, replace_by_another])
def test_no_case_is_opened_while_the_file_of_the_keys_is_gone(
    settings: Settings, lose: Callable[[Path], None]
) -> None:
    path = keys_file(settings)
    with run_house(settings) as house:
        desk = new_partner(house)
        case = desk.open("anonymous")
        lose(path)
        made = path.exists()
        assert isinstance(refusal_of(desk.submit_case()), OperationalError)
        for use in (
            lambda: house.keys.create_keys([uuid4()]),
            lambda: house.keys.get_keys([uuid4()]),
            lambda: house.keys.destroy_key(case, AT),
        ):
            with pytest.raises(OperationalError, match="moved, replaced or removed"):
                use()
        assert house.recorder.get_head().position == 1
        assert path.exists() == made
        # Back in its place it is as good as before.
        put_back(path)
        desk.open("anonymous")
        assert len(list_log(house)) == 2
        check_house(house)


@SQLITE
def test_the_file_is_looked_at_before_the_first_key_too(settings: Settings) -> None:
    engine = make_engine(settings.keys_url)
    keys = KeyStore(engine, bytes(32))
    assert keys.get_keys([uuid4()]) == {}  # the connection stays open in the pool
    replace_by_another(keys_file(settings))
    with pytest.raises(OperationalError, match="moved, replaced or removed"):
        keys.create_keys([uuid4()])
    engine.dispose()


@SQLITE
def test_a_file_that_goes_while_a_write_waits_gets_no_key(settings: Settings) -> None:
    engine = make_engine(settings.keys_url)
    keys = KeyStore(engine, bytes(32))
    keys.check()

    def begin(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        if statement == "BEGIN IMMEDIATE":
            take_away(keys_file(settings))

    sa.event.listen(engine, "before_cursor_execute", begin)
    with pytest.raises(OperationalError, match="moved, replaced or removed"):
        keys.create_keys([uuid4()])
    sa.event.remove(engine, "before_cursor_execute", begin)
    put_back(keys_file(settings))
    assert keys.list_case_ids() == []
    engine.dispose()


@SQLITE
def test_no_new_file_is_made_where_the_old_one_is_gone(settings: Settings) -> None:
    engine = make_engine(settings.keys_url)
    keys = KeyStore(engine, bytes(32))
    keys.create_keys([uuid4()])
    engine.dispose()
    take_away(keys_file(settings))
    for use in (keys.create_keys, keys.get_keys):
        with pytest.raises(OperationalError):
            use([uuid4()])
    assert not keys_file(settings).exists()


def test_a_store_that_was_emptied_meanwhile_takes_no_key(settings: Settings) -> None:
    with run_house(settings) as house:
        desk = new_partner(house)
        desk.open()
        remove_rows(settings, sa.delete(case_keys), sa.delete(secrets_table))
        assert isinstance(refusal_of(desk.submit_case()), MissingKeyStoreError)
        assert house.keys.list_case_ids() == []
        assert len(list_log(house)) == 1


# -- at start -------------------------------------------------------------------------------------


def test_a_house_with_a_log_does_not_open_on_an_empty_key_store(settings: Settings) -> None:
    with run_house(settings) as house:
        new_partner(house).open()
    remove_rows(settings, sa.delete(case_keys), sa.delete(secrets_table))
    settings.master_key_file.unlink()
    with (
        pytest.raises(MissingKeyStoreError, match="is empty, but the log holds events") as refusal,
        open_house(settings),
    ):
        pass
    assert str(sa.make_url(settings.keys_url).database) in refusal.value.detail
    assert not settings.master_key_file.exists()


def test_no_key_store_is_made_beside_a_log(
    settings: Settings, tmp_path: Path, keys_url: str
) -> None:
    """`keys_url` is that of a database without any table, or of a file that is not there."""
    with run_house(settings) as house:
        new_partner(house).open()
    lost = replace(settings, keys_url=keys_url)
    for start in (lambda: migrate_house(lost), lambda: open_house(lost).__enter__()):
        with pytest.raises(MissingKeyStoreError, match="is not there"):
            start()
    assert current_revision(keys_url) is None
    file = find_database_file(keys_url)
    assert file is None or not file.exists()
    with run_house(settings) as house:
        check_house(house)


def test_a_house_does_not_open_on_an_older_copy_of_its_keys(settings: Settings) -> None:
    with run_house(settings) as house:
        desk = new_partner(house)
        desk.open()
        newest = desk.open()
    remove_key(settings, newest)
    with (
        pytest.raises(MissingKeyStoreError, match="no key for 1 of the 2 newest cases"),
        open_house(settings),
    ):
        pass


def test_a_destroyed_key_is_not_a_missing_one(settings: Settings) -> None:
    with run_house(settings) as house:
        desk = new_partner(house)
        case, other = desk.open(), desk.open()
        desk.tell(other)
        house.keys.destroy_key(case, AT)
        nobody = uuid4()
        assert house.keys.find_missing([case, nobody, other, nobody]) == [nobody]
        assert house.keys.find_missing([]) == []
        assert list_newest_cases(house.engine, 9) == [other, other, case]
        assert list_newest_cases(house.engine, 1) == [other]
        check_keys_for_log(house.keys_engine, [case, other])
        with pytest.raises(MissingKeyStoreError):
            check_keys_for_log(house.keys_engine, [case, nobody])
    with run_house(settings) as house:
        assert len(list_log(house)) == 3


def test_of_thousands_of_cases_the_missing_are_found(settings: Settings) -> None:
    engine = make_engine(settings.keys_url)
    keys = KeyStore(engine, bytes(32))
    case_ids = sorted(uuid4() for _ in range(2_500))
    keys.create_keys(case_ids[:1_200] + case_ids[1_300:])
    assert keys.find_missing(reversed(case_ids)) == case_ids[1_200:1_300]
    engine.dispose()


# -- rebuilding -----------------------------------------------------------------------------------


def test_a_rebuild_without_all_keys_leaves_the_views_as_they_are(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The case is older than what is looked at when the house opens."""
    with run_house(settings) as house:
        desk = new_partner(house)
        old, erased = desk.open("anonymous"), desk.open("anonymous")
        desk.tell(old, "person.entered", visibility="public")
        house.keys.destroy_key(erased, AT)
        desk.open()
        before = public_rows(house)
    remove_key(settings, old)
    monkeypatch.setattr("caseflow.bootstrap.NEWEST_EVENTS", 1)
    monkeypatch.setenv("CASEFLOW_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("CASEFLOW_KEYS_URL", settings.keys_url)
    monkeypatch.setenv("CASEFLOW_MASTER_KEY_FILE", str(settings.master_key_file))
    monkeypatch.setenv("CASEFLOW_SIGNING_KEY_FILE", str(settings.signing_key_file))
    result = CliRunner().invoke(main, ["rebuild"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Error: 1 cases have no key" in result.stderr
    assert "Traceback" not in result.stderr
    with run_house(settings) as house:
        assert public_rows(house) == before
        with pytest.raises(MissingCaseKeyError):
            house.rebuild()
        assert public_rows(house) == before


# -- files ----------------------------------------------------------------------------------------


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("make", [migrate, migrate_keys])
def test_a_new_database_file_is_for_its_owner_alone(
    make: Callable[[str], None], tmp_path: Path
) -> None:
    path = tmp_path / "new.db"
    before = os.umask(0)
    try:
        make(f"sqlite:///{path}")
        engine = make_engine(f"sqlite:///{path}")
        with begin_write(engine) as connection:
            connection.execute(sa.text("CREATE TABLE more (id INTEGER)"))
        # The write-ahead log is there while a connection is.
        modes = {file.name: mode_of(file) for file in tmp_path.iterdir()}
        engine.dispose()
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("new.db", "new.db-wal", "new.db-shm"), 0o600)


def test_a_database_file_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    path.touch(mode=0o640)
    path.chmod(0o640)
    migrate_keys(f"sqlite:///{path}")
    migrate_keys(f"sqlite:///{path}")
    assert mode_of(path) == 0o640


def test_asking_for_the_schema_makes_no_file(tmp_path: Path) -> None:
    assert current_revision(f"sqlite:///{tmp_path}/none.db") is None
    assert list(tmp_path.iterdir()) == []


def test_only_sqlite_files_have_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_database_file("sqlite:///keys.db") == tmp_path / "keys.db"
    assert find_database_file(f"sqlite:///{tmp_path}/keys.db") == tmp_path / "keys.db"
    assert find_database_file("sqlite:///file:keys.db?uri=true") is None
    assert find_database_file("postgresql+psycopg://a@b/keys") is None
