"""Charts: drawn from the tables beside them, which are the API's numbers; nothing runs in them."""

import re
from itertools import pairwise

import pytest
from lxml import etree

from caseflow.domain.labels import label
from caseflow.web.charts import TABLES
from caseflow.web.drawing import draw
from caseflow.web.tables import (
    MOST_MONTHS,
    Column,
    Row,
    Table,
    tabulate_custody,
    tabulate_flows,
    tabulate_months,
    tabulate_returns,
)
from tests.api.conftest import AUTHOR, Json, Seeded, Service

from .conftest import LANGUAGES, read_page

NS = {"s": "http://www.w3.org/2000/svg"}
KINDS = ("extradited", "deported", "abducted", "returned")


def parse(svg: bytes) -> etree._Element:
    return etree.fromstring(svg)


def read_values(svg: bytes) -> list[list[int]]:
    """Return the numbers that a picture shows, bar by bar, in the order of its columns."""
    return [
        [
            int(text)
            for text in series.xpath(".//s:text[contains(@class,'value')]/text()", namespaces=NS)
        ]
        for series in parse(svg).xpath("//s:g[contains(@class,'text-overlay')]/s:g", namespaces=NS)
    ]


def month(name: str, certain: dict[str, int], possible: dict[str, int]) -> Json:
    none = dict.fromkeys(KINDS, 0)
    return {"month": name, "certain": none | certain, "possible": none | possible}


# -- tables ---------------------------------------------------------------------------------------


def test_months_without_a_change_have_the_counts_of_the_month_before() -> None:
    table = tabulate_returns(
        {"returns": [month("2025-11", {}, {"deported": 2}),
                     month("2026-02", {"deported": 2}, {"deported": 3})]}, "en"
    )  # fmt: skip
    assert [c.label for c in table.columns] == [
        label("outcomes", "deported", "en"), "possible, not certain",
    ]  # fmt: skip
    assert [(row.label, row.numbers) for row in table.rows] == [
        ("November 2025", (0, 2)), ("December 2025", (0, 2)), ("January 2026", (0, 2)),
        ("February 2026", (2, 1)),
    ]  # fmt: skip


def test_many_months_are_told_by_years_with_what_held_at_their_ends() -> None:
    months = [month("2022-03", {"abducted": 1}, {"abducted": 1}),
              month("2024-06", {"abducted": 2}, {"abducted": 2}),
              month("2024-08", {"abducted": 3}, {"abducted": 4})]  # fmt: skip
    rows = tabulate_returns({"returns": months}, "en").rows
    assert [(r.label, r.numbers) for r in rows] == [
        ("2022", (1, 0)), ("2023", (1, 0)), ("2024", (3, 1)),
    ]  # fmt: skip
    assert len(tabulate_returns({"returns": months[1:]}, "en").rows) == 3 <= MOST_MONTHS


def test_of_centuries_the_years_are_told_that_changed_something() -> None:
    months = [month("1125-01", {}, {"deported": 1}), month("2024-06", {}, {"deported": 2}),
              month("2024-08", {"deported": 1}, {"deported": 2})]  # fmt: skip
    rows = tabulate_returns({"returns": months}, "en").rows
    assert [(r.label, r.numbers) for r in rows] == [("1125", (0, 1)), ("2024", (1, 1))]


def test_a_correction_that_takes_somebody_out_is_seen() -> None:
    months = [month("2024-06", {"returned": 1}, {"returned": 1}), month("2024-07", {}, {})]
    rows = tabulate_returns({"returns": months}, "en").rows
    assert [r.numbers for r in rows] == [(1, 0), (0, 0)]


def test_without_anybody_a_table_is_empty() -> None:
    assert tabulate_returns({"returns": []}, "en").is_empty
    assert tabulate_flows({"flows": []}, "en").is_empty


# -- pictures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("query", ["", "&as_of=2025-12-31", "&host_state=KZ"])
def test_a_picture_shows_the_table_beside_it_and_that_the_api(
    seeded: Seeded, language: str, query: str
) -> None:
    page = read_page(seeded.service.get(f"/statistics?lang={language}{query}"))
    breakdown = seeded.service.get(f"/v1/statistics/breakdown?{query[1:]}").json()
    for name, tabulate in TABLES.items():
        svg = seeded.service.get(f"/charts/{name}.svg?lang={language}{query}")
        assert svg.headers["content-type"] == "image/svg+xml"
        assert svg.headers["content-language"] == language
        table = tabulate(breakdown, language)
        shown = page.tables[name]
        assert shown[0] == [table.first, *(column.label for column in table.columns)]
        assert shown[1:] == [[r.label, *(str(n) for n in r.numbers)] for r in table.rows]
        assert any(f"/charts/{name}.svg?" in address for address in page.loads)
        check_picture(svg.content, table)


def check_picture(svg: bytes, table: Table) -> None:
    rows = table.rows[::-1] if table.is_lying else table.rows
    by_column = [[row.numbers[n] for row in rows] for n in range(len(table.columns))]
    assert read_values(svg) == [[n for n in column if n] for column in by_column]
    # Whoever hears it is told the same.
    root = parse(svg)
    words = root.findtext("s:desc", namespaces=NS) or ""
    for row in table.rows:
        for column, number in zip(table.columns, row.numbers, strict=True):
            assert (f"{column.label} {number}" in words) or not number
    assert root.findtext("s:title", namespaces=NS) == table.title
    assert root.get("role") == "img"
    texts = set(root.xpath("//s:text/text()", namespaces=NS))
    assert {row.label for row in table.rows} <= texts


def test_the_tables_are_the_numbers_of_the_api(seeded: Seeded) -> None:
    breakdown = seeded.service.get("/v1/statistics/breakdown").json()
    numbers = seeded.service.get("/v1/statistics").json()
    flows = tabulate_flows(breakdown, "en")
    assert sum(sum(row.numbers) for row in flows.rows) == numbers["persons"]
    custody = tabulate_custody(breakdown, "en")
    assert sum(sum(row.numbers) for row in custody.rows) == numbers["custody_days"]["persons"]
    returns = tabulate_returns(breakdown, "en")
    assert sum(returns.rows[-1].numbers) == numbers["returned"]["total"]
    for year in ("2024", "2025"):
        then = seeded.service.get("/v1/statistics", as_of=f"{year}-12-31").json()["returned"]
        (row,) = [row for row in returns.rows if row.label == year]
        assert sum(row.numbers) == then["total"]
    months = tabulate_months(numbers, "en")
    assert sum(sum(r.numbers) for r in months.rows) == sum(
        n for m in numbers["series"] for name, n in m.items() if name != "month"
    )


def test_a_picture_runs_nothing_loads_nothing_and_is_the_same_each_time(seeded: Seeded) -> None:
    for name in TABLES:
        first = seeded.service.get(f"/charts/{name}.svg")
        text = first.text
        assert "<script" not in text
        assert not re.search(r"\bon[a-z]+=", text)
        assert not re.search(r'(?:href|src)="(?!#)', text)
        assert "pygal" not in re.sub(r'class="[^"]*"', "", text)
        assert not re.search(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", text)
        assert first.headers["content-security-policy"] == (
            "default-src 'none'; style-src 'unsafe-inline'"
        )
        seeded.service.client.app.state.services.documents.clear()
        seeded.service.client.app.state.services.kept.clear()
        assert seeded.service.get(f"/charts/{name}.svg").content == first.content


def test_kinds_are_told_apart_without_colour() -> None:
    columns = tuple(Column(f"kind {n}") for n in range(8))
    svg = draw(Table("t", "f", columns, (Row("r", tuple(range(1, 9))),)), "en")
    patterns = parse(svg).xpath("//s:pattern", namespaces=NS)
    drawn = [
        (p.find("s:path", NS).get("d") if p.find("s:path", NS) is not None else "",
         _brightness(p.find("s:rect", NS).get("fill")))
        for p in patterns
    ]  # fmt: skip
    assert len(drawn) == 8
    # Neighbours in a bar differ in their lines, or clearly in how bright they are.
    for (lines, bright), (other_lines, other) in pairwise(drawn):
        assert lines != other_lines or abs(bright - other) > 60


def _brightness(colour: str) -> float:
    red, green, blue = (int(colour[n : n + 2], 16) for n in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue


def test_words_of_partners_have_no_way_into_a_picture(service: Service) -> None:
    author = service.partner(*AUTHOR)
    case = author.open()
    author.tell(case, "expulsion.executed", place="<script>x</script>", summary={"en": "canary"})
    text = service.get("/charts/returns.svg").text + service.get("/charts/outcomes.svg").text
    assert "canary" not in text
    assert "script" not in text
