"""JSON that comes in: bytes to values, or a refusal that points at the field (RFC 6901).

What was sent is never repeated in a refusal, except the names of fields: a value may be somebody's
name, and refusals are copied into tickets and chats.
"""

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec
from msgspec import inspect

from caseflow.domain.checks import find_bad_text
from caseflow.domain.errors import CaseflowError, InvalidInputError, UnreadableError

from .converting import convert

REFUSED: Final = "the body can be read but not accepted"
UNCARRIED: Final = "the body holds text that XML cannot carry"
MAX_DEPTH: Final = 64
_MAX_NAME_LENGTH: Final = 100

T = TypeVar("T")
_Path = tuple[str | int, ...]

# A string is passed over whole, closed or not, so that its brackets do not count.
_BRACKETS: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)

# The decoder's messages: what is wrong, the field it is about, where.
_MESSAGE: Final = re.compile(r"(.*?)(?: - at `(?:key in )?(\$[^`]*)`)?", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_STEP: Final = re.compile(r"\.(\w+)|\[(\d+)\]|(\[\.\.\.\])")

_JSON_NAMES: Final = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number with a fraction",
    "bool": "true or false",
    "object": "an object",
    "array": "an array",
}


def decode_body(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Return what the body holds.

    Raises UnreadableError for what is not JSON in UTF-8 (RFC 8259), for more than 64 levels and
    for an object that has one field twice, of which readers would take either; InvalidInputError,
    with a JSON pointer (RFC 6901), for JSON of another shape than the decoder's type.
    """
    text = _decode_text(body)
    _check_depth(text)
    # Read a second time, for what the decoder does not see: it takes the last of two fields.
    document = _parse(text, _SHAPE_READER)
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _invalid(decoder.type, document, str(error)) from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _uncarried(document) from error


def parse_json(data: bytes) -> Any:
    """Return the value of a JSON text. Raises what `decode_body` does of it."""
    text = _decode_text(data)
    _check_depth(text)
    value = _parse(text, _WHOLE_READER)
    unfit = list(find_bad_text(value))
    if unfit:
        raise InvalidInputError(UNCARRIED, unfit)
    return value


def convert_json(value: Any, wanted: Any, *, at: str = "") -> Any:
    """Return a parsed JSON value as the type that is wanted.

    at: the JSON pointer of the value itself. Raises InvalidInputError with a pointer to the fault.
    """
    try:
        return convert(value, wanted)
    except msgspec.ValidationError as error:
        raise _invalid(wanted, value, str(error), at) from error


def _decode_text(body: bytes) -> str:
    if body.startswith(b"\xef\xbb\xbf"):
        raise UnreadableError("the body begins with a byte order mark; send UTF-8 without one")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise UnreadableError(f"the body is not UTF-8: see its byte {error.start}") from error


def _check_depth(text: str) -> None:
    # Few brackets cannot be deep, and nearly every body has few.
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for token in _BRACKETS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth > MAX_DEPTH:
            raise UnreadableError(f"the body is nested more than {MAX_DEPTH} levels deep")


class _TwiceError(ValueError):
    pass


def _unite(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    united = dict(pairs)
    if len(united) != len(pairs):
        raise _TwiceError
    return united


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


_STRICT: Final[Any] = {"object_pairs_hook": _unite, "parse_constant": _refuse_constant}
_WHOLE_READER: Final = json.JSONDecoder(**_STRICT)
# Values of numbers are the decoder's matter, and Python refuses to read very long ones.
_SHAPE_READER: Final = json.JSONDecoder(**_STRICT, parse_int=len, parse_float=len)


def _parse(text: str, reader: json.JSONDecoder) -> Any:
    try:
        return reader.decode(text)
    except _TwiceError as error:
        raise UnreadableError("the body has an object that holds one field twice") from error
    except json.JSONDecodeError as error:
        detail = f"the body is not JSON: see line {error.lineno}, column {error.colno}"
        raise UnreadableError(detail) from error
    except (ValueError, RecursionError) as error:
        raise UnreadableError("the body is not JSON: it holds what is no number there") from error


def _uncarried(document: Any) -> CaseflowError:
    """Return the refusal of JSON that the decoder could not read: half a surrogate pair, mostly."""
    errors = list(find_bad_text(document))
    if not errors:
        return UnreadableError("the body is not JSON in UTF-8")
    return InvalidInputError(UNCARRIED, errors)


def _invalid(wanted: Any, document: Any, message: str, at: str = "") -> InvalidInputError:
    parts = _MESSAGE.fullmatch(message)
    problem, place = (parts[1], parts[2]) if parts else (message, None)
    path = tuple(_steps(place or ""))
    path, reason = _explain(wanted, document, problem, path)
    pointer = "".join(f"/{_escape(str(step))}" for step in path)
    return InvalidInputError(REFUSED, [(at + pointer, reason)])


def _steps(place: str) -> Iterator[str | int]:
    for name, index, unnamed in _STEP.findall(place):
        if unnamed:  # a key of a mapping, which the decoder does not tell
            return
        yield int(index) if index else name


def _explain(wanted: Any, document: Any, problem: str, path: _Path) -> tuple[_Path, str]:
    if missing := _MISSING.fullmatch(problem):
        return (*path, missing[1]), "is required"
    if unknown := _UNKNOWN.fullmatch(problem):
        name = unknown[1]
        if _is_field_of_another(_info(wanted), path, document, name):
            return (*path, name), "is not a field of this type"
        return (path if len(name) > _MAX_NAME_LENGTH else (*path, name)), "is not a known field"
    if problem.startswith("Invalid enum value"):
        values = ", ".join(map(str, _values_at(_info(wanted), path, document)))
        return path, f"must be one of {values}" if values else "is not one of the known values"
    if problem.startswith("Invalid value"):
        is_type = path[-1:] == ("type",)
        return path, "is not an event type" if is_type else "is not one of the known values"
    return path, _reworded(problem)


def _reworded(problem: str) -> str:
    """Return the decoder's sentence in words of JSON; only sentences known to quote nothing."""
    if not problem.startswith("Expected `"):
        return "has a value that is not valid here"
    worded = problem.replace("Expected ", "must be ", 1).replace(", got ", ", not ", 1)
    return re.sub(r"`([a-z |]+)`", lambda types: _name_types(types[1].split(" | ")), worded)


def _name_types(names: Sequence[str]) -> str:
    needed = [name for name in names if name != "null"] or names
    return " or ".join(_JSON_NAMES.get(name, name) for name in needed)


def _escape(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


# -- what the decoder's type allows at a path ------------------------------------------------------


@lru_cache(maxsize=64)
def _info(wanted: Any) -> inspect.Type:
    return inspect.type_info(wanted)


def _values_at(info: inspect.Type, path: _Path, document: Any) -> list[Any]:
    """Return the values of the enumeration that stands at a path; empty where there is none."""
    return [
        value
        for found in _types_at(info, path, document)
        if isinstance(found, inspect.LiteralType)
        for value in found.values
    ]


def _is_field_of_another(info: inspect.Type, path: _Path, document: Any, name: str) -> bool:
    """Return whether an object's type has siblings, told apart by a tag, that have the field."""
    return any(
        field.encode_name == name
        for found in _types_at(info, path, document, any_tag=True)
        if isinstance(found, inspect.StructType)
        for field in found.fields
    )


def _types_at(
    info: inspect.Type, path: _Path, document: Any, *, any_tag: bool = False
) -> Iterator[inspect.Type]:
    if isinstance(info, inspect.Metadata):
        yield from _types_at(info.type, path, document, any_tag=any_tag)
    elif isinstance(info, inspect.UnionType):
        for member in info.types:
            if (any_tag and not path) or _fits(member, document):
                yield from _types_at(member, path, document, any_tag=any_tag)
    elif not path:
        yield info
    elif isinstance(info, inspect.StructType):
        for field in info.fields:
            if field.encode_name == path[0]:
                value = document.get(path[0])
                yield from _types_at(field.type, path[1:], value, any_tag=any_tag)
    elif isinstance(info, inspect.CollectionType) and isinstance(path[0], int):
        yield from _types_at(info.item_type, path[1:], document[path[0]], any_tag=any_tag)


def _fits(member: inspect.Type, document: Any) -> bool:
    if not isinstance(member, inspect.StructType):
        return True
    if not isinstance(document, dict):
        return False
    return member.tag_field is None or document.get(member.tag_field) == member.tag
