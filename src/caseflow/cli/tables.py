"""The statistics as tables for a terminal of 80 columns; the words around them are English."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from caseflow.domain.dates import parse_when
from caseflow.domain.labels import label
from caseflow.domain.statistics import SERIES
from caseflow.formats.date_phrases import name_when
from caseflow.formats.texts import country_name

from .terminal import escape

Json = Mapping[str, Any]

# What fits beside the months; the other series have a table of their own.
_MOVED: Final = tuple(n for n, (track, _) in SERIES.items() if track in ("movement", "liberty"))
_DECIDED: Final = tuple(name for name in SERIES if name not in _MOVED)
_NUMBER_WIDTH: Final = 9


class Heading(NamedTuple):
    """Whose numbers they are. States: ISO 3166-1 alpha-2; None is any."""

    public: bool
    host_state: str | None
    origin_state: str | None


class Section(NamedTuple):
    """A table of two columns; each row has a name and what is counted under it."""

    title: str
    unit: str
    rows: Sequence[tuple[str, object]]


def print_statistics(console: Console, heading: Heading, found: Json, language: str) -> None:
    """Print statistics for reading.

    found: what the API answers, with all its members. language: of whatever the vocabulary names.
    """
    for text in _head(heading, found, language):
        console.print(text)
    sections = list(_sections(found, language))
    names = (name for section in sections for name, _ in section.rows)
    width = min(max(map(len, names)), console.width - _NUMBER_WIDTH - 1)
    for section in sections:
        console.print()
        console.print(_count(section, width))
    for title, table in _titled(found, language):
        if table.row_count:
            console.print()
            console.print(Text(title, "bold"))
            console.print(table)


def _head(heading: Heading, found: Json, language: str) -> Iterator[Text]:
    whose = "of what is public" if heading.public else "of all that is recorded"
    yield Text(f"Statistics {whose}, up to position {found['position']}", "bold")
    if found["as_of"] is not None:
        yield Text(f"as of {found['as_of']}: what happened later does not count")
    if found["known_at"] is not None:
        yield Text(f"as known at {found['known_at']}: what was recorded later is left out")
    if heading.host_state is not None:
        yield Text(f"in {country_name(heading.host_state, language)} alone")
    if heading.origin_state is not None:
        yield Text(f"facing return to {country_name(heading.origin_state, language)} alone")


def _sections(found: Json, language: str) -> Iterator[Section]:
    def state(track: str, code: str) -> str:
        return label("states", code, language, of=track)

    yield Section("counted", "number", [(n.replace("_", " "), found[n]) for n in _ALL])
    headlines = [(label("headlines", c, language), n) for c, n in found["headline"].items() if n]
    yield Section("headline", "persons", headlines or [_NOBODY])
    for track, states in found["tracks"].items():
        rows = [(state(track, code), n) for code, n in states.items() if n]
        if rows:
            yield Section(f"track: {label('tracks', track, language)}", "persons", rows)
    for title in ("returned", "departed"):
        kinds = dict(found[title])
        rows = [(_SUMS[code], kinds.pop(code)) for code in _SUMS if code in kinds]
        rows += [(state("movement", code), n) for code, n in kinds.items()]
        yield Section(title, "persons", rows)
    custody = found["custody_days"]
    median = "-" if custody["median"] is None else custody["median"]
    rows = [("median of the days held", median), ("persons held for certain", custody["persons"])]
    yield Section("custody", "number", rows)


_ALL: Final = ("cases", "persons", "uncertain", "at_risk")
_SUMS: Final = {"total": "in all", "forced": "of these by force"}
_NOBODY: Final = ("nobody", 0)


def _count(section: Section, width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(section.title, width=width, overflow="fold")
    table.add_column(section.unit, justify="right", width=_NUMBER_WIDTH)
    for name, number in section.rows:
        table.add_row(name, _number(number))
    return table


def _titled(found: Json, language: str) -> Iterator[tuple[str, Table]]:
    yield "moved and held, by month", _by_month(_MOVED, found)
    yield "decided, by month", _by_month(_DECIDED, found)
    yield (
        "reported by others, and in none of the numbers above",
        _reported(found["reported"], language),
    )


def _by_month(names: Sequence[str], found: Json) -> Table:
    """Return a row for each month in which one of the series has persons, undated ones last."""
    headings = [name.replace("_", " ") for name in names]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("month")
    for heading in headings:
        # A word a line: all of them fit into 80 columns.
        width = max(map(len, heading.split()))
        table.add_column(heading, justify="right", width=width, overflow="fold")
    undated = {"month": "undated", **found["series_undated"]}
    for row in (*found["series"], undated):
        if any(row[name] for name in names):
            table.add_row(row["month"], *(_number(row[name]) for name in names))
    return table


def _reported(figures: Sequence[Json], language: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("number", justify="right", no_wrap=True)
    table.add_column("of whom", overflow="fold")
    table.add_column("by whom", overflow="fold")
    for figure in figures:
        low, high = figure["low"], figure["high"]
        number = str(low) if low == high else f"{low} to {high}"
        table.add_row(number, _say_whom(figure, language), _say_source(figure, language))
    return table


def _say_whom(figure: Json, language: str) -> str:
    when = name_when(parse_when(figure["as_of"]), language)
    states = (figure["host_state"], figure["origin_state"])
    where = " from ".join(country_name(code, language) for code in states if code is not None)
    return f"{figure['label']}, {when}; {where}"


def _say_source(figure: Json, language: str) -> str:
    source = figure["source"]
    told = [source.get("title"), source.get("publisher")]
    said = [text for text in told if text] or [source["url"]]
    said.append(f"told by {figure['reported_by']}")
    if figure["state"] != "published":
        said.append(label("reasons", figure["state"], language))
    return escape("; ".join(said))


def _number(number: object) -> Text:
    return Text(str(number), "" if number else "dim")
