"""Every figure of speed that is promised, each from its own benchmark, in one table.

    python -m tests.benchmarks.bench_all [ROW …] [--full]

A row is a command of tests/benchmarks; what it prints of its figure stands beside what is wanted. `--full` shows all
that each prints. On a busy computer seconds of CPU rise as well as those of the clock: ratios are to be read.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from typing import NamedTuple

from tests.support.paths import REPOSITORY, SHARED_DATA

LIMIT_S = 900.0


class Row(NamedTuple):
    """A promise: what is wanted, the benchmark and its arguments, and the lines that hold the figure."""

    title: str
    wanted: str
    command: tuple[str, ...]
    lines: str


SSD = str(SHARED_DATA / "models" / "ssd_mobilenet_v1_coco_quant.tflite")
COCO50 = str(SHARED_DATA / "coco50")
ROWS = {
    "metrics": Row(
        "COCO metrics, 5,000 images, 490,000 detections, against pycocotools",
        "≥ 90 ×, whole process ≥ 75 ×, ≤ 200 MB, equal to 1e-9",
        ("bench_metrics",),
        r"^(harness|pycocotools|ratio|12 figures)",
    ),
    "workers": Row(
        "a worker's life outside measuring", "≤ 0.06 s at the median", ("bench_workers",), r"^(outside|peak)"
    ),
    "earlier": Row(
        "README's main job, dry run, help, diagnose --try: against an earlier build",
        "main job ≤ 0.5; dry run ≤ 0.6 s CPU; diagnose ≤ 10 s CPU",
        ("bench_earlier",),
        r"",
    ),
    "startup": Row(
        "harness --help against python -c pass, and a dry run",
        "≤ 6 × wall and CPU; ≤ 0.6 s CPU",
        ("bench_startup",),
        r"limit",
    ),
    "prepare": Row(
        "pixels to a model's input, against the table of before",
        "≤ 0.7 ×, bit-equal",
        ("bench_prepare", COCO50),
        r"",
    ),
    "pipeline": Row(
        "accuracy of SSD 300 on all cores, against the ideal",
        "≥ 0.97",
        ("bench_pipeline", SSD, COCO50),
        r"reached",
    ),
    "decoding": Row("YOLO 8,400 × 84, decoding and NMS", "≤ 2 ms", ("bench_decoding",), r"8400|84"),
    "bootstrap": Row(
        "interval of mAP, 5,000 images, 490,000 detections, 1,000 resamples",
        "≤ 3 s",
        ("bench_bootstrap", "--quick", "--images", "5000", "--repeat", "1"),
        r" s \(",
    ),
    "diagnose": Row(
        "measuring of a diagnosis, SSD and YOLO",
        "for comparison",
        ("bench_diagnose", str(SHARED_DATA)),
        r"all",
    ),
    "growth": Row("ten times the work", "exponent ≤ 1.25", ("bench_growth",), r""),
}


def main() -> int:
    """Run the benchmarks and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; all by default")
    parser.add_argument("--full", action="store_true", help="all that each prints")
    options = parser.parse_args()
    failed = [name for name in options.rows or ROWS if not show(ROWS[name], options.full)]
    print(f"\nended with an error: {', '.join(failed)}" if failed else "\nall ended well")
    return 1 if failed else 0


def show(row: Row, full: bool) -> bool:
    """Run one benchmark, and print its figure beside what is wanted."""
    name, *arguments = row.command
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{name}", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    print(
        f"\n{row.title}   [{row.wanted}]   {' '.join(row.command[:1])}, {time.perf_counter() - begin:.0f} s"
    )
    lines = done.stdout.splitlines()
    chosen = lines if full else [line for line in lines if re.search(row.lines, line)]
    print(*(f"    {line}" for line in chosen or lines[-3:]), sep="\n", flush=True)
    if done.returncode:
        print(f"    exit status {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    return done.returncode == 0


if __name__ == "__main__":
    raise SystemExit(main())
