"""Hashes of files, which need not fit in memory."""

from __future__ import annotations

import hashlib
from pathlib import Path

from harness.paths import opened

_CHUNK = 1 << 20


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
