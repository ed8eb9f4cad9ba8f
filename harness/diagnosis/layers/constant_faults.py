"""Name what was done to a constant that is no rounding of the float model's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.diagnosis.layers.constants import ConstantPair

Doubles = npt.NDArray[np.float64]
Kind = Literal[
    "lost", "channels permuted", "input channels permuted", "turned", "few bits", "rescaled", "clipped", "scaled",
    "shifted", "other",
]  # fmt: skip
FIT = 1.5
"""Steps within which a constant counts as another one that was changed in a known way."""
FEW, ENOUGH = 64, 256
"""Weights that take no more different numbers, of at least so many weights, have 6 bits or fewer."""
SAME_FACTOR = 0.02
"""Share by which the ratios of a scaled bias may differ: small biases are rounded."""


@dataclass(frozen=True)
class ConstantFault:
    """What was done to a constant.

    Attributes:
        pair: The constant in both models.
        kind: The kind of fault.
        words: The fault in words, with the decisive numbers, for a sentence that begins with the layer.
        order: Where channels are permuted: the float model's channel in each place.
        factors: Where channels are rescaled: the factor of each output channel.
        bits: Where weights have few bits: how many.
    """

    pair: ConstantPair
    kind: Kind
    words: str
    order: tuple[int, ...] = ()
    factors: tuple[float, ...] = ()
    bits: int = 0


def name_fault(pair: ConstantPair) -> ConstantFault:
    """Name the fault of a constant that differs."""
    return _bias(pair) if pair.part == "bias" else _weights(pair)


def _bias(pair: ConstantPair) -> ConstantFault:
    if not pair.second.any():
        return ConstantFault(pair, "lost", "has lost its bias: every value is 0")
    first, second = pair.first.astype(np.float64).reshape(-1), pair.second.astype(np.float64).reshape(-1)
    factor = float(first @ second / max(float(first @ first), 1e-30))
    left = np.abs(second - factor * first)
    steps = np.broadcast_to(pair.steps, pair.first.shape).reshape(-1)
    if abs(factor - 1) > SAME_FACTOR and bool((left <= FIT * steps + SAME_FACTOR * np.abs(first)).all()):
        return ConstantFault(pair, "scaled", f"has its bias times {factor:.3g}")
    shift = float(np.median(second - first))
    if abs(shift) > 10 * float(steps.max()) and bool(
        (np.abs(second - first - shift) <= FIT * steps + 1e-3 * abs(shift)).all()
    ):
        return ConstantFault(
            pair, "shifted", f"has its bias {'raised' if shift > 0 else 'lowered'} by {abs(shift):.3g}"
        )
    order = _order(first[:, None], second[:, None], steps[:, None])
    if order and len(set(np.round(first, 6))) > len(first) // 2:
        return ConstantFault(pair, "channels permuted", "has its biases in another order", order)
    return ConstantFault(pair, "other", f"has another bias, which differs by {pair.share:.0%}")


def _weights(pair: ConstantPair) -> ConstantFault:
    rows = _Rows.of(pair)
    if not pair.second.any():
        return ConstantFault(pair, "lost", "has lost its weights: all are 0")
    order = _order(rows.first, rows.second, rows.steps)
    if order:
        n = sum(place != k for k, place in enumerate(order))
        return ConstantFault(pair, "channels permuted", f"has {n} output channels in another place", order)
    for found in (_inputs(pair), _turned(pair), _few_bits(pair), _rescaled(pair, rows), _clipped(pair, rows)):
        if found is not None:
            return found
    return ConstantFault(pair, "other", f"has other weights, which differ by {pair.share:.0%}")


@dataclass(frozen=True)
class _Rows:
    """Weights as [output channels, others]."""

    first: Doubles
    second: Doubles
    steps: Doubles

    @classmethod
    def of(cls, pair: ConstantPair) -> _Rows:
        return cls(*(_as_rows(values, pair.axis) for values in (pair.first, pair.second, pair.steps)))


def _as_rows(values: npt.NDArray[Any], axis: int) -> Doubles:
    moved = np.moveaxis(values.astype(np.float64), axis, 0)
    return moved.reshape(moved.shape[0], -1)


def _order(first: Doubles, second: Doubles, steps: Doubles) -> tuple[int, ...]:
    """Return the row of `first` that each row of `second` is; () where it is no permutation, or none is moved."""
    if len(first) != len(second) or len(first) < 2:
        return ()
    apart = (second**2).sum(1)[:, None] + (first**2).sum(1)[None] - 2 * second @ first.T
    order = apart.argmin(axis=1)
    moved = order != np.arange(len(order))
    if not moved.any() or len(set(order.tolist())) != len(order):
        return ()
    errors = np.abs(second - first[order]) / np.maximum(steps, 1e-30)
    return tuple(order.tolist()) if float(np.sqrt((errors**2).mean())) < FIT else ()


def _inputs(pair: ConstantPair) -> ConstantFault | None:
    """Recognize input channels in another order: blue for red in a first layer."""
    axis = pair.first.ndim - 1
    if pair.axis == axis or pair.first.shape[axis] < 2:
        return None
    order = _order(*(_as_rows(values, axis) for values in (pair.first, pair.second, np.array(pair.steps))))
    if not order:
        return None
    words = "has its input channels in another order"
    if order == (2, 1, 0):
        words = "has the weights of red and blue exchanged: it was exported for BGR"
    return ConstantFault(pair, "input channels permuted", words, order)


def _turned(pair: ConstantPair) -> ConstantFault | None:
    """Recognize kernels that are transposed or turned: height for width."""
    if pair.first.ndim != 4 or pair.first.shape[1] != pair.first.shape[2] or pair.first.shape[1] < 2:
        return None
    for other, words in (
        (pair.first.transpose(0, 2, 1, 3), "transposed"),
        (pair.first[:, ::-1, ::-1], "turned upside down"),
    ):
        if _fits(pair, other):
            return ConstantFault(pair, "turned", f"has its kernels {words}")
    return None


def _fits(pair: ConstantPair, expected: npt.NDArray[Any]) -> bool:
    errors = np.abs(pair.second - expected) / np.maximum(pair.steps, 1e-30)
    return float(np.sqrt((errors**2).mean())) < FIT


def _few_bits(pair: ConstantPair) -> ConstantFault | None:
    bits = used_bits(pair)
    if bits is None or not is_rounded_up_or_down(pair):
        return None
    return ConstantFault(pair, "few bits", f"has weights of {bits} bits", bits=bits)


def is_rounded_up_or_down(pair: ConstantPair) -> bool:
    """Whether weights keep the float model's order in each channel: of two, the larger one is nowhere the smaller.

    However few values a rounding leaves, it does that; of another training's weights the order is another one.
    """
    rows = _Rows.of(pair)
    order = np.argsort(rows.first, axis=1, kind="stable")
    stored = np.take_along_axis(rows.second, order, axis=1)
    lower = np.maximum.accumulate(stored, axis=1) - stored
    return bool((lower <= FIT * np.take_along_axis(rows.steps, order, axis=1)).all())


def takes_few_values(pair: ConstantPair, bits: int) -> bool:
    """Whether a layer, however small, has no more values than some bits can tell apart, rounded from the float ones."""
    few = pair.integers.dtype.itemsize == 1 and len(np.unique(pair.integers)) <= 2**bits
    return few and is_rounded_up_or_down(pair)


def used_bits(pair: ConstantPair) -> int | None:
    """Return how many bits 8-bit weights have in truth; None where they have more than 6 or are too few to tell."""
    if pair.integers.dtype.itemsize != 1 or pair.integers.size < ENOUGH:
        return None
    n = len(np.unique(pair.integers))
    return max(1, int(np.ceil(np.log2(n)))) if n <= FEW else None


def _rescaled(pair: ConstantPair, rows: _Rows) -> ConstantFault | None:
    """Recognize channels that have a factor each: of the output, and perhaps of the input (equalized layers)."""
    power = (rows.first**2).sum(1)
    factors = (rows.first * rows.second).sum(1) / np.maximum(power, 1e-30)
    errors = np.abs(rows.second - factors[:, None] * rows.first) / np.maximum(rows.steps, 1e-30)
    if float(np.sqrt((errors**2).mean())) >= FIT and not _is_equalized(pair):
        return None
    low, high = float(factors.min()), float(factors.max())
    words = f"{low:.3g}" if high - low < SAME_FACTOR * abs(high) else f"factors from {low:.3g} to {high:.3g}"
    return ConstantFault(
        pair, "rescaled", f"has its weights times {words}", factors=tuple(map(float, factors))
    )


def _is_equalized(pair: ConstantPair) -> bool:
    """Whether weights are the float model's times a factor for each output and each input channel."""
    if pair.axis == pair.first.ndim - 1 or pair.first.ndim < 2:
        return False
    first, second = pair.first.astype(np.float64), pair.second.astype(np.float64)
    rows, columns = np.ones(first.shape[0]), np.ones(first.shape[-1])
    shape = (-1, *(1,) * (first.ndim - 1))
    for _ in range(6):
        scaled = first * columns
        rows = _ratios(scaled, second, tuple(range(1, first.ndim)))
        scaled = first * rows.reshape(shape)
        columns = _ratios(scaled, second, tuple(range(first.ndim - 1)))
    errors = np.abs(second - first * rows.reshape(shape) * columns) / np.maximum(pair.steps, 1e-30)
    return float(np.sqrt((errors**2).mean())) < FIT


def _ratios(first: Doubles, second: Doubles, axes: tuple[int, ...]) -> Doubles:
    return np.asarray((first * second).sum(axis=axes) / np.maximum((first**2).sum(axis=axes), 1e-30))


def _clipped(pair: ConstantPair, rows: _Rows) -> ConstantFault | None:
    """Recognize weights that are cut off at a size."""
    most = np.abs(rows.second).max(axis=1, keepdims=True)
    if len(np.unique(np.round(most / max(float(most.max()), 1e-30), 6))) == 1 or len(most) == 1:
        most = np.full_like(most, float(most.max()))
    cut = np.clip(rows.first, -most, most)
    errors = np.abs(rows.second - cut) / np.maximum(rows.steps, 1e-30)
    beyond = float((np.abs(rows.first) > most * 1.02).mean())
    if float(np.sqrt((errors**2).mean())) >= FIT or beyond == 0:
        return None
    words = f"has its weights cut off: {beyond:.1%} of them are larger than the {float(most.max()):.3g} that is kept"
    return ConstantFault(pair, "clipped", words)


@dataclass(frozen=True)
class ClassOrder:
    """Classes in another order.

    Attributes:
        n: Columns a candidate, background or box columns among them.
        order: The float model's column in each place.
    """

    n: int
    order: tuple[int, ...]

    @property
    def moved(self) -> tuple[int, ...]:
        """The columns that are not where they were."""
        return tuple(k for k, place in enumerate(self.order) if place != k)


def class_order(order: Sequence[int]) -> ClassOrder | None:
    """Return the permutation of classes that one of channels is: the same within each of equal blocks."""
    places = np.array(order)
    for n in (n for n in range(2, len(places) + 1) if len(places) % n == 0):
        blocks = places.reshape(-1, n) - np.arange(0, len(places), n)[:, None]
        if bool((blocks == blocks[0]).all()) and blocks.min() >= 0 and blocks.max() < n:
            return ClassOrder(n, tuple(int(place) for place in blocks[0]))
    return None
