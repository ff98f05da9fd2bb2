"""The main database at rest: what a copy of it tells, and how many bytes an event takes.

A copy alone, without the key store, holds no word of what is not public: searched byte by byte.
"""

import base64
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url, text

from caseflow.bootstrap import House
from caseflow.database import begin_read, begin_write
from caseflow.eventstore.partners import add_partner
from caseflow.settings import Settings
from tests.canaries import PROFILE, Canaries
from tests.checks import (
    check_absent,
    check_house,
    dump_table,
    dump_tables,
    find_canaries,
    list_tables,
)
from tests.houses import (
    Desk,
    answer_of,
    list_log,
    new_partner,
    new_settings,
    run_house,
    submit_demo_cases,
)

TOMORROW = "2026-02-11T12:00:00Z"
EVENT_BYTES = 1_100


@pytest.fixture
def settings(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Settings]:
    """Settings of a house without cases, on either database."""
    with new_settings(database_kind, request, tmp_path) as settings:
        yield settings


@pytest.fixture
def house(settings: Settings) -> Iterator[House]:
    """A running house without cases."""
    with run_house(settings) as house:
        yield house


def fill_with_secrets(house: House) -> Canaries:
    """Record cases of which nothing may be read, in every way that keeps them unread."""
    canaries = Canaries()
    desk, other = new_partner(house), new_partner(house, "events:write")
    tell_about(desk, canaries, "none", visibility="public")
    # A published case beside it, whose other claims are not.
    tell_about(desk, canaries, "anonymous", visibility="partners")
    tell_about(desk, canaries, "anonymous", visibility="restricted")
    tell_about(desk, canaries, "name", visibility="partners")
    tell_about(desk, canaries, "pseudonym", visibility="public", publish_after=TOMORROW)
    tell_about(other, canaries, "initials", visibility="public")
    tell_about(desk, canaries, "count", visibility="public")
    case = desk.open("anonymous")
    told = canaries.claim(visibility="public", type="asylum.unhcr_recorded")
    desk.tell(case, **told)
    # What a request is known by may hold a name as well.
    attempt = desk.cases.attempt(desk.caller, canaries("key"), canaries("request"))
    opening = desk.submit_case(attempt=attempt, external_id=canaries("again"))
    answer_of(opening)
    # And something that is public, so that no public table is empty.
    desk.tell(
        desk.open("anonymous"), "person.entered", place="Pavlodar-in-public", visibility="public"
    )
    return canaries


def tell_about(desk: Desk, canaries: Canaries, publish: str, **told: Any) -> None:
    case = desk.open(**canaries.case(publish))
    desk.tell(case, "prosecution.charged", **canaries.claim(accusation=canaries("accused"), **told))


# -- copies ---------------------------------------------------------------------------------------


def copy_database(house: House, folder: Path) -> bytes:
    """Return all bytes of a copy of the main database, as whoever steals a backup has them.

    SQLite: the file with its write-ahead log and index, while the house runs. PostgreSQL: every
    table as COPY gives it, in binary and in text.
    """
    if house.settings.embedded:
        file = Path(make_url(house.settings.database_url).database or "")
        copies = [shutil.copy(found, folder) for found in sorted(file.parent.glob(f"{file.name}*"))]
        assert [Path(copy).name for copy in copies] == [file.name + s for s in ("", "-shm", "-wal")]
        return b"".join(Path(copy).read_bytes() for copy in copies)
    url = make_url(house.settings.database_url).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return b"".join(
            b"".join(bytes(block) for block in copy)
            for (name,) in tables.fetchall()
            for form in ("binary", "text")
            for copy in [_copy_out(connection, name, form)]
        )


def _copy_out(connection: psycopg.Connection[Any], name: str, form: str) -> list[bytes]:
    statement = f'COPY "{name}" TO STDOUT (FORMAT {form})'
    with connection.cursor().copy(statement.encode()) as copy:
        return [bytes(block) for block in copy]


def test_a_copy_of_the_main_database_tells_nothing_that_is_not_public(
    house: House, tmp_path_factory: pytest.TempPathFactory
) -> None:
    canaries = fill_with_secrets(house)
    words = [*canaries.words, PROFILE]
    assert len(words) > 80
    copy = copy_database(house, tmp_path_factory.mktemp("stolen"))
    check_absent(copy, words, "the copy")
    # What is public is in it: the search is of the right bytes.
    assert b"Pavlodar-in-public" in copy
    with begin_read(house.engine) as connection:
        # Also where a value lies across two pages of a file.
        check_absent(dump_tables(connection), words, "the database")
    # And it is all there for whoever has the keys, but for what is kept as a hash and no more.
    told = repr([event.body for _, event in list_log(house)])
    assert {canaries.fields[word] for word in words if word not in told} == {"key", "request"}
    check_house(house, *words)


def test_nor_does_it_after_a_rebuild(
    house: House, tmp_path_factory: pytest.TempPathFactory
) -> None:
    canaries = fill_with_secrets(house)
    house.rebuild()
    words = [*canaries.words, PROFILE]
    check_absent(copy_database(house, tmp_path_factory.mktemp("stolen")), words, "the copy")
    check_house(house, *words)


def test_the_public_tables_do_not_hold_what_a_published_claim_keeps_back(house: House) -> None:
    canaries = Canaries()
    desk = new_partner(house)
    case = desk.open(**canaries.case("anonymous"))
    told = canaries.claim(visibility="public", accusation=canaries("accused"))
    desk.tell(case, "prosecution.charged", **told)
    shown = [told["place"], told["authority"], told["accusation"], *told["summary"].values()]
    check_house(house, *(set(canaries.words) - set(shown)))
    with begin_read(house.engine) as connection:
        assert {w for w, _ in find_canaries(dump_tables(connection), shown)} == set(shown)


LEAKS: dict[str, Callable[[str], bytes]] = {
    "utf-8": str.encode,
    "utf-16-le": lambda word: word.encode("utf-16-le"),
    "utf-16-be": lambda word: word.encode("utf-16-be"),
    "json": lambda word: json.dumps({"place": word}).encode(),
    "upper case escapes": lambda word: json.dumps(word).encode().upper(),
    "hexadecimal": lambda word: word.encode().hex().upper().encode(),
    "base64": lambda word: base64.b64encode(f'{{"place":"{word}"}}'.encode()),
    "base64, shifted once": lambda word: base64.b64encode(f" {word}!".encode()),
    "base64, shifted twice": lambda word: base64.urlsafe_b64encode(f"  {word}!".encode()),
}


def test_the_search_finds_a_word_that_is_put_there_on_purpose(
    house: House, tmp_path_factory: pytest.TempPathFactory
) -> None:
    canaries = {leak: f"Жщместо{number}ыъ" for number, leak in enumerate(LEAKS)}
    kind = "BLOB" if house.settings.embedded else "BYTEA"
    with begin_write(house.engine) as connection:
        connection.execute(text(f"CREATE TABLE public_leak (value {kind})"))
        for leak, word in canaries.items():
            insert = text("INSERT INTO public_leak VALUES (:value)")
            connection.execute(insert, {"value": LEAKS[leak](word)})
    copy = copy_database(house, tmp_path_factory.mktemp("stolen"))
    assert {word for word, _ in find_canaries(copy, [*canaries.values()])} == {*canaries.values()}
    for word in canaries.values():
        with pytest.raises(AssertionError, match="public_leak holds"):
            check_house(house, word)


def test_the_search_looks_into_every_table_and_column(house: House) -> None:
    with begin_write(house.engine) as connection:
        add_partner(
            connection,
            partner_id=uuid4(),
            name="Zqpartner01xv",
            public_name="Жщпартнер02ыъ",
            at=1,
        )
        found = find_canaries(dump_tables(connection), ["Zqpartner01xv", "Жщпартнер02ыъ"])
    assert len({word for word, _ in found}) == 2
    with begin_read(house.engine) as connection:
        names = set(list_tables(connection))
        assert {"events", "external_ids", "partners", "public_events_a", "public_cases_b"} <= names
        assert dump_table(connection, "partners")


# -- size -----------------------------------------------------------------------------------------


def test_a_typical_event_takes_about_a_kilobyte(
    request: pytest.FixtureRequest, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The events table with its indexes, after the demo cases were recorded time and again."""
    with new_settings("sqlite", request, tmp_path) as settings:
        with run_house(settings) as house:
            desk = new_partner(house)
            for turn in range(13):
                futures = submit_demo_cases(desk, f"{turn}/")
            answer_of(futures[-1])
            events = len(list_log(house))
        file = make_url(settings.database_url).database or ""
        each = measure_table(Path(file), "events") / events
    print(f"{each:.0f} bytes on disk for each of {events} events")
    record_property("bytes_per_event", round(each))
    assert events > 1_000
    assert 400 < each < EVENT_BYTES


def measure_table(file: Path, table: str) -> int:
    """Return the bytes that a table takes in a file with its indexes, pages half empty included."""
    copy = Path(shutil.copy(file, file.with_suffix(".measured")))
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:

        def used() -> int:
            pages, free, size = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
            return int((pages - free) * size)

        before = used()
        connection.execute(f"DROP TABLE {table}")
        return before - used()
