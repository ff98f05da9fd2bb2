"""The publisher signs what is stored, follows it, and never signs what contradicts a signature."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import delete, insert, select, text, update

from caseflow.bootstrap import House
from caseflow.database import begin_read, make_engine
from caseflow.domain.errors import UnavailableError
from caseflow.eventstore.files import find_database_file
from caseflow.eventstore.mapper import TIME_BYTES, read_record
from caseflow.eventstore.publications import (
    derive_key,
    list_publications,
    publications,
    unseal_publication,
)
from caseflow.eventstore.recorder import list_notifications
from caseflow.eventstore.records import EventRecords
from caseflow.eventstore.tables import events, log_head
from caseflow.formats.merkle import EMPTY_ROOT, hash_leaf, root_of
from caseflow.formats.public_record import pack_public_record, render_public_record
from caseflow.formats.record import commit_fields, pack_body, pack_record, render_record
from caseflow.formats.seal import seal, unseal
from caseflow.formats.tiles import FULL_LOG_TAG, PUBLIC_LOG_TAG, leaf_data
from caseflow.proof import audit, publisher
from caseflow.proof.publisher import LogPublisher
from caseflow.proof.source import Log
from caseflow.proof.tile_store import log_tiles, log_trees
from caseflow.settings import Settings
from tests.houses import Clock, Desk, answer_of, new_partner, new_settings, run_house, settings_for
from tests.proof.scenes import behind_the_back, halted, last, signed


@pytest.fixture(autouse=True)
def passes_without_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every attempt computes all anew, however little time has gone by: `test_audit.py`."""
    monkeypatch.setattr(audit, "REST", 0)
    monkeypatch.setattr(audit, "IDLE_SECONDS", 0)


@pytest.fixture
def settings(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Settings]:
    """Settings of a house without cases, on either database."""
    with new_settings(database_kind, request, tmp_path) as settings:
        yield settings


@pytest.fixture
def house(settings: Settings) -> Iterator[House]:
    """A house without cases."""
    with run_house(settings) as house:
        yield house


@pytest.fixture
def desk(house: House) -> Desk:
    """A partner at work."""
    return new_partner(house)


def fill(desk: Desk, claims: int = 3) -> None:
    """Record some events of one case."""
    case = desk.open("anonymous")
    told = [desk.submit_claim(case, visibility="public") for _ in range(claims)]
    for one in told:
        answer_of(one)


def root_from_records(house: House) -> bytes:
    """Return the root as an auditor would compute it from the stored events, all at once."""
    with begin_read(house.engine) as connection:
        found = list_notifications(connection, 1, 100_000)
    records = [render_record(read_record(one)[0]) for one in found]
    return root_of(hash_leaf(leaf_data(FULL_LOG_TAG, record)) for record in records)


# -- what is signed -------------------------------------------------------------------------------


def test_a_log_without_records_is_signed_too(house: House) -> None:
    house.publish()
    assert (signed(house).size, signed(house).root) == (0, EMPTY_ROOT)


def test_a_process_that_does_nothing_else_signs_what_comes_and_keeps_no_key(
    house: House, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = House(house.settings)
    forgotten: list[int] = []
    monkeypatch.setattr(apart.keys, "forget_all", lambda: forgotten.append(find_size(house)))
    working = threading.Thread(target=apart.publish_until_stopped)
    working.start()
    try:
        fill(desk)
        wait_until(lambda: find_size(house) == house.recorder.get_head().position == 4)
        wait_until(lambda: 4 in forgotten)
        # And the house beside it has only to look.
        house.publisher.look()
        assert not house.publisher.is_behind("full", -1)
    finally:
        apart.publisher.stop()
        working.join()
        apart.close()


def test_who_does_not_sign_sees_that_a_first_pass_goes_on(
    house: House, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large log is gone over for minutes before anything is signed: that is no standing still."""
    monkeypatch.setattr(publisher, "TELL_SECONDS", 0)
    now = [0.0]
    looking = LogPublisher(
        house.engine,
        Log("full", FULL_LOG_TAG, EventRecords(house.keys)),
        house.publisher._followers["full"]._checkpoints,
        house.publisher._followers["full"]._origins,
        house.publisher._followers["full"]._signer,
        house.clock,
        lambda: now[0],
        lambda: False,
    )
    fill(desk)
    house.publish()
    fill(desk)
    looking.look()
    now[0] = 40
    assert looking.is_behind(30)
    # As after a start: what was signed has been gone over, and what is new is not signed yet.
    house.publisher.forget_passes()
    with monkeypatch.context() as patch:
        patch.setattr(LogPublisher, "_extend", refuse)
        with pytest.raises(RuntimeError):
            house.publish()
    looking.look()
    assert not looking.is_behind(30)
    now[0] = 80
    looking.look()
    assert looking.is_behind(30), "and nobody has been seen since"


def refuse(*_: object) -> None:
    raise RuntimeError


def find_size(house: House) -> int:
    last = house.served_logs["full"].find_last()
    return last.size if last else 0


def test_the_root_is_that_of_all_stored_records(house: House, desk: Desk) -> None:
    for claims in (1, 4, 0, 7):
        fill(desk, claims)
        house.publish()
        assert signed(house).size == house.recorder.get_head().position
        assert signed(house).root == root_from_records(house)


def test_steps_of_any_length_lead_to_the_same_root(
    house: House, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log of more than one tile, in steps that end within tiles."""
    for step in (7, 100, 256, 8_192):
        monkeypatch.setattr(publisher, "STEP", step)
        fill(desk, 90)
        house.publish()
        assert signed(house).root == root_from_records(house)
    assert signed(house).size > 256


def test_nothing_new_is_not_signed_again(house: House, desk: Desk) -> None:
    fill(desk)
    house.publish()
    before = last(house)
    house.publish()
    assert last(house) == before


def test_the_origin_is_kept_when_the_address_changes(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    address = {"CASEFLOW_BASE_URL": "https://a.example/x"}
    with new_settings("sqlite", request, tmp_path, **address) as first:
        with run_house(first) as house:
            house.publish()
            assert signed(house).origin == "a.example/x/v1/log/full"
        with run_house(moved(first, CASEFLOW_BASE_URL="https://b.example")) as house:
            fill(new_partner(house))
            house.publish()
            assert (signed(house).origin, signed(house).size) == ("a.example/x/v1/log/full", 4)
        # A name that is given begins a new log, and stays when it is given no longer.
        later = Clock("2026-02-11T12:00:00Z")
        with run_house(moved(first, CASEFLOW_LOG_ORIGIN="c.example/log"), later) as house:
            house.publish()
            assert (signed(house).origin, signed(house).size) == ("c.example/log/full", 4)
        with run_house(first) as house:
            house.publish()
            assert signed(house).origin == "c.example/log/full"


def moved(settings: Settings, **environ: str) -> Settings:
    """Return other settings for the same databases."""
    folder = settings.master_key_file.parent
    return settings_for(settings.database_url, settings.keys_url, folder, **environ)


# -- what is not ----------------------------------------------------------------------------------


def check_caught(house: House, desk: Desk, *words: str) -> None:
    """Assert that nothing more is signed, with a reason in these words, until the end of days."""
    before = last(house)
    for _ in range(2):
        house.publish()
        found = last(house)
        assert (found.size, found.root, found.note) == (before.size, before.root, before.note)
        assert found.halted is not None
        assert [word for word in words if word not in found.halted] == []
        fill(desk, 1)


def rewrite(house: House, position: int, *, change: str) -> None:
    """Change the event at a position, with all keys at hand, and leave what was not to be changed.

    change: `record`, where what is sealed says the same as the record; `sealed`, with a salt of
    one's own; `partner`, which no commitment is about; `time`, by which events are searched.
    """
    with begin_read(house.engine) as connection:
        (stored,) = list_notifications(connection, position, 1)
    record, sealed = read_record(stored)
    key = house.keys.get_keys([record.case_id])[record.case_id]
    assert key is not None
    seed, fields = unseal(key, record.event_id, sealed)
    packed = pack_record(record)
    match change:
        case "partner":
            packed = packed.replace(record.partner_id.bytes, uuid4().bytes)
        case "record":
            fields["occurred"] = "1999-01-01"
            packed = pack_body(record.event_id, record.partner_id, commit_fields(seed, fields))
            sealed = seal(key, record.event_id, bytes(12), seed, fields)
        case "sealed":
            sealed = seal(key, record.event_id, bytes(12), bytes(32), fields)
    values = {"state": stored.state[:TIME_BYTES] + packed + sealed}
    if change == "time":
        values = {"recorded_at": record.recorded_at + 1}
    with behind_the_back(house.engine) as connection:
        where = events.c.position == position
        connection.execute(update(events).where(where).values(**values))


@pytest.mark.parametrize("change", ["record", "sealed", "partner", "time"])
@pytest.mark.parametrize("is_signed", [True, False], ids=["signed", "not signed yet"])
def test_what_is_rewritten_is_caught_before_a_signature(
    house: House, desk: Desk, change: str, is_signed: bool
) -> None:
    fill(desk)
    house.publish()
    if is_signed:
        rewrite(house, 3, change=change)
        fill(desk, 1)
        words = ["3"]
    else:
        fill(desk)
        rewrite(house, 7, change=change)
        # A record that nobody has signed can be written anew in all its parts.
        if change in ("record", "partner"):
            house.publish()
            assert signed(house).root == root_from_records(house)
            return
        words = ["position 7"]
    check_caught(house, desk, *words)


def test_what_was_put_right_is_signed_again(house: House, desk: Desk) -> None:
    fill(desk)
    house.publish()
    with begin_read(house.engine) as connection:
        state = connection.scalar(select(events.c.state).where(events.c.position == 2))
    rewrite(house, 2, change="sealed")
    check_caught(house, desk, "position 2")
    with behind_the_back(house.engine) as connection:
        connection.execute(update(events).where(events.c.position == 2).values(state=state))
    house.publish()
    assert halted(house) is None
    assert signed(house).root == root_from_records(house)


def test_a_log_whose_tail_was_cut_is_not_signed(house: House, desk: Desk) -> None:
    fill(desk)
    house.publish()
    with behind_the_back(house.engine) as connection:
        connection.execute(delete(events).where(events.c.position > 2))
    house.publish()
    assert "it should end at position 4, and ends at 2" in (halted(house) or "")
    with behind_the_back(house.engine) as connection:
        connection.execute(update(log_head).values(position=2))
    house.publish()
    assert "it has 2 records, and 4 were signed" in (halted(house) or "")
    # And grows again, by other events.
    fill(desk, 5)
    check_caught(house, desk, "not what is stored now", "is at 3")


def test_an_event_behind_the_end_of_the_log_is_noticed(house: House, desk: Desk) -> None:
    fill(desk)
    house.publish()
    with behind_the_back(house.engine) as connection:
        row = connection.execute(select(events).where(events.c.position == 4)).mappings().one()
        forged = {**row, "position": 5, "originator_version": 99}
        connection.execute(insert(events).values(forged))
    house.publish()
    assert "it should end at position 4, and ends at 5" in (halted(house) or "")


def test_a_hole_is_noticed(house: House, desk: Desk) -> None:
    fill(desk)
    with behind_the_back(house.engine) as connection:
        connection.execute(delete(events).where(events.c.position == 2))
    house.publish()
    assert "position 2 is missing" in (halted(house) or "")
    assert signed(house).size == 0


def test_a_lost_key_is_no_erasure(house: House, desk: Desk) -> None:
    case = desk.open("anonymous")
    desk.tell(case, visibility="public")
    house.publish()
    with house.keys.write() as connection:
        connection.execute(text("DELETE FROM case_keys WHERE destroyed_at IS NULL"))
    house.keys.forget(case)
    house.publish()
    assert "the key of the event at position 1 is lost" in (halted(house) or "")


def test_an_erased_case_leaves_the_log_as_it_is(house: House, desk: Desk) -> None:
    case = desk.open("anonymous")
    desk.tell(case, visibility="public")
    house.publish()
    house.keys.destroy_key(case, 1)
    fill(desk)
    house.publish()
    assert halted(house) is None
    assert signed(house).root == root_from_records(house)


def test_a_house_that_is_not_started_tells_what_differs(
    house: House, desk: Desk, settings: Settings
) -> None:
    """As after a restore, before anything is served; nothing is signed or stored."""
    assert house.check_logs() == []
    fill(desk)
    house.publish()
    assert house.check_logs() == []
    rewrite(house, 2, change="partner")
    restored = House(settings)
    try:
        (told,) = restored.check_logs()
        assert "the full log: " in told
        assert "is at 2" in told
    finally:
        restored.let_go()
    assert halted(house) is None


# -- the public log -------------------------------------------------------------------------------


def test_the_public_log_is_of_public_changes_alone(house: House, desk: Desk) -> None:
    fill(desk, 3)
    hidden = desk.open("none")
    desk.tell(hidden, visibility="restricted")
    house.publish()
    assert (signed(house, "public").size, signed(house, "full").size) == (3, 6)
    before = last(house, "public")
    desk.tell(hidden, visibility="restricted")
    house.publish()
    assert last(house, "public") == before
    with begin_read(house.engine) as connection:
        records = [render_public_record(one.record) for one in list_publications(connection, 0, 9)]
    leaves = [hash_leaf(leaf_data(PUBLIC_LOG_TAG, record)) for record in records]
    assert signed(house, "public").root == root_of(leaves)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE publications SET published_at = published_at + 1 WHERE sequence = 2", "at 2"),
        ("UPDATE publications SET case_id = {other} WHERE sequence = 2", "at number 2"),
        ("UPDATE publications SET state = {state} WHERE sequence = 2", "no record at number 2"),
        ("DELETE FROM publications WHERE sequence = 2", "number 2 is missing"),
        ("DELETE FROM publications WHERE sequence = 3", "has 2 records, and 3 were signed"),
        ("UPDATE publications SET sequence = 4 WHERE sequence = 3", "number 3 is missing"),
    ],
)
def test_a_public_change_that_is_rewritten_is_caught(
    house: House, desk: Desk, statement: str, words: str
) -> None:
    fill(desk)
    other = desk.open("anonymous")
    house.publish()
    if house.engine.dialect.name == "sqlite":
        values = {"other": f"x'{other.hex}'", "state": "x'01'"}
    else:
        values = {"other": f"'{other}'", "state": r"'\x01'"}
    before = last(house, "public")
    with behind_the_back(house.engine) as connection:
        connection.exec_driver_sql(statement.format(**values))
    house.publish()
    found = last(house, "public")
    assert (found.size, found.note) == (before.size, before.note)
    assert words in (found.halted or "")
    assert halted(house, "full") is None


def test_what_is_sealed_in_a_public_change_is_compared(house: House, desk: Desk) -> None:
    """With a salt of somebody else's, under the right key."""
    case = desk.open("anonymous")
    desk.tell(case, visibility="public")
    house.publish()
    with begin_read(house.engine) as connection:
        (stored,) = list_publications(connection, 0, 9)
    key = house.keys.get_keys([case])[case]
    assert key is not None
    (part,) = unseal_publication(stored, {case: key})
    sealed = seal(derive_key(key), stored.record.entry_id, bytes(12), bytes(32), part.fields)
    place = case.bytes + len(sealed).to_bytes(4, "big")
    with behind_the_back(house.engine) as connection:
        state = pack_public_record(stored.record) + place + sealed
        connection.execute(update(publications).values(state=state))
    house.publish()
    assert "what is sealed at number 1" in (halted(house, "public") or "")


def test_an_erasure_leaves_both_logs_as_they_are(house: House, desk: Desk) -> None:
    case = desk.open("anonymous")
    desk.tell(case, visibility="public")
    house.publish()
    before = signed(house, "full"), signed(house, "public")
    house.keys.destroy_key(case, 1)
    house.publish()
    assert (signed(house, "full"), signed(house, "public")) == before
    assert (halted(house, "full"), halted(house, "public")) == (None, None)


# -- restored copies ------------------------------------------------------------------------------


def test_yesterdays_backup_is_a_fork(settings: Settings, tmp_path: Path) -> None:
    """The main database comes back as it was, and the house goes on with it, by other events."""
    with run_house(settings) as house:
        desk = new_partner(house)
        fill(desk)
        house.publish()
    backup = Backup(settings, tmp_path)
    with run_house(settings) as house:
        fill(Desk(house.cases, desk.caller), 4)
        house.publish()
        before = last(house)
        assert before.size == 9
    backup.restore()
    with run_house(settings) as house:
        desk = Desk(house.cases, desk.caller)
        house.publish()
        assert "it has 4 records, and 9 were signed" in (halted(house) or "")
        # Longer than what was signed: only its records tell.
        fill(desk, 9)
        check_caught(house, desk, "not what is stored now")
        assert last(house).note == before.note


class Backup:
    """A copy of the main database: a file, or the rows of all tables."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self._file = find_database_file(settings.database_url)
        self._copy = folder / "yesterday.db"
        if self._file:
            shutil.copyfile(self._file, self._copy)
        else:
            self._rows = self._on_server("SELECT position FROM log_head")

    def _on_server(self, statement: str) -> list[object]:
        engine = make_engine(self.settings.database_url)
        with engine.connect() as connection:
            found = list(connection.execute(text(statement)).all())
        engine.dispose()
        return found

    def restore(self) -> None:
        """Put the copy back."""
        if self._file:
            for left in self._file.parent.glob(self._file.name + "-*"):
                left.unlink()
            shutil.copyfile(self._copy, self._file)
            return
        engine = make_engine(self.settings.database_url)
        (position,) = self._rows[0]  # type: ignore[misc]
        with behind_the_back(engine) as connection:
            for table in ("case_codes", "external_ids"):
                connection.execute(
                    text(
                        f"DELETE FROM {table} WHERE case_id IN "
                        f"(SELECT originator_id FROM events WHERE position > {position})"
                    )
                )
            connection.execute(text(f"DELETE FROM events WHERE position > {position}"))
            connection.execute(text(f"UPDATE log_head SET position = {position}"))
        engine.dispose()


# -- crashes and rivals ---------------------------------------------------------------------------


def test_tiles_without_a_signature_do_no_harm(
    house: House, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash after the tiles were written: they are further than what was signed."""
    fill(desk, 300)
    house.publish()
    before = last(house)
    fill(desk, 30)
    with monkeypatch.context() as patch:
        patch.setattr("caseflow.proof.checkpoints.Checkpoints.advance", fail)
        with pytest.raises(KeyError):
            house.publish()
    assert last(house) == before
    with begin_read(house.engine) as connection:
        of_full = select(log_trees.c.size).where(log_trees.c.log == "full")
        assert connection.scalar(of_full) == before.size + 31
    served = house.served_logs["full"]
    assert len(served.get_tile("tile/0/001.p/45")) == 45 * 32
    with pytest.raises(Exception, match="has no such tile"):
        served.get_tile("tile/0/001.p/46")
    fill(desk, 2)
    house.publish()
    assert signed(house).root == root_from_records(house)


def fail(*_: object) -> None:
    raise KeyError


@pytest.mark.parametrize("harm", ["lost", "altered"])
def test_wrong_tiles_are_made_anew_from_the_records(house: House, desk: Desk, harm: str) -> None:
    fill(desk, 300)
    house.publish()
    with house.write() as connection:
        if harm == "lost":
            connection.execute(delete(log_tiles))
        else:
            first = (log_tiles.c.level == 0) & (log_tiles.c.index == 0)
            connection.execute(update(log_tiles).where(first).values(hashes=bytes(32 * 256)))
    fill(desk, 2)
    house.publish()
    assert halted(house) is None
    assert signed(house).root == root_from_records(house)
    assert house.served_logs["full"].get_tile("tile/0/000") != bytes(32 * 256)


def test_a_tile_altered_between_two_passes_is_never_signed(
    house: House, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "REST", 1e9)
    fill(desk, 5)
    house.publish()
    with house.write() as connection:
        of_full = log_tiles.c.log == "full"
        connection.execute(update(log_tiles).where(of_full).values(hashes=bytes(32 * 6)))
    fill(desk, 2)
    house.publish()
    assert halted(house) is None
    assert signed(house).size == 9
    assert signed(house).root == root_from_records(house)


def test_entries_that_were_not_signed_are_not_served(house: House, desk: Desk) -> None:
    fill(desk)
    house.publish()
    served = house.served_logs["full"]
    before = served.get_tile("tile/entries/000.p/4")
    rewrite(house, 3, change="partner")
    with pytest.raises(UnavailableError):
        served.get_tile("tile/entries/000.p/4")
    # What stands before it is as it was.
    assert before.startswith(served.get_tile("tile/entries/000.p/2"))


def test_a_long_pass_goes_on_beside_signatures(
    house: House, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "SLICE_SECONDS", -1)
    fill(desk, 600)
    house.publish()
    rewrite(house, 600, change="partner")
    sizes = []
    for _ in range(5):
        fill(desk, 1)
        house.publish()
        sizes.append(signed(house).size)
    assert 1 < len(set(sizes)) < 5, "it was signed until the pass came to what was rewritten"
    assert "is at 600" in (halted(house) or "")


def test_of_two_publishers_none_signs_against_the_other(settings: Settings) -> None:
    """Two houses on one database publish at the same time, while a third writes."""
    with run_house(settings) as one, run_house(settings) as other, run_house(settings) as writer:
        desk = new_partner(writer)
        stop = threading.Event()
        seen: dict[int, bytes] = {}
        faults: list[BaseException] = []

        def run(house: House) -> None:
            try:
                while not stop.is_set():
                    house.publish()
                    found = signed(house)
                    assert seen.setdefault(found.size, found.root) == found.root
            except BaseException as fault:
                faults.append(fault)

        one.publish()
        threads = [threading.Thread(target=run, args=(house,)) for house in (one, other)]
        for thread in threads:
            thread.start()
        for _ in range(15):
            fill(desk, 5)
        stop.set()
        for thread in threads:
            thread.join()
        one.publish()
        other.publish()
        assert faults == []
        assert halted(one) is None
        assert signed(one).root == root_from_records(writer)


@pytest.mark.postgresql
def test_one_process_leads_and_another_takes_over_when_it_dies(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with new_settings("postgresql", request, tmp_path) as settings:
        with run_house(settings) as leader, run_house(settings) as other:
            assert leader.publish()
            assert not other.publish()
            fill(new_partner(other))
            assert not other.publish()
            assert signed(other).size == 0
            with begin_read(other.engine) as connection:
                # Whoever has the lock is cut off, as by a network or a kill.
                assert connection.execute(text(CUT_OFF)).all() == [(True,)]
            # The server takes a moment to end what it was told to end.
            wait_until(other.publish)
            assert signed(other).size == 4
            assert not leader.publish()
        with run_house(settings) as next_one:
            assert next_one.publish(), "who goes gives the lead back"


CUT_OFF = """
SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE locktype = 'advisory' AND granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


# -- the thread -----------------------------------------------------------------------------------


def test_a_house_that_publishes_follows_the_log(house: House, desk: Desk) -> None:
    house.start_publishing()
    wait_until(lambda: house.served_logs["full"].find_last() is not None)
    fill(desk)
    wait_until(lambda: signed(house).size == 4)
    fill(desk)
    wait_until(lambda: signed(house).size == 8)


def wait_until(holds: Callable[[], bool]) -> None:
    """Return once something holds; it must within ten seconds."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
