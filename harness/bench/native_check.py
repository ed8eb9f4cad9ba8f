"""The outputs of an accelerator against the same device's CPU, on real images (law 10).

Outputs are compared as detections: rounding alone swaps the order of detections of nearly the same score, which makes
raw tensors differ everywhere and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.accuracy.pipeline import ImageDetections
from harness.bench import native_batches
from harness.bench.plan import Cell
from harness.delegates import Delegate
from harness.worker.agreement import OTHER_KERNELS, Detected, differing_detections

if TYPE_CHECKING:
    from harness.bench.native import NativeEngine

N_IMAGES = 4


def wrong_outputs(engine: NativeEngine, cell: Cell, scratch: Path) -> tuple[str, ...]:
    """Return why the outputs of a cell's delegate are wrong; nothing where they agree with the CPU's.

    Raises:
        MeasurementError: The delegate did not run on the images, or the tool failed.
        DeviceError: The device went away.
    """
    on_cpu = replace(cell, delegate=Delegate("cpu", threads=1))
    expected, found = (_detections(engine, one, scratch) for one in (on_cpu, cell))
    return compare(expected, found, str(cell.delegate))


def _detections(engine: NativeEngine, cell: Cell, scratch: Path) -> list[ImageDetections]:
    recipe = native_batches.recipe_of(cell)
    found = []
    with native_batches.Folder(engine) as folder:
        for batch in native_batches.batches(cell, recipe.preparation, [], N_IMAGES):
            result = native_batches.run_batch(engine, cell, batch, scratch, folder)
            outputs = native_batches.split_outputs(result.outputs, cell, len(batch))
            found += [recipe.decode(p.image_id, o, p.at) for p, o in zip(batch, outputs, strict=True)]
    return found


def compare(
    expected: Sequence[ImageDetections], found: Sequence[ImageDetections], what: str
) -> tuple[str, ...]:
    """Compare detections of the same images.

    Args:
        expected: The CPU's.
        found: The accelerator's, of the same images in the same order.
        what: What the accelerator is called.

    Returns:
        A sentence where they differ by more than the tolerance for other kernels, else nothing.
    """
    on_cpu, on_accelerator = (
        [Detected(image.boxes, image.scores, image.categories) for image in one] for one in (expected, found)
    )
    differs = differing_detections(on_cpu, on_accelerator, OTHER_KERNELS)
    return (f"{what} gives other detections than the CPU of the same device: {differs}",) if differs else ()
