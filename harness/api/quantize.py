"""`harness.quantize`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.frames import path_of, several, text_of, to_frame

if TYPE_CHECKING:
    import pandas as pd

    from harness.quantization.modes import Calibration
    from harness.quantization.request import ModeName
    from harness.quantization.workflow import Job


def quantize(
    model: str | Path,
    *,
    mode: ModeName | None = None,
    target: str | None = None,
    output: str | Path | None = None,
    representative: str | Path | None = None,
    calibration: Calibration = "minmax",
    keep_float: str | Sequence[str] = (),
    dataset: str | Path | None = None,
    limit: int | None = None,
    accuracy: bool = True,
    check_only: bool = False,
    force: bool = False,
    workspace: str | Path | None = None,
) -> pd.DataFrame:
    """Quantize a float .tflite and say what it cost, as `harness quantize` does.

    Args:
        model: A .tflite file, a card's name or a card's path.
        mode: How to quantize.
        target: Instead of one mode: try every one for `xnnpack`, `gpu` or `qualcomm-SM8650`, and say what to ship.
        output: The file to write.
        representative: Images (or a .npy file) to calibrate with; they are checked first.
        calibration: Scales by the largest value, or by the least squared error (int8, int16x8).
        keep_float: Leave the operators in float that write tensors of names that fit these regular expressions.
        dataset: COCO dataset for mAP before and after; None for the card's own.
        limit: Evaluate only the first so many images.
        accuracy: Whether to measure mAP.
        check_only: Only check the representative data, and return what was found, a row a finding.
        force: Quantize although the check of the data found an error.
        workspace: Folder with devices/ and models/.

    Returns:
        A row for the float model and one for the new one: size, quantization, the error of the outputs, mAP.
        With `target`, a row for each way, and `ship` marks one. `frame.attrs["remarks"]` is what the command would say
        beside it.

    Raises:
        UsageError: Wrong use, such as no representative data where ranges are needed.
        ModelError: The model is not float, or has operators that the mode cannot quantize.
        DatasetError: The representative data would give a wrong model.
        MissingExtraError: The extra `quantize` is not installed.
        JobError: The quantizer failed, or LiteRT refuses what it made.

    Example:
        >>> import harness
        >>> rows = harness.quantize("shapes-float32", mode="float16", output="half.tflite", limit=10)
        >>> rows["quantization"].tolist()
        ['float32', 'float16']
    """
    from harness.quantization.request import Request, make_job
    from harness.recognize.find import find_available
    from harness.workspace import find_workspace

    request = Request(
        mode=mode,
        output=path_of(output),
        representative=path_of(representative),
        calibration=calibration,
        keep_float=tuple(several(keep_float)),
        dataset=path_of(dataset),
        limit=limit,
        accuracy=accuracy,
        force=force,
        workspace=text_of(workspace),
    )
    job = make_job(find_available(str(model), find_workspace(workspace)), request)
    return _checked(job) if check_only else _quantized(job, target)


def _checked(job: Job) -> pd.DataFrame:
    from harness.quantization import workflow
    from harness.quantization.findings import COLUMNS

    return to_frame([finding.row() for finding in workflow.find_faults(job)], COLUMNS)


def _quantized(job: Job, name: str | None) -> pd.DataFrame:
    from harness.bench.observer import Silent
    from harness.quantization import target, workflow

    columns: tuple[str, ...] = workflow.COLUMNS if name is None else target.COLUMNS
    if name is None:
        report = workflow.quantize(job, _NoSteps(), Silent())
    else:
        report = target.quantize_for(job, target.find_target(name), _NoSteps(), Silent())
    found = [f"{finding.name}: {finding.message} {finding.remedy}" for finding in report.findings]
    return to_frame(report.rows, columns, [*found, *report.remarks])


class _NoSteps:
    """Is told how far the work is, and says nothing."""

    def update(self, done: float, total: float, text: str) -> None:
        """A step goes on."""
