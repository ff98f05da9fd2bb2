"""`caseflow stats`: the numbers of the API, as tables that fit a terminal, or as its JSON."""

import io
import json
import re
from typing import Any, Final

import pytest
from rich.console import Console

from caseflow.cli.tables import Heading, print_statistics
from caseflow.domain.labels import LANGUAGES, label

from .conftest import Run
from .serving import OPENING, Service
from .test_imports import SEED

HELD: Final = {"type": "detention.apprehended", "occurred": "2025-05", "basis": "wanted"}
FIGURE: Final = {
    "measure": "persons_staying",
    "low": 50_000,
    "high": 80_000,
    "as_of": "2026-01",
    "host_state": "KZ",
    "origin_state": "RU",
    "source": {"title": "Estimate\u202e [red]", "url": "https://bureau.example/report"},
}

TABLES: Final = """\
Statistics of all that is recorded, up to position 81
as of 2026-02-10: what happened later does not count
in Kazakhstan alone
facing return to Russia alone

counted                                    number
cases                                          16
persons                                        22
uncertain                                       2
at risk                                         4

headline                                  persons
extradited to the state of origin               2
"""
RETURNED: Final = """\

returned                                  persons
in all                                          6
of these by force                               5
extradited to the state of origin               2
expelled to the state of origin                 2
reportedly abducted                             1
returned to the state of origin                 1

departed                                  persons
in all                                          8
left for a third country                        7
protected in a third country                    1

custody                                    number
"""
DECIDED: Final = """\

decided, by month
         extradition  extradition   asylum      asylum
month        granted      refused  refused  recognised
2024-12            1            0        0           0
2025-12            0            0        1           0
2026-01            2            0        0           0
2026-02            0            0        1           0
undated            0            6        3           0
"""


def numbers(run: Run, *arguments: str) -> dict[str, Any]:
    """Return the statistics as JSON."""
    result = run("stats", "--json", *arguments)
    assert (result.exit_code, result.stderr) == (0, ""), result.stderr
    return dict(json.loads(result.stdout))


def drawn(found: dict[str, Any], language: str = "en", width: int = 80, **more: Any) -> str:
    """Return what a terminal of a width shows of statistics."""
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, markup=False, **more)
    print_statistics(console, Heading(False, None, None), found, language)
    return file.getvalue()


def test_the_numbers_are_printed_as_tables(run_on_both: Run) -> None:
    run_on_both("import", "-", stdin=SEED)
    asked = ("--as-of", "2026-02-10", "--host-state", "KZ", "--origin-state", "RU")
    result = run_on_both("stats", *asked)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(TABLES)
    assert RETURNED in result.stdout
    assert "\ntrack: liberty                            persons\ndetained " in result.stdout
    assert result.stdout.endswith(DECIDED)
    assert "\x1b" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_a_headline_that_nobody_has_is_left_out(run: Run) -> None:
    run("import", "-", stdin=SEED)
    found, told = numbers(run), run("stats").stdout
    section = told.partition("\nheadline ")[2].partition("\n\n")[0]
    shown = [line.rsplit(maxsplit=1)[0] for line in section.splitlines()[1:]]
    assert shown == [label("headlines", code, "en") for code, n in found["headline"].items() if n]


QUERIES: Final = [
    {},
    {"as_of": "2025-05-15"},
    {"as_of": "2020-01-01", "lang": "kk"},
    {"known_at": "2020-01-01T03:00:00+03:00"},
    {"host_state": "KZ", "lang": "ru"},
    {"host_state": "KZ", "origin_state": "BY"},
]


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_the_json_is_the_answer_of_the_service(
    run_on_both: Run, service: Service, query: dict[str, str]
) -> None:
    """Without a key with --public, and else with a key that reads everything."""
    service.tell()
    claims = f"/v1/cases/{service.case}/events"
    service.post(claims, {**HELD, "visibility": "restricted"})
    service.post("/v1/figures", FIGURE)
    options = [part for name, value in query.items() for part in (_option(name), value)]
    service.client.headers["Accept-Language"] = "en"
    public = service.client.get("/v1/statistics", params=query)
    assert numbers(run_on_both, "--public", *options) == public.json()
    key = service.issue("restricted:read")
    everything = service.client.get("/v1/statistics", params=query, headers=key)
    assert numbers(run_on_both, *options) == everything.json()


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def test_what_is_restricted_counts_unless_the_public_is_asked_for(
    run_on_both: Run, service: Service
) -> None:
    service.post(f"/v1/cases/{service.case}/events", {**HELD, "visibility": "restricted"})
    assert numbers(run_on_both)["headline"]["detained"] == 1
    assert numbers(run_on_both, "--public")["persons"] == 0
    told = run_on_both("stats", "--public").stdout
    assert told.startswith("Statistics of what is public, up to position 0\n")


def test_whoever_does_not_agree_to_be_counted_is_in_no_number(run: Run) -> None:
    case = {**OPENING, "external_id": "a", "consent": {"publish": "none", "basis": "own"}}
    event = {**HELD, "case": "ext:a", "external_id": "a/1"}
    lines = "\n".join(json.dumps(line) for line in ({"case": case}, {"event": event}))
    assert run("import", "-", stdin=lines.encode()).exit_code == 0
    assert numbers(run)["persons"] == 0


def test_known_at_a_moment_later_records_do_not_count(run: Run) -> None:
    run("import", "-", stdin=SEED)
    moment = "2020-01-01T00:00:00Z"
    assert numbers(run, "--known-at", moment)["cases"] == 0
    assert (
        f"\nas known at {moment[:-1]}.000000Z: what was"
        in run("stats", "--known-at", moment).stdout
    )


def test_an_empty_house_counts_nobody(run_on_both: Run) -> None:
    told = run_on_both("stats").stdout
    rows = [line.rsplit(maxsplit=1) for line in told.splitlines() if line]
    assert rows[rows.index(["headline", "persons"]) + 1] == ["nobody", "0"]
    assert ["median of the days held", "-"] in rows
    assert "by month" not in told
    assert "track:" not in told
    assert "reported by" not in told


def test_figures_of_others_stand_beside_the_numbers(run_on_both: Run, service: Service) -> None:
    service.post("/v1/figures", FIGURE)
    told = run_on_both("stats").stdout
    assert re.search(r"^persons +0$", told, re.MULTILINE)
    number, whom, source = told.splitlines()[-1].split("  ")
    assert told.splitlines()[-3] == "reported by others, and in none of the numbers above"
    assert number == "50000 to 80000"
    assert whom == "persons staying, January 2026; Kazakhstan from Russia"
    # Text of partners cannot steer a terminal.
    assert source.rstrip() == "Estimate\\u202e [red]; told by caseflow"
    assert "\u202e" not in run_on_both("stats", "--json").stdout


def test_a_figure_that_waits_for_a_review_says_so(run: Run) -> None:
    run("import", "-", stdin=SEED)
    waiting = {
        **FIGURE, "high": 50_000, "label": "persons staying", "reported_by": "b",
        "state": "awaiting_review",
    }  # fmt: skip
    told = drawn({**numbers(run), "reported": [waiting]}, width=200)
    assert "Estimate\\u202e [red]; told by b; awaiting review" in told
    # One number is no span.
    assert "\n 50000  persons staying" in told


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_are_those_of_the_language(run: Run, language: str) -> None:
    run("import", "-", stdin=SEED)
    told = run("stats", "--lang", language).stdout
    for kind, code in (("headlines", "asylum_refused"), ("tracks", "liberty")):
        assert label(kind, code, language) in told
    assert label("states", "in_custody", language, of="liberty") in told
    assert (label("headlines", "asylum_refused", "en") in told) is (language == "en")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_tables_fit_the_terminal(run: Run, language: str, width: int) -> None:
    run("import", "-", stdin=SEED)
    found = numbers(run, "--lang", language)
    waiting = {**FIGURE, "label": "x " * 60, "reported_by": "y" * 90, "state": "published"}
    told = drawn({**found, "reported": [waiting]}, language, width, color_system=None)
    assert max(map(len, told.splitlines())) <= width
    # Nothing is cut: what does not fit goes on in the next line.
    assert "…" not in told
    if width >= 80:
        assert f"\n{label('headlines', 'extradition_refused', language)} " in told


def test_colour_is_for_terminals_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("import", "-", stdin=SEED)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1m" in drawn(numbers(run))
    assert "\x1b" not in run("stats").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--as-of", "2025"],
        ["--as-of", "2026-02-30"],
        ["--known-at", "2026-02-10"],
        ["--host-state", "kz"],
        ["--origin-state", "XX"],
        ["--lang", "de"],
        ["more"],
    ],
    ids=" ".join,
)
def test_what_is_not_written_as_it_should_be_is_refused(run: Run, arguments: list[str]) -> None:
    result = run("stats", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
