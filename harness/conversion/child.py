"""The child process that imports TensorFlow: `python -m harness.conversion.child ORDER.json`.

It tells the events `step`, `error` and `done`. TensorFlow can crash, use all memory or print what it likes; the parent
process sees only these events and the exit status.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from harness.child_process import emit
from harness.conversion import inspect, routes
from harness.conversion.facts import Facts, Order, Result, Route
from harness.errors import HarnessError


def main(path: str) -> int:
    """Carry out an order; return the exit status."""
    order = msgspec.json.decode(Path(path).read_bytes(), type=Order)
    sys.stdout = sys.stderr  # TensorFlow prints there
    try:
        result = carry_out(order)
    except HarnessError as error:
        emit("error", kind=type(error).__name__, message=str(error))
        return 1
    except Exception as error:  # whatever TensorFlow raises becomes one line
        emit("error", kind="JobError", message=f"{type(error).__name__}: {_short(error)}")
        return 1
    emit("done", result=msgspec.to_builtins(result))
    return 0


def _short(error: Exception) -> str:
    """Return the lines of a TensorFlow error that say something: the first ones and the last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " … ".join(dict.fromkeys([*lines[:2], *lines[-1:]]))[:800]


def carry_out(order: Order) -> Result:
    """Inspect, choose the route, convert and write."""
    begin = time.monotonic()
    emit("step", text="importing TensorFlow")
    tf = _import()
    emit("step", text=f"reading {Path(order.source).name}")
    facts, loaded = _read(order, tf)
    routes.check_inputs(order, facts)
    routes.check_preparation(order, facts)
    routes.check_stats(order, facts)
    route = routes.find_route(order, facts)
    emit("step", text=f"converting {facts.n_nodes} nodes ({route.name})")
    converter = _converter(order, facts, loaded, tf)
    _set(converter, order, facts, route, tf)
    Path(order.output).write_bytes(converter.convert())
    return Result(facts=facts, route=route, tensorflow=tf.__version__, seconds=time.monotonic() - begin)


def _import() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    warnings.simplefilter("ignore")
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    return tf


def _read(order: Order, tf: Any) -> tuple[Facts, Any]:
    try:
        if order.kind == "frozen-graph":
            return inspect.frozen_graph(order, tf)
        if order.kind == "keras":
            return inspect.keras_model(order, tf)
        return inspect.saved_model(order, tf), None
    except ValueError as error:
        from harness.errors import ModelError

        raise ModelError(f"{order.source}: {error}") from error


def _converter(order: Order, facts: Facts, loaded: Any, tf: Any) -> Any:
    shape = routes.input_shape(order, facts)
    if order.kind == "frozen-graph":
        # input_shapes are needed where PostProcess, which TensorFlow itself does not know, keeps it from importing
        # the graph
        name = facts.inputs[0].name
        return tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(
            str(loaded), [name], list(facts.outputs), {name: list(shape)}
        )
    if order.kind == "keras":
        return _fixed_size(lambda image: loaded(image, training=False), shape, tf)
    if -1 not in facts.inputs[0].shape[1:3]:
        return tf.lite.TFLiteConverter.from_saved_model(order.source)
    model = tf.saved_model.load(order.source)  # its variables live as long as it does
    name = facts.inputs[0].name
    return _fixed_size(lambda image: model.signatures["serving_default"](**{name: image}), shape, tf)


def _fixed_size(call: Any, shape: tuple[int, ...], tf: Any) -> Any:
    """Convert a callable for one size, with its variables as constants: calibration cannot read variables."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    spec = tf.TensorSpec(list(shape), tf.float32, name="image")
    serve = tf.function(call).get_concrete_function(spec)
    return tf.lite.TFLiteConverter.from_concrete_functions([convert_variables_to_constants_v2(serve)])


def _set(converter: Any, order: Order, facts: Facts, route: Route, tf: Any) -> None:
    converter.allow_custom_ops = True
    if route.optimize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if route.float16:
        converter.target_spec.supported_types = [tf.float16]
    if route.inference_uint8:
        converter.inference_type = tf.uint8
    if route.input_stats is not None:
        converter.quantized_input_stats = {facts.inputs[0].name: route.input_stats}
    if route.representative:
        converter.representative_dataset = lambda: _samples(order, facts)
    if route.integer_only:
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    if route.integer_only or (route.name == "qat" and not route.inference_uint8):
        converter.inference_input_type = getattr(tf, order.input_type)
        converter.inference_output_type = getattr(tf, order.output_type)


def _samples(order: Order, facts: Facts) -> Iterator[list[Any]]:
    """Yield the representative inputs, prepared as for inference."""
    from harness.accuracy.prepare import Preparation
    from harness.cards import InputSpec
    from harness.quantization.representative import Images, find_representative
    from harness.tflite.tensor_info import TensorInfo

    shape = routes.input_shape(order, facts)
    spec = msgspec.convert(order.spec, InputSpec)
    spec = msgspec.structs.replace(spec, width=shape[2], height=shape[1])
    preparation = Preparation(spec, TensorInfo(facts.inputs[0].name, shape, "float32"))
    data = find_representative(Path(order.arrays)) if order.arrays else None
    data = data or Images(Path(), tuple(Path(path) for path in order.representative))
    for done, tensor in enumerate(data.tensors(preparation), 1):
        emit("step", text=f"calibrating, image {done}/{len(data)}", done=done, total=len(data))
        yield [np.asarray(tensor)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
