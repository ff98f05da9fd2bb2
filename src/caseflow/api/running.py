"""The public numbers of now, kept from one change to the next.

Counted anew they take as long as there are cases; what changed is subtracted and added instead. All
cases are counted when a process begins, on the first change of a day (custody that has not ended is
measured to that day), and after what may have changed any of them.
"""

import threading
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar
from uuid import UUID

from caseflow.domain.statistics import CaseFacts
from caseflow.domain.times import day_of
from caseflow.eventstore.changes import CaseChanges
from caseflow.eventstore.reading import Snapshot
from caseflow.projections.public import statistics as public_statistics

# Shares that no case has any more, before they are forgotten.
FORGOTTEN_TOGETHER: Final = 1_000

Share = TypeVar("Share")
Result_co = TypeVar("Result_co", covariant=True)


class Counting(Protocol[Share, Result_co]):
    """What counts cases one by one, and can take each back."""

    def add(self, case: CaseFacts) -> Share | None:
        """Count a case; return what it added, None for nothing."""

    def count(self, share: Share, times: int = 1) -> None:
        """Count what a case adds; with -1, take back what it had added."""

    def result(self) -> Result_co:
        """Return the numbers of the cases counted so far."""


class Running(Generic[Share, Result_co]):
    """Numbers of everyone whom the public may count. Safe to use from several threads."""

    def __init__(
        self, changes: CaseChanges, make: Callable[..., Counting[Share, Result_co]]
    ) -> None:
        """make: an empty count, given `until`, the day to which custody is measured."""
        self._changes = changes
        self._make = make
        self._lock = threading.Lock()
        self._counted: _Counted[Share, Result_co] | None = None

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._counted = None

    def prepare(self, snapshot: Snapshot) -> None:
        """Count everyone where that has to be done, before a reader waits for it.

        What changed since is left to whoever asks: beside many posts, to mend each time what nobody
        looks at takes a tenth of the processor.
        """
        until = self._find_end(snapshot)
        with self._lock:
            before = self._counted
            if before is not None and before.position > snapshot.head.position:
                return
            if before is None or not before.fits(snapshot, until):
                self._counted = _Counted(snapshot, until, self._make(until=until))

    def find(self, snapshot: Snapshot) -> Result_co | None:
        """Return the numbers as a snapshot shows them; None for one from before the last."""
        until = self._find_end(snapshot)
        with self._lock:
            before, changed = self._counted, None
            if before is not None and before.position > snapshot.head.position:
                return None
            if before is not None and before.fits(snapshot, until):
                changed = self._changes.list_changed(before.position)
            if before is None or changed is None:
                before = self._counted = _Counted(snapshot, until, self._make(until=until))
            else:
                before.take_in(snapshot, changed)
            return before.counting.result()

    def _find_end(self, snapshot: Snapshot) -> str:
        """Return the day to which custody is measured, once the changes before it are known."""
        self._changes.catch_up(snapshot.connection, snapshot.head.position)
        return day_of(public_statistics.find_last(snapshot.connection, snapshot.view_set, None))


class _Counted(Generic[Share, Result_co]):
    """What each case added to the numbers, by the case that stays."""

    def __init__(
        self, snapshot: Snapshot, until: str, counting: Counting[Share, Result_co]
    ) -> None:
        self.position = snapshot.head.position
        self.counting = counting
        self._view_set = snapshot.view_set
        self._until = until
        self._shares: dict[UUID, Share] = {}
        # Most cases add what others add too: each such share is held once.
        self._known: dict[Share, Share] = {}
        for found in public_statistics.list_all_facts(snapshot.connection, snapshot.view_set):
            self._add(*found)

    def fits(self, snapshot: Snapshot, until: str) -> bool:
        """Return whether what was counted is still what is asked for, but for what changed."""
        return (self._view_set, self._until) == (snapshot.view_set, until)

    def take_in(self, snapshot: Snapshot, changed: set[UUID]) -> None:
        """Count some cases anew."""
        self.position = snapshot.head.position
        for dossier_id in changed:
            if (share := self._shares.pop(dossier_id, None)) is not None:
                self.counting.count(share, -1)
        where = snapshot.connection, snapshot.view_set
        for found in public_statistics.list_facts_of(*where, changed):
            self._add(*found)

    def _add(self, dossier_id: UUID, facts: CaseFacts) -> None:
        share = self.counting.add(facts)
        if share is None:
            return
        self._shares[dossier_id] = self._known.setdefault(share, share)
        if len(self._known) > 2 * len(self._shares) + FORGOTTEN_TOGETHER:
            self._known = {share: share for share in self._shares.values()}
