"""Which codes name a state: ISO 3166-1 alpha-2, officially assigned.

Names of states are words and belong to `formats/texts.py`.
"""

import re
from typing import Final

from iso3166 import countries_by_alpha2

# The user-assigned code elements of ISO 3166-1. The package carries one of them, XK (Kosovo).
_USER_ASSIGNED = re.compile("AA|Q[M-Z]|X[A-Z]|ZZ")

COUNTRIES: Final[frozenset[str]] = frozenset(
    code for code in countries_by_alpha2 if not _USER_ASSIGNED.fullmatch(code)
)


def is_country(code: str) -> bool:
    """Return whether the code is an assigned one; lower case, alpha-3 and former codes are not."""
    return code in COUNTRIES
