"""Hold the statistics against simulations whose truth is known, and print tables.

    python -m tests.benchmarks.bench_statistics [--quick] [--seed N] [coverage|compare|steady|speed …]

Coverage: the truth is the median over processes of a process's median, which is what `stats` estimates:
exact where the simulation gives it, else from 20,001 simulated processes. One process is judged by the same
truth, so where processes differ it must fail: that is why one process is never enough.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from harness.statistics import comparing, mlperf
from harness.statistics import latency as stats
from harness.statistics.steady import steady_start

Floats = npt.NDArray[np.float64]
Traces = Callable[[np.random.Generator, int, int], Floats]
"""(generator, processes, samples) -> factors of the base latency, shape (processes, samples)."""

Rows = Iterator[tuple[str, list[str]]]

BASE_NS = 1e7
SAMPLES = 200


# Simulated processes -----------------------------------------------------------------------------------------------


def independent(sd: float) -> Traces:
    return lambda rng, p, n: np.exp(sd * rng.standard_normal((p, n)))


def autocorrelated(rho: float, sd: float = 0.02) -> Traces:
    def make(rng, p, n):
        steps = rng.standard_normal((p, n + 200)) * math.sqrt(1 - rho**2)
        return np.exp(sd * lfilter([1.0], [1.0, -rho], steps, axis=1)[:, 200:])

    return make


def switching(slow_share: float, dwell: float, gap: float = 0.2) -> Traces:
    """A clock that changes between two states inside a process: a Markov chain with mean stay `dwell`."""

    def make(rng, p, n):
        leave, enter = 1 / dwell, slow_share / (1 - slow_share) / dwell
        slow = np.empty((p, n), dtype=bool)
        slow[:, 0] = rng.random(p) < slow_share
        chance = rng.random((p, n))
        for i in range(1, n):
            slow[:, i] = np.where(slow[:, i - 1], chance[:, i] >= leave, chance[:, i] < enter)
        return np.where(slow, 1 + gap, 1.0) * np.exp(0.02 * rng.standard_normal((p, n)))

    return make


def state_per_process(slow_share: float, gap: float = 0.2) -> Traces:
    def make(rng, p, n):
        slow = rng.random((p, 1)) < slow_share
        return np.where(slow, 1 + gap, 1.0) * np.exp(0.02 * rng.standard_normal((p, n)))

    return make


def process_spread(sd: float) -> Traces:
    return lambda rng, p, n: np.exp(sd * rng.standard_normal((p, 1)) + 0.02 * rng.standard_normal((p, n)))


COVERAGE: dict[str, tuple[Traces, float | None]] = {
    "independent lognormal, sd 2 %": (independent(0.02), 1.0),
    "independent lognormal, sd 30 %": (independent(0.3), 1.0),
    "AR(1), rho 0.5": (autocorrelated(0.5), 1.0),
    "AR(1), rho 0.9": (autocorrelated(0.9), 1.0),
    "two states inside, 30 % slow, stay 5": (switching(0.3, 5), None),
    "two states inside, 30 % slow, stay 20": (switching(0.3, 20), None),
    "two states inside, 50 % slow, stay 20": (switching(0.5, 20), None),
    "two states inside, 30 % slow, stay 100": (switching(0.3, 100), None),
    "a state per process, 10 % slow": (state_per_process(0.1), None),
    "a state per process, 30 % slow": (state_per_process(0.3), None),
    "a state per process, 50 % slow": (state_per_process(0.5), None),
    "process sd 1 %": (process_spread(0.01), 1.0),
    "process sd 5 %": (process_spread(0.05), 1.0),
}


def nanoseconds(factors: Floats) -> npt.NDArray[np.int64]:
    return (BASE_NS * factors).astype(np.int64)


def cells(
    rng: np.random.Generator, make: Traces, repetitions: int, processes: int, samples: int
) -> Iterator[list[npt.NDArray[np.int64]]]:
    """Give one simulated cell a repetition: the durations of each process."""
    for begin in range(0, repetitions, 50):
        count = min(50, repetitions - begin)
        batch = nanoseconds(make(rng, count * processes, samples)).reshape(count, processes, samples)
        yield from (list(cell) for cell in batch)


def coverage(rng: np.random.Generator, repetitions: int) -> None:
    print(f"\nCoverage of the median's 95 % interval, {SAMPLES} samples a process, {repetitions} repetitions")
    print("(and the median half-width of 5 processes; wanted for 5: 93–97 %)\n")
    print(f"{'scenario':40s} {'1':>7s} {'2':>7s} {'3':>7s} {'5':>7s} {'10':>7s}   half-width")
    for name, (make, exact) in COVERAGE.items():
        truth = BASE_NS * (exact or float(np.median(np.median(make(rng, 20_001, SAMPLES), axis=1))))
        shares, half = [], 0.0
        for processes in (1, 2, 3, 5, 10):
            hits, widths = 0, []
            for durations in cells(rng, make, repetitions, processes, SAMPLES):
                interval = stats.median_interval(durations)
                hits += interval is not None and interval[0] <= truth <= interval[1]
                widths.append(0.0 if interval is None else (interval[1] - interval[0]) / 2 / truth)
            shares.append(hits / repetitions)
            half = float(np.median(widths)) if processes == 5 else half
        print(f"{name:40s} " + " ".join(f"{share:7.1%}" for share in shares) + f"   ±{half:.2%}")


# Comparison of two cells --------------------------------------------------------------------------------------------


def compare(rng: np.random.Generator, repetitions: int) -> None:
    print(
        f"\nTwo cells, {repetitions} repetitions: A/A false alarms (wanted <= 5 %) and how often a slow-down is found\n"
    )
    print(
        f"{'process sd':>10s} {'processes':>10s} {'A/A':>7s} {'+1 %':>7s} {'+3 %':>7s} {'+5 %':>7s} {'+10 %':>7s}"
    )
    for sd in (0.005, 0.01, 0.02, 0.05):
        for processes in (2, 3, 5, 10):
            shares = [
                found(rng, repetitions, process_spread(sd), processes, s) for s in (0, 0.01, 0.03, 0.05, 0.1)
            ]
            print(f"{sd:10.1%} {processes:10d} " + " ".join(f"{share:7.1%}" for share in shares))
    print("\nA/A false alarms with 5 processes in the scenarios above")
    for name, (make, _) in COVERAGE.items():
        print(f"{name:40s} {found(rng, repetitions, make, 5, 0.0):7.1%}")


def found(rng: np.random.Generator, repetitions: int, make: Traces, processes: int, slower: float) -> float:
    hits = 0
    pairs = cells(rng, make, repetitions, 2 * processes, 50)
    for pair in pairs:
        second = [(durations * (1 + slower)).astype(np.int64) for durations in pair[processes:]]
        decision = comparing.compare(pair[:processes], second).decision
        hits += decision == "slower" if slower else decision != "~"
    return hits / repetitions


# Warm-up ------------------------------------------------------------------------------------------------------------


def observed(
    rng: np.random.Generator, factors: Floats, noise: float, rho: float = 0.0
) -> npt.NDArray[np.int64]:
    """Add noise and 1 % of outliers (1.2 to 3 times as slow)."""
    shaped = lfilter([math.sqrt(1 - rho**2)], [1.0, -rho], rng.standard_normal(factors.size + 200))[200:]
    values = factors * np.exp(noise * shaped)
    hit = rng.random(factors.size) < 0.01
    values[hit] *= rng.uniform(1.2, 3.0, np.count_nonzero(hit))
    return nanoseconds(values)


def steps(n: int, position: int, height: float) -> Floats:
    return np.where(np.arange(n) < position, 1 + height, 1.0)


def shifting(rng: np.random.Generator, n: int, count: int) -> Floats:
    """Levels between 0.5 and 2, each at least 30 % / count from all others, to the end of the trace."""
    levels: list[float] = []
    while len(levels) < count:
        level = rng.uniform(0.5, 2.0)
        if all(abs(level / other - 1) > 0.3 / count for other in levels):
            levels.append(level)
    return np.repeat(levels, -(-n // count))[:n]


def near(truth: float, tolerance: float = 5.0) -> Callable[[int | None], bool]:
    return lambda start: start is not None and abs(start - truth) <= tolerance


def never(start: int | None) -> bool:
    return start is None


def share(
    repetitions: int, make: Callable[[], npt.NDArray[np.int64]], right: Callable[[int | None], bool]
) -> str:
    return f"{np.mean([right(steady_start(make())) for _ in range(repetitions)]):7.1%}"


def place_limit(rng: np.random.Generator, ratio: float, repetitions: int = 2000) -> str:
    """Return how often the place of a step is found to 5 samples by least squares that knows both levels."""
    walk = np.cumsum(rng.standard_normal((repetitions, 2, 200)) - ratio / 2, axis=2)
    best = np.maximum(walk[:, 0, :5].max(axis=1), walk[:, 1, :5].max(axis=1))
    best = np.maximum(best, 0.0)
    return f"{np.mean(best >= walk[:, :, 5:].max(axis=(1, 2))):7.1%}"


NOISES = (0.01, 0.02, 0.05)


def table(title: str, columns: tuple[str, ...], rows: Rows) -> None:
    print(f"\n{title}\n")
    print(f"{'':34s} " + " ".join(f"{column:>7s}" for column in columns))
    for name, cells in rows:
        print(f"{name:34s} " + " ".join(cells), flush=True)


def step_rows(rng: np.random.Generator, repetitions: int) -> Rows:
    for n, position in (
        (50, 15),
        (200, 20),
        (200, 100),
        (1000, 10),
        (1000, 50),
        (1000, 600),
        (5000, 2002),
    ):
        for height in (0.05, 0.1, 0.2, 0.5, 1.0):
            factors = steps(n, position, height)
            cells = [
                share(repetitions, lambda f=factors, s=s: observed(rng, f, s), near(position)) for s in NOISES
            ]
            yield f"n {n}, step {height:.0%} at {position}", cells


def flat_rows(rng: np.random.Generator, repetitions: int) -> Rows:
    for n in (20, 50, 200, 1000, 5000):
        for rho in (0.0, 0.5, 0.9):
            make = lambda s, n=n, r=rho: lambda: observed(rng, np.ones(n), s, r)  # noqa: E731
            yield (
                f"n {n}, noise AR(1) rho {rho:g}",
                [share(repetitions, make(s), near(0)) for s in NOISES],
            )


def never_rows(rng: np.random.Generator, repetitions: int) -> Rows:
    for n in (50, 200, 1000, 5000):
        for change in (0.1, 0.2, 0.5, -0.3):
            line = np.linspace(1, 1 + change, n)
            cells = [share(repetitions, lambda f=line, s=s: observed(rng, f, s), never) for s in NOISES]
            yield f"n {n}, drift {change:+.0%}", cells
        for count in (5, 8, 20):
            make = lambda s, n=n, c=count: lambda: observed(rng, shifting(rng, n, c), s)  # noqa: E731
            yield f"n {n}, {count} level shifts", [share(repetitions, make(s), never) for s in NOISES]


def state_rows(rng: np.random.Generator, repetitions: int) -> Rows:
    for n in (200, 1000, 5000):
        for dwell in (1, 3, 10, 25, n // 10):
            for gap in (0.1, 0.5):
                factors = 1 + gap * (np.arange(n) // dwell % 2)
                make = lambda s, f=factors: lambda: observed(rng, f, s)  # noqa: E731
                right = near(0, dwell + 5)
                yield (
                    f"n {n}, states +{gap:.0%}, stay {dwell}",
                    [share(repetitions, make(s), right) for s in NOISES],
                )


def decay_rows(rng: np.random.Generator, repetitions: int) -> Rows:
    for n in (200, 1000, 5000):
        for height in (0.2, 1.0):
            for constant in (5, 20, 50) if n > 200 else (5, 20):
                factors = 1 + height * np.exp(-np.arange(n) / constant)
                cells = []
                for s in NOISES:
                    truth = constant * math.log(height / max(s, 0.01))
                    make = lambda f=factors, s=s: observed(rng, f, s)  # noqa: E731
                    cells += [share(repetitions, make, near(truth, max(5.0, k * constant))) for k in (0, 0.5)]
                yield f"n {n}, +{height:.0%}, constant {constant}", cells


def steady(rng: np.random.Generator, repetitions: int) -> None:
    noises = tuple(f"{noise:.0%}" for noise in NOISES)
    print(
        f"\nWarm-up, {repetitions} repetitions a cell; columns are the noise of one inference; wanted >= 95 %"
    )

    table("A step is found within 5 samples", noises, step_rows(rng, repetitions))
    limits = ", ".join(f"{r:g}: {place_limit(rng, r).strip()}" for r in (1, 1.5, 2, 2.5, 3, 5))
    print(f"\nBest possible when both levels are known, by step height / noise: {limits}")
    table("No warm-up gives a start within 5 samples of 0", noises, flat_rows(rng, repetitions))
    table("A trace that never settles gives None", noises, never_rows(rng, repetitions))
    table(
        "Two alternating states are steady (start within one stay and 5 samples of 0)",
        noises,
        state_rows(rng, repetitions),
    )
    twice = tuple(f"{column}{mark}" for column in noises for mark in ("", "~"))
    table(
        "A decay ends where its excess is max(noise, 1 %): to 5 samples, ~ to half a constant",
        twice,
        decay_rows(rng, repetitions),
    )


# Speed --------------------------------------------------------------------------------------------------------------


def fastest(work: Callable[[], object], times: int = 20) -> float:
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def speed(rng: np.random.Generator, _: int) -> None:
    print("\nSpeed: best of 20 (of 3 for a million), ms")
    million = nanoseconds(np.exp(0.02 * rng.standard_normal(1_000_000)))
    for parts in (1, 5):
        seconds = fastest(lambda p=parts: stats.summarize(np.split(million, p)), 3)
        print(f"{f'summarize 1,000,000 samples of {parts}':44s} {1e3 * seconds:8.2f}")
    print(
        f"{'order_ranks(1,000,000, 0.99)':44s} {1e3 * fastest(lambda: stats.order_ranks(1_000_000, 0.99)):8.2f}"
    )
    estimate = fastest(lambda: mlperf.early_stopping_estimate(million, 0.99), 3)
    print(f"{'early_stopping_estimate of 1,000,000':44s} {1e3 * estimate:8.2f}")
    shapes = {
        "flat": np.ones(5000),
        "step": steps(5000, 1600, 0.5),
        "decay": 1 + np.exp(-np.arange(5000) / 50),
        "drift": np.linspace(1, 2, 5000),
        "two states": 1 + 0.2 * (np.arange(5000) // 30 % 2),
        "20 level shifts": shifting(rng, 5000, 20),
    }
    for name, factors in shapes.items():
        trace = observed(rng, factors, 0.02)
        print(
            f"{f'steady_start of 5,000 samples, {name}':44s} {1e3 * fastest(lambda t=trace: steady_start(t)):8.2f}"
        )


def main() -> None:
    parts = {
        "coverage": (coverage, 3000),
        "compare": (compare, 2000),
        "steady": (steady, 200),
        "speed": (speed, 1),
    }
    parser = argparse.ArgumentParser(description="Simulations of the statistics of benchmark figures")
    parser.add_argument("parts", nargs="*", help=f"which of {', '.join(parts)}; all without")
    parser.add_argument("--quick", action="store_true", help="a tenth of the repetitions")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for name in arguments.parts or parts:
        begin = time.perf_counter()
        run, repetitions = parts[name]
        run(np.random.default_rng(arguments.seed), max(repetitions // (10 if arguments.quick else 1), 20))
        print(f"\n[{name}: {time.perf_counter() - begin:.0f} s]", flush=True)


if __name__ == "__main__":
    main()
