"""The event-sourcing library's own tests of a recorder, on both databases."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from eventsourcing.tests.persistence import (
    AggregateRecorderTestCase,
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
    ProcessRecorderTestCase,
    TrackingRecorderTestCase,
)
from sqlalchemy import Engine

from caseflow.database import make_engine
from caseflow.eventstore.recorder import (
    SqlAggregateRecorder,
    SqlApplicationRecorder,
    SqlProcessRecorder,
    SqlTrackingRecorder,
)
from caseflow.eventstore.schema import migrate
from tests.databases import sqlite_url


def _migrated(url: str) -> Iterator[Engine]:
    migrate(url)
    engine = make_engine(url)
    yield engine
    while engine.pool.checkedout():  # type: ignore[attr-defined]
        time.sleep(0.01)  # The library's tests do not join their reading threads.
    engine.dispose()


class OnSqlite:
    @pytest.fixture(autouse=True)
    def _open(self, tmp_path: Path) -> Iterator[None]:
        for self.engine in _migrated(sqlite_url(tmp_path / "caseflow.db")):
            yield


class OnPostgresql:
    @pytest.fixture(autouse=True)
    def _open(self, postgresql_url: str) -> Iterator[None]:
        for self.engine in _migrated(postgresql_url):
            yield


class AggregateContract(AggregateRecorderTestCase):
    engine: Engine

    def create_recorder(self) -> SqlAggregateRecorder:
        return SqlAggregateRecorder(self.engine)


class ApplicationContract(ApplicationRecorderTestCase[SqlApplicationRecorder]):
    engine: Engine

    def create_recorder(self) -> SqlApplicationRecorder:
        return SqlApplicationRecorder(self.engine)

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TrackingContract(TrackingRecorderTestCase):
    engine: Engine

    def create_recorder(self) -> SqlTrackingRecorder:
        return SqlTrackingRecorder(self.engine)


class ProcessContract(ProcessRecorderTestCase):
    engine: Engine

    def create_recorder(self) -> SqlProcessRecorder:
        return SqlProcessRecorder(self.engine)


class NonInterleavingContract(NonInterleavingNotificationIDsBaseCase):
    engine: Engine

    def create_recorder(self) -> SqlApplicationRecorder:
        return SqlApplicationRecorder(self.engine)


class TestAggregateOnSqlite(OnSqlite, AggregateContract): ...


class TestAggregateOnPostgresql(OnPostgresql, AggregateContract): ...


class TestApplicationOnSqlite(OnSqlite, ApplicationContract): ...


class TestApplicationOnPostgresql(OnPostgresql, ApplicationContract): ...


class TestTrackingOnSqlite(OnSqlite, TrackingContract): ...


class TestTrackingOnPostgresql(OnPostgresql, TrackingContract): ...


class TestProcessOnSqlite(OnSqlite, ProcessContract): ...


class TestProcessOnPostgresql(OnPostgresql, ProcessContract): ...


class TestNonInterleavingOnSqlite(OnSqlite, NonInterleavingContract): ...


class TestNonInterleavingOnPostgresql(OnPostgresql, NonInterleavingContract): ...


# Abstract, and not to be collected: pytest takes every TestCase it finds in the module.
del AggregateContract, ApplicationContract, TrackingContract, ProcessContract
del NonInterleavingContract, AggregateRecorderTestCase, ApplicationRecorderTestCase
del ProcessRecorderTestCase, TrackingRecorderTestCase, NonInterleavingNotificationIDsBaseCase
