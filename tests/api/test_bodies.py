"""Bodies: read strictly, refused with a pointer, and never repeated."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar, Request, post
from litestar.testing import TestClient
from msgspec import Meta, Struct

from caseflow.api.bodies import read_body, require_json
from caseflow.api.problems import EXCEPTION_HANDLERS
from caseflow.domain.errors import InvalidInputError, UnreadableError
from caseflow.domain.vocabulary import AnyClaim, Claim, Died, Verdict
from caseflow.formats.json_input import MAX_DEPTH, decode_body
from tests.api.asgi import exchange

CLAIM: msgspec.json.Decoder[Claim] = msgspec.json.Decoder(AnyClaim)
ANYTHING: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


class Name(Struct, forbid_unknown_fields=True):
    """A name in a list of names."""

    text: Annotated[str, Meta(min_length=1)]


class Opening(Struct, forbid_unknown_fields=True):
    """A body that is no union."""

    names: list[Name] = []
    counts: dict[str, int] = {}


OPENING = msgspec.json.Decoder(Opening)


def fault_of(body: bytes, decoder: msgspec.json.Decoder[Any] = CLAIM) -> tuple[str, str]:
    """Return pointer and reason of the one fault that is found."""
    with pytest.raises(InvalidInputError) as refused:
        decode_body(decoder, body)
    (fault,) = refused.value.errors
    return fault


def died(**fields: Any) -> bytes:
    """Return a body that would be good without these fields."""
    return json.dumps({"type": "person.died", "occurred": "2025"} | fields).encode()


def test_a_good_body_is_decoded() -> None:
    assert decode_body(CLAIM, died()) == Died(occurred="2025")
    body = '{"occurred":"2025","type":"prosecution.verdict","outcome":"acquitted","place":"Алматы"}'
    expected = Verdict(occurred="2025", outcome="acquitted", place="Алматы")
    assert decode_body(CLAIM, body.encode()) == expected


@pytest.mark.parametrize(
    ("body", "pointer", "reason"),
    [
        (died(type="person.born"), "/type", "is not an event type"),
        (died(type=5), "/type", "must be a string"),
        (b'{"occurred": "2025"}', "/type", "is required"),
        (b'{"type": "person.died"}', "/occurred", "is required"),
        (died(nope=1), "/nope", "is not a known field"),
        (died(basis="border"), "/basis", "is not a field of this type"),
        (died(summary={"de": "x"}), "/summary/de", "is not a known field"),
        (died(**{"a/b~c": 1}), "/a~1b~0c", "is not a known field"),
        (died(**{"a`b": 1}), "/a`b", "is not a known field"),
        (died(occurred=5), "/occurred", "must be a string, not a whole number"),
        (died(occurred=""), "/occurred", "must be a string of length >= 1"),
        (died(place=True), "/place", "must be a string, not true or false"),
        (died(sources={}), "/sources", "must be an array, not an object"),
        (
            died(sources=[{}, {"title": 1}]),
            "/sources/1/title",
            "must be a string, not a whole number",
        ),
        (
            died(verification="certain"),
            "/verification",
            "must be one of confirmed, likely, possible, unlikely",
        ),
        (
            died(type="appeal.decided", against="x", outcome="won"),
            "/outcome",
            "must be one of quashed, remitted, upheld",
        ),
        (
            died(sources=[{"connection": "friend"}]),
            "/sources/0/connection",
            "must be one of lawyer, ngo, official, other, relative, reporter, self",
        ),
        (
            died(type="detention.custody_ordered", basis="other", term_days=10**40),
            "/term_days",
            "must be a whole number <= 36500",
        ),
        (b"[]", "", "must be an object, not an array"),
        (b"null", "", "must be an object, not null"),
    ],
)
def test_another_shape_is_refused_where_it_differs(body: bytes, pointer: str, reason: str) -> None:
    assert fault_of(body) == (pointer, reason)


def test_a_body_that_is_no_union_is_refused_in_the_same_way() -> None:
    assert fault_of(b'{"names":[{"text":""}]}', OPENING)[0] == "/names/0/text"
    assert fault_of(b'{"names":[{}]}', OPENING) == ("/names/0/text", "is required")
    assert fault_of(b'{"names":[{"basis":1}]}', OPENING)[1] == "is not a known field"
    # The decoder does not tell the keys of a mapping, so the mapping is pointed at.
    assert fault_of(b'{"counts":{"a":"b"}}', OPENING)[0] == "/counts"


def test_a_very_long_field_name_is_not_repeated() -> None:
    assert fault_of(died(**{"x" * 101: 1})) == ("", "is not a known field")


SECRET = "Movlaev"


@pytest.mark.parametrize(
    "field",
    [
        {"type": SECRET},
        {"verification": SECRET},
        {"jurisdiction": SECRET},
        {"occurred": SECRET * 20},
        {"sources": SECRET},
        {"sources": [{"url": SECRET}]},
        {"summary": {"ru": [SECRET]}},
    ],
)
def test_a_value_is_never_repeated(field: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError) as refused:
        decode_body(CLAIM, died(**field))
    assert SECRET not in f"{refused.value.detail} {refused.value.errors}"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (died(occurred="\ud800"), "/occurred"),
        (died(summary={"ru": "\udc00 text"}), "/summary/ru"),
        (died(sources=[{"title": "a"}, {"title": "\ud83dx"}]), "/sources/1/title"),
    ],
)
def test_half_a_surrogate_pair_is_pointed_at(body: bytes, pointer: str) -> None:
    assert fault_of(body) == (pointer, "holds a character that XML cannot carry")


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert decode_body(ANYTHING, b'"\\ud83d\\ude00"') == "\U0001f600"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nope",
        b"{",
        b'{"a":1,}',
        b"{'a':1}",
        b"{} x",
        b'"\x00"',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        '"x"'.encode("utf-16"),
        b"\xef\xbb\xbf{}",
        b"NaN",
        b'{"a":-Infinity}',
        b'{"a":01}',
        b'{"\\ud800":1}',
        b'{"a":1,"a":2}',
        b'{"a":1,"\\u0061":1}',
        b'[{"a":{"b":1,"b":1}}]',
        died()[:-1] + b',"visibility":"restricted","visibility":"public"}',
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b"[" * 500_000,
        b'{"a":' * 50_000,
        b'["' + b'\\"' * 300_000 + b"[" * 100,
    ],
)
@pytest.mark.parametrize("decoder", [ANYTHING, CLAIM])
def test_what_is_not_json_is_unreadable(decoder: msgspec.json.Decoder[Any], body: bytes) -> None:
    with pytest.raises(UnreadableError):
        decode_body(decoder, body)


def test_depth_counts_levels_and_not_brackets() -> None:
    deep = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert decode_body(ANYTHING, deep)
    wide = b"[" + b",".join([b"[]"] * 1_000) + b"]"
    assert len(decode_body(ANYTHING, wide)) == 1_000
    quoted = json.dumps(["[{" * 1_000 + '"\\"[', "]"]).encode()
    assert len(decode_body(ANYTHING, quoted)) == 2


@pytest.mark.parametrize("body", [b"9" * 6_000, b"1e999", b"-" + b"9" * 6_000])
def test_a_number_that_is_too_large_is_invalid(body: bytes) -> None:
    assert fault_of(body, ANYTHING)[0] == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)


@given(JSON)
def test_what_is_json_is_read_as_it_is(value: Any) -> None:
    assert decode_body(ANYTHING, json.dumps(value).encode()) == value


@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,\\ud8001eNa', max_size=40).map(str.encode))
def test_no_body_ends_in_another_error(body: bytes) -> None:
    for decoder in (ANYTHING, CLAIM):
        with suppress(InvalidInputError, UnreadableError):
            decode_body(decoder, body)


@post("/", status_code=200)
async def receive(request: Request[Any, Any, Any]) -> int:
    """Answer how long the body was."""
    require_json(request)
    return len(await read_body(request, 100))


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient[Litestar]]:
    """A house that takes a hundred bytes."""
    app = Litestar(
        [receive],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=None,
        logging_config=None,
        request_max_body_size=1_000,
    )
    with TestClient(app) as client:
        client.headers["content-type"] = "application/json"
        yield client


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize(("length", "status"), [(0, 200), (100, 200), (101, 413), (5_000, 413)])
def test_a_body_has_a_limit(
    client: TestClient[Litestar], announced: bool, length: int, status: int
) -> None:
    content: Any = b"x" * length if announced else iter([b"x" * length])
    response = client.post("/", content=content)
    assert response.status_code == status
    assert response.text == str(length) or "100 bytes" in response.json()["detail"]


JSON_HEADERS = [("content-type", "application/json")]


def chunk(length: int) -> dict[str, Any]:
    """Return a part of a body that goes on."""
    return {"type": "http.request", "body": b"x" * length, "more_body": True}


def test_no_more_is_read_than_the_limit(client: TestClient[Litestar]) -> None:
    parts = [chunk(60), chunk(60), chunk(60), chunk(60)]
    assert exchange(client, "POST", "/", headers=JSON_HEADERS, messages=parts).status == 413
    assert len(parts) == 2


def test_a_caller_who_goes_away_is_no_fault_of_ours(client: TestClient[Litestar]) -> None:
    parts = [chunk(60), {"type": "http.disconnect"}]
    assert exchange(client, "POST", "/", headers=JSON_HEADERS, messages=parts).status == 400


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("Application/JSON ; charset=utf-8", 200),
        ("application/json;charset=utf-8;x=y", 200),
        ("application/problem+json", 415),
        ("application/jsonl", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("", 415),
    ],
)
def test_a_body_says_that_it_is_json(
    client: TestClient[Litestar], content_type: str, status: int
) -> None:
    response = client.post("/", content=b"{}", headers={"content-type": content_type})
    assert response.status_code == status


def test_a_compressed_body_is_not_taken(client: TestClient[Litestar]) -> None:
    response = client.post("/", content=b"{}", headers={"content-encoding": "gzip"})
    assert response.status_code == 415
