"""A model that LiteRT compiled for an accelerator of this computer, behind the calls of an interpreter.

What an accelerator took stands on standard error alone, which the parent reads. `is_fully_accelerated()` proves
nothing: it is True for a model that runs on the CPU only.

`run_by_index` of 2.3.0 returns before a GPU is done wherever an output stays in the GPU's memory (a YOLO: 1 ms of
9.7 s), so an inference ends here when its outputs can be read, and begins when its inputs are handed over: from host
memory to host memory, as TFLite's own delegates are timed by benchmark_model.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.delegates import CPU_REFERENCE
from harness.runtime import Runtime, load_model

Array = npt.NDArray[np.generic]

COMPILED = "ondevice-harness: the model is compiled"
"""Written to standard error behind the compiler's words; what other models make LiteRT say comes after it."""
TYPES = ("float32", "float16", "int32", "int8", "uint8", "bool")
"""What LiteRT's buffers can be filled with and read as (`TensorBuffer._DTYPE_STRINGS` of 2.3.0)."""


class CompileError(Exception):
    """A model that cannot be run on an accelerator of this computer; the message says why."""


class CompiledInterpreter:
    """A compiled model with those calls of a TFLite interpreter that measuring takes.

    Args:
        runtime: LiteRT.
        file: Path of the .tflite.
        model: What LiteRT made of it.

    Raises:
        CompileError: A tensor's type cannot be handed over.
    """

    def __init__(self, runtime: Runtime, file: str, model: Any) -> None:
        self._runtime, self._file, self._model = runtime, file, model
        os.write(2, f"{COMPILED}\n".encode())
        (signature, *_) = self._model.get_signature_list()
        # Before any buffer is made: 2.3.0 sizes those of TFLite_Detection_PostProcess wrongly until it is asked this.
        self._ends = list(self._model.get_output_tensor_details(signature).values())
        self._begins = list(self._model.get_input_tensor_details(signature).values())
        for detail in (*self._begins, *self._ends):
            _check_type(detail)
        self._given: dict[int, Array] = {}
        self._fresh: set[int] = set()
        self._found: list[Array] = []
        self._inputs, self._outputs = (
            self._model.create_input_buffers(0),
            self._model.create_output_buffers(0),
        )
        self._sizes = [(int(np.prod(end["shape"])), np.dtype(end["dtype"])) for end in self._ends]

    @cached_property
    def _graph(self) -> Any:
        """An interpreter without memory, which knows the graph."""
        return load_model(self._runtime, self._file, CPU_REFERENCE, 1)

    def get_input_details(self) -> list[dict[str, Any]]:
        """Describe the inputs as an interpreter does."""
        return _matched(self._graph.get_input_details(), self._begins)

    def get_output_details(self) -> list[dict[str, Any]]:
        """Describe the outputs as an interpreter does, with the sizes that LiteRT gives them."""
        return _matched(self._graph.get_output_details(), self._ends)

    def _get_ops_details(self) -> list[dict[str, Any]]:
        """List the nodes of the graph, as an interpreter does under this name."""
        return list(self._graph._get_ops_details())

    def set_tensor(self, index: int, value: Array) -> None:
        """Set an input. LiteRT copies the bytes of any type, so type and shape are held against the model's first.

        Raises:
            ValueError: They do not fit.
        """
        place = self._place(self._begins, index)
        want = self._begins[place]
        if value.dtype.name != want["dtype"] or list(value.shape) != list(want["shape"]):
            raise ValueError(
                f"input {want['name']!r}: found {value.dtype.name} {list(value.shape)}, expected {want['dtype']} "
                f"{list(want['shape'])}"
            )
        self._given[place] = value
        self._fresh.add(place)

    def invoke(self) -> None:
        """Hand new inputs over, run, and wait until the outputs are in host memory."""
        for place in self._fresh:
            self._inputs[place].write(self._given[place])
        self._fresh.clear()
        self._model.run_by_index(0, self._inputs, self._outputs)
        self._found = [
            buffer.read(size, dtype) for buffer, (size, dtype) in zip(self._outputs, self._sizes, strict=True)
        ]

    def get_tensor(self, index: int) -> Array:
        """Return an output of the last inference, or an input as it was set."""
        if any(end["index"] == index for end in self._ends):
            place = self._place(self._ends, index)
            return self._found[place].reshape(self._ends[place]["shape"])
        return self._given[self._place(self._begins, index)]

    @staticmethod
    def _place(details: list[dict[str, Any]], index: int) -> int:
        for place, detail in enumerate(details):
            if detail["index"] == index:
                return place
        raise ValueError(f"no input or output has the index {index}")


def _check_type(detail: dict[str, Any]) -> None:
    if detail["dtype"] not in TYPES:
        raise CompileError(
            f"tensor {detail['name']!r} is {detail['dtype']}, and LiteRT's buffers take {', '.join(TYPES)} only"
        )


def _matched(details: list[dict[str, Any]], compiled: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the interpreter's details the compiled model's sizes, in the order of the interpreter."""
    sizes = {(detail["name"], detail["index"]): detail["shape"] for detail in compiled}
    if any((detail["name"], detail["index"]) not in sizes for detail in details):
        raise CompileError(
            "the compiled model has other inputs or outputs than the interpreter: another signature"
        )
    return [
        {**detail, "shape": np.array(sizes[detail["name"], detail["index"]], np.int32)} for detail in details
    ]
