"""What an erasure does beside the log: keys, views and files lose what they held of a person.

`eventstore/erasure.py` records that a case is erased; all of this comes after that commit, can be
done again, and is until it has been done. Here too is what the ledger tells a restored database.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, Engine

from caseflow.database import begin_read, begin_write, wrapped_errors
from caseflow.eventstore.erased import (
    erasure_requests,
    list_erased_since,
    list_unfinished,
    note_finished,
    note_keyless,
)
from caseflow.eventstore.erasure import Erasures
from caseflow.eventstore.key_files import MasterKeyFile
from caseflow.eventstore.keys import KeyStore, case_keys, list_destroyed_keys, secrets_table
from caseflow.eventstore.lease import Lease
from caseflow.eventstore.ledger import Ledger
from caseflow.eventstore.merges import list_entangled
from caseflow.eventstore.name_index import name_index
from caseflow.eventstore.reading import LogReader
from caseflow.eventstore.recorder import SqlApplicationRecorder
from caseflow.eventstore.scrubbing import scrub
from caseflow.projections.public.history import list_shown_before
from caseflow.projections.rebuild import empty_other_set
from caseflow.projections.view import metadata as views_metadata

# Microseconds for which an erasure is left to whoever recorded it.
GRACE: Final = 30_000_000
# What an erasure deletes from: all that is not sealed and says something of a person.
CLEAR_TABLES: Final = (
    *(table.name for table in views_metadata.sorted_tables),
    name_index.name,
    erasure_requests.name,
)
KEY_TABLES: Final = (case_keys.name, secrets_table.name)


class Eraser:
    """Finishes erasures, of this process and of others, and applies the ledger again."""

    def __init__(
        self,
        engine: Engine,
        keys_engine: Engine,
        keys: KeyStore,
        master_key_file: MasterKeyFile,
        recorder: SqlApplicationRecorder,
        reader: LogReader,
        rebuild: Callable[[], object],
        clock: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._keys_engine = keys_engine
        self._keys = keys
        self._master_key_file = master_key_file
        self._recorder = recorder
        self._reader = reader
        self._rebuild = rebuild
        self._clock = clock
        self._finishing = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        with self._read() as connection:
            self._seen_until = max((at for _, at in list_erased_since(connection, 0)), default=0)

    def on_erased(self, forget: Callable[[], None]) -> None:
        """Have something called after an erasure, here or in another process."""
        self._listeners.append(forget)

    def finish(self, grace: int | None = None) -> int:
        """Do what is left to do of erasures that were recorded; return how many cases it was.

        Their keys are destroyed, the master key is rotated, and databases are scrubbed. What was
        interrupted or failed is done again.
        grace: microseconds; of younger ones whoever recorded them is taking care. None: all.
        """
        with self._finishing:
            with self._read() as connection:
                until = self._clock() - grace if grace is not None else None
                left = list_unfinished(connection, until)
            if held := [one.case_id for one in left if not one.is_keyless]:
                self._destroy_keys(held)
            if case_ids := [one.case_id for one in left]:
                self._scrub(case_ids)
            return len(left)

    def _destroy_keys(self, case_ids: Sequence[UUID]) -> None:
        for case_id in case_ids:
            self._keys.destroy_key(case_id, self._clock())
        self._forget(case_ids)
        self._master_key_file.rotate(self._keys.rotate_master_key, self._keys.is_opened_by)
        with self._write() as connection:
            note_keyless(connection, case_ids, self._clock())

    def _scrub(self, case_ids: Sequence[UUID]) -> None:
        with self._read() as connection:
            entangled = list_entangled(connection, case_ids)
        if entangled:
            # Another person's case was once taken for one of theirs, and its rows say so.
            self._rebuild()
        empty_other_set(self._recorder.append, Lease("rebuild"))
        scrub(self._engine, CLEAR_TABLES)
        scrub(self._keys_engine, KEY_TABLES)
        with self._write() as connection:
            note_finished(connection, case_ids, self._clock())

    def follow(self) -> None:
        """Forget what was erased by another process, and finish what was left unfinished."""
        with self._read() as connection:
            erased = list_erased_since(connection, self._seen_until)
        if erased:
            self._forget([case_id for case_id, _ in erased])
            self._seen_until = max(at for _, at in erased)
        self.finish(GRACE)

    def _forget(self, case_ids: Iterable[UUID]) -> None:
        for case_id in case_ids:
            self._keys.forget(case_id)
            self._reader.forget(case_id)
        for forget in self._listeners:
            forget()

    def apply(self, ledger: Ledger, erasures: Erasures) -> int:
        """Hide and erase again what the ledger tells of and a restored database does not know.

        Returns how many claims and cases it was. The key store is asked too: a case whose key was
        destroyed was erased, whatever became of the ledger.
        Raises LedgerError where the ledger cannot be read.
        """
        lines = ledger.read()
        erased = {line.case_id for line in lines if line.kind == "erasure"}
        erased |= set(list_destroyed_keys(self._keys_engine))
        again = [erasures.erase_again(case_id) for case_id in sorted(erased)]
        done = sum(future.result() for future in again)
        moments: dict[UUID, int] = {}
        for line in lines:
            if line.event_id is not None and line.case_id not in erased:
                moments[line.event_id] = max(line.at, moments.get(line.event_id, 0))
        with self._reader.snapshot() as snapshot:
            shown = list_shown_before(snapshot.connection, snapshot.view_set, moments)
        for future in [erasures.hide_again(claim.case_id, claim.event_id) for claim in shown]:
            future.result()
        self.finish()
        return done + len(shown)

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with wrapped_errors(), begin_read(self._engine) as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with wrapped_errors(), begin_write(self._engine) as connection:
            yield connection
