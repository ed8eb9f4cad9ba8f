"""Render an inspection for a person: sections that fit 100 columns. Computes nothing, formats only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness import units
from harness.delegates import KINDS
from harness.report.content import Content, nested
from harness.text import clean
from harness.tflite.inspect.model import COLUMNS

WIDTH = 100
MAX_LABELS = 6
MAX_REASONS = 4
MAX_ISLANDS = 4
NAME_WIDTH = 15


def content(found: Mapping[str, Any]) -> Content:
    """Return an inspection as content: a sheet for a person, one object for programs."""
    return nested([found], COLUMNS, {"table": lambda: sheet(found)})


def sheet(found: Mapping[str, Any]) -> Group:
    """Return the sections of one inspection."""
    parts: list[Any] = [_head(found)]
    for title, body in (
        ("Inputs", _tensors(found["inputs"], with_stats=True)),
        ("Outputs", _tensors(found["outputs"], with_stats=False)),
        ("Operators", _operators(found["operators"])),
        ("Float islands", _lines(_islands(found["float_islands"]))),
        ("NMS", _lines(_nms(found["nms"]))),
        ("Metadata", _lines(_metadata(found["metadata"]))),
        ("Where it will run", Group(_delegates(found["delegates"]), *_reasons(found["delegates"]))),
        ("Known faults", _lines([f"{one['severity']}: {one['sentence']}" for one in found["known_faults"]])),
    ):
        if body is not None:
            parts += [Text(""), Text(title, style="bold"), Padding(body, (0, 0, 0, 2))]
    return Group(*parts)


def _head(found: Mapping[str, Any]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", max_width=WIDTH - 16)
    custom = ", ".join(found["custom_operators"])
    rows = [
        ("model", found["model"]),
        ("sha256", found["sha256"]),
        ("size", units.size(found["size_bytes"])),
        ("quantization", found["quantization"]),
        *(("", sentence) for sentence in found["quantization_evidence"]),
        ("parameters", units.count(found["parameters"])),
        ("MACs", units.count(found["macs"])),
        *((("custom ops", custom),) if custom else ()),
        *((("compiled for", "the Edge TPU"),) if any(row["compiled"] for row in found["delegates"]) else ()),
        *((("compiled for", _compiled(found["compiled_for"])),) if found["compiled_for"] else ()),
    ]
    for label, value in rows:
        table.add_row(Text(label), _text(value))
    return table


def _compiled(found: Mapping[str, Any]) -> str:
    """What a vendor's NPU runs of the file, and what it leaves."""
    left = ", ".join(f"{name} ×{count}" if count > 1 else name for name, count in found["left"].items())
    chip = " ".join(filter(None, (found["maker"], found["soc"]))) or "an NPU"
    count = found["partitions"]
    parts = f"{units.counted(count, 'partition')}, {units.size(found['binary_bytes'])}"
    return f"{chip}: {parts}; left to the CPU: {left or 'nothing'}"


def _text(value: object) -> Text:
    return Text(clean(units.MISSING if value is None else value))


def _grid(columns: Iterable[tuple[str, str]], rows: Iterable[Sequence[object]]) -> Table:
    """Return a table of (title, justify) columns."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, (title, justify) in enumerate(columns):
        side: Any = justify or "left"
        table.add_column(title, justify=side, overflow="fold", min_width=NAME_WIDTH if not number else None)
    for row in rows:
        table.add_row(*(_text(value) for value in row))
    return table


def _tensors(rows: Sequence[Mapping[str, Any]], with_stats: bool) -> Table:
    columns = [
        ("name", ""),
        ("type", ""),
        ("shape", ""),
        ("scale", "right"),
        ("zero", "right"),
        ("real values", ""),
    ]
    if with_stats:
        columns.append(("mean, std", ""))
    return _grid(columns, ([*_tensor(row), *([_stats(row)] if with_stats else [])] for row in rows))


def _tensor(row: Mapping[str, Any]) -> list[object]:
    span = None if row["real_low"] is None else f"{row['real_low']:.4g} … {row['real_high']:.4g}"
    scale = None if row["scale"] is None else f"{row['scale']:.6g}"
    return [
        row["name"],
        row["dtype"],
        "×".join(map(str, row["shape"])) or "?",
        scale,
        row["zero_point"],
        span,
    ]


def _stats(row: Mapping[str, Any]) -> str | None:
    stats = row["quantized_input_stats"]
    return None if stats is None else f"{stats[0]:g}, {stats[1]:.4g}"


def _operators(rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = [("operator", ""), ("count", "right"), ("MACs", "right"), ("parameters", "right")]
    columns += [("weights", "right"), ("tensors", "right"), ("stored as", ""), ("zeros", "right")]
    return _grid(columns, map(_operator, rows))


def _operator(row: Mapping[str, Any]) -> list[object]:
    scales = {"per-channel": "a channel", "per-tensor": "a tensor"}
    stored = [*row["weight_dtypes"], *(scales[key] for key in row["weight_scales"] if key in scales)]
    return [
        row["name"],
        row["count"],
        "" if row["macs"] == 0 else units.count(row["macs"]),
        units.count(row["parameters"]) if row["parameters"] else "",
        units.size(row["weight_bytes"]) if row["weight_bytes"] else "",
        units.size(row["activation_bytes"]) if row["activation_bytes"] != 0 else "",
        " ".join(stored),
        "" if row["zero_share"] is None else units.share(row["zero_share"]),
    ]


def _lines(lines: Sequence[str]) -> Group | None:
    return Group(*(_text(line) for line in lines)) if lines else None


def _islands(found: Mapping[str, Any] | None) -> list[str]:
    """Return sentences about the operators that a quantized model leaves in float."""
    if found is None:
        return []
    if not found["n_operators"]:
        return [f"none; {found['conversions']} QUANTIZE or DEQUANTIZE at run time"]
    names = ", ".join(f"{count} {name}" for name, count in found["operators"].items())
    share = "" if found["macs_share"] is None else f", {units.share(found['macs_share'])} of the MACs"
    lines = [f"{names}{share}; {found['conversions']} QUANTIZE or DEQUANTIZE at run time"]
    if found["by_design"]:
        lines.append(f"{', '.join(found['by_design'])} has no quantized form: it is float by design")
    if len(found["islands"]) > 1:
        shown = found["islands"][:MAX_ISLANDS]
        lines += [f"island of {len(island)}: {', '.join(dict.fromkeys(island))}" for island in shown]
        more = len(found["islands"]) - len(shown)
        lines += [f"and {more} more"] if more else []
    return lines


def _nms(found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return []
    kind = "regular (class by class)" if found["use_regular_nms"] else "fast (all classes at once)"
    scales = ", ".join(f"{found[key]:g}" for key in ("y_scale", "x_scale", "h_scale", "w_scale"))
    return [
        f"{kind}, {found['num_classes']} classes, at most {found['max_detections']} boxes, "
        f"{found['detections_per_class']} a class",
        f"score threshold {found['nms_score_threshold']:g}, IoU threshold {found['nms_iou_threshold']:g}, "
        f"{found['max_classes_per_detection']} class a box, box scales {scales}",
    ]


def _metadata(found: Mapping[str, Any]) -> list[str]:
    labels = found["labels"]
    lines = [
        ("description", found["description"]),
        ("entries", ", ".join(found["entries"])),
        ("normalization", _normalization(found)),
        ("labels", _labels(labels, found["label_file"]) if labels else None),
        ("damaged", found["damaged"]),
    ]
    return [f"{label}: {value}" for label, value in lines if value]


def _normalization(found: Mapping[str, Any]) -> str | None:
    if found["mean"] is None or found["std"] is None:
        return None
    return f"mean {', '.join(map(str, found['mean']))}, std {', '.join(map(str, found['std']))}"


def _labels(labels: Sequence[str], file: str | None) -> str:
    more = ", …" if len(labels) > MAX_LABELS else ""
    return f"{len(labels)} in {file or 'the file'}: {', '.join(labels[:MAX_LABELS])}{more}"


def _delegates(rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = [
        ("delegate", ""),
        ("of", ""),
        ("operators", "right"),
        ("partitions", "right"),
        ("MACs", "right"),
    ]
    return _grid([*columns, ("unknown", "right")], map(_delegate, rows))


def _delegate(row: Mapping[str, Any]) -> list[object]:
    low, high = row["delegated_nodes_low"], row["delegated_nodes_high"]
    return [
        _name(row["delegate"]),
        row["condition"] or "",
        f"{_span(str(low), str(high))} of {row['total_nodes']}",
        "unknown" if row["partitions"] is None else row["partitions"],
        _shares(row),
        row["unknown"] or "",
    ]


def _name(kind: str) -> str:
    """Return a delegate's name, with the library that runs it where that is another: `cpu (XNNPACK)`."""
    runs_as = KINDS[kind].runs_as
    return kind if runs_as == kind else f"{kind} ({runs_as.upper()})"


def _shares(row: Mapping[str, Any]) -> str | None:
    low, high = row["macs_share_low"], row["macs_share_high"]
    return None if low is None or high is None else _span(f"{low:.0%}", f"{high:.0%}")


def _span(low: str, high: str) -> str:
    return low if low == high else f"{low}–{high}"


def _reasons(rows: Sequence[Mapping[str, Any]]) -> list[Text]:
    """Return the operators that each delegate refuses and why, then the sources of the figures."""
    lines, of_one_kind = [Text("")], Counter(row["delegate"] for row in rows)
    for row in rows:
        words = [_reason(item) for item in row["refused"][:MAX_REASONS]]
        words += [f"unknown: {_reason(item)}" for item in row["undecided"][:MAX_REASONS]]
        if words:
            which = f" {_short(row['condition'])}" if of_one_kind[row["delegate"]] > 1 else ""
            lines.append(_text(f"{row['delegate']}{which}: {'; '.join(words)}"))
    return [*lines, Text(""), _text(FOOTNOTE)]


def _short(condition: str) -> str:
    """Return the first words of a condition, which tell it from others: `Android 10`, `TFLite's`."""
    return condition.partition(" (")[0].partition(",")[0]


def _reason(item: Mapping[str, Any]) -> str:
    return f"{item['count']} {item['operator']} ({item['reason']})"


FOOTNOTE = (
    "What documents, or the delegates' own logs, say (--format json names them): what a delegate takes of the graph, "
    "not that a device has it. `harness run` measures what really ran."
)
