"""What another thread has settled comes to the event loop, all that came together at once."""

import asyncio
from concurrent.futures import Future

import pytest

from caseflow.api.settled import Settled


def test_all_that_wait_are_told_and_the_loop_is_woken_once() -> None:
    async def wait() -> list[object]:
        loop, settled = asyncio.get_running_loop(), Settled()
        calls = 0
        call = loop.call_soon_threadsafe

        def counting(*args: object) -> object:
            nonlocal calls
            calls += 1
            return call(*args)  # type: ignore[arg-type]

        futures: list[Future[int]] = [Future() for _ in range(5)]
        tasks = [asyncio.create_task(settled.wait(future)) for future in futures]
        await asyncio.sleep(0)
        loop.call_soon_threadsafe = counting  # type: ignore[method-assign, assignment]
        for number, future in enumerate(futures):
            if number == 3:
                future.set_exception(ValueError("refused"))
            else:
                future.set_result(number)
        found = await asyncio.gather(*tasks, return_exceptions=True)
        del loop.call_soon_threadsafe
        assert calls == 1
        # And again, for those that come later.
        later: Future[int] = Future()
        loop.call_soon(later.set_result, 7)
        assert await settled.wait(later) == 7
        return list(found)

    *rest, last = asyncio.run(wait())
    assert rest[:3] == [0, 1, 2]
    assert isinstance(rest[3], ValueError)
    assert last == 4


def test_whoever_goes_away_cancels_nothing() -> None:
    async def leave() -> Future[int]:
        settled, future = Settled(), Future[int]()
        assert future.set_running_or_notify_cancel()
        task = asyncio.create_task(settled.wait(future))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        future.set_result(1)
        await asyncio.sleep(0)
        return future

    assert asyncio.run(leave()).result() == 1
