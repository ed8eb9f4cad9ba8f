"""Compute the cost of operators: multiply-accumulates, parameters and bytes, from shapes alone.

A multiply-accumulate (MAC) is one multiplication and one addition of a convolution or matrix product, as in
Howard et al. 2017 (MobileNets, arXiv:1704.04861, §3.1): a standard convolution costs K·K·M·N·F·F for kernel K,
M input and N output channels and output side F; a depthwise one K·K·M·F·F. Additions of biases, activations,
pooling and element-wise operators are not counted, as is usual; published «mult-adds» are these numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod

from harness.tflite.graph import POSTPROCESS, Tensor
from harness.tflite.nodes import Node

BITS = {
    "float64": 64,
    "int64": 64,
    "uint64": 64,
    "float32": 32,
    "int32": 32,
    "uint32": 32,
    "float16": 16,
    "bfloat16": 16,
    "int16": 16,
    "uint16": 16,
    "int8": 8,
    "uint8": 8,
    "bool": 8,
    "int4": 4,
    "uint4": 4,
    "int2": 2,
}
"""Bits an element, by the schema's type; types without a fixed size are left out."""
CONTROL = frozenset({"CALL", "IF", "WHILE"})
"""Operators that run other subgraphs, an unknown number of times; custom operators are as unknown."""


@dataclass(frozen=True)
class Cost:
    """The cost of one operator, or of several together.

    Attributes:
        macs: Multiply-accumulates an inference; None when a shape is not known.
        parameters: Elements of its constant weights (float or quantized); shared ones count at first use.
        weight_bytes: Size of those constants in the file.
        activation_bytes: Size of the tensors it reads and writes; None when a shape is not known.
    """

    macs: int | None = 0
    parameters: int = 0
    weight_bytes: int = 0
    activation_bytes: int | None = 0

    def __add__(self, other: Cost) -> Cost:
        """Add two costs; a number that is unknown in one is unknown in the sum."""
        return Cost(
            _sum(self.macs, other.macs),
            self.parameters + other.parameters,
            self.weight_bytes + other.weight_bytes,
            _sum(self.activation_bytes, other.activation_bytes),
        )


def _sum(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b


def costs(nodes: Iterable[Node]) -> list[Cost]:
    """Return the cost of each operator, in order; a constant's elements count for the first that reads it."""
    seen: set[int] = set()
    found = []
    for node in nodes:
        weights = {t.buffer: t for t in _weights(node) if t.buffer not in seen}
        seen |= weights.keys()
        found.append(
            Cost(
                macs=macs(node),
                parameters=sum(tensor.n_elements for tensor in weights.values()),
                weight_bytes=sum(len(node.graph.data(tensor)) for tensor in weights.values()),
                activation_bytes=activation_bytes(node),
            )
        )
    return found


def total(parts: Iterable[Cost]) -> Cost:
    """Add up costs."""
    return sum(parts, Cost())


def _weights(node: Node) -> list[Tensor]:
    """Return the float or quantized constants of a layer; none for an operator that only unpacks."""
    if node.unpacks:
        return []
    stored = (node.stored(position) for position in range(len(node.inputs)))
    return [t for t in stored if t is not None and (t.quantization is not None or "float" in t.dtype)]


def activation_bytes(node: Node) -> int | None:
    """Return the bytes of the tensors that are computed: read once, written once."""
    if node.unpacks:
        return 0
    tensors = [t for t in node.inputs if t is not None and not t.constant and t.index not in node.unpacked]
    result: int | None = 0
    for tensor in (*tensors, *node.outputs):
        result = _sum(result, n_bytes(tensor))
    return result


def n_bytes(tensor: Tensor) -> int | None:
    """Return a tensor's size; None for a dynamic shape, a shape that is not stated, or a type without a size."""
    bits = BITS.get(tensor.dtype)
    if bits is None or not known(tensor):
        return None
    return -(-tensor.n_elements * bits // 8)


def known(tensor: Tensor | None) -> bool:
    """Whether the file states the whole shape; an empty one can be a scalar or unstated, so it counts as unstated."""
    return (
        tensor is not None and bool(tensor.shape) and min(tensor.shape) > 0 and -1 not in tensor.signature[1:]
    )


def macs(node: Node) -> int | None:
    """Return the multiply-accumulates of one inference; 0 for an operator that has none."""
    if node.name in CONTROL or (node.custom and node.name != POSTPROCESS):
        return None
    count = FORMULAS.get(node.name)
    if count is None:
        return 0
    weight, output = _shape(node.input(1)), _shape(node.outputs[0] if node.outputs else None)
    image = _shape(node.input(2 if node.name in TRANSPOSED else 0))
    if not (weight and output and image):
        return None
    return count(image, weight, output)


def _shape(tensor: Tensor | None) -> tuple[int, ...]:
    return tensor.shape if tensor is not None and known(tensor) else ()


Shape = tuple[int, ...]
TRANSPOSED = frozenset({"TRANSPOSE_CONV", "CONV_3D_TRANSPOSE"})
"""Operators whose inputs are output shape, filter, image."""
FORMULAS: dict[str, Callable[[Shape, Shape, Shape], int]] = {
    # filter [O, H, W, I/groups]: each output element sums H·W·I/groups products
    "CONV_2D": lambda image, weight, output: prod(output) * prod(weight[1:]),
    # filter [1, H, W, O]: each output element sums H·W products
    "DEPTHWISE_CONV_2D": lambda image, weight, output: prod(output) * prod(weight[1:3]),
    # filter [O, H, W, I]: each input element is multiplied with H·W·O weights
    "TRANSPOSE_CONV": lambda image, weight, output: prod(image) * prod(weight[:3]),
    # filter [D, H, W, I, O]
    "CONV_3D": lambda image, weight, output: prod(output) * prod(weight[:4]),
    # filter [D, H, W, O, I]
    "CONV_3D_TRANSPOSE": lambda image, weight, output: prod(image) * prod(weight[:4]),
    # weights [O, I]
    "FULLY_CONNECTED": lambda image, weight, output: prod(output) * weight[-1],
    # [.., N, K] × [.., K, M]; with adj_x the sum runs over the first operand's other dimension
    "BATCH_MATMUL": lambda image, weight, output: prod(output) * _inner(image, weight, output),
}
"""(image, weight, output) shapes → MACs, with the weight's layout by `schema.fbs`'s kernels."""


def _inner(left: Shape, right: Shape, output: Shape) -> int:
    """Return the length of the sum of a matrix product: (N·K)·(K·M) / (N·M) = K²."""
    rows, columns = (*(1, 1), *output)[-2:]
    square = prod(left[-2:]) * prod(right[-2:]) // max(1, rows * columns)
    return int(square**0.5 + 0.5)
