"""The log of a running service: one JSON object a line, or lines for a person at a terminal.

What happened, where in the code, and the route it was about; never an address, an id or a name, so
that nothing has to be taken out of a log when a case is erased.
"""

import logging.config
import sys
from typing import Any, Final

import structlog

_HANDLER: Final = {"formatter": "structured", "class": "logging.StreamHandler"}
_LOGGER: Final = {"handlers": ["stderr"], "level": "INFO", "propagate": False}


def make_logging() -> dict[str, Any]:
    """Return the set-up of `logging` that writes to standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [
                    structlog.stdlib.add_log_level,
                    structlog.stdlib.add_logger_name,
                    structlog.processors.TimeStamper(fmt="iso", utc=True),
                    structlog.stdlib.ExtraAdder(allow=LOGGED),
                ],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    _make_renderer(),
                ],
            }
        },
        "handlers": {"stderr": {**_HANDLER, "stream": "ext://sys.stderr"}},
        "loggers": {"_granian": _LOGGER, "caseflow": _LOGGER},
    }


def set_up_logging() -> None:
    """Have this process write its log like the service beside it."""
    logging.config.dictConfig(make_logging())


LOGGED: Final = ("method", "route", "status", "seconds")
"""What may stand beside a message: nothing else gets into a log, whoever passes it."""


def _make_renderer() -> Any:
    if sys.stderr.isatty():
        return structlog.dev.ConsoleRenderer()
    return structlog.processors.JSONRenderer(ensure_ascii=False)
