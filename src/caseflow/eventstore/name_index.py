"""Which cases have names that are near, found by keyed hashes of what the names sound like.

A blind index: no name stands in it, and without a secret from the key store nobody can make the
hash of one. The hashes are made for those who may see the person: a case whose subject is shared
has rows that every partner looks up, any other has one set for its own partner and one for
`restricted:read`. So a case that the caller may not see is not even met.

It follows from the subjects and consents of the cases; rows of a case go with its key.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import Column, Connection, Index, LargeBinary, Table, delete, func, insert, select

from caseflow.database import Uuid16
from caseflow.domain.case import Case
from caseflow.domain.likeness import skeletons, wanted_skeletons

from .partners import Caller
from .tables import metadata
from .wrapping import KeyedHash

# Enough to tell names apart; two that agree by chance are told apart when they are compared.
DIGEST_BYTES: Final = 8
_PURPOSE: Final = "name-index"
# Who looks: every partner, or those who read what is restricted; else a partner, by its id.
_SHARED: Final = "shared"
_RESTRICTED: Final = "restricted"

name_index = Table(
    "name_index",
    metadata,
    # Keyed hash of who may look and of a key that near names share, cut to 8 bytes.
    Column("digest", LargeBinary(DIGEST_BYTES), primary_key=True),
    Column("case_id", Uuid16, primary_key=True),
    Index("name_index_case", "case_id"),
    sqlite_with_rowid=False,
)


def digest_names(keyed_hash: KeyedHash, case: Case) -> frozenset[bytes]:
    """Return the digests under which a case is found, as its subject and consent are now."""
    shared = case.consent.shares_subject
    audiences = (_SHARED,) if shared else (str(case.partner_id), _RESTRICTED)
    return _digest(keyed_hash, audiences, skeletons(name.text for name in case.subject.names))


def digest_wanted_names(
    keyed_hash: KeyedHash, caller: Caller, names: Iterable[str]
) -> frozenset[bytes]:
    """Return the digests to look up for names: of cases whose subject the caller may see."""
    own = _RESTRICTED if caller.reads_restricted else str(caller.partner_id)
    return _digest(keyed_hash, (_SHARED, own), wanted_skeletons(names))


def _digest(
    keyed_hash: KeyedHash, audiences: Iterable[str], keys: Collection[str]
) -> frozenset[bytes]:
    return frozenset(
        keyed_hash.digest(_PURPOSE, audience, key)[:DIGEST_BYTES]
        for audience in audiences
        for key in keys
    )


def record_names(connection: Connection, indexed: Mapping[UUID, Collection[bytes]]) -> None:
    """Record under which digests cases are found, in place of any before.

    In the transaction of the events that say so.
    """
    delete_names(connection, indexed)
    rows = [
        {"digest": digest, "case_id": case_id}
        for case_id, digests in indexed.items()
        for digest in sorted(digests)
    ]
    if rows:
        connection.execute(insert(name_index), rows)


def delete_names(connection: Connection, case_ids: Collection[UUID]) -> None:
    """Delete all rows of cases: nothing of their names is left here."""
    if case_ids:
        connection.execute(delete(name_index).where(name_index.c.case_id.in_(case_ids)))


def find_near_names(
    connection: Connection,
    digests: Collection[bytes],
    *,
    excluded: Collection[UUID] = frozenset(),
    limit: int,
) -> list[UUID]:
    """Return the cases that are found under the digests, those found under most of them first.

    excluded: cases not to count. limit: how many cases at most.
    """
    if not digests:
        return []
    columns = name_index.c
    query = select(columns.case_id).where(columns.digest.in_(digests)).group_by(columns.case_id)
    if excluded:
        query = query.where(columns.case_id.not_in(excluded))
    # By id where as many are shared: the same question gets the same answer.
    found = connection.scalars(query.order_by(func.count().desc(), columns.case_id).limit(limit))
    return list(found)
