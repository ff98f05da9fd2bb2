"""Lists of cases: pages of what a caller may read, as things stand or as they stood."""

from collections.abc import Iterator
from typing import Any, Protocol
from uuid import UUID

import msgspec

from caseflow.domain.case import Case
from caseflow.domain.errors import NotFoundError
from caseflow.domain.facts import counts_on
from caseflow.domain.labels import LANGUAGES
from caseflow.eventstore.merges import load_merges
from caseflow.eventstore.partners import Caller
from caseflow.eventstore.reading import Snapshot
from caseflow.projections.listing import CaseFilter
from caseflow.projections.partner import status as partner_status
from caseflow.projections.public import status as public_status
from caseflow.projections.public.status import PublicCase

from .asked import NOW, Moment
from .reading import (
    MergedError,
    fold_changes,
    get_case,
    is_told,
    list_changes,
    read_public_case,
)
from .rendering import label_for, render_case, render_public_case
from .services import Services, audience_of

Json = dict[str, Any]
Place = tuple[int, str]
"""Where a case stands in the list: a time in microseconds and its id."""


class Lister(Protocol):
    """Lists what one caller may read."""

    def find(
        self, wanted: CaseFilter, moment: Moment, language: str
    ) -> Iterator[tuple[Json, Place]]:
        """Yield the cases that pass, rendered, in the order of their places."""


def list_page(
    lister: Lister, wanted: CaseFilter, moment: Moment, language: str
) -> tuple[list[Json], Place | None]:
    """Return one page, and where it ends unless it is the last."""
    page: list[Json] = []
    end: Place | None = None
    # One more than the page holds tells whether there is another.
    more = msgspec.structs.replace(wanted, limit=wanted.limit + 1)
    for rendered, place in lister.find(more, moment, language):
        if len(page) == wanted.limit:
            return page, end
        page.append(rendered)
        end = place
    return page, None


class PublicLister:
    """Lists what is public, by first publication."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def find(
        self, wanted: CaseFilter, moment: Moment, language: str
    ) -> Iterator[tuple[Json, Place]]:
        """Yield the cases that pass."""
        connection, view_set = self._snapshot.connection, self._snapshot.view_set
        replayed = moment != NOW
        for case in public_status.list_cases(connection, view_set, wanted, replayed=replayed):
            rendered = self._render(case, wanted, moment, language)
            if rendered is not None:
                yield rendered, (case.published_at, str(case.case_id))

    def _render(
        self, case: PublicCase, wanted: CaseFilter, moment: Moment, language: str
    ) -> Json | None:
        if moment == NOW:
            return read_public_case(self._snapshot, case, language, moment)
        changes = list_changes(self._snapshot, case.case_id, moment)
        if not any(is_told(change, moment.as_of) for change in changes):
            return None
        status, last = fold_changes(self._snapshot, case, moment), changes[-1]
        if not wanted.matches(status, last.published_at):
            return None
        return render_public_case(
            case._replace(updated_at=last.published_at),
            status,
            language,
            version=len(changes),
            position=last.sequence,
            as_of=moment.as_of,
            known_at=moment.known_at_text,
        )


class PartnerLister:
    """Lists what a partner may read, by opening."""

    def __init__(self, services: Services, snapshot: Snapshot, caller: Caller) -> None:
        self._services = services
        self._snapshot = snapshot
        self._caller = caller

    def find(
        self, wanted: CaseFilter, moment: Moment, language: str
    ) -> Iterator[tuple[Json, Place]]:
        """Yield the cases that pass."""
        found = partner_status.list_cases(
            self._snapshot.connection,
            self._snapshot.view_set,
            # Labels that only partners see are sealed: words are looked for after unsealing.
            msgspec.structs.replace(wanted, words=()),
            reads_restricted=self._caller.reads_restricted,
            own=self._caller.partner_id,
            replayed=moment != NOW or bool(wanted.words),
        )
        places = [(listed.opened_at, listed.case_id) for listed in found]
        if moment.known_at is not None:
            places = sorted([*places, *self._list_merged_since(wanted, moment.known_at)])
        for opened_at, case_id in places:
            rendered = self._render(case_id, wanted, moment, language)
            if rendered is not None:
                yield rendered, (opened_at, str(case_id))

    def _list_merged_since(self, wanted: CaseFilter, known_at: int) -> Iterator[tuple[int, UUID]]:
        """Yield the places of the cases that stood by themselves then, and went into another."""
        for case_id in load_merges(self._snapshot.connection):
            dossier = self._services.reader.find_dossier(self._snapshot, case_id, known_at)
            if dossier is None or dossier.main.id != case_id:
                continue
            place = (dossier.main.opened_at, case_id)
            frame = dossier.main.frame
            if (
                wanted.host_state in (None, frame.host_state)
                and wanted.origin_state in (None, frame.origin_state)
                and (wanted.after is None or place > wanted.after)
            ):
                yield place

    def _render(
        self, case_id: UUID, wanted: CaseFilter, moment: Moment, language: str
    ) -> Json | None:
        try:
            found = get_case(self._services, self._snapshot, case_id, moment)
        except (NotFoundError, MergedError):
            return None
        dossier, caller = found.dossier, self._caller
        audience = audience_of(caller)
        readable = dossier.claims_for(audience, caller.partner_id)
        if moment.as_of and not any(counts_on(c.facts, moment.as_of) for _, c in readable):
            return None
        status = dossier.status_for(audience, caller.partner_id, as_of=moment.as_of)
        changed_at = dossier.find_last_change(audience, caller.partner_id)
        if not (wanted.matches(status, changed_at) and wanted.names(self._labels(dossier.main))):
            return None
        return render_case(
            dossier,
            caller,
            language,
            position=found.position,
            as_of=moment.as_of,
            known_at=moment.known_at_text,
        )

    def _labels(self, case: Case) -> list[str]:
        return [case.code, *(label_for(case, self._caller, language) for language in LANGUAGES)]
