"""A dataset through one process of the worker: prepared here, inferred there, decoded here.

All three go on at the same time: some threads prepare images, the device infers, one thread decodes what came back.
The detections of every few images are kept until the dataset is through, so a run that was killed goes on there.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from harness import atomic
from harness.accuracy.dataset import ImageEntry
from harness.accuracy.image_files import UnreadableImageError
from harness.accuracy.interpreters import map_in_order
from harness.accuracy.pipeline import ImageDetections, Recipe
from harness.accuracy.prepare import Geometry
from harness.bench.engines.native_worker.cut import RowCut
from harness.bench.engines.native_worker.session import WorkerSession
from harness.errors import MeasurementError
from harness.native.job import infer_command, prefetch_command, table_command
from harness.native.protocol import Outputs
from harness.paths import status

CHUNK = 64
"""Images whose detections are kept together."""
SECONDS_PER_IMAGE = 30.0
AHEAD = 3
"""Images that are on their way to the device, or in it, at the same time."""
SLACK_BYTES = 4096


@dataclass(frozen=True)
class SentImage:
    """An image as it is sent, and where the picture lies in it; `problem` says why it cannot be read."""

    image_id: int
    value: npt.NDArray[np.generic] | None = None
    at: Geometry | None = None
    problem: str | None = None


class KeptImage(msgspec.Struct, frozen=True):
    """The detections of one image as plain values; reading them back changes no bit."""

    image_id: int
    boxes: list[list[float]]
    scores: list[float]
    categories: list[int]
    problem: str | None = None


@dataclass
class Chunks:
    """Parts of a dataset that is not through yet.

    Attributes:
        folder: Of this cell.
        subject: What all of the detections depend on, apart from the images.
    """

    folder: Path
    subject: str

    def load(self, entries: Sequence[ImageEntry]) -> list[KeptImage] | None:
        """Return what some images gave; None where it is not there, or damaged."""
        try:
            return msgspec.json.decode(self._path(entries).read_bytes(), type=list[KeptImage])
        except (OSError, msgspec.MsgspecError):
            return None

    def save(self, entries: Sequence[ImageEntry], found: Sequence[KeptImage]) -> None:
        """Keep what some images gave."""
        atomic.write_bytes(self._path(entries), msgspec.json.encode(list(found)))

    def drop(self) -> None:
        """Forget them: the dataset is through."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, entries: Sequence[ImageEntry]) -> Path:
        digest = hashlib.sha256(self.subject.encode())
        for entry in entries:
            digest.update(
                f"\0{entry.id} {entry.path} {entry.size} {entry.as_stored} {_stamp(entry.path)}".encode()
            )
        return self.folder / f"stream-{digest.hexdigest()[:32]}.json"


def _stamp(path: Path) -> str:
    state = status(path)
    return "" if state is None else f"{state.st_size} {state.st_mtime_ns}"


@dataclass
class Stream:
    """Images through one process.

    Attributes:
        session: A worker that has compiled the model.
        recipe: How images are prepared and outputs decoded.
        places: LiteRT's place of each output, in the order of the file.
        cut: How outputs are cut; None for whole ones.
        threads: Images that are prepared at the same time.
        on_image: Called with each image that is through.
    """

    session: WorkerSession
    recipe: Recipe
    places: Sequence[int]
    cut: RowCut | None
    threads: int
    on_image: Callable[[], None]
    mapped: bool = field(init=False, default=False)
    _number: int = 0

    def begin(self) -> None:
        """Tell the worker how images come and what goes back."""
        table = self.recipe.preparation.pixel_table
        self.mapped = table is not None and table.dtype.itemsize > 1
        begin = table_command(table) if table is not None and self.mapped else b""
        self.session.send(begin + (self.cut.command.line() if self.cut is not None else b""))

    def detections(self, entries: Iterable[ImageEntry]) -> Iterator[ImageDetections | SentImage]:
        """Yield the detections of images in their order; an image that cannot be read as it was found.

        Raises:
            MeasurementError: The worker failed, crashed or hangs.
            DeviceError: The device went away.
        """
        under_way: deque[SentImage] = deque()
        results: deque[Future[ImageDetections] | SentImage] = deque()
        with ThreadPoolExecutor(1, thread_name_prefix="decode") as decoders:
            for sent in map_in_order(self._prepare, entries, self.threads):
                if sent.value is None:
                    while under_way:
                        results.append(self._answered(under_way, decoders))
                    results.append(sent)
                else:
                    self._send(sent, under_way)
                while under_way and (len(under_way) >= AHEAD or self.session.waiting):
                    results.append(self._answered(under_way, decoders))
                while results and (
                    len(results) > 2 * AHEAD or not isinstance(results[0], Future) or results[0].done()
                ):
                    yield self._result(results.popleft())
            while under_way:
                results.append(self._answered(under_way, decoders))
            while results:
                yield self._result(results.popleft())

    def _prepare(self, entry: ImageEntry) -> SentImage:
        load = self.recipe.preparation.load_pixels if self.mapped else self.recipe.preparation.load
        try:
            value, at = load(entry.file)
        except UnreadableImageError as error:
            return SentImage(entry.id, problem=str(error))
        return SentImage(entry.id, value, at)

    def _send(self, sent: SentImage, under_way: deque[SentImage]) -> None:
        assert sent.value is not None
        command = self.session.deadline(SECONDS_PER_IMAGE * (AHEAD + 1))
        if not self._number:
            command += prefetch_command(sent.value.nbytes + SLACK_BYTES)
        self.session.send(command + infer_command(self._number, sent.value, mapped=self.mapped))
        self._number += 1
        under_way.append(sent)

    def _answered(self, under_way: deque[SentImage], decoders: ThreadPoolExecutor) -> Future[ImageDetections]:
        """Take the answer to the image that was sent first, and have it decoded."""
        number = self._number - len(under_way)
        answer = self.session.next(SECONDS_PER_IMAGE)
        if not isinstance(answer, Outputs) or answer.number != number:
            raise MeasurementError(f"the worker answered image {number} with {type(answer).__name__}")
        return decoders.submit(self._decode, answer, under_way.popleft())

    def _decode(self, outputs: Outputs, sent: SentImage) -> ImageDetections:
        assert sent.at is not None
        tensors = (
            [outputs.tensors[place] for place in self.places]
            if self.cut is None
            else self.cut.restore(outputs)
        )
        return self.recipe.decode(sent.image_id, tensors, sent.at)

    def _result(self, found: Future[ImageDetections] | SentImage) -> ImageDetections | SentImage:
        result = found.result() if isinstance(found, Future) else found
        self.on_image()
        return result


def kept(found: ImageDetections | SentImage) -> KeptImage:
    """Return what is kept of an image."""
    if isinstance(found, SentImage):
        return KeptImage(found.image_id, [], [], [], found.problem)
    return KeptImage(found.image_id, found.boxes.tolist(), found.scores.tolist(), found.categories.tolist())


def chunked(entries: Sequence[ImageEntry]) -> Iterator[Sequence[ImageEntry]]:
    """Yield the images that are kept together."""
    for begin in range(0, len(entries), CHUNK):
        yield entries[begin : begin + CHUNK]


@dataclass
class StreamedDataset:
    """What a dataset gave so far.

    Attributes:
        writer: Of the detections.
        unreadable: Why which images could not be read.
        n_new: Images that this process inferred.
        seconds: How long that took.
    """

    writer: Any
    unreadable: dict[int, str] = field(default_factory=dict)
    n_new: int = 0
    seconds: float = 0.0

    def add(self, images: Iterable[KeptImage]) -> None:
        """Write the detections of some images."""
        for image in images:
            if image.problem is not None:
                self.unreadable[image.image_id] = image.problem
                continue
            boxes, scores = np.array(image.boxes, np.float64).reshape(-1, 4), np.array(image.scores)
            self.writer.add(image.image_id, boxes, scores, np.array(image.categories, np.int64))


def through(stream: Stream, entries: Sequence[ImageEntry], chunks: Chunks, into: StreamedDataset) -> None:
    """Run a dataset, without the parts that are kept from a run that did not end.

    All images that are still to be inferred go in one stream: the device waits for no chunk.

    Raises:
        MeasurementError: The worker failed.
        DeviceError: The device went away.
    """
    parts = [(part, chunks.load(part)) for part in chunked(entries)]
    missing = [entry for part, found in parts if found is None for entry in part]
    begin, arriving = time.monotonic(), stream.detections(missing)
    for part, found in parts:
        if found is None:
            images = [kept(next(arriving)) for _ in part]
            chunks.save(part, images)
            into.n_new += len(images)
        else:
            images = found
            for _ in images:
                stream.on_image()
        into.add(images)
    into.seconds = time.monotonic() - begin
