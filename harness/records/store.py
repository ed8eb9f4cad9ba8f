"""A run's folder while it is being written."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from harness import atomic
from harness.errors import OutputError, cannot_write
from harness.records import records
from harness.records.records import OperatorProfile, Record, RunFacts


def now() -> str:
    """The present time as ISO 8601 in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


def new_run_folder(results: Path) -> Path:
    """Create the folder of a new run.

    Creating a folder is atomic, so two runs that start at once in one results folder never share a name.

    Raises:
        OutputError: The folder cannot be created.
    """
    while True:
        stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
        folder = results / f"{stamp}-{secrets.token_hex(2)}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise OutputError(
                f"{results}: a run cannot be stored there ({error.strerror or error}); choose another folder "
                "with --output"
            ) from error
        return folder


@dataclass(frozen=True)
class RunStore:
    """Writes one run. Every call leaves files that are whole."""

    folder: Path

    @property
    def run_id(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def scratch(self) -> Path:
        """Where workers leave results before they are taken over; gone when the run ends."""
        return self.folder / ".scratch"

    def cell_folder(self, cell: str) -> Path:
        """Folder of one cell."""
        return self.folder / "cells" / cell

    def save_run(self, facts: RunFacts) -> None:
        """Write `run.json`."""
        records.save(self.folder / "run.json", facts)

    def save_samples(self, cell: str, process: int, data: bytes) -> str:
        """Write the samples of one process and return the file's name; the record that names it makes it durable."""
        name = f"process-{process}.npy"
        atomic.write_bytes(self.cell_folder(cell) / name, data, sync_folder=False)
        return name

    def save_operators(self, cell: str, profile: OperatorProfile) -> str:
        """Write the times of a cell's operators and return the file's name."""
        path = self.cell_folder(cell) / "operators.json"
        records.save(path, profile)
        return path.name

    def take_detections(self, cell: str, file: Path) -> str:
        """Move a worker's detections into the cell's folder and return the file's name."""
        target = self.cell_folder(cell) / "detections.json"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)
        except OSError as error:
            raise OutputError(cannot_write(target, error)) from error
        return target.name

    def save_record(self, record: Record) -> None:
        """Write a cell's record, in place of an earlier one."""
        records.save(self.cell_folder(record.cell) / "record.json", record)

    def load_record(self, cell: str) -> Record | None:
        """Read a cell's record; None where there is none yet."""
        path = self.cell_folder(cell) / "record.json"
        return records.load(path, Record) if path.exists() else None

    def make_scratch(self, name: str) -> Path:
        """Create an empty folder for one worker."""
        folder = self.scratch / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def drop_scratch(self) -> None:
        """Remove what workers left behind."""
        shutil.rmtree(self.scratch, ignore_errors=True)
