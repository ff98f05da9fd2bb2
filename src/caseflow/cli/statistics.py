"""`caseflow stats`: the numbers of a day, as known at a time, as tables or as JSON."""

import click

from caseflow.domain.labels import LANGUAGES

from .house import opened_house, operator
from .moments import parse_as_of, parse_moment
from .terminal import escape_lines, output


def _parse_country(_ctx: click.Context, _param: click.Parameter, code: str | None) -> str | None:
    from caseflow.domain.countries import is_country

    if code is not None and not is_country(code):
        raise click.BadParameter("must be an ISO 3166-1 alpha-2 code of a state, as KZ")
    return code


@click.command("stats")
@click.option(
    "--as-of",
    callback=parse_as_of,
    metavar="D",
    help="The numbers of that day, YYYY-MM-DD: what happened later does not count.",
)
@click.option(
    "--known-at",
    callback=parse_moment,
    metavar="T",
    help="Only what was recorded by then, such as 2026-02-10T09:30:00Z.",
)
@click.option(
    "--host-state",
    callback=_parse_country,
    metavar="CC",
    help="Persons in this state alone, such as KZ.",
)
@click.option(
    "--origin-state",
    callback=_parse_country,
    metavar="CC",
    help="Persons facing return to this state alone, such as RU.",
)
@click.option(
    "--lang",
    type=click.Choice(LANGUAGES),
    default="en",
    show_default=True,
    help="What headlines, tracks, states and measures are called in.",
)
@click.option("--public", is_flag=True, help="Exactly what a reader without a key gets.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def stats(
    as_of: str | None,
    known_at: int | None,
    host_state: str | None,
    origin_state: str | None,
    lang: str,
    public: bool,
    as_json: bool,
) -> None:
    """Print the statistics: persons by headline, track, return, departure and month.

    Everything that is recorded counts, restricted events included, but for persons who did not
    agree to be counted. With --public and --json it is what GET /v1/statistics answers without a
    key.
    """
    from caseflow.api.asked import Moment
    from caseflow.api.rendering import encode
    from caseflow.api.statistics import Wanted, tell_statistics
    from caseflow.serving import make_services

    with opened_house() as house:
        services = make_services(house)
        wanted = Wanted(Moment(as_of, known_at), host_state, origin_state)
        with house.reader.snapshot() as snapshot:
            caller = None if public else operator()
            found = tell_statistics(services, snapshot, caller, wanted, lang)
    if as_json:
        import msgspec

        click.echo(escape_lines(msgspec.json.format(encode(found), indent=2).decode()))
        return
    from .tables import Heading, print_statistics

    print_statistics(output(), Heading(public, host_state, origin_state), found, lang)
