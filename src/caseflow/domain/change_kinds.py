"""What a change is, in one word: why a status or a number moved."""

from datetime import date
from typing import Final

from .times import day_of
from .vocabulary import TYPES

NEW_CASE: Final = "new_case"
NEW_CLAIM: Final = "new_claim"
LATE_REPORT: Final = "late_report"
CORRECTION: Final = "correction"
RETRACTION: Final = "retraction"
WITHDRAWAL: Final = "withdrawal"

LATE_DAYS: Final = 30
"""A claim is a late report where more days than these lie between the last day on which it can have
happened and the day on which it was recorded: reports of a week ago are news, of a season ago none.
"""

_OF_THE_RECORD: Final = {
    "case.opened": "opening",
    "subject.amended": "subject",
    "consent.changed": "consent",
    "claim.corrected": CORRECTION,
    "claim.retracted": RETRACTION,
    "claim.corroborated": "corroboration",
    "claim.disputed": "dispute",
    "visibility.changed": "visibility",
    "publication.approved": "review",
    "publication.declined": "review",
    "publication.released": "release",
    "identity.merged": "merge",
    "identity.unmerged": "unmerge",
    "objection.made": "objection",
    "case.erased": "erasure",
    "erased": "erasure",
}

EVENT_KINDS: Final = (NEW_CLAIM, LATE_REPORT, *dict.fromkeys(_OF_THE_RECORD.values()))
"""What an event may be by itself."""
CHANGE_KINDS: Final = (NEW_CASE, *EVENT_KINDS, WITHDRAWAL)
"""What a change of numbers may be: beside those of events, the claim from which on a person counts,
and what the public is told where something was taken back."""


TYPES_OF_CASES: Final = frozenset({*TYPES, *_OF_THE_RECORD}) - {"erased"}
"""The types of the events that are about a case: those that have a kind."""


def kind_of(event_type: str, latest: str | None, recorded_at: int) -> str:
    """Return what an event is to whoever reads of a change.

    latest: the last day on which a claim can have happened, YYYY-MM-DD; None where that is not
    known any more. recorded_at: microseconds; for the public, when it was published.
    Raises KeyError for an event that is of no case.
    """
    if event_type not in TYPES:
        return _OF_THE_RECORD[event_type]
    return LATE_REPORT if latest is not None and is_late(latest, recorded_at) else NEW_CLAIM


def is_late(latest: str, recorded_at: int) -> bool:
    """Return whether a claim was recorded long after it happened, by any reading of its date."""
    if latest < "0001":  # of which `date` knows nothing
        return True
    recorded_on = date.fromisoformat(day_of(recorded_at))
    return (recorded_on - date.fromisoformat(latest)).days > LATE_DAYS
