"""`caseflow verify`: whether a bundle holds, offline; needs no house and no settings."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from .terminal import escape, escape_lines, output

if TYPE_CHECKING:
    from caseflow.formats.note import VerifierKey
    from caseflow.formats.verify import Report, Witness

_COLOURS: Final = {"VERIFIED": "green", "ERASED": "cyan", "INCOMPLETE": "yellow", "FAILED": "red"}
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


def _parse_key(_ctx: click.Context, _param: click.Parameter, text: str) -> "VerifierKey":
    return _read_key(text)


def _parse_keys(
    _ctx: click.Context, _param: click.Parameter, texts: tuple[str, ...]
) -> "tuple[VerifierKey, ...]":
    return tuple(_read_key(text) for text in texts)


def _read_key(text: str) -> "VerifierKey":
    """Return the key that a text is, or that stands in the file of this name."""
    from caseflow.formats.note import InvalidNoteError, parse_verifier_key

    try:
        # A verifier key has two of them.
        told = text if "+" in text else Path(text).read_text("utf-8").strip()
        return parse_verifier_key(told)
    except (InvalidNoteError, UnicodeDecodeError) as error:
        raise click.BadParameter("this is no verifier key, nor a file with one") from error
    except OSError as error:
        raise click.BadParameter(f"no key can be read there: {error.strerror}") from error


@click.command()
@click.argument("file", type=_FILE)
@click.option(
    "--key",
    required=True,
    callback=_parse_key,
    metavar="KEY",
    help="The verifier key of the log, or a file with it; not out of the bundle.",
)
@click.option(
    "--witness",
    "witnesses",
    multiple=True,
    callback=_parse_keys,
    metavar="KEY",
    help="The same of a witness that you trust; may be given several times.",
)
@click.option(
    "--min-witnesses",
    type=click.IntRange(min=0),
    metavar="N",
    help="How many of these must have cosigned.  [default: all]",
)
@click.option("--older", type=_FILE, help="An older bundle or checkpoint of the same log.")
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="NAME",
    help="Show what is disclosed of this field; may be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@click.pass_context
def verify(
    ctx: click.Context,
    file: Path,
    key: "VerifierKey",
    witnesses: "tuple[VerifierKey, ...]",
    min_witnesses: int | None,
    older: Path | None,
    fields: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check the bundle in FILE offline, event by event.

    Exit status: 0 VERIFIED, 1 FAILED, 3 INCOMPLETE, 2 wrong usage.
    """
    import msgspec

    from caseflow.formats.bundle import InvalidBundleError
    from caseflow.formats.note import InvalidNoteError
    from caseflow.formats.verify import verify_bundle

    data = file.read_bytes()
    try:
        report = verify_bundle(
            data,
            log_key=key,
            witness_keys=witnesses,
            min_witnesses=len(witnesses) if min_witnesses is None else min_witnesses,
            older=None if older is None else older.read_bytes(),
        )
    except (InvalidBundleError, InvalidNoteError) as error:
        raise click.UsageError(error.detail) from error
    if as_json:
        click.echo(escape_lines(msgspec.json.encode(report).decode()))
    else:
        _print_report(report, _list_values(data, report, fields) if fields else {})
    ctx.exit(report.exit_code)


def _print_report(report: "Report", values: dict[int, str]) -> None:
    from rich.table import Table
    from rich.text import Text

    console = output()
    console.print(Text(report.status, style=f"bold {_COLOURS[report.status]}"))
    for remark in report.remarks:
        console.print(escape(remark))
    if report.case is None:
        return
    of = f"event {report.event} of case {report.case}" if report.event else f"case {report.case}"
    console.print(f"{of}, {escape(report.origin or '')} at size {report.size}")
    for witness in report.witnesses:
        console.print(_tell_witness(witness))
    table = Table(box=None, pad_edge=False)
    table.add_column("index", justify="right")
    for name in ("status", "event", "type", "reason", *(("fields",) if values else ())):
        table.add_column(name, overflow="fold")
    for found in report.events:
        status = Text(found.status, style=_COLOURS[found.status])
        told = [escape(text) for text in (found.id or "", found.type or "", found.reason)]
        shown = [escape(values.get(found.index, ""))] if values else []
        table.add_row(str(found.index), status, *told, *shown)
    console.print(table)


def _tell_witness(witness: "Witness") -> str:
    try:
        at = datetime.fromtimestamp(witness.time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        at = f"{witness.time} seconds after 1970"
    trust = "" if witness.trusted else ", not one that you named"
    return f"cosigned by {escape(witness.name)} on {at}{trust}"


def _list_values(data: bytes, report: "Report", names: tuple[str, ...]) -> dict[int, str]:
    """Return the named fields of what is verified, by index, each as JSON.

    In a bundle of the public log these are the members of the one object that is disclosed.
    """
    from caseflow.formats.bundle import parse_bundle
    from caseflow.formats.record import canonical_json

    verified = {one.index for one in report.events if one.status == "VERIFIED"}
    values = {}
    for event in parse_bundle(data).events if verified else ():
        disclosed = {one.path[0]: one.value for one in event.fields}
        public = disclosed.get("public")
        if report.log == "public" and isinstance(public, dict):
            disclosed = public
        if event.index in verified:
            told = [(name, disclosed[name]) for name in names if name in disclosed]
            values[event.index] = "; ".join(
                f"{name}: {canonical_json(value).decode()}" for name, value in told
            )
    return values
