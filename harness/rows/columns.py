"""The public columns of a result: one table that all formats, DataFrame and `results/README.md` share.

A column's `take` gets a `Cell` and returns a plain value or None. What is unknown is None, and so is what must not be
read as the accelerator's: the speed and memory of a cell that fell back, gave wrong outputs or did not end, and the
accuracy of one that fell back. The samples stay on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

from harness import units
from harness.errors import UnknownNameError
from harness.records.engines import engine_of
from harness.records.status import has_own_times
from harness.vocabulary import NO_ACCURACY, EngineName, Status, Verdict

if TYPE_CHECKING:
    from harness.records.figures import CocoFigures
    from harness.records.records import AccuracyFacts, ClassMatch, ProcessFacts, Record
    from harness.statistics.latency import LatencySummary

TEXT, INTEGER, NUMBER, LIST = "string", "Int64", "Float64", "object"
"""The pandas dtypes in use; all can hold unknown values. `object` is a list of texts, or of objects."""


@dataclass(frozen=True)
class Cell:
    """The source of a row: a record with its summary and verdict.

    Attributes:
        record: The cell's record.
        latency: The summary of its samples; None when there are none or they must not be shown.
        verdict: How far the latency can be trusted.
        reasons: The doubts about the row, one sentence each.
    """

    record: Record
    latency: LatencySummary | None
    verdict: Verdict | None
    reasons: tuple[str, ...]

    @property
    def accuracy(self) -> AccuracyFacts | None:
        """The accuracy, whatever ran."""
        return self.record.accuracy

    @property
    def own_accuracy(self) -> AccuracyFacts | None:
        """The accuracy, where it is that of the requested delegate."""
        return None if self.record.status in NO_ACCURACY else self.record.accuracy

    @cached_property
    def own_processes(self) -> tuple[ProcessFacts, ...]:
        """The processes, where their times are those of the requested delegate."""
        return self.record.processes if has_own_times(self.record) else ()

    @property
    def classes(self) -> ClassMatch | None:
        """How classes were matched; unknown in records of versions that did not match them."""
        return None if self.record.accuracy is None else self.record.accuracy.classes

    @property
    def figures(self) -> CocoFigures | None:
        """The COCO figures, where they are those of the requested delegate."""
        own = self.own_accuracy
        return None if own is None else own.figures


@dataclass(frozen=True)
class Attribute:
    """Taker of a value from one part of a cell, a property of it; None without that part.

    `take_row` reads each part once for all its values: a large report takes half a million of them.
    """

    part: str
    path: str

    def __call__(self, cell: Cell) -> Any:
        """Return the value of one cell."""
        part = getattr(cell, self.part)
        return None if part is None else attrgetter(self.path)(part)


@dataclass(frozen=True)
class Column:
    """One public column.

    Attributes:
        name: Its public name, with the unit where there is one.
        dtype: Its pandas dtype.
        unit: The unit in words; empty for a column without one.
        meaning: Its meaning, in one line.
        take: Takes the value from a cell.
    """

    name: str
    dtype: str
    unit: str
    meaning: str
    take: Callable[[Cell], Any]


def _record(path: str) -> Attribute:
    return Attribute("record", path)


def _latency(field: str) -> Attribute:
    return Attribute("latency", field)


def _figure(field: str) -> Attribute:
    return Attribute("figures", field)


def _accuracy(field: str) -> Attribute:
    return Attribute("accuracy", field)


def _classes(field: str) -> Attribute:
    return Attribute("classes", field)


def _class_names(field: str) -> Callable[[Cell], Any]:
    """Return names of classes, unknown like the rest of how they were matched."""
    names = _classes(field)
    return lambda cell: None if cell.classes is None else list(names(cell))


def _own_accuracy(field: str) -> Attribute:
    return Attribute("own_accuracy", field)


def _processes(
    field: str, put_together: Callable[[list[float]], float], divisor: float
) -> Callable[[Cell], Any]:
    value_of = attrgetter(field)

    def take(cell: Cell) -> float | None:
        known = [value for process in cell.own_processes if (value := value_of(process)) is not None]
        return put_together(known) / divisor if known else None

    return take


def _compiled(cell: Cell, count: int | None) -> int | None:
    """Return what a vendor's compiler counted; None of a delegate that takes nodes as it comes to them."""
    return None if cell.record.delegate.partitions is None else count


def _one_of(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}"


def _text(word: EngineName | None) -> str | None:
    return None if word is None else str(word)


def _median(values: list[float]) -> float:
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2


_MS, _MIB = units.NS_PER_MS, 2**20
_AREA = {"small": "below 32² pixels", "medium": "32² to 96² pixels", "large": "above 96² pixels"}

COLUMNS: tuple[Column, ...] = (
    Column("run_id", TEXT, "", "the run that the cell belongs to", _record("run_id")),
    Column("started_at", TEXT, "", "when the cell was begun, ISO 8601 in UTC", _record("started_at")),
    Column("model", TEXT, "", "name of the model card", _record("model.name")),
    Column("model_sha256", TEXT, "", "hash of the .tflite file that was measured", _record("model.sha256")),
    Column(
        "quantization",
        TEXT,
        "",
        "how the model is quantized, read from the file",
        _record("model.quantization"),
    ),
    Column("size_bytes", INTEGER, "bytes", "size of the .tflite file", _record("model.size_bytes")),
    Column("device", TEXT, "", "name of the device", _record("device.name")),
    Column("device_kind", TEXT, "", "how it is reached: local, adb, ssh, …", _record("device.kind")),
    Column("delegate_requested", TEXT, "", "the delegate that was asked for", _record("delegate.requested")),
    Column(
        "delegate_actual",
        TEXT,
        "",
        "the delegate that ran, as far as it is proven",
        _record("delegate.actual"),
    ),
    Column(
        "delegated_nodes",
        INTEGER,
        "nodes",
        "graph nodes that the delegate took",
        _record("delegate.delegated_nodes"),
    ),
    Column("total_nodes", INTEGER, "nodes", "graph nodes of the model", _record("delegate.total_nodes")),
    Column(
        "npu_taken",
        INTEGER,
        "nodes",
        "graph nodes that the vendor's compiler took for its NPU; null where none was asked",
        lambda cell: _compiled(cell, cell.record.delegate.delegated_nodes),
    ),
    Column(
        "npu_partitions",
        INTEGER,
        "partitions",
        "parts of the graph that it made of them",
        lambda cell: _compiled(cell, cell.record.delegate.partitions),
    ),
    Column("threads", INTEGER, "", "CPU threads", _record("threads")),
    Column("runtime", TEXT, "", "the inference runtime and its version", _record("runtime")),
    Column(
        "engine",
        TEXT,
        "",
        f"what measured it: {_one_of(EngineName)}",
        lambda cell: _text(engine_of(cell.record)),
    ),
    Column(
        "against", TEXT, "", "the model that it was measured in turn with, by `--against`", _record("against")
    ),
    Column("status", TEXT, "", _one_of(Status), lambda cell: str(cell.record.status)),
    Column(
        "verdict",
        TEXT,
        "",
        _one_of(Verdict),
        lambda cell: None if cell.verdict is None else str(cell.verdict),
    ),
    Column("reasons", LIST, "", "why status and verdict are what they are", lambda cell: list(cell.reasons)),
    Column(
        "checks",
        LIST,
        "",
        "what contradicts the accuracy: objects with `name`, `verdict` (`certain`, `doubtful`, `incomplete`), "
        "`figures`, `words`, `remedy` and `command`",
        lambda cell: [] if cell.accuracy is None else [check.as_row() for check in cell.accuracy.checks],
    ),
    Column(
        "n_samples",
        INTEGER,
        "inferences",
        "steady inferences that the latency is computed from",
        _latency("n_samples"),
    ),
    Column(
        "watched_s",
        NUMBER,
        "s",
        "from a process's first inference to its last, the shortest of the processes; what sets in later is not seen",
        _processes("watched_s", min, 1),
    ),
    Column("latency_mean_ms", NUMBER, "ms", "mean of the steady inferences", _latency("mean_ms")),
    Column("latency_std_ms", NUMBER, "ms", "their standard deviation", _latency("std_ms")),
    Column("latency_median_ms", NUMBER, "ms", "their median", _latency("median_ms")),
    Column(
        "latency_median_low_ms",
        NUMBER,
        "ms",
        "lower end of the median's 95 % interval",
        _latency("median_low_ms"),
    ),
    Column(
        "latency_median_high_ms",
        NUMBER,
        "ms",
        "upper end of the median's 95 % interval",
        _latency("median_high_ms"),
    ),
    Column(
        "latency_p90_ms",
        NUMBER,
        "ms",
        "90th percentile; null when the samples cannot bound it",
        _latency("p90_ms"),
    ),
    Column(
        "latency_p95_ms",
        NUMBER,
        "ms",
        "95th percentile; null when the samples cannot bound it",
        _latency("p95_ms"),
    ),
    Column(
        "latency_p99_ms",
        NUMBER,
        "ms",
        "99th percentile; null when the samples cannot bound it",
        _latency("p99_ms"),
    ),
    Column("latency_min_ms", NUMBER, "ms", "fastest steady inference", _latency("min_ms")),
    Column("latency_max_ms", NUMBER, "ms", "slowest steady inference", _latency("max_ms")),
    Column("fps", NUMBER, "inferences/s", "inferences a second, one after the other", _latency("fps")),
    Column(
        "init_ms",
        NUMBER,
        "ms",
        "loading the model and the delegate, median over processes",
        _processes("init_ns", _median, _MS),
    ),
    Column(
        "first_inference_ms",
        NUMBER,
        "ms",
        "the first inference of a process, median over processes",
        _processes("first_inference_ns", _median, _MS),
    ),
    Column(
        "peak_memory_mb",
        NUMBER,
        "MB of 2^20 bytes",
        "peak resident memory, the largest of the processes",
        _processes("peak_memory_bytes", max, _MIB),
    ),
    Column("dataset", TEXT, "", "the dataset that the accuracy was measured on", _accuracy("dataset")),
    Column("n_images", INTEGER, "images", "images that were evaluated", _accuracy("n_images")),
    Column(
        "images_per_second",
        NUMBER,
        "images/s",
        "speed of the evaluation, with decoding",
        _own_accuracy("images_per_second"),
    ),
    Column(
        "classes_evaluated",
        INTEGER,
        "classes",
        "categories that the mAP is an average over, those without objects aside",
        _classes("n_matched"),
    ),
    Column(
        "classes_matched_by",
        TEXT,
        "",
        "how the model's classes were matched with the data set's: `name`, or `id` where nothing names them",
        _classes("matched_by"),
    ),
    Column(
        "classes_in_dataset",
        INTEGER,
        "classes",
        "categories that the data set has, or that --classes names",
        _classes("n_categories"),
    ),
    Column(
        "classes_unknown_to_model",
        LIST,
        "",
        "those of them that no class of the model is, so that the mAP leaves them out",
        _class_names("unknown_to_model"),
    ),
    Column(
        "classes_not_in_dataset",
        LIST,
        "",
        "classes of the model that are no category of the data set",
        _class_names("not_in_dataset"),
    ),
    Column("map", NUMBER, "0…1", "COCO mAP: AP averaged over IoU 0.50…0.95", _figure("map")),
    Column(
        "map_low", NUMBER, "0…1", "lower end of the mAP's 95 % interval over images", _own_accuracy("map_low")
    ),
    Column(
        "map_high",
        NUMBER,
        "0…1",
        "upper end of the mAP's 95 % interval over images",
        _own_accuracy("map_high"),
    ),
    Column("ap50", NUMBER, "0…1", "AP at IoU 0.50", _figure("ap50")),
    Column("ap75", NUMBER, "0…1", "AP at IoU 0.75", _figure("ap75")),
    *(
        Column(f"ap_{area}", NUMBER, "0…1", f"AP of objects {size}", _figure(f"ap_{area}"))
        for area, size in _AREA.items()
    ),
    Column("ar1", NUMBER, "0…1", "average recall with 1 detection an image", _figure("ar1")),
    Column("ar10", NUMBER, "0…1", "average recall with 10 detections an image", _figure("ar10")),
    Column("ar100", NUMBER, "0…1", "average recall with 100 detections an image", _figure("ar100")),
    *(
        Column(f"ar_{area}", NUMBER, "0…1", f"average recall of objects {size}", _figure(f"ar_{area}"))
        for area, size in _AREA.items()
    ),
)
"""Every public column, in the public order."""

BY_NAME = {column.name: column for column in COLUMNS}
NAMES = tuple(BY_NAME)


def _columns_of(part: str) -> dict[str, str]:
    """Return the columns that are properties of a part, each with its path."""
    return {c.name: c.take.path for c in COLUMNS if isinstance(c.take, Attribute) and c.take.part == part}


_PARTS = {
    part: _columns_of(part)
    for part in ("record", "latency", "figures", "accuracy", "own_accuracy", "classes")
}
_TOGETHER = [(part, attrgetter(*own.values()), (None,) * len(own)) for part, own in _PARTS.items()]
"""Each part, what takes all its values at once, and what stands for them without that part."""
_ONE_BY_ONE = tuple(column for column in COLUMNS if not isinstance(column.take, Attribute))
_AS_TAKEN = [*(name for own in _PARTS.values() for name in own), *(column.name for column in _ONE_BY_ONE)]
_in_order = itemgetter(*map(_AS_TAKEN.index, NAMES))
_TEXTS = tuple(column.name for column in COLUMNS if column.dtype == TEXT)


def take_row(cell: Cell) -> dict[str, Any]:
    """Return a cell as a row: every public column with a plain value, None where it is unknown."""
    values: list[Any] = []
    for part, values_of, nothing in _TOGETHER:
        source = getattr(cell, part)
        values += nothing if source is None else values_of(source)
    values += [column.take(cell) for column in _ONE_BY_ONE]
    row: dict[str, Any] = dict(zip(NAMES, _in_order(values), strict=True))
    for name in _TEXTS:  # an empty text says nothing, so it is unknown like any other absent value
        if not row[name]:
            row[name] = None
    return row


def check_names(names: Iterable[str]) -> list[str]:
    """Return the names as they are.

    Raises:
        UnknownNameError: One is not a public column; near misses are listed.
    """
    chosen = list(names)
    for name in chosen:
        if name not in BY_NAME:
            raise UnknownNameError("column", name, NAMES)
    return chosen
