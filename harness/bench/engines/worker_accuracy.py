"""What a worker gave for a dataset, as every engine answers it."""

from __future__ import annotations

from pathlib import Path

from harness.bench.engines.base import DatasetInference
from harness.errors import MeasurementError
from harness.records.records import DelegateFacts
from harness.vocabulary import Status
from harness.worker.results import AccuracyResult


def inferred(
    result: AccuracyResult,
    scratch: Path,
    delegate: DelegateFacts,
    runtime: str | None = None,
    remark: str | None = None,
) -> DatasetInference:
    """Return a worker's answer.

    Args:
        result: What it left beside the detections.
        scratch: The folder of both.
        delegate: What ran.
        runtime: What ran it; None for the worker's own.
        remark: What is to be said of its outputs besides.

    Raises:
        MeasurementError: Its outputs are wrong, so that no image was inferred.
    """
    if result.check.wrong:
        raise MeasurementError("; ".join(result.check.wrong), status=Status.INCORRECT)
    return DatasetInference(
        detections=scratch / "detections.json",
        n_images=result.n_images,
        unreadable=result.unreadable,
        seconds=result.seconds,
        delegate=delegate,
        runtime=runtime or result.runtime,
        unreadable_ids=result.unreadable_ids,
        remark=remark,
    )
