"""The emergency stop: while publication is halted nothing new becomes public, whoever asks."""

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
import pytest

from caseflow.bootstrap import House
from caseflow.domain.commands import (
    AmendSubject,
    ChangeConsent,
    ChangeVisibility,
    CorroborateClaim,
    DisputeClaim,
    MergeCase,
    RetractClaim,
    Review,
    UnmergeCase,
)
from caseflow.domain.errors import ConflictError
from caseflow.domain.events import Consent, Name, Subject
from caseflow.domain.publication import Publication
from caseflow.domain.vocabulary import AnyClaim
from caseflow.projections.public.history import get_sequence
from tests.checks import check_house
from tests.houses import (
    GIVE_UP_SECONDS,
    Clock,
    Desk,
    answer_of,
    list_log,
    list_shown,
    new_partner,
    new_settings,
    one_batch,
    refusal_of,
    render,
    run_house,
    second_writer,
)

WIDE: Final = ("events:write", "events:publish", "review", "restricted:read")
CLAIM: Final = ("extradition.granted", "2025-05-01")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def house(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> Iterator[House]:
    """A house of which all must hold at the end of each test too."""
    with (
        new_settings(database_kind, request, tmp_path) as settings,
        run_house(settings, clock) as h,
    ):
        yield h
        check_house(h)


@pytest.fixture
def author(house: House) -> Desk:
    return new_partner(house, *WIDE, public_name="Author")


@pytest.fixture
def other(house: House) -> Desk:
    return new_partner(house, *WIDE, public_name="Other")


def freeze(house: House, frozen: bool = True) -> int | None:
    """Halt publication, or let it go on."""
    return house.cases.freeze(frozen).result(GIVE_UP_SECONDS)


def publication(house: House, case_id: UUID, claim: UUID) -> Publication:
    """Return what the public gets of a claim, as the log has it."""
    with house.reader.snapshot() as snapshot:
        dossier = house.reader.find_dossier(snapshot, case_id)
    assert dossier is not None
    case = dossier.find_case_of(claim)
    assert case is not None
    return dossier.publication_of(case, case.claims[claim])


def count_public(house: House) -> int:
    """Return the number of the last public change."""
    with house.reader.snapshot() as snapshot:
        return get_sequence(snapshot.connection, snapshot.view_set)


def assert_refused(future: "Future[Any]") -> None:
    """Assert that something is refused for the sake of the halt."""
    error = refusal_of(future)
    assert isinstance(error, ConflictError), error
    assert "publication is halted" in error.detail


def test_halting_is_an_event_and_is_done_once(house: House, author: Desk) -> None:
    author.open()
    assert [freeze(house), freeze(house), freeze(house, False), freeze(house, False)] == [
        2, None, 3, None,
    ]  # fmt: skip
    assert [event.type for _, event in list_log(house)] == [
        "case.opened", "publication.frozen", "publication.resumed",
    ]  # fmt: skip
    assert freeze(house) == 4


def test_a_claim_that_comes_meanwhile_waits_and_is_released_afterwards(
    house: House, author: Desk
) -> None:
    case = author.open("anonymous")
    counted = author.open("count")
    before = author.tell(case, *CLAIM, visibility="public")
    freeze(house)
    claim = author.tell(case, *CLAIM, visibility="public")
    number = author.tell(counted, *CLAIM, visibility="public")
    for about, told in ((case, claim), (counted, number)):
        found = publication(house, about, told)
        assert (found.state, found.reason, found.counted) == ("embargoed", "frozen", False)
    assert house.release_due() == 0
    assert list_shown(house) == [before]
    freeze(house, False)
    # The end of the halt publishes nothing by itself.
    assert count_public(house) == 1
    assert house.release_due() == 2
    assert list_shown(house) == [before, claim]
    assert publication(house, counted, number).counted
    assert house.release_due() == 0


def test_what_has_a_time_of_its_own_keeps_it(house: House, author: Desk, clock: Clock) -> None:
    case = author.open("anonymous")
    claim = author.tell(case, *CLAIM, visibility="public", publish_after="2026-02-10T13:00:00Z")
    freeze(house)
    clock.set("2026-02-10T14:00:00Z")
    assert house.release_due() == 0
    assert_refused(house.cases.release_publication(case, claim))
    later = author.tell(case, *CLAIM, visibility="public", publish_after="2026-02-10T15:00:00Z")
    freeze(house, False)
    assert house.release_due() == 1
    assert list_shown(house) == [claim]
    clock.set("2026-02-10T15:00:01Z")
    assert house.release_due() == 1
    assert list_shown(house) == [claim, later]


def test_what_is_not_for_the_public_is_recorded_as_ever(house: House, author: Desk) -> None:
    case = author.open("anonymous")
    freeze(house)
    claim = author.tell(case, *CLAIM, visibility="partners")
    assert publication(house, case, claim).reason == "visibility"
    freeze(house, False)
    author.act(ChangeVisibility, case, claim_id=claim, visibility="public")
    # It came while publication was halted: its release is one of the timer's.
    house.release_due()
    assert list_shown(house) == [claim]


class TestRefusals:
    """What would show something more at once is refused; nothing of it happens later."""

    def test_consent_is_not_raised(self, house: House, author: Desk) -> None:
        case = author.open("anonymous", subject=Subject(names=[named("Askar One")]))
        freeze(house)
        for wider in (
            Consent(publish="name", basis="own"),
            Consent(publish="anonymous", basis="already_public"),
        ):
            assert_refused(author.submit_act(ChangeConsent, case, consent=wider))

    def test_a_claim_is_not_raised_to_the_public(self, house: House, author: Desk) -> None:
        case = author.open("anonymous")
        claim = author.tell(case, *CLAIM, visibility="restricted")
        freeze(house)
        assert_refused(
            author.submit_act(ChangeVisibility, case, claim_id=claim, visibility="public")
        )
        author.act(ChangeVisibility, case, claim_id=claim, visibility="partners")

    def test_nothing_is_approved_but_anything_declined(
        self, house: House, author: Desk, other: Desk
    ) -> None:
        plain = new_partner(house, "events:write")
        case = author.open("anonymous")
        held = [plain.tell(case, *CLAIM, visibility="public") for _ in range(2)]
        freeze(house)
        for claim in held:
            assert_refused(other.submit_act(Review, case, target=claim, decision="approve"))
        other.act(Review, case, target=held[0], decision="decline")
        freeze(house, False)
        other.act(Review, case, target=held[1], decision="approve")
        assert list_shown(house) == [held[1]]

    def test_a_shown_name_is_not_changed(self, house: House, author: Desk) -> None:
        case = author.open("name", subject=Subject(names=[named("Askar One")]))
        freeze(house)
        asked = Subject(names=[named("Askar Two")])
        assert_refused(author.submit_act(AmendSubject, case, subject=asked))

    def test_a_text_that_named_the_person_does_not_slip_out(
        self, house: House, author: Desk
    ) -> None:
        """Once nobody knows that it is a name, a text with it could be published."""
        case = author.open("anonymous")
        claim = author.tell(case, *CLAIM, visibility="public", place="by Kanareikin bridge")
        known = Subject(names=[named("Askar Kanareikin")])
        author.act(AmendSubject, case, subject=known)
        assert publication(house, case, claim).reason == "names_person"
        freeze(house)
        assert_refused(author.submit_act(AmendSubject, case, subject=Subject()))
        older = Subject(names=known.names, birth_year=1990)
        author.act(AmendSubject, case, subject=older)
        freeze(house, False)
        author.act(AmendSubject, case, subject=Subject())
        assert publication(house, case, claim).state == "published"

    def test_cases_are_neither_joined_nor_parted_before_the_public(
        self, house: House, author: Desk
    ) -> None:
        stays, goes = author.open("anonymous"), author.open("count")
        joined = author.open("anonymous")
        for case in (stays, goes, joined):
            author.tell(case, *CLAIM, visibility="public")
        author.act(MergeCase, goes, into=stays)
        before, changes = list_shown(house), count_public(house)
        freeze(house)
        # It would tell that the two are one person.
        assert_refused(author.submit_act(MergeCase, joined, into=stays))
        # What was withheld because more had been agreed to in one than in the other would be out.
        assert_refused(author.submit_act(UnmergeCase, goes))
        # That two cases are apart changes nothing that is shown.
        author.act(UnmergeCase, joined, apart_from=stays)
        assert (list_shown(house), count_public(house)) == (before, changes)


def test_what_hides_has_its_effect_at_once(house: House, author: Desk, other: Desk) -> None:
    case, narrowed = author.open("anonymous"), author.open("anonymous")
    told = [author.tell(case, *CLAIM, visibility="public") for _ in range(3)]
    author.tell(narrowed, *CLAIM, visibility="public")
    freeze(house)
    author.act(RetractClaim, case, claim_id=told[0], reason="unsafe")
    hiding = {"claim_id": told[1], "visibility": "restricted", "until_review": True}
    other.act(ChangeVisibility, case, **hiding)
    author.act(ChangeConsent, narrowed, consent=Consent(publish="none", basis="own"))
    assert list_shown(house) == [told[2]]


def test_a_correction_hides_what_was_wrong_at_once_and_waits_itself(
    house: House, author: Desk
) -> None:
    case = author.open("anonymous")
    wrong = author.tell(case, *CLAIM, visibility="public", place="Almaty")
    freeze(house)
    right = msgspec.convert(
        {"type": CLAIM[0], "occurred": CLAIM[1], "visibility": "public", "place": "Astana"},
        AnyClaim,
    )
    corrected = answer_of(
        author.cases.correct_claim(author.caller, case, wrong, right, "typo", render)
    ).event_id
    assert publication(house, case, corrected).reason == "frozen"
    assert list_shown(house) == []
    freeze(house, False)
    assert house.release_due() == 1
    assert list_shown(house) == [corrected]


def test_a_judgement_is_not_told_to_the_public(house: House, author: Desk, other: Desk) -> None:
    case = author.open("anonymous")
    claim = author.tell(case, *CLAIM, visibility="public")
    freeze(house)
    other.act(DisputeClaim, case, claim_id=claim, reason="it is not so")
    assert judgement_waits(house, case, claim)
    other.act(CorroborateClaim, case, claim_id=claim)
    assert judgement_waits(house, case, claim)


def judgement_waits(house: House, case_id: UUID, claim: UUID) -> bool:
    """Return whether the last judgement of a claim is held back from the public."""
    with house.reader.snapshot() as snapshot:
        dossier = house.reader.find_dossier(snapshot, case_id)
    assert dossier is not None
    (judgement,) = dossier.main.claims[claim].judgements.values()
    return judgement.hold is not None


class TestSeveralProcesses:
    def test_the_halt_of_one_is_seen_by_the_other_at_once(self, house: House, author: Desk) -> None:
        case = author.open("anonymous")
        with second_writer(house) as second:
            elsewhere = author.at(second.cases)
            shown = elsewhere.tell(case, *CLAIM, visibility="public")
            freeze(house)
            hidden = elsewhere.tell(case, *CLAIM, visibility="public")
            assert publication(house, case, hidden).reason == "frozen"
            wider = Consent(publish="pseudonym", basis="own", pseudonym="Sokol")
            assert_refused(elsewhere.submit_act(ChangeConsent, case, consent=wider))
            assert second.cases.freeze(True).result(GIVE_UP_SECONDS) is None
            assert second.cases.freeze(False).result(GIVE_UP_SECONDS) is not None
            again = author.tell(case, *CLAIM, visibility="public")
            assert list_shown(house) == [shown, again]
            assert house.release_due() == 1

    def test_within_one_batch_what_comes_after_the_halt_waits(
        self, house: House, author: Desk
    ) -> None:
        case = author.open("anonymous")
        with one_batch(house.writer):
            first = author.submit_claim(case, *CLAIM, visibility="public")
            halted = house.cases.freeze(True)
            second = author.submit_claim(case, *CLAIM, visibility="public")
        assert halted.result(GIVE_UP_SECONDS) == 3
        assert list_shown(house) == [answer_of(first).event_id]
        assert publication(house, case, answer_of(second).event_id).reason == "frozen"


def named(text: str) -> Name:
    return Name(text=text, language="en", kind="primary")
