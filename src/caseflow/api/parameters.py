"""What a request says beside its body: query parameters and `If-Match`, each read and refused here.

A refusal points with a JSON pointer into the request, as into one document that holds the body
and beside it its query and its headers: `/query/as_of`, `/headers/If-Match`. No body has fields of
these names. An empty parameter is one that was not given.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeAlias, TypeVar
from uuid import UUID

import msgspec
from litestar import Request
from msgspec import Meta

from caseflow.domain.checks import find_bad_text
from caseflow.domain.countries import is_country
from caseflow.domain.dates import parse_day
from caseflow.domain.errors import CaseflowError, InvalidDateError, InvalidInputError
from caseflow.domain.status import HEADLINE_CODES
from caseflow.domain.times import format_time, parse_time
from caseflow.domain.vocabulary import ORDERS

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 500
# The databases' integers end here; what is larger would fail there.
MAX_POSITION: Final = 2**63 - 1
MAX_SEARCH_LENGTH: Final = 200
MAX_IDEMPOTENCY_KEY: Final = 255

Query: TypeAlias = Mapping[str, str]
Position: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_POSITION)]
"""An integer that the databases can compare, for the shapes of cursors."""

T = TypeVar("T")
_Part: TypeAlias = Position | str | None

_DIGITS: Final = re.compile(r"[0-9]{1,19}")
_CURSOR_PARTS: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(_Part | list[_Part])
_CURSOR: Final = re.compile(r"[A-Za-z0-9_-]{1,512}")
# What stands after a hyphen tells encodings and languages of one version apart.
_VERSION_TAG: Final = re.compile(r'"([0-9]{1,18})(?:-[A-Za-z0-9_-]*)?"')


CODE: Final = re.compile(r"[A-Z]{2}(-[0-9A-Z]{4}){2}")
"""The code of a case."""


class VersionRequiredError(CaseflowError):
    """A change that must name the version it is about, and does not."""


def read_query(request: Request[Any, Any, Any], *names: str) -> Query:
    """Return the query parameters that were given a value; `names` are those the resource knows.

    Raises InvalidInputError for any other name, since a filter that is passed over in silence
    would show what was not asked for, and for a name that comes twice.
    """
    query: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in names:
            known = f"; known here: {', '.join(names)}" if names else ""
            raise invalid_parameter(name, f"is not a parameter of this resource{known}")
        if name in query:
            raise invalid_parameter(name, "is given more than once")
        query[name] = value
    return {name: value for name, value in query.items() if value}


def invalid_parameter(name: str, reason: str) -> InvalidInputError:
    """Return the refusal of a query parameter."""
    return InvalidInputError(
        f"the parameter {name} {reason}", [(f"/query/{_escape(name)}", reason)]
    )


def invalid_header(name: str, reason: str) -> InvalidInputError:
    """Return the refusal of a header."""
    return InvalidInputError(f"the header {name} {reason}", [(f"/headers/{name}", reason)])


def parse_integer(query: Query, name: str, *, lowest: int, highest: int) -> int | None:
    """Return a whole number between two bounds, both included, or None."""
    text = query.get(name)
    if text is None:
        return None
    if not _DIGITS.fullmatch(text) or not lowest <= int(text) <= highest:
        raise invalid_parameter(name, f"must be a whole number from {lowest} to {highest}")
    return int(text)


def parse_limit(query: Query) -> int:
    """Return how many items a page may hold: 1 to 500, by default 50."""
    limit = parse_integer(query, "limit", lowest=1, highest=MAX_LIMIT)
    return DEFAULT_LIMIT if limit is None else limit


def parse_position(query: Query, name: str) -> int | None:
    """Return a position of the log, 0 for before the first, or None."""
    return parse_integer(query, name, lowest=0, highest=MAX_POSITION)


def parse_min_position(query: Query) -> int | None:
    """Return the position that the answer must have seen, or None."""
    return parse_position(query, "min_position")


def parse_as_of(query: Query) -> str | None:
    """Return the day, YYYY-MM-DD, that `as_of` asks about, or None."""
    if "as_of" not in query:
        return None
    try:
        return parse_day(query["as_of"])
    except InvalidDateError as error:
        raise invalid_parameter("as_of", "must be a day that exists, as 2026-02-10") from error


def parse_known_at(query: Query) -> int | None:
    """Return the moment of `known_at` in microseconds since the Unix epoch, or None."""
    return parse_moment(query, "known_at")


def parse_updated_since(query: Query) -> int | None:
    """Return the moment of `updated_since` in microseconds since the Unix epoch, or None."""
    return parse_moment(query, "updated_since")


def parse_moment(query: Query, name: str) -> int | None:
    """Return a time (RFC 3339) in microseconds since the Unix epoch, or None."""
    if name not in query:
        return None
    try:
        moment = parse_time(query[name])
        # In UTC the first and last hours of the calendar may fall outside the years 1 to 9999.
        format_time(moment)
    except (InvalidDateError, OverflowError) as error:
        reason = "must be a time as 2026-02-10T09:30:00Z; in an address + is written %2B"
        raise invalid_parameter(name, reason) from error
    return moment


def parse_flag(query: Query, name: str) -> bool | None:
    """Return true or false, or None."""
    match query.get(name):
        case None:
            return None
        case "true":
            return True
        case "false":
            return False
    raise invalid_parameter(name, "must be true or false")


def parse_headline(query: Query) -> str | None:
    """Return a headline's code, or None."""
    headline = query.get("headline")
    if headline is not None and headline not in HEADLINE_CODES:
        raise invalid_parameter("headline", f"must be one of {', '.join(HEADLINE_CODES)}")
    return headline


def parse_track(query: Query) -> tuple[str, str] | None:
    """Return track and state of `track=liberty:in_custody`, or None."""
    if "track" not in query:
        return None
    track, _, state = query["track"].partition(":")
    if track not in ORDERS:
        raise invalid_parameter("track", f"must be track:state, a track of {', '.join(ORDERS)}")
    if state not in ORDERS[track]:
        reason = f"must be {track}:state, a state of {', '.join(ORDERS[track])}"
        raise invalid_parameter("track", reason)
    return track, state


def parse_country(query: Query, name: str) -> str | None:
    """Return a state's ISO 3166-1 alpha-2 code, or None."""
    code = query.get(name)
    if code is not None and not is_country(code):
        raise invalid_parameter(name, "must be an ISO 3166-1 alpha-2 code of a state, as KZ")
    return code


def parse_identifier(query: Query, name: str) -> UUID | None:
    """Return an id, or None."""
    if name not in query:
        return None
    try:
        return msgspec.convert(query[name], UUID)
    except msgspec.ValidationError as error:
        raise invalid_parameter(name, "must be an id (UUID)") from error


def parse_search(query: Query) -> str | None:
    """Return the words of `q`, as typed, or None."""
    words = query.get("q")
    if words is None:
        return None
    if len(words) > MAX_SEARCH_LENGTH:
        raise invalid_parameter("q", f"must have at most {MAX_SEARCH_LENGTH} characters")
    # PostgreSQL takes no U+0000, and nothing that is stored holds any of the others.
    if any(find_bad_text(words)):
        raise invalid_parameter("q", "holds a character that no text here has")
    return words


def encode_cursor(value: Any) -> str:
    """Return a cursor: base64url of the JSON of where a page ended.

    value: a tuple of integers from 0 to MAX_POSITION, short texts, UUIDs and None, or one of them.
    """
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).rstrip(b"=").decode()


def parse_cursor(query: Query, shape: type[T]) -> T | None:
    """Return what `encode_cursor` was given, or None for the first page.

    shape: the type it must have; integers and texts in it are such as the databases can compare.
    A cursor is not signed: it may name any place of the list.
    """
    text = query.get("cursor")
    if text is None:
        return None
    try:
        return _decode_cursor(text, shape)
    except (ValueError, binascii.Error, msgspec.MsgspecError, RecursionError) as error:
        reason = "is not a cursor of this list; take it from next_cursor as it is"
        raise invalid_parameter("cursor", reason) from error


def _decode_cursor(text: str, shape: type[T]) -> T:
    # The decoder itself would pass over characters that are not of the alphabet.
    if not _CURSOR.fullmatch(text):
        raise ValueError
    padding = "=" * (-len(text) % 4)
    parts = _CURSOR_PARTS.decode(base64.urlsafe_b64decode(text + padding))
    if any(find_bad_text(parts)):
        raise ValueError
    return msgspec.convert(parts, shape)


def parse_idempotency_key(request: Request[Any, Any, Any]) -> str | None:
    """Return the key that makes a request safe to send again: 1 to 255 characters, or None."""
    values = request.headers.getall("idempotency-key", [])
    if not values:
        return None
    if len(values) > 1 or not 1 <= len(values[0]) <= MAX_IDEMPOTENCY_KEY:
        raise invalid_header("Idempotency-Key", "must be one text of 1 to 255 characters")
    return values[0]


def parse_if_match(request: Request[Any, Any, Any]) -> int | None:
    """Return the version that the caller saw; None without `If-Match` or with `If-Match: *`.

    Read: one strong tag, `"7"`, or one that tells more after a hyphen, `"7-gzip"`.
    Raises InvalidInputError for a weak tag, which RFC 9110 never lets match, and for all else.
    Source: RFC 9110, section 13.1.1.
    """
    values = request.headers.getall("if-match", [])
    if not values or values == ["*"]:
        return None
    tag = _VERSION_TAG.fullmatch(values[0].strip())
    if len(values) > 1 or tag is None:
        raise invalid_header("If-Match", 'must be one version in quotes, as "7", or *')
    return int(tag[1])


def require_if_match(request: Request[Any, Any, Any]) -> int | None:
    """Return what `parse_if_match` does; without the header, raise VersionRequiredError."""
    if "if-match" not in request.headers:
        raise VersionRequiredError("say in If-Match which version of the case this is about")
    return parse_if_match(request)


def _escape(name: str) -> str:
    return name[:100].replace("~", "~0").replace("/", "~1")
