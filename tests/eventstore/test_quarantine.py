"""What a stolen key did to cases and figures, undone for the public one thing at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy import select

from caseflow import bootstrap
from caseflow.bootstrap import House
from caseflow.domain.case import Case
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
from caseflow.domain.events import OPERATOR_ID, Consent, FigureReported, Name, Subject
from caseflow.domain.vocabulary import AnyClaim
from caseflow.eventstore.name_index import name_index
from caseflow.eventstore.partners import NO_KEY, digest_key, find_caller, issue_key
from caseflow.eventstore.quarantine import Quarantined, Suspect
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
    render,
    run_house,
)

WIDE: Final = ("events:write", "events:publish", "review", "restricted:read")
OWN: Final = Consent(publish="anonymous", basis="own")
FIGURE: Final = {
    "measure": "persons_staying", "low": 50, "high": 80, "as_of": "2026-01", "host_state": "KZ",
    "source": {"title": "Estimate"},
}  # fmt: skip


class World:
    """A house with two partners and a reviewer; the key of the second partner is stolen."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.honest = new_partner(house, *WIDE, public_name="Honest")
        self.reviewer = new_partner(house, *WIDE)
        self.thief = new_partner(house, *WIDE, public_name="Victim")
        # Another key of the partner, which is in good hands.
        self.victim = Desk(house.cases, msgspec.structs.replace(self.thief.caller, key_id=NO_KEY))
        self.case = self.honest.open("anonymous")
        self.told = self.tell(self.honest)

    def steal(self, *scopes: str) -> Desk:
        """Return the partner with another key, which is stolen too."""
        key_id, at = uuid4(), self.house.clock()
        with self.house.write() as connection:
            key = issue_key(
                connection,
                key_id=key_id,
                partner_id=self.victim.caller.partner_id,
                scopes=scopes,
                at=at,
            )
            caller = find_caller(connection, digest_key(key), at)
        assert caller is not None
        return Desk(self.house.cases, caller)

    def tell(self, by: Desk, case: UUID | None = None, **fields: Any) -> UUID:
        """Record a claim for the public."""
        told = {"visibility": "public", **fields}
        return by.tell(case or self.case, "extradition.granted", **told)

    def quarantine(self) -> Quarantined:
        """Hide all that was ever posted with the key."""
        return self.house.quarantine(Suspect(self.thief.caller.key_id, 0))

    def approve(self, found: Quarantined, target: UUID) -> None:
        """Have a reviewer bring back what was hidden."""
        (step,) = (step for step in found.steps if step.target == target)
        self.reviewer.act(Review, step.case_id, target=step.event_id, decision="approve")

    def find_case(self, case_id: UUID | None = None) -> Case:
        """Return a case as it is now."""
        with self.house.reader.snapshot() as snapshot:
            dossier = self.house.reader.find_dossier(snapshot, case_id or self.case)
        assert dossier is not None
        return next(case for case in dossier.cases if case.id == (case_id or self.case))

    def hidden(self, found: Quarantined) -> list[UUID]:
        return [step.target for step in found.steps if step.kind == "claim hidden"]


@pytest.fixture
def world(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A world of which all must hold at the end too, and in which a second run changes nothing."""
    with (
        new_settings(database_kind, request, tmp_path) as settings,
        run_house(settings, Clock()) as house,
    ):
        world = World(house)
        yield world
        head = len(list_log(house))
        assert world.quarantine().steps == []
        assert len(list_log(house)) == head
        check_house(house)


def called(*names: str) -> Subject:
    return Subject(names=[Name(text=text, language="en", kind="primary") for text in names])


class TestClaims:
    def test_what_waits_is_hidden_too(self, world: World) -> None:
        """A claim that is not public yet is not to become so by itself."""
        later = world.tell(world.thief, publish_after="2027-01-01T00:00:00Z")
        shared = world.tell(world.thief, visibility="partners")
        world.tell(world.thief, visibility="restricted")
        found = world.quarantine()
        assert world.hidden(found) == [later, shared]
        assert {world.find_case().claims[c].visibility for c in (later, shared)} == {"restricted"}

    def test_what_was_retracted_is_left_as_it_is(self, world: World) -> None:
        claim = world.tell(world.thief)
        world.victim.act(RetractClaim, world.case, claim_id=claim, reason="false")
        assert world.quarantine() == Quarantined([], [])

    def test_a_claim_that_others_have_corrected_since_is_hidden_with_what_it_said(
        self, world: World
    ) -> None:
        claim = world.tell(world.thief, place="Canaryville")
        right = msgspec.convert(
            {"type": "extradition.granted", "occurred": "2025-05", "visibility": "public"}, AnyClaim
        )
        by = world.victim
        asked = by.cases.correct_claim(by.caller, world.case, claim, right, "typo", render)
        corrected = answer_of(asked).event_id
        found = world.quarantine()
        assert world.hidden(found) == [corrected]
        assert list_shown(world.house) == [world.told]
        world.approve(found, corrected)
        assert list_shown(world.house) == [world.told, corrected]

    def test_a_raise_of_visibility_is_undone_until_it_is_reviewed(self, world: World) -> None:
        secret = world.tell(world.victim, visibility="restricted")
        raised = {"claim_id": secret, "visibility": "public"}
        world.thief.act(ChangeVisibility, world.case, **raised)
        found = world.quarantine()
        assert (world.hidden(found), found.left) == ([secret], [])
        assert list_shown(world.house) == [world.told]
        world.approve(found, secret)
        assert list_shown(world.house) == [world.told, secret]

    def test_an_approval_is_undone_until_it_is_reviewed(self, world: World) -> None:
        plain = new_partner(world.house, "events:write")
        held = world.tell(plain)
        world.thief.act(Review, world.case, target=held, decision="approve")
        assert held in list_shown(world.house)
        found = world.quarantine()
        assert world.hidden(found) == [held]
        assert list_shown(world.house) == [world.told]

    def test_an_approval_of_what_another_quarantine_hid_is_undone(self, world: World) -> None:
        other = new_partner(world.house, *WIDE)
        claim = world.tell(other)
        first = world.house.quarantine(Suspect(other.caller.key_id, 0))
        (step,) = first.steps
        world.thief.act(Review, world.case, target=step.event_id, decision="approve")
        assert claim in list_shown(world.house)
        assert world.hidden(world.quarantine()) == [claim]
        assert list_shown(world.house) == [world.told]

    def test_what_a_thief_has_taken_away_is_listed(self, world: World) -> None:
        house, case, thief = world.house, world.case, world.thief
        claims = [world.tell(world.victim) for _ in range(3)]
        events = [
            thief.act(RetractClaim, case, claim_id=claims[0], reason="false"),
            thief.act(ChangeVisibility, case, claim_id=claims[1], visibility="partners"),
            thief.act(DisputeClaim, case, claim_id=world.told, reason="no"),
            thief.act(CorroborateClaim, case, claim_id=world.told),
        ]
        mine = thief.open("anonymous")
        parted = thief.act(UnmergeCase, mine, apart_from=case)
        narrowed = thief.act(ChangeConsent, mine, consent=Consent(publish="none", basis="own"))
        plain = new_partner(house, "events:write")
        declined = thief.act(Review, case, target=world.tell(plain), decision="decline")
        found = world.quarantine()
        assert found.steps == []
        left = {one.event_id: one.type for one in found.left}
        assert left.keys() >= {*events, parted, narrowed, declined}
        assert sorted(left.values()) == [
            "case.opened", "claim.corroborated", "claim.disputed", "claim.retracted",
            "consent.changed", "identity.unmerged", "publication.declined", "visibility.changed",
        ]  # fmt: skip

    def test_what_was_posted_without_a_key_is_left_alone(self, world: World) -> None:
        world.tell(world.victim)
        assert world.house.quarantine(Suspect(NO_KEY, 0)) == Quarantined([], [])

    def test_only_what_came_since_is_hidden(self, world: World) -> None:
        before = world.tell(world.thief)
        last = list_log(world.house)[-1][1].recorded_at
        after = world.tell(world.thief)
        found = world.house.quarantine(Suspect(world.thief.caller.key_id, last + 1))
        assert world.hidden(found) == [after]
        assert world.hidden(world.quarantine()) == [before]


class TestConsent:
    @pytest.fixture
    def subject(self) -> Subject:
        return called("Askar Canaryname")

    def test_a_raise_falls_back_to_what_was_agreed_to_before(
        self, world: World, subject: Subject
    ) -> None:
        before = Consent(publish="initials", basis="representative")
        case = world.victim.open(consent=before, subject=subject)
        claim = world.tell(world.victim, case)
        for wider in (
            Consent(publish="initials", basis="own", share=True),
            Consent(publish="name", basis="already_public"),
        ):
            world.thief.act(ChangeConsent, case, consent=wider)
        found = world.quarantine()
        assert [(s.kind, s.target) for s in found.steps] == [("consent narrowed", case)]
        assert found.left == []
        assert world.find_case(case).consent == before
        assert list_shown(world.house) == [world.told, claim]

    def test_sharing_with_partners_is_undone_in_the_index_of_names_too(
        self, world: World, subject: Subject
    ) -> None:
        case = world.victim.open(consent=OWN, subject=subject)
        before = self.list_digests(world.house, case)
        world.thief.act(ChangeConsent, case, consent=msgspec.structs.replace(OWN, share=True))
        assert self.list_digests(world.house, case) != before
        world.quarantine()
        assert self.list_digests(world.house, case) == before

    def list_digests(self, house: House, case: UUID) -> list[bytes]:
        with house.read() as connection:
            rows = connection.scalars(
                select(name_index.c.digest).where(name_index.c.case_id == case)
            )
            return sorted(bytes(row) for row in rows)

    def test_another_pseudonym_leaves_the_code(self, world: World) -> None:
        before = Consent(publish="pseudonym", basis="own", pseudonym="Sokol")
        case = world.victim.open(consent=before)
        after = msgspec.structs.replace(before, pseudonym="Canary")
        world.thief.act(ChangeConsent, case, consent=after)
        world.quarantine()
        assert world.find_case(case).consent == OWN

    def test_what_was_told_since_by_somebody_else_rules(
        self, world: World, subject: Subject
    ) -> None:
        case = world.victim.open(consent=OWN, subject=subject)
        world.thief.act(ChangeConsent, case, consent=Consent(publish="name", basis="own"))
        told = Consent(publish="initials", basis="own")
        world.victim.act(ChangeConsent, case, consent=told)
        assert world.quarantine() == Quarantined([], [])
        assert world.find_case(case).consent == told

    def test_a_raise_that_an_untrusted_key_approved_is_undone(
        self, world: World, subject: Subject
    ) -> None:
        plain = new_partner(world.house, "events:write")
        case = plain.open(consent=OWN, subject=subject)
        raised = plain.act(ChangeConsent, case, consent=Consent(publish="name", basis="own"))
        world.thief.act(Review, case, target=raised, decision="approve")
        assert world.find_case(case).consent.publish == "name"
        world.quarantine()
        assert world.find_case(case).consent == OWN

    def test_what_waits_for_a_review_is_listed(self, world: World, subject: Subject) -> None:
        plain = world.steal("events:write")
        case = world.victim.open(consent=OWN, subject=subject)
        raised = plain.act(ChangeConsent, case, consent=Consent(publish="name", basis="own"))
        found = world.house.quarantine(Suspect(plain.caller.key_id, 0))
        (left,) = found.left
        assert (found.steps, left.event_id, left.why) == (
            [], raised, "waits for a review: decline it",
        )  # fmt: skip

    def test_a_raise_is_undone_even_where_somebody_has_approved_it(
        self, world: World, subject: Subject
    ) -> None:
        """Whoever did so took it for the word of the partner."""
        plain = world.steal("events:write")
        case = world.victim.open(consent=OWN, subject=subject)
        raised = plain.act(ChangeConsent, case, consent=Consent(publish="name", basis="own"))
        world.reviewer.act(Review, case, target=raised, decision="approve")
        assert world.find_case(case).consent.publish == "name"
        found = world.house.quarantine(Suspect(plain.caller.key_id, 0))
        assert ([step.target for step in found.steps], found.left) == ([case], [])
        assert world.find_case(case).consent == OWN

    def test_of_a_case_that_it_opened_nothing_is_believed(
        self, world: World, subject: Subject
    ) -> None:
        wide = Consent(publish="name", basis="already_public")
        alone, joined = (world.thief.open(consent=wide, subject=subject) for _ in range(2))
        world.tell(world.thief, alone)
        world.tell(world.thief, joined)
        world.tell(world.honest, joined)
        world.quarantine()
        assert world.find_case(alone).consent == Consent(
            publish="anonymous", basis="representative"
        )
        # Others have told of a person who may have agreed to nothing.
        assert world.find_case(joined).consent.publish == "none"
        assert list_shown(world.house) == [world.told]


class TestNames:
    def test_a_name_that_it_changed_is_shown_no_more(self, world: World) -> None:
        consent = Consent(publish="name", basis="own")
        case = world.victim.open(consent=consent, subject=called("Askar One"))
        world.tell(world.victim, case)
        amended = world.thief.act(AmendSubject, case, subject=called("Canary Two"))
        found = world.quarantine()
        assert [left.event_id for left in found.left] == [amended]
        narrowed = world.find_case(case).consent
        assert (narrowed.publish, narrowed.basis, narrowed.share) == ("anonymous", "own", True)
        # Whoever knows the person tells both anew.
        world.victim.act(AmendSubject, case, subject=called("Askar One"))
        world.victim.act(ChangeConsent, case, consent=consent)

    def test_a_name_that_is_not_shown_is_only_listed(self, world: World) -> None:
        case = world.victim.open(consent=OWN, subject=called("Askar One"))
        world.thief.act(AmendSubject, case, subject=called("Canary Two"))
        found = world.quarantine()
        assert (found.steps, [left.type for left in found.left]) == ([], ["subject.amended"])

    def test_a_text_that_it_freed_of_a_name_is_hidden(self, world: World) -> None:
        """Once nobody knows the name, a text that holds it counts as one that names nobody."""
        case = world.victim.open(consent=OWN)
        claim = world.tell(world.victim, case, place="the house of Canarykin")
        world.victim.act(AmendSubject, case, subject=called("Askar Canarykin"))
        assert list_shown(world.house) == [world.told]
        world.thief.act(AmendSubject, case, subject=Subject())
        assert claim in list_shown(world.house)
        assert world.hidden(world.quarantine()) == [claim]
        assert list_shown(world.house) == [world.told]


class TestMerges:
    def test_cases_that_it_merged_are_parted(self, world: World) -> None:
        other = world.victim.open("anonymous")
        claim = world.tell(world.victim, other)
        merged = world.thief.act(MergeCase, other, into=world.case)
        found = world.quarantine()
        assert [(s.kind, s.case_id, s.target) for s in found.steps] == [
            ("cases parted", other, other)
        ]
        assert merged not in {left.event_id for left in found.left}
        case = world.find_case(other)
        assert (case.merged_into, case.apart_from) == (None, frozenset({world.case}))
        assert list_shown(world.house) == [world.told, claim]
        # That is remembered: the same again needs a second partner.
        again = answer_of(world.victim.submit_act(MergeCase, other, into=world.case))
        assert world.find_case(other).pending.keys() == {again.event_id}

    def test_a_merge_of_somebody_else_s_stands(self, world: World) -> None:
        other, third = world.victim.open("anonymous"), world.victim.open("anonymous")
        world.thief.act(MergeCase, other, into=world.case)
        world.victim.act(UnmergeCase, other)
        world.victim.act(MergeCase, other, into=third)
        assert world.quarantine().steps == []
        assert world.find_case(other).merged_into == third

    def test_what_was_not_done_while_publication_is_halted_is_listed(self, world: World) -> None:
        """To part them would show claims that were withheld for the sake of the other case."""
        other = world.victim.open("count")
        world.tell(world.victim, other)
        world.thief.act(MergeCase, other, into=world.case)
        world.house.cases.freeze(True).result(GIVE_UP_SECONDS)
        found = world.quarantine()
        assert [left.type for left in found.left] == ["not done: cases parted"]
        assert "publication is halted" in found.left[0].why
        world.house.cases.freeze(False).result(GIVE_UP_SECONDS)
        assert [step.kind for step in world.quarantine().steps] == ["cases parted"]


class TestFigures:
    def test_a_figure_waits_for_a_review(self, world: World) -> None:
        told = msgspec.convert(FIGURE, FigureReported)
        figures = world.house.figures
        answer = figures.report(world.thief.caller, told, lambda found: found.figure.id)
        figure = answer.result(GIVE_UP_SECONDS).rendered
        figures.report(world.victim.caller, told, lambda found: None).result(GIVE_UP_SECONDS)
        found = world.quarantine()
        assert [(step.kind, step.case_id) for step in found.steps] == [("figure hidden", figure)]
        hidden = [event for _, event in list_log(world.house) if event.type == "figure.hidden"]
        assert [event.originator_id for event in hidden] == [figure]


def test_it_is_the_operator_who_acts(world: World) -> None:
    world.tell(world.thief)
    world.quarantine()
    _, last = list_log(world.house)[-1]
    assert (last.partner_id, last.author, last.key_id) == (OPERATOR_ID, None, None)


def test_after_a_crash_it_goes_on_where_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [world.thief.open("anonymous") for _ in range(6)]
    claims = [world.tell(world.thief, case) for case in cases]
    monkeypatch.setattr(bootstrap, "HIDDEN_TOGETHER", 2)

    def crash(done: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    suspect = Suspect(world.thief.caller.key_id, 0)
    with pytest.raises(KeyboardInterrupt):
        world.house.quarantine(suspect, crash)
    assert list_shown(world.house) == [world.told, *claims[4:]]
    assert world.hidden(world.quarantine()) == claims[4:]
    assert list_shown(world.house) == [world.told]


def test_what_comes_while_it_runs_is_hidden_too(world: World) -> None:
    """A request that was let in before the key was revoked may be recorded after it."""
    first = world.tell(world.thief)
    late: list[UUID] = []

    def post(_done: int) -> None:
        if not late:
            late.append(world.tell(world.thief))

    found = world.house.quarantine(Suspect(world.thief.caller.key_id, 0), post)
    assert world.hidden(found) == [first, *late]
