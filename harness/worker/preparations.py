"""Run a model over a few images that are prepared in several ways, to see whether another way than the card's fits."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from harness.accuracy.detections import DetectionWriter
from harness.accuracy.image_files import ImageFile, UnreadableImageError, read_image
from harness.accuracy.interpreters import InterpreterEngine, Pool, map_in_order
from harness.accuracy.pipeline import ImageDetections, Recipe
from harness.accuracy.prepare import Preparation
from harness.cards import DecoderSpec, InputSpec, Labels
from harness.detectors.base import ModelContext
from harness.detectors.registry import make_decoder
from harness.runtime import Runtime, make_interpreter
from harness.worker.accuracy import listed
from harness.worker.jobs import PreparationsJob
from harness.worker.results import PreparationsResult, write_result
from harness.worker.tensors import input_infos, output_infos


def run(job: PreparationsJob, runtime: Runtime) -> None:
    """Carry out the job and leave `detections-K.json` and `result.json` in its output folder."""
    interpreters = [
        make_interpreter(runtime, job.model, job.delegate, job.threads)
        for _ in range(max(1, job.cores // job.threads))
    ]
    recipes = [_recipe(job, interpreters[0], facts) for facts in job.preparations]
    pool = Pool([InterpreterEngine(one) for one in interpreters])
    images = [listed(*row) for row in json.loads(Path(job.images).read_text("utf-8"))]

    def work(item: tuple[int, ImageFile]) -> list[ImageDetections]:
        return _detect(*item, recipes, pool)

    begin = time.perf_counter()
    found = [ways for ways in map_in_order(work, images, len(interpreters)) if ways]
    _write(found, Path(job.output), len(recipes))
    ids = tuple(ways[0].image_id for ways in found)
    write_result(PreparationsResult(str(runtime), ids, time.perf_counter() - begin), job.output)


def _recipe(job: PreparationsJob, interpreter: Any, facts: dict[str, object]) -> Recipe:
    spec = msgspec.convert(facts, InputSpec)
    decoder = msgspec.convert(job.card["decoder"], DecoderSpec)
    context = ModelContext(spec.width, spec.height, Path(job.model))
    return Recipe(
        Preparation(spec, input_infos(interpreter)[0]),
        make_decoder(decoder, output_infos(interpreter), context),
        msgspec.convert(job.card["labels"], Labels),
    )


def _detect(
    image_id: int, file: ImageFile, recipes: list[Recipe], pool: Pool[InterpreterEngine]
) -> list[ImageDetections]:
    """Return an image's detections for each preparation; nothing where it cannot be read."""
    try:
        picture = read_image(file)
    except UnreadableImageError:
        return []
    found = []
    for recipe in recipes:
        tensor, geometry = recipe.preparation.prepare(picture)
        with pool.lend() as engine:
            outputs = engine.infer(tensor)
        found.append(recipe.decode(image_id, outputs, geometry.of_size(file.size)))
    return found


def _write(found: list[list[ImageDetections]], folder: Path, n_ways: int) -> None:
    with ExitStack() as stack:
        writers = [
            stack.enter_context(DetectionWriter(folder / f"detections-{way}.json")) for way in range(n_ways)
        ]
        for ways in found:
            for writer, image in zip(writers, ways, strict=True):
                writer.add(image.image_id, image.boxes, image.scores, image.categories)
