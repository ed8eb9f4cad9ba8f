"""`harness quantize --for TARGET`: every mode made and held against the target, in one table, with what to ship."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import outputs
from harness.bench.observer import Observer
from harness.delegates import CPU, CPU_REFERENCE, GPU, XNNPACK
from harness.errors import HarnessError, JobError, ModelError, UsageError
from harness.npu.compiler import vendor_answer
from harness.quantization import measure, prove, table, workflow
from harness.quantization.findings import refuse_errors
from harness.quantization.measure import How, Variant
from harness.quantization.modes import MODES, Calibration, Mode, quantizer_module
from harness.quantization.workflow import Job, Report, Steps
from harness.tflite import reader
from harness.tflite.nodes import Node, read_nodes
from harness.tflite.support import litert_gpu, qnn, xnnpack
from harness.tflite.support.predict import predict
from harness.tflite.support.rules import Table

Row = dict[str, Any]
QUALCOMM = "qualcomm-"
FORMS = f"{XNNPACK}, {GPU} or {QUALCOMM}SOC such as {QUALCOMM}SM8650"
COLUMNS = (
    "model",
    "mode",
    "calibration",
    "quantization",
    "size_bytes",
    "map",
    "map_low",
    "map_high",
    "emulated_map",
    "emulated_map_low",
    "emulated_map_high",
    "taken",
    "operators",
    "partitions",
    "counted_by",
    "latency_median_ms",
    "ship",
    "reason",
)
SHOWN = (
    "model",
    "size_bytes",
    "map",
    "map_low",
    "map_high",
    "emulated_map",
    "taken",
    "operators",
    "partitions",
    "latency_median_ms",
    "ship",
)
"""What a terminal shows; the other formats have all columns."""
MOST_LOST = 0.01
"""Of mAP against the float model: what is shipped loses no more."""
_ROUNDING = 1e-9
"""Of a difference of two mAPs."""
AS_FAST = 1.1
"""Latencies that differ by less come from one run of few processes, and do not decide."""
_CALIBRATED: Mapping[str, tuple[Calibration, ...]] = {"int8": ("minmax", "mse"), "int16x8": ("minmax",)}
_PREFIX = "harness-target-"


@dataclass(frozen=True)
class Target:
    """What a model shall run on.

    Attributes:
        name: As the user wrote it.
        table: The rules of what it takes.
        soc: Qualcomm's name of the chip; None for another target.
    """

    name: str
    table: Table
    soc: str | None = None

    @property
    def on_cpu(self) -> bool:
        """Whether the latency of this computer's CPU is that of the target."""
        return self.table.delegate == CPU


def find_target(name: str) -> Target:
    """Return a target by its name.

    Raises:
        UsageError: There is no such target.
    """
    if name.startswith(QUALCOMM) and name != QUALCOMM:
        return Target(name, qnn.TABLE, name[len(QUALCOMM) :].upper())
    tables = {XNNPACK: xnnpack.TABLE, GPU: litert_gpu.TABLE}
    if name not in tables:
        raise UsageError(f"--for {name}: expected {FORMS}")
    return Target(name, tables[name])


@dataclass(frozen=True)
class _Made:
    """One way to quantize, with the file that it made or why it made none."""

    mode: str
    calibration: Calibration | None
    file: Path | None
    reason: str | None = None

    @property
    def name(self) -> str:
        return f"{self.mode}-{self.calibration}" if self.calibration == "mse" else self.mode


def quantize_for(job: Job, target: Target, steps: Steps, observer: Observer) -> Report:
    """Quantize a model in every way, and say which one to ship on a target; it is written where an output is named.

    Args:
        job: What is quantized; its mode is not asked for.
        target: Where it shall run.
        steps: Is told how far the work is.
        observer: Is told how measuring goes.

    Raises:
        UsageError: There is no dataset, by which alone ways can be told apart, or an output that is the input.
        ModelError: The model is not float.
        DatasetError: The representative data would give a wrong model.
        MissingExtraError: litert-quantizer is not installed.
    """
    if job.dataset is None or not measure.can_be_evaluated(job.model):
        raise UsageError(
            "--for compares by mAP: give annotated images with --dataset, and a card with a decoder"
        )
    if job.output is not None:
        prove.check_output((job.model.file,), job.output)
    quantizer_module()
    findings = workflow.find_faults(job) if job.representative is not None else []
    if not job.force:
        refuse_errors(findings, job.representative.source if job.representative else "")
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
        made = [_Made("float", None, job.model.file), *_variants(job, Path(folder), steps)]
        rows = _rows(job, target, made, observer)
        chosen, why = choose(rows, target)
        if chosen is not None and job.output is not None:
            file = next(one.file for one in made if one.name == chosen["model"])
            assert file is not None
            outputs.write(job.output, file.read_bytes())
    return Report(tuple(rows), tuple(findings), (why, *_remarks(job, target, rows)))


def _variants(job: Job, folder: Path, steps: Steps) -> Iterator[_Made]:
    for mode in MODES.values():
        if mode.name == "int8-float-fallback":
            continue
        if mode.calibrated and job.representative is None:
            yield _Made(mode.name, None, None, "needs --representative DIR")
            continue
        for calibration in _CALIBRATED.get(mode.name, ("minmax",)):
            yield _variant(job, mode, calibration, folder, steps)


def _variant(job: Job, mode: Mode, calibration: Calibration, folder: Path, steps: Steps) -> _Made:
    told = calibration if mode.calibrated else None
    file = folder / f"{job.model.file.stem}-{mode.name}-{calibration}.tflite"
    try:
        made, _ = workflow.make(replace(job, mode=mode, calibration=calibration), mode, steps)
        prove.save(made, file, f"{job.model.name} as {mode.name}")
    except (ModelError, JobError) as error:
        return _Made(mode.name, told, None, str(error))
    return _Made(mode.name, told, file)


def _rows(job: Job, target: Target, made: Sequence[_Made], observer: Observer) -> list[Row]:
    rows = [_row(one, target) for one in made]
    present = [
        (one, row) for one, row in zip(made, rows, strict=True) if one.file is not None and not row["reason"]
    ]
    for delegate in (CPU, CPU_REFERENCE):
        group = [
            (one, row) for one, row in present if one.file and measure.cpu_delegate(one.file) == delegate
        ]
        _measure(job, group, observer, delegate)
    if target.soc is not None:
        _emulate(job, target, present, observer)
    return rows


def _row(one: _Made, target: Target) -> Row:
    row: Row = {**dict.fromkeys(COLUMNS), "model": one.name, "mode": one.mode, "calibration": one.calibration}
    row |= {"reason": one.reason, "ship": False}
    if one.file is None:
        return row
    stated = table.row_of(one.file)
    row |= {name: stated[name] for name in ("quantization", "size_bytes")}
    return row | _counts(one.file, target)


def _counts(file: Path, target: Target) -> Row:
    """Return what the target takes: by the vendor's own compiler where it is here, else by the rules."""
    answer = None if target.soc is None else vendor_answer(file, target.soc)
    if answer is not None and not isinstance(answer, str):
        names = ("taken", "operators", "partitions")
        return {name: getattr(answer, name) for name in names} | {"counted_by": "compiler"}
    found = predict(_nodes(file), target.table)
    taken = len(found.low) if found.low == found.high else None
    counts = {"taken": taken, "operators": found.n_nodes, "partitions": found.partitions}
    return counts | {"counted_by": "forecast"}


def _nodes(file: Path) -> tuple[Node, ...]:
    data = reader.read_bytes(file)
    return read_nodes(reader.read_graph(data, file), data, file)


Group = Sequence[tuple[_Made, Row]]


def _measure(job: Job, group: Group, observer: Observer, delegate: str) -> None:
    """Add mAP and latency; of the reference kernels no latency, which is nobody's target."""
    if not group:
        return
    how = How(job.dataset_path, delegate == CPU, job.limit, workspace=job.workspace, delegate=delegate)
    variants = [Variant(one.name, one.file) for one, _ in group if one.file is not None]
    for (_, row), found in zip(group, measure.measure(job.model, variants, how, observer), strict=True):
        row |= {name: found.get(name) for name in ("map", "map_low", "map_high", "latency_median_ms")}
        if found.get("map") is None:
            row["reason"] = "; ".join(found.get("reasons") or ()) or "it could not be measured"


def _emulate(job: Job, target: Target, group: Group, observer: Observer) -> None:
    """Add the mAP of Qualcomm's emulator, where it is here; why it is not stands in the remarks."""
    how = How(job.dataset_path, False, job.limit, workspace=job.workspace, device=f"emulator:{target.name}")
    variants = [Variant(one.name, one.file) for one, _ in group if one.file is not None]
    try:
        measured = measure.measure(job.model, variants, how, observer)
    except HarnessError:
        return
    for (_, row), found in zip(group, measured, strict=True):
        row |= {f"emulated_{name}": found.get(name) for name in ("map", "map_low", "map_high")}
        if found.get("map") is None:
            row["reason"] = "; ".join(found.get("reasons") or ()) or None


def choose(rows: Sequence[Row], target: Target) -> tuple[Row | None, str]:
    """Return what to ship, marked in its row, and the rule in words.

    Of those that lose no more than `MOST_LOST` of mAP against the float model (`_lost`): where this computer's CPU is
    the target the smallest of those that are as fast as the fastest but for `AS_FAST`; elsewhere, of those of which the
    target takes anything, the one of which least is left to the CPU, in the fewest partitions, the smallest of those,
    and of files of one size the most accurate.
    """
    lost = [_lost(row, rows[0]) for row in rows]
    if lost[0] is None:
        return None, "nothing to ship is named: the float model itself has no mAP here"
    good = [
        (row, less)
        for row, less in zip(rows, lost, strict=True)
        if less is not None and less <= MOST_LOST + _ROUNDING
    ]
    if target.on_cpu:
        chosen = min(_fastest([row for row, _ in good]), key=_size)
        best = f"the smallest of those within {AS_FAST - 1:.0%} of the fastest"
    else:
        good = [pair for pair in good if pair[0]["taken"] != 0] or good
        chosen, _ = min(good, key=lambda pair: (_by_what_is_left(pair[0]), pair[1]))
        best = f"the one of which {target.name} leaves least, in the fewest parts, and the smallest of those"
    chosen["ship"] = True
    return chosen, (
        f"ship {chosen['model']}: {best}, of {len(good)} that lose at most {MOST_LOST:g} of mAP against the float model"
    )


def _lost(row: Row, reference: Row) -> float | None:
    """Return the mAP that a row has less than the float model: as emulated where it was, against the same where known.

    A row of this computer's CPU is held against the float model there, not against an emulated one.
    """
    kinds = (
        [("map", "map")]
        if row["emulated_map"] is None
        else [("emulated_map", "emulated_map"), ("emulated_map", "map")]
    )
    for own, theirs in kinds:
        if row[own] is not None and reference[theirs] is not None:
            return float(reference[theirs]) - float(row[own])
    return None


def _fastest(rows: Sequence[Row]) -> Sequence[Row]:
    """Return those that are as fast as the fastest but for `AS_FAST`; all where nothing was timed."""
    times = [row["latency_median_ms"] for row in rows if row["latency_median_ms"] is not None]
    if not times:
        return rows
    limit = AS_FAST * min(times)
    return [row for row in rows if row["latency_median_ms"] is not None and row["latency_median_ms"] <= limit]


def _size(row: Row) -> int:
    return int(row["size_bytes"])


def _by_what_is_left(row: Row) -> tuple[bool, float, float, int]:
    """Order by what stays on the CPU, not by shares: what unpacks weights is counted as operators, too."""
    left = float("inf") if row["taken"] is None else row["operators"] - row["taken"]
    partitions = row["partitions"]
    return (not row["taken"], left, float("inf") if partitions is None else partitions, _size(row))


def _remarks(job: Job, target: Target, rows: Sequence[Row]) -> Iterator[str]:
    if target.soc is not None and all(row["counted_by"] != "compiler" for row in rows):
        answer = vendor_answer(job.model.file, target.soc)
        yield f"what {target.soc} takes is a forecast: {answer if isinstance(answer, str) else 'it gave up'}"
    if target.soc is not None and all(row["emulated_map"] is None for row in rows):
        yield f"mAP is this computer's: nothing was run on the emulator of {target.soc}"
    if not target.on_cpu:
        yield f"latency is that of this computer's CPU, and says nothing of {target.name}"
