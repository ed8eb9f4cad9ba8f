"""Set NMS options, and the output shapes that a file states where they depend on the number of boxes."""

from __future__ import annotations

from pathlib import Path

from harness.edit.flatbuffer import ZIP_ERRORS, damaged_archive
from harness.edit.graph import Plan, apply, primary_postprocess
from harness.edit.nms import NmsChange, with_nms
from harness.tflite import postprocess, reader
from harness.tflite.graph import Graph, Operator

RETYPING = frozenset({"QUANTIZE", "DEQUANTIZE", "CAST"})


def change_nms(data: bytes, change: NmsChange, path: Path) -> bytes:
    """Return a model file with other NMS options; every byte of its buffers stays.

    Args:
        data: The whole file.
        change: The new options.
        path: Named in errors.

    Raises:
        ModelError: The file is not a valid model with the operator, or the operator refuses a value.
    """
    before = reader.read_graph(data, path)
    with reader.malformed(path):
        _, operator = primary_postprocess(before, path)
        postprocess.parse(operator.options)
    result = _with_options(data, change, path)
    graph = reader.read_graph(result, path)
    with reader.malformed(path):
        _, operator = primary_postprocess(graph, path)
        shapes = _stated_otherwise(graph, operator)
    return apply(result, Plan(shapes=shapes), path) if shapes else result


def _with_options(data: bytes, change: NmsChange, path: Path) -> bytes:
    try:
        return with_nms(
            data,
            regular=change.regular,
            score_threshold=change.score_threshold,
            iou_threshold=change.iou_threshold,
            max_detections=change.max_detections,
            detections_per_class=change.detections_per_class,
            name=str(path),
        )
    except ZIP_ERRORS as error:
        raise damaged_archive(path, error) from error


def _stated_otherwise(graph: Graph, operator: Operator) -> dict[int, tuple[int, ...]]:
    """Return the right shapes of the operator's outputs (and of their retyped copies) that the file states wrongly."""
    sizes = postprocess.output_shapes(postprocess.parse(operator.options))
    right = dict(zip(operator.outputs, sizes, strict=True))
    for later in graph.primary.operators:
        if (
            later.name in RETYPING
            and len(later.inputs) == len(later.outputs) == 1
            and later.inputs[0] in right
        ):
            right[later.outputs[0]] = right[later.inputs[0]]
    stated = {index: graph.primary.tensors[index].shape for index in right}
    return {index: shape for index, shape in right.items() if stated[index] and stated[index] != shape}
