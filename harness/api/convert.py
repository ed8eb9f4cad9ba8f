"""`harness.convert`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.frames import path_of, several, text_of, to_frame

if TYPE_CHECKING:
    import pandas as pd

    from harness.conversion.facts import ModeName
    from harness.conversion.request import InputType, OutputType, Request


def convert(
    source: str | Path,
    *,
    mode: ModeName | None = None,
    output: str | Path | None = None,
    representative: str | Path | None = None,
    card: str | Path | None = None,
    size: int | tuple[int, int] | None = None,
    inputs: str | Sequence[str] = (),
    outputs: str | Sequence[str] = (),
    stats: tuple[float, float] | None = None,
    input_type: InputType | None = None,
    output_type: OutputType | None = None,
    dataset: str | Path | None = None,
    limit: int | None = None,
    force: bool = False,
    workspace: str | Path | None = None,
) -> pd.DataFrame:
    """Convert a TensorFlow model by the route that fits its graph, as `harness convert` does.

    Args:
        source: A frozen graph (.pb), a SavedModel's folder, a Keras file, or the name of a card whose source is one.
        mode: What to make; None for what the card says of its file, else float32.
        output: The .tflite to write; None for the place that the card names.
        representative: Images (or a .npy file) to calibrate with.
        card: Card that says how images are prepared and decoded.
        size: Input size, where the graph leaves it open: width and height, or one number for a square.
        inputs: Names of the inputs; nothing to find them.
        outputs: Names of the outputs; nothing to find them.
        stats: `quantized_input_stats`, mean and std; None to work them out of the preparation.
        input_type: Of an int8 model; None for uint8.
        output_type: Of an int8 model; None for float32.
        dataset: COCO dataset for mAP of the result.
        limit: Evaluate only the first so many images.
        force: Convert although the check of the images found an error.
        workspace: Folder with devices/ and models/.

    Returns:
        A row for the source and one for the file that was made, with the route and its reasons; a third one for its raw
        heads, where the post-processing was attached here.
        `frame.attrs["remarks"]` is what the command would say beside it.

    Raises:
        UsageError: Wrong use, or a mode that does not fit the graph.
        ModelError: The source cannot be read, or has no single image input.
        MissingExtraError: The extra `convert` (TensorFlow) is not installed.
        JobError: TensorFlow failed or crashed, or LiteRT refuses what it made.

    Example:
        >>> import harness
        >>> rows = harness.convert("saved_model", mode="float16", output="half.tflite")
        >>> rows["quantization"][1]
        'float16'
    """
    from harness.conversion.request import Request

    request = Request(
        source=str(source),
        mode=mode,
        output=path_of(output),
        representative=path_of(representative),
        card=text_of(card),
        size=(size, size) if isinstance(size, int) else size,
        inputs=tuple(several(inputs)),
        outputs=tuple(several(outputs)),
        stats=stats,
        input_type=input_type,
        output_type=output_type,
        dataset=path_of(dataset),
        limit=limit,
        force=force,
        workspace=text_of(workspace),
    )
    return _converted(request)


def _converted(request: Request) -> pd.DataFrame:
    from harness.bench.observer import Silent
    from harness.conversion import workflow
    from harness.conversion.request import make_job
    from harness.edgetpu.compiler import compile_converted

    remarks: list[str] = []
    job = make_job(request, remarks.append)
    report = workflow.convert(job, lambda done, total, text: None, Silent())
    remarks += compile_converted(job.card, job.output)
    remarks += [f"{finding.name}: {finding.message} {finding.remedy}" for finding in report.findings]
    return to_frame(report.rows, workflow.COLUMNS_WITH_ROUTE, [*remarks, *report.remarks])
