"""The files that benchmark_model writes, decoded. A damaged or foreign file gives None; nothing here raises.

`BenchmarkResult` (tflite/tools/benchmark/proto/benchmark_result.proto) is not in the wheel of ai-edge-litert. It is
small, so it is read here by its wire format (protobuf.dev/programming-guides/encoding); its times are float32 ms:

    2 latency  1 avg 2 min 3 max 4 stddev 5 median 6 p5 7 p95 8 init 9 first_inference 10 average_warm_up (ms)
    3 memory   1 init_footprint_kb 2 overall_footprint_kb 3 peak_mem_mb
    4 misc     1 model_size_mb 2 num_runs 3 num_warmup_runs 4 model_throughput_in_mb_per_sec

The runtime graph and the operator profile are read with the wheel's own modules, imported late.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from harness.drivers.benchmark_tool.facts import GraphShare, Memory, OpRow, RuntimeGraph, Statistics

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DELEGATE_SUBGRAPH = 2
Fields = dict[int, int | float | bytes]


@dataclass(frozen=True)
class BenchmarkResult:
    """What `--result_file_path` holds."""

    steady: Statistics
    n_warm_up: int | None
    warm_up_mean_ns: int | None
    init_ns: int | None
    first_ns: int | None
    memory: Memory = field(default_factory=Memory)


def parse_result(data: bytes) -> BenchmarkResult | None:
    """Decode a BenchmarkResult; None where it is none, or nothing was timed."""
    try:
        message = _fields(data)
        latency, memory, misc = (_fields(_as_bytes(message.get(number))) for number in (2, 3, 4))
        return _result(latency, memory, misc)
    except (ValueError, IndexError, struct.error, OverflowError):
        return None


def _result(latency: Fields, memory: Fields, misc: Fields) -> BenchmarkResult | None:
    times = {number: _ns(value) for number, value in latency.items()}
    count, mean = misc.get(2), _ns(latency.get(1), 1)
    if not isinstance(count, int) or count < 1 or mean is None:
        return None
    steady = Statistics(
        count=count,
        mean_ns=mean,
        min_ns=times.get(2),
        max_ns=times.get(3),
        std_ns=times.get(4),
        median_ns=times.get(5),
        p5_ns=times.get(6),
        p95_ns=times.get(7),
    )
    n_warm_up = misc.get(3)
    return BenchmarkResult(
        steady=steady,
        n_warm_up=n_warm_up if isinstance(n_warm_up, int) else None,
        warm_up_mean_ns=_ns(latency.get(10), 1),
        init_ns=times.get(8),
        # Without a warm-up the tool has no first inference and writes 0.
        first_ns=times.get(9) if n_warm_up else None,
        memory=Memory(_kb(memory.get(1)), _kb(memory.get(2)), _plain(memory.get(3))),
    )


def _fields(data: bytes) -> Fields:
    return dict(_wire(data))


def _wire(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Yield field number and value; fixed 32-bit values are taken for floats, as all of ours are."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
        elif kind == _BYTES:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise ValueError("a field is longer than the message")
            yield key >> 3, data[at : at + length]
            at += length
        elif kind == _FIXED32:
            yield key >> 3, struct.unpack_from("<f", data, at)[0]
            at += 4
        elif kind == _FIXED64:
            yield key >> 3, struct.unpack_from("<d", data, at)[0]
            at += 8
        else:
            raise ValueError(f"wire type {kind}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
    raise ValueError("a varint of more than ten bytes")


def _as_bytes(value: int | float | bytes | None) -> bytes:
    if isinstance(value, (int, float)):
        raise ValueError("expected a message")
    return value or b""


def _plain(value: int | float | bytes | None) -> float | None:
    return value if isinstance(value, float) and math.isfinite(value) and 0 < value < 1e9 else None


def _ns(value: int | float | bytes | None, step: int = 1000) -> int | None:
    """Turn ms into ns. The tool times in whole µs, so all but a mean is one; float32 adds noise from 16 ms on."""
    if not isinstance(value, float) or not 0 <= value < 1e9:
        return None
    return round(value * 1e6 / step) * step


def _kb(value: int | float | bytes | None) -> float | None:
    return value / 1024 if isinstance(value, int) else None


def _decode(module: str, message: str, data: bytes) -> Any | None:
    """Decode with the wheel's own class; None where the wheel is another, or the data is damaged."""
    try:
        kind = getattr(import_module(f"ai_edge_litert.{module}"), message)
        damaged = import_module("google.protobuf.message").DecodeError
    except (ImportError, AttributeError):
        return None
    try:
        return kind.FromString(data)
    except damaged:
        return None


def parse_graph(data: bytes) -> RuntimeGraph | None:
    """Decode `--model_runtime_info_output_file` (tflite/profiling/proto/model_runtime_info.proto).

    A delegate counts only where its node is part of the execution plan: NNAPI takes nodes, may then refuse to
    compile them, and the runtime undoes what it replaced.
    """
    details = _decode("model_runtime_info_pb2", "ModelRuntimeDetails", data)
    if details is None:
        return None
    subgraphs = [s for s in details.subgraphs if s.subgraph_type != _DELEGATE_SUBGRAPH]
    total = sum(not node.HasField("delegate_node_details") for s in subgraphs for node in s.nodes)
    if total == 0:
        return None
    return RuntimeGraph(total, tuple(_shares(subgraphs)))


def _shares(subgraphs: Iterable[Any]) -> Iterator[GraphShare]:
    nodes: Counter[str] = Counter()
    partitions: Counter[str] = Counter()
    for subgraph in subgraphs:
        plan = set(subgraph.execution_plan)
        for node in subgraph.nodes:
            if node.HasField("delegate_node_details") and (not plan or node.id in plan):
                details = node.delegate_node_details
                name = details.delegate_name or node.name
                nodes[name] += len(set(details.tflite_node_ids_replaced))
                partitions[name] += 1
    return (GraphShare(name, nodes[name], partitions[name]) for name in nodes)


def parse_profile(data: bytes) -> tuple[OpRow, ...] | None:
    """Decode `--op_profiling_output_file` of mode `proto` (tflite/profiling/proto/profiling_info.proto)."""
    data_of_profile = _decode("profiling_info_pb2", "BenchmarkProfilingData", data)
    if data_of_profile is None:
        return None
    profile = data_of_profile.runtime_profile
    operators = [op for part in profile.subgraph_profiles for op in part.per_op_profiles]
    return tuple(_op_row(op) for op in sorted(operators, key=lambda op: op.run_order))


def _op_row(op: Any) -> OpRow:
    time, memory = op.inference_microseconds, op.mem_kb
    # `avg` is cut to a whole µs; sum and count give it exactly.
    mean_ns = round(time.sum * 1000 / time.count) if time.count > 0 else 0
    return OpRow(op.node_type, op.name, mean_ns, op.times_called, float(memory.avg))
