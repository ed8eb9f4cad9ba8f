"""The files that the stand-in for benchmark_model writes: what ran where, the operators' times, the result."""

import struct
from pathlib import Path

import numpy as np


def write_graph(file, original, groups, name):
    from ai_edge_litert import model_runtime_info_pb2

    details = model_runtime_info_pb2.ModelRuntimeDetails()
    subgraph = details.subgraphs.add(subgraph_type=1)
    for at, node in enumerate(original):
        subgraph.nodes.add(id=at, name=node["op_name"], type=node["op_name"])
    for at, group in enumerate(groups, len(original)):
        node = subgraph.nodes.add(id=at, name=name, type=name)
        node.delegate_node_details.delegate_name = name
        node.delegate_node_details.tflite_node_ids_replaced.extend(sorted(group))
        for replaced in group:
            subgraph.nodes[replaced].delegated_to_node_id = at
    taken = set().union(*groups) if groups else set()
    subgraph.execution_plan.extend([at for at in range(len(original) + len(groups)) if at not in taken])
    Path(file).write_bytes(details.SerializeToString())


def write_profile(file, original, times):
    if not file:
        return
    from ai_edge_litert import profiling_info_pb2

    data = profiling_info_pb2.BenchmarkProfilingData()
    part = data.runtime_profile.subgraph_profiles.add(subgraph_name="main", subgraph_index=0)
    for at, node in enumerate(original):
        row = part.per_op_profiles.add(
            node_type=node["op_name"], name=f"{node['op_name']}:{at}", times_called=1
        )
        row.run_order = at
        row.inference_microseconds.sum = sum(times) // max(1, len(original))
        row.inference_microseconds.count = len(times)
    Path(file).write_bytes(data.SerializeToString())


def write_result(file, warm_up, times, init_us, size_mb):
    """BenchmarkResult by its wire format: three messages of float32 (ms) and varints."""
    ordered = sorted(times)
    at = [ordered[int(len(times) * q / 100)] for q in (50, 5, 95)]
    first, mean_warm = (warm_up[0], float(np.mean(warm_up))) if warm_up else (0, 0.0)
    figures = [np.mean(times), min(times), max(times), int(np.std(times)), *at, init_us, first, mean_warm]
    latency = b"".join(bytes([n << 3 | 5]) + struct.pack("<f", v / 1000) for n, v in enumerate(figures, 1))
    memory = b"\x08" + varint(8000) + b"\x10" + varint(9000)
    misc = (
        b"\x0d" + struct.pack("<f", size_mb) + b"\x10" + varint(len(times)) + b"\x18" + varint(len(warm_up))
    )
    parts = ((2, latency), (3, memory), (4, misc))
    Path(file).write_bytes(b"".join(bytes([n << 3 | 2]) + varint(len(p)) + p for n, p in parts))


def varint(value):
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])
