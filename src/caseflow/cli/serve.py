"""`caseflow serve`: the HTTP service, on Granian."""

import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Thread
from time import sleep
from typing import TYPE_CHECKING, Final

import click

from .children import STEP_SECONDS, STOP_SECONDS, SigningProcess, die_with_parent
from .house import current_settings, opened_house
from .logs import make_logging

if TYPE_CHECKING:
    from litestar import Litestar

    from caseflow.settings import Settings

APPLICATION: Final = "caseflow.cli.serve:make_worker_application"


@click.command()
def serve() -> None:
    """Serve the API and the feeds until interrupted.

    An embedded database is migrated first. On PostgreSQL an old schema stops the start: run
    `caseflow migrate`.
    """
    settings = current_settings()
    # What would stop the service shows here, in one line, before a process is started for it.
    with opened_house(settings):
        pass
    where = (
        f"caseflow listens at {settings.host}, port {settings.port}; readers: {settings.base_url}"
    )
    run_server(settings, lambda: click.echo(where, err=True))


def run_server(settings: "Settings", on_listening: Callable[[], None]) -> None:
    """Serve until interrupted; on_listening: called once requests are answered.

    The application reads the settings anew, from the environment. Raises click.ClickException
    where the address cannot be listened on, or somebody listens there already.
    """
    address = _find_free_address(settings.host, settings.port)
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    server = Granian(
        APPLICATION,
        factory=True,
        interface=Interfaces.ASGI,
        address=address,
        port=settings.port,
        workers=1,
        websockets=False,
        log_level=LogLevels.warning,
        log_dictconfig=make_logging(),
        log_access=False,
        workers_kill_timeout=STOP_SECONDS,
        process_name=None,
    )
    signing = SigningProcess()

    def listening() -> None:
        # Whatever a restored database had forgotten is hidden by now.
        signing.start()
        on_listening()

    announcer = Thread(
        target=_announce, args=(address, settings.port, listening), name="announcer", daemon=True
    )
    server.on_startup(announcer.start)
    try:
        server.serve()
    finally:
        signing.stop()


def make_worker_application() -> "Litestar":
    """Return the application of a worker process, which does not outlive the one that started it.

    Another process signs the logs.
    """
    die_with_parent()
    from caseflow.serving import make_application

    app = make_application(signs=False)
    app.on_startup.append(partial(_end_streams_on_signals, app))
    return app


def _end_streams_on_signals(app: "Litestar") -> None:
    """Have streams end when the process is asked to: the server waits for requests to be answered.

    The event loop learns of a signal by itself, whatever handler it has, and tells the server.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: app.state.services.streams.stop())


def _announce(address: str, port: int, on_listening: Callable[[], None]) -> None:
    """Wait until somebody answers at the address: the worker listens once it has all it needs."""
    while True:
        # First of all asleep, where no lock is held: the worker is forked off meanwhile.
        sleep(STEP_SECONDS)
        with suppress(OSError), socket.create_connection((address, port)):
            break
    on_listening()


def _find_free_address(host: str, port: int) -> str:
    """Return the IP address of a host where nobody listens yet.

    The server itself would share the port with whoever has it: a second house would answer every
    other request.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.create_server((host, port), family=family):
            return str(address[0])
    except OSError as error:
        # Python appends the address, which is told already.
        reason = (error.strerror or str(error)).partition(" (while")[0]
        raise click.ClickException(f"cannot listen at {host}, port {port}: {reason}") from error
