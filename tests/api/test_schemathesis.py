"""The API document against the running service: schemathesis makes requests from it, and looks.

All its checks are on. What they find and is as it should be is named, with its reason, in
`schemathesis_hooks.py`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from caseflow.api.openapi_requests import EXAMPLE_FIGURE, EXAMPLE_OPENING, make_example
from caseflow.domain.vocabulary import TYPES
from caseflow.eventstore.partners import SCOPES
from caseflow.eventstore.recorder import now_microseconds
from tests.api.conftest import KINDS, Json, Partner, Service
from tests.checks import check_house
from tests.houses import run_house
from tests.served import served_house

_ROOT: Final = Path(__file__).parents[2]
_CONFIG: Final = Path(__file__).with_name("schemathesis.toml")
_COMMAND: Final = "from schemathesis.cli import schemathesis; schemathesis()"
_PATH: Final = os.pathsep.join([str(_ROOT), *sys.path])
_WITH_KEY: Final = '\n[auth.openapi.bearer]\nbearer = "${SHOWN_KEY}"\n'
# There are ten thousand ways to write a claim; whether the key may is the same for each of them.
_FEWER_CLAIMS: Final = """
[[operations]]
include-operation-id = ["record_event", "correct_event"]
phases.coverage.enabled = false
"""
KEYS: Final = ("all", "write", "none")
"""All scopes, `events:write` alone, no key."""
_QUICK: Final = ("--phases", "fuzzing,stateful", "--max-examples", "1", "--seed", "1")
_LONG: Final = ("--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "100")
_TOLD: Final = ("asylum.claim_made", "extradition.requested", "person.entered")
_SPARE: Final = 10


class Scene:
    """A running service that knows some cases, and the keys to ask it with."""

    def __init__(self, service: Service, folder: Path) -> None:
        self._document = str(service.client.base_url.join("/schema/openapi.json"))
        self._folder = folder
        partner = service.partner(*SCOPES, public_name="Press desk")
        other = service.partner("events:write")
        shown = [who.headers["Authorization"].removeprefix("Bearer ") for who in (partner, other)]
        self._keys = dict(zip(KEYS, (*shown, ""), strict=True))
        self._known = json.dumps(_fill(partner, other))

    def run_all(self, *options: str) -> list[str]:
        """Run schemathesis with each key, all at once, and return what it says."""
        with ThreadPoolExecutor() as pool:
            return list(pool.map(lambda key: self._run(key, *options), KEYS))

    def _run(self, key: str, *options: str) -> str:
        """Fail where it finds anything."""
        ran = subprocess.run(
            [sys.executable, "-c", _COMMAND, "run", "--no-color", *options, self._document],
            cwd=self._make_folder(key),
            env=os.environ | {"PYTHONPATH": _PATH, "SHOWN_KEY": self._keys[key]},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout
        return ran.stdout

    def _make_folder(self, key: str) -> Path:
        """Return a folder with what schemathesis reads: how to ask, and what there is."""
        folder = self._folder / key
        folder.mkdir(exist_ok=True)
        config = [_CONFIG.read_text("utf-8")]
        config += [_WITH_KEY] if self._keys[key] else []
        config += [_FEWER_CLAIMS] if key != "all" else []
        (folder / _CONFIG.name).write_text("".join(config), "utf-8")
        (folder / "known.json").write_text(self._known, "utf-8")
        return folder


def _fill(partner: Partner, other: Partner) -> dict[str, list[str]]:
    """Record something of everything; return its names by the parameter that takes them."""
    case = partner.post("/v1/cases", EXAMPLE_OPENING).json()
    events = _tell_everything(partner, case)
    # Many, since what is merged, retracted or consented to no more is of little use after that.
    cases = [
        case,
        *(who.open(external_id=f"spare-{n}") for n in range(_SPARE) for who in (partner, other)),
    ]
    pairs = list(zip(_TOLD, (partner, other, partner), strict=True))
    events += [who.tell(told, type) for told in cases for type, who in pairs]
    claim = f"/v1/events/{events[0]['id']}"
    into, merged = cases[1], cases[2]
    posted = [
        partner.post(f"{claim}/corrections", {"reason": "typo", **_without_name(events[0])}),
        other.post(f"{claim}/disputes", {"reason": "It was another court."}),
        partner.post("/v1/figures", EXAMPLE_FIGURE),
        other.post(f"/v1/cases/{merged['id']}/merges", {"into": into["id"]}, **{"If-Match": "*"}),
    ]
    for answer in posted:
        assert answer.status_code == 201, answer.text
    codes = [opened["code"] for opened in cases]
    events += [answer.json() for answer in posted]
    return {
        "case": [*(opened["id"] for opened in cases), *codes[:3], "ext:case-1", "ext:spare-0"],
        "event": [*(event["id"] for event in events), "ext:case-1/granted"],
        "file": [f"{code}.atom" for code in codes],
        "code": codes,
        "archive": ["1.atom", "1.json", "2.atom"],
        "headline_file": ["extradition_granted.atom", "died.json"],
        "type_file": ["extradition.granted.atom", "person.died.json"],
        "state_file": ["KZ.atom", "KZ.json"],
    }


def _tell_everything(partner: Partner, case: Json) -> list[Json]:
    recorded = []
    # First the decision that the examples of appeals name.
    for code in sorted(TYPES, key=lambda code: code != "extradition.granted"):
        for visibility in ("public", "partners"):
            example = make_example(code) | {"visibility": visibility}
            if visibility == "partners":
                example.pop("external_id", None)
            answer = partner.post(f"/v1/cases/{case['id']}/events", example)
            assert answer.status_code == 201, answer.text
            recorded.append(answer.json())
    return recorded


def _without_name(event: Json) -> Json:
    example = make_example(event["type"])
    example.pop("external_id", None)
    return example


@pytest.fixture(scope="module", params=KINDS)
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """A running service that knows some cases, on either kind of database; checked at the end."""
    folder = tmp_path_factory.mktemp("scene")
    # Whoever asks all day long is not to be kept waiting.
    limits = {"CASEFLOW_RATE_PER_PARTNER": "0", "CASEFLOW_RATE_PER_ADDRESS": "0"}
    with ExitStack() as stack:
        house = stack.enter_context(served_house(request.param, request, folder, **limits))
        house.start()
        house.wait_until_ready()
        client = stack.enter_context(httpx.Client(base_url=house.url, timeout=60))
        service: Any = Service(house.settings, client)
        stack.callback(service.engine.dispose)
        yield Scene(service, folder)
        house.kill()
        with run_house(house.settings, clock=now_microseconds) as opened:
            check_house(opened)


def test_the_service_answers_as_its_document_says(scene: Scene) -> None:
    scene.run_all(*_QUICK)


@pytest.mark.soak
def test_the_service_answers_as_its_document_says_for_long(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    told = scene.run_all(*_LONG)
    with capsys.disabled():
        print(*told, sep="\n")
