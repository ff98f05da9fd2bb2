"""What a bundle shows of each record, to whom: fields with their salts, or why there are none.

The rules are those of `rendering.py`, applied to fields as they are stored and committed to: one
is shown whole or not at all.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from caseflow.domain.case import Case
from caseflow.domain.events import OPERATOR_ID
from caseflow.domain.vocabulary import VISIBILITY_RANK
from caseflow.eventstore.disclosing import OpenedChange, OpenedEvent
from caseflow.eventstore.partners import Caller
from caseflow.formats.bundle import Disclosed, Entry, disclose
from caseflow.formats.public_record import CALLED, PUBLIC
from caseflow.formats.verify import ERASURE_TYPE
from caseflow.projections.partner.history import Placed
from caseflow.projections.public.history import Published
from caseflow.projections.public.values import WITHDRAWN

from .rendering import list_readable, sees_objections, sees_subject
from .services import audience_of

# Of keys, and of who could read what was erased: for whoever owns the house.
_OPERATORS: Final = frozenset({"key", "requested_with", "events"})
# What an objection says; no other event has fields of these names.
_OBJECTED: Final = frozenset({"by", "text", "contact", "hides"})


# -- the full log ---------------------------------------------------------------------------------


def list_entries(
    events: Sequence[OpenedEvent],
    placed: Mapping[UUID, Placed],
    case: Case | None,
    caller: Caller,
) -> list[Entry]:
    """Return what the full log has of a case, with the fields that an auditor may read.

    placed: where the events stand, by id. case: None where it cannot be folded any more.
    """
    erasure = next((e.index for e in events if e.fields.get("type") == ERASURE_TYPE), None)
    entries = []
    for event in events:
        gone = erasure if event.seed is None else None
        names = _list_names(event, placed.get(event.record.event_id), case, caller)
        entries.append(
            Entry(
                index=event.index,
                record=event.record,
                fields=disclose(event.seed, event.fields, names) if event.seed else (),
                gone=None if gone is None else "erased",
                gone_with=gone,
            )
        )
    return entries


def _list_names(
    event: OpenedEvent, placed: Placed | None, case: Case | None, caller: Caller
) -> list[str]:
    """Return the names of the fields that a caller may read."""
    if placed is None or not _may_read(placed, caller):
        return []
    seen = _Eyes(event, case, caller)
    return [name for name, value in event.fields.items() if seen.may_read(name, value)]


def _may_read(placed: Placed, caller: Caller) -> bool:
    floor = VISIBILITY_RANK[audience_of(caller)]
    is_own = placed.partner_id == caller.partner_id
    return is_own or VISIBILITY_RANK[placed.visibility] >= floor


class _Eyes:
    """What a caller with `audit:read` sees of an event that it may read."""

    def __init__(self, event: OpenedEvent, case: Case | None, caller: Caller) -> None:
        is_own = event.record.partner_id == caller.partner_id
        self._sees_subject = case is not None and sees_subject(case, caller)
        self._claims = {str(id) for id in list_readable(case, caller)} if case else set[str]()
        # Of the fields that not everybody sees.
        self._sees = {
            "private_note": caller.reads_restricted or is_own,
            "subject": self._sees_subject,
            **dict.fromkeys(_OBJECTED, case is not None and sees_objections(case, caller)),
            **dict.fromkeys(_OPERATORS, caller.partner_id == OPERATOR_ID),
        }

    def may_read(self, name: str, value: Any) -> bool:
        """Return whether a field may be shown; all that stands in it is shown with it."""
        match name:
            case "consent":
                return self._sees_subject or "pseudonym" not in value
            case "against" | "after":
                return value in self._claims
            case "replacement":
                return all(self.may_read(*inner) for inner in value.items())
        return self._sees.get(name, True)


def render_reads(entries: Sequence[Entry], placed: Mapping[UUID, Placed]) -> list[dict[str, Any]]:
    """Return what entries of the full log show, in the shape in which reads of it are found."""
    rendered = []
    for entry in entries:
        where = placed.get(entry.record.event_id)
        if entry.fields and where is not None:
            said = {one.path[0]: one.value for one in entry.fields}
            rendered.append(
                {
                    **said,
                    "id": str(where.event_id),
                    "case": str(where.case_id),
                    "partner": str(where.partner_id),
                    "visibility": where.visibility,
                }
            )
    return rendered


# -- the public log -------------------------------------------------------------------------------


def list_public_entries(
    case_id: UUID, changes: Sequence[OpenedChange], shown: Sequence[Published]
) -> list[Entry]:
    """Return what the public log has of a case, with what is still public of it.

    shown: the changes as they stand in the view. Those of another case are left out, unless they
    were told under this one.
    """
    rows = {row.sequence - 1: row for row in shown}
    told = [one for one in changes if one.case_id == case_id or _is_told_under(one, case_id)]
    last = max((o.index for o in told if o.record.kind == WITHDRAWN), default=-1)
    indexes = {one.index for one in told}
    return [_make_public_entry(case_id, one, rows[one.index], last, indexes) for one in told]


def _is_told_under(change: OpenedChange, case_id: UUID) -> bool:
    part = change.find_part(CALLED)
    return part is not None and part.case_id == case_id


def _disclose_change(change: OpenedChange, case_id: UUID) -> tuple[Disclosed, ...]:
    """Return what a change says publicly; what another case was called only in that one's bundle.

    In that of its own case it stands by itself, as it does once the two are parted.
    """
    names = [PUBLIC] if change.case_id == case_id else [CALLED, PUBLIC]
    parts = {name: change.find_part(name) for name in names}
    return tuple(
        one
        for name, part in parts.items()
        if part is not None
        for one in disclose(part.seed, part.fields, [name])
    )


def _make_public_entry(
    case_id: UUID, change: OpenedChange, row: Published, last_withdrawn: int, indexes: set[int]
) -> Entry:
    index, record = change.index, change.record
    if change.find_part(PUBLIC) is None:
        # With the withdrawal that an erasure makes, or that came before it.
        if last_withdrawn < index:
            return Entry(index=index, record=record)
        return Entry(index=index, record=record, gone="erased", gone_with=last_withdrawn)
    if row.gone_by is None:
        return Entry(index=index, record=record, fields=_disclose_change(change, case_id))
    if row.gone_by - 1 not in indexes:
        return Entry(index=index, record=record)
    return Entry(index=index, record=record, gone="withdrawn", gone_with=row.gone_by - 1)


# -- one event ------------------------------------------------------------------------------------


def select_event(entries: Sequence[Entry], event_id: UUID) -> list[Entry]:
    """Return the entries about one event, and those with which its words went."""
    about = [one for one in entries if one.record.event_id == event_id]
    wanted = {one.index for one in about} | {one.gone_with for one in about}
    return [one for one in entries if one.index in wanted]
