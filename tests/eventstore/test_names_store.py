"""What things are called: one space of own ids per partner, one code per case."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Connection
from sqlalchemy import exc as sa_exc

from caseflow.database import begin_write, make_engine
from caseflow.eventstore.names import (
    Named,
    find_case_by_code,
    find_external_ids,
    record_case_codes,
    record_external_ids,
)
from tests.houses import new_settings

ONE = Named(UUID(int=1), UUID(int=2), b"c" * 32)
OTHER = Named(UUID(int=1), UUID(int=3), b"d" * 32)


@pytest.fixture
def connection(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Connection]:
    """A connection to a database without names."""
    with new_settings(database_kind, request, tmp_path) as settings:
        engine = make_engine(settings.database_url)
        with begin_write(engine) as connection:
            yield connection
        engine.dispose()


def test_what_was_named_is_found_by_its_digest(connection: Connection) -> None:
    named = {b"\0" * 32: ONE, b"\xff" * 32: OTHER}
    record_external_ids(connection, named)
    assert find_external_ids(connection, [*named, b"x" * 32, b"\0" * 32]) == named
    assert find_external_ids(connection, [b"x" * 32]) == {}
    assert find_external_ids(connection, []) == {}


def test_a_digest_names_one_thing_for_good(connection: Connection) -> None:
    record_external_ids(connection, {b"\0" * 32: ONE})
    with pytest.raises(sa_exc.IntegrityError), connection.begin_nested():
        record_external_ids(connection, {b"\0" * 32: OTHER})
    assert find_external_ids(connection, [b"\0" * 32]) == {b"\0" * 32: ONE}


def test_a_code_is_of_one_case(connection: Connection) -> None:
    record_case_codes(connection, {"KZ-7Q3K-9F2M": UUID(int=1)})
    assert find_case_by_code(connection, "KZ-7Q3K-9F2M") == UUID(int=1)
    assert find_case_by_code(connection, "kz-7q3k-9f2m") is None
    with pytest.raises(sa_exc.IntegrityError), connection.begin_nested():
        record_case_codes(connection, {"KZ-7Q3K-9F2M": UUID(int=2)})


def test_nothing_to_name_is_no_statement(connection: Connection) -> None:
    record_external_ids(connection, {})
    record_case_codes(connection, {})
