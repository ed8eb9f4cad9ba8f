"""What a user asks of a quantization, and the job that comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from harness.cards import Model
    from harness.quantization.modes import Calibration
    from harness.quantization.workflow import Job

ModeName = Literal["dynamic", "float16", "weight-only", "int8", "int16x8", "int8-float-fallback"]


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        mode: How to quantize; None for a check of the representative data only.
        output: The file to write; None for a check only.
        representative: Images, or a .npy or .npz file, to calibrate with.
        calibration: How scales are found: by the largest value, or by the least squared error.
        keep_float: Regular expressions of tensor names; the operators that write those tensors stay float.
        dataset: COCO dataset for mAP before and after; None for the card's own.
        limit: Evaluate only the first so many images.
        accuracy: Whether to measure mAP.
        force: Whether to quantize although the check of the data found an error.
        workspace: Folder with devices/ and models/; None to look it up.
    """

    mode: ModeName | None = None
    output: Path | None = None
    representative: Path | None = None
    calibration: Calibration = "minmax"
    keep_float: tuple[str, ...] = ()
    dataset: Path | None = None
    limit: int | None = None
    accuracy: bool = True
    force: bool = False
    workspace: str | None = None


def make_job(model: Model, request: Request) -> Job:
    """Find what a request names.

    Raises:
        UnknownNameError: No such mode.
        DatasetError: The representative data or the dataset cannot be used.
    """
    from harness.accuracy.dataset import find_dataset
    from harness.quantization.modes import find_mode
    from harness.quantization.representative import find_representative
    from harness.quantization.workflow import Job

    data, path = request.representative, request.dataset or model.dataset_path
    path = path if request.accuracy else None
    return Job(
        model=model,
        mode=None if request.mode is None else find_mode(request.mode),
        representative=None if data is None else find_representative(data),
        dataset=None if path is None else find_dataset(path, request.limit),
        dataset_path=path,
        output=request.output,
        limit=request.limit,
        force=request.force,
        keep_float=request.keep_float,
        calibration=request.calibration,
        workspace=request.workspace,
    )
