"""`caseflow demo`: the packaged cases, loaded and served."""

import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import uuid4

import click

from .house import current_settings, opened_house
from .imports import IMPORT_SCOPES, print_summary, run_import
from .partners import DAY_MICROSECONDS
from .serve import run_server

if TYPE_CHECKING:
    from caseflow.bootstrap import House
    from caseflow.eventstore.partners import Caller

PARTNER: Final = "demo"
CASES: Final = "kazakhstan.ndjson"
SHOWN_CASE: Final = "ext:movlaev"
# A person who does not exist, so that trying it tells nothing about one who does.
OPENING: Final = (
    '{"host_state": "KZ", "origin_state": "RU",'
    ' "consent": {"publish": "anonymous", "basis": "own"}}'
)


class _Shown(NamedTuple):
    """What the addresses to open are made of."""

    case_id: str
    code: str
    key: str


@click.command()
def demo() -> None:
    """Load sixteen real cases, as the press reported them, and serve them.

    Loading them again changes nothing. Prints the addresses worth opening and a key for a day.
    """
    from caseflow.bootstrap import migrate_house

    settings = current_settings()
    migrate_house(settings)
    with opened_house(settings) as house:
        shown = _load(house)
    run_server(settings, lambda: _print_addresses(settings.base_url, shown))


def _load(house: "House") -> _Shown:
    from .replay import find_case_id

    caller = _demo_caller(house)
    with files("caseflow.demo").joinpath(CASES).open("rb") as file:
        print_summary(run_import(house, caller, file))
    with house.reader.snapshot() as snapshot:
        case_id = find_case_id(house, snapshot, SHOWN_CASE)
        case = house.reader.find_case(snapshot, case_id, version=1)
    assert case is not None, "it was imported, or it was there"
    return _Shown(str(case.id), case.code, _issue_key(house, caller))


def _demo_caller(house: "House") -> "Caller":
    """Return the partner of the demonstration; refuse a database that others work in."""
    from caseflow.eventstore.partners import NO_KEY, Caller, add_partner, list_partners

    with house.write() as connection:
        found = {name: partner_id for partner_id, name, _ in list_partners(connection)}
        if found and PARTNER not in found:
            raise click.ClickException(
                "this database is in use: the demonstration would mix its cases with those in it; "
                "name another in CASEFLOW_DATABASE_URL and CASEFLOW_KEYS_URL"
            )
        if not found:
            found[PARTNER] = uuid4()
            add_partner(
                connection,
                partner_id=found[PARTNER],
                name=PARTNER,
                public_name=None,
                at=house.clock(),
            )
    return Caller(found[PARTNER], None, IMPORT_SCOPES, NO_KEY)


def _issue_key(house: "House", caller: "Caller") -> str:
    from caseflow.eventstore.partners import issue_key

    now = house.clock()
    with house.write() as connection:
        return issue_key(
            connection,
            key_id=uuid4(),
            partner_id=caller.partner_id,
            scopes=sorted(caller.scopes),
            at=now,
            expires_at=now + DAY_MICROSECONDS,
        )


def _print_addresses(base_url: str, shown: _Shown) -> None:
    addresses = {
        "pages": "/",
        "its page": f"/cases/{shown.code}",
        "form": "/post",
        "statistics": "/v1/statistics",
        "on a day": "/v1/statistics?as_of=2026-01-28",
        "all cases": "/v1/cases",
        "a case": f"/v1/cases/{shown.case_id}",
        "its history": f"/v1/cases/{shown.case_id}/events",
        "feed": "/feeds/all.atom?lang=en",
        "its feed": f"/feeds/cases/{shown.code}.atom?lang=en",
        "vocabulary": "/v1/vocabulary",
        "API document": "/schema/openapi.json",
    }
    click.echo("\ncaseflow is running; worth opening:\n")
    for what, path in addresses.items():
        click.echo(f"  {what:<14} {base_url}{path}")
    click.echo("\nOpen a case of your own (the key is for this database, and for a day):\n")
    click.echo(f"  curl -H 'Authorization: Bearer {shown.key}' \\")
    click.echo("    -H 'Content-Type: application/json' \\")
    click.echo(f"    -d '{OPENING}' \\")
    click.echo(f"    {base_url}/v1/cases")
    click.echo(f"\nA case step by step, in this directory:\n\n  {_command()} replay {shown.code}")
    click.echo("\nFor the tour in the README:\n")
    click.echo(f"  HOUSE={base_url}\n  KEY={shown.key}\n  CODE={shown.code}")
    click.echo("\nStop with Ctrl-C.")


def _command() -> str:
    """Return how this program was called, where that can be called again."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "caseflow" else "caseflow"
