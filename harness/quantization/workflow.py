"""`harness quantize` from a request to a report: lint, quantize, prove, compare, measure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.accuracy.dataset import Dataset
from harness.accuracy.prepare import Preparation
from harness.bench.observer import Observer
from harness.cards import Model
from harness.edit.flatbuffer import join_archive
from harness.errors import ModelError, UsageError
from harness.paths import resolved
from harness.quantization import compare, engine, fold, lint, measure, prove, stats, table
from harness.quantization.findings import Finding, refuse_errors
from harness.quantization.modes import WHY_POSTPROCESS_STAYS_FLOAT, Calibration, Mode, quantizer_module
from harness.quantization.representative import Images, Representative, Tensor
from harness.tflite import lineage, postprocess, reader
from harness.tflite import model as tflite
from harness.tflite.graph import POSTPROCESS, Graph
from harness.tflite.tensor_info import TensorInfo

COLUMNS = (
    "model",
    "quantization",
    "size_bytes",
    "inputs",
    "outputs",
    "float_operators",
    "snr_db",
    "max_abs_error",
    "cosine",
    "n_compared",
    "map",
    "ap50",
    "n_images",
)
MOST_COMPARED = 16
HELD_OUT_SHARE = 10


class Steps(Protocol):
    """Is told how far the work is."""

    def update(self, done: float, total: float, text: str) -> None:
        """`done` of `total` of the step that `text` names."""


@dataclass(frozen=True)
class Job:
    """What is to be quantized.

    Attributes:
        model: The float model with its card.
        mode: How; None for a check of the representative data only.
        representative: Images or arrays that ranges are calibrated with; None without.
        dataset: Images for accuracy and output error; None without.
        output: The file to write; None for a check only.
        limit: Evaluate only the first so many images.
        force: Whether errors among the findings are passed over.
        keep_float: Regular expressions of tensor names; the operators that write those tensors stay float.
        calibration: How weights get their scale.
        workspace: As for every command.
    """

    model: Model
    mode: Mode | None = None
    representative: Representative | None = None
    dataset: Dataset | None = None
    dataset_path: Path | None = None
    output: Path | None = None
    limit: int | None = None
    force: bool = False
    keep_float: tuple[str, ...] = ()
    calibration: Calibration = "minmax"
    workspace: str | None = None


@dataclass(frozen=True)
class Report:
    """What came out.

    Attributes:
        rows: Before and after, with `COLUMNS`.
        findings: Of the linter.
        remarks: What the reader of the table should know, a sentence each.
    """

    rows: tuple[dict[str, Any], ...]
    findings: tuple[Finding, ...] = ()
    remarks: tuple[str, ...] = field(default=())


def find_faults(job: Job) -> list[Finding]:
    """Lint the representative data of a job against its model and its evaluation images.

    Raises:
        UsageError: There is no representative data.
    """
    if job.representative is None:
        raise UsageError("nothing to check: give the images with --representative DIR")
    info = _image_input(job.model.file)
    evaluation = [image.path for image in job.dataset.limited(200).images] if job.dataset else []
    found = lint.material(job.representative, job.model.card.input, info.dtype != "float32", evaluation)
    return lint.lint(found)


def _image_input(path: Path) -> TensorInfo:
    inputs = tflite.describe(path).inputs
    if not inputs:
        raise ModelError(f"{path}: has no input; expected an image input")
    return inputs[0]


def quantize(job: Job, steps: Steps, observer: Observer) -> Report:
    """Quantize a model and say what it cost.

    Raises:
        UsageError: Wrong use: no representative data where ranges are needed, an output that is the input, …
        ModelError: The model is not float, or has operators that the mode cannot quantize.
        DatasetError: The representative data would give a wrong model.
        MissingExtraError: litert-quantizer is not installed.
        JobError: The quantizer failed, or LiteRT refuses what it made.
    """
    mode, output = _checked(job)
    quantizer_module()
    findings = find_faults(job) if job.representative is not None else []
    if not job.force:
        refuse_errors(findings, job.representative.source if job.representative else "")
    made, remarks = make(job, mode, steps)
    with prove.readable(output) as file:
        prove.save(made, file, f"{job.model.name} as {mode.name}")
        lineage.remember(file, job.model.file)
        remarks += _after(job, mode, file)
        rows = _rows(job, file, steps)
        if job.dataset is not None and measure.can_be_evaluated(job.model):
            _add_accuracy(rows, job, file, observer)
    return Report(tuple(rows), tuple(findings), tuple(remarks))


def _checked(job: Job) -> tuple[Mode, Path]:
    """Check all that can be checked before the work."""
    if job.mode is None or job.output is None:
        raise UsageError("give a --mode and an output file with -o, or --check-only")
    if job.calibration != "minmax" and not job.mode.calibrated:
        raise UsageError(
            f"--calibration {job.calibration} is for int8 and int16x8, not for --mode {job.mode.name}"
        )
    if job.mode.calibrated and job.representative is None:
        raise UsageError(
            f"--mode {job.mode.name} needs representative images to find the ranges of the activations: give "
            "--representative DIR with 100 to 500 images of the kind that the model will see"
        )
    sources = [job.model.file] + ([job.model.origin] if job.model.origin else [])
    prove.check_output(tuple(sources), job.output)
    _image_input(job.model.file)
    fold.check_float(job.model.file, tflite.describe(job.model.file).quantization)
    return job.mode, job.output


def make(job: Job, mode: Mode, steps: Steps) -> tuple[bytes, list[str]]:
    """Return the quantized file and remarks; errors as for `quantize`."""
    path = job.model.file
    data = reader.read_bytes(path)
    members = fold.members_behind(data, path)
    description, graph = tflite.load(path)
    has_postprocess = postprocess.find(graph) is not None
    samples: Sequence[int] = _calibration(job) if mode.calibrated else ()
    inputs = _samples(job, description.image_input, samples) if samples else ()
    made = engine.quantize_bytes(
        fold.to_float32(data, path),
        mode,
        inputs,
        lambda done: steps.update(done, len(samples), f"calibrating, image {done}/{len(samples)}"),
        float_output=has_postprocess,
        keep_float=_patterns(job.keep_float, graph),
        calibration=job.calibration,
    )
    refuse_unchanged(mode, graph, reader.read_graph(made, path), path)
    left = table.left_in_float(reader.read_graph(made, path))
    if not job.keep_float:
        refuse_float_operators(mode, left, path)
    remarks = [f"{WHY_POSTPROCESS_STAYS_FLOAT}."] if has_postprocess and mode.calibrated else []
    return join_archive(made, members), remarks


def _patterns(given: Sequence[str], graph: Graph) -> Sequence[str]:
    """Check that each pattern is one and finds something: a slip would quantize what was to be left alone."""
    names = [tensor.name for tensor in graph.primary.tensors if not tensor.constant]
    for pattern in given:
        try:
            found = any(re.search(pattern, name) for name in names)
        except re.error as error:
            raise UsageError(f"--keep-float {pattern!r}: not a regular expression ({error})") from error
        if not found:
            raise UsageError(
                f"--keep-float {pattern!r}: no tensor has such a name; `harness inspect` and `harness diagnose` "
                "list them"
            )
    return given


def refuse_unchanged(mode: Mode, before: Graph, after: Graph, path: Path) -> None:
    """Refuse a model whose constants are stored as before: the quantizer's recipes can change nothing in silence."""
    if _stored_types(before) == _stored_types(after):
        names = ", ".join(sorted({operator.name for _, operator in before.operators()}))
        raise ModelError(
            f"{path}: {mode.name} changed nothing: litert-quantizer has no form of its operators for it ({names}), "
            "and wrote the model back as it was. Use another --mode"
        )


def _stored_types(graph: Graph) -> Counter[str]:
    """Count the types of the constants that weights can be: floats, and integers with a scale."""
    tensors = (tensor for subgraph in graph.subgraphs for tensor in subgraph.tensors if tensor.constant)
    return Counter(t.dtype for t in tensors if t.quantization is not None or t.dtype.startswith("float"))


def refuse_float_operators(mode: Mode, left: Counter[str], path: Path) -> None:
    """Keep `int8` to its word: an integer accelerator takes no float islands."""
    names = {name: count for name, count in left.items() if name != POSTPROCESS}
    if mode.float_operators or not names:
        return
    listed = ", ".join(f"{count} {name}" for name, count in sorted(names.items()))
    raise ModelError(
        f"{path}: {listed} would stay float: litert-quantizer has no int8 form of them. Use --mode "
        "int8-float-fallback, which leaves them in float, or cut them off the graph first"
    )


def _calibration(job: Job) -> Sequence[int]:
    """Return which samples calibrate: all, or all but the held-out ones where nothing else is there to compare on."""
    if job.representative is None:
        return ()
    held = set(_held_out(job))
    return [index for index in range(len(job.representative)) if index not in held]


def _held_out(job: Job) -> Sequence[int]:
    """Return every tenth sample, at most MOST_COMPARED, where there is no dataset to compare on."""
    if job.representative is None or job.dataset is not None:
        return ()
    return range(HELD_OUT_SHARE - 1, len(job.representative), HELD_OUT_SHARE)[:MOST_COMPARED]


def _samples(job: Job, info: TensorInfo, indices: Sequence[int]) -> Any:
    assert job.representative is not None
    return job.representative.tensors(Preparation(job.model.card.input, info), indices)


def _compared(job: Job, info: TensorInfo) -> list[Tensor]:
    """Return the inputs that the outputs are compared on: evaluation images, else held-out ones."""
    if job.dataset is None:
        held = _held_out(job)
        return list(_samples(job, info, held)) if held else []
    files = [image.file for image in job.dataset.images]
    if isinstance(job.representative, Images):
        used = {resolved(path) for path in job.representative.files}
        files = [file for file in files if resolved(file.path) not in used] or files
    preparation = Preparation(job.model.card.input, info)
    return list(compare.prepared(preparation, files[:: max(1, len(files) // MOST_COMPARED)][:MOST_COMPARED]))


def _after(job: Job, mode: Mode, output: Path) -> list[str]:
    """Return what is remarkable of the file that was written."""
    description = tflite.describe(output)
    remarks = []
    if description.quantization != mode.makes:
        evidence = " ".join(description.quantization_evidence)
        remarks.append(f"asked for {mode.makes}, the file is {description.quantization}: {evidence}")
    wanted = stats.from_spec(job.model.card.input)
    problem = stats.compare(wanted, description.image_input) if wanted else None
    if problem:
        remarks.append(f"{problem}; the representative images hardly have black or white")
    return remarks


def _rows(job: Job, output: Path, steps: Steps) -> list[dict[str, Any]]:
    """Return the rows of the float and of the quantized file, without accuracy."""
    rows = [table.row_of(path) for path in (job.model.file, output)]
    info = _image_input(job.model.file)
    inputs = _compared(job, info)
    steps.update(1, 1, f"comparing outputs on {len(inputs)} images")
    error = compare.compare(job.model.file, output, inputs)
    if error is not None:
        names = ("snr_db", "max_abs_error", "cosine")
        rows[1] |= {name: _finite(getattr(error, name)) for name in names} | {"n_compared": error.n_images}
    return rows


def _finite(value: float) -> float | None:
    return value if abs(value) != float("inf") else None


def _add_accuracy(rows: list[dict[str, Any]], job: Job, output: Path, observer: Observer) -> None:
    """Add mAP of both files."""
    how = measure.How(
        dataset=job.dataset_path,
        latency=False,
        limit=job.limit,
        workspace=job.workspace,
        delegate=measure.cpu_delegate(output),
    )
    variants = [measure.Variant("before", job.model.file), measure.Variant("after", output)]
    for row, measured in zip(rows, measure.measure(job.model, variants, how, observer), strict=True):
        row |= {name: measured.get(name) for name in ("map", "ap50", "n_images")}
