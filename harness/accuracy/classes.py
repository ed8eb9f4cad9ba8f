"""Which category of a data set each class of a model is: by name, and by id where there are no names.

Ids mean nothing by themselves: label tools number from 0 or 1, by the alphabet, or with a grouping category first.
Names are compared without case, spaces, underscores and hyphens; VOC's and COCO's words for one thing are the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.accuracy.coco_json import first_few as listed
from harness.accuracy.labels import COCO80_TO_90, LEFT_OUT
from harness.cards import Labels
from harness.errors import ModelError, UsageError
from harness.records.records import ClassMatch
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
    "pottedplant": "pottedplant",
    "diningtable": "diningtable",
    "cellphone": "cellphone",
    "mobilephone": "cellphone",
    "hairdryer": "hairdrier",
    "doughnut": "donut",
}
"""Words of VOC, COCO and their translations for one thing, as `plain` writes them."""
COCO_IDS_90 = 90
Names = Sequence[str]


def plain(name: str) -> str:
    """Return a class name as it is compared: lower case, letters and digits only, one word for synonyms."""
    word = re.sub(r"[\s_\-]+", "", name.strip().lower())
    return SYNONYMS.get(word, word)


@dataclass(frozen=True)
class KnownNames:
    """The names of a model's classes.

    Attributes:
        names: By class index; "" for one that has none.
        source: Where they come from, in words.
    """

    names: tuple[str, ...]
    source: str


def names_of(labels: Labels, in_file: Names, n_classes: int | None) -> KnownNames | None:
    """Return the names of a model's classes, by the best source there is; None where nothing tells them.

    Args:
        labels: The card's.
        in_file: Names in the model's own metadata, a background line first or not.
        n_classes: Classes that the outputs have, without the background; None where they do not tell.
    """
    if labels.names is not None:
        return KnownNames(labels.names, "the card")
    own = _without_background(in_file, n_classes)
    if own:
        return KnownNames(own, "the model's own metadata")
    if isinstance(labels.map, str):
        return KnownNames(COCO_NAMES, "COCO's 80 classes, as the card says")
    if labels.ids is None and labels.map is None and n_classes == COCO_IDS_90 and labels.offset == 1:
        return KnownNames(_coco_90(), "COCO's list, by their number, 90")
    return None


def _without_background(names: Names, n_classes: int | None) -> tuple[str, ...]:
    if names and names[0].strip().lower() in BACKGROUND and n_classes in {None, len(names) - 1}:
        names = names[1:]
    return tuple(names) if n_classes in {None, len(names)} else ()


def _coco_90() -> tuple[str, ...]:
    by_id = dict(zip(COCO80_TO_90.tolist(), COCO_NAMES, strict=True))
    return tuple(by_id.get(number, "") for number in range(1, COCO_IDS_90 + 1))


@dataclass(frozen=True)
class Matching:
    """The classes of a model matched with the categories of a data set.

    Attributes:
        labels: The card's labels with `ids`: the category of each class, or `LEFT_OUT`.
        facts: What was matched, for the record.
        categories: Ids of the categories that are evaluated; None for all of the data set's.
    """

    labels: Labels
    facts: ClassMatch
    categories: tuple[int, ...] | None = None

    @property
    def sentence(self) -> str:
        """What was matched, for the user."""
        facts = self.facts
        if facts.matched_by == "id":
            return "classes are taken by id: " + (facts.remark or "there are no names to match them by")
        parts = [f"classes matched by name: {facts.n_matched} of the data set's {facts.n_categories}"]
        if facts.unknown_to_model:
            parts.append(f"the model does not know {listed(facts.unknown_to_model)}")
        if facts.not_in_dataset:
            parts.append(f"the data set has no {listed(facts.not_in_dataset)}")
        return "; ".join(parts) + f" (names from {facts.source})"


@dataclass(frozen=True)
class Choice:
    """`--classes`: the categories that the evaluation is restricted to; all where it names none."""

    names: tuple[str, ...] = field(default=())

    def of(self, categories: Mapping[int, str]) -> tuple[int, ...] | None:
        """Return the ids that are meant; None for all.

        Raises:
            UsageError: A name that the data set does not have.
        """
        if not self.names:
            return None
        known: dict[str, list[int]] = {}
        for number, name in categories.items():
            known.setdefault(plain(name), []).append(number)
        for name in self.names:
            if plain(name) not in known:
                some = listed(sorted(categories.values()))
                raise UsageError(f"--classes {name}: the data set has no such category; it has {some}")
        return tuple(sorted({number for name in self.names for number in known[plain(name)]}))


def match_classes(
    labels: Labels, known: KnownNames | None, categories: Mapping[int, str], choice: Choice | None = None
) -> Matching:
    """Match a model's classes with a data set's categories.

    Args:
        labels: The card's.
        known: The names of the model's classes.
        categories: Name by id, of the data set.
        choice: Restricts the evaluation to some categories.

    Raises:
        ModelError: The names of both sides are known and none of them is on both.
        UsageError: A chosen category that the data set does not have.
    """
    chosen = (choice or Choice()).of(categories)
    if labels.ids is not None:
        return _by_id(labels, categories, chosen, "the card says them (labels.ids)")
    renamed = _renamed(labels, known)
    if renamed is None:
        return _by_id(labels, categories, chosen, "nothing names the model's classes")
    ids = _ids_by_name(renamed.names, categories)
    if all(number == LEFT_OUT for number in ids):
        if _says_nothing(categories):
            return _by_id(labels, categories, chosen, "the data set's categories have numbers for names")
        raise ModelError(
            f"none of the model's {len(renamed.names)} classes ({listed(tuple(filter(None, renamed.names)))}; names "
            f"from {renamed.source}) is a category of the data set ({listed(tuple(categories.values()))}): measure it "
            "on a data set of its own classes, or say which class is which in its card, as "
            'labels.map = { "class" = "category" }'
        )
    return _named(labels, renamed, categories, ids, chosen)


def _renamed(labels: Labels, known: KnownNames | None) -> KnownNames | None:
    """Put the data set's words in the place of the model's, as `labels.map = {...}` says."""
    if known is None or not isinstance(labels.map, Mapping):
        return known
    words = {plain(name): other for name, other in labels.map.items()}
    return KnownNames(tuple(words.get(plain(name), name) for name in known.names), known.source)


def _ids_by_name(names: Names, categories: Mapping[int, str]) -> tuple[int, ...]:
    """Return the category of each class; of categories that share a name, the first by id."""
    known: dict[str, int] = {}
    for number in sorted(categories):
        known.setdefault(plain(categories[number]), number)
    return tuple(known.get(plain(name), LEFT_OUT) if name else LEFT_OUT for name in names)


def _says_nothing(categories: Mapping[int, str]) -> bool:
    """Whether categories are named by numbers, as converters do that were given no names (`0`, `class 3`)."""
    return all(re.fullmatch(r"(class|category|label)?\d*", plain(name)) for name in categories.values())


def _named(
    labels: Labels,
    known: KnownNames,
    categories: Mapping[int, str],
    ids: tuple[int, ...],
    chosen: tuple[int, ...] | None,
) -> Matching:
    matched = {number for number in ids if number != LEFT_OUT}
    evaluated = matched if chosen is None else matched & set(chosen)
    wanted = set(categories) if chosen is None else set(chosen)
    if not evaluated:
        raise ModelError(
            f"the model knows none of the chosen classes: it has {listed(tuple(filter(None, known.names)))} "
            f"(names from {known.source})"
        )
    lacking = tuple(categories[number] for number in sorted(wanted - matched))
    foreign = tuple(
        name for name, number in zip(known.names, ids, strict=True) if name and number == LEFT_OUT
    )
    facts = ClassMatch(
        matched_by="name",
        n_matched=len(evaluated),
        n_categories=len(wanted),
        source=known.source,
        unknown_to_model=lacking,
        not_in_dataset=foreign,
    )
    restricted = None if evaluated == set(categories) else tuple(sorted(evaluated))
    return Matching(_with_ids(labels, known, ids), facts, restricted)


def _with_ids(labels: Labels, known: KnownNames, ids: tuple[int, ...]) -> Labels:
    return Labels(names=known.names, ids=ids)


def _by_id(
    labels: Labels, categories: Mapping[int, str], chosen: tuple[int, ...] | None, remark: str
) -> Matching:
    n = len(categories if chosen is None else chosen)
    facts = ClassMatch(matched_by="id", n_matched=n, n_categories=n, remark=remark)
    return Matching(labels, facts, chosen)
