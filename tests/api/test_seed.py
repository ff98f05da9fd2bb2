"""The demo cases, posted through HTTP, give exactly the figures that the reports gave."""

import json
from typing import Any

import pytest

from .conftest import EXPECTED, SEED, Json, Seeded, Service, items

DAYS = sorted(EXPECTED)
VIEWS = ("public", "author", "partner", "reader")
# Two persons who agreed to be counted and no more; both on the list of those whose extradition was
# refused, on either day.
COUNTED = "two-servicemen-2024"


def shown(view: str, day: str) -> Json:
    """Return what is expected of the lists that a view has on a day."""
    expected: Json = json.loads(json.dumps(EXPECTED[day]))
    if view == "public":
        expected["cases"] -= 1
        expected["headline"]["extradition_refused"] -= 2
    return expected


def listed(asker: Any, **query: Any) -> list[Json]:
    return items(asker.get("/v1/cases", limit=500, **query))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("day", DAYS)
class TestFigures:
    def test_the_statistics_are_those_of_the_reports(
        self, seeded: Seeded, view: str, day: str
    ) -> None:
        expected = EXPECTED[day]
        found = seeded.views[view].get("/v1/statistics", as_of=day).json()
        assert found["as_of"] == day
        for name in ("cases", "persons", "at_risk", "returned"):
            assert found[name] == expected[name]
        assert found["departed"]["total"] == expected["departed"]["total"]
        assert {code: n for code, n in found["headline"].items() if n} == expected["headline"]
        assert found["tracks"]["asylum"]["recognised"] == expected["asylum_recognised"]

    def test_headlines_and_risk_of_the_listed_cases_add_up_to_them(
        self, seeded: Seeded, view: str, day: str
    ) -> None:
        expected = shown(view, day)
        cases = listed(seeded.views[view], as_of=day)
        persons: dict[str, int] = {}
        for case in cases:
            headline = case["status"]["headline"]
            persons[headline] = persons.get(headline, 0) + case["persons"]
        assert persons == expected["headline"]
        at_risk = {seeded.name_of(case["id"]) for case in cases if case["status"]["at_risk"]}
        assert at_risk == set(expected["cases_at_risk"])

    def test_filters_find_the_same(self, seeded: Seeded, view: str, day: str) -> None:
        expected = shown(view, day)
        asker = seeded.views[view]
        for headline, persons in expected["headline"].items():
            found = listed(asker, as_of=day, headline=headline)
            assert sum(case["persons"] for case in found) == persons
        found = listed(asker, as_of=day, at_risk="true")
        assert {seeded.name_of(c["id"]) for c in found} == set(expected["cases_at_risk"])
        safe = listed(asker, as_of=day, at_risk="false")
        assert len(found) + len(safe) == expected["cases"]
        for state, persons in expected["returned"].items():
            if state in ("extradited", "deported", "abducted", "returned"):
                found = listed(asker, as_of=day, track=f"movement:{state}")
                assert sum(case["persons"] for case in found) == persons


@pytest.mark.parametrize("view", VIEWS)
class TestNow:
    """Without a day: everything that is known, which reaches the second day of the reports."""

    def test_lists_and_single_cases_agree(self, seeded: Seeded, view: str) -> None:
        asker = seeded.views[view]
        cases = listed(asker)
        assert len(cases) == shown(view, DAYS[-1])["cases"]
        assert (COUNTED in {seeded.name_of(c["id"]) for c in cases}) == (view != "public")
        for case in cases:
            assert asker.get(f"/v1/cases/{case['id']}").json() == case
            assert asker.get(f"/v1/cases/{case['code']}").json() == case

    def test_filters_on_the_present_agree_with_the_statuses(
        self, seeded: Seeded, view: str
    ) -> None:
        asker = seeded.views[view]
        cases = listed(asker)
        for headline in {case["status"]["headline"] for case in cases}:
            wanted = [c for c in cases if c["status"]["headline"] == headline]
            assert listed(asker, headline=headline) == wanted
        tracks = {(t, s["state"]) for c in cases for t, s in c["status"]["tracks"].items()}
        for track, state in tracks:
            wanted = [
                c for c in cases if c["status"]["tracks"].get(track, {}).get("state") == state
            ]
            assert listed(asker, track=f"{track}:{state}") == wanted
        assert listed(asker, host_state="KZ", origin_state="RU") == cases
        assert listed(asker, host_state="KG") == listed(asker, origin_state="BY") == []
        assert listed(asker, at_risk="true", headline="deported") == []

    def test_a_case_is_found_by_its_name_in_any_spelling_and_script(
        self, seeded: Seeded, view: str
    ) -> None:
        asker = seeded.views[view]
        for words in (
            "Мовлаев", "мовлаев мансур", "Movlaev", "MOVLAYEV", "Mansur", "movlajew", "Mowlajew",
            "ｍｏｖｌａｅｖ", "Мо́влаев",
        ):  # fmt: skip
            assert [seeded.name_of(c["id"]) for c in listed(asker, q=words)] == ["movlaev"], words
        for words in ("Емельянова", "Yemelyanova", "Emelianova", "Jemeljanowa", "emelyanova"):
            assert [seeded.name_of(c["id"]) for c in listed(asker, q=words)] == ["yemelyanova"]
        assert listed(asker, q="Мовлаев Емельянова") == []
        assert listed(asker, q="nobody") == []
        assert listed(asker, q="Мовлаев", as_of=DAYS[0], headline="extradition_appealed") == []

    @pytest.mark.parametrize("words", ["42", "!!!", "%", "_", "2026-02-10", "\\"])
    def test_words_that_no_name_holds_find_nothing(
        self, seeded: Seeded, view: str, words: str
    ) -> None:
        """Signs without a letter are words too: they are not in any label."""
        assert listed(seeded.views[view], q=words) == []

    def test_cases_are_found_by_when_they_changed(self, seeded: Seeded, view: str) -> None:
        asker = seeded.views[view]
        cases = listed(asker)
        times = sorted(case["updated_at"] for case in cases)
        for moment in (times[0], times[7], times[-1]):
            wanted = [case for case in cases if case["updated_at"] >= moment]
            assert listed(asker, updated_since=moment) == wanted
        assert listed(asker, updated_since="2999-01-01T00:00:00Z") == []


def test_every_label_is_the_name_in_the_language_asked(seeded: Seeded) -> None:
    """All names of the demo are public; a group has none and goes by its code."""
    told = {line["case"]["external_id"]: line["case"] for line in SEED if "case" in line}
    for language in ("ru", "en"):
        for case in listed(seeded.service, lang=language):
            names = told[seeded.name_of(case["id"])].get("subject", {}).get("names", [])
            wanted = [n["text"] for n in names if n["language"] == language] or [
                n["text"] for n in names
            ]
            assert case["label"] == (wanted[0] if wanted else case["code"])


def test_posting_the_demo_again_changes_nothing(seeded: Seeded) -> None:
    before = seeded.service.head
    for line in SEED:
        if "case" in line:
            answer = seeded.press.post("/v1/cases", line["case"])
            stored = seeded.cases[line["case"]["external_id"]]
            assert answer.json()["id"] == stored["id"]
        else:
            told = {**line["event"]}
            case = seeded.cases[told.pop("case").removeprefix("ext:")]
            answer = seeded.press.post(f"/v1/cases/{case['id']}/events", told)
            stored = seeded.events[told["external_id"]]
            assert answer.json()["id"] == stored["id"]
            assert answer.json()["position"] == stored["position"]
        assert answer.status_code == 200
    assert seeded.service.head == before == len(SEED)


def test_a_correction_changes_the_figures_from_when_it_was_known(service: Service) -> None:
    """Say, the decision to extradite turns out to have been carried out that day."""
    demo = Seeded(service)
    case, granted = demo.cases["movlaev"], demo.events["movlaev/granted"]
    day = DAYS[-1]

    def look(**query: Any) -> list[tuple[str, int, int]]:
        found = []
        for asker in demo.views.values():
            status = asker.get(f"/v1/cases/{case['id']}", as_of=day, **query).json()["status"]
            numbers = asker.get("/v1/statistics", as_of=day, **query).json()
            appealed = numbers["headline"]["extradition_appealed"]
            found.append((status["headline"], numbers["at_risk"], appealed))
        return found

    before, known = look(), demo.service.get("/v1/events", limit=500).json()["items"][-1]
    wanted = EXPECTED[day]
    old = ("extradition_appealed", wanted["at_risk"], wanted["headline"]["extradition_appealed"])
    assert before == [old] * 4
    answer = demo.press.post(
        f"/v1/events/{granted['id']}/corrections",
        {"reason": "new_evidence", "type": "extradition.surrendered", "occurred": "2026-01-29"}
        | {"visibility": "public"},
    )
    assert answer.status_code == 201, answer.text
    after = look()
    assert after == [("extradited", old[1] - 1, old[2] - 1)] * 4
    assert look(known_at=known["recorded_at"]) == before
    assert look(known_at=answer.json()["recorded_at"]) == after
