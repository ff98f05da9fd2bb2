"""Public changes one after another, as whoever follows some feeds gets them: no window, no archive.

What a feed has now decides, as in its documents: of what was withdrawn since, that it was there.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, select

from .history import Published, find_shown_under, get_sequence, public_events
from .members import list_announced, public_members
from .windows import ALL, CASES, Feed


class Followed(NamedTuple):
    """Some changes in order. position: everything up to it has been looked at.

    is_last: whether nothing comes after them yet.
    """

    changes: list[Published]
    position: int
    is_last: bool


def list_followed(
    connection: Connection, view_set: str, feeds: Sequence[Feed], *, after: int, limit: int
) -> Followed:
    """Return the changes after a sequence number that every one of some feeds has.

    Of a feed of a type or headline also the corrections and withdrawals that are new in it.
    """
    table = public_events[view_set]
    # First of all the end: what is recorded while this is read comes next time.
    end = get_sequence(connection, view_set)
    inside = [c for feed in feeds for c in _conditions(connection, view_set, feed)]
    query = (
        select(*(table.c[name] for name in Published._fields))
        .where(table.c.sequence > after, table.c.sequence <= end, *inside)
        .order_by(table.c.sequence)
        .limit(limit)
    )
    found = [Published(*row) for row in connection.execute(query)]
    if len(found) == limit:
        return Followed(found, found[-1].sequence, found[-1].sequence == end)
    return Followed(found, max(after, end), is_last=True)


def _conditions(connection: Connection, view_set: str, feed: Feed) -> list[ColumnElement[bool]]:
    table, members = public_events[view_set], public_members[view_set]
    if feed.kind == ALL:
        return []
    if feed.kind == CASES:
        assert feed.case_id is not None, "the feed of a case is of one that was found"
        # What is told of it may stand under another case by now.
        shown_under = find_shown_under(connection, view_set, feed.case_id)
        return [table.c.dossier_id == (shown_under or feed.case_id)]
    kept = select(members.c.sequence).where(members.c.feed == feed.member)
    is_kept = table.c.sequence.in_(kept)
    if feed.keeps_all:
        return [is_kept]
    announced = list_announced(connection, view_set, feed.member).recalls
    return [is_kept | table.c.sequence.in_(sorted(announced))] if announced else [is_kept]
