"""The form for one claim: its fields as inputs, and what was filled in as the claim that is posted.

It follows the vocabulary: a type that is new there has its form here.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, Literal, NamedTuple

import msgspec

from caseflow.domain.countries import COUNTRIES
from caseflow.domain.labels import label
from caseflow.domain.vocabulary import TYPES, Claim, values_of
from caseflow.formats.texts import country_name

from .languages import mark, say

Kind = Literal["choice", "country", "number", "date", "flag", "event", "text"]
Json = dict[str, Any]

_COMMON: Final = frozenset(Claim.__struct_fields__)
_KINDS: Final[Mapping[str, Kind]] = {
    "destination": "country",
    "term_days": "number",
    "term_months": "number",
    "entry_ban_months": "number",
    "until": "date",
    "on": "date",
    "suspended": "flag",
    "against": "event",
}
LANGUAGES_OF_TEXTS: Final = ("ru", "kk", "en")
# More sources than this come through the API.
SOURCES: Final = 3
_OF_A_SOURCE: Final = ("title", "url", "publisher", "published")

# What happened, as a partner looks for it: by the first part of the types' codes.
GROUPS: Final = (
    (mark("Liberty"), ("detention", "person")),
    (mark("Wanted lists and extradition"), ("wanted", "extradition")),
    (mark("Asylum"), ("asylum",)),
    (mark("Expulsion"), ("expulsion",)),
    (mark("Appeals and interim measures"), ("appeal", "interim")),
    (mark("Return and departure"), ("return", "departure")),
    (mark("Prosecution after return"), ("prosecution",)),
    (mark("The case itself"), ("case",)),
)

DATE_KINDS: Final = (
    ("day", mark("on this day")),
    ("month", mark("in this month")),
    ("year", mark("in this year")),
    ("between", mark("between two days")),
    ("until", mark("on this day or before")),
    ("edtf", mark("as written, in EDTF")),
)
"""How well a date is known."""

_DAY_OF_LIFE: Final = re.compile(r"([0-9]{1,2})[./]([0-9]{1,2})[./]([0-9]{4})")
_MONTH_OF_LIFE: Final = re.compile(r"([0-9]{1,2})[./]([0-9]{4})")


class Input(NamedTuple):
    """One field of a type. choices: code and name of what can be chosen."""

    name: str
    label: str
    kind: Kind
    is_needed: bool
    choices: list[tuple[str, str]]


def list_types(language: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the types by group, each with its name; every type is in one group."""
    return [
        (
            say(name, language),
            [
                (code, label("types", code, language).capitalize())
                for code in TYPES
                if code.partition(".")[0] in prefixes
            ],
        )
        for name, prefixes in GROUPS
    ]


@cache
def list_inputs(type_code: str, language: str) -> list[Input]:
    """Return the fields that claims of this type have beside those of all. Raises KeyError."""
    struct = TYPES[type_code].struct
    return [
        _make_input(struct, field, language)
        for field in msgspec.structs.fields(struct)
        if field.name not in _COMMON
    ]


def _make_input(struct: type[Claim], field: Any, language: str) -> Input:
    values = values_of(struct, field.name)
    kind: Kind = "choice" if values else _KINDS.get(field.name, "text")
    choices = [(v, label("values", v, language, of=field.name)) for v in values]
    if kind == "country":
        choices = list_countries(language)
    return Input(
        field.name, label("fields", field.name, language), kind, bool(field.required), choices
    )


@cache
def list_countries(language: str) -> list[tuple[str, str]]:
    """Return all states by name."""
    named = ((code, country_name(code, language)) for code in COUNTRIES)
    return sorted(named, key=lambda pair: pair[1])


def make_claim(type_code: str, told: Mapping[str, str]) -> Json:
    """Return the claim that was filled in, as it is posted to the API; nothing is checked here."""
    said = ("after", "jurisdiction", "place", "authority", "private_note", "external_id")
    texts = {
        lang: told[f"summary_{lang}"] for lang in LANGUAGES_OF_TEXTS if f"summary_{lang}" in told
    }
    sources = [source for n in range(SOURCES) if (source := _make_source(told, n))]
    claim: Json = {
        "type": type_code,
        "occurred": make_date(told, "occurred"),
        "notified": make_date(told, "notified"),
        **{name: told.get(name) for name in (*said, "verification", "visibility")},
        "summary": texts or None,
        "sources": sources or None,
        **{field.name: _make_value(field, told) for field in list_inputs(type_code, "en")},
    }
    return {name: value for name, value in claim.items() if value is not None}


def _make_source(told: Mapping[str, str], number: int) -> dict[str, str]:
    found = {n: told[f"source{number}_{n}"] for n in _OF_A_SOURCE if f"source{number}_{n}" in told}
    if "published" in found:
        found["published"] = _as_written(found["published"])
    return found


def _make_value(field: Input, told: Mapping[str, str]) -> Any:
    text = told.get(field.name)
    match field.kind:
        case "date":
            return make_date(told, field.name)
        case "flag":
            return True if text else None
        case "number" if text is not None:
            # What is no number is refused with its name, as from any program.
            return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
    return text


def make_date(told: Mapping[str, str], name: str) -> str | None:
    """Return a date that was filled in as EDTF, None where it was left empty.

    `{name}`: the day, month or year; `{name}_kind`: one of `DATE_KINDS`, a day where it is not
    said; `{name}_end`: the second of two days; `{name}_about`: whether it is known but roughly.
    What does not fit goes on as it is, to be refused with the name of the field.
    """
    first = _as_written(told.get(name, ""))
    if not first:
        return None
    about = "~" if f"{name}_about" in told else ""
    end = _as_written(told.get(f"{name}_end", ""))
    as_edtf = {
        "day": first + about,
        "month": first[:7] + about,
        "year": first[:4] + about,
        "between": f"[{first}..{end}]",
        "until": f"[..{first}]",
    }
    return as_edtf.get(told.get(f"{name}_kind", "day"), first)


def _as_written(text: str) -> str:
    """Return a date as EDTF has it, where it was written as people do: 29.01.2026, 01.2026."""
    if day := _DAY_OF_LIFE.fullmatch(text):
        return f"{day[3]}-{int(day[2]):02}-{int(day[1]):02}"
    if month := _MONTH_OF_LIFE.fullmatch(text):
        return f"{month[2]}-{int(month[1]):02}"
    return text


def name_pointer(pointer: str, language: str) -> str:
    """Return what the field is called that a JSON pointer into a claim leads to."""
    parts = [part for part in pointer.split("/") if part]
    names = []
    for part in parts:
        try:
            names.append(label("fields", part, language))
        except KeyError:
            names.append(part.upper() if part in LANGUAGES_OF_TEXTS else _count(part))
    return ", ".join(names) or say("the whole form", language)


def _count(part: str) -> str:
    # Sources are counted from 0 in a pointer, and from 1 by people.
    return str(int(part) + 1) if part.isdigit() and len(part) < 4 else ""


def list_filled(told: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the fields that go on to the next step, in a fixed order."""
    return ((name, told[name]) for name in sorted(told) if name not in ("token", "key"))
