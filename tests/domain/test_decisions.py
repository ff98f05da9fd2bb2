"""What is asked of a case: given events, when a command, then an event or a refusal."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from caseflow.domain.case import Case, evolve
from caseflow.domain.commands import Command, CorroborateClaim, DisputeClaim
from caseflow.domain.decisions import Scene, decide
from caseflow.domain.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    TextNamesPersonError,
    VersionConflictError,
)
from caseflow.domain.events import (
    CaseMerged,
    CaseUnmerged,
    ClaimCorrected,
    ClaimCorroborated,
    ClaimDisputed,
    ClaimRetracted,
    Consent,
    ConsentChanged,
    PublicationApproved,
    PublicationDeclined,
    PublicationReleased,
    Subject,
    SubjectAmended,
    VisibilityChanged,
)
from tests.commands import (
    CASE,
    EMBARGO,
    FROZEN,
    LATER,
    NOW,
    OTHER,
    PARTNER,
    THIRD,
    after,
    amending,
    consenting,
    correcting,
    corroborating,
    decided,
    disputing,
    given_case,
    merging,
    opening,
    other_case,
    public_numbers,
    recording,
    refused,
    refused_fields,
    releasing,
    retracting,
    reviewing,
    showing,
    unmerging,
)
from tests.strategies import numbered

PUBLIC: dict[str, Any] = {"visibility": "public"}
UNPUBLISHED: dict[str, Any] = {"visibility": "public", "may_publish": False}
TWO: dict[str, Any] = {"visibility": "public", "two_person": True}


def id_of(number: int) -> str:
    """Return an id as events write it."""
    return str(numbered(number))


INTO_OTHER = Scene(now=NOW, into=other_case())

# -- opening --------------------------------------------------------------------------------------


def test_a_case_is_opened_once() -> None:
    with pytest.raises(ConflictError):
        decide(given_case(), opening(), NOW)


def test_a_pseudonym_is_not_a_name_of_the_person() -> None:
    consent = Consent(publish="pseudonym", basis="own", pseudonym="Mr Zhilin")
    with pytest.raises(TextNamesPersonError) as refused:
        decide(None, opening(consent=consent), NOW)
    assert refused.value.errors[0][0] == "/consent/pseudonym"


def test_a_case_that_was_not_opened_takes_nothing() -> None:
    for command in (recording(1, "person.died"), releasing(1, 2)):
        with pytest.raises(NotFoundError):
            decide(None, command, NOW)
    assert evolve(None, decide(given_case(), recording(1, "person.died"), NOW)) is None


# -- claims ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_a_version_that_has_passed_is_a_conflict(expected: int) -> None:
    case = given_case(recording(11, "asylum.registered"))
    with pytest.raises(VersionConflictError) as refused:
        decide(case, recording(12, "asylum.refused", expected_version=expected), NOW)
    assert refused.value.version == 2
    decide(case, recording(12, "asylum.refused", expected_version=2), NOW)


@pytest.mark.parametrize("field", ["against", "after"])
@pytest.mark.parametrize("named", [99, 100, 12, "ext:x", "nonsense", "", str(CASE)])
def test_references_name_a_claim_of_the_case(field: str, named: Any) -> None:
    """Neither a claim of another case, nor the opening, nor the claim itself, nor no id at all."""
    case = given_case(recording(11, "asylum.refused"))
    fields = {"against": 11} | {field: named}
    if named == "":
        with pytest.raises(msgspec.ValidationError):
            recording(12, "appeal.filed", **fields)
        return
    assert refused_fields(case, recording(12, "appeal.filed", **fields)) == [f"/{field}"]


@pytest.mark.parametrize(
    ("followed", "occurred", "refused"),
    [
        ("2025-05-10", "2025-05-09", True),
        ("2025-05", "2025-04", True),
        ("2025-05-10", "2025-05-10", False),
        ("2025-05-10", "2025-05", False),
        ("2025-05-10", "2025-06", False),
        ("2025-05", "[..2025-05-01]", False),
        ("2025-05", "[..2025-04]", True),
        ("[..2025-05]", "2020", False),
    ],
)
def test_a_link_that_the_dates_contradict_is_refused(
    followed: str, occurred: str, refused: bool
) -> None:
    case = given_case(recording(11, "detention.released", followed))
    command = recording(12, "detention.apprehended", occurred, after=11)
    if refused:
        assert refused_fields(case, command) == ["/after"]
    else:
        decide(case, command, NOW)


# -- names ----------------------------------------------------------------------------------------


NAMING: list[tuple[str, dict[str, Any], str]] = [
    ("person.died", {"summary": {"en": "Zhilin died"}}, "/summary/en"),
    ("person.died", {"summary": {"kk": "Жилинді ұстады"}}, "/summary/kk"),
    ("person.died", {"place": "дом Жилина"}, "/place"),
    ("person.died", {"authority": "суд по делу Жилина"}, "/authority"),
    ("prosecution.charged", {"accusation": "дело Жилина"}, "/accusation"),
    ("extradition.refused", {"ground": "risk to Zhilin"}, "/ground"),
    ("appeal.filed", {"against": 11, "forum": "суд, дело Жилина"}, "/forum"),
]


@pytest.mark.parametrize(("type_code", "fields", "pointer"), NAMING)
@pytest.mark.parametrize("level", ["none", "count", "anonymous", "pseudonym", "initials"])
def test_a_public_text_does_not_name_the_person(
    type_code: str, fields: dict[str, Any], pointer: str, level: str
) -> None:
    case = given_case(
        recording(11, "asylum.refused"), publish=level, basis="own", pseudonym="Swallow"
    )
    command = recording(12, type_code, visibility="public", **fields)
    with pytest.raises(TextNamesPersonError):
        decide(case, command, NOW)
    assert refused_fields(case, command) == [pointer]
    decide(case, recording(12, type_code, visibility="partners", **fields), NOW)


def test_a_person_who_agreed_to_be_named_may_be_named() -> None:
    case = given_case(publish="name", basis="own")
    decide(case, recording(12, "person.died", visibility="public", place="дом Жилина"), NOW)


@pytest.mark.parametrize(("basis", "refused"), [("own", False), ("already_public", True)])
def test_sources_are_searched_where_they_are_public(basis: str, refused: bool) -> None:
    case = given_case(publish="anonymous", basis=basis)
    sources = [
        {"title": "T"},
        {"title": "T", "url": "https://x.org/%D0%96%D0%B8%D0%BB%D0%B8%D0%BD"},
    ]
    command = recording(12, "person.died", visibility="public", sources=sources)
    if refused:
        assert refused_fields(case, command) == ["/sources/1/url"]
    else:
        decide(case, command, NOW)


def test_private_words_may_name_the_person() -> None:
    note = {"private_note": "Жилин", "external_id": "zhilin/1"}
    decide(given_case(), recording(12, "person.died", visibility="public", **note), NOW)


# -- publication ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "state"),
    [
        ({}, "published"),
        ({"may_publish": False}, "awaiting_review"),
        ({"two_person": True}, "awaiting_review"),
        ({"publish_after": EMBARGO}, "embargoed"),
        ({"publish_after": EMBARGO, "may_publish": False}, "awaiting_review"),
    ],
)
def test_what_becomes_of_a_public_claim(options: dict[str, Any], state: str) -> None:
    case = given_case(recording(11, "person.died", visibility="public", **options))
    assert case.get_claim(numbered(11)).publication.state == state
    assert case.claims_for("public") == [
        c for c in case.claims.values() if c.publication.state == "published"
    ]


def test_what_is_not_for_the_public_waits_for_no_review() -> None:
    case = given_case(
        recording(11, "person.died", may_publish=False),
        recording(12, "interim.requested", visibility="public", may_publish=False),
    )
    assert case.get_claim(numbered(11)).standing.hold is None
    assert {c.publication for c in case.claims.values()} == {
        ("withheld", "visibility", False), ("withheld", "type_ceiling", False),
    }  # fmt: skip


def test_two_persons_look_at_the_first_publication_only() -> None:
    case = given_case(
        recording(11, "asylum.registered", visibility="public"),
        recording(12, "asylum.refused", visibility="public", two_person=True),
    )
    assert [c.publication.state for c in case.claims.values()] == ["published", "published"]


def test_the_end_of_an_embargo_publishes() -> None:
    case = given_case(
        recording(11, "person.died", visibility="public", publish_after=EMBARGO),
    )
    with pytest.raises(ConflictError):
        decide(case, releasing(12, 11), NOW)
    event = decide(case, releasing(12, 11), LATER)
    assert event.body == PublicationReleased(claim=str(numbered(11)))
    case.evolve(event)
    assert case.get_claim(numbered(11)).is_public
    with pytest.raises(ConflictError):
        decide(case, releasing(13, 11), LATER)


def test_a_log_that_is_ahead_of_the_clock_voids_no_embargo() -> None:
    """What is recorded never runs back; the clock may have been set right since."""
    case = given_case()
    command = recording(11, "person.died", visibility="public", publish_after=EMBARGO)
    after(case, command, at=LATER, scene=Scene(now=NOW))
    assert case.get_claim(numbered(11)).publication.state == "embargoed"
    with pytest.raises(ConflictError):
        decide(case, releasing(12, 11), LATER + 1, scene=Scene(now=NOW))
    after(case, releasing(12, 11), at=LATER + 1, scene=Scene(now=LATER))
    assert case.get_claim(numbered(11)).is_public


def test_only_an_embargoed_claim_can_be_released() -> None:
    case = given_case(
        recording(11, "person.died"), recording(12, "asylum.refused", visibility="public")
    )
    for number, error in ((11, ConflictError), (12, ConflictError), (99, NotFoundError)):
        with pytest.raises(error):
            decide(case, releasing(13, number), LATER)


# -- who may do what ------------------------------------------------------------------------------

# To what a partner has told itself.
OWN: list[tuple[Command, type]] = [
    (correcting(20, 11), ClaimCorrected),
    (retracting(20, 11), ClaimRetracted),
    (showing(20, 11, "restricted"), VisibilityChanged),
    (showing(20, 11, "public"), VisibilityChanged),
]
# To what others have told.
OTHERS: list[tuple[Command, type]] = [
    (corroborating(20, 11), ClaimCorroborated),
    (disputing(20, 11), ClaimDisputed),
]
ABOUT_THE_CASE: list[tuple[Command, type]] = [
    (consenting(20, "none"), ConsentChanged),
    (consenting(20, "name"), ConsentChanged),
    (amending(20, "Пётр Петров"), SubjectAmended),
]


def by(command: Command, partner_id: UUID, **fields: Any) -> Any:
    """Return the command of another partner, or with another key."""
    return msgspec.structs.replace(command, partner_id=partner_id, **fields)


@pytest.mark.parametrize(("command", "body"), OWN)
def test_the_author_and_reviewers_alone_change_a_claim(command: Command, body: type) -> None:
    case = given_case(recording(11))
    for asked in (command, by(command, OTHER, may_review=True)):
        event = decided(case, asked)
        assert isinstance(event.body, body)
        assert (event.partner_id, event.body.claim) == (asked.partner_id, id_of(11))
    refused(case, by(command, OTHER), ForbiddenError)
    refused(case, by(command, OTHER, reads_restricted=True), ForbiddenError)


@pytest.mark.parametrize(("command", "body"), OTHERS)
def test_others_alone_judge_a_claim(command: Command, body: type) -> None:
    case = given_case(recording(11))
    event = decided(case, command)
    assert isinstance(event.body, body)
    assert (event.partner_id, event.body.claim) == (OTHER, id_of(11))
    for fields in ({}, {"may_review": True}):
        refused(case, by(command, PARTNER, **fields), ConflictError)


@pytest.mark.parametrize(("command", "_body"), OTHERS)
def test_nobody_judges_their_own_claim_that_a_reviewer_corrected(
    command: Command, _body: type
) -> None:
    case = given_case(recording(11), correcting(12, 11, partner_id=OTHER, may_review=True))
    refused(case, by(command, PARTNER), ConflictError)
    decided(case, command)


@pytest.mark.parametrize(("command", "body"), ABOUT_THE_CASE)
def test_who_opened_a_case_and_reviewers_alone_tell_about_the_person(
    command: Command, body: type
) -> None:
    case = given_case()
    assert isinstance(decided(case, command).body, body)
    assert isinstance(decided(case, by(command, OTHER, may_review=True)).body, body)
    refused(case, by(command, OTHER), ForbiddenError)


@pytest.mark.parametrize(("command", "_body"), [*OWN, *OTHERS])
def test_what_a_partner_may_not_read_is_not_there(command: Command, _body: type) -> None:
    """Whatever else the key may do: the refusal is that for an event that there never was."""
    case = given_case(recording(11, visibility="restricted", partner_id=THIRD))
    absent = str(refused(given_case(), by(command, OTHER, may_review=True), NotFoundError))
    for fields in ({}, {"may_review": True}):
        found = refused(case, by(command, OTHER, **fields), NotFoundError)
        assert str(found) == absent
    decided(case, by(command, OTHER, may_review=True, reads_restricted=True))


@pytest.mark.parametrize(("command", "_body"), [*OWN, *OTHERS])
def test_a_correction_for_fewer_eyes_hides_what_it_corrects_from_commands(
    command: Command, _body: type
) -> None:
    case = given_case(
        recording(11, partner_id=THIRD),
        correcting(12, 11, visibility="restricted", partner_id=THIRD),
    )
    refused(case, by(command, OTHER, may_review=True), NotFoundError)


@pytest.mark.parametrize(("command", "_body"), [*OWN, *OTHERS])
def test_a_correction_for_more_eyes_is_not_found_by_the_id_that_they_did_not_see(
    command: Command, _body: type
) -> None:
    case = given_case(
        recording(10, visibility="restricted", partner_id=THIRD),
        correcting(11, 10, visibility="partners", partner_id=THIRD),
    )
    asked = by(command, OTHER, may_review=True)
    decided(case, asked)
    refused(case, msgspec.structs.replace(asked, claim_id=numbered(10)), NotFoundError)


@pytest.mark.parametrize(("command", "_body"), [*OWN, *OTHERS])
def test_a_claim_that_was_retracted_takes_nothing_more(command: Command, _body: type) -> None:
    case = given_case(recording(11), correcting(12, 11), retracting(13, 12))
    refused(case, command, ConflictError)
    refused(case, msgspec.structs.replace(command, claim_id=numbered(12)), ConflictError)


@pytest.mark.parametrize(("command", "_body"), [*OWN, *OTHERS])
def test_an_old_id_means_what_stands_there_now(command: Command, _body: type) -> None:
    case = given_case(recording(11), correcting(12, 11), correcting(13, 12))
    for named in (11, 12, 13):
        event = decided(case, msgspec.structs.replace(command, claim_id=numbered(named)))
        assert event.body.claim == id_of(13)  # type: ignore[union-attr]  # of a claim


EVERY_ACT: list[Command] = [
    recording(20),
    *(command for command, _ in (*OWN, *OTHERS, *ABOUT_THE_CASE)),
    merging(20, numbered(200)),
    unmerging(20, numbered(200)),
    reviewing(20, 10),
]


@pytest.mark.parametrize("command", EVERY_ACT)
def test_a_version_that_has_passed_is_refused_whatever_is_asked(command: Command) -> None:
    case = given_case(recording(10, **UNPUBLISHED), recording(11))
    scene = Scene(now=NOW, into=other_case())
    for expected in (1, 2, 4):
        outdated = msgspec.structs.replace(command, expected_version=expected)
        refused(case, outdated, VersionConflictError, scene=scene)
    decided(case, msgspec.structs.replace(command, expected_version=3), scene=scene)
    with pytest.raises(NotFoundError):
        decide(None, command, NOW, scene=scene)


@pytest.mark.parametrize("command", EVERY_ACT)
def test_an_event_tells_who_asked_and_with_which_key(command: Command) -> None:
    case = given_case(recording(10, **UNPUBLISHED), recording(11))
    asked = msgspec.structs.replace(command, author="Desk", key_id=numbered(77))
    if not hasattr(asked, "claim"):
        asked = msgspec.structs.replace(asked, external_id="mine/20")
    event = decided(case, asked, scene=Scene(now=NOW, into=other_case()), at=LATER)
    assert (event.originator_id, event.id, event.recorded_at) == (CASE, numbered(20), LATER)
    assert (event.author, event.key_id) == ("Desk", numbered(77))
    assert event.partner_id == asked.partner_id
    if not hasattr(asked, "claim"):
        assert event.body.external_id == "mine/20"  # type: ignore[union-attr]  # never erased


# -- corrections ----------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["against", "after"])
def test_a_correction_names_neither_what_it_corrects_nor_what_is_not_there(field: str) -> None:
    case = given_case(recording(10, "asylum.refused"), recording(11), correcting(12, 11))
    for named in (11, 12, 99):
        fields = {"against": 10} | {field: named}
        assert refused_fields(case, correcting(20, 12, "appeal.filed", **fields)) == [f"/{field}"]
    decided(case, correcting(20, 12, "appeal.filed", against=10, after=10))


def test_a_link_to_what_was_corrected_is_held_against_the_dates_of_now() -> None:
    case = given_case(
        recording(11, "detention.released", "2025-05-10"),
        correcting(12, 11, "detention.released", "2025-05-20"),
    )
    command = recording(13, "detention.apprehended", "2025-05-15", after=11)
    assert refused_fields(case, command) == ["/after"]
    decided(case, recording(13, "detention.apprehended", "2025-05-20", after=11))


def test_a_correction_does_not_name_the_person_either() -> None:
    case = given_case(recording(11))
    naming = {"place": "дом Жилина"}
    assert refused_fields(case, correcting(12, 11, **PUBLIC, **naming)) == ["/place"]
    decided(case, correcting(12, 11, **naming))


@pytest.mark.parametrize(
    ("first", "fields", "hold"),
    [
        (PUBLIC, PUBLIC, None),
        (PUBLIC, UNPUBLISHED, "review"),
        (PUBLIC, TWO, None),
        ({}, PUBLIC, None),
        ({}, TWO, "two_person"),
        (UNPUBLISHED, TWO, "two_person"),
        (PUBLIC, {"may_publish": False}, None),
        (PUBLIC, {"two_person": True}, None),
    ],
)
def test_a_correction_waits_where_the_public_would_get_more_by_it(
    first: dict[str, Any], fields: dict[str, Any], hold: str | None
) -> None:
    case = given_case(recording(10, **PUBLIC), recording(11, **first))
    assert decided(case, correcting(12, 11, **fields)).hold == hold


# -- names and pseudonyms -------------------------------------------------------------------------


def test_a_raise_does_not_show_a_text_that_names_the_person() -> None:
    case = given_case(recording(11, visibility="restricted", place="дом Жилина"))
    assert refused_fields(case, showing(12, 11, "public")) == ["/visibility"]
    decided(case, showing(12, 11, "partners"))
    after(case, consenting(13, "name"))
    decided(case, showing(14, 11, "public"))


def test_a_pseudonym_and_a_name_are_never_the_same() -> None:
    case = given_case()
    consent = consenting(12, "pseudonym", pseudonym="Mr Zhilin")
    assert refused_fields(case, consent) == ["/pseudonym"]
    refused(case, consent, TextNamesPersonError)
    after(case, consenting(13, "pseudonym", pseudonym="Swallow"))
    assert refused_fields(case, amending(14, "Иван Зуев", "Swallow")) == ["/names"]
    refused(case, amending(14, "Swallow"), TextNamesPersonError)
    decided(case, amending(14, "Иван Зуев"))


def test_what_nobody_can_agree_to_is_refused() -> None:
    nameless = given_case(subject=Subject())
    for level in ("name", "initials"):
        refused(nameless, consenting(12, level), InvalidInputError)
    assert refused_fields(nameless, consenting(12, "pseudonym")) == ["/pseudonym"]
    named = given_case(publish="initials")
    assert refused_fields(named, amending(12)) == ["/names"]


def test_who_the_person_is_can_be_told_while_another_pseudonym_waits() -> None:
    case = given_case(publish="pseudonym", pseudonym="Swallow")
    after(case, consenting(12, "pseudonym", pseudonym="Swift", two_person=True))
    decided(case, amending(13, "Михаил Жилин", "Mikhail Zhilin"))


def test_a_pseudonym_that_waits_is_approved_only_while_it_is_no_name() -> None:
    case = given_case(
        consenting(12, "pseudonym", pseudonym="Swift", two_person=True), amending(13, "Swift")
    )
    refused(case, reviewing(14, 12), TextNamesPersonError)
    decided(case, reviewing(14, 12, "decline"))


def test_a_name_that_waits_is_approved_only_while_it_is_no_pseudonym() -> None:
    case = given_case(
        amending(12, "Swift", two_person=True),
        consenting(13, "pseudonym", pseudonym="Swift"),
        publish="name",
    )
    refused(case, reviewing(14, 12), TextNamesPersonError)


# -- what waits for a review ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("visibility", "wanted", "options", "hold"),
    [
        ("partners", "public", {}, None),
        ("partners", "public", {"may_publish": False}, "review"),
        ("partners", "public", {"two_person": True}, "two_person"),
        ("partners", "public", {"two_person": True, "may_publish": False}, "review"),
        ("restricted", "partners", {"may_publish": False}, None),
        ("restricted", "partners", {"two_person": True}, "two_person"),
        ("public", "public", {"two_person": True, "may_publish": False}, None),
        ("public", "partners", {"two_person": True, "may_publish": False}, None),
        ("partners", "restricted", {"two_person": True, "may_publish": False}, None),
    ],
)
def test_a_raise_of_visibility_waits_and_hiding_never_does(
    visibility: str, wanted: str, options: dict[str, Any], hold: str | None
) -> None:
    case = given_case(recording(11, visibility=visibility))
    assert decided(case, showing(12, 11, wanted, **options)).hold == hold


@pytest.mark.parametrize(
    ("options", "hold"),
    [
        ({}, None),
        ({"may_publish": False}, "review"),
        ({"two_person": True}, "two_person"),
    ],
)
@pytest.mark.parametrize(
    ("before", "command", "waits"),
    [
        ("anonymous", consenting(12, "initials"), True),
        ("anonymous", consenting(12, "anonymous", "already_public"), True),
        ("name", consenting(12, "initials"), False),
        ("anonymous", consenting(12, "anonymous"), False),
        ("name", amending(12, "Пётр Петров"), True),
        ("initials", amending(12, "Пётр Петров"), True),
        ("name", amending(12, "Михаил Жилин"), False),
        ("anonymous", amending(12, "Пётр Петров"), False),
    ],
)
def test_what_shows_more_of_the_person_waits(
    before: str, command: Command, waits: bool, options: dict[str, Any], hold: str | None
) -> None:
    asked = msgspec.structs.replace(command, **options)
    assert decided(given_case(publish=before), asked).hold == (hold if waits else None)


@pytest.mark.parametrize(("options", "hold"), [({}, None), ({"may_publish": False}, "review")])
def test_a_name_is_not_dropped_unseen_where_a_text_was_withheld_for_it(
    options: dict[str, Any], hold: str | None
) -> None:
    case = given_case(
        recording(11, **PUBLIC, place="дом Петрова"), amending(12, "Михаил Жилин", "Пётр Петров")
    )
    assert public_numbers(case) == []
    assert decided(case, amending(13, "Михаил Жилин", **options)).hold == hold
    refused(case, amending(13, "Михаил Жилин"), ConflictError, scene=FROZEN)
    assert decided(case, amending(13, "Пётр Петров", **options)).hold is None


def test_what_takes_back_never_waits() -> None:
    case = given_case(recording(11, **PUBLIC))
    options = {"two_person": True, "may_publish": False}
    assert decided(case, retracting(12, 11, **options)).hold is None
    assert decided(case, unmerging(12, numbered(200), **options), scene=INTO_OTHER).hold is None


@pytest.mark.parametrize("judging", [corroborating, disputing])
def test_the_public_hears_of_a_judgement_from_who_may_publish(judging: Any) -> None:
    case = given_case(recording(11, **PUBLIC))
    assert decided(case, judging(12, 11)).hold is None
    assert decided(case, judging(12, 11, may_publish=False)).hold == "review"


def test_a_claim_that_consent_keeps_back_waits_all_the_same() -> None:
    """Consent may come later, and then it must not slip out unseen."""
    case = given_case(recording(11, **UNPUBLISHED), publish="none")
    assert case.get_claim(numbered(11)).standing.hold == "review"
    after(case, consenting(12, "anonymous"))
    assert public_numbers(case) == []
    after(case, reviewing(13, 11))
    assert public_numbers(case) == [11]


# -- reviews --------------------------------------------------------------------------------------

WAITING: list[Command] = [
    recording(20, **UNPUBLISHED),
    correcting(20, 11, **UNPUBLISHED),
    disputing(20, 11, partner_id=PARTNER, may_publish=False),
    corroborating(20, 11, partner_id=PARTNER, may_publish=False),
    showing(20, 11, "public", may_publish=False),
    consenting(20, "initials", may_publish=False),
]


def case_with(command: Command) -> Case:
    """Return a case in which PARTNER has done what waits for a review."""
    judging = isinstance(command, DisputeClaim | CorroborateClaim)
    return given_case(recording(11, partner_id=OTHER if judging else PARTNER), command)


@pytest.mark.parametrize("command", WAITING)
@pytest.mark.parametrize("decision", ["approve", "decline"])
def test_nobody_reviews_what_their_own_partner_has_posted(command: Command, decision: str) -> None:
    case = case_with(command)
    refused(case, reviewing(30, 20, decision, partner_id=PARTNER), ConflictError)
    event = decided(case, reviewing(30, 20, decision))
    expected = PublicationApproved if decision == "approve" else PublicationDeclined
    assert event.body == expected(event=id_of(20))
    assert (event.partner_id, event.hold) == (THIRD, None)


@pytest.mark.parametrize("command", WAITING)
def test_what_was_approved_waits_no_longer(command: Command) -> None:
    case = after(case_with(command), reviewing(30, 20))
    for decision in ("approve", "decline"):
        refused(case, reviewing(31, 20, decision), ConflictError)


def test_who_corrects_what_waits_has_posted_it() -> None:
    """The author may look at what a reviewer made of its claim, and the reviewer may not."""
    correction = correcting(12, 11, **UNPUBLISHED, partner_id=THIRD, may_review=True)
    case = given_case(recording(11), correction)
    refused(case, reviewing(13, 12), ConflictError)
    decided(case, reviewing(13, 12, partner_id=PARTNER))


def test_a_claim_that_was_declined_may_still_be_approved() -> None:
    case = given_case(recording(11, **UNPUBLISHED))
    after(case, reviewing(12, 11, "decline"))
    assert case.get_claim(numbered(11)).publication == ("withheld", "declined", False)
    refused(case, reviewing(13, 11, "decline"), ConflictError)
    after(case, reviewing(13, 11, "approve"))
    assert public_numbers(case) == [11]


@pytest.mark.parametrize("gone", [retracting(12, 11), correcting(12, 11, **UNPUBLISHED)])
def test_what_is_no_longer_in_force_is_not_reviewed(gone: Command) -> None:
    case = given_case(recording(11, **UNPUBLISHED), gone)
    refused(case, reviewing(13, 11), ConflictError)


@pytest.mark.parametrize("target", [10, 99, 100, 1])
def test_what_does_not_wait_is_not_reviewed(target: int) -> None:
    case = given_case(recording(10, **PUBLIC), recording(11, **UNPUBLISHED))
    refused(case, reviewing(13, target), ConflictError)


@pytest.mark.parametrize(
    "command",
    [
        correcting(20, 11, visibility="restricted"),
        disputing(20, 11, may_publish=False),
        showing(20, 11, "public", may_publish=False),
    ],
)
def test_what_a_reviewer_may_not_read_is_not_reviewed(command: Command) -> None:
    case = given_case(recording(11, visibility="restricted"))
    after(case, msgspec.structs.replace(command, reads_restricted=True))
    refused(case, reviewing(30, 20), NotFoundError)


def test_what_a_later_word_has_superseded_is_not_reviewed() -> None:
    case = given_case(
        recording(11),
        showing(12, 11, "public", may_publish=False),
        showing(13, 11, "restricted"),
        consenting(14, "name", two_person=True),
        consenting(15, "none"),
        disputing(16, 11, may_publish=False, reads_restricted=True),
        corroborating(17, 11, may_publish=False, reads_restricted=True),
    )
    for target in (12, 14, 16):
        refused(case, reviewing(20, target, reads_restricted=True), ConflictError)
    decided(case, reviewing(20, 17, reads_restricted=True))


def test_what_was_hidden_is_not_brought_back_by_the_partner_that_posted_it() -> None:
    hiding = showing(12, 11, "restricted", until_review=True, partner_id=THIRD, may_review=True)
    case = given_case(recording(11, **PUBLIC), hiding)
    refused(case, reviewing(13, 12, partner_id=PARTNER), ConflictError)
    decided(case, reviewing(13, 12, reads_restricted=True))
    # Nor by a wider audience, or another wording, of its own.
    assert decided(case, showing(13, 11, "public")).hold == "review"
    assert decided(case, showing(13, 11, "partners")).hold == "review"
    assert decided(case, correcting(13, 11, **PUBLIC)).hold == "review"
    assert decided(case, showing(13, 11, "restricted")).hold is None


def test_a_correction_for_fewer_readers_hides_what_it_corrects_from_the_others() -> None:
    case = given_case(recording(11, **PUBLIC), correcting(12, 11, visibility="restricted"))
    assert [c.event_id for c in case.readable_claims("partners", THIRD)] == []
    assert len(case.readable_claims("partners", PARTNER)) == 2


# -- while publication is halted ------------------------------------------------------------------


def halted() -> Case:
    """Return a case of which much is public, and much waits."""
    return given_case(
        recording(11, **PUBLIC),
        recording(12),
        recording(13, **PUBLIC, publish_after=EMBARGO),
        recording(14, **UNPUBLISHED),
        showing(15, 12, "public", may_publish=False),
        publish="initials",
    )


@pytest.mark.parametrize(
    "command",
    [
        showing(20, 12, "public"),
        showing(20, 12, "public", two_person=True),
        consenting(20, "name"),
        consenting(20, "initials", "already_public"),
        amending(20, "Пётр Петров"),
        reviewing(20, 14),
        reviewing(20, 15),
        releasing(20, 13),
        merging(20, numbered(200)),
    ],
)
def test_a_halt_refuses_what_would_publish(command: Command) -> None:
    case, other = halted(), other_case()
    assert "halted" in str(
        refused(case, command, ConflictError, scene=Scene(now=LATER, frozen=True, into=other))
    )
    decided(case, command, scene=Scene(now=LATER, into=other))


@pytest.mark.parametrize(
    "command",
    [
        retracting(20, 11),
        showing(20, 11, "partners"),
        showing(20, 12, "restricted"),
        consenting(20, "none"),
        consenting(20, "anonymous"),
        amending(20, "Михаил Жилин"),
        reviewing(20, 14, "decline"),
        reviewing(20, 15, "decline"),
        recording(20),
        recording(20, **PUBLIC),
        correcting(20, 11, **PUBLIC),
        disputing(20, 11),
        corroborating(20, 11),
    ],
)
def test_a_halt_lets_pass_what_hides_and_shows_nothing_more(command: Command) -> None:
    case = halted()
    before = set(public_numbers(case))
    after(case, command, scene=FROZEN)
    assert set(public_numbers(case)) <= before
    assert all(j.hold for c in case.claims.values() for j in c.judgements.values())


def test_what_came_during_a_halt_is_released_after_it() -> None:
    case = halted()
    after(case, recording(20, **PUBLIC), correcting(21, 11, **PUBLIC), scene=FROZEN)
    assert public_numbers(case) == []
    assert case.get_claim(numbered(20)).publication == ("embargoed", "frozen", False)
    refused(case, releasing(22, 20), ConflictError, scene=FROZEN)
    after(case, releasing(22, 20), releasing(23, 21))
    assert public_numbers(case) == [20, 21]


# -- identity -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asking", "allowed"),
    [
        ({"partner_id": PARTNER}, True),
        ({"partner_id": OTHER}, True),
        ({"partner_id": THIRD}, False),
        ({"partner_id": THIRD, "may_review": True}, True),
        ({"partner_id": THIRD, "may_publish": True, "reads_restricted": True}, False),
    ],
)
def test_who_opened_one_of_two_cases_judges_whether_they_are_one(
    asking: dict[str, Any], allowed: bool
) -> None:
    case, scene = given_case(), Scene(now=NOW, into=other_case(by=OTHER))
    for command in (merging(12, numbered(200), **asking), unmerging(12, numbered(200), **asking)):
        if allowed:
            decided(case, command, scene=scene)
        else:
            refused(case, command, ForbiddenError, scene=scene)


def test_a_case_goes_into_the_one_that_stays() -> None:
    """It may have been named by another that went there before."""
    event = decided(given_case(), merging(12, numbered(300)), scene=INTO_OTHER)
    assert (event.body, event.hold) == (CaseMerged(into=id_of(200)), None)


def test_what_cannot_be_merged() -> None:
    case = given_case()
    refused(case, merging(12, numbered(300)), InvalidInputError, scene=Scene(now=NOW))
    # Into itself, or into what went into it: the case that stays is this one.
    refused(case, merging(12, CASE), ConflictError, scene=Scene(now=NOW, into=case))
    for states in ({"host_state": "KG"}, {"origin_state": "BY"}):
        elsewhere = Scene(now=NOW, into=other_case(**states))
        refused(case, merging(12, numbered(200)), ConflictError, scene=elsewhere)
    after(case, merging(12, numbered(200)), scene=INTO_OTHER)
    refused(case, merging(13, numbered(200)), ConflictError, scene=INTO_OTHER)


def test_what_cannot_be_unmerged() -> None:
    case = given_case()
    refused(case, unmerging(12), ConflictError, scene=Scene(now=NOW))
    for named in (CASE, numbered(300)):
        into = case if named == CASE else None
        refused(case, unmerging(12, named), InvalidInputError, scene=Scene(now=NOW, into=into))
    after(case, merging(12, numbered(200)), scene=INTO_OTHER)
    elsewhere = Scene(now=NOW, into=other_case(300))
    refused(case, unmerging(13, numbered(300)), ConflictError, scene=elsewhere)
    for named in (None, numbered(200)):
        event = decided(case, unmerging(13, named), scene=INTO_OTHER)
        assert event.body == CaseUnmerged(apart_from=id_of(200))


def test_a_merge_of_what_was_held_apart_waits_for_a_second_partner() -> None:
    case, other = given_case(), other_case()
    after(case, unmerging(12, other.id), scene=INTO_OTHER)
    event = decided(case, merging(13, other.id), scene=INTO_OTHER)
    assert event.hold == "two_person"
    # Whichever of the two it was said of.
    back = msgspec.structs.replace(merging(13, CASE), case_id=other.id)
    assert decided(other, back, scene=Scene(now=NOW, into=case)).hold == "two_person"
    after(case, merging(13, other.id), scene=INTO_OTHER)
    refused(case, reviewing(14, 13, partner_id=PARTNER), ConflictError, scene=INTO_OTHER)
    after(case, reviewing(14, 13), scene=INTO_OTHER)
    assert case.merged_into == other.id


def test_a_merge_that_waits_is_not_approved_once_the_other_went_into_it() -> None:
    case, other = given_case(), other_case()
    after(case, unmerging(12, other.id), merging(13, other.id), scene=INTO_OTHER)
    # The case that stays of the two is this one by now.
    refused(case, reviewing(14, 13), ConflictError, scene=Scene(now=NOW, into=case))
