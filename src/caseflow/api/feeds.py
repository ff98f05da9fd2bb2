"""Feeds: Atom and JSON Feed documents, made once after a change and kept as bytes."""

import re
from collections.abc import Container, Hashable
from functools import cached_property
from typing import Final, NamedTuple
from uuid import UUID

import msgspec
from litestar import Response
from litestar.params import FromPath

from caseflow.domain.countries import COUNTRIES
from caseflow.domain.errors import NotFoundError, WithdrawnError
from caseflow.domain.labels import LANGUAGES
from caseflow.domain.status import HEADLINE_CODES
from caseflow.domain.vocabulary import TYPES
from caseflow.eventstore.names import find_case_by_code
from caseflow.eventstore.reading import Snapshot
from caseflow.formats.json_feed import FeedFacts
from caseflow.projections.public import feed, json_feed, windows
from caseflow.projections.public.feed import FeedName, Site
from caseflow.projections.public.history import (
    Published,
    find_change,
    list_published,
)
from caseflow.projections.public.windows import Feed, Window

from .answers import answer_elsewhere
from .asked import Asked, Moment
from .conditional import PUBLIC, Document, make_document, respond_document
from .parameters import CODE
from .reading import MergedError, get_public_case
from .rendering import encode
from .routes import read
from .services import AnyRequest, Services, services_of

ATOM: Final = "atom"
JSON: Final = "json"
MEDIA_TYPES: Final = {
    ATOM: "application/atom+xml; charset=utf-8",
    JSON: "application/feed+json; charset=utf-8",
}
NO_FEED: Final = "there is no such feed"

_KNOWN: Final[dict[str, Container[str]]] = {
    windows.HEADLINES: frozenset(HEADLINE_CODES),
    windows.STATES: COUNTRIES,
    windows.TYPES: TYPES,
}
# No more digits than a position has.
_NUMBER: Final = re.compile("[1-9][0-9]{0,17}")


@read("/feeds/all.atom")
def read_all(request: AnyRequest) -> Response[bytes]:
    """Return the newest public changes of all cases."""
    return _read(request, FeedName(Feed(windows.ALL), ATOM))


@read("/feeds/all.json")
def read_all_as_json(request: AnyRequest) -> Response[bytes]:
    """Return the newest public changes of all cases as JSON Feed, now or as they were known.

    What was withdrawn since is gone in replays too.
    """
    return _read(request, FeedName(Feed(windows.ALL), JSON))


@read("/feeds/all/archive/{archive:str}")
def read_archive(request: AnyRequest, archive: FromPath[str]) -> Response[bytes]:
    """Return an archive of all public changes, `{number}.atom` or `{number}.json`, from 1.

    It changes when what it holds is withdrawn, and once when there is a next one.
    """
    return _read_archive(request, Feed(windows.ALL), archive)


@read("/feeds/recalls.atom")
def read_recalls(request: AnyRequest) -> Response[bytes]:
    """Return the newest corrections and withdrawals of all cases."""
    return _read(request, FeedName(Feed(windows.RECALLS), ATOM))


@read("/feeds/recalls.json")
def read_recalls_as_json(request: AnyRequest) -> Response[bytes]:
    """Return the newest corrections and withdrawals of all cases as JSON Feed."""
    return _read(request, FeedName(Feed(windows.RECALLS), JSON))


@read("/feeds/recalls/archive/{archive:str}")
def read_recall_archive(request: AnyRequest, archive: FromPath[str]) -> Response[bytes]:
    """Return an archive of corrections and withdrawals, `{number}.atom` or `{number}.json`."""
    return _read_archive(request, Feed(windows.RECALLS), archive)


@read("/feeds/cases/{file:str}")
def read_case_feed(request: AnyRequest, file: FromPath[str]) -> Response[bytes]:
    """Return the newest public changes of one case, `{code}.atom`, or as JSON Feed `{code}.json`.

    Replays, `as_of` and `known_at`, are of the JSON Feed alone.
    """
    return _read_file(request, windows.CASES, file)


@read("/feeds/cases/{code:str}/archive/{archive:str}")
def read_case_archive(
    request: AnyRequest, code: FromPath[str], archive: FromPath[str]
) -> Response[bytes]:
    """Return an archive of one case, `{number}.atom` or `{number}.json`."""
    return _read_archive(request, _find_feed(windows.CASES, code), archive)


@read("/feeds/headlines/{headline_file:str}")
def read_headline_feed(request: AnyRequest, headline_file: FromPath[str]) -> Response[bytes]:
    """Return the newest public changes of cases that had a headline before or after the change.

    `{headline}.atom` or `{headline}.json`. What is withdrawn leaves it; the withdrawal is there as
    long as it is new.
    """
    return _read_file(request, windows.HEADLINES, headline_file)


@read("/feeds/headlines/{headline_code:str}/archive/{archive:str}")
def read_headline_archive(
    request: AnyRequest, headline_code: FromPath[str], archive: FromPath[str]
) -> Response[bytes]:
    """Return an archive of one headline, `{number}.atom` or `{number}.json`."""
    return _read_archive(request, _find_feed(windows.HEADLINES, headline_code), archive)


@read("/feeds/types/{type_file:str}")
def read_type_feed(request: AnyRequest, type_file: FromPath[str]) -> Response[bytes]:
    """Return the newest public changes about events of one type, `{type}.atom` or `{type}.json`.

    What is withdrawn leaves it; the withdrawal is there as long as it is new.
    """
    return _read_file(request, windows.TYPES, type_file)


@read("/feeds/types/{type_code:str}/archive/{archive:str}")
def read_type_archive(
    request: AnyRequest, type_code: FromPath[str], archive: FromPath[str]
) -> Response[bytes]:
    """Return an archive of one type, `{number}.atom` or `{number}.json`."""
    return _read_archive(request, _find_feed(windows.TYPES, type_code), archive)


@read("/feeds/states/{state_file:str}")
def read_state_feed(request: AnyRequest, state_file: FromPath[str]) -> Response[bytes]:
    """Return the newest public changes of cases in one state, `{state}.atom` or `{state}.json`."""
    return _read_file(request, windows.STATES, state_file)


@read("/feeds/states/{state_code:str}/archive/{archive:str}")
def read_state_archive(
    request: AnyRequest, state_code: FromPath[str], archive: FromPath[str]
) -> Response[bytes]:
    """Return an archive of one state, `{number}.atom` or `{number}.json`."""
    return _read_archive(request, _find_feed(windows.STATES, state_code), archive)


def _read_file(request: AnyRequest, kind: str, file: str) -> Response[bytes]:
    of, form = _split(file)
    return _read(request, FeedName(_find_feed(kind, of), form))


def _read_archive(request: AnyRequest, of: Feed, file: str) -> Response[bytes]:
    number, form = _split(file)
    if not _NUMBER.fullmatch(number):
        raise NotFoundError(NO_FEED)
    return _read(request, FeedName(of, form, int(number)))


def _split(file: str) -> tuple[str, str]:
    """Return what stands before the ending of a feed's address, and the ending."""
    name, dot, form = file.rpartition(".")
    if not dot or form not in MEDIA_TYPES:
        raise NotFoundError(NO_FEED)
    return name, form


def _find_feed(kind: str, of: str) -> Feed:
    """Return the feed of a code, which has to be one; whether a case has it is not asked here."""
    is_known = CODE.fullmatch(of) if kind == windows.CASES else of in _KNOWN[kind]
    if not is_known:
        raise NotFoundError(NO_FEED)
    return Feed(kind, of)


def _read(request: AnyRequest, name: FeedName) -> Response[bytes]:
    services = services_of(request)
    asked = Asked(request, "lang", "min_position", *_list_clocks(name))
    language, moment = asked.language, asked.moment
    with services.snapshot(None, asked.min_position) as snapshot:
        try:
            case = _find_case(snapshot, name.feed.of) if name.feed.kind == windows.CASES else None
        except MergedError as error:
            return _answer_elsewhere(request, snapshot, error.case_id, name)
        if name.feed.kind == windows.CASES:
            if case is None or not _was_public(snapshot, case, moment):
                raise NotFoundError(NO_FEED)
            label = msgspec.json.decode(case.labels)[language]
            name = name._replace(feed=name.feed._replace(case_id=case.case_id), label=label)
        making = _Making(services, snapshot, name, language, moment)
        # A merge or another label changes the feed of a case without a change of its own.
        key = (name, language, snapshot.view_set, moment, case, making.find_mark())
        document = services.documents.get(key, making.make)
        if asked.is_plain:
            services.keep(request, snapshot)
    return respond_document(
        request,
        document,
        cache_control=PUBLIC,
        vary=("Accept-Language",),
        language=language,
        headers=_link_to_hub(services, name, language),
    )


def _link_to_hub(services: Services, name: FeedName, language: str) -> dict[str, str]:
    """Return the header that names the hub and the document (WebSub, section 4)."""
    if services.websub_hub is None or name.archive is not None:
        return {}
    topic = f"{services.base_url}{name.path}?lang={language}"
    return {"Link": f'<{services.websub_hub}>; rel="hub", <{topic}>; rel="self"'}


def _list_clocks(name: FeedName) -> tuple[str, ...]:
    """Return which clocks of a replay a document has."""
    has = name.form == JSON and name.archive is None
    return ("as_of", "known_at") if has and name.feed.kind in (windows.ALL, windows.CASES) else ()


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
    request: AnyRequest, snapshot: Snapshot, case_id: UUID, name: FeedName
) -> Response[bytes]:
    shown_under = get_public_case(snapshot, case_id)
    feed_there = name.feed._replace(of=shown_under.code)
    return answer_elsewhere(request, name._replace(feed=feed_there).path)


class _Making:
    """Makes the document of a feed from what a snapshot holds, as it is or was at a moment."""

    def __init__(
        self,
        services: Services,
        snapshot: Snapshot,
        name: FeedName,
        language: str,
        moment: Moment,
    ) -> None:
        self._services = services
        self._snapshot = snapshot
        self._where = snapshot.connection, snapshot.view_set
        self._site = Site(services.base_url, services.name, services.websub_hub)
        self._name = name
        self._language = language
        self._moment = moment
        # Changes that others name, by their position.
        self._named: dict[int, Published] = {}

    def find_mark(self) -> Hashable:
        """Return what tells the document from any that it was before or will be.

        Raises NotFoundError where there is no such archive yet.
        """
        feed, archive = self._name.feed, self._name.archive
        if archive is None and feed.kind in (windows.ALL, windows.CASES, windows.RECALLS):
            # Whatever changes in these does so with a change that is one of theirs.
            return windows.find_last(*self._where, feed)
        window = self._window
        held = tuple((c.sequence, c.takes_back) for c in window.changes)
        gone = tuple((c.sequence, c.gone_by) for c in window.tombstones)
        return held, gone, window.older, window.newer

    @cached_property
    def _window(self) -> Window:
        feed, archive = self._name.feed, self._name.archive
        if archive is None:
            moment = self._moment
            return windows.list_window(
                *self._where, feed, as_of=moment.as_of, known_at=moment.known_at
            )
        found = windows.list_archive(*self._where, feed, archive)
        if found is None:
            raise NotFoundError(NO_FEED)
        return found

    def make(self) -> Document:
        """Return the document."""
        self._services.metrics.renders.inc()
        window, moment = self._window, self._moment
        self._named = self._find_named(window)
        when = {sequence: change.published_at for sequence, change in self._named.items()}
        made = (self._site, self._name, window, self._language, self._entry, when)
        if self._name.form == ATOM:
            body = feed.render_window(*made)
        else:
            facts = FeedFacts(position=0, as_of=moment.as_of, known_at=moment.known_at_text)
            body = json_feed.render_window(*made, facts)
        # No Last-Modified: it counts seconds, and of two changes in one a reader would miss the
        # second.
        return make_document(body, media_type=MEDIA_TYPES[self._name.form])

    def _find_named(self, window: Window) -> dict[int, Published]:
        named = {c.takes_back for c in window.changes} | {c.gone_by for c in window.tombstones}
        found = (find_change(*self._where, sequence) for sequence in named if sequence is not None)
        return {change.sequence: change for change in found if change is not None}

    def _entry(self, change: Published) -> bytes:
        """Return the bytes of one change's entry, which are made once."""
        before = self._named.get(change.takes_back) if change.takes_back else None
        replies_to = before.entry_id if before else None
        render = feed.render_change if self._name.form == ATOM else json_feed.render_change
        key = (change.sequence, self._language, self._snapshot.view_set, self._name.form)
        return self._services.entries.get(
            key, lambda: render(self._site, change, self._language, replies_to)
        )
