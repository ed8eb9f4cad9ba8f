"""NMS as an axis: one model, several settings of its non-maximum suppression, each a cell of its own.

Where the model ends in `TFLite_Detection_PostProcess`, the operator's options are set in a copy of the file, so that
latency and accuracy are those of the model as it would ship. Where it gives raw heads, suppression runs on this
computer after the inference; its cost is in no latency, and the remarks say so.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from msgspec.structs import replace as replaced

from harness import atomic
from harness.bench.request import NmsAxes
from harness.cards import Model, NmsSpec, Source, cache_folder
from harness.errors import UsageError
from harness.paths import is_file
from harness.tflite.model import ModelDescription, describe

RAW_FAMILIES = frozenset({"ssd-raw", "yolov5", "yolov8", "yolo11", "yolox"})
_POSTPROCESSED = frozenset({"ssd-postprocess", "efficientdet-lite"})


def combinations(axes: NmsAxes) -> Iterator[NmsSpec]:
    """Yield every combination of the values that are given, in the order they are given."""
    given = {name: getattr(axes, name) for name in axes.__struct_fields__ if getattr(axes, name)}
    for values in itertools.product(*given.values()):
        yield NmsSpec(**dict(zip(given, values, strict=True)))


_ON_THE_HOST = (
    "runs on this computer, after the inference: the latency of these rows is that of the model alone"
)
_SHORT = {
    "kind": "nms",
    "score_threshold": "score",
    "iou_threshold": "iou",
    "max_detections": "max",
    "detections_per_class": "per-class",
}


def suffix(spec: NmsSpec) -> str:
    """Return how a setting is called in the table: `[nms=regular,score=0.3]`."""
    given = ((short, getattr(spec, name)) for name, short in _SHORT.items())
    parts = (
        f"{name}={value:.9g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in given
        if value is not None
    )
    return f"[{','.join(parts)}]"


def expand(
    model: Model, facts: ModelDescription, axes: NmsAxes
) -> tuple[list[tuple[Model, ModelDescription]], str]:
    """Return the model once for every combination of settings, and a remark for the user (empty for none).

    Raises:
        UsageError: The model has no suppression that could be set.
        ModelError: A value that its operator refuses.
    """
    if facts.postprocess is not None and model.card.decoder.name in _POSTPROCESSED:
        return [_edited(model, facts, spec) for spec in combinations(axes)], ""
    if model.card.decoder.name not in RAW_FAMILIES:
        raise UsageError(
            f"model {model.name!r}: its NMS cannot be set: it has no operator TFLite_Detection_PostProcess, and its "
            f"decoder {model.card.decoder.name!r} is not one of raw heads ({', '.join(sorted(RAW_FAMILIES))})"
        )
    told = replace(model, evidence=(*model.evidence, f"decoder.nms: {_ON_THE_HOST}."))
    variants = [(_with(told, spec), facts) for spec in combinations(axes)]
    return variants, f"{model.name}: NMS {_ON_THE_HOST}"


def _with(model: Model, spec: NmsSpec) -> Model:
    """Return the model under a name and with a card that tell the settings."""
    given = {name: value for name in spec.__struct_fields__ if (value := getattr(spec, name)) is not None}
    decoder = replaced(model.card.decoder, nms=replaced(model.card.decoder.nms, **given))
    return replace(model, card=replaced(model.card, name=model.name + suffix(spec), decoder=decoder))


def _edited(model: Model, facts: ModelDescription, spec: NmsSpec) -> tuple[Model, ModelDescription]:
    """Set the options in a copy of the file, kept in the cache under the hash of the original."""
    from harness.edit.nms import with_nms  # late: most plans have one setting

    options = facts.postprocess
    assert options is not None
    if spec.kind == "class-aware":
        raise UsageError(
            f"model {model.name!r}: its operator knows regular and fast NMS: class-aware is for raw heads"
        )
    regular = options.use_regular_nms if spec.kind is None else spec.kind == "regular"
    data = with_nms(
        model.file.read_bytes(),
        regular=None if spec.kind is None else regular,
        score_threshold=spec.score_threshold,
        iou_threshold=spec.iou_threshold,
        max_detections=spec.max_detections,
        detections_per_class=spec.detections_per_class,
        name=model.name,
    )
    path = _place(model, facts, spec)
    if not is_file(path) or path.read_bytes() != data:
        atomic.write_bytes(path, data)
    edited = describe(path)
    changed = _with(
        model, replaced(spec, classes_per_detection=1 if regular else options.max_classes_per_detection)
    )
    source = Source(path=str(path.name), sha256=edited.sha256)
    evidence = (
        f"decoder.nms: set in a copy of {model.file.name} (sha256 {facts.sha256}), nothing else changed."
    )
    card = replaced(changed.card, source=source)
    return replace(changed, card=card, file=path, evidence=(*model.evidence, evidence)), edited


def _place(model: Model, facts: ModelDescription, spec: NmsSpec) -> Path:
    words = re.sub(r"[^A-Za-z0-9.=_-]+", "-", suffix(spec)).strip("-")
    return cache_folder() / "nms" / facts.sha256[:16] / f"{model.file.stem}-{words}.tflite"
