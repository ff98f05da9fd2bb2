"""docs/settings.md and the code agree: every setting has its row, with its true default."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from caseflow.settings import DEFAULTS, Settings, read_settings

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
ROW = re.compile(r"^\| `(?P<variable>[A-Z_]+)` \| `(?P<default>[^`]+)` \| \S.+ \|$", re.MULTILINE)


def test_every_setting_has_a_row_with_its_default() -> None:
    rows = {row["variable"]: row["default"] for row in ROW.finditer(PAGE.read_text("utf-8"))}
    assert rows == DEFAULTS


def test_every_field_is_a_variable() -> None:
    assert {f"CASEFLOW_{field.name.upper()}" for field in fields(Settings)} == set(DEFAULTS)


def test_only_documented_variables_are_read() -> None:
    class Recording(dict[str, str]):
        """An empty environment that remembers what it was asked for."""

        def get(self, key: str, default: Any = None) -> Any:
            read.add(key)
            return default

    read: set[str] = set()
    read_settings(Recording())
    assert read == set(DEFAULTS)
