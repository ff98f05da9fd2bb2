"""Checkpoints in the key store: advanced by whoever saw the last one, and kept for witnesses."""

from collections.abc import Iterator
from contextlib import AbstractContextManager

import msgspec
import pytest
from sqlalchemy import Connection, Engine

from caseflow.database import begin_read, begin_write, make_engine
from caseflow.eventstore.schema import migrate_keys
from caseflow.proof.checkpoints import (
    KEPT_NOTES,
    Checkpoints,
    Last,
    find_pinned_key,
    pin_key,
)

ORIGIN = "cases.example/v1/log"
FIRST = Last(origin=ORIGIN, size=0, root=bytes(32), note=b"empty", signed_at=1)
NEXT = Last(origin=ORIGIN, size=5, root=b"5" * 32, note=b"five", signed_at=2)


@pytest.fixture
def engine(keys_url: str) -> Iterator[Engine]:
    """An engine on a migrated, empty key store."""
    migrate_keys(keys_url)
    engine = make_engine(keys_url)
    yield engine
    engine.dispose()


@pytest.fixture
def checkpoints(engine: Engine) -> Checkpoints:
    """The checkpoints of an empty key store."""

    def read() -> AbstractContextManager[Connection]:
        return begin_read(engine)

    def write() -> AbstractContextManager[Connection]:
        return begin_write(engine)

    return Checkpoints(read, write)


def test_a_log_begins_once(checkpoints: Checkpoints) -> None:
    assert checkpoints.find(ORIGIN) is None
    assert checkpoints.begin("public", FIRST)
    assert not checkpoints.begin("public", msgspec.structs.replace(FIRST, note=b"other"))
    assert checkpoints.find(ORIGIN) == FIRST


def test_only_who_saw_the_last_one_advances_it(checkpoints: Checkpoints) -> None:
    checkpoints.begin("public", FIRST)
    assert checkpoints.advance(FIRST, NEXT)
    rival = msgspec.structs.replace(NEXT, root=b"x" * 32)
    assert not checkpoints.advance(FIRST, rival)
    # The same size under another root was not seen.
    larger = msgspec.structs.replace(NEXT, size=6)
    assert not checkpoints.advance(rival, larger)
    assert checkpoints.find(ORIGIN) == NEXT


@pytest.mark.parametrize("size", [4, 5])
def test_no_log_shrinks_or_stands_still(checkpoints: Checkpoints, size: int) -> None:
    checkpoints.begin("public", FIRST)
    checkpoints.advance(FIRST, NEXT)
    with pytest.raises(ValueError, match="smaller one"):
        checkpoints.advance(NEXT, msgspec.structs.replace(NEXT, size=size))


def test_the_origin_taken_last_is_the_one_in_use(checkpoints: Checkpoints) -> None:
    checkpoints.begin("public", FIRST)
    checkpoints.begin("full", msgspec.structs.replace(FIRST, origin="other", signed_at=9))
    renamed = msgspec.structs.replace(FIRST, origin="new.example/log", signed_at=7)
    checkpoints.begin("public", renamed)
    assert checkpoints.find_newest("public") == renamed
    assert checkpoints.find_newest("none") is None


def test_a_halt_is_kept_and_cleared(checkpoints: Checkpoints) -> None:
    checkpoints.begin("public", FIRST)
    checkpoints.halt(ORIGIN, "for a reason")
    assert checkpoints.find(ORIGIN) == msgspec.structs.replace(FIRST, halted="for a reason")
    checkpoints.halt(ORIGIN, None)
    assert checkpoints.find(ORIGIN) == FIRST


def test_the_newest_notes_are_kept_and_older_ones_with_more_witnesses(
    checkpoints: Checkpoints,
) -> None:
    """A note is here a text of as many letters as it has witnesses."""
    checkpoints.begin("public", FIRST)
    notes = {1: b"aaa", 2: b"aa", 3: b"aa"} | dict.fromkeys(range(4, 40), b"a")
    for size, note in notes.items():
        merged = checkpoints.add_cosigned(ORIGIN, size, lambda stored, n=note: stored or n, len)
        assert merged == note
    kept = [size for size, _ in checkpoints.list_cosigned(ORIGIN)]
    assert kept == [*range(39, 39 - KEPT_NOTES, -1), 3, 1]


def test_lines_for_one_checkpoint_come_together(checkpoints: Checkpoints) -> None:
    checkpoints.begin("public", FIRST)
    for line in (b"a", b"b"):
        checkpoints.add_cosigned(ORIGIN, 5, lambda stored, n=line: (stored or b"") + n, len)
    assert checkpoints.list_cosigned(ORIGIN) == [(5, b"ab")]


def test_the_first_key_is_pinned(engine: Engine) -> None:
    assert find_pinned_key(engine) is None
    for key in (b"a" * 32, b"b" * 32):
        assert pin_key(lambda: begin_write(engine), key) == b"a" * 32
    assert find_pinned_key(engine) == b"a" * 32
