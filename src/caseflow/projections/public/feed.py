"""Feeds as documents: each public change as an entry, and what stands around them.

Nothing here knows of requests: documents are a pure function of the public log, the language and
the address of the deployment. Which changes a document holds is in `windows.py`.
"""

import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import quote
from uuid import UUID

from caseflow.domain.dates import parse_when
from caseflow.domain.labels import label
from caseflow.domain.times import as_datetime
from caseflow.formats.atom import (
    Category,
    Entry,
    FeedHead,
    Kind,
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

from .history import Published
from .values import CORRECTED, WITHDRAWN
from .windows import CASES, HEADLINES, RECALLS, STATES, TYPES, Feed, Window

COUNTRY_SCHEME: Final = "urn:iso:std:iso:3166:-1"
JSON: Final = "application/json"
ATOM: Final = "application/atom+xml"

_CHANGES: Final = {
    "ru": "Изменения по делам",
    "kk": "Істер бойынша өзгерістер",
    "en": "Changes in cases",
}
_TITLES: Final = {
    HEADLINES: {"ru": "Статус дел", "kk": "Істердің мәртебесі", "en": "Status of cases"},
    RECALLS: {
        "ru": "Исправления и отзывы",
        "kk": "Түзетулер мен қайтарып алулар",
        "en": "Corrections and withdrawals",
    },
    TYPES: {"ru": "События по делам", "kk": "Істер бойынша оқиғалар", "en": "Events in cases"},
}
_SOURCES: Final = {"ru": "Источники", "kk": "Дереккөздер", "en": "Sources"}
_PROOF: Final = {
    "ru": "Доказательство, что запись есть в журнале",
    "kk": "Жазбаның журналда бар екенінің дәлелі",
    "en": "Proof that this is in the log",
}
# A text that is not there in the reader's language is shown in the first of these that is.
FALLBACK: Final = {"ru": ("ru", "kk", "en"), "kk": ("kk", "ru", "en"), "en": ("en", "ru", "kk")}


class Site(NamedTuple):
    """Whose feeds these are: the deployment's address, without a slash at the end, and its name.

    hub: where subscribers of documents subscribe to news of them (WebSub, section 4).
    """

    base_url: str
    name: str
    hub: str | None = None


class FeedName(NamedTuple):
    """One document of a feed: of which, in which form.

    form: `atom` or `json`, the ending of its address. archive: its number, None for the document
    that is subscribed to. label: what its case is called.
    """

    feed: Feed
    form: str
    archive: int | None = None
    label: str | None = None

    @property
    def path(self) -> str:
        """Return the path of the document."""
        return self.path_of(self.archive)

    def path_of(self, archive: int | None) -> str:
        """Return the path of an archive of the same feed, or of its subscription document."""
        inside = "" if archive is None else f"/archive/{archive}"
        return f"/feeds/{quote(self.feed.path)}{inside}.{self.form}"


def render_window(
    site: Site,
    name: FeedName,
    window: Window,
    language: str,
    entry: Callable[[Published], bytes],
    when: Mapping[int, int],
) -> bytes:
    """Return a document of a feed (RFC 4287; of an archive RFC 5005, section 4), newest first.

    entry: gives the bytes of one change's entry; they are rendered once. when: at which time, in
    microseconds, the changes were made that took words back.
    """
    tombstones = list_tombstones(window, when)
    head = make_head(site, name, window, tombstones, language)
    return render_feed(head, [entry(c) for c in window.changes], tombstones)


def list_tombstones(window: Window, when: Mapping[int, int]) -> list[Tombstone]:
    """Return what stands in the place of words that are gone; when: as `render_window` takes it."""
    return [
        Tombstone(change.entry_id, as_datetime(when[change.gone_by]))
        for change in window.tombstones
        if change.gone_by is not None
    ]


def make_head(
    site: Site,
    name: FeedName,
    window: Window,
    tombstones: Sequence[Tombstone],
    language: str,
) -> FeedHead:
    """Return the feed's own elements; `updated` is that of the newest change, never the clock's."""

    def address(archive: int | None) -> str:
        return f"{site.base_url}{name.path_of(archive)}?lang={language}"

    links = [Link(address(n), rel, ATOM) for rel, n in _list_places(name, window)]
    if site.hub is not None and name.archive is None:
        links.append(Link(site.hub, "hub"))
    return FeedHead(
        # The same in every document and language.
        id=f"{site.base_url}{name.path_of(None)}",
        title=_title(site, name, language),
        updated=_find_updated(window, tombstones),
        language=language,
        author=site.name,
        self_href=address(name.archive),
        links=tuple(links),
        kind=Kind.WINDOW if name.archive is None else Kind.ARCHIVE,
    )


def _list_places(name: FeedName, window: Window) -> Iterator[tuple[str, int | None]]:
    """Yield where the documents around this one are (RFC 5005, section 4)."""
    if name.archive is not None:
        yield "current", None
    if window.older is not None:
        yield "prev-archive", window.older
    if window.newer is not None:
        yield "next-archive", window.newer


def _find_updated(window: Window, tombstones: Sequence[Tombstone]) -> datetime:
    made = (as_datetime(change.published_at) for change in window.changes)
    return max((*made, *(t.when for t in tombstones)), default=as_datetime(0))


def _title(site: Site, name: FeedName, language: str) -> str:
    kind, of = name.feed.kind, name.feed.of
    title = f"{site.name}: {_TITLES.get(kind, _CHANGES)[language]}"
    called = {
        CASES: lambda: name.label or of,
        HEADLINES: lambda: label("headlines", of, language),
        STATES: lambda: country_name(of, language),
        TYPES: lambda: label("types", of, language),
    }
    return f"{title}: {called[kind]()}" if kind in called else title


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
        links=tuple(_links(site, change, fields, language, replies_to)),
        categories=tuple(_categories(site, change, language)),
        in_reply_to=replies_to,
    )


def make_title(change: Published, language: str) -> str:
    """Return what the entry of a change is called; of what was withdrawn since, that it was."""
    if change.gone_by is not None:
        return render_recall_title(kind=WITHDRAWN, subject=change.code, language=language)
    return _make_texts(change, change.decode_fields(), language).title()


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
        for language in FALLBACK[self._language]:
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
    site: Site,
    change: Published,
    fields: dict[str, Any],
    language: str,
    replies_to: UUID | None,
) -> list[Link]:
    case = f"{site.base_url}/v1/cases/{change.case_id}"
    feed = f"{site.base_url}/feeds/cases/{quote(change.code)}.atom"
    event = f"{site.base_url}/v1/events/{change.event_id}"
    links = [
        Link(event, "alternate", JSON),
        Link(case, "related", JSON),
        Link(feed, "related", ATOM),
    ]
    # What is withdrawn is not to be read, and so neither is what would prove it.
    if change.kind != WITHDRAWN:
        links.append(Link(f"{event}/proof", "related", JSON, title=_PROOF[language]))
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
