"""Real readers follow a running service: each entry once, corrections and withdrawals too."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import pytest

from caseflow.eventstore.schema import migrate, migrate_keys
from tests.api.conftest import AUTHOR, Json, Partner, Service
from tests.api.scenes import act, change, claim
from tests.api.test_imports import lines_of, post, results_of
from tests.houses import GIVE_UP_SECONDS
from tests.served import served_house
from tests.test_docs_examples import ROOT, list_blocks

from .conftest import Door, Make, Reader

WINDOW: Final = 50
GAP: Final = 500
# What no reader may be made to run, and none loses.
HOSTILE: Final = "<script>alert(1)</script> & ]]> \u202eнаоборот \U0001f600 <b>жирно</b>"


class Scene(NamedTuple):
    """A running service, one who tells, a door that counts, and a reader that comes through it."""

    service: Service
    author: Partner
    door: Door
    reader: Reader

    def follow(self) -> list[str]:
        """Let the reader look; return the titles that it has now."""
        self.reader.poll()
        return [item.title for item in self.reader.list_items()]


@pytest.fixture
def scene(request: pytest.FixtureRequest, tmp_path: Path, make_reader: Make) -> Iterator[Scene]:
    """Nothing has been told yet."""
    folder = tmp_path / "reader"
    folder.mkdir()
    limits = {"CASEFLOW_RATE_PER_PARTNER": "0", "CASEFLOW_RATE_PER_ADDRESS": "0"}
    with served_house("sqlite", request, tmp_path, **limits) as house:
        migrate(house.settings.database_url)
        migrate_keys(house.settings.keys_url)
        house.start()
        house.wait_until_ready()
        with (
            Door(house.url) as door,
            httpx.Client(base_url=house.url, timeout=GIVE_UP_SECONDS) as client,
        ):
            service = Service(house.settings, client)  # type: ignore[arg-type]  # asks alike
            reader = make_reader(folder, f"{door.url}/feeds/all.atom?lang=en")
            yield Scene(service, service.partner(*AUTHOR), door, reader)


def titles(service: Service) -> Counter[str]:
    """Return the titles of all entries that the window has."""
    items = service.get("/feeds/all.json", lang="en").json()["items"]
    return Counter(item["title"] for item in items)


def tell(author: Partner, case: Json, year: int) -> Json:
    return author.tell(case, "wanted.removed", str(year))


def test_every_entry_arrives_once(scene: Scene) -> None:
    case = scene.author.open()
    expected = Counter[str]()
    for turn in range(4):
        told = [tell(scene.author, case, 1900 + turn * 10 + n) for n in range(turn + 1)]
        expected = titles(scene.service)
        assert sum(expected.values()) == sum(range(turn + 2))
        assert Counter(scene.follow()) == expected, told
    # Nothing new: 304, and nothing is shown a second time.
    assert [asked.status for asked in scene.door.asked[1:]] == [200] * 3
    # One of the readers notes the validator of its second answer first.
    assert all(asked.is_conditional for asked in scene.door.asked[2:])
    for _ in range(2):
        assert Counter(scene.follow()) == expected
    assert [asked.status for asked in scene.door.asked[-2:]] == [304, 304]


def test_corrections_and_withdrawals_arrive(scene: Scene) -> None:
    author = scene.author
    case, other = author.open(), author.open()
    granted = author.tell(case, "extradition.granted", "2025-06-10")
    stays = author.tell(case, "asylum.claim_made", "2025-05-01")
    before = scene.follow()
    better = {"reason": "typo", **claim("extradition.granted", "2025-06-11")}
    act(author, granted, "corrections", better)
    act(author, stays, "retractions", {"reason": "false"})
    after = scene.follow()
    news = list((Counter(after) - Counter(before)).elements())
    assert len(news) == 2
    assert any("orrection" in title and "11 June 2025" in title for title in news), news
    (withdrawal,) = [title for title in news if "11 June" not in title]
    assert case["code"] in withdrawal
    assert "asylum" not in withdrawal
    # What one case was found to be arrives, and so does what happens once it is gone.
    author.tell(other, "wanted.removed", "2025-01-01")
    scene.follow()
    change(author, other, "merges", {"into": case["id"]})
    merged = scene.follow()
    assert sum(case["code"] in title and "1 January 2025" in title for title in merged) == 1
    change(author, case, "consent", {"publish": "none", "basis": "own"})
    expected = titles(scene.service)
    last = Counter(scene.follow())
    # All that the window has, and what was withdrawn as long as the reader keeps it.
    assert not expected - last
    assert last[withdrawal] >= expected[withdrawal] >= 2


def test_a_gap_is_a_window_for_readers_and_whole_for_a_mirror(scene: Scene) -> None:
    case = scene.author.open()
    first = tell(scene.author, case, 1900)
    scene.follow()
    told = import_many(scene.author, case, GAP)
    expected = titles(scene.service)
    assert sum(expected.values()) == WINDOW
    assert Counter(scene.follow()) - expected == titles_of(scene, [first])
    # The example of the guide, as it stands there.
    guide = (ROOT / "docs" / "feed.md").read_text("utf-8")
    (example,) = [block.text for block in list_blocks(guide) if "def mirror(" in block.text]
    found: Json = {}
    exec(example.replace("http://127.0.0.1:8000", str(scene.service.client.base_url)), found)
    assert list(found["entries"]) == [f"urn:uuid:{e['id']}" for e in (*told[::-1], first)]


def import_many(author: Partner, case: Json, number: int) -> list[Json]:
    lines = [
        {
            "event": {
                "case": case["id"], "type": "wanted.removed", "occurred": f"{1400 + n}",
                "visibility": "public", "external_id": f"own-{n}",
            }
        }
        for n in range(number)
    ]  # fmt: skip
    results = results_of(post(author, lines_of(*lines)))
    assert [one["result"] for one in results] == ["created"] * number
    return results


def titles_of(scene: Scene, events: list[Json]) -> Counter[str]:
    archives = [scene.service.get("/feeds/all/archive/1.json", lang="en").json()]
    wanted = {f"urn:uuid:{event['id']}" for event in events}
    items = [item for archive in archives for item in archive["items"]]
    return Counter(item["title"] for item in items if item["id"] in wanted)


def test_hostile_text_is_shown_as_text(scene: Scene) -> None:
    sources = [{"title": HOSTILE, "url": "https://example.org/?a=<>&b='\"", "language": "ru"}]
    case = scene.author.open(
        consent={"publish": "pseudonym", "pseudonym": "A < B & C", "basis": "own"}
    )
    scene.author.tell(
        case, "wanted.removed", summary={"en": HOSTILE, "ru": HOSTILE}, sources=sources
    )
    scene.follow()
    (item,) = scene.reader.list_items()
    assert "A < B & C" in item.title.replace("&lt;", "<").replace("&amp;", "&")
    assert "<script" not in item.text
    assert "alert(1)" in item.text
    assert "<b>" not in item.text
