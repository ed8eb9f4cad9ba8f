"""Hold comparing, the median's interval and tables of cells against kinds of processes whose truth is known.

    python -m tests.benchmarks.bench_kinds [--quick] [--seed N] [kinds|designs|rounds|tables|precision …]

kinds:   coverage of the median's interval, false alarms, and how often a slow-down is found, by kind and number of
         processes. The kinds are of process medians: what samples inside a process do is in bench_statistics.py.
designs: false alarms where something lasts longer than a round (bursts, a wandering clock, a level per run, drift), for
         one run after the other, cells in turn, and several runs a side in turn.
rounds:  the interleaved design, both sides in each round, compared round by round: coverage of the difference, false
         alarms, and how often a slow-down is found.
tables:  how many tables of 20 unchanged cells claim anything, and how often one of 20 that is 10 % slower is found.
precision: how often the interval holds the median where processes are added until it is narrow enough.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from harness.statistics.comparing import Difference, compare
from harness.statistics.latency import median_interval
from harness.statistics.many import p_among_many, stand_out
from harness.statistics.paired import compare_rounds

Floats = npt.NDArray[np.float64]
Kind = Callable[[np.random.Generator, tuple[int, ...]], Floats]
"""(generator, shape) -> logarithms of process medians around 0."""
BASE_NS = 1e7
SIZES = (2, 3, 4, 5, 10, 20)
SECONDS = 2.0
"""What one process of a cell takes in the designs."""


def states(slow: float) -> Kind:
    return lambda rng, shape: np.log(1.2) * (rng.random(shape) < slow) + 0.01 * rng.standard_normal(shape)


def ticks(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return np.log(np.round(100 * np.exp(0.004 * rng.standard_normal(shape))) / 100)


def wandering(rho: float) -> Kind:
    """Processes whose medians follow one another: an AR(1) over the processes of a cell."""

    def make(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
        steps, found = rng.standard_normal(shape), np.empty(shape)
        found[..., 0] = steps[..., 0]
        for k in range(1, shape[-1]):
            found[..., k] = rho * found[..., k - 1] + np.sqrt(1 - rho**2) * steps[..., k]
        return 0.01 * found

    return make


KINDS: dict[str, Kind] = {
    "normal, sd 1 %": lambda rng, shape: 0.01 * rng.standard_normal(shape),
    "normal, sd 5 %": lambda rng, shape: 0.05 * rng.standard_normal(shape),
    "big/little 85/15": states(0.15),
    "big/little 70/30": states(0.3),
    "big/little 55/45": states(0.45),
    "three clusters": lambda rng, shape: (
        rng.choice([0, 0.05, 0.12], shape) + 0.005 * rng.standard_normal(shape)
    ),
    "t2": lambda rng, shape: 0.01 * rng.standard_t(2, shape),
    "Cauchy": lambda rng, shape: np.clip(0.01 * rng.standard_cauchy(shape), -2, 5),
    "skew": lambda rng, shape: 0.01 * rng.exponential(1, shape) ** 1.5,
    "outlier processes": lambda rng, shape: (
        0.01 * rng.standard_normal(shape) + 0.3 * (rng.random(shape) < 0.1)
    ),
    "AR(1), rho 0.5": wandering(0.5),
    "ticks of 1 %": ticks,
}


def bursts(length: float, gap: float) -> Callable[[np.random.Generator, Floats], Floats]:
    """Bursts of so many seconds, 30 % slower, with such gaps between them (exponential both)."""

    def level(rng: np.random.Generator, times: Floats) -> Floats:
        ends = np.cumsum(rng.exponential([gap, length], (int(times.max() / (gap + length)) + 40, 2)).ravel())
        ends -= rng.uniform(0, gap + length)
        return 0.26 * (np.searchsorted(ends, times) % 2)

    return level


def clock(rng: np.random.Generator, times: Floats) -> Floats:
    """A clock that wanders: a random walk of 1 % in 30 s that is drawn back."""
    grid = np.arange(0, times.max() + 5, 5.0)
    walk = np.zeros(len(grid))
    for k, step in enumerate(rng.standard_normal(len(grid) - 1) * 0.01 * np.sqrt(5 / 30), 1):
        walk[k] = 0.97 * walk[k - 1] + step
    return np.interp(times, grid, walk)


def run_levels(rng: np.random.Generator, times: Floats) -> Floats:
    """A level of 2 % for each run; a run takes `RUN_S`."""
    runs = (times // RUN_S).astype(int)
    return 0.02 * rng.standard_normal(runs.max() + 1)[runs]


def drift(rng: np.random.Generator, times: Floats) -> Floats:
    """Two percent slower each minute, with heat."""
    return 0.02 * times / 60


RUN_S = 60.0
LASTING = {
    "bursts of 5 s, gaps of 20 s": bursts(5, 20),
    "bursts of 30 s, gaps of 90 s": bursts(30, 90),
    "bursts of 120 s, gaps of 240 s": bursts(120, 240),
    "wandering clock": clock,
    "a level per run": run_levels,
    "drift": drift,
}
"""What lasts longer than a process, as the logarithm of the level at times in s."""


def cell(logs: Floats) -> list[npt.NDArray[np.int64]]:
    return [np.array([value], dtype=np.int64) for value in np.rint(BASE_NS * np.exp(logs)).astype(np.int64)]


def kinds(rng: np.random.Generator, repetitions: int) -> None:
    print("Coverage of the median, false alarms, and a slow-down found, in %; wanted: 93-97, at most 5\n")
    print(f"{'kind':20} {'n':>3} {'covers':>7} {'alarms':>7} {'+3 %':>6} {'+5 %':>6} {'+10 %':>6}")
    for name, make in KINDS.items():
        true = BASE_NS * float(np.exp(np.median(make(rng, (100_001, 3))[:, -1])))
        for n in SIZES:
            covered, found = 0, np.zeros(4)
            for first, second in make(rng, (repetitions, 2, n)):
                low, high = median_interval(cell(first)) or (0, np.inf)
                covered += low <= true <= high
                for k, slower in enumerate((0, 0.03, 0.05, 0.1)):
                    decision = compare(cell(first), cell(second + np.log1p(slower))).decision
                    found[k] += decision != "~" if k == 0 else decision == "slower"
            shares = " ".join(f"{100 * share:6.1f}" for share in found / repetitions)
            print(f"{name:20} {n:3} {100 * covered / repetitions:7.1f}  {shares}", flush=True)


def designs(rng: np.random.Generator, repetitions: int) -> None:
    print("\nFalse alarms in % where something lasts longer than a process; wanted: at most 6\n")
    print(
        f"{'what lasts':32} {'A then B, 5':>12} {'20':>5} {'in turn, 5':>11} {'20':>5} {'4 runs of 5 a side':>19}"
    )
    for name, level in LASTING.items():
        shares = [_apart(rng, repetitions, level, 5, RUN_S), _apart(rng, repetitions, level, 20, RUN_S)]
        shares += [_in_turn(rng, repetitions, level, 5), _in_turn(rng, repetitions, level, 20)]
        shares += [_runs(rng, repetitions, level)]
        print(f"{name:32} " + " ".join(f"{100 * share:8.1f}" for share in shares), flush=True)


def _alarm(first: Floats, second: Floats, rng: np.random.Generator) -> bool:
    noise = 0.005 * rng.standard_normal((2, first.size))
    return compare(cell(first + noise[0]), cell(second + noise[1])).decision != "~"


def _apart(rng, repetitions, level, n, run_s) -> float:
    """One run after the other; two cells of one run alternate, so a process starts every second `SECONDS`."""
    starts = 2 * SECONDS * np.arange(n)
    times = np.concatenate([starts, starts + max(run_s, 2 * SECONDS * n)])
    return float(np.mean([_alarm(*np.split(level(rng, times), 2), rng) for _ in range(repetitions)]))


def _in_turn(rng, repetitions, level, n) -> float:
    """Both in one plan, in turn, in changing order."""
    hits = 0
    for _ in range(repetitions):
        found = level(rng, SECONDS * np.arange(2 * n)).reshape(n, 2)
        found = rng.permuted(found, axis=1)
        hits += _alarm(found[:, 0], found[:, 1], rng)
    return hits / repetitions


def _runs(rng, repetitions, level) -> float:
    """Four runs a side, A B A B, the run as the unit."""
    hits = 0
    for _ in range(repetitions):
        times = (RUN_S * np.arange(8)[:, None] + 2 * SECONDS * np.arange(5)).ravel()
        medians = np.median(level(rng, times).reshape(8, 5), axis=1)
        hits += _alarm(medians[::2], medians[1::2], rng)
    return hits / repetitions


def rising(rng: np.random.Generator, times: Floats) -> Floats:
    """15 % slower from the first round to the last."""
    return 0.15 * times / max(times.max(), 1.0)


def walking(rng: np.random.Generator, times: Floats) -> Floats:
    """A clock that leaps by 2 % from process to process."""
    return np.cumsum(0.02 * rng.standard_normal(times.size))


def round_levels(rng: np.random.Generator, times: Floats) -> Floats:
    """A level of 5 % for each round, as two cells with minutes between the rounds have it."""
    return np.repeat(0.05 * rng.standard_normal(times.size // 2), 2)


STRONG = {"15 % slower at the end": rising, "a clock that leaps": walking, "a level per round": round_levels}


def rounds(rng: np.random.Generator, repetitions: int) -> None:
    print("\nBoth sides in each round: coverage of the difference, false alarms, found, in %\n")
    print(f"{'kind':32} {'n':>3} {'covers':>7} {'alarms':>7} {'+3 %':>6} {'+5 %':>6} {'+10 %':>6}")
    for name, make in KINDS.items():
        _round_lines(name, lambda n, make=make: make(rng, (2, n)), repetitions)
    for name, level in (LASTING | STRONG).items():
        _round_lines(name, lambda n, level=level: _one_run(rng, level, n), repetitions)


def _one_run(rng: np.random.Generator, level, n: int) -> Floats:
    """As `harness run --against`: of two rounds the first in an order by chance, the second in the reverse."""
    found = level(rng, SECONDS * np.arange(2 * n)).reshape(n, 2)
    turned = np.repeat(rng.random(n // 2 + 1) < 0.5, 2)[:n] ^ (np.arange(n) % 2 == 1)
    found[turned] = found[turned, ::-1]
    return found.T + 0.005 * rng.standard_normal((2, n))


def _round_lines(name: str, draw: Callable[[int], Floats], repetitions: int) -> None:
    for n in SIZES:
        covered, found = 0, np.zeros(4)
        for _ in range(repetitions):
            first, second = draw(n)
            for k, slower in enumerate((0, 0.03, 0.05, 0.1)):
                seen = compare_rounds(cell(first), cell(second + np.log1p(slower)))
                found[k] += seen.decision != "~" if k == 0 else seen.decision == "slower"
                covered += k == 0 and seen.low is not None and seen.low <= 0 <= seen.high
        shares = " ".join(f"{100 * share:6.1f}" for share in found / repetitions)
        covers = "      -" if n < 3 else f"{100 * covered / repetitions:7.1f}"
        print(f"{name:32} {n:3} {covers}  {shares}", flush=True)


def tables(rng: np.random.Generator, repetitions: int) -> None:
    print(
        "\nTables of 20 cells, in %: unchanged ones that claim anything alone and together (wanted: at most 6), and"
    )
    print("how often one cell that is 10 % slower is found\n")
    print(f"{'kind':20} {'n':>3} {'alone':>7} {'together':>9} {'found':>7}")
    for name, make in KINDS.items():
        for n in (4, 5, 10):
            shares = np.zeros(3)
            for cells in make(rng, (max(repetitions // 10, 20), 20, 2, n)):
                found = [compare(cell(first), cell(second)) for first, second in cells]
                slower = compare(cell(cells[0, 0]), cell(cells[0, 1] + np.log(1.1)))
                shares += [
                    any(one.decision != "~" for one in found),
                    any(_kept(found)),
                    _kept([slower, *found[1:]])[0],
                ]
            shares *= 100 / max(repetitions // 10, 20)
            print(f"{name:20} {n:3} " + " ".join(f"{share:8.1f}" for share in shares), flush=True)


def _kept(found: list[Difference]) -> list[bool]:
    kept = stand_out([p_among_many(one) or 1.0 for one in found])
    return [one.decision != "~" and stays for one, stays in zip(found, kept, strict=True)]


def precision(rng: np.random.Generator, repetitions: int) -> None:
    print(
        "\nThe median's interval where processes are added until it is narrow, and for a quarter more, in %"
    )
    print("(in brackets: processes)\n")
    print(f"{'kind':20} {'wanted':>7} {'at once':>14} {'a quarter more':>14}")
    for name, make in KINDS.items():
        true = float(np.exp(np.median(make(rng, (100_001, 3))[:, -1])))
        wanted = 0.7 if name == "normal, sd 1 %" else 3.0
        covered, counts = np.zeros(2), np.zeros(2)
        for _ in range(max(repetitions // 8, 50)):
            medians = BASE_NS * np.exp(make(rng, (160,)))
            first = next((n for n in range(5, 80) if _reach(medians[:n]) <= wanted), 80)
            for k, n in enumerate((first, int(np.ceil(1.25 * first)))):
                low, high = _interval(medians[:n])
                covered[k] += low <= BASE_NS * true <= high
                counts[k] += n
        covered, counts = (values / max(repetitions // 8, 50) for values in (covered, counts))
        shares = " ".join(f"{100 * share:8.1f} ({n:3.0f})" for share, n in zip(covered, counts, strict=True))
        print(f"{name:20} ±{wanted:4.1f} % {shares}", flush=True)


def _interval(medians: Floats) -> tuple[float, float]:
    return median_interval([np.array([value]) for value in medians]) or (0.0, np.inf)


def _reach(medians: Floats) -> float:
    low, high = _interval(medians)
    middle = float(np.median(medians))
    return 100 * max(high - middle, middle - low) / middle


PARTS = {"kinds": kinds, "designs": designs, "rounds": rounds, "tables": tables, "precision": precision}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", help=f"which of {', '.join(PARTS)}; all without")
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--quick", action="store_true", help="300 repetitions")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name in options.parts or PARTS:
        PARTS[name](np.random.default_rng(options.seed), 300 if options.quick else options.repetitions)


if __name__ == "__main__":
    main()
