"""`caseflow partner` and `caseflow key`: who may write, and with which scopes.

What a script needs, an id or a key, stands alone on standard output.
"""

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import click

from .house import opened_house
from .terminal import escape, output

if TYPE_CHECKING:
    from caseflow.eventstore.partners import ApiKey

DAY_MICROSECONDS = 86_400_000_000
_LONGEST_NAME = 200


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
    """Issue, list and revoke the keys of partners."""


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

    from caseflow.domain.times import format_time
    from caseflow.eventstore.partners import get_partner_id, list_keys

    with opened_house() as house, house.read() as connection:
        found = list_keys(connection, get_partner_id(connection, name))
        now = house.clock()
    table = Table("id", "scopes", "issued", "state", box=None, pad_edge=False)
    for listed in found:
        issued = format_time(listed.created_at)[:10]
        table.add_row(str(listed.id), ", ".join(listed.scopes), issued, _state(listed, now))
    output().print(table if found else "this partner has no keys")


def _state(listed: "ApiKey", now: int) -> str:
    from caseflow.domain.times import format_time

    if listed.revoked_at is not None:
        return f"revoked {format_time(listed.revoked_at)[:10]}"
    if listed.expires_at is None:
        return "in force"
    word = "expires" if listed.expires_at > now else "expired"
    return f"{word} {format_time(listed.expires_at)[:10]}"


@key.command("revoke")
@click.argument("key_id", type=click.UUID)
def revoke(key_id: UUID) -> None:
    """Revoke the key KEY_ID from now on."""
    from caseflow.eventstore.partners import revoke_key

    with opened_house() as house, house.write() as connection:
        revoke_key(connection, key_id, house.clock())
    click.echo(f"key {key_id} is revoked", err=True)
