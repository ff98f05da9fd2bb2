"""The order in which the same lines arrive changes neither a status nor a number."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.resources import files
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caseflow.bootstrap import House
from caseflow.domain.statistics import Statistics, tally
from caseflow.domain.status import Status
from caseflow.eventstore.importing import import_lines
from caseflow.eventstore.partners import NO_KEY, Caller
from caseflow.projections.listing import CaseFilter
from caseflow.projections.partner import statistics as partner_statistics
from caseflow.projections.public import statistics as public_statistics
from caseflow.projections.public.status import list_cases
from caseflow.settings import Settings
from tests.houses import new_settings

SEED: Final = [
    json.loads(line)
    for line in (files("caseflow.demo") / "kazakhstan.ndjson").read_text("utf-8").splitlines()
]
NAMESPACE: Final = UUID(int=1)
PARTNER: Final = UUID(int=2)
CALLER: Final = Caller(PARTNER, "Press desk", frozenset({"events:write", "events:publish"}), NO_KEY)
DAYS: Final = (None, "2026-01-28", "2026-02-10", "2025-06-15")

Outcome = tuple[dict[UUID, tuple[Status, ...]], list[Statistics]]


def name_of(line: dict[str, Any]) -> str:
    (part,) = line.values()
    return str(part["external_id"])


def needs_of(line: dict[str, Any]) -> list[str]:
    """Return the external ids that have to be there before a line."""
    part = line.get("event", {})
    named = [part[field] for field in ("case", "against", "after") if field in part]
    return [name.removeprefix("ext:") for name in named]


NEEDS: Final = [[[name_of(x) for x in SEED].index(n) for n in needs_of(line)] for line in SEED]


def allowed(wanted: Sequence[int]) -> list[int]:
    """Return an order as near to the wanted one as cases before events, decisions before appeals
    leave: whatever a line needs is drawn in front of it.
    """
    found: dict[int, None] = {}

    def take(number: int) -> None:
        for needed in NEEDS[number]:
            take(needed)
        found.setdefault(number)

    for number in wanted:
        take(number)
    return list(found)


class Ids:
    """Gives each line the same ids in whatever order it comes."""

    def __init__(self) -> None:
        self.line = ""
        self.given = 0

    def begin(self, line: str) -> None:
        self.line, self.given = line, 0

    def __call__(self) -> UUID:
        self.given += 1
        return uuid5(NAMESPACE, f"{self.line} {self.given}")


@contextmanager
def writing(found: Settings, ids: Ids) -> Iterator[House]:
    """Yield a house of which nothing runs but the writer."""
    house = House(found, new_id=ids)
    house.writer.start()
    try:
        yield house
    finally:
        house.writer.stop()
        house.engine.dispose()
        house.keys_engine.dispose()


def run(found: Settings, order: Sequence[int]) -> Outcome:
    """Import the lines in an order, through the command path, and return what the views say."""
    ids = Ids()

    def lines() -> Iterator[bytes]:
        for number in order:
            ids.begin(name_of(SEED[number]))
            yield json.dumps(SEED[number]).encode()

    with writing(found, ids) as house:
        results = list(import_lines(house.cases, CALLER, lines()))
        assert [result.result for result in results] == ["created"] * len(order)
        return outcome(house)


def outcome(house: House) -> Outcome:
    with house.reader.snapshot() as snapshot:
        where = snapshot.connection, snapshot.view_set
        shown = {c.case_id: c.decode_status() for c in list_cases(*where, CaseFilter(limit=500))}
        statuses: dict[UUID, tuple[Status, ...]] = {}
        for number, line in enumerate(SEED):
            if "case" in line:
                case = house.reader.find_case(
                    snapshot, uuid5(NAMESPACE, f"{name_of(line)} 1"), _versions()[number]
                )
                assert case is not None
                told = [case.status_for(a, as_of=d) for a in ("partners", "public") for d in DAYS]
                statuses[case.id] = (*told, shown.get(case.id, told[0]))
        own = {"audience": "partners", "own": PARTNER}
        numbers = [
            tally(list(facts), as_of=day, until="2026-02-11")
            for day in DAYS
            for facts in (
                public_statistics.list_case_facts(*where),
                partner_statistics.list_case_facts(*where, **own),  # type: ignore[arg-type]
            )
        ]
    return statuses, numbers


def _versions() -> dict[int, int]:
    """Return how many events the case of each case line has, itself included."""
    names = {name_of(line): number for number, line in enumerate(SEED) if "case" in line}
    found = dict.fromkeys(names.values(), 1)
    for line in SEED:
        if "event" in line:
            found[names[line["event"]["case"].removeprefix("ext:")]] += 1
    return found


Fresh = Callable[[str], AbstractContextManager[Settings]]


@pytest.fixture(scope="module")
def fresh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    """Make an empty house on a kind of database, as a context."""
    folder = tmp_path_factory.mktemp("house")

    @contextmanager
    def make(kind: str) -> Iterator[Settings]:
        shutil.rmtree(folder)
        folder.mkdir()
        with new_settings(kind, request, folder) as found:
            yield found

    return make


@pytest.fixture(scope="module")
def in_file_order(fresh: Fresh) -> Outcome:
    """What the lines give in the order in which they stand."""
    with fresh("sqlite") as found:
        return run(found, range(len(SEED)))


ORDERS: Final = st.permutations(range(len(SEED))).map(allowed)


def test_an_order_keeps_what_has_to_come_first() -> None:
    backwards = allowed(range(len(SEED) - 1, -1, -1))
    assert sorted(backwards) == list(range(len(SEED)))
    assert backwards != list(range(len(SEED)))
    for number in backwards:
        before = backwards[: backwards.index(number)]
        assert set(NEEDS[number]) <= set(before)


def test_the_file_has_what_can_go_wrong(in_file_order: Outcome) -> None:
    """Cases with several claims on one track, and appeals that name decisions."""
    statuses, numbers = in_file_order
    assert len(statuses) == 16
    assert sum(len(needs) > 1 for needs in NEEDS) >= 2
    assert any(len(s[0].tracks) > 3 for s in statuses.values())
    assert numbers[0].persons == 22


@settings(max_examples=200)
@given(order=ORDERS)
def test_any_order_gives_the_same(fresh: Fresh, in_file_order: Outcome, order: list[int]) -> None:
    with fresh("sqlite") as found:
        assert run(found, order) == in_file_order


@pytest.mark.postgresql
@settings(max_examples=8)
@given(order=ORDERS)
def test_any_order_gives_the_same_on_postgresql(
    fresh: Fresh, in_file_order: Outcome, order: list[int]
) -> None:
    with fresh("postgresql") as found:
        assert run(found, order) == in_file_order


@settings(max_examples=10)
@given(order=ORDERS, size=st.integers(9, 81))
def test_however_the_lines_are_gathered_in_batches(
    fresh: Fresh, in_file_order: Outcome, order: list[int], size: int
) -> None:
    """Each import is a process of its own: nothing depends on what one remembers."""
    ids = Ids()
    with fresh("sqlite") as found:
        for start in range(0, len(order), size):
            with writing(found, ids) as house:
                for number in order[start : start + size]:
                    ids.begin(name_of(SEED[number]))
                    line = json.dumps(SEED[number]).encode()
                    (result,) = import_lines(house.cases, CALLER, [line])
                    assert result.result == "created"
                seen = outcome(house) if start + size >= len(order) else None
    assert seen == in_file_order


def test_statuses_are_compared_whole(in_file_order: Outcome) -> None:
    """Events, spans and disagreements are in what is compared, not the headlines alone."""
    statuses, _ = in_file_order
    encoded = msgspec.json.encode([s for found in statuses.values() for s in found])
    assert b'"since"' in encoded
    assert b'"ambiguous":true' in encoded
