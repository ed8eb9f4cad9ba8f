"""What ran, from the profiler, the log and LiteRT's own word (law 1).

Of a model on the CPU nothing but the profiler tells what XNNPACK took: the log says that a delegate was created, and
`IsFullyAccelerated` is true of builtin kernels too. Profiling slows down, so it is done in a process of its own with
the same settings. Of an accelerator `IsNonCpuFullyAccelerated` proves that it took everything; that it took a part
stands in the log alone. A line that takes back outranks all of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.bench.engines.gpu_log import GpuLog, judge, read_gpu_log
from harness.delegates import CPU, CPU_REFERENCE, GPU, UNKNOWN, XNNPACK, Delegate
from harness.drivers.benchmark_tool import truth
from harness.drivers.benchmark_tool.facts import MentionKind, TextLog, ToolOutput
from harness.drivers.benchmark_tool.text_log import parse_log
from harness.native.protocol import OWN, Compiled
from harness.records.records import DelegateFacts, OperatorTime
from harness.vocabulary import MEASURED, Status
from harness.worker.results import Execution

_NO_PLUGIN = re.compile(r"(?<!\d)0 compiler plugins were applied")


def cpu_facts(delegate: Delegate, compiled: Compiled, rows: Sequence[OperatorTime]) -> DelegateFacts:
    """Say what ran on the CPU.

    Args:
        delegate: `cpu` or `cpu-reference`.
        compiled: What LiteRT says of the model.
        rows: The profiler's operators, of a process with the same settings; empty where it told none.
    """
    requested = str(delegate)
    if not rows:
        why = "LiteRT's profiler told no operators, so what ran cannot be proven"
        return DelegateFacts(requested=requested, actual=UNKNOWN, evidence=(why,))
    left = sum(row.calls for row in rows if not row.delegated)
    taken = sum(row.calls for row in rows if row.delegated)
    total = compiled.operators
    counted = total is not None and left <= total and (taken > 0 or left == total)
    sentence = (
        f"LiteRT's profiler, in another process, timed {taken} operators inside a delegate and {left} outside"
    )
    if counted:
        sentence += f", of {total} nodes in the file"
    return DelegateFacts(
        requested=requested,
        actual=(XNNPACK if delegate.kind == CPU else UNKNOWN) if taken else CPU_REFERENCE,
        delegated_nodes=total - left if counted and total is not None else None,
        total_nodes=total if counted else None,
        evidence=(sentence,),
    )


def accelerator_facts(delegate: Delegate, compiled: Compiled, log: str) -> DelegateFacts:
    """Say what ran where an accelerator was asked for, from what LiteRT says and logged of it."""
    whole = compiled.non_cpu_fully_accelerated
    spoken = _spoken(log)
    evidence = [] if whole is None else [f"LiteRT's IsNonCpuFullyAccelerated is {whole}"]
    text, gpu = parse_log(log), read_gpu_log(log)
    found = truth.judge(delegate, ToolOutput(Status.OK, 0, text))
    taken_back = next((m.text for m in text.mentions if m.kind == MentionKind.TAKEN_BACK), gpu.taken_back)
    why_not = taken_back or next(iter(_NO_PLUGIN.findall(log)), None)
    if why_not is not None:
        return _facts(
            delegate, _what_is_left(text), 0, compiled.operators, (why_not, *evidence, *spoken), gpu
        )
    if whole:
        total = compiled.operators
        return _facts(delegate, delegate.kind, total, total, (*evidence, *spoken), gpu)
    if delegate.kind == GPU and gpu.applied:
        ran = judge(Execution(UNKNOWN, None, compiled.operators, tuple(evidence)), gpu)
        return _facts(delegate, ran.actual, ran.delegated_nodes, ran.total_nodes, ran.evidence, gpu)
    if found.status in MEASURED and found.actual == delegate.kind and found.delegated_nodes:
        total = found.total_nodes
        return _facts(
            delegate, delegate.kind, found.delegated_nodes, total, (*found.evidence, *evidence), gpu
        )
    why = f"neither LiteRT nor its log shows that {delegate} took a node"
    return _facts(delegate, UNKNOWN, None, compiled.operators, (why, *evidence, *spoken), gpu)


def _what_is_left(text: TextLog) -> str:
    """Return what runs where the accelerator gave everything back: XNNPACK where its line comes after that."""
    claims = [m for m in text.mentions if truth.kind_of(m.delegate) == XNNPACK and m.nodes]
    return XNNPACK if claims else CPU


def _facts(
    delegate: Delegate,
    actual: str,
    taken: int | None,
    total: int | None,
    evidence: Sequence[str],
    gpu: GpuLog,
) -> DelegateFacts:
    return DelegateFacts(
        requested=str(delegate),
        actual=actual,
        delegated_nodes=taken,
        total_nodes=total,
        evidence=tuple(dict.fromkeys(evidence)),
        hardware=gpu.adapter,
        software=gpu.software,
    )


def _spoken(log: str) -> tuple[str, ...]:
    """Return the lines of the log that speak of delegates and accelerators, without our own lines."""
    words = ("delegate", "accelerator", "operations will run")
    lines = (line.strip() for line in log.splitlines() if not line.startswith(OWN))
    return tuple(line for line in lines if any(word in line.lower() for word in words))[:12]
