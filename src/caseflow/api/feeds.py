"""Feeds: Atom and JSON Feed documents, made once after a change and kept as bytes."""

from typing import Final, NamedTuple
from uuid import UUID

import msgspec
from litestar import Response
from litestar.params import FromPath

from caseflow.domain.errors import NotFoundError, WithdrawnError
from caseflow.domain.labels import LANGUAGES
from caseflow.eventstore.names import find_case_by_code
from caseflow.eventstore.reading import Snapshot
from caseflow.formats.json_feed import FeedFacts
from caseflow.projections.public import feed, json_feed
from caseflow.projections.public.feed import FeedName, Site, Window
from caseflow.projections.public.history import Published, find_change, list_published

from .answers import answer_elsewhere
from .asked import Asked, Moment
from .conditional import PUBLIC, Document, make_document, respond_document
from .reading import CODE, MergedError, get_public_case
from .rendering import encode
from .routes import read
from .services import AnyRequest, Services, services_of

ATOM: Final = "atom"
MEDIA_TYPES: Final = {
    ATOM: "application/atom+xml; charset=utf-8",
    "json": "application/feed+json; charset=utf-8",
}
NO_FEED: Final = "there is no such feed"


@read("/feeds/all.atom")
def read_all(request: AnyRequest) -> Response[bytes]:
    """Return the newest public changes of all cases."""
    return _read(request, FeedName("/feeds/all.atom"), ATOM)


@read("/feeds/all.json")
def read_all_as_json(request: AnyRequest) -> Response[bytes]:
    """Return the newest public changes of all cases as JSON Feed, now or as they were known.

    What was withdrawn since is gone in replays too.
    """
    return _read(request, FeedName("/feeds/all.json"), "json")


@read("/feeds/cases/{file:str}")
def read_case_feed(request: AnyRequest, file: FromPath[str]) -> Response[bytes]:
    """Return the newest public changes of one case, `{code}.atom`, or as JSON Feed `{code}.json`.

    Replays, `as_of` and `known_at`, are of the JSON Feed alone.
    """
    code, dot, kind = file.rpartition(".")
    if not dot or kind not in MEDIA_TYPES or not CODE.fullmatch(code):
        raise NotFoundError(NO_FEED)
    return _read(request, FeedName(f"/feeds/cases/{file}", code=code), kind)


def _read(request: AnyRequest, name: FeedName, kind: str) -> Response[bytes]:
    services = services_of(request)
    replays = () if kind == ATOM else ("as_of", "known_at")
    asked = Asked(request, "lang", "min_position", *replays)
    language, moment = asked.language, asked.moment
    with services.snapshot(None, asked.min_position) as snapshot:
        try:
            case = _find_case(snapshot, name.code) if name.code else None
        except MergedError as error:
            return _answer_elsewhere(request, snapshot, error.case_id, kind)
        if name.code and (case is None or not _was_public(snapshot, case, moment)):
            raise NotFoundError(NO_FEED)
        last = feed.find_last(
            snapshot.connection, snapshot.view_set, case.case_id if case else None
        )
        # A merge or another label changes the feed of a case without a change of its own.
        key = (name.path, language, last, case, snapshot.view_set, moment)
        document = services.documents.get(
            key, lambda: _Making(services, snapshot, language, kind).make(name, case, moment)
        )
    return respond_document(
        request,
        document,
        cache_control=PUBLIC,
        vary=("Accept-Language",),
        language=language,
    )


class Followed(NamedTuple):
    """A case whose feed is read. labels: what it is called in each language (JSON)."""

    case_id: UUID
    version: int
    labels: bytes


def _find_case(snapshot: Snapshot, code: str) -> Followed | None:
    case_id = find_case_by_code(snapshot.connection, code)
    if case_id is None:
        return None
    try:
        found = get_public_case(snapshot, case_id)
    except NotFoundError:
        # As one whose code nobody has.
        return None
    except WithdrawnError:
        # Whoever follows it is to learn that what they have was withdrawn.
        return Followed(case_id, 0, encode(dict.fromkeys(LANGUAGES, code)))
    return Followed(case_id, found.version, found.labels)


def _was_public(snapshot: Snapshot, case: Followed, moment: Moment) -> bool:
    """Return whether there was anything public of a case at a moment."""
    where = snapshot.connection, snapshot.view_set
    return bool(list_published(*where, case_id=case.case_id, known_at=moment.known_at, limit=1))


def _answer_elsewhere(
    request: AnyRequest, snapshot: Snapshot, case_id: UUID, kind: str
) -> Response[bytes]:
    shown_under = get_public_case(snapshot, case_id)
    return answer_elsewhere(request, f"/feeds/cases/{shown_under.code}.{kind}")


class _Making:
    """Makes the document of a feed from what a snapshot holds."""

    def __init__(self, services: Services, snapshot: Snapshot, language: str, kind: str) -> None:
        self._services = services
        self._snapshot = snapshot
        self._where = snapshot.connection, snapshot.view_set
        self._site = Site(services.base_url, services.name)
        self._language = language
        self._kind = kind
        # Changes that others name, by their position.
        self._named: dict[int, Published] = {}

    def make(self, name: FeedName, case: Followed | None, moment: Moment) -> Document:
        """Return the document as it is, or was at a moment."""
        label = msgspec.json.decode(case.labels)[self._language] if case else None
        window = feed.list_window(
            *self._where,
            case.case_id if case else None,
            as_of=moment.as_of,
            known_at=moment.known_at,
        )
        self._named = self._find_named(window)
        when = {sequence: change.published_at for sequence, change in self._named.items()}
        made = (self._site, name._replace(label=label), window, self._language, self._entry, when)
        if self._kind == ATOM:
            body = feed.render_window(*made)
        else:
            facts = FeedFacts(position=0, as_of=moment.as_of, known_at=moment.known_at_text)
            body = json_feed.render_window(*made, facts)
        # No Last-Modified: it counts seconds, and of two changes in one a reader would miss the
        # second.
        return make_document(body, media_type=MEDIA_TYPES[self._kind])

    def _find_named(self, window: Window) -> dict[int, Published]:
        named = {c.takes_back for c in window.changes} | {c.gone_by for c in window.tombstones}
        found = (find_change(*self._where, sequence) for sequence in named if sequence is not None)
        return {change.sequence: change for change in found if change is not None}

    def _entry(self, change: Published) -> bytes:
        """Return the bytes of one change's entry, which are made once."""
        before = self._named.get(change.takes_back) if change.takes_back else None
        replies_to = before.entry_id if before else None
        render = feed.render_change if self._kind == ATOM else json_feed.render_change
        key = (change.sequence, self._language, self._snapshot.view_set, self._kind)
        return self._services.entries.get(
            key, lambda: render(self._site, change, self._language, replies_to)
        )
