"""The separate verifier: one file that needs Python and `cryptography`, and nothing of ours."""

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from caseflow.formats.note import render_verifier_key
from tests.formats.bundles import ROOT, erased, key_of, twenty_events, witness_key

SCRIPT = ROOT / "tools" / "verify_bundle.py"
KEY = render_verifier_key(key_of("full"))
WITNESS = render_verifier_key(witness_key())
# What `cryptography` itself needs to talk to its library.
NEEDED = ("cryptography", "cffi", "_cffi_backend", "pycparser")
# Runs the script in an interpreter that finds the standard library and one folder, and says what
# it has loaded from there.
RUN = """
import runpy, sys
sys.path.append(sys.argv[1])
sys.argv = sys.argv[2:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    names = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names
    print(*sorted(names), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `cryptography` in it, and nothing else that could be imported."""
    folder = tmp_path_factory.mktemp("packages")
    for name in NEEDED:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            origin = Path(spec.origin)
            found = origin.parent if origin.name == "__init__.py" else origin
            (folder / found.name).symlink_to(found)
    return folder


def run(packages: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", "-c", RUN, packages, SCRIPT, *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


def test_it_imports_the_standard_library_and_cryptography_alone() -> None:
    tree = ast.parse(SCRIPT.read_text("utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    rooms = {name.partition(".")[0] for name in imported}
    assert rooms - sys.stdlib_module_names == {"cryptography"}


def test_it_runs_where_nothing_else_is_installed(packages: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.json"
    bundle.write_bytes(twenty_events().file(since=12))
    older = tmp_path / "older"
    older.write_bytes(twenty_events().checkpoint(12))
    found = run(packages, bundle, "--key", KEY, "--witness", WITNESS, "--older", older, "--json")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["status"] == "VERIFIED"
    loaded = {name for name in found.stderr.split() if not name.startswith("__")}
    assert "cryptography" in loaded
    assert loaded <= {*NEEDED, "_openssl"}, "nothing else was imported"


def test_the_exit_status_is_the_answer(packages: Path, tmp_path: Path) -> None:
    log = twenty_events()
    whole = log.file()
    document = json.loads(whole)
    document["events"].pop()
    short = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    for data, status, code in (
        (whole, "VERIFIED", 0),
        (whole.replace(b"person.entered", b"person.entereD", 1), "FAILED", 1),
        (short.encode(), "INCOMPLETE", 3),
        (log.file(erased(log)), "VERIFIED", 0),
        (b"", "FAILED", 1),
    ):
        path = tmp_path / "bundle.json"
        path.write_bytes(data)
        found = run(packages, path, "--key", KEY)
        assert found.returncode == code
        assert found.stdout.startswith(status)


def test_wrong_usage_is_no_answer(packages: Path, tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    path.write_bytes(twenty_events().file())
    bad = tmp_path / "bad"
    bad.write_bytes(b"{}")
    for arguments in (
        (path,),
        (path, "--key", KEY[:-1]),
        (path, "--key", WITNESS),
        (path, "--key", tmp_path / "missing"),
        (tmp_path / "missing", "--key", KEY),
        (path, "--key", KEY, "--older", bad),
    ):
        assert run(packages, *arguments).returncode == 2


def test_it_prints_nothing_that_steers_a_terminal(packages: Path, tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    log = twenty_events()
    log.add({"type": "\x1b[2J\u202e"})
    path.write_bytes(log.file())
    out = run(packages, path, "--key", KEY).stdout
    assert "\\u001b[2J\\u202e" in out
    assert "\x1b" not in out
