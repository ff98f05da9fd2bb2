"""The words around the project are true: examples run, links lead somewhere, files are there."""

import json
import os
import re
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import pytest
from click.testing import CliRunner

from caseflow.cli.main import main
from caseflow.domain.vocabulary import TYPES
from caseflow.eventstore import names, partners, tables
from caseflow.projections import projector
from caseflow.projections.public.windows import WINDOW
from caseflow.projections.view import registered
from caseflow.proof import tile_store
from caseflow.settings import DEFAULTS, read_settings

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = sorted(
    [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        ROOT / ".github" / "CONTRIBUTING.md",
        *ROOT.glob("docs/**/*.md"),
    ]
)
README: Final = (ROOT / "README.md").read_text("utf-8")
RECORDS: Final = sorted(ROOT.glob("docs/adr/*.md"))
COMMAND: Final = "from caseflow.cli.main import main; main(prog_name='caseflow')"
# Of the test suite and of docker-compose.yml; all others are settings of the service.
OTHER_VARIABLES: Final = {"CASEFLOW_TEST_DATABASE_URL", "CASEFLOW_DATABASE_PASSWORD"}
# What belongs to one machine or one network and not into a document.
MACHINE: Final = re.compile(
    r"(?<![\w.:/-])/(?:home|root|tmp|work|mnt|Users)/|pypi|pythonhosted|index-url|find-links", re.I
)


class Block(NamedTuple):
    """A fenced block of a page: its language, empty for plain text, and its lines."""

    language: str
    text: str


def page_id(page: Path) -> str:
    """Return how a page is called in the output of the tests."""
    return page.relative_to(ROOT).as_posix()


each_page = pytest.mark.parametrize("page", PAGES, ids=page_id)


def list_blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    found = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [Block(language, body) for language, body in found]


def without_blocks(text: str) -> str:
    """Return the prose of a page."""
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


def section(text: str, heading: str) -> str:
    """Return what stands below a heading of the second level."""
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def list_commands(block: Block) -> list[str]:
    """Return the commands of a shell block, without comments, continued lines joined."""
    lines = re.sub(r"\s+# .*", "", block.text.replace("\\\n", " "))
    # A quoted body may go over several lines.
    commands: list[str] = []
    for line in lines.splitlines():
        if commands and commands[-1].count("'") % 2:
            commands[-1] += "\n" + line
        elif line.strip():
            commands.append(line)
    return commands


# -- links, files, words --------------------------------------------------------------------------


def list_anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, made as the usual renderers make them."""
    headings = re.findall(r"^#+ (.+)$", without_blocks(page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(page.read_text("utf-8"))):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in list_anchors(linked), target


@each_page
def test_every_file_that_is_named_is_there(page: Path) -> None:
    code = re.findall(r"`([^`\n]+)`", without_blocks(page.read_text("utf-8")))
    tops = {p.name for p in ROOT.iterdir()}
    named = [c for c in code if re.fullmatch(r"[\w.-]+(/[\w.-]+)+/?", c)]
    for name in named:
        if name.split("/")[0] in tops:
            assert (ROOT / name).exists(), name


@each_page
def test_every_module_of_a_drawing_is_there(page: Path) -> None:
    known = {p.relative_to(ROOT).as_posix() for p in (ROOT / "src").rglob("*.py")}
    for block in list_blocks(page.read_text("utf-8")):
        if block.language == "":
            for name in re.findall(r"[\w/]+\.py\b", block.text):
                assert any(path.endswith(f"/{name}") for path in known), name


def test_every_room_of_the_tree_is_there() -> None:
    tree = list_blocks(section(README, "Where things are"))[0].text
    rooms = re.findall(r"^  (\w+)/", tree, re.MULTILINE)
    assert set(rooms) >= {"domain", "formats", "eventstore", "projections", "api", "cli"}
    assert all((ROOT / "src" / "caseflow" / room).is_dir() for room in rooms)


@each_page
def test_no_page_names_a_machine_or_a_download_host(page: Path) -> None:
    assert not MACHINE.findall(page.read_text("utf-8"))


@each_page
def test_every_variable_that_is_named_is_read(page: Path) -> None:
    named = set(re.findall(r"\bCASEFLOW_[A-Z_]*[A-Z]\b", page.read_text("utf-8")))
    assert named <= DEFAULTS.keys() | OTHER_VARIABLES


@each_page
def test_every_target_of_make_is_there(page: Path) -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    text = page.read_text("utf-8")
    shell = "\n".join(block.text for block in list_blocks(text) if block.language == "sh")
    named = set(re.findall(r"^make (\w+)", shell, re.MULTILINE))
    named |= set(re.findall(r"`(?:[A-Z_]+=\S+ )?make (\w+)", without_blocks(text)))
    assert named <= targets


# -- what pages say of the code -------------------------------------------------------------------


def test_decisions_are_numbered_without_a_hole_and_have_their_parts() -> None:
    assert [int(page.name[:4]) for page in RECORDS] == list(range(1, len(RECORDS) + 1))
    for page in RECORDS:
        text = page.read_text("utf-8")
        assert text.startswith(f"# {page.name[:4]} "), page.name
        for part in ("Context", "Options", "Decision", "Consequence"):
            assert re.search(rf"^(## |\*\*){part}", text, re.MULTILINE), (page.name, part)


def test_the_changelog_counts_right() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"Claims of {len(TYPES)} types" in text
    assert f"the newest {WINDOW} public changes" in text


def test_every_table_has_its_place_in_the_privacy_page() -> None:
    page = (ROOT / "docs" / "privacy.md").read_text("utf-8")
    stored = {t.name for t in tables.metadata.tables.values()} - {"log_head", "tracking"}
    stored |= set(tile_store.metadata.tables)
    # Imported here, the modules have defined their tables.
    assert {names.external_ids.name, partners.partners.name} < stored
    assert len(registered) > len(projector.PROJECTIONS)
    named = set(re.findall(r"`(\w+)`", section(page, "In the main database")))
    assert stored | {view.name for view in registered} <= named


def test_the_privacy_page_lists_what_is_always_restricted() -> None:
    page = (ROOT / "docs" / "privacy.md").read_text("utf-8")
    listed = page.split("always restricted")[1].split("\n\n")[0]
    restricted = {code for code, rule in TYPES.items() if rule.ceiling == "restricted"}
    assert set(re.findall(r"`([\w.]+)`", listed)) == restricted


# -- the tour through the demonstration -----------------------------------------------------------


class Demo(NamedTuple):
    """A demonstration that is served: where, from which folder, and what it printed."""

    folder: Path
    house: str
    key: str
    code: str


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demonstration, served by a process of its own."""
    folder = tmp_path_factory.mktemp("demo")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    house = f"http://127.0.0.1:{port}"
    with serving(folder, port) as said:
        assert httpx.get(f"{house}/readyz", timeout=60).status_code == 200
        key, code = re.search(r"cfk_[\w-]+", said), re.search(r"KZ-\w{4}-\w{4}", said)
        assert key is not None, said
        assert code is not None, said
        yield Demo(folder, house, key[0], code[0])


@contextmanager
def serving(folder: Path, port: int) -> Iterator[str]:
    """Run `caseflow demo`; yield what it says before it waits for requests."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "demo"],
        cwd=folder,
        env=environment() | {"CASEFLOW_PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    # A demonstration that hangs is ended, and reading what it says with it.
    too_late = threading.Timer(120, process.kill)
    too_late.start()
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        else:
            pytest.fail(f"the demonstration ended:\n{said}")
        too_late.cancel()
        yield said
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
    finally:
        too_late.cancel()
        process.kill()
        process.communicate()


def environment() -> dict[str, str]:
    """Return the environment of a process that imports caseflow as this one does."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


def test_the_addresses_worth_opening_open(demo: Demo) -> None:
    addresses = re.findall(r"<http://127\.0\.0\.1:8000(/[^>]*)>", README)
    assert len(addresses) > 4
    for address in addresses:
        answer = httpx.get(demo.house + address, timeout=30)
        assert answer.status_code == 200, address


def test_the_tour_goes_as_it_is_told(demo: Demo) -> None:
    values = {"HOUSE": demo.house, "KEY": demo.key, "CODE": demo.code}
    answers: list[Any] = []
    compared = 0
    for block in list_blocks(section(README, "Five minutes")):
        if block.language == "json":
            example = json.loads(block.text)
            assert answers, "an example answer has a request before it"
            for answer in answers:
                assert_within(example, answer)
                compared += 1
        else:
            wants_error = "2026-02-30" in block.text
            answers = [
                answer
                for command in list_commands(block)
                for answer in run_step(demo, command, values, wants_error=wants_error)
            ]
    assert compared > 4


def run_step(
    demo: Demo, command: str, values: dict[str, str], *, wants_error: bool
) -> Iterator[Any]:
    """Do what a command of the tour says; yield the JSON that it answers."""
    if assigned := re.fullmatch(r"([A-Z]+)=\S+", command):
        assert assigned[1] in values
        return
    words = shlex.split(re.sub(r"\$([A-Z]+)", lambda name: values[name[1]], command))
    if words[0] == ".venv/bin/caseflow":
        done = subprocess.run(
            [sys.executable, "-c", COMMAND, *words[1:]],
            cwd=demo.folder,
            env=environment(),
            capture_output=True,
            check=True,
            timeout=60,
        )
        assert demo.code.encode() in done.stdout
        return
    answer = send(words)
    assert answer.is_error is wants_error, answer.text
    if "json" in answer.headers["content-type"]:
        yield answer.json()
    else:
        assert answer.headers["content-type"].startswith("application/atom+xml")


def send(words: list[str]) -> httpx.Response:
    """Send what a curl command sends; it may have -s, -H, -d, -G and --data-urlencode."""
    assert words[0] == "curl", words
    address, body, headers = "", None, {}
    query: dict[str, str] = {}
    rest = iter(words[1:])
    for word in rest:
        match word:
            case "-s" | "-G":
                pass
            case "--data-urlencode":
                name, _, query[name] = next(rest).partition("=")
            case "-H":
                name, _, value = next(rest).partition(": ")
                headers[name] = value
            case "-d":
                body = next(rest)
            case _:
                address = word
    # As it stands in the address, curl would send it unencoded, and no server has to read that.
    assert address.isascii()
    if body is not None:
        return httpx.post(address, headers=headers, content=body, timeout=30)
    return httpx.get(address, headers=headers, params=query or None, timeout=30)


def assert_within(example: Any, answer: Any, at: str = "") -> None:
    """Fail unless an answer says all that a shortened example says."""
    if isinstance(example, dict):
        for name, value in example.items():
            assert name in answer, f"{at}/{name} is missing"
            assert_within(value, answer[name], f"{at}/{name}")
    elif isinstance(example, list) and any(isinstance(item, dict) for item in example):
        assert len(example) == len(answer), at
        for number, item in enumerate(example):
            assert_within(item, answer[number], f"{at}/{number}")
    else:
        assert example == answer, at


def test_the_mirror_of_the_feed_page_holds_the_public_log(demo: Demo) -> None:
    page = (ROOT / "docs" / "feed.md").read_text("utf-8")
    (block,) = (b for b in list_blocks(section(page, "How to mirror")) if b.language == "python")
    names: dict[str, Any] = {}
    exec(block.text.replace("http://127.0.0.1:8000", demo.house), names)
    log = httpx.get(f"{demo.house}/v1/events?limit=500", timeout=30).json()["items"]
    assert len(log) > WINDOW
    assert [entry_id.removeprefix("urn:uuid:") for entry_id in names["entries"]] == [
        event["id"] for event in reversed(log)
    ]


def test_the_follower_of_the_feed_page_gets_every_change(demo: Demo) -> None:
    page = (ROOT / "docs" / "feed.md").read_text("utf-8")
    (block,) = (b for b in list_blocks(section(page, "The stream")) if b.language == "python")
    names: dict[str, Any] = {}
    exec(block.text.replace("http://127.0.0.1:8000", demo.house), names)
    log = httpx.get(f"{demo.house}/v1/events?limit=500", timeout=30).json()["items"]
    found = [(names["position"], names["change"])]
    found += [next(names["changes"]) for _ in log[1:]]
    names["changes"].close()
    assert found == [(event["position"], event) for event in log]


def test_the_sizes_in_the_decision_on_records_are_those_of_the_demonstration(demo: Demo) -> None:
    text = (ROOT / "docs" / "adr" / "0002-record-format.md").read_text("utf-8")
    told = re.search(
        r"(\d+) events\) a state takes (\d+) bytes\s+on average and (\d+) at most", text
    )
    assert told is not None
    count, average, most = map(int, told.groups())
    query = (
        "SELECT count(*), avg(length(state)), max(length(state)) FROM events WHERE position <= ?"
    )
    with closing(sqlite3.connect(demo.folder / "caseflow.db")) as database:
        found = database.execute(query, (count,)).fetchone()
    # Random identifiers deflate to a few bytes more or less.
    assert found == (count, pytest.approx(average, rel=0.02), pytest.approx(most, rel=0.02))


# -- running it for real --------------------------------------------------------------------------

FOR_REAL: Final = [b for b in list_blocks(section(README, "Run it for real")) if b.language == "sh"]


@pytest.mark.parametrize("block", FOR_REAL, ids=range(len(FOR_REAL)))
def test_the_commands_for_a_real_house_work(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command is run but those that serve or install; those must exist."""
    monkeypatch.chdir(tmp_path)
    packaged = files("caseflow.demo").joinpath("kazakhstan.ndjson")
    (tmp_path / "cases.ndjson").write_bytes(packaged.read_bytes())
    told: dict[str, str] = {}
    for command in list_commands(block):
        words = shlex.split(command.removeprefix("export "))
        while words and (assigned := re.fullmatch(r"([A-Z_]+)=(.+)", words[0])):
            told[assigned[1]] = assigned[2]
            words = words[1:]
        read_settings(told if "CASEFLOW_KEYS_URL" in told else {})
        if words:
            run_for_real(words)


def run_for_real(words: list[str]) -> None:
    program = Path(words[0]).name
    if program == "docker":
        services = re.findall(r"^  (\w+):$", (ROOT / "docker-compose.yml").read_text("utf-8"), re.M)
        assert words[1] == "compose"
        if words[2] == "exec":
            assert words[3] in services
            run_for_real(words[4:])
    elif program == "caseflow":
        assert words[1] in main.commands
        if words[1] != "serve":
            result = CliRunner().invoke(main, words[1:], catch_exceptions=False)
            assert result.exit_code == 0, result.output
    else:
        assert program in ("pip", "python3")
        for lock in re.findall(r"\S+\.lock", " ".join(words)):
            assert (ROOT / lock).exists(), lock


def test_the_compose_file_reads_what_the_readme_puts_into_the_environment() -> None:
    (ini,) = (block for block in list_blocks(README) if block.language == "ini")
    compose = (ROOT / "docker-compose.yml").read_text("utf-8")
    for name in re.findall(r"^(\w+)=", ini.text, re.MULTILINE):
        assert f"${{{name}" in compose
