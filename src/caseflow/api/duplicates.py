"""Cases that may be about the same person, for the partner to judge."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final
from uuid import UUID

from anyio.to_thread import run_sync

from caseflow.domain.case import Case
from caseflow.domain.events import Subject
from caseflow.domain.likeness import LIKE, likeness
from caseflow.domain.times import parse_time
from caseflow.eventstore.name_index import find_near_names
from caseflow.eventstore.partners import Caller
from caseflow.eventstore.reading import Snapshot

from .rendering import label_for, sees_subject
from .services import Services

MOST_DUPLICATES: Final = 20
_MOST_COMPARED: Final = 40

Json = dict[str, Any]


async def add_possible_duplicates(
    services: Services, caller: Caller, subject: Subject, rendered: Json, language: str
) -> None:
    """Add the possible duplicates of a case that was opened to its answer. On a thread.

    After the commit, so that nobody waits for the end of the log meanwhile.
    """
    find = partial(
        find_possible_duplicates,
        opened_at=parse_time(rendered["opened_at"]),
        excluded=frozenset([UUID(rendered["id"])]),
    )
    rendered["possible_duplicates"] = await run_sync(find, services, caller, subject, language)


def find_possible_duplicates(
    services: Services,
    caller: Caller,
    subject: Subject,
    language: str,
    *,
    opened_at: int,
    excluded: frozenset[UUID],
) -> list[Json]:
    """Return the cases whose names are near, the nearest first; 20 at most. Blocks.

    subject: of the case that was opened. opened_at: of that case, in microseconds. Cases that were
    opened later do not count, so that a request that comes again is answered alike, unless others
    have been amended since. excluded: that case, and those it was judged to be apart from.

    Only cases whose subject the caller may see count; others are not looked at.
    """
    names = [name.text for name in subject.names]
    digests = services.cases.digest_wanted_names(caller, names)
    if not digests:
        return []
    with services.reader.snapshot() as snapshot:
        near = find_near_names(
            snapshot.connection, digests, excluded=excluded, limit=_MOST_COMPARED
        )
        found: dict[UUID, tuple[float, Case]] = {}
        for case, stays in _list_cases(services, snapshot, near):
            if _is_candidate(case, caller, opened_at) and not _is_judged(stays, excluded):
                like = how_near(subject, case.subject)
                before, _ = found.get(stays.id, (0.0, stays))
                found[stays.id] = max(like, before), stays
    nearest = sorted(found.values(), key=lambda pair: (-pair[0], pair[1].opened_at, pair[1].id))
    return [
        _render(case, like, caller, language)
        for like, case in nearest[:MOST_DUPLICATES]
        if like >= LIKE
    ]


def _is_candidate(case: Case, caller: Caller, opened_at: int) -> bool:
    return case.opened_at <= opened_at and sees_subject(case, caller)


def _is_judged(case: Case, opened: frozenset[UUID]) -> bool:
    """Return whether it is known that the case is, or is not, about the person at hand."""
    return case.id in opened or not case.apart_from.isdisjoint(opened)


def how_near(subject: Subject, other: Subject) -> float:
    """Return the likeness of two subjects by their names and years of birth."""
    return likeness(
        [name.text for name in subject.names],
        [name.text for name in other.names],
        (subject.birth_year, other.birth_year),
    )


def _list_cases(
    services: Services, snapshot: Snapshot, case_ids: list[UUID]
) -> Iterator[tuple[Case, Case]]:
    """Yield cases, each with the one that stays of those about the same person."""
    for case_id in case_ids:
        dossier = services.reader.find_dossier(snapshot, case_id)
        # None: erased, and its names with it.
        if dossier is not None:
            yield from ((case, dossier.main) for case in dossier.cases if case.id == case_id)


def _render(case: Case, like: float, caller: Caller, language: str) -> Json:
    return {
        "id": str(case.id),
        "code": case.code,
        "label": label_for(case, caller, language),
        "likeness": round(like, 2),
    }
