"""The form for partners: it records what was seen, once, and nothing not filled in here."""

import re
import time
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
import pytest

from caseflow.domain.vocabulary import TYPES
from caseflow.web.claim_form import list_inputs, make_claim, make_date
from tests.api.conftest import AUTHOR, Json, Partner, Service

from .conftest import LANGUAGES, Reader, read_error, read_page

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Desk:
    """A partner who posts with the form, as a browser without scripts sends it."""

    def __init__(self, service: Service, *scopes: str) -> None:
        self.service = service
        self.author: Partner = service.partner(*(scopes or AUTHOR))
        self.case: Json = service.partner(*AUTHOR, of=self.author).open()
        self.key = self.author.headers["Authorization"].removeprefix("Bearer ")

    def send(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        return self.service.client.post(path, content=urlencode(fields), headers=FORM | headers)

    def start(self, **fields: str) -> httpx.Response:
        told = {"key": self.key, "case": self.case["code"], "type": "wanted.removed", **fields}
        return self.send("/post?lang=en", told)

    def preview(self, **fields: str) -> httpx.Response:
        token = read_page(self.start(**{"type": fields.get("type", "wanted.removed")})).inputs
        return self.send("/post/preview?lang=en", fill(token, **fields))

    def list_events(self) -> list[Json]:
        found = self.author.get(f"/v1/cases/{self.case['id']}/events?limit=500").json()["items"]
        return [event for event in found if event["type"] != "case.opened"]


def fill(inputs: dict[str, str], **fields: str) -> dict[str, str]:
    """Return what a browser sends of a form that was filled in."""
    hidden = {name: inputs[name] for name in ("token", "case", "type")}
    told = {"occurred": "29.01.2026", "verification": "likely", "visibility": "public"}
    return {**hidden, **told, **fields}


def hidden_of(answer: httpx.Response, action: str) -> dict[str, str]:
    """Return the fields of the form on a page that leads to an address."""
    forms = re.findall(r'<form method="post" action="([^"?]*).*?</form>', answer.text, re.S)
    assert action in forms
    form = re.search(rf'<form method="post" action="{action}\?.*?</form>', answer.text, re.S)
    assert form
    return Reader(form[0]).inputs


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


# -- what is taken --------------------------------------------------------------------------------


def test_a_form_records_what_was_seen_and_gives_a_receipt(desk: Desk) -> None:
    texts = {"summary_en": "As his lawyer said.\r\nAnd more.", "place": "Алматы",
             "source0_title": "A court's page", "source0_url": "https://example.org/x",
             "source0_published": "02.2026"}  # fmt: skip
    seen = desk.preview(**texts)
    page = read_page(seen)
    assert "As his lawyer said." in page.text
    assert not desk.list_events()
    done = desk.send("/post/done?lang=en", hidden_of(seen, "/post/done"))
    receipt = {name: re.search(rf'id="receipt-{name}">([^<]+)', read_page(done) and done.text)
               for name in ("event", "position", "record")}  # fmt: skip
    (event,) = desk.list_events()
    assert event["occurred"] == "2026-01-29"
    assert event["summary"] == {"en": "As his lawyer said.\nAnd more."}
    assert event["sources"] == [{"title": "A court's page", "url": "https://example.org/x",
                                 "published": "2026-02"}]  # fmt: skip
    found = {name: one[1] for name, one in receipt.items() if one}
    assert (found["event"], int(found["position"])) == (event["id"], event["position"])
    desk.service.settle(desk.service.partner("audit:read"))
    assert "The receipt is good" in read_page(desk.service.get("/verify", lang="en", **found)).text
    assert desk.service.get(f"/v1/events/{event['id']}").status_code == 200


def test_sent_again_a_form_is_carried_out_once(desk: Desk) -> None:
    fields = hidden_of(desk.preview(), "/post/done")
    answers = [desk.send("/post/done?lang=en", fields) for _ in range(3)]
    texts = [read_page(answer).text for answer in answers]
    assert len(desk.list_events()) == 1
    assert "It is stored" in texts[0]
    assert all("It was stored before" in text for text in texts[1:])
    ids = {re.search('receipt-event">([^<]+)', answer.text)[1] for answer in answers}  # type: ignore[index]
    assert len(ids) == 1


def test_a_form_can_be_changed_after_it_was_seen(desk: Desk) -> None:
    seen = desk.preview(summary_en="Words with a mistaek.")
    back = desk.send("/post/preview?lang=en", hidden_of(seen, "/post/preview"))
    form = read_page(back)
    assert "mistaek" in back.text
    again = desk.send("/post/preview?lang=en", fill(form.inputs, summary_en="Mended words."))
    desk.send("/post/done?lang=en", hidden_of(again, "/post/done"))
    assert [event["summary"] for event in desk.list_events()] == [{"en": "Mended words."}]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_type_has_a_form_that_its_claim_comes_out_of(light: Service, language: str) -> None:
    desk = Desk(light)
    earlier = desk.author.tell(desk.case, "extradition.granted", "2026-01-01")
    for code in TYPES:
        answer = desk.send(f"/post?lang={language}",
                           {"key": desk.key, "case": desk.case["code"], "type": code})  # fmt: skip
        form = read_page(answer)
        told = {f.name: example(f.name, f.kind, [c for c, _ in f.choices], earlier["id"])
                for f in list_inputs(code, language)}  # fmt: skip
        assert all(f'name="{name}"' in answer.text for name in told)
        seen = desk.send(f"/post/preview?lang={language}", fill(form.inputs, **told))
        page = read_page(seen)
        assert page.language == language
        assert 'action="/post/done' in seen.text, (code, page.text)


def example(name: str, kind: str, choices: list[str], event: str) -> str:
    found = {"choice": (choices or [""])[0], "country": "RU", "number": "3", "date": "2026-02",
             "event": event, "flag": "yes"}  # fmt: skip
    return found.get(kind, "words")


@pytest.mark.parametrize(
    ("kind", "first", "end", "about", "edtf"),
    [
        ("day", "29.01.2026", "", "", "2026-01-29"),
        ("day", "2026-01-29", "", "yes", "2026-01-29~"),
        ("day", "1/2/2026", "", "", "2026-02-01"), ("month", "01.2026", "", "", "2026-01"),
        ("month", "29.01.2026", "", "yes", "2026-01~"), ("year", "29.01.2026", "", "", "2026"),
        ("between", "1.1.2026", "2026-02-10", "", "[2026-01-01..2026-02-10]"),
        ("until", "2026-02-10", "", "", "[..2026-02-10]"), ("edtf", "2026-2X", "", "", "2026-2X"),
        ("", "2026-01-29", "", "", "2026-01-29"),
    ],
)  # fmt: skip
def test_a_date_is_as_precise_as_it_is_known(
    kind: str, first: str, end: str, about: str, edtf: str
) -> None:
    told = {"d": first, "d_end": end, "d_kind": kind, "d_about": about}
    assert make_date({name: text for name, text in told.items() if text}, "d") == edtf


def test_what_was_left_empty_is_not_said() -> None:
    claim = make_claim("person.died", {"occurred": "2026", "occurred_kind": "year"})
    assert claim == {"type": "person.died", "occurred": "2026"}


# -- what is refused ------------------------------------------------------------------------------


def refused(answer: httpx.Response, status: int, words: str) -> Reader:
    page = read_error(answer, status)
    assert words in page.text
    assert "cfk_" not in answer.text
    return page


def test_a_wrong_key_or_case_opens_no_form(desk: Desk) -> None:
    other = desk.service.partner(*AUTHOR)
    hidden = other.open(consent={"publish": "none", "basis": "own"})
    refused(desk.start(key="cfk_" + "x" * 43), 401, "The key is not known")
    refused(desk.start(key=""), 401, "The key is not known")
    reader = desk.service.partner("audit:read").headers["Authorization"].split()[1]
    refused(desk.start(key=reader), 403, "may not post")
    for name in ("KZ-0000-0000", "ext:nothing", "", "x" * 12):
        refused(desk.start(case=name), 422, "no such case")
    refused(desk.start(type="nothing"), 422, "cannot be taken")
    # A case that the public does not see is there for partners, as in the API.
    assert read_page(desk.start(case=hidden["code"]))
    revoked = Desk(desk.service)
    seen = revoked.preview()
    desk.service.revoke(revoked.author)
    # For a second a process goes by what it saw of a key.
    time.sleep(1.1)
    refused(revoked.send("/post/done?lang=en", hidden_of(seen, "/post/done")), 401, "not known")
    watcher = desk.service.partner("audit:read")
    told = watcher.get(f"/v1/cases/{revoked.case['id']}/events").json()["items"]
    assert [event["type"] for event in told] == ["case.opened"]


def test_what_does_not_fit_is_pointed_at_and_nothing_is_stored(desk: Desk) -> None:
    for fields, words in (
        ({"occurred": "2026-02-30"}, "date of the event"), ({"occurred": ""}, "date of the event"),
        ({"visibility": "everyone"}, "visibility"), ({"source0_url": "javascript:1"}, "address"),
        ({"summary_en": "a\x00b"}, "EN"), ({"after": "not-an-id"}, "follows"),
        ({"jurisdiction": "XX"}, "jurisdiction"), ({"source1_publisher": "nobody"}, "2"),
    ):  # fmt: skip
        answer = desk.preview(**fields)
        page = refused(answer, 422, "Nothing was stored")
        assert words in page.text, (fields, page.text[:600])
        # What was filled in stays.
        assert fields.get("source0_url", "likely") in answer.text
    assert not desk.list_events()


def test_a_text_that_names_the_person_is_refused_before_it_is_seen(service: Service) -> None:
    desk = Desk(service)
    desk.case = desk.author.open(
        subject={"names": [{"text": "Канарейкин", "language": "ru", "kind": "primary"}]}
    )
    refused(desk.preview(summary_ru="Канарейкин задержан."), 422, "Nothing was stored")
    assert not desk.list_events()


def test_a_late_form_stores_nothing(light: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(light)
    started, seen = read_page(desk.start()).inputs, desk.preview()
    services = light.client.app.state.services
    later = services.clock() + 3_700_000_000
    light.client.app.state.services = msgspec.structs.replace(services, clock=lambda: later)
    for path, fields in (
        ("/post/preview?lang=en", fill(started)),
        ("/post/done?lang=en", hidden_of(seen, "/post/done")),
    ):
        refused(desk.send(path, fields), 422, "open for too long")
    light.client.app.state.services = services
    assert not desk.list_events()


def test_a_forged_form_stores_nothing(desk: Desk) -> None:
    started = read_page(desk.start()).inputs
    seen = desk.preview(summary_en="What was seen.")
    fields = hidden_of(seen, "/post/done")
    objecting = read_page(desk.service.get("/objection")).inputs
    flipped = fields["token"][:-3] + ("AAA" if fields["token"][-3:] != "AAA" else "BBB")
    forged: list[tuple[str, dict[str, Any], dict[str, str]]] = [
        ("/post/done", {**fields, "summary_en": "Something else."}, {}),
        ("/post/done", {**fields, "visibility": "restricted"}, {}),
        ("/post/done", {**fields, "more": "x"}, {}),
        ("/post/done", {n: t for n, t in fields.items() if n != "summary_en"}, {}),
        ("/post/done", {**fields, "token": flipped}, {}),
        ("/post/done", {**fields, "token": ""}, {}),
        # The token of another step, and that of another form.
        ("/post/done", {**fields, "token": started["token"]}, {}),
        ("/post/preview", {**fill(started), "token": fields["token"]}, {}),
        ("/post/done", {**fields, "token": objecting["token"]}, {}),
        # Another site makes a browser send it.
        ("/post/done", fields, {"Sec-Fetch-Site": "cross-site"}),
        ("/post/done", fields, {"Sec-Fetch-Site": "same-site"}),
        ("/post/done", fields, {"Origin": "https://elsewhere.example"}),
        ("/post", {"key": desk.key, "case": desk.case["code"], "type": "person.died"},
         {"Sec-Fetch-Site": "cross-site"}),
    ]  # fmt: skip
    for path, told, headers in forged:
        answer = desk.send(f"{path}?lang=en", told, **headers)
        page = read_error(answer, answer.status_code)
        assert answer.status_code in (403, 422), (path, told, headers)
        assert page.title
    assert not desk.list_events()
    # As a browser sends it from here.
    for headers in (
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"}, {"Origin": "https://cases.example"},
        {"Origin": "http://testserver.local"},
    ):  # fmt: skip
        assert read_page(desk.send("/post/done?lang=en", fields, **headers))
    assert len(desk.list_events()) == 1


def test_what_is_no_form_is_refused(desk: Desk) -> None:
    client = desk.service.client
    for content, headers in (
        (b"{}", {"Content-Type": "application/json"}), (b"a=1&a=2", FORM), (b"%zz=1;", FORM),
        (b"token=\xff", FORM), (b"&".join(b"a%d=1" % n for n in range(300)), FORM),
        (b"token=" + b"x" * 2_000_000, FORM), (b"", {}),
        (b"token=x", {**FORM, "Content-Encoding": "gzip"}),
    ):  # fmt: skip
        for path in ("/post", "/post/preview", "/post/done", "/objection"):
            answer = client.post(path, content=content, headers=headers)
            assert 400 <= answer.status_code < 500, (content[:20], path)
            read_error(answer, answer.status_code)
    assert not desk.list_events()


def test_a_case_that_moved_on_is_told_of_and_the_form_comes_back(desk: Desk) -> None:
    """Between the look and the last step somebody corrected what the claim follows."""
    first = desk.author.tell(desk.case, "extradition.granted", "2026-01-01")
    seen = desk.preview(type="appeal.filed", against=first["id"])
    gone = desk.author.post(f"/v1/events/{first['id']}/retractions", {"reason": "false"})
    assert gone.status_code == 201
    answer = desk.send("/post/done?lang=en", hidden_of(seen, "/post/done"))
    # Kept all the same, or refused with the form: never half of it.
    events = [event for event in desk.list_events() if event["type"] == "appeal.filed"]
    assert len(events) == (1 if answer.status_code == 200 else 0)


def test_no_step_tells_what_is_restricted_to_another_partner(desk: Desk) -> None:
    """Not even to a key that could read it elsewhere, where such a read is logged."""
    other = desk.service.partner(*AUTHOR)
    hidden = other.tell(desk.case, "expulsion.executed", "2026-01-05", visibility="restricted")
    shown = other.tell(desk.case, "asylum.registered", "2026-01-04", visibility="partners")
    reader = Desk(desk.service, *AUTHOR, "restricted:read")
    for asker in (desk, reader):
        form = asker.start(case=desk.case["code"])
        assert shown["id"] in form.text
        assert hidden["id"] not in form.text
        seen = asker.send("/post/preview?lang=en", fill(read_page(form).inputs))
        done = asker.send("/post/done?lang=en", hidden_of(seen, "/post/done"))
        for answer in (seen, done):
            assert "Expelled" not in answer.text
            assert "Asylum" in answer.text


def test_a_case_that_was_merged_is_told_of_under_the_one_that_stays(desk: Desk) -> None:
    main = desk.author.open()
    merged = desk.author.post(f"/v1/cases/{desk.case['id']}/merges", {"into": main["id"]},
                              **{"If-Match": "*"})  # fmt: skip
    assert merged.status_code == 201
    seen = desk.preview(summary_en="Words.")
    assert main["code"] in read_page(seen).text
    read_page(desk.send("/post/done?lang=en", hidden_of(seen, "/post/done")))
    told = desk.author.get(f"/v1/cases/{main['id']}/events").json()["items"]
    assert "wanted.removed" in [event["type"] for event in told]


def test_what_was_stored_is_not_stored_again_with_other_words(desk: Desk) -> None:
    first = desk.preview(summary_en="First words.")
    fields = hidden_of(first, "/post/preview")
    read_page(desk.send("/post/done?lang=en", hidden_of(first, "/post/done")))
    # Back in the browser, changed, and sent.
    form = read_page(desk.send("/post/preview?lang=en", fields))
    again = desk.send("/post/preview?lang=en", fill(form.inputs, summary_en="Other words."))
    answer = desk.send("/post/done?lang=en", hidden_of(again, "/post/done"))
    refused(answer, 422, "stored before, with other words")
    assert len(desk.list_events()) == 1


# -- receipts -------------------------------------------------------------------------------------


def test_a_receipt_that_is_not_quite_right_is_as_one_of_nothing(desk: Desk) -> None:
    done = desk.send("/post/done?lang=en", hidden_of(desk.preview(visibility="restricted"),
                                                     "/post/done"))  # fmt: skip
    good = {name: re.search(rf'id="receipt-{name}">([^<]+)', done.text)[1]  # type: ignore[index]
            for name in ("event", "position", "record")}  # fmt: skip
    other = desk.author.tell(desk.case, "person.died")
    bad = [
        {**good, "record": "0" * 64}, {**good, "event": other["id"]}, {**good, "position": "1"},
        {**good, "position": "999999"}, {**good, "position": "0"}, {**good, "position": "-1"},
        {**good, "record": "x"}, {**good, "event": "<b>"}, {"event": good["event"]},
        {**good, "position": "9" * 30},
    ]  # fmt: skip
    found = set()
    for told in bad:
        page = read_page(desk.service.get("/verify", lang="en", **told))
        found.add(re.sub(r"\s+", " ", page.text.split("Event")[0]))
    assert len(found) == 1
    assert "no such record" in found.pop()
    assert "is good" in read_page(desk.service.get("/verify", lang="en", **good)).text
    # In other spellings of the same.
    upper = {**good, "record": good["record"].upper(), "event": good["event"].replace("-", "")}
    assert "is good" in read_page(desk.service.get("/verify", lang="en", **upper)).text
