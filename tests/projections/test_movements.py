"""Why the numbers moved: the sum of all movements is the statistics, for whoever asks."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import given

from caseflow.domain.movements import Numbers, flatten, total
from caseflow.domain.statistics import tally
from caseflow.eventstore.reading import Snapshot
from caseflow.projections.movements import Explained, Explanation, Source, States, explain
from caseflow.projections.partner import statistics as partner_statistics
from caseflow.projections.partner.changes import PartnerChanges
from caseflow.projections.public import statistics as public_statistics
from caseflow.projections.public.changes import PublicChanges
from tests.histories import History, Step, few, new_history, steps

STATES: Final[list[States]] = [("KZ", None), ("KG", "RU")]


class Reader(NamedTuple):
    """Who may ask: where it reads changes, and the facts that statistics read."""

    source: Source
    facts: Callable[..., Any]


def list_readers(history: History, snapshot: Snapshot, states: States) -> Iterator[Reader]:
    where = snapshot.connection, snapshot.view_set
    named = {"host_state": states[0], "origin_state": states[1]}
    facts = partial(public_statistics.list_case_facts, *where, **named)
    yield Reader(PublicChanges(*where, states), facts)
    for caller in history.callers:
        seen = {
            "audience": "restricted" if caller.reads_restricted else "partners",
            "own": caller.partner_id,
        }
        facts = partial(partner_statistics.list_case_facts, *where, **seen, **named)
        yield Reader(PartnerChanges(*where, states, **seen), facts)


def numbers(reader: Reader, known_at: int | None = None) -> Numbers:
    """Return the statistics that a reader gets, folded from all persons at once."""
    return flatten(tally(reader.facts(known_at=known_at), as_of=None, until="2026-02-10"))


def list_pages(source: Source, limit: int) -> Iterator[Explanation]:
    after = 0
    while True:
        found = explain(source, after=after, limit=limit)
        yield found
        if found.is_last:
            return
        after = found.changes[-1].change.position


def sum_up(changes: Iterable[Explained], *more: Numbers) -> Numbers:
    return total(*(n for c in changes for n in (c.moved, c.beside)), *more)


def check(history: History) -> None:
    with history.house.reader.snapshot() as snapshot:
        for reader in list_readers(history, snapshot, (None, None)):
            whole = explain(reader.source, after=0, limit=500)
            check_sums(reader, whole)
            check_pages(reader, whole)
        for states in STATES:
            for reader in list_readers(history, snapshot, states):
                found = explain(reader.source, after=0, limit=500)
                assert sum_up(found.changes, found.beside) == numbers(reader)


def check_sums(reader: Reader, whole: Explanation) -> None:
    """Assert that what moved up to a time is the statistics as they were known then."""
    assert sum_up(whole.changes, whole.beside) == numbers(reader)
    for at in {explained.change.at for explained in whole.changes}:
        until = [e for e in whole.changes if e.change.at <= at]
        assert sum_up(until) == numbers(reader, at)


def check_pages(reader: Reader, whole: Explanation) -> None:
    """Assert that the pages say what the whole does, wherever they are cut."""
    pages = list(list_pages(reader.source, 2))
    assert [e for page in pages for e in page.changes] == whole.changes
    assert pages[-1].beside == whole.beside
    assert all(page.beside == {} for page in pages[:-1])


@few(20)
@given(taken=steps())
def test_the_sum_of_what_moved_is_the_statistics(
    request: pytest.FixtureRequest, taken: list[Step]
) -> None:
    with new_history("sqlite", request, taken) as history:
        check(history)


@pytest.mark.postgresql
@few(3)
@given(taken=steps())
def test_the_sum_of_what_moved_is_the_statistics_on_postgresql(
    request: pytest.FixtureRequest, taken: list[Step]
) -> None:
    with new_history("postgresql", request, taken) as history:
        check(history)
