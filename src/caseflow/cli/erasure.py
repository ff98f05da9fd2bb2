"""`caseflow erase`: one admin's word that a person is to disappear from the record."""

from typing import IO

import click

from .house import opened_house


@click.command()
@click.argument("case")
@click.option("--reason", required=True, help="Why; it is kept, and names nobody.")
@click.option("--legal-basis", required=True, help="On what legal basis; kept likewise.")
@click.option(
    "--key-file",
    type=click.File("r"),
    metavar="FILE",
    help="A file with the key of an admin; without it the key is asked for.",
)
def erase(case: str, reason: str, legal_basis: str, key_file: IO[str] | None) -> None:
    """Ask that CASE be erased; the same with another admin's key carries it out.

    CASE is its id, its code, or ext: and a partner's own name for it. All cases about the same
    person are erased together, and nothing brings them back. Exit status 0 once it has been carried
    out, 3 while another admin is needed.
    """
    from caseflow.domain.errors import ForbiddenError, UnauthenticatedError
    from caseflow.eventstore.erasure import Erasure, Grounds
    from caseflow.eventstore.partners import digest_key, find_caller

    from .replay import find_case_id

    key = key_file.read().strip() if key_file else click.prompt("key", hide_input=True, err=True)
    with opened_house() as house:
        with house.read() as connection:
            caller = find_caller(connection, digest_key(key), house.clock())
        if caller is None:
            raise UnauthenticatedError("this key is unknown, expired or revoked")
        if "admin" not in caller.scopes:
            raise ForbiddenError("the key needs the scope admin")
        with house.reader.snapshot() as snapshot:
            case_id = find_case_id(house, snapshot, case)
        grounds = Grounds(reason=reason, legal_basis=legal_basis)
        erasure: Erasure = house.erasures.request(caller, case_id, grounds).result().rendered
        if erasure.is_carried_out:
            house.finish_erasures()
    if not erasure.is_carried_out:
        click.echo("noted; another admin has to ask for the same, within thirty days", err=True)
        if erasure.differs:
            told = "on other grounds, or before other cases were held to be of the same person"
            click.echo(f"another admin has asked for it {told}", err=True)
        raise SystemExit(3)
    click.echo("erased; the keys are destroyed, the master key is a new one:", err=True)
    for erased in erasure.case_ids:
        click.echo(erased)
