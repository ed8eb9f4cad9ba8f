"""What still has to be applied to raw scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def sigmoid(logits: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)) without overflow for large negative logits."""
    with np.errstate(over="ignore"):
        values: Floats = np.float32(1) / (np.float32(1) + np.exp(-logits))
    return values


def softmax(logits: Floats) -> Floats:
    """Return the shares of exp(x) along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    values: Floats = shifted / shifted.sum(axis=-1, keepdims=True)
    return values


ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "none": lambda scores: scores,
    "sigmoid": sigmoid,
    "softmax": softmax,
}
