"""From rows of facts to cases: what the statistics of every audience have in common."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import msgspec

from caseflow.domain.facts import ClaimFacts, Frame
from caseflow.domain.statistics import CaseFacts

_decode = msgspec.json.Decoder(ClaimFacts).decode


def group_facts(rows: Iterable[Any]) -> Iterator[CaseFacts]:
    """Yield one CaseFacts per case.

    rows: case id, host state, origin state, persons, facts (JSON); those of one case together.
    """
    for _, group in groupby(rows, key=lambda row: row[0]):
        found = list(group)
        _, host_state, origin_state, persons, _ = found[0]
        claims = [_decode(row[4]) for row in found]
        yield CaseFacts(Frame(host_state, origin_state), persons, claims)
