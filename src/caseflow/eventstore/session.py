"""What requests see and do while their batch holds the end of the log."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from eventsourcing.persistence import Tracking
from sqlalchemy import Connection

from caseflow.domain.case import Case, evolve
from caseflow.domain.commands import Command, MergeCase, OpenCase, Review, UnmergeCase
from caseflow.domain.decisions import Scene, decide
from caseflow.domain.dossier import Dossier
from caseflow.domain.errors import NotFoundError, WithdrawnError
from caseflow.domain.events import CaseMerged, Event
from caseflow.domain.figures import Figure
from caseflow.domain.public_changes import PublicChange

from .attempts import Done, find_attempts, record_attempts
from .case_cache import CaseCache
from .erased import is_erased, record_erasure
from .ledger import Ledger, LedgerLine
from .mapper import SealedMapper
from .merges import end_merge, find_root, list_merged, record_merge
from .name_index import record_names
from .names import (
    Named,
    find_case_by_code,
    find_code,
    find_codes,
    find_external_ids,
    record_case_codes,
    record_external_ids,
)
from .publications import Publications
from .recorder import Append, list_events, list_events_of

LOG_NAME: Final = "caseflow"


class Hints(NamedTuple):
    """What a job is going to ask for, so that it can be looked up for a batch together.

    opens: the case that it opens, whose key is made before the log is locked. names: digests of
    own ids. about: the case that it is about, where that is known by its id. attempt: the digest
    of the idempotency key. code: drawn for the case that it opens.
    """

    opens: UUID | None = None
    names: Sequence[bytes] = ()
    about: UUID | None = None
    attempt: bytes | None = None
    code: str | None = None


NO_HINTS: Final = Hints()


class Projector(Protocol):
    """What follows the log in the same transaction, one per batch."""

    def expect(self, case_ids: Collection[UUID]) -> None:
        """Prepare for new events of these cases, before the first; those of others come as well."""

    def process_event(
        self,
        event: Event,
        case: Case | None,
        dossiers: Sequence[Dossier],
        tracking: Tracking,
        figure: Figure | None = None,
    ) -> None:
        """Take in one event, in log order; may leave the writing to `flush`.

        case: as it is after the event; None where that is of no case. dossiers: those that the
        event changed, as they are after it. figure: as it is after an event of one.
        """

    def flush(self) -> None:
        """Write everything that was taken in."""

    @property
    def changes(self) -> Sequence[PublicChange]:
        """Return the public changes that were made, in order, once they were flushed."""


MakeProjector = Callable[[Connection, str], Projector]
"""Given the connection of the transaction and the live set of view tables."""


class Session:
    """What a request sees and does while its batch holds the end of the log."""

    def __init__(
        self,
        append: Append,
        mapper: SealedMapper,
        cases: CaseCache,
        projector: Projector,
        publications: Publications,
        ledger: Ledger,
    ) -> None:
        self.connection = append.connection
        self.at = append.recorded_at
        self.now = append.now
        self.frozen = append.frozen
        self._append = append
        self._mapper = mapper
        self._cases = cases
        self._projector = projector
        self._publications = publications
        self._ledger = ledger
        self._events: list[Event] = []
        self._named: dict[bytes, Named] = {}
        self._looked_up: dict[bytes, Named | None] = {}
        self._codes: dict[str, UUID] = {}
        # Whether cases have the codes that were looked for.
        self._taken: dict[str, bool] = {}
        self._attempts: dict[bytes, Done] = {}
        # Those that were looked for in the database, with what they led to.
        self._tried: dict[bytes, Done | None] = {}
        self._indexed: dict[UUID, Collection[bytes]] = {}
        self._erased: set[UUID] = set()
        # Cases of which something else may be told now; None where it may be any.
        self.changed: set[UUID] | None = set()

    def find_case(self, case_id: UUID) -> Case | None:
        """Return the case as it is now, what this batch did to it included.

        None where there is none, and where it was erased.
        """
        case = self._cases.get(case_id)
        if case is None and case_id not in self._erased:
            stored = list_events(self.connection, case_id)
            case = Case.from_events(self._mapper.to_domain_events(stored))
            if case is not None:
                self._cases.put(case)
        return case

    def get_case(self, case_id: UUID) -> Case:
        """Return the case as it is now. Raises NotFoundError; WithdrawnError for an erased one."""
        case = self.find_case(case_id)
        if case is None and self.is_erased(case_id):
            raise WithdrawnError("the case was erased", case_id)
        if case is None:
            raise NotFoundError("there is no such case")
        return case

    def is_erased(self, case_id: UUID) -> bool:
        """Return whether a case was erased, in this batch or before."""
        return case_id in self._erased or is_erased(self.connection, case_id)

    def erase(self, case_id: UUID) -> None:
        """Forget a case with the event that erases it, and what its names sound like."""
        self._erased.add(case_id)
        self._cases.drop([case_id])
        self.index_names(case_id, ())
        record_erasure(self.connection, case_id, self.at)

    def find_code(self, case_id: UUID) -> str:
        """Return the code of a case; empty where it has none."""
        return find_code(self.connection, case_id) or ""

    def find_external_id(self, digest: bytes) -> Named | None:
        """Return what a partner's own id names."""
        named = self._named.get(digest)
        if named is None and digest not in self._looked_up:
            self.look_up([digest])
        return named or self._looked_up[digest]

    def look_up(self, digests: Iterable[bytes]) -> None:
        """Find in one query what own ids name, so that no job has to ask for each alone.

        It stays true: what comes to be named before the commit is named in this batch.
        """
        wanted = set(digests)
        found = find_external_ids(self.connection, wanted)
        self._looked_up |= {digest: found.get(digest) for digest in wanted}

    def prepare(self, hints: Sequence[Hints]) -> None:
        """Look up together what the jobs of a batch are going to ask for."""
        names = [name for one in hints for name in one.names]
        self.look_up(names)
        named = (self._looked_up[name] for name in names)
        about = {found.case_id for found in named if found is not None}
        about.update(one.about for one in hints if one.about is not None)
        if about:
            about.update(list(map(self._cases.identities.find_root, about)))
            self._load({case_id for case_id in about if self._cases.get(case_id) is None})
            self._projector.expect(sorted(about))
        codes = {one.code for one in hints if one.code is not None}
        self._taken = dict.fromkeys(codes, False) | dict.fromkeys(
            find_codes(self.connection, codes), True
        )
        attempts = {one.attempt for one in hints if one.attempt is not None}
        self._tried = dict.fromkeys(attempts) | find_attempts(self.connection, attempts)

    def _load(self, case_ids: Collection[UUID]) -> None:
        """Read cases in one query; those that are not there are looked for again, one by one."""
        if not case_ids:
            return
        events = self._mapper.to_domain_events(list_events_of(self.connection, case_ids))
        for _, found in groupby(events, key=lambda event: event.originator_id):
            case = Case.from_events(found)
            if case is not None:
                self._cases.put(case)

    def find_attempt(self, digest: bytes) -> Done | None:
        """Return what the request with an idempotency key led to."""
        if digest in self._attempts:
            return self._attempts[digest]
        if digest not in self._tried:
            self._tried |= {digest: find_attempts(self.connection, [digest]).get(digest)}
        return self._tried[digest]

    def find_dossier_of(self, case: Case) -> Dossier:
        """Return all cases of the person whom a case is about."""
        found = self._list_dossiers(self._cases.identities.find_root(case.id))
        return next(dossier for dossier in found if case in dossier.cases)

    def find_dossier_at(self, case_id: UUID, version: int) -> Dossier | None:
        """Return a case as it was at a version, with those that were about the same person then.

        None where it can no longer be read.
        """
        case = self.find_case(case_id)
        if case is None:
            return None
        if case.version == version and not self._cases.identities.find_related(case_id):
            return Dossier(case)
        events = [e for e in self.list_events(case_id) if e.originator_version <= version]
        at = events[-1].recorded_at
        root = find_root(self.connection, case_id, at)
        related = [root, *list_merged(self.connection, root, at)]
        if related == [case_id]:
            return Dossier(_fold(events))
        cases = [
            _fold(events if c == case_id else self.list_events(c, known_at=at))
            for c in related
            # One of another person, which was taken for this one's for a while.
            if not self.is_erased(c)
        ]
        return Dossier(cases[0], tuple(cases[1:]))

    def list_events(self, case_id: UUID, known_at: int | None = None) -> list[Event]:
        """Return the events of a case or of a figure, those of this batch too."""
        stored = self._mapper.to_domain_events(list_events(self.connection, case_id))
        found = [*stored, *(e for e in self._events if e.originator_id == case_id)]
        return [e for e in found if known_at is None or e.recorded_at <= known_at]

    def get_event(self, case_id: UUID, event_id: UUID) -> Event:
        """Return an event of a case, which must be there."""
        return next(e for e in self.list_events(case_id) if e.id == event_id)

    def has_code(self, code: str) -> bool:
        """Return whether a case has this code already."""
        if code not in self._taken:
            self._taken[code] = find_case_by_code(self.connection, code) is not None
        return self._taken[code]

    def execute(self, command: Command) -> tuple[Event, Case, int]:
        """Decide a command; return its event, the case after it, and the event's position.

        Raises a CaseflowError where the command is refused; nothing has happened then.
        """
        # The id of a new case was drawn: nothing is looked up under it, and the log has it once.
        opens = isinstance(command, OpenCase)
        case = self._cases.get(command.case_id) if opens else self.get_case(command.case_id)
        event = decide(case, command, self.at, scene=self._scene(command, case))
        before = case.merged_into if case else None
        case = evolve(case, event)
        assert case is not None, "an event that was decided makes or changes a case"
        self._cases.put(case)
        stood = self._cases.identities.find_root(case.id)
        if case.merged_into != before:
            self._note_merge(case)
        # After a merge there is one dossier, after its undoing there are two.
        roots = {self._cases.identities.find_root(c) for c in (stood, case.id)}
        dossiers = [dossier for root in sorted(roots) for dossier in self._list_dossiers(root)]
        return event, case, self.take_in(event, case, dossiers)

    def take_in(
        self,
        event: Event,
        case: Case | None,
        dossiers: Sequence[Dossier],
        figure: Figure | None = None,
    ) -> int:
        """Add an event that was decided to this batch; return its position."""
        self._events.append(event)
        position = self._append.head + len(self._events)
        if case is None:
            self.changed = None
        elif self.changed is not None:
            self.changed.update(one.id for dossier in dossiers for one in dossier.cases)
        tracking = Tracking(LOG_NAME, position)
        self._projector.process_event(event, case, dossiers, tracking, figure)
        return position

    def _scene(self, command: Command, case: Case | None) -> Scene:
        other: UUID | None = None
        if isinstance(command, MergeCase):
            other = self._cases.identities.find_root(command.into)
        elif isinstance(command, UnmergeCase):
            other = command.apart_from or (case.merged_into if case else None)
        elif isinstance(command, Review) and case and command.target in case.pending:
            body = case.pending[command.target].body
            if isinstance(body, CaseMerged):
                other = self._cases.identities.find_root(UUID(body.into))
        into = self.find_case(other) if other is not None else None
        return Scene(now=self.now, frozen=self.frozen, into=into)

    def _note_merge(self, case: Case) -> None:
        """Keep the table of merges in step with what a case's events say."""
        self._cases.identities.note(case.id, case.merged_into)
        end_merge(self.connection, case.id, self.at)
        if case.merged_into is not None:
            position = self._append.head + len(self._events) + 1
            record_merge(self.connection, case.id, case.merged_into, position=position, at=self.at)

    def _list_dossiers(self, case_id: UUID) -> list[Dossier]:
        """Return a case that stays, with all that were merged into it.

        Where it was erased, each of those that is still there is of another person, as a restored
        database does not know: it stands by itself.
        """
        main = self.find_case(case_id)
        others = map(self.find_case, self._cases.identities.list_merged(case_id))
        merged = tuple(case for case in others if case is not None)
        return [Dossier(main, merged)] if main is not None else [Dossier(case) for case in merged]

    def next_version(self, originator_id: UUID) -> int:
        """Return the version of the next event of an aggregate that is no case."""
        own = sum(1 for e in self._events if e.originator_id == originator_id)
        last = list_events(self.connection, originator_id, desc=True, limit=1)
        return own + (last[0].originator_version if last else 0) + 1

    def freeze(self, frozen: bool) -> None:
        """Halt publication, or let it go on, from the next event on."""
        self.frozen = frozen
        self._append.freeze(frozen)

    def name(self, digest: bytes, named: Named) -> None:
        """Give what was recorded in this batch a partner's own id."""
        self._named[digest] = named

    def note_attempt(self, digest: bytes, done: Done) -> None:
        """Remember what a request with an idempotency key led to."""
        self._attempts[digest] = done

    def name_case(self, code: str, case_id: UUID) -> None:
        """Give a new case its code."""
        self._codes[code] = case_id
        self._taken[code] = True

    def index_names(self, case_id: UUID, digests: Collection[bytes]) -> None:
        """Have a case found under these digests of its names, and no others."""
        self._indexed[case_id] = digests

    @property
    def count(self) -> int:
        """Return how many events this batch has so far."""
        return len(self._events)

    @property
    def touched(self) -> set[UUID]:
        """Return the cases that have new events in this batch."""
        return {event.originator_id for event in self._events}

    def flush(self) -> None:
        """Write the events of this batch, what names them, and the views."""
        self._append.insert(self._mapper.to_stored_events(self._events))
        record_external_ids(self.connection, self._named)
        record_case_codes(self.connection, self._codes)
        record_attempts(self.connection, self._attempts)
        record_names(self.connection, self._indexed)
        self._projector.flush()
        self._publications.record(self.connection, self._projector.changes)
        # Before the commit: what a restored database does not know must be known elsewhere.
        self._ledger.append(self._list_hidden())

    def _list_hidden(self) -> Iterator[LedgerLine]:
        """Yield what this batch has withdrawn from the public, and what it has erased."""
        for case_id in sorted(self._erased):
            yield LedgerLine(at=self.at, kind="erasure", case_id=case_id, event_id=None)
        for change in self._projector.changes:
            if change.hides and change.case_id not in self._erased:
                yield LedgerLine(
                    at=self.at,
                    kind="withdrawal",
                    case_id=change.case_id,
                    event_id=change.root_id,
                )


Job = Callable[[Session], Any]
"""Done in a batch; what it returns is the answer, once that is committed."""


def _fold(events: Iterable[Event]) -> Case:
    case = Case.from_events(events)
    assert case is not None, "a case that was found has an opening"
    return case
