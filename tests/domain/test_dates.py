"""Dates: what is taken with which bounds, what is refused and why, and which came first."""

import re
from calendar import isleap, monthrange
from itertools import pairwise, product
from pathlib import Path

import pytest
from edtf import parse_edtf
from edtf.parser.edtf_exceptions import EDTFParseException
from hypothesis import given, settings
from hypothesis import strategies as st

from caseflow.domain.dates import (
    MAX_LENGTH,
    Order,
    When,
    compare,
    days_between,
    is_certainly_after,
    month_of,
    parse_day,
    parse_when,
)
from caseflow.domain.errors import InvalidDateError

untimed = settings(deadline=None)

TAKEN = [
    ("2025", "2025-01-01", "2025-12-31"),
    ("0000", "0000-01-01", "0000-12-31"),
    ("9999", "9999-01-01", "9999-12-31"),
    ("2025-05", "2025-05-01", "2025-05-31"),
    ("2025-12", "2025-12-01", "2025-12-31"),
    ("2024-02", "2024-02-01", "2024-02-29"),
    ("1900-02", "1900-02-01", "1900-02-28"),
    ("0000-02", "0000-02-01", "0000-02-29"),
    ("2025-05-01", "2025-05-01", "2025-05-01"),
    ("2024-02-29", "2024-02-29", "2024-02-29"),
    ("2000-02-29", "2000-02-29", "2000-02-29"),
    ("0000-02-29", "0000-02-29", "0000-02-29"),
    ("9999-12-31", "9999-12-31", "9999-12-31"),
    ("202X", "2020-01-01", "2029-12-31"),
    ("000X", "0000-01-01", "0009-12-31"),
    ("20XX", "2000-01-01", "2099-12-31"),
    ("99XX", "9900-01-01", "9999-12-31"),
    ("2025-XX", "2025-01-01", "2025-12-31"),
    ("2025-XX-XX", "2025-01-01", "2025-12-31"),
    ("2025-05-XX", "2025-05-01", "2025-05-31"),
    ("2024-02-XX", "2024-02-01", "2024-02-29"),
    ("2025-21", "2025-03-01", "2025-05-31"),
    ("2025-22", "2025-06-01", "2025-08-31"),
    ("2025-23", "2025-09-01", "2025-11-30"),
    ("2025-24", "2024-12-01", "2026-02-28"),
    ("2023-24", "2022-12-01", "2024-02-29"),
    ("0000-24", "0000-01-01", "0001-02-28"),
    ("0001-24", "0000-12-01", "0002-02-28"),
    ("9998-24", "9997-12-01", "9999-02-28"),
    ("9999-24", "9998-12-01", "9999-12-31"),
    ("2024/2025", "2024-01-01", "2025-12-31"),
    ("2025-05/2025-05", "2025-05-01", "2025-05-31"),
    ("2025-05-20/2025-05", "2025-05-20", "2025-05-31"),
    ("2025-24/2025-01", "2024-12-01", "2025-01-31"),
    ("202X/2025-21", "2020-01-01", "2025-05-31"),
    ("../2025-05", None, "2025-05-31"),
    ("/2025-05", None, "2025-05-31"),
    ("../0000-01-01", None, "0000-01-01"),
    ("[2022-09..2023-03]", "2022-09-01", "2023-03-31"),
    ("[2026-01-18..2026-01-25]", "2026-01-18", "2026-01-25"),
    ("[2025..2025]", "2025-01-01", "2025-12-31"),
    ("[2022-XX..202X]", "2022-01-01", "2029-12-31"),
    ("[2022-21..2022-22]", "2022-03-01", "2022-08-31"),
    ("[..2023]", None, "2023-12-31"),
]

MARKED = [
    ("2025~", True, False),
    ("2025-05?", False, True),
    ("2025-05-01%", True, True),
    ("202X~", True, False),
    ("2025-XX?", False, True),
    ("2025-05-XX%", True, True),
    ("2025-21~", True, False),
    ("2024~/2025", True, False),
    ("2024/2025?", False, True),
    ("2024~/2025?", True, True),
    ("../2025~", True, False),
    ("/2025-05?", False, True),
]

USUAL = "write 2025 for a year, 2025-05 for May 2025"
NO_TIME = "no time of day"
MISSING_END = "what lasts is a state, not an occurrence"
ONE_MARK = "one mark, at its end"
ONE_PAIR = "one pair of brackets"
X_PLACES = "X stands for the last digits"
REFUSED = [
    ("", USUAL),
    (".", USUAL),
    ("~", USUAL),
    ("25", USUAL),
    ("20255", USUAL),
    ("20250501", USUAL),
    ("2025-5", USUAL),
    ("2025-5-1", USUAL),
    ("2025-05-1", USUAL),
    ("2025-05-01-01", USUAL),
    ("2025-", USUAL),
    ("2025-05-", USUAL),
    ("01.05.2025", USUAL),
    ("May 2025", USUAL),
    ("2025-W05", USUAL),
    ("2025/05", "05: write 2025 for a year, 2025-05 for May"),
    ("2025/05/01", "one slash"),
    ("2025-00", "months are 01 to 12"),
    ("2025-13", "months are 01 to 12"),
    ("2025-20", "months are 01 to 12"),
    ("2025-25", "months are 01 to 12"),
    ("2025-41", "months are 01 to 12"),
    ("2025-00-01", "months are 01 to 12"),
    ("2025-21-01", "season without a day"),
    ("2025-24-XX", "season without a day"),
    ("2025-05-00", "May 2025 has 31 days"),
    ("2025-05-32", "May 2025 has 31 days"),
    ("2025-06-31", "June 2025 has 30 days"),
    ("2025-02-29", "2025-02-29: February 2025 has 28 days"),
    ("2026-02-30", "2026-02-30: February 2026 has 28 days"),
    ("2024-02-30", "February 2024 has 29 days"),
    ("1900-02-29", "February 1900 has 28 days"),
    ("0000-02-30", "February 0000 has 29 days"),
    ("2024/2025-02-29", "2025-02-29: February 2025 has 28 days"),
    ("[2025-02-29..2026]", "2025-02-29: February 2025 has 28 days"),
    ("2025-05-01T10:00:00Z", NO_TIME),
    ("2025-05-01 10:00", NO_TIME),
    ("2025-05-01Z", NO_TIME),
    (" 2025", NO_TIME),
    ("2025\n", NO_TIME),
    ("2025\u00a0", NO_TIME),
    ("2025-05-01+06:00", "four digits without a letter or sign"),
    ("-2025", "four digits without a letter or sign"),
    ("-0044-03-15", "four digits without a letter or sign"),
    ("+2025", "four digits without a letter or sign"),
    ("Y12025", "four digits without a letter or sign"),
    ("2E3", "four digits without a letter or sign"),
    ("1950S2", "four digits without a letter or sign"),
    ("\uff12\uff10\uff12\uff15", "digits 0 to 9"),
    ("\u0662\u0660\u0662\u0665", "digits 0 to 9"),
    ("202\u00b2", "digits 0 to 9"),
    ("2025\u201305", "plain hyphens"),
    ("2025\u221205", "plain hyphens"),
    ("202x", "write X, a capital"),
    ("199u", "write X, a capital"),
    ("202\u0425", USUAL),  # the Cyrillic letter that looks like X
    ("2025\x00", USUAL),
    ("2025\ud800", USUAL),
    ("XXXX", X_PLACES),
    ("2XXX", X_PLACES),
    ("20X5", X_PLACES),
    ("X025", X_PLACES),
    ("2025-0X", X_PLACES),
    ("2025-X5", X_PLACES),
    ("2025-05-1X", X_PLACES),
    ("2025-XX-15", "write 2025-XX-XX or 2025"),
    ("202X-05", "stands alone"),
    ("20XX-XX", "stands alone"),
    ("202X-21", "stands alone"),
    ("202X-XX-XX", "stands alone"),
    ("?2025", ONE_MARK),
    ("2025?-05", ONE_MARK),
    ("2025-~05", ONE_MARK),
    ("2025?~", ONE_MARK),
    ("2025~~", ONE_MARK),
    ("2025%?/2026", ONE_MARK),
    ("2025/~2026", ONE_MARK),
    ("..~/2025", "[a..b]"),
    ("~/2025", USUAL),
    ("/", MISSING_END),
    ("../..", MISSING_END),
    ("2025-05/..", MISSING_END),
    ("2025-05/", MISSING_END),
    ("../", MISSING_END),
    ("[2025-05..]", MISSING_END),
    ("[..]", MISSING_END),
    ("..", "[a..b]"),
    ("2022..2023", "[a..b]"),
    ("..2023", "[a..b]"),
    ("[2022..2023..2024]", "[a..b]"),
    ("[...2023]", USUAL),
    ("2022/2023/2024", "one slash"),
    ("//2024", "one slash"),
    ("2025/2024", "an earliest day (2025-01-01) after the latest (2024-12-31)"),
    ("2025-05-02/2025-05-01", "an earliest day (2025-05-02) after the latest (2025-05-01)"),
    ("[2025-06..2025-05]", "an earliest day (2025-06-01) after the latest (2025-05-31)"),
    ("[2022,2024]", "lists are not taken"),
    ("{2022..2024}", "lists are not taken"),
    ("[2025]", "write one date alone"),
    ("[]", "write one date alone"),
    ("[2022~..2023]", "a set takes no mark"),
    ("[2022..2023?]", "a set takes no mark"),
    ("[2022..2023]~", ONE_PAIR),
    ("[[2022..2023]..2024]", ONE_PAIR),
    ("[2022..2023", ONE_PAIR),
    ("2022..2023]", ONE_PAIR),
    ("]2022..2023[", ONE_PAIR),
    ("[", ONE_PAIR),
    ("]", ONE_PAIR),
    ("[2020..2021]/2022", ONE_PAIR),
    ("[2020..2021]/[2022..2023]", ONE_PAIR),
    ("[2022/2023]", "does not go into a set"),
    ("[2020..2021/2022]", "does not go into a set"),
    ("2025-05-01".ljust(MAX_LENGTH + 1, "0"), "at most 64 characters"),
]


@pytest.mark.parametrize(("text", "earliest", "latest"), TAKEN)
def test_a_date_has_the_bounds_of_its_form(text: str, earliest: str | None, latest: str) -> None:
    assert parse_when(text) == When(
        text=text, earliest=earliest, latest=latest, approximate=False, uncertain=False
    )


@pytest.mark.parametrize(("text", "approximate", "uncertain"), MARKED)
def test_a_mark_is_kept_and_does_not_widen(text: str, approximate: bool, uncertain: bool) -> None:
    marked, plain = parse_when(text), parse_when(re.sub("[~?%]", "", text))
    assert (marked.approximate, marked.uncertain) == (approximate, uncertain)
    assert (marked.earliest, marked.latest) == (plain.earliest, plain.latest)
    assert marked.text == text


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_a_refusal_says_what_to_change(text: str, reason: str) -> None:
    with pytest.raises(InvalidDateError) as refusal:
        parse_when(text)
    assert reason in refusal.value.detail
    assert refusal.value.detail.isprintable()
    assert refusal.value.errors == []


def test_a_long_text_is_not_echoed_whole() -> None:
    with pytest.raises(InvalidDateError) as refusal:
        parse_when("2" * 100_000)
    assert len(refusal.value.detail) < 200


@untimed
@given(st.text(max_size=80) | st.text("0123456789X-/.[]~?%", max_size=24))
def test_any_text_is_taken_with_ordered_bounds_or_refused(text: str) -> None:
    try:
        when = parse_when(text)
    except InvalidDateError:
        return
    assert when.text == text
    assert (when.earliest or when.latest) <= when.latest
    assert parse_day(when.latest) == when.latest
    assert when.earliest is None or parse_day(when.earliest) == when.earliest


def _last(year: int, month: int) -> str:
    return f"{year:04}-{month:02}-{monthrange(year, month)[1]}"


@st.composite
def dates_with_bounds(draw: st.DrawFn) -> tuple[str, str, str]:
    """A date of any form but winter, with bounds worked out from numbers."""
    year = draw(st.integers(0, 9999))
    month = draw(st.integers(1, 12))
    day = draw(st.integers(1, monthrange(year, month)[1]))
    exact = f"{year:04}-{month:02}-{day:02}"
    of_month = (f"{year:04}-{month:02}-01", _last(year, month))
    of_year = (f"{year:04}-01-01", f"{year:04}-12-31")
    decade, century = f"{year:04}"[:3], f"{year:04}"[:2]
    season = draw(st.sampled_from([21, 22, 23]))
    first_month = 3 * (season - 20)
    return draw(
        st.sampled_from(
            [
                (exact, exact, exact),
                (exact[:7], *of_month),
                (f"{exact[:7]}-XX", *of_month),
                (exact[:4], *of_year),
                (f"{exact[:4]}-XX", *of_year),
                (f"{exact[:4]}-XX-XX", *of_year),
                (f"{decade}X", f"{decade}0-01-01", f"{decade}9-12-31"),
                (f"{century}XX", f"{century}00-01-01", f"{century}99-12-31"),
                (
                    f"{exact[:4]}-{season}",
                    f"{exact[:4]}-{first_month:02}-01",
                    _last(year, first_month + 2),
                ),
            ]
        )
    )


marks = st.sampled_from(["", "~", "?", "%"])


@untimed
@given(dates_with_bounds(), marks)
def test_what_is_written_is_read_back(date: tuple[str, str, str], mark: str) -> None:
    text, earliest, latest = date
    when = parse_when(text + mark)
    assert when == When(text + mark, earliest, latest, mark in ("~", "%"), mark in ("?", "%"))


@untimed
@given(dates_with_bounds(), dates_with_bounds(), marks, st.booleans())
def test_two_dates_span_from_the_first_to_the_second(
    first: tuple[str, str, str], second: tuple[str, str, str], mark: str, is_set: bool
) -> None:
    text = f"[{first[0]}..{second[0]}]" if is_set else f"{first[0]}{mark}/{second[0]}"
    if first[1] > second[2]:
        with pytest.raises(InvalidDateError, match="an earliest day"):
            parse_when(text)
    else:
        assert (parse_when(text).earliest, parse_when(text).latest) == (first[1], second[2])


# Where the library and the specification part: it takes 2025-02-29, ...
TAKEN_BY_THE_LIBRARY_ALONE = ["2025-02-29", "1900-02-29", "2025/2024", "XXXX", "2025-XX-15"]
# ... it ends an unknown start ten years back and begins and ends winter with December, ...
OTHER_BOUNDS = {"/2025-05", "2025-24", "2023-24", "0000-24", "0001-24", "9998-24", "9999-24"}
OTHER_BOUNDS |= {"2025-24/2025-01"}
# ... and it reads no X and no season in a set.
UNREAD = {"[2022-XX..202X]", "[2022-21..2022-22]"}


def library_bounds(text: str) -> tuple[str | None, str]:
    parsed = parse_edtf(text)
    low, high = parsed.lower_strict(), parsed.upper_strict()
    earliest = None if low == float("-inf") else "{:04}-{:02}-{:02}".format(*low[:3])
    return earliest, "{:04}-{:02}-{:02}".format(*high[:3])


@pytest.mark.parametrize("text", [text for text, *_ in TAKEN if text not in UNREAD])
def test_the_edtf_library_agrees_but_for_known_differences(text: str) -> None:
    when = parse_when(text)
    agrees = library_bounds(text) == (when.earliest, when.latest)
    assert agrees is (text not in OTHER_BOUNDS)


@pytest.mark.parametrize("text", TAKEN_BY_THE_LIBRARY_ALONE)
def test_the_edtf_library_takes_what_we_refuse(text: str) -> None:
    assert library_bounds(text)
    with pytest.raises(InvalidDateError):
        parse_when(text)


@untimed
@given(dates_with_bounds(), st.sampled_from(["{}", "../{}"]))
def test_the_edtf_library_agrees_on_drawn_dates(date: tuple[str, str, str], form: str) -> None:
    # The library reads no X beside an open start.
    text = date[0] if "X" in date[0] else form.format(date[0])
    when = parse_when(text)
    assert library_bounds(text) == (when.earliest, when.latest)


@pytest.mark.parametrize("text", sorted(UNREAD))
def test_the_edtf_library_does_not_read_all_we_take(text: str) -> None:
    assert parse_when(text).text == text
    with pytest.raises(EDTFParseException):
        parse_edtf(text)


# Ten days over the end of a year, and a day long before, which only an open start reaches.
DAYS = ["1990-01-01", *(f"2024-12-{day}" for day in range(27, 32))]
DAYS += [f"2025-01-0{day}" for day in range(1, 6)]
RANGES = [f"{a}/{b}" for a, b in product(DAYS[1:], repeat=2) if a <= b]
RANGES += [f"../{day}" for day in DAYS[1:]] + [f"[..{day}]" for day in DAYS[1::3]]


def possible_days(text: str) -> list[str]:
    when = parse_when(text)
    return [day for day in DAYS if (when.earliest or "") <= day <= when.latest]


def order_by_trying(a: list[str], b: list[str]) -> Order:
    """Every pair of possible days, put in order one by one."""
    tried = {(x > y) - (x < y) for x, y in product(a, b)}
    if tried == {1}:
        return Order.AFTER
    return Order.BEFORE if tried == {-1} else Order.UNKNOWN


def test_comparison_equals_trying_every_pair_of_days() -> None:
    possible = {text: possible_days(text) for text in RANGES}
    for a, b in product(RANGES, repeat=2):
        expected = order_by_trying(possible[a], possible[b])
        assert compare(parse_when(a), parse_when(b)) is expected, (a, b)


@untimed
@given(st.sampled_from(RANGES), st.sampled_from(RANGES), st.sampled_from(RANGES))
def test_after_is_a_strict_partial_order(a: str, b: str, c: str) -> None:
    x, y, z = parse_when(a), parse_when(b), parse_when(c)
    assert not is_certainly_after(x, x)
    assert is_certainly_after(x, y) == (compare(y, x) is Order.BEFORE)
    if is_certainly_after(x, y) and is_certainly_after(y, z):
        assert is_certainly_after(x, z)


def test_an_open_start_is_never_after_and_may_be_before() -> None:
    first_of_all, open_start = parse_when("0000-01-01"), parse_when("../2025")
    assert compare(open_start, first_of_all) is Order.UNKNOWN
    assert compare(open_start, parse_when("2026")) is Order.BEFORE
    assert compare(parse_when("2026"), open_start) is Order.AFTER
    assert compare(open_start, parse_when("/1990")) is Order.UNKNOWN


@pytest.mark.parametrize("year", [0, 4, 100, 400, 1600, 1900, 2000, 2023, 2024, 2100, 9996, 9999])
def test_leap_years_have_a_29_february(year: int) -> None:
    text = f"{year:04}-02-29"
    if isleap(year):
        assert parse_day(text) == text
    else:
        with pytest.raises(InvalidDateError, match="28 days"):
            parse_day(text)


@pytest.mark.parametrize(
    ("first", "second", "days"),
    [
        ("2025-05-01", "2025-05-01", 0),
        ("2025-05-01", "2025-05-02", 1),
        ("2025-05-02", "2025-05-01", -1),
        ("2024-02-28", "2024-03-01", 2),
        ("2025-02-28", "2025-03-01", 1),
        ("0000-02-28", "0000-03-01", 2),
        ("0000-12-31", "0001-01-01", 1),
        ("0000-01-01", "0001-01-01", 366),
        ("0000-01-01", "0400-01-01", 146_097),
        ("0000-01-01", "9999-12-31", 25 * 146_097 - 1),
    ],
)
def test_days_between_counts_in_the_gregorian_calendar(first: str, second: str, days: int) -> None:
    assert days_between(first, second) == days


def test_each_day_of_the_first_years_is_one_after_the_day_before() -> None:
    days = [
        f"{year:04}-{month:02}-{day:02}"
        for year in range(6)
        for month in range(1, 13)
        for day in range(1, monthrange(year, month)[1] + 1)
    ]
    assert {days_between(a, b) for a, b in pairwise(days)} == {1}


@pytest.mark.parametrize(
    "text", ["2025", "2025-05", "2025-05-01~", "20250501", "today", "", "x" * 99]
)
def test_a_day_parameter_is_one_whole_day(text: str) -> None:
    with pytest.raises(InvalidDateError, match="write one day"):
        parse_day(text)


@pytest.mark.parametrize("text", ["2025-02-29", "2025-13-01", "2025-21-01", "2025-01-00"])
def test_a_day_parameter_is_a_day_that_exists(text: str) -> None:
    with pytest.raises(InvalidDateError):
        parse_day(text)


def test_month_of_a_day() -> None:
    assert month_of("2025-05-01") == "2025-05"


PAGE = (Path(__file__).parents[2] / "docs" / "dates.md").read_text(encoding="utf-8")


def documented_rows(heading: str) -> list[list[str]]:
    """The table rows under a heading of docs/dates.md, as lists of cells."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("row", documented_rows("Taken"), ids=lambda row: row[0])
def test_documented_dates_are_taken_with_their_bounds(row: list[str]) -> None:
    when = parse_when(row[0].strip("`"))
    assert [f"`{when.earliest}`" if when.earliest else "none", f"`{when.latest}`"] == row[2:]


@pytest.mark.parametrize("row", documented_rows("Refused"), ids=lambda row: row[0])
def test_documented_refusals_are_refused_and_their_advice_is_taken(row: list[str]) -> None:
    with pytest.raises(InvalidDateError):
        parse_when(row[0].strip("`"))
    advice = re.findall("`(.+?)`", row[2])
    assert [parse_when(text).text for text in advice] == advice != []


@pytest.mark.parametrize("row", documented_rows("Which came first"), ids=str)
def test_documented_orders_hold(row: list[str]) -> None:
    a, b = (parse_when(cell.strip("`")) for cell in row[:2])
    assert compare(a, b) is Order(row[2])
