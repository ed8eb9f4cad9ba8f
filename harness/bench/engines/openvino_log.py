"""What LiteRT says on standard error while its plugin compiles a model for OpenVINO: what it took, and why it did not.

Read as ai-edge-litert 2.3.0 with openvino 2026.3.1 writes it. Its Python calls tell nothing of this, and where no
plugin was applied the model runs on LiteRT's own kernels without a word but these.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace

from harness.delegates import NPU, UNKNOWN, XNNPACK
from harness.tflite import schema
from harness.worker.compiled import COMPILED
from harness.worker.results import Execution

_APPLIED = re.compile(r"\b(?P<n>[0-9]{1,3}) compiler plugins were applied successfully")
_SELECTED = re.compile(
    r"Partitioned subgraph<0>, selected (?P<taken>[0-9]{1,9}) ops, from a total of (?P<total>[0-9]{1,9}) ops\. "
    r"resulted in (?P<parts>[0-9]{1,9}) partitions"
)
_UNSUPPORTED = re.compile(r"op type (?P<code>[0-9]{1,4}) is not supported")
_DEVICE = re.compile(r"Dispatch: using device '(?P<device>[^'\n]{1,64})'")
_REASON = re.compile(r"(?P<why>Cannot load library .{1,400}|Failed to get new_shape for .{1,100})")
_NOT_LOADED = (
    "LiteRT's plugin for OpenVINO could not be loaded; each LiteRT takes one release of openvino alone, which the "
    "extra `npu-openvino` pins (2.3 takes 2026.3.1)"
)
_NO_PLUGIN = "Failed to apply compiler plugins"
_PLUGIN = "Failed to load plugin at"
_NO_DEVICE = re.compile(r"(?P<why>No device with name .{1,200}|Device with .{1,200} not found.{0,100})")


@dataclass(frozen=True)
class OpenVinoLog:
    """What was said while a model was compiled.

    Attributes:
        applied: Whether the plugin was applied; None where the log does not say.
        device: Of OpenVINO, on which the compiled part runs.
        taken: Operators that the plugin selected.
        total: Operators of the graph.
        partitions: Parts of the graph that it compiled.
        unsupported: Operators that it does not support, with counts.
        why: Why the plugin was not applied, in its words.
    """

    applied: bool | None = None
    device: str | None = None
    taken: int | None = None
    total: int | None = None
    partitions: int | None = None
    unsupported: tuple[tuple[str, int], ...] = ()
    why: str | None = None


def read_openvino_log(text: str) -> OpenVinoLog:
    """Read the log of a process whose first model was compiled for OpenVINO."""
    compiled, _, _ = text.partition(COMPILED)
    applied, selected = _APPLIED.search(compiled), _SELECTED.search(compiled)
    device = _DEVICE.search(compiled)
    return OpenVinoLog(
        applied=int(applied["n"]) > 0 if applied else (False if _NO_PLUGIN in compiled else None),
        device=device["device"] if device else None,
        taken=int(selected["taken"]) if selected else None,
        total=int(selected["total"]) if selected else None,
        partitions=int(selected["parts"]) if selected else None,
        unsupported=tuple(Counter(_names(compiled)).most_common()),
        why=_why(compiled),
    )


def _names(text: str) -> list[str]:
    names = schema.enum_names(schema.load().BuiltinOperator)
    codes = [int(found["code"]) for found in _UNSUPPORTED.finditer(text)]
    return [names.get(code, f"operator {code}") for code in codes]


def _why(text: str) -> str | None:
    """Return the first reason that the plugin gives: a library that is missing, a shape that it cannot read."""
    found = _REASON.search(text) or _NO_DEVICE.search(text)
    if found:
        return found["why"].strip()
    return _NOT_LOADED if _PLUGIN in text else None


def judge(execution: Execution, log: OpenVinoLog) -> Execution:
    """Say what ran, from what the worker knows of the graph and what LiteRT said.

    A plugin that was not applied left the model to LiteRT's own kernels, whatever the call returned.
    """
    if log.applied is False:
        why = f"LiteRT applied no compiler plugin{f': {log.why}' if log.why else ''}"
        return replace(execution, actual=XNNPACK, delegated_nodes=None, evidence=(why, *execution.evidence))
    if log.applied is None or log.device is None or log.taken is None:
        why = "LiteRT did not say that it applied OpenVINO's plugin"
        return replace(execution, actual=UNKNOWN, delegated_nodes=None, evidence=(why, *execution.evidence))
    evidence = [f"1 compiler plugin was applied: OpenVINO's {log.device}, {log.partitions} partition(s)"]
    if log.unsupported:
        names = ", ".join(f"{name} ×{count}" if count > 1 else name for name, count in log.unsupported)
        evidence.append(f"left to the CPU: {names}")
    return replace(
        execution,
        actual=NPU,
        delegated_nodes=log.taken,
        total_nodes=log.total,
        evidence=(*execution.evidence, *evidence),
    )
