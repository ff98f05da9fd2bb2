"""What all commands to a case or an event have in common at the edge.

Who asks, with which language, key and version; which case and event the path names; the answer.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import unquote
from uuid import UUID

import msgspec
from anyio.to_thread import run_sync
from litestar import Response

from caseflow.domain.commands import Act
from caseflow.domain.errors import InvalidInputError
from caseflow.eventstore.application import Recorded
from caseflow.eventstore.attempts import Attempt
from caseflow.eventstore.partners import Caller

from .asked import Asked
from .events import answer_recorded, render_recorded
from .parameters import parse_if_match
from .reading import find_case_id, find_event_id, get_placed
from .services import AnyRequest, Services, services_of

Json = dict[str, Any]


class Asking(NamedTuple):
    """A request that is going to be a command."""

    services: Services
    caller: Caller
    language: str
    body: bytes
    attempt: Attempt | None
    expected_version: int | None

    def render(self, found: Recorded) -> tuple[Json, int]:
        """Return what was recorded as JSON, and the version of its case."""
        return render_recorded(found, self.caller, self.language), found.case.version


class Target(NamedTuple):
    """The event that a path names, and its case."""

    case_id: UUID
    event_id: UUID
    type: str


async def ask(request: AnyRequest, scope: str, *, empty: bytes | None = None) -> Asking:
    """Return what a request says beside its path.

    empty: what no body stands for; None where there must be one.
    """
    services = services_of(request)
    caller = await services.require(request, scope)
    language = Asked(request, "lang").language
    body = await services.read_json(request, empty=empty)
    return Asking(
        services,
        caller,
        language,
        body,
        services.find_attempt(request, caller, body),
        parse_if_match(request),
    )


async def find_target(asking: Asking, name: str) -> Target:
    """Return the event that a path names. Raises NotFoundError, also where it may not be read."""
    return await run_sync(_find_target, asking, unquote(name))


def _find_target(asking: Asking, name: str) -> Target:
    with asking.services.reader.snapshot() as snapshot:
        event_id = find_event_id(asking.services, snapshot, asking.caller, name)
        placed = get_placed(snapshot, asking.caller, event_id)
    return Target(placed.case_id, event_id, placed.type)


async def find_case(asking: Asking, name: str) -> UUID:
    """Return the case that a path or a body names. Raises NotFoundError."""
    return await run_sync(_find_case, asking, unquote(name))


def _find_case(asking: Asking, name: str) -> UUID:
    with asking.services.reader.snapshot() as snapshot:
        return find_case_id(asking.services, snapshot, asking.caller, name)


async def act(
    request: AnyRequest,
    asking: Asking,
    command: type[Act],
    case_id: UUID,
    asked: Mapping[str, Any],
) -> Response[bytes]:
    """Carry out a command and answer with the event; asked: the fields that are its own."""
    future = asking.services.cases.act(
        asking.caller,
        command,
        case_id,
        asked,
        asking.render,
        expected_version=asking.expected_version,
        attempt=asking.attempt,
    )
    answer = await asking.services.wait(future)
    return await answer_recorded(request, asking.caller, answer, asking.language)


@contextmanager
def pointing_into(part: str) -> Iterator[None]:
    """Have what is refused of a part of the body point into it: `/claim`; `` for the whole."""
    try:
        yield
    except InvalidInputError as error:
        error.errors = [
            (pointer if pointer.startswith("/headers/") else part + pointer, reason)
            for pointer, reason in error.errors
        ]
        raise


def fields_of(struct: msgspec.Struct) -> Json:
    """Return the fields of a body by name, as the command takes them."""
    return msgspec.structs.asdict(struct)
