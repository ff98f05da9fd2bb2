"""Partners at random against a model in memory: same answers, and nothing restricted is visible.

The steps are in `machine.py`, what is looked at after each in `watch.py`, the model in `model.py`.
That all of it would notice is shown by leaks that are put in on purpose.
"""

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from caseflow.api import auth, conditional, reading
from caseflow.api import events as api_events
from caseflow.api import statistics as api_statistics
from caseflow.domain import case, checks, publication
from caseflow.domain.dossier import Dossier
from caseflow.domain.publication import Publication
from caseflow.eventstore.application import Cases
from caseflow.projections.public import publishing, statistics, values
from caseflow.projections.public.publishing import PublicHistory
from caseflow.settings import Settings
from tests.houses import new_settings

from .machine import Machine
from .watch import BASE, NAME


def machine_on(
    kind: str, request: pytest.FixtureRequest, base: type[Machine] = Machine
) -> type[Machine]:
    """Return the machine with houses on a kind of database."""

    @contextmanager
    def open_settings(folder: Path, review: str) -> Iterator[Settings]:
        environ = {
            "CASEFLOW_BASE_URL": BASE,
            "CASEFLOW_NAME": NAME,
            "CASEFLOW_REVIEW": review,
            "CASEFLOW_RATE_PER_PARTNER": "0",
            "CASEFLOW_RATE_PER_ADDRESS": "0",
        }
        with new_settings(kind, request, folder, **environ) as found:
            yield found

    return type("Machine", (base,), {"open_settings": staticmethod(open_settings)})


def few(examples: int, steps: int) -> settings:
    """Return settings that run the same everywhere."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=True,
        database=None,
        deadline=None,
        # A walk is read as it is: making it shorter would take minutes.
        phases=[Phase.generate],
    )


def run(machine: type[Machine], examples: int, steps: int) -> None:
    """Run a machine with the same walks each time; a failure prints its steps."""
    run_state_machine_as_test(machine, settings=few(examples, steps))


def test_partners_at_random(request: pytest.FixtureRequest) -> None:
    """On SQLite, what a check of every change has time for."""
    run(machine_on("sqlite", request), 8, 22)


@pytest.mark.postgresql
def test_partners_at_random_on_postgresql(request: pytest.FixtureRequest) -> None:
    run(machine_on("postgresql", request), 2, 15)


@pytest.mark.soak
@pytest.mark.parametrize(
    "kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
def test_many_partners_at_random(request: pytest.FixtureRequest, kind: str) -> None:
    """Other walks each time, and long ones."""
    longer = settings(
        max_examples=150,
        stateful_step_count=40,
        deadline=None,
        database=None,
        phases=[Phase.generate],
    )
    run_state_machine_as_test(machine_on(kind, request), settings=longer)


# -- walks by hand --------------------------------------------------------------------------------

Walk = Callable[[Machine], None]
DAY: Final = "2025-06-20"


def stay(machine: Machine) -> None:
    """Do no more than begin."""


def tell(who: str, kind: str, visibility: str = "public", *more: str) -> Walk:
    return lambda machine: machine.tell(who, 0, kind, DAY, visibility, set(more))


def narrow(who: str, number: int, level: str) -> Walk:
    return lambda m: m.change_consent(who, number, level, "own", False, "current", False)


def merge(who: str, number: int, into: int) -> Walk:
    return lambda machine: machine.merge(who, number, into, "current")


def take(
    machine: Machine, walks: Iterable[Walk], first: str = "anonymous", second: str = "name"
) -> None:
    """Take walks, one after another, in a house with two persons who agreed to so much."""
    try:
        machine.begin("scope", first, second)
        for walk in walks:
            walk(machine)
    except BaseException:
        machine.stack.close()
        raise
    machine.teardown()


class Walks(NamedTuple):
    """What once went wrong."""

    walks: tuple[Walk, ...]
    first: str = "anonymous"
    second: str = "anonymous"


FOUND: Final = {
    # Each into the other, both after a judgement that they are not the same: one comes to nothing.
    "merges_that_wait_go_round": Walks(
        (
            lambda machine: machine.unmerge("author", 0, 1),
            merge("author", 0, 1),
            merge("phone", 1, 0),
            lambda machine: machine.review("reviewer", 2, "approve"),
            lambda machine: machine.review("reviewer", 1, "approve"),
        )
    ),
    "what_was_restricted_is_named_by_its_correction": Walks(
        (
            tell("lawyer", "asylum.claim_made", "restricted"),
            lambda m: m.correct("lawyer", 1, "asylum.claim_made", DAY, "public", set(), "typo"),
        )
    ),
    # What was shown of one would be shown under the other, of which nobody ever heard.
    "nothing_is_shown_under_a_case_that_is_only_counted": Walks(
        (merge("reviewer", 0, 1), narrow("author", 0, "count")), "initials", "count"
    ),
    "a_stop_holds_back_what_a_merge_would_tell": Walks(
        (Machine.freeze_or_resume, merge("reviewer", 0, 1), Machine.freeze_or_resume)
    ),
}


@pytest.mark.parametrize("found", FOUND)
def test_what_once_went_wrong(request: pytest.FixtureRequest, found: str) -> None:
    walks, first, second = FOUND[found]
    take(machine_on("sqlite", request)(), walks, first, second)


# -- leaks put in on purpose ----------------------------------------------------------------------


def show(state: str) -> Callable[..., Any]:
    """Return `publication_of`, but that what is in a state is published."""

    def publication_of(*args: Any) -> Publication:
        found = publication.publication_of(*args)
        return Publication("published", counted=True) if found.state == state else found

    return publication_of


def count_none(*args: Any) -> Publication:
    found = publication.publication_of(*args)
    return found._replace(counted=True) if found.reason == "consent_none" else found


def call_by_name(subject: Any, consent: Any, code: str, language: str) -> str:
    wider = msgspec.structs.replace(consent, publish="name")
    return publication.public_label(subject, wider, code, language)


def end_of_log(snapshot: Any, caller: Any, known_at: int | None = None) -> int:
    return int(snapshot.head.position)


def repeat_dates(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for pointer, _ in bad_dates(fields):
        yield pointer, f"is no date: {fields['occurred']}"


def say_claims(self: Cases, *args: Any, **kwargs: Any) -> Any:
    logging.getLogger("caseflow").debug("recording %s", args[2])
    return record_claim(self, *args, **kwargs)


bad_dates = checks._bad_dates
record_claim = Cases.record_claim
numbers_given = itertools.count()


class Leak(NamedTuple):
    """A way to tell what must not be told, and a short walk that comes past it."""

    changes: tuple[tuple[Any, str, Any], ...]
    walk: Walk = stay
    first: str = "anonymous"


def leak(owner: Any, name: str, instead: Any, walk: Walk = stay, first: str = "anonymous") -> Leak:
    return Leak(((owner, name, instead),), walk, first)


def hide_what_others_tell_of(machine: Machine) -> None:
    machine.publish(0, "expulsion.executed", DAY)
    machine.publish(0, "prosecution.charged", DAY)
    machine.retract("author", 2, "unsafe")


LEAKS: Final = {
    "private_note": leak(publication, "NEVER_PUBLIC", frozenset({"external_id", "visibility"})),
    "external_id": leak(publication, "NEVER_PUBLIC", frozenset({"private_note", "visibility"})),
    "sources": leak(
        publication,
        "shows_sources",
        lambda consent: True,
        tell("author", "extradition.granted", "public", "sources"),
    ),
    "destination": leak(publication, "WHEREABOUTS", frozenset(), tell("author", "departure.left")),
    "name_of_the_anonymous": leak(values, "public_label", call_by_name),
    "words_of_the_withdrawn": leak(
        PublicHistory, "_empty", lambda *_: None, lambda m: m.retract("author", 1, "false")
    ),
    "words_of_the_narrowed": leak(
        publishing, "_tells_too_much", lambda *_: False, narrow("phone", 1, "anonymous")
    ),
    "before_the_review": leak(
        case, "publication_of", show("awaiting_review"), tell("phone", "asylum.claim_made")
    ),
    "before_the_embargo_ends": leak(
        case,
        "publication_of",
        show("embargoed"),
        tell("author", "asylum.claim_made", "public", "embargo"),
    ),
    "who_is_not_to_be_counted": leak(case, "publication_of", count_none, first="none"),
    "numbers_of_the_past": leak(
        statistics, "is_forgotten", lambda *_: False, narrow("author", 0, "none")
    ),
    "headlines_of_the_past": leak(
        publishing, "list_echoes", lambda *_: [], hide_what_others_tell_of
    ),
    "one_person": leak(Dossier, "is_joined", lambda *_: True, merge("reviewer", 0, 1)),
    "end_of_the_log": Leak(
        tuple((room, "position_of", end_of_log) for room in (api_events, api_statistics))
    ),
    "validators": leak(conditional, "etag_of", lambda *_: str(next(numbers_given))),
    "refusals": leak(checks, "_bad_dates", repeat_dates, lambda m: m.be_refused("author", 0)),
    "logs": leak(Cases, "record_claim", say_claims),
    "restricted_to_partners": leak(
        reading,
        "audience_of",
        lambda caller: "restricted",
        tell("author", "expulsion.executed", "restricted"),
    ),
    "effects_of_the_restricted": leak(
        api_statistics,
        "audience_of",
        lambda caller: "restricted",
        tell("author", "expulsion.executed", "restricted"),
    ),
    "keys_that_were_revoked": leak(
        auth, "CACHE_MICROSECONDS", 10**15, lambda m: m.revoke("author", 0)
    ),
}


@pytest.mark.parametrize("first", ["anonymous", "none"])
def test_without_a_leak_the_walks_end_well(request: pytest.FixtureRequest, first: str) -> None:
    take(machine_on("sqlite", request)(), [found.walk for found in LEAKS.values()], first)


@pytest.fixture
def leaking(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Leak:
    """A leak, put in."""
    found = LEAKS[request.param]
    for owner, name, instead in found.changes:
        monkeypatch.setattr(owner, name, instead)
    return found


@pytest.mark.parametrize("leaking", LEAKS, indirect=True)
def test_a_leak_is_found(request: pytest.FixtureRequest, leaking: Leak) -> None:
    """A service that tells what it must not does not pass."""
    with pytest.raises(AssertionError):
        take(machine_on("sqlite", request)(), [leaking.walk], leaking.first)


@pytest.mark.soak
@pytest.mark.parametrize("leaking", LEAKS, indirect=True)
def test_a_leak_is_found_by_chance(request: pytest.FixtureRequest, leaking: Leak) -> None:
    """The partners at random come past it without being led there."""
    with pytest.raises(AssertionError):
        run(machine_on("sqlite", request), 60, 22)
