"""Cells of a stored run that are damaged, and how a resumed run goes on without them.

What is damaged is kept as it is, under `RUN/damaged`: a record that one bit spoils still tells a person what it said.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from harness import atomic
from harness.errors import RecordError, cannot_read, is_host_fault
from harness.records.records import FORMAT, Record, StoredRecord, load, load_run
from harness.text import clean

FOLDER = "damaged"


@dataclass(frozen=True)
class DamagedCell:
    """A cell that cannot be gone on with.

    Attributes:
        folder: Its folder.
        why: What is damaged.
    """

    folder: Path
    why: str

    @property
    def remark(self) -> str:
        """What becomes of it, for the user."""
        cell = clean(self.folder.name)
        kept = self.folder.parent.parent / FOLDER
        return f"cell {cell}: {self.why}; it is set aside in {kept} and measured again"


def find_damaged(run: Path) -> tuple[DamagedCell, ...]:
    """Return the cells of a run of which a file is not as it was written.

    Raises:
        RecordError: A file cannot be read for a reason that says nothing of it, or a newer version wrote the run.
    """
    if load_run(run).format > FORMAT:
        raise RecordError(f"{run}: a newer version than this one began it; upgrade ondevice-harness")
    known = ((folder, _why_damaged(folder)) for folder in _cells(run))
    return tuple(DamagedCell(folder, why) for folder, why in known if why)


def _cells(run: Path) -> list[Path]:
    cells = run / "cells"
    try:
        with os.scandir(cells) as entries:
            return sorted(Path(entry.path) for entry in entries)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RecordError(cannot_read(cells, error)) from error


def _why_damaged(folder: Path) -> str:
    """Return what is damaged of a cell; nothing where all is well, or nothing was kept yet."""
    path = folder / "record.json"
    try:
        if not os.path.lexists(path):
            return "" if folder.is_dir() else f"{folder}: is no folder"
        stored = StoredRecord(load(path, Record), folder)
        stored.check_files()
        stored.samples()
    except RecordError as error:
        if error.__cause__ is not None and is_host_fault(error.__cause__):
            raise
        return str(error)
    return ""


def set_aside(cell: DamagedCell) -> Path:
    """Move a damaged cell out of the way, and return where it is.

    Raises:
        OutputError: It cannot be moved.
    """
    kept = cell.folder.parent.parent / FOLDER
    atomic.make_folder(kept)
    target, number = kept / cell.folder.name, 1
    while os.path.lexists(target):
        number += 1
        target = kept / f"{cell.folder.name}-{number}"
    atomic.rename(cell.folder, target)
    return target
