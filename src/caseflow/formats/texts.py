"""The texts of an entry in Russian, Kazakh and English: dates as phrases, titles, sentences.

Plain text in, plain text out: escaping belongs to the format that carries it. Nothing here decides
what may be shown; what is passed in is public already. One thing is kept out all the same: where a
person who left for safety has gone (`departure.*`).

Names of states come from CLDR through Babel; how dates are told is in `date_phrases.py`.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from babel import Locale

from caseflow.domain import labels
from caseflow.domain.dates import When, parse_when
from caseflow.domain.labels import LANGUAGES

from .date_phrases import describe_when, name_when

_LOCALES: Final = {language: Locale(language) for language in LANGUAGES}
# What a sentence tells of a claim, in this order. A list of what may be told, not of what may not:
# a field that is new to the vocabulary stays out until it is named here.
_TOLD: Final = (
    "outcome", "basis", "stage", "list", "condition", "pressure", "reason", "ground", "accusation",
    "term_days", "until", "term_months", "suspended", "entry_ban_months", "forum", "on", "form",
    "place", "authority", "jurisdiction", "destination",
)  # fmt: skip
# Place, authority and jurisdiction would tell where the person is safe as the destination would.
_TOLD_OF_A_DEPARTURE: Final = ("form",)
_DATES: Final = frozenset({"until", "on"})
_STATES: Final = frozenset({"jurisdiction", "destination"})


def country_name(code: str, language: str) -> str:
    """Return what a state is called in a language, nominative.

    code: ISO 3166-1 alpha-2. Raises KeyError when CLDR has no such territory.
    """
    return str(_LOCALES[language].territories[code])


def render_title(
    *, label: str, type: str, when: When, language: str, fields: Mapping[str, object] | None = None
) -> str:
    """Return the title of an entry: who, what, when.

    label: the public label of the case. type: the code of the event type.
    fields: as for `render_sentence`; of these only the outcome is told.
    """
    what = labels.label("types", type, language)
    outcome = (fields or {}).get("outcome")
    if outcome is not None:
        what += f" ({_value('outcome', outcome, language)})"
    return f"{label}: {what}, {name_when(when, language)}"


def render_sentence(
    *,
    label: str,
    type: str,
    when: When,
    language: str,
    headline: str,
    host_state: str,
    fields: Mapping[str, object] | None = None,
) -> str:
    """Return the content of an entry: what happened, and how the case stands since.

    headline: the code of the public headline after the event.
    fields: the public fields of the claim by name, as they were posted (place, authority,
    jurisdiction, destination, outcome, basis and so on). A jurisdiction is told where it is not
    `host_state`; of `departure.*` nothing is told that says where the person went; what is None
    or not known here is left out, and references always.
    """
    what = labels.label("types", type, language)
    told = list_details(type, fields or {}, host_state, language)
    brackets = f" ({'; '.join(told)})" if told else ""
    when_told = describe_when(when, language)
    return f"{label}: {what}, {when_told}{brackets}. {_status(headline, language)}"


def render_recall_title(*, kind: str, subject: str, language: str) -> str:
    """Return the title of an entry that takes back an earlier one.

    kind: corrected or withdrawn.
    subject: for corrected the new title, from `render_title`; for withdrawn the public label
    alone (the code of the case where that is no longer public), since nothing of what is
    withdrawn may be repeated.
    Raises KeyError for another kind.
    """
    return f"{_RECALLS[kind][language].title}: {subject}"


def render_recall_sentence(
    *, kind: str, subject: str, language: str, headline: str | None = None
) -> str:
    """Return the content of an entry that takes back an earlier one.

    kind: corrected or withdrawn.
    subject: for corrected the new sentence, from `render_sentence`, which ends in the status;
    for withdrawn the public label alone, as for `render_recall_title`.
    headline: after a withdrawal, the code of the public headline; None where none is public.
    Raises KeyError for another kind.
    """
    said = _RECALLS[kind][language].sentence.format(subject=subject)
    return f"{said} {_status(headline, language)}" if headline else said


class _Recall(NamedTuple):
    title: str
    sentence: str


_RECALLS: Final[dict[str, dict[str, _Recall]]] = {
    "corrected": {
        "ru": _Recall("Исправление", "Исправление ранее опубликованной записи. {subject}"),
        "kk": _Recall("Түзету", "Бұрын жарияланған жазба түзетілді. {subject}"),
        "en": _Recall("Correction", "Correction of an entry published earlier. {subject}"),
    },
    "withdrawn": {
        "ru": _Recall(
            "Отозвано",
            "{subject}: ранее опубликованная запись отозвана. "
            "Просим не опираться на неё и не распространять её.",
        ),
        "kk": _Recall(
            "Кері қайтарып алынды",
            "{subject}: бұрын жарияланған жазба кері қайтарып алынды. "
            "Оған сүйенбеуіңізді және оны таратпауыңызды сұраймыз.",
        ),
        "en": _Recall(
            "Withdrawn",
            "{subject}: an entry published earlier has been withdrawn. "
            "Please do not rely on it or pass it on.",
        ),
    },
}


def list_details(
    type: str, fields: Mapping[str, object], host_state: str, language: str
) -> list[str]:
    """Return what is told of a claim beside what happened and when, each as `name: value`.

    fields, host_state: as `render_sentence` takes them.
    """
    names = _TOLD_OF_A_DEPARTURE if type.startswith("departure.") else _TOLD
    told = {name: fields[name] for name in names if fields.get(name) is not None}
    if told.get("jurisdiction") == host_state:
        del told["jurisdiction"]
    return [
        f"{labels.label('fields', name, language)}: {_value(name, value, language)}"
        for name, value in told.items()
    ]


def _value(field: str, value: object, language: str) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if field in _DATES:
        return name_when(parse_when(text), language)
    if field in _STATES:
        return country_name(text, language)
    try:
        return labels.label("values", text, language, of=field)
    except KeyError:  # a number or free text, not a code
        return text


def _status(headline: str, language: str) -> str:
    word = labels.label("fields", "status", language).capitalize()
    return f"{word}: {labels.label('headlines', headline, language)}."
