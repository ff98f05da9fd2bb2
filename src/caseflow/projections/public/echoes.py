"""What other public changes still tell of a claim that has to be forgotten.

An entry says where the case stood after it, and so tells of every claim before it. Where one of
these is hidden for the person's sake, such an entry tells too much, though its own claim may stay.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

from caseflow.domain.case import Case, RecordedClaim
from caseflow.domain.dossier import Dossier
from caseflow.domain.status import resolve

from .values import WITHDRAWN, is_forgotten, public_told


class Said(NamedTuple):
    """What a public change says of where the case stands, and what it is about."""

    sequence: int
    event_id: UUID
    case_id: UUID
    kind: str
    published_at: int
    taken_back_by: int | None
    gone_by: int | None
    headline: str
    headline_before: str | None


class Echo(NamedTuple):
    """A change that tells too much. before: the headline before it, as may be told now."""

    said: Said
    is_too_much: bool
    before: str | None


def forgets(dossier: Dossier, case: Case, recorded: RecordedClaim) -> bool:
    """Return whether no public change may tell anything of a claim any more."""
    publication = dossier.publication_of(case, recorded)
    return publication.reason == "merged" or is_forgotten(dossier, case, recorded)


def list_echoes(dossier: Dossier, changes: Sequence[Said]) -> Iterator[Echo]:
    """Yield the changes that tell of what has to be forgotten; changes: all, in their order."""
    known = _Known(dossier, changes)
    before: str | None = None
    for said in changes:
        headline = known.headline_after(said)
        # Told at once with others, or one after another: both leave out what is forgotten.
        may_be_told = said.headline in (headline, known.headline_at(said.published_at))
        readable = said.kind != WITHDRAWN and said.gone_by is None
        too_much = readable and not may_be_told
        if too_much or said.headline_before != before:
            yield Echo(said, too_much, before)
        before = headline


class _Known:
    """What the public changes of a person tell, without what has to be forgotten."""

    def __init__(self, dossier: Dossier, changes: Sequence[Said]) -> None:
        cases = {case.id: case for case in dossier.cases}
        found = [(said, cases[said.case_id]) for said in changes if said.kind != WITHDRAWN]
        self._frame = dossier.main.frame
        self._told = [
            (said, public_told(dossier, case, case.claims[said.event_id]))
            for said, case in found
            if not forgets(dossier, case, case.claims[said.event_id])
        ]

    def headline_after(self, said: Said) -> str:
        """Return the headline after a change, and nothing that came later."""
        return self._headline([s for s, _ in self._told if s.sequence <= said.sequence])

    def headline_at(self, at: int) -> str:
        """Return the headline after all changes that were made at a moment."""
        return self._headline([s for s, _ in self._told if s.published_at <= at])

    def _headline(self, known: Sequence[Said]) -> str:
        last = max((said.sequence for said in known), default=0)
        counted = {s.sequence for s in known if s.taken_back_by is None or s.taken_back_by > last}
        told = [t for said, t in self._told if said.sequence in counted]
        stances = [stance for t in told for stance in t.stances]
        return resolve(self._frame, [t.facts for t in told], stances=stances).headline
