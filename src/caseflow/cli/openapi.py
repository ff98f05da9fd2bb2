"""`caseflow openapi`: the API document, written and compared."""

from difflib import unified_diff
from itertools import islice
from pathlib import Path

import click

_SHOWN_LINES = 40


@click.command()
@click.option("--check", is_flag=True, help="Compare only; exit 1 where the file differs.")
@click.option(
    "--output",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("openapi/caseflow.yaml"),
    show_default=True,
    metavar="FILE",
)
def openapi(check: bool, path: Path) -> None:
    """Write the OpenAPI document that the code makes."""
    from caseflow.api.openapi import render_openapi

    document = render_openapi()
    if check:
        _compare(path, document)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document, encoding="utf-8", newline="\n")
        click.echo(f"wrote {path}", err=True)


def _compare(path: Path, document: str) -> None:
    written = path.read_text(encoding="utf-8") if path.exists() else ""
    if written == document:
        return
    lines = unified_diff(
        written.splitlines(), document.splitlines(), str(path), "the code", n=1, lineterm=""
    )
    click.echo("\n".join(islice(lines, _SHOWN_LINES)), err=True)
    raise click.ClickException(f"{path} is not what the code makes: run `caseflow openapi`")
