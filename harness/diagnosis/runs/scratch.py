"""A folder for the models that counterfactuals are tried with; it goes when the examination ends."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ScratchFolder:
    """Where trial models are written."""

    path: Path

    def write(self, name: str, data: bytes) -> Path:
        """Write a file and return its path."""
        file = self.path / name
        file.write_bytes(data)
        return file


@contextmanager
def scratch_folder() -> Iterator[ScratchFolder]:
    """Make a folder of one's own."""
    with tempfile.TemporaryDirectory(prefix="harness-") as name:
        yield ScratchFolder(Path(name))
