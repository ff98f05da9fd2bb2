"""`caseflow export`: the whole log as lines, with everything in it."""

import json
import sqlite3
import stat
from pathlib import Path
from typing import Any

from .conftest import Run
from .serving import Service
from .test_imports import SEED


def read_lines(text: str) -> list[dict[str, Any]]:
    """Return the values of lines, each of which must be whole."""
    assert not text or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_everything_is_exported_in_order(run_on_both: Run) -> None:
    run_on_both("import", "-", stdin=SEED)
    result = run_on_both("export")
    assert result.exit_code == 0
    lines = read_lines(result.stdout)
    assert [line["position"] for line in lines] == list(range(1, 82))
    assert "81 lines, up to position 81" in result.stderr
    assert any(line.get("visibility") == "restricted" for line in lines)
    assert all("external_id" in line for line in lines if line["type"] != "case.opened")


def test_it_goes_on_from_a_position(run_on_both: Run) -> None:
    run_on_both("import", "-", stdin=SEED)
    everything = run_on_both("export").stdout.splitlines()
    assert run_on_both("export", "--after", "50").stdout.splitlines() == everything[50:]
    ended = run_on_both("export", "--after", "81")
    assert (ended.exit_code, ended.stdout) == (0, "")
    assert "0 lines" in ended.stderr


def test_a_file_is_for_its_owner_alone(run: Run, tmp_path: Path) -> None:
    run("import", "-", stdin=SEED)
    result = run("export", "--output", "log.ndjson")
    assert (result.exit_code, result.stdout) == (0, "")
    file = tmp_path / "log.ndjson"
    assert file.read_text("utf-8") == run("export").stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_empty_house_has_no_lines(run: Run) -> None:
    result = run("export")
    assert (result.exit_code, result.stdout) == (0, "")
    assert run("export", "--after", "-1").exit_code == 2


def test_it_is_what_the_service_gives_a_key_that_reads_everything(
    run_on_both: Run, service: Service
) -> None:
    service.tell()
    run_on_both("freeze")
    headers = service.issue("restricted:read", "audit:read")
    asked = service.client.get("/v1/exports/log", headers=headers)
    assert run_on_both("export").stdout == asked.text
    assert [line["type"] for line in read_lines(asked.text)] == [
        "case.opened", "wanted.removed", "publication.frozen",
    ]  # fmt: skip


def test_texts_cannot_steer_a_terminal_and_mean_the_same(run: Run) -> None:
    note = "\x1b]0;owned\x07 \u202eright"
    case = {
        "external_id": "a", "host_state": "KZ", "origin_state": "RU",
        "consent": {"publish": "none", "basis": "own"},
    }  # fmt: skip
    event = {
        "case": "ext:a", "external_id": "a/1", "type": "asylum.claim_made", "occurred": "2025",
        "private_note": note.replace("\x1b", "").replace("\x07", ""),
    }  # fmt: skip
    lines = "\n".join(json.dumps(line) for line in ({"case": case}, {"event": event}))
    assert run("import", "-", stdin=lines.encode()).exit_code == 0
    result = run("export")
    assert "\u202e" not in result.stdout
    assert "\\u202e" in result.stdout
    assert read_lines(result.stdout)[1]["private_note"] == event["private_note"]


def test_the_log_of_reads_is_not_written(run: Run, tmp_path: Path) -> None:
    run("import", "-", stdin=SEED)
    assert run("export").exit_code == 0
    with sqlite3.connect(tmp_path / "caseflow.db") as connection:
        (count,) = connection.execute("SELECT count(*) FROM restricted_reads").fetchone()
    connection.close()
    assert count == 0
