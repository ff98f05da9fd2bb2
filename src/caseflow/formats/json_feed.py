"""JSON Feed documents: values in, bytes out (JSON Feed 1.1, https://jsonfeed.org/version/1.1).

The same entries as in the Atom documents, in the same words. What JSON Feed has no word for stands
under `_caseflow`. An item is rendered once; a document is a head with such items pasted in. Same
values, same bytes; `docs/feed.md` describes it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from .atom import Entry, FeedHead, Tombstone, clean_content

VERSION: Final = "https://jsonfeed.org/version/1.1"
MEDIA_TYPE: Final = "application/feed+json"


class ItemFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an item says for programs, under `_caseflow`, of what is public about the change.

    position: its place in the public log, from 1; the index of its leaf there is one less.
    event, case: ids, of the claim and of the case that told it. kind: published, corrected,
    withdrawn. corrects, withdraws: `urn:uuid:` and the id of the item that this one corrects or
    takes back.
    """

    position: int
    kind: str
    event: str
    case: str
    code: str
    host_state: str
    type: str | None = None
    headline: str | None = None
    corrects: str | None = None
    withdraws: str | None = None


class FeedFacts(Struct, frozen=True, kw_only=True):
    """What a document says for programs, under `_caseflow`.

    position: of the newest change in it, 0 where there is none. as_of, known_at: of the replay.
    """

    position: int
    as_of: str | None = None
    known_at: str | None = None


def render_item(entry: Entry, url: str, facts: ItemFacts) -> bytes:
    """Return an item as a JSON object; url: an absolute http or https address of the same.

    Raises ValueError for a time without a zone.
    """
    return msgspec.json.encode(
        {
            "id": entry.id.urn,
            "url": url,
            "title": entry.title,
            "content_html": clean_content(entry.content_html),
            "date_published": _time(entry.published),
            "language": entry.language,
            "authors": [{"name": entry.author}],
            "tags": [category.term for category in entry.categories],
            "_caseflow": facts,
        }
    )


def render_feed(
    head: FeedHead,
    items: Sequence[bytes],
    tombstones: Sequence[Tombstone],
    facts: FeedFacts,
) -> bytes:
    """Return a JSON Feed document in UTF-8, its items in the given order.

    items: what `render_item` returned, and nothing else: they are pasted unread.
    head: `self_href` becomes `feed_url`, `alternate_href` `home_page_url`, the link to the archive
    before it `next_url`, and that to a hub `hubs`.
    Raises ValueError for a time without a zone.
    """
    said: dict[str, Any] = {"version": VERSION, "title": head.title}
    if head.alternate_href is not None:
        said["home_page_url"] = head.alternate_href
    said["feed_url"] = head.self_href
    for link in head.links:
        if link.rel == "prev-archive":
            said["next_url"] = link.href
        if link.rel == "hub":
            said["hubs"] = [{"type": "WebSub", "url": link.href}]
    said |= {
        "language": head.language,
        "authors": [{"name": head.author}],
        "items": [Raw(item) for item in items],
        "_caseflow": {
            **msgspec.to_builtins(facts),
            "updated": _time(head.updated),
            "withdrawn": [{"id": t.ref.urn, "when": _time(t.when)} for t in tombstones],
        },
    }
    return msgspec.json.encode(said)


def _time(at: datetime) -> str:
    """Return RFC 3339 text in UTC, as the Atom documents write it."""
    if at.tzinfo is None:
        raise ValueError("a time has no zone")
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
