"""Erasure: two admins, and nothing of a person is left; every record and every other case stays."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from litestar.testing import TestClient
from sqlalchemy import make_url, select, update

from caseflow.bootstrap import House, open_keys
from caseflow.database import begin_read, make_engine
from caseflow.domain.case import Case
from caseflow.domain.commands import (
    ChangeConsent,
    CorrectClaim,
    MergeCase,
    RetractClaim,
    Review,
    UnmergeCase,
)
from caseflow.domain.errors import (
    CaseflowError,
    ConflictError,
    InvalidInputError,
    WithdrawnError,
)
from caseflow.domain.events import CaseErased, Consent, Erased
from caseflow.domain.vocabulary import AnyClaim
from caseflow.eventstore.erased import erasure_requests, erasures
from caseflow.eventstore.erasure import Erasure, Grounds
from caseflow.eventstore.key_files import MasterKeyFile
from caseflow.eventstore.name_index import name_index
from caseflow.eventstore.names import external_ids
from caseflow.eventstore.partners import api_keys, revoke_key
from caseflow.eventstore.publications import list_cases, list_publications, unseal_publication
from caseflow.eventstore.schema import migrate, migrate_keys
from caseflow.eventstore.wrapping import WrongMasterKeyError
from caseflow.projections.public.history import Published, list_published
from caseflow.projections.public.values import WITHDRAWN
from caseflow.serving import make_application
from caseflow.settings import Settings
from tests.canaries import PROFILE, Canaries
from tests.checks import check_absent, check_house, check_public_tables, dump_tables, find_canaries
from tests.databases import create_postgresql, run_postgresql
from tests.houses import (
    GIVE_UP_SECONDS,
    Clock,
    Desk,
    answer_of,
    list_events_of,
    list_log,
    list_shown,
    new_partner,
    new_settings,
    refusal_of,
    render,
    run_house,
    settings_for,
)

GROUNDS = Grounds(reason="The person asked for it.", legal_basis="Withdrawal of consent")


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


def ask(house: House, desk: Desk, case: UUID, grounds: Grounds = GROUNDS) -> Erasure:
    answer = house.erasures.request(desk.caller, case, grounds).result(GIVE_UP_SECONDS)
    found: Erasure = answer.rendered
    return found


def erase(house: House, case: UUID) -> Erasure:
    """Have two admins erase a case, to the end."""
    first, second = (new_partner(house, "admin") for _ in range(2))
    assert not ask(house, first, case).is_carried_out
    erasure = ask(house, second, case)
    assert erasure.is_carried_out
    assert house.finish_erasures() == len(erasure.case_ids)
    return erasure


def tell_everything(desk: Desk, canaries: Canaries, publish: str = "name") -> UUID:
    """Return a case of which everything was told, in public and not, and some of it taken back."""
    case = desk.open(**canaries.case(publish))
    fields = {"accusation": canaries("accused"), "visibility": "public"}
    claim = desk.tell(case, "prosecution.charged", **canaries.claim(**fields))
    desk.tell(case, "asylum.refused", "2025-06", stage="registration", visibility="public")
    desk.tell(case, "interim.requested", **canaries.claim())
    corrected = canaries.claim(
        type="prosecution.charged", occurred="2025-05-02", accusation="changed", visibility="public"
    )
    desk.act(CorrectClaim, case, claim_id=claim, reason="typo", **_replacement(corrected))
    taken = desk.tell(case, "wanted.listed", list="cis", **canaries.claim(visibility="public"))
    desk.act(RetractClaim, case, claim_id=taken, reason="false", note=canaries("why"))
    return case


def _replacement(fields: dict[str, Any]) -> dict[str, Any]:
    return {"replacement": msgspec.convert(fields, AnyClaim)}


# -- two admins -----------------------------------------------------------------------------------


def test_one_admin_alone_erases_nothing(house: House) -> None:
    desk, admin = new_partner(house), new_partner(house, "admin")
    case = desk.open("anonymous")
    for _ in range(2):
        assert not ask(house, admin, case).is_carried_out
    assert house.finish_erasures() == 0
    assert isinstance(list_events_of(house, case)[-1].body, CaseErased) is False
    desk.tell(case)


def test_what_is_kept_in_memory_is_forgotten_here_too(house: House) -> None:
    forgotten: list[bool] = []
    house.eraser.on_erased(lambda: forgotten.append(True))
    erase(house, new_partner(house).open())
    assert forgotten == [True]


def test_the_second_admin_gives_the_same_grounds(house: House) -> None:
    first, second = new_partner(house, "admin"), new_partner(house, "admin")
    case = new_partner(house).open()
    assert not ask(house, first, case).differs
    other = Grounds(reason="Another.", legal_basis="Withdrawal of consent")
    answer = ask(house, second, case, other)
    assert (answer.is_carried_out, answer.differs) == (False, True)
    assert ask(house, second, case).is_carried_out


def test_nobody_stands_in_the_way_of_what_two_others_agree_on(house: House) -> None:
    first, second, third = (new_partner(house, "admin") for _ in range(3))
    case = new_partner(house).open()
    ask(house, first, case, Grounds(reason="Another.", legal_basis="Withdrawal of consent"))
    ask(house, second, case)
    assert ask(house, third, case).is_carried_out
    with begin_read(house.engine) as connection:
        assert connection.execute(select(erasure_requests)).all() == []


def test_the_word_of_a_key_that_has_expired_counts_for_nothing(settings: Settings) -> None:
    clock = Clock("2026-02-10T12:00:00Z")
    with run_house(settings, clock) as house:
        first, second = new_partner(house, "admin"), new_partner(house, "admin")
        case = new_partner(house).open()
        ask(house, first, case)
        with house.write() as connection:
            expiry = api_keys.c.id == first.caller.key_id
            connection.execute(
                update(api_keys).where(expiry).values(expires_at=house.clock() + 1_000_000)
            )
        clock.set("2026-02-11T12:00:00Z")
        assert not ask(house, second, case).is_carried_out


def test_the_word_of_a_key_that_was_revoked_counts_for_nothing(house: House) -> None:
    first, second = new_partner(house, "admin"), new_partner(house, "admin")
    case = new_partner(house).open()
    ask(house, first, case)
    with house.write() as connection:
        revoke_key(connection, first.caller.key_id, house.clock())
    assert not ask(house, second, case).is_carried_out
    assert ask(house, new_partner(house, "admin"), case).is_carried_out


def test_what_was_merged_since_is_not_erased_unseen(house: House) -> None:
    first, second = new_partner(house, "admin"), new_partner(house, "admin")
    desk = new_partner(house)
    case, other = desk.open(), desk.open()
    ask(house, first, case)
    desk.act(MergeCase, other, into=case)
    answer = ask(house, second, case)
    assert (answer.is_carried_out, answer.differs) == (False, True)
    # By the name of either case, once both admins have the same in mind.
    assert set(ask(house, first, other).case_ids) == {case, other}


def test_the_grounds_name_nobody(house: House) -> None:
    admin = new_partner(house, "admin")
    names = [{"text": "Мансур Мовлаев", "language": "ru", "kind": "primary"}]
    case = new_partner(house).open(subject={"names": names})
    with pytest.raises(InvalidInputError) as refusal:
        ask(house, admin, case, Grounds(reason="Movlaev asked.", legal_basis="Consent"))
    assert [pointer for pointer, _ in refusal.value.errors] == ["/reason"]


def test_a_request_is_forgotten_after_thirty_days(settings: Settings) -> None:
    clock = Clock("2026-02-10T12:00:00Z")
    with run_house(settings, clock) as house:
        first, second = new_partner(house, "admin"), new_partner(house, "admin")
        case = new_partner(house).open()
        ask(house, first, case)
        clock.set("2026-03-13T12:00:00Z")
        assert not ask(house, second, case).is_carried_out
        assert ask(house, first, case).is_carried_out


# -- nothing is left ------------------------------------------------------------------------------


def test_the_last_event_says_who_erased_and_why(house: House) -> None:
    desk = new_partner(house)
    case = tell_everything(desk, Canaries())
    before = list_events_of(house, case)
    erasure = erase(house, case)
    *others, last = list_events_of(house, case)
    assert [type(event.body) for event in others] == [Erased] * len(before)
    assert [event.id for event in others] == [event.id for event in before]
    body = last.body
    assert isinstance(body, CaseErased)
    assert (body.reason, body.legal_basis) == (GROUNDS.reason, GROUNDS.legal_basis)
    assert body.requested_by != str(last.partner_id)
    assert [UUID(told.id) for told in body.events] == [event.id for event in before]
    assert erasure.case_ids == (case,)


def test_what_was_public_is_withdrawn_and_the_rest_stays(house: House) -> None:
    desk = new_partner(house, public_name="Press")
    other = desk.open("anonymous")
    stays = desk.tell(other, visibility="public")
    case = tell_everything(desk, Canaries())
    erase(house, case)
    assert list_shown(house) == [stays]
    with house.reader.snapshot() as snapshot:
        changes = list_published(snapshot.connection, snapshot.view_set)
    withdrawn = [c for c in changes if c.kind == WITHDRAWN and c.case_id == case]
    # The correction, the asylum claim, and before them the claim that was retracted.
    assert len(withdrawn) == 3
    told = {c.sequence: c for c in changes}
    assert all(c.takes_back and told[c.takes_back].event_id == c.event_id for c in withdrawn)
    assert all(c.gone_by for c in changes if c.case_id == case and c.kind != WITHDRAWN)
    assert all(c.decode_fields() == {} for c in changes if c.case_id == case)
    check_house(house)


def list_files(settings: Settings) -> list[Path]:
    """Return all files that the deployment has made, beside a server's."""
    return [path for path in settings.master_key_file.parent.rglob("*") if path.is_file()]


def test_not_one_word_is_left_in_any_table_or_file(house: House, settings: Settings) -> None:
    canaries, desk = Canaries(), new_partner(house, public_name="Press")
    case = tell_everything(desk, canaries)
    # Consent that narrows and widens leaves rows that are written over.
    for publish in ("anonymous", "name"):
        consent = Consent(publish=publish, basis="own")  # type: ignore[arg-type]  # both are levels
        desk.act(ChangeConsent, case, consent=consent)
    house.rebuild()
    words = [*canaries.words, PROFILE]
    with begin_read(house.engine) as connection:
        assert find_canaries(dump_tables(connection), words), "the search is of the right bytes"
    erase(house, case)
    with begin_read(house.engine) as connection:
        check_absent(dump_tables(connection), words, "the database")
        assert connection.execute(select(name_index)).all() == []
    with begin_read(house.keys_engine) as connection:
        check_absent(dump_tables(connection), words, "the key store")
    for path in list_files(settings):
        check_absent(path.read_bytes(), words, path.name)
    check_house(house, *words)


def test_no_old_copy_of_the_key_store_opens_it(house: House, settings: Settings) -> None:
    case = new_partner(house).open()
    file = Path(make_url(settings.keys_url).database or "")
    old = file.with_name("old.db")
    for suffix in ("", "-wal"):
        if file.with_name(file.name + suffix).exists():
            shutil.copy(file.with_name(file.name + suffix), old.with_name(old.name + suffix))
    old_master = settings.master_key_file.read_bytes()
    erase(house, case)
    assert settings.master_key_file.read_bytes() != old_master
    assert house.keys.get_keys([case]) == {case: None}
    engine = make_engine(f"sqlite:///{old}")
    try:
        with pytest.raises(WrongMasterKeyError):
            open_keys(settings, engine)
    finally:
        engine.dispose()
    for path in list_files(settings):
        assert old_master.strip() not in path.read_bytes(), path.name


def test_nobody_comes_back(house: House) -> None:
    """Whatever is sent again, or sent anew about the person, is refused; nothing is recorded."""
    desk = new_partner(house)
    fields = {"external_id": "own-case", "persons": 2}
    case = desk.open(**fields)
    desk.tell(case, external_id="own-event")
    erase(house, case)
    head = len(list_log(house))
    for future in (
        desk.submit_case(**fields),
        desk.submit_case(external_id="own-case", persons=3),
        desk.submit_claim(case, external_id="own-event"),
        desk.submit_claim("ext:own-case", external_id="own-event"),
        desk.submit_claim("ext:own-case", external_id="another"),
        desk.submit_claim(case, "person.died"),
        desk.submit_act(ChangeConsent, case, consent=Consent(publish="name", basis="own")),
    ):
        assert isinstance(refusal_of(future), WithdrawnError)
    with pytest.raises(WithdrawnError):
        ask(house, new_partner(house, "admin"), case)
    assert len(list_log(house)) == head


def test_not_one_byte_is_left_in_the_data_directory_of_a_server(tmp_path: Path) -> None:
    """After VACUUM and a checkpoint: the tables' files, and the journal once it has moved on."""
    canaries = Canaries()
    with run_postgresql(wal_recycle="off") as server, ExitStack() as stack:
        urls = [stack.enter_context(create_postgresql(server)) for _ in range(2)]
        migrate(urls[0])
        migrate_keys(urls[1])
        settings = settings_for(urls[0], urls[1], tmp_path)
        data = Path(str(make_url(server).query["host"])) / "data"
        with run_house(settings) as house:
            case = tell_everything(new_partner(house, public_name="Press"), canaries)
            house.rebuild()
            move_on(server)
            words = [*canaries.words[::6], PROFILE]
            assert find_in_files(data, words), "the search is of the right files"
            erase(house, case)
            for url in (server, *urls):
                move_on(url)
            assert find_in_files(data, words) == []
            check_house(house, *canaries.words)


def move_on(url: str) -> None:
    """Have a server write everything home and begin a new file of its journal."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        for statement in ("VACUUM", "SELECT pg_switch_wal()", "CHECKPOINT", "CHECKPOINT"):
            connection.execute(statement.encode())


def find_in_files(folder: Path, words: list[str]) -> list[str]:
    """Return the files below a folder that hold one of the words."""
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and find_canaries(path.read_bytes(), words)
    ]


# -- with other cases -----------------------------------------------------------------------------


def test_all_cases_of_the_person_are_erased_together(house: House) -> None:
    desk = new_partner(house)
    main, merged = desk.open("anonymous"), desk.open("anonymous")
    for case in (main, merged):
        desk.tell(case, visibility="public")
    desk.act(MergeCase, merged, into=main)
    assert set(erase(house, merged).case_ids) == {main, merged}
    assert list_shown(house) == []
    check_house(house)


def test_a_case_that_was_taken_for_one_of_theirs_stays(house: House) -> None:
    desk = new_partner(house)
    gone, stays = desk.open("anonymous"), desk.open("anonymous")
    told = desk.tell(stays, "asylum.refused", stage="registration", visibility="public")
    desk.tell(gone, "extradition.granted", visibility="public")
    desk.act(MergeCase, stays, into=gone)
    later = desk.tell(stays, "asylum.closed", "2025-07", visibility="public")
    desk.act(UnmergeCase, stays)
    erase(house, gone)
    assert set(list_shown(house)) == {told, later}
    check_house(house)
    desk.tell(stays, "person.died", "2025-08", visibility="public")
    with house.reader.snapshot() as snapshot:
        events = house.reader.list_events(snapshot, stays)
        for event in events:
            assert house.reader.find_dossier(snapshot, stays, event.recorded_at) is not None
    check_house(house)


def test_a_merge_into_a_case_that_is_gone_is_refused(house: House) -> None:
    desk = new_partner(house)
    gone, stays = desk.open(), desk.open()
    erase(house, gone)
    assert isinstance(refusal_of(desk.submit_act(MergeCase, stays, into=gone)), InvalidInputError)
    desk.tell(stays)
    check_house(house)


def test_a_merge_that_waits_cannot_be_approved_once_the_other_case_is_gone(house: House) -> None:
    desk, reviewer = new_partner(house), new_partner(house, "events:write", "review")
    gone, stays = desk.open(), desk.open()
    desk.act(MergeCase, stays, into=gone)
    # Once somebody has said that they are two persons, a merge waits for a second partner.
    desk.act(UnmergeCase, stays)
    waiting = desk.act(MergeCase, stays, into=gone)
    erase(house, gone)
    refused = refusal_of(reviewer.submit_act(Review, stays, target=waiting, decision="approve"))
    assert isinstance(refused, ConflictError)
    desk.tell(stays)
    check_house(house)


def test_a_request_from_before_is_answered_without_the_case_that_is_gone(house: House) -> None:
    desk = new_partner(house)
    gone, stays = desk.open(), desk.open()
    desk.act(MergeCase, stays, into=gone)
    attempt = desk.cases.attempt(desk.caller, "key", "request")
    claim = msgspec.convert({"type": "person.died", "occurred": "2025-05-01"}, AnyClaim)

    def post() -> Any:
        told = desk.cases.record_claim(desk.caller, str(stays), claim, render, attempt=attempt)
        return told.result(GIVE_UP_SECONDS)

    first = post()
    desk.act(UnmergeCase, stays)
    erase(house, gone)
    again = post()
    assert (again.replayed, again.rendered) == (True, first.rendered)


def test_views_made_again_are_the_same(house: House) -> None:
    desk = new_partner(house, public_name="Press")
    canaries = Canaries()
    cases = [tell_everything(desk, canaries, publish) for publish in ("name", "anonymous")]
    erase(house, cases[0])
    desk.tell(cases[1], "person.died", visibility="public")
    house.rebuild()
    check_house(house)


# -- interrupted ----------------------------------------------------------------------------------


def test_what_a_crash_leaves_is_finished_later(settings: Settings) -> None:
    canaries = Canaries()
    with run_house(settings) as house:
        case = tell_everything(new_partner(house), canaries)
        first, second = (new_partner(house, "admin") for _ in range(2))
        ask(house, first, case)
        ask(house, second, case)
        # The key still opens what it sealed; nothing is shown all the same, also after a rebuild.
        assert Case.from_events(list_events_of(house, case)) is None
        house.rebuild()
        assert list_shown(house) == []
    with run_house(settings) as house:
        assert house.finish_erasures() == 1
        assert house.finish_erasures() == 0
        assert house.keys.get_keys([case]) == {case: None}
        with begin_read(house.engine) as connection:
            row = connection.execute(select(erasures)).one()
        assert row.keyless_at is not None
        assert row.finished_at is not None
        check_house(house, *canaries.words)


def test_a_master_key_that_cannot_be_rotated_is_told_and_tried_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = new_partner(house).open()
    first, second = (new_partner(house, "admin") for _ in range(2))
    ask(house, first, case)
    ask(house, second, case)
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("read-only")))
        assert not house.try_to_finish_erasures()
    # Whatever was done of it, the house goes on.
    new_partner(house).open()
    assert house.try_to_finish_erasures()
    assert house.finish_erasures() == 0


def test_a_key_file_that_was_cut_off_stops_no_rotation(house: House, settings: Settings) -> None:
    """As a full disk leaves it, or a process that was killed or is about to write it."""
    cut = settings.master_key_file.with_name(f"{settings.master_key_file.name}.0000.new")
    cut.touch(0o600)
    erase(house, new_partner(house).open())
    assert house.finish_erasures() == 0


def test_of_rotations_that_overlap_no_key_is_left_but_the_last(
    house: House, settings: Settings
) -> None:
    file = MasterKeyFile(settings.master_key_file)

    def overlap(key: bytes) -> None:
        house.keys.rotate_master_key(key)
        file.rotate(house.keys.rotate_master_key, house.keys.is_opened_by)

    file.rotate(overlap, house.keys.is_opened_by)
    (key,) = file.list_keys()
    assert house.keys.is_opened_by(key)


@pytest.mark.parametrize("step", ["rewrap", "overwrite", "replace"])
def test_whatever_is_killed_during_a_rotation_the_next_start_opens(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Killed before the store is wrapped anew, after that, and once the old key is overwritten."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    places = {
        "rewrap": "caseflow.eventstore.keys.KeyStore.rotate_master_key",
        "overwrite": "caseflow.eventstore.key_files._overwrite",
        "replace": "os.replace",
    }
    with new_settings("sqlite", request, tmp_path) as settings:
        with run_house(settings) as house:
            desk = new_partner(house)
            gone, stays = desk.open(), desk.open()
            for admin in (new_partner(house, "admin"), new_partner(house, "admin")):
                ask(house, admin, gone)
            with monkeypatch.context() as patch:
                patch.setattr(places[step], die)
                with pytest.raises(KeyboardInterrupt):
                    house.finish_erasures()
        with run_house(settings) as house:
            assert Case.from_events(list_events_of(house, stays)) is not None
            assert house.finish_erasures() == 1
            desk.at(house.cases).open()
        left = [path for path in tmp_path.glob("*.new") if step != "rewrap"]
        assert left == []
        with run_house(settings) as house:
            assert Case.from_events(list_events_of(house, stays)) is not None


def test_another_process_takes_the_new_master_key(settings: Settings) -> None:
    with run_house(settings) as house, run_house(settings) as other:
        desk = new_partner(house)
        gone, stays = desk.open(), desk.open(subject={"names": []})
        erase(house, gone)
        # It has neither read nor made a key since.
        assert other.keys.get_keys([stays]) == house.keys.get_keys([stays])
        desk.at(other.cases).open()
        erase(other, stays)
        desk.open()


def test_what_another_process_erased_is_forgotten_within_a_moment(settings: Settings) -> None:
    with run_house(settings) as house, run_house(settings) as other:
        forgotten: list[bool] = []
        other.eraser.on_erased(lambda: forgotten.append(True))
        desk = new_partner(house)
        case = desk.open("anonymous")
        assert other.keys.get_keys([case])[case] is not None
        erase(house, case)
        other.eraser.follow()
        assert other.keys.get_keys([case]) == {case: None}
        assert forgotten == [True]
        other.eraser.follow()
        assert forgotten == [True]
        refused = refusal_of(desk.at(other.cases).submit_claim(case))
        assert isinstance(refused, WithdrawnError)


def open_named(desk: Desk, name: str, publish: str = "name") -> UUID:
    return desk.open(
        publish, subject={"names": [{"text": name, "language": "en", "kind": "primary"}]}
    )


def tell_as_one(desk: Desk, canaries: Canaries) -> tuple[UUID, UUID]:
    """Return two cases of which one has told under the other's name."""
    gone, stays = open_named(desk, canaries("name")), open_named(desk, "Somebody")
    desk.tell(gone, visibility="public")
    desk.act(MergeCase, stays, into=gone)
    desk.tell(stays, "asylum.refused", "2025-06", stage="registration", visibility="public")
    return gone, stays


def test_no_change_of_another_case_keeps_the_name(house: House) -> None:
    canaries = Canaries()
    desk = new_partner(house, public_name="Press")
    gone, stays = tell_as_one(desk, canaries)
    assert find_canaries(read_publications(house), canaries.words)
    desk.act(UnmergeCase, stays)
    erase(house, gone)
    said = read_publications(house)
    check_absent(said, canaries.words, "the public log")
    assert b'"type":"asylum.refused"' in said
    check_house(house, *canaries.words)


def read_publications(house: House) -> bytes:
    """Return all that the keys that are there open of the public changes."""
    with begin_read(house.engine) as connection:
        found = list_publications(connection, 0, 1_000)
        keys = house.keys.get_keys(list_cases(found))
    opened = [part.fields for one in found for part in unseal_publication(one, keys)]
    return msgspec.json.encode(opened)


def test_views_made_again_write_no_name_into_a_file(house: House, settings: Settings) -> None:
    canaries, desk = Canaries(), new_partner(house, public_name="Press")
    gone, stays = tell_as_one(desk, canaries)
    desk.act(UnmergeCase, stays)
    erase(house, gone)
    house.rebuild()
    for path in list_files(settings):
        check_absent(path.read_bytes(), canaries.words, path.name)


def test_what_was_forgotten_of_another_case_stays_forgotten(house: House) -> None:
    """Words went with a change of a case that is erased, and do not come back with that."""
    canaries, desk = Canaries(), new_partner(house, public_name="Press")
    gone, stays = desk.open("anonymous"), desk.open("anonymous")
    granted = desk.tell(gone, "extradition.granted", visibility="public")
    desk.act(MergeCase, stays, into=gone)
    told = {"type": "asylum.refused", "stage": "registration", "visibility": "public"}
    said = desk.tell(stays, occurred="2025-06", place=canaries("place"), **told)
    replacement = _replacement({**told, "occurred": "2025-07"})
    desk.act(CorrectClaim, stays, claim_id=said, reason="typo", **replacement)
    # What the other case said was said in the light of it.
    desk.act(RetractClaim, gone, claim_id=granted, reason="unsafe")
    (first,) = [row for row in list_rows_of(house, stays) if row.event_id == said]
    assert first.gone_by is not None
    desk.act(UnmergeCase, stays)
    erase(house, gone)
    house.rebuild()
    assert first.sequence in [r.sequence for r in list_rows_of(house, stays) if r.gone_by]
    check_house(house)
    with house.reader.snapshot() as snapshot:
        check_public_tables(snapshot.connection, *canaries.words)


def list_rows_of(house: House, case_id: UUID) -> list[Published]:
    with house.reader.snapshot() as snapshot:
        found = list_published(snapshot.connection, snapshot.view_set)
    return [change for change in found if change.case_id == case_id]


# -- the ledger -----------------------------------------------------------------------------------


def copy_sqlite(settings: Settings, folder: Path) -> None:
    file = Path(make_url(settings.database_url).database or "")
    folder.mkdir()
    for found in file.parent.glob(f"{file.name}*"):
        shutil.copy(found, folder / found.name)


def restore_sqlite(settings: Settings, folder: Path) -> None:
    file = Path(make_url(settings.database_url).database or "")
    for found in file.parent.glob(f"{file.name}*"):
        found.unlink()
    for found in folder.iterdir():
        shutil.copy(found, file.parent / found.name)


def test_a_restored_backup_publishes_nothing_again(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    canaries = Canaries()
    with new_settings("sqlite", request, tmp_path) as settings:
        with run_house(settings) as house:
            desk = new_partner(house, public_name="Press")
            erased, renamed = (tell_everything(desk, canaries) for _ in range(2))
            kept = desk.open("anonymous")
            stays, withdrawn = (desk.tell(kept, visibility="public") for _ in range(2))
        backup = tmp_path.parent / f"{tmp_path.name}-backup"
        copy_sqlite(settings, backup)
        with run_house(settings) as house:
            desk = desk.at(house.cases)
            erase(house, erased)
            desk.act(ChangeConsent, renamed, consent=Consent(publish="anonymous", basis="own"))
            desk.act(RetractClaim, kept, claim_id=withdrawn, reason="unsafe")
        restore_sqlite(settings, backup)
        with run_house(settings) as house:
            # As whoever restores it finds it.
            assert len(list_shown(house)) > 1
            assert house.apply_ledger() > 0
            assert list_shown(house) == [stays]
            assert house.apply_ledger() == 0
            words = list(canaries.fields)
            assert isinstance(list_events_of(house, erased)[-1].body, CaseErased)
            told = [line for line in house.ledger.read() if line.case_id == erased]
            assert [line.kind for line in told][-1] == "erasure"
            assert {line.event_id for line in told if line.kind == "erasure"} == {None}
            check_house(house)
            with begin_read(house.engine) as connection:
                check_absent(dump_tables(connection), words[:20], "the database")


@pytest.mark.parametrize("is_lost", [False, True], ids=["ledger", "no ledger"])
def test_a_restored_merge_with_an_erased_case_keeps_no_name_and_halts_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, is_lost: bool
) -> None:
    """What the copy holds for one person were two, and one of them was erased since."""
    canaries = Canaries()
    with new_settings("sqlite", request, tmp_path) as settings:
        with run_house(settings) as house:
            desk = new_partner(house)
            gone, stays = tell_as_one(desk, canaries)
        backup = tmp_path.parent / f"{tmp_path.name}-backup"
        copy_sqlite(settings, backup)
        with run_house(settings) as house:
            desk.at(house.cases).act(UnmergeCase, stays)
            erase(house, gone)
        restore_sqlite(settings, backup)
        if is_lost:
            settings.ledger_file.write_bytes(b"")
        with run_house(settings) as house:
            house.apply_ledger()
            with house.reader.snapshot() as snapshot:
                found = list_published(snapshot.connection, snapshot.view_set)
            assert not find_canaries(b"".join(c.labels for c in found), canaries.words)
            desk.at(house.cases).tell(stays, "asylum.closed", "2025-07")
            check_house(house, *canaries.words)


def test_the_service_applies_the_ledger_before_it_answers(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with new_settings("sqlite", request, tmp_path) as settings:
        with run_house(settings) as house:
            desk = new_partner(house)
            case = desk.open("anonymous")
            told = desk.tell(case, visibility="public")
        backup = tmp_path.parent / f"{tmp_path.name}-backup"
        copy_sqlite(settings, backup)
        with run_house(settings) as house:
            desk.at(house.cases).act(RetractClaim, case, claim_id=told, reason="unsafe")
            assert len(house.ledger.read()) == 1
        restore_sqlite(settings, backup)
        with TestClient(make_application(settings)) as client:
            assert client.get(f"/v1/cases/{case}").status_code == 410
            assert client.get(f"/v1/events/{told}").status_code == 410


def test_a_lost_ledger_brings_nobody_back_whose_key_is_destroyed(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with new_settings("sqlite", request, tmp_path) as settings:
        with run_house(settings) as house:
            case = tell_everything(new_partner(house), Canaries())
        backup = tmp_path.parent / f"{tmp_path.name}-backup"
        copy_sqlite(settings, backup)
        with run_house(settings) as house:
            erase(house, case)
        restore_sqlite(settings, backup)
        settings.ledger_file.unlink()
        with run_house(settings) as house:
            assert house.apply_ledger() == 1
            assert list_shown(house) == []
            check_house(house)


def test_what_was_published_again_since_is_not_hidden(house: House) -> None:
    desk = new_partner(house)
    case = desk.open("anonymous")
    told = desk.tell(case, visibility="public")
    for publish in ("count", "anonymous"):
        consent = Consent(publish=publish, basis="own")  # type: ignore[arg-type]  # both are levels
        desk.act(ChangeConsent, case, consent=consent)
    assert [line.event_id for line in house.ledger.read()] == [told]
    assert house.apply_ledger() == 0
    assert list_shown(house) == [told]


def test_the_ledger_is_told_before_the_commit(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = new_partner(house)
    case = desk.open("anonymous")
    told = desk.tell(case, visibility="public")

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(type(house.ledger), "append", fail)
        refused = refusal_of(desk.submit_act(RetractClaim, case, claim_id=told, reason="false"))
        assert isinstance(refused, OSError)
    assert list_shown(house) == [told]
    assert house.ledger.read() == []
    desk.act(RetractClaim, case, claim_id=told, reason="false")
    assert [line.event_id for line in house.ledger.read()] == [told]


def test_names_that_partners_gave_stay_taken(house: House) -> None:
    desk = new_partner(house)
    case = answer_of(desk.submit_case(external_id="own-case")).case_id
    erase(house, case)
    with begin_read(house.engine) as connection:
        assert connection.execute(select(external_ids.c.case_id)).scalars().all() == [case]
    assert isinstance(refusal_of(desk.submit_case(external_id="own-case")), CaseflowError)
