"""The language and encoding that a request prefers."""

from typing import Any

import pytest
from litestar import Request
from litestar.testing import RequestFactory

from caseflow.api.negotiation import accepts_gzip, choose_language, parse_qualities
from caseflow.domain.errors import InvalidInputError


def ask(headers: dict[str, str] | None = None, **query: Any) -> Request[Any, Any, Any]:
    """Return a request with these headers and parameters."""
    return RequestFactory().get("/", headers=headers, query_params=query)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("ru", "ru"),
        ("KK-kz", "kk"),
        ("de, kk;q=0.3", "kk"),
        ("en;q=0.5, ru;q=0.9", "ru"),
        ("ru;q=0.5,kk;q=0.5", "ru"),
        ("kk;q=0.5,ru;q=0.5", "kk"),
        ("ru;q=0", "en"),
        ("ru;q=0, *", "en"),
        ("kk;q=0.2, *;q=0.9", "en"),
        ("en;q=0.1, ru", "ru"),
        ("ru;q=2", "en"),
        ("ru ; q = 0.4", "ru"),
        ("de", "en"),
        ("", "en"),
        (";;;,,=", "en"),
    ],
)
def test_the_header_decides_where_no_parameter_does(header: str, language: str) -> None:
    assert choose_language(ask({"accept-language": header})) == language


def test_the_parameter_goes_before_the_header() -> None:
    assert choose_language(ask({"accept-language": "ru"}, lang="kk")) == "kk"
    assert choose_language(ask({"accept-language": "ru"}, lang="")) == "ru"
    assert choose_language(ask()) == "en"


@pytest.mark.parametrize("lang", ["de", "RU", "ru-RU", ["ru", "kk"]])
def test_an_unknown_language_is_refused(lang: Any) -> None:
    with pytest.raises(InvalidInputError) as refused:
        choose_language(ask(lang=lang))
    assert refused.value.errors[0][0] == "/query/lang"


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("br, gzip;q=0.1", True),
        ("*", True),
        ("gzip;q=0.5, identity;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("*, gzip;q=0", False),
        ("*;q=0", False),
        ("identity", False),
        ("gzip;q=0.5, identity", False),
        ("gzip;q=nan", False),
        ("gzipped", False),
        ("", False),
    ],
)
def test_gzip_is_sent_to_those_who_prefer_it(header: str, accepted: bool) -> None:
    assert accepts_gzip(ask({"accept-encoding": header})) is accepted


def test_nobody_is_sent_gzip_unasked() -> None:
    assert not accepts_gzip(ask())


def test_qualities_keep_their_order_and_the_first_of_two() -> None:
    found = parse_qualities(["b;q=0.5, a", "b;q=1"])
    assert list(found.items()) == [("b", 0.5), ("a", 1.0)]
