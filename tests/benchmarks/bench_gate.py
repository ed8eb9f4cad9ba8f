"""Hold the regression gate against simulated runs whose truth is known, and print how often it decides how.

    python -m tests.benchmarks.bench_gate [--pairs N] [--seed N]

Each pair is two runs on disk, written by the code that writes real ones and compared as `harness compare` does: 5
processes a cell that differ by 1 % from one to the next (normal on logarithms), 60 inferences each with 2 % of noise of
their own. Some cases are devices with two states: half of their processes are 20 % slower. Exit status 1 if a target is
missed: of pairs with nothing changed at most 5 % fail; of pairs that are really 10 % slower at least 99 % fail; where
the data cannot know, at least 90 % are undecided.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from harness.comparison.compare import compare_results
from harness.comparison.expression import parse
from harness.comparison.gate import judge
from harness.records import records
from harness.records.records import DelegateFacts, DeviceFacts, ModelFacts, ProcessFacts, Record, RunFacts
from harness.records.samples import make_samples, to_bytes

CONDITION = "latency_median_ms > 5%"
BASE_NS = 8e6
STARTED = "2026-11-22T00:00:00Z"


def write_run(folder, rng, factor=1.0, processes=5, spread=0.01, samples=60, cells=1, slow_share=0.0):
    """Write a run whose cells are `factor` times as slow as the base."""
    facts = RunFacts(format=records.FORMAT, run_id=folder.name, started_at=STARTED, harness_version="0.1.0")
    records.save(folder / "run.json", facts)
    for index in range(cells):
        cell = f"{index:04d}"
        write_cell(folder / "cells" / cell, cell, rng, factor, processes, spread, samples, slow_share)
    return folder


def write_cell(folder, cell, rng, factor, processes, spread, samples, slow_share):
    folder.mkdir(parents=True)
    delegate = DelegateFacts(requested="cpu:1", actual="xnnpack", delegated_nodes=20, total_nodes=24)
    found = []
    for index in range(processes):
        level = (
            BASE_NS
            * factor
            * np.exp(spread * rng.standard_normal())
            * (1.2 if rng.random() < slow_share else 1)
        )
        durations = (level * np.exp(0.02 * rng.standard_normal(samples))).astype(np.int64)
        (folder / f"process-{index}.npy").write_bytes(
            to_bytes(make_samples(np.cumsum(durations), durations, 0))
        )
        found.append(
            ProcessFacts(
                index=index,
                started_at=STARTED,
                status="ok",
                delegate=delegate,
                steady_from=0,
                samples=f"process-{index}.npy",
            )
        )
    record = Record(
        format=records.FORMAT,
        run_id=folder.parents[1].name,
        cell=cell,
        complete=True,
        started_at=STARTED,
        model=ModelFacts(name=f"m{cell}", sha256="a" * 64, size_bytes=1, quantization="float32", card={}),
        device=DeviceFacts(name="local", kind="local"),
        delegate=delegate,
        status="ok",
        threads=1,
        runtime="simulated 1.0",
        processes=tuple(found),
    )
    records.save(folder / "record.json", record)


def outcomes(pairs, seed, factor=1.0, condition=CONDITION, **how):
    """Return how often the gate decided how, over simulated pairs."""
    rng = np.random.default_rng(seed)
    found = Counter()
    for _ in range(pairs):
        with tempfile.TemporaryDirectory() as place:
            base = write_run(Path(place) / "base", rng, **how)
            new = write_run(Path(place) / "new", rng, factor, **how)
            found[judge(compare_results([base], [new]), [parse(condition)]).outcome] += 1
    return found


CASES = (
    ("nothing changed", {}, ("fail", "at most", 0.05)),
    ("nothing changed, 12 cells a run", {"cells": 12}, ("fail", "at most", 0.05)),
    (
        "nothing changed, any change forbidden",
        {"condition": "latency_median_ms > 0%"},
        ("fail", "at most", 0.05),
    ),
    ("10 % slower", {"factor": 1.1}, ("fail", "at least", 0.99)),
    ("10 % faster", {"factor": 1 / 1.1}, ("pass", "at least", 0.99)),
    ("exactly at the threshold", {"factor": 1.05}, ("fail", "at most", 0.05)),
    ("two states, nothing changed", {"slow_share": 0.5}, ("fail", "at most", 0.05)),
    ("two states, 3 processes", {"slow_share": 0.5, "processes": 3}, ("fail", "at most", 0.05)),
    ("3 processes that differ by 10 %", {"processes": 3, "spread": 0.1}, ("undecided", "at least", 0.9)),
    ("10 % slower, 2 processes", {"processes": 2, "factor": 1.1}, ("undecided", "at least", 1.0)),
    ("10 % slower, 1 process", {"processes": 1, "factor": 1.1}, ("undecided", "at least", 1.0)),
)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    missed = 0
    print(f"{'truth':40} {'fail':>6} {'pass':>6} {'undecided':>9}   wanted")
    for name, how, (outcome, bound, share) in CASES:
        found = outcomes(options.pairs, options.seed, **how)
        shares = {key: found[key] / options.pairs for key in ("fail", "pass", "undecided")}
        good = shares[outcome] <= share if bound == "at most" else shares[outcome] >= share
        missed += not good
        texts = "{fail:6.1%} {pass:6.1%} {undecided:9.1%}".format(**shares)
        print(f"{name:40} {texts}   {outcome} {bound} {share:.0%}: {'reached' if good else 'MISSED'}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
