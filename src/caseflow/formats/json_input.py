"""JSON that comes in: bytes to values, and what is wrong with them as JSON pointers (RFC 6901).

What is refused is told without repeating what was sent: values may name persons.
"""

import json
import re
from typing import Any, Final

import msgspec

from caseflow.domain.checks import find_bad_text
from caseflow.domain.errors import InvalidInputError, UnreadableError

REFUSED: Final = "the request can be read but not accepted"

_WHERE: Final = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?", re.DOTALL)
_STEP: Final = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<number>[0-9]+)\]")
_FIELD: Final = re.compile(
    r"Object (?P<fault>missing required|contains unknown) field `(?P<name>.*)`", re.DOTALL
)
_OF_FIELDS: Final = {
    "missing required": "is required",
    "contains unknown": "is not a field here",
}


def parse_json(data: bytes) -> Any:
    """Return the value of a JSON text (RFC 8259) in UTF-8.

    Raises UnreadableError, also for an object that has one field twice, of which readers would take
    either; InvalidInputError for text that XML could not carry.
    """
    try:
        value = _READER.decode(data.decode())
        unfit = list(find_bad_text(value))
    except RecursionError as error:
        raise UnreadableError("the JSON is nested too deeply") from error
    except _TwiceError as error:
        raise UnreadableError("an object holds one field twice") from error
    except ValueError as error:
        raise UnreadableError("this is not JSON in UTF-8") from error
    if unfit:
        raise InvalidInputError(REFUSED, unfit)
    return value


class _TwiceError(ValueError):
    pass


def _unite(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    united = dict(pairs)
    if len(united) != len(pairs):
        raise _TwiceError
    return united


def _refuse_constant(name: str) -> None:
    # NaN and Infinity, which Python takes and JSON does not have.
    raise ValueError(name)


_READER: Final = json.JSONDecoder(object_pairs_hook=_unite, parse_constant=_refuse_constant)


def convert_json(value: Any, wanted: Any, *, at: str = "") -> Any:
    """Return a parsed JSON value as the type that is wanted.

    at: the JSON pointer of the value itself. Raises InvalidInputError with a pointer to the first
    fault.
    """
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        pointer, reason = locate_fault(str(error))
        raise InvalidInputError(REFUSED, [(at + pointer, reason)]) from error


def locate_fault(message: str) -> tuple[str, str]:
    """Return the JSON pointer and the reason that a message of msgspec's validation tells."""
    found = _WHERE.fullmatch(message)
    assert found is not None, "the pattern takes any text"
    pointer = "".join(
        f"/{step['name'] or step['number']}" for step in _STEP.finditer(found["path"] or "")
    )
    field = _FIELD.fullmatch(found["what"])
    if field is not None:
        return f"{pointer}/{_escape(field['name'])}", _OF_FIELDS[field["fault"]]
    return pointer, _reason(found["what"])


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _reason(what: str) -> str:
    if what.startswith(("Invalid enum value", "Invalid value")):
        return "is not one of the values that are allowed here"
    return what.replace("`", "").replace("Expected", "must be", 1).replace(", got", ", not", 1)
