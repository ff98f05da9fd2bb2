"""Resolution: of the claims that move a track, which are left, and which of these tells its state.

The result never depends on the order in which claims arrived. The fold runs while the log is held,
so its cost must not grow with the square of the claims: no claim is compared with all others.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from operator import and_, or_
from typing import Final, NamedTuple
from uuid import UUID

from .effects import WANTED
from .facts import ClaimFacts
from .vocabulary import ORDERS, VERIFICATION_RANK

ENDS_CUSTODY: Final = frozenset({"extradition.refused", "extradition.lapsed"})
CUSTODY: Final = frozenset({"detained", "in_custody"})
EXTRADITION_BASES: Final = frozenset({"wanted", "extradition"})
PROCEEDING: Final = frozenset({"requested", "postponed", "granted", "appeal_pending", "remitted"})

Test = Callable[[ClaimFacts], bool]


# -- links ----------------------------------------------------------------------------------------

# The bit of all claims that no `after` names: nothing leads there.
_UNNAMED: Final = 1


class Links:
    """For each claim, all claims that its `after` leads to, as the bits of a number."""

    def __init__(self, standing: Mapping[UUID, ClaimFacts]) -> None:
        named = {c.after for c in standing.values() if c.after in standing}
        self._bits = {claim_id: 2 << n for n, claim_id in enumerate(named)}
        self._reached: dict[UUID, int] = {}
        for claim in standing.values():
            if claim.after is not None:
                self._follow(claim.id, standing)

    def _follow(self, claim_id: UUID, standing: Mapping[UUID, ClaimFacts]) -> None:
        """Note what a claim and those on its way lead to; one that is not in force ends it."""
        way: dict[UUID, int] = {}
        step: UUID | None = claim_id
        while step is not None and step in standing and step not in self._reached:
            if step in way:
                circle = list(way)[way[step] :]
                reached = sum(self._bits[c] for c in circle)
                self._reached.update(dict.fromkeys(circle, reached))
                break
            way[step] = len(way)
            step = standing[step].after
        ahead = 0
        if step is not None:
            ahead = self._reached.get(step, 0) | self._bits.get(step, 0)
        for found in reversed(way):
            ahead = self._reached.setdefault(found, ahead) | self._bits.get(found, 0)

    def __bool__(self) -> bool:
        """Return whether any claim leads to another."""
        return bool(self._bits)

    def bit(self, claim: ClaimFacts) -> int:
        """Return the bit of a claim; that of no other where any link leads to it."""
        return self._bits.get(claim.id, _UNNAMED)

    def reached(self, claim: ClaimFacts) -> int:
        """Return the bits of all claims that a claim leads to; itself where it is in a circle."""
        return self._reached.get(claim.id, 0)

    def has_any(self, claim: ClaimFacts) -> bool:
        """Return whether a claim leads to others, or others to it."""
        return bool(self.reached(claim)) or self.bit(claim) != _UNNAMED

    def leads(self, later: ClaimFacts, earlier: ClaimFacts) -> bool:
        """Return whether the `after` of the first leads to the second."""
        return bool(self.reached(later) & self.bit(earlier))


NO_LINKS: Final = Links({})


# -- order ----------------------------------------------------------------------------------------


def is_dated_after(claim: ClaimFacts, other: ClaimFacts) -> bool:
    return claim.earliest is not None and claim.earliest > other.latest


# What is likely may follow what is confirmed: they weigh the same.
_MAX_WEIGHT: Final = VERIFICATION_RANK["likely"]


class Order(NamedTuple):
    """Which claims are certainly after which others: by dates, or by links.

    by_weight: a claim that is only possible or unlikely is after no better verified one.
    """

    links: Links
    by_weight: bool = False

    def is_after(self, later: ClaimFacts, earlier: ClaimFacts) -> bool:
        """Return whether the first is certainly after the second."""
        if self._weight(later) < self._weight(earlier):
            return False
        return is_dated_after(later, earlier) or self.links.leads(later, earlier)

    def find_followed(self, laters: Iterable[ClaimFacts]) -> Test:
        """Return what tells of a claim whether any of these, other than itself, is after it."""
        own = {c.id: c for c in laters}
        heavy = [
            _Followers([c for c in own.values() if self._weight(c) >= weight], self.links)
            for weight in (range(_MAX_WEIGHT + 1) if self.by_weight else (0,))
        ]

        def is_followed(claim: ClaimFacts) -> bool:
            followers = heavy[self._weight(claim)]
            if followers.last_day > claim.latest:
                return True
            in_circle = claim.id in own and self.links.leads(claim, claim)
            reached = followers.reached_twice if in_circle else followers.reached
            return bool(reached & self.links.bit(claim))

        return is_followed

    def _weight(self, claim: ClaimFacts) -> int:
        if not self.by_weight:
            return 0
        return min(VERIFICATION_RANK[claim.verification], _MAX_WEIGHT)


class _Followers:
    """Of some claims: the greatest earliest day, and what one and what two of them lead to."""

    def __init__(self, claims: Iterable[ClaimFacts], links: Links) -> None:
        self.last_day = ""
        self.reached = 0
        self.reached_twice = 0
        for claim in claims:
            self.last_day = max(self.last_day, claim.earliest or "")
            reached = links.reached(claim)
            self.reached_twice |= self.reached & reached
            self.reached |= reached


def find_after_all(earlier: Iterable[ClaimFacts], links: Links) -> Test:
    """Return what tells of a claim whether it is certainly after each of these."""
    ranked = sorted(earlier, key=lambda c: c.latest)
    days = [c.latest for c in ranked]
    # For each place, the bits from there to the end.
    bits = list(accumulate((links.bit(c) for c in reversed(ranked)), or_, initial=0))[::-1]

    def is_after_all(claim: ClaimFacts) -> bool:
        dated = 0 if claim.earliest is None else bisect_left(days, claim.earliest)
        return not bits[dated] & ~links.reached(claim)

    return is_after_all


def find_before_all(later: Iterable[ClaimFacts], links: Links) -> Test:
    """Return what tells of a claim whether each of these is certainly after it."""
    ranked = sorted(later, key=lambda c: c.earliest or "")
    days = [c.earliest or "" for c in ranked]
    # For each place, the bits that all before it lead to.
    reached = list(accumulate((links.reached(c) for c in ranked), and_, initial=-1))

    def is_before_all(claim: ClaimFacts) -> bool:
        return bool(reached[bisect_right(days, claim.latest)] & links.bit(claim))

    return is_before_all


# -- tracks ---------------------------------------------------------------------------------------


class Move(NamedTuple):
    """A claim as one track sees it; an end of extradition also as the release it implies."""

    claim: ClaimFacts
    state: str


class Resolved(NamedTuple):
    """A track resolved: all its moves, those left, the winner, and the order used."""

    moves: list[Move]
    left: list[Move]
    winner: Move
    order: Order

    def is_after(self, later: ClaimFacts, earlier: ClaimFacts) -> bool:
        """Return whether the first is certainly after the second."""
        return self.order.is_after(later, earlier)


def _left(moves: list[Move], links: Links, *, by_weight: bool = False) -> Resolved:
    order = Order(links, by_weight)
    left = unfollowed(moves, moves, order)
    if not left:
        order = Order(NO_LINKS, by_weight)
        left = unfollowed(moves, moves, order)
    return Resolved(moves, left, left[0], order)


def unfollowed(moves: Iterable[Move], others: Iterable[Move], order: Order) -> list[Move]:
    """Return the moves that none of the others is certainly after."""
    if not order.by_weight and not order.links:
        # As most are: by days alone, whatever is before the greatest earliest day is followed.
        last_day = max((m.claim.earliest or "" for m in others), default="")
        return [m for m in moves if m.claim.latest >= last_day]
    is_followed = order.find_followed(m.claim for m in others)
    return [m for m in moves if not is_followed(m.claim)]


def _with_winner(track: str, resolved: Resolved) -> Resolved:
    order = ORDERS[track]

    def rank(move: Move) -> tuple[int, int, str, int]:
        verified = VERIFICATION_RANK[move.claim.verification] if track == "movement" else 0
        return verified, order.index(move.state), move.claim.earliest or "", move.claim.id.int

    return resolved._replace(winner=max(resolved.left, key=rank))


def resolve_tracks(moves: Mapping[str, list[Move]], links: Links) -> dict[str, Resolved]:
    resolved: dict[str, Resolved] = {}
    for track, all_moves in moves.items():
        kept = _without_wanted(all_moves, links) if track == "extradition" else all_moves
        found = _left(kept, links, by_weight=track == "movement")
        if track == "liberty":
            found = _with_inferred_release(found, moves.get("extradition", []))
        resolved[track] = _with_winner(track, found)
    return resolved


def _without_wanted(moves: list[Move], links: Links) -> list[Move]:
    """Set listings aside while a proceeding runs: a new listing, or the end of one, undoes none."""
    others = [m for m in moves if m.claim.type not in WANTED]
    if others and any(m.state in PROCEEDING for m in _left(others, links).left):
        return others
    return moves


# -- custody for an extradition -------------------------------------------------------------------


def is_extradition_custody(move: Move) -> bool:
    """Return whether a move holds the person for an extradition: it ends when that is refused."""
    return move.state in CUSTODY and move.claim.basis in EXTRADITION_BASES


def find_unended(extradition: Iterable[Move], liberty: Resolved) -> list[Move]:
    """Return the moves left that no refusal or lapse ends: custody certainly after all of them,
    and whatever is not custody for an extradition."""
    is_after_all = find_after_all(_enders(extradition), liberty.order.links)
    return [m for m in liberty.left if not is_extradition_custody(m) or is_after_all(m.claim)]


def _enders(extradition: Iterable[Move]) -> list[ClaimFacts]:
    return [m.claim for m in extradition if m.claim.type in ENDS_CUSTODY]


def _with_inferred_release(resolved: Resolved, extradition: list[Move]) -> Resolved:
    if find_unended(extradition, resolved):
        return resolved
    is_before_all = find_before_all((m.claim for m in resolved.left), resolved.order.links)
    releases = [
        Move(claim, "released") for claim in _enders(extradition) if not is_before_all(claim)
    ]
    held = unfollowed(resolved.left, releases, resolved.order)
    return resolved._replace(moves=resolved.moves + releases, left=held + releases)
