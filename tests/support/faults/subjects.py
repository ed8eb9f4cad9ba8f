"""The models that faults are drawn on: each as a float file, well quantized, with images to calibrate and evaluate."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from harness.accuracy.dataset import find_dataset
from harness.accuracy.prepare import Preparation
from harness.recognize.card import infer_card
from harness.tflite.model import describe
from tests.support.faults import quantizing
from tests.support.faults.floats import floated
from tests.support.faults.graph import Net, edited
from tests.support.faults.workshop import Workshop

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
MOVES = {
    "RESHAPE",
    "CONCATENATION",
    "TRANSPOSE",
    "LOGISTIC",
    "STRIDED_SLICE",
    "MUL",
    "ADD",
    "SUB",
    "SPLIT_V",
    "SOFTMAX",
}


@dataclass(frozen=True)
class Origin:
    """Where a model comes from, and what its numbers mean.

    Attributes:
        file: Below the folder of the development data; None for the bundled example.
        normalization: `(mean, std)` of its float input; None where the file's own card says it.
        classes: How class scores lie in the channels of the last convolutions: channels of one anchor, the first class
            and the number of classes; None where there are no two classes.
        samples: Images to calibrate with.
    """

    file: str | None
    normalization: tuple[float, float] | None
    classes: tuple[int, int, int] | None
    samples: int


ORIGINS = {
    "example": Origin(None, None, (7, 1, 6), 12),
    "ssd-v1": Origin("data/models/ssd_mobilenet_v1_coco_quant.tflite", (128.0, 128.0), (91, 1, 90), 8),
    "yolov5n": Origin("data/models/yolov5n-fp16.tflite", None, (85, 5, 80), 6),
    "person": Origin("cases/models/yolov8n_person_320.tflite", None, None, 8),
    "nanodet": Origin("cases/models/nanodet_m_320.tflite", None, (112, 0, 80), 8),
}


class Subject:
    """One of the models, ready to be broken."""

    def __init__(self, name: str, shop: Workshop) -> None:
        self.name, self.shop, self.origin = name, shop, ORIGINS[name]

    @property
    def file(self) -> Path:
        if self.origin.file is None:
            return self.shop.file_of("shapes-float32")
        return self.shop.shared.parent / self.origin.file

    @property
    def present(self) -> bool:
        return self.file.is_file()

    @property
    def dataset(self) -> Path:
        return self.shop.dataset if self.origin.file is None else self.shop.shared / "coco50"

    @cached_property
    def float32(self) -> bytes:
        """The float model, with constants in float32."""
        return self.shop.float32 if self.origin.file is None else floated(self.file.read_bytes())

    @cached_property
    def reference(self) -> Path:
        """The float model's card."""
        return self.shop.float_card if self.origin.file is None else self.float_file("float", self.float32)

    def float_file(self, name: str, data: bytes, **changes: Any) -> Path:
        """Write a float model with the card that goes with it."""
        if self.origin.normalization is not None:
            mean, std = ((value,) * 3 for value in self.origin.normalization)
            changes = {"input__mean": mean, "input__std": std, **changes}
        return self.shop.card(f"{self.name}-{name}", self._like, data, **changes)

    quantized_file = float_file
    """A quantized model is fed and read as the float one: its outputs are float, its input is in real units."""

    @property
    def _like(self) -> Path | str:
        return "shapes-float32" if self.origin.file is None else self.file

    @cached_property
    def samples(self) -> list[np.ndarray]:
        """Images as the float model takes them."""
        if self.origin.file is None:
            return self.shop.samples[: self.origin.samples]
        model = infer_card(self.reference) if self.reference.suffix == ".tflite" else _loaded(self.reference)
        preparation = Preparation(model.card.input, describe(model.file).image_input)
        images = find_dataset(self.dataset).images[-self.origin.samples :]
        return [preparation.load(image.file)[0] for image in images]

    @cached_property
    def ranges(self) -> quantizing.Ranges:
        return quantizing.ranges(self.float32, self.samples)

    @cached_property
    def int8(self) -> bytes:
        """The float model, well quantized."""
        return quantizing.quantize(self.float32, self.ranges)

    def requantized(self, data: bytes) -> bytes:
        """Return another float model, well quantized with its own ranges."""
        return quantizing.quantize(data, quantizing.ranges(data, self.samples))


def _loaded(card: Path):
    from harness.cards import load_card

    return load_card(card)


def layers(net: Net) -> list[Any]:
    """Return the operators with weights and a bias of their own."""
    return [one for one in net.all(*WEIGHTED) if len(one.inputs) > 2 and one.inputs[2] >= 0]


def last_layers(net: Net, start: int) -> list[Any]:
    """Return the last convolutions before a tensor, walking back over what only moves or squashes numbers."""
    makers = {index: operator for operator in net.operators for index in operator.outputs}
    found, waiting, seen = [], [start], set()
    while waiting:
        index = waiting.pop()
        operator = makers.get(index)
        if operator is None or index in seen:
            continue
        seen.add(index)
        if net.kind(operator) in WEIGHTED:
            found.append(operator)
        else:
            waiting += [k for k in operator.inputs if k >= 0]
    return found


def score_layers(net: Net) -> list[Any]:
    """Return the convolutions that class scores come from."""
    post = net.all("TFLite_Detection_PostProcess")
    starts = [post[0].inputs[1]] if post else list(net.graph.outputs)
    return [one for start in starts for one in last_layers(net, start)]


def box_layers(net: Net) -> list[Any]:
    """Return the convolutions that boxes come from; those of the scores, where one gives both."""
    post = net.all("TFLite_Detection_PostProcess")
    return last_layers(net, post[0].inputs[0]) if post else score_layers(net)


__all__ = ["ORIGINS", "Net", "Subject", "box_layers", "edited", "last_layers", "layers", "score_layers"]
