"""A float16 or float32 .tflite → the float32 file that a quantizer can read, with a signature to run it by.

Files with float16 weights keep each weight as a float16 constant behind a DEQUANTIZE. Quantizers look for
constants at the operators themselves, so the pairs are folded to float32 constants; no value changes, for
every float16 is a float32.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.edit.flatbuffer import ZIP_ERRORS, damaged_archive, split_archive
from harness.errors import ModelError
from harness.tflite import reader, schema
from harness.vocabulary import FLOAT_WEIGHTS

IDENTIFIER = b"TFL3"
SIGNATURE = "serving_default"


def check_float(path: Path, quantization: str) -> None:
    """Refuse a source whose precision is gone already.

    Raises:
        ModelError: It is quantized; says what it is.
    """
    if quantization not in FLOAT_WEIGHTS:
        raise ModelError(
            f"{path}: found a {quantization} model, expected float32 or float16 weights: quantizing what is "
            "quantized only adds errors. Start from the float export of the same training"
        )


def to_float32(data: bytes, path: Path) -> bytes:
    """Fold float16 constants and name the inputs and outputs in a signature where the file has none.

    Args:
        data: The whole .tflite file.
        path: Named in errors.

    Returns:
        The file's own bytes when there is nothing to do.

    Raises:
        ModelError: The bytes are not a sound TFLite model.
    """
    with reader.malformed(path):
        model = unpack(data)
        n_folded = sum(_fold_subgraph(model, subgraph) for subgraph in model.subgraphs)
        if not n_folded and model.signatureDefs:
            return data
        if not model.signatureDefs:
            model.signatureDefs = [_signature(model)]
        return pack(model)


def unpack(data: bytes) -> Any:
    """Read a file into flatc's objects (`ModelT`); buffers above 2 GB stay outside."""
    classes = schema.load()
    return classes.ModelT.InitFromObj(classes.Model.GetRootAs(data, 0))


def pack(model: Any) -> bytes:
    """Write flatc's objects. For a quantizer to read only: the buffers lose their alignment of 16 bytes."""
    from flatbuffers import Builder

    builder = Builder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def members_behind(data: bytes, path: Path) -> dict[str, bytes]:
    """Return the members (labels) of the zip archive that some files carry behind the flatbuffer.

    Raises:
        ModelError: The archive is damaged or too large.
    """
    try:
        return split_archive(data)[1]
    except ZIP_ERRORS as error:
        raise damaged_archive(path, error) from error


def _fold_subgraph(model: Any, subgraph: Any) -> int:
    """Give the outputs of DEQUANTIZE of float16 constants their values, drop the operators; return how many."""
    operators = subgraph.operators or []
    kept = [operator for operator in operators if not _folded(model, subgraph, operator)]
    if len(kept) < len(operators):
        subgraph.operators = kept
        _drop_unused_tensors(model, subgraph)
    return len(operators) - len(kept)


def _folded(model: Any, subgraph: Any, operator: Any) -> bool:
    """Fold one operator if it is a DEQUANTIZE of a float16 constant."""
    classes = schema.load()
    opcode = model.operatorCodes[operator.opcodeIndex]
    if max(opcode.builtinCode, opcode.deprecatedBuiltinCode) != classes.BuiltinOperator.DEQUANTIZE:
        return False
    source, target = (subgraph.tensors[int(end[0])] for end in (operator.inputs, operator.outputs))
    stored = model.buffers[source.buffer].data
    if source.type != classes.TensorType.FLOAT16 or stored is None or len(stored) == 0:
        return False
    _give_values(model, target, stored)
    return True


def _drop_unused_tensors(model: Any, subgraph: Any) -> None:
    """Remove the tensors that nothing reads or writes: an interpreter has no data to show for them."""
    number = model.subgraphs.index(subgraph)
    maps = [
        entry
        for signature in model.signatureDefs or []
        if signature.subgraphIndex == number
        for entry in (signature.inputs or []) + (signature.outputs or [])
    ]
    lists = [(subgraph, "inputs"), (subgraph, "outputs")]
    lists += [(o, name) for o in subgraph.operators for name in ("inputs", "outputs", "intermediates")]
    used = {int(index) for owner, name in lists for index in _indices(owner, name)}
    used |= {int(entry.tensorIndex) for entry in maps}
    old = [index for index in range(len(subgraph.tensors)) if index in used]
    new = {before: after for after, before in enumerate(old)} | {-1: -1}
    for owner, name in lists:
        if len(_indices(owner, name)):
            setattr(owner, name, np.array([new[int(index)] for index in getattr(owner, name)], np.int32))
    for entry in maps:
        entry.tensorIndex = new[int(entry.tensorIndex)]
    subgraph.tensors = [subgraph.tensors[index] for index in old]
    _empty_unused_buffers(model)


def _indices(owner: Any, name: str) -> Any:
    values = getattr(owner, name)
    return () if values is None else values


def _empty_unused_buffers(model: Any) -> None:
    used = {tensor.buffer for subgraph in model.subgraphs for tensor in subgraph.tensors}
    used |= {entry.buffer for entry in model.metadata or []}
    used |= set(() if model.metadataBuffer is None else map(int, model.metadataBuffer))
    for index, buffer in enumerate(model.buffers):
        if index not in used:
            buffer.data = None


def _give_values(model: Any, target: Any, stored: Any) -> None:
    """Turn the output of a DEQUANTIZE into a float32 constant."""
    values = np.frombuffer(bytes(bytearray(stored)), np.float16).astype(np.float32)
    buffer = schema.load().BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    target.buffer = len(model.buffers)
    model.buffers.append(buffer)


def _signature(model: Any) -> Any:
    """Return a signature of the first subgraph, whose names are those of the tensors."""
    classes = schema.load()
    signature = classes.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE.encode(), 0
    graph = model.subgraphs[0]
    signature.inputs = _named(classes, graph, graph.inputs, "input")
    signature.outputs = _named(classes, graph, graph.outputs, "output")
    return signature


def _named(classes: Any, graph: Any, indices: Any, word: str) -> list[Any]:
    entries = []
    for place, index in enumerate(indices):
        entry = classes.TensorMapT()
        name = graph.tensors[int(index)].name or b""
        text = name if isinstance(name, bytes) else str(name).encode()
        entry.name, entry.tensorIndex = text or f"{word}_{place}".encode(), int(index)
        entries.append(entry)
    return entries
