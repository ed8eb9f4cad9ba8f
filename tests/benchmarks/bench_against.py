"""Hold `harness run --against` against what is known: a model against itself, and against itself with an operator more.

    python -m tests.benchmarks.bench_against [--same 12] [--slower 10] [--percent 5] [--rounds 10]

The bundled float model is measured in turn with a copy of it (wanted: nothing is decided, in none of 12 runs), and with
a copy that has one more operator over its input, chosen so that it costs about 5 % (wanted on an idle machine: found in
at least 9 of 10). Each run is one comparison, decided as `harness compare RUN` decides. A run that other programs
disturbed decides nothing by rule, and is counted as such: the second part says something only of an idle machine. What
the operator costs is measured in this process, all models taking turns.

Exit status 1 if an equal pair is called different, or fewer than 9 of 10 undisturbed slower ones are found.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from harness.bench.observer import Silent
from harness.bench.request import Request
from harness.comparison.compare import compare_sides
from harness.comparison.measures import difference_in_turn
from harness.comparison.sides import find_sides
from harness.edit.graph import NewOperator, NewTensor, Plan, apply
from harness.session import carry_out, prepare
from harness.settings import Settings
from harness.tflite.reader import read_graph
from tests.support.paths import REPOSITORY

MODEL = REPOSITORY / "models" / "shapes" / "shapes_float32.tflite"
OPERATORS = (
    "ABS",
    "NEG",
    "FLOOR",
    "ELU",
    "LOGISTIC",
    "TANH",
    "EXP",
    "SIN",
    "COS",
    "ROUND",
    "SIGN",
    "HARD_SWISH",
)
WANTED_SHARE = 0.9


def with_one_more(name: str) -> bytes:
    """Return the model with one operator more: over its input, into an output of its own."""
    data = MODEL.read_bytes()
    graph = read_graph(data, MODEL).primary
    source = graph.tensors[graph.inputs[0]]
    added = len(graph.tensors)
    names = {f"out{k}": tensor for k, tensor in enumerate(graph.outputs)}
    plan = Plan(
        tensors=[NewTensor("more", tuple(source.shape))],
        operators=[NewOperator(name, (graph.inputs[0],), (added,))],
        outputs={**names, "more": added},
    )
    return apply(data, plan, MODEL)


def cost_percent(files: list[Path], turns: int = 400) -> list[float]:
    """Return by how many percent each file is slower than the first, with inferences in turn in this process."""
    from ai_edge_litert.interpreter import Interpreter

    made = [Interpreter(str(file), num_threads=1) for file in files]
    for one in made:
        one.allocate_tensors()
    times = np.empty((turns, len(made)))
    for turn in range(turns):
        for k, one in enumerate(made):
            begin = time.perf_counter_ns()
            one.invoke()
            times[turn, k] = time.perf_counter_ns() - begin
    lower = np.quantile(times[turns // 5 :], 0.25, axis=0)
    return [100 * (value / lower[0] - 1) for value in lower]


def make_slower(folder: Path, percent: float) -> tuple[Path, str]:
    """Write the model with the operator whose cost comes nearest to what is wanted."""
    files = [MODEL]
    for name in OPERATORS:
        file = folder / f"{name}.tflite"
        file.write_bytes(with_one_more(name))
        files.append(file)
    costs = cost_percent(files)
    nearest = min(range(1, len(files)), key=lambda k: abs(costs[k] - percent))
    print(
        "one more operator costs: "
        + ", ".join(f"{f.stem} {c:+.1f}%" for f, c in zip(files, costs, strict=True))
    )
    return files[nearest], f"{OPERATORS[nearest - 1]} ({costs[nearest]:+.1f}%)"


def compare_once(base: Path, new: Path, rounds: int, folder: Path):
    """Measure two files in turn and return their comparison."""
    request = Request(
        models=(f"new={new}",),
        against=f"base={base}",
        delegates=("cpu:1",),
        workspace=str(REPOSITORY),
        output=str(folder),
        settings=Settings(accuracy=False),
        repetitions=rounds,
    )
    outcome = carry_out(prepare(request), Silent())
    compared = compare_sides(find_sides([str(outcome.folder)], (), (), folder))
    (cell,) = compared.comparisons
    (latency,) = compared.decisions.latency
    return cell, latency


def alone(cell):
    """Return what the rounds say, whatever disturbed them."""
    return difference_in_turn("latency_median_ms", *cell.pair.sides.values())


def count(title: str, base: Path, new: Path, n: int, rounds: int) -> Counter[str]:
    """Compare n times, print each, and count what was decided; `disturbed` where other programs were in the way."""
    found: Counter[str] = Counter()
    print(f"\n{title}: {n} runs of {rounds} rounds")
    for turn in range(1, n + 1):
        with tempfile.TemporaryDirectory() as place:
            cell, latency = compare_once(base, new, rounds, Path(place))
            free = alone(cell).decision
        word = "disturbed" if cell.disturbed and latency.decision == "~" else latency.decision
        found[word] += 1
        shown = "unknown" if latency.percent is None else f"{latency.percent:+.1f}%"
        ends = (
            "" if latency.low is None else f" ({latency.low:+.1f}…{latency.high:+.1f}%, p = {latency.p:.2g})"
        )
        print(
            f"  {turn:2}: {shown}{ends}: {word}; by its rounds alone {free}; load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
        found[f"alone {free}"] += 1
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--same", type=int, default=12)
    parser.add_argument("--slower", type=int, default=10)
    parser.add_argument("--percent", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    missed = False
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        same = folder / "same.tflite"
        shutil.copy(MODEL, same)
        equal = count("the same file", MODEL, same, options.same, options.rounds)
        wrong = equal["slower"] + equal["faster"]
        print(f"decided of equal models: {wrong} of {options.same} (wanted 0)")
        if options.slower:
            slower, name = make_slower(folder, options.percent)
            found = count(f"one more operator, {name}", MODEL, slower, options.slower, options.rounds)
            free = options.slower - found["disturbed"]
            print(f"found: {found['slower']} of {free} undisturbed runs, {found['disturbed']} disturbed")
            print(
                f"by their rounds alone: {found['alone slower']} of {options.slower} (wanted on an idle machine: 90 %)"
            )
            missed = free > 0 and found["slower"] < WANTED_SHARE * free
    sys.exit(wrong > 0 or missed)


if __name__ == "__main__":
    main()
