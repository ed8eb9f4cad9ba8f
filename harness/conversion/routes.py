"""Which settings of TensorFlow's converter fit which graph: one function a route, with its reasons.

The routes are those by which the MobileDet checkpoints of the TF1 detection zoo become TFLite files. What goes
wrong on the others was tried with TensorFlow 2.21 and stands in the error's text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.conversion.facts import NEEDS_IMAGES, POSTPROCESS, Facts, Order, Route
from harness.errors import ModelError, UsageError
from harness.quantization.stats import SCALE_TOLERANCE, ZERO_TOLERANCE

FLOAT_RESULTS = (
    f"{POSTPROCESS} has no integer form: its kernel computes boxes and NMS in float32, so the four results stay "
    "float32, and the converter would fail at its end with «Unsupported output type UINT8 for output tensor "
    f"'{POSTPROCESS}' of type FLOAT32»"
)


def refuse_integer_results(order: Order, postprocess: bool) -> None:
    """Refuse integer outputs of PostProcess before minutes are spent.

    Raises:
        UsageError: They are asked for; says why they cannot be.
    """
    if postprocess and order.output_type != "float32":
        raise UsageError(f"--output-type {order.output_type}: {FLOAT_RESULTS}. Leave --output-type away")


def find_route(order: Order, facts: Facts) -> Route:
    """Return the settings for a graph.

    Raises:
        UsageError: The mode does not fit the graph; says why, and what does.
    """
    refuse_integer_results(order, facts.postprocess)
    return _ROUTES[order.mode](order, facts)


def _float32(order: Order, facts: Facts) -> Route:
    reasons = ["float32: nothing is quantized, no setting is given."]
    if facts.fake_quant:
        reasons.append(
            f"{_fake(facts)} they stay as pairs of QUANTIZE and DEQUANTIZE, which emulate the integers slowly."
        )
    return Route(name="float", reasons=tuple(reasons))


def _weights(order: Order, facts: Facts) -> Route:
    """The route of MobileDet's CPU variant."""
    if facts.fake_quant:
        raise _wrong_mode(
            order,
            f"{_fake(facts)} With them in the graph TensorFlow's converter ignores the optimization and writes a float "
            "model of the full size with QUANTIZE and DEQUANTIZE around every operator",
            "--mode qat-uint8",
        )
    return Route(
        name="cpu-variant",
        optimize=True,
        float16=order.mode == "float16",
        input_stats=order.stats if order.kind == "frozen-graph" else None,
        reasons=(
            "A float graph without fake-quant nodes: the default optimization stores its weights in "
            f"{'float16' if order.mode == 'float16' else 'int8'} and needs no ranges of activations, hence no images.",
            f"quantized_input_stats ({order.stats[0]:g}, {order.stats[1]:g}) say how pixels become the float input; "
            "the input itself stays float.",
        ),
    )


def _calibrated(order: Order, facts: Facts) -> Route:
    if facts.fake_quant:
        raise _wrong_mode(
            order,
            f"{_fake(facts)} Calibrating on images would put measured ranges beside the trained ones",
            "--mode qat-uint8, which takes the trained ranges and needs no images",
        )
    if not order.representative and order.arrays is None:
        raise UsageError(NEEDS_IMAGES)
    return Route(
        name="calibrated",
        optimize=True,
        representative=True,
        integer_only=True,
        reasons=(
            "A float graph without fake-quant nodes: the ranges of its activations come from representative images.",
            "quantized_input_stats are not given: the input's scale is measured like every other.",
        ),
    )


def _trained(order: Order, facts: Facts) -> Route:
    """The route of MobileDet's EdgeTPU and DSP variants."""
    if not facts.fake_quant:
        configured = f" {facts.qat_configured}" if facts.qat_configured else ""
        raise _wrong_mode(
            order,
            f"found no fake-quant node among {facts.n_nodes} nodes: the graph was not trained or exported for it, and "
            f"the converter would write a float model with a quantized input.{configured}",
            "--mode int8 with --representative DIR, or export the graph again with add_postprocessing_op and the "
            "training's graph_rewriter",
        )
    if order.kind != "frozen-graph":
        return Route(
            name="qat",
            optimize=True,
            reasons=(
                f"{_fake(facts)} TF2's converter takes the trained ranges from them under Optimize.DEFAULT without "
                "representative images; quantized_input_stats exist for TF1 graphs only.",
            ),
        )
    return Route(
        name="qat",
        inference_uint8=True,
        input_stats=order.stats,
        reasons=(
            f"{_fake(facts)} The ranges were trained; inference_type is uint8, and optimizations or a representative "
            "set would quantize a second time, so neither is given.",
            f"quantized_input_stats ({order.stats[0]:g}, {order.stats[1]:g}): real = (q − mean) / std, hence scale "
            f"{1 / order.stats[1]:.6g} and zero point {order.stats[0]:g}.",
        ),
    )


_ROUTES: dict[str, Callable[[Order, Facts], Route]] = {
    "float32": _float32,
    "float16": _weights,
    "dynamic": _weights,
    "int8": _calibrated,
    "qat-uint8": _trained,
}


def check_inputs(order: Order, facts: Facts) -> None:
    """Refuse sources that a detector's conversion cannot feed.

    Raises:
        ModelError: Not exactly one image input, or no outputs; says what was found.
    """
    if len(facts.inputs) != 1:
        found = ", ".join(tensor.name for tensor in facts.inputs) or "none"
        raise ModelError(
            f"{order.source}: found {len(facts.inputs)} inputs ({found}), expected one image: name it with --input"
        )
    if not facts.outputs:
        raise ModelError(f"{order.source}: found no outputs: name them with --outputs A,B,…")
    if len(facts.inputs[0].shape) != 4:
        shape = list(facts.inputs[0].shape)
        raise ModelError(
            f"{order.source}: input {facts.inputs[0].name} is {shape}, expected an image [N, H, W, 3]"
        )
    own, wanted = (facts.inputs[0].shape[2], facts.inputs[0].shape[1]), order.size
    if -1 not in own and wanted is not None and wanted != own:
        remedy = (
            "export it with an open size, such as Input((None, None, 3))"
            if order.resize
            else "leave --size away, or give the card of this graph; `harness resize` makes other sizes"
        )
        raise ModelError(
            f"{order.source}: the graph's input is {own[0]}×{own[1]} and cannot be {wanted[0]}×{wanted[1]}: {remedy}"
        )
    if -1 in facts.inputs[0].shape[1:3] and order.size is None:
        raise ModelError(
            f"{order.source}: input {facts.inputs[0].name} has an open size {list(facts.inputs[0].shape)}: give "
            "--size WIDTHxHEIGHT"
        )


def check_preparation(order: Order, facts: Facts) -> None:
    """Refuse to calibrate with images that are not prepared as the graph prepared them itself.

    Raises:
        ModelError: Names both preparations.
    """
    said: list[Any] = [order.spec.get("mean"), order.spec.get("std")]
    if facts.preparation is None or not (order.representative or order.arrays) or None in said:
        return
    own = [list(values) for values in facts.preparation]
    if not np.allclose(own, said, rtol=0.01, atol=0.01):
        words = [f"mean {mean} and std {std}" for mean, std in (own, said)]
        raise ModelError(
            f"{order.source}: the graph prepares images with {words[0]}, but the representative images would be "
            f"prepared with {words[1]}: give a card that says the former with --card"
        )


def check_stats(order: Order, facts: Facts) -> None:
    """Refuse stats that contradict the range that the input was trained with.

    Raises:
        UsageError: Names both, and the stats that fit.
    """
    if facts.input_range is None or not order.stats_given:
        return
    low, high = facts.input_range
    std = 255 / (high - low)
    mean = -low * std
    said_mean, said_std = order.stats
    if abs(said_std / std - 1) > SCALE_TOLERANCE or abs(said_mean - mean) > ZERO_TOLERANCE:
        said = f"{(0 - said_mean) / said_std:.4g}…{(255 - said_mean) / said_std:.4g}"
        raise UsageError(
            f"{order.source}: --stats {said_mean:g},{said_std:g} say that images lie in {said}, but the graph was "
            f"trained with {low:.4g}…{high:.4g} (its fake-quant node behind the input): give --stats "
            f"{round(mean, 2):g},{round(std, 2):g}, or leave it away"
        )


def input_shape(order: Order, facts: Facts) -> tuple[int, ...]:
    """Return the input's shape with a batch of 1 and the size that was asked for where the graph leaves it open."""
    batch, height, width, channels = facts.inputs[0].shape
    wanted = order.size or (width, height)
    return (
        max(batch, 1),
        wanted[1] if height < 0 else height,
        wanted[0] if width < 0 else width,
        channels if channels > 0 else 3,
    )


def _fake(facts: Facts) -> str:
    return f"The graph has {len(facts.fake_quant)} fake-quant nodes (such as {facts.fake_quant[0]})."


def _wrong_mode(order: Order, why: str, instead: str) -> UsageError:
    return UsageError(f"{order.source}: --mode {order.mode} does not fit: {why}. Use {instead}")
