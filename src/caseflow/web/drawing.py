"""Tables as pictures: SVG that is read in light and dark, in grey, in print, and aloud.

Drawn by pygal and cleaned here: no script, no name of a program or day, the same bytes for the same
table. Kinds differ by pattern as well as by colour.
"""

import sys
from functools import cache
from typing import Any, Final

from lxml import etree

from .languages import say
from .tables import Table

_NS: Final = "http://www.w3.org/2000/svg"
# Of Okabe and Ito, told apart by those who see colours otherwise; dark and light in turn, for grey.
_COLOURS: Final = (
    "#a13d00", "#56b4e9", "#005b8f", "#e69f00", "#00604a", "#cc79a7",
    "#5b3b8c", "#b8a500", "#333333", "#9a9a9a",
)  # fmt: skip
# What is drawn over the colour of each kind: lines in these directions.
_PATTERNS: Final = (
    "", "M0 4H8", "M4 0V8", "M0 8L8 0", "M0 0L8 8", "M0 4H8M4 0V8", "M0 0L8 8M0 8L8 0",
    "M0 2H8M0 6H8", "", "M2 0V8M6 0V8",
)  # fmt: skip
_POSSIBLE: Final = "possible"
_STYLE: Final = """
svg{--ink:#1d1d1f;--quiet:#6b6b70;--paper:#fff;font-family:system-ui,sans-serif}
@media(prefers-color-scheme:dark){svg{--ink:#ececf0;--quiet:#a6a6ad;--paper:#16171a}}
.background{fill:var(--paper)}
text{fill:var(--ink);font-size:15px}
.axis.x text{text-anchor:middle}.axis.x text[transform]{text-anchor:start}
.axis.y text{text-anchor:end}
.guide.line{stroke:var(--quiet);stroke-dasharray:2,4;fill:none;opacity:.6}
.horizontal .axis.y .guide.line,.vertical .axis.x .guide.line{opacity:0}
.axis .line,.axis .major.line{stroke:var(--ink);fill:none}
.rect{stroke:var(--ink);stroke-width:1}
.text-overlay text,.series text{text-anchor:middle;font-size:14px;font-weight:600}
.value{paint-order:stroke;stroke:var(--paper);stroke-width:4px}
.tooltip,.tooltip-overlay{display:none}
.legends .legend text{fill:var(--ink)}
"""


@cache
def _load_pygal() -> Any:
    """Return the library, which is loaded with the first chart."""
    import pygal  # noqa: PLC0415 - whoever serves no charts does without it
    import pygal.style  # noqa: PLC0415

    # For plugins of its own it hooks into every import of the process; there are none here.
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]
    return pygal


def draw(table: Table, language: str) -> bytes:
    """Return the picture of a table."""
    # Bars that lie are drawn from below.
    rows = table.rows[::-1] if table.is_lying else table.rows
    pygal = _load_pygal()
    kind = pygal.HorizontalStackedBar if table.is_lying else pygal.StackedBar
    chart = kind(
        # For the room that is left around the picture; how letters look is in `_STYLE`.
        style=pygal.style.Style(label_font_size=15, major_label_font_size=15, legend_font_size=15),
        x_labels=[row.label for row in rows],
        width=860,
        height=table.height,
        js=[],
        css=[],
        no_prefix=True,
        # The last line of the legend stands on the edge otherwise.
        margin_bottom=32,
        show_legend=len(table.columns) > 1,
        legend_at_bottom=True,
        legend_at_bottom_columns=2,
        truncate_legend=-1,
        truncate_label=-1,
        print_values=True,
        print_zeroes=False,
        value_formatter=lambda number: f"{number:.0f}",
        no_data_text=say("Nobody is counted here", language),
        include_x_axis=True,
        x_label_rotation=0 if table.is_lying or len(table.rows) < 9 else 40,
    )
    for number, column in enumerate(table.columns):
        chart.add(column.label, [row.numbers[number] for row in rows])
    _scale(chart, table)
    return _clean(etree.fromstring(chart.render()), table)


def _scale(chart: Any, table: Table) -> None:
    """Have an axis of whole persons."""
    highest = max((sum(row.numbers) for row in table.rows), default=0)
    step = next(s for s in _steps() if highest <= s * 8)
    chart.y_labels = list(range(0, highest + step, step))


def _steps() -> Any:
    power = 1
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10


def _clean(root: Any, table: Table) -> bytes:
    """Return a tree as bytes, with our styles and the words for whoever hears it."""
    for comment in list(root.iter(etree.Comment)):
        comment.getparent().remove(comment)
    for element in [*root.iter(f"{{{_NS}}}script"), *root.iter(f"{{{_NS}}}style")]:
        element.getparent().remove(element)
    defs = root.find(f"{{{_NS}}}defs")
    style = etree.SubElement(defs, f"{{{_NS}}}style")
    style.text = _STYLE + _paint(table, defs)
    root.set("role", "img")
    root.set("aria-labelledby", "title words")
    words = etree.Element(f"{{{_NS}}}desc", id="words")
    words.text = _put_in_words(table)
    title = etree.Element(f"{{{_NS}}}title", id="title")
    title.text = table.title
    root.insert(0, words)
    root.insert(0, title)
    return bytes(etree.tostring(root, encoding="utf-8"))


def _paint(table: Table, defs: Any) -> str:
    """Return the colours of the columns, and add their patterns."""
    rules = []
    for number, column in enumerate(table.columns):
        name = _POSSIBLE if column.is_possible else f"pattern-{number}"
        colour = "none" if column.is_possible else _COLOURS[number % len(_COLOURS)]
        lines = "M0 8L8 0" if column.is_possible else _PATTERNS[number % len(_PATTERNS)]
        pattern = etree.SubElement(
            defs, f"{{{_NS}}}pattern", id=name, width="8", height="8", patternUnits="userSpaceOnUse"
        )
        etree.SubElement(pattern, f"{{{_NS}}}rect", width="8", height="8", fill=colour)
        if lines:
            light = "#fff" if not column.is_possible else "#808088"
            path = etree.SubElement(pattern, f"{{{_NS}}}path", d=lines, stroke=light)
            path.set("stroke-width", "1.4")
        rules.append(f".color-{number},.color-{number} rect{{fill:url(#{name})}}")
    return "".join(rules)


def _put_in_words(table: Table) -> str:
    """Return the numbers as a list that can be read out."""
    return "; ".join(
        f"{row.label}: "
        + ", ".join(
            f"{column.label} {number}"
            for column, number in zip(table.columns, row.numbers, strict=True)
            if number
        )
        for row in table.rows
        if any(row.numbers)
    )
