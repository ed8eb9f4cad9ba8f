"""Run a model over a dataset's images and keep its detections."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.accuracy.detections import DetectionWriter
from harness.accuracy.image_files import ImageFile, UnreadableImageError
from harness.accuracy.interpreters import Engine, InterpreterEngine
from harness.accuracy.pipeline import ImageDetections, Recipe, detect
from harness.accuracy.prepare import Preparation
from harness.cards import DecoderSpec, InputSpec, Labels
from harness.delegates import KINDS
from harness.detectors.base import ModelContext
from harness.detectors.registry import make_decoder
from harness.runtime import Runtime
from harness.worker import check, library
from harness.worker.events import Progress, emit
from harness.worker.jobs import AccuracyJob, is_emulated
from harness.worker.memory import peak_memory_bytes
from harness.worker.results import AccuracyResult, OutputCheck, write_result
from harness.worker.tensors import image_input, output_infos

PROGRESS_EVERY_S = 0.2


def run(job: AccuracyJob, runtime: Runtime) -> None:
    """Carry out an accuracy job and leave `detections.json` and `result.json` in its output folder."""
    # An accelerator is one, however many cores there are; one that is emulated is the cores'.
    on_cores = KINDS[job.delegate].on_cpu or is_emulated(job)
    n_engines = max(1, job.cores // job.threads) if on_cores else 1
    applied = library.make(runtime, job)
    first = applied.interpreter
    recipe = _recipe(job, first)
    images = [listed(*row) for row in json.loads(Path(job.images).read_text("utf-8"))]
    # First of all: an accuracy from wrong outputs is not worth its time, and nonsense cannot always be decoded.
    checked = _check(job, runtime, first, _feeds(first, recipe.preparation, images))
    execution = library.describe(job, applied)
    if checked.wrong:
        write_result(AccuracyResult(str(runtime), execution, checked), job.output)
        return
    with _engines(job, runtime, first, min(n_engines, len(images))) as engines:
        begin = time.perf_counter()
        # With fewer interpreters than cores, one more thread prepares the next image while an interpreter runs.
        threads = job.cores if len(engines) >= job.cores else job.cores + 1
        found = detect(images, recipe, engines, threads)
        unreadable = _write(found, Path(job.output) / "detections.json", len(images))
        seconds = time.perf_counter() - begin
    result = AccuracyResult(
        runtime=str(runtime),
        execution=execution,
        check=checked,
        n_images=len(images) - len(unreadable),
        unreadable=tuple(unreadable.values()),
        seconds=seconds,
        peak_memory_bytes=peak_memory_bytes(),
        unreadable_ids=tuple(unreadable),
    )
    write_result(result, job.output)


@contextlib.contextmanager
def _engines(job: AccuracyJob, runtime: Runtime, first: Any, wanted: int) -> Iterator[list[Engine]]:
    """Give so many engines, the first of which is there; where an emulator is to use several cores, processes."""
    if is_emulated(job) and wanted > 1:
        from harness.worker.emulator_process import emulator_processes  # late: few jobs need it

        with emulator_processes(job, wanted) as processes:
            yield list(processes) or [InterpreterEngine(first)]
        return
    more = [library.make(runtime, job).interpreter for _ in range(wanted - 1)]
    yield [InterpreterEngine(each) for each in (first, *more)]


def _recipe(job: AccuracyJob, interpreter: Any) -> Recipe:
    """Return how an image becomes detections, by the job's card and the interpreter's own tensors."""
    image = msgspec.convert(job.card["input"], InputSpec)
    context = ModelContext(image.width, image.height, Path(job.model))
    decoder = msgspec.convert(job.card["decoder"], DecoderSpec)
    return Recipe(
        Preparation(image, image_input(interpreter)),
        make_decoder(decoder, output_infos(interpreter), context),
        msgspec.convert(job.card["labels"], Labels),
    )


def listed(image_id: int, path: str, size: Sequence[int] | None, as_stored: bool) -> tuple[int, ImageFile]:
    """Return an image's id and file from its row in the list of images."""
    return int(image_id), ImageFile(Path(path), None if size is None else (size[0], size[1]), as_stored)


def _check(job: AccuracyJob, runtime: Runtime, interpreter: Any, feeds: list[check.Feed]) -> OutputCheck:
    if not feeds:
        return OutputCheck()
    interpreter.set_tensor(*feeds[0])
    interpreter.invoke()
    return check.check_outputs(job, runtime, interpreter, feeds)


def _feeds(
    interpreter: Any, preparation: Preparation, images: list[tuple[int, ImageFile]]
) -> list[check.Feed]:
    """Prepare the first images that can be read, as the check wants them."""
    index = interpreter.get_input_details()[0]["index"]
    feeds: list[check.Feed] = []
    for _, file in images:
        if len(feeds) == check.N_INPUTS:
            break
        with contextlib.suppress(UnreadableImageError):
            feeds.append((index, preparation.load(file)[0]))
    return feeds


def _write(found: Iterator[ImageDetections], path: Path, total: int) -> dict[int, str]:
    """Write detections as they come; return why which images could not be read."""
    unreadable: dict[int, str] = {}
    last_told_s = 0.0
    with DetectionWriter(path) as writer:
        for done, image in enumerate(found, 1):
            if image.problem is not None:
                unreadable[image.image_id] = image.problem
            else:
                writer.add(image.image_id, image.boxes, image.scores, image.categories)
            if time.monotonic() - last_told_s > PROGRESS_EVERY_S:
                last_told_s = time.monotonic()
                emit(Progress(done, total))
    return unreadable
