"""Replace parts of a model's primary subgraph, for all edits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.edit.flatbuffer import (
    OPERATOR_CODE,
    SUBGRAPH,
    TENSOR,
    ZIP_ERRORS,
    ModelWriter,
    damaged_archive,
    join_archive,
    split_archive,
)
from harness.errors import ModelError
from harness.tflite import reader
from harness.tflite.graph import POSTPROCESS, Graph, Operator, Subgraph

VERSIONS = {"DEQUANTIZE": 2}
"""Versions of added builtin operators other than 1: DEQUANTIZE takes int8 since its second."""


@dataclass(frozen=True)
class NewTensor:
    """A tensor to add; `values` make it a constant."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    values: npt.NDArray[np.generic] | None = None


@dataclass(frozen=True)
class NewOperator:
    """An operator to add at the end of the execution order; tensor indices count added tensors behind the old ones."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: bytes = b""


@dataclass(frozen=True)
class Plan:
    """Changes to the primary subgraph.

    Attributes:
        without: Places of the operators to remove.
        tensors: Tensors to add.
        operators: Operators to add behind the others.
        shapes: Tensor index → its new shape.
        outputs: Name → tensor of the model's outputs, in order; None leaves them and the signatures.
    """

    without: frozenset[int] = frozenset()
    tensors: Sequence[NewTensor] = ()
    operators: Sequence[NewOperator] = ()
    shapes: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    outputs: Mapping[str, int] | None = None


def apply(data: bytes, plan: Plan, path: Path) -> bytes:
    """Carry out a plan; everything else stays byte-identical.

    Raises:
        ModelError: The file is not a valid model, or uses features that an edit cannot keep.
    """
    with reader.malformed(path):
        try:
            flatbuffer, members = split_archive(data)
        except ZIP_ERRORS as error:
            raise damaged_archive(path, error) from error
        _refuse_external(flatbuffer, path)
        result = join_archive(_PlanWriter(ModelWriter(flatbuffer, path), plan).result(), members)
    reader.read_graph(result, path)
    return result


def _refuse_external(flatbuffer: bytes, path: Path) -> None:
    """Refuse data behind the flatbuffer: it is found by its place in the file, which an edit moves."""
    from harness.tflite import schema

    model = schema.load().Model.GetRootAs(flatbuffer, 0)
    for index in range(model.BuffersLength()):
        buffer = model.Buffers(index)
        if hasattr(buffer, "Offset") and buffer.Offset() > 1:
            raise ModelError(
                f"{path}: its buffers lie behind the flatbuffer (a model above 2 GB): not editable"
            )


def primary_postprocess(graph: Graph, path: Path) -> tuple[int, Operator]:
    """Return the place and the operator `TFLite_Detection_PostProcess` of the primary subgraph.

    Raises:
        ModelError: There is none, or more than one.
    """
    found = [(k, o) for k, o in enumerate(graph.primary.operators) if o.custom and o.name == POSTPROCESS]
    if len(found) != 1:
        raise ModelError(f"{path}: found {len(found)} operators {POSTPROCESS}, expected 1: nothing to edit")
    place, operator = found[0]
    if len(operator.inputs) != 3 or len(operator.outputs) != 4 or min(operator.inputs) < 0:
        sizes = f"{len(operator.inputs)} inputs and {len(operator.outputs)} outputs"
        raise ModelError(f"{path}: {POSTPROCESS} has {sizes}, expected 3 and 4: the file is damaged")
    return place, operator


def downstream(subgraph: Subgraph, start: int) -> frozenset[int]:
    """Return an operator's place and those of all operators that depend on it."""
    needed, places = set(subgraph.operators[start].outputs), {start}
    for place in range(start + 1, len(subgraph.operators)):
        operator = subgraph.operators[place]
        if needed.intersection(operator.inputs):
            places.add(place)
            needed.update(operator.outputs)
    return frozenset(places)


class _PlanWriter:
    """Writer of one plan."""

    def __init__(self, writer: ModelWriter, plan: Plan) -> None:
        self.writer, self.plan = writer, plan
        self.subgraph = writer.model.Subgraphs(0)
        self.model_changes: dict[int, int] = {}

    def result(self) -> bytes:
        changes = {}
        if self.plan.tensors or self.plan.shapes:
            changes[0] = self.tensors()
        if self.plan.outputs is not None:
            changes[2] = self.writer.integers(self.plan.outputs.values())
            self.model_changes[7] = self.writer.signatures(self.plan.outputs)
        if self.plan.without or self.plan.operators:
            changes[3] = self.operators()
        primary = self.writer.rewrite(self.subgraph, SUBGRAPH, changes)
        return self.writer.finish(primary, self.model_changes)

    def tensors(self) -> int:
        writer, old = self.writer, self.subgraph
        references = [
            self.reshaped(old.Tensors(k), self.plan.shapes[k])
            if k in self.plan.shapes
            else writer.reference(old.Tensors(k))
            for k in range(old.TensorsLength())
        ]
        buffers = [writer.reference(writer.model.Buffers(k)) for k in range(writer.model.BuffersLength())]
        n_buffers = len(buffers)
        for new in self.plan.tensors:
            place = 0
            if new.values is not None:
                place = len(buffers)
                buffers.append(writer.constant(new.values))
            references.append(writer.tensor(new.name, new.shape, new.dtype, place))
        if len(buffers) > n_buffers:
            self.model_changes[4] = writer.tables(buffers)
        return writer.tables(references)

    def reshaped(self, tensor: object, shape: tuple[int, ...]) -> int:
        vector = self.writer.integers(shape)
        has_signature = bool(self.writer.child(tensor, 7))
        return self.writer.rewrite(tensor, TENSOR, {0: vector, **({7: vector} if has_signature else {})})

    def operators(self) -> int:
        writer, old = self.writer, self.subgraph
        references = [
            writer.reference(old.Operators(k))
            for k in range(old.OperatorsLength())
            if k not in self.plan.without
        ]
        codes = self.codes()
        for new in self.plan.operators:
            references.append(writer.operator(codes[new.name], new.inputs, new.outputs, new.options))
        return writer.tables(references)

    def codes(self) -> dict[str, int]:
        """Return the operator codes of the added operators, and write the missing ones."""
        writer = self.writer
        builtins = {v: k for k, v in writer.classes.BuiltinOperator.__dict__.items() if isinstance(v, int)}
        old = [writer.model.OperatorCodes(k) for k in range(writer.model.OperatorCodesLength())]
        found: dict[str, int] = {}
        for index, code in enumerate(old):
            value = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
            custom = (code.CustomCode() or b"").decode("utf-8", "replace")
            found.setdefault(custom if builtins.get(value) == "CUSTOM" else builtins.get(value, ""), index)
        references = [writer.reference(code) for code in old]
        for name in dict.fromkeys(new.name for new in self.plan.operators):
            if name not in found:
                found[name] = len(references)
                references.append(self.code(name))
        if len(references) > len(old):
            self.model_changes[1] = writer.tables(references)
        return found

    def code(self, name: str) -> int:
        value = getattr(self.writer.classes.BuiltinOperator, name, None)
        number = self.writer.classes.BuiltinOperator.CUSTOM if value is None else value
        custom = self.writer.text(name) if value is None else 0
        fields = {0: min(number, 127), 1: custom, 2: VERSIONS.get(name, 1), 3: number}
        return self.writer.table(OPERATOR_CODE, fields)
