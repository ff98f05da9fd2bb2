"""States: the codes that ISO 3166-1 assigns, and no others."""

import pytest
from babel import Locale

from caseflow.domain.countries import COUNTRIES, is_country

# In CLDR, but reserved or user-assigned codes in ISO 3166-1.
CLDR_ONLY = {
    "AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ",
}  # fmt: skip


def test_there_are_249_assigned_codes():
    assert len(COUNTRIES) == 249


def test_the_codes_are_those_of_an_independent_list():
    cldr = {code for code in Locale("en").territories if len(code) == 2}

    assert cldr - CLDR_ONLY == COUNTRIES


@pytest.mark.parametrize("code", ["KZ", "RU", "KG", "PS", "TW", "SS", "CW"])
def test_an_assigned_code_names_a_state(code):
    assert is_country(code)


@pytest.mark.parametrize(
    "code",
    [
        "kz",
        "Kz",
        "KAZ",
        "",
        " KZ",
        "KZ ",
        "398",
        "UK",
        "SU",
        "YU",
        "CS",
        "AN",
        "XK",
        "XX",
        "ZZ",
        "ҚЗ",
    ],
)
def test_any_other_text_does_not(code):
    assert not is_country(code)
