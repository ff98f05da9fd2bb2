"""The house that the environment describes, opened for one command."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caseflow.bootstrap import House
    from caseflow.settings import Settings


def current_settings() -> "Settings":
    """Return the settings of this process. Raises SettingsError."""
    from caseflow.settings import read_settings

    return read_settings(os.environ)


@contextmanager
def opened_house(settings: "Settings | None" = None) -> Iterator["House"]:
    """Yield a running house. Raises what `bootstrap.open_house` does."""
    from caseflow.bootstrap import open_house

    with open_house(settings or current_settings()) as house:
        yield house
