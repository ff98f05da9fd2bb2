"""When something happened: EDTF text, the days it may mean, and which of two came first.

A date stays the text that was posted. Beside it stand its bounds, the earliest and the latest
day it allows, and every comparison is made on these alone. Nothing here picks a day inside the
bounds, knows a time zone or asks for today.

Days are text, YYYY-MM-DD with years 0000 to 9999, so their order as text is their order in
time. Year 0 exists in EDTF and is a leap year; `datetime.date` begins with year 1.
Source: ISO 8601-2:2019 (EDTF), levels 0 and 1, and of level 2 the one-of set `[a..b]`;
docs/dates.md says for partners what is taken.
"""

import re
from calendar import monthrange
from datetime import date
from enum import Enum
from functools import lru_cache

import msgspec

from caseflow.domain.errors import InvalidDateError

FIRST_DAY = "0000-01-01"
LAST_DAY = "9999-12-31"
MAX_LENGTH = 64

_DAYS_IN_400_YEARS = 146_097
_CHARACTERS = frozenset("0123456789X-/.[]~?%")
_APPROXIMATE = frozenset("~%")
_UNCERTAIN = frozenset("?%")
_MARKS = _APPROXIMATE | _UNCERTAIN
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE = re.compile(r"([0-9]{2}(?:[0-9]{2}|[0-9]X|XX))(?:-([0-9]{2}|XX)(?:-([0-9]{2}|XX))?)?")
_SEASON_MONTHS = {"21": (3, 5), "22": (6, 8), "23": (9, 11)}
# Not from `calendar`, whose names change with the locale.
_MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip

_USUAL_FORMS = "write 2025 for a year, 2025-05 for May 2025, 2025-05-01 for 1 May 2025"
_MISSING_END = (
    "the end is missing, and what lasts is a state, not an occurrence; write the date it began, "
    "or [a..b] where b is the latest date it can have happened"
)
_NO_TIME = "a date has no spaces, no time of day and no time zone; write the day alone: 2025-05-01"
_FOUR_DIGITS = "years are 0000 to 9999, four digits without a letter or sign"
_NO_LIST = "lists are not taken; write [a..b] for a date between a and b"
_HYPHEN = "write plain hyphens, as in 2025-05-01"
_FOREIGN_CHARACTERS = {
    **dict.fromkeys("T:Z", _NO_TIME),
    **dict.fromkeys("YES+", _FOUR_DIGITS),
    **dict.fromkeys(",{}", _NO_LIST),
    **dict.fromkeys("xuU", "write X, a capital letter, for a digit that is not known"),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", _HYPHEN),
}


class When(msgspec.Struct, frozen=True):
    """When something happened, as told.

    text: exactly as posted.
    earliest: the first day it allows, YYYY-MM-DD; None where the start is open or unknown.
    latest: the last day it allows, YYYY-MM-DD, never before `earliest`.
    approximate, uncertain: a `~`, a `?`, or `%` for both, on any date of the text; shown to
    readers, without effect on the bounds.
    """

    text: str
    earliest: str | None
    latest: str
    approximate: bool = False
    uncertain: bool = False


class Order(Enum):
    """How the first of two dates stands to the second; UNKNOWN where the bounds allow more."""

    BEFORE = "before"
    AFTER = "after"
    UNKNOWN = "unknown"


@lru_cache(maxsize=16_384)
def parse_when(text: str) -> When:
    """Return what the text says of the day, bounds included.

    text: a date (2025, 2025-05, 2025-05-01, 202X, 2025-XX, a season 2025-21), an interval
    `a/b`, or a set `[a..b]`; at most 64 characters.
    Raises InvalidDateError, with a detail for the person who wrote it, for all else.
    Source: ISO 8601-2:2019, clause 4, levels 0 and 1; sets from level 2.
    """
    _check_characters(text)
    earliest, latest = _bounds(text)
    if earliest is not None and earliest > latest:
        reason = f"an earliest day ({earliest}) after the latest ({latest}); the earlier goes first"
        raise _refusal(text, reason)
    return When(
        text=text,
        earliest=earliest,
        latest=latest,
        approximate=not _APPROXIMATE.isdisjoint(text),
        uncertain=not _UNCERTAIN.isdisjoint(text),
    )


def compare(a: When, b: When) -> Order:
    """Return how `a` stands to `b`: BEFORE or AFTER only where no other order is possible.

    Bounds only: marks count for nothing, and two dates that share a possible day are UNKNOWN,
    the same day twice included. A start that is open or unknown lies before every day, so such
    a date is never AFTER another, but is BEFORE one that begins later than its latest day.
    """
    if _begins_after(a, b):
        return Order.AFTER
    if _begins_after(b, a):
        return Order.BEFORE
    return Order.UNKNOWN


def is_certainly_after(a: When, b: When) -> bool:
    """Return whether every day `a` allows is later than every day `b` allows."""
    return compare(a, b) is Order.AFTER


def parse_day(text: str) -> str:
    """Return the text if it is one day that exists, YYYY-MM-DD, as parameters such as D are.

    Raises InvalidDateError for every other form, partial and marked dates included.
    """
    if not _DAY.fullmatch(text):
        raise _refusal(text, "write one day, as in 2025-05-01")
    return _bounds_of_date(text)[0]


def days_between(first: str, second: str) -> int:
    """Return the days from first to second, negative when second is the earlier.

    first, second: YYYY-MM-DD, as `parse_day` and the bounds of a `When` give them.
    Proleptic Gregorian calendar, year 0 included.
    """
    return _day_number(second) - _day_number(first)


def month_of(day: str) -> str:
    """Return the month of a day: YYYY-MM of YYYY-MM-DD."""
    return day[:7]


def last_day_of(month: str) -> str:
    """Return the last day of a month: YYYY-MM-DD of YYYY-MM."""
    return _last_day_of_month(int(month[:4]), int(month[5:]))


def _begins_after(a: When, b: When) -> bool:
    return a.earliest is not None and a.earliest > b.latest


def _day_number(day: str) -> int:
    if day.startswith("0000"):
        # The calendar repeats every 400 years, so year 400 has the days that year 0 has.
        return date.fromisoformat("0400" + day[4:]).toordinal() - _DAYS_IN_400_YEARS
    return date.fromisoformat(day).toordinal()


def _refusal(text: str, reason: str) -> InvalidDateError:
    # What is no date at all is not repeated: a name may have been typed into the wrong field.
    shown = text[:MAX_LENGTH] if text and set(text) <= set(_CHARACTERS) else "not a date"
    return InvalidDateError(f"{shown}: {reason}")


def _check_characters(text: str) -> None:
    if not text:
        raise _refusal(text, _USUAL_FORMS)
    if len(text) > MAX_LENGTH:
        raise _refusal(text, f"a date has at most {MAX_LENGTH} characters")
    foreign = next((character for character in text if character not in _CHARACTERS), None)
    if foreign is None:
        return
    if foreign.isspace():
        raise _refusal(text, _NO_TIME)
    if foreign.isdigit():
        raise _refusal(text, "write the digits 0 to 9")
    raise _refusal(text, _FOREIGN_CHARACTERS.get(foreign, _USUAL_FORMS))


def _bounds(text: str) -> tuple[str | None, str]:
    if "[" in text or "]" in text:
        return _bounds_of_set(text)
    if "/" in text:
        return _bounds_of_interval(text)
    return _bounds_of_date(_without_mark(text))


def _bounds_of_interval(text: str) -> tuple[str | None, str]:
    start, _, end = text.partition("/")
    if "/" in end:
        raise _refusal(text, "one slash parts a start from an end; write a day as 2025-05-01")
    if end in ("", ".."):
        raise _refusal(text, _MISSING_END)
    latest = _bounds_of_date(_without_mark(end))[1]
    if start in ("", ".."):
        return None, latest
    return _bounds_of_date(_without_mark(start))[0], latest


def _bounds_of_set(text: str) -> tuple[str | None, str]:
    members = text[1:-1]
    if text != f"[{members}]" or "[" in members or "]" in members:
        raise _refusal(text, "a set is one pair of brackets around all of it, as in [2025..2026]")
    if "/" in members:
        raise _refusal(text, "an interval does not go into a set; write [a..b] or a/b")
    if not _MARKS.isdisjoint(members):
        raise _refusal(text, "a set takes no mark; write a/b to mark one of the dates")
    start, dots, end = members.partition("..")
    if not dots:
        # A set of one would be a second spelling of the date itself.
        raise _refusal(text, "a set goes from one date to another, [a..b]; write one date alone")
    if not end:
        raise _refusal(text, _MISSING_END)
    latest = _bounds_of_date(end)[1]
    return (_bounds_of_date(start)[0] if start else None), latest


def _without_mark(text: str) -> str:
    unmarked = text[:-1] if text[-1] in _MARKS else text
    if not _MARKS.isdisjoint(unmarked):
        reason = "a date takes one mark, at its end: ~ about, ? doubtful, % both"
        raise _refusal(text, reason)
    return unmarked


def _bounds_of_date(text: str) -> tuple[str, str]:
    parts = _DATE.fullmatch(text)
    if parts is None:
        raise _refusal(text, _why_not_a_date(text))
    year, month, day = parts.groups()
    match month, day:
        case None, None:
            return f"{year.replace('X', '0')}-01-01", f"{year.replace('X', '9')}-12-31"
        case _ if "X" in year:
            raise _refusal(text, "a year with X stands alone, as in 202X")
        case "XX", None | "XX":
            return f"{year}-01-01", f"{year}-12-31"
        case "XX", _:
            raise _refusal(text, f"a day needs its month; write {year}-XX-XX or {year}")
        case "21" | "22" | "23", None:
            first, last = _SEASON_MONTHS[month]
            return f"{year}-{first:02}-01", _last_day_of_month(int(year), last)
        case "24", None:
            return _bounds_of_winter(int(year))
    return _bounds_in_month(text, year, month, day)


def _bounds_of_winter(year: int) -> tuple[str, str]:
    """Return December before to February after: reports put winter at either end of a year."""
    earliest = f"{year - 1:04}-12-01" if year > 0 else FIRST_DAY
    latest = _last_day_of_month(year + 1, 2) if year < 9999 else LAST_DAY
    return earliest, latest


def _bounds_in_month(text: str, year: str, month: str, day: str | None) -> tuple[str, str]:
    if not 1 <= int(month) <= 12:
        reason = "months are 01 to 12, or a season without a day: 21 spring, 22, 23, 24 winter"
        raise _refusal(text, reason)
    last = _last_day_of_month(int(year), int(month))
    if day in (None, "XX"):
        return f"{year}-{month}-01", last
    if not "01" <= day <= last[-2:]:
        raise _refusal(text, f"{_MONTH_NAMES[int(month) - 1]} {year} has {last[-2:]} days")
    return text, text


def _last_day_of_month(year: int, month: int) -> str:
    return f"{year:04}-{month:02}-{monthrange(year, month)[1]:02}"


def _why_not_a_date(text: str) -> str:
    if text.startswith("-"):
        return _FOUR_DIGITS
    if ".." in text:
        return "write [a..b] for a date between a and b, a/b for from a to b"
    if "X" in text:
        return "X stands for the last digits: 202X, 20XX, 2025-XX, 2025-05-XX, 2025-XX-XX"
    return _USUAL_FORMS
