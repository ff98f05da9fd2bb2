"""`caseflow export`: the whole log as lines, with everything in it."""

import json
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from caseflow.cli.house import opened_house
from caseflow.proof.source import LogName

from .conftest import Run
from .serving import Service
from .test_erasure import WHY, make_key
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


# -- one case -------------------------------------------------------------------------------------


def export_case(run: Run, *more: str) -> bytes:
    result = run("export", "--case", "ext:movlaev", *more)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout_bytes


def key_of_house(log: LogName) -> str:
    """Return the verifier key of a log of the house in the working directory."""
    with opened_house() as house:
        house.publish()
        return house.served_logs[log].render_key()


@pytest.mark.parametrize("log", ["full", "public"])
def test_the_bundle_of_a_case_is_exported_and_verified(
    run_on_both: Run, tmp_path: Path, log: LogName
) -> None:
    run_on_both("import", "-", stdin=SEED)
    data = export_case(run_on_both, *(["--public"] if log == "public" else []))
    (tmp_path / "bundle.json").write_bytes(data)
    result = run_on_both("verify", "bundle.json", "--key", key_of_house(log), "--json")
    assert result.exit_code == 0, result.stdout
    found = json.loads(result.stdout)
    assert found["log"] == log
    assert len(found["events"]) >= 10
    assert {one["status"] for one in found["events"]} == {"VERIFIED"}
    for event in json.loads(data)["events"] if log == "full" else ():
        assert len(event["fields"]) == len(event["record"]["commitments"]), "all of them"


def test_a_bundle_is_written_for_its_owner_alone(run: Run, tmp_path: Path) -> None:
    run("import", "-", stdin=SEED)
    assert run("export", "--case", "ext:movlaev", "--output", "bundle.json").exit_code == 0
    path = tmp_path / "bundle.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == export_case(run)


def test_options_of_one_case_are_refused_without_it(run: Run) -> None:
    for arguments in (
        ["--public"],
        ["--since", "1"],
        ["--case", "ext:movlaev", "--after", "1"],
    ):
        assert run("export", *arguments).exit_code == 2
    assert "no such case" in run("export", "--case", "ext:nobody").stderr


@pytest.mark.parametrize("log", ["full", "public"])
def test_an_erased_case_is_proved_to_be_erased(
    run_on_both: Run, service: Service, tmp_path: Path, log: LogName
) -> None:
    case = service.tell()["case"]
    more = ["--public"] if log == "public" else []
    before = run_on_both("export", "--case", case, *more).stdout_bytes
    (tmp_path / "before.json").write_bytes(before)
    for name in ("first", "second"):
        key = make_key(run_on_both, tmp_path, name)
        run_on_both("erase", case, *WHY, "--key-file", key)
    size = int(json.loads(before)["statement"].split("\n")[2])
    after = run_on_both("export", "--case", case, "--since", str(size), *more)
    assert after.exit_code == 0, after.stderr
    (tmp_path / "after.json").write_bytes(after.stdout_bytes)
    asked = ("--key", json.loads(before)["key"], "--json")
    found = run_on_both("verify", "after.json", *asked, "--older", "before.json")
    assert found.exit_code == 0, found.stdout
    told = [(one["status"], one["type"]) for one in json.loads(found.stdout)["events"]]
    last = ("VERIFIED", "case.erased/1") if log == "full" else ("ERASED", None)
    assert told[:-1] == [("ERASED", None)] * (len(told) - 1)
    assert told[-1] == last
    # What somebody kept from before still proves what it proved.
    assert run_on_both("verify", "before.json", *asked).exit_code == 0
