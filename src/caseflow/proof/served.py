"""What is served of a log: checkpoints, tiles, proofs; and the lines of witnesses that come in.

Nothing beyond the signed size is told, although the tiles may be further.
"""

import logging
from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Engine

from caseflow.domain.errors import (
    AlteredError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from caseflow.formats.bundle import Bundle as CaseBundle
from caseflow.formats.bundle import Entry, Subject, make_bundle, render_any_record
from caseflow.formats.checkpoint import SignedCheckpoint, open_checkpoint
from caseflow.formats.merkle import CompactRange, ReadNode, hash_leaf, prove_consistency
from caseflow.formats.note import (
    COSIGNATURE_V1,
    InvalidNoteError,
    Note,
    Signature,
    VerifierKey,
    parse_note,
    parse_verifier_key,
    render_note,
    render_verifier_key,
)
from caseflow.formats.record import verify_field
from caseflow.formats.tiles import (
    TILE_WIDTH,
    Bundle,
    InvalidTileError,
    Tile,
    get_tile,
    leaf_data,
    nodes_in_tiles,
    parse_path,
    render_bundle,
    render_tile,
)

from .checkpoints import Checkpoints, Last
from .origins import Origins
from .signing import Signer
from .source import Log
from .tile_store import Hashes, TileStore

_ALTERED: Final = "the entries of this log are not those that were signed"

logger = logging.getLogger(__name__)


class Proof(msgspec.Struct, frozen=True):
    """That a tree is the start of another: their sizes and roots, and hashes of 32 bytes."""

    old: CompactRange
    new: CompactRange
    hashes: list[bytes]


class ServedLog:
    """One log as outsiders see it. Safe to use from several threads."""

    def __init__(
        self,
        engine: Engine,
        log: Log,
        checkpoints: Checkpoints,
        origins: Origins,
        signer: Signer,
        witnesses: Sequence[VerifierKey],
    ) -> None:
        """witnesses: keys of type 0x04, no public key twice; others' lines are not taken."""
        self.name = log.name
        self._engine = engine
        self._log = log
        self._checkpoints = checkpoints
        self._origins = origins
        self._signer = signer
        self._witnesses = tuple(witnesses)
        self._tiles = TileStore(engine, log.name)

    def find_last(self) -> Last | None:
        """Return what was signed last, None before the first."""
        return self._origins.find_last(self._log.name)

    def get_last(self) -> Last:
        """Return what was signed last. Raises UnavailableError before the first."""
        last = self.find_last()
        if last is None:
            raise UnavailableError("nothing has been signed yet")
        return last

    def render_key(self) -> str:
        """Return the verifier key of the log. Source: C2SP signed-note, "Verifier keys"."""
        return render_verifier_key(self._signer.get_key(self.get_last().origin))

    # -- records ----------------------------------------------------------------------------------

    def get_record(self, place: int) -> bytes:
        """Return the record at a place, from 1: canonical bytes. Raises NotFoundError."""
        record = self.find_record(place)
        if record is None:
            raise NotFoundError("the log has no record at this place")
        return record

    def find_record(self, place: int) -> bytes | None:
        """Return the record at a place, from 1, signed or not yet; None where there is none.

        Raises UnavailableError where what is stored there is no record, or contradicts it.
        """
        try:
            return self._log.find_record(self._engine, place)
        except AlteredError as error:
            raise UnavailableError(_ALTERED) from error

    # -- checkpoints ------------------------------------------------------------------------------

    def get_checkpoint(self, witnesses: int = 0) -> bytes:
        """Return the newest checkpoint with the lines of so many witnesses, or more: a note.

        Raises NotFoundError where none has so many. Source: C2SP tlog-checkpoint.
        """
        for signed in self.list_signed():
            if len(signed.cosignatures) >= witnesses:
                return render_note(self._without_strangers(signed))
        raise NotFoundError(f"no checkpoint has cosignatures of {witnesses} witnesses")

    def list_signed(self) -> list[SignedCheckpoint]:
        """Return the checkpoints that are kept, with their cosignatures, the newest first.

        Raises UnavailableError before the first.
        """
        last = self.get_last()
        notes = self._checkpoints.list_cosigned(last.origin)
        if not notes or notes[0][0] < last.size:
            notes = [(last.size, last.note), *notes]
        return [self._open(last.origin, note) for _, note in notes]

    def _open(self, origin: str, note: bytes) -> SignedCheckpoint:
        return open_checkpoint(
            note, log_key=self._signer.get_key(origin), witness_keys=self._witnesses
        )

    def _without_strangers(self, signed: SignedCheckpoint) -> Note:
        """Return the note with the log's own line, then the latest line of each known witness."""
        latest = {one.key: one.timestamp for one in signed.cosignatures}
        lines = {key: _find_line(signed.note, key, at) for key, at in latest.items()}
        log_key = self._signer.get_key(signed.checkpoint.origin)
        own = next(s for s in signed.note.signatures if _is_of(s, log_key))
        return Note(signed.note.text, (own, *lines.values()))

    def add_cosignatures(self, data: bytes) -> bytes:
        """Store the lines of known witnesses under a checkpoint of ours; return it with them.

        Lines of others are passed over. Raises InvalidInputError where it is not our checkpoint or
        no known witness cosigned it, ConflictError where it contradicts the log.
        Source: C2SP tlog-cosignature.
        """
        last = self.get_last()
        try:
            signed = self._open(last.origin, data)
        except InvalidNoteError as error:
            raise InvalidInputError("the note cannot be taken", [("", error.detail)]) from error
        if not signed.cosignatures:
            raise InvalidInputError(
                "the note has no cosignature of a witness that is known here",
                [("", "has no line of a known witness")],
            )
        self._compare(last, signed)
        added = self._without_strangers(signed)

        def merge(stored: bytes | None) -> bytes:
            together = parse_note(stored).signatures if stored else ()
            lines = dict.fromkeys((*added.signatures, *together))
            whole = Note(added.text, tuple(lines))
            return render_note(self._without_strangers(self._open(last.origin, render_note(whole))))

        def count(note: bytes) -> int:
            return len(self._open(last.origin, note).cosignatures)

        size = signed.checkpoint.size
        return self._checkpoints.add_cosigned(last.origin, size, merge, count)

    def _compare(self, last: Last, signed: SignedCheckpoint) -> None:
        """Refuse a checkpoint that our key signed and that is not of this log."""
        size, root = signed.checkpoint.size, signed.checkpoint.root
        if size > last.size or self._read_edge(size).root != root:
            logger.error("a checkpoint of the %s log was cosigned that contradicts it", self.name)
            raise ConflictError("the log has another checkpoint of this size, or is not so large")

    # -- tiles and proofs -------------------------------------------------------------------------

    def get_tile(self, path: str) -> bytes:
        """Return a tile or a bundle of entries by its path, as in C2SP tlog-tiles.

        Also partial ones that have grown since. Raises NotFoundError for what is no path and for
        what the signed tree does not have; UnavailableError where what is stored contradicts it.
        """
        size = self.get_last().size
        try:
            place = parse_path(path)
            level = place.level if isinstance(place, Tile) else 0
            if get_tile(size, level, place.index).width < place.width:
                raise InvalidTileError("it is not so wide")
        except InvalidTileError as error:
            raise NotFoundError(f"the log of size {size} has no such tile") from error
        hashes = self._read_hashes(Tile(level, place.index, place.width))
        return (
            self._read_bundle(place, hashes) if isinstance(place, Bundle) else render_tile(hashes)
        )

    def _read_hashes(self, tile: Tile) -> Hashes:
        hashes = self._tiles.read_tile(tile)[: tile.width]
        if len(hashes) != tile.width:
            raise UnavailableError("the tiles of this log are being made anew")
        return hashes

    def _read_bundle(self, bundle: Bundle, hashes: Hashes) -> bytes:
        start = bundle.index * TILE_WIDTH
        end = start + bundle.width
        entries = list(self._log.read_entries(self._engine, start, end, check=False))
        # What was not signed is not told as if it were.
        if tuple(map(hash_leaf, entries)) != hashes:
            raise UnavailableError(_ALTERED)
        return render_bundle(entries)

    def prove_consistency(self, old_size: int, new_size: int | None) -> Proof:
        """Return the proof between two sizes; None: the signed one. Source: RFC 6962, 2.1.2.

        Raises InvalidInputError unless 0 <= old_size <= new_size <= the signed size.
        """
        size = self.get_last().size
        new_size = size if new_size is None else new_size
        for name, told, highest in (("to", new_size, size), ("from", old_size, new_size)):
            if told > highest:
                reason = f"must be a whole number from 0 to {highest}"
                raise InvalidInputError(
                    f"the parameter {name} {reason}", [(f"/query/{name}", reason)]
                )
        nodes = nodes_in_tiles(new_size, self._tiles.read_tile)
        try:
            hashes = prove_consistency(old_size, new_size, nodes)
        except InvalidTileError as error:
            raise UnavailableError("the tiles of this log are being made anew") from error
        return Proof(self._read_edge(old_size), self._read_edge(new_size), hashes)

    # -- bundles ----------------------------------------------------------------------------------

    def make_bundle(
        self,
        entries: Sequence[Entry],
        subject: Subject,
        *,
        signed: Sequence[SignedCheckpoint],
        since: int | None = None,
    ) -> CaseBundle:
        """Return what the log has of a case or an event, with proofs, signed.

        entries: all of it there is. signed: from `list_signed` before these were looked for, so
        that none of them has an entry more. Of those that cover all entries it is the one with the
        most cosignatures; the newest of such. since: an older size, from which growth is proved.
        Raises UnavailableError where they are not all signed yet, or not what was signed: nobody is
        given a statement that contradicts the log. InvalidInputError for a size that
        is greater than the checkpoint's, InvalidBundleError for more than 10,000 entries.
        """
        chosen = _choose(signed, max(entry.index for entry in entries) + 1)
        size = chosen.checkpoint.size
        if since is not None and since > size:
            reason = f"must be a whole number from 0 to {size}"
            raise InvalidInputError(f"the parameter since {reason}", [("/query/since", reason)])
        read_node = nodes_in_tiles(size, self._tiles.read_tile)
        try:
            self._require_signed(entries, read_node)
            return make_bundle(
                entries,
                log=self.name,
                checkpoint=chosen,
                subject=subject,
                since=since,
                read_node=read_node,
                key=self._signer.get_key(chosen.checkpoint.origin),
                sign=self._signer.sign_statement,
            )
        except InvalidTileError as error:
            raise UnavailableError("the tiles of this log are being made anew") from error

    def _require_signed(self, entries: Sequence[Entry], read_node: ReadNode) -> None:
        for entry in entries:
            leaf = hash_leaf(leaf_data(self._log.tag, render_any_record(entry.record)))
            if leaf != read_node(0, entry.index):
                logger.error("record %d of the %s log was altered", entry.index + 1, self.name)
                raise UnavailableError(_ALTERED)
            for one in entry.fields:
                if not verify_field(entry.record, one.path, one.value, one.salt):
                    logger.error("what is sealed of %d was altered", entry.index + 1)
                    raise UnavailableError(_ALTERED)

    def _read_edge(self, size: int) -> CompactRange:
        try:
            return self._tiles.read_range(size) if size else CompactRange()
        except InvalidTileError as error:
            raise UnavailableError("the tiles of this log are being made anew") from error


def parse_witness_key(text: str) -> VerifierKey:
    """Return the verifier key of a witness. Raises InvalidNoteError for any other."""
    key = parse_verifier_key(text)
    if key.signature_type != COSIGNATURE_V1:
        raise InvalidNoteError("the key of a witness is of type 0x04")
    return key


def _choose(signed: Sequence[SignedCheckpoint], size: int) -> SignedCheckpoint:
    """Return the checkpoint of so many leaves, or more, that most witnesses cosigned."""
    found = [one for one in signed if one.checkpoint.size >= size]
    if not found:
        raise UnavailableError("this is not signed yet")
    # Of equals the first, which is the newest.
    return max(found, key=lambda one: len(one.cosignatures))


def _is_of(signature: Signature, key: VerifierKey) -> bool:
    return (signature.name, signature.key_id) == (key.name, key.key_id)


def _find_line(note: Note, key: VerifierKey, timestamp: int) -> Signature:
    begins = timestamp.to_bytes(8, "big")
    return next(s for s in note.signatures if _is_of(s, key) and s.value.startswith(begins))
