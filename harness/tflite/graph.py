"""A .tflite file as frozen Python values: `reader` makes them, all other modules use them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

POSTPROCESS = "TFLite_Detection_PostProcess"
EDGETPU = "edgetpu-custom-op"


@dataclass(frozen=True)
class Quantization:
    """Affine quantization of a tensor: real = scale × (q − zero point).

    Attributes:
        scales: One, or one a channel.
        zero_points: As many as scales.
        axis: The channel dimension; meaningful with several scales only.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0


@dataclass(frozen=True)
class Tensor:
    """One tensor of a subgraph.

    Attributes:
        index: Its place in the subgraph's list.
        name: Its name in the file; can be empty.
        shape: The shape that the interpreter allocates; empty also where the file does not state it.
        signature: The shape with -1 for dynamic dimensions; equal to `shape` where the file has none.
        dtype: NumPy name, or `int4`, `string`, …; `type-N` for a type that the schema classes do not know.
        quantization: None when the file states no scale.
        buffer: Index of its data in the file.
        constant: Whether the file holds its values.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    dtype: str
    quantization: Quantization | None
    buffer: int
    constant: bool

    @property
    def n_elements(self) -> int:
        """Product of the shape; 0 when a dimension is negative."""
        product = 1
        for size in self.shape:
            product *= max(size, 0)
        return product


@dataclass(frozen=True)
class Operator:
    """One node.

    Attributes:
        name: Name of the builtin operator (`CONV_2D`), or a custom operator's own name.
        custom: Whether it is a custom operator.
        inputs: Tensor indices; -1 for an optional input that is absent.
        outputs: Tensor indices.
        options: The bytes of a custom operator's options; empty for a builtin one.
    """

    name: str
    custom: bool
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: bytes = b""


@dataclass(frozen=True)
class Subgraph:
    """One subgraph; an interpreter runs the first, others are control flow or signatures."""

    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def producers(self) -> Mapping[int, Operator]:
        """Return tensor index → the operator that writes it."""
        return {index: operator for operator in self.operators for index in operator.outputs}

    def consumers(self, index: int) -> list[Operator]:
        """Return the operators that read a tensor, in execution order."""
        return [operator for operator in self.operators if index in operator.inputs]


@dataclass(frozen=True)
class Graph:
    """The whole file.

    Attributes:
        version: Schema version, 3 for every TFLite file in use.
        description: Free text of the converter.
        subgraphs: At least one.
        metadata: Metadata name → its bytes.
        buffers: Buffer index → the bytes of the buffers in use; views into the file.
    """

    version: int
    description: str
    subgraphs: tuple[Subgraph, ...]
    metadata: Mapping[str, bytes]
    buffers: Mapping[int, memoryview] = field(repr=False)

    @property
    def primary(self) -> Subgraph:
        """The subgraph that an interpreter runs."""
        return self.subgraphs[0]

    def operators(self) -> Iterator[tuple[Subgraph, Operator]]:
        """Yield every operator of every subgraph."""
        for subgraph in self.subgraphs:
            for operator in subgraph.operators:
                yield subgraph, operator

    def data(self, tensor: Tensor) -> memoryview:
        """Return a constant tensor's bytes; empty for others."""
        return self.buffers.get(tensor.buffer, memoryview(b""))
