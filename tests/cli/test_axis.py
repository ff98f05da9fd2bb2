"""The axis: dates keep their order and their width, and labels stand over what they name."""

import re
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caseflow.cli.axis import Axis
from caseflow.domain.dates import When, parse_when

FIRST, LAST = date(1, 1, 1), date(9999, 12, 31)


@st.composite
def whens(draw: st.DrawFn) -> When:
    """Return a day, a span or an open start, mostly of one century."""
    first = draw(st.dates(date(1950, 1, 1), date(2050, 12, 31)) | st.dates(FIRST, LAST))
    days = draw(st.sampled_from((0, 0, 1, 30, 365, 10_000)))
    last = min(first, LAST - timedelta(days)) + timedelta(days)
    start = draw(st.sampled_from((first.isoformat(), "..")))
    return parse_when(f"{start}/{last.isoformat()}")


def drawn(axis: Axis, *texts: str) -> list[str]:
    return [axis.draw_bar(parse_when(text)) for text in texts]


def test_a_bar_goes_from_the_earliest_to_the_latest_day() -> None:
    texts = ("2025-01-01", "2025-01-31", "2025-01-11/2025-01-20", "../2025-01-05", "2025-01")
    axis = Axis(map(parse_when, texts), 31)
    assert drawn(axis, *texts) == [
        "*",
        " " * 30 + "*",
        " " * 10 + "=" * 10,
        "<====",
        "=" * 31,
    ]


def test_dates_of_one_day_are_one_mark() -> None:
    axis = Axis([parse_when("2025-05-01")] * 2, 30)
    assert drawn(axis, "2025-05-01", "../2025-05-01") == ["*", "<"]
    assert axis.draw_scale() == ("2025-05-01", "+" + "-" * 29)


@pytest.mark.parametrize(
    ("first", "last", "labels", "line"),
    [
        # No two months begin: the ends are labelled.
        (
            "2025-05-01", "2025-05-31",
            "2025-05-01          2025-05-31",
            "+----------------------------+",
        ),
        (
            "2025-05-20", "2025-08-10",
            "    2025-06   2025-07  2025-08",
            "----+---------+----------+----",
        ),
        (
            "2022-03-05", "2026-02-10",
            "      2023   2024   2025  2026",
            "------+------+------+-------+-",
        ),
        (
            "0000-01-01", "9999-12-31",
            "0000          5000",
            "+-------------+---------------",
        ),
    ],
)  # fmt: skip
def test_the_scale_is_as_fine_as_its_labels_have_room(
    first: str, last: str, labels: str, line: str
) -> None:
    assert Axis(map(parse_when, (first, last)), 30).draw_scale() == (labels, line)


@given(st.lists(whens(), min_size=1, max_size=8), st.integers(22, 130))
def test_bars_have_the_order_of_their_dates(dates: list[When], width: int) -> None:
    axis = Axis(dates, width)
    bars = {when: axis.draw_bar(when) for when in dates}
    for when, bar in bars.items():
        assert re.fullmatch(r" *\*|<=*| *=+", bar)
        assert len(bar) <= width
        for other, later in bars.items():
            if other.earliest is not None and when.latest < other.earliest:
                assert len(bar) <= len(later) - len(later.lstrip()) + 1
    ends = max(dates, key=lambda when: when.latest)
    starts = min(dates, key=lambda when: when.earliest or when.latest)
    assert len(bars[ends]) == width or ends.latest == (starts.earliest or starts.latest)


@given(st.lists(whens(), min_size=1, max_size=3), st.integers(22, 130))
def test_every_label_stands_over_its_tick(dates: list[When], width: int) -> None:
    labels, line = Axis(dates, width).draw_scale()
    assert len(line) == width
    assert len(labels) <= width
    found = [match.span() for match in re.finditer(r"\S+", labels)]
    assert found, "a scale says of which time it is"
    for (_, end), (start, _) in pairwise(found):
        assert start - end >= 2
    for start, end in found:
        assert line[start] == "+" or ("+" in line[start:] and end == width)
