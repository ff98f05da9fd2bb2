"""All projections of a house, as one: what the writer and a rebuild run."""

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

from eventsourcing.persistence import Tracking
from eventsourcing.projection import Projection
from sqlalchemy import Connection

from caseflow.domain.case import Case
from caseflow.domain.dossier import Dossier
from caseflow.domain.events import Event
from caseflow.domain.figures import Figure
from caseflow.domain.public_changes import PublicChange

from .partner.figures import PartnerFigures
from .partner.history import PartnerHistory
from .partner.objections import PartnerObjections
from .partner.statistics import PartnerStatistics
from .partner.status import PartnerStatus
from .public.figures import PublicFigures
from .public.publishing import PublicHistory
from .public.statistics import PublicStatistics
from .public.status import PublicStatus
from .view import Change, Told, View

PROJECTIONS: tuple[type[Projection[View]], ...] = (
    PartnerFigures,
    PartnerHistory,
    PartnerObjections,
    PartnerStatistics,
    PartnerStatus,
    PublicFigures,
    PublicHistory,
    PublicStatistics,
    PublicStatus,
)


# Those that leave work to the end of a batch, and those that look up together what it is going to
# need. Named here: to ask each object what it can do takes longer than most of what it does.
BATCHING: Final = (PartnerStatus, PublicHistory, PublicStatus)
EXPECTING: Final = (PublicHistory,)


class HouseProjector:
    """Takes events in through every projection; `flush` writes what they made of them.

    told: the public changes that these events made when they were new; None where they are.
    """

    def __init__(self, connection: Connection, view_set: str, told: Told | None = None) -> None:
        self._view = View(connection, view_set, told)
        self._projections = [projection(self._view) for projection in PROJECTIONS]
        self._expecting = [p for p in self._projections if isinstance(p, EXPECTING)]
        self._batching = [p for p in self._projections if isinstance(p, BATCHING)]

    def expect(self, case_ids: Collection[UUID]) -> None:
        """Prepare for new events of these cases, before the first; those of others come as well."""
        for projection in self._expecting:
            projection.expect(case_ids)

    def process_event(
        self,
        event: Event,
        case: Case | None,
        dossiers: Sequence[Dossier],
        tracking: Tracking,
        figure: Figure | None = None,
    ) -> None:
        """Take in one event and what it changed, in log order."""
        self._view.insert_tracking(tracking)
        change = Change(event, case, dossiers, figure)
        for projection in self._projections:
            projection.process_event(change, tracking)

    def flush(self) -> None:
        """Write everything that was taken in."""
        for projection in self._batching:
            projection.process_batch()
        self._view.flush()

    @property
    def changes(self) -> list[PublicChange]:
        """Return the public changes that new events have made, once they were flushed."""
        return self._view.changes
