"""What form of an answer a request prefers: its language and its encoding."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from litestar import Request

from caseflow.domain.labels import LANGUAGES

from .parameters import invalid_parameter

DEFAULT_LANGUAGE: Final = "en"

_QUALITY: Final = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


def choose_language(request: Request[Any, Any, Any]) -> str:
    """Return the language of the answer: `lang`, else what `Accept-Language` prefers, else en.

    An answer chosen so says `Content-Language`, and `Vary: Accept-Language`.
    Raises InvalidInputError where `lang` is none of ru, kk, en, or comes twice.
    Source: RFC 9110, section 12.5.4; of a range such as kk-KZ its language counts.
    """
    asked = [value for value in request.query_params.getall("lang", []) if value]
    if not asked:
        return prefers_language(request.headers.getall("accept-language", []))
    if len(asked) > 1 or asked[0] not in LANGUAGES:
        raise invalid_parameter("lang", f"must be one of {', '.join(LANGUAGES)}")
    return str(asked[0])


def accepts_gzip(request: Request[Any, Any, Any]) -> bool:
    """Return whether the caller takes gzip, and does not like the plain form better.

    Source: RFC 9110, section 12.5.3.
    """
    return prefers_gzip(request.headers.getall("accept-encoding", []))


def prefers_language(values: Sequence[str]) -> str:
    """Return the language that `Accept-Language` prefers, en where it names none of ours."""
    if not values:
        return DEFAULT_LANGUAGE
    return _preferred(parse_qualities(values))


def prefers_gzip(values: Iterable[str]) -> bool:
    """Return what `accepts_gzip` does, of the values of `Accept-Encoding`."""
    qualities = parse_qualities(values)
    others = qualities.get("*", 0.0)
    gzip = qualities.get("gzip", qualities.get("x-gzip", others))
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


def parse_qualities(values: Iterable[str]) -> dict[str, float]:
    """Return what a header lists, lower case and in its order, with its quality from 0 to 1.

    An element with a quality that is none counts as not acceptable.
    Source: RFC 9110, section 12.4.2.
    """
    qualities: dict[str, float] = {}
    for element in ",".join(values).lower().split(","):
        name, *parameters = (part.strip() for part in element.split(";"))
        if name:
            qualities.setdefault(name, _quality(parameters))
    return qualities


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            return float(value) if _QUALITY.fullmatch(value.strip()) else 0.0
    return 1.0


def _preferred(qualities: dict[str, float]) -> str:
    by_language: dict[str, float] = {}
    for name, quality in qualities.items():
        language = name.partition("-")[0]
        by_language[language] = max(quality, by_language.get(language, 0.0))
    others = by_language.pop("*", 0.0)
    # Of equal ones the first listed; the default stands for all that `*` may mean.
    wanted = {name: quality for name, quality in by_language.items() if name in LANGUAGES}
    wanted.setdefault(DEFAULT_LANGUAGE, others)
    best = max(wanted, key=lambda name: wanted[name])
    return best if wanted[best] > 0 else DEFAULT_LANGUAGE
