"""Feeds by case, headline, type and state, the recalls, and the archives of each."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from caseflow.bootstrap import open_house
from caseflow.domain.status import HEADLINE_CODES
from caseflow.domain.vocabulary import TYPES
from caseflow.projections.public import feed

from .conftest import (
    AUTHOR,
    KINDS,
    Json,
    Partner,
    Service,
    copy_settings,
    items,
    pointers,
    problem,
    serve,
)
from .mirrors import mirror, read_page, walk
from .scenes import act, change, check, claim, read_feed
from .test_erasure import erase
from .test_feeds import LANGUAGES, ids, parse
from .test_stream import collect, list_numbers

GRANTED: Final = "/feeds/types/extradition.granted.atom"
REMOVED: Final = "/feeds/types/wanted.removed.atom"


def urns(*events: Json) -> set[str]:
    return {f"urn:uuid:{event['id']}" for event in events}


def fill(author: Partner, number: int = 50) -> list[Json]:
    """Make so many public changes of a case of their own that what was before is new no more."""
    case = author.open()
    return [author.tell(case, "wanted.removed", f"{1900 + n}") for n in range(number)]


# -- which feed has what --------------------------------------------------------------------------


def test_a_feed_of_a_type_has_that_type_alone(service: Service) -> None:
    author = service.partner(*AUTHOR)
    first, second = author.open(), author.open()
    told = [
        author.tell(first, "extradition.granted"),
        author.tell(first, "asylum.claim_made"),
        author.tell(second, "extradition.granted"),
    ]
    found = parse(service.get(GRANTED))
    assert ids(found) == [told[2]["id"], told[0]["id"]]
    assert found.feed.id == f"https://cases.example{GRANTED}"
    assert found.feed.title == "Test record: Events in cases: decision to extradite"


def test_a_feed_of_a_headline_has_what_led_to_it_and_away_from_it(service: Service) -> None:
    author = service.partner(*AUTHOR)
    case = author.open()
    told = [
        author.tell(case, "extradition.requested", "2025-01-01"),
        author.tell(case, "extradition.granted", "2025-02-01"),
        author.tell(case, "person.died", "2025-03-01"),
    ]
    author.tell(author.open(), "wanted.removed")
    found = {h: ids(parse(service.get(f"/feeds/headlines/{h}.atom"))) for h in HEADLINE_CODES}
    requested, granted, died = (event["id"] for event in told)
    assert found["extradition_requested"] == [granted, requested]
    assert found["extradition_granted"] == [died, granted]
    assert found["died"] == [died]
    assert found["extradited"] == []


def test_a_feed_of_a_state_has_the_cases_of_that_state(service: Service) -> None:
    author = service.partner(*AUTHOR)
    here, there = author.open(), author.open(host_state="KG")
    told = author.tell(here, "extradition.granted"), author.tell(there, "extradition.granted")
    assert ids(parse(service.get("/feeds/states/KZ.atom"))) == [told[0]["id"]]
    assert ids(parse(service.get("/feeds/states/KG.atom"))) == [told[1]["id"]]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_known_feed_without_entries_is_valid(light: Service, language: str) -> None:
    names = [f"types/{code}" for code in TYPES] + [f"headlines/{code}" for code in HEADLINE_CODES]
    titles = set()
    for name in (*names, "states/KZ", "states/RU", "recalls"):
        found = parse(light.get(f"/feeds/{name}.atom", lang=language))
        assert found.entries == []
        titles.add(found.feed.title)
        told = light.get(f"/feeds/{name}.json", lang=language).json()
        assert (told["items"], told["title"]) == ([], found.feed.title)
    assert len(titles) == len({*TYPES}) + len(HEADLINE_CODES) + 3


@pytest.mark.parametrize(
    "name",
    [
        "types/none.such.atom", "types/extradition.granted", "types/extradition.granted.rss",
        "types/.atom", "headlines/none.atom", "headlines/Extradited.atom", "states/XX.atom",
        "states/kz.atom", "states/KAZ.atom", "recalls.rss", "all/archive/0.atom",
        "all/archive/1.atom", "all/archive/01.atom", "all/archive/-1.atom", "all/archive/x.atom",
        "all/archive/9999999999999999999.atom", "all/archive/999999999999999999.atom",
        "all/archive/\u0661.atom", "types/none.such/archive/1.atom", "states/XX/archive/1.json",
        "cases/KZ-0000-0000/archive/1.atom", "headlines/died/archive/1.rss",
    ],
)  # fmt: skip
def test_a_feed_that_is_not_there_is_not_found(shared: Service, name: str) -> None:
    problem(shared.get(f"/feeds/{name}"), 404, "not-found")


def test_replays_are_of_everything_and_of_cases_alone(light: Service) -> None:
    for name in ("types/extradition.granted", "headlines/died", "states/KZ", "recalls"):
        answer = light.get(f"/feeds/{name}.json", as_of="2025-01-01")
        assert pointers(answer) == ["/query/as_of"]


# -- corrections and withdrawals ------------------------------------------------------------------


def test_a_correction_is_in_every_feed_that_had_what_it_corrects(service: Service) -> None:
    author = service.partner(*AUTHOR)
    case = author.open()
    told = author.tell(case, "extradition.granted")
    other = claim("asylum.claim_made")
    better = act(author, told, "corrections", {"reason": "new_evidence", "claim": other})
    last = act(author, better, "corrections", {"reason": "typo", **claim("person.died")})
    fill(author)
    chain = urns(told, better, last)
    assert mirror(service, GRANTED).keys() == chain
    assert mirror(service, "/feeds/headlines/extradition_granted.atom").keys() == chain
    assert mirror(service, "/feeds/types/asylum.claim_made.atom").keys() == urns(better, last)
    assert mirror(service, "/feeds/types/person.died.atom").keys() == urns(last)
    assert mirror(service, "/feeds/recalls.atom").keys() == urns(better, last)
    check(service)


@pytest.mark.parametrize("reason", ["false", "wrong_person", "unsafe"])
def test_a_withdrawal_is_told_to_whoever_follows_and_not_kept_for_those_who_come(
    light: Service, reason: str
) -> None:
    author = light.partner(*AUTHOR)
    case = author.open()
    stays = author.tell(case, "wanted.removed")
    told = author.tell(case, "extradition.granted")
    taken = act(author, told, "retractions", {"reason": reason})
    headline = "/feeds/headlines/extradition_granted.atom"
    for path in (GRANTED, headline):
        found = read_feed(light, path)
        assert list(found.entries) == [taken["id"]]
        assert list(found.tombstones) == [told["id"]]
        assert "extradition" not in found.text.partition("<entry")[2]
        assert found.entries[taken["id"]].terms == {"KZ"}
    # It is also how the case came to the headline that it has now.
    after = read_feed(light, "/feeds/headlines/monitored.atom")
    assert next(iter(after.entries)) == taken["id"]
    fill(author, 49)
    assert list(read_feed(light, GRANTED).entries) == [taken["id"]]
    fill(author, 1)
    for path in (GRANTED, headline):
        found = read_feed(light, path)
        assert (found.entries, found.tombstones) == ({}, {})
        assert not read_page(light, path.replace(".atom", "/archive/1.atom")).entries
    # Nothing of it is told apart from what was never there.
    assert not mirror(light, GRANTED)
    for path in ("/feeds/all", "/feeds/states/KZ", f"/feeds/cases/{case['code']}"):
        first = read_page(light, f"{path}/archive/1.atom")
        assert first.tombstones == urns(told)
        assert urns(stays, taken) <= first.entries.keys()
    assert mirror(light, "/feeds/recalls.atom").keys() == urns(taken)
    check(light)


def test_archives_of_a_type_do_not_say_what_was_there(light: Service) -> None:
    author = light.partner(*AUTHOR)
    told = author.tell(author.open(), "extradition.granted")
    other = claim("extradition.granted", "2025-06-01")
    better = act(author, told, "corrections", {"reason": "wrong_person", **other})
    assert list(read_feed(light, GRANTED).tombstones) == [told["id"]]
    fill(author)
    first = read_page(light, "/feeds/types/extradition.granted/archive/1.atom")
    assert (first.entries.keys(), first.tombstones) == (urns(better), set())
    assert read_page(light, "/feeds/all/archive/1.atom").tombstones == urns(told)


def test_of_consent_that_is_withdrawn_no_feed_of_a_type_keeps_anything(light: Service) -> None:
    """Or a case's history could be put together again from the feeds that had its entries."""
    author = light.partner(*AUTHOR)
    case = author.open()
    many = [author.tell(case, "wanted.removed", f"{1900 + n}") for n in range(60)]
    change(author, case, "consent", {"publish": "none", "basis": "own"})
    found = read_feed(light, REMOVED)
    # All at once, though more than are new otherwise.
    assert len(found.entries) == 60
    assert set(found.tombstones) == {event["id"] for event in many}
    others = fill(author)
    assert mirror(light, REMOVED).keys() == urns(*others)
    assert not read_page(light, "/feeds/types/wanted.removed/archive/1.atom").entries
    assert len(mirror(light, "/feeds/recalls.atom")) == 60
    check(light)


def test_an_erased_case_is_nowhere_but_where_nothing_tells_what_it_was(service: Service) -> None:
    author = service.partner(*AUTHOR)
    case = author.open()
    told = author.tell(case, "extradition.granted")
    stays = author.tell(author.open(), "extradition.granted")
    erase(service, case)
    for path in (GRANTED, "/feeds/headlines/extradition_granted.atom"):
        found = read_feed(service, path)
        assert (list(found.entries), found.tombstones) == ([stays["id"]], {})
    for path in ("/feeds/all.atom", "/feeds/states/KZ.atom", "/feeds/recalls.atom"):
        assert read_feed(service, path).tombstones.keys() == {told["id"]}
    (recall,) = read_feed(service, "/feeds/recalls.atom").entries.values()
    assert recall.in_reply_to == told["id"]
    check(service)


# -- archives -------------------------------------------------------------------------------------


def list_feeds(case: Json) -> list[str]:
    return [
        "/feeds/all", f"/feeds/cases/{case['code']}", "/feeds/states/KZ",
        "/feeds/types/wanted.removed", "/feeds/headlines/monitored",
    ]  # fmt: skip


class Archived(NamedTuple):
    """A service with 120 changes of one case, only read."""

    service: Service
    case: Json
    told: list[Json]


@pytest.fixture(scope="module", params=KINDS)
def archived(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Archived]:
    """The same for all tests, once on each kind of database."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("archived")
        service = stack.enter_context(serve(copy_settings(request, request.param, folder, stack)))
        author = service.partner(*AUTHOR)
        case = author.open()
        told = [author.tell(case, "wanted.removed", f"{1800 + n}") for n in range(120)]
        yield Archived(service, case, told)


def test_an_archive_has_fifty_changes_and_the_window_overlaps_them(archived: Archived) -> None:
    service, case, told = archived
    numbered = [f"urn:uuid:{event['id']}" for event in told]
    for path in list_feeds(case):
        window, second, first = walk(service, f"{path}.atom")
        assert list(window.entries) == numbered[:69:-1]
        assert list(second.entries) == numbered[99:49:-1]
        assert list(first.entries) == numbered[49::-1]
        assert [page.is_archive for page in (window, second, first)] == [False, True, True]


def test_the_documents_lead_to_each_other(archived: Archived) -> None:
    service, case, _ = archived
    for path in list_feeds(case):
        for language in LANGUAGES:
            window, second, first = walk(service, f"{path}.atom?lang={language}")
            at = f"https://cases.example{path}"
            own, one, two = (
                f"{at}{inside}.atom?lang={language}" for inside in ("", "/archive/1", "/archive/2")
            )
            assert window.links == {"self": own, "prev-archive": two}
            assert second.links == {"self": two, "current": own, "prev-archive": one}
            assert first.links == {"self": one, "current": own, "next-archive": two}
            assert {page.id for page in (window, second, first)} == {f"{at}.atom"}


def test_archives_are_valid_and_the_same_from_every_process(archived: Archived) -> None:
    service, case, _ = archived
    with serve(service.settings) as elsewhere:
        for path in list_feeds(case):
            address = f"{path}/archive/1.atom"
            plain = service.get(address, {"Accept-Encoding": "identity"})
            parse(plain)
            zipped = service.get(address, {"Accept-Encoding": "gzip"})
            assert plain.headers["etag"] != zipped.headers["etag"]
            assert plain.headers["cache-control"] == "public, max-age=60, must-revalidate"
            assert elsewhere.get(address).content == plain.content == zipped.content
            known = {"Accept-Encoding": "gzip", "If-None-Match": zipped.headers["etag"]}
            assert elsewhere.get(address, known).status_code == 304
            head = service.client.head(address, headers={"Accept-Encoding": "gzip"})
            assert (head.content, dict(head.headers)) == (b"", dict(zipped.headers))


def test_the_json_documents_have_the_same(archived: Archived) -> None:
    service, case, _ = archived
    for path in list_feeds(case):
        address: str | None = f"https://cases.example{path}.json?lang=kk"
        for page in walk(service, f"{path}.atom?lang=kk"):
            assert address is not None
            told = service.get(address.removeprefix("https://cases.example")).json()
            assert told["feed_url"] == address
            assert [item["id"] for item in told["items"]] == list(page.entries)
            assert told["_caseflow"]["updated"] == page.updated
            address = told.get("next_url")
        assert address is None


def test_an_archive_changes_by_a_withdrawal_and_by_nothing_else(light: Service) -> None:
    author = light.partner(*AUTHOR)
    case = author.open()
    told = [author.tell(case, "wanted.removed", f"{1800 + n}") for n in range(120)]
    addresses = [f"{path}/archive/1.atom" for path in list_feeds(case)]
    before = {address: read_page(light, address) for address in addresses}
    fill(author, 60)
    assert {a: read_page(light, a).body for a in addresses} == {
        a: page.body for a, page in before.items()
    }
    act(author, told[7], "retractions", {"reason": "wrong_person"})
    (gone,) = urns(told[7])
    for address, page in before.items():
        after = read_page(light, address)
        assert after.entries == {i: e for i, e in page.entries.items() if i != gone}
        keeps = "/types/" not in address and "/headlines/" not in address
        assert after.tombstones == ({gone} if keeps else set())
        assert (after.updated > page.updated) is keeps
        assert after.links == page.links


def test_a_gap_of_five_hundred_is_recovered(light: Service) -> None:
    author = light.partner(*AUTHOR)
    told = fill(author, 520)
    assert mirror(light, "/feeds/all.atom").keys() == urns(*told)
    assert mirror(light, REMOVED).keys() == urns(*told)


def test_a_feed_with_few_changes_among_many_has_archives_of_its_own(light: Service) -> None:
    author = light.partner(*AUTHOR)
    case, told = author.open(), []
    for n in range(55):
        told.append(author.tell(case, "extradition.granted", f"{1900 + n}"))
        fill(author, 2)
    pages = walk(light, GRANTED)
    assert len(pages[0].entries) == 50
    assert mirror(light, GRANTED).keys() == urns(*told)
    assert all(page.entries for page in pages)


def test_a_rebuild_changes_no_byte(service: Service) -> None:
    author = service.partner(*AUTHOR)
    case = author.open()
    told = [author.tell(case, "wanted.removed", f"{1800 + n}") for n in range(60)]
    act(author, told[3], "retractions", {"reason": "false"})
    act(author, told[4], "corrections", {"reason": "typo", **claim("person.died")})
    paths = [*list_feeds(case), "/feeds/recalls", "/feeds/headlines/died"]
    addresses = [f"{path}{inside}.atom" for path in paths for inside in ("", "/archive/1")]
    before = {address: read_page(service, address).body for address in addresses}
    with open_house(service.settings) as house:
        house.rebuild()
    # Nothing that was kept from before it.
    service.client.app.state.services.kept.clear()
    assert {address: read_page(service, address).body for address in addresses} == before


def test_publishing_makes_those_documents_anew_that_have_it(
    light: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    author = light.partner(*AUTHOR)
    case = author.open()
    told = [author.tell(case, "wanted.removed", f"{1900 + n}") for n in range(60)]
    here = author.open(host_state="KG")
    author.tell(here, "asylum.claim_made")
    paths = [f"/feeds/types/{code}.atom" for code in TYPES]
    paths += [f"/feeds/headlines/{code}.atom" for code in HEADLINE_CODES]
    paths += [f"/feeds/cases/{one['code']}.atom" for one in (case, here)]
    paths += ["/feeds/all.atom", "/feeds/all/archive/1.atom", "/feeds/recalls.atom"]
    paths += ["/feeds/states/KZ.atom", "/feeds/states/KG.atom", "/feeds/states/KZ/archive/1.atom"]
    made: list[str] = []
    entries: list[int] = []

    def note(head: Any, *more: Any) -> bytes:
        made.append(head.self_href.removeprefix("https://cases.example").partition("?")[0])
        return render_feed(head, *more)

    def note_entry(*values: Any) -> bytes:
        entries.append(values[1].sequence)
        return render_change(*values)

    render_feed, render_change = feed.render_feed, feed.render_change
    monkeypatch.setattr(feed, "render_feed", note)
    monkeypatch.setattr(feed, "render_change", note_entry)

    def read_all() -> tuple[list[str], list[int]]:
        made.clear()
        entries.clear()
        for path in paths:
            read_page(light, path)
        return sorted(made), entries

    found, rendered = read_all()
    assert found == sorted(paths)
    # Each once, in however many documents it is.
    assert len(rendered) == len(set(rendered)) == 61
    assert read_all() == ([], [])
    author.tell(here, "person.died")
    assert read_all() == (
        sorted([
            "/feeds/all.atom", f"/feeds/cases/{here['code']}.atom", "/feeds/states/KG.atom",
            "/feeds/types/person.died.atom", "/feeds/headlines/died.atom",
            "/feeds/headlines/asylum_pending.atom",
        ]),
        [62],
    )  # fmt: skip
    act(author, told[0], "retractions", {"reason": "false"})
    assert set(read_all()[0]) == {
        "/feeds/all.atom", f"/feeds/cases/{case['code']}.atom", "/feeds/states/KZ.atom",
        "/feeds/types/wanted.removed.atom", "/feeds/headlines/monitored.atom",
        "/feeds/recalls.atom", "/feeds/all/archive/1.atom", "/feeds/states/KZ/archive/1.atom",
    }  # fmt: skip
    assert entries == [63]


# -- random histories -----------------------------------------------------------------------------

CHOSEN: Final = ("extradition.granted", "asylum.claim_made", "wanted.removed", "person.died")
STEPS: Final = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.sampled_from(["KZ", "KG"])),
        st.tuples(st.just("tell"), st.sampled_from(CHOSEN)),
        st.tuples(st.just("correct"), st.sampled_from(CHOSEN), st.booleans()),
        st.tuples(st.just("retract"), st.sampled_from(["false", "unsafe", "wrong_person"])),
        st.tuples(st.just("consent"), st.sampled_from(["none", "anonymous"])),
        st.tuples(st.just("fill"), st.integers(20, 45)),
    ),
    min_size=4,
    max_size=14,
)


class History:
    """What was told to whoever followed everything, and what they would hold of each feed."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.author = service.partner(*AUTHOR)
        self.case = self.author.open()
        self.claims: list[Json] = []
        # Items by id, as they were told; by moment, the ids of what was withdrawn.
        self.items: dict[str, Json] = {}
        self.gone: set[str] = set()

    def act(self, what: str, choice: Any, more: Any, draw: int) -> None:
        if what == "open":
            self.case = self.author.open(host_state=choice)
        elif what == "tell":
            self._keep(self.author.post(f"/v1/cases/{self.case['id']}/events", claim(choice)))
        elif what == "fill":
            fill(self.author, choice)
        elif what == "consent":
            body = {"publish": choice, "basis": "own"}
            self.author.post(f"/v1/cases/{self.case['id']}/consent", body, **{"If-Match": "*"})
        elif self.claims:
            event = self.claims[draw % len(self.claims)]
            at = f"/v1/events/{event['id']}"
            if what == "retract":
                self.author.post(f"{at}/retractions", {"reason": choice})
            else:
                reason = "wrong_person" if more else "typo"
                self._keep(
                    self.author.post(f"{at}/corrections", {"reason": reason, **claim(choice)})
                )
        self.follow()

    def _keep(self, answer: Any) -> None:
        if answer.status_code == 201:
            self.claims.append(answer.json())

    def follow(self) -> None:
        document = self.service.get("/feeds/all.json").json()
        for item in reversed(document["items"]):
            self.items.setdefault(item["id"], item)
        self.gone |= {gone["id"] for gone in document["_caseflow"]["withdrawn"]}

    def readable(self) -> dict[str, Json]:
        return {i: item for i, item in self.items.items() if i not in self.gone}

    def of_type(self, type: str) -> set[str]:
        """Return what can be read and is of a type, or corrects what can be read and was in it."""
        found: set[str] = set()
        for item_id, item in self.readable().items():
            told = item["_caseflow"]
            if told.get("type") == type or told.get("corrects") in found:
                found.add(item_id)
        return found


@pytest.fixture(scope="module", params=KINDS)
def history(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[History]:
    """A history that goes on from one example to the next."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("history")
        found = copy_settings(request, request.param, folder, stack)
        yield History(stack.enter_context(serve(found)))


def test_a_mirror_of_any_feed_holds_what_was_published_and_not_withdrawn(
    history: History,
) -> None:
    """Whatever happened; after as many changes as make a withdrawal old."""
    on_sqlite = history.service.engine.dialect.name == "sqlite"

    @settings(max_examples=12 if on_sqlite else 3, deadline=None, phases=[Phase.generate])
    @given(steps=STEPS, draws=st.randoms(use_true_random=False))
    def check_mirrors(steps: list[Any], draws: Any) -> None:
        go_on(history, steps, draws)

    check_mirrors()


def check_followers(service: Service) -> None:
    """Assert that the log and the stream hold the same, and words where the mirror has them."""
    told: list[Json] = []
    while found := items(
        service.get("/v1/events", after=told[-1]["position"] if told else 0, limit=500)
    ):
        told += found
    assert [one["position"] for one in told] == list(range(1, len(told) + 1))
    sent = collect(service, "")
    assert [(int(one.id), one.event) for one in sent] == [(e["position"], e["kind"]) for e in told]
    assert [one.data for one in sent] == told
    held = mirror(service, "/feeds/all.atom")
    with_words = [e["position"] for e in told if "occurred" in e]
    numbers = list_numbers(service)
    assert with_words == sorted(
        numbers[urn] for urn in held if told[numbers[urn] - 1]["kind"] != "withdrawn"
    )


def go_on(history: History, steps: list[Any], draws: Any) -> None:
    for step in steps:
        what, choice, *more = step
        history.act(what, choice, more[0] if more else None, draws.randrange(1000))
    fill(history.author)
    history.follow()
    readable, service = history.readable(), history.service
    assert mirror(service, "/feeds/all.atom").keys() == readable.keys()
    check_followers(service)
    for state in ("KZ", "KG"):
        wanted = {i for i, item in readable.items() if item["_caseflow"]["host_state"] == state}
        assert mirror(service, f"/feeds/states/{state}.atom").keys() == wanted
    recalls = {i for i, item in readable.items() if item["_caseflow"]["kind"] != "published"}
    assert mirror(service, "/feeds/recalls.atom").keys() == recalls
    for type in CHOSEN:
        found = mirror(service, f"/feeds/types/{type}.atom").keys()
        assert found == history.of_type(type)
    for headline in ("monitored", "died", "extradition_granted"):
        found = mirror(service, f"/feeds/headlines/{headline}.atom").keys()
        told = {i for i, item in readable.items() if item["_caseflow"].get("headline") == headline}
        assert told <= found <= {i for i, m in readable.items() if "type" in m["_caseflow"]}
    code = history.case["code"]
    of_case = {i for i, item in readable.items() if item["_caseflow"]["code"] == code}
    if service.get(f"/feeds/cases/{code}.atom").status_code == 200:
        assert mirror(service, f"/feeds/cases/{code}.atom").keys() == of_case
    else:
        assert not of_case
