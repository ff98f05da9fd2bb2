"""Resolution compares no claim with all others, and finds what comparing all of them would."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from caseflow.domain import resolution, status
from caseflow.domain.effects import WANTED
from caseflow.domain.facts import ClaimFacts
from caseflow.domain.resolution import Links, Move, Resolved, resolve_tracks
from caseflow.domain.vocabulary import ORDERS, VERIFICATION_RANK
from tests.strategies import numbered, status_of, tell

# -- the reference: every pair is looked at -------------------------------------------------------

IsAfter = Callable[[ClaimFacts, ClaimFacts], bool]


def reached(claim: ClaimFacts, standing: dict[UUID, ClaimFacts]) -> set[UUID]:
    """Return all that a claim's `after` leads to."""
    found: set[UUID] = set()
    step = claim.after
    while step is not None and step in standing and step not in found:
        found.add(step)
        step = standing[step].after
    return found


def order_of(standing: dict[UUID, ClaimFacts], *, links: bool, movement: bool) -> IsAfter:
    """Return what tells whether the first claim is certainly after the second."""
    closure = {c.id: reached(c, standing) if links else set() for c in standing.values()}

    def is_after(later: ClaimFacts, earlier: ClaimFacts) -> bool:
        rank = VERIFICATION_RANK[later.verification]
        if movement and rank < 2 and VERIFICATION_RANK[earlier.verification] > rank:
            return False
        dated = later.earliest is not None and later.earliest > earlier.latest
        return dated or earlier.id in closure[later.id]

    return is_after


def pick(moves: Iterable[Move], others: Iterable[Move], is_after: IsAfter) -> list[Move]:
    """Return the moves that no other is after."""
    rest = list(others)
    return [m for m in moves if not any(is_after(o.claim, m.claim) for o in rest if o != m)]


class Reference:
    """A case resolved by looking at every pair of its moves."""

    def __init__(self, claims: list[ClaimFacts], moves: dict[str, list[Move]]) -> None:
        self._standing = {c.id: c for c in claims}
        self._moves = moves
        self.order: dict[str, IsAfter] = {}
        self.kept: dict[str, list[Move]] = {}
        self.left: dict[str, list[Move]] = {}
        for track in moves:
            self._resolve(track)

    def _resolve(self, track: str) -> None:
        kept = self._moves[track]
        if track == "extradition":
            others = [m for m in kept if m.claim.type not in WANTED]
            states = {m.state for m in self._pick(track, others)[0]}
            if states & {"requested", "postponed", "granted", "appeal_pending", "remitted"}:
                kept = others
        self.left[track], self.order[track] = self._pick(track, kept)
        self.kept[track] = kept
        if track == "liberty":
            self._release()

    def _pick(self, track: str, moves: list[Move]) -> tuple[list[Move], IsAfter]:
        for links in (True, False):
            order = order_of(self._standing, links=links, movement=track == "movement")
            left = pick(moves, moves, order)
            if left:
                break
        return left, order

    def enders(self, move: Move) -> list[ClaimFacts]:
        """Return what ends custody for an extradition."""
        if move.state not in ("detained", "in_custody"):
            return []
        if move.claim.basis not in ("wanted", "extradition"):
            return []
        return [
            m.claim
            for m in self._moves.get("extradition", [])
            if m.claim.type in ("extradition.refused", "extradition.lapsed")
            and not self.order["liberty"](move.claim, m.claim)
        ]

    def _release(self) -> None:
        left = self.left["liberty"]
        if not all(self.enders(m) for m in left):
            return
        found = {e.id: Move(e, "released") for m in left for e in self.enders(m)}
        releases = list(found.values())
        held = pick(left, releases, self.order["liberty"])
        self.kept["liberty"] = self.kept["liberty"] + releases
        self.left["liberty"] = held + releases

    def unended(self) -> list[Move]:
        """Return what is left of liberty that nothing ends."""
        return [m for m in self.left.get("liberty", []) if not self.enders(m)]

    def since(self, track: str, state: str) -> list[Move]:
        """Return the moves of a state that none of another is after."""
        kept = self.kept[track]
        others = [m for m in kept if m.state != state]
        return pick([m for m in kept if m.state == state], others, self.order[track])

    def contradicting(self) -> list[Move]:
        """Return the accounts of the last movement that contradict one another."""
        kept = self.kept.get("movement", [])
        entries = [m for m in kept if m.state == "in_host_state"]
        others = [m for m in kept if m.state != "in_host_state"]
        accounts = pick(others, entries, self.order["movement"]) if kept else []
        return [a for a in accounts if any(self._differ(a, b) for b in accounts if b != a)]

    def _differ(self, a: Move, b: Move) -> bool:
        if b.claim.id in reached(a.claim, self._standing):
            return False
        if a.claim.id in reached(b.claim, self._standing):
            return False
        one, two = a.claim, b.claim
        dated = (one.earliest or "") > two.latest or (two.earliest or "") > one.latest
        return a.state != b.state or dated


# -- the same is found ----------------------------------------------------------------------------

# What the rules of each track look at; any type of the same track stands for the others.
TRACKS: Final = {
    "asylum": ("claimed", "refused"),
    "movement": ("in_host_state", "returned", "deported"),
    "liberty": ("detained", "in_custody", "at_liberty"),
    "extradition": ("wanted", "requested", "refused", "lapsed"),
}
TYPES: Final = {
    "wanted": "wanted.listed",
    "requested": "extradition.requested",
    "refused": "extradition.refused",
    "lapsed": "extradition.lapsed",
}


@st.composite
def random_moves(draw: st.DrawFn) -> tuple[list[ClaimFacts], dict[str, list[Move]]]:
    """Return claims that name any others, themselves and missing ones too; and what they move."""
    size = draw(st.integers(1, 9))
    claims: list[ClaimFacts] = []
    moves: dict[str, list[Move]] = {}
    for number in range(1, size + 1):
        track = draw(st.sampled_from(sorted(TRACKS)))
        state = draw(st.sampled_from(TRACKS[track]))
        first, length = draw(st.integers(1, 6)), draw(st.sampled_from((0, 0, 1, 4)))
        claim = ClaimFacts(
            id=numbered(number),
            type=TYPES.get(state, "case.closed") if track == "extradition" else "case.closed",
            partner="a",
            jurisdiction="KZ",
            earliest=draw(st.sampled_from((None, *[f"2025-05-0{first}"] * 4))),
            latest=f"2025-05-{first + length:02}",
            verification=draw(st.sampled_from(sorted(VERIFICATION_RANK))),
            basis=draw(st.sampled_from(("wanted", "extradition", "extradition", "other", None))),
            after=draw(st.none() | st.integers(1, size + 1).map(numbered)),
        )
        claims.append(claim)
        # Some claims move nothing, but links lead through them.
        if draw(st.integers(0, 5)):
            moves.setdefault(track, []).append(Move(claim, state))
    return claims, moves


def by_id(moves: Iterable[Move]) -> list[Move]:
    return sorted(moves, key=lambda m: (m.claim.id, m.state))


@settings(max_examples=200)
@given(random_moves())
def test_what_is_left_is_what_comparing_all_pairs_leaves(
    told: tuple[list[ClaimFacts], dict[str, list[Move]]],
) -> None:
    claims, moves = told
    links = Links({c.id: c for c in claims})
    expected = Reference(claims, moves)
    found = resolve_tracks(moves, links)
    for track, resolved in found.items():
        assert by_id(resolved.moves) == by_id(expected.kept[track])
        assert by_id(resolved.left) == by_id(expected.left[track])
        assert resolved.winner in expected.left[track]
        for state in ORDERS[track]:
            same = expected.since(track, state) or [resolved.winner]
            assert status._since(resolved, state) == status._span([m.claim for m in same])
    check_custody(found, moves, expected)
    if "movement" in found:
        accounts = status._accounts(found["movement"])
        assert by_id(status._contradicting(accounts, links)) == by_id(expected.contradicting())


def check_custody(
    found: dict[str, Resolved], moves: dict[str, list[Move]], expected: Reference
) -> None:
    """Assert that what nothing ended is what comparing all pairs finds."""
    if "liberty" in found:
        extradition = moves.get("extradition", [])
        unended = resolution.find_unended(extradition, found["liberty"])
        assert by_id(unended) == by_id(expected.unended())


# -- how often it compares ------------------------------------------------------------------------

SIZE: Final = 400


class Day(str):
    """A day that counts how often it is compared."""

    compared: ClassVar[int] = 0

    def __lt__(self, other: str) -> bool:
        Day.compared += 1
        return str.__lt__(self, other)

    def __le__(self, other: str) -> bool:
        Day.compared += 1
        return str.__le__(self, other)

    def __gt__(self, other: str) -> bool:
        Day.compared += 1
        return str.__gt__(self, other)

    def __ge__(self, other: str) -> bool:
        Day.compared += 1
        return str.__ge__(self, other)


def counting(claim: ClaimFacts) -> ClaimFacts:
    """Return the claim with days that count."""
    earliest = Day(claim.earliest) if claim.earliest is not None else None
    return structs.replace(claim, earliest=earliest, latest=Day(claim.latest))


def on(number: int) -> str:
    return f"{2000 + number // 336:04}-{number // 28 % 12 + 1:02}-{number % 28 + 1:02}"


def chain(number: int) -> dict[str, Any]:
    return {"after": number - 1} if number > 1 else {}


CASES: Final[dict[str, Callable[[int], ClaimFacts]]] = {
    "one day": lambda n: tell(n, "asylum.claim_made"),
    "a chain": lambda n: tell(n, "asylum.claim_made", **chain(n)),
    "two kinds of movement": lambda n: tell(n, ("departure.left", "return.voluntary")[n % 2]),
    "one late account": lambda n: tell(n, "departure.left", on(0 if n < SIZE else SIZE)),
    "arrests and releases": lambda n: (
        tell(n, "detention.custody_ordered", on(n), basis="extradition")
        if n % 2
        else tell(n, "detention.released", on(n))
    ),
    "custody and refusals": lambda n: (
        tell(n, "detention.custody_ordered", "2025", basis="extradition")
        if n % 2
        else tell(n, "extradition.refused", "2025", after=n - 1)
    ),
    "custody after refusals": lambda n: (
        tell(n, "detention.custody_ordered", on(n + SIZE), basis="extradition")
        if n % 2
        else tell(n, "extradition.refused", on(n))
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_no_claim_is_compared_with_all_others(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Days and links: at most 100 comparisons for each claim."""
    claims = [counting(CASES[name](number)) for number in range(1, SIZE + 1)]
    asked: list[None] = []
    leads = Links.leads

    def count_and_ask(self: Links, later: ClaimFacts, earlier: ClaimFacts) -> bool:
        asked.append(None)
        return leads(self, later, earlier)

    monkeypatch.setattr(Links, "leads", count_and_ask)
    Day.compared = 0
    status_of(*claims)
    assert 0 < Day.compared + len(asked) < 100 * SIZE
