"""`caseflow export`: the whole log as lines, as whoever owns the house may see it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

import click

from .house import opened_house, operator
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
@click.option("--case", metavar="CASE", help="Print the bundle of this case instead.")
@click.option("--public", is_flag=True, help="With --case: what is public of it alone.")
@click.option(
    "--since",
    type=click.IntRange(min=0),
    metavar="SIZE",
    help="With --case: prove that the log grew from this size.",
)
def export(
    after: int, output: str | None, case: str | None, public: bool, since: int | None
) -> None:
    """Print the whole log, one JSON object a line, restricted events and private notes included.

    The lines are those of `GET /v1/exports/log`; the log of reads is not written.

    With --case, a file that proves what the log has of a case; `caseflow verify` checks it. CASE is
    the id of a case, its code, or ext: and a partner's own name for it.
    """
    if case is not None:
        if after:
            raise click.UsageError("--after is for the whole log")
        _export_case(case, output, public=public, since=since)
    elif public or since is not None:
        raise click.UsageError("--public and --since are for one case: name it with --case")
    else:
        _export_log(after, output)


def _export_case(name: str, output: str | None, *, public: bool, since: int | None) -> None:
    """Write the bundle of a case as it stands: not a byte of it may be another."""
    from caseflow.api.bundles import sign_told, tell_case, tell_public_case
    from caseflow.formats.bundle import render_bundle
    from caseflow.serving import make_services

    from .replay import find_case_id

    with opened_house() as house:
        services = make_services(house)
        with house.reader.snapshot() as snapshot:
            case_id = find_case_id(house, snapshot, name)
        # Where a service runs, signing is for that to do.
        house.publish()
        bundle, _ = sign_told(
            services,
            "public" if public else "full",
            lambda snapshot: (
                tell_public_case(services, snapshot, case_id)
                if public
                else tell_case(services, snapshot, operator(), case_id)
            ),
            since,
        )
    data = render_bundle(bundle)
    if output is None:
        click.echo(data, nl=False)
        return
    with open(output, "wb", opener=_open_for_owner) as file:
        file.write(data)


def _export_log(after: int, output: str | None) -> None:
    from caseflow.api.exports import Export
    from caseflow.serving import make_services

    console = messages()
    with opened_house() as house, _opened(output) as file:
        found = Export(make_services(house), operator(), after=after)
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
