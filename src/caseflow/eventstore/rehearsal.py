"""A dry run: commands are decided against the log as it is, and nothing is written.

What a rehearsal opens and records it sees itself, so that an import whose events follow their cases
rehearses as it would run. Nothing is told of cases of other partners.
"""

from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from caseflow.domain.case import Case, evolve
from caseflow.domain.commands import Command, OpenCase
from caseflow.domain.decisions import Scene, decide
from caseflow.domain.dossier import Dossier
from caseflow.domain.errors import CaseflowError
from caseflow.domain.events import Event

from .attempts import Done
from .erased import is_erased
from .names import Named, find_external_ids
from .reading import LogReader, Snapshot
from .session import NO_HINTS, Hints, Job, Session


class Rehearsal(Session):
    """Takes jobs as the writer does, runs each at once, and forgets what it made of them.

    Holds in memory what it opened and recorded: a few hundred bytes a line.
    """

    def __init__(self, reader: LogReader, clock: Callable[[], int]) -> None:
        self.now = self.at = clock()
        self._reader = reader
        self._snapshot: Snapshot | None = None
        self._rehearsed: dict[UUID, Case] = {}
        self._names: dict[bytes, Named] = {}

    def submit(self, job: Job, hints: Hints = NO_HINTS) -> "Future[Any]":
        """Return the future of what a job would return, settled already. No key is made."""
        future: Future[Any] = Future()
        with self._reader.snapshot() as snapshot:
            self._snapshot = snapshot
            try:
                future.set_result(job(self))
            except CaseflowError as error:
                future.set_exception(error)
        return future

    @property
    def _connection(self) -> Connection:
        assert self._snapshot is not None, "jobs run inside a snapshot"
        return self._snapshot.connection

    def find_case(self, case_id: UUID) -> Case | None:
        """Return a case of its own to change: as it is in the log, with what was rehearsed."""
        if case_id not in self._rehearsed:
            assert self._snapshot is not None, "jobs run inside a snapshot"
            case = Case.from_events(self._reader.list_events(self._snapshot, case_id))
            if case is None:
                return None
            self._rehearsed[case_id] = case
        return self._rehearsed[case_id]

    def is_erased(self, case_id: UUID) -> bool:
        """Return whether a case was erased."""
        return is_erased(self._connection, case_id)

    def find_external_id(self, digest: bytes) -> Named | None:
        """Return what a partner's own id names, or would name."""
        return self._names.get(digest) or find_external_ids(self._connection, [digest]).get(digest)

    def find_attempt(self, digest: bytes) -> Done | None:
        """Return nothing: a rehearsal carries no idempotency keys."""
        return None

    def has_code(self, code: str) -> bool:
        """Return false: nobody will hear of the code."""
        return False

    def execute(self, command: Command) -> tuple[Event, Case, int]:
        """Decide a command and apply it to the rehearsed case. The position means nothing."""
        opens = isinstance(command, OpenCase)
        case = None if opens else self.get_case(command.case_id)
        event = decide(case, command, self.at, scene=Scene(now=self.now))
        case = evolve(self._rehearsed.get(command.case_id), event)
        assert case is not None, "an event that was decided makes or changes a case"
        self._rehearsed[case.id] = case
        return event, case, 0

    def find_dossier_of(self, case: Case) -> Dossier:
        """Return the case alone: what is rehearsed tells nothing of other cases."""
        return Dossier(case)

    def name(self, digest: bytes, named: Named) -> None:
        """Remember what would have been named."""
        self._names[digest] = named

    def name_case(self, code: str, case_id: UUID) -> None:
        """Forget the code."""

    def index_names(self, case_id: UUID, digests: Collection[bytes]) -> None:
        """Forget the names."""
