"""Feeds: Atom documents, made once after a change and kept as bytes."""

from litestar import Response
from litestar.params import FromPath

from caseflow.domain.errors import NotFoundError
from caseflow.eventstore.reading import Snapshot
from caseflow.projections.public import feed
from caseflow.projections.public.feed import FeedName, Site
from caseflow.projections.public.history import Published
from caseflow.projections.public.status import PublicCase, find_case

from .asked import Asked
from .conditional import PUBLIC, Document, make_document, respond_document
from .reading import CODE
from .routes import read
from .services import AnyRequest, Services, services_of

MEDIA_TYPE = "application/atom+xml; charset=utf-8"


@read("/feeds/all.atom")
def read_all(request: AnyRequest) -> Response[bytes]:
    """Return the newest public changes of all cases."""
    return _read(request, FeedName("/feeds/all.atom"), None)


@read("/feeds/cases/{file:str}")
def read_case_feed(request: AnyRequest, file: FromPath[str]) -> Response[bytes]:
    """Return the newest public changes of one case, `{code}.atom`."""
    code, dot, kind = file.rpartition(".")
    if not dot or kind != "atom" or not CODE.fullmatch(code):
        raise NotFoundError("there is no such feed")
    return _read(request, FeedName(f"/feeds/cases/{file}", code=code), code)


def _read(request: AnyRequest, name: FeedName, code: str | None) -> Response[bytes]:
    services = services_of(request)
    asked = Asked(request, "lang", "min_position")
    language = asked.language
    with services.snapshot(None, asked.min_position) as snapshot:
        case = _find_case(snapshot, code)
        last = feed.find_last(
            snapshot.connection, snapshot.view_set, case.case_id if case else None
        )
        key = (name.path, language, last, snapshot.view_set)
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


def _find_case(snapshot: Snapshot, code: str | None) -> PublicCase | None:
    if code is None:
        return None
    found = find_case(snapshot.connection, snapshot.view_set, code)
    if found is None:
        raise NotFoundError("there is no such feed")
    return found


def _make(
    services: Services, snapshot: Snapshot, name: FeedName, case: PublicCase | None, language: str
) -> Document:
    site = Site(services.base_url, services.name)
    label = case.decode_labels()[language] if case else None
    changes = feed.list_window(
        snapshot.connection, snapshot.view_set, case.case_id if case else None
    )

    def entry(change: Published) -> bytes:
        key = (change.sequence, language, snapshot.view_set)
        return services.entries.get(key, lambda: feed.render_change(site, change, language))

    body = feed.render_window(site, name._replace(label=label), changes, language, entry)
    # No Last-Modified: it counts seconds, and of two changes in one a reader would miss the second.
    return make_document(body, media_type=MEDIA_TYPE)
