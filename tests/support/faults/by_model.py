"""Faults of the model file: badly calibrated, badly quantized, edited, exported with other settings."""

import re
from pathlib import Path

import numpy as np

from harness.edit.nms import NmsChange
from harness.edit.shapes import change_nms
from tests.support.faults import models, quantizing
from tests.support.faults.workshop import Fault, Workshop


def _int8(shop: Workshop, name: str, data: bytes, **changes) -> Path:
    return shop.card(name, "shapes-float32", data, **changes)


def _slug(name: str) -> str:
    return re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")


def _calibrated(shop: Workshop, name: str, samples: list[np.ndarray], told: bool = False) -> Fault:
    made = quantizing.quantize(shop.float32, quantizing.ranges(shop.float32, samples))
    representative = None
    if told:
        representative = shop.folder / f"{_slug(name)}.npy"
        np.save(representative, np.concatenate(samples))
    card = _int8(shop, _slug(name), made)
    return shop.fault(name, "representative-data", card, representative=representative)


def pixels_calibrate(shop: Workshop) -> Fault:
    """The generator yields 0…255 to a model of -1…1 (tensorflow#46687)."""
    return _calibrated(shop, "calibrated on 0…255", [p.astype(np.float32) for p in shop.pixels[:16]])


def pixels_calibrate_told(shop: Workshop) -> Fault:
    """The same, with the samples at hand."""
    name = "calibrated on 0…255, samples given"
    return _calibrated(shop, name, [p.astype(np.float32) for p in shop.pixels[:16]], told=True)


def one_dark_image(shop: Workshop) -> Fault:
    """`next(iter(dataset))`: the same image again and again, and a dull one (tensorflow#44289)."""
    dull = shop.samples[0] * 0.05 - 0.9
    return _calibrated(shop, "one dull image, repeated", [dull] * 8)


def blank_images(shop: Workshop) -> Fault:
    """Too few and all alike: two evenly grey images."""
    return _calibrated(shop, "two grey images", [np.full_like(shop.samples[0], v) for v in (-0.1, 0.1)])


def wrong_input_stats(shop: Workshop) -> Fault:
    """`quantized_input_stats` (0, 255) for a model of -1…1: the pixels mean 0…1."""
    data = models.with_input_scale(shop.file_of("shapes-full-integer").read_bytes(), 1 / 255, 0)
    card = shop.card("wrong-input-stats", "shapes-full-integer", data)
    return shop.fault("input stats (0, 255)", "input-stats", card, ("input-normalization",))


def wide_input_stats(shop: Workshop) -> Fault:
    """`quantized_input_stats` (128, 32): the pixels mean -4…4.

    The input can store -1…1, so it can as well be said that pixels are fed without regard to its scale.
    """
    data = models.with_input_scale(shop.file_of("shapes-full-integer").read_bytes(), 1 / 32, 128)
    card = shop.card("wide-input-stats", "shapes-full-integer", data)
    return shop.fault("input stats (128, 32)", "input-stats", card, ("input-quantization",))


def joined_heads(shop: Workshop) -> Fault:
    """Boxes in pixels and scores in one int8 tensor (ultralytics#1695)."""
    data = models.with_joined_heads(shop.float32, 32.0)
    made = quantizing.quantize(data, quantizing.ranges(data, shop.samples))
    reference = shop.card("joined-float32", "shapes-float32", data)
    return shop.fault(
        "boxes and scores share a scale",
        "shared-output-scale",
        _int8(shop, "joined-heads", made),
        reference=reference,
    )


def per_tensor(shop: Workshop) -> Fault:
    """One scale for all channels of depthwise weights whose channels differ twentyfold (as batch norm leaves them)."""
    data = models.with_uneven_channels(shop.float32, 1 / 20, shop.samples[:20])
    ranges = quantizing.ranges(data, shop.samples)
    made = quantizing.quantize(data, ranges, per_tensor=["DEPTHWISE_CONV_2D"])
    reference = shop.card("uneven-float32", "shapes-float32", data)
    card = _int8(shop, "per-tensor", made)
    return shop.fault("per-tensor depthwise weights", "per-tensor-weights", card, reference=reference)


def outliers(shop: Workshop) -> Fault:
    """One wild value in each residual sum blows up its range."""

    def spoil(found: quantizing.Ranges) -> None:
        for name, entry in found.items():
            if "/Add" in name and "Bias" not in name:
                entry["max"] = entry["max"] * 60

    made = quantizing.quantize(shop.float32, shop.ranges, change=spoil)
    return shop.fault("outliers in the residual sums", "activation-outliers", _int8(shop, "outliers", made))


def outlier_in_one(shop: Workshop) -> Fault:
    """One wild value in one linear layer."""

    def spoil(found: quantizing.Ranges) -> None:
        name = next(name for name in found if name.endswith("add_2_1/Add"))
        found[name]["max"] = found[name]["max"] * 200

    made = quantizing.quantize(shop.float32, shop.ranges, change=spoil)
    return shop.fault("an outlier in one layer", "activation-outliers", _int8(shop, "outlier-in-one", made))


def high_score_threshold(shop: Workshop) -> Fault:
    """Exported with a score threshold for a demo."""
    return _nms(shop, "score threshold 0.6", NmsChange(score_threshold=0.6))


def low_iou_threshold(shop: Workshop) -> Fault:
    """Exported with an IoU threshold at which nothing is suppressed."""
    return _nms(shop, "IoU threshold 0.99", NmsChange(iou_threshold=0.99))


def one_detection(shop: Workshop) -> Fault:
    """Exported for one detection an image."""
    return _nms(shop, "one detection", NmsChange(max_detections=1))


def _nms(shop: Workshop, name: str, change: NmsChange) -> Fault:
    file = shop.file_of("shapes-full-integer")
    data = change_nms(file.read_bytes(), change, file)
    card = shop.card(_slug(name), "shapes-full-integer", data)
    return shop.fault(name, "nms-settings", card)


def integer_outputs(shop: Workshop) -> Fault:
    """All four outputs of PostProcess as uint8 with one scale."""
    data = models.with_integer_outputs(shop.file_of("shapes-full-integer").read_bytes(), 50 / 255)
    card = shop.card("integer-outputs", "shapes-full-integer", data)
    return shop.fault("PostProcess in integers", "integer-postprocess", card, ("shared-output-scale",))


def half_overflows(shop: Workshop) -> Fault:
    """Weights of the box heads that float16 cannot hold."""
    data = models.with_large_codes(shop.float32, 3e5)
    reference = shop.card("large-codes", "shapes-float32", data)
    card = shop.card("half-overflows", "shapes-float32", models.with_float16_weights(data))
    return shop.fault("float16 overflow", "float16-overflow", card, reference=reference)


QAT = """model {
  ssd {
    num_classes: 6
    image_resizer { fixed_shape_resizer { height: 144 width: 144 } }
    feature_extractor { type: "ssd_mobilenet_v2_keras" depth_multiplier: 1.0 }
  }
}
graph_rewriter {
  quantization { delay: 48000 weight_bits: 8 activation_bits: 8 }  # TF2 does not read this
}
"""


def training_ignored(shop: Workshop) -> Fault:
    """Quantization-aware training in `pipeline.config`, none in the graph (models#9835)."""
    config = shop.folder / "pipeline.config"
    config.write_text(QAT)
    card = shop.card("training-ignored", "shapes-full-integer")
    return shop.fault("graph_rewriter ignored", "qat-ignored", card, pipeline_config=config)


def threads_lose_classes(shop: Workshop) -> Fault:
    """LiteRT 2.3's regular NMS loses classes on two threads: one file, two ways to run it."""
    file = shop.file_of("shapes-full-integer")
    data = change_nms(file.read_bytes(), NmsChange(regular=True), file)
    card = shop.card("regular-nms", "shapes-full-integer", data)
    return shop.fault(
        "regular NMS on two threads", "delegate-arithmetic", card, reference=card, delegate="cpu:2"
    )


def forum(shop: Workshop) -> Fault:
    """The forum's case: 0…255 calibrate a model of -1…1, the heads share a scale, the configured QAT never ran."""
    config = shop.folder / "pipeline.config"
    config.write_text(QAT)
    data = models.with_joined_heads(shop.float32, 32.0)
    made = quantizing.quantize(
        data, quantizing.ranges(data, [p.astype(np.float32) for p in shop.pixels[:16]])
    )
    return shop.fault(
        "the forum's case",
        "representative-data",
        _int8(shop, "forum", made),
        ("shared-output-scale",),
        reference=shop.card("forum-float32", "shapes-float32", data),
        pipeline_config=config,
        all_causes=("representative-data", "shared-output-scale", "qat-ignored"),
    )


FAULTS = (
    pixels_calibrate,
    pixels_calibrate_told,
    one_dark_image,
    blank_images,
    wrong_input_stats,
    wide_input_stats,
    joined_heads,
    per_tensor,
    outliers,
    outlier_in_one,
    high_score_threshold,
    low_iou_threshold,
    one_detection,
    integer_outputs,
    half_overflows,
    training_ignored,
    threads_lose_classes,
    forum,
)
