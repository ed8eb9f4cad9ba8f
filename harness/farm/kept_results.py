"""Keep results on a host, each in a file of its own, until the client says that they are on its disk.

A client that was killed finds here what was finished meanwhile: the same step, asked again, is answered with the kept
result instead of being measured a second time. Only what was measured is kept; a device that was lost is tried again.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from harness import atomic

KEEP_S = 14 * 24 * 3600.0
"""A result that no client asked for within two weeks is dropped."""


class KeptResults:
    """Results in the files of one folder, by run and key."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, run: str, key: str) -> bytes | None:
        """Return a result; None where none was kept."""
        try:
            return self._path(run, key).read_bytes()
        except OSError:
            return None

    def keep(self, run: str, key: str, result: bytes) -> None:
        """Keep a result, whole or not at all."""
        path = self._path(run, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(path) as temporary:
            temporary.write_bytes(result)

    def drop(self, run: str, keys: Iterable[str]) -> None:
        """Drop results that are on the client's disk."""
        for key in keys:
            self._path(run, key).unlink(missing_ok=True)

    def forget(self, run: str) -> None:
        """Drop everything of a run."""
        shutil.rmtree(self._path(run, "").parent, ignore_errors=True)

    def sweep(self) -> None:
        """Drop the results of old runs; called when a worker starts."""
        for folder in self._root.glob("*"):
            if folder.stat().st_mtime < time.time() - KEEP_S:
                shutil.rmtree(folder, ignore_errors=True)

    def _path(self, run: str, key: str) -> Path:
        """Return the file of a result, named by hashes: runs and keys come from outside and may hold `../`."""
        folder, name = (hashlib.sha256(text.encode()).hexdigest()[:32] for text in (run, key))
        return self._root / folder / name
