"""Break detectors in every way of the fault library, diagnose each, carry the remedies out, and print a table.

    python -m tests.benchmarks.bench_faults [--shared] [--limit N] [--no-try] [NAME…]

A row a fault: the rank of the true cause, its confidence, the gain that the diagnosis measured for the cause that it
ranks first, the gain that `--try` then brought in all, what is left against the float side, and the time. Healthy pairs
stand at the end: nothing should be claimed of them beyond what the numbers bear.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from harness.diagnosis.attempt import carry_out
from tests.support.examining import examined
from tests.support.faults import library
from tests.support.faults.workshop import Workshop
from tests.support.paths import REPOSITORY

HEAD = ("fault", "true cause", "rank", "first named", "confidence", "lost", "expected", "got", "left", "s")
WIDTHS = (26, 21, 4, 21, 10, 7, 8, 7, 7, 6)


def main() -> None:
    options = arguments()
    chosen = {**library.BUNDLED, **library.HEALTHY}
    if options.shared:
        chosen = {**library.SHARED, **library.HEALTHY_SHARED}
    unknown = set(options.names) - set(chosen)
    if unknown:
        sys.exit(f"no such fault: {', '.join(sorted(unknown))}; known: {', '.join(chosen)}")
    show(HEAD)
    ranks = []
    with tempfile.TemporaryDirectory() as folder:
        shop = Workshop(Path(folder), REPOSITORY)
        for name in options.names or chosen:
            fault = chosen[name](shop)
            result = examined(fault, options.limit)
            begin = perf_counter()
            tried = () if options.no_try else carry_out(result.diagnosis, Path(folder) / f"try-{name}")
            ranks += [result.rank] if fault.causes else []
            show(row(name, fault, result, tried, perf_counter() - begin + result.seconds))
    if ranks:
        first, three = sum(rank == 1 for rank in ranks), sum(rank is not None and rank <= 3 for rank in ranks)
        print(f"\nright cause first: {first} of {len(ranks)}; among the first three: {three} of {len(ranks)}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", action="store_true", help="the shared models in place of the bundled one")
    parser.add_argument("--limit", type=int, help="only the first so many images")
    parser.add_argument("--no-try", action="store_true", help="do not carry remedies out")
    parser.add_argument("names", nargs="*", help="only these faults")
    return parser.parse_args()


def row(name, fault, result, tried, seconds):
    findings = result.diagnosis.findings
    first = findings[0] if findings else None
    evidence = result.diagnosis.evidence
    steps = [
        attempt.difference for attempt in tried if attempt.difference and "dropped" not in attempt.sentence
    ]
    got = steps[-1].second - evidence.loss.quantized.interval.map if steps else None
    return (
        name,
        fault.causes[0] if fault.causes else "(healthy)",
        result.rank if fault.causes else "",
        first.cause if first else "-",
        first.confidence if first else "-",
        evidence.loss.difference.difference,
        first.gain.difference if first and first.gain else None,
        got,
        steps[-1].second - evidence.loss.float.interval.map if steps else None,
        f"{seconds:.1f}",
    )


def show(cells) -> None:
    texts = [
        "-" if cell is None else f"{cell:+.3f}" if isinstance(cell, float) else str(cell) for cell in cells
    ]
    print(
        "  ".join(text[:width].ljust(width) for text, width in zip(texts, WIDTHS, strict=True)).rstrip(),
        flush=True,
    )


if __name__ == "__main__":
    main()
