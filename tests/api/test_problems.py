"""Every error goes out as one documented problem and tells nothing else."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from eventsourcing.persistence import OperationalError
from litestar import Litestar, get, post
from litestar.exceptions import HTTPException, TooManyRequestsException
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.testing import TestClient

from caseflow.api.bodies import TooLargeError, UnsupportedMediaTypeError
from caseflow.api.parameters import VersionRequiredError
from caseflow.api.problems import (
    EXCEPTION_HANDLERS,
    PROBLEM_TYPES,
    TooManyRequestsError,
    problem_of,
    problem_page,
    render_documentation,
)
from caseflow.domain import errors
from caseflow.domain.errors import InvalidInputError, VersionConflictError
from caseflow.eventstore.keys import KeyDestroyedError
from caseflow.eventstore.recorder import CommitUnknownError, LogGapError
from tests.api.asgi import exchange

SECRET = "Movlaev"
ERRORS: dict[str, Exception] = {
    "unreadable": errors.UnreadableError("bad"),
    "unauthenticated": errors.UnauthenticatedError("bad"),
    "forbidden": errors.ForbiddenError("bad"),
    "not-found": errors.NotFoundError("bad"),
    "withdrawn": errors.WithdrawnError("bad"),
    "erased": KeyDestroyedError([]),
    "conflict": errors.ConflictError("bad"),
    "taken": errors.ExternalIdTakenError("bad"),
    "version": VersionConflictError("bad", 9),
    "invalid": InvalidInputError("bad", [("/a", "is bad")]),
    "date": errors.InvalidDateError("bad"),
    "names": errors.TextNamesPersonError("bad", [("/summary/ru", "names the person")]),
    "large": TooLargeError("bad"),
    "media": UnsupportedMediaTypeError("bad"),
    "required": VersionRequiredError("bad"),
    "often": TooManyRequestsError("bad", 7),
    "away": errors.UnavailableError("bad"),
    "database": OperationalError(SECRET),
    "commit": CommitUnknownError(SECRET),
    "gap": LogGapError(3, 4),
    "bug": RuntimeError(SECRET),
    "framework": HTTPException(SECRET, status_code=400, extra={"input": SECRET}),
    "framework-often": TooManyRequestsException(SECRET),
    "framework-bug": HTTPException(SECRET, status_code=500),
    "surrogate": InvalidInputError("bad \ud800", [("/\ud800", "is \udfff")]),
}
# What each is told as: status and slug.
TOLD = {
    "unreadable": (400, "unreadable"),
    "unauthenticated": (401, "unauthenticated"),
    "forbidden": (403, "forbidden"),
    "not-found": (404, "not-found"),
    "withdrawn": (410, "withdrawn"),
    "erased": (410, "withdrawn"),
    "conflict": (409, "conflict"),
    "taken": (409, "external-id-taken"),
    "version": (412, "version-mismatch"),
    "invalid": (422, "invalid-input"),
    "date": (422, "invalid-input"),
    "names": (422, "text-names-person"),
    "large": (413, "too-large"),
    "media": (415, "unsupported-media-type"),
    "required": (428, "version-required"),
    "often": (429, "too-many-requests"),
    "away": (503, "unavailable"),
    "database": (503, "unavailable"),
    "commit": (503, "unavailable"),
    "gap": (500, "internal-error"),
    "bug": (500, "internal-error"),
    "framework": (400, "unreadable"),
    "framework-often": (429, "too-many-requests"),
    "framework-bug": (500, "internal-error"),
    "surrogate": (422, "invalid-input"),
}


@get("/fail/{name:str}", sync_to_thread=False)
def fail(name: FromPath[str]) -> None:
    """Raise the error of that name."""
    raise ERRORS[name]


@get("/number", sync_to_thread=False)
def number(count: FromQuery[int]) -> str:
    """Take a parameter that the framework itself checks."""
    return str(count)


@post("/sent")
async def send(data: JSONBody[dict[str, int]]) -> None:
    """Take a body that the framework itself reads."""


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient[Litestar]]:
    """A house of nothing but errors."""
    app = Litestar(
        [fail, number, send, problem_page],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=None,
        logging_config=None,
    )
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize("name", ERRORS)
def test_each_error_is_told_as_its_problem(client: TestClient[Litestar], name: str) -> None:
    status, slug = TOLD[name]
    response = client.get(f"/fail/{name}")
    problem = response.json()
    assert response.status_code == problem["status"] == status
    assert problem["type"] == f"/problems/{slug}"
    assert problem["title"] == PROBLEM_TYPES[slug].title
    assert problem["detail"]
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert "set-cookie" not in response.headers
    assert SECRET not in response.text


@pytest.mark.parametrize(
    ("name", "header", "value"),
    [
        ("unauthenticated", "www-authenticate", "Bearer"),
        ("version", "etag", '"9"'),
        ("often", "retry-after", "7"),
        ("framework-often", "retry-after", "1"),
        ("away", "retry-after", "1"),
        ("commit", "retry-after", "1"),
    ],
)
def test_a_status_brings_its_header(
    client: TestClient[Litestar], name: str, header: str, value: str
) -> None:
    assert client.get(f"/fail/{name}").headers[header] == value


def test_invalid_input_points_at_what_is_wrong(client: TestClient[Litestar]) -> None:
    problem = client.get("/fail/invalid").json()
    assert problem["detail"] == "bad"
    assert problem["errors"] == [{"pointer": "/a", "detail": "is bad"}]
    assert "errors" not in client.get("/fail/conflict").json()


def test_half_a_surrogate_pair_in_a_refusal_does_not_break_it(
    client: TestClient[Litestar],
) -> None:
    assert client.get("/fail/surrogate").json()["errors"] == [{"pointer": "/?", "detail": "is ?"}]


def test_the_framework_refuses_in_the_same_form_and_repeats_nothing(
    client: TestClient[Litestar],
) -> None:
    answers = [
        (client.get(f"/{SECRET}"), 404, "not-found"),
        (client.put("/number"), 405, "method-not-allowed"),
        (client.head("/number"), 405, "method-not-allowed"),
        (client.get("/number", params={"count": SECRET}), 400, "unreadable"),
        (client.post("/sent", content=SECRET), 400, "unreadable"),
        (client.post("/sent", json={SECRET: SECRET}), 400, "unreadable"),
        (client.post("/sent", content=b"1" * 11_000_000), 413, "too-large"),
        (client.get("/number?count=1", headers={"host": 'a"b'}), 400, "unreadable"),
    ]
    for response, status, slug in answers:
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        assert SECRET not in response.text
        if response.request.method != "HEAD":
            assert response.json()["type"] == f"/problems/{slug}"


def test_405_lists_the_methods(client: TestClient[Litestar]) -> None:
    assert client.put("/number").headers["allow"] == "GET, OPTIONS"


def test_an_error_on_head_has_a_length_and_no_body(client: TestClient[Litestar]) -> None:
    got = exchange(client, "GET", "/problems/no-such")
    assert got.status == 404
    assert got.headers["content-length"] == str(len(got.body))
    assert exchange(client, "HEAD", "/problems/no-such") == got._replace(body=b"")


@pytest.mark.parametrize("name", ["bug", "gap", "framework-bug"])
def test_an_unknown_error_says_nothing(client: TestClient[Litestar], name: str) -> None:
    assert client.get(f"/fail/{name}").json() == {
        "type": "/problems/internal-error",
        "title": "Something went wrong here",
        "status": 500,
        "detail": "Something went wrong here.",
    }


def test_a_bug_is_logged_whole_with_the_route_and_without_the_address(
    client: TestClient[Litestar], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        client.get("/fail/bug?q=Petrov")
    (record,) = caplog.records
    assert record.getMessage() == "GET /fail/{name} failed"
    assert record.exc_info is not None
    assert record.exc_info[1] is ERRORS["bug"]
    assert "Petrov" not in caplog.text


def test_what_the_caller_did_wrong_is_not_logged(
    client: TestClient[Litestar], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="caseflow"):
        client.get("/fail/invalid")
        client.get("/fail/not-found")
    assert not caplog.records


def test_every_slug_of_invalid_input_has_its_type() -> None:
    classes: list[type[InvalidInputError]] = [InvalidInputError]
    classes += InvalidInputError.__subclasses__()
    found = {cls.slug for cls in classes}
    assert found <= set(PROBLEM_TYPES)
    assert all(PROBLEM_TYPES[slug].status == 422 for slug in found)


def test_every_error_of_the_domain_is_mapped() -> None:
    leaves = [cls for cls in vars(errors).values() if isinstance(cls, type)]
    known = [cls for cls in leaves if issubclass(cls, errors.CaseflowError)]
    for cls in set(known) - {errors.CaseflowError}:
        error = cls.__new__(cls)
        errors.CaseflowError.__init__(error, "bad")
        error.__dict__.setdefault("errors", [])
        error.__dict__.setdefault("id", None)
        assert problem_of(error).status != 500, cls


def test_what_was_altered_is_told_to_the_operator_alone() -> None:
    problem = problem_of(errors.AlteredError("position 5 is missing", 5))
    assert (problem.status, problem.detail) == (503, "Not available now.")


@pytest.mark.parametrize("slug", PROBLEM_TYPES)
def test_a_type_resolves_to_its_documentation(client: TestClient[Litestar], slug: str) -> None:
    response = client.get(f"/problems/{slug}")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["etag"]
    assert PROBLEM_TYPES[slug].title in response.text
    assert not {"http:", "https:", "src=", "<script"} & set(response.text.split())
    assert exchange(client, "HEAD", f"/problems/{slug}").body == b""


def test_the_page_in_docs_says_the_same() -> None:
    page = Path(__file__).parents[2].joinpath("docs", "problems.md").read_text(encoding="utf-8")
    assert page.endswith(render_documentation())
