"""What a run was made with, for `run.json`."""

from __future__ import annotations

import os
import platform
from typing import Any

PACKAGES = (
    "ai-edge-litert",
    "tflite-runtime",
    "numpy",
    "pillow",
    "hotcoco",
    "pycocotools",
    "pandas",
    "adb-shell",
)


def describe_environment() -> dict[str, Any]:
    """Return Python, system and the versions of the packages that figures depend on (None: not installed)."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "load_average": _load_average(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(name: str) -> str | None:
    from importlib import metadata  # late: it loads more than a plan that is only looked at needs

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _load_average() -> float | None:
    try:
        return os.getloadavg()[0]
    except OSError:
        return None
