"""The case that somebody asks to follow, by the stream or a webhook."""

from uuid import UUID

from caseflow.domain.errors import NotFoundError, WithdrawnError
from caseflow.eventstore.reading import Snapshot

from .reading import MergedError, find_case_id, get_public_case
from .services import Services


def find_followed_case(services: Services, snapshot: Snapshot, name: str) -> UUID | None:
    """Return a case that is public, or was: whoever follows it is to learn what becomes of it.

    None where it never was, as where there is no such case.
    """
    try:
        case_id = find_case_id(services, snapshot, None, name)
        get_public_case(snapshot, case_id)
    except (MergedError, WithdrawnError):
        return case_id
    except NotFoundError:
        return None
    return case_id
