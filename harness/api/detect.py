"""`harness.detect`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.frames import several, to_frame

if TYPE_CHECKING:
    import pandas as pd


def detect(
    model: str | Path,
    images: str | Path | Iterable[str | Path],
    *,
    score_threshold: float = 0.3,
    output: str | Path | None = None,
    workspace: str | Path | None = None,
) -> pd.DataFrame:
    """Run a model on images and return what it finds, as `harness detect` does; no annotations are needed.

    Args:
        model: A .tflite file, a card's name or a card's path.
        images: Image files or folders of them.
        score_threshold: Leave out what has a lower score.
        output: A folder to draw the images with their boxes to; None for no pictures.
        workspace: Folder with devices/ and models/.

    Returns:
        One row an object: `image`, `name`, `category_id`, `score` (0…1), and `x`, `y`, `width`, `height` in pixels of
        the upright image, the surest of an image first. `frame.attrs["remarks"]` names images that could not be read.

    Raises:
        ModelError: The model cannot be read, is not here, or cannot be run.
        UsageError: There are no such images, or the model's outputs are no detections that are known.
        OutputError: A picture of that name is there already.

    Example:
        >>> import harness
        >>> found = harness.detect("shapes-float32", "models/shapes/dataset/images/000001.jpg")
        >>> bool((found["score"] >= 0.3).all())
        True
    """
    from harness.bench.detect import detect_objects, find_images
    from harness.report import detected_objects
    from harness.workspace import find_workspace

    paths = find_images([Path(place) for place in several(images)])
    found = list(detect_objects(str(model), paths, find_workspace(workspace), score_threshold))
    if output is not None:
        detected_objects.draw_all(found, Path(output))
    remarks = [f"not read: {image.problem}" for image in found if image.problem is not None]
    return to_frame(detected_objects.rows(found), detected_objects.COLUMNS, remarks)
