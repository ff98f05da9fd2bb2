"""A dossier: all cases about one person, as one. Partners may judge that several are.

The case that stays gives the dossier its id, its states, its number of persons and its label; the
claims are those of all. What the public gets of the others depends on what was agreed to in each.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple
from uuid import UUID

from .case import Case, RecordedClaim, tells_refuge
from .publication import Publication, find_names, says_as_much
from .status import Status, resolve
from .vocabulary import Visibility


class Dossier(NamedTuple):
    """The case that stays, and those that were merged into it."""

    main: Case
    merged: tuple[Case, ...] = ()

    @property
    def cases(self) -> tuple[Case, ...]:
        """Return every case, the one that stays first."""
        return (self.main, *self.merged)

    def find_case_of(self, event_id: UUID) -> Case | None:
        """Return the case that holds a claim, or None."""
        return next((case for case in self.cases if event_id in case.claims), None)

    def claims_for(
        self, audience: Visibility, own: UUID | None = None
    ) -> list[tuple[Case, RecordedClaim]]:
        """Return the claims in force that an audience may read, each with its case.

        audience: `partners` or `restricted`. own: and those of this partner.
        """
        return [(case, c) for case in self.cases for c in case.claims_for(audience, own)]

    def status_for(
        self, audience: Visibility, own: UUID | None = None, *, as_of: str | None = None
    ) -> Status:
        """Return the status that the claims give which a partner may read."""
        if not self.merged:
            return self.main.status_for(audience, own, as_of=as_of)
        told = self.claims_for(audience, own)
        return resolve(
            self.main.frame,
            [case.facts_for(claim) for case, claim in told],
            stances=[s for case, claim in told for s in case.stances_on(claim)],
            as_of=as_of,
        )

    def find_last_change(self, audience: Visibility, own: UUID | None = None) -> int:
        """Return when the last event was recorded that a partner may read, in microseconds.

        A claim that it may not read is none, so that nobody learns when one was recorded.
        """
        readable = (c for case in self.cases for c in case.readable_claims(audience, own))
        return max((*(case.amended_at for case in self.cases), *(c.changed_at for c in readable)))

    # -- what the public gets ---------------------------------------------------------------------

    def is_joined(self, case: Case) -> bool:
        """Return whether the public may know that a case and the one that stays are of one person.

        Otherwise it would learn under one name what was agreed to under another.
        """
        return case is self.main or says_as_much(case.consent, self.main.consent)

    def publication_of(self, case: Case, recorded: RecordedClaim) -> Publication:
        """Return what the public gets of a claim of one of the cases."""
        # Of a case that stands alone there is nothing else to ask; it is asked of each claim.
        if not self.merged or not recorded.publication.counted:
            return recorded.publication
        if not self.is_joined(case):
            return Publication("withheld", "merged")
        if self._names_person(case, recorded):
            return Publication("withheld", "names_person")
        return recorded.publication

    def _names_person(self, case: Case, recorded: RecordedClaim) -> bool:
        """Return whether a text holds a name of the person that another of the cases knows."""
        others = (other.subject for other in self.cases if other is not case)
        return any(find_names(recorded.claim, subject, case.consent) for subject in others)

    def list_counted(self) -> Iterator[tuple[Case, RecordedClaim]]:
        """Yield the claims that move public numbers, each with its case; some are not shown."""
        for case in self.cases:
            for recorded in case.claims.values():
                if self.publication_of(case, recorded).counted:
                    yield case, recorded

    def list_shown(self) -> Iterator[tuple[Case, RecordedClaim]]:
        """Yield the claims that anyone may read, each with its case."""
        return ((case, c) for case, c in self.list_counted() if c.is_public)

    def tells_refuge(self, recorded: RecordedClaim) -> bool:
        """Return whether a claim would tell where the person went, by what any case says."""
        if recorded.tells_refuge or not self.merged:
            return recorded.tells_refuge
        others = (c for case in self.cases for c in case.claims.values())
        about_asylum = recorded.standing.about_asylum
        return tells_refuge(recorded.claim, others, self.main.frame, about_asylum=about_asylum)


class Identities:
    """Which case went into which."""

    def __init__(self, into: Mapping[UUID, UUID] | None = None) -> None:
        self._into: dict[UUID, UUID] = {}
        self._merged: dict[UUID, list[UUID]] = {}
        for case_id, into_id in (into or {}).items():
            self.note(case_id, into_id)

    def note(self, case_id: UUID, into_id: UUID | None) -> None:
        """Note that a case went into another, or stands by itself again."""
        before = self._into.pop(case_id, None)
        if before is not None:
            self._merged[before].remove(case_id)
        if into_id is not None:
            self._into[case_id] = into_id
            self._merged.setdefault(into_id, []).append(case_id)

    def find_root(self, case_id: UUID) -> UUID:
        """Return the case that stays of all those about one person; the same where none went."""
        while case_id in self._into:
            case_id = self._into[case_id]
        return case_id

    def find_related(self, case_id: UUID) -> bool:
        """Return whether a case is, or was since this began, about the same person as another."""
        return case_id in self._into or case_id in self._merged

    def list_merged(self, case_id: UUID) -> list[UUID]:
        """Return the cases merged into one, directly or through another."""
        found: list[UUID] = []
        for merged in self._merged.get(case_id, ()):
            found += (merged, *self.list_merged(merged))
        return found
