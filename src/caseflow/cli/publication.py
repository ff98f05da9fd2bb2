"""`caseflow freeze` and `caseflow unfreeze`: the emergency stop of all publication.

It stands in the database, so every process that works on it obeys at once.
"""

import click

from .house import opened_house


@click.command()
def freeze() -> None:
    """Halt publication: nothing more becomes public until `caseflow unfreeze`.

    Prints the position of the event that says so; nothing where publication was halted already.
    """
    if _set_frozen(True):
        click.echo("publication is halted, for every process on this database:", err=True)
    else:
        click.echo("publication was halted already:", err=True)
    click.echo("  what is posted is recorded and waits; raises and approvals are refused", err=True)
    click.echo("  what hides, retracts or narrows still has its effect at once", err=True)
    click.echo("  what is public stays public; `caseflow unfreeze` ends this", err=True)


@click.command()
def unfreeze() -> None:
    """Let publication go on, and what has waited meanwhile become public.

    Prints the position of the event that says so; nothing where publication was not halted.
    """
    if _set_frozen(False):
        click.echo("publication goes on:", err=True)
        click.echo("  a running service releases within seconds what has waited", err=True)
        click.echo("  what needs a review, or has a time of its own, goes on waiting", err=True)
    else:
        click.echo("publication was not halted", err=True)


def _set_frozen(frozen: bool) -> bool:
    """Have publication halted or not, print the event's position, and return whether it is new."""
    with opened_house() as house:
        position = house.cases.freeze(frozen).result()
    if position is not None:
        click.echo(position)
    return position is not None
