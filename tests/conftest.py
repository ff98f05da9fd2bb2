"""What all tests share: fresh databases of both kinds, and an environment that sets nothing."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, settings

from tests.databases import create_postgresql, run_postgresql, sqlite_url

TEST_SERVER = "CASEFLOW_TEST_DATABASE_URL"

# What takes longest begins first: begun last, a file would leave the other processes idle.
SLOW_FILES = (
    "test_persons.py", "test_reviews.py", "test_archives.py", "test_judgements.py",
    "test_verify.py", "test_browser.py", "test_stream.py", "test_public_view.py",
    "test_state_machine.py", "test_readers.py", "test_erasure.py", "test_bad_input.py",
    "test_inspection.py", "test_publisher.py", "test_pages.py", "test_orders.py",
    "test_schemathesis.py", "test_naive_replay.py", "test_kill.py", "test_crash.py",
)  # fmt: skip

# No measured times: a busy machine must not fail a property.
settings.register_profile(
    "caseflow", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("caseflow")


def pytest_configure() -> None:
    """Forget the settings of whoever runs the tests: a real deployment is never touched."""
    for variable in [name for name in os.environ if name.startswith("CASEFLOW_")]:
        if variable != TEST_SERVER:
            del os.environ[variable]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for a PostgreSQL server, so that `-m "not postgresql"` leaves it out."""
    for item in items:
        if {"postgresql_url", "postgresql_server_url"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("postgresql")
    items.sort(key=lambda item: _rank(item.path.name))


def _rank(file: str) -> int:
    return SLOW_FILES.index(file) if file in SLOW_FILES else len(SLOW_FILES)


@pytest.fixture(scope="session")
def postgresql_server_url() -> Iterator[str]:
    """A PostgreSQL server on which databases may be created; started on first use."""
    given = os.environ.get(TEST_SERVER)
    if given:
        yield given.replace("postgresql://", "postgresql+psycopg://", 1)
    else:
        with run_postgresql() as url:
            yield url


@pytest.fixture
def postgresql_url(postgresql_server_url: str) -> Iterator[str]:
    """A new, empty PostgreSQL database; dropped after the test."""
    with create_postgresql(postgresql_server_url) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_kind(request: pytest.FixtureRequest) -> str:
    """The kind of database that a test runs on: each test once on every kind."""
    return cast("str", request.param)


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new, empty database for the records; nothing is migrated yet."""
    if database_kind == "sqlite":
        return sqlite_url(tmp_path / "caseflow.db")
    return cast("str", request.getfixturevalue("postgresql_url"))


@pytest.fixture
def keys_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A new, empty database for the keys, apart from `database_url` and of the same kind."""
    if database_kind == "sqlite":
        yield sqlite_url(tmp_path / "caseflow-keys.db")
    else:
        with create_postgresql(request.getfixturevalue("postgresql_server_url")) as url:
            yield url
