"""`caseflow migrate` and `caseflow rebuild`."""

import click

from .house import current_settings, opened_house
from .terminal import messages, progress


@click.command()
def migrate() -> None:
    """Bring both databases to the schema of this version."""
    from caseflow.bootstrap import migrate_house
    from caseflow.eventstore.schema import current_revision

    settings = current_settings()
    migrate_house(settings)
    click.echo(f"the database is at schema {current_revision(settings.database_url)}", err=True)


@click.command()
def rebuild() -> None:
    """Make all views again from the log; readers and writers go on meanwhile.

    Prints the last position that the new views have seen.
    """
    with opened_house() as house:
        with house.reader.snapshot() as snapshot:
            total = snapshot.head.position
        with progress(messages(), "rebuilding the views", total) as advance:
            position = house.rebuild(advance)
    click.echo("the views were made again; last position:", err=True)
    click.echo(position)
