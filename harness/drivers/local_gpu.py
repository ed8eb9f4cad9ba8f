"""The GPU of this computer as LiteRT's accelerator reaches it, and what prevents it."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.delegates import Delegate
from harness.paths import found_in, is_file, is_folder

LOADER = "libvulkan.so.1"
ACCELERATORS = ("libLiteRtWebGpuAccelerator", "libLiteRtGpuAccelerator")
"""Parts of ai-edge-litert 2.3.0; the second one is what LiteRT looks for first."""
NO_RUNTIME = "the GPU of this computer is reached through ai-edge-litert 2.3 or later, which is not installed"
NO_ACCELERATOR = "this ai-edge-litert comes without a GPU accelerator: 2.3 or later has one for this system"
NO_LOADER = f"there is no Vulkan loader ({LOADER}): `apt install libvulkan1` on Debian and Ubuntu"
NO_DRIVER = (
    "no Vulkan driver is installed: the GPU's own brings one, and Mesa's (`apt install mesa-vulkan-drivers`) computes "
    "on the CPU where there is no GPU"
)
DRIVER_VARIABLES = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")
"""They name drivers instead of the folders (Vulkan-Loader, LoaderDriverInterface); the second is the older name."""


@dataclass(frozen=True)
class LocalGpu:
    """What stands between LiteRT and the GPU of this computer.

    Attributes:
        drivers: Names of the Vulkan drivers that are installed; empty where the system needs none.
        missing: What is missing, in words; empty where nothing is.
    """

    drivers: tuple[str, ...] = ()
    missing: str = ""


def find_gpu(variables: Mapping[str, str] | None = None) -> LocalGpu:
    """Look for what LiteRT's GPU accelerator needs; whether an adapter answers shows when a model is compiled."""
    litert = importlib.util.find_spec("ai_edge_litert")
    if litert is None or litert.origin is None:
        return LocalGpu(missing=NO_RUNTIME)
    folder = Path(litert.origin).parent
    if not any(found_in(folder, f"{name}.*") for name in ACCELERATORS):
        return LocalGpu(missing=NO_ACCELERATOR)
    if not sys.platform.startswith("linux"):
        return LocalGpu()  # Metal and Direct3D are parts of their systems
    drivers = tuple(dict.fromkeys(_drivers(os.environ if variables is None else variables)))
    try:
        ctypes.CDLL(LOADER)
    except OSError:
        return LocalGpu(drivers, NO_LOADER)
    return LocalGpu(drivers, "" if drivers else NO_DRIVER)


def _drivers(variables: Mapping[str, str]) -> Iterator[str]:
    named = next((variables[name] for name in DRIVER_VARIABLES if variables.get(name)), None)
    if named is not None:
        files = [Path(part) for part in named.split(os.pathsep) if part]
        found = (file for each in files for file in (found_in(each, "*.json") if is_folder(each) else [each]))
        yield from (file.stem for file in found if is_file(file))
        return
    data = variables.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    home = variables.get("XDG_DATA_HOME") or f"{variables.get('HOME', '/')}/.local/share"
    for base in ("/etc", home, *data.split(os.pathsep)):
        yield from (file.stem for file in sorted(found_in(Path(base, "vulkan/icd.d"), "*.json")))


def why_unavailable(delegate: Delegate) -> str | None:
    """Say why `gpu` is known not to work on this computer; None where nothing is in the way."""
    backend = delegate.option("backend")
    if backend is not None:
        return f"{delegate}: {backend} is an interface of phones; this computer's GPU is `gpu` alone"
    return find_gpu().missing or None
