"""Processes that `caseflow serve` begins: none outlives it, whatever becomes of it."""

import ctypes
import logging
import os
import signal
import sys
from multiprocessing import get_context, parent_process
from threading import Event, Thread
from time import sleep
from typing import Final

from .house import current_settings
from .logs import set_up_logging

STEP_SECONDS: Final = 0.1
AGAIN_SECONDS: Final = 1.0
STOP_SECONDS: Final = 10
_PR_SET_PDEATHSIG: Final = 1

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
            process = self._context.Process(target=sign_logs, name="caseflow-signing", daemon=True)
            process.start()
            while process.is_alive() and not self._stopped.wait(STEP_SECONDS):
                pass
            if self._stopped.is_set():
                process.terminate()
                process.join(STOP_SECONDS)
                # Nothing is lost with it: what it has not signed, the next one signs.
                process.kill()
                return
            logger.warning("the process that signs the logs has ended, and is begun again")
            self._stopped.wait(AGAIN_SECONDS)


def sign_logs() -> None:
    """Sign the logs until this process is asked to end: all that the process does."""
    # A terminal interrupts all processes at once: this one ends when the first asks it to.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    set_up_logging()
    from caseflow.bootstrap import House

    house = House(current_settings())
    signal.signal(signal.SIGTERM, lambda *_: house.publisher.stop())
    try:
        house.publish_until_stopped()
    finally:
        house.close()
