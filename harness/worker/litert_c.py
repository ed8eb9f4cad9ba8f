"""LiteRT's compiled model through its C interface: the only way to its operator profiler, which Python does not offer.

`libLiteRt.so` lies in the wheel of ai-edge-litert; its functions are those of litert/c/litert_{compiled_model,model,
options,opaque_options,tensor_buffer,profiler}.h, as they are from version 2.3 on (`LiteRtCreateModelFromFile` takes the
environment first). Options go as TOML text: `enable_profiling` under the identifier `runtime_options_string`,
`num_threads` and `kernel_mode` under `xnnpack`.

A wrong guess at the interface crashes the process, so this is used in a process of its own.
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import byref, c_bool, c_char_p, c_int, c_int32, c_size_t, c_uint32, c_void_p
from pathlib import Path
from typing import Any

LIBRARY = "libLiteRt.dylib" if sys.platform == "darwin" else "libLiteRt.so"
CPU = 1
"""LiteRtHwAccelerators: kLiteRtHwAcceleratorCpu."""
_MAX_RANK = 8


class LiteRtError(Exception):
    """A call that LiteRT refused; names the function and its status."""


class _Layout(ctypes.Structure):
    """LiteRtLayout: the rank in seven bits and a flag, dimensions, strides."""

    _fields_ = (
        ("rank", c_uint32),
        ("dimensions", c_int32 * _MAX_RANK),
        ("strides", c_uint32 * _MAX_RANK),
    )


class _TensorType(ctypes.Structure):
    """LiteRtRankedTensorType."""

    _fields_ = (("element", c_int), ("layout", _Layout))


_Deleter = ctypes.CFUNCTYPE(None, c_void_p)
_KEEP = _Deleter(lambda payload: None)
"""Texts of options belong to Python; LiteRT must not free them."""


class ProfiledModel:
    """A model compiled for the CPU, with its profiler.

    Args:
        library: Path of `libLiteRt.so`.
        model: Path of the .tflite.
        options: TOML text for the CPU accelerator.

    Raises:
        LiteRtError: A call was refused.
        OSError: The library cannot be loaded.
        AttributeError: It lacks a function that is needed.
    """

    def __init__(self, library: Path, model: str, options: str) -> None:
        self._library = ctypes.CDLL(str(library))
        self._texts: list[Any] = []
        self._environment = self._create("LiteRtCreateEnvironment", c_int(0), None)
        self._model = self._create("LiteRtCreateModelFromFile", self._environment, model.encode())
        chosen = self._create("LiteRtCreateOptions")
        self._call("LiteRtSetOptionsHardwareAccelerators", chosen, c_int(CPU))
        self._add_options(chosen, "runtime_options_string", "enable_profiling = true\n")
        self._add_options(chosen, "xnnpack", options)
        self._compiled = self._create("LiteRtCreateCompiledModel", self._environment, self._model, chosen)
        self._profiler = self._create("LiteRtCompiledModelGetProfiler", self._compiled)
        if not self._profiler:
            raise LiteRtError("this LiteRT has no profiler in its compiled models")
        self._inputs, self._outputs = self._buffers("Input"), self._buffers("Output")

    def set_input(self, index: int, data: bytes) -> None:
        """Fill an input; `data` is as long as the tensor, or the rest of it stays as it was."""
        size = self._count("LiteRtGetTensorBufferSize", self._inputs[index])
        address = self._create("LiteRtGetTensorBufferHostMemory", c_void_p(self._inputs[index]))
        ctypes.memmove(address, data, min(len(data), size))

    def run(self) -> None:
        """Run one inference."""
        counts = c_size_t(len(self._inputs)), c_size_t(len(self._outputs))
        self._call(
            "LiteRtRunCompiledModel",
            self._compiled,
            c_size_t(0),
            counts[0],
            self._inputs,
            counts[1],
            self._outputs,
        )

    def start(self) -> None:
        """Start to record the operators."""
        self._call("LiteRtStartProfiler", self._profiler)

    def stop(self) -> str:
        """Stop, and return what was recorded as LiteRT words it (`ProfileSummarizer`)."""
        self._call("LiteRtStopProfiler", self._profiler)
        text = c_char_p()
        self._call("LiteRtGetProfileSummary", self._profiler, self._compiled, byref(text))
        return (text.value or b"").decode("utf-8", "replace")

    def _add_options(self, options: c_void_p, identifier: str, text: str) -> None:
        payload = ctypes.create_string_buffer(text.encode())
        self._texts.append(payload)
        further = self._create("LiteRtCreateOpaqueOptions", identifier.encode(), payload, _KEEP)
        self._call("LiteRtAddOpaqueOptions", options, further)

    def _buffers(self, side: str) -> Any:
        """Make a buffer for each tensor of the first signature, in its order."""
        signature = self._create("LiteRtGetModelSignature", self._model, c_size_t(0))
        n = self._count(f"LiteRtGetNumSignature{side}s", signature)
        layouts = self._layouts(side, n)
        return (c_void_p * n)(*[self._buffer(side, signature, index, layouts[index]) for index in range(n)])

    def _layouts(self, side: str, n: int) -> Any:
        """Ask for the shapes once memory is allocated: a detector's outputs have none in the file."""
        found = (_Layout * n)()
        if side == "Output":
            name = "LiteRtGetCompiledModelOutputTensorLayouts"
            self._call(name, self._compiled, c_size_t(0), c_size_t(n), found, c_bool(True))
            return found
        for index in range(n):
            name, place = "LiteRtGetCompiledModelInputTensorLayout", c_size_t(index)
            self._call(name, self._compiled, c_size_t(0), place, byref(found, index * ctypes.sizeof(_Layout)))
        return found

    def _buffer(self, side: str, signature: c_void_p, index: int, layout: _Layout) -> int | None:
        place = c_size_t(index)
        tensor = self._create(f"LiteRtGetSignature{side}TensorByIndex", signature, place)
        kind = _TensorType()
        self._call("LiteRtGetRankedTensorType", tensor, byref(kind))
        kind.layout = layout
        name = f"LiteRtGetCompiledModel{side}BufferRequirements"
        needs = self._create(name, self._compiled, c_size_t(0), place)
        name = "LiteRtCreateManagedTensorBufferFromRequirements"
        return self._create(name, self._environment, byref(kind), needs).value

    def _create(self, name: str, *arguments: Any) -> c_void_p:
        handle = c_void_p()
        self._call(name, *arguments, byref(handle))
        return handle

    def _count(self, name: str, handle: Any) -> int:
        found = c_size_t()
        self._call(name, handle if isinstance(handle, c_void_p) else c_void_p(handle), byref(found))
        return found.value

    def _call(self, name: str, *arguments: Any) -> None:
        function = getattr(self._library, name)
        function.restype = c_int
        status = function(*arguments)
        if status != 0:
            raise LiteRtError(f"{name} gave status {status}")
