"""Timed inferences of a cell, as they lie on disk.

One NumPy file a process: a structured array with one row an inference, in the order they ran.
"""

from __future__ import annotations

import errno
import io
import os
import re
import stat
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.errors import RecordError, cannot_read

SAMPLE = np.dtype([("start_ns", "<i8"), ("duration_ns", "<i8"), ("steady", "?")])
"""start_ns: since the process's first inference began; duration_ns: of `invoke()` alone; steady: after warm-up."""

DAMAGED = "damaged since it was written"

_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
_BLOCK = 2**16
"""Bytes; the samples of most processes fit in one."""

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
        samples = _from_bytes(bytearray(data))
    except Exception as error:  # see `_from_bytes`
        raise RecordError(f"samples cannot be read ({error})") from error
    if samples.dtype != SAMPLE:
        raise RecordError(f"found samples of type {samples.dtype}, expected {SAMPLE}")
    return samples


def checksum(data: bytes | bytearray) -> int:
    """Return the CRC-32 of what `to_bytes` gave: it finds every flipped bit in a quarter of the time of a SHA-256."""
    return zlib.crc32(data)


def checksum_of(path: str | Path) -> int:
    """Return the CRC-32 of a file.

    Raises:
        RecordError: It cannot be read.
    """
    try:
        return checksum(read_whole(path))
    except OSError as error:
        raise RecordError(cannot_read(path, error)) from error


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


def load_bytes(path: str | Path, crc32: int | None = None) -> bytes | memoryview:
    """Read the same as the bytes of its inferences: those of many files are made an array at once.

    Raises:
        RecordError: The file is missing, is not one of ours, or is not as it was written.
    """
    data = _intact(path, crc32)
    start = _usual_start(data)
    return load_samples(path, crc32).tobytes() if start is None else memoryview(data)[start:]


def _intact(path: str | Path, crc32: int | None) -> bytearray:
    try:
        data = read_whole(path)
    except OSError as error:
        raise RecordError(f"{path}: samples cannot be read ({error.strerror or error})") from error
    if crc32 is not None and checksum(data) != crc32:
        raise RecordError(f"{path}: {DAMAGED}: its checksum is not the one in its record")
    return data


def read_whole(path: str | Path) -> bytearray:
    """Read a file in a third of the time that `Path.read_bytes` takes for a small one: a report opens 60,000.

    Raises:
        OSError: It cannot be read, or is no file: a pipe in its place would be waited for, a device may never end.
    """
    handle = os.open(path, _READ)
    try:
        data = bytearray(os.read(handle, _BLOCK))
        if len(data) % _BLOCK == 0 and not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is no file", str(path))
        while len(data) % _BLOCK == 0 and (more := os.read(handle, _BLOCK)):
            data += more
    finally:
        os.close(handle)
    return data


def _from_bytes(data: bytearray) -> Samples:
    """Read samples; of a damaged header, NumPy raises whatever Python's own compiler does, and a dozen things more."""
    start = _usual_start(data)
    if start is not None:
        return np.frombuffer(data, SAMPLE, offset=start)
    samples: Samples = np.load(io.BytesIO(data), allow_pickle=False)
    return samples


def _usual_start(data: bytearray) -> int | None:
    """Return where the inferences begin behind the usual header; None behind any other."""
    start = int.from_bytes(data[8:10], "little") + 10
    n = _n_samples(bytes(data[:start]))
    return None if n is None or len(data) - start != n * SAMPLE.itemsize else start


@lru_cache(maxsize=4096)
def _n_samples(header: bytes) -> int | None:
    """Return the number of samples that follow the usual header; None behind any other."""
    usual = _USUAL_HEADER.fullmatch(header)
    return None if usual is None else int(usual[1])
