"""`caseflow import`: what it prints, what it stores, and how it ends."""

import json
from importlib.resources import files
from pathlib import Path

from .conftest import Run

SEED = files("caseflow.demo").joinpath("kazakhstan.ndjson").read_bytes()
CASE = (
    b'{"case": {"external_id": "a", "host_state": "KZ", "origin_state": "RU",'
    b' "consent": {"publish": "none", "basis": "own"}}}\n'
)


def counts(stdout: str) -> dict[str, int]:
    """Return the summary by its words."""
    return {word: int(number) for number, word in (line.split() for line in stdout.splitlines())}


def test_the_cases_are_imported_once(run_on_both: Run) -> None:
    first = run_on_both("import", "-", stdin=SEED)
    assert (first.exit_code, first.stderr) == (0, "")
    assert counts(first.stdout) == {"created": 81, "unchanged": 0, "rejected": 0}
    second = run_on_both("import", "-", stdin=SEED)
    assert second.exit_code == 0
    assert counts(second.stdout) == {"created": 0, "unchanged": 81, "rejected": 0}


def test_a_dry_run_records_nothing(run: Run) -> None:
    for _ in range(2):
        result = run("import", "-", "--dry-run", stdin=SEED)
        assert counts(result.stdout) == {"created": 81, "unchanged": 0, "rejected": 0}


def test_rejected_lines_are_told_by_number_and_stop_nothing(run: Run, tmp_path: Path) -> None:
    event = {"case": "ext:a", "external_id": "a/1", "type": "asylum.claim_made"}
    lines = [
        CASE,
        json.dumps({"event": event | {"occurred": "2026-02-30"}}).encode() + b"\n",
        b"\n",
        b"[bold]nonsense\n",
        json.dumps({"event": event | {"occurred": "2026-02"}}).encode(),
    ]
    (tmp_path / "lines").write_bytes(b"".join(lines))
    result = run("import", "lines")
    assert result.exit_code == 1
    assert counts(result.stdout) == {"created": 2, "unchanged": 0, "rejected": 2}
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == [
        "line 2",
        "  /event/occurred",
        "line 4",
    ]


def test_texts_of_the_file_cannot_steer_the_terminal(run: Run) -> None:
    field = "\\u001b]0;owned\\u0007[red]"
    line = CASE.replace(b'"external_id"', f'"{field}": 1, "external_id"'.encode())
    result = run("import", "-", stdin=line)
    assert result.exit_code == 1
    assert "\x1b" not in result.stderr
    assert f"/case/{field}: " in result.stderr


def test_without_a_partner_one_is_added(run: Run) -> None:
    assert run("import", "-", stdin=CASE).exit_code == 0
    assert run("partner", "list").stdout.splitlines()[1].startswith("local ")


def test_the_only_partner_is_taken(run: Run) -> None:
    run("partner", "add", "first")
    assert run("import", "-", stdin=CASE).exit_code == 0
    assert "local" not in run("partner", "list").stdout


def test_several_partners_have_to_be_chosen_from(run: Run) -> None:
    run("partner", "add", "first")
    run("partner", "add", "second")
    refused = run("import", "-", stdin=CASE)
    assert refused.exit_code == 2
    assert "--partner" in refused.stderr
    chosen = run("import", "--partner", "second", "-", stdin=CASE)
    assert counts(chosen.stdout)["created"] == 1
    # A partner's own names are its own: for the other partner this is a new case.
    other = run("import", "--partner", "first", "-", stdin=CASE)
    assert counts(other.stdout)["created"] == 1
    unknown = run("import", "--partner", "third", "-", stdin=CASE)
    assert (unknown.exit_code, unknown.stdout) == (1, "")
