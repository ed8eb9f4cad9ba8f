"""The times of models that were tried on this computer, kept so that the next look at a plan need not try them again.

They lie in the user's cache folder and are used for estimates alone, never for a figure. A time is used only for the
same model file on the same kernels of the same runtime's libraries on the same computer and processor; delegates with
libraries of their own are tried each time. Whatever goes wrong with the cache, the model is tried.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import msgspec

from harness import atomic
from harness.bench.plan import Cell
from harness.cards import cache_folder
from harness.delegates import available_cores
from harness.drivers.local import processor_name
from harness.errors import HarnessError
from harness.paths import found_in, status
from harness.runtime import RUNTIMES

Library = tuple[str, int, int]
"""Name, size and time of change in ns of a library of the runtime."""
COMPILED = frozenset({".so", ".pyd", ".dylib", ".dll"})


class _Entry(msgspec.Struct, frozen=True):
    seconds: float


def kept_seconds(cell: Cell) -> float | None:
    """Return the seconds of an inference of a cell that was tried before on this computer."""
    try:
        seconds = msgspec.json.decode(_file(cell).read_bytes(), type=_Entry).seconds
    except (HarnessError, OSError, msgspec.MsgspecError):
        return None
    return seconds if cell.delegate.is_cpu and seconds > 0 else None


def keep_seconds(cell: Cell, seconds: float) -> None:
    """Keep what a try gave, if the folder can be written."""
    if not cell.delegate.is_cpu:
        return
    with contextlib.suppress(HarnessError, OSError):
        file = _file(cell)
        atomic.make_folder(file.parent)
        atomic.write_bytes(file, msgspec.json.encode(_Entry(seconds)))


def _file(cell: Cell) -> Path:
    key = [cell.facts.sha256, cell.device, str(cell.delegate), _computer(), libraries()]
    return cache_folder() / "tries" / f"{hashlib.sha256(msgspec.json.encode(key)).hexdigest()}.json"


@cache
def _computer() -> tuple[str, ...]:
    return platform.node(), platform.machine(), processor_name() or "", str(available_cores())


@cache
def libraries() -> tuple[Library, ...]:
    """Return the compiled parts of the runtimes that are installed; their names hold no version."""
    packages = (find_spec(module.partition(".")[0]) for _, module in RUNTIMES)
    folders = [place for spec in packages if spec for place in spec.submodule_search_locations or ()]
    files = [file for folder in folders for file in found_in(folder) if file.suffix in COMPILED]
    known = [(str(file), status(file)) for file in files]
    return tuple((name, found.st_size, found.st_mtime_ns) for name, found in known if found is not None)
