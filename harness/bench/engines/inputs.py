"""Real images as inputs for timing, prepared once for all cells of a model."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import msgspec
import numpy as np

from harness import atomic
from harness.accuracy.dataset import Dataset
from harness.accuracy.image_files import UnreadableImageError
from harness.accuracy.prepare import Preparation, Tensor
from harness.bench.plan import Cell
from harness.errors import ModelError
from harness.paths import exists

N_IMAGES = 8
"""Enough for the NMS cost to be that of real images, few enough to stay in the caches as on a live camera."""


def prepare_inputs(cell: Cell, folder: Path) -> Path | None:
    """Write the inputs for timing a cell.

    Args:
        cell: What is timed.
        folder: Where to write; a file that is there already for the same input is used again.

    Returns:
        A .npy file [K, H, W, 3] of images spread evenly over the dataset, or None where the cell has no
        dataset or the model takes no image (it is then timed with seeded random inputs).
    """
    if cell.dataset is None or not cell.facts.inputs:
        return None
    key = hashlib.sha256(
        msgspec.json.encode([cell.model.card.input, str(cell.dataset.annotations), cell.facts.sha256])
    )
    path = folder / f"inputs-{key.hexdigest()[:16]}.npy"
    if exists(path):
        return path
    try:
        preparation = Preparation(cell.model.card.input, cell.facts.image_input)
    except ModelError:
        return None
    images = _some_images(cell.dataset, preparation)
    if not images:
        return None
    content = io.BytesIO()
    np.save(content, np.concatenate(images), allow_pickle=False)
    atomic.write_bytes(path, content.getvalue())
    return path


def _some_images(dataset: Dataset, preparation: Preparation) -> list[Tensor]:
    step = max(1, len(dataset.images) // N_IMAGES)
    prepared = []
    for entry in dataset.images[::step]:
        try:
            prepared.append(preparation.load(entry.file)[0])
        except UnreadableImageError:
            continue
        if len(prepared) == N_IMAGES:
            break
    return prepared
