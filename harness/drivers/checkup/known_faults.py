"""The known faults of the runtimes and tools that are installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata

from harness.drivers.checkup.check import Check, State
from harness.tflite.known_faults import faults_of_version, known_faults


def check_known_faults(device: str) -> Iterator[Check]:
    """Name the known faults of each installed runtime and tool; whether a model has them, the model tells."""
    names = dict.fromkeys(versions.name for fault in known_faults() for versions in fault.runtimes)
    for name in names:
        try:
            version = f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
        found = ", ".join(fault.name for fault in faults_of_version(version)) or "none"
        reason = "" if found == "none" else "`harness inspect MODEL` says which of them a model has"
        yield Check(device, "known faults", State.OK, f"{version}: {found}", reason)
