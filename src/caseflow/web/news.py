"""Public changes as feeds call them, with what a page links them to."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from caseflow.domain.times import format_time
from caseflow.eventstore.reading import Snapshot
from caseflow.projections.public.feed import make_title
from caseflow.projections.public.history import Published, list_published
from caseflow.projections.public.status import find_cases

# Of what was withdrawn the first telling is passed over: one line for each is enough.
_LOOKED_AT: Final = 3


class News(NamedTuple):
    """One public change.

    code: of its case; None where that is not shown any more. kind: published, corrected or
    withdrawn. published_at: RFC 3339. author: the deployment where no partner is told.
    """

    title: str
    code: str | None
    kind: str
    published_at: str
    author: str


def list_news(snapshot: Snapshot, language: str, site: str, limit: int) -> list[News]:
    """Return the newest public changes, newest first; site: the name of the deployment."""
    newest = list_published(
        snapshot.connection, snapshot.view_set, newest_first=True, limit=limit * _LOOKED_AT
    )
    changes = [c for c in newest if c.gone_by is None and c.code][:limit]
    shown = _list_shown(snapshot, changes)
    return [_tell(change, language, site, shown) for change in changes]


def _list_shown(snapshot: Snapshot, changes: Iterable[Published]) -> set[str]:
    codes = {change.code for change in changes}
    found = find_cases(snapshot.connection, snapshot.view_set, codes)
    return {case.code for case in found}


def _tell(change: Published, language: str, site: str, shown: set[str]) -> News:
    return News(
        title=make_title(change, language),
        code=change.code if change.code in shown else None,
        kind=change.kind,
        published_at=format_time(change.published_at),
        author=change.author or site,
    )
