"""A model that Qualcomm's compiler made for a chip, run on the HTP backend for x86, behind the calls of an interpreter.

Its partitions run on the emulator, the operators between them on this computer's CPU with XNNPACK.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.delegates import CPU, NPU
from harness.npu.context_model import End
from harness.npu.cpu_parts import CpuPart, part_file, steps
from harness.npu.htp import HtpSession, control
from harness.runtime import Runtime, make_interpreter
from harness.tflite import reader
from harness.tflite.compiled import Partition
from harness.tflite.graph import Graph
from harness.worker.jobs import SOC, Job
from harness.worker.results import Execution

Array = npt.NDArray[np.generic]


class EmulatedInterpreter:
    """A compiled model with those calls of a TFLite interpreter that an accuracy run takes.

    Args:
        runtime: LiteRT, for what the NPU leaves.
        model: The file from before the compiler, which describes inputs and outputs.
        compiled: The compiled file.

    Raises:
        NotEmulatedError: The backend refuses a partition.
        ModelError: The compiled file is damaged.
    """

    def __init__(self, runtime: Runtime, model: str, compiled: str) -> None:
        self._described = make_interpreter(runtime, model, CPU, 1)
        path = Path(compiled)
        data = reader.read_bytes(path)
        with reader.malformed(path):
            self._graph = reader.read_graph(data, path)
            self._steps = list(_steps(runtime, self._graph, data))
        self._inputs = _pairs(self._described.get_input_details(), self._graph.primary.inputs)
        self._outputs = _pairs(self._described.get_output_details(), self._graph.primary.outputs)
        self._values: dict[int, Array] = {}

    def get_input_details(self) -> list[dict[str, Any]]:
        """Describe the inputs as an interpreter does."""
        return list(self._described.get_input_details())

    def get_output_details(self) -> list[dict[str, Any]]:
        """Describe the outputs as an interpreter does."""
        return list(self._described.get_output_details())

    def _get_ops_details(self) -> list[dict[str, Any]]:
        """List the nodes of the model from before the compiler, as an interpreter does under this name."""
        return list(self._described._get_ops_details())

    def set_tensor(self, index: int, value: Array) -> None:
        """Set an input; as an interpreter does, type and shape are held against the model's."""
        self._described.set_tensor(index, value)
        self._values[self._inputs[index]] = value

    def invoke(self) -> None:
        """Run partitions and CPU parts one after the other."""
        for step in self._steps:
            self._values.update(step.run(self._values))

    def get_tensor(self, index: int) -> Array:
        """Return an output of the last inference, or an input as it was set."""
        place = self._outputs.get(index)
        return self._values[self._inputs[index] if place is None else place]


def _pairs(details: list[dict[str, Any]], tensors: tuple[int, ...]) -> dict[int, int]:
    """Return the tensor of the compiled file for each index of the model's: the compiler keeps their order."""
    return {int(detail["index"]): index for detail, index in zip(details, tensors, strict=True)}


class _OnNpu:
    """A partition on the emulator."""

    def __init__(self, graph: Graph, part: Partition, data: bytes) -> None:
        self.part = part
        self._shapes = [graph.primary.tensors[index].shape for index in part.outputs]
        self._session = HtpSession(*_described(graph, part, data))

    def run(self, values: dict[int, Array]) -> Iterator[tuple[int, Array]]:
        found = self._session.run([values[index] for index in self.part.inputs])
        for index, value, shape in zip(self.part.outputs, found, self._shapes, strict=True):
            yield index, value.reshape(shape)


class _OnCpu:
    """Operators between partitions."""

    def __init__(self, runtime: Runtime, part: CpuPart, data: bytes) -> None:
        self.part = part
        self._interpreter = runtime.module.Interpreter(model_content=part_file(data, part), num_threads=1)
        self._interpreter.allocate_tensors()
        self._begins = [int(detail["index"]) for detail in self._interpreter.get_input_details()]
        self._ends = [int(detail["index"]) for detail in self._interpreter.get_output_details()]

    def run(self, values: dict[int, Array]) -> Iterator[tuple[int, Array]]:
        for begin, index in zip(self._begins, self.part.inputs, strict=True):
            self._interpreter.set_tensor(begin, values[index])
        self._interpreter.invoke()
        for end, index in zip(self._ends, self.part.outputs, strict=True):
            yield index, self._interpreter.get_tensor(end)


def _steps(runtime: Runtime, graph: Graph, data: bytes) -> Iterator[_OnNpu | _OnCpu]:
    for step in steps(graph):
        yield _OnNpu(graph, step, data) if isinstance(step, Partition) else _OnCpu(runtime, step, data)


def _described(graph: Graph, part: Partition, data: bytes) -> tuple[str, bytes, list[End], list[End]]:
    binary = data[part.offset : part.offset + part.size]
    tensors = graph.primary.tensors
    begins, ends = (
        [End(tensors[index].name, tensors[index].dtype, tensors[index].shape) for index in side]
        for side in (part.inputs, part.outputs)
    )
    return part.name, binary, begins, ends


def prove(compiled: str) -> str:
    """Show that a compiled file is run by the HTP backend alone: without it, it is refused.

    Raises:
        NotEmulatedError: It is not.
    """
    path = Path(compiled)
    data = reader.read_bytes(path)
    graph = reader.read_graph(data, path)
    first = next(step for step in steps(graph) if isinstance(step, Partition))
    return control(*_described(graph, first, data))


def describe(job: Job) -> Execution:
    """Say what ran; how much of the model that was, the parent knows from the compiler."""
    return Execution(
        NPU,
        evidence=(
            f"the compiled partitions ran on Qualcomm's HTP backend for x86, for {job.delegate_options[SOC]}, with "
            "ONNX Runtime's own CPU fallback disabled; without that backend they are refused",
        ),
    )
