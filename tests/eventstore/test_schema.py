"""The migrations make the tables that the code describes, once, whoever runs them."""

import multiprocessing
from typing import Any
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from eventsourcing.persistence import StoredEvent
from sqlalchemy import Engine, MetaData, inspect, text

from caseflow.database import make_engine
from caseflow.eventstore.keys import metadata as keys_metadata
from caseflow.eventstore.recorder import SqlApplicationRecorder
from caseflow.eventstore.schema import (
    SchemaOutdatedError,
    check_schema,
    current_revision,
    migrate,
    migrate_keys,
    migrations_path,
)
from caseflow.eventstore.tables import metadata
from caseflow.proof.checkpoints import metadata as checkpoints_metadata
from caseflow.proof.tile_store import metadata as tiles_metadata

SPAWN = multiprocessing.get_context("spawn")
GIVE_UP_SECONDS = 60


def differences(engine: Engine, described: MetaData) -> list[Any]:
    """What the database lacks of the tables described, or has different in them."""

    def is_described(_: object, name: str | None, kind: str, *__: object) -> bool:
        return kind != "table" or name in described.tables

    options = {"include_object": is_described, "compare_server_default": True}
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, described))


def migrate_together(url: str, barrier: Any) -> None:
    barrier.wait(GIVE_UP_SECONDS)
    migrate(url)


def set_revision(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))


def test_the_migrated_schema_is_the_one_described(engine: Engine) -> None:
    assert differences(engine, metadata) == []
    assert differences(engine, tiles_metadata) == []


def test_the_migrated_key_store_is_the_one_described(keys_url: str) -> None:
    migrate_keys(keys_url)
    engine = make_engine(keys_url)
    found = differences(engine, keys_metadata) + differences(engine, checkpoints_metadata)
    engine.dispose()
    assert found == []


def test_an_empty_database_is_refused_with_the_command_to_run(database_url: str) -> None:
    assert current_revision(database_url) is None
    with pytest.raises(SchemaOutdatedError, match="caseflow migrate"):
        check_schema(database_url)


def test_a_migrated_database_is_accepted(database_url: str) -> None:
    migrate(database_url)
    check_schema(database_url)
    assert current_revision(database_url) is not None


def test_an_older_database_is_refused(database_url: str, engine: Engine) -> None:
    set_revision(engine, "0001_events")
    with pytest.raises(SchemaOutdatedError) as refusal:
        check_schema(database_url)
    assert refusal.value.current == "0001_events"


def test_a_newer_database_is_accepted(database_url: str, engine: Engine) -> None:
    """The previous release keeps working while and after a migration runs."""
    set_revision(engine, "9999_from_tomorrow")
    check_schema(database_url)


def test_a_second_migration_changes_nothing(database_url: str, engine: Engine) -> None:
    recorder = SqlApplicationRecorder(engine)
    recorder.insert_events([StoredEvent(uuid4(), 1, "sealed", b"")])
    migrate(database_url)
    assert recorder.get_head().position == recorder.max_notification_id() == 1


def test_processes_may_migrate_at_once(database_url: str) -> None:
    barrier = SPAWN.Barrier(3)
    processes = [
        SPAWN.Process(target=migrate_together, args=(database_url, barrier)) for _ in "123"
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(GIVE_UP_SECONDS)
        assert process.exitcode == 0
    check_schema(database_url)


def test_a_failed_migration_leaves_nothing_behind(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError

    with monkeypatch.context() as patch:
        patch.setattr("alembic.runtime.migration.HeadMaintainer.update_to_step", fail)
        with pytest.raises(KeyError):
            migrate(database_url)
    engine = make_engine(database_url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()
    migrate(database_url)


def test_the_key_store_has_its_tables_and_no_other(keys_url: str) -> None:
    migrate_keys(keys_url)
    migrate_keys(keys_url)
    engine = make_engine(keys_url)
    inspector = inspect(engine)
    tables = {
        table: {column["name"]: column["nullable"] for column in inspector.get_columns(table)}
        for table in inspector.get_table_names()
        if table != "alembic_version"
    }
    engine.dispose()
    assert tables == {
        "case_keys": {"case_id": False, "wrapped": True, "created_at": False, "destroyed_at": True},
        "secrets": {"name": False, "wrapped": False},
        "log_checkpoints": {
            "origin": False, "log": False, "size": False, "root": False, "note": False,
            "signed_at": False, "started_at": False, "halted": True,
        },
        "log_cosigned": {"origin": False, "size": False, "note": False},
        "signing_key": {"id": False, "public_key": False},
    }  # fmt: skip


def test_the_migrations_are_found() -> None:
    assert {"main", "keys"} <= {entry.name for entry in migrations_path().iterdir()}
