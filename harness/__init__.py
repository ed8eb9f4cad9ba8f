"""On-device benchmarking and accuracy of TFLite/LiteRT object detectors.

import harness
frame = harness.run(["shapes-float32"], delegates=["cpu:1"])
frame = harness.load_results("results")
frame = harness.compare("results/base", "results/new")

The ground floor, which imports nothing of the package:

    errors       the one tree of exceptions
    units        numbers as people read them
    text         text from outside, made harmless
    names        names that are safe as file names
    version      the version of this package

Above it:

    atomic       files that are whole or absent
    schema       TOML and JSON checked against a declared form
    workspace    the folders with devices/, models/ and results/
    delegates    what executes a graph, as data
    runtime      which TFLite runtime is installed
    firmware     what a Raspberry Pi's firmware says of its clock
    settings     how something is measured
    cards        model cards
    profiles     device profiles
    archive      members of archives, safely
    fetch        downloads with a hash
    session      a request becomes a folder of records
    api          the same as the command line, from Python
"""

from importlib import import_module
from typing import Any

PUBLIC = {
    "HarnessError": "harness.errors",
    "Run": "harness.report.notebook",
    "__version__": "harness.version",
    "compare": "harness.api",
    "load_results": "harness.api",
    "run": "harness.api",
}
"""Where each public name lives; it is imported when it is first asked for, so that `harness --help` loads no numpy."""

__all__ = ["HarnessError", "Run", "__version__", "compare", "load_results", "run"]


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(PUBLIC)
