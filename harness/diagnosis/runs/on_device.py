"""Run a model on another device or delegate, through the engines of `harness run`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from harness.accuracy.dataset import Dataset
from harness.accuracy.detections import load_detections
from harness.bench.cells import make_cells
from harness.bench.engines.choose import find_engine
from harness.bench.plan import Cell
from harness.bench.request import Request
from harness.bench.stations import Station
from harness.bench.subjects import Subject
from harness.cards import Model
from harness.diagnosis.runs.changes import Detections
from harness.diagnosis.runs.model_pair import Place
from harness.drivers.registry import find_device
from harness.errors import UsageError
from harness.settings import Settings
from harness.tflite.model import ModelDescription
from harness.workspace import find_workspace


def infer(
    place: Place,
    model: Model,
    description: ModelDescription,
    dataset: Dataset,
    on_step: Callable[[int, int, str], None],
) -> Detections:
    """Run a model over a dataset in its place.

    Raises:
        UsageError: The device does not offer the delegate; says why.
        DeviceError: The device went away.
        MeasurementError: The model or the delegate failed there.
    """
    workspace = find_workspace(place.workspace)
    request = Request(
        devices=(place.device,),
        delegates=(place.delegate,),
        settings=Settings(latency=False),
        workspace=place.workspace,
        benchmark_binary=place.benchmark_binary,
    )
    profile, device = find_device(place.device, workspace)
    try:
        station = Station(profile, device, device.describe())
        cell = _cell(request, Subject(model, description, dataset), station)
        with tempfile.TemporaryDirectory(prefix="harness-") as folder:
            scratch = Path(folder) / "cell"
            scratch.mkdir()
            text = f"{model.name}, {place}"
            found = find_engine(station, request).infer(
                cell, scratch, lambda done, total: on_step(done, total, text)
            )
            table = load_detections(found.detections)
    finally:
        device.close()
    return Detections(
        table,
        dataset.without(found.unreadable_ids).image_ids,
        found.unreadable,
        found.delegate,
        found.runtime,
    )


def _cell(request: Request, subject: Subject, station: Station) -> Cell:
    (cell,) = make_cells(request, [subject], [station])
    if not cell.is_tried:
        raise UsageError(cell.skip or cell.problem or "")
    return cell
