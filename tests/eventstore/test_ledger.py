"""The ledger keeps what it was told through a crash, and says so where it cannot be read."""

import json
import os
import stat
import threading
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from caseflow.domain.times import parse_time
from caseflow.eventstore.ledger import Ledger, LedgerError, LedgerLine, read_ledgers
from tests.houses import NOON

AT = parse_time(NOON)


def line(number: int, event: bool = True) -> LedgerLine:
    """Return a line unlike those of other numbers."""
    return LedgerLine(
        at=AT + number,
        kind="withdrawal" if event else "erasure",
        case_id=UUID(int=number),
        event_id=UUID(int=number + 1000) if event else None,
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger whose file is not there yet."""
    return Ledger(tmp_path / "ledger.ndjson")


def test_what_was_appended_is_read_in_order(ledger: Ledger) -> None:
    assert ledger.read() == []
    ledger.append([line(1), line(2, event=False)])
    ledger.append([])
    ledger.append([line(3)])
    assert Ledger(ledger.path).read() == [line(1), line(2, event=False), line(3)]


def test_a_line_is_as_it_is_documented(ledger: Ledger) -> None:
    ledger.append([line(2, event=False)])
    assert ledger.path.read_bytes() == (
        b'{"at":"2026-02-10T12:00:00.000002Z","case":"00000000-0000-0000-0000-000000000002",'
        b'"event":null,"kind":"erasure"}\n'
    )


def test_nothing_is_made_where_there_is_nothing_to_tell(ledger: Ledger) -> None:
    ledger.append([])
    assert not ledger.path.exists()


def test_the_file_is_for_its_owner_alone(ledger: Ledger) -> None:
    before = os.umask(0)
    try:
        ledger.append([line(1)])
    finally:
        os.umask(before)
    assert stat.S_IMODE(ledger.path.stat().st_mode) == 0o600


def test_a_line_is_on_the_disk_before_its_append_returns(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines in one write, then the file, then the directory that got a new name."""
    seen: list[str] = []
    fsync, write = os.fsync, os.write

    def note_fsync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        seen.append("directory" if is_folder else f"file of {os.fstat(descriptor).st_size}")
        fsync(descriptor)

    def note_write(descriptor: int, data: bytes) -> int:
        seen.append(f"write {len(data)}")
        return write(descriptor, data)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "write", note_write)
    ledger.append([line(1), line(2)])
    size = ledger.path.stat().st_size
    assert seen == [f"write {size}", f"file of {size}", "directory"]
    ledger.append([line(3)])
    assert seen[3:] == [f"write {size // 2}", f"file of {size // 2 * 3}"]


def test_a_crash_at_any_byte_loses_only_what_was_not_acknowledged(ledger: Ledger) -> None:
    ledger.append([line(1)])
    kept = ledger.path.stat().st_size
    ledger.append([line(2), line(3)])
    whole = ledger.path.read_bytes()
    for cut in range(kept, len(whole) + 1):
        ledger.path.write_bytes(whole[:cut])
        # A line that lacks nothing but its end is whole.
        second, third = (cut >= size - 1 for size in ((kept + len(whole)) // 2, len(whole)))
        found = [line(1), *([line(2)] * second), *([line(3)] * third)]
        assert ledger.read() == found, cut
        ledger.append([line(4)])
        assert ledger.read() == [*found, line(4)], cut
        ledger.append([line(5)])
        assert ledger.read() == [*found, line(4), line(5)], cut
        # Nothing that was there is gone.
        assert ledger.path.read_bytes().startswith(whole[:cut])


def test_a_crash_while_a_crash_is_healed_is_healed(ledger: Ledger) -> None:
    ledger.append([line(1)])
    torn = ledger.path.read_bytes() + b'{"at":"20'
    ledger.path.write_bytes(torn)
    ledger.append([line(2)])
    healed = ledger.path.read_bytes()
    for cut in range(len(torn), len(healed) - 1):
        ledger.path.write_bytes(healed[:cut])
        assert ledger.read() == [line(1)], cut
        ledger.append([line(3)])
        assert ledger.read() == [line(1), line(3)], cut


def test_who_takes_a_line_that_is_being_written_for_torn_does_no_harm(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.append([line(1)])
    monkeypatch.setattr("caseflow.eventstore.ledger._is_torn", lambda _: True)
    ledger.append([line(2)])
    assert ledger.read() == [line(1), line(2)]


def test_blocks_that_a_crash_left_empty_are_a_torn_line(ledger: Ledger) -> None:
    ledger.append([line(1)])
    with ledger.path.open("ab") as file:
        file.write(bytes(700))
    assert ledger.read() == [line(1)]
    ledger.append([line(2)])
    assert ledger.read() == [line(1), line(2)]


def _change(**fields: Any) -> bytes:
    known = {"at": NOON, "case": str(UUID(int=1)), "event": None, "kind": "erasure"}
    return json.dumps({k: v for k, v in (known | fields).items() if v != "left out"}).encode()


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        _change(at="yesterday"),
        _change(at="2026-02-30T12:00:00Z"),
        _change(at=7),
        _change(case="KZ-7Q3K-9F2M"),
        _change(case=None),
        _change(event="left out"),
        b"torn",
        _change(kind="other"),
        _change(more=1),
        _change() + _change(),
    ],
)
def test_any_other_damage_stops_and_names_the_line(ledger: Ledger, damaged: bytes) -> None:
    ledger.append([line(1), line(2), line(3)])
    texts = ledger.path.read_bytes().split(b"\n")
    assert json.loads(_change()).keys() == json.loads(texts[0]).keys()
    for number in (1, 2, 3):
        ledger.path.write_bytes(b"\n".join([*texts[: number - 1], damaged, *texts[number:]]))
        with pytest.raises(LedgerError, match=f"line {number} of the ledger"):
            ledger.read()


def test_what_another_tool_wrote_is_read(ledger: Ledger) -> None:
    ledger.path.write_bytes(b"  " + _change() + b"\r\n")
    assert [found.case_id for found in ledger.read()] == [UUID(int=1)]


def test_a_line_that_comes_again_is_read_once(ledger: Ledger, tmp_path: Path) -> None:
    other = Ledger(tmp_path / "other.ndjson")
    ledger.append([line(1), line(2), line(1)])
    other.append([line(3), line(2)])
    assert ledger.read() == [line(1), line(2)]
    assert read_ledgers([ledger.path, other.path]) == [line(1), line(2), line(3)]
    ledger.path.write_bytes(ledger.path.read_bytes() + other.path.read_bytes())
    assert ledger.read() == [line(1), line(2), line(3)]


def test_ledgers_of_which_one_is_torn_may_be_put_together(ledger: Ledger, tmp_path: Path) -> None:
    other = Ledger(tmp_path / "other.ndjson")
    ledger.append([line(1)])
    with ledger.path.open("ab") as file:
        file.write(b'{"at":')
    other.append([line(2)])
    assert read_ledgers([ledger.path, other.path]) == [line(1), line(2)]
    # As `cat` does it: the torn line runs into the next, which would be lost in silence.
    ledger.path.write_bytes(ledger.path.read_bytes() + other.path.read_bytes())
    with pytest.raises(LedgerError, match="line 2 "):
        ledger.read()


def test_a_disk_that_takes_a_part_is_no_success(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.append([line(1)])
    with monkeypatch.context() as patch:
        write = os.write
        patch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:9]))
        with pytest.raises(LedgerError, match="written whole"):
            ledger.append([line(2)])
    ledger.append([line(3)])
    assert ledger.read() == [line(1), line(3)]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Ledger(tmp_path / "none" / "ledger.ndjson").append([line(1)])


def test_threads_do_not_mix_their_lines(ledger: Ledger) -> None:
    numbers = [range(start, start + 50) for start in (0, 100, 200, 300)]

    def tell(mine: range) -> None:
        for number in mine:
            Ledger(ledger.path).append([line(number), line(number + 1000)])

    threads = [threading.Thread(target=tell, args=(mine,)) for mine in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = ledger.read()
    assert len(found) == 400
    for mine in numbers:
        assert [f for f in found if f.case_id.int in mine] == [line(n) for n in mine]
