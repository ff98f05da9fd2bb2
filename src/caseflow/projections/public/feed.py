"""Feeds as windows on the public log: which changes a document holds, each change as an entry.

Nothing here knows of requests: documents are a pure function of the public log, the language and
the address of the deployment.
"""

import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple
from urllib.parse import quote
from uuid import UUID

from sqlalchemy import Connection, func, select

from caseflow.domain.dates import parse_when
from caseflow.domain.labels import label
from caseflow.domain.times import as_datetime
from caseflow.formats.atom import (
    Category,
    Entry,
    FeedHead,
    Link,
    Tombstone,
    render_entry,
    render_feed,
)
from caseflow.formats.date_phrases import name_when
from caseflow.formats.texts import (
    country_name,
    render_recall_sentence,
    render_recall_title,
    render_sentence,
    render_title,
)

from .history import (
    Published,
    list_taken_back,
    public_events,
)
from .values import CORRECTED, WITHDRAWN

WINDOW: Final = 50
COUNTRY_SCHEME: Final = "urn:iso:std:iso:3166:-1"
JSON: Final = "application/json"
ATOM: Final = "application/atom+xml"

_TITLES: Final = {
    "ru": "Изменения по делам",
    "kk": "Істер бойынша өзгерістер",
    "en": "Changes in cases",
}
_SOURCES: Final = {"ru": "Источники", "kk": "Дереккөздер", "en": "Sources"}
# A text that is not there in the reader's language is shown in the first of these that is.
_FALLBACK: Final = {"ru": ("ru", "kk", "en"), "kk": ("kk", "ru", "en"), "en": ("en", "ru", "kk")}


class Site(NamedTuple):
    """Whose feeds these are: the deployment's address, without a slash at the end, and its name."""

    base_url: str
    name: str


class FeedName(NamedTuple):
    """One feed: of everything, or of a case by its code."""

    path: str
    code: str | None = None
    label: str | None = None


def find_last(connection: Connection, view_set: str, case_id: UUID | None) -> int:
    """Return the sequence number of the newest change of a feed, 0 while it is empty."""
    table = public_events[view_set]
    query = select(func.max(table.c.sequence))
    if case_id is not None:
        query = query.where(table.c.dossier_id == case_id)
    return connection.scalar(query) or 0


class Window(NamedTuple):
    """What a subscription document holds, newest first.

    tombstones: changes whose words are gone; some are older than the window, which holds what
    withdrew them.
    """

    changes: list[Published]
    tombstones: list[Published]


def list_window(
    connection: Connection,
    view_set: str,
    case_id: UUID | None,
    *,
    as_of: str | None = None,
    known_at: int | None = None,
) -> Window:
    """Return the newest changes of a feed; a tombstone stands in the place of what is gone.

    known_at: microseconds; the newest that there were then. What was withdrawn since is gone there
    too: no replay gives words back. as_of: a day, YYYY-MM-DD; claims that happened later are left
    out. Of what is withdrawn nobody knows the day any more: that stays.
    """
    changes = list(islice(_list_newest(connection, view_set, case_id, as_of, known_at), WINDOW))
    taken_back = list_taken_back(connection, view_set, [c.sequence for c in changes])
    gone = {c.sequence: c for c in (*changes, *taken_back) if c.gone_by is not None}
    return Window(
        [change for change in changes if change.gone_by is None],
        [gone[sequence] for sequence in sorted(gone, reverse=True)],
    )


def _list_newest(
    connection: Connection,
    view_set: str,
    case_id: UUID | None,
    as_of: str | None,
    known_at: int | None,
) -> Iterator[Published]:
    """Yield the changes of a feed at a moment, newest first, read as they are wanted."""
    table = public_events[view_set]
    query = select(*(table.c[name] for name in Published._fields))
    if case_id is not None:
        query = query.where(table.c.dossier_id == case_id)
    if known_at is not None:
        query = query.where(table.c.published_at <= known_at)
    query = query.order_by(table.c.sequence.desc()).limit(WINDOW)
    found = [Published(*row) for row in connection.execute(query)]
    while found:
        yield from (change for change in found if _may_have_happened(change, as_of))
        older = query.where(table.c.sequence < found[-1].sequence)
        found = [Published(*row) for row in connection.execute(older)]


def _may_have_happened(change: Published, as_of: str | None) -> bool:
    if as_of is None or change.is_withdrawn:
        return True
    return (change.occurred.earliest or "") <= as_of


def render_window(
    site: Site,
    feed: FeedName,
    window: Window,
    language: str,
    entry: Callable[[Published], bytes],
    when: Mapping[int, int],
) -> bytes:
    """Return the subscription document of a feed (RFC 4287), newest first.

    entry: gives the bytes of one change's entry; they are rendered once. when: at which time, in
    microseconds, the changes were made that took words back.
    """
    head = make_head(site, feed, window.changes, language)
    tombstones = list_tombstones(window, when)
    return render_feed(head, [entry(c) for c in window.changes], tombstones)


def list_tombstones(window: Window, when: Mapping[int, int]) -> list[Tombstone]:
    """Return what stands in the place of words that are gone; when: as `render_window` takes it."""
    return [
        Tombstone(change.entry_id, as_datetime(when[change.gone_by]))
        for change in window.tombstones
        if change.gone_by is not None
    ]


def make_head(site: Site, feed: FeedName, changes: Sequence[Published], language: str) -> FeedHead:
    """Return the feed's own elements; `updated` is that of the newest change, never the clock's."""
    address = f"{site.base_url}{feed.path}"
    title = f"{site.name}: {_TITLES[language]}"
    return FeedHead(
        id=address,
        title=f"{title}: {feed.label}" if feed.label else title,
        updated=as_datetime(changes[0].published_at if changes else 0),
        language=language,
        author=site.name,
        self_href=f"{address}?lang={language}",
    )


def render_change(
    site: Site, change: Published, language: str, replies_to: UUID | None = None
) -> bytes:
    """Return the entry of one change; the bytes never change.

    replies_to: the entry that it corrects or withdraws.
    """
    return render_entry(make_entry(site, change, language, replies_to))


def make_entry(
    site: Site, change: Published, language: str, replies_to: UUID | None = None
) -> Entry:
    """Return one change as an entry in a language. `updated` and `published` come from the log."""
    fields = change.decode_fields()
    texts = _make_texts(change, fields, language)
    at = as_datetime(change.published_at)
    return Entry(
        id=change.entry_id,
        title=texts.title(),
        updated=at,
        published=at,
        language=language,
        author=change.author or site.name,
        content_html=texts.content(),
        links=tuple(_links(site, change, fields, replies_to)),
        categories=tuple(_categories(site, change, language)),
        in_reply_to=replies_to,
    )


def _make_texts(
    change: Published, fields: dict[str, Any], language: str
) -> "_Texts | _Correction | _Withdrawal":
    if change.kind == WITHDRAWN:
        return _Withdrawal(change, language)
    texts = _Texts(change, fields, language)
    return _Correction(texts, language) if change.kind == CORRECTED else texts


class _Withdrawal:
    """What an entry says that withdraws another: nothing of what that said."""

    def __init__(self, change: Published, language: str) -> None:
        self._label = change.decode_labels()[language]
        self._language = language

    def title(self) -> str:
        return render_recall_title(kind=WITHDRAWN, subject=self._label, language=self._language)

    def content(self) -> str:
        said = render_recall_sentence(kind=WITHDRAWN, subject=self._label, language=self._language)
        return f"<p><bdi>{html.escape(said)}</bdi></p>"


class _Correction:
    """What an entry says that corrects another: what it is in full, and that it is a correction."""

    def __init__(self, texts: "_Texts", language: str) -> None:
        self._texts = texts
        self._language = language

    def title(self) -> str:
        return render_recall_title(
            kind=CORRECTED, subject=self._texts.title(), language=self._language
        )

    def content(self) -> str:
        said = render_recall_sentence(
            kind=CORRECTED, subject=self._texts.sentence(), language=self._language
        )
        return self._texts.content(said)


class _Texts:
    """What an entry says."""

    def __init__(self, change: Published, fields: dict[str, Any], language: str) -> None:
        self._change = change
        self._fields = fields
        self._language = language
        self._label = change.decode_labels()[language]
        self._when = parse_when(fields["occurred"])

    def title(self) -> str:
        return render_title(
            label=self._label,
            type=self._change.type,
            when=self._when,
            language=self._language,
            fields=self._fields,
        )

    def sentence(self) -> str:
        return render_sentence(
            label=self._label,
            type=self._change.type,
            when=self._when,
            language=self._language,
            headline=self._change.headline,
            host_state=self._change.host_state,
            fields=self._fields,
        )

    def content(self, sentence: str | None = None) -> str:
        """Return HTML: each text of a partner is escaped and keeps its direction to itself."""
        parts = [f"<p><bdi>{html.escape(sentence or self.sentence())}</bdi></p>"]
        summary = self._fields.get("summary", {})
        for language in _FALLBACK[self._language]:
            if language in summary:
                text = html.escape(summary[language])
                parts.append(f'<blockquote lang="{language}"><bdi>{text}</bdi></blockquote>')
                break
        sources = [self._source(source) for source in self._fields.get("sources", ())]
        if sources:
            items = "".join(f"<li>{source}</li>" for source in sources)
            parts.append(f"<p>{_SOURCES[self._language]}:</p><ul>{items}</ul>")
        return "".join(parts)

    def _source(self, source: dict[str, str]) -> str:
        title = html.escape(source.get("title") or source.get("url", ""))
        if "url" in source:
            title = f'<a href="{html.escape(source["url"])}">{title}</a>'
        more = [html.escape(source[f]) for f in ("publisher",) if f in source]
        if "published" in source:
            more.append(html.escape(name_when(parse_when(source["published"]), self._language)))
        return f"<bdi>{title}</bdi>" + "".join(f", <bdi>{text}</bdi>" for text in more)


def _links(
    site: Site, change: Published, fields: dict[str, Any], replies_to: UUID | None
) -> list[Link]:
    case = f"{site.base_url}/v1/cases/{change.case_id}"
    feed = f"{site.base_url}/feeds/cases/{quote(change.code)}.atom"
    links = [
        Link(f"{site.base_url}/v1/events/{change.event_id}", "alternate", JSON),
        Link(case, "related", JSON),
        Link(feed, "related", ATOM),
    ]
    if replies_to is not None:
        links.append(Link(replies_to.urn, "related"))
    for source in fields.get("sources", ()):
        if "url" in source:
            links.append(
                Link(
                    source["url"],
                    "via",
                    hreflang=source.get("language"),
                    title=source.get("title"),
                )
            )
    return links


def _categories(site: Site, change: Published, language: str) -> list[Category]:
    vocabulary = f"{site.base_url}/v1/vocabulary"
    state = Category(change.host_state, COUNTRY_SCHEME, country_name(change.host_state, language))
    if change.kind == WITHDRAWN:
        return [state]
    return [
        Category(change.type, f"{vocabulary}#type", label("types", change.type, language)),
        Category(
            change.headline, f"{vocabulary}#headline", label("headlines", change.headline, language)
        ),
        state,
    ]
