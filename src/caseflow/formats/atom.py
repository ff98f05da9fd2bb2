"""Atom documents: values in, bytes out (RFC 4287; archives RFC 5005, tombstones RFC 6721).

An entry is rendered once; a document is a head with such entries pasted in, so that what was
published is never rendered anew. Same values, same bytes: there is no clock here, and the
order is the caller's. What an entry says is decided elsewhere; `docs/feed.md` describes it.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Final
from uuid import UUID

import nh3
from feedgen.entry import FeedEntry
from feedgen.feed import FeedGenerator
from lxml import etree
from msgspec import Struct, structs

from caseflow.formats.feedgen_extension import EntryExtension, FeedExtension

MEDIA_TYPE: Final = "application/atom+xml"


class Kind(StrEnum):
    """What a document holds of its feed (RFC 5005, sections 2 and 4)."""

    WINDOW = "window"  # the newest entries: what a reader subscribes to
    ARCHIVE = "archive"
    COMPLETE = "complete"  # all entries: what is not in the document is gone


class Link(Struct, frozen=True):
    """A link to `href`, an absolute http, https or urn IRI (RFC 4287, section 4.2.7)."""

    href: str
    rel: str
    type: str | None = None
    hreflang: str | None = None
    title: str | None = None


class Category(Struct, frozen=True):
    """A category; `scheme` is an IRI, `label` is for people (RFC 4287, section 4.2.2)."""

    term: str
    scheme: str | None = None
    label: str | None = None


class Entry(Struct, frozen=True, kw_only=True):
    """One public change (RFC 4287, section 4.1.2).

    title, summary: plain text, the title not empty. content_html: HTML, cleaned when rendered.
    updated, published: aware. language: a BCP 47 tag. author: a name, not empty.
    in_reply_to: id of the entry that this one corrects or takes back (RFC 4685).
    """

    id: UUID
    title: str
    updated: datetime
    published: datetime
    language: str
    author: str
    content_html: str
    summary: str | None = None
    links: tuple[Link, ...] = ()
    categories: tuple[Category, ...] = ()
    in_reply_to: UUID | None = None


class Tombstone(Struct, frozen=True):
    """States that entry `ref` was withdrawn; `comment` is plain text (RFC 6721, section 3)."""

    ref: UUID
    when: datetime
    comment: str | None = None


class FeedHead(Struct, frozen=True, kw_only=True):
    """A feed document without its entries (RFC 4287, section 4.1.1).

    id: an IRI, the same in every document of one feed. title, subtitle: plain text.
    updated: aware. author: a name, not empty. self_href: where this document is;
    alternate_href: a page with the same, both absolute http or https IRIs.
    links: any others, such as prev-archive, next-archive and current (RFC 5005, section 4);
    feedgen takes registered relation types only.
    """

    id: str
    title: str
    updated: datetime
    language: str
    author: str
    self_href: str
    alternate_href: str | None = None
    subtitle: str | None = None
    links: tuple[Link, ...] = ()
    kind: Kind = Kind.WINDOW


def render_entry(entry: Entry) -> bytes:
    """Return an `entry` element in UTF-8 that declares its namespaces and ends with a newline.

    It can be pasted into a feed as it is, and is an Atom Entry Document by itself.
    Raises ValueError for text that XML cannot carry, an empty title or author, a time without
    a zone, or a link that is not http, https or urn.
    """
    _refuse_unwritable(entry, "entry")
    content = clean_content(entry.content_html)
    # A character reference in the markup is a character now.
    _refuse_unwritable(content, "entry.content_html")
    _refuse_nameless(entry.author)

    built = FeedEntry()
    built.id(entry.id.urn)
    built.title(entry.title)
    built.updated(_utc(entry.updated))
    built.published(_utc(entry.published))
    built.author(name=entry.author)
    built.content(content, type="html")
    built.summary(entry.summary)
    built.category([_attributes(category) for category in entry.categories])
    extension = partial(
        EntryExtension,
        language=entry.language,
        links=[_link_attributes(link) for link in entry.links],
        in_reply_to=None if entry.in_reply_to is None else entry.in_reply_to.urn,
    )
    built.register_extension("caseflow", extension, rss=False)
    element = built.atom_entry()
    fragment: bytes = etree.tostring(
        element, encoding="UTF-8", xml_declaration=False, pretty_print=True
    )
    return fragment


def clean_content(content_html: str) -> str:
    """Return HTML as an entry carries it: of few elements, with nothing that is run or loaded."""
    return _CLEANER.clean(content_html)


def render_feed(
    head: FeedHead, entries: Sequence[bytes], tombstones: Sequence[Tombstone] = ()
) -> bytes:
    """Return an Atom Feed Document in UTF-8: head, tombstones, entries, each in the given order.

    entries: what `render_entry` returned, and nothing else: they are pasted unread.
    tombstones: no two with the same ref and time (RFC 6721, section 3). They come first, since
    a feed's entries follow everything else (RFC 4287, section 4.1.1).
    Raises ValueError for text that XML cannot carry, an empty id, title or author, a time
    without a zone, a link that is not http, https or urn, or a relation feedgen does not know.
    """
    document = _render_head(head, tombstones)
    end = document.rindex(b"</feed>")
    return b"".join((document[:end], *entries, document[end:]))


def _render_head(head: FeedHead, tombstones: Sequence[Tombstone]) -> bytes:
    _refuse_unwritable(head, "feed")
    _refuse_nameless(head.author)
    built = FeedGenerator()
    built.id(head.id)
    built.title(head.title)
    built.subtitle(head.subtitle)
    built.updated(_utc(head.updated))
    built.language(head.language)
    built.author(name=head.author)
    # Without a version: a release must not change the bytes of every archive.
    built.generator("caseflow")
    built.link([_link_attributes(link) for link in _list_links(head)])
    extension = partial(
        FeedExtension,
        mark=None if head.kind is Kind.WINDOW else head.kind.value,
        tombstones=[_tombstone_values(tombstone) for tombstone in tombstones],
    )
    built.register_extension("caseflow", extension, rss=False)
    document: bytes = built.atom_str(pretty=True)
    return document


def _list_links(head: FeedHead) -> list[Link]:
    links = [Link(head.self_href, "self", MEDIA_TYPE)]
    if head.alternate_href is not None:
        links.append(Link(head.alternate_href, "alternate", "text/html"))
    return [*links, *head.links]


def _attributes(value: Link | Category) -> dict[str, str]:
    """Return the fields that are set, as feedgen and lxml take them."""
    return {name: text for name, text in structs.asdict(value).items() if text is not None}


def _link_attributes(link: Link) -> dict[str, str]:
    # Readers turn links into things to click: nothing that a browser would run.
    if not link.href.lower().startswith(("https://", "http://", "urn:")):
        raise ValueError("a link is not an absolute http, https or urn IRI")
    return _attributes(link)


def _tombstone_values(tombstone: Tombstone) -> dict[str, str]:
    _refuse_unwritable(tombstone, "tombstone")
    values = {"ref": tombstone.ref.urn, "when": _utc(tombstone.when).isoformat()}
    return values if tombstone.comment is None else {**values, "comment": tombstone.comment}


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a time has no zone")
    return at.astimezone(UTC)


def _refuse_nameless(author: str) -> None:
    # feedgen would leave such an author out, and the document would break the rules.
    if not author:
        raise ValueError("an author has no name")


def _refuse_unwritable(value: object, where: str) -> None:
    """Raise ValueError naming the field, and not its text, that no XML document can carry.

    Such text is refused when it is posted; here it would break the feed for every reader.
    Source: XML 1.0, section 2.2, production Char.
    """
    if isinstance(value, str):
        if found := _UNWRITABLE.search(value):
            raise ValueError(f"{where}: XML cannot carry U+{ord(found[0]):04X}")
    elif isinstance(value, tuple):
        for item in value:
            _refuse_unwritable(item, where)
    elif isinstance(value, Struct):
        for name in value.__struct_fields__:
            _refuse_unwritable(getattr(value, name), f"{where}.{name}")


_UNWRITABLE: Final = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")

# Our markup is made from escaped text; what is not in it has no business in an entry.
_CLEANER: Final = nh3.Cleaner(
    tags={"a", "bdi", "blockquote", "br", "cite", "dd", "dl", "dt", "em", "li", "ol", "p", "q"}
    | {"s", "span", "strong", "time", "ul"},
    attributes={"*": {"lang", "dir"}, "a": {"href", "hreflang"}, "time": {"datetime"}},
    url_schemes={"https", "http"},
    url_relative="deny",
)
