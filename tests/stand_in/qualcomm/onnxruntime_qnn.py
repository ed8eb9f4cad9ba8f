"""A stand-in for the package onnxruntime-qnn: where things lie, and nothing of Qualcomm's."""

from pathlib import Path

_HERE = Path(__file__).parent


def get_library_path():
    """The execution provider."""
    return str(_HERE / "libonnxruntime_providers_qnn.so")


def get_qnn_htp_path():
    """The HTP backend."""
    return str(_HERE / "libQnnHtp.so")
