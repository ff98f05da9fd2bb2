"""`caseflow import`: lines of a file into the log, and what became of each."""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING
from uuid import UUID, uuid4

import click

from .house import opened_house
from .terminal import Advance, escape, messages, output, progress

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Connection

    from caseflow.bootstrap import House
    from caseflow.eventstore.importing import LineResult
    from caseflow.eventstore.partners import Caller

LOCAL = "local"
RESULTS = ("created", "unchanged", "rejected")
IMPORT_SCOPES = frozenset({"events:write", "events:publish"})


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--partner",
    metavar="NAME",
    help="Whose cases and events these are; may be left out where there is one partner or none.",
)
@click.option(
    "--dry-run", is_flag=True, help="Tell what would become of the lines; record nothing."
)
def import_(file: IO[bytes], partner: str | None, dry_run: bool) -> None:
    """Record the cases and events of FILE, one JSON object a line ("-" reads standard input).

    Importing a file again changes nothing. Lines that are rejected are told one by one, the others
    are recorded; exit code 1 where any was rejected.
    """
    with opened_house() as house:
        caller = choose_caller(house, partner)
        counts = run_import(house, caller, file, dry_run=dry_run)
    print_summary(counts)
    if counts["rejected"]:
        raise click.exceptions.Exit(1)


def choose_caller(house: "House", partner: str | None) -> "Caller":
    """Return the partner of that name, or else the only one there is, added where there is none.

    Raises NotFoundError, and click.UsageError where there are several to choose from.
    """
    from caseflow.eventstore.partners import NO_KEY, Caller, list_partners

    with house.write() as connection:
        found = {
            name: (partner_id, public) for partner_id, name, public in list_partners(connection)
        }
        name = partner or _only(list(found))
        if name not in found and partner is None:
            found[name] = (_add(connection, name, house.clock()), None)
    if name not in found:
        from caseflow.domain.errors import NotFoundError

        raise NotFoundError(f"there is no partner named {name}: see `caseflow partner list`")
    partner_id, public_name = found[name]
    return Caller(partner_id, public_name, IMPORT_SCOPES, NO_KEY)


def _only(names: list[str]) -> str:
    if len(names) > 1:
        raise click.UsageError("there are several partners: choose one with --partner NAME")
    return names[0] if names else LOCAL


def _add(connection: "Connection", name: str, at: int) -> UUID:
    from caseflow.eventstore.partners import add_partner

    partner_id = uuid4()
    add_partner(connection, partner_id=partner_id, name=name, public_name=None, at=at)
    return partner_id


def run_import(
    house: "House", caller: "Caller", file: IO[bytes], *, dry_run: bool = False
) -> Counter[str]:
    """Import a file and return how many lines were created, unchanged and rejected.

    What is wrong with a rejected line is told on standard error as it comes.
    """
    from caseflow.eventstore.importing import import_lines, read_lines
    from caseflow.eventstore.rehearsal import Rehearsal

    cases = house.cases
    if dry_run:
        cases = cases.rehearsing(Rehearsal(house.reader, house.clock))
    console = messages()
    counts = Counter[str](dict.fromkeys(RESULTS, 0))
    with progress(console, "importing", _size(file)) as advance:
        lines = _advancing(read_lines(file), advance)
        for result in import_lines(cases, caller, lines):
            counts[result.result] += 1
            _print_rejection(console, result)
    return counts


def _advancing(lines: Iterable[bytes], advance: Advance) -> Iterator[bytes]:
    done = 0
    for line in lines:
        done += len(line)
        advance(done)
        yield line


def _size(file: IO[bytes]) -> int | None:
    """Return the bytes of a file; None for a pipe or a terminal, whose end nobody knows."""
    try:
        found = os.fstat(file.fileno())
    except OSError:  # nothing that the system knows of: the content of an archive
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _print_rejection(console: "Console", result: "LineResult") -> None:
    from caseflow.domain.errors import InvalidInputError

    error = result.error
    if error is None:
        return
    console.print(f"line {result.line}: {escape(error.detail)}", soft_wrap=True)
    for pointer, why in error.errors if isinstance(error, InvalidInputError) else ():
        console.print(f"  {escape(pointer)}: {escape(why)}", soft_wrap=True)


def print_summary(counts: Counter[str]) -> None:
    """Print how many lines came to what."""
    from rich.table import Table

    table = Table("lines", "", box=None, pad_edge=False, show_header=False)
    table.columns[0].justify = "right"
    for result in RESULTS:
        style = "red" if result == "rejected" and counts[result] else ""
        table.add_row(str(counts[result]), result, style=style)
    output().print(table)
