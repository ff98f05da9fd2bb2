"""What is restricted in an answer, and logging that it was read before the answer leaves.

The rendered answer is looked through, not what a handler means to say: no handler can forget it.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from uuid import UUID

from caseflow.eventstore.partners import Caller
from caseflow.eventstore.read_log import Kind, Read

from .services import Services

DUPLICATES: Final = "possible_duplicates"


def log_reads(services: Services, caller: Caller | None, rendered: Any) -> None:
    """Return once what is restricted in an answer stands in the log of reads. Blocks.

    rendered: JSON values, or a list of them; those of one call share one transaction. The public,
    without a key, gets nothing restricted.
    Raises UnavailableError where it cannot be logged: then nothing may be sent.
    """
    if caller is not None:
        services.read_log.record(caller, find_reads(rendered, caller.partner_id))


def find_reads(rendered: Any, partner_id: UUID) -> list[Read]:
    """Return what is restricted in an answer to a partner, each once, in order.

    Raises LookupError where it belongs to nothing with an id, and so could not be logged.
    """
    return list(dict.fromkeys(_find(rendered, _Place(None, None, None), str(partner_id))))


class _Place(NamedTuple):
    """What a value belongs to; ids as they stand in the answer."""

    case: str | None
    event: str | None
    partner: str | None

    def within(self, value: dict[str, Any]) -> "_Place":
        """Return the place of an object that stands in this one."""
        partner = value.get("partner", self.partner)
        if isinstance(case := value.get("case"), str):
            return _Place(case, value.get("id"), partner)
        if "id" in value and "code" in value:
            return _Place(value["id"], None, partner)
        if "id" in value and self.case is None:
            return _Place(None, value["id"], partner)
        # Most objects in an answer are parts of another.
        return self if partner is self.partner else self._replace(partner=partner)

    def read(self, kind: Kind) -> Read:
        """Return that something was read here."""
        if self.case is None and self.event is None:
            raise LookupError(f"{kind} stands in an answer that names no case and no event")
        return Read(kind, _parse(self.case), _parse(self.event))


def _parse(text: str | None) -> UUID | None:
    return UUID(text) if text is not None else None


def _find(value: Any, outer: _Place, own: str) -> Iterator[Read]:
    if isinstance(value, list):
        for item in value:
            yield from _find(item, outer, own)
    elif isinstance(value, dict):
        place = outer.within(value)
        yield from map(place.read, _list_kinds(value, place, own))
        for name, inner in value.items():
            if name == DUPLICATES:
                yield from _find_duplicates(inner)
            if isinstance(inner, dict | list):
                yield from _find(inner, place, own)


def _list_kinds(value: dict[str, Any], place: _Place, own: str) -> Iterator[Kind]:
    if value.get("subject") is not None:
        yield "subject"
    if value.get("visibility") == "restricted":
        yield "restricted"
    if value.get("private_note") is not None:
        yield "private_note"
    # Every objection says whether it hid its case, and nothing else has a field of this name.
    if "hides" in value:
        yield "objection"
    if value.get("external_id") is not None and place.partner != own:
        yield "external_id"


def _find_duplicates(duplicates: list[Any]) -> Iterator[Read]:
    """Yield a read of each case that the one at hand resembles."""
    for duplicate in duplicates:
        found = (
            duplicate if isinstance(duplicate, str) else duplicate.get("case") or duplicate["id"]
        )
        yield _Place(found, None, None).read(DUPLICATES)
