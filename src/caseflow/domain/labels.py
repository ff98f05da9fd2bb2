"""The words of the vocabulary in Russian, Kazakh and English.

The words stand in `labels.json`, one line a code: short noun phrases without a capital letter or a
full stop, and neutral, for what is told is an allegation until somebody has proved it. Whole
sentences are made in `formats/texts.py`.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any, Final

LANGUAGES: Final = ("ru", "kk", "en")


def label(kind: str, code: str, language: str, *, of: str | None = None) -> str:
    """Return what a code is called in a language.

    kind: types, fields, values, tracks, states, headlines, reasons (states of publication and
    why something is not public), flags, measures (what a reported figure counts), held_for or
    outcomes (what the breakdown of the statistics counts by).
    of: the field a value belongs to, or the track a state belongs to; None for the other kinds.
    Raises KeyError when there is no such kind, code, field, track or language.
    """
    if language not in LANGUAGES:
        raise KeyError(language)
    group = _labels()[kind] if of is None else _labels()[kind][of]
    return str(group[code][language])


def all_labels() -> dict[str, Any]:
    """Return every label: kind -> code -> language -> text, the caller's own copy.

    For `values` and `states` a field or a track stands before the code.
    """
    labels: dict[str, Any] = json.loads(_text())
    return labels


@cache
def _labels() -> dict[str, Any]:
    return all_labels()


@cache
def _text() -> str:
    return files("caseflow.domain").joinpath("labels.json").read_text(encoding="utf-8")
