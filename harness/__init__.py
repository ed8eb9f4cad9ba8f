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

Each module and room imports only from those above it in these lists. The ground floor:

    vocabulary     the words of status, verdict and other closed sets
    version        the version of this package
    install        how to install what is missing
    errors         the one tree of exceptions
    units          the printed form of numbers
    text           text from outside, made harmless
    names          names that are safe as file names
    delegates      what executes a graph, as data
    paths          what stands at a path from outside
    atomic         files that are whole or absent
    outputs        files that a user names, written through links and pipes
    child_process  our own modules in a process of their own
    hashing        hashes of files of any size
    option         the options of users, declared once
    schema         TOML and JSON checked against a declared form
    workspace      the folders with devices/, models/ and results/
    runtime        the TFLite runtime that is installed
    firmware       a Raspberry Pi's firmware and its clock
    settings       how a cell is measured: runs, seconds, processes, images
    cards          model cards
    profiles       device profiles
    archive        members of archives, safely
    download       one file over HTTP, bounded in bytes and in time
    fetch          downloads with a hash

The rooms, in the order of the data:

    statistics     pure numbers: latency, steady state, comparing
    tflite         .tflite files as data
    records        the files of a run on disk
    npu            what a vendor's own compiler and emulator say of its NPU
    rows           records as rows of results
    detectors      output tensors → detections
    accuracy       detections → COCO figures
    recognize      a bare .tflite → a card
    edit           model files edited
    native         our own worker for devices without Python, and what is said with it
    drivers        devices: phones, boards, this computer
    worker         the process that runs a model
    bench          a request → cells → records
    farm           many hosts that measure one run
    session        a request becomes a folder of records, here or on a farm
    edgetpu        Google's Edge TPU compiler
    quantization   smaller models, and what they cost
    conversion     TensorFlow → TFLite
    diagnosis      why a quantized model lost accuracy
    comparison     two runs compared, and a gate
    report         tables, files and the page
    api            a function a command, from Python
    cli            the command line
    __main__       `python -m harness`
"""

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


def __getattr__(name: str) -> object:
    from importlib import import_module

    place = PUBLIC.get(name) or ALSO.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(place), name)
    return found


def __dir__() -> list[str]:
    return sorted(PUBLIC)
