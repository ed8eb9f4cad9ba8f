"""Keep the models of trials in a temporary folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ScratchFolder:
    """A folder for the models of trials."""

    path: Path

    def write(self, name: str, data: bytes) -> Path:
        """Write a file and return its path."""
        file = self.path / name
        file.write_bytes(data)
        return file


@contextmanager
def scratch_folder() -> Iterator[ScratchFolder]:
    """Yield a new folder, and remove it at the end."""
    with tempfile.TemporaryDirectory(prefix="harness-") as name:
        yield ScratchFolder(Path(name))
