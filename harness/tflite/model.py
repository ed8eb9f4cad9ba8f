"""Describe a .tflite file without running it: inputs, outputs, operators, quantization."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import ModelError
from harness.hashing import hash_file
from harness.paths import size_of
from harness.tflite import postprocess, quantization, reader
from harness.tflite.computed_sizes import ComputedSizes, find_computed_sizes
from harness.tflite.graph import EDGETPU, Graph, Tensor
from harness.tflite.metadata import ENTRY, Metadata, read_metadata
from harness.tflite.postprocess import PostProcess
from harness.tflite.signed_reshapes import find_signed_reshapes
from harness.tflite.tensor_info import TensorInfo


@dataclass(frozen=True)
class ModelDescription:
    """The facts that a .tflite file states about itself.

    Attributes:
        path: The file.
        sha256: Hash of the whole file.
        size_bytes: Size of the whole file.
        quantization: A value of the result column `quantization`.
        quantization_evidence: The evidence for it, a sentence each.
        inputs: In the order of the interpreter's `get_input_details()`.
        outputs: In the order of the interpreter's `get_output_details()`.
        operators: (name, count) over all subgraphs, most frequent first; custom ones under their own name.
        custom_operators: Names of the custom operators, sorted.
        n_operators: Sum of the counts.
        edgetpu: Whether it was compiled for the Edge TPU.
        postprocess: Options of `TFLite_Detection_PostProcess`; None without that operator.
        n_parameters: Elements of the float or quantized constants; shared data counts once.
        metadata: Names of the metadata entries, sorted.
        stated: Class names, task and normalization that the file's own metadata states.
        places: Which output of `TFLite_Detection_PostProcess` each output is; None for any other.
        computed_sizes: The operators whose outputs have a size that is known only while they run.
        signed_reshapes: Names of int8 tensors that `find_signed_reshapes` finds.
        retyped: For each output, the tensors that it is made from by changes of type alone, in that order.
    """

    path: Path
    sha256: str
    size_bytes: int
    quantization: str
    quantization_evidence: tuple[str, ...]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    operators: tuple[tuple[str, int], ...]
    custom_operators: tuple[str, ...]
    n_operators: int
    edgetpu: bool
    postprocess: PostProcess | None
    n_parameters: int
    metadata: tuple[str, ...]
    stated: Metadata
    places: tuple[int | None, ...] = ()
    computed_sizes: ComputedSizes = field(default_factory=ComputedSizes)
    signed_reshapes: tuple[str, ...] = ()
    retyped: tuple[tuple[TensorInfo, ...], ...] = ()

    @property
    def image_input(self) -> TensorInfo:
        """The first input.

        Raises:
            ModelError: There is none.
        """
        if not self.inputs:
            raise ModelError(f"{self.path}: has no input, expected an image input")
        return self.inputs[0]


def unread(path: Path) -> ModelDescription:
    """Return what can be said of a file that cannot be read as a model: its hash and its size."""
    return _unknown(path, hash_file(path), size_of(path))


def absent(path: Path) -> ModelDescription:
    """Return what can be said of a file that is not there yet: where it will be."""
    return _unknown(path, "", 0)


def _unknown(path: Path, sha256: str, size_bytes: int) -> ModelDescription:
    return ModelDescription(
        path=path,
        sha256=sha256,
        size_bytes=size_bytes,
        quantization="unknown",
        quantization_evidence=(),
        inputs=(),
        outputs=(),
        operators=(),
        custom_operators=(),
        n_operators=0,
        edgetpu=False,
        postprocess=None,
        n_parameters=0,
        metadata=(),
        stated=Metadata(),
    )


def describe(path: Path) -> ModelDescription:
    """Describe a model file.

    Raises:
        ModelError: The file is missing or not a valid TFLite model.
        MissingExtraError: No package with the schema classes is installed.
    """
    return load(path)[0]


def load(path: Path) -> tuple[ModelDescription, Graph]:
    """Describe a model file and return its graph with it; errors as for `describe`."""
    data = reader.read_bytes(path)
    graph = reader.read_graph(data, path)
    with reader.malformed(path):
        return describe_graph(graph, data, path), graph


def describe_graph(graph: Graph, data: bytes, path: Path) -> ModelDescription:
    """Describe a graph that was read from `data`; call it inside `reader.malformed`."""
    name, evidence = quantization.identify(graph)
    counts = Counter(operator.name for _, operator in graph.operators())
    custom = {operator.name for _, operator in graph.operators() if operator.custom}
    found = postprocess.find(graph)
    options = postprocess.parse(found[1].options) if found else None
    return ModelDescription(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        quantization=name,
        quantization_evidence=evidence,
        inputs=tuple(_info(graph.primary.tensors[index]) for index in graph.primary.inputs),
        outputs=_outputs(graph, options),
        operators=tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
        custom_operators=tuple(sorted(custom)),
        n_operators=counts.total(),
        edgetpu=EDGETPU in custom,
        postprocess=options,
        n_parameters=_n_parameters(graph),
        metadata=tuple(sorted(graph.metadata)),
        stated=read_metadata(data, graph.metadata.get(ENTRY, b"")),
        places=postprocess.places(graph),
        computed_sizes=find_computed_sizes(graph.primary),
        signed_reshapes=find_signed_reshapes(graph.primary),
        retyped=tuple(
            tuple(_info(graph.primary.tensors[index]) for index in path[:-1])
            for path in postprocess.retypings(graph)
        ),
    )


def _outputs(graph: Graph, options: PostProcess | None) -> tuple[TensorInfo, ...]:
    """Return the outputs; those of PostProcess with the shapes that its kernel will allocate."""
    if options is None:
        return tuple(_info(graph.primary.tensors[index]) for index in graph.primary.outputs)
    shapes = postprocess.output_shapes(options)
    return tuple(
        _info(graph.primary.tensors[index], None if place is None or place > 3 else shapes[place])
        for index, place in zip(graph.primary.outputs, postprocess.places(graph), strict=True)
    )


def _info(tensor: Tensor, known_shape: tuple[int, ...] | None = None) -> TensorInfo:
    """Return the facts of an input or output; as in the interpreter, only a single scale counts."""
    scale, zero_point = None, None
    if tensor.quantization is not None and len(tensor.quantization.scales) == 1:
        scale, zero_point = tensor.quantization.scales[0], tensor.quantization.zero_points[0]
    return TensorInfo(tensor.name, known_shape or _shape(tensor), tensor.dtype, scale or None, zero_point)


def _shape(tensor: Tensor) -> tuple[int, ...]:
    """Return the shape with -1 for dynamic dimensions; the batch is given as it is allocated."""
    return tuple(
        -1 if signed == -1 and axis > 0 else size
        for axis, (size, signed) in enumerate(zip(tensor.shape, tensor.signature, strict=True))
    )


def _n_parameters(graph: Graph) -> int:
    sizes = {
        tensor.buffer: tensor.n_elements
        for subgraph in graph.subgraphs
        for tensor in subgraph.tensors
        if tensor.constant and (tensor.quantization is not None or "float" in tensor.dtype)
    }
    return sum(sizes.values())
