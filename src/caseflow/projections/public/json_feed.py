"""The feeds in JSON Feed 1.1: the windows and entries of `feed.py`, for programs."""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote
from uuid import UUID

from msgspec import structs

from caseflow.formats.json_feed import FeedFacts, ItemFacts, render_feed, render_item

from .feed import FeedName, Site, list_tombstones, make_entry, make_head
from .history import Published
from .values import CORRECTED, WITHDRAWN
from .windows import Window

# How an item says which one it is about.
_ABOUT: Final = {CORRECTED: "corrects", WITHDRAWN: "withdraws"}


def render_window(
    site: Site,
    name: FeedName,
    window: Window,
    language: str,
    item: Callable[[Published], bytes],
    when: Mapping[int, int],
    facts: FeedFacts,
) -> bytes:
    """Return the document of a feed, newest first; the arguments as of the Atom documents.

    facts: of which moment it is; its position is found here.
    """
    tombstones = list_tombstones(window, when)
    head = make_head(site, name, window, tombstones, language)
    moment = {"as_of": facts.as_of, "known_at": facts.known_at}
    asked = "".join(f"&{key}={quote(text)}" for key, text in moment.items() if text is not None)
    head = structs.replace(
        head, self_href=head.self_href + asked, alternate_href=f"{site.base_url}/"
    )
    position = max((c.sequence for c in (*window.changes, *window.tombstones)), default=0)
    return render_feed(
        head,
        [item(change) for change in window.changes],
        tombstones,
        structs.replace(facts, position=position),
    )


def render_change(
    site: Site, change: Published, language: str, replies_to: UUID | None = None
) -> bytes:
    """Return the item of one change; the bytes never change.

    replies_to: the entry that it corrects or withdraws.
    """
    entry = make_entry(site, change, language, replies_to)
    return render_item(
        entry, f"{site.base_url}/v1/events/{change.event_id}", _facts(change, replies_to)
    )


def _facts(change: Published, replies_to: UUID | None) -> ItemFacts:
    about = {} if replies_to is None else {_ABOUT[change.kind]: replies_to.urn}
    told = {} if change.kind == WITHDRAWN else {"type": change.type, "headline": change.headline}
    return ItemFacts(
        position=change.sequence,
        kind=change.kind,
        event=str(change.event_id),
        case=str(change.case_id),
        code=change.code,
        host_state=change.host_state,
        **told,
        **about,
    )
