"""The command line: the group of all commands, and how errors are told.

Commands import the house only when they run, so that `caseflow --help` answers at once.
"""

from typing import Any

import click

from .backup import backup, restore
from .database import migrate, rebuild
from .demo import demo
from .erasure import erase
from .exports import export
from .imports import import_
from .openapi import openapi
from .partners import key, partner
from .publication import freeze, unfreeze
from .replay import replay
from .serve import serve
from .statistics import stats
from .terminal import escape, escape_what_is_missing
from .verify import verify
from .witness import witness


class _Commands(click.Group):
    """Tells what went wrong in one line on standard error, exit code 1, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            message = describe_error(error)
            if message is None:
                raise
            raise click.ClickException(escape(message)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="caseflow")
def main() -> None:
    """Keep a record of people at risk of forced return: append-only, sealed, published.

    The settings are the environment variables CASEFLOW_*; without any, everything is kept in the
    working directory.
    """
    escape_what_is_missing()


for command in (
    serve, migrate, demo, import_, export, replay, stats, verify, rebuild, backup, restore, erase,
    freeze, unfreeze, partner, key, witness, openapi,
):  # fmt: skip
    main.add_command(command)


def describe_error(error: Exception) -> str | None:
    """Return what to tell of an error that is no bug of ours; None for any other."""
    from eventsourcing.persistence import PersistenceError

    from caseflow.domain.errors import CaseflowError, InvalidInputError
    from caseflow.settings import SettingsError

    match error:
        case InvalidInputError():
            return "; ".join([error.detail, *(f"{at}: {why}" for at, why in error.errors)])
        case CaseflowError():
            return error.detail
        case SettingsError():
            return str(error)
        case PersistenceError():
            return f"a database cannot be used: {_explain(error)}"
        case OSError() if error.strerror:
            return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return None


def _explain(error: Exception) -> str:
    """Return the first line of what the driver says where that is about the connection.

    Of other errors their name alone: the driver's text may quote what is stored.
    """
    from eventsourcing.persistence import InterfaceError, OperationalError

    driver = getattr(error.__cause__, "orig", None)
    if driver is not None and isinstance(error, OperationalError | InterfaceError):
        lines = str(driver).splitlines()
        return lines[0] if lines else type(driver).__name__
    return str(error) or type(error).__name__
