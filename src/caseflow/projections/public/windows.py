"""Which changes a document of a feed holds: the newest of them, or those of one archive.

The public log is cut into stretches of `WINDOW` changes, and an archive of a feed is what it has of
one stretch: all of it in the feed of everything, a part of it in the others. So a change that goes
moves no other from its archive, and no archive tells by a gap that something was there.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Connection, Select, func, select

from .history import Published, get_sequence, list_taken_back, public_events
from .members import Announced, list_announced, public_members

WINDOW: Final = 50

ALL: Final = "all"
CASES: Final = "cases"
HEADLINES: Final = "headlines"
RECALLS: Final = "recalls"
STATES: Final = "states"
TYPES: Final = "types"

# How the table of members calls them.
_MEMBERS: Final = {HEADLINES: "headline", STATES: "state", TYPES: "type"}


class Feed(NamedTuple):
    """One feed: of everything, all recalls, or of one case, headline, type or state.

    of: the code of that, also of a case. case_id: of a case, and of nothing else.
    """

    kind: str
    of: str = ""
    case_id: UUID | None = None

    @property
    def path(self) -> str:
        """Return its address without what all have in common, and without an ending."""
        return f"{self.kind}/{self.of}" if self.of else self.kind

    @property
    def member(self) -> str:
        """Return how the table of members calls it."""
        return f"{_MEMBERS[self.kind]}:{self.of}" if self.of else self.kind

    @property
    def keeps_all(self) -> bool:
        """Return whether what is withdrawn leaves a tombstone for good."""
        return self.kind not in (HEADLINES, TYPES)


class Window(NamedTuple):
    """What a document holds, newest first.

    tombstones: changes whose words are gone; some are older than the others, which hold what
    withdrew them. older, newer: the archives before and after it, None where there are none.
    """

    changes: list[Published]
    tombstones: list[Published]
    older: int | None = None
    newer: int | None = None


def find_last(connection: Connection, view_set: str, feed: Feed) -> int:
    """Return the sequence number of the newest change of a feed, 0 while it is empty."""
    member, inside = _members(view_set, feed)
    return connection.scalar(select(func.max(member)).where(*inside)) or 0


def list_window(
    connection: Connection,
    view_set: str,
    feed: Feed,
    *,
    as_of: str | None = None,
    known_at: int | None = None,
) -> Window:
    """Return the newest changes of a feed; a tombstone stands in the place of what is gone.

    known_at: microseconds; the newest that there were then. What was withdrawn since is gone there
    too: no replay gives words back. as_of: a day, YYYY-MM-DD; claims that happened later are left
    out. Of what is withdrawn nobody knows the day any more: that stays. Either is for feeds that
    keep all, and without archives.
    """
    if not feed.keeps_all:
        return _list_readable(connection, view_set, feed)
    newest = _list_newest(connection, view_set, feed, as_of, known_at)
    found = list(islice(newest, WINDOW + 1))
    window = _sort(connection, view_set, found[:WINDOW])
    if as_of is not None or known_at is not None or len(found) <= WINDOW:
        return window
    return window._replace(older=archive_of(found[-1].sequence))


def archive_of(sequence: int) -> int:
    """Return the number of the archives that hold a change, from 1."""
    return (sequence - 1) // WINDOW + 1


def list_archive(connection: Connection, view_set: str, feed: Feed, number: int) -> Window | None:
    """Return what a feed has of one stretch of the public log, None before that is complete.

    number: from 1, the oldest.
    """
    last = get_sequence(connection, view_set)
    if not 1 <= number <= last // WINDOW:
        return None
    member, inside = _members(view_set, feed)
    first, end = (number - 1) * WINDOW + 1, number * WINDOW
    query = _select(view_set, feed).where(member >= first, member <= end)
    found = [Published(*row) for row in connection.execute(query)]
    older = connection.scalar(select(func.max(member)).where(*inside, member < first))
    newer = connection.scalar(select(func.min(member)).where(*inside, member > end))
    window = _sort(connection, view_set, found) if feed.keeps_all else Window(found, [])
    following = archive_of(newer) if newer else None
    return window._replace(
        older=archive_of(older) if older else None,
        newer=following if following and following <= last // WINDOW else None,
    )


def _sort(connection: Connection, view_set: str, found: list[Published]) -> Window:
    """Tell what can be read from what is gone, or went with one of these changes."""
    taken_back = list_taken_back(connection, view_set, [c.sequence for c in found])
    gone = {c.sequence: c for c in (*found, *taken_back) if c.gone_by is not None}
    return Window(
        [change for change in found if change.gone_by is None],
        [gone[sequence] for sequence in sorted(gone, reverse=True)],
    )


def _list_readable(connection: Connection, view_set: str, feed: Feed) -> Window:
    """Return the newest changes that can be read, and what is new of the others."""
    query = _select(view_set, feed).limit(WINDOW + 1)
    kept = [Published(*row) for row in connection.execute(query)]
    new = list_announced(connection, view_set, feed.member)
    others = _find_all(connection, view_set, new)
    changes = {c.sequence: c for c in (*kept[:WINDOW], *others) if c.gone_by is None}
    return Window(
        [changes[sequence] for sequence in sorted(changes, reverse=True)],
        [change for change in others if change.gone_by is not None],
        archive_of(kept[-1].sequence) if len(kept) > WINDOW else None,
    )


def _find_all(connection: Connection, view_set: str, new: Announced) -> list[Published]:
    table = public_events[view_set]
    query = select(*(table.c[name] for name in Published._fields))
    query = query.where(table.c.sequence.in_(new.recalls | new.tombstones))
    return [Published(*row) for row in connection.execute(query.order_by(table.c.sequence.desc()))]


def _list_newest(
    connection: Connection, view_set: str, feed: Feed, as_of: str | None, known_at: int | None
) -> Iterator[Published]:
    """Yield the changes of a feed at a moment, newest first, read as they are wanted."""
    table = public_events[view_set]
    member, _ = _members(view_set, feed)
    query = _select(view_set, feed).limit(WINDOW + 1)
    if known_at is not None:
        query = query.where(table.c.published_at <= known_at)
    found = [Published(*row) for row in connection.execute(query)]
    while found:
        yield from (change for change in found if _may_have_happened(change, as_of))
        older = query.where(member < found[-1].sequence)
        found = [Published(*row) for row in connection.execute(older)]


def _may_have_happened(change: Published, as_of: str | None) -> bool:
    if as_of is None or change.is_withdrawn:
        return True
    return (change.occurred.earliest or "") <= as_of


def _select(view_set: str, feed: Feed) -> Select[Any]:
    """Return the query for the changes of a feed, newest first."""
    table, members = public_events[view_set], public_members[view_set]
    member, inside = _members(view_set, feed)
    query = select(*(table.c[name] for name in Published._fields)).where(*inside)
    if member.table is members:
        query = query.join(members, members.c.sequence == table.c.sequence)
    return query.order_by(member.desc())


def _members(view_set: str, feed: Feed) -> tuple[Column[int], list[ColumnElement[bool]]]:
    """Return where the numbers of a feed's changes are, by an index, and which of them."""
    table, members = public_events[view_set], public_members[view_set]
    if feed.kind == ALL:
        return table.c.sequence, []
    if feed.kind == CASES:
        return table.c.sequence, [table.c.dossier_id == feed.case_id]
    return members.c.sequence, [members.c.feed == feed.member]
