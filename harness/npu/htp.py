"""The HTP backend of Qualcomm's, which computes on x86 what a chip's NPU computes: sessions of ONNX Runtime.

ONNX Runtime may run nothing by itself: its CPU fallback is disabled, and before the first session a control shows that
a back end that is not there is refused. Two chips in one process fail: a process is for one chip.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

from harness.errors import JobError
from harness.npu.context_model import SOURCE, End, context_model

NO_FALLBACK = "session.disable_cpu_ep_fallback"
NOWHERE = "/nowhere/libQnnHtp.so"
ERRORS_ONLY = 3


class NotEmulatedError(JobError):
    """The HTP backend does not run this binary, or something else would run it."""


class HtpSession:
    """One partition's binary, loaded into the HTP backend.

    Args:
        graph: Name of the graph in the binary.
        binary: The vendor's.
        inputs: In order, with the names of the .tflite.
        outputs: The same.

    Raises:
        NotEmulatedError: The backend refuses it; says why.
    """

    def __init__(self, graph: str, binary: bytes, inputs: Sequence[End], outputs: Sequence[End]) -> None:
        runtime, backend = _runtime()
        self._names = [graph_name(end.name) for end in inputs]
        ends = [_graph_ends(inputs), _graph_ends(outputs)]
        self._shapes = [end.shape for end in ends[0]]
        self._session = _open(runtime, context_model(graph, binary, *ends), str(backend))
        if SOURCE not in self._session.get_providers():
            raise NotEmulatedError(
                f"ONNX Runtime runs {graph} with {self._session.get_providers()}, not with QNN"
            )

    def run(self, values: Sequence[Any]) -> list[Any]:
        """Run it on arrays, in the order of its inputs.

        Raises:
            NotEmulatedError: An array has another size than the binary's graph.
        """
        for name, value, shape in zip(self._names, values, self._shapes, strict=True):
            if value.size != prod(shape):
                raise NotEmulatedError(
                    f"tensor {name}: found {list(value.shape)}, and the compiler took it for {list(shape)}: its size "
                    "is known only while the model runs"
                )
        feeds = {
            name: value.reshape(shape)
            for name, value, shape in zip(self._names, values, self._shapes, strict=True)
        }
        return list(self._session.run(None, feeds))


def graph_name(tensor: str) -> str:
    """Return what QNN calls a tensor of the .tflite: letters, digits and underscores."""
    return re.sub(r"[^A-Za-z0-9_]", "_", tensor)


def _graph_ends(side: Sequence[End]) -> list[End]:
    """Return the ends of a graph as ONNX takes them: names of few characters, no scalars."""
    return [End(graph_name(end.name), end.dtype, end.shape or (1,)) for end in side]


def control(graph: str, binary: bytes, inputs: Sequence[End], outputs: Sequence[End]) -> str:
    """Show that nothing runs a binary where the HTP backend is not there; return what is said of it.

    Raises:
        NotEmulatedError: Something runs it, so no figure would be the emulator's.
    """
    runtime, _ = _runtime()
    ends = _graph_ends(inputs), _graph_ends(outputs)
    try:
        _open(runtime, context_model(graph, binary, *ends), NOWHERE)
    except NotEmulatedError as error:
        return str(error)
    raise NotEmulatedError(
        "ONNX Runtime runs the binary without the HTP backend as well: what it gives is not the emulator's"
    )


@cache
def _runtime() -> tuple[Any, Path]:
    """Load ONNX Runtime with the user's own execution provider.

    Raises:
        NotEmulatedError: They cannot be loaded.
    """
    try:
        import onnxruntime
        import onnxruntime_qnn

        onnxruntime.register_execution_provider_library(SOURCE, onnxruntime_qnn.get_library_path())
    except Exception as error:  # a foreign library: whatever it raises, there is no emulator
        raise NotEmulatedError(f"onnxruntime-qnn cannot be loaded: {_plain(error)}") from error
    return onnxruntime, Path(onnxruntime_qnn.get_qnn_htp_path())


def _open(runtime: Any, model: bytes, backend: str) -> Any:
    options = runtime.SessionOptions()
    options.add_session_config_entry(NO_FALLBACK, "1")
    options.log_severity_level = ERRORS_ONLY + 1
    options.intra_op_num_threads = 1
    devices = [device for device in runtime.get_ep_devices() if device.ep_name == SOURCE]
    if not devices:
        raise NotEmulatedError("ONNX Runtime finds no device of onnxruntime-qnn")
    settings: Mapping[str, str] = {"backend_path": backend}
    try:
        options.add_provider_for_devices(devices[:1], settings)
        return runtime.InferenceSession(model, sess_options=options)
    except Exception as error:  # its errors have no common class
        raise NotEmulatedError(f"the HTP backend refuses the binary: {_plain(error)}") from error


def _plain(error: BaseException) -> str:
    return " ".join(str(error).split())
