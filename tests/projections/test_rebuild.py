"""A rebuild makes the same rows, loses no event that is written meanwhile, and is not noticed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from litestar.testing import TestClient

from caseflow import bootstrap
from caseflow.api.app import create_app
from caseflow.bootstrap import House
from caseflow.domain.commands import ChangeConsent
from caseflow.domain.errors import CaseflowError
from caseflow.domain.events import Consent, FigureReported
from caseflow.projections import rebuild as rebuilding
from caseflow.projections.rebuild import digest, list_rows
from caseflow.projections.view import VIEW_SETS, registered
from caseflow.serving import make_services
from tests.checks import check_house
from tests.houses import Clock, Desk, new_partner, new_settings, run_house, submit_demo_cases

LATER = "2026-02-11T12:00:00Z"
ADDRESSES = (
    "/v1/statistics",
    "/v1/statistics?as_of=2026-01-28",
    "/v1/cases?limit=500",
    "/v1/cases?as_of=2026-01-28&limit=500",
    "/v1/events?limit=500",
    "/feeds/all.atom?lang=ru",
    "/feeds/all.atom?lang=en",
    "/readyz",
)


@pytest.fixture
def clock() -> Clock:
    """The clock of the house."""
    return Clock()


@pytest.fixture
def house(
    request: pytest.FixtureRequest, database_kind: str, tmp_path: Path, clock: Clock
) -> Iterator[House]:
    """A house with the demo cases and things of every other kind."""
    with (
        new_settings(database_kind, request, tmp_path) as settings,
        run_house(settings, clock) as found,
    ):
        fill(found, clock)
        yield found


def fill(house: House, clock: Clock) -> None:
    desk, other = new_partner(house, public_name="Press"), new_partner(house, "events:write")
    for future in submit_demo_cases(desk):
        future.result()
    for publish in ("none", "count", "anonymous"):
        case = desk.open(publish)
        granted = desk.tell(
            case, "extradition.granted", visibility="public", publish_after="2026-02-10T18:00:00Z"
        )
        desk.tell(case, "appeal.filed", visibility="public", against=str(granted))
        desk.tell(case, "person.died", visibility="restricted")
        other.tell(case, "interim.requested", visibility="public")
        other.tell(case, "expulsion.executed", visibility="public", destination="RU")
        desk.tell(case, "wanted.removed", visibility="public", publish_after="2999-01-01T00:00:00Z")
    for who, low in ((desk, 22), (other, 5)):
        told = {
            "measure": "persons_helped",
            "low": low,
            "high": low,
            "as_of": "2026-01-29",
            "host_state": "KZ",
            "source": {"title": "Annual report"},
        }
        figure = msgspec.convert(told, FigureReported)
        house.figures.report(who.caller, figure, lambda recorded: recorded.position).result()
    objected = desk.open("anonymous")
    desk.tell(objected, "person.died", visibility="public")
    for text in ("one", "another"):
        house.cases.record_objection(objected, by="lawyer", text=text).result()
        consent = Consent(publish="anonymous", basis="own")
        desk.act(ChangeConsent, objected, consent=consent)
    house.cases.record_objection(objected, by="lawyer", text="a third").result()
    clock.set(LATER)
    assert house.release_due() == 2


def rows(house: House) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of the live set."""
    with house.reader.snapshot() as snapshot:
        return {
            table.name: list(list_rows(snapshot.connection, table, snapshot.view_set))
            for table in registered
        }


def view_set(house: House) -> str:
    with house.reader.snapshot() as snapshot:
        return snapshot.view_set


def look(client: TestClient[Any]) -> list[tuple[bytes, str | None]]:
    answers: list[httpx.Response] = [client.get(address) for address in ADDRESSES]
    assert {answer.status_code for answer in answers} == {200}
    return [(answer.content, answer.headers.get("etag")) for answer in answers]


def test_a_rebuild_gives_the_same_rows_in_the_other_tables(house: House) -> None:
    before, live = rows(house), view_set(house)
    assert all(before.values()), [name for name, found in before.items() if not found]
    with house.reader.snapshot() as snapshot:
        head, old = snapshot.head.position, digest(snapshot.connection, live)
    assert house.rebuild() == head
    assert view_set(house) != live
    assert rows(house) == before
    with house.reader.snapshot() as snapshot:
        assert digest(snapshot.connection, snapshot.view_set) == old
        # The set that was live stands as it was: row for row the same.
        for table in registered:
            a, b = (list(list_rows(snapshot.connection, table, s)) for s in VIEW_SETS)
            assert a == b
    check_house(house)


def test_rebuilds_follow_one_another(house: House) -> None:
    """What an older rebuild left in the other set is gone."""
    before = rows(house)
    house.rebuild()
    desk = new_partner(house)
    case = desk.open("anonymous")
    desk.tell(case, "wanted.removed", visibility="public")
    after = rows(house)
    assert after != before
    for _ in range(2):
        house.rebuild()
        assert rows(house) == after
    check_house(house)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_the_size_of_batches_does_not_show(
    house: House, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(house)
    monkeypatch.setattr(rebuilding, "BATCH", size)
    house.rebuild()
    assert rows(house) == before


def test_nobody_who_reads_notices(house: House) -> None:
    services = make_services(house)
    with TestClient(create_app(services)) as client:
        before = look(client)
        house.rebuild()
        assert look(client) == before
    # Nor where nothing is remembered of before.
    with TestClient(create_app(make_services(house))) as client:
        assert look(client) == before


class Busy:
    """Partners who go on writing on a thread of their own."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._stopped = threading.Event()
        self.told: list[Any] = []
        self.refused: list[BaseException] = []
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Busy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                case = self._desk.open("anonymous")
                self.told.append(self._desk.tell(case, "wanted.removed", visibility="public"))
        except CaseflowError as error:
            self.refused.append(error)


def test_nothing_that_is_written_meanwhile_is_lost(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small batches, so that writers get between; what they wrote is in the new tables too."""
    monkeypatch.setattr(rebuilding, "BATCH", 5)
    seen: list[int] = []

    def wait_for_writers(position: int) -> None:
        # The rebuild goes on only after somebody wrote: it has to catch up again and again.
        seen.append(position)
        if len(seen) <= 30:
            known = len(busy.told)
            while len(busy.told) == known and not busy.refused:
                threading.Event().wait(0.001)

    with Busy(new_partner(house)) as busy:
        last = house.rebuild(wait_for_writers)
        during = len(busy.told)
    assert busy.refused == []
    assert during >= 30
    with house.reader.snapshot() as snapshot:
        head = snapshot.head.position
    assert last <= head
    found = rows(house)
    assert [row[0] for row in found["partner_events"]] == list(range(1, head + 1))
    known = {row[1] for row in found["partner_events"]}
    assert set(busy.told) <= known
    check_house(house)
    house.rebuild()
    assert rows(house) == found


def test_what_is_written_just_before_the_switch_is_not_lost(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last look at the log is taken while nobody can add to it."""
    desk = new_partner(house)
    case = desk.open("anonymous")
    told: list[Any] = []

    def rebuild(engine: Any, read_log: Any, hold_log: Any, *more: Any, **options: Any) -> int:
        held: list[None] = []

        @contextmanager
        def write_and_hold() -> Iterator[Any]:
            held.append(None)
            if len(held) == 2:
                told.append(desk.tell(case, "wanted.removed", visibility="public"))
            with hold_log() as end:
                yield end

        return rebuilding.rebuild(engine, read_log, write_and_hold, *more, **options)

    monkeypatch.setattr(bootstrap, "rebuild", rebuild)
    last = house.rebuild()
    assert rows(house)["partner_events"][-1][:2] == (last, told[0])
    check_house(house)


def test_a_rebuild_that_breaks_leaves_what_was_live(house: House) -> None:
    before, live = rows(house), view_set(house)

    def break_off(position: int) -> None:
        raise RuntimeError("the power went out")

    with pytest.raises(RuntimeError):
        house.rebuild(break_off)
    assert (rows(house), view_set(house)) == (before, live)
    check_house(house)
    house.rebuild()
    assert rows(house) == before
