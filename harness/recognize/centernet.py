"""Recognize CenterNet's raw heads: a heat map, sizes and offsets on one grid."""

from __future__ import annotations

from harness.cards import DecoderSpec
from harness.recognize.family import Facts, Family, contiguous_labels
from harness.tflite import trace
from harness.tflite.tensor_info import TensorInfo

_N_OUTPUTS = 3


def centernet(facts: Facts) -> Family | None:
    """Recognize three outputs [1, H, W, C], [1, H, W, 2] and [1, H, W, 2]."""
    outputs = facts.description.outputs
    if len(outputs) != _N_OUTPUTS or any(len(info.shape) != 4 for info in outputs):
        return None
    if len({info.shape[:3] for info in outputs}) != 1:
        return None
    pairs = [index for index, info in enumerate(outputs) if info.shape[3] == 2]
    if len(pairs) != 2:
        return None
    heat = next(index for index in range(_N_OUTPUTS) if index not in pairs)
    sizes, offsets = pairs if not _is_offset(outputs[pairs[0]]) else pairs[::-1]
    names = {heat: "heatmap", sizes: "sizes", offsets: "offsets"}
    order = ",".join(names[index] for index in range(_N_OUTPUTS))
    found = trace.source(facts.graph, facts.graph.primary.outputs[heat])
    activated = found is None or found.name in trace.ACTIVATED
    labels, label_evidence = contiguous_labels(outputs[heat].shape[3], facts.metadata)
    return Family(
        decoder=DecoderSpec(name="centernet", order=order, activation="none" if activated else "sigmoid"),
        labels=labels,
        evidence=(
            "decoder: a heat map and two maps of pairs on one grid, as CenterNet has them.",
            f"decoder.order: {order}; sizes stand before offsets unless a name says otherwise.",
            f"decoder.activation: the heat map comes from {'nothing known' if found is None else found.name}.",
            label_evidence,
        ),
        normalization=(127.5, 127.5),
    )


def _is_offset(info: TensorInfo) -> bool:
    return "off" in info.name.lower() or "reg" in info.name.lower()
