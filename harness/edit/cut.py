"""Cut `TFLite_Detection_PostProcess` off a model: raw heads, the anchors in a file beside it, a card that decodes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.cards import AnchorSpec, DecoderSpec, NmsSpec
from harness.edit.graph import Plan, apply, downstream, primary_postprocess
from harness.errors import ModelError
from harness.tflite import anchors, postprocess, reader
from harness.tflite.graph import POSTPROCESS, Graph, Operator, Tensor
from harness.tflite.postprocess import PostProcess

HEADS = ("boxes", "scores")


@dataclass(frozen=True)
class CutModel:
    """A model without its NMS.

    Attributes:
        data: The new file: its first two outputs are box encodings and class scores.
        anchors: float32 [N, 4], y_center, x_center, height, width.
        options: The operator's options.
        background: Whether column 0 of the scores is the background.
    """

    data: bytes
    anchors: npt.NDArray[np.float32]
    options: PostProcess
    background: bool

    def decoder(self, anchor_file: str) -> DecoderSpec:
        """Return the decoder's settings with which the host does what the operator did."""
        options = self.options
        return DecoderSpec(
            name="ssd-raw",
            order=",".join(HEADS),
            box_format="yxyx",
            scales=options.scales,
            background=self.background,
            nms=NmsSpec(
                kind="regular" if options.use_regular_nms else "fast",
                score_threshold=options.nms_score_threshold,
                iou_threshold=options.nms_iou_threshold,
                max_detections=options.max_detections,
                detections_per_class=options.detections_per_class,
                classes_per_detection=options.max_classes_per_detection,
            ),
            anchors=AnchorSpec(source="file", file=anchor_file),
        )


def cut(data: bytes, path: Path) -> CutModel:
    """Remove the operator and everything behind it.

    Args:
        data: The whole file.
        path: Named in errors.

    Raises:
        ModelError: The file is not a valid model with the operator and constant anchors.
    """
    graph = reader.read_graph(data, path)
    with reader.malformed(path):
        place, operator = primary_postprocess(graph, path)
        options = postprocess.parse(operator.options)
        values = _anchors(graph, operator, path)
        gone = downstream(graph.primary, place)
        background = _background(graph, operator, options, path)
        plan = Plan(without=gone, outputs=_outputs(graph, operator, gone))
    return CutModel(apply(data, plan, path), values, options, background)


def lay_open(data: bytes, path: Path) -> bytes:
    """Return the model with the operator's boxes and scores as further outputs, behind its own.

    Args:
        data: The whole file.
        path: Named in errors.

    Raises:
        ModelError: The file is not a valid model with the operator.
    """
    graph = reader.read_graph(data, path)
    with reader.malformed(path):
        _, operator = primary_postprocess(graph, path)
        own = {f"output_{place}": index for place, index in enumerate(graph.primary.outputs)}
        plan = Plan(outputs={**own, **dict(zip(HEADS, operator.inputs, strict=False))})
    return apply(data, plan, path)


def _anchors(graph: Graph, operator: Operator, path: Path) -> npt.NDArray[np.float32]:
    """Return the third input's values, through the DEQUANTIZE of a float16 model."""
    tensor = graph.primary.tensors[operator.inputs[2]]
    if not tensor.constant:
        producer = graph.primary.producers().get(tensor.index)
        if producer is not None and producer.name == "DEQUANTIZE" and producer.inputs[0] >= 0:
            tensor = graph.primary.tensors[producer.inputs[0]]
    if not tensor.constant or tensor.dtype not in {"float32", "float16", "uint8", "int8"}:
        raise ModelError(
            f"{path}: the anchors of {POSTPROCESS} are not stored in the file: they cannot be cut out"
        )
    return anchors.read_values(graph, tensor)


def _background(graph: Graph, operator: Operator, options: PostProcess, path: Path) -> bool:
    """Whether the scores have one column more than there are classes (`detection_postprocess.cc`)."""
    columns = _last(graph.primary.tensors[operator.inputs[1]])
    if columns - options.num_classes not in {0, 1}:
        raise ModelError(
            f"{path}: found {columns} score columns, expected {options.num_classes} or one more: the file is damaged"
        )
    return columns > options.num_classes


def _last(tensor: Tensor) -> int:
    return tensor.shape[-1] if tensor.shape else 0


def _outputs(graph: Graph, operator: Operator, gone: frozenset[int]) -> dict[str, int]:
    """Return the heads, then the model's outputs that are independent of the operator."""
    lost = {tensor for place in gone for tensor in graph.primary.operators[place].outputs}
    kept = [index for index in graph.primary.outputs if index not in {*lost, *operator.inputs}]
    names = {index: graph.primary.tensors[index].name or f"output_{index}" for index in kept}
    return {
        HEADS[0]: operator.inputs[0],
        HEADS[1]: operator.inputs[1],
        **{name: index for index, name in names.items()},
    }
