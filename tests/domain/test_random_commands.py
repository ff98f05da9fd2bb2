"""Random commands to a case: what is decided evolves, and nothing comes out that must not."""

from typing import Any, NamedTuple
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from caseflow.domain.case import Case, evolve
from caseflow.domain.commands import (
    Act,
    ChangeConsent,
    Command,
    OpenCase,
    ReleasePublication,
    Review,
)
from caseflow.domain.decisions import Scene, decide
from caseflow.domain.errors import CaseflowError
from caseflow.domain.events import Consent, Event
from caseflow.domain.names import finds_name
from caseflow.domain.publication import find_names, is_embargoed
from caseflow.domain.vocabulary import TYPES
from tests.commands import (
    EMBARGO,
    NOW,
    OTHER,
    PARTNER,
    THIRD,
    amending,
    consenting,
    correcting,
    corroborating,
    disputing,
    merging,
    objecting,
    opening,
    other_case,
    recording,
    releasing,
    retracting,
    reviewing,
    showing,
    snapshot,
    unmerging,
)
from tests.strategies import DATES

MINUTE = 60_000_000
FIRST = 10
TYPE_CODES = (
    "asylum.refused", "appeal.filed", "appeal.decided", "person.died", "interim.requested",
    "extradition.granted", "departure.left",
)  # fmt: skip
LEVELS = ("none", "count", "anonymous", "pseudonym", "initials", "name")
NAMES = ("Михаил Жилин", "Пётр Петров", "Swift")
ELSEWHERE = other_case()


# Who asks, and what the key may.
ROLES: tuple[dict[str, Any], ...] = (
    {"partner_id": PARTNER, "may_publish": True},
    {"partner_id": PARTNER, "may_publish": False},
    {"partner_id": PARTNER, "may_publish": True, "two_person": True},
    {"partner_id": PARTNER, "may_publish": True, "may_review": True},
    {"partner_id": OTHER, "may_publish": True},
    {"partner_id": OTHER, "may_publish": False, "may_review": True},
    {"partner_id": THIRD, "may_publish": True, "may_review": True, "reads_restricted": True},
)


class Known(NamedTuple):
    """What a walk can name: its own number, the claims told so far, and what waits."""

    number: int
    claims: list[int]
    waiting: list[int]


@st.composite
def random_claim(draw: st.DrawFn, known: Known) -> dict[str, Any]:
    """Return type, date and fields of a claim, which may name what is not there."""
    type_code = draw(st.sampled_from(TYPE_CODES))
    told: dict[str, Any] = {
        "type_code": type_code,
        "occurred": draw(st.sampled_from(DATES)),
        "visibility": draw(st.sampled_from(("public", "public", "public", "partners"))),
    }
    if type_code.startswith("appeal."):
        told["against"] = _target(draw, known)
    if draw(st.integers(0, 5)) == 0:
        told["after"] = _target(draw, known)
    if draw(st.integers(0, 5)) == 0:
        told["publish_after"] = EMBARGO
    if draw(st.integers(0, 2)) == 0:
        told["place"] = draw(st.sampled_from(("дом Жилина", "у Петрова", "Swift")))
    if draw(st.integers(0, 3)) == 0:
        told["sources"] = [{"title": "Zhilin"}]
    if draw(st.integers(0, 3)) == 0:
        told["jurisdiction"] = "FR"
    if draw(st.integers(0, 9)) == 0:
        told["visibility"] = "restricted"
    return told


def _record(draw: st.DrawFn, known: Known, acting: dict[str, Any]) -> Command:
    return recording(known.number, **draw(random_claim(known)), **acting)


def _correct(draw: st.DrawFn, known: Known, acting: dict[str, Any]) -> Command:
    told = draw(random_claim(known)) | {"reason": draw(st.sampled_from(("typo", "new_evidence")))}
    return correcting(known.number, _target(draw, known), **told, **acting)


def _judge(draw: st.DrawFn, known: Known, acting: dict[str, Any]) -> Command:
    judge = draw(st.sampled_from((corroborating, disputing)))
    return judge(known.number, _target(draw, known), **acting)


def _show(draw: st.DrawFn, known: Known, acting: dict[str, Any]) -> Command:
    visibility = draw(st.sampled_from(("public", "public", "partners", "restricted")))
    hides = visibility == "restricted" and draw(st.booleans())
    of = _target(draw, known)
    return showing(known.number, of, visibility, until_review=hides, **acting)


def _consent(draw: st.DrawFn, known: Known, acting: dict[str, Any]) -> Command:
    level = draw(st.sampled_from(LEVELS))
    basis = draw(st.sampled_from(("own", "representative", "already_public")))
    pseudonym = draw(st.sampled_from((None, "Swallow", "Swift")))
    return consenting(known.number, level, basis, pseudonym=pseudonym, **acting)


def _amend(draw: st.DrawFn, known: Known, acting: dict[str, Any]) -> Command:
    names = draw(st.lists(st.sampled_from(NAMES), max_size=2))
    return amending(known.number, *names, **acting)


def _review(draw: st.DrawFn, known: Known, acting: dict[str, Any]) -> Command:
    decision = draw(st.sampled_from(("approve", "approve", "decline")))
    target = draw(st.sampled_from([*known.waiting, known.number]))
    return reviewing(known.number, target, decision, **acting)


def _identify(draw: st.DrawFn, known: Known, acting: dict[str, Any]) -> Command:
    identify = draw(st.sampled_from((merging, unmerging)))
    return identify(known.number, ELSEWHERE.id, **acting)


def _object(draw: st.DrawFn, known: Known, _acting: dict[str, Any]) -> Command:
    return objecting(known.number, text=draw(st.sampled_from((None, "it is me"))))


def _retract(draw: st.DrawFn, known: Known, acting: dict[str, Any]) -> Command:
    return retracting(known.number, _target(draw, known), **acting)


def _release(draw: st.DrawFn, known: Known, _acting: dict[str, Any]) -> Command:
    return releasing(known.number, _target(draw, known))


def _open(_draw: st.DrawFn, _known: Known, _acting: dict[str, Any]) -> Command:
    return opening()


def _target(draw: st.DrawFn, known: Known) -> int:
    """Return a claim, or an event that is not there yet."""
    return draw(st.sampled_from([*known.claims, known.number]))


# What is told and shown leads somewhere, and so comes more often.
KINDS = (
    _record, _record, _record, _correct, _correct, _show, _show, _review, _review, _review,
    _consent, _consent, _amend, _judge, _retract, _release, _identify, _object, _open,
)  # fmt: skip


@st.composite
def random_command(draw: st.DrawFn, known: Known) -> Command:
    """Return any command of anybody."""
    acting = dict(draw(st.sampled_from(ROLES)))
    if draw(st.integers(0, 9)) == 0:
        acting["expected_version"] = draw(st.integers(1, 4))
    kind = draw(st.sampled_from(KINDS if len(known.claims) > 1 else (_record,)))
    return kind(draw, known, acting)


# -- what must hold -------------------------------------------------------------------------------


def shown_by(case: Case) -> set[UUID]:
    """Return the claims that move public numbers, shown or not."""
    return {c.event_id for c in case.claims.values() if c.publication.counted}


def _may_show_more(case: Case, command: Act | ReleasePublication, *, frozen: bool) -> bool:
    """Return whether the public may get more by a command: not during a halt, nor unseen."""
    if isinstance(command, ChangeConsent) and case.consent.basis == "already_public":
        return True  # A source that is public no longer names nobody.
    if frozen:
        return False
    if isinstance(command, Review):
        return command.decision == "approve"
    return isinstance(command, ReleasePublication) or command.may_publish


def _assert_allowed(case: Case, command: Act | ReleasePublication, event: Event) -> None:
    assert (event.originator_version, event.id) == (case.version + 1, command.event_id)
    if isinstance(command, ReleasePublication):
        told = case.claims[command.claim_id]
        assert told.publication.state == "embargoed"
        assert not is_embargoed(told.claim, event.recorded_at)
        return
    assert command.expected_version in (None, case.version)
    readable = _readable_by(case, command)
    named = [getattr(command, "claim_id", None)]
    if event.claim is not None:
        named += [_as_id(getattr(event.claim, name, None)) for name in ("against", "after")]
    assert {event_id for event_id in named if event_id is not None} <= readable
    if isinstance(command, Review) and command.target in case.claims:
        assert case.claims[command.target].posted_by != command.partner_id


def _readable_by(case: Case, command: Act) -> set[UUID]:
    audience = "restricted" if command.reads_restricted else "partners"
    return {c.event_id for c in case.readable_claims(audience, command.partner_id)}


def _as_id(text: str | None) -> UUID | None:
    return UUID(text) if text else None


def _assert_nothing_comes_out_that_must_not(case: Case) -> None:
    for told in case.claims.values():
        if not told.publication.counted:
            assert not told.is_public
            continue
        assert told.in_force
        assert case.consent.publish != "none"
        assert (told.standing.visibility, told.visibility) == ("public", "public")
        assert (told.standing.hold, told.standing.embargoed) == (None, False)
        assert TYPES[told.facts.type].ceiling == "public"
        assert not find_names(told.claim, case.subject, case.consent)
        assert told.is_public is (case.consent.publish != "count")
        if case.consent.basis == "representative":
            assert not case.is_about_asylum(told.claim)
    pseudonym = case.consent.pseudonym
    assert not (pseudonym and finds_name([n.text for n in case.subject.names], pseudonym))
    for audience in ("public", "partners", "restricted"):
        case.status_for(audience)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(LEVELS), st.sampled_from(("own", "representative")))
def test_random_commands_are_refused_or_change_the_case_as_a_replay_does(
    data: st.DataObject, level: Any, basis: Any
) -> None:
    agreed = Consent(publish=level, basis=basis, pseudonym="Swallow")
    events = [decide(None, opening(consent=agreed), NOW)]
    case = evolve(None, events[0])
    assert case is not None
    for number in range(FIRST, FIRST + data.draw(st.integers(4, 16))):
        waiting = [e.id.int for e in events if e.hold] + [e.int for e in case.pending]
        known = Known(number, [event_id.int for event_id in case.claims], waiting)
        command, at = data.draw(random_command(known)), NOW + (number - FIRST) * 6 * MINUTE
        scene = Scene(now=at, frozen=data.draw(st.integers(0, 5)) == 0, into=ELSEWHERE)
        before, shown = snapshot(case), shown_by(case)
        try:
            event = decide(case, command, at, scene=scene)
        except CaseflowError:
            assert snapshot(case) == before
            continue
        assert snapshot(case) == before
        assert not isinstance(command, OpenCase)
        _assert_allowed(case, command, event)
        may_show_more = _may_show_more(case, command, frozen=scene.frozen)
        case.evolve(event)
        events.append(event)
        _assert_nothing_comes_out_that_must_not(case)
        assert may_show_more or shown_by(case) <= shown
    replayed = Case.from_events(events)
    assert replayed is not None
    assert snapshot(replayed) == snapshot(case)
    assert [e.originator_version for e in events] == list(range(1, case.version + 1))
