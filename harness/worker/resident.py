"""The memory of a fork, made as that of a process which loaded the same libraries itself.

Linux leaves a fork's page tables of files empty, so that its resident memory is smaller: 12 of 54 MiB in a worker. The
peak of memory is a figure of ours, so a worker that is forked maps these pages at once. And the fork's heap is its
parent's until it writes there: copying page by page made the loading of a small model a tenth slower. Together these
cost some ms.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path

import numpy as np

Ranges = list[tuple[int, int]]
"""Address and length in bytes of each."""
_MADV_POPULATE_READ, _MADV_POPULATE_WRITE = 22, 23
"""Since Linux 5.14 (madvise(2))."""
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
