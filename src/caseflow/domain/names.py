"""Names of persons in texts: whether a text gives away who somebody is, in any script.

Both sides are brought to plain Latin letters and the spellings that transliterations disagree on
are made one; endings may differ, since names are declined. Errs towards finding a name.

A text is read in several ways (what is encoded, hidden, joined or split is undone), and each
reading is searched for three things: a name that is a word, that is a part of one, and that is
spread over several. All of it is linear in the text, for it is done at each write.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from html import unescape
from itertools import pairwise
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from anyascii import anyascii

_WORD: Final = re.compile(r"[a-z]+")
_WRITTEN: Final = re.compile(r"\w+")
_SHORTEST: Final = 3
# From this length on a name is not made by chance of parts of other words, or of addresses.
_LONG: Final = 6
_MEDIUM: Final = 5

# What transliterations of Russian, Ukrainian and Kazakh write in different ways, brought to one.
_SPELLINGS: Final = (
    ("shch", "s"), ("tsch", "c"), ("sch", "s"), ("tch", "c"), ("dzh", "j"), ("zh", "z"),
    ("kh", "h"), ("sh", "s"), ("ch", "c"), ("ts", "c"), ("tz", "c"), ("ph", "f"), ("ck", "k"),
    ("x", "ks"), ("w", "v"), ("q", "k"), ("gue", "ge"), ("gui", "gi"), ("eug", "evg"), ("g", "h"),
    ("ander", "andr"), ("ou", "u"), ("yo", "e"), ("jo", "e"), ("io", "e"), ("ye", "e"), ("je", "e"),
    ("ie", "e"), ("ya", "a"), ("ja", "a"), ("ia", "a"), ("yu", "u"), ("ju", "u"), ("iu", "u"),
    ("j", "i"), ("y", "i"), ("z", "s"),
)  # fmt: skip
# Vowels that are one where they are not stressed; in a name of few letters they must differ, or
# Анна would be in each "она" and "one".
_VOWELS: Final = (("o", "a"), ("e", "i"))
_DOUBLED: Final = re.compile(r"(.)\1+")

# Latin letters that pass for Cyrillic ones, for words that mix the two; read both ways.
_LATIN: Final = "aceopxyABCEHKMOPTX"
_CYRILLIC: Final = "асеорхуАВСЕНКМОРТХ"
_LOOKALIKES: Final = str.maketrans(_LATIN, _CYRILLIC)
_LATIN_LOOKALIKES: Final = str.maketrans(_CYRILLIC, _LATIN)
_HAS_CYRILLIC: Final = re.compile("[а-яА-Я]")
_HAS_LATIN: Final = re.compile("[a-zA-Z]")
# Digits and signs that stand for letters: Latin ones, then l and what looks Cyrillic.
_DIGITS: Final = (str.maketrans("01345678@$", "oieasbtbas"), str.maketrans("01346$", "olзчбs"))
_DIGIT: Final = re.compile(r"(?<=[^\W\d_])[013-8@$]|[013-8@$](?=[^\W\d_])")

# Words that read like names: 15 июля is not Юлия, қазақ not Козак, появился not Павел,
# или (or) not Илья, ана (that) and any not Анна.
_NOT_NAMES: Final = re.compile(
    r"\b(?:(?i:июл[ьяею]м?|July|(?:қазақ|qazaq)\w*|появи\w*)|ана|или|[Aa]ny)\b"
    r"|(?<=\d\s)(?:марта|мая|августа)\b"
)
# Vowels that declension drops: Павел, Павла.
_FLEETING: Final = re.compile("(.+)i([lckv])")

# Endings, in folded letters. Kazakh: plural, then case (-ның, -ға, -ты, -нан, -мен, -дікі).
_KAZAKH: Final = (
    "(?:[ldt][aei]r)?(?:[ndt]inh?|[hkndt][aei]|nd[aei]n?|[ndt][aei]n|[mbp][aei]n|[ndt]ik[ie])"
)
_FATHERS: Final = "(?:[aoei]vic|[aoei]vna|uli|kisi)[a-z]{0,3}"
_PATRONYMIC: Final = f"{_FATHERS}|(?:ic|icna|inicna)[a-z]{{0,3}}"
_CASE: Final = f"[aeiou]{{0,3}}|[aeio][mhv][aeiou]?|s|{_KAZAKH}|{_PATRONYMIC}"
_AFTER_FLEETING: Final = re.compile(f"[aiu]{{1,3}}|[ai][mhv][aiu]?|{_PATRONYMIC}")
_AFTER_SHORT: Final = re.compile(_CASE)
_AFTER_LONG: Final = re.compile(f"[a-z]{{0,3}}|{_CASE}")
_AFTER_TINY: Final = re.compile(f"[aeiou]{{1,3}}[mhs]?|[aeiou]?{_FATHERS}")
# What makes a place of a name: Михайловка, Владимировск.
_PLACE: Final = re.compile("(?:[ai]v|in)(?:[kc]|sk)")

_CODED: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ESCAPED: Final = re.compile(r"[\\%]u([0-9A-Fa-f]{4})")
_PUNYCODE: Final = re.compile(r"\bxn--([a-z0-9-]{1,59})", re.IGNORECASE)
_REPEATED: Final = ((re.compile("%(?:25)+"), "%"), (re.compile("&(?:amp;)+"), "&"))
_ENCODED_AT_MOST: Final = 4

_MARKUP: Final = re.compile("<[^<>]*>")
_FILLERS: Final = "\u115f\u1160\u3164\uffa0"
_BACKWARDS: Final = "\u202e"
_TAGS: Final = re.compile("[\U000e0020-\U000e007e]")
_TAG_BASE: Final = 0xE0000
_INNER_SIGNS: Final = re.compile(r"(?<=[^\W_])(?:[^\w\s]|_)+(?=[^\W_])")
_SPACED_LETTERS: Final = re.compile(r"(?<![^\W_])[^\W\d_](?:[\W_]{1,3}[^\W\d_](?![^\W_])){2,}")
_ADDRESS: Final = re.compile(r"[#@]|//|\w\.\w")


def fold(text: str) -> list[str]:
    """Return the words of a text in one plain spelling, whatever its script."""
    return _merge_vowels(_respell(_latin(text))).split()


def _latin(text: str) -> str:
    """Return the words of a text in small Latin letters, with a space between them."""
    composed = unicodedata.normalize("NFKC", text)
    cyrillic = _WRITTEN.sub(lambda word: _as_cyrillic(word[0]), composed)
    return " ".join(_WORD.findall(anyascii(cyrillic).lower().replace("'", "").replace('"', "")))


def _as_cyrillic(word: str) -> str:
    return word.translate(_LOOKALIKES) if _HAS_CYRILLIC.search(word) else word


def _respell(words: str) -> str:
    for written, plain in _SPELLINGS:
        words = words.replace(written, plain)
    return _DOUBLED.sub(r"\1", words)


def _merge_vowels(words: str) -> str:
    for written, plain in _VOWELS:
        words = words.replace(written, plain)
    return _DOUBLED.sub(r"\1", words)


def finds_name(names: Iterable[str], text: str) -> bool:
    """Return whether a text holds a word of one of the names, declined or transliterated.

    Names of two letters are found where they stand alone with a capital, single letters never.
    Names of six letters are found within words and spread over several, shorter ones in addresses
    and where signs or capitals part them. Encodings and what cannot be seen are undone.
    """
    names = list(names)
    wanted = _wanted(names)
    plain = _decode(text)
    if not _NOT_NAMES.search(" ".join(names)):
        plain = _NOT_NAMES.sub(" ", plain)
    shapes = {shape for seen in _appearances(plain) for shape in _shapes(seen)}
    return (
        any(_reads_name(wanted, shape) for shape in shapes)
        or _holds_any(wanted.in_addresses, _addresses(plain))
        or not wanted.capitals.isdisjoint(_capitals(plain))
    )


class _Wanted(NamedTuple):
    """What to look for: stems with the endings that may follow them, and pieces of words.

    few: stems of names with few consonants, whose vowels must agree. capitals: names of two
    letters.
    """

    stems: dict[str, re.Pattern[str]]
    few: dict[str, re.Pattern[str]]
    within: set[str]
    in_addresses: set[str]
    spread: set[str]
    capitals: set[str]


def _wanted(names: list[str]) -> _Wanted:
    wanted = _Wanted({}, {}, set(), set(), set(), set())
    for name in names:
        clean = _drop_unseen(name)
        for latin in _spellings(_latin(clean)):
            strict = _respell(latin)
            words = _merge_vowels(strict).split()
            for word, close in zip(words, strict.split(), strict=True):
                _want(wanted, word, close)
            wanted.within.update(_joined(words))
    wanted.in_addresses.update(wanted.within)
    return wanted


def _want(wanted: _Wanted, word: str, close: str) -> None:
    """Add what finds a folded word; close is the same word with its vowels kept apart."""
    stem = word.rstrip("aeiou")
    if len(word) == _SHORTEST - 1:
        wanted.capitals.add(word)
    elif len(word) >= _SHORTEST and len(stem) <= _SHORTEST:
        _want_close(wanted, close)
    elif len(stem) > _SHORTEST:
        endings = _AFTER_LONG if len(stem) >= _LONG else _AFTER_SHORT
        wanted.stems.update({stem: endings, word: endings})
        if fleeting := _FLEETING.fullmatch(word):
            wanted.stems.setdefault(fleeting[1] + fleeting[2], _AFTER_FLEETING)
    wanted.within.update([stem] if len(stem) >= _LONG else [])
    wanted.in_addresses.update([word] if len(word) >= _MEDIUM else [])
    wanted.spread.update([stem] if len(stem) >= _LONG else [])


def _want_close(wanted: _Wanted, word: str) -> None:
    """Add a word of few consonants: whole with any ending, and with another vowel at its end."""
    stem = word.rstrip("aeiou")
    wanted.few[word] = _AFTER_SHORT
    if len(stem) >= _SHORTEST:
        wanted.few[stem] = _AFTER_SHORT
    else:
        wanted.few.setdefault(word[: max(len(stem), 2)], _AFTER_TINY)


def _joined(words: list[str]) -> Iterator[str]:
    """Yield neighbouring words written as one, as addresses do, either first."""
    for first, second in pairwise(words):
        if len(first) + len(second) >= _LONG:
            yield from (first + second, second + first)


def _decode(text: str) -> str:
    """Return a text with escapes undone, those within escapes too, as often as is seen at all."""
    for _ in range(_ENCODED_AT_MOST):
        before = text
        for repeated, once in _REPEATED:
            text = repeated.sub(once, text)
        text = _CODED.sub(lambda found: _from_bytes(unquote_to_bytes(found[0])), unescape(text))
        text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
        if text == before:
            break
    return _PUNYCODE.sub(lambda found: _from_punycode(found[0], found[1]), text)


def _from_bytes(coded: bytes) -> str:
    try:
        return coded.decode()
    except UnicodeDecodeError:
        return coded.decode("cp1251", errors="ignore")


def _from_punycode(written: str, label: str) -> str:
    try:
        return label.encode().decode("punycode")
    except UnicodeError:
        return written


def _appearances(text: str) -> Iterator[str]:
    """Yield what readers may see in a text: backwards, without markup, digits as letters."""
    clean = _drop_unseen(text)
    yield clean
    if _BACKWARDS in text:
        yield clean[::-1]
    if tags := _TAGS.findall(text):
        yield "".join(chr(ord(tag) - _TAG_BASE) for tag in tags)
    yield _MARKUP.sub("", clean)
    yield _WRITTEN.sub(lambda word: _as_latin(word[0]), clean)
    yield from (_read_digits(clean, letters) for letters in _DIGITS)


def _read_digits(text: str, letters: dict[int, int]) -> str:
    return _DIGIT.sub(lambda digit: digit[0].translate(letters), text)


def _drop_unseen(text: str) -> str:
    """Return a text without marks and controls, and letters that leave no trace on paper."""
    composed = unicodedata.normalize("NFKC", text)
    unseen = {c for c in set(composed) if unicodedata.category(c) in ("Mn", "Me", "Cf")}
    return composed.translate(dict.fromkeys(map(ord, unseen.union(_FILLERS))))


def _as_latin(word: str) -> str:
    return word.translate(_LATIN_LOOKALIKES) if _HAS_LATIN.search(word) else word


def _shapes(text: str) -> Iterator[str]:
    """Yield a text with its words as written, parted at capitals, and with parts put together."""
    together = _INNER_SIGNS.sub("", _SPACED_LETTERS.sub(_letters_alone, text))
    yield from (text, together, _part_at_capitals(text), _part_at_capitals(together))


def _letters_alone(spaced: re.Match[str]) -> str:
    return "".join(filter(str.isalpha, spaced[0]))


def _part_at_capitals(text: str) -> str:
    return "".join(
        f" {letter}" if letter.isupper() and before.islower() else letter
        for before, letter in zip(" " + text, text, strict=False)
    )


def _spellings(latin: str) -> set[str]:
    """Return Latin words as they are, j as the French write it, and umlauts as one letter."""
    return {latin, latin.replace("j", "zh"), re.sub("([aou])e", r"\1", latin)}


def _reads_name(wanted: _Wanted, text: str) -> bool:
    for latin in _spellings(_latin(text)):
        close = _respell(latin)
        folded = _merge_vowels(close)
        if (
            _has_form(wanted.stems, set(folded.split()))
            or _has_form(wanted.few, set(close.split()))
            or any(_is_within(piece, folded) for piece in wanted.within)
            or _is_spread(wanted.spread, folded.split())
        ):
            return True
    return False


def _has_form(stems: dict[str, re.Pattern[str]], words: set[str]) -> bool:
    """Return whether a word is a stem with one of its endings."""
    lengths = {len(stem) for stem in stems}
    return any(
        (endings := stems.get(word[:length])) and endings.fullmatch(word, length)
        for word in words
        for length in lengths
        if length <= len(word)
    )


def _is_within(piece: str, folded: str) -> bool:
    """Return whether some word holds a piece and is not a place that is called after it."""
    at = folded.find(piece)
    while at >= 0:
        if not _PLACE.match(folded, at + len(piece)):
            return True
        at = folded.find(piece, at + 1)
    return False


def _is_spread(stems: set[str], words: list[str]) -> bool:
    """Return whether a stem begins where a word begins and ends, but for its ending, with one."""
    squeezed = "".join(words)
    starts, end = set(), 0
    for word in words:
        starts.add(end)
        end += len(word)
    ends = starts | {end}
    for stem in stems:
        at = squeezed.find(stem)
        while at >= 0:
            after = at + len(stem)
            if at in starts and not ends.isdisjoint(range(after, after + 4)):
                return True
            at = squeezed.find(stem, at + 1)
    return False


def _addresses(text: str) -> str:
    return " ".join(part for part in text.split() if _ADDRESS.search(part))


def _holds_any(pieces: set[str], addresses: str) -> bool:
    folded = " ".join(fold(addresses))
    return any(piece in folded for piece in pieces)


def _capitals(text: str) -> set[str]:
    """Return the folded words that begin with a capital."""
    return set(fold(" ".join(w for w in _WRITTEN.findall(text) if w[0].isupper())))
