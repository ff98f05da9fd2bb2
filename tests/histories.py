"""Random histories in a real house: partners open cases, tell, correct, retract, dispute, merge.

What is drawn is plain numbers, so that a history can be printed and made shorter; what they stand
for is worked out from what is there when a step is taken. A refused step records nothing.
"""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from caseflow.bootstrap import House
from caseflow.domain.commands import (
    ChangeConsent,
    ChangeVisibility,
    CorrectClaim,
    CorroborateClaim,
    DisputeClaim,
    MergeCase,
    RetractClaim,
    UnmergeCase,
)
from caseflow.domain.errors import CaseflowError
from caseflow.domain.events import Consent
from caseflow.domain.times import format_time
from caseflow.domain.vocabulary import AnyClaim
from caseflow.eventstore.partners import Caller
from tests.houses import (
    AUTHOR,
    GIVE_UP_SECONDS,
    Clock,
    Desk,
    new_partner,
    new_settings,
    one_batch,
    run_house,
)

DAYS: Final = ("2025-05-01", "2025-05", "2025-05-10", "2025-06-20", "2025-06/2025-07", "2025-08")
CLAIMS: Final[tuple[dict[str, Any], ...]] = (
    {"type": "detention.apprehended", "basis": "wanted"},
    {"type": "detention.custody_ordered", "basis": "extradition"},
    {"type": "detention.released", "condition": "none"},
    {"type": "extradition.granted"},
    {"type": "extradition.surrendered", "destination": "RU"},
    {"type": "extradition.refused"},
    {"type": "asylum.claim_made"},
    {"type": "asylum.refused", "stage": "first_instance"},
    {"type": "expulsion.executed", "destination": "RU"},
    {"type": "departure.left", "destination": "GE"},
    {"type": "appeal.filed"},
    {"type": "person.entered", "jurisdiction": "KG"},
)
SEEN: Final = ("public", "public", "public", "partners", "restricted")
LEVELS: Final = ("anonymous", "none", "count", "anonymous", "name")
CORRECTED: Final = ("typo", "new_evidence", "wrong_person")
RETRACTED: Final = ("false", "unsafe", "duplicate", "source_withdrew", "wrong_person")
CALLED: Final = {"names": [{"text": "Иван Иванов", "language": "ru", "kind": "primary"}]}
KINDS: Final = (
    *["open", "tell", "tell", "tell", "tell", "correct", "correct", "retract", "dispute"],
    *[
        "dispute",
        "corroborate",
        "show",
        "show",
        "consent",
        "consent",
        "consent",
        "merge",
        "unmerge",
        "object",
    ],
)

OF_REVIEWERS: Final = ("correct", "retract", "consent", "merge", "unmerge", "show")


class Step(NamedTuple):
    """Something is asked for. number, other: which of what there is, and which value.

    together: it is recorded in one batch with the step before, and so at the same time.
    """

    kind: str
    by: int
    number: int
    other: int
    day: int
    seen: int
    together: bool


def steps(at_most: int = 20) -> st.SearchStrategy[list[Step]]:
    """Return histories; the first steps open cases and tell something of them."""
    few, many = st.integers(0, 2), st.integers(0, 59)
    step = st.builds(Step, st.sampled_from(KINDS), few, many, many, many, many, st.booleans())
    return st.lists(step, min_size=6, max_size=at_most).map(lambda found: [*BEGIN, *found])


BEGIN: Final = (
    Step("open", 0, 0, 0, 0, 0, together=False),
    Step("open", 1, 2, 2, 0, 0, together=False),
    Step("tell", 0, 0, 3, 2, 0, together=False),
    Step("tell", 1, 1, 0, 0, 0, together=False),
)


@contextmanager
def new_history(
    kind: str, request: pytest.FixtureRequest, taken: list[Step]
) -> "Iterator[History]":
    """Yield a house of its own, on a kind of database, in which steps were taken."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        clock = Clock()
        unlimited = {"CASEFLOW_RATE_PER_PARTNER": "0", "CASEFLOW_RATE_PER_ADDRESS": "0"}
        found = stack.enter_context(new_settings(kind, request, folder, **unlimited))
        history = History(stack.enter_context(run_house(found, clock)), clock)
        history.take(taken)
        yield history


def few(examples: int) -> settings:
    """Return settings that run the same everywhere."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        # A history is read as it is: making it shorter would take minutes.
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


class History:
    """A house and what partners do in it; the clock goes on by a minute with each batch.

    times: after each batch, microseconds.
    """

    def __init__(self, house: House, clock: Clock) -> None:
        self.house = house
        self.clock = clock
        self.partners = [
            new_partner(house, *AUTHOR, "review", "restricted:read", public_name="One"),
            new_partner(house, *AUTHOR),
            new_partner(house, *AUTHOR, "review", public_name="Three"),
        ]
        self.reader = new_partner(house, "restricted:read")
        self.stranger = new_partner(house, "events:write")
        self.cases: list[UUID] = []
        self.claims: list[tuple[UUID, UUID]] = []
        self.times: list[int] = []

    @property
    def desks(self) -> list[Desk]:
        """Return who may ask with a key: the authors, a reader of all, and who may little."""
        return [*self.partners, self.reader, self.stranger]

    @property
    def callers(self) -> list[Caller]:
        """Return the same as the house knows them."""
        return [desk.caller for desk in self.desks]

    def take(self, steps: list[Step]) -> None:
        """Take steps, batch by batch."""
        batch: list[Step] = []
        for step in [*steps, None]:
            if batch and (step is None or not step.together):
                self._take_together(batch)
                batch = []
            if step is not None:
                batch.append(step)

    def _take_together(self, batch: list[Step]) -> None:
        self.clock.set(format_time(self.clock() + 60_000_000))
        with one_batch(self.house.writer) if len(batch) > 1 else nullcontext():
            asked = [(step, self._try(step)) for step in batch]
        for step, future in asked:
            if future is not None:
                self._note(step, future)
        self.times.append(self.clock())

    def _note(self, step: Step, future: "Future[Any]") -> None:
        try:
            found = future.result(GIVE_UP_SECONDS)
        except CaseflowError:
            return
        if step.kind == "object":
            return
        told = found.rendered
        if step.kind == "open":
            self.cases.append(told.case_id)
        if step.kind in ("tell", "correct"):
            self.claims.append((told.case_id, told.event_id))

    def _try(self, step: Step) -> "Future[Any] | None":
        try:
            return self._ask(step)
        except CaseflowError:  # some are refused before they wait for their turn
            return None

    def _ask(self, step: Step) -> "Future[Any] | None":
        # The second may not review, and so takes nothing back but what is its own.
        desk = self.partners[2 if step.kind in OF_REVIEWERS and step.by == 1 else step.by]
        if step.kind == "open":
            return desk.submit_case(
                LEVELS[step.number % len(LEVELS)],
                persons=1 + step.other % 3,
                host_state=("KZ", "KZ", "KG")[step.day % 3],
                subject=CALLED,
            )
        if not self.cases:
            return None
        case = self.cases[step.number % len(self.cases)]
        if step.kind == "tell":
            claim = self._said(step, case)
            return desk.submit_claim(case, claim.pop("type"), claim.pop("occurred"), **claim)
        if step.kind == "object":
            return self.house.cases.record_objection(case, by="person", text=f"{step.other % 3}")
        if step.kind in ("consent", "merge", "unmerge"):
            return self._ask_of_case(desk, step, case)
        return self._ask_of_claim(desk, step) if self.claims else None

    def _said(self, step: Step, case: UUID) -> dict[str, Any]:
        said = CLAIMS[step.other % len(CLAIMS)] | {
            "occurred": DAYS[step.day % len(DAYS)],
            "visibility": SEEN[step.seen % len(SEEN)],
        }
        told = [event for of, event in self.claims if of == case]
        if said["type"] == "appeal.filed":
            said["against"] = str(told[step.seen % len(told)]) if told else str(case)
        return said

    def _ask_of_case(self, desk: Desk, step: Step, case: UUID) -> "Future[Any]":
        if step.kind == "consent":
            level = LEVELS[step.other % len(LEVELS)]
            consent = Consent(publish=level, basis="own")  # type: ignore[arg-type]
            return desk.submit_act(ChangeConsent, case, consent=consent)
        if step.kind == "merge":
            others = [other for other in self.cases if other != case]
            into = others[step.other % len(others)] if others else case
            return desk.submit_act(MergeCase, case, into=into)
        return desk.submit_act(UnmergeCase, case)

    def _ask_of_claim(self, desk: Desk, step: Step) -> "Future[Any]":
        case, claim = self.claims[step.number % len(self.claims)]
        match step.kind:
            case "correct":
                said = msgspec.convert(self._said(step, case), AnyClaim)
                reason = CORRECTED[step.other % len(CORRECTED)]
                asked = {"claim_id": claim, "reason": reason, "replacement": said}
                return desk.submit_act(CorrectClaim, case, **asked)
            case "retract":
                reason = RETRACTED[step.other % len(RETRACTED)]
                return desk.submit_act(RetractClaim, case, claim_id=claim, reason=reason)
            case "dispute":
                against = step.other % 3 > 0
                asked = {"claim_id": claim, "reason": "no", "rank_against": against}
                return desk.submit_act(DisputeClaim, case, **asked)
            case "corroborate":
                return desk.submit_act(CorroborateClaim, case, claim_id=claim)
        seen = SEEN[step.seen % len(SEEN)]
        return desk.submit_act(ChangeVisibility, case, claim_id=claim, visibility=seen)
