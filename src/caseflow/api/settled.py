"""What the writer has settled, brought to the event loop: all of a batch at once.

Each future by itself would wake the loop with a system call, while the thread that writes waits.
"""

import asyncio
from collections import deque
from concurrent.futures import Future
from typing import Any, TypeVar

Value = TypeVar("Value")


class Settled:
    """Futures of other threads that are done, until the event loop has looked. For one loop."""

    def __init__(self) -> None:
        self._done: deque[tuple[Future[Any], asyncio.Future[Any]]] = deque()
        self._is_called = False

    async def wait(self, future: "Future[Value]") -> Value:
        """Return what a future gives. Whoever waits may be cancelled; the future is not."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Value] = loop.create_future()

        def settle(done: "Future[Value]") -> None:
            self._done.append((done, waiting))
            # Read after the append: a look that is still to come finds it.
            if not self._is_called:
                self._is_called = True
                loop.call_soon_threadsafe(self._look)

        future.add_done_callback(settle)
        return await waiting

    def _look(self) -> None:
        self._is_called = False
        while self._done:
            done, waiting = self._done.popleft()
            if waiting.done():
                continue
            error = done.exception()
            if error is not None:
                waiting.set_exception(error)
            else:
                waiting.set_result(done.result())
