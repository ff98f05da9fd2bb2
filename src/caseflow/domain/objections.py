"""Objections to a case: whether one hides it, and until when it is open.

Anybody may object, so the first objection hides a case and no later one does. Whoever wants a case
out of sight could otherwise hide it again each time that a partner has checked and shown it. After
the first, a partner or nobody decides.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple
from uuid import UUID

from msgspec import structs

from .events import Consent, ObjectionMade
from .publication import narrower_of

# Each moves the version of the case, which partners have to name.
MOST_OPEN: Final = 20
"""How many objections to a case may be open at once."""


class Objection(NamedTuple):
    """An objection to a case. `recorded_at` in microseconds, UTC.

    settled_by: the event with which a partner told consent anew; None while it is open.
    """

    event_id: UUID
    recorded_at: int
    said: ObjectionMade
    settled_by: UUID | None = None

    @property
    def is_open(self) -> bool:
        """Return whether nobody has told consent anew since."""
        return self.settled_by is None

    def says_the_same(self, said: ObjectionMade) -> bool:
        """Return whether somebody says the same again, whatever it does to the case."""
        return structs.replace(said, hides=self.said.hides) == self.said


def can_hide(consent: Consent, objections: Iterable[Objection]) -> bool:
    """Return whether an objection would hide a case: it may show something, and none has hidden it.

    objections: those that were made to the case.
    """
    return consent.publish != "none" and not any(o.said.hides for o in objections)


def hidden(consent: Consent) -> Consent:
    """Return a consent under which nothing is public, and which is otherwise as it was."""
    nothing = Consent(publish="none", basis=consent.basis, share=consent.shares_subject)
    return narrower_of(nothing, consent)
