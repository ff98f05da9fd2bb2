"""`caseflow witness`, against a service in a process of its own."""

import base64
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from caseflow.formats.checkpoint import Checkpoint
from caseflow.formats.note import COSIGNATURE_V1, parse_verifier_key
from caseflow.proof.signing import Signer
from caseflow.settings import Settings
from tests.served import ServedHouse, served_house

from .conftest import Run

NAME = "witness.example/w1"


@pytest.fixture
def arguments(run: Run, tmp_path: Path) -> list[str]:
    """The options of a witness whose key is there."""
    options = ["--key-file", str(tmp_path / "witness.key"), "--name", NAME]
    assert run("witness", *options, "--print-key").exit_code == 0
    return [*options, "--state", str(tmp_path / "seen")]


def test_a_key_is_made_once_and_printed(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "w.key"
    printed = [
        run("witness", "--key-file", str(file), "--name", NAME, "--print-key").stdout.strip()
        for _ in "12"
    ]
    assert printed[0] == printed[1]
    key = parse_verifier_key(printed[0])
    assert (key.name, key.signature_type) == (NAME, COSIGNATURE_V1)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("missing", ["URL", "--log-key", "--state"])
def test_it_says_what_it_needs(run: Run, arguments: list[str], missing: str) -> None:
    given = {"URL": ["http://x/v1/log"], "--log-key": ["--log-key", "k"], "--state": arguments[4:]}
    told = [word for name, words in given.items() if name != missing for word in words]
    result = run("witness", *told, *arguments[:4])
    assert (result.exit_code, result.stdout) == (2, "")


def test_with_a_memory_and_without_a_key_it_is_another_witness(
    run: Run, arguments: list[str], tmp_path: Path
) -> None:
    (tmp_path / "seen").write_text("something")
    (tmp_path / "witness.key").unlink()
    told = ["http://127.0.0.1:1/v1/log", "--log-key", LOG_KEY, *arguments]
    result = run("witness", *told)
    assert result.exit_code == 1
    assert "witness key file" in result.stderr
    assert not (tmp_path / "witness.key").exists()


LOG_KEY = "caseflow.example/v1/log/full+5b1d5025+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"


def test_a_log_that_cannot_be_reached_is_told(run: Run, arguments: list[str]) -> None:
    result = run("witness", "http://127.0.0.1:1/v1/log", "--log-key", LOG_KEY, *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cannot be reached" in result.stderr


@pytest.fixture
def witnessed(
    run: Run,
    arguments: list[str],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> Iterator[ServedHouse]:
    """A service that takes the lines of the witness."""
    key = run("witness", *arguments, "--print-key").stdout.strip()
    with served_house("sqlite", request, tmp_path, CASEFLOW_WITNESSES=key) as house:
        house.start()
        house.wait_until_ready()
        yield house


def test_it_cosigns_and_the_service_serves_it(
    run: Run, arguments: list[str], witnessed: ServedHouse, tmp_path: Path
) -> None:
    url = f"{witnessed.url}/v1/log"
    key = httpx.get(f"{url}/key").text.strip()
    for address in (url, witnessed.url, f"{witnessed.url}/"):
        result = run("witness", address, "--log-key", key, *arguments)
        assert result.exit_code == 0, result.stderr
        assert "cosigned" in result.stderr
    note = httpx.get(f"{url}/checkpoint?witnesses=1").text
    assert f"\n— {NAME} " in note
    assert (tmp_path / "seen").read_text("utf-8").splitlines()[:3] == note.splitlines()[:3]
    # What it saw before and what is shown now are of one size and contradict each other.
    seen = tmp_path / "seen"
    forged = sign_other_root(witnessed.settings, note.splitlines()[0])
    seen.write_bytes(forged)
    result = run("witness", url, "--log-key", key, *arguments)
    assert result.exit_code == 1
    assert re.findall("^# (.*)$", result.stdout, re.MULTILINE) == ["seen before", "shown now"]
    assert forged.decode() in result.stdout
    assert "has shown 7" in result.stderr
    assert seen.read_bytes() == forged


def sign_other_root(settings: Settings, origin: str) -> bytes:
    """Return a checkpoint that the log's key signed, and the log never showed."""
    signer = Signer(base64.b64decode(settings.signing_key_file.read_bytes()))
    return signer.sign(Checkpoint(origin, 7, bytes(32)))


def test_lines_that_are_not_taken_are_told(
    run: Run, arguments: list[str], witnessed: ServedHouse
) -> None:
    url = f"{witnessed.url}/v1/log"
    key = httpx.get(f"{url}/key").text.strip()
    result = run(
        "witness", url, "--log-key", key, *arguments[:2], "--name", "other", *arguments[4:]
    )
    assert result.exit_code == 1
    assert "no cosignature of a witness that is known here" in result.stderr


def test_the_full_log_is_for_keys(run: Run, arguments: list[str], witnessed: ServedHouse) -> None:
    url = f"{witnessed.url}/v1/log/full"
    result = run("witness", url, "--log-key", LOG_KEY, *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "401" in result.stderr
