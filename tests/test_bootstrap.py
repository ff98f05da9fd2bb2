"""A house opens on databases that fit it, and on no others; it rebuilds while it is in use."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import count
from pathlib import Path
from threading import Thread, current_thread

import pytest
from litestar.testing import TestClient
from sqlalchemy import update

from caseflow.bootstrap import House, migrate_house, open_house
from caseflow.database import begin_write
from caseflow.eventstore.key_files import MissingKeyError
from caseflow.eventstore.recorder import Append
from caseflow.eventstore.schema import SchemaOutdatedError
from caseflow.eventstore.tables import log_head
from caseflow.eventstore.wrapping import WrongMasterKeyError
from caseflow.projections.partner.status import find_version
from caseflow.projections.rebuild import digest, empty
from caseflow.serving import make_application, make_services
from caseflow.settings import Settings, SettingsError
from tests.checks import check_house
from tests.houses import (
    answer_of,
    list_log,
    new_partner,
    new_settings,
    run_house,
    settings_for,
    submit_demo_cases,
)

# That of the worked example in docs/proof.md.
WITNESS = "witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X"


@pytest.fixture
def settings(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Settings]:
    """Settings of a house without cases, on either database."""
    with new_settings(database_kind, request, tmp_path) as settings:
        yield settings


def digest_of(house: House) -> tuple[str, str]:
    """Return which set of views is live, and the digest of its rows."""
    with house.reader.snapshot() as snapshot:
        return snapshot.view_set, digest(snapshot.connection, snapshot.view_set)


# -- opening --------------------------------------------------------------------------------------


def test_a_house_goes_on_where_another_ended(settings: Settings) -> None:
    with run_house(settings) as house:
        desk = new_partner(house)
        case = desk.open("anonymous", external_id="a")
    with run_house(settings) as house:
        there = desk.at(house.cases)
        assert answer_of(there.submit_claim("ext:a")).version == 2
        assert there.open("anonymous", external_id="a") == case
        check_house(house)


def test_an_embedded_database_is_migrated_and_a_servers_must_be(
    database_kind: str, database_url: str, keys_url: str, tmp_path: Path
) -> None:
    settings = settings_for(database_url, keys_url, tmp_path)
    if database_kind == "postgresql":
        with pytest.raises(SchemaOutdatedError, match="caseflow migrate"), open_house(settings):
            pass
        migrate_house(settings)
    with run_house(settings) as house:
        new_partner(house).open()
        check_house(house)


def test_a_house_is_not_opened_with_the_wrong_master_key(
    settings: Settings, tmp_path: Path
) -> None:
    with run_house(settings) as house:
        new_partner(house).open()
    kept = settings.master_key_file.read_bytes()
    settings.master_key_file.unlink()
    with pytest.raises(MissingKeyError), open_house(settings):
        pass
    # A file made for another key store, put in its place.
    other = settings_for(
        f"sqlite:///{tmp_path}/other.db", f"sqlite:///{tmp_path}/other-keys.db", tmp_path
    )
    with run_house(other):
        pass
    with pytest.raises(WrongMasterKeyError), open_house(settings):
        pass
    settings.master_key_file.write_bytes(kept)
    with run_house(settings) as house:
        assert len(list_log(house)) == 1
        check_house(house)


def test_the_policy_of_the_settings_reaches_the_decisions(settings: Settings) -> None:
    with run_house(replace(settings, review="two_person")) as house:
        desk = new_partner(house)
        desk.tell(desk.open("anonymous"), visibility="public")
        assert list_log(house)[-1][1].hold == "two_person"
        check_house(house)


def test_the_services_of_the_api_are_the_houses_own(settings: Settings) -> None:
    with run_house(settings) as house:
        services = make_services(house)
        assert (services.cases, services.reader) == (house.cases, house.reader)
        assert services.base_url == settings.base_url


def test_the_application_opens_its_house_and_closes_it(settings: Settings) -> None:
    application = make_application(settings)
    with TestClient(application) as client:
        assert client.get("/v1/cases").json()["items"] == []
        writer = application.state.services.writer
        assert writer.is_running
    assert not writer.is_running


# -- rebuilding -----------------------------------------------------------------------------------


def test_a_rebuild_gives_the_same_rows_in_the_other_set(settings: Settings) -> None:
    with run_house(settings) as house:
        futures = submit_demo_cases(new_partner(house))
        answer_of(futures[-1])
        before = digest_of(house)
        progress: list[int] = []
        assert house.rebuild(progress.append) == len(futures)
        after = digest_of(house)
        assert (before[0], after[0]) == ("a", "b")
        assert after[1] == before[1]
        assert progress[-1] == len(futures)
        # And back, over what is there from before.
        house.rebuild()
        assert digest_of(house) == before
        check_house(house)


def test_a_rebuild_repairs_views_that_were_damaged(settings: Settings) -> None:
    with run_house(settings) as house:
        answer_of(submit_demo_cases(new_partner(house))[-1])
        before = digest_of(house)
        with begin_write(house.engine) as connection:
            empty(connection, "a")
        with pytest.raises(AssertionError):
            check_house(house)
        house.rebuild()
        assert digest_of(house)[1] == before[1]
        check_house(house)


def test_a_house_is_written_to_while_it_is_rebuilt(settings: Settings) -> None:
    with run_house(settings) as house:
        desk = new_partner(house)
        answer_of(submit_demo_cases(desk)[-1])
        rebuilding = Thread(target=lambda: [house.rebuild() for _ in range(4)])
        rebuilding.start()
        number = 0
        while rebuilding.is_alive():
            case = desk.open("anonymous")
            desk.tell(case, "person.entered", visibility="public")
            number += 1
        rebuilding.join()
        assert number > 0
        assert digest_of(house)[0] == "a"
        check_house(house)


def test_a_rebuild_takes_in_what_is_written_just_before_it_ends(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_house(settings) as house:
        desk = new_partner(house)
        case = desk.open("anonymous")
        append, asked, here = house.recorder.append, count(1), current_thread()

        def append_late() -> AbstractContextManager[Append]:
            # The rebuild asks for the end of the log to begin with, and once it has caught up.
            if current_thread() is here and next(asked) == 2:
                desk.tell(case, "person.entered", visibility="public")
            return append()

        monkeypatch.setattr(house.recorder, "append", append_late)
        assert house.rebuild() == 2
        assert next(asked) == 3
        check_house(house)


def test_what_check_house_calls_sound_is_left_as_it_was(settings: Settings) -> None:
    with run_house(settings) as house:
        desk = new_partner(house)
        desk.tell(desk.open("anonymous"), visibility="public")
        before = digest_of(house)
        check_house(house)
        assert digest_of(house) == before
        with house.read() as connection:
            assert digest(connection, "b") != before[1]


def test_views_of_an_older_shape_are_made_anew_by_the_migration(settings: Settings) -> None:
    """A migration that changes the views leaves them empty and says so in the log's head."""
    with run_house(settings) as house:
        case = new_partner(house).open("anonymous")
        with house.write() as connection:
            empty(connection, "a")
            connection.execute(update(log_head).values(view_set="none"))
    migrate_house(settings)
    with run_house(settings) as house:
        with house.reader.snapshot() as snapshot:
            assert find_version(snapshot.connection, snapshot.view_set, case) is not None
        check_house(house)


@pytest.mark.parametrize(
    "keys",
    [
        "nonsense",
        # The key of a log, not of a witness.
        "caseflow.example/v1/log/full+5b1d5025+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
        ",".join([WITNESS, WITNESS]),
    ],
)
def test_keys_that_are_not_those_of_witnesses_stop_the_start(settings: Settings, keys: str) -> None:
    with (
        pytest.raises(SettingsError, match="CASEFLOW_WITNESSES"),
        open_house(replace(settings, witnesses=tuple(keys.split(",")))),
    ):
        pass
