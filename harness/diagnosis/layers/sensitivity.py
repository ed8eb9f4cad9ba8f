"""Measure the cost of single layers: the mAP of the float model with only one layer quantized.

Quantize-one: the layer's weights, its bias and its output are as the quantized graph stores them, everything else
stays float (`harness.diagnosis.layers.emulate`). Layers are screened by their effect on the best candidates of a few
images; mAP is measured for those that disturb them most.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from harness.cards import ModelCard
from harness.detectors.heads import Candidates, HeadDecoder
from harness.detectors.nms import iou
from harness.diagnosis.layers.emulate import Emulator, Floats, QuantizedParts
from harness.diagnosis.layers.first_break import snr
from harness.diagnosis.layers.layers import Layer, Layers
from harness.diagnosis.layers.matching import MOVING, ancestors
from harness.diagnosis.layers.quantization_map import QuantizationMap, constant_behind, map_quantization
from harness.diagnosis.loss.candidates import OpenedHeads, Readers
from harness.diagnosis.loss.mixing import best_scores
from harness.diagnosis.runs.changes import AS_IS, Change
from harness.diagnosis.runs.model_pair import ComparedModel, ModelPair
from harness.diagnosis.runs.runs import OnStep, Runs
from harness.errors import HarnessError
from harness.tflite import reader
from harness.tflite.values import real_values

SCREENED_IMAGES, SCREENED_IMAGES_LARGE = 2, 1
SCREENED_CANDIDATES = 100
"""Candidates of each image that layers are screened by: the best, by the float model's scores."""
MEASURED = 10
"""Layers whose mAP is measured; the others disturb the candidates less."""
MEASURED_IMAGES, LEAST_MEASURED_IMAGES = 40, 16
USUAL_PIXELS = 320 * 320
"""Input size above which fewer images are measured: an inference takes longer the more pixels it has."""
STEEP, LAST = 28, 12
"""Layers that are screened: those that lose most SNR by themselves, and the last ones, whose error nothing dampens."""
_USUAL_DB = 40.0
"""SNR of a tensor that is only rounded to 8 bits: the reference for a layer whose inputs are alike."""


@dataclass(frozen=True)
class _BaseModel:
    """The float model that layers are quantized in: the whole, or the part before its suppression."""

    model: ComparedModel
    file: Path
    card: ModelCard
    decoder: HeadDecoder | None
    as_is: Change


def measure_layer_costs(pair: ModelPair, runs: Runs, layers: Layers, heads: OpenedHeads) -> Layers:
    """Add the cost of each layer alone, as far as it can be measured; `method` says how, or why not.

    Raises:
        JobError: A model failed.
    """
    mapping = map_quantization(pair)
    parts = {} if mapping is None or pair.float is None else single_parts(pair.float, mapping)
    if mapping is None or pair.float is None or not parts:
        return replace(
            layers, method="ranked by local error: the sides do not differ by the quantization of layers"
        )
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        base = _base(pair.float, heads.readers)
        try:
            return _measure_costs(
                _SingleLayerModels(base, replace(runs, on_step=_quiet), Path(folder), runs.on_step),
                parts,
                layers,
            )
        except HarnessError as error:
            return replace(
                layers, method=f"ranked by local error: no layer could be quantized alone ({error})"
            )


def single_parts(model: ComparedModel, mapping: QuantizationMap) -> dict[int, QuantizedParts]:
    """Return for each layer, by its float tensor, the parts to quantize for it alone.

    A layer whose output is stored as its only input is, and one that only moves numbers, cost nothing: left out.
    """
    near = ancestors(model.graph.primary, [pair.float for pair in mapping.pairs])
    found = {}
    for pair in mapping.pairs:
        kept = mapping.activations.get(pair.float)
        came = {mapping.activations.get(index) for index in near[pair.float]}
        constants = {
            w.float_index: w.values
            for w in mapping.weights
            if w.pair.float == pair.float and not np.array_equal(w.values, w.float_values)
        }
        constants |= _changed_biases(model, mapping, pair.place)
        if constants or (kept is not None and came != {kept} and pair.operator not in MOVING):
            found[pair.float] = QuantizedParts({} if kept is None else {pair.float: kept}, constants)
    return found


def _changed_biases(model: ComparedModel, mapping: QuantizationMap, place: int) -> dict[int, Floats]:
    """Return a layer's own bias as the quantized graph has it, where it is another one."""
    read = model.graph.primary.operators[place].inputs if place >= 0 else ()
    found = {index: mapping.biases[index] for index in read if index in mapping.biases}
    sources = {index: constant_behind(model.graph, index) for index in found}
    return {
        index: values
        for index, values in found.items()
        if (source := sources[index]) is None or not np.array_equal(values, real_values(model.graph, source))
    }


def _base(model: ComparedModel, readers: Readers | None) -> _BaseModel:
    if readers is None:
        return _BaseModel(model, model.file, model.card, None, AS_IS)
    first = readers[0]
    return _BaseModel(model, first.file, first.card, first.decoder, first.change)


def _quiet(done: int, total: int, text: str) -> None:
    """Report nothing: the images of each of many layers are too many."""


@dataclass(frozen=True)
class _SingleLayerModels:
    """Models with one layer quantized, made and run on demand."""

    base: _BaseModel
    runs: Runs
    folder: Path
    on_step: OnStep
    changes: dict[str, Change] = field(default_factory=dict)

    @cached_property
    def emulator(self) -> Emulator:
        """The float model, to be quantized in parts."""
        return Emulator(reader.read_bytes(self.base.file), self.base.file)

    def change(self, parts: QuantizedParts, name: str) -> Change:
        """Return the change to the float model that quantizes these parts."""
        if name not in self.changes:
            file, data = self.folder / f"{name}.tflite", self.emulator.with_parts(parts)
            file.write_bytes(data)
            described = self.emulator.describe(data, file)
            self.changes[name] = Change(f"one layer quantized ({name})", self.base.card, file, described)
        return self.changes[name]

    def candidates(self, change: Change, decoder: HeadDecoder) -> list[Candidates]:
        """Return the candidates of the first images that can be read."""
        n_images = SCREENED_IMAGES if pixels(self.base.card) <= USUAL_PIXELS else SCREENED_IMAGES_LARGE
        found = self.runs.raw(self.base.model, change, n_images)
        return [decoder.read(raw.outputs) for raw in found if raw.outputs is not None]


def pixels(card: ModelCard) -> int:
    """Return the number of pixels of a model's input."""
    return card.input.width * card.input.height


def measured_images(card: ModelCard) -> int:
    """Return the number of images to measure mAP on for each layer: fewer where an inference takes longer."""
    share = USUAL_PIXELS / max(pixels(card), 1)
    return max(LEAST_MEASURED_IMAGES, min(MEASURED_IMAGES, round(MEASURED_IMAGES * share)))


def _measure_costs(models: _SingleLayerModels, parts: dict[int, QuantizedParts], layers: Layers) -> Layers:
    by_tensor = {layer.pair.float: layer for layer in layers.layers}
    chosen, how = _select_layers(models, {k: v for k, v in parts.items() if k in by_tensor}, by_tensor)
    n_images = min(measured_images(models.base.card), len(models.runs.dataset.images))
    as_is = models.runs.detections(models.base.model, models.base.as_is, n_images)
    for done, index in enumerate(chosen):
        models.on_step(done, len(chosen), "what single layers cost")
        found = models.runs.detections(models.base.model, models.change(parts[index], str(index)), n_images)
        cost = models.runs.compare(found, as_is)
        by_tensor[index] = replace(
            by_tensor[index], loss=cost.difference, loss_low=cost.low, loss_high=cost.high
        )
    method = (
        "quantize-one: the float model with one layer's weights, bias and output quantized, mAP on "
        f"{n_images} images, for the {len(chosen)} of {len(parts)} layers with {how}"
    )
    return replace(
        layers, layers=tuple(by_tensor[layer.pair.float] for layer in layers.layers), method=method
    )


def _select_layers(
    models: _SingleLayerModels, parts: dict[int, QuantizedParts], by_tensor: dict[int, Layer]
) -> tuple[list[int], str]:
    """Return the layers that disturb the detections most, the worst first."""
    steep = sorted(parts, key=lambda index: -_own_loss_db(by_tensor[index]))
    decoder = models.base.decoder
    if decoder is None:
        return steep[:MEASURED], "the largest loss of SNR of their own"
    reference = models.candidates(models.base.as_is, decoder)
    disturbed = {}
    screened = list(dict.fromkeys([*steep[:STEEP], *list(parts)[-LAST:]]))
    for done, index in enumerate(screened):
        models.on_step(done, len(screened), "screening layers")
        changed = models.candidates(models.change(parts[index], str(index)), decoder)
        disturbed[index] = sum(disturbance(a, b) for a, b in zip(reference, changed, strict=True))
    chosen = sorted(disturbed, key=lambda index: -disturbed[index])[:MEASURED]
    return chosen, "the most disturbed candidates"


def _own_loss_db(layer: Layer) -> float:
    """Return the loss of SNR at a layer itself."""
    return _USUAL_DB - snr(layer) if layer.drop_db is None else layer.drop_db


def disturbance(first: Candidates, second: Candidates) -> float:
    """Return the change of the best candidates: mean (1 - IoU) + mean relative change of score.

    Args:
        first: Candidates of the float model, of which the best `SCREENED_CANDIDATES` count.
        second: The same candidates after a change.
    """
    scores, changed = best_scores(first), best_scores(second)
    best = np.argsort(-scores, kind="stable")[:SCREENED_CANDIDATES]
    best = best[scores[best] > 0]
    if not best.size:
        return 0.0
    a, b = first.boxes[best].T, np.nan_to_num(second.boxes[best]).T
    moved = 1 - iou(a, b)
    return float(moved.mean() + (np.abs(changed[best] - scores[best]) / scores[best]).mean())
