"""What the tests of the domain share: claims told in one line, the demo cases, random claims."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from hypothesis import strategies as st

from caseflow.domain.facts import ClaimFacts, Frame, facts_of
from caseflow.domain.statistics import CaseFacts
from caseflow.domain.status import Status, resolve
from caseflow.domain.vocabulary import TYPES, AnyClaim, Claim

FRAME: Final = Frame(host_state="KZ", origin_state="RU")
# What each type must say, where a test does not care.
REQUIRED: Final[dict[str, dict[str, Any]]] = {
    "detention.apprehended": {"basis": "other"},
    "detention.custody_ordered": {"basis": "other"},
    "detention.released": {"condition": "none"},
    "wanted.listed": {"list": "national"},
    "asylum.refused": {"stage": "first_instance"},
    "appeal.filed": {"against": 1},
    "appeal.hearing_set": {"against": 1, "on": "2026-03-01"},
    "appeal.decided": {"against": 1, "outcome": "upheld"},
    "appeal.became_final": {"against": 1},
    "interim.decided": {"outcome": "granted"},
    "return.voluntary": {"pressure": "unknown"},
    "prosecution.charged": {"accusation": "desertion"},
    "prosecution.verdict": {"outcome": "convicted"},
    "prosecution.ended": {"reason": "served"},
    "case.closed": {"reason": "resolved"},
}


def numbered(number: int) -> UUID:
    """Return the event id that tests write as a number; a greater number is a greater id."""
    return UUID(int=number)


def claim(type_code: str, occurred: Any = "2025-05-01", **fields: Any) -> Claim:
    """Return a claim with the required fields of its type; `against` and `after` are numbers."""
    told = REQUIRED.get(type_code, {}) | fields | {"type": type_code, "occurred": occurred}
    for name in ("against", "after"):
        if isinstance(told.get(name), int):
            told[name] = str(numbered(told[name]))
    converted: Claim = msgspec.convert(told, type=AnyClaim)
    return converted


def tell(
    number: int, type_code: str, occurred: str = "2025-05-01", *, by: str = "a", **fields: Any
) -> ClaimFacts:
    """Return what the fold reads of a claim, told in the host state unless it says otherwise."""
    return facts_of(
        claim(type_code, occurred, **fields),
        event_id=numbered(number),
        partner=by,
        host_state=FRAME.host_state,
    )


def status_of(*claims: ClaimFacts, **options: Any) -> Status:
    """Return the status of a case between KZ and RU."""
    return resolve(FRAME, claims, **options)


def states_of(*claims: ClaimFacts, **options: Any) -> dict[str, str]:
    """Return track -> state of a case between KZ and RU."""
    return {track: t.state for track, t in status_of(*claims, **options).tracks.items()}


# -- the demo cases -------------------------------------------------------------------------------


class DemoCase(NamedTuple):
    """A case line of the demo file and the event lines that belong to it."""

    fields: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]

    @property
    def names(self) -> list[str]:
        """Return the person's names; none for a group."""
        return [name["text"] for name in self.fields.get("subject", {}).get("names", [])]


def demo_cases() -> dict[str, DemoCase]:
    """Return the packaged cases by their external id, in the order of the file."""
    cases: dict[str, DemoCase] = {}
    for line in (files("caseflow.demo") / "kazakhstan.ndjson").read_text("utf-8").splitlines():
        told = json.loads(line)
        if "case" in told:
            cases[told["case"]["external_id"]] = DemoCase(told["case"], [])
        else:
            event = told["event"]
            cases[event.pop("case").removeprefix("ext:")].events.append(event)  # type: ignore[attr-defined]
    return cases


def demo_facts(ids: Mapping[str, UUID] | None = None) -> dict[str, CaseFacts]:
    """Return the packaged cases as statistics read them; ids: of events by external id."""
    cases = demo_cases()
    if ids is None:
        told = [e["external_id"] for case in cases.values() for e in case.events]
        ids = {external_id: numbered(n) for n, external_id in enumerate(told, start=1)}
    return {
        name: CaseFacts(
            FRAME, case.fields["persons"], [_demo_claim(event, ids) for event in case.events]
        )
        for name, case in cases.items()
    }


def _demo_claim(event: Mapping[str, Any], ids: Mapping[str, UUID]) -> ClaimFacts:
    named = {
        field: str(ids[event[field].removeprefix("ext:")])
        for field in ("against", "after")
        if field in event
    }
    return facts_of(
        msgspec.convert({**event, **named}, type=AnyClaim),
        event_id=ids[event["external_id"]],
        partner="a",
        host_state=FRAME.host_state,
    )


# -- random claims --------------------------------------------------------------------------------

# Dates that overlap, touch and follow one another, so that every order is met.
DATES: Final = (
    "2025", "2025-05", "2025-05-01", "2025-05-02", "2025-05-31", "2025-06", "2025-06-01",
    "[2025-05-20..2025-06-10]", "[..2025-05-15]", "/2025-06", "2024-12~", "2026-01-29",
)  # fmt: skip
VERIFICATIONS: Final = ("confirmed", "likely", "possible", "unlikely")


@st.composite
def random_claim(draw: st.DrawFn, number: int, size: int) -> ClaimFacts:
    """Return a claim of any type that names any claim among `size`, itself and missing ones too."""
    type_code = draw(st.sampled_from(sorted(TYPES)))
    fields: dict[str, Any] = {
        "verification": draw(st.sampled_from(VERIFICATIONS)),
        "jurisdiction": draw(st.sampled_from(("KZ", "KZ", "KZ", "RU", "KG"))),
    }
    reference = st.integers(1, size + 1)
    if "against" in TYPES[type_code].struct.__struct_fields__:
        fields["against"] = draw(reference)
    if draw(st.integers(0, 3)) == 0:
        fields["after"] = draw(reference)
    if type_code == "appeal.decided":
        fields["outcome"] = draw(st.sampled_from(("upheld", "quashed", "remitted")))
    if type_code == "detention.apprehended":
        fields["basis"] = draw(st.sampled_from(("wanted", "other")))
    if type_code == "detention.custody_ordered":
        fields["basis"] = draw(st.sampled_from(("extradition", "other")))
    if type_code in ("extradition.surrendered", "expulsion.executed"):
        fields["destination"] = draw(st.sampled_from(("RU", "TR")))
    occurred = draw(st.sampled_from(DATES))
    return tell(number, type_code, occurred, by=draw(st.sampled_from("ab")), **fields)


@st.composite
def random_claims(draw: st.DrawFn, *, at_most: int = 7) -> list[ClaimFacts]:
    """Return claims of one case, in the order of their ids."""
    size = draw(st.integers(1, at_most))
    return [draw(random_claim(number, size)) for number in range(1, size + 1)]
