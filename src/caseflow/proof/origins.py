"""What the two logs are called: the first line of their checkpoints, and the name of their key."""

from typing import Final
from urllib.parse import urlsplit

from .checkpoints import Checkpoints, Last
from .source import LogName

_PATHS: Final[dict[LogName, str]] = {"public": "", "full": "/full"}


class Origins:
    """The origins of the logs: the one that is named, else the one in use, else the address."""

    def __init__(self, checkpoints: Checkpoints, named: str | None, base_url: str) -> None:
        """named: the public log's origin; None keeps what was taken at the first signature.

        base_url: where readers reach the service.
        """
        self._checkpoints = checkpoints
        self._named = named
        self._base_url = base_url

    def find_last(self, log: LogName) -> Last | None:
        """Return the last checkpoint of a log, None before the first under this origin."""
        if self._named is not None:
            return self._checkpoints.find(self._named + _PATHS[log])
        return self._checkpoints.find_newest(log)

    def make_origin(self, log: LogName) -> str:
        """Return the origin under which a log begins that has signed nothing yet."""
        return (self._named or origin_of(self._base_url)) + _PATHS[log]


def origin_of(base_url: str) -> str:
    """Return the public log's origin at an address: `<host[:port][/path]>/v1/log`."""
    parts = urlsplit(base_url)
    # A plus would end the name of the key.
    return f"{parts.netloc}{parts.path}/v1/log".replace("+", "%2B")
