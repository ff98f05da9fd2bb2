"""Options of commands that are days or times."""

import click


def parse_as_of(_ctx: click.Context, _param: click.Parameter, text: str | None) -> str | None:
    """Return a day, YYYY-MM-DD, or None. Raises click.BadParameter for anything else."""
    from caseflow.domain.dates import parse_day
    from caseflow.domain.errors import InvalidDateError

    try:
        return None if text is None else parse_day(text)
    except InvalidDateError as error:
        raise click.BadParameter(error.detail) from error


def parse_moment(_ctx: click.Context, _param: click.Parameter, text: str | None) -> int | None:
    """Return the microseconds since the Unix epoch of an RFC 3339 time, or None.

    Raises click.BadParameter for anything else.
    """
    from caseflow.domain.errors import InvalidDateError
    from caseflow.domain.times import parse_time

    try:
        return None if text is None else parse_time(text)
    except InvalidDateError as error:
        raise click.BadParameter(error.detail) from error
