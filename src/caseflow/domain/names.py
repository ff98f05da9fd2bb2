"""Names of persons in texts: whether a text gives away who somebody is, in any script.

Both sides are brought to plain Latin letters and the spellings that transliterations disagree on
are made one; endings may differ, since names are declined. Errs towards finding a name.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from anyascii import anyascii

_WORD: Final = re.compile(r"[a-z]+")
_SHORTEST: Final = 3
# What transliterations of Russian, Ukrainian and Kazakh write in different ways, brought to one.
_SPELLINGS: Final = (
    ("shch", "s"), ("tsch", "c"), ("sch", "s"), ("tch", "c"), ("dzh", "j"), ("zh", "z"),
    ("kh", "h"), ("sh", "s"), ("ch", "c"), ("ts", "c"), ("tz", "c"), ("ph", "f"), ("ck", "k"),
    ("x", "ks"), ("w", "v"), ("q", "k"), ("gue", "ge"), ("gui", "gi"), ("eug", "evg"), ("g", "h"),
    ("ander", "andr"), ("ou", "u"), ("yo", "e"), ("jo", "e"), ("io", "e"), ("ye", "e"), ("je", "e"),
    ("ie", "e"), ("ya", "a"), ("ja", "a"), ("ia", "a"), ("yu", "u"), ("ju", "u"), ("iu", "u"),
    ("j", "i"), ("y", "i"), ("o", "a"), ("e", "i"), ("z", "s"),
)  # fmt: skip
# Latin letters that pass for Cyrillic ones, for words that mix the two.
_LOOKALIKES: Final = str.maketrans("aceopxyABCEHKMOPTX", "асеорхуАВСЕНКМОРТХ")
_MIXED: Final = re.compile(r"\w*[а-яА-Я]\w*")
# Months that read like names: 15 июля is not Юлия.
_MONTHS: Final = re.compile(r"\b(?:июл[ьяею]м?|July)\b|(?<=\d\s)(?:марта|мая|августа)\b")
# Vowels that declension drops: Павел, Павла.
_FLEETING: Final = re.compile("(.+)i([lckv])")


def fold(text: str) -> list[str]:
    """Return the words of a text in one plain spelling, whatever its script."""
    composed = unicodedata.normalize("NFKC", text)
    cyrillic = _MIXED.sub(lambda word: word[0].translate(_LOOKALIKES), composed)
    latin = anyascii(cyrillic).lower().replace("'", "").replace('"', "")
    return [_respell(word) for word in _WORD.findall(latin)]


def _respell(word: str) -> str:
    for written, plain in _SPELLINGS:
        word = word.replace(written, plain)
    return re.sub(r"(.)\1+", r"\1", word)


def finds_name(names: Iterable[str], text: str) -> bool:
    """Return whether a text holds a word of one of the names, declined or transliterated.

    Names of two letters are found where they stand alone with a capital, single letters never.
    Addresses are read with their percent-encoding undone.
    """
    words = {word for name in names for word in fold(name)}
    forms = [_forms(word) for word in words if len(word) >= _SHORTEST]
    short = {word for word in words if len(word) == _SHORTEST - 1}
    return any(form.fullmatch(word) for word in _readings(text) for form in forms) or any(
        written[:1].isupper() and fold(written) == [word]
        for written in re.findall(r"\w+", text)
        for word in short
    )


def _readings(text: str) -> set[str]:
    """Return the folded words of a text; j is read as a German writes it, and as the French do."""
    plain = _MONTHS.sub("", unquote(text))
    return {*fold(plain), *fold(re.sub("[jJ]", "zh", plain))}


def _forms(word: str) -> re.Pattern[str]:
    """Return what matches a folded name in any case; a short one takes vowels alone as ending."""
    stem = word.rstrip("aeiou")
    if len(stem) < _SHORTEST:
        return re.compile(f"{stem}[aeiou]{{1,3}}[a-z]?")
    fleeting = _FLEETING.fullmatch(word)
    shorter = f"|{fleeting[1]}{fleeting[2]}[aeiou][a-z]{{0,2}}" if fleeting else ""
    return re.compile(f"{stem}[a-z]{{0,3}}{shorter}")
