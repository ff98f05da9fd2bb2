"""`caseflow replay`: the history of a case, readable, on both clocks."""

import io
import json
import re
from importlib.resources import files
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec import structs
from rich.console import Console

from caseflow.cli.main import main
from caseflow.cli.timeline import make_timeline, print_timeline
from caseflow.domain.events import Erased, Event
from tests.commands import correcting, recording

from .conftest import Run
from .serving import Service
from .test_comparison import PARTNERS, told

SEED = files("caseflow.demo").joinpath("kazakhstan.ndjson").read_bytes()

TIMELINE = """\
Mansur Movlaev  CODE
1 person; in Kazakhstan, facing return to Russia
case ID

     2022    2023     2024    2025   2026
     +-------+--------+-------+--------+-
  1  opening of the case record            under monitoring
  2          =========                     under monitoring
  3          =========                     under monitoring
  4  ==============================        wanted
  5                              ==        detained, at risk
  6                              ==        in custody, at risk
  7                               ==       in custody, at risk
  8                              =======   in custody, at risk
  9                                   ==   asylum refused, at risk
 10                                    =   asylum decision under appeal, at risk
 11                                    *   extradition granted, at risk
 12                                    ==  extradition under appeal, at risk
     * that day, = one of these days, < or earlier

  1  opening of the case record
     recorded TIME by local
     status: under monitoring, not at risk

  2  2023: verdict
     outcome: conviction; accusation: illegal border crossing; sentence, months: 6; \
jurisdiction: Kyrgyzstan
     recorded TIME by local (late report) · likely · published · sources: 1
     status: under monitoring, not at risk

  3  2023: expulsion order
     jurisdiction: Kyrgyzstan; authority: Бишкек, суд
     recorded TIME by local (late report) · likely · published · sources: 1
     status: under monitoring, not at risk

  4  between 2022 and May 2025: listing as wanted
     wanted list: national; jurisdiction: Russia
     recorded TIME by local (late report) · likely · published · sources: 1
     extradition: wanted
     status: wanted, not at risk

  5  May 2025: apprehension
     basis: wanted notice; place: Алматы
     recorded TIME by local (late report) · likely · published · sources: 2
     liberty: detained
     status: detained, at risk

  6  May 2025: custody order
     basis: extradition arrest; term, days: 40
     recorded TIME by local (late report) · likely · published · sources: 1
     liberty: detained → in custody  (accounts differ)
     status: in custody, at risk

  7  between June and July 2025: extension of custody
     basis: extradition arrest
     recorded TIME by local (late report) · likely · published · sources: 1
     liberty: in custody  (accounts no longer differ)
     status: in custody, at risk
"""


def steps(run: Run, *arguments: str) -> list[dict[str, Any]]:
    """Return the steps of the case `movlaev` as JSON."""
    result = run("replay", "ext:movlaev", "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout)["steps"]
    return found


def test_a_case_is_told_step_by_step(run_on_both: Run) -> None:
    run_on_both("import", "-", stdin=SEED)
    result = run_on_both("replay", "ext:movlaev")
    assert (result.exit_code, result.stderr) == (0, "")
    told = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME", result.stdout)
    told = re.sub(r"KZ-\w{4}-\w{4}", "CODE", re.sub(r"[0-9a-f-]{36}", "ID", told))
    assert told.startswith(TIMELINE)
    assert "decision concerned: step 11\n" in told
    assert told.endswith("\n12 steps; status: extradition under appeal, at risk\n")


def test_a_case_is_found_by_id_code_and_own_name(run: Run) -> None:
    run("import", "-", stdin=SEED)
    by_name = run("replay", "ext:movlaev").stdout
    code = by_name.split("\n")[0].split()[-1]
    assert run("replay", code.lower()).stdout == by_name
    case_id = by_name.split("\n")[2].removeprefix("case ")
    assert run("replay", case_id).stdout == by_name


def test_as_of_a_day_the_future_does_not_count(run: Run) -> None:
    run("import", "-", stdin=SEED)
    then = steps(run, "--as-of", "2025-12-31")
    assert [s["version"] for s in then if s.get("counted") is False] == [10, 11, 12]
    assert then[-1]["status"]["headline"] == "asylum_refused"
    assert "(later: does not count)" in run("replay", "ext:movlaev", "--as-of", "2025-12-31").stdout


def test_known_at_a_moment_later_records_are_left_out(run: Run) -> None:
    lines = SEED.splitlines(keepends=True)
    known = [line for line in lines if b"movlaev" in line]
    run("import", "-", stdin=b"".join(known[:5]))
    moment = steps(run)[-1]["recorded_at"]
    run("import", "-", stdin=b"".join(known))
    assert len(steps(run)) == 12
    before = steps(run, "--known-at", moment)
    assert [s["version"] for s in before] == [1, 2, 3, 4, 5]
    assert before[-1]["status"]["headline"] == "detained"
    nothing = run("replay", "ext:movlaev", "--known-at", "2020-01-01T00:00:00Z")
    assert (nothing.exit_code, nothing.stdout) == (1, "")


@pytest.mark.parametrize("case", ["ext:nobody", "KZ-0000-0000", "nonsense", "\x1b[2J"])
def test_a_case_that_is_not_there_is_said_in_one_line(run: Run, case: str) -> None:
    result = run("replay", case)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: there is no such case\n"


def test_a_name_of_several_cases_is_not_guessed(run: Run) -> None:
    run("partner", "add", "first")
    run("partner", "add", "second")
    for name in ("first", "second"):
        run("import", "--partner", name, "-", stdin=SEED)
    result = run("replay", "ext:movlaev")
    assert result.exit_code == 1
    assert len(re.findall(r"[0-9a-f-]{36}", result.stderr)) == 2


def test_what_partners_wrote_cannot_steer_the_terminal(run: Run) -> None:
    case = {
        "external_id": "x",
        "host_state": "KZ",
        "origin_state": "RU",
        "consent": {"publish": "none", "basis": "own"},
        "subject": {
            "names": [{"text": "A\u009bB\u202e[red]", "language": "en", "kind": "primary"}]
        },
    }
    assert run("import", "-", stdin=json.dumps({"case": case}).encode()).exit_code == 0
    told = run("replay", "ext:x").stdout
    assert told.startswith("A\\u009bB\\u202e[red]  KZ-")
    as_json = run("replay", "ext:x", "--json").stdout
    assert not {"\u009b", "\u202e"} & set(as_json)
    name = json.loads(as_json)["steps"][0]["event"]["subject"]["names"][0]["text"]
    assert name == "A\u009bB\u202e[red]"


def test_two_moments_are_compared(run_on_both: Run) -> None:
    """From the command line on both databases; the parts are told apart in test_comparison.py."""
    lines = [line for line in SEED.splitlines(keepends=True) if b"movlaev" in line]
    run_on_both("import", "-", stdin=b"".join(lines[:5]))
    moment = steps(run_on_both)[-1]["recorded_at"]
    run_on_both("import", "-", stdin=b"".join(lines[:6]))
    told = run_on_both("replay", "ext:movlaev", "--against", moment)
    assert (told.exit_code, told.stderr) == (0, "")
    head, made = told.stdout.split("\n\n1 event recorded in between:\n\n")
    assert head.endswith("\nliberty: detained, since 2025-05-01 to 2025-05-31 → in custody "
                         "(accounts differ), since 2025-05-01 to 2025-05-31\n"
                         "disputed, liberty: nothing → detained, in custody, "
                         "2025-05-01 to 2025-05-31, 2025-05-01 to 2025-05-31")  # fmt: skip
    assert f"as known at {moment} (older: --against), and at now (newer)\n" in head
    assert made.startswith("  6  May 2025: custody order\n")
    as_json = run_on_both("replay", "ext:movlaev", "--against", moment, "--json")
    found = json.loads(as_json.stdout)
    assert (found["older"]["version"], found["newer"]["version"]) == (5, 6)
    assert [e["step"]["version"] for e in found["events"]] == [6]
    # Nobody looks into what came after both.
    same = run_on_both("replay", "ext:movlaev", "--known-at", moment, "--against", moment)
    assert same.stdout.endswith("\nthe status is the same\n\nnothing was recorded in between\n")


def test_the_operator_sees_what_somebody_objected(run_on_both: Run, service: Service) -> None:
    service.tell()
    said = {"by": "lawyer", "text": "not my client", "contact": "a@example.org"}
    answer = service.client.post("/v1/objections", json={"case": service.case, **said})
    assert answer.status_code == 202
    shown = run_on_both("replay", service.case).stdout
    assert "  3  objection\n" in shown
    assert "by: lawyer; hides: True; contact: a@example.org; text: not my client\n" in shown


# -- the drawing ----------------------------------------------------------------------------------

STORY = (
    recording(1, "detention.apprehended", "2025-03-01"),
    recording(2, "wanted.listed", "../2025-04-10"),
    correcting(3, 1, "detention.apprehended", "2025-03-02"),
    recording(4, "extradition.surrendered", "2026-02-01"),
)


def drawing(events: list[Event], width: int | None = None, as_of: str | None = None) -> list[str]:
    """Return the lines of the drawing: on a terminal of a width, or in a pipe."""
    file = io.StringIO()
    console = Console(
        file=file, width=width or 1_000, force_terminal=width is not None, color_system=None
    )
    print_timeline(console, make_timeline(events, PARTNERS, as_of=as_of))
    lines = file.getvalue().split("\n")
    start = lines.index("") + 1
    *drawn, last = lines[start : lines.index("", start)]
    # Terminals get lines of text filled up.
    return [*drawn, last.rstrip()]


def test_each_event_is_a_bar_beside_the_status_after_it() -> None:
    assert drawing(told(*STORY), 80, as_of="2025-12-31") == [
        "         2025-04       2025-07       2025-10      2026-01",
        "     ----+-------------+-------------+-------------+-----",
        "  1  opening of the case record                            under monitoring",
        "  2  *                                                     detained",
        "  3  <======                                               detained",
        "  4  *                                                     detained",
        "  5                                                     *  later: does not count",
        "     * that day, = one of these days, < or earlier",
    ]


@pytest.mark.parametrize(
    ("width", "axis", "shows_status"), [(32, 27, False), (60, 55, False), (80, 40, True)]
)
def test_the_drawing_has_the_width_of_the_terminal(
    width: int, axis: int, shows_status: bool
) -> None:
    """Where there is no room for both, the status is told with the steps alone."""
    lines = drawing(told(*STORY), width)
    assert max(map(len, lines)) <= width
    assert len(lines[1]) == 5 + axis
    assert ("under monitoring" in lines[2]) is shows_status


def test_no_axis_is_so_wide_that_nobody_finds_the_status_of_a_bar() -> None:
    assert len(drawing(told(*STORY), 500)[1]) == 125


def test_in_a_pipe_the_drawing_is_that_of_eighty_columns() -> None:
    assert drawing(told(*STORY)) == drawing(told(*STORY), 80)


def test_a_case_without_dates_has_no_drawing() -> None:
    assert drawing(told())[0].startswith("  1  opening of the case record")
    assert drawing(told())[1].startswith("     recorded")
    erased = [structs.replace(event, body=Erased()) for event in told(*STORY)]
    assert drawing(erased)[0] == "  1  ERASED"
    assert drawing(erased)[1].startswith("     recorded")


def test_what_was_erased_has_no_bar_and_no_status() -> None:
    opened, *events = told(*STORY)
    lines = drawing([structs.replace(opened, body=Erased()), *events], 80)
    assert lines[2].split() == ["1", "ERASED", "erased"]
    assert lines[3].split() == ["2", "*", "erased"]


def test_a_long_name_of_an_event_does_not_move_the_status() -> None:
    lines = drawing(told(*STORY), 64)
    assert lines[2] == "  1  opening of the case reco  under monitoring"
    assert lines[3].index("detained") == lines[2].index("under")


def test_a_terminal_that_lacks_letters_shows_their_codes(run: Run) -> None:
    """As JSON does, so that JSON means the same."""
    run("import", "-", stdin=SEED)
    runner = CliRunner(charset="latin-1")
    plain = runner.invoke(main, ["replay", "ext:movlaev"])
    assert plain.exit_code == 0, plain.exception
    assert "liberty: detained \\u2192 in custody  (accounts differ)\n" in plain.stdout
    drawn = TIMELINE.split("\n\n")[1]
    assert f"\n\n{drawn}\n\n" in plain.stdout
    as_json = runner.invoke(main, ["replay", "ext:movlaev", "--json"])
    assert json.loads(as_json.stdout)["steps"] == steps(run)
