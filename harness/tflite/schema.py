"""Import the generated classes of the TFLite schema, from whichever package has them.

`ai_edge_litert.schema_py_generated` and the PyPI package `tflite` are both made by flatc from TensorFlow's
`schema.fbs`: the same class names and accessors. The second serves where only `tflite-runtime` is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import Any

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


def writable_model(data: bytes, purpose: str) -> tuple[ModuleType, Any]:
    """Return the schema's classes and a file as their objects, to be changed and packed again.

    Buffers that lie behind the model, as newer converters write them, are taken into it: packing moves everything.

    Raises:
        MissingExtraError: The package that can write is not installed.
    """
    import numpy as np

    classes = load_writable(purpose)
    model: Any = classes.ModelT.InitFromObj(classes.Model.GetRootAs(bytearray(data), 0))
    for buffer in model.buffers:
        if getattr(buffer, "offset", 0) > 1:
            buffer.data = np.frombuffer(data, np.uint8, count=buffer.size, offset=buffer.offset)
            buffer.offset = buffer.size = 0
    return classes, model


def enum_names(enum: type) -> Mapping[int, str]:
    """Return value → name of a generated enum class; where two names share a value, the first."""
    names: dict[int, str] = {}
    for name, value in vars(enum).items():
        if isinstance(value, int) and not name.startswith("_"):
            names.setdefault(value, name)
    return names
