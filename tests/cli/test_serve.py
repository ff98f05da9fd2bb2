"""`caseflow serve` and `caseflow demo`, as processes of their own."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from .conftest import Run

T = TypeVar("T")
COMMAND = "from caseflow.cli.main import main; main(prog_name='caseflow')"


@pytest.fixture
def port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def start(command: str, folder: Path, port: int) -> "subprocess.Popen[str]":
    """Start a command that serves; what it says comes through one pipe."""
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, command],
        cwd=folder,
        env=os.environ | {"CASEFLOW_PORT": str(port), "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A group of its own, so that nothing it started is left behind.
        start_new_session=True,
    )


def stop(process: "subprocess.Popen[str]") -> None:
    """Stop a command as a person would, and then whatever is left of it."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=30)
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def read_until(process: "subprocess.Popen[str]", words: str) -> str:
    """Return what a process says up to the line with these words."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"it ended without saying {words!r}:\n{said}")


def get(url: str) -> httpx.Response:
    """Fetch a page."""
    return httpx.get(url, timeout=30, follow_redirects=True)


def test_the_demonstration_serves_what_it_prints(tmp_path: Path, port: int) -> None:
    process = start("demo", tmp_path, port)
    try:
        said = read_until(process, "Ctrl-C")
        addresses = re.findall(rf"http://127\.0\.0\.1:{port}/\S*", said)
        answers = {url: get(url).status_code for url in addresses}
        key = re.findall(r"cfk_[\w-]+", said)[0]
        opened = httpx.post(
            f"http://127.0.0.1:{port}/v1/cases",
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
            content=re.findall(r"-d '(.*)'", said)[0],
            timeout=30,
        )
    finally:
        stop(process)
    assert process.returncode == 0
    assert re.search(r"^ *81 +created", said, re.MULTILINE)
    assert len(answers) == 13 - 1  # one address stands there twice
    assert set(answers.values()) == {200}, answers
    assert opened.status_code == 201


def test_an_address_in_use_is_told_and_not_shared(tmp_path: Path, port: int) -> None:
    with socket.create_server(("127.0.0.1", port), reuse_port=True):
        process = start("serve", tmp_path, port)
        try:
            said = read_until(process, "listen")
            assert process.wait(timeout=30) == 1
        finally:
            stop(process)
    assert said == f"Error: cannot listen at 127.0.0.1, port {port}: Address already in use\n"


def list_children(process_id: int) -> set[int]:
    """Return the processes that a process has begun, by any of its threads."""
    threads = Path(f"/proc/{process_id}/task").glob("*/children")
    return {int(found) for one in threads for found in one.read_text("ascii").split()}


def find_signing(process: "subprocess.Popen[str]") -> int:
    """Return the process that signs, once it is there."""
    return wait_for(
        lambda: next(
            (c for c in list_children(process.pid) if b"spawn_main" in read_command(c)), None
        )
    )


def read_command(process_id: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{process_id}/cmdline").read_bytes()
    return b""


def wait_for(find: Callable[[], T | None]) -> T:
    give_up_at = time.monotonic() + 30
    while (found := find()) is None:
        assert time.monotonic() < give_up_at, "it did not come"
        time.sleep(0.05)
    return found


def find_signed_at(port: int) -> str | None:
    """Return when the public log was signed last."""
    ready = get(f"http://127.0.0.1:{port}/readyz").json()
    return str(ready["log"]["signed_at"]) if ready["log"]["signed_at"] else None


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_a_process_of_its_own_signs_and_is_begun_again(tmp_path: Path, port: int) -> None:
    service = start("serve", tmp_path, port)
    try:
        read_until(service, "listens")
        # At once, before that process has begun.
        assert get(f"http://127.0.0.1:{port}/v1/log/key").text.startswith("127.0.0.1")
        assert wait_for(lambda: find_signed_at(port))
        first = find_signing(service)
        os.kill(first, signal.SIGKILL)
        read_until(service, "is begun again")
        second = find_signing(service)
        assert second != first
    finally:
        stop(service)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all_processes_ends_them_and_none_is_begun_again(
    tmp_path: Path, port: int, number: signal.Signals
) -> None:
    service = start("serve", tmp_path, port)
    try:
        read_until(service, "listens")
        assert wait_for(lambda: find_signed_at(port))
        signing = find_signing(service)
        os.killpg(service.pid, number)
        said, _ = service.communicate(timeout=30)
        assert not said
        assert not read_command(signing)
    finally:
        stop(service)


def test_the_demonstration_keeps_out_of_a_database_in_use(run: Run) -> None:
    run("partner", "add", "real")
    result = run("demo")
    assert result.exit_code == 1
    assert "in use" in result.stderr
    assert "demo" not in run("partner", "list").stdout


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_a_service_that_was_killed_leaves_nothing_behind(tmp_path: Path, port: int) -> None:
    """The next one gets the address at once: no worker goes on alone."""
    first = start("serve", tmp_path, port)
    try:
        read_until(first, "listens")
        begun = {find_signing(first), *list_children(first.pid)}
        os.kill(first.pid, signal.SIGKILL)
        first.wait(timeout=30)
        assert wait_for(lambda: not any(map(read_command, begun)) or None)
        second = start("serve", tmp_path, port)
        try:
            read_until(second, "listens")
            assert get(f"http://127.0.0.1:{port}/readyz").status_code == 200
        finally:
            stop(second)
    finally:
        stop(first)
