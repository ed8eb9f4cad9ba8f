"""A dataset through TFLite's eval_coco_object_detection: whole batches of images in one process.

Faster than one process an image, where the model fits: one image as input, the four float outputs of
TFLite_Detection_PostProcess. The tool decodes and resizes the images by itself (bilinear, without antialiasing), so its
figures may differ a little from those of our own preparation. Only its detections are used: its mAP is not COCO's on a
subset. It falls back to the CPU without a word, so it proves nothing about a delegate.
"""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness import atomic
from harness.accuracy.dataset import ImageEntry
from harness.accuracy.detections import DetectionWriter
from harness.accuracy.image_files import UnreadableImageError, read_header, read_image
from harness.accuracy.pipeline import ImageDetections, Recipe
from harness.accuracy.prepare import Geometry
from harness.bench.engines.base import DatasetInference, OnProgress
from harness.bench.engines.native import batches
from harness.bench.engines.native.scripts import EVAL, NO_FOLDER, read_report
from harness.bench.engines.native.tool import ROOM_BYTES, NativeTool
from harness.bench.plan import Cell
from harness.delegates import CPU, GPU, HEXAGON, NNAPI, UNKNOWN
from harness.detectors.base import Detections
from harness.drivers.benchmark_tool.binaries import Tool
from harness.drivers.benchmark_tool.eval_tool import EvalDetection, EvalOutput, parse_eval
from harness.drivers.room import says_full
from harness.errors import MeasurementError
from harness.paths import size_of
from harness.records.records import DelegateFacts
from harness.vocabulary import Status

CLASS_OFFSET = 1
"""The tool adds it to the model's class (`class_offset` of ObjectDetectionParams in evaluation_config.proto)."""
DELEGATES = {CPU: "", GPU: "gpu", NNAPI: "nnapi", HEXAGON: "hexagon"}
"""`xnnpack` is not among them: it would force float16, and the CPU takes XNNPACK by default."""
BATCH_BYTES = 64_000_000
UPRIGHT_QUALITY = 100
TIMEOUT_S = 120.0
SECONDS_PER_IMAGE = 10.0


def why_not(cell: Cell) -> str | None:
    """Return why a cell does not fit the tool; None where it does."""
    if cell.delegate.kind not in DELEGATES:
        return f"eval_coco_object_detection has no delegate {cell.delegate.kind}"
    shapes = [info.shape for info in cell.facts.outputs]
    four = len(shapes) == 4 and all(info.dtype == "float32" for info in cell.facts.outputs)
    if len(cell.facts.inputs) != 1 or not four or [len(shape) for shape in shapes] != [3, 2, 2, 1]:
        return "eval_coco_object_detection takes only models with 1 input and boxes, classes, scores, count as outputs"
    spec = cell.model.card.input
    if (
        spec.resize != "stretch"
        or spec.channels != "rgb"
        or {*(spec.mean or (127.5,)), *(spec.std or (127.5,))} != {127.5}
    ):
        return "eval_coco_object_detection only stretches RGB images and takes 127.5 for mean and deviation"
    return None


def infer(
    tool: NativeTool, program: Tool, cell: Cell, scratch: Path, on_progress: OnProgress
) -> DatasetInference:
    """Run a cell over its dataset with the evaluation tool.

    Args:
        tool: benchmark_model on the device; it says where to work there.
        program: eval_coco_object_detection.
        cell: What is run.
        scratch: An empty folder.
        on_progress: Called after each batch.

    Raises:
        MeasurementError: The cell does not fit, or the tool failed.
        DeviceError: The device went away, or has no room.
    """
    assert cell.dataset is not None
    problem = why_not(cell)
    if problem is not None:
        raise MeasurementError(problem)
    begin, unreadable, done = time.monotonic(), dict[int, str](), 0
    with DetectionWriter(scratch / "detections.json") as writer, batches.RunFolder(tool) as folder:
        for batch in jpeg_batches(cell.dataset.images, unreadable):
            output = _run(tool, program, cell, batch, scratch, folder)
            for found in detections_of(output, batch, cell):
                writer.add(found.image_id, found.boxes, found.scores, found.categories)
            done += len(batch)
            on_progress(done, len(cell.dataset.images))
    return DatasetInference(
        detections=scratch / "detections.json",
        n_images=done,
        unreadable=tuple(unreadable.values()),
        seconds=time.monotonic() - begin,
        delegate=DelegateFacts(
            requested=str(cell.delegate),
            actual=UNKNOWN,
            evidence=("eval_coco_object_detection does not tell what ran",),
        ),
        runtime=f"eval_coco_object_detection sha256:{program.sha256[:16]}",
        unreadable_ids=tuple(unreadable),
    )


def jpeg_batches(images: Sequence[ImageEntry], unreadable: dict[int, str]) -> Iterator[list[ImageEntry]]:
    """Batch the images that the tool can read; the others are added to `unreadable`, with the reason."""
    batch: list[ImageEntry] = []
    size = 0
    for entry in images:
        if entry.path.suffix.lower() not in {".jpg", ".jpeg"}:
            unreadable[entry.id] = f"{entry.path.name}: eval_coco_object_detection reads JPEG only"
            continue
        try:
            read_header(entry.path)
        except UnreadableImageError as error:
            unreadable[entry.id] = str(error)
            continue
        if batch and size + size_of(entry.path) > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += size_of(entry.path)
    if batch:
        yield batch


def _run(
    tool: NativeTool,
    program: Tool,
    cell: Cell,
    batch: Sequence[ImageEntry],
    scratch: Path,
    folder: batches.RunFolder,
) -> EvalOutput:
    archive, labels = scratch / "images.tar", scratch / "labels.txt"
    with atomic.writing(archive), tarfile.open(archive, "w") as tar:
        for entry in batch:
            _add(tar, entry)
    atomic.write_scratch(labels, "".join(f"{n}\n" for n in range(1000)))
    files = replace(tool, program=program).place(cell, [archive, labels], ROOM_BYTES + size_of(archive))
    tool.probe(tool.place(cell, []).tool)
    argv = eval_argv(cell, files.tool, files.model, files.further[1])
    ended = tool.device.run(
        ["sh", "-c", EVAL, "sh", folder.token, tool.work_folder(folder.token), files.further[0], *argv],
        timeout_s=TIMEOUT_S + SECONDS_PER_IMAGE * len(batch),
    )
    report = read_report(ended.stdout, folder.token)
    if says_full(ended.stderr):
        tool.refuse_full(ROOM_BYTES + size_of(archive), ended.stderr)
    if ended.timed_out:
        raise MeasurementError(
            "eval_coco_object_detection was killed: it took too long", status=Status.TIMEOUT
        )
    if ended.exit_code == NO_FOLDER or report.problem:
        raise MeasurementError(
            report.problem or f"no folder to work in on the device: {ended.stderr.strip()}"
        )
    output = parse_eval(report.tool[0] if report.tool else "", ended.stderr, report.exit_code)
    if output.status != Status.OK:
        raise MeasurementError("; ".join(output.reasons))
    return output


def _add(tar: tarfile.TarFile, entry: ImageEntry) -> None:
    """Add an image; the tool knows no EXIF orientation, so a picture that is to be turned is written upright."""
    if entry.as_stored or not read_header(entry.path).turned:
        tar.add(entry.path, f"{entry.id}.jpg", recursive=False)
        return
    content = io.BytesIO()
    read_image(entry.file).save(content, "JPEG", quality=UPRIGHT_QUALITY, subsampling=0)
    member = tarfile.TarInfo(f"{entry.id}.jpg")
    member.size = content.tell()
    content.seek(0)
    tar.addfile(member, content)


def eval_argv(cell: Cell, tool: str, model: str, labels: str) -> list[str]:
    """Return the tool's command line; the images lie in the folder `images`."""
    delegate = DELEGATES[cell.delegate.kind]
    return [
        tool,
        f"--model_file={model}",
        f"--model_output_labels={labels}",
        "--ground_truth_images_path=images",
        f"--num_interpreter_threads={cell.delegate.threads or 1}",
        *([f"--delegate={delegate}"] if delegate else []),
        "--debug_mode=true",
    ]


def detections_of(output: EvalOutput, batch: Sequence[ImageEntry], cell: Cell) -> Iterator[ImageDetections]:
    """Yield the detections of each image in COCO's terms, in the order of the batch.

    Raises:
        MeasurementError: The tool printed nothing of an image.
    """
    found = {image.name: image for image in output.images if image.whole}
    recipe = batches.recipe_of(cell)
    for entry in batch:
        image = found.get(f"{entry.id}.jpg")
        if image is None:
            raise MeasurementError(f"eval_coco_object_detection told nothing of the image {entry.path.name}")
        yield _in_pixels(image.detections, entry, recipe)


def _in_pixels(rows: Sequence[EvalDetection], entry: ImageEntry, recipe: Recipe) -> ImageDetections:
    corners = np.array([[r.left, r.top, r.right, r.bottom] for r in rows], np.float64).reshape(-1, 4)
    detections = Detections(
        boxes=corners,
        scores=np.array([r.score for r in rows], np.float64),
        classes=np.array([r.class_id - CLASS_OFFSET for r in rows], np.int64),
    )
    width, height = entry.size or read_header(entry.path).upright
    whole = Geometry(width, height, width, height, 1.0, 1.0)
    return Recipe(recipe.preparation, lambda _: detections, recipe.labels).decode(entry.id, [], whole)
