"""What differs between where a case stood at two moments. Pure: two statuses in, a list out."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from msgspec import Struct

from .status import Status
from .vocabulary import ORDERS

_TRACK_PARTS: Final = ("state", "ambiguous", "since", "events", "final")


class Difference(Struct, frozen=True):
    """One part of a status that differs.

    path: a JSON pointer (RFC 6901) into the status: `/headline`, `/at_risk`, `/since`,
    `/tracks/liberty/state` and so on for `ambiguous`, `since`, `events` and `final`;
    `/disputed/liberty`, or `/disputed` where no track is concerned, and
    `/flags/custody_over_limit`: all that is listed under it.
    before, after: the values; None where there was, or is, nothing.
    """

    path: str
    before: Any
    after: Any


def compare_statuses(before: Status | None, after: Status | None) -> list[Difference]:
    """Return what differs, in the order of a status; nothing where both are equal.

    None stands for a case that was not there yet, or whose opening was erased.
    """
    pairs = (*_compare_whole(before, after), *_compare_tracks(before, after))
    return [Difference(path, was, now) for path, was, now in pairs if was != now]


_Pair = tuple[str, Any, Any]


def _compare_whole(before: Status | None, after: Status | None) -> Iterator[_Pair]:
    for name in ("headline", "since", "at_risk"):
        yield f"/{name}", getattr(before, name, None), getattr(after, name, None)


def _compare_tracks(before: Status | None, after: Status | None) -> Iterator[_Pair]:
    for track in ORDERS:
        was, now = (s.tracks.get(track) if s else None for s in (before, after))
        for part in _TRACK_PARTS:
            # A track that nothing moves has no state and is not final.
            yield f"/tracks/{track}/{part}", getattr(was, part, None), getattr(now, part, None)
    for track_or_none in (*ORDERS, None):
        was_told, now_told = (_disputed(s, track_or_none) for s in (before, after))
        path = "/disputed" if track_or_none is None else f"/disputed/{track_or_none}"
        yield path, was_told or None, now_told or None
    for code in sorted({flag.code for s in (before, after) if s for flag in s.flags}):
        was_raised, now_raised = (_flags(s, code) for s in (before, after))
        yield f"/flags/{code}", was_raised or None, now_raised or None


def _disputed(status: Status | None, track: str | None) -> Sequence[Any]:
    return [d for d in status.disputed if d.track == track] if status else []


def _flags(status: Status | None, code: str) -> Sequence[Any]:
    return [flag for flag in status.flags if flag.code == code] if status else []
