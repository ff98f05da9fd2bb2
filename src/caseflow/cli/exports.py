"""`caseflow export`: the whole log as lines, as whoever owns the house may see it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

import click

from .house import opened_house
from .terminal import Advance, escape_lines, messages, progress

if TYPE_CHECKING:
    from caseflow.api.exports import Export

# It holds what must not be read by others on the machine.
OWNER_ONLY: Final = 0o600


@click.command("export")
@click.option(
    "--after",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Begin after this position: the last that is in an export before.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True),
    metavar="FILE",
    help="Write to this file, which only its owner may read, and not to standard output.",
)
def export(after: int, output: str | None) -> None:
    """Print the whole log, one JSON object a line, restricted events and private notes included.

    The lines are those of `GET /v1/exports/log`; the log of reads is not written.
    """
    from caseflow.api.exports import Export
    from caseflow.bootstrap import make_services
    from caseflow.domain.events import OPERATOR_ID
    from caseflow.eventstore.partners import NO_KEY, Caller

    operator = Caller(OPERATOR_ID, None, frozenset({"restricted:read", "audit:read"}), NO_KEY)
    console = messages()
    with opened_house() as house, _opened(output) as file:
        found = Export(make_services(house), operator, after=after)
        with progress(console, "exporting", found.end) as advance:
            count = _write(found, file, advance)
        console.print(f"{count} lines, up to position {found.position}")


@contextmanager
def _opened(path: str | None) -> Iterator[IO[str] | None]:
    """Yield the file to write to; None stands for standard output."""
    if path is None:
        yield None
        return
    with open(path, "w", encoding="utf-8", opener=_open_for_owner) as file:
        yield file


def _open_for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, OWNER_ONLY)


def _write(found: "Export", file: IO[str] | None, advance: Advance) -> int:
    """Write every line and return how many there were."""
    from caseflow.api.exports import encode_lines

    count = 0
    while items := found.read_items():
        count += len(items)
        text = b"".join(encode_lines(items)).decode()
        # On a terminal texts could steer it; as JSON the lines mean the same.
        click.echo(escape_lines(text), file=file, nl=False)
        advance(found.position)
    return count
