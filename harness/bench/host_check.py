"""Tell a failure of this computer from one of a cell: what a run needs must still be there."""

from __future__ import annotations

import os
from pathlib import Path

from harness.bench.plan import Cell
from harness.errors import HostFaultError, UsageError, cannot_read
from harness.paths import is_folder, opened
from harness.records.store import RunStore


def check_host(store: RunStore, cell: Cell) -> None:
    """Look, after something failed, whether it failed because of this computer.

    Raises:
        OutputError: The run's folder is gone, cannot be written, or has no room.
        HostFaultError: The model or the data set, which were there when the run began, cannot be read any more.
    """
    store.check()
    dataset = cell.dataset
    folders = {image.path.parent for image in dataset.images[:1]} if dataset is not None else set[Path]()
    for path in (cell.model.file, *([] if dataset is None else [dataset.annotations]), *folders):
        _check_readable(path)


def _check_readable(path: Path) -> None:
    try:
        if is_folder(path):
            os.scandir(path).close()
        else:
            with opened(path) as file:
                file.read(1)
    except UsageError as error:
        raise HostFaultError(str(error)) from error
    except OSError as error:
        raise HostFaultError(cannot_read(path, error)) from error
