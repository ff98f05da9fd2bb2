"""`caseflow erase`: the word of one admin, with a key in a file, beside a service that runs."""

from pathlib import Path

import pytest

from .conftest import Run
from .serving import OPENING, Service

WHY = ("--reason", "The person asked for it.", "--legal-basis", "Withdrawal of consent")


def make_key(run: Run, folder: Path, name: str, scope: str = "admin") -> str:
    """Return the path of a file with the key of a new partner."""
    assert run("partner", "add", name).exit_code == 0
    issued = run("key", "issue", name, "--scope", scope)
    file = folder / f"{name}.key"
    file.write_text(issued.stdout)
    return str(file)


def test_two_admins_erase_a_case(run_on_both: Run, service: Service, tmp_path: Path) -> None:
    event = service.tell()
    case, headers = event["case"], service.headers
    files = [make_key(run_on_both, tmp_path, name) for name in ("first", "second")]
    asked = run_on_both("erase", case, *WHY, "--key-file", files[0])
    assert (asked.exit_code, asked.stdout) == (3, "")
    assert "another admin" in asked.stderr
    again = run_on_both("erase", case, *WHY, "--key-file", files[0])
    assert again.exit_code == 3
    assert service.client.get(f"/v1/cases/{case}", headers=headers).status_code == 200
    done = run_on_both("erase", case, *WHY, "--key-file", files[1])
    assert (done.exit_code, done.stdout) == (0, f"{case}\n")
    assert service.client.get(f"/v1/cases/{case}", headers=headers).status_code == 410
    # The service goes on under the new master key.
    service.post("/v1/cases", OPENING)
    told = run_on_both("replay", case)
    assert told.exit_code == 0
    assert "ERASED" in told.stdout
    assert "The person asked for it." in told.stdout
    gone = run_on_both("erase", case, *WHY, "--key-file", files[0])
    assert (gone.exit_code, gone.stderr) == (1, "Error: the case was erased\n")


def test_the_key_is_asked_for(run: Run, tmp_path: Path) -> None:
    assert run("partner", "add", "local").exit_code == 0
    key = Path(make_key(run, tmp_path, "admin")).read_bytes()
    refused = run("erase", "KZ-0000-0000", *WHY, stdin=key)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "there is no such case" in refused.stderr
    assert key.decode().strip() not in refused.stderr


@pytest.mark.parametrize(
    ("scope", "message"), [("review", "the key needs the scope admin"), (None, "unknown")]
)
def test_a_key_that_is_no_admins_is_refused(
    run: Run, tmp_path: Path, scope: str | None, message: str
) -> None:
    if scope:
        file = make_key(run, tmp_path, "local", scope)
    else:
        file = str(tmp_path / "none.key")
        Path(file).write_text("cfk_nothing\n")
    refused = run("erase", "KZ-0000-0000", *WHY, "--key-file", file)
    assert refused.exit_code == 1
    assert message in refused.stderr
