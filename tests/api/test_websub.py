"""WebSub: documents name the hub, and the hub hears of each document that has news."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import pytest
from lxml import etree

from caseflow.database import begin_write
from caseflow.push.websub import websub
from tests.houses import new_settings
from tests.push.receivers import wait_until

from .conftest import AUTHOR, KINDS, Partner, Service, serve
from .mirrors import ATOM, BASE
from .scenes import act


class Hub:
    """Takes what it is told."""

    def __init__(self) -> None:
        self.told: list[list[str]] = []
        self.status = 204
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                found = parse_qsl(body, strict_parsing=True)
                assert found[0] == ("hub.mode", "publish")
                if hub.status < 300:
                    hub.told.append([value for name, value in found[1:] if name == "hub.url"])
                self.send_response(hub.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hub"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "Hub":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def topics(self) -> list[str]:
        return [topic for some in self.told for topic in some]


class Scene(NamedTuple):
    service: Service
    author: Partner
    hub: Hub


@pytest.fixture(params=KINDS)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """A service with a hub, which has been told where things stand."""
    with (
        Hub() as hub,
        new_settings(
            request.param,
            request,
            tmp_path,
            CASEFLOW_WEBSUB_HUB=hub.url,
            CASEFLOW_BASE_URL=BASE,
        ) as settings,
        serve(settings) as service,
    ):
        wait_until(lambda: place(service) is not None)
        yield Scene(service, service.partner(*AUTHOR), hub)


def place(service: Service) -> Any:
    with begin_write(service.engine) as connection:
        return connection.execute(websub.select()).one_or_none()


def test_documents_name_the_hub_and_archives_do_not(scene: Scene) -> None:
    service = scene.service
    case = scene.author.open()
    for n in range(51):
        scene.author.tell(case, "wanted.removed", f"{1900 + n}")
    for path in ("/feeds/all", f"/feeds/cases/{case['code']}", "/feeds/recalls"):
        answer = service.get(f"{path}.atom", lang="kk")
        links = etree.fromstring(answer.content).findall(f"{ATOM}link")
        assert [one.get("href") for one in links if one.get("rel") == "hub"] == [scene.hub.url]
        (topic,) = [one.get("href") for one in links if one.get("rel") == "self"]
        assert answer.headers["link"] == f'<{scene.hub.url}>; rel="hub", <{topic}>; rel="self"'
        told = service.get(f"{path}.json", lang="kk")
        assert told.json()["hubs"] == [{"type": "WebSub", "url": scene.hub.url}]
        assert f'<{told.json()["feed_url"]}>; rel="self"' in told.headers["link"]
    archive = service.get("/feeds/all/archive/1.atom")
    assert b'rel="hub"' not in archive.content
    assert "link" not in archive.headers


def test_the_hub_hears_of_each_document_that_has_news(scene: Scene) -> None:
    author, hub = scene.author, scene.hub
    case = author.open()
    told = author.tell(case, "extradition.granted")
    wait_until(lambda: len(hub.told) == 1)
    names = {topic.removeprefix("https://cases.example/feeds/") for topic in hub.topics}
    assert {name.partition("?")[0].rpartition(".")[0] for name in names} == {
        "all", f"cases/{case['code']}", "states/KZ", "types/extradition.granted",
        "headlines/extradition_granted",
    }  # fmt: skip
    for topic in hub.topics:
        answer = scene.service.get(topic.removeprefix("https://cases.example"))
        assert answer.status_code == 200
        assert f'<{topic}>; rel="self"' in answer.headers["link"]
        assert told["id"] in answer.text
    hub.told.clear()
    act(author, told, "retractions", {"reason": "false"})
    wait_until(lambda: len(hub.told) == 1)
    assert "https://cases.example/feeds/recalls.json?lang=ru" in hub.topics
    # Whoever had it is to hear that it is gone.
    assert "https://cases.example/feeds/types/extradition.granted.atom?lang=en" in hub.topics
    assert len(hub.topics) == len(set(hub.topics))


def test_a_hub_that_is_away_is_told_later(scene: Scene) -> None:
    scene.hub.status = 503
    case = scene.author.open()
    scene.author.tell(case, "wanted.removed", "1900")
    wait_until(lambda: place(scene.service).failures > 0)
    assert place(scene.service).sequence == 0
    scene.hub.status = 202
    scene.author.tell(case, "wanted.removed", "1901")
    with begin_write(scene.service.engine) as connection:
        connection.execute(websub.update().values(next_at=0))
    wait_until(lambda: place(scene.service).sequence == 2)
    assert place(scene.service).failures == 0
    assert f"https://cases.example/feeds/cases/{case['code']}.atom?lang=ru" in scene.hub.topics


def test_of_several_processes_one_tells_it(scene: Scene) -> None:
    with serve(scene.service.settings):
        scene.author.tell(scene.author.open(), "wanted.removed")
        wait_until(lambda: place(scene.service).sequence == 1)
    assert len(scene.hub.topics) == len(set(scene.hub.topics)) > 0


def test_without_a_hub_nothing_is_said_of_one(light: Service) -> None:
    answer = light.get("/feeds/all.atom")
    assert b"hub" not in answer.content
    assert "link" not in answer.headers
    assert "hubs" not in light.get("/feeds/all.json").json()
