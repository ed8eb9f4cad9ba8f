"""The outputs of an accelerator, or of several CPU threads, against one CPU thread of the same device (law 10).

Outputs are compared as detections: rounding alone swaps the order of detections of nearly the same score, which makes
raw tensors differ everywhere and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.accuracy.pipeline import ImageDetections
from harness.bench.engines.native import batches
from harness.bench.engines.native.tool import NativeTool
from harness.bench.plan import Cell
from harness.delegates import CPU, Delegate
from harness.errors import UsageError
from harness.worker.agreement import (
    OTHER_KERNELS,
    SAME_KERNELS,
    DetectionSet,
    Tolerance,
    differing_detections,
)

N_IMAGES = 4


def wrong_outputs(tool: NativeTool, cell: Cell, scratch: Path) -> tuple[str, ...]:
    """Return why the outputs of a cell's delegate are wrong; nothing where they agree with the CPU's.

    Raises:
        MeasurementError: The delegate did not run on the images, or the tool failed.
        DeviceError: The device went away.
    """
    own = cell.delegate.is_cpu
    one_thread = Delegate(cell.delegate.kind if own else CPU, threads=1)
    expected = _detections(tool, replace(cell, delegate=one_thread), scratch)
    try:
        found = _detections(tool, cell, scratch)
    except UsageError as error:  # the card fits what the CPU gives
        return (f"{cell.delegate} gives outputs that mean nothing where the CPU's are right: {error}",)
    return compare(expected, found, str(cell.delegate), SAME_KERNELS if own else OTHER_KERNELS)


def _detections(tool: NativeTool, cell: Cell, scratch: Path) -> list[ImageDetections]:
    recipe = batches.recipe_of(cell)
    found = []
    with batches.RunFolder(tool) as folder:
        for batch in batches.batches(cell, recipe.preparation, {}, N_IMAGES):
            result = batches.run_batch(tool, cell, batch, scratch, folder)
            outputs = batches.split_outputs(result.outputs, cell, len(batch))
            found += [recipe.decode(p.image_id, o, p.at) for p, o in zip(batch, outputs, strict=True)]
    return found


def compare(
    expected: Sequence[ImageDetections],
    found: Sequence[ImageDetections],
    what: str,
    tolerance: Tolerance = OTHER_KERNELS,
) -> tuple[str, ...]:
    """Compare detections of the same images.

    Args:
        expected: One CPU thread's.
        found: The accelerator's, of the same images in the same order.
        what: What the accelerator is called.
        tolerance: How much they may differ.

    Returns:
        A sentence where they differ by more, else nothing.
    """
    on_cpu, on_accelerator = (
        [DetectionSet(image.boxes, image.scores, image.categories) for image in one]
        for one in (expected, found)
    )
    differs = differing_detections(on_cpu, on_accelerator, tolerance)
    than = "one thread" if tolerance is SAME_KERNELS else "the CPU"
    return (f"{what} gives other detections than {than} of the same device: {differs}",) if differs else ()
