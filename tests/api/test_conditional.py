"""What caches and pollers rely on: validators, 304, HEAD, gzip with a tag of its own."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from litestar import Litestar, Request, Response, route
from litestar.testing import TestClient

from caseflow.api.conditional import (
    PRIVATE,
    PUBLIC,
    etag_of,
    make_document,
    respond,
    respond_document,
)
from tests.api.asgi import exchange

SHORT = b'{"short": true}'
LONG = b'{"long": "' + b"x" * 5_000 + b'"}'
MODIFIED = datetime(2026, 2, 10, 9, 30, 0, 600_000, tzinfo=UTC)
DOCUMENT = make_document(LONG, media_type="application/atom+xml", last_modified=MODIFIED)

PATHS = ["/long", "/document"]


@route("/short", http_method=["GET", "HEAD"], sync_to_thread=False)
def short(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answer with less than is worth compressing."""
    return respond(
        request,
        SHORT,
        media_type="application/json",
        cache_control=PRIVATE,
        vary=["Authorization", "Accept-Language"],
        etag="7-en",
        language="en",
        headers={"Link": '<x>; rel="next"'},
    )


@route("/long", http_method=["GET", "HEAD"], sync_to_thread=False)
def long(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answer with a body that is rendered for each request."""
    return respond(
        request,
        LONG,
        media_type="application/atom+xml",
        cache_control=PUBLIC,
        last_modified=MODIFIED,
    )


@route("/document", http_method=["GET", "HEAD"], sync_to_thread=False)
def document(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answer with bytes that were made ready."""
    return respond_document(request, DOCUMENT)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient[Litestar]]:
    """A client that asks for no encoding unless the test does."""
    app = Litestar([short, long, document], openapi_config=None, logging_config=None)
    with TestClient(app) as client:
        client.headers["accept-encoding"] = "identity"
        yield client


def test_an_answer_says_how_it_may_be_kept(client: TestClient[Litestar]) -> None:
    response = client.get("/short")
    assert response.status_code == 200
    assert response.content == SHORT
    assert response.headers["content-type"] == "application/json"
    assert response.headers["etag"] == '"7-en"'
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["vary"] == "Authorization, Accept-Language, Accept-Encoding"
    assert response.headers["content-language"] == "en"
    assert response.headers["link"] == '<x>; rel="next"'
    assert "set-cookie" not in response.headers


def test_public_answers_are_fresh_for_five_minutes_at_most() -> None:
    assert int(PUBLIC.partition("max-age=")[2].partition(",")[0]) <= 300


@pytest.mark.parametrize("path", PATHS)
def test_a_body_has_a_strong_tag_of_its_bytes(client: TestClient[Litestar], path: str) -> None:
    first, second = client.get(path), client.get(path)
    assert first.content == second.content == LONG
    assert first.headers["etag"] == second.headers["etag"] == f'"{etag_of(LONG)}"'
    assert first.headers["last-modified"] == "Tue, 10 Feb 2026 09:30:00 GMT"
    assert etag_of(LONG) != etag_of(SHORT)
    assert etag_of(LONG, 7) == f"7-{etag_of(LONG)}"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_head_gives_the_head_of_get(client: TestClient[Litestar], path: str, encoding: str) -> None:
    asked = [("accept-encoding", encoding)]
    got = exchange(client, "GET", path, headers=asked)
    head = exchange(client, "HEAD", path, headers=asked)
    assert head == got._replace(body=b"")
    assert head.headers["content-length"] == str(len(got.body))
    assert got.body


@pytest.mark.parametrize("path", PATHS)
def test_gzip_has_its_own_tag_and_the_same_bytes_each_time(
    client: TestClient[Litestar], path: str
) -> None:
    raw = []
    for _ in range(2):
        with client.stream("GET", path, headers={"accept-encoding": "gzip"}) as response:
            raw.append(b"".join(response.iter_raw()))
    assert raw[0] == raw[1]
    assert gzip.decompress(raw[0]) == LONG
    # No time of making in the header (RFC 1952, section 2.3.1).
    assert raw[0][4:8] == b"\0\0\0\0"
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.headers["etag"] == f'"{etag_of(LONG)}-gzip"'


def test_a_short_body_is_not_compressed(client: TestClient[Litestar]) -> None:
    response = client.get("/short", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in response.headers
    assert "Accept-Encoding" in response.headers["vary"]
    assert make_document(SHORT, media_type="text/plain").zipped is None


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "tags", ['"{}"', 'W/"{}"', '"a", "{}"', '"a,b" , W/"{}","c"', "*", '"a", "b"\n"{}"']
)
def test_a_known_tag_gives_304(
    client: TestClient[Litestar], path: str, method: str, tags: str
) -> None:
    lines = tags.format(etag_of(LONG)).split("\n")
    response = client.request(
        method,
        path,
        headers=[
            ("accept-encoding", "identity"),
            *(("if-none-match", line) for line in lines),
        ],
    )
    assert response.status_code == 304
    assert response.content == b""
    assert response.headers["etag"] == f'"{etag_of(LONG)}"'
    assert response.headers["cache-control"] == PUBLIC
    assert response.headers["vary"] == "Accept-Encoding"
    assert "content-length" not in response.headers
    assert "content-type" not in response.headers


def test_304_says_the_language(client: TestClient[Litestar]) -> None:
    response = client.get("/short", headers={"if-none-match": '"7-en"'})
    assert response.status_code == 304
    assert response.headers["content-language"] == "en"


@pytest.mark.parametrize("tags", ['"other"', "{}", '"{}', '"{}-gzip"', '"x{}"', '"*"', ""])
def test_another_tag_gives_the_body(client: TestClient[Litestar], tags: str) -> None:
    since = "Tue, 10 Feb 2026 09:30:00 GMT"
    # A time counts for nothing beside a tag.
    headers = {"if-none-match": tags.format(etag_of(LONG)), "if-modified-since": since}
    assert client.get("/long", headers=headers).status_code == 200


def test_the_tag_of_one_encoding_is_not_that_of_the_other(client: TestClient[Litestar]) -> None:
    tag = f'"{etag_of(LONG)}-gzip"'
    zipped = client.get("/long", headers={"accept-encoding": "gzip", "if-none-match": tag})
    assert zipped.status_code == 304
    assert zipped.headers["etag"] == tag
    assert client.get("/long", headers={"if-none-match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("since", "status"),
    [
        ("Tue, 10 Feb 2026 09:30:00 GMT", 304),
        ("Tue, 10 Feb 2026 09:30:01 GMT", 304),
        ("Tuesday, 10-Feb-26 09:30:00 GMT", 304),
        ("Tue, 10 Feb 2026 09:30:00 -0000", 304),
        ("Tue, 10 Feb 2026 09:29:59 GMT", 200),
        ("yesterday", 200),
        ("Tue, 99 Feb 2026 09:30:00 GMT", 200),
        ("", 200),
    ],
)
def test_a_time_counts_where_there_is_no_tag(
    client: TestClient[Litestar], since: str, status: int
) -> None:
    assert client.get("/long", headers={"if-modified-since": since}).status_code == status
    assert client.get("/short", headers={"if-modified-since": since}).status_code == 200
