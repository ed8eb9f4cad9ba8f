"""Look into a TensorFlow source. Runs in the child process; everything of TensorFlow is `Any` here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from harness.conversion import carving, pipeline_config
from harness.conversion.facts import POSTPROCESS, Facts, Order, Tensor
from harness.conversion.graph_edit import named, plain, results, scalar

_FAKE_QUANT = "FakeQuant"
_QUANTIZATION = re.compile(r"graph_rewriter\s*\{.*?quantization\s*\{(?P<body>[^}]*)\}", re.DOTALL)


def frozen_graph(order: Order, tf: Any) -> tuple[Facts, Path]:
    """Read a TF1 frozen graph; return its facts, and the file that TensorFlow's converter takes.

    That is the graph itself, or the part of it that TFLite can run, written beside the order's output.

    Raises:
        ValueError: It is not a GraphDef, or not frozen.
        ModelError: It holds loops between its input and its outputs.
    """
    graph = _parsed(order, tf)
    variables = [node.name for node in graph.node if node.op in {"VariableV2", "VarHandleOp", "Variable"}]
    if variables:
        raise ValueError(
            f"the graph is not frozen: {len(variables)} variables ({variables[0]}, …); freeze it with "
            "export_tflite_ssd_graph.py"
        )
    carved = carving.carve(graph, order, tf)
    if carved is None:
        return graph_facts(graph, order), Path(order.source)
    file = Path(order.output).with_name("tflite_graph.pb")
    file.write_bytes(carved.graph.SerializeToString())
    own = msgspec.structs.replace(order, inputs=(), outputs=carved.outputs)
    facts = graph_facts(carved.graph, own)
    return msgspec.structs.replace(
        facts, notes=carved.notes, preparation=carved.preparation, carved=True
    ), file


def _parsed(order: Order, tf: Any) -> Any:
    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(Path(order.source).read_bytes())
    except Exception as error:  # protobuf's DecodeError has moved between packages
        raise ValueError(f"not a frozen graph (a binary GraphDef): {error}") from error
    if not graph.node:
        raise ValueError("the graph has no nodes; expected a binary GraphDef such as tflite_graph.pb")
    return graph


def graph_facts(graph: Any, order: Order) -> Facts:
    """Find inputs, outputs and fake-quant nodes of a GraphDef."""
    nodes = list(graph.node)
    return Facts(
        inputs=tuple(_placeholder(node) for node in nodes if _is_input(node, order)),
        outputs=order.outputs or results(nodes),
        n_nodes=len(nodes),
        fake_quant=_fake_quant(nodes),
        postprocess=any(node.op == POSTPROCESS for node in nodes),
        input_range=_input_range(graph, order),
        qat_configured=qat_configured(Path(order.source)),
    )


def _input_range(graph: Any, order: Order) -> tuple[float, float] | None:
    """Return the range of the first fake-quant node that reads the input."""
    nodes = named(graph)
    inputs = {node.name for node in graph.node if _is_input(node, order)}
    fake = [node for node in graph.node if node.op.startswith(_FAKE_QUANT) and plain(node.input[0]) in inputs]
    if not fake:
        return None
    if len(fake[0].input) < 3:
        return float(fake[0].attr["min"].f), float(fake[0].attr["max"].f)
    low, high = (scalar(text, nodes) for text in fake[0].input[1:3])
    return None if low is None or high is None else (low, high)


def _is_input(node: Any, order: Order) -> bool:
    return node.name in order.inputs if order.inputs else node.op == "Placeholder"


def _placeholder(node: Any) -> Tensor:
    shape = tuple(int(dim.size) for dim in node.attr["shape"].shape.dim)
    return Tensor(node.name, shape, "uint8" if node.attr["dtype"].type == _DT_UINT8 else "float32")


_DT_UINT8 = 4  # types.proto


def _fake_quant(nodes: Iterable[Any]) -> tuple[str, ...]:
    return tuple(node.name for node in nodes if node.op.startswith(_FAKE_QUANT))


def saved_model(order: Order, tf: Any) -> Facts:
    """Read a SavedModel's graph and its serving signature without loading its variables.

    Raises:
        ValueError: It is not a SavedModel, or has no serving signature.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    content = saved_model_pb2.SavedModel()
    try:
        content.ParseFromString((Path(order.source) / "saved_model.pb").read_bytes())
        meta = content.meta_graphs[0]
    except Exception as error:  # see above
        raise ValueError(f"not a SavedModel: {error}") from error
    signatures = {key: value for key, value in meta.signature_def.items() if not key.startswith("__")}
    signature = signatures.get("serving_default") or next(iter(signatures.values()), None)
    if signature is None:
        raise ValueError(
            "the SavedModel has no signature: export it with one (tf.saved_model.save(signatures=…))"
        )
    graph = meta.graph_def
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    names = [function.attr["_implements"].s.decode() for function in graph.library.function]
    return Facts(
        inputs=tuple(_signature_input(key, info, tf) for key, info in sorted(signature.inputs.items())),
        outputs=tuple(sorted(signature.outputs)),
        n_nodes=len(nodes),
        fake_quant=_fake_quant(nodes),
        postprocess=any(POSTPROCESS in name for name in names)
        or any(node.op == POSTPROCESS for node in nodes),
        qat_configured=qat_configured(Path(order.source)),
    )


def _signature_input(name: str, info: Any, tf: Any) -> Tensor:
    shape = tuple(int(dim.size) for dim in info.tensor_shape.dim)
    return Tensor(name, shape, tf.dtypes.as_dtype(info.dtype).name)


def keras_model(order: Order, tf: Any) -> tuple[Facts, Any]:
    """Load a Keras model; return its facts and the model.

    Raises:
        ValueError: It is not a Keras model that can be loaded.
    """
    try:
        model = tf.keras.models.load_model(order.source, compile=False)
    except Exception as error:  # keras raises whatever its layers raise
        raise ValueError(f"not a Keras model that can be loaded: {error}") from error
    shapes = [tuple(-1 if size is None else int(size) for size in tensor.shape) for tensor in model.inputs]
    names = [str(getattr(tensor, "name", f"input_{place}")) for place, tensor in enumerate(model.inputs)]
    traced = tf.function(
        lambda *values: model(list(values) if len(values) > 1 else values[0], training=False)
    )
    graph = traced.get_concrete_function(
        *(tf.TensorSpec([None if size < 0 else size for size in shape], tf.float32) for shape in shapes)
    ).graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    facts = Facts(
        inputs=tuple(Tensor(name, shape, "float32") for name, shape in zip(names, shapes, strict=True)),
        outputs=tuple(f"output_{place}" for place in range(len(model.outputs))),
        n_nodes=len(nodes),
        fake_quant=_fake_quant(nodes),
        qat_configured=qat_configured(Path(order.source)),
    )
    return facts, model


def qat_configured(source: Path) -> str | None:
    """Say so where the `pipeline.config` beside a graph configures quantization-aware training.

    Training rewrites the graph only after `delay` steps, and an export with another configuration leaves the nodes
    out: then the configuration promises what the graph does not hold.
    """
    config = pipeline_config.beside(source)
    found = _QUANTIZATION.search(config.read_text("utf-8", "replace")) if config else None
    if found is None:
        return None
    delay = re.search(r"delay:\s*(\d+)", found["body"])
    steps = f" with a delay of {delay[1]} steps" if delay else ""
    return (
        f"The pipeline.config beside it configures quantization-aware training{steps}: it was ignored in training "
        "(fewer steps than the delay) or in the export."
    )
