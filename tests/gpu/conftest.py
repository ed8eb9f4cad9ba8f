"""A GPU for the tests: SwiftShader, a Vulkan driver that computes on the CPU, which chromium brings.

LiteRT's accelerator, its kernels and its log are the real ones; only the adapter is a program.
"""

import ctypes
from pathlib import Path

import pytest

from harness.drivers.local_gpu import DRIVER_VARIABLES, LOADER
from tests.support.native_programs import programs, worker

__all__ = ["gpu", "programs", "swiftshader", "worker"]

FOLDERS = ("/usr/lib/chromium", "/usr/lib64/chromium-browser", "/opt/google/chrome")
NAME = "vk_swiftshader_icd.json"


@pytest.fixture(scope="session")
def swiftshader():
    """The driver's file."""
    found = [Path(folder, NAME) for folder in FOLDERS if Path(folder, NAME).is_file()]
    if not found:
        pytest.skip("SwiftShader, which chromium brings, is not installed")
    try:
        ctypes.CDLL(LOADER)
    except OSError:
        pytest.skip(f"{LOADER} is not installed, which CI installs beside chromium")
    return found[0]


@pytest.fixture
def gpu(swiftshader, monkeypatch):
    """Let every process that this one starts find SwiftShader, and no other driver."""
    for name in DRIVER_VARIABLES:
        monkeypatch.setenv(name, str(swiftshader))
    return swiftshader
