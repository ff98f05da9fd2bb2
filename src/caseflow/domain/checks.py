"""What can be refused without knowing the case: texts, dates, states, times, sources.

Everything that is wrong is found in one pass, each with its JSON pointer.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from .commands import OpenCase
from .countries import is_country
from .dates import parse_when
from .errors import InvalidDateError, InvalidInputError
from .events import Consent, FigureReported, Subject
from .times import parse_time
from .vocabulary import Claim

# What XML 1.0 (section 2.2, Char) cannot carry: stored, it would break the feed for good.
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_DATE_FIELDS: Final = ("occurred", "notified", "until", "on")
_COUNTRY_FIELDS: Final = ("jurisdiction", "destination")
MOST_PERSONS: Final = 1_000_000

Found = tuple[str, str]


def check_claim(claim: Claim) -> None:
    """Refuse a claim that could not stand in any case, with a pointer for each fault.

    Raises InvalidInputError.
    """
    fields = msgspec.to_builtins(claim)
    _refuse([*find_bad_text(fields), *_bad_dates(fields), *_bad_countries(fields), *_bad(fields)])


def check_opening(command: OpenCase) -> None:
    """Refuse an opening of a case that could not stand. Raises InvalidInputError."""
    fields = msgspec.to_builtins(command)
    _refuse([*find_bad_text(fields), *_bad_opening(command)])


def check_consent(consent: Consent, subject: Subject, *, within: str = "") -> None:
    """Refuse what a person cannot agree to, such as a pseudonym that is not told.

    within: which of the two the request holds, `/consent` or `/subject`; pointers are into it.
    Raises InvalidInputError.
    """
    found = _bad_consent(consent, subject)
    # A name that is missing is not the fault of the subject where that is not told.
    _refuse(
        [(p.removeprefix(within) if p.startswith(within) else "/publish", why) for p, why in found]
    )


def check_subject(subject: Subject) -> None:
    """Refuse a subject that could not stand; pointers are into it. Raises InvalidInputError."""
    fields = msgspec.to_builtins(subject)
    found = [(p.removeprefix("/subject"), why) for p, why in _bad_subject(subject)]
    _refuse([*find_bad_text(fields), *found])


def check_figure(figure: FigureReported) -> None:
    """Refuse a figure that could not stand, with a pointer for each fault.

    Raises InvalidInputError.
    """
    fields = msgspec.to_builtins(figure)
    _refuse([*find_bad_text(fields), *_bad_figure(figure)])


def check_words(body: Struct) -> None:
    """Refuse texts that XML could not carry. Raises InvalidInputError."""
    _refuse([*find_bad_text(msgspec.to_builtins(body))])


def _refuse(errors: list[Found]) -> None:
    if errors:
        raise InvalidInputError("the request can be read but not accepted", errors)


def find_bad_text(value: Any, pointer: str = "") -> Iterator[Found]:
    """Yield a pointer and a reason for each text that XML could not carry."""
    for inside in _list_bad_texts(value):
        yield pointer + inside, "holds a character that XML cannot carry"


def _list_bad_texts(value: Any) -> list[str]:
    # Nearly always there are none: a pointer is made where one is found, on the way back.
    if isinstance(value, str):
        return [""] if _NOT_XML.search(value) else []
    if isinstance(value, dict):
        return [
            f"/{_escape(key)}{rest}"
            for key, part in value.items()
            for rest in _list_bad_texts(part)
        ]
    if isinstance(value, list):
        return [f"/{n}{rest}" for n, part in enumerate(value) for rest in _list_bad_texts(part)]
    return []


def _escape(key: object) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")


def _bad_dates(fields: dict[str, Any]) -> Iterator[Found]:
    dated = [(f"/{name}", fields[name]) for name in _DATE_FIELDS if name in fields]
    for number, source in enumerate(fields.get("sources", ())):
        if "published" in source:
            dated.append((f"/sources/{number}/published", source["published"]))
    for pointer, text in dated:
        yield from _bad_date(pointer, text)


def _bad_date(pointer: str, text: str) -> Iterator[Found]:
    try:
        parse_when(text)
    except InvalidDateError as error:
        yield pointer, error.detail


def _bad_countries(fields: dict[str, Any]) -> Iterator[Found]:
    for name in _COUNTRY_FIELDS:
        if name in fields and not is_country(fields[name]):
            yield f"/{name}", _NO_STATE


_NO_STATE: Final = "is not an ISO 3166-1 alpha-2 code of a state"
_NO_SOURCE: Final = "a source needs a title or a url"
_NO_SUMMARY: Final = "a summary needs a text in ru, kk or en"


def _bad(fields: dict[str, Any]) -> Iterator[Found]:
    if "publish_after" in fields:
        try:
            parse_time(fields["publish_after"])
        except InvalidDateError as error:
            yield "/publish_after", error.detail
    for number, source in enumerate(fields.get("sources", ())):
        if not ("title" in source or "url" in source):
            yield f"/sources/{number}", _NO_SOURCE
    if fields.get("summary") == {}:
        yield "/summary", _NO_SUMMARY


def _bad_figure(figure: FigureReported) -> Iterator[Found]:
    if figure.low > figure.high:
        yield "/high", "is lower than low"
    for name in ("host_state", "origin_state"):
        state = getattr(figure, name)
        if state is not None and not is_country(state):
            yield f"/{name}", _NO_STATE
    if figure.host_state == figure.origin_state:
        yield "/origin_state", "is the host state: nobody can be returned to where they are"
    for pointer, text in (("/as_of", figure.as_of), ("/source/published", figure.source.published)):
        if text is not None:
            yield from _bad_date(pointer, text)
    if figure.source.title is None and figure.source.url is None:
        yield "/source", _NO_SOURCE
    if figure.summary is not None and not msgspec.to_builtins(figure.summary):
        yield "/summary", _NO_SUMMARY


def _bad_opening(command: OpenCase) -> Iterator[Found]:
    for name in ("host_state", "origin_state"):
        if not is_country(getattr(command, name)):
            yield f"/{name}", _NO_STATE
    if not 1 <= command.persons <= MOST_PERSONS:
        yield "/persons", f"a case is 1 to {MOST_PERSONS} persons"
    if command.host_state == command.origin_state:
        yield "/origin_state", "is the host state: nobody can be returned to where they are"
    yield from _bad_subject(command.subject)
    yield from _bad_consent(command.consent, command.subject)


def _bad_subject(subject: Subject) -> Iterator[Found]:
    for number, state in enumerate(subject.nationalities):
        if not is_country(state):
            yield f"/subject/nationalities/{number}", _NO_STATE
    for number, called in enumerate(subject.names):
        if not called.text.strip():
            yield f"/subject/names/{number}/text", "a name has letters"


def _bad_consent(consent: Consent, subject: Subject) -> Iterator[Found]:
    if consent.pseudonym is not None and not consent.pseudonym.strip():
        yield "/consent/pseudonym", "a pseudonym has letters"
    if consent.publish == "pseudonym" and consent.pseudonym is None:
        yield "/consent/pseudonym", "is required where consent is to a pseudonym"
    if consent.publish in ("name", "initials") and not subject.names:
        yield "/subject/names", f"a name is required where consent is to {consent.publish}"
