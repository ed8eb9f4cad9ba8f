"""Decide what the file leaves open by the model's outputs for a few pictures and the same pictures mirrored.

No labels are needed: a decoder is wrong where scores leave 0…1, classes are no whole numbers, boxes have no area or
lie outside the picture, or most rows of a dense table are objects. Of the others the right one is that whose
detections move to the other side when the picture is mirrored: in a wrong order of corners, as center and size instead
of corners, or in pixels instead of shares they do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from harness.accuracy.image_files import ImageFile, UnreadableImageError, read_image
from harness.accuracy.interpreters import InterpreterEngine, make_here
from harness.accuracy.prepare import Geometry, Preparation
from harness.cards import DecoderSpec, InputSpec
from harness.detectors.base import Decoder, Detections, ModelContext, dequantize
from harness.detectors.final import check_final
from harness.detectors.heads import HeadDecoder
from harness.detectors.nms import iou
from harness.detectors.registry import make_decoder
from harness.detectors.roles import parse_order
from harness.errors import HarnessError, ModelError
from harness.paths import files_below
from harness.tflite.model import ModelDescription
from harness.tflite.tensor_info import TensorInfo

N_PICTURES = 6
_TOP = 16
"""Detections of a picture that are followed to its mirror image."""
_FAINT = 0.2
"""Share of the best score below which a detection is not followed."""
_AGREES = 0.4
_CLEARLY = 0.8
_OUTSIDE = 0.25
"""A box may exceed the picture by this share of it."""
_MOST_ROWS = 0.5
_DENSE = 50
_LEAST_SCORE = 1e-4
_FAR_ABOVE = 2.0
"""Difference of two logits that counts as large."""

Outputs = list[npt.NDArray[np.generic]]


@dataclass(frozen=True)
class MirroredOutputs:
    """The outputs for one picture and for its mirror image."""

    outputs: Outputs
    geometry: Geometry
    mirrored: Outputs


@dataclass(frozen=True)
class Observations:
    """The outputs for all pictures, and what is needed to decode them."""

    pictures: tuple[MirroredOutputs, ...]
    infos: tuple[TensorInfo, ...]
    context: ModelContext


def observe_outputs(
    description: ModelDescription, spec: InputSpec, pictures: Sequence[ImageFile | Path]
) -> Observations | None:
    """Run a model on pictures and their mirror images; return None where it cannot be run here."""
    try:
        engine = InterpreterEngine(make_here(description.path))
        preparation = Preparation(spec, description.image_input)
        observed = tuple(_observe(engine, preparation, file) for file in pictures[:N_PICTURES])
    except (HarnessError, UnreadableImageError, RuntimeError, ValueError):
        return None
    context = ModelContext(spec.width, spec.height, description.path)
    return Observations(observed, description.outputs, context)


def _observe(engine: InterpreterEngine, preparation: Preparation, file: ImageFile | Path) -> MirroredOutputs:
    picture = read_image(file)
    tensor, geometry = preparation.prepare(picture)
    mirrored, _ = preparation.prepare(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    return MirroredOutputs(engine.infer(tensor), geometry, engine.infer(mirrored))


def choose(
    readings: Sequence[DecoderSpec], observations: Observations, settled: bool
) -> tuple[DecoderSpec | None, tuple[str, ...]]:
    """Return the decoder that the pictures confirm, with the evidence; None where they leave it open.

    Args:
        readings: The usual one first. Of those that differ in more than the box the first one is taken.
        observations: The outputs.
        settled: Whether the usual decoder is kept where the pictures do not decide.
    """
    possible: dict[tuple[str | None, str], tuple[DecoderSpec, float | None]] = {}
    reasons: list[str] = []
    for spec in readings:
        key = (spec.box_format, spec.box_units)
        if key in possible and possible[key][0].order == spec.order:
            continue
        try:
            agreement = _agreement(spec, observations)
        except HarnessError as error:
            reasons.append(f"{_words(spec)} is impossible ({' '.join(str(error).split())[:160]})")
            continue
        if key not in possible or (agreement or 0) > (possible[key][1] or 0):
            possible[key] = (spec, agreement)
    ranked = sorted(possible.values(), key=lambda item: -(item[1] or 0.0))
    return _decide(readings[0], ranked, reasons, settled, len(observations.pictures))


def _decide(
    usual: DecoderSpec,
    ranked: list[tuple[DecoderSpec, float | None]],
    reasons: list[str],
    settled: bool,
    n: int,
) -> tuple[DecoderSpec | None, tuple[str, ...]]:
    if not ranked:
        return None, (f"decoder: no reading fits the outputs for {n} pictures: {'; '.join(reasons[:3])}.",)
    best, agreement = ranked[0]
    second = ranked[1][1] or 0.0 if len(ranked) > 1 else 0.0
    if agreement is not None and agreement >= _AGREES and second <= _CLEARLY * agreement:
        return best, (
            f"decoder.box_format: {_words(best)}: on {n} pictures and their mirror images {agreement:.0%} of the "
            f"detections move along, in any other reading at most {second:.0%}.",
        )
    shares = {spec: share or 0.0 for spec, share in ranked}
    if settled and usual in shares and shares[usual] >= _CLEARLY * (agreement or 0.0):
        return usual, (
            f"decoder.box_format: {_words(usual)}, as usual; {n} pictures say nothing against it.",
        )
    figures = ", ".join(f"{_words(spec)} {share or 0:.0%}" for spec, share in ranked[:3])
    return None, (
        f"decoder: on {n} pictures and their mirror images no reading stands out ({figures}): state the decoder's "
        "order, box_format and box_units in a card, or let `harness models probe` find them on labelled images.",
    )


def _words(spec: DecoderSpec) -> str:
    units = "" if spec.box_units == "auto" else f" in {spec.box_units}"
    order = f", {spec.order}" if spec.order else ""
    activation = "" if spec.activation == "none" else f", {spec.activation}"
    return f"{spec.box_format or 'the usual box'}{units}{order}{activation}"


def _agreement(spec: DecoderSpec, observations: Observations) -> float | None:
    """Return the share of the score that moves to the other side with the picture; None without detections.

    Raises:
        ModelError: The outputs cannot be decoded so.
    """
    decoder = make_decoder(spec, observations.infos, observations.context)
    total = moved = 0.0
    for one in observations.pictures:
        here, there = (
            _checked(spec, decoder, outputs, observations) for outputs in (one.outputs, one.mirrored)
        )
        _refuse_impossible(spec, here)
        if all(map(np.array_equal, one.outputs, one.mirrored)):
            continue  # what does not look at the picture says nothing
        credit, weight = _moved(here, there, one.geometry)
        total, moved = total + weight, moved + credit
    return moved / total if total else None


def _checked(spec: DecoderSpec, decoder: Decoder, outputs: Outputs, observations: Observations) -> Detections:
    if spec.name == "ssd-postprocess" and spec.order is not None:
        real = dict(zip(parse_order(spec.order, spec.name), outputs, strict=False))
        infos = dict(zip(parse_order(spec.order, spec.name), observations.infos, strict=False))
        scores, classes = (dequantize(real[role], infos[role]).reshape(-1) for role in ("scores", "classes"))
        kept = scores > 0
        check_final(spec.name, scores[kept], classes[kept])
    if isinstance(decoder, HeadDecoder):
        _refuse_crowd(spec, decoder, outputs)
    return decoder(outputs)


def _refuse_crowd(spec: DecoderSpec, decoder: HeadDecoder, outputs: Outputs) -> None:
    """Refuse a dense table most of whose rows are objects: its scores are other numbers."""
    scores = decoder.read(outputs).scores
    if len(scores) < _DENSE or not scores.size:
        return
    best = scores.max(axis=1)
    if spec.activation == "sigmoid" and spec.background in {False, "none"} and _no_object_last(scores):
        raise ModelError(
            f"decoder {spec.name}: the last column is the highest of nearly all rows: it is no-object"
        )
    if float(best.max()) > 1.01 or float(np.median(best)) > _MOST_ROWS:
        raise ModelError(
            f"decoder {spec.name}: half of the {len(scores)} rows score above {float(np.median(best)):.2f} "
            f"and the best {float(best.max()):.4g}, which no scores of classes do"
        )


def _no_object_last(scores: npt.NDArray[np.float32]) -> bool:
    """Whether the last column is far above the others in nearly all rows, like DETR's no-object."""
    if scores.shape[1] < 3:
        return False
    inside = np.clip(scores, 1e-7, 1 - 1e-7)
    logits = np.log(inside) - np.log1p(-inside)
    return bool(np.quantile(logits[:, -1] - logits[:, :-1].max(axis=1), 0.1) > _FAR_ABOVE)


def _refuse_impossible(spec: DecoderSpec, found: Detections) -> None:
    """Refuse boxes without area or outside the picture.

    Raises:
        ModelError: States how many of the boxes are impossible.
    """
    kept = found.scores > max(_LEAST_SCORE, _FAINT * float(found.scores.max(initial=0)))
    boxes = found.boxes[kept]
    if not len(boxes):
        return
    flat = (boxes[:, 2:] <= boxes[:, :2]).any(axis=1)
    outside = (boxes < -_OUTSIDE).any(axis=1) | (boxes > 1 + _OUTSIDE).any(axis=1)
    share = float((flat | outside).mean())
    if share > _OUTSIDE:
        raise ModelError(
            f"decoder {spec.name}: {share:.0%} of the boxes have no area or lie outside the picture"
        )


def _moved(here: Detections, there: Detections, geometry: Geometry) -> tuple[float, float]:
    """Return the score of a picture's best detections that appear mirrored in the mirror image, and of all."""
    best = _best(here)
    if not len(best):
        return 0.0, 0.0
    boxes = geometry.to_image(here.boxes[best]).astype(np.float32)
    mirrored = boxes[:, [2, 1, 0, 3]] * np.array([-1, 1, -1, 1], np.float32)
    mirrored[:, [0, 2]] += geometry.image_width
    others = geometry.to_image(there.boxes).astype(np.float32)
    scores = here.scores[best].astype(np.float64)
    if not len(others):
        return 0.0, float(scores.sum())
    same = here.classes[best][:, None] == there.classes[None]
    overlap = np.where(same, iou(mirrored.T[:, :, None], others.T[:, None, :]), 0.0).max(axis=1)
    return float((scores * overlap).sum()), float(scores.sum())


def _best(found: Detections) -> npt.NDArray[np.intp]:
    order = np.argsort(-found.scores, kind="stable")[:_TOP]
    least = max(_LEAST_SCORE, _FAINT * float(found.scores.max(initial=0)))
    return order[found.scores[order] > least]


def example_pictures() -> list[Path]:
    """Return the bundled pictures, for a model without a data set."""
    from harness.workspace import bundled_workspace

    folder = bundled_workspace().models / "shapes" / "dataset"
    pictures = sorted(
        path for path in files_below(folder) if path.suffix.lower() in {".jpg", ".jpeg", ".png"}
    )
    return pictures[:N_PICTURES]
