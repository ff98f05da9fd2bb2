"""What new events make public: each change that the public may read gets the next number.

The rows are in `history.py`. Of events that were taken in before, changes are not found out again:
`repeating.py` repeats them as they were.
"""

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import msgspec
from eventsourcing.persistence import Tracking
from eventsourcing.projection import Projection
from sqlalchemy import func, select, update

from caseflow.domain.case import Case, RecordedClaim
from caseflow.domain.dossier import Dossier
from caseflow.domain.events import CaseErased, CaseOpened, ClaimCorrected, Consent, Event
from caseflow.domain.public_changes import PublicChange
from caseflow.domain.publication import is_wider
from caseflow.domain.vocabulary import Claim

from ..view import Change, View
from .echoes import Said, forgets, list_echoes
from .history import find_ends, get_sequence, public_events
from .members import NONE_NEW, refresh_members
from .repeating import erase, repeat, take_words
from .rows import Effects, Row, change_of, encode, row_of
from .values import (
    CORRECTED,
    PUBLISHED,
    WITHDRAWN,
    code_labels,
    public_labels,
    public_status,
    said_publicly,
)


class _Live(NamedTuple):
    """A change that holds: nothing has taken it back."""

    sequence: int
    event_id: UUID
    root_id: UUID
    case_id: UUID
    type: str
    labels: bytes
    consent: bytes


class PublicHistory(Projection[View]):
    """Keeps `public_events`."""

    name = "public_history"

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._sequence: int | None = None
        self._versions: dict[UUID, int] = {}
        self._headlines: dict[UUID, str | None] = {}
        # Whether an entry has the id of the event that is taken in.
        self._used = False
        self._position = 0
        # Changes that were changed, or are new and no claim's first, by their sequence numbers.
        self._touched: set[int] = set()
        self._first_new = NONE_NEW
        # New rows of claims that nobody had been told of, by claim.
        self._first_told: dict[UUID, Row] = {}
        # New rows, with the position of the event that made them; what they did to earlier ones.
        self._made: list[tuple[dict[str, Any], int]] = []
        self._erased: list[PublicChange] = []
        self._effects: dict[int, dict[UUID, Effects]] = {}

    def expect(self, case_ids: Collection[UUID]) -> None:
        """Look up together where the public changes of cases end that events will be of."""
        found = find_ends(self.view.connection, self.view.view_set, case_ids)
        self._versions = {case_id: found.versions.get(case_id, 0) for case_id in case_ids}
        self._headlines = {case_id: found.headlines.get(case_id) for case_id in case_ids}

    def process_event(self, domain_event: Change, tracking: Tracking) -> None:
        """Give each change that the public may read the next sequence number."""
        self._position = tracking.notification_id
        if self.view.told is not None:
            self._repeat(domain_event, self.view.told.get(self._position, ()))
        elif isinstance(domain_event.event.body, CaseErased):
            self._withdraw_all(domain_event.event)
        else:
            self._process_new(domain_event)
        if isinstance(domain_event.event.body, CaseErased):
            left = erase(self.view, domain_event.event.originator_id, domain_event.event.body)
            self._touched.update(left)

    def process_batch(self) -> None:
        """Tell which public changes the new events made, and write which feeds have them."""
        made = (
            change_of(row, at, self._effects.get(row["sequence"], {})) for row, at in self._made
        )
        self.view.changes = sorted((*made, *self._erased), key=lambda change: change.sequence)
        refresh_members(self.view, self._touched, self._first_new, self._first_told)

    def _effects_on(self, case_id: UUID) -> Effects:
        """Return what the change that was made last does to earlier ones of a case."""
        by_case = self._effects.setdefault(self._last_sequence, {})
        return by_case.setdefault(case_id, Effects())

    def _process_new(self, domain_event: Change) -> None:
        event, case, dossiers, _ = domain_event
        if case is None:
            return
        if isinstance(event.body, CaseOpened):
            # Nothing has to be looked up of what was not there before.
            self._versions[case.id], self._headlines[case.id] = 0, None
            return
        if isinstance(event.body, Claim):
            (dossier,) = dossiers
            recorded = case.claims[event.id]
            if dossier.publication_of(case, recorded).state == PUBLISHED:
                self._publish(_Turn(event, dossier, case), recorded)
                if dossier.merged:
                    self._join(dossier)
            return
        # A correction is a claim, whose entry has its id.
        self._used = isinstance(event.body, ClaimCorrected)
        for dossier in dossiers:
            self._compare(event, dossier)

    def _repeat(self, domain_event: Change, told: Sequence[PublicChange]) -> None:
        """Repeat what an event made public when it was new."""
        repeated = repeat(self.view, told)
        self._touched.update(repeated.touched)
        for row in repeated.rows:
            self._touch(row)
        self._first_new = min([self._first_new, *(change.sequence for change in told)])
        body = domain_event.event.body
        if isinstance(body, CaseOpened):
            return
        is_claim = isinstance(body, Claim)
        for dossier in domain_event.dossiers:
            if not is_claim or (told and dossier.merged):
                self._join(dossier)

    def _withdraw_all(self, event: Event) -> None:
        """Withdraw what is shown of a case that is erased; nothing is asked of the case itself."""
        self._used = False
        for row in self._list_live([event.originator_id]):
            change = PublicChange(
                sequence=self._next_sequence(),
                position=self._position,
                case_id=event.originator_id,
                entry_id=self._later_id(event, row.event_id),
                event_id=row.event_id,
                kind=WITHDRAWN,
                published_at=event.recorded_at,
                public=None,
                inner=None,
            )
            self._erased.append(change)
            self.view.put(public_events, row_of(change))

    # -- what an event about the record changed ---------------------------------------------------

    def _compare(self, event: Event, dossier: Dossier) -> None:
        """Make a change of each difference between what is shown and what may be."""
        live = {row.event_id: row for row in self._list_live([c.id for c in dossier.cases])}
        turns = {case.id: _Turn(event, dossier, case) for case in dossier.cases}
        shown = {claim.event_id: (case, claim) for case, claim in dossier.list_shown()}
        corrected = {claim.root for _, claim in shown.values()}
        for event_id, row in live.items():
            if event_id not in shown and row.root_id not in corrected:
                turn = turns[row.case_id]
                self._withdraw(turn, turn.case.claims[event_id], row)
        by_root = {row.root_id: row for row in live.values()}
        for case, claim in shown.values():
            self._show(turns[case.id], claim, by_root.get(claim.root))
        self._join(dossier)
        gone = [row for event_id, row in live.items() if event_id not in shown]
        if any(forgets(dossier, turns[r.case_id].case, _claim_of(turns, r)) for r in gone):
            self._silence_echoes(dossier, turns)

    def _silence_echoes(self, dossier: Dossier, turns: dict[UUID, "_Turn"]) -> None:
        """Tell anew what told of a claim that has to be forgotten."""
        live = {row.sequence: row for row in self._list_live([c.id for c in dossier.cases])}
        table = public_events[self.view.view_set]
        for echo in list(list_echoes(dossier, self._list_said(dossier))):
            said, this = echo.said, table.c.sequence == echo.said.sequence
            self.view.write(update(table).where(this).values(headline_before=echo.before))
            self._effects_on(said.case_id).before.append((said.sequence, echo.before))
            self._touched.add(said.sequence)
            if echo.is_too_much and said.sequence in live:
                turn = turns[said.case_id]
                claim = turn.case.claims[said.event_id]
                self._correct(turn, claim, live[said.sequence], gone=True)
            elif echo.is_too_much:
                self._empty(this)

    def _list_said(self, dossier: Dossier) -> list[Said]:
        table = public_events[self.view.view_set]
        cases = [case.id for case in dossier.cases]
        query = select(*(table.c[name] for name in Said._fields)).where(table.c.case_id.in_(cases))
        return [Said._make(row) for row in self.view.read(query.order_by(table.c.sequence))]

    def _show(self, turn: "_Turn", recorded: RecordedClaim, before: _Live | None) -> None:
        if before is None:
            self._publish(turn, recorded)
        elif before.event_id != recorded.event_id:
            self._correct(turn, recorded, before, gone=recorded.reason == "wrong_person")
        elif _tells_too_much(turn.dossier, turn.case, before):
            self._correct(turn, recorded, before, gone=True)
        elif before.labels != turn.labels:
            # It was told of a case that is one with another now: whoever has the entry is to learn.
            self._correct(turn, recorded, before, gone=False)

    def _list_live(self, case_ids: Collection[UUID]) -> list[_Live]:
        table = public_events[self.view.view_set]
        query = select(*(table.c[name] for name in _Live._fields)).where(
            table.c.case_id.in_(case_ids),
            table.c.kind != WITHDRAWN,
            table.c.taken_back_by.is_(None),
        )
        rows = self.view.read(query.order_by(table.c.sequence))
        return [_Live._make(row) for row in rows]

    def _join(self, dossier: Dossier) -> None:
        """Show the changes of each case under the one that stays, where the public may know.

        Where nothing is shown it may not: that case may never have been public.
        """
        table = public_events[self.view.view_set]
        is_shown = any(True for _ in dossier.list_shown())
        for case in dossier.cases:
            shown_under = dossier.main.id if is_shown and dossier.is_joined(case) else case.id
            stale = (table.c.case_id == case.id, table.c.dossier_id != shown_under)
            self.view.write(update(table).where(*stale).values(dossier_id=shown_under))
            self._headlines.pop(case.id, None)

    # -- changes ----------------------------------------------------------------------------------

    def _publish(self, turn: "_Turn", recorded: RecordedClaim) -> None:
        is_new = recorded.root == turn.event.id
        told_before = not is_new and self._was_shown(recorded)
        own = recorded.event_id
        self._put(
            turn, recorded, PUBLISHED, self._later_id(turn.event, own) if told_before else own
        )

    def _was_shown(self, recorded: RecordedClaim) -> bool:
        table = public_events[self.view.view_set]
        query = select(table.c.sequence).where(table.c.root_id == recorded.root).limit(1)
        return bool(self.view.read(query))

    def _correct(
        self, turn: "_Turn", recorded: RecordedClaim, before: _Live, *, gone: bool
    ) -> None:
        same = before.event_id == recorded.event_id
        entry_id = self._later_id(turn.event, recorded.event_id) if same else recorded.event_id
        sequence = self._put(turn, recorded, CORRECTED, entry_id, takes_back=before.sequence)
        self._take_back(before, sequence, gone=gone)

    def _withdraw(self, turn: "_Turn", recorded: RecordedClaim, before: _Live) -> None:
        entry_id = self._later_id(turn.event, recorded.event_id)
        sequence = self._put(turn, recorded, WITHDRAWN, entry_id, takes_back=before.sequence)
        self._take_back(before, sequence, gone=True)

    def _take_back(self, before: _Live, sequence: int, *, gone: bool) -> None:
        """Note on a change, and on all that it corrected, that it holds no longer."""
        table = public_events[self.view.view_set]
        this = update(table).where(table.c.sequence == before.sequence)
        self.view.write(this.values(taken_back_by=sequence))
        if gone:
            chain = (
                table.c.root_id == before.root_id,
                table.c.sequence < sequence,
                table.c.gone_by.is_(None),
                table.c.kind != WITHDRAWN,
            )
            self._empty(*chain)

    def _empty(self, *conditions: Any) -> None:
        """Take the words from changes; the last change made is what they went with."""
        table = public_events[self.view.view_set]
        query = select(table.c.sequence, table.c.case_id).where(*conditions)
        # In one order: what is recorded of it is found out again when views are checked.
        found = self.view.read(query.order_by(table.c.sequence))
        gone = [row.sequence for row in found]
        for row in found:
            self._effects_on(row.case_id).gone.append(row.sequence)
        self._touched.update(gone)
        take_words(self.view, gone, self._last_sequence)

    def _later_id(self, event: Event, event_id: UUID) -> UUID:
        """Return the id of an entry about a claim that had one before: the event's own.

        Where one event makes several, the others have ids that follow from both.
        """
        if not self._used:
            self._used = True
            return event.id
        return uuid5(event.id, str(event_id))

    def _put(
        self,
        turn: "_Turn",
        recorded: RecordedClaim,
        kind: str,
        entry_id: UUID,
        *,
        takes_back: int | None = None,
    ) -> int:
        dossier, case = turn.dossier, turn.case
        shown = kind != WITHDRAWN
        headline, before = turn.headline, self._headline_before(dossier.main.id)
        self._headlines[dossier.main.id] = headline
        sequence = self._next_sequence()
        # A withdrawal is never taken back: a name in it would outlive the consent to it.
        labels = turn.labels if shown else encode(code_labels(case.code))
        self._note(
            {
                "sequence": sequence,
                "entry_id": entry_id,
                "event_id": recorded.event_id,
                "root_id": recorded.root,
                "case_id": case.id,
                "dossier_id": dossier.main.id if turn.is_public else case.id,
                "code": case.code,
                "version": self._next_version(case.id),
                "kind": kind,
                "type": recorded.facts.type,
                "host_state": case.host_state,
                "published_at": turn.event.recorded_at,
                "author": recorded.author or "",
                "fields": encode(said_publicly(dossier, case, recorded)) if shown else b"{}",
                "labels": labels,
                "headline": headline,
                "headline_before": before,
                "consent": encode(msgspec.to_builtins(_agreed(case))),
                "takes_back": takes_back,
                "taken_back_by": None,
                "gone_by": None,
            }
        )
        return sequence

    def _note(self, row: dict[str, Any]) -> None:
        """Put a new row, and keep it as it is now: later ones change it in the table alone."""
        self.view.put(public_events, row)
        self._made.append((row, self._position))
        self._touch(row)

    def _touch(self, row: Row) -> None:
        """Note a new row; one whose entry has the id of its claim is the first of that claim."""
        if row["entry_id"] == row["root_id"]:
            self._first_told[row["root_id"]] = row
        else:
            self._touched.add(row["sequence"])

    def _next_sequence(self) -> int:
        if self._sequence is None:
            self._sequence = get_sequence(self.view.connection, self.view.view_set)
        self._sequence += 1
        self._first_new = min(self._first_new, self._sequence)
        return self._sequence

    @property
    def _last_sequence(self) -> int:
        """The change that was made last, by the event that is taken in."""
        assert self._sequence is not None, "what loses its words does so with a change"
        return self._sequence

    def _next_version(self, case_id: UUID) -> int:
        if case_id not in self._versions:
            table = public_events[self.view.view_set]
            query = select(func.max(table.c.version)).where(table.c.case_id == case_id)
            self._versions[case_id] = self.view.connection.scalar(query) or 0
        self._versions[case_id] += 1
        return self._versions[case_id]

    def _headline_before(self, case_id: UUID) -> str | None:
        """Return the case's public headline before this change; None where it was not public."""
        if case_id not in self._headlines:
            self._headlines[case_id] = self._last_headline(case_id)
        return self._headlines[case_id]

    def _last_headline(self, case_id: UUID) -> str | None:
        table = public_events[self.view.view_set]
        query = select(table.c.headline).where(table.c.dossier_id == case_id)
        found = self.view.read(query.order_by(table.c.sequence.desc()).limit(1))
        return str(found[0][0]) if found else None


class _Turn:
    """One event's turn at one case: what its changes have in common."""

    def __init__(self, event: Event, dossier: Dossier, case: Case) -> None:
        self.event = event
        self.dossier = dossier
        self.case = case

    @cached_property
    def headline(self) -> str:
        """Return the case's public headline after the event."""
        return public_status(self.dossier).headline

    @property
    def is_public(self) -> bool:
        """Return whether the case may still be called as the public calls it."""
        return self.dossier.is_joined(self.case) and any(True for _ in self.dossier.list_shown())

    @cached_property
    def labels(self) -> bytes:
        """Return how the public calls the case after the event, by language (JSON)."""
        named = public_labels(self.dossier.main) if self.is_public else None
        return encode(named or code_labels(self.case.code))


def _claim_of(turns: dict[UUID, _Turn], row: _Live) -> RecordedClaim:
    return turns[row.case_id].case.claims[row.event_id]


def _tells_too_much(dossier: Dossier, case: Case, before: _Live) -> bool:
    """Return whether a change tells more than may be told now, or calls somebody else by it.

    Whoever was held to be the same person and is not any more was told of as the wrong person.
    """
    agreed = msgspec.json.decode(before.consent, type=Consent)
    if is_wider(agreed, _agreed(case)):
        return True
    return before.labels not in [encode(public_labels(c)) for c in (case, dossier.main)]


def _agreed(case: Case) -> Consent:
    """Return what of a consent decides how much is told, in public values."""
    return Consent(publish=case.consent.publish, basis=case.consent.basis)
