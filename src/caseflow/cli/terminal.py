"""What a person sees: text made harmless, and bars that show progress on a terminal only.

Results go to standard output, messages and progress to standard error, so that output can be piped.
"""

import codecs
import io
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console

# Wide enough that no table breaks its lines for whatever reads them.
_PIPE_WIDTH: Final = 1_000
_ESCAPING: Final = "caseflow.escape"

Advance = Callable[[int], None]
"""Says how much has been done so far, in the unit of the total."""


def escape(text: str) -> str:
    r"""Return a text in which nothing can move a cursor, hide or turn around other text.

    Control and format characters, line ends included, become `\u001b` and the like, as JSON has it.
    """
    return "".join(_escape(character) for character in text)


def escape_lines(text: str) -> str:
    """Return what `escape` does of each line, the lines kept; JSON means the same afterwards."""
    return "\n".join(escape(line) for line in text.split("\n"))


def _escape(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return _as_code_units(character)


def escape_what_is_missing() -> None:
    r"""Have standard output take what its encoding lacks, from now on, as `\u2192` and the like."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=_ESCAPING)


def _escape_missing(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError), "it is for writing alone"
    return "".join(map(_as_code_units, error.object[error.start : error.end])), error.end


codecs.register_error(_ESCAPING, _escape_missing)


def _as_code_units(character: str) -> str:
    """Return a character as JSON escapes it."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def output() -> "Console":
    """Return standard output; what is printed is never taken for markup."""
    return _console(stderr=False)


def messages() -> "Console":
    """Return standard error; what is printed is never taken for markup."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    return console


@contextmanager
def progress(console: "Console", what: str, total: int | None) -> Iterator[Advance]:
    """Show a bar while something goes on; nothing at all where the console is no terminal.

    total: None where the end is not known. Whatever is printed meanwhile goes through `console`.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
