"""What schemathesis is told beside the document: values that mean something, and what is right.

Loaded by schemathesis, in its own process. Every check is on; `EXPLAINED` names each kind of
finding that is as it should be, with its reason. How often each came up is printed at the end.
"""

import atexit
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, quote, urlsplit
from uuid import uuid4

import schemathesis
from hypothesis import strategies
from schemathesis.core.failures import AcceptedNegativeData, Failure, ServerError
from schemathesis.openapi.checks import JsonSchemaError, RejectedPositiveData, UndefinedContentType

from caseflow.api.figures import FigureReport
from caseflow.api.imports import NDJSON
from caseflow.api.judgements import Correction
from caseflow.api.problems import MEDIA_TYPE
from caseflow.domain.countries import is_country
from caseflow.domain.vocabulary import TYPES

Json = dict[str, Any]

# -- values that mean something -------------------------------------------------------------------

_DATES: Final = (
    *("2026-01-29", "2026-01", "2025", "2025~", "2026-01-29?", "2025-21", "201X"),
    *("[2026-01-01..2026-02-10]", "0000-01-01", "9999-12-31"),
)
_VERSION: Final = re.compile(r'"[0-9]{1,18}(-[A-Za-z0-9_-]*)?"')
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_STATE: Final = re.compile("[A-Z]{2}")
# A long poll of a minute tells no more than one of a second.
_LONGEST_WAIT: Final = 60
_LONGEST_KEY: Final = 255
# The scene has more positions than this for each reader, so that none has to be waited for.
_SEEN: Final = 20
_FAR: Final = 10**9

_KNOWN: Final[dict[str, list[str]]] = json.loads(Path("known.json").read_text("utf-8"))
"""Names of what the scene holds, by the parameter that they are for."""
_NAMING: Final = {"into": "case", "from": "case", "against": "event", "after": "event"}
_OF_STATES: Final = ("host_state", "origin_state", "jurisdiction", "destination", "nationalities")

schemathesis.openapi.format("edtf", strategies.sampled_from(_DATES))


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Json) -> None:
    """Give a request a chance to be carried out; what is wrong with it stays wrong.

    Three in four are mended so, the same ones each time: failures are tried again.
    """
    headers, query, path = (part or {} for part in (case.headers, case.query, case.path_parameters))
    _set(headers, "Idempotency-Key", _is_key, _new_key)
    _set(query, "wait", _is_within(2, _LONGEST_WAIT), lambda wait: type(wait)(1))
    _set(query, "min_position", _is_within(_SEEN, _FAR), lambda at: type(at)(int(at) % _SEEN))
    chance = zlib.crc32(repr((case.path, path, case.body)).encode("utf-8", "replace"))
    if chance % 4 == 0:
        return
    _set(headers, "If-Match", _is_version, lambda _: "*")
    for name in _OF_STATES:
        _set(query, name, _is_no_state, lambda _: "KZ")
    for name in path.keys() & _KNOWN.keys():
        path[name] = quote(_choose(name, chance), safe="")
    if isinstance(case.body, dict):
        case.body = _meaning(case.body, chance)


def _set(
    values: Any, name: str, is_meant: Callable[[Any], bool], mend: Callable[[Any], Any]
) -> None:
    if name in values and is_meant(values[name]):
        values[name] = mend(values[name])


def _choose(name: str, chance: int) -> str:
    known = _KNOWN[name]
    return known[chance // 4 % len(known)]


def _is_key(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value.strip()) <= len(value) <= _LONGEST_KEY


def _new_key(key: str) -> str:
    """Return a key of the same length where it can be, that has not been used."""
    # Nearly all that schemathesis makes up are the same; the second request would be refused.
    new = uuid4().hex
    return key[: -len(new)] + new if len(key) > len(new) else new


def _is_version(value: Any) -> bool:
    return isinstance(value, str) and _VERSION.fullmatch(value) is not None


def _is_within(lowest: int, highest: int) -> Callable[[Any], bool]:
    def is_within(value: Any) -> bool:
        text = str(value) if type(value) in (int, str) else ""
        return re.fullmatch("[0-9]{1,19}", text) is not None and lowest <= int(text) <= highest

    return is_within


def _is_no_state(value: Any) -> bool:
    return isinstance(value, str) and bool(_STATE.fullmatch(value)) and not is_country(value)


def _meaning(value: Any, chance: int, name: str = "") -> Any:
    """Return a part of a body with texts that can be carried, states and things that there are."""
    match value:
        case dict():
            return {key: _meaning(part, chance, key) for key, part in value.items()}
        case list():
            return [_meaning(part, chance, name) for part in value]
        case str() if name in _OF_STATES and _is_no_state(value):
            return "RU" if name == "origin_state" else "KZ"
        case str() if name in _NAMING and value:
            return _choose(_NAMING[name], chance)
        case str():
            return _NOT_XML.sub("x", value)
    return value


@schemathesis.serializer(NDJSON)
def write_lines(context: Any, value: Any) -> Json:
    """Return one line, twice: the second time it is there already."""
    line = json.dumps(value).encode()
    return {"data": line + b"\n" + line}


@schemathesis.deserializer(NDJSON)
def read_lines(context: Any, response: Any) -> Any:
    """Return the last line, which the document's schema is about; where there is none, null."""
    lines = response.content.splitlines()
    return json.loads(lines[-1]) if lines else None


# -- what is as it should be ----------------------------------------------------------------------


class Finding(NamedTuple):
    """What a check complained of."""

    case: Any
    response: Any

    @property
    def problem(self) -> Json:
        """The problem that was answered, or nothing."""
        return dict(self.response.json()) if self.media_type == MEDIA_TYPE else {}

    @property
    def media_type(self) -> str:
        """The media type of the answer."""
        return str(self.response.headers.get("content-type", [""])[0])

    @property
    def slug(self) -> str:
        """The kind of problem."""
        return str(self.problem.get("type", "")).removeprefix("/problems/")

    @property
    def faults(self) -> list[str]:
        """Where the problem points, and why."""
        return [f"{f['pointer']} {f['detail']}" for f in self.problem.get("errors", ())]

    @property
    def operation(self) -> str:
        """The id of the operation."""
        return str(self.case.operation.definition.raw["operationId"])


class Explained(NamedTuple):
    """A finding that is as it should be."""

    kind: type[Failure]
    why: str
    holds: Callable[[Finding], bool]


UNSAYABLE: Final = {
    r".* holds a character that (XML cannot carry|no text here has)": (
        "texts become Atom; a pattern at each of them would hide all else that the document says"
    ),
    r".* (is not|must be) an ISO 3166-1 alpha-2 code of a state.*": (
        "which two letters stand for a state ISO 3166-1 says, and changes"
    ),
    r".*/origin_state is the host state: .*": "two fields of one body differ",
    r".*/high is lower than low": "two fields of one body are in order",
    r".* (is|a name is) required where consent is to .*": (
        "which names a consent needs depends on what it is to, and on the subject"
    ),
    r".* a (name|pseudonym) has letters": "not all of a name is white",
    r".* must be a whole number, not a number with a fraction": (
        "JSON Schema takes 1.0 for a whole number; here it is one with a fraction"
    ),
    r"/query/cursor is not a cursor of this list; .*": "cursors are made by the service alone",
    r"/query/(from|to|since) must be a whole number from 0 to [0-9]+": (
        "how large the log is by now, and which of two sizes is the older"
    ),
    r".*/(into|from|after|against) (names|the dates say) .*": (
        "which cases and events there are, and when they happened, is told nowhere"
    ),
}
"""What is refused and no schema can say, by pointer and reason."""


def _is_unsayable(found: Finding) -> bool:
    faults = found.faults
    return found.slug == "invalid-input" and bool(faults) and all(map(_find_reason, faults))


def _find_reason(fault: str) -> str | None:
    return next((why for said, why in UNSAYABLE.items() if re.fullmatch(said, fault, re.S)), None)


def _is_other_form(found: Finding) -> bool:
    """Whether a correction lacks, or has, a field of another kind of event."""
    return (
        found.operation == "correct_event"
        and bool(found.faults)
        and all(
            (said := _FIELD_FAULT.fullmatch(fault)) and said["field"] in _FIELDS
            for fault in found.faults
        )
    )


_FIELD_FAULT: Final = re.compile(
    r"/(?P<field>\w+) is (required|not a (known field|field of this type))"
)
_FIELDS: Final = frozenset(
    name
    for struct in (*(rule.struct for rule in TYPES.values()), FigureReport, Correction)
    for name in ("type", "figure", *struct.__struct_fields__)
)


def _has_empty_parameter(found: Finding) -> bool:
    """Whether a parameter was sent empty and, but for such, the query is as the document says."""
    parts = found.case.meta.components.items()
    if any(part.mode.is_negative for where, part in parts if where.value != "query"):
        return False
    sent = parse_qsl(urlsplit(found.response.request.url).query, keep_blank_values=True)
    empty = {name for name, text in sent if not text}
    query, declared = found.case.query or {}, found.case.operation.query
    return bool(empty) and all(
        name in declared and declared.get(name).get_validator().is_valid(value)
        for name, value in query.items()
        if name not in empty
    )


def _are_lines_rejected(found: Finding) -> bool:
    if found.operation != "import_records" or found.media_type != NDJSON:
        return False
    results = [json.loads(line)["result"] for line in found.response.content.splitlines()]
    return set(results) == {"rejected"}


_PUSHING: Final = ("add_webhook", "replay_deliveries", "make_calendar")
_COSIGNING: Final = ("add_cosignatures", "add_full_cosignatures")

EXPLAINED: Final = (
    Explained(
        ServerError,
        "503 is what `min_position` is answered with where that is far from being reached",
        lambda found: str(found.problem.get("detail")).startswith("this position "),
    ),
    Explained(
        AcceptedNegativeData,
        "an empty parameter counts as not given; `allowEmptyValue` would say so and is deprecated",
        _has_empty_parameter,
    ),
    Explained(
        AcceptedNegativeData,
        "a line that cannot be imported is told in its result, and stops no other line",
        _are_lines_rejected,
    ),
    Explained(
        RejectedPositiveData,
        "the version that `If-Match` names is another than the case has by now",
        lambda found: found.slug == "version-mismatch",
    ),
    Explained(
        RejectedPositiveData,
        "what is asked for was there and is withdrawn, as requests before asked for",
        lambda found: found.slug == "withdrawn",
    ),
    Explained(
        RejectedPositiveData,
        "which fields a correction has depends on whether it is of a claim or a figure, which the "
        "path tells, and in the flat form on its type",
        _is_other_form,
    ),
    Explained(RejectedPositiveData, "no schema can say it", _is_unsayable),
    Explained(
        RejectedPositiveData,
        "which notes verify depends on keys and on what was signed",
        lambda found: found.operation in _COSIGNING and found.slug in ("invalid-input", "conflict"),
    ),
    Explained(
        RejectedPositiveData,
        "where an address may lead, what a filter names and how far the log goes by now",
        lambda found: found.operation in _PUSHING and found.slug == "invalid-input",
    ),
    Explained(
        JsonSchemaError,
        "where no line is answered, there is none to look at",
        lambda found: not found.response.content and found.media_type == NDJSON,
    ),
    Explained(
        UndefinedContentType,
        "the inferred link from `openapi` of the index leads to an address of its own operation",
        lambda found: (found.case.path_parameters or {}).get("asset") == "openapi.json",
    ),
)

_counts: Final = Counter[str]()
_answers: Final = Counter[tuple[str, int]]()


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Count what is answered."""
    _answers[case.operation.label, response.status_code] += 1


@schemathesis.hook
def filter_failure(context: Any, failure: Failure, case: Any, response: Any) -> bool:
    """Return whether a failure stands: nothing in `EXPLAINED` is about it."""
    found = Finding(case, response)
    for explained in EXPLAINED:
        if type(failure) is explained.kind and explained.holds(found):
            _counts.update(_reasons(explained, found))
            return False
    return True


def _reasons(explained: Explained, found: Finding) -> Iterator[str]:
    if explained.holds is not _is_unsayable:
        yield explained.why
    for fault in found.faults:
        yield from filter(None, [_find_reason(fault)])


@atexit.register
def print_counts() -> None:
    """Say what was answered, and how often which explanation was needed."""
    for (operation, status), count in sorted(_answers.items()):
        print(f"{operation}: {status} {count} times")
    for why, count in _counts.most_common():
        print(f"Explained {count} times: {why}")
