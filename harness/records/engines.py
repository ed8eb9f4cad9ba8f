"""What measured a cell, told from what its parts say of their runtime."""

from __future__ import annotations

from functools import lru_cache

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
    return _engine_of(record.runtime, record.device.kind) if record.runtime else None


@lru_cache(maxsize=256)
def _engine_of(runtime: str, kind: str) -> EngineName:
    if kind in EMULATORS:
        return EngineName.EMULATOR
    found = (name for begin, name in _BEGINNINGS.items() if runtime.startswith(begin))
    return next(found, EngineName.PYTHON_WORKER)
