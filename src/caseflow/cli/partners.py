"""`caseflow partner` and `caseflow key`: who may write, and with which scopes.

What a script needs, an id or a key, stands alone on standard output.
"""

import re
import time
from collections import Counter
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import click

from .house import opened_house
from .moments import parse_moment
from .terminal import escape, messages, output, progress

if TYPE_CHECKING:
    from caseflow.bootstrap import House
    from caseflow.eventstore.partners import ApiKey
    from caseflow.eventstore.quarantine import Quarantined, Suspect

HOUR_MICROSECONDS = 3_600_000_000
DAY_MICROSECONDS = 24 * HOUR_MICROSECONDS
_LONGEST_NAME = 200
_GRACE = re.compile(r"0|(?P<count>[0-9]{1,4})(?P<unit>[hd])")


def _check_name(_ctx: click.Context, _param: click.Parameter, name: str | None) -> str | None:
    if name is None:
        return None
    # It stands in feeds and on terminals.
    if not (name.strip() and name.isprintable() and len(name) <= _LONGEST_NAME):
        raise click.BadParameter(f"a name has 1 to {_LONGEST_NAME} printable characters")
    return name.strip()


@click.group()
def partner() -> None:
    """Add and list the organisations that may write."""


@partner.command("add")
@click.argument("name", callback=_check_name)
@click.option(
    "--public-name",
    metavar="TEXT",
    callback=_check_name,
    help="What the public reads as author; without it the deployment alone is named.",
)
def add(name: str, public_name: str | None) -> None:
    """Add a partner and print its id."""
    from caseflow.eventstore.partners import add_partner

    partner_id = uuid4()
    with opened_house() as house, house.write() as connection:
        add_partner(
            connection, partner_id=partner_id, name=name, public_name=public_name, at=house.clock()
        )
    click.echo(partner_id)


@partner.command("list")
def list_() -> None:
    """List the partners, by name."""
    from rich.table import Table

    from caseflow.eventstore.partners import list_partners

    with opened_house() as house, house.read() as connection:
        found = list_partners(connection)
    table = Table("name", "public name", "id", box=None, pad_edge=False)
    for partner_id, name, public_name in found:
        table.add_row(escape(name), escape(public_name or "–"), str(partner_id))
    output().print(table if found else "there are no partners yet")


@click.group()
def key() -> None:
    """Issue, list, rotate and revoke the keys of partners, and hide what a stolen one posted."""


@key.command("issue")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    metavar="S",
    help="events:write, events:publish, review, restricted:read, audit:read or admin; repeatable.",
)
@click.option("--expires-in-days", type=click.IntRange(1, 36_500), metavar="N")
def issue(name: str, scopes: tuple[str, ...], expires_in_days: int | None) -> None:
    """Issue a key to the partner NAME and print it: this once, it is not kept."""
    from caseflow.eventstore.partners import get_partner_id, issue_key

    key_id = uuid4()
    with opened_house() as house, house.write() as connection:
        now = house.clock()
        issued = issue_key(
            connection,
            key_id=key_id,
            partner_id=get_partner_id(connection, name),
            scopes=scopes,
            at=now,
            expires_at=expires_in_days and now + expires_in_days * DAY_MICROSECONDS,
        )
    click.echo(f"key {key_id} of {escape(name)}; it is shown this once:", err=True)
    click.echo(issued)


@key.command("list")
@click.argument("name")
def list_keys_(name: str) -> None:
    """List the keys of the partner NAME, oldest first; never the keys themselves."""
    from rich.table import Table

    from caseflow.eventstore.partners import get_partner_id, list_keys

    with opened_house() as house, house.read() as connection:
        found = list_keys(connection, get_partner_id(connection, name))
        now = house.clock()
    columns = ("id", "state", "issued", "expires", "revoked", "last used", "scopes")
    table = Table(*columns, box=None, pad_edge=False)
    for listed in found:
        times = (listed.created_at, listed.expires_at, listed.revoked_at, listed.last_used_at)
        told = (_minute(at) if at is not None else "–" for at in times)
        table.add_row(str(listed.id), _state(listed, now), *told, " ".join(listed.scopes))
    output().print(table if found else "this partner has no keys")


def _state(listed: "ApiKey", now: int) -> str:
    if listed.is_in_force(now):
        return "in force"
    return "revoked" if listed.revoked_at is not None else "expired"


def _minute(at: int) -> str:
    """Return a time in UTC, as 2026-02-10T09:30Z."""
    from caseflow.domain.times import format_time

    return f"{format_time(at)[:16]}Z"


def _parse_grace(_ctx: click.Context, _param: click.Parameter, text: str) -> int:
    """Return a time of grace in microseconds."""
    found = _GRACE.fullmatch(text)
    if found is None:
        raise click.BadParameter("a time of grace is 0, or hours as 24h, or days as 7d")
    unit = DAY_MICROSECONDS if found["unit"] == "d" else HOUR_MICROSECONDS
    return int(found["count"] or 0) * unit


@key.command("rotate")
@click.argument("key_id", type=click.UUID)
@click.option(
    "--grace",
    default="24h",
    show_default=True,
    metavar="TIME",
    callback=_parse_grace,
    help="For how long the old key goes on working: hours as 24h, days as 7d, or 0.",
)
def rotate(key_id: UUID, grace: int) -> None:
    """Issue a key in the place of KEY_ID and print it: this once, it is not kept.

    It has the scopes of the old key and expires when that would have; the old one ends after a
    time of grace.
    """
    from caseflow.eventstore.partners import rotate_key

    new_key_id = uuid4()
    with opened_house() as house, house.write() as connection:
        rotated = rotate_key(
            connection, key_id, new_key_id=new_key_id, at=house.clock(), grace=grace
        )
    click.echo(f"key {key_id} ends at {_minute(rotated.old_ends_at)}", err=True)
    ends = f" and expires at {_minute(rotated.expires_at)}" if rotated.expires_at else ""
    click.echo(f"key {new_key_id} takes its place{ends}; it is shown this once:", err=True)
    click.echo(rotated.key)


@key.command("revoke")
@click.argument("key_id", type=click.UUID)
def revoke(key_id: UUID) -> None:
    """Revoke the key KEY_ID from now on."""
    from caseflow.eventstore.partners import revoke_key

    with opened_house() as house, house.write() as connection:
        revoke_key(connection, key_id, house.clock())
    click.echo(f"key {key_id} is revoked", err=True)


@key.command("quarantine")
@click.argument("key_id", type=click.UUID)
@click.option(
    "--since",
    required=True,
    callback=parse_moment,
    metavar="TIME",
    help="From when on the key is not to be trusted, such as 2026-02-10T09:30:00Z.",
)
@click.option("--keep-key", is_flag=True, help="Do not revoke the key.")
def quarantine(key_id: UUID, since: int, keep_key: bool) -> None:
    """Revoke KEY_ID, and hide what was posted with it since TIME until it is reviewed.

    Prints a line for each thing that was hidden: its id and, after a tab, the id of the event that
    hides it, which is the one to approve in a review. Running it again hides nothing twice.
    """
    from caseflow.eventstore.quarantine import Suspect

    with opened_house() as house:
        click.echo(_stop_key(house, key_id, keep_key=keep_key), err=True)
        found = _hide(house, Suspect(key_id, since))
        if not keep_key:
            _await_end_of_key()
            last = _hide(house, Suspect(key_id, since))
            found = last._replace(steps=[*found.steps, *last.steps])
    for step in found.steps:
        click.echo(f"{step.target}\t{step.event_id}")
    _print_quarantined(found)


def _stop_key(house: "House", key_id: UUID, *, keep_key: bool) -> str:
    """Revoke a key unless it is to be kept; return what to tell. Raises NotFoundError."""
    from caseflow.eventstore.partners import get_key, revoke_key

    with house.write() as connection:
        found = get_key(connection, key_id)
        if found.revoked_at is not None:
            return f"key {key_id} was revoked at {_minute(found.revoked_at)}"
        if keep_key:
            return f"key {key_id} is kept: what it posts from now on is not hidden"
        revoke_key(connection, key_id, house.clock())
    return f"key {key_id} is revoked"


def _await_end_of_key() -> None:
    """Wait until no running service takes a key that was revoked for one that is in force."""
    from caseflow.api.auth import CACHE_MICROSECONDS

    time.sleep(CACHE_MICROSECONDS / 1_000_000)


def _hide(house: "House", suspect: "Suspect") -> "Quarantined":
    with progress(messages(), "hiding", None) as advance:
        return house.quarantine(suspect, advance)


def _print_quarantined(found: "Quarantined") -> None:
    """Print on standard error how much was hidden, and what is left for a human."""
    from rich.table import Table

    console = messages()
    done = Table("done", "", box=None, pad_edge=False, show_header=False)
    done.columns[0].justify = "right"
    for kind, number in sorted(Counter(step.kind for step in found.steps).items()):
        done.add_row(str(number), kind)
    console.print(done if found.steps else "there is nothing to hide, or it was hidden before")
    console.print("an import that was under way may go on: run this again when it is over")
    if found.left:
        left = Table("left for you", "event", "case", "", box=None, pad_edge=False)
        for one in found.left:
            left.add_row(one.type, str(one.event_id), str(one.case_id), escape(one.why))
        console.print(left)
