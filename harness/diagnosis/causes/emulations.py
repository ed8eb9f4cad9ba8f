"""Compare the emulated quantized model with the same model without one of its faults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count

from harness.accuracy.bootstrap import PairedDifference
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.layers.emulate import (
    Floats,
    QuantizationParameters,
    QuantizedParts,
    parameters_for_range,
)
from harness.diagnosis.layers.layers import Layer
from harness.diagnosis.layers.quantization_map import QuantizationMap, map_quantization
from harness.diagnosis.runs.changes import Change, Detections
from harness.diagnosis.runs.model_pair import ComparedModel
from harness.diagnosis.runs.scratch import ScratchFolder
from harness.errors import MissingExtraError

_NUMBERS = count()


@dataclass(frozen=True)
class Emulations:
    """The float model, to be quantized in parts.

    Attributes:
        evidence: The measurements so far.
        quantization: The quantized model's quantization, by the float model's tensors.
        folder: Holds the emulated models.
    """

    evidence: Evidence
    quantization: QuantizationMap
    folder: ScratchFolder

    @property
    def model(self) -> ComparedModel:
        """The float model."""
        model = self.evidence.pair.float
        assert model is not None
        return model

    def compare_with(self, better: QuantizedParts) -> PairedDifference:
        """Compare the emulated quantized model with the same model with better parts.

        Args:
            better: The quantized parts without the fault.

        Returns:
            `first` is the mAP of the emulated quantized model, `second` without the fault.

        Raises:
            JobError: The emulated model cannot be run.
        """
        return self.evidence.runs.compare(self.detections(self.quantization.parts()), self.detections(better))

    def detections(self, parts: QuantizedParts) -> Detections:
        """Return the detections of the float model with parts of it quantized."""
        emulator = self.evidence.emulator
        data = emulator.with_parts(parts)
        file = self.folder.write(f"emulated{next(_NUMBERS)}.tflite", data)
        change = Change("emulated", file=file, described=emulator.describe(data, file))
        return self.evidence.runs.detections(self.model, change)

    def with_ranges(self, indices: Iterable[int]) -> QuantizedParts:
        """Return all parts, with ranges for some activations that fit the float model's values."""
        layers = layers_by_tensor(self.evidence)
        better = {index: parameters_for_layer(layers[index]) for index in indices if index in layers}
        return self.with_activations(better)

    def with_activations(self, better: Mapping[int, QuantizationParameters | None]) -> QuantizedParts:
        """Return all parts, with other parameters for some activations; None leaves one in float."""
        parts = self.quantization.parts()
        merged: dict[int, QuantizationParameters | None] = {**parts.activations, **better}
        return replace(parts, activations={index: how for index, how in merged.items() if how is not None})

    def constants_of(self, outputs: Iterable[int]) -> list[int]:
        """Return the float model's constants of the layers that compute some tensors of the quantized graph."""
        wanted = set(outputs)
        places = [pair.place for pair in self.quantization.pairs if pair.quantized in wanted]
        graph, constants = self.model.graph.primary, self.quantization.parts().weights
        return [i for place in places for i in graph.operators[place].inputs if i in constants]

    def with_weights(self, better: Mapping[int, Floats | None]) -> QuantizedParts:
        """Return all parts, with other weights; None leaves a constant in float."""
        parts = self.quantization.parts()
        merged: dict[int, Floats | None] = {**parts.weights, **better}
        return replace(
            parts, weights={index: values for index, values in merged.items() if values is not None}
        )


def open_emulations(evidence: Evidence, folder: ScratchFolder) -> Emulations | None:
    """Prepare to emulate the quantized model; None without a float model that runs in this process."""
    reference = evidence.pair.float
    if reference is None or not reference.place.in_process:
        return None
    try:
        mapping = map_quantization(evidence.pair)
    except MissingExtraError:
        return None
    return None if mapping is None else Emulations(evidence, mapping, folder)


def layers_by_tensor(evidence: Evidence) -> dict[int, Layer]:
    """Return the measured layers by their float tensor."""
    return {layer.pair.float: layer for layer in evidence.layers.layers} if evidence.layers else {}


def parameters_for_layer(layer: Layer) -> QuantizationParameters:
    """Return the quantization that calibration with the evaluated images would give a tensor."""
    return parameters_for_range(layer.float_min, layer.float_max)
