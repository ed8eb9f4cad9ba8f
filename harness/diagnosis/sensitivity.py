"""What single layers cost: the float model with only one layer quantized, measured as every model is.

Quantize-one: the layer's weights and its output are rounded as the quantized graph stores them, everything else
stays float (`harness.diagnosis.emulate`). All layers are screened by the error that reaches the heads on a few images;
mAP is measured for those that bring the most.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.cards import ModelCard
from harness.detectors.base import TensorInfo, dequantize
from harness.diagnosis.changes import Change
from harness.diagnosis.emulate import Parts, emulate
from harness.diagnosis.heads import Heads, open_heads
from harness.diagnosis.layers import Layer, Layers
from harness.diagnosis.matching import MOVING, ancestors
from harness.diagnosis.runs import Runs
from harness.diagnosis.sides import Pair, Side
from harness.diagnosis.twin import Twin, find_twin
from harness.errors import HarnessError
from harness.tflite import reader

SCREENED_IMAGES = 2
MEASURED = 10
"""Layers whose mAP is measured; the others bring less error to the heads."""
MEASURED_IMAGES = 40
MOST_SCREENED = 60
Infer = Callable[[bytes], list[list[np.ndarray]]]


@dataclass(frozen=True)
class _Base:
    """The float model that layers are quantized in: itself, or what is before its suppression."""

    side: Side
    file: Path
    card: ModelCard
    outputs: tuple[TensorInfo, ...]


def measure(pair: Pair, runs: Runs, layers: Layers) -> Layers:
    """Add to the layers what each costs alone, as far as that can be measured; `method` says how, or why not.

    Raises:
        JobError: A model failed.
    """
    twin = find_twin(pair)
    parts = {} if twin is None or pair.float is None else single_parts(pair.float, twin)
    if twin is None or pair.float is None or not parts:
        return replace(
            layers, method="ranked by local error: the sides do not differ by the quantization of layers"
        )
    with open_heads(pair) as (heads, _), tempfile.TemporaryDirectory(prefix="harness-") as folder:
        base = _base(pair.float, heads)
        try:
            return _measured(_Bench(base, runs, Path(folder)), parts, layers)
        except HarnessError as error:
            return replace(
                layers, method=f"ranked by local error: no layer could be quantized alone ({error})"
            )


def single_parts(side: Side, twin: Twin) -> dict[int, Parts]:
    """Return for each layer, by its float tensor, what quantizing it alone means.

    An output stored as its only input is changes nothing, and what only moves numbers is no layer: left out.
    """
    near = ancestors(side.graph.primary, [pair.float for pair in twin.pairs])
    found = {}
    for pair in twin.pairs:
        kept = twin.activations.get(pair.float)
        came = {twin.activations.get(index) for index in near[pair.float]}
        constants = {w.float_index: w.values for w in twin.weights if w.pair.float == pair.float}
        if constants or (kept is not None and came != {kept} and pair.operator not in MOVING):
            found[pair.float] = Parts({} if kept is None else {pair.float: kept}, constants)
    return found


def _base(side: Side, heads: tuple[Heads, Heads] | None) -> _Base:
    if heads is None:
        return _Base(side, side.file, side.model.card, side.description.outputs)
    first = heads[0]
    return _Base(side, first.change.file or side.file, first.card, first.outputs)


@dataclass(frozen=True)
class _Bench:
    """Makes and runs models of which one layer is quantized."""

    base: _Base
    runs: Runs
    folder: Path

    def change(self, parts: Parts, name: str) -> Change:
        """Return the change to the float side that quantizes these parts."""
        file = self.folder / f"{name}.tflite"
        if not file.exists():
            file.write_bytes(emulate(reader.read_bytes(self.base.file), parts, self.base.file))
        return Change(f"one layer quantized ({name})", self.base.card, file)

    def outputs(self, change: Change) -> Iterator[list[np.ndarray]]:
        """Yield the real values of the outputs for each of the first images that can be read."""
        for raw in self.runs.raw(self.base.side, change, SCREENED_IMAGES):
            if raw.outputs is not None:
                yield [dequantize(a, i) for a, i in zip(raw.outputs, self.base.outputs, strict=True)]


def _measured(bench: _Bench, parts: dict[int, Parts], layers: Layers) -> Layers:
    by_tensor = {layer.pair.float: layer for layer in layers.layers}
    chosen, how = _worst(bench, {k: v for k, v in parts.items() if k in by_tensor}, by_tensor)
    n_images = min(MEASURED_IMAGES, len(bench.runs.dataset.images))
    as_is = bench.runs.detections(bench.base.side, Change("", bench.base.card, bench.base.file), n_images)
    for done, index in enumerate(chosen):
        bench.runs.on_step(done, len(chosen), "what single layers cost")
        found = bench.runs.detections(bench.base.side, bench.change(parts[index], str(index)), n_images)
        cost = bench.runs.compare(found, as_is)
        by_tensor[index] = replace(
            by_tensor[index], loss=cost.difference, loss_low=cost.low, loss_high=cost.high
        )
    method = (
        f"quantize-one: the float model with one layer's weights and output quantized, mAP on {n_images} images, for "
        f"the {len(chosen)} of {len(parts)} layers with {how}"
    )
    return replace(
        layers, layers=tuple(by_tensor[layer.pair.float] for layer in layers.layers), method=method
    )


def _worst(bench: _Bench, parts: dict[int, Parts], by_tensor: dict[int, Layer]) -> tuple[list[int], str]:
    """Return the layers that bring the most error to the heads, the worst first."""
    if bench.base.file == bench.base.side.file and bench.base.side.description.postprocess is not None:
        order = sorted(parts, key=lambda index: -(by_tensor[index].drop_db or 0.0))
        return order[:MEASURED], "the largest local loss of SNR"
    candidates = sorted(parts, key=lambda index: -(by_tensor[index].drop_db or 0.0))[:MOST_SCREENED]
    reference = list(bench.outputs(Change("", bench.base.card, bench.base.file)))
    noise = {}
    for done, index in enumerate(candidates):
        bench.runs.on_step(done, len(candidates), "screening layers")
        noise[index] = _noise(reference, list(bench.outputs(bench.change(parts[index], str(index)))))
    return sorted(candidates, key=lambda index: -noise[index])[:MEASURED], "the most error at the heads"


def _noise(reference: Sequence[Sequence[np.ndarray]], changed: Sequence[Sequence[np.ndarray]]) -> float:
    """Return the noise-to-signal ratio of the output that has the most."""
    worst = 0.0
    for k in range(len(reference[0]) if reference else 0):
        pairs = [
            (a[k].astype(np.float64), b[k].astype(np.float64))
            for a, b in zip(reference, changed, strict=True)
        ]
        signal = sum(float((a * a).sum()) for a, _ in pairs)
        noise = sum(float(np.square(np.nan_to_num(b - a, nan=1e6)).sum()) for a, b in pairs)
        worst = max(worst, noise / signal if signal else 0.0)
    return worst
