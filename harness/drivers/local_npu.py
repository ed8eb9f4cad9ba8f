"""The NPU path of this computer: OpenVINO under LiteRT, and what prevents its use."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from harness.delegates import OPENVINO, Delegate
from harness.paths import found_in

EXTRA = "npu-openvino"
NO_RUNTIME = "OpenVINO is reached through ai-edge-litert 2.3 or later, which is not installed"
NO_PLUGIN = "this ai-edge-litert comes without a plugin for OpenVINO: 2.3 or later has one on x86-64 Linux"
PLUGIN = "vendors/intel_openvino/compiler"
"""Where ai-edge-litert 2.3.0 has the plugin."""


@dataclass(frozen=True)
class LocalNpu:
    """What stands between LiteRT and OpenVINO on this computer.

    Attributes:
        version: Of OpenVINO; empty where it is not installed.
        missing: What is missing, in words; empty where nothing is.
    """

    version: str = ""
    missing: str = ""


def find_npu() -> LocalNpu:
    """Look for what LiteRT's NPU path needs; whether a device of OpenVINO is there shows when a model is compiled."""
    litert = importlib.util.find_spec("ai_edge_litert")
    if litert is None or litert.origin is None:
        return LocalNpu(missing=NO_RUNTIME)
    if not found_in(Path(litert.origin).parent / PLUGIN, "libLiteRtCompilerPlugin_*"):
        return LocalNpu(missing=NO_PLUGIN)
    from importlib import metadata  # late: it loads more than the rest of a plan

    try:
        return LocalNpu(metadata.version(OPENVINO))
    except metadata.PackageNotFoundError:
        return LocalNpu(missing=f"OpenVINO is not installed (extra `{EXTRA}`)")


def why_unavailable(delegate: Delegate) -> str | None:
    """Say why `npu:openvino` is known not to work on this computer; None where nothing is in the way."""
    if delegate.option("maker") is None:
        return (
            f"{delegate}: this computer's NPU is reached through OpenVINO: write npu:openvino[:cpu|gpu|npu]"
        )
    return find_npu().missing or None
