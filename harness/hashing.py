"""Hashes of files, which need not fit in memory."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from harness.paths import opened

_CHUNK = 1 << 20
_SETTLED_NS = 2_000_000_000
"""A file that was changed more recently may be changed again and look the same."""
_MOST_KNOWN = 10_000
_known: dict[tuple[str, str], tuple[tuple[int, ...], str]] = {}
"""(path, algorithm) → what the system says of the file, and its hash then."""


def hash_file(path: Path, algorithm: str = "sha256") -> str:
    """Return the hash of a file in hexadecimal.

    Args:
        path: The file.
        algorithm: A name that `hashlib` knows; one that is no longer safe compares contents nevertheless.

    Raises:
        OSError: It cannot be read.
    """
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with opened(path) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def known_hash(path: Path, algorithm: str = "sha256") -> str:
    """Return the hash of a file that is asked for again and again: it is read again only where it was changed.

    A file is the same while its device, number, size and both times of change are, the latter lying some time back.

    Raises:
        OSError: It cannot be read.
    """
    before = _stamp(path)
    known = _known.get((str(path), algorithm))
    if known is not None and known[0] == before:
        return known[1]
    found = hash_file(path, algorithm)
    if (
        _stamp(path) == before
        and time.time_ns() - max(before[-2:]) > _SETTLED_NS
        and len(_known) < _MOST_KNOWN
    ):
        _known[str(path), algorithm] = before, found
    return found


def _stamp(path: Path) -> tuple[int, ...]:
    found = os.stat(path)  # noqa: PTH116 - as in harness.paths
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
