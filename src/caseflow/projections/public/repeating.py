"""Public changes whose case is not asked: those told before, and the end of those that are erased.

All of it follows from the changes and from the rows that are there, so that views made again are
the same, whatever has become of the cases since.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row as Found
from sqlalchemy import select, update

from caseflow.domain.events import CaseErased
from caseflow.domain.public_changes import PublicChange

from ..view import View
from .history import public_events
from .rows import Row, encode, list_effects, row_of
from .values import WITHDRAWN, code_labels


class Repeated(NamedTuple):
    """The rows of changes that were repeated, and the sequence numbers of those they touched."""

    rows: list[Row]
    touched: set[int]


def repeat(view: View, told: Sequence[PublicChange]) -> Repeated:
    """Put the rows of changes that were made before, and do to earlier ones what they did."""
    table = public_events[view.view_set]
    rows: list[Row] = []
    touched: set[int] = set()
    for change in told:
        row = row_of(change)
        view.put(public_events, row)
        rows.append(row)
        if row["takes_back"] is not None:
            taken = update(table).where(table.c.sequence == row["takes_back"])
            view.write(taken.values(taken_back_by=change.sequence))
        for effects in list_effects(change):
            take_words(view, effects.gone, change.sequence)
            for sequence, headline in effects.before:
                before = update(table).where(table.c.sequence == sequence)
                view.write(before.values(headline_before=headline))
            touched.update(effects.gone, (pair[0] for pair in effects.before))
    return Repeated(rows, touched)


def take_words(view: View, sequences: Sequence[int], gone_by: int) -> None:
    """Leave of changes that they were there, and the code of their case.

    gone_by: the change that their words went with.
    """
    if not sequences:
        return
    table = public_events[view.view_set]
    codes = select(table.c.sequence, table.c.code).where(table.c.sequence.in_(sequences))
    for row in view.read(codes):
        emptied = {"gone_by": gone_by, "fields": b"{}", "labels": encode(code_labels(row.code))}
        view.write(update(table).where(table.c.sequence == row.sequence).values(emptied))


def erase(view: View, case_id: UUID, body: CaseErased) -> list[int]:
    """Leave nothing of a case but that it had changes, when, and that they were withdrawn.

    Returns the sequence numbers of its changes, and of those that were shown under it.
    """
    table = public_events[view.view_set]
    columns = (table.c[name] for name in ("sequence", "event_id", "kind"))
    query = select(*columns).where(table.c.case_id == case_id).order_by(table.c.sequence)
    rows = view.read(query)
    told: dict[UUID, int] = {}
    for version, row in enumerate(rows, start=1):
        left = _leave(row, told.get(row.event_id), rows[-1].sequence)
        place = {"dossier_id": case_id, "version": version}
        called = {
            "code": body.code,
            # The code begins with it.
            "host_state": body.code[:2],
            "labels": encode(code_labels(body.code)),
        }
        this = update(table).where(table.c.sequence == row.sequence)
        view.write(this.values(left | place | called))
        if row.kind != WITHDRAWN:
            told[row.event_id] = row.sequence
    return [row.sequence for row in rows] + _part(view, case_id)


def _part(view: View, case_id: UUID) -> list[int]:
    """Have what is shown under a case that is erased stand by itself, without its name.

    A restored database may hold for one person what were found to be two. Returns the sequence
    numbers of these changes.
    """
    table = public_events[view.view_set]
    columns = (table.c[name] for name in ("sequence", "case_id", "code"))
    is_other = (table.c.dossier_id == case_id, table.c.case_id != case_id)
    rows = view.read(select(*columns).where(*is_other))
    for row in rows:
        parted = {"dossier_id": row.case_id, "labels": encode(code_labels(row.code))}
        view.write(update(table).where(table.c.sequence == row.sequence).values(parted))
    return [row.sequence for row in rows]


def _leave(row: Found[Any], told: int | None, last: int) -> dict[str, Any]:
    """Return what is left of a change. told: the last before it that told of the same claim.

    last: the last change of the case, with which all words went.
    """
    withdrawn = row.kind == WITHDRAWN
    return {
        "root_id": row.event_id,
        "type": "",
        "author": "",
        "fields": b"{}",
        "headline": "",
        "headline_before": None,
        "consent": b"{}",
        "takes_back": told if withdrawn else None,
        "taken_back_by": None,
        "gone_by": None if withdrawn else last,
    }
