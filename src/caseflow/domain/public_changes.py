"""A public change as it was made: what the public log keeps of it for good.

Views show what is still public of it; whoever rebuilds them starts from these, so that a number
once given is never given to anything else, and what was told is never told otherwise.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct

ChangeKind = Literal["published", "corrected", "withdrawn"]


class PublicChange(Struct, frozen=True, kw_only=True):
    """One public change.

    sequence: its place among all public changes, from 1; position: that of the event that made it.
    case_id: the case that tells it. entry_id: of the feed's entry; event_id: the claim it is about.
    published_at: microseconds since the Unix epoch.
    public: all that anyone could read of it then; inner: what views need beside it. Both are JSON
    values, and None once the case was erased.
    beside: what it says of other cases, by case; of one that was erased nothing. So what was told
    of one person stays whatever becomes of another, and nothing of the other stays with it.
    """

    sequence: int
    position: int
    case_id: UUID
    entry_id: UUID
    event_id: UUID
    kind: ChangeKind
    published_at: int
    public: dict[str, Any] | None
    inner: dict[str, Any] | None
    beside: Mapping[UUID, dict[str, Any]] = {}

    @property
    def is_erased(self) -> bool:
        """Return whether nothing of it can be read any more."""
        return self.public is None or self.inner is None

    @property
    def hides(self) -> bool:
        """Return whether words that could be read before can be read no more."""
        return self.kind == "withdrawn" or any(said.get("gone") for said in self.list_hidden())

    def list_hidden(self) -> Iterator[dict[str, Any]]:
        """Yield what nobody was told: of its own case, and of each other one."""
        if self.inner is not None:
            yield self.inner
        yield from (said["inner"] for said in self.beside.values() if "inner" in said)

    @property
    def root_id(self) -> UUID:
        """The claim that was told first, of which this is about a correction or which it is."""
        return UUID(self.inner["root"]) if self.inner else self.event_id
