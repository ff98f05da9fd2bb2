"""What a claim moves: its effects, cut at its jurisdiction; an appeal by what it contests."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from .facts import ClaimFacts, Frame
from .vocabulary import TYPES, Rule

DECISION_FAMILIES: Final = frozenset({"extradition", "asylum", "expulsion"})
# Decisions that an appeal court quashes against the person: what was refused is open again.
QUASHED_INTO: Final = {
    "extradition.postponed": "remitted",
    "extradition.refused": "remitted",
    "extradition.lapsed": "remitted",
    "asylum.recognised": "remitted",
    "expulsion.stayed": "ordered",
}
FOREIGN_TRACKS: Final = frozenset({"movement", "life", "follow_up"})
HANDED_OVER: Final = frozenset({"extradition.surrendered", "expulsion.executed"})
WANTED: Final = frozenset({"wanted.listed", "wanted.removed"})


def effects_of(
    claim: ClaimFacts, frame: Frame, standing: Mapping[UUID, ClaimFacts]
) -> dict[str, str]:
    """Return track -> state for one claim; empty where it moves nothing in this case."""
    rule = TYPES[claim.type]
    if rule.appeal:
        return _appeal_effects(claim, frame, standing)
    effects = {t: s.format(outcome=claim.outcome) for t, s in rule.effects.items()}
    if rule.elsewhere and claim.destination not in (None, frame.origin_state):
        effects["movement"] = rule.elsewhere
    return _within_jurisdiction(claim, frame, rule, effects)


def _within_jurisdiction(
    claim: ClaimFacts, frame: Frame, rule: Rule, effects: dict[str, str]
) -> dict[str, str]:
    if claim.jurisdiction == frame.host_state:
        return effects
    at_origin = claim.jurisdiction == frame.origin_state
    if claim.type in HANDED_OVER:
        if at_origin:
            return effects
        if claim.destination != frame.origin_state:
            return {}
    allowed = set(FOREIGN_TRACKS)
    if "movement" in effects:
        allowed.add("liberty")
    if at_origin:
        allowed.add("prosecution")
        if claim.type in WANTED:
            allowed.add("extradition")
    return {track: state for track, state in effects.items() if track in allowed}


def _appeal_effects(
    claim: ClaimFacts, frame: Frame, standing: Mapping[UUID, ClaimFacts]
) -> dict[str, str]:
    if claim.jurisdiction != frame.host_state:
        return {}
    target = _appealed(claim, frame, standing)
    if target is None:
        return {}
    contested, track, state = target
    return {track: _appeal_state(claim, contested, state)}


def _appeal_state(claim: ClaimFacts, contested: ClaimFacts, state: str) -> str:
    if claim.type == "appeal.filed":
        return "appeal_pending"
    if claim.type == "appeal.became_final" or claim.outcome == "upheld":
        return state
    if claim.outcome == "remitted":
        return "remitted"
    if contested.type == "appeal.decided":
        return "appeal_pending"
    return QUASHED_INTO.get(contested.type, "quashed")


def _appealed(
    claim: ClaimFacts, frame: Frame, standing: Mapping[UUID, ClaimFacts]
) -> tuple[ClaimFacts, str, str] | None:
    """Return (decision or ruling, its track, its state) that `against` leads to, or None."""
    way = _way_to_decision(claim, frame, standing)
    if not way:
        return None
    contested = way.pop()
    track = _decided_track(contested)
    state = TYPES[contested.type].effects[track]
    for ruling in reversed(way):
        contested, state = ruling, _appeal_state(ruling, contested, state)
    return contested, track, state


def _way_to_decision(
    claim: ClaimFacts, frame: Frame, standing: Mapping[UUID, ClaimFacts]
) -> list[ClaimFacts]:
    """Return the rulings on the way from an appeal to a decision, and the decision; else nothing.

    A loop and no recursion: partners can make such a chain as long as they like.
    """
    way: list[ClaimFacts] = []
    seen = {claim.id}
    step = _find_contested(claim, standing)
    while step is not None and step.id not in seen and step.jurisdiction == frame.host_state:
        if _decided_track(step):
            return [*way, step]
        if step.type == "appeal.decided":
            way.append(step)
        seen.add(step.id)
        step = _find_contested(step, standing)
    return []


def _find_contested(claim: ClaimFacts, standing: Mapping[UUID, ClaimFacts]) -> ClaimFacts | None:
    return standing.get(claim.against) if claim.against else None


def _decided_track(claim: ClaimFacts) -> str:
    """Return the track on which a claim is a decision that can be appealed; else an empty text."""
    family = claim.type.partition(".")[0]
    decides = family in DECISION_FAMILIES and family in TYPES[claim.type].effects
    return family if decides else ""
