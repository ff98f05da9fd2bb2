"""Bad input is refused with a pointer to each fault, before anything is decided."""

from typing import Any

import msgspec
import pytest

from caseflow.domain.checks import check_claim, check_opening
from caseflow.domain.commands import OpenCase
from caseflow.domain.errors import InvalidDateError, InvalidInputError
from caseflow.domain.events import Consent, Name, Subject
from caseflow.domain.times import parse_time
from tests.strategies import REQUIRED, claim, demo_cases, numbered


def pointers(type_code: str, occurred: str = "2025-05", **fields: Any) -> list[str]:
    with pytest.raises(InvalidInputError) as refused:
        check_claim(claim(type_code, occurred, **fields))
    assert all(reason for _, reason in refused.value.errors)
    return [pointer for pointer, _ in refused.value.errors]


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30", "2025-02-29", "2026-13", "2026-00", "2026-00-10", "2026-01-00", "May 2025",
        "2025-5-1", "25-05-01", "2025/", "2025/..", "[2025..]", "2025-05-01T10:00:00Z", "+2025",
        "-2025", "Y12025", "{2025,2026}", "[2025,2026]", "2026/2025", "[2026..2025]", "2025-05-",
        "20X5", "2025~-05", "[2025~..2026]", "٢٠٢٥", "2025-05\n", " 2025", "2025-25", "unknown",
        "2025-X1", "..", "/", "2025//2026", "2025-05-01/2025-02-30",
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["occurred", "notified"])
def test_dates_that_do_not_exist_or_are_malformed(text: str, field: str) -> None:
    assert pointers("person.died", **{field: text}) == [f"/{field}"]


def test_dates_of_a_type_and_of_its_sources() -> None:
    assert pointers("detention.custody_extended", until="2026-13") == ["/until"]
    assert pointers("appeal.hearing_set", on="2026-02-30") == ["/on"]
    sources = [{"title": "T"}, {"title": "T", "published": "2026-02-31"}]
    assert pointers("person.died", sources=sources) == ["/sources/1/published"]


@pytest.mark.parametrize("code", ["XX", "ZZ", "SU", "UK", "EU", "XK", "AA", "QQ"])
def test_states_that_do_not_exist(code: str) -> None:
    assert pointers("person.died", jurisdiction=code) == ["/jurisdiction"]
    assert pointers("departure.left", destination=code) == ["/destination"]


@pytest.mark.parametrize("bad", ["\x00", "\x0b", "\x0c", "\x1f", "\ufffe", "\uffff", "\ud800"])
def test_texts_that_xml_cannot_carry(bad: str) -> None:
    text = f"words{bad}words"
    assert pointers("person.died", place=text) == ["/place"]
    assert pointers("person.died", summary={"kk": text}) == ["/summary/kk"]
    assert pointers("person.died", private_note=text) == ["/private_note"]
    assert pointers("person.died", external_id=text) == ["/external_id"]
    assert pointers("prosecution.charged", accusation=text) == ["/accusation"]
    assert pointers("person.died", sources=[{"title": text}]) == ["/sources/0/title"]


def test_texts_that_xml_can_carry() -> None:
    check_claim(claim("person.died", place="tab\tline\nemoji 😀 Қазақстан <b>&amp;</b> \u0085"))


def test_sources_need_a_title_or_an_address() -> None:
    assert pointers("person.died", sources=[{"publisher": "P"}]) == ["/sources/0"]
    check_claim(claim("person.died", sources=[{"url": "https://example.org/a"}]))


def test_an_embargo_needs_a_moment() -> None:
    for text in ("2026-02-10", "2026-02-10T00:00:00", "tomorrow", "2026-13-10T00:00:00Z"):
        assert pointers("person.died", publish_after=text) == ["/publish_after"]


def test_an_empty_summary_is_refused() -> None:
    assert pointers("person.died", summary={}) == ["/summary"]


def test_every_fault_is_found_at_once() -> None:
    found = pointers("departure.left", "2026-13", destination="XX", place="\x00")
    assert sorted(found) == ["/destination", "/occurred", "/place"]


@pytest.mark.parametrize(
    ("type_code", "fields"),
    [
        ("extradition.teleported", {}),  # unknown type
        ("", {}),
        ("case.opened", {}),  # no claim
        ("person.died", {"mood": "sad"}),  # unknown field
        ("person.died", {"basis": "wanted"}),  # a field of another type
        ("asylum.refused", {"outcome": "upheld"}),
        ("detention.apprehended", {"basis": "extradition"}),  # a value of another type's field
        ("detention.custody_ordered", {"basis": "wanted"}),
        ("appeal.decided", {"against": "x", "outcome": "lost"}),
        ("person.died", {"verification": "certain"}),
        ("person.died", {"visibility": "friends"}),
        ("person.died", {"jurisdiction": "kz"}),
        ("person.died", {"jurisdiction": "KAZ"}),
        ("person.died", {"occurred": ""}),
        ("person.died", {"occurred": 2025}),
        ("person.died", {"occurred": None}),
        ("person.died", {"summary": {"de": "tot"}}),
        ("person.died", {"summary": "died"}),
        ("person.died", {"sources": [{"title": "T", "author": "A"}]}),
        ("person.died", {"sources": [{"url": "javascript:alert(1)"}]}),
        ("person.died", {"sources": [{"url": "ftp://example.org"}]}),
        ("person.died", {"sources": [{"title": "T", "sha256": "xyz"}]}),
        ("person.died", {"sources": [{"title": "T", "connection": "friend"}]}),
        ("detention.custody_ordered", {"term_days": -1}),
        ("detention.custody_ordered", {"term_days": 1.5}),
        ("prosecution.verdict", {"suspended": "yes"}),
    ],
)
def test_what_the_vocabulary_does_not_know(type_code: str, fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        claim(type_code, **fields)


@pytest.mark.parametrize("type_code", sorted(REQUIRED))
def test_required_fields_are_required(type_code: str) -> None:
    for field in REQUIRED[type_code]:
        with pytest.raises(msgspec.ValidationError):
            claim(type_code, **{field: None})


def test_every_demo_claim_and_case_is_accepted() -> None:
    for case in demo_cases().values():
        check_opening(
            opening(
                persons=case.fields["persons"],
                subject=msgspec.convert(case.fields.get("subject", {}), type=Subject),
                consent=msgspec.convert(case.fields["consent"], type=Consent),
            )
        )
        for event in case.events:
            check_claim(
                claim(event["type"], **{**event, "against": 1} if "against" in event else event)
            )


# -- opening --------------------------------------------------------------------------------------


def opening(**fields: Any) -> OpenCase:
    told: dict[str, Any] = {
        "case_id": numbered(1),
        "event_id": numbered(2),
        "partner_id": numbered(3),
        "code": "KZ-7Q3K-9F2M",
        "host_state": "KZ",
        "origin_state": "RU",
        "persons": 1,
        "subject": Subject(),
        "consent": Consent(publish="anonymous", basis="own"),
    }
    return OpenCase(**(told | fields))


def named(text: str) -> Subject:
    return Subject(names=[Name(text=text, language="ru", kind="primary")])


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"persons": 0}, "/persons"),
        ({"persons": -1}, "/persons"),
        ({"persons": 1_000_001}, "/persons"),
        ({"host_state": "XX"}, "/host_state"),
        ({"origin_state": "SU"}, "/origin_state"),
        ({"origin_state": "KZ"}, "/origin_state"),
        ({"subject": Subject(nationalities=["RU", "XX"])}, "/subject/nationalities/1"),
        ({"subject": named("Жи\x00лин")}, "/subject/names/0/text"),
        ({"subject": named("\ud800")}, "/subject/names/0/text"),
        ({"subject": named("  ")}, "/subject/names/0/text"),
        ({"external_id": "a\x0bb"}, "/external_id"),
        ({"consent": Consent(publish="pseudonym", basis="own")}, "/consent/pseudonym"),
        (
            {"consent": Consent(publish="pseudonym", basis="own", pseudonym=" ")},
            "/consent/pseudonym",
        ),
        ({"consent": Consent(publish="name", basis="own")}, "/subject/names"),
        ({"consent": Consent(publish="initials", basis="own")}, "/subject/names"),
    ],
)
def test_openings_that_are_refused(fields: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        check_opening(opening(**fields))
    assert [found for found, _ in refused.value.errors] == [pointer]


def test_openings_that_are_taken() -> None:
    check_opening(opening())
    check_opening(opening(persons=1_000_000))
    check_opening(
        opening(subject=named("Жилин"), consent=Consent(publish="name", basis="already_public"))
    )


# -- moments --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["2026-02-10T09:30Z", "2026-02-30T09:30:00Z", "2026-02-10 09:30:00Z", "2026-02-10T24:30:00Z",
     "2026-02-10T09:30:00", "9999-12-31T23:59:59-23:00", "0000-01-01T00:00:00Z", "x"],
)  # fmt: skip
def test_moments_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidDateError):
        parse_time(text)
