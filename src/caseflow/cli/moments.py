"""Options of commands that are times."""

import click


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
