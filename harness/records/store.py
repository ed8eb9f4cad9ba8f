"""A run's folder while it is being written."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from harness import atomic
from harness.errors import OutputError, RunInUseError
from harness.paths import is_folder
from harness.records import records
from harness.records.files import checksum, read_whole
from harness.records.ownership import SCRATCH, Ownership, own
from harness.records.records import OperatorProfile, Record, RunFacts


def now() -> str:
    """The present time as ISO 8601 in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


def new_run(results: Path) -> Ownership:
    """Create the folder of a new run and make it this process's.

    Raises:
        OutputError: The folder cannot be created.
    """
    while True:
        folder = new_run_folder(results)
        try:
            owner = own(folder)
        except RunInUseError:  # another one that starts took the empty folder for a dead run's
            continue
        except OutputError:
            if is_folder(folder):
                raise
            continue
        if is_folder(folder):
            return owner
        owner.release()


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


_TOKEN = secrets.token_hex(4)
"""Tells this process from others of the same number, on other computers too."""


@dataclass(frozen=True)
class RunStore:
    """Writes one run. Every call leaves files that are whole.

    Attributes:
        folder: The run's folder.
        owner: Whose it is. Once that was given up, nothing is written any more; None where nobody else can know of it.
    """

    folder: Path
    owner: Ownership | None = None

    @property
    def run_id(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def scratch(self) -> Path:
        """Where this process's workers leave results before they are taken over; gone when the run ends."""
        return self.folder / f"{SCRATCH}-{os.getpid()}-{_TOKEN}"

    def cell_folder(self, cell: str) -> Path:
        """Folder of one cell."""
        return self.folder / "cells" / cell

    def _file(self, *names: str) -> Path:
        """Return a file that may be written.

        Raises:
            OutputError: The folder was given up: another process may own it now.
        """
        path = self.folder.joinpath(*names)
        if self.owner is not None and not self.owner.held:
            raise OutputError(f"{path}: cannot be written (the run has ended)")
        return path

    def save_run(self, facts: RunFacts) -> None:
        """Write `run.json`."""
        records.save(self._file("run.json"), facts)

    def save_samples(self, cell: str, process: int, data: bytes) -> tuple[str, int]:
        """Write the samples of one process; the record that names the file makes it durable.

        Returns:
            The file's name, and its checksum.
        """
        name = f"process-{process}.npy"
        atomic.write_bytes(self._file("cells", cell, name), data, sync_folder=False)
        return name, checksum(data)

    def save_operators(self, cell: str, profile: OperatorProfile) -> str:
        """Write the times of a cell's operators and return the file's name."""
        path = self._file("cells", cell, "operators.json")
        records.save(path, profile)
        return path.name

    def take_detections(self, cell: str, file: Path) -> tuple[str, int]:
        """Move a worker's detections into the cell's folder.

        Returns:
            The file's name, and its checksum.
        """
        target = self._file("cells", cell, "detections.json")
        with atomic.writing(target):
            crc32 = checksum(read_whole(file))
        atomic.move(file, target)
        return target.name, crc32

    def save_record(self, record: Record) -> None:
        """Write a cell's record, in place of an earlier one."""
        records.save(self._file("cells", record.cell, "record.json"), record)

    def load_record(self, cell: str) -> Record | None:
        """Read a cell's record; None where there is none yet."""
        path = self.cell_folder(cell) / "record.json"
        return records.load(path, Record) if path.exists() else None

    def check(self) -> None:
        """Prove that the run's folder is still there and can be written.

        Raises:
            OutputError: It is gone, is read-only, or there is no room.
        """
        atomic.check_folder(self.folder)

    def make_scratch(self, name: str) -> Path:
        """Create an empty folder for one worker."""
        folder = self.scratch / name
        atomic.remove_folder(folder)
        atomic.make_folder(folder)
        return folder

    def drop_scratch(self) -> None:
        """Remove what workers left behind."""
        atomic.remove_folder(self.scratch)
