"""The aggregate: given events, when a command, then an event or a refusal."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caseflow.domain.case import Case, RecordedClaim, decide, evolve
from caseflow.domain.commands import Command, OpenCase, RecordClaim, ReleasePublication
from caseflow.domain.errors import (
    CaseflowError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    TextNamesPersonError,
    VersionConflictError,
)
from caseflow.domain.events import Consent, Event, Name, PublicationReleased, Subject
from caseflow.domain.times import parse_time
from tests.strategies import DATES, claim, numbered

CASE, PARTNER, OTHER = numbered(1), numbered(2), numbered(3)
NOW = parse_time("2026-02-10T09:00:00Z")
LATER = parse_time("2026-02-10T10:00:00Z")
EMBARGO = "2026-02-10T09:30:00Z"
SUBJECT = Subject(names=[Name(text="Михаил Жилин", language="ru", kind="primary")])


def opening(**fields: Any) -> OpenCase:
    told: dict[str, Any] = {
        "case_id": CASE,
        "event_id": numbered(100),
        "partner_id": PARTNER,
        "author": "Partner",
        "code": "KZ-7Q3K-9F2M",
        "host_state": "KZ",
        "origin_state": "RU",
        "persons": 2,
        "subject": SUBJECT,
        "consent": Consent(publish="anonymous", basis="own"),
        "external_id": "mine",
    }
    return OpenCase(**(told | fields))


def recording(
    number: int, type_code: str, occurred: str = "2025-05-01", **fields: Any
) -> RecordClaim:
    options = {
        name: fields.pop(name)
        for name in ("may_publish", "two_person", "expected_version", "partner_id")
        if name in fields
    }
    told: dict[str, Any] = {"case_id": CASE, "partner_id": PARTNER, "may_publish": True}
    return RecordClaim(
        **(told | options),
        event_id=numbered(number),
        author="Partner",
        claim=claim(type_code, occurred, **fields),
    )


def releasing(number: int, claim_number: int) -> ReleasePublication:
    return ReleasePublication(
        case_id=CASE, event_id=numbered(number), partner_id=PARTNER, claim_id=numbered(claim_number)
    )


def given_case(*commands: Command, **consent: Any) -> Case:
    fields = {"consent": Consent(**consent)} if consent else {}
    case = evolve(None, decide(None, opening(**fields), NOW))
    for command in commands:
        case = evolve(case, decide(case, command, NOW))
    assert case is not None
    return case


def refused_fields(case: Case, command: Command) -> list[str]:
    before = snapshot(case)
    with pytest.raises(InvalidInputError) as refused:
        decide(case, command, NOW)
    assert snapshot(case) == before
    return [pointer for pointer, _ in refused.value.errors]


def snapshot(case: Case) -> dict[str, Any]:
    """Return every field of a case, copied."""
    fields = vars(case) | {"claims": [msgspec.structs.asdict(c) for c in case.claims.values()]}
    return dict(fields)


# -- opening --------------------------------------------------------------------------------------


def test_an_opening_makes_the_first_version() -> None:
    event = decide(None, opening(), NOW)
    assert (event.originator_version, event.recorded_at, event.type) == (1, NOW, "case.opened")
    case = evolve(None, event)
    assert case is not None
    assert (case.id, case.version, case.persons, case.code) == (CASE, 1, 2, "KZ-7Q3K-9F2M")
    assert (case.host_state, case.origin_state, case.external_id) == ("KZ", "RU", "mine")
    assert (case.public_version, case.published_at) == (0, None)


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


def test_a_claim_is_the_next_version() -> None:
    case = given_case(recording(11, "asylum.registered"))
    event = decide(case, recording(12, "asylum.refused", "2025-06"), LATER)
    assert (event.originator_id, event.originator_version, event.recorded_at) == (CASE, 3, LATER)
    case.evolve(event)
    assert (case.version, case.updated_at, list(case.claims)) == (
        3, LATER, [numbered(11), numbered(12)],
    )  # fmt: skip
    assert case.status_for("restricted").headline == "asylum_refused"


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


def test_an_appeal_against_what_cannot_be_appealed_is_kept() -> None:
    case = given_case(
        recording(11, "detention.custody_ordered"), recording(12, "appeal.filed", against=11)
    )
    assert set(case.status_for("restricted").tracks) == {"liberty"}


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


def test_what_can_never_be_public_waits_for_no_review() -> None:
    case = given_case(
        recording(11, "person.died", may_publish=False),
        recording(12, "interim.requested", visibility="public", may_publish=False),
    )
    assert {c.hold for c in case.claims.values()} == {None}


def test_two_persons_look_at_the_first_publication_only() -> None:
    case = given_case(
        recording(11, "asylum.registered", visibility="public"),
        recording(12, "asylum.refused", visibility="public", two_person=True),
    )
    assert [c.publication.state for c in case.claims.values()] == ["published", "published"]


def test_public_versions_count_public_claims_alone() -> None:
    case = given_case(
        recording(11, "asylum.registered"),
        recording(12, "asylum.refused", "2025-06", visibility="public"),
        recording(13, "extradition.granted"),
    )
    assert (case.version, case.public_version) == (4, 1)
    assert case.get_claim(numbered(12)).public_version == 1
    case.evolve(decide(case, recording(14, "person.died", visibility="public"), LATER))
    assert (case.public_version, case.published_at, case.public_updated_at) == (2, NOW, LATER)
    assert case.status_for("public").headline == "died"
    assert set(case.status_for("public").tracks) == {"asylum", "life"}
    assert set(case.status_for("partners").tracks) == {"asylum", "extradition", "life"}


def test_the_end_of_an_embargo_publishes() -> None:
    case = given_case(
        recording(11, "person.died", visibility="public", publish_after=EMBARGO),
    )
    with pytest.raises(ConflictError):
        decide(case, releasing(12, 11), NOW)
    event = decide(case, releasing(12, 11), LATER)
    assert event.body == PublicationReleased(claim=str(numbered(11)))
    case.evolve(event)
    released = case.get_claim(numbered(11))
    assert released.is_public
    assert (released.published_at, case.published_at, case.public_version) == (LATER, LATER, 1)
    with pytest.raises(ConflictError):
        decide(case, releasing(13, 11), LATER)


def test_a_log_that_is_ahead_of_the_clock_voids_no_embargo() -> None:
    """What is recorded never runs back; the clock may have been set right since."""
    case = given_case()
    command = recording(11, "person.died", visibility="public", publish_after=EMBARGO)
    case.evolve(decide(case, command, LATER, now=NOW))
    assert case.get_claim(numbered(11)).publication.state == "embargoed"
    with pytest.raises(ConflictError):
        decide(case, releasing(12, 11), LATER + 1, now=NOW)
    case.evolve(decide(case, releasing(12, 11), LATER + 1, now=LATER))
    assert case.get_claim(numbered(11)).is_public


def test_what_happened_abroad_after_a_departure_does_not_tell_where() -> None:
    abroad = {"jurisdiction": "DE", "place": "Berlin", "visibility": "public"}
    case = given_case(
        recording(11, "prosecution.verdict", "2023", outcome="convicted", **abroad),
        recording(12, "departure.left", "2024-05", visibility="public"),
        recording(13, "person.died", "2025-05", **abroad),
        recording(14, "detention.contact_denied", "2024-01", **abroad),
        recording(15, "expulsion.executed", "2025-06", destination="RU", **abroad),
    )
    hidden = {number: case.get_claim(numbered(number)).tells_refuge for number in range(11, 16)}
    assert hidden == {11: False, 12: True, 13: True, 14: False, 15: False}
    assert case.get_claim(numbered(13)).facts.jurisdiction == ""
    assert case.status_for("public").headline == "died"


def test_only_an_embargoed_claim_can_be_released() -> None:
    case = given_case(
        recording(11, "person.died"), recording(12, "asylum.refused", visibility="public")
    )
    for number, error in ((11, ConflictError), (12, ConflictError), (99, NotFoundError)):
        with pytest.raises(error):
            decide(case, releasing(13, number), LATER)


APPEALING: list[Callable[[], list[RecordClaim]]] = [
    lambda: [recording(12, "appeal.filed", against=11, visibility="public")],
    lambda: [
        recording(12, "appeal.filed", against=11),
        recording(13, "appeal.decided", against=12, outcome="quashed", visibility="public"),
    ],
    lambda: [
        recording(12, "appeal.decided", against=11),
        recording(13, "appeal.filed", against=12),
        recording(14, "appeal.became_final", against=13, visibility="public"),
    ],
]


@pytest.mark.parametrize("appeals", APPEALING)
@pytest.mark.parametrize("basis", ["own", "representative"])
def test_asylum_told_by_a_representative_stays_with_partners_appeals_included(
    appeals: Callable[[], list[RecordClaim]], basis: str
) -> None:
    decision = recording(11, "asylum.refused", visibility="public")
    case = given_case(decision, *appeals(), publish="anonymous", basis=basis)
    last = list(case.claims.values())[-1]
    assert last.about_asylum
    assert last.is_public is (basis == "own")
    if basis == "representative":
        assert (last.visibility, last.publication.reason) == ("partners", "asylum_consent")


def test_an_appeal_against_another_decision_is_not_about_asylum() -> None:
    case = given_case(
        recording(11, "expulsion.ordered"),
        recording(12, "appeal.filed", against=11, visibility="public"),
        publish="anonymous",
        basis="representative",
    )
    assert case.get_claim(numbered(12)).is_public


def test_audiences() -> None:
    case = given_case(
        recording(11, "asylum.registered", visibility="public"),
        recording(12, "asylum.refused"),
        recording(13, "person.died", visibility="restricted"),
        recording(14, "interim.requested", visibility="public", partner_id=OTHER),
    )

    def read(audience: Any, own: Any = None) -> list[int]:
        return [c.event_id.int for c in case.claims_for(audience, own)]

    assert read("public") == [11]
    assert read("partners") == [11, 12]
    assert read("partners", PARTNER) == [11, 12, 13]
    assert read("partners", OTHER) == [11, 12, 14]
    assert read("restricted") == [11, 12, 13, 14]


# -- random walks ---------------------------------------------------------------------------------

WALK_TYPES = (
    "asylum.refused", "appeal.filed", "appeal.decided", "person.died", "interim.requested",
    "detention.apprehended", "extradition.granted",
)  # fmt: skip


@st.composite
def random_command(draw: st.DrawFn, number: int) -> Command:
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return releasing(number, draw(st.integers(9, number)))
    if kind == 1 and draw(st.booleans()):
        return opening()
    type_code = draw(st.sampled_from(WALK_TYPES))
    fields: dict[str, Any] = {
        "visibility": draw(st.sampled_from(("public", "public", "partners", "restricted"))),
        "may_publish": draw(st.booleans()),
        "two_person": draw(st.booleans()),
    }
    if type_code.startswith("appeal."):
        fields["against"] = draw(st.integers(9, number))
    if draw(st.booleans()):
        fields["after"] = draw(st.integers(9, number))
    if draw(st.booleans()):
        fields["publish_after"] = EMBARGO
    if draw(st.integers(0, 4)) == 0:
        fields["summary"] = {"en": "Zhilin was seen"}
    if draw(st.integers(0, 4)) == 0:
        fields["expected_version"] = draw(st.integers(1, 4))
    return recording(number, type_code, draw(st.sampled_from(DATES)), **fields)


@settings(max_examples=150)
@given(st.data(), st.sampled_from(["anonymous", "count", "none", "name"]))
def test_random_commands_only_make_allowed_moves_and_replay_gives_the_same_case(
    data: st.DataObject, level: Any
) -> None:
    first = decide(None, opening(consent=Consent(publish=level, basis="own")), NOW)
    case = evolve(None, first)
    assert case is not None
    events = [first]
    for number in range(10, 10 + data.draw(st.integers(1, 6))):
        command, at = data.draw(random_command(number)), NOW + number * 400_000_000
        before = snapshot(case)
        try:
            event = decide(case, command, at)
        except CaseflowError:
            assert snapshot(case) == before  # a refusal changes nothing
            continue
        assert snapshot(case) == before  # nor does a decision, until it is applied
        _assert_allowed(case, command, event)
        case.evolve(event)
        events.append(event)
    replayed = Case.from_events(events)
    assert replayed is not None
    assert snapshot(replayed) == snapshot(case)
    assert [e.originator_version for e in events] == list(range(1, case.version + 1))
    assert case.public_version == len(case.claims_for("public"))


def _assert_allowed(case: Case, command: Command, event: Event) -> None:
    assert not isinstance(command, OpenCase)
    assert event.originator_version == case.version + 1
    if isinstance(command, ReleasePublication):
        assert case.claims[command.claim_id].publication.state == "embargoed"
        return
    told = command.claim
    assert command.expected_version in (None, case.version)
    for reference in (getattr(told, "against", None), told.after):
        assert reference is None or numbered(int(reference.replace("-", ""), 16)) in case.claims
    named = told.summary is not None and told.visibility == "public"
    assert not named or case.consent.publish == "name"


def test_a_replay_of_no_events_is_no_case() -> None:
    assert Case.from_events([]) is None


def test_claims_are_recorded_with_what_became_of_them() -> None:
    case = given_case(recording(11, "person.died", visibility="public"))
    found = case.get_claim(numbered(11))
    assert isinstance(found, RecordedClaim)
    assert (found.version, found.recorded_at, found.partner_id) == (2, NOW, PARTNER)
    assert (found.author, found.published_at, found.public_version) == ("Partner", NOW, 1)
    with pytest.raises(NotFoundError):
        case.get_claim(numbered(12))
