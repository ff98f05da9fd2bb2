"""Processes that `caseflow serve` begins: none outlives it, whatever becomes of it."""

import ctypes
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection
from threading import Event, Thread
from time import sleep
from typing import Final

from .house import current_settings
from .logs import set_up_logging

STEP_SECONDS: Final = 0.1
AGAIN_SECONDS: Final = 1.0
STOP_SECONDS: Final = 10
_PR_SET_PDEATHSIG: Final = 1
_ENDING: Final = (signal.SIGINT, signal.SIGTERM)

logger = logging.getLogger(__name__)


def die_with_parent() -> None:
    """Have this process end when the one that began it does.

    A worker that was left behind would go on writing, and keep the address from the next service.
    """
    begun_by = parent_process()
    assert begun_by is not None, "it was begun by another process"
    if sys.platform == "linux":
        # At once, by the kernel; where there is no such call, the thread below takes a moment.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may have died before: then nothing tells.
    Thread(target=_die_with, args=(begun_by.pid,), name="parent", daemon=True).start()


def _die_with(parent: int | None) -> None:
    while os.getppid() == parent:
        sleep(STEP_SECONDS)
    # What is committed is safe, what is not was never acknowledged: nothing has to be tidied up.
    os._exit(1)


class SigningProcess:
    """The process that signs the logs, beside the one that answers; begun again where it dies.

    What is signed is computed anew and compared before: a fifth of what a post takes, and for
    seconds on end where all of a log is gone over. In the interpreter that answers, whoever posts
    would wait for that.
    """

    def __init__(self) -> None:
        # Not a fork: of a process with threads, a copy may hold a lock that nobody lets go.
        self._context = get_context("spawn")
        self._stopped = Event()
        self._thread = Thread(target=self._keep, name="signing", daemon=True)

    def start(self) -> None:
        """Begin it."""
        self._thread.start()

    def stop(self) -> None:
        """End it, where it was begun."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _keep(self) -> None:
        while not self._stopped.is_set():
            try:
                self._run_once()
            except OSError as error:
                # No process, memory or file is free: perhaps in a moment.
                logger.warning("nobody signs the logs: %s", type(error).__name__)
            self._stopped.wait(AGAIN_SECONDS)

    def _run_once(self) -> None:
        """Begin the process, and return when it has ended or was asked to."""
        heard, told = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=sign_logs, args=(heard,), name="caseflow-signing", daemon=True
        )
        with _signals_held():
            process.start()
        heard.close()
        while process.is_alive() and not self._stopped.wait(STEP_SECONDS):
            pass
        # It reads the end of the pipe, and ends.
        told.close()
        if self._stopped.is_set():
            process.join(STOP_SECONDS)
            # Nothing is lost with it: what it has not signed, the next one signs.
            process.kill()
        else:
            logger.warning("the process that signs the logs has ended, and is begun again")


@contextmanager
def _signals_held() -> Iterator[None]:
    """Have this thread, and what it begins, hear of no signal to end; the process goes on to."""
    # To begin it lets signals through again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def sign_logs(asked_to_end: Connection) -> None:
    """Sign the logs until this process is asked to end: all that the process does.

    asked_to_end: a pipe of which nothing is read but its end.
    """
    # A terminal, or whoever stops a service, signals all of its processes at once: this one ends
    # when the first asks it to, and is not taken for one that died.
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    die_with_parent()
    set_up_logging()
    try:
        _sign_until(asked_to_end)
    except Exception as error:
        # Its name alone, in a line as all are: a driver's text may hold addresses.
        logger.error("the logs cannot be signed: %s", type(error).__name__)
        raise SystemExit(1) from None


def _sign_until(asked_to_end: Connection) -> None:
    from caseflow.bootstrap import House

    house = House(current_settings())

    def wait() -> None:
        with suppress(EOFError, OSError):
            asked_to_end.recv_bytes()
        house.publisher.stop()

    Thread(target=wait, name="end", daemon=True).start()
    try:
        house.publish_until_stopped()
    finally:
        house.close()
