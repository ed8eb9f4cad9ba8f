"""Lines that take back at places drawn by chance in every known log of benchmark_model: no claim may survive.

Run: python -m tests.benchmarks.bench_fuzz_take_backs [LOGS]   (default 50,000)
Fails at the first log of which something is claimed that was taken back, and prints it.
"""

import random
import sys
import time

from tests.support.take_backs import anywhere, false_claim, known_logs


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    chance, logs, begin = random.Random(17), known_logs(), time.perf_counter()
    for _ in range(n):
        delegate, out, err = anywhere(chance, chance.choice(logs))
        claim = false_claim(delegate, out, err)
        if claim is not None:
            print("\n".join(out), "\n".join(err), claim, sep="\n--- ")
            sys.exit(1)
    print(f"{n:,} logs of {len(logs)}, no false claim, {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
