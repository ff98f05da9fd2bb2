"""Country facts as data: terms and limits, each with its source.

One file per state. None has been reviewed by a lawyer until it says so.
"""

from functools import cache
from importlib.resources import files

import msgspec
from msgspec import Struct


class Term(Struct, frozen=True, forbid_unknown_fields=True):
    """One limit: its number (the unit is in its name), what it says, and where it stands.

    starts_with: the type of the claim from which it is counted.
    """

    value: int
    starts_with: str
    says: str
    source: str


class RulePack(Struct, frozen=True, forbid_unknown_fields=True):
    """The terms of one state's law, by name."""

    state: str
    reviewed_by_lawyer: bool
    note: str
    terms: dict[str, Term]


@cache
def find_rule_pack(state: str) -> RulePack | None:
    """Return the rule pack of a state (ISO 3166-1 alpha-2), or None where there is none."""
    file = files(__name__) / f"{state}.json"
    return msgspec.json.decode(file.read_bytes(), type=RulePack) if file.is_file() else None
