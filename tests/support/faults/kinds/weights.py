"""Faults of a model's constants: it was quantized from another float model than the one it is held against."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tests.support.faults.graph import Net, edited
from tests.support.faults.kinds.broken import Broken
from tests.support.faults.subjects import WEIGHTED, Subject, box_layers, layers, score_layers

Draw = np.random.Generator


def _requantized(subject: Subject, name: str, what: str, change: Callable[[Net], None]) -> Broken:
    data = subject.requantized(edited(subject.float32, change))
    return Broken(subject.quantized_file(name, data), what)


def channels(net: Net, operator: Any) -> int:
    """Return the axis of an operator's output channels in its weights."""
    return 3 if net.kind(operator) == "DEPTHWISE_CONV_2D" else 0


def scale_channels(net: Net, operator: Any, factor: np.ndarray, shift: np.ndarray | None = None) -> None:
    """Multiply each output channel's weights and bias, as batch norm's other statistics do."""
    _, weights, bias = operator.inputs[:3]
    values = net.values(weights)
    shape = [1] * values.ndim
    shape[channels(net, operator)] = -1
    net.set_values(weights, (values * factor.reshape(shape)).astype(np.float32))
    moved = net.values(bias) * factor + (0 if shift is None else shift)
    net.set_values(bias, moved.astype(np.float32))


def other_checkpoint(subject: Subject, draw: Draw, name: str) -> Broken:
    """All layers drifted, as between two checkpoints of one training."""
    size = float(draw.uniform(0.08, 0.25))

    def change(net: Net) -> None:
        for operator in layers(net):
            for index in operator.inputs[1:3]:
                values = net.values(index)
                net.set_values(
                    index,
                    (values + size * values.std() * draw.standard_normal(values.shape)).astype(np.float32),
                )

    return _requantized(subject, name, f"all weights moved by {size:.0%} of their spread", change)


def class_order(subject: Subject, draw: Draw, name: str) -> Broken:
    """Classes in another order: rolled, two of them swapped, or dealt anew."""
    width, first, n = subject.origin.classes or (1, 0, 1)
    way = str(draw.choice(["rolled", "swapped", "dealt"]))
    order = np.arange(n)
    if way == "rolled":
        order = np.roll(order, int(draw.integers(1, n)))
    elif way == "swapped":
        some = draw.permutation(n)[: max(2, n // 3) // 2 * 2]
        order[some] = order[some[::-1]]
    else:
        order = draw.permutation(n)

    def change(net: Net) -> None:
        for operator in score_layers(net):
            _permute_classes(net, operator, width, first, order)

    return _requantized(subject, name, f"classes {way}", change)


def _permute_classes(net: Net, operator: Any, width: int, first: int, order: np.ndarray) -> None:
    for index in operator.inputs[1:3]:
        values = net.values(index).copy()
        for start in range(0, len(values), width):
            block = values[start + first : start + first + len(order)].copy()
            values[start + first : start + first + len(order)] = block[order]
        net.set_values(index, values)


def _one_layer(
    subject: Subject, draw: Draw, name: str, what: str, change: Callable[[Net, Any], None]
) -> Broken:
    net = Net(subject.float32)
    place = int(draw.integers(len(layers(net))))
    title = net.name(layers(net)[place].outputs[0]).split(";")[0]
    return _requantized(
        subject, name, f"{what} in layer {place}, {title}", lambda net: change(net, layers(net)[place])
    )


def layer_clipped(subject: Subject, draw: Draw, name: str) -> Broken:
    """One layer's weights cut off."""
    share = float(draw.uniform(0.4, 0.8))

    def change(net: Net, operator: Any) -> None:
        values = net.values(operator.inputs[1])
        limit = float(np.quantile(np.abs(values), share))
        net.set_values(operator.inputs[1], values.clip(-limit, limit))

    return _one_layer(subject, draw, name, f"weights cut at the {share:.0%} quantile", change)


def layer_permuted(subject: Subject, draw: Draw, name: str) -> Broken:
    """One layer's output channels in another order, as of an OIHW file read as OHWI."""

    def change(net: Net, operator: Any) -> None:
        values = net.values(operator.inputs[1])
        axis = channels(net, operator)
        order = draw.permutation(values.shape[axis])
        net.set_values(operator.inputs[1], np.ascontiguousarray(np.take(values, order, axis)))

    return _one_layer(subject, draw, name, "output channels permuted", change)


def layer_scaled(subject: Subject, draw: Draw, name: str) -> Broken:
    """One layer's weights too small or too large."""
    factor = float(draw.choice([draw.uniform(0.2, 0.6), draw.uniform(1.7, 4.0)]))

    def change(net: Net, operator: Any) -> None:
        net.set_values(operator.inputs[1], (net.values(operator.inputs[1]) * np.float32(factor)))

    return _one_layer(subject, draw, name, f"weights × {factor:.2f}", change)


def layer_pruned(subject: Subject, draw: Draw, name: str) -> Broken:
    """Some of one layer's channels are 0."""
    share = float(draw.uniform(0.2, 0.6))

    def change(net: Net, operator: Any) -> None:
        n = net.values(operator.inputs[2]).shape[0]
        scale_channels(net, operator, (draw.random(n) > share).astype(np.float32))

    return _one_layer(subject, draw, name, f"{share:.0%} of the channels zeroed", change)


def bgr_weights(subject: Subject, draw: Draw, name: str) -> Broken:
    """The first convolution was trained on BGR."""

    def change(net: Net) -> None:
        first = next(o for o in net.all(*WEIGHTED) if 3 in net.values(o.inputs[1]).shape)
        values = net.values(first.inputs[1])
        axis = 3 if values.shape[3] == 3 else 1
        net.set_values(first.inputs[1], np.ascontiguousarray(np.flip(values, axis)))

    return _requantized(subject, name, "first layer's channels reversed", change)


def _bias(subject: Subject, draw: Draw, name: str, what: str, factor: float, most: int) -> Broken:
    net = Net(subject.float32)
    places = [int(k) for k in draw.permutation(len(layers(net)))[: int(draw.integers(1, most + 1))]]
    told = ", ".join(str(place) for place in sorted(places)[:4])

    def change(net: Net) -> None:
        for place in places:
            index = layers(net)[place].inputs[2]
            net.set_values(index, net.values(index) * np.float32(factor))

    return _requantized(subject, name, f"{what} in {len(places)} layers ({told})", change)


def bias_lost(subject: Subject, draw: Draw, name: str) -> Broken:
    """Biases are 0 in some layers."""
    return _bias(subject, draw, name, "bias lost", 0.0, 6)


def bias_scaled(subject: Subject, draw: Draw, name: str) -> Broken:
    """Biases too small or too large in some layers."""
    factor = float(draw.choice([draw.uniform(0.1, 0.5), draw.uniform(2, 5)]))
    return _bias(subject, draw, name, f"bias × {factor:.2f}", factor, 6)


def bias_sign(subject: Subject, draw: Draw, name: str) -> Broken:
    """Biases with the wrong sign in some layers."""
    return _bias(subject, draw, name, "bias of the wrong sign", -1.0, 4)


def head_dead(subject: Subject, draw: Draw, name: str) -> Broken:
    """One or more of the last convolutions give a constant."""
    which = str(draw.choice(["scores", "boxes"]))
    of = score_layers if which == "scores" else box_layers
    n = len(of(Net(subject.float32)))
    places = draw.permutation(n)[: int(draw.integers(1, max(2, n // 2 + 1)))]

    def change(net: Net) -> None:
        for place in places:
            for index in of(net)[place].inputs[1:3]:
                net.set_values(index, np.zeros_like(net.values(index)))

    return _requantized(subject, name, f"{len(places)} of {n} heads of {which} are zero", change)


def _statistics(net: Net, operator: Any, draw: Draw, size: float) -> None:
    bias = net.values(operator.inputs[2])
    factor = np.exp(size * draw.standard_normal(len(bias)))
    scale_channels(
        net, operator, factor, size * (np.abs(bias).mean() + 1e-3) * draw.standard_normal(len(bias))
    )


def batch_norm(subject: Subject, draw: Draw, name: str) -> Broken:
    """Batch norm folded with other statistics, in all layers."""
    size = float(draw.uniform(0.12, 0.4))

    def change(net: Net) -> None:
        for operator in layers(net):
            _statistics(net, operator, draw, size)

    return _requantized(subject, name, f"channels scaled by e^±{size:.2f} and shifted, all layers", change)


def batch_norm_layer(subject: Subject, draw: Draw, name: str) -> Broken:
    """Batch norm folded with other statistics, in one layer."""
    size = float(draw.uniform(0.5, 1.2))
    change = partial(_statistics, draw=draw, size=size)
    return _one_layer(subject, draw, name, f"channels scaled by e^±{size:.2f} and shifted", change)


def few_bits(subject: Subject, draw: Draw, name: str) -> Broken:
    """Weights of 2 to 4 bits in a file that stores 8."""
    bits = int(draw.integers(2, 5))

    def change(net: Net) -> None:
        for operator in layers(net):
            values = net.values(operator.inputs[1])
            others = tuple(k for k in range(values.ndim) if k != channels(net, operator))
            step = np.abs(values).max(axis=others, keepdims=True) / (2 ** (bits - 1) - 1)
            step = np.where(step > 0, step, 1)
            net.set_values(operator.inputs[1], (np.rint(values / step) * step).astype(np.float32))

    return _requantized(subject, name, f"weights of {bits} bits", change)


def float_broken(subject: Subject, draw: Draw, name: str) -> Broken:
    """The float model is not the one that was trained: its side is worse."""
    size = float(draw.uniform(0.5, 1.0))

    def change(net: Net) -> None:
        for operator in layers(net):
            values = net.values(operator.inputs[1])
            noise = size * values.std() * draw.standard_normal(values.shape)
            net.set_values(operator.inputs[1], (values + noise).astype(np.float32))

    broken = subject.float_file(f"{name}-reference", edited(subject.float32, change))
    return Broken(subject.quantized_file(name, subject.int8), f"float weights moved by {size:.0%}", broken)


FAULTS = {
    "other-checkpoint": other_checkpoint,
    "class-order": class_order,
    "layer-clipped": layer_clipped,
    "layer-permuted": layer_permuted,
    "layer-scaled": layer_scaled,
    "layer-pruned": layer_pruned,
    "bgr-weights": bgr_weights,
    "bias-lost": bias_lost,
    "bias-scaled": bias_scaled,
    "bias-sign": bias_sign,
    "head-dead": head_dead,
    "batch-norm": batch_norm,
    "batch-norm-layer": batch_norm_layer,
    "few-bits": few_bits,
    "float-broken": float_broken,
}
