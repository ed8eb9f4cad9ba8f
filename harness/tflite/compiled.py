"""A .tflite that a vendor's compiler made for its NPU: what it took is one DISPATCH_OP a partition.

LiteRT's compiler plugins keep the operators that they do not take, put a custom operator `DISPATCH_OP` in the place of
each partition, and the vendor's binary behind the model; a metadata entry `LiteRtStamp` names the maker of the chip and
the chip (LiteRT, `litert/core/build_stamp.h` and `litert/core/dispatch_op_schema.h`).
"""

from __future__ import annotations

from dataclasses import dataclass

from flatbuffers import flexbuffers

from harness.tflite.graph import Graph, Operator

DISPATCH = "DISPATCH_OP"
STAMP = "LiteRtStamp"
_FIELD = 125
"""Bytes of each of the stamp's two texts."""
MAX_OPTION_BYTES = 4096


@dataclass(frozen=True)
class Partition:
    """A part of the graph that the NPU runs.

    Attributes:
        name: Of the graph in the vendor's binary.
        offset: Where the binary begins in the file.
        size: Its bytes.
        inputs: Tensors of the file that it reads.
        outputs: Tensors of the file that it writes.
    """

    name: str
    offset: int
    size: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class CompiledModel:
    """What a compiled file says of itself.

    Attributes:
        maker: Of the chip, as the stamp has it; empty without one.
        soc: The chip; empty without a stamp.
        partitions: In the order of execution.
        left: Operators that the CPU still runs, by name, in the order of execution.
        binary_bytes: Bytes of the vendor's binaries; one that several partitions share counts once.
    """

    maker: str
    soc: str
    partitions: tuple[Partition, ...]
    left: tuple[str, ...]
    binary_bytes: int


def read_compiled(graph: Graph) -> CompiledModel | None:
    """Read what was compiled in a model; None for a model as any converter writes it.

    Raises:
        ValueError: An operator's options are none (other damage raises flexbuffers' own errors).
    """
    operators = graph.primary.operators
    found = tuple(read_partition(one) for one in operators if is_dispatch(one))
    if not found:
        return None
    maker, soc = read_stamp(graph)
    return CompiledModel(
        maker=maker,
        soc=soc,
        partitions=found,
        left=tuple(one.name for one in operators if not is_dispatch(one)),
        binary_bytes=sum({one.offset: one.size for one in found}.values()),
    )


def is_dispatch(operator: Operator) -> bool:
    """Whether an operator stands for a partition."""
    return operator.custom and operator.name == DISPATCH


def read_partition(operator: Operator) -> Partition:
    """Read one DISPATCH_OP.

    Raises:
        ValueError: Its options do not say where the binary is.
    """
    if not 0 < len(operator.options) <= MAX_OPTION_BYTES:
        raise ValueError(f"found {len(operator.options)} bytes of {DISPATCH} options")
    values = flexbuffers.GetRoot(operator.options).AsMap
    try:
        offset, size = values["bytecode_offset"].AsInt, values["bytecode_size"].AsInt
        name = values["name"].AsString
    except KeyError as error:
        raise ValueError(f"{DISPATCH} does not say its {error}") from error
    if offset < 0 or size < 0:
        raise ValueError(f"{DISPATCH}: found offset {offset} and size {size}")
    return Partition(str(name), offset, size, operator.inputs, operator.outputs)


def read_stamp(graph: Graph) -> tuple[str, str]:
    """Return the maker and the chip that a stamp names; both empty without one."""
    stamp = bytes(graph.metadata.get(STAMP, b""))
    return _text(stamp[:_FIELD]), _text(stamp[_FIELD : 2 * _FIELD])


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")
