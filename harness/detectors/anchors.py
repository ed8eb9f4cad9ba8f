"""The anchors of an SSD: from the model's constants, a file beside it, or a published generator.

All are float32 [N, 4] as y_center, x_center, height, width in shares of the input, the order in which
`TFLite_Detection_PostProcess` takes them, or as the corners y_min, x_min, y_max, x_max.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from math import ceil, sqrt
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.cards import AnchorSpec
from harness.detectors.base import ModelContext
from harness.errors import ModelError

Anchors = npt.NDArray[np.float32]
SSD_RATIOS = (1.0, 2.0, 0.5, 3.0, 1 / 3)
RETINA_RATIOS = (1.0, 2.0, 0.5)


def load_anchors(spec: AnchorSpec, context: ModelContext, n: int) -> Anchors:
    """Return the anchors [n, 4] that a card asks for; `source = "output"` is the decoder's own business.

    Raises:
        ModelError: They are not there, or their number is not that of the model's boxes.
    """
    anchors = _SOURCES[spec.source](spec, context)
    if anchors.shape != (n, 4):
        raise ModelError(
            f"decoder.anchors: source {spec.source!r} gives {list(anchors.shape)}, the model's boxes need "
            f"[{n}, 4]: correct the card's [decoder.anchors]"
        )
    return anchors


def _of_model(spec: AnchorSpec, context: ModelContext) -> Anchors:
    from harness.tflite.anchors import find_anchors

    found = find_anchors(context.file) if context.file is not None else None
    if found is None:
        raise ModelError(
            "decoder.anchors: the model holds no constant [N, 4] that could be its anchors: name a file or a "
            "generator in the card's [decoder.anchors]"
        )
    return found


def _of_metadata(spec: AnchorSpec, context: ModelContext) -> Anchors:
    from harness.tflite.model import describe

    said = describe(context.file).stated.detector if context.file is not None else None
    if said is None:
        raise ModelError(
            "decoder.anchors: the file has no DETECTOR_METADATA, which MediaPipe keeps anchors in"
        )
    return np.array(said.anchors, np.float32).reshape(-1, 4)


def _of_file(spec: AnchorSpec, context: ModelContext) -> Anchors:
    if spec.file is None or context.file is None:
        raise ModelError('decoder.anchors: source "file" needs the key `file`, a .npy file beside the model')
    path = context.file.parent / spec.file
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: the anchors cannot be read ({error})") from error
    anchors: Anchors = np.asarray(values, np.float32)
    return anchors.reshape(-1, 4) if anchors.size % 4 == 0 else anchors


def side_file(model: Path) -> Path:
    """Return where the anchors of a model without its post-processing are kept."""
    return model.with_name(f"{model.stem}.anchors.npy")


def ssd(spec: AnchorSpec, context: ModelContext) -> Anchors:
    """Generate anchors as `ssd_anchor_generator.create_ssd_anchors` of the Object Detection API does.

    Feature maps default to the six of SSD MobileNet: a sixteenth of the input, then halved, rounding up.
    """
    sizes = _feature_maps(spec, context)
    ratios = spec.aspect_ratios or SSD_RATIOS
    step = (spec.max_scale - spec.min_scale) / (len(sizes) - 1) if len(sizes) > 1 else 0.0
    scales = [*(spec.min_scale + step * layer for layer in range(len(sizes))), 1.0]
    layers = []
    for layer, (height, width) in enumerate(sizes):
        if layer == 0 and spec.reduce_lowest:
            shapes = [(0.1, 1.0), (scales[0], 2.0), (scales[0], 0.5)]
        else:
            shapes = [(scales[layer], ratio) for ratio in ratios]
            shapes.append((sqrt(scales[layer] * scales[layer + 1]), 1.0))
        boxes = [(scale / sqrt(ratio), scale * sqrt(ratio)) for scale, ratio in shapes]
        layers.append(_tile((height, width), (1 / height, 1 / width), (0.5 / height, 0.5 / width), boxes))
    return np.concatenate(layers)


def _feature_maps(spec: AnchorSpec, context: ModelContext) -> list[tuple[int, int]]:
    if spec.feature_maps:
        return [(size, size) for size in spec.feature_maps]
    first = ceil(context.height / 16), ceil(context.width / 16)
    return [(ceil(first[0] / 2**layer), ceil(first[1] / 2**layer)) for layer in range(6)]


def multiscale(spec: AnchorSpec, context: ModelContext) -> Anchors:
    """Generate anchors as `multiscale_grid_anchor_generator` of the Object Detection API does.

    Its centres have an offset of half a stride only where the stride divides the input's size.
    """
    _need_size(context)
    octaves = [2 ** (octave / spec.scales_per_octave) for octave in range(spec.scales_per_octave)]
    shapes = [(scale, ratio) for ratio in spec.aspect_ratios or RETINA_RATIOS for scale in octaves]
    sides = (context.height, context.width)
    layers = []
    for level in range(spec.min_level, spec.max_level + 1):
        stride = 2**level
        base = stride * spec.anchor_scale
        boxes = [(base * s / sqrt(r) / sides[0], base * s * sqrt(r) / sides[1]) for s, r in shapes]
        offsets = [stride / 2 / side if side % stride == 0 else 0.0 for side in sides]
        counts = ceil(sides[0] / stride), ceil(sides[1] / stride)
        layers.append(_tile(counts, (stride / sides[0], stride / sides[1]), tuple(offsets), boxes))
    return np.concatenate(layers)


def efficientdet(spec: AnchorSpec, context: ModelContext) -> Anchors:
    """Generate anchors as google/automl's EfficientDet does (`efficientdet/tf2/anchors.py`)."""
    _need_size(context)
    octaves = [2 ** (octave / spec.scales_per_octave) for octave in range(spec.scales_per_octave)]
    shapes = list(itertools.product(octaves, spec.aspect_ratios or RETINA_RATIOS))
    counts = [context.height, context.width]
    layers = []
    for level in range(1, spec.max_level + 1):
        counts = [(count - 1) // 2 + 1 for count in counts]
        if level < spec.min_level:
            continue
        height, width = counts
        boxes = [
            (spec.anchor_scale * s / sqrt(r) / height, spec.anchor_scale * s * sqrt(r) / width)
            for s, r in shapes
        ]
        layers.append(_tile((height, width), (1 / height, 1 / width), (0.5 / height, 0.5 / width), boxes))
    return np.concatenate(layers)


def _tile(
    counts: tuple[int, int],
    strides: tuple[float, float],
    offsets: Sequence[float],
    shapes: Sequence[tuple[float, float]],
) -> Anchors:
    """Put all shapes (height, width) at each place of a grid: rows, then columns, then shapes."""
    y, x = (np.arange(counts[axis]) * strides[axis] + offsets[axis] for axis in (0, 1))
    centers = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 1, 2)
    sizes = np.array(shapes, np.float64).reshape(1, -1, 2)
    shape = (centers.shape[0], sizes.shape[1], 2)
    both = np.concatenate([np.broadcast_to(centers, shape), np.broadcast_to(sizes, shape)], axis=-1)
    return both.reshape(-1, 4).astype(np.float32)


def _need_size(context: ModelContext) -> None:
    if min(context.width, context.height) < 1:
        raise ModelError("decoder.anchors: a generator needs the size of the model's input")


_SOURCES: dict[str, Callable[[AnchorSpec, ModelContext], Anchors]] = {
    "model": _of_model,
    "file": _of_file,
    "metadata": _of_metadata,
    "ssd": ssd,
    "multiscale": multiscale,
    "efficientdet": efficientdet,
}
