"""`harness convert` from a request to a report: refuse early, convert in a child process, prove, write, measure."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from signal import SIGKILL
from typing import Any

import msgspec

from harness import child_process, errors
from harness.bench.observer import Observer
from harness.cards import InputSpec, Model
from harness.child_process import Completed
from harness.conversion import asymmetric, routes
from harness.conversion.facts import POSTPROCESS, Kind, ModeName, Order, Result
from harness.conversion.raw_heads import write_raw
from harness.conversion.sources import check_content, find_kind
from harness.errors import JobError, MissingExtraError, ModelError, UsageError
from harness.paths import files_below, is_file, is_folder, resolved, size_of
from harness.quantization import lint, measure, prove, stats, table
from harness.quantization.findings import Finding, refuse_errors
from harness.quantization.modes import WHY_POSTPROCESS_STAYS_FLOAT
from harness.quantization.representative import Arrays, Images, Representative
from harness.tflite import lineage
from harness.vocabulary import Quantization

COLUMNS = (
    "model",
    "quantization",
    "size_bytes",
    "inputs",
    "outputs",
    "float_operators",
    "map",
    "ap50",
    "n_images",
)
COLUMNS_WITH_ROUTE = (*COLUMNS, "route", "reasons", "fake_quant_nodes", "tensorflow")
TIMEOUT_S = 3600.0
OnStep = Callable[[float, float, str], None]
_MAKES = {
    "float32": {Quantization.FLOAT32},
    "float16": {Quantization.FLOAT16},
    "dynamic": {Quantization.DYNAMIC_RANGE},
    "int8": {Quantization.FULL_INTEGER, Quantization.FULL_INTEGER_FLOAT_IO},
    "qat-uint8": {Quantization.QAT_UINT8, Quantization.FULL_INTEGER},
}


@dataclass(frozen=True)
class Job:
    """What is to be converted.

    Attributes:
        source: The frozen graph, SavedModel folder or Keras file.
        mode: How.
        output: The .tflite to write.
        card: The model's card, when there is one: its preparation, its decoder.
        spec: How images are prepared.
        size: Width and height, where the graph leaves them open.
        inputs: Names; empty to find them.
        outputs: Names; empty to find them.
        stats: `quantized_input_stats`; None to work them out of `spec`.
        input_type: Of a quantized model.
        output_type: Of a quantized model.
        representative: Images to calibrate with.
        dataset_path: Dataset for mAP afterwards; None without.
        limit: Only the first so many images of it.
        force: Whether errors among the findings are passed over.
        workspace: As for every command.
    """

    source: Path
    mode: ModeName
    output: Path
    card: Model | None = None
    spec: InputSpec | None = None
    size: tuple[int, int] | None = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    stats: tuple[float, float] | None = None
    input_type: str = "uint8"
    output_type: str = "float32"
    representative: Representative | None = None
    dataset_path: Path | None = None
    limit: int | None = None
    force: bool = False
    workspace: str | None = None


@dataclass(frozen=True)
class Report:
    """What came out: the source, the file (and its raw heads), findings of the linter, and remarks."""

    rows: tuple[dict[str, Any], ...]
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...]


def convert(job: Job, on_step: OnStep, observer: Observer) -> Report:
    """Convert a TensorFlow model.

    Raises:
        UsageError: Wrong use, or a mode that does not fit the graph.
        ModelError: The source cannot be read, or has no single image input.
        MissingExtraError: TensorFlow is not installed.
        JobError: TensorFlow failed or crashed, or LiteRT refuses what it made.
    """
    kind = find_kind(job.source)
    prove.check_output((job.source,), job.output)
    order = _order(job, kind)
    routes.refuse_integer_results(order, _has_postprocess(job.source))
    check_content(job.source, kind)
    require_tensorflow()
    findings = _lint(job)
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        result, made = run_child(order, Path(folder), on_step)
    asymmetric.refuse(made, job.source)
    remarks = [*result.facts.notes, *result.route.reasons]
    raw: list[dict[str, Any]] = []
    if result.facts.postprocess and job.mode in {"int8", "qat-uint8"}:
        remarks.append(f"{WHY_POSTPROCESS_STAYS_FLOAT}.")
    with prove.readable(job.output) as file:
        prove.save(made, file, f"{job.source.name} as {job.mode}")
        lineage.remember(file, job.source)
        row = table.row_of(file)
        remarks += _after(job, order, result, row)
        _add_accuracy(row, replace(job, output=file), observer)
        if result.facts.carved and result.facts.postprocess:
            raw, remark = write_raw(file, job.output, job.card)
            remarks.append(remark)
    row |= {
        "route": result.route.name,
        "reasons": list(result.route.reasons),
        "tensorflow": result.tensorflow,
    }
    before = {"model": job.source.name, "size_bytes": _size(job.source), "inputs": _inputs(result)}
    before["fake_quant_nodes"] = len(result.facts.fake_quant)
    return Report((before, row, *raw), findings, tuple(remarks))


def require_tensorflow() -> None:
    """Say early that TensorFlow is missing; it is not imported for that.

    Raises:
        MissingExtraError: It is not installed.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise MissingExtraError("converting from TensorFlow (package `tensorflow-cpu`)", "convert")


def _has_postprocess(source: Path) -> bool:
    """Look for the operator's name in the bytes: quick, and enough to refuse in time."""
    file = source / "saved_model.pb" if is_folder(source) else source
    return POSTPROCESS.encode() in file.read_bytes()


def _order(job: Job, kind: Kind) -> Order:
    spec = job.spec or InputSpec(width=1, height=1)
    wanted = stats.from_spec(spec)
    data = job.representative
    return Order(
        source=str(resolved(job.source)),
        kind=kind,
        mode=job.mode,
        output="",
        size=job.size,
        inputs=job.inputs,
        outputs=job.outputs,
        stats=job.stats or (default_stats(wanted)),
        stats_given=job.stats is not None,
        input_type=job.input_type,  # type: ignore[arg-type]  # a choice of the command line
        output_type=job.output_type,  # type: ignore[arg-type]
        spec=msgspec.to_builtins(spec),
        representative=tuple(str(resolved(path)) for path in data.files) if isinstance(data, Images) else (),
        arrays=None if data is None or isinstance(data, Images) else str(resolved(data.source)),
    )


def default_stats(wanted: stats.InputStats | None) -> tuple[float, float]:
    """Return (128, 128) for the TF detection models' −1…1, which their exporters use, else what the card gives."""
    if wanted is None or (wanted.mean, wanted.std) == (127.5, 127.5):
        return 128.0, 128.0
    return wanted.mean, wanted.std


def _lint(job: Job) -> tuple[Finding, ...]:
    if job.representative is None or job.mode != "int8":
        return ()
    spec = job.spec or InputSpec(width=1, height=1)
    if isinstance(job.representative, Arrays) and (spec.width, spec.height) == (1, 1):  # the graph will tell
        height, width = job.representative.values.shape[1:3]
        spec = msgspec.structs.replace(spec, width=width, height=height)
    found = lint.lint(lint.material(job.representative, spec))
    if not job.force:
        refuse_errors(found, job.representative.source)
    return tuple(found)


def run_child(order: Order, folder: Path, on_step: OnStep) -> tuple[Result, bytes]:
    """Convert in a process of its own; return its report and the file's bytes.

    Raises:
        UsageError: The child refused the order.
        JobError: TensorFlow failed, crashed or did not end.
    """
    output = folder / "model.tflite"
    order = msgspec.structs.replace(order, output=str(output))
    (folder / "order.json").write_bytes(msgspec.json.encode(order))

    def on_event(event: dict[str, Any]) -> None:
        if event["event"] == "step":
            on_step(event.get("done", 0), event.get("total", 1), event["text"])

    answer = child_process.ask(
        "harness.conversion.child", folder / "order.json", timeout_s=TIMEOUT_S, on_event=on_event
    )
    last = answer.last
    if last.get("event") == "done" and is_file(output):
        return msgspec.convert(last["result"], Result), output.read_bytes()
    if last.get("event") == "error":
        raise _error(last, order)
    raise _crash(answer.ended, order, last.get("text", "starting"))


def _error(event: dict[str, Any], order: Order) -> Exception:
    """Raise what the child raised, as the same kind of error."""
    message = str(event["message"])
    if event["kind"] != "JobError":
        kind = getattr(errors, event["kind"], UsageError)
        return kind(message) if kind in {UsageError, ModelError} else UsageError(message)
    return JobError(
        f"{order.source}: TensorFlow could not convert it to {order.mode}: {message}; nothing was written"
    )


def _crash(done: Completed, order: Order, step: str) -> JobError:
    if done.timed_out:
        return JobError(f"{order.source}: TensorFlow did not end within {TIMEOUT_S:.0f} s while {step}")
    how = f"ended with status {done.exit_code}" if done.signal is None else f"crashed (signal {done.signal})"
    tail = " … ".join(done.stderr.strip().splitlines()[-2:])[:400]
    memory = " (killed: probably too little memory)" if done.signal == SIGKILL else ""
    return JobError(
        f"{order.source}: TensorFlow {how}{memory} while {step}: {tail or 'no message'}; nothing was written"
    )


def _after(job: Job, order: Order, result: Result, row: dict[str, Any]) -> list[str]:
    """Return what is remarkable of the file that was written."""
    from harness.tflite.model import describe

    remarks = []
    facts = result.facts
    if facts.qat_configured and not facts.fake_quant:
        remarks.append(f"{facts.qat_configured} The graph has no fake-quant nodes.")
    if row["quantization"] not in _MAKES[job.mode]:
        remarks.append(f"asked for {job.mode}, the file is {row['quantization']}")
    if job.mode == "qat-uint8" and row["quantization"] == Quantization.FULL_INTEGER:
        remarks.append(
            "the ranges were trained, but nothing in the file tells them from measured ones: full-integer"
        )
    if result.route.inference_uint8:
        problem = stats.compare(stats.InputStats(*order.stats), describe(job.output).inputs[0])
        remarks += [f"{problem}: the graph's own fake-quant range of the input differs"] if problem else []
    return remarks


def _add_accuracy(row: dict[str, Any], job: Job, observer: Observer) -> None:
    if job.dataset_path is None:
        return
    from dataclasses import replace

    from harness.recognize.card import infer_card

    model = infer_card(job.output) if job.card is None else replace(job.card, file=job.output)
    if not measure.can_be_evaluated(model):
        return
    how = measure.How(dataset=job.dataset_path, latency=False, limit=job.limit, workspace=job.workspace)
    (measured,) = measure.measure(model, [measure.Variant("converted", job.output)], how, observer)
    row |= {name: measured.get(name) for name in ("map", "ap50", "n_images")}


def _size(source: Path) -> int:
    files = [source] if is_file(source) else list(files_below(source))
    return sum(size_of(path) for path in files)


def _inputs(result: Result) -> list[str]:
    return [f"{tensor.name} {tensor.dtype} {list(tensor.shape)}" for tensor in result.facts.inputs]
