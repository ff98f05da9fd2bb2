"""What is done again and again, on threads of its own, whatever happened to it the last time."""

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Timer:
    """Does something again and again, on a thread of its own."""

    def __init__(self, name: str, seconds: float, work: Callable[[], object]) -> None:
        """seconds: from the end of one round to the beginning of the next."""
        self._name = name
        self._seconds = seconds
        self._work = work
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first round comes after the seconds."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, after the round that is going on."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            try_to(self._work, self._name)


def try_to(work: Callable[[], object], name: str) -> bool:
    """Do something that may fail, and say so in the log; return whether it succeeded."""
    try:
        work()
    except Exception as error:
        # The database may be away for a moment; the next round tries again.
        logger.warning("%s not looked after: %s", name, type(error).__name__)
        return False
    return True
