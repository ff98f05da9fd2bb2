"""Pages: what they say is what the API says, they give nothing away, and stay until it changes."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from caseflow.domain.labels import label
from tests.api.conftest import AUTHOR, SEED, Json, Seeded, Service

from .conftest import LANGUAGES, Reader, read_error, read_page, walk

PAGES = ("/", "/cases", "/statistics", "/feeds", "/how", "/verify", "/privacy", "/partners",
         "/objection", "/post")  # fmt: skip
POLICY = {
    "default-src 'none'", "style-src 'self'", "img-src 'self'", "form-action 'self'",
    "base-uri 'none'", "frame-ancestors 'none'",
}  # fmt: skip


def code_of(seeded: Seeded, name: str = "movlaev") -> str:
    return str(seeded.cases[name]["code"])


def squeeze(text: str) -> str:
    """Return a text as a browser shows it."""
    return " ".join(text.split())


# -- every page -----------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_is_in_its_language_and_runs_nothing(seeded: Seeded, language: str) -> None:
    for path in (*PAGES, f"/cases/{code_of(seeded)}"):
        answer = seeded.service.get(path, lang=language)
        page = read_page(answer)
        assert page.language == answer.headers["content-language"] == language
        assert set(answer.headers["content-security-policy"].split("; ")) == POLICY
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not page.tags & {"script", "style", "iframe", "object", "embed", "base"}
        assert not {n for n in page.attributes if n.startswith("on") or n == "style"}
        assert all(address.startswith("/") for address in page.loads)
        assert len(page.ids) == len(set(page.ids))
        assert page.title


def test_a_page_has_other_words_in_each_language(seeded: Seeded) -> None:
    for path in PAGES:
        texts = {squeeze(read_page(seeded.service.get(path, lang=n)).text) for n in LANGUAGES}
        assert len(texts) == 3, path


def test_a_browser_chooses_the_language_unless_the_address_does(seeded: Seeded) -> None:
    headers = {"Accept-Language": "kk, ru;q=0.5"}
    answer = seeded.service.get("/how", headers=headers)
    assert answer.headers["content-language"] == "kk"
    assert "Accept-Language" in answer.headers["vary"]
    assert seeded.service.get("/how?lang=ru", headers=headers).headers["content-language"] == "ru"


def test_every_link_from_every_page_resolves(seeded: Seeded) -> None:
    answers = dict(walk(seeded.service, "/?lang=ru"))
    wrong = {a: answer.status_code for a, answer in answers.items() if answer.status_code != 200}
    assert not wrong
    assert sum(address.startswith("/cases/") for address in answers) > len(seeded.cases)
    assert {f"{path}?lang={n}" for path in PAGES for n in LANGUAGES} <= answers.keys()


def test_pages_that_may_carry_names_are_not_to_be_listed(seeded: Seeded) -> None:
    for path in ("/", "/cases", f"/cases/{code_of(seeded)}"):
        answer = seeded.service.get(path)
        assert "noindex" in answer.headers["x-robots-tag"]
        assert '<meta name="robots" content="noindex' in answer.text
    for path in ("/how", "/feeds", "/statistics"):
        assert "x-robots-tag" not in seeded.service.get(path).headers
    # Who may not come in does not see that.
    assert seeded.service.get("/robots.txt").text == "User-agent: *\nAllow: /\n"


def test_the_words_for_social_networks_name_nobody(seeded: Seeded) -> None:
    page = seeded.service.get(f"/cases/{code_of(seeded)}", lang="en").text
    told = re.findall(r'<meta (?:property="og:[a-z_]+"|name="description") content="([^"]*)"', page)
    assert len(told) == 5
    assert not any("Movlaev" in text or "Мовлаев" in text for text in told)


def test_the_first_view_is_light(seeded: Seeded) -> None:
    for path in ("/", f"/cases/{code_of(seeded)}", "/statistics"):
        answer = seeded.service.get(path, headers={"Accept-Encoding": "identity"})
        loads = [seeded.service.get(a, {"Accept-Encoding": "identity"})
                 for a in read_page(answer).loads]  # fmt: skip
        assert len(answer.content) + sum(len(one.content) for one in loads) < 100_000, path


def test_security_txt_says_whom_to_write_and_until_when(light: Service) -> None:
    answer = light.get("/.well-known/security.txt")
    assert answer.headers["content-type"].startswith("text/plain")
    told = dict(line.split(": ", 1) for line in answer.text.splitlines())
    assert told["Contact"] == "https://cases.example/privacy"
    expires = datetime.fromisoformat(told["Expires"])
    assert 100 < (expires - datetime.now(UTC)).days < 365
    assert told["Canonical"] == "https://cases.example/.well-known/security.txt"


def test_files_of_pages_stay_for_good_under_their_names(light: Service) -> None:
    for address in read_page(light.get("/how")).loads:
        answer = light.get(address)
        assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (200, True)
    read_error(light.get("/static/style.000000000000.css"), 404)


# -- what they say --------------------------------------------------------------------------------


def flatten(numbers: Json, path: str = "") -> dict[str, Any]:
    found = {}
    for name, value in numbers.items():
        if isinstance(value, dict):
            found |= flatten(value, f"{path}{name}.")
        elif isinstance(value, int | float):
            found[f"{path}{name}"] = value
    return found


@pytest.mark.parametrize(
    "query", ["", "as_of=2025-12-31", "as_of=2026-02-10", "host_state=KZ", "origin_state=BY"]
)
def test_every_figure_of_the_statistics_is_that_of_the_api(seeded: Seeded, query: str) -> None:
    numbers = flatten(seeded.service.get(f"/v1/statistics?{query}").json())
    page = read_page(seeded.service.get(f"/statistics?{query}&lang=en"))
    shown = {name: text for name, text in page.figures.items() if text != "–"}
    assert shown == {name: f"{numbers[name]:,}" for name in shown}
    # Whatever is not nobody is shown.
    wanted = {n for n, v in numbers.items() if v and n.startswith(("headline.", "tracks."))}
    assert wanted <= shown.keys()
    assert {"persons", "cases", "at_risk", "returned.total"} <= shown.keys()


def test_the_first_page_has_the_figures_of_the_api(seeded: Seeded) -> None:
    numbers = seeded.service.get("/v1/statistics").json()
    text = squeeze(read_page(seeded.service.get("/", lang="en")).text)
    for words, value in (
        ("persons on record", numbers["persons"]),
        ("at risk now", numbers["at_risk"]),
        ("returned by force", numbers["returned"]["forced"]),
        ("left for another state", numbers["departed"]["total"]),
        ("recognised as refugees", numbers["tracks"]["asylum"]["recognised"]),
        ("days in custody, the middle case", numbers["custody_days"]["median"]),
    ):
        assert f"{words}{value}" in text
    at_risk = seeded.service.get("/v1/cases?at_risk=true&lang=en").json()["items"]
    assert at_risk
    assert all(case["label"] in text for case in at_risk)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_case_says_what_the_api_says_of_it(seeded: Seeded, language: str) -> None:
    for case in seeded.cases.values():
        found = seeded.service.get(f"/v1/cases/{case['id']}", lang=language)
        if found.status_code == 404:
            read_error(seeded.service.get(f"/cases/{case['code']}"), 404)
            continue
        told, text = (
            found.json(),
            read_page(seeded.service.get(f"/cases/{case['code']}", lang=language)).text,
        )
        assert told["label"] in text
        assert told["status"]["label"].capitalize() in text
        for track in told["status"]["tracks"].values():
            assert track["label"].capitalize() in text
        events = seeded.service.get(f"/v1/cases/{case['id']}/events?limit=500").json()["items"]
        for event in events:
            assert label("types", event["type"], language).capitalize() in text
            for source in event.get("sources", ()):
                assert source.get("title", "") in text


def test_accounts_that_contradict_each_other_stand_side_by_side(service: Service) -> None:
    one, two = service.partner(*AUTHOR, public_name="One"), service.partner(*AUTHOR)
    case = one.open()
    one.tell(case, "extradition.surrendered", "2026-01-29", destination="RU")
    two.tell(case, "expulsion.executed", "2026-02-02", destination="RU")
    one.tell(case, "wanted.removed", "2025-01")
    page = service.get(f"/cases/{case['code']}", lang="en").text
    together = re.findall(r'<li class="disputed">.*?</li>\n(?=<li|</ol>)', page, re.S)
    assert len(together) == 1
    assert together[0].count("<article") == 2
    assert "Surrender" in together[0]
    assert "Removed" not in together[0] or "Removal" in page


def test_a_vague_date_is_a_wide_bar_and_a_day_a_narrow_one(service: Service) -> None:
    author = service.partner(*AUTHOR)
    case = author.open()
    author.tell(case, "wanted.removed", "2025")
    author.tell(case, "asylum.claim_made", "2025-07-01")
    author.tell(case, "asylum.registered", "[..2025-03-31]")
    page = service.get(f"/cases/{case['code']}", lang="en").text
    bars = re.findall(r'class="bar( open)?" x="(\d+)" y="1" width="(\d+)"', page)
    # In the order of the earliest days: what has no known start comes first.
    assert bars[0][0] == " open"
    assert [(int(x), int(width) > 900) for _, x, width in bars[1:2]] == [(0, True)]
    assert 480 < int(bars[2][1]) < 510
    assert int(bars[2][2]) < 20
    assert "2025" in page
    assert "1 January 2025" not in squeeze(Reader(page).text).split("The bars run")[0]


def test_corrections_and_withdrawals_are_told_and_old_words_are_gone(service: Service) -> None:
    author = service.partner(*AUTHOR)
    case = author.open()
    first = author.tell(case, "wanted.removed", summary={"en": "an early word"})
    second = author.tell(case, "asylum.registered", summary={"en": "words to be withdrawn"})
    body = {"reason": "typo", "claim": {"type": "wanted.removed", "occurred": "2025-06-01",
            "visibility": "public", "summary": {"en": "a later word"}}}  # fmt: skip
    assert author.post(f"/v1/events/{first['id']}/corrections", body).status_code == 201
    answer = author.post(f"/v1/events/{second['id']}/retractions", {"reason": "false"})
    assert answer.status_code == 201
    text = squeeze(read_page(service.get(f"/cases/{case['code']}", lang="en")).text)
    assert "a later word" in text
    assert "an early word" not in text
    assert "words to be withdrawn" not in text
    assert "Correction:" in text
    assert f"Withdrawn: {case['code']}" in text


def test_a_page_is_seen_as_things_stood_and_as_they_were_known(service: Service) -> None:
    author = service.partner(*AUTHOR)
    case = author.open()
    author.tell(case, "extradition.requested", "2025-11-01")
    known = service.get(f"/v1/cases/{case['id']}").json()["updated_at"]
    author.tell(case, "extradition.granted", "2026-01-10")
    address = f"/cases/{case['code']}"
    now = read_page(service.get(address, lang="en")).text
    assert "Extradition granted" in now
    for query in ({"as_of": "2025-12-01"}, {"known_at": known}):
        then = read_page(service.get(address, lang="en", **query)).text
        assert "Extradition requested" in then
        assert "Extradition granted" not in then
    assert "12-01" not in now
    read_error(service.get(address, lang="en", known_at="2020-01-01T00:00:00Z"), 404)


def test_cases_are_found_by_name_in_any_script_and_by_how_they_stand(seeded: Seeded) -> None:
    for words in ("Мовлаев", "Movlaev", "movlayev"):
        found = seeded.service.get("/v1/cases", q=words, lang="ru").json()["items"]
        page = read_page(seeded.service.get("/cases", q=words, lang="ru")).text
        assert [c["label"] for c in found if c["label"] in page] == [c["label"] for c in found]
        assert page.count("→") == len(found)
    at_risk = seeded.service.get("/v1/cases?at_risk=true&limit=500").json()["items"]
    answer = seeded.service.get("/cases", at_risk="true")
    assert read_page(answer).text.count("→") == len(at_risk)
    assert all(case["code"] in answer.text for case in at_risk)
    assert (
        "".join(
            c["code"]
            for c in at_risk
            if c["code"] not in seeded.service.get("/cases?at_risk=true").text
        )
        == ""
    )


def test_further_cases_are_a_link_away(seeded: Seeded) -> None:
    seen: list[str] = []
    address = "/cases?limit=5&lang=en"
    for _ in range(10):
        text = seeded.service.get(address).text
        seen += re.findall(r'<h3><a href="/cases/([A-Z0-9-]+)', text)
        following = re.search(r'<a rel="next" href="([^"]+)"', text)
        if following is None:
            break
        address = following[1].replace("&amp;", "&")
    listed = seeded.service.get("/v1/cases?limit=500").json()["items"]
    assert seen == [case["code"] for case in listed]
    assert len(SEED) > len(seen) > 10


def test_what_is_not_public_moves_nothing_on_a_page(service: Service) -> None:
    """Not even the day that is taken for today, where nothing is public yet."""
    before = {path: service.get(path).content for path in ("/", "/cases", "/statistics", "/feeds")}
    author = service.partner(*AUTHOR)
    author.tell(author.open(), "wanted.removed", visibility="partners")
    assert {path: service.get(path).content for path in before} == before


# -- where there is none --------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_not_there_is_told_in_words(seeded: Seeded, language: str) -> None:
    headers = {"Accept": "text/html", "Accept-Language": language}
    for path in (
        "/cases/KZ-0000-0000",
        "/cases/canary",
        "/nothing",
        "/charts/none.svg",
        "/feeds/x",
    ):
        page = read_error(seeded.service.get(path, headers=headers), 404)
        assert page.language == language
        assert "canary" not in page.text
    # Programs are told as ever.
    assert seeded.service.get("/nothing").headers["content-type"] == "application/problem+json"
    api = seeded.service.get("/v1/cases/KZ-0000-0000", headers=headers)
    assert api.headers["content-type"] == "application/problem+json"


def test_what_cannot_be_asked_is_refused_in_words(light: Service) -> None:
    for path, status in (
        ("/cases?headline=none", 422), ("/statistics?as_of=yesterday", 422), ("/?lang=xx", 422),
        ("/how?canary=1", 422), ("/cases?cursor=x", 422), ("/cases/KZ-0000-0000?as_of=1", 422),
    ):  # fmt: skip
        answer = light.get(path)
        page = read_error(answer, status)
        assert "canary" not in answer.text
        names = re.findall(r"[?&]([a-z_]+)=", path)
        assert [name for name in names if name in page.text] == [n for n in names if n != "canary"]


def test_a_case_that_is_no_longer_public_says_so_and_nothing_else(service: Service) -> None:
    author = service.partner(*AUTHOR)
    case = author.open("pseudonym", consent={"publish": "pseudonym", "basis": "own",
                                             "pseudonym": "Kanarija"})  # fmt: skip
    author.tell(case, "wanted.removed")
    address = f"/cases/{case['code']}"
    assert "Kanarija" in service.get(address).text
    version = author.get(f"/v1/cases/{case['id']}").headers["etag"]
    body = {"consent": {"publish": "none", "basis": "own"}}
    assert author.post(f"/v1/cases/{case['id']}/consent", body, **{"If-Match": version}).is_success
    gone = service.get(address)
    read_error(gone, 410)
    assert "Kanarija" not in gone.text
    for path in ("/", "/cases", "/cases?q=Kanarija", "/statistics"):
        # In the field that asked for it, and nowhere else.
        page = service.get(path)
        assert "Kanarija" not in read_page(page).text
    # That it was withdrawn is news, and leads nowhere.
    home = read_page(service.get("/", lang="en"))
    assert f"Withdrawn: {case['code']}" in home.text
    assert not [link for link in home.links if case["code"] in link]
    # A key changes nothing on a page: it is the public's.
    assert "Kanarija" not in author.get("/cases").text


def test_a_merged_case_leads_to_the_one_that_stays(service: Service) -> None:
    author = service.partner(*AUTHOR)
    one, two = author.open(), author.open()
    for case in (one, two):
        author.tell(case, "wanted.removed")
    version = author.get(f"/v1/cases/{two['id']}").headers["etag"]
    merged = author.post(f"/v1/cases/{two['id']}/merges", {"into": one["id"]},
                         **{"If-Match": version})  # fmt: skip
    assert merged.status_code == 201
    answer = service.client.get(f"/cases/{two['code']}?lang=kk", follow_redirects=False)
    assert answer.status_code == 307
    assert answer.headers["location"] == f"https://cases.example/cases/{one['code']}?lang=kk"


# -- kept -----------------------------------------------------------------------------------------


def count_renders(service: Service, key: dict[str, str]) -> int:
    text = service.get("/metrics", headers=key).text
    found = re.search(r"^caseflow_page_renders_total (\S+)$", text, re.M)
    assert found
    return int(float(found[1]))


def test_a_page_that_did_not_change_is_not_made_again(service: Service) -> None:
    author = service.partner(*AUTHOR)
    watcher = service.partner("audit:read").headers
    case, other = author.open(), author.open()
    for one in (case, other):
        author.tell(one, "wanted.removed")
    paths = ["/", "/cases", "/statistics", "/feeds", "/how", f"/cases/{case['code']}"]
    first = {path: service.get(path) for path in paths}
    made = count_renders(service, watcher)
    for path in paths:
        again = service.get(path, headers={"If-None-Match": first[path].headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert service.get(path).content == first[path].content
        head = service.client.head(path)
        assert (head.content, head.headers["etag"]) == (b"", first[path].headers["etag"])
    # Others of the process have what is kept, too: it is not the answer that is kept, but the page.
    service.client.app.state.services.kept.clear()
    assert service.get("/").content == first["/"].content
    assert count_renders(service, watcher) == made
    author.tell(other, "asylum.registered")
    # What is told of another case changes the lists, and this case not.
    assert service.get(f"/cases/{case['code']}").content == first[paths[-1]].content
    assert count_renders(service, watcher) == made
    for number, path in enumerate(("/", "/cases", "/statistics"), 1):
        assert service.get(path).content != first[path].content
        assert count_renders(service, watcher) == made + number
