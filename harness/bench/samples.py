"""Timed inferences of a cell, as they lie on disk.

One NumPy file a process: a structured array with one row an inference, in the order they ran.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.errors import RecordError

SAMPLE = np.dtype([("start_ns", "<i8"), ("duration_ns", "<i8"), ("steady", "?")])
"""start_ns: since the process's first inference began; duration_ns: of `invoke()` alone; steady: after warm-up."""

Samples = npt.NDArray[np.void]


def make_samples(start_ns: npt.ArrayLike, duration_ns: npt.ArrayLike, steady_from: int) -> Samples:
    """Put samples together; those from index `steady_from` on are marked steady."""
    starts = np.asarray(start_ns, dtype=np.int64)
    samples = np.zeros(starts.size, dtype=SAMPLE)
    samples["start_ns"] = starts - (starts[0] if starts.size else 0)
    samples["duration_ns"] = duration_ns
    samples["steady"][steady_from:] = True
    return samples


def to_bytes(samples: Samples) -> bytes:
    """Serialize to the NumPy file format."""
    buffer = io.BytesIO()
    np.save(buffer, samples, allow_pickle=False)
    return buffer.getvalue()


def load_samples(path: Path) -> Samples:
    """Read one process's samples.

    Raises:
        RecordError: The file is missing or is not one of ours.
    """
    try:
        samples: Samples = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise RecordError(f"{path}: samples cannot be read ({error})") from error
    if samples.dtype != SAMPLE:
        raise RecordError(f"{path}: found samples of type {samples.dtype}, expected {SAMPLE}")
    return samples
