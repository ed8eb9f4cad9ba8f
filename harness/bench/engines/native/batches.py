"""A dataset through benchmark_model: one process an image, one round trip a batch, then our own decoders.

Each batch is a file of prepared inputs, pushed, taken apart on the device and removed there; the raw outputs come back
as one file. The detections of a batch are kept until the dataset is through, so an accuracy run that was killed goes on
with the next batch.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from harness import atomic
from harness.accuracy.detections import DetectionWriter
from harness.accuracy.image_files import UnreadableImageError
from harness.accuracy.pipeline import Recipe
from harness.accuracy.prepare import Geometry, Preparation, Tensor
from harness.bench.engines.base import DatasetInference, OnProgress
from harness.bench.engines.native.scripts import BATCH, NO_FOLDER, RunReport, new_token, read_report
from harness.bench.engines.native.tool import GRAPH, ROOM_BYTES, DeviceFiles, NativeTool, delegate_facts
from harness.bench.plan import Cell
from harness.detectors.base import ModelContext
from harness.detectors.registry import make_decoder
from harness.drivers.base import Completed
from harness.drivers.benchmark_tool.flags import Command, Outputs, Runs
from harness.drivers.benchmark_tool.parse import parse, why_failed
from harness.drivers.benchmark_tool.text_log import parse_log
from harness.drivers.benchmark_tool.truth import Truth, judge
from harness.errors import DeviceError, MeasurementError
from harness.paths import exists
from harness.tflite.tensor_info import TensorInfo
from harness.vocabulary import MEASURED, Status

BATCH_BYTES = 32_000_000
BATCH_IMAGES = 64
START_TIMEOUT_S = 120.0
SECONDS_PER_IMAGE = 20.0
_SINGLE = Runs(n=1, seconds=0.0, warm_up_n=0, warm_up_seconds=0.0)
_WEIGHT = {Status.OK: 0, Status.PARTIAL: 1, Status.FALLBACK: 2}
_OUTPUTS = Outputs(graph=GRAPH, tensors="out.bin")


@dataclass(frozen=True)
class PreparedImage:
    """One image as the model takes it, and where it lies in the input."""

    image_id: int
    tensor: Tensor
    at: Geometry


@dataclass(frozen=True)
class BatchResult:
    """What one batch gave: raw outputs one after the other, and what may be claimed of the delegate."""

    outputs: bytes
    truth: Truth


class PlainDetections(msgspec.Struct, frozen=True):
    """The detections of one image as plain values (see `ImageDetections`); reading them back changes no bit."""

    image_id: int
    boxes: list[list[float]]
    scores: list[float]
    categories: list[int]


class BatchDetections(msgspec.Struct, frozen=True):
    """The detections of one batch: what is kept of it, since raw outputs can be megabytes an image."""

    images: list[PlainDetections]
    truth: Truth


def decode_batch(
    result: BatchResult, cell: Cell, batch: Sequence[PreparedImage], recipe: Recipe
) -> BatchDetections:
    """Turn the raw outputs of a batch into detections."""
    images = []
    for prepared, outputs in zip(batch, split_outputs(result.outputs, cell, len(batch)), strict=True):
        found = recipe.decode(prepared.image_id, outputs, prepared.at)
        values = (found.boxes.tolist(), found.scores.tolist(), found.categories.tolist())
        images.append(PlainDetections(found.image_id, *values))
    return BatchDetections(images, result.truth)


def infer(tool: NativeTool, cell: Cell, scratch: Path, on_progress: OnProgress) -> DatasetInference:
    """Run a cell over its dataset.

    Raises:
        MeasurementError: The delegate did not run, or the tool failed; says which image of the batch.
        DeviceError: The device went away, or has no room.
    """
    assert cell.dataset is not None
    begin = time.monotonic()
    recipe = recipe_of(cell)
    unreadable: dict[int, str] = {}
    partial = PartialBatches(scratch.parent.with_name(".partial") / cell.id)
    truth: Truth | None = None
    total, done = len(cell.dataset.images), 0
    with DetectionWriter(scratch / "detections.json") as writer, RunFolder(tool) as folder:
        for batch in batches(cell, recipe.preparation, unreadable):
            key = key_of(tool, cell, batch)
            found = partial.load(key) or decode_batch(
                run_batch(tool, cell, batch, scratch, folder), cell, batch, recipe
            )
            partial.save(key, found)
            truth = truth or found.truth
            for image in found.images:
                writer.add(
                    image.image_id, np.array(image.boxes), np.array(image.scores), np.array(image.categories)
                )
            done += len(batch)
            on_progress(done, total)
    partial.drop()
    return DatasetInference(
        detections=scratch / "detections.json",
        n_images=total - len(unreadable),
        unreadable=tuple(unreadable.values()),
        seconds=time.monotonic() - begin,
        delegate=delegate_facts(tool, cell, truth),
        runtime=tool.runtime,
        unreadable_ids=tuple(unreadable),
    )


def recipe_of(cell: Cell) -> Recipe:
    """Return how an image becomes detections, apart from the inference."""
    card = cell.model.card
    if len(cell.facts.inputs) != 1:
        raise MeasurementError(
            f"the model has {len(cell.facts.inputs)} inputs; only models with one can be fed images"
        )
    if any(n < 1 for info in cell.facts.outputs for n in info.shape):
        raise MeasurementError(
            f"the outputs have no fixed size ({cell.facts.outputs}), so they cannot be told apart in what the tool "
            "writes"
        )
    decoder = make_decoder(
        card.decoder,
        cell.facts.outputs,
        ModelContext(card.input.width, card.input.height, cell.model.file),
    )
    return Recipe(Preparation(card.input, cell.facts.image_input), decoder, card.labels)


def batches(
    cell: Cell, preparation: Preparation, unreadable: dict[int, str], limit: int | None = None
) -> Iterator[list[PreparedImage]]:
    """Prepare the images of a cell's dataset, a batch at a time; note why which cannot be read."""
    assert cell.dataset is not None
    batch: list[PreparedImage] = []
    size, out_size = 0, sum(_n_bytes(info) for info in cell.facts.outputs)
    for entry in cell.dataset.images[:limit]:
        try:
            tensor, at = preparation.load(entry.file)
        except UnreadableImageError as error:
            unreadable[entry.id] = str(error)
            continue
        if batch and (len(batch) >= BATCH_IMAGES or size + max(tensor.nbytes, out_size) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(PreparedImage(entry.id, tensor, at))
        size += max(tensor.nbytes, out_size)
    if batch:
        yield batch


class RunFolder:
    """A folder on the device for the batches of one dataset, removed at the end."""

    def __init__(self, tool: NativeTool) -> None:
        self._tool = tool
        self.token = new_token()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *error: object) -> None:
        """Remove it; a device that is gone keeps it until the next run there."""
        with contextlib.suppress(DeviceError):
            self._tool.clean(self.token)


def run_batch(
    tool: NativeTool, cell: Cell, batch: Sequence[PreparedImage], scratch: Path, folder: RunFolder
) -> BatchResult:
    """Push a batch, run it, and bring its outputs back: three round trips.

    Raises:
        MeasurementError: The delegate did not run, or the tool failed.
        DeviceError: The device went away, or has no room.
    """
    source = scratch / "batch.bin"
    atomic.write_scratch(source, b"".join(prepared.tensor.tobytes() for prepared in batch))
    room = ROOM_BYTES + _written_bytes(cell, batch)
    files = tool.place(cell, [source], room)
    ended = _run(tool, cell, batch, files, folder)
    report = read_report(ended.stdout, folder.token)
    try:
        _check(ended, report, len(batch), tool, cell)
        truth = _truth(cell, report)
        local = scratch / "outputs.bin"
        tool.device.pull(f"{tool.work_folder(folder.token)}/outputs.bin", local)
        return BatchResult(_whole(local.read_bytes(), cell, len(batch)), truth)
    except MeasurementError:
        tool.refuse_full(room, ended.stderr, *report.tool)
        raise


def _written_bytes(cell: Cell, batch: Sequence[PreparedImage]) -> int:
    """Return what a batch writes on the device beside itself: one image, its outputs, and those of all."""
    return batch[0].tensor.nbytes + (len(batch) + 1) * sum(_n_bytes(info) for info in cell.facts.outputs)


def _run(
    tool: NativeTool, cell: Cell, batch: Sequence[PreparedImage], files: DeviceFiles, folder: RunFolder
) -> Completed:
    probed = tool.probe(files.tool)
    inputs = tool.named_inputs(cell)
    if probed.flavour == "litert":
        raise MeasurementError(
            f"benchmark_model of the flavour {probed.flavour} cannot be fed images; accuracy needs the flavour tflite"
        )
    if not inputs:
        raise MeasurementError(f"benchmark_model cannot be fed images: {tool.why_unfed(cell)}")
    plain = Command("tflite", "", cell.delegate, _SINGLE, inputs, _OUTPUTS)
    command = tool.command(cell, files, probed, folder.token, plain)
    sizes = (str(batch[0].tensor.nbytes), str(len(batch)), str(len(files.libraries)))
    head = [
        "sh",
        "-c",
        BATCH,
        "sh",
        folder.token,
        tool.work_folder(folder.token),
        files.further[0],
        *sizes,
    ]
    return tool.device.run(
        [*head, *files.libraries, *command],
        timeout_s=START_TIMEOUT_S + SECONDS_PER_IMAGE * len(batch),
        env=tool.environment(files, probed, folder.token),
    )


def _check(ended: Completed, report: RunReport, n_images: int, tool: NativeTool, cell: Cell) -> None:
    if ended.timed_out:
        raise MeasurementError(
            f"benchmark_model hung after {report.done} of {n_images} images", status=Status.TIMEOUT
        )
    if ended.exit_code == NO_FOLDER:
        raise MeasurementError(f"no folder to work in on the device: {ended.stderr.strip()}")
    if report.problem:
        raise MeasurementError(report.problem)
    if report.exit_code != 0 or report.done != n_images:
        log = parse_log(report.tool[-1] if report.tool else "")
        refusal = tool.note_refusal(cell, log)
        if refusal is not None:
            raise MeasurementError(f"benchmark_model cannot be fed images: {refusal}")
        raise MeasurementError(f"image {report.done + 1} of the batch: {why_failed(report.exit_code, log)}")


def _truth(cell: Cell, report: RunReport) -> Truth:
    """Judge every log that says something else of delegates; what the worst of them proves counts.

    Raises:
        MeasurementError: An accelerator that was asked for did not run, so there is no accuracy of it.
    """
    graph = report.files.get(GRAPH)
    truths = [judge(cell.delegate, parse(log, "", report.exit_code, graph=graph)) for log in report.tool]
    worst = max(truths, key=lambda truth: _WEIGHT.get(truth.status, len(_WEIGHT)))
    if worst.status in MEASURED or (cell.delegate.is_cpu and worst.status == Status.FALLBACK):
        return worst
    raise MeasurementError("; ".join(worst.reasons), status=worst.status)


def _whole(outputs: bytes, cell: Cell, n_images: int) -> bytes:
    expected = n_images * sum(_n_bytes(info) for info in cell.facts.outputs)
    if len(outputs) != expected:
        raise MeasurementError(
            f"the tool wrote {len(outputs)} bytes of outputs for {n_images} images, expected {expected} "
            f"({cell.facts.outputs})"
        )
    return outputs


def _n_bytes(info: TensorInfo) -> int:
    return math.prod(info.shape) * np.dtype(info.dtype).itemsize


def split_outputs(data: bytes, cell: Cell, n_images: int) -> Iterator[list[npt.NDArray[np.generic]]]:
    """Yield each image's output tensors, in the order of the model's output list, from the raw bytes of all."""
    at = 0
    for _ in range(n_images):
        outputs: list[npt.NDArray[np.generic]] = []
        for info in cell.facts.outputs:
            part = np.frombuffer(data, np.dtype(info.dtype), math.prod(info.shape), at)
            outputs.append(part.reshape(info.shape))
            at += part.nbytes
        yield outputs


def key_of(tool: NativeTool, cell: Cell, batch: Sequence[PreparedImage]) -> str:
    """Return what the detections of a batch depend on, as a hash."""
    digest = hashlib.sha256()
    delegate = (str(cell.delegate), *map(str, cell.delegate.options))
    card = (cell.model.card.decoder, cell.model.card.labels)
    for part in (tool.program.sha256, cell.facts.sha256, *delegate, *map(str, card)):
        digest.update(part.encode() + b"\0")
    for prepared in batch:
        digest.update(f"{prepared.image_id} {prepared.at}".encode() + b"\0" + prepared.tensor.tobytes())
    return digest.hexdigest()[:32]


@dataclass(frozen=True)
class PartialBatches:
    """Batches of a dataset that is not through yet."""

    folder: Path

    def load(self, key: str) -> BatchDetections | None:
        """Return what a batch gave; None where it is not there, or damaged."""
        try:
            return msgspec.json.decode((self.folder / f"{key}.json").read_bytes(), type=BatchDetections)
        except (OSError, msgspec.MsgspecError):
            return None

    def save(self, key: str, found: BatchDetections) -> None:
        """Keep what a batch gave."""
        path = self.folder / f"{key}.json"
        if not exists(path):
            atomic.write_bytes(path, msgspec.json.encode(found))

    def drop(self) -> None:
        """Forget them: the dataset is through."""
        shutil.rmtree(self.folder, ignore_errors=True)
