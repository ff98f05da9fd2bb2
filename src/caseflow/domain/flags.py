"""Derived flags: what a rule finds in the claims of a case, worded as an allegation.

A flag carries its rule and the claims it was drawn from; it is never a finding of law.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from .custody import Told, custody_days
from .facts import ClaimFacts
from .resolution import Links, Move, Resolved, resolve_tracks
from .rules import find_rule_pack

REMOVED: Final = frozenset({"extradited", "deported", "abducted", "removed_elsewhere"})
PENDING: Final = frozenset({"claimed", "registered", "appeal_pending", "remitted"})
EXTRADITION_ARREST: Final = frozenset({"extradition"})
DAYS_PER_MONTH: Final = 31
"""The longest month: custody is over a limit in months only where it is so by any count."""


class Flag(Struct, frozen=True):
    """An allegation that follows from a rule; `events` are the claims it was drawn from."""

    code: str
    rule: str
    events: tuple[str, ...]


def find_flags(
    host_state: str,
    moves: Mapping[str, Sequence[Move]],
    tracks: Mapping[str, Resolved],
    follows: Links,
    told: Sequence[Told],
    until: str | None,
) -> Iterator[Flag]:
    """Yield what the rules find. until: the day to which custody that has not ended is measured."""
    movement = tracks.get("movement")
    if movement is not None and movement.winner.state in REMOVED:
        yield from _removal_flags(movement.winner.claim, moves, tracks, follows)
    if until is not None:
        yield from _custody_flags(host_state, told, until)


def _removal_flags(
    removal: ClaimFacts,
    moves: Mapping[str, Sequence[Move]],
    tracks: Mapping[str, Resolved],
    follows: Links,
) -> Iterator[Flag]:
    is_after = tracks["movement"].is_after
    before = {
        track: kept
        for track in ("asylum", "extradition", "expulsion", "interim")
        if (kept := [m for m in moves.get(track, ()) if _was_before(m, removal, is_after)])
    }
    found = resolve_tracks(before, follows)
    for track, states in (
        ("asylum", PENDING),
        ("extradition", frozenset({"appeal_pending"})),
        ("expulsion", frozenset({"appeal_pending"})),
    ):
        if track in found and found[track].winner.state in states:
            rule = f"removed while {track} was {found[track].winner.state}"
            yield _flag("removed_while_asylum_pending", rule, removal, found[track].winner)
    if "interim" in found and found["interim"].winner.state == "granted":
        rule = "removed while interim measures stood"
        yield _flag("removed_against_interim_measures", rule, removal, found["interim"].winner)


def _was_before(
    move: Move, removal: ClaimFacts, is_after: Callable[[ClaimFacts, ClaimFacts], bool]
) -> bool:
    """Return whether a move may have stood when the person was removed, and is not the removal."""
    return move.claim.id != removal.id and not is_after(move.claim, removal)


def _flag(code: str, rule: str, removal: ClaimFacts, move: Move) -> Flag:
    return Flag(code, rule, (str(move.claim.id), str(removal.id)))


def _custody_flags(host_state: str, told: Sequence[Told], until: str) -> Iterator[Flag]:
    pack = find_rule_pack(host_state)
    term = pack.terms.get("extradition_arrest_months") if pack else None
    days = custody_days(told, until=until, bases=EXTRADITION_ARREST) if term else None
    if term and days is not None and days > term.value * DAYS_PER_MONTH:
        held = tuple(str(c.id) for c, _ in told if c.basis in EXTRADITION_ARREST)
        rule = f"{host_state}: {term.says} ({term.source}; not reviewed by a lawyer)"
        yield Flag("custody_over_limit", rule, held)
