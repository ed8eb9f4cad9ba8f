"""Every figure of speed that is promised, each from its own benchmark, in one table.

    python -m tests.benchmarks.bench_all [ROW …] [--full]

A row is a command of tests/benchmarks that runs within three minutes on a quiet computer, and the figures that are
read from what it prints; `--full` shows all of that. On a busy computer seconds rise, those of CPU as well as those of
the clock: ratios are to be read. What takes longer stands in the table with the command that measures it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

from tests.support.paths import REPOSITORY, SHARED_DATA

LIMIT_S = 180.0
SSD = str(SHARED_DATA / "models" / "ssd_mobilenet_v1_coco_quant.tflite")
COCO50 = str(SHARED_DATA / "coco50")
NUMBER = r"([-+\d.]+(?:e[-+]?\d+)?)"


class Figure(NamedTuple):
    """A promise.

    Attributes:
        what: What is measured.
        pattern: Finds it in what the benchmark prints; `#` stands for the number.
        wanted: The relation and the limit: `<= 0.6`.
        unit: Of both.
    """

    what: str
    pattern: str
    wanted: str
    unit: str = ""


class Row(NamedTuple):
    """A benchmark with its arguments, and the promises that it measures."""

    command: tuple[str, ...]
    figures: tuple[Figure, ...]


PEAK = r"peak # MB"
EARLIER = r"(?:\s+[\d.]+){2}\s+#\s+[\d.]+\s+[\d.]+\s+[\d.]+$"
"""The CPU seconds of the present build in a line of bench_earlier."""
EARLIER_RATIO = r"(?:\s+[\d.]+){4}\s+#\s+[\d.]+$"
# fmt: off
ROWS = {
    "metrics": Row(("bench_metrics",), (
        Figure("COCO metrics, 490,000 detections, to pycocotools", r"^ratio\s+#", ">= 90", "×"),
        Figure("    whole process", r"^ratio\s+[\d.]+\s+[\d.]+\s+#", ">= 75", "×"),
        Figure("    memory", r"^harness\s+(?:[\d.]+\s+){4}#", "<= 200", "MB"),
        Figure("    greatest difference", r"greatest difference #", "<= 1e-9"),
    )),
    "workers": Row(("bench_workers",), (
        Figure("a worker's life outside measuring", r"^outside .* forked\s+#", "<= 0.06", "s"),
        Figure("    peak memory to a new start's", r"^peak .* ratio #", "<= 1.02"),
    )),
    "run": Row(("bench_earlier", "run"), (
        Figure("README's main job, CPU to an earlier build's", rf"after install{EARLIER_RATIO}", "<= 0.5"),
    )),
    "startup": Row(("bench_startup",), (
        Figure("harness --help to python -c pass", r"^(?:harness --help: |ratio )#", "<= 6", "×"),
        Figure("harness run MODEL --dry-run, CPU", r"dry-run: # s CPU", "<= 0.6", "s"),
    )),
    "report": Row(("bench_report",), (
        Figure("report of 10,000 cells, no rows kept, CPU", r"^without rows\s+#", "<= 2.0", "s"),
        Figure("    with rows, CPU", r"^with rows\s+#", "<= 1.2", "s"),
        Figure("    page, CPU", r"^page\s+#", "<= 3", "s"),
        Figure("    page, memory", rf"^page\s.*{PEAK}", "<= 200", "MB"),
    )),
    "pipeline": Row(("bench_pipeline", SSD, COCO50, "--repeat", "3"), (
        Figure("accuracy of SSD 300 on all cores, to the ideal", r"reached / ideal #", ">= 0.97"),
    )),
    "prepare": Row(("bench_prepare", COCO50), (
        Figure("    pixels to an input, to a table's time (the worst)", r"now .* ratio #", "<= 0.7"),
        Figure("    an image of COCO to an input, to that with a table", r"ratio of the whole #", "<= 0.7"),
    )),
    "decoding": Row(("bench_decoding",), (
        Figure("YOLO 8,400 × 84, decoding and NMS, CPU (the worst)", r"^\[1, 8\d+, 8\d+\] yolov8: #", "<= 2", "ms"),
    )),
    "bootstrap": Row(("bench_bootstrap", "--quick", "--images", "5000", "--repeat", "1"), (
        Figure("interval of mAP, 490,000 detections × 1,000, CPU", r"s \(# s of CPU", "<= 3", "s"),
    )),
    "farm": Row(("bench_farm", "accuracy", "--images", "1100", "--turns", "2"), (
        Figure("farm: shared accuracy to the same cell alone", r"^ratio\s+#", ">= 0.92"),
        Figure("    by CPU", r"^ratio_of_cpu_times\s+#", ">= 0.92"),
    )),
    "probe": Row(("bench_probe", SSD, COCO50), (
        Figure("models probe, SSD, 20 images", r"^probe, .*: # s, ", "<= 10", "s"),
        Figure("    CPU to that of its inferences", r"^ratio of CPU times #", "<= 1.5"),
    )),
    "diagnose": Row(("bench_earlier", "diagnose"), (
        Figure("diagnose of the bundled pair with --try, CPU", rf"--try{EARLIER}", "<= 10", "s"),
    )),
    "growth": Row(("bench_growth",), (
        Figure("ten times the work, exponent (the worst)", r"\d\s+#$", "<= 1.25"),
    )),
}
# fmt: on
BY_HAND = {
    "README's test command, at most 4 min": "time python -m pytest -q -n auto -m 'not slow'",
    "all that CI runs, at most 15 min": "time .ci/run",
}


def main() -> int:
    """Run the benchmarks and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; all by default")
    parser.add_argument("--full", action="store_true", help="all that each prints")
    options = parser.parse_args()
    print(f"{'what':55}{'measured':>12}{'wanted':>12}  met?  benchmark, its seconds")
    met = [line for name in options.rows or ROWS for line in measure(ROWS[name], options.full)]
    for what, command in BY_HAND.items():
        print(f"{what:55}{'by hand':>12}{'':12}        {command}")
    print(f"\n{sum(met)} of {len(met)} met")
    return 0 if all(met) else 1


def measure(row: Row, full: bool) -> Iterator[bool]:
    """Run one benchmark, print its lines of the table, and yield whether each figure is as wanted."""
    begin = time.perf_counter()
    text = printed(row.command)
    words = f"{row.command[0]}, {time.perf_counter() - begin:.0f}"
    for figure in row.figures:
        value = worst(figure, text)
        met = value is not None and is_met(figure.wanted, value)
        measured = "not told" if value is None else f"{value:g} {figure.unit}"
        wanted = f"{figure.wanted} {figure.unit}"
        print(f"{figure.what:55}{measured:>12}{wanted:>12}  {'yes' if met else 'NO':5} {words}", flush=True)
        yield met
    if full or any(worst(figure, text) is None for figure in row.figures):
        print(*(f"    | {line}" for line in text.splitlines()), sep="\n", flush=True)


def printed(command: tuple[str, ...]) -> str:
    """Return what a benchmark prints; where it takes too long, what it has printed by then."""
    name, *arguments = command
    whole = [sys.executable, "-m", f"tests.benchmarks.{name}", *arguments]
    try:
        done = subprocess.run(
            whole, cwd=REPOSITORY, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        so_far = error.stdout.decode() if isinstance(error.stdout, bytes) else error.stdout or ""
        return f"{so_far}\nended after {LIMIT_S:.0f} s"
    return done.stdout if done.returncode == 0 else f"{done.stdout}\n{done.stderr[-1000:]}"


def worst(figure: Figure, text: str) -> float | None:
    """Return the figure in a text; of several, the one that is furthest from what is wanted."""
    found = re.findall(figure.pattern.replace("#", NUMBER), text, re.MULTILINE)
    choose = max if figure.wanted.startswith("<=") else min
    return choose(map(float, found), default=None)


def is_met(wanted: str, value: float) -> bool:
    """Whether a value is as wanted."""
    relation, limit = wanted.split()
    return value <= float(limit) if relation == "<=" else value >= float(limit)


if __name__ == "__main__":
    raise SystemExit(main())
