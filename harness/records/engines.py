"""What measured a cell, told from what its parts say of their runtime."""

from __future__ import annotations

from harness.profiles import EMULATORS
from harness.records.records import Record
from harness.vocabulary import EngineName

NATIVE_WORKER_RUNTIME = "native worker"
"""The runtime of what our worker in C measured begins so; `place.runtime` writes it."""
_BEGINNINGS = {
    NATIVE_WORKER_RUNTIME: EngineName.NATIVE_WORKER,
    "benchmark_model": EngineName.BENCHMARK_MODEL,
    "eval_coco_object_detection": EngineName.EVAL_TOOL,
}


def engine_of(record: Record) -> EngineName | None:
    """Return what measured a cell; None where nothing did.

    Records do not hold it apart: the runtime names each tool by its own name, and our worker in Python by LiteRT's.
    """
    if not record.runtime:
        return None
    if record.device.kind in EMULATORS:
        return EngineName.EMULATOR
    found = (name for begin, name in _BEGINNINGS.items() if record.runtime.startswith(begin))
    return next(found, EngineName.PYTHON_WORKER)
