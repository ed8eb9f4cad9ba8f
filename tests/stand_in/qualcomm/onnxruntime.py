"""A stand-in for ONNX Runtime with QNN: it answers with what the real HTP backend gave for the same input.

It refuses what the real one refuses: a back end that is not there, with the CPU's fallback disabled.
"""

import hashlib
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np

RECORDED = np.load(os.environ["HARNESS_RECORDED_OUTPUTS"])
NO_FALLBACK = "session.disable_cpu_ep_fallback"


def register_execution_provider_library(name, path):
    """Nothing to load."""


def get_ep_devices():
    """One device, as on a computer without an NPU."""
    return [SimpleNamespace(ep_name="CPUExecutionProvider"), SimpleNamespace(ep_name="QNNExecutionProvider")]


class SessionOptions:
    """What is set, kept."""

    def __init__(self):
        self.entries, self.settings = {}, {}

    def add_session_config_entry(self, key, value):
        self.entries[key] = value

    def add_provider_for_devices(self, devices, settings):
        assert [device.ep_name for device in devices] == ["QNNExecutionProvider"]
        self.settings = settings


class InferenceSession:
    """Answers from the recording."""

    def __init__(self, model, sess_options):
        assert b"EPContext" in model
        assert b"a vendor's binary" in model
        assert sess_options.entries[NO_FALLBACK] == "1"
        if not Path(sess_options.settings["backend_path"]).is_file():
            raise RuntimeError("[ONNXRuntimeError] : nodes that are assigned to the default CPU EP")

    def get_providers(self):
        return ["QNNExecutionProvider", "CPUExecutionProvider"]

    def run(self, names, feeds):
        (value,) = feeds.values()
        key = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()[:16]
        if os.environ.get("HARNESS_GARBLED_OUTPUTS"):
            return [RECORDED[f"{key}_{k}"][:, ::-1] for k in range(2)]
        if os.environ.get("HARNESS_LOSSY_OUTPUTS"):
            boxes, scores = (RECORDED[f"{key}_{k}"] for k in range(2))
            return [boxes, (0.8 * scores).astype(scores.dtype)]
        return [RECORDED[f"{key}_{k}"] for k in range(2)]
