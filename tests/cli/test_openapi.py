"""`caseflow openapi`: the document in the file is the one that the code makes."""

from pathlib import Path

from .conftest import Run


def test_what_is_written_passes_the_check_and_what_is_changed_does_not(
    run: Run, tmp_path: Path
) -> None:
    missing = run("openapi", "--check")
    assert missing.exit_code == 1
    assert run("openapi").exit_code == 0
    assert run("openapi", "--check").exit_code == 0
    path = tmp_path / "openapi" / "caseflow.yaml"
    path.write_text(path.read_text("utf-8") + "changed: true\n", encoding="utf-8")
    changed = run("openapi", "--check")
    assert changed.exit_code == 1
    assert "-changed: true" in changed.stderr
    assert "run `caseflow openapi`" in changed.stderr


def test_the_file_may_be_another(run: Run, tmp_path: Path) -> None:
    assert run("openapi", "--output", "other.yaml").exit_code == 0
    assert (tmp_path / "other.yaml").exists()
