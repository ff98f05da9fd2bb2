"""Moments: microseconds since the Unix epoch, UTC, and their RFC 3339 text."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from .errors import InvalidDateError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)


def as_datetime(microseconds: int) -> datetime:
    """Return an aware UTC datetime."""
    return _EPOCH + timedelta(microseconds=microseconds)


def as_microseconds(moment: datetime) -> int:
    """Return microseconds since the Unix epoch of an aware datetime."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def format_time(microseconds: int) -> str:
    """Return RFC 3339 text in UTC with six digits of fraction and `Z`."""
    return as_datetime(microseconds).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_time(text: str) -> int:
    """Return the moment of an RFC 3339 text, cut to microseconds.

    Raises InvalidDateError for anything else, a time without an offset included.
    """
    if not _TIME.fullmatch(text):
        raise InvalidDateError("a time is written like 2026-02-10T09:30:00Z")
    fraction = re.sub(r"(\.\d{6})\d+", r"\1", text.upper())
    try:
        # In UTC the first and last hours of the calendar may fall outside the years 1 to 9999.
        return as_microseconds(datetime.fromisoformat(fraction).astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise InvalidDateError("there is no such time") from error


def day_of(microseconds: int) -> str:
    """Return the UTC day of a moment, YYYY-MM-DD."""
    return as_datetime(microseconds).date().isoformat()
