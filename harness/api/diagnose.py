"""`harness.diagnose`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.frames import path_of, text_of
from harness.diagnosis.request import DEFAULT_LAYER_IMAGES, DEFAULT_LIMIT, Request

if TYPE_CHECKING:
    from harness.diagnosis.attempt import Attempt
    from harness.diagnosis.diagnose import Diagnosis


def diagnose(
    model: str | Path,
    quantized: str | Path | None = None,
    *,
    dataset: str | Path | None = None,
    limit: int = DEFAULT_LIMIT,
    layer_images: int = DEFAULT_LAYER_IMAGES,
    device: str | None = None,
    delegate: str | None = None,
    benchmark_binary: str | Path | None = None,
    pipeline_config: str | Path | None = None,
    representative: str | Path | None = None,
    try_folder: str | Path | None = None,
    html: str | Path | None = None,
    pictures: str | Path | None = None,
    workspace: str | Path | None = None,
) -> dict[str, Any]:
    """Find out why a quantized detector lost accuracy, with the evidence, as `harness diagnose` does.

    Args:
        model: The float model: a .tflite file, a card's name or a card's path. Without `quantized` it is the quantized
            one and judged by the annotations alone; or, with a device or delegate, the same file here and there.
        quantized: The quantized model.
        dataset: COCO dataset; None for the models' own.
        limit: Images, at most.
        layer_images: Images that the tensors are compared on, fewer for large models; 0 leaves that out.
        device: Where the quantized side runs: a device profile's name or address.
        delegate: What executes the quantized side; None for this computer's CPU.
        benchmark_binary: TFLite's native benchmark_model to run it with.
        pipeline_config: The training's pipeline.config: what it says is held against the model.
        representative: The images, or a .npy or .npz file, that the quantized model was calibrated with.
        try_folder: A new folder: carry out the remedies that can be, into it, and measure each.
        html: A file to write a page to.
        pictures: A new folder to draw the images to that the sides differ most on.
        workspace: Folder with devices/ and models/.

    Returns:
        One object with `float`, `quantized`, `loss`, `attribution`, `layers`, `causes` and `remedies`, and `remarks`:
        what the command would say beside it. Unknown is None.

    Raises:
        UsageError: A model, a card or the data cannot be used, or there is no dataset.
        OutputError: A folder is there already, or something cannot be written.
        JobError: A model failed.

    Example:
        >>> import harness
        >>> found = harness.diagnose("shapes-float32", "shapes-full-integer", limit=10, layer_images=0)
        >>> found["loss"]["decision"], found["loss"]["n_images"]
        ('~', 10)
    """
    from harness.diagnosis import diagnose as steps
    from harness.diagnosis.document import document
    from harness.diagnosis.request import make_case, refuse_outputs

    request = Request(
        model=str(model),
        quantized=text_of(quantized),
        dataset=path_of(dataset),
        limit=limit,
        layer_images=layer_images,
        device=device,
        delegate=delegate,
        benchmark_binary=text_of(benchmark_binary),
        pipeline_config=path_of(pipeline_config),
        representative=path_of(representative),
        workspace=text_of(workspace),
    )
    refuse_outputs(path_of(html), (path_of(pictures), path_of(try_folder)))
    remarks: list[str] = []
    diagnosis = steps.examine(steps.gather(make_case(request, remarks.append)))
    attempts = () if try_folder is None else _attempts(diagnosis, Path(try_folder))
    _write(diagnosis, attempts, path_of(html), path_of(pictures))
    remarks += [f"cause {name} could not be tested: {reason}" for name, reason in diagnosis.untested]
    return {**document(diagnosis, attempts), "remarks": remarks}


def _attempts(diagnosis: Diagnosis, folder: Path) -> Sequence[Attempt]:
    from harness.diagnosis.attempt import carry_out

    return carry_out(diagnosis, folder, lambda done, total, text: None)


def _write(
    diagnosis: Diagnosis, attempts: Sequence[Attempt], html: Path | None, pictures: Path | None
) -> None:
    """Write the page and the pictures, where they were asked for."""
    if pictures is not None:
        from harness.diagnosis.pictures import write_pictures

        write_pictures(diagnosis.evidence, pictures)
    if html is not None:
        from harness import outputs
        from harness.report.html.diagnosis import render

        outputs.write(html, render(diagnosis, attempts).encode("utf-8"))
