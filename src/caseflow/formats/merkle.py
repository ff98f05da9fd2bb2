"""Hash trees over a log: roots, proofs and their verification, as in RFC 6962.

A node is named by a level and an index: it is the root of the perfect subtree over the leaves
from index * 2^level up to (index + 1) * 2^level, that one not included. Whoever can read nodes,
from a list (`nodes_over`) or from tiles (`tiles.py`), can make every root and every proof;
where hashes are kept is not known here.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from typing import Final, TypeAlias

import msgspec

from caseflow.domain.errors import CaseflowError

HASH_BYTES: Final = 32
MAX_SIZE: Final = 2**63 - 1  # leaves; beyond it, readers with signed 64-bit integers stop
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

ReadNode: TypeAlias = Callable[[int, int], bytes]  # level, index -> 32 bytes


class InvalidTreeError(CaseflowError, ValueError):
    """A size, an index or a hash that no tree has."""


class CompactRange(msgspec.Struct, frozen=True):
    """The right edge of a tree: the roots of its perfect subtrees, from the left, largest first.

    All that is needed to go on: at most 63 hashes, however many leaves there are.
    size: leaves, 0 to 2^63 - 1; hashes: 32 bytes each, one for each binary digit 1 of the size.
    Raises InvalidTreeError for anything else.
    Source: RFC 6962, section 2.1 (the splits at the largest power of two, all done at once).
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        _require_size(self.size)
        if len(self.hashes) != self.size.bit_count():
            raise InvalidTreeError("a compact range has a hash for each 1 in its size")
        _require_hashes(self.hashes)

    @property
    def root(self) -> bytes:
        """The Merkle Tree Hash, 32 bytes. Source: RFC 6962, section 2.1."""
        return _join(self.hashes) if self.hashes else EMPTY_ROOT

    def extended_by(self, leaf_hashes: Iterable[bytes]) -> "CompactRange":
        """Return the range with these leaves after its own; they are read once, none is kept.

        Raises InvalidTreeError for a hash that is not 32 bytes, and past 2^63 - 1 leaves.
        Source: RFC 6962, section 2.1.
        """
        size, edge = self.size, list(self.hashes)
        for leaf_hash in leaf_hashes:
            _require_hashes((leaf_hash,))
            size += 1
            edge.append(leaf_hash)
            # Each 0 at the end of the new size is a level at which a pair has become complete.
            for _ in range((size & -size).bit_length() - 1):
                right = edge.pop()
                edge[-1] = hash_node(edge[-1], right)
        return CompactRange(size, tuple(edge))


def hash_leaf(data: bytes) -> bytes:
    """Return SHA-256(0x00 ‖ data), 32 bytes. Source: RFC 6962, section 2.1."""
    return hashlib.sha256(b"\x00" + data).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 ‖ left ‖ right), 32 bytes. Source: RFC 6962, section 2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    """Return the Merkle Tree Hash over leaf hashes, which are read once and not kept.

    Raises InvalidTreeError for a hash that is not 32 bytes.
    Source: RFC 6962, section 2.1.
    """
    return CompactRange().extended_by(leaf_hashes).root


def nodes_over(leaf_hashes: Iterable[bytes]) -> ReadNode:
    """Return a reader of nodes over leaf hashes held in memory, two hashes a leaf.

    The reader raises InvalidTreeError for a node that these leaves do not fill.
    Source: RFC 6962, section 2.1.
    """
    levels = [list(leaf_hashes)]
    _require_hashes(levels[0])
    while len(levels[-1]) > 1:
        below = levels[-1]
        # An odd last one waits: its subtree is not perfect yet.
        pairs = zip(below[::2], below[1::2], strict=False)
        levels.append([hash_node(left, right) for left, right in pairs])

    def read_node(level: int, index: int) -> bytes:
        if not (0 <= level < len(levels) and 0 <= index < len(levels[level])):
            raise InvalidTreeError(f"these leaves do not fill node {index} at level {level}")
        return levels[level][index]

    return read_node


def read_range(size: int, read_node: ReadNode) -> CompactRange:
    """Return the compact range over the first `size` leaves: its root, and where to go on.

    Reads at most 63 nodes. Raises InvalidTreeError for a size that is not 0 to 2^63 - 1.
    Source: RFC 6962, section 2.1.
    """
    _require_size(size)
    return CompactRange(size, tuple(_read_perfect(0, size, read_node)))


def prove_inclusion(index: int, size: int, read_node: ReadNode) -> list[bytes]:
    """Return the audit path of leaf `index`, from 0, in the tree over the first `size` leaves.

    At most 63 hashes of 32 bytes, from the leaf's sibling up to a child of the root.
    Raises InvalidTreeError where the tree has no such leaf.
    Source: RFC 6962, section 2.1.1.
    """
    _require_size(size)
    if not 0 <= index < size:
        raise InvalidTreeError(f"a tree of {size} leaves has no leaf {index}")
    start, end = 0, size
    path = []
    while end - start > 1:
        middle = _split(start, end)
        if index < middle:
            path.append(_hash_range(middle, end, read_node))
            end = middle
        else:
            path.append(_hash_range(start, middle, read_node))
            start = middle
    return path[::-1]


def prove_consistency(old_size: int, new_size: int, read_node: ReadNode) -> list[bytes]:
    """Return the proof that the first `old_size` leaves are the start of the first `new_size`.

    At most 64 hashes of 32 bytes; none for equal sizes, nor from the empty tree, which is
    the start of every tree. Raises InvalidTreeError unless 0 <= old_size <= new_size < 2^63.
    Source: RFC 6962, section 2.1.2.
    """
    _require_size(new_size)
    if not 0 <= old_size <= new_size:
        raise InvalidTreeError("an older tree has at most as many leaves as a newer one")
    if old_size == 0:
        return []
    start, end = 0, new_size
    proof = []
    while end != old_size:
        middle = _split(start, end)
        if old_size <= middle:
            proof.append(_hash_range(middle, end, read_node))
            end = middle
        else:
            proof.append(_hash_range(start, middle, read_node))
            start = middle
    # Where nothing was left behind, this subtree is the old tree, whose root is known (the RFC's
    # SUBPROOF with b = true).
    if start > 0:
        proof.append(_hash_range(start, end, read_node))
    return proof[::-1]


def verify_inclusion(
    proof: Sequence[bytes], *, leaf_hash: bytes, index: int, size: int, root: bytes
) -> bool:
    """Return whether the proof leads from leaf `index`, from 0, to the root over `size` leaves.

    False for whatever is not a proof: a size no tree has, a hash that is not 32 bytes.
    Source: RFC 9162, section 2.1.3.2.
    """
    if not (0 <= index < size <= MAX_SIZE and _are_hashes((leaf_hash, root, *proof))):
        return False
    node, last, found = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = hash_node(sibling, found)
            node, last = _skip_to_right_child(node, last)
        else:
            found = hash_node(found, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(
    proof: Sequence[bytes], *, old_size: int, old_root: bytes, new_size: int, new_root: bytes
) -> bool:
    """Return whether the proof shows that the older tree is the start of the newer one.

    The empty tree is the start of every tree, and a tree is its own start; both need no hashes.
    False for whatever is not a proof: a size no tree has, a hash that is not 32 bytes.
    Source: RFC 9162, section 2.1.4.2; RFC 6962, section 2.1.2.
    """
    if not (0 <= old_size <= new_size <= MAX_SIZE and _are_hashes((old_root, new_root, *proof))):
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    if old_size == 0:
        return not proof and old_root == EMPTY_ROOT
    return _verify_growth(list(proof), old_size, old_root, new_size, new_root)


def _verify_growth(
    path: list[bytes], old_size: int, old_root: bytes, new_size: int, new_root: bytes
) -> bool:
    # The steps of RFC 9162, section 2.1.4.2, for 0 < old_size < new_size.
    if not path:
        return False
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for one in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = hash_node(one, old), hash_node(one, new)
            node, last = _skip_to_right_child(node, last)
        else:
            new = hash_node(new, one)
        node, last = node >> 1, last >> 1
    return last == 0 and old == old_root and new == new_root


def _skip_to_right_child(node: int, last: int) -> tuple[int, int]:
    # A last node without a sibling rises until it is a right child.
    while node and not node & 1:
        node, last = node >> 1, last >> 1
    return node, last


def _split(start: int, end: int) -> int:
    """Return where the leaves from `start` to `end`, two or more, part in RFC 6962's tree."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def _hash_range(start: int, end: int, read_node: ReadNode) -> bytes:
    """Return the hash of a subtree of the RFC's recursion: MTH(D[start:end])."""
    return _join(list(_read_perfect(start, end, read_node)))


def _read_perfect(start: int, end: int, read_node: ReadNode) -> Iterator[bytes]:
    """Yield the perfect subtrees of D[start:end], where start is a multiple of the largest."""
    while start < end:
        level = (end - start).bit_length() - 1
        yield read_node(level, start >> level)
        start += 1 << level


def _join(hashes: Sequence[bytes]) -> bytes:
    """Return the hash over adjoining perfect subtrees, largest first, at least one."""
    return reduce(lambda right, left: hash_node(left, right), reversed(hashes))


def _are_hashes(values: Iterable[bytes]) -> bool:
    return all(len(value) == HASH_BYTES for value in values)


def _require_hashes(values: Iterable[bytes]) -> None:
    if not _are_hashes(values):
        raise InvalidTreeError("a hash has 32 bytes")


def _require_size(size: int) -> None:
    if not 0 <= size <= MAX_SIZE:
        raise InvalidTreeError("a tree has 0 to 2^63 - 1 leaves")
