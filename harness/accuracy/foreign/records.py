"""TFRecord files, record by record, and the Examples in them, without TensorFlow.

A record is its length (8 bytes), the masked CRC-32C of those, its data, and the masked CRC-32C of the data
(tensorflow/core/lib/io/record_writer.h). An Example is read by protobuf's wire format (protobuf.dev/programming-guides,
encoding): features (1) → a map of name (1) to feature (2) → one of bytes (1), floats (2) and integers (3), each a list
(1) whose numbers may be packed.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from harness.errors import DatasetError, cannot_read
from harness.paths import opened

Feature = tuple[bytes, ...] | tuple[float, ...] | tuple[int, ...]
"""The values of one feature."""
MOST_BYTES = 1 << 29
"""Of one record; one image takes a megabyte or so."""
_MASK_DELTA = 0xA282EAD8
_POLYNOMIAL = 0x82F63B78
"""Castagnoli's, reversed (RFC 3720, appendix B.4)."""
_COLUMNS = 256
"""Bytes that one lane of the checksum takes; the lanes go side by side."""
_GZIP = b"\x1f\x8b"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_Lanes = npt.NDArray[np.uint32]


def read_records(path: Path) -> Iterator[bytes]:
    """Yield the data of each record of a file, which may be compressed with gzip.

    Raises:
        DatasetError: The file cannot be read, ends in a record, or a checksum is wrong; names the record.
    """
    try:
        with opened(path) as raw:
            start = raw.read(2)
            raw.seek(0)
            packed = start == _GZIP
            yield from _records(path, cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if packed else raw)
    except (OSError, EOFError, zlib.error) as error:
        why = cannot_read(path, error) if isinstance(error, OSError) and error.errno else f"{path}: {error}"
        raise DatasetError(why) from error


def _records(path: Path, file: IO[bytes]) -> Iterator[bytes]:
    number = 0
    while head := file.read(12):
        number += 1
        where = f"{path}, record {number}"
        length, check = struct.unpack("<QI", head) if len(head) == 12 else (0, 0)
        if len(head) < 12:
            raise DatasetError(
                f"{where}: the file ends in the record's length: it was not written to its end"
            )
        if masked_crc(head[:8]) != check:
            raise DatasetError(
                f"{where}: the checksum of its length is wrong: the file is damaged, or no TFRecord file"
            )
        if length > MOST_BYTES:
            raise DatasetError(f"{where}: {length} bytes, expected an image's record of {MOST_BYTES} at most")
        body = file.read(length + 4)
        if len(body) < length + 4:
            raise DatasetError(
                f"{where}: {length} bytes were announced, the file holds {max(len(body) - 4, 0)}: it was not written "
                "to its end"
            )
        data = body[:length]
        if masked_crc(data) != struct.unpack("<I", body[length:])[0]:
            raise DatasetError(f"{where}: its checksum is wrong: the file is damaged")
        yield data


def masked_crc(data: bytes) -> int:
    """Return a CRC-32C as TFRecord files store it: turned by 15 bits, and a constant added."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of bytes.

    Rows of bytes are worked through side by side: a CRC is linear, so that the rows' are put together by moving each
    over the bytes behind it.

    Example:
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'
    """
    values = np.frombuffer(data, np.uint8)
    whole = len(values) // _COLUMNS * _COLUMNS
    table = _table()
    crc = 0xFFFFFFFF
    if whole:
        lanes = np.zeros(whole // _COLUMNS, np.uint32)
        lanes[0] = crc
        for column in values[:whole].reshape(-1, _COLUMNS).T:
            lanes = table[(lanes ^ column) & 0xFF] ^ (lanes >> 8)
        crc = _joined(lanes.tolist())
    steps = table.tolist() if whole < len(values) else ()
    for value in data[whole:]:
        crc = steps[(crc ^ value) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


@lru_cache(maxsize=1)
def _table() -> _Lanes:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1).astype(np.uint32)
    return table


def _joined(lanes: list[int]) -> int:
    """Return the CRC of rows one after the other."""
    first, second, third, fourth = _over_a_row()
    crc = lanes[0]
    for lane in lanes[1:]:
        moved = first[crc & 0xFF] ^ second[crc >> 8 & 0xFF] ^ third[crc >> 16 & 0xFF] ^ fourth[crc >> 24]
        crc = moved ^ lane
    return crc


@lru_cache(maxsize=1)
def _over_a_row() -> tuple[list[int], ...]:
    """Return what each byte of a CRC becomes over a row of zeros, by the place of the byte."""
    places = np.arange(256, dtype=np.uint32)
    moved = []
    for shift in (0, 8, 16, 24):
        lanes = places << np.uint32(shift)
        for _ in range(_COLUMNS):
            lanes = _table()[lanes & 0xFF] ^ (lanes >> 8)
        moved.append(lanes.tolist())
    return tuple(moved)


def read_example(data: bytes) -> dict[str, Feature]:
    """Decode a `tf.train.Example`.

    Raises:
        ValueError: The bytes are none.
    """
    features: dict[str, Feature] = {}
    try:
        for number, value in _fields(data):
            for _, entry in _fields(_message(value)) if number == 1 else ():
                pair = dict(_fields(_message(entry)))
                name = _message(pair.get(1, b"")).decode("utf-8")
                features[name] = _feature(_message(pair.get(2, b"")))
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
    return features


def _feature(data: bytes) -> Feature:
    for kind, value in _fields(data):
        inner = _message(value)
        if kind == 1:
            return tuple(_message(one) for number, one in _fields(inner) if number == 1)
        if kind == 2:
            return tuple(_floats(inner))
        if kind == 3:
            return tuple(_integers(inner))
    return ()


def _floats(data: bytes) -> Iterator[float]:
    for number, value in _fields(data):
        if number != 1:
            continue
        if isinstance(value, bytes):
            yield from (one[0] for one in struct.iter_unpack("<f", value))
        else:
            yield struct.unpack("<f", struct.pack("<I", value))[0]


def _integers(data: bytes) -> Iterator[int]:
    for number, value in _fields(data):
        if number != 1:
            continue
        if isinstance(value, bytes):
            at = 0
            while at < len(value):
                found, at = _varint(value, at)
                yield _signed(found)
        else:
            yield _signed(value)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _message(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("found a number where a message is expected")
    return value


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field: bytes as they are, numbers as unsigned integers."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        length, at = _varint(data, at) if kind == _BYTES else ({_FIXED64: 8, _FIXED32: 4}.get(kind, -1), at)
        if length < 0 or at + length > len(data):
            raise ValueError(f"a field of kind {kind} does not fit into its {len(data)} bytes")
        piece = data[at : at + length]
        yield key >> 3, piece if kind == _BYTES else int.from_bytes(piece, "little")
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
