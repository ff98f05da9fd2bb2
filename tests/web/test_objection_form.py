"""The form with which anybody objects: the case is hidden at once, and nothing is told beyond."""

import logging
from urllib.parse import urlencode

import httpx
import msgspec
import pytest

from tests.api.conftest import AUTHOR, Json, Partner, Service

from .conftest import LANGUAGES, Reader, read_error, read_page

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def get_token(service: Service) -> str:
    return read_page(service.get("/objection", lang="en")).inputs["token"]


def send(service: Service, fields: dict[str, str], **headers: str) -> httpx.Response:
    return service.client.post("/objection?lang=en", content=urlencode(fields),
                               headers=FORM | headers)  # fmt: skip


def told(service: Service, case: Json, **fields: str) -> dict[str, str]:
    return {"token": get_token(service), "case": case["code"], "by": "lawyer", **fields}


@pytest.fixture
def shown(service: Service) -> tuple[Service, Partner, Json]:
    """A public case, and its author."""
    author = service.partner(*AUTHOR)
    case = author.open()
    author.tell(case, "wanted.removed", summary={"en": "words of a case"})
    return service, author, case


Shown = tuple[Service, Partner, Json]


def is_hidden(service: Service, case: Json) -> bool:
    gone = {service.get(f"/cases/{case['code']}").status_code,
            service.get(f"/v1/cases/{case['id']}").status_code}  # fmt: skip
    assert gone in ({200}, {410})
    in_feed = "words of a case" in service.get("/feeds/all.atom").text
    assert in_feed == (gone == {200})
    return gone == {410}


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_objection_hides_a_case_at_once(shown: Shown, language: str) -> None:
    service, author, case = shown
    page = read_page(service.get("/objection", lang=language, case=case["code"]))
    assert page.inputs["case"] == case["code"]
    fields = {"token": page.inputs["token"], "case": case["code"].lower(), "by": "person",
              "text": "canary words\r\nof mine", "contact": "canary@example.org"}  # fmt: skip
    answer = service.client.post(
        f"/objection?lang={language}", content=urlencode(fields), headers=FORM
    )
    done = read_page(answer)
    assert done.language == language
    assert case["code"].lower() in done.text.lower()
    assert "canary" not in answer.text
    assert is_hidden(service, case)
    # Whoever knows the case reads it, in the words in which it was said.
    (objection,) = author.get("/v1/objections").json()["items"]
    assert objection["text"] == "canary words\nof mine"
    assert objection["contact"] == "canary@example.org"


def test_sent_twice_an_objection_is_recorded_once(shown: Shown) -> None:
    service, author, case = shown
    fields = told(service, case, text="the same")
    for _ in range(3):
        read_page(send(service, fields))
    assert len(author.get("/v1/objections").json()["items"]) == 1


def test_what_is_wrong_late_or_forged_hides_nothing(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, author, case = shown
    fields = told(service, case)
    for wrong, headers, status in (
        ({**fields, "case": "KZ-0000-0000"}, {}, 422), ({**fields, "case": ""}, {}, 422),
        ({**fields, "by": "police"}, {}, 422), ({**fields, "by": ""}, {}, 422),
        ({**fields, "text": "a\x01b"}, {}, 422), ({**fields, "text": "x" * 30_000}, {}, 422),
        ({**fields, "token": "x"}, {}, 422), ({**fields, "token": ""}, {}, 422),
        (fields, {"Sec-Fetch-Site": "cross-site"}, 422),
    ):  # fmt: skip
        answer = send(service, wrong, **headers)
        read_error(answer, status)
        assert not is_hidden(service, case)
    services = service.client.app.state.services
    later = services.clock() + 3_700_000_000
    service.client.app.state.services = msgspec.structs.replace(services, clock=lambda: later)
    page = read_error(send(service, fields), 422)
    assert "open for too long" in page.text
    # It comes back filled in, with a token that is good.
    assert page.inputs["case"] == case["code"]
    service.client.app.state.services = services
    assert not is_hidden(service, case)
    assert author.get("/v1/objections").json()["items"] == []


def test_a_case_that_nobody_may_know_of_is_as_one_that_is_not_there(service: Service) -> None:
    author = service.partner(*AUTHOR)
    hidden = author.open()
    author.tell(hidden, "wanted.removed", visibility="partners")
    nothing = {"code": "KZ-0000-0000"}
    texts = {
        Reader(send(service, told(service, case)).text).text.replace(case["code"], "")
        for case in (hidden, nothing)
    }
    assert len(texts) == 1
    for name in ("nothing", hidden["id"], "ext:1"):
        page = read_error(send(service, told(service, {"code": name})), 422)
        assert "No case with this code is shown here" in page.text
    assert author.get("/v1/objections").json()["items"] == []


def test_no_word_of_an_objection_gets_into_a_log(
    shown: Shown, caplog: pytest.LogCaptureFixture
) -> None:
    service, _, case = shown
    with caplog.at_level(logging.DEBUG):
        send(service, told(service, case, text="canary", contact="canary"))
    assert "canary" not in caplog.text
    assert case["code"] not in caplog.text
