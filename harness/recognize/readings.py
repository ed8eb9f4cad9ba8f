"""List the readings of a model that its file leaves open: other orders, box formats, labels and preparations.

Each function yields cards that differ from the given one in one property, with words for the difference. Properties
that the file itself settles (the order that an operator's outputs tell, the pixels that an integer input takes) are not
varied.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from harness.accuracy.labels import COCO80_TO_90
from harness.cards import DecoderSpec, InputSpec, Labels, ModelCard
from harness.detectors.base import ModelContext
from harness.detectors.registry import make_decoder
from harness.detectors.roles import parse_order
from harness.errors import HarnessError
from harness.tflite.model import ModelDescription
from harness.tflite.tensor_info import TensorInfo

POSTPROCESSED = frozenset({"ssd-postprocess", "efficientdet-lite"})
YOLO = frozenset({"yolov5", "yolov6", "yolov8", "yolo11", "yolox"})
NORMALIZATIONS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "0…1": ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
    "-1…1": ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    "pixels": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "ImageNet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
}
"""real = (pixel − mean) / std, as float detectors are trained."""
_KEY = re.compile(r"decoder\.(\w+):")
_HEDGED = re.compile(r"probe|taken for|nothing|unless")
"""Words in evidence that leave something open."""


@dataclass(frozen=True)
class Reading:
    """One way to read a model.

    Attributes:
        words: Its difference from the first reading; empty for that one.
        card: The card.
    """

    words: str
    card: ModelCard


def settled(evidence: Sequence[str]) -> frozenset[str]:
    """Return the keys of the decoder that the file itself settles, by the sentences of an inferred card."""
    found = {match.group(1): sentence for sentence in evidence if (match := _KEY.match(sentence))}
    return frozenset(key for key, sentence in found.items() if not _HEDGED.search(sentence))


def decoders(card: ModelCard, facts: ModelDescription, known: frozenset[str]) -> Iterator[Reading]:
    """Yield readings of the outputs that the outputs' shapes allow; the card's own first.

    Args:
        card: The card to vary.
        facts: The model.
        known: Keys of the decoder to leave as they are.
    """
    yield Reading("", card)
    seen = {card.decoder}
    context = ModelContext(card.input.width, card.input.height, facts.path)
    for words, spec in _decoder_specs(card.decoder, facts):
        key = words.split()[0]
        if key not in known and spec not in seen and _fits(spec, facts.outputs, context):
            seen.add(spec)
            yield Reading(words, replace(card, decoder=spec))


def _fits(spec: DecoderSpec, outputs: tuple[TensorInfo, ...], context: ModelContext) -> bool:
    try:
        make_decoder(spec, outputs, context)
    except HarnessError:
        return False
    return True


def _decoder_specs(spec: DecoderSpec, facts: ModelDescription) -> Iterator[tuple[str, DecoderSpec]]:
    if spec.name in POSTPROCESSED:
        if facts.postprocess is None:
            yield from _orders(spec)
            yield from _changes(spec, box_format=("xyxy",), box_units=("pixels",))
    elif spec.name == "ssd-raw":
        yield from _changes(
            spec,
            box_format=("yxyx", "xyxy"),
            box_coding=("center-size", "corner-offsets"),
            scales=((10.0, 10.0, 5.0, 5.0), (1.0, 1.0, 1.0, 1.0)),
            activation=("none", "sigmoid", "softmax"),
            background=(True, False),
        )
    elif spec.name in YOLO:
        for name in ("yolov5", "yolov8", "yolox"):
            yield f"decoder {name}", replace(spec, name=name, box_format=None)
        yield from _changes(spec, box_format=("xywh", "xyxy", "yxyx", "grid"), activation=("none", "sigmoid"))
    elif spec.name == "end2end":
        yield from _changes(spec, order=("box,class,score",), box_format=("xyxy", "yxyx", "xywh", "ltwh"))
    elif spec.name == "boxes-scores":
        yield from _changes(
            spec,
            box_format=("xyxy", "xywh", "yxyx", "ltwh"),
            activation=("none", "sigmoid", "softmax"),
            background=("none", "first", "last"),
        )
    elif spec.name == "dfl":
        yield from _changes(spec, cell_offset=(0.0, 0.5), activation=("none", "sigmoid"))


def _changes(spec: DecoderSpec, **values: tuple[Any, ...]) -> Iterator[tuple[str, DecoderSpec]]:
    for key, choices in values.items():
        for choice in choices:
            yield f"{key} {_text(choice)}", replace(spec, **{key: choice})


def _orders(spec: DecoderSpec) -> Iterator[tuple[str, DecoderSpec]]:
    """Swap classes and scores, whose shapes are the same."""
    order = parse_order(spec.order or "tf1", spec.name)
    swap = {"classes": "scores", "scores": "classes"}
    other = ",".join(swap.get(role, role) for role in order)
    yield f"order {other}", replace(spec, order=other)


def labels(card: ModelCard, n_classes: int | None = None) -> Iterator[Reading]:
    """Yield the possible meanings of a class index: from 0 or 1, with a background, or COCO's 80 contiguous ids.

    Args:
        card: The card to vary.
        n_classes: Classes that the outputs tell apart; None where they do not say.
    """
    yield Reading("", card)
    for words, spec in (
        ("labels class + 1", Labels(offset=1)),
        ("labels class", Labels()),
        ("labels coco80", Labels(map="coco80")),
        ("labels coco80, background first", Labels(map="coco80", offset=-1)),
    ):
        as_many = spec.map is None or n_classes in {None, COCO80_TO_90.size - spec.offset}
        if as_many and (spec.offset, spec.map) != (card.labels.offset, card.labels.map):
            yield Reading(words, replace(card, labels=replace(spec, names=card.labels.names)))


def in_range(spec: Labels, smallest: int, largest: int) -> bool:
    """Whether all class indices from `smallest` to `largest` have a category."""
    if spec.ids is not None:
        return smallest >= 0 and largest < len(spec.ids)
    return spec.map != "coco80" or (smallest + spec.offset >= 0 and largest + spec.offset < COCO80_TO_90.size)


def normalizations(card: ModelCard, facts: ModelDescription) -> Iterator[Reading]:
    """Yield other normalizations, for a float input or an integer one whose range is unusual."""
    info = facts.image_input
    if card.input.mean is None and not info.dtype.startswith("float") and not _unusual(info):
        return
    for words, (mean, std) in NORMALIZATIONS.items():
        if (mean, std) != (card.input.mean, card.input.std):
            yield _with_input(card, f"input {words}", mean=mean, std=std)


def _unusual(info: TensorInfo) -> bool:
    """Whether an integer input's real range is none of 0…1, -1…1 and 0…255."""
    if info.scale is None:
        return False
    width = info.scale * 255
    return min(abs(width - usual) / usual for usual in (1.0, 2.0, 255.0)) > 0.03


def channels(card: ModelCard, facts: ModelDescription) -> Iterator[Reading]:
    """Yield the other order of the channels."""
    other = "bgr" if card.input.channels == "rgb" else "rgb"
    yield _with_input(card, f"channels {other}", channels=other)


def resizes(card: ModelCard, facts: ModelDescription) -> Iterator[Reading]:
    """Yield the other ways to resize an image."""
    ways: dict[str, dict[str, Any]] = {
        "stretch": {"resize": "stretch"},
        "letterbox": {"resize": "letterbox", "pad_position": "center"},
        "letterbox at the corner": {"resize": "letterbox", "pad_position": "corner"},
    }
    for words, changes in ways.items():
        reading = _with_input(card, words, **changes)
        if not _same_preparation(reading.card.input, card.input):
            yield reading


def methods(card: ModelCard, facts: ModelDescription) -> Iterator[Reading]:
    """Yield the other of the two usual ways to interpolate: with and without antialiasing."""
    plain = "opencv-bilinear" if card.decoder.name in {*YOLO, "dfl", "end2end"} else "tf-bilinear"
    other = plain if card.input.method == "pillow-bilinear" else "pillow-bilinear"
    yield _with_input(card, f"method {other}", method=other)


def _same_preparation(one: InputSpec, other: InputSpec) -> bool:
    same_way = one.resize == other.resize
    return same_way and (one.resize == "stretch" or one.pad_position == other.pad_position)


def _with_input(card: ModelCard, words: str, **changes: Any) -> Reading:
    return Reading(words, replace(card, input=replace(card.input, **changes)))


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(f"{number:g}" for number in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


PREPARATIONS: tuple[Callable[[ModelCard, ModelDescription], Iterator[Reading]], ...] = (
    normalizations,
    channels,
    resizes,
    methods,
)
"""Properties of the input to vary, one after another, each starting from the best so far."""
