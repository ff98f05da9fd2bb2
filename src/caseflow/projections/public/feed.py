"""Feeds as windows on the public log: which changes a document holds, each change as an entry.

Nothing here knows of requests: documents are a pure function of the public log, the language and
the address of the deployment.
"""

import html
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote
from uuid import UUID

from sqlalchemy import Connection, func, select

from caseflow.domain.dates import parse_when
from caseflow.domain.labels import label
from caseflow.domain.times import as_datetime
from caseflow.formats.atom import Category, Entry, FeedHead, Link, render_entry, render_feed
from caseflow.formats.date_phrases import name_when
from caseflow.formats.texts import country_name, render_sentence, render_title

from .history import Published, list_published, public_events

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
        query = query.where(table.c.case_id == case_id)
    return connection.scalar(query) or 0


def list_window(connection: Connection, view_set: str, case_id: UUID | None) -> list[Published]:
    """Return the newest changes of a feed, newest first."""
    return list_published(connection, view_set, case_id=case_id, limit=WINDOW, newest_first=True)


def render_window(
    site: Site,
    feed: FeedName,
    changes: Sequence[Published],
    language: str,
    entry: Callable[[Published], bytes],
) -> bytes:
    """Return the subscription document of a feed (RFC 4287), newest first.

    entry: gives the bytes of one change's entry; they are rendered once.
    """
    return render_feed(make_head(site, feed, changes, language), [entry(c) for c in changes])


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


def render_change(site: Site, change: Published, language: str) -> bytes:
    """Return the entry of one change; the bytes never change."""
    return render_entry(make_entry(site, change, language))


def make_entry(site: Site, change: Published, language: str) -> Entry:
    """Return one change as an entry in a language. `updated` and `published` come from the log."""
    fields = change.decode_fields()
    texts = _Texts(change, fields, language)
    at = as_datetime(change.published_at)
    return Entry(
        id=change.entry_id,
        title=texts.title(),
        updated=at,
        published=at,
        language=language,
        author=change.author or site.name,
        content_html=texts.content(),
        links=tuple(_links(site, change, fields)),
        categories=tuple(_categories(site, change, language)),
    )


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

    def content(self) -> str:
        """Return HTML: each text of a partner is escaped and keeps its direction to itself."""
        sentence = render_sentence(
            label=self._label,
            type=self._change.type,
            when=self._when,
            language=self._language,
            headline=self._change.headline,
            host_state=self._change.host_state,
            fields=self._fields,
        )
        parts = [f"<p><bdi>{html.escape(sentence)}</bdi></p>"]
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


def _links(site: Site, change: Published, fields: dict[str, Any]) -> list[Link]:
    case = f"{site.base_url}/v1/cases/{change.case_id}"
    feed = f"{site.base_url}/feeds/cases/{quote(change.code)}.atom"
    links = [
        Link(f"{site.base_url}/v1/events/{change.event_id}", "alternate", JSON),
        Link(case, "related", JSON),
        Link(feed, "related", ATOM),
    ]
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
    return [
        Category(change.type, f"{vocabulary}#type", label("types", change.type, language)),
        Category(
            change.headline, f"{vocabulary}#headline", label("headlines", change.headline, language)
        ),
        Category(change.host_state, COUNTRY_SCHEME, country_name(change.host_state, language)),
    ]
