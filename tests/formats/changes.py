"""Changes that nobody may make unnoticed."""


def flip_each_bit(value):
    """Yield the bytes with one bit changed, once for each bit."""
    for bit in range(len(value) * 8):
        changed = bytearray(value)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)
