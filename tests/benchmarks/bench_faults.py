"""Break detectors at random in more than 25 ways, diagnose each pair, and count how often the diagnosis is right.

    python -m tests.benchmarks.bench_faults [--seed N] [--count N] [--kinds A,B] [--models A,B] [--quick] [--out FILE]
    python -m tests.benchmarks.bench_faults --table FILE…
    python -m tests.benchmarks.bench_faults --library [--shared] [--limit N] [--no-try] [NAME…]

The first form draws kind, model, layer and size by a seed (tests/support/faults/drawn.py), a line a fault: `1` right
cause first, `3` among the first three, `·` the fault costs less than 0.02 mAP and does not count, `!` something else is
claimed at `likely` or above. Then the table by kind, with sound pairs of which nothing is to be claimed. A large run is
put together of shards: other seeds or kinds with `--out`, and `--table` over the files. The models beyond the bundled
example need the development data.

`--library` goes through the list of known faults instead, carries the remedies out, and prints the rank of the true
cause, its confidence, the gain that was measured for the first cause, the gain that `--try` brought, what is left, and
the time. That list has one fault for each cause: it shows that every cause can be found, not how often a fault is.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from harness.diagnosis.attempt import carry_out
from tests.support import fault_scores
from tests.support.examining import examined
from tests.support.faults import drawn, library
from tests.support.faults.workshop import Workshop
from tests.support.paths import REPOSITORY

HEAD = ("fault", "true cause", "rank", "first named", "confidence", "lost", "expected", "got", "left", "s")
WIDTHS = (26, 21, 4, 21, 10, 7, 8, 7, 7, 6)
IMAGES, LAYER_IMAGES, LARGE_IMAGES, LARGE_LAYER_IMAGES = 40, 12, 20, 6
"""Of the bundled example, and of the larger models of the development data."""


def main() -> None:
    options = arguments()
    if options.table:
        print(fault_scores.table(fault_scores.read(options.table)))
        return
    with tempfile.TemporaryDirectory() as folder:
        shop = Workshop(Path(folder), REPOSITORY)
        (the_library if options.library else at_random)(options, shop)


def at_random(options: argparse.Namespace, shop: Workshop) -> None:
    known = [*drawn.KINDS, *drawn.SOUND]
    kinds = options.kinds.split(",") if options.kinds else known
    unknown = set(kinds) - set(known)
    if unknown:
        sys.exit(f"no such kind: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    models = ("example",) if options.quick else tuple(options.models.split(","))
    drawer = drawn.Drawer(shop, models)
    found = []
    for number in range(options.count):
        for kind in kinds:
            one = drawer.draw(kind, options.seed, number)
            if one is None:
                continue
            large = one.model != "example"
            images = (LARGE_IMAGES, LARGE_LAYER_IMAGES) if large else (IMAGES, LAYER_IMAGES)
            found.append(fault_scores.score(one, options.limit or images[0], images[1]))
            print(fault_scores.line(found[-1]), flush=True)
            if options.out:
                fault_scores.save(found[-1], options.out)
    print(f"\n{fault_scores.table(found)}")


def the_library(options: argparse.Namespace, shop: Workshop) -> None:
    chosen = {**library.BUNDLED, **library.HEALTHY}
    if options.shared:
        chosen = {**library.SHARED, **library.HEALTHY_SHARED}
    unknown = set(options.names) - set(chosen)
    if unknown:
        sys.exit(f"no such fault: {', '.join(sorted(unknown))}; known: {', '.join(chosen)}")
    show(HEAD)
    ranks = []
    for name in options.names or chosen:
        fault = chosen[name](shop)
        result = examined(fault, options.limit)
        begin = perf_counter()
        tried = () if options.no_try else carry_out(result.diagnosis, shop.folder / f"try-{name}")
        ranks += [result.rank] if fault.causes else []
        show(row(name, fault, result, tried, perf_counter() - begin + result.seconds))
    if ranks:
        first, three = sum(rank == 1 for rank in ranks), sum(rank is not None and rank <= 3 for rank in ranks)
        print(f"\nright cause first: {first} of {len(ranks)}; among the first three: {three} of {len(ranks)}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0, help="of the drawing")
    parser.add_argument("--count", type=int, default=1, help="faults of each kind")
    parser.add_argument("--kinds", help="only these, with commas between")
    parser.add_argument("--models", default=",".join(drawn.ALL), help="only these, with commas between")
    parser.add_argument("--quick", action="store_true", help="only the bundled example")
    parser.add_argument("--out", type=Path, help="append each diagnosis to this file, as a line of JSON")
    parser.add_argument("--table", type=Path, nargs="+", help="only the table of such files")
    parser.add_argument("--library", action="store_true", help="the known faults, one for each cause")
    parser.add_argument("--shared", action="store_true", help="the shared models in place of the bundled one")
    parser.add_argument("--limit", type=int, help="only the first so many images")
    parser.add_argument("--no-try", action="store_true", help="do not carry remedies out")
    parser.add_argument("names", nargs="*", help="only these faults of the library")
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
