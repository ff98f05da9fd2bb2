"""The key store: keys made once, destroyed for good, and opened by one master key alone."""

import base64
import hashlib
import hmac
import os
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from eventsourcing.persistence import OperationalError

from caseflow.database import begin_write, make_engine
from caseflow.eventstore import keys as keys_module
from caseflow.eventstore.key_files import (
    KeyFileError,
    MissingKeyError,
    read_or_create_key_file,
    read_or_create_master_key,
)
from caseflow.eventstore.keys import (
    KeyDestroyedError,
    KeyStore,
    case_keys,
    is_store_empty,
    metadata,
    secrets_table,
)
from caseflow.eventstore.schema import migrate_keys
from caseflow.eventstore.wrapping import KeyedHash, WrongMasterKeyError
from caseflow.formats.record import (
    Record,
    commit_fields,
    pack_record,
    render_record,
    salt_of,
    verify_field,
)
from caseflow.formats.seal import UnsealError, pack_state, seal, unpack_state, unseal

MASTER, OTHER_MASTER = b"m" * 32, b"o" * 32
GIVE_UP_SECONDS = 60
CASE, OTHER_CASE = UUID(int=2**100), UUID(int=1)


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    migrate_keys(database_url)
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: sa.Engine) -> KeyStore:
    return KeyStore(engine, MASTER, clock=lambda: 17)


def read_rows(engine: sa.Engine, table: sa.Table) -> list[sa.Row]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(table).order_by(*table.primary_key)))


def write_raw(engine: sa.Engine, statement: sa.Executable) -> None:
    with engine.begin() as connection:
        connection.execute(statement)


# Case keys


def test_a_key_is_made_once_and_is_the_same_for_every_process(store, engine):
    made = store.create_keys([CASE, OTHER_CASE, CASE])
    assert {len(key) for key in made.values()} == {32}
    assert made[CASE] != made[OTHER_CASE]
    assert store.create_keys([OTHER_CASE]) == {OTHER_CASE: made[OTHER_CASE]}
    assert KeyStore(engine, MASTER).create_keys([CASE, OTHER_CASE]) == made
    assert KeyStore(engine, MASTER).get_keys([CASE, OTHER_CASE]) == made
    assert [row.created_at for row in read_rows(engine, case_keys)] == [17, 17]


def test_keys_that_were_never_made_have_no_item(store):
    store.create_keys([CASE])
    assert store.get_keys([OTHER_CASE]) == {}
    assert store.get_keys([]) == {}
    assert store.create_keys([]) == {}


def test_many_keys_are_made_read_and_listed_in_order(store, engine):
    case_ids = [uuid4() for _ in range(2_500)]
    made = store.create_keys(case_ids)
    assert set(made) == set(case_ids)
    assert KeyStore(engine, MASTER).get_keys(case_ids) == made
    assert store.list_case_ids() == sorted(case_ids)


def test_nothing_in_the_store_is_a_key_in_the_clear(store, engine):
    key = store.create_keys([CASE])[CASE]
    secret = store.get_secret("external-ids")
    stored = b"".join(
        row.wrapped for table in metadata.sorted_tables for row in read_rows(engine, table)
    )
    assert key not in stored
    assert secret not in stored


def test_a_key_moved_to_another_case_does_not_open(store, engine):
    store.create_keys([CASE, OTHER_CASE])
    wrapped = {row.case_id: row.wrapped for row in read_rows(engine, case_keys)}
    moved = sa.update(case_keys).where(case_keys.c.case_id == CASE)
    write_raw(engine, moved.values(wrapped=wrapped[OTHER_CASE]))
    with pytest.raises(WrongMasterKeyError):
        KeyStore(engine, MASTER).get_keys([CASE])


# Destruction


def test_a_destroyed_key_is_gone_and_is_never_made_again(store, engine):
    other = store.create_keys([CASE, OTHER_CASE])[OTHER_CASE]
    assert store.destroy_key(CASE, 99)
    assert store.get_keys([CASE, OTHER_CASE]) == {CASE: None, OTHER_CASE: other}
    rows = {row.case_id: row for row in read_rows(engine, case_keys)}
    assert (rows[CASE].wrapped, rows[CASE].destroyed_at) == (None, 99)
    assert rows[OTHER_CASE].destroyed_at is None
    with pytest.raises(KeyDestroyedError) as refusal:
        store.create_keys([CASE, OTHER_CASE])
    assert refusal.value.case_ids == (CASE,)
    assert KeyStore(engine, MASTER).get_keys([CASE]) == {CASE: None}
    assert store.list_case_ids() == [OTHER_CASE, CASE]


def test_destroying_again_keeps_the_first_time(store, engine):
    store.create_keys([CASE])
    assert store.destroy_key(CASE, 99)
    assert not store.destroy_key(CASE, 100)
    assert not store.destroy_key(OTHER_CASE, 100)
    assert [row.destroyed_at for row in read_rows(engine, case_keys)] == [99]


def test_a_refused_batch_still_makes_the_keys_of_the_others(store):
    store.create_keys([CASE])
    store.destroy_key(CASE, 99)
    with pytest.raises(KeyDestroyedError):
        store.create_keys([CASE, OTHER_CASE])
    assert store.get_keys([OTHER_CASE])[OTHER_CASE] is not None


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("erase", ["destroy", "rotate"])
def test_the_wrapped_bytes_leave_the_files_of_sqlite(store, engine, database_url, erase):
    store.create_keys([CASE, OTHER_CASE])
    wrapped = {row.case_id: row.wrapped for row in read_rows(engine, case_keys)}[CASE]
    parts = [wrapped[start : start + 8] for start in range(len(wrapped) - 7)]
    assert all(part in read_files(database_url) for part in parts)
    if erase == "destroy":
        store.destroy_key(CASE, 99)
    else:
        store.rotate_master_key(OTHER_MASTER)
    assert not any(part in read_files(database_url) for part in parts)


def read_files(sqlite_url: str) -> bytes:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    return b"".join(one.read_bytes() for one in path.parent.glob(path.name + "*"))


def test_without_its_key_a_record_is_as_provable_as_before_and_its_values_are_gone(store):
    """Everything that is left of an event after an erasure, from what the events table holds."""
    event_id, seed, fields = uuid4(), os.urandom(32), {"type": "person.died", "place": "Алматы"}
    columns = {"case_id": CASE, "version": 1, "recorded_at": 5}
    key = store.create_keys([CASE])[CASE]
    commitments = commit_fields(seed, fields)
    record = Record(event_id=event_id, partner_id=uuid4(), commitments=commitments, **columns)
    sealed = seal(key, event_id, os.urandom(12), seed, fields)
    state = pack_state(pack_record(record), sealed)
    salt = salt_of(seed, [[name] for name in fields], ["place"])

    store.destroy_key(CASE, 99)

    found, still_sealed = unpack_state(state, **columns)
    assert render_record(found) == render_record(record)
    assert found.commitments == commitments
    assert verify_field(found, ["place"], "Алматы", salt)  # who was shown it before can prove it
    assert store.get_keys([CASE]) == {CASE: None}
    other = store.create_keys([OTHER_CASE])[OTHER_CASE]
    with pytest.raises(UnsealError):
        unseal(other, event_id, still_sealed)


# Caching


def test_another_process_forgets_a_destroyed_key_after_its_time_to_live(store, engine):
    clock = Clock()
    other = KeyStore(engine, MASTER, ttl_seconds=1.0, monotonic=clock)
    key = store.create_keys([CASE])[CASE]
    assert other.get_keys([CASE]) == {CASE: key}
    store.destroy_key(CASE, 99)
    clock.seconds = 0.5
    assert other.get_keys([CASE]) == {CASE: key}, "within its time a key comes from memory"
    clock.seconds = 1.0
    assert other.get_keys([CASE]) == {CASE: None}


def test_another_process_forgets_at_once_when_told(store, engine):
    other = KeyStore(engine, MASTER, monotonic=Clock())
    other.create_keys([CASE])
    store.destroy_key(CASE, 99)
    other.forget(CASE)
    other.forget(OTHER_CASE)
    assert other.get_keys([CASE]) == {CASE: None}


def test_a_process_may_forget_all_keys(store, engine):
    other = KeyStore(engine, MASTER, monotonic=Clock())
    other.create_keys([CASE, OTHER_CASE])
    for case_id in (CASE, OTHER_CASE):
        store.destroy_key(case_id, 99)
    other.forget_all()
    assert other.get_keys([CASE, OTHER_CASE]) == {CASE: None, OTHER_CASE: None}


def test_the_process_that_destroys_a_key_forgets_it_at_once(engine):
    store = KeyStore(engine, MASTER, monotonic=Clock())
    store.create_keys([CASE])
    store.destroy_key(CASE, 99)
    assert store.get_keys([CASE]) == {CASE: None}


def test_using_a_key_does_not_prolong_its_time(store, engine):
    clock = Clock()
    other = KeyStore(engine, MASTER, ttl_seconds=1.0, monotonic=clock)
    other.create_keys([CASE])
    clock.seconds = 0.9
    other.get_keys([CASE])
    store.destroy_key(CASE, 99)
    clock.seconds = 1.1
    assert other.get_keys([CASE]) == {CASE: None}


def test_memory_holds_the_keys_used_last(store, engine):
    third = UUID(int=3)
    small = KeyStore(engine, MASTER, cache_size=2, monotonic=Clock())
    key = small.create_keys([CASE])[CASE]
    small.create_keys([OTHER_CASE])
    small.get_keys([CASE])
    small.create_keys([third])  # drops OTHER_CASE
    for case_id in (CASE, OTHER_CASE):
        store.destroy_key(case_id, 99)
    assert small.get_keys([CASE]) == {CASE: key}
    assert small.get_keys([OTHER_CASE]) == {OTHER_CASE: None}


# Reading beside writing


def once(engine: sa.Engine, moment: str, start: str, act: Callable[[], object]) -> None:
    """Have `act` done before or after the first statement that begins like this."""

    def listen(_conn, _cursor, statement, *_) -> None:
        if statement.startswith(start) and not done:
            done.append(statement)
            act()

    done: list[str] = []
    sa.event.listen(engine, moment, listen)


@pytest.mark.parametrize("cached", [True, False])
def test_keys_are_read_while_a_write_waits_for_another_process(engine, cached):
    store, other = KeyStore(engine, MASTER), make_engine(engine.url)
    key = store.create_keys([CASE])[CASE]
    at_the_database = threading.Event()
    for start in ("BEGIN IMMEDIATE", "INSERT INTO case_keys"):
        once(engine, "before_cursor_execute", start, at_the_database.set)
    with ThreadPoolExecutor(2) as threads:
        # As a rotation does, and on SQLite anyone who writes.
        with begin_write(other) as connection:
            connection.execute(sa.select(secrets_table).with_for_update()).all()
            creating = threads.submit(store.create_keys, [OTHER_CASE])
            assert at_the_database.wait(GIVE_UP_SECONDS)
            if not cached:
                store.forget(CASE)
            read = threads.submit(store.get_keys, [CASE])
            assert read.result(GIVE_UP_SECONDS) == {CASE: key}
            assert not creating.done()
        assert len(creating.result(GIVE_UP_SECONDS)) == 1
    other.dispose()


@pytest.mark.parametrize("erase", ["destroy", "forget"])
def test_a_key_destroyed_while_it_was_read_is_not_kept(engine, monkeypatch, erase):
    """The read has its row already when the key is destroyed."""
    # It would wait for the end of the reading transaction, which waits for it here.
    monkeypatch.setattr(keys_module, "_empty_journal", lambda _engine: None)
    KeyStore(engine, MASTER).create_keys([CASE, OTHER_CASE])
    store = KeyStore(engine, MASTER, monotonic=Clock())

    def destroy() -> None:
        process = store if erase == "destroy" else KeyStore(engine, MASTER)
        process.destroy_key(CASE, 99)
        if erase == "forget":
            store.forget(CASE)

    once(engine, "after_cursor_execute", "SELECT case_keys", destroy)
    assert set(store.get_keys([CASE, OTHER_CASE])) == {CASE, OTHER_CASE}
    assert store.get_keys([CASE]) == {CASE: None}


def test_of_two_reads_at_once_the_later_one_counts(engine):
    KeyStore(engine, MASTER).create_keys([CASE])
    clock = Clock()
    store = KeyStore(engine, MASTER, monotonic=clock)

    def read_after_another_process_destroyed_it() -> None:
        gone = sa.update(case_keys).values(wrapped=None, destroyed_at=99)
        write_raw(engine, gone)
        clock.seconds = 0.5
        assert store.get_keys([CASE]) == {CASE: None}

    once(
        engine, "after_cursor_execute", "SELECT case_keys", read_after_another_process_destroyed_it
    )
    store.get_keys([CASE])
    assert store.get_keys([CASE]) == {CASE: None}


def test_a_read_in_the_middle_of_a_rotation_gets_its_keys(engine):
    key = KeyStore(engine, MASTER).create_keys([CASE])[CASE]
    store = KeyStore(engine, MASTER)
    rotate = partial(store.rotate_master_key, OTHER_MASTER)
    once(engine, "before_cursor_execute", "SELECT case_keys", rotate)
    assert store.get_keys([CASE]) == {CASE: key}


def test_a_destruction_that_was_not_acknowledged_is_taken_for_one(engine):
    store = KeyStore(engine, MASTER, monotonic=Clock())
    store.create_keys([CASE])

    def lose_the_answer() -> None:
        raise sa.exc.OperationalError("UPDATE", {}, Exception("the connection was lost"))

    once(engine, "after_cursor_execute", "UPDATE case_keys", lose_the_answer)
    with pytest.raises(OperationalError):
        store.destroy_key(CASE, 99)
    write_raw(engine, sa.update(case_keys).values(wrapped=None, destroyed_at=99))
    assert store.get_keys([CASE]) == {CASE: None}


# The master key


def test_a_wrong_master_key_is_found_at_start_and_changes_nothing(store, engine):
    store.create_keys([CASE])
    before = [read_rows(engine, table) for table in metadata.sorted_tables]
    wrong = KeyStore(engine, OTHER_MASTER)
    for call in (
        wrong.check,
        lambda: wrong.create_keys([OTHER_CASE]),
        lambda: wrong.get_keys([CASE]),
        lambda: wrong.get_secret("external-ids"),
        lambda: wrong.rotate_master_key(b"n" * 32),
    ):
        with pytest.raises(WrongMasterKeyError):
            call()
    assert [read_rows(engine, table) for table in metadata.sorted_tables] == before


def test_an_empty_store_is_bound_to_the_first_master_key(engine):
    assert is_store_empty(engine)
    KeyStore(engine, MASTER).check()
    assert not is_store_empty(engine)
    KeyStore(engine, MASTER).check()
    with pytest.raises(WrongMasterKeyError):
        KeyStore(engine, OTHER_MASTER).check()


def test_a_store_that_lost_its_proof_is_not_bound_anew(store, engine):
    store.create_keys([CASE])
    write_raw(engine, sa.delete(secrets_table))
    assert not is_store_empty(engine)
    with pytest.raises(WrongMasterKeyError):
        KeyStore(engine, OTHER_MASTER).check()


def test_a_destroyed_key_alone_keeps_the_store_from_being_empty(store, engine):
    store.create_keys([CASE])
    store.destroy_key(CASE, 99)
    write_raw(engine, sa.delete(secrets_table))
    assert not is_store_empty(engine)


def test_rotation_wraps_everything_again_and_changes_no_key(store, engine):
    case_ids = [uuid4() for _ in range(1_500)]
    keys = store.create_keys([CASE, *case_ids])
    secret = store.get_secret("external-ids")
    store.destroy_key(CASE, 99)
    keys[CASE] = None
    before = {row.case_id: row.wrapped for row in read_rows(engine, case_keys)}

    store.rotate_master_key(OTHER_MASTER)

    after = {row.case_id: row.wrapped for row in read_rows(engine, case_keys)}
    assert after[CASE] is None
    assert not {*before.values()} & {*after.values()} - {None}
    for fresh in (store, KeyStore(engine, OTHER_MASTER)):
        fresh.check()
        assert fresh.get_keys(keys) == keys
        assert fresh.get_secret("external-ids") == secret
        assert len(fresh.create_keys([OTHER_CASE])) == 1
    with pytest.raises(WrongMasterKeyError):
        KeyStore(engine, MASTER).check()


def test_a_process_with_the_old_master_key_cannot_add_what_the_new_one_would_not_open(
    store, engine
):
    stale = KeyStore(engine, MASTER)
    stale.check()
    store.check()
    store.rotate_master_key(OTHER_MASTER)
    with pytest.raises(WrongMasterKeyError):
        stale.create_keys([CASE])
    with pytest.raises(WrongMasterKeyError):
        stale.get_secret("external-ids")
    assert read_rows(engine, case_keys) == []
    assert [row.name for row in read_rows(engine, secrets_table)] == ["master-key-proof"]


def test_a_rotation_that_fails_leaves_the_store_with_its_old_master_key(store, engine):
    key = store.create_keys([CASE, OTHER_CASE])[OTHER_CASE]
    damaged = sa.update(case_keys).where(case_keys.c.case_id == CASE)
    write_raw(engine, damaged.values(wrapped=b"damaged"))
    with pytest.raises(WrongMasterKeyError):
        store.rotate_master_key(OTHER_MASTER)
    again = KeyStore(engine, MASTER)
    again.check()
    assert again.get_keys([OTHER_CASE]) == {OTHER_CASE: key}


def test_a_master_key_has_32_bytes(engine, store):
    with pytest.raises(ValueError, match="32 bytes"):
        KeyStore(engine, b"short")
    with pytest.raises(ValueError, match="32 bytes"):
        store.rotate_master_key(b"short")


# Secrets and keyed hashes


def test_a_secret_is_made_on_first_use_and_stays(store, engine):
    secret = store.get_secret("external-ids")
    assert len(secret) == 32
    assert store.get_secret("external-ids") == secret
    assert KeyStore(engine, MASTER).get_secret("external-ids") == secret
    assert store.get_secret("requests") != secret


@pytest.mark.parametrize("name", ["", "n" * 65, "master-key-proof"])
def test_names_of_secrets_are_bounded_and_the_proof_is_nobodys(store, name):
    with pytest.raises(ValueError, match="name of a secret"):
        store.get_secret(name)


def test_a_keyed_hash_is_hmac_over_parts_with_their_lengths():
    message = b"\x00\x00\x00\x02ab\x00\x00\x00\x04" + "ия".encode()
    expected = hmac.new(MASTER, message, hashlib.sha256).digest()
    assert KeyedHash(MASTER).digest("ab", "ия") == expected


def test_parts_do_not_run_into_each_other_and_the_secret_counts():
    keyed = KeyedHash(MASTER)
    digests = [keyed.digest(*parts) for parts in [("ab", "c"), ("a", "bc"), ("abc",), ("abc", "")]]
    assert len({*digests, KeyedHash(OTHER_MASTER).digest("abc")}) == 5
    with pytest.raises(ValueError, match="32 bytes"):
        KeyedHash(b"short")


# Key files


def test_a_key_file_is_made_once_for_its_owner_alone(tmp_path):
    path = tmp_path / "master.key"
    before = os.umask(0)
    try:
        key = read_or_create_master_key(path, store_is_empty=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert base64.b64decode(path.read_text("ascii")) == key
    assert len(key) == 32
    assert read_or_create_master_key(path, store_is_empty=True) == key
    assert read_or_create_master_key(path, store_is_empty=False) == key


def test_a_missing_key_file_beside_a_store_in_use_stops_the_start(tmp_path):
    path = tmp_path / "master.key"
    with pytest.raises(MissingKeyError, match=r"master\.key is missing"):
        read_or_create_master_key(path, store_is_empty=False)
    assert not path.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666])
def test_a_key_file_open_to_others_is_refused(tmp_path, mode):
    path = tmp_path / "master.key"
    read_or_create_master_key(path, store_is_empty=True)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        read_or_create_master_key(path, store_is_empty=True)


@pytest.mark.parametrize(
    "text", ["", "not base64!", base64.b64encode(b"k" * 31).decode(), "k" * 32, "k" * 44]
)
def test_a_key_file_without_a_key_is_refused_and_not_quoted(tmp_path, text):
    path = tmp_path / "signing.key"
    path.write_text(text, "ascii")
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="signing key file") as refusal:
        read_or_create_key_file(path, may_create=True, what="signing key")
    assert not text or text not in str(refusal.value)
    assert path.read_text("ascii") == text


def test_a_key_file_written_by_hand_may_end_as_editors_end_lines(tmp_path):
    path = tmp_path / "signing.key"
    path.write_bytes(base64.b64encode(b"k" * 32) + b"\r\n")
    path.chmod(0o400)
    assert read_or_create_key_file(path, may_create=False, what="signing key") == b"k" * 32


def test_a_process_that_comes_second_takes_the_key_of_the_first(tmp_path, monkeypatch):
    """Both saw no file; the second one's exclusive creation fails, and it reads instead."""
    path = tmp_path / "master.key"
    real_open, keys = os.open, []

    def open_after_another(target, flags, *arguments):
        if flags & os.O_CREAT:
            monkeypatch.setattr(os, "open", real_open)
            keys.append(read_or_create_master_key(path, store_is_empty=True))
        return real_open(target, flags, *arguments)

    monkeypatch.setattr(os, "open", open_after_another)
    keys.append(read_or_create_master_key(path, store_is_empty=True))
    assert keys[0] == keys[1] == base64.b64decode(path.read_text("ascii"))
