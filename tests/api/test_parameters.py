"""Query parameters, cursors and If-Match: read strictly, refused with a pointer."""

import base64
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Request
from litestar.testing import RequestFactory

from caseflow.api import parameters
from caseflow.api.parameters import (
    MAX_POSITION,
    Query,
    VersionRequiredError,
    encode_cursor,
    parse_cursor,
    parse_if_match,
    read_query,
    require_if_match,
)
from caseflow.domain.errors import InvalidInputError
from caseflow.domain.times import parse_time

CASE = UUID("8c0f4f0e-3f0b-4a53-9d43-6a1d0c7f3a11")


class Place(NamedTuple):
    """Where a page of cases ended."""

    at: int
    case_id: UUID


class Word(NamedTuple):
    """Where a page of words ended."""

    word: str
    number: int | None


def ask(headers: Any = None, **query: Any) -> Request[Any, Any, Any]:
    """Return a request with these headers and parameters."""
    return RequestFactory().get("/", headers=headers, query_params=query)


def pointer_of(refusal: Callable[[], object]) -> str:
    """Return where the refusal points."""
    with pytest.raises(InvalidInputError) as refused:
        refusal()
    ((pointer, reason),) = refused.value.errors
    assert reason
    return pointer


def test_a_query_is_read_by_the_names_that_are_known() -> None:
    assert read_query(ask(limit="5", as_of=""), "limit", "as_of") == {"limit": "5"}
    assert read_query(ask()) == {}


@pytest.mark.parametrize("name", ["headlne", "lang", "", "a/b~c"])
def test_an_unknown_parameter_is_refused(name: str) -> None:
    escaped = name.replace("~", "~0").replace("/", "~1")
    assert pointer_of(lambda: read_query(ask(**{name: "x"}), "headline")) == f"/query/{escaped}"


def test_a_parameter_given_twice_is_refused() -> None:
    request = ask(limit=["1", "2"])
    assert pointer_of(lambda: read_query(request, "limit")) == "/query/limit"


Parser = Callable[[Query], object]


def named(name: str, parser: Callable[[Query, str], object]) -> Parser:
    """Return a parser of one name."""
    return lambda query: parser(query, name)


ACCEPTED: list[tuple[str, Parser, str, object]] = [
    ("as_of", parameters.parse_as_of, "2026-02-10", "2026-02-10"),
    ("as_of", parameters.parse_as_of, "2024-02-29", "2024-02-29"),
    ("known_at", parameters.parse_known_at, "1970-01-01T00:00:01Z", 1_000_000),
    ("known_at", parameters.parse_known_at, "1970-01-01T05:00:00+05:00", 0),
    ("updated_since", parameters.parse_updated_since, "1970-01-01T00:00:00.000001Z", 1),
    ("limit", parameters.parse_limit, "1", 1),
    ("limit", parameters.parse_limit, "500", 500),
    ("min_position", parameters.parse_min_position, "0", 0),
    ("min_position", parameters.parse_min_position, str(MAX_POSITION), MAX_POSITION),
    ("after", named("after", parameters.parse_position), "81", 81),
    ("at_risk", named("at_risk", parameters.parse_flag), "true", True),
    ("at_risk", named("at_risk", parameters.parse_flag), "false", False),
    ("headline", parameters.parse_headline, "extradited", "extradited"),
    ("headline", parameters.parse_headline, "monitored", "monitored"),
    ("track", parameters.parse_track, "liberty:in_custody", ("liberty", "in_custody")),
    ("host_state", named("host_state", parameters.parse_country), "KZ", "KZ"),
    ("q", parameters.parse_search, "Мовлаев", "Мовлаев"),
]
REFUSED: list[tuple[str, Parser, str]] = [
    *(
        ("as_of", parameters.parse_as_of, text)
        for text in (
            "2026-02-30",
            "2026-13-01",
            "2026",
            "2026-02",
            "May 2025",
            "20260210",
            "٢٠٢٦-02-10",
        )
    ),
    *(
        ("known_at", parameters.parse_known_at, text)
        for text in (
            "2026-02-10",
            "2026-02-10T09:30:00",
            "2026-02-10T09:30:00 05:00",
            "2026-02-30T00:00:00Z",
            "0001-01-01T00:00:00+05:00",
            "9999-12-31T23:59:59-05:00",
        )
    ),
    ("updated_since", parameters.parse_updated_since, "yesterday"),
    *(
        ("limit", parameters.parse_limit, text)
        for text in ("0", "501", "-1", "+5", "1.0", "ten", "9" * 5_000, "٥", " 5")
    ),
    ("min_position", parameters.parse_min_position, str(MAX_POSITION + 1)),
    ("after", named("after", parameters.parse_position), "-1"),
    *(("at_risk", named("at_risk", parameters.parse_flag), text) for text in ("1", "True", "yes")),
    ("headline", parameters.parse_headline, "extradition"),
    *(
        ("track", parameters.parse_track, text)
        for text in ("liberty", "liberty:", "liberty:granted", "health:ill", "liberty:in_custody:x")
    ),
    *(
        ("host_state", named("host_state", parameters.parse_country), text)
        for text in ("kz", "KAZ", "XX", "ZZ", "UK")
    ),
    *(("q", parameters.parse_search, text) for text in ("a\0", "x" * 201, "\ufffe")),
]


@pytest.mark.parametrize(("name", "parse", "text", "value"), ACCEPTED)
def test_a_good_value_is_read(name: str, parse: Parser, text: str, value: object) -> None:
    assert parse(read_query(ask(**{name: text}), name)) == value


@pytest.mark.parametrize(("name", "parse", "text"), REFUSED)
def test_a_bad_value_is_refused(name: str, parse: Parser, text: str) -> None:
    query = read_query(ask(**{name: text}), name)
    assert pointer_of(lambda: parse(query)) == f"/query/{name}"


@pytest.mark.parametrize("parse", dict.fromkeys(parse for _, parse, _, _ in ACCEPTED))
def test_what_is_not_given_is_none_or_the_default(parse: Parser) -> None:
    assert parse({}) == (50 if parse is parameters.parse_limit else None)


def test_a_time_with_an_offset_may_be_written_in_an_address() -> None:
    request = ask(known_at="2026-02-10T09:30:00+05:00")
    moment = parameters.parse_known_at(read_query(request, "known_at"))
    assert moment == parse_time("2026-02-10T04:30:00Z")


@given(st.integers(0, MAX_POSITION), st.uuids())
def test_a_cursor_comes_back_as_it_was(position: int, case_id: UUID) -> None:
    cursor = encode_cursor(Place(position, case_id))
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert parse_cursor({"cursor": cursor}, Place) == Place(position, case_id)


def cursor_of(text: bytes) -> str:
    """Return a cursor that somebody made up."""
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "!",
        "not a cursor",
        encode_cursor((1, CASE)) + "=",
        encode_cursor((1, CASE))[:-3],
        encode_cursor([CASE, 1]),
        encode_cursor([1]),
        encode_cursor([-1, CASE]),
        encode_cursor({"a": 1}),
        encode_cursor([1, "a\0"]),
        cursor_of(b"[9223372036854775808," + b'"' + str(CASE).encode() + b'"]'),
        cursor_of(b"\xff\xfe"),
        cursor_of(b"[" * 300),
        "A" * 600,
        "ünï",
    ],
)
def test_a_made_up_cursor_is_refused(cursor: str) -> None:
    assert pointer_of(lambda: parse_cursor({"cursor": cursor}, Place)) == "/query/cursor"


def test_a_cursor_may_be_one_number() -> None:
    assert parse_cursor({"cursor": encode_cursor(7)}, int) == 7
    for value in (-1, 2**63, "a", [7], None):
        cursor = encode_cursor(value)
        assert pointer_of(partial(parse_cursor, {"cursor": cursor}, int)) == "/query/cursor"


def test_a_cursor_may_hold_texts_but_none_that_a_database_refuses() -> None:
    word = Word("é", None)
    assert parse_cursor({"cursor": encode_cursor(word)}, Word) == word
    cursor = encode_cursor(Word("a\0", None))
    assert pointer_of(lambda: parse_cursor({"cursor": cursor}, Word)) == "/query/cursor"


def test_the_first_page_has_no_cursor() -> None:
    assert parse_cursor({}, Place) is None


@pytest.mark.parametrize(
    ("header", "version"), [('"7"', 7), ('"7-gzip"', 7), ('"12-0a1b-gzip"', 12), ("*", None)]
)
def test_if_match_names_a_version(header: str, version: int | None) -> None:
    request = ask({"if-match": header})
    assert parse_if_match(request) == version
    assert require_if_match(request) == version


@pytest.mark.parametrize(
    "header", ["7", 'W/"7"', '"7", "8"', '"seven"', '""', '"-7"', '"' + "9" * 30 + '"', '"7', "**"]
)
def test_if_match_that_is_no_version_is_refused(header: str) -> None:
    assert pointer_of(lambda: parse_if_match(ask({"if-match": header}))) == "/headers/If-Match"


def test_a_version_may_be_required() -> None:
    assert parse_if_match(ask()) is None
    with pytest.raises(VersionRequiredError):
        require_if_match(ask())
