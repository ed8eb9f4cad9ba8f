"""Whether representative values lie in the range that the model's preparation gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.cards import InputSpec
from harness.quantization.findings import Finding

BEYOND, FILLS = 0.1, 0.6
"""Values may leave the range by a tenth of its width (resampling, padding), and should fill six tenths of it."""
_USUAL = {"0…255": (0.0, 255.0), "0…1": (0.0, 1.0), "−1…1": (-1.0, 1.0), "−128…127": (-128.0, 127.0)}
NAME = "wrong-range"


def expected(spec: InputSpec) -> tuple[float, float]:
    """Return the values of the darkest and the brightest pixel: real = (pixel − mean) / std."""
    if spec.mean is None or spec.std is None:
        return 0.0, 255.0
    ends = [(p - m) / s for p in (0, 255) for m, s in zip(spec.mean, spec.std, strict=True)]
    return min(ends), max(ends)


def taken_for_pixels(values: npt.NDArray[np.generic], spec: InputSpec) -> tuple[float, float]:
    """Return what stands for black and white in arrays: the card's range, or their own where they are not in it."""
    low, high = expected(spec)
    found = _ends(values)
    return found if _outside(*found, low, high) else (low, high)


def _outside(found_low: float, found_high: float, low: float, high: float) -> bool:
    slack = BEYOND * (high - low)
    return (
        found_low < low - slack or found_high > high + slack or found_high - found_low < FILLS * (high - low)
    )


def check(values: npt.NDArray[np.generic] | None, spec: InputSpec, integer_input: bool) -> list[Finding]:
    """Check arrays against the card's range; for images, that a float input has one.

    Args:
        values: Prepared samples; None where images are prepared by the harness itself.
        spec: The card's input section.
        integer_input: Whether the model takes integers.
    """
    if values is None:
        return _unknown() if spec.mean is None and not integer_input else []
    low, high = expected(spec)
    found_low, found_high = _ends(values)
    if not _outside(found_low, found_high, low, high):
        return []
    guess = _looks_like(found_low, found_high)
    like = f", as images of {guess} have" if guess else ""
    return [
        Finding(
            NAME,
            "error",
            f"the values run from {found_low:.4g} to {found_high:.4g}{like}, the model takes {low:.4g} to {high:.4g}.",
            f"Prepare them with real = (pixel − mean) / std, {_words(spec)}, or give the images themselves.",
        )
    ]


def _unknown() -> list[Finding]:
    return [
        Finding(
            "range-unknown",
            "warning",
            "how the model's float input is normalized is not known: pixels of 0…255 go in as they are, which is "
            "wrong for a model that takes −1…1 or 0…1.",
            "Give a model card with input.mean and input.std instead of the bare file.",
        )
    ]


def _ends(values: npt.NDArray[np.generic]) -> tuple[float, float]:
    """Return the least and the greatest value without the outermost thousandth: one bad pixel is no range."""
    numbers: Any = values.astype(np.float64, copy=False)
    low, high = np.quantile(np.nan_to_num(numbers), [0.001, 0.999])
    return float(low), float(high)


def _looks_like(low: float, high: float) -> str | None:
    """Name the narrowest usual range that holds the values and is mostly filled by them."""
    for name, (start, end) in sorted(_USUAL.items(), key=lambda item: item[1][1] - item[1][0]):
        slack = 0.02 * (end - start)
        if start - slack <= low and high <= end + slack and high - low >= FILLS * (end - start):
            return name
    return None


def _words(spec: InputSpec) -> str:
    if spec.mean is None or spec.std is None:
        return "mean 0 and std 1"
    return f"mean {[round(v, 4) for v in spec.mean]} and std {[round(v, 4) for v in spec.std]}"
