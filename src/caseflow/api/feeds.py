"""Feeds: Atom documents, made once after a change and kept as bytes."""

from typing import NamedTuple
from uuid import UUID

import msgspec
from litestar import Response
from litestar.params import FromPath

from caseflow.domain.errors import NotFoundError, WithdrawnError
from caseflow.domain.labels import LANGUAGES
from caseflow.eventstore.names import find_case_by_code
from caseflow.eventstore.reading import Snapshot
from caseflow.projections.public import feed
from caseflow.projections.public.feed import FeedName, Site
from caseflow.projections.public.history import Published, find_change

from .answers import answer_elsewhere
from .asked import Asked
from .conditional import PUBLIC, Document, make_document, respond_document
from .reading import CODE, MergedError, get_public_case
from .rendering import encode
from .routes import read
from .services import AnyRequest, Services, services_of

MEDIA_TYPE = "application/atom+xml; charset=utf-8"
NO_FEED = "there is no such feed"


@read("/feeds/all.atom")
def read_all(request: AnyRequest) -> Response[bytes]:
    """Return the newest public changes of all cases."""
    return _read(request, FeedName("/feeds/all.atom"), None)


@read("/feeds/cases/{file:str}")
def read_case_feed(request: AnyRequest, file: FromPath[str]) -> Response[bytes]:
    """Return the newest public changes of one case, `{code}.atom`."""
    code, dot, kind = file.rpartition(".")
    if not dot or kind != "atom" or not CODE.fullmatch(code):
        raise NotFoundError(NO_FEED)
    return _read(request, FeedName(f"/feeds/cases/{file}", code=code), code)


def _read(request: AnyRequest, name: FeedName, code: str | None) -> Response[bytes]:
    services = services_of(request)
    asked = Asked(request, "lang", "min_position")
    language = asked.language
    with services.snapshot(None, asked.min_position) as snapshot:
        try:
            case = _find_case(snapshot, code) if code else None
        except MergedError as error:
            return _answer_elsewhere(request, snapshot, error.case_id)
        if code and case is None:
            raise NotFoundError(NO_FEED)
        last = feed.find_last(
            snapshot.connection, snapshot.view_set, case.case_id if case else None
        )
        # A merge or another label changes the feed of a case without a change of its own.
        key = (name.path, language, last, case, snapshot.view_set)
        document = services.documents.get(
            key, lambda: _make(services, snapshot, name, case, language)
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


def _answer_elsewhere(request: AnyRequest, snapshot: Snapshot, case_id: UUID) -> Response[bytes]:
    shown_under = get_public_case(snapshot, case_id)
    return answer_elsewhere(request, f"/feeds/cases/{shown_under.code}.atom")


def _make(
    services: Services, snapshot: Snapshot, name: FeedName, case: Followed | None, language: str
) -> Document:
    site = Site(services.base_url, services.name)
    label = msgspec.json.decode(case.labels)[language] if case else None
    connection, view_set = snapshot.connection, snapshot.view_set
    window = feed.list_window(connection, view_set, case.case_id if case else None)
    named = {c.takes_back for c in window.changes} | {c.gone_by for c in window.tombstones}
    others = {
        sequence: find_change(connection, view_set, sequence)
        for sequence in named
        if sequence is not None
    }
    when = {s: change.published_at for s, change in others.items() if change is not None}

    def entry(change: Published) -> bytes:
        before = others.get(change.takes_back) if change.takes_back else None
        replies_to = before.entry_id if before else None
        key = (change.sequence, language, snapshot.view_set)
        return services.entries.get(
            key, lambda: feed.render_change(site, change, language, replies_to)
        )

    name = name._replace(label=label)
    body = feed.render_window(site, name, window, language, entry, when)
    # No Last-Modified: it counts seconds, and of two changes in one a reader would miss the second.
    return make_document(body, media_type=MEDIA_TYPE)
