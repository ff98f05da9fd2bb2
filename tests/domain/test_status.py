"""The status of a case: jurisdiction, resolution, since, headline, at_risk, disputes, as-of."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caseflow.domain.facts import ClaimFacts, Stance, counts_on, is_outvoted
from caseflow.domain.status import HEADLINE_CODES, Since, Status, resolve
from caseflow.domain.vocabulary import ORDERS, TYPES
from tests.strategies import (
    FRAME,
    demo_cases,
    demo_facts,
    numbered,
    random_claims,
    states_of,
    status_of,
    tell,
)

# -- effects and jurisdiction ---------------------------------------------------------------------

EFFECTS: dict[str, dict[str, str]] = {
    "detention.apprehended": {"liberty": "detained"},
    "detention.custody_ordered": {"liberty": "in_custody"},
    "detention.custody_extended": {"liberty": "in_custody"},
    "detention.transferred": {},
    "detention.contact_denied": {},
    "detention.ill_treatment_reported": {},
    "detention.whereabouts_unknown": {"liberty": "whereabouts_unknown"},
    "detention.released": {"liberty": "released"},
    "person.entered": {"movement": "in_host_state", "liberty": "at_liberty"},
    "wanted.listed": {"extradition": "wanted"},
    "wanted.removed": {"extradition": "none"},
    "extradition.requested": {"extradition": "requested"},
    "extradition.granted": {"extradition": "granted"},
    "extradition.postponed": {"extradition": "postponed"},
    "extradition.refused": {"extradition": "refused"},
    "extradition.lapsed": {"extradition": "lapsed"},
    "extradition.surrendered": {
        "extradition": "surrendered",
        "movement": "extradited",
        "liberty": "left_host_state",
    },
    "asylum.claim_made": {"asylum": "claimed"},
    "asylum.registered": {"asylum": "registered"},
    "asylum.recognised": {"asylum": "recognised"},
    "asylum.refused": {"asylum": "refused"},
    "asylum.closed": {"asylum": "closed"},
    "asylum.status_ended": {"asylum": "ended"},
    "asylum.unhcr_recorded": {},
    "expulsion.ordered": {"expulsion": "ordered"},
    "expulsion.stayed": {"expulsion": "stayed"},
    "expulsion.entry_refused": {"expulsion": "entry_refused"},
    "expulsion.executed": {
        "expulsion": "executed",
        "movement": "deported",
        "liberty": "left_host_state",
    },
    "interim.requested": {"interim": "requested"},
    "return.abducted": {"movement": "abducted", "liberty": "left_host_state"},
    "return.voluntary": {"movement": "returned", "liberty": "left_host_state"},
    "return.arrival_confirmed": {},
    "prosecution.charged": {"prosecution": "charged"},
    "prosecution.ended": {"prosecution": "ended"},
    "departure.left": {"movement": "left_for_third_country", "liberty": "left_host_state"},
    "departure.protected": {"movement": "protected_abroad", "liberty": "left_host_state"},
    "person.died": {"life": "died"},
    "case.closed": {"follow_up": "closed"},
    "case.reopened": {"follow_up": "open"},
}
BY_OUTCOME = {
    ("interim.decided", "granted"): {"interim": "granted"},
    ("interim.decided", "refused"): {"interim": "refused"},
    ("interim.decided", "lifted"): {"interim": "lifted"},
    ("prosecution.verdict", "convicted"): {"prosecution": "convicted"},
    ("prosecution.verdict", "acquitted"): {"prosecution": "acquitted"},
}
APPEALS = {"appeal.filed", "appeal.hearing_set", "appeal.decided", "appeal.became_final"}
HANDED_OVER = {"extradition.surrendered", "expulsion.executed"}


def test_the_tables_of_the_tests_know_every_type() -> None:
    assert EFFECTS.keys() | {t for t, _ in BY_OUTCOME} | APPEALS == TYPES.keys()


@pytest.mark.parametrize("type_code", EFFECTS)
def test_effects_in_the_host_state(type_code: str) -> None:
    assert states_of(tell(1, type_code)) == EFFECTS[type_code]


@pytest.mark.parametrize(("type_code", "outcome"), BY_OUTCOME)
def test_effects_by_outcome(type_code: str, outcome: str) -> None:
    found = states_of(tell(1, type_code, outcome=outcome))
    assert found == BY_OUTCOME[type_code, outcome]


def _abroad(type_code: str, *, origin: bool) -> dict[str, str]:
    allowed = {"movement", "life", "follow_up"}
    if "movement" in EFFECTS[type_code]:
        allowed.add("liberty")
    if origin:
        allowed.add("prosecution")
    if origin and type_code.startswith("wanted."):
        allowed.add("extradition")
    return {t: s for t, s in EFFECTS[type_code].items() if t in allowed}


@pytest.mark.parametrize("type_code", sorted(EFFECTS.keys() - HANDED_OVER))
@pytest.mark.parametrize("jurisdiction", ["RU", "KG"])
def test_effects_told_from_elsewhere(type_code: str, jurisdiction: str) -> None:
    found = states_of(tell(1, type_code, jurisdiction=jurisdiction))
    assert found == _abroad(type_code, origin=jurisdiction == "RU")


@pytest.mark.parametrize("type_code", sorted(HANDED_OVER))
@pytest.mark.parametrize(
    ("jurisdiction", "destination", "counts"),
    [
        ("KZ", None, "full"),
        ("KZ", "RU", "full"),
        ("KZ", "TR", "elsewhere"),
        ("RU", None, "full"),
        ("RU", "RU", "full"),
        ("RU", "TR", "elsewhere"),
        ("KG", "RU", "movement"),
        ("KG", None, "nothing"),
        ("KG", "TR", "nothing"),
        ("KG", "KG", "nothing"),
    ],
)
def test_handing_over_counts_by_who_tells_and_where_to(
    type_code: str, jurisdiction: str, destination: str | None, counts: str
) -> None:
    fields = {"destination": destination} if destination else {}
    full = EFFECTS[type_code]
    expected = {
        "full": full,
        "elsewhere": full | {"movement": "removed_elsewhere"},
        "movement": {t: s for t, s in full.items() if t in ("movement", "liberty")},
        "nothing": {},
    }[counts]
    assert states_of(tell(1, type_code, jurisdiction=jurisdiction, **fields)) == expected


def test_a_foreign_expulsion_order_leaves_the_expulsion_track_alone() -> None:
    claims = [
        tell(1, "expulsion.ordered", "2025-06", jurisdiction="KG"),
        tell(2, "appeal.filed", "2025-07", against=1, jurisdiction="KG"),
        tell(3, "appeal.filed", "2025-07", against=1),
    ]
    assert states_of(*claims) == {}
    assert status_of(*claims).headline == "monitored"
    own = tell(4, "expulsion.stayed", "2025-05")
    assert states_of(own, *claims) == {"expulsion": "stayed"}


def test_custody_in_another_country_moves_no_liberty() -> None:
    assert states_of(tell(1, "detention.apprehended", jurisdiction="RU")) == {}
    assert states_of(tell(1, "prosecution.verdict", jurisdiction="KG")) == {}


def test_an_abduction_told_from_the_origin_state_takes_its_liberty_along() -> None:
    held = tell(1, "detention.custody_ordered", "2025-04")
    gone = tell(2, "return.abducted", "2025-05", jurisdiction="RU")
    assert states_of(held, gone) == {"liberty": "left_host_state", "movement": "abducted"}


# -- resolution -----------------------------------------------------------------------------------


def test_a_late_report_of_an_early_fact_changes_nothing_now() -> None:
    before = [tell(1, "detention.apprehended", "2025-05"), tell(2, "asylum.registered", "2025-06")]
    now = [*before, tell(3, "detention.released", "2025-09", condition="none")]
    late = [
        tell(9, "detention.custody_ordered", "2025-05-31", basis="extradition"),
        tell(8, "asylum.claim_made", "2024"),
    ]
    assert states_of(*now, *late) == states_of(*now)
    assert status_of(*now, *late).headline == status_of(*now).headline
    assert not any(t.ambiguous for t in status_of(*now, *late).tracks.values())


@pytest.mark.parametrize(
    ("first", "second", "state", "ambiguous"),
    [
        # certainly after: the earliest day is later than the other's latest
        ("2025-05", "2025-06-01", "released", False),
        ("2025-05-31", "2025-06", "released", False),
        # a shared day, or a span that holds it, leaves both
        ("2025-05-31", "2025-05-31", "released", True),
        ("2025-05", "2025-05-31", "released", True),
        ("[2025-05..2025-07]", "2025-06", "released", True),
        # the other order
        ("2025-06-01", "2025-05", "detained", False),
        # an open start is before every day and certainly after none
        ("2025-06", "[..2025-05]", "detained", False),
        ("[..2025-05]", "2025-06", "released", False),
        ("[..2025-05]", "2025-05-31", "released", True),
        ("2025-05-01", "/2025-07", "released", True),
        # marks widen nothing
        ("2025-05~", "2025-06", "released", False),
        # seasons and decades
        ("2025-21", "2025-22", "released", False),
        ("202X", "2025-06", "released", True),
    ],
)
def test_certainly_after(first: str, second: str, state: str, ambiguous: bool) -> None:
    found = status_of(
        tell(1, "detention.apprehended", first), tell(2, "detention.released", second)
    )
    assert (found.tracks["liberty"].state, found.tracks["liberty"].ambiguous) == (state, ambiguous)


@pytest.mark.parametrize("track", ORDERS)
def test_of_those_left_the_highest_in_the_order_wins(track: str) -> None:
    makers = _makers(track)
    for low, high in zip(ORDERS[track], ORDERS[track][1:], strict=False):
        if track == "extradition" and low in ("none", "wanted"):
            continue  # a listing gives way to a proceeding: tested on its own
        for claims in ([*makers(low, 1), *makers(high, 11)], [*makers(high, 1), *makers(low, 11)]):
            found = status_of(*claims).tracks[track]
            assert (found.state, found.ambiguous) == (high, True), (low, high)


def _makers(track: str) -> Any:
    """Return what tells a state of a track, all on one day."""
    direct: dict[str, tuple[str, dict[str, Any]]] = {
        state: (type_code, {})
        for type_code, effects in EFFECTS.items()
        for t, state in effects.items()
        if t == track
    } | {
        state: (type_code, {"outcome": outcome})
        for (type_code, outcome), effects in BY_OUTCOME.items()
        for t, state in effects.items()
        if t == track
    }
    decision = {
        "extradition": "extradition.granted",
        "asylum": "asylum.registered",
        "expulsion": "expulsion.executed",
    }.get(track, "")
    if track == "movement":
        direct["removed_elsewhere"] = ("extradition.surrendered", {"destination": "TR"})

    def make(state: str, number: int) -> list[ClaimFacts]:
        # The decision is told years before, so that it is not among those left.
        if state == "appeal_pending":
            old = tell(number + 1, decision, "2020")
            return [old, tell(number, "appeal.filed", against=number + 1)]
        if state in ("remitted", "quashed"):
            old = tell(number + 1, decision, "2020")
            return [old, tell(number, "appeal.decided", against=number + 1, outcome=state)]
        type_code, fields = direct[state]
        return [tell(number, type_code, **fields)]

    return make


def test_a_state_told_twice_is_not_ambiguous() -> None:
    found = status_of(tell(1, "asylum.refused"), tell(2, "asylum.refused", by="b")).tracks["asylum"]
    assert not found.ambiguous
    assert found.events == (numbered(1), numbered(2))


def test_events_are_those_left_that_tell_the_state() -> None:
    claims = [
        tell(1, "asylum.refused", "2024"),
        tell(2, "asylum.registered", "2025-05"),
        tell(3, "asylum.refused", "2025-05-20"),
    ]
    assert status_of(*claims).tracks["asylum"].events == (numbered(3),)


# -- after ----------------------------------------------------------------------------------------


def test_released_and_arrested_again_at_the_gate_the_same_day() -> None:
    custody = tell(1, "detention.custody_ordered", "2025-05", basis="other")
    released = tell(2, "detention.released", "2025-09-10")
    again = tell(3, "detention.apprehended", "2025-09-10", basis="administrative", after=2)
    found = status_of(custody, released, again).tracks["liberty"]
    assert (found.state, found.ambiguous) == ("detained", False)
    unlinked = tell(3, "detention.apprehended", "2025-09-10", basis="administrative")
    assert states_of(custody, released, unlinked)["liberty"] == "released"


def test_after_leads_through_claims_of_other_tracks() -> None:
    claims = [
        tell(1, "detention.released", "2025-05"),
        tell(2, "asylum.refused", "2025-05", after=1),
        tell(3, "detention.apprehended", "2025-05", after=2),
    ]
    assert states_of(*claims)["liberty"] == "detained"


def test_after_a_claim_that_is_missing_or_itself_orders_nothing() -> None:
    released = tell(1, "detention.released")
    assert states_of(released, tell(2, "detention.apprehended", after=9))["liberty"] == "released"
    assert states_of(released, tell(2, "detention.apprehended", after=2))["liberty"] == "released"


@pytest.mark.parametrize(
    ("dates", "state", "ambiguous"),
    [
        (("2025-05", "2025-05", "2025-05"), "in_custody", True),
        (("2025-05", "2025-05", "2025-06"), "in_custody", False),
        (("2025-07", "2025-05", "2025-06"), "detained", False),
    ],
)
def test_where_a_cycle_of_links_would_leave_none_the_dates_alone_decide(
    dates: tuple[str, str, str], state: str, ambiguous: bool
) -> None:
    claims = [
        tell(1, "detention.apprehended", dates[0], after=3),
        tell(2, "person.entered", dates[1], after=1),
        tell(3, "detention.custody_ordered", dates[2], after=2),
    ]
    found = status_of(*claims).tracks["liberty"]
    assert (found.state, found.ambiguous) == (state, ambiguous)


def test_a_link_against_the_dates_leaves_the_dates_to_decide() -> None:
    claims = [
        tell(1, "detention.released", "2025-06"),
        tell(2, "detention.apprehended", "2025-05", after=1),
    ]
    assert states_of(*claims)["liberty"] == "released"


def test_a_cycle_beside_a_claim_that_stays_leaves_that_claim() -> None:
    claims = [
        tell(1, "asylum.refused", after=2),
        tell(2, "asylum.recognised", after=1),
        tell(3, "asylum.registered"),
    ]
    found = status_of(*claims).tracks["asylum"]
    assert (found.state, found.ambiguous) == ("registered", False)


# -- movement -------------------------------------------------------------------------------------


@pytest.mark.parametrize("doubtful", ["possible", "unlikely"])
def test_a_doubtful_movement_is_after_no_better_verified_one(doubtful: str) -> None:
    home = tell(1, "person.entered", "2025-01", verification="likely")
    gone = tell(2, "extradition.surrendered", "2025-06", verification=doubtful)
    found = status_of(home, gone)
    assert found.tracks["movement"].state == "in_host_state"
    assert found.tracks["movement"].ambiguous
    assert [d.track for d in found.disputed if d.track == "movement"]


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        ("unlikely", "possible", "extradited"),
        ("possible", "possible", "extradited"),
        ("possible", "unlikely", "in_host_state"),
        ("confirmed", "likely", "extradited"),
        ("likely", "confirmed", "extradited"),
    ],
)
def test_likely_and_confirmed_movements_follow_each_other(
    first: str, second: str, state: str
) -> None:
    claims = [
        tell(1, "person.entered", "2025-01", verification=first),
        tell(2, "extradition.surrendered", "2025-06", verification=second),
    ]
    assert states_of(*claims)["movement"] == state


def test_a_link_does_not_put_a_doubtful_movement_after_a_better_one() -> None:
    home = tell(1, "person.entered", "2025-06", verification="confirmed")
    gone = tell(2, "return.abducted", "2025-06", verification="possible", after=1)
    assert states_of(home, gone)["movement"] == "in_host_state"


def test_the_best_verified_movement_comes_before_the_order_of_states() -> None:
    claims = [
        tell(1, "return.voluntary", verification="confirmed"),
        tell(2, "extradition.surrendered", verification="likely", by="b"),
    ]
    assert status_of(*claims).headline == "returned"
    level = [claims[0], tell(2, "extradition.surrendered", verification="confirmed", by="b")]
    assert status_of(*level).headline == "extradited"


def test_verification_plays_no_part_on_other_tracks() -> None:
    claims = [
        tell(1, "asylum.recognised", "2025-01", verification="confirmed"),
        tell(2, "asylum.status_ended", "2025-06", verification="unlikely"),
    ]
    assert states_of(*claims)["asylum"] == "ended"
    held = [
        tell(1, "detention.released", "2025-05", verification="confirmed"),
        tell(2, "detention.apprehended", "2025-06", verification="possible"),
    ]
    assert states_of(*held)["liberty"] == "detained"


def test_verification_decides_no_tie_on_other_tracks() -> None:
    claims = [
        tell(1, "asylum.refused", verification="confirmed"),
        tell(2, "asylum.recognised", verification="unlikely", by="b"),
    ]
    assert states_of(*claims)["asylum"] == "recognised"


# -- outvoted -------------------------------------------------------------------------------------


def stance(partner: str, *, disputes: bool, rank_against: bool = False, of: int = 1) -> Stance:
    return Stance(claim=numbered(of), partner=partner, disputes=disputes, rank_against=rank_against)


@pytest.mark.parametrize(
    ("stances", "outvoted"),
    [
        ([], False),
        ([("b", "against")], False),  # one against the author
        ([("b", "against"), ("c", "against")], True),
        ([("b", "against"), ("c", "dispute")], False),  # disputed, but not held to be wrong
        ([("b", "against"), ("c", "against"), ("d", "for")], False),
        ([("b", "against"), ("b", "against")], False),  # a partner has one voice
        ([("b", "against"), ("c", "against"), ("c", "for")], False),  # and its last word counts
        ([("b", "for"), ("b", "against"), ("c", "against")], True),
        ([("a", "against")], True),  # the author no longer stands by it
        ([("a", "dispute")], False),
        ([("a", "for"), ("b", "against"), ("c", "against")], True),  # nobody stands by it twice
    ],
)
def test_outvoted(stances: list[tuple[str, str]], outvoted: bool) -> None:
    told = [
        stance(partner, disputes=word != "for", rank_against=word == "against")
        for partner, word in stances
    ]
    assert is_outvoted(tell(1, "asylum.refused", by="a"), told) is outvoted


def test_an_outvoted_claim_moves_nothing_and_is_still_shown_as_disputed() -> None:
    claims = [
        tell(1, "extradition.surrendered", "2025-06"),
        tell(2, "person.entered", "2025-01"),
    ]
    against = [stance(p, disputes=True, rank_against=True) for p in "bc"]
    found = status_of(*claims, stances=against)
    assert found.tracks["movement"].state == "in_host_state"
    assert "extradition" not in found.tracks
    listed = [d for d in found.disputed if d.events == (numbered(1),)]
    assert {d.track for d in listed} == {"extradition", "liberty", "movement"}
    assert {d.partners for d in listed} == {("a", "b", "c")}


def test_a_withdrawn_dispute_is_no_longer_listed() -> None:
    claims = [tell(1, "asylum.refused")]
    words = [stance("b", disputes=True), stance("b", disputes=False)]
    assert status_of(*claims, stances=words).disputed == ()
    (found,) = status_of(*claims, stances=words[:1]).disputed
    assert (found.track, found.states, found.partners) == ("asylum", ("refused",), ("a", "b"))


def test_a_disputed_claim_that_moves_nothing_is_listed_without_a_track() -> None:
    (found,) = status_of(
        tell(1, "detention.contact_denied"), stances=[stance("b", disputes=True)]
    ).disputed
    assert (found.track, found.states, found.events) == (None, (), (numbered(1),))


def test_a_dispute_of_what_has_not_happened_by_the_day_is_not_listed() -> None:
    claims = [tell(1, "asylum.refused", "2025-06")]
    words = [stance("b", disputes=True)]
    assert status_of(*claims, stances=words, as_of="2025-05-31").disputed == ()


# -- wanted ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("proceeding", ["requested", "postponed", "granted"])
@pytest.mark.parametrize("wanted", ["wanted.listed", "wanted.removed"])
def test_a_listing_or_its_end_does_not_undo_a_proceeding(proceeding: str, wanted: str) -> None:
    claims = [tell(1, f"extradition.{proceeding}", "2025-05"), tell(2, wanted, "2025-09")]
    found = status_of(*claims).tracks["extradition"]
    assert (found.state, found.ambiguous) == (proceeding, False)


@pytest.mark.parametrize(
    ("appeal", "fields", "state"),
    [
        ("appeal.filed", {}, "appeal_pending"),
        ("appeal.decided", {"outcome": "remitted"}, "remitted"),
        ("appeal.decided", {"outcome": "upheld"}, "granted"),
    ],
)
def test_a_listing_does_not_undo_an_appeal(appeal: str, fields: dict[str, str], state: str) -> None:
    claims = [
        tell(1, "extradition.granted", "2025-05"),
        tell(2, appeal, "2025-06", against=1, **fields),
        tell(3, "wanted.listed", "2025-09", jurisdiction="RU"),
    ]
    assert states_of(*claims)["extradition"] == state


@pytest.mark.parametrize("ended", ["refused", "lapsed", "surrendered"])
def test_a_listing_after_the_end_of_a_proceeding_counts(ended: str) -> None:
    claims = [tell(1, f"extradition.{ended}", "2025-05"), tell(2, "wanted.listed", "2025-09")]
    assert states_of(*claims)["extradition"] == "wanted"


def test_a_listing_after_a_quashed_grant_counts() -> None:
    claims = [
        tell(1, "extradition.granted", "2025-05"),
        tell(2, "appeal.decided", "2025-06", against=1, outcome="quashed"),
        tell(3, "wanted.listed", "2025-09"),
    ]
    assert states_of(*claims)["extradition"] == "wanted"


def test_of_the_other_claims_alone_it_is_those_left_that_count() -> None:
    """The request is over, so the listing counts; one open among those left is enough."""
    over = [tell(1, "extradition.requested", "2025-05"), tell(2, "extradition.refused", "2025-06")]
    listed = tell(3, "wanted.listed", "2025-09")
    assert states_of(*over, listed)["extradition"] == "wanted"
    both = [tell(1, "extradition.requested", "2025-06"), tell(2, "extradition.refused", "2025-06")]
    assert states_of(*both, listed)["extradition"] == "refused"


def test_a_listing_set_aside_splits_no_track_on_one_day() -> None:
    found = status_of(tell(1, "extradition.requested"), tell(2, "wanted.listed"))
    assert not found.tracks["extradition"].ambiguous
    assert found.disputed == ()


def test_listed_and_removed() -> None:
    listed, removed = tell(1, "wanted.listed", "2025-05"), tell(2, "wanted.removed", "2025-06")
    assert status_of(listed).headline == "wanted"
    assert states_of(listed, removed)["extradition"] == "none"
    assert status_of(listed, removed).headline == "monitored"


# -- inferred release -----------------------------------------------------------------------------

CUSTODY = "detention.custody_ordered"


@pytest.mark.parametrize("end", ["extradition.refused", "extradition.lapsed"])
@pytest.mark.parametrize(
    ("type_code", "basis", "state"),
    [
        ("detention.apprehended", "wanted", "released"),
        (CUSTODY, "extradition", "released"),
        ("detention.custody_extended", "extradition", "released"),
        ("detention.custody_extended", None, "in_custody"),  # on none stated
        (CUSTODY, "administrative", "in_custody"),
        (CUSTODY, "criminal", "in_custody"),
        (CUSTODY, "other", "in_custody"),
        ("detention.apprehended", "border", "detained"),
        ("detention.apprehended", "transit", "detained"),
        ("detention.apprehended", "administrative", "detained"),
        ("detention.apprehended", "criminal", "detained"),
        ("detention.apprehended", "other", "detained"),
    ],
)
def test_the_end_of_an_extradition_ends_custody_for_it_alone(
    end: str, type_code: str, basis: str | None, state: str
) -> None:
    fields = {"basis": basis} if basis else {}
    found = status_of(tell(1, type_code, "2025-05", **fields), tell(2, end, "2025-09-10"))
    assert (found.tracks["liberty"].state, found.tracks["liberty"].ambiguous) == (state, False)
    if state == "released":
        assert found.tracks["liberty"].since == Since("2025-09-10", "2025-09-10")
        assert found.tracks["liberty"].events == (numbered(2),)
    assert found.headline == {"released": "extradition_refused"}.get(state, state)
    assert not found.at_risk


def test_custody_certainly_after_the_end_is_not_ended() -> None:
    end = tell(1, "extradition.refused", "2025-05")
    again = tell(2, "detention.apprehended", "2025-06", basis="wanted")
    found = status_of(end, again)
    assert found.tracks["liberty"].state == "detained"
    assert found.at_risk
    linked = tell(2, "detention.apprehended", "2025-05", basis="wanted", after=1)
    found = status_of(end, linked)
    assert (found.tracks["liberty"].state, found.at_risk) == ("detained", True)


def test_custody_that_may_be_before_or_after_is_ended_and_left_beside_the_release() -> None:
    held = tell(1, "detention.apprehended", "[2025-05..2025-07]", basis="wanted")
    end = tell(2, "extradition.refused", "2025-06-10")
    found = status_of(held, end)
    assert (found.tracks["liberty"].state, found.tracks["liberty"].ambiguous) == ("released", True)
    assert not found.at_risk


def test_a_link_puts_the_end_after_the_custody_of_the_same_day() -> None:
    held = tell(1, CUSTODY, "2025-05", basis="extradition")
    end = tell(2, "extradition.refused", "2025-05", after=1)
    found = status_of(held, end).tracks["liberty"]
    assert (found.state, found.ambiguous) == ("released", False)


def test_one_custody_left_that_is_not_ended_keeps_the_person_held() -> None:
    """Only where all claims left are ended does a release join them."""
    claims = [
        tell(1, CUSTODY, "2025-05", basis="extradition"),
        tell(2, CUSTODY, "2025-05", basis="criminal"),
        tell(3, "extradition.refused", "2025-09"),
    ]
    found = status_of(*claims)
    assert found.tracks["liberty"].state == "in_custody"
    assert not found.tracks["liberty"].ambiguous
    assert found.tracks["liberty"].events == (numbered(1), numbered(2))
    assert not found.at_risk  # the one is ended, the other is not for an extradition


def test_a_refusal_that_moves_no_track_ends_nothing() -> None:
    held = tell(1, CUSTODY, "2025-05", basis="extradition")
    foreign = tell(2, "extradition.refused", "2025-09", jurisdiction="RU")
    found = status_of(held, foreign)
    assert (found.tracks["liberty"].state, found.at_risk) == ("in_custody", True)


def test_every_refusal_counts_as_an_end_the_replaced_ones_too() -> None:
    claims = [
        tell(1, "detention.apprehended", "2025-01", basis="wanted"),
        tell(2, "extradition.refused", "2025-03"),
        tell(3, "extradition.requested", "2025-06"),
    ]
    found = status_of(*claims)
    assert found.tracks["liberty"].state == "released"
    assert found.tracks["extradition"].state == "requested"


def test_a_ruling_that_upholds_a_refusal_is_no_second_refusal() -> None:
    claims = [
        tell(1, "extradition.refused", "2025-03"),
        tell(2, "detention.apprehended", "2025-05", basis="wanted"),
        tell(3, "appeal.decided", "2025-07", against=1, outcome="upheld"),
    ]
    found = status_of(*claims)
    assert (found.tracks["liberty"].state, found.at_risk) == ("detained", True)


def test_a_replaced_refusal_still_takes_the_risk_from_custody_that_it_ended() -> None:
    claims = [
        tell(1, "detention.apprehended", "2025-01", basis="wanted"),
        tell(2, "detention.apprehended", "2025-01", basis="criminal"),
        tell(3, "extradition.refused", "2025-03"),
        tell(4, "wanted.listed", "2025-06"),
    ]
    found = status_of(*claims)
    assert found.tracks["liberty"].state == "detained"
    assert found.tracks["extradition"].state == "wanted"
    assert not found.at_risk


def test_a_stated_release_is_not_joined_by_an_inferred_one() -> None:
    claims = [
        tell(1, "detention.apprehended", "2025-01", basis="wanted"),
        tell(2, "detention.released", "2025-02"),
        tell(3, "extradition.refused", "2025-03"),
    ]
    found = status_of(*claims).tracks["liberty"]
    assert found.since == Since("2025-02-01", "2025-02-28")
    assert found.events == (numbered(2),)


def test_two_ends_give_a_release_since_the_first() -> None:
    claims = [
        tell(1, "detention.apprehended", "2025-01", basis="wanted"),
        tell(2, "extradition.refused", "2025-03-05"),
        tell(3, "extradition.lapsed", "2025-04-05"),
    ]
    found = status_of(*claims).tracks["liberty"]
    assert found.since == Since("2025-03-05", "2025-03-05")


def test_a_released_person_who_is_whereabouts_unknown_is_not_released_by_inference() -> None:
    claims = [
        tell(1, "detention.whereabouts_unknown", "2025-01"),
        tell(2, "extradition.refused", "2025-03"),
    ]
    assert states_of(*claims)["liberty"] == "whereabouts_unknown"


# -- since ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "since"),
    [
        # smallest earliest and smallest latest, of different claims where need be
        (
            [("asylum.refused", "2025-05"), ("asylum.refused", "2025-05-10")],
            ("2025-05-01", "2025-05-10"),
        ),
        (
            [("asylum.refused", "2025-05-10"), ("asylum.refused", "[2025-04..2025-12]")],
            ("2025-04-01", "2025-05-10"),
        ),
        # told again later: it holds since the first
        (
            [("asylum.refused", "2025-05"), ("asylum.refused", "2025-09")],
            ("2025-05-01", "2025-05-31"),
        ),
        # another state in between: since the second time
        (
            [
                ("asylum.refused", "2025-01"),
                ("asylum.registered", "2025-05"),
                ("asylum.refused", "2025-09"),
            ],
            ("2025-09-01", "2025-09-30"),
        ),
        # another state that is perhaps in between does not cut it off
        (
            [
                ("asylum.refused", "2025-05"),
                ("asylum.registered", "2025-05-31"),
                ("asylum.refused", "2025-09"),
            ],
            ("2025-05-01", "2025-05-31"),
        ),
        # an unknown start is the smallest
        ([("asylum.refused", "[..2025-05]")], (None, "2025-05-31")),
        ([("asylum.refused", "2025-01"), ("asylum.refused", "/2025-05")], (None, "2025-01-31")),
    ],
)
def test_since(claims: list[tuple[str, str]], since: tuple[str | None, str]) -> None:
    told = [tell(n, type_code, day) for n, (type_code, day) in enumerate(claims, start=1)]
    assert status_of(*told).tracks["asylum"].since == Since(*since)
    assert status_of(*told).since == Since(*since)  # the headline's is its track's


def test_since_follows_links_too() -> None:
    claims = [
        tell(1, "detention.apprehended", "2025-05-01"),
        tell(2, "detention.released", "2025-05-01", after=1),
        tell(3, "detention.apprehended", "2025-05-02", after=2),
    ]
    assert status_of(*claims).tracks["liberty"].since == Since("2025-05-02", "2025-05-02")


def test_nothing_has_a_since_where_nothing_is_told() -> None:
    found = status_of(tell(1, "detention.transferred"))
    assert (found.headline, found.since) == ("monitored", Since(None, None))


# -- disputed -------------------------------------------------------------------------------------


def movement_disputes(status: Status) -> list[tuple[int, ...]]:
    return [
        tuple(event.int for event in d.events) for d in status.disputed if d.track == "movement"
    ]


@pytest.mark.parametrize(
    ("first", "second", "disputed"),
    [
        # two dates
        (
            ("extradition.surrendered", "2026-01-29"),
            ("extradition.surrendered", "2026-02-02"),
            True,
        ),
        (("extradition.surrendered", "2026-01"), ("extradition.surrendered", "2026-02-02"), True),
        # dates that can be the same day
        (("extradition.surrendered", "2026-01"), ("extradition.surrendered", "2026-01-29"), False),
        (("return.abducted", "2026-01"), ("return.abducted", "2026-01"), False),
        # two kinds
        (("extradition.surrendered", "2026-01-29"), ("expulsion.executed", "2026-01-29"), True),
        (("extradition.surrendered", "2026-01-29"), ("return.abducted", "2026-02-02"), True),
        (("return.abducted", "2026-01"), ("return.voluntary", "2026-06"), True),
        (("departure.left", "2026-01"), ("departure.protected", "2026-06"), True),
    ],
)
@pytest.mark.parametrize("swap", [False, True])
def test_two_accounts_of_one_movement(
    first: tuple[str, str], second: tuple[str, str], disputed: bool, swap: bool
) -> None:
    one, other = (second, first) if swap else (first, second)
    claims = [tell(1, *one, by="a"), tell(2, *other, by="b")]
    found = status_of(*claims)
    assert movement_disputes(found) == ([(1, 2)] if disputed else [])
    if disputed:
        (listed,) = [d for d in found.disputed if d.track == "movement"]
        assert listed.partners == ("a", "b")
        assert len(listed.dates) == 2


def test_a_removal_and_one_after_a_return_are_two_facts() -> None:
    claims = [
        tell(1, "expulsion.executed", "2024-01"),
        tell(2, "person.entered", "2024-06"),
        tell(3, "extradition.surrendered", "2025-06"),
    ]
    found = status_of(*claims)
    assert found.headline == "extradited"
    assert movement_disputes(found) == []


def test_movements_that_a_link_puts_one_after_the_other_are_two_facts() -> None:
    claims = [
        tell(1, "departure.left", "2024-05"),
        tell(2, "departure.protected", "2024-12", after=1),
    ]
    assert status_of(*claims).headline == "protected_abroad"
    assert movement_disputes(status_of(*claims)) == []


def test_a_track_with_more_than_one_state_left_is_listed_with_both() -> None:
    claims = [tell(1, "asylum.refused", by="a"), tell(2, "asylum.recognised", by="b")]
    (found,) = status_of(*claims).disputed
    assert found.track == "asylum"
    assert found.events == (numbered(1), numbered(2))
    assert found.partners == ("a", "b")
    assert found.states == ("recognised", "refused")
    assert found.dates == (Since("2025-05-01", "2025-05-01"),) * 2


# -- headline -------------------------------------------------------------------------------------

HEADLINE_ORDER = [
    "died", "extradited", "deported", "abducted", "returned", "removed_elsewhere",
    "protected_abroad", "left_for_third_country", "protected", "extradition_appealed",
    "extradition_granted", "expulsion_appealed", "expulsion_ordered", "asylum_appealed",
    "asylum_refused", "entry_refused", "extradition_requested", "in_custody", "detained",
    "whereabouts_unknown", "asylum_pending", "extradition_refused", "wanted", "released",
    "closed", "monitored",
]  # fmt: skip
# What tells each headline alone; a decision that is appealed is told long before.
TELLING: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "died": [("person.died", {})],
    "extradited": [("extradition.surrendered", {})],
    "deported": [("expulsion.executed", {})],
    "abducted": [("return.abducted", {})],
    "returned": [("return.voluntary", {})],
    "removed_elsewhere": [("expulsion.executed", {"destination": "TR"})],
    "protected_abroad": [("departure.protected", {})],
    "left_for_third_country": [("departure.left", {})],
    "protected": [("asylum.recognised", {})],
    "extradition_appealed": [("extradition.granted", {}), ("appeal.filed", {})],
    "extradition_granted": [("extradition.granted", {})],
    "expulsion_appealed": [("expulsion.ordered", {}), ("appeal.filed", {})],
    "expulsion_ordered": [("expulsion.ordered", {})],
    "asylum_appealed": [("asylum.refused", {}), ("appeal.filed", {})],
    "asylum_refused": [("asylum.refused", {})],
    "entry_refused": [("expulsion.entry_refused", {})],
    "extradition_requested": [("extradition.requested", {})],
    "in_custody": [("detention.custody_ordered", {})],
    "detained": [("detention.apprehended", {})],
    "whereabouts_unknown": [("detention.whereabouts_unknown", {})],
    "asylum_pending": [("asylum.claim_made", {})],
    "extradition_refused": [("extradition.refused", {})],
    "wanted": [("wanted.listed", {})],
    "released": [("detention.released", {})],
    "closed": [("case.closed", {})],
    "monitored": [("detention.transferred", {})],
}


def telling(headline: str, start: int) -> list[ClaimFacts]:
    *before, (type_code, fields) = TELLING[headline]
    earlier = [tell(start, code, "2020", **more) for code, more in before]
    named: dict[str, Any] = {"against": start} if earlier else {}
    return [*earlier, tell(start + 1, type_code, "2025-05", **fields, **named)]


def test_the_order_of_headlines_is_that_of_the_design() -> None:
    assert list(HEADLINE_CODES) == HEADLINE_ORDER


@pytest.mark.parametrize("headline", HEADLINE_ORDER)
def test_each_headline_alone(headline: str) -> None:
    assert status_of(*telling(headline, 1)).headline == headline


def test_the_first_headline_that_holds_is_shown() -> None:
    for place, higher in enumerate(HEADLINE_ORDER):
        for lower in HEADLINE_ORDER[place + 1 :]:
            claims = [*telling(higher, 1), *telling(lower, 11)]
            states = states_of(*claims)
            kept = states_of(*telling(higher, 1))
            if all(states[track] == state for track, state in kept.items()):
                assert status_of(*claims).headline == higher, (higher, lower)


@pytest.mark.parametrize(
    ("claims", "headline"),
    [
        ([("extradition.postponed", {})], "extradition_requested"),
        ([("extradition.granted", {}), ("appeal.decided", {"outcome": "remitted"})],
         "extradition_requested"),
        ([("extradition.granted", {}), ("appeal.decided", {"outcome": "upheld"})],
         "extradition_granted"),
        ([("extradition.granted", {}), ("appeal.decided", {"outcome": "quashed"})],
         "extradition_refused"),
        ([("extradition.lapsed", {})], "extradition_refused"),
        ([("extradition.refused", {}), ("appeal.decided", {"outcome": "quashed"})],
         "extradition_requested"),
        ([("asylum.registered", {})], "asylum_pending"),
        ([("asylum.refused", {}), ("appeal.decided", {"outcome": "remitted"})], "asylum_pending"),
        ([("asylum.refused", {}), ("appeal.decided", {"outcome": "quashed"})], "asylum_pending"),
        ([("asylum.recognised", {}), ("appeal.decided", {"outcome": "quashed"})], "asylum_pending"),
        ([("asylum.refused", {}), ("appeal.decided", {"outcome": "upheld"})], "asylum_refused"),
        ([("asylum.closed", {})], "monitored"),
        ([("asylum.status_ended", {})], "monitored"),
        ([("expulsion.stayed", {})], "monitored"),
        ([("expulsion.stayed", {}), ("appeal.decided", {"outcome": "quashed"})],
         "expulsion_ordered"),
        ([("expulsion.ordered", {}), ("appeal.decided", {"outcome": "remitted"})], "monitored"),
        ([("expulsion.ordered", {}), ("appeal.decided", {"outcome": "quashed"})], "monitored"),
        ([("expulsion.entry_refused", {}), ("appeal.filed", {})], "expulsion_appealed"),
        ([("person.entered", {})], "monitored"),
        ([("case.reopened", {})], "monitored"),
        ([("interim.decided", {"outcome": "granted"})], "monitored"),
        ([("prosecution.charged", {})], "monitored"),
    ],
)  # fmt: skip
def test_headlines_name_the_state_of_their_track(
    claims: list[tuple[str, dict[str, Any]]], headline: str
) -> None:
    told = [
        tell(n, code, f"2025-0{n}", **fields) for n, (code, fields) in enumerate(claims, start=1)
    ]
    assert status_of(*told).headline == headline


def test_the_headline_of_who_died_after_being_handed_over() -> None:
    found = status_of(
        tell(1, "extradition.surrendered", "2025-05"),
        tell(2, "person.died", "2025-09", jurisdiction="RU"),
    )
    assert found.headline == "died"
    assert found.tracks["movement"].state == "extradited"
    assert found.since == Since("2025-09-01", "2025-09-30")


# -- at risk --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "at_risk"),
    [
        ([("extradition.requested", {})], True),
        ([("extradition.postponed", {})], True),
        ([("extradition.granted", {})], True),
        ([("extradition.granted", {}), ("appeal.filed", {})], True),
        ([("extradition.granted", {}), ("appeal.decided", {"outcome": "remitted"})], True),
        ([("extradition.granted", {}), ("appeal.decided", {"outcome": "quashed"})], False),
        ([("extradition.refused", {})], False),
        ([("extradition.lapsed", {})], False),
        ([("wanted.listed", {})], False),
        ([("expulsion.ordered", {})], True),
        ([("expulsion.ordered", {}), ("appeal.filed", {})], True),
        ([("expulsion.entry_refused", {})], True),
        ([("expulsion.ordered", {}), ("appeal.decided", {"outcome": "remitted"})], True),
        ([("expulsion.ordered", {}), ("appeal.decided", {"outcome": "quashed"})], False),
        ([("expulsion.stayed", {})], False),
        ([("asylum.claim_made", {})], False),
        ([("asylum.registered", {})], False),
        ([("asylum.refused", {})], True),
        ([("asylum.refused", {}), ("appeal.filed", {})], True),
        ([("asylum.refused", {}), ("appeal.decided", {"outcome": "remitted"})], False),
        ([("asylum.refused", {}), ("appeal.decided", {"outcome": "quashed"})], False),
        ([("asylum.closed", {})], True),
        ([("asylum.status_ended", {})], True),
        ([("asylum.recognised", {})], False),
        ([("detention.whereabouts_unknown", {})], True),
        ([("detention.apprehended", {"basis": "wanted"})], True),
        ([("detention.custody_ordered", {"basis": "extradition"})], True),
        ([("detention.custody_extended", {"basis": "extradition"})], True),
        ([("detention.custody_extended", {})], False),
        ([("detention.apprehended", {"basis": "criminal"})], False),
        ([("detention.custody_ordered", {"basis": "administrative"})], False),
        ([("detention.released", {})], False),
        ([("case.closed", {})], False),
        ([("interim.decided", {"outcome": "refused"})], False),
    ],
)
def test_at_risk(claims: list[tuple[str, dict[str, Any]]], at_risk: bool) -> None:
    told = [
        tell(n, code, f"2025-0{n}", **fields) for n, (code, fields) in enumerate(claims, start=1)
    ]
    assert status_of(*told).at_risk is at_risk


@pytest.mark.parametrize("verification", ["confirmed", "likely", "possible", "unlikely"])
@pytest.mark.parametrize(
    ("type_code", "fields"),
    [
        ("person.died", {}),
        ("extradition.surrendered", {}),
        ("return.voluntary", {}),
        ("departure.left", {}),
        ("departure.protected", {}),
        ("expulsion.executed", {"destination": "TR"}),
    ],
)
def test_risk_ends_with_a_death_or_movement_told_as_likely_or_confirmed(
    verification: str, type_code: str, fields: dict[str, str]
) -> None:
    ordered = tell(1, "asylum.refused", "2025-01")
    gone = tell(2, type_code, "2025-06", verification=verification, **fields)
    assert status_of(ordered, gone).at_risk is (verification in ("possible", "unlikely"))


def test_risk_does_not_end_where_the_person_is_in_the_host_state() -> None:
    home = tell(1, "person.entered", "2025-06", verification="confirmed")
    ordered = tell(2, "expulsion.ordered", "2025-01")
    assert status_of(home, ordered).at_risk
    again = tell(3, "departure.left", "2025-03")
    assert status_of(home, ordered, again).at_risk


def test_any_claim_left_keeps_a_person_at_risk_not_only_the_winning_one() -> None:
    both = [tell(1, "asylum.refused"), tell(2, "asylum.recognised", by="b")]
    found = status_of(*both)
    assert found.tracks["asylum"].state == "recognised"
    assert found.at_risk
    assert status_of(tell(1, "extradition.granted"), tell(2, "extradition.refused")).at_risk


def test_recognition_ends_the_risk_of_a_granted_extradition() -> None:
    granted = tell(1, "extradition.granted", "2025-06")
    recognised = tell(2, "asylum.recognised", "2025-01")
    assert not status_of(granted, recognised).at_risk
    ended = tell(3, "asylum.status_ended", "2025-07")
    assert status_of(granted, recognised, ended).at_risk
    appealed = tell(3, "appeal.filed", "2025-07", against=2)
    assert status_of(granted, recognised, appealed).at_risk


# -- as of ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("occurred", "day", "counts", "certain"),
    [
        ("2025-05-10", "2025-05-09", False, False),
        ("2025-05-10", "2025-05-10", True, True),
        ("2025-05", "2025-04-30", False, False),
        ("2025-05", "2025-05-01", True, False),
        ("2025-05", "2025-05-30", True, False),
        ("2025-05", "2025-05-31", True, True),
        ("[..2025-05]", "0001-01-01", True, False),
        ("[..2025-05]", "2025-05-31", True, True),
    ],
)
def test_a_claim_counts_from_its_earliest_day(
    occurred: str, day: str, counts: bool, certain: bool
) -> None:
    told = tell(1, "asylum.refused", occurred)
    assert counts_on(told, day) is counts
    assert counts_on(told, day, certain=True) is certain
    assert (states_of(told, as_of=day) != {}) is counts


def test_a_case_as_it_stood() -> None:
    claims = [
        tell(1, "detention.apprehended", "2025-05", basis="wanted"),
        tell(2, "extradition.granted", "2026-01-29"),
        tell(3, "extradition.surrendered", "2026-02-02"),
    ]
    days = {
        "2025-04-30": "monitored",
        "2025-05-01": "detained",
        "2026-01-29": "extradition_granted",
        "2026-02-01": "extradition_granted",
        "2026-02-02": "extradited",
    }
    assert {day: status_of(*claims, as_of=day).headline for day in days} == days


# -- properties -----------------------------------------------------------------------------------


@settings(max_examples=300)
@given(random_claims(), st.randoms(use_true_random=False))
def test_the_result_does_not_depend_on_the_order_of_claims(
    claims: list[ClaimFacts], random: Random
) -> None:
    shuffled = random.sample(claims, len(claims))
    disputes = [
        Stance(claim=c.id, partner=p, disputes=True, rank_against=c.id.int % 3 == 0)
        for c in claims
        for p in "bcd"[: c.id.int % 4]
    ]
    for day in (None, "2025-05-15"):
        assert resolve(FRAME, shuffled, stances=disputes, as_of=day) == resolve(
            FRAME, claims, stances=disputes, as_of=day
        )


@settings(max_examples=150)
@given(random_claims(), st.sampled_from(["2024-12-31", "2025-05-15", "2025-06-05"]))
def test_what_comes_after_the_day_matters_only_to_claims_that_name_it(
    claims: list[ClaimFacts], day: str
) -> None:
    by_id = {c.id: c for c in claims}
    needed = {c.id for c in claims if counts_on(c, day)}
    reached = [by_id[i] for i in needed]
    while reached:
        named = {reached[-1].against, reached.pop().after} & by_id.keys()
        reached += [by_id[i] for i in named - needed]  # type: ignore[index]
        needed |= named  # type: ignore[arg-type]
    kept = [c for c in claims if c.id in needed]
    assert resolve(FRAME, kept, as_of=day) == resolve(FRAME, claims, as_of=day)


@settings(max_examples=150)
@given(random_claims())
def test_every_track_has_a_state_of_its_order_and_what_is_left_tells_it(
    claims: list[ClaimFacts],
) -> None:
    found = resolve(FRAME, claims)
    assert found.headline in HEADLINE_CODES
    for track, told in found.tracks.items():
        assert told.state in ORDERS[track]
        assert told.events
        assert set(told.events) <= {c.id for c in claims}
        assert (told.since.earliest or "") <= (told.since.latest or "")
        listed = [d for d in found.disputed if d.track == track and len(d.states) > 1]
        assert not told.ambiguous or listed


# -- the demo cases -------------------------------------------------------------------------------

DEMO_HEADLINES = {
    "zhilin": ("deported", "deported"),
    "kasimov": ("abducted", "abducted"),
    "archakov": ("extradited", "extradited"),
    "vladimirov": ("returned", "returned"),
    "baltatarova": ("protected_abroad", "protected_abroad"),
    "ammosov": ("left_for_third_country", "left_for_third_country"),
    "narskaya": ("extradition_refused", "extradition_refused"),
    "kozak": ("extradition_refused", "extradition_refused"),
    "two-servicemen-2024": ("extradition_refused", "extradition_refused"),
    "six-deserters-2024": ("left_for_third_country", "left_for_third_country"),
    "movlaev": ("asylum_appealed", "extradition_appealed"),
    "yemelyanova": ("asylum_refused", "extradition_appealed"),
    "bazhukov": ("detained", "extradited"),
    "kachkurkin": ("monitored", "deported"),
    "murtazov": ("asylum_refused", "asylum_refused"),
    "korobov": ("asylum_pending", "asylum_refused"),
}


@pytest.mark.parametrize("name", DEMO_HEADLINES)
def test_the_headline_of_every_demo_case_on_both_days(name: str) -> None:
    case = demo_facts()[name]
    found = tuple(
        resolve(case.frame, case.claims, as_of=day).headline for day in ("2026-01-28", "2026-02-10")
    )
    assert found == DEMO_HEADLINES[name]
    assert set(DEMO_HEADLINES) == set(demo_cases())
