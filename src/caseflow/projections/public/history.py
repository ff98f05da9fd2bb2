"""The public log: one row for each public change, in the order of publication.

Sequence numbers count public changes only: they tell nothing of what is not public. A row is never
given another meaning; what is withdrawn loses its words. New events are compared with what is
shown (`PublicHistory`); of events that were taken in before, the changes are repeated as they were.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

import msgspec
from eventsourcing.persistence import Tracking
from eventsourcing.projection import Projection
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    String,
    func,
    select,
    update,
)

from caseflow.database import Uuid16
from caseflow.domain.case import Case, RecordedClaim
from caseflow.domain.dates import When, parse_when
from caseflow.domain.dossier import Dossier
from caseflow.domain.events import CaseErased, ClaimCorrected, Consent, Event
from caseflow.domain.labels import LANGUAGES
from caseflow.domain.public_changes import PublicChange
from caseflow.domain.publication import is_wider
from caseflow.domain.vocabulary import Claim

from ..view import Change, View, ViewTable
from .changes import Effects, change_of, effects_of, encode, erased_row, row_of
from .echoes import Said, forgets, list_echoes
from .values import (
    CORRECTED,
    PUBLISHED,
    WITHDRAWN,
    code_labels,
    public_labels,
    public_status,
    said_publicly,
)

public_events = (
    ViewTable(
        "public_events",
        lambda: [
            Column(
                "sequence",
                BigInteger().with_variant(Integer, "sqlite"),
                primary_key=True,
                autoincrement=False,
            ),
            # The id of the feed's entry: the claim's own the first time, after that of the event
            # that made the change.
            Column("entry_id", Uuid16, nullable=False),
            # The claim that it is about, and the one that was told first, of which this is a
            # correction or which it is.
            Column("event_id", Uuid16, nullable=False),
            Column("root_id", Uuid16, nullable=False),
            # The case that tells it, and the one under which it is shown.
            Column("case_id", Uuid16, nullable=False),
            Column("dossier_id", Uuid16, nullable=False),
            Column("code", String(16), nullable=False),
            # The how-manieth public change of its case.
            Column("version", Integer, nullable=False),
            # published, corrected, withdrawn.
            Column("kind", String(16), nullable=False),
            Column("type", String(40), nullable=False),
            Column("host_state", String(2), nullable=False),
            Column("published_at", BigInteger, nullable=False),
            # The partner's public name; empty where the deployment speaks for it.
            Column("author", String(200), nullable=False),
            # JSON: the public fields of the claim, and the labels by language.
            Column("fields", LargeBinary, nullable=False),
            Column("labels", LargeBinary, nullable=False),
            # The case's public headlines around the change.
            Column("headline", String(32), nullable=False),
            Column("headline_before", String(32), nullable=True),
            # What was agreed to when it was published (JSON).
            Column("consent", LargeBinary, nullable=False),
            # The change that this one takes back or corrects, and the one that does so to it.
            Column("takes_back", BigInteger, nullable=True),
            Column("taken_back_by", BigInteger, nullable=True),
            # The change with which its words went; a tombstone stands in its place.
            Column("gone_by", BigInteger, nullable=True),
        ],
    )
    .index("event", "event_id")
    .index("case", "case_id", "sequence")
    .index("dossier", "dossier_id", "sequence")
    .index("root", "root_id")
    .index("gone", "gone_by")
)


class Published(NamedTuple):
    """One public change."""

    sequence: int
    entry_id: UUID
    event_id: UUID
    root_id: UUID
    case_id: UUID
    dossier_id: UUID
    code: str
    version: int
    kind: str
    type: str
    host_state: str
    published_at: int
    author: str
    fields: bytes
    labels: bytes
    headline: str
    headline_before: str | None
    takes_back: int | None
    taken_back_by: int | None
    gone_by: int | None

    def decode_fields(self) -> dict[str, Any]:
        """Return the public fields of the claim; none where they were withdrawn."""
        return dict(msgspec.json.decode(self.fields, type=dict[str, Any]))

    def decode_labels(self) -> dict[str, str]:
        """Return the case's public label in each language, as it was then."""
        return msgspec.json.decode(self.labels, type=dict[str, str])

    @property
    def is_withdrawn(self) -> bool:
        """Return whether nothing is left to be read: it withdraws, or was withdrawn."""
        return self.gone_by is not None or self.kind == WITHDRAWN

    @property
    def occurred(self) -> When:
        """Return when it happened, of a change that is not withdrawn."""
        return parse_when(self.decode_fields()["occurred"])


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
        # New rows, with the position of the event that made them; what they did to earlier ones.
        self._made: list[tuple[dict[str, Any], int]] = []
        self._erased: list[PublicChange] = []
        self._gone: dict[int, list[int]] = {}
        self._before: dict[int, list[tuple[int, str | None]]] = {}

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
            self._erase(domain_event.event.originator_id, domain_event.event.body)

    def process_batch(self) -> None:
        """Tell which public changes the new events made."""
        made = (change_of(row, at, self._effects_of(row["sequence"])) for row, at in self._made)
        self.view.changes = sorted((*made, *self._erased), key=lambda change: change.sequence)

    def _effects_of(self, sequence: int) -> Effects:
        return Effects(self._gone.get(sequence, ()), self._before.get(sequence, ()))

    def _process_new(self, domain_event: Change) -> None:
        event, case, dossiers, _ = domain_event
        if case is None:
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

    # -- what was told before, and what was erased ------------------------------------------------

    def _repeat(self, domain_event: Change, told: Sequence[PublicChange]) -> None:
        """Put the rows of changes that were made before, and do to earlier ones what they did."""
        table = public_events[self.view.view_set]
        for change in told:
            row = row_of(change)
            self.view.put(public_events, row)
            if row["takes_back"] is not None:
                taken = update(table).where(table.c.sequence == row["takes_back"])
                self.view.write(taken.values(taken_back_by=change.sequence))
            effects = effects_of(change)
            self._take_words(effects.gone, change.sequence)
            for sequence, headline in effects.before:
                before = update(table).where(table.c.sequence == sequence)
                self.view.write(before.values(headline_before=headline))
        is_claim = isinstance(domain_event.event.body, Claim)
        for dossier in domain_event.dossiers:
            if not is_claim or (told and dossier.merged):
                self._join(dossier)

    def _withdraw_all(self, event: Event) -> None:
        """Withdraw what is shown of a case that is erased; nothing is asked of the case itself."""
        self._used = False
        for row in self._list_live([event.originator_id]):
            entry_id = self._later_id(event, row.event_id)
            change = PublicChange(
                sequence=self._next_sequence(),
                position=self._position,
                case_id=event.originator_id,
                entry_id=entry_id,
                event_id=row.event_id,
                kind=WITHDRAWN,
                published_at=event.recorded_at,
                public=None,
                inner=None,
            )
            self._erased.append(change)
            self.view.put(public_events, erased_row(change))

    def _erase(self, case_id: UUID, body: CaseErased) -> None:
        """Leave nothing of a case but that it had changes, when, and that they were withdrawn."""
        table = public_events[self.view.view_set]
        columns = (table.c[name] for name in ("sequence", "event_id", "kind"))
        query = select(*columns).where(table.c.case_id == case_id).order_by(table.c.sequence)
        rows = self.view.read(query)
        told: dict[UUID, int] = {}
        for version, row in enumerate(rows, start=1):
            withdrawn = row.kind == WITHDRAWN
            left = {
                "root_id": row.event_id,
                "dossier_id": case_id,
                "code": body.code,
                "version": version,
                "type": "",
                # The code begins with it.
                "host_state": body.code[:2],
                "author": "",
                "fields": b"{}",
                "labels": encode(dict.fromkeys(LANGUAGES, body.code)),
                "headline": "",
                "headline_before": None,
                "consent": b"{}",
                "takes_back": told.get(row.event_id) if withdrawn else None,
                "taken_back_by": None,
                "gone_by": None if withdrawn else rows[-1].sequence,
            }
            self.view.write(update(table).where(table.c.sequence == row.sequence).values(left))
            if not withdrawn:
                told[row.event_id] = row.sequence

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
            self._before.setdefault(self._last_sequence, []).append((said.sequence, echo.before))
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
        found = self.view.read(select(table.c.sequence).where(*conditions))
        gone = [row.sequence for row in found]
        self._gone.setdefault(self._last_sequence, []).extend(gone)
        self._take_words(gone, self._last_sequence)

    def _take_words(self, sequences: Sequence[int], gone_by: int) -> None:
        """Leave of changes that they were there, and the code of their case."""
        table = public_events[self.view.view_set]
        codes = select(table.c.sequence, table.c.code).where(table.c.sequence.in_(sequences))
        for row in self.view.read(codes) if sequences else ():
            labels = encode(dict.fromkeys(LANGUAGES, row.code))
            emptied = {"gone_by": gone_by, "fields": b"{}", "labels": labels}
            self.view.write(update(table).where(table.c.sequence == row.sequence).values(emptied))

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
        is_called = shown and turn.is_public
        labels = public_labels(dossier.main) if is_called else code_labels(case)
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
                "labels": encode(labels),
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

    def _next_sequence(self) -> int:
        if self._sequence is None:
            self._sequence = get_sequence(self.view.connection, self.view.view_set)
        self._sequence += 1
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


def preview(dossier: Dossier, case: Case, recorded: RecordedClaim) -> Published:
    """Return the change that publishing a claim would make, as things are now; it has no place."""
    return Published(
        sequence=0,
        entry_id=recorded.event_id,
        event_id=recorded.event_id,
        root_id=recorded.root,
        case_id=case.id,
        dossier_id=dossier.main.id,
        code=case.code,
        version=0,
        kind=PUBLISHED,
        type=recorded.facts.type,
        host_state=case.host_state,
        published_at=0,
        author=recorded.author or "",
        fields=encode(said_publicly(dossier, case, recorded)),
        labels=encode(public_labels(dossier.main)),
        headline=public_status(dossier, [(case, recorded)]).headline,
        headline_before=None,
        takes_back=None,
        taken_back_by=None,
        gone_by=None,
    )


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


def _claim_of(turns: dict[UUID, _Turn], row: _Live) -> RecordedClaim:
    return turns[row.case_id].case.claims[row.event_id]


def _tells_too_much(dossier: Dossier, case: Case, before: _Live) -> bool:
    """Return whether a change tells more than may be told now, or calls the person otherwise."""
    agreed = msgspec.json.decode(before.consent, type=Consent)
    if is_wider(agreed, _agreed(case)):
        return True
    if case.consent.publish not in ("pseudonym", "initials", "name"):
        return False
    return before.labels not in [encode(public_labels(c)) for c in (case, dossier.main)]


def _agreed(case: Case) -> Consent:
    """Return what of a consent decides how much is told, in public values."""
    return Consent(publish=case.consent.publish, basis=case.consent.basis)


_COLUMNS: Final = Published._fields
# Identifiers in one statement: both databases take 30,000 and more.
_TOGETHER: Final = 1_000


def get_sequence(connection: Connection, view_set: str, known_at: int | None = None) -> int:
    """Return the last public sequence number, then or now; 0 before the first."""
    table = public_events[view_set]
    query = select(func.max(table.c.sequence))
    if known_at is not None:
        query = query.where(table.c.published_at <= known_at)
    return connection.scalar(query) or 0


def find_published(connection: Connection, view_set: str, event_id: UUID) -> Published | None:
    """Return the last public change about a claim, or None where it never was public."""
    table = public_events[view_set]
    query = (
        select(*(table.c[n] for n in _COLUMNS))
        .where(table.c.event_id == event_id)
        .order_by(table.c.sequence.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return Published(*row) if row else None


def list_published(
    connection: Connection,
    view_set: str,
    *,
    after: int = 0,
    limit: int | None = None,
    case_id: UUID | None = None,
    known_at: int | None = None,
    newest_first: bool = False,
) -> list[Published]:
    """Return public changes in order of publication, or newest first.

    after: exclusive sequence number. known_at: microseconds; later ones are left out.
    """
    table = public_events[view_set]
    order = table.c.sequence.desc() if newest_first else table.c.sequence
    query = select(*(table.c[n] for n in _COLUMNS)).where(table.c.sequence > after).order_by(order)
    if case_id is not None:
        query = query.where(table.c.dossier_id == case_id)
    if known_at is not None:
        query = query.where(table.c.published_at <= known_at)
    if limit is not None:
        query = query.limit(limit)
    return [Published(*row) for row in connection.execute(query)]


def list_taken_back(
    connection: Connection, view_set: str, sequences: Collection[int]
) -> list[Published]:
    """Return the changes whose words went with these changes."""
    table = public_events[view_set]
    query = select(*(table.c[n] for n in _COLUMNS)).where(table.c.gone_by.in_(list(sequences)))
    return [Published(*row) for row in connection.execute(query.order_by(table.c.sequence))]


class ShownClaim(NamedTuple):
    """A claim of which anyone can read the words."""

    case_id: UUID
    event_id: UUID


def list_shown_before(
    connection: Connection, view_set: str, moments: Mapping[UUID, int]
) -> list[ShownClaim]:
    """Return the claims that are shown as they were made public before a moment of their own.

    moments: microseconds, by the id under which the claim was told first.
    """
    table = public_events[view_set]
    columns = (table.c.case_id, table.c.event_id, table.c.root_id, table.c.published_at)
    query = select(*columns).where(table.c.kind != WITHDRAWN, table.c.taken_back_by.is_(None))
    roots = sorted(moments)
    return [
        ShownClaim(row.case_id, row.event_id)
        for start in range(0, len(roots), _TOGETHER)
        for row in connection.execute(
            query.where(table.c.root_id.in_(roots[start : start + _TOGETHER]))
        )
        if row.published_at < moments[row.root_id]
    ]


def find_change(connection: Connection, view_set: str, sequence: int) -> Published | None:
    """Return the public change of a sequence number, or None."""
    table = public_events[view_set]
    query = select(*(table.c[n] for n in _COLUMNS)).where(table.c.sequence == sequence)
    row = connection.execute(query).one_or_none()
    return Published(*row) if row else None


def find_shown_under(connection: Connection, view_set: str, case_id: UUID) -> UUID | None:
    """Return the case under which a case's changes are shown; None where it never was public."""
    table = public_events[view_set]
    query = select(table.c.dossier_id).where(table.c.case_id == case_id)
    found: UUID | None = connection.scalar(query.order_by(table.c.sequence.desc()).limit(1))
    return found
