"""Detections in COCO's result format, written and read without holding half a million Python objects.

    [{"image_id": 42, "category_id": 18, "bbox": [258.15, 41.29, 348.26, 243.78], "score": 0.236}, …]

The format: https://cocodataset.org/#format-results. `bbox` is x, y, width, height in pixels of the image.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import msgspec
import numpy as np
import numpy.typing as npt

from harness import atomic
from harness.accuracy.coco_json import MOST_ID, UNREADABLE, Box, Id, decode, read_bytes, to_utf8
from harness.errors import DatasetError, MeasurementError, OutputError, cannot_read, cannot_write
from harness.paths import opened
from harness.vocabulary import Status

BLOCK_BYTES = 1 << 16
"""So little that its rows stay in the processor's cache until they are columns."""
_BOX_DECIMALS = 3


class _Row(msgspec.Struct, frozen=True, gc=False):
    image_id: Id
    category_id: Id
    bbox: Box
    score: float


class _Numbers(msgspec.Struct, frozen=True, gc=False):
    """A row all of floats: in MessagePack, each such row takes the same bytes at the same places."""

    image_id: float
    category_id: float
    bbox: Box
    score: float


_PACKED = np.dtype(
    {
        "names": ["image_id", "x", "y", "width", "height", "score", "category_id"],
        "formats": [">f8"] * 7,
        "offsets": [11, 47, 56, 65, 74, 89, 32],
        "itemsize": 97,
    }
)
"""A `_Numbers` in MessagePack: where the columns of a table begin in its bytes."""


@dataclass(frozen=True)
class DetectionTable:
    """Detections as one array.

    Attributes:
        rows: float64 [N, 7], image id, x, y, width, height (pixels), score, category id: the layout of
            pycocotools' `loadNumpyAnnotations`. Ids are whole numbers below 2^53, exact in float64.
    """

    rows: npt.NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of detections."""
        return len(self.rows)

    @property
    def image_ids(self) -> npt.NDArray[np.int64]:
        """int64 [N]."""
        return self.rows[:, 0].astype(np.int64)

    @property
    def boxes(self) -> npt.NDArray[np.float64]:
        """float64 [N, 4], x, y, width, height in pixels."""
        return self.rows[:, 1:5]

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """float64 [N]."""
        return self.rows[:, 5]

    @property
    def category_ids(self) -> npt.NDArray[np.int64]:
        """int64 [N]."""
        return self.rows[:, 6].astype(np.int64)


def as_table(
    detections: Path | str | DetectionTable | npt.NDArray[Any] | Sequence[Mapping[str, Any]],
) -> DetectionTable:
    """Return detections given as a file, a table, an array [N, 7] or COCO result objects as a table.

    Raises:
        DatasetError: They are not detections; names the first that is not.
    """
    if isinstance(detections, DetectionTable):
        return detections
    if isinstance(detections, (str, Path)):
        return load_detections(Path(detections))
    if isinstance(detections, np.ndarray):
        return _checked_array(detections)
    data = json.dumps(list(detections), default=_plain_value).encode()
    return decode_detections(Path("detections"), data)


def _plain_value(value: Any) -> Any:
    """Return NumPy's scalars and arrays as Python's."""
    return value.tolist() if hasattr(value, "tolist") else repr(value)


def load_detections(path: Path) -> DetectionTable:
    """Read a COCO result file.

    Raises:
        DatasetError: The file cannot be read, is not a list, or an entry lacks a key or holds a value that is
            not a finite number; names the entry by its index.
    """
    try:
        with opened(path) as file:
            blocks = [_array(_ROWS.decode(piece)) for piece in _pieces(file)]
        table = DetectionTable(np.concatenate(blocks))
    except OSError as error:
        raise DatasetError(cannot_read(path, error, "the detections")) from error
    except UNREADABLE:
        return _load_whole(path)
    return table if _whole(table) else _load_whole(path)


_ROWS = msgspec.json.Decoder(list[_Numbers])
_PACKER = msgspec.msgpack.Encoder()


def _whole(table: DetectionTable) -> bool:
    """Tell whether the ids are whole numbers that a float holds exactly."""
    ids = table.rows[:, ::6]
    return bool((ids == np.rint(ids)).all() and np.abs(ids).max(initial=0) < MOST_ID)


def _load_whole(path: Path) -> DetectionTable:
    """Read a file that cannot be cut into blocks (entries with objects inside them) or is wrong."""
    return decode_detections(path, read_bytes(path, "detections"))


def decode_detections(path: Path, data: bytes) -> DetectionTable:
    """Decode the content of a COCO result file; `path` is for the error.

    Raises:
        DatasetError: It is no list, or an entry lacks a key or holds a value that is not a finite number.
    """
    with contextlib.suppress(*UNREADABLE):
        table = DetectionTable(_array(_ROWS.decode(to_utf8(data))))
        if _whole(table):
            return table
    rows = decode(path, data, list[_Row], "detection")  # which names the entry that is wrong
    return DetectionTable(
        _array([_Numbers(float(row.image_id), float(row.category_id), row.bbox, row.score) for row in rows])
    )


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """Yield JSON arrays that together hold the entries of the file's array.

    Blocks are cut after their last `}`. A cut at a wrong place (an entry that itself holds objects, a string
    with a brace) gives a piece that is not JSON, so that nothing is lost silently.
    """
    rest, opened = b"", False
    while block := file.read(BLOCK_BYTES):
        cut = block.rfind(b"}") + 1
        if not cut:
            rest += block
            continue
        if not rest.lstrip():
            rest, block, cut = rest + block[:cut], block[cut:], 0
        yield b"".join((_opening(rest) if opened else rest, memoryview(block)[:cut], b"]"))
        rest, opened = block[cut:], True
    yield b"[" + rest if opened else rest


def _opening(piece: bytes) -> bytes:
    """Put `[` in the place of the comma that stands between two pieces."""
    text = piece.lstrip()
    return b"[" + text[1:] if text.startswith(b",") else text


def _array(rows: Sequence[_Numbers]) -> npt.NDArray[np.float64]:
    """Return rows as a table: they are written as bytes, which NumPy reads in place, instead of number by number."""
    packed = _PACKER.encode(rows)
    columns = np.frombuffer(packed, _PACKED, offset=len(packed) - _PACKED.itemsize * len(rows))
    names = columns.dtype.names or ()
    table = np.empty((len(rows), len(names)))
    for number, name in enumerate(names):
        table[:, number] = columns[name]
    return table


def _checked_array(array: npt.NDArray[Any]) -> DetectionTable:
    if array.ndim != 2 or array.shape[1] != 7:
        raise DatasetError(
            f"detections: found an array of shape {array.shape}, expected [N, 7]: "
            "image id, x, y, width, height, score, category id"
        )
    rows = array.astype(np.float64)
    bad = ~np.isfinite(rows).all(axis=1)
    if bad.any():
        index = int(bad.argmax())
        raise DatasetError(
            f"detection at index {index}: found {rows[index].tolist()}, expected finite numbers"
        )
    return DetectionTable(rows)


class DetectionWriter:
    """Writes COCO's result format as it comes; the file appears, whole, when the block ends without an error.

    The bytes go to a temporary name in the same folder, are fsynced and renamed. (The folder itself is made
    durable with the next `harness.atomic` write: the record that names this file.)

    Args:
        path: The file to write.

    Raises:
        OutputError: The file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = atomic.beside(path)
        self._encoder = msgspec.json.Encoder()
        self.n_detections = 0

    def __enter__(self) -> DetectionWriter:
        """Open the temporary file."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._temporary.open("wb")
            self._file.write(b"[")
        except OSError as error:
            raise self._cannot_write(error) from error
        return self

    def add(
        self,
        image_id: int,
        boxes_xywh: npt.ArrayLike,
        scores: npt.ArrayLike,
        category_ids: npt.ArrayLike,
    ) -> None:
        """Write the detections of one image.

        Args:
            image_id: The image.
            boxes_xywh: [N, 4], x, y, width, height in pixels of the original image; written with 3 decimals.
            scores: [N], written exactly: the float64 that equals the given number.
            category_ids: [N].

        Raises:
            MeasurementError: A box or score is not finite; its status is `incorrect`.
            ValueError: The lengths differ.
            OutputError: The file cannot be written.
        """
        boxes = np.asarray(boxes_xywh, np.float64).reshape(-1, 4)
        values = np.asarray(scores, np.float64).reshape(-1)
        if not (np.isfinite(boxes).all() and np.isfinite(values).all()):
            raise MeasurementError(
                f"image {image_id}: a detected box or score is not a finite number", Status.INCORRECT
            )
        rounded = (np.round(boxes, _BOX_DECIMALS) + 0.0).tolist()
        ids = [int(value) for value in np.asarray(category_ids).reshape(-1)]
        rows = [
            _Row(int(image_id), category, tuple(box), score)
            for category, box, score in zip(ids, rounded, values.tolist(), strict=True)
        ]
        self._write(rows)

    def _write(self, rows: list[_Row]) -> None:
        if not rows:
            return
        text = self._encoder.encode_lines(rows)[:-1].replace(b"}\n", b"},\n")
        try:
            self._file.write((b",\n" if self.n_detections else b"\n") + text)
        except OSError as error:
            raise self._cannot_write(error) from error
        self.n_detections += len(rows)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the list and rename; or remove the temporary file when the block failed."""
        try:
            if kind is None:
                self._file.write(b"\n]\n" if self.n_detections else b"]\n")
                self._file.flush()
                os.fsync(self._file.fileno())
            self._file.close()
            if kind is None:
                self._temporary.replace(self._path)
        except OSError as failure:
            raise self._cannot_write(failure) from failure
        finally:
            self._temporary.unlink(missing_ok=True)

    def _cannot_write(self, error: OSError) -> OutputError:
        return OutputError(cannot_write(self._path, error))
