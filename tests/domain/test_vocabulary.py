"""The vocabulary: every type with its fields, values and effects, as the design lists them."""

from typing import Any, get_args

import msgspec
import pytest

from caseflow.domain.vocabulary import ORDERS, TYPES, AnyClaim, Claim, type_of, values_of
from tests.strategies import REQUIRED, claim

COMMON = set(Claim.__struct_fields__)
# Field -> whether it is required, as in the table of the design.
FIELDS: dict[str, dict[str, bool]] = {
    "detention.apprehended": {"basis": True},
    "detention.custody_ordered": {"basis": True, "term_days": False},
    "detention.custody_extended": {"basis": False, "term_days": False, "until": False},
    "detention.released": {"condition": True},
    "wanted.listed": {"list": True},
    "extradition.refused": {"ground": False},
    "extradition.surrendered": {"destination": False},
    "asylum.refused": {"stage": True},
    "expulsion.ordered": {"entry_ban_months": False},
    "expulsion.executed": {"destination": False},
    "appeal.filed": {"against": True, "forum": False},
    "appeal.hearing_set": {"against": True, "on": True},
    "appeal.decided": {"against": True, "outcome": True},
    "appeal.became_final": {"against": True},
    "interim.decided": {"outcome": True},
    "return.abducted": {"destination": False},
    "return.voluntary": {"pressure": True},
    "prosecution.charged": {"accusation": True},
    "prosecution.verdict": {
        "outcome": True, "accusation": False, "term_months": False, "suspended": False,
    },
    "prosecution.ended": {"reason": True},
    "departure.left": {"form": False, "destination": False},
    "departure.protected": {"form": False, "destination": False},
    "case.closed": {"reason": True},
}  # fmt: skip
VALUES = {
    ("detention.apprehended", "basis"): "border transit wanted administrative criminal other",
    ("detention.custody_ordered", "basis"): "extradition administrative criminal other",
    ("detention.custody_extended", "basis"): "extradition administrative criminal other",
    ("detention.released", "condition"): "none bail house_arrest undertaking",
    ("wanted.listed", "list"): "national cis interpol other",
    ("asylum.refused", "stage"): "registration first_instance repeat",
    ("appeal.decided", "outcome"): "upheld quashed remitted",
    ("interim.decided", "outcome"): "granted refused lifted",
    ("return.voluntary", "pressure"): "none pressured unknown",
    ("prosecution.verdict", "outcome"): "convicted acquitted",
    ("prosecution.ended", "reason"): "served pardoned exchanged dropped sent_to_war other",
    ("departure.left", "form"): "visa humanitarian_visa asylum residence other",
    ("departure.protected", "form"): "visa humanitarian_visa asylum residence other",
    ("case.closed", "reason"): "resolved contact_lost other",
    ("person.died", "verification"): "confirmed likely possible unlikely",
    ("person.died", "visibility"): "public partners restricted",
}


def test_there_are_forty_five_types_each_once_in_the_union() -> None:
    structs = [rule.struct for rule in TYPES.values()]
    assert len(TYPES) == len(set(structs)) == 45
    assert set(get_args(AnyClaim)) == set(structs)


@pytest.mark.parametrize("type_code", sorted(TYPES))
def test_a_type_has_its_fields_and_no_others(type_code: str) -> None:
    struct = TYPES[type_code].struct
    own = {f for f in struct.__struct_fields__ if f not in COMMON}
    expected = FIELDS.get(type_code, {})
    assert own == expected.keys()
    required = {f.encode_name for f in msgspec.structs.fields(struct) if f.required}
    assert required == {"occurred"} | {name for name, needed in expected.items() if needed}


@pytest.mark.parametrize(("type_code", "field"), VALUES)
def test_a_field_takes_its_values_and_no_others(type_code: str, field: str) -> None:
    values = VALUES[type_code, field].split()
    assert sorted(values_of(TYPES[type_code].struct, field)) == sorted(values)
    for value in values:
        claim(type_code, **{field: value})
    with pytest.raises(msgspec.ValidationError):
        claim(type_code, **{field: "elsewise"})


def test_values_of_a_field_that_is_no_enumeration_are_none() -> None:
    assert values_of(TYPES["extradition.refused"].struct, "ground") == ()


@pytest.mark.parametrize("type_code", sorted(TYPES))
def test_the_defaults_are_likely_and_for_partners(type_code: str) -> None:
    told = claim(type_code)
    assert type_of(told) == type_code
    assert (told.verification, told.visibility, told.jurisdiction) == ("likely", "partners", None)


@pytest.mark.parametrize("type_code", sorted(TYPES))
def test_what_is_stored_is_read_back_equal(type_code: str) -> None:
    fields: dict[str, Any] = {"after": 7, "summary": {"kk": "Сөз"}, "sources": [{"title": "T"}]}
    told = claim(type_code, **fields)
    stored = msgspec.json.encode(told)
    assert msgspec.json.decode(stored, type=AnyClaim) == told
    assert msgspec.json.encode(msgspec.json.decode(stored, type=AnyClaim)) == stored


def test_every_effect_is_a_state_of_its_track() -> None:
    for rule in TYPES.values():
        for track, state in rule.effects.items():
            outcomes = values_of(rule.struct, "outcome") if "{" in state else ("",)
            assert {state.format(outcome=o) for o in outcomes} <= set(ORDERS[track])


def test_required_values_of_the_tests_are_known() -> None:
    assert REQUIRED.keys() <= TYPES.keys()
