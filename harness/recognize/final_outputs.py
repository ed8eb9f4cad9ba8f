"""Recognize final detections in three or four outputs of any order and naming: boxes, scores, classes, their number.

YOLOv5's `--nms`, onnx2tf, TensorRT-like graphs and Keras exports differ in the roles of the outputs, in the order of
the corners, in shares or pixels, and in whether classes are integers. The outputs of `TFLite_Detection_PostProcess` are
recognized by the operator itself (`recognize.ssd`).
"""

from __future__ import annotations

import itertools
import math

from msgspec.structs import replace

from harness.cards import DecoderSpec, Labels
from harness.detectors.roles import order_by_names
from harness.recognize.family import COCO_IDS_90, Facts, Family, contiguous_labels, ssd_labels
from harness.tflite import trace
from harness.tflite.tensor_info import TensorInfo

_INTEGERS = frozenset({"int32", "int64"})
_FORMATS = ("xyxy", "yxyx", "xywh", "ltwh")
_UNITS = ("share", "pixels")


def final_outputs(facts: Facts) -> Family | None:
    """Recognize boxes [1, N, 4] and two vectors [1, N], perhaps with one number."""
    roles = _roles(facts.outputs)
    if roles is None:
        return None
    boxes, vectors, count = roles
    ordered, reason = _score_class_orders(facts, vectors)
    orders = [_order(len(facts.outputs), boxes, pair, count) for pair in ordered]
    labels, label_evidence = result_labels(facts)
    return Family(
        decoder=DecoderSpec(name="ssd-postprocess", order=orders[0]),
        labels=labels,
        evidence=(
            "decoder: outputs like those of post-processing: boxes, classes, scores"
            f"{'' if count is None else ' and their number'}.",
            f"decoder.order: {reason}.",
            label_evidence,
        ),
        open=tuple(
            replace(DecoderSpec(name="ssd-postprocess", order=order), box_format=form, box_units=units)
            for order, units, form in itertools.product(orders, _UNITS, _FORMATS)
        ),
        normalization=(0.0, 255.0),
        resize="letterbox",
    )


def _roles(outputs: tuple[TensorInfo, ...]) -> tuple[int, list[int], int | None] | None:
    """Return the boxes, the two vectors and the number among three or four outputs; None for others."""
    sizes = [math.prod(info.shape) for info in outputs]
    boxes = [k for k, info in enumerate(outputs) if len(info.shape) in {2, 3} and info.shape[-1] == 4]
    counts = [k for k, size in enumerate(sizes) if size == 1]
    if len(outputs) not in {3, 4} or len(boxes) != 1 or len(counts) != len(outputs) - 3:
        return None
    vectors = [k for k in range(len(outputs)) if k not in {*boxes, *counts}]
    if any(4 * sizes[k] != sizes[boxes[0]] for k in vectors):
        return None
    return boxes[0], vectors, counts[0] if counts else None


def _score_class_orders(facts: Facts, vectors: list[int]) -> tuple[list[tuple[int, int]], str]:
    """Return the possible (scores, classes), with the evidence: by type, name or the graph, else both orders."""
    integers = [k for k in vectors if facts.outputs[k].dtype in _INTEGERS]
    if len(integers) == 1:
        scores = next(k for k in vectors if k not in integers)
        return [
            (scores, integers[0])
        ], f"classes are the integers of {facts.outputs[integers[0]].name or 'an output'}"
    named = _by_names(facts, vectors)
    if named is not None:
        return [named], "the outputs' names"
    counted = [k for k in vectors if _is_integer_valued(facts, k)]
    if len(counted) == 1:
        scores = next(k for k in vectors if k not in counted)
        return [(scores, counted[0])], "classes come from integers within the graph"
    first, second = vectors
    return [
        (first, second),
        (second, first),
    ], "scores and classes are told apart by the values for some pictures"


def _by_names(facts: Facts, vectors: list[int]) -> tuple[int, int] | None:
    words = [facts.outputs[k].name.lower() for k in vectors]
    classes = [any(w in name for w in ("class", "label", "categor")) for name in words]
    scores = [any(w in name for w in ("score", "conf", "prob")) for name in words]
    for one in (0, 1):
        if (scores[one] and not classes[one]) and (classes[1 - one] and not scores[1 - one]):
            return vectors[one], vectors[1 - one]
    return None


def _is_integer_valued(facts: Facts, output: int) -> bool:
    """Whether an output holds integers: indices of an ARG_MAX or TOPK, or a CAST of such."""
    graph = facts.graph
    found = trace.origin(graph, graph.primary.outputs[output])
    if found is None:
        return False
    operator, place = found
    return operator.name in {"ARG_MAX", "FLOOR_MOD"} or (operator.name == "TOPK_V2" and place == 1)


def _order(n: int, boxes: int, pair: tuple[int, int], count: int | None) -> str:
    roles = {boxes: "boxes", pair[0]: "scores", pair[1]: "classes"}
    if count is not None:
        roles[count] = "count"
    return ",".join(roles[k] for k in range(n))


def result_labels(facts: Facts) -> tuple[Labels, str]:
    """Return the meaning of the classes: the file's names, else COCO's 90 ids."""
    n = len(facts.metadata.labels)
    if facts.metadata.names:
        return contiguous_labels(n, facts.metadata)
    labels, evidence = ssd_labels(n or COCO_IDS_90, facts.metadata)
    if not n:
        evidence = (
            "labels: class + 1, as for COCO's 90 ids; the file does not say how many classes there are: try "
            "`harness models probe`."
        )
    return labels, evidence


def named_like_the_api(facts: Facts) -> tuple[str, str] | None:
    """Return order and reason where outputs have the names of the Object Detection API, which puts y first."""
    found = order_by_names(facts.outputs)
    names = [info.name for info in facts.outputs]
    api = all("detection" in name.lower() for name in names)
    operator = all("TFLite_Detection_PostProcess".lower() in name.lower() for name in names)
    return found if found is not None and (api or operator) else None
