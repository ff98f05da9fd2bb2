"""`caseflow partner` and `caseflow key`: what a script reads stands alone on standard output."""

import sqlite3
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest

from .conftest import Run


def test_a_partner_s_id_is_printed_alone(run: Run) -> None:
    added = run("partner", "add", "Relatives", "--public-name", "Родные")
    assert added.exit_code == 0
    listed = run("partner", "list").stdout
    assert listed.splitlines()[1].split() == [
        "Relatives",
        "Родные",
        str(UUID(added.stdout.strip())),
    ]


def test_a_key_is_printed_alone_and_kept_as_a_hash(run: Run, tmp_path: Path) -> None:
    run("partner", "add", "first")
    issued = run("key", "issue", "first", "--scope", "events:write", "--scope", "review")
    assert issued.exit_code == 0
    key = issued.stdout.removesuffix("\n")
    assert key.startswith("cfk_")
    assert not set(key) & {" ", "\n"}
    assert key not in issued.stderr
    with sqlite3.connect(tmp_path / "caseflow.db") as connection:
        stored = connection.execute("SELECT digest, scopes FROM api_keys").fetchall()
    connection.close()
    assert stored == [(sha256(key.encode()).digest(), "events:write review")]


def test_keys_are_listed_with_what_became_of_them(run: Run) -> None:
    run("partner", "add", "first")
    run("key", "issue", "first", "--scope", "review")
    run("key", "issue", "first", "--scope", "admin", "--expires-in-days", "7")
    in_force, expiring = run("key", "list", "first").stdout.splitlines()[1:]
    assert in_force.rstrip().endswith("in force")
    assert " expires 20" in expiring
    key_id = in_force.split()[0]
    assert run("key", "revoke", key_id).exit_code == 0
    assert " revoked 20" in run("key", "list", "first").stdout
    assert run("key", "revoke", key_id).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("key", "issue", "nobody", "--scope", "review"), "no partner named nobody"),
        (("key", "issue", "first", "--scope", "all"), "scopes are some of"),
        (("key", "list", "\x1b[2J"), "no partner named \\u001b[2J"),
        (("partner", "add", "first"), "a partner named first already"),
    ],
)
def test_refusals_are_one_line_on_standard_error(
    run: Run, arguments: tuple[str, ...], message: str
) -> None:
    run("partner", "add", "first")
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 201])
def test_a_name_that_cannot_be_shown_is_refused(run: Run, name: str) -> None:
    assert run("partner", "add", name).exit_code == 2
    assert run("partner", "add", "fine", "--public-name", name).exit_code == 2
