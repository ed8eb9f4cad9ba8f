"""What our worker is asked to do for a cell."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from harness import atomic
from harness.bench.engines.inputs import prepare_inputs
from harness.bench.plan import Cell
from harness.delegates import GPU, NPU, Delegate
from harness.errors import MeasurementError
from harness.paths import is_file, resolved
from harness.settings import DEFAULT_MIN_RUNS, DEFAULT_MIN_SECONDS
from harness.worker.jobs import AccuracyJob, LatencyJob, OperatorsJob


def latency_job(cell: Cell, inputs: Path | None, repetition: int, output: Path) -> LatencyJob:
    """Make the job for one repetition: its share of the runs and seconds asked for."""
    settings = cell.settings
    return LatencyJob(
        model=str(resolved(cell.model.file)),
        delegate=cell.delegate.kind,
        threads=cell.delegate.threads or 1,
        inputs=None if inputs is None else str(inputs),
        min_runs=settings.runs_a_process,
        min_seconds=settings.seconds_a_process,
        max_seconds=settings.patience_s,
        watch_seconds=settings.watch_s,
        seed=settings.seed + repetition,
        output=str(output),
        memory_limit_mb=settings.memory_limit_mb,
        delegate_library=library_path(cell.delegate),
        delegate_options=_options(cell.delegate),
        other_model=None if cell.other is None else str(resolved(cell.other.file)),
    )


def accuracy_job(cell: Cell, output: Path) -> AccuracyJob:
    """Make the job that runs a cell over its dataset, and write the list of images beside it."""
    assert cell.dataset is not None
    images = output / "images.json"
    rows = [[entry.id, str(entry.path), entry.size, entry.as_stored] for entry in cell.dataset.images]
    atomic.write_scratch(images, json.dumps(rows))
    card = cell.model.card
    return AccuracyJob(
        model=str(resolved(cell.model.file)),
        delegate=cell.delegate.kind,
        threads=cell.delegate.threads or 1,
        card=msgspec.to_builtins({"input": card.input, "decoder": card.decoder, "labels": card.labels}),
        images=str(images),
        cores=cell.settings.cores,
        output=str(output),
        memory_limit_mb=cell.settings.memory_limit_mb,
        delegate_library=library_path(cell.delegate),
        delegate_options=_options(cell.delegate),
    )


def operators_job(cell: Cell, output: Path) -> OperatorsJob:
    """Make the job that records the operators of a cell.

    Raises:
        MeasurementError: LiteRT's profiler knows no such delegate.
    """
    if not cell.delegate.is_cpu:
        raise MeasurementError(
            f"operator times of {cell.delegate} are not available from LiteRT in Python; give TFLite's benchmark_model "
            "with --benchmark-binary"
        )
    inputs = prepare_inputs(cell, output.parent)
    return OperatorsJob(
        model=str(resolved(cell.model.file)),
        delegate=cell.delegate.kind,
        threads=cell.delegate.threads or 1,
        inputs=None if inputs is None else str(inputs),
        min_runs=DEFAULT_MIN_RUNS,
        min_seconds=DEFAULT_MIN_SECONDS,
        output=str(output),
        memory_limit_mb=cell.settings.memory_limit_mb,
    )


def _options(delegate: Delegate) -> dict[str, str]:
    """Return what a library, or an accelerator of LiteRT's, is told."""
    return dict(delegate.options) if delegate.kind in {GPU, NPU} else delegate.library_options


def library_path(delegate: Delegate) -> str | None:
    """Return the delegate's library: a file of this computer by its whole path, a name for the loader as it is."""
    library = delegate.library
    return str(resolved(library)) if library is not None and is_file(library) else library
