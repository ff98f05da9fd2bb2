"""Legal clocks: until when a term runs, from claims whose days may be vague, by a state's rules.

A term that is counted from a vague day ends on a vague day. Whoever relies on it has to be in time
for the earliest: that is the day that is warned of.
"""

import calendar
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Final, Literal, NamedTuple
from uuid import UUID

from msgspec import Struct

from .dates import parse_when
from .facts import ClaimFacts
from .resolution import ENDS_CUSTODY
from .rules import RulePack, Term
from .vocabulary import TYPES, Claim, CustodyExtended, CustodyOrdered, HearingSet

ClockKind = Literal[
    "holding", "arrest_before_request", "extradition_arrest", "custody_order", "appeal", "hearing"
]
KINDS: Final[tuple[ClockKind, ...]] = (
    "holding", "arrest_before_request", "extradition_arrest", "custody_order", "appeal", "hearing",
)  # fmt: skip
STARTS: Final = frozenset(
    {
        "detention.apprehended", "detention.custody_ordered", "detention.custody_extended",
        "extradition.granted", "appeal.hearing_set",
    }
)  # fmt: skip
"""The types of claims that start a clock."""

EXTRADITION: Final = "extradition"
_FREE: Final = frozenset({"released", "left_host_state", "at_liberty"})
_LAST_DAY: Final = "9000-01-01"
# What ends the time to appeal: an appeal, and whatever leaves nothing to appeal against.
_ENDS_APPEAL: Final = frozenset(
    {"extradition.refused", "extradition.lapsed", "extradition.surrendered"}
)


class ToldClaim(NamedTuple):
    """A claim that counts, as it was told and as the fold reads it."""

    facts: ClaimFacts
    claim: Claim


class Days(NamedTuple):
    """The days on which something may be, YYYY-MM-DD; earliest: None where there is no first."""

    earliest: str | None
    latest: str


class Clock(Struct, frozen=True):
    """A term that runs, or a day that is set.

    claim: that it is counted from. due: the last day of the term. term: of the state's rules; None
    for a day that a decision has set. is_received: whether the day of receipt was told, for a term
    that is counted from it.
    """

    kind: ClockKind
    claim: UUID
    due: Days
    term: Term | None = None
    is_received: bool = True


def find_clocks(told: Sequence[ToldClaim], pack: RulePack | None) -> list[Clock]:
    """Return the clocks that run: nothing that was told has certainly ended or met them.

    told: the claims about a person that count, in any order. pack: the host state's rules; without
    them only days that decisions have set are known.
    """
    claims = sorted(told, key=lambda one: (one.facts.latest, str(one.facts.id)))
    finder = _Finder(claims, pack)
    return [clock for kind in _RULES for clock in _RULES[kind](finder)]


class _Finder:
    """Finds clocks among the claims about one person, oldest first."""

    def __init__(self, claims: Sequence[ToldClaim], pack: RulePack | None) -> None:
        self.claims = claims
        self._terms = pack.terms if pack else {}

    def find_term(self, name: str) -> Term | None:
        return self._terms.get(name)

    def of_type(self, *types: str) -> Iterator[ToldClaim]:
        return (one for one in self.claims if one.facts.type in types)

    def is_ended(self, start: ToldClaim, ends: Callable[[ToldClaim], bool]) -> bool:
        """Return whether something that ends a clock is told that may have come after its start."""
        began = start.facts.earliest or ""
        return any(
            one.facts.latest >= began for one in self.claims if one is not start and ends(one)
        )


def _is_free(one: ToldClaim) -> bool:
    """Return whether a claim says that the person is held no longer."""
    effects = TYPES[one.facts.type].effects
    return effects.get("liberty") in _FREE or effects.get("life") == "died"


def _is_gone(one: ToldClaim) -> bool:
    """Return whether a claim says that the person is in the state no longer, or dead."""
    effects = TYPES[one.facts.type].effects
    return effects.get("liberty") == "left_host_state" or effects.get("life") == "died"


def _ends_extradition_arrest(one: ToldClaim) -> bool:
    return _is_free(one) or one.facts.type in ENDS_CUSTODY


def _find_holding(finder: _Finder) -> Iterator[Clock]:
    term = finder.find_term("holding_hours")
    if term is None:
        return

    def ends(one: ToldClaim) -> bool:
        return _is_free(one) or one.facts.type in (
            "detention.custody_ordered", "detention.custody_extended",
        )  # fmt: skip

    for start in finder.of_type(term.starts_with):
        if not finder.is_ended(start, ends):
            # Of a day without an hour the term may end on any hour of its last day.
            yield Clock("holding", start.facts.id, _later(start, days=term.value // 24), term)


def _find_arrests(finder: _Finder) -> Iterator[ToldClaim]:
    """Yield the orders with which arrests for an extradition began that have not ended."""
    for start in finder.of_type("detention.custody_ordered"):
        if start.facts.basis == EXTRADITION and not finder.is_ended(
            start, _ends_extradition_arrest
        ):
            yield start
            # What was ordered later goes on with the same arrest.
            return


def _find_arrest_before_request(finder: _Finder) -> Iterator[Clock]:
    term = finder.find_term("arrest_before_request_days")
    # The request may have come at any time: it is not asked when.
    if term is None or any(finder.of_type("extradition.requested")):
        return
    for start in _find_arrests(finder):
        due = _later(start, days=term.value)
        yield Clock("arrest_before_request", start.facts.id, due, term)


def _find_extradition_arrest(finder: _Finder) -> Iterator[Clock]:
    term = finder.find_term("extradition_arrest_months")
    if term is None:
        return
    for start in _find_arrests(finder):
        yield Clock("extradition_arrest", start.facts.id, _later(start, months=term.value), term)


def _find_custody_order(finder: _Finder) -> Iterator[Clock]:
    """Yield the end of the last term of custody that was set."""
    orders = [*finder.of_type("detention.custody_ordered", "detention.custody_extended")]
    for start in reversed(orders):
        ends = _ends_extradition_arrest if start.facts.basis == EXTRADITION else _is_free
        due = _find_set_end(start)
        if due is None or finder.is_ended(start, ends):
            continue
        yield Clock("custody_order", start.facts.id, due)
        return


def _find_set_end(start: ToldClaim) -> Days | None:
    claim = start.claim
    if isinstance(claim, CustodyExtended) and claim.until is not None:
        until = parse_when(claim.until)
        return Days(until.earliest, until.latest)
    if isinstance(claim, CustodyOrdered | CustodyExtended) and claim.term_days is not None:
        return _later(start, days=claim.term_days)
    return None


def _find_appeal(finder: _Finder) -> Iterator[Clock]:
    term = finder.find_term("extradition_appeal_days")
    if term is None:
        return
    for start in finder.of_type(term.starts_with):
        decision = start.facts.id

        def ends(one: ToldClaim, decision: UUID = decision) -> bool:
            return one.facts.against == decision or one.facts.type in _ENDS_APPEAL or _is_gone(one)

        if finder.is_ended(start, ends):
            continue
        received = start.claim.notified
        # Where the receipt is not told, the day of the decision: it cannot have come before that.
        due = _later(start, days=term.value, since=received)
        yield Clock("appeal", decision, due, term, is_received=received is not None)


def _find_hearing(finder: _Finder) -> Iterator[Clock]:
    # Of one appeal the last day that was set: it takes the place of those before.
    last = {one.facts.against: one for one in finder.of_type("appeal.hearing_set")}
    for appealed, start in last.items():

        def ends(one: ToldClaim, appealed: UUID | None = appealed) -> bool:
            is_decided = one.facts.type in ("appeal.decided", "appeal.became_final")
            return is_decided and one.facts.against == appealed

        claim = start.claim
        if isinstance(claim, HearingSet) and not finder.is_ended(start, ends):
            day = parse_when(claim.on)
            yield Clock("hearing", start.facts.id, Days(day.earliest, day.latest))


_RULES: Final[dict[ClockKind, Callable[[_Finder], Iterator[Clock]]]] = {
    "holding": _find_holding,
    "arrest_before_request": _find_arrest_before_request,
    "extradition_arrest": _find_extradition_arrest,
    "custody_order": _find_custody_order,
    "appeal": _find_appeal,
    "hearing": _find_hearing,
}


def _later(start: ToldClaim, *, days: int = 0, months: int = 0, since: str | None = None) -> Days:
    """Return the days on which a term may end that begins with a claim; since: another day."""
    begun = parse_when(since or start.claim.occurred)

    def move(day: str) -> str:
        # Of days beyond the calendar nothing is counted.
        known = min(max(day, date.min.isoformat()), _LAST_DAY)
        return (_add_months(date.fromisoformat(known), months) + timedelta(days)).isoformat()

    earliest = None if begun.earliest is None else move(begun.earliest)
    return Days(earliest, move(begun.latest))


def _add_months(day: date, months: int) -> date:
    """Return the same day of a later month, or its last day where it has no such day."""
    number = day.month - 1 + months
    year, month = day.year + number // 12, number % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
