"""A log cut into files: tiles of 256 hashes and bundles of 256 entries, as in C2SP tlog-tiles.

Coordinates, paths and bytes; reading and writing them is the caller's. What an entry of our
logs holds is said here too (`leaf_data`); `docs/proof.md` describes all of it.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

import msgspec

from caseflow.domain.errors import CaseflowError
from caseflow.formats.merkle import HASH_BYTES, MAX_SIZE, ReadNode, root_of

TILE_WIDTH: Final = 256
TILE_HEIGHT: Final = 8  # levels of the tree in one level of tiles: 2^8 = 256
MAX_LEVEL: Final = 63
MAX_ENTRY_BYTES: Final = 0xFFFF
FULL_LOG_TAG: Final = "caseflow/full/v1"
PUBLIC_LOG_TAG: Final = "caseflow/public/v1"

_PATH: Final = re.compile(
    r"tile/(?P<level>entries|[0-9]{1,2})/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})"
    r"(?:\.p/(?P<width>[0-9]{1,3}))?"
)
_TAG: Final = re.compile(r"[a-z0-9]+(?:[./-][a-z0-9]+)*")


class InvalidTileError(CaseflowError, ValueError):
    """A path, a coordinate or bytes that no tiled log has."""


class Tile(msgspec.Struct, frozen=True):
    """The place of a tile: at `level` l, its hashes are the roots of 256^l leaves each.

    level: 0 to 63; index: from 0; width: hashes in it, 256 or, in a partial tile, 1 to 255.
    Raises InvalidTileError for anything else.
    Source: C2SP tlog-tiles, section "Merkle Tree".
    """

    level: int
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        if not 0 <= self.level <= MAX_LEVEL:
            raise InvalidTileError("the level of a tile is 0 to 63")
        _require_place(self.index, self.width)


class Bundle(msgspec.Struct, frozen=True):
    """The place of a bundle of entries: those of the leaves of the tile at level 0 beside it.

    index: from 0; width: entries in it, 256 or, in a partial bundle, 1 to 255.
    Raises InvalidTileError for anything else.
    Source: C2SP tlog-tiles, section "Log entries".
    """

    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        _require_place(self.index, self.width)


ReadTile: TypeAlias = Callable[[Tile], Sequence[bytes]]  # its hashes, 32 bytes each


def leaf_data(tag: str, record: bytes) -> bytes:
    """Return what a log has as the entry of a record: tag ‖ newline ‖ SHA-256(record).

    tag: which log, `caseflow/full/v1` or `caseflow/public/v1`, so that no entry of one can be
    shown as one of the other. record: the canonical bytes (`record.py`).
    Raises InvalidTileError for a tag that is not small letters and digits, with single `.`, `/`
    and `-` between them.
    Source: docs/proof.md, section "Entries"; SHA-256 as in FIPS 180-4.
    """
    if not _TAG.fullmatch(tag):
        raise InvalidTileError("a tag is small letters and digits, with . / - between them")
    return tag.encode("ascii") + b"\n" + hashlib.sha256(record).digest()


def parse_leaf_data(data: bytes) -> tuple[str, bytes]:
    """Return the tag of an entry and the 32 bytes of its record's SHA-256.

    Raises InvalidTileError for anything else than what `leaf_data` gives.
    Source: docs/proof.md, section "Entries".
    """
    # Cut from the end: a hash may hold the byte of a newline.
    line, digest = data[:-HASH_BYTES], data[-HASH_BYTES:]
    tag = line[:-1].decode("ascii", errors="replace")
    if not line.endswith(b"\n") or not _TAG.fullmatch(tag):
        raise InvalidTileError("an entry is a tag, a newline and 32 bytes")
    return tag, digest


def render_path(place: Tile | Bundle) -> str:
    """Return `tile/<L>/<N>[.p/<W>]`, or `tile/entries/<N>[.p/<W>]` for a bundle.

    Source: C2SP tlog-tiles, sections "Merkle Tree", "Partial Tiles" and "Log entries".
    """
    level = "entries" if isinstance(place, Bundle) else place.level
    rest, last = divmod(place.index, 1000)
    index = f"{last:03}"
    while rest:
        rest, part = divmod(rest, 1000)
        index = f"x{part:03}/{index}"
    partial = "" if place.width == TILE_WIDTH else f".p/{place.width}"
    return f"tile/{level}/{index}{partial}"


def parse_path(path: str) -> Tile | Bundle:
    """Return the place that a path names.

    Raises InvalidTileError for every other spelling: a zero too many, a width of 256.
    Source: C2SP tlog-tiles, sections "Merkle Tree", "Partial Tiles" and "Log entries".
    """
    found = _PATH.fullmatch(path)
    if found is None:
        raise InvalidTileError("this is not the path of a tile")
    index = int(found["index"].replace("x", "").replace("/", ""))
    width = int(found["width"] or TILE_WIDTH)
    bundle = found["level"] == "entries"
    place = Bundle(index, width) if bundle else Tile(int(found["level"]), index, width)
    if render_path(place) != path:
        raise InvalidTileError("this is not the one spelling of the path of a tile")
    return place


def get_tile(size: int, level: int, index: int) -> Tile:
    """Return the tile at a place of the tree of `size` leaves, as wide as that tree makes it.

    Raises InvalidTileError where that tree has none.
    Source: C2SP tlog-tiles, section "Partial Tiles".
    """
    if 0 <= level <= MAX_LEVEL and index >= 0:
        width = min(TILE_WIDTH, _count_hashes(size, level) - index * TILE_WIDTH)
        if width > 0:
            return Tile(level, index, width)
    raise InvalidTileError(f"a tree of {size} leaves has no tile {index} at level {level}")


def list_tiles(size: int, *, since: int = 0) -> Iterator[Tile]:
    """Yield the tiles of the tree of `size` leaves, level by level, from the left.

    since: leaves of an older tree, at most `size`; its tiles are left out unless they have grown.
    Raises InvalidTileError, at the first tile, for sizes that trees do not have.
    Source: C2SP tlog-tiles, sections "Merkle Tree" and "Partial Tiles".
    """
    _require_sizes(since, size)
    level = 0
    while hashes := _count_hashes(size, level):
        for index in _list_places(_count_hashes(since, level), hashes):
            yield get_tile(size, level, index)
        level += 1


def list_bundles(size: int, *, since: int = 0) -> Iterator[Bundle]:
    """Yield the bundles of the log of `size` entries, from the left; `since` as in `list_tiles`.

    Source: C2SP tlog-tiles, section "Log entries".
    """
    _require_sizes(since, size)
    for index in _list_places(since, size):
        yield Bundle(index, min(TILE_WIDTH, size - index * TILE_WIDTH))


def render_tile(hashes: Sequence[bytes]) -> bytes:
    """Return the bytes of a tile: its 1 to 256 hashes of 32 bytes, one after the other.

    Raises InvalidTileError for anything else.
    Source: C2SP tlog-tiles, section "Merkle Tree".
    """
    if not 1 <= len(hashes) <= TILE_WIDTH or any(len(one) != HASH_BYTES for one in hashes):
        raise InvalidTileError("a tile is 1 to 256 hashes of 32 bytes")
    return b"".join(hashes)


def parse_tile(data: bytes, width: int) -> tuple[bytes, ...]:
    """Return the hashes of a tile of `width`, 1 to 256.

    Raises InvalidTileError unless there are 32 bytes for each.
    Source: C2SP tlog-tiles, section "Merkle Tree".
    """
    if not 1 <= width <= TILE_WIDTH or len(data) != width * HASH_BYTES:
        raise InvalidTileError(f"a tile of width {width} has 32 bytes for each hash")
    return tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES))


def render_bundle(entries: Sequence[bytes]) -> bytes:
    """Return the bytes of a bundle: each entry after its length, a big-endian uint16.

    Raises InvalidTileError unless there are 1 to 256 entries of at most 65,535 bytes.
    Source: C2SP tlog-tiles, section "Log entries".
    """
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise InvalidTileError("a bundle has 1 to 256 entries")
    if any(len(entry) > MAX_ENTRY_BYTES for entry in entries):
        raise InvalidTileError("an entry has at most 65,535 bytes")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def parse_bundle(data: bytes, width: int) -> tuple[bytes, ...]:
    """Return the entries of a bundle of `width`, 1 to 256.

    Raises InvalidTileError where there are more or fewer, or where the last one ends early.
    Source: C2SP tlog-tiles, section "Log entries".
    """
    if not 1 <= width <= TILE_WIDTH:
        raise InvalidTileError("a bundle has 1 to 256 entries")
    entries = []
    start = 0
    for _ in range(width):
        end = start + 2 + int.from_bytes(data[start : start + 2], "big")
        entries.append(data[start + 2 : end])
        start = end
    # Also where the bytes end early: a length is then taken from fewer, and leads past the end.
    if start != len(data):
        raise InvalidTileError(f"these bytes are not a bundle of {width} entries")
    return tuple(entries)


def nodes_in_tiles(size: int, read_tile: ReadTile) -> ReadNode:
    """Return a reader of the nodes of the tree of `size` leaves, for the proofs of `merkle.py`.

    read_tile: the hashes of a tile of that tree; of a wider one, the first count, as the full
    tile may stand for a partial one. Each is asked for once and kept as long as the reader.
    The reader raises InvalidTileError for a node that is not in that tree, and for tiles that
    are too short. It does not check hashes against one another: compare the root.
    Source: C2SP tlog-tiles, sections "Merkle Tree" and "Partial Tiles".
    """
    tiles: dict[Tile, Sequence[bytes]] = {}

    def read_node(level: int, index: int) -> bytes:
        tile_level, height = divmod(level, TILE_HEIGHT)
        place, first = divmod(index << height, TILE_WIDTH)
        tile = get_tile(size, tile_level, place)
        if tile not in tiles:
            tiles[tile] = _read_hashes(tile, read_tile)
        hashes = tiles[tile][first : first + (1 << height)]
        if len(hashes) != 1 << height:
            raise InvalidTileError(f"a tree of {size} leaves has no node {index} at level {level}")
        return root_of(hashes)

    return read_node


def extend_tiles(
    size: int, leaf_hashes: Iterable[bytes], read_tile: ReadTile
) -> Iterator[tuple[Tile, tuple[bytes, ...]]]:
    """Yield the tiles, with their hashes, that a tree of `size` leaves gets from more leaves.

    Full tiles come as they are filled, the partial ones last, each tile once: those that
    `list_tiles` gives for the new size since the old. Leaf hashes are read once; at most 256
    hashes a level are kept. read_tile: the partial tiles of the old tree, as they were.
    Raises InvalidTileError for a size that no tree has and for hashes that are not 32 bytes.
    Source: C2SP tlog-tiles, sections "Merkle Tree" and "Partial Tiles".
    """
    _require_sizes(0, size)
    rows = _read_partial(size, read_tile)
    old_size = size
    for leaf_hash in leaf_hashes:
        if len(leaf_hash) != HASH_BYTES:
            raise InvalidTileError("a hash has 32 bytes")
        size += 1
        level, rising = 0, leaf_hash
        rows[level].append(rising)
        while len(rows[level]) == TILE_WIDTH:
            yield Tile(level, _count_hashes(size, level + 1) - 1), tuple(rows[level])
            rising = root_of(rows[level])
            rows[level].clear()
            level += 1
            if level == len(rows):
                rows.append([])
            rows[level].append(rising)
    for level, row in enumerate(rows):
        if row and _count_hashes(size, level) > _count_hashes(old_size, level):
            yield Tile(level, _count_hashes(size, level + 1), len(row)), tuple(row)


def _read_partial(size: int, read_tile: ReadTile) -> list[list[bytes]]:
    """Return the hashes of the partial tile of each level, which may be none."""
    rows: list[list[bytes]] = []
    level = 0
    while hashes := _count_hashes(size, level):
        index, width = divmod(hashes, TILE_WIDTH)
        tile = Tile(level, index, width) if width else None
        rows.append(list(_read_hashes(tile, read_tile)) if tile else [])
        level += 1
    return rows or [[]]


def _read_hashes(tile: Tile, read_tile: ReadTile) -> Sequence[bytes]:
    hashes = read_tile(tile)[: tile.width]
    if len(hashes) != tile.width or any(len(one) != HASH_BYTES for one in hashes):
        raise InvalidTileError(f"what was read as {render_path(tile)} is not that tile")
    return hashes


def _count_hashes(size: int, level: int) -> int:
    """Return how many hashes the tiles of a level have together: floor(size / 256^level)."""
    return size >> (TILE_HEIGHT * level)


def _list_places(old: int, new: int) -> range:
    """Return the indexes of tiles that changed while a level grew from `old` to `new` hashes."""
    return range(old // TILE_WIDTH, -(-new // TILE_WIDTH)) if new > old else range(0)


def _require_place(index: int, width: int) -> None:
    if not 0 <= index <= MAX_SIZE:
        raise InvalidTileError("the index of a tile is 0 to 2^63 - 1")
    if not 1 <= width <= TILE_WIDTH:
        raise InvalidTileError("the width of a tile is 1 to 256")


def _require_sizes(old: int, new: int) -> None:
    if not 0 <= old <= new <= MAX_SIZE:
        raise InvalidTileError("a tree has 0 to 2^63 - 1 leaves, and never fewer than before")
