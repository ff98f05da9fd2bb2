"""The house that the environment describes, opened for one command."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caseflow.bootstrap import House
    from caseflow.eventstore.partners import Caller
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


def operator() -> "Caller":
    """Return who works at the command line, as the API knows callers: one who reads everything."""
    from caseflow.domain.events import OPERATOR_ID
    from caseflow.eventstore.partners import NO_KEY, Caller

    return Caller(OPERATOR_ID, None, frozenset({"restricted:read", "audit:read"}), NO_KEY)
