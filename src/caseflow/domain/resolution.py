"""Resolution: of the claims that move a track, which are left, and which of these tells its state.

The result never depends on the order in which claims arrived.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple
from uuid import UUID

from .effects import WANTED
from .facts import ClaimFacts
from .vocabulary import ORDERS, VERIFICATION_RANK

ENDS_CUSTODY: Final = frozenset({"extradition.refused", "extradition.lapsed"})
CUSTODY: Final = frozenset({"detained", "in_custody"})
EXTRADITION_BASES: Final = frozenset({"wanted", "extradition"})
PROCEEDING: Final = frozenset({"requested", "postponed", "granted", "appeal_pending", "remitted"})

Links = Mapping[UUID, set[UUID]]
"""For a claim that names one in `after`: all claims that such links lead to."""


class Move(NamedTuple):
    """A claim as one track sees it. `inferred`: a release that an end of extradition implies."""

    claim: ClaimFacts
    state: str
    inferred: bool = False


class Resolved(NamedTuple):
    """A track resolved: all its moves, those left, the winner, and the order used."""

    moves: list[Move]
    left: list[Move]
    winner: Move
    is_after: Callable[[ClaimFacts, ClaimFacts], bool]


def certain_order(claims: Iterable[ClaimFacts]) -> Callable[[ClaimFacts, ClaimFacts], bool]:
    """Return what tells of two claims whether the first is certainly after the second."""
    follows = follow_links({c.id: c for c in claims})
    return lambda later, earlier: (
        is_dated_after(later, earlier) or earlier.id in follows.get(later.id, ())
    )


def follow_links(standing: Mapping[UUID, ClaimFacts]) -> dict[UUID, set[UUID]]:
    """Return `Links`; a claim that is no longer in force ends them."""
    closure: dict[UUID, set[UUID]] = {}
    for claim in standing.values():
        reached: set[UUID] = set()
        step = claim.after
        while step is not None and step in standing and step not in reached:
            reached.add(step)
            step = standing[step].after
        if reached:
            closure[claim.id] = reached
    return closure


def is_dated_after(claim: ClaimFacts, other: ClaimFacts) -> bool:
    return claim.earliest is not None and claim.earliest > other.latest


def _outranks(claim: ClaimFacts, other: ClaimFacts) -> bool:
    """Return whether the other, only possible or unlikely, may not replace this better one."""
    rank = VERIFICATION_RANK
    doubtful = rank[other.verification] < rank["likely"]
    return doubtful and rank[claim.verification] > rank[other.verification]


def _left(
    moves: list[Move],
    follows: Links,
    *,
    movement: bool = False,
) -> Resolved:
    def by_date(later: ClaimFacts, earlier: ClaimFacts) -> bool:
        return is_dated_after(later, earlier) and not (movement and _outranks(earlier, later))

    def is_after(later: ClaimFacts, earlier: ClaimFacts) -> bool:
        if movement and _outranks(earlier, later):
            return False
        return is_dated_after(later, earlier) or earlier.id in follows.get(later.id, ())

    order = is_after
    left = _unreplaced(moves, order)
    if not left:
        order = by_date
        left = _unreplaced(moves, order)
    return Resolved(moves, left, left[0], order)


def _unreplaced(
    moves: list[Move], is_after: Callable[[ClaimFacts, ClaimFacts], bool]
) -> list[Move]:
    return [m for m in moves if not any(is_after(o.claim, m.claim) for o in moves if o is not m)]


def _with_winner(track: str, resolved: Resolved) -> Resolved:
    order = ORDERS[track]

    def rank(move: Move) -> tuple[int, int, str, int]:
        verified = VERIFICATION_RANK[move.claim.verification] if track == "movement" else 0
        return verified, order.index(move.state), move.claim.earliest or "", move.claim.id.int

    return resolved._replace(winner=max(resolved.left, key=rank))


def resolve_tracks(moves: Mapping[str, list[Move]], follows: Links) -> dict[str, Resolved]:
    resolved: dict[str, Resolved] = {}
    for track, all_moves in moves.items():
        kept = _without_wanted(all_moves, follows) if track == "extradition" else all_moves
        found = _left(kept, follows, movement=track == "movement")
        if track == "liberty":
            found = _with_inferred_release(found, moves.get("extradition", []))
        resolved[track] = _with_winner(track, found)
    return resolved


def _without_wanted(moves: list[Move], follows: Links) -> list[Move]:
    """Set listings aside while a proceeding runs: a new listing, or the end of one, undoes none."""
    others = [m for m in moves if m.claim.type not in WANTED]
    if others and any(m.state in PROCEEDING for m in _left(others, follows).left):
        return others
    return moves


def is_extradition_custody(move: Move) -> bool:
    """Return whether a move holds the person for an extradition: it ends when that is refused."""
    return move.state in CUSTODY and move.claim.basis in EXTRADITION_BASES


def enders_of(move: Move, extradition: Iterable[Move], resolved: Resolved) -> list[Move]:
    """Return the refusals and lapses that end this custody: those it is not certainly after."""
    if not is_extradition_custody(move):
        return []
    return [
        e
        for e in extradition
        if e.claim.type in ENDS_CUSTODY and not resolved.is_after(move.claim, e.claim)
    ]


def _with_inferred_release(resolved: Resolved, extradition: list[Move]) -> Resolved:
    ended = {m.claim.id: enders_of(m, extradition, resolved) for m in resolved.left}
    if not all(ended.values()):
        return resolved
    enders = {e.claim.id: e.claim for found in ended.values() for e in found}
    releases = [Move(claim, "released", inferred=True) for claim in enders.values()]
    held = [
        m for m in resolved.left if not any(resolved.is_after(r.claim, m.claim) for r in releases)
    ]
    return resolved._replace(moves=resolved.moves + releases, left=held + releases)
