"""Possible duplicates: what opening a case tells of others with near names, and whom."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from caseflow.api.duplicates import MOST_DUPLICATES
from tests.api.conftest import Json, Partner, Service

SHARED: Json = {"publish": "anonymous", "basis": "own", "share": True}
NAMED: Json = {"publish": "name", "basis": "own"}


def person(*names: str, **fields: Any) -> Json:
    """Return who a case is about."""
    told = [{"text": name, "language": "ru", "kind": "primary"} for name in names]
    return {"names": told, **fields}


def found(answer: Json) -> list[str]:
    """Return the ids of the possible duplicates in an answer, in their order."""
    return [duplicate["id"] for duplicate in answer["possible_duplicates"]]


@pytest.fixture
def desk(service: Service) -> Partner:
    """A partner."""
    return service.partner("events:write")


def test_a_case_with_a_near_name_is_told_with_its_label_and_likeness(desk: Partner) -> None:
    first = desk.open(subject=person("Семён Базуков"))
    desk.open(subject=person("Семён Коробов"))
    assert first["possible_duplicates"] == []
    second = desk.open(subject=person("Bazhukov Semyon"))
    assert second["possible_duplicates"] == [
        {"id": first["id"], "code": first["code"], "label": "Семён Базуков", "likeness": 1.0}
    ]


@pytest.mark.parametrize(
    ("known", "opened"),
    [
        ("Семён Базуков", "Семён Бажуков"),
        ("Oleksandr Kachkurkin", "Александр Качкуркин"),
        ("Ёлкин Пётр Ильич", "Петр Елкин"),
        ("Vitali Klitschko", "Klichko V."),
        ("Әлібек Қожахметов", "Alibek Kozhakhmetov"),
    ],
)
def test_any_spelling_and_script_is_found_either_way(
    light: Service, known: str, opened: str
) -> None:
    for one, other in ((known, opened), (opened, known)):
        desk = light.partner("events:write")
        first = desk.open(subject=person(one))
        assert found(desk.open(subject=person(other))) == [first["id"]]


def test_the_nearest_comes_first_and_the_years_must_fit(desk: Partner) -> None:
    near = desk.open(subject=person("Рустем Баймухамедов"))
    desk.open(subject=person("Рустам Баймухамедов", birth_year=1970))
    same = desk.open(subject=person("Рустам Баймухамедов", birth_year=1990))
    again = desk.open(subject=person("Рустам Баймухамедов", birth_year=1991))
    assert found(again) == [same["id"], near["id"]]


def test_no_more_than_twenty_are_told(light: Service) -> None:
    desk = light.partner("events:write")
    cases = [desk.open(subject=person("Ян Цой")) for _ in range(MOST_DUPLICATES + 2)]
    assert found(desk.open(subject=person("Ян Цой"))) == [c["id"] for c in cases[:MOST_DUPLICATES]]


def test_a_case_without_names_has_none(desk: Partner) -> None:
    desk.open()
    desk.open(subject=person("…"))
    assert found(desk.open()) == found(desk.open(subject=person("…"))) == []


# -- who sees what --------------------------------------------------------------------------------


def test_a_case_counts_for_those_who_may_see_its_subject(service: Service) -> None:
    author, other = service.partner("events:write"), service.partner("events:write")
    reader = service.partner("events:write", "restricted:read")
    secret = author.open(subject=person("Семён Бажуков"))
    shared = author.open(consent=SHARED, subject=person("Семён Бажуков"))
    named = author.open(consent=NAMED, subject=person("Семён Бажуков"))
    ask: Json = {"subject": person("Semen Bazukov")}
    asked = other.open(**ask)
    assert found(asked) == [shared["id"], named["id"]]
    told = [secret["id"], shared["id"], named["id"]]
    assert found(reader.open(**ask)) == [*told, asked["id"]]
    assert found(author.open(**ask)) == told


def test_what_may_not_be_seen_takes_nobodys_place(light: Service) -> None:
    """More cases than are compared stand before the one that may be seen, and nearer."""
    author, other = light.partner("events:write"), light.partner("events:write")
    lines = (
        json.dumps(
            {
                "case": {
                    "external_id": str(number),
                    "host_state": "KZ",
                    "origin_state": "RU",
                    "consent": {"publish": "anonymous", "basis": "own"},
                    "subject": person("Семён Бажуков", "Semyon Bazhukov", "Бажуков С."),
                }
            }
        )
        for number in range(200)
    )
    light.client.post("/v1/imports", content="\n".join(lines), headers=author.headers | NDJSON)
    shared = author.open(consent=SHARED, subject=person("Семён Базуков"))
    asked = person("Семён Бажуков", "Бажуков С.")
    assert found(other.open(subject=asked)) == [shared["id"]]


NDJSON = {"Content-Type": "application/x-ndjson"}


def test_the_label_is_what_the_caller_may_call_it(service: Service) -> None:
    author, other = service.partner("events:write"), service.partner("events:write")
    names = person("Семён Бажуков")
    names["names"] += [{"text": "Semyon Bazhukov", "language": "en", "kind": "primary"}]
    author.open(consent=SHARED, subject=names)
    consent = {"publish": "none", "basis": "own"}
    told = {"host_state": "KZ", "origin_state": "RU", "consent": consent, "subject": names}
    for language, label in (("ru", "Семён Бажуков"), ("en", "Semyon Bazhukov")):
        answer = other.post(f"/v1/cases?lang={language}", told).json()
        assert [d["label"] for d in answer["possible_duplicates"]][:1] == [label]


def test_a_dry_run_tells_of_nobody(light: Service) -> None:
    desk = light.partner("events:write")
    told = {"host_state": "KZ", "origin_state": "RU", "consent": SHARED, "external_id": "1"}
    desk.open(subject=person("Ян Цой"))
    line = json.dumps({"case": {**told, "subject": person("Ян Цой")}})
    for query in ("?dry_run=true", ""):
        answer = light.client.post(
            f"/v1/imports{query}", content=line, headers=desk.headers | NDJSON
        )
        assert answer.status_code == 200
        assert "Цой" not in answer.text
        assert "possible_duplicates" not in answer.text
    assert len(found(desk.open(subject=person("Ян Цой")))) == 2


# -- requests that come again ---------------------------------------------------------------------


def test_a_request_that_comes_again_is_answered_alike(desk: Partner) -> None:
    """Cases opened since do not count: whoever opened those was told of this one."""
    before = desk.open(subject=person("Ян Цой"))
    told = {
        "host_state": "KZ",
        "origin_state": "RU",
        "consent": SHARED,
        "subject": person("Jan Zoi", "Yan Tsoy"),
        "external_id": "again",
    }
    key = {"Idempotency-Key": "again"}
    first = desk.post("/v1/cases", told, **key).json()
    later = desk.open(subject=person("Ян Цой"))
    assert found(first) == [before["id"]]
    assert set(found(later)) == {before["id"], first["id"]}
    replayed = desk.post("/v1/cases", told, **key)
    assert replayed.headers["Idempotency-Replayed"] == "true"
    assert replayed.json() == first
    assert found(desk.post("/v1/cases", told).json()) == found(first)


def test_of_two_cases_opened_at_once_at_least_one_is_told_of_the_other(service: Service) -> None:
    desks = [service.partner("events:write") for _ in range(6)]
    with ThreadPoolExecutor(len(desks)) as pool:
        opened = list(pool.map(lambda d: d.open(consent=SHARED, subject=person("Ян Цой")), desks))
    met = {frozenset((case["id"], other)) for case in opened for other in found(case)}
    assert len(met) == len(desks) * (len(desks) - 1) / 2


# -- the API document -----------------------------------------------------------------------------


def test_the_document_describes_a_possible_duplicate(light: Service) -> None:
    schemas = light.get("/schema/openapi.json").json()["components"]["schemas"]
    desk = light.partner("events:write")
    desk.open(subject=person("Ян Цой"))
    [told] = desk.open(subject=person("Ян Цой"))["possible_duplicates"]
    assert told.keys() == schemas["PossibleDuplicate"]["properties"].keys()
