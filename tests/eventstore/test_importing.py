"""Importing lines: every line has its result, in order, and none stops the others."""

import io
import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from caseflow.bootstrap import House, open_house
from caseflow.domain.errors import (
    ExternalIdTakenError,
    InvalidInputError,
    NotFoundError,
    UnreadableError,
)
from caseflow.eventstore import importing
from caseflow.eventstore.importing import MAX_LINE_BYTES, LineResult, import_lines, read_lines
from caseflow.eventstore.partners import NO_KEY, Caller
from caseflow.settings import read_settings

SEED = files("caseflow.demo").joinpath("kazakhstan.ndjson").read_bytes().splitlines(keepends=True)
CALLER = Caller(uuid4(), None, frozenset({"events:write", "events:publish"}), NO_KEY)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A running house on an embedded database."""
    settings = read_settings(
        {
            "CASEFLOW_DATABASE_URL": f"sqlite:///{tmp_path}/caseflow.db",
            "CASEFLOW_KEYS_URL": f"sqlite:///{tmp_path}/keys.db",
            "CASEFLOW_MASTER_KEY_FILE": f"{tmp_path}/master.key",
            "CASEFLOW_SIGNING_KEY_FILE": f"{tmp_path}/signing.key",
        }
    )
    with open_house(settings) as house:
        yield house


def case_line(external_id: str | None = "a", **more: Any) -> bytes:
    """Return the line of a case; without an external id where it is None."""
    consent = {"publish": "anonymous", "basis": "own"}
    part = {"host_state": "KZ", "origin_state": "RU", "consent": consent, **more}
    return json.dumps(
        {"case": part | ({"external_id": external_id} if external_id else {})}
    ).encode()


def event_line(external_id: str = "a/1", **more: Any) -> bytes:
    """Return the line of an event of case `a`."""
    part = {"case": "ext:a", "type": "asylum.claim_made", "occurred": "2025-05"}
    return json.dumps({"event": part | {"external_id": external_id} | more}).encode()


def run(house: House, *lines: bytes) -> list[LineResult]:
    """Import lines and return their results."""
    return list(import_lines(house.cases, CALLER, lines))


def refusal(house: House, line: bytes) -> list[tuple[str, str]]:
    """Return what is wrong with a line that has to be rejected as invalid."""
    (result,) = run(house, line)
    assert result.result == "rejected"
    assert isinstance(result.error, InvalidInputError)
    return result.error.errors


def test_a_second_import_of_the_same_lines_changes_nothing(house: House) -> None:
    first = run(house, *SEED)
    second = run(house, *SEED)
    assert [r.result for r in first] == ["created"] * 81
    assert [r.result for r in second] == ["unchanged"] * 81
    assert [(r.line, r.id) for r in first] == [(r.line, r.id) for r in second]
    with house.reader.snapshot() as snapshot:
        assert snapshot.head.position == 81


def test_results_follow_the_lines_and_empty_lines_have_none(house: House) -> None:
    results = run(house, b"\n", case_line(), b"  \r\n", b"{}", event_line())
    assert [(r.line, r.result) for r in results] == [
        (2, "created"),
        (4, "rejected"),
        (5, "created"),
    ]


def test_few_lines_in_flight_give_the_same_results(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However small the window: a line still finds the case of a line before it."""
    monkeypatch.setattr(importing, "IN_FLIGHT", 1)
    assert [r.result for r in run(house, case_line(), event_line(), event_line())] == [
        "created",
        "created",
        "unchanged",
    ]


def test_lines_are_read_no_further_than_the_window(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "IN_FLIGHT", 10)
    read = 0

    def lines() -> Iterator[bytes]:
        nonlocal read
        for number in range(1000):
            read += 1
            yield case_line(str(number))

    results = import_lines(house.cases, CALLER, lines())
    next(results)
    assert read <= 10
    assert sum(1 for _ in results) == 999


def test_a_rejected_case_leaves_its_events_without_one(house: House) -> None:
    bad, event, good = run(house, case_line(persons=0), event_line(), case_line("b"))
    assert (bad.result, event.result, good.result) == ("rejected", "rejected", "created")
    assert isinstance(event.error, NotFoundError)


def test_one_name_for_two_contents_is_rejected(house: House) -> None:
    _, again = run(house, case_line(), case_line(persons=2))
    assert isinstance(again.error, ExternalIdTakenError)


@pytest.mark.parametrize(
    ("line", "pointer"),
    [
        (case_line(None), "/case/external_id"),
        (case_line(persons=0), "/case/persons"),
        (case_line(host_state="XX"), "/case/host_state"),
        (case_line(unknown=1), "/case/unknown"),
        (case_line(consent={"publish": "no", "basis": "own"}), "/case/consent/publish"),
        (case_line(subject={"nationalities": ["RU", "r"]}), "/case/subject/nationalities/1"),
        (b'{"case": []}', "/case"),
        (event_line(type="nope"), "/event/type"),
        (event_line(occurred="2026-02-30"), "/event/occurred"),
        (event_line(basis="wanted"), "/event/basis"),
        (event_line(type="detention.apprehended"), "/event/basis"),
        (event_line(sources=[{"url": "ftp://x"}]), "/event/sources/0/url"),
        (event_line(place="\x0b"), "/event/place"),
        (event_line(place="\ud800"), "/event/place"),
        (event_line(case="ext:\ud800"), "/event/case"),
        (event_line(case=1), "/event/case"),
        (event_line(**{"a/b~": "x"}), "/event/a~1b~0"),
    ],
)
def test_what_is_wrong_is_pointed_at_from_the_line(house: House, line: bytes, pointer: str) -> None:
    run(house, case_line())
    assert [at for at, _ in refusal(house, line)] == [pointer]


def test_a_refusal_does_not_repeat_values(house: House) -> None:
    (found,) = refusal(house, event_line(type="detention.apprehended", basis="Ivan Petrov"))
    assert "Petrov" not in found[1]


@pytest.mark.parametrize(
    "line",
    [
        b"no json",
        b'{"case": {',
        b"\xff",
        b'{"case": NaN}',
        b'{"case": 1, "case": 2}',
        b"[" * 100_000,
        b'{"case": ' + b"9" * 5_000 + b"}",
    ],
)
def test_what_is_no_json_is_rejected_as_unreadable(house: House, line: bytes) -> None:
    rejected, created = run(house, line, case_line())
    assert isinstance(rejected.error, UnreadableError)
    assert created.result == "created"


@pytest.mark.parametrize(
    "line", [b"{}", b"[]", b"null", b'{"case": {}, "event": {}}', b'{"case": {}, "more": 1}']
)
def test_a_line_has_one_member_and_no_other(house: House, line: bytes) -> None:
    (result,) = run(house, line)
    assert result.error is not None
    assert '"case" or "event"' in result.error.detail


def test_a_byte_order_mark_is_taken_at_the_beginning_alone(house: House) -> None:
    first, second = run(house, b"\xef\xbb\xbf" + case_line("a"), b"\xef\xbb\xbf" + case_line("b"))
    assert (first.result, second.result) == ("created", "rejected")


def test_a_long_line_is_rejected_and_never_read_whole(house: House) -> None:
    """The line after it keeps its number."""
    long = b'{"case": "' + b"x" * (3 * MAX_LINE_BYTES) + b'"}\n'
    lines = list(read_lines(io.BytesIO(long + case_line() + b"\n")))
    assert [len(line) <= MAX_LINE_BYTES + 1 for line in lines] == [True, True]
    rejected, created = run(house, *lines)
    assert rejected.error is not None
    assert "bytes" in rejected.error.detail
    assert (created.line, created.result) == (2, "created")


def test_a_line_of_just_the_longest_length_is_taken(house: House) -> None:
    line = case_line()
    padded = line + b" " * (MAX_LINE_BYTES - len(line)) + b"\n"
    (result,) = run(house, *read_lines(io.BytesIO(padded)))
    assert result.result == "created"
    (longer,) = run(house, *read_lines(io.BytesIO(b" " + padded)))
    assert longer.result == "rejected"
