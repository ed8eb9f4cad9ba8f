"""Read the options of the custom operator `TFLite_Detection_PostProcess`.

A flexbuffers map (`tensorflow/lite/kernels/detection_postprocess.cc`, `Init`; keys written by
`export_tflite_ssd_graph_lib.py`). The operator's inputs are box encodings, class scores and the anchors; its
outputs boxes [1, N, 4], classes [1, N], scores [1, N] and count [1], where N is max_detections ×
max_classes_per_detection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flatbuffers import flexbuffers

from harness.tflite.graph import POSTPROCESS, Graph, Operator, Subgraph

MAX_OPTION_BYTES = 1 << 16
_RETYPING = frozenset({"QUANTIZE", "DEQUANTIZE", "CAST"})
_MOST_RETYPINGS = 4


@dataclass(frozen=True)
class PostProcess:
    """The options; a key that is absent has the kernel's default.

    Attributes:
        max_detections: Number of boxes that a class pass keeps.
        max_classes_per_detection: Classes kept for a box by the fast NMS.
        detections_per_class: Boxes a class of the regular NMS.
        use_regular_nms: Class-by-class NMS instead of the fast one.
        nms_score_threshold: Lowest score that is kept.
        nms_iou_threshold: Overlap above which the lower score is dropped.
        num_classes: Number of classes without the background.
        scales: y, x, h, w divisors of the box encodings.
    """

    max_detections: int
    max_classes_per_detection: int
    detections_per_class: int
    use_regular_nms: bool
    nms_score_threshold: float
    nms_iou_threshold: float
    num_classes: int
    scales: tuple[float, float, float, float]

    @property
    def n_boxes(self) -> int:
        """Number of boxes in the operator's output."""
        return self.max_detections * self.max_classes_per_detection


def find(graph: Graph) -> tuple[Subgraph, Operator] | None:
    """Return the first PostProcess operator and its subgraph."""
    return next(((s, o) for s, o in graph.operators() if o.custom and o.name == POSTPROCESS), None)


def parse(options: bytes) -> PostProcess:
    """Read the options; call it inside `reader.malformed`.

    Raises:
        ValueError: The options are not such a map (other damage raises flexbuffers' own errors).
    """
    if len(options) > MAX_OPTION_BYTES:
        raise ValueError(
            f"found {len(options)} bytes of {POSTPROCESS} options, expected less than {MAX_OPTION_BYTES}"
        )
    values = flexbuffers.GetRoot(options).AsMap
    result = PostProcess(
        max_detections=values["max_detections"].AsInt,
        max_classes_per_detection=values["max_classes_per_detection"].AsInt,
        detections_per_class=_optional_int(values, "detections_per_class", 100),
        use_regular_nms=bool(_optional_int(values, "use_regular_nms", 0)),
        nms_score_threshold=values["nms_score_threshold"].AsFloat,
        nms_iou_threshold=values["nms_iou_threshold"].AsFloat,
        num_classes=values["num_classes"].AsInt,
        scales=(
            values["y_scale"].AsFloat,
            values["x_scale"].AsFloat,
            values["h_scale"].AsFloat,
            values["w_scale"].AsFloat,
        ),
    )
    if min(result.max_detections, result.max_classes_per_detection, result.num_classes) < 1:
        raise ValueError(f"{POSTPROCESS}: found {result}, expected at least 1 detection and 1 class")
    return result


def _optional_int(values: flexbuffers.Map, key: str, default: int) -> int:
    try:
        return int(values[key].AsInt)
    except KeyError:
        return default


def places(graph: Graph) -> tuple[int | None, ...]:
    """Return which of the operator's outputs each output of the model is: 0 boxes, 1 classes, 2 scores, 3 count.

    A QUANTIZE, DEQUANTIZE or CAST between the two is followed. None for any other output.
    """
    found = find(graph)
    if found is None or found[0] is not graph.primary:
        return (None,) * len(graph.primary.outputs)
    own = {tensor: place for place, tensor in enumerate(found[1].outputs)}
    return tuple(own.get(path[0]) for path in retypings(graph))


def retypings(graph: Graph) -> tuple[tuple[int, ...], ...]:
    """Return for each output of the model the tensors that changes of type alone make it from, itself the last."""
    producers = graph.primary.producers()
    return tuple(tuple(_path(index, producers))[::-1] for index in graph.primary.outputs)


def _path(index: int, producers: Mapping[int, Operator]) -> Iterator[int]:
    """Follow a tensor back through a few operators that only change its type."""
    yield index
    for _ in range(_MOST_RETYPINGS):
        producer = producers.get(index)
        if producer is None or producer.name not in _RETYPING or not producer.inputs:
            return
        index = producer.inputs[0]
        yield index


def output_shapes(options: PostProcess) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of the operator's four outputs, which files leave out."""
    n = options.n_boxes
    return (1, n, 4), (1, n), (1, n), (1,)
