"""Whether names may be those of one person, in any spelling and any script.

Two questions, one after the other. `skeletons` and `wanted_skeletons` give coarse keys, of which
names that are near share at least one: whoever keeps many cases looks there first. `likeness` then
compares what was found, word by word.

A name is brought to plain Latin letters (`names.fold`). Where a letter may be read in two ways, as
in Jachin and Jamal, both are kept. Order, hyphens and what some papers leave out (patronymics,
initials) do not count. One word in common is never enough.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, pairwise, permutations, product
from typing import Final, NamedTuple

from rapidfuzz.distance import DamerauLevenshtein

from .names import fold

LIKE: Final = 0.85
"""From this likeness on two names are worth a look: see `likeness`."""

_YEARS_APART: Final = 1
# Papers often tell no more of a given name: good evidence, but less than the name.
_BY_INITIALS: Final = 0.9
_ALONE: Final = 0.9
_OTHER_SEX: Final = 0.8

# From so many consonants on, two words with one of them amiss may still be near.
_LONG: Final = 5

# What one person may have, so that names made up for it cannot hold up an answer.
_MOST_WORDS: Final = 5
_MOST_LETTERS: Final = 40
_MOST_SPELLINGS: Final = 4
_MOST_READINGS: Final = 16
MOST_SKELETONS: Final = 400

_TOKEN: Final = re.compile(r"[^\s.,;:/()\[\]<>«»“”\"]+\.?")
_HYPHENS: Final = re.compile("[-\u2010-\u2015]+")
_MOST_INITIALS_LETTERS: Final = 4

# Letters that stand for different sounds, and how else they may be meant: й or ж, ч or х, к or ц.
_READ_OTHERWISE: Final = (
    (re.compile("дж|җ|ҷ|dzh|dsch|dž|dj|j"), "zh"),
    (re.compile("(?<![st])ch"), "kh"),
    (re.compile("c(?=[aoulrt]|$)"), "k"),
    (re.compile("(?<=[sc])z"), "h"),
    (re.compile("x"), "kh"),
    (re.compile("ң|ng"), "n"),
    (re.compile("([aou])e"), r"\1"),
)

# "Son of", "daughter of", where they stand alone, and what ends a patronymic; folded.
_CHILD_OF: Final = frozenset(["uli", "ulu", "kisi", "hisi", "ahli", "ahlu"])
_PATRONYMIC: Final = re.compile(
    "(.{2,}?)(?:[ai]?vic|[ai]vna|(?<=[lmkt])ic|(?:in)?icna|uli|ulu|kisi|hisi|ahli|ahlu)"
)

# Consonants that transliterations, dialects and ears confuse.
_CLASSES: Final = str.maketrans("cshktdpbvfmn", "SSKKTTPPPPNN")
_AFFRICATE: Final = re.compile("TS")
_DOUBLED: Final = re.compile(r"(.)\1+")
_SILENT_H: Final = re.compile("^h")
# Даулет, Davlet.
_AS_VOWEL: Final = re.compile("(?<=[aiu])v(?=[^aiu])")
_VOWELS: Final = "aiu"
_NO_VOWELS: Final = str.maketrans("", "", _VOWELS)


class _Word(NamedTuple):
    """A word of a name: the ways to spell it, folded, and the consonants that they leave."""

    spellings: tuple[str, ...]
    skeletons: tuple[str, ...]

    @property
    def firsts(self) -> set[str]:
        """Return the classes of the letters that it may begin with."""
        return {_first(spelling) for spelling in self.spellings}


class _Reading(NamedTuple):
    """A name as it may be meant. firsts: of its initials, one set for each."""

    words: tuple[_Word, ...]
    father: _Word | None
    firsts: tuple[frozenset[str], ...]


# -- keys -----------------------------------------------------------------------------------------


def skeletons(names: Iterable[str]) -> set[str]:
    """Return the keys under which a person's names are kept; at most 400.

    A key is made of the consonants of two words: one alone would lead to everybody of that given
    name.
    """
    return _bounded(key for reading in _read(names) for key in _keys_kept(reading))


def wanted_skeletons(names: Iterable[str]) -> set[str]:
    """Return the keys under which to look for a person's names; at most 400.

    Names that are near have been kept under at least one of them.
    """
    return _bounded(key for reading in _read(names) for key in _keys_wanted(reading))


def _bounded(keys: Iterator[str]) -> set[str]:
    found: dict[str, None] = {}
    for key in keys:
        found[key] = None
        if len(found) == MOST_SKELETONS:
            break
    return set(found)


def _keys_kept(reading: _Reading) -> Iterator[str]:
    yield from _pair_keys(reading)
    if _is_alone(reading):
        yield from _alone_keys(reading)
        yield from _initial_keys(reading, "of initials")
    else:
        yield from _begun_keys(reading, "of words")


def _keys_wanted(reading: _Reading) -> Iterator[str]:
    yield from _pair_keys(reading)
    if _is_alone(reading):
        yield from _alone_keys(reading)
        yield from _initial_keys(reading, "of words")
        yield from _initial_keys(reading, "of initials")
    else:
        yield from _begun_keys(reading, "of initials")


def _is_alone(reading: _Reading) -> bool:
    return len(reading.words) == 1


def _pair_keys(reading: _Reading) -> Iterator[str]:
    """Yield the consonants of two words, either whole, or one of them without one of its own.

    Two words with a slip in one place leave the same when that is left out: Константин, Костянтин.
    """
    for one, other in combinations(reading.words, 2):
        for whole, second in product(one.skeletons, other.skeletons):
            yield _pair(whole, second)
            yield from (_pair(whole, cut) for cut in _cuts(second))
            yield from (_pair(second, cut) for cut in _cuts(whole))


def _pair(*skeletons: str) -> str:
    return " ".join(sorted(skeletons))


def _cuts(skeleton: str) -> Iterator[str]:
    """Yield a long word's consonants with one left out; in a short one a slip is another name."""
    if len(skeleton) >= _LONG:
        yield from (skeleton[:at] + skeleton[at + 1 :] for at in range(len(skeleton)))


def _begun_keys(reading: _Reading, kind: str) -> Iterator[str]:
    for whole, other in permutations(reading.words, 2):
        for skeleton, first in product(whole.skeletons, sorted(other.firsts)):
            yield f"{skeleton} {first} {kind}"


def _initial_keys(reading: _Reading, kind: str) -> Iterator[str]:
    for firsts in reading.firsts:
        for skeleton, first in product(reading.words[0].skeletons, sorted(firsts)):
            yield f"{skeleton} {first} {kind}"


def _alone_keys(reading: _Reading) -> Iterator[str]:
    yield from reading.words[0].skeletons


# -- comparing ------------------------------------------------------------------------------------


def likeness(
    names: Iterable[str],
    others: Iterable[str],
    years: tuple[int | None, int | None] = (None, None),
) -> float:
    """Return how near the nearest of two persons' names are: 0 to 1; worth a look from LIKE on.

    1: the same but for the script, the spelling and the order. 0: not near at all; also where a
    patronymic or an initial speaks against it, and where the years of birth, both known, are more
    than one apart: papers are off by one, and namesakes mostly by more.
    """
    born, other_born = years
    if born and other_born and abs(born - other_born) > _YEARS_APART:
        return 0.0
    found = _read(others)
    return max((_compare(one, other) for one in _read(names) for other in found), default=0.0)


def _compare(one: _Reading, other: _Reading) -> float:
    short, long = sorted((one, other), key=lambda reading: len(reading.words))
    matched = _match(short.words, long.words)
    if matched is None:
        return 0.0
    likes = [like for _, _, like in matched]
    if short.father and long.father:
        likes.append(_like(short.father, long.father))
    # Every word must be near, not only most of them.
    if min(likes) < LIKE:
        return 0.0
    return sum(likes) / len(likes) * _evidence(short, long, matched)


_Matched = list[tuple[_Word, _Word, float]]


def _match(short: Sequence[_Word], long: Sequence[_Word]) -> _Matched | None:
    """Return each word of a name with the nearest that is left of another's, the nearest first."""
    pairs = [
        (_like(one, other), at, there)
        for at, one in enumerate(short)
        for there, other in enumerate(long)
    ]
    matched: dict[int, int] = {}
    found: _Matched = []
    for like, at, there in sorted(pairs, reverse=True):
        if at not in matched and there not in matched.values():
            matched[at] = there
            found.append((short[at], long[there], like))
    return found if len(found) == len(short) else None


def _evidence(short: _Reading, long: _Reading, matched: _Matched) -> float:
    """Return what the words that are near are worth, 0 to 1, given the rest of the names."""
    taken = [word for _, word, _ in matched]
    left = [word for word in long.words if word not in taken]
    if not _initials_agree(short.firsts, long, left) or not _initials_agree(long.firsts, short, []):
        return 0.0
    if len(short.words) > 1:
        return _OTHER_SEX if _is_other_sex(matched) else 1.0
    if short.firsts and (long.firsts or left):
        return _BY_INITIALS
    return 0.0 if left else _ALONE


def _initials_agree(
    firsts: tuple[frozenset[str], ...], other: _Reading, left: Sequence[_Word]
) -> bool:
    """Return whether one of the initials is one that the other name has, if it has any left."""
    fathers = [other.father] if other.father else []
    theirs = [frozenset(word.firsts) for word in (*left, *fathers)] + list(other.firsts)
    if not firsts or not theirs:
        return True
    return any(not mine.isdisjoint(their) for mine in firsts for their in theirs)


def _is_other_sex(matched: _Matched) -> bool:
    """Return whether each word of one is that of the other with an a: Александра Иванова."""
    ends = [(one.spellings[0], other.spellings[0]) for one, other, _ in matched]
    return all(_is_feminine(one, other) for one, other in ends) or all(
        _is_feminine(other, one) for one, other in ends
    )


def _is_feminine(word: str, of: str) -> bool:
    return word.endswith("a") and not of.endswith("a") and word.rstrip(_VOWELS) == of.rstrip("iu")


def _like(one: _Word, other: _Word) -> float:
    """Return how near two words are: half by their letters, half by their consonants."""
    consonants = max(
        DamerauLevenshtein.normalized_similarity(mine, their)
        for mine, their in product(one.skeletons, other.skeletons)
    )
    if _has_no_vowels(one) or _has_no_vowels(other):
        return consonants
    letters = max(
        DamerauLevenshtein.normalized_similarity(mine, their)
        for mine, their in product(one.spellings, other.spellings)
    )
    return (letters + consonants) / 2


def _has_no_vowels(word: _Word) -> bool:
    """Return whether it comes from a script that writes no vowels, such as Arabic."""
    spelling = word.spellings[0]
    return len(spelling) > 2 and not any(vowel in spelling for vowel in _VOWELS)


# -- reading --------------------------------------------------------------------------------------


def _read(names: Iterable[str]) -> list[_Reading]:
    """Return the ways in which names may be meant, each once."""
    found: dict[_Reading, None] = {}
    for name in names:
        for reading in _readings(name):
            found[reading] = None
            if len(found) == _MOST_READINGS:
                return list(found)
    return list(found)


def _readings(name: str) -> Iterator[_Reading]:
    """Yield a name with its hyphens kept and parted, and with neighbours written as one."""
    tokens = [token.strip("-\u2010\u2011") for token in _TOKEN.findall(name)]
    firsts = tuple(frozenset(_word(t).firsts) for t in tokens if _is_initial(t))
    written = [token.rstrip(".")[:_MOST_LETTERS] for token in tokens if not _is_initial(token)]
    parted = [part for token in written for part in _HYPHENS.split(token)]
    for parts in dict.fromkeys((tuple(written), tuple(parted))):
        reading = _reading(parts, firsts)
        if not reading.words:
            continue
        yield reading
        if len(reading.words) > 2:
            yield from _joined(reading)


def _is_initial(token: str) -> bool:
    letters = token.rstrip(".")
    if token != letters:
        return len(letters) <= _MOST_INITIALS_LETTERS
    return len(letters) == 1 and len(_fold(letters)) == 1


def _reading(parts: Sequence[str], firsts: tuple[frozenset[str], ...]) -> _Reading:
    words = [word for part in parts if (word := _word(part)).spellings]
    words = _with_children(words)[:_MOST_WORDS]
    father = _find_father(words) if len(words) > 2 else None
    if father is None:
        return _Reading(tuple(words), None, firsts)
    name = _PATRONYMIC.fullmatch(words[father].spellings[0])
    assert name is not None, "it was found as a patronymic"
    others = (*words[:father], *words[father + 1 :])
    return _Reading(others, _spelled([name[1].rstrip(_VOWELS)]), firsts)


def _with_children(words: list[_Word]) -> list[_Word]:
    """Return words with "son of" and its like written as one with the father's name."""
    found: list[_Word] = []
    for word in words:
        if found and word.spellings[0] in _CHILD_OF:
            found[-1] = _join(found[-1], word)
        else:
            found.append(word)
    return found


def _find_father(words: Sequence[_Word]) -> int | None:
    """Return where the patronymic is: it follows a name; Лукашевич may follow one."""
    fathers = [_PATRONYMIC.fullmatch(word.spellings[0]) is not None for word in words]
    for at, (before, is_father) in enumerate(pairwise(fathers), start=1):
        if is_father and not before:
            return at
    return None


def _joined(reading: _Reading) -> Iterator[_Reading]:
    words = reading.words
    for at, (word, following) in enumerate(pairwise(words)):
        yield reading._replace(words=(*words[:at], _join(word, following), *words[at + 2 :]))


def _join(word: _Word, following: _Word) -> _Word:
    return _spelled([a + b for a, b in product(word.spellings, following.spellings)])


def _word(text: str) -> _Word:
    """Return a word with all that its letters may mean."""
    texts = [text.lower()]
    for pattern, other in _READ_OTHERWISE:
        texts += [again for t in texts if (again := pattern.sub(other, t)) != t]
    return _spelled([spelling for t in [text, *texts[1:]] if (spelling := _fold(t))])


def _spelled(spellings: Iterable[str]) -> _Word:
    few = tuple(dict.fromkeys(spellings))[:_MOST_SPELLINGS]
    found = (skeleton for spelling in few for skeleton in _skeletons_of(spelling))
    return _Word(few, tuple(dict.fromkeys(found))[:_MOST_SPELLINGS])


def _skeletons_of(spelling: str) -> Iterator[str]:
    """Yield the classes of a folded word's consonants, with and without those that may be mute."""
    for said in (spelling, _SILENT_H.sub("", spelling), _AS_VOWEL.sub("", spelling)):
        classes = _DOUBLED.sub(r"\1", _AFFRICATE.sub("S", said.translate(_CLASSES)))
        yield classes.translate(_NO_VOWELS) or "-"


def _first(spelling: str) -> str:
    return spelling[0].translate(_CLASSES).translate(_NO_VOWELS) or "-"


def _fold(text: str) -> str:
    return "".join(fold(text))
