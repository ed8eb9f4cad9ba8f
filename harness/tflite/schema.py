"""Import the generated classes of the TFLite schema, from whichever package has them.

`ai_edge_litert.schema_py_generated` and the PyPI package `tflite` are both made by flatc from TensorFlow's
`schema.fbs`: the same class names and accessors. The second serves where only `tflite-runtime` is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from types import ModuleType

from harness.errors import MissingExtraError

BACKENDS = ("ai_edge_litert.schema_py_generated", "tflite")


@lru_cache(maxsize=1)
def load() -> ModuleType:
    """Import the schema classes; late, because it takes tenths of a second.

    Raises:
        MissingExtraError: Neither package is installed.
    """
    for name in BACKENDS:
        try:
            return import_module(name)
        except ImportError:
            continue
    raise MissingExtraError("reading .tflite files (package `ai-edge-litert`, or `tflite`)", "tflite-runtime")


def load_writable(purpose: str) -> ModuleType:
    """Import the schema classes with those that write; the package `tflite` can only read.

    Args:
        purpose: The purpose, for the error.

    Raises:
        MissingExtraError: The package that can write is not installed.
    """
    classes = load()
    if not hasattr(classes, "ModelT"):
        raise MissingExtraError(f"{purpose} (package `ai-edge-litert`)", "test")
    return classes


def enum_names(enum: type) -> Mapping[int, str]:
    """Return value → name of a generated enum class; where two names share a value, the first."""
    names: dict[int, str] = {}
    for name, value in vars(enum).items():
        if isinstance(value, int) and not name.startswith("_"):
            names.setdefault(value, name)
    return names
