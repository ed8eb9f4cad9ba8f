"""On-device benchmarking and accuracy of TFLite/LiteRT object detectors.

import harness
frame = harness.run("shapes-float32", delegates="cpu:1")
frame = harness.load_results("results")
frame = harness.compare("base", "new", fail_if="map < -0.005")
frame = harness.evaluate("instances_val.json", "detections.json")
frame = harness.detect("ssd.tflite", "street.jpg")
facts = harness.inspect("ssd.tflite")
frame = harness.quantize("ssd.tflite", mode="float16", output="ssd_f16.tflite")
frame = harness.convert("saved_model", mode="float16", output="ssd.tflite")
found = harness.diagnose("ssd.tflite", "ssd_int8.tflite", dataset="coco")

The ground floor, which imports nothing of the package:

    vocabulary     the words of status, verdict and other closed sets
    errors         the one tree of exceptions
    units          numbers as people read them
    text           text from outside, made harmless
    names          names that are safe as file names
    version        the version of this package

Above it:

    delegates      what executes a graph, as data
    atomic         files that are whole or absent
    child_process  our own modules in a process of their own
    hashing        hashes of files of any size
    option         what a user may say, declared once
    schema         TOML and JSON checked against a declared form
    workspace      the folders with devices/, models/ and results/
    runtime        which TFLite runtime is installed
    firmware       what a Raspberry Pi's firmware says of its clock
    settings       how something is measured
    cards          model cards
    profiles       device profiles
    archive        members of archives, safely
    fetch          downloads with a hash
    session        a request becomes a folder of records
    api            the same as the command line, from Python
"""

from importlib import import_module
from typing import Any

PUBLIC = {
    "Run": "harness.report.notebook",
    "__version__": "harness.version",
    "compare": "harness.api.compare",
    "convert": "harness.api.convert",
    "detect": "harness.api.detect",
    "diagnose": "harness.api.diagnose",
    "evaluate": "harness.api.evaluate",
    "inspect": "harness.api.inspect",
    "load_results": "harness.api.load_results",
    "quantize": "harness.api.quantize",
    "run": "harness.api.run",
}
"""Where each public name lives; it is imported when it is first asked for, so that `harness --help` loads no numpy."""

ALSO = {"HarnessError": "harness.errors"}
"""What is there for `except harness.HarnessError`, and is not listed."""

__all__ = [
    "Run",
    "__version__",
    "compare",
    "convert",
    "detect",
    "diagnose",
    "evaluate",
    "inspect",
    "load_results",
    "quantize",
    "run",
]


def __getattr__(name: str) -> Any:
    place = PUBLIC.get(name) or ALSO.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(place), name)


def __dir__() -> list[str]:
    return sorted(PUBLIC)
