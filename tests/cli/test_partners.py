"""`caseflow partner` and `caseflow key`: what a script reads stands alone on standard output."""

import re
import sqlite3
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from .conftest import Run

TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\dZ")


def list_keys(run: Run) -> list[dict[str, str]]:
    """Return the keys of the partner `first`, as they are listed, by column."""
    head, *lines = run("key", "list", "first").stdout.splitlines()
    names = re.split(r" {2,}", head.strip())
    return [dict(zip(names, re.split(r" {2,}", line.strip()), strict=True)) for line in lines]


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
    plain, expiring = list_keys(run)
    assert (plain["state"], plain["scopes"]) == ("in force", "review")
    assert (plain["expires"], plain["revoked"], plain["last used"]) == ("–", "–", "–")
    for told in (plain["issued"], expiring["expires"]):
        assert TIME.fullmatch(told)
    assert run("key", "revoke", plain["id"]).exit_code == 0
    revoked = list_keys(run)[0]
    assert revoked["state"] == "revoked"
    assert TIME.fullmatch(revoked["revoked"])
    assert run("key", "revoke", plain["id"]).exit_code == 1


def test_the_last_use_of_a_key_is_listed(run: Run, tmp_path: Path) -> None:
    run("partner", "add", "first")
    run("key", "issue", "first", "--scope", "review")
    with sqlite3.connect(tmp_path / "caseflow.db") as connection:
        connection.execute("UPDATE api_keys SET last_used_at = 1770716100000000")
    connection.close()
    assert list_keys(run)[0]["last used"] == "2026-02-10T09:35Z"


def test_a_key_is_rotated_to_one_that_is_printed_alone(run: Run, tmp_path: Path) -> None:
    run("partner", "add", "first")
    scopes = ("--scope", "review", "--scope", "events:write", "--expires-in-days", "7")
    old_key = run("key", "issue", "first", *scopes).stdout.strip()
    (old,) = list_keys(run)
    rotated = run("key", "rotate", old["id"])
    assert rotated.exit_code == 0
    key = rotated.stdout.removesuffix("\n")
    assert re.fullmatch(r"cfk_[A-Za-z0-9_-]{43}", key)
    assert key != old_key
    assert key not in rotated.stderr
    old_now, new = list_keys(run)
    assert (old_now["id"], old_now["state"]) == (old["id"], "in force")
    assert (new["scopes"], new["expires"]) == (old["scopes"], old["expires"])
    assert f"key {old['id']} ends at {old_now['expires']}\n" in rotated.stderr
    assert f"key {new['id']} takes its place and expires at {old['expires']}" in rotated.stderr
    with sqlite3.connect(tmp_path / "caseflow.db") as connection:
        digests = connection.execute("SELECT digest FROM api_keys ORDER BY created_at").fetchall()
    connection.close()
    assert digests == [(sha256(k.encode()).digest(),) for k in (old_key, key)]


@pytest.mark.parametrize(
    ("grace", "hours"),
    [([], 24), (["--grace", "0"], 0), (["--grace", "36h"], 36), (["--grace", "7d"], 168)],
)
def test_the_old_key_ends_after_the_time_of_grace(
    run: Run, tmp_path: Path, grace: list[str], hours: int
) -> None:
    run("partner", "add", "first")
    run("key", "issue", "first", "--scope", "review")
    assert run("key", "rotate", list_keys(run)[0]["id"], *grace).exit_code == 0
    with sqlite3.connect(tmp_path / "caseflow.db") as connection:
        query = "SELECT created_at, expires_at FROM api_keys ORDER BY created_at"
        (_, old_ends_at), (rotated_at, expires_at) = connection.execute(query).fetchall()
    connection.close()
    assert (old_ends_at - rotated_at, expires_at) == (hours * 3_600_000_000, None)
    assert list_keys(run)[0]["state"] == ("in force" if hours else "expired")


def test_what_is_not_in_force_is_not_rotated(run: Run) -> None:
    run("partner", "add", "first")
    run("key", "issue", "first", "--scope", "review")
    (old,) = list_keys(run)
    assert run("key", "rotate", old["id"], "--grace", "0").exit_code == 0
    for key_id in (old["id"], str(uuid4())):
        refused = run("key", "rotate", key_id)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "no such key in force" in refused.stderr
    assert len(list_keys(run)) == 2


@pytest.mark.parametrize("grace", ["24", "1w", "-1h", "1.5h", "", "99999d"])
def test_a_time_of_grace_says_its_unit(run: Run, grace: str) -> None:
    assert run("key", "rotate", str(uuid4()), "--grace", grace).exit_code == 2


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
