"""The output error of a changed model against the one it was made of, on the same images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, log10, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.accuracy.image_files import ImageFile
from harness.accuracy.prepare import Preparation
from harness.delegates import CPU
from harness.quantization.representative import Tensor
from harness.runtime import load_runtime, make_interpreter, without_chatter
from harness.tflite import model, postprocess
from harness.tflite.tensor_info import TensorInfo
from harness.tflite.values import to_integers, to_real

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class OutputError:
    """How far the outputs are apart; over all images, the worst output tensor.

    Attributes:
        snr_db: Signal-to-noise ratio, 10·log10(Σ reference² / Σ difference²); infinite where they are equal.
        max_abs_error: The largest difference of any value, in real units.
        cosine: Cosine of the angle between the outputs, 1 where they point the same way.
        n_images: Images compared.
        tensors: Names of the tensors compared.
    """

    snr_db: float
    max_abs_error: float
    cosine: float
    n_images: int
    tensors: tuple[str, ...]


class Probe:
    """Runs one model and reads its outputs as real numbers.

    Of a model that ends in `TFLite_Detection_PostProcess` the operator's inputs are read, box encodings and scores:
    a changed score reorders the detections behind it, and the difference of two lists in another order is no error.
    """

    def __init__(self, path: Path) -> None:
        description, graph = model.load(path)
        found = postprocess.find(graph)
        self.input = description.image_input
        watched = found[1].inputs[:2] if found else graph.primary.outputs
        self.names = tuple(graph.primary.tensors[index].name for index in watched)
        with without_chatter():
            self._interpreter = make_interpreter(load_runtime(), str(path), CPU, 1, keep_tensors=True)
        self._feed = self._interpreter.get_input_details()[0]["index"]
        self._watched = [int(index) for index in watched]

    def outputs(self, tensor: Tensor) -> list[_Floats]:
        """Run one input and return what is compared."""
        self._interpreter.set_tensor(self._feed, tensor)
        self._interpreter.invoke()
        details = {entry["index"]: entry for entry in self._interpreter.get_tensor_details()}
        return [_real(self._interpreter.get_tensor(index), details[index]) for index in self._watched]


def _real(values: npt.NDArray[np.generic], entry: Any) -> _Floats:
    scale, zero_point = entry["quantization"]
    if not scale or values.dtype.kind == "f":
        return values.astype(np.float64)
    return to_real(values, scale, zero_point, np.float64)


def fed(real: Tensor, info: TensorInfo) -> Tensor:
    """Turn a float input into what a model's own input takes: q = round(real / scale) + zero point."""
    if info.dtype == "float32" or info.scale is None:
        return real.astype(info.dtype, copy=False)
    return to_integers(real.astype(np.float64), info.scale, info.zero_point, info.dtype)


def compare(reference: Path, changed: Path, inputs: Iterable[Tensor]) -> OutputError | None:
    """Compare two models on prepared float inputs; None without any.

    Args:
        reference: The float model.
        changed: The model made of it, with outputs of the same number and shapes.
        inputs: Float inputs of the reference.
    """
    first, second = Probe(reference), Probe(changed)
    sums = np.zeros((len(first.names), 4))
    largest, n = 0.0, 0
    for n, tensor in enumerate(inputs, 1):  # noqa: B007
        pairs = zip(first.outputs(tensor), second.outputs(fed(tensor, second.input)), strict=True)
        for row, (a, b) in enumerate(pairs):
            sums[row] += [(a * a).sum(), (b * b).sum(), (a * b).sum(), ((a - b) ** 2).sum()]
            largest = max(largest, float(np.abs(a - b).max(initial=0.0)))
    if n == 0:
        return None
    return OutputError(
        min(_snr_db(row) for row in sums), largest, min(_cosine(row) for row in sums), n, first.names
    )


def _snr_db(row: _Floats) -> float:
    signal, noise = float(row[0]), float(row[3])
    if noise == 0:
        return inf
    return 10 * log10(signal / noise) if signal else -inf


def _cosine(row: _Floats) -> float:
    lengths = sqrt(float(row[0])) * sqrt(float(row[1]))
    return float(row[2]) / lengths if lengths else float(row[0] == row[1])


def prepared(preparation: Preparation, files: Iterable[ImageFile | Path]) -> Iterable[Tensor]:
    """Yield the prepared inputs of the files that can be read."""
    from harness.accuracy.image_files import UnreadableImageError

    for file in files:
        try:
            yield preparation.load(file)[0]
        except UnreadableImageError:
            continue
