"""How a report of 10,000 cells (100 runs of 100, raw samples on disk) is read, written and used.

Usage: python -m tests.benchmarks.bench_html [CELLS_A_RUN RUNS] — chromium, its driver and Selenium for the last part.
Wanted for 10,000 cells: table < 3 s and < 500 MB; page < 10 s and < 15 MB; first paint < 2 s; sorting < 200 ms.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np

from harness.records import records
from harness.records.files import checksum
from harness.records.samples import make_samples, to_bytes

PROCESSES, SAMPLES = 5, 200
DELEGATES = ("cpu:1", "cpu:4", "gpu:fp16", "nnapi", "hexagon")
LEVELS = ("float32", "float16", "dynamic-range", "full-integer")
RNG = np.random.default_rng(7)


def write_run(folder: Path, cells: int) -> None:
    folder.mkdir(parents=True)
    run = records.RunFacts(
        format=1, run_id=folder.name, started_at="2026-11-21T09:00:00Z", harness_version="0.1.0"
    )
    (folder / "run.json").write_bytes(msgspec.json.encode(run))
    for number in range(cells):
        write_cell(folder / "cells" / f"{number:04d}", folder.name, number)


def write_cell(folder: Path, run_id: str, number: int) -> None:
    folder.mkdir(parents=True)
    delegate, level = DELEGATES[number % 5], LEVELS[number // 5 % 4]
    model, pace = f"detector-{number // 20}-{level}", float(RNG.uniform(2, 60))
    fell_back = delegate == "hexagon"
    proof = records.DelegateFacts(
        requested=delegate, actual="xnnpack", delegated_nodes=60, total_nodes=64, evidence=("INFO: Created",)
    )
    processes = [write_process(folder, index, pace, proof) for index in range(PROCESSES)]
    figure = float(RNG.uniform(0.15, 0.4))
    names = records.CocoFigures.__struct_fields__
    accuracy = records.AccuracyFacts(
        status="ok",
        dataset="val2017",
        annotations_sha256="b" * 64,
        n_images=5000,
        figures=records.CocoFigures(**{name: figure + index / 100 for index, name in enumerate(names)}),
        ap_per_category={f"class {index}": index / 100 for index in range(80)},
    )
    record = records.Record(
        format=1,
        run_id=run_id,
        cell=folder.name,
        complete=True,
        started_at="2026-11-21T09:00:00Z",
        model=records.ModelFacts(
            name=model,
            sha256=f"{number // 5:064x}",
            size_bytes=4_000_000 + number,
            quantization=level,
            card={},
        ),
        device=records.DeviceFacts(name=f"phone-{number % 3}", kind="adb"),
        delegate=proof,
        status="fallback" if fell_back else "ok",
        threads=4,
        runtime="ai-edge-litert 2.3.0",
        processes=tuple(processes),
        accuracy=accuracy,
    )
    (folder / "record.json").write_bytes(msgspec.json.encode(record))


def write_process(
    folder: Path, index: int, pace: float, proof: records.DelegateFacts
) -> records.ProcessFacts:
    durations = (np.abs(RNG.normal(pace, pace * 0.03, SAMPLES)) * 1e6).astype(np.int64)
    name = f"process-{index}.npy"
    data = to_bytes(make_samples(np.cumsum(durations), durations, 5))
    (folder / name).write_bytes(data)
    return records.ProcessFacts(
        index=index,
        started_at="",
        status="ok",
        delegate=proof,
        init_ns=9_000_000,
        steady_from=5,
        samples=name,
        samples_crc32=checksum(data),
    )


def timed(arguments: list[str]) -> None:
    """Run the command line in a process of its own and say how long it took and what it needed."""
    start = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "harness", "report", *arguments], check=True, stdout=subprocess.DEVNULL
    )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"report {' '.join(arguments[1:]) or 'table'}: {time.monotonic() - start:.1f} s, peak so far {peak:.0f} MiB"
    )


def look(page: Path) -> None:
    """Open the page and say how quick it is."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
             "--disable-background-networking", "--disable-component-update")  # fmt: skip
    with tempfile.TemporaryDirectory() as profile:
        for flag in (*flags, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            driver.get(page.as_uri())
            for name, code in MOMENTS.items():
                print(f"{name}: {driver.execute_script(code):.0f} ms")
            for name, code in ACTIONS.items():
                times = [driver.execute_script(TIMED % code) for _ in range(5)]
                print(f"{name}: median {sorted(times)[2]:.0f} ms, worst {max(times):.0f} ms")
        finally:
            driver.quit()


MOMENTS = {
    "first paint": "return performance.getEntriesByName('first-contentful-paint')[0].startTime",
    "loaded": "return performance.timing.loadEventEnd - performance.timing.navigationStart",
}
TIMED = """
    const begun = performance.now(), find = (what) => document.querySelector(what);
    const change = (what, value) => { what.value = value; what.dispatchEvent(new Event('input')); };
    %s;
    document.body.offsetHeight;
    return performance.now() - begun"""
ACTIONS = {
    "sort by median": "find('th[data-column=latency_median_ms] button').click()",
    "sort by name": "find('th[data-column=model] button').click()",
    "filter by device": "const f = find('#filter-device'); change(f, f.value ? '' : 'phone-1')",
    "search": "const f = find('#filter-text'); change(f, f.value ? '' : 'float16')",
}


def main() -> None:
    cells, runs = (int(text) for text in (sys.argv[1:3] or ("100", "100")))
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "results"
        for number in range(runs):
            write_run(folder / f"20261121-{number:06d}-abcd", cells)
        print(f"{cells * runs} cells of {PROCESSES} processes with {SAMPLES} samples")
        os.environ["HARNESS_CACHE"] = str(Path(work) / "cache")
        page = Path(work) / "report.html"
        for _ in range(2):  # without and with the cache of summaries
            timed([str(folder)])
        timed([str(folder), "-o", str(page)])
        print(f"page: {page.stat().st_size / 1e6:.1f} MB")
        look(page)


if __name__ == "__main__":
    main()
