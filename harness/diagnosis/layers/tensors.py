"""Compare every tensor over real images with running sums: no activation is kept longer than its image.

Both models run on the builtin kernels without a delegate, which would not give access to its intermediate tensors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.accuracy.dataset import ImageEntry
from harness.accuracy.image_files import UnreadableImageError
from harness.accuracy.interpreters import Pool
from harness.delegates import CPU_REFERENCE
from harness.diagnosis.layers.layers import Layer, TensorPair
from harness.diagnosis.runs.engines import Engines
from harness.diagnosis.runs.model_pair import ComparedModel, ModelPair
from harness.diagnosis.runs.prepared_inputs import PreparedInputs
from harness.diagnosis.runs.runs import OnStep
from harness.errors import JobError
from harness.runtime import RuntimeMissingError, load_runtime, make_interpreter, without_chatter
from harness.tflite.graph import Subgraph, Tensor
from harness.tflite.values import real_range, to_real

Floats = npt.NDArray[np.float32]
Totals = npt.NDArray[np.float64]
MEMORY_BUDGET = 600 << 20
"""Bytes that the tensors of all interpreters may take; limits how many images are processed at once."""
INTEGERS = frozenset({"int8", "uint8", "int16"})
_SUMS = ("n", "float²", "float × error", "error²", "error", "clipped", "not finite")
_ImageSums = tuple[tuple[float, ...], tuple[float, ...]]
"""One image's `Sums.totals` and `Sums.ends` of one pair."""
_NO_ENDS = (math.inf, -math.inf, math.inf, -math.inf)


@dataclass(frozen=True)
class TensorStorage:
    """The storage of a tensor in one model: real = scale × (q − zero point); scale None for a float one."""

    tensor: Tensor
    scale: float | None
    zero_point: int

    @property
    def limits(self) -> tuple[float, float] | None:
        """The least and greatest real value that can be stored; None for a float tensor."""
        return real_range(self.tensor.dtype, self.scale, self.zero_point)


def storage_of(tensor: Tensor) -> TensorStorage | None:
    """Return the storage of a tensor; None where its numbers have no real values (indices, shapes, flags)."""
    if tensor.dtype == "float32":
        return TensorStorage(tensor, None, 0)
    quantization = tensor.quantization
    if tensor.dtype not in INTEGERS or quantization is None or len(quantization.scales) != 1:
        return None
    return TensorStorage(tensor, quantization.scales[0], quantization.zero_points[0])


@dataclass(frozen=True)
class ComparablePair:
    """A pair of tensors whose numbers can be compared."""

    pair: TensorPair
    first: TensorStorage
    second: TensorStorage


def comparable(pairs: Sequence[TensorPair], first: Subgraph, second: Subgraph) -> list[ComparablePair]:
    """Return the pairs whose tensors both hold real numbers."""
    found = []
    for pair in pairs:
        a, b = storage_of(first.tensors[pair.float]), storage_of(second.tensors[pair.quantized])
        if a is not None and b is not None:
            found.append(ComparablePair(pair, a, b))
    return found


class Reader:
    """Interpreter that gives access to every tensor after a run."""

    def __init__(self, file: Path) -> None:
        try:
            with without_chatter():
                self._interpreter = make_interpreter(
                    load_runtime(), str(file), CPU_REFERENCE, 1, keep_tensors=True
                )
        except (RuntimeMissingError, RuntimeError, ValueError) as error:
            raise JobError(f"{file}: its tensors cannot be read: {error}") from error
        self._feed = self._interpreter.get_input_details()[0]["index"]

    def run(self, tensor: npt.NDArray[np.generic]) -> None:
        """Feed an input and invoke."""
        self._interpreter.set_tensor(self._feed, tensor)
        self._interpreter.invoke()

    def view(self, index: int) -> Any:
        """Return a tensor's memory; the reference must be dropped before the next `run`."""
        return self._interpreter.tensor(index)()


@dataclass
class Sums:
    """Running sums over images.

    Attributes:
        totals: float64 [P, 7], the sums that `_SUMS` names, for each pair.
        ends: float64 [P, 4], least and greatest float value, least and greatest quantized value (real units).
        n_images: Number of images that were added.
        scratch: Buffers for the values of one tensor, of both models and of their difference.
    """

    totals: Totals
    ends: Totals
    n_images: int = 0
    scratch: list[Floats] = field(default_factory=list)

    @classmethod
    def empty(cls, pairs: Sequence[ComparablePair]) -> Sums:
        """Return sums over no image."""
        largest = max((pair.first.tensor.n_elements for pair in pairs), default=0)
        ends = np.tile(_NO_ENDS, (len(pairs), 1))
        scratch = [np.empty(largest, np.float32) for _ in range(3)]
        return cls(np.zeros((len(pairs), len(_SUMS))), ends, 0, scratch)

    def add(self, image: Sequence[_ImageSums]) -> None:
        """Add the sums of one image's pairs, all at once: added one by one, numbers take longer than tensors."""
        totals, ends = np.array([row for row, _ in image]), np.array([row for _, row in image])
        self.totals += totals.reshape(self.totals.shape)
        ends = ends.reshape(self.ends.shape)
        np.minimum(self.ends[:, 0::2], ends[:, 0::2], out=self.ends[:, 0::2])
        np.maximum(self.ends[:, 1::2], ends[:, 1::2], out=self.ends[:, 1::2])
        self.n_images += 1

    def of_pair(self, pair: ComparablePair, first: Any, second: Any) -> _ImageSums:
        """Sum up one image's values of one pair; skip tensors of another size than the file states."""
        if first.size != second.size:
            return (0.0,) * len(_SUMS), _NO_ENDS
        if first.size > len(self.scratch[0]):
            self.scratch = [np.empty(first.size, np.float32) for _ in range(3)]
        a = _real(first, pair.first, self.scratch[0])
        b = _real(second, pair.second, self.scratch[1])
        with np.errstate(over="ignore", invalid="ignore"):  # the sums show what is too large for float32
            error = np.subtract(b, a, out=self.scratch[2][: a.size])
            sums = float(a @ a), float(a @ error), float(error @ error)
        size = a.size
        if not all(map(math.isfinite, sums)):
            a, b, error, sums = _finite(a, b)
        if not a.size:
            return (0.0, *sums, 0.0, 0.0, size), _NO_ENDS
        low, high = float(np.minimum.reduce(a)), float(np.maximum.reduce(a))
        total, clipped = float(np.add.reduce(error, dtype=np.float64)), _outside(a, low, high, pair.second)
        ends = low, high, float(np.minimum.reduce(b)), float(np.maximum.reduce(b))
        return (a.size, *sums, total, clipped, size - a.size), ends


def _finite(a: Floats, b: Floats) -> tuple[Floats, Floats, Floats, tuple[float, float, float]]:
    """Leave out the values that are not finite in one of the models, and sum the rest in double precision."""
    good = np.isfinite(a) & np.isfinite(b)
    a, b = a[good], b[good]
    wide, error = a.astype(np.float64), b.astype(np.float64) - a
    with np.errstate(over="ignore"):
        narrow = error.astype(np.float32)
    return a, b, narrow, (float(wide @ wide), float(wide @ error), float(error @ error))


def _real(values: Any, how: TensorStorage, scratch: Floats) -> Floats:
    """Return a tensor's real values, flat; integers are dequantized into `scratch`."""
    flat = values.reshape(-1)
    if how.scale is None:
        return np.asarray(flat, np.float32)
    return to_real(flat, how.scale, how.zero_point, out=scratch[: flat.size])


def _outside(values: Floats, low: float, high: float, how: TensorStorage) -> int:
    """Count the values that exceed the range of the quantized tensor by more than half a step."""
    limits = how.limits
    if limits is None or how.scale is None:
        return 0
    least, most = limits[0] - how.scale / 2, limits[1] + how.scale / 2
    if low >= least and high <= most:
        return 0
    return int(np.count_nonzero(values < least) + np.count_nonzero(values > most))


@dataclass
class _Comparer:
    """Readers of both models and their sums, used by one thread at a time."""

    readers: tuple[Reader, Reader]
    sums: Sums


def compare(
    pair: ModelPair,
    pairs: Sequence[ComparablePair],
    images: Sequence[ImageEntry],
    inputs: PreparedInputs,
    on_step: OnStep,
) -> Sums:
    """Run both models over images and sum up the differences of the paired tensors.

    Args:
        pair: The two models; both run in this process.
        pairs: The tensors to compare.
        images: As they are annotated; those that cannot be read are left out.
        inputs: Pictures that were prepared before.
        on_step: Called with the progress.

    Raises:
        JobError: A model cannot be run, or failed.
    """
    assert pair.float is not None
    models = (pair.float, pair.quantized)
    preparations = [inputs.of(model.card.input, model.description.image_input) for model in models]
    engines = Engines(threads=_threads(models, Engines().threads))
    benches = [
        _Comparer((Reader(models[0].file), Reader(models[1].file)), Sums.empty(pairs))
        for _ in range(engines.threads)
    ]
    pool = Pool(benches)

    def work(image: ImageEntry) -> list[_ImageSums] | None:
        try:
            fed = [preparation.load(image)[0] for preparation in preparations]
        except UnreadableImageError:
            return None
        try:
            with pool.lend() as bench:
                return _sum_up(bench, pairs, fed)
        except (RuntimeError, ValueError) as error:
            raise JobError(f"{image.path.name}: the tensors could not be compared: {error}") from error

    whole = benches[0].sums
    for done, found in enumerate(engines.map(work, images), 1):
        if found is not None:
            whole.add(found)  # in the order of the images, so that no digit depends on which thread had which
        on_step(done, len(images), "comparing tensors")
    return whole


def _sum_up(
    bench: _Comparer, pairs: Sequence[ComparablePair], inputs: Sequence[npt.NDArray[np.generic]]
) -> list[_ImageSums]:
    for reader, tensor in zip(bench.readers, inputs, strict=True):
        reader.run(tensor)
    first, second = bench.readers
    sums = bench.sums
    return [sums.of_pair(one, first.view(one.pair.float), second.view(one.pair.quantized)) for one in pairs]


def _threads(models: Sequence[ComparedModel], cores: int) -> int:
    """Return how many images can be processed at once within the memory for tensors."""
    width = {"float32": 4, "int32": 4, "float16": 2, "int16": 2, "int64": 8}
    n_bytes = sum(
        tensor.n_elements * width.get(tensor.dtype, 1)
        for model in models
        for tensor in model.graph.primary.tensors
        if not tensor.constant
    )
    return max(1, min(cores, MEMORY_BUDGET // max(n_bytes, 1)))


def to_layers(pairs: Sequence[ComparablePair], sums: Sums) -> Iterator[Layer]:
    """Turn the sums into figures; `drop_db` is still unknown."""
    for pair, total, ends in zip(pairs, sums.totals.tolist(), sums.ends.tolist(), strict=True):
        n, signal, cross, noise, drift, clipped, bad = total
        known = n > 0
        limits = pair.second.limits
        low, high = limits or (None, None)
        least, most = (ends[0], ends[1]) if known else (0.0, 0.0)
        yield Layer(
            pair=pair.pair,
            shape=pair.first.tensor.shape,
            dtype=pair.second.tensor.dtype,
            scale=pair.second.scale,
            zero_point=None if pair.second.scale is None else pair.second.zero_point,
            snr_db=10 * math.log10(signal / noise) if signal > 0 and noise > 0 else None,
            cosine=_cosine(signal, cross, noise),
            mean_error=drift / n if known else 0.0,
            range_low=low,
            range_high=high,
            float_min=least,
            float_max=most,
            quantized_min=ends[2] if known else 0.0,
            quantized_max=ends[3] if known else 0.0,
            range_use=None if limits is None else _range_use(least, most, limits),
            clipped=None if limits is None else clipped / n if known else 0.0,
            drop_db=None,
            not_finite=bad / (n + bad) if n + bad else 0.0,
        )


def _cosine(signal: float, cross: float, noise: float) -> float | None:
    """Return the cosine of float and quantized = float + error, from Σ f², Σ f·e and Σ e²."""
    other = signal + 2 * cross + noise
    if signal <= 0 or other <= 0:
        return None
    return max(-1.0, min(1.0, (signal + cross) / math.sqrt(signal * other)))


def _range_use(least: float, most: float, limits: tuple[float, float]) -> float:
    """Return the share of a quantized range that the float values span."""
    width = limits[1] - limits[0]
    return max(0.0, min(most, limits[1]) - max(least, limits[0])) / width if width > 0 else 0.0
