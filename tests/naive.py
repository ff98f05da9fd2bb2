"""A naive replay: the log, filtered by the time it was recorded, folded anew from the first event.

No table, no interval, no cache: whatever is asked is worked out from the list of all events. It
says what `known_at` and `as_of` promise: what was recorded by then, of days until then; and of that
no more than may be read now.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

from caseflow.domain.case import Case, RecordedClaim, evolve
from caseflow.domain.dossier import Dossier
from caseflow.domain.events import Event
from caseflow.domain.facts import counts_on
from caseflow.domain.statistics import CaseFacts, Statistics, tally
from caseflow.domain.status import Status, resolve
from caseflow.domain.vocabulary import VISIBILITY_RANK
from caseflow.eventstore.partners import Caller
from caseflow.projections.public.values import is_forgotten, public_told

Told = tuple[Case, RecordedClaim]


class Known(NamedTuple):
    """The cases as a part of the log makes them."""

    cases: dict[UUID, Case]

    @classmethod
    def of(cls, log: Sequence[Event], known_at: int | None) -> "Known":
        """Return the cases after the events that were recorded by a time, in microseconds."""
        known = cls({})
        for event in log:
            if known_at is None or event.recorded_at <= known_at:
                known.take_in(event)
        return known

    def take_in(self, event: Event) -> None:
        """Apply the next event."""
        case = evolve(self.cases.get(event.originator_id), event)
        if case is not None:
            self.cases[case.id] = case

    def find_root(self, case: Case) -> Case:
        """Return the case that stays of all about one person."""
        while case.merged_into is not None:
            case = self.cases[case.merged_into]
        return case

    def list_dossiers(self) -> Iterator[Dossier]:
        """Yield the cases of each person."""
        for main in self.cases.values():
            if main.merged_into is None:
                others = (c for c in self.cases.values() if c is not main)
                yield Dossier(main, tuple(c for c in others if self.find_root(c) is main))

    def find_dossier(self, case_id: UUID) -> Dossier | None:
        """Return the cases of the person whom a case is about, None where it stays not."""
        return next((d for d in self.list_dossiers() if d.main.id == case_id), None)


class Naive:
    """What was known at a time, as one who may ask may know it now."""

    def __init__(self, log: Sequence[Event], known_at: int | None) -> None:
        self._then = Known.of(log, known_at)
        self._now = Known.of(log, None)
        self._forgotten = _list_forgotten_after(log, known_at)

    # -- with a key -------------------------------------------------------------------------------

    def _may_read(self, case: Case, claim: RecordedClaim, caller: Caller) -> bool:
        """Return whether a partner may read a claim: what it may now decides."""
        now = self._now.cases[case.id].claims[claim.event_id]
        floor = VISIBILITY_RANK["restricted" if caller.reads_restricted else "partners"]
        return VISIBILITY_RANK[now.visibility] >= floor or now.partner_id == caller.partner_id

    def _list_in_force(self, dossier: Dossier, caller: Caller) -> list[Told]:
        return [
            (case, claim)
            for case in dossier.cases
            for claim in case.claims.values()
            if claim.in_force and self._may_read(case, claim, caller)
        ]

    def list_statuses(self, caller: Caller, as_of: str | None) -> dict[UUID, Status]:
        """Return where each case stands that a partner is to find in a list."""
        found = {}
        for dossier in self._then.list_dossiers():
            told = self._list_in_force(dossier, caller)
            if as_of is None or any(counts_on(c.facts, as_of) for _, c in told):
                found[dossier.main.id] = _resolve(dossier, told, as_of)
        return found

    def list_history(self, caller: Caller, case_id: UUID, as_of: str | None) -> set[UUID] | None:
        """Return the claims in the history of a case, None where there is none by that name."""
        dossier = self._then.find_dossier(case_id)
        if dossier is None:
            return None
        return {
            claim.event_id
            for case in dossier.cases
            for claim in case.claims.values()
            if self._may_read(case, claim, caller) and counts_on(claim.facts, as_of)
        }

    def tally(self, caller: Caller, as_of: str | None) -> Statistics:
        """Return the statistics of those who agree now to be counted."""
        return tally(self._list_facts(caller), as_of=as_of, until="9999-12-31")

    def _list_facts(self, caller: Caller) -> Iterator[CaseFacts]:
        for dossier in self._then.list_dossiers():
            told = [
                (case, claim)
                for case, claim in self._list_in_force(dossier, caller)
                if self._now.cases[case.id].consent.publish != "none"
            ]
            yield CaseFacts(
                dossier.main.frame,
                dossier.main.persons,
                [case.facts_for(claim) for case, claim in told],
                [stance for case, claim in told for stance in case.stances_on(claim)],
            )

    # -- without one ------------------------------------------------------------------------------

    def _list_counted(self, dossier: Dossier) -> list[Told]:
        """Return what the public counted then, but for what it has to forget."""
        return [told for told in dossier.list_counted() if told[1].event_id not in self._forgotten]

    def tally_public(self, as_of: str | None) -> Statistics:
        """Return the statistics that anyone gets."""
        return tally(
            (_public_facts(d, self._list_counted(d)) for d in self._then.list_dossiers()),
            as_of=as_of,
            until="9999-12-31",
        )

    def _list_shown_under(self, case_id: UUID) -> set[UUID]:
        """Return the cases that the public finds under one now, and so in replays."""
        dossier = self._now.find_dossier(case_id)
        return {c.id for c in dossier.cases if dossier.is_joined(c)} if dossier else set()

    def find_public_status(self, case_id: UUID, as_of: str | None) -> Status:
        """Return where a case that is public now stood for the public."""
        cases = self._list_shown_under(case_id)
        told = [
            public_told(dossier, case, claim)
            for dossier in self._then.list_dossiers()
            for case, claim in self._list_counted(dossier)
            if case.id in cases
        ]
        return resolve(
            self._now.cases[case_id].frame,
            [t.facts for t in told],
            stances=[stance for t in told for stance in t.stances],
            as_of=as_of,
        )

    def list_shown(self, case_id: UUID) -> set[UUID]:
        """Return the claims that anyone could read then, and can now, under a case."""
        cases = self._list_shown_under(case_id)
        then, now = (
            {
                claim.event_id
                for dossier in known.list_dossiers()
                for case, claim in dossier.list_shown()
                if case.id in cases
            }
            for known in (self._then, self._now)
        )
        return then & now


def _list_forgotten_after(log: Sequence[Event], known_at: int | None) -> set[UUID]:
    """Return the claims that had to be forgotten at some time after a moment.

    Shown again later they are shown from then on: what is forgotten of the past stays so.
    """
    known, found = Known({}), set[UUID]()
    for event in log:
        known.take_in(event)
        if known_at is not None and event.recorded_at > known_at:
            found |= {
                claim.event_id
                for dossier in known.list_dossiers()
                for case in dossier.cases
                for claim in case.claims.values()
                if is_forgotten(dossier, case, claim)
            }
    return found


def _resolve(dossier: Dossier, told: Sequence[Told], as_of: str | None) -> Status:
    return resolve(
        dossier.main.frame,
        [case.facts_for(claim) for case, claim in told],
        stances=[stance for case, claim in told for stance in case.stances_on(claim)],
        as_of=as_of,
    )


def _public_facts(dossier: Dossier, told: Sequence[Told]) -> CaseFacts:
    found = [public_told(dossier, case, claim) for case, claim in told]
    return CaseFacts(
        dossier.main.frame,
        dossier.main.persons,
        [t.facts for t in found],
        [stance for t in found for stance in t.stances],
    )
