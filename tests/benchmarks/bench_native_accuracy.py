"""Images a second of a data set through our worker in C and a real adbd, against the local pipeline and older ways.

Run as root on Debian with `adbd` installed: python -m tests.benchmarks.bench_native_accuracy [--images N] [MODEL…]
MODEL is a card's name or NAME=FILE with --dataset FOLDER; without one, the bundled example. Everything is measured in
one run, in turn, on the same computer: it plays the phone too, so both sides share its processors.

Fails when the stream is slower than 0.85 × the local pipeline with as many threads, when detections differ in a byte,
or when a warm cell takes more than 2 round trips; with the bundled example also when it is slower than 3 × a process an
image (the same worker, started anew for each), or an initialization of 2 s that is paid once is not worth 50 ×.

A process an image costs a start more than the stream, so it is 3 × as slow only where a start takes as long as two
inferences. On an x86 CPU YOLOv5n starts in 0.13 s of CPU time (float16 weights are unpacked; 0.01 s as int8) and infers
in 0.20 s, so at most 1.6 × (1.04 ×) of it is there to be saved, beside the round trips; on a GPU that compiles for
seconds it is nearly all.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from harness.accuracy.prepare import Preparation
from harness.bench.engines.native_worker.check import CheckInput, infer
from harness.bench.engines.native_worker.engine import NativeWorkerEngine
from harness.bench.engines.native_worker.place import PlacedWorker
from harness.bench.engines.native_worker.program import files_with, own_library
from harness.bench.engines.python_worker import PythonWorker
from harness.bench.request import Request
from harness.drivers.local import LocalDevice
from harness.native.programs import find_program
from harness.session import prepare
from harness.settings import Settings
from tests.support import adbd
from tests.support.paths import REPOSITORY

LEAST_OF_LOCAL, LEAST_OF_PROCESSES, LEAST_WITH_INIT = 0.85, 3.0, 50.0
INIT_S = 2.0
ROUNDS = 3
PROCESSES = 4
MOST_TRIPS = 2


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*", default=["shapes-float32"])
    parser.add_argument("--dataset")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    given = parser.parse_args()
    files = files_with(find_program("linux", "x86_64"), own_library())
    with tempfile.TemporaryDirectory() as folder, adbd.Network().entered():
        daemon = adbd.Adbd(15555, Path(folder))
        try:
            device = daemon.device()
            held = [_measure(cell, device, files, Path(folder)) for cell in _cells(given)]
            sys.exit(not all(held))
        finally:
            daemon.kill()


def _cells(given):
    settings = Settings(repetitions=1, min_runs=5, min_seconds=0.1, limit=given.images)
    request = Request(
        models=tuple(given.models),
        delegates=(f"cpu:{given.threads}",),
        dataset=given.dataset,
        workspace=str(REPOSITORY),
        output="/nowhere",
        settings=settings,
    )
    return prepare(request).plan.cells


def _measure(cell, device, files, folder):
    scratch = _Scratch(folder / cell.id)
    engine = NativeWorkerEngine(PlacedWorker(device, files))
    n = len(cell.dataset.images)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        streamed = engine.infer(cell, scratch.new(), lambda done, total: None)
        local = PythonWorker(LocalDevice()).infer(cell, scratch.new(), lambda done, total: None)
        same = streamed.detections.read_bytes() == local.detections.read_bytes()
        ours.append(n / streamed.seconds)
        theirs.append(n / local.seconds)
    of_local = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    each = _process_an_image(cell, device, files)
    of_processes = statistics.median(ours) * each
    trips = _round_trips(cell, device, engine, scratch)
    with_init = _with_initialization(cell, device, files, folder, scratch, n)
    print(
        f"{cell.model.name} {cell.delegate}, {n} images: {statistics.median(ours):.1f} images/s, the local pipeline "
        f"{statistics.median(theirs):.1f} (ratio {of_local:.2f}, {min(ours):.1f}–{max(ours):.1f} and "
        f"{min(theirs):.1f}–{max(theirs):.1f}), a process an image {1 / each:.2f} (ratio {of_processes:.1f}); with "
        f"{INIT_S:.0f} s of initialization {with_init:.1f} ×; {trips} round trips a warm cell; same detections: {same}",
        flush=True,
    )
    bundled = cell.model.name.startswith("shapes")
    starts_matter = not bundled or (of_processes >= LEAST_OF_PROCESSES and with_init >= LEAST_WITH_INIT)
    return same and of_local >= LEAST_OF_LOCAL and trips <= MOST_TRIPS and starts_matter


class _Scratch:
    """Empty folders of one run."""

    def __init__(self, folder):
        self._folder, self._n = folder / ".scratch", 0

    def new(self):
        self._n += 1
        folder = self._folder / str(self._n)
        folder.mkdir(parents=True)
        return folder


def _process_an_image(cell, device, files):
    """Seconds an image, where each has a process of its own that loads, compiles and infers once."""
    worker = PlacedWorker(device, files)
    preparation = Preparation(cell.model.card.input, cell.facts.image_input)
    begin = time.perf_counter()
    for entry in cell.dataset.images[:PROCESSES]:
        with worker.started(cell, cell.delegate) as started:
            infer(started, cell, [CheckInput(*preparation.load(entry.file))])
            started.session.end()
    return (time.perf_counter() - begin) / len(cell.dataset.images[:PROCESSES])


def _with_initialization(cell, device, files, folder, scratch, n):
    """How many times faster one process is than one an image, where each begins with a wait, all of it counted."""
    script = folder / "slow-worker"
    script.write_text(f"#!/bin/sh\nsleep {INIT_S:.0f}\nexec {files.program.path}\n")
    script.chmod(0o755)
    slow = replace(files, program=replace(files.program, path=script))
    engine = NativeWorkerEngine(PlacedWorker(device, slow))
    engine.infer(
        cell, scratch.new(), lambda done, total: None
    )  # what one CPU thread gives is known from here on
    begin = time.perf_counter()
    engine.infer(cell, scratch.new(), lambda done, total: None)
    once = time.perf_counter() - begin
    return n * _process_an_image(cell, device, slow) / once


def _round_trips(cell, device, engine, scratch):
    engine.time(cell, 0, scratch.new())
    before = device.round_trips
    engine.time(cell, 1, scratch.new())
    return device.round_trips - before


if __name__ == "__main__":
    main()
