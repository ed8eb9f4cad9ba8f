"""Faults drawn at random: kind, model, layer and size come of a seed, so that nothing can be fitted to a list of cases.

Nothing here looks at the causes or how they are found; only the names of right answers are written down.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.support.faults.kinds import sound, stated, storage, weights
from tests.support.faults.kinds.broken import Broken
from tests.support.faults.subjects import ORIGINS, Subject
from tests.support.faults.workshop import Fault, Workshop

MAKERS: dict[str, Callable[[Subject, np.random.Generator, str], Broken]] = {
    **weights.FAULTS,
    **storage.FAULTS,
    **stated.FAULTS,
}
SOUND = sound.FAULTS
ALL = tuple(ORIGINS)
POST = ("example", "ssd-v1")
RGB = ("example", "ssd-v1", "yolov5n", "person")


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes:
        answers: Names of the causes that say what is wrong, the plainest first.
        models: The models that it can be drawn on.
    """

    answers: tuple[str, ...]
    models: tuple[str, ...] = ALL


# fmt: off
KINDS: dict[str, Kind] = {
    # constants of another float model
    "other-checkpoint":  Kind(("other-checkpoint",)),
    "class-order":       Kind(("class-order",), ("example", "ssd-v1", "yolov5n", "nanodet")),
    "layer-clipped":     Kind(("layer-weights",)),
    "layer-permuted":    Kind(("layer-weights",)),
    "layer-scaled":      Kind(("layer-weights",)),
    "layer-pruned":      Kind(("layer-weights",)),
    "bgr-weights":       Kind(("layer-weights", "channel-order"), RGB),
    "bias-lost":         Kind(("layer-bias",)),
    "bias-scaled":       Kind(("layer-bias",)),
    "bias-sign":         Kind(("layer-bias",)),
    "head-dead":         Kind(("layer-weights", "layer-bias")),
    "batch-norm":        Kind(("batch-norm-statistics", "other-checkpoint")),
    "batch-norm-layer":  Kind(("layer-weights", "batch-norm-statistics")),
    "few-bits":          Kind(("few-bits",)),
    "float-broken":      Kind(("reference-fails",)),
    # what is said of stored numbers
    "zero-point-off":    Kind(("stored-scale",)),
    "scale-off":         Kind(("clipped-range", "activation-outliers", "stored-scale")),
    "moved-scale":       Kind(("stored-scale",)),
    "squashed-scale":    Kind(("stored-scale",), POST),
    "weight-scales":     Kind(("layer-weights",)),
    "bias-stored":       Kind(("layer-bias",)),
    "input-scale":       Kind(("input-stats", "input-quantization", "input-normalization")),
    # calibration
    "range-clipped":     Kind(("clipped-range", "representative-data")),
    "range-wide":        Kind(("activation-outliers",)),
    "percentile":        Kind(("representative-data", "clipped-range")),
    "noise-calibration": Kind(("representative-data",)),
    "dull-calibration":  Kind(("representative-data",)),
    "pixel-calibration": Kind(("representative-data",)),
    # cards, anchors, options, arguments
    "anchors":           Kind(("anchors",), POST),
    "box-scales":        Kind(("operator-options",), POST),
    "overlap":           Kind(("nms-settings",), POST),
    "score-threshold":   Kind(("nms-settings",), POST),
    "detections":        Kind(("nms-settings",), POST),
    "card-threshold":    Kind(("nms-settings",), ("yolov5n", "person", "nanodet")),
    "box-format":        Kind(("decoder-settings",), ("example", "ssd-v1", "yolov5n")),
    "output-order":      Kind(("output-order",), POST),
    "labels":            Kind(("label-offset",), ("example", "ssd-v1", "yolov5n")),
    "letterbox":         Kind(("input-geometry",), ("example", "ssd-v1", "yolov5n")),
    "channel-order":     Kind(("channel-order",), RGB),
    "normalization":     Kind(("input-normalization", "float-card"), RGB),
    "swapped-arguments": Kind(("wrong-pair",)),
    "same-file":         Kind(("wrong-pair",)),
    "resize-rules":      Kind(("operator-options",), ("yolov5n", "nanodet")),
    "other-network":     Kind(("wrong-pair",), ("example", "yolov5n")),
}
# fmt: on


@dataclass(frozen=True)
class Drawn:
    """A fault that was drawn.

    Attributes:
        kind: A key of `KINDS`, or of `SOUND` for a pair without a fault.
        model: The model that it was drawn on.
        what: What was done.
        fault: The pair; its causes are the right answers.
    """

    kind: str
    model: str
    what: str
    fault: Fault


class Drawer:
    """Draws faults on the models that are at hand."""

    def __init__(self, shop: Workshop, models: tuple[str, ...] = ALL) -> None:
        self.subjects = {name: subject for name in models if (subject := Subject(name, shop)).present}

    def draw(self, kind: str, seed: int, number: int) -> Drawn | None:
        """Draw one fault of a kind; None where no model that is at hand can have it."""
        draw = np.random.default_rng([seed, number, zlib.crc32(kind.encode())])
        models = [name for name in self._models(kind) if name in self.subjects]
        if not models:
            return None
        subject = self.subjects[str(draw.choice(models))]
        make = {**MAKERS, **SOUND}[kind]
        broken = make(subject, draw, f"{kind}-{seed}-{number}")
        reference = broken.reference or subject.reference
        answers = KINDS[kind].answers if kind in KINDS else ()
        return Drawn(
            kind, subject.name, broken.what, Fault(kind, answers, reference, broken.card, subject.dataset)
        )

    def _models(self, kind: str) -> tuple[str, ...]:
        return KINDS[kind].models if kind in KINDS else ALL
