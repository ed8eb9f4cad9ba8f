"""Sound pairs that look odd: nothing is to be claimed of them."""

import numpy as np

from tests.support.faults import quantizing
from tests.support.faults.graph import Net, edited
from tests.support.faults.kinds.broken import Broken
from tests.support.faults.kinds.weights import channels, scale_channels
from tests.support.faults.subjects import Subject, layers

Draw = np.random.Generator


def requantized(subject: Subject, draw: Draw, name: str) -> Broken:
    """Well quantized."""
    return Broken(subject.quantized_file(name, subject.int8), "quantized")


def fewer_samples(subject: Subject, draw: Draw, name: str) -> Broken:
    """Calibrated with other and fewer images."""
    n = int(draw.integers(4, len(subject.samples))) if len(subject.samples) > 5 else len(subject.samples)
    chosen = [subject.samples[k] for k in draw.permutation(len(subject.samples))[:n]]
    data = quantizing.quantize(subject.float32, quantizing.ranges(subject.float32, chosen))
    return Broken(subject.quantized_file(name, data), f"calibrated with {n} images")


def wider_ranges(subject: Subject, draw: Draw, name: str) -> Broken:
    """Ranges with slack, as of a calibrator that is careful."""
    slack = float(draw.uniform(1.02, 1.3))

    def widen(found: quantizing.Ranges) -> None:
        for entry in found.values():
            entry["min"], entry["max"] = entry["min"] * slack, entry["max"] * slack

    data = quantizing.quantize(subject.float32, subject.ranges, change=widen)
    return Broken(subject.quantized_file(name, data), f"ranges × {slack:.2f}")


def rescaled(subject: Subject, draw: Draw, name: str) -> Broken:
    """Channels scaled in one layer and back in the next, behind layers without an upper bound: the same function."""
    size = float(draw.uniform(0.2, 0.5))

    def change(net: Net) -> None:
        for first, second in _chains(net):
            factor = np.exp(size * draw.standard_normal(len(net.values(first.inputs[2]))))
            scale_channels(net, first, factor)
            _scale_inputs(net, second, 1 / factor)

    data = subject.requantized(edited(subject.float32, change))
    return Broken(subject.quantized_file(name, data), f"channels rescaled by e^±{size:.2f}")


def _chains(net: Net) -> list[tuple]:
    """Return pairs of convolutions where only the second reads the first, with nothing or ReLU in between."""
    found = []
    for first in layers(net):
        users = [o for o in net.operators if first.outputs[0] in o.inputs]
        plain = int(first.builtinOptions.fusedActivationFunction) in (0, 1)  # NONE, RELU
        if len(users) == 1 and plain and net.kind(users[0]) in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            found.append((first, users[0]))
    return found


def _scale_inputs(net: Net, operator, factor: np.ndarray) -> None:
    values = net.values(operator.inputs[1])
    net.set_values(operator.inputs[1], (values * factor.reshape(1, 1, 1, -1)).astype(np.float32))


def folded(subject: Subject, draw: Draw, name: str) -> Broken:
    """Weights that were stored as float16 before they were quantized."""

    def change(net: Net) -> None:
        for operator in layers(net):
            for index in operator.inputs[1:3]:
                net.set_values(index, net.values(index).astype(np.float16).astype(np.float32))

    data = subject.requantized(edited(subject.float32, change))
    return Broken(subject.quantized_file(name, data), "quantized from float16")


def dynamic(subject: Subject, draw: Draw, name: str) -> Broken:
    """Only the weights are rounded to 8 bits, and stay float in the file."""

    def change(net: Net) -> None:
        for operator in layers(net):
            values = net.values(operator.inputs[1])
            others = tuple(k for k in range(values.ndim) if k != channels(net, operator))
            step = np.abs(values).max(axis=others, keepdims=True) / 127
            step = np.where(step > 0, step, 1)
            net.set_values(operator.inputs[1], (np.rint(values / step) * step).astype(np.float32))

    return Broken(subject.float_file(name, edited(subject.float32, change)), "weights rounded to 8 bits")


FAULTS = {
    "requantized": requantized,
    "fewer-samples": fewer_samples,
    "wider-ranges": wider_ranges,
    "rescaled": rescaled,
    "folded": folded,
    "weights-only": dynamic,
}
