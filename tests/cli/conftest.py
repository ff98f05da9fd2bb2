"""What the tests of the command line share: a place of its own, and a way to run commands."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from litestar.testing import TestClient

from caseflow.cli.house import current_settings
from caseflow.cli.main import main
from caseflow.serving import make_application

from .serving import Service

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty working directory: `run("partner", "list")`."""
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()

    def invoke(*arguments: str, stdin: bytes | None = None) -> Result:
        result = runner.invoke(main, arguments, input=stdin)
        # A traceback is a bug, whatever the exit code.
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def run_on_both(run: Run, monkeypatch: pytest.MonkeyPatch, database_url: str, keys_url: str) -> Run:
    """Run commands on an empty, migrated database, once of each kind."""
    monkeypatch.setenv("CASEFLOW_DATABASE_URL", database_url)
    monkeypatch.setenv("CASEFLOW_KEYS_URL", keys_url)
    assert run("migrate").exit_code == 0
    return run


@pytest.fixture
def service(run_on_both: Run) -> Iterator[Service]:
    """A service on the databases that the commands work on."""
    with TestClient(make_application(current_settings())) as client:
        yield Service(client)
