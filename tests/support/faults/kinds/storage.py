"""Faults of a quantized file: what is stored is right, and what is said of it is not."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.support.faults import quantizing
from tests.support.faults.graph import Net, edited
from tests.support.faults.kinds.broken import Broken
from tests.support.faults.subjects import Subject, layers

Draw = np.random.Generator
MOVERS = ("RESHAPE", "CONCATENATION", "TRANSPOSE", "PAD", "MAX_POOL_2D", "STRIDED_SLICE")
SQUASHING = ("LOGISTIC", "SOFTMAX", "TANH")


def _edit(subject: Subject, name: str, what: str, change: Callable[[Net], None]) -> Broken:
    return Broken(subject.quantized_file(name, edited(subject.int8, change)), what)


def _activations(net: Net, *kinds: str) -> list[int]:
    """Return the stored outputs of operators; of all kinds where none is named."""
    found = []
    for operator in net.all(*kinds) if kinds else net.operators:
        for index in operator.outputs:
            how = net.tensors[index].quantization
            if how is not None and how.scale is not None and len(how.scale) == 1:
                found.append(index)
    return found


def _drawn_activation(subject: Subject, draw: Draw, *kinds: str) -> tuple[int, str]:
    net = Net(subject.int8)
    index = int(draw.choice(_activations(net, *kinds)))
    return index, net.name(index).split(";")[0]


def zero_point_off(subject: Subject, draw: Draw, name: str) -> Broken:
    """One activation's zero point is another one in the file than what its maker meant."""
    index, title = _drawn_activation(subject, draw, "CONV_2D", "DEPTHWISE_CONV_2D", "ADD")
    by = int(draw.integers(12, 50)) * int(draw.choice([-1, 1]))

    def change(net: Net) -> None:
        _own_view(net, index, lambda how: _shift(how, by))

    return _edit(subject, name, f"zero point of {title} off by {by} for its users", change)


def _shift(how: Any, by: int) -> None:
    how.zeroPoint = [int(np.clip(int(how.zeroPoint[0]) + by, -128, 127))]


def _own_view(net: Net, index: int, change: Callable[[Any], None]) -> None:
    """Let what reads a tensor see other quantization than what writes it: a RESHAPE moves the bytes."""
    from copy import deepcopy

    from ai_edge_litert import schema_py_generated as s

    tensor = net.tensors[index]
    seen = net.tensor(f"{net.name(index)}/kept", tensor.shape, tensor.type)
    net.tensors[seen].quantization = deepcopy(tensor.quantization)
    change(net.tensors[seen].quantization)
    shape = net.constant(f"{net.name(index)}/shape", np.asarray(tensor.shape, np.int32))
    maker = next(k for k, o in enumerate(net.operators) if index in o.outputs)
    for operator in net.operators:
        operator.inputs = [seen if k == index else k for k in operator.inputs]
    options = s.ReshapeOptionsT()
    added = net.operator(
        "RESHAPE", [index, shape], [seen], options, s.BuiltinOptions.ReshapeOptions, maker + 1
    )
    net.model.operatorCodes[added.opcodeIndex].version = 1


def scale_off(subject: Subject, draw: Draw, name: str) -> Broken:
    """One activation's scale and its layer's are another one than its ranges gave: values saturate or coarsen."""
    index, title = _drawn_activation(subject, draw, "CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MUL")
    factor = float(draw.choice([draw.uniform(0.15, 0.4), draw.uniform(8, 40)]))

    def change(net: Net) -> None:
        how = net.tensors[index].quantization
        how.scale = [float(how.scale[0]) * factor]

    return _edit(subject, name, f"scale of {title} × {factor:.2f}", change)


def moved_scale(subject: Subject, draw: Draw, name: str) -> Broken:
    """Bytes are moved, and what they mean changes on the way."""
    index, title = _drawn_activation(subject, draw, *MOVERS)
    factor = float(draw.choice([draw.uniform(0.4, 0.75), draw.uniform(1.4, 2.5)]))

    def change(net: Net) -> None:
        how = net.tensors[index].quantization
        how.scale = [float(how.scale[0]) * factor]

    return _edit(subject, name, f"scale of the moved {title} × {factor:.2f}", change)


def squashed_scale(subject: Subject, draw: Draw, name: str) -> Broken:
    """LOGISTIC or SOFTMAX with another scale than the 1/256 that it must have."""
    index, title = _drawn_activation(subject, draw, *SQUASHING)
    factor = float(draw.choice([draw.uniform(0.25, 0.6), draw.uniform(2, 8)]))

    def change(net: Net) -> None:
        how = net.tensors[index].quantization
        how.scale = [float(how.scale[0]) * factor]

    return _edit(subject, name, f"scale of {title} × {factor:.2f}", change)


def weight_scales(subject: Subject, draw: Draw, name: str) -> Broken:
    """One layer's scales are those of other channels, or too large as a whole."""
    net = Net(subject.int8)
    places = [k for k, operator in enumerate(layers(net)) if _n_scales(net, operator) > 1]
    place = int(draw.choice(places))
    way = str(draw.choice(["permuted", "scaled"]))
    factor = float(draw.uniform(1.8, 4))

    def change(net: Net) -> None:
        how = net.tensors[layers(net)[place].inputs[1]].quantization
        scales = np.asarray(how.scale, np.float64)
        how.scale = [float(k) for k in (draw.permutation(scales) if way == "permuted" else scales * factor)]

    return _edit(subject, name, f"weight scales of layer {place} {way}", change)


def _n_scales(net: Net, operator: Any) -> int:
    how = net.tensors[operator.inputs[1]].quantization
    return 0 if how is None or how.scale is None else len(how.scale)


def bias_stored(subject: Subject, draw: Draw, name: str) -> Broken:
    """The stored bias of some layers is lost, doubled or of the wrong sign; the float model's is right."""
    factor = float(draw.choice([0.0, -1.0, draw.uniform(2, 4)]))
    n = len(layers(Net(subject.int8)))
    places = draw.permutation(n)[: int(draw.integers(1, 5))]

    def change(net: Net) -> None:
        for place in places:
            index = layers(net)[place].inputs[2]
            net.set_values(index, np.rint(net.values(index) * factor).astype(net.values(index).dtype))

    return _edit(subject, name, f"stored bias × {factor:.2f} in {len(places)} layers", change)


def input_scale(subject: Subject, draw: Draw, name: str) -> Broken:
    """The input's scale and zero point are those of another normalization."""
    scale, zero = ((1 / 255, -128), (1 / 32, 0), (1 / 64, -20))[int(draw.integers(3))]

    def change(net: Net) -> None:
        index = net.graph.inputs[0]
        how = net.tensors[index].quantization
        how.scale, how.zeroPoint = [scale * float(draw.uniform(0.9, 1.1))], [zero]

    return _edit(subject, name, f"input's scale {scale:.4f}, zero point {zero}", change)


def _calibrated(subject: Subject, name: str, what: str, spoil: Callable[[quantizing.Ranges], None]) -> Broken:
    data = quantizing.quantize(subject.float32, subject.ranges, change=spoil)
    return Broken(subject.quantized_file(name, data), what)


def _of_samples(subject: Subject, name: str, what: str, samples: list[np.ndarray]) -> Broken:
    data = quantizing.quantize(subject.float32, quantizing.ranges(subject.float32, samples))
    return Broken(subject.quantized_file(name, data), what)


def _computed(subject: Subject) -> list[str]:
    """Return the names of the computed activations that have ranges."""
    net = Net(subject.float32)
    made = [
        net.name(o.outputs[0]) for o in net.all("CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MUL", "LEAKY_RELU")
    ]
    return [name for name in made if name in subject.ranges]


def range_clipped(subject: Subject, draw: Draw, name: str) -> Broken:
    """One activation's range is too short."""
    title, share = str(draw.choice(_computed(subject))), float(draw.uniform(0.15, 0.4))

    def spoil(found: quantizing.Ranges) -> None:
        found[title]["min"], found[title]["max"] = found[title]["min"] * share, found[title]["max"] * share

    return _calibrated(subject, name, f"range of {title.split(';', maxsplit=1)[0]} × {share:.2f}", spoil)


def range_wide(subject: Subject, draw: Draw, name: str) -> Broken:
    """One activation's range is blown up by a wild value."""
    title, factor = str(draw.choice(_computed(subject))), float(draw.uniform(30, 200))

    def spoil(found: quantizing.Ranges) -> None:
        found[title]["max"] = found[title]["max"] * factor

    return _calibrated(subject, name, f"range of {title.split(';', maxsplit=1)[0]} × {factor:.0f}", spoil)


def percentile(subject: Subject, draw: Draw, name: str) -> Broken:
    """A calibrator that leaves out the largest values of every tensor."""
    share = float(draw.uniform(0.3, 0.6))

    def spoil(found: quantizing.Ranges) -> None:
        for title in set(_computed(subject)):
            own = share * float(np.exp(0.2 * draw.standard_normal()))
            found[title]["min"], found[title]["max"] = found[title]["min"] * own, found[title]["max"] * own

    return _calibrated(subject, name, f"every range × {share:.2f}", spoil)


def noise_calibration(subject: Subject, draw: Draw, name: str) -> Broken:
    """Calibrated with random numbers."""
    size = float(draw.choice([0.1, 1.0, 3.0]))
    samples = [(size * draw.standard_normal(one.shape)).astype(np.float32) for one in subject.samples]
    return _of_samples(subject, name, f"calibrated with noise of {size:g}", samples)


def dull_calibration(subject: Subject, draw: Draw, name: str) -> Broken:
    """Calibrated with images of hardly any contrast."""
    share = float(draw.uniform(0.02, 0.15))
    samples = [(one * share + (1 - share) * one.mean()).astype(np.float32) for one in subject.samples]
    return _of_samples(subject, name, f"calibrated with {share:.0%} of the contrast", samples)


def pixel_calibration(subject: Subject, draw: Draw, name: str) -> Broken:
    """Calibrated with images normalized otherwise."""
    factor = float(draw.choice([127.5, 255.0, 40.0]))
    return _of_samples(
        subject,
        name,
        f"calibrated on values × {factor:g}",
        [one * np.float32(factor) for one in subject.samples],
    )


FAULTS = {
    "zero-point-off": zero_point_off,
    "scale-off": scale_off,
    "moved-scale": moved_scale,
    "squashed-scale": squashed_scale,
    "weight-scales": weight_scales,
    "bias-stored": bias_stored,
    "input-scale": input_scale,
    "range-clipped": range_clipped,
    "range-wide": range_wide,
    "percentile": percentile,
    "noise-calibration": noise_calibration,
    "dull-calibration": dull_calibration,
    "pixel-calibration": pixel_calibration,
}
