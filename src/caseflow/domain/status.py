"""The status of a case: a fold over its claims. Headline, at_risk, what is disputed.

Pure functions of the claims in force. What a claim says in words is not needed here: a claim comes
in as its `ClaimFacts`. What each moves is in `effects.py`, which of them count in `resolution.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct

from .custody import Told
from .effects import effects_of
from .facts import ClaimFacts, Frame, Stance, counts_on, is_outvoted, last_words
from .flags import Flag, find_flags
from .resolution import (
    PROCEEDING,
    Links,
    Move,
    Resolved,
    find_unended,
    is_dated_after,
    is_extradition_custody,
    resolve_tracks,
    unfollowed,
)
from .vocabulary import ORDERS

# The headline is the first of these whose track has one of the states.
HEADLINES: Final[tuple[tuple[str, str, frozenset[str]], ...]] = (
    ("died", "life", frozenset({"died"})),
    ("extradited", "movement", frozenset({"extradited"})),
    ("deported", "movement", frozenset({"deported"})),
    ("abducted", "movement", frozenset({"abducted"})),
    ("returned", "movement", frozenset({"returned"})),
    ("removed_elsewhere", "movement", frozenset({"removed_elsewhere"})),
    ("protected_abroad", "movement", frozenset({"protected_abroad"})),
    ("left_for_third_country", "movement", frozenset({"left_for_third_country"})),
    ("protected", "asylum", frozenset({"recognised"})),
    ("extradition_appealed", "extradition", frozenset({"appeal_pending"})),
    ("extradition_granted", "extradition", frozenset({"granted"})),
    ("expulsion_appealed", "expulsion", frozenset({"appeal_pending"})),
    ("expulsion_ordered", "expulsion", frozenset({"ordered"})),
    ("asylum_appealed", "asylum", frozenset({"appeal_pending"})),
    ("asylum_refused", "asylum", frozenset({"refused"})),
    ("entry_refused", "expulsion", frozenset({"entry_refused"})),
    ("extradition_requested", "extradition", frozenset({"requested", "postponed", "remitted"})),
    ("in_custody", "liberty", frozenset({"in_custody"})),
    ("detained", "liberty", frozenset({"detained"})),
    ("whereabouts_unknown", "liberty", frozenset({"whereabouts_unknown"})),
    ("asylum_pending", "asylum", frozenset({"claimed", "registered", "remitted", "quashed"})),
    ("extradition_refused", "extradition", frozenset({"refused", "lapsed", "quashed"})),
    ("wanted", "extradition", frozenset({"wanted"})),
    ("released", "liberty", frozenset({"released"})),
    ("closed", "follow_up", frozenset({"closed"})),
)
MONITORED: Final = "monitored"
HEADLINE_CODES: Final = (*(code for code, _, _ in HEADLINES), MONITORED)

# What keeps a person at risk, by track; custody and movement have rules of their own.
RISKS: Final[dict[str, frozenset[str]]] = {
    "extradition": PROCEEDING,
    "expulsion": frozenset({"ordered", "appeal_pending", "entry_refused", "remitted"}),
    "asylum": frozenset({"refused", "appeal_pending", "closed", "ended"}),
    "liberty": frozenset({"whereabouts_unknown"}),
}


class Since(Struct, frozen=True):
    """From when something holds: between two days, each included; None is unknown."""

    earliest: str | None
    latest: str | None


class TrackStatus(Struct, frozen=True):
    """One track's state; `events` are the claims left that tell it."""

    state: str
    since: Since
    events: tuple[UUID, ...]
    ambiguous: bool
    final: bool = False


class Disagreement(Struct, frozen=True):
    """Accounts that contradict each other, or a claim that somebody disputes."""

    track: str | None
    events: tuple[UUID, ...]
    partners: tuple[str, ...]
    states: tuple[str, ...]
    dates: tuple[Since, ...]


class Status(Struct, frozen=True):
    """Where a case stands."""

    headline: str
    since: Since
    at_risk: bool
    tracks: dict[str, TrackStatus]
    disputed: tuple[Disagreement, ...]
    flags: tuple[Flag, ...] = ()


def resolve(
    frame: Frame,
    claims: Iterable[ClaimFacts],
    *,
    stances: Sequence[Stance] = (),
    as_of: str | None = None,
    certain: bool = False,
) -> Status:
    """Return the status that the claims in force give.

    claims: neither retracted nor replaced; outvoted ones are set aside here.
    as_of: a day, YYYY-MM-DD; claims whose earliest day is later are left out. None takes all.
    certain: with as_of, takes only claims whose latest day is as_of or before.
    """
    told = list(claims)
    standing = {c.id: c for c in told if not is_outvoted(c, stances)}
    links = Links(standing)
    counted = [c for c in standing.values() if counts_on(c, as_of, certain=certain)]
    moved = [(claim, effects_of(claim, frame, standing)) for claim in counted]
    moves = _by_track(moved)
    tracks = resolve_tracks(moves, links)
    statuses = {track: _track_status(track_moves) for track, track_moves in tracks.items()}
    headline, since = _headline(statuses)
    return Status(
        headline=headline,
        since=since,
        at_risk=_is_at_risk(tracks),
        tracks={track: statuses[track] for track in ORDERS if track in statuses},
        disputed=(
            *_disagreements(tracks, links),
            *_disputes(
                [c for c in told if counts_on(c, as_of, certain=certain)], frame, standing, stances
            ),
        ),
        flags=tuple(
            find_flags(frame.host_state, moves, tracks, links, moved, as_of or _last_day(counted))
        ),
    )


def _by_track(moved: Iterable[Told]) -> dict[str, list[Move]]:
    moves: dict[str, list[Move]] = {}
    for claim, effects in moved:
        for track, state in effects.items():
            moves.setdefault(track, []).append(Move(claim, state))
    return moves


def _last_day(claims: Iterable[ClaimFacts]) -> str | None:
    """Return the last day that the claims certainly reach; no clock is asked."""
    return max((c.earliest for c in claims if c.earliest is not None), default=None)


# -- what is shown --------------------------------------------------------------------------------


def _track_status(resolved: Resolved) -> TrackStatus:
    state = resolved.winner.state
    telling = [m for m in resolved.left if m.state == state]
    return TrackStatus(
        state=state,
        since=_since(resolved, state),
        events=tuple(sorted({m.claim.id for m in telling})),
        ambiguous=len({m.state for m in resolved.left}) > 1,
        final=any(m.claim.type == "appeal.became_final" for m in telling),
    )


def _since(resolved: Resolved, state: str) -> Since:
    others = [m for m in resolved.moves if m.state != state]
    same = [m for m in resolved.moves if m.state == state]
    # Dates and links together need not be transitive: then nothing but the winner is sure.
    present = unfollowed(same, others, resolved.order) or [resolved.winner]
    return _span([m.claim for m in present])


def _span(claims: Sequence[ClaimFacts]) -> Since:
    """Return from the smallest earliest to the smallest latest day; None is the smallest."""
    starts = [c.earliest for c in claims if c.earliest is not None]
    unknown = len(starts) < len(claims)
    return Since(earliest=None if unknown else min(starts), latest=min(c.latest for c in claims))


def _headline(statuses: Mapping[str, TrackStatus]) -> tuple[str, Since]:
    for code, track, states in HEADLINES:
        status = statuses.get(track)
        if status is not None and status.state in states:
            return code, status.since
    return MONITORED, Since(None, None)


def _is_at_risk(tracks: Mapping[str, Resolved]) -> bool:
    if _is_beyond_risk(tracks):
        return False
    for track, states in RISKS.items():
        if track in tracks and any(m.state in states for m in tracks[track].left):
            return True
    liberty = tracks.get("liberty")
    if liberty is None:
        return False
    extradition = tracks["extradition"].moves if "extradition" in tracks else []
    return any(is_extradition_custody(m) for m in find_unended(extradition, liberty))


def _is_beyond_risk(tracks: Mapping[str, Resolved]) -> bool:
    """Return whether a told death, a departure or recognition has ended the risk."""
    known = ("likely", "confirmed")
    if "life" in tracks and any(m.claim.verification in known for m in tracks["life"].left):
        return True
    if "movement" in tracks:
        winner = tracks["movement"].winner
        if winner.state != "in_host_state" and winner.claim.verification in known:
            return True
    return "asylum" in tracks and all(m.state == "recognised" for m in tracks["asylum"].left)


# -- disagreement ---------------------------------------------------------------------------------


def _disagreements(tracks: Mapping[str, Resolved], links: Links) -> Iterable[Disagreement]:
    """Yield what the claims themselves disagree on, track by track."""
    for track in ORDERS:
        if track not in tracks:
            continue
        told = list(tracks[track].left) if _is_split(tracks[track].left) else []
        if track == "movement":
            told += _contradicting(_accounts(tracks[track]), links)
        if told:
            yield _disagreement(track, told)


def _disputes(
    told: Iterable[ClaimFacts],
    frame: Frame,
    standing: Mapping[UUID, ClaimFacts],
    stances: Sequence[Stance],
) -> Iterable[Disagreement]:
    """Yield the claims that somebody disputes, outvoted ones too: nothing disputed is hidden."""
    if not stances:
        return
    for claim in sorted(told, key=lambda c: c.id):
        critics = [p for p, s in last_words(claim, stances).items() if s.disputes]
        if not critics:
            continue
        effects = effects_of(claim, frame, standing)
        for track in (t for t in ORDERS if t in effects):
            yield _disagreement(track, [Move(claim, effects[track])], critics)
        if not effects:
            yield _disagreement(None, [Move(claim, "")], critics)


def _is_split(left: Sequence[Move]) -> bool:
    return len({m.state for m in left}) > 1


def _accounts(resolved: Resolved) -> list[Move]:
    """Return the accounts of the last movement: those that no return to the host state follows."""
    entries = [m for m in resolved.moves if m.state == "in_host_state"]
    movements = [m for m in resolved.moves if m.state != "in_host_state"]
    return unfollowed(movements, entries, resolved.order)


def _contradicting(accounts: list[Move], links: Links) -> list[Move]:
    """Return the accounts that differ in kind, or whose dates cannot be the same day.

    Where `after` says that one followed the other, they are two facts and no contradiction.
    """
    if not accounts:
        return []
    split = _is_split(accounts)
    last_start = max(m.claim.earliest or "" for m in accounts)
    first_end = min(m.claim.latest for m in accounts)

    def is_contradicted(move: Move) -> bool:
        claim = move.claim
        if not split and last_start <= claim.latest and (claim.earliest or "") <= first_end:
            return False
        # Only what has a link is compared with the others one by one.
        if not links.has_any(claim):
            return True
        return any(_differ(move, other, links) for other in accounts)

    return [m for m in accounts if is_contradicted(m)]


def _differ(move: Move, other: Move, links: Links) -> bool:
    a, b = move.claim, other.claim
    if links.leads(a, b) or links.leads(b, a):
        return False
    return move.state != other.state or is_dated_after(a, b) or is_dated_after(b, a)


def _disagreement(
    track: str | None, told: Iterable[Move], critics: Iterable[str] = ()
) -> Disagreement:
    unique = {m.claim.id: m for m in told}
    listed = [unique[key] for key in sorted(unique)]
    return Disagreement(
        track=track,
        events=tuple(m.claim.id for m in listed),
        partners=tuple(sorted({m.claim.partner for m in listed} | set(critics))),
        states=tuple(sorted({m.state for m in listed if m.state})),
        dates=tuple(Since(m.claim.earliest, m.claim.latest) for m in listed),
    )
