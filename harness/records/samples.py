"""Timed inferences of a cell, as they lie on disk.

One NumPy file a process: a structured array with one row an inference, in the order they ran.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.errors import RecordError
from harness.records.files import DAMAGED, checksum, read_whole

SAMPLE = np.dtype([("start_ns", "<i8"), ("duration_ns", "<i8"), ("steady", "?")])
"""start_ns: since the process's first inference began; duration_ns: of `invoke()` alone; steady: after warm-up."""

_MOST_HEADERS = 4096

Samples = npt.NDArray[np.void]

_USUAL_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': \[\('start_ns', '<i8'\), \('duration_ns', '<i8'\), \('steady', '\|b1'\)\], "
    rb"'fortran_order': False, 'shape': \((\d+),\), \} *\n",
    re.DOTALL,
)
"""What `to_bytes` writes. NumPy compiles the header as Python: with 50,000 files that took most of a report's time."""


def make_samples(start_ns: npt.ArrayLike, duration_ns: npt.ArrayLike, steady_from: int) -> Samples:
    """Put samples together; those from index `steady_from` on are marked steady."""
    starts = np.asarray(start_ns, dtype=np.int64)
    samples = np.zeros(starts.size, dtype=SAMPLE)
    samples["start_ns"] = starts - (starts[0] if starts.size else 0)
    samples["duration_ns"] = duration_ns
    samples["steady"][steady_from:] = True
    return samples


def watched_s(samples: Samples) -> float | None:
    """Return the seconds from the beginning of a process's first inference to the end of its last."""
    return float(samples["start_ns"][-1] + samples["duration_ns"][-1]) / 1e9 if samples.size else None


def to_bytes(samples: Samples) -> bytes:
    """Serialize to the NumPy file format."""
    buffer = io.BytesIO()
    np.save(buffer, samples, allow_pickle=False)
    return buffer.getvalue()


def from_bytes(data: bytes) -> Samples:
    """Read what `to_bytes` wrote.

    Raises:
        RecordError: It is something else.
    """
    try:
        samples = _from_bytes(data)
    except Exception as error:  # see `_from_bytes`
        raise RecordError(f"samples cannot be read ({error})") from error
    if samples.dtype != SAMPLE:
        raise RecordError(f"found samples of type {samples.dtype}, expected {SAMPLE}")
    return samples


def load_samples(path: str | Path, crc32: int | None = None) -> Samples:
    """Read one process's samples.

    Args:
        path: The file.
        crc32: What its record says of it; None where the record is older than that.

    Raises:
        RecordError: The file is missing, is not one of ours, or is not as it was written.
    """
    data = _intact(path, crc32)
    try:
        samples = _from_bytes(data)
    except Exception as error:  # see `_from_bytes`
        raise RecordError(f"{path}: samples cannot be read ({error})") from error
    if samples.dtype != SAMPLE:
        raise RecordError(f"{path}: found samples of type {samples.dtype}, expected {SAMPLE}")
    return samples


class Contents(NamedTuple):
    """The bytes of a file of samples, and where in them the inferences begin."""

    data: bytes
    start: int


def load_contents(path: str | Path, crc32: int | None = None) -> Contents:
    """Read the same as bytes: those of many files are made one array (`joined`).

    Raises:
        RecordError: The file is missing, is not one of ours, or is not as it was written.
    """
    data = _intact(path, crc32)
    start = _usual_start(data)
    return Contents(load_samples(path, crc32).tobytes(), 0) if start is None else Contents(data, start)


def joined(several: Sequence[Contents]) -> Samples:
    """Return the samples of files of one length and one beginning, shape (files, samples)."""
    size, start = len(several[0].data), several[0].start
    together = b"".join([one.data for one in several])
    n = (size - start) // SAMPLE.itemsize
    return np.ndarray((len(several), n), SAMPLE, together, start, (size, SAMPLE.itemsize))


def _intact(path: str | Path, crc32: int | None) -> bytes:
    try:
        data = read_whole(path)
    except OSError as error:
        raise RecordError(f"{path}: samples cannot be read ({error.strerror or error})") from error
    if crc32 is not None and checksum(data) != crc32:
        raise RecordError(f"{path}: {DAMAGED}: its checksum is not the one in its record")
    return data


def _from_bytes(data: bytes) -> Samples:
    """Read samples; of a damaged header, NumPy raises whatever Python's own compiler does, and a dozen things more."""
    start = _usual_start(data)
    if start is not None:
        return np.frombuffer(bytearray(data), SAMPLE, offset=start)
    samples: Samples = np.load(io.BytesIO(data), allow_pickle=False)
    return samples


_usual: dict[int, bytes] = {}
"""The header of files of a length, as one of them had it: the next ones are only compared with it."""


def _usual_start(data: bytes) -> int | None:
    """Return where the inferences begin behind the usual header; None behind any other."""
    size = len(data)
    known = _usual.get(size)
    if known is not None and data.startswith(known):
        return len(known)
    header = data[: int.from_bytes(data[8:10], "little") + 10]
    usual = _USUAL_HEADER.fullmatch(header)
    if usual is None or size - len(header) != int(usual[1]) * SAMPLE.itemsize:
        return None
    if len(_usual) < _MOST_HEADERS:
        _usual[size] = header
    return len(header)
