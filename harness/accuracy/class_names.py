"""Names of classes: how they are compared, the lists that everybody knows, and where a model's come from."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from harness.accuracy.labels import COCO80_TO_90
from harness.cards import Labels
from harness.errors import ModelError
from harness.tflite.metadata import BACKGROUND

# fmt: off
COCO_NAMES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant",
    "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard",
    "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli",
    "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed", "dining table", "toilet",
    "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink",
    "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
)
"""COCO's 80 classes in the order of their ids (cocoapi, instances_val2017.json)."""
VOC_NAMES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)
"""Pascal VOC's 20 classes in the usual order, which is the alphabet's (VOCdevkit, VOCinit.m)."""
# fmt: on
SYNONYMS = {
    "aeroplane": "airplane",
    "motorbike": "motorcycle",
    "sofa": "couch",
    "tvmonitor": "tv",
    "television": "tv",
    "mobilephone": "cellphone",
    "hairdryer": "hairdrier",
    "doughnut": "donut",
}
"""Words of VOC, COCO and their translations for one thing, as `spelled` writes them."""
COCO_IDS_90 = 90
VOC_CLASSES_20 = len(VOC_NAMES)
_JOINTS = re.compile(r"[\s_\-\u2010-\u2015]+")
_NUMBERED = re.compile(r"(?:class|category|label)?(\d*)")
Names = Sequence[str]


def spelled(name: str) -> str:
    """Return a name without case, spaces, underscores and hyphens; one that has nothing else as it is."""
    text = unicodedata.normalize("NFKC", name).casefold().strip()
    return _JOINTS.sub("", text) or text


def plain(name: str) -> str:
    """Return a class name as it is compared: as `spelled`, with one word for synonyms."""
    word = spelled(name)
    return SYNONYMS.get(word, word)


def number_in(name: str) -> int | None:
    """Return the number of a name that says nothing else (`3`, `class 3`); -1 for `class`, None for a real name."""
    match = _NUMBERED.fullmatch(spelled(name))
    return None if match is None else int(match[1] or -1)


@dataclass(frozen=True)
class KnownNames:
    """The names of a model's classes.

    Attributes:
        names: By class index; "" for one that has none.
        source: Where they come from, in words.
        guessed: Whether nothing but their number tells the list, and others have as many.
    """

    names: tuple[str, ...]
    source: str
    guessed: bool = False

    @property
    def real(self) -> tuple[str, ...]:
        """Those that are there."""
        return tuple(filter(None, self.names))

    @property
    def are_numbers(self) -> bool:
        """Whether they say nothing but numbers, as of an export that was given no names."""
        return all(number_in(name) is not None for name in self.real)


def names_of(labels: Labels, in_file: Names, n_classes: int | None) -> KnownNames | None:
    """Return the names of a model's classes, by the best source there is; None where nothing tells them.

    Args:
        labels: The card's.
        in_file: Names in the model's own metadata, a background line first or not.
        n_classes: Classes that the outputs have, without the background; None where they do not tell.

    Raises:
        ModelError: The card names another number of classes than the outputs have.
    """
    if labels.names is not None:
        named = () if n_classes is None else _without_background(labels.names, n_classes)
        return KnownNames(_as_many(named or labels.names, n_classes, "labels.names"), "the card")
    own = _without_background(in_file, n_classes)
    if own:
        return KnownNames(own, "the model's own metadata")
    if isinstance(labels.map, str):
        coco = _shifted(COCO_NAMES, labels.offset)
        return KnownNames(_as_many(coco, n_classes, "labels.map"), "COCO's 80 classes, as the card says")
    return _by_number(n_classes, labels) if labels.ids is None else None


def _as_many(names: tuple[str, ...], n_classes: int | None, key: str) -> tuple[str, ...]:
    if n_classes not in {None, len(names)}:
        raise ModelError(
            f"the outputs tell {n_classes} classes apart, but the card's {key} names {len(names)}: name every class, "
            'in the order of the outputs, "" for one that is not used'
        )
    return names


def _without_background(names: Names, n_classes: int | None) -> tuple[str, ...]:
    if names and names[0].strip().lower() in BACKGROUND and n_classes in {None, len(names) - 1}:
        names = names[1:]
    return tuple(names) if n_classes in {None, len(names)} else ()


def _shifted(names: Names, offset: int) -> tuple[str, ...]:
    """Return names by class index where class + offset is the place in the list."""
    return (*("",) * -offset, *names) if offset < 0 else tuple(names[offset:])


def _by_number(n_classes: int | None, labels: Labels) -> KnownNames | None:
    """Return the list that has as many names as there are classes, of those that detectors are trained on."""
    if labels.map is not None or n_classes is None:
        return None
    if (n_classes, labels.offset) in {(COCO_IDS_90, 1), (COCO_IDS_90 + 1, 0)}:
        names = _shifted(_coco_90(), labels.offset - 1)
        return KnownNames(names, f"COCO's list, by their number, {n_classes}")
    if n_classes == VOC_CLASSES_20:
        return KnownNames(VOC_NAMES, "Pascal VOC's list, by their number, 20", guessed=True)
    return None


def _coco_90() -> tuple[str, ...]:
    by_id = dict(zip(COCO80_TO_90.tolist(), COCO_NAMES, strict=True))
    return tuple(by_id.get(number, "") for number in range(1, COCO_IDS_90 + 1))
