"""Bytes in pieces, as they arrive over a network."""


def cut(data, sizes):
    """Cut bytes into pieces of the sizes, over and over."""
    begin, n = 0, 0
    while begin < len(data):
        size = sizes[n % len(sizes)]
        yield data[begin : begin + size]
        begin, n = begin + size, n + 1
