"""Dates as phrases in Russian, Kazakh and English, exactly as precise as they are known.

Names of months come from CLDR through Babel, which has Russian and Kazakh ones in two cases at
most; the other cases are small tables here.
"""

import re
from typing import Final, Literal, NamedTuple, Protocol

from babel import Locale

from caseflow.domain.dates import When
from caseflow.domain.labels import LANGUAGES

_LOCALES: Final = {language: Locale(language) for language in LANGUAGES}


def describe_when(when: When, language: str) -> str:
    """Return a date as a phrase inside a sentence, exactly as precise as it is known.

    "on 29 January 2026", "in May 2025", "between September 2022 and March 2023", "by 10 February
    2026", with "about" and "(date uncertain)" where it is marked so; an X that stands for a month
    or a day is not told ("2025-XX" is "in 2025").
    Raises ValueError for a text that `parse_when` would not have taken.
    """
    start, end = _ends(when.text)
    is_span = start != end
    phrase = _span(start, end, when, language) if is_span else _one_date(end, when, language)
    return _marked_uncertain(phrase, when, language)


def name_when(when: When, language: str) -> str:
    """Return a date as it stands alone, in titles and lists: "29 January 2026", "May 2025".

    Spans and approximate dates read as in `describe_when`. Raises ValueError likewise.
    """
    start, end = _ends(when.text)
    if start != end or when.approximate:
        return describe_when(when, language)
    return _marked_uncertain(_GRAMMARS[language].name(end), when, language)


class _Point(NamedTuple):
    """One date without its mark.

    year: the first one of a decade or century. part: the month, or the season, spring being 1.
    """

    kind: Literal["day", "month", "season", "year", "decade", "century"]
    year: int
    part: int = 0
    day: int = 0


class _Grammar(Protocol):
    """How one language puts a point in time."""

    about_a_span: str
    uncertain: str

    def name(self, point: _Point) -> str:
        """As it stands alone: 29 January 2026."""

    def at(self, point: _Point) -> str:
        """When it happened: on 29 January 2026."""

    def about(self, point: _Point) -> str:
        """About when: about 29 January 2026."""

    def until(self, point: _Point) -> str:
        """Not after its last day: by 29 January 2026."""

    def between(self, start: _Point, end: _Point) -> str:
        """Between the first day of one and the last of the other."""


def _one_date(point: _Point, when: When, language: str) -> str:
    grammar = _GRAMMARS[language]
    return grammar.about(point) if when.approximate else grammar.at(point)


def _span(start: _Point | None, end: _Point, when: When, language: str) -> str:
    grammar = _GRAMMARS[language]
    phrase = grammar.until(end) if start is None else grammar.between(start, end)
    return f"{grammar.about_a_span} {phrase}" if when.approximate else phrase


def _marked_uncertain(phrase: str, when: When, language: str) -> str:
    return f"{phrase} ({_GRAMMARS[language].uncertain})" if when.uncertain else phrase


_MARKS: Final = "~?%"
_SPAN: Final = re.compile(r"\[(?P<a>.*)\.\.(?P<b>.+)\]|(?P<c>.*)/(?P<d>.+)")
# Years with X first; then an unknown month or day, which leaves the year or the month.
_POINT: Final = re.compile(
    r"([0-9]{2})XX|([0-9]{3})X|([0-9]{4})(?:-XX(?:-XX)?|-([0-9]{2})(?:-XX|-([0-9]{2}))?)?"
)


def _ends(text: str) -> tuple[_Point | None, _Point]:
    """Return the two ends of an EDTF text, equal for one date; None for a start not known."""
    span = _SPAN.fullmatch(text)
    if span is None:
        return _point(text), _point(text)
    start, end = (span["a"], span["b"]) if span["c"] is None else (span["c"], span["d"])
    return (None if start in ("", "..") else _point(start)), _point(end)


def _point(text: str) -> _Point:
    parts = _POINT.fullmatch(text.rstrip(_MARKS))
    if parts is None:
        raise ValueError(f"not a date: {text!r}")
    century, decade, year, month, day = parts.groups()
    if century:
        return _Point("century", int(century) * 100)
    if decade:
        return _Point("decade", int(decade) * 10)
    if month is None:
        return _Point("year", int(year))
    if int(month) > 20:
        return _Point("season", int(year), int(month) - 20)
    if day is None:
        return _Point("month", int(year), int(month))
    return _Point("day", int(year), int(month), int(day))


def _years(century: _Point) -> str:
    # 20XX is 2000 to 2099, which is not quite the 21st century.
    return f"{century.year}–{century.year + 99}"


def _shares_year(a: _Point, b: _Point) -> bool:
    """Return whether both are parts of one year, which then needs saying once."""
    parts_of_a_year = ("day", "month", "season")
    return a.year == b.year and a.kind in parts_of_a_year and b.kind in parts_of_a_year


class _English:
    about_a_span = "approximately"
    uncertain = "date uncertain"
    _seasons = ("spring", "summer", "autumn", "winter")

    def name(self, point: _Point) -> str:
        match point.kind:
            case "year":
                return str(point.year)
            case "decade":
                return f"the {point.year}s"
            case "century":
                return f"the years {_years(point)}"
        return f"{self._part(point)} {point.year}"

    def at(self, point: _Point) -> str:
        return f"{'on' if point.kind == 'day' else 'in'} {self.name(point)}"

    def about(self, point: _Point) -> str:
        return f"about {self.name(point)}"

    def until(self, point: _Point) -> str:
        # "By May" may be read as before May; "by 10 May" cannot be misread.
        return f"{'by' if point.kind == 'day' else 'no later than'} {self.name(point)}"

    def between(self, start: _Point, end: _Point) -> str:
        first = self._part(start) if _shares_year(start, end) else self.name(start)
        return f"between {first} and {self.name(end)}"

    def _part(self, point: _Point) -> str:
        if point.kind == "season":
            return self._seasons[point.part - 1]
        month = _month("en", point.part)
        return f"{point.day} {month}" if point.kind == "day" else month


_Case = Literal["genitive", "prepositional", "instrumental"]


class _Russian:
    about_a_span = "примерно"
    uncertain = "дата под вопросом"
    _seasons = ("весна", "лето", "осень", "зима")
    _seasons_in: Final = {
        "genitive": ("весны", "лета", "осени", "зимы"),
        "instrumental": ("весной", "летом", "осенью", "зимой"),
    }
    # The genitive is CLDR's.
    _months_in: Final = {
        "prepositional": (
            "январе", "феврале", "марте", "апреле", "мае", "июне",
            "июле", "августе", "сентябре", "октябре", "ноябре", "декабре",
        ),
        "instrumental": (
            "январём", "февралём", "мартом", "апрелем", "маем", "июнем",
            "июлем", "августом", "сентябрём", "октябрём", "ноябрём", "декабрём",
        ),
    }  # fmt: skip
    _year_in: Final = {"genitive": "года", "prepositional": "году", "instrumental": "годом"}
    _years_in: Final = {"genitive": "годов", "prepositional": "годах", "instrumental": "годами"}
    _ordinal_in: Final = {"genitive": "х", "prepositional": "х", "instrumental": "ми"}

    def name(self, point: _Point) -> str:
        match point.kind:
            case "day":
                return f"{self._part(point, 'genitive')} {point.year}"
            case "month":
                return f"{_month('ru', point.part, 'stand-alone')} {point.year}"
            case "season":
                return f"{self._seasons[point.part - 1]} {point.year}"
            case "year":
                return f"{point.year} год"
            case "decade":
                return f"{point.year}-е годы"
        return f"{_years(point)} годы"

    def at(self, point: _Point) -> str:
        if point.kind == "day":
            return self._of(point, "genitive")
        if point.kind == "season":
            return self._of(point, "instrumental")
        return f"в {self._of(point, 'prepositional')}"

    def about(self, point: _Point) -> str:
        return f"около {self._of(point, 'genitive')}"

    def until(self, point: _Point) -> str:
        return f"не позднее {self._of(point, 'genitive')}"

    def between(self, start: _Point, end: _Point) -> str:
        return f"между {self._first(start, end)} и {self._last(start, end)}"

    def _first(self, start: _Point, end: _Point) -> str:
        if start.kind == end.kind == "year":
            return str(start.year)
        if _shares_year(start, end):
            return self._part(start, "instrumental")
        whole = self._of(start, "instrumental")
        if self._of(end, "instrumental").endswith(" года"):
            # That one word serves both: между сентябрём 2022 и мартом 2023 года.
            return whole.removesuffix(" года")
        return whole

    def _last(self, start: _Point, end: _Point) -> str:
        if start.kind == end.kind == "year":
            return f"{end.year} годами"
        return self._of(end, "instrumental")

    def _of(self, point: _Point, case: _Case) -> str:
        match point.kind:
            case "year":
                return f"{point.year} {self._year_in[case]}"
            case "decade":
                return f"{point.year}-{self._ordinal_in[case]} {self._years_in[case]}"
            case "century":
                return f"{_years(point)} {self._years_in[case]}"
        return f"{self._part(point, case)} {point.year} года"

    def _part(self, point: _Point, case: _Case) -> str:
        if point.kind == "season":
            return self._seasons_in[case][point.part - 1]
        if point.kind == "day":
            return f"{point.day} {_month('ru', point.part)}"
        if case == "genitive":
            return _month("ru", point.part)
        return self._months_in[case][point.part - 1]


class _Kazakh:
    about_a_span = "шамамен"
    uncertain = "күні күмәнді"
    _seasons = ("көктем", "жаз", "күз", "қыс")
    # Endings follow the last sound: in (locative), from (ablative), and (conjunction).
    _endings: Final = {
        "қаңтар": ("да", "дан", "мен"),
        "ақпан": ("да", "нан", "мен"),
        "наурыз": ("да", "дан", "бен"),
        "сәуір": ("де", "ден", "мен"),
        "мамыр": ("да", "дан", "мен"),
        "маусым": ("да", "нан", "мен"),
        "шілде": ("де", "ден", "мен"),
        "тамыз": ("да", "дан", "бен"),
        "қыркүйек": ("те", "тен", "пен"),
        "қазан": ("да", "нан", "мен"),
        "қараша": ("да", "дан", "мен"),
        "желтоқсан": ("да", "нан", "мен"),
        "көктем": ("де", "нен", "мен"),
        "жаз": ("да", "дан", "бен"),
        "күз": ("де", "ден", "бен"),
        "қыс": ("та", "тан", "пен"),
    }

    def name(self, point: _Point) -> str:
        match point.kind:
            case "year":
                return f"{point.year} жыл"
            case "decade":
                return f"{point.year}-жылдар"
            case "century":
                return f"{_years(point)} жылдар"
        return f"{point.year} жылғы {self._part(point)}"

    def at(self, point: _Point) -> str:
        if point.kind in ("year", "decade", "century"):
            return f"{self.name(point)}ы"
        return f"{self.name(point)}{self._ending(point)[0]}"

    def about(self, point: _Point) -> str:
        return f"шамамен {self.at(point)}"

    def until(self, point: _Point) -> str:
        return f"{self.name(point)}{self._ending(point)[1]} кешіктірмей"

    def between(self, start: _Point, end: _Point) -> str:
        if start.kind == end.kind == "year":
            return f"{start.year}–{end.year} жылдар аралығында"
        last = self._part(end) if _shares_year(start, end) else self.name(end)
        return f"{self.name(start)} {self._ending(start)[2]} {last} аралығында"

    def _ending(self, point: _Point) -> tuple[str, str, str]:
        if point.kind in ("year", "decade", "century"):
            return ("да", "дан", "мен")
        return self._endings[self._word(point)]

    def _part(self, point: _Point) -> str:
        word = self._word(point)
        return f"{point.day} {word}" if point.kind == "day" else word

    def _word(self, point: _Point) -> str:
        if point.kind == "season":
            return self._seasons[point.part - 1]
        return _month("kk", point.part)


_GRAMMARS: Final[dict[str, _Grammar]] = {"ru": _Russian(), "kk": _Kazakh(), "en": _English()}


def _month(language: str, month: int, context: str = "format") -> str:
    return str(_LOCALES[language].months[context]["wide"][month])
