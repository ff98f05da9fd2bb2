"""`caseflow migrate`, `caseflow rebuild`, and what is said when a database cannot be used."""

from importlib.resources import files
from pathlib import Path

import pytest

from caseflow.cli.main import main

from .conftest import Run

SEED = files("caseflow.demo").joinpath("kazakhstan.ndjson").read_bytes()


def test_a_rebuild_prints_the_last_position(run_on_both: Run) -> None:
    run_on_both("import", "-", stdin=SEED)
    result = run_on_both("rebuild")
    assert (result.exit_code, result.stdout) == (0, "81\n")


def test_migrating_twice_changes_nothing(run_on_both: Run) -> None:
    assert run_on_both("migrate").exit_code == 0


def test_on_a_server_an_old_schema_stops_the_start(
    run: Run, monkeypatch: pytest.MonkeyPatch, postgresql_url: str
) -> None:
    monkeypatch.setenv("CASEFLOW_DATABASE_URL", postgresql_url)
    monkeypatch.setenv("CASEFLOW_KEYS_URL", "sqlite:///keys.db")
    result = run("serve")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "run `caseflow migrate`" in result.stderr


def test_a_setting_that_cannot_be_used_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASEFLOW_PORT", "80x")
    result = run("partner", "list")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: CASEFLOW_PORT ")


def test_a_server_that_is_away_is_told_without_the_password(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = f"postgresql://user:secret@/none?host={tmp_path}"
    monkeypatch.setenv("CASEFLOW_DATABASE_URL", server)
    monkeypatch.setenv("CASEFLOW_KEYS_URL", "sqlite:///keys.db")
    result = run("migrate")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: a database cannot be used: ")
    assert "secret" not in result.stderr


def test_a_missing_master_key_is_told_in_one_line(run: Run, tmp_path: Path) -> None:
    run("import", "-", stdin=SEED)
    (tmp_path / "caseflow-master.key").unlink()
    result = run("partner", "list")
    assert result.exit_code == 1
    assert "caseflow-master.key is missing" in result.stderr


def test_every_command_tells_what_it_does(run: Run) -> None:
    for name, command in main.commands.items():
        assert command.help, name
        assert run(name, "--help").exit_code == 0
