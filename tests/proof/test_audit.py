"""When all that was signed is computed anew, and what that finds."""

import pytest

from caseflow.proof.audit import IDLE_SECONDS, LONGEST_REST_SECONDS, Schedule


class Seconds:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def schedule(seconds: Seconds) -> Schedule:
    return Schedule(seconds)


def test_nothing_is_trusted_before_the_first_pass(schedule: Schedule) -> None:
    assert not schedule.is_trusted
    assert schedule.is_due(is_idle=True)
    assert schedule.is_due(is_idle=False)
    schedule.note(0.1, passed=True)
    assert schedule.is_trusted


def test_a_pass_is_followed_by_twenty_times_as_long_without_one(
    schedule: Schedule, seconds: Seconds
) -> None:
    schedule.note(2.0, passed=True)
    seconds.now += 39.9
    assert not schedule.is_due(is_idle=False)
    seconds.now += 0.1
    assert schedule.is_due(is_idle=False)


def test_an_hour_is_the_longest_rest(schedule: Schedule, seconds: Seconds) -> None:
    schedule.note(1_000.0, passed=True)
    seconds.now += LONGEST_REST_SECONDS - 0.1
    assert not schedule.is_due(is_idle=True)
    seconds.now += 0.1
    assert schedule.is_due(is_idle=True)


def test_a_quiet_log_is_looked_at_every_minute(schedule: Schedule, seconds: Seconds) -> None:
    schedule.note(0.01, passed=True)
    seconds.now += IDLE_SECONDS - 0.1
    assert schedule.is_due(is_idle=False)
    assert not schedule.is_due(is_idle=True)
    seconds.now += 0.1
    assert schedule.is_due(is_idle=True)


@pytest.mark.parametrize("how", ["failed", "distrusted"])
def test_what_failed_is_tried_again_without_waiting_for_news(
    schedule: Schedule, seconds: Seconds, how: str
) -> None:
    schedule.note(0.01, passed=how != "failed")
    if how == "distrusted":
        schedule.distrust()
    assert not schedule.is_trusted
    assert not schedule.is_due(is_idle=True)
    seconds.now += 0.21
    assert schedule.is_due(is_idle=True)
