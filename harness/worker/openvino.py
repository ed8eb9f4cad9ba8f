"""A model that LiteRT compiled for Intel's OpenVINO, which is LiteRT's NPU path on a PC.

The plugin and the dispatch library lie in the wheel of ai-edge-litert, OpenVINO in a package of its own. Where the
device that was asked for is not there, LiteRT 2.3.0 applies no plugin, raises nothing, and runs the model on its own
kernels: only standard error tells, which the parent reads.
"""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path
from typing import Any

from harness.delegates import CPU, GPU, NPU
from harness.paths import found_in
from harness.runtime import Runtime
from harness.worker.compiled import CompiledInterpreter, CompileError

NEEDS = "OpenVINO under LiteRT takes ai-edge-litert 2.3 or later and openvino"
LIBRARIES = ("libopenvino.so.*", "libopenvino_tensorflow_lite_frontend.so.*")
"""What LiteRT's plugin asks the loader for by name."""
DEVICES = (NPU, GPU, CPU)
"""Of OpenVINO, the one that is taken by default first."""


class OpenVinoInterpreter(CompiledInterpreter):
    """A model on a device of OpenVINO.

    Args:
        runtime: LiteRT.
        model: Path of the .tflite.
        threads: CPU threads for what OpenVINO leaves.
        device: One of `DEVICES`.

    Raises:
        CompileError: OpenVINO is not installed, or a tensor's type cannot be handed over.
        RuntimeError: LiteRT refuses the model; why stands on standard error.
    """

    def __init__(self, runtime: Runtime, model: str, threads: int, device: str) -> None:
        super().__init__(runtime, model, _compile(runtime, model, threads, device))


def load_openvino() -> None:
    """Load OpenVINO, so that the loader finds it for LiteRT's plugin wherever its package is installed.

    Raises:
        CompileError: It is not installed, or cannot be loaded.
    """
    found = importlib.util.find_spec("openvino")
    if found is None or found.origin is None:
        raise CompileError(f"{NEEDS}, which is not installed")
    try:
        for name in LIBRARIES:
            for library in found_in(Path(found.origin).parent / "libs", name):
                ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise CompileError(f"OpenVINO's library cannot be loaded: {error}") from error


def _compile(runtime: Runtime, model: str, threads: int, device: str) -> Any:
    load_openvino()
    try:
        from ai_edge_litert import compiled_model as litert

        backend = getattr(litert.IntelOpenVinoOptions.GRAPH_BACKEND, device.upper())
        options = litert.Options(
            hardware_accelerators=litert.HardwareAccelerator.NPU | litert.HardwareAccelerator.CPU,
            cpu_options=litert.CpuOptions(num_threads=threads),
            intel_openvino_options=litert.IntelOpenVinoOptions(graph_backend=backend),
        )
    except (ImportError, AttributeError, TypeError) as error:
        raise CompileError(f"{NEEDS}, found {runtime} ({error})") from error
    return litert.CompiledModel.from_file(model, options=options)
