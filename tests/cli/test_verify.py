"""`caseflow verify`: a file, a key, an answer; nothing else is asked for or left behind."""

import json
from pathlib import Path

import pytest

from caseflow.formats.note import render_verifier_key
from tests.formats.bundles import Log, erased, key_of, twenty_events, witness_key

from .conftest import Run

DATA = Path(__file__).parents[1] / "formats" / "data"
KEY = render_verifier_key(key_of("full"))
PUBLIC_KEY = render_verifier_key(key_of("public"))
WITNESS = render_verifier_key(witness_key())


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    (tmp_path / "bundle.json").write_bytes(twenty_events().file(since=12))
    return "bundle.json"


def test_a_bundle_is_told_event_by_event(run: Run, bundle: str, tmp_path: Path) -> None:
    result = run("verify", bundle, "--key", KEY, "--witness", WITNESS)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "VERIFIED"
    assert "at size 24" in lines[1]
    assert lines[2] == "cosigned by witness.example/w1 on 2026-02-02 02:40:00 UTC"
    assert len([line for line in lines if "person.entered/1" in line]) == 20
    assert [path.name for path in tmp_path.iterdir()] == ["bundle.json"]


def test_the_json_is_the_report(run: Run, bundle: str) -> None:
    found = json.loads(run("verify", bundle, "--key", KEY, "--json").stdout)
    assert found["status"] == "VERIFIED"
    assert found["witnesses"][0]["trusted"] is False
    assert [one["status"] for one in found["events"]] == ["VERIFIED"] * 20


def test_keys_may_stand_in_files(run: Run, bundle: str, tmp_path: Path) -> None:
    (tmp_path / "log.key").write_text(KEY + "\n")
    assert run("verify", bundle, "--key", "log.key").exit_code == 0


def test_the_exit_status_is_the_answer(run: Run, bundle: str, tmp_path: Path) -> None:
    data = (tmp_path / bundle).read_bytes()
    document = json.loads(data)
    document["events"].pop()
    encoded = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    (tmp_path / "short.json").write_text(encoded)
    (tmp_path / "wrong.json").write_bytes(data.replace(b"person.entered", b"person.entereD", 1))
    log = twenty_events()
    (tmp_path / "erased.json").write_bytes(log.file(erased(log)))
    assert run("verify", "short.json", "--key", KEY).exit_code == 3
    assert run("verify", "wrong.json", "--key", KEY).exit_code == 1
    assert run("verify", "erased.json", "--key", KEY).exit_code == 0
    assert run("verify", bundle, "--key", PUBLIC_KEY).exit_code == 1
    (tmp_path / "nothing").write_bytes(b"")
    result = run("verify", "nothing", "--key", KEY)
    assert (result.exit_code, result.stdout) == (
        1,
        "FAILED\nthis is not a bundle in its one form\n",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify", "bundle.json"],
        ["verify", "missing.json", "--key", KEY],
        ["verify", "bundle.json", "--key", "missing.key"],
        ["verify", "bundle.json", "--key", KEY[:-1]],
        ["verify", "bundle.json", "--key", WITNESS],
        ["verify", "bundle.json", "--key", KEY, "--witness", KEY],
        ["verify", "bundle.json", "--key", KEY, "--witness", "bundle.json"],
        ["verify", "bundle.json", "--key", KEY, "--older", "bad"],
    ],
    ids=str,
)
def test_wrong_usage_is_no_answer(
    run: Run, bundle: str, tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "bad").write_bytes(b"{}")
    assert run(*arguments).exit_code == 2


def test_fewer_witnesses_than_asked_for_are_incomplete(run: Run, bundle: str) -> None:
    other = render_verifier_key(witness_key(name="other.example"))
    asked = ["verify", bundle, "--key", KEY, "--witness", WITNESS]
    assert run(*asked, "--min-witnesses", "2").exit_code == 3
    assert run("verify", bundle, "--key", KEY, "--witness", other).exit_code == 3
    assert run(*asked[:-2], "--witness", other, "--min-witnesses", "0").exit_code == 0


def test_an_older_file_is_compared(run: Run, bundle: str, tmp_path: Path) -> None:
    log = twenty_events()
    (tmp_path / "older").write_bytes(log.checkpoint(12))
    result = run("verify", bundle, "--key", KEY, "--older", "older")
    assert result.exit_code == 0
    assert "the log grew from the size 12" in result.stdout
    del log.records[11]
    log.add()
    (tmp_path / "older").write_bytes(log.checkpoint(12))
    result = run("verify", bundle, "--key", KEY, "--older", "older")
    assert result.exit_code == 1
    assert "two roots" in result.stdout


def test_disclosed_fields_are_shown_and_steer_no_terminal(run: Run, tmp_path: Path) -> None:
    log = Log()
    log.add({"place": "Алматы \x1b[2J[red]\u202e", "type": "x/1"})
    (tmp_path / "bundle.json").write_bytes(log.file())
    shown = run("verify", "bundle.json", "--key", KEY, "--field", "place", "--field", "other")
    assert 'place: "Алматы \\u001b[2J[red]\\u202e"' in shown.stdout
    assert "Алматы" not in run("verify", "bundle.json", "--key", KEY).stdout


def test_members_of_what_is_public_are_shown(run: Run) -> None:
    result = run(
        "verify", str(DATA / "bundle-public.json"), "--key", PUBLIC_KEY, "--field", "labels"
    )
    assert result.exit_code == 0
    assert result.stdout.count('labels: {"ru":"М. М."}') == 3
