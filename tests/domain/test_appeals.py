"""Appeals: what `against` leads to, and what filing, deciding and finality make of a track."""

import pytest

from caseflow.domain.facts import ClaimFacts, Stance
from tests.strategies import numbered, states_of, status_of, tell

# A decision of each kind, and its track and state.
DECISIONS = [
    ("extradition.requested", "extradition", "requested"),
    ("extradition.granted", "extradition", "granted"),
    ("extradition.postponed", "extradition", "postponed"),
    ("extradition.refused", "extradition", "refused"),
    ("extradition.lapsed", "extradition", "lapsed"),
    ("asylum.claim_made", "asylum", "claimed"),
    ("asylum.registered", "asylum", "registered"),
    ("asylum.recognised", "asylum", "recognised"),
    ("asylum.refused", "asylum", "refused"),
    ("asylum.closed", "asylum", "closed"),
    ("asylum.status_ended", "asylum", "ended"),
    ("expulsion.ordered", "expulsion", "ordered"),
    ("expulsion.stayed", "expulsion", "stayed"),
    ("expulsion.entry_refused", "expulsion", "entry_refused"),
    ("extradition.surrendered", "extradition", "surrendered"),
    ("expulsion.executed", "expulsion", "executed"),
]
FOR_THE_PERSON = {
    "extradition.postponed": "remitted",
    "extradition.refused": "remitted",
    "extradition.lapsed": "remitted",
    "asylum.recognised": "remitted",
    "expulsion.stayed": "ordered",
}


def filed(number: int, against: int, occurred: str = "2025-06-01") -> ClaimFacts:
    return tell(number, "appeal.filed", occurred, against=against)


def decided(number: int, against: int, outcome: str, occurred: str = "2025-07-01") -> ClaimFacts:
    return tell(number, "appeal.decided", occurred, against=against, outcome=outcome)


@pytest.mark.parametrize(("decision", "track", "state"), DECISIONS)
class TestAgainstADecision:
    def test_filed_makes_the_appeal_pending(self, decision: str, track: str, state: str) -> None:
        assert states_of(tell(1, decision), filed(2, 1))[track] == "appeal_pending"

    def test_upheld_gives_the_state_of_the_decision_again(
        self, decision: str, track: str, state: str
    ) -> None:
        told = [tell(1, decision), filed(2, 1), decided(3, 2, "upheld")]
        assert states_of(*told)[track] == state

    def test_remitted_is_remitted(self, decision: str, track: str, state: str) -> None:
        assert states_of(tell(1, decision), decided(3, 1, "remitted"))[track] == "remitted"

    def test_quashed_depends_on_whom_the_decision_was_for(
        self, decision: str, track: str, state: str
    ) -> None:
        found = states_of(tell(1, decision), decided(3, 1, "quashed"))[track]
        assert found == FOR_THE_PERSON.get(decision, "quashed")

    def test_became_final_gives_the_state_and_is_final(
        self, decision: str, track: str, state: str
    ) -> None:
        final = tell(2, "appeal.became_final", "2025-06-10", against=1)
        found = status_of(tell(1, decision), final).tracks[track]
        assert (found.state, found.final) == (state, True)

    def test_a_hearing_moves_nothing(self, decision: str, track: str, state: str) -> None:
        hearing = tell(2, "appeal.hearing_set", "2025-06-10", against=1)
        assert states_of(tell(1, decision), hearing)[track] == state


@pytest.mark.parametrize(
    ("way", "state"),
    [
        # filed -> decided -> filed against the ruling -> quashed: the appeal is open again
        ([filed(2, 1), decided(3, 2, "upheld")], "granted"),
        ([filed(2, 1), decided(3, 2, "quashed")], "quashed"),
        (
            [filed(2, 1), decided(3, 2, "upheld"), filed(4, 3, "2025-08")],
            "appeal_pending",
        ),
        (
            [decided(3, 1, "upheld"), filed(4, 3), decided(5, 4, "quashed", "2025-09")],
            "appeal_pending",
        ),
        ([decided(3, 1, "quashed"), decided(5, 3, "quashed", "2025-09")], "appeal_pending"),
        ([decided(3, 1, "quashed"), decided(5, 3, "upheld", "2025-09")], "quashed"),
        ([decided(3, 1, "quashed"), decided(5, 3, "remitted", "2025-09")], "remitted"),
        ([decided(3, 1, "remitted"), decided(5, 3, "upheld", "2025-09")], "remitted"),
        # a ruling on a ruling on a ruling
        (
            [
                decided(3, 1, "upheld"),
                decided(5, 3, "quashed", "2025-09"),
                decided(6, 5, "upheld", "2025-10"),
            ],
            "appeal_pending",
        ),
        # finality of a ruling, of an appeal, of a finality
        (
            [decided(3, 1, "quashed"), tell(4, "appeal.became_final", "2025-09", against=3)],
            "quashed",
        ),
        (
            [filed(2, 1), tell(4, "appeal.became_final", "2025-09", against=2)],
            "granted",
        ),
        (
            [
                decided(3, 1, "quashed"),
                tell(4, "appeal.became_final", "2025-09", against=3),
                filed(5, 4, "2025-10"),
                decided(6, 5, "upheld", "2025-11"),
            ],
            "quashed",
        ),
        # through a hearing
        (
            [
                filed(2, 1),
                tell(3, "appeal.hearing_set", "2025-06-15", against=2),
                decided(4, 3, "quashed"),
            ],
            "quashed",
        ),
    ],
)
def test_chains_of_appeals(way: list[ClaimFacts], state: str) -> None:
    assert states_of(tell(1, "extradition.granted"), *way)["extradition"] == state


@pytest.mark.parametrize(
    "contested",
    [
        tell(1, "detention.custody_ordered", basis="extradition"),
        tell(1, "detention.apprehended"),
        tell(1, "wanted.listed"),
        tell(1, "wanted.removed"),
        tell(1, "prosecution.verdict"),
        tell(1, "asylum.unhcr_recorded"),
        tell(1, "interim.decided"),
        tell(1, "person.entered"),
        tell(1, "case.closed"),
        tell(1, "return.voluntary"),
    ],
    ids=lambda claim: claim.type,
)
@pytest.mark.parametrize("outcome", ["upheld", "quashed", "remitted"])
def test_appeals_against_anything_else_move_nothing(contested: ClaimFacts, outcome: str) -> None:
    before = states_of(contested)
    final = tell(4, "appeal.became_final", "2025-08", against=1)
    assert states_of(contested, filed(2, 1), decided(3, 2, outcome), final) == before


def test_appeals_that_lead_to_themselves_or_nowhere_move_nothing() -> None:
    assert states_of(filed(1, 1)) == {}
    assert states_of(filed(1, 9)) == {}
    assert states_of(filed(1, 2), filed(2, 1)) == {}
    assert states_of(decided(1, 2, "quashed"), decided(2, 1, "upheld")) == {}
    assert states_of(decided(1, 1, "quashed")) == {}
    assert states_of(tell(1, "appeal.hearing_set", against=1), filed(2, 1)) == {}


@pytest.mark.parametrize("foreign", [1, 2, 3])
def test_every_claim_on_the_way_must_be_of_the_host_state(foreign: int) -> None:
    claims = [
        tell(1, "expulsion.ordered", jurisdiction="KG" if foreign == 1 else "KZ"),
        tell(2, "appeal.filed", "2025-06", against=1, jurisdiction="KG" if foreign == 2 else "KZ"),
        tell(
            3,
            "appeal.decided",
            "2025-07",
            against=2,
            outcome="quashed",
            jurisdiction="RU" if foreign == 3 else "KZ",
        ),
    ]
    expected = {1: None, 2: "ordered", 3: "appeal_pending"}
    assert states_of(*claims).get("expulsion") == expected[foreign]


def test_a_surrender_told_from_the_origin_state_cannot_be_appealed_in_the_host_state() -> None:
    surrendered = tell(1, "extradition.surrendered", jurisdiction="RU")
    assert states_of(surrendered, filed(2, 1))["extradition"] == "surrendered"


@pytest.mark.parametrize("missing", [1, 2])
def test_every_claim_on_the_way_must_be_in_force(missing: int) -> None:
    claims = [tell(1, "extradition.granted"), filed(2, 1), decided(3, 2, "quashed")]
    kept = [claim for claim in claims if claim.id != numbered(missing)]
    assert states_of(*kept).get("extradition") == {1: None, 2: "granted"}[missing]


def test_an_outvoted_decision_takes_its_appeals_with_it() -> None:
    claims = [tell(1, "extradition.granted"), filed(2, 1)]
    against = [Stance(claim=numbered(1), partner=p, disputes=True, rank_against=True) for p in "bc"]
    assert "extradition" not in states_of(*claims, stances=against)


def test_a_decision_dated_after_the_day_asked_for_still_carries_its_appeal() -> None:
    claims = [tell(1, "extradition.granted", "2025-05-20"), filed(2, 1, "[2025-05-01..2025-06]")]
    assert states_of(*claims, as_of="2025-05-10") == {"extradition": "appeal_pending"}
    ruling = [
        tell(1, "asylum.refused", "2025-05-20"),
        decided(2, 1, "quashed", "2025-06-20"),
        filed(3, 2, "2025"),
    ]
    assert states_of(*ruling, as_of="2025-05-10") == {"asylum": "appeal_pending"}


def test_the_appeal_and_its_decision_on_one_day_leave_both_and_show_it() -> None:
    claims = [tell(1, "extradition.granted", "2026-01-29"), filed(2, 1, "[2026-01-29..2026-02-10]")]
    found = status_of(*claims)
    assert found.headline == "extradition_appealed"
    assert found.tracks["extradition"].ambiguous
    assert found.at_risk


def test_an_appeal_linked_after_a_ruling_of_the_same_day_replaces_it() -> None:
    claims = [
        tell(1, "asylum.refused"),
        decided(2, 1, "quashed", "2025-06-01"),
        tell(3, "appeal.filed", "2025-06-01", against=2, after=2),
    ]
    found = status_of(*claims).tracks["asylum"]
    assert (found.state, found.ambiguous) == ("appeal_pending", False)


def test_an_appeal_moves_only_the_track_of_the_decision() -> None:
    claims = [tell(1, "extradition.granted"), tell(2, "asylum.refused"), filed(3, 2)]
    assert states_of(*claims) == {"extradition": "granted", "asylum": "appeal_pending"}


def test_a_quashed_refusal_opens_the_extradition_again() -> None:
    claims = [
        tell(1, "detention.custody_ordered", "2025-04-01", basis="extradition"),
        tell(2, "extradition.refused", "2025-05-01"),
        decided(3, 2, "quashed", "2025-06-01"),
    ]
    found = status_of(*claims)
    assert found.tracks["extradition"].state == "remitted"
    assert found.headline == "extradition_requested"
    assert found.at_risk


def test_a_chain_of_thousands_of_appeals_is_followed_to_its_end() -> None:
    claims = [tell(1, "extradition.granted")]
    claims += [filed(n, n - 1) for n in range(2, 1_200)]
    assert states_of(*claims)["extradition"] == "appeal_pending"
