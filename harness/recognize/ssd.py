"""Recognize SSD models whose outputs are final: boxes, classes, scores and their number."""

from __future__ import annotations

from dataclasses import replace

from harness.cards import DecoderSpec, Labels, NmsSpec
from harness.detectors.roles import order_by_operator
from harness.recognize.family import COCO_IDS_90, Facts, Family, ssd_labels
from harness.recognize.final_outputs import named_like_the_api, result_labels
from harness.tflite import postprocess
from harness.tflite.graph import POSTPROCESS
from harness.tflite.metadata import BACKGROUND
from harness.tflite.model import ModelDescription
from harness.tflite.postprocess import PostProcess

_EFFICIENTDET_SCALES = (1.0, 1.0, 1.0, 1.0)
_EFFICIENTDET_MEAN = 127


def ssd_postprocess(facts: Facts) -> Family | None:
    """Recognize models that end in `TFLite_Detection_PostProcess`, or have four outputs named like its results."""
    options = facts.description.postprocess
    order = None if options is None else order_by_operator(postprocess.places(facts.graph))
    if options is None or order is None:
        return _by_names(facts)
    words = ", ".join(_words(order))
    labels, label_evidence = _labels(facts, options)
    family = Family(
        decoder=DecoderSpec(name="ssd-postprocess", order=order, nms=_nms(options)),
        labels=labels,
        evidence=(
            f"decoder: the model ends in the operator {POSTPROCESS}.",
            f"decoder.order: the model gives the operator's outputs as {words} ({order}).",
            label_evidence,
            *_several_classes(options),
            *_quantized_results(facts.description),
        ),
        normalization=(127.5, 127.5),
    )
    return _efficientdet(family) if options.scales == _EFFICIENTDET_SCALES else family


def _words(order: str) -> tuple[str, ...]:
    from harness.detectors.roles import parse_order

    return parse_order(order, "ssd-postprocess")


def _nms(options: PostProcess) -> NmsSpec:
    several = options.max_classes_per_detection > 1 and not options.use_regular_nms
    return NmsSpec(classes_per_detection=options.max_classes_per_detection) if several else NmsSpec()


def _several_classes(options: PostProcess) -> tuple[str, ...]:
    n = _nms(options).classes_per_detection
    if n is None:
        return ()
    return (f"decoder.nms.classes_per_detection: the operator gives {n} rows for each box that it counts.",)


def _efficientdet(family: Family) -> Family:
    """Return EfficientDet's differences: it keeps the proportions and pads right and below with the mean.

    Source: google/automl, `efficientdet/dataloader.py`, `InputProcessor`.
    """
    return replace(
        family,
        decoder=DecoderSpec(name="efficientdet-lite", order=family.decoder.order, nms=family.decoder.nms),
        evidence=(
            "decoder: the operator's scales are 1, 1, 1, 1, as EfficientDet's box coding has them.",
            *family.evidence,
        ),
        normalization=(127.0, 128.0),
        resize="letterbox",
        pad_value=_EFFICIENTDET_MEAN,
        pad_position="corner",
    )


def _labels(facts: Facts, options: PostProcess) -> tuple[Labels, str]:
    """Return the labels; where the operator counts the background as a class, ids are class numbers."""
    n, columns = options.num_classes, _score_columns(facts)
    names = facts.metadata.labels
    with_background = len(names) == n and bool(names) and names[0].lower() in BACKGROUND
    if columns == n and (n == COCO_IDS_90 + 1 or with_background):
        reason = f"labels: the operator's {n} classes include the background, so ids are the class numbers."
        return Labels(offset=0, names=names if len(names) == n else None), reason
    return ssd_labels(n, facts.metadata)


def _score_columns(facts: Facts) -> int | None:
    """Return the number of columns of the operator's class scores."""
    found = postprocess.find(facts.graph)
    if found is None or len(found[1].inputs) < 2:
        return None
    shape = found[0].tensors[found[1].inputs[1]].shape
    return shape[-1] if shape else None


def _quantized_results(description: ModelDescription) -> tuple[str, ...]:
    """Warn of results that a quantizer stored as integers: class numbers become wrong."""
    names = [info.name for info in description.outputs if info.scale is not None]
    if not names:
        return ()
    return (
        f"warning: the results {', '.join(names)} are quantized after {POSTPROCESS}; they should stay float.",
    )


def _by_names(facts: Facts) -> Family | None:
    """Recognize other graphs whose four results have the Object Detection API's names (CenterNet exports)."""
    found = named_like_the_api(facts)
    if found is None:
        return None
    order, reason = found
    labels, label_evidence = result_labels(facts)
    return Family(
        decoder=DecoderSpec(name="ssd-postprocess", order=order),
        labels=labels,
        evidence=(
            "decoder: four outputs like those of post-processing: boxes, classes, scores and their number.",
            f"decoder.order: {reason}.",
            label_evidence,
        ),
        normalization=(127.5, 127.5),
    )
