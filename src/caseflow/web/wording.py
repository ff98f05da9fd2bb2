"""Values as people read them: dates, times, states and numbers in the language of the page."""

from collections.abc import Mapping
from datetime import UTC, datetime

from babel.dates import format_datetime
from babel.numbers import format_decimal

from caseflow.domain.dates import last_day_of, parse_when
from caseflow.formats.date_phrases import name_when
from caseflow.formats.texts import country_name

from .languages import say_plural


def say_when(text: str, language: str) -> str:
    """Return an EDTF date as it stands alone, exactly as precise as it is known."""
    return name_when(parse_when(text), language)


def say_since(since: Mapping[str, str | None], language: str) -> str:
    """Return the first and last day of what is not known better, as a phrase; empty for neither.

    since: `earliest` and `latest`, as the API tells them.
    """
    earliest, latest = since["earliest"], since["latest"]
    if latest is None:
        return "" if earliest is None else say_when(earliest, language)
    return say_when(span_text(earliest, latest), language)


def span_text(earliest: str | None, latest: str) -> str:
    """Return the shortest EDTF text of the days between two, both included."""
    if earliest is None:
        return f"../{latest}"
    if earliest == latest:
        return latest
    year, month = earliest[:4], earliest[:7]
    if (earliest, latest) == (f"{year}-01-01", f"{year}-12-31"):
        return year
    if (earliest, latest) == (f"{month}-01", last_day_of(month)):
        return month
    return f"{earliest}/{latest}"


def say_moment(time: str, language: str) -> str:
    """Return a time of the API, RFC 3339, as a day and a time in UTC."""
    found = datetime.fromisoformat(time).astimezone(UTC)
    return f"{format_datetime(found, 'd MMMM y, HH:mm', locale=language)} UTC"


def say_month(month: str, language: str) -> str:
    """Return a month, YYYY-MM, or a year."""
    return say_when(month, language)


def say_country(code: str, language: str) -> str:
    """Return what a state is called."""
    return country_name(code, language)


def say_number(number: float, language: str) -> str:
    """Return a number with the marks of the language."""
    return str(format_decimal(number, locale=language))


def say_days(number: float, language: str) -> str:
    """Return a number of days; halves are of a median."""
    whole = int(number) if number == int(number) else 2
    told = say_number(number, language)
    return say_plural("%(num)s day", "%(num)s days", whole, language, num=told)


def tell_source(source: Mapping[str, str]) -> dict[str, str | None]:
    """Return a source with all that a page may show of one; None for what it does not say."""
    names = ("title", "publisher", "url", "archived", "published")
    return {name: source.get(name) for name in names}
