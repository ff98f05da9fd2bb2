"""One case: how it stands, what happened when as far as is known, and what was told when."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from litestar import Response
from litestar.params import FromPath

from caseflow.api.asked import NOW, Asked, Moment
from caseflow.api.reading import (
    MergedError,
    find_case_id,
    get_public_case,
    is_told,
    list_changes,
    read_public_case,
)
from caseflow.api.routes import read
from caseflow.api.services import AnyRequest, services_of
from caseflow.domain.dates import days_between
from caseflow.domain.times import format_time
from caseflow.eventstore.reading import Snapshot
from caseflow.formats.texts import list_details
from caseflow.projections.public.feed import FALLBACK, make_title
from caseflow.projections.public.history import Published
from caseflow.projections.public.status import PublicCase
from caseflow.projections.public.values import CORRECTED

from .pages import answer_page, link, page_of
from .wording import tell_source

# The width of the drawn time, in its own units.
WIDTH: Final = 1_000
_NARROWEST: Final = 8


class Span(NamedTuple):
    """Where the days of a claim lie on the drawn time. is_open: it has no known start."""

    start: int
    width: int
    is_open: bool


class Told(NamedTuple):
    """A claim on the page. text: in `text_language`, None where it has none."""

    event_id: str
    type: str
    occurred: str
    notified: str | None
    details: list[str]
    text: str | None
    text_language: str
    sources: list[dict[str, Any]]
    verification: str
    author: str
    published_at: str
    is_correction: bool
    span: Span


class Account(NamedTuple):
    """What happened, told once, or by several who contradict each other."""

    claims: list[Told]

    @property
    def is_disputed(self) -> bool:
        """Return whether there is more than one account."""
        return len(self.claims) > 1


class Telling(NamedTuple):
    """When something was told, corrected or withdrawn."""

    title: str
    kind: str
    published_at: str
    is_gone: bool


@read("/cases/{case:str}")
def read_case_page(request: AnyRequest, case: FromPath[str]) -> Response[bytes]:
    """Return the page of a case: now, on a day, as it was known at a time."""
    services = services_of(request)
    asked = Asked(request, "as_of", "known_at", "lang", "min_position")
    moment, language = asked.moment, asked.language
    with services.snapshot(None, asked.min_position) as snapshot:
        case_id = find_case_id(services, snapshot, None, unquote(case))
        try:
            found = get_public_case(snapshot, case_id)
        except MergedError as error:
            main = get_public_case(snapshot, error.case_id)
            return _answer_elsewhere(services.base_url, main.code, language)
        page = page_of(
            request,
            "case.html",
            asked,
            unlisted=True,
            feed=f"/feeds/cases/{found.code}",
        )._replace(path=f"/cases/{found.code}")

        def make() -> dict[str, Any]:
            return _tell(snapshot, found, moment, language, services.name)

        answer = answer_page(request, page, found, make, snapshot)
        if asked.is_plain:
            services.keep(request, snapshot, case_id)
    return answer


def _answer_elsewhere(base_url: str, code: str, language: str) -> Response[bytes]:
    headers = {
        "location": f"{base_url}{link(f'/cases/{code}', language)}",
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
    }
    return Response(b"", status_code=307, headers=headers)


def _tell(
    snapshot: Snapshot, found: PublicCase, moment: Moment, language: str, site: str
) -> dict[str, Any]:
    case = read_public_case(snapshot, found, language, moment)
    changes = list_changes(snapshot, found.case_id, moment)
    told = sorted(
        (c for c in _list_current(changes) if is_told(c, moment.as_of)),
        key=lambda c: (c.occurred.earliest or "", c.occurred.latest, c.sequence),
    )
    scale = _Scale(told)
    claims = [_tell_claim(change, language, site, scale) for change in told]
    return {
        "case": case,
        "accounts": group_accounts(claims, case["status"]["disputed"]),
        "tellings": [_tell_change(change, language) for change in changes if change.code],
        "scale": scale,
        "is_replay": moment != NOW,
        "days": sorted({c.occurred.latest for c in told}, reverse=True),
    }


def _list_current(changes: Sequence[Published]) -> list[Published]:
    """Return the changes that no other of them corrects or withdraws."""
    known = {change.sequence for change in changes}
    return [change for change in changes if change.taken_back_by not in known]


class _Scale:
    """The time that the claims of a case take, from the first day of any to the last."""

    def __init__(self, changes: Sequence[Published]) -> None:
        whens = [change.occurred for change in changes]
        self.first = min((w.earliest or w.latest for w in whens), default=None)
        self.last = max((w.latest for w in whens), default=None)

    def place(self, earliest: str | None, latest: str) -> Span:
        """Return where the days from one to another lie, both included."""
        assert self.first is not None, "there is a claim"
        assert self.last is not None, "there is a claim"
        days = days_between(self.first, self.last) + 1
        start = 0 if earliest is None else days_between(self.first, earliest) * WIDTH // days
        end = (days_between(self.first, latest) + 1) * WIDTH // days
        width = max(end - start, _NARROWEST)
        return Span(min(start, WIDTH - width), width, earliest is None)


def _tell_claim(change: Published, language: str, site: str, scale: _Scale) -> Told:
    fields, when = change.decode_fields(), change.occurred
    texts = fields.get("summary") or {}
    text_language = next((lang for lang in FALLBACK[language] if texts.get(lang)), language)
    return Told(
        event_id=str(change.event_id),
        type=change.type,
        occurred=fields["occurred"],
        notified=fields.get("notified"),
        details=list_details(change.type, fields, change.host_state, language),
        text=texts.get(text_language),
        text_language=text_language,
        sources=[tell_source(source) for source in fields.get("sources", [])],
        verification=fields.get("verification", "likely"),
        author=change.author or site,
        published_at=format_time(change.published_at),
        is_correction=change.kind == CORRECTED,
        span=scale.place(when.earliest, when.latest),
    )


def group_accounts(claims: Sequence[Told], disputed: Sequence[Mapping[str, Any]]) -> list[Account]:
    """Return what happened, in the order of the claims; those that contradict each other together.

    disputed: of the status, as the API tells it.
    """
    groups = [set(d["events"]) for d in disputed]
    done: set[str] = set()
    accounts = []
    for claim in claims:
        if claim.event_id in done:
            continue
        group = next((g for g in groups if claim.event_id in g), {claim.event_id})
        together = [c for c in claims if c.event_id in group - done]
        done.update(c.event_id for c in together)
        accounts.append(Account(together))
    return accounts


def _tell_change(change: Published, language: str) -> Telling:
    return Telling(
        title=make_title(change, language),
        kind=change.kind,
        published_at=format_time(change.published_at),
        is_gone=change.is_withdrawn,
    )
