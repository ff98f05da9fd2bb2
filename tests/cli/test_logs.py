"""The log of a service: one JSON object a line, of which every part is meant to be there."""

import json
import logging
import logging.config
from collections.abc import Iterator

import pytest

from caseflow.cli.logs import make_logging


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    found = logging.getLogger("caseflow")
    before = found.handlers, found.propagate, found.level
    logging.config.dictConfig(make_logging())
    yield found
    found.handlers, found.propagate, found.level = before


def test_a_line_is_an_object_and_holds_nothing_but_what_may_be_logged(
    capsys: pytest.CaptureFixture[str], logger: logging.Logger
) -> None:
    logging.config.dictConfig(make_logging())
    logger.getChild("api").warning(
        "request", extra={"route": "/v1/cases", "status": 503, "address": "192.0.2.1"}
    )
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told.pop("timestamp").endswith("Z")
    assert told == {
        "event": "request",
        "level": "warning",
        "logger": "caseflow.api",
        "route": "/v1/cases",
        "status": 503,
    }


def test_an_error_is_one_line_too(
    capsys: pytest.CaptureFixture[str], logger: logging.Logger
) -> None:
    logging.config.dictConfig(make_logging())
    try:
        raise ValueError("broken")
    except ValueError:
        logger.exception("it broke")
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: broken" in json.loads(line)["exception"]
