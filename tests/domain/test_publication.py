"""What the public may see: the minimum of consent, ceiling, choice, review and embargo."""

from itertools import product
from typing import Any
from uuid import UUID

import pytest

from caseflow.domain.events import Consent, Hold, Name, Subject
from caseflow.domain.publication import (
    Publication,
    Standing,
    find_names,
    hides_whereabouts,
    initials,
    is_embargoed,
    is_wider,
    narrower_of,
    public_fields,
    public_label,
    publication_of,
    visibility_of,
)
from caseflow.domain.times import parse_time
from caseflow.domain.vocabulary import TYPES, Claim, Texts, Visibility
from tests.strategies import claim, numbered

LEVELS = ("none", "count", "anonymous", "pseudonym", "initials", "name")
BASES = ("own", "representative", "already_public")
RESTRICTED = {
    "detention.ill_treatment_reported", "asylum.unhcr_recorded", "interim.requested",
}  # fmt: skip
NOW = parse_time("2026-02-10T09:00:00Z")
EMBARGO = "2026-02-10T09:00:01Z"


def consent(publish: Any = "name", basis: Any = "own", pseudonym: str | None = None) -> Consent:
    return Consent(publish=publish, basis=basis, pseudonym=pseudonym)


def publication(told: Claim, who: Consent, **standing: Any) -> Publication:
    """Return what the public gets of a claim that stands as its partner chose."""
    return publication_of(told, who, Standing(**{"visibility": told.visibility} | standing))


def test_the_types_that_are_always_restricted() -> None:
    assert {t for t, rule in TYPES.items() if rule.ceiling != "public"} == RESTRICTED


@pytest.mark.parametrize("type_code", ["asylum.refused", "asylum.unhcr_recorded", "person.died"])
@pytest.mark.parametrize("hold", [None, "review", "two_person"])
def test_every_combination_gives_the_minimum(type_code: str, hold: Hold | None) -> None:
    for level, basis, visibility, embargo in product(
        LEVELS, BASES, ("public", "partners", "restricted"), (None, EMBARGO)
    ):
        told = claim(
            type_code, visibility=visibility, **({"publish_after": embargo} if embargo else {})
        )
        found = publication(
            told,
            consent(level, basis),
            about_asylum=type_code.startswith("asylum."),
            hold=hold,
            embargoed=is_embargoed(told, NOW),
        )
        never = (
            level == "none"
            or visibility != "public"
            or type_code in RESTRICTED
            or (basis == "representative" and type_code.startswith("asylum."))
        )
        if never:
            assert found.state == "withheld"
            assert found.reason
        elif hold is not None:
            assert found.state == "awaiting_review"
        elif embargo is not None:
            assert found.state == "embargoed"
        else:
            assert found.state == ("withheld" if level == "count" else "published")
        assert found.counted is not (never or hold is not None or embargo is not None)


@pytest.mark.parametrize(
    ("until", "state"),
    [
        ("2026-02-10T09:00:00Z", "published"),  # the embargo is over at its moment
        ("2026-02-10T09:00:00.000001Z", "embargoed"),
        ("2026-02-10T10:00:00+01:00", "published"),  # the same moment elsewhere
        ("2026-02-10T09:00:00-05:00", "embargoed"),
    ],
)
def test_an_embargo_lasts_to_its_moment(until: str, state: str) -> None:
    told = claim("person.died", visibility="public", publish_after=until)
    found = publication(told, consent(), embargoed=is_embargoed(told, NOW))
    assert found.state == state
    assert publication(told, consent(), embargoed=False).state == "published"


def test_the_end_of_an_embargo_is_not_the_end_of_a_review() -> None:
    told = claim("person.died", visibility="public", publish_after=EMBARGO)
    found = publication(told, consent(), hold="review", embargoed=False)
    assert (found.state, found.counted) == ("awaiting_review", False)


def test_a_halt_is_told_apart_from_an_embargo() -> None:
    told = claim("person.died", visibility="public")
    assert publication(told, consent(), embargoed=True) == ("embargoed", "frozen", False)
    waiting = claim("person.died", visibility="public", publish_after=EMBARGO)
    assert publication(waiting, consent(), embargoed=True) == ("embargoed", "embargo", False)


@pytest.mark.parametrize(
    ("standing", "reason"),
    [
        ({"retracted": True}, "retracted"),
        ({"replaced": True}, "corrected"),
        ({"declined": True, "hold": "review"}, "declined"),
        ({"visibility": "partners"}, "visibility"),
        ({"names_person": True}, "names_person"),
    ],
)
@pytest.mark.parametrize("level", ["count", "anonymous", "pseudonym", "initials"])
def test_what_became_of_a_claim_withholds_it(
    standing: dict[str, Any], reason: str, level: str
) -> None:
    """Neither shown nor counted, however far the person's consent goes below a name."""
    told = claim("person.died", visibility="public")
    assert publication(told, consent(level), **standing) == ("withheld", reason, False)


def test_texts_that_name_a_person_who_agreed_to_be_named_are_published() -> None:
    told = claim("person.died", visibility="public")
    assert publication(told, consent("name"), names_person=True).state == "published"


def test_the_partners_choice_is_the_one_of_now() -> None:
    told = claim("person.died", visibility="partners")
    assert publication(told, consent(), visibility="public").state == "published"
    assert visibility_of(told, consent(), Standing(visibility="public")) == "public"
    assert visibility_of(told, consent(), Standing(visibility="restricted")) == "restricted"


@pytest.mark.parametrize(
    ("type_code", "chosen", "basis", "visibility"),
    [
        ("person.died", "public", "own", "public"),
        ("person.died", "partners", "own", "partners"),
        ("person.died", "restricted", "own", "restricted"),
        ("asylum.unhcr_recorded", "public", "own", "restricted"),
        ("asylum.refused", "public", "representative", "partners"),
        ("asylum.refused", "restricted", "representative", "restricted"),
        ("asylum.refused", "public", "already_public", "public"),
    ],
)
def test_the_audience_is_the_choice_cut_at_the_ceiling(
    type_code: str, chosen: str, basis: str, visibility: Visibility
) -> None:
    told = claim(type_code, visibility=chosen)
    standing = Standing(visibility=told.visibility, about_asylum=type_code.startswith("asylum."))
    assert visibility_of(told, consent(basis=basis), standing) == visibility


# -- how far consent goes -------------------------------------------------------------------------


def all_consents() -> list[Consent]:
    pseudonyms = (None, "Swallow", "Swift")
    return [
        Consent(publish=level, basis=basis, share=share, pseudonym=pseudonym)  # type: ignore[arg-type]
        for level, basis, share, pseudonym in product(LEVELS, BASES, (False, True), pseudonyms)
    ]


def test_what_two_consents_agree_to_is_wider_than_neither() -> None:
    for new, old in product(all_consents(), repeat=2):
        both = narrower_of(new, old)
        assert not is_wider(both, old), (new, old)
        assert not is_wider(both, new), (new, old)
        assert not both.shares_subject or (new.shares_subject and old.shares_subject)


def test_of_a_consent_and_itself_the_same_is_agreed_to() -> None:
    for told in all_consents():
        if told.publish == "pseudonym" and told.pseudonym is None:
            continue  # Nobody can agree to it.
        assert not is_wider(told, told)
        assert narrower_of(told, told) == Consent(
            publish=told.publish,
            basis=told.basis,
            share=told.shares_subject,
            pseudonym=told.pseudonym,
        )


@pytest.mark.parametrize(
    ("new", "old", "wider"),
    [
        (consent("count"), consent("none"), True),
        (consent("name"), consent("initials"), True),
        (consent("initials"), consent("name"), False),
        (consent("anonymous", "own"), consent("anonymous", "representative"), True),
        (consent("anonymous", "already_public"), consent("anonymous", "own"), True),
        (consent("anonymous", "own"), consent("anonymous", "already_public"), False),
        (consent("anonymous", "own"), consent("name", "representative"), True),
        (consent("pseudonym", pseudonym="A"), consent("pseudonym", pseudonym="B"), True),
        (consent("pseudonym", pseudonym="A"), consent("name", pseudonym="B"), True),
        (consent("anonymous", pseudonym="A"), consent("anonymous", pseudonym="B"), False),
    ],
)
def test_what_lets_the_public_get_more_is_wider(new: Consent, old: Consent, wider: bool) -> None:
    assert is_wider(new, old) is wider


# -- names in texts -------------------------------------------------------------------------------

NAMED = Subject(names=[Name(text="Михаил Жилин", language="ru", kind="former")])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("basis", BASES)
def test_names_are_found_in_what_the_public_could_read(level: str, basis: str) -> None:
    told = claim(
        "person.died",
        place="дом Жилина",
        summary={"en": "Zhilin died"},
        private_note="Жилин",
        sources=[{"title": "О Жилине", "published": "2025"}],
    )
    found = find_names(told, NAMED, consent(level, basis))
    expected = ["/place", "/summary/en"]
    if basis == "already_public":
        expected.append("/sources/0/title")
    assert found == ([] if level == "name" else expected)
    assert find_names(told, Subject(), consent(level, basis)) == []


# -- fields ---------------------------------------------------------------------------------------

SECRET: dict[str, Any] = {
    "private_note": "SECRET", "external_id": "SECRET/1", "publish_after": "2026-01-01T00:00:00Z",
}  # fmt: skip


def fields_of(type_code: str, *, who: Consent | None = None, **fields: Any) -> dict[str, Any]:
    public = fields.pop("public", ())
    about_asylum = fields.pop("about_asylum", False)
    told = claim(type_code, visibility="public", **fields)
    return public_fields(
        told,
        who or consent(),
        host_state="KZ",
        tells_refuge=hides_whereabouts(
            told, "KZ", about_asylum=about_asylum or type_code.startswith("asylum.")
        ),
        is_public=lambda event: UUID(event) in public,
    )


@pytest.mark.parametrize("type_code", sorted(TYPES))
def test_what_is_never_public_is_in_no_type(type_code: str) -> None:
    found = fields_of(type_code, **SECRET)
    assert "SECRET" not in str(found)
    assert not {"private_note", "external_id", "visibility", "publish_after"} & found.keys()
    assert found["type"] == type_code
    assert "jurisdiction" in found


@pytest.mark.parametrize("type_code", ["departure.left", "departure.protected"])
@pytest.mark.parametrize("level", LEVELS)
def test_where_a_departure_led_is_never_public(type_code: str, level: str) -> None:
    found = fields_of(
        type_code,
        who=consent(level, "already_public"),
        destination="FR",
        jurisdiction="FR",
        place="Париж",
        authority="OFPRA",
        form="asylum",
    )
    assert found["jurisdiction"] is None
    assert not {"destination", "place", "authority"} & found.keys()
    assert found["form"] == "asylum"


def test_asylum_asked_abroad_does_not_tell_where() -> None:
    found = fields_of("asylum.claim_made", jurisdiction="FR", place="Париж")
    assert (found["jurisdiction"], "place" in found) == (None, False)
    at_home = fields_of("asylum.claim_made", place="Астана")
    assert (at_home["jurisdiction"], at_home["place"]) == ("KZ", "Астана")


def test_where_a_person_was_taken_by_force_is_public() -> None:
    found = fields_of("extradition.surrendered", destination="RU", place="Петропавловск")
    assert (found["destination"], found["place"], found["jurisdiction"]) == (
        "RU", "Петропавловск", "KZ",
    )  # fmt: skip


@pytest.mark.parametrize("public", [(), (numbered(1),), (numbered(1), numbered(2))])
def test_references_to_what_is_not_public_are_left_out(public: tuple[UUID, ...]) -> None:
    found = fields_of("appeal.filed", against=1, after=2, public=public)
    shown = {field for field in ("against", "after") if field in found}
    assert shown == {f for f, n in (("against", 1), ("after", 2)) if numbered(n) in public}


@pytest.mark.parametrize(("level", "basis"), list(product(LEVELS, BASES)))
def test_sources_are_withheld_below_a_name_unless_public_already(level: str, basis: str) -> None:
    found = fields_of(
        "person.died", who=consent(level, basis), sources=[{"title": "T", "url": "https://x.org"}]
    )
    assert ("sources" in found) is (level == "name" or basis == "already_public")


def test_an_appeal_in_a_foreign_asylum_procedure_does_not_tell_where() -> None:
    abroad = {"jurisdiction": "FR", "place": "Paris", "authority": "CNDA", "against": 1}
    found = fields_of("appeal.filed", about_asylum=True, **abroad)
    assert found["jurisdiction"] is None
    assert not {"place", "authority"} & found.keys()
    assert fields_of("appeal.filed", **abroad)["place"] == "Paris"


def test_public_texts_stay_as_posted() -> None:
    told = claim("person.died", "2025-05~", summary={"ru": "Умер", "en": "Died"}, place="Омск")
    found = public_fields(
        told, consent(), host_state="KZ", tells_refuge=False, is_public=lambda _: True
    )
    assert isinstance(told.summary, Texts)
    assert found["summary"] == {"ru": "Умер", "en": "Died"}
    assert (found["occurred"], found["place"]) == ("2025-05~", "Омск")


def test_what_form_a_departure_took_needs_the_persons_own_consent() -> None:
    told = {"form": "asylum", "destination": "DE"}
    assert fields_of("departure.protected", who=consent(basis="own"), **told)["form"] == "asylum"
    assert "form" not in fields_of(
        "departure.protected", who=consent(basis="representative"), **told
    )


@pytest.mark.parametrize("name", ["李 明", "김 철", "李明"])
def test_a_script_without_initials_has_none(name: str) -> None:
    assert initials(name) == ""


def test_a_former_or_passport_name_alone_labels_nothing() -> None:
    for kind in ("former", "passport"):
        subject = Subject(names=[Name(text="Иван Иванов", language="ru", kind=kind)])
        assert public_label(subject, consent("name"), "KZ-1", "ru") == "KZ-1"


# -- labels ---------------------------------------------------------------------------------------

CODE = "KZ-7Q3K-9F2M"
SUBJECT = Subject(
    names=[
        Name(text="Игорь Иванов", language="ru", kind="passport"),
        Name(text="Айхал Аммосов", language="ru", kind="primary"),
        Name(text="Aikhal Ammosov", language="en", kind="transliteration"),
        Name(text="Igor Petrov", language="en", kind="former"),
    ]
)


@pytest.mark.parametrize(
    ("level", "language", "label"),
    [
        ("none", "en", CODE),
        ("count", "en", CODE),
        ("anonymous", "ru", CODE),
        ("pseudonym", "en", "Swallow"),
        ("initials", "ru", "А. А."),
        ("initials", "en", "A. A."),
        ("name", "ru", "Айхал Аммосов"),
        ("name", "kk", "Айхал Аммосов"),
        ("name", "en", "Aikhal Ammosov"),
    ],
)
def test_labels_by_consent(level: str, language: str, label: str) -> None:
    found = public_label(SUBJECT, consent(level, pseudonym="Swallow"), CODE, language)
    assert found == label


def test_a_label_without_a_name_is_the_code() -> None:
    for level in LEVELS:
        assert public_label(Subject(), consent(level), CODE, "ru") == CODE
    digits = Subject(names=[Name(text="— 7", language="ru", kind="primary")])
    assert public_label(digits, consent("initials"), CODE, "ru") == CODE


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Михаил Жилин", "М. Ж."),
        ("михаил жилин", "М. Ж."),
        ("Mikhail (Misha) Zhilin", "M. Z."),
        ("Ғани Әлі", "Ғ. Ә."),
        ("Салтыков-Щедрин", "С."),
    ],
)
def test_initials_hold_no_more_than_first_letters(name: str, shown: str) -> None:
    assert initials(name) == shown
