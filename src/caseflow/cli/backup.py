"""`caseflow backup` and `caseflow restore`: copies of the databases, and what is checked after."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from .house import current_settings
from .terminal import escape

if TYPE_CHECKING:
    from caseflow.eventstore.backup import Copied
    from caseflow.inspection import Finding
    from caseflow.settings import Settings

_RECORDS: Final = "CASEFLOW_DATABASE_URL"
_KEYS: Final = "CASEFLOW_KEYS_URL"
_PG_DUMP: Final = (
    "{variable} is a PostgreSQL database: "
    'save it with `pg_dump --format=custom --file=FILE "${variable}"`, the records first and then '
    "the key store, into different places; docs/backup.md has all of it"
)
_PG_RESTORE: Final = (
    "{variable} is a PostgreSQL database: restore it with `pg_restore`, as docs/backup.md says, "
    "and then run `caseflow restore --check`"
)
_TOGETHER: Final = (
    "{keys} and {file} would be saved, moved or stolen together: an old copy of the key store "
    "beside the records undoes an erasure, and with the master key opens everything; name another "
    "place for the keys, best on another machine, or give --together"
)

# It holds what may have been erased since, in words or in keys.
_ASIDE: Final = "remove it once all checks hold"

_existing = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option(
    "--keys",
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
    metavar="FOLDER",
    help="Then copy the key store as well, into this folder, under a name with the time.",
)
@click.option(
    "--keep-days",
    type=click.IntRange(1, 30),
    default=7,
    show_default=True,
    metavar="N",
    help="Remove older copies of the key store from the folder, once the new one is made.",
)
@click.option("--together", is_flag=True, help="Allow both copies below one folder.")
def backup(file: Path | None, keys: Path | None, keep_days: int, together: bool) -> None:
    """Copy the records to FILE while the service goes on, and the key store into a folder.

    For SQLite. Whatever was acknowledged before is in the copies. The master key is not copied:
    keep it offline. Prints the names of the copies.
    """
    settings = current_settings()
    if file is None and keys is None:
        raise click.UsageError("say where to: FILE, --keys FOLDER, or both")
    if file is not None and keys is not None and not together:
        _refuse_one_place(file, keys)
    with ExitStack() as said_at_the_end:
        # In this order: what is in the copy of the records has its key in that of the keys.
        if file is not None:
            _save_records(settings, file)
            said_at_the_end.callback(_explain_restore, file)
        if keys is not None:
            _save_keys(settings, keys, keep_days)


def _refuse_one_place(file: Path, keys: Path) -> None:
    folder, other = file.absolute().parent.resolve(), keys.resolve()
    if folder.is_relative_to(other) or other.is_relative_to(folder):
        raise click.ClickException(escape(_TOGETHER.format(keys=keys, file=file)))


def _save_records(settings: "Settings", file: Path) -> None:
    from caseflow.eventstore.backup import copy_database, read_position

    copied = copy_database(_find_file(settings.database_url, _RECORDS, _PG_DUMP), file)
    _tell(copied, f"the records, up to position {read_position(copied.path)}")


def _save_keys(settings: "Settings", folder: Path, keep_days: int) -> None:
    from caseflow.eventstore.backup import (
        DAY_MICROSECONDS,
        copy_database,
        name_key_copy,
        remove_old_key_copies,
    )

    now = _now()
    source = _find_file(settings.keys_url, _KEYS, _PG_DUMP)
    _tell(copy_database(source, folder / name_key_copy(now)), "the key store")
    for path in remove_old_key_copies(folder, now - keep_days * DAY_MICROSECONDS):
        click.echo(f"removed, for it is older than {keep_days} days: {escape(str(path))}", err=True)


def _tell(copied: "Copied", what: str) -> None:
    where = escape(str(copied.path))
    click.echo(f"{where}: {what}, {copied.size_bytes:,} bytes", err=True)
    click.echo(where)


def _explain_restore(file: Path) -> None:
    click.echo(
        f"to restore: stop the service and run `caseflow restore {escape(str(file))}`; the key "
        "store stays as it is, unless it is lost: then add `--keys` and its newest copy",
        err=True,
    )


@click.command()
@click.argument("file", type=_existing, required=False)
@click.option("--keys", type=_existing, metavar="FILE", help="A copy of the key store, if lost.")
@click.option(
    "--replace", is_flag=True, help="Move aside a database that holds events, or keys: it is kept."
)
@click.option("--check", is_flag=True, help="Put nothing back, only check what is there.")
def restore(file: Path | None, keys: Path | None, replace: bool, check: bool) -> None:
    """Put copies in the place of the databases, and check that all belongs together.

    For SQLite; after a restore by PostgreSQL's own means, run it with --check alone. Applies the
    ledger again. Exit code 0: all checks hold, and the service may be started.
    """
    settings = current_settings()
    if check == bool(file or keys):
        raise click.UsageError("give the copies to restore, or --check, and not both")
    if not check:
        _put_back(settings, file, keys, replace)
    failed = _inspect(settings)
    if failed:
        raise click.ClickException(f"not to be served yet; failed: {', '.join(failed)}")


def _put_back(settings: "Settings", file: Path | None, keys: Path | None, replace: bool) -> None:
    from caseflow.eventstore.backup import Exchange, held_alone

    places = list(_list_places(settings, file, keys, replace))
    with ExitStack() as stack:
        exchanges = []
        for source, target in places:
            exchanges.append(Exchange(source, target))
            stack.callback(exchanges[-1].give_up)
        # Nothing is moved until each copy is whole and nobody is in the way of any.
        for _, target in places:
            with held_alone(target):
                pass
        now = _now()
        for (source, target), exchange in zip(places, exchanges, strict=True):
            aside = exchange.carry_out(now)
            click.echo(f"{escape(str(source))} is now {escape(str(target))}", err=True)
            if aside is not None:
                click.echo(f"what was there is now {escape(str(aside))}; {_ASIDE}", err=True)


def _list_places(
    settings: "Settings", file: Path | None, keys: Path | None, replace: bool
) -> Iterator[tuple[Path, Path]]:
    """Yield each copy and the file whose place it may take."""
    for source, url, variable, table in (
        (file, settings.database_url, _RECORDS, "events"),
        (keys, settings.keys_url, _KEYS, "case_keys"),
    ):
        if source is not None:
            target = _find_file(url, variable, _PG_RESTORE)
            _refuse_other_copy(source, table)
            _refuse_to_replace(target, table, replace)
            yield source, target


def _refuse_other_copy(source: Path, table: str) -> None:
    from caseflow.eventstore.backup import count_rows

    if count_rows(source, table) is None:
        raise click.ClickException(escape(f"{source} is a copy of something else: no {table}"))


def _refuse_to_replace(target: Path, table: str, replace: bool) -> None:
    from caseflow.eventstore.backup import BackupError, count_rows

    if replace:
        return
    try:
        rows = count_rows(target, table)
    except BackupError as error:
        raise click.ClickException(escape(f"{error.detail}; --replace moves it aside")) from error
    if rows:
        what = "events" if table == "events" else "keys"
        raise click.ClickException(
            escape(f"{target} holds {rows} {what}; --replace moves it aside and deletes nothing")
        )


def _inspect(settings: "Settings") -> list[str]:
    """Carry out all checks, say what comes of each, and return which fail."""
    from caseflow.inspection import inspect

    failed = []
    for finding in inspect(settings):
        click.echo(_describe(finding))
        if not finding.holds:
            failed.append(finding.check.name)
    return failed


def _describe(finding: "Finding") -> str:
    """Return the lines that tell of a check."""
    check, (problems, note, is_seen) = finding
    if finding.holds:
        return escape(f"ok      {check.name}" + (f": {note}" if note else ""))
    explanation = [check.meaning, check.advice] if is_seen else []
    lines = [f"failed  {check.name}", *problems, *explanation]
    return "\n        ".join(escape(line) for line in lines)


def _find_file(url: str, variable: str, otherwise: str) -> Path:
    from caseflow.eventstore.files import find_database_file

    file = find_database_file(url)
    if file is None:
        raise click.ClickException(otherwise.format(variable=variable))
    return file


def _now() -> int:
    return time.time_ns() // 1_000
