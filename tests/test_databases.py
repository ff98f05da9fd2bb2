"""The databases that tests are given are real, empty, and gone afterwards."""

from sqlalchemy import create_engine, inspect, make_url, text

from tests.databases import create_postgresql


def test_a_test_gets_two_empty_databases(database_url: str, keys_url: str) -> None:
    assert database_url != keys_url
    for url in (database_url, keys_url):
        engine = create_engine(url)
        assert inspect(engine).get_table_names() == []
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE facts (fact TEXT)"))
        engine.dispose()


def test_the_server_is_postgresql_18_or_later(postgresql_url: str) -> None:
    engine = create_engine(postgresql_url)
    with engine.connect() as connection:
        version = connection.execute(text("SHOW server_version_num")).scalar_one()
    engine.dispose()
    assert int(version) >= 180_000


def test_a_database_can_be_copied_and_is_dropped_under_its_users(
    postgresql_server_url: str,
) -> None:
    with create_postgresql(postgresql_server_url) as template:
        _run(template, "CREATE TABLE facts AS SELECT 42 AS fact")
        name = make_url(template).database
        assert name is not None
        with create_postgresql(postgresql_server_url, template=name) as copy:
            engine = create_engine(copy)
            connection = engine.connect()
            assert connection.execute(text("SELECT fact FROM facts")).scalar_one() == 42
    connection.invalidate()
    engine.dispose()
    assert name not in _run(
        postgresql_server_url, "SELECT string_agg(datname, ' ') FROM pg_database"
    )


def _run(url: str, statement: str) -> str:
    engine = create_engine(url)
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        answer = str(result.scalar_one()) if result.returns_rows else ""
    engine.dispose()
    return answer
