"""Our own worker as one file that a board's Python imports from: a zip with the parts of this package it needs.

The same source gives the same bytes, so a board that has it is not sent it again.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from harness import atomic

PARTS = ("accuracy", "detectors", "records", "statistics", "tflite", "worker")
"""Packages that a worker imports from; the modules of the package itself come with them."""
NAME = "harness-worker.zip"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def make_bundle(folder: Path) -> Path:
    """Write the bundle into a folder, unless it is there, and return its path."""
    path = folder / NAME
    if not path.exists():
        atomic.make_folder(folder)
        with (
            atomic.writing(path),
            atomic.replacing(path) as temporary,
        ):  # several boards of a run may want it at once
            _write(temporary)
    return path


def _write(path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for source in _sources(root):
            member = zipfile.ZipInfo(source.relative_to(root.parent).as_posix(), _EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            bundle.writestr(member, source.read_bytes())


def _sources(root: Path) -> Iterator[Path]:
    yield from sorted(root.glob("*.py"))
    for part in PARTS:
        yield from sorted((root / part).rglob("*.py"))
