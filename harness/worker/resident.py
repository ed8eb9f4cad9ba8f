"""The memory of a fork, made as that of a process which loaded the same libraries itself.

Linux leaves a fork's page tables of files empty, so that its resident memory is smaller: 12 of 54 MiB in a worker. The
peak of memory is a figure of ours, so a worker that is forked maps these pages at once. And the fork's heap is its
parent's until it writes there: copying page by page made the loading of a small model a tenth slower. Together these
cost some ms. What a fork maps lies where the parent has room for it, the same place each time (`fill_holes`).
"""

from __future__ import annotations

import ctypes
import itertools
import mmap
import os
from pathlib import Path

import numpy as np

Ranges = list[tuple[int, int]]
"""Address and length in bytes of each."""
_MADV_POPULATE_READ, _MADV_POPULATE_WRITE = 22, 23
"""Since Linux 5.14 (madvise(2))."""
_NO_RIGHTS, _FIXED_NOREPLACE = 0, 0x100000
"""PROT_NONE, and a flag since Linux 4.17 (mmap(2)), which Python has no names for."""
_WIDEST_HOLE = 1 << 26
"""Between libraries they are smaller; between heap, libraries and stack there is more, and the stack needs its room."""
_PRESENT = np.uint64(1 << 63)
_FILE_PAGE = np.uint64(1 << 61)
"""Bits of an entry of /proc/self/pagemap (Linux, Documentation/admin-guide/mm/pagemap.rst)."""


def resident_file_pages() -> Ranges:
    """Return where pages of files are mapped by this process now.

    Raises:
        OSError: The system does not tell.
    """
    found: Ranges = []
    with Path("/proc/self/pagemap").open("rb", buffering=0) as pagemap:
        for begin, end in _file_mappings():
            pages = (end - begin) // mmap.PAGESIZE
            entries = np.frombuffer(
                os.pread(pagemap.fileno(), 8 * pages, begin // mmap.PAGESIZE * 8), np.uint64
            )
            there = (entries & _PRESENT != 0) & (entries & _FILE_PAGE != 0)
            found += [
                (begin + int(first) * mmap.PAGESIZE, int(last - first) * mmap.PAGESIZE)
                for first, last in _runs(there)
            ]
    return found


def map_pages(ranges: Ranges) -> None:
    """Map pages of files that are in memory anyway.

    Raises:
        OSError: The system cannot, or a range is not mapped.
    """
    for address, length in ranges:
        _advise(address, length, _MADV_POPULATE_READ)


def own_heap() -> None:
    """Have the heap's pages for this process alone, which a fork would copy one by one while a model is loaded.

    Raises:
        OSError: The system cannot.
    """
    for begin, end in (span for span, _, _, name in _mappings() if name == "[heap]"):
        _advise(begin, end - begin, _MADV_POPULATE_WRITE)


def fill_holes() -> None:
    """Reserve the holes between mapped libraries, without memory, so that what is mapped next goes below them all.

    Raises:
        OSError: The system cannot.
    """
    everything = _mappings()
    for (span, _, _, name), (above, _, _, next_name) in itertools.pairwise(everything):
        # the heap grows upwards, the stack downwards
        if name != "[heap]" and next_name != "[stack]" and 0 < above[0] - span[1] <= _WIDEST_HOLE:
            _reserve(span[1], above[0] - span[1])


def _reserve(address: int, length: int) -> None:
    """Map nothing that can be read or written, at this place and no other."""
    call = ctypes.CDLL(None, use_errno=True).mmap
    call.restype = ctypes.c_void_p
    call.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *3 * (ctypes.c_int,), ctypes.c_long)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _FIXED_NOREPLACE
    if call(address, length, _NO_RIGHTS, flags, -1, 0) != address:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _advise(address: int, length: int, advice: int) -> None:
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    if madvise(address, length, advice):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _file_mappings() -> list[tuple[int, int]]:
    """Return begin and end of the readable mappings of files."""
    return [span for span, rights, inode, _ in _mappings() if rights.startswith("r") and inode != "0"]


def _mappings() -> list[tuple[tuple[int, int], str, str, str]]:
    """Return begin and end, rights, inode and name of every mapping (proc(5), /proc/PID/maps)."""
    found = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, rights, _, _, inode, name = (line + " ").split(" ", 5)
        begin, end = (int(part, 16) for part in span.split("-"))
        found.append(((begin, end), rights, inode, name.strip()))
    return found


def _runs(flags: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> list[tuple[np.intp, np.intp]]:
    """Return begin and end of each row of neighbours that are True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return list(zip(edges[::2], edges[1::2], strict=True))
