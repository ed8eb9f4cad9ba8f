"""What is set before each inference that is timed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import ModelError
from harness.worker.jobs import LatencyJob
from harness.worker.tensors import details_of


def make_feeds(interpreter: Any, job: LatencyJob) -> list[tuple[int, npt.NDArray[np.generic]]]:
    """Prepare what is set before each inference: (tensor index, array), cycled over.

    The first input takes the prepared images; every other input is set here once, with seeded values.
    """
    generator = np.random.default_rng(job.seed)
    details = details_of(interpreter.get_input_details)
    if not details:
        raise ModelError("the model has no input, expected an image input")
    for detail in details[1:]:
        interpreter.set_tensor(detail["index"], _random_like(detail, generator))
    if job.inputs is None:
        return [(details[0]["index"], _random_like(details[0], generator))]
    return [(details[0]["index"], image[None]) for image in np.load(job.inputs, allow_pickle=False)]


def _random_like(detail: dict[str, Any], generator: np.random.Generator) -> npt.NDArray[np.generic]:
    return random_values(tuple(detail["shape"]), np.dtype(detail["dtype"]), generator)


def random_values(
    shape: tuple[int, ...], dtype: np.dtype[Any], generator: np.random.Generator
) -> npt.NDArray[np.generic]:
    """Return values for an input that takes no image."""
    if dtype == np.bool_:
        return generator.integers(0, 2, shape).astype(np.bool_)
    if np.issubdtype(dtype, np.integer):
        bounds = np.iinfo(dtype)
        low, high = (bounds.min, bounds.max) if bounds.bits == 8 else (0, 127)
        return generator.integers(low, high, shape, dtype=dtype, endpoint=True)
    return generator.uniform(-1, 1, shape).astype(dtype)
