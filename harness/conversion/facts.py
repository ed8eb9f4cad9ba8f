"""What is asked of a conversion and what is found in its source: plain data that crosses to the child process."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from harness.vocabulary import ConversionMode

Kind = Literal["frozen-graph", "saved-model", "keras"]
ModeName = ConversionMode
MODES: dict[str, str] = {
    "float32": "float weights and arithmetic",
    "float16": "float16 weights, float32 arithmetic",
    "dynamic": "int8 weights, activations quantized as they come",
    "int8": "integers throughout, ranges from representative images",
    "qat-uint8": "integers throughout, ranges from the graph's fake-quant nodes",
}
NEEDS_IMAGES = (
    "--mode int8 needs representative images: a float graph knows no ranges of its activations. Give "
    "--representative DIR with 100 to 500 images of the kind that the model will see"
)
POSTPROCESS = "TFLite_Detection_PostProcess"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for.

    Attributes:
        source: A frozen graph, a SavedModel's folder or a Keras file.
        kind: Which of them.
        mode: How to quantize.
        output: Where the child writes the result.
        size: Width and height, where the graph leaves them open.
        resize: Whether a graph of another size is to get this one.
        inputs: Names of the inputs; empty to find them.
        outputs: Names of the outputs; empty to find them.
        stats: `quantized_input_stats`, (mean, std).
        input_type: Type of the input of a quantized model.
        output_type: Type of the outputs of a quantized model.
        stats_given: Whether the user named them.
        spec: The card's input section, for representative images.
        representative: Image files, in order.
        arrays: A .npy or .npz file of prepared inputs instead.
    """

    source: str
    kind: Kind
    mode: ModeName
    output: str
    size: tuple[int, int] | None = None
    resize: bool = False
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    stats: tuple[float, float] = (128.0, 128.0)
    stats_given: bool = False
    input_type: Literal["uint8", "int8", "float32"] = "uint8"
    output_type: Literal["uint8", "int8", "float32"] = "float32"
    spec: dict[str, Any] = {}
    representative: tuple[str, ...] = ()
    arrays: str | None = None


class Tensor(msgspec.Struct, frozen=True):
    """An input of the graph; unknown dimensions are -1."""

    name: str
    shape: tuple[int, ...]
    dtype: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is found in a source.

    Attributes:
        inputs: Placeholders, or the inputs of the serving signature.
        outputs: Names of the outputs, as the converter takes them.
        n_nodes: Nodes, with those of functions.
        fake_quant: Names of the fake-quant nodes.
        postprocess: Whether it ends in `TFLite_Detection_PostProcess`.
        qat_configured: A sentence where a training configuration beside it asks for quantization; None without.
        notes: What was taken out of the graph, one sentence each; empty where it is converted whole.
        preparation: Mean and std of the images, one number a channel, where the graph prepared them itself.
        input_range: Least and greatest value of the fake-quant node behind the input; None where there is none.
        carved: Whether only a part of the graph is converted.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[str, ...]
    n_nodes: int
    fake_quant: tuple[str, ...] = ()
    postprocess: bool = False
    qat_configured: str | None = None
    notes: tuple[str, ...] = ()
    preparation: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    input_range: tuple[float, float] | None = None
    carved: bool = False


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of TensorFlow's converter, each with its reason.

    Attributes:
        name: Of the route.
        optimize: Whether `optimizations = [Optimize.DEFAULT]`.
        float16: Whether `supported_types = [float16]`.
        representative: Whether a representative dataset is given.
        integer_only: Whether `supported_ops = [TFLITE_BUILTINS_INT8]`.
        inference_uint8: Whether `inference_type = uint8` (TF1's quantized graphs).
        input_stats: `quantized_input_stats`; None where they are not given.
        reasons: Why, one sentence each.
    """

    name: str
    optimize: bool = False
    float16: bool = False
    representative: bool = False
    integer_only: bool = False
    inference_uint8: bool = False
    input_stats: tuple[float, float] | None = None
    reasons: tuple[str, ...] = ()


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What the child reports at its end."""

    facts: Facts
    route: Route
    tensorflow: str
    seconds: float
