"""Hash trees as the RFC defines them, word for word: what merkle.py and tiles.py must equal."""

import hashlib
from bisect import bisect_left
from functools import cache


def split(count):
    """The largest power of two smaller than `count`. Source: RFC 6962, section 2.1."""
    k = 1
    while k * 2 < count:
        k *= 2
    return k


@cache
def blank(count):
    """The hash over `count` leaves without data."""
    if count == 1:
        return hashlib.sha256(b"\x00").digest()
    k = split(count)
    return hashlib.sha256(b"\x01" + blank(k) + blank(count - k)).digest()


class Tree:
    """A tree of any size, most of whose leaves have no data: only those that do take memory."""

    def __init__(self, leaves):
        self.leaves = {index: hashlib.sha256(b"\x00" + data).digest() for index, data in leaves}
        self.places = sorted(self.leaves)
        self.hashes = {}

    def hash(self, start, end):
        """MTH(D[start:end]). Source: RFC 6962, section 2.1."""
        if start == end:
            return hashlib.sha256(b"").digest()
        found = bisect_left(self.places, start)
        if found == len(self.places) or self.places[found] >= end:
            return blank(end - start)
        if end - start == 1:
            return self.leaves[start]
        if (start, end) not in self.hashes:
            k = start + split(end - start)
            both = self.hash(start, k) + self.hash(k, end)
            self.hashes[start, end] = hashlib.sha256(b"\x01" + both).digest()
        return self.hashes[start, end]

    def path(self, index, start, end):
        """PATH(m, D[n]) for D[start:end]. Source: RFC 6962, section 2.1.1."""
        if end - start == 1:
            return []
        k = start + split(end - start)
        if index < k:
            return [*self.path(index, start, k), self.hash(k, end)]
        return [*self.path(index, k, end), self.hash(start, k)]

    def proof(self, old, new):
        """PROOF(m, D[n]). Source: RFC 6962, section 2.1.2."""
        return self.subproof(old, 0, new, True)

    def subproof(self, old, start, end, known):
        """SUBPROOF(m, D[n], b) for D[start:end], whose first leaves up to `old` are the tree."""
        if old == end:
            return [] if known else [self.hash(start, end)]
        k = start + split(end - start)
        if old <= k:
            return [*self.subproof(old, start, k, known), self.hash(k, end)]
        return [*self.subproof(old, k, end, False), self.hash(start, k)]

    def tile(self, level, index, width):
        """The hashes of a tile. Source: C2SP tlog-tiles, section "Merkle Tree"."""
        span = 256**level
        starts = range(index * 256 * span, (index * 256 + width) * span, span)
        return [self.hash(start, start + span) for start in starts]
