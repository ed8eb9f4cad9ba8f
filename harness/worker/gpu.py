"""A model that LiteRT compiled for this computer's GPU.

LiteRT's own GPU accelerator (`libLiteRtWebGpuAccelerator`, in the wheel of ai-edge-litert since 2.3) runs on Vulkan,
Metal or Direct3D, and leaves to the CPU what it does not support.
"""

from __future__ import annotations

from typing import Any

from harness.runtime import Runtime
from harness.worker.compiled import CompiledInterpreter, CompileError

NEEDS = "the GPU accelerator of this computer takes ai-edge-litert 2.3 or later"


class GpuInterpreter(CompiledInterpreter):
    """A model on the GPU.

    Args:
        runtime: LiteRT.
        model: Path of the .tflite.
        threads: CPU threads for what the GPU leaves.
        float32: Compute in float32; else in float16 where the adapter can.

    Raises:
        CompileError: This runtime has no GPU accelerator, or a tensor's type cannot be handed over.
        RuntimeError: LiteRT refuses the model; why stands on standard error.
    """

    def __init__(self, runtime: Runtime, model: str, threads: int, float32: bool) -> None:
        super().__init__(runtime, model, _compile(runtime, model, threads, float32))


def _compile(runtime: Runtime, model: str, threads: int, float32: bool) -> Any:
    try:
        from ai_edge_litert import compiled_model as litert

        options = litert.Options(
            hardware_accelerators=litert.HardwareAccelerator.GPU | litert.HardwareAccelerator.CPU,
            gpu_options=litert.GpuOptions(enforce_f32=float32),
            cpu_options=litert.CpuOptions(num_threads=threads),
        )
    except (ImportError, AttributeError, TypeError) as error:
        raise CompileError(f"{NEEDS}, found {runtime} ({error})") from error
    return litert.CompiledModel.from_file(model, options=options)
