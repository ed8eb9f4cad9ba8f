"""Run a model over a few images prepared in other ways than its card says: a wrong mean or order of channels shows.

The images are inferred on this computer's CPU, whatever the cells ran on, after everything was measured. It takes at
most a tenth of the time that the model was measured for, or a few seconds where that is less.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from harness import atomic
from harness.accuracy.annotations import GroundTruth
from harness.accuracy.dataset import Dataset, ImageEntry
from harness.accuracy.detections import load_detections
from harness.accuracy.preparations import Gain, best_gain
from harness.bench.engines.worker_process import run_worker
from harness.bench.plan import Cell
from harness.cards import InputSpec
from harness.delegates import CPU
from harness.drivers.local import LocalDevice
from harness.errors import MeasurementError
from harness.paths import resolved
from harness.recognize import readings
from harness.records.checks import Check, verdict
from harness.worker.jobs import PreparationsJob
from harness.worker.results import PreparationsResult

NAME = "input prepared wrongly"
MOST_IMAGES, FEWEST_IMAGES = 20, 8
SHARE = 0.1
"""Of the time that a model was measured for."""
LEAST_SECONDS = 5.0
"""So much is spent even after a short run."""
START_S = 60.0
"""For starting a worker, on top of what it may take."""
VARIED = (readings.normalizations, readings.channels, readings.resizes)


def affordable_images(cell: Cell, measured_s: float, images_per_second: float | None) -> int:
    """Return how many images may be tried: as many as the time allows, 20 at most."""
    if images_per_second is None:
        return MOST_IMAGES
    seconds = max(SHARE * measured_s, LEAST_SECONDS)
    return min(MOST_IMAGES, int(seconds * images_per_second / (1 + len(alternatives(cell)))))


def alternatives(cell: Cell) -> list[InputSpec]:
    """Return the input sections that differ from the card's in one property; what the file settles is not varied."""
    card = cell.model.card
    found = [reading.card.input for vary in VARIED for reading in vary(card, cell.facts)]
    return list(dict.fromkeys(spec for spec in found if spec != card.input))


def try_preparations(
    cell: Cell, dataset: Dataset, truth: GroundTruth, n_images: int, scratch: Path
) -> Iterator[Check]:
    """Yield the preparation that finds clearly more than the card's, where there is one.

    Args:
        cell: Its model is run; where and how the cell itself runs does not matter.
        dataset: The images that were evaluated.
        truth: The annotations of the categories that are evaluated.
        n_images: How many images are tried.
        scratch: An empty folder.

    Raises:
        MeasurementError: The model cannot be run on this computer's CPU, or there are too few images.
    """
    images = _chosen(dataset, truth, n_images)
    if len(images) < FEWEST_IMAGES:
        raise MeasurementError(
            f"{len(images)} images with objects in the time for it, and {FEWEST_IMAGES} are needed"
        )
    specs = [cell.model.card.input, *alternatives(cell)]
    job = _job(cell, specs, images, scratch)
    timeout_s = START_S + 10 * LEAST_SECONDS
    result = run_worker(LocalDevice(), job, PreparationsResult, scratch, timeout_s).result
    tables = [load_detections(scratch / f"detections-{way}.json") for way in range(len(specs))]
    if len(result.image_ids) < FEWEST_IMAGES:
        return
    gain = best_gain(truth, result.image_ids, tables[0], tables[1:])
    if gain is not None:
        yield _check(gain, specs[0], specs[1 + gain.way], len(result.image_ids))


def _chosen(dataset: Dataset, truth: GroundTruth, n_images: int) -> list[ImageEntry]:
    """Take images with objects, evenly over all of them."""
    labeled = set(truth.image_ids[~truth.crowd].tolist())
    images = [image for image in dataset.images if image.id in labeled]
    n = min(n_images, len(images))
    return [images[k * len(images) // n] for k in range(n)]


def _job(
    cell: Cell, specs: Sequence[InputSpec], images: Sequence[ImageEntry], scratch: Path
) -> PreparationsJob:
    listed = scratch / "images.json"
    rows = [[image.id, str(image.path), image.size, image.as_stored] for image in images]
    atomic.write_scratch(listed, json.dumps(rows))
    card = cell.model.card
    return PreparationsJob(
        model=str(resolved(cell.model.file)),
        delegate=CPU,
        threads=1,
        card=msgspec.to_builtins({"decoder": card.decoder, "labels": card.labels}),
        preparations=[msgspec.to_builtins(spec) for spec in specs],
        images=str(listed),
        cores=cell.settings.cores,
        output=str(scratch),
        memory_limit_mb=cell.settings.memory_limit_mb,
    )


def _check(gain: Gain, card: InputSpec, other: InputSpec, n_images: int) -> Check:
    lines = [f"input.{name} = {text}" for name, text in _changes(card, other)]
    settings = " ".join(f"--set 'input.{name}={text}'" for name, text in _changes(card, other))
    return Check(
        name=NAME,
        verdict=verdict(certain=gain.certain),
        figures={
            "found": gain.found,
            "found_otherwise": gain.found_otherwise,
            "map": gain.map,
            "map_otherwise": gain.map_otherwise,
            "images": n_images,
        },
        words=f"with {', '.join(lines)} the model finds the objects of {n_images} images more surely, with a mean "
        f"score of {gain.found_otherwise:.2f} instead of {gain.found:.2f}, and the mAP on them is "
        f"{gain.map_otherwise:.3f} instead of {gain.map:.3f}",
        command=f"harness edit card MODEL {settings} -o CARD.toml",
    )


def _changes(card: InputSpec, other: InputSpec) -> Iterator[tuple[str, str]]:
    """Yield the lines of a card that differ, as TOML."""
    for name in InputSpec.__struct_fields__:
        value = getattr(other, name)
        if value != getattr(card, name):
            text = json.dumps(list(value) if isinstance(value, tuple) else value)
            yield name, text
