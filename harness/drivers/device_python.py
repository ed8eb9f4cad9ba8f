"""The Python on a device, and whether our worker can run with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.text import clean

PACKAGES = ("ai-edge-litert", "tflite-runtime", "numpy", "msgspec", "pillow")
MIN_PYTHON = (3, 10)
FOR_LATENCY = ("numpy",)
FOR_ACCURACY = ("msgspec", "pillow")
RUNTIMES = PACKAGES[:2]
"""In order of preference, as in `harness.runtime`."""

PROBE = f"""
import json, sys
try:
    from importlib.metadata import version
except ImportError:
    version = lambda name: None
found = {{}}
for name in {PACKAGES!r}:
    try: found[name] = version(name)
    except Exception: pass
print(json.dumps({{"version": list(sys.version_info[:3]), "packages": found}}))
"""
"""A program that prints the version of the Python that runs it and those of `PACKAGES`."""


@dataclass(frozen=True)
class DevicePython:
    """The Python on a device.

    Attributes:
        version: (major, minor, micro); None where there is none.
        packages: Versions of those of `PACKAGES` that are installed.
    """

    version: tuple[int, ...] | None = None
    packages: Mapping[str, str] = field(default_factory=dict)

    @property
    def runtime(self) -> str | None:
        """Name and version of the TFLite runtime; None without one."""
        name = next((name for name in RUNTIMES if name in self.packages), None)
        return f"{name} {self.packages[name]}" if name else None

    def why_unusable(self, *, accuracy: bool = False) -> str | None:
        """Say why our worker cannot run with it; None where it can."""
        if self.version is None:
            return "no Python was found"
        if self.version[:2] < MIN_PYTHON:
            return f"its Python is {'.'.join(map(str, self.version))}, 3.10 or later is needed"
        lacking = [] if self.runtime else ["ai-edge-litert (or tflite-runtime)"]
        lacking += [n for n in (*FOR_LATENCY, *(FOR_ACCURACY if accuracy else ())) if n not in self.packages]
        return f"its Python lacks {', '.join(lacking)}" if lacking else None


def parse_python(text: str) -> DevicePython:
    """Read what `PROBE` printed; what is not understood is no Python."""
    try:
        printed = json.loads(text.strip().splitlines()[-1])
        version = tuple(int(n) for n in printed["version"])
        packages = {str(k): clean(v) for k, v in printed["packages"].items() if k in PACKAGES and v}
    except (ValueError, LookupError, TypeError, AttributeError):
        return DevicePython()
    return DevicePython(version, packages)
